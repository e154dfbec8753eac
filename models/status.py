"""The state of the whole bot at one moment, for people: what toolbar, `status`, the socket and `watch` all read.

The watchdog thread publishes a new `StatusSnapshot` four times a second and never changes an old one, so that nobody
who looks at it takes a lock or asks an actor. What is not known is None, and is shown as such: a missing figure must
never look like a healthy one. The JSON form is `models/status_json.py`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from models.clock import MS, BootNs, WallNs
from models.market import MarketId, SetId
from models.money import MicroShares, MicroUsd, PriceMicros

SCHEMA_VERSION: Final = 1
"""Of the JSON forms. Keys may be added without raising it; they are never renamed."""

PERIOD_NS: Final = 250 * MS
"""A new snapshot is published this often."""

STALE_NS: Final = 4 * PERIOD_NS
"""A snapshot older than this is shown by its age: whoever publishes it is late or dead."""


class FeedState(enum.StrEnum):
    """Of the market data connections together; the worst one counts."""

    LIVE = "live"
    CONNECTING = "connecting"
    DOWN = "down"
    UNKNOWN = "unknown"


class EventKind(enum.StrEnum):
    """First word of an event line, in the order of how much attention it wants."""

    SKIP = "SKIP"
    INFO = "INFO"
    OPP = "OPP"
    ORDER = "ORDER"
    FILL = "FILL"
    DONE = "DONE"
    RESUME = "RESUME"
    WARN = "WARN"
    PARTIAL = "PARTIAL"
    HALT = "HALT"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One line of news: `time KIND subject text ident`."""

    serial: int
    """Consecutive from 1 within one process; a reader that finds a hole knows how many lines it missed."""
    at: WallNs
    kind: EventKind
    subject: str
    """Market or set id, empty where the news is about the bot."""
    text: str
    ident: str = ""
    """What `why` can be asked about, or empty."""
    fold: str = ""
    """Lines with one fold key are variations of one message (a skip of one set for one reason); empty: never folded."""
    times: int = 1
    """How many occurrences this line stands for."""


HOLD: Final = "start"
"""Who keeps trading off where it is no halt (`Trading.by`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trading:
    """Whether new sets may be opened now. `reason`, `by` and `since` belong to the present state, on or off."""

    on: bool
    reason: str
    by: str
    since: WallNs | None

    @property
    def waits(self) -> bool:
        """Off until something that has begun by itself has ended, a reconcile above all: nobody has to resume it."""
        return not self.on and self.by == HOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    state: FeedState
    age_ns: int | None
    """Since the last frame; None before the first."""
    lag_ms: int | None
    """From the exchange's timestamp to us, newest measurement; None where the venue gives no time."""
    reconnects: int
    down_ns: int
    """All outages of this run together."""
    gaps: int = 0
    resyncs: int = 0
    frames: int = 0
    """Read in this run, over all connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRow:
    """One watched market and its own YES+NO set (the last five are None or empty where that set is not watched)."""

    market_id: MarketId
    title: str
    ready: bool
    reason: str
    """Why nothing is opened there: the venue does not trade it, or not on the terms of the start
    (`SignalActor.standing`); else why the book is not ready (`models.book.NotReady`). Empty where it is ready.
    """
    age_ns: int | None
    """Since the last evidence that the book is current."""
    yes_ask: PriceMicros | None
    yes_size: MicroShares
    no_ask: PriceMicros | None
    no_size: MicroShares
    sum_cost: MicroUsd | None
    edge: MicroUsd | None
    state: str
    """Of the set's state machine, `IDLE` where nothing runs."""
    halted: bool
    halt_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRow:
    """A watched set of more than one market (baskets, cross-venue, nested)."""

    set_id: SetId
    kind: str
    market_ids: tuple[MarketId, ...]
    payout: MicroUsd
    sum_cost: MicroUsd | None
    edge: MicroUsd | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    """One attempt that has not ended."""

    attempt_id: str
    set_id: SetId
    market_ids: tuple[MarketId, ...]
    state: str
    age_ns: int
    limit_ns: int | None
    """`max_inflight_seconds`; None once the attempt is in protection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """One of the latest orders, newest first."""

    client_order_id: str
    market_id: MarketId
    outcome: str
    action: str
    size: MicroShares
    price: PriceMicros
    status: str
    took_ns: int | None
    """From intent to the venue's answer; None while there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """Counters since 00:00 UTC."""

    opportunities: int = 0
    attempts: int = 0
    completed: int = 0
    partial: int = 0
    rejects: int = 0
    in_doubt: int = 0
    fees: MicroUsd = MicroUsd(0)
    net_pnl: MicroUsd = MicroUsd(0)
    """Realized and locked profit of today's sets after fees; in paper mode of the pessimistic fill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTotals:
    """Net profit of today's paper sets under the three fills; the pessimistic one is the one quoted."""

    sets: int
    optimistic: MicroUsd
    shifted: MicroUsd
    pessimistic: MicroUsd


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A used part of a limit, or a kill condition's counter inside its window."""

    name: str
    used: int
    """Micro-dollars where `money`, else a count."""
    limit: int
    money: bool = False
    window_ns: int | None = None
    """Sliding window of a kill condition; None for a limit, and for one that counts per UTC day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Frame received to decision made, over the last minute. None before the first decision."""

    p50_ns: int | None
    p99_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxLook:
    """What waits in the inboxes of all actors, and for how long the oldest of it has, to a quarter of a second."""

    waiting: int
    age_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSnapshot:
    """Everything that the operator's screens show. Markets and gauges stand in the order in which they are listed."""

    taken: BootNs
    at: WallNs
    version: str
    mode: str
    """`paper` or `live`."""
    demo: bool
    venue: str
    started: WallNs
    uptime_ns: int
    trading: Trading
    feed: FeedStatus
    markets: tuple[MarketRow, ...]
    sets: tuple[SetRow, ...] = ()
    in_flight: tuple[InFlight, ...] = ()
    orders: tuple[OrderRow, ...] = ()
    open_items: tuple[str, ...] = ()
    """What would be left open if the process ended now, one phrase each: `2 open orders`, `1 unhedged leg`."""
    today: Today = Today()
    limits: tuple[Gauge, ...] = ()
    kill_switch: tuple[Gauge, ...] = ()
    latency: Latency = Latency(p50_ns=None, p99_ns=None)
    inbox: InboxLook = InboxLook(waiting=0, age_ns=0)
    paper: PaperTotals | None = None
    events: tuple[EventLine, ...] = ()
    """The newest lines, oldest first."""
    config_hash: str = ""
    ledger: str = ""

    @property
    def badge(self) -> str:
        """The one word that must be seen first: LIVE, PAPER or DEMO."""
        return "DEMO" if self.demo else self.mode.upper()

    @property
    def halted_markets(self) -> int:
        return sum(row.halted for row in self.markets)

    @property
    def fresh_markets(self) -> int:
        return sum(row.ready for row in self.markets)

    def market(self, market_id: str) -> MarketRow | None:
        return next((row for row in self.markets if row.market_id == market_id), None)

    def gauge(self, name: str) -> Gauge | None:
        return next((gauge for gauge in self.limits if gauge.name == name), None)
