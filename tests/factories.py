"""Builders of domain values with defaults that make a good trade: say only what the test is about.

Prices and sizes are given as people write them ("0.47", "100"); the values hold exact integers. The default set is YES
and NO of market `m` at 0.47 + 0.48, a hundred shares each, with separate books, no fees and a minimum edge of one cent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from models.book import (
    NO_ASK,
    NO_BID,
    UNSAID,
    YES_ASK,
    YES_BID,
    BookSnapshot,
    BookUpdate,
    Claims,
    Levels,
    Source,
    TopOfBook,
)
from models.clock import MS, SECOND, BootNs
from models.fees import NO_FEES, FeeSchedule
from models.market import BookModel, Market, MarketId, VenueName, linear_grid
from models.money import MicroShares, MicroUsd, PriceMicros, parse_micros
from models.sets import CompleteSet, binary_set
from models.signal import SetTerms, Surroundings, Thresholds, terms_for
from models.verdict import FreshnessLimits
from models.watch import SetWatch
from tests.fakes import START_BOOT, START_WALL

SIDES = {"yes_bid": YES_BID, "yes_ask": YES_ASK, "no_bid": NO_BID, "no_ask": NO_ASK}
EXCHANGE_MS = 1_795_334_400_000


def usd(amount: str) -> MicroUsd:
    return MicroUsd(parse_micros(amount))


def price(amount: str) -> PriceMicros:
    return PriceMicros(parse_micros(amount))


def shares(amount: str) -> MicroShares:
    return MicroShares(parse_micros(amount))


def levels(*pairs: tuple[str, str]) -> Levels:
    """("0.47", "100") pairs as (price, size) integers."""
    return tuple((price(p), shares(s)) for p, s in pairs)


def fee_schedule(rate: str, *, quantum: str = "0.000001", exponent: int = 1) -> FeeSchedule:
    return FeeSchedule(
        name="test", as_of="2026-11-22", rate_micros=parse_micros(rate), exponent=exponent, quantum=usd(quantum)
    )


def a_market(market_id: str = "m", **changes: Any) -> Market:
    fields: dict[str, Any] = {
        "venue": VenueName("simulated"),
        "market_id": MarketId(market_id),
        "title": f"Will {market_id} happen?",
        "yes_instrument": f"{market_id}-yes",
        "no_instrument": f"{market_id}-no",
        "price_bands": linear_grid(price("0.01")),
        "lot": shares("0.01"),
        "min_size": shares("1"),
        "min_notional": usd("0"),
        "fees": NO_FEES,
        "book_model": BookModel.SEPARATE,
        "closes_at_ms": None,
    }
    return Market(**{**fields, **changes})


def limits(**changes: Any) -> FreshnessLimits:
    fields: dict[str, Any] = {
        "max_age_ns": 5 * SECOND,
        "max_skew_ms": 500,
        "max_lag_ms": 2_000,
        "confirm_unified": True,
    }
    return FreshnessLimits(**{**fields, **changes})


def thresholds(**changes: Any) -> Thresholds:
    fields: dict[str, Any] = {
        "min_edge": usd("0.01"),
        "cost_buffer": usd("0"),
        "min_depth": shares("10"),
        "order_size": shares("10"),
        "max_size": shares("1000"),
        "freshness": limits(),
    }
    return Thresholds(**{**fields, **changes})


def terms(
    complete_set: CompleteSet | None = None, markets: Iterable[Market] | None = None, **of_thresholds: Any
) -> SetTerms:
    """Terms of the binary set of market `m`, or of `complete_set` over `markets`."""
    known = {market.market_id: market for market in (markets or [a_market()])}
    chosen = complete_set or binary_set(next(iter(known)))
    legs = [known.get(leg.market_id) or a_market(leg.market_id) for leg in chosen.legs]
    return terms_for(chosen, legs, thresholds(**of_thresholds))


def a_watch(**of_terms: Any) -> SetWatch:
    return SetWatch(terms(**of_terms))


def surroundings(**changes: Any) -> Surroundings:
    fields: dict[str, Any] = {"now": START_BOOT, "wall_ms": START_WALL // MS}
    return Surroundings(**{**fields, **changes})


def a_top(
    market_id: str = "m",
    *,
    yes_ask: str | None = "0.47",
    no_ask: str | None = "0.48",
    yes_size: str = "100",
    no_size: str = "100",
    yes_bid: str | None = "0.45",
    no_bid: str | None = "0.46",
    **changes: Any,
) -> TopOfBook:
    """A ready, fresh, intact and confirmed top. `yes_size` and `no_size` are those of the asks."""
    top = TopOfBook(
        market_id=MarketId(market_id),
        version=1,
        generation=1,
        seq=1,
        not_ready=None,
        yes_bid=None if yes_bid is None else price(yes_bid),
        yes_bid_size=0 if yes_bid is None else shares("100"),
        yes_ask=None if yes_ask is None else price(yes_ask),
        yes_ask_size=0 if yes_ask is None else shares(yes_size),
        no_bid=None if no_bid is None else price(no_bid),
        no_bid_size=0 if no_bid is None else shares("100"),
        no_ask=None if no_ask is None else price(no_ask),
        no_ask_size=0 if no_ask is None else shares(no_size),
        yes_as_of_ms=EXCHANGE_MS,
        no_as_of_ms=EXCHANGE_MS,
        received_at=START_BOOT,
        evidence_at=START_BOOT,
        lag_ms=5,
        intact=True,
        confirmed=True,
    )
    return msgspec.structs.replace(top, **changes)


def snapshot(
    market_id: str = "m",
    *,
    yes_bids: Sequence[tuple[str, str]] | None = (("0.45", "100"),),
    yes_asks: Sequence[tuple[str, str]] | None = (("0.55", "100"),),
    no_bids: Sequence[tuple[str, str]] | None = (("0.44", "100"),),
    no_asks: Sequence[tuple[str, str]] | None = (("0.56", "100"),),
    generation: int = 1,
    seq: int | None = None,
    exchange_ms: int | None = EXCHANGE_MS,
    received_at: int = START_BOOT,
    lag_ms: int | None = None,
    source: Source = Source.STREAM,
    asked_at: int | None = None,
) -> BookSnapshot:
    """Both outcomes, no gap; None for an outcome that it does not speak for."""
    return BookSnapshot(
        market_id=MarketId(market_id),
        generation=generation,
        yes_bids=None if yes_bids is None else levels(*yes_bids),
        yes_asks=None if yes_asks is None else levels(*yes_asks),
        no_bids=None if no_bids is None else levels(*no_bids),
        no_asks=None if no_asks is None else levels(*no_asks),
        seq=seq,
        exchange_ms=exchange_ms,
        received_at=BootNs(received_at),
        lag_ms=lag_ms,
        source=source,
        asked_at=None if asked_at is None else BootNs(asked_at),
    )


def yes_snapshot(**changes: Any) -> BookSnapshot:
    return snapshot(**{"no_bids": None, "no_asks": None, **changes})


def no_snapshot(**changes: Any) -> BookSnapshot:
    return snapshot(**{"yes_bids": None, "yes_asks": None, **changes})


def update(
    *changes: tuple[str, str, str],
    market_id: str = "m",
    generation: int = 1,
    seq: int | None = None,
    exchange_ms: int | None = EXCHANGE_MS,
    received_at: int = START_BOOT,
    lag_ms: int | None = 5,
    relative: bool = False,
    whole: bool = True,
    claimed: Sequence[tuple[str, str]] = (),
) -> BookUpdate:
    """Changes as ("yes_ask", "0.47", "100"); claims as ("yes_ask", "0.47"), with "0" for an empty side."""
    return BookUpdate(
        market_id=MarketId(market_id),
        generation=generation,
        changes=tuple((SIDES[side], price(p), shares(s)) for side, p, s in changes),
        relative=relative,
        whole=whole,
        seq=seq,
        exchange_ms=exchange_ms,
        received_at=BootNs(received_at),
        lag_ms=lag_ms,
        claimed=_claims(dict(claimed)) if claimed else None,
    )


def _claims(said: dict[str, str]) -> Claims:
    yes_bid, yes_ask, no_bid, no_ask = (
        (price(said[side]) or None) if side in said else UNSAID for side in ("yes_bid", "yes_ask", "no_bid", "no_ask")
    )
    return yes_bid, yes_ask, no_bid, no_ask
