"""The machine's clock and its one timer thread.

Ages and deadlines run on `CLOCK_BOOTTIME`, which goes on while a laptop sleeps. A waiting thread does not (its
timeout runs on `CLOCK_MONOTONIC`), so the timer thread looks at the clock at least every `LOOK_S`: after a suspend
the expired deadlines fire at once instead of hours late.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Final

from models.clock import SECOND, BootNs, Timer, WallNs

logger = logging.getLogger(__name__)

LOOK_S: Final = 0.5
"""Longest sleep of the timer thread while a timer is pending."""

STOP_S: Final = 1.0

# Darwin has no CLOCK_BOOTTIME; its CLOCK_MONOTONIC goes on during sleep.
_BOOT_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_COMPACT_ABOVE: Final = 256
"""Cancelled timers may lie in the heap until there are this many and they outnumber the live ones."""


class _Pending:
    """One timer. The clock's lock guards `callback`; None means fired or cancelled."""

    __slots__ = ("_cancelled", "callback", "due", "order")

    def __init__(
        self, due: int, order: int, callback: Callable[[], None], cancelled: Callable[[_Pending], None]
    ) -> None:
        self.due = due
        self.order = order
        self.callback: Callable[[], None] | None = callback
        self._cancelled = cancelled

    def cancel(self) -> None:
        self._cancelled(self)

    def __lt__(self, other: _Pending) -> bool:
        return (self.due, self.order) < (other.due, other.order)


class SystemClock:
    """`models.clock.Clock` on this machine. Timers fire between `start()` and `stop()`, on one daemon thread.

    A callback only tells; one that raises is logged and handed to `on_failure` (the gate's trip), and the next one
    runs.
    """

    def __init__(self, on_failure: Callable[[BaseException], None] | None = None) -> None:
        self._on_failure = on_failure
        self._heap: list[_Pending] = []
        self._dead = 0
        self._orders = count()
        self._changed = threading.Condition(threading.Lock())
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._began: BootNs | None = None
        """When the callback at work was called."""
        self.fired = 0
        """Callbacks that have come back; the watchdog looks whether it grows."""

    def wall_ns(self) -> WallNs:
        return WallNs(time.time_ns())

    def boot_ns(self) -> BootNs:
        return BootNs(time.clock_gettime_ns(_BOOT_CLOCK))

    def call_after(self, delay_ns: int, callback: Callable[[], None]) -> Timer:
        """Run `callback` once on the timer thread. Any thread may call; after `stop()` the timer never fires."""
        pending = _Pending(self.boot_ns() + delay_ns, next(self._orders), callback, self._cancel)
        with self._changed:
            heapq.heappush(self._heap, pending)
            if self._heap[0] is pending:
                self._changed.notify()
        return pending

    def start(self) -> None:
        if self._thread is not None:
            raise RuntimeError("the clock is already started")
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Fire nothing more and leave within `STOP_S`, also when called from a timer's own callback."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(STOP_S)

    def lag_ns(self) -> int:
        """How long the timer thread has been at one callback, or the earliest pending timer is overdue; 0 in good
        health. For the watchdog.
        """
        with self._changed:
            late = [pending.due for pending in self._heap if pending.callback is not None]
        began = self._began
        if began is not None:
            late.append(began)
        return max(0, self.boot_ns() - min(late)) if late else 0

    def _cancel(self, pending: _Pending) -> None:
        with self._changed:
            if pending.callback is None:
                return
            pending.callback = None
            self._dead += 1
            if self._dead > max(_COMPACT_ABOVE, len(self._heap) // 2):
                self._heap = [live for live in self._heap if live.callback is not None]
                heapq.heapify(self._heap)
                self._dead = 0

    def _run(self) -> None:
        while (callback := self._next_due()) is not None:
            self._began = self.boot_ns()
            try:
                callback()
            except BaseException as error:  # thread edge: one bad callback must not end all timers
                logger.exception("a timer's callback failed")
                if self._on_failure is not None:
                    self._on_failure(error)
            self._began = None
            self.fired += 1

    def _next_due(self) -> Callable[[], None] | None:
        """Block until a timer is due and take it; None when the clock stops."""
        with self._changed:
            while not self._stopping:
                if not self._heap:
                    self._changed.wait()
                    continue
                left_ns = self._heap[0].due - self.boot_ns()
                if left_ns > 0 and self._heap[0].callback is not None:
                    self._changed.wait(min(left_ns / SECOND, LOOK_S))
                    continue
                pending = heapq.heappop(self._heap)
                callback, pending.callback = pending.callback, None
                if callback is not None:
                    return callback
                self._dead -= 1
            return None
