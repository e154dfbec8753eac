"""Polymarket's public side of the port: catalog, stream, snapshots. No key is read and no signer built."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.catalog import CatalogError, iso_date
from adapters.feed import FeedSession
from adapters.http import HttpReader
from adapters.polymarket.catalog import (
    VENUE,
    market_from_tape,
    market_of,
    market_to_tape,
    status_problem,
)
from adapters.polymarket.rest import PolymarketRest, snapshots_of_body
from adapters.polymarket.session import ASSETS_PER_SOCKET, PolymarketSession
from adapters.rate import RateBudget
from adapters.tape import TapeHeader
from adapters.venue import Capabilities, Endpoint, MarketOverError, VenueReadRefusedError
from models.book import BookSnapshot
from models.clock import BootNs, Clock
from models.config_machine import VenueOptions
from models.fees import FeesUnknownError
from models.market import BookModel, Market, MarketId
from models.money import MICRO

CLOB_URL: Final = "https://clob.polymarket.com"
GAMMA_URL: Final = "https://gamma-api.polymarket.com"
MARKET_WS_URL: Final = "wss://ws-subscriptions-clob.polymarket.com/ws/market"

FOUND_MAX: Final = 50
FIND_PAGES: Final = 20
"""`find` looks through the 2,000 most traded open markets."""

CAPABILITIES: Final = Capabilities(
    book_model=BookModel.UNIFIED,
    ioc=True,
    fok=True,
    batch_max=15,
    sequence_numbers=False,
    idempotent_ids=False,
    user_stream=True,
    merge=False,
    netting=False,
    dead_man_switch=True,
    visibility_horizon_s=30.0,
    requests_per_second=20,
    markets_per_connection=ASSETS_PER_SOCKET // 2,
)
"""Merging is an on-chain action, off until it is configured. The limits of polymarket.md 10 are far above ours."""

_CONDITION_ID: Final = re.compile(r"0x[0-9a-fA-F]{64}\Z")


class PolymarketVenue:
    """`adapters.venue.MarketData` for Polymarket."""

    name = VENUE
    capabilities = CAPABILITIES

    def __init__(self, options: VenueOptions, clock: Clock, requests_per_second: int) -> None:
        """A replaced CLOB also replaces the catalog, unless the catalog has its own address: a stand-in is never
        mixed with the real venue by accident.
        """
        clob = options.rest_url or CLOB_URL
        gamma = options.catalog_url or (GAMMA_URL if options.rest_url is None else clob)
        self._ws_url = options.ws_url or MARKET_WS_URL
        self._clock = clock
        self._http = HttpReader(RateBudget(clock, requests_per_second))
        self._rest = PolymarketRest(self._http, clob, gamma)

    def close(self) -> None:
        self._http.close()

    def markets(self, market_ids: Sequence[MarketId]) -> list[Market]:
        wrong = next((problem for market_id in market_ids if (problem := wrong_id(market_id))), None)
        if wrong is not None:
            raise VenueReadRefusedError(wrong)
        found = self._rest.gamma_markets(market_ids)
        markets = []
        for market_id in market_ids:
            gamma = found.get(market_id)
            if gamma is None:
                raise VenueReadRefusedError(f"market {market_id} {self._why_missing(market_id)}")
            if gamma.closed or gamma.archived:
                raise MarketOverError(market_id, "closed")
            problem = status_problem(gamma)
            if problem is not None:
                raise VenueReadRefusedError(f"market {market_id} {problem}")
            try:
                markets.append(market_of(gamma, self._rest.clob_market(market_id), self._today()))
            except (CatalogError, FeesUnknownError) as error:
                raise VenueReadRefusedError(f"market {market_id}: {error}") from None
        return markets

    def find(self, query: str) -> list[Market]:
        """By condition id, by the slug or address of a market's page, or by words of its title."""
        found: list[Market] = []
        if _CONDITION_ID.match(query):
            candidates = [list(self._rest.gamma_markets([query]).values())]
        elif "/" in query or ("-" in query and " " not in query):
            candidates = list(self._rest.gamma_pages(1, ("slug", query.rstrip("/").rsplit("/", 1)[-1])))
        else:
            candidates = []
        words = query.casefold().split()
        pages = candidates if any(candidates) else self._rest.gamma_pages(FIND_PAGES)
        for page in pages:
            for gamma in page:
                title = f"{gamma.question} {gamma.events[0].title if gamma.events else ''}".casefold()
                named = any(candidates) or all(word in title for word in words)
                if not named or status_problem(gamma) is not None:
                    continue
                try:
                    found.append(market_of(gamma, None, self._today()))
                except (CatalogError, FeesUnknownError):
                    continue
                if len(found) == FOUND_MAX:
                    return found
        return found

    def resolutions(self, market_ids: Sequence[MarketId]) -> Mapping[MarketId, int]:
        """Micro-dollars per YES share of those that are closed and have one winner. The stream says it once, to whoever
        is there.
        """
        paid = {}
        for market_id in market_ids:
            details = self._rest.clob_details(market_id)
            winners = [token.token_id for token in details.tokens if token.winner]
            if details.closed and len(winners) == 1:
                tokens = [token.t for token in self._rest.clob_market(market_id).t]  # YES first, as orders have them
                if len(tokens) == 2 and winners[0] in tokens:
                    paid[market_id] = MICRO if winners[0] == tokens[0] else 0
        return paid

    def connect_ws(self) -> Endpoint:
        return Endpoint(url=self._ws_url, headers={})

    def subscribe_markets(self, markets: Sequence[Market], generation: int, clock: Clock) -> FeedSession:
        return PolymarketSession(markets, generation, clock)

    def get_snapshot_rest(self, markets: Sequence[Market], generation: int, clock: Clock) -> list[BookSnapshot]:
        """`received_at` is the moment before the request: the books are at least as new as that."""
        return self._rest.books(markets, generation, clock.boot_ns())

    # -- inside

    def _why_missing(self, market_id: MarketId) -> str:
        details = self._rest.clob_details(market_id)
        if details.closed or details.archived or not details.enable_order_book:
            return "is closed"
        return "is not in the venue's catalog yet; a new market takes some minutes"

    def _today(self) -> str:
        return iso_date(self._clock.wall_ns())


# -- what `adapters/registry.py` asks of every venue


def wrong_id(market_id: MarketId) -> str | None:
    """Why no market of this venue can have this id."""
    known = _CONDITION_ID.match(market_id)
    return None if known else f"{market_id!r} is no Polymarket condition id (0x and 64 hex digits)"


def make_market_data(options: VenueOptions, clock: Clock, requests_per_second: int) -> PolymarketVenue:
    return PolymarketVenue(options, clock, requests_per_second)


def tape_market(entry: Mapping[str, Any], recorded_ns: int) -> Market:
    return market_from_tape(entry, iso_date(recorded_ns))


def tape_entry(market: Market) -> dict[str, Any]:
    return market_to_tape(market)


def tape_session(header: TapeHeader, markets: Sequence[Market], generation: int) -> PolymarketSession:  # noqa: ARG001  other venues need the header
    return PolymarketSession(markets, generation)


def tape_snapshots(
    query: str, body: str, markets: Sequence[Market], generation: int, received_at: BootNs
) -> list[BookSnapshot]:
    """The books in a recorded REST answer; other answers hold none. Raises `VenueReadError`."""
    if query != "POST /books":
        return []
    return snapshots_of_body(body, markets, generation, received_at)
