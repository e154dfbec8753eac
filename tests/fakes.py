"""Hand-made stand-ins with the real interfaces: a clock that only a test moves, an address that collects, ids that
count.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TypeVar

from models.clock import MS, BootNs, WallNs

START_WALL = WallNs(1_795_334_400_000 * MS)
START_BOOT = BootNs(1_000_000_000_000)

M = TypeVar("M")


class FakeTimer:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock:
    """`models.clock.Clock`. Time stands still until `advance`, which fires what is due, in order of its time."""

    def __init__(self, wall: int = START_WALL, boot: int = START_BOOT) -> None:
        self.wall = wall
        self.boot = boot
        self._timers: list[tuple[int, int, FakeTimer, Callable[[], None]]] = []
        self._made = 0

    def wall_ns(self) -> WallNs:
        return WallNs(self.wall)

    def boot_ns(self) -> BootNs:
        return BootNs(self.boot)

    def call_after(self, delay_ns: int, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer()
        self._made += 1
        heapq.heappush(self._timers, (self.boot + max(0, delay_ns), self._made, timer, callback))
        return timer

    def advance(self, by_ns: int) -> None:
        """Move both clocks on; each timer sees the time that it was set for."""
        until = self.boot + by_ns
        while self._timers and self._timers[0][0] <= until:
            at, _, timer, callback = heapq.heappop(self._timers)
            self._move_to(at)
            if not timer.cancelled:
                callback()
        self._move_to(until)

    def _move_to(self, boot: int) -> None:
        moved = max(0, boot - self.boot)
        self.boot += moved
        self.wall += moved


class Collector:
    """`actors.base.Address` that keeps everything it is told, in order."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def tell(self, message: object) -> None:
        self.told.append(message)

    def of(self, kind: type[M]) -> list[M]:
        """The messages of one type."""
        return [message for message in self.told if isinstance(message, kind)]

    def last(self, kind: type[M]) -> M:
        return self.of(kind)[-1]

    def clear(self) -> None:
        self.told.clear()


class CountingIds:
    """`models.clock.Ids`: `e-1`, `o-2`, ..."""

    def __init__(self) -> None:
        self.given = 0

    def fresh(self, prefix: str) -> str:
        self.given += 1
        return f"{prefix}-{self.given}"
