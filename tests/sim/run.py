"""One seed from begin to end: trade under faults, let everything come to rest, compare the books."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from models.clock import SECOND
from tests.sim.faults import Reached
from tests.sim.invariants import Violation
from tests.sim.truth import check_history, compare_books, open_questions
from tests.sim.world import World

TRADING_NS = 40 * SECOND
REST_NS = 20 * SECOND
PATIENCE_NS = 120 * SECOND
"""After the faults have stopped, everything must be known within this time at the latest."""


@dataclass(slots=True)
class Outcome:
    seed: int
    trace: str = ""
    violation: str | None = None
    virtual_ns: int = 0
    steps: int = 0
    orders: int = 0
    attempts: dict[str, int] = field(default_factory=dict)
    reached: Reached = field(default_factory=Reached)


def run(seed: int, **options: Any) -> Outcome:
    """Never raises; a violation is part of the outcome."""
    world = World(seed, **options)
    outcome = Outcome(seed)
    try:
        play(world)
    except Violation as violation:
        outcome.violation = str(violation)
    except Exception as error:  # noqa: BLE001  a bug of ours or of the bot: it has a seed, and that is what counts
        outcome.violation = f"crashed: {error!r}"
    outcome.trace = world.trace.digest()
    outcome.virtual_ns, outcome.steps = world.now, world.steps
    outcome.orders = len(world.judge.orders)
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
    world.trace.data(world.bot.ledger.writer.head.hash)


def come_to_rest(world: World) -> None:
    """Faults stop, nothing opens any more, and everything is waited for."""
    world.faults.stop()
    world.venue.crowd.quiet = True
    world.bot.gate.hold("the end")
    waited = 0
    while waited < PATIENCE_NS:
        world.run_for(REST_NS if not waited else 10 * SECOND)
        waited += REST_NS if not waited else 10 * SECOND
        if not world.frozen and not world.bot.over and not world.bot.broken and not open_questions(world.bot):
            break
    else:
        raise Violation("I18", f"still open after {waited // SECOND} s: {open_questions(world.bot)}")
    world.bot.compare("at rest")
    for _ in range(30):
        world.run_for(SECOND)
        reconcile = world.bot.network.reconcile
        if reconcile is None or (reconcile._pass is None and not reconcile._wanted):
            return
    raise Violation("I18", "the comparison at rest does not end")


_ENDINGS = "SELECT ending, COUNT(*) FROM attempt_changes WHERE ending IS NOT NULL GROUP BY ending"
