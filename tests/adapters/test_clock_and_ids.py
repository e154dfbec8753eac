"""The machine's clock, its timer thread, and identifiers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from adapters.clock import SystemClock
from adapters.ids import SystemIds, base32
from models.clock import MS, SECOND, BootNs
from tests.polling import until


@pytest.fixture
def clock() -> Iterator[SystemClock]:
    clock = SystemClock()
    clock.start()
    yield clock
    clock.stop()


def test_boot_time_counts_up_and_wall_time_is_now(clock: SystemClock) -> None:
    first, second = clock.boot_ns(), clock.boot_ns()

    assert 0 < first <= second
    assert abs(clock.wall_ns() - time.time() * SECOND) < SECOND


def test_timers_fire_in_the_order_they_are_due_and_not_before(clock: SystemClock) -> None:
    fired: list[tuple[str, int]] = []
    done = threading.Event()
    began = clock.boot_ns()

    clock.call_after(30 * MS, lambda: fired.append(("second", clock.boot_ns())))
    clock.call_after(60 * MS, done.set)
    clock.call_after(0, lambda: fired.append(("first", clock.boot_ns())))
    clock.call_after(30 * MS, lambda: fired.append(("third", clock.boot_ns())))

    assert done.wait(5)
    assert [name for name, _ in fired] == ["first", "second", "third"]
    assert fired[1][1] - began >= 30 * MS


def test_an_earlier_timer_set_later_does_not_wait_for_the_one_that_was_first(clock: SystemClock) -> None:
    fired = threading.Event()
    clock.call_after(60 * SECOND, lambda: None)

    clock.call_after(MS, fired.set)

    assert fired.wait(2)


def test_a_cancelled_timer_never_fires_and_cancelling_again_does_nothing(clock: SystemClock) -> None:
    fired: list[str] = []
    done = threading.Event()
    cancelled = clock.call_after(10 * MS, lambda: fired.append("cancelled"))
    last = clock.call_after(30 * MS, done.set)

    cancelled.cancel()
    cancelled.cancel()

    assert done.wait(5)
    last.cancel()
    assert fired == []


def test_a_callback_that_raises_is_told_of_and_the_next_timer_still_fires() -> None:
    failures: list[BaseException] = []
    done = threading.Event()
    clock = SystemClock(on_failure=failures.append)
    clock.start()

    clock.call_after(0, lambda: 1 / 0)  # type: ignore[arg-type]
    clock.call_after(MS, done.set)

    assert done.wait(5)
    clock.stop()
    assert [type(failure) for failure in failures] == [ZeroDivisionError]


def test_a_stopped_clock_fires_nothing_more() -> None:
    clock = SystemClock()
    clock.start()
    fired = threading.Event()
    clock.call_after(20 * MS, fired.set)

    clock.stop()
    clock.call_after(0, fired.set)

    assert not fired.wait(0.05)


def test_a_clock_may_be_stopped_from_its_own_callback() -> None:
    clock = SystemClock()
    clock.start()
    stopped = threading.Event()

    def stop() -> None:
        clock.stop()
        stopped.set()

    clock.call_after(0, stop)
    assert stopped.wait(0.5)


def test_thousands_of_cancelled_timers_do_not_pile_up(clock: SystemClock) -> None:
    keep = clock.call_after(60 * SECOND, lambda: None)
    for _ in range(5_000):
        clock.call_after(60 * SECOND, lambda: None).cancel()

    assert len(clock._heap) < 1_000
    keep.cancel()


def test_timers_that_came_due_during_a_suspend_fire_on_waking() -> None:
    """CLOCK_BOOTTIME goes on in a suspend, a thread's wait does not: the clock has to look, not to sleep it out."""

    class Suspended(SystemClock):
        slept_ns = 0

        def boot_ns(self) -> BootNs:
            return BootNs(super().boot_ns() + self.slept_ns)

    clock = Suspended()
    clock.start()
    fired = threading.Event()
    clock.call_after(3600 * SECOND, fired.set)

    clock.slept_ns = 7200 * SECOND

    assert fired.wait(2)
    clock.stop()


def test_the_lag_of_a_hung_timer_thread_shows_also_where_nothing_else_is_due(clock: SystemClock) -> None:
    hold, held = threading.Event(), threading.Event()

    def hang() -> None:
        held.set()
        hold.wait(5)

    assert (clock.lag_ns(), clock.fired) == (0, 0)
    clock.call_after(0, hang)
    assert held.wait(5)
    until(lambda: clock.lag_ns() >= 20 * MS, "the lag is seen")
    assert clock.fired == 0

    hold.set()
    until(lambda: (clock.lag_ns(), clock.fired) == (0, 1), "well again")


def test_the_lag_of_timers_that_nobody_fires_shows_behind_cancelled_ones() -> None:
    clock = SystemClock()
    clock.call_after(0, lambda: None).cancel()
    clock.call_after(0, lambda: None)

    until(lambda: clock.lag_ns() >= 20 * MS, "the lag is seen")


def test_ids_are_distinct_sorted_and_short() -> None:
    ids = SystemIds()

    made = [ids.fresh("o") for _ in range(2_000)]

    assert len(set(made)) == 2_000
    assert made == sorted(made)
    assert all(len(each) == len("o-k3f9x2ma-00001") for each in made)


def test_two_processes_do_not_share_ids() -> None:
    runs = {SystemIds().fresh("o") for _ in range(1_000)}

    assert len(runs) == 1_000


def test_ids_come_from_the_given_entropy() -> None:
    ids = SystemIds(entropy=lambda size: bytes(range(size)))

    assert [ids.fresh("o"), ids.fresh("set")] == ["o-000g40r4-00001", "set-000g40r4-00002"]


def test_ids_of_many_threads_are_distinct() -> None:
    ids = SystemIds()
    made: list[str] = []

    def make() -> None:
        made.extend(ids.fresh("o") for _ in range(2_000))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 8_000


def test_base32_grows_beyond_its_width() -> None:
    assert [base32(number, 2) for number in (0, 31, 32, 1023, 1024)] == ["00", "0z", "10", "zz", "100"]
