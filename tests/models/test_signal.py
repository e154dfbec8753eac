"""One state, one decision: the BRD's formula, every gate with its own reason, the same bits from the same inputs."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.book import NotReady, TopOfBook
from models.clock import MS, SECOND, BootNs
from models.fees import taker_fee
from models.market import BookModel, MarketId, MarketStatus, Outcome, SetId
from models.money import MICRO, MicroShares, PriceMicros
from models.sets import CompleteSet, SetKind, SetLeg
from models.signal import Decision, Kind, SetTerms, SkipReason, Surroundings, Thresholds, decide, sum_of_asks
from models.sizing import Sizing
from models.verdict import FreshnessLimits, Verdict, doubts
from tests.factories import (
    EXCHANGE_MS,
    a_market,
    a_top,
    fee_schedule,
    levels,
    limits,
    price,
    shares,
    surroundings,
    terms,
    thresholds,
    usd,
)
from tests.fakes import START_BOOT, START_WALL

OPEN, PAUSED = MarketStatus.OPEN, MarketStatus.PAUSED


def decided(
    top: TopOfBook | None = None, around: Surroundings | None = None, of: SetTerms | None = None, **of_thresholds: Any
) -> Decision:
    """The decision about the binary set of `m`, which must be an opportunity."""
    chosen = top or a_top()
    decision = decide(of or terms(**of_thresholds), (chosen, chosen), around or surroundings())
    assert decision is not None
    return decision


def reasons(decision: Decision) -> tuple[SkipReason, ...]:
    return () if decision.reason is None else (decision.reason, *decision.also)


# -- the formula (BRD FR-3)


def test_a_fresh_gap_that_clears_every_gate_is_traded() -> None:
    decision = decided()

    assert decision == Decision(
        kind=Kind.TRADE,
        reason=None,
        also=(),
        verdict=Verdict.REAL,
        sum_cost=usd("0.95"),
        edge=usd("0.05"),
        fees=usd("0"),
        net_edge=usd("0.05"),
        size=shares("10"),
        reach=(price("0.47"), price("0.48")),
    )


def test_the_edge_is_one_dollar_less_both_asks_less_the_buffer() -> None:
    assert decided(cost_buffer=usd("0.015")).edge == usd("0.035")


def test_fees_come_off_the_edge_per_set_and_the_rest_is_floored() -> None:
    market = a_market(fees=fee_schedule("0.07"))
    decision = decided(a_top(yes_ask="0.471113", no_ask="0.481"), of=terms(markets=[market], order_size=shares("9")))

    exact = (
        Fraction(9)
        * Fraction("0.07")
        * (Fraction("0.471113") * Fraction("0.528887") + Fraction("0.481") * Fraction("0.519"))
    )
    assert decision.fees - 2 < exact * MICRO <= decision.fees
    assert decision.net_edge == (usd("0.047887") * shares("9") - decision.fees * MICRO) // shares("9")
    assert decision.net_edge < Fraction(decision.edge) - Fraction(decision.fees, 9)


@pytest.mark.parametrize(
    ("yes_ask", "no_ask"), [("0.50", "0.50"), ("0.60", "0.41"), (None, "0.10"), ("0.10", None), (None, None)]
)
def test_no_gap_is_no_opportunity(yes_ask: str | None, no_ask: str | None) -> None:
    top = a_top(yes_ask=yes_ask, no_ask=no_ask)

    assert decide(terms(), (top, top), surroundings()) is None


def test_a_millionth_below_a_dollar_is_an_opportunity() -> None:
    top = a_top(yes_ask="0.500000", no_ask="0.499999")

    decision = decide(terms(), (top, top), surroundings())

    assert decision is not None
    assert decision.edge == 1
    assert decision.reason is SkipReason.EDGE


def test_the_cost_of_a_set_with_an_empty_side_is_unknown() -> None:
    assert sum_of_asks(terms(), (a_top(), a_top())) == usd("0.95")
    assert sum_of_asks(terms(), (a_top(no_ask=None),) * 2) is None


# -- gates, one at a time


@pytest.mark.parametrize(
    ("reason", "top", "around", "of_thresholds"),
    [
        (SkipReason.NOT_READY, {"not_ready": NotReady.GAP}, {}, {}),
        (SkipReason.CROSSED, {"yes_bid": "0.47"}, {}, {}),
        (SkipReason.HALF_UPDATE, {"intact": False}, {}, {}),
        (SkipReason.STALE, {}, {"now": BootNs(START_BOOT + 6 * SECOND)}, {}),
        (SkipReason.STALE, {"lag_ms": 2_001}, {}, {}),
        (SkipReason.SKEW, {"no_as_of_ms": EXCHANGE_MS + 1}, {}, {}),
        (SkipReason.DEPTH, {"yes_size": "9.999999"}, {}, {}),
        (SkipReason.DEPTH, {"no_size": "9.999999"}, {}, {}),
        (SkipReason.DEPTH, {}, {}, {"min_depth": shares("100.000001")}),
        (SkipReason.DEPTH, {}, {}, {"order_size": shares("101")}),
        (SkipReason.DEPTH, {}, {}, {"order_size": shares("0.009")}),
        (SkipReason.MARKET_STATUS, {}, {"statuses": (OPEN, PAUSED)}, {}),
        (SkipReason.MARKET_STATUS, {}, {"statuses": (MarketStatus.POST_ONLY, OPEN)}, {}),
        (SkipReason.IN_FLIGHT, {}, {"in_flight": True}, {}),
        (SkipReason.COOLDOWN, {}, {"cooling": True}, {}),
    ],
)
def test_each_closed_gate_skips_with_its_own_reason_alone(
    reason: SkipReason, top: dict[str, Any], around: dict[str, Any], of_thresholds: dict[str, Any]
) -> None:
    decision = decided(a_top(**top), surroundings(**around), **of_thresholds)

    assert decision.kind is Kind.SKIP
    assert reasons(decision) == (reason,)


def test_an_edge_below_the_minimum_is_skipped_for_it_and_for_what_fees_leave() -> None:
    assert reasons(decided(min_edge=usd("0.050001"))) == (SkipReason.EDGE, SkipReason.FEES)
    assert reasons(decided(min_edge=usd("0.05"))) == ()


def test_fees_alone_can_close_the_gate() -> None:
    market = a_market(fees=fee_schedule("0.07"))

    decision = decided(of=terms(markets=[market], min_edge=usd("0.02")))

    assert reasons(decision) == (SkipReason.FEES,)
    assert decision.edge >= usd("0.02") > decision.net_edge


def test_an_unconfirmed_gap_on_a_unified_book_waits() -> None:
    unified = terms(markets=[a_market(book_model=BookModel.UNIFIED)])

    assert reasons(decided(a_top(confirmed=False), of=unified)) == (SkipReason.UNCONFIRMED,)
    assert decided(a_top(confirmed=False), of=unified).verdict is Verdict.STALE
    assert reasons(decided(a_top(confirmed=True), of=unified)) == ()


@pytest.mark.parametrize(("left_ms", "closed"), [(60_001, False), (60_000, True), (0, True), (-1, True)])
def test_a_market_about_to_close_is_left_alone(left_ms: int, closed: bool) -> None:
    wall_ms = START_WALL // MS
    closing = terms(markets=[a_market(closes_at_ms=wall_ms + left_ms)], close_margin_ms=60_000)

    assert reasons(decided(of=closing)) == ((SkipReason.CLOSING_SOON,) if closed else ())


@pytest.mark.parametrize(
    ("facts", "order_size", "closed"),
    [
        ({"min_size": shares("5")}, "5", False),
        ({"min_size": shares("5")}, "4.99", True),
        ({"min_notional": usd("4.70")}, "10", False),
        ({"min_notional": usd("4.700001")}, "10", True),
    ],
)
def test_a_size_that_the_venue_would_refuse_on_one_leg_is_not_sent_on_any(
    facts: dict[str, Any], order_size: str, closed: bool
) -> None:
    of = terms(markets=[a_market(**facts)], order_size=shares(order_size), min_depth=shares("1"))

    assert reasons(decided(of=of)) == ((SkipReason.DEPTH,) if closed else ())


def test_the_size_is_cut_to_the_common_lot() -> None:
    of = terms(markets=[a_market(lot=shares("3"))])

    assert decided(of=of).size == shares("9")


def test_sizing_by_depth_goes_as_deep_as_every_level_pays() -> None:
    top = a_top(
        yes_size="10",
        yes_asks=levels(("0.47", "10"), ("0.50", "30"), ("0.60", "100")),
        no_asks=levels(("0.48", "100")),
    )

    assert decided(top, sizing=Sizing.DEPTH).size == shares("40")
    assert decided(top, sizing=Sizing.DEPTH, max_size=shares("25")).size == shares("25")
    assert decided(top).size == shares("10")


def test_sizing_by_depth_without_a_paying_level_still_says_what_would_have_been_bought() -> None:
    top = a_top(yes_ask="0.50", no_ask="0.495", yes_asks=levels(("0.50", "4")), no_asks=levels(("0.495", "9")))

    decision = decided(top, sizing=Sizing.DEPTH)

    assert decision.kind is Kind.SKIP
    assert decision.size == shares("10")


# -- a lost or stale book never trades, whatever else is true


@given(
    st.sampled_from([*NotReady, None]),
    st.integers(0, 20),
    st.one_of(st.none(), st.integers(0, 5_000)),
    st.booleans(),
    st.booleans(),
)
def test_nothing_is_traded_from_a_book_that_is_lost_old_lagging_or_in_doubt(
    not_ready: NotReady | None, age_s: int, lag_ms: int | None, intact: bool, crossed: bool
) -> None:
    top = a_top(not_ready=not_ready, lag_ms=lag_ms, intact=intact, yes_bid="0.47" if crossed else "0.45")

    decision = decided(top, surroundings(now=BootNs(START_BOOT + age_s * SECOND)))

    sound = not_ready is None and age_s <= 5 and (lag_ms or 0) <= 2_000 and intact and not crossed
    assert (decision.kind is Kind.TRADE) == sound
    assert sound or decision.verdict is not Verdict.REAL


@pytest.mark.parametrize("not_ready", NotReady)
@pytest.mark.parametrize("leg", [0, 1])
def test_one_lost_leg_is_enough_to_skip(not_ready: NotReady, leg: int) -> None:
    of = across_terms()
    tops = [a_top("a"), a_top("b")]
    tops[leg] = a_top("ab"[leg], not_ready=not_ready)

    decision = decide(of, tops, surroundings())

    assert decision is not None
    assert decision.reason is SkipReason.NOT_READY


# -- sets of any size


def across_terms(**of_thresholds: Any) -> SetTerms:
    legs = (SetLeg(MarketId("a"), Outcome.YES), SetLeg(MarketId("b"), Outcome.NO))
    cross = CompleteSet(
        set_id=SetId("s"), kind=SetKind.CROSS_VENUE, legs=legs, payout=usd("1"), attestation="same question"
    )
    return terms(cross, [a_market("a"), a_market("b")], **of_thresholds)


def basket(kind: SetKind, outcome: Outcome, count: int) -> CompleteSet:
    payout = usd("1") * (count - 1) if kind is SetKind.NO_BASKET else usd("1")
    legs = tuple(SetLeg(MarketId(f"m{index}"), outcome) for index in range(count))
    return CompleteSet(set_id=SetId("s"), kind=kind, legs=legs, payout=usd(str(payout // MICRO)), attestation="seen")


def test_a_no_basket_of_four_pays_three() -> None:
    of = terms(basket(SetKind.NO_BASKET, Outcome.NO, 4))
    tops = [a_top(f"m{index}", no_ask=ask) for index, ask in enumerate(("0.70", "0.72", "0.74", "0.76"))]

    decision = decide(of, tops, surroundings())

    assert decision is not None
    assert (decision.kind, decision.sum_cost, decision.edge) == (Kind.TRADE, usd("2.92"), usd("0.08"))


def test_a_yes_basket_needs_depth_on_every_leg() -> None:
    of = terms(basket(SetKind.YES_BASKET, Outcome.YES, 3))
    tops = [
        a_top(f"m{index}", yes_ask="0.30", yes_bid=None, yes_size=size) for index, size in enumerate(("50", "9", "50"))
    ]

    decision = decide(of, tops, surroundings())

    assert decision is not None
    assert reasons(decision) == (SkipReason.DEPTH,)


def test_each_leg_is_charged_by_its_own_schedule() -> None:
    free, dear = a_market("m0"), a_market("m1", fees=fee_schedule("0.07"))
    of = terms(basket(SetKind.YES_BASKET, Outcome.YES, 2), [free, dear])
    tops = [a_top("m0", yes_ask="0.40", yes_bid=None), a_top("m1", yes_ask="0.50")]

    decision = decide(of, tops, surroundings())

    assert decision is not None
    assert decision.fees == usd("0.175")


# -- against an oracle that knows fractions only


@st.composite
def situations(draw: st.DrawFn) -> tuple[SetTerms, list[TopOfBook], Surroundings]:
    count = draw(st.integers(2, 4))
    kind, outcome = draw(st.sampled_from([(SetKind.YES_BASKET, Outcome.YES), (SetKind.NO_BASKET, Outcome.NO)]))
    complete = basket(kind, outcome, count)
    rates = st.sampled_from(["0", "0.04", "0.07"])
    quanta = st.sampled_from(["0.000001", "0.00001", "0.01"])
    models = st.sampled_from(BookModel)
    listed = [
        a_market(
            f"m{index}",
            fees=fee_schedule(draw(rates), quantum=draw(quanta)),
            book_model=draw(models),
            lot=shares(draw(st.sampled_from(["0.01", "1"]))),
            min_size=shares(draw(st.sampled_from(["0", "5"]))),
            min_notional=usd(draw(st.sampled_from(["0", "1"]))),
            closes_at_ms=draw(st.sampled_from([None, START_WALL // MS, START_WALL // MS + 60_001])),
        )
        for index in range(count)
    ]
    of = terms(
        complete,
        listed,
        min_edge=usd(draw(st.sampled_from(["0", "0.01", "0.03"]))),
        cost_buffer=usd(draw(st.sampled_from(["0", "0.004"]))),
        min_depth=shares(draw(st.sampled_from(["1", "10", "40"]))),
        order_size=MicroShares(draw(st.integers(1, 60_000_000))),
        close_margin_ms=draw(st.sampled_from([0, 60_000])),
        freshness=limits(confirm_unified=draw(st.booleans())),
    )
    fair = complete.payout // count
    tops = [
        a_top(
            f"m{index}",
            not_ready=draw(st.sampled_from([None, None, None, NotReady.GAP])),
            intact=draw(st.sampled_from([True, True, True, False])),
            confirmed=draw(st.booleans()),
            lag_ms=draw(st.sampled_from([None, 5, 5, 5_000])),
            evidence_at=BootNs(START_BOOT - draw(st.sampled_from([0, 0, 0, 400, 800, 6_000])) * MS),
            yes_ask_size=draw(st.integers(0, 100_000_000)),
            no_ask_size=draw(st.integers(0, 100_000_000)),
            yes_ask=None,
            no_ask=None,
        )
        for index in range(count)
    ]
    priced = [
        msgspec.structs.replace(
            top,
            yes_bid=None,
            no_bid=None,
            **{f"{outcome.value.lower()}_ask": max(1, min(MICRO - 1, fair + draw(st.integers(-90_000, 15_000))))},
        )
        for top in tops
    ]
    around = surroundings(
        in_flight=draw(st.booleans()),
        cooling=draw(st.booleans()),
        statuses=draw(st.sampled_from([(), (OPEN,) * count, (PAUSED, *(OPEN,) * (count - 1))])),
    )
    return of, priced, around


@given(situations())
def test_every_decision_is_the_one_that_fractions_give(
    situation: tuple[SetTerms, list[TopOfBook], Surroundings],
) -> None:
    of, tops, around = situation
    limit: Thresholds = of.thresholds
    legs = of.complete_set.legs
    asks = [Fraction(top.ask(leg.outcome) or 0, MICRO) for leg, top in zip(legs, tops, strict=True)]
    depth = Fraction(min(top.ask_size(leg.outcome) for leg, top in zip(legs, tops, strict=True)), MICRO)
    payout = Fraction(of.complete_set.payout, MICRO)
    min_edge = Fraction(limit.min_edge, MICRO)
    order_size = Fraction(limit.order_size, MICRO)
    size = order_size - order_size % Fraction(of.lot, MICRO)
    priced = size or order_size
    fees = sum(
        Fraction(taker_fee(schedule, PriceMicros(int(ask * MICRO)), MicroShares(int(priced * MICRO))), MICRO)
        for schedule, ask in zip(of.fees, asks, strict=True)
    )
    edge = payout - sum(asks) - Fraction(limit.cost_buffer, MICRO)
    margin = around.wall_ms + limit.close_margin_ms

    decision = decide(of, tops, around)

    if sum(asks) >= payout:
        assert decision is None
        return
    assert decision is not None
    lost = any(top.not_ready is not None for top in tops)
    found = [] if lost else doubts(legs, tops, of.book_models, limit.freshness, around.now)
    expected = [SkipReason.NOT_READY] if lost else [SkipReason(doubt.value) for doubt in found]
    too_small = size <= 0 or size * MICRO < of.min_size or any(ask * size * MICRO < of.min_notional for ask in asks)
    gates = {
        SkipReason.EDGE: edge < min_edge,
        SkipReason.FEES: edge - fees / priced < min_edge,
        SkipReason.DEPTH: depth < max(Fraction(limit.min_depth, MICRO), order_size) or too_small,
        SkipReason.MARKET_STATUS: any(status is not OPEN for status in around.statuses),
        SkipReason.CLOSING_SOON: any(at is not None and at <= margin for at in of.closes_at_ms),
        SkipReason.IN_FLIGHT: around.in_flight,
        SkipReason.COOLDOWN: around.cooling,
    }
    expected += [reason for reason, shut in gates.items() if shut]
    assert list(reasons(decision)) == expected
    assert decision.kind is (Kind.SKIP if expected else Kind.TRADE)
    assert Fraction(decision.edge, MICRO) == edge
    assert Fraction(decision.fees, MICRO) == fees
    assert Fraction(decision.size, MICRO) == size
    assert decision.net_edge == (edge - fees / priced) * MICRO // 1
    assert (decision.verdict is Verdict.REAL) == (not lost and not found)


@given(situations())
def test_reasons_come_in_the_order_of_the_gates_and_each_once(
    situation: tuple[SetTerms, list[TopOfBook], Surroundings],
) -> None:
    decision = decide(*situation)
    order = list(SkipReason)

    if decision is not None:
        places = [order.index(reason) for reason in reasons(decision)]
        assert places == sorted(set(places))
        assert (decision.kind is Kind.TRADE) == (decision.reason is None)


@given(situations())
def test_the_same_inputs_give_the_same_bytes_also_after_a_round_trip_through_text(
    situation: tuple[SetTerms, list[TopOfBook], Surroundings],
) -> None:
    of, tops, around = situation
    encode = msgspec.json.encode

    stored_tops = msgspec.json.decode(encode(tops), type=list[TopOfBook])
    stored_around = msgspec.json.decode(encode(around), type=Surroundings)
    stored_terms = msgspec.json.decode(encode(of), type=SetTerms)

    assert encode(decide(of, tops, around)) == encode(decide(stored_terms, stored_tops, stored_around))
    assert encode(decide(of, tops, around)) == encode(decide(of, tops, around))


def test_a_flipped_bit_of_the_inputs_shows_in_the_decision() -> None:
    before = msgspec.json.encode(decided())

    after = msgspec.json.encode(decided(a_top(yes_ask="0.470001")))

    assert before != after


def test_terms_join_the_catalog_with_the_operators_numbers() -> None:
    first = a_market("m0", lot=shares("2"), min_size=shares("5"), min_notional=usd("1"), closes_at_ms=7)
    second = a_market("m1", lot=shares("3"), fees=fee_schedule("0.04"), book_model=BookModel.UNIFIED)

    of = terms(basket(SetKind.YES_BASKET, Outcome.YES, 2), [first, second])

    assert of == SetTerms(
        complete_set=basket(SetKind.YES_BASKET, Outcome.YES, 2),
        fees=(first.fees, second.fees),
        book_models=(BookModel.SEPARATE, BookModel.UNIFIED),
        closes_at_ms=(7, None),
        lot=shares("6"),
        min_size=shares("5"),
        min_notional=usd("1"),
        thresholds=thresholds(),
    )
    assert isinstance(of.thresholds.freshness, FreshnessLimits)
    assert price("0.01") == 10_000
