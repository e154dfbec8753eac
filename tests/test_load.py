"""The judge of the load test sees an opportunity that is not in the ledger, and excuses it only by a blind book."""

from __future__ import annotations

import pytest

from tests.load import CYCLE, Run, judge_market

SEEN = {7: 1_000, 7 + CYCLE: 2_000, 7 + 3 * CYCLE: 4_000}
"""The gap of the third round is missing, between 2,000 and 4,000."""


@pytest.mark.parametrize(
    ("blind", "unexplained"),
    [([], 1), ([(2_500, 3_500)], 0), ([(500, 900), (4_100, 5_000)], 1), ([(3_999, 9_000)], 0)],
)
def test_a_missing_opportunity_is_excused_only_by_a_book_that_was_not_ready_then(
    blind: list[tuple[int, int]], unexplained: int
) -> None:
    outcome = Run(1)

    judge_market("m", SEEN, 4, blind, 0, outcome)

    assert (outcome.expected, outcome.missing, len(outcome.unexplained)) == (4, 1, unexplained)


def test_a_market_without_any_opportunity_is_a_failure() -> None:
    outcome = Run(1)

    judge_market("m", {}, 4, [(0, 10**20)], 0, outcome)

    assert outcome.unexplained == ["m: no opportunity at all"]


def test_a_rate_at_which_frames_are_late_is_not_kept_up_with() -> None:
    def at(p99: float | None) -> bool:
        return Run(1, sent=100, code=0, latency={"p50": 1.0, "p99": p99}).kept_up

    assert [at(10.0), at(51.0), at(None)] == [True, False, False]
