"""ExecutorActor: works one set's attempt through the state machine. Its record is the in-flight lock of the set.

Accepts  ApprovedSet (risk); IntentsCommitted, CommitFailed (ledger); SubmitAnswered, CancelAnswered, ProbeAnswered,
         MergeAnswered (lanes); FillSeen, OrderUpdated (user feed); LaddersSeen (books); TimerFired (clock);
         StreamRestored (reconciler); MarketResolved (feed)
Sends    CommitIntents, RecordRows -> ledger;  CancelOrder, ProbeOrder, MergeSets -> lanes;  LaddersWanted,
         FreshWanted -> books;  MarketsReleased -> risk, signal;  IncidentSeen -> risk

A thin shell: every message is one `models.tradeset.step`, and what it returns is done in its order. Runs on the pool,
or on the simulator's scheduler; it waits for nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, assert_never

from actors.base import Address, BotActor, Crash
from actors.order_routes import OrderRoutes
from models.clock import Clock, Timer
from models.execution import ExecutionTerms
from models.market import MarketId
from models.messages import (
    ApprovedSet,
    CancelOrder,
    CommitIntents,
    FreshWanted,
    IncidentSeen,
    LaddersWanted,
    MarketsReleased,
    MergeSets,
    ProbeOrder,
    RecordRows,
    TimerFired,
)
from models.set_events import Action, AskLadders, AskSnapshots, Halt, StartTimer
from models.set_state import Cooldown, Exposed, Idle, PartialFillProtect, Record, TimerName, attempts_of
from models.status import InFlight
from models.tradeset import step

if TYPE_CHECKING:
    from actors.dispatch import Dispatcher

logger = logging.getLogger(__name__)


class Gate(Protocol):
    def trip(self, reason: str, by: str) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Whom an executor talks to. The same for every set of a bot."""

    ledger: Address
    lanes: Address
    risk: Address
    signal: Address
    books: Mapping[MarketId, Address]
    routes: OrderRoutes
    gate: Gate
    clock: Clock
    study: Address | None = None
    """Paper mode: the desk that fills every attempt three ways. It hears of each approval."""


class ExecutorActor(BotActor):
    """One per set."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        on_crash: Crash,
        terms: ExecutionTerms,
        neighbours: Neighbours,
        *,
        record: Record | None = None,
        first: tuple[Action, ...] = (),
    ) -> None:
        """`record` and `first` (what is to be done first) come from `models.tradeset.recovered` after a restart."""
        super().__init__(dispatcher, f"executor:{terms.complete_set.set_id}", on_crash)
        self._terms = terms
        self._to = neighbours
        self._record: Record = Idle() if record is None else record
        self._first = first
        self._timers: dict[TimerName, Timer] = {}

    @property
    def record(self) -> Record:
        """Immutable; read by the status publisher on another thread."""
        return self._record

    @property
    def state_name(self) -> str:
        return self._record.state.value

    @property
    def in_flight(self) -> InFlight | None:
        record = self._record
        if isinstance(record, Idle | Cooldown):
            return None
        protecting = isinstance(record, PartialFillProtect | Exposed)
        return InFlight(
            attempt_id=record.attempt.attempt_id,
            set_id=record.attempt.set_id,
            market_ids=self._terms.market_ids,
            state=record.state.value,
            age_ns=self._to.clock.boot_ns() - record.attempt.began,
            limit_ns=None if protecting else self._terms.max_inflight_ns,
        )

    def started(self) -> None:
        """Take up what the last process left open."""
        if not isinstance(self._record, Idle | Cooldown):
            self._to.routes.own(self._record.attempt.attempt_id, self.address)
        for attempt in attempts_of(self._record):
            self._to.routes.own_orders((life.intent for life in attempt.orders), self.address)
        self._perform(self._first)

    def receive(self, message: Any) -> None:
        before = self._record.state
        clock = self._to.clock
        self._record, actions = step(self._record, message, self._terms, clock.boot_ns(), clock.wall_ns())
        if type(message) is ApprovedSet:
            self._to.routes.own(message.attempt_id, self.address)
            if self._to.study is not None:
                self._to.study.tell(message)
        self._perform(actions)
        self._drop_old_timers()
        if self._record.state is not before:
            logger.info("%s: %s after %s", self.name, self._record.state.value, type(message).__name__)

    def _perform(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            self._do(action)

    def _do(self, action: Action) -> None:
        to = self._to
        match action:
            case CommitIntents():
                to.routes.own_orders(action.intents, self.address)
                to.ledger.tell(action)
            case RecordRows():
                to.ledger.tell(action)
            case CancelOrder() | ProbeOrder() | MergeSets():
                to.lanes.tell(action)
            case MarketsReleased():
                to.risk.tell(action)
                to.signal.tell(action)
            case IncidentSeen():
                to.risk.tell(action)
            case AskLadders():
                for market_id in action.market_ids:
                    to.books[market_id].tell(LaddersWanted(market_id, action.tag, self.address))
            case AskSnapshots():
                for market_id in action.market_ids:
                    to.books[market_id].tell(FreshWanted(market_id))
            case StartTimer():
                self._start(action)
            case Halt():
                to.gate.trip(action.reason, self.name)
            case _:
                assert_never(action)

    def _start(self, action: StartTimer) -> None:
        fired = TimerFired(action.attempt_id, action.name, action.serial)
        old = self._timers.pop(action.name, None)
        if old is not None:
            old.cancel()
        self._timers[action.name] = self._to.clock.call_after(action.delay_ns, lambda: self.address.tell(fired))

    def _drop_old_timers(self) -> None:
        """A timer that no longer means anything would be ignored; cancelled, it does not wake anybody either."""
        for name in [name for name in self._timers if not self._record.timers.runs(name)]:
            self._timers.pop(name).cancel()
