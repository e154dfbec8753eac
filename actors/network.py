"""The actors of one bot and who knows whom: built the same on threads and under the simulator's scheduler.

The children table, in order of start (stop is the reverse):

| actor          | carrier | what happens when it crashes                                      |
| -------------- | ------- | ------------------------------------------------------------------ |
| LedgerActor    | own     | gate trips; no intent is committed any more, so none is sent       |
| PaperDesk      | pool    | gate trips; paper only                                             |
| SignalActor    | hot     | gate trips; books go on, nothing is proposed any more              |
| RiskActor      | hot     | gate trips; nothing is approved any more                           |
| ExecutorActor  | pool    | gate trips; its set stays locked, the next start recovers it       |
| BookActor      | hot     | gate trips; its market is not ready any more                       |
| ReconcileActor | own     | gate trips; live only                                              |
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pykka import ActorRegistry

from actors.base import PING, Address, BotActor, Crash
from actors.book import BookActor
from actors.dispatch import Dispatcher, stop_actor
from actors.executor import ExecutorActor, Neighbours
from actors.flight import Flight
from actors.ledger import LedgerActor
from actors.order_routes import OrderRoutes
from actors.paper import PaperDesk
from actors.plan import Plan
from actors.reconcile import ReconcileActor
from actors.reconcile_pass import Patience
from actors.risk import RiskActor
from actors.signal import SignalActor
from adapters.gate import Gate
from adapters.ledger.connection import Ledger
from models.clock import MINUTE, MS, Clock, Ids, seconds_ns
from models.kill_switch import KillSwitch
from models.market import MarketId, SetId
from models.messages import Receiver, Tick
from models.orders import AttemptId
from models.risk import RiskState, limits_from
from models.set_events import Action
from models.set_state import Record
from models.sizing import Sizing
from models.terms import LAGGING_FACTOR, TICK_NS, markets_alone, proof_every_ns, quiet_every_ns
from models.watch import SetWatch

DEPTH_LEVELS: Final = 10
"""Ask levels that travel with each top where sets are sized by depth."""
START_S: Final = 5.0
STOP_S: Final = 3.0


class StartError(Exception):
    """An actor did not answer after its start: the bot does not run half (A02)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carriers:
    """The table of who runs where. Under the simulator all three are one."""

    hot: Dispatcher
    own: Dispatcher
    pool: Dispatcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the network needs from the outside."""

    clock: Clock
    ids: Ids
    gate: Gate
    ledger: Ledger
    snapshots: Address
    tap: Callable[[Address], Address]
    """Stands before the ledger (`actors.news.NewsTap`), or hands it back unchanged."""
    lanes: Callable[[OrderRoutes], Address] | None
    """Order lanes in live mode; None in paper mode, where the paper desk stands in their place."""
    on_stray: Callable[[object], None]
    on_crash: Crash
    reader: Callable[[], sqlite3.Connection] | None = None
    """Opens the ledger for reading, for the reconcile of a live bot; None: nothing is reconciled."""
    adopt: str | None = None
    """The operator's reason to take the account as it is found at the first comparison."""
    user_streams: tuple[str, ...] = ()
    """Names of the user feeds, as `StreamChanged` calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What the last process left, as far as the ledger knows."""

    risk: RiskState
    executors: Mapping[SetId, tuple[Record, tuple[Action, ...]]] = field(default_factory=dict)
    switch: KillSwitch | None = None
    """The kill switch's windows as they stood; None: empty."""
    rows: tuple[object, ...] = ()
    """To be written first: endings of paper attempts that were cut off."""
    unfinished: tuple[AttemptId, ...] = ()
    """Live attempts that are taken up again. Trading is re-armed when none of them is under way any more."""
    orphans: tuple[AttemptId, ...] = ()
    """Unfinished attempts of sets that are not configured any more; trading stays halted while there are any."""


class _Later:
    """An address that is filled in once its actor exists: the flow of messages has a circle in it."""

    __slots__ = ("target",)

    def __init__(self) -> None:
        self.target: Receiver | None = None

    def tell(self, message: object) -> None:
        assert self.target is not None, "told before the network was complete"
        self.target.tell(message)


class Network:
    """All actors of one bot. `start` and `stop` from the main thread (or the simulation)."""

    def __init__(self, plan: Plan, carriers: Carriers, ports: Ports, found: Recovered) -> None:
        self.plan = plan
        self._carriers = carriers
        self._ports = ports
        self._stopping = False
        clock, config = ports.clock, plan.config
        self.alone = markets_alone([terms.complete_set for terms in plan.execution])
        self.watches = [SetWatch(terms) for terms in plan.terms]
        self.routes = OrderRoutes(ports.on_stray)
        self._books: dict[MarketId, Address] = {}
        self._executors: dict[SetId, Address] = {}
        desk, signal = _Later(), _Later()

        lanes: Address = desk if ports.lanes is None else ports.lanes(self.routes)
        self.ledger = LedgerActor(
            carriers.own,
            ports.on_crash,
            ports.ledger,
            lanes=lanes,
            executors=self.routes,
            gate=ports.gate,
            clock=clock,
        )
        self.told: Address = ports.tap(self.ledger.address)
        self.desk: PaperDesk | None = None
        if ports.lanes is None:
            self.desk = PaperDesk(
                carriers.pool,
                ports.on_crash,
                plan.execution,
                latency_ns=config.paper.latency_ms * MS,
                grid_ns=[ms * MS for ms in config.paper.latency_grid_ms],
                books=self._books,
                executors=self.routes,
                ledger=self.told,
                clock=clock,
            )
            desk.target = self.desk.address
        self.risk = RiskActor(
            carriers.hot,
            ports.on_crash,
            plan.execution,
            risk=config.risk,
            limits=limits_from(config.risk, config.execution),
            state=found.risk,
            gate=ports.gate,
            clock=clock,
            ids=ports.ids,
            executors=self._executors,
            signal=signal,
            ledger=self.told,
            switch=found.switch,
        )
        self.signal = SignalActor(
            carriers.hot,
            ports.on_crash,
            self.watches,
            clock=clock,
            ids=ports.ids,
            risk=self.risk.address,
            ledger=self.told,
            snapshots=ports.snapshots,
            silent_ns=config.runtime.silent_market_ns,
            sample_ns=seconds_ns(config.data.tick_sample_seconds),
        )
        signal.target = self.signal.address
        self.executors = self._make_executors(lanes, found)
        self.books = self._make_books()
        self.signal.books = self._books
        self.reconcile = self._make_reconcile(lanes, found)

    def _make_executors(self, lanes: Address, found: Recovered) -> dict[SetId, ExecutorActor]:
        ports = self._ports
        neighbours = Neighbours(
            ledger=self.told,
            lanes=lanes,
            risk=self.risk.address,
            signal=self.signal.address,
            books=self._books,
            routes=self.routes,
            gate=ports.gate,
            clock=ports.clock,
            study=None if self.desk is None else self.desk.address,
        )
        made = {}
        for terms in self.plan.execution:
            set_id = terms.complete_set.set_id
            record, first = found.executors.get(set_id, (None, ()))
            executor = ExecutorActor(self._carriers.pool, ports.on_crash, terms, neighbours, record=record, first=first)
            made[set_id] = executor
            self._executors[set_id] = executor.address
        return made

    def _make_books(self) -> dict[MarketId, BookActor]:
        plan, ports = self.plan, self._ports
        depth = DEPTH_LEVELS if plan.config.strategy.sizing is Sizing.DEPTH else 0
        made = {}
        proof_ns, quiet_ns = proof_every_ns(plan.config.runtime), quiet_every_ns(plan.config.runtime)
        for market_id, market in plan.markets.items():
            book = BookActor(
                self._carriers.hot,
                ports.on_crash,
                market,
                clock=ports.clock,
                signal=self.signal.address,
                snapshots=ports.snapshots,
                ledger=self.told,
                depth=depth,
                lagging_ms=plan.config.runtime.max_lag_ms * LAGGING_FACTOR,
                proof_ns=proof_ns if market_id in self.alone else 0,
                quiet_ns=quiet_ns if market_id in self.alone else 0,
            )
            made[market_id] = book
            self._books[market_id] = book.address
        return made

    def _make_reconcile(self, lanes: Address, found: Recovered) -> ReconcileActor | None:
        plan, ports = self.plan, self._ports
        if not plan.live or ports.reader is None:
            return None
        return ReconcileActor(
            self._carriers.own,
            ports.on_crash,
            venues=sorted(plan.orders),
            mergeable={t.market_ids[0]: t.complete_set.set_id for t in plan.execution if t.merges},
            patience=Patience(
                every_ns=plan.config.runtime.reconcile_minutes * MINUTE,
                settle_ns=plan.config.execution.max_inflight_ns,
                horizon_ns=max((leg.horizon_ns for terms in plan.execution for leg in terms.legs), default=0),
            ),
            flight=Flight(
                self.executors,
                {terms.complete_set.set_id: terms.market_ids for terms in plan.execution},
                found.unfinished,
            ),
            streams=ports.user_streams,
            ledger=self.told,
            reader=ports.reader,
            lanes=lanes,
            routes=self.routes,
            risk=self.risk.address,
            gate=ports.gate,
            clock=ports.clock,
            adopt=ports.adopt,
        )

    def actors(self) -> list[BotActor]:
        """In order of start. What compares comes last: everything that it looks at stands."""
        desk = [] if self.desk is None else [self.desk]
        reconcile = [] if self.reconcile is None else [self.reconcile]
        executors, books = self.executors.values(), self.books.values()
        return [self.ledger, *desk, self.signal, self.risk, *executors, *books, *reconcile]

    def start(self) -> None:
        """Start all in order, then ask each for a sign of life. Raises `StartError`."""
        for actor in self.actors():
            _begin(actor)
        futures = [(actor, actor.actor_ref.ask(PING, block=False)) for actor in self.actors()]
        for actor, future in futures:
            try:
                future.get(timeout=START_S)
            except Exception as error:
                raise StartError(f"{actor.name} did not start: {error}") from error
        self._tick()

    def stop_all_but_ledger(self) -> list[str]:
        """Stop in reverse order what has something to tell the ledger; names those that did not end in time."""
        self._stopping = True
        others = [actor for actor in reversed(self.actors()) if actor is not self.ledger]
        return [actor.name for actor in others if not stop_actor(actor, STOP_S)]

    def stop_ledger(self) -> list[str]:
        """The ledger's last flush; after it the file may be closed."""
        return [] if stop_actor(self.ledger, STOP_S) else [self.ledger.name]

    def _tick(self) -> None:
        """Wake the signal four times a second, on the clock's thread."""
        if not self._stopping:
            self.signal.address.tell(Tick(self._ports.clock.boot_ns()))
            self._ports.clock.call_after(TICK_NS, self._tick)


def _begin(actor: BotActor) -> None:
    """What Pykka's `start()` does after construction; actors are built first, because they know each other."""
    ActorRegistry.register(actor.actor_ref)
    actor._start_actor_loop()  # noqa: SLF001  Pykka's hook for implementors of actor types
