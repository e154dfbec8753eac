"""The same frames through three pipelines: a raw loop, our actors, and a Pykka thread per actor.

All three use the same reader (`adapters.feed`), decoder (`adapters.polymarket.session`), book, watch and `decide()`.
What differs is only who calls whom, which is what is measured.
"""

from __future__ import annotations

import gc
import random
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pykka

from actors.book import BookActor
from actors.dispatch import HotDispatcher
from actors.signal import SignalActor
from adapters.clock import SystemClock
from adapters.feed import FeedEvent, FeedThread, HeartbeatPolicy
from adapters.ids import SystemIds
from adapters.polymarket.wire import FrameDecoder
from bench.frames import markets
from models.book import BookSnapshot, BookUpdate, TopOfBook
from models.book_keeping import Book, Effect
from models.clock import BootNs
from models.market import Market, MarketId
from models.messages import GenerationBegan
from models.money import MicroShares, MicroUsd
from models.sets import binary_set
from models.signal import Thresholds, terms_for
from models.verdict import FreshnessLimits
from models.watch import SetWatch

EVERY = 16
"""Every so many frames the time from frame to decision is noted, in each pipeline."""
KEPT = 2048
"""Newest latencies that count, as in the bot: the first frames meet cold caches in every pipeline."""
NEVER_MS = 1 << 40
QUIET = HeartbeatPolicy(kind="frame", period_s=5.0, pong_timeout_s=5.0)
"""The sender only sends, so passes are kept shorter than its first missing pong."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One pass: frames per second over the whole flood, and frame-to-decision nanoseconds."""

    frames_per_s: float
    frames_per_cpu_s: float
    """By processor time of the process: what a core can do, also while neighbours keep it from doing so."""
    latencies_ns: list[int]


class Null:
    """An address that forgets: ledger, risk and snapshot lane are not what is measured here."""

    def __init__(self) -> None:
        self.told = 0

    def tell(self, _message: object) -> None:
        self.told += 1


class WideSession:
    """`PolymarketSession` without its bound on markets per socket: here one socket carries them all."""

    def __init__(self, listed: Sequence[Market], generation: int) -> None:
        self._decoder = FrameDecoder(listed, generation)

    def opening(self) -> Sequence[str]:
        return ("{}",)

    def on_text(self, frame: bytes, received_at: BootNs) -> Sequence[FeedEvent]:
        return self._decoder.decode(frame, received_at)

    def heartbeat(self) -> HeartbeatPolicy:
        return QUIET

    def outgoing(self) -> Sequence[str]:
        return ()


class Sender:
    """The sending process (`bench.sender`)."""

    def __init__(self, market_count: int, frames: int, rate: int) -> None:
        command = [sys.executable, "-m", "bench.sender", str(market_count), str(frames), str(rate)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.kill()
        self._process.wait()


def watches_for(listed: Sequence[Market]) -> list[SetWatch]:
    limits = FreshnessLimits(max_age_ns=10**10, max_skew_ms=500, max_lag_ms=NEVER_MS, confirm_unified=True)
    thresholds = Thresholds(
        min_edge=MicroUsd(5_000),
        cost_buffer=MicroUsd(2_000),
        min_depth=MicroShares(5_000_000),
        order_size=MicroShares(10_000_000),
        max_size=MicroShares(100_000_000),
        freshness=limits,
    )
    return [SetWatch(terms_for(binary_set(m.market_id), [m, m], thresholds)) for m in listed]


def run(
    deliver: Callable[[Sequence[FeedEvent]], None],
    began: Callable[[int], None],
    done: Callable[[], int],
    *,
    port: int,
    listed: Sequence[Market],
    expected: int,
    clock: SystemClock,
) -> tuple[float, float]:
    """Connect, wait until `expected` changes were handled (`done()`), disconnect.

    Returns the seconds from the first change to the last, by the clock and of the processor.
    """

    def session(generation: int) -> WideSession:
        began(generation)
        return WideSession(listed, generation)

    feed = FeedThread(
        name="bench-feed",
        url_provider=lambda: f"ws://127.0.0.1:{port}/ws/market",
        headers_provider=dict,
        session_factory=session,
        deliver=deliver,
        on_state=lambda _state: None,
        clock=clock,
        rng=random.Random(1),
    )
    gc.collect()
    gc.freeze()
    feed.start()
    while done() == 0:
        time.sleep(0.0005)
    start, start_cpu, first = time.perf_counter(), time.process_time(), done()
    deadline = start + 120
    while done() < expected and time.perf_counter() < deadline:
        time.sleep(0.002)
    elapsed, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    if done() < expected:
        raise RuntimeError(f"only {done()} of {expected} frames arrived")
    feed.stop()
    share = expected / (expected - first)
    return elapsed * share, cpu * share


class RawLoop:
    """Reader, decoder, book, watch and decision in one function: the yardstick."""

    def __init__(self, listed: Sequence[Market], clock: SystemClock) -> None:
        self.clock = clock
        self.books = {m.market_id: Book(m.market_id, unified=True) for m in listed}
        self.watches = {MarketId(w.set_id): w for w in watches_for(listed)}
        self.handled = 0
        self.latencies: deque[int] = deque(maxlen=KEPT)

    def begin(self, generation: int) -> None:
        for book in self.books.values():
            book.begin(generation)

    def deliver(self, events: Sequence[Any]) -> None:
        for event in events:
            book = self.books[event.market_id]
            if type(event) is BookUpdate:
                effect = book.update(event)
                self.handled += 1
                if effect is Effect.CHANGED and not book.due(event.received_at):
                    continue
            else:
                effect = book.snapshot(event)
            if effect is Effect.NOTHING:
                continue
            watch = self.watches[event.market_id]
            watch.put(book.top(), (0, 1))
            if watch.gap():
                watch.evaluate(self.clock.boot_ns(), self.clock.wall_ns(), "e")
            else:
                watch.end_episode()
            if self.handled % EVERY == 0:
                self.latencies.append(self.clock.boot_ns() - event.received_at)


class ActorPipeline:
    """The bot's own actors on the hot dispatcher; everything behind risk is an address that forgets."""

    def __init__(self, listed: Sequence[Market], clock: SystemClock) -> None:
        null = Null()
        self.dispatcher = HotDispatcher("bench-hot")
        self.signal = SignalActor(
            self.dispatcher,
            _crash,
            watches_for(listed),
            clock=clock,
            ids=SystemIds(),
            risk=null,
            ledger=null,
            snapshots=null,
            silent_ns=1 << 60,
            sample_ns=0,
        )
        self.signal.actor_ref  # noqa: B018
        self.books: dict[MarketId, BookActor] = {}
        self.signal._start_actor_loop()
        for market in listed:
            book = BookActor(
                self.dispatcher,
                _crash,
                market,
                clock=clock,
                signal=self.signal.address,
                snapshots=null,
                ledger=null,
                depth=0,
                lagging_ms=NEVER_MS,
            )
            book._start_actor_loop()
            self.books[market.market_id] = book
        self._clock = clock
        self._delivered = -len(listed)
        """Events handled; the first one of each market is its snapshot."""

    @property
    def handled(self) -> int:
        return max(0, self._delivered)

    @property
    def latencies(self) -> list[int]:
        return list(self.signal.latency_ns)

    def begin(self, generation: int) -> None:
        now = self._clock.boot_ns()
        self.dispatcher.post_all((book, GenerationBegan(m, generation, now)) for m, book in self.books.items())

    def deliver(self, events: Sequence[Any]) -> None:
        books = self.books
        self.dispatcher.post_all([(books[event.market_id], event) for event in events])
        self._delivered += len(events)

    def close(self) -> None:
        self.dispatcher.stop(1.0)


class ThreadPerActor:
    """The obvious Pykka design: a ThreadingActor per market and one for the signal, one `tell` per change between
    them.
    """

    def __init__(self, listed: Sequence[Market], clock: SystemClock) -> None:
        self.signal = _SignalThread.start(watches_for(listed), clock)
        self._signal = self.signal._actor_weakref()
        self.books = {m.market_id: _BookThread.start(m.market_id, self.signal) for m in listed}

    @property
    def handled(self) -> int:
        return self._signal.handled if self._signal is not None else 0

    @property
    def latencies(self) -> list[int]:
        return list(self._signal.latencies) if self._signal is not None else []

    def begin(self, generation: int) -> None:
        for book in self.books.values():
            book.tell(generation)

    def deliver(self, events: Sequence[Any]) -> None:
        for event in events:
            self.books[event.market_id].tell(event)

    def close(self) -> None:
        for book in self.books.values():
            _ = book.stop(block=False)
        _ = self.signal.stop(block=False)


class _BookThread(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self, market_id: MarketId, signal: pykka.ActorRef[Any]) -> None:
        super().__init__()
        self._book = Book(market_id, unified=True)
        self._signal = signal

    def on_receive(self, message: Any) -> None:
        if type(message) is BookUpdate:
            effect = self._book.update(message)
        elif type(message) is BookSnapshot:
            effect = self._book.snapshot(message)
        else:
            effect = self._book.begin(message)
        if effect is not Effect.NOTHING:
            self._signal.tell(self._book.top())


class _SignalThread(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self, watches: list[SetWatch], clock: SystemClock) -> None:
        super().__init__()
        self._watches = {MarketId(w.set_id): w for w in watches}
        self._clock = clock
        self.handled = 0
        self.latencies: deque[int] = deque(maxlen=KEPT)

    def on_receive(self, message: Any) -> None:
        top: TopOfBook = message
        watch = self._watches[top.market_id]
        watch.put(top, (0, 1))
        if watch.gap():
            watch.evaluate(self._clock.boot_ns(), self._clock.wall_ns(), "e")
        else:
            watch.end_episode()
        if top.version > 2:
            self.handled += 1
        if self.handled % EVERY == 0:
            self.latencies.append(self._clock.boot_ns() - top.received_at)


def _crash(name: str, error: BaseException) -> None:
    raise SystemExit(f"{name} crashed in the benchmark: {error!r}")


Pipeline = RawLoop | ActorPipeline | ThreadPerActor
PIPELINES: dict[str, Callable[[Sequence[Market], SystemClock], Pipeline]] = {
    "raw": RawLoop,
    "actors": ActorPipeline,
    "threads": ThreadPerActor,
}


def measure(kind: str, market_count: int, frames: int, rate: int) -> Measured:
    """One pass of one pipeline against a sender of its own."""
    clock = SystemClock()
    listed = markets(market_count)
    made = PIPELINES[kind](listed, clock)
    with Sender(market_count, frames, rate) as sender:
        expected = sum(1 + (number % 100 == 0) for number in range(frames))
        elapsed, cpu = run(
            made.deliver,
            made.begin,
            lambda: made.handled,
            port=sender.port,
            listed=listed,
            expected=expected,
            clock=clock,
        )
    latencies = sorted(made.latencies)
    if not isinstance(made, RawLoop):
        made.close()
    gc.unfreeze()
    threading.Event().wait(0.05)
    return Measured(expected / elapsed, expected / cpu, latencies)
