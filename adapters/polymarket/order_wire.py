"""The private side's JSON as msgspec structs: orders, answers, trades (polymarket.md 4, 5.2 to 5.5, read 2026-11-22).

The order of the fields is the order of the keys on the wire; a request is serialised once, signed, and sent as those
bytes. Unknown fields of answers are ignored.
"""

from __future__ import annotations

from typing import Final

import msgspec

from adapters.polymarket.eip712 import ZERO_WORD
from adapters.polymarket.signing import BUY, OrderStruct
from models.first_use import make_structs_ready
from models.hostile import VenueId
from models.orders import TimeInForce

ORDER_PATH: Final = "/order"
ORDERS_PATH: Final = "/orders"
BATCH_MAX: Final = 15

ORDER_TYPES: Final = {TimeInForce.IOC: "FAK", TimeInForce.FOK: "FOK", TimeInForce.GTC: "GTC"}
RESTING_TYPES: Final = frozenset({"GTC", "GTD"})
"""Their sizes are shares. FAK and FOK that buy state dollars in some answers, so nothing is read from those."""

_ENCODER: Final = msgspec.json.Encoder()
_ZERO: Final = "0x" + ZERO_WORD.hex()
NEVER: Final = "0"


# -- requests


class SignedOrder(msgspec.Struct, frozen=True, rename="camel"):
    builder: str
    expiration: str
    maker: str
    maker_amount: str
    metadata: str
    salt: int
    side: str
    signature: str
    signature_type: int
    signer: str
    taker_amount: str
    timestamp: str
    token_id: str


class PostOrder(msgspec.Struct, frozen=True, rename="camel"):
    """`owner` is the API key's id. `post_only` is on the wire only where it is true."""

    defer_exec: bool
    order: SignedOrder
    order_type: str
    owner: str
    post_only: bool | msgspec.UnsetType = msgspec.UNSET


class CancelOne(msgspec.Struct, frozen=True):
    order_id: str = msgspec.field(name="orderID")


def post_order(order: OrderStruct, signature: str, order_type: str, owner: str) -> bytes:
    """The exact bytes of one order's request."""
    return _ENCODER.encode(
        PostOrder(
            defer_exec=False,
            order=SignedOrder(
                builder=_word(order.builder),
                expiration=NEVER,
                maker=order.maker,
                maker_amount=str(order.maker_amount),
                metadata=_word(order.metadata),
                salt=order.salt,
                side="BUY" if order.side == BUY else "SELL",
                signature=signature,
                signature_type=order.signature_type,
                signer=order.signer,
                taker_amount=str(order.taker_amount),
                timestamp=str(order.timestamp_ms),
                token_id=str(order.token_id),
            ),
            order_type=order_type,
            owner=owner,
        )
    )


def post_orders(bodies: list[bytes]) -> bytes:
    """A batch of requests that `post_order` made."""
    return b"[" + b",".join(bodies) + b"]"


def cancel_one(order_id: str) -> bytes:
    return _ENCODER.encode(CancelOne(order_id))


def _word(value: bytes) -> str:
    return _ZERO if value == ZERO_WORD else "0x" + value.hex()


# -- answers


class Placed(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to one order. In a batch a refused one says `success: true` with no id and an `errorMsg`."""

    success: bool = False
    error_msg: str = ""
    order_id: str = msgspec.field(default="", name="orderID")
    status: str = ""
    making_amount: str | None = ""
    taking_amount: str | None = ""
    trade_ids: list[str] | None = msgspec.field(default=None, name="tradeIDs")


class Error(msgspec.Struct, frozen=True):
    error: str = ""
    error_msg: str = ""
    code: str = ""
    retry_after_seconds: float | None = None

    @property
    def text(self) -> str:
        return self.error or self.error_msg


class Cancelled(msgspec.Struct, frozen=True):
    canceled: list[str] | None = None
    not_canceled: dict[str, str] | None = None


class OrderRow(msgspec.Struct, frozen=True):
    """One order, of `/data/order(s)` and of the user stream. A status may carry `ORDER_STATUS_` before it."""

    id: VenueId
    status: str = ""
    market: VenueId = ""
    asset_id: VenueId = ""
    side: str = ""
    original_size: str = ""
    size_matched: str = ""
    price: str = ""
    order_type: str = ""
    maker_address: str = ""

    @property
    def state(self) -> str:
        return self.status.removeprefix("ORDER_STATUS_").upper()


class MakerRow(msgspec.Struct, frozen=True):
    """A resting order's part in a trade, in the maker's own token and side."""

    order_id: VenueId
    matched_amount: str
    price: str
    asset_id: VenueId = ""
    side: str = ""
    owner: str = ""
    maker_address: str = ""


class TradeRow(msgspec.Struct, frozen=True):
    """One trade, of `/data/trades` and of the user stream. The top-level fields are the taker's."""

    id: VenueId
    status: str
    asset_id: VenueId
    side: str
    size: str
    price: str
    market: VenueId = ""
    taker_order_id: VenueId = ""
    trader_side: str = ""
    owner: str = ""
    maker_address: str = ""
    maker_orders: list[MakerRow] = []
    match_time: str = ""
    matchtime: str = ""
    last_update: str = ""
    transaction_hash: str | None = None

    @property
    def state(self) -> str:
        return self.status.removeprefix("TRADE_STATUS_").upper()


class OrderPage(msgspec.Struct, frozen=True):
    data: list[OrderRow]
    next_cursor: str = ""


class TradePage(msgspec.Struct, frozen=True):
    data: list[TradeRow]
    next_cursor: str = ""


FIRST_CURSOR: Final = "MA=="
LAST_CURSOR: Final = "LTE="


class Balance(msgspec.Struct, frozen=True):
    """Base units (millionths) as text."""

    balance: str
    allowances: dict[str, str] = {}
    allowance: str | None = None


class ClosedOnly(msgspec.Struct, frozen=True):
    closed_only: bool


class Geoblock(msgspec.Struct, frozen=True):
    blocked: bool
    country: str = ""
    region: str = ""


class Heart(msgspec.Struct, frozen=True):
    heartbeat_id: str = ""
    error_msg: str = ""


make_structs_ready(globals())
