"""The wrapper around every actor: how it is addressed, how it fails, and what the watchdog can see of it.

A handler that raises trips the gate *before* the actor dies (A01), also for SystemExit and MemoryError (A03), which are
re-raised as ordinary exceptions because Pykka would otherwise call `stop_all()` and hang (reliability 4.1, rows 7, 8,
12).
"""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, final

import pykka

from actors.inbox import LaneInbox

if TYPE_CHECKING:
    from actors.dispatch import Dispatcher

logger = logging.getLogger(__name__)


class Address(Protocol):
    """Where to send messages. `tell` never waits for the receiver and never raises for a receiver that has stopped."""

    def tell(self, message: object) -> None: ...


T = TypeVar("T")


class Answer(Generic[T]):
    """An `Address` where one message of a kind is waited for, outside every actor."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._ready = threading.Event()
        self._seen: T | None = None

    def tell(self, message: object) -> None:
        if isinstance(message, self._kind):
            self._seen = message
            self._ready.set()

    def wait(self, timeout_s: float) -> T | None:
        """None where nothing has come in time."""
        self._ready.wait(timeout_s)
        return self._seen


class ActorCrashedError(Exception):
    """A handler raised; the original exception is the cause."""


Crash = Callable[[str, BaseException], None]
"""(actor name, exception): trips the gate and records it. Must not raise."""


class Failed:
    """From a dispatcher: makes Pykka's own loop run its failure path for an exception that a fast path caught."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class BotActor(pykka.ThreadingActor):
    """Base of all actors. Subclasses implement `receive` and, where they need it, `started` and `stopping`.

    Collaborators come in through the constructor as `Address`es, so a test can pump an actor on its own thread. An
    actor never asks another one and never waits.
    """

    use_daemon_thread = True

    def __init__(self, dispatcher: Dispatcher, name: str, on_crash: Crash) -> None:
        self.name = name
        self.dispatcher = dispatcher
        self.dropped = 0
        """Messages that came after the stop, found a full inbox, or waited when the actor died."""
        self._on_crash = on_crash
        super().__init__()
        self.address: Address = dispatcher.address_of(self)

    @abstractmethod
    def receive(self, message: Any) -> None:
        """Handle one message, on the dispatcher's thread of the moment.

        A branch longer than ten lines belongs in `models/`.
        """

    def started(self) -> None:
        """Run once before the first message."""

    def stopping(self) -> None:
        """Run once after the last message of an ordered stop (not after a crash)."""

    # -- Pykka's side ----------------------------------------------------------------------------------

    # An instance method where Pykka has a static one: the inbox depends on the dispatcher.
    def _create_actor_inbox(self) -> Any:  # type: ignore[override]
        return self.dispatcher.inbox_for(self)

    def _start_actor_loop(self) -> None:
        self.dispatcher.attach(self)

    @final
    def on_start(self) -> None:
        try:
            self.started()
        except BaseException as error:
            self._crash(error)
            raise ActorCrashedError(f"{self.name} could not start") from error

    @final
    def on_stop(self) -> None:
        try:
            self.stopping()
        except BaseException as error:
            self._crash(error)
            raise ActorCrashedError(f"{self.name} could not stop in order") from error

    @final
    def on_receive(self, message: Any) -> Any:
        if type(message) is Failed:
            self._crash(message.error)
            raise ActorCrashedError(f"{self.name} failed") from message.error
        if message is PING:
            return self.name
        if message is LAST:
            self._stop()
            return None
        try:
            self.receive(message)
        except BaseException as error:
            self._crash(error)
            raise ActorCrashedError(f"{self.name} failed on {type(message).__name__}") from error
        return None

    def _actor_loop_teardown(self) -> None:
        if isinstance(self.actor_inbox, LaneInbox):
            self.dropped += self.actor_inbox.close()
        super()._actor_loop_teardown()

    def retire(self) -> None:
        """From now on a fast path's messages are counted and nothing else; the dispatcher calls it after the stop."""
        self.receive = self._drop  # type: ignore[method-assign]

    def _drop(self, message: Any) -> None:  # noqa: ARG002  # in the place of `receive`
        self.dropped += 1

    def _crash(self, error: BaseException) -> None:
        try:
            self._on_crash(self.name, error)
        except BaseException:
            # The actor has to die all the same, and the thread that runs it, and many others, must not.
            logger.critical("the fuse failed while %s was failing", self.name, exc_info=True)


PING: Final = "ping"
"""Asked of every actor at start: the answer proves that it runs."""

LAST: Final = "last"
"""Told by `stop_actor`: stop after everything that was queued before (Pykka's own stop message overtakes)."""
