"""The ledger's own account, computed from its rows: cash and positions that the venue must agree with (I8)."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Final

from models.money import MicroShares, PriceMicros, cost_rounded_up, proceeds_rounded_down
from models.report_facts import AccountFacts

FOREVER: Final = 2**63 - 1

_FILLS: Final = """
    SELECT i.market_id, i.outcome, i.action, f.size, f.price, f.fee
    FROM fill_reports f JOIN order_intents i ON i.client_order_id = f.client_order_id
        JOIN attempts a ON a.attempt_id = i.attempt_id
    WHERE a.mode = 'live' AND f.seq > ? AND f.state <> 'reversed' AND f.seq = (
        SELECT max(seq) FROM fill_reports g WHERE g.client_order_id = f.client_order_id
            AND g.venue = f.venue AND g.venue_trade_id = f.venue_trade_id AND g.seq <= ?)
"""
_SETTLEMENTS: Final = """
    SELECT s.market_id, s.yes_size, s.no_size, s.cash FROM settlements s
        LEFT JOIN attempts a ON a.attempt_id = s.attempt_id
    WHERE coalesce(a.mode, 'live') = 'live' AND s.seq > ? AND s.seq <= ?
"""


@dataclass(frozen=True, slots=True)
class Account:
    """Cash and holdings as the ledger believes them."""

    cash: int | None
    """Micro-dollars; None where the account was never looked at, or a fee is not known yet."""
    positions: dict[tuple[str, str], int]
    """(market id, outcome) -> micro-shares, without zeros."""


def account(connection: sqlite3.Connection, up_to: int = FOREVER) -> Account:
    """The account after row `up_to`: what was found at first, plus fills, less fees, plus what settled."""
    opened = connection.execute(
        "SELECT seq, facts FROM events WHERE kind = 'account_opened' AND seq <= ? ORDER BY seq DESC LIMIT 1", (up_to,)
    ).fetchone()
    since = 0
    cash: int | None = None
    positions: dict[tuple[str, str], int] = {}
    if opened is not None:
        since, facts = opened[0], json.loads(opened[1])
        cash = facts.pop("cash")
        for name, size in facts.items():
            market_id, _, outcome = name.rpartition("/")
            positions[market_id, outcome] = size
    for market_id, outcome, action, size, price, fee in connection.execute(_FILLS, (since, up_to)):
        key = (market_id, outcome)
        positions[key] = positions.get(key, 0) + (size if action == "BUY" else -size)
        if cash is not None:
            cash = None if fee is None else cash - fee + _flow(action, price, size)
    for market_id, yes_size, no_size, back in connection.execute(_SETTLEMENTS, (since, up_to)):
        for outcome, size in (("YES", yes_size), ("NO", no_size)):
            positions[market_id, outcome] = positions.get((market_id, outcome), 0) - size
        cash = None if cash is None else cash + back
    return Account(cash, {key: size for key, size in positions.items() if size})


def _flow(action: str, price: int, size: int) -> int:
    """Cash that an execution brought, negative for a BUY; rounded against us as everywhere."""
    if action == "BUY":
        return -cost_rounded_up(PriceMicros(price), MicroShares(size))
    return proceeds_rounded_down(PriceMicros(price), MicroShares(size))


def account_facts(connection: sqlite3.Connection) -> AccountFacts | None:
    """The last comparison with the venue, and what the rows say the ledger's cash was then; None where there was
    none.
    """
    row = connection.execute(
        "SELECT seq, at, facts FROM events WHERE kind = 'reconciled' ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    seq, at, text = row
    facts = json.loads(text)
    as_of = facts.get("as_of")
    return AccountFacts(
        at=at,
        cash_ledger=facts.get("cash_ledger"),
        cash_venue=facts.get("cash_venue"),
        positions_equal=facts.get("positions_equal"),
        cash_recomputed=account(connection, seq if as_of is None else as_of).cash,
    )
