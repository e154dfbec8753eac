"""Kalshi's fee terms as our schedule, and the exact fee of each fill. Pure.

Source: kalshi.md 9 (fee schedule effective 2026-07-07, fee-rounding page of October 2026, read 2026-11-22).

The gate reckons with the worst case, whole cents per order. What an account is really charged depends on how finely its
balance is kept (`Precision`): each fill's cash flow is rounded down to it, and what that took is paid back once it has
added up to a whole unit (`OrderFees`).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from models.fees import NO_FEES, FeeSchedule, FeesUnknownError
from models.hostile import clean
from models.money import MICRO, MicroShares, MicroUsd, MoneyError, PriceMicros, divide_up, micros_from_decimal

TAKER_MICROS: Final = 70_000
"""0.07 dollars x price x (1 - price) per contract, times the series' multiplier."""
MAKER_MICROS: Final = {
    "quadratic": 0,
    "quadratic_with_maker_fees": 17_500,
    "quadratic_with_combo_maker_fees": 35_000,
}
"""The maker's coefficient by fee type. A type that is not here (`flat` among them) has no known formula."""
CENT: Final = MicroUsd(10_000)


def fee_rate(fee_type: str, multiplier: Decimal) -> int:
    """The taker's coefficient in millionths. Raises `FeesUnknownError`."""
    return _scaled(TAKER_MICROS, fee_type, multiplier)


def maker_rate(fee_type: str, multiplier: Decimal) -> int:
    """The maker's coefficient in millionths. Raises `FeesUnknownError`."""
    return _scaled(MAKER_MICROS.get(fee_type, 0), fee_type, multiplier)


def _scaled(coefficient: int, fee_type: str, multiplier: Decimal) -> int:
    if fee_type not in MAKER_MICROS:
        raise FeesUnknownError(f"fee type {clean(fee_type, 40)!r} has no known formula")
    try:
        scale = micros_from_decimal(multiplier)
    except MoneyError as error:
        raise FeesUnknownError(f"fee multiplier: {error}") from None
    if not 0 <= scale <= 10 * MICRO or coefficient * scale % MICRO:
        raise FeesUnknownError(f"fee multiplier {clean(str(multiplier), 20)} is out of range")
    return coefficient * scale // MICRO


def fee_schedule(fee_type: str, multiplier: Decimal, as_of: str) -> FeeSchedule:
    """What a market's orders are judged by: whole cents, rounded up. Raises `FeesUnknownError`."""
    rate = fee_rate(fee_type, multiplier)
    if rate == 0:
        return NO_FEES
    return FeeSchedule(name=f"kalshi-{fee_type}", as_of=as_of, rate_micros=rate, quantum=CENT)


# -- what is really charged


class Precision(enum.IntEnum):
    """How finely an account's balance is kept, micro-dollars."""

    DIRECT = 100
    CLEARED = 10_000
    """Through a broker: whole cents."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One fill's fee, micro-dollars. `balance_change` is the cash that moved, fee included."""

    trade_fee: int
    rounding_fee: int
    rebate: int
    balance_change: int

    @property
    def net_fee(self) -> int:
        return self.trade_fee + self.rounding_fee - self.rebate


def model_fee(rate_micros: int, price: PriceMicros, size: MicroShares, quantum: int = 1) -> int:
    """The curve, rounded up to `quantum` micro-dollars (a millionth of a dollar, since about August 2026)."""
    exact = rate_micros * size * price * (MICRO - price)
    return divide_up(exact, MICRO**3 * quantum) * quantum


class OrderFees:
    """The accumulator of one order, over all its fills, taker's and maker's."""

    __slots__ = ("_precision", "accumulated")

    def __init__(self, precision: Precision) -> None:
        self._precision = precision
        self.accumulated = 0
        """Rounding not yet paid back, micro-dollars."""

    def fill(self, revenue: int, trade_fee: int) -> Charge:
        """One fill. `revenue`: its signed cash flow before fees (a buyer's is negative), micro-dollars."""
        precision = int(self._precision)
        before = revenue - trade_fee
        aligned = before // precision * precision
        rounding = before - aligned
        self.accumulated += rounding
        owed = self.accumulated // precision * precision
        rebate = min(owed, (trade_fee + rounding) // precision * precision)
        self.accumulated -= rebate
        return Charge(trade_fee, rounding, rebate, aligned + rebate)
