"""A loopback WebSocket server that sends exactly the bytes a test tells it to, and a watch on the feed under test."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from adapters.clock import SystemClock
from adapters.feed import FeedEvent, FeedLimits, FeedState, FeedThread, HeartbeatPolicy
from models.clock import BootNs

TEXT, BINARY, CONT, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA

SCALE = 10
"""The shipped deadlines divided by this make the limits of most tests."""

QUICK = FeedLimits(
    handshake_s=5 / SCALE,
    connect_s=3 / SCALE,
    message_s=3 / SCALE,
    send_s=2 / SCALE,
    idle_s=0.05 / SCALE,
    backoff_initial_s=0.5 / SCALE / 5,
    backoff_max_s=30 / SCALE / 50,
)
BEAT = HeartbeatPolicy("frame", 5 / SCALE, 4 / SCALE)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = False) -> bytes:
    """One frame as a server sends it; `masked` makes the one that a server must not send."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    size, flag = len(payload), 0x80 if masked else 0
    if size < 126:
        head += bytes([flag | size])
    elif size < 1 << 16:
        head += struct.pack("!BH", flag | 126, size)
    else:
        head += struct.pack("!BQ", flag | 127, size)
    if masked:
        key = b"\x01\x02\x03\x04"
        payload = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
        head += key
    return head + payload


class Connection:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, leaving: threading.Event) -> None:
        self.sock = sock
        self.request = b""
        self._leaving = leaving
        self._unread = b""

    def read_request(self) -> bytes:
        while b"\r\n\r\n" not in self.request:
            self.request += self.sock.recv(4096) or self._gone()
        self.request, _, self._unread = self.request.partition(b"\r\n\r\n")
        return self.request

    def upgrade(self) -> bytes:
        """The right answer to the request."""
        (key,) = (line[19:] for line in self.request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    def shake_hands(self, then: bytes = b"") -> None:
        self.read_request()
        self.sock.sendall(self.upgrade() + then)

    def read_frame(self) -> tuple[int, bytes]:
        """The next frame of the client: opcode and unmasked payload."""
        head = self._exactly(2)
        size = head[1] & 0x7F
        if size == 126:
            size = int.from_bytes(self._exactly(2))
        elif size == 127:
            size = int.from_bytes(self._exactly(8))
        assert head[1] & 0x80, "a client must mask its frames"
        key, payload = self._exactly(4), self._exactly(size)
        return head[0] & 0x0F, bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))

    def reset(self) -> None:
        """End with a RST instead of a FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait(self, seconds: float) -> bool:
        """Wait; True when the test is over."""
        return self._leaving.wait(seconds)

    def hold(self) -> None:
        """Keep the connection open, reading what comes, until the client or the test ends it."""
        with contextlib.suppress(OSError):
            while not self._leaving.is_set() and self.sock.recv(65536):
                pass

    def _exactly(self, count: int) -> bytes:
        while len(self._unread) < count:
            self._unread += self.sock.recv(65536) or self._gone()
        taken, self._unread = self._unread[:count], self._unread[count:]
        return taken

    def _gone(self) -> bytes:
        raise ConnectionResetError("the client is gone")


Script = Callable[[Connection], None]


@contextlib.contextmanager
def raw_peer(*scripts: Script) -> Iterator[str]:
    """A server whose nth connection runs the nth script, the last one over and over; yields its ws:// URL."""
    leaving = threading.Event()
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(sock: socket.socket, script: Script) -> None:
        with contextlib.suppress(OSError), sock:
            script(Connection(sock, leaving))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while not leaving.is_set():
                sock, _ = listener.accept()
                connections.append(sock)
                script = scripts[min(len(connections), len(scripts)) - 1]
                thread = threading.Thread(target=serve, args=(sock, script))
                threads.append(thread)
                thread.start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/feed?x=1"
        finally:
            leaving.set()
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(5)
            for sock in connections:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(5)


@dataclass
class EchoSession:
    """A session whose events are its frames."""

    generation: int
    subscriptions: Sequence[str] = ()
    beat: HeartbeatPolicy = BEAT
    to_send: list[str] = field(default_factory=list)

    def opening(self) -> Sequence[str]:
        return self.subscriptions

    def on_text(self, frame: bytes, received_at: BootNs) -> Sequence[FeedEvent]:
        return [(self.generation, frame, received_at)]

    def heartbeat(self) -> HeartbeatPolicy:
        return self.beat

    def outgoing(self) -> Sequence[str]:
        sent, self.to_send = self.to_send, []
        return sent


class Watch:
    """Everything that a feed told, and a way to wait for it."""

    def __init__(self) -> None:
        self.states: list[FeedState] = []
        self.events: list[tuple[int, bytes, BootNs]] = []
        self.idle = 0
        self._changed = threading.Condition()

    def on_state(self, state: FeedState) -> None:
        with self._changed:
            self.states.append(state)
            self._changed.notify_all()

    def deliver(self, events: Sequence[FeedEvent]) -> None:
        with self._changed:
            for event in events:
                assert isinstance(event, tuple)
                self.events.append(event)
            self._changed.notify_all()

    def on_idle(self) -> None:
        with self._changed:
            self.idle += 1
            self._changed.notify_all()

    def until(self, condition: Callable[[], object], limit_s: float = 10.0) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, limit_s), (self.states[-4:], len(self.events))

    @property
    def texts(self) -> list[bytes]:
        return [text for _, text, _ in self.events]

    @property
    def downs(self) -> list[str]:
        return [state.reason for state in self.states if state.kind == "down"]


@contextlib.contextmanager
def a_feed(
    url: str | Callable[[], str],
    *,
    limits: FeedLimits = QUICK,
    session: Callable[[int], EchoSession] = EchoSession,
    watch: Watch | None = None,
    headers: dict[str, str] | None = None,
    start: bool = True,
) -> Iterator[tuple[FeedThread, Watch]]:
    """A feed on `url` that has stopped when the block ends."""
    watch = watch or Watch()
    feed = FeedThread(
        name="feed-under-test",
        url_provider=url if callable(url) else lambda: url,
        headers_provider=lambda: headers or {},
        session_factory=session,
        deliver=watch.deliver,
        on_state=watch.on_state,
        clock=SystemClock(),
        rng=random.Random(7),
        limits=limits,
        on_idle=watch.on_idle,
    )
    if start:
        feed.start()
    try:
        yield feed, watch
    finally:
        began = time.monotonic()
        stopped = feed.stop()
        took = time.monotonic() - began
        assert not start or (stopped and took < 1.0), f"stop() took {took:.2f} s"
