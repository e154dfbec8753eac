"""What a new process takes up from the old one: read from the ledger once, before any actor runs.

The ledger has been verified and the instance lock is held. Nothing here asks the venue: the executors do, as on any
other day, and `actors/reconcile.py` keeps the gate held until all of it has been settled and compared.
"""

from __future__ import annotations

import sqlite3

from actors.network import Recovered
from actors.plan import Plan
from adapters.ledger.errors import OtherLegsError
from adapters.ledger.unfinished import recent_incidents, resolutions_seen, stored_attempts
from models.clock import Clock, WallNs
from models.kill_switch import kill_switch
from models.recovery import made_otherwise, recover, windows


def take_up(plan: Plan, connection: sqlite3.Connection, clock: Clock) -> Recovered:
    """Main thread, after the ledger has been opened and verified. `connection` reads it. Raises `OtherLegsError`."""
    now, wall = clock.boot_ns(), clock.wall_ns()
    switch = kill_switch(plan.config.risk)
    longest = max((condition.window_ns for condition in switch.conditions), default=0)
    stored = stored_attempts(connection, wall)
    incidents = recent_incidents(connection, WallNs(wall - longest))
    sets = {terms.complete_set.set_id: terms for terms in plan.execution}
    for odd in made_otherwise(stored, sets):
        legs = ", ".join(f"{leg.market_id} {leg.outcome.value.lower()}" for leg in odd.legs)
        raise OtherLegsError(odd.set_id, odd.attempt_id, legs)
    found = recover(stored, sets, now, wall, resolutions_seen(connection))
    return Recovered(
        risk=found.risk,
        executors=found.executors,
        switch=windows(switch, incidents, now, wall),
        rows=found.rows,
        unfinished=found.unfinished,
        orphans=found.orphans,
    )
