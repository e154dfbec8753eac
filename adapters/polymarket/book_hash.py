"""The venue's `hash` of an order book: SHA-1 over its compact JSON in one fixed key order (polymarket.md 3.6).

It can be checked where all ten fields are there: on REST books and on some `book` frames. A mismatch means that exact
strings were lost or that the venue changed the preimage; it is counted and is never an error. The hash in a
`price_change` entry is that of the whole book after it where it verifies (168 of 194 in one recording), so a match is
evidence and a mismatch says nothing.
"""

from __future__ import annotations

import hashlib

import msgspec

from adapters.polymarket.frames import BookFields, Level


class _Preimage(msgspec.Struct):
    """Field order is the order of the keys."""

    market: str
    asset_id: str
    timestamp: str
    hash: str
    bids: list[Level]
    asks: list[Level]
    min_order_size: str
    tick_size: str
    neg_risk: bool
    last_trade_price: str


def complete(book: BookFields) -> bool:
    """Whether the book carries every field that its hash covers."""
    return None not in (book.hash, book.min_order_size, book.tick_size, book.neg_risk, book.last_trade_price)


def hash_of_book(book: BookFields) -> str:
    """Lower-case hex SHA-1 of a `complete` book, levels in the order received."""
    preimage = _Preimage(
        market=book.market,
        asset_id=book.asset_id,
        timestamp=book.timestamp,
        hash="",
        bids=book.bids,
        asks=book.asks,
        min_order_size=book.min_order_size or "",
        tick_size=book.tick_size or "",
        neg_risk=bool(book.neg_risk),
        last_trade_price=book.last_trade_price or "",
    )
    # The venue's choice of hash; nothing here depends on it being hard to forge.
    return hashlib.sha1(msgspec.json.encode(preimage), usedforsecurity=False).hexdigest()
