"""The real full screen over a real socket, driven by keys through a pipe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from adapters.gate import Gate
from adapters.operator.commands import COMMANDS
from adapters.operator.control import ControlServer
from adapters.operator.render import plain
from adapters.operator.watch import Watch
from tests.adapters.operator.fake_bot import FakeBot, HandClock

F9 = "\x1b[20~"
ESCAPE, ENTER, DOWN, CTRL_C = "\x1b", "\r", "\x1b[B", "\x03"


class Screen(DummyOutput):
    def __init__(self) -> None:
        self.size = Size(rows=30, columns=110)

    def get_size(self) -> Size:
        return self.size


class Watcher:
    def __init__(self, directory: Path, keys: PipeInput, *, readonly: bool = False) -> None:
        self.keys = keys
        self.screen = Screen()
        self._ready = threading.Event()
        self._directory = directory
        self._readonly = readonly
        self.watch: Watch
        self.code: int | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self._ready.wait(5)

    def _run(self) -> None:
        with create_app_session(input=self.keys, output=self.screen):
            self.watch = Watch(
                lambda: self._directory,
                HandClock(),
                readonly=self._readonly,
                terminal=(self.keys, self.screen),
                poll_s=0.02,
            )
            self._ready.set()
            self.code = self.watch.run()

    def shown(self) -> str:
        return plain(self.watch._draw())  # type: ignore[arg-type]

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, self.shown()
            time.sleep(0.005)

    def shows(self, text: str) -> None:
        self.until(lambda: text in self.shown())

    def type(self, text: str) -> None:
        self.keys.send_text(text)


@pytest.fixture
def bot() -> FakeBot:
    return FakeBot()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def server(tmp_path: Path, bot: FakeBot, stack: ExitStack) -> ControlServer:
    server = ControlServer(tmp_path / "control.sock", bot, COMMANDS)
    server.start()
    stack.callback(server.stop)
    return server


@pytest.fixture
def watcher(tmp_path: Path, server: ControlServer, stack: ExitStack) -> Watcher:
    return opened(tmp_path, stack)


def opened(directory: Path, stack: ExitStack, *, readonly: bool = False) -> Watcher:
    watcher = Watcher(directory, stack.enter_context(create_pipe_input()), readonly=readonly)

    def close() -> None:
        watcher.watch._stop.request("test")
        watcher.thread.join(5)
        assert not watcher.thread.is_alive()

    stack.callback(close)
    return watcher


def test_it_draws_what_the_bot_publishes_and_follows_it(watcher: Watcher, bot: FakeBot) -> None:
    watcher.shows("*fed-cut-dec")

    bot.halt(None, "odd", "somebody else")

    watcher.shows("HALTED: odd")


def test_h_asks_what_to_halt_and_any_other_key_is_a_no(watcher: Watcher, bot: FakeBot) -> None:
    watcher.shows("fed-cut-dec")
    watcher.type("h")
    watcher.shows("HALT   [m] fed-cut-dec only   [a] everything   any other key: no")
    watcher.type("x")
    watcher.shows("?help")
    assert bot.halts == []

    watcher.type(DOWN + "hm")
    watcher.until(lambda: bot.halts == [("btc-100k-dec", "from watch", "operator (shell)")])
    watcher.shows("btc-100k-dec halted")


def test_f9_halts_everything_without_a_question(watcher: Watcher, bot: FakeBot) -> None:
    watcher.shows("fed-cut-dec")
    watcher.type(F9)

    watcher.until(lambda: [halt[0] for halt in bot.halts] == [None])


def test_resume_shows_what_tripped_and_needs_the_typed_word(watcher: Watcher, bot: FakeBot) -> None:
    bot.halt(None, "odd", "x")
    watcher.shows("HALTED")
    watcher.type("ra")
    watcher.shows("tripped    2 partials in 10 m")
    watcher.shows("type RESUME to resume all trading:")
    watcher.type("resume" + ENTER)
    watcher.shows("Not resumed.")
    assert bot.resumes == []

    watcher.type("ra")
    watcher.shows("type RESUME to resume all trading:")
    watcher.type("RESUME" + ENTER)
    watcher.until(lambda: len(bot.resumes) == 1)
    watcher.shows("Trading ON")


def test_a_refused_resume_lists_what_is_open(watcher: Watcher, bot: FakeBot) -> None:
    bot.refusals = ("5 YES of nyc-snow are naked",)
    bot.halt(None, "odd", "x")
    watcher.shows("HALTED")

    watcher.type("ra")

    watcher.shows("5 YES of nyc-snow are naked")


def test_readonly_shows_everything_and_does_nothing(
    tmp_path: Path, server: ControlServer, bot: FakeBot, stack: ExitStack
) -> None:
    watcher = opened(tmp_path, stack, readonly=True)
    watcher.shows("fed-cut-dec")

    watcher.type("h")
    watcher.shows("read only")
    watcher.type("a" + F9 + "ra")
    watcher.type("s")
    watcher.shows("sort: sum")

    assert bot.halts == []


def test_the_filter_works_while_it_is_typed(watcher: Watcher) -> None:
    watcher.shows("btc-100k-dec")
    watcher.type("/snow")
    watcher.until(lambda: "btc-100k-dec" not in watcher.shown())
    watcher.type(ENTER)
    watcher.shows("filter: snow")

    watcher.type("/" + ESCAPE)
    watcher.shows("btc-100k-dec")


def test_details_help_levels_and_orders_have_their_keys(watcher: Watcher) -> None:
    watcher.shows("fed-cut-dec")
    watcher.type(ENTER)
    watcher.shows("details of fed-cut-dec")
    watcher.type("?")
    watcher.shows("halt everything, no question")
    watcher.type("?" + ENTER + "e")
    watcher.shows("events all (e)")


def test_a_bot_that_dies_leaves_its_last_data_and_comes_back(
    tmp_path: Path, watcher: Watcher, server: ControlServer, bot: FakeBot, stack: ExitStack
) -> None:
    watcher.shows("fed-cut-dec")
    server.stop()
    watcher.shows("NO BOT — last data")
    assert "fed-cut-dec" in watcher.shown()

    again = ControlServer(tmp_path / "control.sock", bot, COMMANDS)
    again.start()
    stack.callback(again.stop)

    watcher.until(lambda: "NO BOT" not in watcher.shown())


def test_a_bot_that_starts_elsewhere_is_found(tmp_path: Path, bot: FakeBot, stack: ExitStack) -> None:
    watcher = opened(tmp_path / "data", stack)
    watcher.shows("NO BOT")
    demo = ControlServer(tmp_path / "data" / "demo" / "control.sock", bot, COMMANDS)
    demo.start()
    stack.callback(demo.stop)

    watcher._directory = tmp_path / "data" / "demo"

    watcher.shows("fed-cut-dec")


def test_halting_works_also_when_the_bot_is_gone(tmp_path: Path, stack: ExitStack) -> None:
    gate = Gate(tmp_path / "permit", HandClock())
    assert gate.grant_fresh("start")
    watcher = opened(tmp_path, stack)
    watcher.shows("NO BOT — start one: python3 run.py")

    watcher.type(F9)

    watcher.shows("all trading halted through the files")
    with gate.enter_opening(["m"]) as granted:
        assert not granted


def test_figures_that_are_old_are_said_to_be(watcher: Watcher, bot: FakeBot) -> None:
    watcher.shows("fed-cut-dec")

    watcher.watch._clock.pass_s(9)  # type: ignore[attr-defined]

    watcher.shows("its figures are 9 s old")


def test_a_resize_is_followed_at_once(watcher: Watcher) -> None:
    watcher.shows("orders ─")

    watcher.screen.size = Size(rows=12, columns=50)

    lines = watcher.shown().splitlines()
    assert len(lines) == 12
    assert {len(line) for line in lines} == {50}


@pytest.mark.parametrize("key", ["q", CTRL_C])
def test_leaving_it_leaves_the_bot_alone(watcher: Watcher, bot: FakeBot, key: str) -> None:
    watcher.shows("fed-cut-dec")

    watcher.type(key)
    watcher.thread.join(5)

    assert watcher.code == 0
    assert bot.left == []
