"""Which thread runs an actor: the hot run queue, a thread of its own, or a small pool. One table in `system` decides.

- `HotDispatcher`  Book, Signal and Risk actors run inside the thread that read the frame, one message at a time, until
  they are quiet: no wake-up between frame and decision. There is one drainer at a time. A teller on another thread
  drains if nobody does, up to a quota, and leaves the rest to the relief thread; the main thread never drains.
- `OwnDispatcher`  a daemon thread per actor running Pykka's loop as it is.
- `PoolDispatcher` a few threads shared by many actors, Pykka's loop for a few messages at a time.

Facts about Pykka 4.5 that this relies on (checked by tests): a ref holds its actor weakly, so the dispatcher keeps the
strong reference; `get()` is called outside Pykka's try block, so `IdleError` leaves its loop cleanly; teardown must be
called by us.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from pykka import ActorDeadError
from pykka._envelope import Envelope

from actors.base import LAST, Failed
from actors.inbox import IdleError, InboxFullError, LaneInbox

if TYPE_CHECKING:
    from actors.base import Address, BotActor

HOT_BOUND: Final = 20_000
"""Messages in the run queue above which a feed waits for the drainer instead of adding more."""
FEED_QUOTA: Final = 20_000
"""Messages that a feed handles before the relief thread takes over: its own socket wants reading too."""
TELLER_QUOTA: Final = 256
"""Messages that a teller which is no feed handles before the relief thread takes over."""
NO_QUOTA: Final = 1 << 62
POOL_TURN: Final = 64
"""Messages an actor may handle in one turn of a pool thread."""
INBOX_BOUND: Final = 100_000


class Dispatcher(Protocol):
    def inbox_for(self, actor: BotActor) -> Any: ...

    def address_of(self, actor: BotActor) -> Address: ...

    def attach(self, actor: BotActor) -> None:
        """Begin to run the actor; called by Pykka's `start()`."""
        ...

    def stop(self, timeout_s: float) -> None:
        """Stop this dispatcher's own threads; actors have been stopped before."""
        ...


class Progress:
    """What the watchdog sees of a dispatcher: `handled` grows while it works; `current` is the actor at work, None when
    idle.
    """

    __slots__ = ("current", "handled")

    def __init__(self) -> None:
        self.handled = 0
        self.current: str | None = None


# -- hot


class _HotInbox:
    """Pykka's view of a hot actor: what is put here is handled by Pykka's own loop (stop, ask, failure) in queue
    order.
    """

    def __init__(self, dispatcher: HotDispatcher, actor: BotActor) -> None:
        self._dispatcher = dispatcher
        self._actor = actor
        self.slow: deque[Envelope[Any]] = deque()

    def put(self, envelope: Envelope[Any], /) -> None:
        self._dispatcher.post_envelope(self._actor, envelope)

    def get(self) -> Envelope[Any]:
        if not self.slow:
            raise IdleError
        return self.slow.popleft()

    def empty(self) -> bool:
        return not self.slow


class HotAddress:
    """The fast way to a hot actor: no envelope, no lock, no wake-up."""

    __slots__ = ("_actor", "_append", "_dispatcher")

    def __init__(self, dispatcher: HotDispatcher, actor: BotActor) -> None:
        self._dispatcher = dispatcher
        self._append = dispatcher.queue.append
        self._actor = actor

    def tell(self, message: object) -> None:
        self._append((self._actor, message))
        dispatcher = self._dispatcher
        if not dispatcher.draining:
            dispatcher.drain_as_teller()


class HotDispatcher:
    """A run queue drained by whoever has work for it. `queue` and `draining` are read by `HotAddress` for speed."""

    def __init__(self, name: str = "hot") -> None:
        self.name = name
        self.progress = Progress()
        self.queue: deque[tuple[BotActor, object]] = deque()
        self.draining = False
        self._drainer = threading.Lock()
        self._actors: dict[str, BotActor] = {}
        self._relief_wanted = threading.Event()
        self._stopping = False
        self._main = threading.main_thread().ident
        self._relief = threading.Thread(target=self._relieve, name=f"{name}-relief", daemon=True)
        self._relief.start()

    def inbox_for(self, actor: BotActor) -> Any:
        return _HotInbox(self, actor)

    def address_of(self, actor: BotActor) -> Address:
        return HotAddress(self, actor)

    def attach(self, actor: BotActor) -> None:
        self._actors[actor.actor_urn] = actor
        self.queue.append((actor, _SETUP))
        self.drain_as_teller()

    def post_envelope(self, actor: BotActor, envelope: Envelope[Any]) -> None:
        """Queue something for Pykka's own loop (stop, ask, failure)."""
        self.queue.append((actor, envelope))
        self.drain_as_teller()

    def post_all(self, messages: Iterable[tuple[BotActor, object]]) -> None:
        """Called by a feed thread with everything one frame brought; returns when all of it has been handled, unless
        other threads kept the queue full (`FEED_QUOTA`).

        Where another thread is draining, the feed leaves the work to it, but waits for its turn once `HOT_BOUND`
        messages are queued: that is the backpressure that reaches the venue's socket.
        """
        queue = self.queue
        queue.extend(messages)
        if self._drainer.acquire(len(queue) > HOT_BOUND):
            self._drain(FEED_QUOTA)

    def drain_as_teller(self) -> None:
        """Handle what is queued, if nobody else does, up to the quota."""
        if threading.get_ident() == self._main:
            self._relief_wanted.set()
            return
        if self._drainer.acquire(blocking=False):
            self._drain(TELLER_QUOTA)

    def stop(self, timeout_s: float) -> None:
        self._stopping = True
        self._relief_wanted.set()
        self._relief.join(timeout_s)

    def _relieve(self) -> None:
        while not self._stopping:
            self._relief_wanted.wait()
            self._relief_wanted.clear()
            if self.queue and self._drainer.acquire():
                self._drain(NO_QUOTA)

    def _drain(self, quota: int) -> None:
        """Run the queue dry, or `quota` messages. The caller holds the drainer lock; it is released here.

        After the lock is given up the queue is looked at once more: a message that came in between the last look and
        the release found `draining` set and was left to us.
        """
        queue, progress = self.queue, self.progress
        handled = progress.handled
        until = handled + quota
        while True:
            self.draining = True
            try:
                while queue and handled < until:
                    actor, message = queue.popleft()
                    progress.current = actor.name
                    if type(message) is Envelope:
                        self._slow(actor, message)
                    else:
                        try:
                            actor.receive(message)
                        # The thread edge of every hot actor. Its failure is run here and now: it handles nothing more.
                        except BaseException as error:  # noqa: BLE001
                            self._slow(actor, Envelope(Failed(error)))
                    progress.handled = handled = handled + 1
            finally:
                self.draining = False
                progress.current = None
                self._drainer.release()
            if not queue:
                return
            if handled >= until:
                self._relief_wanted.set()
                return
            if not self._drainer.acquire(blocking=False):
                return
            until += progress.handled - handled
            handled = progress.handled

    def _slow(self, actor: BotActor, envelope: Envelope[Any]) -> None:
        """Pykka's own code: set-up, stop, ask, failure."""
        inbox: _HotInbox = actor.actor_inbox  # type: ignore[assignment]
        if envelope is _SETUP:
            actor._actor_loop_setup()  # noqa: SLF001  # Pykka's hook for implementors of actor types
        else:
            inbox.slow.append(envelope)
        try:
            actor._actor_loop_running()  # noqa: SLF001
        except IdleError:
            return
        # It has stopped, now or earlier. Questions that are still queued are answered here too, when their turn comes.
        actor._actor_loop_teardown()  # noqa: SLF001
        actor.retire()
        self._actors.pop(actor.actor_urn, None)


_SETUP: Final[Envelope[Any]] = Envelope(None)


# -- own and pool


class InboxAddress:
    """Address of an actor with a `LaneInbox`. A stopped receiver or a full lane is counted, never raised at the
    sender.
    """

    __slots__ = ("_actor",)

    def __init__(self, actor: BotActor) -> None:
        self._actor = actor

    def tell(self, message: object) -> None:
        actor = self._actor
        if actor.actor_stopped.is_set():
            actor.dropped += 1
            return
        try:
            actor.actor_inbox.put(Envelope(message))
        except (InboxFullError, ActorDeadError):
            actor.dropped += 1


class OwnDispatcher:
    """One daemon thread per actor. `on_full` is called (once per refused message) when an inbox overflows."""

    def __init__(self, on_full: Callable[[str], None], bound: int = INBOX_BOUND) -> None:
        self._on_full = on_full
        self._bound = bound
        self.awake: dict[LaneInbox, None] = {}
        self._threads: list[threading.Thread] = []
        self._actors: list[BotActor] = []

    def inbox_for(self, actor: BotActor) -> Any:
        return LaneInbox(self._bound, lambda: self._on_full(actor.name), awake=self.awake)

    def address_of(self, actor: BotActor) -> Address:
        return InboxAddress(actor)

    def attach(self, actor: BotActor) -> None:
        thread = threading.Thread(target=actor._actor_loop, name=actor.name, daemon=True)  # noqa: SLF001
        self._actors.append(actor)
        self._threads.append(thread)
        thread.start()

    def stop(self, timeout_s: float) -> None:
        for thread in self._threads:
            thread.join(timeout_s)


class PoolDispatcher:
    """A few threads for many mostly idle actors (executors). An actor is never on two threads at once."""

    def __init__(self, on_full: Callable[[str], None], threads: int = 2, bound: int = 10_000) -> None:
        self._on_full = on_full
        self._bound = bound
        self.awake: dict[LaneInbox, None] = {}
        self._ready: deque[BotActor] = deque()
        self._ready_changed = threading.Condition()
        self._scheduled: set[str] = set()
        self._actors: dict[str, BotActor] = {}
        self._fresh: set[str] = set()
        self._stopping = False
        self._threads = [threading.Thread(target=self._work, name=f"pool-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def inbox_for(self, actor: BotActor) -> Any:
        return _PoolInbox(self, actor, self._bound, lambda: self._on_full(actor.name))

    def address_of(self, actor: BotActor) -> Address:
        return InboxAddress(actor)

    def attach(self, actor: BotActor) -> None:
        with self._ready_changed:
            self._actors[actor.actor_urn] = actor
            self._fresh.add(actor.actor_urn)
        self.schedule(actor)

    def schedule(self, actor: BotActor) -> None:
        """Give the actor a turn, unless it already waits for one or is in one."""
        with self._ready_changed:
            if actor.actor_urn in self._actors and actor.actor_urn not in self._scheduled:
                self._scheduled.add(actor.actor_urn)
                self._ready.append(actor)
                self._ready_changed.notify()

    def stop(self, timeout_s: float) -> None:
        with self._ready_changed:
            self._stopping = True
            self._ready_changed.notify_all()
        for thread in self._threads:
            thread.join(timeout_s)

    def _work(self) -> None:
        while True:
            with self._ready_changed:
                while not self._ready:
                    if self._stopping:
                        return
                    self._ready_changed.wait()
                actor = self._ready.popleft()
                fresh = actor.actor_urn in self._fresh
                self._fresh.discard(actor.actor_urn)
            self._turn(actor, fresh)
            with self._ready_changed:
                self._scheduled.discard(actor.actor_urn)
                stopped = actor.actor_stopped.is_set()
                if stopped:
                    self._actors.pop(actor.actor_urn, None)
            if not stopped and not actor.actor_inbox.empty():
                self.schedule(actor)

    @staticmethod
    def _turn(actor: BotActor, fresh: bool) -> None:
        """Pykka's own loop until the inbox is empty or the turn is used up."""
        if fresh:
            actor._actor_loop_setup()  # noqa: SLF001
        inbox: _PoolInbox = actor.actor_inbox  # type: ignore[assignment]
        inbox.turn = POOL_TURN
        try:
            actor._actor_loop_running()  # noqa: SLF001
        except IdleError:
            return
        inbox.turn = 1 << 30
        actor._actor_loop_teardown()  # noqa: SLF001


class _PoolInbox(LaneInbox):
    """A lane inbox that schedules its actor, and ends its turn after a bounded number of messages."""

    def __init__(self, pool: PoolDispatcher, actor: BotActor, bound: int, on_full: Callable[[], None]) -> None:
        super().__init__(bound, on_full, waits=False, awake=pool.awake)
        self._pool = pool
        self._actor = actor
        self.turn = 0

    def put(self, envelope: Envelope[Any], /) -> None:
        super().put(envelope)
        self._pool.schedule(self._actor)

    def get(self) -> Envelope[Any]:
        if self.turn <= 0:
            self.working = False
            raise IdleError
        self.turn -= 1
        return super().get()


def stop_actor(actor: BotActor, timeout_s: float) -> bool:
    """Tell one actor to stop after what is already queued, and wait. False where it has not done so in time.

    Pykka's own stop message overtakes what waits in an inbox with lanes, so it is used only where the ordinary lane is
    full.
    """
    try:
        actor.actor_ref.tell(LAST)
    except ActorDeadError:
        return True
    except InboxFullError:
        actor.stop()
    return actor.actor_stopped.wait(timeout_s)
