"""Frames like a busy venue's, made once and framed for the wire, so that the sender costs next to nothing.

Two-entry Polymarket `price_change` messages of about 600 bytes, with one `book` pair per market first. Sizes and prices
walk at random around 0.50 from a seed, on the unified book: each change is sent for both outcomes. About one message in
a hundred opens a gap for an instant (crossed, as recordings show), so the whole decision runs too.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator

from models.fees import FeeSchedule
from models.market import BookModel, Market, MarketId, VenueName, linear_grid
from models.money import MicroShares, MicroUsd, PriceMicros

TICK = PriceMicros(10_000)
BASE_MS = 1_795_334_400_000


def markets(count: int) -> list[Market]:
    """Invented markets with ids as long as the real ones."""
    return [
        Market(
            venue=VenueName("polymarket"),
            market_id=MarketId(f"0x{index:064x}"),
            title=f"bench market {index}",
            yes_instrument=str(10**76 + 2 * index),
            no_instrument=str(10**76 + 2 * index + 1),
            price_bands=linear_grid(TICK),
            lot=MicroShares(10_000),
            min_size=MicroShares(5_000_000),
            min_notional=MicroUsd(1_000_000),
            fees=FeeSchedule(name="bench", as_of="2026-11-22", rate_micros=40_000, quantum=MicroUsd(10)),
            book_model=BookModel.UNIFIED,
            closes_at_ms=None,
        )
        for index in range(count)
    ]


def snapshot_text(market: Market) -> str:
    """Both outcomes' books, fifty levels a side, as the first frame after subscribing."""
    yes_bids = [{"price": _price(p), "size": "100"} for p in range(1, 50)]
    yes_asks = [{"price": _price(p), "size": "100"} for p in range(99, 50, -1)]
    common = {"event_type": "book", "market": market.market_id, "timestamp": str(BASE_MS), "hash": "0" * 40}
    return json.dumps(
        [
            {**common, "asset_id": market.yes_instrument, "bids": yes_bids, "asks": yes_asks},
            {**common, "asset_id": market.no_instrument, "bids": yes_bids, "asks": yes_asks},
        ],
        separators=(",", ":"),
    )


def change_texts(listed: list[Market], count: int, seed: int) -> Iterator[str]:
    """`count` changes spread over the markets at random."""
    rng = random.Random(seed)
    for number in range(count):
        market = listed[rng.randrange(len(listed))]
        gap = number % 100 == 0
        cents = 51 if gap else rng.randrange(30, 50)
        size = str(rng.randrange(1, 90_000) / 100) if not gap else "7"
        yield _change(market, cents, size, BASE_MS + number)
        if gap:
            yield _change(market, cents, "0", BASE_MS + number)


def _change(market: Market, cents: int, size: str, at_ms: int) -> str:
    best_bid = "0.51" if cents == 51 and size != "0" else "0.49"
    entries = [
        {
            "asset_id": market.yes_instrument,
            "price": _price(cents),
            "size": size,
            "side": "BUY",
            "hash": f"{at_ms:040x}",
            "best_bid": best_bid,
            "best_ask": "0.51",
        },
        {
            "asset_id": market.no_instrument,
            "price": _price(100 - cents),
            "size": size,
            "side": "SELL",
            "hash": f"{at_ms + 1:040x}",
            "best_bid": "0.49",
            "best_ask": _price(100 - int(best_bid[2:])),
        },
    ]
    message = {
        "event_type": "price_change",
        "market": market.market_id,
        "timestamp": str(at_ms),
        "price_changes": entries,
    }
    return json.dumps(message, separators=(",", ":"))


def _price(cents: int) -> str:
    return f"0.{cents:02d}"


def framed(text: str) -> bytes:
    """One unmasked WebSocket text frame."""
    payload = text.encode()
    if len(payload) < 126:
        return struct.pack("!BB", 0x81, len(payload)) + payload
    if len(payload) < 65_536:
        return struct.pack("!BBH", 0x81, 126, len(payload)) + payload
    return struct.pack("!BBQ", 0x81, 127, len(payload)) + payload
