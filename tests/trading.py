"""Builders with defaults for everything a trade is made of. Money in whole cents and shares reads best in a test."""

from __future__ import annotations

import itertools
from dataclasses import replace

from models.book import Levels, NotReady, TopOfBook
from models.clock import SECOND, BootNs, WallNs
from models.execution import ExecutionTerms, LegTerms
from models.fees import NO_FEES, FeeSchedule
from models.market import BookModel, Market, MarketId, Outcome, SetId, VenueName, linear_grid
from models.messages import ApprovedSet, LaddersSeen, Opportunity
from models.money import MicroShares, MicroUsd, PriceMicros, parse_micros
from models.orders import AttemptId
from models.sets import CompleteSet, LegPolicy, SetKind, SetLeg, binary_set
from models.signal import Decision, Kind, Surroundings
from models.verdict import Verdict

SHARE = 1_000_000
CENT = 10_000
WALL = WallNs(1_795_334_400_000_000_000)

_versions = itertools.count(1)


def price(text: str) -> PriceMicros:
    return PriceMicros(parse_micros(text))


def shares(count: float) -> MicroShares:
    return MicroShares(round(count * SHARE))


def levels(*pairs: tuple[str, float]) -> Levels:
    return tuple((price(p), shares(s)) for p, s in pairs)


BIDS = levels(("0.44", 100))
ASKS = levels(("0.45", 100))


def a_market(
    market_id: str = "m1",
    *,
    fees: FeeSchedule = NO_FEES,
    lot: float = 1,
    tick: str = "0.01",
    min_size: float = 0,
    min_notional: str = "0",
    book_model: BookModel = BookModel.SEPARATE,
    venue: str = "simulated",
) -> Market:
    return Market(
        venue=VenueName(venue),
        market_id=MarketId(market_id),
        title=f"Market {market_id}",
        yes_instrument=f"{market_id}-yes",
        no_instrument=f"{market_id}-no",
        price_bands=linear_grid(price(tick)),
        lot=shares(lot),
        min_size=shares(min_size),
        min_notional=MicroUsd(parse_micros(min_notional)),
        fees=fees,
        book_model=book_model,
        closes_at_ms=None,
    )


def yes_basket(*market_ids: str, policy: LegPolicy = LegPolicy.THIN_LEG_FIRST) -> CompleteSet:
    return CompleteSet(
        set_id=SetId("+".join(market_ids)),
        kind=SetKind.YES_BASKET,
        legs=tuple(SetLeg(MarketId(m), Outcome.YES) for m in market_ids),
        payout=MicroUsd(SHARE),
        leg_policy=policy,
        attestation="exhaustive: a test says so",
    )


def execution_terms(
    complete_set: CompleteSet | None = None,
    market: Market | None = None,
    *,
    policy: LegPolicy = LegPolicy.THIN_LEG_FIRST,
    horizon_s: float = 0,
    merges: bool = False,
    nets: bool = False,
    ioc: bool = True,
    fok: bool = True,
    batch_max: int = 15,
    ticks_through: int = 0,
    attempts: int = 3,
    max_unwind_loss: str = "0.10",
    min_edge: str = "0.005",
) -> ExecutionTerms:
    base = market or a_market()
    the_set = complete_set or binary_set(base.market_id, policy)
    legs = tuple(
        LegTerms(
            market=replace(base, market_id=leg.market_id),
            outcome=leg.outcome,
            ioc=ioc,
            fok=fok,
            batch_max=batch_max,
            horizon_ns=round(horizon_s * SECOND),
            merges=merges,
            nets=nets,
        )
        for leg in the_set.legs
    )
    return ExecutionTerms(
        complete_set=the_set,
        legs=legs,
        lot=base.lot,
        mode="paper",
        min_edge=MicroUsd(parse_micros(min_edge)),
        cost_buffer=MicroUsd(0),
        limit_ticks_through=ticks_through,
        max_attempts_per_round=attempts,
        order_timeout_ns=3 * SECOND,
        max_inflight_ns=15 * SECOND,
        cooldown_ns=5 * SECOND,
        max_unwind_loss=MicroUsd(parse_micros(max_unwind_loss)),
        max_book_age_ns=10 * SECOND,
    )


def a_top(
    market_id: str = "m1",
    *,
    yes_bid: str | None = "0.44",
    yes_ask: str | None = "0.45",
    no_bid: str | None = "0.44",
    no_ask: str | None = "0.45",
    yes_size: float = 50,
    no_size: float = 100,
    not_ready: NotReady | None = None,
    at: int = 0,
) -> TopOfBook:
    def maybe(text: str | None) -> int | None:
        return None if text is None else price(text)

    return TopOfBook(
        MarketId(market_id),
        next(_versions),
        1,
        1,
        not_ready,
        maybe(yes_bid),
        shares(yes_size),
        maybe(yes_ask),
        shares(yes_size),
        maybe(no_bid),
        shares(no_size),
        maybe(no_ask),
        shares(no_size),
        at // 1_000_000,
        at // 1_000_000,
        BootNs(at),
        BootNs(at),
        0,
        True,
        True,
    )


def an_opportunity(
    terms: ExecutionTerms, *tops: TopOfBook, size: float = 10, opportunity_id: str = "o-1", at: int = 0
) -> Opportunity:
    """`tops` per leg; one top serves every leg of its market."""
    per_leg = tops if len(tops) == len(terms.legs) else tuple(tops[0] for _ in terms.legs)
    asks = [top.ask(leg.outcome) or 0 for top, leg in zip(per_leg, terms.legs, strict=True)]
    edge = MicroUsd(terms.complete_set.payout - sum(asks))
    return Opportunity(
        opportunity_id=opportunity_id,
        set_id=terms.complete_set.set_id,
        episode_id="e-1",
        at=WALL,
        frame_at=BootNs(at),
        tops=per_leg,
        surroundings=Surroundings(now=BootNs(at), wall_ms=WALL // 1_000_000),
        decision=Decision(
            kind=Kind.TRADE,
            reason=None,
            also=(),
            verdict=Verdict.REAL,
            sum_cost=MicroUsd(sum(asks)),
            edge=edge,
            fees=MicroUsd(0),
            net_edge=edge,
            size=shares(size),
            reach=tuple(PriceMicros(ask) for ask in asks),
        ),
    )


def an_approval(
    terms: ExecutionTerms, *tops: TopOfBook, size: float = 10, attempt_id: str = "a-1", at: int = 0
) -> ApprovedSet:
    opportunity = an_opportunity(terms, *(tops or (a_top(),)), size=size, at=at)
    return ApprovedSet(
        attempt_id=AttemptId(attempt_id),
        opportunity=opportunity,
        size=shares(size),
        reserved=MicroUsd(round(size * SHARE)),
    )


def ladders(
    tag: str,
    market_id: str = "m1",
    *,
    yes_bids: Levels = BIDS,
    yes_asks: Levels = ASKS,
    no_bids: Levels = BIDS,
    no_asks: Levels = ASKS,
    not_ready: NotReady | None = None,
    at: int = 0,
) -> LaddersSeen:
    def first(side: Levels) -> tuple[int | None, int]:
        return side[0] if side else (None, 0)

    (yb, ybs), (ya, yas), (nb, nbs), (na, nas) = (first(s) for s in (yes_bids, yes_asks, no_bids, no_asks))
    top = TopOfBook(
        MarketId(market_id),
        next(_versions),
        1,
        1,
        not_ready,
        yb,
        ybs,
        ya,
        yas,
        nb,
        nbs,
        na,
        nas,
        0,
        0,
        BootNs(at),
        BootNs(at),
        0,
        True,
        True,
    )
    if not_ready is not None:
        return LaddersSeen(tag, top, (), (), (), ())
    return LaddersSeen(tag, top, yes_bids, yes_asks, no_bids, no_asks)
