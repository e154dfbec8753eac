"""How long a completed set's money is away, and what it earns per dollar and day while it is. Pure; for the report.

A cent on a contract that settles in ten months is not an edge, so this stands apart from the profit per set. Capital is
what a set cost with its fees; its time runs from the attempt's beginning to the row that booked its profit (merge,
netting or resolution), and for what is still held to the end of the period.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.clock import DAY
from models.money import MICRO, divide_down
from models.report_facts import AttemptFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Lockup:
    returned: int
    """Completed sets whose money is back."""
    returned_ns: int | None
    """Mean time until it was, weighted by capital; None where nothing has come back."""
    held: int
    held_ns: int | None
    """Mean age of what is held, weighted by capital; None where nothing is held."""
    per_dollar_day: int | None
    """Micro-dollars of net profit per dollar of capital and day, of what has come back; floored."""


def lockup(attempts: Iterable[AttemptFacts], until: int | None) -> Lockup:
    """`until` is the end of the period, wall ns; what is held has no age without it."""
    back: list[tuple[int, int, int]] = []
    held: list[tuple[int, int]] = []
    for attempt in attempts:
        capital = (attempt.cost or 0) + (attempt.fees or 0)
        if capital <= 0:
            continue
        if attempt.ending == "success" and attempt.realized is not None and attempt.changed is not None:
            back.append((capital, max(0, attempt.changed - attempt.opened), attempt.realized))
        elif attempt.open_position and until is not None:
            held.append((capital, max(0, until - attempt.opened)))
    capital_time = sum(capital * time for capital, time, _ in back)
    profit = sum(realized for _, _, realized in back)
    return Lockup(
        returned=len(back),
        returned_ns=_mean([(capital, time) for capital, time, _ in back]),
        held=len(held),
        held_ns=_mean(held),
        per_dollar_day=divide_down(profit * MICRO * DAY, capital_time) if capital_time else None,
    )


def _mean(weighted: list[tuple[int, int]]) -> int | None:
    total = sum(weight for weight, _ in weighted)
    return divide_down(sum(weight * time for weight, time in weighted), total) if total else None
