"""Real BookActors and a real SignalActor on a real run queue, drained on the test's own thread, with everybody else
played by collectors and a clock that the test moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from actors.book import BookActor
from actors.dispatch import HotDispatcher
from actors.signal import SignalActor
from models.book import TopOfBook
from models.clock import MS, SECOND
from models.market import Market, MarketId
from models.messages import (
    GenerationBegan,
    Opportunity,
    OpportunitySkipped,
    SetProposed,
    SnapshotWanted,
    StatusChanged,
    Tick,
)
from models.watch import SetWatch
from tests.factories import a_market, a_watch, snapshot
from tests.fakes import Collector, CountingIds, FakeClock

SILENT_NS = 10 * SECOND
SAMPLE_NS = 60 * SECOND
LAGGING_MS = 1_000


class HotStage:
    """Markets and watches on one run queue. Use as a context manager; any crash of an actor fails the test."""

    def __init__(
        self,
        markets: Sequence[Market] = (),
        watches: Sequence[SetWatch] = (),
        *,
        depth: int = 0,
        proof_ns: int = 0,
        quiet_ns: int = 0,
    ) -> None:
        self._proof_ns, self._quiet_ns = proof_ns, quiet_ns
        self.clock, self.ids = FakeClock(), CountingIds()
        self.risk, self.ledger, self.snapshots = Collector(), Collector(), Collector()
        self.crashed: list[BaseException] = []
        self.hot = HotDispatcher()
        listed = list(markets) or [a_market()]
        self.watches = list(watches) or [a_watch(markets=listed)]
        self.signal = SignalActor(
            self.hot,
            self._crash,
            self.watches,
            clock=self.clock,
            ids=self.ids,
            risk=self.risk,
            ledger=self.ledger,
            snapshots=self.snapshots,
            silent_ns=SILENT_NS,
            sample_ns=SAMPLE_NS,
        )
        self.tops = Collector()
        self.books = {market.market_id: self._book(market, depth) for market in listed}
        self.signal.books = {market_id: book.address for market_id, book in self.books.items()}
        for actor in (self.signal, *self.books.values()):
            actor._start_actor_loop()
        self.feed()

    def _book(self, market: Market, depth: int) -> BookActor:
        return BookActor(
            self.hot,
            self._crash,
            market,
            clock=self.clock,
            signal=_Tee(self.tops, self.signal),
            snapshots=self.snapshots,
            ledger=self.ledger,
            depth=depth,
            lagging_ms=LAGGING_MS,
            proof_ns=self._proof_ns,
            quiet_ns=self._quiet_ns,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.hot.stop(10.0)
        if error is None and self.crashed:
            raise self.crashed[0]

    def _crash(self, name: str, error: BaseException) -> None:
        self.crashed.append(error)

    # -- what the feed does

    def feed(self, *events: Any) -> None:
        """One frame's events, each to its market's book; handled when this returns."""
        self._post([(self.books[event.market_id], event) for event in events])

    def tell_signal(self, *messages: object) -> None:
        self._post([(self.signal, message) for message in messages])

    def _post(self, messages: list[tuple[Any, object]]) -> None:
        self.hot.post_all(messages)
        while True:  # the relief thread may have taken the work: wait for it, and take over what it leaves
            with self.hot._drainer:
                if not self.hot.queue:
                    return
            self.hot.post_all(())

    def connect(self, generation: int = 1, *, ready: bool = True) -> None:
        """All markets on a new connection; with `ready`, also the default snapshot of each."""
        now = self.clock.boot_ns()
        self.feed(*(GenerationBegan(market_id, generation, now) for market_id in self.books))
        if ready:
            self.feed(*(snapshot(m, generation=generation, seq=1, received_at=now) for m in self.books))

    def disconnect(self, generation: int = 1) -> None:
        now = self.clock.boot_ns()
        self.feed(*(GenerationBegan(market_id, generation, now, connected=False) for market_id in self.books))

    def status(self, change: StatusChanged) -> None:
        """As the feed does: to the book and to the signal."""
        self.feed(change)
        self.tell_signal(change)

    def tick(self, after_ns: int = 250 * MS) -> None:
        self.clock.advance(after_ns)
        self.tell_signal(Tick(self.clock.boot_ns()))

    # -- what came of it

    def top(self, market_id: str = "m") -> TopOfBook:
        """The newest published top."""
        return next(top for top in reversed(self.tops.of(TopOfBook)) if top.market_id == MarketId(market_id))

    def proposed(self) -> list[Opportunity]:
        return [message.opportunity for message in self.risk.of(SetProposed)]

    def skipped(self) -> list[Opportunity]:
        return [message.opportunity for message in self.ledger.of(OpportunitySkipped)]

    def wanted(self) -> list[tuple[str, int, str]]:
        return [(w.market_id, w.generation, w.why) for w in self.snapshots.of(SnapshotWanted)]


class _Tee:
    """Keeps a copy of every top on its way to the signal."""

    def __init__(self, copies: Collector, signal: SignalActor) -> None:
        self._copies = copies
        self._signal = signal

    def tell(self, message: object) -> None:
        self._copies.tell(message)
        self._signal.address.tell(message)
