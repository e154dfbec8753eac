"""The whole bot in virtual time, in the languages of the real venues: a few seeds of what `python -m tests.prove
--dialect NAME` plays by the hundred.
"""

from __future__ import annotations

import pytest

from tests.sim.run import run

SEEDS = {"polymarket": (4, 5, 7, 37, 52, 85), "kalshi": (2, 5, 6, 7, 186, 346)}
"""Ordinary ones, one on paper, and those that have found something."""


@pytest.mark.parametrize(("dialect", "seed"), [(dialect, seed) for dialect, seeds in SEEDS.items() for seed in seeds])
def test_no_invariant_breaks_in_a_venues_own_language(dialect: str, seed: int) -> None:
    outcome = run(seed, dialect=dialect)
    assert outcome.violation is None


@pytest.mark.parametrize("dialect", SEEDS)
def test_a_seed_is_one_run_in_a_venues_own_language(dialect: str) -> None:
    first, second = run(0, dialect=dialect), run(0, dialect=dialect)
    assert first.orders > 0
    assert (first.trace, first.steps, first.attempts) == (second.trace, second.steps, second.attempts)
