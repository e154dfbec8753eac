"""Invariants of the rows, asserted a second time on this side of the disk (style 2.23). Violations are printed first.

Each check is one query that returns the offenders; a healthy ledger returns nothing. Costs and fees are recomputed from
raw executions here, whatever the executor wrote (I22).
"""

from __future__ import annotations

import sqlite3
from typing import Final

OFFENDERS_MAX: Final = 5
"""Named per check; the rest is counted."""

CHECKS: Final[tuple[tuple[str, str], ...]] = (
    (
        "filled more than ordered",
        "SELECT client_order_id FROM orders WHERE filled > size",
    ),
    (
        "executions add up to more than ordered",
        """SELECT f.client_order_id FROM fills f JOIN order_intents i ON i.client_order_id = f.client_order_id
           WHERE f.state <> 'reversed' GROUP BY f.client_order_id HAVING sum(f.filled_size) > min(i.size)""",
    ),
    (
        "an ended attempt has an order that says more was filled than its executions show",
        """SELECT o.client_order_id FROM orders o JOIN attempt_now a ON a.attempt_id = o.attempt_id
           WHERE a.ending IS NOT NULL AND o.filled > (
               SELECT coalesce(sum(f.filled_size), 0) FROM fills f
               WHERE f.client_order_id = o.client_order_id AND f.state <> 'reversed')""",
    ),
    (
        "a leg's cost is not that of its executions",
        """SELECT a.attempt_id FROM attempt_now a JOIN attempt_costs k ON k.attempt_change = a.change_seq
               LEFT JOIN attempt_flows f ON f.attempt_id = a.attempt_id AND f.leg = k.leg
           WHERE a.ending IS NOT NULL AND k.cost <> coalesce(f.cost, 0)""",
    ),
    (
        "an attempt's fees are not those of its executions",
        """SELECT a.attempt_id FROM attempt_now a JOIN attempt_flows f ON f.attempt_id = a.attempt_id
           WHERE a.ending IS NOT NULL GROUP BY a.attempt_id
           HAVING sum(f.fees_unknown) = 0 AND sum(f.fees) <> min(a.fees)""",
    ),
    (
        "realized profit is not what came back less what was paid",
        """SELECT a.attempt_id FROM attempt_now a WHERE a.realized_pnl IS NOT NULL AND a.realized_pnl <>
               coalesce((SELECT sum(cash) FROM settlements s WHERE s.attempt_id = a.attempt_id), 0)
               - coalesce((SELECT sum(cost) FROM attempt_costs k WHERE k.attempt_change = a.change_seq), 0) - a.fees""",
    ),
    (
        "an attempt has two endings",
        """SELECT attempt_id FROM attempt_changes WHERE ending IS NOT NULL
               AND attempt_id NOT IN (SELECT attempt_id FROM fills WHERE state = 'reversed')
           GROUP BY attempt_id HAVING count(DISTINCT ending) > 1""",
    ),
    (
        "more complete sets than were wanted",
        "SELECT attempt_id FROM attempt_now WHERE filled > size",
    ),
    (
        "an opening order of an attempt that no opportunity explains",
        """SELECT i.client_order_id FROM order_intents i JOIN attempts a ON a.attempt_id = i.attempt_id
           WHERE NOT i.adopted AND i.purpose = 'open' AND a.opportunity_id IS NULL""",
    ),
)


def violations(connection: sqlite3.Connection) -> list[str]:
    """One line per check that fails, with the first offenders by name."""
    found = []
    for what, query in CHECKS:
        offenders = list(dict.fromkeys(str(row[0]) for row in connection.execute(query)))
        if offenders:
            more = f" and {len(offenders) - OFFENDERS_MAX} more" if len(offenders) > OFFENDERS_MAX else ""
            found.append(f"{what}: {', '.join(offenders[:OFFENDERS_MAX])}{more}")
    return found
