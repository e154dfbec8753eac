"""When the bot ran, and when its feed was down: read from run rows, events and the last signs of life."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from models.clock import MINUTE
from models.report_facts import Outage, RunSpan

_SIGNS: Final = ("events", "opportunities", "market_ticks", "attempt_changes")
"""Tables whose rows carry the time at which they were written."""

LAST_SEQ: Final = 2**63 - 1


def run_spans(connection: sqlite3.Connection, low: int, high: int) -> list[RunSpan]:
    """Runs that touch the period, oldest first. A run without a stop row ended with its last sign of life."""
    rows = connection.execute("""
        SELECT s.seq, s.run_id, s.mode, s.venue, s.at, e.at, lead(s.seq) OVER (ORDER BY s.seq)
        FROM run_starts s LEFT JOIN run_stops e ON e.run_id = s.run_id ORDER BY s.seq
    """).fetchall()
    spans = []
    for _, run_id, mode, venue, began, stopped, next_seq in rows:
        ended = stopped if stopped is not None else max(began, last_sign(connection, next_seq) or began)
        if ended >= low and began <= high:
            spans.append(RunSpan(run_id, mode, venue, began, ended, stopped is not None))
    return spans


@dataclass(frozen=True, slots=True)
class RowsOf:
    """The rows that the runs of one mode wrote: `seq` counts through all tables, and one bot writes at a time."""

    windows: tuple[tuple[int, int], ...] | None
    """First and last `seq` of runs that follow each other in that mode; None where the ledger knows no other."""

    def test(self, column: str) -> tuple[str, tuple[int, ...]]:
        """A condition on `column`, a table's `seq`, with its values."""
        if self.windows is None:
            return "1", ()
        tests = [f"{column} BETWEEN ? AND ?"] * len(self.windows)
        return f"({' OR '.join(tests) or '0'})", tuple(bound for window in self.windows for bound in window)


ALL_ROWS: Final = RowsOf(None)


def rows_of(connection: sqlite3.Connection, mode: str) -> RowsOf:
    starts = connection.execute("SELECT seq, mode FROM run_starts ORDER BY seq").fetchall()
    if {found for _, found in starts} <= {mode}:
        return ALL_ROWS
    windows: list[tuple[int, int]] = []
    ends = [seq - 1 for seq, _ in starts[1:]] + [LAST_SEQ]
    for (began, found), ended in zip(starts, ends, strict=True):
        if found != mode:
            continue
        if windows and windows[-1][1] == began - 1:
            windows[-1] = windows[-1][0], ended
        else:
            windows.append((began, ended))
    return RowsOf(tuple(windows))


def last_sign(connection: sqlite3.Connection, before_seq: int | None = None) -> int | None:
    """Time of the last row written before row `before_seq` (of all rows where None)."""
    bound = 2**63 - 1 if before_seq is None else before_seq
    found = []
    for table in _SIGNS:
        row = connection.execute(f"SELECT at FROM {table} WHERE seq < ? ORDER BY seq DESC LIMIT 1", (bound,)).fetchone()  # noqa: S608
        found += [] if row is None else [row[0]]
    row = connection.execute(
        "SELECT max(minute) FROM (SELECT minute FROM set_minutes WHERE seq < ? ORDER BY seq DESC LIMIT 1)", (bound,)
    ).fetchone()
    if row[0] is not None:
        found.append(row[0] * MINUTE)
    for table in ("run_starts", "run_stops"):
        row = connection.execute(f"SELECT at FROM {table} WHERE seq < ? ORDER BY seq DESC LIMIT 1", (bound,)).fetchone()  # noqa: S608
        found += [] if row is None else [row[0]]
    return max(found, default=None)


def outages(connection: sqlite3.Connection, low: int, high: int, of: RowsOf) -> list[Outage]:
    """Times without market data: from a loss to the connection that followed it, or to the end of the run."""
    mine, bounds = of.test("seq")
    rows = connection.execute(
        "SELECT at, kind, text, duration_ns, facts ->> 'feed' FROM events "  # noqa: S608  our own names
        f"WHERE kind IN ('disconnected', 'reconnected') AND at BETWEEN ? AND ? AND {mine} ORDER BY seq",
        (low, high, *bounds),
    ).fetchall()
    found = []
    waiting: dict[str, tuple[int, str]] = {}
    for at, kind, text, duration_ns, feed in rows:
        if kind == "disconnected":
            waiting.setdefault(feed or "", (at, text))
            continue
        lost = waiting.pop(feed or "", None)
        if duration_ns:
            found.append(Outage(at - duration_ns, at, "" if lost is None else lost[1]))
    still = [Outage(at, last_sign(connection) or at, text) for at, text in waiting.values()]
    return _merged([*found, *still])


def _merged(outages: list[Outage]) -> list[Outage]:
    """Overlapping outages of several feeds count once."""
    merged: list[Outage] = []
    for outage in sorted(outages, key=lambda o: o.began):
        if merged and outage.began <= merged[-1].ended:
            last = merged[-1]
            merged[-1] = Outage(last.began, max(last.ended, outage.ended), last.why)
        else:
            merged.append(outage)
    return merged
