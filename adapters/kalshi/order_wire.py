"""Orders and holdings as they stand on Kalshi's wire: bodies to the byte, answers as typed rows. Pure.

Source: kalshi.md 6, 7 and 8.6 (OpenAPI 3.34.0, read 2026-11-22). Everything is quoted from the YES side: `bid` buys YES
or gives NO back, `ask` sells YES or buys NO, and `price` is always the YES leg's.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from models.first_use import make_structs_ready
from models.hostile import VenueId, WholeNumber
from models.market import Action, Outcome
from models.money import MICRO, MicroShares, PriceMicros, text
from models.orders import ClientOrderId, OrderIntent, Purpose, TimeInForce

ORDERS_PATH: Final = "/portfolio/events/orders"
BATCH_PATH: Final = "/portfolio/events/orders/batched"

BookSide = Literal["bid", "ask"]

TIMES_IN_FORCE: Final = {
    TimeInForce.FOK: "fill_or_kill",
    TimeInForce.IOC: "immediate_or_cancel",
    TimeInForce.GTC: "good_till_canceled",
}
TAKER_AT_CROSS: Final = "taker_at_cross"
"""An order of ours that would meet one of ours is ended there; what it filled before stands."""

PRICE_STEP: Final = PriceMicros(100)
"""Requests take prices of up to four decimals."""
COUNT_STEP: Final = MicroShares(10_000)
"""Counts have two decimals."""

_OURS: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
_VARIANT: Final = 19
"""Where a UUID has its variant digit."""


class CreateBody(msgspec.Struct, frozen=True, omit_defaults=True):
    ticker: str
    client_order_id: str
    side: BookSide
    count: str
    price: str
    time_in_force: str
    self_trade_prevention_type: str
    cancel_order_on_pause: bool
    exchange_index: int
    reduce_only: bool = False
    order_group_id: str | None = None
    subaccount: int | None = None


class CreateBatch(msgspec.Struct, frozen=True):
    orders: list[msgspec.Raw]


# -- the direction of an order


def book_side(outcome: Outcome, action: Action) -> BookSide:
    return "bid" if (outcome is Outcome.YES) is (action is Action.BUY) else "ask"


def yes_leg(outcome: Outcome, price: PriceMicros) -> PriceMicros:
    """A price of the outcome as the YES leg's, and the other way round."""
    return price if outcome is Outcome.YES else PriceMicros(MICRO - price)


# -- names


def wire_id(intent: OrderIntent) -> str:
    """Our id as the venue gets it. A sale differs in the variant digit.

    `ask` is "sell YES" as well as "buy NO", and nothing that the venue tells of an order says which was meant, nor in
    which leg its price is ours. So the id says it: a UUID's variant is `a` or `b`, ours always is `a`, and a sale's is
    sent as `b`. Other ids (only tests have any) go out as they are and count as buys.
    """
    own = str(intent.client_order_id)
    if intent.action is Action.SELL and _OURS.match(own):
        return f"{own[:_VARIANT]}b{own[_VARIANT + 1 :]}"
    return own


def own_id(wire: str) -> ClientOrderId:
    if _OURS.match(wire):
        return ClientOrderId(f"{wire[:_VARIANT]}a{wire[_VARIANT + 1 :]}")
    return ClientOrderId(wire)


def outcome_of(wire: str, side: str) -> Outcome:
    """The outcome that an order of ours trades, by its id and its side of the book."""
    sells = bool(_OURS.match(wire)) and wire[_VARIANT] == "b"
    return Outcome.YES if (side == "bid") is not sells else Outcome.NO


# -- bodies


def create_body(intent: OrderIntent, shard: int, group: str | None = None, subaccount: int | None = None) -> bytes:
    """One order. Raises `ValueError` where it cannot be said exactly.

    A sale is sent so that it can only reduce (a plain one beyond the position would open the other side, 6.2); the
    venue takes that with IOC only. Only what opens stands in an order group: its limit must not hold back protection.
    """
    price = yes_leg(intent.outcome, intent.limit_price)
    if price % PRICE_STEP or intent.size % COUNT_STEP:
        raise ValueError("the venue takes prices of four decimals and counts of two")
    reduces = intent.action is Action.SELL and intent.time_in_force is TimeInForce.IOC
    return _ENCODER.encode(
        CreateBody(
            ticker=intent.market_id,
            client_order_id=wire_id(intent),
            side=book_side(intent.outcome, intent.action),
            count=text(intent.size),
            price=text(price, 4),
            time_in_force=TIMES_IN_FORCE[intent.time_in_force],
            self_trade_prevention_type=TAKER_AT_CROSS,
            cancel_order_on_pause=True,
            exchange_index=shard,
            reduce_only=reduces,
            order_group_id=group if intent.purpose is Purpose.OPEN else None,
            subaccount=subaccount,
        )
    )


def batch_body(bodies: list[bytes]) -> bytes:
    return _ENCODER.encode(CreateBatch([msgspec.Raw(body) for body in bodies]))


_ENCODER: Final = msgspec.json.Encoder()


# -- answers and rows


class ErrorBody(msgspec.Struct, frozen=True):
    """Either under `error` or bare."""

    code: str = ""
    message: str = ""
    details: str = ""


class Created(msgspec.Struct, frozen=True):
    """Of one order, and an item of a batch. The two figures are final for an order that does not rest."""

    order_id: VenueId = ""
    client_order_id: VenueId = ""
    fill_count: str | None = None
    remaining_count: str | None = None
    error: ErrorBody | None = None


class CreatedBatch(msgspec.Struct, frozen=True):
    orders: list[Created]


class Cancelled(msgspec.Struct, frozen=True):
    order_id: VenueId
    reduced_by: str = "0"


class OrderRow(msgspec.Struct, frozen=True):
    """`status` is resting, canceled or executed; there is no pending and no rejected."""

    order_id: VenueId
    ticker: VenueId
    status: str
    client_order_id: VenueId = ""
    book_side: str = ""
    fill_count_fp: str = "0"
    remaining_count_fp: str = "0"
    last_update_reason: str | None = None


class OneOrder(msgspec.Struct, frozen=True):
    order: OrderRow


class OrderPage(msgspec.Struct, frozen=True):
    orders: list[OrderRow] | None = None
    cursor: str | None = None


class FillRow(msgspec.Struct, frozen=True):
    """REST names no client order id (since March 2026). `fee_cost` is the fee of this fill, rounding included."""

    trade_id: VenueId
    order_id: VenueId
    count_fp: str
    yes_price_dollars: str
    fee_cost: str
    ticker: VenueId = ""
    book_side: str = ""
    created_time: str | None = None
    ts_ms: WholeNumber | None = None
    ts: WholeNumber | None = None


class FillPage(msgspec.Struct, frozen=True):
    fills: list[FillRow] | None = None
    cursor: str | None = None


class PositionRow(msgspec.Struct, frozen=True):
    """Signed: a negative position is one in NO."""

    ticker: VenueId
    position_fp: str


class PositionPage(msgspec.Struct, frozen=True):
    market_positions: list[PositionRow] | None = None
    cursor: str | None = None


class ShardCash(msgspec.Struct, frozen=True):
    exchange_index: int
    balance: str


class Balance(msgspec.Struct, frozen=True):
    """`balance` in whole cents cuts off what is below them, so it is not read."""

    balance_dollars: str
    balance_breakdown: list[ShardCash] | None = None


class NettingConfig(msgspec.Struct, frozen=True):
    enabled: bool
    subaccount_number: int = 0
    exchange_index: int | None = None


class Netting(msgspec.Struct, frozen=True):
    netting_configs: list[NettingConfig] | None = None


class ApiKeyRow(msgspec.Struct, frozen=True):
    api_key_id: str
    scopes: list[str] | None = None


class ApiKeys(msgspec.Struct, frozen=True):
    api_keys: list[ApiKeyRow] | None = None
    api_key_region_expiration_ts: int | None = None
    """Unix seconds."""


class Group(msgspec.Struct, frozen=True):
    order_group_id: VenueId


# -- the private stream


class FillNewsBody(msgspec.Struct, frozen=True):
    trade_id: VenueId
    order_id: VenueId
    market_ticker: VenueId
    book_side: str
    yes_price_dollars: str
    count_fp: str
    fee_cost: str
    client_order_id: VenueId = ""
    ts_ms: WholeNumber | None = None


class FillNews(msgspec.Struct, frozen=True, tag_field="type", tag="fill"):
    msg: FillNewsBody


class OrderNews(msgspec.Struct, frozen=True, tag_field="type", tag="user_order"):
    msg: OrderRow


class Other(msgspec.Struct, frozen=True):
    """Whatever else comes: replies, positions, types of next year."""

    type: str = ""


make_structs_ready(globals())
