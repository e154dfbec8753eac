"""`find QUERY`: markets of a venue's catalog as lines that can be pasted into the configuration's allow list."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any, Final

from adapters.clock import SystemClock
from adapters.ledger.places import CONFIG_DEFAULT
from adapters.registry import VENUES, venue_module
from adapters.settings import load_config
from adapters.venue import VenueReadError, VenueReadRefusedError
from models.config_machine import VenueOptions
from models.config_text import ConfigErrors
from models.exit_codes import EXIT_CONFIG, EXIT_OK, EXIT_UNREACHABLE
from models.market import Market
from models.money import text

SCHEMA_VERSION: Final = 1
REQUESTS_PER_SECOND: Final = 5
SIMULATED: Final = "simulated"
REAL: Final = [name for name in VENUES if name != SIMULATED]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("query", nargs="+", metavar="QUERY", help="words of the title, a market's address, or its id")
    parser.add_argument(
        "--venue", choices=list(VENUES), default=None, help=f"default: the configuration's, else {REAL[0]}"
    )
    parser.add_argument(
        "--config", type=Path, default=None, metavar="F", help=f"default {CONFIG_DEFAULT}, if there is one"
    )
    parser.add_argument("--json", action="store_true", help="one object on stdout")


def run(options: argparse.Namespace) -> int:
    """0 done (also with nothing found), 69 the venue cannot be read, 78 the configuration is wrong."""
    venue_options, venue = VenueOptions(), options.venue
    if options.config is not None or CONFIG_DEFAULT.exists():
        config = load_config(CONFIG_DEFAULT if options.config is None else options.config)
        if isinstance(config, ConfigErrors):
            print(config, file=sys.stderr)
            return EXIT_CONFIG
        venue = venue or config.venue
        venue_options = config.options(venue)
    venue = venue or REAL[0]
    catalog = venue_module(venue).make_market_data(venue_options, SystemClock(), REQUESTS_PER_SECOND)
    try:
        found = catalog.find(" ".join(options.query))
    except (VenueReadError, VenueReadRefusedError) as error:
        print(f"{venue} gave no answer: {error}", file=sys.stderr)
        if venue == SIMULATED:
            print("start it first:  python3 run.py simulate", file=sys.stderr)
        return EXIT_UNREACHABLE
    if options.json:
        print(json.dumps({"schema_version": SCHEMA_VERSION, "venue": venue, "markets": [_document(m) for m in found]}))
    else:
        print("\n".join(_entry(market) for market in found) if found else f"nothing found on {venue}")
    return EXIT_OK


def _entry(market: Market) -> str:
    """One line of `markets:` with what one wants to know before trading it."""
    fees = market.fees
    facts = [
        f"tick {' or '.join(text(step) for step in _ticks(market))}",
        f"lot {text(market.lot, 0)}",
        f"min {text(market.min_size, 0)}",
        f"fee rate {text(fees.rate_micros, 0)}" if fees.rate_micros else "no fees",
        "no end date" if market.closes_at_ms is None else f"ends {_instant(market.closes_at_ms)}",
    ]
    if market.event_id is not None:
        facts.append(f"{'exclusive ' if market.mutually_exclusive else ''}event {market.event_id}")
    return f'  - "{market.market_id}"  # {market.title} ({", ".join(facts)})'


def _ticks(market: Market) -> list[int]:
    """Finest first; a tapered grid has several, by price."""
    return sorted({band.step for band in market.price_bands})


def _document(market: Market) -> dict[str, Any]:
    return {
        "market_id": market.market_id,
        "title": market.title,
        "tick": text(_ticks(market)[0]),
        "price_bands": [
            {"from": text(band.start), "to": text(band.end), "tick": text(band.step)} for band in market.price_bands
        ],
        "lot": text(market.lot, 0),
        "min_size": text(market.min_size, 0),
        "fee_rate": text(market.fees.rate_micros, 0),
        "fee_exponent": market.fees.exponent,
        "closes_at": None if market.closes_at_ms is None else _instant(market.closes_at_ms),
        "event_id": market.event_id,
        "mutually_exclusive": market.mutually_exclusive,
        "book_model": market.book_model.value,
    }


def _instant(ms: int) -> str:
    return f"{dt.datetime.fromtimestamp(ms // 1000, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
