"""Amounts as the official SDK of the venue rounds them (polymarket.md 2.5): what ours must agree with."""

from __future__ import annotations

from typing import Final

from adapters.polymarket.amounts import CENT, PRICE_PLACES, Amounts
from models.market import Action
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros

SIZE_PLACES: Final = 2
_GUARD: Final = 10_000
"""The SDK first rounds up to four more decimals, then down: a quotient just below a whole number becomes that
number.
"""


def limit_amounts(action: Action, size: MicroShares, price: PriceMicros, tick: PriceMicros) -> Amounts:
    """A limit order as the SDK rounds it, and a market SELL, which rounds alike."""
    shares = size // CENT * CENT
    dollars = _rounded(shares * price, MICRO, tick)
    return Amounts(dollars, shares) if action is Action.BUY else Amounts(shares, dollars)


def market_buy_amounts(dollars: MicroUsd, price: PriceMicros, tick: PriceMicros) -> Amounts:
    """A FAK or FOK that spends `dollars`, as the SDK rounds it: shares down, or its price would lie below the ask."""
    spent = dollars // CENT * CENT
    return Amounts(spent, _rounded(spent * MICRO, price, tick))


def _rounded(numerator: int, denominator: int, tick: PriceMicros) -> int:
    """A quotient (in millionths) to the decimals that amounts have at this tick."""
    unit: int = 10 ** (6 - PRICE_PLACES[tick] - SIZE_PLACES)
    exact, rest = divmod(numerator, denominator * unit)
    if rest == 0:
        return exact * unit
    return -(-numerator * _GUARD // (denominator * unit)) // _GUARD * unit
