"""The watchdog's looks, by hand: who is stuck, since when, and how old the oldest waiting message is."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from pykka._envelope import Envelope

from actors.inbox import IdleError, LaneInbox
from actors.simulation import SimClock
from actors.watchdog import EXIT_NS, TRIP_NS, Probe, Watchdog
from models.clock import MS, SECOND

PERIOD_NS = 250 * MS


class Watched:
    """A worker that does as much as a test says, and the watchdog that looks at it."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock = SimClock()
        self.handled = 0
        self.busy: str | None = None
        self.queued = 0
        self.trips: list[str] = []
        probe = Probe(handled=lambda: self.handled, busy=lambda: self.busy, waiting=lambda: self.queued)
        self.dog = Watchdog(
            self.clock, lambda: {"ledger": probe}, trip=self.trips.append, every_turn=(), stacks=tmp_path / "stacks"
        )

    def looks(self, seconds: float):
        """Look once a period for so long; returns since when the worker is stuck, in ns of age."""
        stuck = None
        for _ in range(round(seconds * SECOND / PERIOD_NS)):
            self.clock.now += PERIOD_NS
            stuck = self.dog.look()
        return None if stuck is None else self.clock.boot_ns() - stuck


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_worker_that_is_at_work_and_does_not_move_trips_after_two_seconds(watched: Watched) -> None:
    watched.dog.look()
    watched.busy = "ledger"

    assert watched.looks(TRIP_NS / SECOND) is None
    assert watched.trips == []
    watched.looks(0.5)

    assert "ledger: ledger has made no progress" in watched.trips[0]
    age = watched.looks(8)
    assert age is not None
    assert age > EXIT_NS, "then the process is ended"


def test_a_worker_that_moves_or_rests_is_left_alone(watched: Watched) -> None:
    watched.busy = "ledger"
    for _ in range(20):
        watched.handled += 1
        watched.looks(1)
    watched.busy = None
    watched.looks(20)

    assert watched.trips == []


def test_a_watchdog_that_cannot_look_halts_and_goes_on_with_its_other_tasks(tmp_path: Path) -> None:
    trips: list[str] = []
    refreshed = threading.Event()
    blind = Probe(handled=lambda: 1 // 0, busy=lambda: None)
    dog = Watchdog(
        SimClock(),
        lambda: {"ledger": blind},
        trip=trips.append,
        every_turn=(refreshed.set,),
        stacks=tmp_path / "stacks",
    )

    dog.start()

    assert refreshed.wait(5), "a halt from another shell is still noticed"
    dog.stop(5)
    assert trips[0] == "the watchdog cannot see its workers"


def test_the_age_of_the_oldest_waiting_message_is_that_of_the_backlog(watched: Watched) -> None:
    watched.looks(1)
    watched.queued, watched.busy = 100, "ledger"
    for _ in range(8):
        watched.handled += 1
        watched.looks(0.25)

    assert watched.dog.inbox.waiting == 100
    assert 1.5 * SECOND <= watched.dog.inbox.age_ns <= 2 * SECOND
    watched.handled, watched.queued, watched.busy = watched.handled + 100, 0, None
    watched.looks(0.25)
    assert watched.dog.inbox.age_ns == 0


def test_an_inbox_is_busy_from_the_first_message_until_its_receiver_comes_back_for_none() -> None:
    awake: dict[LaneInbox, None] = {}
    inbox = LaneInbox(10, lambda: None, waits=False, awake=awake)
    assert (inbox.busy, inbox.resting) == (False, True)

    inbox.put(Envelope("a"))
    assert (inbox.busy, inbox.resting, list(awake)) == (True, False, [inbox])
    inbox.get()
    assert (inbox.busy, inbox.resting, inbox.handled, len(inbox)) == (True, False, 1, 0)
    with pytest.raises(IdleError):
        inbox.get()
    assert (inbox.busy, inbox.resting) == (False, True)
    inbox.put(Envelope("lost"))
    inbox.close()
    assert not inbox.busy, "after the stop nobody waits for it"
