"""Fees: every figure that the venues publish, and the shape of the curve."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fees import NO_FEES, FeeSchedule, taker_fee
from models.money import MICRO, MicroShares, PriceMicros
from tests.factories import fee_schedule, price, shares, usd

POLYMARKET_QUANTUM = "0.00001"
KALSHI_DIRECT = "0.0001"
KALSHI_CLEARED = "0.01"

SCHEDULES = st.builds(
    fee_schedule,
    st.sampled_from(["0", "0.0175", "0.035", "0.04", "0.05", "0.07", "1"]),
    quantum=st.sampled_from(["0.000001", POLYMARKET_QUANTUM, KALSHI_DIRECT, KALSHI_CLEARED]),
    exponent=st.sampled_from([0, 1, 2]),
)
PRICES = st.integers(min_value=1, max_value=MICRO - 1).map(PriceMicros)
SIZES = st.integers(min_value=0, max_value=10**12).map(MicroShares)


@pytest.mark.parametrize(
    ("size", "at", "rate", "fee"),
    [
        # Polymarket fees page, table of peaks per 100 shares at 0.50, by category (read 2026-11-22).
        ("100", "0.50", "0.07", "1.75"),  # crypto
        ("100", "0.50", "0.05", "1.25"),  # sports since 2026-07-10, economics, culture, weather, other
        ("100", "0.50", "0.04", "1.00"),  # finance, politics, mentions, tech
        ("100", "0.50", "0", "0"),  # geopolitics
        # Worked examples derived from the same page, five decimals.
        ("100", "0.10", "0.05", "0.45000"),
        ("100", "0.97", "0.05", "0.14550"),
        ("1", "0.01", "0.04", "0.00040"),  # exactly 0.000396
        # The table has 0.08884 here, to the nearest; the page names no direction, so a decision reckons upwards.
        ("10", "0.333", "0.04", "0.08885"),  # exactly 0.0888444
    ],
)
def test_polymarket_charges_what_its_table_says(size: str, at: str, rate: str, fee: str) -> None:
    assert taker_fee(fee_schedule(rate, quantum=POLYMARKET_QUANTUM), price(at), shares(size)) == usd(fee)


def test_a_recorded_polymarket_fill_was_charged_no_more_than_we_reckon_with() -> None:
    # On-chain sample: 580.677591 shares at 0.527058567 on average, rate 0.07, charged 10.132090.
    reckoned = taker_fee(fee_schedule("0.07", quantum=POLYMARKET_QUANTUM), price("0.527058"), shares("580.677591"))

    assert usd("10.132090") <= reckoned <= usd("10.132110")


@pytest.mark.parametrize(
    ("size", "at", "direct", "cleared"),
    [
        # Kalshi fee schedule of 2026-07-07 and fee-rounding page (October 2026), taker, multiplier 1.
        ("1", "0.50", "0.0175", "0.02"),
        ("10", "0.50", "0.1750", "0.18"),
        ("100", "0.45", "1.7325", "1.74"),
        ("1", "0.01", "0.0007", "0.01"),
        ("100", "0.50", "1.75", "1.75"),
        # Examples of the fee schedule itself, whole cents.
        ("1", "0.05", "0.0034", "0.01"),
        ("1", "0.25", "0.0132", "0.02"),
        ("100", "0.05", "0.3325", "0.34"),
        ("100", "0.10", "0.63", "0.63"),
        ("100", "0.25", "1.3125", "1.32"),
    ],
)
def test_kalshi_charges_what_its_table_says(size: str, at: str, direct: str, cleared: str) -> None:
    assert taker_fee(fee_schedule("0.07", quantum=KALSHI_DIRECT), price(at), shares(size)) == usd(direct)
    assert taker_fee(fee_schedule("0.07", quantum=KALSHI_CLEARED), price(at), shares(size)) == usd(cleared)


@pytest.mark.parametrize(
    ("at", "fee"),
    [
        ("0.01", "0.000693"),
        ("0.99", "0.000693"),
        ("0.05", "0.003325"),
        ("0.10", "0.0063"),
        ("0.25", "0.013125"),
        ("0.50", "0.0175"),
    ],
)
def test_kalshi_charges_each_contract_by_its_price(at: str, fee: str) -> None:
    assert taker_fee(fee_schedule("0.07"), price(at), shares("1")) == usd(fee)


@pytest.mark.parametrize(
    ("size", "at", "quantum", "charged"),
    [
        # Fee-rounding page: net fee of one order, the accumulator's rebates included.
        ("1", "0.055", KALSHI_DIRECT, "0.0037"),
        ("1", "0.055", KALSHI_CLEARED, "0.005"),
        ("3", "0.055", KALSHI_DIRECT, "0.0110"),
        ("3", "0.055", KALSHI_CLEARED, "0.015"),
        ("0.9", "0.50", KALSHI_DIRECT, "0.0158"),
        ("0.9", "0.50", KALSHI_CLEARED, "0.02"),
        ("0.09", "0.3301", KALSHI_DIRECT, "0.001491"),
        ("0.09", "0.3301", KALSHI_CLEARED, "0.010291"),
    ],
)
def test_kalshis_rounding_of_the_whole_cash_flow_adds_less_than_one_quantum(
    size: str, at: str, quantum: str, charged: str
) -> None:
    reckoned = taker_fee(fee_schedule("0.07", quantum=quantum), price(at), shares(size))

    assert usd(charged) < reckoned + usd(quantum)
    if price(at) * shares(size) % (usd(quantum) * MICRO) == 0:
        assert usd(charged) <= reckoned


@given(SCHEDULES, PRICES, SIZES)
def test_a_fee_is_the_exact_curve_rounded_up_to_the_quantum(
    schedule: FeeSchedule, at: PriceMicros, size: MicroShares
) -> None:
    p = Fraction(at, MICRO)
    exact = Fraction(schedule.rate_micros, MICRO) * size * (p * (1 - p)) ** schedule.exponent

    fee = taker_fee(schedule, at, size)

    assert fee % schedule.quantum == 0
    assert exact <= fee < exact + schedule.quantum


@given(SCHEDULES, PRICES, SIZES)
def test_yes_and_no_cost_the_same_fee(schedule: FeeSchedule, at: PriceMicros, size: MicroShares) -> None:
    assert taker_fee(schedule, at, size) == taker_fee(schedule, PriceMicros(MICRO - at), size)


@given(SCHEDULES, PRICES, SIZES, SIZES)
def test_a_larger_order_never_costs_less_and_splitting_one_never_saves(
    schedule: FeeSchedule, at: PriceMicros, size: MicroShares, more: MicroShares
) -> None:
    whole = taker_fee(schedule, at, MicroShares(size + more))

    assert whole >= taker_fee(schedule, at, size)
    assert whole <= taker_fee(schedule, at, size) + taker_fee(schedule, at, more)


@given(st.sampled_from(["0.04", "0.07"]), SIZES)
def test_no_price_costs_more_than_fifty_cents(rate: str, size: MicroShares) -> None:
    schedule = fee_schedule(rate)
    peak = taker_fee(schedule, price("0.50"), size)

    assert all(taker_fee(schedule, PriceMicros(at), size) <= peak for at in range(10_000, MICRO, 70_000))


@given(PRICES, SIZES)
def test_a_free_market_and_an_empty_order_cost_nothing(at: PriceMicros, size: MicroShares) -> None:
    assert taker_fee(NO_FEES, at, size) == 0
    assert taker_fee(fee_schedule("0.07", quantum=KALSHI_CLEARED), at, shares("0")) == 0
