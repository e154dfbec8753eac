"""Halts that race an attempt about to send: real gate, real order lanes, real HTTP to a server that counts.

    python -m tests.halts [--halts 10000] [--seed 1]

Each trial resumes, hands one opening BUY to the lanes, and halts from another thread at a random instant around the
moment at which the lane asks the gate. What must never be: an opening byte that leaves after `trip` has returned, or
one that passes no gate at all. Now and then a protective order is sent into the halt, and must arrive.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Final

from adapters.clock import SystemClock
from adapters.gate import Gate
from adapters.order_lanes import OrderLanes
from adapters.simulated.trading import SimulatedOrders
from models.clock import SECOND
from models.config_machine import VenueOptions
from models.market import MarketId, VenueName
from models.messages import SendOrders, SubmitAnswered
from models.orders import Accepted, AttemptId, ClientOrderId, OrderIntent, Purpose, Refused
from tests.fake_orders import sealed
from tests.stage import Stage

SIMULATED: Final = VenueName("simulated")
PATIENCE_S: Final = 10.0
PROTECTIVE_EVERY: Final = 25
DAWDLERS: Final = 0.3
"""Part of the trials whose sender is interrupted at the worst moment,"""
DAWDLE_S: Final = 0.02
"""and for at most how long."""
CLOSE_NS: Final = 1_000_000
"""A halt within a millisecond of the lane's question is counted as a race."""


class CountingServer:
    """Takes every order as done and remembers which arrived. One thread per connection."""

    def __init__(self) -> None:
        self.arrived: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with link, link.makefile("rb") as lines:
            while lines.readline():
                length = 0
                while (line := lines.readline().strip().lower()) != b"":
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                own = json.loads(lines.read(length))["client_order_id"]
                self.arrived.append(own)
                body = json.dumps({"client_order_id": own, "order_id": f"v-{own}", "status": "done", "filled": "0"})
                link.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


class Passage:
    """One question to the gate: when it was asked, and when the sender was done under it.

    `dawdle_s` is how long the sender is kept from the processor between the yes and its first byte: without the lock
    over both, that is where a halt would be overtaken.
    """

    def __init__(self, entry: AbstractContextManager[bool], dawdle_s: float) -> None:
        self._entry = entry
        self._dawdle_s = dawdle_s
        self.asked = time.monotonic_ns()
        self.granted = False
        self.left = 0

    def __enter__(self) -> bool:
        self.asked = time.monotonic_ns()
        self.granted = self._entry.__enter__()
        if self.granted and self._dawdle_s:
            time.sleep(self._dawdle_s)
        return self.granted

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.left = time.monotonic_ns()  # before the lock is given up: no byte of this passage leaves later
        self._entry.__exit__(kind, error, at)


class WatchedGate:
    """The real gate, with a note of every opening that asked."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.openings: list[Passage] = []
        self.dawdle_s = 0.0

    def enter_opening(self, market_ids: Sequence[MarketId]) -> Passage:
        self.openings.append(Passage(self._gate.enter_opening(market_ids), self.dawdle_s))
        return self.openings[-1]

    def enter_protective(self) -> AbstractContextManager[bool]:
        return self._gate.enter_protective()

    def trip(self, reason: str, by: str) -> object:
        return self._gate.trip(reason, by)


class Answers:
    """Where the lanes tell what became of an order."""

    def __init__(self) -> None:
        self._seen: dict[str, object] = {}
        self._changed = threading.Condition()

    def tell(self, message: object) -> None:
        if isinstance(message, SubmitAnswered):
            with self._changed:
                self._seen[message.answer.client_order_id] = message.answer
                self._changed.notify_all()

    def of(self, own: str) -> object:
        with self._changed:
            if not self._changed.wait_for(lambda: own in self._seen, PATIENCE_S):
                raise AssertionError(f"order {own} was never answered")
            return self._seen.pop(own)


@dataclass
class Figures:
    """What a series of halts showed."""

    halts: int = 0
    sent: int = 0
    kept_back: int = 0
    races: int = 0
    """Halts within a millisecond of the lane's question."""
    overlaps: int = 0
    """Halts that were called while the lane was between question and last byte, or the other way round."""
    protected: int = 0
    slowest_ms: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        return [
            f"halts                              {self.halts}",
            f"  opening sent before the halt     {self.sent}",
            f"  opening kept back                {self.kept_back}",
            f"  within a millisecond of it       {self.races}",
            f"  at the very same time            {self.overlaps}",
            f"protective orders let through      {self.protected}",
            f"slowest halt                       {self.slowest_ms:.1f} ms",
            f"opening bytes after a halt         {len(self.wrong)}",
        ]


class Arena:
    """Gate, lanes and server, and one trial after the other."""

    def __init__(self, directory: Path, seed: int) -> None:
        self._dice = random.Random(seed)
        self._clock = SystemClock()
        self._clock.start()
        self.server = CountingServer()
        self._gate = Gate(directory / "permit", self._clock, scope="live:simulated")
        self._watched = WatchedGate(self._gate)
        self._answers = Answers()
        orders = SimulatedOrders(VenueOptions(rest_url=self.server.url), "key", "secret", self._clock)
        self._lanes = OrderLanes(
            {SIMULATED: orders},
            gate=self._watched,
            clock=self._clock,
            answers=self._answers,
            markets={"m1": SIMULATED},
            deadline_ns=5 * SECOND,
        )
        self._lanes.start()
        stage = Stage()
        stage.approve()
        self._intent = stage.intents[0]
        self._latency_ns = 1_000_000.0
        """From hand-over to the lane's question, a moving average: where halts have to fall."""
        self.figures = Figures()

    def close(self) -> None:
        self._lanes.stop(2.0)
        self._clock.stop()
        self.server.close()

    def run(self, halts: int) -> Figures:
        for number in range(halts):
            self._trial(number)
        return self.figures

    def _order(self, number: int, purpose: Purpose) -> OrderIntent:
        own = ClientOrderId(f"{purpose.value}-{number:06d}")
        return replace(self._intent, client_order_id=own, attempt_id=AttemptId(f"a-{number}"), purpose=purpose)

    def _trial(self, number: int) -> None:
        self._gate.resume("operator", "next trial")
        before = len(self.server.arrived)
        intent = self._order(number, Purpose.OPEN)
        self._watched.dawdle_s = self._dice.random() * DAWDLE_S if self._dice.random() < DAWDLERS else 0.0
        delay_ns = self._dice.uniform(0, 1.2 * self._latency_ns)
        go, called, returned = threading.Event(), [0], [0]

        def halt() -> None:
            go.wait()
            due = time.monotonic_ns() + delay_ns
            while time.monotonic_ns() < due:
                time.sleep(0)
            called[0] = time.monotonic_ns()
            self._gate.trip("race", "operator")
            returned[0] = time.monotonic_ns()

        halting = threading.Thread(target=halt)
        halting.start()
        go.set()
        handed = time.monotonic_ns()
        self._lanes.tell(SendOrders(attempt_id=intent.attempt_id, committed=(sealed(intent),), together=False))
        answer = self._answers.of(intent.client_order_id)
        halting.join(PATIENCE_S)
        self._judge(number, handed, called[0], returned[0], answer, len(self.server.arrived) - before)
        if number % PROTECTIVE_EVERY == 0:
            self._protect(number)

    def _judge(self, number: int, handed: int, called: int, returned: int, answer: object, arrived: int) -> None:
        figures, (passage,) = self.figures, self._watched.openings
        self._watched.openings.clear()
        self._latency_ns += 0.05 * (passage.asked - handed - self._latency_ns)
        figures.halts += 1
        figures.slowest_ms = max(figures.slowest_ms, (returned - called) / 1e6)
        figures.races += abs(passage.asked - called) <= CLOSE_NS
        figures.overlaps += passage.asked <= returned and called <= (passage.left or passage.asked)
        if passage.granted:
            figures.sent += 1
            if passage.left > returned:
                figures.wrong.append(f"trial {number}: sending until {passage.left - returned} ns after the halt")
        else:
            figures.kept_back += 1
        if arrived != passage.granted or isinstance(answer, Accepted) != passage.granted:
            figures.wrong.append(f"trial {number}: {arrived} arrived, granted {passage.granted}, answer {answer}")
        if not passage.granted and not (isinstance(answer, Refused) and not answer.by_venue):
            figures.wrong.append(f"trial {number}: kept back, and the answer is {answer}")

    def _protect(self, number: int) -> None:
        intent = self._order(number, Purpose.UNWIND)
        self._lanes.tell(SendOrders(attempt_id=intent.attempt_id, committed=(sealed(intent),), together=False))
        if isinstance(self._answers.of(intent.client_order_id), Accepted):
            self.figures.protected += 1
        else:
            self.figures.wrong.append(f"trial {number}: a protective order was stopped by the halt")


def race(halts: int, seed: int, directory: Path) -> Figures:
    arena = Arena(directory, seed)
    try:
        return arena.run(halts)
    finally:
        arena.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--halts", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # two lines per halt
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dutchbook-halts-") as directory:
        figures = race(options.halts, options.seed, Path(directory))
    sys.stdout.writelines(f"{line}\n" for line in figures.lines())
    sys.stdout.writelines(f"WRONG {words}\n" for words in figures.wrong[:20])
    sys.stdout.write(f"{'FAIL' if figures.wrong else 'PASS'} in {time.monotonic() - began:.0f} s\n")
    return 1 if figures.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
