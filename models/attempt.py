"""One attempt to buy one complete set: its orders, and what they add up to. Every figure here is computed, never kept.

All legs are equal in shares: `sets` are complete, whatever a leg holds above that is *surplus* (naked), and the worst
case adds what may still fill. N legs everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from models.clock import BootNs
from models.fees import FeeSchedule
from models.market import Action, MarketId, Outcome, SetId
from models.money import MicroShares, MicroUsd, PriceMicros, divide_down, text
from models.order_life import Alarm, OrderLife, Phase
from models.orders import AttemptId, ClientOrderId, derive_client_order_id
from models.residue import SlowWork

CLOSED: Final = frozenset(
    (
        "market_paused",
        "exchange_paused",
        "post_only",
        "restarting",
        "trading_disabled",
        "cancel_only",
        "rate_limited",
    )
)
"""Codes of refusals that speak of the hour, not of the order: the venue, or the market, takes none now, or no more."""


def met_nobody(code: str, *, by_venue: bool) -> bool:
    """Whether a refused order says nothing about the book it was made for: it never left, or nothing is taken now."""
    return not by_venue or code in CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """What a resolved market pays."""

    market_id: MarketId
    yes_pays: int
    """Micro-dollars per YES share; NO pays the rest of one dollar."""
    winner: Outcome | None
    booked: bool = False
    """What it pays for this attempt's shares is in the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    attempt_id: AttemptId
    opportunity_id: str
    set_id: SetId
    size: MicroShares
    """Approved shares of each leg."""
    reserved: MicroUsd
    asks: tuple[PriceMicros, ...]
    """Best ask per leg that the approval (or the last retry) was decided on."""
    reach: tuple[PriceMicros, ...]
    """Worst ask per leg that `size` needed then; `asks` with fixed sizing. The opening limits start here."""
    depths: tuple[MicroShares, ...]
    """Size displayed at `reach` or better."""
    fees: tuple[FeeSchedule, ...]
    began: BootNs
    orders: tuple[OrderLife, ...] = ()
    """In the order in which they were intended."""
    tries: int = 1
    """Opening rounds so far; a retry follows a clean miss only."""
    try_from: int = 0
    """Index of the first order of the current try."""
    followed: bool = False
    """The other legs have been sent after the thin one."""
    cancelling: bool = False
    """What is still live is to be cancelled, again and again until it has ended."""
    expired: bool = False
    """`max_inflight_seconds` have passed: nothing opens any more."""
    partial: bool = False
    """It has been in protection."""
    remedies: int = 0
    """Protective rounds that met a book."""
    remedy_from: int = 0
    """Index of the first order of the newest protective round."""
    slow: SlowWork = field(default_factory=SlowWork)
    """What the slow cadence has tried; kept for as long as the attempt, because what was mended may come back."""
    stranded: bool = False
    """The surplus is smaller than anything the venue takes: it is kept and reported, no longer worked."""
    merged: MicroShares = MicroShares(0)
    merged_cash: MicroUsd = MicroUsd(0)
    netted: MicroShares = MicroShares(0)
    """Sets that the ledger has booked as netted by the venue."""
    merge_asked: bool = False
    merge_answered: bool = False
    payouts: tuple[Payout, ...] = ()
    """Of the set's markets that have resolved."""
    paid_out: bool = False
    """All of them have: what was held is cash, and nothing is naked any more."""

    # -- shares ----------------------------------------------------------------------------------------------------

    def held(self, leg: int) -> MicroShares:
        """Shares bought less shares sold, as far as known. Negative only after a reversal."""
        return self._sum(leg, lambda life: life.filled if life.intent.action is Action.BUY else -life.filled)

    @property
    def holdings(self) -> tuple[MicroShares, ...]:
        return tuple(self.held(leg) for leg in range(len(self.asks)))

    @property
    def sets(self) -> MicroShares:
        """Complete sets held, merged ones included."""
        return min(self.holdings)

    @property
    def surplus(self) -> MicroShares:
        """Most that any leg holds above the complete sets: what is naked, as far as known."""
        holdings = self.holdings
        return MicroShares(max(holdings) - min(holdings))

    @property
    def naked(self) -> bool:
        return self.surplus != 0 and not self.stranded and not self.paid_out

    def worst_surplus(self) -> MicroShares:
        """Most that could turn out to be naked once everything open has filled or died (I5)."""
        legs = range(len(self.asks))
        most = max(self.held(leg) + self._open(leg, Action.BUY) for leg in legs)
        least = min(self.held(leg) - self._open(leg, Action.SELL) for leg in legs)
        return MicroShares(most - least)

    # -- orders ----------------------------------------------------------------------------------------------------

    def turned_away(self) -> bool:
        """Whether no order of the newest protective round met a book (a pause, a restart, a used-up rate budget)."""
        refusals = [life.refusal for life in self.orders[self.remedy_from :]]
        return bool(refusals) and all(r is not None and met_nobody(r.code, by_venue=r.by_venue) for r in refusals)

    def refused_flatly(self) -> bool:
        """Whether the venue has refused an order of the newest protective round as such, whatever the hour."""
        refusals = (life.refusal for life in self.orders[self.remedy_from :])
        return any(r is not None and not met_nobody(r.code, by_venue=r.by_venue) for r in refusals)

    def in_phase(self, *phases: Phase) -> tuple[OrderLife, ...]:
        return tuple(life for life in self.orders if life.phase in phases)

    @property
    def quiet(self) -> bool:
        """Every order has ended: what is held is held."""
        return all(life.ended for life in self.orders)

    def knows(self, client_order_id: ClientOrderId) -> bool:
        return any(life.intent.client_order_id == client_order_id for life in self.orders)

    def next_sequence(self, leg: int) -> int:
        """The number of a leg's next order. Not simply their count: after a restart those are missing whose commit had
        failed, and the id of a later one must not come again.
        """
        known = {life.intent.client_order_id for life in self.orders if life.intent.leg == leg}
        sequence = len(known)
        while derive_client_order_id(self.attempt_id, leg, sequence) in known:
            sequence += 1
        return sequence

    def with_orders(self, lives: tuple[OrderLife, ...]) -> Attempt:
        return replace(self, orders=(*self.orders, *lives))

    def changed(self, client_order_id: ClientOrderId, change: Callable[[OrderLife], OrderLife]) -> Attempt:
        """The attempt with one order's life changed."""
        orders = tuple(change(o) if o.intent.client_order_id == client_order_id else o for o in self.orders)
        return replace(self, orders=orders)

    def alarms(self) -> frozenset[tuple[ClientOrderId, Alarm]]:
        found = {(life.intent.client_order_id, alarm) for life in self.orders for alarm in life.alarms()}
        for life in self.orders:
            if life.overcharged(self.fees[life.intent.leg]):
                found.add((life.intent.client_order_id, Alarm.FEE_ABOVE_SCHEDULE))
        return frozenset(found)

    @property
    def worries(self) -> tuple[str, ...]:
        """What an operator would have to see to if the process ended now, one phrase each. Orders on their way that the
        venue has not answered yet are none.
        """
        unknown = sum(life.phase in (Phase.UNKNOWN, Phase.CLOSING) for life in self.orders)
        found = [f"{unknown} order{'s' if unknown > 1 else ''} unknown"] if unknown else []
        if self.naked:
            found.append(f"{text(self.surplus, 0)} shares unhedged")
        return tuple(found)

    @property
    def known(self) -> bool:
        """What is held is held for good, and what it cost is certain."""
        return self.quiet and self.detailed and not self.provisional

    @property
    def merging(self) -> bool:
        """A merge has been asked for and nobody has said what became of it."""
        return self.merge_asked and not self.merge_answered

    @property
    def provisional(self) -> bool:
        return any(life.provisional for life in self.orders)

    @property
    def detailed(self) -> bool:
        """Every filled share is known with its price."""
        return not any(life.unpriced for life in self.orders)

    # -- money -----------------------------------------------------------------------------------------------------

    def bought(self, leg: int) -> MicroUsd:
        """Paid for a leg, fees included."""
        return MicroUsd(
            sum(life.gross() + life.fees(self.fees[leg]) for life in self._of(leg) if life.intent.action is Action.BUY)
        )

    def sold(self, leg: int) -> MicroUsd:
        """Received for a leg, fees taken off."""
        return MicroUsd(
            sum(life.gross() - life.fees(self.fees[leg]) for life in self._of(leg) if life.intent.action is Action.SELL)
        )

    def leg_fees(self, leg: int) -> MicroUsd:
        return MicroUsd(sum(life.fees(self.fees[leg]) for life in self._of(leg)))

    def leg_cost(self, leg: int) -> MicroUsd:
        """Net dollars that went into a leg before fees: buys less sales."""
        signed = (life.gross() if life.intent.action is Action.BUY else -life.gross() for life in self._of(leg))
        return MicroUsd(sum(signed))

    def paid_for_held(self, leg: int) -> MicroUsd:
        """The share of `bought` that belongs to what the leg still holds, rounded up."""
        held = self.held(leg)
        filled = sum(life.filled for life in self._of(leg) if life.intent.action is Action.BUY)
        return MicroUsd(0 if filled <= 0 or held <= 0 else -divide_down(-self.bought(leg) * held, filled))

    @property
    def total_fees(self) -> MicroUsd:
        return MicroUsd(sum(self.leg_fees(leg) for leg in range(len(self.asks))))

    @property
    def total_cost(self) -> MicroUsd:
        """Net dollars out before fees; negative where more came back than went in."""
        return MicroUsd(sum(self.leg_cost(leg) for leg in range(len(self.asks))))

    def notional(self) -> MicroUsd:
        """What counts against the day: every BUY at what it has cost or may still come to cost (I9)."""
        buys = (life for life in self.orders if life.intent.action is Action.BUY)
        return MicroUsd(sum(life.worst_cost(self.fees[life.intent.leg]) for life in buys))

    # -- inside ----------------------------------------------------------------------------------------------------

    def _of(self, leg: int) -> tuple[OrderLife, ...]:
        return tuple(life for life in self.orders if life.intent.leg == leg)

    def _sum(self, leg: int, value: Callable[[OrderLife], int]) -> MicroShares:
        return MicroShares(sum(value(life) for life in self._of(leg)))

    def _open(self, leg: int, action: Action) -> int:
        return self._sum(leg, lambda life: life.may_still_fill if life.intent.action is action else 0)
