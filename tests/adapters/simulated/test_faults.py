"""Fault plans: strict reading, exact timing, honest counting."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from adapters.simulated.faults import (
    PLANS,
    TIMED,
    Lever,
    LeverName,
    Levers,
    PlanError,
    duration_ns,
    parse_plan,
    read_plan,
)
from models.clock import MS, SECOND


def some_levers(*levers: dict[str, object]) -> Levers:
    made = Levers(random.Random(1))
    for lever in parse_plan({"levers": list(levers)}).levers:
        made.add(lever, 0)
    return made


@pytest.mark.parametrize("name", sorted(path.stem for path in PLANS.glob("*.yaml")))
def test_every_shipped_plan_can_be_read(name: str) -> None:
    assert read_plan(name).name == name
    assert read_plan(name).levers


def test_a_plan_may_be_json(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"rules": {"settlement": "2s"}, "levers": [{"lever": "close", "at": "1s"}]}')

    assert read_plan(str(path)).rules.settlement == "2s"


@pytest.mark.parametrize(
    "document",
    [
        {"levers": [{"lever": "nonsense"}]},
        {"levers": [{"lever": "drop", "atx": "1s"}]},
        {"levers": [{"lever": "drop", "at": "soon"}]},
        {"levers": [{"lever": "drop", "every": "0s"}]},
        {"levers": [{"lever": "thief", "leg": "third"}]},
        {"levers": [{"lever": "thief", "chance": 1.5}]},
        {"levers": [{"lever": "drop", "count": 0}]},
        {"unknown": 1},
        [],
        None,
    ],
)
def test_a_plan_with_a_mistake_is_refused(document: object) -> None:
    with pytest.raises(PlanError):
        parse_plan(document)


def test_a_plan_that_is_not_there_or_no_yaml_says_so(tmp_path: Path) -> None:
    with pytest.raises(PlanError):
        read_plan(str(tmp_path / "absent.yaml"))
    (tmp_path / "broken.yaml").write_text("a: [")
    with pytest.raises(PlanError):
        read_plan(str(tmp_path / "broken.yaml"))


@pytest.mark.parametrize(
    ("text", "ns"), [("250ms", 250 * MS), ("20s", 20 * SECOND), ("1.5m", 90 * SECOND), ("6h", 21_600 * SECOND)]
)
def test_durations(text: str, ns: int) -> None:
    assert duration_ns(text) == ns


def test_a_timed_lever_fires_once_at_its_time() -> None:
    levers = some_levers({"lever": "close", "at": "2s"})

    fired = [now for now in range(0, 10 * SECOND, SECOND) for _ in levers.due(now)]

    assert fired == [2 * SECOND]
    assert levers.fired == {"close": 1}


def test_a_repeated_lever_fires_each_time_also_when_nobody_looked_for_a_while() -> None:
    levers = some_levers({"lever": "close", "at": "1s", "every": "2s"})

    assert len(levers.due(9 * SECOND)) == 5


def test_an_armed_lever_waits_for_its_occasion_and_then_is_spent() -> None:
    levers = some_levers({"lever": "drop", "at": "1s", "market": "a"})

    assert levers.pull(LeverName.DROP, market="a") is None, "too early"
    levers.due(SECOND)
    assert levers.pull(LeverName.DROP, market="b") is None, "another market"
    assert levers.fired == {}
    assert levers.pull(LeverName.DROP, market="a") is not None
    assert levers.pull(LeverName.DROP, market="a") is None, "spent"
    assert levers.fired == {"drop": 1}


def test_occasions_that_did_not_come_in_time_lapse() -> None:
    levers = some_levers({"lever": "refuse", "count": 3, "lapses": "10s"})
    levers.due(0)
    assert levers.pull(LeverName.REFUSE) is not None
    levers.due(10 * SECOND - 1)
    assert levers.pull(LeverName.REFUSE) is not None
    levers.due(10 * SECOND)
    assert levers.pull(LeverName.REFUSE) is None
    assert levers.fired["refuse"] == 2


def test_an_arming_after_one_that_lapsed_has_its_own_time() -> None:
    levers = some_levers({"lever": "refuse", "every": "30s", "lapses": "10s"})
    levers.due(0)
    levers.due(20 * SECOND)
    assert levers.pull(LeverName.REFUSE) is None
    levers.due(30 * SECOND)
    levers.due(39 * SECOND)
    assert levers.pull(LeverName.REFUSE) is not None


def test_a_lever_is_armed_anew_every_period() -> None:
    levers = some_levers({"lever": "drop", "every": "1s", "count": 2})
    caught = 0
    for second in range(3):
        levers.due(second * SECOND)
        caught += sum(levers.pull(LeverName.DROP, market="a") is not None for _ in range(10))

    assert caught == 6


def test_a_chance_fires_about_as_often_as_it_says_and_never_ends() -> None:
    levers = some_levers({"lever": "thief", "chance": 0.2})
    levers.due(0)

    fired = sum(levers.pull(LeverName.THIEF) is not None for _ in range(2_000))

    assert 330 < fired < 470
    assert levers.fired["thief"] == fired


def test_a_lever_for_the_second_leg_lets_the_first_pass() -> None:
    levers = some_levers({"lever": "refuse", "leg": "second"})
    levers.due(0)

    assert levers.pull(LeverName.REFUSE, second_leg=False) is None
    assert levers.pull(LeverName.REFUSE, second_leg=True) is not None


def test_a_lever_for_later_orders_lets_the_first_pass_and_spoils_whatever_could_mend_it() -> None:
    levers = some_levers({"lever": "refuse", "leg": "later", "count": 2})
    levers.due(0)

    assert levers.pull(LeverName.REFUSE, second_leg=False) is None
    assert levers.pull(LeverName.REFUSE, second_leg=True) is not None
    assert levers.pull(LeverName.REFUSE, second_leg=False, sells=True) is not None


def test_the_levers_that_wait_for_nothing_but_time_are_the_conditions() -> None:
    assert {lever.value for lever in TIMED} == {
        "close", "half_open", "stall", "slow", "lag", "silent", "pause", "restart", "close_market", "resolve",
        "tick_change", "disabled", "cancel_only", "end_subscriptions", "fee_change",
    }  # fmt: skip
    assert Lever(LeverName.CLOSE).stream == "market"
