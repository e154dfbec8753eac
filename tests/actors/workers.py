"""Actors and helpers for the tests of the dispatchers: an actor that notes who ran it, and waiting without sleeping."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pykka

from actors.base import BotActor
from actors.dispatch import Dispatcher
from tests.polling import until

W = TypeVar("W", bound=BotActor)

PATIENCE_S = 10.0
"""Longest wait for something that happens at once on a healthy machine."""


@dataclass(frozen=True, slots=True)
class Do:
    """Run something inside the actor, on whatever thread it has at the moment."""

    what: Callable[[Worker], object]


@dataclass(slots=True)
class Crashes:
    """An `on_crash` that remembers, and whether the actor was still alive when it was told."""

    seen: list[tuple[str, BaseException]] = field(default_factory=list)

    def __call__(self, name: str, error: BaseException) -> None:
        self.seen.append((name, error))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.seen]


class Worker(BotActor):
    """Keeps every message with the thread that brought it; `Do` runs code in its place."""

    def __init__(self, dispatcher: Dispatcher, name: str, on_crash: Callable[[str, BaseException], None]) -> None:
        super().__init__(dispatcher, name, on_crash)
        self.handled: list[object] = []
        self.threads: set[int] = set()
        self.overlaps = 0
        self.events: list[str] = []
        self.failures: list[BaseException | None] = []
        self._inside = False

    def started(self) -> None:
        self.events.append("started")

    def stopping(self) -> None:
        self.events.append("stopping")

    def on_failure(self, exception_type: Any, exception_value: BaseException | None, traceback: Any) -> None:
        self.failures.append(exception_value)

    def receive(self, message: Any) -> None:
        if self._inside:
            self.overlaps += 1
        self._inside = True
        self.threads.add(threading.get_ident())
        if isinstance(message, Do):
            message.what(self)
        else:
            self.handled.append(message)
        self._inside = False


def run(actor: W) -> W:
    """Start an actor as Pykka's `start()` does, but keep the object."""
    pykka.ActorRegistry.register(actor.actor_ref)
    actor._start_actor_loop()
    return actor


def forget_all() -> None:
    """Empty Pykka's registry, so that no test sees another's actors."""
    for ref in pykka.ActorRegistry.get_all():
        pykka.ActorRegistry.unregister(ref)


def on_thread(work: Callable[[], object], name: str = "teller") -> threading.Thread:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def finish(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), f"{thread.name} hangs"


def heard(actor: Worker, count: int) -> None:
    """Wait until the actor has handled `count` ordinary messages."""
    until(lambda: len(actor.handled) >= count, f"{actor.name} has handled {len(actor.handled)} of {count}")


def mark() -> tuple[Do, threading.Event]:
    """A message and the event that it sets: everything queued before it has been handled by then."""
    event = threading.Event()
    return Do(lambda actor: event.set()), event


def reached(event: threading.Event) -> None:
    assert event.wait(PATIENCE_S), "the mark was never reached"


def raising(error: BaseException) -> Do:
    def act(actor: Worker) -> None:
        raise error

    return Do(act)
