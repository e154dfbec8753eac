"""What anybody may read: the exchange's state, series, events, markets, books, trades (kalshi.md 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from adapters.kalshi.dialect.exchange import KalshiExchange
from adapters.kalshi.dialect.market_rows import STATUSES, event_row, market_row, rest_levels, series_row
from adapters.kalshi.dialect.markets import Listed
from adapters.kalshi.dialect.replies import INVALID_PARAMETERS, NOT_FOUND, RefusedError, page
from models.market import MarketStatus

Query = Mapping[str, list[str]]

FILTERS: Final = {
    "unopened": (),
    "open": ("active",),
    "paused": ("inactive",),
    "closed": ("closed", "determined"),
    "settled": ("finalized",),
}
"""The filter's words are not those of the markets (2.3)."""
BOOKS_MAX: Final = 100
SHARD_NAMES: Final = {0: "Default", 2: "Crypto and Commodities"}


def status(exchange: KalshiExchange) -> dict[str, Any]:
    up = not exchange.unavailable
    trades = up and exchange.weather == "open"
    return {
        "exchange_active": up,
        "trading_active": trades,
        "intra_exchange_transfers_active": up,
        "exchange_estimated_resume_time": None,
        "exchange_index_statuses": [
            {
                "exchange_index": shard,
                "description": SHARD_NAMES.get(shard, f"Shard {shard}"),
                "exchange_active": up,
                "trading_active": trades,
                "intra_exchange_transfers_active": up,
            }
            for shard in exchange.listings.shards
        ],
    }


def public(exchange: KalshiExchange, parts: list[str], query: Query) -> dict[str, Any] | None:
    """The answer to a public GET, None where there is none of that path. Raises `RefusedError`."""
    match parts:
        case ["exchange", "status"]:
            return status(exchange)
        case ["exchange", "schedule"]:
            return {"schedule": {"standard_hours": [], "maintenance_windows": []}}
        case ["series", *rest]:
            return _series(exchange, rest)
        case ["events", *rest]:
            return _events_of(exchange, rest, query)
        case ["markets", *rest]:
            return _markets_of(exchange, rest, query)
    return None


def _series(exchange: KalshiExchange, rest: list[str]) -> dict[str, Any]:
    tickers = exchange.listings.series
    match rest:
        case []:
            return {"series": [series_row(_any_of(exchange, ticker)) for ticker in tickers]}
        case ["fee_changes"]:
            return {"series_fee_change_arr": []}
        case [ticker] if ticker in tickers:
            return {"series": series_row(_any_of(exchange, ticker))}
    raise RefusedError(NOT_FOUND)


def _events_of(exchange: KalshiExchange, rest: list[str], query: Query) -> dict[str, Any]:
    match rest:
        case []:
            return _events(exchange, query)
        case ["fee_changes"]:
            return {"event_fee_changes": [], "cursor": ""}
        case [ticker] if ticker in exchange.listings.by_event:
            members = exchange.listings.by_event[ticker]
            return {"event": event_row(members[0]), "markets": [_row(exchange, one) for one in members]}
    raise RefusedError(NOT_FOUND)


def _markets_of(exchange: KalshiExchange, rest: list[str], query: Query) -> dict[str, Any]:
    match rest:
        case []:
            return _markets(exchange, query)
        case ["orderbooks"]:
            return {"orderbooks": [_book(exchange, ticker, 0) for ticker in query.get("tickers", ())[:BOOKS_MAX]]}
        case ["trades"]:
            return {"trades": [], "cursor": ""}
        case [ticker]:
            return {"market": _row(exchange, _known(exchange, ticker))}
        case [ticker, "orderbook"]:
            depth = query.get("depth", ["0"])[0]
            if not depth.isdigit():
                raise RefusedError(INVALID_PARAMETERS)
            return {"orderbook_fp": _book(exchange, ticker, int(depth))["orderbook_fp"]}
    raise RefusedError(NOT_FOUND)


def _events(exchange: KalshiExchange, query: Query) -> dict[str, Any]:
    wanted = _filter(query)
    series = query.get("series_ticker", [None])[0]
    nested = query.get("with_nested_markets", ["false"])[0] == "true"
    rows = []
    for members in exchange.listings.by_event.values():
        if series not in (None, members[0].series.ticker):
            continue
        if wanted is not None and not any(_state(exchange, one) in wanted for one in members):
            continue
        row = event_row(members[0])
        rows.append(row | ({"markets": [_row(exchange, one) for one in members]} if nested else {}))
    return page(rows, "events", query, 200)


def _markets(exchange: KalshiExchange, query: Query) -> dict[str, Any]:
    wanted = _filter(query)
    tickers = [ticker for value in query.get("tickers", ()) for ticker in value.split(",") if ticker]
    event, series = query.get("event_ticker", [None])[0], query.get("series_ticker", [None])[0]
    rows = [
        _row(exchange, one)
        for one in exchange.listings.all
        if (not tickers or one.ticker in tickers)
        and event in (None, one.event_ticker)
        and series in (None, one.series.ticker)
        and (wanted is None or _state(exchange, one) in wanted)
    ]
    return page(rows, "markets", query)


def _filter(query: Query) -> tuple[str, ...] | None:
    word = query.get("status", [None])[0]
    if word is None:
        return None
    if word not in FILTERS:
        raise RefusedError(INVALID_PARAMETERS)
    return FILTERS[word]


def _state(exchange: KalshiExchange, listed: Listed) -> str:
    status_: MarketStatus = exchange.engine.listings[listed.market.market_id].status
    return STATUSES[status_]


def _row(exchange: KalshiExchange, listed: Listed) -> dict[str, Any]:
    market_id = listed.market.market_id
    return market_row(
        listed,
        exchange.engine.listings[market_id],
        exchange.closes_ms[market_id],
        exchange.setup.start,
        exchange.traded.get(market_id, 0),
    )


def _book(exchange: KalshiExchange, ticker: str, depth: int) -> dict[str, Any]:
    listed = _known(exchange, ticker)
    return {"ticker": ticker, "orderbook_fp": rest_levels(exchange.engine.listings[listed.market.market_id], depth)}


def _known(exchange: KalshiExchange, ticker: str) -> Listed:
    listed = exchange.listings.by_ticker.get(ticker)
    if listed is None:
        raise RefusedError(NOT_FOUND)
    return listed


def _any_of(exchange: KalshiExchange, series: str) -> Listed:
    return next(one for one in exchange.listings.all if one.series.ticker == series)
