"""Reviews, reservations, limits; and the same words again from the stored inputs."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from models import risk as risk_module
from models.clock import SECOND, BootNs, WallNs, utc_day
from models.config_trading import Execution, KillSwitch, Risk, Window
from models.kill_switch import kill_switch
from models.messages import ApprovedSet, MarketsReleased
from models.money import MicroUsd
from models.orders import AttemptId
from models.risk import (
    CHECKS,
    Review,
    RiskState,
    Weather,
    gauges,
    judge,
    judge_again,
    limits_from,
    release,
    resolved,
    review,
    unresolved,
)
from models.sets import LegPolicy
from models.signal import SkipReason
from tests.trading import SHARE, WALL, a_top, an_opportunity, execution_terms, shares

TERMS = execution_terms(policy=LegPolicy.TOGETHER)
MARKETS = {TERMS.complete_set.set_id: TERMS.market_ids}
LIMITS = limits_from(Risk(), Execution())
DAY = utc_day(WALL)


def a_state(**changes) -> RiskState:
    return replace(RiskState(day=DAY), **changes)


def weather(at: float = 1000, **changes) -> Weather:
    return Weather(now=BootNs(round(at * SECOND)), wall=WallNs(WALL + round(at * SECOND)), **changes)


def judged(state=None, *, limits=LIMITS, at=1000, size=10, top=None, attempt="a-1", sky=None, terms=TERMS):
    opportunity = an_opportunity(terms, top or a_top(), size=size)
    return review(state or a_state(), opportunity, terms, limits, sky or weather(at), AttemptId(attempt))


def released(attempt="a-1", spent="9", *, open_position=False) -> MarketsReleased:
    return MarketsReleased(
        attempt_id=AttemptId(attempt),
        set_id=TERMS.complete_set.set_id,
        spent=MicroUsd(round(float(spent) * SHARE)),
        cooling_until=BootNs(0),
        open_position=open_position,
    )


def limits(**changes):
    return msgspec.structs.replace(LIMITS, **changes)


def test_a_good_proposal_is_approved_and_reserves_its_market_and_its_worst_cost():
    state, judgement = judged()

    assert isinstance(judgement.approved, ApprovedSet)
    assert judgement.approved.size == shares(10)
    assert judgement.approved.reserved == 9_000_000 == state.reserved
    assert state.reservations[0].market_ids == ("m1",)


def test_where_legs_follow_at_break_even_the_whole_payout_is_set_aside():
    terms = execution_terms(policy=LegPolicy.THIN_LEG_FIRST)

    _, judgement = judged(terms=terms)

    assert judgement.approved.reserved == 10_000_000


@pytest.mark.parametrize(
    ("state", "more", "refusal"),
    [
        ({}, {"sky": weather(halted="operator")}, SkipReason.HALTED),
        ({}, {"sky": weather(halted_markets={"m1"})}, SkipReason.MARKET_HALTED),
        ({"reservations": judged()[0].reservations}, {"attempt": "a-2"}, SkipReason.RESERVED),
        ({"unresolved": frozenset({"m1"})}, {}, SkipReason.UNRESOLVED),
        ({}, {"size": 10.5}, SkipReason.ORDER_SIZE),
        ({}, {"size": 0}, SkipReason.ORDER_SIZE),
        ({}, {"terms": execution_terms(ticks_through=3)}, SkipReason.PRICE_COLLAR),
        ({"approved_at": (BootNs(990 * SECOND),) * 55}, {}, SkipReason.ORDER_RATE),
        ({"held": frozenset((f"a-{n}", "x") for n in range(5))}, {}, SkipReason.OPEN_POSITIONS),
        ({"spent_today": MicroUsd(491_000_001)}, {}, SkipReason.DAILY_NOTIONAL),
        ({"cash": MicroUsd(8_999_999)}, {}, SkipReason.CASH),
    ],
)
def test_each_limit_refuses_by_its_own_name(state, more, refusal):
    _, judgement = judged(a_state(**state), **more)

    assert judgement.refusal is refusal
    assert judgement.approved is None
    assert judge_again(judgement.inputs) == (refusal, judgement.detail)


@pytest.mark.parametrize(
    ("state", "more"),
    [
        ({}, {"size": 10}),
        ({"approved_at": (BootNs(990 * SECOND),) * 54}, {}),
        ({"approved_at": (BootNs(940 * SECOND),) * 500}, {}),
        ({"held": frozenset((f"a-{n}", "x") for n in range(4))}, {}),
        ({"spent_today": MicroUsd(491_000_000)}, {}),
        ({"cash": MicroUsd(9_000_000)}, {}),
        ({}, {"terms": execution_terms(ticks_through=2)}),
    ],
)
def test_at_its_limit_everything_is_still_allowed(state, more):
    _, judgement = judged(a_state(**state), **more)

    assert judgement.refusal is None
    assert judge_again(judgement.inputs) == (None, "")


def test_real_orders_wait_until_the_spendable_cash_is_known():
    live = replace(TERMS, mode="live")

    _, unknown = judged(terms=live)
    _, known = judged(a_state(cash=MicroUsd(9_000_000)), terms=live)

    assert unknown.refusal is SkipReason.CASH
    assert judge_again(unknown.inputs) == (SkipReason.CASH, unknown.detail)
    assert known.refusal is None
    assert judged()[1].refusal is None, "on paper there is no cash to know"


def test_a_review_from_before_the_cash_had_to_be_known_is_judged_as_it_was_then():
    _, judgement = judged()
    old = msgspec.json.decode(judgement.inputs)
    del old["spends"]

    assert judge_again(msgspec.json.encode(old)) == (None, "")


def test_the_checks_run_in_their_order_and_the_first_one_speaks():
    _, judgement = judged(a_state(spent_today=MicroUsd(10**12)), sky=weather(halted="operator"), size=99)

    assert judgement.refusal is SkipReason.HALTED
    assert [check.__name__ for check in CHECKS][:3] == ["not_halted", "markets_not_halted", "markets_free"]


def test_the_same_set_at_the_same_prices_is_not_approved_twice_within_the_window():
    state, _ = judged()
    state = release(state, released(), MARKETS, BootNs(1000 * SECOND))

    _, again = judged(state, at=1001.9, attempt="a-2")
    _, other_price = judged(state, at=1001.9, attempt="a-2", top=a_top(yes_ask="0.44"))
    _, later = judged(state, at=1002, attempt="a-2")

    assert again.refusal is SkipReason.DUPLICATE
    assert other_price.refusal is later.refusal is None


def test_open_money_counts_in_full_until_it_is_released_and_then_what_was_spent():
    state, _ = judged()
    assert gauges(state, LIMITS, BootNs(0))[0].used == 9_000_000

    state = release(state, released(spent="3.5", open_position=True), MARKETS, BootNs(1000 * SECOND))

    assert gauges(state, LIMITS, BootNs(0))[0].used == 3_500_000
    assert gauges(state, LIMITS, BootNs(0))[1].used == 1


def test_releasing_twice_counts_only_what_came_on_top():
    state, _ = judged()
    state = release(state, released(spent="3"), MARKETS, BootNs(1000 * SECOND))

    state = release(state, released(spent="3"), MARKETS, BootNs(1000 * SECOND))
    assert state.spent_today == 3_000_000
    state = release(state, released(spent="5"), MARKETS, BootNs(1000 * SECOND))
    assert state.spent_today == 5_000_000


def test_a_new_day_starts_with_nothing_spent_and_a_clock_that_steps_back_refunds_nothing():
    state = a_state(spent_today=MicroUsd(499_000_000))
    tomorrow = Weather(now=BootNs(0), wall=WallNs(WALL + 24 * 3600 * SECOND))
    yesterday = Weather(now=BootNs(0), wall=WallNs(WALL - 24 * 3600 * SECOND))

    assert judged(state)[1].refusal is SkipReason.DAILY_NOTIONAL
    assert judged(state, sky=yesterday)[1].refusal is SkipReason.DAILY_NOTIONAL
    fresh, judgement = judged(state, sky=tomorrow)
    assert judgement.refusal is None
    back, judgement = judged(replace(fresh, reservations=(), spent_today=MicroUsd(499_000_000)), sky=weather())
    assert judgement.refusal is SkipReason.DAILY_NOTIONAL
    assert back.day == DAY + 1


def test_a_reservation_of_yesterday_that_is_still_open_counts_today():
    state, _ = judged(a_state(), limits=limits(max_daily_notional=MicroUsd(10_000_000)))
    tomorrow = Weather(now=BootNs(9_999 * SECOND), wall=WallNs(WALL + 24 * 3600 * SECOND))
    other = replace(state, reservations=(replace(state.reservations[0], market_ids=("m2",)),))

    _, judgement = judged(other, limits=limits(max_daily_notional=MicroUsd(10_000_000)), sky=tomorrow, attempt="a-2")

    assert judgement.refusal is SkipReason.DAILY_NOTIONAL


def test_a_release_of_yesterdays_money_does_not_count_today():
    state, _ = judged()
    today = replace(state, day=DAY + 1)

    assert release(today, released(spent="3"), MARKETS, BootNs(1000 * SECOND)).spent_today == 0


def test_what_is_unresolved_is_free_again_when_its_attempt_is_released():
    state = unresolved(a_state(), ["m1", "m9"])

    assert release(state, released(), MARKETS, BootNs(1000 * SECOND)).unresolved == frozenset({"m9"})


def test_a_market_that_pays_out_ends_the_positions_of_its_sets():
    state = release(a_state(), released(open_position=True), MARKETS, BootNs(1000 * SECOND))
    assert len(state.held) == 1

    assert resolved(state, "m9", MARKETS).held == state.held
    assert resolved(state, "m1", MARKETS).held == frozenset()


def test_a_stored_review_judges_the_same_after_the_limits_were_edited():
    _, judgement = judged(a_state(spent_today=MicroUsd(491_000_001)))
    assert judge_again(judgement.inputs)[0] is SkipReason.DAILY_NOTIONAL

    flipped = judgement.inputs.replace(b"491000001", b"491000000")

    assert judge_again(flipped) == (None, "")


def test_a_stored_review_is_canonical():
    _, judgement = judged()

    assert msgspec.json.encode(msgspec.json.decode(judgement.inputs, type=Review)) == judgement.inputs


def test_a_text_that_is_no_review_is_refused():
    with pytest.raises(msgspec.DecodeError):
        judge_again(b'{"limits": 1}')


def test_every_check_can_refuse():
    _, judgement = judged()
    good = msgspec.json.decode(judgement.inputs, type=Review)
    bad = {
        "halted": "x",
        "halted_markets": ("m1",),
        "reserved_markets": ("m1",),
        "unresolved_markets": ("m1",),
        "size": 0,
        "opening_limits": (900_000, 900_000),
        "same_prices_ago_ns": 0,
        "orders_last_minute": 10**6,
        "positions": 10**6,
        "spent_today": 10**12,
        "cash": 0,
    }
    assert judge(good) is None

    refusals = {judge(msgspec.structs.replace(good, **{name: value}))[0] for name, value in bad.items()}

    assert len(refusals) == len(CHECKS) == len(bad)


def test_only_risk_constructs_an_approved_set():
    root = Path(risk_module.__file__).parents[1]
    makers = {
        path.name
        for room in ("models", "actors", "adapters")
        for path in (root / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ApprovedSet"
    }

    assert makers == {"risk.py"}


# -- the kill switch


def switch(**windows) -> object:
    conditions = KillSwitch(**{name: Window(count=c, minutes=m) for name, (c, m) in windows.items()})
    return kill_switch(Risk(kill_switch_conditions=conditions))


def at(seconds: float) -> BootNs:
    return BootNs(round(seconds * SECOND))


def test_the_nth_incident_within_the_window_trips_and_says_which():
    present = switch(rejects=(3, 1))
    for second in (0, 10):
        present, tripped = present.noted("reject", at(second))
        assert tripped is None

    present, tripped = present.noted("reject", at(20))

    assert tripped == "kill switch: 3 rejects within 1 min"
    assert [(g.name, g.used, g.limit) for g in present.gauges(at(20))][1] == ("rejects", 3, 3)


def test_incidents_that_have_left_the_window_no_longer_count():
    present = switch(rejects=(3, 1))
    for second in (0, 30, 61, 91):
        present, tripped = present.noted("reject", at(second))
        assert tripped is None

    assert present.gauges(at(200))[1].used == 0


def test_each_condition_counts_only_its_own_kind():
    present = switch(partials=(1, 1), rejects=(2, 1), disconnects=(2, 1))

    present, tripped = present.noted("disconnect", at(0))
    assert tripped is None
    present, tripped = present.noted("overfill", at(0))
    assert tripped is None
    present, tripped = present.noted("partial", at(0))
    assert tripped == "kill switch: 1 partials within 1 min"


def test_a_manual_resume_empties_every_window():
    present, _ = switch(rejects=(2, 1)).noted("reject", at(0))

    present, tripped = present.cleared().noted("reject", at(1))

    assert tripped is None


def test_retries_count_against_the_order_rate_from_the_approval_on():
    tight = limits(max_orders_per_minute=12)
    first, _ = judged(limits=tight)
    assert gauges(first, tight, BootNs(1000 * SECOND))[2].used == 6, "two legs, three tries"

    ended = release(first, replace(released(), opened=4), MARKETS, BootNs(1001 * SECOND))
    after, allowed = judged(ended, limits=tight, at=1010, attempt="a-2")
    _, refused = judged(replace(after, reservations=()), limits=limits(max_orders_per_minute=9), at=1020, attempt="a-3")

    assert gauges(ended, tight, BootNs(1002 * SECOND))[2].used == 4
    assert allowed.refusal is None
    assert refused.refusal is SkipReason.ORDER_RATE, "four were sent nineteen seconds ago, and six may follow"
