"""The report's questions to the ledger, over one read-only snapshot: counts in SQL, attempts row by row.

Every count of opportunities comes from one covering index, so a million rows answer in well under a second.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, replace
from typing import Any, Final

from adapters.ledger.account import account_facts
from adapters.ledger.checks import violations
from adapters.ledger.runs import ALL_ROWS, RowsOf, last_sign, outages, rows_of, run_spans
from models.clock import MINUTE
from models.events import READ_FACTS
from models.money import MICRO, MoneyError, parse_micros
from models.report_facts import (
    AttemptFacts,
    EventFacts,
    Gathered,
    Goal,
    OpportunityCount,
    PaperFacts,
)

INCIDENTS_MAX: Final = 200
"""Newest incidents that the report lists."""

_INCIDENT_KINDS: Final = (
    "halted",
    "resumed",
    "incident",
    "protection",
    "refused_row",
    "disconnected",
    "gap",
    "snapshot",
)

FOREVER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What the report is restricted to."""

    since: int | None = None
    until: int | None = None
    only: str | None = None
    """A market's or a set's id."""
    mode: str | None = None
    """`paper` or `live`; None takes the newest run's."""
    rows: RowsOf = ALL_ROWS
    """Those of the mode's runs, for tables that do not name a mode."""

    @property
    def bounds(self) -> tuple[int, int]:
        return self.since or 0, FOREVER if self.until is None else self.until


def gather(connection: sqlite3.Connection, name: str, asked: Asked) -> Gathered:
    """Everything for `models.report.figure`. `name` is the ledger's as the operator knows it."""
    runs = run_spans(connection, *asked.bounds)
    mode = asked.mode or (runs[-1].mode if runs else _newest_mode(connection))
    mine = [run for run in runs if run.mode == mode]
    asked = replace(asked, rows=rows_of(connection, mode))
    sign = last_sign(connection)
    effective = _effective(connection)
    unknown, resolved = _unknown_orders(connection, asked, mode)
    return Gathered(
        ledger=name,
        mode=mode,
        since=asked.since,
        until=asked.until,
        only=asked.only,
        runs=mine,
        last_sign=max((run.ended for run in mine), default=sign),
        opportunities=_opportunities(connection, asked),
        episodes=_episodes(connection, asked),
        attempts=_attempts(connection, asked, mode),
        paper=_paper(connection, asked) if mode == "paper" else (),
        sum_costs=_sum_costs(connection, asked),
        trade_line=_trade_line(effective),
        updates=_updates(connection, asked),
        order_rejects=_order_rejects(connection, asked, mode),
        order_latencies_ms=_latencies(connection, asked, mode),
        orders_unknown=unknown,
        orders_resolved=resolved,
        protections=_protections(connection, asked, mode),
        event_counts=_event_counts(connection, asked),
        outages=outages(connection, *asked.bounds, asked.rows),
        incidents=_incidents(connection, asked),
        account=account_facts(connection) if mode == "live" else None,
        goal=_goal(effective),
        violations=violations(connection),
    )


def is_empty(connection: sqlite3.Connection) -> bool:
    """Nothing has ever been seen: no evaluated state, no opportunity, no attempt."""
    tables = ("set_minutes", "opportunities", "attempts", "market_ticks")
    return not any(connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0] for table in tables)  # noqa: S608


def knows(connection: sqlite3.Connection, name: str) -> bool:
    """Whether any row is about a set or a market of that id."""
    columns = (
        ("set_minutes", "set_id"),
        ("market_ticks", "market_id"),
        ("events", "market_id"),
        ("attempts", "set_id"),
    )
    tests = (f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {column} = ?)" for table, column in columns)  # noqa: S608
    return any(connection.execute(test, (name,)).fetchone()[0] for test in tests)


def _opportunities(connection: sqlite3.Connection, asked: Asked) -> list[OpportunityCount]:
    where, parameters = _where("at", asked, "set_id", seq="seq")
    query = f"""
        SELECT set_id, decision, reason, verdict, count(*), sum(edge) FROM opportunities {where}
        GROUP BY set_id, decision, reason, verdict
    """  # noqa: S608  only our own names; values are bound
    rows = connection.execute(query, parameters)
    return [OpportunityCount(*row) for row in rows]


def _episodes(connection: sqlite3.Connection, asked: Asked) -> int:
    where, parameters = _where("at", asked, "set_id", seq="seq")
    query = f"SELECT count(DISTINCT episode_id) FROM opportunities {where}"  # noqa: S608
    return int(connection.execute(query, parameters).fetchone()[0])


def _attempts(connection: sqlite3.Connection, asked: Asked, mode: str) -> list[AttemptFacts]:
    where, parameters = _where("a.at", asked, "a.set_id", "a.mode = ?")
    query = f"""
        SELECT a.attempt_id, a.set_id, a.at, a.changed_at, a.state, a.ending, a.size, a.filled,
            (SELECT sum(k.cost) FROM attempt_costs k WHERE k.attempt_change = a.change_seq), a.fees,
            a.expected_payout, a.realized_pnl, a.open_position, o.edge
        FROM attempt_now a LEFT JOIN opportunities o ON o.opportunity_id = a.opportunity_id {where} ORDER BY a.seq
    """  # noqa: S608
    return [
        AttemptFacts(
            attempt_id=row[0],
            set_id=row[1],
            opened=row[2],
            changed=row[3],
            state=row[4],
            ending=row[5],
            size=row[6],
            filled=row[7],
            cost=row[8],
            fees=row[9],
            pays=row[10],
            realized=row[11],
            open_position=bool(row[12]),
            edge=row[13],
        )
        for row in connection.execute(query, (mode, *parameters))
    ]


def _paper(connection: sqlite3.Connection, asked: Asked) -> list[PaperFacts]:
    where, parameters = _where("a.at", asked, "a.set_id")
    query = f"""
        SELECT p.attempt_id, p.at, p.model, p.filled, p.cost, p.fees, p.net_pnl
        FROM paper_fills p JOIN attempts a ON a.attempt_id = p.attempt_id {where} ORDER BY p.seq
    """  # noqa: S608
    return [PaperFacts(*row) for row in connection.execute(query, parameters)]


def _sum_costs(connection: sqlite3.Connection, asked: Asked) -> list[tuple[int, int]]:
    where, parameters = _minutes(asked)
    query = f"""
        SELECT c.cents, sum(c.evaluations) FROM set_minutes m JOIN set_minute_costs c ON c.set_minute = m.seq {where}
        GROUP BY c.cents ORDER BY c.cents
    """  # noqa: S608
    return [(cents, count) for cents, count in connection.execute(query, parameters)]


def _updates(connection: sqlite3.Connection, asked: Asked) -> int:
    where, parameters = _minutes(asked)
    query = f"SELECT coalesce(sum(m.updates), 0) FROM set_minutes m {where}"  # noqa: S608
    return int(connection.execute(query, parameters).fetchone()[0])


def _order_rejects(connection: sqlite3.Connection, asked: Asked, mode: str) -> int:
    where, parameters = _where("o.intent_at", asked, "o.set_id", "a.mode = ?", "o.status = 'refused'", "o.by_venue")
    query = f"SELECT count(*) FROM orders o JOIN attempts a ON a.attempt_id = o.attempt_id {where}"  # noqa: S608
    return int(connection.execute(query, (mode, *parameters)).fetchone()[0])


def _unknown_orders(connection: sqlite3.Connection, asked: Asked, mode: str) -> tuple[int, int]:
    """Orders that were in doubt at some time, and those of them that have ended since."""
    where, parameters = _where("o.intent_at", asked, "o.set_id", "a.mode = ?")
    query = f"""
        SELECT count(*), coalesce(sum(o.status IN ('ended', 'refused')), 0)
        FROM (SELECT DISTINCT client_order_id FROM order_changes WHERE phase = 'unknown') u
            JOIN orders o ON o.client_order_id = u.client_order_id
            JOIN attempts a ON a.attempt_id = o.attempt_id {where}
    """  # noqa: S608
    unknown, resolved = connection.execute(query, (mode, *parameters)).fetchone()
    return int(unknown), int(resolved)


def _protections(connection: sqlite3.Connection, asked: Asked, mode: str) -> dict[str, int]:
    where, parameters = _where("e.at", asked, "e.set_id", "e.kind = 'protection'", "a.mode = ?")
    query = f"""
        SELECT remedy, count(*) FROM (
            SELECT json_extract(e.facts, '$.remedy') AS remedy, max(e.seq)
            FROM events e JOIN attempts a ON a.attempt_id = e.attempt_id {where} GROUP BY e.attempt_id)
        GROUP BY remedy
    """  # noqa: S608
    return {str(remedy): int(count) for remedy, count in connection.execute(query, (mode, *parameters))}


def _latencies(connection: sqlite3.Connection, asked: Asked, mode: str) -> list[int]:
    where, parameters = _where(
        "o.intent_at", asked, "o.set_id", "a.mode = ?", "o.sent_at IS NOT NULL", "o.acked_at >= o.sent_at"
    )
    query = f"""
        SELECT (o.acked_at - o.sent_at) / 1000000 FROM orders o JOIN attempts a ON a.attempt_id = o.attempt_id {where}
    """  # noqa: S608
    return [row[0] for row in connection.execute(query, (mode, *parameters))]


def _event_counts(connection: sqlite3.Connection, asked: Asked) -> dict[str, int]:
    """Events by kind, and the sums of what the feeds say that they read."""
    mine, bounds = asked.rows.test("seq")
    values = (*asked.bounds, *bounds)
    query = f"SELECT kind, count(*) FROM events WHERE at BETWEEN ? AND ? AND {mine} GROUP BY kind"  # noqa: S608
    counts = {str(kind): int(count) for kind, count in connection.execute(query, values)}
    sums = ", ".join(f"coalesce(sum(json_extract(facts, '$.{name}')), 0)" for name in READ_FACTS)
    query = f"SELECT {sums} FROM events WHERE kind = 'read' AND at BETWEEN ? AND ? AND {mine}"  # noqa: S608
    counts.update(zip(READ_FACTS, connection.execute(query, values).fetchone(), strict=True))
    return counts


def _incidents(connection: sqlite3.Connection, asked: Asked) -> list[EventFacts]:
    marks = ", ".join("?" * len(_INCIDENT_KINDS))
    mine, bounds = asked.rows.test("seq")
    of_set = "" if asked.only is None else "AND (set_id = ? OR market_id = ? OR (set_id IS NULL AND market_id IS NULL))"
    query = f"""
        SELECT at, kind, text, set_id, attempt_id, market_id FROM events
        WHERE kind IN ({marks}) AND coalesce(facts ->> 'incident', '') <> 'disconnect'
            AND at BETWEEN ? AND ? AND {mine} {of_set} ORDER BY seq DESC LIMIT ?
    """  # noqa: S608
    only = () if asked.only is None else (asked.only, asked.only)
    found = connection.execute(query, (*_INCIDENT_KINDS, *asked.bounds, *bounds, *only, INCIDENTS_MAX))
    return [EventFacts(*row) for row in found][::-1]


# -- conditions


def _where(at: str, asked: Asked, set_column: str, *more: str, seq: str = "") -> tuple[str, tuple[object, ...]]:
    """A WHERE clause and its values. Without restrictions it is empty, so that the smallest index serves. `seq`: the
    column to take the mode's own rows by, of a table that does not name a mode.
    """
    tests = list(more)
    values: list[object] = []
    if asked.since is not None or asked.until is not None:
        tests.append(f"{at} BETWEEN ? AND ?")
        values += asked.bounds
    if asked.only is not None:
        tests.append(f"{set_column} = ?")
        values.append(asked.only)
    if seq and asked.rows.windows is not None:
        mine, bounds = asked.rows.test(seq)
        tests.append(mine)
        values += bounds
    return ("WHERE " + " AND ".join(tests) if tests else ""), tuple(values)


def _minutes(asked: Asked) -> tuple[str, tuple[object, ...]]:
    low, high = asked.bounds
    tests = [] if asked.since is None and asked.until is None else ["m.minute BETWEEN ? AND ?"]
    values: list[object] = [low // MINUTE, high // MINUTE] if tests else []
    if asked.only is not None:
        tests.append("m.set_id = ?")
        values.append(asked.only)
    if asked.rows.windows is not None:
        mine, bounds = asked.rows.test("m.seq")
        tests.append(mine)
        values += bounds
    return ("WHERE " + " AND ".join(tests) if tests else ""), tuple(values)


# -- the newest configuration


def _newest_mode(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT mode FROM run_starts ORDER BY seq DESC LIMIT 1").fetchone()
    return "paper" if row is None else str(row[0])


def _effective(connection: sqlite3.Connection) -> dict[str, Any]:
    row = connection.execute(
        "SELECT c.effective FROM run_starts r JOIN configs c ON c.config_hash = r.config_hash "
        "ORDER BY r.seq DESC LIMIT 1"
    ).fetchone()
    found = {} if row is None else json.loads(row[0])
    return found if isinstance(found, dict) else {}


def _goal(effective: dict[str, Any]) -> Goal | None:
    evaluation = effective.get("evaluation")
    try:
        return Goal(
            min_sets=int(evaluation["min_sets"]),  # type: ignore[index]
            min_days=int(evaluation["min_days"]),  # type: ignore[index]
            target=parse_micros(str(evaluation["target_avg_net_pnl"])),  # type: ignore[index]
        )
    except (TypeError, KeyError, ValueError):
        return None


def _trade_line(effective: dict[str, Any]) -> int | None:
    """1 - cost_buffer - min_edge, for sets that pay one dollar."""
    strategy = effective.get("strategy")
    try:
        return MICRO - parse_micros(str(strategy["cost_buffer"])) - parse_micros(str(strategy["min_edge"]))  # type: ignore[index]
    except (TypeError, KeyError, MoneyError):
        return None
