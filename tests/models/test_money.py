"""Money is exact: what is read is what was written, and every product and quotient is rounded the way its name says."""

from __future__ import annotations

import time
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.money import (
    MICRO,
    MicroShares,
    MoneyError,
    PriceMicros,
    cost_rounded_up,
    divide_down,
    divide_up,
    lot_rounded_down,
    micros_from_decimal,
    parse_micros,
    parse_price,
    parse_shares,
    proceeds_rounded_down,
    text,
    to_decimal,
)

AMOUNTS = st.integers(min_value=-(10**18) + 1, max_value=10**18 - 1)
PRICES = st.integers(min_value=1, max_value=MICRO - 1).map(PriceMicros)
SIZES = st.integers(min_value=1, max_value=10**13).map(MicroShares)


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("0.47", 470_000),
        (".48", 480_000),
        ("0", 0),
        ("-0", 0),
        ("-0.000000", 0),
        ("1", 1_000_000),
        ("1.", 1_000_000),
        ("12.500000", 12_500_000),
        ("-12", -12_000_000),
        ("-.5", -500_000),
        ("0.000001", 1),
        ("0.100000000000000000", 100_000),
        ("007", 7_000_000),
        ("999999999999.999999", 10**18 - 1),
    ],
)
def test_a_plain_decimal_is_read_exactly(written: str, micros: int) -> None:
    assert parse_micros(written) == micros


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        ".",
        "-",
        "-.",
        "+1",
        "--1",
        " 1",
        "1 ",
        "1\n",
        "1\x00",
        "1,5",
        "1_0",
        "1e3",
        "1E-2",
        "0x10",
        "NaN",
        "nan",
        "Infinity",
        "-inf",
        "1e999",
        "0.4.7",
        "$0.47",
        "０.４７",
        "٠.٤٧",
        "1²",
        "½",
        "−1",
        "1000000000000",
        "0.0000001",
        "0.00000100000000001",
        "0.1000000000000000000",
        "5.5600000000000005",
        "9" * 5_000,
        "0." + "0" * 5_000 + "1",
        "-" * 5_000,
        "1." + "0" * 1_000_000,
    ],
)
def test_anything_else_is_refused_never_rounded(written: str) -> None:
    with pytest.raises(MoneyError):
        parse_micros(written)


@pytest.mark.parametrize("hostile", ["9" * 1_000_000, "0." + "9" * 1_000_000, "-" * 1_000_000, "1" + " " * 1_000_000])
def test_a_megabyte_of_digits_is_refused_at_once_and_not_repeated_in_the_error(hostile: str) -> None:
    began = time.perf_counter()

    with pytest.raises(MoneyError) as caught:
        parse_micros(hostile)

    assert time.perf_counter() - began < 0.2
    assert len(str(caught.value)) < 100


@given(AMOUNTS)
def test_text_and_back_is_the_same_amount(micros: int) -> None:
    assert parse_micros(text(micros)) == micros
    assert parse_micros(text(micros, places=0)) == micros
    assert micros_from_decimal(to_decimal(micros)) == micros
    assert to_decimal(micros) == Decimal(text(micros))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**11), max_value=10**11))
def test_reading_agrees_with_exact_fractions(value: Decimal) -> None:
    assert Fraction(parse_micros(f"{value:f}"), MICRO) == Fraction(value)
    assert Fraction(micros_from_decimal(value), MICRO) == Fraction(value)


@given(st.text(max_size=30))
def test_whatever_the_parser_takes_is_what_python_reads(written: str) -> None:
    try:
        micros = parse_micros(written)
    except MoneyError:
        return
    assert Fraction(micros, MICRO) == Fraction(written)


@given(st.from_regex(r"-?[0-9]{0,14}\.?[0-9]{0,20}", fullmatch=True))
def test_the_parser_takes_exactly_the_amounts_that_fit(written: str) -> None:
    whole, _, fraction = written.removeprefix("-").partition(".")
    fits = (whole or fraction) and len(whole) <= 12 and len(fraction) <= 18 and not fraction[6:].strip("0")

    if fits:
        assert parse_micros(written) == Fraction(written) * MICRO
    else:
        with pytest.raises(MoneyError):
            parse_micros(written)


@pytest.mark.parametrize(
    ("value", "micros"),
    [("0E+999999", 0), ("-0", 0), ("1E+3", 10**9), ("999999999999.999999", 10**18 - 1), ("4.7E-1", 470_000)],
)
def test_a_decimal_is_taken_exactly(value: str, micros: int) -> None:
    assert micros_from_decimal(Decimal(value)) == micros


@pytest.mark.parametrize(
    "value",
    ["NaN", "sNaN", "Infinity", "-Infinity", "1E+12", "1E+999999", "1E-7", "1E-999999", f"0.47{'0' * 30}1", "1e-400"],
)
def test_a_decimal_that_is_no_exact_amount_is_refused(value: str) -> None:
    with pytest.raises(MoneyError):
        micros_from_decimal(Decimal(value))


def test_a_sloppy_decimal_context_does_not_reach_the_money() -> None:
    with localcontext() as context:
        context.prec = 3

        assert micros_from_decimal(Decimal("123456.789012")) == 123_456_789_012


@pytest.mark.parametrize("written", ["0", "1", "-0.1", "1.000000", "0.0000001", "NaN", "2"])
def test_a_price_lies_strictly_between_zero_and_one(written: str) -> None:
    with pytest.raises(MoneyError):
        parse_price(written)


def test_the_outermost_prices_and_sizes_are_taken() -> None:
    assert parse_price("0.000001") == 1
    assert parse_price("0.999999") == MICRO - 1
    assert parse_shares("0") == 0
    with pytest.raises(MoneyError, match="negative"):
        parse_shares("-0.000001")


@given(AMOUNTS, st.integers(min_value=1, max_value=10**12))
def test_quotients_round_up_and_down_to_the_next_whole(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)

    assert divide_up(numerator, denominator) - 1 < exact <= divide_up(numerator, denominator)
    assert divide_down(numerator, denominator) <= exact < divide_down(numerator, denominator) + 1


@given(PRICES, SIZES)
def test_costs_round_against_us_and_proceeds_too(price: PriceMicros, size: MicroShares) -> None:
    exact = Fraction(price * size, MICRO)

    assert exact <= cost_rounded_up(price, size) < exact + 1
    assert exact - 1 < proceeds_rounded_down(price, size) <= exact


@given(SIZES, st.integers(min_value=1, max_value=10**9).map(MicroShares))
def test_a_size_is_cut_to_whole_lots(size: MicroShares, lot: MicroShares) -> None:
    cut = lot_rounded_down(size, lot)

    assert cut % lot == 0
    assert cut <= size < cut + lot


@pytest.mark.parametrize(
    ("micros", "places", "written"),
    [
        (470_000, 2, "0.47"),
        (500_000, 2, "0.50"),
        (1_234_567, 2, "1.234567"),
        (-5, 2, "-0.000005"),
        (0, 2, "0.00"),
        (0, 0, "0"),
        (12_000_000, 0, "12"),
        (-12_500_000, 0, "-12.5"),
        (1, 6, "0.000001"),
    ],
)
def test_text_shows_every_digit_that_matters_and_no_more(micros: int, places: int, written: str) -> None:
    assert text(micros, places) == written
