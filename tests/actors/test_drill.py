"""`drill`: every armed kill condition fires, holds, lets protection through and survives a restart, or it says so."""

from __future__ import annotations

import json

import pytest

from actors.drill import FEW, MARKET, drill
from actors.main import main
from actors.simulation import SimClock
from adapters.gate import Gate
from models.config import Config
from models.config_trading import HaltScope, KillSwitch, Risk, Window
from models.kill_switch import Condition


def a_config(**risk) -> Config:
    return Config(venue="simulated", markets=(MARKET,), risk=Risk(**risk))


def test_every_condition_of_the_default_configuration_fires_and_holds(tmp_path):
    results = drill(a_config(), tmp_path)

    assert [(r.name, r.tripped_at) for r in results] == [
        ("partials", 2),
        ("rejects", 5),
        ("disconnects", 5),
        ("halt_on_partial_fill", 1),
        ("daily_notional", 1),
    ]
    assert all(r.passed for r in results)
    assert [r.counter for r in results][:3] == [2, 5, 5]


@pytest.mark.parametrize("count", [1, 3, 7])
def test_each_window_trips_exactly_at_its_limit(count, tmp_path):
    window = Window(count=count, minutes=1)
    switch = KillSwitch(partials=window, rejects=window, disconnects=window)

    results = drill(a_config(kill_switch_conditions=switch), tmp_path)

    assert {r.tripped_at for r in results[:3]} == {count}


def test_a_halt_of_one_market_only_is_drilled_as_such(tmp_path):
    results = drill(a_config(halt_scope=HaltScope.MARKET), tmp_path)

    [partial] = [r for r in results if r.name == "halt_on_partial_fill"]
    assert partial.passed
    assert Gate(tmp_path / partial.name / "permit", SimClock(), scope="drill").tripped is None
    assert MARKET in Gate(tmp_path / partial.name / "permit", SimClock(), scope="drill").market_halts


def test_a_gate_that_was_never_open_proves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(Gate, "grant_fresh", lambda self, by: None)

    results = drill(a_config(), tmp_path)

    assert not any(r.open_before or r.passed for r in results)


def test_a_condition_that_fires_too_early_has_not_passed(tmp_path, monkeypatch):
    monkeypatch.setattr(Condition, "tripped", property(lambda self: bool(self.seen)))

    results = drill(a_config(), tmp_path)

    assert [r.passed for r in results if r.limit > 1 and r.name != "daily_notional"] == [False, False, False]


def test_what_is_switched_off_is_not_drilled(tmp_path):
    switch = KillSwitch(daily_notional=False)

    names = [r.name for r in drill(a_config(kill_switch_conditions=switch, halt_on_partial_fill=False), tmp_path)]

    assert names == ["partials", "rejects", "disconnects"]


def test_incidents_come_close_enough_to_fall_into_one_window(tmp_path):
    switch = KillSwitch(rejects=Window(count=100, minutes=1))

    [rejects] = [r for r in drill(a_config(kill_switch_conditions=switch), tmp_path) if r.name == "rejects"]

    assert (rejects.tripped_at, rejects.passed) == (100, True)


def test_a_window_of_very_many_is_drilled_with_its_last_few(tmp_path):
    switch = KillSwitch(rejects=Window(count=100_000, minutes=10))

    [rejects] = [r for r in drill(a_config(kill_switch_conditions=switch), tmp_path) if r.name == "rejects"]

    assert (rejects.tripped_at, rejects.counter, rejects.passed) == (FEW, 100_000, True)


def test_a_condition_that_does_not_fire_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Condition, "tripped", property(lambda self: False))
    monkeypatch.chdir(tmp_path)

    assert main(["drill"]) == 1

    assert "rejects                NEVER FIRED (limit 5)" in capsys.readouterr().out


def test_the_verb_prints_one_object_and_exits_with_zero(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert main(["drill", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["ok"]
    assert len(told["conditions"]) == 5
    assert list(tmp_path.iterdir()) == [], "the bot's own state is left alone"
