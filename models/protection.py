"""What to do with a half-filled set: complete it, sell it back, or hold it, priced on fresh ladders with fees.

With `d` shares missing, already paid for at `paid`, as profit on those shares (field.md 5.3):

    complete = payout x d - paid - cost of buying what is missing - its fees
    unwind   = proceeds of selling the surplus - its fees - paid
    hold     = - paid                             the worst case; its expected value would need a view on the event

`paid` stands in all three, so it must not decide: the choice is between what completing costs and what selling brings.
It does count against the cap (`max_unwind_loss` per share), which holds for all that is sent, at its limit: a remedy
goes as far into its book as that allows. Beyond the cap nothing is sent, the set is held, reported, and priced again
later. An option whose book is not ready, empty or too small for the venue's minimums is *unavailable* (None), never
zero.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm
from typing import Final

from models.book import Levels
from models.fees import FeeSchedule, taker_fee
from models.market import Action, Market
from models.money import (
    MICRO,
    MicroShares,
    MicroUsd,
    PriceMicros,
    cost_rounded_up,
    divide_down,
    lot_rounded_down,
    proceeds_rounded_down,
)

STEPS_MAX: Final = 64
"""Sizes that are tried for one remedy."""


class Remedy(enum.StrEnum):
    """In order of preference where two cost the same."""

    COMPLETE = "complete"
    UNWIND = "unwind"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegHolding:
    """What one leg of the attempt holds, and the fresh book to mend it with."""

    market: Market
    held: MicroShares
    paid: MicroUsd
    """Everything spent on `held`, fees included."""
    ready: bool
    """False: the ladders below are not to be used."""
    bids: Levels
    asks: Levels
    """Best first, of this leg's outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectiveOrder:
    leg: int
    action: Action
    size: MicroShares
    limit: PriceMicros


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionChoice:
    """The decision with its three numbers and its inputs, as the ledger stores it."""

    remedy: Remedy
    why: str
    missing: MicroShares
    """Sets that are neither complete nor gone: largest less smallest holding."""
    compared_size: MicroShares
    """Sets for which the three numbers below stand."""
    complete: MicroUsd | None
    unwind: MicroUsd | None
    hold: MicroUsd
    cap: MicroUsd
    """Largest loss per share that is allowed."""
    untradable: bool
    """Below what the venue takes on either side whatever the price: nothing can be sent, now or later."""
    orders: tuple[ProtectiveOrder, ...]
    inputs: tuple[LegHolding, ...]


@dataclass(frozen=True, slots=True)
class _Walk:
    """What a taker gets for `size` on one ladder."""

    amount: MicroUsd
    fees: MicroUsd
    worst: PriceMicros


def choose(
    legs: Sequence[LegHolding], *, payout: MicroUsd, lot: MicroShares, cap: MicroUsd, forbidden: str = ""
) -> ProtectionChoice:
    """The cheapest allowed remedy for an attempt whose legs hold unequal shares. `payout` and `cap` per share.

    `forbidden` is a reason not to buy (a venue in post-only weather); empty for none.
    """
    low, high = min(leg.held for leg in legs), max(leg.held for leg in legs)
    missing = MicroShares(high - low)
    paid = _paid_on_surplus(legs, low)
    complete_size = MicroShares(0) if forbidden else _completable(legs, low, high, lot)
    unwind_size = _unwindable(legs, low, high)
    compared = MicroShares(min((s for s in (complete_size, unwind_size) if s), default=missing))
    sunk = MicroUsd(_sunk(paid, compared, missing))

    complete = _complete(legs, low, compared, payout) if complete_size else None
    unwind = _unwind(legs, high, compared) if unwind_size else None
    numbers = {Remedy.COMPLETE: complete, Remedy.UNWIND: unwind}
    priced = [(value, way) for way, value in numbers.items() if value is not None]
    available = sorted(priced, key=lambda option: -option[0])  # of equals the first: complete
    remedy, why = Remedy.HOLD, "neither book offers a way out"
    orders: tuple[ProtectiveOrder, ...] = ()
    rest = _Rest(legs, low, high, paid, payout, lot, cap)
    for _, way in available:
        size = rest.within_cap(way, complete_size if way is Remedy.COMPLETE else unwind_size, compared)
        if size:
            remedy, orders = way, rest.orders(way, size)
            break
    if available:
        why = _why(remedy, available)
    return ProtectionChoice(
        remedy=remedy,
        why=why,
        missing=missing,
        compared_size=compared,
        complete=None if complete is None else MicroUsd(complete - sunk),
        unwind=None if unwind is None else MicroUsd(unwind - sunk),
        hold=MicroUsd(-sunk),
        cap=cap,
        untradable=_untradable(legs, low, high),
        orders=orders,
        inputs=tuple(legs),
    )


def _why(remedy: Remedy, available: Sequence[tuple[MicroUsd, Remedy]]) -> str:
    """In words; `available` is not empty, the cheapest first."""
    cheapest = available[0][1]
    if remedy is not cheapest:
        return f"{cheapest.value} would lose more than max_unwind_loss"
    if remedy is Remedy.COMPLETE:
        return "completing costs less than selling back" if len(available) > 1 else "nothing can be sold back"
    return "selling back costs less than completing" if len(available) > 1 else "nothing can be completed"


@dataclass(frozen=True, slots=True)
class _Rest:
    """What there is to mend, and how much of it a remedy may do at once."""

    legs: Sequence[LegHolding]
    low: MicroShares
    high: MicroShares
    paid: MicroUsd
    """For what is above the complete sets."""
    payout: MicroUsd
    lot: MicroShares
    cap: MicroUsd

    def within_cap(self, remedy: Remedy, most: MicroShares, compared: MicroShares) -> MicroShares:
        """The largest part, of `most` that the book offers, that can lose no more than the cap per share, even if all
        of it should come at the limit; 0 for none. The numbers were compared on `compared` sets: beyond them the ladder
        may be steeper than anybody looked, and what it displays may be gone before the order is there.

        Of a book of very many prices only some are tried, the best and the last among them: each is a walk of its own,
        and a venue must not hold up the executor with ten thousand levels of a hundredth of a share.
        """
        found = {most, *(self._step(remedy, depth) for depth in self._depths(remedy))}
        steps = sorted(size for size in found if 0 < size <= most)
        tried = {compared, *steps[:1], *steps[:: -(-len(steps) // STEPS_MAX) or 1], most}
        fit = (s for s in sorted(tried, reverse=True) if 0 < s <= most and self._loses_no_more(remedy, s))
        return MicroShares(next(fit, 0))

    def _depths(self, remedy: Remedy) -> list[int]:
        """Sets up to which each price of each book that is needed lasts."""
        found = []
        for leg in self.legs:
            buys = remedy is Remedy.COMPLETE
            if leg.held >= self.high if buys else leg.held <= self.low:
                continue
            there = leg.held - self.low if buys else self.high - leg.held
            for _, size in leg.asks if buys else leg.bids:
                there += size
                found.append(there)
        return found

    def _step(self, remedy: Remedy, size: int) -> MicroShares:
        """Rounded down to what is bought, or sold, in whole lots."""
        if remedy is Remedy.COMPLETE:
            return MicroShares(lot_rounded_down(MicroShares(self.low + size), self.lot) - self.low)
        lots = (leg.market.lot_of(Action.SELL) for leg in self.legs if leg.held > self.low)
        return lot_rounded_down(MicroShares(size), MicroShares(lcm(*lots)))

    def _loses_no_more(self, remedy: Remedy, size: MicroShares) -> bool:
        if self._step(remedy, size) != size or not self._taken(remedy, size):
            return False
        value = divide_down(self.payout * size, MICRO) if remedy is Remedy.COMPLETE else 0
        for order in self.orders(remedy, size):
            fee = taker_fee(self.legs[order.leg].market.fees, order.limit, order.size)
            if order.action is Action.BUY:
                value -= cost_rounded_up(order.limit, order.size) + fee
            else:
                value += proceeds_rounded_down(order.limit, order.size) - fee
        return value >= _sunk(self.paid, size, self.high - self.low) - divide_down(self.cap * size, MICRO)

    def orders(self, remedy: Remedy, size: MicroShares) -> tuple[ProtectiveOrder, ...]:
        return _buys(self.legs, self.low, size) if remedy is Remedy.COMPLETE else _sells(self.legs, self.high, size)

    def _taken(self, remedy: Remedy, size: MicroShares) -> bool:
        if remedy is Remedy.COMPLETE:
            to = self.low + size
            return all(
                _allowed(leg.market, Action.BUY, MicroShares(to - leg.held), leg.asks)
                for leg in self.legs
                if leg.held < to
            )
        down_to = self.high - size
        return all(
            _allowed(leg.market, Action.SELL, MicroShares(leg.held - down_to), leg.bids)
            for leg in self.legs
            if leg.held > down_to
        )


def _sunk(paid: MicroUsd, size: MicroShares, missing: int) -> int:
    """What has been paid for `size` of `missing` shares, rounded up."""
    return -divide_down(-paid * size, missing) if missing else 0


def _paid_on_surplus(legs: Sequence[LegHolding], low: MicroShares) -> MicroUsd:
    """What the shares above the complete sets have cost, rounded up. (A reversal can leave a leg below nothing.)"""
    floor = max(low, 0)
    return MicroUsd(sum(-divide_down(-leg.paid * (leg.held - floor), leg.held) for leg in legs if leg.held > floor))


def _depth(levels: Levels) -> int:
    return sum(size for _, size in levels)


def _completable(legs: Sequence[LegHolding], low: MicroShares, high: MicroShares, lot: MicroShares) -> MicroShares:
    """How many sets above `low` every short leg can be bought up to, on the common lot; 0 where it cannot be done."""
    short = [leg for leg in legs if leg.held < high]
    if any(not leg.ready or not leg.asks for leg in short):
        return MicroShares(0)
    reach = min([high, *(leg.held + _depth(leg.asks) for leg in short)])
    size = MicroShares(lot_rounded_down(MicroShares(reach), lot) - low)
    if size <= 0:
        return MicroShares(0)
    needs = [(leg, MicroShares(low + size - leg.held)) for leg in short if leg.held < low + size]
    return size if all(_allowed(leg.market, Action.BUY, need, leg.asks) for leg, need in needs) else MicroShares(0)


def _unwindable(legs: Sequence[LegHolding], low: MicroShares, high: MicroShares) -> MicroShares:
    """By how much the largest holdings can be sold down, never below nothing; 0 where it cannot be done. In the lots of
    those markets alone: what they hold too much of may be less than the common lot of the set.
    """
    long = [leg for leg in legs if leg.held > low]
    if any(not leg.ready or not leg.bids for leg in long):
        return MicroShares(0)
    floor = max([low, 0, *(leg.held - _depth(leg.bids) for leg in long)])
    size = lot_rounded_down(
        MicroShares(high - floor), MicroShares(lcm(*(leg.market.lot_of(Action.SELL) for leg in long)))
    )
    if size <= 0:
        return MicroShares(0)
    sales = [(leg, MicroShares(leg.held - (high - size))) for leg in long if leg.held > high - size]
    return size if all(_allowed(leg.market, Action.SELL, sale, leg.bids) for leg, sale in sales) else MicroShares(0)


def _allowed(market: Market, action: Action, size: MicroShares, levels: Levels) -> bool:
    """Whether the venue takes an order of this size at the best of these prices."""
    fits = size % market.lot_of(action) == 0 and size >= market.least_take
    return fits and levels[0][0] * size >= market.min_notional * MICRO


def _untradable(legs: Sequence[LegHolding], low: MicroShares, high: MicroShares) -> bool:
    """Even at a price of one dollar no single order of this size would be taken: on no leg, on neither side."""
    buys = [(leg.market, Action.BUY, high - leg.held) for leg in legs if leg.held < high]
    sales = [(leg.market, Action.SELL, leg.held - low) for leg in legs if leg.held > low]
    return not any(
        size >= max(m.lot_of(action), m.least_take) and size > m.min_notional for m, action, size in buys + sales
    )


def _complete(legs: Sequence[LegHolding], low: MicroShares, size: MicroShares, payout: MicroUsd) -> MicroUsd:
    walks = [_walk(leg.asks, MicroShares(low + size - leg.held), leg.market.fees, Action.BUY) for leg in legs]
    gained = divide_down(payout * size, MICRO)
    return MicroUsd(gained - sum(walk.amount + walk.fees for walk in walks))


def _unwind(legs: Sequence[LegHolding], high: MicroShares, size: MicroShares) -> MicroUsd:
    walks = [_walk(leg.bids, MicroShares(leg.held - (high - size)), leg.market.fees, Action.SELL) for leg in legs]
    return MicroUsd(sum(walk.amount - walk.fees for walk in walks))


def _walk(levels: Levels, size: MicroShares, fees: FeeSchedule, action: Action) -> _Walk:
    """Take `size` (0 or less: nothing) from the best level on. The caller has checked that it is there."""
    rounded = cost_rounded_up if action is Action.BUY else proceeds_rounded_down
    left, amount, charged, worst = size, 0, 0, 0
    for price, there in levels:
        if left <= 0:
            break
        take = MicroShares(min(left, there))
        amount += rounded(PriceMicros(price), take)
        charged += taker_fee(fees, PriceMicros(price), take)
        worst = price
        left = MicroShares(left - take)
    return _Walk(MicroUsd(amount), MicroUsd(charged), PriceMicros(worst))


def _buys(legs: Sequence[LegHolding], low: MicroShares, size: MicroShares) -> tuple[ProtectiveOrder, ...]:
    needs = [(index, leg, MicroShares(low + size - leg.held)) for index, leg in enumerate(legs)]
    return tuple(
        ProtectiveOrder(
            leg=index,
            action=Action.BUY,
            size=need,
            limit=_walk(leg.asks, need, leg.market.fees, Action.BUY).worst,
        )
        for index, leg, need in needs
        if need > 0
    )


def _sells(legs: Sequence[LegHolding], high: MicroShares, size: MicroShares) -> tuple[ProtectiveOrder, ...]:
    sales = [(index, leg, MicroShares(leg.held - (high - size))) for index, leg in enumerate(legs)]
    return tuple(
        ProtectiveOrder(
            leg=index,
            action=Action.SELL,
            size=sale,
            limit=_walk(leg.bids, sale, leg.market.fees, Action.SELL).worst,
        )
        for index, leg, sale in sales
        if sale > 0
    )
