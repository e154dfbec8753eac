"""What the report is computed from: counts and rows as the ledger's queries bring them, of one mode and one period.

Money is micro-dollars, sizes are micro-shares, times are wall-clock nanoseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.money import divide_down


@dataclass(frozen=True, slots=True)
class RunSpan:
    """One run of the bot. `ended` is its stop row, or the last sign of life of a run that was killed."""

    run_id: str
    mode: str
    venue: str
    began: int
    ended: int
    in_order: bool


@dataclass(frozen=True, slots=True)
class OpportunityCount:
    set_id: str
    decision: str
    reason: str | None
    verdict: str
    count: int
    edge_sum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFacts:
    """One attempt as of its newest row."""

    attempt_id: str
    set_id: str
    opened: int
    changed: int | None
    state: str
    ending: str | None
    size: int
    filled: int
    cost: int | None
    fees: int | None
    pays: int
    """For the whole size."""
    realized: int | None
    open_position: bool
    edge: int | None
    """Per set, at the decision; None for an adopted position."""

    @property
    def in_doubt(self) -> bool:
        return self.ending is None and self.state == "IN_DOUBT"

    @property
    def certain(self) -> int | None:
        """Profit of the complete sets that are held and not cash yet; None where nothing is held."""
        if not self.open_position or not self.filled or self.cost is None or self.fees is None:
            return None
        return divide_down(self.pays * self.filled, self.size) - self.cost - self.fees


@dataclass(frozen=True, slots=True)
class PaperFacts:
    attempt_id: str
    at: int
    model: str
    filled: int
    cost: int
    fees: int
    net_pnl: int | None


@dataclass(frozen=True, slots=True)
class EventFacts:
    at: int
    kind: str
    text: str
    set_id: str | None
    attempt_id: str | None
    market_id: str | None


@dataclass(frozen=True, slots=True)
class Outage:
    began: int
    ended: int
    why: str


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """The last reconcile, and the ledger's own account computed again from its rows as of then."""

    at: int
    cash_ledger: int | None
    cash_venue: int | None
    positions_equal: bool | None
    cash_recomputed: int | None


@dataclass(frozen=True, slots=True)
class Goal:
    """The operator's evaluation window; None where the configuration in the ledger does not say."""

    min_sets: int
    min_days: int
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Everything that the queries bring, of one mode and one period."""

    ledger: str
    mode: str
    since: int | None
    until: int | None
    only: str | None
    """Market or set that the report is restricted to."""
    runs: Sequence[RunSpan]
    last_sign: int | None
    opportunities: Sequence[OpportunityCount]
    episodes: int
    attempts: Sequence[AttemptFacts]
    paper: Sequence[PaperFacts]
    sum_costs: Sequence[tuple[int, int]]
    """(whole cents, evaluations), rising."""
    trade_line: int | None
    """Highest sum_cost that the newest configuration trades."""
    updates: int
    order_rejects: int
    order_latencies_ms: Sequence[int]
    """First byte to answer, of every order that has both."""
    orders_unknown: int
    """Orders whose outcome nobody could say at some time."""
    orders_resolved: int
    """Of those, the ones that have ended since."""
    protections: Mapping[str, int]
    """Half-filled attempts by the last remedy that was chosen for them: complete, unwind, hold."""
    event_counts: Mapping[str, int]
    outages: Sequence[Outage]
    incidents: Sequence[EventFacts]
    account: AccountFacts | None
    goal: Goal | None
    violations: Sequence[str]
    """What does not add up among the rows."""
