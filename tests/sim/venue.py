"""The simulated exchange in a run: its own clock, its crowd, its connections; the other side of every wire.

Also the oracle: nothing here ever believes the bot.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from actors.simulation import EPOCH_NS
from adapters.simulated import web, wire
from adapters.simulated.adapter import REST_URL
from adapters.simulated.engine import Rules
from adapters.simulated.exchange import InProcessExchange, Setup, Trader
from adapters.simulated.faults import Lever, LeverName, Levers
from adapters.simulated.orders import Trade
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


class _Fired(Counter[str]):
    """Tells whoever keeps the books about faults."""

    on_fire: Callable[[str], None]

    def __setitem__(self, name: str, value: int) -> None:
        super().__setitem__(name, value)
        self.on_fire(name)


class Venue:
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
        self._on_change = on_change
        trader = Trader(name=ACCOUNT, cash=cash, api_key=KEY, api_secret=SECRET)
        exchange = InProcessExchange(
            Setup(seed=seed, start=start, markets=0, rate=0, scripted=False, traders=(trader,))
        )
        self.exchange = exchange
        self.engine = exchange.engine
        self.engine.rules = rules
        exchange.markets = list(setting.markets)
        exchange._beat = beat_ns
        exchange._next_beat = start + beat_ns
        streams = exchange.streams
        for market in setting.markets:
            self.engine.list_market(market)
            streams.seqs[market.market_id] = streams._sent[market.market_id] = 0
        crowd = SmallCrowd(self.engine, setting.plan.sets, random.Random(f"{seed}/crowd"), start, pace)
        exchange.crowd = crowd  # type: ignore[assignment]
        self.crowd = crowd
        self.engine.drain()
        fired = _Fired()
        fired.on_fire = on_fault
        exchange.levers = Levers(random.Random(f"{seed}/levers"), fired)
        streams._levers = exchange.desk._levers = exchange.levers

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
        answer = web.answer(self.exchange, request, self.time(now))
        self.advance(now)
        return answer

    def open_stream(self, line: Line, headers: Any, *, private: bool, now: int) -> int | None:
        """A connection's number; None where the venue does not take it now."""
        self.advance(now)
        if self.exchange.unavailable:
            return None
        account = None
        if private:
            request = web.Request("GET", wire.USER_PATH, headers, b"")
            found = web.account_of(self.exchange, request, self.exchange.now)
            if isinstance(found, web.Answer):
                return None
            account = found
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

    def calm(self) -> None:
        """No lever fires any more. What has begun (a restart, a silence) runs its course."""
        self.exchange.levers._armed.clear()

    def drift_fees(self, market_id: MarketId, factor: float) -> None:
        """The venue charges something else than its catalog said (V05)."""
        listing = self.engine.listings[market_id]
        fees = listing.market.fees
        listing.market = replace(listing.market, fees=replace(fees, rate_micros=int(fees.rate_micros * factor)))

    # -- the truth

    @property
    def cash(self) -> int:
        return self.engine.accounts[ACCOUNT].cash

    @property
    def shares(self) -> dict[tuple[MarketId, Outcome], int]:
        return self.engine.accounts[ACCOUNT].shares

    def own_trades(self, since: int) -> list[Trade]:
        return self.engine.trades[since:]

    def order(self, client_order_id: str) -> Any:
        return self.engine.orders.get((ACCOUNT, client_order_id))
