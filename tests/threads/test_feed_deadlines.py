"""Peers that stall, trickle and go silent: every one of them is seen in time, and `stop` never waits for them.

Limits are the shipped ones divided by ten (`raw_peer.SCALE`); the last test runs the shipped ones.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack
from functools import partial

import pytest

from adapters.feed import FeedLimits, HeartbeatPolicy
from tests.raw_peer import (
    BEAT,
    CONT,
    PING,
    PONG,
    QUICK,
    SCALE,
    TEXT,
    Connection,
    EchoSession,
    Script,
    Watch,
    a_feed,
    frame,
    raw_peer,
)

MIDDLE_OF_A_MESSAGE = "was not complete within"


def hold(peer: Connection) -> None:
    peer.hold()


def never_answers(peer: Connection) -> None:
    peer.read_request()
    peer.hold()


def trickles_its_handshake(peer: Connection) -> None:
    peer.read_request()
    for byte in peer.upgrade():
        peer.sock.sendall(bytes([byte]))
        if peer.wait(0.05):
            return


def sends_endless_headers(peer: Connection) -> None:
    peer.read_request()
    peer.sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
    while not peer.wait(0):
        peer.sock.sendall(b"X-Filler: " + b"x" * 4000 + b"\r\n")


def sends_an_endless_header_line(peer: Connection) -> None:
    peer.read_request()
    while not peer.wait(0):
        peer.sock.sendall(b"x" * 4096)


def announces_a_huge_error_page(peer: Connection) -> None:
    peer.read_request()
    peer.sock.sendall(b"HTTP/1.1 500 oops\r\nContent-Length: 1000000000000\r\n\r\n" + b"x" * 1_000_000)
    peer.hold()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (hold, "stopped answering"),
        (never_answers, "stopped answering"),
        (trickles_its_handshake, "stopped answering"),
        (sends_endless_headers, "answer is too long"),
        (sends_an_endless_header_line, "answer is too long"),
        (announces_a_huge_error_page, "answer is too long"),
    ],
)
def test_a_handshake_has_one_deadline_and_one_size(script: Script, reason: str) -> None:
    began = time.monotonic()
    with raw_peer(script) as url, a_feed(url) as (_, watch):
        watch.until(lambda: watch.downs)

        assert time.monotonic() - began < 2 * QUICK.handshake_s
        assert reason in watch.downs[0]
        assert "live" not in [state.kind for state in watch.states]


def answer(status: str, *headers: str, accept: bool = True) -> Script:
    def script(peer: Connection) -> None:
        peer.read_request()
        lines = [f"HTTP/1.1 {status}", *headers]
        right = peer.upgrade().decode()
        if accept:
            lines.append(next(line for line in right.split("\r\n") if line.startswith("Sec-WebSocket-Accept")))
        peer.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        peer.hold()

    return script


UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (answer("302 Found", "Location: ws://127.0.0.1:1/"), "redirects (HTTP 302)"),
        (answer("301 Moved", "Location: wss://elsewhere.example/"), "redirects (HTTP 301)"),
        (answer("307 Temporary Redirect"), "redirects (HTTP 307)"),
        (answer("308 Permanent Redirect", "Location: /other"), "redirects (HTTP 308)"),
        (answer("401 Unauthorized"), "HTTP 401"),
        (answer("403 Forbidden", "Content-Length: 3"), "stopped answering"),
        (answer("429 Too Many Requests"), "HTTP 429"),
        (answer("503 Service Unavailable"), "HTTP 503"),
        (answer("200 OK"), "HTTP 200"),
        (answer("101 Switching Protocols", *UPGRADE, accept=False), "not a WebSocket upgrade"),
        (answer("101 Switching Protocols", *UPGRADE, "Sec-WebSocket-Accept: c3B5"), None),
        (
            answer("101 Switching Protocols", *UPGRADE, "Sec-WebSocket-Accept: c3B5", accept=False),
            "not a WebSocket upgrade",
        ),
        (answer("101 Switching Protocols", "Upgrade: h2c", "Connection: Upgrade"), "not a WebSocket upgrade"),
        (answer("101 Switching Protocols", "Upgrade: websocket"), "not a WebSocket upgrade"),
        (answer("abc"), "not a WebSocket upgrade"),
        (answer("101 Switching Protocols", "no colon here", *UPGRADE), "not a WebSocket upgrade"),
    ],
)
def test_an_answer_that_is_no_upgrade_is_refused(script: Script, reason: str | None) -> None:
    with raw_peer(script) as url, a_feed(url) as (_, watch):
        if reason is None:  # the last of two accept keys is the right one: lenient, and harmless
            watch.until(lambda: [state for state in watch.states if state.kind == "live"])
            return
        watch.until(lambda: watch.downs)

        assert reason in watch.downs[0]


def after_handshake(*pieces: bytes, every_s: float = 0.0) -> Script:
    """Sends the pieces in turn, the last one for ever when there is an interval."""

    def script(peer: Connection) -> None:
        peer.shake_hands()
        for piece in pieces:
            peer.sock.sendall(piece)
        while every_s and not peer.wait(every_s):
            peer.sock.sendall(pieces[-1])
        peer.hold()

    return script


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (after_handshake(frame(TEXT, b"x" * 100)[:50]), MIDDLE_OF_A_MESSAGE),
        (after_handshake(frame(TEXT, b"x" * 70_000)[:1]), MIDDLE_OF_A_MESSAGE),
        (after_handshake(frame(TEXT, b"x" * 70_000)[:5]), MIDDLE_OF_A_MESSAGE),
        (after_handshake(frame(PING, b"x" * 70)[:5]), MIDDLE_OF_A_MESSAGE),
        (after_handshake(frame(TEXT, b"x" * 70_000)[:10], b"x", every_s=0.01), MIDDLE_OF_A_MESSAGE),
        (after_handshake(frame(TEXT, b"x", fin=False)), MIDDLE_OF_A_MESSAGE),
        (after_handshake(frame(TEXT, b"x", fin=False), frame(CONT, b"", fin=False), every_s=0.01), MIDDLE_OF_A_MESSAGE),
        (
            after_handshake(frame(TEXT, b"x", fin=False), frame(CONT, b"", fin=False) * 500, every_s=0.0001),
            MIDDLE_OF_A_MESSAGE,
        ),
        (after_handshake(frame(TEXT, b"x", fin=False), frame(PING), every_s=0.01), MIDDLE_OF_A_MESSAGE),
    ],
    ids=[
        "stall in the payload",
        "stall after one byte",
        "stall in the length",
        "stall in a ping",
        "one byte at a time",
        "stall between fragments",
        "empty fragments without end",
        "empty fragments as fast as possible",
        "pings while a fragment is missing",
    ],
)
def test_a_message_that_does_not_end_is_given_up_in_time(script: Script, reason: str) -> None:
    with raw_peer(script) as url, a_feed(url) as (_, watch):
        watch.until(lambda: watch.downs)

        live, down = watch.states[1:3]
        assert (live.kind, down.kind) == ("live", "down")
        assert reason in down.reason
        assert 0.9 * QUICK.message_s < (down.at - live.at) / 1e9 < 5 / SCALE


def goes_silent(peer: Connection) -> None:
    peer.shake_hands()
    peer.wait(30)


def answers_pings_by_hand(peer: Connection, count: int) -> None:
    for _ in range(count):
        opcode, payload = peer.read_frame()
        assert opcode == PING
        peer.sock.sendall(frame(PONG, payload))


def talks_but_answers_no_ping(peer: Connection) -> None:
    peer.shake_hands()
    while not peer.wait(0.01):
        peer.sock.sendall(frame(TEXT, b"still here") + frame(PING))


@pytest.mark.parametrize("script", [goes_silent, talks_but_answers_no_ping])
def test_a_peer_that_answers_no_ping_is_dropped_within_ten_scaled_seconds(script: Script) -> None:
    with raw_peer(script) as url, a_feed(url) as (_, watch):
        watch.until(lambda: watch.downs)

        live, down = watch.states[1:3]
        assert "no answer to a ping" in down.reason
        assert BEAT.period_s < (down.at - live.at) / 1e9 <= 10 / SCALE


def test_a_quiet_peer_that_answers_pings_stays_and_its_round_trip_is_known() -> None:
    beat = HeartbeatPolicy("frame", 0.02, 0.5)
    answered = threading.Event()

    def script(peer: Connection) -> None:
        peer.shake_hands()
        answers_pings_by_hand(peer, 5)
        answered.set()
        peer.hold()

    session = partial(EchoSession, beat=beat)
    with raw_peer(script) as url, a_feed(url, session=session) as (feed, watch):
        assert answered.wait(5)
        watch.until(lambda: feed.counters.rtt_ns is not None)

        assert watch.downs == []
        assert 0 < (feed.counters.rtt_ns or 0) < 500_000_000


def test_a_venue_with_text_pings_gets_them_and_its_answer_is_no_event() -> None:
    beat = HeartbeatPolicy("text", 0.02, 0.5, ping_text="PING", pong_text=b"PONG")
    pings: list[tuple[int, bytes]] = []

    def script(peer: Connection) -> None:
        peer.shake_hands()
        for _ in range(3):
            pings.append(peer.read_frame())
            peer.sock.sendall(frame(TEXT, b"PONG"))
        peer.sock.sendall(frame(TEXT, b"data"))
        peer.hold()

    session = partial(EchoSession, beat=beat)
    with raw_peer(script) as url, a_feed(url, session=session) as (feed, watch):
        watch.until(lambda: watch.texts)

        assert pings == [(TEXT, b"PING")] * 3
        assert watch.texts == [b"data"]
        assert feed.counters.rtt_ns is not None


def test_a_peer_that_does_not_read_ends_the_connection() -> None:
    flood = ["x" * 60_000] * 2_000

    def script(peer: Connection) -> None:
        peer.shake_hands()
        peer.wait(30)

    session = partial(EchoSession, subscriptions=flood)
    with raw_peer(script) as url, a_feed(url, session=session) as (_, watch):
        watch.until(lambda: watch.downs)

        assert "does not read what is sent" in watch.downs[0]


@pytest.mark.parametrize(
    "script",
    [
        hold,
        trickles_its_handshake,
        goes_silent,
        after_handshake(b"\x81"),
        after_handshake(frame(TEXT, b"x"), every_s=1e-5),
    ],
    ids=["no answer", "trickled handshake", "silent", "half a header", "a flood"],
)
def test_stop_returns_within_a_second_whatever_the_peer_does(script: Script) -> None:
    reached = threading.Event()

    def wrapped(peer: Connection) -> None:
        reached.set()
        script(peer)

    patient = FeedLimits()  # the shipped limits: nothing but stop() ends these waits
    with raw_peer(wrapped) as url, a_feed(url, limits=patient) as (feed, watch):
        assert reached.wait(5)
        if script not in {hold, trickles_its_handshake}:
            watch.until(lambda: len(watch.states) >= 2)
        began = time.monotonic()

        assert feed.stop()
        assert time.monotonic() - began < 0.5
        assert watch.states[-1].reason == "stopped"
        assert not feed.alive


def test_stop_returns_within_a_second_when_nobody_answers_the_connect() -> None:
    # A listener whose queue is full drops SYNs: the connect stays unanswered.
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        with a_feed(url) as (_, watch):
            watch.until(lambda: watch.downs)
            assert watch.downs[0] == "connect not answered in time"
        with a_feed(url, limits=FeedLimits()) as (feed, watch):
            watch.until(lambda: watch.states)
            began = time.monotonic()
            assert feed.stop()
            assert time.monotonic() - began < 0.5


def test_idle_ticks_come_while_nothing_arrives_and_while_everything_arrives() -> None:
    limits = FeedLimits(idle_s=0.05)
    with raw_peer(goes_silent) as url, a_feed(url, limits=limits) as (_, watch):
        watch.until(lambda: watch.idle)
        first, began = watch.idle, time.monotonic()
        watch.until(lambda: watch.idle >= first + 5)
        assert time.monotonic() - began < 1.0

    flood = after_handshake(frame(TEXT, b"x" * 300) * 400, every_s=1e-6)
    with raw_peer(flood) as url, a_feed(url, limits=limits) as (_, watch):
        watch.until(lambda: watch.idle >= 5)
        assert len(watch.texts) > 400


@pytest.mark.slow
def test_with_the_shipped_limits_dead_links_and_stalls_are_seen_in_ten_and_five_seconds() -> None:
    shipped, beat = FeedLimits(), HeartbeatPolicy("frame", 5.0, 4.0)
    session = partial(EchoSession, beat=beat)
    peers = {
        "no answer to a ping": (goes_silent, 10.0),
        MIDDLE_OF_A_MESSAGE: (after_handshake(frame(TEXT, b"x" * 100)[:50]), 5.0),
        MIDDLE_OF_A_MESSAGE + " ": (after_handshake(frame(TEXT, b"x" * 70_000)[:10], b"x", every_s=0.05), 5.0),
        "stopped answering": (trickles_its_handshake_for_long, 5.5),
    }
    with ExitStack() as stack:
        watches = {}
        for reason, (script, _) in peers.items():
            url = stack.enter_context(raw_peer(script))
            watches[reason] = stack.enter_context(a_feed(url, limits=shipped, session=session))[1]
        for reason, (_, limit_s) in peers.items():
            watch = watches[reason]
            watch.until(partial(_is_down, watch), limit_s=11)
            first, *_ = [state for state in watch.states if state.kind == "live"] or watch.states
            down = next(state for state in watch.states if state.kind == "down")
            assert reason.strip() in down.reason
            assert (down.at - first.at) / 1e9 <= limit_s


def _is_down(watch: Watch) -> bool:
    return bool(watch.downs)


def trickles_its_handshake_for_long(peer: Connection) -> None:
    peer.read_request()
    for byte in peer.upgrade():
        peer.sock.sendall(bytes([byte]))
        if peer.wait(0.2):
            return
