"""The inbox of actors with a thread or a place in a pool: two lanes, one bound, and an end."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pykka
import pytest
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from actors.inbox import IdleError, InboxFullError, LaneInbox
from tests.actors.workers import PATIENCE_S, finish, on_thread


@dataclass(frozen=True)
class Halt:
    urgent: bool = True


def an_inbox(bound: int = 3, *, waits: bool = False) -> tuple[LaneInbox, list[str]]:
    full: list[str] = []
    return LaneInbox(bound, lambda: full.append("full"), waits=waits), full


def put(inbox: LaneInbox, *messages: object) -> None:
    for message in messages:
        inbox.put(Envelope(message))


def take_all(inbox: LaneInbox) -> list[object]:
    taken = []
    while not inbox.empty():
        taken.append(inbox.get().message)
    return taken


def test_ordinary_messages_come_out_as_they_went_in() -> None:
    inbox, _ = an_inbox()
    put(inbox, 1, 2, 3)

    assert len(inbox) == 3
    assert take_all(inbox) == [1, 2, 3]


def test_urgent_messages_and_pykkas_stop_overtake_in_their_own_order() -> None:
    inbox, _ = an_inbox()
    first, stop, second = Halt(), _ActorStop(), Halt()
    put(inbox, "book", first, stop, second, "book too")

    assert take_all(inbox) == [first, stop, second, "book", "book too"]


def test_a_message_that_says_it_is_not_urgent_waits() -> None:
    inbox, _ = an_inbox()
    put(inbox, "first", Halt(urgent=False))

    assert take_all(inbox) == ["first", Halt(urgent=False)]


def test_a_full_lane_refuses_reports_and_keeps_what_it_has() -> None:
    inbox, full = an_inbox(bound=2)
    put(inbox, 1, 2)

    with pytest.raises(InboxFullError):
        put(inbox, 3)

    assert full == ["full"]
    put(inbox, Halt())
    assert take_all(inbox) == [Halt(), 1, 2]


def test_the_report_of_a_full_lane_is_made_outside_its_lock() -> None:
    taken: list[object] = []

    def report() -> None:
        taker = on_thread(lambda: taken.append(inbox.get().message))
        finish(taker)

    inbox = LaneInbox(1, report, waits=False)
    put(inbox, "waiting")

    with pytest.raises(InboxFullError):
        put(inbox, "too many")

    assert taken == ["waiting"]


def test_an_empty_inbox_of_a_pool_ends_the_turn() -> None:
    inbox, _ = an_inbox()

    with pytest.raises(IdleError):
        inbox.get()


def test_an_empty_inbox_of_a_thread_waits_for_the_next_message() -> None:
    inbox, _ = an_inbox(waits=True)
    taken: list[object] = []
    got = threading.Event()

    def take() -> None:
        taken.append(inbox.get().message)
        got.set()

    thread = on_thread(take)
    assert not got.wait(0.02)
    put(inbox, "news")
    assert got.wait(PATIENCE_S)
    finish(thread)

    assert taken == ["news"]


def test_a_closed_inbox_counts_what_nobody_will_hear_and_takes_nothing_more() -> None:
    inbox, _ = an_inbox(bound=9)
    put(inbox, 1, Halt(), _ActorStop(), 2)
    inbox.put(Envelope("question", reply_to=pykka.ThreadingFuture()))

    assert inbox.close() == 3

    with pytest.raises(pykka.ActorDeadError):
        put(inbox, "late")
    with pytest.raises(pykka.ActorDeadError):
        put(inbox, _ActorStop())
    assert len(take_all(inbox)) == 5
