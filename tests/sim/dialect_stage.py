"""Blocking code in virtual time, on threads that take turns: exactly one of them runs at any moment, and hands over
where it has to wait.

The adapters of real venues keep things that they have learned inside a call (terms, a yes of the venue, a token of a
budget), so their code cannot be run again from its start as `rerun` does. Here a job is a thread that is let go, runs
until it waits for an answer, and gives the word back; who runs when is decided by the scheduler alone, so that a seed
is still one run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from models.clock import Clock
from tests.sim.rerun import Arrived, Stage

Done = Callable[[Exception | None], None]


class GoneError(BaseException):
    """The process has ended while the job waited. No `Exception`: no edge of the code under test may hold it."""


class TurnStage(Stage):
    """Effects are made at once: nothing is ever played back."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._parked: dict[TurnJob, None] = {}

    def once(self, make: Callable[[], Any]) -> Any:
        return make()

    def start(self, work: Callable[[], None], done: Done) -> None:
        if not self.over:
            TurnJob(self, work, done).go()

    def end(self) -> None:
        """Throw every job out of where it waits."""
        super().end()
        for job in list(self._parked):
            job.go()


class TurnJob:
    """One thread with one piece of work."""

    def __init__(self, stage: TurnStage, work: Callable[[], None], done: Done) -> None:
        self._stage = stage
        self._work = work
        self._done = done
        self._its_turn = threading.Semaphore(0)
        self._our_turn = threading.Semaphore(0)
        self._outcome: object = None
        self._failure: BaseException | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    # -- on whichever thread runs now

    def go(self) -> None:
        """Let the job run until it waits or ends."""
        stage = self._stage
        before, stage.job = stage.job, self  # type: ignore[assignment]
        stage._parked.pop(self, None)
        self._its_turn.release()
        self._our_turn.acquire()
        stage.job = before
        if not self._ended:
            return
        self._thread.join()
        failure = self._failure
        if isinstance(failure, GoneError):
            return
        if failure is not None and not isinstance(failure, Exception):
            raise failure
        self._done(failure)

    # -- on the job's thread

    def wait(self, begin: Callable[[Arrived], None]) -> Any:
        """What `begin` will be answered; an exception as an answer is raised."""
        begin(self._arrive)
        self._stage._parked[self] = None
        self._our_turn.release()
        self._its_turn.acquire()
        if self._stage.over:
            raise GoneError
        outcome, self._outcome = self._outcome, None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _run(self) -> None:
        self._its_turn.acquire()
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001  whoever has let it go decides
            self._failure = error
        self._ended = True
        self._our_turn.release()

    def _arrive(self, outcome: object) -> None:
        if not self._stage.over:
            self._outcome = outcome
            self.go()


class TurnLock:
    """A lock of the adapter that is held over a call: whoever finds it taken hands over instead of stopping all."""

    def __init__(self, stage: TurnStage) -> None:
        self._stage = stage
        self._held = False
        self._waiting: list[Arrived] = []

    def __enter__(self) -> None:
        while self._held:
            self._stage.wait(self._waiting.append)
        self._held = True

    def __exit__(self, *_: object) -> None:
        self._held = False
        if self._waiting and not self._stage.over:
            woken = self._waiting.pop(0)
            self._stage.clock.call_after(0, lambda: woken(None))
