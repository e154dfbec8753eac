"""A stage for one set: the real state machine, a hand-moved clock, and a venue whose every answer is a lever.

`Stage` plays ledger, lanes, books and timers. Intents are committed at once; nothing else happens unless a test says
so.
"""

from __future__ import annotations

from typing import TypeVar

from models.book import Levels, NotReady
from models.clock import BootNs, seconds_ns
from models.execution import ExecutionTerms
from models.market import Action, MarketId, Outcome
from models.messages import (
    ApprovedSet,
    CancelAnswered,
    CancelOrder,
    CommitIntents,
    FillSeen,
    IncidentSeen,
    IntentsCommitted,
    MarketResolved,
    MarketsReleased,
    MergeAnswered,
    MergeSets,
    OrderUpdated,
    ProbeAnswered,
    ProbeOrder,
    RecordRows,
    SubmitAnswered,
    TimerFired,
)
from models.money import MicroShares, MicroUsd, parse_micros
from models.order_life import OrderLife
from models.orders import (
    Accepted,
    CancelAnswer,
    CancelResult,
    CommittedIntent,
    Fill,
    FillState,
    OrderIntent,
    OrderNotFound,
    OrderSeen,
    OutcomeUnknown,
    Refused,
    VenueOrderId,
    VenueOrderStatus,
)
from models.rows import Event, EventKind
from models.set_events import Action as SetAction
from models.set_events import Arrival, AskLadders, Halt, StartTimer
from models.set_state import Cooldown, Idle, Record, State, TimerName
from models.tradeset import step
from tests.trading import WALL, a_top, an_approval, execution_terms, ladders, levels, price, shares

A = TypeVar("A")


class Stage:
    def __init__(self, terms: ExecutionTerms | None = None, record: Record | None = None) -> None:
        self.terms = terms or execution_terms()
        self.record: Record = record or Idle()
        self.now = 0
        self.done: list[SetAction] = []
        """Every action so far, in order."""
        self.intents: list[OrderIntent] = []
        self.holds_commits = False
        """The ledger keeps its answer back until `commit()`."""
        self.heard: list[Arrival] = []
        """Everything the machine was told, in order."""
        self.trades = 0

    # -- the machine

    @property
    def state(self) -> State:
        return self.record.state

    @property
    def attempt(self):
        record = self.record
        return record.past[-1] if isinstance(record, Idle | Cooldown) else record.attempt

    def tell(self, message: Arrival) -> None:
        self.heard.append(message)
        self.record, actions = step(self.record, message, self.terms, BootNs(self.now), WALL)
        self.done.extend(actions)
        for action in actions:
            if isinstance(action, CommitIntents):
                self.intents.extend(action.intents)
                if not self.holds_commits:
                    self.commit(action.intents)

    def commit(self, intents: tuple[OrderIntent, ...]) -> None:
        committed = tuple(CommittedIntent(intent=i, ledger_seq=n, row_hash="") for n, i in enumerate(intents))
        self.tell(IntentsCommitted(attempt_id=intents[0].attempt_id, committed=committed))

    def all(self, kind: type[A]) -> list[A]:
        return [action for action in self.done if isinstance(action, kind)]

    def rows(self, kind: type[A]) -> list[A]:
        told = (action for action in self.done if isinstance(action, RecordRows | CommitIntents))
        return [row for action in told for row in action.rows if isinstance(row, kind)]

    @property
    def halted(self) -> bool:
        return bool(self.all(Halt))

    def incidents(self, kind: str) -> int:
        return sum(i.kind == kind for i in self.all(IncidentSeen))

    def protections(self) -> list[dict[str, object]]:
        """The facts of every protection row: the three numbers and their inputs."""
        return [dict(e.facts) for e in self.rows(Event) if e.kind is EventKind.PROTECTION]

    # -- what happens to it

    def approve(self, *tops, size: float = 10, attempt_id: str = "a-1") -> ApprovedSet:
        """Leg 0 (YES) is the thin one by default."""
        approval = an_approval(self.terms, *(tops or (a_top(),)), size=size, attempt_id=attempt_id, at=self.now)
        self.tell(approval)
        return approval

    def order(self, index: int = -1) -> OrderIntent:
        return self.intents[index]

    def life(self, index: int = -1) -> OrderLife:
        own = self.order(index).client_order_id
        return next(life for life in self.attempt.orders if life.intent.client_order_id == own)

    def accept(self, index: int = -1, filled: float | None = None, *, done: bool = True, fills: bool = True) -> None:
        """The venue takes the order; `filled` shares of it at its limit, with their executions unless `fills` is
        off.
        """
        intent = self.order(index)
        count = None if filled is None else shares(filled)
        answer = Accepted(
            client_order_id=intent.client_order_id, venue_order_id=venue_id(intent), filled=count, done=done
        )
        self.tell(SubmitAnswered(attempt_id=intent.attempt_id, answer=answer, sent=None, at=BootNs(self.now)))
        if fills and filled:
            self.fill(index, filled)

    def fill(
        self,
        index: int = -1,
        filled: float = 10,
        *,
        at: str | None = None,
        state: FillState = FillState.FINAL,
        trade: str | None = None,
    ) -> str:
        intent = self.order(index)
        self.trades += 1
        trade_id = trade or f"t-{self.trades}"
        self.tell(FillSeen(fill=a_fill(intent, filled, at=at, state=state, trade=trade_id), at=BootNs(self.now)))
        return trade_id

    def refuse(self, index: int = -1, code: str = "no", *, by_venue: bool = True, barred: bool = False) -> None:
        intent = self.order(index)
        own = intent.client_order_id
        answer = Refused(client_order_id=own, code=code, text="refused", by_venue=by_venue, barred=barred)
        self.tell(SubmitAnswered(attempt_id=intent.attempt_id, answer=answer, sent=None, at=BootNs(self.now)))

    def lose_answer(self, index: int = -1) -> None:
        intent = self.order(index)
        answer = OutcomeUnknown(client_order_id=intent.client_order_id, why="timeout")
        self.tell(SubmitAnswered(attempt_id=intent.attempt_id, answer=answer, sent=None, at=BootNs(self.now)))

    def show(
        self,
        index: int = -1,
        filled: float = 0,
        *,
        status: VenueOrderStatus = VenueOrderStatus.DONE,
        fills: bool = True,
    ) -> None:
        """A probe finds the order, with its executions unless `fills` is off."""
        intent = self.order(index)
        seen = OrderSeen(
            client_order_id=intent.client_order_id,
            venue_order_id=venue_id(intent),
            status=status,
            filled=shares(filled),
        )
        fills = (a_fill(intent, filled, trade=f"p-{intent.client_order_id}"),) if filled and fills else ()
        self.tell(ProbeAnswered(attempt_id=intent.attempt_id, answer=seen, fills=fills, at=BootNs(self.now)))

    def update(self, index: int = -1, filled: float = 0, *, status: VenueOrderStatus = VenueOrderStatus.DONE) -> None:
        """The user stream speaks of the order."""
        intent = self.order(index)
        seen = OrderSeen(
            client_order_id=intent.client_order_id,
            venue_order_id=venue_id(intent),
            status=status,
            filled=shares(filled),
        )
        self.tell(OrderUpdated(seen=seen, at=BootNs(self.now)))

    def deny(self, index: int = -1, source: str = "orders") -> None:
        intent = self.order(index)
        answer = OrderNotFound(client_order_id=intent.client_order_id, source=source)
        self.tell(ProbeAnswered(attempt_id=intent.attempt_id, answer=answer, fills=(), at=BootNs(self.now)))

    def cancel_answer(self, index: int = -1, result: CancelResult = CancelResult.CANCELLED) -> None:
        intent = self.order(index)
        answer = CancelAnswer(client_order_id=intent.client_order_id, result=result)
        self.tell(CancelAnswered(attempt_id=intent.attempt_id, answer=answer, at=BootNs(self.now)))

    def answer_ladders(self, *, not_ready: NotReady | None = None, **sides: Levels) -> None:
        """Every market of the set answers the newest question."""
        asked = self.all(AskLadders)[-1]
        for market_id in asked.market_ids:
            self.tell(ladders(asked.tag, market_id, not_ready=not_ready, at=self.now, **sides))

    def answer_merge(self, cash: str | None) -> None:
        merge = self.all(MergeSets)[-1]
        got = None if cash is None else MicroUsd(price(cash))
        self.tell(MergeAnswered(attempt_id=merge.attempt_id, cash=got, why="", at=BootNs(self.now)))

    def resolve(self, market_id: str = "m1", yes_pays: str = "1") -> None:
        pays = parse_micros(yes_pays)
        winner = {1_000_000: Outcome.YES, 0: Outcome.NO}.get(pays)
        self.tell(MarketResolved(MarketId(market_id), winner, pays, BootNs(self.now)))

    def wait(self, seconds: float) -> None:
        """Time passes, nothing happens."""
        self.now += seconds_ns(seconds)

    def fire(self, name: TimerName) -> None:
        """The newest timer of that name is due: time moves to it."""
        timer = [t for t in self.all(StartTimer) if t.name is name][-1]
        self.now = max(self.now, self.started_at(timer) + timer.delay_ns)
        self.tell(TimerFired(timer.attempt_id, timer.name, timer.serial))

    def started_at(self, _timer: StartTimer) -> int:
        return self.now

    # -- the end

    def released(self) -> MarketsReleased:
        return self.all(MarketsReleased)[-1]

    def probes(self) -> int:
        return len(self.all(ProbeOrder))

    def cancels(self) -> int:
        return len(self.all(CancelOrder))


def venue_id(intent: OrderIntent) -> VenueOrderId:
    return VenueOrderId(f"v-{intent.client_order_id}")


def a_fill(
    intent: OrderIntent,
    filled: float,
    *,
    at: str | None = None,
    state: FillState = FillState.FINAL,
    trade: str = "t-1",
    fee: int | None = 0,
) -> Fill:
    return Fill(
        venue_trade_id=trade,
        client_order_id=intent.client_order_id,
        venue_order_id=venue_id(intent),
        size=shares(filled),
        price=intent.limit_price if at is None else price(at),
        fee=None if fee is None else MicroUsd(fee),
        state=state,
        exchange_ms=0,
    )


def exposure(stage: Stage) -> tuple[MicroShares, ...]:
    """Final holdings per leg."""
    return tuple(stage.attempt.holdings)


__all__ = ["Action", "Stage", "a_fill", "exposure", "levels", "venue_id"]
