"""What the exchange knows about an order and an execution as the venue's JSON. Pure.

Counts have two decimals, prices four, fees six; every time is in the form that its field has on the wire.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.kalshi.dialect.markets import Listed
from adapters.kalshi.order_wire import book_side, yes_leg
from adapters.simulated.orders import OrderState, Party, Trade, VenueOrder
from models.clock import MS, SECOND
from models.market import Outcome
from models.money import MICRO, PriceMicros, text

REASONS: Final = {
    "filled": "Trade",
    "killed": "",
    "cancelled": "",
    "closed": "CloseCancel",
    "resolved": "CloseCancel",
}


@dataclass(slots=True, eq=False)
class KalshiOrder:
    """An accepted order with what the engine has no use for. Sizes in micro-shares, times in ns."""

    venue: VenueOrder
    owner: str
    listed: Listed
    client_order_id: str
    initial: int
    stp: str
    cancel_on_pause: bool
    updated: int
    group: str | None = None
    expires: int | None = None
    reason: str = ""
    """Why it ended, in the venue's words; "" where they follow from the engine's."""
    fees: list[int] = field(default_factory=lambda: [0, 0])
    """As taker and as maker, micro-dollars."""
    cost: list[int] = field(default_factory=lambda: [0, 0])
    hidden: bool = False
    """Killed at birth: the venue shows no order object for it."""

    @property
    def order_id(self) -> str:
        return wire_id(self.venue.order_id)

    @property
    def side(self) -> str:
        return book_side(self.venue.request.outcome, self.venue.request.action)

    @property
    def yes_price(self) -> PriceMicros:
        return yes_leg(self.venue.request.outcome, self.venue.request.price)

    @property
    def remaining(self) -> int:
        return self.venue.remaining if self.venue.state is OrderState.LIVE else 0

    @property
    def status(self) -> str:
        if self.venue.state is OrderState.LIVE:
            return "resting"
        return "executed" if self.venue.filled >= self.initial else "canceled"

    @property
    def last_reason(self) -> str:
        return self.reason or REASONS.get(self.venue.reason, "")


def wire_id(engine_id: str) -> str:
    """The engine's short id as the UUID that the venue would show."""
    return str(uuid.UUID(bytes=hashlib.sha256(engine_id.encode()).digest()[:16], version=4))


def dollars(micros: int, places: int = 4) -> str:
    return text(micros, places)


def count(size: int) -> str:
    return text(size, 2)


def instant(ns: int) -> str:
    """RFC 3339, to the millisecond."""
    moment = dt.datetime.fromtimestamp(ns // SECOND, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ns % SECOND // MS:03d}Z"


# -- orders and executions


def order_row(order: KalshiOrder) -> dict[str, Any]:
    """As REST shows it."""
    price = order.yes_price
    return _order_facts(order) | {
        "type": "limit",
        "no_price_dollars": dollars(MICRO - price),
        "user_id": wire_id(order.owner),
        "created_time": instant(order.venue.accepted_at),
        "last_update_time": instant(order.updated),
        "expiration_time": None if order.expires is None else instant(order.expires),
        "order_group_id": order.group,
        "cancel_order_on_pause": order.cancel_on_pause,
        "subaccount_number": 0,
    }


def order_news(order: KalshiOrder) -> dict[str, Any]:
    """As the private stream tells it: prices of the YES leg only."""
    news = _order_facts(order) | {
        "user_id": wire_id(order.owner),
        "created_ts_ms": order.venue.accepted_at // MS,
        "last_updated_ts_ms": order.updated // MS,
    }
    return news | ({"last_update_reason": order.last_reason} if order.last_reason else {})


def _order_facts(order: KalshiOrder) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "ticker": order.listed.ticker,
        "exchange_index": order.listed.shard,
        "status": order.status,
        "outcome_side": "yes" if order.side == "bid" else "no",
        "book_side": order.side,
        "yes_price_dollars": dollars(order.yes_price),
        "initial_count_fp": count(order.initial),
        "fill_count_fp": count(order.venue.filled),
        "remaining_count_fp": count(order.remaining),
        "taker_fill_cost_dollars": dollars(order.cost[0]),
        "maker_fill_cost_dollars": dollars(order.cost[1]),
        "taker_fees_dollars": dollars(order.fees[0], 6),
        "maker_fees_dollars": dollars(order.fees[1], 6),
        "self_trade_prevention_type": order.stp,
    }


def fill_row(trade: Trade, party: Party, order: KalshiOrder) -> dict[str, Any]:
    trade_id = wire_id(trade.trade_id)
    price = yes_leg(party.order.request.outcome, PriceMicros(party.price))
    return {
        "fill_id": trade_id,
        "trade_id": trade_id,
        "order_id": order.order_id,
        "ticker": order.listed.ticker,
        "market_ticker": order.listed.ticker,
        "exchange_index": order.listed.shard,
        "outcome_side": "yes" if order.side == "bid" else "no",
        "book_side": order.side,
        "count_fp": count(trade.size),
        "yes_price_dollars": dollars(price),
        "no_price_dollars": dollars(MICRO - price),
        "is_taker": party is trade.taker,
        "fee_cost": dollars(party.fee, 6),
        "created_time": instant(trade.at),
        "ts": trade.at // SECOND,
        "subaccount_number": 0,
    }


def fill_news(trade: Trade, party: Party, order: KalshiOrder, position: int) -> dict[str, Any]:
    row = fill_row(trade, party, order)
    kept = ("trade_id", "order_id", "market_ticker", "exchange_index", "is_taker", "outcome_side", "book_side")
    return {name: row[name] for name in kept} | {
        "client_order_id": order.client_order_id,
        "yes_price_dollars": row["yes_price_dollars"],
        "count_fp": row["count_fp"],
        "fee_cost": row["fee_cost"],
        "post_position_fp": count(position),
        "ts_ms": trade.at // MS,
    }


def own_outcome(side: str) -> Outcome:
    """What an order of this side of the book buys where it opens."""
    return Outcome.YES if side == "bid" else Outcome.NO
