"""One connection to the simulated exchange: what to send, and frames in, events out. Pure; the feed owns the socket.

A frame of a known type that cannot be read may have been a change, so the books it concerns are lost (all of them where
it names none), and a fresh snapshot is asked for on the stream. An unknown type is counted and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, cast

import msgspec

from adapters.feed import HeartbeatPolicy
from adapters.simulated import wire
from adapters.simulated.values import (
    IMPOSSIBLE,
    UNREADABLE,
    PriceTexts,
    SizeTexts,
    book_snapshot,
    fill_of,
    order_seen_of,
    resolution,
)
from models.book import BookLost, BookSnapshot, BookUpdate, MarketAlive, MarketsAlive, NotReady
from models.clock import BootNs, Clock
from models.hostile import clean, says_twice
from models.lag import LagMeter
from models.market import Market, MarketId, MarketStatus
from models.messages import FillSeen, MarketResolved, OrderUpdated, StatusChanged

HEARTBEAT: Final = HeartbeatPolicy(kind="frame", period_s=4.0, pong_timeout_s=4.0)

FeedEvent = BookSnapshot | BookUpdate | BookLost | MarketAlive | MarketsAlive | StatusChanged | MarketResolved

_MARKET_FRAMES: Final = msgspec.json.Decoder(wire.MarketFrame)
_USER_FRAMES: Final = msgspec.json.Decoder(wire.UserFrame)
_KNOWN_TYPES: Final = frozenset(
    ("snapshot", "delta", "heartbeat", "trade", "status", "resolved", "subscribed", "error", "pong", "order", "fill")
)


class _Mentioned(msgspec.Struct):
    """What can be told about a frame that does not decode."""

    type: str | None = None
    market_id: str | None = None


_MENTIONED: Final = msgspec.json.Decoder(_Mentioned)


class SessionCounts:
    """What the frames of one connection contained."""

    __slots__ = ("failed", "foreign", "frames", "resubscribed", "unknown")

    def __init__(self) -> None:
        self.frames = 0
        self.unknown = 0
        """Types that nobody has told us about."""
        self.failed = 0
        """Frames that could not be read or cannot be true."""
        self.foreign = 0
        """Frames about markets that were not asked for."""
        self.resubscribed = 0


class MarketSession:
    """`adapters.feed.FeedSession` for the market stream."""

    def __init__(self, markets: Sequence[Market], generation: int, clock: Clock | None = None) -> None:
        self._markets = {str(market.market_id): market.market_id for market in markets}
        self._generation = generation
        self._seqs: dict[str, int] = {}
        self._statuses: dict[str, str] = {}
        self._prices = PriceTexts()
        self._sizes = SizeTexts()
        self._lag = LagMeter(clock)
        self._wanted: dict[str, None] = {}
        """Markets that need a fresh snapshot."""
        self.counts = SessionCounts()

    def opening(self) -> Sequence[str]:
        return (_command("subscribe", self._markets),)

    def heartbeat(self) -> HeartbeatPolicy:
        return HEARTBEAT

    def outgoing(self) -> Sequence[str]:
        if not self._wanted:
            return ()
        wanted, self._wanted = self._wanted, {}
        self.counts.resubscribed += len(wanted)
        return (_command("resubscribe", wanted),)

    def on_text(self, frame: bytes, received_at: BootNs) -> Sequence[FeedEvent]:
        self.counts.frames += 1
        try:
            decoded = _MARKET_FRAMES.decode(frame)
        except UNREADABLE:
            return self._unreadable(frame, received_at)
        try:
            if type(decoded) is wire.Delta:
                return self._delta(decoded, received_at)
            return tuple(self._rare(decoded, received_at))
        except IMPOSSIBLE:
            self.counts.failed += 1
            return self._lost(getattr(decoded, "market_id", None), received_at)

    # -- inside

    def _delta(self, frame: wire.Delta, received_at: BootNs) -> Sequence[FeedEvent]:
        market_id = self._markets.get(frame.market_id)
        if market_id is None:
            self.counts.foreign += 1
            return ()
        self._follow(frame.market_id, frame.seq)
        sides, prices, sizes = wire.SIDES, self._prices, self._sizes
        return (
            BookUpdate(
                market_id=market_id,
                generation=self._generation,
                changes=tuple([(sides[side], prices[price], sizes[size]) for side, price, size in frame.changes]),
                seq=frame.seq,
                exchange_ms=frame.ts,
                received_at=received_at,
                lag_ms=self._lag.lag_ms(received_at, frame.ts),
            ),
        )

    def _rare(self, frame: wire.MarketFrame, received_at: BootNs) -> Iterator[FeedEvent]:
        if isinstance(frame, wire.Heartbeat):
            yield from self._alive(frame, received_at)
            return
        if not isinstance(frame, wire.Snapshot | wire.Status | wire.Resolved):
            return  # subscribed, trade, pong and error change no book
        market_id = self._markets.get(frame.market_id)
        if market_id is None:
            self.counts.foreign += 1
            return
        if isinstance(frame, wire.Snapshot):
            self._seqs[frame.market_id] = frame.seq
            lag_ms = self._lag.lag_ms(received_at, frame.ts)
            yield book_snapshot(frame, self._generation, received_at, lag_ms)
            yield from self._status(market_id, frame.status, "", received_at)
        elif isinstance(frame, wire.Status):
            yield from self._status(market_id, frame.status, frame.detail, received_at)
        else:
            yield resolution(market_id, frame, received_at)

    def _status(self, market_id: MarketId, status: str, detail: str, at: BootNs) -> Iterator[StatusChanged]:
        if self._statuses.get(market_id) != status:
            self._statuses[market_id] = status
            yield StatusChanged(market_id, MarketStatus(status), clean(detail), at)

    def _alive(self, frame: wire.Heartbeat, received_at: BootNs) -> Iterator[MarketAlive | MarketsAlive]:
        """Nearly always a heartbeat says what is known already, of every market. One that is ahead has a hole."""
        known = self._seqs
        in_step = frame.seqs
        if in_step != known:
            ahead = {name: seq for name, seq in frame.seqs.items() if name in known and seq > known[name]}
            in_step = {name: seq for name, seq in frame.seqs.items() if name in known and name not in ahead}
            known.update(ahead)
            self._wanted.update(dict.fromkeys(ahead))
            for name, seq in ahead.items():
                yield MarketAlive(
                    market_id=self._markets[name], generation=self._generation, seq=seq, received_at=received_at
                )
        if in_step:
            seqs = cast("dict[MarketId, int | None]", in_step)
            yield MarketsAlive(generation=self._generation, seqs=seqs, received_at=received_at)

    def _follow(self, name: str, seq: int) -> None:
        """Notice a hole in a market's numbers, and ask for a snapshot; the book notices it by itself, too."""
        last = self._seqs.get(name)
        if last is None:
            return
        if seq > last:
            self._seqs[name] = seq
            if seq != last + 1:
                self._wanted[name] = None

    def _unreadable(self, frame: bytes, received_at: BootNs) -> Sequence[FeedEvent]:
        try:
            mentioned = _MENTIONED.decode(frame)
        except UNREADABLE:
            self.counts.failed += 1
            return self._lost(None, received_at)
        if mentioned.type is not None and mentioned.type not in _KNOWN_TYPES:
            self.counts.unknown += 1
            return ()
        self.counts.failed += 1
        return self._lost(mentioned.market_id, received_at)

    def _lost(self, name: str | None, received_at: BootNs) -> Sequence[FeedEvent]:
        names = [name] if name in self._markets and name is not None else list(self._markets)
        self._wanted.update(dict.fromkeys(names))
        return tuple(
            BookLost(
                market_id=self._markets[each],
                generation=self._generation,
                reason=NotReady.BAD_FRAME,
                received_at=received_at,
            )
            for each in names
        )


class UserSession:
    """`adapters.feed.FeedSession` for the private stream: orders and executions of one account."""

    def __init__(self) -> None:
        self.counts = SessionCounts()

    def opening(self) -> Sequence[str]:
        return ()

    def heartbeat(self) -> HeartbeatPolicy:
        return HEARTBEAT

    def outgoing(self) -> Sequence[str]:
        return ()

    def on_text(self, frame: bytes, received_at: BootNs) -> Sequence[FillSeen | OrderUpdated]:
        self.counts.frames += 1
        if says_twice(frame):
            self.counts.failed += 1
            return ()
        try:
            decoded = _USER_FRAMES.decode(frame)
            if isinstance(decoded, wire.FillNews):
                return (FillSeen(fill=fill_of(decoded), at=received_at),)
            if isinstance(decoded, wire.OrderNews):
                return (OrderUpdated(seen=order_seen_of(decoded), at=received_at),)
        except (*UNREADABLE, *IMPOSSIBLE):
            self.counts.failed += 1
        return ()


def _command(op: str, markets: dict[str, MarketId] | dict[str, None]) -> str:
    return wire.encode(wire.Command(op, tuple(markets))).decode()
