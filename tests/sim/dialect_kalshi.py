"""A run in Kalshi's language: the real adapter on one side of the virtual wire, the real dialect on the other.

Every call and every stream is signed and verified (Ed25519), books come as differences under a sequence, snapshots over
the stream itself.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from actors.plan import make_plan
from actors.simulation import EPOCH_NS, SimClock
from adapters.feed import FeedSession
from adapters.kalshi.adapter import CAPABILITIES, KalshiVenue
from adapters.kalshi.catalog import VENUE
from adapters.kalshi.desk import SnapshotDesk
from adapters.kalshi.dialect.exchange import KalshiExchange, setup_for
from adapters.kalshi.dialect.face import BASE as REST_PATH
from adapters.kalshi.dialect.face import WS_PATH, KalshiFace
from adapters.kalshi.dialect.markets import LIFETIME_MS, Listed, Listings, Series, _listed
from adapters.kalshi.dialect.members import Member, Members, make_member
from adapters.kalshi.dialect.order_checks import TIMES, CreateOrder
from adapters.kalshi.dialect.rows import wire_id
from adapters.kalshi.lifecycle import Standing
from adapters.kalshi.order_wire import BATCH_PATH, ORDERS_PATH, book_side, own_id, yes_leg
from adapters.kalshi.rest import KalshiRest
from adapters.kalshi.session import KalshiSession
from adapters.kalshi.signing import RequestSigner, parse_key
from adapters.kalshi.trading import KalshiOrders
from adapters.simulated import web, wire
from adapters.simulated.accounts import Account
from adapters.simulated.exchange import InProcessExchange, Setup
from adapters.simulated.orders import Trade, VenueOrder
from models.book import BookSnapshot, BookUpdate
from models.clock import MS, SECOND, Clock, WallNs, seconds_ns
from models.config import canonical_json
from models.config_machine import VenueOptions
from models.market import Action, Market, MarketId, Outcome
from models.money import PriceMicros, parse_price, text
from models.rows import config_used
from tests.sim.dialect_stage import TurnLock, TurnStage
from tests.sim.dialect_wire import CatalogWire, ContentJudge, Lazy, config_for
from tests.sim.setting import Setting, _sets
from tests.sim.tongue import Native
from tests.sim.venue import ACCOUNT, Venue
from tests.sim.wire import Reader, Session

if TYPE_CHECKING:
    from tests.sim.bot import Bot
    from tests.sim.rerun import Arrived
    from tests.sim.world import World

BASE = "http://127.0.0.1:8802"
WS_URL = "ws://127.0.0.1:8802" + WS_PATH
OPTIONS = VenueOptions(rest_url=BASE + REST_PATH, ws_url=WS_URL, user_ws_url=WS_URL)
_CENT, _DECI_CENT = PriceMicros(10_000), PriceMicros(1_000)


class _Batch(msgspec.Struct):
    orders: list[CreateOrder]


_ONE = msgspec.json.Decoder(CreateOrder)
_MANY = msgspec.json.Decoder(_Batch)
_IDLE_NS = 50 * MS
"""How often a feed asks its session whether it has something to send."""


@dataclass(frozen=True, slots=True)
class KalshiSetting(Setting):
    listed: tuple[Listed, ...]


@cache
def member() -> Member:
    """A key that is worth nothing, the same in every run."""
    counter = iter(range(100))
    return make_member(ACCOUNT, lambda size: hashlib.shake_256(f"kalshi/{next(counter)}".encode()).digest(size))


def _fresh_member() -> Member:
    """With buckets and keys of its own."""
    return replace(member(), keys=list(member().keys), _buckets={})


@cache
def signer() -> RequestSigner:
    key = member().key
    return RequestSigner(key.key_id, parse_key(key.private_pem))


@cache
def setting(number: int, *, live: bool, patient: bool) -> KalshiSetting:
    """An event of two or three outcomes that exclude one another, on one of the shards."""
    rng = random.Random(f"kalshi/{number}")
    tick = rng.choice([_CENT, _CENT, _DECI_CENT])
    multiplier = rng.choice(["0", "0", "0.1", "0.5"])
    shard = rng.choice([0, 0, 2])
    series = Series("KXSIM", "Which", rng.choice(["quadratic", "quadratic_with_maker_fees"]), Decimal(multiplier))
    names = ("ONE", "TWO", "THREE")[: rng.choice([2, 3, 3])]
    closes = EPOCH_NS // MS + LIFETIME_MS
    listed = tuple(_listed(series, "Which?", f"-{number}", name, tick, shard, closes, exclusive=True) for name in names)
    resting = rng.random() < 0.25
    capabilities = replace(CAPABILITIES, ioc=not resting, fok=not resting, batch_max=rng.choice([1, 10]))
    markets = [one.market for one in listed]
    config = config_for(rng, str(VENUE), markets, least_size=5, live=live, patient=patient)
    config = config.model_copy(update={"sets": _sets(rng, markets)})
    wire_ = CatalogWire(BASE, KalshiFace(), _exchange(listed, _fresh_member(), 0, 1, EPOCH_NS))
    catalog = _data(wire_, SimClock())
    catalog.capabilities = capabilities  # type: ignore[misc]
    plan = make_plan(
        config,
        {VENUE: catalog},
        {VENUE: catalog} if live else {},  # type: ignore[dict-item]  only its name is used
        live=live,
        demo=False,
        state=Path("state"),
        ledger=Path("ledger.sqlite"),
    )
    used = config_used(effective=canonical_json(config), terms=plan.terms, code_version="sim", at=WallNs(EPOCH_NS))
    read = tuple(plan.markets[market.market_id] for market in markets)
    return KalshiSetting(read, plan, used, capabilities, listed)


# -- the venue


class _Exchange(KalshiExchange):
    def _make_crowd(self) -> Any:
        """The run brings its own."""
        return None


def _exchange(listed: Sequence[Listed], trader: Member, cash: int, seed: int, start: int) -> _Exchange:
    listings = Listings(listed)
    accounts = {trader.account(shard): cash for shard in listings.shards}
    setup = setup_for(Setup(seed=seed, start=start, rate=0, scripted=False), listings, accounts)
    return _Exchange(setup, listings, Members([trader]))


class KalshiPlace(Venue):
    def _make_exchange(self, seed: int, start: int, cash: int) -> InProcessExchange:
        assert isinstance(self.setting, KalshiSetting)
        self.face = KalshiFace()
        self.trader = _fresh_member()
        self.home = _exchange(self.setting.listed, self.trader, cash, seed, start)
        self.by_venue_id: dict[str, str] = {}
        return self.home

    def revoke_key(self) -> None:
        self.trader.keys = []

    def restore_key(self) -> None:
        self.trader.keys = list(member().keys)

    @property
    def accounts(self) -> list[Account]:
        return [self.engine.accounts[self.trader.account(shard)] for shard in self.home.listings.shards]

    def account_of(self, market_id: MarketId) -> str:
        return self.trader.account(self.home.listings.by_ticker[market_id].shard)

    def own_id(self, order: VenueOrder) -> str:
        return str(own_id(order.request.client_order_id))

    def order(self, client_order_id: str) -> VenueOrder | None:
        """A sale's id differs in one digit on the wire."""
        for account in self.accounts:
            for sent in (client_order_id, f"{client_order_id[:19]}b{client_order_id[20:]}"):
                found = self.engine.orders.get((account.name, sent))
                if found is not None:
                    return found
        return None

    def trade_id(self, trade: Trade) -> str:
        return wire_id(trade.trade_id)


# -- the adapter


def _data(http: Any, clock: Clock, kind: type[KalshiVenue] = KalshiVenue) -> Any:
    """Its constructor opens a session, which costs more than a start may."""
    data = kind.__new__(kind)
    data._ws_url, data._clock, data._signer = WS_URL, clock, signer()
    data._http = Reader(http)  # type: ignore[assignment]
    data._rest = KalshiRest(data._http, BASE + REST_PATH, data._signer, clock)
    data._series, data._desks, data._standing = {}, {}, Standing()
    return data


class _Data(KalshiVenue):
    bot: Bot

    def subscribe_markets(self, markets: Sequence[Market], generation: int, clock: Clock) -> FeedSession:
        desk = TurnDesk(self.bot)
        self._desks.update((market.market_id, (generation, desk)) for market in markets)
        return KalshiSession(markets, generation, desk=desk, standing=self._standing, clock=clock)


class TurnDesk(SnapshotDesk):
    """The real desk, where whoever waits hands over."""

    def __init__(self, bot: Bot) -> None:
        super().__init__()
        self._bot = bot
        self._waiting: tuple[tuple[MarketId, ...], Arrived] | None = None

    def ask(self, market_ids: Sequence[MarketId], timeout_s: float) -> list[BookSnapshot]:
        for market_id in market_ids:
            self._arrived.pop(market_id, None)
            self._wanted[market_id] = None
        self._bot.stage.wait(lambda arrived: self._begin(tuple(market_ids), arrived, seconds_ns(timeout_s)))
        for market_id in market_ids:
            self._wanted.pop(market_id, None)
        return [self._arrived.pop(market_id) for market_id in market_ids if market_id in self._arrived]

    def arrived(self, snapshot: BookSnapshot) -> None:
        super().arrived(snapshot)
        if self._waiting is not None and all(market_id in self._arrived for market_id in self._waiting[0]):
            self._bot.clock.call_after(0, self._over)

    def _begin(self, market_ids: tuple[MarketId, ...], arrived: Arrived, timeout_ns: int) -> None:
        waiting = self._waiting = (market_ids, arrived)
        clock = self._bot.clock
        clock.call_after(timeout_ns, lambda: self._over() if self._waiting is waiting else None)
        clock.call_after(int(self._bot.world.rng.random() * _IDLE_NS), self._ask_feeds)

    def _ask_feeds(self) -> None:
        for feed in self._bot.feeds:
            feed.tick()

    def _over(self) -> None:
        if self._waiting is not None:
            (_, arrived), self._waiting = self._waiting, None
            arrived(None)


class KalshiJudge(ContentJudge):
    def number_of(self, event: BookUpdate | BookSnapshot) -> int | None:
        """A snapshot's time is that of its sending, which may be later than what it shows."""
        return event.exchange_ms if isinstance(event, BookUpdate) else None

    def _holey(self) -> bool:
        """Its frames are numbered: what is lost is found out."""
        return False


class Kalshi(Native):
    venue = VENUE
    base = BASE
    missing = frozenset({"reverse_fill", "merge_late"})
    """Its executions are final when they are told, and its sets are netted."""
    levers: ClassVar = {"bare_ack": (0.02, 0.3, {"delay": "700ms"})}
    skews = (0, 0, -400 * MS, 250 * MS, 2 * SECOND)
    settlements = (0,)
    judge = KalshiJudge
    place = KalshiPlace
    stage = TurnStage

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._read = Lazy(self._orders_of)

    @staticmethod
    def setting(number: int, *, live: bool, patient: bool) -> Setting:
        return setting(number, live=live, patient=patient)

    # -- the bot's side

    def market_data(self, bot: Bot) -> Any:
        data = _data(bot.http, bot.clock, _Data)
        data.bot = bot
        data.capabilities = self.world.setting.capabilities
        return data

    def orders(self, bot: Bot) -> Any:
        orders = KalshiOrders(OPTIONS, signer(), bot.clock)
        orders._rest._sessions = Session(bot.http)  # type: ignore[assignment]
        lock: Callable[[], Any] = lambda: TurnLock(bot.stage)  # type: ignore[arg-type]  # noqa: E731
        orders.weather._asking = lock()
        orders._groups._lock = lock()
        orders.capabilities = self.world.setting.capabilities
        return orders

    # -- what a request says

    def reads(self, request: web.Request) -> bool:
        return request.method == "GET"

    def bodies(self, request: web.Request) -> tuple[wire.OrderBody, ...]:
        path = request.target.removeprefix(REST_PATH)
        if request.method != "POST" or path not in (ORDERS_PATH, BATCH_PATH):
            return ()
        found: tuple[wire.OrderBody, ...] = self._read[path, request.body]
        return found

    def about(self, request: web.Request) -> list[str]:
        if request.method in ("GET", "DELETE") and "/orders/" in request.target:
            place = self.world.venue
            assert isinstance(place, KalshiPlace)
            venue_id = request.target.partition("?")[0].rpartition("/")[2]
            order = place.home.by_wire_id.get(venue_id)
            return [] if order is None else [str(own_id(order.client_order_id))]
        return self.orders_in(request)

    # -- inside

    def _orders_of(self, key: tuple[str, bytes]) -> tuple[wire.OrderBody, ...]:
        path, body = key
        asked = [_ONE.decode(body)] if path == ORDERS_PATH else _MANY.decode(body).orders
        return tuple(map(self._said, asked))

    def _said(self, asked: CreateOrder) -> wire.OrderBody:
        """A bid is a purchase of YES as well as a sale of NO: it is read as what was committed, where it means that."""
        own = str(own_id(asked.client_order_id or ""))
        price = parse_price(asked.price)
        outcome, action = Outcome.YES, Action.BUY if asked.side == "bid" else Action.SELL
        row = self.world.disk.connection.execute(_MEANT, (own,)).fetchone()
        if row is not None:
            meant = Outcome(row[0]), Action(row[1])
            if book_side(*meant) == asked.side:
                outcome, action = meant
        shown = yes_leg(outcome, price)
        return wire.OrderBody(
            own,
            asked.ticker,
            outcome.value,
            action.value,
            text(shown),
            text(_shares(asked.count), 0),
            TIMES[asked.time_in_force].value,
        )


_MEANT = "SELECT outcome, action FROM order_intents WHERE client_order_id = ?"


def _shares(count: str) -> int:
    return int(Decimal(count) * 1_000_000)
