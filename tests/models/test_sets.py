"""A set is watched only if its payout is proved: by its structure, the venue's own facts, or the operator's word."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.market import MarketId, Outcome, SetId, VenueName
from models.money import MicroShares, MicroUsd
from models.sets import CompleteSet, NotCompleteError, SetKind, SetLeg, binary_set, certain_payout, common_lot, prove
from tests.factories import a_market, shares, usd

Y, N = Outcome.YES, Outcome.NO
WORD = "the rule-books were compared on 2026-11-20"


def legs(*pairs: tuple[str, Outcome]) -> tuple[SetLeg, ...]:
    return tuple(SetLeg(MarketId(market), outcome) for market, outcome in pairs)


def a_set(kind: SetKind, of: tuple[SetLeg, ...], payout: str = "1", attestation: str = "") -> CompleteSet:
    return CompleteSet(set_id=SetId("s"), kind=kind, legs=of, payout=usd(payout), attestation=attestation)


def markets(*names: str, **facts: Any) -> dict[MarketId, Any]:
    return {MarketId(name): a_market(name, **facts) for name in names}


GOOD_LEGS = {
    SetKind.BINARY: legs(("a", Y), ("a", N)),
    SetKind.YES_BASKET: legs(("a", Y), ("b", Y), ("c", Y)),
    SetKind.NO_BASKET: legs(("a", N), ("b", N), ("c", N)),
    SetKind.CROSS_VENUE: legs(("a", Y), ("b", N)),
    SetKind.NESTED: legs(("a", Y), ("b", N)),
}


@pytest.mark.parametrize(
    ("kind", "of", "payout"),
    [
        (SetKind.BINARY, legs(("a", Y), ("a", N)), "1"),
        (SetKind.BINARY, legs(("a", N), ("a", Y)), "1"),
        (SetKind.YES_BASKET, legs(("a", Y), ("b", Y)), "1"),
        (SetKind.YES_BASKET, legs(*((m, Y) for m in "abcdefgh")), "1"),
        (SetKind.NO_BASKET, legs(("a", N), ("b", N)), "1"),
        (SetKind.NO_BASKET, legs(("a", N), ("b", N), ("c", N)), "2"),
        (SetKind.NO_BASKET, legs(*((m, N) for m in "abcdefgh")), "7"),
        (SetKind.CROSS_VENUE, legs(("a", Y), ("b", N)), "1"),
        (SetKind.NESTED, legs(("low", Y), ("high", N)), "1"),
    ],
)
def test_each_kind_pays_what_its_structure_proves(kind: SetKind, of: tuple[SetLeg, ...], payout: str) -> None:
    assert certain_payout(kind, of) == usd(payout)


@pytest.mark.parametrize(
    ("kind", "of"),
    [
        (kind, of)
        for kind, of in product(
            SetKind,
            [
                (),
                legs(("a", Y)),
                legs(("a", N)),
                legs(("a", Y), ("a", Y)),
                legs(("a", N), ("b", N), ("b", N)),
                legs(("a", Y), ("b", Y), ("b", N)),
                legs(("a", Y), ("a", N), ("b", Y)),
                legs(("a", Y), ("b", N), ("c", N)),
            ],
        )
    ]
    + [
        (SetKind.BINARY, legs(("a", Y), ("b", N))),
        (SetKind.YES_BASKET, legs(("a", Y), ("b", N))),
        (SetKind.YES_BASKET, legs(("a", N), ("b", N))),
        (SetKind.NO_BASKET, legs(("a", Y), ("b", Y))),
        (SetKind.NO_BASKET, legs(("a", Y), ("a", N))),
        (SetKind.CROSS_VENUE, legs(("a", Y), ("a", N))),
        (SetKind.CROSS_VENUE, legs(("a", Y), ("b", Y))),
        (SetKind.NESTED, legs(("a", N), ("b", N))),
    ],
)
def test_legs_that_do_not_fit_the_kind_prove_nothing(kind: SetKind, of: tuple[SetLeg, ...]) -> None:
    with pytest.raises(NotCompleteError):
        certain_payout(kind, of)


LEG = st.builds(SetLeg, st.sampled_from([MarketId(m) for m in "abcd"]), st.sampled_from(Outcome))


@given(st.sampled_from(SetKind), st.lists(LEG, max_size=5))
def test_what_is_called_certain_is_paid_in_every_possible_world(kind: SetKind, of: list[SetLeg]) -> None:
    """The table of models/sets.py against every resolution that the kind allows."""
    try:
        payout = certain_payout(kind, of)
    except NotCompleteError:
        return
    names = sorted({leg.market_id for leg in of})

    for resolved in product(Outcome, repeat=len(names)):
        world = dict(zip(names, resolved, strict=True))
        yes = [m for m in names if world[m] is Y]
        possible = {
            SetKind.BINARY: True,
            SetKind.YES_BASKET: len(yes) >= 1,  # exhaustive
            SetKind.NO_BASKET: len(yes) <= 1,  # mutually exclusive
            SetKind.CROSS_VENUE: len(set(resolved)) == 1,  # the same question twice
            # "Above high" implies "above low": the YES leg is the lower threshold.
            SetKind.NESTED: not (
                any(world[leg.market_id] is Y for leg in of if leg.outcome is N)
                and any(world[leg.market_id] is N for leg in of if leg.outcome is Y)
            ),
        }[kind]
        if possible:
            paid = sum(1_000_000 for leg in of if world[leg.market_id] is leg.outcome)
            assert paid >= payout


@pytest.mark.parametrize("kind", [SetKind.YES_BASKET, SetKind.CROSS_VENUE, SetKind.NESTED])
@pytest.mark.parametrize("word", ["", "   ", "\n"])
def test_what_no_venue_field_proves_needs_the_operators_word(kind: SetKind, word: str) -> None:
    known = {**markets("a", "c"), **markets("b", venue=VenueName("elsewhere"))}

    prove(a_set(kind, GOOD_LEGS[kind], attestation=WORD), known)
    with pytest.raises(NotCompleteError, match="attestation"):
        prove(a_set(kind, GOOD_LEGS[kind], attestation=word), known)


def test_yes_and_no_of_one_market_need_no_word() -> None:
    prove(binary_set(MarketId("a")), markets("a"))


def test_a_no_basket_of_one_exclusive_event_needs_no_word() -> None:
    basket = a_set(SetKind.NO_BASKET, GOOD_LEGS[SetKind.NO_BASKET], payout="2")

    prove(basket, markets("a", "b", "c", event_id="e", mutually_exclusive=True))


@pytest.mark.parametrize(
    "known",
    [
        markets("a", "b", "c"),
        markets("a", "b", "c", mutually_exclusive=True),
        markets("a", "b", "c", event_id="e"),
        {**markets("a", "b", event_id="e", mutually_exclusive=True), **markets("c", event_id="e")},
        {
            **markets("a", "b", event_id="e", mutually_exclusive=True),
            **markets("c", event_id="f", mutually_exclusive=True),
        },
        {
            **markets("a", "b", event_id="e", mutually_exclusive=True),
            **markets("c", event_id="e", mutually_exclusive=True, venue=VenueName("elsewhere")),
        },
    ],
    ids=["no event", "no event id", "not exclusive", "one not exclusive", "two events", "the same id of two venues"],
)
def test_a_no_basket_that_its_venue_does_not_call_exclusive_needs_a_word(known: dict[MarketId, Any]) -> None:
    of = GOOD_LEGS[SetKind.NO_BASKET]

    prove(a_set(SetKind.NO_BASKET, of, payout="2", attestation=WORD), known)
    with pytest.raises(NotCompleteError, match="mutually exclusive"):
        prove(a_set(SetKind.NO_BASKET, of, payout="2"), known)


@pytest.mark.parametrize("kind", SetKind)
def test_no_claim_may_exceed_what_the_structure_proves_whatever_is_attested(kind: SetKind) -> None:
    known = {
        **markets("a", "c", event_id="e", mutually_exclusive=True),
        **markets("b", event_id="e", mutually_exclusive=True, venue=VenueName("elsewhere")),
    }
    least = certain_payout(kind, GOOD_LEGS[kind])
    greedy = CompleteSet(
        set_id=SetId("s"), kind=kind, legs=GOOD_LEGS[kind], payout=MicroUsd(least + 1), attestation=WORD
    )
    modest = CompleteSet(
        set_id=SetId("s"), kind=kind, legs=GOOD_LEGS[kind], payout=MicroUsd(least - 1), attestation=WORD
    )

    prove(modest, known)
    with pytest.raises(NotCompleteError, match="structure proves"):
        prove(greedy, known)


def test_a_cross_venue_set_within_one_venue_is_refused() -> None:
    with pytest.raises(NotCompleteError, match="two venues"):
        prove(a_set(SetKind.CROSS_VENUE, legs(("a", Y), ("b", N)), attestation=WORD), markets("a", "b"))


@pytest.mark.parametrize("kind", SetKind)
def test_a_market_that_the_catalog_does_not_know_is_refused(kind: SetKind) -> None:
    with pytest.raises(NotCompleteError, match="unknown market"):
        prove(a_set(kind, GOOD_LEGS[kind], attestation=WORD), {})


def test_a_market_with_two_legs_is_named_once() -> None:
    assert binary_set(MarketId("a")).market_ids == ("a",)
    assert a_set(SetKind.YES_BASKET, legs(("b", Y), ("a", Y))).market_ids == ("b", "a")


@given(st.lists(st.integers(min_value=1, max_value=10**7), min_size=1, max_size=5))
def test_the_common_lot_is_the_smallest_size_that_every_market_takes(sizes: list[int]) -> None:
    lot = common_lot([a_market(lot=MicroShares(size)) for size in sizes])

    assert all(lot % size == 0 for size in sizes)
    assert not any(
        all((lot // divisor) % size == 0 for size in sizes) for divisor in (2, 3, 5, 7) if lot % divisor == 0
    )


def test_whole_contracts_and_hundredths_meet_at_whole_contracts() -> None:
    assert common_lot([a_market(lot=shares("1")), a_market(lot=shares("0.01"))]) == shares("1")
