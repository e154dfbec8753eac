"""What the venue says about a market, as our `Market`. Pure: received or recorded JSON in, values out.

Three sources (kalshi.md 2 and 9.1, read 2026-11-22): the market has status, grid and dates, its event says whether its
markets exclude one another and may override the fees, its series has the fees otherwise. A market whose fees have no
known formula is refused, and so is one that is no plain binary: scalar, combo, or settling within bounds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from adapters.catalog import CatalogError, instant_ms
from adapters.kalshi.fees import TAKER_MICROS, fee_schedule
from adapters.kalshi.frames import Ranges
from adapters.kalshi.wire import WireError, price_bands, settlement
from models.fees import NO_FEES, FeeSchedule
from models.first_use import make_structs_ready
from models.hostile import clean
from models.market import BookModel, Market, MarketId, PriceBand, VenueName
from models.money import MICRO, MicroShares, MicroUsd, text

VENUE: Final = VenueName("kalshi")
LOT: Final = MicroShares(10_000)
"""Every market trades hundredths of a contract (1)."""

OVER: Final = frozenset({"closed", "determined", "disputed", "amended", "finalized", "settled"})

TICKER: Final = re.compile(r"[A-Z0-9][A-Z0-9.-]{0,99}\Z")
EXCLUSIVE: Final = "MECNET"
"""At most one market of the event resolves YES; all may resolve NO (2.1). `mutually_exclusive` says the same, and only
where both do it is believed.
"""


# -- the venue's objects


class KalshiMarket(msgspec.Struct):
    """An element of `GET /markets`; the fields that a bot needs."""

    ticker: str
    event_ticker: str
    status: str
    price_ranges: list[Ranges]
    market_type: str = "binary"
    title: str = ""
    yes_sub_title: str = ""
    close_time: str | None = None
    result: str | None = None
    settlement_value_dollars: str | None = None
    settlement_bounds_type: str | None = None
    mve_collection_ticker: str | None = None
    exchange_index: int | None = None


class KalshiEvent(msgspec.Struct):
    """`GET /events/{ticker}`, and an element of `GET /events`."""

    event_ticker: str
    series_ticker: str
    title: str = ""
    mutually_exclusive: bool = False
    collateral_return_type: str = ""
    fee_type_override: str | None = None
    fee_multiplier_override: Decimal | None = None
    exchange_index: int | None = None
    markets: list[KalshiMarket] | None = None


class KalshiSeries(msgspec.Struct):
    """`GET /series/{ticker}`."""

    ticker: str
    fee_type: str
    fee_multiplier: Decimal
    title: str = ""


# -- the venue's objects -> Market


def market_of(market: KalshiMarket, event: KalshiEvent, series: KalshiSeries, as_of: str) -> Market:
    """`as_of` is the ISO date of reading, for the fee schedule. Raises `CatalogError`, or `FeesUnknownError`."""
    if not (market.event_ticker == event.event_ticker and event.series_ticker == series.ticker):
        raise CatalogError("market, event and series do not belong together")
    if market.market_type != "binary" or market.mve_collection_ticker:
        raise CatalogError("not a plain binary market")
    if market.settlement_bounds_type not in (None, "default"):
        raise CatalogError(f"settles within bounds ({clean(market.settlement_bounds_type, 20)})")
    fee_type = event.fee_type_override if event.fee_type_override is not None else series.fee_type
    multiplier = event.fee_multiplier_override
    shard = market.exchange_index if market.exchange_index is not None else event.exchange_index
    return _market(
        ticker=market.ticker,
        title=title_of(market, event),
        bands=_bands(market.price_ranges),
        fees=fee_schedule(fee_type, series.fee_multiplier if multiplier is None else multiplier, as_of),
        closes_at_ms=instant_ms(market.close_time) if market.close_time else None,
        event=market.event_ticker,
        exclusive=event.mutually_exclusive and event.collateral_return_type == EXCLUSIVE,
        shard=0 if shard is None else shard,
    )


def is_over(market: KalshiMarket) -> bool:
    """Nothing will ever be traded here any more (2.3)."""
    return market.status in OVER


def is_paused(market: KalshiMarket) -> bool:
    return market.status in ("inactive", "paused")


def status_problem(market: KalshiMarket) -> str | None:
    """Why the market cannot be traded now, None where it can."""
    if market.status in ("active", "open"):
        return None
    if is_paused(market):
        return "is paused"
    if market.status in ("initialized", "unopened"):
        return "is not open yet"
    return f"is {clean(market.status, 20)}"


def payout(market: KalshiMarket) -> int | None:
    """What a YES contract was paid, micro-dollars; None before that is settled, or where it is not named."""
    if market.status not in ("finalized", "settled"):
        return None
    try:
        return settlement(market.result, market.settlement_value_dollars)
    except WireError as error:
        raise CatalogError(str(error)) from None


def shard_of(market: Market) -> int:
    """The exchange instance that a market lives on; its money has to be there, too (10.3)."""
    return int(market.yes_instrument.partition("/")[0])


def instrument(shard: int, ticker: str, outcome: str) -> str:
    """The venue has one ticker for both outcomes; ours says which, and where it lives."""
    return f"{shard}/{ticker}/{outcome}"


def market_from_tape(entry: Mapping[str, Any], recorded_on: str) -> Market:
    """The market that a tape's header describes. `recorded_on` is an ISO date. Raises as `market_of`."""
    try:
        ranges = msgspec.convert(entry["price_ranges"], list[Ranges])
        multiplier = Decimal(str(entry["fee_multiplier"]))
        return _market(
            ticker=str(entry["market_id"]),
            title=str(entry.get("title", "")),
            bands=_bands(ranges),
            fees=fee_schedule(str(entry["fee_type"]), multiplier, recorded_on),
            closes_at_ms=entry.get("closes_ms"),
            event=entry.get("event_id"),
            exclusive=bool(entry.get("mutually_exclusive", False)),
            shard=int(entry.get("exchange_index", 0)),
        )
    except (KeyError, TypeError, InvalidOperation, msgspec.ValidationError) as error:
        raise CatalogError(f"a market of the tape's header is incomplete: {clean(str(error), 60)}") from None


def market_to_tape(market: Market) -> dict[str, Any]:
    """The header entry that `market_from_tape` reads back as the same market."""
    entry: dict[str, Any] = {
        "market_id": market.market_id,
        "title": market.title,
        "price_ranges": [
            {"start": text(band.start, 0), "end": text(band.end, 0), "step": text(band.step, 0)}
            for band in market.price_bands
        ],
        "fee_type": _fee_type(market.fees),
        "fee_multiplier": text(market.fees.rate_micros * MICRO // TAKER_MICROS, 0),
        "exchange_index": shard_of(market),
        "mutually_exclusive": market.mutually_exclusive,
    }
    if market.closes_at_ms is not None:
        entry["closes_ms"] = market.closes_at_ms
    if market.event_id is not None:
        entry["event_id"] = market.event_id
    return entry


# -- inside


def _market(
    *,
    ticker: str,
    title: str,
    bands: tuple[PriceBand, ...],
    fees: FeeSchedule,
    closes_at_ms: int | None,
    event: str | None,
    exclusive: bool,
    shard: int,
) -> Market:
    if not TICKER.match(ticker):
        raise CatalogError(f"no ticker: {clean(ticker, 40)!r}")
    if not 0 <= shard < 1_000:
        raise CatalogError(f"shard {clean(str(shard), 20)} is out of range")
    return Market(
        venue=VENUE,
        market_id=MarketId(ticker),
        title=clean(title) or ticker,
        yes_instrument=instrument(shard, ticker, "yes"),
        no_instrument=instrument(shard, ticker, "no"),
        price_bands=bands,
        lot=LOT,
        min_size=LOT,
        min_notional=MicroUsd(0),
        fees=fees,
        book_model=BookModel.UNIFIED,
        closes_at_ms=closes_at_ms,
        event_id=event,
        mutually_exclusive=exclusive,
    )


def _bands(ranges: list[Ranges]) -> tuple[PriceBand, ...]:
    try:
        return price_bands(ranges)
    except WireError as error:
        raise CatalogError(str(error)) from None


def title_of(market: KalshiMarket, event: KalshiEvent) -> str:
    """The event's title and what this market is about; a market's own title has been going out of use."""
    head = event.title or market.title
    return f"{head}: {market.yes_sub_title}" if market.yes_sub_title and market.yes_sub_title not in head else head


def _fee_type(fees: FeeSchedule) -> str:
    return "quadratic" if fees is NO_FEES or fees == NO_FEES else fees.name.removeprefix("kalshi-")


make_structs_ready(globals())
