"""One market-data connection: what to send, and frames in, events out. Pure; the feed owns the socket.

| frame                                     | what follows                                                             |
| ----------------------------------------- | ------------------------------------------------------------------------ |
| `orderbook_delta`                         | held until its matching event is over (`matching`), then a `BookUpdate`  |
| `orderbook_snapshot`                      | `BookSnapshot` of both outcomes                                          |
| a hole in `seq`, or a step back           | `BookLost(GAP)` for all its markets, and the subscription is made anew   |
| `error` 10 or 25 (both end it)            | the same                                                                 |
| `market_lifecycle_v2`, `event_fee_update` | statuses, results, grids (`lifecycle`)                                   |
| any book frame in sequence                | `MarketsAlive` for its neighbours, at most five times a second           |
| anything unreadable                       | `BookLost(BAD_FRAME)` for all; of an unknown type only the number counts |

What is done by time is in `upkeep`. Source: kalshi.md 8 (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adapters.feed import HeartbeatPolicy
from adapters.kalshi.catalog import shard_of
from adapters.kalshi.commands import BOOKS, LIFECYCLES, Commands
from adapters.kalshi.desk import SnapshotDesk
from adapters.kalshi.frames import (
    FRAMES,
    KNOWN_TYPES,
    MENTIONED,
    UNREADABLE,
    DeltaFrame,
    Error,
    EventLifecycleFrame,
    FeeUpdateFrame,
    Frame,
    LifecycleFrame,
    Ok,
    SnapshotFrame,
    Subscribed,
    Unsubscribed,
)
from adapters.kalshi.lifecycle import Lifecycles, Standing
from adapters.kalshi.matching import Held, Matching
from adapters.kalshi.subscription import SessionCounts, Step, Subscription
from adapters.kalshi.upkeep import Upkeep
from adapters.kalshi.wire import BookTexts
from models.book import BookLost, BookSnapshot, BookUpdate, MarketsAlive, NotReady
from models.clock import MS, BootNs, Clock
from models.lag import LagMeter
from models.market import Market, MarketId, MarketStatus
from models.messages import MarketResolved, StatusChanged, TickChanged
from models.money import MoneyError

FeedEvent = BookSnapshot | BookUpdate | BookLost | MarketsAlive | StatusChanged | MarketResolved | TickChanged

HEARTBEAT: Final = HeartbeatPolicy(kind="frame", period_s=4.0, pong_timeout_s=4.0)
"""The venue answers pings; its own come every ten seconds, which would be late for a dead link."""

MARKETS_PER_SOCKET: Final = 200
"""A subscription's limit exists and is not published (error 26), and one gap costs every book of it."""

ALIVE_NS: Final = 200 * MS
ENDING_CODES: Final = frozenset({10, 25})
"""Channel error, and buffer overflow of a slow reader: the subscription is over (8.3)."""


class KalshiSession:
    """`adapters.feed.FeedSession` for all markets of one socket, on one subscription of its own."""

    def __init__(
        self,
        markets: Sequence[Market],
        generation: int,
        *,
        use_yes_price: bool = True,
        desk: SnapshotDesk | None = None,
        recorded: bool = False,
        standing: Standing | None = None,
        clock: Clock | None = None,
    ) -> None:
        """A `recorded` session reads what another one was told: it waits for snapshots instead of asking for them.
        `standing` is what earlier connections have learned of the markets; it is kept up to date.
        """
        if len(markets) > MARKETS_PER_SOCKET:
            raise ValueError(f"{len(markets)} markets on one socket; at most {MARKETS_PER_SOCKET} fit")
        self.counts = SessionCounts()
        self._generation = generation
        self._recorded = recorded
        self._ids: dict[str, MarketId] = {str(market.market_id): market.market_id for market in markets}
        self._shards = {market.market_id: shard_of(market) for market in markets}
        self._texts = BookTexts(use_yes_price=use_yes_price)
        self._held = Held(generation)
        self._lifecycles = Lifecycles(markets, generation, Standing() if standing is None else standing)
        self._desk = desk
        self._lag = LagMeter(clock)
        self._books = Subscription(BOOKS)
        self._states = Subscription(LIFECYCLES)
        self._commands = Commands(list(self._ids), use_yes_price=use_yes_price)
        self._upkeep = Upkeep(self._ids.values(), active=not recorded)
        self._alive_at = BootNs(0)

    # -- what is sent

    def opening(self) -> Sequence[str]:
        return (self._commands.subscribe_books(), self._commands.subscribe_states())

    def heartbeat(self) -> HeartbeatPolicy:
        return HEARTBEAT

    def outgoing(self) -> Sequence[str]:
        if self._upkeep.subscribe_now():
            self._commands.subscribe_again()
        if self._desk is not None and (wanted := self._desk.wanted()):
            self._commands.ask(self._books.sid, [m for m in wanted if m in self._upkeep.synced])
        return self._commands.take()

    # -- what is done by time

    def due(self) -> BootNs | None:
        """When `on_idle` has something to do next, None while it has not."""
        times = (self._held.due(), self._upkeep.due(), self._closing_at())
        return min((at for at in times if at is not None), default=None)

    def on_idle(self, now: BootNs) -> Sequence[FeedEvent]:
        """The events of an instant at which nothing was left to read."""
        events: list[FeedEvent] = list(self._held.silent(now))
        verdict = self._upkeep.look(now)
        if verdict.dead:
            self._lose(NotReady.SILENT, now, events)
        self._commands.ask(self._books.sid, verdict.ask)
        closing_at = self._closing_at()
        if closing_at is not None and now >= closing_at:
            events += self._lifecycles.closed_by(self._upkeep.exchange_ms(now), now)
        return events

    # -- what comes in

    def on_text(self, frame: bytes, received_at: BootNs) -> Sequence[FeedEvent]:
        self.counts.frames += 1
        self._upkeep.tick(received_at)
        events: list[FeedEvent] = []
        try:
            message = FRAMES.decode(frame)
        except UNREADABLE:
            self._unreadable(frame, received_at, events)
            return events
        try:
            if type(message) is DeltaFrame:
                self._delta(message, received_at, events)
            else:
                self._rare(message, received_at, events)
        except MoneyError:
            self.counts.failed += 1
            self._lose(NotReady.BAD_FRAME, received_at, events)
        return events

    def _delta(self, frame: DeltaFrame, received_at: BootNs, events: list[FeedEvent]) -> None:
        if not self._in_sequence(self._books, frame.sid, frame.seq, received_at, events):
            return
        delta = frame.msg
        market_id = self._ids.get(delta.market_ticker)
        if market_id is None:
            self.counts.foreign += 1
            return
        if market_id not in self._upkeep.synced:
            self.counts.early += 1
            return
        side, price, mirror, mirrored, difference = self._texts.change(delta)
        held, shard, exchange_ms = self._held, self._shards[market_id], delta.ts_ms
        events.extend(held.moved_on(market_id, shard, exchange_ms))
        matching = held.open.get(market_id)
        if matching is None:
            matching = held.open[market_id] = Matching(exchange_ms, shard)
        matching.add(side, price, difference)
        matching.add(mirror, mirrored, difference)
        matching.received_at = received_at
        matching.lag_ms = lag_ms = self._lag.lag_ms(received_at, exchange_ms)
        self._upkeep.told_time(exchange_ms, received_at)
        self._evidence(received_at, lag_ms, events)

    def _rare(self, message: Frame, received_at: BootNs, events: list[FeedEvent]) -> None:
        match message:
            case SnapshotFrame():
                if self._in_sequence(self._books, message.sid, message.seq, received_at, events):
                    self._snapshot(message, received_at, events)
                    self._evidence(received_at, None, events)
            case Subscribed():
                self._subscribed(message, received_at, events)
            case LifecycleFrame() | FeeUpdateFrame() | EventLifecycleFrame():
                if self._in_sequence(self._states, message.sid, message.seq, received_at, events):
                    self._states_frame(message, received_at, events)
            case Error():
                self._error(message, received_at, events)
            case Unsubscribed():
                self._unsubscribed(message, received_at, events)
            case Ok() if message.sid is not None:
                self._in_sequence(self._channel_of(message.sid), message.sid, message.seq, received_at, events)
            case _:
                pass

    def _snapshot(self, frame: SnapshotFrame, received_at: BootNs, events: list[FeedEvent]) -> None:
        market_id = self._ids.get(frame.msg.market_ticker)
        if market_id is None:
            self.counts.foreign += 1
            return
        held = self._held
        if market_id in held.open:  # what came before the snapshot is in it
            events.append(held.tell(market_id))
        snapshot = self._texts.snapshot(
            frame.msg, self._generation, received_at, seq=held.told(market_id), exchange_ms=frame.sending_ts_ms
        )
        self._upkeep.synced_now(market_id)
        if self._desk is not None:
            self._desk.arrived(snapshot)
        events.append(snapshot)

    def _subscribed(self, message: Subscribed, received_at: BootNs, events: list[FeedEvent]) -> None:
        self.counts.subscribed += 1
        if message.msg.channel == BOOKS:
            self._books.begin(message.msg.sid)
            self._held.drop()
            self._upkeep.begun(received_at)
            events.extend(self._lifecycles.paused_now())
        elif message.msg.channel == LIFECYCLES:
            self._states.begin(message.msg.sid)

    def _unsubscribed(self, message: Unsubscribed, received_at: BootNs, events: list[FeedEvent]) -> None:
        """Ours is confirmed after `end`, when its number is nobody's any more; another one was the venue's doing."""
        if message.sid is not None and message.sid == self._books.sid:
            self._lose(NotReady.GAP, received_at, events)
        elif message.sid is not None and message.sid == self._states.sid:
            self._subscribe_states_again()

    def _states_frame(
        self, message: LifecycleFrame | FeeUpdateFrame | EventLifecycleFrame, at: BootNs, events: list[FeedEvent]
    ) -> None:
        """A market that opens again lost its resting orders meanwhile (2.3): its book starts from a new snapshot."""
        if isinstance(message, FeeUpdateFrame):
            events.extend(self._lifecycles.fees_changed(message.msg, at))
        elif isinstance(message, LifecycleFrame):
            for event in self._lifecycles.told(message.msg, at):
                events.append(event)
                if isinstance(event, StatusChanged) and event.status is MarketStatus.OPEN:
                    events.append(self._lost(event.market_id, NotReady.PAUSED, at))
                    self._held.open.pop(event.market_id, None)
                    self._upkeep.unsynced(event.market_id)
                    self._commands.ask(self._books.sid, [event.market_id])

    def _error(self, message: Error, received_at: BootNs, events: list[FeedEvent]) -> None:
        self.counts.refused += 1
        sid = message.sid
        channel = self._books if sid is None else self._channel_of(sid)
        if sid is not None and not self._in_sequence(channel, sid, message.seq, received_at, events):
            return
        if message.msg.code not in ENDING_CODES:
            return
        if channel is self._states:
            self._subscribe_states_again()
        else:
            self._lose(NotReady.GAP, received_at, events)

    def _subscribe_states_again(self) -> None:
        self._states.end()
        self._commands.queue(self._commands.subscribe_states())

    # -- sequences, loss, evidence

    def _channel_of(self, sid: int) -> Subscription:
        return self._states if sid == self._states.sid else self._books

    def _in_sequence(
        self, channel: Subscription, sid: int, seq: int | None, received_at: BootNs, events: list[FeedEvent]
    ) -> bool:
        """Whether the frame is to be read: the next one of its subscription."""
        step = channel.follow(sid, seq)
        if step is Step.NEXT:
            if channel is self._books:
                self._upkeep.heard(received_at)
            return True
        if step is Step.FOREIGN:
            self.counts.foreign += 1
        elif step is Step.DUPLICATE:
            self.counts.duplicates += 1
        else:
            self.counts.gaps += 1
            if channel is self._states:
                return True  # a state that was missed shows in the venue's refusals; this one is still news
            self._lose(NotReady.GAP, received_at, events)
        return False

    def _lose(self, reason: NotReady, at: BootNs, events: list[FeedEvent]) -> None:
        """Nothing of the subscription can be trusted: say so, and make it anew."""
        events.extend(self._lost(market_id, reason, at) for market_id in self._ids.values())
        self._held.drop()
        self._upkeep.lost(at)
        if not self._recorded:
            self._commands.give_up(self._books.sid)
            self._books.end()

    def _lost(self, market_id: MarketId, reason: NotReady, at: BootNs) -> BookLost:
        return BookLost(market_id=market_id, generation=self._generation, reason=reason, received_at=at)

    def _evidence(self, at: BootNs, lag_ms: int | None, events: list[FeedEvent]) -> None:
        """An unbroken sequence proves every book of the subscription, but for what is still held."""
        if at < self._alive_at:
            return
        self._alive_at = BootNs(at + ALIVE_NS)
        held = self._held.open
        seqs: dict[MarketId, int | None] = {m: None for m in self._upkeep.synced if m not in held}
        if seqs:
            events.append(MarketsAlive(generation=self._generation, seqs=seqs, received_at=at, lag_ms=lag_ms))

    def _unreadable(self, frame: bytes, received_at: BootNs, events: list[FeedEvent]) -> None:
        """An unknown type is no loss, but its number counts; a known one, or none, may have been a change."""
        try:
            mentioned = MENTIONED.decode(frame)
        except UNREADABLE:
            mentioned = None
        if mentioned is None or mentioned.type is None or mentioned.type in KNOWN_TYPES:
            self.counts.failed += 1
            self._lose(NotReady.BAD_FRAME, received_at, events)
            return
        self.counts.unknown += 1
        if mentioned.sid is not None and mentioned.sid in (self._books.sid, self._states.sid):
            self._in_sequence(self._channel_of(mentioned.sid), mentioned.sid, mentioned.seq, received_at, events)

    def _closing_at(self) -> BootNs | None:
        """When the next market closes by the exchange's clock."""
        closes_ms = self._lifecycles.next_close_ms
        return None if closes_ms is None else self._upkeep.boot_at(closes_ms)
