"""The markets that the exchange lists when it speaks Kalshi: tickers, grids, fees, events and shards as the venue has
them. The same count always gives the same list.

Nine markets: two events of three outcomes that exclude one another (one cheap on shard 0, one free of fees on shard 2),
and three binaries. More are numbered binaries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from adapters.kalshi.catalog import EXCLUSIVE, LOT, VENUE, instrument
from adapters.kalshi.fees import fee_schedule, maker_rate
from models.clock import MS
from models.market import BookModel, Market, MarketId, linear_grid
from models.money import MicroUsd, PriceMicros

DEFAULT_COUNT: Final = 9
LIFETIME_MS: Final = 30 * 24 * 3_600_000
AS_OF: Final = "2026-11-22"

_CENT: Final = PriceMicros(10_000)
_DECI_CENT: Final = PriceMicros(1_000)
FINER: Final = {_CENT: _DECI_CENT}
LABELS: Final = {_CENT: "linear_cent", _DECI_CENT: "deci_cent"}


@dataclass(frozen=True, slots=True)
class Series:
    ticker: str
    title: str
    fee_type: str
    multiplier: Decimal


@dataclass(frozen=True, slots=True)
class Listed:
    """One market with what the engine has no use for."""

    market: Market
    series: Series
    event_title: str
    sub_title: str
    shard: int
    override: Decimal | None = None
    """Of the event, instead of the series' fee multiplier."""

    @property
    def maker_rate(self) -> int:
        return maker_rate(self.series.fee_type, self.series.multiplier if self.override is None else self.override)

    @property
    def ticker(self) -> str:
        return self.market.market_id

    @property
    def event_ticker(self) -> str:
        return self.market.event_id or self.ticker

    @property
    def collateral_return(self) -> str:
        return EXCLUSIVE if self.market.mutually_exclusive else ""


_CUP: Final = Series("KXSIMCUP", "Cup", "quadratic", Decimal("0.1"))
_VOTE: Final = Series("KXSIMVOTE", "Vote", "quadratic", Decimal(0))
_BINARIES: Final = (
    (Series("KXSIMFED", "Fed", "quadratic", Decimal(1)), "Will the Fed cut rates in December?", _CENT, 0),
    (Series("KXSIMBTC", "Bitcoin", "quadratic", Decimal(1)), "Will Bitcoin trade above $100,000?", _DECI_CENT, 2),
    (
        Series("KXSIMCPI", "Inflation", "quadratic_with_maker_fees", Decimal("0.5")),
        "Will November inflation be above 3.0 %?",
        _CENT,
        0,
    ),
)
_MANY: Final = Series("KXSIMMANY", "Many", "quadratic", Decimal(0))


def listed_markets(count: int, start_ns: int) -> list[Listed]:
    """The first `count` of the list."""
    closes_at_ms = start_ns // MS + LIFETIME_MS
    return [listed for _, listed in zip(range(count), _all(closes_at_ms), strict=False)]


def _all(closes_at_ms: int) -> Iterator[Listed]:
    for name in ("LIONS", "TIGERS", "BEARS"):
        yield _listed(_CUP, "Who wins the Cup?", "-27", name, _CENT, 0, closes_at_ms, exclusive=True)
    for name in ("RED", "GREEN", "BLUE"):
        yield _listed(_VOTE, "Who wins the vote?", "-28", name, _CENT, 2, closes_at_ms, exclusive=True)
    for series, title, tick, shard in _BINARIES:
        yield _listed(series, title, "-26DEC31", "", tick, shard, closes_at_ms, exclusive=False)
    number = 0
    while True:
        number += 1
        title = f"Will number {number} come true?"
        yield _listed(_MANY, title, f"-{number:04d}", "", _CENT, 0, closes_at_ms, exclusive=False)


def _listed(
    series: Series,
    title: str,
    event: str,
    name: str,
    tick: PriceMicros,
    shard: int,
    closes_at_ms: int,
    *,
    exclusive: bool,
) -> Listed:
    event_ticker = f"{series.ticker}{event}"
    ticker = f"{event_ticker}-{name}" if name else f"{event_ticker}-T1"
    market = Market(
        venue=VENUE,
        market_id=MarketId(ticker),
        title=f"{title}: {name.capitalize()}" if name else title,
        yes_instrument=instrument(shard, ticker, "yes"),
        no_instrument=instrument(shard, ticker, "no"),
        price_bands=linear_grid(tick),
        lot=LOT,
        min_size=LOT,
        min_notional=MicroUsd(0),
        fees=fee_schedule(series.fee_type, series.multiplier, AS_OF),
        book_model=BookModel.UNIFIED,
        closes_at_ms=closes_at_ms,
        event_id=event_ticker,
        mutually_exclusive=exclusive,
    )
    return Listed(market, series, title, name.capitalize(), shard)


class Listings:
    """All markets, by ticker and by event."""

    def __init__(self, listed: Sequence[Listed]) -> None:
        self._put(listed)
        self.series = {one.series.ticker: one.series for one in listed}
        self.shards = sorted({one.shard for one in listed})

    def refine(self, market_id: MarketId) -> Market:
        """A market's grid becomes ten times as fine; prices on the old one are on the new one, too."""
        old = self.by_ticker[market_id]
        market = replace(old.market, price_bands=linear_grid(FINER.get(old.market.price_bands[0].step, _DECI_CENT)))
        self._put([replace(one, market=market) if one is old else one for one in self.all])
        return market

    def raise_fees(self, event_ticker: str) -> list[Listed]:
        """The event has a fee multiplier of its own from now on, a tenth above the one so far."""
        changed = []
        for one in self.by_event[event_ticker]:
            multiplier = (one.series.multiplier if one.override is None else one.override) + Decimal("0.1")
            fees = fee_schedule(one.series.fee_type, multiplier, AS_OF)
            changed.append(replace(one, market=replace(one.market, fees=fees), override=multiplier))
        renewed = {one.ticker: one for one in changed}
        self._put([renewed.get(one.ticker, one) for one in self.all])
        return changed

    def _put(self, listed: Sequence[Listed]) -> None:
        self.all = list(listed)
        self.by_ticker = {one.ticker: one for one in listed}
        self.by_event: dict[str, list[Listed]] = {}
        for one in listed:
            self.by_event.setdefault(one.event_ticker, []).append(one)
