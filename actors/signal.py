"""SignalActor: recomputes the sets that a new top is part of and says TRADE, or SKIP with one reason.

Accepts  TopOfBook, StatusChanged, GridChanged, MarketResolved, MarketsReleased, SetRefused, Tick
Sends    SetProposed -> RiskActor;  OpportunitySkipped, EpisodeEnded, MinuteCounted, TickSampled -> LedgerActor;
         SnapshotWanted -> snapshot lane;  SilenceSuspected -> BookActor
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from actors.base import Address, BotActor, Crash
from models.book import NotReady, TopOfBook
from models.clock import SECOND, BootNs, Clock, Ids
from models.market import MarketId, MarketStatus, SetId
from models.messages import (
    EpisodeEnded,
    GridChanged,
    MarketResolved,
    MarketsReleased,
    MinuteCounted,
    Opportunity,
    OpportunitySkipped,
    SetProposed,
    SetRefused,
    SilenceSuspected,
    SnapshotWanted,
    StatusChanged,
    Tick,
    TickSampled,
)
from models.signal import Kind
from models.watch import SetWatch

if TYPE_CHECKING:
    from actors.dispatch import Dispatcher

LATENCY_EVERY: Final = 16
"""Every so many tops of a market the time from frame to decision is noted for `status`; every judged gap is."""


OFF_GRID_WORDS: Final = "the price grid changed, nothing opens until the old one is back or the bot starts again"


class SignalActor(BotActor):
    """All sets of the bot. Runs on the hot dispatcher."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        on_crash: Crash,
        watches: Sequence[SetWatch],
        *,
        clock: Clock,
        ids: Ids,
        risk: Address,
        ledger: Address,
        snapshots: Address,
        silent_ns: int,
        sample_ns: int,
    ) -> None:
        """`silent_ns`: a ready book without any evidence for this long is lost. `sample_ns`: between two `market_ticks`
        of a market, 0 for none.
        """
        super().__init__(dispatcher, "signal", on_crash)
        self._clock = clock
        self._ids = ids
        self._risk = risk
        self._ledger = ledger
        self._snapshots = snapshots
        self._silent_ns = silent_ns
        self._sample_ns = sample_ns
        self._sampled_at = 0
        self._open: dict[SetId, SetWatch] = {}
        """Sets with an open gap: what a tick has to judge again."""
        self._odd: dict[MarketId, None] = {}
        """Markets whose newest top is not ready or not intact: what a tick has to look after."""
        self._silence_from = 0
        """Before this no ready book can have been without evidence for too long."""
        self._disputed: set[MarketId] = set()
        """Markets whose ready book was not intact at the last tick."""
        self._paused: dict[MarketId, int] = {}
        """When each market that did not trade was last asked about."""
        self._minute = clock.wall_ns() // (60 * SECOND)
        self._by_set: dict[SetId, SetWatch] = {watch.set_id: watch for watch in watches}
        self._by_market: dict[MarketId, tuple[tuple[SetWatch, tuple[int, ...]], ...]] = {}
        for watch in watches:
            for market_id in watch.terms.complete_set.market_ids:
                known = self._by_market.get(market_id, ())
                self._by_market[market_id] = (*known, (watch, watch.legs_of(market_id)))
        self._statuses: dict[MarketId, MarketStatus] = {}
        self._off_grid: set[MarketId] = set()
        self.books: Mapping[MarketId, Address] = {}
        """Set by the system once the books exist; used only to tell a silent one."""
        self.tops: dict[MarketId, TopOfBook] = {}
        """Newest top per market. Read by the status publisher on another thread (which copies it first): values are
        immutable, keys never go.
        """
        self.standing: dict[MarketId, str] = {}
        """Why a market does not trade, in the venue's words; a market that trades is not in it. Read like `tops`."""
        self.latency_ns: deque[int] = deque(maxlen=2048)
        """Frame received to decision; read by the status publisher."""

    def receive(self, message: Any) -> None:
        if type(message) is not TopOfBook:
            self._news(message)
            return
        market_id = message.market_id
        self.tops[market_id] = message
        if message.not_ready is not None or not message.intact:
            self._odd[market_id] = None
        judged = False
        for watch, legs in self._by_market.get(market_id, ()):
            watch.put(message, legs)
            if watch.gap():
                self._judge(watch)
                judged = True
            elif watch.episode is not None:
                self._end_episode(watch)
        if (judged or not message.version % LATENCY_EVERY) and message.not_ready is None:
            self.latency_ns.append(self._clock.boot_ns() - message.evidence_at)

    def _news(self, message: object) -> None:
        match message:
            case Tick():
                self._tick()
            case MarketsReleased():
                # Recovery may release a set that the configuration no longer watches.
                if message.set_id in self._by_set:
                    self._by_set[message.set_id].released(message.cooling_until)
            case SetRefused():
                if message.set_id in self._by_set:
                    self._by_set[message.set_id].refused(self._clock.boot_ns())
            case StatusChanged():
                self._statuses[message.market_id] = message.status
                self._show_statuses(message.market_id, message.detail)
            case GridChanged():
                (self._off_grid.discard if message.known else self._off_grid.add)(message.market_id)
                self._show_statuses(message.market_id)
            case MarketResolved():
                self._statuses[message.market_id] = MarketStatus.RESOLVED
                self._show_statuses(message.market_id)
            case _:
                raise TypeError(f"the signal cannot handle {type(message).__name__}")

    def in_flight(self) -> list[SetId]:
        """Sets with an attempt under way, for the status publisher."""
        return [set_id for set_id, watch in self._by_set.items() if watch.in_flight]

    def _judge(self, watch: SetWatch) -> None:
        wall = self._clock.wall_ns()
        episode_id = watch.episode.episode_id if watch.episode else self._ids.fresh("e")
        evaluated = watch.evaluate(self._clock.boot_ns(), wall, episode_id)
        if evaluated is None:
            return
        self._open[watch.set_id] = watch
        if evaluated.confirm:
            for market_id in watch.terms.complete_set.market_ids:
                self._snapshots.tell(SnapshotWanted(market_id, self.tops[market_id].generation, "confirm"))
        if not evaluated.fresh:
            return
        opportunity = Opportunity(
            opportunity_id=self._ids.fresh("o"),
            set_id=watch.set_id,
            episode_id=episode_id,
            at=wall,
            frame_at=max(top.received_at for top in evaluated.tops),
            tops=evaluated.tops,
            surroundings=evaluated.surroundings,
            decision=evaluated.decision,
        )
        if evaluated.decision.kind is Kind.TRADE:
            self._risk.tell(SetProposed(opportunity=opportunity))
        else:
            self._ledger.tell(OpportunitySkipped(opportunity=opportunity))

    def _end_episode(self, watch: SetWatch) -> None:
        self._open.pop(watch.set_id, None)
        episode = watch.end_episode()
        if episode is not None:
            self._ledger.tell(
                EpisodeEnded(
                    episode_id=episode.episode_id,
                    set_id=watch.set_id,
                    began=episode.began,
                    ended=self._clock.wall_ns(),
                    best_edge=episode.best_edge,
                    rows=episode.rows,
                    verdict=episode.verdict,
                )
            )

    def _status(self, market_id: MarketId) -> MarketStatus:
        """The venue's word; an open market counts as off the grid where its grid is not the one that orders are for."""
        status = self._statuses.get(market_id, MarketStatus.OPEN)
        return MarketStatus.OFF_GRID if status is MarketStatus.OPEN and market_id in self._off_grid else status

    def _show_statuses(self, market_id: MarketId, why: str = "") -> None:
        status = self._status(market_id)
        if status is MarketStatus.OPEN:
            self.standing.pop(market_id, None)
        else:
            words = OFF_GRID_WORDS if status is MarketStatus.OFF_GRID else why
            self.standing[market_id] = f"{status.value}: {words}" if words else status.value
        for watch, _ in self._by_market.get(market_id, ()):
            statuses = tuple(self._status(leg.market_id) for leg in watch.terms.complete_set.legs)
            watch.statuses = statuses if any(s is not MarketStatus.OPEN for s in statuses) else ()

    # -- once a tick

    def _tick(self) -> None:
        """Thousands of quiet markets are not looked at four times a second: only what is open, odd or long silent."""
        now, wall = self._clock.boot_ns(), self._clock.wall_ns()
        for watch in list(self._open.values()):
            # A cooldown that ended, or an age that grew, changes the decision without a new top.
            if watch.sum_cost() is not None:
                self._judge(watch)
        self._look_after_the_odd(now)
        if now > self._silence_from:
            self._find_silent(now)
        minute = wall // (60 * SECOND)
        if minute != self._minute:
            self.flush_counts()
            self._minute = minute
        if self._sample_ns and now - self._sampled_at >= self._sample_ns:
            self._sampled_at = now
            for top in self.tops.values():
                if top.not_ready is None:
                    self._ledger.tell(TickSampled(at=wall, top=top))

    def _find_silent(self, now: int) -> None:
        """Ask the books of markets without evidence for it; each judges for itself, since it knows of heartbeats that
        were no news here.

        A ready book's evidence only gets newer, so the next look can wait until the oldest of now would be too old.
        """
        since = BootNs(now - self._silent_ns)
        oldest = now
        for market_id, top in self.tops.items():
            if top.not_ready is not None or market_id not in self.books:
                continue
            if top.evidence_at < since:
                self._odd[market_id] = None  # its answer is looked at, too
                self.books[market_id].tell(SilenceSuspected(market_id, top.generation, since, self._clock.boot_ns()))
            else:
                oldest = min(oldest, top.evidence_at)
        self._silence_from = oldest + self._silent_ns

    def _look_after_the_odd(self, now: int) -> None:
        disputed = set()
        for market_id in list(self._odd):
            top = self.tops[market_id]
            if top.not_ready is NotReady.PAUSED:
                self._ask_after_pause(market_id, top, now)
            elif top.not_ready is None and not top.intact:
                disputed.add(market_id)
            elif top.not_ready is None:
                del self._odd[market_id]
                # Ready again, perhaps by a snapshot that has waited in a backlog: its evidence may be the oldest.
                self._silence_from = min(self._silence_from, top.evidence_at + self._silent_ns)
        self._compare_disputed(disputed)

    def _compare_disputed(self, disputed: set[MarketId]) -> None:
        """A book that its mirror or the venue's own best prices contradict at two ticks in a row is compared anew.

        Between two messages that happens by itself (polymarket.md 3.7, read 2026-11-22); it does not last.
        """
        for market_id in sorted(disputed & self._disputed):
            self._snapshots.tell(SnapshotWanted(market_id, self.tops[market_id].generation, "disputed"))
        self._disputed = disputed

    def _ask_after_pause(self, market_id: MarketId, top: TopOfBook, now: int) -> None:
        """A venue tells once that a market has reopened, and that may be lost: what is paused is asked about."""
        if now - self._paused.get(market_id, 0) > self._silent_ns:
            self._paused[market_id] = now
            self._snapshots.tell(SnapshotWanted(market_id, top.generation, "paused"))

    def flush_counts(self) -> None:
        """Hand this minute's counts to the ledger; also called by `stopping`."""
        for watch in self._by_set.values():
            updates, counts = watch.take_counts()
            if updates:
                self._ledger.tell(
                    MinuteCounted(
                        set_id=watch.set_id,
                        minute=self._minute,
                        updates=updates,
                        evaluations=sum(count for _, count in counts),
                        sum_cost_counts=counts,
                    )
                )

    def stopping(self) -> None:
        for watch in self._by_set.values():
            self._end_episode(watch)
        self.flush_counts()
