"""Signed calls of one account: one keep-alive connection per thread (kalshi.md 3 to 7, read 2026-11-22).

Questions raise `VenueReadError` (ask again later) or `VenueReadRefusedError` (a definite no); calls that may change
something hand back the answer, or say whether a byte has left (`adapters.http_calls`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from adapters.http_calls import GatedSessions, HttpAnswer
from adapters.kalshi.answers import error_of, read
from adapters.kalshi.catalog import KalshiMarket
from adapters.kalshi.order_wire import (
    ApiKeys,
    Balance,
    FillPage,
    FillRow,
    Group,
    Netting,
    OneOrder,
    OrderPage,
    OrderRow,
    PositionPage,
    PositionRow,
)
from adapters.kalshi.rest import ExchangeStatus
from adapters.kalshi.signing import RequestSigner
from adapters.private_side import asking
from adapters.venue import GateEntry, VenueReadError
from models.clock import MS, Clock

PAGE: Final = "200"
PAGES_MAX: Final = 100

T = TypeVar("T")
Params = Sequence[tuple[str, str]]


class _OneMarket(msgspec.Struct):
    market: KalshiMarket


_ORDER: Final = msgspec.json.Decoder(OneOrder)
_ORDERS: Final = msgspec.json.Decoder(OrderPage)
_FILLS: Final = msgspec.json.Decoder(FillPage)
_POSITIONS: Final = msgspec.json.Decoder(PositionPage)
_BALANCE: Final = msgspec.json.Decoder(Balance)
_NETTING: Final = msgspec.json.Decoder(Netting)
_KEYS: Final = msgspec.json.Decoder(ApiKeys)
_GROUP: Final = msgspec.json.Decoder(Group)
_STATUS: Final = msgspec.json.Decoder(ExchangeStatus)
_MARKET: Final = msgspec.json.Decoder(_OneMarket)


class PrivateRest:
    """Any thread."""

    def __init__(
        self, signer: RequestSigner, base_url: str, clock: Clock, *, subaccount: int | None, total_s: float
    ) -> None:
        self._signer = signer
        self._base = base_url.rstrip("/")
        self._clock = clock
        self._own_part: Params = () if subaccount is None else (("subaccount", str(subaccount)),)
        self._sessions = GatedSessions(total_s=total_s)

    def call(self, method: str, path: str, body: bytes = b"", gate: GateEntry | None = None) -> HttpAnswer:
        """Raises `NotSentError` or `AnswerLostError`. `path` may end in a query, which is not signed."""
        url = self._base + path
        headers = self._signer.headers_for(self._clock.wall_ns() // MS, method, url)
        return self._sessions.call(method, url, headers=headers, body=body, gate=gate)

    def ask(self, path: str, decoder: msgspec.json.Decoder[T], params: Params = ()) -> T:
        return read(self._asked("GET", path, params), decoder)

    def close(self) -> None:
        """Close this thread's connection."""
        self._sessions.close()

    def __repr__(self) -> str:
        return f"PrivateRest({urlsplit(self._base).netloc})"

    # -- orders and holdings

    def cancel(self, order_id: str, ticker: str) -> HttpAnswer:
        """With the market's ticker: without it, an order of another shard than 0 is not found (0.6)."""
        query = urlencode([("market_ticker", ticker), *self._own_part])
        return self.call("DELETE", f"/portfolio/events/orders/{order_id}?{query}")

    def order(self, order_id: str) -> OrderRow | None:
        """None where the venue does not find it."""
        answer = self._asked("GET", f"/portfolio/orders/{order_id}")
        if answer.status == 404 and error_of(answer.body) is not None:
            return None
        return read(answer, _ORDER).order

    def orders(self, params: Params) -> Iterator[OrderRow]:
        """Newest or oldest first, as the venue likes it. There is no way to ask by our own id."""
        for page in self._pages("/portfolio/orders", _ORDERS, params):
            yield from page.orders or ()

    def fills(self, params: Params) -> Iterator[FillRow]:
        for page in self._pages("/portfolio/fills", _FILLS, params):
            yield from page.fills or ()

    def positions(self) -> Iterator[PositionRow]:
        """Of markets that are not settled yet."""
        for page in self._pages("/portfolio/positions", _POSITIONS, (("count_filter", "position"),)):
            yield from page.market_positions or ()

    def balance(self) -> Balance:
        return self.ask("/portfolio/balance", _BALANCE, self._own_part)

    # -- what has to be known before anything is sent

    def status(self) -> ExchangeStatus:
        """Also read from an error of the exchange itself, which has the same body (5)."""
        answer = self._asked("GET", "/exchange/status")
        if answer.status in (500, 503, 504):
            return read(HttpAnswer(200, answer.headers, answer.body), _STATUS)
        return read(answer, _STATUS)

    def status_date(self) -> str:
        """The `Date` of an answer, for the comparison of clocks; "" where it has none."""
        return self._asked("GET", "/exchange/status").headers.get("Date", "")

    def shard_of(self, ticker: str) -> int:
        found = self.ask(f"/markets/{ticker}", _MARKET).market.exchange_index
        return 0 if found is None else found

    def netting(self) -> Netting:
        return self.ask("/portfolio/subaccounts/netting", _NETTING)

    def api_keys(self) -> ApiKeys:
        """All keys of the account and what each may do (3)."""
        return self.ask("/api_keys", _KEYS)

    # -- order groups (6.6)

    def create_group(self, contracts: str, shard: int) -> str:
        body: dict[str, Any] = {"contracts_limit_fp": contracts, "exchange_index": shard}
        body |= {name: int(value) for name, value in self._own_part}
        content = json.dumps(body, separators=(",", ":")).encode()
        return read(self._asked("POST", "/portfolio/order_groups/create", body=content), _GROUP).order_group_id

    def trigger_group(self, group: str) -> HttpAnswer:
        """Cancels everything in the group and lets nothing more in."""
        return self._asked("PUT", f"/portfolio/order_groups/{group}/trigger")

    # -- inside

    def _asked(self, method: str, path: str, params: Params = (), body: bytes = b"") -> HttpAnswer:
        query = f"?{urlencode(list(params))}" if params else ""
        with asking(path):
            return self.call(method, path + query, body)

    def _pages(self, path: str, decoder: msgspec.json.Decoder[T], params: Params) -> Iterator[T]:
        cursor = ""
        for _ in range(PAGES_MAX):
            more = [("cursor", cursor)] if cursor else []
            page = self.ask(path, decoder, [*params, *self._own_part, ("limit", PAGE), *more])
            yield page
            cursor = getattr(page, "cursor", None) or ""
            if not cursor:
                return
        raise VenueReadError(f"{path}: more than {PAGES_MAX} pages")
