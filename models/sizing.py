"""How many sets to buy: equal shares on every leg, on the common lot, and no more than the ladders hold at a profit."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from models.book import Levels
from models.fees import FeeSchedule, taker_fee
from models.money import MicroShares, MicroUsd, PriceMicros, lot_rounded_down


class Sizing(enum.StrEnum):
    """FIXED takes `order_size`; DEPTH walks every leg's ladder while the marginal set still clears `min_edge`."""

    FIXED = "fixed"
    DEPTH = "depth"


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
