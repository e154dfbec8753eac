"""The real console, driven through a pipe as if by keys, its screen recorded."""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from adapters.operator.commands import COMMANDS
from adapters.operator.completion import CommandCompleter
from adapters.operator.console import Console
from adapters.operator.face import Leaving
from adapters.operator.signals import StopRequest
from models.status import EventKind
from tests.adapters.operator.fake_bot import FakeBot

F1, F2, F3, F4 = "\x1bOP", "\x1bOQ", "\x1bOR", "\x1bOS"
F9, F10 = "\x1b[20~", "\x1b[21~"
CTRL_C, CTRL_D, ENTER = "\x03", "\x04", "\r"


class Screen(DummyOutput):
    """Remembers what was written, without colours and positions."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, data: str) -> None:
        self.text += data

    def write_raw(self, data: str) -> None:
        self.text += data

    def get_size(self) -> Size:
        return Size(rows=40, columns=120)


class Terminal:
    """A console in a thread, and the hands at its keys."""

    def __init__(self, keys: PipeInput, bot: FakeBot, history: Path | None = None) -> None:
        self.keys = keys
        self.bot = bot
        self.screen = Screen()
        self.stop = StopRequest()
        self._history = history
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.until(lambda: "arb>" in self.screen.text)

    def _run(self) -> None:
        try:
            with create_app_session(input=self.keys, output=self.screen):
                Console(
                    self.bot,
                    self.bot.clock,
                    self.stop,
                    COMMANDS,
                    history=self._history,
                    terminal=(self.keys, self.screen),
                ).run()
        except BaseException as error:  # noqa: BLE001  shown by the test
            self.failure = error

    def type(self, text: str) -> None:
        self.keys.send_text(text)

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, self.screen.text[-2_000:]
            time.sleep(0.005)

    def shows(self, text: str) -> None:
        self.until(lambda: text in self.screen.text)

    def ended(self) -> bool:
        self.thread.join(5)
        return not self.thread.is_alive()


@pytest.fixture
def bot() -> FakeBot:
    return FakeBot()


@pytest.fixture
def terminal(bot: FakeBot, tmp_path: Path) -> Iterator[Terminal]:
    with ExitStack() as stack:
        keys = stack.enter_context(create_pipe_input())
        terminal = Terminal(keys, bot, tmp_path / "console_history")
        yield terminal
        terminal.stop.request("test")
        assert terminal.ended()
        assert terminal.failure is None


def test_it_says_what_runs_on_what_before_the_first_prompt(terminal: Terminal) -> None:
    terminal.shows(
        "dutchbook 0.1.0   PAPER · venue simulated · 4 markets · config 91ab3c77 · ledger data/ledger.sqlite"
    )
    terminal.shows("Trading: ON")


def test_a_typed_command_is_answered_above_the_prompt(terminal: Terminal) -> None:
    terminal.type("markets snow" + ENTER)

    terminal.shows("COOLDOWN")


def test_halt_acts_and_resume_waits_for_the_word(terminal: Terminal, bot: FakeBot) -> None:
    terminal.type("halt -- odd news" + ENTER)
    terminal.until(lambda: bot.halts == [(None, "odd news", "operator (console)")])

    terminal.type("resume" + ENTER)
    terminal.shows("type RESUME to resume all trading:")
    assert bot.resumes == []
    terminal.type("RESUME" + ENTER)

    terminal.until(lambda: len(bot.resumes) == 1)
    terminal.shows("The permit ends in 24 h.")


def test_any_other_word_does_not_resume(terminal: Terminal, bot: FakeBot) -> None:
    terminal.type("halt" + ENTER + "resume" + ENTER)
    terminal.shows("type RESUME")
    terminal.type("resume" + ENTER)

    terminal.shows("Not resumed.")
    assert bot.resumes == []


def test_f9_halts_everything_without_a_question_and_keeps_the_typed_line(terminal: Terminal, bot: FakeBot) -> None:
    terminal.type("mark")
    terminal.type(F9)
    terminal.until(lambda: bot.halts == [(None, "F9", "operator (console)")])

    terminal.type("ets snow" + ENTER)
    terminal.shows("COOLDOWN")


def test_f9_halts_also_while_a_question_is_open(terminal: Terminal, bot: FakeBot) -> None:
    bot.now = replace(bot.now, open_items=("2 open orders",))
    terminal.type("quit" + ENTER)
    terminal.shows("[s]tay?")

    terminal.type(F9)

    terminal.until(lambda: len(bot.halts) == 1)


def test_no_key_resumes(terminal: Terminal, bot: FakeBot) -> None:
    terminal.type("halt" + ENTER)
    terminal.until(lambda: len(bot.halts) == 1)

    for number in range(1, 25):
        if number not in {9, 10}:
            code = {1: "\x1bOP", 2: "\x1bOQ", 3: "\x1bOR", 4: "\x1bOS"}.get(number, "")
            terminal.type(code)
    terminal.type(CTRL_C + "version" + ENTER)
    terminal.shows("dutchbook 0.1.0 · config")

    assert bot.resumes == []


def test_function_keys_show_help_status_markets_and_change_the_level(terminal: Terminal) -> None:
    terminal.type(F1)
    terminal.shows("F9 HALT ALL")
    terminal.type(F2)
    terminal.shows("kill switch partials 0/2")
    terminal.type(F3)
    terminal.shows("Bitcoin above $100k")
    terminal.type(F4)
    terminal.shows("events all: everything")


def test_control_c_clears_the_line_and_never_stops_the_bot(terminal: Terminal, bot: FakeBot) -> None:
    terminal.type("halt -- never mi" + CTRL_C)
    terminal.type(CTRL_C + CTRL_C)
    terminal.type("version" + ENTER)

    terminal.shows("dutchbook 0.1.0 · config")
    assert bot.halts == []
    assert bot.left == []
    assert not terminal.stop.requested


def test_control_d_leaves_when_nothing_is_open(terminal: Terminal, bot: FakeBot) -> None:
    terminal.type(CTRL_D)

    assert terminal.ended()
    assert bot.left == [Leaving.PROTECT]


def test_control_d_asks_when_something_is_open(terminal: Terminal, bot: FakeBot) -> None:
    bot.now = replace(bot.now, open_items=("2 open orders", "1 unhedged leg"))
    terminal.type(CTRL_D)
    terminal.shows("2 open orders, 1 unhedged leg. [w]ait, [c]ancel+unwind, [s]tay?")

    terminal.type("s" + ENTER)
    terminal.shows("Staying.")
    assert bot.left == []

    terminal.type(CTRL_D)
    terminal.until(lambda: terminal.screen.text.count("[s]tay?") >= 2)
    terminal.type("c" + ENTER)
    assert terminal.ended()
    assert bot.left == [Leaving.PROTECT]


def test_f10_leaves_like_quit_even_with_half_a_line_typed(terminal: Terminal, bot: FakeBot) -> None:
    terminal.type("resu" + F10)

    assert terminal.ended()
    assert bot.left == [Leaving.PROTECT]


def test_a_stop_request_ends_the_prompt_at_once(terminal: Terminal) -> None:
    terminal.stop.request("SIGTERM")

    assert terminal.ended()


def test_a_stop_request_ends_an_open_question_without_doing_it(terminal: Terminal, bot: FakeBot) -> None:
    terminal.type("halt" + ENTER + "resume" + ENTER)
    terminal.shows("type RESUME")

    terminal.stop.request("SIGTERM")

    assert terminal.ended()
    assert bot.resumes == []


def test_a_terminal_that_goes_away_stops_the_bot(bot: FakeBot) -> None:
    with ExitStack() as stack:
        keys = stack.enter_context(create_pipe_input())
        terminal = Terminal(keys, bot)
        keys.close()

        assert terminal.ended()
        assert terminal.stop.requested or bot.left


def test_a_screen_that_breaks_while_drawing_stops_the_bot_in_order(bot: FakeBot) -> None:
    with ExitStack() as stack:
        keys = stack.enter_context(create_pipe_input())
        terminal = Terminal(keys, bot)

        def gone(_data: str) -> None:
            raise OSError(5, "Input/output error")

        terminal.screen.write = gone  # type: ignore[method-assign]
        terminal.screen.write_raw = gone  # type: ignore[method-assign]
        terminal.type("status" + ENTER)

        assert terminal.ended()
        assert terminal.failure is None
        assert terminal.stop.requested


def test_news_scrolls_above_the_prompt_and_a_slow_answer_does_not_hold_it(terminal: Terminal, bot: FakeBot) -> None:
    released = threading.Event()
    bot.slow_gate = lambda: bool(released.wait(10)) and None
    terminal.type("report" + ENTER)
    terminal.shows("report: working, the answer comes when it is there")

    bot.board.post(EventKind.OPP, "fed-cut-dec", "0.4300 + 0.5550 = 0.9850   edge +0.0110  → TRADE", ident="o-7f31")
    terminal.shows("→ TRADE  o-7f31")
    terminal.type("halt" + ENTER)
    terminal.until(lambda: len(bot.halts) == 1)

    released.set()
    terminal.shows("the whole story")


def test_a_command_that_fails_inside_is_said_and_logged(terminal: Terminal, bot: FakeBot) -> None:
    def broken() -> None:
        raise RuntimeError("planted")

    bot.slow_gate = broken
    terminal.type("why x" + ENTER)

    terminal.shows("why failed inside the bot; the log says why")


def test_history_is_private_and_lines_with_a_leading_space_are_not_kept(
    terminal: Terminal, tmp_path: Path, bot: FakeBot
) -> None:
    terminal.type("halt -- one" + ENTER)
    terminal.type(" halt -- two" + ENTER)
    terminal.until(lambda: len(bot.halts) == 2)

    history = tmp_path / "console_history"
    assert "+halt -- one" in history.read_text()
    assert "two" not in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("ha", ["halt"]),
        ("halt ", ["fed-cut-dec", "btc-100k-dec", "nyc-snow", "sp500-6k"]),
        ("halt ny", ["nyc-snow"]),
        ("halt nyc-snow ", ["--"]),
        ("halt -- ny", []),
        ("resume --", ["--yes", "--"]),
        ("set ", ["events"]),
        ("set events ", ["quiet", "normal", "all"]),
        ("why ", ["ts-0009", "o-7f31", "9a1c"]),
        ("help res", ["resume"]),
        ("nonsense ", []),
    ],
)
def test_tab_offers_what_fits(bot: FakeBot, typed: str, offered: list[str]) -> None:
    bot.board.post(EventKind.OPP, "fed-cut-dec", "x", ident="o-7f31")
    completer = CommandCompleter(COMMANDS, bot.snapshot)

    found = completer.get_completions(Document(typed), CompleteEvent(completion_requested=True))

    assert [completion.text for completion in found] == offered
