"""The socket reader for market data: one thread per connection, in charge of connecting, reading and starting again.

Everything a venue has an opinion on (subscriptions, decoding, heartbeat) is a `FeedSession`, made anew for every
connection and pure; everything about sockets is here and in `feed_socket` and `feed_frames`. The loop: connect, send
the opening frames, read; on any trouble say `down` first, so that books stop being ready at once, then drop the socket,
back off, start again under the next generation.

Deadlines (`FeedLimits`): the whole handshake 5 s, a whole message 3 s after its first byte, a pong as the session asks
(at most 10 s after the link died). The hot dispatcher of the actor system runs inside `deliver`, on this thread.
"""

from __future__ import annotations

import logging
import random
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, Protocol, TypeAlias, runtime_checkable

from adapters.feed_frames import Frames
from adapters.feed_reading import Pulse, Reading, Tally
from adapters.feed_socket import FeedStopped, FeedTrouble, Stream, Target, Wake, open_stream, verifying_context
from models.clock import BootNs, Clock, WallNs, seconds_ns

logger = logging.getLogger(__name__)

FeedEvent: TypeAlias = object
"""A decoded domain event. The reader only hands it on."""

LINK_LOSS_SEEN_S: Final = 10.0
"""A half-open link is noticed within this time, whatever a session asks for."""


@dataclass(frozen=True, slots=True)
class HeartbeatPolicy:
    """How to learn that the venue is still there: the venue's own text ping, or WebSocket's.

    `frame` sends a WebSocket ping and ignores both texts. `text` sends `ping_text` and takes a frame that equals
    `pong_text` as its answer; the session never sees that frame.
    """

    kind: Literal["text", "frame"]
    period_s: float
    pong_timeout_s: float
    ping_text: str = "PING"
    pong_text: bytes = b"PONG"

    def __post_init__(self) -> None:
        if not (self.period_s > 0 and self.pong_timeout_s > 0):
            raise ValueError("a heartbeat needs a period and a time-out above zero")
        if self.period_s + self.pong_timeout_s > LINK_LOSS_SEEN_S:
            raise ValueError(f"a dead link has to be seen within {LINK_LOSS_SEEN_S:g} s: period + time-out is longer")


class FeedSession(Protocol):
    """One connection's venue-specific half: texts in, events and texts out. No I/O, no clock, no thread of its own."""

    def opening(self) -> Sequence[str]:
        """Frames to send right after the handshake: the subscriptions."""
        ...

    def on_text(self, frame: bytes, received_at: BootNs) -> Sequence[FeedEvent]:
        """The domain events of one message. Never raises: what cannot be decoded comes back as an event.

        `received_at` is no later than the arrival of the message's last byte (earlier when we are behind).
        """
        ...

    def heartbeat(self) -> HeartbeatPolicy: ...

    def outgoing(self) -> Sequence[str]:
        """Frames that the session wants to send now, each once. Asked after every message and at every idle tick, which
        come often (`FeedLimits`) only for a `TimedSession`.
        """
        ...


@runtime_checkable
class TimedSession(FeedSession, Protocol):
    """A session with work of its own that comes with time; a plain `FeedSession` is only asked when a frame comes."""

    def due(self) -> BootNs | None:
        """When `on_idle` has something to do next. Asked whenever nothing is left to read."""
        ...

    def on_idle(self, now: BootNs) -> Sequence[FeedEvent]:
        """Events as of `now`, an instant at which nothing was left to read. Moves `due`."""
        ...


@dataclass(frozen=True, slots=True)
class FeedState:
    """What the feed is doing. `generation` counts connection attempts; events carry the one they were read under."""

    kind: Literal["connecting", "live", "down"]
    generation: int
    reason: str
    at: BootNs


@dataclass(frozen=True, slots=True)
class FeedCounters:
    """What the feed has done so far, over all its connections."""

    frames: int
    bytes: int
    binary_frames: int
    connects: int
    reconnects: int
    last_frame_at: BootNs | None
    rtt_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLimits:
    """Every limit of the reader; the defaults are what ships."""

    handshake_s: float = 5.0
    connect_s: float = 3.0
    message_s: float = 3.0
    send_s: float = 2.0
    idle_s: float = 0.05
    """Between two idle ticks where somebody has work at them; see `quiet_s`."""
    quiet_s: float = 0.5
    """And where nobody has: a thread that wakes for nothing costs more than it does, twenty times a second."""
    message_bytes: int = 1 << 20
    backoff_initial_s: float = 0.5
    backoff_max_s: float = 30.0
    healthy_s: float = 60.0
    heartbeat_s: float = LINK_LOSS_SEEN_S
    """Pings come at least this often; a session may ask for a shorter period."""
    pong_timeout_s: float = LINK_LOSS_SEEN_S
    """As long as this, or what the session asks for where that is less, until a missing answer is a dead link."""


def backoff(initial_s: float, max_s: float, rng: random.Random) -> Iterator[float]:
    """Seconds to wait before each further attempt: exponential, full jitter (uniform from zero to the bound)."""
    bound_s = initial_s
    while True:
        yield rng.uniform(0.0, min(bound_s, max_s))
        bound_s = min(2 * bound_s, max_s)


class FeedThread:
    """Keeps one market-data connection alive from `start()` until `stop()`.

    `deliver`, `on_state`, `on_idle` and `on_raw` are called on the feed thread only. `on_idle` comes at least every
    `limits.idle_s` while the connection is up and nobody is handling a frame. `on_raw` gets every message before it is
    decoded, with the wall time, for tapes.
    """

    def __init__(
        self,
        *,
        name: str,
        url_provider: Callable[[], str],
        headers_provider: Callable[[], Mapping[str, str]],
        session_factory: Callable[[int], FeedSession],
        deliver: Callable[[Sequence[FeedEvent]], None],
        on_state: Callable[[FeedState], None],
        clock: Clock,
        rng: random.Random,
        limits: FeedLimits = FeedLimits(),
        on_idle: Callable[[], None] | None = None,
        on_raw: Callable[[bytes, WallNs], None] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if tls is not None and not (tls.check_hostname and tls.verify_mode is ssl.CERT_REQUIRED):
            raise ValueError("a feed without certificate and host name checks is not offered")
        self._name = name
        self._url_provider = url_provider
        self._headers_provider = headers_provider
        self._session_factory = session_factory
        self._deliver = deliver
        self._on_state = on_state
        self._clock = clock
        self._rng = rng
        self._limits = limits
        self._on_idle = on_idle
        self._on_raw = on_raw
        self._tls = tls or verifying_context()
        self._stop = threading.Event()
        self._wake: Wake | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._generation = 0
        self._tally = Tally()

    def start(self) -> None:
        self._wake = Wake()
        self._thread.start()

    def stop(self, timeout_s: float = 0.9) -> bool:
        """End the connection and the thread, whatever the peer does. Any thread but the feed's own.

        False where the thread is still inside a name lookup or a `deliver` after `timeout_s`; it delivers nothing more
        after what it is in.
        """
        self._stop.set()
        if self._wake is not None:
            self._wake.set()
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """The thread runs. False after `start()` and before `stop()` is a fault that the watchdog has to act on."""
        return self._thread.is_alive()

    @property
    def counters(self) -> FeedCounters:
        """A snapshot; any thread."""
        tally = self._tally
        return FeedCounters(
            frames=tally.frames,
            bytes=tally.bytes,
            binary_frames=tally.binary_frames,
            connects=tally.connects,
            reconnects=max(0, tally.connects - 1),
            last_frame_at=tally.last_frame_at,
            rtt_ns=tally.rtt_ns,
        )

    # -- the loop -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        assert self._wake is not None, "start() made it"
        limits = self._limits
        delays = backoff(limits.backoff_initial_s, limits.backoff_max_s, self._rng)
        with self._wake as wake:
            while not self._stop.is_set():
                self._generation += 1
                lived_ns = self._one_connection(wake)
                if lived_ns >= seconds_ns(limits.healthy_s):
                    delays = backoff(limits.backoff_initial_s, limits.backoff_max_s, self._rng)
                self._stop.wait(next(delays))

    def _one_connection(self, wake: Wake) -> int:
        """Connect, read until trouble, drop. The nanoseconds that the connection was live."""
        self._say("connecting", "")
        stream: Stream | None = None
        frames: Frames | None = None
        live_at: BootNs | None = None
        reason = "stopped"
        try:
            url = self._url_provider()
            until = BootNs(self._clock.boot_ns() + seconds_ns(self._limits.handshake_s))
            stream = self._connect(url, wake, until)
            frames = self._frames_over(stream)
            frames.handshake(url, self._headers_provider(), until)
            session = self._session_factory(self._generation)
            for text in session.opening():
                frames.send_text(text)
            live_at = self._clock.boot_ns()
            self._tally.connects += 1
            self._say("live", "")
            self._reading(stream, frames, session, live_at).read()
        except FeedStopped:
            pass
        except FeedTrouble as trouble:
            reason = str(trouble)
        except Exception as unexpected:  # thread edge: a fault of ours or of a session must not end the feed silently
            logger.exception("feed %s failed", self._name)
            reason = f"unexpected {type(unexpected).__name__}"
        died_at = self._clock.boot_ns()
        try:
            self._say("down", reason)  # before anything that could wait: books are not ready from here on
        finally:
            if frames is not None:
                frames.close()
            elif stream is not None:
                stream.close()
        return 0 if live_at is None else died_at - live_at

    def _connect(self, url: str, wake: Wake, until: BootNs) -> Stream:
        connect_ns = seconds_ns(self._limits.connect_s)
        return open_stream(Target.of(url), self._tls, wake, self._clock, connect_ns, until)

    def _frames_over(self, stream: Stream) -> Frames:
        return Frames(
            stream,
            self._clock,
            message_bytes=self._limits.message_bytes,
            message_ns=seconds_ns(self._limits.message_s),
            send_ns=seconds_ns(self._limits.send_s),
        )

    def _reading(self, stream: Stream, frames: Frames, session: FeedSession, now: BootNs) -> Reading:
        heartbeat = session.heartbeat()
        as_text = heartbeat.kind == "text"
        timed = isinstance(session, TimedSession)
        busy = timed or self._on_idle is not None
        return Reading(
            stream=stream,
            frames=frames,
            pulse=Pulse(
                seconds_ns(min(heartbeat.period_s, self._limits.heartbeat_s)),
                seconds_ns(min(heartbeat.pong_timeout_s, self._limits.pong_timeout_s)),
                now,
            ),
            clock=self._clock,
            tally=self._tally,
            stopping=self._stop,
            idle_ns=seconds_ns(self._limits.idle_s if busy else max(self._limits.idle_s, self._limits.quiet_s)),
            send_ping=partial(frames.send_text, heartbeat.ping_text) if as_text else partial(frames.ping, b""),
            pong_text=heartbeat.pong_text if as_text else None,
            on_text=session.on_text,
            outgoing=session.outgoing,
            deliver=self._deliver,
            on_idle=self._on_idle,
            on_raw=self._on_raw,
            due=session.due if isinstance(session, TimedSession) else None,
            on_due=session.on_idle if isinstance(session, TimedSession) else None,
        )

    def _say(self, kind: Literal["connecting", "live", "down"], reason: str) -> None:
        level = logging.WARNING if kind == "down" and reason != "stopped" else logging.INFO
        logger.log(level, "feed %s: %s, connection %d %s", self._name, kind, self._generation, reason)
        self._on_state(FeedState(kind, self._generation, reason, self._clock.boot_ns()))
