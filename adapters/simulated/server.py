"""The exchange on a loopback port: HTTP and both WebSocket streams, one address, no other machine can reach it."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from typing import Final

from adapters.simulated import web
from adapters.simulated.desk import Manner
from adapters.simulated.exchange import InProcessExchange
from adapters.simulated.hub import Hub
from adapters.simulated.sockets import OUTBOX_BYTES, SocketPeer
from models.clock import SECOND

HOST: Final = "127.0.0.1"
NATIVE: Final = web.NativeFace()
NO_HEADERS: Final[Mapping[str, str]] = {}
BODY_MAX: Final = 1 << 20
_Connection = socket.socket | tuple[bytes, socket.socket]
"""As socketserver names it; here it is always the first."""
HTML: Final = b"<html><head><title>502 Bad Gateway</title></head><body>It is not you, it is us.</body></html>"


class SimulatedServer:
    """Owns the port, the hub and every thread. `start` returns when clients may connect."""

    def __init__(
        self,
        exchange: InProcessExchange,
        port: int = 0,
        outbox_bytes: int = OUTBOX_BYTES,
        face: web.Face = NATIVE,
    ) -> None:
        self.hub = Hub(exchange)
        self.face = face
        self.stopping = threading.Event()
        self.outbox_bytes = outbox_bytes
        self._http = _Server((HOST, port), partial(_Handler, self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="http", daemon=True)

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def rest_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{HOST}:{self.port}{self.face.market_path}"

    @property
    def user_ws_url(self) -> str:
        return f"ws://{HOST}:{self.port}{self.face.user_path}"

    def start(self) -> None:
        self.hub.start()
        self._thread.start()

    def stop(self) -> None:
        """Close the port and the connections; the exchange stays as it is and can still be read."""
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self.hub.stop()
        self.hub.hang_up()
        self._thread.join(2.0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: _Connection, client_address: object) -> None:
        """A client that went away is not an event; anything else is a fault of ours and is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection, one thread. An upgrade turns it into a WebSocket until it ends."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def __init__(self, venue: SimulatedServer, request: _Connection, address: object, server: BaseServer) -> None:
        self._venue = venue
        super().__init__(request, address, server)

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._upgrade()
        else:
            self._call()

    def do_POST(self) -> None:
        self._call()

    def do_PUT(self) -> None:
        self._call()

    def do_DELETE(self) -> None:
        self._call()

    def log_message(self, *args: object) -> None:
        """Requests are not logged: a load test makes thousands a second."""

    # -- inside

    def _call(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > BODY_MAX:
            self._respond(HTTPStatus.BAD_REQUEST, b"", "text/plain")
            self.close_connection = True
            return
        if not self._local():
            self._respond(HTTPStatus.FORBIDDEN, b"", "text/plain")
            return
        request = self._request(self.rfile.read(int(length)))
        face = self._venue.face
        answer = self._venue.hub.call(lambda exchange, now: face.answer(exchange, request, now))
        if answer.delay:
            self._venue.stopping.wait(answer.delay / SECOND)
        match answer.manner:
            case Manner.ANSWER:
                self._respond(answer.status, answer.body, headers=answer.headers)
            case Manner.ERROR:
                self._respond(HTTPStatus.INTERNAL_SERVER_ERROR, b"", "text/plain")
            case Manner.HTML:
                self._respond(HTTPStatus.BAD_GATEWAY, HTML, "text/html")
            case Manner.TRUNCATED:
                self._respond(answer.status, answer.body[: len(answer.body) // 2])
            case Manner.HANG | Manner.RESET:
                self._reset()

    def _upgrade(self) -> None:
        hub = self._venue.hub
        if not self._local():
            self._respond(HTTPStatus.FORBIDDEN, b"", "text/plain")
            return
        request = self._request(b"")
        face = self._venue.face
        if self.path not in (face.market_path, face.user_path):
            self._respond(HTTPStatus.NOT_FOUND, b"", "text/plain")
            return
        account = hub.call(lambda exchange, now: face.stream_account(exchange, request, now))
        if isinstance(account, web.Answer):
            self._respond(account.status, account.body)
            return
        if hub.call(lambda exchange, _: exchange.unavailable):
            self._respond(HTTPStatus.SERVICE_UNAVAILABLE, b"", "text/plain")
            return
        self.close_connection = True
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        peer = SocketPeer(self.connection, self._venue.outbox_bytes)
        joined: list[int] = []

        def on_open() -> bool:
            connection = hub.join(account, peer)
            if connection is not None:
                joined.append(connection)
            return connection is not None

        try:
            peer.serve(
                f"{self.requestline}\r\n{head}\r\n".encode("latin-1"),
                on_open,
                lambda message: hub.receive(joined[0], message),
            )
        finally:
            for connection in joined:
                hub.leave(connection)

    def _request(self, body: bytes) -> web.Request:
        return web.Request(self.command, self.path, self.headers, body)

    def _local(self) -> bool:
        """No page in a browser may reach the exchange, whatever name it resolves to this machine."""
        host: str = self.headers.get("Host", "")
        origin: str = self.headers.get("Origin", "")
        return host.rpartition(":")[0] in (HOST, "localhost") and origin in ("", f"http://{host}")

    def _respond(
        self, status: int, body: bytes, kind: str = "application/json", headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        """One write for head and body."""
        lines = [
            f"HTTP/1.1 {int(status)} {HTTPStatus(status).phrase}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self.wfile.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def _reset(self) -> None:
        """Close without a word (RST): what the client sent may or may not have been carried out."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
