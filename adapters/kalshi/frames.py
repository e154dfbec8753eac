"""The public channels' JSON as msgspec structs, and its decimal strings as exact integers.

Source: kalshi.md 8.3, 8.4 and 8.6 (AsyncAPI document and changelog, read 2026-11-22). Prices are dollars with up to six
decimals, counts have two; both are strings and stay strings until a table has read them. Unknown fields are ignored.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal

import msgspec

from models.first_use import make_structs_ready
from models.money import parse_micros, parse_price, parse_shares

TABLE_MAX: Final = 65_536
"""Texts remembered per table; a full one starts again from nothing."""

UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeError)
"""What msgspec raises for hostile bytes: wrong JSON or shape, nesting without end, broken UTF-8."""

Millis = Annotated[int, msgspec.Meta(ge=0, lt=10**13)]
Seconds = Annotated[int, msgspec.Meta(ge=0, lt=10**10)]
"""Times since 1970, until the year 2286: one that cannot be is a frame that cannot be read, and never a close time that
has passed.
"""

Row = tuple[str, str]
"""(price, count) of one level. The order of levels is not trusted."""


class Ranges(msgspec.Struct):
    """One band of a price grid."""

    start: str
    end: str
    step: str


# -- replies


class SubscribedTo(msgspec.Struct):
    channel: str
    sid: int


class Subscribed(msgspec.Struct, tag_field="type", tag="subscribed"):
    """Precedes all data of its sid (since 17 September 2026)."""

    msg: SubscribedTo
    id: int = 0


class Unsubscribed(msgspec.Struct, tag_field="type", tag="unsubscribed"):
    sid: int | None = None
    seq: int | None = None
    id: int = 0


class Ok(msgspec.Struct, tag_field="type", tag="ok"):
    """Consumes a sequence number where it is about a subscription."""

    sid: int | None = None
    seq: int | None = None
    id: int = 0


class Trouble(msgspec.Struct):
    code: int = 0
    msg: str = ""


class Error(msgspec.Struct, tag_field="type", tag="error"):
    msg: Trouble
    sid: int | None = None
    seq: int | None = None
    id: int = 0


# -- books


class BookLevels(msgspec.Struct):
    """A side that is missing is empty. NO prices are NO-leg, or YES-leg where the subscription asked for that."""

    market_ticker: str
    yes_dollars_fp: list[Row] | None = None
    no_dollars_fp: list[Row] | None = None


class SnapshotFrame(msgspec.Struct, tag_field="type", tag="orderbook_snapshot"):
    sid: int
    seq: int
    msg: BookLevels
    id: int = 0
    sending_ts_ms: Millis | None = None


class Delta(msgspec.Struct):
    """`delta_fp` is a signed difference; `ts_ms` the matching engine's time, one per matching event."""

    market_ticker: str
    price_dollars: str
    delta_fp: str
    side: Literal["yes", "no"]
    ts_ms: Millis


class DeltaFrame(msgspec.Struct, tag_field="type", tag="orderbook_delta"):
    sid: int
    seq: int
    msg: Delta
    sending_ts_ms: Millis | None = None


# -- lifecycles


class Lifecycle(msgspec.Struct):
    """All markets' but combos'. Times are in seconds."""

    event_type: str
    market_ticker: str
    close_ts: Seconds | None = None
    result: str | None = None
    settlement_value: str | None = None
    is_deactivated: bool | None = None
    price_ranges: list[Ranges] | None = None


class FeeUpdate(msgspec.Struct):
    """A null takes the override away: the series' own terms hold again."""

    event_ticker: str
    fee_type_override: str | None = None
    fee_multiplier_override: Decimal | None = None


class LifecycleFrame(msgspec.Struct, tag_field="type", tag="market_lifecycle_v2"):
    """`msg` is read for watched markets only: a stranger's shape that we do not know is no trouble of ours."""

    sid: int
    msg: msgspec.Raw
    seq: int | None = None


class EventLifecycleFrame(msgspec.Struct, tag_field="type", tag="event_lifecycle"):
    sid: int
    seq: int | None = None


class FeeUpdateFrame(msgspec.Struct, tag_field="type", tag="event_fee_update"):
    """`msg` as in `LifecycleFrame`."""

    sid: int
    msg: msgspec.Raw
    seq: int | None = None


Frame = (
    DeltaFrame
    | SnapshotFrame
    | Subscribed
    | Unsubscribed
    | Ok
    | Error
    | LifecycleFrame
    | EventLifecycleFrame
    | FeeUpdateFrame
)

KNOWN_TYPES: Final = frozenset(
    {
        "orderbook_delta",
        "orderbook_snapshot",
        "subscribed",
        "unsubscribed",
        "ok",
        "error",
        "market_lifecycle_v2",
        "event_lifecycle",
        "event_fee_update",
    }
)


class Mentioned(msgspec.Struct):
    """Whatever of an unreadable frame still says which kind it is and which subscription's number it has."""

    type: str | None = None
    sid: int | None = None
    seq: int | None = None


class About(msgspec.Struct):
    """Whom a lifecycle message is about."""

    market_ticker: str = ""
    event_ticker: str = ""


FRAMES: Final = msgspec.json.Decoder(Frame)
MENTIONED: Final = msgspec.json.Decoder(Mentioned)
ABOUT: Final = msgspec.json.Decoder(About)
LIFECYCLE: Final = msgspec.json.Decoder(Lifecycle)
FEE_UPDATE: Final = msgspec.json.Decoder(FeeUpdate)


class PriceTable(dict[str, int]):
    """Price text -> micro-dollars, strictly inside (0, 1). A text that is no such price raises `MoneyError`."""

    def __missing__(self, text: str) -> int:
        return _remember(self, text, parse_price(text))


class CountTable(dict[str, int]):
    """Count text -> micro-shares, zero or more."""

    def __missing__(self, text: str) -> int:
        return _remember(self, text, parse_shares(text))


class DifferenceTable(dict[str, int]):
    """Signed count text -> micro-shares."""

    def __missing__(self, text: str) -> int:
        return _remember(self, text, parse_micros(text))


def _remember(table: dict[str, int], text: str, value: int) -> int:
    if len(table) >= TABLE_MAX:
        table.clear()
    table[text] = value
    return value


make_structs_ready(globals())
