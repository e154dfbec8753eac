"""How many sets to buy: equal shares on every leg, on the common lot, and no more than the ladders hold at a profit."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple

from models.book import Levels
from models.fees import FeeSchedule, taker_fee
from models.money import MicroShares, MicroUsd, PriceMicros, lot_rounded_down


class Sizing(enum.StrEnum):
    """FIXED takes `order_size`; DEPTH walks every leg's ladder while the marginal set still clears `min_edge`."""

    FIXED = "fixed"
    DEPTH = "depth"


class Walk(NamedTuple):
    """What it takes to buy some shares of one leg."""

    reach: PriceMicros
    """The worst price that is needed."""
    gross: int
    """Price x size, summed: micro-dollars x micro-shares, so that nothing is rounded yet."""
    fees: MicroUsd
    """Each level is a fill of its own and rounds by itself."""


def walk(ladder: Levels, schedule: FeeSchedule, size: MicroShares) -> Walk:
    """Take `size` from a ladder of asks, best first and not empty; what it does not hold counts at its last price."""
    reach, gross, fees, left = ladder[0][0], 0, 0, size
    for index, (price, there) in enumerate(ladder):
        taken = left if index == len(ladder) - 1 else min(left, there)
        if taken > 0:
            reach = price
            gross += price * taken
            fees += taker_fee(schedule, PriceMicros(price), MicroShares(taken))
            left = MicroShares(left - taken)
    return Walk(PriceMicros(reach), gross, MicroUsd(fees))


def shown(ladder: Levels, reach: PriceMicros) -> MicroShares:
    """Size that a ladder of asks displays at `reach` or better."""
    return MicroShares(sum(size for price, size in ladder if price <= reach))


def depth_size(
    ladders: Sequence[Levels],
    fees: Sequence[FeeSchedule],
    *,
    payout: MicroUsd,
    cost_buffer: MicroUsd,
    min_edge: MicroUsd,
    cap: MicroShares,
    lot: MicroShares,
) -> MicroShares:
    """Shares of each leg up to which the next set still earns `min_edge` after fees, capped, rounded down to `lot`.

    `ladders` are asks, best first. Money is micro-dollars per set. 0 where not even one lot qualifies.
    """
    positions = [0] * len(ladders)
    left = [ladder[0][1] if ladder else 0 for ladder in ladders]
    taken = 0
    while taken < cap and all(position < len(ladder) for position, ladder in zip(positions, ladders, strict=True)):
        prices = [PriceMicros(ladder[position][0]) for position, ladder in zip(positions, ladders, strict=True)]
        step = min(*left, cap - taken)
        if not _clears(prices, fees, MicroShares(step), payout, cost_buffer, min_edge):
            break
        taken += step
        for index, ladder in enumerate(ladders):
            left[index] -= step
            if left[index] == 0:
                positions[index] += 1
                left[index] = ladder[positions[index]][1] if positions[index] < len(ladder) else 0
    return lot_rounded_down(MicroShares(taken), lot)


def _clears(
    prices: Sequence[PriceMicros],
    fees: Sequence[FeeSchedule],
    size: MicroShares,
    payout: MicroUsd,
    cost_buffer: MicroUsd,
    min_edge: MicroUsd,
) -> bool:
    gross = (payout - sum(prices) - cost_buffer - min_edge) * size
    total_fees = sum(taker_fee(schedule, price, size) for schedule, price in zip(fees, prices, strict=True))
    return gross >= total_fees * 1_000_000
