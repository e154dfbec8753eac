from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from adapters.operator.commands import COMMANDS
from adapters.operator.plain import PlainConsole
from adapters.operator.signals import StopRequest
from models.status import EventKind
from tests.adapters.operator.fake_bot import FakeBot


class Piped:
    """A plain console on a pipe, in a thread."""

    def __init__(self, bot: FakeBot) -> None:
        self.bot = bot
        self.out = io.StringIO()
        self.stop = StopRequest()
        self.source, self.sink = os.pipe()
        self.console = PlainConsole(bot, self.stop, COMMANDS, self.out, self.source)
        self.thread = threading.Thread(target=self.console.run)

    def type(self, text: str) -> None:
        os.write(self.sink, text.encode())

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, self.out.getvalue()
            time.sleep(0.005)

    def shows(self, text: str) -> bool:
        return text in self.out.getvalue()


@pytest.fixture
def piped() -> Iterator[Piped]:
    piped = Piped(FakeBot())
    piped.thread.start()
    yield piped
    piped.stop.request("test")
    piped.thread.join(5)
    for fd in (piped.source, piped.sink):
        try:
            os.close(fd)
        except OSError:
            pass


def test_a_bot_without_input_says_where_commands_are_given() -> None:
    out, stop = io.StringIO(), StopRequest()
    stop.request("the test is over")

    PlainConsole(FakeBot(), stop, COMMANDS, out, None).run()

    assert "Commands from another shell:  python3 run.py help. Trading: ON" in out.getvalue()
    assert "Tab completes" not in out.getvalue()


def test_lines_of_standard_input_are_commands_and_the_answers_are_plain(piped: Piped) -> None:
    piped.type("status\nhalt -- odd\n")

    piped.until(lambda: len(piped.bot.halts) == 1)
    piped.until(lambda: piped.shows("all trading halted"))

    assert piped.shows("mode        PAPER")
    assert "\x1b" not in piped.out.getvalue()


def test_the_end_of_the_input_does_not_end_the_bot(piped: Piped) -> None:
    piped.type("halt")
    os.close(piped.sink)

    piped.until(lambda: len(piped.bot.halts) == 1)  # the last line needs no end
    piped.bot.board.post(EventKind.INFO, "", "still here")
    piped.until(lambda: piped.shows("still here"))
    assert piped.thread.is_alive()


def test_quit_ends_it(piped: Piped) -> None:
    piped.type("quit\nhalt\n")

    piped.thread.join(5)

    assert not piped.thread.is_alive()
    assert len(piped.bot.left) == 1
    assert piped.bot.halts == []


def test_the_line_after_a_question_is_its_answer(piped: Piped) -> None:
    piped.type("halt\nresume\nno\nresume\nRESUME\n")

    piped.until(lambda: len(piped.bot.resumes) == 1)
    assert piped.shows("Not resumed.")


def test_a_stop_request_ends_it_at_once(piped: Piped) -> None:
    piped.until(lambda: piped.shows("dutchbook"))

    piped.stop.request("SIGTERM")
    piped.thread.join(5)

    assert not piped.thread.is_alive()


def test_an_endless_line_costs_no_memory_and_no_command(piped: Piped) -> None:
    os.set_blocking(piped.sink, True)
    for _ in range(40):
        piped.type("x" * 4_096)
    piped.type("\nhalt\n")

    piped.until(lambda: len(piped.bot.halts) == 1)


def test_a_reader_that_has_gone_away_ends_the_printing_not_the_bot() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    bot, stop = FakeBot(), StopRequest()
    source, sink = os.pipe()
    console = PlainConsole(bot, stop, COMMANDS, Gone(), source)
    thread = threading.Thread(target=console.run)
    thread.start()
    os.write(sink, b"status\nhalt\nquit\n")
    thread.join(5)
    os.close(source)
    os.close(sink)

    assert not thread.is_alive()
    assert len(bot.halts) == 1


def test_without_input_it_prints_the_news_and_waits() -> None:
    bot, stop, out = FakeBot(), StopRequest(), io.StringIO()
    bot.board.post(EventKind.WARN, "btc", "ws gap seq 1881→1884, resync")
    console = PlainConsole(bot, stop, COMMANDS, out)
    thread = threading.Thread(target=console.run)
    thread.start()
    deadline = time.monotonic() + 5
    while "resync" not in out.getvalue():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    stop.request("test")
    thread.join(5)

    assert not thread.is_alive()
