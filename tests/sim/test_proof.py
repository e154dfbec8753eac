"""What `make prove` and `make garden` do at length, in seconds: some seeds hold, a seed is one run, bugs are found."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.garden import find
from tests.sim.garden import BUGS, planted
from tests.sim.hours import HOUR_NS, Long, check_memory, growth, run_hours
from tests.sim.invariants import Violation
from tests.sim.planting import _get
from tests.sim.run import run

ROOT = Path(__file__).parents[2]
QUICKLY = (
    "adds_totals_as_if_they_were_parts",
    "asks_only_once",
    "books_a_fill_twice",
    "completes_more_than_is_missing",
    "dies_of_a_late_merge",
    "drops_order_news",
    "forgets_that_markets_are_taken",
    "forgets_the_inflight_timer",
    "keeps_the_halt_in_memory",
    "loses_rows_of_fills",
    "mends_while_something_is_unknown",
    "never_cancels",
    "never_sees_a_surplus",
    "opens_before_it_has_reconciled",
    "releases_too_early",
    "resends_with_a_new_id",
    "resends_with_the_same_id",
    "sends_before_it_commits",
    "sizes_legs_by_dollars",
    "trusts_absence_at_once",
)
"""Bugs that the first few seeds find; `make garden` looks for all of them."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A run that is full of faults logs them, which takes longer than the run."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", range(24))
def test_a_seed_holds(seed):
    outcome = run(seed)

    assert outcome.violation is None
    assert outcome.steps > 100


def hashes(hash_seed: str) -> list[str]:
    command = [sys.executable, "-m", "tests.prove", "--seeds", "16", "--jobs", "1", "--hashes"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=True)
    return done.stdout.splitlines()


def test_a_seed_leaves_the_same_trace_in_two_processes_whatever_their_hash_seeds():
    first, second = hashes("1"), hashes("4711")

    assert len({line.split()[1] for line in first}) == 16
    assert first == second


def test_nine_minutes_hold_and_are_one_run():
    first, second = run_hours(2, 0.15), run_hours(2, 0.15)

    assert first.violation is None
    assert first.attempts["success"] > 5
    assert first.trace == second.trace
    assert growth(first)


def hourly(leak: int, at_random: int = 0) -> Long:
    """Eight hours of one process in which something holds `leak` entries more with every hour."""
    samples = [Counter({"leak": leak * hour, "steady": 2048 + at_random * (hour % 2)}) for hour in range(1, 9)]
    return Long(1, samples=[(hour * HOUR_NS, found) for hour, found in enumerate(samples)])


def test_a_collection_that_grows_is_found():
    with pytest.raises(Violation, match="I20: leak grows: 400 entries at most in the first half, 800 in the second"):
        check_memory(hourly(leak=100))


def test_what_only_wavers_does_not_count_as_growth():
    check_memory(hourly(leak=0, at_random=60))


@pytest.mark.parametrize("name", QUICKLY)
def test_a_planted_bug_is_found(name):
    bug = next(bug for bug in BUGS if bug.name == name)

    found = find(bug, 80)

    assert found is not None
    assert found.invariant in bug.breaks


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_gone_once_it_is_uprooted(bug):
    places = [(target, name) for target, name, _ in bug.plant()]
    before = [_get(target, name) for target, name in places]

    with planted(bug):
        assert [_get(target, name) for target, name in places] != before

    assert [_get(target, name) for target, name in places] == before
