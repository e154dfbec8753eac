"""`simulate --dialect kalshi`: Kalshi's protocol in front of the simulated exchange, on this machine only.

JSON lines on stdout: where it listens and whose keys open it, and at the end its own truth. Each member's key is made
here, put into a directory that only this user can read, and taken away at the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from adapters.kalshi.catalog import VENUE
from adapters.kalshi.dialect.exchange import KalshiExchange, setup_for
from adapters.kalshi.dialect.face import BASE, KalshiFace
from adapters.kalshi.dialect.markets import DEFAULT_COUNT, Listings, listed_markets
from adapters.kalshi.dialect.members import (
    READ_ONLY,
    ApiKey,
    Member,
    Members,
    ed25519_key,
    make_member,
    rsa_key,
    write_key,
)
from adapters.kalshi.dialect.truth import member_truth
from adapters.simulated.catalog import DEFAULT_MARKETS
from adapters.simulated.cli import fault_plan, serve
from adapters.simulated.exchange import Setup
from adapters.simulated.faults import Plan
from adapters.simulated.server import SimulatedServer
from models.clock import MS
from models.exit_codes import EXIT_CONFIG, EXIT_USAGE
from models.money import MICRO, text


def simulate(options: argparse.Namespace, stop: threading.Event) -> int:
    """Serve until `stop`. 0 done, 2 what this dialect does not do, 69 the port is taken, 78 the plan cannot be used."""
    if options.tape is not None or options.load:
        sys.stderr.write("simulate --dialect kalshi trades; `replay` plays a recording of this venue\n")
        return EXIT_USAGE
    plan = fault_plan(options)
    if plan is None:
        return EXIT_CONFIG
    with tempfile.TemporaryDirectory(prefix="dutchbook-kalshi-") as directory:
        return _serve(options, plan, Path(directory), stop)


def _serve(options: argparse.Namespace, plan: Plan, directory: Path, stop: threading.Event) -> int:
    members = [make_member(f"trader-{index + 1}", os.urandom) for index in range(options.accounts)]
    for member in members:
        member.keys += [rsa_key(os.urandom), ed25519_key(os.urandom, READ_ONLY)]
    count = DEFAULT_COUNT if options.markets == DEFAULT_MARKETS else options.markets
    setup = Setup(seed=options.seed, start=time.time_ns(), rate=options.rate, plan=plan)
    exchange = make_exchange(setup, count, members, options.cash * MICRO)
    return serve(
        options,
        stop,
        lambda: SimulatedServer(exchange, options.port, face=KalshiFace()),
        lambda server: ready_line(server, exchange, directory),
        lambda _: member_truth(exchange, None if options.for_ns is None else options.for_ns // MS),
    )


def make_exchange(
    setup: Setup, count: int, members: list[Member], cash: int, funded: Sequence[int] | None = None
) -> KalshiExchange:
    """With the first `count` markets, and `cash` (micro-dollars) of every member on every shard, or on those `funded`
    only.
    """
    listings = Listings(listed_markets(count, setup.start))
    accounts = {
        member.account(shard): cash if funded is None or shard in funded else 0
        for member in members
        for shard in listings.shards
    }
    return KalshiExchange(setup_for(setup, listings, accounts), listings, Members(members))


def rest_url(server: SimulatedServer) -> str:
    return f"{server.rest_url}{BASE}"


def ready_line(server: SimulatedServer, exchange: KalshiExchange, directory: Path) -> dict[str, object]:
    return {
        "ready": True,
        "port": server.port,
        "rest_url": rest_url(server),
        "ws_url": server.ws_url,
        "user_ws_url": server.user_ws_url,
        "markets": [one.ticker for one in exchange.listings.all],
        "events": {event: [one.ticker for one in of] for event, of in exchange.listings.by_event.items()},
        "accounts": [
            {
                "name": member.name,
                "cash": text(sum(exchange.holdings(member.account(s)).cash for s in exchange.listings.shards)),
                **_key_row(member.key, directory),
                "keys": [
                    {"kind": key.kind, "scopes": sorted(key.scopes), **_key_row(key, directory)} for key in member.keys
                ],
            }
            for member in exchange.members.all
        ],
        "dialect": VENUE,
        "seed": exchange.setup.seed,
        "plan": exchange.setup.plan.name,
    }


def _key_row(key: ApiKey, directory: Path) -> dict[str, str]:
    return {"key_id": key.key_id, "private_key_path": str(write_key(key, directory))}
