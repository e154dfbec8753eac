"""LedgerActor: the only thing that writes the database, on a thread of its own. Write, then send.

Accepts  CommitIntents (executors), RecordRows (anybody), FlushWanted (reconciler), and as rows in
         themselves: OpportunitySkipped, OpportunityJudged, EpisodeEnded, MinuteCounted, TickSampled, BookNews,
         SnapshotCompared, TradingHalted, TradingResumed, MarketResolved, IncidentSeen
Sends    SendOrders -> order lanes (or paper desk), then IntentsCommitted or CommitFailed -> the attempt's executor;
         Flushed -> reconciler

An intent is one transaction with synchronous=FULL; everything else is written when `BATCH` rows wait, after `FLUSH_NS`,
or with the next intent that may depend on it. A ledger that cannot be written trips the gate, and from then on no
intent is committed and so none is sent.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from actors.base import Address, BotActor, Crash
from adapters.ledger.errors import LedgerBrokenError, LedgerError
from adapters.ledger.inserts import BATCH
from adapters.ledger.writer import QUEUE_BOUND
from models.clock import MS, Clock
from models.diary import Diary
from models.messages import (
    BookNews,
    CommitFailed,
    CommitIntents,
    Flushed,
    FlushWanted,
    IncidentSeen,
    IntentsCommitted,
    MarketResolved,
    OpportunitySkipped,
    RecordRows,
    SendOrders,
    SnapshotCompared,
    TradingHalted,
    TradingResumed,
)

if TYPE_CHECKING:
    from actors.dispatch import Dispatcher
    from adapters.ledger.connection import Ledger

logger = logging.getLogger(__name__)

FLUSH_NS: Final = 50 * MS
"""Longest time that a row nobody waits for stays unwritten or unsynchronised."""

_TOLD: Final = (BookNews, SnapshotCompared, TradingHalted, TradingResumed, MarketResolved, IncidentSeen)
_FLUSH: Final = "flush"
"""To itself, by timer."""


class Gate(Protocol):
    def trip(self, reason: str, by: str) -> object: ...


class LedgerActor(BotActor):
    """Owns the write connection. One per bot."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        on_crash: Crash,
        ledger: Ledger,
        *,
        lanes: Address,
        executors: Address,
        gate: Gate,
        clock: Clock,
    ) -> None:
        """`lanes` gets `SendOrders`; `executors` routes `IntentsCommitted` and `CommitFailed` by attempt id."""
        super().__init__(dispatcher, "ledger", on_crash)
        self._ledger = ledger
        self._writer = ledger.writer
        self._lanes = lanes
        self._executors = executors
        self._gate = gate
        self._clock = clock
        self._diary = Diary()
        self._timer_runs = False
        self._broken = False
        self.lost = 0
        """Rows that came after the ledger could no longer be written. The gate has been tripped."""

    def receive(self, message: Any) -> None:
        if type(message) is CommitIntents:
            self._commit(message)
        elif self._broken:
            self.lost += 1
            return
        elif message is _FLUSH:
            self._timer_runs = False
            self._flush(sync=True)
            self._sync_mark()
        elif isinstance(message, FlushWanted):
            self._flush_for(message)
        else:
            self._take(message)
        if not self._timer_runs and not self._ledger.settled and not self._broken:
            self._timer_runs = True
            self._clock.call_after(FLUSH_NS, self._wake)

    def _take(self, message: Any) -> None:
        now = self._clock.wall_ns()
        if type(message) is OpportunitySkipped:
            self._writer.take(message, now)
        elif isinstance(message, RecordRows):
            for row in message.rows:
                self._writer.take(row, now)
        elif isinstance(message, _TOLD):
            event = self._diary.event(message, now)
            if event is not None:
                self._writer.take(event, now)
        else:
            self._writer.take(message, now)
        if self._writer.waiting >= BATCH:
            self._flush(sync=False)

    def stopping(self) -> None:
        """The last flush, before the system closes the ledger."""
        self._flush(sync=True)
        self._sync_mark()

    def _flush_for(self, message: FlushWanted) -> None:
        self._flush(sync=True)
        if self._writer.settled:
            message.reply_to.tell(Flushed(message.serial))

    def _wake(self) -> None:
        self.address.tell(_FLUSH)

    def _commit(self, message: CommitIntents) -> None:
        try:
            committed = self._writer.commit(message.intents, message.rows, self._clock.wall_ns())
        except LedgerError as error:
            self._fail(error)
            self._executors.tell(CommitFailed(attempt_id=message.attempt_id, why=str(error)))
            return
        self._lanes.tell(SendOrders(attempt_id=message.attempt_id, committed=committed, together=message.together))
        # While this thread waits for the disk the lane has the interpreter: woken at once, the executor would take it
        # for what can wait until the order is out (0.4 ms of 3.4 from frame to first byte).
        self._sync_mark()
        self._executors.tell(IntentsCommitted(attempt_id=message.attempt_id, committed=committed))
        self._report_trouble()

    def _flush(self, *, sync: bool) -> None:
        try:
            self._writer.flush(self._clock.wall_ns(), sync=sync)
            self._ledger.tidy()
        except LedgerError as error:
            self._fail(error)
        self._report_trouble()

    def _sync_mark(self) -> None:
        """Never before an order that waits: a mark that lags is harmless."""
        try:
            self._ledger.sync_mark()
        except LedgerError as error:
            self._fail(error)

    def _report_trouble(self) -> None:
        for why in self._writer.trouble:
            self._gate.trip(f"ledger: {why}", "ledger")
        self._writer.trouble.clear()

    def _fail(self, error: LedgerError) -> None:
        """Nothing more may be opened. A ledger that is only locked is written again by the timer, its rows wait."""
        if not self._broken:
            logger.critical("%s", error)
            self._gate.trip(str(error), "ledger")
        lost = isinstance(error, LedgerBrokenError) or self._writer.waiting > QUEUE_BOUND
        self._broken = self._broken or lost
