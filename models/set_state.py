"""The states of one set's execution, and one record per state with exactly its fields.

"Which leg is naked, and by how much?" is answered by the record's attempt; "what are we waiting for?" by the record's
type.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import ClassVar

from models.attempt import Attempt
from models.clock import BootNs
from models.messages import LaddersSeen, StreamRestored, TimerFired


class State(enum.StrEnum):
    """The BRD's names (section 9), and two more: in doubt, exposed."""

    IDLE = "IDLE"
    SIGNAL_DETECTED = "SIGNAL_DETECTED"
    PLACING_ORDERS = "PLACING_ORDERS"
    WAITING_FILLS = "WAITING_FILLS"
    IN_DOUBT = "IN_DOUBT"
    PARTIAL_FILL_PROTECT = "PARTIAL_FILL_PROTECT"
    EXPOSED = "EXPOSED"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    COOLDOWN = "COOLDOWN"


class TimerName(enum.StrEnum):
    ORDER = "order"
    """`order_timeout_seconds` since the last commit was asked for."""
    INFLIGHT = "inflight"
    """`max_inflight_seconds` since the approval."""
    PROBE = "probe"
    RETRY = "retry"
    COOLDOWN = "cooldown"


@dataclass(frozen=True, slots=True)
class Timers:
    """Which timers run. A `TimerFired` whose serial is not here is old and changes nothing (A08)."""

    serial: int = 0
    """Of the timer started last."""
    running: tuple[tuple[TimerName, int], ...] = ()

    def started(self, name: TimerName) -> Timers:
        rest = tuple(t for t in self.running if t[0] is not name)
        return Timers(self.serial + 1, (*rest, (name, self.serial + 1)))

    def without(self, *names: TimerName) -> Timers:
        return replace(self, running=tuple(t for t in self.running if t[0] not in names))

    def runs(self, name: TimerName) -> bool:
        return any(running is name for running, _ in self.running)

    def current(self, name: str, serial: int) -> bool:
        return (name, serial) in self.running


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladders:
    """An answer awaited from every market of the set. A new question has a new tag; answers to old ones are dropped."""

    tag: str
    seen: tuple[LaddersSeen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    state: ClassVar[State] = State.IDLE
    past: tuple[Attempt, ...] = ()
    """The last attempts, newest last: a fill is legal in every state, also for an attempt that is over."""
    timers: Timers = field(default_factory=Timers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooldown:
    state: ClassVar[State] = State.COOLDOWN
    past: tuple[Attempt, ...]
    timers: Timers
    until: BootNs


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """What all states of a running attempt have."""

    attempt: Attempt
    past: tuple[Attempt, ...]
    timers: Timers
    rung: int = 0
    """Probes asked since the last good news: the step of the probe ladder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalDetected(UnderWay):
    """Approved; the ledger has been asked to commit the opening orders. Nothing has left."""

    state: ClassVar[State] = State.SIGNAL_DETECTED


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacingOrders(UnderWay):
    """Orders are with the lanes (or a later leg with the ledger); not every one has been answered."""

    state: ClassVar[State] = State.PLACING_ORDERS


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingFills(UnderWay):
    """Every order is accepted; at least one may still fill, or has ended without saying how much filled."""

    state: ClassVar[State] = State.WAITING_FILLS


@dataclass(frozen=True, slots=True, kw_only=True)
class InDoubt(UnderWay):
    """The outcome of at least one order is unknown: full exposure, everything frozen but questions and cancels."""

    state: ClassVar[State] = State.IN_DOUBT


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialFillProtect(UnderWay):
    """Legs hold unequal shares, nothing else is open, and the surplus is being completed or sold."""

    state: ClassVar[State] = State.PARTIAL_FILL_PROTECT
    ladders: Ladders | None = None
    rested: int = 0
    """Protective rounds after which the pause has been taken."""
    looks: int = 0
    """Looks at the books since the last round that found no way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed(UnderWay):
    """Halted with a residue or an unknown that could not be worked off at once; worked on a slow cadence, for ever."""

    state: ClassVar[State] = State.EXPOSED
    why: str
    ladders: Ladders | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Success(UnderWay):
    """Complete sets are held and nothing else. Waits until every fill is priced and final, and merged where
    possible.
    """

    state: ClassVar[State] = State.SUCCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(UnderWay):
    """Nothing is held. A clean miss may look at fresh ladders for another try."""

    state: ClassVar[State] = State.FAILED
    ladders: Ladders | None = None


Record = (
    Idle
    | SignalDetected
    | PlacingOrders
    | WaitingFills
    | InDoubt
    | PartialFillProtect
    | Exposed
    | Success
    | Failed
    | Cooldown
)
Mending = PartialFillProtect | Exposed


def attempts_of(record: Record) -> tuple[Attempt, ...]:
    """Every attempt that the record still knows, oldest first."""
    return record.past if isinstance(record, Idle | Cooldown) else (*record.past, record.attempt)


def worries_of(record: Record) -> tuple[str, ...]:
    """What an operator would have to see to if the process ended now, one phrase each: also of an earlier attempt that
    came back and waits for the present one to end.
    """
    return tuple(f"{attempt.set_id}: {worry}" for attempt in attempts_of(record) for worry in attempt.worries)


def last_chance(record: Record, now: BootNs) -> tuple[StreamRestored | TimerFired, ...]:
    """What an executor is told when its process is about to end. What is live is cancelled, what has not been answered
    is asked for, what then is naked is protected; and a residue is worked on at once, however long its wait.
    """
    if isinstance(record, Idle | Cooldown):
        return ()
    due = {TimerName.ORDER, TimerName.RETRY} if isinstance(record, Exposed) else {TimerName.ORDER}
    fired = tuple(
        TimerFired(record.attempt.attempt_id, name, serial) for name, serial in record.timers.running if name in due
    )
    return (StreamRestored(now), *fired) if isinstance(record, Exposed) else fired
