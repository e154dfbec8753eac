"""Time, chance and ids as arguments: nothing in `models/` or `actors/` reads them from the machine.

Three clocks are kept apart because they fail apart (`CLOCK_MONOTONIC` stops while a laptop sleeps, the wall clock is
set by hand and by NTP): ages and deadlines use `boot_ns`, what people read uses `wall_ns`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NewType, Protocol

WallNs = NewType("WallNs", int)
"""Nanoseconds since 1970 UTC. May jump either way; never used for an age or a deadline."""

BootNs = NewType("BootNs", int)
"""Nanoseconds since boot, suspend included, never backwards. The only time that ages and deadlines use."""

MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 24 * 60 * MINUTE


def seconds_ns(seconds: float) -> int:
    """Whole nanoseconds in `seconds` (durations only; money never passes through here)."""
    return round(seconds * SECOND)


def utc_day(wall: WallNs) -> int:
    """Days since 1970."""
    return wall // DAY


class Timer(Protocol):
    """A pending call. Cancelling twice, or after it fired, does nothing."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """The machine's clock, or the simulator's."""

    def wall_ns(self) -> WallNs: ...

    def boot_ns(self) -> BootNs: ...

    def call_after(self, delay_ns: int, callback: Callable[[], None]) -> Timer:
        """Run `callback` once, about `delay_ns` from now, on the clock's own thread. It must only `tell`."""
        ...


class Ids(Protocol):
    """Source of fresh identifiers. Unique within one ledger, ordered by creation within one process."""

    def fresh(self, prefix: str) -> str:
        """`prefix-` and a short text that has not been given out before, for example `o-7f31c2`."""
        ...
