"""The fee of each fill, to the micro-dollar: every vector of kalshi.md 9.2, and the documentation's own examples."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.kalshi.fees import OrderFees, Precision, fee_rate, maker_rate, model_fee
from models.fees import FeeSchedule, taker_fee
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros
from tests.factories import price, shares, usd

TAKER = fee_rate("quadratic", Decimal(1))

VECTORS = [
    # fills, count, price, then (net fee, balance change, fills with a rebate) for direct and cleared accounts
    (1, "1", "0.50", ("0.0175", "-0.5175", ()), ("0.02", "-0.52", ())),
    (1, "10", "0.50", ("0.1750", "-5.1750", ()), ("0.18", "-5.18", ())),
    (1, "100", "0.45", ("1.7325", "-46.7325", ()), ("1.74", "-46.74", ())),
    (1, "1", "0.01", ("0.0007", "-0.0107", ()), ("0.01", "-0.02", ())),
    (1, "1", "0.055", ("0.0037", "-0.0587", ()), ("0.005", "-0.06", ())),
    (3, "1", "0.055", ("0.0110", "-0.1760", (2,)), ("0.015", "-0.18", ())),
    (3, "0.30", "0.50", ("0.0158", "-0.4658", (2,)), ("0.02", "-0.47", (3,))),
    (3, "0.03", "0.3301", ("0.001491", "-0.0312", None), ("0.010291", "-0.04", (2, 3))),
]


@pytest.mark.parametrize("precision", list(Precision))
@pytest.mark.parametrize(("fills", "count", "at", "direct", "cleared"), VECTORS)
def test_every_vector_of_the_sheet(
    fills: int,
    count: str,
    at: str,
    direct: tuple[str, str, tuple[int, ...] | None],
    cleared: tuple[str, str, tuple[int, ...] | None],
    precision: Precision,
) -> None:
    net, change, rebates = direct if precision is Precision.DIRECT else cleared
    fees = OrderFees(precision)
    size, cost = shares(count), price(at) * shares(count) // MICRO

    charges = [fees.fill(-cost, model_fee(TAKER, price(at), size)) for _ in range(fills)]

    assert sum(charge.net_fee for charge in charges) == usd(net)
    assert sum(charge.balance_change for charge in charges) == usd(change)
    if rebates is not None:
        assert tuple(number for number, charge in enumerate(charges, 1) if charge.rebate) == rebates


def test_the_maker_of_a_series_with_maker_fees_pays_a_quarter() -> None:
    rate = maker_rate("quadratic_with_maker_fees", Decimal(1))

    for precision, net in ((Precision.DIRECT, "0.4375"), (Precision.CLEARED, "0.44")):
        charge = OrderFees(precision).fill(-usd("50"), model_fee(rate, price("0.50"), shares("100")))
        assert charge.net_fee == usd(net)
    assert maker_rate("quadratic", Decimal(1)) == 0
    assert maker_rate("quadratic_with_combo_maker_fees", Decimal(1)) == TAKER // 2


@pytest.mark.parametrize(
    ("count", "at", "trade_fee", "expected"),
    [
        # The documentation's examples for whole cents; their trade fees are given, not reckoned.
        (
            "1",
            "0.055",
            "0.0085",
            [
                ("0.0065", "0", "0.0150", "-0.07"),
                ("0.0065", "0.01", "0.0050", "-0.06"),
                ("0.0065", "0", "0.0150", "-0.07"),
            ],
        ),
        (
            "0.30",
            "0.50",
            "0.0041",
            [
                ("0.0059", "0", "0.0100", "-0.16"),
                ("0.0059", "0.01", "0.0000", "-0.15"),
                ("0.0059", "0", "0.0100", "-0.16"),
            ],
        ),
    ],
)
def test_the_documentations_examples(
    count: str, at: str, trade_fee: str, expected: list[tuple[str, str, str, str]]
) -> None:
    fees = OrderFees(Precision.CLEARED)
    cost = price(at) * shares(count) // MICRO

    charges = [fees.fill(-cost, usd(trade_fee)) for _ in expected]

    assert [(c.rounding_fee, c.rebate, c.net_fee, c.balance_change) for c in charges] == [
        tuple(usd(text) for text in row) for row in expected
    ]


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
def test_the_taker_of_one_contract_pays_by_its_price(at: str, fee: str) -> None:
    assert model_fee(TAKER, price(at), shares("1")) == usd(fee)


def test_the_worked_basket_of_the_sheet_is_nearly_all_fee() -> None:
    fees = [model_fee(TAKER, price(at), shares("100")) for at in ("0.60", "0.65", "0.70")]

    assert fees == [usd("1.68"), usd("1.5925"), usd("1.47")]


FILLS = st.lists(st.tuples(st.integers(1, 9_999), st.integers(1, 100_000), st.booleans()), min_size=1, max_size=6)


@given(FILLS, st.sampled_from(list(Precision)))
def test_fees_are_never_negative_and_only_the_accumulator_is_left_over(
    fills: list[tuple[int, int, bool]], precision: Precision
) -> None:
    """`at` in hundredths of a cent, `count` in hundredths of a contract."""
    fees = OrderFees(precision)
    balance = 0
    charged = trade_fees = 0
    for at, count, buys in fills:
        cash = at * count  # exact: 10^-4 dollars x 10^-2 contracts
        trade_fee = model_fee(TAKER, PriceMicros(at * 100), MicroShares(count * 10_000))
        charge = fees.fill(-cash if buys else cash, trade_fee)

        assert charge.net_fee >= 0
        assert charge.balance_change == (-cash if buys else cash) - charge.net_fee
        balance += charge.balance_change
        charged += charge.net_fee
        trade_fees += trade_fee
        assert balance % precision == 0, "an account never shows more digits than it is kept in"
    assert charged == trade_fees + fees.accumulated
    assert fees.accumulated >= 0


@given(st.integers(1, 99), st.integers(1, 10_000))
def test_the_gates_whole_cents_are_the_worst_case_for_whole_contracts_at_whole_cents(cents: int, count: int) -> None:
    at, size = PriceMicros(cents * 10_000), MicroShares(count * MICRO)
    gate = FeeSchedule(name="kalshi-quadratic", as_of="2026-11-22", rate_micros=TAKER, quantum=MicroUsd(10_000))

    for precision in Precision:
        charge = OrderFees(precision).fill(-at * size // MICRO, model_fee(TAKER, at, size))
        assert charge.net_fee <= taker_fee(gate, at, size)
