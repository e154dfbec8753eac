"""Whether a proposed set may be tried: an ordered tuple of small named checks, and the reservations they stand on.

A review is a pure function of one `Review` value, which holds everything the checks look at and nothing else. Its
canonical JSON is stored with the opportunity, so `why` can judge again and must come to the same words (`judge_again`).

Money that is open or unknown counts in full until its attempt is released. A day is the UTC date of the wall clock at
the reservation; a clock that steps back never gives a day's notional back (K03).

This is the only file that constructs an `ApprovedSet`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from models.clock import MINUTE, BootNs, WallNs, utc_day
from models.config_trading import Execution, Risk
from models.execution import ExecutionTerms
from models.first_use import make_structs_ready
from models.legs import worst_opening
from models.market import MarketId, SetId
from models.messages import ApprovedSet, MarketsReleased, Opportunity
from models.money import MicroShares, MicroUsd, PriceMicros, text
from models.orders import AttemptId
from models.signal import SkipReason
from models.status import Gauge

REMEMBERED: Final = 256
"""Released attempts that are still recognised when they are released again (a late fill)."""

Refusal = tuple[SkipReason, str]


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's limits as exact integers; part of every stored review, so it survives an edited configuration."""

    max_daily_notional: MicroUsd
    max_open_positions: int
    max_orders_per_minute: int
    max_order_size: MicroShares
    price_collar: MicroUsd
    """Most that an opening limit may lie above the best ask, per share."""
    duplicate_window_ns: int
    daily_notional_halts: bool
    """Reaching `max_daily_notional` trips the kill switch instead of only refusing."""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one judgement uses. Field order is the canonical order of its JSON."""

    limits: RiskLimits
    halted: str | None
    halted_markets: tuple[MarketId, ...]
    """Of this set, by the operator or after a partial fill."""
    reserved_markets: tuple[MarketId, ...]
    """Of this set, in flight in another attempt."""
    unresolved_markets: tuple[MarketId, ...]
    """Of this set, with an earlier attempt unknown or naked."""
    size: MicroShares
    asks: tuple[PriceMicros, ...]
    reach: tuple[PriceMicros, ...]
    """Worst ask of each leg that `size` needs, as the signal found it."""
    opening_limits: tuple[PriceMicros, ...]
    """Highest limit that an opening order of each leg may carry."""
    notional: MicroUsd
    """Most that the attempt's openings can cost with fees."""
    same_prices_ago_ns: int | None
    """Since this set was last approved at exactly these asks."""
    orders: int
    """Opening orders that this attempt may come to send."""
    orders_last_minute: int
    """Handed over, or still allowed to attempts in flight."""
    positions: int
    """In flight and held."""
    spent_today: MicroUsd
    reserved: MicroUsd
    """By attempts that are open or unknown, in full."""
    cash: MicroUsd | None
    """Spendable and not reserved; None in paper mode, or not known yet."""
    spends: bool = False
    """Real orders: what is spendable has to be known. (Not in reviews of before this field.)"""


# -- the checks, in order --------------------------------------------------------------------------------------------


def not_halted(r: Review) -> Refusal | None:
    return None if r.halted is None else (SkipReason.HALTED, r.halted)


def markets_not_halted(r: Review) -> Refusal | None:
    return (SkipReason.MARKET_HALTED, ", ".join(r.halted_markets)) if r.halted_markets else None


def markets_free(r: Review) -> Refusal | None:
    """No two attempts share a market in flight (I4): the reservation is the admission."""
    return (SkipReason.RESERVED, ", ".join(r.reserved_markets)) if r.reserved_markets else None


def markets_resolved(r: Review) -> Refusal | None:
    """Nothing opens where an earlier attempt is unknown or naked (I4)."""
    return (SkipReason.UNRESOLVED, ", ".join(r.unresolved_markets)) if r.unresolved_markets else None


def order_size_allowed(r: Review) -> Refusal | None:
    if 0 < r.size <= r.limits.max_order_size:
        return None
    return SkipReason.ORDER_SIZE, f"{text(r.size)} shares, limit {text(r.limits.max_order_size)}"


def inside_price_collar(r: Review) -> Refusal | None:
    for limit, ask in zip(r.opening_limits, r.asks, strict=True):
        if not limit - ask <= r.limits.price_collar:
            return SkipReason.PRICE_COLLAR, f"limit {text(limit)} over ask {text(ask)}"
    return None


def not_a_duplicate(r: Review) -> Refusal | None:
    if r.same_prices_ago_ns is None or r.same_prices_ago_ns >= r.limits.duplicate_window_ns:
        return None
    return SkipReason.DUPLICATE, f"approved at these prices {r.same_prices_ago_ns // 1_000_000} ms ago"


def order_rate_allowed(r: Review) -> Refusal | None:
    if r.orders_last_minute + r.orders <= r.limits.max_orders_per_minute:
        return None
    return SkipReason.ORDER_RATE, f"{r.orders_last_minute} opening orders in the last minute"


def positions_allowed(r: Review) -> Refusal | None:
    if r.positions < r.limits.max_open_positions:
        return None
    return SkipReason.OPEN_POSITIONS, f"{r.positions} open, limit {r.limits.max_open_positions}"


def daily_notional_allowed(r: Review) -> Refusal | None:
    used = r.spent_today + r.reserved
    if used + r.notional <= r.limits.max_daily_notional:
        return None
    return (
        SkipReason.DAILY_NOTIONAL,
        f"{text(used)} used, {text(r.notional)} wanted, limit {text(r.limits.max_daily_notional)}",
    )


def cash_enough(r: Review) -> Refusal | None:
    """The worst case of all legs is there before the first one is sent (V04)."""
    if r.cash is None:
        return (SkipReason.CASH, "what is spendable is not known yet") if r.spends else None
    if r.notional <= r.cash:
        return None
    return SkipReason.CASH, f"{text(r.cash)} spendable, {text(r.notional)} wanted"


Check = Callable[[Review], Refusal | None]
CHECKS: Final[tuple[Check, ...]] = (
    not_halted,
    markets_not_halted,
    markets_free,
    markets_resolved,
    order_size_allowed,
    inside_price_collar,
    not_a_duplicate,
    order_rate_allowed,
    positions_allowed,
    daily_notional_allowed,
    cash_enough,
)


def judge(r: Review) -> Refusal | None:
    """The first refusal, or None where the set may be tried."""
    return next((refusal for check in CHECKS if (refusal := check(r)) is not None), None)


def judge_again(risk_inputs: bytes) -> tuple[SkipReason | None, str]:
    """Recompute a stored review from its JSON alone. Raises `msgspec.DecodeError` where the text is not a review."""
    refusal = judge(msgspec.json.decode(risk_inputs, type=Review))
    return (None, "") if refusal is None else refusal


# -- what a review stands on -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    attempt_id: AttemptId
    set_id: SetId
    market_ids: tuple[MarketId, ...]
    notional: MicroUsd
    day: int
    orders: int = 0
    """Opening orders that the attempt may come to send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskState:
    """Everything that is reserved, spent or held. Owned by the RiskActor; each change is a new value."""

    day: int
    """Days since 1970 UTC; never goes back."""
    spent_today: MicroUsd = MicroUsd(0)
    reservations: tuple[Reservation, ...] = ()
    held: frozenset[tuple[AttemptId, SetId]] = frozenset()
    """Attempts whose complete sets have not come back as cash."""
    resolved: frozenset[MarketId] = frozenset()
    unresolved: frozenset[MarketId] = frozenset()
    approved_at: tuple[BootNs, ...] = ()
    """One entry per opening order of attempts that ended within the last minute, as of their end."""
    approved_prices: tuple[tuple[SetId, tuple[PriceMicros, ...], BootNs], ...] = ()
    """Latest approval of each set."""
    released: tuple[tuple[AttemptId, MicroUsd], ...] = ()
    cash_changes: tuple[tuple[AttemptId, MicroUsd], ...] = ()
    """What the newest released attempts have done to the cash, so that a second release counts the difference only."""
    cash: MicroUsd | None = None
    """Spendable as the venue last said, with the released attempts since; None: not known, or paper."""

    @property
    def reserved(self) -> MicroUsd:
        return MicroUsd(sum(r.notional for r in self.reservations))


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What the gate says and what the clocks show at this moment."""

    now: BootNs
    wall: WallNs
    halted: str | None = None
    halted_markets: Collection[MarketId] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """`approved` or a refusal, and the canonical JSON of what was judged."""

    approved: ApprovedSet | None
    refusal: SkipReason | None
    detail: str
    inputs: bytes


def limits_from(risk: Risk, execution: Execution) -> RiskLimits:
    return RiskLimits(
        max_daily_notional=risk.max_daily_notional_micros,
        max_open_positions=risk.max_open_positions,
        max_orders_per_minute=risk.max_orders_per_minute,
        max_order_size=execution.max_order_size_micros,
        price_collar=risk.price_collar_micros,
        duplicate_window_ns=risk.duplicate_window_ns,
        daily_notional_halts=risk.kill_switch_conditions.daily_notional,
    )


def review(
    state: RiskState,
    opportunity: Opportunity,
    terms: ExecutionTerms,
    limits: RiskLimits,
    weather: Weather,
    attempt_id: AttemptId,
) -> tuple[RiskState, Judgement]:
    """Judge a proposal and, where it is approved, reserve its markets and its notional under `attempt_id`."""
    state = _today(state, weather)
    inputs = _inputs(state, opportunity, terms, limits, weather)
    encoded = msgspec.json.encode(inputs)
    refusal = judge(inputs)
    if refusal is not None:
        return state, Judgement(approved=None, refusal=refusal[0], detail=refusal[1], inputs=encoded)
    set_id = opportunity.set_id
    reservation = Reservation(
        attempt_id=attempt_id,
        set_id=set_id,
        market_ids=terms.market_ids,
        notional=inputs.notional,
        day=state.day,
        orders=inputs.orders,
    )
    prices = tuple(entry for entry in state.approved_prices if entry[0] != set_id)
    state = replace(
        state,
        reservations=(*state.reservations, reservation),
        approved_prices=(*prices, (set_id, inputs.asks, weather.now)),
    )
    approved = ApprovedSet(attempt_id=attempt_id, opportunity=opportunity, size=inputs.size, reserved=inputs.notional)
    return state, Judgement(approved=approved, refusal=None, detail="", inputs=encoded)


def release(
    state: RiskState, released: MarketsReleased, markets: Mapping[SetId, tuple[MarketId, ...]], now: BootNs
) -> RiskState:
    """An attempt has ended: its reservation becomes what it really spent. Doing it twice changes nothing."""
    attempt_id = released.attempt_id
    before = dict(state.released)
    reservation = next((r for r in state.reservations if r.attempt_id == attempt_id), None)
    today = reservation is None or reservation.day == state.day
    more = max(0, released.spent - before.get(attempt_id, 0)) if today else 0
    before.pop(attempt_id, None)
    position = (attempt_id, released.set_id)
    changes = dict(state.cash_changes)
    change = released.cash_change - changes.pop(attempt_id, 0)
    held = state.held | {position} if released.open_position else state.held - {position}
    opened = released.opened if reservation is not None and reservation.orders else 0
    return replace(
        state,
        approved_at=(*state.approved_at, *(now for _ in range(opened))),
        spent_today=MicroUsd(state.spent_today + more),
        reservations=tuple(r for r in state.reservations if r.attempt_id != attempt_id),
        held=held,
        unresolved=state.unresolved - frozenset(markets.get(released.set_id, ())),
        released=(*before.items(), (attempt_id, released.spent))[-REMEMBERED:],
        cash_changes=(*changes.items(), (attempt_id, released.cash_change))[-REMEMBERED:],
        cash=None if state.cash is None else MicroUsd(state.cash + change),
    )


def cash_seen(state: RiskState, cash: MicroUsd) -> RiskState:
    """The venue was asked while nothing was in flight."""
    return replace(state, cash=cash)


def unresolved(state: RiskState, market_ids: Collection[MarketId]) -> RiskState:
    """Something on these markets is unknown or naked although no reservation may cover it."""
    return replace(state, unresolved=state.unresolved | frozenset(market_ids))


def resolved(state: RiskState, market_id: MarketId, markets: Mapping[SetId, tuple[MarketId, ...]]) -> RiskState:
    """A market paid out: sets whose markets have all done so are no longer open positions."""
    done = state.resolved | {market_id}
    held = frozenset(p for p in state.held if not done.issuperset(markets.get(p[1], (MarketId(""),))))
    return replace(state, resolved=done, held=held)


def gauges(state: RiskState, limits: RiskLimits, now: BootNs) -> tuple[Gauge, ...]:
    """The used part of every limit that has one, for `status`."""
    recent = sum(now - at < MINUTE for at in state.approved_at) + sum(r.orders for r in state.reservations)
    return (
        Gauge(
            name="daily_notional",
            used=state.spent_today + state.reserved,
            limit=limits.max_daily_notional,
            money=True,
        ),
        Gauge(name="open_positions", used=_positions(state), limit=limits.max_open_positions),
        Gauge(name="orders_per_minute", used=recent, limit=limits.max_orders_per_minute, window_ns=MINUTE),
    )


def _today(state: RiskState, weather: Weather) -> RiskState:
    """A new UTC day starts with nothing spent; an earlier date is a clock that stepped back and changes nothing."""
    recent = tuple(at for at in state.approved_at if weather.now - at < MINUTE)
    day = utc_day(weather.wall)
    if day > state.day:
        return replace(state, day=day, spent_today=MicroUsd(0), approved_at=recent)
    return state if len(recent) == len(state.approved_at) else replace(state, approved_at=recent)


def _positions(state: RiskState) -> int:
    return len({attempt_id for attempt_id, _ in state.held} | {r.attempt_id for r in state.reservations})


def _inputs(
    state: RiskState, opportunity: Opportunity, terms: ExecutionTerms, limits: RiskLimits, weather: Weather
) -> Review:
    size = opportunity.decision.size
    asks = tuple(PriceMicros(top.ask(leg.outcome) or 0) for top, leg in zip(opportunity.tops, terms.legs, strict=True))
    reach = opportunity.decision.reach
    worst = worst_opening(terms, reach, size)
    reserved = {market for r in state.reservations for market in r.market_ids}
    last = next((e for e in state.approved_prices if e[0] == opportunity.set_id and e[1] == asks), None)
    mine = terms.market_ids
    return Review(
        limits=limits,
        halted=weather.halted,
        halted_markets=tuple(m for m in mine if m in weather.halted_markets),
        reserved_markets=tuple(m for m in mine if m in reserved),
        unresolved_markets=tuple(m for m in mine if m in state.unresolved),
        size=size,
        asks=asks,
        reach=reach,
        opening_limits=worst.limits,
        notional=worst.notional,
        same_prices_ago_ns=None if last is None else weather.now - last[2],
        orders=worst.orders,
        orders_last_minute=len(state.approved_at) + sum(r.orders for r in state.reservations),
        positions=_positions(state),
        spent_today=state.spent_today,
        reserved=state.reserved,
        cash=None if state.cash is None else MicroUsd(state.cash - state.reserved),
        spends=terms.mode == "live",
    )


make_structs_ready(globals())
