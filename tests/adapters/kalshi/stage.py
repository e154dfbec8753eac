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
from models.money import MICRO

MARKETS = 9
CASH = 10_000 * MICRO


def entropy(seed: int) -> Callable[[int], bytes]:
    return Random(seed).randbytes


@dataclass
class KalshiStage:
    exchange: KalshiExchange
    server: SimulatedServer
    member: Member
    options: VenueOptions
    secrets: dict[str, str]
    clock: SystemClock

    def venue(self) -> KalshiVenue:
        return make_keyed_market_data(self.options, self.secrets, self.clock, 1_000)

    def orders(self) -> KalshiOrders:
        return make_orders(self.options, self.secrets, self.clock)

    @property
    def tickers(self) -> list[str]:
        return [one.ticker for one in self.exchange.listings.all]


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
) -> Iterator[KalshiStage]:
    """`cash` of each member on every shard, or on the `funded` ones only."""
    members = [make_member(f"trader-{number}", entropy(number)) for number in (1, 2)]
    for each in members:
        each.tier = PRESTIGE
    setup = Setup(seed=seed, start=time.time_ns(), rate=rate, scripted=scripted, plan=plan)
    exchange = make_exchange(setup, MARKETS, members, cash, funded)
    server = SimulatedServer(exchange, face=KalshiFace())
    server.start()
    try:
        options = VenueOptions(rest_url=rest_url(server), ws_url=server.ws_url, user_ws_url=server.user_ws_url)
        secrets = {"KEY_ID": members[0].key.key_id, "PRIVATE_KEY_PATH": str(write_key(members[0].key, tmp_path))}
        yield KalshiStage(exchange, server, members[0], options, secrets, SystemClock())
    finally:
        server.stop()
