"""The precomputed load: every frame follows from the one before, and the gaps are counted as they are sent."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from adapters.simulated.exchange import InProcessExchange, Setup
from adapters.simulated.hub import Hub
from adapters.simulated.load import CYCLE, LoadLoop
from adapters.simulated.session import MarketSession
from models.book import BookSnapshot, BookUpdate
from models.book_keeping import Book
from models.clock import BootNs
from models.money import MICRO


class Sink:
    """A peer that keeps the payloads of whole frames."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.frames.append(data)

    def send_raw(self, frames: bytes) -> None:
        while frames:
            length, head = frames[1], 2
            if length == 126:
                length, head = int.from_bytes(frames[2:4]), 4
            self.frames.append(frames[head : head + length])
            frames = frames[head + length :]

    def close(self, code: int) -> None:
        raise AssertionError(code)

    def freeze(self, part: bytes) -> None:
        raise AssertionError(part)


def a_loop(markets: int = 6) -> tuple[InProcessExchange, LoadLoop, Hub]:
    exchange = InProcessExchange(Setup(seed=1, start=time.time_ns(), rate=0, scripted=False, markets=markets))
    hub = Hub(exchange)
    loop = LoadLoop(hub, exchange, 1)
    loop.start()
    loop.stop()
    return exchange, loop, hub


def subscribe(exchange: InProcessExchange, hub: Hub, *names: str) -> Sink:
    sink = Sink()
    connection = hub.join(None, sink)
    assert connection is not None
    hub.receive(connection, json.dumps({"op": "subscribe", "markets": names}).encode())
    return sink


@pytest.mark.parametrize("late", [0, 77, CYCLE // 2 * 6 + 3])
def test_a_subscriber_at_any_moment_can_follow_the_load_and_sees_every_gap(late: int) -> None:
    exchange, loop, hub = a_loop()
    hub.call(lambda e, now: loop._send(late, e, now))
    names = [str(market.market_id) for market in exchange.markets]
    gaps_before = {cycle.market_id: cycle.gaps for cycle in loop.cycles}
    sink = subscribe(exchange, hub, *names)

    for _ in range(60):
        hub.call(lambda e, now: loop._send(101, e, now))

    session = MarketSession(exchange.markets, 1)
    books = {m.market_id: Book(m.market_id, unified=m.book_model == "unified") for m in exchange.markets}
    for book in books.values():
        book.begin(1)
    seen = dict.fromkeys(books, 0)
    for frame in sink.frames:
        for event in session.on_text(frame, BootNs(1)):
            if isinstance(event, BookSnapshot):
                books[event.market_id].snapshot(event)
            if isinstance(event, BookUpdate):
                books[event.market_id].update(event)
                top: Any = books[event.market_id].top()
                assert top.not_ready is None
                assert top.intact
                assert not top.crossed
                seen[event.market_id] += top.yes_ask + top.no_ask < MICRO
    assert session.counts.failed == 0
    assert all(book.counts.gaps == 0 for book in books.values())
    assert seen == {cycle.market_id: cycle.gaps - gaps_before[cycle.market_id] for cycle in loop.cycles}
    assert sum(seen.values()) >= 3


def test_a_round_ends_where_it_began() -> None:
    exchange, loop, hub = a_loop(markets=1)
    now = exchange.now
    market_id = exchange.markets[0].market_id
    before = loop.snapshot(market_id, now)
    hub.call(lambda e, at: loop._send(CYCLE, e, at))

    after = loop.snapshot(market_id, now)

    assert (before.yes, before.no) == (after.yes, after.no)
    assert after.seq == before.seq + CYCLE


def test_a_subscriber_of_one_market_gets_that_market_only() -> None:
    exchange, loop, hub = a_loop()
    sink = subscribe(exchange, hub, "btc-100k-dec")

    hub.call(lambda e, now: loop._send(600, e, now))

    assert all(b"btc-100k-dec" in frame for frame in sink.frames)
    assert len([frame for frame in sink.frames if b'"delta"' in frame]) == 100
