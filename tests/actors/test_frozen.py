"""A process that did not run for a while (a suspend, SIGSTOP, swap) finds nobody guilty of it on waking (K02, K04)."""

from __future__ import annotations

from pathlib import Path

from actors.simulation import SimClock
from actors.watchdog import TRIP_NS, Probe, Watchdog
from models.clock import MS, SECOND

PERIOD_NS = 250 * MS


class Hanging:
    """A worker that hangs at one message, and the watchdog that looks at it."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock = SimClock()
        self.trips: list[str] = []
        probe = Probe(handled=lambda: 7, busy=lambda: "ledger")
        self.dog = Watchdog(
            self.clock, lambda: {"ledger": probe}, trip=self.trips.append, every_turn=(), stacks=tmp_path / "stacks"
        )

    def looks(self, every_ns: int, times: int = 1) -> None:
        for _ in range(times):
            self.clock.now += every_ns
            self.dog.look()


def test_a_worker_is_not_stuck_for_the_time_in_which_nothing_ran(tmp_path: Path) -> None:
    hanging = Hanging(tmp_path)
    hanging.looks(PERIOD_NS, 4)

    hanging.looks(3600 * SECOND)
    assert hanging.trips == []
    hanging.looks(PERIOD_NS, TRIP_NS // PERIOD_NS)

    assert "ledger: ledger has made no progress for 2." in hanging.trips[0]


def test_a_watchdog_that_hardly_gets_a_turn_finds_a_stuck_worker_all_the_same(tmp_path: Path) -> None:
    hanging = Hanging(tmp_path)

    hanging.looks(5 * SECOND, 12)

    assert hanging.trips


def test_slow_tasks_of_the_watchdog_itself_do_not_excuse_a_stuck_worker(tmp_path: Path) -> None:
    clock, trips = SimClock(), []

    def slow() -> None:
        clock.now += 3 * SECOND // 2

    probe = Probe(handled=lambda: 7, busy=lambda: "ledger")
    dog = Watchdog(clock, lambda: {"ledger": probe}, trip=trips.append, every_turn=(slow,), stacks=tmp_path / "stacks")
    for _ in range(3):
        clock.now += PERIOD_NS
        dog.turn()

    assert "ledger: ledger has made no progress for 3." in trips[0]
