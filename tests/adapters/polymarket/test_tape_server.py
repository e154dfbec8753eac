"""A recording as a venue: the real feed, session and REST reads against it, over real sockets."""

from __future__ import annotations

import gzip
import json
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.clock import SystemClock
from adapters.feed import FeedState, FeedThread
from adapters.polymarket.adapter import PolymarketVenue
from adapters.polymarket.book_hash import complete, hash_of_book
from adapters.polymarket.dialect.tape_server import TapeServer
from adapters.polymarket.dialect.tape_venue import TapeVenue
from adapters.polymarket.frames import BookFields
from adapters.tape import Tape
from adapters.venue import VenueReadRefusedError
from models.book import BookLost, BookSnapshot, BookUpdate
from models.book_keeping import Book
from models.config_machine import VenueOptions
from models.market import MarketId
from tests.adapters.polymarket.examples import BINARY_TAPE, BTC_TAPE
from tests.polling import until

BINARY_MARKET = MarketId("0x70909f0ba8256a89c301da58812ae47203df54957a07c7f8b10235e877ad63c2")


class Served:
    """A running tape with everything a test wants to know about it."""

    def __init__(self, path: Path, speed: float | None) -> None:
        self.tape = Tape(path)
        self.said: list[dict[str, Any]] = []
        self.ended = threading.Event()
        self.server = TapeServer(TapeVenue(self.tape.header, "2026-01-01"), self.tape.lines(), speed, 0, self._say)
        options = VenueOptions(rest_url=self.server.rest_url, ws_url=self.server.ws_url)
        self.clock = SystemClock()
        self.venue = PolymarketVenue(options, self.clock, 1_000)
        self.market_ids = [MarketId(entry["market_id"]) for entry in self.tape.header.markets]

    def _say(self, document: dict[str, Any]) -> None:
        self.said.append(document)
        self.ended.set()


@contextmanager
def serving(path: Path, speed: float | None = None) -> Iterator[Served]:
    served = Served(path, speed)
    served.server.start()
    try:
        yield served
    finally:
        served.server.stop()
        served.venue.close()
        served.tape.__exit__()


class Listener:
    """The bot's own feed, with books instead of actors behind it."""

    def __init__(self, served: Served) -> None:
        self.markets = served.venue.markets(served.market_ids)
        self.books = {m.market_id: Book(m.market_id, unified=True) for m in self.markets}
        self.sessions: list[Any] = []
        self.states: list[FeedState] = []
        self.frames: list[bytes] = []
        self.checked = self.equal = self.lost = 0
        self.closed = threading.Event()
        self.feed = FeedThread(
            name="test",
            url_provider=lambda: served.venue.connect_ws().url,
            headers_provider=lambda: served.venue.connect_ws().headers,
            session_factory=lambda generation: self._session(served, generation),
            deliver=self._deliver,
            on_state=self._state,
            clock=served.clock,
            rng=random.Random(1),
            on_raw=lambda frame, _: self.frames.append(frame),
        )

    def _session(self, served: Served, generation: int) -> Any:
        session = served.venue.subscribe_markets(self.markets, generation, served.clock)
        self.sessions.append(session)
        for book in self.books.values():
            book.begin(generation)
        return session

    def _deliver(self, events: Sequence[object]) -> None:
        for event in events:
            match event:
                case BookUpdate():
                    self.books[event.market_id].update(event)
                case BookSnapshot():
                    check = self.books[event.market_id].check(event)
                    self.checked += check.checked
                    self.equal += check.checked and check.equal
                    self.books[event.market_id].snapshot(event)
                case BookLost():
                    self.lost += 1

    def _state(self, state: FeedState) -> None:
        self.states.append(state)
        if state.kind == "down":
            self.closed.set()


@pytest.fixture
def binary() -> Iterator[Served]:
    with serving(BINARY_TAPE) as served:
        yield served


def test_the_recording_arrives_frame_by_frame_and_every_snapshot_equals(binary: Served) -> None:
    listener = Listener(binary)
    listener.feed.start()

    assert binary.ended.wait(20)
    assert listener.closed.wait(5)
    listener.feed.stop()

    with Tape(BINARY_TAPE) as tape:
        recorded = [line.event.d.encode() for line in tape.lines() if line.event.x == "frame"]
    counts = listener.sessions[0].counts
    assert listener.frames == recorded
    assert (counts.frames, counts.unknown, counts.failed) == (119, 0, 0)
    assert (listener.checked, listener.equal, listener.lost) == (14, 14, 0)
    assert any("1001" in state.reason for state in listener.states)
    assert binary.said == [{"tape_ended": True, "frames": 119}]


def test_the_long_recording_survives_a_reader_at_full_speed() -> None:
    with serving(BTC_TAPE) as served:
        listener = Listener(served)
        listener.feed.start()

        assert served.ended.wait(60)
        assert listener.closed.wait(10)
        listener.feed.stop()

        counts = listener.sessions[0].counts
        assert (counts.frames, counts.unknown, counts.failed) == (9_586, 0, 0)
        assert (listener.checked, listener.lost) == (0, 0)


def test_the_catalog_is_the_headers(binary: Served) -> None:
    (market,) = binary.venue.markets([BINARY_MARKET])

    assert market.title == "recorded binary market"
    assert market.yes_instrument.startswith("7077")
    assert market.price_bands[0].step == 10_000
    assert market.min_size == 5_000_000
    assert market.fees.rate_micros == 0
    assert binary.venue.find("BINARY recorded") == [market]
    assert binary.venue.find("something else") == []


def test_fees_and_end_of_trading_come_from_the_header() -> None:
    with serving(BTC_TAPE) as served:
        markets = served.venue.markets(served.market_ids)
        found = served.venue.find("https://polymarket.com/event/btc-updown-15m-1790586000")

    assert len(markets) == 9
    assert (markets[0].fees.rate_micros, markets[0].fees.exponent) == (70_000, 1)
    assert markets[0].closes_at_ms == 1_790_586_900_000
    assert [market.market_id for market in found] == [markets[0].market_id]


def test_an_unknown_market_is_refused(binary: Served) -> None:
    with pytest.raises(VenueReadRefusedError, match="HTTP 404"):
        binary.venue.markets([MarketId("0x" + "0" * 64)])


def test_rest_books_are_those_of_the_position_and_carry_the_venues_hash(binary: Served) -> None:
    listener = Listener(binary)
    assert binary.venue.get_snapshot_rest(listener.markets, 1, binary.clock) == [], "nothing has been played yet"
    listener.feed.start()
    assert binary.ended.wait(20)
    assert listener.closed.wait(5)
    listener.feed.stop()

    (snapshot,) = binary.venue.get_snapshot_rest(listener.markets, 1, binary.clock)
    status, body = binary.server.answer("GET", f"/book?token_id={listener.markets[0].yes_instrument}", b"")

    assert not listener.books[BINARY_MARKET].check(snapshot).emptied
    assert listener.books[BINARY_MARKET].check(snapshot).equal
    assert snapshot.exchange_ms == 1_772_279_207_769
    fields = json.loads(body)
    assert status == 200
    assert fields["bids"][-1]["price"] == "0.48"
    assert fields["asks"][-1]["price"] == "0.5"
    book = msgspec.convert(fields, BookFields)
    assert complete(book)
    assert book.hash == hash_of_book(book)


def test_the_venues_clock_is_the_tapes(binary: Served) -> None:
    listener = Listener(binary)
    listener.feed.start()
    assert binary.ended.wait(20)
    listener.feed.stop()

    assert binary.venue._rest.time_ms() == 1_772_279_207_500


def test_a_recorded_disconnect_closes_the_socket_and_goes_on_with_the_next_subscription(tmp_path: Path) -> None:
    book = {"event_type": "book", "market": "0xc0", "asset_id": "1", "timestamp": "1", "bids": [], "asks": []}
    header = {
        "tape": 1,
        "venue": "polymarket",
        "markets": [{"market_id": "0x" + "c" * 64, "tokens": ["1", "2"], "tick": "0.01", "min_size": "5"}],
    }
    first = [{**book, "market": "0x" + "c" * 64, "asset_id": token} for token in ("1", "2")]
    lines = [
        header,
        {"t": 1, "x": "open", "c": 1},
        {"t": 2, "x": "frame", "c": 1, "d": json.dumps(first)},
        {"t": 3, "x": "close", "c": 1},
        {"t": 4, "x": "open", "c": 2},
        {"t": 5, "x": "frame", "c": 2, "d": json.dumps(first)},
    ]
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress(b"\n".join(json.dumps(line).encode() for line in lines)))

    with serving(path) as served:
        listener = Listener(served)
        listener.feed.start()
        assert served.ended.wait(20)
        until(lambda: len(listener.frames) == 2, "the frame of the second connection arrives")
        listener.feed.stop()

    assert [session.counts.frames for session in listener.sessions][:2] == [1, 1]


def test_a_client_that_comes_in_the_middle_gets_the_books_of_that_moment() -> None:
    with serving(BINARY_TAPE, speed=0.01) as served:
        early, late = Listener(served), Listener(served)
        early.feed.start()
        until(lambda: len(early.frames) == 1, "the recorded dump arrives")

        late.feed.start()

        until(lambda: len(late.frames) == 1, "the late client gets a dump")
        assert {(e["asset_id"][:4], len(e["bids"])) for e in json.loads(late.frames[0])} == {("7077", 46), ("4674", 47)}
        early.feed.stop()
        late.feed.stop()
