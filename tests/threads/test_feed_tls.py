"""TLS of the feed: checked always, under the same deadlines as everything else."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.clock import SystemClock
from adapters.feed import FeedThread
from adapters.feed_socket import verifying_context
from tests.certificates import certificate, serving
from tests.raw_peer import QUICK, TEXT, Connection, EchoSession, Watch, frame, raw_peer


@contextlib.contextmanager
def tls_peer(pem: Path, payloads: list[bytes]) -> Iterator[str]:
    """A wss:// server on loopback that sends the payloads as text frames."""
    context = serving(pem)
    leaving = threading.Event()

    def serve() -> None:
        while not leaving.is_set():
            with contextlib.suppress(OSError):
                plain, _ = listener.accept()
                with plain, context.wrap_socket(plain, server_side=True) as sock:
                    peer = Connection(sock, leaving)
                    peer.shake_hands()
                    sock.sendall(b"".join(frame(TEXT, payload) for payload in payloads))
                    peer.hold()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"wss://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            leaving.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def trusting(pem: Path) -> ssl.SSLContext:
    context = verifying_context()
    context.load_verify_locations(pem)
    return context


@contextlib.contextmanager
def a_tls_feed(url: str, context: ssl.SSLContext | None) -> Iterator[Watch]:
    watch = Watch()
    feed = FeedThread(
        name="tls",
        url_provider=lambda: url,
        headers_provider=dict,
        session_factory=EchoSession,
        deliver=watch.deliver,
        on_state=watch.on_state,
        clock=SystemClock(),
        rng=random.Random(7),
        limits=QUICK,
        tls=context,
    )
    feed.start()
    try:
        yield watch
    finally:
        assert feed.stop()


def test_a_trusted_venue_is_read_whole_over_tls(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "venue.test", "127.0.0.1")
    payloads = [b"%d " % number * 50 for number in range(3_000)] + [b"x" * 900_000]

    with tls_peer(pem, payloads) as url, a_tls_feed(url, trusting(pem)) as watch:
        watch.until(lambda: len(watch.events) == len(payloads))

        assert watch.texts == payloads
        assert watch.downs == []


def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "venue.test", "127.0.0.1")

    with tls_peer(pem, []) as url, a_tls_feed(url, None) as watch:
        watch.until(lambda: watch.downs)

        assert "certificate is refused: self-signed certificate" in watch.downs[0]


def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "venue.test", "10.0.0.9")

    with tls_peer(pem, []) as url, a_tls_feed(url, trusting(pem)) as watch:
        watch.until(lambda: watch.downs)

        assert "certificate is refused: IP address mismatch" in watch.downs[0]


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "venue.test", "127.0.0.1", days=-1)

    with tls_peer(pem, []) as url, a_tls_feed(url, trusting(pem)) as watch:
        watch.until(lambda: watch.downs)

        assert "certificate is refused: certificate has expired" in watch.downs[0]


def test_a_tls_handshake_that_is_not_answered_ends_in_time_and_plain_text_is_not_tls() -> None:
    began = time.monotonic()
    with raw_peer(lambda peer: peer.hold()) as url, a_tls_feed(url.replace("ws:", "wss:"), None) as watch:
        watch.until(lambda: watch.downs)
        assert watch.downs[0] == "TLS handshake not answered in time"
        assert time.monotonic() - began < 2 * QUICK.handshake_s

    def plain(peer: Connection) -> None:
        peer.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.hold()

    with raw_peer(plain) as url, a_tls_feed(url.replace("ws:", "wss:"), None) as watch:
        watch.until(lambda: watch.downs)
        assert "TLS failed" in watch.downs[0]


def test_a_context_that_checks_nothing_is_not_accepted() -> None:
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE

    with pytest.raises(ValueError, match="without certificate"):
        FeedThread(
            name="careless",
            url_provider=str,
            headers_provider=dict,
            session_factory=EchoSession,
            deliver=lambda _: None,
            on_state=lambda _: None,
            clock=SystemClock(),
            rng=random.Random(7),
            tls=careless,
        )


def test_the_sessions_keys_are_written_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))

    assert verifying_context().keylog_filename is None
