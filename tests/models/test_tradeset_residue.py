"""A residue that nothing mends: it is worked until it is gone, quickly after news, and without filling the ledger."""

from __future__ import annotations

import pytest

from models.book import NotReady
from models.clock import SECOND
from models.messages import StreamRestored
from models.orders import FillState
from models.residue import CADENCE_NS, CLOSED_MAX_NS, REFUSED_MAX_NS
from models.set_events import AskLadders
from models.set_state import State, TimerName, last_chance
from models.set_steps import MAX_REMEDIES
from tests.stage import Stage, exposure
from tests.trading import levels, shares

HOUR = 3600.0
DEAR = levels(("0.60", 100))
WAY_OUT = {"yes_bids": levels(("0.44", 100)), "yes_asks": DEAR, "no_asks": ()}


def exposed(code: str = "no") -> Stage:
    """Ten YES without their NO, and every protective order at full speed has been refused."""
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)
    for _ in range(MAX_REMEDIES):
        if stage.attempt.remedies:
            stage.fire(TimerName.RETRY)
        stage.answer_ladders(**WAY_OUT)
        stage.refuse(-1, code)
    if stage.state is not State.EXPOSED:
        stage.fire(TimerName.INFLIGHT)
    assert stage.state is State.EXPOSED
    return stage


def look(stage: Stage, **sides) -> bool:
    """The next look at the books, now or when its timer fires; whether an order followed."""
    sent = len(stage.intents)
    if stage.record.ladders is None:
        stage.fire(TimerName.RETRY)
    stage.answer_ladders(**sides)
    return len(stage.intents) > sent


def refuse_for(stage: Stage, seconds: float, code: str = "no", **sides) -> int:
    """So long the venue refuses whatever is sent; how often that was."""
    end, sent = stage.now + int(seconds * SECOND), 0
    while stage.now < end:
        if look(stage, **(sides or WAY_OUT)):
            stage.refuse(-1, code)
            sent += 1
    return sent


def test_what_is_refused_for_ever_is_tried_ever_more_rarely_and_never_given_up():
    stage = exposed()

    hours = [refuse_for(stage, HOUR) for _ in range(3)]

    assert hours[0] <= 12, "it was 240"
    assert all(0 < sent <= HOUR * SECOND / REFUSED_MAX_NS + 1 for sent in hours[1:])
    assert look_until_sent(stage) <= REFUSED_MAX_NS
    stage.accept(-1, 10)
    assert stage.state is State.COOLDOWN
    assert exposure(stage) == (0, 0)


def look_until_sent(stage: Stage, **sides) -> int:
    """Nanoseconds until the next order."""
    began = stage.now
    while not look(stage, **(sides or WAY_OUT)):
        assert stage.now - began < HOUR * SECOND
    return stage.now - began


def test_the_books_are_looked_at_all_the_same_every_fifteen_seconds():
    stage = exposed()
    before = len(stage.all(AskLadders))

    refuse_for(stage, HOUR)

    assert len(stage.all(AskLadders)) - before >= HOUR * SECOND / CADENCE_NS - 1


def test_a_book_that_offers_more_is_used_at_the_next_look_however_long_nothing_worked():
    stage = exposed()
    refuse_for(stage, 2 * HOUR)
    while look(stage, **WAY_OUT):
        stage.refuse(-1)

    assert look(stage, yes_bids=levels(("0.46", 100)), yes_asks=DEAR, no_asks=())

    stage.accept(-1, 10)
    assert (stage.state, exposure(stage)) == (State.COOLDOWN, (0, 0))


def test_another_way_out_than_the_one_that_did_not_work_is_used_at_the_next_look():
    stage = exposed()
    refuse_for(stage, 2 * HOUR)
    while look(stage, **WAY_OUT):
        stage.refuse(-1)

    assert look(stage, yes_bids=levels(("0.44", 100)), no_asks=levels(("0.50", 100)))


def test_a_book_that_never_rests_gains_no_row_by_that():
    """Prices that come and go are no news: only what is better than everything tried before is."""
    stage = exposed()
    rests = [
        {"yes_bids": levels((f"0.{cents}", 100)), "yes_asks": DEAR, "no_asks": ()} for cents in (44, 42, 46, 41, 45, 40)
    ]

    end, sent = stage.now + int(HOUR * SECOND), 0
    while stage.now < end:
        if look(stage, **rests[stage.now // CADENCE_NS % len(rests)]):
            stage.refuse(-1)
            sent += 1

    assert sent <= 14


def test_a_part_that_fills_begins_anew():
    stage = exposed()
    refuse_for(stage, 2 * HOUR)
    look_until_sent(stage)

    stage.accept(-1, 4)

    assert look(stage, **WAY_OUT), "the rest follows with the next look"
    assert stage.order().size == shares(6)


def test_a_stream_that_is_back_is_news():
    stage = exposed()
    refuse_for(stage, 2 * HOUR)
    while look(stage, **WAY_OUT):
        stage.refuse(-1)

    stage.tell(StreamRestored(stage.now))

    assert look(stage, **WAY_OUT)


@pytest.mark.parametrize("end", ["missed", "market_paused"])
def test_what_says_nothing_against_the_order_is_tried_again_sooner(end):
    """Taken and not filled, or turned away because of the hour: that may be otherwise in a moment."""
    stage = exposed()

    tried, stop = 0, stage.now + int(2 * HOUR * SECOND)
    while stage.now < stop:
        if look(stage, **WAY_OUT):
            tried += 1
            if end == "missed":
                stage.accept(-1, 0)
            else:
                stage.refuse(-1, end)

    assert HOUR * SECOND / REFUSED_MAX_NS * 2 < tried <= 2 * HOUR * SECOND / CLOSED_MAX_NS + 8


def test_a_residue_that_is_held_is_told_of_now_and_then_and_not_at_every_look():
    stage = exposed()
    rows = len(stage.protections())
    told = stage.incidents("exposed")

    refuse_for(stage, HOUR, yes_bids=(), no_asks=())

    assert len(stage.intents) == 2 + MAX_REMEDIES
    assert 4 <= len(stage.protections()) - rows <= 6
    assert 3 <= stage.incidents("exposed") - told <= 5, "the operator hears of it every quarter of an hour"


def test_books_that_come_and_go_gain_no_row_at_every_look():
    stage = exposed()
    rows = len(stage.protections())
    end, turn = stage.now + int(HOUR * SECOND), 0
    while stage.now < end:
        turn += 1
        sides = {"not_ready": NotReady.FEED_DOWN} if turn % 2 else WAY_OUT
        if look(stage, **sides):
            stage.refuse(-1)

    assert len(stage.protections()) - rows <= 75


def test_fills_that_are_reversed_again_and_again_are_followed_more_and_more_rarely():
    """Each time the residue is sold, and each time the venue takes the sale back."""
    stage = exposed()
    began, sent = stage.now, len(stage.intents)
    while stage.now - began < HOUR * SECOND:
        if look(stage, **WAY_OUT):
            stage.accept(-1, 10, fills=False)
            trade = stage.fill(-1, 10, state=FillState.PROVISIONAL)
            stage.wait(3)
            stage.fill(-1, 10, state=FillState.REVERSED, trade=trade)
        assert stage.state is State.EXPOSED

    assert len(stage.intents) - sent <= HOUR * SECOND / CLOSED_MAX_NS + 8


def test_before_the_process_ends_a_residue_is_tried_once_more_however_long_its_wait():
    stage = exposed()
    refuse_for(stage, 2 * HOUR)
    while look(stage, **WAY_OUT):
        stage.refuse(-1)
    sent = len(stage.intents)

    for message in last_chance(stage.record, stage.now):
        stage.tell(message)
    stage.answer_ladders(**WAY_OUT)

    assert len(stage.intents) == sent + 1
    stage.accept(-1, 10)
    assert stage.state is State.COOLDOWN
    assert last_chance(stage.record, stage.now) == ()


def test_before_the_process_ends_an_order_without_an_answer_is_asked_for_and_no_other_timer_is_hurried():
    stage = Stage()
    stage.approve()

    assert [message.name for message in last_chance(stage.record, stage.now)] == [TimerName.ORDER]
