"""The rate budget: bursts, refill, and a share that only protection may use."""

from __future__ import annotations

from collections.abc import Callable

from adapters.rate import RateBudget
from models.clock import SECOND, BootNs, Timer, WallNs


class HandClock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now = 0

    def boot_ns(self) -> BootNs:
        return BootNs(self.now)

    def wall_ns(self) -> WallNs:
        return WallNs(self.now)

    def call_after(self, delay_ns: int, callback: Callable[[], None]) -> Timer:
        raise NotImplementedError


def taken(budget: RateBudget, *, protective: bool = False) -> int:
    count = 0
    while budget.take(protective=protective) == 0:
        count += 1
    return count


def test_a_burst_is_one_seconds_worth_and_leaves_a_share_for_protection() -> None:
    budget = RateBudget(HandClock(), per_second=10)

    assert taken(budget) == 8
    assert taken(budget, protective=True) == 2


def test_the_smallest_budget_still_lets_protection_through() -> None:
    budget = RateBudget(HandClock(), per_second=1)

    assert taken(budget) == 1
    assert taken(budget, protective=True) == 1


def test_the_wait_that_is_named_is_enough_and_not_too_long() -> None:
    clock = HandClock()
    budget = RateBudget(clock, per_second=5)
    taken(budget)

    wait_ns = budget.take()
    clock.now += wait_ns - 1
    early = budget.take()
    clock.now += early

    assert wait_ns == SECOND // 5
    assert early == 1
    assert budget.take() == 0


def test_an_idle_budget_does_not_save_more_than_a_burst() -> None:
    clock = HandClock()
    budget = RateBudget(clock, per_second=10)
    taken(budget)
    clock.now += 3_600 * SECOND

    assert taken(budget) == 8


def test_a_pause_that_the_venue_asked_for_holds_for_everyone() -> None:
    clock = HandClock()
    budget = RateBudget(clock, per_second=10)

    budget.pause(2 * SECOND)

    assert budget.take(protective=True) >= 2 * SECOND
    clock.now += 2 * SECOND + SECOND // 10
    assert budget.take(protective=True) == 0
