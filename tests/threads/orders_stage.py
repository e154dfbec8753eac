"""A running venue with an account on it, as the orders part of the conformance suite uses one.

A third venue adds one function to `STAGES`; everything else goes through the port and `POST /levers`.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from adapters.clock import SystemClock
from adapters.feed import FeedLimits, FeedThread
from adapters.polymarket.dialect import make_exchange
from adapters.polymarket.dialect.face import PolymarketFace
from adapters.polymarket.dialect.wallets import Wallets, make_wallet
from adapters.registry import make_orders, venue_module
from adapters.simulated.exchange import InProcessExchange, Setup, Trader
from adapters.simulated.faults import parse_plan
from adapters.simulated.server import SimulatedServer
from adapters.venue import MarketData, Orders
from models.book import BookSnapshot
from models.clock import WallNs
from models.config_machine import VenueOptions, WalletType
from models.market import Action, BookModel, MarketId, Outcome, SetId
from models.messages import FillSeen, OrderUpdated
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros
from models.order_life import OrderFact, OrderLife, fold
from models.orders import (
    AttemptId,
    CommittedIntent,
    Fill,
    OrderIntent,
    Purpose,
    SubmitAnswer,
    TimeInForce,
    VenueOrderId,
    derive_client_order_id,
)
from tests.adapters.kalshi.stage import kalshi_stage
from tests.canaries import ACCOUNTS
from tests.polling import until

CASH = 1_000
QUICK = FeedLimits(idle_s=0.01, backoff_initial_s=0.05, backoff_max_s=0.2)
RULES = {"settlement": "400ms"}
DEAD = VenueOptions(rest_url="http://127.0.0.1:1", ws_url="ws://127.0.0.1:1/", wallet_type=WalletType.EOA)

_numbers = count(1)


@dataclass
class OrdersStage:
    """One running venue with one funded account. The crowd stands still."""

    name: str
    options: VenueOptions
    secrets: Mapping[str, str]
    rest_url: str
    market_id: MarketId
    exchange: InProcessExchange
    """The venue itself, for its audit only."""
    clock: SystemClock = field(default_factory=SystemClock)
    settles_later: bool = True
    """Executions are provisional at first; False: final when they are told."""

    def __post_init__(self) -> None:
        self.orders = self.again()
        (self.market,) = self.data().markets([self.market_id])
        self.orders.get_ready([self.market])

    def again(self, options: VenueOptions | None = None) -> Orders:
        """The private side as a new process would make it."""
        return make_orders(self.name, options or self.options, self.secrets, self.clock)

    def data(self) -> MarketData:
        return venue_module(self.name).make_market_data(self.options, self.clock, 1_000)

    def pull(self, lever: str, **more: object) -> None:
        answer = requests.post(f"{self.rest_url}/levers", json={"lever": lever, **more}, timeout=2)
        assert answer.status_code == 200, answer.text

    def heard(self) -> bool:
        """Whether the venue has a private stream of the account, logged in."""
        streams = self.exchange.streams
        connections = streams.each("user")
        return bool(connections) and all(streams._connections[c].account for c in connections)

    def book(self) -> BookSnapshot:
        (book,) = self.data().get_snapshot_rest([self.market], 1, self.clock)
        return book

    def ask(self, outcome: Outcome = Outcome.YES) -> tuple[PriceMicros, int]:
        """(price, shares) of the best ask."""
        book = self.book()
        asks = book.yes_asks if outcome is Outcome.YES else book.no_asks
        price, size = min(asks or ())
        return PriceMicros(price), size

    def bid(self, outcome: Outcome = Outcome.YES) -> tuple[PriceMicros, int]:
        book = self.book()
        bids = book.yes_bids if outcome is Outcome.YES else book.no_bids
        price, size = max(bids or ())
        return PriceMicros(price), size

    @property
    def size(self) -> MicroShares:
        """A size that the venue takes at every price from 0.2 on."""
        lots = -(-max(10 * MICRO, self.market.min_size) // self.market.lot)
        return MicroShares(lots * self.market.lot)

    def intent(self, **changes: Any) -> OrderIntent:
        """A purchase of `size` YES at the best ask that takes or ends."""
        attempt = AttemptId(f"a-{next(_numbers)}")
        fields: dict[str, Any] = {
            "client_order_id": derive_client_order_id(attempt, 0, 0),
            "attempt_id": attempt,
            "set_id": SetId("s"),
            "venue": self.market.venue,
            "market_id": self.market.market_id,
            "leg": 0,
            "outcome": Outcome.YES,
            "action": Action.BUY,
            "size": self.size,
            "time_in_force": TimeInForce.IOC,
            "purpose": Purpose.OPEN,
            "at": WallNs(time.time_ns()),
        }
        if "limit_price" not in changes:
            outcome = changes.get("outcome", Outcome.YES)
            sells = changes.get("action") is Action.SELL
            fields["limit_price"] = (self.bid(outcome) if sells else self.ask(outcome))[0]
        return OrderIntent(**(fields | changes))

    def place(self, intent: OrderIntent, *, granted: bool = True) -> SubmitAnswer:
        return self.orders.place_order(sealed(intent), self.orders.prepare(intent), gate(granted=granted))

    def life(self, intent: OrderIntent, *facts: OrderFact) -> OrderLife:
        """What these facts make of the order, its trades as the venue shows them now included."""
        life = OrderLife(intent=intent, patience_ns=0, horizon_ns=0)
        for fact in (*facts, *self.fills(intent)):
            life = fold(life, fact, self.clock.boot_ns())
        return life

    def fills(self, intent: OrderIntent) -> list[Fill]:
        return [fill for fill in self.orders.fills(intent, 0) if fill.client_order_id == intent.client_order_id]

    def held(self, outcome: Outcome = Outcome.YES) -> int:
        return sum(
            position.size
            for position in self.orders.positions()
            if (position.market_id, position.outcome) == (self.market.market_id, outcome)
        )

    def cash(self) -> MicroUsd:
        return self.orders.balances()


@dataclass
class Listener:
    """The user stream, read by the feed thread that the bot uses."""

    stage: OrdersStage
    orders: Orders
    events: list[FillSeen | OrderUpdated] = field(default_factory=list)
    states: list[str] = field(default_factory=list)

    def start(self) -> FeedThread:
        found = self.orders.listen_fills_ws()
        assert found is not None
        _, session = found

        def endpoint() -> Any:
            stream = self.orders.listen_fills_ws()
            assert stream is not None
            return stream[0]

        feed = FeedThread(
            name="user",
            url_provider=lambda: endpoint().url,
            headers_provider=lambda: endpoint().headers,
            session_factory=session,
            deliver=self.events.extend,  # type: ignore[arg-type]
            on_state=lambda state: self.states.append(state.kind),
            clock=self.stage.clock,
            rng=random.Random(1),
            limits=QUICK,
        )
        feed.start()
        return feed

    def facts(self, intent: OrderIntent) -> list[OrderFact]:
        own = intent.client_order_id
        told: list[OrderFact] = []
        for event in list(self.events):
            fact: OrderFact = event.fill if isinstance(event, FillSeen) else event.seen
            if fact.client_order_id in (own, None):
                told.append(fact)
        return told


@contextmanager
def listening(stage: OrdersStage, orders: Orders | None = None) -> Iterator[Listener]:
    """The stream is up, and the venue knows who listens."""
    listener = Listener(stage, orders or stage.orders)
    feed = listener.start()
    try:
        until(lambda: "live" in listener.states, "the user stream is up")
        until(stage.heard, "the venue knows who listens")
        yield listener
    finally:
        feed.stop()


def sealed(intent: OrderIntent) -> CommittedIntent:
    return CommittedIntent(intent=intent, ledger_seq=1, row_hash="")


def gate(*, granted: bool = True) -> Callable[[], AbstractContextManager[bool]]:
    return lambda: contextlib.nullcontext(enter_result=granted)


def venue_id(answer: object) -> VenueOrderId:
    found: VenueOrderId = answer.venue_order_id  # type: ignore[attr-defined]
    return found


# -- the venues


@contextmanager
def simulated() -> Iterator[OrdersStage]:
    trader = Trader(name="bob", cash=CASH * MICRO, api_key=ACCOUNTS[0][0], api_secret=ACCOUNTS[0][1])
    plan = parse_plan({"rules": RULES})
    exchange = InProcessExchange(
        Setup(
            seed=3,
            start=time.time_ns(),
            book_model=BookModel.UNIFIED,
            rate=0,
            scripted=False,
            traders=(trader,),
            plan=plan,
        )
    )
    server = SimulatedServer(exchange)
    secrets = {"API_KEY": trader.api_key, "API_SECRET": trader.api_secret}
    with served(server):
        options = VenueOptions(rest_url=server.rest_url, ws_url=server.ws_url, user_ws_url=server.user_ws_url)
        market_id = MarketId("btc-100k-dec")
        yield OrdersStage("simulated", options, secrets, server.rest_url, market_id, exchange)


@contextmanager
def polymarket(wallet_type: WalletType = WalletType.EOA) -> Iterator[OrdersStage]:
    wallet = make_wallet("bob", wallet_type, os.urandom)
    plan = parse_plan({"rules": RULES})
    exchange = make_exchange(
        Wallets([wallet]), start=time.time_ns(), seed=3, rate=0, cash=CASH, scripted=False, plan=plan
    )
    server = SimulatedServer(exchange, face=PolymarketFace())
    secrets = {
        "PRIVATE_KEY": wallet.private_key,
        "API_KEY": wallet.api_key,
        "API_SECRET": wallet.api_secret,
        "API_PASSPHRASE": wallet.passphrase,
        "FUNDER": "" if wallet_type is WalletType.EOA else wallet.funder,
    }
    with served(server):
        options = VenueOptions(
            rest_url=server.rest_url, ws_url=server.ws_url, user_ws_url=server.user_ws_url, wallet_type=wallet_type
        )
        market_id = MarketId(exchange.listed.all[0].condition_id)
        yield OrdersStage("polymarket", options, secrets, server.rest_url, market_id, exchange)


@contextmanager
def served(server: SimulatedServer) -> Iterator[None]:
    server.start()
    try:
        yield
    finally:
        server.stop()


@contextmanager
def kalshi() -> Iterator[OrdersStage]:
    """Money on the market's own shard only, so that the account's cash is what can be spent."""
    with TemporaryDirectory() as directory:
        running = kalshi_stage(Path(directory), rate=0, scripted=False, cash=CASH * MICRO, funded=(0,))
        with running as venue:
            market_id = MarketId("KXSIMFED-26DEC31-T1")
            yield OrdersStage(
                "kalshi",
                venue.options,
                venue.secrets,
                venue.server.rest_url,
                market_id,
                venue.exchange,
                settles_later=False,
            )


STAGES: dict[str, Callable[[], AbstractContextManager[OrdersStage]]] = {
    "simulated": simulated,
    "polymarket": polymarket,
    "kalshi": kalshi,
}
