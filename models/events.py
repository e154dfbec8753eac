"""The common events of the ledger, one function each, so that their facts have the same names wherever they are made.

The report reads these facts by name (`adapters/ledger/queries.py`). Money is micro-dollars.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from models.clock import WallNs
from models.market import MarketId, SetId
from models.money import MicroUsd, text
from models.orders import AttemptId
from models.rows import Event, EventKind


def disconnected(at: WallNs, feed: str, why: str) -> Event:
    """A market data or user connection was lost, or the first one of a run could not be made. Once per outage."""
    return Event(at=at, kind=EventKind.DISCONNECTED, text=f"{feed}: {why}", facts=(("feed", feed), ("why", why)))


def not_connected(at: WallNs, feed: str, why: str) -> Event:
    """An outage goes on, for another reason than before."""
    return Event(at=at, kind=EventKind.NOTE, text=f"{feed}: still down: {why}", facts=(("feed", feed), ("why", why)))


def reconnected(at: WallNs, feed: str, generation: int, down_ns: int) -> Event:
    """A connection is up again after `down_ns`. The first connection of a run has `down_ns` 0 and is not an outage."""
    return Event(
        at=at,
        kind=EventKind.RECONNECTED,
        text=f"{feed}: connected, generation {generation}",
        duration_ns=down_ns,
        facts=(("feed", feed), ("generation", generation)),
    )


def starts_halted(at: WallNs, reason: str, by: str) -> Event:
    """A run begins with the halt of an earlier one, or of a shell, in force."""
    return Event(at=at, kind=EventKind.NOTE, text=f"starts halted by {by}: {reason}")


READ_FACTS: Final = ("frames", "frames_unknown", "frames_failed", "snapshots_checked", "snapshots_equal")
"""Facts of `read` events; the report adds them up."""


def frames_read(at: WallNs, feed: str, frames: int, unknown: int, failed: int) -> Event:
    """One connection's frames: how many there were, how many of a kind nobody knows, how many nobody could read."""
    return Event(
        at=at,
        kind=EventKind.READ,
        text=f"{feed}: {frames} frames, {unknown} unknown, {failed} failed",
        facts=(("feed", feed), ("frames", frames), ("frames_unknown", unknown), ("frames_failed", failed)),
    )


def snapshots_compared(at: WallNs, checked: int, equal: int) -> Event:
    """All snapshots of a run that were compared with a maintained book before they replaced it."""
    return Event(
        at=at,
        kind=EventKind.READ,
        text=f"{checked} snapshots compared, {equal} equal",
        facts=(("snapshots_checked", checked), ("snapshots_equal", equal)),
    )


def gap_seen(at: WallNs, market_id: MarketId, seq: int | None) -> Event:
    """A sequence number was missed: the book is not ready until a snapshot."""
    return Event(
        at=at,
        kind=EventKind.GAP,
        text="sequence gap",
        market_id=market_id,
        facts=() if seq is None else (("seq", seq),),
    )


def resynced(at: WallNs, market_id: MarketId, after: str, down_ns: int) -> Event:
    """A snapshot made a lost book ready again. `after` is the reason it was lost for."""
    return Event(
        at=at,
        kind=EventKind.RESYNC,
        text=f"ready again after {after}",
        market_id=market_id,
        duration_ns=down_ns,
        facts=(("after", after),),
    )


def account_opened(at: WallNs, cash: MicroUsd, positions: Sequence[tuple[str, str, int]]) -> Event:
    """What the account held when this ledger first looked: the base of `ledger cash == venue cash` (I8).

    `positions` are (market id, outcome, micro-shares).
    """
    held = tuple((f"{market}/{outcome}", size) for market, outcome, size in positions)
    return Event(
        at=at, kind=EventKind.ACCOUNT_OPENED, text="account as found at the venue", facts=(("cash", cash), *held)
    )


def reconciled(
    at: WallNs,
    *,
    cash_ledger: MicroUsd | None,
    cash_venue: MicroUsd | None,
    positions_equal: bool | None,
    findings: Sequence[str],
    as_of: int | None = None,
    mended: Sequence[str] = (),
) -> Event:
    """The venue's truth was compared with the ledger's. None: it could not be asked. No findings means clean.

    `as_of` is the ledger row up to which `cash_ledger` was computed (`adapters/ledger/account.py`); without it the
    report takes the rows before this event. `mended` is what was found and put right on the way; it is no finding.
    """
    return Event(
        at=at,
        kind=EventKind.RECONCILED,
        text="; ".join([*(findings or ["ledger and venue agree"]), *(f"mended: {each}" for each in mended)]),
        facts=(
            ("cash_ledger", cash_ledger),
            ("cash_venue", cash_venue),
            ("positions_equal", positions_equal),
            ("findings", len(findings)),
            ("mended", len(mended)),
            ("as_of", as_of),
        ),
    )


def grid_changed(at: WallNs, market_id: MarketId, new_tick: int, *, known: bool) -> Event:
    """The venue trades a market on another price grid than the one its catalog gave at start, or on that one again."""
    then = "its sets may open again" if known else "its sets open no more until the bot starts again"
    return Event(
        at=at,
        kind=EventKind.NOTE,
        text=f"price grid of {text(new_tick, 0)}: {then}",
        market_id=market_id,
        facts=(("new_tick", new_tick),),
    )


def market_over(at: WallNs, market_id: MarketId, status: str) -> Event:
    """A configured market could not be watched any more when the bot started."""
    return Event(at=at, kind=EventKind.NOTE, text=f"{status}: it and its sets are not watched", market_id=market_id)


def incident(
    at: WallNs, kind: str, text: str, *, set_id: SetId | None = None, attempt_id: AttemptId | None = None
) -> Event:
    """Something an operator has to know: partial fill, reject, naked leg, crash of an actor. `kind` is one word."""
    return Event(
        at=at, kind=EventKind.INCIDENT, text=text, set_id=set_id, attempt_id=attempt_id, facts=(("incident", kind),)
    )
