"""The exchange at wall speed: one lock, one thread that keeps time, and the sockets that effects are carried out on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from adapters.simulated.exchange import InProcessExchange
from adapters.simulated.sockets import ping_frame
from adapters.simulated.streams import Close, Effect, Freeze, Ping, Send
from models.clock import SECOND

LONGEST_WAIT_S: Final = 0.05
SHORTEST_WAIT_S: Final = 0.001
"""Frames that are due within this time of each other leave together."""

Result = TypeVar("Result")


class Peer(Protocol):
    """One connection's socket. No method blocks; they are called under the hub's lock."""

    def send(self, data: bytes) -> None: ...

    def send_raw(self, frames: bytes) -> None: ...

    def close(self, code: int) -> None: ...

    def freeze(self, part: bytes) -> None: ...


class Hub:
    """Any thread may call. Effects are handed to the peers before the lock is given back, so their order holds."""

    def __init__(self, exchange: InProcessExchange) -> None:
        self._exchange = exchange
        self._peers: dict[int, Peer] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._ahead = time.time_ns() - time.monotonic_ns()
        """Fixed at the start, so that the exchange's clock is right then and never jumps."""
        self._thread = threading.Thread(target=self._run, name="exchange", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(2.0)

    def hang_up(self) -> None:
        """Close every stream, after `stop`."""
        with self._changed:
            for peer in self._peers.values():
                peer.close(1001)

    def now(self) -> int:
        """The exchange's clock: ns since 1970 UTC at the start, and steady from then on."""
        return time.monotonic_ns() + self._ahead

    def call(self, work: Callable[[InProcessExchange, int], Result]) -> Result:
        """Run `work(exchange, now)` with everything before it done, and carry out what it causes."""
        with self._changed:
            self._carry_out(self._exchange.advance(self.now()))
            result = work(self._exchange, self._exchange.now)
            self._carry_out(self._exchange.advance(self._exchange.now))
            self._changed.notify()
        return result

    def join(self, account: str | None, peer: Peer) -> int | None:
        """Connect a peer to the market stream, or to an account's private one; None while the venue restarts."""
        with self._changed:
            self._carry_out(self._exchange.advance(self.now()))
            if self._exchange.unavailable:
                return None
            connection = self._exchange.streams.open(account)
            self._peers[connection] = peer
            return connection

    def leave(self, connection: int) -> None:
        with self._changed:
            self._peers.pop(connection, None)
            self._exchange.streams.forget(connection)

    def receive(self, connection: int, message: bytes) -> None:
        self.call(lambda exchange, now: exchange.streams.receive(connection, message, now))

    def send_raw(self, connection: int, frames: bytes) -> None:
        """Whole frames, made elsewhere, to one peer. Only from within `call`."""
        peer = self._peers.get(connection)
        if peer is not None:
            peer.send_raw(frames)

    def _run(self) -> None:
        with self._changed:
            while not self._stopping:
                now = self.now()
                self._carry_out(self._exchange.advance(now))
                wait_s = (self._exchange.next_due() - self.now()) / SECOND
                self._changed.wait(min(max(wait_s, SHORTEST_WAIT_S), LONGEST_WAIT_S))

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            peer = self._peers.get(effect.connection)
            if peer is None:
                continue
            match effect:
                case Send(_, data):
                    peer.send(data)
                case Close(_, code):
                    peer.close(code)
                case Freeze(_, part):
                    peer.freeze(part)
                case Ping(_, body):
                    peer.send_raw(ping_frame(body))
