"""A session with work of its own: done when its time has come, never while something waits to be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.feed import FeedEvent, TimedSession
from models.clock import MS, BootNs
from tests.raw_peer import TEXT, Connection, EchoSession, a_feed, frame, raw_peer

HELD_NS = 30 * MS
NEVER = BootNs(0)


@dataclass
class Holds(EchoSession):
    """Keeps each frame until `HELD_NS` of silence, then tells the last one, and says so to the venue."""

    held: bytes | None = None
    until: BootNs = NEVER

    def on_text(self, frame: bytes, received_at: BootNs) -> Sequence[FeedEvent]:
        self.held, self.until = frame, BootNs(received_at + HELD_NS)
        return ()

    def due(self) -> BootNs | None:
        return None if self.held is None else self.until

    def on_idle(self, now: BootNs) -> Sequence[FeedEvent]:
        assert self.held is not None
        assert now >= self.until
        told, self.held = self.held, None
        self.to_send.append("told " + told.decode())
        return [(self.generation, told, now)]


def test_a_plain_session_is_not_timed() -> None:
    assert isinstance(Holds(1), TimedSession)
    assert not isinstance(EchoSession(1), TimedSession)


def test_what_a_session_held_is_told_when_its_time_has_come_and_answered() -> None:
    heard: list[bytes] = []

    def script(peer: Connection) -> None:
        peer.shake_hands(then=frame(TEXT, b"one") + frame(TEXT, b"two"))
        heard.append(peer.read_frame()[1])
        peer.sock.sendall(frame(TEXT, b"three"))
        heard.append(peer.read_frame()[1])
        peer.hold()

    with raw_peer(script) as url, a_feed(url, session=Holds) as (_, watch):
        watch.until(lambda: len(watch.events) == 2)

    assert watch.texts == [b"two", b"three"]
    assert heard == [b"told two", b"told three"]


def test_data_that_waits_is_read_before_silence_is_believed() -> None:
    """A handler that takes longer than the silence must not turn what came meanwhile into a late word."""

    @dataclass
    class Slow(Holds):
        def on_text(self, frame: bytes, received_at: BootNs) -> Sequence[FeedEvent]:
            if frame == b"one":
                peers[0].sock.sendall(b"".join(text(b"%d" % n) for n in range(50)))
                peers[0].wait(0.06)
            return super().on_text(frame, received_at)

    def text(payload: bytes) -> bytes:
        return frame(TEXT, payload)

    peers: list[Connection] = []

    def script(peer: Connection) -> None:
        peer.shake_hands()
        peers.append(peer)
        peer.sock.sendall(text(b"one"))
        peer.hold()

    with raw_peer(script) as url, a_feed(url, session=Slow) as (_, watch):
        watch.until(lambda: watch.events)

    assert watch.texts == [b"49"]
