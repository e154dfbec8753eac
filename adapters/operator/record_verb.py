"""`record FILE`: a venue's market data as it comes, to a tape. Decides nothing; some streams want a key to listen."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from adapters.chance import fresh_rng
from adapters.clock import SystemClock
from adapters.feed import FeedSession, FeedState, FeedThread
from adapters.ledger.places import CONFIG_DEFAULT
from adapters.operator.places import DOTENV
from adapters.operator.signals import StopRequest
from adapters.registry import VENUES, make_market_data, venue_module
from adapters.settings import load_config, load_secrets
from adapters.tape import TapeHeader
from adapters.tape_writer import TapeWriter
from adapters.venue import MarketData, MissingKeysError, VenueReadError, VenueReadRefusedError
from models.clock import SECOND, WallNs
from models.config import Config
from models.config_text import ConfigErrors
from models.exit_codes import EXIT_CONFIG, EXIT_OK, EXIT_UNEXPECTED, EXIT_UNREACHABLE, EXIT_USAGE
from models.market import Market, VenueName

TAPE_VERSION: Final = 1
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(s|m|h|d)?\Z")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="must not exist yet; `.tape.jsonl.gz` by custom")
    parser.add_argument("--config", type=Path, default=CONFIG_DEFAULT, metavar="F", help="its venue and allow list")
    parser.add_argument(
        "--for", dest="for_s", type=_seconds, default=None, metavar="T", help="90s, 30m, 6h; else Ctrl-C"
    )


def _seconds(words: str) -> float:
    matched = _DURATION.match(words)
    if matched is None:
        raise argparse.ArgumentTypeError(f"{words!r} is not a duration; write 90s, 30m or 6h")
    return float(matched[1]) * _UNITS[matched[2] or "s"]


def run(options: argparse.Namespace) -> int:
    """0 recorded, 1 something was left out, 2 the file exists, 69 the venue cannot be reached, 78 configuration."""
    config = load_config(options.config, tuple(VENUES))
    if isinstance(config, ConfigErrors):
        print("\n".join(config.lines()), file=sys.stderr)
        return EXIT_CONFIG
    clock, stop = SystemClock(), StopRequest()
    name = VenueName(config.venue)
    module = venue_module(name)
    secrets = load_secrets(os.environ, DOTENV)
    if isinstance(secrets, ConfigErrors):
        print("\n".join(secrets.lines()), file=sys.stderr)
        return EXIT_CONFIG
    budget = config.runtime.rate_budget_per_second
    try:
        venue = make_market_data(name, config.options(name), secrets.of(name), clock, budget)
    except MissingKeysError as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIG
    try:
        markets = venue.markets([m for m, of in config.market_venues().items() if of == name])
    except (VenueReadError, VenueReadRefusedError) as error:
        print(f"{name} gave no answer: {error}", file=sys.stderr)
        return EXIT_UNREACHABLE
    header = TapeHeader(tape=TAPE_VERSION, venue=name, markets=[module.tape_entry(market) for market in markets])
    try:
        tape = TapeWriter(options.file, header)
    except OSError as error:
        print(f"{options.file}: {error.strerror}", file=sys.stderr)
        return EXIT_USAGE
    stop.install()
    _record(config, venue, markets, tape, clock, stop, options.for_s)
    print(f"{options.file}: {tape.written} events, {tape.dropped} left out{'; ' + tape.failed if tape.failed else ''}")
    return EXIT_UNEXPECTED if tape.failed or tape.dropped else EXIT_OK


def _record(
    config: Config,
    venue: MarketData,
    markets: Sequence[Market],
    tape: TapeWriter,
    clock: SystemClock,
    stop: StopRequest,
    for_s: float | None,
) -> None:
    tape.start()
    clock.start()
    size = venue.capabilities.markets_per_connection or max(1, len(markets))
    feeds = [
        _Recording(config, venue, markets[start : start + size], tape, clock).feed
        for start in range(0, len(markets), size)
    ]
    for feed in feeds:
        feed.start()
    if for_s is not None:
        clock.call_after(int(for_s * SECOND), lambda: stop.request("the time is over"))
    while not stop.requested:
        stop.wait(1.0)
    for feed in feeds:
        feed.stop()
    clock.stop()
    tape.stop()


class _Recording:
    """One connection's way onto the tape: each (re)connection is a number of its own."""

    def __init__(
        self, config: Config, venue: MarketData, markets: Sequence[Market], tape: TapeWriter, clock: SystemClock
    ) -> None:
        self._venue = venue
        self._markets = markets
        self._tape = tape
        self._clock = clock
        self._connection: int | None = None
        self.feed = FeedThread(
            name="record",
            url_provider=lambda: venue.connect_ws().url,
            headers_provider=lambda: venue.connect_ws().headers,
            session_factory=self._session,
            deliver=lambda _events: None,
            on_state=self._state,
            clock=clock,
            rng=fresh_rng(),
            on_raw=self._frame,
        )
        assert config.venue == venue.name

    def _session(self, generation: int) -> FeedSession:
        return self._venue.subscribe_markets(self._markets, generation, self._clock)

    def _state(self, state: FeedState) -> None:
        if state.kind == "live":
            self._connection = self._tape.opened(self._clock.wall_ns(), self._markets)
        elif self._connection is not None:
            self._tape.closed(self._connection, self._clock.wall_ns())
            self._connection = None
        if state.kind == "down":
            print(f"connection down: {state.reason}", file=sys.stderr)

    def _frame(self, frame: bytes, at: WallNs) -> None:
        if self._connection is not None:
            self._tape.frame(self._connection, frame, at)
