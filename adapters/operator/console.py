"""The console: a prompt in the main thread of the bot, with the news scrolling above it and the toolbar below.

It reads nothing but the published snapshot while it draws, and carries commands out beside its own loop, so a slow
answer never freezes the prompt. A halt (`halt`, F9) is carried out at once, in the loop itself. One event loop lives
as long as the console: with one per line, what is printed between two prompts can get lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from prompt_toolkit import PromptSession, print_formatted_text
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.styles import Style

from adapters.operator.command import (
    Caller,
    Commands,
    Place,
    Question,
    Reply,
    dispatch,
    words_of,
    wrong,
)
from adapters.operator.completion import CommandCompleter
from adapters.operator.console_terminal import keys_make_no_signals, private_history
from adapters.operator.events import Selection
from adapters.operator.face import BotFace
from adapters.operator.render import STYLES, Fragments, banner, event_lines, prompt_words, toolbar
from adapters.operator.signals import StopRequest
from adapters.operator.tables import folded, safe
from models.clock import Clock
from models.exit_codes import EXIT_UNEXPECTED

logger = logging.getLogger(__name__)

REFRESH_S: Final = 0.5
"""Of the toolbar."""
NEWS_S: Final = 0.25
PATIENCE_S: Final = 0.3
"""How long the prompt waits for a slow command before it comes back without the answer."""
BY: Final = "operator (console)"


class Console:
    """`run()` in the main thread, once. It returns when the operator or a signal wants the bot to stop."""

    def __init__(
        self,
        face: BotFace,
        clock: Clock,
        stop: StopRequest,
        commands: Commands,
        *,
        history: Path | None = None,
        terminal: tuple[Input, Output] | None = None,
    ) -> None:
        self._face = face
        self._clock = clock
        self._stop = stop
        self._commands = commands
        self._selection = Selection()
        self._workers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="console")
        self._late: set[asyncio.Task[None]] = set()
        self._style = Style.from_dict(dict(STYLES))
        source, screen = terminal if terminal is not None else (None, None)
        keys = self._keys()
        self._session: PromptSession[str] = PromptSession(
            message=lambda: FormattedText(prompt_words(face.snapshot())),
            history=private_history(history),
            auto_suggest=AutoSuggestFromHistory(),
            completer=CommandCompleter(commands, face.snapshot),
            complete_while_typing=False,
            reserve_space_for_menu=5,
            bottom_toolbar=self._toolbar,
            refresh_interval=REFRESH_S,
            key_bindings=keys,
            style=self._style,
            input=source,
            output=screen,
        )
        self._asker: PromptSession[str] = PromptSession(
            bottom_toolbar=self._toolbar,
            refresh_interval=REFRESH_S,
            key_bindings=_only_halt(self._halt_all),
            style=self._style,
            input=source,
            output=screen,
        )

    def run(self) -> None:
        """Talk until it is time to stop. A terminal that goes away (EIO at any point) is a wish to stop too."""
        try:
            with keys_make_no_signals():
                asyncio.run(self._main())
        except OSError as error:
            self._stop.request(f"the terminal is gone ({error.strerror})")
        finally:
            self._workers.shutdown(wait=False, cancel_futures=True)

    # -- the loop -------------------------------------------------------------------------------------------------

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_failure)
        with patch_stdout(raw=True):
            self._print([[("", line)] for line in banner(self._face.snapshot())])
            news = asyncio.create_task(self._news())
            loop.add_reader(self._stop.fileno(), self._leave_prompt)
            try:
                await self._converse()
            finally:
                loop.remove_reader(self._stop.fileno())
                for task in (news, *self._late):
                    task.cancel()
                self._flush_news()

    async def _converse(self) -> None:
        while not self._stopping():
            try:
                line = await self._session.prompt_async(
                    handle_sigint=False, set_exception_handler=False, pre_run=self._leave_if_stopping
                )
            except KeyboardInterrupt:
                continue
            except EOFError:
                if self._stopping():
                    return
                if self._session.app.input.closed:
                    self._stop.request("the terminal is closed")
                    return
                line = "quit"
            if line.strip() and await self._carry_out(words_of(line)):
                return

    async def _carry_out(self, words: Sequence[str]) -> bool:
        """Do one command and show its answer; whether it ends the console."""
        command = self._commands.find(words[0])
        if command is None or command.name == "halt":
            self._show(self._dispatch(words))
            return False
        answer = asyncio.get_running_loop().run_in_executor(self._workers, self._dispatch, words)
        if command.slow:
            done, _ = await asyncio.wait({answer}, timeout=PATIENCE_S)
            if not done:
                self._later(words[0], answer)
                return False
        reply = await answer
        self._show(reply)
        if reply.question is not None:
            following = await self._put(reply.question)
            return bool(following) and await self._carry_out(following)
        return reply.leave

    def _later(self, verb: str, answer: asyncio.Future[Reply]) -> None:
        async def show() -> None:
            self._show(await answer)

        self._print([[("class:dim", f"{verb}: working, the answer comes when it is there")]])
        self._beside(show())

    def _beside(self, work: Coroutine[None, None, None]) -> None:
        """Run `work` in the loop beside the prompt; it ends with the console."""
        task = asyncio.create_task(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _dispatch(self, words: Sequence[str]) -> Reply:
        """The loop's thread for `halt` and unknown words, a worker's for the rest."""
        caller = Caller(
            face=self._face,
            place=Place.CONSOLE,
            by=BY,
            width=self._width(),
            selection=self._selection,
        )
        try:
            return dispatch(self._commands, words, caller)
        except Exception:  # thread edge: one broken verb must not take the console away
            logger.exception("the command %r failed", words[0])
            return wrong(f"{words[0]} failed inside the bot; the log says why", exit_code=EXIT_UNEXPECTED)

    async def _put(self, question: Question) -> tuple[str, ...]:
        """Ask; the command words that the typed text stands for, empty where it is a no."""
        try:
            typed = await self._asker.prompt_async(
                question.prompt, handle_sigint=False, set_exception_handler=False, pre_run=self._leave_if_stopping
            )
        except (KeyboardInterrupt, EOFError):
            typed = ""
        words = question.answers.get(typed.strip(), ())
        if not words and not self._stop.requested:
            self._print([[("", question.otherwise)]])
        return words

    # -- stopping -------------------------------------------------------------------------------------------------

    def _stopping(self) -> bool:
        return self._stop.requested

    def _leave_prompt(self) -> None:
        asyncio.get_running_loop().remove_reader(self._stop.fileno())
        self._leave_if_stopping()

    def _leave_if_stopping(self) -> None:
        """End whichever prompt is open. Called when stopping begins, and when a prompt opens after that."""
        if not self._stop.requested:
            return
        for session in (self._session, self._asker):
            if session.app.is_running and not session.app.is_done:
                session.app.exit(exception=EOFError())

    # -- what is shown --------------------------------------------------------------------------------------------

    async def _news(self) -> None:
        while True:
            self._flush_news()
            await asyncio.sleep(NEWS_S)

    def _flush_news(self) -> None:
        now = self._face.news()
        width = self._width()
        news = self._selection.take(now.events, now.at)
        self._print([fragments for line in news for fragments in event_lines(line, width)])

    def _show(self, reply: Reply) -> None:
        style = "class:warn" if reply.exit_code else ""
        self._print([[(style, part)] for line in reply.lines for part in folded(safe(line), self._width())])

    def _width(self) -> int:
        return self._session.output.get_size().columns

    def _print(self, lines: Sequence[Fragments]) -> None:
        """Above the prompt, all lines in one repaint."""
        if not lines:
            return
        fragments = [fragment for line in lines for fragment in (*line, ("", "\n"))]
        print_formatted_text(FormattedText(fragments), style=self._style, output=self._session.output, end="")

    def _toolbar(self) -> FormattedText:
        now = self._clock.boot_ns()
        return FormattedText(toolbar(self._face.snapshot(), now, self._selection.level, self._width()))

    # -- keys -----------------------------------------------------------------------------------------------------

    def _halt_all(self) -> None:
        self._show(self._dispatch(["halt", "--", "F9"]))

    def _keys(self) -> KeyBindings:
        keys = _only_halt(self._halt_all)

        def shortcut(*words: str) -> Callable[[KeyPressEvent], None]:
            def pressed(_event: KeyPressEvent) -> None:
                self._beside(self._shortcut(words))

            return pressed

        keys.add("f1")(shortcut("help"))
        keys.add("f2")(shortcut("status"))
        keys.add("f3")(shortcut("markets"))

        @keys.add("f4")
        def next_level(_event: KeyPressEvent) -> None:
            self._show(self._dispatch(["set", "events", self._selection.level.next.value]))

        @keys.add("f10")
        def leave(event: KeyPressEvent) -> None:
            event.app.exit(result="quit")

        @keys.add("c-c")
        def clear(event: KeyPressEvent) -> None:
            event.current_buffer.reset()

        return keys

    async def _shortcut(self, words: Sequence[str]) -> None:
        await self._carry_out(words)


def _only_halt(halt_all: Callable[[], None]) -> KeyBindings:
    """F9 works wherever something can be typed; there is no key for the opposite."""
    keys = KeyBindings()

    @keys.add("f9")
    def halt(_event: KeyPressEvent) -> None:
        halt_all()

    return keys


def _log_failure(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A failure in a background task of the console costs a log line, not the bot."""
    error = context.get("exception")
    if isinstance(error, OSError):
        return  # the terminal is going away; the prompt notices
    logger.error("console: %s", context.get("message"), exc_info=error if isinstance(error, Exception) else None)
