"""What the exchange knows about a market, its event, its series and its book as the venue's JSON. Pure."""

from __future__ import annotations

from typing import Any, Final

from adapters.kalshi.dialect.markets import LABELS, Listed
from adapters.kalshi.dialect.rows import count, dollars, instant
from adapters.simulated.listing import Listing
from models.book import NO_BID, YES_ASK, YES_BID
from models.clock import MS
from models.market import Market, MarketStatus
from models.money import MICRO

STATUSES: Final = {
    MarketStatus.OPEN: "active",
    MarketStatus.POST_ONLY: "active",
    MarketStatus.PAUSED: "inactive",
    MarketStatus.CLOSED: "closed",
    MarketStatus.RESOLVED: "finalized",
}


def market_row(listed: Listed, listing: Listing, closes_ms: int, start: int, traded: int) -> dict[str, Any]:
    """`traded` in micro-shares."""
    market = listed.market
    best = {side: listing.best(side) for side in (YES_BID, YES_ASK)}
    bid, ask = best[YES_BID], best[YES_ASK]
    sizes = {side: 0 if price is None else listing.ladders[side].totals[price] for side, price in best.items()}
    pays = listing.yes_pays
    return {
        "ticker": listed.ticker,
        "event_ticker": listed.event_ticker,
        "market_type": "binary",
        "title": listed.event_title,
        "subtitle": listed.sub_title,
        "yes_sub_title": listed.sub_title,
        "no_sub_title": f"not {listed.sub_title}" if listed.sub_title else "",
        "status": STATUSES[listing.status],
        "result": _result(pays),
        "created_time": instant(start),
        "updated_time": instant(start),
        "open_time": instant(start),
        "close_time": instant(closes_ms * MS),
        "latest_expiration_time": instant((closes_ms + 7 * 24 * 3_600_000) * MS),
        "expiration_value": "",
        "settlement_timer_seconds": 3_600,
        "settlement_value_dollars": None if pays is None else dollars(pays),
        "can_close_early": True,
        "yes_bid_dollars": dollars(bid or 0),
        "yes_bid_size_fp": count(sizes[YES_BID]),
        "yes_ask_dollars": dollars(MICRO if ask is None else ask),
        "yes_ask_size_fp": count(sizes[YES_ASK]),
        "no_bid_dollars": dollars(0 if ask is None else MICRO - ask),
        "no_ask_dollars": dollars(MICRO - (bid or 0)),
        "last_price_dollars": dollars(bid or 0),
        "previous_yes_bid_dollars": dollars(bid or 0),
        "previous_yes_ask_dollars": dollars(MICRO if ask is None else ask),
        "previous_price_dollars": dollars(bid or 0),
        "volume_fp": count(traded),
        "volume_24h_fp": count(traded),
        "open_interest_fp": count(listing.sets),
        "notional_value_dollars": "1.0000",
        "price_level_structure": LABELS.get(market.price_bands[0].step, ""),
        "price_ranges": price_ranges(market),
        "rules_primary": f"{listed.market.title} Decided by the simulator.",
        "rules_secondary": "",
        "settlement_bounds_type": "default",
        "exchange_index": listed.shard,
    }


def price_ranges(market: Market) -> list[dict[str, str]]:
    return [
        {"start": dollars(band.start), "end": dollars(band.end), "step": dollars(band.step)}
        for band in market.price_bands
    ]


def event_row(listed: Listed) -> dict[str, Any]:
    """Of the event that a market belongs to."""
    return {
        "event_ticker": listed.event_ticker,
        "series_ticker": listed.series.ticker,
        "title": listed.event_title,
        "sub_title": "",
        "category": "Simulated",
        "collateral_return_type": listed.collateral_return,
        "mutually_exclusive": listed.market.mutually_exclusive,
        "strike_period": "",
        "available_on_brokers": False,
        "settlement_sources": [],
        "fee_type_override": None if listed.override is None else listed.series.fee_type,
        "fee_multiplier_override": None if listed.override is None else float(listed.override),
        "exchange_index": listed.shard,
    }


def series_row(listed: Listed) -> dict[str, Any]:
    series = listed.series
    return {
        "ticker": series.ticker,
        "title": series.title,
        "frequency": "custom",
        "category": "Simulated",
        "categories": ["Simulated"],
        "tags": [],
        "settlement_sources": [],
        "contract_url": "",
        "contract_terms_url": "",
        "additional_prohibitions": [],
        "fee_type": series.fee_type,
        "fee_multiplier": float(series.multiplier),
        "exchange_index": listed.shard,
    }


def rest_levels(listing: Listing, depth: int = 0) -> dict[str, list[list[str]]]:
    """Bids of both sides, best last, NO in its own leg."""
    sides = {}
    for name, side in (("yes_dollars", YES_BID), ("no_dollars", NO_BID)):
        levels = listing.levels(side)[: depth or None]
        sides[name] = [[dollars(price), count(size)] for price, size in reversed(levels)]
    return sides


def _result(pays: int | None) -> str:
    if pays is None:
        return ""
    return {MICRO: "yes", 0: "no"}.get(pays, "scalar")
