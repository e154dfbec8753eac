"""`doctor`: would this bot be able to trade, and what is in the way. Looks at everything, trades nothing.

Configuration, state directory, secrets' file, ledger; then per venue the keys, a test signature, the clock, the place,
the account, its funds and approvals. One line each with ✓ or ✗, and a remedy below every ✗. No secret is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from adapters.clock import SystemClock
from adapters.ledger.connection import open_reader
from adapters.ledger.errors import LedgerError
from adapters.ledger.places import CONFIG_DEFAULT
from adapters.ledger.verify import verify_chain
from adapters.operator.places import DOTENV
from adapters.operator.printing import print_lines
from adapters.redaction import Redactor
from adapters.registry import CHECKS, account_checks, make_market_data, wants_key
from adapters.settings import Secrets, load_config, load_secrets
from adapters.venue import MissingKeysError, VenueReadError, VenueReadRefusedError
from models.checkup import Check, Grade, failed, fine, skipped, unreachable, wrong
from models.config import Config
from models.config_text import ConfigErrors
from models.config_trading import Mode
from models.exit_codes import EXIT_CONFIG, EXIT_OK, EXIT_UNREACHABLE
from models.market import VenueName

SCHEMA_VERSION: Final = 1
REQUESTS_PER_SECOND: Final = 5

_SIGNS: Final = {Grade.FINE: "✓", Grade.WRONG: "✗", Grade.UNREACHABLE: "✗", Grade.SKIPPED: "-"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=CONFIG_DEFAULT, metavar="F", help="default: config.yaml")
    parser.add_argument("--offline", action="store_true", help="ask no venue")
    parser.add_argument("--json", action="store_true", help="one object on stdout")


def run(options: argparse.Namespace) -> int:
    """0 all fine, 78 something has to be changed, 69 a venue could not be asked and nothing else is wrong."""
    secrets = load_secrets(os.environ, DOTENV)
    redact = Redactor(secrets.texts() if isinstance(secrets, Secrets) else ())
    told: list[tuple[str, Check]] = []
    for about, check in _all(options, secrets):
        told.append((about, check))
        if not options.json:
            _tell(about, check, redact)
    bad = failed(check for _, check in told)
    code = EXIT_OK
    if bad:
        code = EXIT_CONFIG if any(check.grade is Grade.WRONG for check in bad) else EXIT_UNREACHABLE
    if options.json:
        print(redact.redact(json.dumps(_document(told, code))))
    else:
        print(
            "all fine" if not bad else f"{len(bad)} to put right" if code == EXIT_CONFIG else "a venue is out of reach"
        )
    return code


def _all(options: argparse.Namespace, secrets: Secrets | ConfigErrors) -> Iterator[tuple[str, Check]]:
    config = load_config(options.config)
    yield "bot", _configuration(config, options.config)
    yield "bot", _secrets_file(secrets)
    if isinstance(config, ConfigErrors):
        return
    yield "bot", _ledger(Path(config.data.sqlite_path))
    for name in sorted({VenueName(config.venue), *config.market_venues().values()}):
        checks = []
        if name in CHECKS and isinstance(secrets, Secrets):
            for check in _account(config, name, secrets, offline=options.offline):
                checks.append(check)
                yield name, check
        if failed(checks) and wants_key(name):
            yield name, skipped("markets", "needs what is wrong above")
        else:
            yield name, _markets(config, name, secrets, offline=options.offline)


def _configuration(config: Config | ConfigErrors, path: Path) -> Check:
    if isinstance(config, ConfigErrors):
        lines = config.lines()
        more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        return wrong("configuration", f"{lines[0]}{more}", "python3 run.py check  names every mistake")
    sets = len(config.complete_sets())
    return fine("configuration", f"{path}: {config.mode.value}, {len(config.markets)} markets, {sets} sets")


def _secrets_file(secrets: Secrets | ConfigErrors) -> Check:
    if isinstance(secrets, ConfigErrors):
        return wrong("secrets", secrets.lines()[0], f"chmod 600 {DOTENV} and one NAME=value per line; see .env.example")
    where = f"{DOTENV} is private to you" if DOTENV.exists() else f"no {DOTENV}; taken from the environment"
    return fine("secrets", where)


def _ledger(path: Path) -> Check:
    if not path.exists():
        return fine("ledger", f"{path} does not exist yet; the first run makes it")
    try:
        with closing(open_reader(path)) as connection:
            connection.execute("BEGIN")  # one moment of the file, also while a bot writes to it
            head = verify_chain(path, connection)
    except LedgerError as error:
        return wrong("ledger", str(error), "keep the file as it is; move it away to begin a new one")
    return fine("ledger", f"{path}: {head.seq} rows, chain unbroken")


def _markets(config: Config, name: VenueName, secrets: Secrets | ConfigErrors, *, offline: bool) -> Check:
    check = "markets"
    venue_options = config.options(name)
    if offline:
        return skipped(check, "not asked for (--offline)")
    if name == "simulated" and venue_options.rest_url is None:
        return fine(check, "the embedded venue comes with the bot")
    wanted = [market_id for market_id, of in config.market_venues().items() if of == name]
    try:
        keys = secrets.of(name) if isinstance(secrets, Secrets) else {}
        venue = make_market_data(name, venue_options, keys, SystemClock(), REQUESTS_PER_SECOND)
        found = venue.markets(wanted)
    except VenueReadRefusedError as error:
        return wrong(check, str(error), f"take it off the list; others:  python3 run.py find --venue {name} WORDS")
    except MissingKeysError as error:
        return wrong(check, str(error), "put the key into .env")
    except VenueReadError as error:
        return unreachable(check, str(error))
    return fine(check, f"{len(found)} markets are open")


def _account(config: Config, name: VenueName, secrets: Secrets, *, offline: bool) -> list[Check]:
    """The account matters in live mode; on paper without keys there is nothing to look at, but where the venue wants
    one even for public data.
    """
    values = secrets.of(name)
    if config.mode is not Mode.LIVE and not values and not wants_key(name):
        return [skipped("account", "mode: paper needs no keys")]
    return account_checks(
        name,
        config.options(name),
        values,
        SystemClock(),
        offline=offline,
        max_skew_ms=config.runtime.max_clock_skew_ms,
    )


def _tell(about: str, check: Check, redact: Redactor) -> None:
    print_lines([redact.redact(f"{_SIGNS[check.grade]} {about:<10} {check.name:<13} {check.text}")], sys.stdout)
    if check.remedy:
        print_lines([redact.redact(f"  {'':<10} {'':<13} -> {check.remedy}")], sys.stdout)


def _document(told: list[tuple[str, Check]], code: int) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "ok": code == EXIT_OK,
        "checks": [
            {
                "about": about,
                "name": check.name,
                "grade": check.grade.value,
                "text": check.text,
                "remedy": check.remedy,
            }
            for about, check in told
        ],
    }
