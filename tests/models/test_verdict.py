"""Only a gap against which nothing speaks is real; what speaks against it is named, all of it, in a fixed order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.book import TopOfBook
from models.clock import MS, SECOND, BootNs
from models.market import BookModel, MarketId, Outcome
from models.sets import SetLeg
from models.verdict import VERDICT_OF_DOUBT, Doubt, FreshnessLimits, Verdict, doubts, verdict_of
from tests.factories import EXCHANGE_MS, a_top, limits
from tests.fakes import START_BOOT

PAIR = (SetLeg(MarketId("m"), Outcome.YES), SetLeg(MarketId("m"), Outcome.NO))
ACROSS = (SetLeg(MarketId("a"), Outcome.YES), SetLeg(MarketId("b"), Outcome.NO))
SEPARATE, UNIFIED = BookModel.SEPARATE, BookModel.UNIFIED


def of_pair(
    top: TopOfBook, *, model: BookModel = SEPARATE, now: int = START_BOOT, within: FreshnessLimits | None = None
) -> tuple[Doubt, ...]:
    return doubts(PAIR, (top, top), (model, model), within or limits(), BootNs(now))


def across(first: TopOfBook, second: TopOfBook, *, models: tuple[BookModel, ...] = (SEPARATE, SEPARATE)) -> Any:
    return doubts(ACROSS, (first, second), models, limits(), START_BOOT)


def test_nothing_speaks_against_a_fresh_uncrossed_intact_and_confirmed_top() -> None:
    assert of_pair(a_top()) == ()
    assert of_pair(a_top(), model=UNIFIED) == ()
    assert verdict_of(()) is Verdict.REAL


@pytest.mark.parametrize("sides", [{"yes_bid": "0.47"}, {"no_bid": "0.50"}])
def test_a_crossed_book_is_between_two_states(sides: dict[str, Any]) -> None:
    assert of_pair(a_top(**sides)) == (Doubt.CROSSED,)


def test_a_book_that_is_not_intact_is_half_updated() -> None:
    assert of_pair(a_top(intact=False)) == (Doubt.HALF_UPDATE,)


@pytest.mark.parametrize(("age_ns", "stale"), [(0, False), (5 * SECOND, False), (5 * SECOND + 1, True)])
def test_a_leg_is_stale_once_its_evidence_is_older_than_the_limit(age_ns: int, stale: bool) -> None:
    assert of_pair(a_top(), now=START_BOOT + age_ns) == ((Doubt.STALE,) if stale else ())


@pytest.mark.parametrize(("lag_ms", "stale"), [(None, False), (2_000, False), (2_001, True)])
def test_evidence_that_was_old_when_it_came_is_stale(lag_ms: int | None, stale: bool) -> None:
    assert of_pair(a_top(lag_ms=lag_ms)) == ((Doubt.STALE,) if stale else ())


def test_a_quiet_market_is_fresh_as_long_as_something_proves_it_current() -> None:
    quiet = a_top(received_at=BootNs(1), evidence_at=START_BOOT)

    assert of_pair(quiet) == ()


def test_the_outcomes_of_one_market_must_be_of_one_exchange_instant() -> None:
    assert of_pair(a_top(no_as_of_ms=EXCHANGE_MS + 1)) == (Doubt.SKEW,)
    assert of_pair(a_top(yes_as_of_ms=EXCHANGE_MS - 1)) == (Doubt.SKEW,)


@pytest.mark.parametrize("known", [None, EXCHANGE_MS])
def test_an_unknown_instant_is_nobodys_instant(known: int | None) -> None:
    assert of_pair(a_top(yes_as_of_ms=None, no_as_of_ms=known)) == (Doubt.SKEW,)
    assert of_pair(a_top(yes_as_of_ms=known, no_as_of_ms=None)) == (Doubt.SKEW,)


@pytest.mark.parametrize(("apart_ms", "skewed"), [(0, False), (500, False), (501, True), (-500, False), (-501, True)])
def test_legs_of_two_markets_are_compared_by_their_evidence_not_by_their_last_change(
    apart_ms: int, skewed: bool
) -> None:
    here = a_top("a", yes_as_of_ms=1, no_as_of_ms=1)
    there = a_top("b", evidence_at=BootNs(START_BOOT + apart_ms * MS))

    assert across(here, there) == ((Doubt.SKEW,) if skewed else ())
    assert across(there, here) == ((Doubt.SKEW,) if skewed else ())


def test_the_whole_set_is_skewed_by_any_two_of_its_legs() -> None:
    legs = tuple(SetLeg(MarketId(m), Outcome.NO) for m in "abc")
    tops = [a_top(m, evidence_at=BootNs(START_BOOT + ms * MS)) for m, ms in (("a", 0), ("b", 400), ("c", 800))]

    assert doubts(legs, tops, [SEPARATE] * 3, limits(), BootNs(START_BOOT + SECOND)) == (Doubt.SKEW,)


def test_a_gap_on_a_unified_book_waits_for_a_snapshot() -> None:
    moved = a_top(confirmed=False)

    assert of_pair(moved, model=UNIFIED) == (Doubt.UNCONFIRMED,)
    assert of_pair(moved, model=SEPARATE) == ()
    assert of_pair(moved, model=UNIFIED, within=limits(confirm_unified=False)) == ()


def test_one_unified_leg_of_two_is_enough_to_wait_for() -> None:
    assert across(a_top("a"), a_top("b", confirmed=False), models=(SEPARATE, UNIFIED)) == (Doubt.UNCONFIRMED,)
    assert across(a_top("a", confirmed=False), a_top("b"), models=(SEPARATE, UNIFIED)) == ()


@pytest.mark.parametrize("bad", [0, 1])
@pytest.mark.parametrize(
    ("fault", "doubt"),
    [
        ({"yes_bid": "0.99"}, Doubt.CROSSED),
        ({"intact": False}, Doubt.HALF_UPDATE),
        ({"lag_ms": 9_999}, Doubt.STALE),
        ({"confirmed": False}, Doubt.UNCONFIRMED),
    ],
)
def test_one_bad_leg_makes_the_set_doubtful_whichever_it_is(bad: int, fault: dict[str, Any], doubt: Doubt) -> None:
    tops = [a_top("a"), a_top("b")]
    tops[bad] = a_top("ab"[bad], **fault)

    assert across(tops[0], tops[1], models=(UNIFIED, UNIFIED)) == (doubt,)


def test_everything_that_speaks_against_a_gap_is_named_in_order() -> None:
    worst = a_top(yes_bid="0.99", intact=False, lag_ms=9_999, no_as_of_ms=None, confirmed=False)

    found = of_pair(worst, model=UNIFIED)

    assert found == tuple(Doubt)
    assert verdict_of(found) is Verdict.CROSSED


@given(st.lists(st.sampled_from(Doubt), min_size=1, unique=True))
def test_the_verdict_is_that_of_the_first_doubt_and_never_real(found: list[Doubt]) -> None:
    assert verdict_of(found) is VERDICT_OF_DOUBT[found[0]]
    assert verdict_of(found) is not Verdict.REAL


def test_every_doubt_has_a_verdict_and_an_unconfirmed_gap_counts_as_stale_data() -> None:
    assert set(VERDICT_OF_DOUBT) == set(Doubt)
    assert VERDICT_OF_DOUBT[Doubt.UNCONFIRMED] is Verdict.STALE
