"""Reading the whole chain, or the part after a head that was verified before, and comparing it with the mark."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from adapters.ledger.chain import GENESIS, Head, link
from adapters.ledger.errors import ChainBrokenError, LedgerUnreadableError, MarkMissingError, RowsLostError
from adapters.ledger.tables import CHAINED, CHILDREN, columns_of, name_of, order_column, parent_column

PROGRESS_EVERY: Final = 20_000

Progress = Callable[[int, int], None]
"""(rows verified, rows to verify)"""


def newest_seq(connection: sqlite3.Connection) -> int:
    """The highest `seq` of any table, 0 in an empty ledger."""
    newest = 0
    for table in CHAINED:
        found = connection.execute(f"SELECT max(seq) FROM {name_of(table)}").fetchone()[0]  # noqa: S608  our own names
        newest = max(newest, found or 0)
    return newest


def hash_at(connection: sqlite3.Connection, seq: int) -> bytes | None:
    """The stored hash of row `seq`, None where there is no such row."""
    if seq == 0:
        return GENESIS.hash
    for table in CHAINED:
        row = connection.execute(f"SELECT hash FROM {name_of(table)} WHERE seq = ?", (seq,)).fetchone()  # noqa: S608
        if row is not None:
            return bytes(row[0])
    return None


def verify_chain(
    path: Path, connection: sqlite3.Connection, start: Head = GENESIS, progress: Progress | None = None
) -> Head:
    """Recompute every hash after `start` and return the head. Raises `ChainBrokenError` at the first row that is wrong.

    Call inside one read transaction, so that rows appended meanwhile do not look like holes.
    """
    try:
        if hash_at(connection, start.seq) != start.hash:
            raise ChainBrokenError(path, start.seq, "it was verified before and has changed since")
        return _follow(path, connection, start, progress)
    except sqlite3.Error as error:
        raise LedgerUnreadableError(path, str(error)) from error


def check_mark(path: Path, connection: sqlite3.Connection, mark: Head | None, mark_file: Path) -> None:
    """Raise unless every row that the mark knows is there and unchanged."""
    try:
        newest = newest_seq(connection)
        if mark is None:
            if newest:
                raise MarkMissingError(path, mark_file)
            return
        if newest < mark.seq:
            raise RowsLostError(path, newest, mark.seq)
        if hash_at(connection, mark.seq) != mark.hash:
            raise ChainBrokenError(path, mark.seq, f"it is not the row that {mark_file.name} remembers")
    except sqlite3.Error as error:
        raise LedgerUnreadableError(path, str(error)) from error


def check_indexes(path: Path, connection: sqlite3.Connection) -> None:
    """SQLite's own check: the chain proves the rows, this proves that the indexes tell the same about them."""
    try:
        [(found,), *_] = connection.execute("PRAGMA integrity_check(1)").fetchall()
    except sqlite3.Error as error:
        raise LedgerUnreadableError(path, str(error)) from error
    if found != "ok":
        raise LedgerUnreadableError(path, str(found).replace("\n", " "))


def _follow(path: Path, connection: sqlite3.Connection, start: Head, progress: Progress | None) -> Head:
    waiting: dict[int, tuple[str, tuple[Any, ...], Iterator[tuple[Any, ...]]]] = {}
    families = {name_of(parent): _Family(connection, parent, start.seq) for parent in CHILDREN}

    def advance(name: str, rows: Iterator[tuple[Any, ...]]) -> None:
        row = next(rows, None)
        if row is None:
            return
        if row[0] in waiting:
            raise ChainBrokenError(path, row[0], "two rows have this number")
        waiting[row[0]] = (name, row, rows)

    for table in CHAINED:
        advance(name_of(table), _rows_after(connection, table, start.seq))
    total = newest_seq(connection)
    seq, previous = start.seq, start.hash
    while waiting:
        seq += 1
        found = waiting.pop(seq, None)
        if found is None:
            raise ChainBrokenError(path, seq, "it is missing")
        name, row, rows = found
        family = families.get(name)
        children = () if family is None else family.of(seq)
        previous = link(previous, name, seq, row[2:], children)
        if previous != row[1]:
            raise ChainBrokenError(path, seq, f"its content in {name} does not match its hash")
        advance(name, rows)
        if progress is not None and seq % PROGRESS_EVERY == 0:
            progress(seq - start.seq, total - start.seq)
    for family in families.values():
        if family.waiting is not None:
            raise ChainBrokenError(path, family.waiting[0], f"{family.name} has rows that belong to nothing")
    if progress is not None:
        progress(seq - start.seq, seq - start.seq)
    return Head(seq, previous)


def _rows_after(connection: sqlite3.Connection, table: Any, seq: int) -> Iterator[tuple[Any, ...]]:
    columns = ", ".join(columns_of(table))
    return iter(
        connection.execute(f"SELECT {columns} FROM {name_of(table)} WHERE seq > ? ORDER BY seq", (seq,))  # noqa: S608
    )


class _Family:
    """The child rows of one table, walked along with their parents."""

    def __init__(self, connection: sqlite3.Connection, parent: Any, after: int) -> None:
        child = CHILDREN[parent]
        key = parent_column(child)
        columns = columns_of(child)
        order = order_column(child)
        others = ", ".join(column for column in columns if column != key)
        self.name = name_of(child)
        self._rows: Iterator[tuple[Any, ...]] = iter(
            connection.execute(
                f"SELECT {key}, {others} FROM {self.name} WHERE {key} > ? ORDER BY {key}, {order}",  # noqa: S608
                (after,),
            )
        )
        self.waiting: tuple[Any, ...] | None = next(self._rows, None)

    def of(self, seq: int) -> tuple[tuple[Any, ...], ...]:
        """The children of `seq`. A child of an earlier parent that did not exist stays waiting and is found at the
        end.
        """
        found = []
        while self.waiting is not None and self.waiting[0] == seq:
            found.append(self.waiting[1:])
            self.waiting = next(self._rows, None)
        return tuple(found)


def link_holds(connection: sqlite3.Connection, table_name: str, seq: int) -> bool:
    """Whether one row still fits between its neighbours in the chain."""
    table = next(table for table in CHAINED if name_of(table) == table_name)
    row = next(_rows_after(connection, table, seq - 1), None)
    previous = hash_at(connection, seq - 1)
    if row is None or row[0] != seq or previous is None:
        return False
    family = _Family(connection, table, seq - 1) if table in CHILDREN else None
    children = () if family is None else family.of(seq)
    return link(previous, table_name, seq, row[2:], children) == bytes(row[1])
