"""Which markets stand alone: nobody compares the age of their books with that of another."""

from __future__ import annotations

from models.market import MarketId, Outcome, SetId
from models.money import MICRO, MicroUsd
from models.sets import CompleteSet, SetKind, SetLeg, binary_set
from models.terms import markets_alone

A, B, C = MarketId("a"), MarketId("b"), MarketId("c")


def test_a_market_with_its_own_set_only_stands_alone() -> None:
    assert markets_alone([binary_set(A), binary_set(B)]) == {A, B}


def test_a_market_that_is_also_a_leg_of_a_basket_does_not() -> None:
    legs = (SetLeg(B, Outcome.NO), SetLeg(C, Outcome.NO))
    basket = CompleteSet(set_id=SetId("basket"), kind=SetKind.NO_BASKET, legs=legs, payout=MicroUsd(MICRO))

    assert markets_alone([binary_set(A), binary_set(B), basket]) == {A}
