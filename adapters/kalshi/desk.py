"""Where the snapshot lane asks a live connection for books.

A REST book of this venue says neither when it was true nor which changes it contains, so it can not be joined with a
stream of differences. A snapshot that the stream itself brings has its place in the sequence (kalshi.md 8.2 and 8.5,
read 2026-11-22): while a connection lives, snapshots are asked for and come on it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from models.book import BookSnapshot
from models.market import MarketId


class SnapshotDesk:
    """One connection's. `ask` is the snapshot lane's, `wanted` and `arrived` are the feed thread's."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._wanted: dict[MarketId, None] = {}
        self._arrived: dict[MarketId, BookSnapshot] = {}

    def ask(self, market_ids: Sequence[MarketId], timeout_s: float) -> list[BookSnapshot]:
        """Wait for a snapshot of each market that comes from now on; what did not come in time is left out."""
        with self._changed:
            for market_id in market_ids:
                self._arrived.pop(market_id, None)
                self._wanted[market_id] = None
            self._changed.wait_for(lambda: all(market_id in self._arrived for market_id in market_ids), timeout_s)
            for market_id in market_ids:
                self._wanted.pop(market_id, None)
            return [self._arrived.pop(market_id) for market_id in market_ids if market_id in self._arrived]

    def wanted(self) -> list[MarketId]:
        """What was asked for since the last call."""
        if not self._wanted:
            return []
        with self._changed:
            wanted = list(self._wanted)
            self._wanted.clear()
        return wanted

    def arrived(self, snapshot: BookSnapshot) -> None:
        with self._changed:
            self._arrived[snapshot.market_id] = snapshot
            self._changed.notify_all()
