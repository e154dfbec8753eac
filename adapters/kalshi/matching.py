"""Deltas that belong to one matching event, kept until the event is over.

Several deltas share one exchange time; between them the book may be crossed (kalshi.md 11.1, measured: every gap of a
naive replay lies inside one time). So nothing is told before the time has moved on, or the market has been silent for
`SILENCE_NS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from models.book import BookUpdate
from models.clock import MS, BootNs
from models.market import MarketId

SILENCE_NS: Final = 50 * MS


class Matching:
    """The deltas of one market and one exchange time so far."""

    __slots__ = ("exchange_ms", "lag_ms", "levels", "received_at", "shard")

    def __init__(self, exchange_ms: int, shard: int) -> None:
        self.exchange_ms = exchange_ms
        self.shard = shard
        self.received_at = BootNs(0)
        """Of the last delta."""
        self.lag_ms: int | None = None
        self.levels: dict[tuple[int, int], int] = {}
        """(side, price) -> sum of the differences."""

    def add(self, side: int, price: int, difference: int) -> None:
        key = (side, price)
        self.levels[key] = self.levels.get(key, 0) + difference


class Held:
    """The open matching events of one connection, at most one per market, in order of their first delta."""

    __slots__ = ("_generation", "_told", "open")

    def __init__(self, generation: int) -> None:
        self._generation = generation
        self._told: dict[MarketId, int] = {}
        self.open: dict[MarketId, Matching] = {}

    def told(self, market_id: MarketId) -> int:
        """How many updates of a market were told: the consecutive numbers that its book counts by."""
        return self._told.get(market_id, 0)

    def due(self) -> BootNs | None:
        """When the first of them ends by silence."""
        if not self.open:
            return None
        return BootNs(min(matching.received_at for matching in self.open.values()) + SILENCE_NS)

    def moved_on(self, market_id: MarketId, shard: int, exchange_ms: int) -> Iterator[BookUpdate]:
        """What is over because a delta of this market and time came: the market's own event of any other time, and
        earlier ones of the same shard, whose engine works in order.
        """
        if not self.open:
            return
        for other, matching in list(self.open.items()):
            if other == market_id:
                over = matching.exchange_ms != exchange_ms
            else:
                over = matching.shard == shard and matching.exchange_ms < exchange_ms
            if over:
                yield self.tell(other)

    def silent(self, now: BootNs) -> Iterator[BookUpdate]:
        for market_id, matching in list(self.open.items()):
            if matching.received_at + SILENCE_NS <= now:
                yield self.tell(market_id)

    def tell(self, market_id: MarketId) -> BookUpdate:
        """End a market's open event."""
        matching = self.open.pop(market_id)
        self._told[market_id] = seq = self._told.get(market_id, 0) + 1
        return BookUpdate(
            market_id=market_id,
            generation=self._generation,
            changes=tuple([(side, price, size) for (side, price), size in matching.levels.items() if size]),
            relative=True,
            seq=seq,
            exchange_ms=matching.exchange_ms,
            received_at=matching.received_at,
            lag_ms=matching.lag_ms,
        )

    def drop(self) -> None:
        self.open.clear()
