"""When a market resolves: held sets become cash, a naked leg is worth what it pays, and profit is booked once."""

from __future__ import annotations

import pytest

from models.orders import FillState
from models.rows import AttemptChanged, Ending, Settled
from models.set_state import State, TimerName
from tests.stage import Stage
from tests.trading import a_top, execution_terms, levels, shares, yes_basket


def a_held_set() -> Stage:
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.accept(1, 10)
    stage.fire(TimerName.COOLDOWN)
    assert stage.released().open_position
    return stage


def last_row(stage: Stage) -> AttemptChanged:
    return stage.rows(AttemptChanged)[-1]


@pytest.mark.parametrize("yes_pays", ["1", "0", "0.35"])
def test_a_held_set_pays_a_dollar_a_share_whatever_happens(yes_pays):
    stage = a_held_set()
    assert last_row(stage).realized_pnl is None

    stage.resolve(yes_pays=yes_pays)

    [settled] = stage.rows(Settled)
    assert (settled.kind, settled.yes_size, settled.no_size) == ("resolution", shares(10), shares(10))
    assert settled.cash == 10_000_000
    row = last_row(stage)
    assert (row.ending, row.resolution, row.open_position) == (Ending.SUCCESS, "resolution", False)
    assert row.realized_pnl == 10_000_000 - 4_500_000 - 5_500_000
    assert not stage.released().open_position
    assert stage.released().cash_change == row.realized_pnl


def test_a_resolution_told_twice_pays_once():
    stage = a_held_set()

    stage.resolve()
    before = len(stage.done)
    stage.resolve()

    assert len(stage.rows(Settled)) == 1
    assert len(stage.done) == before


def test_a_set_over_several_markets_is_realized_with_the_last_of_them():
    stage = Stage(execution_terms(yes_basket("a", "b", "c")))
    stage.approve(*(a_top(m, yes_ask="0.30", yes_bid="0.29") for m in ("a", "b", "c")))
    stage.accept(0, 10)
    stage.accept(1, 10)
    stage.accept(2, 10)
    stage.fire(TimerName.COOLDOWN)

    stage.resolve("a", "0")
    stage.resolve("b", "1")
    assert last_row(stage).realized_pnl is None
    stage.resolve("c", "0")

    assert [(s.market_id, s.cash) for s in stage.rows(Settled)] == [("a", 0), ("b", 10_000_000), ("c", 0)]
    assert last_row(stage).realized_pnl == 10_000_000 - sum(last_row(stage).leg_costs)


@pytest.mark.parametrize(("yes_pays", "cash"), [("1", 10_000_000), ("0", 0)])
def test_a_naked_leg_that_resolves_is_exposed_no_longer(yes_pays, cash):
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)
    stage.answer_ladders(yes_bids=levels(("0.01", 1)), no_asks=levels(("0.99", 1)))
    assert stage.state is State.EXPOSED

    stage.resolve(yes_pays=yes_pays)

    assert stage.state is State.COOLDOWN
    row = last_row(stage)
    assert (row.realized_pnl, row.resolution, row.open_position) == (cash - 4_500_000, "resolution", False)


def test_an_unknown_order_on_a_resolved_market_is_still_asked_about():
    stage = Stage()
    stage.approve()
    stage.lose_answer(0)

    stage.resolve(yes_pays="1")
    assert stage.state is State.IN_DOUBT
    stage.show(0, 10)

    assert stage.state is State.COOLDOWN
    assert last_row(stage).realized_pnl == 10_000_000 - 4_500_000


def test_a_set_that_was_merged_before_is_not_paid_again():
    stage = Stage(execution_terms(merges=True))
    stage.approve()
    stage.accept(0, 10)
    stage.accept(1, 10)
    stage.answer_merge("0.999999")

    stage.resolve()

    assert [s.kind for s in stage.rows(Settled)] == ["merge"]


def a_set_that_is_being_merged() -> Stage:
    stage = Stage(execution_terms(merges=True))
    stage.approve()
    stage.accept(0, 10)
    stage.accept(1, 10)
    return stage


def test_a_market_that_resolves_while_a_merge_is_on_its_way_waits_for_the_merge():
    stage = a_set_that_is_being_merged()

    stage.resolve()
    assert stage.rows(Settled) == []
    stage.answer_merge("10")

    assert [s.kind for s in stage.rows(Settled)] == ["merge"]
    assert last_row(stage).realized_pnl == 0


def test_a_merge_that_is_answered_after_the_payout_was_booked_is_not_booked_as_well():
    """Found by the simulator: twenty dollars in the ledger for ten sets."""
    stage = a_set_that_is_being_merged()
    stage.resolve()
    stage.answer_merge(None)
    assert [s.kind for s in stage.rows(Settled)] == ["resolution"]

    stage.answer_merge("10")

    assert [s.kind for s in stage.rows(Settled)] == ["resolution"]
    assert last_row(stage).realized_pnl == 0


def test_a_fill_that_is_reversed_after_the_market_has_resolved_is_not_paid_for():
    """Found by the simulator: SUCCESS without a set, and ten dollars booked where the venue paid none."""
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.accept(1, 10, fills=False)
    trade = stage.fill(1, 10, state=FillState.PROVISIONAL)
    assert stage.state is State.SUCCESS

    stage.resolve(yes_pays="0")
    assert stage.rows(Settled) == [], "what is provisional may still go"
    stage.fill(1, 10, state=FillState.REVERSED, trade=trade)

    [settled] = stage.rows(Settled)
    assert (settled.yes_size, settled.no_size, settled.cash) == (shares(10), 0, 0)
    assert stage.state is State.COOLDOWN
    assert last_row(stage).realized_pnl == -4_500_000


def test_a_residue_on_a_netting_venue_is_paid_apart_from_the_sets():
    stage = Stage(execution_terms(nets=True))
    stage.approve()
    stage.accept(0, 10)
    stage.accept(1, 6)
    stage.answer_ladders(yes_bids=levels(), no_asks=levels())
    assert stage.state is State.PARTIAL_FILL_PROTECT

    stage.resolve(yes_pays="1")

    settled = {s.kind: (s.yes_size, s.no_size, s.cash) for s in stage.rows(Settled)}
    assert settled == {"netting": (shares(6), shares(6), 6_000_000), "resolution": (shares(4), 0, 4_000_000)}
    assert last_row(stage).realized_pnl == 10_000_000 - sum(last_row(stage).leg_costs)


def test_an_old_set_that_is_still_held_is_not_forgotten_behind_newer_attempts():
    stage = a_held_set()
    for number in range(2, 14):
        stage.approve(attempt_id=f"a-{number}")
        stage.refuse(-1)
        stage.fire(TimerName.COOLDOWN)
    assert stage.record.past[0].attempt_id == "a-1"
    assert len(stage.record.past) == 9

    stage.resolve()

    assert last_row(stage).attempt_id == "a-1"


def test_another_sets_market_is_none_of_our_business():
    stage = a_held_set()
    before = stage.record

    stage.resolve("m9")

    assert stage.record is before
