"""Attempts that may have nobody to work on them, added up from rows: of sets that are not configured any more, and
those of which the ledger learned something after their end.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection
from typing import Any, Final

from adapters.ledger.unfinished import NEWS_AFTER_END
from models.market import Action, MarketId, Outcome, SetId
from models.money import MicroShares, MicroUsd, PriceMicros, cost_rounded_up, proceeds_rounded_down
from models.orders import AttemptId
from models.rows import Ending
from models.sets import SetLeg
from models.strangers import Stranger

_LIVE: Final = """
    SELECT a.seq, a.attempt_id, a.set_id, c.ending,
        EXISTS (SELECT 1 FROM attempt_changes p WHERE p.attempt_id = a.attempt_id AND p.state = 'PARTIAL_FILL_PROTECT')
    FROM attempts a LEFT JOIN attempt_changes c
        ON c.seq = (SELECT max(seq) FROM attempt_changes WHERE attempt_id = a.attempt_id)
    WHERE a.mode = 'live'"""
_STRANGERS: Final = f"""{_LIVE} AND (c.ending IS NULL OR c.open_position = 1 OR {NEWS_AFTER_END})
        AND a.set_id NOT IN (SELECT value FROM json_each(?))
    ORDER BY a.seq"""  # noqa: S608  constants of this page and of `unfinished`
_UNSETTLED: Final = f"""{_LIVE}
        AND (c.ending IS NULL OR (c.open_position = 0 AND {NEWS_AFTER_END}))
    ORDER BY a.seq"""

_LEGS: Final = "SELECT market_id, outcome FROM attempt_legs WHERE attempt = ? ORDER BY leg"

_FILLS: Final = """
    SELECT leg, action, filled_size, avg_price, fee FROM fills WHERE attempt_id = ? AND state <> 'reversed'"""

_SETTLED: Final = "SELECT market_id, yes_size, no_size, cash FROM settlements WHERE attempt_id = ?"


def strangers(connection: sqlite3.Connection, configured: Collection[SetId]) -> tuple[Stranger, ...]:
    """Those of sets that no executor owns. Oldest first."""
    rows = connection.execute(_STRANGERS, (json.dumps(sorted(configured)),)).fetchall()
    return tuple(_stranger(connection, row) for row in rows)


def unsettled(connection: sqlite3.Connection) -> tuple[Stranger, ...]:
    """Those that never ended, and those that hold something by an execution that came after their end. Oldest first.

    An executor has most of them in hand; what none knows (it was over long ago) nobody works on.
    """
    rows = connection.execute(_UNSETTLED).fetchall()
    found = (_stranger(connection, row) for row in rows)
    return tuple(one for one in found if one.ending is None or one.bought != one.gone)


def _stranger(connection: sqlite3.Connection, row: tuple[Any, ...]) -> Stranger:
    seq, attempt_id, set_id, ending, was_partial = row
    legs = [SetLeg(MarketId(m), Outcome(outcome)) for m, outcome in connection.execute(_LEGS, (seq,))]
    bought, costs = Counter[int](), Counter[int]()
    fees, known = 0, True
    for leg, action, size, price, fee in connection.execute(_FILLS, (attempt_id,)):
        buys = action == Action.BUY
        amount = (cost_rounded_up if buys else proceeds_rounded_down)(PriceMicros(price), MicroShares(size))
        bought[leg] += size if buys else -size
        costs[leg] += amount if buys else -amount
        fees += fee or 0
        known = known and fee is not None
    gone: Counter[tuple[str, Outcome]] = Counter()
    cash_back = 0
    for market_id, yes, no, cash in connection.execute(_SETTLED, (attempt_id,)):
        gone[market_id, Outcome.YES] += yes
        gone[market_id, Outcome.NO] += no
        cash_back += cash
    everyone = range(len(legs))
    return Stranger(
        attempt_id=AttemptId(attempt_id),
        set_id=SetId(set_id),
        legs=tuple(legs),
        ending=None if ending is None else Ending(ending),
        was_partial=bool(was_partial),
        bought=tuple(MicroShares(bought[leg]) for leg in everyone),
        gone=tuple(MicroShares(gone[leg.market_id, leg.outcome]) for leg in legs),
        leg_costs=tuple(MicroUsd(costs[leg]) for leg in everyone),
        fees=MicroUsd(fees),
        fees_known=known,
        cash_back=MicroUsd(cash_back),
    )
