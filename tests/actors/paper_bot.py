"""The paper half of the bot on one thread: real book, signal, risk, executor and desk actors, a ledger in memory."""

from __future__ import annotations

from typing import TypeVar

from actors.book import BookActor
from actors.executor import ExecutorActor, Neighbours
from actors.order_routes import OrderRoutes
from actors.paper import PaperDesk
from actors.risk import RiskActor
from actors.signal import SignalActor
from actors.simulation import EPOCH_NS, SimClock, SimDispatcher, SimIds
from models.book import BookSnapshot
from models.clock import MS, SECOND, BootNs, WallNs, utc_day
from models.config_trading import Execution, Risk
from models.execution import ExecutionTerms
from models.market import BookModel
from models.messages import (
    CommitFailed,
    CommitIntents,
    GenerationBegan,
    IntentsCommitted,
    RecordRows,
    SendOrders,
    Tick,
)
from models.money import MicroShares, MicroUsd
from models.orders import CommittedIntent
from models.risk import RiskState, limits_from
from models.signal import Thresholds, terms_for
from models.verdict import FreshnessLimits
from models.watch import SetWatch
from tests.trading import ASKS, BIDS, execution_terms, shares

R = TypeVar("R")


class FakeGate:
    def __init__(self) -> None:
        self.trips: list[str] = []
        self.market_halts: dict[str, object] = {}
        self.held: str | None = None

    @property
    def tripped(self):
        return _Reason(self.trips[0]) if self.trips else None

    def trip(self, reason: str, by: str) -> None:
        self.trips.append(reason)

    def trip_market(self, market_id: str, reason: str, by: str) -> None:
        self.market_halts[market_id] = reason

    def resume(self) -> None:
        self.trips.clear()
        self.market_halts.clear()


class _Reason:
    def __init__(self, reason: str) -> None:
        self.reason = reason


class MemoryLedger:
    """Keeps every message in order; commits at once, or fails when told to."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.lanes = None
        self.executors = None
        self.fails = False

    def tell(self, message: object) -> None:
        self.heard.append(message)
        if isinstance(message, CommitIntents):
            self._commit(message)

    def _commit(self, message: CommitIntents) -> None:
        if self.fails:
            self.executors.tell(CommitFailed(attempt_id=message.attempt_id, why="disk full"))
            return
        committed = tuple(
            CommittedIntent(intent=intent, ledger_seq=len(self.heard), row_hash="") for intent in message.intents
        )
        self.lanes.tell(SendOrders(attempt_id=message.attempt_id, committed=committed, together=message.together))
        self.executors.tell(IntentsCommitted(attempt_id=message.attempt_id, committed=committed))

    def of(self, kind: type[R]) -> list[R]:
        rows: list[object] = []
        for message in self.heard:
            rows.extend(message.rows if isinstance(message, RecordRows | CommitIntents) else ())
            rows.extend(() if isinstance(message, RecordRows) else (message,))
        return [row for row in rows if isinstance(row, kind)]


class Silent:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def tell(self, message: object) -> None:
        self.heard.append(message)


class PaperBot:
    def __init__(
        self,
        terms: ExecutionTerms | None = None,
        *,
        seed: int = 1,
        risk: Risk | None = None,
        execution: Execution | None = None,
        latency_ms: int = 250,
        lanes=None,
    ) -> None:
        self.clock = SimClock()
        self.clock.now = SECOND
        self.sim = SimDispatcher(seed, self.clock)
        self.crashes: list[BaseException] = []
        self.terms = terms or execution_terms(merges=True)
        self.gate = FakeGate()
        self.ledger = MemoryLedger()
        self.strays: list[object] = []
        self.routes = OrderRoutes(self.strays.append)
        self.snapshots = Silent()
        ids = SimIds()
        risk = risk or Risk()
        execution = execution or Execution()
        markets = {leg.market.market_id: leg.market for leg in self.terms.legs}
        set_terms = terms_for(
            self.terms.complete_set,
            [leg.market for leg in self.terms.legs],
            Thresholds(
                min_edge=self.terms.min_edge,
                cost_buffer=MicroUsd(0),
                min_depth=shares(10),
                order_size=MicroShares(execution.order_size_micros),
                max_size=MicroShares(execution.max_order_size_micros),
                freshness=FreshnessLimits(
                    max_age_ns=10 * SECOND, max_skew_ms=500, max_lag_ms=2000, confirm_unified=False
                ),
            ),
        )
        books: dict = {}
        executors: dict = {}
        late = _Late()
        self.signal = SignalActor(
            self.sim,
            self._crash,
            [SetWatch(set_terms)],
            clock=self.clock,
            ids=ids,
            risk=late,
            ledger=self.ledger,
            snapshots=self.snapshots,
            silent_ns=60 * SECOND,
            sample_ns=0,
        )
        self.risk = RiskActor(
            self.sim,
            self._crash,
            [self.terms],
            risk=risk,
            limits=limits_from(risk, execution),
            state=RiskState(
                day=utc_day(WallNs(EPOCH_NS)), cash=MicroUsd(10**12) if self.terms.mode == "live" else None
            ),
            gate=self.gate,
            clock=self.clock,
            ids=ids,
            executors=executors,
            signal=self.signal.address,
            ledger=self.ledger,
        )
        late.to = self.risk.address
        for market in markets.values():
            book = BookActor(
                self.sim,
                self._crash,
                market,
                clock=self.clock,
                signal=self.signal.address,
                snapshots=self.snapshots,
                ledger=self.ledger,
                depth=0,
                lagging_ms=2000,
            )
            books[market.market_id] = book.address
            self._attach(book)
        self.desk = PaperDesk(
            self.sim,
            self._crash,
            [self.terms],
            latency_ns=latency_ms * MS,
            grid_ns=[50 * MS, 100 * MS, 500 * MS],
            books=books,
            executors=self.routes,
            ledger=self.ledger,
            clock=self.clock,
        )
        self.ledger.lanes = lanes or self.desk.address
        self.ledger.executors = self.routes
        self.executor = ExecutorActor(
            self.sim,
            self._crash,
            self.terms,
            Neighbours(
                ledger=self.ledger,
                lanes=lanes or self.desk.address,
                risk=self.risk.address,
                signal=self.signal.address,
                books=books,
                routes=self.routes,
                gate=self.gate,
                clock=self.clock,
                study=self.desk.address,
            ),
        )
        executors[self.terms.complete_set.set_id] = self.executor.address
        self.books = books
        for actor in (self.signal, self.risk, self.desk, self.executor):
            self._attach(actor)
        self.connect()

    def _attach(self, actor) -> None:
        self.sim.attach(actor)

    def _crash(self, name: str, error: BaseException) -> None:
        self.crashes.append(error)
        self.gate.trip(f"{name} failed", "base")

    def connect(self, generation: int = 1) -> None:
        for market_id, book in self.books.items():
            book.tell(GenerationBegan(market_id, generation, self.clock.boot_ns()))

    def show(self, market_id: str = "m1", *, yes_asks=ASKS, no_asks=ASKS, yes_bids=BIDS, no_bids=BIDS) -> None:
        now = self.clock.boot_ns()
        self.books[market_id].tell(
            BookSnapshot(
                market_id=market_id,
                generation=1,
                yes_bids=yes_bids,
                yes_asks=yes_asks,
                no_bids=no_bids,
                no_asks=no_asks,
                seq=None,
                exchange_ms=now // MS,
                received_at=now,
            )
        )

    def run(self, seconds: float) -> None:
        self.sim.run_until(self.clock.now + round(seconds * SECOND))
        assert not self.crashes, self.crashes

    def tick(self) -> None:
        self.signal.address.tell(Tick(BootNs(self.clock.now)))


class _Late:
    """An address that is known a little later than it is needed."""

    def __init__(self) -> None:
        self.to = None

    def tell(self, message: object) -> None:
        self.to.tell(message)


__all__ = ["BookModel", "PaperBot"]
