"""Everything that actors say to each other, on one page. Commands are imperative, events are in the past tense.

The first line of each docstring names sender and receiver. All are frozen. Those that travel once per frame are defined
in `models/book.py` (`BookSnapshot`, `BookUpdate`, `MarketAlive`, `BookLost`, `TopOfBook`) and are msgspec structs for
speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import msgspec

from models.book import Levels, NotReady, Source, TopOfBook
from models.clock import BootNs, WallNs
from models.market import MarketId, MarketStatus, Outcome, SetId, VenueName
from models.money import MicroShares, MicroUsd
from models.orders import (
    AttemptId,
    CancelAnswer,
    ClientOrderId,
    CommittedIntent,
    Fill,
    OrderIntent,
    OrderSeen,
    ProbeAnswer,
    Sent,
    SubmitAnswer,
    VenueOrderId,
)
from models.signal import Decision, SkipReason, Surroundings

# -- feed and books


class GenerationBegan(msgspec.Struct, frozen=True, gc=False):
    """Feed -> BookActor. A connection was lost (`connected` False) or a new one is up: what the old one told is
    void.
    """

    market_id: MarketId
    generation: int
    at: BootNs
    connected: bool = True


class StatusChanged(msgspec.Struct, frozen=True, gc=False):
    """Feed -> BookActor, SignalActor. The venue paused, closed, resolved or reopened a market, or allows only resting
    orders.
    """

    market_id: MarketId
    status: MarketStatus
    detail: str
    at: BootNs


class TickChanged(msgspec.Struct, frozen=True, gc=False):
    """Feed -> BookActor. A new price grid: a new book epoch, old levels are dropped until the next snapshot."""

    market_id: MarketId
    generation: int
    new_tick: int
    at: BootNs


class GridChanged(msgspec.Struct, frozen=True, gc=False):
    """BookActor -> SignalActor. The venue's price grid is not (`known` False), or is again, the one of its catalog."""

    market_id: MarketId
    known: bool


class MarketResolved(msgspec.Struct, frozen=True, gc=False):
    """Feed -> SignalActor, RiskActor, ExecutorActors, LedgerActor; ReconcileActor, where nobody listened. `winner` is
    None where the market was voided or pays a fraction (`yes_pays`).
    """

    market_id: MarketId
    winner: Outcome | None
    yes_pays: int
    """Micro-dollars per YES share; NO pays the rest of one dollar."""
    at: BootNs


@dataclass(frozen=True, slots=True)
class SnapshotWanted:
    """BookActor or SignalActor -> snapshot lane. Fetch a REST snapshot of this market for this generation."""

    market_id: MarketId
    generation: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookNews:
    """BookActor -> LedgerActor. A book stopped being ready, changed its reason, or became ready (`not_ready` None)."""

    market_id: MarketId
    not_ready: NotReady | None
    generation: int
    seq: int | None
    at: WallNs


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotCompared:
    """BookActor -> LedgerActor. A snapshot was compared with the maintained book before it replaced it."""

    market_id: MarketId
    source: Source
    equal: bool
    at: WallNs


class Receiver(Protocol):
    """Whoever can be answered."""

    def tell(self, message: object) -> None: ...


@dataclass(frozen=True, slots=True)
class LaddersWanted:
    """Executor, paper desk or operator -> BookActor. Answer `reply_to` with `LaddersSeen` now."""

    market_id: MarketId
    tag: str
    reply_to: Receiver


@dataclass(frozen=True, slots=True)
class FreshWanted:
    """Executor -> BookActor. What the book displays is in doubt: read it anew from the venue. No answer."""

    market_id: MarketId


@dataclass(frozen=True, slots=True)
class SilenceSuspected:
    """SignalActor -> BookActor. Nothing was heard of the market for too long: tell evidence from `since` or later, or
    stop being ready. Of a connection that is over: nothing.
    """

    market_id: MarketId
    generation: int
    since: BootNs
    at: BootNs


@dataclass(frozen=True, slots=True)
class LaddersSeen:
    """BookActor -> whoever asked. Full ladders, best first; empty and `top.not_ready` set where the book is not
    ready.
    """

    tag: str
    top: TopOfBook
    yes_bids: Levels
    yes_asks: Levels
    no_bids: Levels
    no_asks: Levels

    def asks(self, outcome: Outcome) -> Levels:
        return self.yes_asks if outcome is Outcome.YES else self.no_asks

    def bids(self, outcome: Outcome) -> Levels:
        return self.yes_bids if outcome is Outcome.YES else self.no_bids


# -- signal and risk


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity:
    """One detected gap with a new top: what was decided, and exactly what it was decided from. A ledger row, traded or
    not.
    """

    opportunity_id: str
    set_id: SetId
    episode_id: str
    """Shared by all rows of one uninterrupted gap of this set."""
    at: WallNs
    frame_at: BootNs
    tops: tuple[TopOfBook, ...]
    """Per leg."""
    surroundings: Surroundings
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class SetProposed:
    """SignalActor -> RiskActor. The signal says TRADE; risk writes the opportunity's row with its own word added."""

    opportunity: Opportunity


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunitySkipped:
    """SignalActor -> LedgerActor. The signal itself said SKIP."""

    opportunity: Opportunity


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityJudged:
    """RiskActor -> LedgerActor. A TRADE decision after risk: traded under `attempt_id`, or refused with a reason.

    `risk_inputs` is the canonical JSON of the risk state that was judged, so that `why` can judge again.
    """

    opportunity: Opportunity
    attempt_id: AttemptId | None
    refusal: SkipReason | None
    detail: str
    risk_inputs: bytes

    @property
    def urgent(self) -> bool:
        """What an attempt hangs on goes before the rows that nobody waits for (`CommitIntents`)."""
        return self.attempt_id is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeEnded:
    """SignalActor -> LedgerActor. The gap closed (or its book stopped being ready)."""

    episode_id: str
    set_id: SetId
    began: WallNs
    ended: WallNs
    best_edge: MicroUsd
    rows: int
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteCounted:
    """SignalActor -> LedgerActor. What happened to one set in one minute, gaps or not (design section 3.3).

    `sum_cost_counts` maps sum_cost in whole cents per dollar of payout (floored; 103 means 1.03 up to 1.04) to the
    number of evaluations. A basket that pays 2 is so counted beside a set that pays 1.
    """

    set_id: SetId
    minute: int
    """Minutes since 1970 UTC."""
    updates: int
    evaluations: int
    sum_cost_counts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TickSampled:
    """SignalActor -> LedgerActor. A sampled top of one market for `market_ticks`."""

    at: WallNs
    top: TopOfBook


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedSet:
    """RiskActor -> ExecutorActor. Only `models/risk.py` makes one: its markets and its notional are reserved."""

    attempt_id: AttemptId
    opportunity: Opportunity
    size: MicroShares
    reserved: MicroUsd


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketsReleased:
    """ExecutorActor -> RiskActor, SignalActor. The attempt has ended and nothing of it is unknown or naked."""

    attempt_id: AttemptId
    set_id: SetId
    spent: MicroUsd
    """Notional that counts against today's limit for good."""
    cooling_until: BootNs
    open_position: bool
    """A complete set is held (not merged, netted or unwound)."""
    cash_change: MicroUsd = MicroUsd(0)
    """What the attempt has done to the account's cash so far, signed."""
    opened: int = 0
    """Opening orders that it handed over."""


@dataclass(frozen=True, slots=True)
class SetRefused:
    """RiskActor -> SignalActor. The proposal was refused: the set is not in flight after all."""

    set_id: SetId
    reason: SkipReason


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentSeen:
    """ExecutorActor, feed -> RiskActor -> LedgerActor. Something that a kill condition counts: partial, reject,
    disconnect.
    """

    kind: str
    set_id: SetId | None
    detail: str
    at: BootNs


# -- execution, ledger, lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitIntents:
    """ExecutorActor -> LedgerActor. Commit these intents in one transaction (synchronous=FULL), then hand them to the
    lanes.

    Urgent, as are the rows that it may depend on (`RecordRows`, a traded `OpportunityJudged`): they keep their order
    among themselves and overtake skipped opportunities, samples and counts.
    """

    urgent: ClassVar[bool] = True

    attempt_id: AttemptId
    intents: tuple[OrderIntent, ...]
    together: bool
    """One batch request where the venue has one."""
    rows: tuple[object, ...] = ()
    """Values of `models/rows.py` that go to disk in the same transaction, before the intents (the attempt's own
    row).
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentsCommitted:
    """LedgerActor -> ExecutorActor. The rows are on disk and the lanes have them."""

    attempt_id: AttemptId
    committed: tuple[CommittedIntent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOrders:
    """LedgerActor -> order lanes (or paper desk). These intents are on disk: send them. Told before
    `IntentsCommitted`.
    """

    attempt_id: AttemptId
    committed: tuple[CommittedIntent, ...]
    together: bool
    """One batch request where the venue has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFailed:
    """LedgerActor -> ExecutorActor. Nothing was sent; the gate has been tripped."""

    attempt_id: AttemptId
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitAnswered:
    """Order lane (or paper desk) -> ExecutorActor. `sent` is None where no byte left."""

    attempt_id: AttemptId
    answer: SubmitAnswer
    sent: Sent | None
    at: BootNs


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """ExecutorActor -> protective lane."""

    intent: OrderIntent
    venue_order_id: VenueOrderId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAnswered:
    """Protective lane -> ExecutorActor."""

    attempt_id: AttemptId
    answer: CancelAnswer
    at: BootNs


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOrder:
    """ExecutorActor -> read lane. Ask the venue about one order."""

    intent: OrderIntent
    venue_order_id: VenueOrderId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswered:
    """Read lane -> ExecutorActor. `fills` are the venue's executions of the order, as far as it shows them."""

    attempt_id: AttemptId
    answer: ProbeAnswer
    fills: tuple[Fill, ...]
    at: BootNs


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeSets:
    """ExecutorActor, ReconcileActor -> protective lane. Turn complete sets of one market into cash (venues with
    `merge`).
    """

    attempt_id: AttemptId
    set_id: SetId
    market_id: MarketId
    size: MicroShares
    reply_to: Receiver | None = None
    """Who is told the answer; None: the attempt's executor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeAnswered:
    """Protective lane (or paper desk) -> whoever asked, ReconcileActor -> ExecutorActor. `cash` is None where the
    outcome is not known; it is never asked for again.
    """

    attempt_id: AttemptId
    cash: MicroUsd | None
    size: MicroShares | None = None
    """Sets that the request was about; None: all that the attempt held."""
    why: str
    at: BootNs


@dataclass(frozen=True, slots=True, kw_only=True)
class FillSeen:
    """User feed, ReconcileActor, paper desk -> ExecutorActor (routed by client order id)."""

    fill: Fill
    at: BootNs


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUpdated:
    """User feed, ReconcileActor -> ExecutorActor (routed by client order id)."""

    seen: OrderSeen
    at: BootNs


@dataclass(frozen=True, slots=True)
class TimerFired:
    """Clock -> ExecutorActor. Ignored where attempt and serial are not the current ones (A08)."""

    attempt_id: AttemptId
    name: str
    serial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRows:
    """Anybody -> LedgerActor. Append these rows (values of `models/rows.py`) in order; batched, never dropped."""

    urgent: ClassVar[bool] = True

    rows: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementWanted:
    """ReconcileActor -> account lane. Read what the venue says of the whole account and answer `reply_to`."""

    serial: int
    venue: VenueName
    since_ms: int
    """Executions from this venue time on are wanted."""
    reply_to: Receiver
    markets: tuple[MarketId, ...] = ()
    """Whether and how these have resolved is wanted, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementSeen:
    """Account lane -> ReconcileActor."""

    serial: int
    venue: VenueName
    cash: MicroUsd
    """Spendable."""
    positions: tuple[tuple[MarketId, Outcome, MicroShares], ...]
    open_orders: tuple[OrderSeen, ...]
    fills: tuple[Fill, ...]
    resolved: tuple[tuple[MarketId, int], ...] = ()
    """Of the markets that were asked about: micro-dollars per YES share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFailed:
    """Account lane -> ReconcileActor. The venue could not be asked; nothing was learned."""

    serial: int
    venue: VenueName
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileWanted:
    """System, operator -> ReconcileActor. Compare the ledger with the venue now; `reply_to` is told the `Outcome`."""

    why: str
    reply_to: Receiver | None = None
    last: bool = False
    """The process is about to end: look for a few seconds at most, and leave the gate alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamChanged:
    """User feed -> ReconcileActor. While a user stream is down, fills are missed."""

    feed: str
    up: bool
    at: BootNs


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushWanted:
    """ReconcileActor -> LedgerActor. Put every row told so far on the disk, then answer `reply_to` with `Flushed`."""

    serial: int
    reply_to: Receiver


@dataclass(frozen=True, slots=True)
class Flushed:
    """LedgerActor -> whoever asked. Not told where the ledger cannot be written."""

    serial: int


# -- control


@dataclass(frozen=True, slots=True)
class StreamRestored:
    """ReconcileActor -> ExecutorActor. A user stream is up again: what it missed has to be asked for."""

    at: BootNs


@dataclass(frozen=True, slots=True)
class CashSeen:
    """ReconcileActor -> RiskActor. Spendable cash as the venue and the ledger agree on it, nothing in flight."""

    cash: MicroUsd
    at: BootNs


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingHalted:
    """Gate's watcher -> RiskActor, LedgerActor. The latch is already closed; this is only the news."""

    reason: str
    by: str
    at: WallNs
    market_id: MarketId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingResumed:
    """Operator -> RiskActor, LedgerActor."""

    reason: str
    by: str
    at: WallNs
    market_id: MarketId | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """Clock -> SignalActor. A regular wake-up (minute counters, sampling, retries, silence)."""

    at: BootNs


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKnown:
    """Order lane -> user-feed router. From now on events about this venue order belong to this client order."""

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
