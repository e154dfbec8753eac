"""One world that lives for hours instead of a minute: `python -m tests.prove --hours 6`.

Every few minutes another part of the fault catalogue is on, with other rates. In the first third processes die of it;
from then on one process has to live to the end, and what it remembers must not grow. Left out is only what would end
the trading for good: markets that close, and money or shares that somebody else moves (the bot halts, and is right).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from actors import order_routes
from actors.simulation import Trace
from adapters.ledger import fills
from models.clock import SECOND
from tests.sim.faults import Reached
from tests.sim.invariants import Violation
from tests.sim.liveness import come_to_rest, take_up_again
from tests.sim.setting import SETTINGS, Setting, setting
from tests.sim.sizes import sizes
from tests.sim.truth import check_history, compare_books
from tests.sim.world import TOO_MANY, World

HOUR_NS: Final = 3600 * SECOND
ERA_NS: Final = 300 * SECOND
FINAL: Final = frozenset({"close_market", "resolve", "stranger", "short_cash"})
"""Faults that end the trading."""
MORTAL: Final = frozenset({"kill", "kill_in_step", "actor_raises", "ledger_fails"})
"""Faults that end a process."""
KEPT: Final = 128
"""In the place of `order_routes.KEPT` and `fills.KEPT`, so that their tables are full long before they are measured."""
JUDGED_NS: Final = 3 * HOUR_NS
GROWTH: Final = 1.2
ROOM: Final = 64
"""Entries by which a collection may differ by chance: what is in flight, what a book shows."""


@dataclass(slots=True)
class Long:
    """What a long run showed."""

    seed: int
    violation: str | None = None
    trace: str = ""
    virtual_ns: int = 0
    steps: int = 0
    orders: int = 0
    decisions: int = 0
    restarts: int = 0
    last_life_ns: int = 0
    rows: int = 0
    attempts: dict[str, int] = field(default_factory=dict)
    reached: Reached = field(default_factory=Reached)
    samples: list[tuple[int, Counter[str]]] = field(default_factory=list)
    """(virtual time, entries by collection) of the last process, one per era."""


def run_hours(seed: int, hours: float, trace: Trace | None = None) -> Long:
    """Never raises; a violation is part of the outcome."""
    long, whole = Long(seed), (order_routes.KEPT, fills.KEPT)
    order_routes.KEPT = fills.KEPT = KEPT  # type: ignore[misc]
    end_ns = int(hours * HOUR_NS)
    world = World(seed, patient=True, chosen=_setting(seed), midnight_at=end_ns // 2, trace=trace)
    world.most_steps = int(TOO_MANY * (1 + 60 * hours))
    try:
        _play(world, end_ns, long)
    except Violation as violation:
        long.violation = str(violation)
    except Exception as error:  # noqa: BLE001  a bug of ours or of the bot: it has a seed, and that is what counts
        long.violation = f"crashed: {error!r}"
    finally:
        order_routes.KEPT, fills.KEPT = whole  # type: ignore[misc]
    long.trace = world.trace.digest()
    long.virtual_ns, long.steps, long.restarts = world.now, world.steps, world.restarts
    long.orders, long.decisions = len(world.judge.orders), world.judge.decisions
    long.last_life_ns = world.now - world.bot.began
    long.reached = world.faults.reached
    long.rows = world.bot.ledger.writer.head.seq
    long.attempts = dict(world.disk.connection.execute(_ENDINGS).fetchall())
    world.close()
    return long


def _play(world: World, end_ns: int, long: Long) -> None:
    world.start()
    eras = max(3, end_ns // ERA_NS)
    for era in range(eras):
        mortal = era < eras // 3
        world.faults.change(FINAL if mortal else FINAL | MORTAL)
        world.run_for(end_ns // eras)
        if mortal:
            continue
        if not long.samples or long.samples[-1][0] < world.bot.began:
            long.samples.clear()
        if not world.bot.over:
            long.samples.append((world.now, sizes(world.bot)))
    come_to_rest(world)
    compare_books(world)
    check_history(world)
    take_up_again(world)
    world.trace.data(world.bot.ledger.writer.head.hash)
    check_memory(long)


def growth(long: Long) -> list[tuple[str, int, int]]:
    """(collection, most entries in the first half, in the second half) of the last process, the largest first."""
    half = len(long.samples) // 2
    early, late = Counter[str](), Counter[str]()
    for index, (_, found) in enumerate(long.samples):
        for name, entries in found.items():
            side = early if index < half else late
            side[name] = max(side[name], entries)
    return sorted(((name, early[name], late[name]) for name in early | late), key=lambda row: -row[2])


def check_memory(long: Long) -> None:
    """I20: nothing holds more in the second half of the last process's life than in the first. Judged where the first
    half is long enough to fill what has a bound (2,048 latencies, 256 released attempts).
    """
    if not long.samples or long.samples[-1][0] - long.samples[0][0] < JUDGED_NS:
        return
    for name, early, late in growth(long):
        if late > early * GROWTH + ROOM:
            raise Violation("I20", f"{name} grows: {early} entries at most in the first half, {late} in the second")


def _setting(seed: int) -> Setting:
    """One in which trading never runs out: sets of one market, merged where they are complete."""
    for number in range(seed, seed + SETTINGS):
        one = setting(number % SETTINGS, live=True, patient=True)
        if one.merges and all(terms.merges for terms in one.plan.execution):
            return one
    raise AssertionError("no setting merges all its sets")


_ENDINGS = (
    "SELECT ending, COUNT(*) FROM attempt_changes c WHERE ending IS NOT NULL "
    "AND seq = (SELECT MAX(seq) FROM attempt_changes WHERE attempt_id = c.attempt_id) GROUP BY ending"
)
