"""The dialect on a loopback port with two funded wallets: raw signed calls, our own adapter, and a feed with books."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import requests
from websockets.sync.client import ClientConnection, connect

from adapters.clock import SystemClock
from adapters.feed import FeedThread
from adapters.polymarket.adapter import PolymarketVenue
from adapters.polymarket.auth import decoded_secret, l2_signature
from adapters.polymarket.dialect import make_exchange
from adapters.polymarket.dialect.exchange import PolymarketExchange
from adapters.polymarket.dialect.face import PolymarketFace
from adapters.polymarket.dialect.markets import Listed
from adapters.polymarket.dialect.wallets import Wallet, Wallets, make_wallet
from adapters.polymarket.eip712 import Domain, SigningKey
from adapters.polymarket.order_wire import post_order
from adapters.polymarket.signing import BUY, SELL, SIGNATURE_TYPES, OrderStruct, domain_for, sign_order
from adapters.polymarket.trading import PolymarketOrders, make_orders
from adapters.simulated.faults import parse_plan
from adapters.simulated.server import SimulatedServer
from models.book import BookSnapshot, BookUpdate
from models.book_keeping import Book
from models.clock import MS
from models.config_machine import VenueOptions, WalletType
from models.market import Market, MarketId
from models.money import MICRO, parse_micros
from tests.polling import until
from tests.threads.orders_stage import QUICK

CASH = 1_000
_salts = count(1)


@dataclass
class DialectStage:
    """One exchange whose crowd stands still: books change by what the wallets do. `market` has no fee and no event
    unless a test takes another.
    """

    exchange: PolymarketExchange
    face: PolymarketFace
    server: SimulatedServer
    clock: SystemClock = field(default_factory=SystemClock)

    @property
    def url(self) -> str:
        return self.server.rest_url

    def wallet(self, number: int = 0) -> Wallet:
        return self.exchange.wallets.all[number]

    def listed(self, slug: str) -> Listed:
        return next(one for one in self.exchange.listed.all if one.slug == slug)

    def options(self, **changes: str) -> VenueOptions:
        urls: dict[str, Any] = {
            "rest_url": self.url,
            "ws_url": self.server.ws_url,
            "user_ws_url": self.server.user_ws_url,
            "wallet_type": self.wallet().wallet_type,
        }
        return VenueOptions(**(urls | changes))

    def data(self) -> PolymarketVenue:
        return PolymarketVenue(self.options(), self.clock, 1_000)

    def orders(self, **changes: str) -> PolymarketOrders:
        return make_orders(self.options(**changes), secrets_of(self.wallet()), self.clock)

    def market(self, slug: str) -> Market:
        (found,) = self.data().markets([MarketId(self.listed(slug).condition_id)])
        return found

    def pull(self, lever: str, **more: object) -> None:
        answer = requests.post(f"{self.url}/levers", json={"lever": lever, **more}, timeout=2)
        assert answer.status_code == 200, answer.text

    # -- raw calls

    def ask(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        wallet: int = 0,
        signed_body: bytes | None = None,
        signed_path: str | None = None,
        skew_s: int = 0,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """One call as the venue's own clients make it; what is signed can be made to differ from what is sent."""
        who, stamp = self.wallet(wallet), str(int(time.time()) + skew_s)
        path = signed_path or target.partition("?")[0]
        proof = body if signed_body is None else signed_body
        signature = l2_signature(decoded_secret(who.api_secret), int(stamp), method, path, proof)
        own = {
            "POLY_ADDRESS": who.address,
            "POLY_API_KEY": who.api_key,
            "POLY_PASSPHRASE": who.passphrase,
            "POLY_TIMESTAMP": stamp,
            "POLY_SIGNATURE": signature,
            "Content-Type": "application/json",
        }
        return requests.request(method, self.url + target, data=body, headers=own | dict(headers or {}), timeout=5)

    def place(self, body: bytes, *, wallet: int = 0) -> requests.Response:
        return self.ask("POST", "/order", body, wallet=wallet)

    def body(
        self,
        listed: Listed,
        side: str,
        price: str,
        size: str,
        kind: str = "GTC",
        *,
        wallet: int = 0,
        no: bool = False,
        domain: Domain | None = None,
        key: str | None = None,
        more: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> bytes:
        """A signed order of `size` shares at `price`; `changes` are fields of what is signed, `more` of what is sent
        around it.
        """
        who = self.wallet(wallet)
        shares = parse_micros(size)
        dollars = parse_micros(price) * shares // MICRO
        buys = side == "BUY"
        fields: dict[str, Any] = {
            "salt": next(_salts),
            "maker": who.funder,
            "signer": who.address,
            "token_id": int(listed.tokens[1 if no else 0]),
            "maker_amount": dollars if buys else shares,
            "taker_amount": shares if buys else dollars,
            "side": BUY if buys else SELL,
            "signature_type": SIGNATURE_TYPES[who.wallet_type],
            "timestamp_ms": time.time_ns() // MS,
        }
        order = OrderStruct(**(fields | changes))
        right = domain or domain_for(order.token_id, neg_risk=listed.neg_risk)
        _, signature = sign_order(SigningKey(key or who.private_key), right, order)
        document = json.loads(post_order(order, signature, kind, who.api_key))
        return json.dumps(document | dict(more or {}), separators=(",", ":")).encode()

    def rest_order(self, listed: Listed, side: str, price: str, size: str, **how: Any) -> str:
        """A resting order of the second wallet; its id."""
        answer = self.place(self.body(listed, side, price, size, wallet=1, **how), wallet=1)
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "live", answer.text
        return str(answer.json()["orderID"])

    def empty(self, listed: Listed) -> None:
        """Take everything off a market's book."""

        def clear(exchange: Any, now: int) -> None:
            listing = exchange.engine.listings[listed.condition_id]
            for order in list(listing.resting()):
                exchange.engine.end(listing, order, "cancelled", now)
            exchange.engine.flush(listing)
            exchange._publish(now)

        self.server.hub.call(clear)

    def quoted(self, slug: str, bid: str = "0.40", ask: str = "0.45", size: str = "50") -> Listed:
        """A market with one bid and one ask of the second wallet."""
        listed = self.listed(slug)
        self.empty(listed)
        self.rest_order(listed, "BUY", bid, size)
        self.rest_order(listed, "BUY", str(round(1 - float(ask), 4)), size, no=True)
        return listed

    # -- sockets

    @contextmanager
    def socket(self, url: str, *messages: object) -> Iterator[ClientConnection]:
        with connect(url, open_timeout=3, close_timeout=1) as socket:
            for message in messages:
                socket.send(json.dumps(message))
            yield socket

    @contextmanager
    def watch(self, *slugs: str) -> Iterator[Watch]:
        watch = Watch([self.market(slug) for slug in slugs], self.data(), self.clock)
        watch.feed.start()
        try:
            until(watch.ready, "every book is ready")
            yield watch
        finally:
            watch.feed.stop()


class Watch:
    """The bot's feed with bare books behind it."""

    def __init__(self, markets: Sequence[Market], venue: PolymarketVenue, clock: SystemClock) -> None:
        self.events: list[object] = []
        self.states: list[str] = []
        self.markets = markets
        self.sessions: list[Any] = []
        self.books = {m.market_id: Book(m.market_id, unified=True) for m in markets}
        self.feed = FeedThread(
            name="scenario",
            url_provider=lambda: venue.connect_ws().url,
            headers_provider=lambda: venue.connect_ws().headers,
            session_factory=lambda generation: self._session(venue, generation, clock),
            deliver=self._deliver,
            on_state=lambda state: self.states.append(state.kind),
            clock=clock,
            rng=random.Random(1),
            limits=QUICK,
        )

    @property
    def book(self) -> Book:
        """Of the first market."""
        return self.books[self.markets[0].market_id]

    @property
    def counts(self) -> Any:
        return self.sessions[-1].counts

    def ready(self) -> bool:
        return all(book.top().not_ready is None for book in self.books.values())

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in list(self.events) if isinstance(event, kind)]

    def _session(self, venue: PolymarketVenue, generation: int, clock: SystemClock) -> Any:
        for book in self.books.values():
            book.begin(generation)
        self.sessions.append(venue.subscribe_markets(self.markets, generation, clock))
        return self.sessions[-1]

    def _deliver(self, events: Sequence[object]) -> None:
        for event in events:
            if isinstance(event, BookUpdate):
                self.books[event.market_id].update(event)
            elif isinstance(event, BookSnapshot):
                self.books[event.market_id].snapshot(event)
            self.events.append(event)


def secrets_of(wallet: Wallet) -> dict[str, str]:
    return {
        "PRIVATE_KEY": wallet.private_key,
        "API_KEY": wallet.api_key,
        "API_SECRET": wallet.api_secret,
        "API_PASSPHRASE": wallet.passphrase,
        "FUNDER": "" if wallet.wallet_type is WalletType.EOA else wallet.funder,
    }


@contextmanager
def dialect(wallet_type: WalletType = WalletType.EOA, *, settlement: str = "300ms") -> Iterator[DialectStage]:
    entropy = random.Random(str(wallet_type)).randbytes
    wallets = Wallets([make_wallet("bob", wallet_type, entropy), make_wallet("eve", WalletType.EOA, entropy)])
    plan = parse_plan({"rules": {"settlement": settlement}})
    exchange = make_exchange(wallets, start=time.time_ns(), seed=3, rate=0, cash=CASH, scripted=False, plan=plan)
    face = PolymarketFace()
    server = SimulatedServer(exchange, face=face)
    server.start()
    try:
        yield DialectStage(exchange, face, server)
    finally:
        server.stop()
    assert exchange.engine.audit() == []


def heard(socket: ClientConnection, wanted: Callable[[Any], bool], limit_s: float = 5.0) -> Any:
    """The next JSON frame of which `wanted` is true; the others are thrown away."""
    ends = time.monotonic() + limit_s
    while True:
        frame = socket.recv(timeout=max(0.01, ends - time.monotonic()))
        try:
            document = json.loads(frame)
        except ValueError:
            continue
        for one in document if isinstance(document, list) else [document]:
            if wanted(one):
                return one
