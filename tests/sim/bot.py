"""One process of the bot, from start to stop or crash: the real network of actors, gate, ledger and lanes, put together
as `actors.system` does, without a thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pykka import ActorRegistry

from actors.network import Carriers, Network, Ports, _begin
from actors.order_routes import OrderRoutes
from actors.recovery import take_up
from actors.simulation import SimClock, SimDispatcher, SimIds
from adapters.feed import FeedLimits, FeedState
from adapters.gate import Gate, ResumeRefused
from adapters.ledger.chain import GENESIS, Head
from adapters.ledger.connection import Ledger, open_ledger
from adapters.ledger.errors import RowsLostError
from adapters.ledger.verify import verify_chain
from adapters.ledger.writer import Writer
from adapters.permit import HaltRecord
from adapters.rate import RateBudget
from adapters.simulated.adapter import SimulatedVenue
from adapters.simulated.catalog import VENUE
from adapters.simulated.trading import SimulatedOrders
from models.clock import SECOND
from models.config_machine import VenueOptions
from models.events import disconnected, reconnected
from models.market import MarketId
from models.messages import (
    GenerationBegan,
    IncidentSeen,
    MarketResolved,
    ReconcileWanted,
    RecordRows,
    StatusChanged,
    StreamChanged,
    TradingHalted,
    TradingResumed,
)
from models.rows import RunStarted
from tests.sim.feeds import Feed
from tests.sim.lanes import VirtualLanes, VirtualSnapshots
from tests.sim.rerun import Stage, StageAddress, StageClock, StageGate
from tests.sim.venue import KEY, SECRET
from tests.sim.wire import Http, Reader, Session

if TYPE_CHECKING:
    from tests.sim.world import World

WATCH_NS = SECOND
"""Turns of the watchdog: four a second in a real process, one here."""


@cache
def empty_ledger() -> bytes:
    """A ledger with its schema and nothing in it, as an image without a -wal."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "empty.sqlite"
        open_ledger(path, SimClock(), durable=False).close()
        with sqlite3.connect(path) as connection:
            connection.execute("VACUUM")
        image = path.read_bytes()
    return image[:18] + b"\1\1" + image[20:]  # no write-ahead log in memory


class MemoryMark:
    """`adapters.ledger.mark.Mark`; it outlives the process as the file does."""

    def __init__(self) -> None:
        self.head = GENESIS

    def advance(self, head: Head) -> None:
        self.head = head

    def close(self) -> None:
        pass


class Disk:
    """What outlives a process: the gate's files, the ledger's committed rows, the mark."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.connection.deserialize(empty_ledger())
        self.connection.execute("PRAGMA foreign_keys = ON")
        self.connection.execute("PRAGMA temp_store = MEMORY")
        self.mark = MemoryMark()

    def ledger(self, clock: Any) -> Ledger:
        """Opened by the next process, its chain proved from the first row as `open_ledger` does."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        path = Path("ledger.sqlite")
        head = verify_chain(path, self.connection)
        if head.seq < self.mark.head.seq:
            raise RowsLostError(path, head.seq, self.mark.head.seq)
        writer = Writer(path, self.connection, head, durable=False)
        return Ledger(path, self.connection, writer, self.mark, clock, beside=False)  # type: ignore[arg-type]

    def reader(self) -> Any:
        return _Reader(self.connection)

    def close(self) -> None:
        self.connection.close()


class _Reader:
    """The one connection there is, lent out: closing it gives it back."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.execute = connection.execute

    def close(self) -> None:
        pass


class Bot:
    """One life. `hear` is how anything from outside gets in."""

    def __init__(self, world: World, life: int, disk: Disk) -> None:
        self.world = world
        self.life = life
        self.over = False
        self.crashed: str | None = None
        plan = self.plan = world.setting.plan
        self.clock: SimClock = world.clock
        self.dispatcher = SimDispatcher(f"{world.seed}/{life}", self.clock, world.trace)
        self.stage = Stage(self.clock)
        self.began = self.clock.now
        self.ledger = disk.ledger(self.clock)
        self.found = take_up(plan, disk.connection, self.clock)
        self.gate = Gate(
            disk.directory / "permit", self.clock, scope=f"{plan.mode}:simulated", on_change=self._gate_changed
        )
        self.http = Http(world, self)
        options = VenueOptions()
        stage_clock = StageClock(self.stage)
        self.data = SimulatedVenue(options, stage_clock, 1000)
        self.data._http = Reader(self.http)  # type: ignore[assignment]
        self.data.capabilities = world.setting.capabilities  # type: ignore[misc]
        self.orders: SimulatedOrders | None = None
        if plan.live:
            self.orders = SimulatedOrders(options, KEY, SECRET, stage_clock)
            self.orders.capabilities = world.setting.capabilities  # type: ignore[misc]
            self.orders._sessions.own = Session(self.http)
        self.snapshots = VirtualSnapshots(self.data, list(plan.markets.values()), self.stage, world.rng)
        self.network = Network(
            plan,
            Carriers(hot=self.dispatcher, own=self.dispatcher, pool=self.dispatcher),
            Ports(
                clock=self.clock,
                ids=SimIds(life),
                gate=self.gate,
                ledger=self.ledger,
                snapshots=self.snapshots,
                tap=lambda ledger: ledger,
                lanes=self._lanes if plan.live else None,
                on_stray=self._stray,
                on_crash=self._crash,
                reader=disk.reader,
                user_streams=("user",) if plan.live else (),
            ),
            self.found,
        )
        self.feeds: list[Feed] = []
        self._up: set[str] = set()
        """Feeds that are live."""
        self._add_feed()
        if plan.live:
            self._add_user_feed()

    # -- life

    def start(self) -> None:
        """As `System.start`."""
        self.gate.hold("starting")
        for actor in self.network.actors():
            _begin(actor)
        self.network._tick()
        used = self.world.setting.used
        self.network.told.tell(
            RecordRows(
                rows=(
                    used,
                    RunStarted(
                        run_id=f"r-{self.life}",
                        at=self.clock.wall_ns(),
                        mode=self.plan.mode,
                        venue="simulated",
                        account="bot" if self.plan.live else None,
                        config_hash=used.config_hash,
                    ),
                    *self.found.rows,
                )
            )
        )
        self.snapshots.start({market_id: book.address for market_id, book in self.network.books.items()})
        for feed in self.feeds:
            feed.start()
        self._watch()
        self.gate.release_hold()

    def end(self) -> None:
        """The process is gone, in the middle of whatever it was doing."""
        self.over = True
        self.stage.over = True
        self.clock.forget()
        for feed in self.feeds:
            if feed.line is not None:
                self.world.venue.leave(feed.line.connection)
        for actor in self.network.actors():
            ActorRegistry.unregister(actor.actor_ref)

    @property
    def broken(self) -> bool:
        """It cannot go on by itself: an operator starts it anew."""
        return self.crashed is not None or self.network.ledger._broken

    def hear(self, call: Callable[[], None]) -> None:
        """Something from outside reaches the process, unless it is gone; while it is frozen it waits."""
        if self.over:
            return
        if self.world.frozen:
            self.world.held.append((self, call))
        else:
            call()

    def _watch(self) -> None:
        self.gate.refresh()
        self.clock.call_after(WATCH_NS, self._watch)

    # -- the operator

    def open_items(self) -> list[str]:
        flying = [e.in_flight for e in self.network.executors.values() if e.in_flight is not None]
        return [f"{f.set_id} {f.state}" for f in flying]

    def unreconciled(self) -> tuple[str, ...]:
        return () if self.network.reconcile is None else self.network.reconcile.refusals()

    def compare(self, why: str) -> None:
        """Ask for a comparison of ledger and venue."""
        if self.network.reconcile is not None:
            self.network.reconcile.address.tell(ReconcileWanted(why=why))

    def refusals(self) -> list[str]:
        """As `Face._refusals`: what forbids a resume."""
        crashed = [] if self.crashed is None else [f"{self.crashed} has crashed"]
        return [*crashed, *self.open_items(), *self.unreconciled()]

    def resume(self) -> bool:
        """As `Face.resume`: refused while anything is open, unknown, mismatched or naked."""
        if self.refusals():
            self.compare("resume")
            return False
        try:
            self.gate.resume("operator", "looked at it")
        except ResumeRefused:
            return False
        return True

    # -- parts

    def _lanes(self, routes: OrderRoutes) -> VirtualLanes:
        assert self.orders is not None
        world = self.world
        execution = self.plan.execution[0]
        return VirtualLanes(
            {VENUE: self.orders},
            gate=StageGate(self.stage, self.gate),
            clock=StageClock(self.stage),
            answers=StageAddress(self.stage, routes),
            markets=dict.fromkeys(map(str, self.plan.markets), VENUE),
            deadline_ns=execution.order_timeout_ns,
            budgets={VENUE: RateBudget(self.clock, world.requests_per_second)},
            stage=self.stage,
            handover_ns=world.handover,
        )

    def _limits(self) -> FeedLimits:
        runtime = self.plan.config.runtime
        return FeedLimits(
            handshake_s=runtime.handshake_timeout_seconds,
            message_s=runtime.message_timeout_seconds,
            backoff_initial_s=runtime.reconnect.initial_backoff_seconds,
            backoff_max_s=runtime.reconnect.max_backoff_seconds,
            healthy_s=runtime.reconnect.healthy_after_seconds,
        )

    def _add_feed(self) -> None:
        markets = list(self.plan.markets.values())
        ids = [market.market_id for market in markets]

        def session(generation: int) -> Any:
            self._begin(ids, generation, connected=True)
            return self.data.subscribe_markets(markets, generation, self.clock)

        def on_state(state: FeedState) -> None:
            if state.kind == "down":
                self._begin(ids, state.generation, connected=False)
            self._feed_state("feed", state)

        self.feeds.append(
            Feed(
                self.world,
                self,
                "feed",
                private=False,
                limits=self._limits(),
                headers=dict,
                session=session,
                deliver=self._deliver,
                on_state=on_state,
            )
        )

    def _add_user_feed(self) -> None:
        orders = self.orders
        assert orders is not None

        def deliver(events: Sequence[object]) -> None:
            for event in events:
                self.network.routes.tell(event)

        self.feeds.append(
            Feed(
                self.world,
                self,
                "user",
                private=True,
                limits=self._limits(),
                headers=lambda: orders.listen_fills_ws()[0].headers,
                session=orders.listen_fills_ws()[1],
                deliver=deliver,
                on_state=self._user_state,
            )
        )

    def _user_state(self, state: FeedState) -> None:
        self._feed_state("user", state)
        if state.kind in ("live", "down") and self.network.reconcile is not None:
            changed = StreamChanged(feed="user", up=state.kind == "live", at=self.clock.boot_ns())
            self.network.reconcile.address.tell(changed)

    # -- what `actors.system` does between feeds, gate and actors

    def _begin(self, ids: Sequence[MarketId], generation: int, *, connected: bool) -> None:
        at = self.clock.boot_ns()
        for market_id in ids:
            self.network.books[market_id].address.tell(GenerationBegan(market_id, generation, at, connected))

    def _deliver(self, events: Sequence[object]) -> None:
        network = self.network
        for event in events:
            book = network.books.get(event.market_id)  # type: ignore[attr-defined]
            if book is None:
                continue
            book.address.tell(event)
            if isinstance(event, StatusChanged | MarketResolved):
                network.signal.address.tell(event)
            if isinstance(event, MarketResolved):
                network.risk.address.tell(event)
                network.told.tell(event)

    def _feed_state(self, label: str, state: FeedState) -> None:
        wall = self.clock.wall_ns()
        if state.kind == "live" and state.generation > 1:
            self.network.told.tell(RecordRows(rows=(reconnected(wall, label, state.generation, 0),)))
        elif state.kind == "down":
            self.network.told.tell(RecordRows(rows=(disconnected(wall, label, state.reason),)))
            if label in self._up:
                incident = IncidentSeen(kind="disconnect", set_id=None, detail=f"{label}: {state.reason}", at=state.at)
                self.network.risk.address.tell(incident)
                self._up.discard(label)
        if state.kind == "live":
            self._up.add(label)

    def _gate_changed(self, record: HaltRecord | None) -> None:
        if self.over:
            return
        now = self.clock.wall_ns()
        self.world.judge.gate_moved(self, record)
        message: TradingHalted | TradingResumed
        if record is not None:
            market = None if record.market_id is None else MarketId(record.market_id)
            message = TradingHalted(reason=record.reason, by=record.by, at=record.at or now, market_id=market)
        else:
            message = TradingResumed(reason="", by="operator", at=now)
        self.network.told.tell(message)
        self.network.risk.address.tell(message)

    def _stray(self, message: object) -> None:
        self.gate.trip(f"news about an order that is not ours: {type(message).__name__}", "system")

    def _crash(self, name: str, error: BaseException) -> None:
        if self.over:
            return
        self.gate.trip(f"{name} crashed: {type(error).__name__}", "system")
        self.crashed = name
        self.world.actor_died(name, error)
