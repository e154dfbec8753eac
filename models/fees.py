"""Fees as dated data plus two curves. A fee is a function of the fill's price and size, never a constant.

Both big venues charge takers `rate x p x (1 - p)` per share (Polymarket fees page and CLOB `fd`, read 2026-11-22;
Kalshi fee schedule effective 2026-07-07 and fee-rounding page of October 2026). They differ in rounding, which is data
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.money import MICRO, MicroShares, MicroUsd, PriceMicros, divide_up


class FeesUnknownError(ValueError):
    """The venue's fee terms for this market are not known, so nothing may be decided about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeSchedule:
    """Taker fee terms of one market.

    `fee = rate x size x (p x (1 - p)) ** exponent`, rounded up to `quantum`. A rate of zero is a free market; unknown
    terms are not a schedule at all (`FeesUnknownError` at the adapter).
    """

    name: str
    """Which published table this is, for the ledger, for example `polymarket-fd` or `kalshi-quadratic`."""
    as_of: str
    """ISO date from which the terms hold, as published or as read."""
    rate_micros: int
    """Coefficient in millionths: 0.07 is 70_000."""
    exponent: int = 1
    quantum: MicroUsd = MicroUsd(1)
    """Fees are charged in whole multiples of this many micro-dollars, rounded up against us."""


NO_FEES: Final = FeeSchedule(name="none", as_of="1970-01-01", rate_micros=0)


def taker_fee(schedule: FeeSchedule, price: PriceMicros, size: MicroShares) -> MicroUsd:
    """Fee of taking `size` shares at `price`, rounded up to the schedule's quantum.

    That is the most one order can be charged where price x size is a whole number of quanta. A venue that rounds the
    whole cash flow (Kalshi, fee-rounding page of October 2026) may charge up to one quantum more where it is not. The
    curve is symmetric in YES and NO, so the leg does not matter.
    """
    if schedule.rate_micros == 0 or size == 0:
        return MicroUsd(0)
    curve = price * (MICRO - price)
    numerator = schedule.rate_micros * size
    denominator = MICRO
    for _ in range(schedule.exponent):
        numerator *= curve
        denominator *= MICRO * MICRO
    quantum = schedule.quantum
    return MicroUsd(divide_up(numerator, denominator * quantum) * quantum)
