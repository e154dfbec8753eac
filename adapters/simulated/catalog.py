"""The markets that the simulated exchange lists. The same count and book model always give the same list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from models.clock import MS
from models.fees import NO_FEES, FeeSchedule
from models.market import BookModel, Market, MarketId, VenueName, linear_grid
from models.money import MicroShares, MicroUsd, PriceMicros

VENUE: Final = VenueName("simulated")
DEFAULT_MARKETS: Final = 6
EVENT_ID: Final = "cup-winner"
LIFETIME_MS: Final = 30 * 24 * 3_600_000

_CENT: Final = PriceMicros(10_000)
_MIL: Final = PriceMicros(1_000)
_HUNDREDTH: Final = MicroShares(10_000)
_WHOLE: Final = MicroShares(1_000_000)

_LOW_FEES: Final = FeeSchedule(name="simulated-low", as_of="2026-01-01", rate_micros=10_000)
_FEES: Final = FeeSchedule(name="simulated", as_of="2026-01-01", rate_micros=20_000, quantum=MicroUsd(100))

_BINARIES: Final = (
    ("fed-cut-dec", "Will the Fed cut rates in December?", _CENT, _HUNDREDTH, NO_FEES),
    ("btc-100k-dec", "Will Bitcoin trade above $100,000 on 31 December?", _MIL, _HUNDREDTH, _LOW_FEES),
    ("cpi-above-3-nov", "Will November inflation be above 3.0 %?", _CENT, _WHOLE, _FEES),
)
_EVENT: Final = (
    ("cup-lions", "Will the Lions win the Cup?"),
    ("cup-tigers", "Will the Tigers win the Cup?"),
    ("cup-bears", "Will the Bears win the Cup?"),
)


def market_list(count: int, model: BookModel, start_ns: int) -> list[Market]:
    """`count` markets: binaries on books of the given model, the last three (from six markets on) one event of three
    mutually exclusive outcomes on unified books.
    """
    with_event = count >= DEFAULT_MARKETS
    binaries = count - len(_EVENT) if with_event else count
    closes_at_ms = start_ns // MS + LIFETIME_MS
    markets = [_binary(index, model, closes_at_ms) for index in range(binaries)]
    if with_event:
        markets.extend(
            _market(
                market_id,
                title,
                _CENT,
                _WHOLE,
                _LOW_FEES,
                BookModel.UNIFIED,
                closes_at_ms,
                event_id=EVENT_ID,
            )
            for market_id, title in _EVENT
        )
    return markets


def events(markets: Sequence[Market]) -> list[tuple[Market, ...]]:
    """The groups of mutually exclusive markets, in order of their first market."""
    found: dict[str, list[Market]] = {}
    for market in markets:
        if market.event_id is not None and market.mutually_exclusive:
            found.setdefault(market.event_id, []).append(market)
    return [tuple(members) for members in found.values()]


def _binary(index: int, model: BookModel, closes_at_ms: int) -> Market:
    if index < len(_BINARIES):
        market_id, title, tick, lot, fees = _BINARIES[index]
        return _market(market_id, title, tick, lot, fees, model, closes_at_ms)
    market_id = f"market-{index:04d}"
    return _market(market_id, f"Will number {index} come true?", _CENT, _HUNDREDTH, NO_FEES, model, closes_at_ms)


def _market(
    market_id: str,
    title: str,
    tick: PriceMicros,
    lot: MicroShares,
    fees: FeeSchedule,
    model: BookModel,
    closes_at_ms: int,
    *,
    event_id: str | None = None,
) -> Market:
    return Market(
        venue=VENUE,
        market_id=MarketId(market_id),
        title=title,
        yes_instrument=f"{market_id}:YES",
        no_instrument=f"{market_id}:NO",
        price_bands=linear_grid(tick),
        lot=lot,
        min_size=lot,
        min_notional=MicroUsd(0),
        fees=fees,
        book_model=model,
        closes_at_ms=closes_at_ms,
        event_id=event_id,
        mutually_exclusive=event_id is not None,
    )
