"""Order lanes: bounded worker threads between the ledger and a venue's HTTP interface.

| lane       | for                                    | workers | when it is full                                     |
| ---------- | -------------------------------------- | ------- | --------------------------------------------------- |
| opening    | orders that open a set                 | 2       | the order is refused by ourselves, nothing was sent |
| protective | cancels, unwinds, completions, merges  | 2       | it is never full; a long queue halts openings       |
| read       | probes                                 | 1       | the question failed and its asker asks again        |
| account    | statements of the whole account        | 1       | as read                                             |

A cancel never waits behind a hung submit: lanes share no thread and no connection, and the rate budget keeps a reserve
for protection. Every job has a total deadline from the moment it is handed over. A worker that does not come back by
then is given up: its order is answered `OutcomeUnknown`, and another worker takes its place. What the lost one may
still learn is told as well, because late facts are facts.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.order_calls import Gate, OrderCalls
from adapters.rate import RateBudget
from adapters.venue import MarketData, Orders
from models.clock import SECOND, BootNs, Clock
from models.market import VenueName
from models.messages import (
    CancelOrder,
    MergeSets,
    ProbeAnswered,
    ProbeOrder,
    Receiver,
    SendOrders,
    StatementFailed,
    StatementWanted,
)
from models.orders import (
    CancelAnswer,
    CancelResult,
    CommittedIntent,
    ProbeFailed,
    Purpose,
    Refused,
)

logger = logging.getLogger(__name__)

OPENING_BOUND: Final = 16
READ_BOUND: Final = 64
ACCOUNT_BOUND: Final = 4
STATEMENT_NS: Final = 20 * SECOND
"""For all the reads of one statement together; nothing waits for it but a comparison."""
PROTECTIVE_ALARM: Final = 16
"""Protective jobs waiting; more means that protection does not keep up, so nothing more may be opened."""

GRACE_NS: Final = SECOND // 4
"""A worker's own call deadline ends it first; only one that is truly stuck lives longer than deadline plus this."""


@dataclass(slots=True)
class Job:
    """One call. Exactly one of `run`, `late` and `lost` tells the answer that counts for the waiting executor."""

    run: Callable[[], None]
    late: Callable[[], None]
    """Its deadline passed before it was begun: no byte has left."""
    lost: Callable[[], None]
    """It was begun and has not come back."""
    deadline: BootNs
    protective: bool
    done: threading.Event = field(default_factory=threading.Event)


class Lane:
    """A queue and its workers. `put` never blocks."""

    def __init__(
        self,
        name: str,
        workers: int,
        *,
        bound: int | None,
        clock: Clock,
        budget: RateBudget | None,
        on_lost: Callable[[str], None],
    ) -> None:
        """`on_lost` hears that a worker had to be replaced."""
        self.name = name
        self._bound = bound
        self._clock = clock
        self._budget = budget
        self._on_lost = on_lost
        self._changed = threading.Condition()
        self._queue: deque[Job] = deque()
        self._stopping = False
        self._threads = [_Worker(self, number) for number in range(workers)]
        self.replaced = 0

    def start(self) -> None:
        for worker in self._threads:
            worker.start()

    def put(self, job: Job) -> int | None:
        """How many jobs now wait, or None where the lane is full or has stopped and the job was not taken."""
        with self._changed:
            if self._stopping or (self._bound is not None and len(self._queue) >= self._bound):
                return None
            self._queue.append(job)
            self._changed.notify()
            return len(self._queue)

    def waiting(self) -> int:
        return len(self._queue)

    def stop(self, timeout_s: float) -> bool:
        """Take nothing more, finish what waits; False where a worker did not end in time."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for worker in self._threads:
            worker.join(timeout_s)
        return not any(worker.is_alive() for worker in self._threads)

    # -- workers' side

    def next_job(self) -> Job | None:
        """Block until there is a job; None when the lane has stopped and is empty."""
        with self._changed:
            while not self._queue:
                if self._stopping:
                    return None
                self._changed.wait()
            return self._queue.popleft()

    def do(self, job: Job, worker: _Worker) -> None:
        if not self._may_go(job):
            job.late()
            return
        left_ns = max(0, job.deadline - self._clock.boot_ns()) + GRACE_NS
        timer = self._clock.call_after(left_ns, lambda: self._give_up(job, worker))
        try:
            job.run()
        finally:
            job.done.set()
            timer.cancel()

    def _may_go(self, job: Job) -> bool:
        """Wait for the rate budget, at most until the job's deadline."""
        while True:
            missing_ns = 0 if self._budget is None else self._budget.take(protective=job.protective)
            if missing_ns == 0:
                return self._clock.boot_ns() < job.deadline
            if self._clock.boot_ns() + missing_ns >= job.deadline:
                return False
            with self._changed:
                if self._changed.wait_for(lambda: self._stopping and not job.protective, missing_ns / SECOND):
                    return False

    def _give_up(self, job: Job, worker: _Worker) -> None:
        """On the clock's thread: the worker is stuck. Answer for it and put another one in its place."""
        if job.done.is_set():
            return
        job.lost()
        with self._changed:
            if self._stopping or worker not in self._threads:
                return
            self.replaced += 1
            fresh = _Worker(self, len(self._threads) + self.replaced)
            self._threads[self._threads.index(worker)] = fresh
            worker.given_up = True
            fresh.start()
        self._on_lost(self.name)


class _Worker(threading.Thread):
    def __init__(self, lane: Lane, number: int) -> None:
        super().__init__(name=f"lane-{lane.name}-{number}", daemon=True)
        self._lane = lane
        self.given_up = False

    def run(self) -> None:
        while not self.given_up and (job := self._lane.next_job()) is not None:
            try:
                self._lane.do(job, self)
            except Exception:  # thread edge: one bad job must not end the lane
                logger.exception("a job of lane %s failed", self._lane.name)
                job.lost()


class OrderLanes:
    """All lanes of a bot: an address for `SendOrders`, `CancelOrder`, `ProbeOrder`, `MergeSets` and
    `StatementWanted`. Any thread tells.
    """

    def __init__(
        self,
        venues: Mapping[VenueName, Orders],
        *,
        gate: Gate,
        clock: Clock,
        answers: Receiver,
        markets: Mapping[str, VenueName],
        deadline_ns: int,
        budgets: Mapping[VenueName, RateBudget] | None = None,
        catalogs: Mapping[VenueName, MarketData] | None = None,
    ) -> None:
        """`deadline_ns` is `order_timeout_seconds`: after a hand-over no byte leaves later than that. `markets` says
        which venue a market belongs to, for merges.
        """
        self._gate = gate
        self._clock = clock
        self._answers = answers
        self._markets = markets
        self._deadline_ns = deadline_ns
        public = catalogs or {}
        self._calls = {
            name: OrderCalls(orders, gate, clock, answers, public.get(name)) for name, orders in venues.items()
        }
        budgets = budgets or {}
        self._opening = {n: self._lane(f"{n}-opening", 2, OPENING_BOUND, budgets.get(n)) for n in venues}
        self._protective = {n: self._lane(f"{n}-protective", 2, None, budgets.get(n)) for n in venues}
        self._read = {n: self._lane(f"{n}-read", 1, READ_BOUND, None) for n in venues}
        self._account = {n: self._lane(f"{n}-account", 1, ACCOUNT_BOUND, None) for n in venues}

    def _lane(self, name: str, workers: int, bound: int | None, budget: RateBudget | None) -> Lane:
        return Lane(name, workers, bound=bound, clock=self._clock, budget=budget, on_lost=self._lost)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """In the order in which they end."""
        return (
            *self._opening.values(),
            *self._protective.values(),
            *self._read.values(),
            *self._account.values(),
        )

    def start(self) -> None:
        for lane in self.lanes:
            lane.start()

    def stop(self, timeout_s: float) -> bool:
        """Openings first, protection last. False where a worker is stuck; its order stays unknown for the next
        start.
        """
        ended = [lane.stop(timeout_s) for lane in self.lanes]
        return all(ended)

    def tell(self, message: object) -> None:
        match message:
            case SendOrders():
                self._send(message)
            case CancelOrder():
                self._cancel(message)
            case ProbeOrder():
                self._probe(message)
            case MergeSets():
                self._merge(message)
            case StatementWanted():
                self._state(message)
            case _:
                raise TypeError(f"the order lanes cannot handle {type(message).__name__}")

    # -- one kind of job each

    def _send(self, message: SendOrders) -> None:
        by_venue: dict[VenueName, list[CommittedIntent]] = {}
        for one in message.committed:
            by_venue.setdefault(one.intent.venue, []).append(one)
        for venue, committed in by_venue.items():
            if message.together and 1 < len(committed) <= self._calls[venue].batch_max:
                self._submit(venue, committed)
            else:
                for one in committed:
                    self._submit(venue, [one])

    def _submit(self, venue: VenueName, committed: Sequence[CommittedIntent]) -> None:
        calls = self._calls[venue]
        opening = any(c.intent.purpose is Purpose.OPEN for c in committed)
        job = self._job(
            lambda: calls.submit(committed, job.deadline),
            lambda: self._keep_back(calls, committed, "lane_late"),
            lambda: self._doubt(calls, committed),
            protective=not opening,
        )
        if opening:
            if self._opening[venue].put(job) is None:
                self._keep_back(calls, committed, "lane_full")
        else:
            self._protect(venue, job)

    def _keep_back(self, calls: OrderCalls, committed: Sequence[CommittedIntent], code: str) -> None:
        text = "the order lane is full" if code == "lane_full" else "its deadline passed before it could be sent"
        refusals = [
            Refused(client_order_id=c.intent.client_order_id, code=code, text=text, by_venue=False) for c in committed
        ]
        calls.answer(committed, refusals, None)

    def _doubt(self, calls: OrderCalls, committed: Sequence[CommittedIntent]) -> None:
        calls.doubt(committed, "no answer within the lane's deadline")

    def _cancel(self, message: CancelOrder) -> None:
        calls = self._calls[message.intent.venue]
        own = message.intent.client_order_id

        def unknown() -> None:
            text = "no answer within the lane's deadline"
            calls.cancelled(message, CancelAnswer(client_order_id=own, result=CancelResult.UNKNOWN, text=text))

        self._protect(message.intent.venue, self._job(lambda: calls.cancel(message), unknown, unknown, protective=True))

    def _probe(self, message: ProbeOrder) -> None:
        calls = self._calls[message.intent.venue]

        def failed() -> None:
            answer = ProbeFailed(client_order_id=message.intent.client_order_id, why="the read lane is late")
            self._answers.tell(
                ProbeAnswered(attempt_id=message.intent.attempt_id, answer=answer, fills=(), at=self._clock.boot_ns())
            )

        job = self._job(lambda: calls.probe(message), failed, failed, protective=False)
        if self._read[message.intent.venue].put(job) is None:
            failed()

    def _merge(self, message: MergeSets) -> None:
        venue = self._markets[message.market_id]
        calls = self._calls[venue]

        def unknown() -> None:
            calls.merged(message, None, "no answer in time")

        self._protect(venue, self._job(lambda: calls.merge(message), unknown, unknown, protective=True))

    def _state(self, message: StatementWanted) -> None:
        def failed() -> None:
            why = "no answer within the lane's deadline"
            message.reply_to.tell(StatementFailed(serial=message.serial, venue=message.venue, why=why))

        calls = self._calls[message.venue]
        job = self._job(lambda: calls.statement(message), failed, failed, protective=False, within_ns=STATEMENT_NS)
        if self._account[message.venue].put(job) is None:
            failed()

    # -- inside

    def _job(
        self,
        run: Callable[[], None],
        late: Callable[[], None],
        lost: Callable[[], None],
        *,
        protective: bool,
        within_ns: int | None = None,
    ) -> Job:
        deadline = BootNs(self._clock.boot_ns() + (self._deadline_ns if within_ns is None else within_ns))
        return Job(run, late, lost, deadline, protective)

    def _protect(self, venue: VenueName, job: Job) -> None:
        waiting = self._protective[venue].put(job)
        if waiting is None:
            job.late()
        elif waiting > PROTECTIVE_ALARM:
            self._gate.trip(f"{waiting} protective orders wait at {venue}", "lanes")

    def _lost(self, lane: str) -> None:
        logger.error("a worker of lane %s did not come back and was replaced", lane)
