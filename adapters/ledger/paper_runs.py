"""The paper runs that a ledger remembers, for the live gate. Read-only."""

from __future__ import annotations

import json
import sqlite3
from typing import Final

from models.clock import WallNs
from models.live_gate import PaperRun, addresses
from models.market import VenueName

_RUNS: Final = """
    SELECT s.venue, f.effective, s.at, e.at, e.left_open,
        (SELECT coalesce(sum(m.evaluations), 0) FROM set_minutes m
         WHERE m.seq > s.seq AND m.seq < coalesce(e.seq, 9223372036854775807))
    FROM run_starts s JOIN configs f ON f.config_hash = s.config_hash LEFT JOIN run_stops e ON e.run_id = s.run_id
    WHERE s.mode = 'paper' ORDER BY s.seq"""


def paper_runs(connection: sqlite3.Connection) -> list[PaperRun]:
    """Oldest first. A run without its last row ended when it began, and not in order."""
    return [
        PaperRun(
            venues={
                VenueName(name): addresses(json.loads(effective).get("venues", {}).get(name, {}))
                for name in venue.split("+")
            },
            began=WallNs(began),
            ended=WallNs(began if ended is None else ended),
            in_order=ended is not None,
            left_open=left_open or 0,
            updates=updates,
        )
        for venue, effective, began, ended, left_open, updates in connection.execute(_RUNS)
    ]
