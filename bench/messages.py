"""What one market message costs from bytes to edge, in memory: ours, and a plain bot's (json, float, max/min).

`python -m bench.messages ours|plain MARKETS FRAMES` prints one JSON line. Both see the same bytes; decoding, book and
edge are timed together, sockets and threads are not part of it. Processor time, so that neighbours do not count.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from adapters.polymarket.wire import FrameDecoder
from bench.frames import change_texts, markets, snapshot_text
from bench.pipelines import watches_for
from models.book import BookUpdate
from models.book_keeping import CHANGED, Book
from models.clock import BootNs
from models.market import Market

Handler = Callable[[bytes], None]


def ours(listed: list[Market]) -> Handler:
    decoder = FrameDecoder(listed, 1)
    books = {m.market_id: Book(m.market_id, unified=True) for m in listed}
    watches = {w.terms.complete_set.market_ids[0]: w for w in watches_for(listed)}
    for book in books.values():
        book.begin(1)

    at = BootNs(1)

    def handle(frame: bytes) -> None:
        for event in decoder.decode(frame, at):
            book = books[event.market_id]
            effect = book.update(event) if type(event) is BookUpdate else book.snapshot(event)
            if effect is CHANGED and book.due(at):
                watch = watches[event.market_id]
                watch.put(book.top(), (0, 1))
                watch.gap()

    return handle


class _PlainBook:
    """Two dicts of floats, as most small bots keep them."""

    def __init__(self) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}


def plain(listed: list[Market]) -> Handler:
    books = {token: _PlainBook() for m in listed for token in (m.yes_instrument, m.no_instrument)}
    other = {m.yes_instrument: m.no_instrument for m in listed} | {m.no_instrument: m.yes_instrument for m in listed}

    def level(side: dict[float, float], price: str, size: str) -> None:
        if float(size) == 0:
            side.pop(float(price), None)
        else:
            side[float(price)] = float(size)

    def edge(token: str) -> float | None:
        mine, theirs = books[token], books[other[token]]
        if not mine.asks or not theirs.asks or not mine.bids:
            return None
        max(mine.bids)
        return 1.0 - min(mine.asks) - min(theirs.asks)

    def handle(frame: bytes) -> None:
        message = json.loads(frame)
        for part in message if isinstance(message, list) else [message]:
            if part["event_type"] == "book":
                book = books[part["asset_id"]] = _PlainBook()
                for row in part["bids"]:
                    level(book.bids, row["price"], row["size"])
                for row in part["asks"]:
                    level(book.asks, row["price"], row["size"])
                edge(part["asset_id"])
            else:
                for change in part["price_changes"]:
                    book = books[change["asset_id"]]
                    level(book.bids if change["side"] == "BUY" else book.asks, change["price"], change["size"])
                    edge(change["asset_id"])

    return handle


def main(kind: str, market_count: int, frame_count: int) -> None:
    listed = markets(market_count)
    handle = {"ours": ours, "plain": plain}[kind](listed)
    for market in listed:
        handle(snapshot_text(market).encode())
    frames = [text.encode() for text in change_texts(listed, frame_count, seed=7)]
    for frame in frames[: len(frames) // 5]:
        handle(frame)
    began = time.process_time()
    for frame in frames:
        handle(frame)
    elapsed = time.process_time() - began
    print(json.dumps({"us_per_message": elapsed / len(frames) * 1e6}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
