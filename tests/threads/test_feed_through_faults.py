"""The feed behind a network that misbehaves: a seeded proxy between it and a venue that is well."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from urllib.parse import urlsplit

import pytest

from tests.fault_proxy import FaultProxy, Faults
from tests.raw_peer import BEAT, PING, PONG, QUICK, TEXT, Connection, Watch, a_feed, frame, raw_peer


def counts(peer: Connection) -> None:
    """Numbers from zero, some of them long, and an answer to every ping."""
    peer.shake_hands()
    peer.sock.settimeout(0.002)
    number = 0
    while not peer.wait(0):
        peer.sock.settimeout(1)
        peer.sock.sendall(frame(TEXT, b"%d:" % number + b"x" * (number % 7 * 500)))
        peer.sock.settimeout(0.002)
        number += 1
        try:
            opcode, payload = peer.read_frame()
        except TimeoutError:
            continue
        if opcode == PING:
            peer.sock.settimeout(1)
            peer.sock.sendall(frame(PONG, payload))


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def through(proxy: FaultProxy) -> str:
    return f"ws://{proxy.address[0]}:{proxy.address[1]}/"


def assert_every_connection_counted_from_zero(watch: Watch) -> None:
    for _, events in groupby(watch.events, key=lambda event: event[0]):
        numbers = [int(text.partition(b":")[0]) for _, text, _ in events]
        assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize(
    "faults",
    [
        Faults(latency_s=0.005, jitter_s=0.005),
        Faults(slice_bytes=1_500, slice_gap_s=0.0002),
        Faults(slice_bytes=3),
        Faults(bytes_per_s=4_000_000),
    ],
    ids=["latency and jitter", "slices with gaps", "tiny slices", "bandwidth"],
)
def test_a_slow_and_chopped_link_loses_and_invents_nothing(faults: Faults) -> None:
    with (
        raw_peer(counts) as url,
        FaultProxy(address(url), seed=7, down=faults) as proxy,
        a_feed(through(proxy)) as held,
    ):
        watch = held[1]
        watch.until(lambda: len(watch.events) >= 60)

        assert_every_connection_counted_from_zero(watch)
        assert watch.downs == []


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (Faults(reset_at=9_000), "connection reset by peer"),
        (Faults(limit_bytes=9_000), "without a close frame"),
        (Faults(half_close_at=9_000), "without a close frame"),
        (Faults(stall_at=9_000), "no answer to a ping"),
        (Faults(stall_at=9_000, slice_bytes=50), "not complete within"),
        (Faults(stall_at=0), "stopped answering"),
    ],
    ids=["reset", "cut", "half-close", "stall", "stall in a frame", "stall before the first byte"],
)
def test_a_link_that_breaks_is_left_and_used_again_when_it_is_well(faults: Faults, reason: str) -> None:
    with (
        raw_peer(counts) as url,
        FaultProxy(address(url), seed=7, down=faults) as proxy,
        a_feed(through(proxy)) as held,
    ):
        watch = held[1]
        watch.until(lambda: watch.downs)
        proxy.heal()
        watch.until(lambda: watch.events and watch.events[-1][0] > 1)

        # Where exactly the cut falls depends on what one recv of the proxy took: either end of a stall is legal.
        allowed = {reason, "not complete within", "no answer to a ping"} if "stall" in repr(faults) else {reason}
        assert any(each in watch.downs[0] for each in allowed)
        assert_every_connection_counted_from_zero(watch)


def test_a_half_open_link_is_seen_in_ten_scaled_seconds_and_left() -> None:
    with raw_peer(counts) as url, FaultProxy(address(url), seed=7) as proxy, a_feed(through(proxy)) as (_, watch):
        watch.until(lambda: len(watch.events) >= 10)
        proxy.black_hole()
        last = watch.events[-1][2]
        watch.until(lambda: watch.downs)
        down = next(state for state in watch.states if state.kind == "down")
        proxy.heal()
        watch.until(lambda: watch.events[-1][0] > down.generation)

        assert (down.at - last) / 1e9 <= BEAT.period_s + BEAT.pong_timeout_s + 0.2
        assert_every_connection_counted_from_zero(watch)


def test_refused_connects_are_tried_again_until_one_is_accepted() -> None:
    with raw_peer(counts) as url, FaultProxy(address(url), seed=7) as proxy:
        proxy.refuse()
        with a_feed(through(proxy), limits=replace(QUICK, backoff_max_s=0.05)) as (_, watch):
            watch.until(lambda: len(watch.downs) >= 5)
            proxy.heal()
            watch.until(lambda: watch.events)

            assert proxy.accepted >= 6


def test_doubled_bytes_never_stop_the_feed_for_good() -> None:
    spoilt = Faults(duplicate=0.3, slice_bytes=200)
    with (
        raw_peer(counts) as url,
        FaultProxy(address(url), seed=7, down=spoilt) as proxy,
        a_feed(through(proxy)) as held,
    ):
        feed, watch = held
        watch.until(lambda: len(watch.downs) >= 3, limit_s=20)
        proxy.heal()
        broken = max(state.generation for state in watch.states if state.kind == "down")
        watch.until(lambda: watch.events and watch.events[-1][0] > broken)

        assert feed.alive
