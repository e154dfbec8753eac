"""Signed calls of one account: one keep-alive connection per thread, every body signed as the bytes that are sent.

Questions raise `VenueReadError` (ask again later) or `VenueReadRefusedError` (a definite no); calls that may change
something hand back the answer, or say whether a byte has left (`adapters.http_calls`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec

from adapters.http_calls import GatedSessions, HttpAnswer
from adapters.polymarket.account import Account
from adapters.polymarket.answers import RATE_HEADER, error_of, read
from adapters.polymarket.order_wire import (
    FIRST_CURSOR,
    LAST_CURSOR,
    Balance,
    ClosedOnly,
    Geoblock,
    OrderPage,
    OrderRow,
    TradePage,
    TradeRow,
)
from adapters.private_side import asking
from adapters.rate import RateBudget, retry_after_ns
from adapters.venue import GateEntry, VenueReadError
from models.clock import SECOND, Clock

PAGES_MAX: Final = 200

_NOTHING: Final = (b"", b"null", b'""', b"{}")
_ORDER: Final = msgspec.json.Decoder(OrderRow)
_ORDERS: Final = msgspec.json.Decoder(OrderPage)
_TRADES: Final = msgspec.json.Decoder(TradePage)
_BALANCE: Final = msgspec.json.Decoder(Balance)
_CLOSED_ONLY: Final = msgspec.json.Decoder(ClosedOnly)
_GEOBLOCK: Final = msgspec.json.Decoder(Geoblock)

T = TypeVar("T")
Params = Sequence[tuple[str, str]]


class PrivateRest:
    """Any thread."""

    def __init__(self, account: Account, clob_url: str, geoblock_url: str, clock: Clock, *, total_s: float) -> None:
        self._account = account
        self._clob = clob_url.rstrip("/")
        self._geoblock = geoblock_url
        self._clock = clock
        self._sessions = GatedSessions(total_s=total_s)

    def call(self, method: str, path: str, body: bytes = b"", gate: GateEntry | None = None) -> HttpAnswer:
        """Raises `NotSentError` or `AnswerLostError`. `path` may end in a query, which is not signed."""
        signed = path.partition("?")[0]
        headers = self._account.headers(self._clock.wall_ns() // SECOND, method, signed, body)
        return self._sessions.call(method, self._clob + path, headers=headers, body=body, gate=gate)

    def ask(self, path: str, decoder: msgspec.json.Decoder[T], params: Params = ()) -> T:
        query = f"?{urlencode(list(params))}" if params else ""
        with asking(path):
            return read(self.call("GET", path + query), decoder)

    def close(self) -> None:
        """Close this thread's connection."""
        self._sessions.close()

    # -- questions

    def order(self, order_id: str) -> OrderRow | None:
        """None for an order that has ended, as for one that never was. A 404 counts in the venue's own words only."""
        with asking("/data/order"):
            answer = self.call("GET", f"/data/order/{order_id}")
        absent = answer.status == 404 and error_of(answer) != ""
        if absent or (answer.status == 200 and answer.body.strip() in _NOTHING):
            return None
        return read(answer, _ORDER)

    def open_orders(self) -> Iterator[OrderRow]:
        for page in self._pages("/data/orders", _ORDERS, ()):
            yield from page.data

    def trades(self, since_s: int, market: str | None = None) -> Iterator[TradeRow]:
        """Newest or oldest first, as the venue likes it."""
        params = [("after", str(max(0, since_s)))]
        if market is not None:
            params.append(("market", market))
        for page in self._pages("/data/trades", _TRADES, params):
            yield from page.data

    def balance(self, asset_type: str, token: str | None = None) -> Balance:
        params = [("asset_type", asset_type), ("signature_type", str(self._account.signature_type))]
        if token is not None:
            params.append(("token_id", token))
        return self.ask("/balance-allowance", _BALANCE, params)

    def closed_only(self) -> bool:
        return self.ask("/auth/ban-status/closed-only", _CLOSED_ONLY).closed_only

    def geoblock(self) -> Geoblock:
        """Public: it is about the place, so nothing is signed."""
        with asking("geoblock"):
            return read(self._sessions.call("GET", self._geoblock), _GEOBLOCK)

    # -- inside

    def _pages(self, path: str, decoder: msgspec.json.Decoder[T], params: Params) -> Iterator[T]:
        cursor = FIRST_CURSOR
        for _ in range(PAGES_MAX):
            page = self.ask(path, decoder, [*params, ("next_cursor", cursor)])
            yield page
            cursor = getattr(page, "next_cursor", "")
            if cursor in ("", LAST_CURSOR):
                return
        raise VenueReadError(f"{path}: more than {PAGES_MAX} pages")


def pause(budget: RateBudget, answer: HttpAnswer) -> None:
    """Keep away for as long as the venue asks to, a second where it does not say how long."""
    if answer.status not in (425, 429):
        return
    asked = retry_after_ns(answer.headers.get("Retry-After", ""))
    if asked is not None or answer.status == 425 or RATE_HEADER in answer.headers:
        budget.pause(asked or SECOND)
