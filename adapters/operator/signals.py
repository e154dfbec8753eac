"""The wish to stop: from a signal, from `quit`, from the watchdog. Setting it never blocks and never does more.

A Python signal handler runs in the main thread between two instructions, also while that thread holds some lock, so it
may not take one: it counts, and writes one byte into a pipe that every waiter selects on.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable
from types import FrameType
from typing import Any, Final

from models.exit_codes import EXIT_LEFT_OPEN

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

FORCE_AFTER_S: Final = 0.5
"""A second signal within this time is the same wish (systemd sends TERM and HUP together); a later one insists."""


class StopRequest:
    """Set once, seen by all. `why` says who asked first."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._before: dict[int, Any] = {}
        self._first: float | None = None
        self.why = ""

    @property
    def requested(self) -> bool:
        return self._first is not None

    def request(self, why: str) -> None:
        """Any thread, and signal handlers. The first one's words stay."""
        if self._first is None:
            self._first = time.monotonic()
            self.why = why
        with contextlib.suppress(OSError):
            os.write(self._write, b".")

    def wait(self, timeout_s: float | None = None) -> bool:
        """Sleep until somebody asks to stop or the time is over; whether somebody did."""
        if not self.requested:
            select.select([self._read], [], [], timeout_s)
        return self.requested

    def fileno(self) -> int:
        """Readable once stopping is requested, for whoever waits for other things too."""
        return self._read

    def install(self, signals: Iterable[signal.Signals] = STOP_SIGNALS) -> None:
        """Main thread only. Ctrl-C is a key at the console's prompt and never becomes a signal there."""
        for number in signals:
            self._before[number] = signal.signal(number, self._on_signal)

    def restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._first is not None and time.monotonic() - self._first > FORCE_AFTER_S:
            os._exit(EXIT_LEFT_OPEN)  # U01: the second signal exits at once, and the next start repairs
        self.request(signal.Signals(number).name)
