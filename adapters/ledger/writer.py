"""The one writer: takes rows, chains them, and puts them on the disk in bounded transactions (WAL, synchronous=FULL).

Two queues. What an intent may depend on (attempts, orders, fills, runs) goes to disk with it; the many rows that
nothing waits for (skipped opportunities, samples, counts) follow in batches of `BATCH`, so no intent waits behind more
than one batch. Nothing is dropped: a row that the schema refuses becomes an event that says so.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from adapters.ledger.chain import Head, link
from adapters.ledger.encode import (
    PLAIN,
    OpportunityEncoder,
    Record,
    UnknownSetError,
    encode_event,
    encode_intent,
    encode_order_change,
)
from adapters.ledger.errors import AlreadyCommittedError, LedgerBrokenError, LedgerBusyError
from adapters.ledger.fills import FillBook
from adapters.ledger.tables import CHAINED, CHILDREN, columns_of, name_of, parent_column
from models.clock import WallNs
from models.messages import EpisodeEnded, MinuteCounted, OpportunityJudged, OpportunitySkipped, TickSampled
from models.money import MicroShares
from models.order_life import Phase
from models.orders import CommittedIntent, OrderIntent, commit_seal
from models.rows import ConfigUsed, Event, EventKind, FillReported, FillsDisagreeError, OrderAdopted, OrderChanged

BATCH: Final = 64
"""Rows of one transaction that nothing waits for: about 2 ms, the longest that an intent may find the writer busy."""

_NOBODY_WAITS: Final = (EpisodeEnded, MinuteCounted, TickSampled)
_BAD_ROW: Final = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, OverflowError)
"""The row is wrong, the database is fine. Any other `sqlite3.Error` means that the ledger cannot be written."""


def _inserts() -> dict[str, tuple[str, str]]:
    """Table -> its INSERT and that of its child table ("" without one), in the order in which tables are written."""
    found = {}
    for table in CHAINED:
        child = CHILDREN.get(table)
        key = () if child is None else (parent_column(child),)
        rest = () if child is None else tuple(c for c in columns_of(child) if c not in key)
        found[name_of(table)] = (
            _insert(name_of(table), columns_of(table)),
            "" if child is None else _insert(name_of(child), (*key, *rest)),
        )
    return found


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


_INSERTS: Final = _inserts()


class Writer:
    """Owned by one thread at a time. `head` is the newest row that is on the disk."""

    def __init__(self, path: Path, connection: sqlite3.Connection, head: Head) -> None:
        self.path = path
        self.head = head
        self.refused: list[str] = []
        """Rows that could not be stored as they were, since the owner last emptied this list. Each is a halt."""
        self._connection = connection
        self._first: deque[Record] = deque()
        self._later: deque[Record] = deque()
        self._opportunities = OpportunityEncoder()
        self._fills = FillBook(connection)
        self._broken: str | None = None

    # -- taking rows -----------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Rows taken and not yet on the disk."""
        return len(self._first) + len(self._later)

    def take(self, row: object, at: WallNs) -> None:
        """Queue one row. `at` dates the event that replaces a row which contradicts what is known."""
        try:
            if type(row) is OpportunitySkipped:
                self._later.append(self._opportunities.skipped(row))
            elif type(row) is OpportunityJudged:
                queue = self._later if row.attempt_id is None else self._first
                queue.append(self._opportunities.judged(row))
            elif isinstance(row, _NOBODY_WAITS):
                self._later.append(PLAIN[type(row)](row))
            else:
                self._first.extend(self._records(row))
        except (FillsDisagreeError, UnknownSetError) as error:
            self._refuse(repr(row), str(error), at)

    def _records(self, row: object) -> Iterable[Record]:
        if isinstance(row, FillReported):
            record = self._fills.join(row)
            return () if record is None else (record,)
        if isinstance(row, OrderAdopted):
            seen = OrderChanged(
                client_order_id=row.intent.client_order_id,
                at=row.at,
                phase=Phase.LIVE,
                venue_order_id=row.venue_order_id,
                filled=MicroShares(0),
                sent_at=None,
                acked_at=None,
                refusal=None,
                detail="found at the venue",
            )
            return encode_intent(row.intent, row.at, adopted=True), encode_order_change(seen)
        if isinstance(row, ConfigUsed):
            self._opportunities.use(row.config_hash, row.terms)
            known = "SELECT 1 FROM configs WHERE config_hash = ?"
            queued = any(record.table == "configs" and record.values[0] == row.config_hash for record in self._first)
            if queued or self._connection.execute(known, (row.config_hash,)).fetchone():
                return ()
        if type(row) not in PLAIN:
            raise TypeError(f"the ledger has no table for {type(row).__name__}")
        return (PLAIN[type(row)](row),)

    def _refuse(self, what: str, why: str, at: WallNs) -> None:
        self.refused.append(why)
        event = Event(at=at, kind=EventKind.REFUSED_ROW, text=why, facts=(("row", what[:2000]),))
        self._first.append(encode_event(event))

    # -- writing ---------------------------------------------------------------------------------------------------

    def flush(self, at: WallNs) -> None:
        """Put what waits on the disk, the later rows in batches. Raises `LedgerBrokenError`, `LedgerBusyError`."""
        while self._first or self._later:
            later = [self._later[i] for i in range(min(BATCH, len(self._later)))]
            self._commit_or_isolate([*self._first, *later], at, from_later=len(later))

    def commit(self, intents: Sequence[OrderIntent], rows: Sequence[object], at: WallNs) -> tuple[CommittedIntent, ...]:
        """Put `rows` and `intents` on the disk in one transaction, together with the rows that went before them.

        Raises `AlreadyCommittedError` (nothing may be sent), `LedgerBrokenError`, `LedgerBusyError`.
        """
        for row in rows:
            self.take(row, at)
        records = [encode_intent(intent, at, adopted=False) for intent in intents]
        try:
            self._write([*self._first, *records])
        except _BAD_ROW:
            self._commit_or_isolate(list(self._first), at, from_later=0)
            try:
                self._write(records)
            except _BAD_ROW as error:
                raise AlreadyCommittedError(f"an intent was refused by the ledger: {error}") from error
        else:
            self._first.clear()
        first = self.head.seq - len(records) + 1
        return tuple(
            CommittedIntent(intent=intent, ledger_seq=first + i, row_hash=commit_seal(intent, first + i))
            for i, intent in enumerate(intents)
        )

    def _commit_or_isolate(self, records: list[Record], at: WallNs, *, from_later: int) -> None:
        """Write `records` (all of the first queue and `from_later` of the other) and take them off their queues."""
        bad: list[tuple[Record, str]] = []
        try:
            self._write(records)
        except _BAD_ROW:
            for record in records:
                try:
                    self._write([record])
                except _BAD_ROW as error:
                    bad.append((record, str(error)))
        self._first.clear()
        for _ in range(from_later):
            self._later.popleft()
        for record, why in bad:
            self._refuse(repr(record), f"row of {record.table} refused: {why}", at)
        if not self.waiting:
            self._fills.shrink()

    def _write(self, records: Sequence[Record]) -> None:
        """Chain and insert in one FULL transaction; afterwards they are on the disk, or nothing has changed."""
        if self._broken is not None:
            raise LedgerBrokenError(self._broken)
        rows: dict[str, list[tuple[Any, ...]]] = {}
        children: dict[str, list[tuple[Any, ...]]] = {}
        seq, previous = self.head.seq, self.head.hash
        for record in records:
            seq += 1
            previous = link(previous, record.table, seq, record.values, record.children)
            rows.setdefault(record.table, []).append((seq, previous, *record.values))
            if record.children:
                children.setdefault(record.table, []).extend((seq, *child) for child in record.children)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for table, (insert, child_insert) in _INSERTS.items():
                if table in rows:
                    self._connection.executemany(insert, rows[table])
                if table in children:
                    self._connection.executemany(child_insert, children[table])
            self._connection.execute("COMMIT")
        except (sqlite3.Error, OverflowError) as error:
            self._roll_back(error)
            raise
        self.head = Head(seq, previous)

    def _roll_back(self, error: Exception) -> None:
        """Undo the open transaction; raise unless it was only a bad row."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as second:
            self._broken = f"{self.path} cannot be written: {error}; and not rolled back: {second}"
            raise LedgerBrokenError(self._broken) from error
        if isinstance(error, _BAD_ROW):
            return
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise LedgerBusyError(f"{self.path} is locked by another process") from error
        self._broken = f"{self.path} cannot be written: {error}"
        raise LedgerBrokenError(self._broken) from error
