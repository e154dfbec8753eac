"""Leg policies: which orders an attempt sends, in which order, at which limits (design section 5).

`thin_leg_first`: the leg with the least displayed depth goes alone; the others follow for exactly what it filled, at
most at break-even. If the thin leg misses, nothing is open. `together`: all legs at once, where speed matters more than
that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.attempt import Attempt
from models.execution import ExecutionTerms, LegTerms
from models.fees import taker_fee
from models.market import Action, Market
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros, cost_rounded_up, divide_down, divide_up
from models.order_life import OrderLife
from models.orders import OrderIntent, Purpose, TimeInForce, derive_client_order_id
from models.protection import ProtectionChoice, Remedy
from models.sets import LegPolicy


def first_legs(terms: ExecutionTerms, attempt: Attempt) -> tuple[int, ...]:
    """Legs that open the attempt. On equal depth the later leg goes first: it has had less time to move."""
    everyone = tuple(range(len(terms.legs)))
    if terms.complete_set.leg_policy is LegPolicy.TOGETHER:
        return everyone
    return (min(everyone, key=lambda leg: (attempt.depths[leg], -leg)),)


def policy_reason(terms: ExecutionTerms, attempt: Attempt) -> str:
    """Why these legs open, for the ledger."""
    policy = terms.complete_set.leg_policy
    if policy is LegPolicy.TOGETHER:
        return f"{policy.value}: all legs at once{', one batch' if terms.batch else ''}"
    leg = first_legs(terms, attempt)[0]
    return f"{policy.value}: leg {leg} shows the least depth ({attempt.depths[leg]} micro-shares)"


def opening_orders(terms: ExecutionTerms, attempt: Attempt) -> tuple[OrderLife, ...]:
    """The orders that open a try; empty where their worst case would not leave `min_edge` (I10)."""
    legs = first_legs(terms, attempt)
    for ticks in range(terms.limit_ticks_through, -1, -1):
        limits = {leg: _ticks_above(terms.legs[leg].market, attempt.reach[leg], ticks) for leg in legs}
        if _leaves_min_edge(terms, attempt, limits):
            return tuple(
                _order(terms, attempt, leg, Action.BUY, attempt.size, limits[leg], Purpose.OPEN) for leg in legs
            )
    return ()


def following_orders(terms: ExecutionTerms, attempt: Attempt) -> tuple[OrderLife, ...]:
    """The other legs after the thin one, for exactly what it filled and at most at break-even with fees.

    Empty where break-even lies below every price, or where a venue would not take an order that small: protection then
    decides.
    """
    filled = MicroShares(max(attempt.holdings))
    others = [leg for leg in range(len(terms.legs)) if attempt.held(leg) < filled]
    spent = sum(_at_limit(attempt, life) for life in attempt.orders)
    budget = MicroUsd(divide_down(terms.complete_set.payout * filled, MICRO) - spent)
    limits = _break_even(terms, attempt, others, filled, budget)
    markets = [terms.legs[leg].market for leg in others]
    if limits is None or not all(_taken(m, filled, p) for m, p in zip(markets, limits, strict=True)):
        return ()
    return tuple(
        _order(terms, attempt, leg, Action.BUY, filled, limit, Purpose.COMPLETE)
        for leg, limit in zip(others, limits, strict=True)
    )


def _at_limit(attempt: Attempt, life: OrderLife) -> int:
    """What a BUY cost at most: whether its executions are known by now must not change what follows it (I14)."""
    limit = life.intent.limit_price
    return cost_rounded_up(limit, life.filled) + taker_fee(attempt.fees[life.intent.leg], limit, life.filled)


def protective_orders(terms: ExecutionTerms, attempt: Attempt, choice: ProtectionChoice) -> tuple[OrderLife, ...]:
    purpose = Purpose.COMPLETE if choice.remedy is Remedy.COMPLETE else Purpose.UNWIND
    return tuple(
        _order(terms, attempt, order.leg, order.action, order.size, order.limit, purpose) for order in choice.orders
    )


def still_worth_it(terms: ExecutionTerms, attempt: Attempt, reach: Sequence[PriceMicros]) -> bool:
    """Whether a clean miss may be tried again where its size now needs these asks: none above what was approved, and
    the edge still there.
    """
    no_higher = all(fresh <= approved for fresh, approved in zip(reach, attempt.reach, strict=True))
    return no_higher and _leaves_min_edge(terms, attempt, dict(enumerate(reach)))


def _order(
    terms: ExecutionTerms,
    attempt: Attempt,
    leg: int,
    action: Action,
    size: MicroShares,
    limit: PriceMicros,
    purpose: Purpose,
) -> OrderLife:
    where = terms.legs[leg]
    intent = OrderIntent(
        client_order_id=derive_client_order_id(attempt.attempt_id, leg, attempt.next_sequence(leg)),
        attempt_id=attempt.attempt_id,
        set_id=attempt.set_id,
        venue=where.market.venue,
        market_id=where.market.market_id,
        leg=leg,
        outcome=where.outcome,
        action=action,
        limit_price=limit,
        size=size,
        time_in_force=_time_in_force(where, purpose),
        purpose=purpose,
    )
    return OrderLife(intent=intent, patience_ns=terms.order_timeout_ns, horizon_ns=where.horizon_ns)


def _time_in_force(leg: LegTerms, purpose: Purpose) -> TimeInForce:
    """IOC; all-or-nothing for an opening order whose partial fill could be too small for the venue to trade again."""
    strands = leg.market.min_size > leg.market.lot or leg.market.min_notional > 0
    if leg.fok and purpose is Purpose.OPEN and strands:
        return TimeInForce.FOK
    if leg.ioc:
        return TimeInForce.IOC
    return TimeInForce.FOK if leg.fok and purpose is Purpose.OPEN else TimeInForce.GTC


def _ticks_above(market: Market, ask: PriceMicros, ticks: int) -> PriceMicros:
    price = ask
    for _ in range(ticks):
        higher = market.price_rounded_up(PriceMicros(price + 1))
        if higher is None:
            break
        price = higher
    return price


def _leaves_min_edge(terms: ExecutionTerms, attempt: Attempt, limits: dict[int, PriceMicros]) -> bool:
    """Legs without a limit of their own count at the worst ask they need. Cross-multiplied: no rounded quotient is
    compared.
    """
    prices = [limits.get(leg, ask) for leg, ask in enumerate(attempt.reach)]
    left = terms.complete_set.payout - sum(prices) - terms.cost_buffer - terms.min_edge
    fees = sum(taker_fee(s, p, attempt.size) for s, p in zip(attempt.fees, prices, strict=True))
    return left * attempt.size >= fees * MICRO


def _break_even(
    terms: ExecutionTerms, attempt: Attempt, legs: Sequence[int], size: MicroShares, budget: MicroUsd
) -> list[PriceMicros] | None:
    """Limits of `legs` at which buying `size` of each with fees costs at most `budget`; the slack is shared equally."""

    def cost(leg: int, price: PriceMicros) -> int:
        return cost_rounded_up(price, size) + taker_fee(attempt.fees[leg], price, size)

    at_least = sum(cost(leg, attempt.reach[leg]) for leg in legs)
    share = divide_down((budget - at_least) * MICRO, size * len(legs))
    limits: list[PriceMicros] = []
    for leg in legs:
        wanted = min(attempt.reach[leg] + share, MICRO - 1)
        limit = terms.legs[leg].market.price_rounded_down(PriceMicros(wanted)) if wanted > 0 else None
        if limit is None:
            return None
        limits.append(limit)
    while sum(cost(leg, limit) for leg, limit in zip(legs, limits, strict=True)) > budget:
        highest = max(range(len(legs)), key=lambda i: limits[i])
        lower = terms.legs[legs[highest]].market.price_rounded_down(PriceMicros(limits[highest] - 1))
        if lower is None:
            return None
        limits[highest] = lower
    return limits


def _taken(market: Market, size: MicroShares, price: PriceMicros) -> bool:
    return size % market.lot == 0 and size >= market.min_size and price * size >= market.min_notional * MICRO


@dataclass(frozen=True, slots=True)
class WorstOpening:
    """The most that risk has to set aside for a set."""

    limits: tuple[PriceMicros, ...]
    """Per leg, the highest limit of an opening order."""
    notional: MicroUsd
    """With fees. Where legs follow at break-even, that is the whole payout."""
    orders: int
    """Opening orders, retries after clean misses included."""


def worst_opening(terms: ExecutionTerms, reach: Sequence[PriceMicros], size: MicroShares) -> WorstOpening:
    """What opening a set of `size` shares can cost at most where it needs these asks, retries included (they go no
    higher).
    """
    limits = tuple(
        _ticks_above(leg.market, ask, terms.limit_ticks_through) for leg, ask in zip(terms.legs, reach, strict=True)
    )
    cost = sum(
        cost_rounded_up(limit, size) + taker_fee(leg.market.fees, limit, size)
        for leg, limit in zip(terms.legs, limits, strict=True)
    )
    opening = len(terms.legs)
    if terms.complete_set.leg_policy is LegPolicy.THIN_LEG_FIRST:
        cost = max(cost, divide_up(terms.complete_set.payout * size, MICRO))
        opening = 1
    return WorstOpening(limits, MicroUsd(cost), opening * terms.max_attempts_per_round)
