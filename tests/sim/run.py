"""One seed from begin to end: trade under faults, let everything come to rest, compare the books."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from models.clock import SECOND
from tests.sim.faults import Reached
from tests.sim.invariants import Violation
from tests.sim.liveness import come_to_rest, take_up_again
from tests.sim.truth import check_history, compare_books
from tests.sim.world import World

TRADING_NS = 40 * SECOND


@dataclass(slots=True)
class Outcome:
    seed: int
    trace: str = ""
    violation: str | None = None
    virtual_ns: int = 0
    steps: int = 0
    orders: int = 0
    decisions: int = 0
    restarts: int = 0
    attempts: dict[str, int] = field(default_factory=dict)
    reached: Reached = field(default_factory=Reached)


def mode_of(seed: int) -> str:
    """What kind of run a seed is, unless it is told otherwise."""
    return "paper" if seed % 12 == 5 else "patient" if seed % 4 == 3 else "live"


def run(seed: int, **options: Any) -> Outcome:
    """Never raises; a violation is part of the outcome."""
    mode = mode_of(seed)
    world = World(seed, **{"live": mode != "paper", "patient": mode == "patient", **options})
    outcome = Outcome(seed)
    try:
        play(world)
    except Violation as violation:
        outcome.violation = str(violation)
    except Exception as error:  # noqa: BLE001  a bug of ours or of the bot: it has a seed, and that is what counts
        outcome.violation = f"crashed: {error!r}"
    outcome.trace = world.trace.digest()
    outcome.virtual_ns, outcome.steps = world.now, world.steps
    outcome.orders, outcome.decisions = len(world.judge.orders), world.judge.decisions
    outcome.restarts = world.restarts
    outcome.reached = world.faults.reached
    outcome.attempts = dict(world.disk.connection.execute(_ENDINGS).fetchall())
    world.close()
    return outcome


def play(world: World) -> None:
    world.start()
    world.run_for(TRADING_NS)
    come_to_rest(world)
    compare_books(world)
    check_history(world)
    take_up_again(world)
    world.trace.data(world.bot.ledger.writer.head.hash)


_ENDINGS = "SELECT ending, COUNT(*) FROM attempt_changes WHERE ending IS NOT NULL GROUP BY ending"
