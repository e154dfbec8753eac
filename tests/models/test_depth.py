"""Sizing by depth from the ladders to the orders: what is decided can be bought, at the price that was stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.book import Levels, TopOfBook
from models.clock import BootNs, WallNs, utc_day
from models.config import Config
from models.config_trading import Execution, Risk
from models.execution import ExecutionTerms
from models.fees import FeeSchedule, taker_fee
from models.market import Action, Market, SetId
from models.messages import ApprovedSet, Opportunity
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros
from models.orders import AttemptId
from models.paper import take, three_ways
from models.risk import Judgement, Review, RiskState, Weather, judge_again, limits_from, review
from models.sets import LegPolicy, binary_set
from models.signal import Decision, Kind, SetTerms, SkipReason, decide
from models.sizing import Sizing, shown, walk
from models.terms import all_terms
from models.why import StoredLeg, StoredOpportunity, cost_per_set, recheck
from tests.factories import a_market, a_top, fee_schedule, levels, price, shares, surroundings, terms, usd
from tests.fakes import START_BOOT
from tests.stage import Stage
from tests.trading import WALL, execution_terms, yes_basket

UNIT = shares("0.01")
"""Ladders of the property tests hold whole hundredths of a share, so that a walk can be told one by one."""
SCHEDULES = st.sampled_from(
    [fee_schedule("0"), fee_schedule("0.04"), fee_schedule("0.07", quantum="0.01"), fee_schedule("0.05")]
)
LADDERS = st.lists(
    st.tuples(st.integers(20, 55), st.integers(1, 300)), min_size=1, max_size=5, unique_by=lambda level: level[0]
).map(lambda pairs: tuple((p * 10_000, s * 10 * UNIT) for p, s in sorted(pairs)))

YES = levels(("0.40", "10"), ("0.42", "20"), ("0.54", "100"))
NO = levels(("0.45", "15"), ("0.46", "15"), ("0.58", "100"))


def a_deep_top(yes: Levels = YES, no: Levels = NO) -> TopOfBook:
    return msgspec.structs.replace(
        a_top(yes_bid=None, no_bid=None),
        yes_ask=yes[0][0],
        yes_ask_size=yes[0][1],
        no_ask=no[0][0],
        no_ask_size=no[0][1],
        yes_asks=yes,
        no_asks=no,
    )


def deep_terms(markets: Sequence[Market] | None = None, **changes: Any) -> SetTerms:
    return terms(markets=markets, **({"sizing": Sizing.DEPTH} | changes))


def decided(top: TopOfBook, of: SetTerms) -> Decision:
    decision = decide(of, (top, top), surroundings())
    assert decision is not None
    return decision


# -- the decision, against buying share by share


def by_hand(ladder: Levels, fees: FeeSchedule, size: int) -> tuple[int, Fraction, int]:
    """(worst price, dollars, fees in micro-dollars) of buying `size` one hundredth after the other."""
    queue = [level_price for level_price, there in ladder for _ in range(there // UNIT)]
    bought = queue[: size // UNIT]
    charged = sum(
        taker_fee(fees, PriceMicros(each), MicroShares(bought.count(each) * UNIT)) for each in dict.fromkeys(bought)
    )
    return max(bought), sum((Fraction(each * UNIT, MICRO) for each in bought), Fraction(0)), charged


@given(LADDERS, LADDERS, SCHEDULES, st.integers(1, 1_000), st.sampled_from(["0.01", "0.5", "1"]))
def test_the_figures_are_those_of_buying_the_size_share_by_share(
    yes: Levels, no: Levels, fees: FeeSchedule, order_size: int, lot: str
) -> None:
    market = a_market(fees=fees, lot=shares(lot), min_size=shares("0"))
    of = deep_terms(
        [market], cost_buffer=usd("0.002"), order_size=MicroShares(order_size * UNIT), min_depth=shares("0.01")
    )
    top = a_deep_top(yes, no)
    decision = decide(of, (top, top), surroundings())
    if decision is None:
        assert yes[0][0] + no[0][0] >= MICRO
        return
    assert decision.sum_cost == yes[0][0] + no[0][0], "the best asks, as the BRD says"
    assert decision.size % market.lot == 0
    if decision.size == 0:
        assert decision.kind is Kind.SKIP
        return

    legs = [by_hand(ladder, fees, decision.size) for ladder in (yes, no)]

    dollars = sum(leg[1] for leg in legs)
    assert decision.reach == tuple(leg[0] for leg in legs)
    assert decision.fees == sum(leg[2] for leg in legs)
    exact = Fraction(MICRO - 2_000) - dollars * MICRO / decision.size
    assert exact - 1 < decision.edge <= exact, "rounded against us"
    exact_net = exact - Fraction(decision.fees * MICRO, decision.size)
    assert exact_net - 1 < decision.net_edge <= exact_net
    if decision.kind is Kind.TRADE:
        assert exact_net >= of.thresholds.min_edge


@given(LADDERS, LADDERS, SCHEDULES, st.integers(0, 3), st.sampled_from(LegPolicy))
def test_what_is_traded_can_be_bought_at_its_limits_and_leaves_the_minimum_even_there(
    yes: Levels, no: Levels, fees: FeeSchedule, ticks: int, policy: LegPolicy
) -> None:
    market = a_market(fees=fees)
    of = deep_terms([market], order_size=shares("1"), min_depth=shares("1"), max_size=shares("60"))
    top = a_deep_top(yes, no)
    decision = decide(of, (top, top), surroundings())
    if decision is None or decision.kind is Kind.SKIP:
        return
    assert decision.size <= shares("60")
    for ladder, reach in zip((yes, no), decision.reach, strict=True):
        taken = take(ladder, reach, decision.size, Action.BUY)
        assert sum(size for _, size in taken) == decision.size
        assert taken[-1][0] == reach, "no further than needed"
        assert shown(ladder, reach) >= decision.size
    worst = sum(taker_fee(fees, reach, decision.size) for reach in decision.reach)
    left = (MICRO - sum(decision.reach) - of.thresholds.min_edge) * decision.size
    assert left >= worst * MICRO

    execution = bought_under(market, ticks_through=ticks, policy=policy)
    stage = Stage(execution)
    stage.now = START_BOOT
    stage.tell(approval(execution, top, decision))

    assert stage.intents, "never approved and then given up for its own limits"
    for intent in stage.intents:
        assert intent.limit_price >= decision.reach[intent.leg]
        assert intent.size == decision.size


@given(LADDERS, LADDERS, SCHEDULES, st.integers(1, 3_000))
def test_at_one_level_depth_decides_like_a_fixed_size(yes: Levels, no: Levels, fees: FeeSchedule, size: int) -> None:
    top = a_deep_top(yes[:1], no[:1])
    markets = [a_market(fees=fees)]
    numbers = {"order_size": MicroShares(size * UNIT), "max_size": MicroShares(size * UNIT)}

    fixed = decide(terms(markets=markets, **numbers), (top, top), surroundings())
    deep = decide(deep_terms(markets, **numbers), (top, top), surroundings())

    if fixed is None or fixed.kind is Kind.TRADE:
        assert deep == fixed


@given(LADDERS, LADDERS, SCHEDULES, st.integers(1, 3_000))
def test_a_fixed_size_never_looks_below_the_best_asks(yes: Levels, no: Levels, fees: FeeSchedule, size: int) -> None:
    of = terms(markets=[a_market(fees=fees)], order_size=MicroShares(size * UNIT))
    deep, flat = a_deep_top(yes, no), msgspec.structs.replace(a_deep_top(yes, no), yes_asks=(), no_asks=())

    decision = decide(of, (deep, deep), surroundings())

    assert decision == decide(of, (flat, flat), surroundings())
    assert decision is None or decision.reach == (yes[0][0], no[0][0])


# -- by example: YES 10 @ 0.40, 20 @ 0.42; NO 15 @ 0.45, 15 @ 0.46; the next levels do not pay


def test_edge_and_fees_are_those_of_the_whole_walk_and_sum_cost_stays_at_the_best_asks() -> None:
    decision = decided(a_deep_top(), deep_terms([a_market(fees=fee_schedule("0.04"))]))

    assert (decision.kind, decision.size) == (Kind.TRADE, shares("30"))
    assert decision.reach == (price("0.42"), price("0.46"))
    assert decision.sum_cost == usd("0.85")
    # YES 10 x 0.40 + 20 x 0.42 = 12.40, NO 15 x 0.45 + 15 x 0.46 = 13.65: 26.05 / 30 = 0.868333...
    assert decision.edge == usd("0.131666")
    assert decision.fees == usd("0.58842")
    assert decision.net_edge == usd("0.112052")


def test_a_walk_ends_where_the_price_collar_of_risk_would_refuse_the_limit() -> None:
    near = decided(a_deep_top(), deep_terms(max_walk=usd("0.01")))
    at_best = decided(a_deep_top(), deep_terms(max_walk=usd("0.009999")))

    assert (near.size, near.reach) == (shares("10"), (price("0.40"), price("0.45")))
    assert (at_best.size, at_best.reach) == (near.size, near.reach)
    assert decided(a_deep_top(), deep_terms(max_walk=usd("0.02"))).reach == (price("0.42"), price("0.46"))


def test_whole_cents_of_fees_that_would_eat_the_minimum_at_the_limits_close_the_fee_gate() -> None:
    """On average 0.10 a set is left. If all 2.9 came at 0.48 and 0.47, each leg's 5.07 cents of fee would be 6."""
    top = a_deep_top(levels(("0.38", "1"), ("0.48", "2.2")), levels(("0.38", "1.9"), ("0.47", "1")))
    numbers = {"order_size": shares("1"), "min_depth": shares("1"), "max_size": shares("3.9")}

    decision = decided(top, deep_terms([a_market(fees=fee_schedule("0.07", quantum="0.01"))], **numbers))

    assert (decision.size, decision.reach) == (shares("2.9"), (price("0.48"), price("0.47")))
    assert decision.net_edge == usd("0.102068")
    assert (decision.reason, decision.also) == (SkipReason.FEES, ())


def test_a_short_ladder_counts_the_rest_at_its_last_price() -> None:
    found = walk(levels(("0.40", "1"), ("0.50", "1")), fee_schedule("0"), shares("4"))

    assert (found.reach, found.gross) == (price("0.50"), usd("0.40") * MICRO + 3 * usd("0.50") * MICRO)
    assert walk(levels(("0.40", "1")), fee_schedule("0.07"), shares("0")) == (price("0.40"), 0, 0)


# -- the orders


def bought_under(market: Market, **changes: Any) -> ExecutionTerms:
    chosen = execution_terms(market=market, min_edge="0.01", **changes)
    return replace(chosen, complete_set=binary_set(market.market_id, chosen.complete_set.leg_policy))


def proposal(top: TopOfBook, decision: Decision, set_id: str = "m") -> Opportunity:
    return Opportunity(
        opportunity_id="o-1",
        set_id=SetId(set_id),
        episode_id="e-1",
        at=WALL,
        frame_at=START_BOOT,
        tops=(top, top),
        surroundings=surroundings(),
        decision=decision,
    )


def approval(execution: ExecutionTerms, top: TopOfBook, decision: Decision) -> ApprovedSet:
    chosen = proposal(top, decision, execution.complete_set.set_id)
    return ApprovedSet(
        attempt_id=AttemptId("a-1"), opportunity=chosen, size=decision.size, reserved=MicroUsd(decision.size)
    )


def deep_stage(**changes: Any) -> Stage:
    """Thirty shares at 0.42 and 0.46 are approved."""
    market = a_market()
    stage = Stage(bought_under(market, **changes))
    top = a_deep_top()
    stage.now = START_BOOT
    stage.tell(approval(stage.terms, top, decided(top, deep_terms([market]))))
    return stage


def test_all_legs_at_once_carry_limits_that_reach_the_size() -> None:
    stage = deep_stage(policy=LegPolicy.TOGETHER)

    assert [(o.outcome, o.limit_price, o.size) for o in stage.intents] == [
        ("YES", price("0.42"), shares("30")),
        ("NO", price("0.46"), shares("30")),
    ]


def test_the_thin_leg_is_the_one_that_shows_least_within_its_limit() -> None:
    stage = deep_stage()

    assert stage.attempt.depths == (shares("30"), shares("30"))
    assert (stage.order().outcome, stage.order().limit_price) == ("NO", price("0.46"))
    stage.accept(0, 30)

    follower = stage.order()
    assert (follower.outcome, follower.size) == ("YES", shares("30"))
    assert follower.limit_price == price("0.54"), "break-even"


def test_legs_that_follow_share_the_slack_above_what_each_of_them_needs() -> None:
    stage = Stage(execution_terms(yes_basket("a", "b", "c")))
    ladders = {
        "a": levels(("0.20", "10")),
        "b": levels(("0.20", "5"), ("0.40", "90")),
        "c": levels(("0.30", "90")),
    }
    tops = [
        msgspec.structs.replace(a_top(m, yes_bid=None), yes_ask=asks[0][0], yes_ask_size=asks[0][1], yes_asks=asks)
        for m, asks in ladders.items()
    ]
    decision = msgspec.structs.replace(
        decided(a_deep_top(), deep_terms()),
        size=shares("10"),
        reach=(price("0.20"), price("0.40"), price("0.30")),
    )
    chosen = replace(proposal(tops[0], decision, "a+b+c"), tops=tuple(tops))
    stage.tell(ApprovedSet(attempt_id=AttemptId("a-1"), opportunity=chosen, size=decision.size, reserved=usd("10")))
    stage.accept(0, 10)

    assert [o.limit_price for o in stage.intents] == [price("0.20"), price("0.45"), price("0.35")]


def test_a_clean_miss_is_tried_again_down_the_ladder_and_no_deeper_than_approved() -> None:
    stage = deep_stage()
    stage.accept(0, 0)

    stage.answer_ladders(yes_asks=levels(("0.41", "30")), no_asks=levels(("0.45", "29"), ("0.46", "1")), **NO_BIDS)
    assert stage.attempt.reach == (price("0.41"), price("0.46"))
    assert [o.limit_price for o in stage.intents] == [price("0.46"), price("0.46")]
    stage.accept(-1, 0)

    stage.answer_ladders(yes_asks=levels(("0.41", "30")), no_asks=levels(("0.45", "29"), ("0.47", "1")), **NO_BIDS)
    assert len(stage.intents) == 2, "what lies deeper now was not approved"


def test_what_was_to_be_had_at_the_best_asks_alone_is_not_walked_for_later() -> None:
    market = a_market()
    stage = Stage(bought_under(market))
    top = a_top(yes_size="10", no_size="10")
    stage.now = START_BOOT
    stage.tell(approval(stage.terms, top, decided(top, terms(markets=[market]))))
    stage.accept(0, 0)

    stage.answer_ladders(yes_asks=levels(("0.46", "5"), ("0.47", "50")), no_asks=levels(("0.48", "50")), **NO_BIDS)

    assert len(stage.intents) == 1


NO_BIDS: dict[str, Levels] = {"yes_bids": (), "no_bids": ()}


# -- risk, why, paper


def judged(top: TopOfBook, decision: Decision, **risk: Any) -> Judgement:
    market = a_market()
    limits = limits_from(Risk(**risk), Execution(max_order_size=100))
    execution = bought_under(market, policy=LegPolicy.TOGETHER)
    weather = Weather(now=BootNs(START_BOOT), wall=WallNs(WALL))
    _, judgement = review(
        RiskState(day=utc_day(WallNs(WALL))), proposal(top, decision), execution, limits, weather, AttemptId("a-1")
    )
    return judgement


def test_risk_reserves_what_the_limits_can_cost_and_holds_the_collar_against_the_best_ask() -> None:
    top = a_deep_top()
    decision = decided(top, deep_terms())

    approved = judged(top, decision).approved
    assert approved is not None
    assert approved.reserved == usd("26.4"), "30 x (0.42 + 0.46)"
    assert judged(top, decision, price_collar="0.019").refusal is SkipReason.PRICE_COLLAR


def stored(decision: Decision, top: TopOfBook, inputs: bytes) -> StoredOpportunity:
    return StoredOpportunity(
        seq=1,
        opportunity_id="o-1",
        at=WallNs(WALL),
        set_id="m",
        market_id="m",
        episode_id="e-1",
        decision="traded",
        reason=None,
        verdict=decision.verdict.value,
        sum_cost=decision.sum_cost,
        edge=decision.edge,
        net_edge=decision.net_edge,
        fees=decision.fees,
        size=decision.size,
        yes_ask=top.yes_ask,
        no_ask=top.no_ask,
        yes_size=top.yes_ask_size,
        no_size=top.no_ask_size,
        cost_buffer=0,
        config_hash="c",
        attempt_id="a-1",
        also="",
        frame_boot_ns=top.received_at,
        surroundings=msgspec.json.encode(surroundings()).decode(),
        detail="",
        risk_inputs=inputs.decode(),
        legs=(StoredLeg("m", "YES", top), StoredLeg("m", "NO", top)),
    )


def test_why_finds_the_same_walk_again_and_every_change_to_it() -> None:
    top, of = a_deep_top(), deep_terms()
    decision = decided(top, of)
    inputs = judged(top, decision).inputs
    row = stored(decision, top, inputs)

    assert recheck(row, of, judge_again) == ()
    assert cost_per_set(row) == MICRO - decision.edge

    deeper = msgspec.structs.replace(msgspec.json.decode(inputs, type=Review), reach=(price("0.42"), price("0.47")))
    changed = replace(row, risk_inputs=msgspec.json.encode(deeper).decode())
    assert [m.name for m in recheck(changed, of, judge_again)] == ["limits that the size needs"]
    for ladder in ((YES[0], (price("0.43"), YES[1][1])), (YES[0], (YES[1][0], shares("19.99")), YES[2])):
        other = msgspec.structs.replace(top, yes_asks=ladder)
        legs = (StoredLeg("m", "YES", other), StoredLeg("m", "NO", other))
        assert {m.name for m in recheck(replace(row, legs=legs), of, judge_again)} >= {"edge", "net_edge"}


def test_the_optimistic_paper_fill_pays_what_the_decision_said() -> None:
    market = a_market(fees=fee_schedule("0.04"))
    decision = decided(a_deep_top(), deep_terms([market]))

    optimistic, _, _ = three_ways(bought_under(market), (YES, NO), decision.size, 0, [])

    assert (optimistic.filled, optimistic.cost) == (shares("30"), usd("26.05"))
    assert optimistic.fees == decision.fees


@pytest.mark.parametrize(("ticks", "walked"), [(0, "0.02"), (1, "0.01"), (2, "0"), (3, "0")])
def test_the_collar_leaves_room_for_the_ticks_on_top(ticks: int, walked: str) -> None:
    market = a_market()
    config = Config.model_validate(
        {"venue": "simulated", "markets": ["m"], "execution": {"limit_ticks_through": ticks}}
    )

    [of] = all_terms(config, [binary_set(market.market_id)], {market.market_id: market})

    assert of.thresholds.max_walk == usd(walked)
