"""The user channel: our own orders and trades, as they happen (polymarket.md 4, read 2026-11-22). Pure.

The stream replays nothing after a reconnect and may lose messages, so it is only ever the faster of two ways to learn:
whatever it says comes again, under the same ids, from the REST reads of the probes and of the reconcile. News about an
order that this process has not made or asked about is left to those.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from adapters.feed import HeartbeatPolicy
from adapters.polymarket.frames import CONTROL_TEXTS
from adapters.polymarket.order_wire import RESTING_TYPES, OrderRow, TradeRow
from adapters.polymarket.reports import fill_of, order_seen, parts_of
from adapters.polymarket.session import HEARTBEAT
from adapters.polymarket.wire import UNREADABLE
from models.clock import BootNs
from models.fees import FeeSchedule
from models.hostile import says_twice
from models.messages import FillSeen, OrderUpdated
from models.money import MoneyError
from models.orders import ClientOrderId

Names = Callable[[str], ClientOrderId | None]
"""Our own name of a venue order; None where it is not ours, or not known."""


Fees = Callable[[str], FeeSchedule | None]
"""What a market charges takers; None where that is not known. Must not block."""


class OrderNews(OrderRow, frozen=True, tag_field="event_type", tag="order"):
    """`type` is PLACEMENT, UPDATE or CANCELLATION; the status says it, too."""

    type: str = ""


class TradeNews(TradeRow, frozen=True, tag_field="event_type", tag="trade"):
    """Comes once per status of one trade."""


_NEWS: Final = msgspec.json.Decoder(OrderNews | TradeNews | list[OrderNews | TradeNews])
_PARTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ONE: Final = msgspec.json.Decoder(OrderNews | TradeNews)


class _Mentioned(msgspec.Struct):
    event_type: str | None = None


_MENTIONED: Final = msgspec.json.Decoder(_Mentioned)


class UserCounts:
    """What one connection's frames contained."""

    __slots__ = ("control", "failed", "foreign", "frames", "unknown")

    def __init__(self) -> None:
        self.frames = 0
        self.control = 0
        self.unknown = 0
        self.failed = 0
        self.foreign = 0
        """News about orders that nobody here has made."""


class PolymarketUserSession:
    """`adapters.feed.FeedSession` for the user channel of one account, all markets."""

    def __init__(self, auth: dict[str, str], names: Names, fees: Fees) -> None:
        """`auth` is the API triple; it is sent once, in the opening frame, and kept nowhere else."""
        self._auth: dict[str, str] | None = auth
        self._names = names
        self._fees = fees
        self.counts = UserCounts()

    def __repr__(self) -> str:
        return "PolymarketUserSession()"

    def opening(self) -> Sequence[str]:
        subscription, self._auth = {"type": "user", "auth": self._auth}, None
        return (json.dumps(subscription, separators=(",", ":")),)

    def heartbeat(self) -> HeartbeatPolicy:
        return HEARTBEAT

    def outgoing(self) -> Sequence[str]:
        return ()

    def on_text(self, frame: bytes, received_at: BootNs) -> Sequence[FillSeen | OrderUpdated]:
        """Never raises: what cannot be read is counted, and the reconcile finds what it was about."""
        self.counts.frames += 1
        if says_twice(frame):
            self.counts.failed += 1
            return ()
        try:
            decoded = _NEWS.decode(frame)
        except UNREADABLE:
            return self._salvage(frame, received_at)
        told: list[FillSeen | OrderUpdated] = []
        for news in decoded if isinstance(decoded, list) else [decoded]:
            told += self._read(news, received_at)
        self.counts.control += decoded == []
        return told

    # -- inside

    def _read(self, news: OrderNews | TradeNews, at: BootNs) -> list[FillSeen | OrderUpdated]:
        try:
            return list(self._fills(news, at) if isinstance(news, TradeNews) else self._order(news, at))
        except MoneyError:
            self.counts.failed += 1
            return []

    def _order(self, news: OrderNews, at: BootNs) -> Iterator[OrderUpdated]:
        own = self._names(news.id)
        if own is None:
            self.counts.foreign += 1
            return
        cancelled = news.type == "CANCELLATION"
        seen = order_seen(news, own, resting=news.order_type in RESTING_TYPES, cancelled=cancelled)
        if seen is not None:
            yield OrderUpdated(seen=seen, at=at)

    def _fills(self, news: TradeNews, at: BootNs) -> Iterator[FillSeen]:
        ours = [(part, own) for part in parts_of(news) if (own := self._names(part.order_id)) is not None]
        self.counts.foreign += not ours
        for part, own in ours:
            yield FillSeen(fill=fill_of(news, part, own, self._fees(news.market)), at=at)

    def _salvage(self, frame: bytes, at: BootNs) -> Sequence[FillSeen | OrderUpdated]:
        """Read what can be read of a frame that did not decode as a whole."""
        if frame.decode("utf-8", "replace") in CONTROL_TEXTS:
            self.counts.control += 1
            return []
        try:
            parts = _PARTS.decode(frame)
        except UNREADABLE:
            parts = [msgspec.Raw(frame)]
        told: list[FillSeen | OrderUpdated] = []
        unknown = failed = False
        for part in parts:
            try:
                told += self._read(_ONE.decode(part), at)
            except UNREADABLE:
                known = _kind(part) in ("order", "trade", None)
                failed, unknown = failed or known, unknown or not known
        self.counts.unknown += unknown
        self.counts.failed += failed
        return told


def _kind(part: msgspec.Raw) -> str | None:
    try:
        return _MENTIONED.decode(part).event_type
    except UNREADABLE:
        return None
