"""The venue's public REST reads as typed answers (polymarket.md 2.2, 2.3 and 5.1). No key, no signature, no order.

Every method raises `VenueReadError` (ask again later) or `VenueReadRefusedError` (a definite no).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from adapters.http import HttpReader
from adapters.polymarket.catalog import ClobMarket, GammaMarket
from adapters.polymarket.frames import BookFields, PriceTable, SizeTable
from adapters.polymarket.wire import UNREADABLE, WireError, exchange_time
from adapters.venue import VenueReadError
from models.book import BookSnapshot, Source
from models.clock import BootNs
from models.market import Market

BOOKS_MAX: Final = 500
"""Tokens per `POST /books`."""
IDS_MAX: Final = 40
"""Condition ids per catalog request: 66 characters each, and the query stays below 4 KiB."""
PAGE: Final = 100

_T = TypeVar("_T")


class _GammaPage(msgspec.Struct):
    markets: list[GammaMarket]
    next_cursor: str | None = None


class DetailsToken(msgspec.Struct):
    token_id: str
    winner: bool = False


class ClobDetails(msgspec.Struct):
    """`GET /markets/{condition id}`: what the CLOB itself says about a market's state."""

    condition_id: str
    closed: bool = False
    archived: bool = False
    accepting_orders: bool = True
    enable_order_book: bool = True
    tokens: list[DetailsToken] = []


_BOOKS: Final = msgspec.json.Decoder(list[BookFields])
_CLOB: Final = msgspec.json.Decoder(ClobMarket)
_DETAILS: Final = msgspec.json.Decoder(ClobDetails)
_PAGE: Final = msgspec.json.Decoder(_GammaPage)
_SECONDS: Final = msgspec.json.Decoder(int | str)


class PolymarketRest:
    """The reads of one process. Thread-safe as far as `HttpReader` is: calls take turns."""

    def __init__(self, http: HttpReader, clob_url: str, gamma_url: str) -> None:
        self._http = http
        self._clob = clob_url.rstrip("/")
        self._gamma = gamma_url.rstrip("/")

    def time_ms(self) -> int:
        """The CLOB's clock, in the middle of the second that it names."""
        body = self._http.get(f"{self._clob}/time")
        try:
            return int(_read(_SECONDS, body, "the time")) * 1000 + 500
        except ValueError:
            raise VenueReadError("GET /time: no time") from None

    def books(self, markets: Sequence[Market], generation: int, received_at: BootNs) -> list[BookSnapshot]:
        """Both books of every market in as few requests as possible; markets without both books are left out."""
        tokens = [token for market in markets for token in (market.yes_instrument, market.no_instrument)]
        books: list[BookFields] = []
        for start in range(0, len(tokens), BOOKS_MAX):
            wanted = [{"token_id": token} for token in tokens[start : start + BOOKS_MAX]]
            answer: list[BookFields] = _read(_BOOKS, self._http.post(f"{self._clob}/books", wanted), "books")
            books += answer
        return snapshots_of_books(books, markets, generation, received_at)

    def clob_market(self, condition_id: str) -> ClobMarket:
        return _read(_CLOB, self._http.get(f"{self._clob}/clob-markets/{condition_id}"), "the market's terms")

    def clob_details(self, condition_id: str) -> ClobDetails:
        return _read(_DETAILS, self._http.get(f"{self._clob}/markets/{condition_id}"), "the market's details")

    def gamma_markets(self, condition_ids: Sequence[str]) -> dict[str, GammaMarket]:
        """Gamma's word on open markets, by condition id. Closed and unknown ones are missing."""
        found: dict[str, GammaMarket] = {}
        for start in range(0, len(condition_ids), IDS_MAX):
            wanted = condition_ids[start : start + IDS_MAX]
            params = [("limit", str(PAGE)), *(("condition_ids", condition_id) for condition_id in wanted)]
            page = _read(_PAGE, self._http.get(f"{self._gamma}/markets/keyset", params), "the catalog")
            found |= {market.condition_id: market for market in page.markets}
        return found

    def gamma_pages(self, pages: int, *filters: tuple[str, str]) -> Iterator[list[GammaMarket]]:
        """Open markets, most traded first, page by page, at most `pages` pages of 100."""
        cursor: str | None = None
        for _ in range(pages):
            params = [("limit", str(PAGE)), ("closed", "false"), ("order", "volume24hr"), ("ascending", "false")]
            params += [*filters, *([("after_cursor", cursor)] if cursor else [])]
            page = _read(_PAGE, self._http.get(f"{self._gamma}/markets/keyset", params), "the catalog")
            yield page.markets
            cursor = page.next_cursor
            if not cursor or not page.markets:
                return


def snapshots_of_body(
    body: bytes | str, markets: Sequence[Market], generation: int, received_at: BootNs
) -> list[BookSnapshot]:
    """The snapshots in a recorded answer of `POST /books`."""
    books: list[BookFields] = _read(_BOOKS, body, "books")
    return snapshots_of_books(books, markets, generation, received_at)


def snapshots_of_books(
    books: Sequence[BookFields], markets: Sequence[Market], generation: int, received_at: BootNs
) -> list[BookSnapshot]:
    """One snapshot per market that has both books.

    The books of a pair may carry different times: each is as of its token's last change. The snapshot carries the later
    one, because one answer shows both as of one moment. Raises `VenueReadError` for values that cannot be true.
    """
    by_token = {book.asset_id: book for book in books}
    prices, sizes = PriceTable(), SizeTable()
    snapshots = []
    for market in markets:
        yes, no = by_token.get(market.yes_instrument), by_token.get(market.no_instrument)
        if yes is None or no is None:
            continue
        try:
            if not yes.market == no.market == market.market_id:
                raise WireError("a token under another market's id")
            exchange_ms = max(exchange_time(yes.timestamp), exchange_time(no.timestamp))
            sides = [
                tuple((prices[level.price], sizes[level.size]) for level in side)
                for side in (yes.bids, yes.asks, no.bids, no.asks)
            ]
        except ValueError as error:
            raise VenueReadError(f"POST /books: {error}") from None
        snapshots.append(
            BookSnapshot(
                market_id=market.market_id,
                generation=generation,
                yes_bids=sides[0],
                yes_asks=sides[1],
                no_bids=sides[2],
                no_asks=sides[3],
                exchange_ms=exchange_ms,
                received_at=received_at,
                source=Source.REST,
            )
        )
    return snapshots


def _read(decoder: msgspec.json.Decoder[_T], body: bytes | str, what: str) -> _T:
    try:
        return decoder.decode(body)
    except UNREADABLE:
        raise VenueReadError(f"the venue's answer about {what} cannot be read") from None
