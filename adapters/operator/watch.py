"""`python3 run.py watch`: the full screen, in its own process, through the control socket, twice a second.

It draws from what the bot last published and can halt and resume like any other shell; closing it changes nothing. In
the bot's own process the same screen would cost its decisions up to a millisecond and a half (measured).
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import FormattedTextControl, Layout, Window
from prompt_toolkit.output import Output
from prompt_toolkit.styles import Style

from adapters.clock import SystemClock
from adapters.operator.client import NoBotError, Shell, ask, in_files_too
from adapters.operator.command import Question, Reply, wrong
from adapters.operator.control_wire import Request, WireError
from adapters.operator.offline import halt_in_files, instance_runs
from adapters.operator.places import SOCKET_NAME, demo_directory, state_directory
from adapters.operator.render import STYLES
from adapters.operator.signals import StopRequest
from adapters.operator.watch_frame import frame
from adapters.operator.watch_keys import Mode, bindings
from adapters.operator.watch_view import View, chosen_rows
from models.clock import SECOND, Clock
from models.exit_codes import EXIT_OK, EXIT_USAGE
from models.status import StatusSnapshot
from models.status_json import StatusError, from_json

POLL_S: Final = 0.5
ANSWER_S: Final = 2.0
OLD_NS: Final = 2 * SECOND
"""The bot answers, but its figures are older than this: whoever publishes them hangs."""
PAGE: Final = 10
ALL: Final = 1_000_000
TYPED_MAX: Final = 60
REASON: Final = "from watch"


class Watch:
    """One screen. Keys are handled on the event loop, polling and requests each on their own thread.

    `find` names the state directory of the bot to watch; it is asked again while nobody answers, because bots come and
    go.
    """

    def __init__(
        self,
        find: Callable[[], Path],
        clock: Clock,
        *,
        readonly: bool = False,
        terminal: tuple[Input, Output] | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        self._find = find
        self._directory = find()
        self._clock = clock
        self._poll_s = poll_s
        self._status: StatusSnapshot | None = None
        self._missing = ""
        self._view = View(readonly=readonly)
        self._mode = Mode.BROWSE
        self._typed = ""
        self._question: Question | None = None
        self._stop = StopRequest()
        source, screen = terminal if terminal is not None else (None, None)
        window = Window(FormattedTextControl(self._draw, show_cursor=False, focusable=True), always_hide_cursor=True)
        self._app: Application[None] = Application(
            layout=Layout(window),
            key_bindings=self._keys(),
            style=Style.from_dict(dict(STYLES)),
            full_screen=True,
            input=source,
            output=screen,
        )

    def run(self) -> int:
        """Until `q`, Ctrl-C or a signal. Returns the exit code."""
        poller = threading.Thread(target=self._poll, name="watch-poll", daemon=True)
        if threading.current_thread() is threading.main_thread():
            self._stop.install((signal.SIGTERM, signal.SIGHUP))
        poller.start()
        try:
            self._app.run(handle_sigint=False, set_exception_handler=False)
        except (EOFError, OSError):
            pass  # the terminal is gone
        finally:
            self._stop.request("left")
            self._stop.restore()
        return EXIT_OK

    # -- drawing --------------------------------------------------------------------------------------------------

    def _draw(self) -> FormattedText:
        size = self._app.output.get_size()
        lines = frame(self._status, replace(self._view, footer=self._footer()), size.columns, size.rows, self._missing)
        fragments = [fragment for line in lines for fragment in (*line, ("", "\n"))]
        return FormattedText(fragments[:-1])

    def _footer(self) -> str:
        chosen = self._chosen()
        one = f"[m] {chosen} only   " if chosen else ""
        match self._mode:
            case Mode.FILTER:
                return f"/{self._typed}▏  ⏎ keep   Esc clear"
            case Mode.HALT:
                return f"HALT   {one}[a] everything   any other key: no"
            case Mode.RESUME:
                return f"RESUME   {one}[a] everything   any other key: no"
            case Mode.WORD:
                return f"{self._question.prompt if self._question else ''}{self._typed}▏   Esc: no"
            case Mode.BROWSE:
                return self._view.footer

    def _chosen(self) -> str:
        if self._status is None:
            return ""
        rows = chosen_rows(self._status, self._view)
        if any(row.market_id == self._view.chosen for row in rows):
            return self._view.chosen
        return rows[0].market_id if rows else ""

    # -- asking the bot -------------------------------------------------------------------------------------------

    def _poll(self) -> None:
        while True:
            self._look()
            self._app.invalidate()
            if self._stop.wait(self._poll_s):
                break
        loop = self._app.loop
        if loop is not None:
            loop.call_soon_threadsafe(self._leave)

    def _look(self) -> None:
        if self._missing:
            self._directory = self._find()
        try:
            reply = ask(self._directory / SOCKET_NAME, Request(verb="status", json=True), ANSWER_S)
            status = from_json(reply.document or {})
        except NoBotError as missing:
            self._missing = "start one: python3 run.py" if missing.gone else str(missing)
        except (WireError, StatusError) as error:
            self._missing = f"it is of another version: {error}"
        else:
            late = self._clock.wall_ns() - status.at
            self._status = status
            self._missing = f"its figures are {late // SECOND} s old" if late > OLD_NS else ""

    def _send(self, words: Sequence[str]) -> None:
        """Give one command on a thread of its own; its answer goes to the screen."""

        def work() -> None:
            self._take(self._answer(words))
            self._look()
            self._app.invalidate()

        self._view = replace(self._view, footer=f"{' '.join(words[:2])} …")
        threading.Thread(target=work, name="watch-command", daemon=True).start()

    def _answer(self, words: Sequence[str]) -> Reply:
        request = Request(verb=words[0], args=list(words[1:]), width=self._app.output.get_size().columns - 4)
        shell = Shell(directory=self._directory, clock=self._clock, out=sys.stdout, err=sys.stderr)
        try:
            return ask(shell.socket, request, ANSWER_S, meanwhile=in_files_too(request, shell))
        except (NoBotError, WireError) as missing:
            if words[0] == "halt":
                return halt_in_files(words[1:], str(missing), self._directory, self._clock)
            return wrong(f"no answer: {missing}")

    def _take(self, reply: Reply) -> None:
        self._view = replace(self._view, footer="", message=reply.lines)
        if reply.question is not None:
            self._question, self._typed, self._mode = reply.question, "", Mode.WORD

    # -- keys -----------------------------------------------------------------------------------------------------

    def _leave(self) -> None:
        if self._app.is_running and not self._app.is_done:
            self._app.exit()

    def _keys(self) -> KeyBindings:
        browse: dict[str, Callable[[], None]] = {
            "q": self._leave,
            "?": lambda: self._change(help=not self._view.help),
            "enter": lambda: self._change(details=not self._view.details, help=False),
            "escape": lambda: self._change(details=False, help=False, filter=""),
            "s": lambda: self._change(sort=self._view.sort.next),
            "e": lambda: self._change(level=self._view.level.next),
            "/": lambda: self._type_into(Mode.FILTER, self._view.filter),
            "h": lambda: self._choose(Mode.HALT),
            "r": lambda: self._choose(Mode.RESUME),
            "up": lambda: self._move(-1),
            "down": lambda: self._move(1),
            "pageup": lambda: self._move(-PAGE),
            "pagedown": lambda: self._move(PAGE),
            "home": lambda: self._move(-ALL),
            "end": lambda: self._move(ALL),
        }
        return bindings(
            mode=lambda: self._mode,
            before=lambda: self._change(message=(), footer=""),
            browse=browse,
            type_sign=self._type_sign,
            finish=self._finish_typing,
            decide=self._decide,
            halt_all=self._halt_all,
            leave=self._leave,
        )

    def _halt_all(self) -> None:
        if self._may_act():
            self._send(["halt", "--", f"F9 {REASON}"])

    def _type_sign(self, sign: str | None) -> None:
        """One more sign; None takes the last one away."""
        self._typed = self._typed[:-1] if sign is None else (self._typed + sign)[:TYPED_MAX]
        if self._mode is Mode.FILTER:
            self._change(filter=self._typed)

    def _change(self, **changes: object) -> None:
        self._view = replace(self._view, **changes)  # type: ignore[arg-type]

    def _move(self, step: int) -> None:
        if self._status is None:
            return
        ids = [row.market_id for row in chosen_rows(self._status, self._view)]
        if ids:
            at = ids.index(self._chosen()) if self._chosen() in ids else 0  # type: ignore[arg-type]
            self._change(chosen=ids[max(0, min(len(ids) - 1, at + step))])

    def _may_act(self) -> bool:
        if self._view.readonly:
            self._change(footer="read only: started with --readonly")
        return not self._view.readonly

    def _choose(self, mode: Mode) -> None:
        if self._may_act():
            self._mode = mode

    def _decide(self, key: str) -> None:
        verb = "halt" if self._mode is Mode.HALT else "resume"
        self._mode = Mode.BROWSE
        chosen = self._chosen()
        if key == "a":
            self._send([verb, "--", REASON])
        elif key == "m" and chosen:
            self._send([verb, chosen, "--", REASON])

    def _type_into(self, mode: Mode, before: str) -> None:
        self._mode, self._typed = mode, before

    def _finish_typing(self, *, kept: bool) -> None:
        """The typed line is done; without `kept` it counts as empty."""
        mode, typed = self._mode, self._typed if kept else ""
        self._mode, self._typed = Mode.BROWSE, ""
        if mode is Mode.FILTER:
            self._change(filter=typed)
            return
        question, self._question = self._question, None
        words = question.answers.get(typed.strip(), ()) if question is not None else ()
        if words:
            self._send(words)
        elif question is not None:
            self._change(message=(), footer=question.otherwise)


# -- the verb
# --------------------------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--readonly", action="store_true", help="no key halts or resumes")
    parser.add_argument("--config", type=Path, default=None, metavar="F", help="configuration of the bot to watch")
    parser.add_argument("--demo", action="store_true", help="watch the demo, also if a bot runs beside it")


def run(options: argparse.Namespace) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("watch needs a terminal; without one ask for:  python3 run.py status --json", file=sys.stderr)
        return EXIT_USAGE
    directory, _ = state_directory(options.config)
    demo = demo_directory(directory)

    def find() -> Path:
        return demo if options.demo or (not instance_runs(directory) and instance_runs(demo)) else directory

    return Watch(find, SystemClock(), readonly=options.readonly).run()
