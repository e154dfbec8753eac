"""A tape as a venue on a loopback port: the market channel plays it through a real socket, REST answers from its books.

The tape stands still until somebody subscribes, and again around every snapshot: it waits until the frames before it
have left, answers, and goes on a moment later, so that what a client reads over REST and what it has heard over the
socket are of one moment. After the last frame every socket is closed, REST goes on answering.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from typing import Any, Final

import msgspec

from adapters.polymarket.dialect.tape_venue import TapeVenue
from adapters.simulated.sockets import SocketPeer
from adapters.tape import TapeError, TapeLine
from models.clock import SECOND
from models.first_use import make_structs_ready

logger = logging.getLogger(__name__)

HOST: Final = "127.0.0.1"
MARKET_PATH: Final = "/ws/market"
BODY_MAX: Final = 1 << 20
QUEUE_BYTES: Final = 256 * 1024
"""Frames that may wait for a slow reader before the tape waits for it, too."""
SETTLE_S: Final = 0.03
"""Around a snapshot: time for the client to work off what it has received."""
DRAIN_S: Final = 2.0
POLL_S: Final = 0.002
PING_SILENCE_S: Final = 30.0
"""A socket that sends no PING for this long is closed (polymarket.md 15.1; the venue's own limit is not published)."""
GOING_AWAY: Final = 1001
NO_PING: Final = 1008

_Said = Callable[[dict[str, Any]], None]


class _Order(msgspec.Struct):
    """What a client says on the market channel."""

    assets_ids: list[str] = []
    type: str = ""
    operation: str = ""


class _Client:
    def __init__(self, peer: SocketPeer) -> None:
        self.peer = peer
        self.tokens: set[str] = set()
        self.pinged_at = time.monotonic()


class TapeServer:
    """Owns the port and the thread that plays. `say` is told when the tape has ended."""

    def __init__(self, venue: TapeVenue, lines: Iterable[TapeLine], speed: float | None, port: int, say: _Said) -> None:
        """`speed` is a multiple of the recorded pace, None as fast as the clients read. Raises `OSError`."""
        self._venue = venue
        self._lines = lines
        self._speed = speed
        self._say = say
        self._changed = threading.Condition()
        self._clients: list[_Client] = []
        self._snapshots = 0
        self._still_until = 0.0
        self._between = False
        """Behind a recorded `close`: the next connection's first books are on the tape."""
        self._stopping = False
        self.frames = 0
        self.ended = False
        self._http = _Server((HOST, port), partial(_Handler, self))
        self._listener = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="http", daemon=True)
        self._player = threading.Thread(target=self._play, name="tape", daemon=True)

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def rest_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{HOST}:{self.port}{MARKET_PATH}"

    def start(self) -> None:
        self._listener.start()
        self._player.start()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._player.join(2.0)
        self._hang_up(GOING_AWAY)
        self._http.shutdown()
        self._http.server_close()
        self._listener.join(2.0)

    # -- clients, on the threads of the HTTP server

    def snapshot(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """A REST answer while the tape stands still."""
        with self._changed:
            self._snapshots += 1
            clients = list(self._clients)
        try:
            deadline = time.monotonic() + DRAIN_S
            while any(client.peer.queued_bytes for client in clients) and time.monotonic() < deadline:
                self._wait(POLL_S)
            self._wait(SETTLE_S)
            with self._changed:
                return self._venue.answer(method, target, body)
        finally:
            with self._changed:
                self._snapshots -= 1
                self._still_until = time.monotonic() + SETTLE_S
                self._changed.notify_all()

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        with self._changed:
            return self._venue.answer(method, target, body)

    def join(self, client: _Client) -> bool:
        with self._changed:
            if self.ended or self._stopping:
                return False
            self._clients.append(client)
            return True

    def leave(self, client: _Client) -> None:
        with self._changed:
            if client in self._clients:
                self._clients.remove(client)

    def receive(self, client: _Client, text: bytes) -> None:
        """PING, or a subscription. Anything else is ignored, as unknown operations are."""
        if text == b"PING":
            client.pinged_at = time.monotonic()
            client.peer.send(b"PONG")
            return
        try:
            order = msgspec.json.decode(text, type=_Order)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return
        with self._changed:
            if order.operation == "unsubscribe":
                client.tokens -= set(order.assets_ids)
                return
            fresh = [token for token in order.assets_ids if token in self._venue.tokens - client.tokens]
            client.tokens |= set(fresh)
            dump = None if self._between else self._venue.dump(fresh)
            if dump is not None:
                client.peer.send(dump)
            self._changed.notify_all()

    # -- the tape, on its own thread

    def _play(self) -> None:
        began_s: float | None = None
        first_ns = 0
        try:
            for line in self._lines:
                if not self._until(self._listened_to):
                    return
                if began_s is None:
                    began_s, first_ns = time.monotonic(), line.event.t
                if self._speed is not None:
                    due_s = began_s + (line.event.t - first_ns) / SECOND / self._speed
                    if not self._until(lambda due_s=due_s: time.monotonic() >= due_s, due_s):  # type: ignore[misc]
                        return
                if not self._until(self._free):
                    return
                self._perform(line)
        except TapeError as error:
            logger.error("%s", error)  # noqa: TRY400  the reason says it all
        self._end()

    def _perform(self, line: TapeLine) -> None:
        event = line.event
        with self._changed:
            self._venue.now_ns = max(self._venue.now_ns, event.t)
            if event.x == "frame":
                tokens = self._venue.apply(event.d)
                self.frames += 1
                for client in self._clients:
                    if client.tokens and (tokens is None or tokens & client.tokens):
                        client.peer.send(event.d.encode())
            elif event.x == "open" and self._between:
                self._between = False
                self._venue.forget()
            elif event.x == "close":
                self._between = True
        if event.x == "close":
            self._hang_up(GOING_AWAY)

    def _end(self) -> None:
        with self._changed:
            self.ended = True
        self._hang_up(GOING_AWAY)
        self._say({"tape_ended": True, "frames": self.frames})

    def _hang_up(self, code: int) -> None:
        with self._changed:
            clients, self._clients = self._clients, []
        for client in clients:
            client.peer.close(code)

    def _listened_to(self) -> bool:
        return any(client.tokens for client in self._clients)

    def _free(self) -> bool:
        """Nobody takes a snapshot, and no reader is far behind."""
        standing = self._snapshots > 0 or time.monotonic() < self._still_until
        return not standing and all(client.peer.queued_bytes <= QUEUE_BYTES for client in self._clients)

    def _until(self, condition: Callable[[], bool], due_s: float | None = None) -> bool:
        """Wait for a condition; False where the server stops. Looks again every few milliseconds."""
        with self._changed:
            while not self._stopping:
                if condition():
                    return True
                self._drop_the_silent()
                left_s = POLL_S if due_s is None else max(POLL_S, min(0.1, due_s - time.monotonic()))
                self._changed.wait(left_s)
            return False

    def _drop_the_silent(self) -> None:
        now = time.monotonic()
        for client in [client for client in self._clients if now - client.pinged_at > PING_SILENCE_S]:
            self._clients.remove(client)
            client.peer.close(NO_PING)

    def _wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class _Handler(BaseHTTPRequestHandler):
    """One connection, one thread. An upgrade turns it into a WebSocket until it ends."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def __init__(self, venue: TapeServer, request: Any, address: object, server: BaseServer) -> None:
        self._venue = venue
        super().__init__(request, address, server)

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._upgrade()
        else:
            self._call()

    def do_POST(self) -> None:
        self._call()

    def log_message(self, *args: object) -> None:
        """Requests are not logged."""

    def _call(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > BODY_MAX:
            self.close_connection = True
            self._respond(HTTPStatus.BAD_REQUEST, b"{}")
            return
        body = self.rfile.read(int(length))
        books = self.path.startswith(("/books", "/book?"))
        answer = self._venue.snapshot if books else self._venue.answer
        self._respond(*answer(self.command, self.path, body))

    def _upgrade(self) -> None:
        if self.path != MARKET_PATH or self._venue.ended:
            self._respond(HTTPStatus.NOT_FOUND if self.path != MARKET_PATH else HTTPStatus.SERVICE_UNAVAILABLE, b"{}")
            return
        self.close_connection = True
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        peer = SocketPeer(self.connection)
        client = _Client(peer)
        try:
            peer.serve(
                f"{self.requestline}\r\n{head}\r\n".encode("latin-1"),
                lambda: self._venue.join(client),
                lambda message: self._venue.receive(client, message),
            )
        finally:
            self._venue.leave(client)

    def _respond(self, status: int, body: bytes) -> None:
        phrase = HTTPStatus(status).phrase
        kind = "application/json"
        head = f"HTTP/1.1 {int(status)} {phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)


make_structs_ready(globals())
