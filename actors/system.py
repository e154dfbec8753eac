"""The running bot: the network of actors and the threads around it that touch the outside, in order.

start: gate hold -> ledger row -> actors (each answers) -> snapshot lanes -> feeds -> watchdog -> hold released; a live
       bot's reconcile has a hold of its own, until what was left open has settled and ledger and venue agree
stop:  gate hold -> attempts end, with the books still live -> a last comparison -> feeds -> actors in reverse -> ledger
       closed

Threads: main (console), one feed and one snapshot lane per venue, hot relief, ledger, two pool, timer, watchdog,
control socket, log writer: under twenty whatever the number of markets.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from actors.dispatch import HotDispatcher, OwnDispatcher, PoolDispatcher
from actors.network import Carriers, Network, Ports, Recovered
from actors.order_routes import OrderRoutes
from actors.plan import Plan
from actors.status import FeedWatch, Fixed, NewsTap, StatusPublisher
from actors.watchdog import Probe, Watchdog
from adapters.chance import Rng
from adapters.feed import FeedEvent, FeedLimits, FeedSession, FeedState, FeedThread
from adapters.gate import Gate
from adapters.ledger.connection import Ledger, open_reader
from adapters.operator.events import EventBoard
from adapters.order_lanes import OrderLanes
from adapters.permit import HaltRecord
from adapters.rate import RateBudget
from adapters.snapshots import SnapshotLane
from adapters.venue import Endpoint, MarketData, Orders
from models.clock import SECOND, Clock, Ids, WallNs
from models.config import canonical_json
from models.events import disconnected, frames_read, reconnected, snapshots_compared
from models.market import Market, MarketId, VenueName
from models.messages import (
    GenerationBegan,
    IncidentSeen,
    MarketResolved,
    ReconcileWanted,
    RecordRows,
    SnapshotWanted,
    StatusChanged,
    StreamChanged,
    TradingHalted,
    TradingResumed,
)
from models.reconcile import Outcome
from models.rows import RunStarted, RunStopped, config_used
from models.status import EventKind

logger = logging.getLogger(__name__)

STOPPED: Final = "stopped"
"""The reason with which a feed ends that was told to: no disconnect."""

SWITCH_INTERVAL_S: Final = 0.0005
"""A shorter interpreter switch interval cuts the tail of a hop between threads (performance.md, measured)."""
ENDING_S: Final = 20.0
"""How long `stop` waits for attempts in flight before it leaves them to the next start."""
LAST_S: Final = 5.0
"""How long `stop` waits for the last comparison with the venue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a system is given besides its plan."""

    clock: Clock
    ids: Ids
    gate: Gate
    ledger: Ledger
    rng: Rng
    code_version: str
    found: Recovered
    record: Callable[[VenueName, bytes, int, int], None] | None = None
    """Tape hook: (venue, frame, wall ns, generation)."""


class System:
    """One running bot. Main thread only, except `snapshot_lane_for`."""

    def __init__(self, plan: Plan, outside: Outside) -> None:
        self.plan = plan
        self.clock = outside.clock
        self.gate = outside.gate
        self._outside = outside
        self._ledger = outside.ledger
        self.used = config_used(
            effective=canonical_json(plan.config),
            terms=plan.terms,
            code_version=outside.code_version,
            at=outside.clock.wall_ns(),
        )
        self.board = EventBoard(outside.clock)
        self._hot = HotDispatcher()
        self._own = OwnDispatcher(self._overflow)
        self._pool = PoolDispatcher(self._overflow)
        self._lanes = {
            name: SnapshotLane(venue, self._markets_of(name), outside.clock, outside.rng)
            for name, venue in plan.venues.items()
        }
        self.tap = NewsTap(outside.clock, self.board)
        self._order_lanes: OrderLanes | None = None
        self.network = Network(
            plan,
            Carriers(hot=self._hot, own=self._own, pool=self._pool),
            Ports(
                clock=outside.clock,
                ids=outside.ids,
                gate=outside.gate,
                ledger=outside.ledger,
                snapshots=_SnapshotRouter(plan, self._lanes),
                tap=self.tap.before,
                lanes=self._make_lanes if plan.live else None,
                on_stray=self._stray,
                on_crash=self._crashed,
                reader=lambda: open_reader(plan.ledger),
                user_streams=tuple(_user_feed(name) for name, o in plan.orders.items() if o.listen_fills_ws()),
            ),
            outside.found,
        )
        self._feed_watches: dict[str, FeedWatch] = {}
        self._sessions: dict[str, FeedSession] = {}
        """The running connection of each market feed, until what it read has been told to the ledger."""
        self._feeds: dict[str, FeedThread] = {}
        for name, venue in plan.venues.items():
            self._add_feeds(name, venue)
        for name, orders in plan.orders.items():
            self._add_user_feed(name, orders)
        self.publisher = self._make_publisher()
        self._watchdog = Watchdog(
            outside.clock,
            self._probes(),
            trip=lambda why: self._trip(why, "watchdog"),
            every_turn=(outside.gate.refresh, self._renew_permit, self.publisher.publish),
            stacks=plan.state / "stacks.txt",
        )
        self._ending = threading.Event()
        self.run_id = outside.ids.fresh("r")
        self.crashed: str | None = None

    # -- start and stop

    def start(self) -> None:
        """Start everything in order. Raises `StartError`; the caller then calls `stop`."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        plan, now = self.plan, self.clock.wall_ns()
        self.gate.hold("starting")
        if self._order_lanes is not None:
            self._order_lanes.start()
        self.network.start()
        self.network.told.tell(
            RecordRows(
                rows=(
                    self.used,
                    RunStarted(
                        run_id=self.run_id,
                        at=now,
                        mode=plan.mode,
                        venue=plan.venue_names,
                        account=None,
                        config_hash=self.used.config_hash,
                    ),
                    *self._outside.found.rows,
                )
            )
        )
        books = {market_id: book.address for market_id, book in self.network.books.items()}
        for lane in self._lanes.values():
            lane.start(books)
        for feed in self._feeds.values():
            feed.start()
        self._watchdog.start()
        self.gate.release_hold()
        self.publisher.publish()

    def stop(self, why: str, *, wait: bool = True) -> int:
        """End in order and return how many things were left open. `wait` False gives attempts in flight no time."""
        self.gate.hold(f"stopping: {why}", "stop")
        if wait:
            self._wait_for_attempts()
            self.reconcile("before the end", LAST_S, last=True)
        for feed in self._feeds.values():
            feed.stop()
        for lane in self._lanes.values():
            lane.stop(2.0)
        if self._order_lanes is not None:
            self._order_lanes.stop(2.0)
        left = len(self.open_items())
        late = self.network.stop_all_but_ledger()
        row = RunStopped(run_id=self.run_id, at=self.clock.wall_ns(), why=why, left_open=left)
        read = snapshots_compared(self.clock.wall_ns(), self.tap.snapshots_checked, self.tap.snapshots_equal)
        self.network.told.tell(RecordRows(rows=(read, row)))
        for name in (*late, *self.network.stop_ledger()):
            logger.error("%s did not stop in time", name)
        self._watchdog.stop(1.0)
        for dispatcher in (self._pool, self._own, self._hot):
            dispatcher.stop(1.0)
        self._ledger.close()
        return left

    def _wait_for_attempts(self) -> None:
        ends = self.clock.boot_ns() + int(ENDING_S * SECOND)
        while self.open_items() and self.clock.boot_ns() < ends:
            self._ending.wait(0.05)

    def open_items(self) -> tuple[str, ...]:
        """What would be left open if the process ended now, one phrase each."""
        flying = [e.in_flight for e in self.network.executors.values() if e.in_flight is not None]
        return tuple(f"{f.set_id} {f.state}" for f in flying)

    # -- the ledger against the venue

    def reconcile(self, why: str, timeout_s: float, *, last: bool = False) -> Outcome | None:
        """Compare now and wait for the outcome; None where there is none in time, or nothing to compare with (paper).
        Not from an actor.
        """
        actor = self.network.reconcile
        if actor is None:
            return None
        answer = _OutcomeAnswer()
        actor.address.tell(ReconcileWanted(why=why, reply_to=answer, last=last))
        return answer.wait(timeout_s)

    def unreconciled(self) -> tuple[str, ...]:
        """What of the last comparison forbids a resume, one phrase each."""
        return () if self.network.reconcile is None else self.network.reconcile.refusals()

    def _stream(self, label: str, *, up: bool) -> None:
        if self.network.reconcile is not None:
            self.network.reconcile.address.tell(StreamChanged(feed=label, up=up, at=self.clock.boot_ns()))

    # -- feeds

    def _markets_of(self, name: VenueName) -> list[Market]:
        return [market for market in self.plan.markets.values() if market.venue == name]

    def _add_feeds(self, name: VenueName, venue: MarketData) -> None:
        markets = self._markets_of(name)
        size = venue.capabilities.markets_per_connection or max(1, len(markets))
        for number, start in enumerate(range(0, len(markets), size)):
            label = name if len(markets) <= size else f"{name}-{number + 1}"
            self._add_feed(label, venue, markets[start : start + size])

    def _add_feed(self, label: str, venue: MarketData, markets: Sequence[Market]) -> None:
        clock, runtime = self.clock, self.plan.config.runtime
        watch = self._feed_watches[label] = FeedWatch()
        deliver = _Deliver(self._hot, self.network, clock)
        market_ids = [market.market_id for market in markets]

        def session(generation: int) -> FeedSession:
            deliver.begin(market_ids, generation, connected=True)
            made = self._sessions[label] = venue.subscribe_markets(markets, generation, clock)
            return made

        def on_state(state: FeedState) -> None:
            self._feed_state(label, watch, state, market_ids, deliver)

        hook = self._outside.record
        self._feeds[label] = FeedThread(
            name=f"feed-{label}",
            url_provider=lambda: venue.connect_ws().url,
            headers_provider=lambda: venue.connect_ws().headers,
            session_factory=session,
            deliver=deliver,
            on_state=on_state,
            clock=clock,
            rng=self._outside.rng,
            limits=FeedLimits(
                handshake_s=runtime.handshake_timeout_seconds,
                message_s=runtime.message_timeout_seconds,
                backoff_initial_s=runtime.reconnect.initial_backoff_seconds,
                backoff_max_s=runtime.reconnect.max_backoff_seconds,
                healthy_s=runtime.reconnect.healthy_after_seconds,
            ),
            on_raw=None if hook is None else lambda frame, wall: hook(venue.name, frame, wall, 0),
        )

    def _add_user_feed(self, name: VenueName, orders: Orders) -> None:
        """The private stream of an account: fills and order states go to the executor that owns the order."""
        found = orders.listen_fills_ws()
        if found is None:
            return
        _, session = found
        label = _user_feed(name)
        watch = self._feed_watches[label] = FeedWatch()
        runtime = self.plan.config.runtime

        def endpoint() -> Endpoint:
            stream = orders.listen_fills_ws()
            assert stream is not None
            return stream[0]

        def deliver(events: Sequence[FeedEvent]) -> None:
            for event in events:
                self.network.routes.tell(event)

        self._feeds[label] = FeedThread(
            name=f"feed-{label}",
            url_provider=lambda: endpoint().url,
            headers_provider=lambda: endpoint().headers,
            session_factory=session,
            deliver=deliver,
            on_state=lambda state: self._user_state(label, watch, state),
            clock=self.clock,
            rng=self._outside.rng,
            limits=FeedLimits(
                handshake_s=runtime.handshake_timeout_seconds,
                message_s=runtime.message_timeout_seconds,
                backoff_initial_s=runtime.reconnect.initial_backoff_seconds,
                backoff_max_s=runtime.reconnect.max_backoff_seconds,
                healthy_s=runtime.reconnect.healthy_after_seconds,
            ),
        )

    def _make_lanes(self, routes: OrderRoutes) -> OrderLanes:
        plan, config = self.plan, self.plan.config
        budgets = {name: RateBudget(self.clock, config.runtime.rate_budget_per_second) for name in plan.orders}
        self._order_lanes = OrderLanes(
            plan.orders,
            gate=self.gate,
            clock=self.clock,
            answers=routes,
            markets={market_id: market.venue for market_id, market in plan.markets.items()},
            deadline_ns=config.execution.order_timeout_ns,
            budgets=budgets,
        )
        return self._order_lanes

    def _feed_state(
        self, label: str, watch: FeedWatch, state: FeedState, market_ids: Sequence[MarketId], deliver: _Deliver | None
    ) -> None:
        """On the feed thread. `down` reaches the books before anything else is done about it."""
        was_live = watch.state is not None and watch.state.kind == "live"
        if state.kind == "down" and deliver is not None:
            deliver.begin(market_ids, state.generation, connected=False)
        ended_ns = watch.note(state)
        wall = self.clock.wall_ns()
        if state.kind == "live" and ended_ns is not None:
            row = reconnected(wall, label, state.generation, ended_ns)
            self.network.told.tell(RecordRows(rows=(row,)))
        elif state.kind == "down":
            self._tell_read(label, wall)
            if state.reason == STOPPED:
                return
            self.network.told.tell(RecordRows(rows=(disconnected(wall, label, state.reason),)))
            if was_live:
                incident = IncidentSeen(kind="disconnect", set_id=None, detail=f"{label}: {state.reason}", at=state.at)
                self.network.risk.address.tell(incident)

    def _tell_read(self, label: str, wall: WallNs) -> None:
        """Put on record what the connection that has just ended contained."""
        session = self._sessions.pop(label, None)
        counts = getattr(session, "counts", None)
        if counts is not None:
            row = frames_read(wall, label, counts.frames, counts.unknown, counts.failed)
            self.network.told.tell(RecordRows(rows=(row,)))

    def _user_state(self, label: str, watch: FeedWatch, state: FeedState) -> None:
        """On the user feed's thread."""
        self._feed_state(label, watch, state, (), None)
        if state.kind in ("live", "down") and not (state.kind == "down" and state.reason == "stopped"):
            self._stream(label, up=state.kind == "live")

    # -- news and faults

    def _make_publisher(self) -> StatusPublisher:
        plan, clock = self.plan, self.clock
        return StatusPublisher(
            Fixed(
                version=self._outside.code_version,
                mode=plan.mode,
                demo=plan.demo,
                venue=plan.venue_names,
                started_wall=clock.wall_ns(),
                started_boot=clock.boot_ns(),
                config_hash=self.used.config_hash,
                ledger=str(plan.ledger),
            ),
            clock=clock,
            gate=self.gate,
            board=self.board,
            tap=self.tap,
            markets=list(plan.markets.values()),
            watches=self.network.watches,
            tops=self.network.signal.tops,
            latency_ns=lambda: list(self.network.signal.latency_ns),
            executors=self.network.executors,
            risk=self.network.risk,
            feeds={label: (feed, self._feed_watches[label]) for label, feed in self._feeds.items()},
            open_items=self.open_items,
        )

    def _probes(self) -> dict[str, Probe]:
        """Lanes answer for their own stuck workers (`order_lanes`), so only the dispatchers are looked at."""
        progress = self._hot.progress
        return {"hot": Probe(handled=lambda: progress.handled, busy=lambda: progress.current)}

    def _renew_permit(self) -> None:
        """Paper and demo runs of days renew their own permit; live never does."""
        permit = self.gate.permit
        if not self.plan.live and permit is not None and permit.expires - self.clock.wall_ns() < 3_600 * SECOND:
            self.gate.renew("paper")

    def _trip(self, why: str, by: str) -> None:
        self.gate.trip(why, by)

    def _overflow(self, name: str) -> None:
        self._trip(f"the inbox of {name} is full", "system")

    def _crashed(self, name: str, error: BaseException) -> None:
        """The fuse of every actor: halt first, then say so (A01)."""
        self._trip(f"{name} crashed: {type(error).__name__}", "system")
        self.crashed = name
        logger.error("%s crashed", name, exc_info=error)
        self.board.post(EventKind.ERROR, name, f"crashed: {type(error).__name__}; trading is halted, see the log")

    def gate_changed(self, record: HaltRecord | None) -> None:
        """The gate's own news, on the thread that tripped or resumed it. The latch has moved already."""
        now = self.clock.wall_ns()
        message: TradingHalted | TradingResumed
        if record is not None:
            market = None if record.market_id is None else MarketId(record.market_id)
            message = TradingHalted(reason=record.reason, by=record.by, at=record.at or now, market_id=market)
        else:
            permit = self.gate.permit
            message = TradingResumed(
                reason="" if permit is None else permit.reason, by="" if permit is None else permit.by, at=now
            )
        self.network.told.tell(message)
        self.network.risk.address.tell(message)

    def _stray(self, message: object) -> None:
        self._trip(f"news about an order that is not ours: {type(message).__name__}", "system")


def _user_feed(name: VenueName) -> str:
    return f"{name}-user"


class _OutcomeAnswer:
    """Where one `Outcome` is waited for, outside every actor."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._seen: Outcome | None = None

    def tell(self, message: object) -> None:
        if isinstance(message, Outcome):
            self._seen = message
            self._ready.set()

    def wait(self, timeout_s: float) -> Outcome | None:
        self._ready.wait(timeout_s)
        return self._seen


class _SnapshotRouter:
    """Sends a snapshot request to the lane of the market's venue."""

    def __init__(self, plan: Plan, lanes: dict[VenueName, SnapshotLane]) -> None:
        self._lanes = {market_id: lanes[market.venue] for market_id, market in plan.markets.items()}

    def tell(self, message: object) -> None:
        if isinstance(message, SnapshotWanted):
            self._lanes[message.market_id].tell(message)


class _Deliver:
    """Hands a feed's events to their actors; called once per frame on the feed thread."""

    __slots__ = ("_books", "_clock", "_hot", "_network")

    def __init__(self, hot: HotDispatcher, network: Network, clock: Clock) -> None:
        self._hot = hot
        self._clock = clock
        self._network = network
        self._books = network.books

    def __call__(self, events: Sequence[FeedEvent]) -> None:
        books = self._books
        posted: list[tuple[Any, object]] = []
        for event in events:
            book = books.get(event.market_id)  # type: ignore[attr-defined]  # every event of a market data session has one
            if book is not None:
                if type(event) is not MarketResolved:
                    posted.append((book, event))
                if type(event) is StatusChanged or type(event) is MarketResolved:
                    posted.append((self._network.signal, event))
                    self._tell_others(event)
        self._hot.post_all(posted)

    def begin(self, market_ids: Sequence[MarketId], generation: int, *, connected: bool) -> None:
        at = self._clock.boot_ns()
        self._hot.post_all([(self._books[m], GenerationBegan(m, generation, at, connected)) for m in market_ids])

    def _tell_others(self, event: object) -> None:
        if type(event) is MarketResolved:
            self._network.risk.address.tell(event)
            self._network.told.tell(event)
            for executor in self._network.executors.values():
                executor.address.tell(event)  # each knows whether it holds anything there
