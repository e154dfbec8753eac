"""Cancels and decreases (kalshi.md 6.4, read 2026-11-22)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from adapters.kalshi.dialect.exchange import KalshiExchange
from adapters.kalshi.dialect.members import Member
from adapters.kalshi.dialect.order_checks import Placed, charge, decoded
from adapters.kalshi.dialect.replies import (
    INVALID_PARAMETERS,
    INVALID_SIZE,
    MARKET_INACTIVE,
    NOT_FOUND,
    RefusedError,
    bad,
    good,
)
from adapters.kalshi.dialect.rows import count
from adapters.simulated.orders import OrderState
from adapters.simulated.web import Answer
from models.clock import MS
from models.first_use import make_structs_ready
from models.market import MarketStatus
from models.money import MoneyError, parse_shares


class CancelItem(msgspec.Struct):
    order_id: str
    market_ticker: str | None = None
    exchange_index: int | None = None
    subaccount: int | None = None


class CancelOrders(msgspec.Struct):
    orders: list[CancelItem]


class Decrease(msgspec.Struct):
    reduce_by: str | None = None
    reduce_to: str | None = None
    market_ticker: str | None = None
    exchange_index: int | None = None


def cancel(exchange: KalshiExchange, member: Member, order_id: str, query: Mapping[str, list[str]], now: int) -> Answer:
    shard = query.get("exchange_index", [""])[0]
    ticker = query.get("market_ticker", [None])[0]
    charge(member, (0,), 2, now)
    placed = _cancelled(exchange, member, order_id, ticker, int(shard) if shard.isdigit() else None, now)
    if placed.problem is not None:
        return bad(placed.problem, placed.manner, placed.delay)
    return good(placed.body, HTTPStatus.OK, placed.manner, placed.delay)


def cancel_batch(exchange: KalshiExchange, member: Member, raw: bytes, now: int) -> Answer:
    items = decoded(raw, CancelOrders).orders
    charge(member, (0,), 2 * max(1, len(items)), now)
    bodies = []
    for item in items:
        placed = _cancelled(exchange, member, item.order_id, item.market_ticker, item.exchange_index, now)
        error = {} if placed.problem is None else {"order_id": item.order_id, "error": placed.problem.error}
        bodies.append(placed.body | error)
    return good({"orders": bodies})


def cancel_all(exchange: KalshiExchange, member: Member, now: int) -> Answer:
    charge(member, (0,), 2, now)
    for order in exchange.resting(member.name):
        exchange.end(order, "", now)
    exchange.announce_all(now)
    return Answer(HTTPStatus.NO_CONTENT, b"")


def _cancelled(
    exchange: KalshiExchange, member: Member, order_id: str, ticker: str | None, shard: int | None, now: int
) -> Placed:
    """Without a ticker or a shard the venue looks on shard 0 only (0.6)."""
    order = exchange.by_wire_id.get(order_id)
    if order is None or order.owner != member.name or order.hidden:
        return Placed({}, NOT_FOUND)
    routed = ticker == order.listed.ticker or (ticker is None and (shard or 0) == order.listed.shard)
    if not routed:
        return Placed({}, NOT_FOUND)
    if exchange.engine.listings[order.listed.market.market_id].status in (MarketStatus.CLOSED, MarketStatus.RESOLVED):
        return Placed({}, MARKET_INACTIVE)
    left = order.remaining
    reply = exchange.desk.cancel(order.venue.account, order.client_order_id, now)
    exchange.announce_all(now)
    if reply.answer.error is not None:
        return Placed({}, NOT_FOUND, reply.manner, reply.delay)
    body = {
        "order_id": order_id,
        "client_order_id": order.client_order_id,
        "reduced_by": count(left),
        "ts_ms": now // MS,
    }
    return Placed(body, None, reply.manner, reply.delay)


def decrease(exchange: KalshiExchange, member: Member, order_id: str, raw: bytes, now: int) -> Answer:
    asked = decoded(raw, Decrease)
    charge(member, (asked.exchange_index or 0,), 10, now)
    order = exchange.by_wire_id.get(order_id)
    if order is None or order.owner != member.name or order.venue.state is OrderState.DONE:
        raise RefusedError(NOT_FOUND)
    if (asked.reduce_by is None) == (asked.reduce_to is None):
        raise RefusedError(INVALID_PARAMETERS)
    try:
        amount = parse_shares(asked.reduce_by or asked.reduce_to or "")
    except MoneyError:
        raise RefusedError(INVALID_PARAMETERS) from None
    by = amount if asked.reduce_by is not None else order.remaining - amount
    if by <= 0 or by % order.listed.market.lot:
        raise RefusedError(INVALID_SIZE)
    if by >= order.remaining:
        exchange.end(order, "Decrease", now)
    else:
        exchange.shrink(order, by, now)
    exchange.announce_all(now)
    return good({"order_id": order_id, "remaining_count": count(order.remaining), "ts_ms": now // MS})


make_structs_ready(globals())
