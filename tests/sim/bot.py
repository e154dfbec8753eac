"""One process of the bot, from start to stop or crash: the real network of actors, gate, ledger and lanes, put together
as `actors.system` does, without a thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pykka import ActorRegistry

from actors.admission import get_ready
from actors.feeds import Feeds, feed_limits, user_feed
from actors.network import Carriers, Network, Ports, _begin
from actors.order_routes import OrderRoutes
from actors.plan import Plan
from actors.recovery import take_up
from actors.simulation import SimClock, SimDispatcher, SimIds
from adapters.gate import Gate, ResumeRefused
from adapters.ledger.chain import GENESIS, Head
from adapters.ledger.connection import Ledger, open_ledger
from adapters.ledger.errors import RowsLostError
from adapters.ledger.verify import verify_chain
from adapters.ledger.writer import Writer
from adapters.permit import HaltRecord
from adapters.rate import RateBudget
from adapters.venue import Endpoint, MarketData, Orders
from models.book import BookSnapshot, BookUpdate
from models.clock import SECOND
from models.market import MarketId
from models.messages import (
    ReconcileWanted,
    RecordRows,
    Tick,
    TradingHalted,
    TradingResumed,
)
from models.rows import RunStarted
from tests.sim.feeds import Feed
from tests.sim.lanes import VirtualLanes, VirtualSnapshots
from tests.sim.rerun import StageAddress, StageClock, StageGate
from tests.sim.wire import Http

if TYPE_CHECKING:
    from tests.sim.world import World

WATCH_NS = 3 * SECOND
"""Between turns of the watchdog: four a second in a real process. A halt from outside acts on the next order anyway."""


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
        self.fresh = True
        """Nothing has been written yet."""

    def ledger(self, clock: Any) -> Ledger:
        """Opened by the next process, its chain proved from the first row as `open_ledger` does."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        path = Path("ledger.sqlite")
        head = GENESIS if self.fresh else verify_chain(path, self.connection)
        self.fresh = False
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


class VirtualFeeds(Feeds):
    """The real `Feeds`, over virtual links."""

    def __init__(self, bot: Bot, plan: Plan) -> None:
        self._bot = bot
        self.made: dict[str, Feed] = {}
        super().__init__(
            plan,
            bot.network,
            bot.dispatcher,  # type: ignore[arg-type]
            clock=bot.clock,
            rng=bot.world.rng,
            compared=lambda: (0, 0),
            record=None,
        )

    def _add(self, label: str, watch: Any, endpoint: Callable[[], Endpoint], **rest: Any) -> None:
        self._watches[label] = watch
        feed = Feed(
            self._bot.world,
            self._bot,
            label,
            private=label == self._bot.user_feed,
            limits=feed_limits(self._plan.config.runtime),
            headers=lambda: endpoint().headers,
            session=rest["session_factory"],
            deliver=rest["deliver"] if label == self._bot.user_feed else self._seen_by_judge(rest["deliver"]),
            on_state=rest["on_state"],
        )
        self.made[label] = self._threads[label] = feed  # type: ignore[assignment]

    def _seen_by_judge(self, deliver: Callable[[Any], None]) -> Callable[[Any], None]:
        judge = self._bot.world.judge

        def told(events: Any) -> None:
            for event in events:
                if type(event) is BookUpdate or type(event) is BookSnapshot:
                    judge.delivered(event.market_id, event.generation, judge.number_of(event))
            deliver(events)

        return told


class Bot:
    """One life. `hear` is how anything from outside gets in."""

    def __init__(self, world: World, life: int, disk: Disk) -> None:
        self.world = world
        self.life = life
        self.over = False
        self.crashed: str | None = None
        plan = world.setting.plan
        venue = world.tongue.venue
        self.user_feed = user_feed(venue)
        self.clock: SimClock = world.clock
        self.dispatcher = SimDispatcher(f"{world.seed}/{life}", self.clock, world.trace)
        self.stage = world.tongue.stage(self.clock)
        self.began = self.clock.now
        self.http = Http(world, self)
        self.data, self.orders = self._adapter(plan)
        self.ledger = disk.ledger(self.clock)
        self.found = take_up(plan, disk.connection, self.clock)
        self.gate = Gate(
            disk.directory / "permit", self.clock, scope=f"{plan.mode}:{venue}", on_change=self._gate_changed
        )
        plan = self.plan = replace(
            plan, venues={venue: self.data}, orders={} if self.orders is None else {venue: self.orders}
        )
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
                user_streams=(self.user_feed,) if plan.live else (),
            ),
            self.found,
        )
        self._feeds = VirtualFeeds(self, plan)

    @property
    def feeds(self) -> list[Feed]:
        return list(self._feeds.made.values())

    # -- life

    def start(self) -> None:
        """As `System.start`."""
        self.gate.hold("starting")
        for actor in self.network.actors():
            _begin(actor)
        self._tick()
        used = self.world.setting.used
        self.network.told.tell(
            RecordRows(
                rows=(
                    used,
                    RunStarted(
                        run_id=f"r-{self.life}",
                        at=self.clock.wall_ns(),
                        mode=self.plan.mode,
                        venue=str(self.world.tongue.venue),
                        account="bot" if self.plan.live else None,
                        config_hash=used.config_hash,
                    ),
                    *self.found.rows,
                )
            )
        )
        self.snapshots.start({market_id: book.address for market_id, book in self.network.books.items()})
        self._feeds.start()
        self._watch()
        self.gate.release_hold()

    def end(self) -> None:
        """The process is gone, in the middle of whatever it was doing."""
        self.over = True
        self.stage.end()
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

    def _tick(self) -> None:
        """The signal's wake-up, as `Network._tick`; slower in most runs, because a tenth of a run's time went there."""
        self.network.signal.address.tell(Tick(self.clock.boot_ns()))
        self.clock.call_after(self.world.tick_ns, self._tick)

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

    def _adapter(self, plan: Plan) -> tuple[MarketData, Orders | None]:
        """Both sides of it, and what the private one has to read first. Raises `NotAdmittedError`."""
        tongue = self.world.tongue
        data, orders = tongue.market_data(self), tongue.orders(self) if plan.live else None
        get_ready(replace(plan, orders={} if orders is None else {tongue.venue: orders}))
        return data, orders

    def _lanes(self, routes: OrderRoutes) -> VirtualLanes:
        assert self.orders is not None
        world = self.world
        venue = world.tongue.venue
        execution = self.plan.execution[0]
        return VirtualLanes(
            {venue: self.orders},
            gate=StageGate(self.stage, self.gate),
            clock=StageClock(self.stage),
            answers=StageAddress(self.stage, routes),
            markets=dict.fromkeys(map(str, self.plan.markets), venue),
            deadline_ns=execution.order_timeout_ns,
            budgets={venue: RateBudget(self.clock, world.requests_per_second)},
            catalogs={venue: self.data},
            stage=self.stage,
            handover_ns=world.handover,
        )

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
