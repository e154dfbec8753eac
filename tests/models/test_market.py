"""Price grids: a BUY limit never pays more than asked for, a SELL limit never takes less, and both lie on a tick."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.market import Outcome, PriceBand, linear_grid
from models.money import MICRO, PriceMicros
from tests.factories import a_market, price

CENT = linear_grid(price("0.01"))
DECI_TAPERED = (
    PriceBand(price("0"), price("0.1"), price("0.001")),
    PriceBand(price("0.1"), price("0.9"), price("0.01")),
    PriceBand(price("0.9"), price("1"), price("0.001")),
)
ODD_END = (PriceBand(price("0"), price("0.095"), price("0.01")), PriceBand(price("0.1"), price("1"), price("0.05")))
GRIDS = st.sampled_from([CENT, DECI_TAPERED, ODD_END, linear_grid(price("0.0025"))])
ANY_PRICE = st.integers(min_value=-MICRO, max_value=2 * MICRO).map(PriceMicros)


def on_grid_brute(bands: tuple[PriceBand, ...]) -> list[int]:
    return sorted(
        {p for band in bands for p in range(band.start, band.end + 1, band.step) if 0 < p < MICRO},
    )


@given(GRIDS, ANY_PRICE)
def test_rounding_finds_the_nearest_grid_price_on_the_right_side(
    bands: tuple[PriceBand, ...], wanted: PriceMicros
) -> None:
    market = a_market(price_bands=bands)
    grid = on_grid_brute(bands)

    assert market.price_rounded_down(wanted) == max((p for p in grid if p <= wanted), default=None)
    assert market.price_rounded_up(wanted) == min((p for p in grid if p >= wanted), default=None)


@given(GRIDS, ANY_PRICE)
def test_what_rounding_gives_is_on_the_grid(bands: tuple[PriceBand, ...], wanted: PriceMicros) -> None:
    market = a_market(price_bands=bands)

    for rounded in (market.price_rounded_down(wanted), market.price_rounded_up(wanted)):
        assert rounded is None or market.on_grid(rounded)


@given(GRIDS, ANY_PRICE)
def test_a_price_is_on_the_grid_exactly_when_rounding_leaves_it_alone(
    bands: tuple[PriceBand, ...], wanted: PriceMicros
) -> None:
    market = a_market(price_bands=bands)

    assert market.on_grid(wanted) == (market.price_rounded_down(wanted) == wanted)
    assert market.on_grid(wanted) == (market.price_rounded_up(wanted) == wanted)


def test_a_limit_beyond_a_dollar_is_the_highest_price_not_no_price() -> None:
    market = a_market()

    assert market.price_rounded_down(price("1")) == price("0.99")
    assert market.price_rounded_down(price("1.7")) == price("0.99")
    assert market.price_rounded_up(price("0")) == price("0.01")


def test_nothing_lies_below_the_lowest_or_above_the_highest_tick() -> None:
    market = a_market()

    assert market.price_rounded_down(price("0.009999")) is None
    assert market.price_rounded_up(price("0.990001")) is None


@pytest.mark.parametrize("at", ["0", "1", "0.015", "-0.01"])
def test_zero_one_and_prices_between_ticks_are_off_the_grid(at: str) -> None:
    assert not a_market().on_grid(price(at))


def test_the_finer_step_counts_where_two_bands_meet() -> None:
    market = a_market(price_bands=DECI_TAPERED)

    assert market.tick_at(price("0.05")) == price("0.001")
    assert market.tick_at(price("0.1")) == price("0.001")
    assert market.tick_at(price("0.5")) == price("0.01")
    assert market.tick_at(price("0.95")) == price("0.001")


def test_each_outcome_has_the_other_and_its_own_instrument() -> None:
    market = a_market("m")

    assert [Outcome.YES.other, Outcome.NO.other] == [Outcome.NO, Outcome.YES]
    assert [market.instrument(outcome) for outcome in Outcome] == ["m-yes", "m-no"]
