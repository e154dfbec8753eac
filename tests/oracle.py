"""The ledger against the exchange's own truth: what the long harnesses believe at the end, and what they count.

The ledger is read with plain SQL, not with the program's own account, so a mistake there cannot hide itself.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from models.money import parse_micros

Holding = tuple[str, str]

_LAST_FILLS: Final = """
    SELECT i.market_id, i.outcome, i.action, f.size FROM fill_reports f
        JOIN order_intents i ON i.client_order_id = f.client_order_id
        JOIN attempts a ON a.attempt_id = i.attempt_id AND a.mode = 'live'
    WHERE f.state <> 'reversed' AND f.seq = (SELECT max(seq) FROM fill_reports g
        WHERE g.client_order_id = f.client_order_id AND g.venue_trade_id = f.venue_trade_id)"""


def reading(ledger: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)


def ledger_positions(ledger: Path) -> dict[Holding, int]:
    """(market, outcome) -> micro-shares, from raw executions and settlements; nothing is held at first.

    What was bought on paper is not counted.
    """
    held: Counter[Holding] = Counter()
    with closing(reading(ledger)) as connection:
        for market_id, outcome, action, size in connection.execute(_LAST_FILLS):
            held[market_id, outcome] += size if action == "BUY" else -size
        for market_id, yes, no in connection.execute("SELECT market_id, yes_size, no_size FROM settlements"):
            held[market_id, "YES"] -= yes
            held[market_id, "NO"] -= no
    return {holding: size for holding, size in held.items() if size}


def venue_positions(truth: Mapping[str, Any]) -> dict[Holding, int]:
    rows = truth["accounts"][0]["positions"]
    held = {(row["market_id"], row["outcome"]): parse_micros(row["size"]) for row in rows}
    return {holding: size for holding, size in held.items() if size}


def disagreements(ledger: Path, report: Mapping[str, Any], truth: Mapping[str, Any]) -> list[str]:
    """Every way in which ledger, report and venue differ; empty when all is well, to the micro-dollar."""
    account = truth["accounts"][0]
    told = report["account"]
    found = []
    if told["cash_ledger"] is None or parse_micros(told["cash_ledger"]) != parse_micros(account["cash"]):
        found.append(f"cash is {account['cash']} at the venue and {told['cash_ledger']} in the ledger")
    if told["positions_equal"] is not True:
        found.append(f"positions_equal is {told['positions_equal']} in the report")
    ours, theirs = ledger_positions(ledger), venue_positions(truth)
    found += [
        f"{holding}: {theirs.get(holding, 0)} at the venue, {ours.get(holding, 0)} in the ledger"
        for holding in sorted({*ours, *theirs})
        if ours.get(holding, 0) != theirs.get(holding, 0)
    ]
    found += [f"order {o['client_order_id']} rests at the venue" for o in account["orders"] if o["status"] == "live"]
    found += [f"the venue's audit: {line}" for line in truth["audit"]]
    found += [f"violation: {line}" for line in report["violations"]]
    return found


def strangers(ledger: Path, truth: Mapping[str, Any], known: AbstractSet[str] | None = None) -> list[str]:
    """Orders at the venue without an intent in the ledger (orphans), and ids that came to the venue twice (duplicates).

    `known`: the names of the ledger's orders at a venue that does not call them as we do.
    """
    if known is None:
        with closing(reading(ledger)) as connection:
            known = {row[0] for row in connection.execute("SELECT client_order_id FROM order_intents")}
    account = truth["accounts"][0]
    ids = Counter(order["client_order_id"] for order in account["orders"])
    found = [f"orphan {one}" for one in ids if one not in known] + [f"twice {one}" for one, n in ids.items() if n > 1]
    return found + [f"sent twice: {row}" for row in account["refused"] if row["code"] == "duplicate"]


def naked(ledger: Path) -> list[str]:
    """Attempts that have ended with unequal legs, other than those reported as stranded."""
    query = """
        SELECT attempt_id, leg, sum(CASE action WHEN 'BUY' THEN size ELSE -size END) FROM (
            SELECT i.attempt_id, i.leg, i.action, f.size FROM fill_reports f
                JOIN order_intents i ON i.client_order_id = f.client_order_id
            WHERE f.state <> 'reversed' AND f.seq = (SELECT max(seq) FROM fill_reports g
                WHERE g.client_order_id = f.client_order_id AND g.venue_trade_id = f.venue_trade_id))
        GROUP BY attempt_id, leg"""
    with closing(reading(ledger)) as connection:
        legs = dict(connection.execute("SELECT a.attempt_id, count(*) FROM attempts a JOIN attempt_legs l"
                                       " ON l.attempt = a.seq GROUP BY a.attempt_id"))  # fmt: skip
        held: dict[str, list[int]] = {}
        for attempt_id, _, size in connection.execute(query):
            held.setdefault(attempt_id, []).append(size)
    reported = set(stranded(ledger))
    return [
        attempt_id
        for attempt_id, sizes in held.items()
        if len({*sizes, *([0] * (legs[attempt_id] - len(sizes)))}) > 1 and attempt_id not in reported
    ]


def stranded(ledger: Path) -> list[str]:
    """Attempts whose residue is less than the venue trades at any price, which the last decision about it says."""
    query = """
        SELECT e.attempt_id FROM events e WHERE kind = 'protection' AND json_extract(facts, '$.untradable')
            AND seq = (SELECT max(seq) FROM events WHERE kind = 'protection' AND attempt_id = e.attempt_id)"""
    with closing(reading(ledger)) as connection:
        return [row[0] for row in connection.execute(query)]


def events(ledger: Path, kind: str) -> int:
    with closing(reading(ledger)) as connection:
        return int(connection.execute("SELECT count(*) FROM events WHERE kind = ?", (kind,)).fetchone()[0])
