"""Recorded events through the same books and decisions as the bot's, with the tape's time as the only clock.

One thread, no actor, no machine clock: the same lines give the same result in every process, which `decision_hash`
proves. It is a SHA-256 over every line of the tape and every evaluation (set, exchange time, tops, decision, reason) in
order, so a change of one byte of the tape or of one bit of a decision shows.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from models.book import BookLost, BookSnapshot, BookUpdate, MarketAlive, MarketsAlive, NotReady, TopOfBook
from models.book_keeping import Book, SnapshotCheck
from models.clock import BootNs, WallNs
from models.market import BookModel, Market, MarketId, MarketStatus, Outcome
from models.messages import MarketResolved, StatusChanged, TickChanged
from models.money import text
from models.signal import Decision, SetTerms
from models.sizing import Sizing
from models.verdict import Verdict
from models.watch import SetWatch

SCHEMA_VERSION: Final = 1
DEPTH: Final = 50
"""Ask levels that travel with a top where the sizing walks them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketEnd:
    """A market's last best prices, micro-dollars; None for an empty side and for a book that was never filled."""

    market_id: MarketId
    title: str
    not_ready: NotReady | None
    yes_bid: int | None
    yes_ask: int | None
    no_bid: int | None
    no_ask: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GapSeen:
    """One episode: an uninterrupted run of evaluations of one set with `sum_cost < payout`."""

    set_id: str
    verdict: Verdict
    """`real` if any evaluation in it was, else that of the first."""
    began_ms: int
    """Tape time, ms since 1970 UTC."""
    lasted_ms: int
    evaluations: int
    best_edge: int
    """Micro-dollars per set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    venue: str
    source: str
    began_ms: int | None
    ended_ms: int | None
    frames: int
    frames_unknown: int
    frames_failed: int
    snapshots_checked: int
    snapshots_equal: int
    snapshots_emptied: int
    decisions: int
    """Evaluations of sets, with or without a gap."""
    opportunities: int
    """Those with a gap."""
    gaps: tuple[GapSeen, ...]
    decision_hash: str
    markets: tuple[MarketEnd, ...]
    cut: bool
    """The tape's end is missing."""

    def gaps_by_verdict(self) -> dict[Verdict, int]:
        counted = Counter(gap.verdict for gap in self.gaps)
        return {verdict: counted[verdict] for verdict in Verdict}

    def as_json(self) -> dict[str, Any]:
        """The object of `replay --json` (design section 8): keys are stable, prices decimal strings or null."""
        return {
            "schema_version": SCHEMA_VERSION,
            "venue": self.venue,
            "source": self.source,
            "period": {"from_ms": self.began_ms, "to_ms": self.ended_ms},
            "frames": self.frames,
            "frames_unknown": self.frames_unknown,
            "frames_failed": self.frames_failed,
            "snapshots_checked": self.snapshots_checked,
            "snapshots_equal": self.snapshots_equal,
            "snapshots_emptied": self.snapshots_emptied,
            "decisions": self.decisions,
            "opportunities": self.opportunities,
            "gaps": {verdict.value: count for verdict, count in self.gaps_by_verdict().items()},
            "decision_hash": self.decision_hash,
            "cut": self.cut,
            "markets": [
                {
                    "market_id": market.market_id,
                    "best": {
                        side: None if price is None else text(price)
                        for side, price in (
                            ("yes_bid", market.yes_bid),
                            ("yes_ask", market.yes_ask),
                            ("no_bid", market.no_bid),
                            ("no_ask", market.no_ask),
                        )
                    },
                }
                for market in self.markets
            ],
        }


@dataclass(slots=True)
class _Gap:
    began: WallNs
    last: WallNs
    verdict: Verdict
    evaluations: int
    best_edge: int


class Replay:
    """Feed it lines and events in the tape's order; it never looks at a clock."""

    def __init__(self, markets: Sequence[Market], terms: Sequence[SetTerms]) -> None:
        depth = DEPTH if any(t.thresholds.sizing is Sizing.DEPTH for t in terms) else 0
        self._markets = {market.market_id: market for market in markets}
        self._books = {
            market.market_id: Book(market.market_id, unified=market.book_model is BookModel.UNIFIED, depth=depth)
            for market in markets
        }
        self._watches = [SetWatch(t) for t in terms]
        self._by_market: dict[MarketId, list[tuple[int, tuple[int, ...]]]] = {}
        for index, watch in enumerate(self._watches):
            for market_id in watch.terms.complete_set.market_ids:
                self._by_market.setdefault(market_id, []).append((index, watch.legs_of(market_id)))
        self._statuses: dict[MarketId, MarketStatus] = {}
        self._off_grid: set[MarketId] = set()
        self._touched: dict[MarketId, None] = {}
        self._open: dict[int, _Gap] = {}
        self._hash = hashlib.sha256()
        self._encoder = msgspec.json.Encoder()
        self.checked = 0
        self.equal = 0
        self.emptied = 0
        self.decisions = 0
        self.opportunities = 0
        self.gaps: list[GapSeen] = []

    # -- what the tape says

    def line(self, raw: bytes) -> None:
        """One line of the tape as it stands, header included; part of the hash."""
        self._hash.update(raw)
        self._hash.update(b"\n")

    def opened(self, generation: int, market_ids: Iterable[MarketId]) -> None:
        """A new connection for these markets: what the old one told is void."""
        for market_id in market_ids:
            self._books[market_id].begin(generation)
            self._touched[market_id] = None

    def closed(self, market_ids: Iterable[MarketId]) -> None:
        for market_id in market_ids:
            self._books[market_id].disconnect()
            self._touched[market_id] = None

    def event(self, event: object) -> None:
        """One decoded event. Raises `TypeError` for one that a session may not produce."""
        if isinstance(event, MarketsAlive):
            for market_id in event.seqs:
                self.event(event.of(market_id))
            return
        match event:
            case BookUpdate():
                self._books[event.market_id].update(event)
            case BookSnapshot():
                self._snapshot(event)
            case MarketAlive():
                self._books[event.market_id].alive(event)
            case BookLost():
                self._books[event.market_id].lose(event.reason, event.generation)
            case TickChanged():
                self._books[event.market_id].lose(NotReady.TICK_CHANGE, event.generation)
                self._regrid(event)
            case StatusChanged():
                self._status(event.market_id, event.status)
            case MarketResolved():
                self._status(event.market_id, MarketStatus.RESOLVED)
            case _:
                raise TypeError(f"a replay cannot handle {type(event).__name__}")
        self._touched[event.market_id] = None

    def settle(self, now: WallNs) -> None:
        """Evaluate once every set that was touched since the last call. Call when a message, or a burst that belongs
        together, has been applied as a whole. `now` is tape time and serves as both clocks.
        """
        if not self._touched:
            return
        touched: dict[int, None] = {}
        for market_id in self._touched:
            top = self._books[market_id].top()
            for index, legs in self._by_market.get(market_id, ()):
                self._watches[index].put(top, legs)
                touched[index] = None
        self._touched.clear()
        for index in sorted(touched):
            self._evaluate(index, now)

    def finish(self) -> str:
        """Close the open episodes and return the decision hash."""
        for index in list(self._open):
            self._end_gap(index)
        return self._hash.hexdigest()

    def market_ends(self) -> tuple[MarketEnd, ...]:
        """Every market's last tops, in the tape's order."""
        return tuple(_market_end(market, self._books[market_id].top()) for market_id, market in self._markets.items())

    # -- inside

    def _snapshot(self, event: BookSnapshot) -> None:
        book = self._books[event.market_id]
        check: SnapshotCheck = book.check(event)
        self.checked += check.checked
        self.equal += check.checked and check.equal
        self.emptied += check.emptied
        book.snapshot(event)

    def _status(self, market_id: MarketId, status: MarketStatus) -> None:
        self._statuses[market_id] = status
        self._show_statuses(market_id)

    def _regrid(self, event: TickChanged) -> None:
        """As SignalActor has it: nothing is traded off the grid of the catalog."""
        known = self._markets[event.market_id].has_tick(event.new_tick)
        (self._off_grid.discard if known else self._off_grid.add)(event.market_id)
        self._show_statuses(event.market_id)

    def _status_of(self, market_id: MarketId) -> MarketStatus:
        status = self._statuses.get(market_id, MarketStatus.OPEN)
        return MarketStatus.OFF_GRID if status is MarketStatus.OPEN and market_id in self._off_grid else status

    def _show_statuses(self, market_id: MarketId) -> None:
        for index, _ in self._by_market.get(market_id, ()):
            watch = self._watches[index]
            watch.statuses = tuple(self._status_of(leg.market_id) for leg in watch.terms.complete_set.legs)

    def _evaluate(self, index: int, now: WallNs) -> None:
        watch = self._watches[index]
        if watch.missing:
            return
        decision = None
        if watch.gap():
            evaluated = watch.evaluate(BootNs(now), now, "")
            # Nothing is in flight in a replay: a TRADE here must not silence what comes after it.
            watch.in_flight = False
            decision = None if evaluated is None else evaluated.decision
        self.decisions += 1
        self._hash.update(self._record(watch, decision))
        if decision is None:
            watch.end_episode()
            self._end_gap(index)
        else:
            self.opportunities += 1
            self._note_gap(index, decision, now)

    def _record(self, watch: SetWatch, decision: Decision | None) -> bytes:
        tops = [top for top in watch.tops if top is not None]
        times = [top.as_of_ms(outcome) or 0 for top in tops for outcome in Outcome]
        reason = None if decision is None else decision.reason
        return self._encoder.encode((watch.set_id, max(times, default=0), tops, decision, reason))

    def _note_gap(self, index: int, decision: Decision, now: WallNs) -> None:
        gap = self._open.get(index)
        if gap is None:
            self._open[index] = _Gap(now, now, decision.verdict, 1, decision.edge)
            return
        gap.last = now
        gap.evaluations += 1
        gap.best_edge = max(gap.best_edge, decision.edge)
        if decision.verdict is Verdict.REAL:
            gap.verdict = Verdict.REAL

    def _end_gap(self, index: int) -> None:
        gap = self._open.pop(index, None)
        if gap is not None:
            self.gaps.append(
                GapSeen(
                    set_id=self._watches[index].set_id,
                    verdict=gap.verdict,
                    began_ms=gap.began // 1_000_000,
                    lasted_ms=(gap.last - gap.began) // 1_000_000,
                    evaluations=gap.evaluations,
                    best_edge=gap.best_edge,
                )
            )


def _market_end(market: Market, top: TopOfBook) -> MarketEnd:
    return MarketEnd(
        market_id=market.market_id,
        title=market.title,
        not_ready=top.not_ready,
        yes_bid=top.yes_bid,
        yes_ask=top.yes_ask,
        no_bid=top.no_bid,
        no_ask=top.no_ask,
    )
