"""`why ID`: the whole story of an opportunity, set, order, fill or episode, with its decision computed again.

Works on the ledger file alone, read-only, whether a bot runs or not. Exit codes: 0 told and proved; 1 something does
not come out as stored, or nothing has this id; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

from adapters.ledger.connection import open_reader
from adapters.ledger.decode import opportunities, terms_of
from adapters.ledger.errors import LedgerError
from adapters.ledger.places import default_ledger
from adapters.ledger.story import NothingFoundError, Story, tell
from adapters.ledger.verify import link_holds, verify_chain
from adapters.operator.face import Told
from adapters.operator.printing import print_lines
from adapters.operator.progress import Bar
from adapters.operator.why_json import SCHEMA_VERSION, document_of
from adapters.operator.why_text import lines_of
from models.exit_codes import EXIT_OK, EXIT_UNEXPECTED, EXIT_USAGE
from models.hostile import letters
from models.signal import SetTerms
from models.why import Mismatch, StoredOpportunity, recheck

SHOWN: Final = 20
"""Differences that `why --all` prints; it counts them all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id",
        type=letters,
        metavar="ID",
        nargs="?",
        help="opportunity, set, order, fill or episode; o-1 or o-1…9 will do for o-12349",
    )
    parser.add_argument("--all", action="store_true", help="compute every decision of the ledger again")
    parser.add_argument("--ledger", type=Path, metavar="F", help="default: the configuration's, else the newest")
    parser.add_argument("--config", type=Path, metavar="F", help="configuration that names the ledger (config.yaml)")
    parser.add_argument("--no-chain", action="store_true", help="only recompute, do not check the hash chain")
    parser.add_argument("--json", action="store_true", help="one object on stdout")


def run(options: argparse.Namespace) -> int:
    if bool(options.id) == options.all:
        print("why: name one ID, or --all", file=sys.stderr)
        return EXIT_USAGE
    path = options.ledger or default_ledger(options.config)
    if path is None or not path.exists():
        where = "" if path is None else f" at {path}"
        print(f"there is no ledger{where} yet; start the bot or try:  python3 run.py demo")
        return EXIT_OK
    try:
        told = (
            _all(path, chain=not options.no_chain)
            if options.all
            else _one(path, options.id, chain=not options.no_chain)
        )
    except LedgerError as error:
        print(error, file=sys.stderr)
        return EXIT_UNEXPECTED
    if options.json:
        print(json.dumps(told.document))
    else:
        print_lines(told.lines, sys.stdout)
    return told.exit_code


def told(path: Path, ident: str) -> Told:
    """The story for the console and the control socket, also where the ledger cannot tell it."""
    try:
        return _one(path, ident, chain=True)
    except LedgerError as error:
        return Told(
            lines=(str(error),),
            document={"schema_version": SCHEMA_VERSION, "error": str(error)},
            exit_code=EXIT_UNEXPECTED,
        )


def _one(path: Path, ident: str, *, chain: bool) -> Told:
    with closing(open_reader(path)) as connection:
        connection.execute("BEGIN")
        try:
            story = tell(connection, ident)
        except NothingFoundError as error:
            words = str(error)
            return Told(
                lines=(words,), document={"schema_version": SCHEMA_VERSION, "error": words}, exit_code=EXIT_UNEXPECTED
            )
        checked = _Again(connection)
        mismatches = [(row.opportunity_id, m) for row in story.opportunities for m in checked.mismatches(row)]
        broken = _broken_links(connection, story) if chain else []
    wrong = bool(mismatches or broken)
    return Told(
        lines=tuple(lines_of(story, mismatches, broken)),
        document=document_of(story, mismatches, broken),
        exit_code=EXIT_UNEXPECTED if wrong else EXIT_OK,
    )


def _broken_links(connection: sqlite3.Connection, story: Story) -> list[tuple[str, int]]:
    return [(table, seq) for table, seq in story.seqs if not link_holds(connection, table, seq)]


class _Again:
    """Decides again, under the configuration that each row names."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        # Only here: the risk checks bring the configuration's classes along, which the report need not load.
        from models.risk import judge_again

        self._connection = connection
        self._judge_again = judge_again
        self._terms: dict[str, dict[str, SetTerms]] = {}

    def mismatches(self, row: StoredOpportunity) -> tuple[Mismatch, ...]:
        if row.config_hash not in self._terms:
            self._terms[row.config_hash] = terms_of(self._connection, row.config_hash)
        return recheck(row, self._terms[row.config_hash].get(row.set_id), self._judge_again)


def _all(path: Path, *, chain: bool) -> Told:
    """The whole chain and every decision, with bars on a terminal."""
    differing: list[tuple[str, Mismatch]] = []
    rows = wrong = 0
    problem = ""
    with closing(open_reader(path)) as connection:
        connection.execute("BEGIN")
        if chain:
            with Bar("hash chain") as bar:
                try:
                    verify_chain(path, connection, progress=bar.show)
                except LedgerError as error:
                    problem = str(error)
        total = connection.execute("SELECT count(*) FROM opportunities").fetchone()[0]
        again = _Again(connection)
        with Bar("decisions") as bar:
            for rows, row in enumerate(opportunities(connection), 1):
                found = again.mismatches(row)
                wrong += bool(found)
                if found and len(differing) < SHOWN:
                    differing.append((row.opportunity_id, found[0]))
                if rows % 1_000 == 0:
                    bar.show(rows, total)
    lines = [problem] if problem else ["the hash chain holds"] if chain else []
    lines += [f"{ident} {mismatch}" for ident, mismatch in differing]
    lines.append(
        f"{wrong} of {rows} decisions do not come out of their stored inputs as they were stored"
        if wrong
        else f"{rows} decisions recomputed from their stored inputs: the same, bit for bit"
    )
    document = {
        "schema_version": SCHEMA_VERSION,
        "chain": {"checked": chain, "holds": not problem, "problem": problem or None},
        "decisions": rows,
        "differing": wrong,
        "mismatches": [
            {"opportunity_id": ident, "name": m.name, "stored": m.stored, "recomputed": m.recomputed}
            for ident, m in differing
        ],
    }
    return Told(lines=tuple(lines), document=document, exit_code=EXIT_UNEXPECTED if wrong or problem else EXIT_OK)
