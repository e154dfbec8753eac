"""The venue's book hash: published vectors, every recorded book, and the hashes of maintained books."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from adapters.polymarket.book_hash import complete, hash_of_book
from adapters.polymarket.frames import BookFields, Level
from adapters.polymarket.wire import FrameDecoder
from models.clock import BootNs
from models.market import Market
from tests.adapters.polymarket.examples import a_market


def a_book(**fields: Any) -> BookFields:
    defaults: dict[str, Any] = {
        "market": "0xaabbcc",
        "asset_id": "100",
        "timestamp": "123456789",
        "bids": [Level("0.3", "100"), Level("0.4", "100")],
        "asks": [Level("0.6", "100"), Level("0.7", "100")],
        "min_order_size": "100",
        "tick_size": "0.01",
        "neg_risk": False,
        "last_trade_price": "0.5",
    }
    return BookFields(**(defaults | fields))


def test_the_published_vectors_reproduce() -> None:
    empty = a_book(timestamp="", bids=[], asks=[])

    assert hash_of_book(a_book()) == "0458ea5755c9f73d64a14636fa5c36ed460ec394"
    assert hash_of_book(empty) == "74c6a7c81c1d572f1c877b7d3e25b80c336d8a6e"


@pytest.mark.parametrize("field", ["hash", "min_order_size", "tick_size", "neg_risk", "last_trade_price"])
def test_a_book_without_one_of_the_fields_cannot_be_checked(field: str) -> None:
    assert complete(a_book(hash="x"))
    assert not complete(msgspec.structs.replace(a_book(hash="x"), **{field: None}))


def test_a_complete_book_frame_is_checked_and_a_wrong_hash_only_counted(market: Market) -> None:
    decoder = FrameDecoder([market], 1)
    fields = msgspec.to_builtins(a_book(market=market.market_id, asset_id="11")) | {"event_type": "book"}
    right = fields | {"hash": hash_of_book(a_book(market=market.market_id, asset_id="11"))}

    for frame in (right, right | {"hash": "0" * 40}):
        (event,) = decoder.decode(json.dumps(frame).encode(), BootNs(1))
        assert event.market_id == market.market_id

    assert (decoder.counts.hash_equal, decoder.counts.hash_wrong, decoder.counts.failed) == (1, 1, 0)


LAST_TRADE_OF_BOOKS = {
    "1772279170115": "0.520",
    "1772279178967": "0.500",
    "1772279180756": "0.500",
    "1772279185542": "0.510",
    "1772279186222": "0.510",
    "1772279196754": "0.500",
    "1772279206207": "0.500",
    "1772279206558": "0.520",
}
"""The last trade price that the hash of each recorded book was made with; the frames do not carry it."""


def events_of(tape: list[dict[str, Any]]) -> list[dict[str, Any]]:
    frames = [json.loads(line["d"]) for line in tape[1:] if line["x"] == "frame"]
    return [event for frame in frames for event in (frame if isinstance(frame, list) else [frame])]


def test_the_hash_of_every_recorded_book_reproduces(binary_tape: list[dict[str, Any]]) -> None:
    books = [event for event in events_of(binary_tape) if event["event_type"] == "book"]

    for event in books:
        missing = {
            "min_order_size": "5",
            "tick_size": "0.01",
            "neg_risk": False,
            "last_trade_price": LAST_TRADE_OF_BOOKS[event["timestamp"]],
        }
        assert hash_of_book(msgspec.convert(event | missing, BookFields)) == event["hash"]

    assert len(books) == 16


def test_most_change_hashes_are_those_of_the_maintained_book(binary_tape: list[dict[str, Any]]) -> None:
    """Evidence, not proof: changes of one millisecond arrive in another order than they were applied."""
    levels: dict[str, dict[str, dict[str, str]]] = {}
    last_trade = "0.520"
    verified = seen = 0
    for event in events_of(binary_tape):
        match event["event_type"]:
            case "book":
                levels[event["asset_id"]] = {
                    side: {level["price"]: level["size"] for level in event[side]} for side in ("bids", "asks")
                }
                last_trade = LAST_TRADE_OF_BOOKS[event["timestamp"]]
            case "price_change":
                for change in event["price_changes"]:
                    sides = levels[change["asset_id"]]
                    side = sides["bids" if change["side"] == "BUY" else "asks"]
                    side[change["price"]] = change["size"]
                    if change["size"] == "0":
                        del side[change["price"]]
                    # The change that a trade made is sent before the book that shows the trade's price.
                    trades = (last_trade, LAST_TRADE_OF_BOOKS.get(event["timestamp"], last_trade))
                    seen += 1
                    verified += change["hash"] in {
                        hash_of_sides(event, change["asset_id"], sides, trade) for trade in trades
                    }

    assert (verified, seen) == (168, 194)


def hash_of_sides(event: dict[str, Any], token: str, sides: dict[str, dict[str, str]], last_trade: str) -> str:
    bids = [Level(price, sides["bids"][price]) for price in sorted(sides["bids"], key=float)]
    asks = [Level(price, sides["asks"][price]) for price in sorted(sides["asks"], key=float, reverse=True)]
    return hash_of_book(
        a_book(
            market=event["market"],
            asset_id=token,
            timestamp=event["timestamp"],
            bids=bids,
            asks=asks,
            min_order_size="5",
            last_trade_price=last_trade,
        )
    )


def test_the_order_of_levels_matters_to_the_hash() -> None:
    book = a_book(market=a_market().market_id)

    assert hash_of_book(msgspec.structs.replace(book, bids=book.bids[::-1])) != hash_of_book(book)
