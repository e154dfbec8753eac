"""The exchange over HTTP: public reads, private calls with a verified signature, and levers for tests.

| call                              | signed | answer                         |
| --------------------------------- | ------ | ------------------------------ |
| GET /time /status                 | no     | clock; open, post_only, restarting |
| GET /markets[?q=] /markets/ID     | no     | catalog                        |
| GET /snapshot?market_id=..        | no     | books, with sequence numbers   |
| POST /orders, /orders/batch       | yes    | one answer, or one per order   |
| GET, DELETE /orders/CLIENT_ID     | yes    | one order                      |
| GET /orders /fills /positions /balance | yes | open orders, executions, holdings |
| POST /merge                       | yes    | cash                           |
| POST /levers, GET /truth          | no     | for whoever runs the exchange  |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Protocol, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from adapters.simulated import dialect, reads, signing, wire
from adapters.simulated.desk import ALREADY_DONE, UNKNOWN_ORDER, Manner, Reply
from adapters.simulated.exchange import InProcessExchange
from adapters.simulated.faults import Lever, PlanError, check_lever
from adapters.simulated.orders import Refusal
from adapters.simulated.settlement import SettlementError
from adapters.simulated.truth import truth
from models.clock import MS
from models.market import MarketId
from models.money import MoneyError, parse_shares, text

BATCH_MAX: Final = 15
FIND_MAX: Final = 50

_STATUS_OF: Final = {
    Refusal.DUPLICATE.value: HTTPStatus.CONFLICT,
    Refusal.RATE_LIMITED.value: HTTPStatus.TOO_MANY_REQUESTS,
    Refusal.RESTARTING.value: HTTPStatus.SERVICE_UNAVAILABLE,
    ALREADY_DONE: HTTPStatus.CONFLICT,
    UNKNOWN_ORDER: HTTPStatus.NOT_FOUND,
}

Body = TypeVar("Body", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    """Path and query as sent, which is what was signed."""
    headers: signing.Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client gets, and in which manner. `delay` in ns."""

    status: int
    body: bytes
    manner: Manner = Manner.ANSWER
    delay: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


class _RefusedError(Exception):
    def __init__(self, status: HTTPStatus, code: str, text: str = "") -> None:
        super().__init__(code)
        self.answer = Answer(status, wire.encode(_Errors(wire.ErrorBody(code, text))))


class _Errors(msgspec.Struct, frozen=True):
    error: wire.ErrorBody


class Face(Protocol):
    """How the exchange meets its clients: the native one here, or a dialect's."""

    market_path: str
    user_path: str

    def answer(self, exchange: InProcessExchange, request: Request, now: int) -> Answer:
        """Carry out one request. The caller owns the exchange while this runs."""
        ...

    def stream_account(self, exchange: InProcessExchange, request: Request, now: int) -> str | Answer | None:
        """Whose stream a request on one of the two paths opens (None: the public one), or the refusal."""
        ...


class NativeFace:
    market_path = wire.MARKET_PATH
    user_path = wire.USER_PATH

    def answer(self, exchange: InProcessExchange, request: Request, now: int) -> Answer:
        return answer(exchange, request, now)

    def stream_account(self, exchange: InProcessExchange, request: Request, now: int) -> str | Answer | None:
        return account_of(exchange, request, now) if request.target == self.user_path else None


def answer(exchange: InProcessExchange, request: Request, now: int) -> Answer:
    """Carry out one request. The caller owns the exchange while this runs."""
    parts = urlsplit(request.target)
    path = parts.path.rstrip("/")
    try:
        if (request.method, path) in OPERATOR:
            return OPERATOR[request.method, path](exchange, request, now)
        if path in ("/time", "/status"):
            return _ok(wire.TimeBody(now // MS) if path == "/time" else wire.StatusBody(exchange.weather, now // MS))
        if exchange.unavailable:
            raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, Refusal.RESTARTING.value, "the exchange is restarting")
        query = parse_qs(parts.query)
        if request.method == "GET" and (public := _public(exchange, path, query)) is not None:
            return _ok(public)
        return _private(exchange, request, path, query, now)
    except _RefusedError as refused:
        return refused.answer


def authenticate(exchange: InProcessExchange, request: Request, now: int) -> str:
    """The account that a request was signed for. Raises `_RefusedError`; see `account_of` for the streams."""
    key = request.headers.get(signing.KEY_HEADER, "")
    account = next((a for a in exchange.engine.accounts.values() if a.api_key == key and not a.house), None)
    if account is None:
        raise _RefusedError(HTTPStatus.UNAUTHORIZED, "unknown_key")
    why = signing.refusal(request.headers, account.api_secret, now // MS, request.method, request.target, request.body)
    if why is not None:
        raise _RefusedError(HTTPStatus.UNAUTHORIZED, why)
    return account.name


def account_of(exchange: InProcessExchange, request: Request, now: int) -> str | Answer:
    """As `authenticate`, with the refusal as an answer."""
    try:
        return authenticate(exchange, request, now)
    except _RefusedError as refused:
        return refused.answer


def _public(exchange: InProcessExchange, path: str, query: Mapping[str, list[str]]) -> msgspec.Struct | None:
    listings = exchange.engine.listings
    if path == "/markets":
        words = query.get("q", [""])[0].casefold().split()
        found = [
            listing
            for listing in listings.values()
            if all(word in f"{listing.market.market_id} {listing.market.title}".casefold() for word in words)
        ]
        return wire.MarketList(
            tuple(dialect.market_body(listing) for listing in (found[:FIND_MAX] if words else found))
        )
    if path.startswith("/markets/"):
        return dialect.market_body(listings[_known(exchange, unquote(path.removeprefix("/markets/")))])
    if path == "/snapshot":
        wanted = [_known(exchange, market_id) for market_id in query.get("market_id", [])]
        return wire.SnapshotList(tuple(exchange.snapshot(market_id) for market_id in wanted))
    return None


def _private(
    exchange: InProcessExchange, request: Request, path: str, query: Mapping[str, list[str]], now: int
) -> Answer:
    account = authenticate(exchange, request, now)
    engine = exchange.engine
    match request.method, path:
        case "POST", "/orders":
            return _one_order(exchange, account, _decode(request.body, wire.OrderBody), now)
        case "POST", "/orders/batch":
            return _batch(exchange, account, _decode(request.body, wire.BatchBody), now)
        case "GET", "/orders":
            seen = reads.open_orders(engine, account, now)
            orders = tuple(dialect.order_answer(order.request.client_order_id, order) for order in seen)
            return _ok(wire.OrderList(orders))
        case "GET", "/fills":
            client_id = query["client_order_id"][0] if "client_order_id" in query else None
            since_ms = query.get("since_ms", ["0"])[0]
            if not (since_ms.isascii() and since_ms.isdigit() and len(since_ms) < 16):
                raise _RefusedError(HTTPStatus.BAD_REQUEST, Refusal.MALFORMED.value, "since_ms")
            executions = reads.fills(engine, account, now, client_id, int(since_ms) * MS)
            return _ok(wire.FillList(tuple(dialect.fill_news(fill) for fill in executions)))
        case "GET", "/positions":
            held = reads.positions(engine, account, now)
            rows = tuple(wire.PositionBody(m, o.value, text(size, 0)) for (m, o), size in held.items())
            return _ok(wire.PositionList(rows))
        case "GET", "/balance":
            cash, free = reads.cash(engine, account, now)
            return _ok(wire.BalanceBody(text(cash), text(free)))
        case "POST", "/merge":
            return _merge(exchange, account, _decode(request.body, wire.MergeBody), now)
        case "GET" | "DELETE", _ if path.startswith("/orders/"):
            client_order_id = unquote(path.removeprefix("/orders/"))
            if request.method == "DELETE":
                return _reply(exchange.cancel(account, client_order_id, now))
            order = reads.order_seen(engine, account, client_order_id, now)
            if order is None:
                raise _RefusedError(HTTPStatus.NOT_FOUND, UNKNOWN_ORDER)
            return _ok(dialect.order_answer(client_order_id, order))
    raise _RefusedError(HTTPStatus.NOT_FOUND, "unknown_path")


def _one_order(exchange: InProcessExchange, account: str, body: wire.OrderBody, now: int) -> Answer:
    return _reply(_submit(exchange, account, body, now))


def _batch(exchange: InProcessExchange, account: str, body: wire.BatchBody, now: int) -> Answer:
    """Each order stands alone; the first lever that spoils an answer spoils the whole response."""
    if not 0 < len(body.orders) <= BATCH_MAX:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, Refusal.MALFORMED.value, f"1 to {BATCH_MAX} orders")
    replies = [_submit(exchange, account, order, now) for order in body.orders]
    spoilt = next((reply for reply in replies if reply.manner is not Manner.ANSWER), None)
    results = wire.encode(wire.BatchAnswer(tuple(reply.answer for reply in replies)))
    manner = Manner.ANSWER if spoilt is None else spoilt.manner
    return Answer(HTTPStatus.OK, results, manner, max(reply.delay for reply in replies))


def _submit(exchange: InProcessExchange, account: str, body: wire.OrderBody, now: int) -> Reply:
    try:
        order = dialect.order_request(body)
    except dialect.MalformedError as error:
        refusal = wire.ErrorBody(Refusal.MALFORMED.value, str(error))
        return Reply(wire.OrderAnswer(body.client_order_id[:64], error=refusal))
    return exchange.submit(account, order, now)


def _merge(exchange: InProcessExchange, account: str, body: wire.MergeBody, now: int) -> Answer:
    try:
        cash = exchange.merge(account, MarketId(body.market_id), parse_shares(body.size), now)
    except (SettlementError, MoneyError) as error:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "not_merged", str(error)) from None
    return _ok(wire.MergeAnswer(text(cash)))


def _levers(exchange: InProcessExchange, request: Request, now: int) -> Answer:
    lever = _decode(request.body, Lever)
    try:
        check_lever(lever)
    except PlanError as error:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, Refusal.MALFORMED.value, str(error)) from None
    exchange.pull(lever, now)
    return _ok(wire.TimeBody(now // MS))


def _truth(exchange: InProcessExchange, _request: Request, _now: int) -> Answer:
    return Answer(HTTPStatus.OK, msgspec.json.encode(truth(exchange)))


OPERATOR: Final[dict[tuple[str, str], Callable[[InProcessExchange, Request, int], Answer]]] = {
    ("POST", "/levers"): _levers,
    ("GET", "/truth"): _truth,
}


def _reply(reply: Reply) -> Answer:
    error = reply.answer.error
    status = HTTPStatus.OK if error is None else _STATUS_OF.get(error.code, HTTPStatus.BAD_REQUEST)
    return Answer(status, wire.encode(reply.answer), reply.manner, reply.delay)


def _ok(body: msgspec.Struct) -> Answer:
    return Answer(HTTPStatus.OK, wire.encode(body))


def _known(exchange: InProcessExchange, market_id: str) -> MarketId:
    if market_id not in exchange.engine.listings:
        raise _RefusedError(HTTPStatus.NOT_FOUND, Refusal.UNKNOWN_MARKET.value, market_id[:80])
    return MarketId(market_id)


def _decode(body: bytes, kind: type[Body]) -> Body:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, Refusal.MALFORMED.value, str(error)) from None
