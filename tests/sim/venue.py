"""The simulated exchange in a run: its own clock, its crowd, its connections; the other side of every wire.

Also the oracle: nothing here ever believes the bot.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from actors.simulation import EPOCH_NS
from adapters.simulated import web
from adapters.simulated.accounts import Account
from adapters.simulated.adapter import REST_URL
from adapters.simulated.engine import Rules
from adapters.simulated.exchange import InProcessExchange, Setup, Trader
from adapters.simulated.faults import Lever, LeverName, Levers
from adapters.simulated.orders import OrderRequest, Party, Trade, VenueOrder
from adapters.simulated.streams import Close, Freeze, Send
from models.market import MarketId, Outcome
from tests.sim.crowd import Pace, SmallCrowd
from tests.sim.setting import Setting

ACCOUNT = "bot"
KEY, SECRET = "key", "secret"  # nothing real
BASE = REST_URL


class Line(Protocol):
    """The bot's end of one stream connection, as the venue's frames reach it."""

    def frame(self, data: bytes) -> None: ...

    def closed(self, code: int) -> None: ...

    def frozen(self, part: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Execution:
    """The bot's side of one trade."""

    trade_id: str
    own_id: str
    trade: Trade
    party: Party


class _Fired(Counter[str]):
    """Tells whoever keeps the books about faults."""

    on_fire: Callable[[str], None]

    def __setitem__(self, name: str, value: int) -> None:
        super().__setitem__(name, value)
        self.on_fire(name)


class Venue:
    """In the exchange's own dialect; `dialect_*` have those of real venues."""

    face: web.Face = web.NativeFace()
    pays = ("1", "0", "0.50")
    """What a share of YES may be worth in the end."""

    def __init__(
        self,
        seed: int,
        setting: Setting,
        *,
        cash: int,
        rules: Rules,
        pace: Pace,
        skew_ns: int,
        beat_ns: int,
        on_fault: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        """`on_change` is called after anything that may have moved money or orders."""
        start = EPOCH_NS + skew_ns
        self.opening_cash = cash
        self.skew_ns = skew_ns
        self.next_at = 0
        """Virtual time of the next thing that happens here."""
        self.lines: dict[int, Line] = {}
        self.setting = setting
        self._on_change = on_change
        exchange = self.exchange = self._make_exchange(seed, start, cash)
        self.engine = exchange.engine
        self.engine.rules = rules
        exchange._beat = beat_ns
        exchange._next_beat = start + beat_ns
        rng = random.Random(f"{seed}/crowd")
        self.crowd = SmallCrowd(self.engine, setting.plan.sets, rng, start, pace)
        exchange.crowd = self.crowd  # type: ignore[assignment]
        self.engine.drain()
        fired = _Fired()
        fired.on_fire = on_fault
        exchange.levers = Levers(random.Random(f"{seed}/levers"), fired)
        exchange.streams._levers = exchange.desk._levers = exchange.levers

    def _make_exchange(self, seed: int, start: int, cash: int) -> InProcessExchange:
        """With the setting's markets and the bot's account, and without a crowd."""
        trader = Trader(name=ACCOUNT, cash=cash, api_key=KEY, api_secret=SECRET)
        exchange = InProcessExchange(
            Setup(seed=seed, start=start, markets=0, rate=0, scripted=False, traders=(trader,))
        )
        exchange.markets = list(self.setting.markets)
        streams = exchange.streams
        for market in self.setting.markets:
            exchange.engine.list_market(market)
            streams.seqs[market.market_id] = streams._sent[market.market_id] = 0
        return exchange

    # -- time

    def time(self, now: int) -> int:
        """The exchange's clock at virtual time `now`."""
        return EPOCH_NS + self.skew_ns + now

    def advance(self, now: int) -> None:
        at = self.time(now)
        effects = self.exchange.advance(at)
        self.next_at = self.exchange.next_due() - EPOCH_NS - self.skew_ns
        lines = self.lines
        for effect in effects:
            line = lines.get(effect.connection)
            if line is None:
                continue
            match effect:
                case Send(_, data):
                    line.frame(data)
                case Close(connection, code):
                    del lines[connection]
                    line.closed(code)
                case Freeze(_, part):
                    line.frozen(part)
        self._on_change()

    # -- what the bot's bytes do when they arrive

    def answer(self, request: web.Request, now: int) -> web.Answer:
        self.advance(now)
        answer = self.face.answer(self.exchange, request, self.time(now))
        self.advance(now)
        return answer

    def open_stream(self, line: Line, headers: Any, *, private: bool, now: int) -> int | None:
        """A connection's number; None where the venue does not take it now."""
        self.advance(now)
        if self.exchange.unavailable:
            return None
        path = self.face.user_path if private else self.face.market_path
        account = self.face.stream_account(self.exchange, web.Request("GET", path, headers, b""), self.exchange.now)
        if isinstance(account, web.Answer):
            return None
        connection = self.exchange.streams.open(account)
        self.lines[connection] = line
        return connection

    def hear(self, connection: int, text: str, now: int) -> None:
        self.advance(now)
        self.exchange.streams.receive(connection, text, self.exchange.now)
        self.advance(now)

    def leave(self, connection: int) -> None:
        self.lines.pop(connection, None)
        self.exchange.streams.forget(connection)

    # -- what goes wrong here

    def pull(self, now: int, lever: str, **more: Any) -> None:
        """Put one lever in, now."""
        self.exchange.pull(Lever(lever=LeverName(lever), **more), self.time(now))
        self.next_at = min(self.next_at, now)

    @contextmanager
    def without(self, *names: str) -> Iterator[None]:
        """These levers do not fire meanwhile."""
        levers = self.exchange.levers
        whole, levers._armed = levers._armed, [a for a in levers._armed if a.lever.lever.value not in names]
        try:
            yield
        finally:
            levers._armed = whole

    def calm(self) -> None:
        """No lever fires any more. What has begun (a restart, a silence) runs its course."""
        self.exchange.levers._armed.clear()

    def drift_fees(self, market_id: MarketId, factor: float) -> None:
        """The venue charges something else than its catalog said (V05)."""
        listing = self.engine.listings[market_id]
        fees = next(market.fees for market in self.setting.markets if market.market_id == market_id)
        listing.market = replace(listing.market, fees=replace(fees, rate_micros=int(fees.rate_micros * factor)))

    def take_cash(self, leave: int) -> Callable[[], None] | None:
        """The operator takes money out, all but `leave`; returns how it comes back."""
        account = self.accounts[0]
        amount = account.free_cash - leave
        if amount <= 0:
            return None
        account.reserved_cash += amount

        def give_back() -> None:
            account.reserved_cash -= amount

        return give_back

    def revoke_key(self) -> None:
        self.engine.accounts[ACCOUNT].api_secret = "another"

    def restore_key(self) -> None:
        self.engine.accounts[ACCOUNT].api_secret = SECRET

    def buys_by_hand(self, request: OrderRequest, now: int) -> None:
        """The operator's own order, made on the web page."""
        self.exchange.submit(self.account_of(request.market_id), request, self.time(now))

    # -- the truth

    @property
    def accounts(self) -> list[Account]:
        """Where the bot's money and shares lie."""
        return [self.engine.accounts[ACCOUNT]]

    def account_of(self, market_id: MarketId) -> str:
        return ACCOUNT

    @property
    def cash(self) -> int:
        return sum(account.cash for account in self.accounts)

    @property
    def shares(self) -> dict[tuple[MarketId, Outcome], int]:
        return {holding: size for account in self.accounts for holding, size in account.shares.items()}

    def order(self, client_order_id: str) -> VenueOrder | None:
        """By the bot's own name of it."""
        return self.engine.orders.get((ACCOUNT, client_order_id))

    def own_orders(self) -> Iterator[tuple[str, VenueOrder]]:
        """Every order of the account, by the bot's own name of it."""
        names = {account.name for account in self.accounts}
        for (account, _), order in self.engine.orders.items():
            if account in names:
                yield self.own_id(order), order

    def own_id(self, order: VenueOrder) -> str:
        return order.request.client_order_id

    def trade_id(self, trade: Trade) -> str:
        """As the venue tells it."""
        return trade.trade_id

    def executions(self) -> Iterator[Execution]:
        """Of the account, oldest first."""
        names = {account.name for account in self.accounts}
        for trade in self.engine.trades:
            for party in trade.parties:
                if party.order.account in names:
                    yield Execution(self.trade_id(trade), self.own_id(party.order), trade, party)
