"""The status snapshot, made when somebody looks.

Nothing here asks an actor. The publisher reads immutable values that actors leave in plain attributes (tops, states,
gauges), so it can be read while they hang. With thousands of markets a snapshot costs milliseconds: nobody makes one
that nobody looks at.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from actors.news import NewsTap
from adapters.feed import FeedCounters, FeedState
from adapters.gate import Gate
from adapters.operator.events import EventBoard
from adapters.permit import HaltRecord
from models.book import TopOfBook
from models.clock import SECOND, BootNs, Clock, WallNs
from models.market import Market, MarketId, SetId
from models.money import MicroShares, MicroUsd, PriceMicros
from models.sets import SetKind
from models.status import (
    FeedState as FeedWord,
)
from models.status import (
    FeedStatus,
    Gauge,
    InboxLook,
    InFlight,
    Latency,
    MarketRow,
    SetRow,
    StatusSnapshot,
    Trading,
)
from models.watch import SetWatch


class ExecutorView(Protocol):
    """What an executor leaves to be seen."""

    @property
    def state_name(self) -> str: ...

    @property
    def in_flight(self) -> InFlight | None: ...


class BookView(Protocol):
    """What a book leaves to be seen."""

    @property
    def evidence_at(self) -> BootNs: ...


class RiskView(Protocol):
    """What risk leaves to be seen."""

    @property
    def limits(self) -> tuple[Gauge, ...]: ...

    @property
    def kill_switch(self) -> tuple[Gauge, ...]: ...


class FeedView(Protocol):
    """The part of `FeedThread` that is shown."""

    @property
    def counters(self) -> FeedCounters: ...


class OutageView(Protocol):
    """The part of a feed's `FeedWatch` that is shown."""

    @property
    def state(self) -> FeedState | None: ...

    @property
    def down_since(self) -> BootNs | None: ...

    @property
    def down_ns(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """What does not change while the bot runs."""

    version: str
    mode: str
    demo: bool
    venue: str
    started_wall: WallNs
    started_boot: BootNs
    config_hash: str
    ledger: str


SHOWN_NS: Final = SECOND // 4
"""How old a snapshot may be that is shown: four a second are made at most, however many look."""


class StatusPublisher:
    """Everybody reads `current`, on any thread."""

    def __init__(
        self,
        fixed: Fixed,
        *,
        clock: Clock,
        gate: Gate,
        board: EventBoard,
        tap: NewsTap,
        markets: Sequence[Market],
        watches: Sequence[SetWatch],
        books: Mapping[MarketId, BookView],
        tops: Mapping[MarketId, TopOfBook],
        standing: Mapping[MarketId, str],
        latency_ns: Callable[[], Sequence[int]],
        inbox: Callable[[], InboxLook],
        executors: Mapping[SetId, ExecutorView],
        risk: RiskView,
        feeds: Mapping[str, tuple[FeedView, OutageView]],
        open_items: Callable[[], tuple[str, ...]],
    ) -> None:
        self._fixed = fixed
        self._clock = clock
        self._gate = gate
        self._board = board
        self._tap = tap
        self._markets = markets
        self._own_sets = {watch.set_id: watch for watch in watches}
        self._books = books
        self._tops = tops
        self._standing = standing
        self._latency_ns = latency_ns
        self._inbox = inbox
        self._executors = executors
        self._risk = risk
        self._feeds = feeds
        self._open_items = open_items
        self._making = threading.Lock()
        self._outdated = False
        self._latest: StatusSnapshot = self._make()

    def outdate(self) -> None:
        """A halt or a resume has come: who asks next must not be shown the state before it. Any thread, at once."""
        self._outdated = True

    def current(self) -> StatusSnapshot:
        """The last one made, or a new one where that is old or known to be wrong."""
        with self._making:
            if self._outdated or self._clock.boot_ns() - self._latest.taken >= SHOWN_NS:
                self._outdated = False
                self._latest = self._make()
            return self._latest

    def _make(self) -> StatusSnapshot:
        now = self._clock.boot_ns()
        fixed = self._fixed
        today, paper = self._tap.counters()
        halts = self._gate.market_halts
        return StatusSnapshot(
            taken=now,
            at=self._clock.wall_ns(),
            version=fixed.version,
            mode=fixed.mode,
            demo=fixed.demo,
            venue=fixed.venue,
            started=fixed.started_wall,
            uptime_ns=now - fixed.started_boot,
            trading=self._trading_now(),
            feed=self._feed(now),
            markets=tuple(self._market_row(market, now, halts) for market in self._markets),
            sets=tuple(
                self._set_row(watch)
                for watch in self._own_sets.values()
                if watch.terms.complete_set.kind is not SetKind.BINARY
            ),
            orders=self._tap.orders(),
            in_flight=tuple(f for view in self._executors.values() if (f := view.in_flight) is not None),
            open_items=self._open_items(),
            today=today,
            limits=self._risk.limits,
            kill_switch=self._risk.kill_switch,
            latency=self._latency(),
            inbox=self._inbox(),
            paper=paper if fixed.mode == "paper" else None,
            events=self._board.newest(),
            config_hash=fixed.config_hash,
            ledger=fixed.ledger,
        )

    def _trading_now(self) -> Trading:
        record = self._gate.tripped
        held = self._gate.held
        if record is not None:
            return Trading(on=False, reason=record.reason, by=record.by, since=record.at)
        if held is not None:
            return Trading(on=False, reason=held, by="start", since=None)
        permit = self._gate.permit
        if permit is None:
            return Trading(on=False, reason="no permit", by="gate", since=None)
        return Trading(on=True, reason=permit.reason, by=permit.by, since=permit.granted)

    def _feed(self, now: BootNs) -> FeedStatus:
        words = [_word(watch.state) for _, watch in self._feeds.values()]
        badness = [FeedWord.LIVE, FeedWord.CONNECTING, FeedWord.UNKNOWN, FeedWord.DOWN]
        worst = max(words, key=badness.index, default=None)
        counters = [view.counters for view, _ in self._feeds.values()]
        seen = [c.last_frame_at for c in counters if c.last_frame_at is not None]
        lags = [lag for top in list(self._tops.values()) if (lag := top.lag_ms) is not None]
        down = sum(w.down_ns + (0 if (since := w.down_since) is None else now - since) for _, w in self._feeds.values())
        gaps, resyncs = self._tap.losses()
        return FeedStatus(
            state=worst or FeedWord.UNKNOWN,
            age_ns=now - min(seen) if seen else None,
            lag_ms=max(lags) if lags else None,
            reconnects=sum(c.reconnects for c in counters),
            down_ns=down,
            gaps=gaps,
            resyncs=resyncs,
            frames=sum(c.frames for c in counters),
        )

    def _market_row(self, market: Market, now: BootNs, halts: Mapping[str, HaltRecord]) -> MarketRow:
        top = self._tops.get(market.market_id)
        watch = self._own_sets.get(SetId(market.market_id))
        total = watch.sum_cost() if watch is not None else None
        executor = self._executors.get(SetId(market.market_id))
        halt = halts.get(market.market_id)
        why = self._standing.get(market.market_id, "")
        return MarketRow(
            market_id=market.market_id,
            title=market.title,
            ready=top is not None and top.not_ready is None and not why,
            reason=why or ("no data yet" if top is None else str(top.not_ready or "")),
            age_ns=None if top is None else now - self._books[market.market_id].evidence_at,
            yes_ask=None if top is None or top.yes_ask is None else PriceMicros(top.yes_ask),
            yes_size=MicroShares(0 if top is None else top.yes_ask_size),
            no_ask=None if top is None or top.no_ask is None else PriceMicros(top.no_ask),
            no_size=MicroShares(0 if top is None else top.no_ask_size),
            sum_cost=None if total is None else MicroUsd(total),
            edge=None if total is None or watch is None else _edge(watch, total),
            state="" if executor is None else executor.state_name,
            halted=halt is not None,
            halt_reason="" if halt is None else halt.reason,
        )

    def _set_row(self, watch: SetWatch) -> SetRow:
        total = watch.sum_cost()
        complete_set = watch.terms.complete_set
        return SetRow(
            set_id=watch.set_id,
            kind=complete_set.kind.value,
            market_ids=complete_set.market_ids,
            payout=complete_set.payout,
            sum_cost=None if total is None else MicroUsd(total),
            edge=None if total is None else _edge(watch, total),
            state=self._executors[watch.set_id].state_name,
        )

    def _latency(self) -> Latency:
        samples = sorted(self._latency_ns())
        if not samples:
            return Latency(p50_ns=None, p99_ns=None)
        last = len(samples) - 1
        return Latency(p50_ns=samples[len(samples) // 2], p99_ns=samples[min(last, len(samples) * 99 // 100)])


def _edge(watch: SetWatch, total: int) -> MicroUsd:
    return MicroUsd(watch.terms.complete_set.payout - total - watch.terms.thresholds.cost_buffer)


def _word(state: FeedState | None) -> FeedWord:
    return FeedWord.UNKNOWN if state is None else FeedWord(state.kind)
