"""The running bot: the network of actors and the threads around it that touch the outside, in order.

start: gate hold -> ledger row -> actors (each answers) -> snapshot lanes -> feeds -> watchdog -> hold released; a live
       bot's reconcile has a hold of its own, until what was left open has settled and ledger and venue agree
stop:  gate hold -> attempts end, with the books still live -> a last comparison -> feeds -> actors in reverse -> ledger
       closed

Threads: main (console), one feed and one snapshot lane per venue, hot relief, ledger, two pool, timer, watchdog,
control socket, log writer: under twenty whatever the number of markets.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from actors.base import Answer
from actors.dispatch import HotDispatcher, OwnDispatcher, PoolDispatcher
from actors.feeds import Feeds, Record, user_feed
from actors.inbox import LaneInbox
from actors.memory import Tidying
from actors.network import Carriers, Network, Ports, Recovered
from actors.news import NewsTap
from actors.order_routes import OrderRoutes
from actors.plan import Plan
from actors.reconcile_pass import LAST_NS
from actors.status import Fixed, StatusPublisher
from actors.watchdog import Probe, Watchdog
from adapters.chance import Rng
from adapters.clock import SystemClock
from adapters.gate import Gate
from adapters.ledger.connection import Ledger, open_reader
from adapters.ledger.errors import LedgerError
from adapters.operator.events import EventBoard
from adapters.operator.face import Leaving
from adapters.order_lanes import OrderLanes
from adapters.permit import HaltRecord
from adapters.rate import RateBudget
from adapters.snapshots import SnapshotLane
from models.clock import SECOND, Clock, Ids, WallNs
from models.config import canonical_json
from models.events import market_over, starts_halted
from models.market import Market, MarketId, VenueName
from models.messages import (
    ReconcileWanted,
    RecordRows,
    SnapshotWanted,
    TradingHalted,
    TradingResumed,
)
from models.reconcile import Outcome
from models.rows import Event, RunStarted, RunStopped, config_used
from models.set_state import last_chance, worries_of
from models.status import EventKind

logger = logging.getLogger(__name__)

SWITCH_INTERVAL_S: Final = 0.0005
"""A shorter interpreter switch interval cuts the tail of a hop between threads (performance.md, measured)."""
HURRY_S: Final = 1.0
"""How long `stop` lets attempts in flight be before it has cancelled what may still fill."""
ENDING_S: Final = 20.0
"""How long `stop` waits for attempts in flight before it leaves them to the next start. An order in doubt takes as much
longer as its venue may hide it.
"""
LAST_S: Final = LAST_NS / SECOND + 2.0
"""How long `stop` waits for the last comparison with the venue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a system is given besides its plan."""

    clock: SystemClock
    ids: Ids
    gate: Gate
    ledger: Ledger
    rng: Rng
    code_version: str
    found: Recovered
    adopt: str | None = None
    """Why the account is to be taken as it is found, in the operator's words."""
    record: Record | None = None


class System:
    """One running bot. Main thread only, except `worries`, `open_items`, `reconcile` and what the gate calls."""

    def __init__(self, plan: Plan, outside: Outside) -> None:
        self.plan = plan
        self.clock: Clock = outside.clock
        self.gate = outside.gate
        self._outside = outside
        self._ledger = outside.ledger
        self.used = config_used(
            effective=canonical_json(plan.config),
            terms=plan.terms,
            code_version=outside.code_version,
            at=outside.clock.wall_ns(),
        )
        self.board = EventBoard(outside.clock)
        self._hot = HotDispatcher()
        self._own = OwnDispatcher(self._overflow)
        self._pool = PoolDispatcher(self._overflow)
        self._lanes = {
            name: SnapshotLane(venue, _markets_of(plan, name), outside.clock, outside.rng)
            for name, venue in plan.venues.items()
        }
        self.tap = NewsTap(outside.clock, self.board)
        self._order_lanes: OrderLanes | None = None
        self.network = Network(
            plan,
            Carriers(hot=self._hot, own=self._own, pool=self._pool),
            Ports(
                clock=outside.clock,
                ids=outside.ids,
                gate=outside.gate,
                ledger=outside.ledger,
                snapshots=_SnapshotRouter(plan, self._lanes),
                tap=self.tap.before,
                lanes=self._make_lanes if plan.live else None,
                on_stray=self._stray,
                on_crash=self._crashed,
                reader=lambda: open_reader(plan.ledger),
                adopt=outside.adopt,
                user_streams=tuple(user_feed(name) for name, o in plan.orders.items() if o.listen_fills_ws()),
            ),
            outside.found,
        )
        self._feeds = Feeds(
            plan,
            self.network,
            self._hot,
            clock=outside.clock,
            rng=outside.rng,
            compared=self.tap.compared,
            record=outside.record,
        )
        self._watchdog = Watchdog(
            outside.clock,
            self._workers(),
            trip=lambda why: self._trip(why, "watchdog"),
            every_turn=(outside.gate.refresh, self._renew_permit, Tidying(outside.clock)),
            stacks=plan.state / "stacks.txt",
        )
        self.publisher = self._make_publisher()
        self._ending = threading.Event()
        self.run_id = outside.ids.fresh("r")
        self.crashed: str | None = None
        self.unwritten: str | None = None
        """Why the last rows could not be kept when the ledger was closed."""

    # -- start and stop

    def start(self) -> None:
        """Start everything in order. Raises `StartError`; the caller then calls `stop`."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        plan, now = self.plan, self.clock.wall_ns()
        self.gate.hold("starting")
        if self._order_lanes is not None:
            self._order_lanes.start()
        self.network.start()
        self.network.told.tell(
            RecordRows(
                rows=(
                    self.used,
                    RunStarted(
                        run_id=self.run_id,
                        at=now,
                        mode=plan.mode,
                        venue=plan.venue_names,
                        account=None,
                        config_hash=self.used.config_hash,
                    ),
                    *self._outside.found.rows,
                    *(market_over(now, market_id, status) for market_id, status in plan.over.items()),
                    *self._halts_found(now),
                )
            )
        )
        books = {market_id: book.address for market_id, book in self.network.books.items()}
        for lane in self._lanes.values():
            lane.start(books)
        self._feeds.start()
        self._watchdog.start()
        self.gate.release_hold()
        self.publisher.outdate()

    def _halts_found(self, now: WallNs) -> tuple[Event, ...]:
        """The halt that this run begins with: the run in which it came may have been killed before it wrote it."""
        halt = self.gate.tripped
        return () if halt is None else (starts_halted(now, halt.reason, halt.by),)

    def stop(self, why: str, *, wait: bool = True, leaving: Leaving = Leaving.PROTECT) -> int:
        """End in order and return how many things were left open. `wait` False gives attempts in flight no time."""
        self.gate.hold(f"stopping: {why}", "stop")
        if wait:
            self._wait_for_attempts(leaving)
            self.reconcile("before the end", LAST_S, last=True)
        self._feeds.stop()
        for lane in self._lanes.values():
            lane.stop(2.0)
        if self._order_lanes is not None:
            self._order_lanes.stop(2.0)
        left = len(self.open_items())
        late = self.network.stop_all_but_ledger()
        self._feeds.tell_compared()
        row = RunStopped(run_id=self.run_id, at=self.clock.wall_ns(), why=why, left_open=left)
        self.network.told.tell(RecordRows(rows=(row,)))
        for name in (*late, *self.network.stop_ledger()):
            logger.error("%s did not stop in time", name)
        self._watchdog.stop(1.0)
        for dispatcher in (self._pool, self._own, self._hot):
            dispatcher.stop(1.0)
        try:
            self._ledger.close()
        except LedgerError as error:
            logger.error("the ledger's last rows are not on the disk: %s", error)  # noqa: TRY400  expected on a full disk
            self.unwritten = str(error)
        return left

    def _wait_for_attempts(self, leaving: Leaving) -> None:
        """`PROTECT` soon cancels what may still fill; `WAIT` leaves that to the attempts' own limits."""
        began = self.clock.boot_ns()
        patience_ns = self.plan.config.execution.max_inflight_ns if leaving is Leaving.WAIT else int(HURRY_S * SECOND)
        horizons = [orders.capabilities.visibility_horizon_s for orders in self.plan.orders.values()]
        ends = began + ending_ns(horizons) + (patience_ns if leaving is Leaving.WAIT else 0)
        hurried = False
        while self.open_items() and (now := self.clock.boot_ns()) < ends:
            if not hurried and now - began >= patience_ns:
                hurried = True
                self._hurry()
            self._ending.wait(0.05)

    def _hurry(self) -> None:
        for executor in self.network.executors.values():
            for message in last_chance(executor.record, self.clock.boot_ns()):
                executor.address.tell(message)

    def open_items(self) -> tuple[str, ...]:
        """Attempts that would be cut off if the process ended now, healthy ones too; one phrase each."""
        flying = (f for e in self.network.executors.values() if (f := e.in_flight) is not None)
        return tuple(f"{f.set_id} {f.state}" for f in flying)

    def worries(self) -> tuple[str, ...]:
        """What is unknown or naked now, one phrase each. An attempt on its way is none."""
        return tuple(worry for e in self.network.executors.values() for worry in worries_of(e.record))

    # -- the ledger against the venue

    def reconcile(self, why: str, timeout_s: float, *, last: bool = False) -> Outcome | None:
        """Compare now and wait for the outcome; None where there is none in time, or nothing to compare with (paper).
        Not from an actor.
        """
        actor = self.network.reconcile
        if actor is None:
            return None
        answer = Answer(Outcome)
        actor.address.tell(ReconcileWanted(why=why, reply_to=answer, last=last))
        return answer.wait(timeout_s)

    def unreconciled(self) -> tuple[str, ...]:
        """What of the last comparison forbids a resume, one phrase each."""
        return () if self.network.reconcile is None else self.network.reconcile.refusals()

    def _make_lanes(self, routes: OrderRoutes) -> OrderLanes:
        plan, config = self.plan, self.plan.config
        budgets = {name: RateBudget(self.clock, config.runtime.rate_budget_per_second) for name in plan.orders}
        self._order_lanes = OrderLanes(
            plan.orders,
            gate=self.gate,
            clock=self.clock,
            answers=routes,
            markets={market_id: market.venue for market_id, market in plan.markets.items()},
            deadline_ns=config.execution.order_timeout_ns,
            budgets=budgets,
            catalogs=plan.venues,
        )
        return self._order_lanes

    # -- news and faults

    def _make_publisher(self) -> StatusPublisher:
        plan, clock = self.plan, self.clock
        return StatusPublisher(
            Fixed(
                version=self._outside.code_version,
                mode=plan.mode,
                demo=plan.demo,
                venue=plan.venue_names,
                started_wall=clock.wall_ns(),
                started_boot=clock.boot_ns(),
                config_hash=self.used.config_hash,
                ledger=str(plan.ledger),
            ),
            clock=clock,
            gate=self.gate,
            board=self.board,
            tap=self.tap,
            markets=list(plan.markets.values()),
            watches=self.network.watches,
            books=self.network.books,
            tops=self.network.signal.tops,
            standing=self.network.signal.standing,
            latency_ns=lambda: list(self.network.signal.latency_ns),
            inbox=lambda: self._watchdog.inbox,
            executors=self.network.executors,
            risk=self.network.risk,
            feeds=self._feeds.views(),
            open_items=self.worries,
        )

    def _workers(self) -> Callable[[], Mapping[str, Probe]]:
        """For the watchdog: the hot run queue, the timers, and every actor with an inbox of its own that does not
        rest. Lanes answer for their own stuck workers (`order_lanes`); the reconcile may read long, and holds the gate
        while it does.
        """
        hot, progress, clock = self._hot, self._hot.progress, self._outside.clock
        always = {
            "hot": Probe(
                handled=lambda: progress.handled, busy=lambda: progress.current, waiting=lambda: len(hot.queue)
            ),
            "timers": Probe(
                handled=lambda: clock.fired, busy=lambda: "the clock's thread" if clock.lag_ns() > 0 else None
            ),
        }
        others = {
            actor.actor_inbox: (actor.name, _inbox_probe(actor.name, actor.actor_inbox))
            for actor in self.network.actors()
            if isinstance(actor.actor_inbox, LaneInbox) and actor is not self.network.reconcile
        }

        def awake() -> Mapping[str, Probe]:
            inboxes = [*self._own.awake, *self._pool.awake]
            return always | dict(others[inbox] for inbox in inboxes if inbox in others)

        return awake

    def _renew_permit(self) -> None:
        """Paper and demo runs of days renew their own permit; live never does."""
        permit = self.gate.permit
        if not self.plan.live and permit is not None and permit.expires - self.clock.wall_ns() < 3_600 * SECOND:
            self.gate.renew("paper")

    def _trip(self, why: str, by: str) -> None:
        self.gate.trip(why, by)

    def _overflow(self, name: str) -> None:
        self._trip(f"the inbox of {name} is full", "system")

    def _crashed(self, name: str, error: BaseException) -> None:
        """The fuse of every actor: halt first, then say so (A01)."""
        self._trip(f"{name} crashed: {type(error).__name__}", "system")
        self.crashed = name
        logger.error("%s crashed", name, exc_info=error)
        self.board.post(EventKind.ERROR, name, f"crashed: {type(error).__name__}; trading is halted, see the log")

    def gate_changed(self, record: HaltRecord | None) -> None:
        """The gate's own news, on the thread that tripped or resumed it. The latch has moved already."""
        self.publisher.outdate()
        now = self.clock.wall_ns()
        message: TradingHalted | TradingResumed
        if record is not None:
            market = None if record.market_id is None else MarketId(record.market_id)
            message = TradingHalted(reason=record.reason, by=record.by, at=record.at or now, market_id=market)
        else:
            permit = self.gate.permit
            message = TradingResumed(
                reason="" if permit is None else permit.reason, by="" if permit is None else permit.by, at=now
            )
        self.network.told.tell(message)
        self.network.risk.address.tell(message)

    def market_resumed(self, market_id: MarketId, reason: str, by: str) -> None:
        """For the ledger and the news; the gate has let the market go already."""
        self.publisher.outdate()
        self.network.told.tell(
            TradingResumed(reason=reason, by=by, at=self.clock.wall_ns(), market_id=market_id),
        )

    def _stray(self, message: object) -> None:
        self._trip(f"news about an order that is not ours: {type(message).__name__}", "system")


def _markets_of(plan: Plan, name: VenueName) -> list[Market]:
    return [market for market in plan.markets.values() if market.venue == name]


def _inbox_probe(name: str, inbox: LaneInbox) -> Probe:
    return Probe(
        handled=lambda: inbox.handled,
        busy=lambda: name if inbox.busy else None,
        waiting=lambda: len(inbox),
    )


def ending_ns(horizons_s: Sequence[float]) -> int:
    """How long attempts in flight may take to end, on venues that hide an order for so long."""
    return int((ENDING_S + max(horizons_s, default=0.0)) * SECOND)


class _SnapshotRouter:
    """Sends a snapshot request to the lane of the market's venue."""

    def __init__(self, plan: Plan, lanes: dict[VenueName, SnapshotLane]) -> None:
        self._lanes = {market_id: lanes[market.venue] for market_id, market in plan.markets.items()}

    def tell(self, message: object) -> None:
        if isinstance(message, SnapshotWanted):
            self._lanes[message.market_id].tell(message)
