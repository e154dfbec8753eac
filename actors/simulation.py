"""The `sim` dispatcher: every actor on one thread, under a seeded scheduler and a virtual clock. One seed is one run.

Pykka's own receive, stop, failure and teardown code runs, one message per step: the actor's `_actor_loop_running` takes
one envelope and is thrown out of the next `inbox.get()` by `IdleError`. Time moves only when nobody has anything to do.
An `ask` that nobody can answer raises `DeadlockError` instead of hanging (reliability 3.2).
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import random  # noqa: TID251  seeded by the caller: the scheduler is the source of chance
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pykka
from pykka._envelope import Envelope

from actors.inbox import IdleError
from models.clock import BootNs, Timer, WallNs

if TYPE_CHECKING:
    from actors.base import Address, BotActor

EPOCH_NS: Final = 1_795_334_400_000_000_000
"""Wall time at the start of every simulated run: 2026-11-22 12:00 UTC."""


class DeadlockError(Exception):
    """Somebody waits for an answer and nothing in the simulation can give it."""


@dataclass(order=True)
class _Due:
    at: int
    serial: int
    callback: Callable[[], None] | None = field(compare=False)

    def cancel(self) -> None:
        self.callback = None


class SimClock:
    """Virtual time. `wall_offset_ns` and `boot` may be stepped by a fault plan; timers follow boot time."""

    def __init__(self) -> None:
        self.now = 0
        self.wall_offset_ns = 0
        self._heap: list[_Due] = []
        self._serial = itertools.count()

    def wall_ns(self) -> WallNs:
        return WallNs(EPOCH_NS + self.now + self.wall_offset_ns)

    def boot_ns(self) -> BootNs:
        return BootNs(self.now)

    def call_after(self, delay_ns: int, callback: Callable[[], None]) -> Timer:
        due = _Due(self.now + max(0, delay_ns), next(self._serial), callback)
        heapq.heappush(self._heap, due)
        return due

    def next_at(self) -> int | None:
        """When the next timer is due, None where there is none."""
        while self._heap and self._heap[0].callback is None:
            heapq.heappop(self._heap)
        return self._heap[0].at if self._heap else None

    def fire_next(self) -> None:
        """Move to the next timer and run it."""
        due = heapq.heappop(self._heap)
        self.now = max(self.now, due.at)
        callback, due.callback = due.callback, None
        if callback is not None:
            callback()


class SimIds:
    """Ids that only depend on the order in which they are asked for."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def fresh(self, prefix: str) -> str:
        return f"{prefix}-{next(self._count):06d}"


class _SimInbox:
    def __init__(self) -> None:
        self.waiting: deque[Envelope[Any]] = deque()
        self.turn = 0

    def put(self, envelope: Envelope[Any], /) -> None:
        self.waiting.append(envelope)

    def get(self) -> Envelope[Any]:
        if self.turn <= 0:
            raise IdleError
        self.turn -= 1
        return self.waiting.popleft()

    def empty(self) -> bool:
        return not self.waiting


class _SimAddress:
    __slots__ = ("_actor",)

    def __init__(self, actor: BotActor) -> None:
        self._actor = actor

    def tell(self, message: object) -> None:
        if self._actor.actor_stopped.is_set():
            self._actor.dropped += 1
        else:
            self._actor.actor_inbox.put(Envelope(message))


class SimDispatcher:
    """Carries every actor of a simulated bot. `step` is the only thing that makes anything happen."""

    def __init__(self, seed: int, clock: SimClock) -> None:
        self.clock = clock
        self.rng = random.Random(seed)
        self.steps = 0
        self._actors: list[BotActor] = []
        self._busy: list[BotActor] = []
        self._trace = hashlib.sha256()

    def inbox_for(self, actor: BotActor) -> Any:  # noqa: ARG002  the same for all
        return _SimInbox()

    def address_of(self, actor: BotActor) -> Address:
        return _SimAddress(actor)

    def attach(self, actor: BotActor) -> None:
        self._actors.append(actor)
        actor._actor_loop_setup()  # noqa: SLF001  Pykka's hook for implementors of actor types

    def stop(self, timeout_s: float) -> None:
        """Nothing to stop: there is no thread."""

    def trace(self, fact: str) -> None:
        """Add a fact to the run's trace hash: messages, rows, bytes sent."""
        self._trace.update(fact.encode())
        self._trace.update(b"\n")

    @property
    def trace_hash(self) -> str:
        return self._trace.hexdigest()

    def step(self) -> bool:
        """One message of one runnable actor, or the next timer. False where nothing is left to happen."""
        runnable = [actor for actor in self._actors if not actor.actor_inbox.empty() and actor not in self._busy]
        if runnable:
            self._run_one(runnable[self.rng.randrange(len(runnable))])
        elif self.clock.next_at() is not None:
            self.clock.fire_next()
        else:
            return False
        self.steps += 1
        return True

    def run_until(self, at_ns: int, after_each: Callable[[], None] | None = None) -> None:
        """Step until virtual time has reached `at_ns`; `after_each` is where invariants are checked."""
        while True:
            quiet = all(actor.actor_inbox.empty() for actor in self._actors)
            due = self.clock.next_at()
            if quiet and (due is None or due > at_ns):
                self.clock.now = max(self.clock.now, at_ns)
                return
            self.step()
            if after_each is not None:
                after_each()

    def _run_one(self, actor: BotActor) -> None:
        inbox: _SimInbox = actor.actor_inbox  # type: ignore[assignment]
        inbox.turn = 1
        message = inbox.waiting[0].message
        self.trace(f"{self.clock.now} {actor.name} {type(message).__name__}")
        self._busy.append(actor)
        try:
            actor._actor_loop_running()  # noqa: SLF001
        except IdleError:
            pass
        finally:
            self._busy.remove(actor)
        if actor.actor_stopped.is_set():
            inbox.turn = 1 << 30
            actor._actor_loop_teardown()  # noqa: SLF001
            self._actors.remove(actor)

    def future(self) -> pykka.Future[Any]:
        """A future whose `get` runs the simulation until it is answered."""
        return _SimFuture(self)


class _SimFuture(pykka.ThreadingFuture[Any]):
    def __init__(self, dispatcher: SimDispatcher) -> None:
        super().__init__()
        self._dispatcher = dispatcher

    def get(self, *, timeout: float | None = None) -> Any:
        while self._result is None:
            if not self._dispatcher.step():
                raise DeadlockError("an answer is awaited that nobody can give")
        return super().get(timeout=0 if timeout is not None else None)
