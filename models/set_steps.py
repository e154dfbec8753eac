"""What follows from what is known: after every event each state looks at its attempt and takes the one next step.

Level-triggered, not event-triggered: recovery after a crash runs through the very same rules, so a crash is a normal
path.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final, TypeVar

from models import set_rows
from models.attempt import Attempt
from models.book import Levels
from models.clock import SECOND
from models.legs import following_orders, opening_orders, protective_orders, still_worth_it
from models.messages import MergeSets
from models.money import PriceMicros
from models.order_life import Phase, doubted
from models.orders import AttemptId
from models.protection import LegHolding, ProtectionChoice, Remedy, choose
from models.residue import CADENCE_NS, due, held, reminded, sent
from models.set_events import AskSnapshots, Proceed
from models.set_state import (
    Cooldown,
    Exposed,
    Failed,
    Idle,
    InDoubt,
    Ladders,
    Mending,
    PartialFillProtect,
    PlacingOrders,
    Record,
    SignalDetected,
    State,
    Success,
    TimerName,
    Timers,
    UnderWay,
    WaitingFills,
)
from models.set_turn import Turn, changed_orders, expose, leads_to, shares
from models.sets import LegPolicy
from models.sizing import shown, walk

M = TypeVar("M", bound=Mending)

MAX_REMEDIES: Final = 6
"""Protective rounds at full speed; after them the residue is worked on the slow cadence."""

PAUSES_NS: Final = (SECOND // 4, SECOND // 2, SECOND, 2 * SECOND, 4 * SECOND)
"""After the first protective round, the second, and so on. An order that missed what a book displays has proved the
book wrong, so the next one waits until a snapshot has had the time to come.
"""

CLOSED_NS: Final = 2 * SECOND
"""After a round that the venue turned away because it takes no orders now. It says nothing about the books and is not
counted, for as long as `max_inflight_seconds` last.
"""

LOOK_NS: Final = SECOND // 2
"""Between looks at books that offer no way out at all (not ready, or empty), until `max_inflight_seconds` are over."""


@leads_to({State.PLACING_ORDERS: "the intents are committed"})
def placed(record: SignalDetected, _event: Proceed, turn: Turn) -> Record | None:
    if record.attempt.in_phase(Phase.INTENDED):
        return None
    return turn.enter(PlacingOrders, record, record.attempt)


@leads_to(
    {
        State.PLACING_ORDERS: "the thin leg filled: the others follow",
        State.WAITING_FILLS: "every order accepted, one may still fill",
        State.IN_DOUBT: "an answer is missing",
        State.PARTIAL_FILL_PROTECT: "legs hold unequal shares",
        State.EXPOSED: "still unknown after max_inflight_seconds",
        State.SUCCESS: "every leg filled alike",
        State.FAILED: "nothing filled",
    }
)
def judge(record: PlacingOrders | WaitingFills | InDoubt, _event: Proceed, turn: Turn) -> Record | None:
    """Given what is known of the orders, where does the attempt stand?"""
    attempt = record.attempt
    if attempt.in_phase(Phase.UNKNOWN):
        if attempt.expired:
            return expose(record, attempt, "an order is still unknown after max_inflight_seconds", turn)
        return None if isinstance(record, InDoubt) else turn.enter(InDoubt, record, attempt)
    if attempt.quiet:
        return _settled(record, turn)
    if attempt.partial:
        return turn.enter(PartialFillProtect, record, attempt)
    if attempt.in_phase(Phase.INTENDED, Phase.SENT):
        return None if isinstance(record, PlacingOrders) else turn.enter(PlacingOrders, record, attempt)
    if isinstance(record, WaitingFills):
        return None
    return turn.enter(WaitingFills, record, attempt)


def _settled(record: UnderWay, turn: Turn) -> Record:
    """Every order has ended."""
    attempt = record.attempt
    if attempt.naked:
        return _follow_or_protect(record, turn)
    return _ended(record, turn)


def _ended(record: UnderWay, turn: Turn) -> Success | Failed:
    """Every leg holds the same, sets or nothing."""
    if record.attempt.sets > 0:
        return turn.enter(Success, record, record.attempt)
    return turn.enter(Failed, record, record.attempt)


def _follow_or_protect(record: UnderWay, turn: Turn) -> Record:
    attempt = record.attempt
    thin_first = turn.terms.complete_set.leg_policy is LegPolicy.THIN_LEG_FIRST
    if thin_first and not attempt.followed and not attempt.partial and not attempt.expired:
        orders = following_orders(turn.terms, attempt)
        if orders:
            attempt, timers = turn.send(replace(attempt, followed=True), orders, record.timers)
            return PlacingOrders(attempt=attempt, past=record.past, timers=timers)
    return _protect(record, attempt, turn)


def _protect(record: UnderWay, attempt: Attempt, turn: Turn) -> PartialFillProtect:
    if not attempt.partial:
        turn.incident("partial", f"{shares(attempt.surplus)} of one leg without the others")
    partial = replace(attempt, partial=True)
    return turn.enter(PartialFillProtect, record, partial, detail=f"naked by {shares(attempt.surplus)}")


@leads_to(
    {
        State.IN_DOUBT: "a protective order was not answered",
        State.EXPOSED: "beyond max_unwind_loss, no book to mend it with, or too many rounds",
        State.SUCCESS: "completed",
        State.FAILED: "sold back",
    }
)
def mend(record: PartialFillProtect, _event: Proceed, turn: Turn) -> Record | None:
    """Work on the surplus, one question or one round of orders at a time, and never while anything is unknown."""
    return _mend(record, turn)


@leads_to({State.SUCCESS: "completed after all", State.FAILED: "sold back after all"})
def mend_slowly(record: Exposed, _event: Proceed, turn: Turn) -> Record | None:
    """The same on the slow cadence, for as long as it takes (`models/residue.py`); unknowns are waited for right
    here.
    """
    return _mend(record, turn)


def _mend(record: Mending, turn: Turn) -> Record | None:
    attempt = record.attempt
    if attempt.in_phase(Phase.UNKNOWN):
        return turn.enter(InDoubt, record, attempt) if isinstance(record, PartialFillProtect) else None
    if not attempt.quiet:
        return None
    if not attempt.naked:
        return _ended(record, turn)
    if isinstance(record, PartialFillProtect):
        if record.rested < attempt.remedies and attempt.turned_away() and record.timers.runs(TimerName.INFLIGHT):
            uncounted = replace(attempt, remedies=attempt.remedies - 1)
            return _pause(replace(record, attempt=uncounted), CLOSED_NS, turn)
        if attempt.remedies >= MAX_REMEDIES:
            return expose(record, attempt, f"still naked after {MAX_REMEDIES} protective rounds", turn)
        if record.timers.runs(TimerName.RETRY):
            return None
        if record.rested < attempt.remedies:
            return _pause(record, PAUSES_NS[min(attempt.remedies, len(PAUSES_NS)) - 1], turn)
    if record.ladders is None:
        return _ask(record, turn)
    if len(record.ladders.seen) < len(turn.terms.market_ids):
        return None
    choice = _choice(record.ladders, attempt, turn)
    return _apply_slowly(record, choice, turn) if isinstance(record, Exposed) else _apply(record, choice, turn)


def _ask(record: Mending, turn: Turn) -> Record | None:
    """On the slow cadence the retry timer guards the answers too: without them it asks again."""
    timers = record.timers
    if isinstance(record, Exposed):
        if timers.runs(TimerName.RETRY):
            return None
        timers = turn.start(record.attempt, timers, TimerName.RETRY, CADENCE_NS)
    return replace(record, timers=timers, ladders=turn.ask_ladders(record))


def _pause(record: PartialFillProtect, delay_ns: int, turn: Turn) -> PartialFillProtect:
    """Have the books read anew, and look at them when that has had its time."""
    turn.do(AskSnapshots(market_ids=turn.terms.market_ids))
    timers = turn.start(record.attempt, record.timers, TimerName.RETRY, delay_ns)
    return replace(record, timers=timers, ladders=None)


def _choice(ladders: Ladders, attempt: Attempt, turn: Turn) -> ProtectionChoice:
    terms = turn.terms
    seen = {s.top.market_id: s for s in ladders.seen}
    legs = []
    for index, leg in enumerate(terms.legs):
        book = seen[leg.market.market_id]
        fresh = turn.now - book.top.evidence_at <= terms.max_book_age_ns
        legs.append(
            LegHolding(
                market=leg.market,
                held=attempt.held(index),
                paid=attempt.paid_for_held(index),
                ready=book.top.not_ready is None and fresh and not book.top.crossed,
                bids=book.bids(leg.outcome),
                asks=book.asks(leg.outcome),
            )
        )
    return choose(legs, payout=terms.complete_set.payout, lot=terms.lot, cap=terms.max_unwind_loss)


def _apply(record: PartialFillProtect, choice: ProtectionChoice, turn: Turn) -> Record:
    attempt = record.attempt
    if _may_wait(record, choice):
        if not record.looks:
            turn.write(set_rows.protection(attempt, choice, turn.wall))
        return _pause(replace(record, looks=record.looks + 1), LOOK_NS, turn)
    turn.write(set_rows.protection(attempt, choice, turn.wall))
    if choice.remedy is not Remedy.HOLD:
        return _protect_by(record, choice, turn)
    if choice.untradable:
        return _strand(record, turn)
    return expose(record, attempt, choice.why, turn)


def _apply_slowly(record: Exposed, choice: ProtectionChoice, turn: Turn) -> Record:
    """One look of the slow cadence. What it finds becomes orders where that is due, and rows where it is news."""
    attempt, naked = record.attempt, record.attempt.surplus
    work, remind = reminded(attempt.slow, turn.now)
    if remind:
        turn.incident("exposed", f"{shares(naked)} still naked after {attempt.remedies} protective rounds")
    if choice.remedy is Remedy.HOLD:
        work, news = held(work, choice.why, turn.now)
        if news or choice.untradable:
            turn.write(set_rows.protection(attempt, choice, turn.wall))
        looked = replace(record, ladders=None, attempt=replace(attempt, slow=work))
        return _strand(looked, turn) if choice.untradable else looked
    if not due(work, choice, naked, turn.now, flatly=attempt.refused_flatly()):
        return replace(record, ladders=None, attempt=replace(attempt, slow=work))
    turn.write(set_rows.protection(attempt, choice, turn.wall))
    work = sent(work, choice, naked, turn.now)
    return _protect_by(replace(record, attempt=replace(attempt, slow=work)), choice, turn)


def _protect_by(record: M, choice: ProtectionChoice, turn: Turn) -> M:
    """Send the orders of one protective round."""
    attempt = replace(record.attempt, remedies=record.attempt.remedies + 1, remedy_from=len(record.attempt.orders))
    attempt, timers = turn.send(attempt, protective_orders(turn.terms, attempt, choice), record.timers)
    return replace(record, attempt=attempt, timers=timers, ladders=None)


def _strand(record: M, turn: Turn) -> M:
    turn.incident("stranded", f"{shares(record.attempt.surplus)} are less than the venue trades")
    return replace(record, attempt=replace(record.attempt, stranded=True), ladders=None)


def _may_wait(record: PartialFillProtect, choice: ProtectionChoice) -> bool:
    """No way out is allowed now, one cannot even be priced (a feed that dropped, a venue that restarts, a book that is
    empty), and the attempt still has time: what is unavailable now may be the cheap one in a moment.
    """
    unavailable = (choice.complete is None or choice.unwind is None) and not choice.untradable
    return choice.remedy is Remedy.HOLD and unavailable and record.timers.runs(TimerName.INFLIGHT)


@leads_to(
    {
        State.PARTIAL_FILL_PROTECT: "a fill was reversed",
        State.FAILED: "a fill was reversed after the market had resolved",
        State.COOLDOWN: "every fill priced and final, merged if possible",
    }
)
def close_success(record: Success, _event: Proceed, turn: Turn) -> Record | None:
    attempt = record.attempt
    if attempt.naked:
        return _protect(record, attempt, turn)
    if attempt.sets <= 0:
        return turn.enter(Failed, record, attempt)
    if not attempt.known:
        return None
    if turn.terms.merges and attempt.sets > 0 and not attempt.merge_asked and not attempt.paid_out:
        market_id = turn.terms.market_ids[0]
        turn.do(MergeSets(attempt_id=attempt.attempt_id, set_id=attempt.set_id, market_id=market_id, size=attempt.sets))
        return replace(record, attempt=replace(attempt, merge_asked=True))
    if attempt.merging:
        return None
    return turn.finish(record, attempt)


@leads_to(
    {
        State.SIGNAL_DETECTED: "a clean miss, and the gap is still there",
        State.PARTIAL_FILL_PROTECT: "a late fill",
        State.SUCCESS: "late fills on every leg",
        State.COOLDOWN: "no further try",
    }
)
def close_failed(record: Failed, _event: Proceed, turn: Turn) -> Record | None:
    attempt = record.attempt
    if attempt.naked:
        return _protect(record, attempt, turn)
    if attempt.sets > 0:
        return turn.enter(Success, record, attempt)
    if not attempt.known:
        return None
    if not _may_retry(attempt, turn):
        return turn.finish(record, attempt)
    if record.ladders is None:
        return replace(record, ladders=turn.ask_ladders(record))
    if len(record.ladders.seen) < len(turn.terms.market_ids):
        return None
    return _retry(record, record.ladders, turn)


def _may_retry(attempt: Attempt, turn: Turn) -> bool:
    """Only a clean miss: every order was taken by the venue, none filled, none was ever in doubt."""
    clean = all(o.accepted and not o.filled and not o.doubted and o.refusal is None for o in attempt.orders)
    spent = attempt.expired or attempt.partial or attempt.tries >= turn.terms.max_attempts_per_round
    return bool(attempt.orders) and clean and not spent


def _retry(record: Failed, ladders: Ladders, turn: Turn) -> Record:
    attempt, terms = record.attempt, turn.terms
    seen = {s.top.market_id: s for s in ladders.seen}
    offers: list[Levels] = []
    for leg, ask, reach in zip(terms.legs, attempt.asks, attempt.reach, strict=True):
        book = seen[leg.market.market_id]
        fresh = book.top.not_ready is None and turn.now - book.top.evidence_at <= terms.max_book_age_ns
        asks = book.asks(leg.outcome)
        # What was to be had at the best ask alone is tried there alone again; what was not, as deep as approved.
        asks = asks[:1] if reach == ask else asks
        if not fresh or book.top.crossed or shown(asks, reach) < attempt.size:
            return turn.finish(record, attempt)
        offers.append(asks)
    reaches = tuple(walk(a, leg.market.fees, attempt.size).reach for a, leg in zip(offers, terms.legs, strict=True))
    if not still_worth_it(terms, attempt, reaches):
        return turn.finish(record, attempt)
    attempt = replace(
        attempt,
        asks=tuple(PriceMicros(asks[0][0]) for asks in offers),
        reach=reaches,
        depths=tuple(shown(asks, reach) for asks, reach in zip(offers, reaches, strict=True)),
        tries=attempt.tries + 1,
        try_from=len(attempt.orders),
        followed=False,
        cancelling=False,
    )
    orders = opening_orders(terms, attempt)
    if not orders:
        return turn.finish(record, record.attempt)
    turn.write(set_rows.note(attempt.set_id, attempt, f"try {attempt.tries} at the same or better asks", turn.wall))
    attempt, timers = turn.send(attempt, orders, record.timers)
    return SignalDetected(attempt=attempt, past=record.past, timers=timers)


@leads_to(
    {
        State.PARTIAL_FILL_PROTECT: "a fill or a reversal came after the end",
        State.WAITING_FILLS: "an order came alive after the end",
        State.IN_DOUBT: "an order that was believed gone is unknown again",
    }
)
def reopen(record: Idle | Cooldown, _event: Proceed, turn: Turn) -> Record | None:
    """An ended attempt turned out to be naked, or one of its orders not to have ended: it comes back, what rests is
    cancelled, and what is naked is protected like any other.
    """
    late = next((attempt for attempt in record.past if attempt.naked or not attempt.quiet), None)
    if late is None:
        return None
    past = tuple(attempt for attempt in record.past if attempt is not late)
    again = replace(late, began=turn.now)
    return _take_up(again, past, record.timers.without(TimerName.COOLDOWN), "news after the end", turn)


def recover(attempts: tuple[Attempt, ...], unfinished: Collection[AttemptId], turn: Turn) -> Record:
    """Where a set stands after a restart. Nothing opens, follows or is tried again in an attempt that is taken up:
    what is live is cancelled, what is unknown is asked for, what is naked is protected, what is even is ended.
    """
    doubtful = [changed_orders(a, doubted, Phase.INTENDED, Phase.SENT) for a in attempts]
    open_ones = [a for a in doubtful if a.attempt_id in unfinished or not a.quiet or a.naked or a.provisional]
    if not open_ones:
        return Idle(past=turn.kept(tuple(doubtful)))
    past = turn.kept(tuple(a for a in doubtful if a is not open_ones[-1]))
    return _take_up(open_ones[-1], past, Timers(), "found unfinished after a restart", turn)


def _take_up(attempt: Attempt, past: tuple[Attempt, ...], timers: Timers, why: str, turn: Turn) -> Record:
    """Work on an attempt again that was over, or that the last process has left."""
    again = replace(attempt, followed=True, cancelling=True, expired=False, tries=turn.terms.max_attempts_per_round)
    turn.incident("recovered", why)
    timers = turn.start(again, timers, TimerName.INFLIGHT, turn.terms.max_inflight_ns)
    record = UnderWay(attempt=again, past=past, timers=timers)
    if again.in_phase(Phase.UNKNOWN):
        return turn.enter(InDoubt, record, again, detail=why)
    if not again.quiet:
        return turn.enter(WaitingFills, record, again, detail=why)
    return _protect(record, again, turn) if again.naked else _ended(record, turn)
