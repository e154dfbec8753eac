"""What can happen to a set's execution, and what it asks to be done about it. Both are values.

Events are messages of `models/messages.py`, and the timers below: `TimerFired` carries a name and a serial, and becomes
one of these only while that very timer is running. Actions are messages too, where a message says it all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.clock import BootNs
from models.market import MarketId
from models.messages import (
    ApprovedSet,
    CancelAnswered,
    CancelOrder,
    CommitFailed,
    CommitIntents,
    FillSeen,
    IncidentSeen,
    IntentsCommitted,
    LaddersSeen,
    MarketResolved,
    MarketsReleased,
    MergeAnswered,
    MergeSets,
    OrderUpdated,
    ProbeAnswered,
    ProbeOrder,
    RecordRows,
    StreamRestored,
    SubmitAnswered,
    TimerFired,
)
from models.orders import AttemptId
from models.set_state import TimerName

# -- events


@dataclass(frozen=True, slots=True)
class OrderTimedOut:
    """`order_timeout_seconds` have passed since the last orders were handed over."""


@dataclass(frozen=True, slots=True)
class InflightExpired:
    """`max_inflight_seconds` have passed since the approval (O19)."""


@dataclass(frozen=True, slots=True)
class ProbeDue:
    """Time to ask the venue again about what is not known."""


@dataclass(frozen=True, slots=True)
class RetryDue:
    """Time to work on the residue again."""


@dataclass(frozen=True, slots=True)
class CooldownEnded:
    pass


@dataclass(frozen=True, slots=True)
class Proceed:
    """Nobody sends this. After each event the machine asks its own table: given what is now true, what is the next
    step?
    """


OrderFactSeen = SubmitAnswered | CancelAnswered | ProbeAnswered | FillSeen | OrderUpdated
"""A fact about an order. Legal in every state."""

Due = OrderTimedOut | InflightExpired | ProbeDue | RetryDue | CooldownEnded
Told = (
    ApprovedSet
    | IntentsCommitted
    | CommitFailed
    | OrderFactSeen
    | LaddersSeen
    | MergeAnswered
    | StreamRestored
    | MarketResolved
)
Event = Told | Due | Proceed
Arrival = Told | TimerFired
"""What the executor may be told."""

DUE: Final[dict[str, Due]] = {
    TimerName.ORDER: OrderTimedOut(),
    TimerName.INFLIGHT: InflightExpired(),
    TimerName.PROBE: ProbeDue(),
    TimerName.RETRY: RetryDue(),
    TimerName.COOLDOWN: CooldownEnded(),
}

# -- actions that are not messages


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTimer:
    """Tell me `TimerFired(attempt_id, name, serial)` after `delay_ns`."""

    attempt_id: AttemptId
    name: TimerName
    serial: int
    delay_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AskLadders:
    """Ask each market's book for its ladders under this tag."""

    market_ids: tuple[MarketId, ...]
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskSnapshots:
    """Have each market's book read anew from the venue: an order has missed what it displays, or it is not ready."""

    market_ids: tuple[MarketId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Trip the gate now. Only what must never happen, and an exposure that outlived its time, halts from here."""

    reason: str
    at: BootNs


Action = (
    CommitIntents
    | CancelOrder
    | ProbeOrder
    | MergeSets
    | MarketsReleased
    | IncidentSeen
    | RecordRows
    | StartTimer
    | AskLadders
    | AskSnapshots
    | Halt
)
