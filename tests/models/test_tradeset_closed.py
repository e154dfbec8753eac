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


@pytest.mark.parametrize("code", ["exchange_paused", "market_paused", "post_only", "restarting", "trading_disabled"])
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
