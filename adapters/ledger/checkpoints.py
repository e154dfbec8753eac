"""Copying the -wal back into the ledger beside the writer: a checkpoint costs milliseconds, and no intent may wait for
it.

A passive checkpoint on a second connection never blocks the writer. What it cannot do while rows keep coming is finish,
so the -wal would grow for as long as a burst lasts; past `FRAMES_MAX` the writer does the small rest itself, once.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

FRAMES_MAX: Final = 16_000
"""Pages in the -wal (64 MB) above which the writer helps."""

STOP_S: Final = 5.0


class Checkpointer:
    """One daemon thread with its own connection, begun by the first request."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wanted = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.made = 0
        """Checkpoints so far."""
        self.behind = False
        """The -wal has outgrown `FRAMES_MAX`. Set here, cleared by the writer once it has helped."""

    def request(self) -> None:
        """Begin a checkpoint soon. Called by the writer's thread; never waits."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
            self._thread.start()
        self._wanted.set()

    def stop(self) -> None:
        self._stopping = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def _run(self) -> None:
        try:
            connection = sqlite3.connect(self._path, isolation_level=None)
            try:
                connection.execute("PRAGMA synchronous = FULL")
                while self._next():
                    _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    self.behind = frames > FRAMES_MAX
                    self.made += 1
            finally:
                connection.close()
        except sqlite3.Error:  # thread edge: the writer meets the same trouble and halts
            logger.exception("checkpoints have ended")
            self.behind = True

    def _next(self) -> bool:
        self._wanted.wait()
        self._wanted.clear()
        return not self._stopping
