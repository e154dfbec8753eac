"""The `sim` dispatcher: every actor on one thread, under a seeded scheduler and a virtual clock. One seed is one run.

Pykka's own receive, stop, failure and teardown code runs, one message per step: the actor's `_actor_loop_running` takes
one envelope and is thrown out of the next `inbox.get()` by `IdleError`. Time moves only when nobody has anything to do.
An `ask` that nobody can answer raises `DeadlockError` instead of hanging (reliability 3.2).
"""

from __future__ import annotations

import hashlib
import heapq
import random  # noqa: TID251  seeded by the caller: the scheduler is the source of chance
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec
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


class _Due:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class SimClock:
    """Virtual time. `wall_offset_ns` and `now` may be stepped by a fault plan; timers follow boot time."""

    def __init__(self) -> None:
        self.now = 0
        self.wall_offset_ns = 0
        self._heap: list[tuple[int, int, _Due]] = []
        self._serial = 0

    def wall_ns(self) -> WallNs:
        return WallNs(EPOCH_NS + self.now + self.wall_offset_ns)

    def boot_ns(self) -> BootNs:
        return BootNs(self.now)

    def call_after(self, delay_ns: int, callback: Callable[[], None]) -> Timer:
        due = _Due(callback)
        self._serial += 1
        heapq.heappush(self._heap, (self.now + max(0, delay_ns), self._serial, due))
        return due

    def next_at(self) -> int | None:
        """When the next timer is due, None where there is none."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def fire_next(self) -> None:
        """Move to the next timer and run it."""
        at, _, due = heapq.heappop(self._heap)
        self.now = max(self.now, at)
        callback, due.callback = due.callback, None
        if callback is not None:
            callback()

    def forget(self) -> None:
        """The process that set these timers is gone."""
        self._heap.clear()


class SimIds:
    """Ids that depend on nothing but the order in which they are asked for. `life` tells one process from the next."""

    def __init__(self, life: int = 0) -> None:
        self._count = 0
        self._life = f"{life}." if life else ""

    def fresh(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}-{self._life}{self._count:06d}"


class Trace:
    """The hash of everything that a run did: messages with their content, rows, bytes sent."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._encode = msgspec.json.Encoder(enc_hook=_name_of_type).encode

    def fact(self, text: str) -> None:
        self._hash.update(text.encode() + b"\n")

    def data(self, data: bytes) -> None:
        self._hash.update(data + b"\n")

    def message(self, now: int, actor: str, message: object) -> None:
        self._hash.update(b"%d %s %s " % (now, actor.encode(), type(message).__name__.encode()))
        self._hash.update(self._encode(message))

    def digest(self) -> str:
        return self._hash.hexdigest()


def _name_of_type(value: object) -> str:
    """In the place of what no ledger could hold either: addresses, closures."""
    return type(value).__name__


class _SimInbox:
    __slots__ = ("_actor", "_dispatcher", "listed", "stalled", "turn", "waiting")

    def __init__(self, dispatcher: SimDispatcher, actor: BotActor) -> None:
        self._dispatcher = dispatcher
        self._actor = actor
        self.waiting: deque[Envelope[Any]] = deque()
        self.turn = 0
        self.listed = False
        """In the dispatcher's list of those who have something to do, or at work right now."""
        self.stalled = False

    def put(self, envelope: Envelope[Any], /) -> None:
        self.waiting.append(envelope)
        if not self.listed and not self.stalled:
            self.listed = True
            self._dispatcher.ready.append(self._actor)

    def get(self) -> Envelope[Any]:
        if self.turn <= 0:
            raise IdleError
        self.turn -= 1
        return self.waiting.popleft()

    def empty(self) -> bool:
        return not self.waiting


class _SimAddress:
    __slots__ = ("_actor", "_inbox", "_stopped")

    def __init__(self, actor: BotActor) -> None:
        self._actor = actor
        self._inbox = actor.actor_inbox
        self._stopped = actor.actor_stopped

    def tell(self, message: object) -> None:
        if self._stopped.is_set():
            self._actor.dropped += 1
        else:
            self._inbox.put(Envelope(message))


class SimDispatcher:
    """Carries every actor of a simulated bot. `step` is the only thing that makes anything happen."""

    def __init__(self, seed: int | str, clock: SimClock, trace: Trace | None = None) -> None:
        self.clock = clock
        self.rng = random.Random(seed)
        self.steps = 0
        self.ready: list[BotActor] = []
        """Actors with a message waiting, in no order that means anything."""
        self.trace = Trace() if trace is None else trace
        self._actors: list[BotActor] = []

    def inbox_for(self, actor: BotActor) -> Any:
        return _SimInbox(self, actor)

    def address_of(self, actor: BotActor) -> Address:
        return _SimAddress(actor)

    def attach(self, actor: BotActor) -> None:
        self._actors.append(actor)
        actor._actor_loop_setup()  # noqa: SLF001  Pykka's hook for implementors of actor types

    def post_all(self, messages: Iterable[tuple[BotActor, object]]) -> None:
        """As `HotDispatcher.post_all`, for what a feed brought."""
        for actor, message in messages:
            actor.address.tell(message)

    def stop(self, timeout_s: float) -> None:
        """Nothing to stop: there is no thread."""

    def stall(self, actor: BotActor, for_ns: int) -> None:
        """Let an actor do nothing for a while, whatever it is told: a slow disk, a lock, a thread without its turn."""
        inbox: _SimInbox = actor.actor_inbox  # type: ignore[assignment]
        if inbox.stalled or actor.actor_stopped.is_set():
            return
        inbox.stalled = True
        if actor in self.ready:
            inbox.listed = False
            self.ready.remove(actor)
        self.clock.call_after(for_ns, lambda: self._wake(actor))

    def step(self) -> bool:
        """One message of one runnable actor, or the next timer. False where nothing is left to happen."""
        if self.ready:
            self.run_one()
        elif self.clock.next_at() is not None:
            self.clock.fire_next()
            self.steps += 1
        else:
            return False
        return True

    def run_until(self, at_ns: int, after_each: Callable[[], None] | None = None) -> None:
        """Step until virtual time has reached `at_ns`; `after_each` is where invariants are checked."""
        while True:
            due = self.clock.next_at()
            if not self.ready and (due is None or due > at_ns):
                self.clock.now = max(self.clock.now, at_ns)
                return
            self.step()
            if after_each is not None:
                after_each()

    def run_one(self) -> None:
        """One message of one of the `ready` actors, chosen by the seed. There must be one."""
        ready = self.ready
        index = int(self.rng.random() * len(ready)) if len(ready) > 1 else 0
        actor = ready[index]
        ready[index] = ready[-1]
        ready.pop()
        inbox: _SimInbox = actor.actor_inbox  # type: ignore[assignment]
        inbox.turn = 1
        self.trace.message(self.clock.now, actor.name, inbox.waiting[0].message)
        try:
            actor._actor_loop_running()  # noqa: SLF001
        except IdleError:
            pass
        inbox.listed = bool(inbox.waiting) and not inbox.stalled
        if inbox.listed:
            ready.append(actor)
        if actor.actor_stopped.is_set():
            self._bury(actor, inbox)
        self.steps += 1

    def future(self) -> pykka.Future[Any]:
        """A future whose `get` runs the simulation until it is answered."""
        return _SimFuture(self)

    # -- inside

    def _wake(self, actor: BotActor) -> None:
        inbox: _SimInbox = actor.actor_inbox  # type: ignore[assignment]
        inbox.stalled = False
        if inbox.waiting and not inbox.listed:
            inbox.listed = True
            self.ready.append(actor)

    def _bury(self, actor: BotActor, inbox: _SimInbox) -> None:
        inbox.turn = 1 << 30
        actor.dropped += sum(e.reply_to is None for e in inbox.waiting)
        actor._actor_loop_teardown()  # noqa: SLF001
        if inbox.listed:
            inbox.listed = False
            self.ready.remove(actor)
        self._actors.remove(actor)


class _SimFuture(pykka.ThreadingFuture[Any]):
    def __init__(self, dispatcher: SimDispatcher) -> None:
        super().__init__()
        self._dispatcher = dispatcher

    def get(self, *, timeout: float | None = None) -> Any:
        while self._result is None:
            if not self._dispatcher.step():
                raise DeadlockError("an answer is awaited that nobody can give")
        return super().get(timeout=0 if timeout is not None else None)
