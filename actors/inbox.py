"""The inbox of actors that have a thread or a place in a pool: an urgent lane before a bounded ordinary one.

Pykka asks only for `put`, `get` and `empty`. Pykka's own stop message travels in the urgent lane by design, and a full
ordinary lane never blocks its sender: it raises, and the owner has already been told (it trips the gate), because a
control lane that overflows is a fault, not load.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pykka import ActorDeadError
from pykka.messages import _ActorStop

if TYPE_CHECKING:
    from pykka._envelope import Envelope


class IdleError(Exception):
    """Raised by `get` on an inbox that must not wait: the actor's turn is over."""


class InboxFullError(Exception):
    """The ordinary lane holds `bound` messages; the gate has been tripped and this message was not taken."""


class LaneInbox:
    """Urgent and ordinary lane: a message with a true `urgent` attribute overtakes everything that waits.

    `put` may be called on any thread, `get` on the actor's only.
    """

    def __init__(
        self, bound: int, on_full: Callable[[], None], *, waits: bool = True, awake: dict[LaneInbox, None] | None = None
    ) -> None:
        """`bound` messages fit the ordinary lane. With `waits` False an empty inbox raises `IdleError` from `get`. In
        `awake` stand the inboxes of a dispatcher that do not rest, so that nobody has to ask thousands that do.
        """
        self._bound = bound
        self._on_full = on_full
        self._waits = waits
        self._changed = threading.Condition()
        self._urgent: deque[Envelope[Any]] = deque()
        self._ordinary: deque[Envelope[Any]] = deque()
        self._closed = False
        self.handled = 0
        """Messages handed out so far; the watchdog looks whether it grows."""
        self.working = False
        """The receiver has a message and has not come back for the next one."""
        self._awake = {} if awake is None else awake

    def put(self, envelope: Envelope[Any], /) -> None:
        """Raises `InboxFullError` or, once the actor has stopped, `ActorDeadError`."""
        message = envelope.message
        with self._changed:
            if self._closed:
                raise ActorDeadError("the actor has stopped")
            self._awake[self] = None
            if isinstance(message, _ActorStop) or getattr(message, "urgent", False):
                self._urgent.append(envelope)
                self._changed.notify()
                return
            if len(self._ordinary) < self._bound:
                self._ordinary.append(envelope)
                self._changed.notify()
                return
        # Outside the lock: what it calls may take its time, and the receiver must not wait for it.
        self._on_full()
        raise InboxFullError(f"inbox holds {self._bound} messages")

    def get(self) -> Envelope[Any]:
        with self._changed:
            self.working = False
            while True:
                if self._urgent or self._ordinary:
                    self.working = True
                    self.handled += 1
                    return (self._urgent or self._ordinary).popleft()
                self._awake.pop(self, None)
                if not self._waits:
                    raise IdleError
                self._changed.wait()

    def close(self) -> int:
        """Take nothing more. Returns how many messages wait that nobody expects an answer to: they are lost."""
        with self._changed:
            self._closed = True
            self.working = False
            self._awake.pop(self, None)
            waiting = (*self._urgent, *self._ordinary)
            return sum(e.reply_to is None and not isinstance(e.message, _ActorStop) for e in waiting)

    @property
    def resting(self) -> bool:
        """Nothing waits and nobody is at work."""
        return self not in self._awake

    @property
    def busy(self) -> bool:
        """Somebody waits for the receiver, or it is at work; never after the stop."""
        return not self._closed and (self.working or bool(self._urgent or self._ordinary))

    def empty(self) -> bool:
        return not (self._urgent or self._ordinary)

    def __len__(self) -> int:
        return len(self._urgent) + len(self._ordinary)
