"""Intents and answers of the private side, with defaults."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from adapters.http_calls import HttpAnswer
from models.clock import MS, WallNs
from models.market import Action, MarketId, Outcome, SetId, VenueName
from models.money import MICRO, MicroShares, PriceMicros
from models.orders import AttemptId, ClientOrderId, OrderIntent, Purpose, TimeInForce, VenueOrderId
from tests.adapters.kalshi.examples import TICKER, TS

OWN = ClientOrderId("a3f0c6c2-6c52-4a0e-ab1b-1d1f4a0c0001")
SOLD = "a3f0c6c2-6c52-4a0e-bb1b-1d1f4a0c0001"
"""`OWN` as the venue gets it for a sale."""
ORDER = VenueOrderId("0c7e3f0e-0001-4000-8000-000000000001")


def an_intent(**changes: Any) -> OrderIntent:
    intent = OrderIntent(
        client_order_id=OWN,
        attempt_id=AttemptId("a-1"),
        set_id=SetId("s-1"),
        venue=VenueName("kalshi"),
        market_id=MarketId(TICKER),
        leg=0,
        outcome=Outcome.YES,
        action=Action.BUY,
        limit_price=PriceMicros(430_000),
        size=MicroShares(4 * MICRO),
        time_in_force=TimeInForce.IOC,
        purpose=Purpose.OPEN,
        at=WallNs(TS * MS),
    )
    return replace(intent, **changes)


def an_answer(status: int, body: object, **headers: str) -> HttpAnswer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpAnswer(status, headers, content)


def created(**changes: Any) -> dict[str, Any]:
    return {
        "order_id": ORDER,
        "client_order_id": OWN,
        "fill_count": "4.00",
        "remaining_count": "0.00",
        "average_fill_price": "0.4300",
        "average_fee_paid": "0.017175",
        "ts_ms": TS,
    } | changes


def nested(code: str, message: str = "", **more: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message or code.replace("_", " ")} | more}


def an_order_row(**changes: Any) -> dict[str, Any]:
    return {
        "order_id": ORDER,
        "user_id": "u-1",
        "client_order_id": OWN,
        "ticker": TICKER,
        "outcome_side": "yes",
        "book_side": "bid",
        "type": "limit",
        "status": "executed",
        "yes_price_dollars": "0.4300",
        "no_price_dollars": "0.5700",
        "initial_count_fp": "4.00",
        "fill_count_fp": "4.00",
        "remaining_count_fp": "0.00",
    } | changes


def a_fill_row(**changes: Any) -> dict[str, Any]:
    return {
        "fill_id": "t-1",
        "trade_id": "t-1",
        "order_id": ORDER,
        "ticker": TICKER,
        "outcome_side": "yes",
        "book_side": "bid",
        "count_fp": "4.00",
        "yes_price_dollars": "0.4300",
        "no_price_dollars": "0.5700",
        "is_taker": True,
        "fee_cost": "0.068700",
        "created_time": "2026-11-22T10:00:00.123Z",
    } | changes


def fill_news(**changes: Any) -> dict[str, Any]:
    """A purchase of NO at 0.35, as the stream tells it."""
    msg = {
        "trade_id": "t-1",
        "order_id": ORDER,
        "client_order_id": OWN,
        "market_ticker": TICKER,
        "exchange_index": 0,
        "is_taker": True,
        "outcome_side": "no",
        "book_side": "ask",
        "yes_price_dollars": "0.6500",
        "count_fp": "10.00",
        "fee_cost": "0.159250",
        "post_position_fp": "-10.00",
        "ts_ms": TS + 124,
    } | changes
    return {"type": "fill", "sid": 3, "msg": msg}


def order_news(**changes: Any) -> dict[str, Any]:
    return {"type": "user_order", "sid": 4, "msg": an_order_row(**changes)}
