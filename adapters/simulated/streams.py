"""Both WebSocket streams as pure logic: who is connected, what each is sent, when, and what is done to it on the way.

Nothing here touches a socket. Commands come in as text, frames go out as effects with a time; the server carries them
out on real sockets, the simulator hands them to a session directly.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Protocol

import msgspec

from adapters.simulated import dialect, wire
from adapters.simulated.faults import LeverName, Levers, duration_ns
from adapters.simulated.listing import Listing
from models.book import Change
from models.clock import MS
from models.market import MarketId
from models.money import text

MARKETS_MAX: Final = 10_000
"""Subscriptions of one connection."""


@dataclass(frozen=True, slots=True)
class Send:
    """One text frame."""

    connection: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    connection: int
    code: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """Half-open: nothing is read or written any more, and the socket stays. `part` of a frame goes out first."""

    connection: int
    part: bytes = b""


@dataclass(frozen=True, slots=True)
class Ping:
    """A WebSocket ping from the exchange's side (dialects)."""

    connection: int
    body: bytes


Effect = Send | Close | Freeze | Ping


class Load(Protocol):
    """A source of frames that bypasses the engine."""

    def snapshot(self, market_id: MarketId, now: int) -> wire.Snapshot: ...


@dataclass(slots=True, eq=False)
class _Connection:
    account: str | None
    """None on the market stream."""
    markets: dict[MarketId, None] = field(default_factory=dict)
    frozen: bool = False
    slow_until: int = 0
    delay: int = 0
    last_due: int = 0
    """Frames of one connection never overtake each other."""


class Streams:
    """All connections of one exchange. Owned by whoever owns the exchange. Times in ns."""

    def __init__(self, listings: dict[MarketId, Listing], levers: Levers) -> None:
        self._listings = listings
        self._levers = levers
        self._connections: dict[int, _Connection] = {}
        self._ids = count(1)
        self._order = count()
        self._due: list[tuple[int, int, Effect, MarketId | None, int]] = []
        self._held: dict[MarketId, bytes] = {}
        """A frame that is to come after its successor."""
        self._lags: dict[MarketId, tuple[int, int]] = {}
        """(until, delay)"""
        self._silent: dict[MarketId, int] = {}
        self.seqs: dict[MarketId, int] = dict.fromkeys(listings, 0)
        self._sent: dict[MarketId, int] = dict.fromkeys(listings, 0)
        self.frames = 0
        self.load: Load | None = None
        """Where the books come from in a load test, instead of the engine."""

    # -- connections

    def open(self, account: str | None) -> int:
        """A new connection: the market stream, or an account's private one."""
        connection = next(self._ids)
        self._connections[connection] = _Connection(account)
        return connection

    def forget(self, connection: int) -> None:
        """The peer is gone."""
        self._connections.pop(connection, None)

    def receive(self, connection: int, message: bytes | str, now: int) -> None:
        """Obey one message of a client."""
        peer = self._connections.get(connection)
        if peer is None or peer.frozen:
            return None
        try:
            command = dialect.command(message)
        except dialect.MalformedError as error:
            return self._send(connection, wire.Trouble("malformed", str(error)), now)
        unknown = [market for market in command.markets if market not in self._listings]
        markets = [MarketId(market) for market in command.markets if market in self._listings]
        if command.op == "ping":
            self._send(connection, wire.Pong(now // MS), now)
        elif peer.account is not None or command.op not in ("subscribe", "unsubscribe", "resubscribe"):
            self._send(connection, wire.Trouble("unknown_op", command.op[:40]), now)
        elif unknown or len(peer.markets) + len(markets) > MARKETS_MAX:
            self._send(connection, wire.Trouble("unknown_market", " ".join(unknown)[:200]), now)
        elif command.op == "unsubscribe":
            for market_id in markets:
                peer.markets.pop(market_id, None)
        else:
            peer.markets.update(dict.fromkeys(markets))
            self._send(connection, wire.Subscribed(tuple(markets)), now)
            for market_id in markets:
                self._send_snapshot(connection, market_id, now)
        return None

    def each(self, stream: str) -> list[int]:
        """The connections of the `market` or the `user` stream."""
        return [c for c, peer in self._connections.items() if (peer.account is None) == (stream == "market")]

    # -- what is told

    def publish_changes(self, market_id: MarketId, changes: Iterable[Change], now: int) -> None:
        """One delta frame to every subscriber, through the frame levers."""
        self.seqs[market_id] += 1
        pull = self._levers.pull
        if pull(LeverName.GAP, market=market_id):
            self.seqs[market_id] += 1
        seq = self.seqs[market_id]
        data = self._delta(market_id, seq, now, changes)
        if pull(LeverName.DROP, market=market_id):
            return
        if pull(LeverName.REORDER, market=market_id) and market_id not in self._held:
            self._held[market_id] = data
            return
        if pull(LeverName.UNKNOWN_TYPE, market=market_id):
            self._to_subscribers(market_id, self._lottery(market_id), now, None)
        if pull(LeverName.GARBAGE, market=market_id):
            data = data[: len(data) * 2 // 3]
        self._to_subscribers(market_id, data, now, seq)
        if pull(LeverName.DUPLICATE, market=market_id):
            self._to_subscribers(market_id, data, now, seq)
        held = self._held.pop(market_id, None)
        if held is not None:
            self._to_subscribers(market_id, held, now, None)

    def publish_public(self, market_id: MarketId, frame: msgspec.Struct, now: int) -> None:
        """A frame without a sequence number (trades, statuses, resolutions) to every subscriber."""
        self._to_subscribers(market_id, wire.encode(frame), now, None)

    def publish_private(self, account: str, frame: msgspec.Struct, now: int, later: int = 0) -> None:
        """A frame to every private connection of an account, `later` ns from now at the soonest, through the private
        levers.
        """
        pull = self._levers.pull
        if pull(LeverName.USER_DROP, account=account):
            return
        copies = 2 if pull(LeverName.USER_DUPLICATE, account=account) else 1
        late = pull(LeverName.USER_DELAY, account=account)
        due = now + later + (duration_ns(late.delay) if late is not None else 0)
        data = wire.encode(frame)
        for connection, peer in self._connections.items():
            if peer.account == account and not peer.frozen:
                for _ in range(copies):
                    self._queue(peer, Send(connection, data), due)

    def heartbeat(self, now: int) -> None:
        """Current sequence numbers to every connection. A silent market is left out."""
        ts = now // MS
        for connection, peer in self._connections.items():
            seqs = {str(m): self._sent[m] for m in peer.markets if self._silent.get(m, 0) <= now}
            self._send(connection, wire.Heartbeat(ts, seqs), now)

    def snapshot(self, market_id: MarketId, now: int) -> wire.Snapshot:
        """A market's whole book as of its last frame."""
        if self.load is not None:
            return self.load.snapshot(market_id, now)
        return dialect.snapshot(self._listings[market_id], self.seqs[market_id], now)

    def subscribers(self) -> list[tuple[int, Iterable[MarketId]]]:
        """(connection, its markets) of everybody who is being sent market data."""
        return [(c, peer.markets) for c, peer in self._connections.items() if peer.markets and not peer.frozen]

    def note_sent(self, market_id: MarketId, seq: int) -> None:
        """Frames up to `seq` went out past these streams (load)."""
        self.seqs[market_id] = self._sent[market_id] = seq

    # -- what is done to connections and markets

    def drop_all(self, stream: str, code: int, now: int) -> None:
        for connection in self.each(stream):
            self._queue(self._connections[connection], Close(connection, code), now)
            del self._connections[connection]

    def freeze_all(self, stream: str, now: int, *, part: bool) -> None:
        """Half-open; `part` sends the first half of a frame before that."""
        half = wire.encode(wire.Heartbeat(now // MS, {})) if part else b""
        for connection in self.each(stream):
            peer = self._connections[connection]
            if not peer.frozen:
                self._queue(peer, Freeze(connection, half), now)
                peer.frozen = True

    def slow_all(self, stream: str, until: int, delay: int) -> None:
        for connection in self.each(stream):
            peer = self._connections[connection]
            peer.slow_until, peer.delay = until, delay

    def lag(self, market_id: MarketId, until: int, delay: int) -> None:
        """Frames of one market are `delay` late, in order, until `until`."""
        self._lags[market_id] = (until, delay)

    def silence(self, market_id: MarketId, until: int) -> None:
        """The subscription stands, but nothing comes, not even a snapshot."""
        self._silent[market_id] = until

    # -- what is due

    def next_due(self) -> int | None:
        return self._due[0][0] if self._due else None

    def take_due(self, now: int) -> list[Effect]:
        """What has to happen on the wire until now, in order."""
        effects: list[Effect] = []
        while self._due and self._due[0][0] <= now:
            _, _, effect, market_id, seq = heapq.heappop(self._due)
            if market_id is not None and seq > self._sent[market_id]:
                self._sent[market_id] = seq
            effects.append(effect)
        self.frames += len(effects)
        return effects

    # -- inside; a dialect makes its own frames

    def _delta(self, market_id: MarketId, seq: int, now: int, changes: Iterable[Change]) -> bytes:
        return wire.encode(dialect.delta(market_id, seq, now, changes))

    def _lottery(self, market_id: MarketId) -> bytes:
        """A frame of a type that nobody has heard of."""
        return wire.encode(_Lottery(market_id))

    def _to_subscribers(self, market_id: MarketId, data: bytes, now: int, seq: int | None) -> None:
        if self._silent.get(market_id, 0) > now:
            return
        until, delay = self._lags.get(market_id, (0, 0))
        due = min(now, until) + delay if now < until + delay else now
        sent_to_one = False
        for connection, peer in self._connections.items():
            if market_id in peer.markets and not peer.frozen:
                self._queue(peer, Send(connection, data), due, market_id, seq or 0)
                sent_to_one = True
        if not sent_to_one and seq is not None:
            self._sent[market_id] = seq

    def _send_snapshot(self, connection: int, market_id: MarketId, now: int) -> None:
        if self._silent.get(market_id, 0) <= now:
            self._send(connection, self.snapshot(market_id, now), now)
            yes_pays = self._listings[market_id].yes_pays
            if yes_pays is not None:  # for whoever was not there when it was told
                self._send(connection, wire.Resolved(market_id, now // MS, text(yes_pays)), now)

    def _send(self, connection: int, frame: msgspec.Struct, now: int) -> None:
        peer = self._connections[connection]
        if not peer.frozen:
            self._queue(peer, Send(connection, wire.encode(frame)), now)

    def _queue(
        self, peer: _Connection, effect: Effect, due: int, market_id: MarketId | None = None, seq: int = 0
    ) -> None:
        if due < peer.slow_until:
            due += peer.delay
        if peer.delay:
            due = max(due, peer.last_due)
            peer.last_due = due
        heapq.heappush(self._due, (due, next(self._order), effect, market_id, seq))


class _Lottery(msgspec.Struct, frozen=True, tag="lottery"):
    """A frame type that nobody has heard of."""

    market_id: str
