"""Fault levers: everything that can go wrong at a venue, as a plan that says when and how often.

A plan is YAML or JSON: `rules` (how the venue settles and shows things) and `levers`, each with a name and a trigger:

    levers:
      - {lever: close, at: 40s}                           once, 40 s after the start
      - {lever: drop, every: 60s, market: fed-cut-dec}    the next frame of that market, again every minute
      - {lever: thief, chance: 0.1, leg: second}          each second leg with this chance, without end
      - {lever: ack_lost, at: 10s, count: 3}              the next three orders after 10 s

Levers fire by the time itself (`TIMED`), on a market's next frame (drop to unknown_type), on an order that comes in
(timeout_before_accept to reverse_fill), on a cancel that comes in, or on a private message (user_*).
"""

from __future__ import annotations

import enum
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import msgspec
import yaml

from models.clock import MS, SECOND
from models.first_use import make_structs_ready
from models.hostile import clean

PLANS: Final = Path(__file__).parent / "plans"
"""Plans that ship with the program; `--faults demo` means `plans/demo.yaml`."""

PLAN_LIMIT: Final = 1 << 15


class LeverName(enum.StrEnum):
    CLOSE = "close"
    HALF_OPEN = "half_open"
    STALL = "stall"
    SLOW = "slow"
    LAG = "lag"
    SILENT = "silent"
    PAUSE = "pause"
    RESTART = "restart"
    CLOSE_MARKET = "close_market"
    RESOLVE = "resolve"
    TICK_CHANGE = "tick_change"
    DISABLED = "disabled"
    CANCEL_ONLY = "cancel_only"
    END_SUBSCRIPTIONS = "end_subscriptions"
    FEE_CHANGE = "fee_change"

    DROP = "drop"
    GAP = "gap"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    GARBAGE = "garbage"
    UNKNOWN_TYPE = "unknown_type"
    HALF = "half"
    LATE_HALF = "late_half"
    EMPTY = "empty"
    STALE_BOOK = "stale_book"
    BARE_BOOK = "bare_book"
    REVERSED_LEVELS = "reversed_levels"

    TIMEOUT_BEFORE_ACCEPT = "timeout_before_accept"
    TIMEOUT_AFTER_ACCEPT = "timeout_after_accept"
    ERROR_BEFORE_ACCEPT = "error_before_accept"
    ERROR_AFTER_ACCEPT = "error_after_accept"
    ACK_LOST = "ack_lost"
    TRUNCATED_JSON = "truncated_json"
    HTML_BODY = "html_body"
    RATE_LIMITED = "rate_limited"
    EDGE_LIMITED = "edge_limited"
    TOO_EARLY = "too_early"
    REFUSE = "refuse"
    THIEF = "thief"
    PARTIAL = "partial"
    FILL_BEFORE_ACK = "fill_before_ack"
    BARE_ACK = "bare_ack"
    LATE_VISIBILITY = "late_visibility"
    REVERSE_FILL = "reverse_fill"
    RETRY_SETTLEMENT = "retry_settlement"

    WALLET_BUSY = "wallet_busy"
    RELAYER_FAILED = "relayer_failed"
    STALE_BALANCE = "stale_balance"

    FILL_BEFORE_CANCEL = "fill_before_cancel"
    CANCEL_TIMEOUT = "cancel_timeout"

    USER_DROP = "user_drop"
    USER_DUPLICATE = "user_duplicate"
    USER_DELAY = "user_delay"


DIALECT: Final = frozenset(
    (
        LeverName.TICK_CHANGE,
        LeverName.DISABLED,
        LeverName.CANCEL_ONLY,
        LeverName.END_SUBSCRIPTIONS,
        LeverName.FEE_CHANGE,
        LeverName.HALF,
        LeverName.LATE_HALF,
        LeverName.EMPTY,
        LeverName.STALE_BOOK,
        LeverName.BARE_BOOK,
        LeverName.REVERSED_LEVELS,
        LeverName.EDGE_LIMITED,
        LeverName.TOO_EARLY,
        LeverName.RETRY_SETTLEMENT,
        LeverName.WALLET_BUSY,
        LeverName.RELAYER_FAILED,
        LeverName.STALE_BALANCE,
    )
)
"""Levers that only another venue's protocol in front of the exchange obeys; in the exchange's own they do nothing."""

TIMED: Final = frozenset(LeverName(name) for name in list(LeverName)[: list(LeverName).index(LeverName.DROP)])
"""Levers that wait for nothing but the time."""

_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h)\Z")
_NEVER: Final = 1 << 62
_UNIT_NS: Final = {"ms": MS, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}


class PlanError(ValueError):
    """A fault plan cannot be used. The text says where it is wrong."""


def duration_ns(text: str) -> int:
    """Nanoseconds of `250ms`, `20s`, `1.5m` or `6h`; `PlanError` otherwise."""
    match = _DURATION.match(text)
    if match is None:
        raise PlanError(f"not a duration such as 20s or 500ms: {text[:40]!r}")
    return round(float(match[1]) * _UNIT_NS[match[2]])


Probability = Annotated[float, msgspec.Meta(gt=0, le=1)]


class Lever(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"duration": "for"}):
    """One line of a plan. Durations are text; what a lever does not use is ignored."""

    lever: LeverName
    at: str = "0s"
    """When it is armed, after the start."""
    every: str | None = None
    """It is armed again each time this has passed."""
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Occasions per arming; None: one, or without end where a chance is given."""
    lapses: str | None = None
    """Occasions that have not come so long after the arming do not come any more."""
    chance: Probability | None = None
    market: str | None = None
    account: str | None = None
    calm: bool = False
    """A timed lever waits for a moment at which no scripted gap is open."""
    leg: str = "any"
    """`any`, `first`, `second` or `later`: an order counts as second when its account has just bought another leg, and
    as later when it is second or sells (whatever could mend a half-filled set).
    """
    stream: str = "market"
    """`market` or `user`, for connection levers."""
    duration: str = "5s"
    """How long the condition lasts (slow, lag, silent, pause, the outage of a restart)."""
    delay: str = "2s"
    """How late: frames, answers, private messages, visibility, settlement of what will be reversed."""
    code: Annotated[int, msgspec.Meta(ge=1000, le=4999)] = 1012
    """WebSocket close code."""
    fraction: Probability = 0.5
    """How much of what the order could take is gone before it arrives (`partial`)."""
    through: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    """Ticks beyond the order's limit that a `thief` takes as well: the price runs away."""
    post_only: str = "2s"
    """How long only resting orders are accepted after a restart."""
    yes_pays: str = "1.00"
    """What a YES share pays (`resolve`)."""


class RulesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    settlement: str = "0s"
    visibility: str = "0s"
    spend_unsettled: bool = True


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str = "none"
    rules: RulesBody = RulesBody()
    levers: tuple[Lever, ...] = ()


def read_plan(name_or_path: str) -> Plan:
    """A shipped plan by name, else the plan in a file. Raises `PlanError`."""
    shipped = PLANS / f"{name_or_path}.yaml"
    path = shipped if re.fullmatch(r"[a-z0-9_-]+", name_or_path) and shipped.is_file() else Path(name_or_path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise PlanError(f"{name_or_path}: {error.strerror}") from None
    if len(raw) > PLAN_LIMIT:
        raise PlanError(f"{name_or_path}: larger than {PLAN_LIMIT} bytes")
    try:
        document = yaml.safe_load(raw)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise PlanError(f"{name_or_path}: {clean(str(error))}") from None
    return parse_plan(document)


def parse_plan(document: object) -> Plan:
    """A plan from parsed YAML or JSON, every duration checked. Raises `PlanError`."""
    try:
        plan = msgspec.convert(document, Plan)
    except msgspec.ValidationError as error:
        raise PlanError(clean(str(error))) from None
    for lever in plan.levers:
        check_lever(lever)
    return plan


def check_lever(lever: Lever) -> None:
    for duration in (lever.at, lever.every or "1s", lever.lapses or "1s", lever.duration, lever.delay, lever.post_only):
        duration_ns(duration)
    if lever.every is not None and duration_ns(lever.every) == 0:
        raise PlanError("every: must be longer than nothing")
    if lever.leg not in ("any", "first", "second", "later"):
        raise PlanError(f"leg: any, first, second or later, not {lever.leg[:20]!r}")
    if lever.stream not in ("market", "user"):
        raise PlanError(f"stream: market or user, not {lever.stream[:20]!r}")


@dataclass(slots=True)
class _Armed:
    lever: Lever
    next_at: int
    left: int | None = 0
    """Occasions of the present arming; None without end."""
    lapses_at: int = _NEVER


@dataclass(slots=True)
class Levers:
    """A plan under way. Times are nanoseconds since the start."""

    chance: random.Random
    fired: Counter[str] = field(default_factory=Counter)
    _armed: list[_Armed] = field(default_factory=list)

    def add(self, lever: Lever, now: int) -> None:
        """Put a lever in; its times count from `now`. `check_lever` has passed it."""
        self._armed.append(_Armed(lever, now + duration_ns(lever.at)))

    def due(self, now: int) -> list[Lever]:
        """The timed levers that fire now. Arms the others."""
        firing = []
        for armed in self._armed:
            if armed.lapses_at <= now:
                armed.left = 0
            while armed.next_at <= now:
                lever = armed.lever
                armed.next_at = _NEVER if lever.every is None else armed.next_at + duration_ns(lever.every)
                if lever.lever not in TIMED:
                    armed.left = lever.count or (None if lever.chance is not None else 1)
                    armed.lapses_at = _NEVER if lever.lapses is None else now + duration_ns(lever.lapses)
                elif lever.chance is None or self.chance.random() < lever.chance:
                    self.fired[lever.lever.value] += 1
                    firing.append(lever)
        return firing

    def next_due(self) -> int:
        return min((armed.next_at for armed in self._armed), default=_NEVER)

    def pull(
        self, name: LeverName, *, market: str = "", account: str = "", second_leg: bool = False, sells: bool = False
    ) -> Lever | None:
        """The lever of this name that fires on this occasion, None in good weather."""
        legs = {"any", "second" if second_leg else "first"} | ({"later"} if second_leg or sells else set())
        for armed in self._armed:
            lever = armed.lever
            if lever.lever is not name or armed.left == 0:
                continue
            if lever.market not in (None, market) or lever.account not in (None, account):
                continue
            if lever.leg not in legs:
                continue
            if lever.chance is not None and self.chance.random() >= lever.chance:
                continue
            if armed.left is not None:
                armed.left -= 1
            self.fired[name.value] += 1
            return lever
        return None


make_structs_ready(globals())
