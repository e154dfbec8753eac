"""`run.py simulate`: the exchange as a server on this machine, until it is told to stop.

Two lines on stdout, both JSON: where it listens, once it does; and its own truth at the end. Ends on SIGINT, SIGTERM or
SIGHUP, after `--for`, or with the process that started it (`--with-parent`).
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import json
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from adapters.simulated.adapter import REST_URL
from adapters.simulated.catalog import DEFAULT_MARKETS
from adapters.simulated.exchange import NO_PLAN, InProcessExchange, Setup, Trader
from adapters.simulated.faults import Plan, PlanError, duration_ns, read_plan
from adapters.simulated.load import LoadLoop
from adapters.simulated.server import SimulatedServer
from adapters.simulated.sockets import OUTBOX_BYTES
from adapters.simulated.truth import truth
from models.clock import MS, SECOND
from models.exit_codes import EXIT_CONFIG, EXIT_OK, EXIT_UNREACHABLE, EXIT_USAGE
from models.market import BookModel
from models.money import MICRO, text

DIALECTS: Final = {"polymarket": "adapters.polymarket.dialect", "kalshi": "adapters.kalshi.dialect"}
"""Other venues' protocols in front of this exchange: a module with `simulate(options, stop) -> exit code`."""

DEFAULT_PORT: Final = int(REST_URL.rpartition(":")[2])
DEFAULT_CASH: Final = 10_000
MARKETS_MAX: Final = 5_000
ACCOUNTS_MAX: Final = 1_000
RATE_MAX: Final = 1_000_000
CASH_MAX: Final = 1_000_000_000
MATCHED_MAX: Final = 5_000
"""Book changes per second that the engine is asked to match."""
LOAD_OUTBOX_BYTES: Final = 256 << 20
"""A load test is about a client that cannot keep up, so it may fall behind far before it is dropped."""
PR_SET_PDEATHSIG: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port", type=_between(0, 65_535), default=DEFAULT_PORT, help=f"default {DEFAULT_PORT}; 0 picks a free one"
    )
    parser.add_argument("--seed", type=int, default=1, help="of quotes, gaps and chances (default 1)")
    parser.add_argument(
        "--markets", type=_between(1, MARKETS_MAX), default=DEFAULT_MARKETS, metavar="N", help="how many (default 6)"
    )
    parser.add_argument(
        "--book-model",
        type=BookModel,
        choices=list(BookModel),
        default=BookModel.SEPARATE,
        help="of the binary markets (default separate); the three-outcome event is always unified",
    )
    parser.add_argument(
        "--rate",
        type=_between(1, RATE_MAX),
        default=50,
        metavar="N",
        help=f"book changes per second (default 50); above {MATCHED_MAX} needs --load",
    )
    parser.add_argument("--load", action="store_true", help="send a precomputed loop at --rate instead of trading")
    parser.add_argument("--faults", default=None, metavar="F", help="fault plan: a file, or demo or faults")
    parser.add_argument(
        "--cash", type=_between(0, CASH_MAX), default=DEFAULT_CASH, metavar="USD", help="of each account"
    )
    parser.add_argument(
        "--accounts", type=_between(1, ACCOUNTS_MAX), default=1, metavar="N", help="how many traders (default 1)"
    )
    parser.add_argument("--for", dest="for_ns", type=_duration, default=None, metavar="T", help="stop after 90s, 6h")
    parser.add_argument("--with-parent", action="store_true", help="end when the starting process does")
    parser.add_argument("--dialect", choices=("simulated", *DIALECTS), default="simulated", help="protocol to speak")
    parser.add_argument("--tape", default=None, metavar="F", help="play a recorded tape (dialect of its venue)")
    parser.add_argument("--speed", default="1", metavar="N", help="of the tape: a factor, or max")


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop. 0 done, 69 the port is taken, 78 the plan cannot be used."""
    stop = stop_event(with_parent=options.with_parent)
    if options.dialect != "simulated":
        dialect = importlib.import_module(DIALECTS[options.dialect])
        return int(dialect.simulate(options, stop))
    plan = fault_plan(options)
    if plan is None:
        return EXIT_CONFIG
    if options.tape is not None:
        sys.stderr.write("a tape is played in its venue's dialect; add --dialect polymarket\n")
        return EXIT_USAGE
    if options.rate > MATCHED_MAX and not options.load:
        sys.stderr.write(f"more than {MATCHED_MAX} changes per second are not matched live; add --load\n")
        return EXIT_USAGE
    exchange = InProcessExchange(setup_of(options, plan, time.time_ns()))
    try:
        server = SimulatedServer(exchange, options.port, LOAD_OUTBOX_BYTES if options.load else OUTBOX_BYTES)
    except OSError as error:
        sys.stderr.write(f"port {options.port}: {error.strerror}\n")
        return EXIT_UNREACHABLE
    load = LoadLoop(server.hub, exchange, options.rate) if options.load else None
    if load is not None:
        load.start()
    server.start()
    say(ready_line(server, exchange))
    stop.wait(None if options.for_ns is None else options.for_ns / SECOND)
    if load is not None:
        load.stop()
    server.stop()
    told = truth(exchange, None if options.for_ns is None else options.for_ns // MS)
    say(told if load is None else told | {"load": load.truth()})
    return EXIT_OK


class Server(Protocol):
    """Listens once it is made; answers between `start` and `stop`."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


S = TypeVar("S", bound=Server)


def serve(
    options: argparse.Namespace,
    stop: threading.Event,
    make: Callable[[], S],
    ready: Callable[[S], dict[str, object]],
    truth_of: Callable[[S], dict[str, object]],
) -> int:
    """A dialect's server from the port to the last line, until `stop`. 0 done, 69 the port is taken."""
    try:
        server = make()
    except OSError as error:
        sys.stderr.write(f"port {options.port}: {error.strerror}\n")
        return EXIT_UNREACHABLE
    server.start()
    say(ready(server))
    stop.wait(None if options.for_ns is None else options.for_ns / SECOND)
    server.stop()
    say(truth_of(server))
    return EXIT_OK


def fault_plan(options: argparse.Namespace) -> Plan | None:
    """What `--faults` names; None where it cannot be used, which has been said then."""
    try:
        return NO_PLAN if options.faults is None else read_plan(options.faults)
    except PlanError as error:
        sys.stderr.write(f"fault plan: {error}\n")
        return None


def setup_of(options: argparse.Namespace, plan: Plan, start: int) -> Setup:
    traders = tuple(
        Trader(
            name=f"trader-{index + 1}",
            cash=options.cash * MICRO,
            api_key=f"sim-key-{index + 1}",
            api_secret=os.urandom(24).hex(),
        )
        for index in range(options.accounts)
    )
    return Setup(
        seed=options.seed,
        start=start,
        markets=options.markets,
        book_model=options.book_model,
        rate=0 if options.load else options.rate,
        scripted=not options.load,
        traders=traders,
        plan=plan,
    )


def ready_line(server: SimulatedServer, exchange: InProcessExchange) -> dict[str, object]:
    return {
        "ready": True,
        "port": server.port,
        "rest_url": server.rest_url,
        "ws_url": server.ws_url,
        "user_ws_url": server.user_ws_url,
        "markets": [market.market_id for market in exchange.markets],
        "accounts": [
            {"name": t.name, "cash": text(t.cash), "api_key": t.api_key, "api_secret": t.api_secret}
            for t in exchange.setup.traders
        ],
        "seed": exchange.setup.seed,
        "plan": exchange.setup.plan.name,
    }


def say(document: dict[str, object]) -> None:
    """One line of JSON on stdout. A reader that has gone is no reason to fail."""
    try:
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def stop_event(*, with_parent: bool) -> threading.Event:
    """Set by SIGINT, SIGTERM, SIGHUP, and where asked by the end of the parent (its signal, or stdin's end)."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    if with_parent and stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=_watch_stdin, args=(stop.set,), name="stdin", daemon=True).start()
    elif with_parent and sys.platform.startswith("linux"):
        # Linux sends this when the thread that started us ends, so the pipe is the better sign where there is one.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return stop


def _watch_stdin(gone: Callable[[], None]) -> None:
    """Nobody writes to our stdin; it ends when the parent does."""
    while os.read(0, 4096):
        pass
    gone()


def _between(least: int, most: int) -> Callable[[str], int]:
    """The type of an option: a whole number with bounds."""

    def whole(words: str) -> int:
        if not words.isascii() or not words.isdigit() or not least <= int(words) <= most:
            raise argparse.ArgumentTypeError(f"{words!r} is no whole number from {least} to {most}")
        return int(words)

    return whole


def _duration(words: str) -> int:
    try:
        return duration_ns(words if not words.isdigit() else f"{words}s")
    except PlanError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
