"""What each event means for the money: approvals, facts and timers. `models/tradeset.py` says which rule applies when.

A rule takes the record, the event and the turn, puts the actions it wants into the turn and returns the next record.
Facts are only learned here; what follows from them is decided by the rules of `models/set_steps.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from models import set_rows
from models.attempt import Attempt, Payout
from models.legs import opening_orders
from models.messages import (
    ApprovedSet,
    CommitFailed,
    IntentsCommitted,
    LaddersSeen,
    MarketResolved,
    MarketsReleased,
    MergeAnswered,
    ProbeAnswered,
    ProbeOrder,
    StreamRestored,
)
from models.money import MicroShares, MicroUsd, PriceMicros
from models.order_life import Phase, committed, fold
from models.orders import OrderSeen, ProbeFailed, Refused
from models.residue import after_news
from models.set_events import CooldownEnded, Halt, InflightExpired, OrderFactSeen, OrderTimedOut, ProbeDue, RetryDue
from models.set_state import (
    Cooldown,
    Exposed,
    Failed,
    Idle,
    InDoubt,
    Mending,
    PartialFillProtect,
    PlacingOrders,
    Record,
    SignalDetected,
    State,
    Success,
    TimerName,
    UnderWay,
    WaitingFills,
)
from models.set_turn import Turn, expose, facts_of, leads_to, owner_of, shares
from models.sizing import shown

Running = SignalDetected | PlacingOrders | WaitingFills | InDoubt | PartialFillProtect | Exposed | Success | Failed
R = TypeVar("R", bound=Record)
U = TypeVar("U", bound=Running)


# -- the beginning and the end


@leads_to({State.SIGNAL_DETECTED: "approved by risk", State.FAILED: "the limits would not leave min_edge"})
def begin(record: Idle, event: ApprovedSet, turn: Turn) -> Record:
    """Take the set on: write the attempt down, then hand its opening orders to the ledger."""
    tops, legs, reach = event.opportunity.tops, turn.terms.legs, event.opportunity.decision.reach
    attempt = Attempt(
        attempt_id=event.attempt_id,
        opportunity_id=event.opportunity.opportunity_id,
        set_id=event.opportunity.set_id,
        size=event.size,
        reserved=event.reserved,
        asks=tuple(PriceMicros(top.ask(leg.outcome) or 0) for top, leg in zip(tops, legs, strict=True)),
        reach=reach,
        depths=tuple(shown(t.ladder(leg.outcome), price) for t, leg, price in zip(tops, legs, reach, strict=True)),
        fees=tuple(leg.market.fees for leg in legs),
        began=turn.now,
    )
    turn.write(set_rows.opened(turn.terms, attempt, turn.wall))
    orders = opening_orders(turn.terms, attempt)
    timers = turn.start(attempt, record.timers, TimerName.INFLIGHT, turn.terms.max_inflight_ns)
    if not orders:
        idle = UnderWay(attempt=attempt, past=record.past, timers=timers)
        return turn.enter(Failed, idle, attempt, detail="the limits would not leave min_edge")
    attempt, timers = turn.send(attempt, orders, timers)
    return SignalDetected(attempt=attempt, past=record.past, timers=timers)


@leads_to(
    {State.SIGNAL_DETECTED: "approved just as the pause ended", State.FAILED: "the limits would not leave min_edge"}
)
def begin_if_cooled(record: Cooldown, event: ApprovedSet, turn: Turn) -> Record | None:
    """The pause may have ended for risk a moment before its timer fires here."""
    if turn.now >= record.until:
        timers = record.timers.without(TimerName.COOLDOWN)
        return begin(Idle(past=record.past, timers=timers), event, turn)
    return turn_away(record, event, turn)


@leads_to({})
def turn_away(record: R, event: ApprovedSet, turn: Turn) -> R:
    """An earlier attempt of this set has come back to life (a late fill, a reversal): release the new one untouched."""
    until = record.until if isinstance(record, Cooldown) else turn.now
    turn.write(set_rows.note(event.opportunity.set_id, None, f"turned away {event.attempt_id}", turn.wall))
    turn.do(
        MarketsReleased(
            attempt_id=event.attempt_id,
            set_id=event.opportunity.set_id,
            spent=MicroUsd(0),
            cooling_until=until,
            open_position=False,
        )
    )
    return record


@leads_to({State.IDLE: "cooldown_seconds have passed"})
def go_idle(record: Cooldown, _event: CooldownEnded, _turn: Turn) -> Idle:
    return Idle(past=record.past, timers=record.timers.without(TimerName.COOLDOWN))


# -- facts


@leads_to({})
def note_commit(record: Record, event: IntentsCommitted, turn: Turn) -> Record:
    """The rows are on disk and the lanes have them. May arrive after the venue's own answer."""
    ids = {c.intent.client_order_id for c in event.committed}

    def noted(attempt: Attempt) -> Attempt:
        lives = (committed(o, turn.now) if o.intent.client_order_id in ids else o for o in attempt.orders)
        return replace(attempt, orders=tuple(lives))

    past = tuple(noted(attempt) for attempt in record.past)
    if isinstance(record, Idle | Cooldown):
        return replace(record, past=past)
    return replace(record, past=past, attempt=noted(record.attempt))


@leads_to({})
def note_commit_failed(record: U, event: CommitFailed, turn: Turn) -> U:
    """Nothing was sent: as good as a refusal, by ourselves."""
    attempt = record.attempt
    for life in attempt.in_phase(Phase.INTENDED, Phase.UNKNOWN):
        if event.attempt_id != attempt.attempt_id or life.committed_at is not None:
            continue
        own = life.intent.client_order_id
        refusal = Refused(client_order_id=own, code="commit_failed", text=event.why, by_venue=False)
        attempt = attempt.changed(own, lambda o, r=refusal: fold(o, r, turn.now))  # type: ignore[misc]
    return replace(record, attempt=attempt)


@leads_to({})
def learn(record: Record, event: OrderFactSeen, turn: Turn) -> Record:
    """Fold a fact about an order into the attempt that owns it, be it over or not. Money that arrived is never an
    error.
    """
    attempts = record.past if isinstance(record, Idle | Cooldown) else (*record.past, record.attempt)
    current = len(record.past)
    for fact in facts_of(event):
        owner = owner_of(attempts, fact)
        if owner is None:
            turn.incident("stray", f"{type(fact).__name__} about an order that this set does not know")
            turn.halt(None, f"stray {type(fact).__name__}")
            continue
        if isinstance(fact, ProbeFailed) and fact.barred:
            set_id = turn.terms.complete_set.set_id
            turn.do(Halt(reason=f"{set_id}: the venue refuses this account: {fact.why}", at=turn.now))
        index, client_order_id = owner
        before = attempts[index]
        after = turn.fold(before, client_order_id, event, fact)
        attempts = (*attempts[:index], after, *attempts[index + 1 :])
        if index < current and after is not before:
            _note_late(turn, before, after)
    past = attempts[:current]
    if isinstance(record, Idle | Cooldown):
        return replace(record, past=past)
    absent = isinstance(event, ProbeAnswered) and not isinstance(event.answer, OrderSeen)
    news = attempts[-1] is not record.attempt and not absent
    return replace(record, past=past, attempt=attempts[-1], rung=0 if news else record.rung)


def _note_late(turn: Turn, before: Attempt, after: Attempt) -> None:
    """An ended attempt changed. If it is naked now, everything halts and it is protected as soon as the set is free."""
    if after.holdings != before.holdings:
        turn.write(set_rows.changed(turn.terms, after, State.COOLDOWN, turn.wall, ended=not after.naked, detail="late"))
    if after.naked and not before.naked:
        turn.halt(after, f"an ended attempt is naked by {shares(after.surplus)}")


@leads_to({})
def look(record: Mending | Failed, event: LaddersSeen, _turn: Turn) -> Mending | Failed:
    """One market's fresh ladders. Answers to an older question are dropped."""
    asked = record.ladders
    if asked is None or asked.tag != event.tag or any(s.top.market_id == event.top.market_id for s in asked.seen):
        return record
    return replace(record, ladders=replace(asked, seen=(*asked.seen, event)))


@leads_to({})
def note_merge(record: Record, event: MergeAnswered, turn: Turn) -> Record:
    """Cash back, or an answer that nobody can read: then the sets count as held and the reconcile finds out.

    A lane that was given up may still answer after the end, and about an earlier attempt than the present one.
    """
    past = tuple(_merged_late(a, event, record, turn) if a.attempt_id == event.attempt_id else a for a in record.past)
    if isinstance(record, Idle | Cooldown):
        return replace(record, past=past)
    attempt = record.attempt
    return replace(
        record, past=past, attempt=_merged(attempt, event, turn) if attempt.attempt_id == event.attempt_id else attempt
    )


def _merged(attempt: Attempt, event: MergeAnswered, turn: Turn) -> Attempt:
    if event.cash is None:
        if not attempt.merge_answered:
            turn.incident("merge_unknown", event.why)
        return replace(attempt, merge_answered=True)
    left = MicroShares(0 if any(payout.booked for payout in attempt.payouts) else attempt.sets - attempt.merged)
    size = left if event.size is None else event.size
    if not 0 < size <= left:  # told twice, or paid out: a resolved set is worth what it merges into
        return replace(attempt, merge_answered=True)
    turn.write(set_rows.settled(turn.terms, attempt, "merge", size, event.cash, turn.wall))
    merged, cash = MicroShares(attempt.merged + size), MicroUsd(attempt.merged_cash + event.cash)
    return replace(attempt, merge_answered=True, merged=merged, merged_cash=cash)


def _merged_late(attempt: Attempt, event: MergeAnswered, record: Record, turn: Turn) -> Attempt:
    merged = _merged(attempt, event, turn)
    if merged.merged != attempt.merged:
        turn.release(merged, record.until if isinstance(record, Cooldown) else turn.now)
    return merged


@leads_to({})
def pay_out(record: Record, event: MarketResolved, turn: Turn) -> Record:
    """A market has resolved: held sets become cash, and what was naked there is worth what it pays."""
    if event.market_id not in turn.terms.market_ids:
        return record
    past = []
    for attempt in record.past:
        paid = _paid(attempt, event, turn)
        if paid is not attempt and set_rows.open_position(turn.terms, attempt):
            paid = turn.pay(paid)
            if paid.paid_out:
                turn.release(paid, record.until if isinstance(record, Cooldown) else turn.now)
        past.append(paid)
    if isinstance(record, Idle | Cooldown):
        return replace(record, past=tuple(past))
    return replace(record, past=tuple(past), attempt=_paid(record.attempt, event, turn))


def _paid(attempt: Attempt, event: MarketResolved, turn: Turn) -> Attempt:
    if any(payout.market_id == event.market_id for payout in attempt.payouts):
        return attempt
    payout = Payout(market_id=event.market_id, yes_pays=event.yes_pays, winner=event.winner)
    payouts = (*attempt.payouts, payout)
    everything = {p.market_id for p in payouts}.issuperset(turn.terms.market_ids)
    return replace(attempt, payouts=payouts, paid_out=everything)


@leads_to({})
def ignore(record: R, _event: object, _turn: Turn) -> R:
    """Late news that changes nothing."""
    return record


# -- timers


@leads_to({})
def doubt_or_cancel(record: U, _event: OrderTimedOut, turn: Turn) -> U:
    """What has not been answered is in doubt from now on (never rejected); what is live is cancelled."""
    attempt = turn.doubt(record.attempt)
    return replace(record, attempt=turn.cancel_live(attempt), timers=record.timers.without(TimerName.ORDER))


@leads_to({})
def expire(record: U, _event: InflightExpired, turn: Turn) -> U:
    """The attempt has had its time: nothing opens any more, what is live is cancelled, an exposure halts everything."""
    attempt = replace(turn.cancel_live(turn.doubt(record.attempt)), expired=True)
    exposed = attempt.worst_surplus()
    if exposed and not attempt.stranded:
        turn.incident("inflight", f"up to {shares(exposed)} naked after max_inflight_seconds")
        turn.halt(attempt, f"up to {shares(exposed)} unhedged after max_inflight_seconds")
    return replace(record, attempt=attempt, timers=record.timers.without(TimerName.INFLIGHT))


@leads_to({State.EXPOSED: "max_inflight_seconds have passed"})
def give_up_speed(record: PartialFillProtect, event: InflightExpired, turn: Turn) -> Record:
    expired = expire(record, event, turn)
    assert isinstance(expired, PartialFillProtect)
    return expose(expired, expired.attempt, "not protected within max_inflight_seconds", turn)


@leads_to({})
def ask_again(record: U, _event: ProbeDue, turn: Turn) -> U:
    """The next rung of the probe ladder: ask about everything that is not known. Nothing is ever sent again."""
    turn.probe(record.attempt)
    return replace(record, rung=record.rung + 1, timers=record.timers.without(TimerName.PROBE))


@leads_to({})
def ask_all(record: U, _event: StreamRestored, turn: Turn) -> U:
    """The user stream was away: whatever has not ended may have moved meanwhile."""
    for life in record.attempt.orders:
        if not life.ended and life.committed_at is not None:
            turn.do(ProbeOrder(intent=life.intent, venue_order_id=life.venue_order_id))
    return replace(record, attempt=replace(record.attempt, slow=after_news(record.attempt.slow)))


@leads_to({})
def pause_over(record: PartialFillProtect, _event: RetryDue, _turn: Turn) -> PartialFillProtect:
    """Time to look at the books again after a protective round, or after a look that found no way out."""
    timers = record.timers.without(TimerName.RETRY)
    return replace(record, ladders=None, timers=timers, rested=record.attempt.remedies)


@leads_to({})
def look_again(record: Exposed, _event: RetryDue, _turn: Turn) -> Exposed:
    return replace(record, ladders=None, timers=record.timers.without(TimerName.RETRY))
