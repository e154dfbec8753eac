"""The bug garden: the bot with one line wrong, many times over. Whoever proves the bot has to find every one of them.

Each bug names the invariants of which at least one should break; a bug that nobody finds is a hole in the proof, not in
the bot. `tests/garden.py` looks for them all.
"""

from __future__ import annotations

from tests.sim import bugs_of_guards, bugs_of_orders
from tests.sim.planting import BUGS, Bug, planted

__all__ = ["BUGS", "Bug", "bugs_of_guards", "bugs_of_orders", "planted"]
