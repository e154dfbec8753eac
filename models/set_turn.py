"""The tools of one step: the clock's two readings, the terms, and the actions collected so far.

Rules (`models/set_rules.py`) say what an event means for the money; this file says how it is done: entering a state,
handing orders to the ledger, starting a timer, folding a fact into the attempt that owns it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from models import set_rows
from models.attempt import Attempt
from models.clock import MS, SECOND, BootNs, WallNs
from models.execution import ExecutionTerms
from models.messages import (
    CancelAnswered,
    CancelOrder,
    CommitIntents,
    FillSeen,
    IncidentSeen,
    MarketsReleased,
    OrderUpdated,
    ProbeAnswered,
    ProbeOrder,
    RecordRows,
    SubmitAnswered,
)
from models.money import MICRO, MicroShares, MicroUsd, divide_down, text
from models.order_life import OrderFact, OrderLife, Phase, doubted, fold, mistrusted, stamped
from models.orders import ClientOrderId, Fill, OrderSeen, OutcomeUnknown, Purpose, Refused
from models.rows import FillReported, Row
from models.set_events import Action, AskLadders, Halt, OrderFactSeen, StartTimer
from models.set_state import Cooldown, Exposed, Idle, Ladders, Record, State, TimerName, Timers, UnderWay
from models.sets import LegPolicy

PROBE_DELAYS_NS: Final = (0, 250 * MS, 500 * MS, SECOND, 2 * SECOND, 5 * SECOND)
"""Between questions about one unknown: at once, then ever slower. The last one repeats."""

PAST_MAX: Final = 8
"""Ended attempts that still take late facts. What is older is found by the reconcile."""

Kind = TypeVar("Kind", bound=UnderWay)
Rule = Callable[[Any, Any, "Turn"], Record | None]
"""(record, event, turn) -> the next record; None where nothing follows."""
AnyRule = TypeVar("AnyRule", bound=Rule)

LEADS_TO: Final[dict[Rule, dict[State, str]]] = {}
"""Per rule the states it may lead to, and in which case: the diagram is drawn from it, and `step` holds rules to it."""


def leads_to(cases: dict[State, str]) -> Callable[[AnyRule], AnyRule]:
    def declare(rule: AnyRule) -> AnyRule:
        LEADS_TO[rule] = cases
        return rule

    return declare


class Turn:
    """One step under way. Made by `tradeset.step`, seen by rules only."""

    __slots__ = ("actions", "now", "terms", "wall")

    def __init__(self, terms: ExecutionTerms, now: BootNs, wall: WallNs) -> None:
        self.terms = terms
        self.now = now
        self.wall = wall
        self.actions: list[Action] = []

    def do(self, *actions: Action) -> None:
        self.actions.extend(actions)

    def write(self, *rows: Row) -> None:
        """Rows of one step travel together, in order."""
        last = self.actions[-1] if self.actions else None
        if isinstance(last, RecordRows):
            self.actions[-1] = RecordRows(rows=(*last.rows, *rows))
        else:
            self.do(RecordRows(rows=rows))

    def _rows_so_far(self) -> tuple[object, ...]:
        """Take back what this step has written since its last intents: it travels with the next ones."""
        first = max((i for i, action in enumerate(self.actions, 1) if isinstance(action, CommitIntents)), default=0)
        rest = self.actions[first:]
        self.actions[first:] = [action for action in rest if not isinstance(action, RecordRows)]
        return tuple(row for action in rest if isinstance(action, RecordRows) for row in action.rows)

    def halt(self, attempt: Attempt | None, reason: str) -> None:
        self.do(Halt(reason=f"{self.terms.complete_set.set_id}: {reason}", at=self.now))
        self.write(set_rows.note(self.terms.complete_set.set_id, attempt, f"halts: {reason}", self.wall))

    def incident(self, kind: str, detail: str) -> None:
        self.do(IncidentSeen(kind=kind, set_id=self.terms.complete_set.set_id, detail=detail, at=self.now))

    # -- states ----------------------------------------------------------------------------------------------------

    def enter(self, state: type[Kind], record: UnderWay, attempt: Attempt, *, detail: str = "", **fields: Any) -> Kind:
        """The record of another state of the same attempt. Its timers run on as far as they still mean something."""
        timers = record.timers.without(TimerName.RETRY)
        if attempt.quiet:
            timers = timers.without(TimerName.ORDER)
        entered = state(attempt=attempt, past=record.past, timers=timers, **fields)
        self.write(set_rows.changed(self.terms, attempt, _state(entered), self.wall, ended=False, detail=detail))
        return entered

    def finish(self, record: UnderWay, attempt: Attempt) -> Cooldown:
        """Nothing of the attempt is open, unknown or naked: release its markets and pause."""
        until = BootNs(self.now + self.terms.cooldown_ns)
        timers = self.start(attempt, Timers(record.timers.serial), TimerName.COOLDOWN, self.terms.cooldown_ns)
        attempt = self.pay(self.net(attempt))
        self.release(attempt, until)
        return Cooldown(past=self.kept((*record.past, attempt)), timers=timers, until=until)

    def release(self, attempt: Attempt, cooling_until: BootNs) -> None:
        """Write the attempt's ending and tell everyone that its markets are free. May be told again after late news."""
        self.write(set_rows.changed(self.terms, attempt, State.COOLDOWN, self.wall, ended=True))
        self.do(
            MarketsReleased(
                attempt_id=attempt.attempt_id,
                set_id=attempt.set_id,
                spent=attempt.notional(),
                cooling_until=cooling_until,
                open_position=set_rows.open_position(self.terms, attempt),
                cash_change=set_rows.cash_change(self.terms, attempt),
                opened=sum(life.intent.purpose is Purpose.OPEN for life in attempt.orders),
            )
        )

    def net(self, attempt: Attempt) -> Attempt:
        """Write what a netting venue has turned into cash since this attempt last ended: late news may bring it
        back.
        """
        more = MicroShares(attempt.sets - attempt.netted)
        if not self.terms.nets or more <= 0:
            return attempt
        cash = MicroUsd(divide_down(self.terms.complete_set.payout * more, MICRO))
        self.write(set_rows.settled(self.terms, attempt, "netting", more, cash, self.wall))
        return replace(attempt, netted=attempt.sets)

    def pay(self, attempt: Attempt) -> Attempt:
        """Write what resolved markets have paid for what the attempt holds there, once."""
        fresh = tuple(payout for payout in attempt.payouts if not payout.booked)
        if not fresh:
            return attempt
        rows = set_rows.resolutions(self.terms, attempt, fresh, self.wall)
        if rows:
            self.write(*rows)
        return replace(attempt, payouts=tuple(replace(payout, booked=True) for payout in attempt.payouts))

    def kept(self, past: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
        """The latest attempts, and every older one that still holds something (risk bounds how many those are) or whose
        orders have not all ended: one that came back to life is not forgotten while another one runs.
        """
        older = tuple(a for a in past[:-PAST_MAX] if set_rows.open_position(self.terms, a) or not a.quiet)
        return (*older, *past[-PAST_MAX:])

    # -- timers and questions --------------------------------------------------------------------------------------

    def start(self, attempt: Attempt, timers: Timers, name: TimerName, delay_ns: int) -> Timers:
        started = timers.started(name)
        self.do(StartTimer(attempt_id=attempt.attempt_id, name=name, serial=started.serial, delay_ns=delay_ns))
        return started

    def ask_ladders(self, record: UnderWay) -> Ladders:
        """Questions are numbered by the orders and rounds before them, so that an old answer cannot pass for a new
        one.
        """
        tag = f"{record.attempt.attempt_id}/{record.timers.serial}/{len(record.attempt.orders)}/{self.now}"
        self.do(AskLadders(market_ids=self.terms.market_ids, tag=tag))
        return Ladders(tag=tag)

    def tend(self, record: Record) -> Record:
        """Book what has been paid out, and keep a probe coming for as long as something is not known. A payout is
        booked once, so not before it is certain what was held: a provisional fill may be reversed, and a merge that is
        on its way has its answer first.
        """
        if not isinstance(record, Idle | Cooldown) and record.attempt.known and not record.attempt.merging:
            record = replace(record, attempt=self.pay(record.attempt))
        if isinstance(record, Idle | Cooldown) or record.timers.runs(TimerName.PROBE) or not unsettled(record.attempt):
            return record
        delay = min(PROBE_DELAYS_NS[min(record.rung, len(PROBE_DELAYS_NS) - 1)], self._until_believed(record.attempt))
        return replace(record, timers=self.start(record.attempt, record.timers, TimerName.PROBE, delay))

    def _until_believed(self, attempt: Attempt) -> int:
        """Until the next unknown order's absence can be believed: asked just then, it need not wait for a slow rung."""
        moments = (life.visible_from for life in attempt.in_phase(Phase.UNKNOWN))
        return min((at - self.now for at in moments if at is not None and at > self.now), default=PROBE_DELAYS_NS[-1])

    # -- orders ----------------------------------------------------------------------------------------------------

    def send(self, attempt: Attempt, orders: tuple[OrderLife, ...], timers: Timers) -> tuple[Attempt, Timers]:
        """Hand orders to the ledger, which commits them and passes them on, and start the order timer."""
        orders = tuple(replace(life, intent=replace(life.intent, at=self.wall)) for life in orders)
        together = len(orders) > 1 and self.terms.batch and self.terms.complete_set.leg_policy is LegPolicy.TOGETHER
        intents = tuple(life.intent for life in orders)
        rows = self._rows_so_far()
        self.do(CommitIntents(attempt_id=attempt.attempt_id, intents=intents, together=together, rows=rows))
        started = self.start(attempt, timers, TimerName.ORDER, self.terms.order_timeout_ns)
        return attempt.with_orders(orders), started

    def doubt(self, attempt: Attempt) -> Attempt:
        """Whatever has not been answered by now is in doubt, which is news for the ledger."""
        changed = changed_orders(attempt, doubted, Phase.INTENDED, Phase.SENT)
        for before, after in zip(attempt.orders, changed.orders, strict=True):
            if after is not before:
                self.write(set_rows.order_changed(after, self.wall))
        return changed

    def cancel_live(self, attempt: Attempt) -> Attempt:
        """Ask for the end of everything that may still fill. A cancel is a request: it is repeated until answered."""
        for life in attempt.in_phase(Phase.LIVE):
            self.do(CancelOrder(intent=life.intent, venue_order_id=life.venue_order_id))
        return replace(attempt, cancelling=True)

    def probe(self, attempt: Attempt) -> None:
        for life in unsettled(attempt):
            if life.phase is Phase.LIVE:
                self.do(CancelOrder(intent=life.intent, venue_order_id=life.venue_order_id))
            self.do(ProbeOrder(intent=life.intent, venue_order_id=life.venue_order_id))

    def fold(self, attempt: Attempt, client_order_id: ClientOrderId, event: OrderFactSeen, fact: OrderFact) -> Attempt:
        """Join one fact into the order it is about; rows, counts and alarms follow only where it is news."""
        known = {life.intent.client_order_id: life for life in attempt.orders}
        before = known[client_order_id]
        after = fold(before, fact, event.at)
        if isinstance(event, SubmitAnswered):
            answered = None if isinstance(fact, OutcomeUnknown) else self.wall
            after = stamped(after, sent_at=event.sent.wall if event.sent else None, acked_at=answered)
        if after == before:
            return attempt
        changed = attempt.changed(client_order_id, lambda _: after)
        if isinstance(fact, Fill) and after.fills != before.fills:
            self.write(FillReported(venue=after.intent.venue, at=self.wall, fill=fact))
        row = set_rows.order_changed(after, self.wall)
        if replace(row, at=set_rows.order_changed(before, self.wall).at) != set_rows.order_changed(before, self.wall):
            self.write(row)
        if isinstance(fact, Refused) and fact.by_venue and before.refusal is None:
            self.incident("reject", f"{fact.code}: {fact.text}")
            if fact.barred:
                self.halt(changed, f"{after.intent.venue} refuses this account: {fact.code} {fact.text}".rstrip())
        for order, alarm in sorted(changed.alarms() - attempt.alarms()):
            self.write(set_rows.alarm(changed, order, alarm, self.wall))
            self.incident(alarm.value, f"order {order}")
            self.halt(changed, f"{alarm.value} on order {order}")
        if after.filled != before.filled:
            changed = replace(changed, stranded=False)  # what was too little to work on may be more now
        if before.gone and not after.gone:
            changed = self._mistrust(changed)
        if before.ended and not after.ended:
            changed = replace(changed, cancelling=True)  # back from the dead: nobody wants it any more
        return changed

    def _mistrust(self, attempt: Attempt) -> Attempt:
        """Something turned up that the venue did not show in time. What was believed gone on the same word is unknown
        again: mending before it is known could buy or sell the same shares twice.
        """
        orders = tuple(mistrusted(life, self.now) if life.gone else life for life in attempt.orders)
        for before, after in zip(attempt.orders, orders, strict=True):
            if after is not before:
                self.write(set_rows.order_changed(after, self.wall))
        return replace(attempt, orders=orders)


def expose(record: UnderWay, attempt: Attempt, why: str, turn: Turn) -> Exposed:
    """Halt, say so, and go on working at the slow cadence."""
    turn.incident("exposed", why)
    turn.halt(attempt, why)
    return turn.enter(Exposed, record, attempt, why=why, detail=why)


def unsettled(attempt: Attempt) -> tuple[OrderLife, ...]:
    """Orders about which the venue has to be asked: unknown, ended without a count or a price, not final, to be
    cancelled.
    """
    return tuple(
        life
        for life in attempt.orders
        if life.phase in (Phase.UNKNOWN, Phase.CLOSING)
        or life.unpriced
        or (life.ended and life.provisional)
        or (life.phase is Phase.LIVE and attempt.cancelling)
    )


def facts_of(event: OrderFactSeen) -> tuple[OrderFact, ...]:
    match event:
        case SubmitAnswered() | CancelAnswered():
            return (event.answer,)
        case ProbeAnswered():
            return (event.answer, *event.fills)
        case FillSeen():
            return (event.fill,)
        case OrderUpdated():
            return (event.seen,)


def owner_of(attempts: tuple[Attempt, ...], fact: OrderFact) -> tuple[int, ClientOrderId] | None:
    """Which attempt, and which of its orders, a fact is about; by the venue's id where it names no other."""
    named = fact.client_order_id
    for index, attempt in enumerate(attempts):
        for life in attempt.orders:
            by_venue = isinstance(fact, OrderSeen) and named is None and fact.venue_order_id in life.venue_order_ids
            if by_venue or life.intent.client_order_id == named:
                return index, life.intent.client_order_id
    return None


def changed_orders(attempt: Attempt, change: Callable[[OrderLife], OrderLife], *phases: Phase) -> Attempt:
    """The attempt with every order in one of `phases` changed."""
    orders = tuple(change(life) if life.phase in phases else life for life in attempt.orders)
    return replace(attempt, orders=orders)


def shares(size: MicroShares) -> str:
    """For people: `10 shares`."""
    return f"{text(size, 0)} shares"


def _state(record: UnderWay) -> State:
    state: State = record.state  # type: ignore[attr-defined]  # every leaf class names its own
    return state
