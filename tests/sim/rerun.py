"""Blocking code in virtual time, without a thread: a job is run again from its start whenever an answer has come.

A lane's call is ordinary code: it looks at the clock, passes the gate, sends, waits, tells. Here every such effect goes
through the stage. What happened in an earlier run of the job is played back, the next new effect is made, and where the
job has to wait it is thrown out (`Parked`) and run again once there is an answer. So the real lane code runs, unchanged
and to the last line, while other jobs run in between.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any

from models.clock import BootNs, Clock, Timer, WallNs

Arrived = Callable[[object], None]


class Parked(BaseException):
    """The job waits. Not an `Exception`, so that no edge of the code under test takes it for a failure."""


class Job:
    """One piece of blocking work and everything that it has seen so far."""

    __slots__ = ("_cursor", "_done", "_past", "_stage", "_work")

    def __init__(self, stage: Stage, work: Callable[[], None], done: Callable[[Exception | None], None]) -> None:
        """`done` is called once, with what the work raised."""
        self._stage = stage
        self._work = work
        self._done = done
        self._past: list[object] = []
        self._cursor = 0

    def go(self) -> None:
        """Run from the start as far as it gets."""
        stage = self._stage
        if stage.over:
            return
        before, stage.job = stage.job, self
        self._cursor = 0
        failure: Exception | None = None
        try:
            self._work()
        except Parked:
            return
        except Exception as error:  # noqa: BLE001  the runner decides
            failure = error
        finally:
            stage.job = before
        self._done(failure)

    def once(self, make: Callable[[], Any]) -> Any:
        """An effect that is made in the first run that gets here, and played back in all others."""
        if self._cursor < len(self._past):
            outcome = self._past[self._cursor]
        else:
            outcome = make()
            self._past.append(outcome)
        self._cursor += 1
        return outcome

    def wait(self, begin: Callable[[Arrived], None]) -> Any:
        """What `begin` will be answered; an exception as an answer is raised."""
        if self._cursor == len(self._past):
            begin(self._arrive)
            raise Parked
        outcome = self._past[self._cursor]
        self._cursor += 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _arrive(self, outcome: object) -> None:
        self._past.append(outcome)
        self.go()


class Stage:
    """The effects of one process: clock, gate and answers as jobs see them. Outside of a job they are the real ones."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.job: Job | None = None
        self.over = False
        """The process is gone: nothing that waits comes back."""

    def start(self, work: Callable[[], None], done: Callable[[Exception | None], None]) -> None:
        """Begin a job. `done` is called once, with what the work raised."""
        Job(self, work, done).go()

    def end(self) -> None:
        """The process is gone, and with it whatever waits."""
        self.over = True

    def once(self, make: Callable[[], Any]) -> Any:
        return make() if self.job is None else self.job.once(make)

    def wait(self, begin: Callable[[Arrived], None]) -> Any:
        assert self.job is not None, "only a job can wait"
        return self.job.wait(begin)


class StageClock:
    """`models.clock.Clock` whose readings a job sees again."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def boot_ns(self) -> BootNs:
        return self._stage.once(self._stage.clock.boot_ns)

    def wall_ns(self) -> WallNs:
        return self._stage.once(self._stage.clock.wall_ns)

    def call_after(self, delay_ns: int, callback: Callable[[], None]) -> Timer:
        return self._stage.clock.call_after(delay_ns, callback)


class StageAddress:
    """Tells once, however often the job is run."""

    def __init__(self, stage: Stage, target: Any) -> None:
        self._stage = stage
        self._target = target

    def tell(self, message: object) -> None:
        self._stage.once(lambda: self._target.tell(message))


class StageGate:
    """The real gate; a job passes it once and remembers the word that it was given."""

    def __init__(self, stage: Stage, gate: Any) -> None:
        self._stage = stage
        self._gate = gate

    def enter_opening(self, market_ids: Collection[str]) -> _Entry:
        return _Entry(self._stage, lambda: self._gate.enter_opening(market_ids))

    def enter_protective(self) -> _Entry:
        return _Entry(self._stage, self._gate.enter_protective)

    def trip(self, reason: str, by: str) -> Any:
        return self._stage.once(lambda: self._gate.trip(reason, by))


class _Entry:
    __slots__ = ("_held", "_make", "_stage")

    def __init__(self, stage: Stage, make: Callable[[], Any]) -> None:
        self._stage = stage
        self._make = make
        self._held: Any = None

    def __enter__(self) -> bool:
        return self._stage.once(self._enter)

    def _enter(self) -> bool:
        self._held = self._make()
        return self._held.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.__exit__(kind, error, at)
