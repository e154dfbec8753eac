"""Calls that may change something: gated, sent once, ended in time, and honest about what is not known."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.http_calls import AnswerLostError, GateClosedError, GatedSession, NotSentError
from tests.certificates import certificate, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
Script = Callable[[socket.socket], None]


@dataclass
class Peer:
    """What arrived at a hand-made server."""

    url: str = ""
    received: list[bytes] = field(default_factory=list)
    connections: int = 0


@contextlib.contextmanager
def a_peer(*scripts: Script, tls: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """Each connection reads requests and runs one script per request, the last one again and again."""
    peer = Peer()
    leaving = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    peer.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{listener.getsockname()[1]}"
    left = list(scripts)
    threads: list[threading.Thread] = []

    def talk(plain: socket.socket) -> None:
        with contextlib.suppress(OSError), plain if tls is None else tls.wrap_socket(plain, server_side=True) as sock:
            sock.settimeout(5)
            while not leaving.is_set():
                data = sock.recv(65536)
                if not data:
                    return
                peer.received.append(data)
                script = left.pop(0) if len(left) > 1 else left[0]
                script(sock)

    def accept() -> None:
        while not leaving.is_set():
            with contextlib.suppress(OSError):
                sock, _ = listener.accept()
                peer.connections += 1
                thread = threading.Thread(target=talk, args=(sock,), daemon=True)
                thread.start()
                threads.append(thread)

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield peer
    finally:
        leaving.set()
        listener.close()
        acceptor.join(2)


def says(data: bytes) -> Script:
    return lambda sock: sock.sendall(data)


def hangs_up(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_RDWR)


def says_nothing(sock: socket.socket) -> None:
    time.sleep(3)


def trickles(sock: socket.socket) -> None:
    for byte in OK * 100:
        sock.sendall(bytes((byte,)))
        time.sleep(0.05)


@contextlib.contextmanager
def gate(*, opens: bool, log: list[str]) -> Iterator[bool]:
    log.append("entered")
    yield opens
    log.append("left")


def test_the_whole_request_leaves_in_one_send_inside_the_gate() -> None:
    log: list[str] = []
    with a_peer(says(OK)) as peer:
        session = GatedSession()
        answer = session.call(
            "POST",
            f"{peer.url}/orders?x=1",
            headers={"X-Key": "k"},
            body=b'{"a":1}',
            gate=lambda: gate(opens=True, log=log),
        )
        session.close()

    assert (answer.status, answer.body) == (200, b"hi")
    assert log == ["entered", "left"]
    (request,) = peer.received
    assert request.startswith(b"POST /orders?x=1 HTTP/1.1\r\n")
    assert request.endswith(b'\r\n\r\n{"a":1}')
    assert b"Content-Length: 7" in request
    assert b"X-Key: k" in request


def test_a_closed_gate_lets_no_byte_out_although_the_connection_is_up() -> None:
    with a_peer(says(OK)) as peer:
        session = GatedSession()
        with pytest.raises(GateClosedError):
            session.call("POST", peer.url, body=b"order", gate=lambda: gate(opens=False, log=[]))
        assert session.call("GET", peer.url).status == 200, "the session still works"
        session.close()

    assert peer.connections == 2, "the first connection was made, then dropped unused"
    assert len(peer.received) == 1
    assert b"order" not in peer.received[0]


def test_the_gate_is_not_held_while_the_answer_is_awaited() -> None:
    held = threading.Event()
    seen: list[bool] = []

    @contextlib.contextmanager
    def watching() -> Iterator[bool]:
        held.set()
        yield True
        held.clear()

    def answers(sock: socket.socket) -> None:
        time.sleep(0.1)
        seen.append(held.is_set())
        sock.sendall(OK)

    with a_peer(answers) as peer:
        session = GatedSession()
        session.call("POST", peer.url, body=b"x", gate=watching)
        session.close()

    assert seen == [False]


def test_the_gate_is_entered_only_after_the_connection_is_made() -> None:
    log: list[str] = []
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(NotSentError):
            GatedSession().call("POST", url, body=b"x", gate=lambda: gate(opens=True, log=log))

    assert log == []


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (hangs_up, "no usable answer"),
        (says_nothing, "in time"),
        (trickles, "in time"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"), "in time"),
        (says(b"nonsense\r\n\r\n"), "no usable answer"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi"), "compressed"),
        (says(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"a":"1","a":2}'), "names a key twice"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000), "larger"),
    ],
)
def test_an_answer_that_does_not_come_whole_in_time_is_lost_not_refused(script: Script, why: str) -> None:
    with a_peer(script) as peer:
        session = GatedSession(total_s=0.4)
        began = time.monotonic()
        with pytest.raises(AnswerLostError, match=why):
            session.call("POST", peer.url, body=b"order")
        took_s = time.monotonic() - began
        session.close()

    assert took_s < 1.0
    assert len(peer.received) == 1, "and it is never sent again"


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with a_peer(says(b"HTTP/1.1 307 Moved\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n")) as peer:
        session = GatedSession()
        answer = session.call("POST", peer.url, body=b"order")
        session.close()

    assert answer.status == 307
    assert len(peer.received) == 1


def test_neither_a_proxy_variable_nor_a_netrc_is_obeyed(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w") as file:  # noqa: PTH123  the name goes into a variable
        file.write("machine 127.0.0.1 login me password hunter2\n")
    monkeypatch.setenv("NETRC", netrc)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    with a_peer(says(OK)) as peer:
        session = GatedSession()
        assert session.call("GET", peer.url).status == 200
        session.close()

    assert b"Authorization" not in peer.received[0]


def test_one_connection_serves_many_calls_and_a_closed_one_is_replaced() -> None:
    def answers_and_leaves(sock: socket.socket) -> None:
        sock.sendall(OK)
        sock.shutdown(socket.SHUT_RDWR)

    with a_peer(says(OK), says(OK), answers_and_leaves, says(OK)) as peer:
        session = GatedSession()
        for _ in range(3):
            assert session.call("GET", peer.url).status == 200
        assert peer.connections == 1
        time.sleep(0.05)  # the FIN arrives
        assert session.call("GET", peer.url).status == 200
        assert peer.connections == 2
        session.close()


def test_a_body_until_the_end_of_the_connection_is_read_whole() -> None:
    def answers(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")
        sock.shutdown(socket.SHUT_RDWR)

    with a_peer(answers) as peer:
        session = GatedSession()
        assert session.call("GET", peer.url).body == b"all of it"
        session.close()


def test_under_tls_the_gate_stands_at_the_first_byte_of_the_request_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path, "localhost", "127.0.0.1")
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(pem))
    log: list[str] = []
    with a_peer(says(OK), tls=serving(pem)) as peer:
        session = GatedSession()
        with pytest.raises(GateClosedError):
            session.call("POST", peer.url, body=b"kept back", gate=lambda: gate(opens=False, log=log))
        assert (peer.connections, log) == (1, ["entered"]), "the handshake is done before the gate is asked"
        answer = session.call("POST", peer.url, body=b"{}", gate=lambda: gate(opens=True, log=log))
        session.close()

    assert (answer.status, answer.body) == (200, b"hi")
    assert log == ["entered", "entered", "left"], "each asked once"
    (request,) = peer.received
    assert request.endswith(b"\r\n\r\n{}")


def test_to_a_certificate_that_nobody_vouches_for_nothing_is_sent(tmp_path: Path) -> None:
    log: list[str] = []
    with a_peer(says(OK), tls=serving(certificate(tmp_path, "localhost", "127.0.0.1"))) as peer:
        session = GatedSession()
        with pytest.raises(NotSentError, match="SSLError"):
            session.call("POST", peer.url, body=b"{}", gate=lambda: gate(opens=True, log=log))
        session.close()

    assert (log, peer.received) == ([], [])


def test_the_deadline_of_a_call_holds_under_tls_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path, "localhost", "127.0.0.1")
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(pem))
    with a_peer(trickles, tls=serving(pem)) as peer:
        session = GatedSession(total_s=0.4)
        began = time.monotonic()
        with pytest.raises(AnswerLostError, match="in time"):
            session.call("POST", peer.url, body=b"{}")
        session.close()

    assert time.monotonic() - began < 2.0


def test_a_real_server_understands_what_is_sent() -> None:
    class Echo(http.server.BaseHTTPRequestHandler):
        def do_DELETE(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.path)))
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    session = GatedSession()
    assert session.call("DELETE", f"http://127.0.0.1:{server.server_address[1]}/orders/a%2Fb").body == b"/orders/a%2Fb"
    session.close()
    server.shutdown()
    server.server_close()
