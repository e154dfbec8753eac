"""Live trading on a real venue needs every one of its conditions; the simulated exchange needs none of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from models.checkup import Check, Grade, fine, skipped, unreachable, wrong
from models.clock import SECOND, WallNs
from models.live_gate import LEAST_PAPER_NS, LiveRequest, PaperRun, addresses, live_refusals
from models.market import VenueName

POLY, KALSHI = VenueName("polymarket"), VenueName("kalshi")
OWN = ("", "", "")
LOCAL = ("http://127.0.0.1:8800", "ws://127.0.0.1:8800/ws/market", "http://127.0.0.1:8800")
PAPER = PaperRun(
    venues={POLY: OWN},
    began=WallNs(0),
    ended=WallNs(3_600 * SECOND),
    in_order=True,
    left_open=0,
    updates=1_000,
)
READY = LiveRequest(
    real={POLY: OWN},
    mode_is_live=True,
    confirmed=frozenset({POLY}),
    checks=[fine("place", "open"), skipped("extra", "not asked for")],
    paper=[PAPER],
)
FLAWS = {
    "mode: live": {"mode_is_live": False},
    "confirmed": {"confirmed": frozenset()},
    "place": {"checks": [wrong("place", "blocked", "trade elsewhere")]},
    "paper run": {"paper": []},
}


def test_where_nothing_is_missing_live_may_start() -> None:
    assert live_refusals(READY) == []


def test_the_simulated_exchange_needs_no_more_than_the_flag() -> None:
    bare = LiveRequest(real={}, mode_is_live=False, confirmed=frozenset(), checks=[], paper=[])
    assert live_refusals(bare) == []


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_missing_condition_is_named_alone_and_together(count: int) -> None:
    for flaws in combinations(FLAWS, count):
        request = READY
        for flaw in flaws:
            request = replace(request, **FLAWS[flaw])
        refusals = live_refusals(request)
        assert len(refusals) == count
        assert all(any(flaw in line for line in refusals) for flaw in flaws)


@pytest.mark.parametrize(
    "changes",
    [
        {"in_order": False},
        {"left_open": 1},
        {"updates": 0},
        {"ended": WallNs(LEAST_PAPER_NS - 1)},
        {"venues": {KALSHI: OWN}},
        {"venues": {POLY: LOCAL}},
    ],
)
def test_a_paper_run_that_proves_nothing_does_not_count(changes: dict) -> None:
    spoilt = replace(PAPER, **changes)
    assert len(live_refusals(replace(READY, paper=[spoilt]))) == 1
    assert live_refusals(replace(READY, paper=[spoilt, PAPER])) == [], "one clean run is enough"


def test_a_paper_run_against_a_copy_of_the_venue_on_this_machine_counts_there_alone() -> None:
    rehearsed = replace(PAPER, venues={POLY: LOCAL})

    (line,) = live_refusals(replace(READY, paper=[rehearsed]))

    assert "no clean paper run of polymarket at its own addresses (there are some of http://127.0.0.1:8800, " in line
    assert live_refusals(replace(READY, real={POLY: LOCAL}, paper=[rehearsed])) == []


def test_addresses_are_those_that_a_paper_run_reads_whatever_else_is_configured() -> None:
    options = {"rest_url": "http://127.0.0.1:8800/", "ws_url": None, "user_ws_url": "ws://x", "wallet_type": "eoa"}

    assert addresses(options) == ("http://127.0.0.1:8800", "", "")


@pytest.mark.parametrize("check", [wrong("keys", "are wrong", "do x"), unreachable("clock", "silent")])
def test_what_could_not_be_asked_is_as_bad_as_a_no(check: Check) -> None:
    (line,) = live_refusals(replace(READY, checks=[check]))
    assert line.startswith(f"{check.name}: {check.text}. ")
    assert check.grade in (Grade.WRONG, Grade.UNREACHABLE)


def test_two_venues_need_two_confirmations_and_two_paper_runs() -> None:
    both = replace(READY, real={POLY: OWN, KALSHI: OWN})
    lines = live_refusals(both)
    assert len(lines) == 2
    assert all("kalshi" in line for line in lines)
    run = replace(PAPER, venues={POLY: OWN, KALSHI: OWN})
    assert live_refusals(replace(both, confirmed=frozenset({POLY, KALSHI}), paper=[run])) == []
