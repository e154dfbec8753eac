"""Market channel frames -> domain events. Pure: text in, values out; no socket, no clock.

| wire                          | event                                                                        |
| ----------------------------- | ---------------------------------------------------------------------------- |
| `price_change`                | one `BookUpdate` with both mirrored entries (`whole` when both outcomes spoke) |
| `book`                        | `BookSnapshot` of one outcome; both of one instant in one frame: one snapshot |
| `tick_size_change`            | `TickChanged`, once per change (the venue repeats it per token)              |
| `market_resolved`             | `MarketResolved`, for watched markets                                        |
| `last_trade_price`, `best_bid_ask`, `new_market`, `[]`, `PONG`, `NO NEW ASSETS` | nothing, counted           |
| anything unreadable           | `BookLost(BAD_FRAME)` for the markets it names, for all where it names none  |

An unknown event type is counted and changes nothing: the venue adds events. An unreadable event of a known type may
have been a change, so the books it concerns are no longer right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from adapters.polymarket.book_hash import complete, hash_of_book
from adapters.polymarket.frames import (
    CONTROL_TEXTS,
    KNOWN_EVENTS,
    BestPriceTable,
    BookFrame,
    Event,
    Level,
    MarketResolvedFrame,
    Mentioned,
    PriceChangeFrame,
    PriceTable,
    SizeTable,
    TickSizeFrame,
    size_of,
)
from models.book import (
    NO_ASK,
    NO_BID,
    UNSAID,
    YES_ASK,
    YES_BID,
    BookLost,
    BookSnapshot,
    BookUpdate,
    Change,
    Levels,
    NotReady,
)
from models.clock import BootNs, Clock
from models.lag import LagMeter
from models.market import Market, MarketId, Outcome
from models.messages import MarketResolved, TickChanged
from models.money import MICRO, MoneyError, PriceMicros, parse_price

FeedEvent = BookSnapshot | BookUpdate | BookLost | TickChanged | MarketResolved

_DECODE: Final = msgspec.json.Decoder(Event | list[Event]).decode
_ONE: Final = msgspec.json.Decoder(Event)
_PARTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_MENTIONED: Final = msgspec.json.Decoder(Mentioned)
_TEXT: Final = msgspec.json.Decoder(str)

UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeError)
"""What msgspec raises for hostile bytes: wrong JSON or shape, nesting without end, broken UTF-8."""

_YES: Final = 1
_NO: Final = 2
_BOTH: Final = _YES | _NO
_SILENT: Final = [UNSAID] * 4

Leg = tuple[MarketId, int, int, int]
"""(market, its bid side, its ask side, _YES or _NO) of one token."""


class WireError(ValueError):
    """A readable event that cannot be true: a token under another market's id, a time that is no time."""


class WireCounts:
    """What one connection's frames contained. Each frame counts at most once in `unknown` and once in `failed`."""

    __slots__ = (
        "control",
        "failed",
        "frames",
        "hash_equal",
        "hash_wrong",
        "unknown",
        "unknown_assets",
        "unused",
    )

    def __init__(self) -> None:
        self.frames = 0
        self.control = 0
        self.unknown = 0
        self.failed = 0
        self.unknown_assets = 0
        self.unused = 0
        self.hash_equal = 0
        self.hash_wrong = 0


class FrameDecoder:
    """Turns the frames of one connection into events of `generation`. Owned by the thread that reads the socket."""

    def __init__(self, markets: Sequence[Market], generation: int, clock: Clock | None = None) -> None:
        self.counts = WireCounts()
        self._generation = generation
        self._ticks: dict[MarketId, int] = {m.market_id: m.tick_at(PriceMicros(MICRO // 2)) for m in markets}
        self._legs: dict[str, Leg] = {}
        for market in markets:
            self._legs[market.yes_instrument] = (market.market_id, YES_BID, YES_ASK, _YES)
            self._legs[market.no_instrument] = (market.market_id, NO_BID, NO_ASK, _NO)
        self._prices = PriceTable()
        self._sizes = SizeTable()
        self._best = BestPriceTable()
        self._events: list[FeedEvent] = []
        self._received_at = BootNs(0)
        self._lag = LagMeter(clock)

    def decode(self, frame: str | bytes, received_at: BootNs) -> Sequence[FeedEvent]:
        """The events of one frame in order; never raises."""
        self.counts.frames += 1
        self._received_at = received_at
        try:
            message = _DECODE(frame)
        except UNREADABLE:
            self._events = []
            self._salvage(frame)
            return self._events
        if type(message) is not PriceChangeFrame:
            self._events = []
            self._convert_all(message if isinstance(message, list) else [message])
            return self._events
        # The usual frame, without a list to spare.
        try:
            update = self._price_change(message)
        except (MoneyError, WireError):
            self._events = []
            self.counts.failed += 1
            self._lose(self._concerned(message))
            return self._events
        return () if update is None else (update,)

    # -- one event each

    def _price_change(self, frame: PriceChangeFrame) -> BookUpdate | None:
        """None where all its tokens are others than ours."""
        market_id = frame.market
        prices, best, legs = self._prices, self._best, self._legs
        changes: list[Change] = []
        claims: list[int | None] = [UNSAID, UNSAID, UNSAID, UNSAID]
        spoke = size = 0
        leg = said = None
        for entry in frame.price_changes:
            known = legs.get(entry.asset_id)
            if known is None:
                self.counts.unknown_assets += 1
                continue
            leg = known
            owner, bid, ask, outcome = leg
            if owner != market_id:
                raise WireError("a token under another market's id")
            if entry.size != said:  # the mirrored entry says the same
                said = entry.size
                size = size_of(said)
            changes.append((bid if entry.side == "BUY" else ask, prices[entry.price], size))
            spoke |= outcome
            if entry.best_bid is not None:
                claims[bid] = best[entry.best_bid]
            if entry.best_ask is not None:
                claims[ask] = best[entry.best_ask]
        if leg is None:
            return None
        exchange_ms = exchange_time(frame.timestamp)
        return BookUpdate(
            market_id=leg[0],
            generation=self._generation,
            changes=tuple(changes),
            whole=spoke == _BOTH,
            exchange_ms=exchange_ms,
            received_at=self._received_at,
            lag_ms=self._lag.lag_ms(self._received_at, exchange_ms),
            claimed=None if claims == _SILENT else tuple(claims),  # type: ignore[arg-type]  # one of each side
        )

    def _book(self, frame: BookFrame) -> None:
        """A snapshot has no lag: its time is that of the token's last change, which may be hours ago and still true."""
        leg = self._legs.get(frame.asset_id)
        if leg is None:
            self.counts.unknown_assets += 1
            return
        if leg[0] != frame.market:
            raise WireError("a token under another market's id")
        if complete(frame):
            equal = hash_of_book(frame) == frame.hash
            self.counts.hash_equal += equal
            self.counts.hash_wrong += not equal
        bids = self._levels(frame.bids)
        asks = self._levels(frame.asks)
        exchange_ms = exchange_time(frame.timestamp)
        if frame.tick_size is not None:
            self._tick(leg[0], frame.tick_size)
        yes = leg[3] == _YES
        snapshot = BookSnapshot(
            market_id=leg[0],
            generation=self._generation,
            yes_bids=bids if yes else None,
            yes_asks=asks if yes else None,
            no_bids=None if yes else bids,
            no_asks=None if yes else asks,
            exchange_ms=exchange_ms,
            received_at=self._received_at,
        )
        if not self._joined(snapshot):
            self._events.append(snapshot)

    def _joined(self, snapshot: BookSnapshot) -> bool:
        """Put `snapshot` into the other outcome's snapshot of the same instant, if that is the market's last event."""
        events = self._events
        for index in range(len(events) - 1, -1, -1):
            earlier = events[index]
            if earlier.market_id != snapshot.market_id:
                continue
            if not isinstance(earlier, BookSnapshot) or earlier.exchange_ms != snapshot.exchange_ms:
                return False
            joined = both_outcomes(earlier, snapshot)
            if joined is None:
                return False
            events[index] = joined
            return True
        return False

    def _levels(self, levels: list[Level]) -> Levels:
        prices, sizes = self._prices, self._sizes
        return tuple([(prices[level.price], sizes[level.size]) for level in levels])

    def _tick(self, market_id: MarketId, text: str) -> None:
        """Announce a tick that is not the one we know. A repeated announcement must not drop the new book again."""
        tick = parse_price(text)
        if self._ticks[market_id] != tick:
            self._ticks[market_id] = tick
            self._events.append(TickChanged(market_id, self._generation, tick, self._received_at))

    def _resolved(self, frame: MarketResolvedFrame) -> None:
        market_id = MarketId(frame.market)
        if market_id not in self._ticks:
            self.counts.unused += 1
            return
        leg = self._legs.get(frame.winning_asset_id)
        if leg is None or leg[0] != market_id:
            raise WireError("resolved for a token that is not the market's")
        yes = leg[3] == _YES
        winner = Outcome.YES if yes else Outcome.NO
        self._events.append(MarketResolved(market_id, winner, MICRO if yes else 0, self._received_at))

    # -- several events, and what cannot be read

    def _convert_all(self, messages: list[Event]) -> None:
        bad = False
        for message in messages:
            try:
                self._convert(message)
            except (MoneyError, WireError):
                bad = True
                self._lose(self._concerned(message))
        self.counts.failed += bad
        self.counts.control += not messages

    def _convert(self, message: Event) -> None:
        match message:
            case BookFrame():
                self._book(message)
            case PriceChangeFrame():
                if (update := self._price_change(message)) is not None:
                    self._events.append(update)
            case TickSizeFrame() if message.market in self._ticks:
                self._tick(MarketId(message.market), message.new_tick_size)
            case MarketResolvedFrame():
                self._resolved(message)
            case _:
                self.counts.unused += 1

    def _salvage(self, frame: str | bytes) -> None:
        """Read what can be read of a frame that did not decode as a whole."""
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        if text in CONTROL_TEXTS:
            self.counts.control += 1
            return
        unknown = failed = False
        for part in _parts(frame):
            kind, market = _mentioned(part)
            if kind is not None and kind not in KNOWN_EVENTS:
                unknown = True
                continue
            try:
                self._convert(_ONE.decode(part))
            except (*UNREADABLE, MoneyError, WireError):
                failed = True
                self._lose(self._meant(market, bytes(part)))
        self.counts.unknown += unknown
        self.counts.failed += failed

    def _meant(self, market: str | None, part: bytes) -> list[MarketId]:
        """The watched markets that an unreadable event may have been about: every one where it names none."""
        if market is None:
            return list(self._ticks)
        named = {leg[0] for token, leg in self._legs.items() if token.encode() in part}
        named.update(market_id for market_id in self._ticks if market_id == market or market_id.encode() in part)
        return sorted(named)

    def _concerned(self, message: Event) -> list[MarketId]:
        """The watched markets that an event names, by id or by token."""
        tokens = (
            [entry.asset_id for entry in message.price_changes]
            if isinstance(message, PriceChangeFrame)
            else [getattr(message, "asset_id", "")]
        )
        named = {self._legs[token][0] for token in tokens if token in self._legs}
        if message.market in self._ticks:
            named.add(MarketId(message.market))
        return sorted(named)

    def _lose(self, markets: Sequence[MarketId]) -> None:
        self._events.extend(
            BookLost(
                market_id=market_id,
                generation=self._generation,
                reason=NotReady.BAD_FRAME,
                received_at=self._received_at,
            )
            for market_id in markets
        )


def exchange_time(text: str) -> int:
    """Milliseconds since 1970 UTC of the wire's digit string, or `WireError`."""
    if not (text.isdigit() and text.isascii() and len(text) <= 16):
        raise WireError(f"not a time in milliseconds: {text[:40]!r}")
    return int(text)


def both_outcomes(one: BookSnapshot, other: BookSnapshot) -> BookSnapshot | None:
    """One snapshot of both outcomes from two of one outcome each; None where they speak for the same outcome."""
    if (one.yes_bids is None) == (other.yes_bids is None) or (one.no_bids is None) == (other.no_bids is None):
        return None
    yes, no = (one, other) if one.yes_bids is not None else (other, one)
    return msgspec.structs.replace(yes, no_bids=no.no_bids, no_asks=no.no_asks)


def _parts(frame: str | bytes) -> list[msgspec.Raw]:
    """The events of an array, or the frame itself where it is none."""
    try:
        return _PARTS.decode(frame)
    except UNREADABLE:
        return [msgspec.Raw(frame)]


def _mentioned(part: msgspec.Raw) -> tuple[str | None, str | None]:
    """Event type and market of an event, as far as they are there and texts."""
    try:
        mentioned = _MENTIONED.decode(part)
    except UNREADABLE:
        return None, None
    return _text(mentioned.event_type), _text(mentioned.market)


def _text(raw: msgspec.Raw) -> str | None:
    try:
        return _TEXT.decode(raw)
    except UNREADABLE:
        return None
