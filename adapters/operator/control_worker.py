"""A thread with a bounded queue, for the control socket's verbs that may take a while."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Client = TypeVar("Client")
Job = TypeVar("Job")

WAITING_MAX: Final = 4
"""Jobs that may wait; more clients are told that the bot is busy."""


class Worker(Generic[Client, Job]):
    """Does one job after the other and hands each answer back with the client that it belongs to."""

    def __init__(self, name: str, work: Callable[[Job], bytes], finish: Callable[[Client, bytes], None]) -> None:
        """`work` never raises; both are called on the worker's thread."""
        self._work = work
        self._finish = finish
        self._waiting: queue.Queue[tuple[Client, Job] | None] = queue.Queue(WAITING_MAX)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self, client: Client, job: Job) -> bool:
        """False where the queue is full."""
        try:
            self._waiting.put_nowait((client, job))
        except queue.Full:
            return False
        return True

    @property
    def full(self) -> bool:
        return self._waiting.full()

    def stop(self) -> None:
        """Take no more. What is being worked on may outlive this: the thread is a daemon."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        self._waiting.put(None)

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            client, job = item
            self._finish(client, self._work(job))
