"""The one writer: takes rows, chains them, and puts them on the disk in bounded transactions (WAL, synchronous=FULL).

Two queues. What an intent may depend on (attempts, orders, fills, runs) goes to disk with it; the many rows that
nothing waits for (skipped opportunities, samples, counts) follow in batches of `BATCH`, so no intent waits behind more
than one batch. Nothing is dropped: a row that the schema refuses becomes an event that says so.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

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
from adapters.ledger.inserts import BATCH, INSERTS
from models.clock import WallNs
from models.messages import EpisodeEnded, MinuteCounted, OpportunityJudged, OpportunitySkipped, TickSampled
from models.money import MicroShares
from models.order_life import Phase
from models.orders import CommittedIntent, OrderIntent, commit_seal
from models.rows import ConfigUsed, Event, EventKind, FillReported, FillsDisagreeError, OrderAdopted, OrderChanged

QUEUE_BOUND: Final = 100_000
"""Rows that nobody waits for, kept in memory while the disk is full. Later ones are only counted."""

_NOBODY_WAITS: Final = (EpisodeEnded, MinuteCounted, TickSampled)
_BAD_ROW: Final = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, OverflowError)
"""The row is wrong, the database is fine. Any other `sqlite3.Error` means that the ledger cannot be written."""


class Writer:
    """Owned by one thread at a time."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        head: Head,
        *,
        durable: bool = True,
        give_room: Callable[[], bool] = lambda: False,
    ) -> None:
        """`durable` False never synchronises (simulations). `give_room` frees the reserve when the disk is full."""
        self.path = path
        self.head = head
        """The newest row that has been written."""
        self.synced = head
        """The newest row that a power cut cannot take away; the high-water mark follows it."""
        self.trouble: list[str] = []
        """What the owner must halt for: rows that could not be stored as they were, a full disk. Emptied by the
        owner.
        """
        self._connection = connection
        self._first: deque[Record] = deque()
        self._later: deque[Record] = deque()
        self._opportunities = OpportunityEncoder()
        self._fills = FillBook(connection)
        self._broken: str | None = None
        self._durable = durable
        self._give_room = give_room
        self.full = False
        """The disk is full: only what an order needs is written, from the reserve; the other rows wait."""
        self.lost = 0
        """Rows that could not even wait. The gate has been tripped long before."""
        self._syncing: bool | None = None

    # -- taking rows -----------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Rows taken and not yet on the disk."""
        return len(self._first) + len(self._later)

    @property
    def settled(self) -> bool:
        """Every row taken is on the disk for good."""
        return not self.waiting and self.synced is self.head

    def take(self, row: object, at: WallNs) -> None:
        """Queue one row. `at` dates the event that replaces a row which contradicts what is known."""
        try:
            if type(row) is OpportunitySkipped:
                self._put_later(self._opportunities.skipped(row))
            elif type(row) is OpportunityJudged and row.attempt_id is None:
                self._put_later(self._opportunities.judged(row))
            elif isinstance(row, _NOBODY_WAITS):
                self._put_later(PLAIN[type(row)](row))
            else:
                self._first.extend(self._records(row))
        except (FillsDisagreeError, UnknownSetError) as error:
            self._refuse(repr(row), str(error), at)

    def _put_later(self, record: Record) -> None:
        if self.full and len(self._later) >= QUEUE_BOUND:
            self.lost += 1
        else:
            self._later.append(record)

    def _records(self, row: object) -> Iterable[Record]:
        if isinstance(row, OpportunityJudged):
            return (self._opportunities.judged(row),)
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
        self.trouble.append(why)
        event = Event(at=at, kind=EventKind.REFUSED_ROW, text=why, facts=(("row", what[:2000]),))
        self._first.append(encode_event(event))

    # -- writing ---------------------------------------------------------------------------------------------------

    def flush(self, at: WallNs, *, sync: bool = True) -> None:
        """Write what waits, the later rows in batches. Raises `LedgerBrokenError`, `LedgerBusyError`."""
        while self._first or (self._later and not self.full):
            later = [] if self.full else [self._later[i] for i in range(min(BATCH, len(self._later)))]
            self._sync(on=sync and len(later) == len(self._later))
            self._commit_or_isolate([*self._first, *later], at, from_later=len(later))
        if sync and self.synced is not self.head:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Copy the -wal back into the ledger, synchronising both. Raises `LedgerBrokenError`."""
        if self.full:
            return
        try:
            self._sync(on=True)
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self.synced = self.head
        except sqlite3.Error as error:
            if not self._made_room(error):
                self._break(error)

    def commit(self, intents: Sequence[OrderIntent], rows: Sequence[object], at: WallNs) -> tuple[CommittedIntent, ...]:
        """Put `rows` and `intents` on the disk in one transaction, together with the rows that went before them.

        Raises `AlreadyCommittedError` (nothing may be sent), `LedgerBrokenError`, `LedgerBusyError`.
        """
        for row in rows:
            self.take(row, at)
        records = [encode_intent(intent, at, adopted=False) for intent in intents]
        self._sync(on=True)
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
        """Chain and insert in one transaction; afterwards all of it is written, or nothing has changed."""
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
            self._insert(rows, children)
        except (sqlite3.Error, OverflowError) as error:
            if not self._made_room(error):
                self._classify(error)
                raise
            self._insert_or_break(rows, children)
        self.head = Head(seq, previous)
        if self._syncing:
            self.synced = self.head

    def _insert(self, rows: dict[str, list[tuple[Any, ...]]], children: dict[str, list[tuple[Any, ...]]]) -> None:
        """One transaction. After an error it has been rolled back."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for table, (parents, others) in INSERTS.items():
                if table in rows:
                    parents.run(self._connection, rows[table])
                if others is not None and table in children:
                    others.run(self._connection, children[table])
            self._connection.execute("COMMIT")
        except (sqlite3.Error, OverflowError) as error:
            self._roll_back(error)
            raise

    def _insert_or_break(
        self, rows: dict[str, list[tuple[Any, ...]]], children: dict[str, list[tuple[Any, ...]]]
    ) -> None:
        try:
            self._insert(rows, children)
        except sqlite3.Error as error:
            self._break(error)

    def _roll_back(self, error: Exception) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as second:
            self._break(f"{error}; and not rolled back: {second}")

    def _made_room(self, error: Exception) -> bool:
        """Whether a full disk has room again for what an order needs. It happens once, and is a halt."""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_FULL or not self._give_room():
            return False
        self.full = True
        self.trouble.append("the disk is full; what was kept free is left for protective orders")
        return True

    def _classify(self, error: Exception) -> None:
        """Return for a bad row, raise for everything that is not the row's fault."""
        if isinstance(error, _BAD_ROW):
            return
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise LedgerBusyError(f"{self.path} is locked by another process") from error
        self._break(error)

    def _break(self, why: object) -> NoReturn:
        self._broken = f"{self.path} cannot be written: {why}"
        raise LedgerBrokenError(self._broken)

    def _sync(self, *, on: bool) -> None:
        """Whether the following commits synchronise the -wal."""
        if on is not self._syncing:
            self._connection.execute(f"PRAGMA synchronous = {('FULL' if on else 'NORMAL') if self._durable else 'OFF'}")
            self._syncing = on
