"""The market channel's JSON as msgspec structs, and its decimal strings as exact integers.

Source: polymarket.md 3.4 and 3.5 (venue pages "Market channel", AsyncAPI file, read 2026-11-22). Every number on the
wire is a string and stays one until `PriceTable`, `BestPriceTable` or `size_of` has read it. Unknown fields are
ignored.
"""

from __future__ import annotations

from typing import Final, Literal, TypeVar

import msgspec

from models.first_use import make_structs_ready
from models.money import MICRO, MoneyError, parse_micros, parse_price

TABLE_MAX: Final = 4_096
"""Texts remembered per table. Prices have a few hundred, sizes are endless; a full table starts again from nothing."""

DECIMALS_MAX: Final = 18
"""Longest fraction that a size may have."""

Value = TypeVar("Value", int, int | None)

CONTROL_TEXTS: Final = frozenset({"PONG", "PING", "NO NEW ASSETS"})
"""Plain text frames that are not JSON (polymarket.md 3.2)."""


class Level(msgspec.Struct, gc=False):
    price: str
    size: str


class BookFields(msgspec.Struct):
    """One token's whole book, on the stream and as the answer to `GET /book` and `POST /books`.

    The order of the levels is not trusted. The last four fields may be missing on the stream.
    """

    market: str
    asset_id: str
    timestamp: str
    bids: list[Level]
    asks: list[Level]
    hash: str | None = None
    min_order_size: str | None = None
    tick_size: str | None = None
    neg_risk: bool | None = None
    last_trade_price: str | None = None


class BookFrame(BookFields, tag_field="event_type", tag="book"):
    """`book`: replaces every level of one token."""


class Change(msgspec.Struct, gc=False):
    """`size` is the level's new total, "0" removes it. BUY is a bid, SELL an ask of that token."""

    asset_id: str
    price: str
    size: str
    side: Literal["BUY", "SELL"]
    best_bid: str | None = None
    best_ask: str | None = None


class PriceChangeFrame(msgspec.Struct, gc=False, tag_field="event_type", tag="price_change"):
    """`price_change`: one order seen on both tokens, so normally two entries."""

    market: str
    timestamp: str
    price_changes: list[Change]


class TickSizeFrame(msgspec.Struct, tag_field="event_type", tag="tick_size_change"):
    market: str
    asset_id: str
    new_tick_size: str
    old_tick_size: str | None = None


class LastTradeFrame(msgspec.Struct, tag_field="event_type", tag="last_trade_price"):
    """A trade happened. `side` is the taker's; `fee_rate_bps` means nothing and is not read."""

    market: str
    asset_id: str
    price: str
    size: str | None = None
    side: str | None = None
    timestamp: str | None = None


class BestBidAskFrame(msgspec.Struct, tag_field="event_type", tag="best_bid_ask"):
    """Says nothing that a `price_change` does not say, and may overtake it: read, counted, not used."""

    market: str
    asset_id: str
    best_bid: str
    best_ask: str


class MarketResolvedFrame(msgspec.Struct, tag_field="event_type", tag="market_resolved"):
    """Global: comes for markets that nobody subscribed to, too."""

    market: str
    winning_asset_id: str
    assets_ids: list[str] = []


class NewMarketFrame(msgspec.Struct, tag_field="event_type", tag="new_market"):
    """Global. The allow list does not grow by itself, so it is only counted."""

    market: str


Event = (
    BookFrame
    | PriceChangeFrame
    | TickSizeFrame
    | LastTradeFrame
    | BestBidAskFrame
    | MarketResolvedFrame
    | NewMarketFrame
)

KNOWN_EVENTS: Final = frozenset(
    {
        "book",
        "price_change",
        "tick_size_change",
        "last_trade_price",
        "best_bid_ask",
        "market_resolved",
        "new_market",
    }
)


class Mentioned(msgspec.Struct):
    """Whatever of an unreadable event still says which kind it is and what it is about."""

    event_type: msgspec.Raw = msgspec.Raw(b"null")
    market: msgspec.Raw = msgspec.Raw(b"null")


class PriceTable(dict[str, int]):
    """Price text -> micro-dollars, strictly inside (0, 1). A text that is no such price raises `MoneyError`."""

    def __missing__(self, text: str) -> int:
        price = parse_price(text)
        remember(self, text, price)
        return price


def size_of(text: str) -> int:
    """Micro-shares, zero or more, rounded down. A text that is no such size raises `MoneyError`.

    Shares have six decimals on chain; more come from somebody's binary floats (`1.9300000000000002`, seen in a
    recording of 2026-09-28). Rounding down never shows more depth than there is.
    """
    try:
        size = parse_micros(text)
    except MoneyError:
        size = parse_micros(_cut(text))
    if size <= 0 and text[:1] == "-":  # "-0" is a number, but not one that a venue means
        raise MoneyError(f"negative size: {text[:40]!r}")
    return size


def _cut(text: str) -> str:
    """Without what is finer than a millionth, if it is a fraction of a length that a float may have."""
    whole, _, fraction = text.partition(".")
    plain = 6 < len(fraction) <= DECIMALS_MAX and fraction.isascii() and fraction.isdigit()
    return f"{whole}.{fraction[:6]}" if plain else text


class SizeTable(dict[str, int]):
    """Size text -> micro-shares, as `size_of` has it, where the same sizes come again and again."""

    def __missing__(self, text: str) -> int:
        size = size_of(text)
        remember(self, text, size)
        return size


class BestPriceTable(dict[str, int | None]):
    """`best_bid` or `best_ask` text -> micro-dollars, None for an empty side.

    An empty side is written "0" for bids and "1" for asks (polymarket.md 3.5). Neither is a possible price, so both
    mean an empty side wherever they stand.
    """

    def __missing__(self, text: str) -> int | None:
        micros = parse_micros(text)
        if not 0 <= micros <= MICRO or text[:1] == "-":
            raise MoneyError(f"best price outside [0, 1]: {text[:40]!r}")
        price = micros % MICRO or None
        remember(self, text, price)
        return price


def remember(table: dict[str, Value], text: str, value: Value) -> None:
    if len(table) >= TABLE_MAX:
        table.clear()
    table[text] = value


make_structs_ready(globals())
