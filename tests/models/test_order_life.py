"""One order's life: the same facts give the same life in any order, and unknown is never taken for failed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.clock import SECOND, BootNs
from models.fees import FeeSchedule, taker_fee
from models.market import Action
from models.money import MicroUsd
from models.order_life import Alarm, OrderLife, Phase, committed, doubted, fold
from models.orders import (
    Accepted,
    CancelAnswer,
    CancelResult,
    FillState,
    OrderIntent,
    OrderNotFound,
    OrderSeen,
    OutcomeUnknown,
    ProbeFailed,
    Purpose,
    Refused,
    TimeInForce,
    VenueOrderId,
    VenueOrderStatus,
)
from tests.stage import a_fill
from tests.trading import price, shares

NOW = BootNs(1_000 * SECOND)
INTENT = OrderIntent(
    client_order_id="c-1",
    attempt_id="a-1",
    set_id="m1",
    venue="simulated",
    market_id="m1",
    leg=0,
    outcome="YES",
    action=Action.BUY,
    limit_price=price("0.45"),
    size=shares(10),
    time_in_force=TimeInForce.IOC,
    purpose=Purpose.OPEN,
)


def a_life(**changes) -> OrderLife:
    intent = replace(INTENT, **changes)
    return OrderLife(intent=intent, patience_ns=3 * SECOND, horizon_ns=5 * SECOND)


def after(*facts, life: OrderLife | None = None, at: int = NOW) -> OrderLife:
    known = life or committed(a_life(), NOW)
    for fact in facts:
        known = fold(known, fact, BootNs(at))
    return known


def accepted(filled: float | None = None, *, done: bool = True, venue_order_id: str = "v-1") -> Accepted:
    count = None if filled is None else shares(filled)
    return Accepted(client_order_id="c-1", venue_order_id=VenueOrderId(venue_order_id), filled=count, done=done)


def seen(filled: float, status: VenueOrderStatus = VenueOrderStatus.DONE) -> OrderSeen:
    return OrderSeen(client_order_id="c-1", venue_order_id=VenueOrderId("v-1"), status=status, filled=shares(filled))


def fill(size: float, trade: str = "t-1", **more):
    return replace(a_fill(INTENT, size, trade=trade, **more), venue_order_id=VenueOrderId("v-1"))


def missing(source: str) -> OrderNotFound:
    return OrderNotFound(client_order_id="c-1", source=source)


def refused(*, by_venue: bool = True) -> Refused:
    return Refused(client_order_id="c-1", code="funds", text="", by_venue=by_venue)


UNKNOWN = OutcomeUnknown(client_order_id="c-1", why="timeout")


@pytest.mark.parametrize(
    ("facts", "phase", "filled"),
    [
        ((), Phase.SENT, 0),
        ((accepted(0),), Phase.ENDED, 0),
        ((accepted(4),), Phase.ENDED, 4),
        ((accepted(None),), Phase.CLOSING, 0),
        ((accepted(0, done=False),), Phase.LIVE, 0),
        ((accepted(10, done=False),), Phase.ENDED, 10),
        ((refused(),), Phase.ENDED, 0),
        ((UNKNOWN,), Phase.UNKNOWN, 0),
        ((UNKNOWN, seen(4, VenueOrderStatus.LIVE)), Phase.LIVE, 4),
        ((UNKNOWN, seen(4)), Phase.ENDED, 4),
        ((UNKNOWN, fill(3)), Phase.UNKNOWN, 3),
        ((UNKNOWN, fill(10)), Phase.ENDED, 10),
        ((UNKNOWN, ProbeFailed(client_order_id="c-1", why="503")), Phase.UNKNOWN, 0),
        ((UNKNOWN, CancelAnswer(client_order_id="c-1", result=CancelResult.GONE)), Phase.UNKNOWN, 0),
        ((UNKNOWN, CancelAnswer(client_order_id="c-1", result=CancelResult.CANCELLED)), Phase.CLOSING, 0),
        ((accepted(0, done=False), seen(6, VenueOrderStatus.PENDING)), Phase.LIVE, 6),
        ((seen(6, VenueOrderStatus.LIVE), seen(2, VenueOrderStatus.LIVE)), Phase.LIVE, 6),
        ((refused(), fill(2)), Phase.UNKNOWN, 2),
    ],
)
def test_what_is_known_decides_the_phase(facts, phase, filled):
    life = after(*facts)

    assert (life.phase, life.filled) == (phase, shares(filled))


def test_an_intent_that_nobody_committed_has_not_left():
    life = a_life()

    assert life.phase is Phase.INTENDED
    assert life.may_still_fill == shares(10)
    assert doubted(life).phase is Phase.UNKNOWN


def test_whatever_may_still_fill_counts_in_full_at_the_limit():
    fees = FeeSchedule(name="q", as_of="2026-11-22", rate_micros=70_000)
    life = after(UNKNOWN, fill(4, at="0.44", fee=None))

    worst = life.worst_cost(fees)

    paid = 440_000 * 4 + taker_fee(fees, price("0.44"), shares(4))
    open_part = 450_000 * 6 + taker_fee(fees, price("0.45"), shares(6))
    assert worst == paid + open_part
    assert after(UNKNOWN, seen(4), life=life).worst_cost(fees) == paid


def test_absence_needs_two_sources_asked_after_patience_and_horizon():
    early, late = NOW + 7 * SECOND, NOW + 8 * SECOND
    doubtful = after(UNKNOWN)

    assert after(missing("orders"), missing("executions"), life=doubtful, at=early).phase is Phase.UNKNOWN
    assert after(missing("orders"), missing("orders"), life=doubtful, at=late).phase is Phase.UNKNOWN
    assert after(missing("orders"), missing("executions"), life=doubtful, at=late).phase is Phase.ENDED


def test_an_accepted_order_is_not_absent_because_a_list_does_not_show_it():
    late = NOW + 60 * SECOND

    life = after(accepted(0, done=False), missing("orders"), missing("executions"), at=late)

    assert life.phase is Phase.LIVE


def test_a_fill_after_absence_was_believed_is_booked_and_rings():
    life = after(UNKNOWN, missing("orders"), missing("executions"), at=NOW + 60 * SECOND)

    life = after(fill(10), life=life)

    assert life.filled == shares(10)
    assert Alarm.FILLED_AFTER_END in life.alarms()


def test_a_reversed_fill_no_longer_counts_and_is_not_replaced_by_the_venues_old_count():
    life = after(accepted(10), fill(10, state=FillState.PROVISIONAL))
    assert life.provisional

    life = after(fill(10, state=FillState.REVERSED), life=life)

    assert (life.filled, life.gross(), life.phase) == (0, 0, Phase.ENDED)
    assert life.alarms() == frozenset()


def test_a_final_fill_that_is_reversed_is_believed_and_rings():
    life = after(accepted(10), fill(10), fill(10, state=FillState.REVERSED))

    assert life.filled == 0
    assert Alarm.FINAL_REVERSED in life.alarms()


def test_money_of_a_count_without_executions_stands_at_the_limit():
    life = after(accepted(10), fill(4, at="0.40"))

    assert life.unpriced == shares(6)
    assert life.gross() == 400_000 * 4 + 450_000 * 6


def test_money_of_a_sale_is_rounded_against_us():
    life = after(fill(1, at="0.45"), life=committed(a_life(action=Action.SELL, size=1, limit_price=1), NOW))
    odd = after(
        replace(fill(1), size=1, price=price("0.45")),
        life=committed(a_life(action=Action.SELL, limit_price=price("0.01")), NOW),
    )

    assert Alarm.OVERFILL in life.alarms()
    assert odd.gross() == 0


@pytest.mark.parametrize(
    ("facts", "alarm"),
    [
        ((fill(11),), Alarm.OVERFILL),
        ((accepted(11),), Alarm.OVERFILL),
        ((fill(1, at="0.46"),), Alarm.WORSE_THAN_LIMIT),
        ((accepted(0), accepted(0, venue_order_id="v-2")), Alarm.TWO_VENUE_ORDERS),
        ((refused(), accepted(0)), Alarm.REFUSED_BUT_ALIVE),
        ((accepted(3), fill(4)), Alarm.FILLED_AFTER_END),
        ((fill(3), fill(4)), Alarm.FILLS_DISAGREE),
    ],
)
def test_what_must_never_happen_is_booked_and_rings(facts, alarm):
    assert alarm in after(*facts).alarms()


def test_a_healthy_order_rings_nothing():
    assert after(accepted(7), fill(3), fill(4, "t-2"), seen(7)).alarms() == frozenset()


def test_a_fee_named_later_replaces_the_worst_case():
    fees = FeeSchedule(name="q", as_of="2026-11-22", rate_micros=70_000)
    life = after(fill(10, fee=None))
    assert life.fees(fees) == taker_fee(fees, price("0.45"), shares(10))

    assert after(fill(10, fee=5), life=life).fees(fees) == 5


def facts():
    times = st.sampled_from([NOW, NOW + 4 * SECOND, NOW + 9 * SECOND, NOW + 60 * SECOND])
    size = st.integers(0, 11)
    answers = st.one_of(
        st.builds(accepted, st.one_of(st.none(), size), done=st.booleans(), venue_order_id=st.sampled_from("vw")),
        st.builds(refused, by_venue=st.booleans()),
        st.just(UNKNOWN),
        st.builds(seen, size, st.sampled_from(VenueOrderStatus)),
        st.builds(missing, st.sampled_from(["orders", "executions", "open orders"])),
        st.just(ProbeFailed(client_order_id="c-1", why="503")),
        st.builds(lambda r: CancelAnswer(client_order_id="c-1", result=r), st.sampled_from(CancelResult)),
        st.builds(
            lambda s, t, p, state, fee: fill(s, t, at=p, state=state, fee=fee),
            st.integers(1, 6),
            st.sampled_from(["t-1", "t-2", "t-3"]),
            st.sampled_from(["0.45", "0.44", "0.46"]),
            st.sampled_from(FillState),
            st.sampled_from([None, 0, 7]),
        ),
    )
    return st.lists(st.tuples(answers, times), max_size=8)


@given(st.data(), facts())
def test_any_order_and_any_repetition_of_facts_gives_the_same_life(data, told):
    start = committed(a_life(), NOW)
    straight = start
    for fact, at in told:
        straight = fold(straight, fact, BootNs(at))
    repeated = told + (data.draw(st.lists(st.sampled_from(told), max_size=4)) if told else [])

    mixed = start
    for fact, at in data.draw(st.permutations(repeated)):
        mixed = fold(mixed, fact, BootNs(at))

    assert mixed == straight


@given(facts())
def test_what_is_filled_never_falls_but_by_a_reversal(told):
    life = committed(a_life(), NOW)
    for fact, at in told:
        before = life
        life = fold(life, fact, BootNs(at))
        assert life.filled >= before.filled or life.reversed_size > before.reversed_size
        assert MicroUsd(0) <= life.gross()


@given(facts())
def test_an_order_that_has_ended_stays_ended_unless_something_impossible_happened(told):
    life = committed(a_life(), NOW)
    for fact, at in told:
        before = life
        life = fold(life, fact, BootNs(at))
        assert not before.ended or life.ended or life.alarms()
