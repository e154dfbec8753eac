"""Complete, unwind, hold: priced on fresh books, the cheapest allowed taken, and sunk cost never asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import protection
from models.fees import FeeSchedule, taker_fee
from models.market import Action
from models.money import MicroShares, MicroUsd, cost_rounded_up
from models.protection import LegHolding, Remedy, choose
from tests.trading import SHARE, a_market, levels, price, shares

MARKET = a_market()
FEES = FeeSchedule(name="q", as_of="2026-11-22", rate_micros=70_000)


def leg(held: float, *, paid: str = "0.45", bids=(), asks=(), ready=True, market=MARKET) -> LegHolding:
    return LegHolding(
        market=market,
        held=shares(held),
        paid=cost_rounded_up(price(paid), shares(held)),
        ready=ready,
        bids=levels(*bids),
        asks=levels(*asks),
    )


def decide(*legs: LegHolding, cap: str = "0.10", payout: int = SHARE, lot: float = 1, forbidden: str = ""):
    return choose(legs, payout=MicroUsd(payout), lot=shares(lot), cap=MicroUsd(price(cap)), forbidden=forbidden)


def test_the_three_numbers_are_the_field_guides_formulas():
    market = a_market(fees=FEES)
    choice = decide(
        leg(10, bids=[("0.40", 100)], market=market),
        leg(0, asks=[("0.50", 100)], market=market),
    )

    complete_fee = taker_fee(FEES, price("0.50"), shares(10))
    unwind_fee = taker_fee(FEES, price("0.40"), shares(10))
    assert choice.complete == 10_000_000 - 4_500_000 - 5_000_000 - complete_fee
    assert choice.unwind == 4_000_000 - unwind_fee - 4_500_000
    assert choice.hold == -4_500_000
    assert choice.remedy is Remedy.COMPLETE
    [order] = choice.orders
    assert (order.leg, order.action, order.size, order.limit) == (1, Action.BUY, shares(10), price("0.50"))


def test_the_walk_goes_down_the_ladder_and_the_limit_is_its_last_step():
    choice = decide(leg(10, bids=[("0.40", 4), ("0.38", 3), ("0.30", 99)]), leg(0), cap="0.15")

    assert choice.unwind == 400_000 * 4 + 380_000 * 3 + 300_000 * 3 - 4_500_000
    assert choice.orders[0].limit == price("0.30")
    assert choice.remedy is Remedy.UNWIND


@pytest.mark.parametrize("paid", ["0.10", "0.45", "0.90"])
def test_what_was_paid_does_not_decide_between_completing_and_unwinding(paid):
    choice = decide(leg(10, paid=paid, bids=[("0.44", 100)]), leg(0, asks=[("0.57", 100)]), cap="0.99")

    assert choice.remedy is Remedy.UNWIND
    assert choice.unwind - choice.complete == 100_000


def test_a_residue_below_the_common_lot_is_sold_in_the_lots_of_its_own_market():
    """Found by the simulator: half a share was held for good, because another market of the set trades whole ones."""
    fine = a_market(lot=0.01)

    choice = decide(leg(2.5, bids=[("0.42", 33)], market=fine), leg(2, asks=[("0.52", 49)]), cap="0.99", lot=1)

    assert choice.remedy is Remedy.UNWIND
    assert [(order.leg, order.size) for order in choice.orders] == [(0, shares(0.5))]


def test_of_equals_completing_is_preferred():
    choice = decide(leg(10, bids=[("0.44", 100)]), leg(0, asks=[("0.56", 100)]))

    assert choice.complete == choice.unwind
    assert choice.remedy is Remedy.COMPLETE


def test_completing_at_a_loss_smaller_than_the_unwinds_is_taken():
    choice = decide(leg(10, bids=[("0.40", 100)]), leg(0, asks=[("0.58", 100)]))

    assert choice.complete == -300_000
    assert choice.remedy is Remedy.COMPLETE


@pytest.mark.parametrize(("bid", "remedy"), [("0.35", Remedy.UNWIND), ("0.34", Remedy.HOLD)])
def test_beyond_the_cap_nothing_is_sent(bid, remedy):
    choice = decide(leg(10, bids=[(bid, 100)]), leg(0), cap="0.10")

    assert choice.remedy is remedy
    assert bool(choice.orders) is (remedy is Remedy.UNWIND)


@pytest.mark.parametrize("ready", [True, False])
def test_an_empty_or_stale_side_is_unavailable_and_never_zero(ready):
    choice = decide(
        leg(10, bids=[("0.44", 100)], ready=ready),
        leg(0, asks=[], ready=True),
    )

    assert choice.complete is None
    assert (choice.unwind is None) is (not ready)
    assert choice.remedy is (Remedy.UNWIND if ready else Remedy.HOLD)


def test_a_side_below_the_venues_minimum_is_unavailable():
    market = a_market(lot=0.01, min_notional="1")

    choice = decide(leg(2, bids=[("0.44", 100)], market=market), leg(0, asks=[("0.55", 100)], market=market), lot=0.01)

    assert choice.unwind is None, "0.88 dollars"
    assert choice.complete == 2_000_000 - 900_000 - 1_100_000
    assert choice.remedy is Remedy.COMPLETE
    assert not choice.untradable


def test_what_no_price_would_make_tradable_is_untradable():
    market = a_market(lot=0.01, min_size=5)

    choice = decide(leg(2, bids=[("0.44", 100)], market=market), leg(0, asks=[("0.55", 100)], market=market), lot=0.01)

    assert (choice.remedy, choice.untradable) == (Remedy.HOLD, True)


def test_a_residue_is_mended_at_what_the_venue_asks_of_takers_where_that_is_less():
    market = replace(a_market(lot=0.01, min_size=5, min_notional="1"), min_take=shares(0.01))

    choice = decide(leg(4, bids=[("0.44", 100)], market=market), leg(0, asks=[("0.55", 100)], market=market), lot=0.01)

    assert (choice.complete, choice.unwind) == (4_000_000 - 1_800_000 - 2_200_000, 1_760_000 - 1_800_000)
    assert (choice.remedy, choice.untradable) == (Remedy.COMPLETE, False)


def test_a_fraction_that_cannot_be_bought_is_sold_where_the_venue_takes_it():
    market = replace(a_market(lot=1, min_size=5, min_notional="1"), min_take=shares(0.01), sale_lot=shares(0.01))

    choice = decide(leg(10, bids=[("0.44", 100)], market=market), leg(6.4, asks=[("0.55", 100)], market=market), lot=1)

    assert (choice.remedy, choice.untradable) == (Remedy.UNWIND, False)
    assert [(order.action, order.size) for order in choice.orders] == [(Action.SELL, shares(3.6))], "equal at 6.4"


def test_only_the_unequal_part_is_mended():
    choice = decide(leg(10, bids=[("0.44", 100)]), leg(4, asks=[("0.80", 100)]))

    assert choice.missing == shares(6)
    assert choice.orders[0].size == shares(6)
    assert choice.hold == -2_700_000


def test_both_ways_are_compared_on_the_same_quantity_and_done_as_far_as_the_book_goes():
    choice = decide(leg(10, bids=[("0.40", 100)]), leg(0, asks=[("0.50", 4)]))

    assert choice.compared_size == shares(4)
    assert choice.complete == 4_000_000 - 1_800_000 - 2_000_000
    assert choice.unwind == 1_600_000 - 1_800_000
    assert choice.orders[0].size == shares(4)


def test_what_lies_deeper_in_the_book_than_was_compared_is_not_bought_beyond_the_cap():
    """One share can be sold at 0.44, so both ways were compared on one; the other nine cost 0.99 each to complete."""
    choice = decide(leg(10, bids=[("0.44", 1)]), leg(0, asks=[("0.50", 1), ("0.99", 9)]))

    assert (choice.remedy, choice.compared_size) == (Remedy.COMPLETE, shares(1))
    assert [(o.size, o.limit) for o in choice.orders] == [(shares(1), price("0.50"))]


def test_what_lies_deeper_in_the_book_than_was_compared_is_not_sold_beyond_the_cap():
    choice = decide(leg(10, bids=[("0.44", 1), ("0.01", 9)]), leg(0, asks=[("0.70", 1)]))

    assert [(o.size, o.limit) for o in choice.orders] == [(shares(1), price("0.44"))]


def test_a_book_is_used_as_far_as_the_cap_allows():
    choice = decide(leg(10), leg(0, asks=[("0.50", 5), ("0.99", 5)]))

    assert choice.remedy is Remedy.COMPLETE, "it was held as a whole"
    assert [(o.size, o.limit) for o in choice.orders] == [(shares(5), price("0.50"))]


def test_the_cap_holds_at_the_limit_because_the_better_levels_may_be_gone_when_the_order_comes():
    choice = decide(leg(10), leg(0, asks=[("0.50", 9), ("0.95", 50)]))

    assert choice.complete == 10_000_000 - 4_500_000 - 4_500_000 - 950_000, "on the average it would be allowed"
    assert [(o.size, o.limit) for o in choice.orders] == [(shares(9), price("0.50"))]


def test_where_the_cheaper_way_may_lose_too_much_the_other_one_is_taken():
    choice = decide(leg(10, bids=[("0.38", 10)]), leg(0, asks=[("0.10", 0.9), ("0.66", 99)]), cap="0.08")

    assert choice.complete > choice.unwind
    assert (choice.remedy, choice.why) == (Remedy.UNWIND, "complete would lose more than max_unwind_loss")


def test_three_legs_are_raised_or_lowered_together():
    complete = decide(
        leg(10, paid="0.30", bids=[("0.20", 100)]),
        leg(6, paid="0.30", bids=[("0.20", 100)], asks=[("0.31", 100)]),
        leg(0, paid="0.30", asks=[("0.32", 100)]),
    )
    unwind = decide(
        leg(10, paid="0.30", bids=[("0.28", 100)]),
        leg(6, paid="0.30", bids=[("0.28", 100)]),
        leg(0, paid="0.30"),
    )

    assert [(o.leg, o.action, o.size) for o in complete.orders] == [
        (1, Action.BUY, shares(4)),
        (2, Action.BUY, shares(10)),
    ]
    assert [(o.leg, o.action, o.size) for o in unwind.orders] == [
        (0, Action.SELL, shares(10)),
        (1, Action.SELL, shares(6)),
    ]


def test_in_weather_that_forbids_buying_only_selling_is_left():
    choice = decide(leg(10, bids=[("0.40", 100)]), leg(0, asks=[("0.50", 100)]), forbidden="post-only")

    assert (choice.complete, choice.remedy) == (None, Remedy.UNWIND)


def worst(legs, choice):
    """Sets that the orders of a choice mend, and the profit on these if all of it comes at the limits, for legs that
    cost 0.45 a share and have no fees.
    """
    after = [leg.held for leg in legs]
    flow = 0
    for order in choice.orders:
        buys = order.action is Action.BUY
        after[order.leg] += order.size if buys else -order.size
        flow += order.limit * order.size * (-1 if buys else 1)
        displayed = legs[order.leg].asks if buys else legs[order.leg].bids
        within = sum(size for at, size in displayed if (at <= order.limit if buys else at >= order.limit))
        assert within >= order.size, "the book displays it"
    low, high = min(leg.held for leg in legs), max(leg.held for leg in legs)
    mended = min(after) - low if choice.remedy is Remedy.COMPLETE else high - max(after)
    paid = sum(450_000 * (leg.held - max(low, 0)) for leg in legs if leg.held > max(low, 0)) * mended // (high - low)
    gained = SHARE * mended if choice.remedy is Remedy.COMPLETE else 0
    return mended, (gained + flow - paid) // SHARE


def ladder(rising: bool):
    steps = st.lists(st.tuples(st.integers(1, 99), st.integers(1, 30)), max_size=4, unique_by=lambda s: s[0])
    return steps.map(lambda s: tuple((p * 10_000, q * SHARE) for p, q in sorted(s, reverse=not rising)))


@given(
    st.lists(st.tuples(st.integers(-3, 20), ladder(False), ladder(True), st.booleans()), min_size=2, max_size=4),
    st.integers(0, 100),
)
def test_orders_never_oversell_never_overbuy_and_never_break_the_cap(drawn, cap_cents):
    legs = [
        LegHolding(
            market=MARKET,
            held=MicroShares(held * SHARE),
            paid=MicroUsd(max(held, 0) * 450_000),
            ready=ready,
            bids=bids,
            asks=asks,
        )
        for held, bids, asks, ready in drawn
    ]
    low, high = min(x.held for x in legs), max(x.held for x in legs)

    choice = choose(legs, payout=MicroUsd(SHARE), lot=shares(1), cap=MicroUsd(cap_cents * 10_000))

    for order in choice.orders:
        held = legs[order.leg].held
        if order.action is Action.SELL:
            assert order.size <= held - max(low, 0)
        else:
            assert order.size <= high - held
        assert legs[order.leg].ready
        assert order.size > 0
    assert bool(choice.orders) is (choice.remedy is not Remedy.HOLD)
    chosen = {Remedy.COMPLETE: choice.complete, Remedy.UNWIND: choice.unwind}.get(choice.remedy)
    if chosen is not None:
        sets, result = worst(legs, choice)
        assert result >= -(cap_cents * 10_000 * sets) // SHARE - 2, "of what is sent, even if all comes at its limit"
        others = [n for n in (choice.complete, choice.unwind) if n is not None]
        assert chosen == max(others) or "would lose more" in choice.why


def test_a_book_of_thousands_of_tiny_levels_is_walked_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch):
    walked = []
    walk = protection._walk
    monkeypatch.setattr(protection, "_walk", lambda *args: walked.append(args) or walk(*args))
    crumbs = tuple((price("0.60") - i * 100, shares(0.01)) for i in range(4_000))
    market = a_market(lot=0.01)
    naked = replace(leg(40, paid="0.61", market=market), bids=crumbs)

    choice = decide(naked, leg(0, market=market), lot=0.01, cap="0.10")

    [order] = choice.orders
    assert price("0.51") <= order.limit < price("0.52"), "nearly as far as the cap allows"
    assert len(walked) < 4 * protection.STEPS_MAX
