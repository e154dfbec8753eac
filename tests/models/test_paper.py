"""Paper fills: one order on one ladder, one attempt three ways, and nothing taken twice."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from models.clock import MS
from models.fees import FeeSchedule, taker_fee
from models.market import Action, Outcome
from models.money import PriceMicros
from models.orders import TimeInForce
from models.paper import LegBook, Moment, PaperModel, ioc_fills, left, remember, take, three_ways
from models.sets import LegPolicy
from tests.models.test_order_life import INTENT
from tests.trading import SHARE, a_market, execution_terms, levels, price, shares

TERMS = execution_terms(policy=LegPolicy.TOGETHER)
ASKS = (price("0.45"), price("0.46"))
SHOWN = (levels(("0.45", 20)), levels(("0.46", 30)))


def moment(ms: int, *books: LegBook) -> Moment:
    return Moment(ms * MS, books)


def book(asks=(("0.45", 100),), bids=(("0.43", 100),), ready=True) -> LegBook:
    return LegBook(ready, levels(*bids), levels(*asks))


def told(moments, *, terms=TERMS, size=10):
    return three_ways(terms, SHOWN, shares(size), 250 * MS, moments)


def test_an_order_takes_what_lies_within_its_limit_best_first():
    ladder = levels(("0.44", 3), ("0.45", 4), ("0.46", 50))

    assert ioc_fills(INTENT, ladder) == levels(("0.44", 3), ("0.45", 4))


def test_all_or_nothing_takes_nothing_where_it_cannot_take_all():
    ladder = levels(("0.44", 3), ("0.45", 4))

    assert ioc_fills(replace(INTENT, time_in_force=TimeInForce.FOK), ladder) == ()
    assert ioc_fills(replace(INTENT, time_in_force=TimeInForce.FOK, size=shares(7)), ladder) == ladder


def test_a_sale_takes_bids_at_its_limit_or_better():
    assert take(levels(("0.44", 3), ("0.43", 4)), price("0.44"), shares(5), Action.SELL) == levels(("0.44", 3))


def test_a_level_is_not_taken_twice_while_the_venue_shows_the_same_size():
    displayed = levels(("0.45", 15))
    fills = ioc_fills(INTENT, displayed)

    taken = remember({}, INTENT, displayed, fills)

    assert left(displayed, taken, "m1", Outcome.YES, Action.BUY) == levels(("0.45", 5))
    assert left(displayed, taken, "m1", Outcome.NO, Action.BUY) == displayed
    assert left(levels(("0.45", 16)), taken, "m1", Outcome.YES, Action.BUY) == levels(("0.45", 16))
    rest = ioc_fills(INTENT, left(displayed, taken, "m1", Outcome.YES, Action.BUY))
    taken = remember(taken, INTENT, displayed, rest)
    assert left(displayed, taken, "m1", Outcome.YES, Action.BUY) == ()


def test_when_the_books_stand_still_all_three_agree():
    still = [moment(ms, book(), book((("0.46", 100),))) for ms in (50, 250, 500)]

    results = told(still)

    assert [r.model for r in results] == [PaperModel.OPTIMISTIC, PaperModel.SHIFTED, PaperModel.PESSIMISTIC]
    assert {(r.filled, r.cost, r.fees, r.net_pnl) for r in results} == {(shares(10), 9_100_000, 0, 900_000)}


def test_fees_come_off_each_of_them():
    fees = FeeSchedule(name="q", as_of="2026-11-22", rate_micros=70_000)
    terms = execution_terms(market=a_market(fees=fees), policy=LegPolicy.TOGETHER)
    charged = taker_fee(fees, ASKS[0], shares(10)) + taker_fee(fees, ASKS[1], shares(10))

    results = told([moment(250, book(), book((("0.46", 100),)))], terms=terms)

    assert {r.fees for r in results} == {charged}
    assert {r.net_pnl for r in results} == {900_000 - charged}


def test_the_shifted_one_sells_back_what_did_not_pair_up():
    gone = moment(250, book(), book((("0.60", 100),)))

    shifted = told([gone])[1]

    assert (shifted.filled, shifted.cost) == (0, 4_500_000)
    assert shifted.net_pnl == -200_000
    assert "sold back" in shifted.note


def test_a_surplus_without_a_bid_is_worthless():
    gone = moment(250, book(bids=()), book((("0.60", 100),)))

    assert told([gone])[1].net_pnl == -4_500_000


def test_thin_leg_first_buys_the_other_only_for_what_the_thin_one_got():
    terms = execution_terms(policy=LegPolicy.THIN_LEG_FIRST)
    thin_gone = moment(250, book((("0.60", 100),)), book((("0.46", 100),)))
    thin_half = moment(250, book((("0.45", 4),)), book((("0.46", 100),)))

    assert told([thin_gone], terms=terms)[1].net_pnl == 0
    assert told([thin_half], terms=terms)[1].filled == shares(4)
    assert told([thin_gone])[1].net_pnl < 0, "together, the other leg is stuck"


def test_the_pessimistic_one_is_the_worst_of_the_grid_on_half_the_size():
    grid = [
        moment(50, book(), book((("0.46", 100),))),
        moment(250, book((("0.45", 12),)), book((("0.46", 100),))),
        moment(500, book(), book((("0.46", 100),))),
    ]

    optimistic, shifted, pessimistic = told(grid)

    assert optimistic.net_pnl == shifted.net_pnl == 900_000
    assert (pessimistic.filled, pessimistic.note[:12]) == (shares(6), "after 250 ms")
    assert pessimistic.net_pnl < shifted.net_pnl


def test_books_that_were_not_ready_give_no_figure_and_never_a_zero():
    dark = [moment(250, book(ready=False), book())]

    optimistic, shifted, pessimistic = told(dark)

    assert optimistic.net_pnl == 900_000
    assert shifted.net_pnl is None
    assert pessimistic.net_pnl is None
    assert told([])[1].net_pnl is None


def test_a_dark_moment_does_not_hide_a_bad_one():
    grid = [moment(50, book(ready=False), book()), moment(250, book(), book((("0.60", 100),)))]

    assert told(grid)[2].net_pnl == -200_000


def ladder(rising: bool):
    steps = st.lists(st.tuples(st.integers(1, 99), st.integers(1, 30)), max_size=3, unique_by=lambda s: s[0])
    return steps.map(lambda s: tuple((p * 10_000, q * SHARE) for p, q in sorted(s, reverse=not rising)))


@given(
    st.lists(
        st.tuples(st.integers(1, 1000), ladder(True), ladder(False), ladder(True), ladder(False)),
        min_size=1,
        max_size=4,
        unique_by=lambda m: m[0],
    ),
    st.sampled_from(LegPolicy),
)
def test_pessimistic_never_beats_optimistic_and_sets_cost_at_most_their_limits(drawn, policy):
    moments = [
        Moment(ms * MS, (LegBook(True, yes_bids, yes_asks), LegBook(True, no_bids, no_asks)))
        for ms, yes_asks, yes_bids, no_asks, no_bids in drawn
    ]
    terms = execution_terms(policy=policy)

    optimistic, shifted, pessimistic = three_ways(terms, SHOWN, shares(10), drawn[0][0] * MS, moments)

    assert shifted.net_pnl is not None
    assert pessimistic.net_pnl is not None
    assert pessimistic.filled <= shares(10)
    assert shifted.cost <= sum(ask * 10 for ask in ASKS)
    assert shifted.net_pnl >= -shifted.cost - shifted.fees
    assert optimistic.net_pnl == SHARE * 10 - sum(PriceMicros(ask) * 10 for ask in ASKS)
