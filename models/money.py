"""Exact money. Every amount is a whole number of millionths, and every rounding says which way it goes.

- `PriceMicros`  micro-dollars per share: 0.47 is 470_000. A quoted price lies strictly between 0 and 1_000_000.
- `MicroShares`  millionths of a share (contract): 12.5 shares are 12_500_000.
- `MicroUsd`     millionths of a dollar, signed: costs and fees are positive where the name says cost or fee, PnL is
  signed.

The three are distinct to the type checker and plain `int` at run time, so the hot path pays nothing for them. A product
of a price and a size is only made by the functions below, which name their rounding.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Final, NewType

PriceMicros = NewType("PriceMicros", int)
MicroShares = NewType("MicroShares", int)
MicroUsd = NewType("MicroUsd", int)

MICRO: Final = 1_000_000

_STEP: Final = Decimal("0.000001")
_EXACT: Final = Context(prec=18, traps=[Inexact, InvalidOperation])
"""Twelve digits before the point, like `_DECIMAL`; the default context would round a longer number silently."""
_SCALES: Final = (1_000_000, 100_000, 10_000, 1_000, 100, 10, 1)
"""Millionths per unit of the last digit, by the number of digits after the point."""
_DECIMAL: Final = re.compile(r"-?(?:[0-9]{1,12}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})\Z")


class MoneyError(ValueError):
    """A text is not an exact amount: not ASCII decimal, too large, or finer than a millionth."""


def parse_micros(text: str) -> int:
    """Exact millionths of a plain ASCII decimal such as `0.47`, `.48`, `-12` or `12.500000`.

    Exponents, signs other than one minus, digits of other scripts, NaN and anything finer than a millionth raise
    `MoneyError`: a silently rounded price is worse than no price.
    """
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    if len(whole) <= 12 and len(fraction) <= 6 and digits.isascii() and digits.isdigit():
        return int(digits) * _SCALES[len(fraction)]
    return _unusual_micros(text)


def _unusual_micros(text: str) -> int:
    """A negative amount, one with more digits, or none at all."""
    if not _DECIMAL.match(text):
        raise MoneyError(f"not a plain decimal number: {text[:40]!r}")
    negative = text[0] == "-"
    whole, _, fraction = text[negative:].partition(".")
    if len(fraction) > 6:
        if fraction[6:].strip("0"):
            raise MoneyError(f"finer than a millionth: {text[:40]!r}")
        fraction = fraction[:6]
    micros = int(whole or "0") * MICRO + int(fraction.ljust(6, "0"))
    return -micros if negative else micros


def parse_price(text: str) -> PriceMicros:
    """A price strictly inside (0, 1) dollars, or `MoneyError`."""
    micros = parse_micros(text)
    if not 0 < micros < MICRO:
        raise MoneyError(f"price outside (0, 1): {text[:40]!r}")
    return PriceMicros(micros)


def parse_shares(text: str) -> MicroShares:
    """A size of zero or more shares, or `MoneyError`."""
    micros = parse_micros(text)
    if micros < 0:
        raise MoneyError(f"negative size: {text[:40]!r}")
    return MicroShares(micros)


def micros_from_decimal(value: Decimal) -> int:
    """Exact millionths of a finite Decimal below 10^12, or `MoneyError` where it is finer than a millionth."""
    if not value.is_finite():
        raise MoneyError(f"not a finite number: {value}")
    if not value:
        return 0
    try:
        return int(value.quantize(_STEP, context=_EXACT).scaleb(6, _EXACT))
    except Inexact:
        raise MoneyError(f"finer than a millionth: {value!s:.40}") from None
    except InvalidOperation:
        raise MoneyError(f"too large: {value!s:.40}") from None


def to_decimal(micros: int) -> Decimal:
    """The exact Decimal of an amount below 10^22 dollars, for the places where people read and write."""
    return Decimal(micros).scaleb(-6)


def text(micros: int, places: int = 2) -> str:
    """Exact decimal text with at least `places` digits after the point and no more zeros than that.

    >>> text(470_000), text(1_234_567), text(-5)
    ('0.47', '1.234567', '-0.000005')
    """
    sign = "-" if micros < 0 else ""
    whole, fraction = divmod(abs(micros), MICRO)
    digits = f"{fraction:06d}".rstrip("0").ljust(places, "0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def divide_up(numerator: int, denominator: int) -> int:
    """Quotient rounded towards plus infinity. `denominator` is positive."""
    return -(-numerator // denominator)


def divide_down(numerator: int, denominator: int) -> int:
    """Quotient rounded towards minus infinity. `denominator` is positive."""
    return numerator // denominator


def cost_rounded_up(price: PriceMicros, size: MicroShares) -> MicroUsd:
    """Dollars paid for `size` shares at `price`, against us to the micro-dollar."""
    return MicroUsd(divide_up(price * size, MICRO))


def proceeds_rounded_down(price: PriceMicros, size: MicroShares) -> MicroUsd:
    """Dollars received for `size` shares at `price`, against us to the micro-dollar."""
    return MicroUsd(divide_down(price * size, MICRO))


def lot_rounded_down(size: MicroShares, lot: MicroShares) -> MicroShares:
    """The largest whole number of lots within `size`."""
    return MicroShares(size // lot * lot)
