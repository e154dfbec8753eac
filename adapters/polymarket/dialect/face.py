"""The venue over HTTP: which path asks for what, who has to sign, and what a restart still answers.

| call                                                              | signed | where           |
| ----------------------------------------------------------------- | ------ | --------------- |
| GET /ok /time /version /api/geoblock                              | no     | here            |
| book(s), catalog, prices, data interface's /positions             | no     | `reads.public`  |
| POST, GET /auth/api-key, /auth/derive-api-key                     | L1     | here            |
| POST /order(s), DELETE /order(s), /cancel-all, /cancel-market-orders, POST /v1/heartbeats | L2 | `order_entry`, here |
| /data/order(s), /data/trades, /balance-allowance, /auth/ban-status/closed-only | L2 | `reads.private` |
| POST /submit, GET /transaction, /nonce of the relayer             | key    | `relayer`       |
| POST /levers, GET /truth                                          | no     | for whoever runs the exchange |

Only `GET /time`, `/version`, `/ok` and the geoblock answer while the engine restarts; everything else is 425.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from adapters.polymarket.dialect import order_entry, reads, relayer, replies
from adapters.polymarket.dialect.exchange import PolymarketExchange
from adapters.polymarket.dialect.order_entry import Buckets
from adapters.polymarket.dialect.relayer import Relayer
from adapters.polymarket.dialect.replies import Problem
from adapters.polymarket.dialect.streams import UNSIGNED
from adapters.polymarket.dialect.wallets import Wallet
from adapters.polymarket.heart import PATH as HEART_PATH
from adapters.polymarket.order_wire import Heart
from adapters.simulated import web
from adapters.simulated.exchange import InProcessExchange
from adapters.simulated.web import Answer, Request
from models.clock import SECOND

MARKET_PATH: Final = "/ws/market"
USER_PATH: Final = "/ws/user"
VERSION: Final = {"version": 2}

_HEART: Final = msgspec.json.Decoder(Heart)
_KEYS: Final = ("/auth/api-key", "/auth/derive-api-key")
_RELAYER: Final = ("/submit", "/transaction", "/nonce")
_CANCELS: Final = ("/order", "/orders", "/cancel-all", "/cancel-market-orders")


class PolymarketFace:
    """`adapters.simulated.web.Face` of this venue."""

    market_path = MARKET_PATH
    user_path = USER_PATH

    def __init__(self) -> None:
        self.blocked: str | None = None
        """The country that the geoblock names; None: not blocked."""
        self.clock_ahead_s = 0
        """By how much the venue's `/time` differs from everybody else's clock."""
        self._buckets = Buckets()
        self._relayer = Relayer()

    def stream_account(self, exchange: InProcessExchange, request: Request, now: int) -> str | Answer | None:  # noqa: ARG002  the channel itself asks who is there
        return UNSIGNED if request.target == USER_PATH else None

    def answer(self, exchange: InProcessExchange, request: Request, now: int) -> Answer:
        """Carry out one request. The caller owns the exchange while this runs."""
        assert isinstance(exchange, PolymarketExchange)
        split = urlsplit(request.target)
        path = split.path.rstrip("/") or "/"
        if (request.method, path) in web.OPERATOR:
            return web.OPERATOR[request.method, path](exchange, request, now)
        if (open_answer := self._always(request.method, path, now)) is not None:
            return open_answer
        if exchange.unavailable:
            return replies.restarting(exchange.engine.unavailable_until - now).answer()
        parts, query = [unquote(part) for part in path.strip("/").split("/")], parse_qs(split.query)
        public = reads.public(exchange, request.method, parts, query, request.body)
        if public is not None:
            return public
        if path in _KEYS:
            return self._keys(exchange, request, now)
        if path in _RELAYER:
            return self._relayed(exchange, request, path, query, now)
        wallet = exchange.wallets.l2(request.headers, request.method, path, request.body, now)
        if isinstance(wallet, Problem):
            return wallet.answer()
        return self._private(exchange, wallet, request, path, parts, query, now)

    def _private(
        self,
        exchange: PolymarketExchange,
        wallet: Wallet,
        request: Request,
        path: str,
        parts: Sequence[str],
        query: Mapping[str, list[str]],
        now: int,
    ) -> Answer:
        match request.method:
            case "POST" if path == "/order":
                return order_entry.place_one(exchange, wallet, request.body, self._buckets, now)
            case "POST" if path == "/orders":
                return order_entry.place_many(exchange, wallet, request.body, self._buckets, now)
            case "POST" if path == HEART_PATH:
                return _heart(exchange, wallet, request.body, now)
            case "DELETE" if path in _CANCELS:
                return order_entry.cancel(exchange, wallet, path, request.body, now)
            case "GET":
                found = reads.private(exchange, wallet, parts, query, now)
                return replies.NOT_FOUND.answer() if found is None else found
        return replies.NOT_FOUND.answer()

    def _always(self, method: str, path: str, now: int) -> Answer | None:
        if method != "GET":
            return None
        match path:
            case "/ok":
                return replies.ok("OK")
            case "/time":
                return replies.ok(now // SECOND + self.clock_ahead_s)
            case "/version":
                return replies.ok(VERSION)
            case "/api/geoblock":
                blocked = self.blocked is not None
                return replies.ok(
                    {"blocked": blocked, "ip": "127.0.0.1", "country": self.blocked or "IE", "region": ""}
                )
        return None

    def _relayed(
        self, exchange: PolymarketExchange, request: Request, path: str, query: Mapping[str, Sequence[str]], now: int
    ) -> Answer:
        wallet = relayer.caller(exchange.wallets.all, request.headers)
        if wallet is None:
            return replies.Problem(401, "invalid authorization").answer()
        match request.method, path:
            case "POST", "/submit":
                return self._relayer.submit(exchange, wallet, request.body, now)
            case "GET", "/transaction":
                return self._relayer.state((query.get("id") or [""])[0])
            case "GET", "/nonce":
                return replies.ok({"nonce": self._relayer.nonce(wallet)})
        return replies.NOT_FOUND.answer()

    def _keys(self, exchange: PolymarketExchange, request: Request, now: int) -> Answer:
        """A wallet has one key here; creating and deriving it tell the same."""
        wallet = exchange.wallets.l1(request.headers, now)
        if isinstance(wallet, Problem):
            return wallet.answer()
        return replies.ok({"apiKey": wallet.api_key, "secret": wallet.api_secret, "passphrase": wallet.passphrase})


def _heart(exchange: PolymarketExchange, wallet: Wallet, body: bytes, now: int) -> Answer:
    try:
        given = _HEART.decode(body).heartbeat_id
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return replies.INVALID_PAYLOAD.answer()
    expected, _ = exchange.hearts.get(wallet.account, ("", 0))
    if given != expected:
        wrong = Answer(400, replies.encode({"error_msg": "Invalid Heartbeat ID", "heartbeat_id": expected}))
        return wrong if expected else replies.Problem(400, "Invalid Heartbeat ID").answer()
    fresh = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{wallet.account}/{now}"))
    exchange.heart_beats(wallet.account, fresh, now)
    return replies.ok({"heartbeat_id": fresh})
