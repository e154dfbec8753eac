"""`run.py` in which one worker hangs for ever, a second after the clock was started: `hung_bot.py WORKER [words]`.

Not a test. The watchdog ends it after three seconds instead of ten.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from actors import watchdog
from actors.main import main
from adapters.clock import SystemClock
from adapters.ledger.writer import Writer
from models.clock import SECOND

started = SystemClock.start
flush = Writer.flush
due = threading.Event()


def hang() -> None:
    threading.Event().wait()


def start(self: SystemClock) -> None:
    started(self)
    self.call_after(SECOND, hang if sys.argv[1] == "timer" else due.set)


def hanging_flush(self: Writer, *words: Any, **more: Any) -> Any:
    if due.is_set():
        hang()
    return flush(self, *words, **more)


watchdog.EXIT_NS = 3 * SECOND  # type: ignore[misc]
SystemClock.start = start  # type: ignore[method-assign]
Writer.flush = hanging_flush  # type: ignore[method-assign]
raise SystemExit(main(sys.argv[2:]))
