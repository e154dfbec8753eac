"""What the operator's commands need from a running bot. `actors/system.py` fills it; tests fill it with levers.

Every method may be called from the console's thread, the console's worker and the control socket's threads, also at the
same time. None of them waits for an actor except `ladders` and the readers of the ledger, which have their own limits.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from adapters.permit import HaltsSeen
from models.clock import WallNs
from models.listing import OpportunityLine, OrderLine, PositionLine, TradeLine
from models.market import MarketId
from models.messages import LaddersSeen
from models.status import EventLine, StatusSnapshot


class Leaving(enum.StrEnum):
    """What happens to what is open when the bot is told to quit."""

    WAIT = "wait"
    """No new sets; end when the attempts in flight have ended by themselves."""
    PROTECT = "protect"
    """No new sets; cancel and unwind at once, then end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halted:
    """A halt is in force. The first reason stands where it was halted before."""

    reason: str
    by: str
    at: WallNs | None
    already: bool
    persisted: bool
    """False: the disk refused the record, so the halt holds only as long as this process lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeOutlook:
    """What `resume` would undo. It would be refused exactly when `refusals` is not empty."""

    halted: bool
    """False: there is nothing to resume."""
    tripped: tuple[str, ...]
    """Reasons of the halt, in words, with who and when."""
    refusals: tuple[str, ...]
    """Everything that is unknown, mismatched or naked, and every kill condition that still holds; one phrase each."""
    halts: HaltsSeen
    """Which halts these are: a later one is not undone by the operator's answer to these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """Trading is on again. `note` says until when, or what still keeps it off."""

    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Still halted, and the complete list of what has to be settled first."""

    why: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A finished answer of one of the ledger's own verbs (`report`, `why`)."""

    lines: tuple[str, ...]
    document: Mapping[str, object]
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class News:
    """What a screen that prints event lines asks for several times a second."""

    at: WallNs
    events: tuple[EventLine, ...]


class LedgerUnreadableError(Exception):
    """The ledger could not be read for a list. Its text is for the operator."""


class BotFace(Protocol):
    """A running bot as its operator sees it."""

    def snapshot(self) -> StatusSnapshot:
        """The state of a moment ago. With thousands of markets a new one costs milliseconds."""
        ...

    def news(self) -> News:
        """The newest event lines alone, however many markets there are at no cost worth mentioning."""
        ...

    def halt(self, market_id: MarketId | None, reason: str, by: str) -> Halted:
        """Trip the gate (None) or one market's latch *first*, then everything else. Never raises."""
        ...

    def outlook(self, market_id: MarketId | None) -> ResumeOutlook: ...

    def resume(self, market_id: MarketId | None, reason: str, by: str, answered: HaltsSeen) -> Resumed | Refused: ...

    def ladders(self, market_id: MarketId, timeout_s: float) -> LaddersSeen | None:
        """The market's full book, or None where its actor did not answer in time."""
        ...

    def opportunities(self, limit: int, *, skipped_only: bool) -> Sequence[OpportunityLine]:
        """Newest first. This and the next three raise `LedgerUnreadableError`."""
        ...

    def trades(self, limit: int) -> Sequence[TradeLine]: ...

    def orders(self, limit: int, *, open_only: bool) -> Sequence[OrderLine]: ...

    def positions(self) -> Sequence[PositionLine]: ...

    def why(self, ident: str) -> Told: ...

    def report(self, since: str | None, width: int) -> Told:
        """At most `width` cells wide."""
        ...

    def config_lines(self) -> Sequence[str]:
        """The effective parameters with their origin; secrets only as `set` or `missing`."""
        ...

    def log_lines(self, limit: int) -> Sequence[str]: ...

    def quit(self, leaving: Leaving) -> None:
        """Ask for the ordered stop and return at once."""
        ...
