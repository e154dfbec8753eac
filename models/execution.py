"""What an attempt works under: the set, its markets, what their venues can do, and the operator's numbers.

Built once at start per set; nothing in it changes while the bot runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.market import Market, MarketId, Outcome
from models.money import MicroShares, MicroUsd
from models.sets import CompleteSet


@dataclass(frozen=True, slots=True, kw_only=True)
class LegTerms:
    """One leg: its market as the catalog describes it and what its venue declares (`Capabilities`)."""

    market: Market
    outcome: Outcome
    ioc: bool = True
    fok: bool = True
    batch_max: int = 1
    horizon_ns: int = 0
    """How long an accepted order may stay invisible to reads."""
    merges: bool = False
    """Complete sets of this market can be turned into cash by a call."""
    nets: bool = False
    """The venue turns complete sets into cash by itself with the second fill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionTerms:
    """Money per set in micro-dollars, durations in nanoseconds. Field names are the configuration's."""

    complete_set: CompleteSet
    legs: tuple[LegTerms, ...]
    lot: MicroShares
    """The legs' common lot."""
    mode: str
    """`paper` or `live`, for the ledger."""
    min_edge: MicroUsd
    cost_buffer: MicroUsd
    limit_ticks_through: int
    max_attempts_per_round: int
    order_timeout_ns: int
    max_inflight_ns: int
    cooldown_ns: int
    max_unwind_loss: MicroUsd
    max_book_age_ns: int

    @property
    def market_ids(self) -> tuple[MarketId, ...]:
        return self.complete_set.market_ids

    @property
    def merges(self) -> bool:
        """The set is the two outcomes of one market, and its venue merges them on request."""
        return len(self.market_ids) == 1 and all(leg.merges and not leg.nets for leg in self.legs)

    @property
    def nets(self) -> bool:
        return len(self.market_ids) == 1 and all(leg.nets for leg in self.legs)

    @property
    def batch(self) -> bool:
        """All legs fit into one request of one venue."""
        venues = {leg.market.venue for leg in self.legs}
        return len(venues) == 1 and min(leg.batch_max for leg in self.legs) >= len(self.legs)
