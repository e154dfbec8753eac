"""Which books hear of a heartbeat: each before its proof is too old, all where the connection lags."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from models.book import MarketAlive, MarketsAlive
from models.clock import SECOND, BootNs
from models.market import MarketId
from models.proofs import Proofs

MAX_LAG_MS = 1_000
MARKETS = tuple(MarketId(f"m{number}") for number in range(10))
"""The first two are compared with each other."""


def heartbeat(at: int, markets: Sequence[MarketId] = MARKETS, lag_ms: int | None = None) -> MarketsAlive:
    return MarketsAlive(generation=3, seqs=dict.fromkeys(markets, 7), received_at=BootNs(at), lag_ms=lag_ms)


def proofs(every_ns: int) -> Proofs:
    return Proofs(every_ns, always=MARKETS[:2], others=MARKETS[2:], max_lag_ms=MAX_LAG_MS)


@given(
    every_ns=st.integers(0, 5 * SECOND),
    pauses=st.lists(st.integers(1, 2 * SECOND), min_size=1, max_size=40),
    left_out=st.sets(st.sampled_from(MARKETS), max_size=3),
)
def test_no_proof_that_came_in_is_kept_back_for_longer_than_allowed(
    every_ns: int, pauses: list[int], left_out: set[MarketId]
) -> None:
    told_by = proofs(every_ns).told_by
    now = 0
    told = dict.fromkeys(MARKETS, 0)
    for pause in pauses:
        now += pause
        named = [market for market in MARKETS if market not in left_out]
        for alive in told_by(heartbeat(now, named)):
            told[alive.market_id] = alive.received_at
        assert all(told[market] == now for market in named if market in MARKETS[:2])
        assert all(now - told[market] < every_ns + pauses[0] or told[market] == now for market in named)
        assert not any(told[market] for market in left_out), "silence is not evidence"


def test_what_is_told_is_what_came_in() -> None:
    assert proofs(0).told_by(heartbeat(5, MARKETS[:1], lag_ms=12)) == [
        MarketAlive(market_id=MARKETS[0], generation=3, seq=7, received_at=BootNs(5), lag_ms=12)
    ]


def test_books_take_turns_so_that_no_heartbeat_is_a_burst() -> None:
    told_by = proofs(5 * SECOND).told_by

    told = [len(told_by(heartbeat(second * SECOND))) - 2 for second in range(1, 22)]
    assert sum(told[1:6]) == sum(told[6:11]) == sum(told[11:16]) == 8, "each once in five seconds"
    assert max(told) <= 4


def test_a_lag_and_its_end_are_told_to_all_at_once() -> None:
    told_by = proofs(3_600 * SECOND).told_by
    told_by(heartbeat(1))

    lags = [MAX_LAG_MS, MAX_LAG_MS + 1, 5_000, 0, 0]
    assert [len(told_by(heartbeat(2 + n, lag_ms=lag))) for n, lag in enumerate(lags)] == [2, 10, 10, 10, 2]
