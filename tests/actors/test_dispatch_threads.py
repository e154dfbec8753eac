"""A thread per actor, and a pool for many: order, bounds, failure, and never two threads in one actor."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from functools import partial

import pykka
import pytest

from actors.base import PING
from actors.dispatch import POOL_TURN, OwnDispatcher, PoolDispatcher, stop_actor
from actors.inbox import InboxFullError
from tests.actors.workers import (
    PATIENCE_S,
    Crashes,
    Do,
    Worker,
    finish,
    forget_all,
    heard,
    mark,
    on_thread,
    raising,
    reached,
    run,
)
from tests.polling import until

Threaded = OwnDispatcher | PoolDispatcher


@pytest.fixture
def crashes() -> Crashes:
    return Crashes()


@pytest.fixture
def full() -> list[str]:
    """Names that `on_full` was called with."""
    return []


@pytest.fixture
def own(full: list[str]) -> Iterator[OwnDispatcher]:
    dispatcher = OwnDispatcher(full.append, bound=50)
    yield dispatcher
    _end(dispatcher)


@pytest.fixture
def pool(full: list[str]) -> Iterator[PoolDispatcher]:
    dispatcher = PoolDispatcher(full.append, threads=2, bound=20_000)
    yield dispatcher
    _end(dispatcher)


def _end(dispatcher: Threaded) -> None:
    pykka.ActorRegistry.stop_all(block=False)
    dispatcher.stop(PATIENCE_S)
    forget_all()


@pytest.fixture(params=["own", "pool"])
def either(request: pytest.FixtureRequest, full: list[str]) -> Iterator[Threaded]:
    dispatcher: Threaded = (
        OwnDispatcher(full.append) if request.param == "own" else PoolDispatcher(full.append, threads=2)
    )
    yield dispatcher
    _end(dispatcher)


def hold() -> tuple[Do, threading.Event, threading.Event]:
    """A message that keeps its actor busy: (message, it is inside, let it go on)."""
    inside, go_on = threading.Event(), threading.Event()

    def act(actor: Worker) -> None:
        inside.set()
        go_on.wait(PATIENCE_S)

    return Do(act), inside, go_on


# -- both


def test_messages_of_one_sender_are_handled_in_order(either: Threaded, crashes: Crashes) -> None:
    worker = run(Worker(either, "w", crashes))

    for n in range(1_000):
        worker.address.tell(n)

    heard(worker, 1_000)
    assert worker.handled == list(range(1_000))
    assert worker.events == ["started"]


def test_an_ask_is_answered_after_what_was_told_before(either: Threaded, crashes: Crashes) -> None:
    worker = run(Worker(either, "w", crashes))
    worker.address.tell("first")

    assert worker.actor_ref.ask(PING, timeout=PATIENCE_S) == "w"

    assert worker.handled == ["first"]


def test_stop_actor_lets_everything_that_waits_be_handled_first(either: Threaded, crashes: Crashes) -> None:
    worker = run(Worker(either, "ledger", crashes))
    busy, inside, go_on = hold()
    worker.address.tell(busy)
    reached(inside)
    for n in range(20):
        worker.address.tell(n)
    stopped = on_thread(lambda: worker.events.append(str(stop_actor(worker, PATIENCE_S))))

    until(lambda: len(worker.actor_inbox) > 20)  # type: ignore[arg-type]
    go_on.set()
    finish(stopped)

    assert worker.handled == list(range(20))
    assert worker.events == ["started", "stopping", "True"]
    assert worker.dropped == 0


def test_stop_actor_says_so_if_the_actor_hangs(either: Threaded, crashes: Crashes) -> None:
    worker = run(Worker(either, "w", crashes))
    busy, inside, go_on = hold()
    worker.address.tell(busy)
    reached(inside)

    assert stop_actor(worker, 0.01) is False

    go_on.set()
    until(worker.actor_stopped.is_set)


def test_what_comes_after_the_stop_is_counted_and_raises_nothing_at_the_sender(
    either: Threaded, crashes: Crashes
) -> None:
    worker = run(Worker(either, "w", crashes))
    assert stop_actor(worker, PATIENCE_S)

    for _ in range(5):
        worker.address.tell("late")

    assert worker.dropped == 5
    assert worker.handled == []
    assert stop_actor(worker, PATIENCE_S)


def test_a_message_that_raced_with_the_stop_is_counted_and_a_question_answered(
    either: Threaded, crashes: Crashes
) -> None:
    """Row 17 of the experiments: put between the look at the flag and the end of the teardown."""
    worker = run(Worker(either, "w", crashes))
    assert stop_actor(worker, PATIENCE_S)
    inbox = worker.actor_inbox
    until(lambda: inbox._closed)  # type: ignore[attr-defined]
    worker.actor_stopped.clear()

    worker.address.tell("raced")

    assert worker.dropped == 1
    with pytest.raises(pykka.ActorDeadError):
        worker.actor_ref.ask(PING, timeout=PATIENCE_S)
    assert inbox.empty()
    worker.actor_stopped.set()


@pytest.mark.parametrize("error", [RuntimeError("boom"), SystemExit(3), KeyboardInterrupt(), MemoryError()])
def test_a_crash_trips_the_fuse_first_counts_what_waited_and_spares_the_others(
    either: Threaded, error: BaseException
) -> None:
    alive_then: list[bool] = []

    def trip(name: str, seen: BaseException) -> None:
        assert seen is error
        alive_then.append(not worker.actor_stopped.is_set())

    worker, bystander = run(Worker(either, "w", trip)), run(Worker(either, "bystander", trip))
    busy, inside, go_on = hold()
    worker.address.tell(busy)
    reached(inside)
    worker.address.tell(raising(error))
    for n in range(3):
        worker.address.tell(n)
    question = worker.actor_ref.ask(PING, block=False)
    go_on.set()

    with pytest.raises(pykka.ActorDeadError):
        question.get(timeout=PATIENCE_S)
    until(lambda: worker.dropped == 3)
    assert alive_then == [True]
    assert worker.handled == []
    assert worker.failures[0] is not None
    assert worker.failures[0].__cause__ is error
    assert bystander.actor_ref.ask(PING, timeout=PATIENCE_S) == "bystander", "stop_all was not called"


def test_an_asked_crash_reaches_the_caller_and_the_fuse(either: Threaded, crashes: Crashes) -> None:
    worker = run(Worker(either, "w", crashes))

    with pytest.raises(Exception, match="w failed on Do"):
        worker.actor_ref.ask(raising(SystemExit()), timeout=PATIENCE_S)

    assert crashes.names == ["w"]


@pytest.mark.parametrize("broken", ["started", "stopping"])
def test_a_broken_start_or_stop_trips_the_fuse(either: Threaded, crashes: Crashes, broken: str) -> None:
    class Broken(Worker):
        pass

    def fail(self: Worker) -> None:
        raise SystemExit(broken)

    setattr(Broken, broken, fail)
    worker, bystander = run(Broken(either, "broken", crashes)), run(Worker(either, "bystander", crashes))

    stop_actor(worker, PATIENCE_S)

    until(worker.actor_stopped.is_set)
    assert crashes.names == ["broken"]
    assert bystander.actor_ref.ask(PING, timeout=PATIENCE_S) == "bystander"


def test_the_dispatcher_keeps_its_actor_alive(either: Threaded, crashes: Crashes) -> None:
    ref = Worker.start(either, "w", crashes)
    gc.collect()

    assert ref.ask(PING, timeout=PATIENCE_S) == "w"


@pytest.fixture
def impatient_threads() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_eight_senders_lose_nothing_and_keep_their_order(
    either: Threaded, crashes: Crashes, impatient_threads: None
) -> None:
    workers = [run(Worker(either, f"w{n}", crashes)) for n in range(5)]
    barrier = threading.Barrier(8)

    def send(sender: int) -> None:
        barrier.wait(PATIENCE_S)
        for n in range(400):
            workers[n % 5].address.tell((sender, n))

    finish(*[on_thread(partial(send, sender)) for sender in range(8)])
    until(lambda: sum(len(worker.handled) for worker in workers) == 8 * 400)

    for worker in workers:
        assert worker.overlaps == 0
        for sender in range(8):
            mine = [message[1] for message in worker.handled if isinstance(message, tuple) and message[0] == sender]
            assert mine == sorted(mine)
    assert [worker.dropped for worker in workers] == [0] * 5


# -- own


def test_each_actor_has_a_daemon_thread_of_its_own_name(own: OwnDispatcher, crashes: Crashes) -> None:
    names: list[str] = []
    note = Do(lambda actor: names.append(threading.current_thread().name))
    first, second = run(Worker(own, "first", crashes)), run(Worker(own, "second", crashes))
    first.address.tell(note)
    second.address.tell(note)
    message, event = mark()
    first.address.tell(message)
    until(lambda: len(names) == 2)
    reached(event)

    assert sorted(names) == ["first", "second"]
    assert len(first.threads | second.threads) == 2
    assert all(thread.daemon for thread in own._threads)


def test_a_full_inbox_trips_and_counts_and_never_blocks_the_sender(
    own: OwnDispatcher, crashes: Crashes, full: list[str]
) -> None:
    worker = run(Worker(own, "w", crashes))
    busy, inside, go_on = hold()
    worker.address.tell(busy)
    reached(inside)

    for n in range(53):
        worker.address.tell(n)

    assert full == ["w"] * 3
    assert worker.dropped == 3
    with pytest.raises(InboxFullError):
        worker.actor_ref.ask(PING, timeout=PATIENCE_S)
    go_on.set()
    heard(worker, 50)
    assert worker.handled == list(range(50))


def test_an_actor_with_a_full_inbox_can_still_be_stopped(own: OwnDispatcher, crashes: Crashes, full: list[str]) -> None:
    worker = run(Worker(own, "w", crashes))
    busy, inside, go_on = hold()
    worker.address.tell(busy)
    reached(inside)
    for n in range(50):
        worker.address.tell(n)

    stopper = on_thread(lambda: stop_actor(worker, PATIENCE_S))
    until(lambda: len(full) == 1)
    go_on.set()
    finish(stopper)

    assert worker.actor_stopped.is_set()
    until(lambda: worker.dropped == 50)


def test_pykkas_own_stop_overtakes_what_waits(own: OwnDispatcher, crashes: Crashes) -> None:
    worker = run(Worker(own, "w", crashes))
    busy, inside, go_on = hold()
    worker.address.tell(busy)
    reached(inside)
    worker.address.tell("waiting")
    worker.stop()
    go_on.set()
    until(lambda: worker.dropped == 1)

    assert worker.handled == []
    assert worker.events == ["started", "stopping"]


# -- pool


def test_many_actors_share_a_few_threads_and_each_is_on_one_at_a_time(
    pool: PoolDispatcher, crashes: Crashes, impatient_threads: None
) -> None:
    workers = [run(Worker(pool, f"w{n}", crashes)) for n in range(40)]

    def send() -> None:
        for _ in range(20):
            for worker in workers:
                worker.address.tell("x")

    finish(*[on_thread(send) for _ in range(4)])
    until(lambda: all(len(worker.handled) == 80 for worker in workers))

    assert len(set().union(*(worker.threads for worker in workers))) <= 2
    assert [worker.overlaps for worker in workers] == [0] * 40


def test_a_busy_actor_does_not_starve_the_others(crashes: Crashes, full: list[str]) -> None:
    pool = PoolDispatcher(full.append, threads=1)
    greedy, modest = run(Worker(pool, "greedy", crashes)), run(Worker(pool, "modest", crashes))
    busy, inside, go_on = hold()
    greedy.address.tell(busy)
    reached(inside)
    for n in range(1_000):
        greedy.address.tell(n)
    done_then: list[int] = []
    modest.address.tell(Do(lambda actor: done_then.append(len(greedy.handled))))
    go_on.set()
    heard(greedy, 1_000)
    until(lambda: done_then)
    _end(pool)

    assert done_then[0] <= POOL_TURN


def test_a_hung_actor_leaves_the_other_threads_to_the_rest(pool: PoolDispatcher, crashes: Crashes) -> None:
    hung, healthy = run(Worker(pool, "hung", crashes)), run(Worker(pool, "healthy", crashes))
    busy, inside, go_on = hold()
    hung.address.tell(busy)
    reached(inside)

    assert healthy.actor_ref.ask(PING, timeout=PATIENCE_S) == "healthy"

    go_on.set()


def test_an_actor_that_dies_with_a_long_queue_takes_no_pool_thread_with_it(
    pool: PoolDispatcher, crashes: Crashes
) -> None:
    worker, bystander = run(Worker(pool, "w", crashes)), run(Worker(pool, "bystander", crashes))
    busy, inside, go_on = hold()
    worker.address.tell(busy)
    reached(inside)
    worker.address.tell(raising(RuntimeError("boom")))
    for n in range(5 * POOL_TURN):
        worker.address.tell(n)
    go_on.set()

    until(lambda: worker.dropped == 5 * POOL_TURN)
    until(worker.actor_inbox.empty)
    assert all(thread.is_alive() for thread in pool._threads)
    assert bystander.actor_ref.ask(PING, timeout=PATIENCE_S) == "bystander"


def test_a_message_told_in_the_constructor_waits_for_the_start(pool: PoolDispatcher, crashes: Crashes) -> None:
    worker = Worker(pool, "w", crashes)
    worker.address.tell("early")

    run(worker)

    heard(worker, 1)
    assert worker.events == ["started"]


def test_a_stopped_actor_leaves_the_pool(pool: PoolDispatcher, crashes: Crashes) -> None:
    worker = run(Worker(pool, "w", crashes))
    assert stop_actor(worker, PATIENCE_S)

    until(lambda: not (pool._actors or pool._scheduled or pool._fresh))
    pool.schedule(worker)

    assert not pool._ready


def test_a_stopped_pool_finishes_its_turns_and_ends_its_threads(crashes: Crashes, full: list[str]) -> None:
    pool = PoolDispatcher(full.append, threads=3)
    worker = run(Worker(pool, "w", crashes))
    for n in range(500):
        worker.address.tell(n)

    pool.stop(PATIENCE_S)

    assert worker.handled == list(range(500))
    assert not any(thread.is_alive() for thread in pool._threads)
    forget_all()
