"""HTTP reads against peers that misbehave: each ends within the deadline, with our own error and nobody's secret."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.clock import SystemClock
from adapters.http import HttpReader
from adapters.rate import RateBudget
from adapters.venue import VenueReadError, VenueReadRefusedError
from tests.certificates import certificate, serving

Peer = Callable[[socket.socket, bytes], None]


@contextmanager
def a_peer(behave: Peer, *, reads_first: bool = True) -> Iterator[str]:
    """A server that hands every connection's request to `behave` on a thread of its own; the bare connection where it
    does not read first.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                while reads_first and (request := read_request(connection)):
                    behave(connection, request)
                if not reads_first:
                    behave(connection, b"")
            except OSError:
                return

    def accept() -> None:
        while not stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stopping.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65_536)
        if not piece:
            return b""
        data += piece
    return data


def answering(raw: bytes) -> Peer:
    return lambda connection, _: connection.sendall(raw)


def response(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def a_reader(**limits: float) -> HttpReader:
    clock = SystemClock()
    settings = {"total_s": 0.6, **limits}
    return HttpReader(RateBudget(clock, 1_000), **settings)  # type: ignore[arg-type]


def test_a_read_returns_the_body_and_reuses_the_connection() -> None:
    requests: list[bytes] = []

    def behave(connection: socket.socket, request: bytes) -> None:
        requests.append(request)
        connection.sendall(response("200 OK", b"[1]"))

    with a_peer(behave) as url:
        reader = a_reader()
        assert reader.get(f"{url}/book", (("token_id", "7"),)) == b"[1]"
        assert reader.post(f"{url}/books", [{"token_id": "7"}]) == b"[1]"
        reader.close()

    assert requests[0].startswith(b"GET /book?token_id=7 HTTP/1.1\r\n")
    assert requests[1].startswith(b"POST /books HTTP/1.1\r\n")
    assert b"Accept-Encoding: identity" in requests[0]


def silent(connection: socket.socket, _: bytes) -> None:
    connection.recv(1)


def trickling_headers(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"x")
        threading.Event().wait(0.05)


def trickling_body(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        threading.Event().wait(0.05)


def endless_body_without_length(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[")
    while True:
        connection.sendall(b"1,")
        threading.Event().wait(0.05)


@pytest.mark.parametrize("peer", [silent, trickling_headers, trickling_body, endless_body_without_length])
def test_a_peer_that_takes_its_time_is_cut_off_at_the_total_deadline(peer: Peer) -> None:
    with a_peer(peer) as url:
        began = time.monotonic()
        with pytest.raises(VenueReadError, match=r"no complete answer within 0\.6 s"):
            a_reader().get(f"{url}/slow")

    assert time.monotonic() - began < 2.0


def test_the_deadline_holds_under_tls_too(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "localhost", None)
    context = serving(pem)

    def over_tls(connection: socket.socket, _: bytes) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            read_request(secure)
            trickling_body(secure, b"")

    with a_peer(over_tls, reads_first=False) as url:
        reader = a_reader()
        reader._session.verify = str(pem)
        began = time.monotonic()
        with pytest.raises(VenueReadError, match="no complete answer within"):
            reader.get(url.replace("http://127.0.0.1", "https://localhost"))

    assert time.monotonic() - began < 2.0


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    context = serving(certificate(tmp_path, "localhost", None))

    def over_tls(connection: socket.socket, _: bytes) -> None:
        with context.wrap_socket(connection, server_side=True):
            pass

    with a_peer(over_tls, reads_first=False) as url, pytest.raises(VenueReadError, match="SSLError"):
        a_reader().get(url.replace("http://127.0.0.1", "https://localhost"))


def test_the_next_read_works_after_one_that_was_cut_off() -> None:
    answers = iter([b"", response("200 OK", b"ok")])

    def behave(connection: socket.socket, _: bytes) -> None:
        raw = next(answers)
        connection.sendall(raw) if raw else connection.recv(1)

    with a_peer(behave) as url:
        reader = a_reader()
        with pytest.raises(VenueReadError):
            reader.get(url)
        assert reader.get(url) == b"ok"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (response("500 Internal Server Error", b"oops"), "HTTP 500 oops"),
        (response("425 Too Early"), "HTTP 425"),
        (response("429 Too Many Requests", b"", "Retry-After: 1"), "HTTP 429"),
        (response("503 Service Unavailable", b"<html>\x1b[2J"), "HTTP 503"),
        (response("200 OK", b'{"cash": "1", "cash": "2"}'), "names a key twice"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "no complete answer|IncompleteRead|ProtocolError"),
        (b"not http at all\r\n\r\n", "ConnectionError"),
        (response("200 OK", gzip.compress(b"x" * 1_000, mtime=0), "Content-Encoding: gzip"), "compressed although"),
    ],
)
def test_what_may_go_well_later_is_a_read_error(raw: bytes, message: str) -> None:
    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)

    with a_peer(behave) as url, pytest.raises(VenueReadError, match=message) as caught:
        a_reader().get(f"{url}/books", (("secret", "s3cr3t"),))

    assert "s3cr3t" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found"])
def test_a_definite_no_is_a_refusal(status: str) -> None:
    with a_peer(answering(response(status, b'{"error":"no"}'))) as url, pytest.raises(VenueReadRefusedError):
        a_reader().get(url)


def test_a_redirect_is_refused_and_not_followed() -> None:
    asked: list[bytes] = []

    def elsewhere(connection: socket.socket, request: bytes) -> None:
        asked.append(request)
        connection.sendall(response("200 OK"))

    with a_peer(elsewhere) as other:
        redirect = response("307 Temporary", b"", f"Location: {other}/x")
        with a_peer(answering(redirect)) as url, pytest.raises(VenueReadRefusedError, match="redirect"):
            a_reader().post(url, {})

    assert asked == []


def test_an_answer_above_the_cap_ends_there() -> None:
    def flood(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    with a_peer(flood) as url, pytest.raises(VenueReadError, match="above 100000 bytes"):
        a_reader(body_max=100_000).get(url)


def test_nobody_listening_is_a_read_error() -> None:
    with pytest.raises(VenueReadError, match="ConnectionError"):
        a_reader().get("http://127.0.0.1:1/time")


def test_neither_proxy_variables_nor_netrc_are_obeyed(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".netrc").write_text("machine 127.0.0.1 login me password s3cr3t\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    seen: list[bytes] = []

    def behave(connection: socket.socket, request: bytes) -> None:
        seen.append(request)
        connection.sendall(response("200 OK", b"ok"))

    with a_peer(behave) as url:
        assert a_reader().get(url) == b"ok"

    assert b"Authorization" not in seen[0]


def test_a_used_up_budget_is_said_and_nothing_is_sent() -> None:
    asked: list[bytes] = []

    def behave(connection: socket.socket, request: bytes) -> None:
        asked.append(request)
        connection.sendall(response("429 Too Many Requests", b"", "Retry-After: 30"))

    with a_peer(behave) as url:
        reader = a_reader()
        with pytest.raises(VenueReadError, match="HTTP 429"):
            reader.get(url)
        with pytest.raises(VenueReadError, match="rate budget"):
            reader.get(url)

    assert len(asked) == 1
