"""The Kalshi dialect on a loopback port, with everything that a test wants to reach."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from adapters.clock import SystemClock
from adapters.kalshi.adapter import KalshiVenue, make_keyed_market_data
from adapters.kalshi.dialect import make_exchange, rest_url
from adapters.kalshi.dialect.exchange import KalshiExchange
from adapters.kalshi.dialect.face import KalshiFace
from adapters.kalshi.dialect.members import PRESTIGE, Member, make_member, write_key
from adapters.kalshi.trading import KalshiOrders, make_orders
from adapters.simulated.exchange import NO_PLAN, Setup
from adapters.simulated.faults import Plan
from adapters.simulated.server import SimulatedServer
from models.config_machine import VenueOptions
from models.market import MarketId
from models.money import MICRO

MARKETS = 9
CASH = 10_000 * MICRO


def entropy(seed: int) -> Callable[[int], bytes]:
    return Random(seed).randbytes


@dataclass
class KalshiStage:
    exchange: KalshiExchange
    server: SimulatedServer
    members: list[Member]
    options: VenueOptions
    path: Path
    clock: SystemClock

    @property
    def member(self) -> Member:
        """Whose keys the bot has."""
        return self.members[0]

    @property
    def secrets(self) -> dict[str, str]:
        return self.secrets_of(self.member)

    def secrets_of(self, member: Member) -> dict[str, str]:
        return {"KEY_ID": member.key.key_id, "PRIVATE_KEY_PATH": str(write_key(member.key, self.path))}

    def venue(self) -> KalshiVenue:
        return make_keyed_market_data(self.options, self.secrets, self.clock, 1_000)

    def orders(self, number: int = 0) -> KalshiOrders:
        """The private side of a member, the bot's own if no other is named."""
        return make_orders(self.options, self.secrets_of(self.members[number]), self.clock)

    @property
    def tickers(self) -> list[str]:
        return [one.ticker for one in self.exchange.listings.all]


def take_all_off(exchange: KalshiExchange, ticker: str, now: int) -> None:
    """Nobody quotes the market any more."""
    listing = exchange.engine.listings[MarketId(ticker)]
    for order in list(listing.resting()):
        exchange.engine.end(listing, order, "cancelled", now)
    exchange.engine.flush(listing)
    exchange.announce_all(now)


@contextmanager
def kalshi_stage(
    tmp_path: Path,
    *,
    rate: int = 50,
    seed: int = 3,
    scripted: bool = True,
    plan: Plan = NO_PLAN,
    cash: int = CASH,
    funded: tuple[int, ...] | None = None,
    empty: str = "",
) -> Iterator[KalshiStage]:
    """`cash` of each member on every shard, or on the `funded` ones only; `empty` is a market that nobody quotes."""
    members = [make_member(f"trader-{number}", entropy(number)) for number in (1, 2)]
    for each in members:
        each.tier = PRESTIGE
    setup = Setup(seed=seed, start=time.time_ns(), rate=rate, scripted=scripted, plan=plan)
    exchange = make_exchange(setup, MARKETS, members, cash, funded)
    if empty:
        take_all_off(exchange, empty, setup.start)
        exchange.advance(setup.start)
    server = SimulatedServer(exchange, face=KalshiFace())
    server.start()
    try:
        options = VenueOptions(rest_url=rest_url(server), ws_url=server.ws_url, user_ws_url=server.user_ws_url)
        yield KalshiStage(exchange, server, members, options, tmp_path, SystemClock())
    finally:
        server.stop()
