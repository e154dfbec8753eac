"""The snapshot lane: fetches REST books for whoever lost one, away from every actor's thread.

One thread per venue. Requests are joined per market (the newest generation wins), fetched in batches, and repeated with
backoff while they still matter; a request of an old generation is dropped when a newer one comes. What comes back goes
to the market's book as an ordinary `BookSnapshot`, which the book judges like any other.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from adapters.venue import MarketData, VenueReadError, VenueReadRefusedError
from models.clock import SECOND, BootNs, Clock
from models.market import Market, MarketId
from models.messages import Receiver, SnapshotWanted

logger = logging.getLogger(__name__)

BATCH: Final = 50
"""Markets per request."""
PAUSE_NS: Final = SECOND // 5
"""Least time between two fetches: snapshots are a repair, not a feed."""
RETRY_FIRST_NS: Final = SECOND // 2
RETRY_MAX_NS: Final = 15 * SECOND


@dataclass(frozen=True, slots=True)
class _Wanted:
    generation: int
    not_before: BootNs
    failures: int


class SnapshotLane:
    """`tell(SnapshotWanted)` from any thread; never blocks its caller. Holds at most one request per market."""

    def __init__(self, venue: MarketData, markets: Sequence[Market], clock: Clock, rng: random.Random) -> None:
        self._venue = venue
        self._markets = {market.market_id: market for market in markets}
        self._clock = clock
        self._rng = rng
        self._books: Mapping[MarketId, Receiver] = {}
        self._wanted: dict[MarketId, _Wanted] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"snapshots-{venue.name}", daemon=True)
        self.fetched = 0
        self.failed = 0

    def start(self, books: Mapping[MarketId, Receiver]) -> None:
        self._books = books
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def tell(self, message: object) -> None:
        if not isinstance(message, SnapshotWanted):
            raise TypeError(f"the snapshot lane cannot handle {type(message).__name__}")
        with self._changed:
            known = self._wanted.get(message.market_id)
            if message.market_id in self._markets and (known is None or known.generation < message.generation):
                self._wanted[message.market_id] = _Wanted(message.generation, self._clock.boot_ns(), 0)
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stopping and not self._due():
                    self._changed.wait(self._wait_s())
                if self._stopping:
                    return
                batch = {market_id: self._wanted.pop(market_id) for market_id in self._due()[:BATCH]}
            self._fetch(batch)
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, PAUSE_NS / SECOND)

    def _due(self) -> list[MarketId]:
        now = self._clock.boot_ns()
        return [market_id for market_id, wanted in self._wanted.items() if wanted.not_before <= now]

    def _wait_s(self) -> float | None:
        if not self._wanted:
            return None
        soonest = min(wanted.not_before for wanted in self._wanted.values())
        return max(0.0, (soonest - self._clock.boot_ns()) / SECOND)

    def _fetch(self, batch: Mapping[MarketId, _Wanted]) -> None:
        by_generation: dict[int, list[MarketId]] = {}
        for market_id, wanted in batch.items():
            by_generation.setdefault(wanted.generation, []).append(market_id)
        for generation, market_ids in by_generation.items():
            asked_at = self._clock.boot_ns()
            try:
                snapshots = self._venue.get_snapshot_rest(
                    [self._markets[market_id] for market_id in market_ids], generation, self._clock
                )
            except (VenueReadError, VenueReadRefusedError) as error:
                self.failed += 1
                logger.warning("snapshot of %d markets failed: %s", len(market_ids), error)
                self._again({market_id: batch[market_id] for market_id in market_ids})
                continue
            self.fetched += len(snapshots)
            for snapshot in snapshots:
                self._books[snapshot.market_id].tell(msgspec.structs.replace(snapshot, asked_at=asked_at))
            came = {snapshot.market_id for snapshot in snapshots}
            self._again({market_id: batch[market_id] for market_id in market_ids if market_id not in came})

    def _again(self, failed: Mapping[MarketId, _Wanted]) -> None:
        """Queue for a later try, unless a newer generation has asked meanwhile. Full jitter, so a herd spreads out."""
        now = self._clock.boot_ns()
        with self._changed:
            for market_id, wanted in failed.items():
                limit = min(RETRY_MAX_NS, RETRY_FIRST_NS << wanted.failures)
                delay = RETRY_FIRST_NS // 2 + self._rng.randrange(limit)
                known = self._wanted.get(market_id)
                if known is None or known.generation < wanted.generation:
                    again = _Wanted(wanted.generation, BootNs(now + delay), min(wanted.failures + 1, 10))
                    self._wanted[market_id] = again
