"""Paper fills: what an attempt would have got, told three ways side by side, because no single one is the truth.

    optimistic   everything at the decision's own tops: as if the world stood still
    shifted      every leg IOC at its limit on the books a configured latency later; what does not pair up is sold back
    pessimistic  the worst of that over a grid of latencies, with every displayed size halved

The reports quote the pessimistic one. Nobody else's order is moved by a paper fill, so the desk remembers what it has
taken from a level and does not take it again while the venue still shows the same size there.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from models.book import Levels
from models.execution import ExecutionTerms
from models.fees import FeeSchedule, taker_fee
from models.legs import worst_opening
from models.market import Action, MarketId, Outcome
from models.money import (
    MICRO,
    MicroShares,
    MicroUsd,
    PriceMicros,
    cost_rounded_up,
    divide_down,
    divide_up,
    lot_rounded_down,
    proceeds_rounded_down,
)
from models.orders import OrderIntent, TimeInForce
from models.sets import LegPolicy
from models.sizing import Walk, shown, walk


class PaperModel(enum.StrEnum):
    OPTIMISTIC = "optimistic"
    SHIFTED = "shifted"
    PESSIMISTIC = "pessimistic"


@dataclass(frozen=True, slots=True)
class LegBook:
    """One leg's outcome at one moment, best first."""

    ready: bool
    bids: Levels = ()
    asks: Levels = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """All legs of a set, `after_ns` after the decision."""

    after_ns: int
    books: tuple[LegBook, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperResult:
    model: PaperModel
    filled: MicroShares
    """Complete sets."""
    cost: MicroUsd
    """Of everything bought, without fees."""
    fees: MicroUsd
    net_pnl: MicroUsd | None
    """Payout less cost and fees, what was sold back included; None where the books could not say."""
    note: str = ""


# -- one order


def ioc_fills(intent: OrderIntent, levels: Levels) -> Levels:
    """(price, size) pairs that the order takes from `levels` (best first) at once; the rest is killed.

    All-or-nothing orders take all or nothing.
    """
    taken = take(levels, intent.limit_price, intent.size, intent.action)
    if intent.time_in_force is TimeInForce.FOK and sum(size for _, size in taken) < intent.size:
        return ()
    return taken


def take(levels: Levels, limit: PriceMicros, size: MicroShares, action: Action) -> Levels:
    """What `size` at `limit` or better gets from `levels`, best first."""
    taken = []
    left: int = size
    for price, there in levels:
        beyond = price > limit if action is Action.BUY else price < limit
        if left <= 0 or beyond:
            break
        got = min(left, there)
        if got > 0:
            taken.append((price, got))
            left -= got
    return tuple(taken)


LevelKey = tuple[MarketId, Outcome, Action, int]
Taken = Mapping[LevelKey, tuple[int, int]]
"""(market, outcome, our action, price) -> (size displayed when we took, what we took of it)."""
TAKEN_MAX: Final = 10_000
"""Levels remembered; the oldest are forgotten first."""


def left(levels: Levels, taken: Taken, market_id: MarketId, outcome: Outcome, action: Action) -> Levels:
    """The levels without what paper orders have taken from them. A level whose size has changed since is whole
    again.
    """
    remaining = []
    for price, size in levels:
        displayed, gone = taken.get((market_id, outcome, action, price), (0, 0))
        rest = size - gone if displayed == size else size
        if rest > 0:
            remaining.append((price, rest))
    return tuple(remaining)


def remember(taken: Taken, intent: OrderIntent, displayed: Levels, fills: Levels) -> Taken:
    """`taken` with these fills added; `displayed` are the venue's own levels."""
    shown = dict(displayed)
    known = dict(taken)
    for price, size in fills:
        key = (intent.market_id, intent.outcome, intent.action, price)
        before, gone = known.pop(key, (0, 0))
        known[key] = (shown[price], (gone if before == shown[price] else 0) + size)
    while len(known) > TAKEN_MAX:
        known.pop(next(iter(known)))
    return known


# -- one attempt, three ways


def three_ways(
    terms: ExecutionTerms,
    ladders: Sequence[Levels],
    size: MicroShares,
    latency_ns: int,
    moments: Sequence[Moment],
) -> tuple[PaperResult, PaperResult, PaperResult]:
    """Fill an attempt of `size` that was decided on these asks per leg, best first. `moments` are the books
    afterwards.
    """
    walks = [walk(asks, leg.market.fees, size) for asks, leg in zip(ladders, terms.legs, strict=True)]
    reach = [leg.reach for leg in walks]
    depths = [shown(asks, price) for asks, price in zip(ladders, reach, strict=True)]
    at_latency = next((m for m in moments if m.after_ns == latency_ns), None)
    shifted = None if at_latency is None else _fill(terms, reach, depths, size, at_latency, PaperModel.SHIFTED)
    halves = [_fill(terms, reach, depths, size, _halved(m, terms.lot), PaperModel.PESSIMISTIC) for m in moments]
    known = [result for result in halves if result.net_pnl is not None]
    worst = min(known, key=lambda result: (result.net_pnl or 0, result.filled), default=None)
    return (
        _standing_still(terms, walks, size),
        shifted or _nobody_knows(PaperModel.SHIFTED),
        worst or _nobody_knows(PaperModel.PESSIMISTIC),
    )


def _standing_still(terms: ExecutionTerms, walks: Sequence[Walk], size: MicroShares) -> PaperResult:
    cost = sum(divide_up(leg.gross, MICRO) for leg in walks)
    fees = sum(leg.fees for leg in walks)
    return PaperResult(
        model=PaperModel.OPTIMISTIC,
        filled=size,
        cost=MicroUsd(cost),
        fees=MicroUsd(fees),
        net_pnl=MicroUsd(_payout(terms, size) - cost - fees),
    )


def _nobody_knows(model: PaperModel) -> PaperResult:
    return PaperResult(
        model=model,
        filled=MicroShares(0),
        cost=MicroUsd(0),
        fees=MicroUsd(0),
        net_pnl=None,
        note="no book was ready",
    )


def _fill(
    terms: ExecutionTerms,
    reach: Sequence[PriceMicros],
    depths: Sequence[MicroShares],
    size: MicroShares,
    moment: Moment,
    model: PaperModel,
) -> PaperResult:
    """Every leg at its opening limit against these books; the thin leg first where that is the policy."""
    if not all(book.ready for book in moment.books):
        return _nobody_knows(model)
    limits = worst_opening(terms, reach, size).limits
    legs = range(len(terms.legs))
    wanted = size
    if terms.complete_set.leg_policy is LegPolicy.THIN_LEG_FIRST:
        thin = min(legs, key=lambda leg: (depths[leg], -leg))
        wanted = _size_of(take(moment.books[thin].asks, limits[thin], size, Action.BUY))
    bought = [take(moment.books[leg].asks, limits[leg], wanted, Action.BUY) for leg in legs]
    sets = min(_size_of(fills) for fills in bought)
    cost = sum(cost_rounded_up(PriceMicros(p), MicroShares(s)) for fills in bought for p, s in fills)
    fees = sum(_fees(terms.legs[leg].market.fees, bought[leg]) for leg in legs)
    back, back_fees, stuck = 0, 0, 0
    for leg in legs:
        surplus = MicroShares(_size_of(bought[leg]) - sets)
        sold = take(moment.books[leg].bids, PriceMicros(0), surplus, Action.SELL)
        back += sum(proceeds_rounded_down(PriceMicros(p), MicroShares(s)) for p, s in sold)
        back_fees += _fees(terms.legs[leg].market.fees, sold)
        stuck += surplus - _size_of(sold)
    note = f"after {moment.after_ns // 1_000_000} ms"
    if back or stuck:
        note += f", sold back for {back} micro-dollars" + (f", {stuck} micro-shares worthless" if stuck else "")
    return PaperResult(
        model=model,
        filled=sets,
        cost=MicroUsd(cost),
        fees=MicroUsd(fees + back_fees),
        net_pnl=MicroUsd(_payout(terms, sets) - cost - fees + back - back_fees),
        note=note,
    )


def _payout(terms: ExecutionTerms, sets: MicroShares) -> int:
    return divide_down(terms.complete_set.payout * sets, MICRO)


def _size_of(fills: Levels) -> MicroShares:
    return MicroShares(sum(size for _, size in fills))


def _fees(schedule: FeeSchedule, fills: Levels) -> int:
    return sum(taker_fee(schedule, PriceMicros(price), MicroShares(size)) for price, size in fills)


def _halved(moment: Moment, lot: MicroShares) -> Moment:
    def half(levels: Levels) -> Levels:
        return tuple((price, lot_rounded_down(MicroShares(size // 2), lot)) for price, size in levels)

    return Moment(moment.after_ns, tuple(LegBook(b.ready, half(b.bids), half(b.asks)) for b in moment.books))
