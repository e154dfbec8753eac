"""What goes wrong at the door, and how the bot leaves: one sentence, the right exit code, no traceback."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from actors.main import VERSION
from adapters.operator.commands import COMMANDS
from tests.acceptance.stage import RUN, a_bot, a_venue, configure, environment, rows, until, verb

TEN_MISTAKES = """\
mode: papr
venue: simulated
markets: [fed-cut-dec, fed-cut-dec]
strategy:
  min_edge: 2
  min_dept: 10
execution:
  order_size: ten
  leg_policy: fastest
risk:
  max_daily_notional: -5
  halt_on_partial_fill: perhaps
runtime:
  reconnect: {max_backoff_seconds: 9999}
data:
  log_level: loud
"""


def clean(done: subprocess.CompletedProcess[str]) -> bool:
    return "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("words", [("help",), ("help", "halt"), ("help", "report"), ("help", "demo"), ("version",)])
def test_help_and_version_need_no_bot(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = verb(tmp_path, *words)

    assert done.returncode == 0
    assert clean(done)
    assert (f"dutchbook {VERSION}" if words == ("version",) else words[-1]) in done.stdout


def test_help_names_every_verb_and_an_unknown_one_is_corrected(tmp_path: Path) -> None:
    told = verb(tmp_path, "help").stdout
    wrong = verb(tmp_path, "help", "reprot")

    for name in ("run", "demo", "report", "why", "simulate", "halt [M]", "resume [M]", "book M", "quit"):
        assert f"  {name}" in told
    assert (wrong.returncode, clean(wrong)) == (2, True)
    assert "Did you mean report?" in wrong.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--port", "99999999"),
        ("--port", "-1"),
        ("--rate", "0"),
        ("--accounts", "0"),
        ("--cash", "-5"),
        ("--tape", "nosuch.gz"),
        ("--dialect", "polymarket", "--tape", "nosuch.gz"),
    ],
)
def test_an_impossible_simulated_exchange_is_refused_in_words(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = verb(tmp_path, "simulate", *words)

    assert done.returncode in (2, 78)
    assert clean(done)
    assert words[0].lstrip("-") in done.stderr or words[-1] in done.stderr


@pytest.mark.parametrize("words", [("report",), ("help",), ("why", "--all"), ("status",)])
def test_what_cannot_be_printed_ends_in_one_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123  a device that is always full
        done = subprocess.run(
            [*RUN, *words],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode in (1, 69)
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_paper_wins_over_live(tmp_path: Path) -> None:
    done = verb(tmp_path, "run", "--live", "--paper", "--no-console", "--for", "2s")

    assert done.returncode == 0, done.stderr
    assert "PAPER" in done.stdout
    assert "LIVE ·" not in done.stdout


def test_ten_mistakes_are_ten_lines_with_place_and_hint(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(TEN_MISTAKES)

    done = verb(tmp_path, "run", "--no-console", "--for", "5s")

    assert done.returncode == 78
    assert clean(done)
    lines = done.stderr.splitlines()
    assert len(lines) == 10
    for line in lines:
        assert re.match(r"config\.yaml:\d+:\d+: [a-z_.\[\]0-9]+: .+", line), line
    assert "hint: did you mean 'paper'?" in lines[0]
    assert not (tmp_path / "data").exists(), "nothing was begun"


def test_ids_that_yaml_would_read_as_something_else_stay_text(tmp_path: Path) -> None:
    with a_venue() as venue:
        for name in ("0x00ab", "no", "0123"):
            configure(tmp_path, venue, markets=[name])
            done = verb(tmp_path, "run", "--no-console", "--for", "1s")
            assert done.returncode == 78
            assert f"market {name} " in done.stderr


def test_a_market_that_the_venue_does_not_know_is_named(tmp_path: Path) -> None:
    with a_venue() as venue:
        configure(tmp_path, venue, markets=["fed-cut-dec", "fed-cut-dez"])

        done = verb(tmp_path, "run", "--no-console", "--for", "1s")

    assert (done.returncode, clean(done)) == (78, True)
    assert "market fed-cut-dez is not listed" in done.stderr


def test_a_venue_that_is_not_there_is_69(tmp_path: Path) -> None:
    with a_venue() as venue:
        configure(tmp_path, venue, markets=["fed-cut-dec"])
        venue.kill()

        done = verb(tmp_path, "run", "--no-console", "--for", "1s")

    assert (done.returncode, clean(done)) == (69, True)
    assert done.stderr.startswith("a venue cannot be reached: simulated: ")


def test_a_second_instance_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with a_bot(tmp_path) as bot:
        bot.until_ready()

        second = verb(tmp_path, "run", "--no-console", "--for", "1s")

        assert second.returncode == 75
        assert f"another bot runs on data (process {bot.process.pid})" in second.stderr
        assert all(bot.ready())
        assert bot.end()[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["statsu"], 2, "no verb 'statsu'. Did you mean status?"),
        (["run", "--frob"], 2, "unrecognized arguments: --frob"),
        (["run", "--for", "soon"], 2, "is not a duration"),
        (["run", "--config", "nowhere.yaml"], 78, "nowhere.yaml: cannot be read: No such file"),
        (["halt", "everything", "please"], 2, ""),
        (["status"], 69, "/data. Start one:  python3 run.py"),
        (["resume", "--yes"], 69, "/data. Start one:  python3 run.py"),
        (["report"], 0, "no ledger yet"),
        (["why", "o-1"], 0, "there is no ledger yet"),
        (["why"], 2, "name one ID, or --all"),
        (["replay", "nowhere.tape"], 2, ""),
    ],
)
def test_words_that_lead_nowhere_are_answered_in_a_sentence(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    done = verb(tmp_path, *words)

    assert (done.returncode, clean(done)) == (code, True), done.stderr
    assert said in done.stdout + done.stderr
    assert done.stdout + done.stderr != ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_bot_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with a_bot(tmp_path) as bot:
        bot.until_ready()
        began = time.monotonic()
        bot.process.send_signal(number)
        code, out = bot.finished(30)

    assert code == 0, out
    assert time.monotonic() - began < 10
    assert "Traceback" not in out
    [stop] = rows(bot.ledger, "SELECT why, left_open FROM run_stops")
    assert (stop["why"], stop["left_open"]) == (number.name, 0)


@pytest.mark.parametrize("closed", ["0<&-", "0<&- 2>&-"])
def test_closed_standard_streams_are_no_reason_to_end(tmp_path: Path, closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *RUN, "run", "--for", "1500ms"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "connected" in done.stdout


def test_a_reader_that_goes_away_ends_the_printing_not_the_bot(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*RUN, "run", "--no-console", "--for", "4s"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()

    error = process.stderr.read()
    code = process.wait(40)
    process.stderr.close()

    assert (code, error) == (0, "")
    assert rows(tmp_path / "data" / "ledger.sqlite", "SELECT why FROM run_stops") == [{"why": "4 s are over"}]


def test_commands_on_standard_input_are_answered_without_a_terminal(tmp_path: Path) -> None:
    commands = "status\nhalt -- from a script\nfrobnicate\nquit\n"
    done = subprocess.run(
        [*RUN, "run"],
        cwd=tmp_path,
        env=environment(tmp_path),
        input=commands,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, clean(done)) == (0, True)
    assert "halted (by operator (standard input): from a script)" in done.stdout
    assert "frobnicate" in done.stdout


def test_a_terminal_that_is_closed_ends_the_bot_in_order(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execve(RUN[0], [*RUN, "run"], environment(tmp_path))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    shown = read_until(terminal, b"book ready")
    os.close(terminal)
    ended: list[int] = []

    def look() -> bool:
        done, status = os.waitpid(pid, os.WNOHANG)
        ended.extend([os.waitstatus_to_exitcode(status)] if done else [])
        return bool(ended)

    until("the end", look, 30)

    assert b"PAPER" in shown
    assert ended == [0]
    [stop] = rows(tmp_path / "data" / "ledger.sqlite", "SELECT why, left_open FROM run_stops")
    assert stop["left_open"] == 0


@pytest.mark.parametrize("words", [["test", "--help"], ["setup", "-h"], ["help", "setup"], ["help", "test"]])
def test_asking_for_help_about_the_door_does_nothing_else(tmp_path: Path, words: list[str]) -> None:
    done = verb(tmp_path, *words)

    assert (done.returncode, done.stderr) == (0, "")
    assert words[-1].removeprefix("-") in ("h", "help") or words[-1] in done.stdout
    assert len(done.stdout.splitlines()) < 15


def test_what_stands_after_the_reason_is_not_offered() -> None:
    """`halt -- odd news --json` halts for the reason "odd news --json"."""
    halt = COMMANDS.find("halt")
    assert halt is not None
    assert halt.usage("[--json]") == "halt [M] [--json] [-- REASON]"


def test_a_locale_of_few_letters_costs_letters_and_nothing_else(tmp_path: Path) -> None:
    told = environment(tmp_path) | {"PYTHONIOENCODING": "ascii"}

    ran = subprocess.run(
        [*RUN, "--no-console", "--for", "3s"], cwd=tmp_path, env=told, capture_output=True, text=True, check=False
    )
    report = subprocess.run([*RUN, "report"], cwd=tmp_path, env=told, capture_output=True, text=True, check=False)

    assert (ran.returncode, report.returncode, report.stderr) == (0, 0, "")
    assert "dutchbook" in ran.stdout
    assert "book ready" in ran.stdout
    assert "PoC gate" in report.stdout


HUNG_UP = """
import os, pty, sys
there, terminal = pty.openpty()
os.close(there)
os.dup2(terminal, 1)
os.dup2(terminal, 2)
sys.stdout = open(1, "w", buffering=4096, closefd=False)
sys.stdout.write("what the console was drawing")
from actors.main import main
raise SystemExit(main(["help", "help"]))
"""


def test_what_a_closed_terminal_no_longer_takes_changes_no_exit_code(tmp_path: Path) -> None:
    """Without luck: in the test above the console has something left to draw in some runs only."""
    here = Path(RUN[1]).parent

    done = subprocess.run([RUN[0], "-c", HUNG_UP], cwd=here, env=environment(tmp_path), check=False)

    assert done.returncode == 0


def read_until(terminal: int, word: bytes) -> bytes:
    """What the program shows until `word`; answers its question about the cursor, as a terminal does."""
    shown = b""
    ends = time.monotonic() + 30
    while word not in shown:
        assert time.monotonic() < ends, shown[-500:]
        if select.select([terminal], [], [], 0.1)[0]:
            part = os.read(terminal, 65_536)
            shown += part
            if b"\x1b[6n" in part:
                os.write(terminal, b"\x1b[1;1R")
    return shown


def test_a_port_in_use_and_a_bot_that_is_gone_leave_nothing_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = verb(tmp_path, "simulate", "--port", str(taken.getsockname()[1]))
    assert (done.returncode, clean(done)) == (69, True)

    with a_bot(tmp_path) as bot:
        bot.until_ready()
        children = children_of(bot.process.pid)
        bot.kill()
    assert len(children) == 1
    until("the embedded venue gone", lambda: not Path(f"/proc/{children[0]}").exists() or is_zombie(children[0]))


def children_of(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(word) for word in (task / "children").read_text().split()]
    return found


def is_zombie(pid: int) -> bool:
    try:
        return " Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
