"""Starts that are refused, through the real door: one sentence, its own exit code, no byte of the ledger touched."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.ledger.connection import open_ledger
from adapters.ledger.mark import mark_path
from tests.adapters.ledger.ledger_rows import HandClock, an_intent
from tests.adapters.ledger.test_damage import AT, filled
from tests.children import RUN, wait_for


def start(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*RUN, "run", "--paper", "--no-console", *arguments]
    return subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def running(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (home / "terminal.txt").open("w", encoding="utf-8") as terminal:
        command = [*RUN, "run", "--paper", "--no-console"]
        bot = subprocess.Popen(
            command, cwd=home, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal, start_new_session=True
        )
        try:
            wait_for("the socket", (home / "data" / "control.sock").exists, 30)
            yield bot
        finally:
            bot.terminate()
            bot.wait(30)


@pytest.mark.slow
def test_a_second_bot_on_the_same_state_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        second = start(tmp_path, "--for", "1s")

        assert second.returncode == 75
        assert second.stderr == f"another bot runs on data (process {first.pid})\n"
        assert "Traceback" not in second.stdout
        status = subprocess.run(
            [*RUN, "status", "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False
        )
    assert json.loads(status.stdout)["mode"] == "paper"
    assert first.returncode == 0


def flip_a_bit(path: Path) -> None:
    """In the id of one episode, which no index holds first."""
    content = bytearray(path.read_bytes())
    content[content.rindex(b"e-000003")] ^= 1
    path.write_bytes(content)


def lose_the_wal(path: Path) -> None:
    """As a kill leaves it, but for the file that holds the newest rows."""
    ledger = open_ledger(path, HandClock())
    ledger.writer.commit((an_intent("a-1", client_order_id="c-9"),), (), AT)
    ledger.sync_mark()
    kept = {one: one.read_bytes() for one in (path, mark_path(path))}
    ledger.close()
    for one, content in kept.items():
        one.write_bytes(content)


def make_it_newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def make_it_something_else(path: Path) -> None:
    path.write_text("my notes\n", encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (flip_a_bit, "does not fit the hash chain"),
        (lose_the_wal, "rows were on disk before. Its -wal file is missing"),
        (make_it_newer, "has schema version 99, this Dutchbook knows"),
        (make_it_something_else, "is not a ledger"),
    ],
)
def test_a_ledger_that_cannot_be_proved_is_refused_and_left_as_it_was(
    harm: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "data" / "ledger.sqlite"
    path.parent.mkdir()
    filled(path).close()
    harm(path)
    before = {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in path.parent.glob("ledger.sqlite*")}

    refused = start(tmp_path, "--for", "1s")

    after = {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in before}
    assert refused.returncode == 78, refused.stderr
    assert refused.stderr.startswith("ledger: ")
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr
    assert after == before
