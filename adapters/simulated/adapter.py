"""The simulated exchange's public side of the port: catalog, stream, snapshots. Builds no signer (I19)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from adapters.feed import FeedSession
from adapters.http import HttpReader, Params
from adapters.rate import RateBudget
from adapters.simulated import wire
from adapters.simulated.catalog import VENUE
from adapters.simulated.session import MarketSession
from adapters.simulated.values import UNREADABLE, book_snapshot
from adapters.tape import TapeHeader
from adapters.venue import Capabilities, Endpoint, MarketOverError, VenueReadError, VenueReadRefusedError
from models.book import BookSnapshot, Source
from models.clock import BootNs, Clock
from models.config_machine import VenueOptions
from models.fees import FeeSchedule
from models.hostile import clean
from models.market import BookModel, Market, MarketId, MarketStatus, linear_grid
from models.money import MicroUsd, MoneyError, PriceMicros, parse_micros, parse_price, parse_shares

REST_URL: Final = "http://127.0.0.1:8800"
WS_URL: Final = "ws://127.0.0.1:8800" + wire.MARKET_PATH
USER_WS_URL: Final = "ws://127.0.0.1:8800" + wire.USER_PATH
"""Where `simulate` listens when it is not told otherwise."""

CAPABILITIES: Final = Capabilities(
    book_model=BookModel.SEPARATE,
    ioc=True,
    fok=True,
    batch_max=15,
    sequence_numbers=True,
    idempotent_ids=True,
    user_stream=True,
    merge=True,
    netting=False,
    dead_man_switch=False,
    visibility_horizon_s=10.0,
    requests_per_second=100,
)

Body = TypeVar("Body", bound=msgspec.Struct)


class SimulatedVenue:
    """`adapters.venue.MarketData` for the simulated exchange."""

    name = VENUE
    capabilities = CAPABILITIES

    def __init__(self, options: VenueOptions, clock: Clock, requests_per_second: int) -> None:
        self._rest_url = (options.rest_url or REST_URL).rstrip("/")
        self._ws_url = options.ws_url or WS_URL
        self._http = HttpReader(RateBudget(clock, requests_per_second))

    def close(self) -> None:
        self._http.close()

    def markets(self, market_ids: Sequence[MarketId]) -> list[Market]:
        listed = {body.market_id: body for body in self._get("/markets", wire.MarketList).markets}
        found = []
        for market_id in market_ids:
            body = listed.get(market_id)
            if body is None:
                raise VenueReadRefusedError(f"market {market_id} is not listed")
            if body.status in (MarketStatus.CLOSED, MarketStatus.RESOLVED):
                raise MarketOverError(market_id, body.status)
            found.append(_market(body))
        return found

    def find(self, query: str) -> list[Market]:
        bodies = self._get("/markets", wire.MarketList, (("q", query),)).markets
        return [_market(body) for body in bodies[:50] if body.status == MarketStatus.OPEN]

    def resolutions(self, market_ids: Sequence[MarketId]) -> dict[MarketId, int]:
        listed = {body.market_id: body for body in self._get("/markets", wire.MarketList).markets}
        bodies = {market_id: listed[market_id] for market_id in market_ids if market_id in listed}
        try:
            return {m: parse_micros(body.yes_pays) for m, body in bodies.items() if body.yes_pays is not None}
        except MoneyError as error:
            raise VenueReadError(f"/markets: {error}") from None

    def connect_ws(self) -> Endpoint:
        return Endpoint(url=self._ws_url, headers={})

    def subscribe_markets(self, markets: Sequence[Market], generation: int, clock: Clock) -> FeedSession:
        return MarketSession(markets, generation, clock)

    def get_snapshot_rest(self, markets: Sequence[Market], generation: int, clock: Clock) -> list[BookSnapshot]:
        """`received_at` is the moment before the request: the books are at least as new as that."""
        asked_at = clock.boot_ns()
        params = [("market_id", str(market.market_id)) for market in markets]
        answer = self._get("/snapshot", wire.SnapshotList, params)
        wanted = {market.market_id for market in markets}
        return [book for book in _snapshots(answer, generation, asked_at) if book.market_id in wanted]

    def _get(self, path: str, kind: type[Body], params: Params = ()) -> Body:
        return _decoded(self._http.get(self._rest_url + path, params), kind, path)


def _decoded(content: bytes | str, kind: type[Body], what: str) -> Body:
    try:
        return msgspec.json.decode(content, type=kind)
    except UNREADABLE:
        raise VenueReadError(f"{what}: the answer could not be read") from None


def _snapshots(answer: wire.SnapshotList, generation: int, received_at: BootNs) -> list[BookSnapshot]:
    try:
        books = [
            msgspec.structs.replace(
                book_snapshot(frame, generation, received_at), source=Source.REST, status=MarketStatus(frame.status)
            )
            for frame in answer.snapshots
        ]
    except ValueError as error:  # a price, a size, a status
        raise VenueReadError(f"/snapshot: {clean(str(error))}") from None
    return books


def _market(body: wire.MarketBody) -> Market:
    try:
        return _market_of(body)
    except ValueError as error:
        raise VenueReadError(f"market {body.market_id[:80]}: {clean(str(error))}") from None


def _market_of(body: wire.MarketBody) -> Market:
    """Raises `ValueError` where the catalog says something that cannot be."""
    return Market(
        venue=VENUE,
        market_id=MarketId(body.market_id),
        title=clean(body.title),
        yes_instrument=f"{body.market_id}:YES",
        no_instrument=f"{body.market_id}:NO",
        price_bands=linear_grid(PriceMicros(parse_price(body.tick))),
        lot=parse_shares(body.lot),
        min_size=parse_shares(body.min_size),
        min_notional=MicroUsd(parse_micros(body.min_notional)),
        fees=FeeSchedule(
            name=clean(body.fees.name, 60),
            as_of=clean(body.fees.as_of, 20),
            rate_micros=parse_micros(body.fees.rate),
            exponent=body.fees.exponent,
            quantum=MicroUsd(parse_micros(body.fees.quantum)),
        ),
        book_model=BookModel(body.book_model),
        closes_at_ms=body.closes_at_ms,
        event_id=body.event_id,
        mutually_exclusive=body.mutually_exclusive,
    )


# -- what `adapters/registry.py` asks of every venue


def make_market_data(options: VenueOptions, clock: Clock, requests_per_second: int) -> SimulatedVenue:
    return SimulatedVenue(options, clock, requests_per_second)


def tape_market(entry: Mapping[str, Any], recorded_ns: int) -> Market:  # noqa: ARG001  the entry says everything
    try:
        return _market_of(msgspec.convert(dict(entry), wire.MarketBody))
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


def tape_entry(market: Market) -> dict[str, Any]:
    from adapters.simulated.dialect import market_body
    from adapters.simulated.listing import Listing

    entry: dict[str, Any] = msgspec.to_builtins(market_body(Listing(market)))
    return entry


def tape_session(header: TapeHeader, markets: Sequence[Market], generation: int) -> MarketSession:  # noqa: ARG001  other venues need the header
    return MarketSession(markets, generation)


def tape_snapshots(
    query: str,
    body: str,
    markets: Sequence[Market],  # noqa: ARG001  the body names its markets
    generation: int,
    received_at: BootNs,
) -> list[BookSnapshot]:
    """The books in a recorded REST answer; other answers hold none. Raises `VenueReadError`."""
    if not query.startswith("GET /snapshot"):
        return []
    return _snapshots(_decoded(body, wire.SnapshotList, query), generation, received_at)
