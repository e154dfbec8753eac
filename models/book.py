"""One market's order book: snapshots, changes, gaps, readiness, and the top that everybody else sees.

A book is either right or *not ready*; there is no third state. It becomes ready by a snapshot of both outcomes in the
current connection generation, and stops being ready on a gap, a broken frame, a lost connection, a tick change or an
impossible level. While it is not ready, changes are kept (bounded) and replayed onto the snapshot that heals it.

The classes that travel on the hot path are msgspec structs rather than dataclasses: they are as frozen, and building
one costs a fifth of the time. Prices and sizes are the plain integers of `money`.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from models.clock import BootNs
from models.market import MarketId, Outcome

YES_BID: Final = 0
YES_ASK: Final = 1
NO_BID: Final = 2
NO_ASK: Final = 3

Change = tuple[int, int, int]
"""(side, price, size): side is one of the four constants above, price in micro-dollars, size in micro-shares.

The size is the level's new total (0 removes it), or a signed difference in a relative update.
"""
Levels = tuple[tuple[int, int], ...]
"""(price, size) pairs of one side in any order; consumers sort or take max/min, never trust the wire's order."""

PENDING_MAX: Final = 4096
"""Changes kept while waiting for a snapshot; more means that the snapshot is not coming, so they are dropped and it is
asked for again.
"""


class NotReady(enum.StrEnum):
    """Why a book may not be used. One word per cause; the ledger, the console and the report use the same words."""

    NO_SNAPSHOT = "no_snapshot"
    FEED_DOWN = "feed_down"
    GAP = "gap"
    BAD_FRAME = "bad_frame"
    BAD_LEVEL = "bad_level"
    TICK_CHANGE = "tick_change"
    SILENT = "silent"
    LAGGING = "lagging"
    OVERFLOW = "overflow"
    PAUSED = "paused"
    RESOLVED = "resolved"


class Source(enum.StrEnum):
    STREAM = "stream"
    REST = "rest"


class BookSnapshot(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The whole book of one outcome (Polymarket stream) or of both (everything else). Replaces, never merges."""

    market_id: MarketId
    generation: int
    """Connection that it belongs to. REST snapshots carry the generation that was live when they were asked for."""
    yes_bids: Levels | None = None
    yes_asks: Levels | None = None
    no_bids: Levels | None = None
    no_asks: Levels | None = None
    """A pair of None means that this snapshot says nothing about the outcome; an empty tuple means an empty side."""
    seq: int | None = None
    exchange_ms: int | None = None
    received_at: BootNs
    lag_ms: int | None = None
    source: Source = Source.STREAM


class BookUpdate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """All changes that one frame brought for one market, applied before anything is evaluated."""

    market_id: MarketId
    generation: int
    changes: tuple[Change, ...]
    relative: bool = False
    whole: bool = True
    """The frame speaks for both outcomes (both legs are then as of `exchange_ms`); False: only for those it changes."""
    seq: int | None = None
    """Per-market sequence number, consecutive; None where the venue has none or its session has checked it already."""
    exchange_ms: int | None = None
    received_at: BootNs
    lag_ms: int | None = None
    """Receive time minus exchange time, corrected by the clock offset measured at connect. None: not measurable."""
    claimed: tuple[Change, ...] = ()
    """(side, best price or 0 for an empty side, 0): what the venue says its best prices are after these changes."""


class MarketAlive(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Evidence that nothing was missed: the venue names its current sequence number (or the stream's own is
    unbroken).
    """

    market_id: MarketId
    generation: int
    seq: int | None = None
    exchange_ms: int | None = None
    received_at: BootNs


class BookLost(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Something outside the book proves it wrong: a sequence gap of its subscription, a frame that could not be read,
    silence.
    """

    market_id: MarketId
    generation: int
    reason: NotReady
    received_at: BootNs


class TopOfBook(msgspec.Struct, frozen=True, gc=False):
    """Best prices and sizes of both outcomes at one moment, with everything that decides whether they may be trusted.

    A None price is an empty side. Times: `*_as_of_ms` is the exchange's clock for that outcome, `evidence_at` is the
    last proof (frame, heartbeat or matching snapshot) that the book was still current.
    """

    market_id: MarketId
    version: int
    """Counts published tops of this book; two tops with one version are the same top."""
    generation: int
    seq: int | None
    not_ready: NotReady | None
    yes_bid: int | None
    yes_bid_size: int
    yes_ask: int | None
    yes_ask_size: int
    no_bid: int | None
    no_bid_size: int
    no_ask: int | None
    no_ask_size: int
    yes_as_of_ms: int | None
    no_as_of_ms: int | None
    received_at: BootNs
    evidence_at: BootNs
    lag_ms: int | None
    intact: bool
    """On a unified book the two outcomes mirror each other, and the venue's own best prices agree with ours."""
    confirmed: bool
    """No best price has moved since a snapshot of both outcomes."""
    yes_asks: Levels = ()
    no_asks: Levels = ()
    """Ask ladders, best first, only where depth is published (sizing by depth)."""

    def ask(self, outcome: Outcome) -> int | None:
        return self.yes_ask if outcome is Outcome.YES else self.no_ask

    def ask_size(self, outcome: Outcome) -> int:
        return self.yes_ask_size if outcome is Outcome.YES else self.no_ask_size

    def bid(self, outcome: Outcome) -> int | None:
        return self.yes_bid if outcome is Outcome.YES else self.no_bid

    def bid_size(self, outcome: Outcome) -> int:
        return self.yes_bid_size if outcome is Outcome.YES else self.no_bid_size

    def asks(self, outcome: Outcome) -> Levels:
        return self.yes_asks if outcome is Outcome.YES else self.no_asks

    def as_of_ms(self, outcome: Outcome) -> int | None:
        return self.yes_as_of_ms if outcome is Outcome.YES else self.no_as_of_ms

    @property
    def crossed(self) -> bool:
        """A bid at or above the ask of the same outcome: impossible at rest, so the data is in between two states."""
        yes = self.yes_bid is not None and self.yes_ask is not None and self.yes_bid >= self.yes_ask
        return yes or (self.no_bid is not None and self.no_ask is not None and self.no_bid >= self.no_ask)


class Effect(enum.IntEnum):
    """What an event did to the book, for whoever owns it."""

    NOTHING = 0
    """Old, doubled or kept for later: nothing to publish."""
    CHANGED = 1
    LOST = 2
    """The book stopped being ready: publish, and ask for a snapshot."""
    HEALED = 3
    """A snapshot made the book ready."""


class SnapshotCheck(msgspec.Struct, frozen=True):
    """A snapshot compared with the maintained book just before it replaces it (design section 8)."""

    checked: bool
    """At least one change of this market was applied on this connection before it."""
    equal: bool
    emptied: bool
    """The snapshot is empty on every side it speaks for: the market closed, nothing to compare."""


class Book:
    """The levels of one market. Mutable, owned by exactly one thread at a time (its BookActor's dispatcher)."""

    __slots__ = (
        "_best",
        "_changed_since_snapshot",
        "_claims_agree",
        "_deltas",
        "_levels",
        "_pending",
        "_seen_no",
        "_seen_yes",
        "counts",
        "depth",
        "evidence_at",
        "generation",
        "lag_ms",
        "market_id",
        "no_as_of_ms",
        "not_ready",
        "received_at",
        "seq",
        "unified",
        "version",
        "yes_as_of_ms",
    )

    def __init__(self, market_id: MarketId, *, unified: bool, depth: int = 0) -> None:
        """`depth` levels of both ask ladders travel with each top; 0 publishes best prices only."""
        self.market_id = market_id
        self.unified = unified
        self.depth = depth
        self.generation = 0
        self.not_ready: NotReady | None = NotReady.NO_SNAPSHOT
        self.seq: int | None = None
        self.version = 0
        self.received_at = BootNs(0)
        self.evidence_at = BootNs(0)
        self.yes_as_of_ms: int | None = None
        self.no_as_of_ms: int | None = None
        self.lag_ms: int | None = None
        self.counts = BookCounts()
        self._levels: list[dict[int, int]] = [{}, {}, {}, {}]
        self._best: list[int | None] = [None, None, None, None]
        self._pending: deque[BookUpdate] = deque()
        self._seen_yes = False
        self._seen_no = False
        self._changed_since_snapshot = True
        self._claims_agree = True
        self._deltas = 0

    # -- events

    def begin(self, generation: int) -> Effect:
        """A new connection: nothing known from the old one may be used."""
        self.generation = generation
        self._pending.clear()
        self._deltas = 0
        return self._lose(NotReady.NO_SNAPSHOT)

    def lose(self, reason: NotReady, generation: int | None = None) -> Effect:
        """Stop trusting the book. A `generation` that is not the current one is an echo of an old connection."""
        if generation is not None and generation != self.generation:
            self.counts.old_generation += 1
            return Effect.NOTHING
        return self._lose(reason)

    def update(self, event: BookUpdate) -> Effect:
        """Apply one frame's changes of this market, or keep them until a snapshot arrives."""
        if event.generation != self.generation:
            self.counts.old_generation += 1
            return Effect.NOTHING
        if self.not_ready is not None:
            return self._keep(event)
        seq = event.seq
        if seq is not None and self.seq is not None:
            if seq <= self.seq:
                self.counts.duplicates += 1
                return Effect.NOTHING
            if seq != self.seq + 1:
                self.counts.gaps += 1
                self._pending.append(event)
                return self._lose(NotReady.GAP)
        if not self._apply(event):
            return self._lose(NotReady.BAD_LEVEL)
        return Effect.CHANGED

    def alive(self, event: MarketAlive) -> Effect:
        """A heartbeat: current if its sequence number is ours, a gap if it is ahead."""
        if event.generation != self.generation or self.not_ready is not None:
            return Effect.NOTHING
        if event.seq is not None and self.seq is not None and event.seq > self.seq:
            self.counts.gaps += 1
            return self._lose(NotReady.GAP)
        self.evidence_at = event.received_at
        return Effect.CHANGED

    def check(self, snapshot: BookSnapshot) -> SnapshotCheck:
        """Compare a snapshot with the maintained levels; call before `snapshot`."""
        pairs = [
            (self._levels[side], levels)
            for side, levels in enumerate((snapshot.yes_bids, snapshot.yes_asks, snapshot.no_bids, snapshot.no_asks))
            if levels is not None
        ]
        comparable = snapshot.generation == self.generation and self.not_ready is None and self._deltas > 0
        emptied = all(not levels for _, levels in pairs)
        equal = all(ours == {price: size for price, size in theirs if size} for ours, theirs in pairs)
        return SnapshotCheck(checked=comparable and not emptied, equal=equal, emptied=emptied)

    def snapshot(self, event: BookSnapshot) -> Effect:
        """Replace the outcomes that the snapshot speaks for, then replay what was kept and is newer.

        A snapshot that is older than a ready book (REST overtaken by the stream) changes nothing: `Effect.NOTHING`.
        """
        if event.generation != self.generation:
            self.counts.old_generation += 1
            return Effect.NOTHING
        if self.not_ready is None and self._older(event):
            self.counts.old_snapshots += 1
            return Effect.NOTHING
        covers_yes = event.yes_bids is not None
        covers_no = event.no_bids is not None
        before = tuple(self._best)
        for side, levels in enumerate((event.yes_bids, event.yes_asks, event.no_bids, event.no_asks)):
            if levels is not None:
                self._replace(side, levels)
        self.seq = event.seq if event.seq is not None else self.seq
        self._touch(event.exchange_ms, event.received_at, event.lag_ms, yes=covers_yes, no=covers_no)
        self._seen_yes = self._seen_yes or covers_yes
        self._seen_no = self._seen_no or covers_no
        self._claims_agree = True
        if covers_yes and covers_no:
            self._changed_since_snapshot = False
        elif before != tuple(self._best):
            self._changed_since_snapshot = True
        if not (self._seen_yes and self._seen_no):
            return Effect.NOTHING
        if self.not_ready is None:
            return Effect.CHANGED
        self.not_ready = None
        return self._replay(event)

    # -- what others see

    def top(self) -> TopOfBook:
        """The current top as a value. Each call is a new version."""
        self.version += 1
        best, levels = self._best, self._levels
        yes_bid, yes_ask, no_bid, no_ask = best
        return TopOfBook(
            self.market_id,
            self.version,
            self.generation,
            self.seq,
            self.not_ready,
            yes_bid,
            0 if yes_bid is None else levels[YES_BID][yes_bid],
            yes_ask,
            0 if yes_ask is None else levels[YES_ASK][yes_ask],
            no_bid,
            0 if no_bid is None else levels[NO_BID][no_bid],
            no_ask,
            0 if no_ask is None else levels[NO_ASK][no_ask],
            self.yes_as_of_ms,
            self.no_as_of_ms,
            self.received_at,
            self.evidence_at,
            self.lag_ms,
            self._claims_agree and (not self.unified or self._mirrored()),
            not self._changed_since_snapshot,
            self.ladder(YES_ASK, self.depth) if self.depth else (),
            self.ladder(NO_ASK, self.depth) if self.depth else (),
        )

    def ladder(self, side: int, depth: int | None = None) -> Levels:
        """Levels of one side, best first, at most `depth` of them."""
        ordered = sorted(self._levels[side].items(), reverse=side in (YES_BID, NO_BID))
        return tuple(ordered if depth is None else ordered[:depth])

    # -- inside

    def _lose(self, reason: NotReady) -> Effect:
        already = self.not_ready is not None
        self.not_ready = reason
        self._seen_yes = self._seen_no = False
        self._changed_since_snapshot = True
        if already:
            return Effect.NOTHING
        self.counts.lost += 1
        return Effect.LOST

    def _keep(self, event: BookUpdate) -> Effect:
        if len(self._pending) >= PENDING_MAX:
            self._pending.clear()
            self.not_ready = NotReady.OVERFLOW
            self.counts.overflows += 1
            return Effect.LOST
        self._pending.append(event)
        return Effect.NOTHING

    def _apply(self, event: BookUpdate) -> bool:
        """Write the changes; False where a level would become negative (the book was wrong before)."""
        all_levels, best = self._levels, self._best
        moved = False
        for side, price, size in event.changes:
            levels = all_levels[side]
            if event.relative:
                size += levels.get(price, 0)
                if size < 0:
                    return False
            top = best[side]
            if size:
                levels[price] = size
                if top is None or (price > top if side in (YES_BID, NO_BID) else price < top):
                    best[side] = price
                    moved = True
            elif levels.pop(price, None) is not None and price == top:
                best[side] = self._find_best(side)
                moved = True
        if moved:
            self._changed_since_snapshot = True
        self.seq = event.seq if event.seq is not None else self.seq
        if event.whole:
            yes = no = True
        else:
            yes = any(side in (YES_BID, YES_ASK) for side, _, _ in event.changes)
            no = any(side in (NO_BID, NO_ASK) for side, _, _ in event.changes)
        self._touch(event.exchange_ms, event.received_at, event.lag_ms, yes=yes, no=no)
        if event.claimed:
            self._claims_agree = all((best[side] or 0) == price for side, price, _ in event.claimed)
            self.counts.claims_wrong += not self._claims_agree
        self.counts.updates += 1
        self._deltas += 1
        return True

    def _touch(self, exchange_ms: int | None, received_at: BootNs, lag_ms: int | None, *, yes: bool, no: bool) -> None:
        if yes:
            self.yes_as_of_ms = exchange_ms
        if no:
            self.no_as_of_ms = exchange_ms
        self.received_at = received_at
        self.evidence_at = received_at
        self.lag_ms = lag_ms

    def _replace(self, side: int, levels: Sequence[tuple[int, int]]) -> None:
        self._levels[side] = {price: size for price, size in levels if size}
        self._best[side] = self._find_best(side)

    def _find_best(self, side: int) -> int | None:
        levels = self._levels[side]
        if not levels:
            return None
        return max(levels) if side in (YES_BID, NO_BID) else min(levels)

    def _older(self, event: BookSnapshot) -> bool:
        if event.seq is not None and self.seq is not None:
            return event.seq < self.seq
        if event.source is Source.REST and event.exchange_ms is not None:
            newest = max(self.yes_as_of_ms or 0, self.no_as_of_ms or 0)
            return event.exchange_ms < newest
        return False

    def _replay(self, snapshot: BookSnapshot) -> Effect:
        """Apply the kept changes that the snapshot does not contain yet; a hole among them loses the book again."""
        pending, self._pending = self._pending, deque()
        for event in pending:
            if event.seq is not None and self.seq is not None and event.seq <= self.seq:
                continue
            if event.seq is None and (event.exchange_ms or 0) < (snapshot.exchange_ms or 0):
                continue
            if self.update(event) is Effect.LOST:
                return Effect.LOST
        return Effect.HEALED

    def _mirrored(self) -> bool:
        """YES bid + NO ask = 1 and YES ask + NO bid = 1 with equal sizes, at the top (both empty counts as
        mirrored).
        """
        best, levels = self._best, self._levels
        for side, mirror in ((YES_BID, NO_ASK), (YES_ASK, NO_BID)):
            ours, theirs = best[side], best[mirror]
            if ours is None or theirs is None:
                if ours is not theirs:
                    return False
            elif ours + theirs != 1_000_000 or levels[side][ours] != levels[mirror][theirs]:
                return False
        return True


class BookCounts:
    """What happened to one book, for `status`, the report and the tests."""

    __slots__ = (
        "claims_wrong",
        "duplicates",
        "gaps",
        "lost",
        "old_generation",
        "old_snapshots",
        "overflows",
        "updates",
    )

    def __init__(self) -> None:
        self.updates = 0
        self.duplicates = 0
        self.gaps = 0
        self.lost = 0
        self.old_generation = 0
        self.old_snapshots = 0
        self.overflows = 0
        self.claims_wrong = 0
