"""Rows of the operator's lists: what `opps`, `trades`, `orders` and `positions` show, newest first.

They are read from the ledger for people; nothing is decided from them. Money as everywhere in micro-dollars.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.clock import WallNs
from models.money import MicroShares, MicroUsd, PriceMicros


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityLine:
    at: WallNs
    opportunity_id: str
    set_id: str
    sum_cost: MicroUsd
    edge: MicroUsd
    net_edge: MicroUsd
    size: MicroShares
    decision: str
    """TRADE or SKIP."""
    reason: str
    """Why it was skipped; empty for TRADE."""
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeLine:
    """One attempt at a set, paper or live."""

    at: WallNs
    tradeset_id: str
    set_id: str
    mode: str
    state: str
    size: MicroShares
    cost: MicroUsd | None
    """All legs, without fees; None while not all of it is known."""
    fees: MicroUsd | None
    pnl: MicroUsd | None
    """Realized where the set has ended, else the profit that is locked in; None while neither is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    at: WallNs
    client_order_id: str
    tradeset_id: str
    market_id: str
    outcome: str
    action: str
    size: MicroShares
    price: PriceMicros
    filled: MicroShares
    status: str
    open: bool
    """Something may still fill, or the outcome is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionLine:
    """What is held of one set: complete sets, and legs without their counterpart."""

    set_id: str
    sets: MicroShares
    cost: MicroUsd
    """Of the complete sets, fees included."""
    pays: MicroUsd
    """What the complete sets are certain to pay."""
    unpaired: tuple[str, ...]
    """Naked legs in words, such as `5 YES @ 0.345`; empty is the good case."""
    opened: WallNs
    state: str

    @property
    def locked(self) -> MicroUsd:
        return MicroUsd(self.pays - self.cost)
