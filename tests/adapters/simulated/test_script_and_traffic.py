"""The script of events and the crowd: known gaps, no others, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from itertools import islice, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.simulated.catalog import market_list
from adapters.simulated.engine import Exchange
from adapters.simulated.script import GapKind, ScriptedGap, script
from adapters.simulated.traffic import Crowd
from models.book import NO_ASK, YES_ASK
from models.clock import MS, SECOND
from models.market import BookModel, Market, MarketId, Outcome
from models.money import MICRO

START = 1_795_334_400 * SECOND
MARKETS = market_list(6, BookModel.SEPARATE, START)


def a_crowd(seed: int = 7, markets: list[Market] = MARKETS) -> tuple[Exchange, Crowd]:
    exchange = Exchange()
    for market in markets:
        exchange.list_market(market)
    return exchange, Crowd(exchange, markets, seed, START)


def sums_of_asks(exchange: Exchange) -> dict[str, int]:
    """Cost of every set of the default catalog at the best asks, minus its payout: negative is a gap."""
    listings = exchange.listings
    sums = {}
    for market_id in ("fed-cut-dec", "btc-100k-dec", "cpi-above-3-nov"):
        listing = listings[MarketId(market_id)]
        sums[market_id] = (listing.best(YES_ASK) or MICRO) + (listing.best(NO_ASK) or MICRO) - MICRO
    cup = [listings[MarketId(f"cup-{name}")] for name in ("lions", "tigers", "bears")]
    sums["yes"] = sum(listing.best(YES_ASK) or MICRO for listing in cup) - MICRO
    sums["no"] = sum(listing.best(NO_ASK) or MICRO for listing in cup) - 2 * MICRO
    return sums


@given(st.integers(0, 2**31))
def test_the_script_is_a_function_of_the_seed_and_rises_in_time(seed: int) -> None:
    gaps = list(islice(script(MARKETS, seed), 60))

    assert gaps == list(islice(script(MARKETS, seed), 60))
    assert gaps == sorted(gaps, key=lambda gap: gap.at_ms)
    assert gaps[0].kind is GapKind.GOOD


@given(st.integers(0, 2**31))
def test_gaps_of_one_market_never_overlap(seed: int) -> None:
    ends: dict[MarketId, int] = {}
    for gap in islice(script(MARKETS, seed), 100):
        for market_id in gap.markets:
            assert gap.at_ms >= ends.get(market_id, 0)
            ends[market_id] = gap.at_ms + gap.life_ms


@given(st.integers(0, 2**31))
def test_every_kind_of_gap_shows_within_ninety_seconds(seed: int) -> None:
    early = takewhile(lambda gap: gap.at_ms < 90_000, script(MARKETS, seed))

    kinds = Counter(gap.kind for gap in early)

    assert set(kinds) >= set(GapKind) - {GapKind.AGAIN}
    assert kinds[GapKind.GOOD] >= 10


def test_two_seeds_have_two_scripts() -> None:
    assert list(islice(script(MARKETS, 1), 10)) != list(islice(script(MARKETS, 2), 10))


def test_where_no_set_can_gap_there_is_no_script() -> None:
    assert list(script(market_list(2, BookModel.UNIFIED, START), 1)) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_outside_the_script_no_set_costs_less_than_it_pays_and_inside_it_exactly_what_the_script_says(
    seed: int,
) -> None:
    exchange, crowd = a_crowd(seed)
    open_gaps: list[tuple[int, ScriptedGap]] = []

    for step in range(3_000):
        now = START + step * 20 * MS
        open_gaps = [(end, gap) for end, gap in open_gaps if end > now]
        open_gaps += [(now + gap.life_ms * MS, gap) for gap in crowd.follow_script(now)]
        crowd.step(now)

        expected = {name_of(gap): -gap.edge for _, gap in open_gaps}
        gaps = {name: value for name, value in sums_of_asks(exchange).items() if value < 0}
        assert gaps == expected

    assert exchange.audit() == []


def test_a_gap_has_the_depth_that_the_script_says() -> None:
    exchange, crowd = a_crowd()
    seen: Counter[GapKind] = Counter()

    for step in range(4_500):
        now = START + step * 20 * MS
        for gap in crowd.follow_script(now):
            for market_id, outcome, size in zip(markets_of(gap), gap.outcomes, gap.sizes, strict=True):
                listing = exchange.listings[market_id]
                asks = listing.levels(YES_ASK if outcome is Outcome.YES else NO_ASK)
                assert asks[0][1] == size
            seen[gap.kind] += 1
        crowd.step(now)

    assert set(seen) == set(GapKind)


def test_the_same_seed_walks_the_same_way() -> None:
    def walk() -> list[object]:
        exchange, crowd = a_crowd()
        for step in range(500):
            crowd.follow_script(START + step * 20 * MS)
            crowd.step(START + step * 20 * MS)
        return list(exchange.drain())

    assert walk() == walk()


def test_the_middles_of_an_exclusive_event_add_up_to_a_dollar() -> None:
    exchange, crowd = a_crowd()
    for step in range(2_000):
        crowd.step(START + step)

    middles = [exchange.listings[MarketId(f"cup-{name}")].best(YES_ASK) or 0 for name in ("lions", "tigers", "bears")]

    assert sum(middles) == MICRO + 3 * 10_000, "each best ask lies one tick above its middle"


def name_of(gap: ScriptedGap) -> str:
    return {GapKind.YES_BASKET: "yes", GapKind.NO_BASKET: "no"}.get(gap.kind, gap.markets[0])


def markets_of(gap: ScriptedGap) -> tuple[MarketId, ...]:
    return gap.markets * 2 if len(gap.markets) == 1 else gap.markets
