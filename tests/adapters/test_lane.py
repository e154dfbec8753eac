"""One lane by itself: how it waits for the rate budget."""

from __future__ import annotations

import threading

from adapters.clock import SystemClock
from adapters.order_lanes import Job, Lane
from models.clock import MS, SECOND, BootNs


class Scarce:
    """A budget that has nothing to give for a tenth of a second."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._free_at = clock.boot_ns() + 100 * MS
        self.asked = threading.Event()
        self.times = 0

    def take(self, *, protective: bool = False) -> int:
        self.times += 1
        self.asked.set()
        return max(0, self._free_at - self._clock.boot_ns())


def test_a_protective_job_waits_out_the_budget_although_the_lane_ends_and_does_not_spin() -> None:
    clock = SystemClock()
    budget, told = Scarce(clock), []
    lane = Lane("x", 1, bound=None, clock=clock, budget=budget, on_lost=told.append)  # type: ignore[arg-type]
    lane.start()
    lane.put(
        Job(
            run=lambda: told.append("run"),
            late=lambda: told.append("late"),
            lost=lambda: told.append("lost"),
            deadline=BootNs(clock.boot_ns() + 5 * SECOND),
            protective=True,
        )
    )
    assert budget.asked.wait(5)

    assert lane.stop(5)

    assert told == ["run"]
    assert budget.times < 10
