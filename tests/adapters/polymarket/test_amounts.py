"""The venue's rounding: published amounts, and the promise that our legs are equal in shares at every tick."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.polymarket.amounts import (
    CENT,
    PRICE_PLACES,
    Amounts,
    InexactOrderError,
    exact_amounts,
    taker_lot,
)
from models.market import Action
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros, parse_micros
from models.orders import TimeInForce
from tests.adapters.polymarket.sdk_rounding import limit_amounts, market_buy_amounts

TICKS = sorted(PRICE_PLACES)
ticks = st.sampled_from(TICKS).map(PriceMicros)


@st.composite
def on_grid(draw: st.DrawFn) -> tuple[PriceMicros, PriceMicros]:
    """(tick, a price of its grid)"""
    tick = draw(ticks)
    return tick, PriceMicros(tick * draw(st.integers(1, MICRO // tick - 1)))


@pytest.mark.parametrize(
    ("action", "size", "price", "tick", "maker", "taker"),
    [
        (Action.BUY, "21.04", "0.56", "0.01", 11_782_400, 21_040_000),
        (Action.SELL, "21.04", "0.56", "0.01", 21_040_000, 11_782_400),
        (Action.BUY, "12.345", "0.123", "0.001", 1_517_820, 12_340_000),
        (Action.BUY, "1.999", "0.5", "0.1", 995_000, 1_990_000),
        (Action.BUY, "333.33", "0.0377", "0.0001", 12_566_541, 333_330_000),
        (Action.SELL, "100.5", "0.005", "0.005", 100_500_000, 502_500),
        (Action.BUY, "200.02", "0.0025", "0.0025", 500_050, 200_020_000),
        (Action.SELL, "15.5555", "0.56", "0.01", 15_550_000, 8_708_000),
        (Action.SELL, "7.77", "0.999", "0.001", 7_770_000, 7_762_230),
    ],
)
def test_orders_in_shares_are_rounded_as_published(
    action: Action, size: str, price: str, tick: str, maker: int, taker: int
) -> None:
    shares, at, step = (
        MicroShares(parse_micros(size)),
        PriceMicros(parse_micros(price)),
        PriceMicros(parse_micros(tick)),
    )
    assert limit_amounts(action, shares, at, step) == Amounts(maker, taker)


@pytest.mark.parametrize(
    ("dollars", "price", "tick", "maker", "taker"),
    [
        ("100", "0.56", "0.01", 100_000_000, 178_571_400),
        ("10.999", "0.57", "0.01", 10_990_000, 19_280_700),
        ("50", "0.123", "0.001", 50_000_000, 406_504_060),
        ("25", "0.0377", "0.0001", 25_000_000, 663_129_973),
    ],
)
def test_orders_in_dollars_are_rounded_as_published(
    dollars: str, price: str, tick: str, maker: int, taker: int
) -> None:
    amounts = market_buy_amounts(
        MicroUsd(parse_micros(dollars)), PriceMicros(parse_micros(price)), PriceMicros(parse_micros(tick))
    )
    assert amounts == Amounts(maker, taker)


@pytest.mark.parametrize(
    ("tick", "shares"),
    [("0.1", "0.1"), ("0.01", "1"), ("0.005", "2"), ("0.0025", "4"), ("0.001", "10"), ("0.0001", "100")],
)
def test_the_lot_of_a_taker_is_the_published_one(tick: str, shares: str) -> None:
    assert taker_lot(PriceMicros(parse_micros(tick))) == parse_micros(shares)


@pytest.mark.parametrize("tick", TICKS)
def test_the_lot_of_a_taker_is_the_smallest_that_works_at_every_price(tick: int) -> None:
    def works(lot: int) -> bool:
        return all(price * lot % (CENT * MICRO) == 0 for price in range(tick, MICRO, tick))

    lot = taker_lot(PriceMicros(tick))
    assert works(lot)
    assert not any(works(smaller) for smaller in range(CENT, lot, CENT))


@given(on_grid(), st.integers(1, 5_000), st.sampled_from(TimeInForce))
@settings(max_examples=300)
def test_whole_lots_of_every_leg_buy_exactly_what_was_intended(
    grid: tuple[PriceMicros, PriceMicros], lots: int, force: TimeInForce
) -> None:
    tick, price = grid
    size = MicroShares(taker_lot(tick) * lots)
    amounts = exact_amounts(Action.BUY, size, price, force)
    assert amounts.taker == size
    assert amounts == market_buy_amounts(MicroUsd(amounts.maker), price, tick)
    assert amounts == limit_amounts(Action.BUY, size, price, tick)
    assert Fraction(amounts.maker, amounts.taker) == Fraction(price, MICRO), "the limit that the engine derives"


@given(on_grid(), st.integers(1, 1_000_000), st.sampled_from(TimeInForce))
@settings(max_examples=300)
def test_every_sale_in_hundredths_is_exact(
    grid: tuple[PriceMicros, PriceMicros], hundredths: int, force: TimeInForce
) -> None:
    tick, price = grid
    size = MicroShares(hundredths * CENT)
    assert exact_amounts(Action.SELL, size, price, force) == limit_amounts(Action.SELL, size, price, tick)


@given(on_grid(), st.integers(1, 10**12), st.sampled_from(Action), st.sampled_from(TimeInForce))
@settings(max_examples=300)
def test_an_order_is_what_was_intended_or_it_is_not_made(
    grid: tuple[PriceMicros, PriceMicros], size: int, action: Action, force: TimeInForce
) -> None:
    _, price = grid
    try:
        amounts = exact_amounts(action, MicroShares(size), price, force)
    except InexactOrderError:
        fractions_of_a_cent = price * size % (CENT * MICRO) != 0
        assert size % CENT or (fractions_of_a_cent and action is Action.BUY and force is not TimeInForce.GTC)
        return
    shares, dollars = (amounts.taker, amounts.maker) if action is Action.BUY else (amounts.maker, amounts.taker)
    assert shares == size
    assert dollars * MICRO == price * size


@given(on_grid(), st.integers(1, 10**13))
@settings(max_examples=300)
def test_dollars_become_shares_as_the_sdk_rounds_decimals(grid: tuple[PriceMicros, PriceMicros], dollars: int) -> None:
    """The same rule written with Decimal, as the SDK has it: up to four more decimals, then down."""
    tick, price = grid
    places = PRICE_PLACES[tick] + 2
    spent = Decimal(dollars // CENT * CENT) / MICRO
    exact = Fraction(spent) / Fraction(price, MICRO)
    guarded = _quantized(exact, places + 4, ROUND_CEILING)
    expected = guarded.quantize(Decimal(1).scaleb(-places), ROUND_FLOOR)
    found = market_buy_amounts(MicroUsd(dollars), price, tick)
    assert (found.maker, found.taker) == (spent * MICRO, expected * MICRO)


def _quantized(value: Fraction, places: int, rounding: str) -> Decimal:
    scaled = value * 10**places
    whole = scaled.numerator // scaled.denominator
    if rounding == ROUND_CEILING and scaled.denominator != 1:
        whole += 1
    return Decimal(whole).scaleb(-places)


@pytest.mark.parametrize(
    ("size", "price", "why"),
    [
        ("0.005", "0.5", "more than two decimals"),
        ("3.27", "0.45", "no whole cents"),
        ("15", "0.123", "no whole cents"),
        ("0", "0.5", "more than two decimals"),
    ],
)
def test_a_purchase_that_cannot_be_exact_says_why(size: str, price: str, why: str) -> None:
    with pytest.raises(InexactOrderError, match=why):
        exact_amounts(Action.BUY, MicroShares(parse_micros(size)), PriceMicros(parse_micros(price)), TimeInForce.IOC)
