"""`simulate --dialect polymarket --tape F`: recorded frames through a real socket to whoever speaks the protocol.

JSON lines on stdout: where it listens, the end of the tape, and at the end its own truth.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path
from typing import Final

from adapters.catalog import iso_date
from adapters.polymarket.catalog import VENUE
from adapters.polymarket.dialect.tape_server import TapeServer
from adapters.polymarket.dialect.tape_venue import TapeVenue
from adapters.replay import parse_speed
from adapters.simulated.cli import say, serve
from adapters.tape import Tape, TapeError
from models.exit_codes import EXIT_CONFIG, EXIT_USAGE

SCHEMA_VERSION: Final = 1


def play(options: argparse.Namespace, stop: threading.Event) -> int:
    """Serve until `stop`. 0 done, 2 no such tape or speed, 69 the port is taken, 78 the tape cannot be played."""
    try:
        speed = parse_speed(options.speed)
    except ValueError as error:
        sys.stderr.write(f"--speed: {error}\n")
        return EXIT_USAGE
    try:
        with Tape(Path(options.tape)) as tape:
            return _serve(tape, speed, options, stop)
    except (TapeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    except OSError as error:
        sys.stderr.write(f"{options.tape}: {error.strerror}\n")
        return EXIT_USAGE


def _serve(tape: Tape, speed: float | None, options: argparse.Namespace, stop: threading.Event) -> int:
    if tape.header.venue != VENUE:
        raise TapeError(f"{tape.path.name} is a tape of {tape.header.venue}, not of {VENUE}")
    venue = TapeVenue(tape.header, iso_date(0))
    return serve(
        options,
        stop,
        lambda: TapeServer(venue, tape.lines(), speed, options.port, say),
        lambda server: {
            "ready": True,
            "port": server.port,
            "rest_url": server.rest_url,
            "ws_url": server.ws_url,
            "user_ws_url": None,
            "markets": [market.market_id for market in venue.markets],
            "accounts": [],
            "dialect": VENUE,
            "tape": tape.path.name,
        },
        lambda server: {
            "schema_version": SCHEMA_VERSION,
            "dialect": VENUE,
            "tape": tape.path.name,
            "cut": tape.cut,
            "frames": server.frames,
            "ended": server.ended,
            "markets": venue.best_prices(),
            "accounts": [],
        },
    )
