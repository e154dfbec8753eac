"""State of the books -> one decision about one set. Pure: the same inputs give the same bits, which is what `why`
relies on.

    sum_cost = sum of the legs' best asks                 edge     = payout - sum_cost - cost_buffer      (BRD FR-3)
    fees     = sum of taker fees at those asks and size   net_edge = edge - fees / size

All four are per set in micro-dollars; `fees` is for the whole size. Sizing by depth may buy below the best asks: there
`edge`, `fees` and `net_edge` are those of the whole size, at what it costs on average on its way down the ladders
(rounded up), and `sum_cost` stays that of the best asks.

An *opportunity* is a state with `sum_cost < payout`. It is traded only if every gate is open. Every gate has one
reason; the first closed one is the decision's reason and the rest are recorded too, so the report can say what would
have traded.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from models.book import Levels, TopOfBook
from models.clock import BootNs
from models.fees import FeeSchedule, taker_fee
from models.first_use import make_structs_ready
from models.market import BookModel, Market, MarketStatus
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros, divide_down, divide_up, lot_rounded_down
from models.sets import CompleteSet, common_lot
from models.sizing import Sizing, depth_size, walk
from models.verdict import FreshnessLimits, Verdict, doubts, verdict_of


class Kind(enum.StrEnum):
    TRADE = "TRADE"
    SKIP = "SKIP"


class SkipReason(enum.StrEnum):
    """Why an opportunity is not traded, in the order in which the gates are tried.

    The names from `HALTED` on are given by risk, after a TRADE decision (`models/risk.py`).
    """

    NOT_READY = "not_ready"
    CROSSED = "crossed"
    HALF_UPDATE = "half_update"
    STALE = "stale"
    SKEW = "skew"
    UNCONFIRMED = "unconfirmed"
    EDGE = "edge"
    FEES = "fees"
    DEPTH = "depth"
    MARKET_STATUS = "market_status"
    CLOSING_SOON = "closing_soon"
    IN_FLIGHT = "in_flight"
    COOLDOWN = "cooldown"
    # -- refused by risk
    HALTED = "halted"
    MARKET_HALTED = "market_halted"
    RESERVED = "reserved"
    ORDER_SIZE = "order_size"
    PRICE_COLLAR = "price_collar"
    DUPLICATE = "duplicate"
    ORDER_RATE = "order_rate"
    OPEN_POSITIONS = "open_positions"
    DAILY_NOTIONAL = "daily_notional"
    UNRESOLVED = "unresolved"
    CASH = "cash"


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's numbers that a decision uses, all exact integers."""

    min_edge: MicroUsd
    """Per set, after everything."""
    cost_buffer: MicroUsd
    """Per set, on top of the venue's fees."""
    min_depth: MicroShares
    order_size: MicroShares
    sizing: Sizing = Sizing.FIXED
    max_size: MicroShares
    """Upper bound for sizing by depth."""
    max_walk: MicroUsd = MicroUsd(MICRO)
    """How far below the best ask sizing by depth looks: what lies deeper would break risk's price collar."""
    close_margin_ms: int = 0
    """No new set when a leg's market closes within this time."""
    freshness: FreshnessLimits


class SetTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a set that does not change from frame to frame. Built once at start; stored by hash with the
    config.
    """

    complete_set: CompleteSet
    fees: tuple[FeeSchedule, ...]
    """Per leg, like `book_models` and `closes_at_ms`."""
    book_models: tuple[BookModel, ...]
    closes_at_ms: tuple[int | None, ...]
    lot: MicroShares
    min_size: MicroShares
    min_notional: MicroUsd
    thresholds: Thresholds


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What else a decision depends on. `now` is for ages, `wall_ms` only for the closing margin."""

    now: BootNs
    wall_ms: int
    in_flight: bool = False
    cooling: bool = False
    statuses: tuple[MarketStatus, ...] = ()
    """Per leg; empty means all open."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided about one set at one instant. Units as in the module's docstring."""

    kind: Kind
    reason: SkipReason | None
    """None exactly when `kind` is TRADE."""
    also: tuple[SkipReason, ...]
    """Gates after the first closed one that were closed as well."""
    verdict: Verdict
    sum_cost: MicroUsd
    edge: MicroUsd
    fees: MicroUsd
    net_edge: MicroUsd
    """Floored per share."""
    size: MicroShares
    """Shares of each leg that would be bought."""
    reach: tuple[PriceMicros, ...]
    """Per leg, the worst ask that `size` needs: its opening limit. The best ask with fixed sizing."""


class _Bill(NamedTuple):
    """What a size costs: as the ladders stand, and at most, if all of it came at `reach`."""

    reach: tuple[PriceMicros, ...]
    gross: int
    """Micro-dollars x micro-shares, exact; likewise `most_gross`."""
    fees: MicroUsd
    most_gross: int
    most_fees: MicroUsd


def terms_for(complete_set: CompleteSet, markets: Sequence[Market], thresholds: Thresholds) -> SetTerms:
    """Join a set with the catalog's facts. `markets[i]` is the market of `complete_set.legs[i]`."""
    return SetTerms(
        complete_set=complete_set,
        fees=tuple(market.fees for market in markets),
        book_models=tuple(market.book_model for market in markets),
        closes_at_ms=tuple(market.closes_at_ms for market in markets),
        lot=common_lot(markets),
        min_size=MicroShares(max(market.min_size for market in markets)),
        min_notional=MicroUsd(max(market.min_notional for market in markets)),
        thresholds=thresholds,
    )


def sum_of_asks(terms: SetTerms, tops: Sequence[TopOfBook]) -> MicroUsd | None:
    """Cost of one share of every leg at the best asks, None where a side is empty. `tops[i]` belongs to leg i."""
    total = 0
    for leg, top in zip(terms.complete_set.legs, tops, strict=True):
        ask = top.ask(leg.outcome)
        if ask is None:
            return None
        total += ask
    return MicroUsd(total)


def decide(terms: SetTerms, tops: Sequence[TopOfBook], surroundings: Surroundings) -> Decision | None:
    """Decide about the set, or None where there is no opportunity (an empty side, or `sum_cost >= payout`).

    `tops[i]` is the top of leg i's market, so a market with two legs appears twice.
    """
    sum_cost = sum_of_asks(terms, tops)
    if sum_cost is None or sum_cost >= terms.complete_set.payout:
        return None
    thresholds = terms.thresholds
    legs = terms.complete_set.legs
    asks = [PriceMicros(top.ask(leg.outcome) or 0) for leg, top in zip(legs, tops, strict=True)]
    depth = min(top.ask_size(leg.outcome) for leg, top in zip(legs, tops, strict=True))
    size = _size(terms, tops, MicroShares(depth))
    priced_size = size or thresholds.order_size
    bill = _bill(terms, tops, asks, priced_size)
    fees = bill.fees
    edge = MicroUsd(terms.complete_set.payout - divide_up(bill.gross, priced_size) - thresholds.cost_buffer)
    whole = (terms.complete_set.payout - thresholds.cost_buffer) * priced_size
    net_edge = MicroUsd(divide_down(whole - bill.gross - fees * MICRO, priced_size))

    not_ready = any(top.not_ready is not None for top in tops)
    found = () if not_ready else doubts(legs, tops, terms.book_models, thresholds.freshness, surroundings.now)
    closed: list[SkipReason] = [SkipReason.NOT_READY] if not_ready else [SkipReason(doubt.value) for doubt in found]
    if edge < thresholds.min_edge:
        closed.append(SkipReason.EDGE)
    # Cross-multiplied, so that the comparison never sees a rounded quotient; at the limits too, where it may all fill.
    dearest = max(bill.gross + fees * MICRO, bill.most_gross + bill.most_fees * MICRO)
    if whole - dearest < thresholds.min_edge * priced_size:
        closed.append(SkipReason.FEES)
    if depth < max(thresholds.min_depth, thresholds.order_size) or not _large_enough(terms, asks, size):
        closed.append(SkipReason.DEPTH)
    closed.extend(_weather(terms, surroundings))
    if surroundings.in_flight:
        closed.append(SkipReason.IN_FLIGHT)
    if surroundings.cooling:
        closed.append(SkipReason.COOLDOWN)

    return Decision(
        kind=Kind.SKIP if closed else Kind.TRADE,
        reason=closed[0] if closed else None,
        also=tuple(closed[1:]),
        verdict=Verdict.STALE if not_ready else verdict_of(found),
        sum_cost=sum_cost,
        edge=edge,
        fees=fees,
        net_edge=net_edge,
        size=size,
        reach=bill.reach,
    )


def _bill(terms: SetTerms, tops: Sequence[TopOfBook], asks: Sequence[PriceMicros], size: MicroShares) -> _Bill:
    """Price `size` of every leg; with fixed sizing all of it at the best ask, whatever is displayed there."""
    walks = []
    if terms.thresholds.sizing is Sizing.DEPTH:
        walks = [walk(ladder, fees, size) for ladder, fees in zip(_ladders(terms, tops), terms.fees, strict=True)]
    reach = tuple(leg.reach for leg in walks) or tuple(asks)
    gross = sum(reach) * size
    fees = MicroUsd(sum(taker_fee(schedule, price, size) for schedule, price in zip(terms.fees, reach, strict=True)))
    if not walks:
        return _Bill(reach, gross, fees, gross, fees)
    return _Bill(reach, sum(leg.gross for leg in walks), MicroUsd(sum(leg.fees for leg in walks)), gross, fees)


def _ladders(terms: SetTerms, tops: Sequence[TopOfBook]) -> list[Levels]:
    """Every leg's asks as deep as `max_walk` allows."""
    ladders = [top.ladder(leg.outcome) for leg, top in zip(terms.complete_set.legs, tops, strict=True)]
    deepest = terms.thresholds.max_walk
    return [tuple(level for level in ladder if level[0] - ladder[0][0] <= deepest) for ladder in ladders]


def _size(terms: SetTerms, tops: Sequence[TopOfBook], depth: MicroShares) -> MicroShares:
    thresholds = terms.thresholds
    if thresholds.sizing is Sizing.FIXED:
        return lot_rounded_down(thresholds.order_size, terms.lot)
    size = depth_size(
        _ladders(terms, tops),
        terms.fees,
        payout=terms.complete_set.payout,
        cost_buffer=thresholds.cost_buffer,
        min_edge=thresholds.min_edge,
        cap=thresholds.max_size,
        lot=terms.lot,
    )
    return size or lot_rounded_down(MicroShares(min(thresholds.order_size, depth)), terms.lot)


def _large_enough(terms: SetTerms, asks: Sequence[PriceMicros], size: MicroShares) -> bool:
    """Every leg reaches the venue's smallest size and smallest notional, so none is refused after another has
    filled.
    """
    if size <= 0 or size < terms.min_size:
        return False
    return all(ask * size >= terms.min_notional * MICRO for ask in asks)


def _weather(terms: SetTerms, surroundings: Surroundings) -> list[SkipReason]:
    closed = []
    if any(status is not MarketStatus.OPEN for status in surroundings.statuses):
        closed.append(SkipReason.MARKET_STATUS)
    deadline = surroundings.wall_ms + terms.thresholds.close_margin_ms
    if any(closes_at is not None and closes_at <= deadline for closes_at in terms.closes_at_ms):
        closed.append(SkipReason.CLOSING_SOON)
    return closed


make_structs_ready(globals())
