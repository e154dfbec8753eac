"""The catalog's JSON documents about a market: the CLOB's compact and long ones, and Gamma's. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from models.market import Market, MarketStatus
from models.money import MICRO, MicroShares, PriceMicros, to_decimal

_ENCODER: Final = msgspec.json.Encoder()
_GONE: Final = (MarketStatus.CLOSED, MarketStatus.RESOLVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A market as the documents tell it."""

    market: Market
    tick: PriceMicros
    least_size: MicroShares
    neg_risk: bool
    outcomes: tuple[str, str]
    slug: str
    event_title: str
    status: MarketStatus = MarketStatus.OPEN
    taker_delay: bool = False
    yes_pays: int | None = None
    """Micro-dollars per YES share once it is resolved."""

    @property
    def closed(self) -> bool:
        return self.status in _GONE

    @property
    def tokens(self) -> tuple[str, str]:
        return self.market.yes_instrument, self.market.no_instrument


def compact(facts: Facts) -> dict[str, Any]:
    """`GET /clob-markets/{condition id}`. No `fd` means no fee."""
    terms: dict[str, Any] = {
        "t": [{"t": token, "o": name} for token, name in zip(facts.tokens, facts.outcomes, strict=True)],
        "mos": to_decimal(facts.least_size),
        "mts": to_decimal(facts.tick),
        "nr": facts.neg_risk,
        "mbf": 1000,
        "tbf": 1000,
        "gst": None,
        "oas": 0,
    }
    fees = facts.market.fees
    if fees.rate_micros:
        terms["fd"] = {"r": to_decimal(fees.rate_micros), "e": fees.exponent, "to": True}
    if facts.taker_delay:
        terms["itode"] = True
    return terms


def details(facts: Facts) -> dict[str, Any]:
    """`GET /markets/{condition id}`, and an element of `GET /markets`."""
    return {
        "condition_id": facts.market.market_id,
        "question": facts.market.title,
        "market_slug": facts.slug,
        "tokens": [
            {"token_id": token, "outcome": name, "price": to_decimal(500_000), "winner": facts.yes_pays == wins}
            for token, name, wins in zip(facts.tokens, facts.outcomes, (MICRO, 0), strict=True)
        ],
        "minimum_order_size": to_decimal(facts.least_size),
        "minimum_tick_size": to_decimal(facts.tick),
        "neg_risk": facts.neg_risk,
        "neg_risk_market_id": facts.market.event_id or "",
        "neg_risk_request_id": "",
        "enable_order_book": True,
        "accepting_orders": not facts.closed,
        "active": True,
        "closed": facts.closed,
        "archived": False,
        "seconds_delay": 0,
        "game_start_time": None,
        "end_date_iso": None if facts.market.closes_at_ms is None else instant(facts.market.closes_at_ms)[:10],
        "maker_base_fee": 1000,
        "taker_base_fee": 1000,
        "is_50_50_outcome": False,
    }


def gamma(facts: Facts) -> dict[str, Any]:
    """An element of `GET /markets/keyset`. Lists are JSON inside strings."""
    market = facts.market
    event = {
        "id": "1",
        "title": facts.event_title,
        "negRisk": facts.neg_risk,
        "enableNegRisk": facts.neg_risk,
        "negRiskAugmented": False,
        "negRiskMarketID": market.event_id,
    }
    return {
        "conditionId": market.market_id,
        "question": market.title,
        "slug": facts.slug,
        "version": "v1",
        "outcomes": _ENCODER.encode(facts.outcomes).decode(),
        "clobTokenIds": _ENCODER.encode(facts.tokens).decode(),
        "negRisk": facts.neg_risk,
        "negRiskMarketID": market.event_id,
        "orderPriceMinTickSize": to_decimal(facts.tick),
        "orderMinSize": to_decimal(facts.least_size),
        "enableOrderBook": True,
        "acceptingOrders": not facts.closed,
        "active": True,
        "closed": facts.closed,
        "archived": False,
        "feesEnabled": market.fees.rate_micros > 0,
        "feeSchedule": {"rate": to_decimal(market.fees.rate_micros), "exponent": market.fees.exponent},
        "endDate": None if market.closes_at_ms is None else instant(market.closes_at_ms),
        "events": [event],
    }


def instant(ms: int) -> str:
    """Milliseconds since 1970 as the catalog writes a moment."""
    return dt.datetime.fromtimestamp(ms // 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
