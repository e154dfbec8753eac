"""Reading one live feed connection: frames to events, pings on time, idle ticks, and nothing that waits without end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from adapters.feed_frames import Frames, Kind, close_reason
from adapters.feed_socket import FeedStopped, FeedTrouble, Stream
from models.clock import SECOND, BootNs, Clock, WallNs

BATCH: Final = 256
"""Messages handled between two looks at the clock."""


@dataclass(slots=True)
class Tally:
    """A feed's running counts. Written by the feed thread only; others read single values."""

    frames: int = 0
    bytes: int = 0
    binary_frames: int = 0
    connects: int = 0
    last_frame_at: BootNs | None = None
    rtt_ns: int | None = None


class Pulse:
    """When to ping, and whether an answer is overdue. Times are `BootNs`; one ping is out at a time."""

    def __init__(self, period_ns: int, timeout_ns: int, now: BootNs) -> None:
        self._period_ns = period_ns
        self._timeout_ns = timeout_ns
        self._sent_at: BootNs | None = None
        self.next_at = BootNs(now + period_ns)

    def sent(self, now: BootNs) -> None:
        self._sent_at = now
        self.next_at = BootNs(now + self._period_ns)

    def may_send(self, now: BootNs) -> bool:
        return self._sent_at is None and now >= self.next_at

    def next_after(self, now: BootNs) -> BootNs | None:
        """When there is something to send or to judge next; None where only an overdue answer is awaited."""
        times = [self.next_at]
        if self._sent_at is not None:
            times.append(BootNs(self._sent_at + self._timeout_ns))
        return min((at for at in times if at > now), default=None)

    def answered(self, at: BootNs) -> int | None:
        """The round trip in nanoseconds; None for a pong that nobody asked for."""
        if self._sent_at is None:
            return None
        sent_at, self._sent_at = self._sent_at, None
        return at - sent_at

    def check(self, empty_at: BootNs) -> None:
        """`FeedTrouble` when no pong had come in by `empty_at`, an instant with nothing left to read, and it is late.

        An answer that waits behind unread data is not missing; a link that delivers nothing is.
        """
        if self._sent_at is not None and empty_at >= self._sent_at + self._timeout_ns:
            raise FeedTrouble(f"no answer to a ping within {self._timeout_ns / SECOND:g} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One live connection and what it is connected to. `read` is the feed thread's inner loop."""

    stream: Stream
    frames: Frames
    pulse: Pulse
    clock: Clock
    tally: Tally
    stopping: threading.Event
    idle_ns: int
    send_ping: Callable[[], None]
    pong_text: bytes | None
    """The text frame that answers a ping; None where WebSocket's own pong does."""
    on_text: Callable[[bytes, BootNs], Sequence[object]]
    outgoing: Callable[[], Sequence[str]]
    deliver: Callable[[Sequence[object]], None]
    on_idle: Callable[[], None] | None
    on_raw: Callable[[bytes, WallNs], None] | None
    due: Callable[[], BootNs | None] | None = None
    """When the session has something to do by itself; None for a session that never has."""
    on_due: Callable[[BootNs], Sequence[object]] | None = None

    def read(self) -> NoReturn:
        """Until `FeedTrouble` or `FeedStopped`; what `on_text` or `deliver` raise passes through."""
        tick_at = self.clock.boot_ns()
        while True:
            if texts := self.frames.texts(BATCH):
                self._take(texts)
            elif (found := self.frames.other()) is not None:
                self._other(*found)
            else:  # all that was read has been handled: only now can an answer be missing
                self.pulse.check(self.stream.empty_at)
                times = (tick_at, self.frames.overdue_at(), self._by_time(self.stream.empty_at))
                self.stream.fill(min(at for at in times if at is not None))
            now = self.clock.boot_ns()
            if now >= tick_at:
                tick_at = self._tick(now)

    def _take(self, texts: list[bytes]) -> None:
        arrived_at = self.stream.arrived_at
        wall = self.clock.wall_ns() if self.on_raw is not None else WallNs(0)
        for text in texts:
            if self.stopping.is_set():
                raise FeedStopped
            if text == self.pong_text:
                self._answered()
                continue
            if self.on_raw is not None:
                self.on_raw(text, wall)
            if events := self.on_text(text, arrived_at):
                self.deliver(events)
            if outgoing := self.outgoing():
                self._send(outgoing)
            self.tally.bytes += len(text)
        self.tally.frames += len(texts)
        self.tally.last_frame_at = arrived_at

    def _by_time(self, empty_at: BootNs) -> BootNs | None:
        """Let the session do what its time has come for; when the next comes."""
        if self.due is None or self.on_due is None:
            return None
        due = self.due()
        if due is None or due > empty_at:
            return due
        if events := self.on_due(empty_at):
            self.deliver(events)
        if outgoing := self.outgoing():
            self._send(outgoing)
        return self.due()

    def _other(self, kind: Kind, data: bytes) -> None:
        match kind:
            case Kind.DATA:
                self._take([data])
                self.tally.binary_frames += self.frames.binary
                self.frames.binary = 0
            case Kind.PONG if self.pong_text is None:
                self._answered()
            case Kind.CLOSE:
                raise FeedTrouble(close_reason(data))
            case Kind.PING | Kind.PONG | Kind.PIECE:
                pass  # answered already, unasked for, or incomplete

    def _answered(self) -> None:
        # By our clock now, not by `arrived_at`: that one may lie before the ping.
        rtt_ns = self.pulse.answered(self.clock.boot_ns())
        if rtt_ns is not None:
            self.tally.rtt_ns = rtt_ns

    def _tick(self, now: BootNs) -> BootNs:
        """Ping if it is time, send what the session has, let timers run; when to be called again."""
        if self.stopping.is_set():
            raise FeedStopped
        if self.pulse.may_send(now):
            self.send_ping()
            self.pulse.sent(now)
        if outgoing := self.outgoing():
            self._send(outgoing)
        if self.on_idle is not None:
            self.on_idle()
        times = (BootNs(now + self.idle_ns), self.pulse.next_after(now))
        return min(at for at in times if at is not None)

    def _send(self, texts: Sequence[str]) -> None:
        for text in texts:
            self.frames.send_text(text)
