"""After a restart: which state a set comes up in, what is reserved and blocked, and what the kill switch remembers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.clock import SECOND, BootNs, WallNs
from models.kill_switch import Condition, KillSwitch
from models.market import Action, MarketId, Outcome, SetId, VenueName
from models.messages import CancelOrder, MarketsReleased, ProbeOrder
from models.money import MicroShares, MicroUsd
from models.order_life import Phase
from models.orders import (
    AttemptId,
    ClientOrderId,
    Fill,
    FillState,
    OrderIntent,
    Purpose,
    TimeInForce,
    VenueOrderId,
)
from models.recovery import Recovery, StoredAttempt, StoredOrder, made_otherwise, recover, windows
from models.rows import Ending
from models.set_events import AskLadders, StartTimer
from models.set_state import Cooldown, Idle, State, TimerName
from tests.trading import WALL, execution_terms, price, shares

NOW = BootNs(1_000 * SECOND)
TERMS = replace(execution_terms(horizon_s=5), mode="live")
SET = TERMS.complete_set.set_id
MINUTE = 60 * SECOND


def order(
    leg: int = 0,
    phase: Phase | None = Phase.ENDED,
    filled: float = 10,
    *,
    attempt: str = "a-1",
    refusal: str | None = None,
    purpose: Purpose = Purpose.OPEN,
    known: bool = True,
) -> StoredOrder:
    own = ClientOrderId(f"{attempt}-{leg}-{purpose}")
    heard = phase in (Phase.LIVE, Phase.CLOSING, Phase.ENDED) and refusal is None
    venue = VenueOrderId(f"v-{own}") if heard else None
    fill = Fill(
        venue_trade_id=f"t-{own}",
        client_order_id=own,
        venue_order_id=venue,
        size=shares(filled),
        price=price("0.45"),
        fee=MicroUsd(0),
        state=FillState.FINAL,
        exchange_ms=0,
    )
    return StoredOrder(
        intent=OrderIntent(
            client_order_id=own,
            attempt_id=AttemptId(attempt),
            set_id=SET,
            venue=VenueName("simulated"),
            market_id=MarketId("m1"),
            leg=leg,
            outcome=(Outcome.YES, Outcome.NO)[leg],
            action=Action.BUY,
            limit_price=price("0.45"),
            size=shares(10),
            time_in_force=TimeInForce.IOC,
            purpose=purpose,
        ),
        phase=phase,
        venue_order_id=venue,
        filled=shares(filled if heard else 0),
        refusal=refusal,
        by_venue=True,
        sent_at=None,
        acked_at=None,
        detail="",
        fills=(fill,) if heard and filled and known else (),
    )


def attempt(*orders: StoredOrder, attempt_id: str = "a-1", **changes) -> StoredAttempt:
    stored = StoredAttempt(
        attempt_id=AttemptId(attempt_id),
        at=WALL,
        opportunity_id="o-1",
        set_id=SET,
        mode="live",
        size=shares(10),
        reserved=MicroUsd(10_000_000),
        ending=None,
        news_after_end=False,
        open_position=False,
        merged=MicroShares(0),
        merged_cash=MicroUsd(0),
        netted=MicroShares(0),
        payouts=(),
        was_partial=False,
        legs=TERMS.complete_set.legs,
        orders=orders,
    )
    return replace(stored, **changes)


def found(*stored: StoredAttempt, wall: WallNs = WALL, terms=None) -> Recovery:
    return recover(stored, {SET: TERMS} if terms is None else terms, NOW, wall)


@pytest.mark.parametrize(
    ("orders", "state"),
    [
        ((), State.COOLDOWN),
        ((order(phase=None),), State.IN_DOUBT),
        ((order(phase=Phase.SENT),), State.IN_DOUBT),
        ((order(phase=Phase.UNKNOWN),), State.IN_DOUBT),
        ((order(), order(1, Phase.UNKNOWN)), State.IN_DOUBT),
        ((order(phase=Phase.LIVE, filled=0),), State.WAITING_FILLS),
        ((order(phase=Phase.CLOSING, filled=0),), State.WAITING_FILLS),
        ((order(),), State.PARTIAL_FILL_PROTECT),
        ((order(), order(1, filled=4)), State.PARTIAL_FILL_PROTECT),
        ((order(), order(1)), State.COOLDOWN),
        ((order(refusal="funds", filled=0),), State.COOLDOWN),
        ((order(filled=0),), State.COOLDOWN),
        ((order(), order(1, known=False)), State.SUCCESS),
    ],
)
def test_a_set_comes_up_in_the_state_that_fits_what_is_known(orders, state):
    record, first = found(attempt(*orders)).executors[SET]

    assert record.state is state
    released = [action for action in first if isinstance(action, MarketsReleased)]
    assert len(released) == (state is State.COOLDOWN)


SWAPPED = replace(TERMS, complete_set=replace(TERMS.complete_set, legs=TERMS.complete_set.legs[::-1]))


@pytest.mark.parametrize(
    ("stored", "odd"),
    [
        (attempt(order()), True),
        (attempt(order(), order(1), ending=Ending.SUCCESS, open_position=True), True),
        (attempt(order(), ending=Ending.MISSED, news_after_end=True), True),
        (attempt(order(phase=Phase.LIVE), ending=Ending.MISSED), True),
        (attempt(order(filled=0), ending=Ending.MISSED), False),
        (attempt(order(), mode="paper"), False),
    ],
)
def test_what_is_not_over_is_not_taken_up_with_other_legs_than_its_own(stored, odd):
    """Sold back leg by leg it would sell what it does not hold, and buy once more what it has too much of."""
    assert made_otherwise([stored], {SET: TERMS}) == ()
    assert bool(made_otherwise([stored], {SET: SWAPPED})) is odd


@pytest.mark.parametrize("terms", [{SET: SWAPPED}, {SetId("other"): TERMS}], ids=["other legs", "gone"])
@pytest.mark.parametrize(
    ("orders", "spent"),
    [
        ((order(), order(1)), 9_000_000),
        ((order(filled=0),), 0),
        ((order(refusal="funds", filled=0),), 0),
        ((order(), order(1, Phase.UNKNOWN, known=False)), 9_000_000),
    ],
)
def test_what_a_set_has_spent_today_counts_also_where_it_is_not_what_it_was(terms, orders, spent):
    """A market that is over takes its set out of the configuration, and gave the day's limit back."""
    recovered = found(attempt(*orders, ending=Ending.PARTIAL), terms=terms)

    assert (recovered.unfinished, recovered.executors) == ((), {})
    assert recovered.risk.spent_today == spent


def test_what_was_spent_on_paper_or_yesterday_is_not_todays():
    gone = {SetId("other"): TERMS}

    assert found(attempt(order(), mode="paper", ending=Ending.PARTIAL), terms=gone).risk.spent_today == 0
    tomorrow = WallNs(WALL + 24 * 60 * MINUTE)
    assert found(attempt(order(), ending=Ending.PARTIAL), terms=gone, wall=tomorrow).risk.spent_today == 0


def test_what_is_unknown_is_asked_for_at_once_and_what_rests_is_cancelled():
    _, first = found(attempt(order(phase=Phase.UNKNOWN))).executors[SET]
    [probe] = [a for a in first if isinstance(a, StartTimer) and a.name is TimerName.PROBE]
    assert probe.delay_ns == 0
    assert [a for a in first if isinstance(a, CancelOrder | ProbeOrder)] == [], "the machine's own timer asks"

    record, _ = found(attempt(order(phase=Phase.LIVE, filled=0))).executors[SET]
    assert record.attempt.cancelling


def test_a_half_set_asks_for_books_before_anything_else():
    _, first = found(attempt(order())).executors[SET]

    assert [action.market_ids for action in first if isinstance(action, AskLadders)] == [TERMS.market_ids]


def test_absence_is_only_believed_a_whole_horizon_after_the_start():
    record, _ = found(attempt(order(phase=Phase.SENT))).executors[SET]

    [life] = record.attempt.orders
    assert life.visible_from == NOW + 5 * SECOND


def test_nothing_of_an_attempt_that_is_taken_up_opens_follows_or_is_tried_again():
    record, _ = found(attempt(order(phase=Phase.UNKNOWN))).executors[SET]

    assert record.attempt.followed
    assert record.attempt.tries == TERMS.max_attempts_per_round


def test_an_ended_set_is_at_rest_and_remembers_its_last_attempts():
    stored = [attempt(order(attempt=f"a-{i}"), order(1, attempt=f"a-{i}"), attempt_id=f"a-{i}") for i in range(12)]

    recovery = found(*(replace(one, ending=Ending.SUCCESS) for one in stored))
    record, first = recovery.executors[SET]

    assert isinstance(record, Idle)
    assert first == ()
    assert [a.attempt_id for a in record.past] == [f"a-{i}" for i in range(4, 12)]
    assert recovery.unfinished == ()


def test_what_is_unfinished_is_reserved_in_full_and_blocks_its_markets():
    recovery = found(attempt(order(phase=Phase.UNKNOWN), reserved=MicroUsd(7_000_000)))

    [reservation] = recovery.risk.reservations
    assert reservation.notional == 7_000_000
    assert reservation.market_ids == ("m1",)
    assert recovery.risk.unresolved == {"m1"}
    assert recovery.unfinished == ("a-1",)
    assert recovery.risk.spent_today == 0


def test_more_than_was_reserved_counts_where_the_orders_cost_more():
    recovery = found(attempt(order(phase=Phase.UNKNOWN), reserved=MicroUsd(1)))

    assert recovery.risk.reserved == 4_500_000


def test_todays_money_held_sets_and_the_order_rate_go_on():
    ended = attempt(order(), order(1), ending=Ending.SUCCESS, open_position=True)
    old = attempt(
        order(attempt="a-0"), attempt_id="a-0", ending=Ending.PARTIAL, at=WallNs(WALL - 2 * MINUTE), open_position=False
    )

    risk = found(old, ended).risk

    assert risk.spent_today == 4_500_000 + 9_000_000
    assert risk.held == {("a-1", SET)}
    assert risk.approved_at == (NOW, NOW), "two opening orders within the last minute"
    assert dict(risk.released) == {"a-0": 4_500_000, "a-1": 9_000_000}


def test_an_attempt_of_a_set_that_is_gone_is_named_and_its_markets_stay_blocked():
    recovery = found(attempt(order(phase=Phase.UNKNOWN)), terms={})

    assert recovery.orphans == ("a-1",)
    assert recovery.risk.unresolved == {"m1"}


def test_a_partial_fill_is_counted_once_over_restarts():
    kinds = {
        was_partial: [
            getattr(action, "kind", None)
            for action in found(attempt(order(), was_partial=was_partial)).executors[SET][1]
        ]
        for was_partial in (False, True)
    }

    assert "partial" in kinds[False]
    assert "partial" not in kinds[True]


def test_a_reversed_execution_does_not_count_as_held():
    fine, gone = order(), order(1)
    reversed_fill = replace(gone.fills[0], state=FillState.REVERSED)
    record, _ = found(attempt(fine, replace(gone, filled=shares(0), fills=(reversed_fill,)))).executors[SET]

    assert record.state is State.PARTIAL_FILL_PROTECT
    assert record.attempt.holdings == (shares(10), 0)


def test_paper_attempts_just_end_and_live_ones_are_left_alone_in_paper_mode():
    paper = attempt(order(phase=Phase.SENT), mode="paper")
    live = attempt(order(phase=Phase.SENT, attempt="a-2"), attempt_id="a-2")
    terms = {SET: replace(TERMS, mode="paper")}

    recovery = found(paper, live, terms=terms)

    assert recovery.executors == {}
    assert {row.__class__.__name__ for row in recovery.rows} == {"OrderChanged", "AttemptChanged"}
    assert recovery.unfinished == ()


SWITCH = KillSwitch((Condition(name="rejects", kind="reject", limit=3, window_ns=10 * MINUTE),))


def test_the_kill_switch_remembers_what_is_still_in_its_window():
    incidents = [("reject", WallNs(WALL - 20 * MINUTE)), ("reject", WallNs(WALL - MINUTE)), ("other", WALL)]

    switch = windows(SWITCH, incidents, NOW, WALL)

    assert switch.gauges(NOW)[0].used == 1
    assert switch.gauges(BootNs(NOW + 9 * MINUTE))[0].used == 0


def test_one_more_after_a_restart_trips_it():
    switch = windows(SWITCH, [("reject", WallNs(WALL - SECOND))] * 2, NOW, WALL)

    assert switch.noted("reject", NOW)[1] is not None


def test_an_incident_from_the_future_counts_as_new():
    switch = windows(SWITCH, [("reject", WallNs(WALL + 3600 * SECOND))], NOW, WALL)

    assert switch.gauges(NOW)[0].used == 1


def test_sets_at_rest_are_idle_or_cooling():
    record, _ = found(attempt(order(), order(1))).executors[SET]

    assert isinstance(record, Cooldown)
    assert record.past[-1].sets == shares(10)
    assert SetId(SET) == SET
