"""The parts of the feed that need no socket: backoff, heartbeat, addresses, the pulse."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.feed import HeartbeatPolicy, backoff
from adapters.feed_reading import Pulse
from adapters.feed_socket import FeedTrouble, Target
from models.clock import SECOND, BootNs


@given(
    initial_s=st.floats(0.001, 10),
    max_s=st.floats(0.001, 100),
    seed=st.integers(0, 1000),
)
def test_backoff_stays_below_a_bound_that_doubles_to_its_maximum(initial_s: float, max_s: float, seed: int) -> None:
    waits = list(islice(backoff(initial_s, max_s, random.Random(seed)), 40))

    assert all(0 <= wait <= min(max_s, initial_s * 2**number) for number, wait in enumerate(waits))


def test_backoff_uses_its_whole_range_and_reaches_the_maximum() -> None:
    waits = list(islice(backoff(0.5, 30.0, random.Random(1)), 2_000))

    assert min(waits) < 0.5
    assert max(waits) > 29
    assert 14 < sum(waits) / len(waits) < 16


def test_backoff_is_repeatable_from_its_source_of_chance() -> None:
    first, second = (list(islice(backoff(0.5, 30.0, random.Random(3)), 10)) for _ in range(2))

    assert first == second


@pytest.mark.parametrize(("period_s", "timeout_s"), [(10, 0.1), (5, 5.1), (0, 1), (1, 0), (-1, 1), (float("nan"), 1)])
def test_a_heartbeat_that_could_miss_a_dead_link_for_ten_seconds_is_not_accepted(
    period_s: float, timeout_s: float
) -> None:
    with pytest.raises(ValueError, match=r"heartbeat|dead link"):
        HeartbeatPolicy("frame", period_s, timeout_s)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("wss://api.example.com/trade-api/ws/v2", Target("api.example.com", 443, secure=True)),
        ("wss://api.example.com:8443/ws", Target("api.example.com", 8443, secure=True)),
        ("ws://127.0.0.1:9000/ws", Target("127.0.0.1", 9000, secure=False)),
        ("ws://[::1]/ws", Target("::1", 80, secure=False)),
        ("ws://localhost:1/", Target("localhost", 1, secure=False)),
    ],
)
def test_a_url_says_where_to_connect(url: str, target: Target) -> None:
    assert Target.of(url) == target


@pytest.mark.parametrize("host", ["example.com", "192.168.0.1", "127.0.0.1.example.com", "0.0.0.0", "[2001:db8::1]"])
def test_plain_text_never_leaves_this_machine(host: str) -> None:
    with pytest.raises(FeedTrouble, match="this machine only"):
        Target.of(f"ws://{host}/")


def test_an_answer_is_missed_only_once_everything_read_before_its_deadline_is_handled() -> None:
    pulse = Pulse(5 * SECOND, 4 * SECOND, BootNs(0))
    assert not pulse.may_send(BootNs(5 * SECOND - 1))
    assert pulse.may_send(BootNs(5 * SECOND))

    pulse.sent(BootNs(5 * SECOND))
    assert not pulse.may_send(BootNs(20 * SECOND))  # one at a time
    pulse.check(BootNs(9 * SECOND - 1))
    with pytest.raises(FeedTrouble, match="no answer to a ping within 4 s"):
        pulse.check(BootNs(9 * SECOND))

    assert pulse.answered(BootNs(8 * SECOND)) == 3 * SECOND
    assert pulse.answered(BootNs(8 * SECOND)) is None
    pulse.check(BootNs(99 * SECOND))
