"""The report's figures: what counts, what is unknown, and when the verdict is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.clock import DAY, SECOND
from models.report import figure
from models.report_facts import (
    AccountFacts,
    AttemptFacts,
    Gathered,
    Goal,
    OpportunityCount,
    Outage,
    PaperFacts,
    RunSpan,
)

T0 = 1_780_000_000 * SECOND


def some_facts(**changes: Any) -> Gathered:
    facts = Gathered(
        ledger="data/ledger.sqlite",
        mode="live",
        since=None,
        until=None,
        only=None,
        runs=(RunSpan("run-1", "live", "simulated", T0, T0 + 100 * SECOND, True),),
        last_sign=T0 + 100 * SECOND,
        opportunities=(),
        episodes=0,
        attempts=(),
        paper=(),
        sum_costs=(),
        trade_line=993_000,
        updates=0,
        order_rejects=0,
        orders_unknown=0,
        orders_resolved=0,
        protections={},
        order_latencies_ms=(),
        event_counts={},
        outages=(),
        incidents=(),
        account=AccountFacts(T0, 5_000_000, 5_000_000, True, 5_000_000),
        goal=Goal(2, 7, 0),
        violations=(),
    )
    return replace(facts, **changes)


def an_attempt(
    number: int, ending: str | None = "success", realized: int | None = 100_000, **changes: Any
) -> AttemptFacts:
    attempt = AttemptFacts(
        attempt_id=f"a-{number}",
        set_id="fed",
        opened=T0 + number,
        changed=T0 + number + 5,
        state="COOLDOWN",
        ending=ending,
        size=10_000_000,
        filled=10_000_000 if ending == "success" else 0,
        cost=9_700_000 if ending == "success" else 0,
        fees=5_000,
        pays=10_000_000,
        realized=realized,
        open_position=realized is None,
        edge=28_000,
    )
    return replace(attempt, **changes)


# -- counts


COUNTS = st.lists(
    st.builds(
        lambda set_id, decision, reason, verdict, count: OpportunityCount(
            set_id, decision, None if decision == "traded" else reason, verdict, count, count * 1_000
        ),
        st.sampled_from(["fed", "btc"]),
        st.sampled_from(["traded", "skipped"]),
        st.sampled_from(["edge", "depth", "halted"]),
        st.sampled_from(["real", "stale"]),
        st.integers(1, 50),
    ),
    max_size=12,
)


@given(COUNTS)
def test_detected_is_traded_plus_skipped_and_the_reasons_add_up(counts: list[OpportunityCount]) -> None:
    seen = figure(some_facts(opportunities=counts)).opportunities

    assert seen.detected == seen.traded + seen.skipped == sum(count.count for count in counts)
    assert sum(seen.by_reason.values()) == seen.skipped
    assert sum(seen.by_verdict.values()) == seen.detected
    assert list(seen.by_reason.values()) == sorted(seen.by_reason.values(), reverse=True)
    assert seen.avg_edge == (1_000 if counts else None)


def test_attempts_have_one_ending_or_are_under_way() -> None:
    attempts = (
        an_attempt(1),
        an_attempt(2, "partial", -50_000),
        an_attempt(3, "rejected", 0),
        an_attempt(4, "missed", 0),
        an_attempt(5, None, None, state="IN_DOUBT"),
        an_attempt(6, None, None, state="WAITING_FILLS"),
    )

    found = figure(some_facts(attempts=attempts)).attempts

    assert found.endings == {"success": 1, "partial": 1, "rejected": 1, "missed": 1}
    assert (found.total, found.in_doubt, found.in_flight) == (6, 1, 2)
    assert found.success_rate == 0.25


def test_the_distribution_of_sum_cost_covers_every_state_and_its_median_is_the_middle_one() -> None:
    spread = figure(some_facts(sum_costs=((97, 2), (99, 1), (103, 4)))).sum_cost

    assert (spread.low, spread.median, spread.high) == (970_000, 1_030_000, 1_040_000)
    assert spread.buckets == ((970_000, 980_000, 2), (990_000, 1_000_000, 1), (1_030_000, 1_040_000, 4))


# -- money


def test_losses_of_half_filled_sets_count_in_the_average_per_completed_set() -> None:
    attempts = (an_attempt(1), an_attempt(2), an_attempt(3, "partial", -150_000))

    sets = figure(some_facts(attempts=attempts)).sets

    assert (sets.completed, sets.net_pnl, sets.avg_net_pnl) == (2, 50_000, 25_000)
    assert sets.fees == 15_000


def test_an_average_is_floored_so_it_is_never_stated_better_than_it_is() -> None:
    attempts = (an_attempt(1, realized=-1), an_attempt(2, realized=0))

    assert figure(some_facts(attempts=attempts)).sets.avg_net_pnl == -1


def test_what_is_held_is_locked_and_not_profit() -> None:
    sets = figure(some_facts(attempts=(an_attempt(1), an_attempt(2, realized=None)))).sets

    assert (sets.net_pnl, sets.completed, sets.settled) == (100_000, 2, 1)
    assert (sets.locked, sets.locked_capital) == (295_000, 9_705_000)


def test_unknown_is_unknown_and_never_zero() -> None:
    report = figure(some_facts(runs=(), last_sign=None, account=None, goal=None))

    assert report.sets.net_pnl is None
    assert report.sets.avg_net_pnl is None
    assert report.sets.fees is None
    assert report.opportunities.avg_edge is None
    assert report.attempts.success_rate is None
    assert report.uptime_ratio is None
    assert report.difference is None
    assert report.sum_cost.median is None
    assert report.evaluation.verdict == "unknown"


def test_paper_quotes_the_pessimistic_fill_and_shows_all_three() -> None:
    paper = [
        PaperFacts(f"a-{n}", T0 + n, model, 10 if net > 0 else 0, 9, 1, net)
        for n, model, net in (
            (1, "optimistic", 300),
            (1, "shifted", 200),
            (1, "pessimistic", -7),
            (2, "optimistic", 300),
            (2, "shifted", 100),
            (2, "pessimistic", 50),
        )
    ]

    report = figure(some_facts(mode="paper", account=None, attempts=(an_attempt(1), an_attempt(2)), paper=paper))

    assert {model: line.net_pnl for model, line in report.paper.items()} == {
        "optimistic": 600,
        "shifted": 300,
        "pessimistic": 43,
    }
    assert (report.sets.net_pnl, report.sets.avg_net_pnl, report.sets.fees) == (43, 21, 2)
    assert report.paper["pessimistic"].sets == 1
    assert report.curve == ((T0 + 1, -7), (T0 + 2, 43))


def test_a_paper_attempt_whose_fill_nobody_knows_is_counted_as_unknown() -> None:
    paper = [PaperFacts("a-1", T0, "pessimistic", 0, 0, 0, None)]

    report = figure(some_facts(mode="paper", account=None, attempts=(an_attempt(1), an_attempt(2)), paper=paper))

    assert report.paper["pessimistic"].unknown == 2
    assert report.sets.net_pnl is None
    assert report.sets.fees is None
    assert "2 paper attempts have no pessimistic figure" in report.evaluation.reasons[-1]


# -- time


def test_uptime_is_time_with_a_run_and_a_live_feed() -> None:
    runs = (
        RunSpan("r1", "live", "simulated", T0, T0 + 40 * SECOND, True),
        RunSpan("r2", "live", "simulated", T0 + 60 * SECOND, T0 + 100 * SECOND, False),
    )

    report = figure(some_facts(runs=runs, outages=(Outage(T0 + 10 * SECOND, T0 + 30 * SECOND, "lost"),)))

    assert report.uptime_ratio == 0.6
    assert report.down_ns == 20 * SECOND


def test_a_period_cuts_runs_and_outages() -> None:
    outage = Outage(T0 + 40 * SECOND, T0 + 60 * SECOND, "lost")

    report = figure(some_facts(since=T0 + 50 * SECOND, outages=(outage,)))

    assert (report.began, report.up_ns, report.down_ns) == (T0 + 50 * SECOND, 50 * SECOND, 10 * SECOND)


# -- verdict


def verdict(**changes: Any) -> str:
    return figure(some_facts(**changes)).evaluation.verdict


GOOD = (an_attempt(1), an_attempt(2))
LONG = (RunSpan("r", "live", "simulated", T0, T0 + 8 * DAY, True),)


def test_the_window_is_fifty_sets_or_seven_days_whichever_comes_first() -> None:
    assert verdict(attempts=GOOD[:1]) == "too_early"
    assert verdict(attempts=GOOD) == "pass"
    assert verdict(attempts=GOOD[:1], runs=LONG, last_sign=T0 + 8 * DAY) == "pass"


def test_on_paper_a_set_counts_where_the_quoted_fill_made_it_one_too() -> None:
    def paper(*filled: int) -> tuple[PaperFacts, ...]:
        return tuple(PaperFacts(f"a-{n}", T0, "pessimistic", f, 0, 0, 900_000) for n, f in enumerate(filled, 1))

    missed = figure(some_facts(mode="paper", account=None, attempts=GOOD, paper=paper(10, 0))).evaluation
    assert (missed.verdict, missed.sets) == ("too_early", 1)
    assert missed.reasons[0].startswith("1 of 2 sets")
    assert verdict(mode="paper", account=None, attempts=GOOD, paper=paper(10, 10)) == "pass"


def test_the_average_has_to_be_above_the_target_not_at_it() -> None:
    assert verdict(attempts=GOOD, goal=Goal(2, 7, 99_999)) == "pass"
    assert verdict(attempts=GOOD, goal=Goal(2, 7, 100_000)) == "fail"


def test_days_without_a_single_set_are_a_failure() -> None:
    assert verdict(attempts=(an_attempt(1, "missed", 0),), runs=LONG, last_sign=T0 + 8 * DAY) == "fail"


@pytest.mark.parametrize(
    "account",
    [
        None,
        AccountFacts(T0, 5_000_000, 4_999_999, True, 5_000_000),
        AccountFacts(T0, 5_000_000, 5_000_000, False, 5_000_000),
        AccountFacts(T0, 5_000_000, None, None, 5_000_000),
        AccountFacts(T0, 5_000_000, 5_000_000, True, 4_999_999),
    ],
)
def test_no_verdict_where_ledger_and_venue_do_not_agree(account: AccountFacts | None) -> None:
    assert verdict(attempts=GOOD, account=account) == "refused"


def test_no_verdict_on_figures_that_do_not_add_up() -> None:
    report = figure(some_facts(attempts=GOOD, violations=("filled more than ordered: c-1",)))

    assert report.evaluation.verdict == "refused"
    assert report.violations == ("filled more than ordered: c-1",)
