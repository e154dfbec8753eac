"""Kalshi's public side of the port: catalog, stream, snapshots.

This venue's stream wants a key even for public data (kalshi.md 3, read 2026-11-22), so paper mode needs one as well; it
should be a key of scope `read`. What is built here signs GET requests and knows no order endpoint (I19).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters.catalog import CatalogError, iso_date
from adapters.feed import FeedSession
from adapters.http import HttpReader
from adapters.kalshi.catalog import (
    TICKER,
    VENUE,
    KalshiEvent,
    KalshiMarket,
    KalshiSeries,
    is_over,
    is_paused,
    market_from_tape,
    market_of,
    market_to_tape,
    payout,
    status_problem,
    title_of,
)
from adapters.kalshi.desk import SnapshotDesk
from adapters.kalshi.lifecycle import Standing
from adapters.kalshi.rest import KalshiRest
from adapters.kalshi.session import MARKETS_PER_SOCKET, KalshiSession
from adapters.kalshi.signing import KeyFileError, RequestSigner, load_key
from adapters.rate import RateBudget
from adapters.tape import TapeHeader
from adapters.venue import (
    Capabilities,
    Endpoint,
    MarketOverError,
    MissingKeysError,
    VenueReadError,
    VenueReadRefusedError,
)
from models.book import BookSnapshot
from models.clock import MS, BootNs, Clock
from models.config_machine import VenueOptions
from models.fees import FeesUnknownError
from models.hostile import clean
from models.market import BookModel, Market, MarketId, MarketStatus

REST_URL: Final = "https://external-api.kalshi.com/trade-api/v2"
WS_URL: Final = "wss://external-api-ws.kalshi.com/trade-api/ws/v2"

FOUND_MAX: Final = 50
FIND_PAGES: Final = 20
"""`find` looks through 4,000 open events."""
SNAPSHOT_S: Final = 3.0
"""How long the stream may take to bring a book that was asked for."""

CAPABILITIES: Final = Capabilities(
    book_model=BookModel.UNIFIED,
    ioc=True,
    fok=True,
    batch_max=10,
    sequence_numbers=True,
    idempotent_ids=True,
    user_stream=True,
    merge=False,
    netting=True,
    dead_man_switch=True,
    visibility_horizon_s=10.0,
    requests_per_second=10,
    markets_per_connection=MARKETS_PER_SOCKET,
)
"""Ten orders are what the lowest tier's write bucket holds, and as many a second refill it (4.4)."""

KEY_NAMES: Final = "DUTCHBOOK_KALSHI_KEY_ID and DUTCHBOOK_KALSHI_PRIVATE_KEY_PATH"


class KalshiVenue:
    """`adapters.venue.MarketData` for Kalshi."""

    name = VENUE
    capabilities = CAPABILITIES

    def __init__(
        self, options: VenueOptions, signer: RequestSigner | None, clock: Clock, requests_per_second: int
    ) -> None:
        """Without a signer only REST can be read; `connect_ws` says what is missing."""
        self._ws_url = options.ws_url or WS_URL
        self._clock = clock
        self._signer = signer
        self._http = HttpReader(RateBudget(clock, requests_per_second))
        self._rest = KalshiRest(self._http, options.rest_url or REST_URL, signer, clock)
        self._series: dict[str, KalshiSeries] = {}
        self._desks: dict[MarketId, tuple[int, SnapshotDesk]] = {}
        self._standing = Standing()
        """Which markets are known not to trade; sessions keep it up to date over all their connections."""

    def close(self) -> None:
        self._http.close()

    def markets(self, market_ids: Sequence[MarketId]) -> list[Market]:
        wrong = [market_id for market_id in market_ids if not TICKER.match(market_id)]
        if wrong:
            raise VenueReadRefusedError(f"{clean(wrong[0], 80)!r} is no Kalshi ticker (capitals, digits, dashes, dots)")
        found = self._rest.markets(market_ids)
        events: dict[str, KalshiEvent] = {}
        markets = []
        for market_id in market_ids:
            described = found.get(market_id)
            if described is None:
                raise VenueReadRefusedError(f"market {market_id} is not in the venue's catalog")
            if is_over(described):
                raise MarketOverError(market_id, described.status)
            problem = status_problem(described)
            if is_paused(described):
                self._standing.paused.add(market_id)
            elif problem is not None:
                raise VenueReadRefusedError(f"market {market_id} {problem}")
            event_ticker = described.event_ticker
            if event_ticker not in events:
                events[event_ticker] = self._rest.event(event_ticker)
            try:
                markets.append(self._market(described, events[event_ticker]))
            except (CatalogError, FeesUnknownError) as error:
                raise VenueReadRefusedError(f"market {market_id}: {error}") from None
        return markets

    def resolutions(self, market_ids: Sequence[MarketId]) -> Mapping[MarketId, int]:
        """Micro-dollars per YES contract of those that are settled."""
        found = self._rest.markets(market_ids)
        try:
            paid = {market_id: payout(found[market_id]) for market_id in market_ids if market_id in found}
        except CatalogError as error:
            raise VenueReadError(str(error)) from None
        return {market_id: pays for market_id, pays in paid.items() if pays is not None}

    def find(self, query: str) -> list[Market]:
        """By ticker of a market, an event or a series, or by words of the title. Markets that cannot be traded, now or
        by this program, are left out.
        """
        found: list[Market] = []
        for event, described in self._candidates(query):
            if status_problem(described) is not None:
                continue
            try:
                found.append(self._market(described, event))
            except (CatalogError, FeesUnknownError):
                continue
            if len(found) == FOUND_MAX:
                break
        return found

    def connect_ws(self) -> Endpoint:
        """Signed anew for every connection. Raises `MissingKeysError`."""
        if self._signer is None:
            raise MissingKeysError(f"Kalshi's stream needs a key even for public data: set {KEY_NAMES}")
        now_ms = self._clock.wall_ns() // MS
        return Endpoint(url=self._ws_url, headers=self._signer.headers_for(now_ms, "GET", self._ws_url))

    def subscribe_markets(self, markets: Sequence[Market], generation: int, clock: Clock) -> FeedSession:
        desk = SnapshotDesk()
        self._desks.update((market.market_id, (generation, desk)) for market in markets)
        return KalshiSession(markets, generation, desk=desk, standing=self._standing, clock=clock)

    def get_snapshot_rest(self, markets: Sequence[Market], generation: int, clock: Clock) -> list[BookSnapshot]:
        """Over the connection of that generation where there is one (`desk` says why), else over REST.

        `received_at` of a REST book is the moment before the request: it is at least as new as that.
        """
        asked: dict[SnapshotDesk, list[MarketId]] = {}
        over_rest = []
        for market in markets:
            of, desk = self._desks.get(market.market_id, (-1, None))
            if desk is None or of != generation:
                over_rest.append(market)
            else:
                asked.setdefault(desk, []).append(market.market_id)
        snapshots = self._rest.books(over_rest, generation, clock.boot_ns()) if over_rest else []
        for desk, market_ids in asked.items():
            snapshots += desk.ask(market_ids, SNAPSHOT_S)
        if asked and not snapshots:
            raise VenueReadError("the stream did not bring the books that were asked for")
        return self._with_status(snapshots)

    # -- inside

    def _with_status(self, snapshots: list[BookSnapshot]) -> list[BookSnapshot]:
        """The stream tells the end of a pause once, and books say nothing of it: what is thought to be paused is looked
        up with every book that is asked for, as it is for each new connection. What trades on other terms than those
        that this run began with stays out of it.
        """
        doubted = self._standing.paused - self._standing.stopped
        doubtful = [snapshot.market_id for snapshot in snapshots if snapshot.market_id in doubted]
        found = self._rest.markets(doubtful) if doubtful else {}
        return [
            snapshot
            if (described := found.get(snapshot.market_id)) is None or is_over(described)
            else msgspec.structs.replace(
                snapshot, status=MarketStatus.PAUSED if is_paused(described) else MarketStatus.OPEN
            )
            for snapshot in snapshots
        ]

    def _market(self, described: KalshiMarket, event: KalshiEvent) -> Market:
        ticker = event.series_ticker
        if ticker not in self._series:
            self._series[ticker] = self._rest.series(ticker)
        return market_of(described, event, self._series[ticker], iso_date(self._clock.wall_ns()))

    def _candidates(self, query: str) -> Iterator[tuple[KalshiEvent, KalshiMarket]]:
        if TICKER.match(query):
            named = self._rest.markets([query]).get(query)
            if named is not None:
                yield self._rest.event(named.event_ticker), named
                return
        words = query.casefold().split()
        for page in self._rest.events(FIND_PAGES):
            for event in page:
                for market in event.markets or ():
                    title = f"{title_of(market, event)} {market.title}".casefold()
                    tickers = (event.event_ticker, event.series_ticker, market.ticker)
                    if query in tickers or (words and all(word in title for word in words)):
                        yield event, market


def make_signer(secrets: Mapping[str, str]) -> RequestSigner:
    """From KEY_ID and PRIVATE_KEY_PATH. Raises `MissingKeysError`."""
    if not secrets.get("KEY_ID") or not secrets.get("PRIVATE_KEY_PATH"):
        raise MissingKeysError(f"Kalshi needs {KEY_NAMES}, also for public data; an account makes keys in its settings")
    try:
        return RequestSigner(secrets["KEY_ID"], load_key(Path(secrets["PRIVATE_KEY_PATH"])))
    except KeyFileError as error:
        raise MissingKeysError(f"the file of DUTCHBOOK_KALSHI_PRIVATE_KEY_PATH {error}") from None


# -- what `adapters/registry.py` asks of every venue


def make_market_data(options: VenueOptions, clock: Clock, requests_per_second: int) -> KalshiVenue:
    """For reads without a stream, such as `find`."""
    return KalshiVenue(options, None, clock, requests_per_second)


def make_keyed_market_data(
    options: VenueOptions, secrets: Mapping[str, str], clock: Clock, requests_per_second: int
) -> KalshiVenue:
    """Raises `MissingKeysError`."""
    return KalshiVenue(options, make_signer(secrets), clock, requests_per_second)


def tape_market(entry: Mapping[str, Any], recorded_ns: int) -> Market:
    return market_from_tape(entry, iso_date(recorded_ns))


def tape_entry(market: Market) -> dict[str, Any]:
    return market_to_tape(market)


def tape_session(header: TapeHeader, markets: Sequence[Market], generation: int) -> KalshiSession:
    """A tape of ours does not say how NO is priced: then it was as we ask for it."""
    return KalshiSession(markets, generation, use_yes_price=header.use_yes_price is not False, recorded=True)


def tape_snapshots(
    query: str,  # noqa: ARG001
    body: str,  # noqa: ARG001
    markets: Sequence[Market],  # noqa: ARG001
    generation: int,  # noqa: ARG001
    received_at: BootNs,  # noqa: ARG001
) -> list[BookSnapshot]:
    """None: a REST book of this venue cannot be joined with a stream of differences (`desk`)."""
    return []
