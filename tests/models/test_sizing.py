"""Sizing by depth against a walk written the other way round: interval by interval of equal prices, in fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.book import Levels
from models.fees import NO_FEES, FeeSchedule, taker_fee
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros
from models.sizing import depth_size
from tests.factories import fee_schedule, levels, shares, usd

SCHEDULES = st.sampled_from(
    [NO_FEES, fee_schedule("0.04"), fee_schedule("0.07", quantum="0.01"), fee_schedule("0.05", quantum="0.00001")]
)
LADDERS = st.lists(
    st.tuples(st.integers(20, 55), st.integers(1, 3_000)), max_size=6, unique_by=lambda level: level[0]
).map(lambda pairs: tuple((p * 10_000, s * 10_000) for p, s in sorted(pairs)))


def size(*ladders: Levels, fees: FeeSchedule = NO_FEES, **changes: Any) -> MicroShares:
    fields: dict[str, Any] = {
        "payout": usd("1"),
        "cost_buffer": usd("0"),
        "min_edge": usd("0.01"),
        "cap": shares("1000"),
        "lot": shares("0.01"),
    }
    return depth_size(ladders, [fees] * len(ladders), **{**fields, **changes})


def price_at(ladder: Levels, taken: int) -> int:
    """Price of the next share after `taken` have been bought."""
    for price, end in zip([p for p, _ in ladder], accumulate(s for _, s in ladder), strict=True):
        if taken < end:
            return price
    raise AssertionError("the ladder holds less than that")


def brute(
    ladders: list[Levels], fees: list[FeeSchedule], payout: int, buffer: int, min_edge: int, cap: int, lot: int
) -> int:
    deepest = min((sum(s for _, s in ladder) for ladder in ladders), default=0)
    end = min(deepest, cap)
    ends = {e for ladder in ladders for e in accumulate(s for _, s in ladder)}
    taken = 0
    for start, stop in pairwise(sorted({0, end, *(e for e in ends if e < end)})):
        prices = [price_at(ladder, start) for ladder in ladders]
        step = stop - start
        fee = sum(taker_fee(f, PriceMicros(p), MicroShares(step)) for f, p in zip(fees, prices, strict=True))
        earned = Fraction(payout - sum(prices) - buffer, MICRO) * step - fee
        if earned < Fraction(min_edge, MICRO) * step:
            break
        taken = stop
    return taken - taken % lot


@given(
    st.lists(LADDERS, min_size=2, max_size=4),
    st.lists(SCHEDULES, min_size=4, max_size=4),
    st.sampled_from(["0", "0.005", "0.02"]),
    st.sampled_from(["0", "0.01", "0.05"]),
    st.integers(1, 50_000_000),
    st.sampled_from([1, 10_000, 1_000_000, 3_000_000]),
)
def test_it_takes_exactly_as_much_as_walking_by_hand(
    ladders: list[Levels], schedules: list[FeeSchedule], buffer: str, min_edge: str, cap: int, lot: int
) -> None:
    fees = schedules[: len(ladders)]
    payout = usd("1") * (len(ladders) - 1)

    found = depth_size(
        ladders,
        fees,
        payout=MicroUsd(payout),
        cost_buffer=usd(buffer),
        min_edge=usd(min_edge),
        cap=MicroShares(cap),
        lot=MicroShares(lot),
    )

    assert found == brute(ladders, fees, payout, usd(buffer), usd(min_edge), cap, lot)


@given(LADDERS, LADDERS, st.integers(1, 100_000_000))
def test_the_whole_purchase_earns_the_minimum_and_fits_every_ladder(first: Levels, second: Levels, cap: int) -> None:
    fees = fee_schedule("0.04")

    taken = size(first, second, fees=fees, cap=MicroShares(cap), lot=MicroShares(1))

    assert taken <= min(cap, sum(s for _, s in first), sum(s for _, s in second))
    paid = Fraction(0)
    for ladder in (first, second):
        left = taken
        for price, held in ladder:
            bought = min(left, held)
            paid += Fraction(price * bought, MICRO) + taker_fee(fees, PriceMicros(price), MicroShares(bought))
            left = MicroShares(left - bought)
    rounding = 2 * (len(first) + len(second))
    assert taken - paid + rounding >= Fraction(usd("0.01") * taken, MICRO)


def test_it_walks_down_all_ladders_at_once() -> None:
    yes = levels(("0.40", "10"), ("0.45", "20"), ("0.60", "100"))
    no = levels(("0.45", "25"), ("0.50", "100"))

    assert size(yes, no) == shares("30")


@pytest.mark.parametrize(("cap", "taken"), [("7", "7"), ("7.005", "7"), ("30", "30"), ("31", "30")])
def test_the_cap_ends_the_walk(cap: str, taken: str) -> None:
    assert size(levels(("0.40", "30")), levels(("0.45", "100")), cap=shares(cap)) == shares(taken)


def test_the_size_is_a_whole_number_of_common_lots() -> None:
    assert size(levels(("0.40", "12.34")), levels(("0.45", "100")), lot=shares("5")) == shares("10")
    assert size(levels(("0.40", "4.99")), levels(("0.45", "100")), lot=shares("5")) == 0


@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_ladder_gives_nothing(empty: int) -> None:
    ladders: list[Levels] = [levels(("0.40", "10")), levels(("0.45", "10"))]
    ladders[empty] = ()

    assert size(*ladders) == 0


def test_the_last_set_may_earn_exactly_the_minimum() -> None:
    assert size(levels(("0.50", "10")), levels(("0.49", "10"))) == shares("10")
    assert size(levels(("0.50", "10")), levels(("0.49", "10")), min_edge=usd("0.010001")) == 0
    assert size(levels(("0.50", "10")), levels(("0.48", "10")), cost_buffer=usd("0.01")) == shares("10")
    assert size(levels(("0.50", "10")), levels(("0.48", "10")), cost_buffer=usd("0.010001")) == 0


def test_fees_end_the_walk_where_they_eat_the_edge() -> None:
    yes, no = levels(("0.40", "10"), ("0.46", "10")), levels(("0.50", "100"))

    assert size(yes, no) == shares("20")
    assert size(yes, no, fees=fee_schedule("0.07")) == shares("10")


def test_more_than_two_legs_are_walked_together() -> None:
    no_basket = [levels(("0.60", "50")), levels(("0.65", "40")), levels(("0.70", "30"))]

    assert size(*no_basket, payout=usd("2")) == shares("30")
