"""What the venue would answer at one moment of a tape: books, catalog, time. Pure state; `tape_server` owns the port.

Books keep the exact texts of the wire, so that the hashes of REST answers come out as the venue's would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from adapters.polymarket.book_hash import hash_of_book
from adapters.polymarket.catalog import market_from_tape
from adapters.polymarket.dialect import documents
from adapters.polymarket.dialect.documents import Facts
from adapters.polymarket.frames import (
    BookFields,
    BookFrame,
    Change,
    Event,
    LastTradeFrame,
    Level,
    PriceChangeFrame,
    PriceTable,
    SizeTable,
    TickSizeFrame,
)
from adapters.polymarket.wire import UNREADABLE
from adapters.tape import TapeHeader
from models.clock import SECOND
from models.market import Market, MarketId
from models.money import MoneyError, PriceMicros, parse_price, text

BOOKS_MAX: Final = 500
NO_BOOK: Final = {"error": "No orderbook exists for the requested token id"}
NO_MARKET: Final = {"error": "market not found"}
NOT_FOUND: Final = 404
BAD_REQUEST: Final = 400
OK: Final = 200

_EVENTS: Final = msgspec.json.Decoder(Event | list[Event])
_WANTED: Final = msgspec.json.Decoder(list[dict[str, str]])
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")

Answer = tuple[int, bytes]


class TokenBook:
    """One token's book: price in micro-dollars -> the wire's own texts."""

    def __init__(self) -> None:
        self.bids: dict[int, Level] = {}
        self.asks: dict[int, Level] = {}
        self.timestamp: str | None = None
        """Of the last event; None before the first book."""
        self._prices = PriceTable()
        self._sizes = SizeTable()

    def replace(self, book: BookFields) -> None:
        """Raises `MoneyError` for a level that is none, like `change`."""
        self.bids = {self._prices[level.price]: level for level in book.bids if self._sizes[level.size]}
        self.asks = {self._prices[level.price]: level for level in book.asks if self._sizes[level.size]}
        self.timestamp = book.timestamp

    def change(self, change: Change, timestamp: str) -> None:
        levels = self.bids if change.side == "BUY" else self.asks
        price = self._prices[change.price]
        if self._sizes[change.size]:
            levels[price] = Level(change.price, change.size)
        else:
            levels.pop(price, None)
        self.timestamp = timestamp

    def levels(self) -> tuple[list[Level], list[Level]]:
        """Bids ascending, asks descending: the best of each is the last, as on the wire."""
        bids = [self.bids[price] for price in sorted(self.bids)]
        asks = [self.asks[price] for price in sorted(self.asks, reverse=True)]
        return bids, asks


class TapeVenue:
    """The venue at the tape's present position."""

    def __init__(self, header: TapeHeader, recorded_on: str) -> None:
        """Raises `ValueError` where the header describes no market that this program knows."""
        self.markets: list[Market] = [market_from_tape(entry, recorded_on) for entry in header.markets]
        self._listed = {
            str(market.market_id): (market, entry) for market, entry in zip(self.markets, header.markets, strict=True)
        }
        self._owners = {
            token: market for market in self.markets for token in (market.yes_instrument, market.no_instrument)
        }
        self.tokens = frozenset(self._owners)
        self._books = {token: TokenBook() for token in self._owners}
        self._ticks: dict[MarketId, int] = {market.market_id: market.price_bands[0].step for market in self.markets}
        self._last_trades: dict[str, str] = {}
        self.now_ns = 0

    # -- the tape moves on

    def apply(self, frame: str) -> frozenset[str] | None:
        """Take a frame into the books; returns the tokens that it speaks of, None where it does not say."""
        tokens: set[str] = set()
        try:
            message = _EVENTS.decode(frame)
            for event in message if isinstance(message, list) else [message]:
                tokens |= self._take(event)
        except (*UNREADABLE, MoneyError):  # recorded as it came; it goes out as it is
            return None
        return frozenset(tokens) or None

    def forget(self) -> None:
        """The recorded connection ended: what follows begins with new books."""
        for book in self._books.values():
            book.timestamp = None

    # -- what a client may ask

    def dump(self, tokens: Sequence[str]) -> bytes | None:
        """The initial array of `book` events for a client that comes in the middle; None where there is none yet."""
        known = [self._book(token) for token in tokens if token in self._books]
        books = [BookFrame(**msgspec.structs.asdict(book)) for book in known if book is not None]
        return _ENCODER.encode(books) if books else None

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Status and JSON body of one REST read."""
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        match (method, parts.path.strip("/").split("/")):
            case ("GET", ["ok"]):
                return OK, b'"OK"'
            case ("GET", ["time"]):
                return OK, str(self.now_ns // SECOND).encode()
            case ("GET", ["book"]):
                return _found(self._book(query.get("token_id", [""])[0]), NO_BOOK)
            case ("POST", ["books"]):
                return self._many_books(body)
            case ("GET", ["markets", "keyset"]):
                return self._catalog(query)
            case ("GET", ["clob-markets", market_id]):
                return _found(self._told(documents.compact, market_id), NO_MARKET)
            case ("GET", ["markets", market_id]):
                return _found(self._told(documents.details, market_id), NO_MARKET)
        return NOT_FOUND, _ENCODER.encode({"error": "not found"})

    def best_prices(self) -> list[dict[str, Any]]:
        """Every market's best prices now, as texts, for the server's last word."""
        shown = []
        for market in self.markets:
            best: dict[str, str | None] = {}
            for name, token in (("yes", market.yes_instrument), ("no", market.no_instrument)):
                bids, asks = self._books[token].levels()
                best[f"{name}_bid"] = bids[-1].price if bids else None
                best[f"{name}_ask"] = asks[-1].price if asks else None
            shown.append({"market_id": market.market_id, "best": best})
        return shown

    # -- inside

    def _take(self, event: Event) -> set[str]:
        match event:
            case BookFrame() if event.asset_id in self._books:
                self._books[event.asset_id].replace(event)
                if event.last_trade_price is not None:
                    self._last_trades[event.market] = event.last_trade_price
                return {event.asset_id}
            case PriceChangeFrame():
                for change in event.price_changes:
                    if change.asset_id in self._books:
                        self._books[change.asset_id].change(change, event.timestamp)
                return {change.asset_id for change in event.price_changes}
            case LastTradeFrame():
                self._last_trades[event.market] = event.price
                return {event.asset_id}
            case TickSizeFrame() if event.market in self._listed:
                self._ticks[MarketId(event.market)] = parse_price(event.new_tick_size)
                return {event.asset_id}
        return set()

    def _book(self, token: str) -> BookFields | None:
        book = self._books.get(token)
        if book is None or book.timestamp is None:
            return None
        market = self._owners[token]
        bids, asks = book.levels()
        fields = BookFields(
            market=market.market_id,
            asset_id=token,
            timestamp=book.timestamp,
            bids=bids,
            asks=asks,
            min_order_size=text(market.min_size, 0),
            tick_size=text(self._ticks[market.market_id]),
            neg_risk=market.mutually_exclusive,
            last_trade_price=self._last_trades.get(market.market_id, ""),
        )
        return msgspec.structs.replace(fields, hash=hash_of_book(fields))

    def _many_books(self, body: bytes) -> Answer:
        try:
            wanted = _WANTED.decode(body)
        except UNREADABLE:
            return BAD_REQUEST, _ENCODER.encode({"error": "Invalid payload"})
        if len(wanted) > BOOKS_MAX:
            return BAD_REQUEST, _ENCODER.encode({"error": "Payload exceeds the limit"})
        books = [self._book(item.get("token_id", "")) for item in wanted]
        return OK, _ENCODER.encode([book for book in books if book is not None])

    def _facts(self, market_id: str) -> Facts | None:
        if market_id not in self._listed:
            return None
        market, entry = self._listed[market_id]
        names = entry.get("outcomes") or ["Yes", "No"]
        return Facts(
            market=market,
            tick=PriceMicros(self._ticks[market.market_id]),
            least_size=market.min_size,
            neg_risk=market.mutually_exclusive,
            outcomes=(str(names[0]), str(names[1])),
            slug=entry.get("slug", ""),
            event_title=market.title,
        )

    def _told(self, document: Callable[[Facts], dict[str, Any]], market_id: str) -> dict[str, Any] | None:
        facts = self._facts(market_id)
        return None if facts is None else document(facts)

    def _catalog(self, query: Mapping[str, Sequence[str]]) -> Answer:
        ids, slugs = query.get("condition_ids", ()), query.get("slug", ())
        facts = [self._facts(market.market_id) for market in self.markets]
        found = [documents.gamma(one) for one in facts if one is not None]
        if ids or slugs:
            found = [entry for entry in found if entry["conditionId"] in ids or entry["slug"] in slugs]
        return OK, _ENCODER.encode({"markets": found, "next_cursor": None})


def _found(document: object | None, missing: Mapping[str, str]) -> Answer:
    return (NOT_FOUND, _ENCODER.encode(missing)) if document is None else (OK, _ENCODER.encode(document))
