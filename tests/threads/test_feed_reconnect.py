"""Losing the connection: what is said, in which order, and how it comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import pytest

from adapters.feed import FeedEvent
from models.clock import BootNs
from tests.raw_peer import CLOSE, QUICK, TEXT, Connection, EchoSession, Script, Watch, a_feed, frame, raw_peer


def text_then(end: Script) -> Script:
    def script(peer: Connection) -> None:
        peer.shake_hands(then=frame(TEXT, b"one"))
        peer.wait(0.02)
        end(peer)

    return script


def keeps(peer: Connection) -> None:
    peer.shake_hands(then=frame(TEXT, b"two"))
    peer.hold()


ENDINGS: dict[str, tuple[Script, str]] = {
    "EOF": (lambda peer: peer.sock.close(), "without a close frame"),
    "RST": (lambda peer: peer.reset(), "connection reset by peer"),
    "EOF inside a frame": (lambda peer: peer.sock.sendall(b"\x81\x05ab"), "without a close frame"),
    "close 1012": (lambda peer: peer.sock.sendall(frame(CLOSE, b"\x03\xf4restart")), "1012 restart"),
    "close 4000 and more data": (
        lambda peer: peer.sock.sendall(frame(CLOSE, b"\x0f\xa0") + frame(TEXT, b"late") * 100),
        "4000",
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_after_every_kind_of_end_the_feed_says_down_and_comes_back_under_a_new_generation(ending: str) -> None:
    end, reason = ENDINGS[ending]

    with raw_peer(text_then(end), keeps) as url, a_feed(url) as (feed, watch):
        watch.until(lambda: b"two" in watch.texts)

        assert [(generation, text) for generation, text, _ in watch.events] == [(1, b"one"), (2, b"two")]
        assert [(state.kind, state.generation) for state in watch.states] == [
            ("connecting", 1),
            ("live", 1),
            ("down", 1),
            ("connecting", 2),
            ("live", 2),
        ]
        assert reason in watch.downs[0]
        assert (feed.counters.connects, feed.counters.reconnects) == (2, 1)


def test_subscriptions_are_sent_on_every_connection_before_it_is_called_live() -> None:
    seen: list[list[bytes]] = []

    def script(peer: Connection) -> None:
        peer.shake_hands()
        seen.append([peer.read_frame()[1], peer.read_frame()[1]])

    session = partial(EchoSession, subscriptions=("subscribe a", "subscribe b"))
    with raw_peer(script) as url, a_feed(url, session=session):
        deadline = time.monotonic() + 5
        while len(seen) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    assert seen[:3] == [[b"subscribe a", b"subscribe b"]] * 3


def test_a_session_can_send_after_a_frame_and_at_an_idle_tick() -> None:
    @dataclass
    class Resubscribes(EchoSession):
        def on_text(self, frame: bytes, received_at: BootNs) -> Sequence[FeedEvent]:
            self.to_send.append("resubscribe " + frame.decode())
            return ()

    sessions: list[Resubscribes] = []
    got: list[bytes] = []

    def script(peer: Connection) -> None:
        peer.shake_hands(then=frame(TEXT, b"gap in m1"))
        got.append(peer.read_frame()[1])
        sessions[0].to_send.append("from an idle tick")
        got.append(peer.read_frame()[1])
        peer.sock.sendall(frame(CLOSE, b"\x03\xe8"))

    def session(generation: int) -> EchoSession:
        sessions.append(Resubscribes(generation))
        return sessions[-1]

    with raw_peer(script, keeps) as url, a_feed(url, session=session) as (_, watch):
        watch.until(lambda: watch.downs)

    assert got == [b"resubscribe gap in m1", b"from an idle tick"]


def test_down_is_said_before_the_socket_is_let_go() -> None:
    """Books must stop being ready before anything can wait; the peer sees the end only afterwards."""
    let_down = threading.Event()
    order: list[str] = []

    class Slow(Watch):
        def on_state(self, state: object) -> None:
            super().on_state(state)  # type: ignore[arg-type]
            if self.downs:
                let_down.wait(0.1)
                order.append("down was said")

    def script(peer: Connection) -> None:
        peer.shake_hands(then=frame(CLOSE, b"\x03\xe8"))
        peer.hold()
        order.append("socket let go")

    with raw_peer(script, lambda peer: peer.hold()) as url, a_feed(url, watch=Slow()) as (_, watch):
        watch.until(lambda: len(watch.states) >= 4)

    assert order[:2] == ["down was said", "socket let go"]


def test_a_reconnect_storm_backs_off() -> None:
    """100 % of the connects drop at once: the attempts thin out to the bound instead of hammering."""
    limits = replace(QUICK, backoff_initial_s=0.02, backoff_max_s=0.08)

    with raw_peer(lambda peer: peer.sock.close()) as url, a_feed(url, limits=limits) as (_, watch):
        watch.until(lambda: len(watch.downs) >= 8)
        took = (watch.states[-1].at - watch.states[0].at) / 1e9

    # The waits are drawn uniformly below 0.02, 0.04, 0.08, ... with seed 7; their sum is known to be above this.
    assert took > 0.08


def test_a_long_healthy_connection_makes_the_next_wait_short_again() -> None:
    limits = replace(QUICK, backoff_initial_s=0.001, backoff_max_s=30.0, healthy_s=0.05)
    drop: Script = lambda peer: peer.sock.close()  # noqa: E731

    def healthy(peer: Connection) -> None:
        peer.shake_hands()
        peer.wait(0.1)

    with raw_peer(drop, drop, drop, drop, drop, healthy, keeps) as url, a_feed(url, limits=limits) as (_, watch):
        watch.until(lambda: b"two" in watch.texts)
        down, again = watch.states[-3], watch.states[-2]

    assert (down.kind, again.kind) == ("down", "connecting")
    assert (again.at - down.at) / 1e9 < 0.02  # after six unhealthy ones the bound would be 0.064


def test_a_failing_url_or_session_is_trouble_like_any_other_and_heals() -> None:
    urls = iter(range(3))

    def url_that_fails_twice() -> str:
        if next(urls) < 2:
            raise RuntimeError("signing failed: key=sekret")
        return good

    with raw_peer(keeps) as good, a_feed(url_that_fails_twice) as (_, watch):
        watch.until(lambda: watch.texts)

        assert watch.downs == ["unexpected RuntimeError"] * 2


def test_a_deliver_that_raises_ends_the_connection_and_not_the_thread() -> None:
    class Fails(Watch):
        failed = False

        def deliver(self, events: Sequence[FeedEvent]) -> None:
            if not self.failed:
                self.failed = True
                raise ValueError("a bug behind the feed")
            super().deliver(events)

    with raw_peer(keeps) as url, a_feed(url, watch=Fails()) as (feed, watch):
        watch.until(lambda: watch.texts)

        assert watch.downs == ["unexpected ValueError"]
        assert feed.alive


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ws://example.com/", "for this machine only"),
        ("ws://10.0.0.1/", "for this machine only"),
        ("http://127.0.0.1/", "not ws:// or wss://"),
        ("wss://user:pw@127.0.0.1/", "carries a password"),
        ("wss://", "not ws:// or wss://"),
        ("wss://[::1", "cannot be read"),
        ("ws://127.0.0.1:99999/", "cannot be read"),
        ("nonsense", "not ws:// or wss://"),
    ],
)
def test_a_url_that_must_not_be_used_is_refused_before_any_lookup(url: str, reason: str) -> None:
    with a_feed(url) as (_, watch):
        watch.until(lambda: watch.downs)

        assert reason in watch.downs[0]
        assert "pw" not in watch.downs[0]


def test_headers_reach_the_venue_and_a_smuggled_line_does_not() -> None:
    requests: list[bytes] = []

    def script(peer: Connection) -> None:
        requests.append(peer.read_request())
        peer.sock.sendall(peer.upgrade())
        peer.hold()

    with raw_peer(script) as url:
        with a_feed(url, headers={"KALSHI-ACCESS-KEY": "abc"}) as (_, watch):
            watch.until(lambda: len(watch.states) >= 2)
            assert watch.states[1].kind == "live"
        with a_feed(url, headers={"X": "a\r\nY: b"}) as (_, watch):
            watch.until(lambda: watch.downs)
            assert "line break" in watch.downs[0]

    assert len(requests) == 1
    assert b"GET /feed?x=1 HTTP/1.1" in requests[0]
    assert b"KALSHI-ACCESS-KEY: abc" in requests[0]


def test_proxy_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")

    with raw_peer(keeps) as url, a_feed(url) as (_, watch):
        watch.until(lambda: watch.texts)

        assert watch.downs == []


def test_frames_that_waited_unread_look_old_not_fresh() -> None:
    """While one `deliver` is slow the next frame arrives; its time is at most when we last looked, not when we read."""
    second_is_sent = threading.Event()

    class Slow(Watch):
        def deliver(self, events: Sequence[FeedEvent]) -> None:
            super().deliver(events)
            if len(self.events) == 1:
                assert second_is_sent.wait(5)
                threading.Event().wait(0.05)

    def script(peer: Connection) -> None:
        peer.shake_hands()
        peer.wait(0.02)
        peer.sock.sendall(frame(TEXT, b"one"))
        peer.wait(0.02)
        peer.sock.sendall(frame(TEXT, b"two"))
        second_is_sent.set()
        peer.hold()

    with raw_peer(script) as url, a_feed(url, watch=Slow()) as (_, watch):
        watch.until(lambda: len(watch.events) == 2)
        (_, _, first_at), (_, _, second_at) = watch.events

    assert 0 <= second_at - first_at < 20_000_000
