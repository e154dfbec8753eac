"""How rows enter their tables: as few INSERT statements as possible, parents before children."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from adapters.ledger.tables import CHAINED, CHILDREN, columns_of, name_of, parent_column

BATCH: Final = 32
"""Rows of one transaction that nothing waits for: half a millisecond, the longest that an intent should find the writer
busy. A row costs hardly more than in batches of 64 (16.6 and 16.1 us), in batches of 16 it costs a quarter more.
"""

CHUNKS: Final = (BATCH, 8, 2, 1)
"""Rows per INSERT statement; two are the legs of nearly every set. Every statement gives the interpreter's lock away
and must win it back from the feed thread, so a batch is few statements: with a busy feed the p99 of a batch fell from
90 to 8 ms.
"""


class _Insert:
    """Inserts rows into one table with as few statements as `CHUNKS` allows."""

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "  # noqa: S608  our own names
        one = f"({', '.join('?' * len(columns))})"
        self._statements = {size: head + ", ".join([one] * size) for size in CHUNKS}

    def run(self, connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        at = 0
        for size in CHUNKS:
            statement = self._statements[size]
            while len(rows) - at >= size:
                connection.execute(statement, tuple(chain.from_iterable(rows[at : at + size])))
                at += size


def _inserts() -> dict[str, tuple[_Insert, _Insert | None]]:
    """Table -> how rows enter it and its child table, in the order in which tables are written."""
    found = {}
    for table in CHAINED:
        child = CHILDREN.get(table)
        children = None
        if child is not None:
            key = parent_column(child)
            children = _Insert(name_of(child), (key, *(c for c in columns_of(child) if c != key)))
        found[name_of(table)] = (_Insert(name_of(table), columns_of(table)), children)
    return found


INSERTS: Final = _inserts()
