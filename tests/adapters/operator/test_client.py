from __future__ import annotations

import io
import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from adapters.gate import Gate
from adapters.instance import InstanceLock
from adapters.operator import client
from adapters.operator.client import Shell, client_main, run_verb
from adapters.operator.commands import COMMANDS
from adapters.operator.control import ControlServer
from adapters.operator.face import Leaving
from adapters.operator.places import state_directory
from tests.adapters.operator.fake_bot import FakeBot, HandClock


class Typed:
    """A shell whose streams and typed answers the test holds."""

    def __init__(self, directory: Path, answers: Sequence[str] | None = None) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.asked: list[str] = []
        self._answers = list(answers) if answers is not None else None
        self.shell = Shell(
            directory=directory,
            clock=HandClock(),
            out=self.out,
            err=self.err,
            type_in=self._type if answers is not None else None,
        )

    def _type(self, prompt: str) -> str:
        self.asked.append(prompt)
        assert self._answers is not None
        return self._answers.pop(0)

    def run(self, *words: str) -> int:
        return run_verb(words, self.shell)


@pytest.fixture
def bot() -> FakeBot:
    return FakeBot()


@pytest.fixture
def directory(tmp_path: Path, bot: FakeBot) -> Iterator[Path]:
    """A state directory with a running bot."""
    server = ControlServer(tmp_path / "control.sock", bot, COMMANDS)
    with InstanceLock(tmp_path / "lock", HandClock().wall_ns(), 4711):
        server.start()
        yield tmp_path
        server.stop()


def test_a_verb_prints_what_the_bot_says_and_ends_with_its_code(directory: Path, bot: FakeBot) -> None:
    typed = Typed(directory)

    assert typed.run("status") == 0
    assert "fed-cut-dec ts-0009" in typed.out.getvalue()
    assert typed.run("halt", "--", "enough", "for", "today") == 0
    assert bot.halts == [(None, "enough for today", "operator (shell)")]
    assert typed.run("status") == 4


def test_json_is_one_object_on_standard_output(directory: Path) -> None:
    typed = Typed(directory)

    assert typed.run("markets", "snow", "--json") == 0

    (line,) = typed.out.getvalue().splitlines()
    assert [row["market_id"] for row in json.loads(line)["markets"]] == ["nyc-snow"]
    assert typed.err.getvalue() == ""


def test_json_after_the_separator_belongs_to_the_reason(directory: Path, bot: FakeBot) -> None:
    Typed(directory).run("halt", "--", "ask", "for", "--json")

    assert bot.halts == [(None, "ask for --json", "operator (shell)")]


def test_an_error_with_json_is_one_object_too(directory: Path) -> None:
    typed = Typed(directory)

    assert typed.run("halt", "nyc", "--json") == 2
    assert json.loads(typed.out.getvalue()) == {
        "schema_version": 1,
        "error": "no market 'nyc'. Did you mean nyc-snow?",
    }


def test_resume_at_a_terminal_asks_for_the_word(directory: Path, bot: FakeBot) -> None:
    Typed(directory).run("halt")

    no = Typed(directory, ["resume"])
    assert no.run("resume") == 4
    assert bot.resumes == []
    assert "Not resumed." in no.out.getvalue()

    yes = Typed(directory, ["RESUME"])
    assert yes.run("resume", "--", "looked", "at", "it") == 0
    assert bot.resumes == [(None, "looked at it", "operator (shell)")]
    assert yes.asked == ["type RESUME to resume all trading: "]


def test_resume_without_a_person_needs_yes(directory: Path, bot: FakeBot) -> None:
    script = Typed(directory)
    script.run("halt")

    assert script.run("resume") == 2
    assert "add --yes" in script.err.getvalue()
    assert bot.resumes == []
    assert script.run("resume", "--yes") == 0
    assert len(bot.resumes) == 1


def test_a_refused_resume_ends_with_four_and_its_list(directory: Path, bot: FakeBot) -> None:
    bot.refusals = ("5 YES of nyc-snow are naked",)
    script = Typed(directory)
    script.run("halt")

    assert script.run("resume", "--yes") == 4
    assert "5 YES of nyc-snow are naked" in script.out.getvalue()


def test_a_reason_of_bytes_that_are_no_letters_halts_all_the_same(directory: Path, bot: FakeBot) -> None:
    assert Typed(directory).run("halt", "--", "f\udcfcr alle") == 0

    assert [reason for _, reason, _ in bot.halts] == ["f\ufffdr alle"]


def test_a_halt_with_a_reason_without_end_halts_all_the_same(directory: Path, bot: FakeBot) -> None:
    assert Typed(directory).run("halt", "--", "x" * 200_000) == 0
    assert len(bot.halts) == 1


def test_quit_from_a_shell_stops_the_bot(directory: Path, bot: FakeBot) -> None:
    assert Typed(directory).run("quit") == 0
    assert bot.left == [Leaving.PROTECT]


def test_where_no_bot_runs_a_verb_says_so_and_ends_with_sixty_nine(tmp_path: Path) -> None:
    typed = Typed(tmp_path)

    assert typed.run("markets") == 69
    assert "no bot runs on" in typed.err.getvalue()
    assert typed.run("resume", "--yes") == 69
    assert "comes up halted" not in typed.err.getvalue(), "nothing says so"
    assert typed.run("halt") == 0
    assert typed.run("resume", "--yes") == 69
    assert "Start one:  python3 run.py  comes up halted; then resume." in typed.err.getvalue()


def test_halt_without_a_bot_is_remembered_by_the_next_one(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "permit", HandClock())
    assert gate.grant_fresh("start")
    typed = Typed(tmp_path)

    assert typed.run("halt", "--", "going", "away") == 0

    assert f"through the files of {tmp_path}, where no bot is running" in typed.out.getvalue()
    assert "One that runs elsewhere is NOT halted" in typed.out.getvalue()
    with gate.enter_opening(["m"]) as granted:
        assert not granted
    again = Gate(tmp_path / "permit", HandClock()).tripped
    assert again is not None
    assert again.reason == "going away"
    assert typed.run("status") == 4
    assert "HALTED" in typed.out.getvalue()


def test_one_market_is_halted_without_a_bot_too(tmp_path: Path) -> None:
    typed = Typed(tmp_path)

    assert typed.run("halt", "nyc-snow", "--", "odd") == 0

    assert set(Gate(tmp_path / "permit", HandClock()).market_halts) == {"nyc-snow"}


def test_halt_of_a_hung_bot_goes_through_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "HALT_ANSWER_S", 0.1)
    gate = Gate(tmp_path / "permit", HandClock())
    assert gate.grant_fresh("start")
    with (
        socket.socket(socket.AF_UNIX) as deaf,
        InstanceLock(tmp_path / "lock", HandClock().wall_ns(), 4711),
    ):
        deaf.bind(os.fspath(tmp_path / "control.sock"))
        deaf.listen()
        typed = Typed(tmp_path)

        assert typed.run("halt") == 0

    assert "because the bot (process 4711): no answer in 0.1 s" in typed.out.getvalue()
    with gate.enter_opening(["m"]) as granted:
        assert not granted


def test_a_hung_bot_has_lost_its_permit_before_the_patience_is_over(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "permit", HandClock())
    assert gate.grant_fresh("start")
    with socket.socket(socket.AF_UNIX) as slow:
        slow.bind(os.fspath(tmp_path / "control.sock"))
        slow.listen()
        thread = threading.Thread(target=Typed(tmp_path).run, args=("halt",))
        thread.start()
        peer, _ = slow.accept()
        with peer:
            deadline = time.monotonic() + 0.9  # HALT_ANSWER_S is 1 s
            while (tmp_path / "permit").exists():
                assert time.monotonic() < deadline
                time.sleep(0.005)
        thread.join()


def test_a_misspelt_market_takes_no_permit_away(directory: Path) -> None:
    gate = Gate(directory / "permit", HandClock())
    assert gate.grant_fresh("start")

    assert Typed(directory).run("halt", "nyc") == 2
    assert Typed(directory).run("halt", "--now") == 2

    with gate.enter_opening(["m"]) as granted:
        assert granted


def test_halt_survives_an_answer_that_is_nonsense(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "permit", HandClock())
    assert gate.grant_fresh("start")
    with socket.socket(socket.AF_UNIX) as strange:
        strange.bind(os.fspath(tmp_path / "control.sock"))
        strange.listen()

        def serve() -> None:
            peer, _ = strange.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(b"what?\n")

        thread = threading.Thread(target=serve)
        thread.start()
        assert Typed(tmp_path).run("halt") == 0
        thread.join()

    with gate.enter_opening(["m"]) as granted:
        assert not granted


def test_status_of_a_bot_that_never_was_ends_with_sixty_nine_and_says_so_in_json(tmp_path: Path) -> None:
    typed = Typed(tmp_path)

    assert typed.run("status", "--json") == 69
    document = json.loads(typed.out.getvalue())
    assert document["running"] is False
    assert document["trading"]["on"] is False


def test_a_halt_that_cannot_be_written_is_shouted_and_no_success(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    typed = Typed(tmp_path / "file")

    assert typed.run("halt") == 1
    assert "COULD NOT HALT" in typed.err.getvalue()


def test_an_unknown_verb_names_the_nearest(tmp_path: Path) -> None:
    typed = Typed(tmp_path)

    assert typed.run("statsu") == 2
    assert "Did you mean status?" in typed.err.getvalue()


def test_the_directory_comes_from_the_configuration_even_if_it_is_wrong_elsewhere(tmp_path: Path) -> None:
    broken, plain = tmp_path / "broken.yaml", tmp_path / "plain.yaml"
    broken.write_text("data: {directory: [")
    plain.write_text("venue: simulated\ndata:\n  directory: /var/bot\nstrategy:\n  min_edge: lots\n")

    assert state_directory(plain) == (Path("/var/bot"), "")
    assert state_directory(broken)[1] == f"{broken} cannot be read as YAML, using data/"
    assert state_directory(tmp_path / "missing.yaml")[1].endswith("is missing, using data/")


def test_the_command_line_finds_the_running_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bot: FakeBot
) -> None:
    monkeypatch.chdir(tmp_path)
    demo = tmp_path / "data" / "demo"
    server = ControlServer(demo / "control.sock", bot, COMMANDS)
    with InstanceLock(demo / "lock", HandClock().wall_ns(), 4711):
        server.start()
        try:
            assert client_main(["status"]) == 0
            assert client_main(["halt", "--demo", "--", "x"]) == 0
        finally:
            server.stop()

    assert "fed-cut-dec" in capsys.readouterr().out
    assert len(bot.halts) == 1


def test_help_of_a_verb_is_printed_without_a_bot(capsys: pytest.CaptureFixture[str]) -> None:
    assert client_main(["halt", "--help"]) == 0
    assert "usage: run.py halt [M] [--json] [--config F] [--demo] [-- REASON]" in capsys.readouterr().out
