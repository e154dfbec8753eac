"""Everything that hangs on one id: opportunity, attempt (trade set), order, fill or episode, joined up."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from adapters.ledger.decode import opportunities
from models.why import StoredOpportunity

PREFIX_MIN: Final = 4
"""Shortest beginning of an id that is looked for."""

CUT: Final = "…"
"""Stands for the middle of an id where a table had no room for it."""

EPISODE_ROWS: Final = 200
"""Rows of one episode that are told; the rest is counted."""

Record = dict[str, Any]
"""One row of a table or view, by column name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    ident: str
    kind: str
    """opportunity, attempt, order, fill or episode."""
    opportunities: tuple[StoredOpportunity, ...]
    left_out: int
    """Rows of the episode that are not in `opportunities`."""
    attempt: Record | None
    changes: tuple[Record, ...]
    orders: tuple[Record, ...]
    fills: tuple[Record, ...]
    events: tuple[Record, ...]
    paper: tuple[Record, ...]
    settlements: tuple[Record, ...]
    config: Record | None
    """`config_hash`, `code_version`, and the effective configuration as a mapping."""
    seqs: tuple[tuple[str, int], ...]
    """(table, seq) of every row that is told, for the check of its link in the chain."""


class NothingFoundError(LookupError):
    """No row has this id, or several fit it."""


def tell(connection: sqlite3.Connection, ident: str) -> Story:
    """The story of `ident`, or `NothingFoundError`."""
    kind, opportunity_where, parameters, attempt_id = _find(connection, ident)
    rows: list[StoredOpportunity] = []
    left_out = 0
    if opportunity_where:
        for row in opportunities(connection, opportunity_where, parameters):
            if len(rows) < EPISODE_ROWS:
                rows.append(row)
            else:
                left_out += 1
    of_attempt = (attempt_id,)
    attempts = _select(connection, "SELECT * FROM tradesets WHERE tradeset_id = ?", of_attempt)
    changes = _select(connection, "SELECT * FROM attempt_changes WHERE attempt_id = ? ORDER BY seq", of_attempt)
    events = _select(connection, "SELECT * FROM events WHERE attempt_id = ? ORDER BY seq", of_attempt)
    for event in events:
        event["facts"] = json.loads(event["facts"])
    for change in changes:
        costs = "SELECT cost FROM attempt_costs WHERE attempt_change = ? ORDER BY leg"
        change["leg_costs"] = [cost for (cost,) in connection.execute(costs, (change["seq"],))]
    return Story(
        ident=ident,
        kind=kind,
        opportunities=tuple(rows),
        left_out=left_out,
        attempt=attempts[0] if attempts else None,
        changes=changes,
        orders=_select(connection, "SELECT * FROM orders WHERE attempt_id = ? ORDER BY intent_at, leg", of_attempt),
        fills=_select(connection, "SELECT * FROM fills WHERE attempt_id = ? ORDER BY at", of_attempt),
        events=events,
        paper=_select(connection, "SELECT * FROM paper_fills WHERE attempt_id = ? ORDER BY seq", of_attempt),
        settlements=_select(connection, "SELECT * FROM settlements WHERE attempt_id = ? ORDER BY seq", of_attempt),
        config=_config(connection, rows[0].config_hash) if rows else None,
        seqs=tuple(_seqs(connection, rows, attempt_id)),
    )


def _find(connection: sqlite3.Connection, ident: str) -> tuple[str, str, tuple[object, ...], str | None]:
    """(kind, condition on opportunities or "", its parameters, attempt id or None)"""
    exact = _match(connection, ident, "= ?", ident)
    if exact is not None:
        return exact
    if len(ident) >= PREFIX_MIN:
        begun = _match(connection, ident, "LIKE ? ESCAPE '\\'", _pattern(ident))
        if begun is not None:
            return begun
    raise NothingFoundError(f"nothing in the ledger is called {ident}; `opps` and `trades` of a running bot list ids")


def _pattern(ident: str) -> str:
    """For LIKE: what begins so, or, with the `…` of a narrow table, begins and ends so."""
    escaped = ident.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    begins, cut, ends = escaped.replace("...", CUT).partition(CUT)
    return f"{begins}%{ends}" if cut and ends else f"{begins}%"


def _match(
    connection: sqlite3.Connection, ident: str, test: str, value: str
) -> tuple[str, str, tuple[object, ...], str | None] | None:
    """Look through the kinds of ids in turn. All SQL text is ours; `value` is bound."""

    def ids(column: str, source: str, key: str) -> list[str]:
        found = connection.execute(f"SELECT DISTINCT {key} FROM {source} WHERE {column} {test} LIMIT 2", (value,))  # noqa: S608
        names = [row[0] for row in found]
        if len(names) > 1 and column == key:
            raise NothingFoundError(f"several ids fit {ident}, for example {names[0]} and {names[1]}")
        return names

    for opportunity_id in ids("opportunity_id", "opportunities", "opportunity_id"):
        found = connection.execute(
            "SELECT attempt_id FROM opportunities WHERE opportunity_id = ?", (opportunity_id,)
        ).fetchone()
        return "opportunity", "opportunity_id = ?", (opportunity_id,), found[0]
    sources = (
        ("attempt", "attempt_id", "attempts", "attempt_id"),
        ("order", "client_order_id", "order_intents", "attempt_id"),
        ("order", "order_id", "orders", "attempt_id"),
        ("fill", "venue_trade_id", "fills", "attempt_id"),
    )
    for kind, column, source, key in sources:
        for attempt_id in ids(column, source, key):
            inner = "opportunity_id = (SELECT opportunity_id FROM attempts WHERE attempt_id = ?)"
            return kind, inner, (attempt_id,), attempt_id
    for episode_id in ids("episode_id", "opportunities", "episode_id"):
        return "episode", "episode_id = ?", (episode_id,), None
    return None


def _select(connection: sqlite3.Connection, query: str, parameters: tuple[object, ...]) -> tuple[Record, ...]:
    cursor = connection.execute(query, parameters)
    names = [column[0] for column in cursor.description]
    return tuple(dict(zip(names, row, strict=True)) for row in cursor)


def _config(connection: sqlite3.Connection, config_hash: str) -> Record | None:
    query = "SELECT config_hash, code_version, effective FROM configs WHERE config_hash = ?"
    found = _select(connection, query, (config_hash,))
    if not found:
        return None
    return {**found[0], "effective": json.loads(found[0]["effective"])}


def _seqs(
    connection: sqlite3.Connection, rows: list[StoredOpportunity], attempt_id: str | None
) -> list[tuple[str, int]]:
    found = [("opportunities", row.seq) for row in rows]
    for config_hash in {row.config_hash for row in rows}:
        query = "SELECT seq FROM configs WHERE config_hash = ?"
        found += [("configs", seq) for (seq,) in connection.execute(query, (config_hash,))]
    if attempt_id is None:
        return found
    for table in ("attempts", "attempt_changes", "order_intents", "paper_fills", "settlements", "events"):
        query = f"SELECT seq FROM {table} WHERE attempt_id = ?"  # noqa: S608
        found += [(table, seq) for (seq,) in connection.execute(query, (attempt_id,))]
    for table in ("order_changes", "fill_reports"):
        query = (
            f"SELECT t.seq FROM {table} t JOIN order_intents i ON i.client_order_id = t.client_order_id "  # noqa: S608
            "WHERE i.attempt_id = ?"
        )
        found += [(table, seq) for (seq,) in connection.execute(query, (attempt_id,))]
    return found
