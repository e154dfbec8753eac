"""The market data and user connections of a bot: which feed carries which markets, and what their ups and downs mean.

Each `FeedThread` hands its events to the actors itself, on its own thread; what is told here besides is about the
connection: not ready on `down` before anything else, an outage's length, what was read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from actors.dispatch import HotDispatcher
from actors.network import Network
from actors.plan import Plan
from adapters.chance import Rng
from adapters.feed import FeedEvent, FeedLimits, FeedSession, FeedState, FeedThread
from adapters.venue import Endpoint, MarketData, Orders
from models.book import MarketsAlive
from models.clock import SECOND, BootNs, Clock, Timer
from models.config_machine import Runtime
from models.events import disconnected, frames_read, not_connected, reconnected, snapshots_compared
from models.market import Market, MarketId, VenueName
from models.messages import GenerationBegan, IncidentSeen, MarketResolved, RecordRows, StatusChanged, StreamChanged
from models.proofs import Proofs
from models.terms import proof_every_ns

STOPPED: Final = "stopped"
"""The reason with which a feed ends that was told to: no disconnect."""

TELL_NS: Final = 60 * SECOND
"""What has been read goes on record this often, so that a report on a running bot has it."""

Record = Callable[[VenueName, bytes, int, int], None]
"""Tape hook: (venue, frame, wall ns, generation)."""


@dataclass(slots=True)
class FeedWatch:
    """Outages of one feed, noted on its thread, read by the publisher."""

    state: FeedState | None = None
    down_since: BootNs | None = None
    down_ns: int = 0
    was_live: bool = False
    told: str = ""
    """Why it is down, as the ledger knows it already; empty while it is up."""

    def note(self, state: FeedState) -> int | None:
        """Remember a state; returns the length of the outage that it ends, 0 for the first connection, else None."""
        self.state = state
        if state.kind == "down" and self.down_since is None and self.was_live:
            self.down_since = state.at
        if state.kind != "live":
            return None
        ended = 0 if self.down_since is None else state.at - self.down_since
        self.down_ns += ended
        self.down_since = None
        self.was_live = True
        return ended


class Feeds:
    """All connections that only read. Built before, and started after, the network whose books they feed."""

    def __init__(
        self,
        plan: Plan,
        network: Network,
        hot: HotDispatcher,
        *,
        clock: Clock,
        rng: Rng,
        compared: Callable[[], tuple[int, int]],
        record: Record | None,
    ) -> None:
        """`compared` says how many snapshots were compared so far, and how many of them were equal."""
        self._plan = plan
        self._network = network
        self._hot = hot
        self._clock = clock
        self._rng = rng
        self._compared = compared
        self._record = record
        self._watches: dict[str, FeedWatch] = {}
        self._threads: dict[str, FeedThread] = {}
        self._reading = threading.Lock()
        self._sessions: dict[str, FeedSession] = {}
        """The running connection of each market feed, until all that it read has been told to the ledger."""
        self._told: dict[str, tuple[int, ...]] = {}
        """What the ledger knows already of each connection, and of the comparisons."""
        self._timer: Timer | None = None
        for name, venue in plan.venues.items():
            self._add_market_feeds(name, venue)
        for name, orders in plan.orders.items():
            self._add_user_feed(name, orders)

    def views(self) -> Mapping[str, tuple[FeedThread, FeedWatch]]:
        """For the status: every feed by its name."""
        return {label: (feed, self._watches[label]) for label, feed in self._threads.items()}

    def start(self) -> None:
        for feed in self._threads.values():
            feed.start()
        self._timer = self._clock.call_after(TELL_NS, self._tell_regularly)

    def stop(self) -> None:
        """End every connection; what was in their frames is on record afterwards."""
        if self._timer is not None:
            self._timer.cancel()
        for feed in self._threads.values():
            feed.stop()

    # -- making them

    def _add_market_feeds(self, name: VenueName, venue: MarketData) -> None:
        markets = [market for market in self._plan.markets.values() if market.venue == name]
        size = venue.capabilities.markets_per_connection or max(1, len(markets))
        for number, start in enumerate(range(0, len(markets), size)):
            label = name if len(markets) <= size else f"{name}-{number + 1}"
            self._add_market_feed(label, venue, markets[start : start + size])

    def _add_market_feed(self, label: str, venue: MarketData, markets: Sequence[Market]) -> None:
        market_ids = [market.market_id for market in markets]
        alone = self._network.alone
        proofs = Proofs(
            proof_every_ns(self._plan.config.runtime),
            always=[market_id for market_id in market_ids if market_id not in alone],
            others=[market_id for market_id in market_ids if market_id in alone],
            max_lag_ms=self._plan.config.runtime.max_lag_ms,
        )
        deliver = Deliver(self._hot, self._network, self._clock, proofs)
        watch = FeedWatch()

        def session(generation: int) -> FeedSession:
            deliver.begin(market_ids, generation, connected=True)
            made = venue.subscribe_markets(markets, generation, self._clock)
            with self._reading:
                self._sessions[label] = made
            return made

        def on_state(state: FeedState) -> None:
            if state.kind == "down":
                deliver.begin(market_ids, state.generation, connected=False)
            self._changed(label, watch, state)

        hook = self._record
        self._add(
            label,
            watch,
            venue.connect_ws,
            session_factory=session,
            deliver=deliver,
            on_state=on_state,
            on_raw=None if hook is None else lambda frame, wall: hook(venue.name, frame, wall, 0),
        )

    def _add_user_feed(self, name: VenueName, orders: Orders) -> None:
        """The private stream of an account: fills and order states go to the executor that owns the order."""
        found = orders.listen_fills_ws()
        if found is None:
            return
        label = user_feed(name)
        watch = FeedWatch()

        def endpoint() -> Endpoint:
            stream = orders.listen_fills_ws()
            assert stream is not None
            return stream[0]

        def deliver(events: Sequence[FeedEvent]) -> None:
            for event in events:
                self._network.routes.tell(event)

        def on_state(state: FeedState) -> None:
            self._changed(label, watch, state)
            if state.kind == "live" or (state.kind == "down" and state.reason != STOPPED):
                self._tell_stream(label, up=state.kind == "live")

        self._add(label, watch, endpoint, session_factory=found[1], deliver=deliver, on_state=on_state)

    def _add(self, label: str, watch: FeedWatch, endpoint: Callable[[], Endpoint], **rest: Any) -> None:
        self._watches[label] = watch
        self._threads[label] = FeedThread(
            name=f"feed-{label}",
            url_provider=lambda: endpoint().url,
            headers_provider=lambda: endpoint().headers,
            clock=self._clock,
            rng=self._rng,
            limits=feed_limits(self._plan.config.runtime),
            **rest,
        )

    # -- what happens to them

    def _changed(self, label: str, watch: FeedWatch, state: FeedState) -> None:
        """On the feed's thread."""
        was_live = watch.state is not None and watch.state.kind == "live"
        ended_ns = watch.note(state)
        wall = self._clock.wall_ns()
        if state.kind == "live" and ended_ns is not None:
            watch.told = ""
            self._tell(reconnected(wall, label, state.generation, ended_ns))
        elif state.kind == "down":
            self._tell_frames(label, ended=True)
            if state.reason == STOPPED:
                return
            if was_live or not watch.told:
                self._tell(disconnected(wall, label, state.reason))
            elif state.reason != watch.told:
                self._tell(not_connected(wall, label, state.reason))
            watch.told = state.reason
            if was_live:
                incident = IncidentSeen(kind="disconnect", set_id=None, detail=f"{label}: {state.reason}", at=state.at)
                self._network.risk.address.tell(incident)

    def _tell_stream(self, label: str, *, up: bool) -> None:
        if self._network.reconcile is not None:
            self._network.reconcile.address.tell(StreamChanged(feed=label, up=up, at=self._clock.boot_ns()))

    def _tell_regularly(self) -> None:
        """On the clock's thread."""
        for label in list(self._sessions):
            self._tell_frames(label, ended=False)
        self.tell_compared()
        self._timer = self._clock.call_after(TELL_NS, self._tell_regularly)

    def _tell_frames(self, label: str, *, ended: bool) -> None:
        """Put on record what a connection has contained since it was last told of."""
        with self._reading:
            session = self._sessions.pop(label, None) if ended else self._sessions.get(label)
            counts = getattr(session, "counts", None)
            if counts is None:
                return
            frames, unknown, failed = self._news(label, (counts.frames, counts.unknown, counts.failed))
            if ended:
                del self._told[label]
        if frames or ended:
            self._tell(frames_read(self._clock.wall_ns(), label, frames, unknown, failed))

    def tell_compared(self) -> None:
        """Put on record how many snapshots have been compared since this was last told."""
        with self._reading:
            checked, equal = self._news("", self._compared())
        if checked:
            self._tell(snapshots_compared(self._clock.wall_ns(), checked, equal))

    def _news(self, label: str, now: tuple[int, ...]) -> tuple[int, ...]:
        """What has been added to counters since they were last asked for."""
        before = self._told.get(label, (0,) * len(now))
        self._told[label] = now
        return tuple(count - known for count, known in zip(now, before, strict=True))

    def _tell(self, row: object) -> None:
        self._network.told.tell(RecordRows(rows=(row,)))


def user_feed(name: VenueName) -> str:
    """What the user stream of a venue is called."""
    return f"{name}-user"


def feed_limits(runtime: Runtime) -> FeedLimits:
    return FeedLimits(
        handshake_s=runtime.handshake_timeout_seconds,
        message_s=runtime.message_timeout_seconds,
        backoff_initial_s=runtime.reconnect.initial_backoff_seconds,
        backoff_max_s=runtime.reconnect.max_backoff_seconds,
        healthy_s=runtime.reconnect.healthy_after_seconds,
        heartbeat_s=runtime.heartbeat_seconds,
        pong_timeout_s=runtime.pong_timeout_seconds,
    )


class Deliver:
    """Hands a feed's events to their actors; called once per frame on the feed thread."""

    __slots__ = ("_books", "_clock", "_hot", "_network", "_proofs")

    def __init__(self, hot: HotDispatcher, network: Network, clock: Clock, proofs: Proofs) -> None:
        self._hot = hot
        self._clock = clock
        self._network = network
        self._books = network.books
        self._proofs = proofs

    def __call__(self, events: Sequence[FeedEvent]) -> None:
        books = self._books
        posted: list[tuple[Any, object]] = []
        for event in events:
            kind = type(event)
            if kind is MarketsAlive:
                posted += [(books[alive.market_id], alive) for alive in self._proofs.told_by(event)]  # type: ignore[arg-type]
                continue
            book = books.get(event.market_id)  # type: ignore[attr-defined]  # every other event of a market data session has one
            if book is not None:
                if kind is not MarketResolved:
                    posted.append((book, event))
                if kind is StatusChanged or kind is MarketResolved:
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
