"""One market's order book: snapshots, changes, gaps, readiness.

A book is either right or *not ready*; there is no third state. It becomes ready by a snapshot of both outcomes in the
current connection generation, and stops being ready on a gap, a broken frame, a lost connection, a tick change or an
impossible level. While it is not ready, changes are kept (bounded) and replayed onto the snapshot that heals it.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from models.book import (
    NO_ASK,
    NO_BID,
    UNSAID,
    YES_ASK,
    YES_BID,
    BookSnapshot,
    BookUpdate,
    Claims,
    Levels,
    MarketAlive,
    NotReady,
    Source,
    TopOfBook,
)
from models.clock import MS, BootNs
from models.kept import lacking, outcomes_changed
from models.market import MarketId
from models.money import MICRO

ASK: Final = 1
"""Asks are the odd sides, bids the even ones."""
PENDING_MAX: Final = 1024
"""Updates kept while waiting for a snapshot, about the worst second of a busy market. More means that the snapshot is
not coming, so they are dropped and it is asked for again; thousands of markets may wait at once.
"""
NO_GENERATION: Final = -1
"""The book's generation while its feed is down: no event carries it, so nothing that is still under way can heal."""


class Effect(enum.IntEnum):
    """What an event did to the book, for whoever owns it."""

    NOTHING = 0
    """Old, doubled or kept for later: nothing to publish."""
    CHANGED = 1
    LOST = 2
    """The book stopped being ready: publish, and ask for a snapshot."""
    HEALED = 3
    """A snapshot made the book ready."""


CHANGED: Final = Effect.CHANGED
"""Looking a member up in its enumeration costs more than what it stands for, on the hot path."""

QUIET_NS: Final = 50 * MS
"""A top whose prices and sizes stand is published again after this long, for its times."""


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
        "_disputed",
        "_levels",
        "_lost_at",
        "_pending",
        "_proven_at",
        "_published_at",
        "_quiet",
        "_seen_no",
        "_seen_yes",
        "_told_lag_ms",
        "_updates_before",
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
        self._updates_before = 0
        """`counts.updates` when the connection began."""
        self._disputed = 0
        """Sides (bit 1 << side) whose best price the venue has claimed to be another than ours."""
        self._lost_at = 0
        self._quiet = False
        self._published_at = BootNs(0)
        self._proven_at = BootNs(0)
        self._told_lag_ms: int | None = None

    # -- events

    def begin(self, generation: int) -> Effect:
        """A new connection: nothing known from the old one may be used, nor its numbering and its times."""
        self.generation = generation
        self._pending.clear()
        self._updates_before = self.counts.updates
        self.seq = None
        self.yes_as_of_ms = self.no_as_of_ms = None
        return self._lose(NotReady.NO_SNAPSHOT)

    def disconnect(self) -> Effect:
        """The connection is lost. Until the next `begin` no event belongs to the book, however late it comes in."""
        self.begin(NO_GENERATION)
        return self._lose(NotReady.FEED_DOWN)

    def lose(self, reason: NotReady, generation: int | None = None, at: int = 0) -> Effect:
        """Stop trusting the book. A `generation` that is not the current one is an echo of an old connection; `at` is
        when the fault was received.

        Also LOST for a book that was not ready: what it has kept has a hole now, and the snapshot that was asked for
        may be from before it.
        """
        if generation is not None and generation != self.generation:
            self.counts.old_generation += 1
            return Effect.NOTHING
        self._forget_kept()
        self._lose(reason, at)
        return Effect.LOST

    def update(self, event: BookUpdate) -> Effect:
        """Apply one frame's changes of this market, or keep them until a snapshot arrives."""
        if event.generation != self.generation:
            self.counts.old_generation += 1
            return Effect.NOTHING
        if self.not_ready is not None:
            return self._keep(event)
        seq, known = event.seq, self.seq
        if seq is not None and known is not None:
            if seq <= known:
                self.counts.duplicates += 1
                return Effect.NOTHING
            if seq != known + 1:
                self.counts.gaps += 1
                self._pending.append(event)
                return self._lose(NotReady.GAP, event.received_at)
        if not self._apply(event):
            self._pending.append(event)
            return self._lose(NotReady.BAD_LEVEL, event.received_at)
        return CHANGED

    def alive(self, event: MarketAlive) -> Effect:
        """A heartbeat: current if its sequence number is ours, a gap if it is ahead."""
        if event.generation != self.generation or self.not_ready is not None:
            return Effect.NOTHING
        if event.seq is not None and self.seq is not None and event.seq > self.seq:
            self.counts.gaps += 1
            self.seq = event.seq
            return self._lose(NotReady.GAP, event.received_at)
        self.evidence_at = event.received_at
        if event.lag_ms is not None:
            self.lag_ms = event.lag_ms
        return Effect.CHANGED

    def check(self, snapshot: BookSnapshot) -> SnapshotCheck:
        """Compare a snapshot with the maintained levels; call before `snapshot`.

        Only one of the same sequence number is comparable, where both have one: a later one has seen more.
        """
        pairs = [
            (self._levels[side], levels)
            for side, levels in enumerate((snapshot.yes_bids, snapshot.yes_asks, snapshot.no_bids, snapshot.no_asks))
            if levels is not None
        ]
        comparable = (
            snapshot.generation == self.generation
            and self.not_ready is None
            and self.counts.updates > self._updates_before
        )
        if snapshot.seq is not None and self.seq is not None:
            comparable = comparable and snapshot.seq == self.seq
        emptied = all(not levels for _, levels in pairs)
        equal = all(ours == {price: size for price, size in theirs if size} for ours, theirs in pairs)
        return SnapshotCheck(checked=comparable and not emptied, equal=equal, emptied=emptied)

    def snapshot(self, event: BookSnapshot) -> Effect:
        """Replace the outcomes that the snapshot speaks for, then replay what was kept and is newer.

        A snapshot that is older than what this connection has shown (REST overtaken by the stream, a late frame)
        changes nothing; where the book still needs one, the effect is LOST, so that it is asked for again.
        """
        if event.generation != self.generation:
            self.counts.old_generation += 1
            return Effect.NOTHING
        if self._older(event):
            self.counts.old_snapshots += 1
            return Effect.NOTHING if self.not_ready is None else Effect.LOST
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
        self._disputed &= ~(0b0011 * covers_yes | 0b1100 * covers_no)
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

    def due(self, at: BootNs) -> bool:
        """Whether the update just applied (received `at`) is worth publishing: it changed what a top says.

        Most changes lie deeper in the book. Those only refresh times and lag, which is told once in `QUIET_NS`.
        """
        return not self._quiet or at - self._published_at >= QUIET_NS

    def proof_due(self, gap_ns: int, quiet_ns: int) -> bool:
        """Whether the last top's evidence is so much older than the book's that it is worth publishing for that:
        `gap_ns` while YES and NO are on sale for less than they pay together, `quiet_ns` else.
        """
        yes, no = self._best[YES_ASK], self._best[NO_ASK]
        gap = yes is not None and no is not None and yes + no < MICRO
        return self.evidence_at - self._proven_at >= (gap_ns if gap else quiet_ns)

    def lag_crossed(self, limit_ms: int) -> bool:
        """Whether the lag has gone beyond the limit, or come back, since the last top that was told."""
        before, now = self._told_lag_ms, self.lag_ms
        return (before is not None and before > limit_ms) is not (now is not None and now > limit_ms)

    def top(self, *, told: bool = True) -> TopOfBook:
        """The current top as a value. Each call is a new version. Not `told`: for one asker, it makes nothing less due
        for the others.
        """
        self.version += 1
        if told:
            self._published_at = self.received_at
            self._proven_at = self.evidence_at
            self._told_lag_ms = self.lag_ms
        yes_bid, yes_ask, no_bid, no_ask = self._best
        yes_bids, yes_asks, no_bids, no_asks = self._levels
        return TopOfBook(
            self.market_id,
            self.version,
            self.generation,
            self.seq,
            self.not_ready,
            yes_bid,
            0 if yes_bid is None else yes_bids[yes_bid],
            yes_ask,
            0 if yes_ask is None else yes_asks[yes_ask],
            no_bid,
            0 if no_bid is None else no_bids[no_bid],
            no_ask,
            0 if no_ask is None else no_asks[no_ask],
            self.yes_as_of_ms,
            self.no_as_of_ms,
            self.received_at,
            self.evidence_at,
            self.lag_ms,
            not self._disputed and (not self.unified or self._mirrored()),
            not self._changed_since_snapshot,
            self.ladder(YES_ASK, self.depth) if self.depth else (),
            self.ladder(NO_ASK, self.depth) if self.depth else (),
        )

    def ladder(self, side: int, depth: int | None = None) -> Levels:
        """Levels of one side, best first, at most `depth` of them."""
        ordered = sorted(self._levels[side].items(), reverse=not side & ASK)
        return tuple(ordered if depth is None else ordered[:depth])

    # -- inside

    def _lose(self, reason: NotReady, at: int = 0) -> Effect:
        self._lost_at = max(self._lost_at, at)
        already = self.not_ready is not None
        self.not_ready = reason
        self._seen_yes = self._seen_no = False
        self._changed_since_snapshot = True
        if already:
            return Effect.NOTHING
        self.counts.lost += 1
        return Effect.LOST

    def _keep(self, event: BookUpdate) -> Effect:
        self._pending.append(event)
        if len(self._pending) <= PENDING_MAX:
            return Effect.NOTHING
        self.counts.overflows += 1
        self._forget_kept()
        self._lose(NotReady.OVERFLOW, event.received_at)
        return Effect.LOST

    def _forget_kept(self) -> None:
        """Drop what was kept. Only a snapshot that is not older than the last of it can stand in for it."""
        if not self._pending:
            return
        last = self._pending[-1]
        self._pending.clear()
        self.seq = self.seq if last.seq is None else last.seq
        if last.exchange_ms is not None:
            yes, no = outcomes_changed(last)
            self.yes_as_of_ms = last.exchange_ms if yes else self.yes_as_of_ms
            self.no_as_of_ms = last.exchange_ms if no else self.no_as_of_ms

    def _apply(self, event: BookUpdate) -> bool:
        """Write the changes; False where a level would become negative (the book was wrong before)."""
        all_levels, best = self._levels, self._best
        moved, relative, whole = False, event.relative, event.whole
        # Legs as of different instants, or only one of them renewed: the skew between them may change with the times.
        touched = not whole or self.yes_as_of_ms != self.no_as_of_ms or self.depth > 0
        for side, price, size in event.changes:
            levels = all_levels[side]
            if relative:
                size += levels.get(price, 0)
            top = best[side]
            if size > 0:
                levels[price] = size
                if price == top:
                    touched = True
                elif top is None or (price < top if side & ASK else price > top):
                    best[side] = price
                    moved = True
            elif size < 0:
                return False
            elif levels.pop(price, None) is not None and price == top:
                best[side] = self._find_best(side)
                moved = True
        if moved:
            self._changed_since_snapshot = True
        if event.seq is not None:
            self.seq = event.seq
        if whole:
            self.yes_as_of_ms = self.no_as_of_ms = event.exchange_ms
            self.received_at = self.evidence_at = event.received_at
            self.lag_ms = event.lag_ms
        else:
            yes, no = outcomes_changed(event)
            self._touch(event.exchange_ms, event.received_at, event.lag_ms, yes=yes, no=no)
        claimed = event.claimed
        if claimed is not None and (self._disputed or claimed != tuple(best)):
            touched = self._compare_claims(claimed) or touched
        self._quiet = not (moved or touched)
        self.counts.updates += 1
        return True

    def _compare_claims(self, claimed: Claims) -> bool:
        """Note which sides the venue sees otherwise; whether that is news. A side stays disputed until it, or a
        snapshot, agrees again.
        """
        before = disputed = self._disputed
        wrong = False
        for side, (price, ours) in enumerate(zip(claimed, self._best, strict=True)):
            if price == ours:
                disputed &= ~(1 << side)
            elif price != UNSAID:
                disputed |= 1 << side
                wrong = True
        self._disputed = disputed
        self.counts.claims_wrong += wrong
        return disputed != before

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
        return min(levels) if side & ASK else max(levels)

    def _older(self, event: BookSnapshot) -> bool:
        """Whether the snapshot would take the book back in time, or might (asked for before the loss, undated)."""
        if self.not_ready is not None and event.asked_at is not None and event.asked_at < self._lost_at:
            return True
        if event.seq is not None and self.seq is not None:
            return event.seq < self.seq
        if event.exchange_ms is None:
            return event.source is Source.REST and self.not_ready is None
        yes_ms = self.yes_as_of_ms if event.yes_bids is not None else None
        no_ms = self.no_as_of_ms if event.no_bids is not None else None
        return event.exchange_ms < max(yes_ms or 0, no_ms or 0)

    def _replay(self, snapshot: BookSnapshot) -> Effect:
        """Apply the kept changes that the snapshot does not contain yet; a hole among them loses the book again."""
        kept, self._pending = self._pending, deque()
        yes_ms, no_ms = self.yes_as_of_ms, self.no_as_of_ms
        in_stream = snapshot.source is Source.STREAM
        while kept:
            event = kept.popleft()
            if event.seq is not None:
                missing = event if self.seq is None or event.seq > self.seq else None
            elif not event.relative:
                missing = lacking(event, yes_ms, no_ms, in_stream=in_stream)
            elif in_stream:
                missing = None
            else:
                # Nobody can say whether a REST answer contains an unnumbered difference; a snapshot behind it does.
                kept.appendleft(event)
                self._pending = kept
                return self._lose(NotReady.GAP)
            if missing is not None and self.update(missing) is Effect.LOST:
                self._pending.extend(kept)
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
            elif ours + theirs != MICRO or levels[side][ours] != levels[mirror][theirs]:
                return False
        return True


@dataclass(slots=True)
class BookCounts:
    """What happened to one book, for `status`, the report and the tests."""

    updates: int = 0
    duplicates: int = 0
    gaps: int = 0
    lost: int = 0
    old_generation: int = 0
    old_snapshots: int = 0
    overflows: int = 0
    claims_wrong: int = 0
