"""HTTP calls that may change something at a venue: gated, sent once, ended in time, and honest about what is not known.

A call ends in one of three ways: an answer, `NotSentError` (not one byte of the request left), or `AnswerLostError`
(bytes may have left; only the venue knows what became of them). Nothing is ever sent twice, no redirect is followed, no
proxy variable and no ~/.netrc is obeyed (reliability.md 4.3, T13 to T15), and the deadline holds for the whole call,
not per socket operation.

The gate is entered with the connection up and the request's bytes ready, and held over one `sendall` only.
"""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from requests import PreparedRequest, RequestException
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from adapters.venue import GateEntry
from models.hostile import says_twice

TOTAL_S: Final = 5.0
CONNECT_S: Final = 3.0
SEND_S: Final = 0.5
"""Longest time that a send may hold the gate."""
BODY_MAX: Final = 1 << 20
_CHUNK: Final = 1 << 16


class NotSentError(Exception):
    """Nothing of the request left this process. The text is ours."""


class GateClosedError(NotSentError):
    """The gate did not let the request out: halted, or no permit."""


class AnswerLostError(Exception):
    """The request or a part of it may have left, and no usable answer came back. The text is ours."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class GatedSession:
    """One keep-alive connection per host. Owned by one thread at a time."""

    def __init__(self, *, total_s: float = TOTAL_S) -> None:
        self._total_s = total_s
        self._wire = _Wire()
        self._transport = _Transport(self._wire)

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        gate: GateEntry | None = None,
    ) -> HttpAnswer:
        """Send one request and read its answer, whatever its status. A body is JSON.

        Raises `NotSentError`, `GateClosedError` or `AnswerLostError`.
        """
        self._wire.begin(time.monotonic() + self._total_s, gate)
        try:
            response = self._transport.send(
                _prepared(method, url, headers or {}, body),
                stream=True,
                timeout=(min(CONNECT_S, self._total_s), self._total_s),
                verify=True,
            )
        except GateClosedError:
            raise
        except (RequestException, HTTPError, OSError, ValueError) as error:
            # The exception's own text has the URL with its query in it.
            raise self._failed(type(error).__name__) from None
        try:
            encoding = response.headers.get("Content-Encoding", "identity")
            if encoding != "identity":
                raise AnswerLostError("the answer is compressed although that was declined")
            content = self._content(response.raw)
            if says_twice(content):
                raise AnswerLostError("the answer names a key twice")
            return HttpAnswer(response.status_code, response.headers, content)
        except (RequestException, HTTPError, OSError, ValueError) as error:
            raise self._failed(type(error).__name__) from None
        finally:
            response.close()

    def close(self) -> None:
        self._transport.close()

    # -- inside

    def _content(self, raw: Any) -> bytes:
        pieces: list[bytes] = []
        length = 0
        while piece := raw.read(_CHUNK, decode_content=False):
            pieces.append(piece)
            length += len(piece)
            if length > BODY_MAX:
                raise AnswerLostError(f"the answer is larger than {BODY_MAX} bytes")
        return b"".join(pieces)

    def _failed(self, why: str) -> Exception:
        if not self._wire.sent:
            return NotSentError(f"not sent: {why}")
        late = time.monotonic() >= self._wire.deadline
        return AnswerLostError("no complete answer in time" if late else f"no usable answer: {why}")


class GatedSessions:
    """A `GatedSession` of its own for every thread that calls."""

    def __init__(self, *, total_s: float = TOTAL_S) -> None:
        self._total_s = total_s
        self._of_thread = threading.local()

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        gate: GateEntry | None = None,
    ) -> HttpAnswer:
        """As `GatedSession.call`."""
        session: GatedSession | None = getattr(self._of_thread, "session", None)
        if session is None:
            session = self._of_thread.session = GatedSession(total_s=self._total_s)
        return session.call(method, url, headers=headers, body=body, gate=gate)

    def close(self) -> None:
        """Close this thread's connection."""
        session: GatedSession | None = getattr(self._of_thread, "session", None)
        if session is not None:
            session.close()


class _Wire:
    """What the call under way needs deep inside urllib3: its deadline, its gate, and whether a byte has left."""

    def __init__(self) -> None:
        self.deadline = 0.0
        self.sent = False
        self._gate: GateEntry | None = None

    def begin(self, deadline: float, gate: GateEntry | None) -> None:
        self.deadline = deadline
        self.sent = False
        self._gate = gate

    def left_s(self) -> float:
        """Time until the deadline; raises `TimeoutError` after it."""
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the call's deadline has passed")
        return left_s

    def send(self, sock: socket.socket, data: bytes) -> None:
        """The whole request in one `sendall`, through the gate where there is one."""
        sock.settimeout(min(SEND_S, self.left_s()))
        gate = self._gate() if self._gate is not None else contextlib.nullcontext(enter_result=True)
        with gate as may_go:
            if not may_go:
                raise GateClosedError("the gate is closed")
            self.sent = True
            sock.sendall(data)


class _DeadlineReader(io.RawIOBase):
    """A socket's reading end on which every read gets what is left of the call's time."""

    def __init__(self, sock: socket.socket, wire: _Wire) -> None:
        self._socket = sock
        self._wire = wire
        self._inner = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(self._wire.left_s())
        return self._inner.readinto(buffer)

    def close(self) -> None:
        self._inner.close()
        super().close()


class _TimedSocket:
    """A connected socket whose answers are read under the deadline; all else is the socket's own."""

    def __init__(self, sock: socket.socket, wire: _Wire) -> None:
        self._socket = sock
        self._wire = wire

    def makefile(self, mode: str, *_: Any, **__: Any) -> io.BufferedReader:
        assert mode == "rb", "only answers are read as a file"
        return io.BufferedReader(_DeadlineReader(self._socket, self._wire))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class _GatedHTTP(HTTPConnection):
    """Gathers a request's pieces, connects, then sends it in one go."""

    wire: _Wire
    sock: Any

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._pieces: list[bytes] | None = []
        super().request(*args, **kwargs)
        data, self._pieces = b"".join(self._pieces), None
        if self.sock is None:
            self.connect()
        self.wire.send(self.sock, data)

    def send(self, data: Any) -> None:
        assert self._pieces is not None, "bytes outside of a request"
        self._pieces.append(bytes(data))

    def connect(self) -> None:
        super().connect()
        self.sock = _TimedSocket(self.sock, self.wire)


class _GatedHTTPS(_GatedHTTP, HTTPSConnection):
    """The same over TLS: `super().connect()` is `HTTPSConnection`'s here."""


class _Transport(HTTPAdapter):
    """requests' own transport below its session: no redirect, cookie, proxy or .netrc logic is in the way."""

    def __init__(self, wire: _Wire) -> None:
        self._classes = {
            "http": type("Pool", (HTTPConnectionPool,), {"ConnectionCls": _bound(_GatedHTTP, wire)}),
            "https": type("Pool", (HTTPSConnectionPool,), {"ConnectionCls": _bound(_GatedHTTPS, wire)}),
        }
        super().__init__(pool_connections=2, pool_maxsize=1, max_retries=Retry(0, read=False))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._classes


def _bound(connection: type, wire: _Wire) -> type:
    return type(connection.__name__, (connection,), {"wire": wire})


def _prepared(method: str, url: str, headers: Mapping[str, str], body: bytes) -> PreparedRequest:
    """A request whose bytes are exactly what the caller signed."""
    prepared = PreparedRequest()
    prepared.method = method
    prepared.url = url
    prepared.headers = CaseInsensitiveDict({"Accept": "application/json", "Accept-Encoding": "identity", **headers})
    if body or method not in ("GET", "DELETE"):
        prepared.headers["Content-Length"] = str(len(body))
    if body:
        prepared.headers["Content-Type"] = "application/json"
    prepared.body = body or None
    return prepared
