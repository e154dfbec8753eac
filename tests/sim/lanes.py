"""The order lanes and the snapshot lane in virtual time: their own code, with workers that take turns instead of
threads.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from adapters.order_lanes import GRACE_NS, Job, OrderLanes
from adapters.rate import RateBudget
from adapters.snapshots import BATCH, PAUSE_NS, SnapshotLane
from models.clock import Clock, Timer
from models.market import MarketId
from models.messages import Receiver
from tests.sim import rerun


class VirtualLane:
    """`adapters.order_lanes.Lane`: a queue, some workers, deadlines, a rate budget."""

    def __init__(
        self,
        name: str,
        workers: int,
        *,
        bound: int | None,
        clock: Clock,
        budget: RateBudget | None,
        on_lost: Callable[[str], None],
        stage: rerun.Stage,
        handover_ns: Callable[[], int],
    ) -> None:
        self.name = name
        self.replaced = 0
        self._bound = bound
        self._clock = clock
        self._budget = budget
        self._on_lost = on_lost
        self._stage = stage
        self._handover_ns = handover_ns
        self._queue: deque[Job] = deque()
        self._idle = workers
        self._stopping = False

    def start(self) -> None:
        pass

    def put(self, job: Job) -> int | None:
        if self._stopping or (self._bound is not None and len(self._queue) >= self._bound):
            return None
        self._queue.append(job)
        waiting = len(self._queue)
        self._hand_over()
        return waiting

    def waiting(self) -> int:
        return len(self._queue)

    def stop(self, timeout_s: float) -> bool:
        self._stopping = True
        return True

    # -- workers' side

    def _hand_over(self) -> None:
        while self._idle and self._queue:
            self._idle -= 1
            job = self._queue.popleft()
            self._clock.call_after(self._handover_ns(), lambda job=job: self._begin(job))

    def _begin(self, job: Job) -> None:
        missing_ns = 0 if self._budget is None else self._budget.take(protective=job.protective)
        now = self._clock.boot_ns()
        if missing_ns and now + missing_ns < job.deadline:
            self._clock.call_after(missing_ns, lambda: self._begin(job))
        elif missing_ns or now >= job.deadline:
            job.late()
            self._free()
        else:
            _Worker(self, job).begin(self._stage, job.deadline - now)

    def _free(self) -> None:
        self._idle += 1
        self._hand_over()


class _Worker:
    """One worker with one job, until the job is done or given up."""

    def __init__(self, lane: VirtualLane, job: Job) -> None:
        self._lane = lane
        self._job = job
        self._given_up = False
        self._timer: Timer | None = None

    def begin(self, stage: rerun.Stage, left_ns: int) -> None:
        self._timer = self._lane._clock.call_after(max(0, left_ns) + GRACE_NS, self._give_up)
        stage.start(self._job.run, self._done)

    def _done(self, failure: Exception | None) -> None:
        self._job.done.set()
        assert self._timer is not None
        self._timer.cancel()
        if failure is not None:
            self._job.lost()
        if not self._given_up:
            self._lane._free()

    def _give_up(self) -> None:
        if self._job.done.is_set():
            return
        self._job.lost()
        self._given_up = True
        self._lane.replaced += 1
        self._lane._on_lost(self._lane.name)
        self._lane._free()


class VirtualLanes(OrderLanes):
    """The real order lanes over virtual ones."""

    def __init__(self, *args: Any, stage: rerun.Stage, handover_ns: Callable[[], int], **kwargs: Any) -> None:
        self._stage = stage
        self._handover_ns = handover_ns
        super().__init__(*args, **kwargs)

    def _lane(self, name: str, workers: int, bound: int | None, budget: RateBudget | None) -> Any:
        return VirtualLane(
            name,
            workers,
            bound=bound,
            clock=self._clock,
            budget=budget,
            on_lost=self._lost,
            stage=self._stage,
            handover_ns=self._handover_ns,
        )


class VirtualSnapshots(SnapshotLane):
    """The real snapshot lane; its thread's loop is a chain of timers."""

    def __init__(self, venue: Any, markets: Any, stage: rerun.Stage, rng: random.Random) -> None:
        super().__init__(venue, markets, rerun.StageClock(stage), rng)
        self._stage = stage
        self._busy = False

    def start(self, books: Mapping[MarketId, Receiver]) -> None:
        self._books = {market_id: rerun.StageAddress(self._stage, book) for market_id, book in books.items()}

    def tell(self, message: object) -> None:
        super().tell(message)
        self._pump()

    def _pump(self) -> None:
        if self._busy or not self._wanted:
            return
        due = self._due()[:BATCH]
        if not due:
            soonest = min(wanted.not_before for wanted in self._wanted.values())
            self._busy = True
            self._clock.call_after(max(1, soonest - self._clock.boot_ns()), self._again_now)
            return
        self._busy = True
        batch = {market_id: self._wanted.pop(market_id) for market_id in due}
        self._stage.start(lambda: self._fetch(batch), lambda _: self._pause())

    def _pause(self) -> None:
        self._clock.call_after(PAUSE_NS, self._again_now)

    def _again_now(self) -> None:
        self._busy = False
        self._pump()
