"""What the collector of cycles may cost: little each time, and each minute."""

from __future__ import annotations

import gc
from typing import Final

from models.clock import SECOND, Clock

PERIOD_NS: Final = 60 * SECOND


def settle() -> None:
    """Leave everything that stays (modules, configuration, catalog) to no later collection.

    A full one looks at everything and stops every thread meanwhile, halts included: some 50 ms, 1 ms without these.
    """
    gc.collect()
    gc.freeze()


class Tidying:
    """Called each turn of the watchdog. Python collects by the number of objects that are alive and new, which in a bot
    that has settled comes round once in an hour; what dead connections hold meanwhile looks like a leak.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock.boot_ns()

    def __call__(self) -> None:
        now = self._clock.boot_ns()
        if now - self._last >= PERIOD_NS:
            self._last = now
            gc.collect()
