"""A stored decision is computed again from what is stored, and nothing that matters may be different unnoticed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.clock import SECOND, BootNs, WallNs
from models.messages import Opportunity
from models.money import MicroUsd
from models.risk import judge_again
from models.signal import Kind, Surroundings, decide
from models.why import StoredLeg, StoredOpportunity, gates, recheck
from tests.adapters.ledger.ledger_rows import a_set_terms, a_top, a_trade, an_opportunity

TERMS = a_set_terms()


def stored(opportunity: Opportunity, **row: Any) -> StoredOpportunity:
    """As the ledger would hold a skip of the signal."""
    decision = opportunity.decision
    yes, no = opportunity.tops
    values: dict[str, Any] = {
        "seq": 3,
        "opportunity_id": opportunity.opportunity_id,
        "at": opportunity.at,
        "set_id": opportunity.set_id,
        "market_id": "fed",
        "episode_id": opportunity.episode_id,
        "decision": "skipped",
        "reason": None if decision.reason is None else decision.reason.value,
        "verdict": decision.verdict.value,
        "sum_cost": decision.sum_cost,
        "edge": decision.edge,
        "net_edge": decision.net_edge,
        "fees": decision.fees,
        "size": decision.size,
        "yes_ask": yes.yes_ask,
        "no_ask": no.no_ask,
        "yes_size": yes.yes_ask_size,
        "no_size": no.no_ask_size,
        "cost_buffer": TERMS.thresholds.cost_buffer,
        "config_hash": "c",
        "attempt_id": None,
        "also": ",".join(decision.also),
        "frame_boot_ns": opportunity.frame_at,
        "surroundings": msgspec.json.encode(opportunity.surroundings).decode(),
        "detail": None,
        "risk_inputs": None,
        "legs": (StoredLeg("fed", "YES", yes), StoredLeg("fed", "NO", no)),
    }
    return StoredOpportunity(**(values | row))


def stored_trade(**changes: Any) -> StoredOpportunity:
    judged = a_trade(**changes)
    reason = None if judged.refusal is None else judged.refusal.value
    return stored(
        judged.opportunity,
        decision="traded" if reason is None else "skipped",
        reason=reason,
        attempt_id=judged.attempt_id,
        detail=judged.detail,
        risk_inputs=judged.risk_inputs.decode(),
    )


def test_an_untouched_trade_comes_out_the_same() -> None:
    assert recheck(stored_trade(), TERMS, judge_again) == ()


def test_a_trade_that_risk_refused_comes_out_the_same() -> None:
    refused = stored_trade(attempt=None, halted="odd news")

    assert recheck(refused, TERMS, judge_again) == ()
    assert gates(refused)[-1] == ("risk", False)


PRICES = st.integers(300_000, 520_000)
SIZES = st.integers(0, 60_000_000)
TOPS = st.builds(
    lambda yes, no, size, as_of, lag, intact, age: a_top(
        yes,
        no,
        size,
        no_as_of_ms=as_of,
        lag_ms=lag,
        intact=intact,
        evidence_at=BootNs(4 * SECOND - age * SECOND),
    ),
    PRICES,
    PRICES,
    SIZES,
    st.sampled_from([1_000, 1_001]),
    st.sampled_from([None, 3, 5_000]),
    st.booleans(),
    st.sampled_from([0, 60]),
)


@given(TOPS, st.booleans(), st.booleans())
def test_every_skip_comes_out_the_same_whatever_its_reasons(top: Any, in_flight: bool, cooling: bool) -> None:
    around = Surroundings(now=BootNs(4 * SECOND + 5), wall_ms=1, in_flight=in_flight, cooling=cooling)
    decision = decide(TERMS, (top, top), around)
    if decision is None or decision.kind is Kind.TRADE:
        return
    opportunity = replace(an_opportunity(), tops=(top, top), surroundings=around, decision=decision)

    row = stored(opportunity)

    assert recheck(row, TERMS, judge_again) == ()
    closed = {name for name, is_open in gates(row) if not is_open}
    assert closed


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sum_cost", 969_999),
        ("edge", 28_001),
        ("net_edge", 27_499),
        ("fees", 1),
        ("size", 9_990_000),
        ("verdict", "stale"),
        ("also", "edge"),
        ("yes_ask", 470_001),
        ("no_ask", None),
        ("yes_size", 1),
        ("no_size", None),
        ("cost_buffer", 0),
        ("market_id", None),
        ("frame_boot_ns", 1),
        ("decision", "skipped"),
        ("reason", "edge"),
        ("detail", "because"),
    ],
)
def test_a_changed_result_is_found(field: str, value: object) -> None:
    row = replace(stored_trade(), **{field: value})

    assert field in {mismatch.name for mismatch in recheck(row, TERMS, judge_again)}


@pytest.mark.parametrize(
    "change",
    [
        {"yes_ask": 470_001},
        {"yes_ask": None},
        {"yes_ask_size": 1},
        {"no_ask_size": 9_999_999},
        {"yes_bid": 470_000},
        {"no_as_of_ms": 999},
        {"intact": False},
        {"lag_ms": 60_000, "evidence_at": BootNs(1)},
        {"received_at": BootNs(1)},
    ],
)
def test_a_changed_input_that_matters_is_found(change: dict[str, Any]) -> None:
    row = stored_trade()
    legs = tuple(replace(leg, top=msgspec.structs.replace(leg.top, **change)) for leg in row.legs)

    assert recheck(replace(row, legs=legs), TERMS, judge_again) != ()


@pytest.mark.parametrize(
    "surroundings",
    [
        '{"now":4012000000,"wall_ms":1780000000000,"in_flight":true}',
        '{"now":4012000000,"wall_ms":1780000000000,"cooling":true}',
        '{"now":40120000000,"wall_ms":1780000000000}',
        '{"now":4012000000,"wall_ms":1780000000000,"statuses":["paused","open"]}',
        '{"now":4012000000}',
        "nonsense",
    ],
)
def test_changed_surroundings_are_found(surroundings: str) -> None:
    assert recheck(replace(stored_trade(), surroundings=surroundings), TERMS, judge_again) != ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"halted":null', '"halted":"x"'),
        ('"asks":[470000', '"asks":[470001'),
        ('"size":10000000', '"size":10000001'),
        ('"spent_today":0', '"spent_today":499000000'),
        ('"max_order_size":100000000', '"max_order_size":1'),
        ('"positions":0', '"positions":5'),
        ('"limits":{', '"limits":['),
    ],
)
def test_a_changed_risk_review_is_found(old: str, new: str) -> None:
    row = stored_trade()
    assert row.risk_inputs is not None
    assert old in row.risk_inputs

    changed = replace(row, risk_inputs=row.risk_inputs.replace(old, new, 1))

    assert recheck(changed, TERMS, judge_again) != ()


def test_terms_of_another_configuration_do_not_explain_the_row() -> None:
    dearer = a_set_terms(cost_buffer=MicroUsd(3_000))

    assert {m.name for m in recheck(stored_trade(), dearer, judge_again)} >= {"edge", "net_edge", "cost_buffer"}
    assert recheck(stored_trade(), None, judge_again)[0].name == "terms"


def test_legs_of_another_set_do_not_explain_the_row() -> None:
    row = stored_trade()

    assert recheck(replace(row, legs=row.legs[:1]), TERMS, judge_again)[0].name == "legs"
    assert recheck(replace(row, legs=()), TERMS, judge_again)[0].name == "legs"


def test_a_row_says_when_it_was_and_a_mismatch_says_what_differs() -> None:
    row = replace(stored_trade(), edge=5)

    [mismatch] = [m for m in recheck(row, TERMS, judge_again) if m.name == "edge"]

    assert str(mismatch) == "edge: stored 5, recomputed 28000"
    assert row.at == WallNs(an_opportunity().at)
