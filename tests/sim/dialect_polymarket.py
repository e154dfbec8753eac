"""A run in Polymarket's language: the real adapter on one side of the virtual wire, the real dialect on the other.

Every request is signed and verified as it would be, orders (EIP-712) and calls (HMAC) alike.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from actors.plan import make_plan
from actors.simulation import EPOCH_NS, SimClock
from adapters.catalog import iso_date
from adapters.http_calls import HttpAnswer
from adapters.polymarket.account import Account as TradingAccount
from adapters.polymarket.adapter import CAPABILITIES, PolymarketVenue
from adapters.polymarket.auth import api_key
from adapters.polymarket.catalog import VENUE
from adapters.polymarket.dialect import rows
from adapters.polymarket.dialect.exchange import PolymarketExchange
from adapters.polymarket.dialect.face import PolymarketFace
from adapters.polymarket.dialect.markets import LIFETIME_MS, Listed, Listings, _listed, _Plan
from adapters.polymarket.dialect.wallets import Wallet, Wallets, make_wallet
from adapters.polymarket.eip712 import SigningKey
from adapters.polymarket.heart import PERIOD_S, Heartbeat
from adapters.polymarket.holdings import Holdings
from adapters.polymarket.order_wire import CancelOne, PostOrder
from adapters.polymarket.rest import PolymarketRest
from adapters.polymarket.signing import BUY, SELL, OrderStruct, domain_for, order_id, salt_of
from adapters.polymarket.terms import TermsBook
from adapters.polymarket.trading import PolymarketOrders
from adapters.simulated import web, wire
from adapters.simulated.exchange import InProcessExchange, Setup
from adapters.simulated.orders import OrderRequest, Trade, VenueOrder
from models.clock import MS, SECOND, WallNs, seconds_ns
from models.config import canonical_json
from models.config_machine import VenueOptions, WalletType
from models.market import MarketId, Outcome
from models.money import MICRO, PriceMicros, text
from models.rows import config_used
from tests.sim.dialect_stage import TurnLock, TurnStage
from tests.sim.dialect_wire import CatalogWire, ContentJudge, Lazy, config_for
from tests.sim.setting import Setting, _sets
from tests.sim.tongue import Native
from tests.sim.venue import ACCOUNT, Venue
from tests.sim.wire import Reader, Session

if TYPE_CHECKING:
    from tests.sim.bot import Bot
    from tests.sim.world import World

BASE = "http://127.0.0.1:8801"
_CENT, _MIL = PriceMicros(10_000), PriceMicros(1_000)
_TIF = {"FAK": "IOC", "FOK": "FOK", "GTC": "GTC"}
_ONE = msgspec.json.Decoder(PostOrder)
_MANY = msgspec.json.Decoder(list[PostOrder])
_CANCEL = msgspec.json.Decoder(CancelOne)


@dataclass(frozen=True, slots=True)
class PolymarketSetting(Setting):
    listed: tuple[Listed, ...]
    wallet: WalletType


@cache
def wallet_of(form: WalletType) -> Wallet:
    """Keys that are worth nothing, the same in every run."""
    counter = iter(range(1_000))

    def entropy(size: int) -> bytes:
        return hashlib.shake_256(f"{form.value}/{next(counter)}".encode()).digest(size)

    return make_wallet(ACCOUNT, form, entropy)


@cache
def setting(number: int, *, live: bool, patient: bool) -> PolymarketSetting:
    """An event of two or three outcomes that exclude one another: within one market of this venue nothing is ever to be
    earned, because both its books are one.
    """
    rng = random.Random(f"polymarket/{number}")
    tick = rng.choice([_CENT, _CENT, _CENT, _MIL])
    fee = rng.choice([0, 0, 10_000, 40_000])
    delay_ms = rng.choice([0, 0, 0, 150])
    names = ("one", "two", "three")[: rng.choice([2, 3, 3])]
    plans = [
        _Plan(f"{number}-{name}", f"Will it be {name}?", tick, fee, f"Which {number}?", delay_ms) for name in names
    ]
    listed = tuple(_listed(plan, EPOCH_NS // MS + LIFETIME_MS) for plan in plans)
    resting = rng.random() < 0.25
    capabilities = replace(CAPABILITIES, ioc=not resting, fok=not resting, batch_max=rng.choice([1, 15]))
    markets = [one.market for one in listed]
    config = config_for(
        rng, str(VENUE), markets, least_size=5 if tick == _CENT else 10, live=live, patient=patient
    ).model_copy(update={"sets": _sets(rng, markets)})
    catalog = _data(CatalogWire(BASE, PolymarketFace(), _exchange(listed, Wallets([]), 0, 1, EPOCH_NS)), SimClock())
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
    return PolymarketSetting(read, plan, used, capabilities, listed, rng.choice(list(WalletType)))


# -- the venue


class _Exchange(PolymarketExchange):
    def _make_crowd(self) -> Any:
        """The run brings its own."""
        return None


def _exchange(listed: tuple[Listed, ...], wallets: Wallets, cash: int, seed: int, start: int) -> _Exchange:
    return _Exchange(Setup(seed=seed, start=start, rate=0, scripted=False), Listings(listed), wallets, cash)


class PolymarketPlace(Venue):
    pays = ("1", "0")
    """Outcomes of such an event are never half right (polymarket.md 2.6)."""
    names: dict[str, str]
    """The bot's own id of an order by the venue's, which is its digest."""

    def _make_exchange(self, seed: int, start: int, cash: int) -> InProcessExchange:
        assert isinstance(self.setting, PolymarketSetting)
        self.face = PolymarketFace()
        self.names = {}
        self.digests: dict[str, str] = {}
        self.wallet = replace(wallet_of(self.setting.wallet))
        self.home = _exchange(self.setting.listed, Wallets([self.wallet]), cash, seed, start)
        return self.home

    def revoke_key(self) -> None:
        self.wallet.api_secret = wallet_of(WalletType.EOA).passphrase + "AAAA"

    def restore_key(self) -> None:
        self.wallet.api_secret = wallet_of(self.wallet.wallet_type).api_secret

    def name(self, digest: str, own_id: str) -> None:
        self.names[digest] = own_id
        self.digests[own_id] = digest

    def own_id(self, order: VenueOrder) -> str:
        given = order.request.client_order_id
        return self.names.get(given, given)

    def order(self, client_order_id: str) -> VenueOrder | None:
        digest = self.digests.get(client_order_id, client_order_id)
        held = self.home.held.get((ACCOUNT, digest))
        if held is not None:  # it waits for its turn, and may take then
            return VenueOrder("", ACCOUNT, held.request, 0, 0)
        return self.engine.orders.get((ACCOUNT, digest))

    def trade_id(self, trade: Trade) -> str:
        return rows.trade_id(trade)

    def buys_by_hand(self, request: OrderRequest, now: int) -> None:
        digest = "0x" + hashlib.sha256(request.client_order_id.encode()).hexdigest()
        self.name(digest, request.client_order_id)
        super().buys_by_hand(replace(request, client_order_id=digest), now)


# -- the adapter


def _data(http: Any, clock: Any) -> PolymarketVenue:
    """Its constructor opens a session, which costs more than a start may."""
    data = PolymarketVenue.__new__(PolymarketVenue)
    data._ws_url, data._clock = "", clock
    data._http = Reader(http)  # type: ignore[assignment]
    data._rest = PolymarketRest(data._http, BASE, BASE)
    return data


class VirtualHeart(Heartbeat):
    """The real beats, by the virtual clock."""

    def __init__(self, post: Callable[[str, bytes], HttpAnswer], bot: Bot) -> None:
        super().__init__(post)
        self._bot = bot
        self._begun = False

    def start(self) -> None:
        if not self._begun:
            self._begun = True
            self._bot.clock.call_after(0, self._once)

    def _once(self) -> None:
        def done(_failure: Exception | None) -> None:
            self._bot.clock.call_after(seconds_ns(PERIOD_S), self._once)

        self._bot.stage.start(lambda: self.beat() and None, done)


class Polymarket(Native):
    venue = VENUE
    base = BASE
    missing = frozenset({"fee_drift", "gap", "reorder", "merge_late"})
    """Nothing is merged. Its executions name no fee, so that another than the catalog's can only be found in the end;
    and its frames have no number and come over one stream, in order.
    """
    levers: ClassVar = {
        "bare_ack": (0.02, 0.3, {"delay": "700ms"}),
        "edge_limited": (0.02, 0.2, {}),
        "too_early": (0.02, 0.2, {}),
        "retry_settlement": (0.05, 0.5, {}),
        "half": (0.01, 0.1, {}),
        "late_half": (0.02, 0.2, {"delay": "300ms"}),
        "empty": (0.02, 0.2, {}),
        "stale_book": (0.02, 0.3, {}),
        "bare_book": (0.02, 0.3, {}),
        "reversed_levels": (0.02, 0.3, {}),
    }
    settlements = (2 * SECOND, 2 * SECOND, 5 * SECOND)
    judge = ContentJudge
    place = PolymarketPlace
    stage = TurnStage

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._salts: dict[int, str] = {}
        self._read = Lazy(self._orders_of)

    @staticmethod
    def setting(number: int, *, live: bool, patient: bool) -> Setting:
        return setting(number, live=live, patient=patient)

    # -- the bot's side

    def market_data(self, bot: Bot) -> Any:
        data = _data(bot.http, bot.clock)
        data.capabilities = self.world.setting.capabilities  # type: ignore[misc]
        return data

    def orders(self, bot: Bot) -> Any:
        assert isinstance(self.world.setting, PolymarketSetting)
        wallet = wallet_of(self.world.setting.wallet)
        funder = None if wallet.wallet_type is WalletType.EOA else wallet.funder
        credentials = api_key(wallet.api_key, wallet.api_secret, wallet.passphrase)
        account = TradingAccount(SigningKey(wallet.private_key), wallet.wallet_type, funder, credentials)
        orders = PolymarketOrders(VenueOptions(rest_url=BASE), account, bot.clock)
        orders._public.close()
        reader: Any = Reader(bot.http)
        orders._public = reader
        rest = PolymarketRest(reader, BASE, BASE)
        orders._terms = TermsBook(rest.clob_market, lambda: iso_date(bot.clock.wall_ns()))
        orders._holdings = Holdings(reader, BASE, account.funder)
        orders.rest._sessions = Session(bot.http)  # type: ignore[assignment]
        orders.eligibility._asking = TurnLock(bot.stage)  # type: ignore[assignment]
        orders.heart = VirtualHeart(lambda path, body: orders.rest.call("POST", path, body), bot)
        orders.capabilities = self.world.setting.capabilities
        return orders

    # -- what a request says

    def reads(self, request: web.Request) -> bool:
        return request.method == "GET" or (request.method == "POST" and request.target == "/books")

    def bodies(self, request: web.Request) -> tuple[wire.OrderBody, ...]:
        if request.method != "POST" or request.target not in ("/order", "/orders"):
            return ()
        found: tuple[wire.OrderBody, ...] = self._read[request.target, request.body]
        return found

    def about(self, request: web.Request) -> list[str]:
        names = self.world.venue.names  # type: ignore[attr-defined]
        if request.method == "GET" and request.target.startswith("/data/order/"):
            return [names.get(request.target.removeprefix("/data/order/"), "")]
        if request.method == "DELETE" and request.target == "/order":
            return [names.get(_CANCEL.decode(request.body).order_id, "")]
        return self.orders_in(request)

    # -- inside

    def _orders_of(self, key: tuple[str, bytes]) -> tuple[wire.OrderBody, ...]:
        target, body = key
        return tuple(map(self._said, [_ONE.decode(body)] if target == "/order" else _MANY.decode(body)))

    def _said(self, payload: PostOrder) -> wire.OrderBody:
        order = payload.order
        place = self.world.venue
        assert isinstance(place, PolymarketPlace)
        buys = order.side == "BUY"
        maker, taker = int(order.maker_amount), int(order.taker_amount)
        dollars, shares = (maker, taker) if buys else (taker, maker)
        price, rest = divmod(dollars * MICRO, shares)
        listed, outcome = place.home.listed.by_token[order.token_id]
        struct = OrderStruct(
            salt=order.salt,
            maker=order.maker,
            signer=order.signer,
            token_id=int(order.token_id),
            maker_amount=maker,
            taker_amount=taker,
            side=BUY if buys else SELL,
            signature_type=order.signature_type,
            timestamp_ms=int(order.timestamp),
        )
        own_id = self._own(order.salt)
        place.name(order_id(struct.digest(domain_for(struct.token_id, neg_risk=listed.neg_risk))), own_id)
        return wire.OrderBody(
            own_id,
            str(MarketId(listed.condition_id)),
            Outcome(outcome).value,
            order.side,
            text(price) if rest == 0 else f"{dollars}/{shares}",
            text(shares, 0),
            _TIF[payload.order_type],
        )

    def _own(self, salt: int) -> str:
        """The ledger's order that this salt was made from."""
        if salt not in self._salts:
            rows_ = self.world.disk.connection.execute("SELECT client_order_id FROM order_intents").fetchall()
            self._salts = {salt_of(own_id): own_id for (own_id,) in rows_}
        return self._salts.get(salt, f"salt {salt}")
