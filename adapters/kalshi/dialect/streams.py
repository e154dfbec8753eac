"""Kalshi's one WebSocket as pure logic: channels, a sid per channel, a sequence per sid, and what the levers do to it.

A frame gets its number when it goes out, so the numbers of a subscription are always in the order of its frames,
however late some of them are. Deltas of one moment carry one `ts_ms`, additions before removals, so that the book is
crossed in between wherever the venue's would be.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import count
from typing import Any, Final

import msgspec

from adapters.kalshi.dialect.commands import SEQUENCED, CommandError, command
from adapters.kalshi.dialect.market_rows import price_ranges
from adapters.kalshi.dialect.markets import LABELS, Listings
from adapters.kalshi.dialect.members import owner_of
from adapters.kalshi.dialect.peers import ENDED, Body, Frame, Peer
from adapters.kalshi.dialect.rows import count as shares_text
from adapters.kalshi.dialect.rows import dollars, wire_id
from adapters.kalshi.dialect.subscriptions import Obedience
from adapters.simulated import wire
from adapters.simulated.faults import LeverName, Levers, duration_ns
from adapters.simulated.listing import Listing
from adapters.simulated.streams import Close, Effect, Freeze, Ping, Send, Streams
from models.book import NO_BID, YES_BID, Change
from models.clock import MS, SECOND
from models.market import Market, MarketId, Outcome
from models.money import MICRO

PING_NS: Final = 10 * SECOND


class KalshiStreams(Streams):
    """All connections of one exchange. Times in ns."""

    def __init__(self, listings: dict[MarketId, Listing], levers: Levers, catalog: Listings) -> None:
        super().__init__(listings, levers)
        self._peers: dict[int, Peer] = {}
        self._queue_: list[tuple[int, int, Frame | Close | Freeze | Ping]] = []
        self._serial = count()
        self._book: dict[MarketId, dict[tuple[int, int], int]] = {}
        """(YES_BID or NO_BID, price) -> size, as it was told last."""
        self._next_ping: int | None = None
        self._obedience = Obedience(self, catalog.by_ticker)

    # -- connections

    def open(self, account: str | None) -> int:
        assert account is not None, "every connection is signed"
        connection = super().open(account)
        self._peers[connection] = Peer(owner_of(account))
        return connection

    def forget(self, connection: int) -> None:
        super().forget(connection)
        self._peers.pop(connection, None)

    def receive(self, connection: int, message: bytes | str, now: int) -> None:
        peer = self._peers.get(connection)
        if peer is None or peer.frozen:
            return
        number = 0
        try:
            asked = command(message)
            number = asked.id
            self._obedience.obey(connection, peer, asked, now)
        except CommandError as error:
            body: dict[str, Any] = {"type": "error", "id": number, "msg": {"code": error.code, "msg": str(error)}}
            self.put(peer, Frame(connection, body), now)

    def each(self, stream: str) -> list[int]:
        return [c for c, peer in self._peers.items() if peer.private == (stream == "user")]

    # -- what is told

    def publish_changes(self, market_id: MarketId, changes: Iterable[Change], now: int) -> None:
        book = self._told_book(market_id)
        differences = []
        for side, price, size in changes:
            if side in (YES_BID, NO_BID) and size != book.get((side, price), 0):
                differences.append((side, price, size - book.get((side, price), 0)))
                book[side, price] = size
        for side, price, difference in sorted(differences, key=lambda change: change[2] < 0):
            self.seqs[market_id] += 1
            self._tell_delta(market_id, side, price, difference, now)

    def _tell_delta(self, market_id: MarketId, side: int, price: int, difference: int, now: int) -> None:
        pulled = frozenset(name for name in _FRAME_LEVERS if self._levers.pull(name, market=market_id))
        due = self.due_of(market_id, now)
        for connection, peer in self._peers.items():
            subscription = peer.of("orderbook_delta")
            if subscription is None or market_id not in subscription.tickers:
                continue
            if LeverName.UNKNOWN_TYPE in pulled:
                body = {"type": "lottery", "msg": {"market_ticker": market_id}}
                self.put(peer, Frame(connection, body, subscription.sid), due)
            flipped = side == NO_BID and subscription.use_yes_price
            msg = {
                "market_ticker": market_id,
                "market_id": wire_id(market_id),
                "price_dollars": dollars(MICRO - price if flipped else price),
                "delta_fp": shares_text(difference),
                "side": "yes" if side == YES_BID else "no",
                "ts_ms": now // MS,
            }
            self.put(peer, Frame(connection, {"type": "orderbook_delta", "msg": msg}, subscription.sid, pulled), due)

    def tell_trade(self, market_id: MarketId, outcome: Outcome, price: int, size: int, now: int) -> None:
        yes = price if outcome is Outcome.YES else MICRO - price
        msg = {
            "trade_id": wire_id(f"{market_id}/{now}/{next(self._serial)}"),
            "market_ticker": market_id,
            "yes_price_dollars": dollars(yes),
            "no_price_dollars": dollars(MICRO - yes),
            "count_fp": shares_text(size),
            "is_block_trade": False,
            "ts_ms": now // MS,
        }
        self._tell_all("trade", {"type": "trade", "msg": msg}, market_id, now)

    def tell_state(self, market_id: MarketId, now: int, event_type: str, **facts: Any) -> None:
        msg = {"event_type": event_type, "market_ticker": market_id} | facts
        self._tell_all("market_lifecycle_v2", {"type": "market_lifecycle_v2", "msg": msg}, None, now)

    def tell_grid(self, market: Market, now: int) -> None:
        ranges = price_ranges(market)
        label = LABELS.get(market.price_bands[0].step, "")
        told = {"price_level_structure": label, "price_ranges": ranges}
        self.tell_state(market.market_id, now, "price_level_structure_updated", **told)

    def tell_fees(self, event_ticker: str, fee_type: str | None, multiplier: float | None, now: int) -> None:
        msg = {
            "event_ticker": event_ticker,
            "fee_type_override": fee_type,
            "fee_multiplier_override": multiplier,
        }
        self._tell_all("market_lifecycle_v2", {"type": "event_fee_update", "msg": msg}, None, now)

    def tell_result(self, market_id: MarketId, yes_pays: int, now: int) -> None:
        result = {MICRO: "yes", 0: "no"}.get(yes_pays, "scalar")
        value = dollars(yes_pays)
        at = now // SECOND
        self.tell_state(market_id, now, "determined", result=result, settlement_value=value, determination_ts=at)
        self.tell_state(market_id, now, "settled", result=result, settlement_value=value, settled_ts=at)

    def tell(self, member: str, channel: str, kind: str, msg: Body, now: int, later: int = 0) -> None:
        """News of an account, through the private levers. `later`: how long it is held back (ns)."""
        pull = self._levers.pull
        if pull(LeverName.USER_DROP, account=member):
            return
        copies = 2 if pull(LeverName.USER_DUPLICATE, account=member) else 1
        late = pull(LeverName.USER_DELAY, account=member)
        due = now + later + (duration_ns(late.delay) if late is not None else 0)
        for connection, peer in self._peers.items():
            subscription = peer.of(channel)
            if peer.account != member or subscription is None:
                continue
            ticker = msg.get("ticker") or msg.get("market_ticker")
            if subscription.tickers and ticker not in subscription.tickers:
                continue
            for _ in range(copies):
                self.put(peer, Frame(connection, {"type": kind, "msg": msg}, subscription.sid), due)

    def tell_position(self, member: str, ticker: str, position: int, now: int, later: int = 0) -> None:
        msg = {"user_id": wire_id(member), "market_ticker": ticker, "position_fp": shares_text(position)}
        self.tell(member, "market_positions", "market_position", msg, now, later)

    def end_subscriptions(self, code: int, now: int) -> None:
        """Error 10 or 25 on every book subscription: over, and the client has to subscribe again."""
        for connection, peer in self._peers.items():
            subscription = peer.of("orderbook_delta")
            if subscription is not None:
                body = {"type": "error", "msg": {"code": code, "msg": "Subscription ended"}}
                self.put(peer, Frame(connection, body, subscription.sid), now)
                self._obedience.end(connection, peer, subscription.sid, now)

    def heartbeat(self, now: int) -> None:
        """The venue's pings, every ten seconds."""
        if self._next_ping is not None and now < self._next_ping:
            return
        self._next_ping = now + PING_NS
        for connection, peer in self._peers.items():
            if not peer.frozen:
                self._push(peer, Ping(connection, b"heartbeat"), now)

    # -- what is done to connections

    def drop_all(self, stream: str, code: int, now: int) -> None:
        for connection in self.each(stream):
            self._push(self._peers.pop(connection), Close(connection, code), now)

    def freeze_all(self, stream: str, now: int, *, part: bool) -> None:
        half = b'{"type":"orderbook_delta","sid":1' if part else b""
        for connection in self.each(stream):
            peer = self._peers[connection]
            if not peer.frozen:
                self._push(peer, Freeze(connection, half), now)
                peer.frozen = True

    def slow_all(self, stream: str, until: int, delay: int) -> None:
        for connection in self.each(stream):
            peer = self._peers[connection]
            peer.slow_until, peer.delay = until, delay

    # -- what is due

    def next_due(self) -> int | None:
        return self._queue_[0][0] if self._queue_ else None

    def take_due(self, now: int) -> list[Effect]:
        effects: list[Effect] = []
        while self._queue_ and self._queue_[0][0] <= now:
            due, _, what = heapq.heappop(self._queue_)
            if isinstance(what, Frame):
                effects += self._numbered(what, due)
            else:
                effects.append(what)
        self.frames += len(effects)
        return effects

    def snapshot(self, market_id: MarketId, now: int) -> wire.Snapshot:
        raise NotImplementedError("books are asked for in the venue's own form")

    # -- inside

    def _numbered(self, frame: Frame, due: int) -> list[Effect]:
        """Number a frame and let the levers have it."""
        peer = self._peers.get(frame.connection)
        if peer is None:
            return []
        body = dict(frame.body)
        subscription = None if frame.sid is None else peer.subscriptions.get(frame.sid)
        if frame.sid is not None and subscription is None:
            return []  # of a subscription that has ended
        if body["type"] == ENDED:
            assert frame.sid is not None
            del peer.subscriptions[frame.sid]
            return []
        if subscription is not None:
            body["sid"] = subscription.sid
            if subscription.channel in SEQUENCED:
                subscription.seq += 2 if LeverName.GAP in frame.faults else 1
                body["seq"] = subscription.seq
        body["sending_ts_ms"] = due // MS
        data = msgspec.json.encode(body)
        if LeverName.DROP in frame.faults:
            return []
        if subscription is not None and LeverName.REORDER in frame.faults and subscription.held is None:
            subscription.held = data
            return []
        if LeverName.GARBAGE in frame.faults:
            data = data[: len(data) * 2 // 3]
        effects: list[Effect] = [Send(frame.connection, data)]
        if LeverName.DUPLICATE in frame.faults:
            effects.append(Send(frame.connection, data))
        if subscription is not None and subscription.held is not None:
            effects.append(Send(frame.connection, subscription.held))
            subscription.held = None
        return effects

    def _tell_all(self, channel: str, body: Body, market_id: MarketId | None, now: int) -> None:
        for connection, peer in self._peers.items():
            subscription = peer.of(channel)
            if subscription is None or (subscription.tickers and market_id not in (None, *subscription.tickers)):
                continue
            self.put(peer, Frame(connection, body, subscription.sid), now)

    def put(self, peer: Peer, frame: Frame, due: int) -> None:
        if not peer.frozen:
            self._push(peer, frame, due)

    def _push(self, peer: Peer, what: Frame | Close | Freeze | Ping, due: int) -> None:
        if due < peer.slow_until:
            due += peer.delay
        if peer.delay:
            due = max(due, peer.last_due)
            peer.last_due = due
        heapq.heappush(self._queue_, (due, next(self._serial), what))

    def due_of(self, market_id: MarketId, now: int) -> int:
        """When a frame of a market goes out: late while it lags, not before its silence is over."""
        until, delay = self._lags.get(market_id, (0, 0))
        due = min(now, until) + delay if now < until + delay else now
        return max(due, self._silent.get(market_id, 0))

    def _told_book(self, market_id: MarketId) -> dict[tuple[int, int], int]:
        if market_id not in self._book:
            listing = self._listings[market_id]
            self._book[market_id] = {
                (side, price): size for side in (YES_BID, NO_BID) for price, size in listing.levels(side)
            }
        return self._book[market_id]

    def levels(self, market_id: MarketId, *, yes: bool) -> dict[str, Any]:
        """A whole book; a side that is empty is left out."""
        book = sorted((key, size) for key, size in self._told_book(market_id).items() if size)
        sides: dict[str, Any] = {"market_ticker": market_id, "market_id": wire_id(market_id)}
        for name, side in (("yes_dollars_fp", YES_BID), ("no_dollars_fp", NO_BID)):
            flipped = side == NO_BID and yes
            levels = [
                [dollars(MICRO - price if flipped else price), shares_text(size)]
                for (of, price), size in book
                if of == side
            ]
            if levels:
                sides[name] = levels
        return sides


_FRAME_LEVERS: Final = (
    LeverName.GAP,
    LeverName.DROP,
    LeverName.REORDER,
    LeverName.UNKNOWN_TYPE,
    LeverName.GARBAGE,
    LeverName.DUPLICATE,
)
