"""HTTP reads that end: one total deadline for the whole call, a capped body, no redirect, no retry, no proxy.

`requests` alone keeps none of these promises (reliability.md 4.3 and T13 to T15): its time-outs hold per socket
operation, so a peer that trickles lasts for ever; it follows redirects, reads ~/.netrc and obeys proxy variables. Here
a timer shuts the socket down when the deadline passes, whatever the peer does. A name lookup is the one wait that
cannot be cut short.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from adapters.rate import RateBudget, retry_after_ns
from adapters.venue import VenueReadError, VenueReadRefusedError
from models.clock import SECOND
from models.hostile import clean, says_twice

TOTAL_S: Final = 5.0
CONNECT_S: Final = 3.0
BODY_MAX: Final = 16 * 1024 * 1024
"""A hundred full books are about 1 MiB, a catalog page about 4."""

_CHUNK: Final = 64 * 1024
_REPEATABLE: Final = frozenset({408, 425, 429})
"""4xx answers that say "later": time-out, engine restarting, too many requests. 5xx says it too."""

Params = Sequence[tuple[str, str]]
NO_HEADERS: Final[Mapping[str, str]] = {}


class HttpReader:
    """Reads of one venue over one keep-alive session. Calls from several threads take turns."""

    def __init__(self, budget: RateBudget, *, total_s: float = TOTAL_S, body_max: int = BODY_MAX) -> None:
        self._budget = budget
        self._total_s = total_s
        self._body_max = body_max
        self._turn = threading.Lock()
        self._closing = threading.Event()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({"Accept-Encoding": "identity", "Accept": "application/json"})
        self._session.mount("http://", _CuttableAdapter())
        self._session.mount("https://", _CuttableAdapter())

    def get(
        self,
        url: str,
        params: Params = (),
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        on_header: Callable[[str, str], None] | None = None,
    ) -> bytes:
        """The body of a 2xx answer, whose headers `on_header` is shown. Raises `VenueReadError` or
        `VenueReadRefusedError`; both texts are ours.
        """
        return self._call("GET", url, params, None, headers, on_header)

    def post(self, url: str, body: object) -> bytes:
        """As `get`, for a read that wants a JSON body. Never used for anything that changes the venue."""
        return self._call("POST", url, (), json.dumps(body, separators=(",", ":")).encode())

    def close(self) -> None:
        self._closing.set()
        self._session.close()

    # -- inside

    def _call(
        self,
        method: str,
        url: str,
        params: Params,
        body: bytes | None,
        headers: Mapping[str, str] = NO_HEADERS,
        on_header: Callable[[str, str], None] | None = None,
    ) -> bytes:
        what = f"{method} {_path(url)}"
        self._wait_for_budget(what)
        if not self._turn.acquire(timeout=self._total_s):
            raise VenueReadError(f"{what}: earlier reads take too long")
        cut = _Cut()
        timer = threading.Timer(self._total_s, cut.now)
        timer.daemon = True
        _calls.cut = cut
        timer.start()
        try:
            content = self._read(what, method, url, params, body, headers, on_header)
        except (requests.RequestException, HTTPError, OSError) as error:
            # The exception's own text has the URL with its query in it.
            late = cut.done or isinstance(error, requests.ReadTimeout)  # of a silent peer: both end at the same time
            why = f"no complete answer within {self._total_s:g} s" if late else type(error).__name__
            raise VenueReadError(f"{what}: {why}") from None
        else:
            if cut.done:  # an answer without a length looks complete when its connection is shut
                raise VenueReadError(f"{what}: no complete answer within {self._total_s:g} s")
            return content
        finally:
            timer.cancel()
            _calls.cut = None
            self._turn.release()

    def _read(
        self,
        what: str,
        method: str,
        url: str,
        params: Params,
        body: bytes | None,
        extra: Mapping[str, str],
        on_header: Callable[[str, str], None] | None,
    ) -> bytes:
        headers = {**extra, "Content-Type": "application/json"} if body is not None else dict(extra)
        with self._session.request(
            method,
            url,
            params=list(params),
            data=body,
            headers=headers,
            timeout=(min(CONNECT_S, self._total_s), self._total_s),
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise VenueReadError(f"{what}: compressed although that was declined")
            content = self._content(what, response)
            self._judge(what, response, content)
            if says_twice(content):
                raise VenueReadError(f"{what}: the answer names a key twice")
            if on_header is not None:
                for name, value in response.headers.items():
                    on_header(name, value)
            return content

    def _content(self, what: str, response: requests.Response) -> bytes:
        pieces: list[bytes] = []
        length = 0
        while piece := response.raw.read1(_CHUNK):
            pieces.append(piece)
            length += len(piece)
            if length > self._body_max:
                raise VenueReadError(f"{what}: an answer above {self._body_max} bytes")
        return b"".join(pieces)

    def _judge(self, what: str, response: requests.Response, content: bytes) -> None:
        status = response.status_code
        if 200 <= status < 300:
            return
        if status == 429:
            self._budget.pause(retry_after_ns(response.headers.get("Retry-After", "")) or SECOND)
        text = clean(content[:400].decode("utf-8", "replace"), 120)
        if status >= 500 or status in _REPEATABLE:
            raise VenueReadError(f"{what}: HTTP {status} {text}")
        if 300 <= status < 400:
            raise VenueReadRefusedError(f"{what}: HTTP {status}, a redirect, which is not followed")
        raise VenueReadRefusedError(f"{what}: HTTP {status} {text}")

    def _wait_for_budget(self, what: str) -> None:
        waited_ns, limit_ns = 0, round(self._total_s * SECOND)
        while missing_ns := self._budget.take():
            if waited_ns + missing_ns > limit_ns or self._closing.wait(missing_ns / SECOND):
                raise VenueReadError(f"{what}: the rate budget is used up")
            waited_ns += missing_ns


def _path(url: str) -> str:
    return clean(url.split("?", 1)[0].split("://", 1)[-1], 120)


# -- how a deadline ends a call that waits in the kernel


class _Cut:
    """One call's emergency brake: knows the connection that the call uses, and shuts its socket from the timer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: HTTPConnection | None = None
        self._socket: Any = None
        self.done = False

    def watch(self, connection: HTTPConnection) -> None:
        """The socket itself is kept, too: a connection lets go of it while the rest of an answer is still read."""
        with self._lock:
            self._connection = connection
            self._socket = connection.sock
            if self.done:
                self._shut()

    def now(self) -> None:
        with self._lock:
            self.done = True
            self._shut()

    def _shut(self) -> None:
        sock = self._socket
        if sock is None and self._connection is not None:
            sock = self._connection.sock  # in the middle of connecting, TLS included
        if sock is not None:
            # The plain socket's shutdown, also under TLS: the reader's TLS state is the reader's alone.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


_calls: Final = threading.local()
"""`.cut` is the brake of the call that this thread is in. urllib3 has no argument that would carry it there."""


class _CuttableHTTP(HTTPConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        _watch(self)
        super().request(*args, **kwargs)

    def connect(self) -> None:
        super().connect()
        _watch(self)


class _CuttableHTTPS(HTTPSConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        _watch(self)
        super().request(*args, **kwargs)

    def connect(self) -> None:
        super().connect()
        _watch(self)


def _watch(connection: HTTPConnection) -> None:
    cut: _Cut | None = getattr(_calls, "cut", None)
    if cut is not None:
        cut.watch(connection)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _CuttableHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _CuttableHTTPS


class _CuttableAdapter(HTTPAdapter):
    def __init__(self) -> None:
        super().__init__(pool_connections=4, pool_maxsize=1, max_retries=Retry(0, read=False))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
