"""The report as values: what text, JSON, HTML and CSV are written from. Made by `models/report.py`.

Money is micro-dollars; None is unknown, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.lockup import Lockup
from models.report_facts import Gathered


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunities:
    detected: int
    traded: int
    by_reason: dict[str, int]
    """Of the skipped ones, most frequent first; adds up to `skipped`."""
    by_verdict: dict[str, int]
    episodes: int
    avg_edge: int | None
    """Of all that were detected."""

    @property
    def skipped(self) -> int:
        return self.detected - self.traded


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    total: int
    endings: dict[str, int]
    in_doubt: int
    in_flight: int
    """Without an ending, those in doubt included."""
    success_rate: float | None
    """Successes among those that have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets:
    completed: int
    settled: int
    """Completed, and the money is back (in paper mode all of them)."""
    avg_edge: int | None
    net_pnl: int | None
    avg_net_pnl: int | None
    fees: int | None
    locked: int
    """Certain profit of sets that are held."""
    locked_capital: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperLine:
    attempts: int
    sets: int
    """Attempts that would have been filled."""
    cost: int
    fees: int
    net_pnl: int | None
    unknown: int
    """Attempts for which the books could not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLine:
    """One line per set: what was seen and what came of it."""

    set_id: str
    opportunities: int
    traded: int
    completed: int
    partial: int
    fees: int | None
    net_pnl: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SumCost:
    """Distribution over all evaluated states, gaps or not, in buckets of one cent."""

    low: int | None
    median: int | None
    high: int | None
    """Lower bound of the first bucket, of the median's, and upper bound of the last, micro-dollars."""
    buckets: tuple[tuple[int, int, int], ...]
    """(from, to, count)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    sets: int
    days: float
    avg_net_pnl: int | None
    target: int | None
    verdict: str
    """pass, fail, too_early, refused or unknown."""
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    facts: Gathered
    venue: str | None
    began: int | None
    ended: int | None
    up_ns: int
    uptime_ratio: float | None
    """Time with a run and a live feed, of the whole period."""
    opportunities: Opportunities
    attempts: Attempts
    sets: Sets
    paper: dict[str, PaperLine]
    lines: tuple[SetLine, ...]
    sum_cost: SumCost
    curve: tuple[tuple[int, int], ...]
    """(time, net PnL so far), one point per attempt whose profit is known."""
    down_ns: int
    difference: int | None
    """Cash of the ledger less cash of the venue; None where either is unknown."""
    evaluation: Evaluation
    lockup: Lockup
    violations: tuple[str, ...]
