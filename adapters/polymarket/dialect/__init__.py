"""`simulate --dialect polymarket`: the simulated exchange as a Polymarket, or with `--tape F` a recording of the real
one. Clients of the venue find its REST interface, both its channels, its signatures and its sentences on this machine.

One JSON line on stdout says where it listens and with which keys, one at the end what really happened.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from typing import Any, Final

import msgspec

from adapters.polymarket.catalog import VENUE
from adapters.polymarket.dialect.exchange import PolymarketExchange
from adapters.polymarket.dialect.face import PolymarketFace
from adapters.polymarket.dialect.markets import DEFAULT_COUNT, market_list
from adapters.polymarket.dialect.tape_cli import play
from adapters.polymarket.dialect.wallets import Wallets, make_wallet
from adapters.simulated.catalog import DEFAULT_MARKETS
from adapters.simulated.cli import fault_plan, serve
from adapters.simulated.exchange import NO_PLAN, Setup
from adapters.simulated.faults import Plan, duration_ns
from adapters.simulated.server import SimulatedServer
from adapters.simulated.truth import truth
from models.clock import MS
from models.config_machine import WalletType
from models.exit_codes import EXIT_CONFIG
from models.money import MICRO, text

SETTLEMENT: Final = "2s"
"""From match to confirmation where the plan says nothing; the chain itself takes longer."""


def simulate(options: argparse.Namespace, stop: threading.Event) -> int:
    """Serve until `stop`. 0 done, 2 no such tape, 69 the port is taken, 78 a plan or tape that cannot be used."""
    if options.tape is not None:
        return play(options, stop)
    plan = fault_plan(options)
    if plan is None:
        return EXIT_CONFIG
    count = DEFAULT_COUNT if options.markets == DEFAULT_MARKETS else options.markets
    wallets = Wallets([make_wallet(f"trader-{n + 1}", WalletType.EOA, os.urandom) for n in range(options.accounts)])
    exchange = make_exchange(
        wallets, plan=plan, seed=options.seed, start=time.time_ns(), markets=count, rate=options.rate, cash=options.cash
    )
    return serve(
        options,
        stop,
        lambda: SimulatedServer(exchange, options.port, face=PolymarketFace()),
        lambda server: ready_line(server, exchange),
        lambda _: truth(exchange, None if options.for_ns is None else options.for_ns // MS) | {"dialect": VENUE},
    )


def make_exchange(
    wallets: Wallets,
    *,
    start: int,
    plan: Plan = NO_PLAN,
    seed: int = 1,
    markets: int = DEFAULT_COUNT,
    rate: int = 50,
    cash: int = 10_000,
    scripted: bool = True,
) -> PolymarketExchange:
    """`start` in ns since 1970 UTC, `cash` in dollars per wallet. The same arguments give the same exchange."""
    if duration_ns(plan.rules.settlement) == 0:  # trades of this venue are never final at once
        plan = msgspec.structs.replace(plan, rules=msgspec.structs.replace(plan.rules, settlement=SETTLEMENT))
    setup = Setup(seed=seed, start=start, rate=rate, scripted=scripted, plan=plan)
    return PolymarketExchange(setup, market_list(markets, start), wallets, cash * MICRO)


def ready_line(server: SimulatedServer, exchange: PolymarketExchange) -> dict[str, Any]:
    return {
        "ready": True,
        "dialect": VENUE,
        "port": server.port,
        "rest_url": server.rest_url,
        "ws_url": server.ws_url,
        "user_ws_url": server.user_ws_url,
        "markets": [
            {
                "market_id": one.condition_id,
                "title": one.market.title,
                "tokens": list(one.tokens),
                "tick": text(one.tick),
                "neg_risk": one.neg_risk,
                "event_id": one.market.event_id,
            }
            for one in exchange.listed.all
        ],
        "accounts": [
            {"name": wallet.account, "cash": text(exchange.engine.accounts[wallet.account].cash), **wallet.shown()}
            for wallet in exchange.wallets.all
        ],
        "seed": exchange.setup.seed,
        "plan": exchange.setup.plan.name,
    }
