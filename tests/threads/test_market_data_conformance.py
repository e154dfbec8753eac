"""What the bot relies on from any venue's public side. A third venue adds one stage and passes the rest unchanged.

A stage is a running venue with its options; everything else goes through the registry and the port, over real sockets.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.clock import SystemClock
from adapters.feed import FeedState, FeedThread, HeartbeatPolicy
from adapters.polymarket.dialect.tape_server import TapeServer
from adapters.polymarket.dialect.tape_venue import TapeVenue
from adapters.registry import VENUES, VenueModule, make_market_data, venue_module
from adapters.simulated.exchange import InProcessExchange, Setup
from adapters.simulated.server import SimulatedServer
from adapters.tape import Tape, TapeHeader
from adapters.venue import MarketData, VenueReadError, VenueReadRefusedError
from models.book import BookLost, BookSnapshot, BookUpdate, NotReady, Source, TopOfBook
from models.book_keeping import Book
from models.clock import BootNs
from models.config_machine import VenueOptions
from models.market import BookModel, Market, MarketId
from tests.adapters.kalshi.stage import kalshi_stage
from tests.adapters.polymarket.examples import BTC_TAPE
from tests.polling import until

DEAD = VenueOptions(rest_url="http://127.0.0.1:1", ws_url="ws://127.0.0.1:1/")


@dataclass
class Stage:
    """One running venue."""

    name: str
    options: VenueOptions
    market_ids: list[MarketId]
    clock: SystemClock
    secrets: Mapping[str, str] = field(default_factory=dict)

    @property
    def module(self) -> VenueModule:
        return venue_module(self.name)

    def market_data(self, options: VenueOptions | None = None) -> MarketData:
        return make_market_data(self.name, options or self.options, self.secrets, self.clock, 1_000)


@contextmanager
def simulated() -> Iterator[Stage]:
    exchange = InProcessExchange(Setup(seed=3, start=time.time_ns(), markets=4))
    server = SimulatedServer(exchange)
    server.start()
    try:
        options = VenueOptions(rest_url=server.rest_url, ws_url=server.ws_url)
        yield Stage("simulated", options, [market.market_id for market in exchange.markets], SystemClock())
    finally:
        server.stop()


@contextmanager
def polymarket() -> Iterator[Stage]:
    with Tape(BTC_TAPE) as tape:
        server = TapeServer(TapeVenue(tape.header, "2026-01-01"), tape.lines(), 200.0, 0, lambda _: None)
        server.start()
        try:
            options = VenueOptions(rest_url=server.rest_url, ws_url=server.ws_url)
            ids = [MarketId(entry["market_id"]) for entry in tape.header.markets]
            yield Stage("polymarket", options, ids, SystemClock())
        finally:
            server.stop()


@contextmanager
def kalshi() -> Iterator[Stage]:
    with TemporaryDirectory() as directory, kalshi_stage(Path(directory)) as running:
        ids = [MarketId(ticker) for ticker in running.tickers]
        yield Stage("kalshi", running.options, ids, SystemClock(), running.secrets)


STAGES: dict[str, Callable[[], AbstractContextManager[Stage]]] = {
    "simulated": simulated,
    "polymarket": polymarket,
    "kalshi": kalshi,
}


@pytest.fixture(params=sorted(STAGES), scope="module")
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with STAGES[request.param]() as running:
        yield running


class Listener:
    """The bot's feed with bare books behind it; events of every frame are kept."""

    def __init__(self, stage: Stage, venue: MarketData, markets: Sequence[Market]) -> None:
        self.events: list[object] = []
        self.states: list[FeedState] = []
        self.generations: list[int] = []
        self.books = {m.market_id: Book(m.market_id, unified=m.book_model is BookModel.UNIFIED) for m in markets}
        self.feed = FeedThread(
            name="conformance",
            url_provider=lambda: venue.connect_ws().url,
            headers_provider=lambda: venue.connect_ws().headers,
            session_factory=lambda generation: self._session(venue, markets, generation, stage.clock),
            deliver=self._deliver,
            on_state=self.states.append,
            clock=stage.clock,
            rng=random.Random(1),
        )

    def _session(self, venue: MarketData, markets: Sequence[Market], generation: int, clock: SystemClock) -> object:
        self.generations.append(generation)
        for book in self.books.values():
            book.begin(generation)
        return venue.subscribe_markets(markets, generation, clock)

    def _deliver(self, events: Sequence[object]) -> None:
        for event in events:
            if isinstance(event, BookUpdate):
                self.books[event.market_id].update(event)
            elif isinstance(event, BookSnapshot):
                self.books[event.market_id].snapshot(event)
            self.events.append(event)

    def ready(self) -> list[TopOfBook]:
        return [top for top in (book.top() for book in self.books.values()) if top.not_ready is None]


@contextmanager
def listening(stage: Stage, count: int | None = None) -> Iterator[tuple[Listener, list[Market]]]:
    venue = stage.market_data()
    markets = venue.markets(stage.market_ids[:count])
    listener = Listener(stage, venue, markets)
    listener.feed.start()
    try:
        yield listener, markets
    finally:
        listener.feed.stop()


# -- the catalog


def test_every_venue_of_the_registry_has_a_stage_here() -> None:
    assert set(STAGES) == set(VENUES)


def test_the_catalog_describes_exactly_the_markets_that_were_asked_for(stage: Stage) -> None:
    wanted = list(reversed(stage.market_ids))

    markets = stage.market_data().markets(wanted)

    assert [market.market_id for market in markets] == wanted
    for market in markets:
        assert market.venue == stage.name == stage.market_data().name
        assert market.yes_instrument != market.no_instrument
        assert market.title
        assert market.lot > 0
        assert market.price_bands[0].start == 0
        assert market.price_bands[-1].end == 1_000_000
        assert all(band.step > 0 and (band.end - band.start) % band.step == 0 for band in market.price_bands)
        assert all(earlier.end == later.start for earlier, later in pairwise(market.price_bands))


def test_an_unknown_market_is_refused_and_named(stage: Stage) -> None:
    unknown = MarketId("0x" + "0" * 64)

    with pytest.raises(VenueReadRefusedError):
        stage.market_data().markets([stage.market_ids[0], unknown])


def test_a_market_can_be_found_by_its_title(stage: Stage) -> None:
    venue = stage.market_data()
    (wanted,) = venue.markets(stage.market_ids[:1])

    found = venue.find(wanted.title)

    assert wanted.market_id in [market.market_id for market in found]
    assert len(found) <= 50
    assert venue.find("no market is called like this") == []


def test_a_market_comes_back_from_a_tapes_header(stage: Stage) -> None:
    for market in stage.market_data().markets(stage.market_ids):
        back = stage.module.tape_market(stage.module.tape_entry(market), 0)

        assert back.market_id == market.market_id
        assert (back.yes_instrument, back.no_instrument) == (market.yes_instrument, market.no_instrument)
        assert (back.price_bands, back.lot, back.min_size) == (market.price_bands, market.lot, market.min_size)
        assert (back.fees.rate_micros, back.fees.exponent) == (market.fees.rate_micros, market.fees.exponent)


# -- reads


def test_reads_of_a_venue_that_is_gone_are_read_errors(stage: Stage) -> None:
    venue = stage.market_data(DEAD)
    markets = stage.market_data().markets(stage.market_ids[:1])

    for read in (
        lambda: venue.markets(stage.market_ids[:1]),
        lambda: venue.find("anything"),
        lambda: venue.get_snapshot_rest(markets, 1, stage.clock),
    ):
        with pytest.raises(VenueReadError):
            read()


def test_snapshots_carry_both_outcomes_and_the_generation_that_asked(stage: Stage) -> None:
    with listening(stage) as (listener, markets):
        until(lambda: bool(listener.ready()), "some book is ready")
        known = [m for m in markets if m.market_id in {top.market_id for top in listener.ready()}]

        snapshots = stage.market_data().get_snapshot_rest(known, 77, stage.clock)

    assert {snapshot.market_id for snapshot in snapshots} == {market.market_id for market in known}
    for snapshot in snapshots:
        assert snapshot.generation == 77
        assert snapshot.source is Source.REST
        assert snapshot.received_at <= stage.clock.boot_ns()
        sides = (snapshot.yes_bids, snapshot.yes_asks, snapshot.no_bids, snapshot.no_asks)
        assert all(side is not None for side in sides)
        assert all(0 < price < 1_000_000 and size > 0 for side in sides for price, size in side or ())


# -- the stream


def test_the_stream_makes_every_subscribed_book_ready_with_grid_prices_and_one_generation(stage: Stage) -> None:
    with listening(stage, 1) as (listener, markets):
        until(lambda: len(listener.ready()) == 1, "the book is ready")
        until(lambda: len(listener.events) > 20, "the market moves")
        (top,) = listener.ready()

    prices = [top.yes_bid, top.yes_ask, top.no_bid, top.no_ask]
    assert any(price is not None for price in prices)
    assert all(0 < price < 1_000_000 for price in prices if price is not None)
    generations = {event.generation for event in listener.events if isinstance(event, BookUpdate | BookSnapshot)}
    assert generations == set(listener.generations) == {1}
    assert {event.market_id for event in listener.events if isinstance(event, BookUpdate | BookSnapshot)} == {
        markets[0].market_id
    }


def test_both_outcomes_of_a_settled_moment_are_as_of_one_instant_on_a_unified_book(stage: Stage) -> None:
    with listening(stage) as (listener, markets):
        unified = [m.market_id for m in markets if m.book_model is BookModel.UNIFIED]

        def together() -> bool:
            tops = [listener.books[market_id].top() for market_id in unified]
            return not unified or any(top.intact and top.yes_as_of_ms == top.no_as_of_ms is not None for top in tops)

        until(together, "some unified book shows both outcomes as of one instant, mirrored")


def test_a_session_is_made_anew_for_every_connection(stage: Stage) -> None:
    venue = stage.market_data()
    markets = venue.markets(stage.market_ids[:1])

    first, second = (venue.subscribe_markets(markets, generation, stage.clock) for generation in (1, 2))

    assert first is not second
    assert list(first.opening()) == list(second.opening())
    assert first.opening()
    assert isinstance(first.heartbeat(), HeartbeatPolicy)


@given(frame=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_frame_that_cannot_be_read_loses_books_and_never_raises(stage: Stage, frame: bytes) -> None:
    header = TapeHeader(tape=1, venue=stage.name, markets=[])
    market = MARKETS.setdefault(stage.name, stage.market_data().markets(stage.market_ids[:1])[0])
    session = stage.module.tape_session(header, [market], 5)

    events = session.on_text(frame, BootNs(1))

    assert all(isinstance(event, BookLost) and event.generation == 5 for event in events)
    assert not events or session.counts.failed == 1


MARKETS: dict[str, Market] = {}
"""One market per stage, read once."""


def test_broken_json_loses_the_book_of_every_market_on_the_connection(stage: Stage) -> None:
    markets = stage.market_data().markets(stage.market_ids)
    session = stage.market_data().subscribe_markets(markets, 5, stage.clock)

    events = list(session.on_text(b'{"half', BootNs(1)))

    assert {event.market_id for event in events} == set(stage.market_ids)
    assert {event.reason for event in events} == {NotReady.BAD_FRAME}


def test_a_lost_connection_comes_back_under_the_next_generation(stage: Stage) -> None:
    venue = stage.market_data()
    markets = venue.markets(stage.market_ids[:1])
    listener = Listener(stage, venue, markets)
    addresses = iter([DEAD.ws_url, venue.connect_ws().url])
    listener.feed._url_provider = lambda: next(addresses)

    listener.feed.start()
    until(lambda: len(listener.ready()) == 1, "the second attempt brings the book")
    listener.feed.stop()

    assert [state.kind for state in listener.states[:4]] == ["connecting", "down", "connecting", "live"]
    assert listener.generations == [2]
