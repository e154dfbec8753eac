"""Protection while the venue takes no orders: it waits for the venue, and its rounds are not used up meanwhile."""

from __future__ import annotations

import pytest

from models.orders import Purpose
from models.recovery import attempt_from
from models.set_events import StartTimer
from models.set_state import State, TimerName
from models.set_steps import CLOSED_NS, MAX_REMEDIES
from tests.models.test_recovery import NOW, TERMS, attempt, order
from tests.stage import Stage, exposure
from tests.trading import levels, shares


def half_filled() -> Stage:
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)
    stage.answer_ladders(no_asks=levels(("0.45", 100)))
    return stage


def look_again(stage: Stage) -> None:
    stage.fire(TimerName.RETRY)
    stage.answer_ladders(no_asks=levels(("0.45", 100)))


@pytest.mark.parametrize("code", ["exchange_paused", "post_only", "restarting", "trading_disabled", "rate_limited"])
def test_a_venue_that_takes_no_orders_uses_up_no_protective_round(code: str) -> None:
    stage = half_filled()
    for _ in range(2 * MAX_REMEDIES):
        stage.refuse(-1, code)
        assert stage.state is State.PARTIAL_FILL_PROTECT
        last = [timer for timer in stage.all(StartTimer) if timer.name is TimerName.RETRY][-1]
        assert last.delay_ns == CLOSED_NS, "no fast retry"
        look_again(stage)
    stage.accept(-1, 10)

    assert exposure(stage) == (shares(10), shares(10))
    assert not stage.halted


def test_neither_does_a_round_that_never_left_this_process() -> None:
    stage = half_filled()
    for _ in range(2 * MAX_REMEDIES):
        stage.refuse(-1, "rate_budget", by_venue=False)
        assert stage.state is State.PARTIAL_FILL_PROTECT
        look_again(stage)
    stage.accept(-1, 10)

    assert exposure(stage) == (shares(10), shares(10))


def test_a_refusal_of_the_order_itself_still_does() -> None:
    stage = half_filled()
    for number in range(MAX_REMEDIES):
        stage.refuse(-1, "exchange_paused")
        look_again(stage)
        stage.refuse(-1, "risk")
        if number < MAX_REMEDIES - 1:
            look_again(stage)

    assert (stage.state, stage.halted) == (State.EXPOSED, True)


def test_it_does_not_wait_longer_than_an_attempt_may_last() -> None:
    stage = half_filled()
    stage.refuse(-1, "exchange_paused")
    stage.fire(TimerName.INFLIGHT)
    for _ in range(MAX_REMEDIES):
        if stage.state is State.PARTIAL_FILL_PROTECT:
            look_again(stage)
            stage.refuse(-1, "exchange_paused")

    assert (stage.state, stage.halted) == (State.EXPOSED, True)


def test_a_restart_of_the_bot_does_not_count_them_either() -> None:
    away = [order(1, refusal="exchange_paused", purpose=Purpose.COMPLETE) for _ in range(MAX_REMEDIES)]
    missed = order(1, filled=0, purpose=Purpose.COMPLETE)
    follower = order(1, filled=0, purpose=Purpose.COMPLETE)

    found = attempt_from(attempt(order(), follower, missed, *away), TERMS, NOW)

    assert found.remedies == 1


def test_where_one_way_out_is_too_dear_and_the_other_cannot_be_priced_it_waits_for_the_other() -> None:
    """The missing leg's book is not there for a moment, and selling back would lose more than is allowed."""
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)
    for _ in range(3):
        stage.answer_ladders(yes_bids=levels(("0.20", 100)), no_asks=levels())
        assert stage.state is State.PARTIAL_FILL_PROTECT
        assert not stage.halted
        stage.fire(TimerName.RETRY)
    stage.answer_ladders(yes_bids=levels(("0.20", 100)), no_asks=levels(("0.56", 100)))
    stage.accept(-1, 10)

    assert exposure(stage) == (shares(10), shares(10))
    assert not stage.halted
    assert len(stage.protections()) == 2, "one row for the looks, one for the way out"


def test_where_both_are_too_dear_it_halts_at_once() -> None:
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)

    stage.answer_ladders(yes_bids=levels(("0.20", 100)), no_asks=levels(("0.90", 100)))

    assert (stage.state, stage.halted) == (State.EXPOSED, True)
