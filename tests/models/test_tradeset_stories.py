"""The stories of a set: what the venue did, what the three protection numbers were, and what is held in the end."""

from __future__ import annotations

import pytest

from models.book import NotReady
from models.clock import SECOND, BootNs
from models.fees import FeeSchedule, taker_fee
from models.market import Action
from models.messages import CommitFailed, CommitIntents, FillSeen, IncidentSeen, MergeSets, ProbeOrder
from models.money import PriceMicros, cost_rounded_up
from models.orders import CancelResult, FillState, Purpose, TimeInForce, VenueOrderStatus
from models.rows import AttemptChanged, Ending, FillReported, OrderChanged, Settled
from models.set_events import AskLadders, AskSnapshots, Halt, StartTimer
from models.set_state import State, TimerName
from models.set_steps import MAX_REMEDIES
from models.sets import LegPolicy
from tests.stage import Stage, a_fill, exposure
from tests.trading import a_market, a_top, execution_terms, levels, price, shares, yes_basket

TOGETHER = LegPolicy.TOGETHER


def numbers(stage: Stage) -> tuple[object, object, object]:
    """complete, unwind, hold of the newest protection, in whole dollars and cents of the whole quantity."""
    facts = stage.protections()[-1]
    return facts["complete"], facts["unwind"], facts["hold"]


def last_row(stage: Stage) -> AttemptChanged:
    return stage.rows(AttemptChanged)[-1]


# -- the good end


def test_the_thin_leg_goes_first_and_the_other_follows_for_exactly_what_filled():
    stage = Stage()

    stage.approve(a_top(yes_size=20, no_size=500))
    assert [(o.outcome, o.purpose, o.size) for o in stage.intents] == [("YES", Purpose.OPEN, shares(10))]
    stage.accept(0, 7)

    follower = stage.order()
    assert (follower.outcome, follower.purpose, follower.size) == ("NO", Purpose.COMPLETE, shares(7))
    assert follower.limit_price == price("0.55"), "at most at break-even"
    stage.accept(1, 7)
    assert exposure(stage) == (shares(7), shares(7))
    assert last_row(stage).ending is Ending.SUCCESS
    assert stage.released().open_position
    assert not stage.halted


def test_the_follower_pays_no_more_than_break_even_with_fees():
    fees = FeeSchedule(name="q", as_of="2026-11-22", rate_micros=70_000)
    stage = Stage(execution_terms(market=a_market(fees=fees, tick="0.001")))
    stage.approve(a_top(yes_ask="0.45", no_ask="0.45"))
    stage.accept(0, 10)

    def whole_set(other_leg: PriceMicros) -> int:
        prices = (price("0.45"), other_leg)
        return sum(cost_rounded_up(p, shares(10)) + taker_fee(fees, p, shares(10)) for p in prices)

    limit = stage.order().limit_price
    assert whole_set(limit) <= 10_000_000 < whole_set(PriceMicros(limit + 1_000))


def test_together_sends_all_legs_in_one_batch():
    stage = Stage(execution_terms(policy=TOGETHER))

    stage.approve()
    [commit] = stage.all(CommitIntents)
    assert commit.together
    assert len(commit.intents) == 2
    stage.accept(0, 10)
    stage.accept(1, 10)

    assert exposure(stage) == (shares(10), shares(10))
    assert last_row(stage).ending is Ending.SUCCESS


def test_three_legs_follow_the_thin_one_together():
    stage = Stage(execution_terms(yes_basket("a", "b", "c")))
    stage.approve(
        a_top("a", yes_ask="0.30", yes_size=90),
        a_top("b", yes_ask="0.30", yes_size=20),
        a_top("c", yes_ask="0.30", yes_size=90),
    )
    assert [o.market_id for o in stage.intents] == ["b"]

    stage.accept(0, 10)

    assert [(o.market_id, o.limit_price) for o in stage.intents[1:]] == [("a", 350_000), ("c", 350_000)]
    stage.accept(1, 10)
    stage.accept(2, 10)
    assert exposure(stage) == (shares(10),) * 3
    assert last_row(stage).ending is Ending.SUCCESS


def test_a_merging_venue_gives_the_cash_back_before_the_markets_are_released():
    stage = Stage(execution_terms(merges=True))
    stage.approve()
    stage.accept(0, 10)
    stage.accept(1, 10)
    assert (stage.state, stage.all(MergeSets)[0].size) == (State.SUCCESS, shares(10))

    stage.answer_merge("0.999999")

    row = last_row(stage)
    assert stage.state is State.COOLDOWN
    assert (row.resolution, row.open_position) == ("merge", False)


def test_a_merge_that_nobody_can_read_leaves_the_position_open_and_is_not_repeated():
    stage = Stage(execution_terms(merges=True))
    stage.approve()
    stage.accept(0, 10)
    stage.accept(1, 10)

    stage.answer_merge(None)

    assert last_row(stage).open_position
    assert last_row(stage).realized_pnl is None
    assert len(stage.all(MergeSets)) == 1
    assert stage.incidents("merge_unknown") == 1


def test_a_netting_venue_realizes_the_profit_with_the_second_fill():
    stage = Stage(execution_terms(nets=True))
    stage.approve()
    stage.accept(0, 10)
    stage.accept(1)
    stage.fill(1, 10, at="0.46")

    row = last_row(stage)
    assert (row.resolution, row.open_position) == ("netting", False)
    assert row.realized_pnl == 10_000_000 - 4_500_000 - 4_600_000


def test_sets_that_come_late_are_netted_once():
    stage = Stage(execution_terms(nets=True))
    stage.approve()
    stage.accept(0, 4)
    stage.accept(1, 4)
    assert [(s.yes_size, s.cash) for s in stage.rows(Settled)] == [(shares(4), 4_000_000)]

    stage.fill(0, 6)
    stage.answer_ladders(no_asks=levels(("0.50", 100)))
    stage.accept(-1, 6)

    assert exposure(stage) == (shares(10), shares(10))
    assert [(s.yes_size, s.cash) for s in stage.rows(Settled)] == [(shares(4), 4_000_000), (shares(6), 6_000_000)]


# -- a clean miss


def test_a_clean_miss_is_tried_again_at_fresh_asks_and_then_given_up():
    stage = Stage(execution_terms(attempts=2))
    stage.approve()
    stage.accept(0, 0)
    assert stage.state is State.FAILED
    stage.answer_ladders(yes_asks=levels(("0.44", 50)), yes_bids=levels(("0.43", 50)), no_asks=levels(("0.45", 50)))
    assert [(o.outcome, o.limit_price) for o in stage.intents] == [("YES", 450_000), ("NO", 450_000)], (
        "on equal depth the later leg goes first"
    )

    stage.accept(-1, 0)

    assert stage.state is State.COOLDOWN
    assert last_row(stage).ending is Ending.MISSED
    assert stage.released().spent == 0


def test_a_miss_is_not_tried_again_when_an_ask_has_risen():
    stage = Stage()
    stage.approve()
    stage.accept(0, 0)

    stage.answer_ladders(yes_asks=levels(("0.46", 50)))

    assert stage.state is State.COOLDOWN
    assert len(stage.intents) == 1


def test_a_refused_order_is_not_tried_again_and_counts_as_a_reject():
    stage = Stage()
    stage.approve()

    stage.refuse(0)

    assert stage.state is State.COOLDOWN
    assert last_row(stage).ending is Ending.REJECTED
    assert stage.incidents("reject") == 1


def test_an_order_kept_back_by_our_own_gate_is_no_reject_of_the_venue():
    stage = Stage()
    stage.approve()

    stage.refuse(0, "gate_closed", by_venue=False)

    assert last_row(stage).ending is Ending.REJECTED
    assert stage.incidents("reject") == 0


# -- what the venue charges


@pytest.mark.parametrize(("factor", "halts"), [(0.5, False), (1.0, False), (1.5, True), (3.0, True)])
def test_a_fee_clearly_above_the_schedule_halts_because_every_decision_stands_on_the_schedule(factor, halts):
    fees = FeeSchedule(name="q", as_of="2026-11-22", rate_micros=70_000)
    stage = Stage(execution_terms(market=a_market(fees=fees)))
    stage.approve(a_top(yes_ask="0.40", no_ask="0.45"))
    stage.accept(0, 10, fills=False)
    charged = int(taker_fee(fees, price("0.40"), shares(10)) * factor)

    stage.tell(FillSeen(fill=a_fill(stage.order(0), 10, fee=charged), at=BootNs(stage.now)))

    assert stage.halted is halts
    assert stage.incidents("fee_above_schedule") == halts
    stage.accept(1, 10)
    assert stage.state is State.COOLDOWN, "the set is finished all the same"
    assert stage.incidents("fee_above_schedule") == halts, "said once"


def test_what_rounding_adds_to_a_fee_is_none_above_the_schedule():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10, fills=False)

    stage.tell(FillSeen(fill=a_fill(stage.order(0), 10, fee=10_000), at=BootNs(stage.now)))

    assert not stage.halted


# -- half-filled


def test_second_leg_rejected_is_completed_where_that_costs_least():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)
    assert stage.state is State.PARTIAL_FILL_PROTECT
    assert stage.incidents("partial") == 1

    stage.answer_ladders(yes_bids=levels(("0.43", 100)), no_asks=levels(("0.56", 100)))
    assert numbers(stage) == (-100_000, -200_000, -4_500_000)
    stage.accept(-1, 10)

    assert exposure(stage) == (shares(10), shares(10))
    assert last_row(stage).ending is Ending.PARTIAL
    assert sum(last_row(stage).leg_costs) == 10_100_000


def test_second_leg_rejected_is_sold_back_where_that_costs_least():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)

    stage.answer_ladders(yes_bids=levels(("0.44", 100)), no_asks=levels(("0.70", 100)))
    assert numbers(stage) == (-1_500_000, -100_000, -4_500_000)
    assert (stage.order().action, stage.order().limit_price) == (Action.SELL, price("0.44"))
    stage.accept(-1, 10)

    assert exposure(stage) == (0, 0)
    row = last_row(stage)
    assert (row.ending, row.realized_pnl, row.resolution) == (Ending.PARTIAL, -100_000, "unwound")
    assert not stage.released().open_position


def test_second_leg_partial_keeps_the_complete_part_and_mends_only_the_rest():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.accept(1, 4)

    stage.answer_ladders(yes_bids=levels(("0.44", 100)), no_asks=levels(("0.70", 100)))
    assert stage.protections()[-1]["missing"] == shares(6)
    assert numbers(stage) == (-900_000, -60_000, -2_700_000)
    assert stage.order().size == shares(6)
    stage.accept(-1, 6)

    assert exposure(stage) == (shares(4), shares(4))
    assert last_row(stage).filled == shares(4)


def test_both_legs_partial_and_unequal_are_levelled():
    stage = Stage(execution_terms(policy=TOGETHER))
    stage.approve()
    stage.accept(0, 3)
    stage.accept(1, 8)

    stage.answer_ladders(yes_asks=levels(("0.50", 100)), no_bids=levels(("0.30", 100)))
    assert numbers(stage) == (250_000, -750_000, -2_250_000)
    assert (stage.order().leg, stage.order().size) == (0, shares(5))
    stage.accept(-1, 5)

    assert exposure(stage) == (shares(8), shares(8))


def test_a_short_book_is_used_as_far_as_it_goes_and_the_rest_is_mended_next():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)
    stage.answer_ladders(yes_bids=levels(), no_asks=levels(("0.50", 4)))
    assert stage.order().size == shares(4)
    stage.accept(-1, 4)
    assert stage.state is State.PARTIAL_FILL_PROTECT

    stage.fire(TimerName.RETRY)
    stage.answer_ladders(yes_bids=levels(("0.40", 100)), no_asks=levels())
    stage.accept(-1, 6)

    assert exposure(stage) == (shares(4), shares(4))


def test_an_unwind_that_is_refused_is_tried_again_and_then_exposed_and_halted():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)
    for _ in range(MAX_REMEDIES):
        if stage.state is State.PARTIAL_FILL_PROTECT and stage.attempt.remedies:
            stage.fire(TimerName.RETRY)
        stage.answer_ladders(yes_bids=levels(("0.44", 100)), no_asks=levels())
        stage.refuse(-1, "not_settled")

    assert stage.state is State.EXPOSED
    assert stage.halted
    assert exposure(stage) == (shares(10), 0)
    stage.answer_ladders(yes_bids=levels(("0.43", 100)), no_asks=levels())
    stage.accept(-1, 10)
    assert stage.state is State.COOLDOWN
    assert exposure(stage) == (0, 0)


def test_an_unwind_that_fills_in_part_goes_on_for_the_exact_rest():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)
    stage.answer_ladders(yes_bids=levels(("0.44", 100)), no_asks=levels())
    assert numbers(stage) == (None, -100_000, -4_500_000)

    stage.accept(-1, 4)
    stage.fire(TimerName.RETRY)
    stage.answer_ladders(yes_bids=levels(("0.42", 100)), no_asks=levels())
    assert stage.order().size == shares(6)
    assert numbers(stage) == (None, -180_000, -2_700_000)
    stage.accept(-1, 6)

    assert exposure(stage) == (0, 0)
    assert last_row(stage).realized_pnl == -220_000


def test_an_unwind_without_an_answer_is_never_followed_by_a_second_one():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)
    stage.answer_ladders(yes_bids=levels(("0.44", 100)), no_asks=levels())
    sent = len(stage.intents)

    stage.lose_answer(-1)
    stage.fire(TimerName.PROBE)
    stage.deny(-1, "orders")

    assert stage.state is State.IN_DOUBT
    assert len(stage.intents) == sent
    stage.show(-1, 10)
    assert stage.state is State.COOLDOWN
    assert exposure(stage) == (0, 0)


def test_beyond_max_unwind_loss_the_set_is_held_halted_and_priced_again_later():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)

    stage.answer_ladders(yes_bids=levels(("0.20", 100)), no_asks=levels(("0.90", 100)))
    assert numbers(stage) == (-3_500_000, -2_500_000, -4_500_000)
    assert (stage.state, stage.halted) == (State.EXPOSED, True)
    assert exposure(stage) == (shares(10), 0)
    stage.answer_ladders(yes_bids=levels(("0.20", 100)), no_asks=levels(("0.90", 100)))
    stage.fire(TimerName.RETRY)
    stage.answer_ladders(yes_bids=levels(("0.40", 100)), no_asks=levels(("0.90", 100)))
    stage.accept(-1, 10)

    assert exposure(stage) == (0, 0)
    assert stage.state is State.COOLDOWN


def test_a_book_that_is_not_ready_is_unavailable_and_not_zero():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)

    stage.answer_ladders(not_ready=NotReady.GAP)

    assert numbers(stage) == (None, None, -4_500_000)
    assert len(stage.intents) == 2


def test_books_that_offer_no_way_out_are_read_anew_and_waited_for_as_long_as_the_attempt_has_time():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)
    for _ in range(3):
        stage.answer_ladders(not_ready=NotReady.FEED_DOWN)
        assert (stage.state, stage.halted) == (State.PARTIAL_FILL_PROTECT, False)
        stage.fire(TimerName.RETRY)

    assert len(stage.all(AskSnapshots)) == 3
    assert len(stage.protections()) == 1
    stage.answer_ladders(no_asks=levels(("0.50", 100)))
    stage.accept(-1, 10)

    assert exposure(stage) == (shares(10), shares(10))
    assert not stage.halted


def test_books_that_never_come_back_leave_it_exposed_when_its_time_is_over():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)
    stage.answer_ladders(not_ready=NotReady.FEED_DOWN)

    stage.fire(TimerName.INFLIGHT)

    assert (stage.state, stage.halted) == (State.EXPOSED, True)
    stage.answer_ladders(no_asks=levels(("0.50", 100)))
    stage.accept(-1, 10)
    assert exposure(stage) == (shares(10), shares(10))


def test_after_a_protective_order_that_missed_the_next_round_waits_for_books_that_were_read_anew():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)
    stage.answer_ladders(no_asks=levels(("0.45", 100)))
    asked = len(stage.all(AskLadders))

    stage.accept(-1, 0)

    assert len(stage.all(AskSnapshots)) == 1
    assert len(stage.all(AskLadders)) == asked
    stage.fire(TimerName.RETRY)
    assert len(stage.all(AskLadders)) == asked + 1
    stage.answer_ladders(no_asks=levels(("0.52", 100)))
    assert stage.order().limit_price == price("0.52")
    stage.accept(-1, 10)
    assert exposure(stage) == (shares(10), shares(10))


def test_the_pauses_between_protective_rounds_grow_and_fit_into_an_attempts_time():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)
    for _ in range(MAX_REMEDIES):
        stage.answer_ladders(no_asks=levels(("0.45", 100)))
        stage.accept(-1, 0)
        if stage.state is State.PARTIAL_FILL_PROTECT:
            stage.fire(TimerName.RETRY)

    pauses = [timer.delay_ns for timer in stage.all(StartTimer) if timer.name is TimerName.RETRY][: MAX_REMEDIES - 1]
    assert pauses == sorted(set(pauses))
    assert sum(pauses) < stage.terms.max_inflight_ns
    assert (stage.state, stage.halted) == (State.EXPOSED, True)


def test_a_residue_below_every_minimum_is_stranded_reported_and_no_longer_worked():
    stage = Stage(execution_terms(market=a_market(lot=0.01, min_size=5), fok=False))
    stage.approve()
    stage.accept(0, 3)

    stage.answer_ladders()

    assert stage.state is State.COOLDOWN
    assert stage.incidents("stranded") == 1
    assert last_row(stage).ending is Ending.PARTIAL
    assert stage.released().open_position
    assert exposure(stage) == (shares(3), 0)


def test_a_venue_that_refuses_the_account_itself_stops_trading_at_once():
    stage = Stage()
    stage.approve()

    stage.refuse(0, "closed_only", barred=True)

    assert stage.halted
    assert (stage.incidents("reject"), last_row(stage).ending) == (1, Ending.REJECTED)


def test_where_a_partial_fill_could_strand_the_first_leg_is_all_or_nothing():
    stage = Stage(execution_terms(market=a_market(lot=0.01, min_size=5)))

    stage.approve()

    assert stage.order().time_in_force is TimeInForce.FOK


# -- unknown


def test_ack_lost_but_filled_is_found_by_a_probe_and_completed():
    stage = Stage()
    stage.approve()
    stage.lose_answer(0)
    assert stage.state is State.IN_DOUBT
    assert stage.attempt.notional() == 4_500_000, "counted in full"
    stage.fire(TimerName.PROBE)
    assert stage.all(ProbeOrder)[-1].intent == stage.order(0)

    stage.show(0, 10)
    assert stage.order().outcome == "NO"
    stage.accept(1, 10)

    assert exposure(stage) == (shares(10), shares(10))
    assert last_row(stage).ending is Ending.SUCCESS


def test_an_answer_that_never_comes_is_in_doubt_after_the_order_timeout():
    stage = Stage()
    stage.approve()

    stage.fire(TimerName.ORDER)

    assert stage.state is State.IN_DOUBT
    assert len(stage.intents) == 1
    assert stage.now == 3 * SECOND


def test_absence_is_believed_only_after_the_horizon_and_from_two_sources():
    stage = Stage(execution_terms(horizon_s=5))
    stage.approve()
    stage.lose_answer(0)
    for source in ("orders", "open orders", "executions"):
        stage.deny(0, source)
    assert stage.state is State.IN_DOUBT, "too early"
    stage.wait(8.1)
    stage.deny(0, "orders")
    stage.deny(0, "orders")
    assert stage.state is State.IN_DOUBT, "one source twice is one source"

    stage.deny(0, "executions")

    assert stage.state is State.COOLDOWN
    assert last_row(stage).ending is Ending.MISSED
    assert len(stage.intents) == 1, "never sent again"


def test_an_order_visible_only_after_five_seconds_is_found_and_completed():
    stage = Stage(execution_terms(horizon_s=6))
    stage.approve()
    stage.lose_answer(0)
    for _ in range(4):
        stage.fire(TimerName.PROBE)
        stage.deny(0, "orders")
        stage.deny(0, "executions")
    stage.wait(5)

    stage.fire(TimerName.PROBE)
    stage.show(0, 10)
    stage.accept(1, 10)

    assert exposure(stage) == (shares(10), shares(10))
    assert last_row(stage).ending is Ending.SUCCESS


def test_a_zombie_fill_after_absence_was_believed_is_booked_halted_and_protected():
    stage = Stage()
    stage.approve()
    stage.lose_answer(0)
    stage.wait(3.1)
    stage.deny(0, "orders")
    stage.deny(0, "executions")
    assert stage.state is State.COOLDOWN

    stage.fill(0, 10)

    assert stage.halted
    assert stage.state is State.PARTIAL_FILL_PROTECT
    stage.answer_ladders(yes_bids=levels(("0.44", 100)), no_asks=levels())
    stage.accept(-1, 10)
    assert exposure(stage) == (0, 0)


def test_nothing_is_unwound_while_another_leg_is_unknown():
    stage = Stage(execution_terms(policy=TOGETHER))
    stage.approve()
    stage.accept(0, 10)
    stage.lose_answer(1)

    assert stage.state is State.IN_DOUBT
    assert len(stage.intents) == 2
    stage.show(1, 10)
    assert stage.state is State.COOLDOWN
    assert last_row(stage).ending is Ending.SUCCESS


def test_still_unknown_after_max_inflight_halts_and_goes_on_asking():
    stage = Stage()
    stage.approve()
    stage.lose_answer(0)

    stage.fire(TimerName.INFLIGHT)

    assert (stage.state, stage.halted) == (State.EXPOSED, True)
    before = stage.probes()
    stage.fire(TimerName.PROBE)
    stage.fire(TimerName.PROBE)
    assert stage.probes() == before + 2
    stage.show(0, 0)
    assert stage.state is State.COOLDOWN


def test_max_inflight_in_protection_halts_and_slows_down():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.refuse(1)

    stage.fire(TimerName.INFLIGHT)

    assert (stage.state, stage.halted) == (State.EXPOSED, True)
    stage.answer_ladders(yes_bids=levels(("0.44", 100)))
    stage.accept(-1, 10)
    assert stage.state is State.COOLDOWN


# -- out of order


def test_a_fill_before_its_ack_is_the_same_fill():
    stage = Stage()
    stage.approve()
    stage.fill(0, 10)
    assert exposure(stage) == (shares(10), 0)

    stage.accept(0, 10, fills=False)
    stage.accept(1, 10)

    assert exposure(stage) == (shares(10), shares(10))
    assert len(stage.rows(FillReported)) == 2


def test_an_answer_before_the_ledgers_own_word_is_believed():
    stage = Stage()
    stage.holds_commits = True
    stage.approve()
    assert stage.state is State.SIGNAL_DETECTED

    stage.accept(0, 10)

    assert stage.state is State.PLACING_ORDERS
    stage.commit((stage.order(0),))
    assert stage.state is State.PLACING_ORDERS


def test_a_resting_order_is_cancelled_after_the_timeout_and_its_count_asked_for():
    stage = Stage(execution_terms(ioc=False, fok=False))
    stage.approve()
    assert stage.order().time_in_force is TimeInForce.GTC
    stage.accept(0, 0, done=False)
    assert stage.state is State.WAITING_FILLS
    stage.fire(TimerName.ORDER)
    assert stage.cancels() == 1

    stage.cancel_answer(0)
    assert stage.state is State.WAITING_FILLS, "cancelled, but how much did it fill?"
    stage.fire(TimerName.PROBE)
    stage.show(0, 6)

    assert (stage.order().outcome, stage.order().size) == ("NO", shares(6))


def test_a_fill_after_the_cancel_counts():
    stage = Stage(execution_terms(ioc=False, fok=False))
    stage.approve()
    stage.accept(0, 0, done=False)
    stage.fire(TimerName.ORDER)
    stage.cancel_answer(0)
    stage.fill(0, 4)
    assert stage.state is State.WAITING_FILLS

    stage.show(0, 4, fills=False)

    assert stage.life(0).filled == shares(4)
    assert (stage.order().outcome, stage.order().size) == ("NO", shares(4))


def test_a_cancel_refused_as_already_filled_is_asked_about_and_not_assumed():
    stage = Stage(execution_terms(ioc=False, fok=False))
    stage.approve()
    stage.accept(0, 0, done=False)
    stage.fire(TimerName.ORDER)

    stage.cancel_answer(0, CancelResult.GONE)

    assert stage.state is State.WAITING_FILLS
    stage.fire(TimerName.PROBE)
    assert stage.probes() == 1
    stage.show(0, 10)
    assert stage.order().outcome == "NO"


def test_a_cancel_without_an_answer_is_repeated():
    stage = Stage(execution_terms(ioc=False, fok=False))
    stage.approve()
    stage.accept(0, 0, done=False)
    stage.fire(TimerName.ORDER)
    stage.cancel_answer(0, CancelResult.UNKNOWN)

    stage.fire(TimerName.PROBE)
    stage.fire(TimerName.PROBE)

    assert stage.cancels() == 3


def test_a_held_back_order_waits_for_its_stream():
    stage = Stage()
    stage.approve()
    stage.update(0, 0, status=VenueOrderStatus.PENDING)
    assert stage.state is State.WAITING_FILLS

    stage.update(0, 10)

    assert stage.order().outcome == "NO"
    assert stage.life(0).unpriced == shares(10)


def test_a_set_is_not_closed_before_every_fill_has_a_price():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10, fills=False)
    stage.accept(1, 10)
    assert stage.state is State.SUCCESS
    stage.fire(TimerName.PROBE)
    assert [p.intent.leg for p in stage.all(ProbeOrder)] == [0]

    stage.fill(0, 10, at="0.44")

    assert stage.state is State.COOLDOWN
    assert last_row(stage).leg_costs == (4_400_000, 5_500_000)


def test_a_provisional_fill_holds_the_set_until_it_is_final():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10, fills=False)
    trade = stage.fill(0, 10, state=FillState.PROVISIONAL)
    stage.accept(1, 10)
    assert stage.state is State.SUCCESS

    stage.fill(0, 10, state=FillState.FINAL, trade=trade)

    assert stage.state is State.COOLDOWN


def test_a_provisional_fill_that_is_reversed_comes_back_into_protection():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10, fills=False)
    trade = stage.fill(0, 10, state=FillState.PROVISIONAL)
    stage.accept(1, 10)
    stage.fill(0, 10, state=FillState.REVERSED, trade=trade)
    assert stage.state is State.PARTIAL_FILL_PROTECT
    assert exposure(stage) == (0, shares(10))

    stage.answer_ladders(yes_asks=levels(("0.60", 100)), no_bids=levels(("0.52", 100)), no_asks=levels(("0.53", 9)))
    assert numbers(stage) == (-1_500_000, -300_000, -5_500_000)
    stage.accept(-1, 10)

    assert exposure(stage) == (0, 0)
    assert last_row(stage).ending is Ending.PARTIAL
    assert stage.order().action is Action.SELL, "never bought again to repair a ghost"


def test_a_late_fill_of_an_ended_attempt_is_protected_after_the_market_was_released():
    stage = Stage()
    stage.approve()
    stage.accept(0, 0)
    stage.answer_ladders(yes_asks=levels(("0.60", 10)))
    stage.fire(TimerName.COOLDOWN)
    assert stage.state is State.IDLE

    stage.fill(0, 5)

    assert stage.halted
    assert stage.state is State.PARTIAL_FILL_PROTECT
    stage.approve(attempt_id="a-2")
    assert stage.state is State.PARTIAL_FILL_PROTECT, "the new one was turned away"
    assert stage.released().attempt_id == "a-2"
    stage.answer_ladders()
    stage.accept(-1, 5)
    assert stage.released().attempt_id == "a-1"


def test_an_approval_just_before_the_cooldown_timer_is_taken():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)
    stage.accept(1, 10)
    stage.wait(5)

    stage.approve(attempt_id="a-2")

    assert stage.state is State.PLACING_ORDERS
    stage.fire(TimerName.ORDER)
    assert stage.state is State.IN_DOUBT


# -- what must never happen


def test_an_overfill_is_booked_and_halts():
    stage = Stage()
    stage.approve()
    stage.accept(0, 10)

    stage.fill(0, 3)

    assert stage.attempt.held(0) == shares(13)
    assert any("overfill" in halt.reason for halt in stage.all(Halt))


def test_a_fill_beyond_the_limit_is_booked_and_halts():
    stage = Stage()
    stage.approve()

    stage.fill(0, 10, at="0.46")

    assert stage.attempt.leg_cost(0) == 4_600_000
    assert "worse_than_limit" in stage.all(Halt)[0].reason


def test_news_about_an_order_that_nobody_sent_halts():
    stage = Stage()
    other = Stage()
    other.approve(attempt_id="a-9")
    stage.intents = other.intents

    stage.fill(0, 10)

    assert stage.state is State.IDLE
    assert stage.incidents("stray") == 1
    assert stage.halted


def test_a_commit_that_failed_ends_the_attempt_without_an_order():
    stage = Stage()
    stage.holds_commits = True
    stage.approve()

    stage.tell(CommitFailed(attempt_id=stage.attempt.attempt_id, why="disk full"))

    assert stage.state is State.COOLDOWN
    assert last_row(stage).ending is Ending.REJECTED
    assert stage.rows(OrderChanged) == []


def test_a_commit_that_nobody_answers_is_in_doubt_and_not_forgotten():
    stage = Stage()
    stage.holds_commits = True
    stage.approve()

    stage.fire(TimerName.ORDER)
    stage.wait(100)
    stage.deny(0, "orders")
    stage.deny(0, "executions")

    assert stage.state is State.IN_DOUBT, "it may still be committed and sent"
    stage.fire(TimerName.INFLIGHT)
    assert stage.state is State.EXPOSED


def test_ticks_through_the_ask_are_cut_to_what_leaves_min_edge():
    wide = Stage(execution_terms(policy=TOGETHER, ticks_through=2, min_edge="0.02"))
    wide.approve(a_top(yes_ask="0.47", no_ask="0.48"))
    assert [o.limit_price for o in wide.intents] == [price("0.48"), price("0.49")]

    tight = Stage(execution_terms(policy=TOGETHER, ticks_through=2, min_edge="0.05"))
    tight.approve(a_top(yes_ask="0.47", no_ask="0.48"))
    assert [o.limit_price for o in tight.intents] == [price("0.47"), price("0.48")]


def test_an_approval_whose_limits_would_not_leave_min_edge_sends_nothing():
    stage = Stage(execution_terms(min_edge="0.2"))

    stage.approve()

    assert stage.state is State.COOLDOWN
    assert stage.intents == []
    assert last_row(stage).ending is Ending.REJECTED
    assert stage.all(IncidentSeen) == []
