"""`report`: figures from the ledger as text, JSON, one HTML file or CSV. Reads only, also while the bot runs.

The hash chain is checked from the place up to which the last report (or start) has checked it; `--verify` begins at the
first row. Exit codes: 0 done (also without a ledger); 1 the ledger does not prove itself; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from adapters.ledger.connection import open_reader
from adapters.ledger.errors import LedgerError, LedgerUnreadableError
from adapters.ledger.places import default_ledger
from adapters.ledger.proof import new_mark, prove
from adapters.ledger.queries import Asked, gather, is_empty, knows
from adapters.operator.face import Told
from adapters.operator.printing import PIPE_WIDTH
from adapters.operator.progress import Bar
from adapters.operator.report_json import SCHEMA_VERSION, document_of
from adapters.operator.report_text import empty_lines, lines_of, missing_lines
from models.clock import SECOND
from models.exit_codes import EXIT_OK, EXIT_UNEXPECTED, EXIT_USAGE
from models.hostile import clean, letters
from models.report import figure
from models.report_figures import Report

_AGO: Final = re.compile(r"(\d{1,6})(min|[smhdw])\Z")
_UNITS: Final = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ledger", type=Path, metavar="F", help="default: the configuration's, else the newest")
    parser.add_argument("--config", type=Path, metavar="F", help="configuration that names the ledger (config.yaml)")
    parser.add_argument("--since", metavar="T", help="7d, 12h, 30min, or an ISO date or time (UTC)")
    parser.add_argument("--until", metavar="T", help="as --since")
    parser.add_argument("--market", type=letters, metavar="M", help="one market or set only")
    parser.add_argument("--mode", choices=("paper", "live"), help="default: the newest run's")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one object on stdout")
    form.add_argument("--html", type=Path, metavar="F", help="write one self-contained page")
    form.add_argument("--csv", type=Path, metavar="DIR", help="write one file per table")
    parser.add_argument("--verify", action="store_true", help="check the hash chain from its first row")
    parser.add_argument("--new-mark", action="store_true", help="accept the ledger as complete after a full check")


def run(options: argparse.Namespace) -> int:
    path = options.ledger or default_ledger(options.config)
    try:
        asked = _asked(options)
    except ValueError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    if path is None or not path.exists():
        _say(missing_lines(None if path is None else str(path)), options, {"error": "no ledger"})
        return EXIT_OK
    try:
        if options.new_mark:
            with Bar("hash chain") as bar:
                head = new_mark(path, bar.show)
            print(f"{path}: {head.seq} rows verified, mark written")
            return EXIT_OK
        return _reported(path, asked, options)
    except LedgerError as error:
        _say([str(error)], options, {"error": str(error)}, file=sys.stderr)
        return EXIT_UNEXPECTED


def told(path: Path, since: str | None, width: int) -> Told:
    """The report for the console and the control socket, as text and as its JSON, also where there is none."""
    try:
        asked = Asked(since=_instant(since))
    except ValueError as error:
        return _not_told(error, EXIT_USAGE)
    try:
        with closing(open_reader(path)) as connection:
            report = _report(path, connection, asked, lambda _done, _total: None, whole=False)
            lines = empty_lines(str(path)) if is_empty(connection) else lines_of(report, width)
            return Told(lines=tuple(lines), document=document_of(report))
    except LedgerError as error:
        return _not_told(error, EXIT_UNEXPECTED)


def _not_told(why: Exception, exit_code: int) -> Told:
    document = {"schema_version": SCHEMA_VERSION, "error": str(why)}
    return Told(lines=(str(why),), document=document, exit_code=exit_code)


def _reported(path: Path, asked: Asked, options: argparse.Namespace) -> int:
    with closing(open_reader(path)) as connection:
        with Bar("hash chain") as bar:
            report = _report(path, connection, asked, bar.show, whole=options.verify)
        if asked.only is not None and not knows(connection, asked.only):
            words = f"this ledger knows no market or set called {clean(asked.only, 80)!r}"
            _say([words], options, {"error": words}, file=sys.stderr)
            return EXIT_USAGE
        if options.json:
            print(json.dumps(document_of(report)))
        elif options.html is not None:
            from adapters.operator.report_html import write_html

            write_html(report, connection, options.html)
            print(f"written: {options.html}")
        elif options.csv is not None:
            from adapters.operator.report_csv import write_csv

            print(f"written: {len(write_csv(report, connection, options.csv))} files in {options.csv}")
        elif is_empty(connection):
            _say(empty_lines(str(path)), options, {})
        else:
            _print(report)
    return EXIT_OK


def _report(
    path: Path, connection: sqlite3.Connection, asked: Asked, progress: Callable[[int, int], None], *, whole: bool
) -> Report:
    """Prove the ledger, then read all figures from the same snapshot."""
    prove(path, connection, progress, whole=whole)
    try:
        return figure(gather(connection, str(path), asked))
    except sqlite3.Error as error:
        raise LedgerUnreadableError(path, str(error)) from error


def _print(report: Report) -> None:
    """Rich on a terminal, plain text in a pipe."""
    if not sys.stdout.isatty():
        print("\n".join(lines_of(report, PIPE_WIDTH)))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line in lines_of(report, min(160, shutil.get_terminal_size().columns)):
        console.print(Text(line, style=_style(line)), no_wrap=True, overflow="ellipsis")


def _style(line: str) -> str:
    if line.startswith("VIOLATION"):
        return "bold red"
    if line.startswith("Complete-set report"):
        return "bold"
    if line.startswith("PoC gate"):
        return "bold green" if line.endswith("PASS") else "bold red" if line.endswith(("FAIL", "REFUSED")) else "bold"
    return "yellow" if "← trade line" in line else ""


def _say(lines: list[str], options: argparse.Namespace, document: dict[str, Any], file: Any = None) -> None:
    if options.json:
        print(json.dumps({"schema_version": SCHEMA_VERSION, **document}))
        if file is not None:
            print("\n".join(lines), file=file)
    else:
        print("\n".join(lines), file=file or sys.stdout)


def _asked(options: argparse.Namespace) -> Asked:
    return Asked(since=_instant(options.since), until=_instant(options.until), only=options.market, mode=options.mode)


def _instant(words: str | None) -> int | None:
    """Wall-clock nanoseconds of `7d` (ago) or an ISO date or time, taken as UTC. Raises `ValueError` with a hint."""
    if words is None:
        return None
    ago = _AGO.match(words)
    if ago:
        return _wall_ns(datetime.now(UTC)) - int(ago[1]) * _UNITS[ago[2]] * SECOND
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        raise ValueError(f"{words!r} is no time; write 7d, 12h, 30min, 2026-11-15 or 2026-11-15T08:00") from None
    return _wall_ns(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


def _wall_ns(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1_000
