"""A rate budget: we slow down before the venue makes us.

A token bucket that keeps a share for protection. Ordinary calls may not take the last tokens, so a cancel or an unwind
never waits behind reads and openings (reliability.md T12).
"""

from __future__ import annotations

import threading
from typing import Final

from models.clock import SECOND, BootNs, Clock

RESERVED_SHARE: Final = 5
"""One fifth of the bucket, at least one token, is for protection."""
LONGEST_S: Final = 60
"""No `Retry-After` keeps us away for longer."""


def retry_after_ns(header: str) -> int | None:
    """How long a `Retry-After` in seconds asks to wait, at least a second; None where it does not say."""
    if not (header.isascii() and header.isdigit() and len(header) <= 6):
        return None
    return min(LONGEST_S, max(1, int(header))) * SECOND


class RateBudget:
    """Requests of one venue account. Any thread may ask; nobody waits in here."""

    def __init__(self, clock: Clock, per_second: int, burst: int | None = None) -> None:
        """`burst` requests may go at once (default: a second's worth, at least two), then `per_second`."""
        self._clock = clock
        self._cost = SECOND // per_second
        self._full = self._cost * max(2, per_second if burst is None else burst)
        self._reserve = max(self._cost, self._full // RESERVED_SHARE // self._cost * self._cost)
        self._lock = threading.Lock()
        self._credit = self._full
        self._as_of: BootNs = clock.boot_ns()

    def take(self, *, protective: bool = False) -> int:
        """0 where the request may go now (and is counted); else the nanoseconds after which to ask again."""
        floor = 0 if protective else self._reserve
        with self._lock:
            now = self._clock.boot_ns()
            self._credit = min(self._full, self._credit + now - self._as_of)
            self._as_of = now
            missing = floor + self._cost - self._credit
            if missing > 0:
                return missing
            self._credit -= self._cost
            return 0

    def pause(self, ns: int) -> None:
        """The venue asked for a pause (`Retry-After`): nothing goes for this long."""
        with self._lock:
            self._as_of = self._clock.boot_ns()
            self._credit = -ns
