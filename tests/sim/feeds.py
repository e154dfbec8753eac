"""The stream connections of a run: what `adapters.feed.FeedThread` does with a socket, done with a virtual link.

Sessions are the real ones: text frames of the exchange's own dialect go in, domain events come out. Connecting, the
deadlines, the backoff and the order of `down` before anything else follow `FeedThread`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapters.feed import FeedLimits, FeedSession, FeedState, TimedSession, backoff
from models.clock import MS, seconds_ns

if TYPE_CHECKING:
    from tests.sim.world import Bot, World


LEAST_NS = MS // 4
"""Between two looks at what comes with time."""


class Feed:
    """One feed of one process, through all its connections."""

    def __init__(
        self,
        world: World,
        bot: Bot,
        label: str,
        *,
        private: bool,
        limits: FeedLimits,
        headers: Callable[[], Mapping[str, str]],
        session: Callable[[int], FeedSession],
        deliver: Callable[[Sequence[object]], None],
        on_state: Callable[[FeedState], None],
    ) -> None:
        self.label = label
        self.private = private
        self.generation = 0
        self.line: _Line | None = None
        self.old: _Line | None = None
        self._world = world
        self._bot = bot
        self._limits = limits
        self._headers = headers
        self._session = session
        self.deliver = deliver
        self._on_state = on_state
        self._delays = self._fresh_delays()

    @property
    def live(self) -> bool:
        return self.line is not None

    def start(self) -> None:
        world = self._world
        self.generation += 1
        self._say("connecting", "")
        if world.faults.hit("link_refused", self.label):
            self._later(world.latency(), lambda: self._down("refused", 0))
        elif world.faults.hit("handshake_stall", self.label):
            self._later(seconds_ns(self._limits.handshake_s), lambda: self._down("no answer to the handshake", 0))
        else:
            world.after(2 * world.latency(), self._handshake)

    def cut(self, reason: str) -> None:
        """The link breaks: RST, EOF, a close."""
        line = self.line
        if line is not None:
            self._world.venue.leave(line.connection)
            self._world.after(self._world.latency(), lambda: self._bot.hear(lambda: line.dead(reason)))

    def tick(self) -> None:
        """What the session has to send goes out now."""
        if self.line is not None:
            self.line.send_all(self.line.session.outgoing())

    def go_silent(self, *, mid_frame: bool) -> None:
        """The link delivers nothing any more and nobody says so."""
        line = self.line
        if line is not None:
            line.mute(mid_frame=mid_frame)

    # -- inside

    def _handshake(self) -> None:
        """At the venue."""
        world = self._world
        if self._bot.over:
            return
        line = _Line(world, self._bot, self, self.generation)
        connection = world.venue.open_stream(line, self._headers(), private=self.private, now=world.now)
        if connection is None:
            self._later(world.latency(), lambda: self._down("the venue refused the handshake", 0))
            return
        line.connection = connection
        world.after(world.latency(), lambda: self._bot.hear(lambda: self._up(line)))

    def _up(self, line: _Line) -> None:
        world = self._world
        if line.gone is not None:
            self._down(line.gone, 0)
            return
        line.session = self._session(self.generation)
        line.since = self._bot.clock.boot_ns()
        self.line = line
        if self.old is not None and world.faults.hit("old_frames", self.label):
            echo = self.old
            for data in list(echo.recent):
                world.after(world.latency(), lambda data=data, echo=echo: self._bot.hear(lambda: echo.text(data)))
        line.begin()
        self._say("live", "")
        waiting, line.early = line.early, []
        for data in waiting:
            line.text(data)

    def down(self, line: _Line, reason: str) -> None:
        if self.line is line:
            self.line, self.old = None, line
            self._world.venue.leave(line.connection)
            self._down(reason, self._bot.clock.boot_ns() - line.since)

    def _down(self, reason: str, lived_ns: int) -> None:
        self._say("down", reason)
        if lived_ns >= seconds_ns(self._limits.healthy_s):
            self._delays = self._fresh_delays()
        self._bot.clock.call_after(seconds_ns(next(self._delays)), self.start)

    def _fresh_delays(self) -> Any:
        return backoff(self._limits.backoff_initial_s, self._limits.backoff_max_s, self._world.rng)

    def _say(self, kind: Any, reason: str) -> None:
        self._on_state(FeedState(kind, self.generation, reason, self._bot.clock.boot_ns()))

    def _later(self, delay_ns: int, call: Callable[[], None]) -> None:
        self._bot.clock.call_after(delay_ns, call)


class _Line:
    """One connection: frames in their order, until it is cut or falls silent."""

    def __init__(self, world: World, bot: Bot, feed: Feed, generation: int) -> None:
        self.connection = 0
        self.session: Any = None
        self.since = 0
        self.gone: str | None = None
        """It ended before the handshake's answer came in."""
        self.recent: deque[bytes] = deque(maxlen=4)
        self.early: list[bytes] = []
        """Frames that came in before the handshake's own answer was handled."""
        self._world = world
        self._bot = bot
        self._feed = feed
        self._generation = generation
        self._last_due = 0
        self._muted = False
        self._pong: bytes | None = None
        self._due: int | None = None

    # -- the venue's side

    def frame(self, data: bytes) -> None:
        if self._muted:
            return
        world = self._world
        due = self._last_due = max(self._last_due, world.now + world.latency())
        world.at(due, lambda: self._bot.hear(lambda: self.text(data)))

    def closed(self, code: int) -> None:
        due = max(self._last_due, self._world.now + self._world.latency())
        self._world.at(due, lambda: self._bot.hear(lambda: self.dead(f"closed: {code}")))

    def frozen(self, part: bytes) -> None:
        self.mute(mid_frame=bool(part))

    # -- the bot's side

    def begin(self) -> None:
        """The handshake is done."""
        self.send_all(self.session.opening())
        self._by_time()
        policy = self.session.heartbeat()
        if policy.kind == "text":
            self._pong = policy.pong_text
            self._ping(policy.ping_text, seconds_ns(min(policy.period_s, self._feed._limits.heartbeat_s)))

    def _ping(self, text: str, period_ns: int) -> None:
        """WebSocket's own pings are nobody's frames; a venue that wants text gets it."""
        if self._feed.line is self:
            self.send(text)
            self._bot.clock.call_after(period_ns, lambda: self._ping(text, period_ns))

    def text(self, data: bytes) -> None:
        feed, world = self._feed, self._world
        if self.session is None:
            self.early.append(data)
            return
        if data == self._pong:
            return
        self.recent.append(data)
        if world.faults.hit("frame_broken", feed.label):
            data = world.broken(data)
        events = self.session.on_text(data, self._bot.clock.boot_ns())
        if events:
            feed.deliver(events)
        self.send_all(self.session.outgoing())
        self._by_time()

    def _by_time(self) -> None:
        """A session may have work of its own that comes with time."""
        if not isinstance(self.session, TimedSession):
            return
        due, now = self.session.due(), self._bot.clock.boot_ns()
        if due is not None and (self._due is None or due < self._due):
            self._due = due
            self._bot.clock.call_after(max(LEAST_NS, due - now), lambda: self._idle(due))

    def _idle(self, due: int) -> None:
        """Nothing is left to read."""
        if self._due != due or self._feed.line is not self:
            return
        self._due = None
        now = self._bot.clock.boot_ns()
        at = self.session.due()
        if at is not None and at <= now and (events := self.session.on_idle(now)):
            self._feed.deliver(events)
        self.send_all(self.session.outgoing())
        self._by_time()

    def send_all(self, texts: Sequence[str]) -> None:
        for text in texts:
            self.send(text)

    def send(self, text: str) -> None:
        world, connection = self._world, self.connection
        if not self._muted and self._feed.line is self:
            world.after(world.latency(), lambda: world.venue.hear(connection, text, world.now))

    def mute(self, *, mid_frame: bool) -> None:
        """From now on nothing comes. Noticed by the deadline of the frame, or of the next ping."""
        if self._muted:
            return
        self._muted = True
        if mid_frame:
            wait_ns = seconds_ns(self._feed._limits.message_s)
        else:
            alive_ns = self._bot.clock.boot_ns() - self.since
            limits = self._feed._limits
            policy = self.session.heartbeat()
            ping_ns = seconds_ns(min(limits.heartbeat_s, policy.period_s))
            pong_ns = seconds_ns(min(limits.pong_timeout_s, policy.pong_timeout_s))
            wait_ns = ping_ns - alive_ns % ping_ns + pong_ns
        self._bot.clock.call_after(wait_ns, lambda: self.dead("no answer to a ping"))

    def dead(self, reason: str) -> None:
        if self.session is None:
            self.gone = reason
        else:
            self._feed.down(self, reason)
