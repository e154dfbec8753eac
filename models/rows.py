"""What the ledger is told, apart from the messages that are rows themselves: frozen values, one class per table.

Every row is appended, none is ever changed: an order's or an attempt's present state is its newest change row, a fill's
is the join of everything that was said about it. `adapters/ledger/encode.py` gives each its columns; the messages
`OpportunitySkipped`, `OpportunityJudged`, `EpisodeEnded`, `MinuteCounted`, `TickSampled`, `BookNews`,
`SnapshotCompared`, `TradingHalted`, `TradingResumed`, `MarketResolved` and `IncidentSeen` are rows as they are.

Times are wall-clock nanoseconds (what people read); money is micro-dollars, sizes are micro-shares.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from models.clock import WallNs
from models.market import MarketId, Outcome, SetId, VenueName
from models.money import MicroShares, MicroUsd
from models.order_life import Phase
from models.orders import AttemptId, ClientOrderId, Fill, FillState, OrderIntent, VenueOrderId
from models.sets import SetLeg
from models.signal import SetTerms

CONFIG_HASH_DIGITS: Final = 16
"""Hex digits of a configuration's name in the ledger: 64 bits tell one operator's configurations apart for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigUsed:
    """Everything a decision depends on besides the books: the whole configuration, the terms of every set, the code."""

    config_hash: str
    """Of `effective`, `terms` and `code_version` together; made by `config_used`."""
    at: WallNs
    code_version: str
    effective: str
    """Canonical JSON of the effective configuration (`models.config.canonical_json`)."""
    terms: str
    """JSON object: set id -> `SetTerms`, fee schedules included."""


def config_used(*, effective: str, terms: Iterable[SetTerms], code_version: str, at: WallNs) -> ConfigUsed:
    """The row for a configuration, with its name computed from its content."""
    by_id = {str(t.complete_set.set_id): t for t in terms}
    text = msgspec.json.encode({set_id: by_id[set_id] for set_id in sorted(by_id)}).decode()
    digest = hashlib.sha256(f"{effective}\0{text}\0{code_version}".encode()).hexdigest()
    return ConfigUsed(
        config_hash=digest[:CONFIG_HASH_DIGITS], at=at, code_version=code_version, effective=effective, terms=text
    )


def terms_from(text: str) -> dict[str, SetTerms]:
    """The terms by set id that `config_used` wrote. Raises `msgspec.DecodeError` on any other text."""
    return msgspec.json.decode(text, type=dict[str, SetTerms])


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The bot started. Its configuration's `ConfigUsed` row comes before it."""

    run_id: str
    at: WallNs
    mode: str
    """`paper` or `live`."""
    venue: str
    """Venue names joined by `+`."""
    account: str | None
    """The venue's public name of the account; None in paper mode."""
    config_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStopped:
    """The bot stopped in order. A run without this row was killed."""

    run_id: str
    at: WallNs
    why: str
    left_open: int
    """Orders and naked legs that could not be closed before the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptOpened:
    """One try to buy one set: a row of `tradesets`, before its first order. `attempt_id` is the `tradeset_id`."""

    attempt_id: AttemptId
    at: WallNs
    opportunity_id: str | None
    """None only for a position that was found at the venue and adopted."""
    set_id: SetId
    mode: str
    legs: tuple[SetLeg, ...]
    size: MicroShares
    """Shares of each leg that are wanted."""
    expected_payout: MicroUsd
    """Dollars for the whole size if everything fills."""
    leg_policy: str
    policy_reason: str
    reserved: MicroUsd
    """Notional that risk set aside."""


class Ending(enum.StrEnum):
    """How an attempt ended. Every attempt gets exactly one."""

    SUCCESS = "success"
    """Complete sets are held, and nothing else."""
    PARTIAL = "partial"
    """Legs filled unequally at some time and protection was needed, whatever came of it."""
    REJECTED = "rejected"
    """Nothing filled; an order was refused by the venue or kept back by the gate."""
    MISSED = "missed"
    """Nothing filled; the orders were accepted and found no (or too little) depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptChanged:
    """The attempt after one step. Figures are cumulative: each row tells the whole story so far."""

    attempt_id: AttemptId
    at: WallNs
    state: str
    """The state machine's state (`models/tradeset.py`), BRD names."""
    ending: Ending | None
    """None while it is under way. The last one written counts; a second, different one is a violation unless a fill
    was reversed.
    """
    filled: MicroShares
    """Complete sets held or already turned into cash."""
    leg_costs: tuple[MicroUsd, ...]
    """Per leg: dollars paid for what was bought less dollars received for what was sold, without fees."""
    fees: MicroUsd
    """All orders of the attempt; the schedule's worst case where the venue has not said yet."""
    realized_pnl: MicroUsd | None
    """Booked at merge, netting, resolution or a completed unwind; None before."""
    open_position: bool
    """Complete sets are held whose payout has not come back yet."""
    resolution: str
    """How the sets were turned into cash, or how the market resolved; empty before."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChanged:
    """The newest word about one order. Figures are cumulative."""

    client_order_id: ClientOrderId
    at: WallNs
    phase: Phase
    venue_order_id: VenueOrderId | None
    filled: MicroShares
    sent_at: WallNs | None
    acked_at: WallNs | None
    refusal: str | None
    """The venue's code, or the gate's, where the order was refused."""
    by_venue: bool = True
    """False: it never left this process."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAdopted:
    """An order that the venue shows and the ledger did not know (I2). Becomes an order row without an intent of
    ours.
    """

    intent: OrderIntent
    venue_order_id: VenueOrderId
    at: WallNs


@dataclass(frozen=True, slots=True, kw_only=True)
class FillReported:
    """Something was said about an execution. Told twice or out of order it gives the same fill (`join_fills`)."""

    venue: VenueName
    at: WallNs
    fill: Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Shares turned into cash (or became worthless) other than by an order: merge, netting, resolution."""

    at: WallNs
    attempt_id: AttemptId | None
    set_id: SetId
    market_id: MarketId
    kind: str
    """`merge`, `netting` or `resolution`."""
    yes_size: MicroShares
    no_size: MicroShares
    """Shares given up of each outcome."""
    cash: MicroUsd
    winner: Outcome | None = None
    """For a resolution; None where the market was voided or pays a fraction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFilled:
    """One of the three ways in which a paper attempt may have been filled."""

    attempt_id: AttemptId
    at: WallNs
    model: str
    """`optimistic`, `shifted` or `pessimistic`."""
    filled: MicroShares
    """Complete sets."""
    cost: MicroUsd
    fees: MicroUsd
    net_pnl: MicroUsd | None
    """After fees and after the unwind of what did not complete; None where the books could not say."""
    note: str


class EventKind(enum.StrEnum):
    """What `events` rows are about. The report counts by these words."""

    HALTED = "halted"
    RESUMED = "resumed"
    DISCONNECTED = "disconnected"
    RECONNECTED = "reconnected"
    """`duration_ns` is the whole outage."""
    GAP = "gap"
    RESYNC = "resync"
    """`duration_ns` is how long the book was not ready."""
    NOT_READY = "not_ready"
    READY = "ready"
    """A book's first snapshot of this run."""
    SNAPSHOT = "snapshot"
    READ = "read"
    """What a connection's frames contained, and how many snapshots were compared (`models/events.py`)."""
    RESOLVED = "resolved"
    RECONCILED = "reconciled"
    ACCOUNT_OPENED = "account_opened"
    PROTECTION = "protection"
    INCIDENT = "incident"
    STATE = "state"
    REFUSED_ROW = "refused_row"
    NOTE = "note"


Fact = int | str | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Anything else worth keeping. Make the common ones with the functions of `models/events.py`."""

    at: WallNs
    kind: EventKind
    text: str
    """For people, one line."""
    market_id: MarketId | None = None
    set_id: SetId | None = None
    attempt_id: AttemptId | None = None
    duration_ns: int | None = None
    facts: tuple[tuple[str, Fact], ...] = ()
    """Named figures; money in micro-dollars."""


Row = (
    ConfigUsed
    | RunStarted
    | RunStopped
    | AttemptOpened
    | AttemptChanged
    | OrderChanged
    | OrderAdopted
    | FillReported
    | Settled
    | PaperFilled
    | Event
)
"""What `RecordRows` may carry."""

_RANK: Final = {FillState.PROVISIONAL: 0, FillState.FINAL: 1, FillState.REVERSED: 2}


class FillsDisagreeError(ValueError):
    """Two reports about one execution name different sizes or prices."""


def join_fills(known: Fill, told: Fill) -> Fill:
    """Everything that two reports about one execution say together; equal to `known` where `told` is no news.

    Commutative and idempotent, so order and repetition of reports do not matter (I14). Where both name a fee, the
    larger counts.
    """
    if (known.size, known.price) != (told.size, told.price):
        raise FillsDisagreeError(
            f"trade {known.venue_trade_id}: {known.size} at {known.price}, now {told.size} at {told.price}"
        )
    fees = [fill.fee for fill in (known, told) if fill.fee is not None]
    orders = [fill.venue_order_id for fill in (known, told) if fill.venue_order_id is not None]
    times = [fill.exchange_ms for fill in (known, told) if fill.exchange_ms is not None]
    return replace(
        known,
        state=max(known.state, told.state, key=_RANK.__getitem__),
        fee=max(fees, default=None),
        venue_order_id=min(orders, default=None),
        exchange_ms=min(times, default=None),
    )
