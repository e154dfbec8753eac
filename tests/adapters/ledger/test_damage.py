"""Every way to hurt a ledger is seen at the next start, said clearly, and leaves the file's bytes as they were."""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.ledger.chain import GENESIS, Head
from adapters.ledger.connection import Ledger, open_ledger, open_reader
from adapters.ledger.errors import (
    ChainBrokenError,
    LedgerError,
    LedgerUnreadableError,
    MarkMissingError,
    NotALedgerError,
    RowsLostError,
    SchemaTooNewError,
)
from adapters.ledger.mark import SLOT_BYTES, Mark, mark_path, read_mark, write_new_mark
from models.clock import WallNs
from tests.adapters.ledger.ledger_rows import (
    T0,
    HandClock,
    a_config,
    a_run,
    a_skip,
    ledger_path,
    write_success,
)

AT = WallNs(T0)
ROWS = 51
"""Of the ledger that `filled` makes; the skips are the last forty."""


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A closed ledger with a success and forty skips."""
    path = ledger_path(tmp_path)
    ledger = filled(path)
    ledger.close()
    return path


def filled(path: Path, skips: int = 40) -> Ledger:
    ledger = open_ledger(path, HandClock())
    config = a_config()
    ledger.writer.take(config, AT)
    ledger.writer.take(a_run(config), AT)
    write_success(ledger.writer)
    for number in range(2, 2 + skips):
        ledger.writer.take(a_skip(number), AT)
    ledger.writer.flush(AT)
    ledger.sync_mark()
    return ledger


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refused(path: Path) -> LedgerError:
    before = digest(path)
    with pytest.raises(LedgerError) as caught:
        open_ledger(path, HandClock())
    assert digest(path) == before
    return caught.value


def edit(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def test_an_unharmed_ledger_opens_again_and_goes_on_where_it_was(closed: Path) -> None:
    again = open_ledger(closed, HandClock())
    head = again.writer.head.seq
    again.writer.take(a_config(), AT)
    again.writer.take(a_skip(90), AT)
    again.close()

    assert head == ROWS
    assert open_reader(closed).execute("SELECT max(seq) FROM opportunities").fetchone() == (ROWS + 1,)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE opportunities SET net_edge = net_edge + 1 WHERE seq = 20",
        "UPDATE opportunities SET reason = NULL, decision = 'traded', attempt_id = 'x' WHERE seq = 20",
        "UPDATE opportunity_legs SET yes_ask = yes_ask + 1 WHERE opportunity = 20 AND leg = 0",
        "UPDATE opportunity_legs SET confirmed = 0 WHERE opportunity = 20 AND leg = 1",
        "DELETE FROM opportunity_legs WHERE opportunity = 20 AND leg = 1",
        "INSERT INTO attempt_legs VALUES (1, 0, 'fed', 'YES')",
        "INSERT INTO set_minute_costs VALUES (50, 97, 4)",
        "UPDATE fill_reports SET fee = 0 WHERE seq = (SELECT min(seq) FROM fill_reports)",
        "UPDATE order_intents SET limit_price = 1 WHERE leg = 0",
        "UPDATE attempt_costs SET cost = 1 WHERE leg = 0",
        "UPDATE attempts SET mode = 'paper'",
        "UPDATE configs SET terms = terms || ' '",
        "UPDATE opportunities SET hash = zeroblob(32) WHERE seq = 20",
        "UPDATE opportunities SET seq = 500 WHERE seq = 51",
    ],
)
def test_any_edited_row_breaks_the_chain(closed: Path, statement: str) -> None:
    edit(closed, "PRAGMA foreign_keys = OFF", statement)

    error = refused(closed)

    assert isinstance(error, ChainBrokenError | RowsLostError)
    assert str(closed) in str(error)


def test_a_removed_row_in_the_middle_is_a_hole(closed: Path) -> None:
    edit(closed, "DELETE FROM opportunity_legs WHERE opportunity = 30", "DELETE FROM opportunities WHERE seq = 30")

    error = refused(closed)

    assert isinstance(error, ChainBrokenError)
    assert error.seq == 30
    assert "missing" in str(error)


def test_rows_removed_at_the_end_are_missed_by_the_mark(closed: Path) -> None:
    edit(closed, "DELETE FROM opportunity_legs WHERE opportunity > 45", "DELETE FROM opportunities WHERE seq > 45")

    error = refused(closed)

    assert isinstance(error, RowsLostError)
    assert "ends at row 45, but 51 rows" in str(error)


def test_a_chain_rewritten_from_its_start_is_not_the_one_that_was_marked(closed: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "ledger.sqlite"
    filled(other, skips=41).close()
    shutil.copy(other, closed)
    mark = read_mark(mark_path(closed))
    assert mark is not None
    write_new_mark(mark_path(closed), Head(mark.seq, bytes(32)))

    assert isinstance(refused(closed), ChainBrokenError)


def test_a_missing_wal_is_seen_although_sqlite_calls_the_rest_healthy(tmp_path: Path) -> None:
    path = ledger_path(tmp_path)
    killed = filled(path)
    half = path.with_name("half.sqlite")
    shutil.copy(path, half)  # as kill -9 and a lost -wal would leave it
    shutil.copy(mark_path(path), mark_path(half))
    killed.close()

    assert sqlite3.connect(half).execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert isinstance(refused(half), RowsLostError | NotALedgerError)


def test_a_reader_in_the_bot_does_not_let_another_program_take_the_wal_away(tmp_path: Path) -> None:
    """Closing a handle on the file drops the locks of every other handle in the process. Then a program that looks at
    the ledger believes that it is alone, and removes the -wal that the writer goes on writing into.
    """
    path = ledger_path(tmp_path)
    ledger = filled(path)
    open_reader(path).close()
    assert seen_by_another_program(path) == ROWS

    ledger.writer.take(a_skip(99), AT)
    ledger.writer.flush(AT)

    assert path.with_name(path.name + "-wal").exists()
    assert seen_by_another_program(path) == ROWS + 1
    ledger.close()


def seen_by_another_program(path: Path) -> int:
    """The newest row, read by somebody who opens the ledger for writing, as the sqlite3 shell does."""
    look = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(c.execute(sys.argv[2]).fetchone()[0]); c.close()"
    )
    command = [sys.executable, "-c", look, str(path), "SELECT max(seq) FROM opportunities"]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_a_crashed_writer_loses_nothing_and_the_next_one_takes_over(tmp_path: Path) -> None:
    path = ledger_path(tmp_path)
    killed = filled(path)
    killed._connection.close()  # no flush, no checkpoint, no mark

    again = open_ledger(path, HandClock())

    assert again.writer.head == killed.writer.head
    again.close()


def test_a_first_start_that_was_killed_is_a_first_start_again(tmp_path: Path) -> None:
    path = ledger_path(tmp_path)
    write_new_mark(mark_path(path), GENESIS)
    path.touch()
    path.with_name("ledger.sqlite.new").write_bytes(b"half a ledger")
    path.with_name("ledger.sqlite.new-journal").write_bytes(b"and its journal")

    filled(path).close()

    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "ledger.sqlite",
        "ledger.sqlite.mark",
        "ledger.sqlite.reserve",
        "ledger.sqlite.verified",
    ]


def test_the_wal_of_a_ledger_that_was_taken_away_is_not_replayed_onto_a_new_one(tmp_path: Path) -> None:
    path = ledger_path(tmp_path)
    old = filled(path)
    path.unlink()
    mark_path(path).unlink()

    fresh = open_ledger(path, HandClock())

    assert fresh.writer.head == GENESIS
    assert path.with_name("ledger.sqlite-wal.stray").exists()
    fresh.close()
    old._connection.close()


def test_a_lost_mark_is_not_taken_for_a_new_ledger(closed: Path) -> None:
    mark_path(closed).unlink()

    error = refused(closed)

    assert isinstance(error, MarkMissingError)
    assert "--new-mark" in str(error)


def test_a_lost_ledger_is_not_taken_for_an_empty_one(closed: Path) -> None:
    closed.unlink()

    with pytest.raises(RowsLostError):
        open_ledger(closed, HandClock())
    assert not closed.exists()


def test_a_newer_schema_is_refused_by_its_number(closed: Path) -> None:
    edit(closed, "PRAGMA user_version = 9")

    error = refused(closed)

    assert isinstance(error, SchemaTooNewError)
    assert "schema version 9" in str(error)


def test_changed_table_definitions_are_refused(closed: Path) -> None:
    edit(closed, "DROP VIEW tradesets", "CREATE VIEW tradesets AS SELECT * FROM attempts")

    assert isinstance(refused(closed), LedgerUnreadableError)


@pytest.mark.parametrize("content", [b"", b"hello, I am no database", b"SQLite format 3\0" + bytes(50)])
def test_a_file_that_is_no_ledger_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = ledger_path(tmp_path)
    path.write_bytes(content)
    write_new_mark(mark_path(path), Head(3, bytes(32)))

    assert isinstance(refused(path), LedgerError)


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = ledger_path(tmp_path)
    edit(path, "CREATE TABLE recipes (name TEXT)")

    assert isinstance(refused(path), NotALedgerError)


def test_every_flipped_bit_that_changes_a_row_is_found(closed: Path, tmp_path: Path) -> None:
    """Compared with what SQLite says the rows are: a flip that leaves every row as it was may pass."""
    original = closed.read_bytes()
    truth = contents(closed)
    rng = random.Random(7)
    harmful = 0
    for _ in range(300):
        bit = rng.randrange(len(original) * 8)
        damaged = bytearray(original)
        damaged[bit // 8] ^= 1 << bit % 8
        closed.write_bytes(damaged)
        try:
            open_ledger(closed, HandClock()).close()
        except LedgerError:
            harmful += 1
            continue
        assert contents(closed) == truth, f"bit {bit} changed a row and was not seen"

    assert harmful > 30


def contents(path: Path) -> list[list[tuple[object, ...]]]:
    connection = sqlite3.connect(path)
    try:
        counts = "SELECT decision, reason, verdict, count(*), sum(edge) FROM opportunities GROUP BY 1, 2, 3"
        by_index = connection.execute(counts).fetchall()
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
        return [by_index] + [
            sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
            for name in sorted(names)
            if name != "schema_migration"
        ]
    finally:
        connection.close()


# -- the mark


def test_the_mark_survives_a_torn_write_of_either_slot(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    write_new_mark(path, Head(1, bytes(32)))
    mark = Mark(path, Head(1, bytes(32)))
    for seq in (2, 3):
        mark.advance(Head(seq, bytes([seq]) * 32))
    mark.close()
    whole = path.read_bytes()

    for slot in (0, 1):
        torn = bytearray(whole)
        torn[slot * SLOT_BYTES + 20 : slot * SLOT_BYTES + 40] = bytes(20)
        path.write_bytes(torn)
        head = read_mark(path)

        assert head is not None
        assert head.seq in (2, 3)


def test_the_mark_never_goes_back(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    write_new_mark(path, Head(5, bytes(32)))
    mark = Mark(path, Head(5, bytes(32)))

    mark.advance(Head(4, bytes(32)))

    assert read_mark(path) == Head(5, bytes(32))
    mark.close()


def test_the_mark_does_not_run_ahead_of_what_is_synchronised(tmp_path: Path) -> None:
    path = ledger_path(tmp_path)
    ledger = filled(path)
    before = read_mark(mark_path(path))

    ledger.writer.take(a_skip(200), AT)
    ledger.writer.flush(AT, sync=False)
    ledger.sync_mark()

    assert read_mark(mark_path(path)) == before
    ledger.writer.flush(AT)
    ledger.sync_mark()
    assert read_mark(mark_path(path)) == ledger.writer.head
    ledger.close()
