"""Lag beyond the fastest recent delivery, whatever the clocks' offset."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from models.clock import MS, BootNs, Timer, WallNs
from models.lag import WINDOW_MS, LagMeter


def lags(deliveries: list[tuple[int, int]]) -> list[int]:
    """Lag of each (received ms, exchange ms)."""
    meter = LagMeter()
    return [meter.lag_ms(BootNs(received * MS), exchange) for received, exchange in deliveries]


def test_a_growing_backlog_shows_as_growing_lag() -> None:
    assert lags([(100, 5_000), (210, 5_100), (1_320, 5_200), (1_330, 6_230)]) == [0, 10, 1_020, 0]


class AClock:
    """What time it is when a frame is handled."""

    def __init__(self) -> None:
        self.ms = 0

    def wall_ns(self) -> WallNs:
        raise NotImplementedError

    def boot_ns(self) -> BootNs:
        return BootNs(self.ms * MS)

    def call_after(self, delay_ns: int, callback: Callable[[], None]) -> Timer:
        raise NotImplementedError


def test_frames_that_waited_are_late_and_those_after_them_are_not() -> None:
    """While a backlog lasts, each frame was received no earlier than its first; that must not pass for fast."""
    clock = AClock()
    meter = LagMeter(clock)
    found = []
    for received, handled, exchange in [(5, 6, 0), (5, 5_006, 100), (5, 5_007, 4_900), (6_005, 6_006, 6_000)]:
        clock.ms = handled
        found.append(meter.lag_ms(BootNs(received * MS), exchange))

    assert found == [0, 4_900, 101, 0]


@given(offset=st.integers(-(10**13), 10**13), delays=st.lists(st.integers(0, 60_000), min_size=1, max_size=30))
def test_the_offset_between_the_clocks_does_not_matter(offset: int, delays: list[int]) -> None:
    deliveries = [(1_000 * n + delay, 1_000 * n) for n, delay in enumerate(delays)]

    assert lags(deliveries) == lags([(received, exchange + offset) for received, exchange in deliveries])


def test_a_drift_of_the_clocks_is_forgotten_after_two_windows() -> None:
    slow = [(n * 1_000 + n, n * 1_000) for n in range(3 * WINDOW_MS // 1_000)]

    assert max(lags(slow)) <= 2 * WINDOW_MS // 1_000 + 1


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**13)), max_size=50))
def test_lag_is_never_negative(deliveries: list[tuple[int, int]]) -> None:
    assert all(lag >= 0 for lag in lags(sorted(deliveries)))
