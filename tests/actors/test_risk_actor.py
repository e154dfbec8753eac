"""RiskActor through its messages: what it approves, counts, halts, and what it says to whom."""

from __future__ import annotations

import pytest

from actors.risk import RiskActor
from actors.simulation import EPOCH_NS, SimClock, SimDispatcher, SimIds
from models.clock import SECOND, BootNs, WallNs, utc_day
from models.config_trading import Execution, HaltScope, KillSwitch, Risk, Window
from models.messages import (
    ApprovedSet,
    IncidentSeen,
    MarketResolved,
    MarketsReleased,
    OpportunityJudged,
    SetProposed,
    SetRefused,
    TradingResumed,
)
from models.money import MicroUsd
from models.risk import RiskState, judge_again, limits_from
from models.signal import SkipReason
from tests.actors.paper_bot import FakeGate, Silent
from tests.trading import a_top, an_opportunity, execution_terms

TERMS = execution_terms()
SET = TERMS.complete_set.set_id


class Desk:
    def __init__(self, risk: Risk | None = None, **state) -> None:
        self.clock = SimClock()
        self.clock.now = 1000 * SECOND
        self.gate, self.executor, self.signal, self.ledger = FakeGate(), Silent(), Silent(), Silent()
        rules = risk or Risk()
        self.actor = RiskActor(
            SimDispatcher(1, self.clock),
            self.fail,
            [TERMS],
            risk=rules,
            limits=limits_from(rules, Execution()),
            state=RiskState(day=utc_day(WallNs(EPOCH_NS)), **state),
            gate=self.gate,
            clock=self.clock,
            ids=SimIds(),
            executors={SET: self.executor},
            signal=self.signal,
            ledger=self.ledger,
        )

    @staticmethod
    def fail(name, error):
        raise error

    def propose(self, **top):
        self.actor.receive(SetProposed(opportunity=an_opportunity(TERMS, a_top(**top))))
        return [m for m in self.ledger.heard if isinstance(m, OpportunityJudged)][-1]

    def incident(self, kind: str, set_id=None) -> None:
        self.actor.receive(IncidentSeen(kind=kind, set_id=set_id, detail="d", at=BootNs(self.clock.now)))

    def release(self, attempt_id, *, open_position=False, spent=9_000_000) -> None:
        self.actor.receive(
            MarketsReleased(
                attempt_id=attempt_id,
                set_id=SET,
                spent=MicroUsd(spent),
                cooling_until=BootNs(0),
                open_position=open_position,
            )
        )


def test_an_approval_goes_to_the_executor_and_its_review_to_the_ledger():
    desk = Desk()

    judged = desk.propose()

    [approved] = desk.executor.heard
    assert isinstance(approved, ApprovedSet)
    assert approved.attempt_id == judged.attempt_id
    assert judge_again(judged.risk_inputs) == (None, "")
    assert desk.signal.heard == []


def test_a_refusal_goes_back_to_the_signal_and_to_the_ledger():
    desk = Desk()
    desk.propose()

    judged = desk.propose(yes_ask="0.44")

    assert judged.refusal is SkipReason.RESERVED
    assert desk.signal.heard == [SetRefused(SET, SkipReason.RESERVED)]
    assert len(desk.executor.heard) == 1


@pytest.mark.parametrize(
    ("close", "refusal"),
    [
        (lambda gate: gate.trip("operator", "console"), SkipReason.HALTED),
        (lambda gate: setattr(gate, "held", "reconcile"), SkipReason.HALTED),
        (lambda gate: gate.trip_market("m1", "operator", "console"), SkipReason.MARKET_HALTED),
    ],
)
def test_the_gate_is_asked_at_every_review(close, refusal):
    desk = Desk()
    close(desk.gate)

    assert desk.propose().refusal is refusal


@pytest.mark.parametrize(("kind", "name"), [("reject", "rejects"), ("disconnect", "disconnects")])
def test_incidents_trip_the_gate_at_their_limit_and_show_in_the_counters(kind, name):
    desk = Desk(Risk(kill_switch_conditions=KillSwitch(**{name: Window(count=3, minutes=1)})))
    for _ in range(2):
        desk.incident(kind)
    assert desk.gate.trips == []

    desk.incident(kind)

    assert desk.gate.trips == [f"kill switch: 3 {name} within 1 min"]
    assert {g.name: (g.used, g.limit) for g in desk.actor.kill_switch}[name] == (3, 3)
    assert [m.kind for m in desk.ledger.heard] == [kind] * 3, "every incident is a row"


def test_a_resume_empties_the_windows():
    desk = Desk(Risk(kill_switch_conditions=KillSwitch(rejects=Window(count=2, minutes=1))))
    desk.incident("reject")
    desk.actor.receive(TradingResumed(reason="looked", by="operator", at=WallNs(0)))

    desk.incident("reject")

    assert desk.gate.trips == []


@pytest.mark.parametrize(
    ("rules", "trips", "markets"),
    [
        (Risk(), 1, []),
        (Risk(halt_scope=HaltScope.MARKET), 0, ["m1"]),
        (Risk(halt_on_partial_fill=False), 0, []),
    ],
)
def test_a_partial_fill_halts_what_the_configuration_says(rules, trips, markets):
    desk = Desk(rules)

    desk.incident("partial", SET)

    assert (len(desk.gate.trips), list(desk.gate.market_halts)) == (trips, markets)


def test_reaching_the_daily_notional_trips_where_it_is_a_kill_condition():
    full = {"spent_today": MicroUsd(495_000_000)}
    halting, refusing = Desk(**full), Desk(Risk(kill_switch_conditions=KillSwitch(daily_notional=False)), **full)

    assert halting.propose().refusal is refusing.propose().refusal is SkipReason.DAILY_NOTIONAL

    assert "daily notional" in halting.gate.trips[0]
    assert refusing.gate.trips == []
    assert [g.name for g in halting.actor.kill_switch][-1] == "daily_notional"
    assert "daily_notional" not in [g.name for g in refusing.actor.kill_switch]


def test_an_exposed_set_takes_nothing_new_until_it_is_released():
    desk = Desk()
    judged = desk.propose()
    desk.release(judged.attempt_id)
    desk.incident("exposed", SET)

    assert desk.propose(yes_ask="0.44").refusal is SkipReason.UNRESOLVED
    desk.release(judged.attempt_id)
    assert desk.propose(yes_ask="0.44").refusal is None


def test_a_resolved_market_frees_its_position():
    desk = Desk()
    judged = desk.propose()
    desk.release(judged.attempt_id, open_position=True)
    assert desk.actor.limits[1].used == 1

    desk.actor.receive(MarketResolved("m1", None, 500_000, BootNs(0)))

    assert desk.actor.limits[1].used == 0


def test_a_message_that_is_not_for_risk_is_an_error():
    with pytest.raises(TypeError, match="risk cannot handle str"):
        Desk().actor.receive("hello")
