"""The life of one order: everything that anybody said about it, folded without regard to order or repetition.

Facts arrive from four places (the answer to the submit, the user stream, probes, cancels), twice, late and in any
order. So nothing here is a step of a sequence: each fact only *joins* what is known (a set grows, a maximum rises, a
flag goes up), which makes `fold` commutative and idempotent (I14), and the phase is computed from what is known, never
stored.

    INTENDED -> SENT -> LIVE -> CLOSING -> ENDED         a healthy order passes some of these
                  \\-> UNKNOWN -> any of them             nobody can say; counts as full exposure

`CLOSING` knows that nothing more can fill but not yet how much did. `ENDED` may still gain: a fill that beats a cancel,
or that turns up after the venue denied knowing the order, is booked and rings an alarm.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Final

from models.clock import BootNs, WallNs
from models.fees import FeeSchedule, taker_fee
from models.market import Action
from models.money import MicroShares, MicroUsd, cost_rounded_up, proceeds_rounded_down
from models.orders import (
    Accepted,
    CancelAnswer,
    CancelResult,
    Fill,
    FillState,
    OrderIntent,
    OrderNotFound,
    OrderSeen,
    OutcomeUnknown,
    ProbeFailed,
    Refused,
    VenueOrderId,
    VenueOrderStatus,
)

OrderFact = Accepted | Refused | OutcomeUnknown | OrderSeen | OrderNotFound | ProbeFailed | CancelAnswer | Fill

SOURCES_FOR_ABSENCE: Final = 2
"""Absence is believed from this many different sources, each asked after the visibility horizon (V08)."""

FEE_SLACK: Final = MicroUsd(10_000)
"""Per execution, beside a quarter of the fee: venues round each one, and some the whole cash flow."""

_RANK = {FillState.PROVISIONAL: 0, FillState.FINAL: 1, FillState.REVERSED: 2}


class Phase(enum.StrEnum):
    INTENDED = "intended"
    """Not known to be committed: no byte has left."""
    SENT = "sent"
    """Committed and with the lanes, no answer yet."""
    LIVE = "live"
    CLOSING = "closing"
    UNKNOWN = "unknown"
    ENDED = "ended"


class Alarm(enum.StrEnum):
    """What must never happen and did. Each one halts."""

    OVERFILL = "overfill"
    WORSE_THAN_LIMIT = "worse_than_limit"
    TWO_VENUE_ORDERS = "two_venue_orders"
    REFUSED_BUT_ALIVE = "refused_but_alive"
    FILLED_AFTER_END = "filled_after_end"
    FILLS_DISAGREE = "fills_disagree"
    FINAL_REVERSED = "final_reversed"
    FEE_ABOVE_SCHEDULE = "fee_above_schedule"
    """Every decision stands on the schedule: with another one in force the sets that look good may lose (V05)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLife:
    """One order and all that is known about it. Every field only grows."""

    intent: OrderIntent
    patience_ns: int
    """After the commit, until no lane may still send it: the lanes' total deadline."""
    horizon_ns: int
    """How long the venue may hide an accepted order from reads (`Capabilities.visibility_horizon_s`)."""
    committed_at: BootNs | None = None
    accepted: bool = False
    venue_order_ids: frozenset[VenueOrderId] = frozenset()
    refusal: Refused | None = None
    doubted: bool = False
    """A submit without a readable answer, or without any within the order timeout."""
    counted: MicroShares = MicroShares(0)
    """Largest cumulative fill that the venue has named."""
    finished: bool = False
    """The venue says that nothing more can fill."""
    mistrusted_at: BootNs | None = None
    """When a sister order turned up that had been denied just like this one: absence has to be shown anew."""
    final_count: MicroShares | None = None
    """The cumulative fill that came with that word; None where it came without a number."""
    not_shown: tuple[tuple[str, BootNs], ...] = ()
    """Sources that did not show the order, with the latest time at which each was asked, by name."""
    fills: tuple[Fill, ...] = ()
    """One per venue trade, by id."""
    disagreed: bool = False
    final_reversed: bool = False
    sent_at: WallNs | None = None
    """For the ledger only: when the first byte left, and when the venue answered."""
    acked_at: WallNs | None = None

    # -- what follows from it --------------------------------------------------------------------------------------

    @property
    def by_fills(self) -> MicroShares:
        """Shares for which an execution that stands is known in detail."""
        if not self.fills:
            return MicroShares(0)
        return MicroShares(sum(f.size for f in self.fills if f.state is not FillState.REVERSED))

    @property
    def reversed_size(self) -> MicroShares:
        if not self.fills:
            return MicroShares(0)
        return MicroShares(sum(f.size for f in self.fills if f.state is FillState.REVERSED))

    @property
    def filled(self) -> MicroShares:
        """Shares filled as far as known: the executions, or the venue's own count less what was reversed."""
        if not self.fills:
            return self.counted
        return MicroShares(max(self.by_fills, self.counted - self.reversed_size))

    @property
    def denied(self) -> bool:
        """Enough different sources did not show it, asked after the last moment at which it could have been sent plus
        the horizon."""
        visible_from = self.visible_from
        if visible_from is None:
            return False
        return sum(at >= visible_from for _, at in self.not_shown) >= SOURCES_FOR_ABSENCE

    @property
    def gone(self) -> bool:
        """Its end rests on nothing but that nobody shows it."""
        return self.denied and not self._seen_alive and self.refusal is None

    @property
    def visible_from(self) -> BootNs | None:
        """From when on not being shown says something; None while it is not known to be committed."""
        if self.committed_at is None:
            return None
        from_ns = self.committed_at + self.patience_ns + self.horizon_ns
        if self.mistrusted_at is not None:
            from_ns = max(from_ns, self.mistrusted_at + self.horizon_ns)
        return BootNs(from_ns)

    @property
    def phase(self) -> Phase:
        size = self.intent.size
        if self.final_count is not None or self.by_fills + self.reversed_size >= size or self.counted >= size:
            return Phase.ENDED
        if self.refusal is not None and not self._seen_alive:
            return Phase.ENDED
        if self.denied and (self.finished or not self._seen_alive):
            return Phase.ENDED
        if self.finished:
            return Phase.CLOSING
        if self.accepted:
            return Phase.LIVE
        if self.doubted or self._seen_alive:
            return Phase.UNKNOWN
        return Phase.INTENDED if self.committed_at is None else Phase.SENT

    @property
    def ended(self) -> bool:
        return self.phase is Phase.ENDED

    @property
    def may_still_fill(self) -> MicroShares:
        """Shares that could come on top of `filled` in the worst case."""
        return MicroShares(0 if self.ended else max(0, self.intent.size - self.filled))

    @property
    def provisional(self) -> bool:
        """A fill that stands may still be reversed."""
        return any(f.state is FillState.PROVISIONAL for f in self.fills)

    @property
    def unpriced(self) -> MicroShares:
        """Shares known to be filled whose executions have not been seen."""
        return MicroShares(self.filled - self.by_fills)

    @property
    def venue_order_id(self) -> VenueOrderId | None:
        return min(self.venue_order_ids, default=None)

    @property
    def _seen_alive(self) -> bool:
        return self.accepted or self.counted > 0 or bool(self.fills)

    def alarms(self) -> frozenset[Alarm]:
        found = set()
        limit, buys = self.intent.limit_price, self.intent.action is Action.BUY
        if max(self.by_fills, self.counted) > self.intent.size:
            found.add(Alarm.OVERFILL)
        if any((f.price > limit) if buys else (f.price < limit) for f in self.fills):
            found.add(Alarm.WORSE_THAN_LIMIT)
        if len(self.venue_order_ids) > 1:
            found.add(Alarm.TWO_VENUE_ORDERS)
        if self.refusal is not None and self._seen_alive:
            found.add(Alarm.REFUSED_BUT_ALIVE)
        if self.final_count is not None and self.by_fills + self.reversed_size > self.final_count:
            found.add(Alarm.FILLED_AFTER_END)
        if self.denied and self._seen_alive and not self.finished:
            found.add(Alarm.FILLED_AFTER_END)
        if self.disagreed:
            found.add(Alarm.FILLS_DISAGREE)
        if self.final_reversed:
            found.add(Alarm.FINAL_REVERSED)
        return frozenset(found)

    # -- money -----------------------------------------------------------------------------------------------------

    def gross(self) -> MicroUsd:
        """Dollars paid (BUY) or received (SELL) without fees. What is filled but not seen in detail counts at the
        limit.
        """
        rounded = cost_rounded_up if self.intent.action is Action.BUY else proceeds_rounded_down
        total = sum(rounded(f.price, f.size) for f in self.fills if f.state is not FillState.REVERSED)
        return MicroUsd(total + rounded(self.intent.limit_price, self.unpriced))

    def fees(self, schedule: FeeSchedule) -> MicroUsd:
        """Fees as charged; the schedule's worst case where the venue has not named them yet."""
        total = sum(
            taker_fee(schedule, f.price, f.size) if f.fee is None else f.fee
            for f in self.fills
            if f.state is not FillState.REVERSED
        )
        return MicroUsd(total + taker_fee(schedule, self.intent.limit_price, self.unpriced))

    def overcharged(self, schedule: FeeSchedule) -> bool:
        """Whether the venue has charged clearly more for an execution than the schedule says."""
        charged = (f for f in self.fills if f.fee is not None)
        return any((f.fee or 0) > taker_fee(schedule, f.price, f.size) * 5 // 4 + FEE_SLACK for f in charged)

    def worst_cost(self, schedule: FeeSchedule) -> MicroUsd:
        """Most that a BUY can still come to cost with fees: what is filled, plus what may fill at the limit (I9)."""
        open_size = self.may_still_fill
        limit = self.intent.limit_price
        more = cost_rounded_up(limit, open_size) + taker_fee(schedule, limit, open_size)
        return MicroUsd(self.gross() + self.fees(schedule) + more)


def committed(life: OrderLife, at: BootNs) -> OrderLife:
    """The ledger has it and the lanes may send it."""
    first = at if life.committed_at is None else min(at, life.committed_at)
    return life if first == life.committed_at else replace(life, committed_at=first)


def doubted(life: OrderLife) -> OrderLife:
    """Our patience ended without an answer. Not a rejection."""
    return life if life.doubted else replace(life, doubted=True)


def mistrusted(life: OrderLife, at: BootNs) -> OrderLife:
    """A venue that has hidden a sister order for longer than it promises may hide this one as well."""
    return replace(life, doubted=True, mistrusted_at=max(at, life.mistrusted_at or at))


def stamped(life: OrderLife, *, sent_at: WallNs | None, acked_at: WallNs | None) -> OrderLife:
    """Remember when it left and when it was answered; the earliest of each."""
    return replace(
        life,
        sent_at=min((t for t in (life.sent_at, sent_at) if t is not None), default=None),
        acked_at=min((t for t in (life.acked_at, acked_at) if t is not None), default=None),
    )


def fold(life: OrderLife, fact: OrderFact, at: BootNs) -> OrderLife:
    """Join one fact, learned at `at`. Any order and any repetition of the same facts gives the same life."""
    if not isinstance(fact, (OrderNotFound, ProbeFailed)):
        life = committed(life, at)
    match fact:
        case Accepted():
            return _join_accepted(life, fact)
        case Refused():
            known = (fact,) if life.refusal is None else (life.refusal, fact)
            return replace(life, refusal=min(known, key=lambda r: (not r.by_venue, r.code, r.text)))
        case OutcomeUnknown():
            return doubted(life)
        case OrderSeen():
            return _join_seen(life, fact)
        case OrderNotFound():
            return _join_absence(life, fact, at)
        case ProbeFailed():
            return life
        case CancelAnswer():
            return replace(life, finished=True) if fact.result is CancelResult.CANCELLED else life
        case Fill():
            return _join_fill(life, fact)


def _join_accepted(life: OrderLife, fact: Accepted) -> OrderLife:
    filled = fact.filled
    final = life.final_count
    if fact.done and filled is not None:
        final = MicroShares(max(filled, final or 0))
    return replace(
        life,
        accepted=True,
        venue_order_ids=life.venue_order_ids | {fact.venue_order_id},
        counted=MicroShares(max(life.counted, filled or 0)),
        finished=life.finished or fact.done,
        final_count=final,
    )


def _join_seen(life: OrderLife, fact: OrderSeen) -> OrderLife:
    done = fact.status is VenueOrderStatus.DONE
    return replace(
        life,
        accepted=True,
        venue_order_ids=life.venue_order_ids | {fact.venue_order_id},
        counted=MicroShares(max(life.counted, fact.filled)),
        finished=life.finished or done,
        final_count=MicroShares(max(fact.filled, life.final_count or 0)) if done else life.final_count,
    )


def _join_absence(life: OrderLife, fact: OrderNotFound, at: BootNs) -> OrderLife:
    asked = dict(life.not_shown)
    asked[fact.source] = max(at, asked.get(fact.source, at))
    return replace(life, not_shown=tuple(sorted(asked.items())))


def _join_fill(life: OrderLife, fill: Fill) -> OrderLife:
    known = {f.venue_trade_id: f for f in life.fills}
    before = known.get(fill.venue_trade_id)
    ids = life.venue_order_ids if fill.venue_order_id is None else life.venue_order_ids | {fill.venue_order_id}
    if before is None:
        merged, disagreed, final_reversed = fill, False, False
    else:
        larger = max(before, fill, key=lambda f: (f.size, f.price))
        merged = replace(
            larger,
            state=max(before.state, fill.state, key=lambda s: _RANK[s]),
            fee=max((f.fee for f in (before, fill) if f.fee is not None), default=None),
            venue_order_id=min(filter(None, (before.venue_order_id, fill.venue_order_id)), default=None),
            exchange_ms=min((f.exchange_ms for f in (before, fill) if f.exchange_ms is not None), default=None),
        )
        disagreed = (before.size, before.price) != (fill.size, fill.price)
        final_reversed = {before.state, fill.state} == {FillState.FINAL, FillState.REVERSED}
    known[fill.venue_trade_id] = merged
    return replace(
        life,
        venue_order_ids=ids,
        fills=tuple(known[key] for key in sorted(known)),
        disagreed=life.disagreed or disagreed,
        final_reversed=life.final_reversed or final_reversed,
    )
