"""What an order gives and takes, in millionths of a dollar and of a share, by the venue's own rounding.

Source: polymarket.md 2.5 (official SDK algorithm, read 2026-11-22). Sizes have two decimals, what is paid for them as
many as price and size together. An order that takes liquidity (FAK, FOK) and buys is stated in *dollars* of whole
cents; how many shares that is, is rounded down. So equal legs need sizes whose price is whole cents at every price of
the grid: `taker_lot`. An order of ours that would not mean exactly the shares that were intended is not made at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, lcm
from typing import Final

from models.market import Action
from models.money import MICRO, MicroShares, PriceMicros, text
from models.orders import TimeInForce

CENT: Final = 10_000
"""Micro-dollars. The hundredth of a share has the same number."""

PRICE_PLACES: Final = {100_000: 1, 10_000: 2, 5_000: 3, 2_500: 4, 1_000: 3, 100: 4}
"""Decimals of a price, by tick in micro-dollars. Other ticks do not exist."""


class InexactOrderError(ValueError):
    """The venue's rounding would make another order of it. The text says which rule is broken."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Millionths: of dollars and shares in a BUY, of shares and dollars in a SELL."""

    maker: int
    """What the order gives."""
    taker: int
    """What it wants for that, at least."""


def taker_lot(tick: PriceMicros) -> MicroShares:
    """The smallest size whose multiples cost whole cents at every price of the grid, so that a FAK or FOK can buy them
    exactly: 1 share at a tick of a cent, 10 at a tenth of a cent, 4 at a quarter.
    """
    whole = CENT * MICRO
    return MicroShares(lcm(CENT, whole // gcd(tick, whole)))


def exact_amounts(action: Action, size: MicroShares, price: PriceMicros, force: TimeInForce) -> Amounts:
    """Amounts that mean exactly `size` shares at `price`. Raises `InexactOrderError`."""
    if size <= 0 or size % CENT:
        raise InexactOrderError(f"{text(size, 0)} shares have more than two decimals")
    dollars, rest = divmod(price * size, MICRO)
    if rest:
        raise InexactOrderError(f"{text(size, 0)} shares at {text(price)} are no whole millionths of a dollar")
    if action is Action.SELL:
        return Amounts(size, dollars)
    if force is not TimeInForce.GTC and dollars % CENT:
        raise InexactOrderError(f"{text(size, 0)} shares at {text(price)} cost {text(dollars)}: no whole cents")
    return Amounts(dollars, size)
