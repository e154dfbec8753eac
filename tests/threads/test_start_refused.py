"""Starts that are refused, through the real door: one sentence, its own exit code, no byte of the ledger touched."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.gate import Gate
from adapters.ledger.connection import open_ledger
from adapters.ledger.mark import mark_path
from models.clock import SECOND
from tests import canaries
from tests.adapters.ledger.ledger_rows import HandClock, a_config, a_run, an_intent
from tests.adapters.ledger.test_damage import AT, filled
from tests.children import RUN, wait_for


def start(home: Path, *arguments: str, room: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    command = [*RUN, "run", "--paper", "--no-console", *arguments]
    environment = {**os.environ, **canaries.in_environment()}
    done = subprocess.run(
        command, cwd=home, env=environment, capture_output=True, text=True, timeout=60, check=False, preexec_fn=room
    )
    canaries.look(done.stdout + done.stderr, "what a refused start prints")
    return done


@contextmanager
def running(home: Path, config: str | None = None, state: str = "data") -> Iterator[subprocess.Popen[bytes]]:
    if config is not None:
        (home / "config.yaml").write_text(config)
    with (home / "terminal.txt").open("w", encoding="utf-8") as terminal:
        command = [*RUN, "run", "--paper", "--no-console"]
        bot = subprocess.Popen(
            command, cwd=home, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal, start_new_session=True
        )
        try:
            wait_for("the socket", (home / state / "control.sock").exists, 30)
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


def every_file(home: Path) -> dict[str, str]:
    return {str(p.relative_to(home)): digest(p) for p in home.rglob("*") if p.is_file() and not p.is_symlink()}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_nothing_beside_a_refused_ledger_is_touched_either(tmp_path: Path) -> None:
    """A crash has left a -wal; then a bit of the ledger flips. Mark, reserve and -wal stay as they were."""
    path = tmp_path / "data" / "ledger.sqlite"
    path.parent.mkdir()
    ledger = filled(path)
    ledger.writer.commit((an_intent("a-1", client_order_id="c-9"),), (), AT)
    ledger.sync_mark()
    beside = [path, mark_path(path), *(path.with_name(path.name + end) for end in ("-wal", ".reserve", ".verified"))]
    image = {one: one.read_bytes() for one in beside}
    ledger.close()
    for one, content in image.items():
        one.write_bytes(content)
    wal = bytearray(image[beside[2]])
    wal[wal.rindex(b"e-000003")] ^= 1
    beside[2].write_bytes(wal)
    before = every_file(tmp_path)

    refused = start(tmp_path, "--for", "1s")

    after = every_file(tmp_path)
    assert refused.returncode == 78, refused.stderr
    assert refused.stderr.startswith("ledger: ")
    assert {name: after.get(name) for name in before} == before
    assert all(len(image[one]) for one in beside)


@pytest.mark.slow
def test_a_refused_ledger_without_a_wal_gets_none(tmp_path: Path) -> None:
    path = tmp_path / "data" / "ledger.sqlite"
    path.parent.mkdir()
    filled(path).close()
    flip_a_bit(path)

    start(tmp_path, "--for", "1s")

    assert {p.name for p in path.parent.glob("ledger.sqlite-*")} == set()


@pytest.mark.slow
def test_one_ledger_is_one_bot_wherever_its_state_lies(tmp_path: Path) -> None:
    config = "venue: simulated\nmarkets: [fed-cut-dec]\ndata:\n  directory: {state}\n  sqlite_path: {ledger}\n"
    (tmp_path / "link").symlink_to("shared")
    with running(tmp_path, config.format(state="one", ledger="shared/l.sqlite"), state="one") as first:
        (tmp_path / "config.yaml").write_text(config.format(state="two", ledger="link/l.sqlite"))
        second = start(tmp_path, "--for", "1s")

        assert (second.returncode, second.stderr) == (75, f"another bot runs on link/l.sqlite (process {first.pid})\n")


@pytest.mark.slow
def test_a_data_directory_behind_a_link_is_the_same_directory(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "data").symlink_to("real")
    with running(tmp_path):
        (tmp_path / "config.yaml").write_text("venue: simulated\nmarkets: [fed-cut-dec]\ndata: {directory: real}\n")

        assert start(tmp_path, "--for", "1s").returncode == 75


@pytest.mark.slow
def test_a_lock_that_a_dead_process_left_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "lock").write_text(json.dumps({"pid": 1, "since_wall_ns": 5}))

    assert start(tmp_path, "--for", "1s").returncode == 0


def as_a_link(place: Path) -> None:
    place.with_name("precious").write_text("keep")
    place.symlink_to("precious")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "put", "said"),
    [
        ("lock", Path.mkdir, "data/lock: Is a directory"),
        ("lock", as_a_link, "data/lock: Too many levels of symbolic links"),
        ("log.jsonl", Path.mkdir, "data/log.jsonl: Is a directory"),
        ("ledger.sqlite", Path.mkdir, "ledger: data/ledger.sqlite is not a ledger (not a plain file)"),
    ],
)
def test_what_stands_in_the_way_is_named_and_left_alone(
    name: str, put: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    put(tmp_path / "data" / name)

    refused = start(tmp_path, "--for", "1s")

    assert refused.returncode == 78
    assert refused.stderr.startswith(said)
    assert refused.stderr.count("\n") == 1
    if put is as_a_link:
        assert (tmp_path / "data" / "precious").read_text() == "keep"


def nothing_fits() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def little_fits() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("room", "fresh"), [(little_fits, True), (nothing_fits, False), (little_fits, False)], ids=["new", "none", "little"]
)
def test_a_full_disk_is_said_in_a_sentence_and_nothing_is_lost(
    room: Callable[[], None], fresh: bool, tmp_path: Path
) -> None:
    path = tmp_path / "data" / "ledger.sqlite"
    path.parent.mkdir(mode=0o700)
    if not fresh:
        filled(path).close()

    done = start(tmp_path, "--for", "1s", room=room)

    assert done.returncode in (1, 78)
    assert "Traceback" not in done.stdout + done.stderr
    assert re.fullmatch(r"ledger: data/ledger.sqlite cannot be (opened for writing|written): .+\n", done.stderr)
    assert "no transaction" not in done.stderr
    again = start(tmp_path, "--for", "1s")
    assert (again.returncode, again.stderr) == (0, ""), "with room again it starts, and no row is missing"


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [Path.mkdir, lambda permit: permit.write_bytes(b"\xff\xfe{")])
def test_a_permit_that_cannot_be_read_is_a_halt(spoil: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    spoil(tmp_path / "data" / "permit")

    done = start(tmp_path, "--for", "1s", "--exit-on-halt")

    assert done.returncode == 4
    assert "the permit file cannot be read; `resume` writes a new one" in done.stdout


@pytest.mark.slow
def test_a_clock_that_has_gone_back_since_the_last_run_halts_and_loses_nothing(tmp_path: Path) -> None:
    """Permit and rows are of an hour from now: nobody can say what the permit's 24 hours mean, so it is none."""
    path = tmp_path / "data" / "ledger.sqlite"
    path.parent.mkdir(mode=0o700)
    ahead = HandClock()
    ahead.now = time.time_ns() + 3600 * SECOND
    gate = Gate(path.with_name("permit"), ahead, scope="paper:simulated")
    assert gate.grant_fresh("an hour from now")
    ledger = open_ledger(path, ahead)
    config = replace(a_config(), at=ahead.wall_ns())
    ledger.writer.take(config, ahead.wall_ns())
    ledger.writer.take(replace(a_run(config), at=ahead.wall_ns()), ahead.wall_ns())
    ledger.close()

    done = start(tmp_path, "--for", "1s", "--exit-on-halt")
    report = subprocess.run([*RUN, "report"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 4, done.stderr
    assert "the permit's times make no sense with this clock" in done.stdout
    assert (report.returncode, report.stderr) == (0, "")
