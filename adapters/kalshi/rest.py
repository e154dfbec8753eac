"""The venue's public REST reads as typed answers (kalshi.md 4, 5 and 7, read 2026-11-22). No order, no account.

Every method raises `VenueReadError` (ask again later) or `VenueReadRefusedError` (a definite no). Reads are signed
where there is a key, because what the venue lets strangers ask is not documented.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import msgspec

from adapters.http import HttpReader, Params
from adapters.kalshi.catalog import KalshiEvent, KalshiMarket, KalshiSeries
from adapters.kalshi.frames import UNREADABLE, BookLevels, Row
from adapters.kalshi.signing import RequestSigner
from adapters.kalshi.wire import BookTexts
from adapters.venue import VenueReadError
from models.book import BookSnapshot, Source
from models.clock import MS, BootNs, Clock
from models.market import Market
from models.money import MoneyError

BOOKS_MAX: Final = 100
"""Tickers per `GET /markets/orderbooks`."""
MARKETS_PAGE: Final = 1_000
EVENTS_PAGE: Final = 200
TICKERS_MAX: Final = 60
"""Tickers per catalog request, so that the query stays below 4 KiB."""

_T = TypeVar("_T")


class _Markets(msgspec.Struct):
    markets: list[KalshiMarket] | None = None
    cursor: str | None = None


class _OneEvent(msgspec.Struct):
    event: KalshiEvent
    markets: list[KalshiMarket] | None = None


class _Events(msgspec.Struct):
    events: list[KalshiEvent] | None = None
    cursor: str | None = None


class _OneSeries(msgspec.Struct):
    series: KalshiSeries


class _Sides(msgspec.Struct):
    """Sides that are empty may be null or missing."""

    yes_dollars: list[Row] | None = None
    no_dollars: list[Row] | None = None


class _Book(msgspec.Struct):
    ticker: str
    orderbook_fp: _Sides


class _Books(msgspec.Struct):
    orderbooks: list[_Book]


class ShardStatus(msgspec.Struct):
    exchange_index: int
    exchange_active: bool = False
    trading_active: bool = False


class ExchangeStatus(msgspec.Struct):
    """`GET /exchange/status`. What is not said to be active is not."""

    exchange_active: bool = False
    trading_active: bool = False
    exchange_index_statuses: list[ShardStatus] | None = None

    def trades(self, shard: int) -> bool:
        """Whether orders are taken on a shard now; also False for a shard that the venue does not name."""
        if not (self.exchange_active and self.trading_active):
            return False
        if self.exchange_index_statuses is None:
            return True
        named = {status.exchange_index: status for status in self.exchange_index_statuses}
        status = named.get(shard)
        return status is not None and status.exchange_active and status.trading_active


_MARKETS: Final = msgspec.json.Decoder(_Markets)
_EVENT: Final = msgspec.json.Decoder(_OneEvent)
_EVENTS: Final = msgspec.json.Decoder(_Events)
_SERIES: Final = msgspec.json.Decoder(_OneSeries)
_BOOKS: Final = msgspec.json.Decoder(_Books)
_STATUS: Final = msgspec.json.Decoder(ExchangeStatus)


class KalshiRest:
    """The reads of one process. Thread-safe as far as `HttpReader` is: calls take turns."""

    def __init__(self, http: HttpReader, base_url: str, signer: RequestSigner | None, clock: Clock) -> None:
        self._http = http
        self._base = base_url.rstrip("/")
        self._signer = signer
        self._clock = clock

    def time_ms(self) -> int:
        """The `Date` of an answer, in the middle of the second that it names: the venue has no clock of its own."""
        dates: list[str] = []
        self._get("/exchange/status", _STATUS, "the exchange's status", dates=dates)
        try:
            return int(parsedate_to_datetime(dates[0]).timestamp()) * 1000 + 500
        except (IndexError, ValueError, OverflowError):
            raise VenueReadError("GET /exchange/status: no Date in the answer") from None

    def status(self) -> ExchangeStatus:
        return self._get("/exchange/status", _STATUS, "the exchange's status")

    def markets(self, tickers: Sequence[str]) -> dict[str, KalshiMarket]:
        """By ticker; unknown ones are missing."""
        found: dict[str, KalshiMarket] = {}
        for start in range(0, len(tickers), TICKERS_MAX):
            wanted = ",".join(tickers[start : start + TICKERS_MAX])
            params = (("tickers", wanted), ("limit", str(MARKETS_PAGE)))
            page = self._get("/markets", _MARKETS, "the catalog", params)
            found |= {market.ticker: market for market in page.markets or ()}
        return found

    def event(self, ticker: str) -> KalshiEvent:
        answer = self._get(f"/events/{ticker}", _EVENT, "an event")
        answer.event.markets = answer.markets if answer.event.markets is None else answer.event.markets
        return answer.event

    def events(self, pages: int, *filters: tuple[str, str]) -> Iterator[list[KalshiEvent]]:
        """Events with an open market, page by page."""
        cursor = ""
        for _ in range(pages):
            params = [("status", "open"), ("with_nested_markets", "true"), ("limit", str(EVENTS_PAGE)), *filters]
            page = self._get("/events", _EVENTS, "the catalog", [*params, *([("cursor", cursor)] if cursor else [])])
            yield page.events or []
            cursor = page.cursor or ""
            if not cursor or not page.events:
                return

    def series(self, ticker: str) -> KalshiSeries:
        return self._get(f"/series/{ticker}", _SERIES, "a series").series

    def books(self, markets: Sequence[Market], generation: int, received_at: BootNs) -> list[BookSnapshot]:
        """Books of REST have no time and no number; prices of NO are always NO-leg."""
        texts = BookTexts(use_yes_price=False)
        wanted = [str(market.market_id) for market in markets]
        snapshots = []
        for start in range(0, len(wanted), BOOKS_MAX):
            params = [("tickers", ticker) for ticker in wanted[start : start + BOOKS_MAX]]
            for book in self._get("/markets/orderbooks", _BOOKS, "books", params).orderbooks:
                if book.ticker not in wanted:
                    continue
                sides = book.orderbook_fp
                levels = BookLevels(book.ticker, sides.yes_dollars, sides.no_dollars)
                try:
                    snapshots.append(texts.snapshot(levels, generation, received_at, source=Source.REST))
                except MoneyError as error:
                    raise VenueReadError(f"GET /markets/orderbooks: {error}") from None
        return snapshots

    def _get(
        self,
        path: str,
        decoder: msgspec.json.Decoder[_T],
        what: str,
        params: Params = (),
        dates: list[str] | None = None,
    ) -> _T:
        url = self._base + path
        signer = self._signer
        headers = {} if signer is None else signer.headers_for(self._clock.wall_ns() // MS, "GET", url)

        def seen(name: str, value: str) -> None:
            if dates is not None and name.lower() == "date":
                dates.append(value)

        body = self._http.get(url, params, headers=headers, on_header=seen)
        try:
            return decoder.decode(body)
        except UNREADABLE:
            raise VenueReadError(f"the venue's answer about {what} cannot be read") from None
