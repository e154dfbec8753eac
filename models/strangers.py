"""Attempts that no executor owns any more: their set has left the configuration, mostly because a market of it is over.

They still hold what they bought until it is paid out. What the venue pays for them is booked from the ledger's own
rows, so that cash and positions stay equal and the attempt comes to its end.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.clock import WallNs
from models.market import MarketId, Outcome, SetId
from models.messages import MarketResolved
from models.money import MICRO, MicroShares, MicroUsd, divide_down
from models.orders import AttemptId
from models.rows import AttemptChanged, Ending, Settled
from models.sets import SetLeg


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """One such attempt, added up from its executions and settlements."""

    attempt_id: AttemptId
    set_id: SetId
    legs: tuple[SetLeg, ...]
    ending: Ending | None
    """None: it was cut off, and nobody can work on it."""
    was_partial: bool
    bought: tuple[MicroShares, ...]
    """Per leg, less what was sold."""
    gone: tuple[MicroShares, ...]
    """Per leg, already turned into cash by a merge or a payout."""
    leg_costs: tuple[MicroUsd, ...]
    fees: MicroUsd
    fees_known: bool
    cash_back: MicroUsd
    """By merges and payouts so far."""

    def held(self, leg: int) -> int:
        return max(0, self.bought[leg] - self.gone[leg])

    @property
    def market_ids(self) -> tuple[MarketId, ...]:
        return tuple(dict.fromkeys(leg.market_id for leg in self.legs))


def pay_out(one: Stranger, resolved: MarketResolved, at: WallNs) -> tuple[Settled | AttemptChanged, ...]:
    """What the ledger writes about `one` when this market pays; nothing where it holds nothing of it."""
    mine = [index for index, leg in enumerate(one.legs) if leg.market_id == resolved.market_id]
    sizes = {
        outcome: sum(one.held(index) for index in mine if one.legs[index].outcome is outcome) for outcome in Outcome
    }
    if not any(sizes.values()):
        return ()
    yes, no = MicroShares(sizes[Outcome.YES]), MicroShares(sizes[Outcome.NO])
    cash = divide_down(yes * resolved.yes_pays, MICRO) + divide_down(no * (MICRO - resolved.yes_pays), MICRO)
    settled = Settled(
        at=at,
        attempt_id=one.attempt_id,
        set_id=one.set_id,
        market_id=resolved.market_id,
        kind="resolution",
        yes_size=yes,
        no_size=no,
        cash=MicroUsd(cash),
        winner=resolved.winner,
    )
    still = any(one.held(index) for index in range(len(one.legs)) if index not in mine)
    return settled, _changed(one, settled.kind, MicroUsd(one.cash_back + cash), at, still=still)


def merged(one: Stranger, size: MicroShares, at: WallNs) -> tuple[Settled | AttemptChanged, ...]:
    """`size` complete sets of its one market came back as cash."""
    cash = MicroUsd(size)
    settled = Settled(
        at=at,
        attempt_id=one.attempt_id,
        set_id=one.set_id,
        market_id=one.legs[0].market_id,
        kind="merge",
        yes_size=size,
        no_size=size,
        cash=cash,
    )
    still = any(one.held(index) > size for index in range(len(one.legs)))
    return settled, _changed(one, settled.kind, MicroUsd(one.cash_back + cash), at, still=still)


def _changed(one: Stranger, how: str, cash_back: MicroUsd, at: WallNs, *, still: bool) -> AttemptChanged:
    """`still` while something is held."""
    ending = one.ending
    if ending is None and not still:
        ending = Ending.PARTIAL if one.was_partial or len(set(one.bought)) > 1 else Ending.SUCCESS
    known = not still and one.fees_known
    return AttemptChanged(
        attempt_id=one.attempt_id,
        at=at,
        state="IDLE",
        ending=ending,
        filled=MicroShares(max(0, min(one.bought))),
        leg_costs=one.leg_costs,
        fees=one.fees,
        realized_pnl=MicroUsd(cash_back - sum(one.leg_costs) - one.fees) if known else None,
        open_position=still,
        resolution="" if still else how,
        detail="booked although its set is not configured any more",
    )
