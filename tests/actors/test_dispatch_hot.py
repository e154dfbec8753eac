"""The run queue: one drainer at a time, nothing lost, nothing reordered, and a failed actor takes nobody with it."""

from __future__ import annotations

import gc
import inspect
import sys
import threading
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any

import pykka
import pytest

from actors import dispatch
from actors.base import PING, ActorCrashedError
from actors.dispatch import HotDispatcher, stop_actor
from actors.inbox import IdleError
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

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def hot() -> Iterator[HotDispatcher]:
    dispatcher = HotDispatcher()
    yield dispatcher
    dispatcher.stop(PATIENCE_S)
    forget_all()


@pytest.fixture
def crashes() -> Crashes:
    return Crashes()


def a_worker(hot: HotDispatcher, crashes: Crashes, name: str = "w") -> Worker:
    worker = run(Worker(hot, name, crashes))
    until(lambda: worker.events)
    return worker


def idle(hot: HotDispatcher) -> None:
    until(lambda: not hot.queue and not hot.draining and hot.progress.current is None, "the queue never ran dry")


# -- who drains


def test_a_feed_has_everything_handled_on_its_own_thread_when_it_returns(hot: HotDispatcher, crashes: Crashes) -> None:
    worker = a_worker(hot, crashes)
    seen: list[tuple[int, list[object]]] = []

    def feed() -> None:
        hot.post_all([(worker, n) for n in range(100)])
        seen.append((threading.get_ident(), list(worker.handled)))

    finish(on_thread(feed))

    assert seen[0][1] == list(range(100))
    assert seen[0][0] in worker.threads


def test_a_teller_drains_if_nobody_else_does(hot: HotDispatcher, crashes: Crashes) -> None:
    worker = a_worker(hot, crashes)
    idents: list[int] = []

    def teller() -> None:
        idents.append(threading.get_ident())
        worker.address.tell("news")

    finish(on_thread(teller))

    assert worker.handled == ["news"]
    assert worker.threads == set(idents)


def test_the_main_thread_never_drains(hot: HotDispatcher, crashes: Crashes) -> None:
    assert threading.current_thread() is threading.main_thread()
    worker = a_worker(hot, crashes)

    for n in range(1_000):
        worker.address.tell(n)
    worker.actor_ref.ask(PING, timeout=PATIENCE_S)

    assert worker.handled == list(range(1_000))
    assert worker.threads == {hot._relief.ident}


def test_a_message_told_while_another_thread_drains_is_left_to_it(hot: HotDispatcher, crashes: Crashes) -> None:
    worker = a_worker(hot, crashes)
    inside, go_on = threading.Event(), threading.Event()

    def hold(actor: Worker) -> None:
        inside.set()
        go_on.wait(PATIENCE_S)

    feed = on_thread(lambda: hot.post_all([(worker, Do(hold))]), "feed")
    reached(inside)
    finish(on_thread(lambda: worker.address.tell("late"), "teller"))
    assert worker.handled == []

    go_on.set()
    finish(feed)

    assert worker.handled == ["late"]
    assert worker.threads == {feed.ident}


class PokedLock:
    """A drainer lock that lets a message slip in at the worst moment: the queue was dry, the lock not yet given up."""

    def __init__(self, real: Any, poke: Any) -> None:
        self._real = real
        self._poke = poke
        self.left = 3

    def acquire(self, blocking: bool = True) -> bool:
        return bool(self._real.acquire(blocking))

    def release(self) -> None:
        if self.left:
            self.left -= 1
            self._poke()
        self._real.release()


def test_a_message_that_slips_in_before_the_lock_is_given_up_is_still_handled(
    hot: HotDispatcher, crashes: Crashes
) -> None:
    worker = a_worker(hot, crashes)
    idle(hot)
    hot._drainer = PokedLock(hot._drainer, lambda: worker.address.tell("slipped in"))  # type: ignore[assignment]

    finish(on_thread(lambda: worker.address.tell("first")))

    assert worker.handled == ["first", "slipped in", "slipped in", "slipped in"]
    assert not hot.draining


def test_a_message_that_slips_in_after_the_last_look_is_still_handled(hot: HotDispatcher, crashes: Crashes) -> None:
    worker = a_worker(hot, crashes)
    idle(hot)

    def unseen() -> None:
        # As if the teller had read `draining` just before the drainer cleared it.
        hot.queue.append((worker, "left to the drainer"))

    hot._drainer = PokedLock(hot._drainer, unseen)  # type: ignore[assignment]

    finish(on_thread(lambda: worker.address.tell("first")))

    assert worker.handled == ["first"] + ["left to the drainer"] * 3


def test_a_teller_handles_no_more_than_its_quota_and_relief_takes_the_rest(
    hot: HotDispatcher, crashes: Crashes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "TELLER_QUOTA", 10)
    worker = a_worker(hot, crashes)
    by_teller: list[int] = []
    whose = Do(lambda actor: by_teller.append(threading.get_ident()))

    def teller() -> None:
        hot.queue.extend([(worker, whose)] * 500)
        worker.address.tell("last")

    thread = on_thread(teller)
    finish(thread)
    heard(worker, 1)

    assert by_teller.count(thread.ident or 0) <= 10
    assert len(by_teller) == 500


def test_a_feed_goes_back_to_its_socket_even_if_others_keep_the_queue_full(
    hot: HotDispatcher, crashes: Crashes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "FEED_QUOTA", 50)
    worker = a_worker(hot, crashes)
    left = 2_000

    def again(actor: Worker) -> None:
        nonlocal left
        left -= 1
        if left:
            actor.address.tell(Do(again))
        actor.handled.append(threading.get_ident())

    feed = on_thread(lambda: hot.post_all([(worker, Do(again))]), "feed")
    finish(feed)
    heard(worker, 2_000)

    assert worker.handled.count(feed.ident) <= 50
    assert worker.overlaps == 0


def test_a_feed_waits_at_the_bound_while_another_drains(
    hot: HotDispatcher, crashes: Crashes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "HOT_BOUND", 100)
    worker = a_worker(hot, crashes)
    inside, go_on, posted = threading.Event(), threading.Event(), threading.Event()

    def hold(actor: Worker) -> None:
        inside.set()
        go_on.wait(PATIENCE_S)

    first = on_thread(lambda: hot.post_all([(worker, Do(hold))]), "first feed")
    reached(inside)
    finish(on_thread(lambda: hot.post_all([(worker, "few")]), "under the bound"))

    def second_feed() -> None:
        hot.post_all([(worker, n) for n in range(150)])
        posted.set()

    second = on_thread(second_feed, "second feed")
    assert not posted.wait(0.05)

    go_on.set()
    reached(posted)
    finish(first, second)
    assert worker.handled == ["few", *range(150)]


def test_messages_beget_messages_without_growing_the_stack(hot: HotDispatcher, crashes: Crashes) -> None:
    first, second = a_worker(hot, crashes, "first"), a_worker(hot, crashes, "second")
    depth: list[int] = []

    def bounce(left: int) -> Do:
        def act(actor: Worker) -> None:
            depth.append(len(inspect.stack(0)))
            if left:
                (second if actor is first else first).address.tell(bounce(left - 1))
            else:
                actor.handled.append("end")

        return Do(act)

    on_thread(lambda: first.address.tell(bounce(3_000)))
    until(lambda: first.handled or second.handled)

    assert len(depth) == 3_001
    assert max(depth) - min(depth) < 5
    assert crashes.seen == []


# -- hammering


@pytest.fixture
def impatient_threads() -> Iterator[None]:
    """Switch threads as often as the interpreter can, so that a race that can happen does."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_eight_hammering_threads_lose_nothing_reorder_nothing_and_never_overlap(
    hot: HotDispatcher, crashes: Crashes, impatient_threads: None
) -> None:
    each, tellers = 4_000, 8
    workers = [a_worker(hot, crashes, f"w{n}") for n in range(3)]
    relay = a_worker(hot, crashes, "relay")
    barrier = threading.Barrier(tellers)

    def hammer(sender: int) -> None:
        barrier.wait(PATIENCE_S)
        for n in range(each):
            if sender % 2:
                workers[n % 3].address.tell((sender, n))
            else:
                hot.post_all(((workers[n % 3], (sender, n)), (relay, Do(partial(forward, n)))))

    def forward(n: int, actor: Worker) -> None:
        workers[n % 3].address.tell(("relay", n))

    finish(*[on_thread(partial(hammer, sender), f"hammer-{sender}") for sender in range(tellers)])
    idle(hot)

    everything = [message for worker in workers for message in worker.handled]
    assert len(everything) == tellers * each + tellers // 2 * each
    assert [worker.overlaps for worker in (*workers, relay)] == [0, 0, 0, 0]
    assert crashes.seen == []
    for worker in workers:
        for sender in range(tellers):
            mine = [m[1] for m in worker.handled if isinstance(m, tuple) and m[0] == sender]
            assert mine == sorted(mine)
    assert hot.progress.handled >= len(everything)


def test_hammering_with_asks_stops_and_crashes_leaves_the_queue_working(
    hot: HotDispatcher, crashes: Crashes, impatient_threads: None
) -> None:
    survivor = a_worker(hot, crashes, "survivor")
    mortals = [a_worker(hot, crashes, f"mortal{n}") for n in range(30)]
    barrier = threading.Barrier(6)

    def hammer(sender: int) -> None:
        barrier.wait(PATIENCE_S)
        for n, mortal in enumerate(mortals):
            survivor.address.tell((sender, n))
            mortal.address.tell((sender, n))
            if sender == 0:
                mortal.address.tell(raising(RuntimeError("boom")))
            elif sender == 1:
                stop_actor(mortal, PATIENCE_S)
            else:
                try:
                    mortal.actor_ref.ask(PING, timeout=PATIENCE_S)
                except pykka.ActorDeadError:
                    pass

    finish(*[on_thread(partial(hammer, sender), f"hammer-{sender}") for sender in range(6)])
    idle(hot)

    assert len(survivor.handled) == 6 * 30
    assert all(mortal.actor_stopped.is_set() for mortal in mortals)
    assert survivor.actor_ref.ask(PING, timeout=PATIENCE_S) == "survivor"
    assert [mortal.overlaps for mortal in mortals] == [0] * 30


# -- Pykka's own loop through the run queue


def test_the_dispatcher_keeps_an_actor_alive_until_it_stops_and_no_longer(hot: HotDispatcher, crashes: Crashes) -> None:
    ref = Worker.start(hot, "w", crashes)
    actor = weakref.ref(ref._actor_weakref())
    pykka.ActorRegistry.unregister(ref)  # which would keep the ref
    del ref
    idle(hot)
    gc.collect()
    kept = actor()
    assert kept is not None
    assert stop_actor(kept, PATIENCE_S)
    del kept

    idle(hot)
    gc.collect()
    assert actor() is None


def test_an_idle_inbox_leaves_pykkas_loop_without_stopping_the_actor(hot: HotDispatcher, crashes: Crashes) -> None:
    worker = a_worker(hot, crashes)

    with pytest.raises(IdleError):
        worker._actor_loop_running()

    assert not worker.actor_stopped.is_set()
    assert worker.actor_inbox.empty()


def test_an_ask_takes_its_turn_behind_what_was_told_before(hot: HotDispatcher, crashes: Crashes) -> None:
    worker = a_worker(hot, crashes)
    answers: list[list[object]] = []

    def caller() -> None:
        hot.queue.extend([(worker, n) for n in range(50)])
        worker.actor_ref.ask(PING, timeout=PATIENCE_S)
        answers.append(list(worker.handled))

    finish(on_thread(caller))

    assert answers == [list(range(50))]


def test_stop_takes_its_turn_and_what_comes_after_it_is_counted(hot: HotDispatcher, crashes: Crashes) -> None:
    worker = a_worker(hot, crashes)

    def teller() -> None:
        worker.address.tell("before")
        hot.queue.append((worker, "waiting"))
        assert stop_actor(worker, PATIENCE_S)
        for _ in range(7):
            worker.address.tell("after")

    finish(on_thread(teller))

    assert worker.handled == ["before", "waiting"]
    assert worker.events == ["started", "stopping"]
    assert worker.dropped == 7
    assert worker not in hot._actors.values()
    assert crashes.seen == []


def test_questions_behind_a_stop_are_answered_that_the_actor_is_dead(hot: HotDispatcher, crashes: Crashes) -> None:
    worker = a_worker(hot, crashes)
    inside, go_on = threading.Event(), threading.Event()

    def hold(actor: Worker) -> None:
        inside.set()
        go_on.wait(PATIENCE_S)

    feed = on_thread(lambda: hot.post_all([(worker, Do(hold))]))
    reached(inside)
    worker.stop()
    question = worker.actor_ref.ask(PING, block=False)
    go_on.set()
    finish(feed)

    with pytest.raises(pykka.ActorDeadError):
        question.get(timeout=PATIENCE_S)


def test_an_ask_of_a_dead_actor_raises_at_once(hot: HotDispatcher, crashes: Crashes) -> None:
    worker = a_worker(hot, crashes)
    assert stop_actor(worker, PATIENCE_S)

    with pytest.raises(pykka.ActorDeadError):
        worker.actor_ref.ask(PING, timeout=PATIENCE_S)

    assert stop_actor(worker, PATIENCE_S)


# -- failure


@pytest.mark.parametrize(
    "error", [RuntimeError("boom"), SystemExit(3), KeyboardInterrupt(), MemoryError(), GeneratorExit()]
)
def test_a_handler_that_raises_trips_the_fuse_and_dies_before_its_next_message(
    hot: HotDispatcher, error: BaseException
) -> None:
    worker_alive: list[bool] = []
    names: list[str] = []

    def trip(name: str, seen: BaseException) -> None:
        assert seen is error
        names.append(name)
        worker_alive.append(not worker.actor_stopped.is_set())

    worker = run(Worker(hot, "w", trip))
    bystander = run(Worker(hot, "bystander", trip))
    finish(
        on_thread(
            lambda: hot.post_all(
                [(worker, "good"), (worker, raising(error)), (worker, "never"), (bystander, "still here")]
            )
        )
    )
    until(lambda: not hot.queue)

    assert names == ["w"]
    assert worker_alive == [True], "the fuse has to be first"
    assert worker.actor_stopped.is_set()
    assert worker.handled == ["good"]
    assert worker.dropped == 1
    assert worker.events == ["started"], "a crash is no ordered stop"
    assert isinstance(worker.failures[0], ActorCrashedError)
    assert worker.failures[0].__cause__ is error
    assert bystander.handled == ["still here"]
    assert bystander.actor_ref.ask(PING, timeout=PATIENCE_S) == "bystander", "stop_all was not called"
    assert worker not in hot._actors.values()


def test_an_asked_handler_that_raises_system_exit_answers_instead_of_hanging(
    hot: HotDispatcher, crashes: Crashes
) -> None:
    worker = a_worker(hot, crashes)

    with pytest.raises(ActorCrashedError):
        worker.actor_ref.ask(raising(SystemExit()), timeout=PATIENCE_S)

    assert crashes.names == ["w"]


def test_an_actor_that_cannot_start_trips_the_fuse_and_takes_no_messages(hot: HotDispatcher, crashes: Crashes) -> None:
    class Stillborn(Worker):
        def started(self) -> None:
            raise SystemExit("no disk")

    worker = run(Stillborn(hot, "stillborn", crashes))
    until(worker.actor_stopped.is_set)
    finish(on_thread(lambda: worker.address.tell("hello")))

    assert crashes.names == ["stillborn"]
    assert (worker.handled, worker.dropped) == ([], 1)
    assert worker not in hot._actors.values()


def test_an_actor_that_cannot_stop_in_order_trips_the_fuse_and_stops(hot: HotDispatcher, crashes: Crashes) -> None:
    class Clinging(Worker):
        def stopping(self) -> None:
            raise SystemExit("not yet")

    worker = run(Clinging(hot, "clinging", crashes))
    bystander = a_worker(hot, crashes, "bystander")

    assert stop_actor(worker, PATIENCE_S)

    idle(hot)
    assert crashes.names == ["clinging"]
    assert bystander.actor_ref.ask(PING, timeout=PATIENCE_S) == "bystander"


def test_a_fuse_that_fails_takes_neither_the_drainer_nor_the_actors_death_with_it(hot: HotDispatcher) -> None:
    def broken_fuse(name: str, error: BaseException) -> None:
        raise SystemExit("the gate is gone")

    worker, bystander = run(Worker(hot, "w", broken_fuse)), run(Worker(hot, "b", broken_fuse))

    finish(on_thread(lambda: hot.post_all([(worker, raising(ValueError())), (worker, "x"), (bystander, "y")])))

    assert worker.actor_stopped.is_set()
    assert bystander.handled == ["y"]
    idle(hot)


# -- what the watchdog sees


def test_progress_names_who_is_at_work_and_counts_what_is_done(hot: HotDispatcher, crashes: Crashes) -> None:
    worker = a_worker(hot, crashes, "slowcoach")
    idle(hot)
    before = hot.progress.handled
    inside, go_on = threading.Event(), threading.Event()

    def hold(actor: Worker) -> None:
        inside.set()
        go_on.wait(PATIENCE_S)

    feed = on_thread(lambda: hot.post_all([(worker, "a"), (worker, Do(hold)), (worker, "b")]))
    reached(inside)
    assert (hot.progress.current, hot.progress.handled) == ("slowcoach", before + 1)

    go_on.set()
    finish(feed)
    assert (hot.progress.current, hot.progress.handled) == (None, before + 3)


def test_a_stopped_dispatcher_has_drained_what_the_main_thread_left_it(crashes: Crashes) -> None:
    hot = HotDispatcher()
    worker = run(Worker(hot, "w", crashes))
    for n in range(100):
        worker.address.tell(n)

    hot.stop(PATIENCE_S)

    assert worker.handled == list(range(100))
    assert not hot._relief.is_alive()


def test_a_mark_is_reached_after_everything_before_it(hot: HotDispatcher, crashes: Crashes) -> None:
    worker = a_worker(hot, crashes)
    message, event = mark()

    worker.address.tell(1)
    worker.address.tell(message)
    reached(event)

    assert worker.handled == [1]
