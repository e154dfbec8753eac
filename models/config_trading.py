"""What is traded, how, within which limits, and how the outcome is judged.

Every field: its kind gives unit and bounds, its description what it does. Defaults are for paper trading with small
sizes; in `mode: live` the limits have no defaults (`models/config_rules.py`). Money fields are exact Decimals as people
write them; the properties with a unit in their name (`_micros`, `_ns`) are the integers that the program computes with.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from models.clock import seconds_ns
from models.config_kinds import Amount, Bounds, Count, Flag, Seconds, Word
from models.config_section import PER_SHARE, SIZE, Section, shares, usd
from models.money import MicroShares, MicroUsd
from models.sets import LegPolicy
from models.sizing import Sizing


class Mode(enum.StrEnum):
    """PAPER sends nothing to an order endpoint. LIVE also needs `--live` on the command line."""

    PAPER = "paper"
    LIVE = "live"


class HaltScope(enum.StrEnum):
    """What a partial fill halts."""

    GLOBAL = "global"
    MARKET = "market"


class Strategy(Section):
    min_edge: Annotated[Decimal, Amount(PER_SHARE, Bounds(above="0", at_most="0.5"))] = Field(
        default=Decimal("0.005"),
        description="Smallest expected profit that is traded, after cost_buffer and again after fees.",
    )
    cost_buffer: Annotated[Decimal, Amount(PER_SHARE, Bounds(at_least="0", at_most="0.5"))] = Field(
        default=Decimal("0.002"),
        description="Your own margin for slippage. Venue fees are computed apart and come on top.",
    )
    min_depth: Annotated[Decimal, Amount("shares", SIZE)] = Field(
        default=Decimal(10),
        description="Least size at the best ask of every leg; order_size counts where it is larger.",
    )
    sizing: Annotated[Sizing, Word({s.value: s for s in Sizing})] = Field(
        default=Sizing.FIXED,
        description="fixed takes order_size; depth takes what the books offer while it clears min_edge.",
    )
    min_minutes_to_close: Annotated[int, Count("minutes", 0, 525_600)] = Field(
        default=10, description="No new set in a market that closes sooner than this."
    )

    @property
    def min_edge_micros(self) -> MicroUsd:
        return usd(self.min_edge)

    @property
    def cost_buffer_micros(self) -> MicroUsd:
        return usd(self.cost_buffer)

    @property
    def min_depth_micros(self) -> MicroShares:
        return shares(self.min_depth)


class Execution(Section):
    order_size: Annotated[Decimal, Amount("shares of each leg", SIZE)] = Field(
        default=Decimal(10), description="Size of one set. Rounded down to the common lot of its legs."
    )
    max_order_size: Annotated[Decimal | None, Amount("shares of each leg", SIZE, optional=True)] = Field(
        default=None, description="Largest set with sizing: depth. Empty = order_size."
    )
    max_attempts_per_round: Annotated[int, Count("attempts", 1, 20)] = Field(
        default=3, description="Tries of one opportunity that filled nothing, before the cooldown."
    )
    order_timeout_seconds: Annotated[float, Seconds(Bounds(at_least="0.05", at_most="60"))] = Field(
        default=3.0,
        description="After this an order without an answer is in doubt: the venue is asked, nothing is sent again.",
    )
    max_inflight_seconds: Annotated[float, Seconds(Bounds(at_least="0.1", at_most="600"))] = Field(
        default=15.0, description="After this an attempt goes into protection, in whatever state it is."
    )
    cooldown_seconds: Annotated[float, Seconds(Bounds(at_least="0", at_most="3600"))] = Field(
        default=5.0, description="Pause of a set after an attempt."
    )
    leg_policy: Annotated[LegPolicy, Word({p.value: p for p in LegPolicy})] = Field(
        default=LegPolicy.THIN_LEG_FIRST, description="Order in which legs go out; a set may state its own."
    )
    max_unwind_loss: Annotated[Decimal, Amount("USD per share", Bounds(at_least="0", at_most="1"))] = Field(
        default=Decimal("0.05"), description="Most that completing or selling back a half-filled set may cost."
    )
    limit_ticks_through: Annotated[int, Count("ticks", 0, 10)] = Field(
        default=0, description="How far above the worst ask that its size needs a limit may lie. 0 = at it."
    )
    confirm_gap_with_snapshot: Annotated[bool, Flag()] = Field(
        default=True, description="On a unified book a gap is traded only after a fresh snapshot shows it too."
    )

    @property
    def order_size_micros(self) -> MicroShares:
        return shares(self.order_size)

    @property
    def max_order_size_micros(self) -> MicroShares:
        return shares(self.order_size if self.max_order_size is None else self.max_order_size)

    @property
    def max_unwind_loss_micros(self) -> MicroUsd:
        return usd(self.max_unwind_loss)

    @property
    def order_timeout_ns(self) -> int:
        return seconds_ns(self.order_timeout_seconds)

    @property
    def max_inflight_ns(self) -> int:
        return seconds_ns(self.max_inflight_seconds)

    @property
    def cooldown_ns(self) -> int:
        return seconds_ns(self.cooldown_seconds)


class Window(Section):
    """A kill-switch condition: this many events within so many minutes stop trading."""

    count: Annotated[int, Count("events", 1, 1_000_000)] = Field(description="The event that trips.")
    minutes: Annotated[int, Count("minutes", 1, 1_440)] = Field(description="Length of the sliding window.")

    @property
    def window_ns(self) -> int:
        return seconds_ns(60 * self.minutes)


class KillSwitch(Section):
    partials: Window = Field(default=Window(count=2, minutes=60), description="Sets of which only a part filled.")
    rejects: Window = Field(default=Window(count=5, minutes=10), description="Orders that the venue refused.")
    disconnects: Window = Field(
        default=Window(count=5, minutes=10), description="Losses of the market data connection."
    )
    daily_notional: Annotated[bool, Flag()] = Field(
        default=True, description="Whether reaching max_daily_notional halts, instead of only refusing further sets."
    )


class Risk(Section):
    max_daily_notional: Annotated[Decimal, Amount("USD per UTC day", Bounds(above="0", at_most="10000000"))] = Field(
        default=Decimal(500), description="Cost of all opening orders of a day; open and unknown ones count in full."
    )
    max_open_positions: Annotated[int, Count("sets", 1, 10_000)] = Field(
        default=5, description="Sets in flight or held that are not yet merged, netted or resolved."
    )
    max_orders_per_minute: Annotated[int, Count("orders per minute", 1, 6_000)] = Field(
        default=60, description="Opening orders. Cancels and protective orders have their own budget."
    )
    price_collar: Annotated[Decimal, Amount("USD per share", Bounds(at_least="0", at_most="1"))] = Field(
        default=Decimal("0.02"),
        description="Most that a limit may lie above the best ask; sizing: depth looks no deeper.",
    )
    duplicate_window_seconds: Annotated[float, Seconds(Bounds(at_least="0", at_most="3600"))] = Field(
        default=2.0, description="The same set at the same prices is not approved twice within this time."
    )
    halt_on_partial_fill: Annotated[bool, Flag()] = Field(
        default=True, description="Stop opening new sets after the first half-filled one; protection goes on."
    )
    halt_scope: Annotated[HaltScope, Word({s.value: s for s in HaltScope})] = Field(
        default=HaltScope.GLOBAL, description="What a partial fill halts: everything, or the markets of that set."
    )
    kill_switch_conditions: KillSwitch = Field(
        default=KillSwitch(), description="Each of these stops all new sets until you type resume."
    )

    @property
    def max_daily_notional_micros(self) -> MicroUsd:
        return usd(self.max_daily_notional)

    @property
    def price_collar_micros(self) -> MicroUsd:
        return usd(self.price_collar)

    @property
    def duplicate_window_ns(self) -> int:
        return seconds_ns(self.duplicate_window_seconds)


class Paper(Section):
    latency_ms: Annotated[int, Count("milliseconds", 0, 60_000)] = Field(
        default=250, description="The shifted fill uses the books this long after the decision."
    )
    latency_grid_ms: tuple[Annotated[int, Count("milliseconds", 0, 60_000)], ...] = Field(
        default=(50, 100, 250, 500, 1_000),
        strict=False,
        description="The pessimistic fill is the worst over these, rising.",
    )


class Evaluation(Section):
    min_sets: Annotated[int, Count("completed sets", 1, 1_000_000)] = Field(
        default=50, description="The verdict is due after this many completed sets, or after min_days."
    )
    min_days: Annotated[int, Count("days", 1, 3_650)] = Field(
        default=7, description="The verdict is due after this many days of running, or after min_sets."
    )
    target_avg_net_pnl: Annotated[
        Decimal, Amount("USD per completed set", Bounds(at_least="-1000000", at_most="1000000"))
    ] = Field(default=Decimal(0), description="It passes when the average net profit lies above this.")
