"""One seed of the whole bot: processes, network, venue, operator and time, all on one thread. The same seed, the same
run.

Time is one number. Whoever can do something now does it, in an order drawn by the seed; when nobody can, time moves to
the next thing that is due: a timer of the bot, something on the wire, something at the venue.
"""

from __future__ import annotations

import heapq
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from actors.admission import NotAdmittedError
from actors.simulation import SimClock, Trace
from adapters.gate import ResumeRefused
from adapters.simulated import web
from models.clock import MS, SECOND
from models.terms import TICK_NS
from tests.sim.bot import Bot, Disk
from tests.sim.crowd import Pace
from tests.sim.faults import Faults
from tests.sim.invariants import Violation
from tests.sim.mischief import Mischief, broken
from tests.sim.setting import SETTINGS, Setting
from tests.sim.tongue import Native, tongue

SHM = Path("/dev/shm")
CARE_NS = 3 * SECOND
TOO_MANY = 400_000
"""Steps of one run of a minute. More is a livelock."""


class Killed(BaseException):
    """The process ends here, in the middle of a step."""


class World:
    def __init__(
        self,
        seed: int,
        *,
        live: bool = True,
        patient: bool = False,
        only: frozenset[str] | None = None,
        also: frozenset[str] = frozenset(),
        setting_number: int | None = None,
        chosen: Setting | None = None,
        dialect: str = "simulated",
        midnight_at: int | None = None,
        trace: Trace | None = None,
    ) -> None:
        """`chosen` takes the place of one of the numbered settings; `midnight_at` is a virtual time."""
        self.seed = seed
        self.rng = random.Random(f"{seed}/world")
        number = seed % SETTINGS if setting_number is None else setting_number
        self.patient = patient
        speaks: type[Native] = tongue(dialect)
        self.setting = chosen or speaks.setting(number, live=live, patient=patient)
        self.tongue = speaks(self)
        self.clock = SimClock()
        self.trace = Trace() if trace is None else trace
        self.steps = 0
        self.most_steps = TOO_MANY
        self.travelling: Counter[str] = Counter()
        """Orders that have left the bot and not reached the venue, by client order id."""
        self.paid: dict[str, tuple[int, int]] = {}
        """(micro-dollars with fees, shares filled) of every order of the bot, as the venue has it."""
        self.disturbed = 0
        """Nanoseconds in which the bot, or a part of it, did not get to run."""
        self.resting = False
        """The calm at the end: processes that begin now open nothing."""
        self.strangers = 0
        self.meddled = False
        """Somebody else has moved money or shares of the account: a difference that the bot has to find."""
        self.restarts = 0
        self.lives: list[int] = []
        """Rows that were on the disk when each further process began."""
        self.was_halted = False
        """As it was when the last process ended."""
        self.bomb: int | None = None
        """Goes off at the so-many-th port call from now."""
        self.ports = 0
        self.awake_since = 0
        """When the process that runs now began, or was last thawed."""
        self.frozen = False
        self.held: list[tuple[Bot, Callable[[], None]]] = []
        self.tick_ns = self.rng.choice([TICK_NS, SECOND, SECOND, SECOND])
        self.requests_per_second = self.rng.choice([100, 100, 20])
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._serial = 0
        self._base_ns = int(self.rng.uniform(1, 25) * MS)
        self._jitter_ns = int(self.rng.uniform(0, 20) * MS)
        self._slow = 1
        self._slow_until = 0
        self._concerned: list[str] | None = None
        self.violation: Violation | None = None
        """The first one; code under test may have caught it."""
        self.judge = self.tongue.judge(self)
        rules = self.tongue.rules()
        self.faults = Faults(self, seed, live=live, only=only, also=also)
        self.shift_ns = self.faults.midnight_in(midnight_at)
        """How far the run's day is moved, for bot and venue alike."""
        self.clock.wall_offset_ns = self.shift_ns
        self.venue = self.tongue.place(
            seed,
            self.setting,
            cash=10_000_000_000,
            rules=rules,
            pace=Pace(),
            skew_ns=self.shift_ns + self.rng.choice(self.tongue.skews),
            beat_ns=self.rng.choice([SECOND, SECOND, 3 * SECOND]),
            on_fault=self.faults.note,
            on_change=self.judge.venue_changed,
        )
        self.judge.watch(self.venue)
        self.mischief = Mischief(self)
        self._directory = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
        self.disk = Disk(self._directory)
        self.bot = Bot(self, 0, self.disk)
        self.faults.begin()

    @property
    def now(self) -> int:
        return self.clock.now

    # -- a run

    def start(self) -> None:
        if self.setting.live:
            self.bot.gate.resume("operator", "begin")
        else:
            self.bot.gate.grant_fresh("paper")
        self.bot.start()
        self._care()

    def _care(self) -> None:
        """The operator looks in now and then, and starts a bot anew that cannot go on."""
        if self.bot.broken and not self.bot.over:
            self.kill()
        self.after(CARE_NS, self._care)

    # -- the end of a process, and the next one

    def port(self, name: str) -> None:
        """A step of the bot that the outside could see. An armed bomb counts them, and goes off in one."""
        self.ports += 1
        if self.bomb is not None and not self.bot.over:
            self.bomb -= 1
            if self.bomb <= 0:
                self.bomb = None
                self.faults.note(f"kill_at_{name}")
                self.kill()
                raise Killed

    def kill(self) -> None:
        """kill -9: what is not on the disk is gone."""
        bot = self.bot
        if bot.over:
            return
        self.was_halted = self.judge.halted
        bot.end()
        self.frozen = False
        self.held.clear()
        self.restarts += 1
        down_ns = int(self.rng.uniform(0.05, 3.0) * SECOND)
        self.disturbed += down_ns
        self.after(down_ns, self._restart)

    def _restart(self) -> None:
        try:
            self.bot = Bot(self, self.restarts, self.disk)
        except NotAdmittedError:  # the operator tries again
            self.after(SECOND, self._restart)
            return
        self.awake_since = self.clock.now
        self.lives.append(self.bot.ledger.writer.head.seq)
        self.judge.restarted(self.bot)
        if self.resting:
            self.bot.gate.hold("the end", "end")
        self.bot.start()

    def run_for(self, ns: int) -> None:
        """Until that much virtual time has passed."""
        end = self.clock.now + ns
        clock = self.clock
        while True:
            if self.violation is not None:
                raise self.violation
            self.steps += 1
            bot = self.bot
            if not self.frozen and not bot.over and bot.dispatcher.ready:
                bot.dispatcher.run_one()
                continue
            timer = None if self.frozen else clock.next_at()
            wire = self._heap[0][0] if self._heap else None
            due = at_venue = self.venue.next_at
            if wire is not None and wire < due:
                due = wire
            if timer is not None and timer < due:
                due = timer
            if due > end:
                clock.now = max(clock.now, end)
                return
            try:
                if due == timer:
                    clock.fire_next()
                elif due == wire:
                    clock.now = max(clock.now, due)
                    heapq.heappop(self._heap)[2]()
                else:
                    clock.now = max(clock.now, at_venue)
                    self.venue.advance(clock.now)
            except Killed:
                pass  # the process is over; the world goes on
            if self.steps > self.most_steps:
                raise Violation("I18", f"still busy after {self.most_steps} steps")

    def close(self) -> None:
        self.bot.end()
        self.disk.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def travel(self, request: web.Request, by: int) -> None:
        """Orders set out, or arrive."""
        for client_order_id in self.tongue.orders_in(request):
            self.travelling[client_order_id] += by

    # -- what others ask of the world

    def at(self, due: int, call: Callable[[], None]) -> None:
        """`call` at virtual time `due`, whatever becomes of the bot."""
        self._serial += 1
        heapq.heappush(self._heap, (due, self._serial, call))

    def after(self, delay_ns: int, call: Callable[[], None]) -> None:
        self.at(self.clock.now + delay_ns, call)

    def latency(self) -> int:
        """One way over the wire."""
        ns = self._base_ns + int(self.rng.random() * self._jitter_ns)
        return ns * self._slow if self.clock.now < self._slow_until else ns

    def handover(self) -> int:
        """From a lane's queue to its worker's first byte."""
        return 50_000 + int(self.rng.random() ** 4 * 5 * MS)

    def slow(self, factor: int, for_ns: int) -> None:
        self._slow, self._slow_until = factor, self.clock.now + for_ns

    def freeze(self, for_ns: int) -> bool:
        """The process gets no time; what reaches it waits."""
        if self.frozen or self.bot.over:
            return False
        self.frozen = True
        self.disturbed += for_ns
        self.after(for_ns, self._thaw)
        return True

    def _thaw(self) -> None:
        if not self.frozen:
            return
        self.frozen = False
        self.awake_since = self.clock.now
        held, self.held = self.held, []
        for bot, call in held:
            bot.hear(call)

    def broken(self, data: bytes) -> bytes:
        return broken(data, self.rng.random(), self.rng.random())

    @contextmanager
    def about(self, request: web.Request) -> Iterator[None]:
        """Faults that happen now concern the set of this request."""
        self._concerned = self.judge.states_about(request)
        try:
            yield
        finally:
            self._concerned = None

    def states(self) -> list[str]:
        """The states of the sets that a fault of this moment meets."""
        if self._concerned:
            return self._concerned
        if self.bot.over:
            return ["DOWN"]
        return [executor.state_name for executor in self.bot.network.executors.values()]

    def busy(self) -> bool:
        """Something of the bot is in flight."""
        return any(executor.in_flight is not None for executor in self.bot.network.executors.values())

    def actor_died(self, name: str, error: BaseException) -> None:
        self.judge.actor_died(name, error)

    def resume_market(self, market_id: str) -> None:
        if self.bot.over:
            return
        try:
            self.bot.gate.resume_market(market_id, "operator", "again")
        except ResumeRefused:
            return
        self.judge.halted_markets.discard(market_id)
