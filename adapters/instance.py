"""One bot per state directory: an advisory lock that dies with its process.

Two bots on one ledger would each believe that they know every open order. `flock` is released by the kernel whatever
ends the holder, kill -9 included, so a stale lock file never blocks a start; what is written in the file is only for
people.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from models.clock import WallNs

TRIES: Final = 5
PAUSE_S: Final = 0.02
"""A command that looks whether a bot runs holds a shared lock for an instant; a bot that starts outlasts it."""


class AnotherInstance(Exception):  # noqa: N818  the fact, not a fault of ours; `run` ends with exit code 75
    """Somebody else holds the lock. `pid` and `since` are None where the file does not say."""

    def __init__(self, path: Path, what: Path, pid: int | None, since: WallNs | None) -> None:
        super().__init__(f"another bot runs on {what}" + (f" (process {pid})" if pid is not None else ""))
        self.path = path
        self.pid = pid
        self.since = since


def ledger_lock(ledger: Path, now: WallNs) -> InstanceLock:
    """The lock of one ledger, wherever the state of the bots that would share it lies. Beside the file itself, not the
    link that leads to it, and no lock on the file: SQLite's own would go with it.
    """
    there = ledger.resolve()
    return InstanceLock(there.with_name(there.name + ".lock"), now, what=ledger)


class InstanceLock:
    """The lock on `path` (`data/lock`). Held from `acquire()` until `release()` or the end of the process."""

    def __init__(self, path: Path, now: WallNs, pid: int | None = None, *, what: Path | None = None) -> None:
        """`what` is guarded, for the message: the lock's directory unless told otherwise."""
        self._path = path
        self._what = path.parent if what is None else what
        self._now = now
        self._pid = os.getpid() if pid is None else pid
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock, within a tenth of a second, or raise `AnotherInstance`. Creates the directory with mode 0700.

        A symbolic link in the lock's place is an `OSError`: what it leads to is not ours to write to.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            _lock(fd)
        except BlockingIOError:
            pid, since = _holder(fd)
            os.close(fd)
            raise AnotherInstance(self._path, self._what, pid, since) from None
        except OSError:
            os.close(fd)
            raise
        self._fd = fd
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, json.dumps({"pid": self._pid, "since_wall_ns": self._now}).encode(), 0)
        except OSError:
            pass  # a full disk must not keep the bot from starting and unwinding: the lock is the flock, not the text

    def release(self) -> None:
        """Give the lock back. Twice is once. The file stays: removing it would let two processes lock two files."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def _lock(fd: int) -> None:
    for left in reversed(range(TRIES)):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if not left:
                raise
            threading.Event().wait(PAUSE_S)


def _holder(fd: int) -> tuple[int | None, WallNs | None]:
    try:
        written = json.loads(os.pread(fd, 1024, 0))
        return int(written["pid"]), WallNs(int(written["since_wall_ns"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None, None  # the holder has not written it yet, or could not
