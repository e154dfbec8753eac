"""What the venue denied and shows later after all: cancelled, asked about, mended once, and never counted on.

Found by the simulator with orders that arrive later than any venue promises.
"""

from __future__ import annotations

import pytest

from models.clock import BootNs
from models.messages import CancelOrder, ProbeAnswered, ProbeOrder
from models.order_life import Phase
from models.orders import AttemptId, CancelResult, ClientOrderId, ProbeFailed, Purpose, VenueOrderStatus
from models.set_state import State, TimerName, worries_of
from models.set_turn import PAST_MAX
from models.sets import LegPolicy
from tests.stage import Stage
from tests.trading import a_market, execution_terms, levels, shares


def believed_gone(*indexes: int, stage: Stage) -> None:
    """Two sources have denied these orders after all patience."""
    for index in indexes:
        stage.lose_answer(index)
    stage.wait(60)
    for index in indexes:
        stage.deny(index, "orders")
        stage.deny(index, "executions")


def a_miss_that_nobody_showed() -> Stage:
    stage = Stage()
    stage.approve()
    believed_gone(0, stage=stage)
    stage.fire(TimerName.COOLDOWN)
    assert stage.state is State.IDLE
    return stage


def test_an_order_that_comes_alive_after_the_end_is_cancelled_until_it_has_ended():
    stage = a_miss_that_nobody_showed()

    stage.update(0, status=VenueOrderStatus.LIVE)
    assert stage.halted
    assert stage.state is State.WAITING_FILLS
    stage.fire(TimerName.PROBE)
    assert stage.all(CancelOrder)[-1].intent.client_order_id == stage.order(0).client_order_id
    stage.fire(TimerName.PROBE)
    assert stage.cancels() == 2

    stage.cancel_answer(0)
    stage.show(0, 0)
    assert stage.state is State.COOLDOWN
    assert stage.released().attempt_id == "a-1"


def test_it_is_protected_if_it_fills_before_its_cancel():
    stage = a_miss_that_nobody_showed()
    stage.update(0, status=VenueOrderStatus.LIVE)

    stage.cancel_answer(0, CancelResult.GONE)
    stage.show(0, 10)

    assert stage.state is State.PARTIAL_FILL_PROTECT
    stage.answer_ladders()
    stage.accept(-1, 10)
    assert stage.state is State.COOLDOWN
    assert stage.attempt.surplus == 0


def test_what_comes_alive_while_another_attempt_runs_is_worked_on_after_it_however_old_it_is():
    """The ninth attempt from the end is the first that would be forgotten."""
    stage = a_miss_that_nobody_showed()
    for number in range(2, PAST_MAX + 1):
        stage.approve(attempt_id=f"a-{number}")
        stage.refuse(-1)
        stage.fire(TimerName.COOLDOWN)
    stage.approve(attempt_id=f"a-{PAST_MAX + 1}")
    stage.update(0, status=VenueOrderStatus.LIVE)

    stage.refuse(-1)

    assert (stage.state, stage.attempt.attempt_id) == (State.WAITING_FILLS, "a-1")
    stage.fire(TimerName.PROBE)
    assert stage.all(CancelOrder)[-1].intent.client_order_id == stage.order(0).client_order_id


def test_no_new_attempt_begins_while_it_is_worked_on():
    stage = a_miss_that_nobody_showed()
    stage.update(0, status=VenueOrderStatus.LIVE)

    stage.approve(attempt_id="a-2")

    assert stage.state is State.WAITING_FILLS
    assert stage.released().attempt_id == "a-2", "turned away"


def test_an_order_that_comes_alive_beside_a_set_is_cancelled_before_the_set_is_over():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    believed_gone(1, stage=stage)
    stage.answer_ladders(no_asks=levels(("0.55", 100)))
    assert stage.order().purpose is Purpose.COMPLETE
    stage.accept(-1, 10, fills=False)
    assert stage.state is State.SUCCESS

    stage.update(1, status=VenueOrderStatus.LIVE)
    stage.fill(-1, 10)
    assert stage.state is State.SUCCESS
    stage.fire(TimerName.PROBE)

    assert stage.all(CancelOrder)[-1].intent.client_order_id == stage.order(1).client_order_id
    stage.cancel_answer(1)
    stage.show(1, 0)
    assert stage.state is State.COOLDOWN


def both_legs_denied() -> Stage:
    stage = Stage(execution_terms(policy=LegPolicy.TOGETHER, horizon_s=10))
    stage.approve()
    believed_gone(0, 1, stage=stage)
    stage.fire(TimerName.COOLDOWN)
    return stage


def test_what_was_denied_together_is_unknown_again_when_one_of_them_turns_up():
    stage = both_legs_denied()

    stage.fill(0, 10)

    assert stage.halted
    assert stage.state is State.IN_DOUBT, "mending now could buy the other leg twice"
    assert stage.life(1).phase is Phase.UNKNOWN
    stage.fire(TimerName.PROBE)
    assert {p.intent.client_order_id for p in stage.all(ProbeOrder)[-2:]} >= {stage.order(1).client_order_id}
    stage.fill(1, 10)
    assert stage.state is State.COOLDOWN
    assert stage.attempt.sets == shares(10)
    assert len(stage.intents) == 2


def test_it_is_mended_once_the_others_have_been_denied_anew():
    stage = both_legs_denied()
    stage.fill(0, 10)

    stage.deny(1, "orders")
    stage.deny(1, "executions")
    assert stage.state is State.IN_DOUBT, "the venue has its whole horizon again"
    stage.wait(60)
    stage.deny(1, "orders")
    stage.deny(1, "executions")

    assert stage.state is State.PARTIAL_FILL_PROTECT


@pytest.mark.parametrize("late", [10, 4])
def test_a_residue_too_small_to_trade_is_worked_on_when_a_late_fill_makes_it_larger(late):
    stage = Stage(execution_terms(market=a_market(min_size=5)))
    stage.approve()
    stage.accept(0, 10)
    stage.accept(1, 8)
    stage.answer_ladders()
    assert stage.attempt.stranded
    assert stage.released().attempt_id == "a-1"

    stage.fill(0, late)

    assert stage.halted
    assert stage.state is State.PARTIAL_FILL_PROTECT
    assert stage.attempt.surplus == shares(2 + late)


def test_a_venue_that_refuses_the_account_when_asked_about_an_order_halts_trading_at_once():
    """Found by the simulator (V12): a revoked key while a fill was reversed, and nobody who could know."""
    stage = Stage()
    stage.approve()
    stage.lose_answer(0)
    own, attempt_id = stage.order(0).client_order_id, stage.order(0).attempt_id

    stage.tell(probe_failed(attempt_id, own, "HTTP 500", barred=False))
    assert not stage.halted
    stage.tell(probe_failed(attempt_id, own, "HTTP 401 bad_signature", barred=True))

    assert stage.halted
    assert stage.state is State.IN_DOUBT


def probe_failed(attempt_id: AttemptId, own: ClientOrderId, why: str, *, barred: bool) -> ProbeAnswered:
    answer = ProbeFailed(client_order_id=own, why=why, barred=barred)
    return ProbeAnswered(attempt_id=attempt_id, answer=answer, fills=(), at=BootNs(0))


def test_an_earlier_attempt_that_is_naked_again_is_a_worry_while_the_present_one_runs():
    """Otherwise a resume would be given while ten shares of it are unhedged."""
    stage = a_miss_that_nobody_showed()
    stage.approve(attempt_id="a-2")
    assert worries_of(stage.record) == ()

    stage.fill(0, 10)

    assert stage.state is State.PLACING_ORDERS
    assert worries_of(stage.record) == ("m1: 10 shares unhedged",)
