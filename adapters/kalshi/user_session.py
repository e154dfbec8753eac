"""The private channels: our own executions and orders, as they happen (kalshi.md 8.6, read 2026-11-22). Pure.

They have no sequence numbers, so what is missed cannot be seen: the stream is only ever the faster of two ways to
learn, and everything comes again, under the same ids, from the REST reads of the probes and of the reconcile. News
about an order that this process has not made or asked about is left to those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from adapters.feed import HeartbeatPolicy
from adapters.kalshi.commands import Commands
from adapters.kalshi.frames import UNREADABLE
from adapters.kalshi.order_wire import FillNews, OrderNews, Other, own_id
from adapters.kalshi.reports import Owner, Owners, fill_of, order_seen, owner_of
from adapters.kalshi.session import HEARTBEAT
from models.clock import BootNs
from models.hostile import says_twice
from models.messages import FillSeen, OrderUpdated
from models.money import MoneyError

CHANNELS: Final = ("fill", "user_orders")

_NEWS: Final = msgspec.json.Decoder(FillNews | OrderNews)
_OTHER: Final = msgspec.json.Decoder(Other)


class UserCounts:
    """What one connection's frames contained."""

    __slots__ = ("failed", "foreign", "frames", "unknown")

    def __init__(self) -> None:
        self.frames = 0
        self.unknown = 0
        """Replies, and types that are not ours to read."""
        self.failed = 0
        self.foreign = 0
        """News about orders that nobody here has made."""


class KalshiUserSession:
    """`adapters.feed.FeedSession` for the private channels of one account, all markets."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._commands = Commands((), use_yes_price=True)
        self.counts = UserCounts()

    def opening(self) -> Sequence[str]:
        return (self._commands.made("subscribe", {"channels": list(CHANNELS)}),)

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
            news = _NEWS.decode(frame)
        except UNREADABLE:
            self._unread(frame)
            return ()
        try:
            return self._fill(news, received_at) if isinstance(news, FillNews) else self._order(news, received_at)
        except MoneyError:
            self.counts.failed += 1
            return ()

    def _fill(self, news: FillNews, at: BootNs) -> Sequence[FillSeen]:
        row = news.msg
        owner = self._owners.get(row.order_id)
        if owner is None and self._owners.made(own_id(row.client_order_id)):
            # Before the answer to the order itself: the id that the venue repeats says whose it is.
            owner = Owner.named(row.client_order_id, row.book_side)
            self._owners.put(row.order_id, owner)
        if owner is None:
            self.counts.foreign += 1
            return ()
        return (FillSeen(fill=fill_of(row, owner), at=at),)

    def _order(self, news: OrderNews, at: BootNs) -> Sequence[OrderUpdated]:
        row = news.msg
        owner = owner_of(row)
        if owner is None or not self._owners.made(owner.client_order_id):
            self.counts.foreign += 1
            return ()
        self._owners.put(row.order_id, owner)
        seen = order_seen(row)
        return () if seen is None else (OrderUpdated(seen=seen, at=at),)

    def _unread(self, frame: bytes) -> None:
        try:
            known = _OTHER.decode(frame).type in ("fill", "user_order", "")
        except UNREADABLE:
            known = True
        self.counts.failed += known
        self.counts.unknown += not known
