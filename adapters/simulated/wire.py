"""The simulated exchange's own dialect: the shapes of its frames and bodies, shared by both ends of the wire.

JSON text; prices and sizes are decimal strings; `ts` is the exchange's clock in ms since 1970 UTC; `seq` counts the
frames of one market and is consecutive. A snapshot carries the number of the last frame that it contains.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from models.book import NO_ASK, NO_BID, YES_ASK, YES_BID
from models.first_use import make_structs_ready
from models.hostile import VenueId

SIDE_NAMES: Final = ("yes_bid", "yes_ask", "no_bid", "no_ask")
SIDES: Final = {"yes_bid": YES_BID, "yes_ask": YES_ASK, "no_bid": NO_BID, "no_ask": NO_ASK}

MARKET_PATH: Final = "/ws/market"
USER_PATH: Final = "/ws/user"

TextLevel = tuple[str, str]
"""(price, size)"""

Whole = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
"""A number or a time that can be one; 40 digits in its place are a broken frame, not a sequence number."""


class Side(msgspec.Struct, frozen=True, gc=False):
    bids: tuple[TextLevel, ...]
    asks: tuple[TextLevel, ...]


# -- market stream, exchange -> client


class Snapshot(msgspec.Struct, frozen=True, gc=False, tag="snapshot"):
    market_id: str
    seq: Whole
    ts: Whole
    status: str
    yes: Side
    no: Side


class Delta(msgspec.Struct, frozen=True, gc=False, tag="delta"):
    """New totals of the levels that changed, of both outcomes, at one instant."""

    market_id: str
    seq: Whole
    ts: Whole
    changes: tuple[tuple[str, str, str], ...]
    """(side name, price, new total; "0" removes the level)"""


class Heartbeat(msgspec.Struct, frozen=True, gc=False, tag="heartbeat"):
    """At least once a second: the last sequence number sent of every market that this connection is subscribed to."""

    ts: Whole
    seqs: dict[str, Whole]


class Print(msgspec.Struct, frozen=True, gc=False, tag="trade"):
    market_id: str
    ts: Whole
    outcome: str
    price: str
    size: str


class Status(msgspec.Struct, frozen=True, gc=False, tag="status"):
    market_id: str
    ts: Whole
    status: str
    detail: str


class Resolved(msgspec.Struct, frozen=True, gc=False, tag="resolved"):
    market_id: str
    ts: Whole
    yes_pays: str


class Subscribed(msgspec.Struct, frozen=True, gc=False, tag="subscribed"):
    markets: tuple[str, ...]


class Trouble(msgspec.Struct, frozen=True, gc=False, tag="error"):
    code: str
    text: str


class Pong(msgspec.Struct, frozen=True, gc=False, tag="pong"):
    ts: Whole


MarketFrame = Snapshot | Delta | Heartbeat | Print | Status | Resolved | Subscribed | Trouble | Pong


# -- user stream, exchange -> client


class OrderNews(msgspec.Struct, frozen=True, gc=False, tag="order"):
    ts: Whole
    order_id: VenueId
    client_order_id: VenueId
    status: str
    filled: str
    reason: str = ""


class FillNews(msgspec.Struct, frozen=True, gc=False, tag="fill"):
    """An execution, and again when it settles or is reversed. Also one row of `GET /fills`."""

    ts: Whole
    """Of the execution."""
    trade_id: VenueId
    order_id: VenueId
    client_order_id: VenueId
    market_id: VenueId
    outcome: str
    action: str
    price: str
    size: str
    fee: str
    state: str


UserFrame = OrderNews | FillNews | Heartbeat | Trouble | Pong


# -- client -> exchange


class Command(msgspec.Struct, frozen=True):
    """`subscribe`, `unsubscribe`, `resubscribe` (a fresh snapshot of markets already subscribed), `ping`."""

    op: str
    markets: tuple[str, ...] = ()


class OrderBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    client_order_id: str
    market_id: str
    outcome: str
    action: str
    price: str
    size: str
    time_in_force: str


class BatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    orders: tuple[OrderBody, ...]


class MergeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    market_id: str
    size: str


# -- answers over HTTP


class ErrorBody(msgspec.Struct, frozen=True):
    code: str
    text: str


class OrderAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One order as the exchange sees it, or why it was refused (then only `client_order_id` and `error` are set)."""

    client_order_id: VenueId
    order_id: VenueId = ""
    status: str = ""
    filled: str = ""
    reason: str = ""
    error: ErrorBody | None = None


class BatchAnswer(msgspec.Struct, frozen=True):
    results: tuple[OrderAnswer, ...]


class OrderList(msgspec.Struct, frozen=True):
    orders: tuple[OrderAnswer, ...]


class FillList(msgspec.Struct, frozen=True):
    fills: tuple[FillNews, ...]


class PositionBody(msgspec.Struct, frozen=True):
    market_id: VenueId
    outcome: str
    size: str


class PositionList(msgspec.Struct, frozen=True):
    positions: tuple[PositionBody, ...]


class BalanceBody(msgspec.Struct, frozen=True):
    cash: str
    available: str


class MergeAnswer(msgspec.Struct, frozen=True):
    cash: str


class TimeBody(msgspec.Struct, frozen=True):
    ts: int


class StatusBody(msgspec.Struct, frozen=True):
    """`open`, `post_only` or `restarting`."""

    status: str
    ts: int


class SnapshotList(msgspec.Struct, frozen=True):
    snapshots: tuple[Snapshot, ...]


class FeeBody(msgspec.Struct, frozen=True):
    name: str
    as_of: str
    rate: str
    exponent: Annotated[int, msgspec.Meta(ge=0, le=8)]
    quantum: str


class MarketBody(msgspec.Struct, frozen=True):
    market_id: VenueId
    title: str
    status: str
    tick: str
    lot: str
    min_size: str
    min_notional: str
    fees: FeeBody
    book_model: str
    closes_at_ms: Whole | None
    event_id: VenueId | None
    mutually_exclusive: bool
    yes_pays: str | None = None
    """Dollars per YES share, once the market has resolved."""


class MarketList(msgspec.Struct, frozen=True):
    markets: tuple[MarketBody, ...]


_encoder = msgspec.json.Encoder()


def encode(value: msgspec.Struct) -> bytes:
    """The JSON text of a frame or body."""
    return _encoder.encode(value)


make_structs_ready(globals())
