"""The table itself: every state crossed with every event, the diagram, and what may not be changed by a wrong event."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from models.clock import BootNs
from models.messages import (
    ApprovedSet,
    CancelAnswered,
    CommitFailed,
    FillSeen,
    IntentsCommitted,
    LaddersSeen,
    MarketResolved,
    MergeAnswered,
    OrderUpdated,
    ProbeAnswered,
    StreamRestored,
    SubmitAnswered,
    TimerFired,
)
from models.money import MicroUsd
from models.orders import (
    CancelAnswer,
    CancelResult,
    CommittedIntent,
    OrderNotFound,
    OrderSeen,
    OutcomeUnknown,
    VenueOrderStatus,
)
from models.set_events import DUE, Event, Proceed
from models.set_state import State, TimerName
from models.set_turn import LEADS_TO
from models.tradeset import TRANSITIONS, IllegalTransition, check, diagram, edges, step
from tests.stage import Stage, a_fill, venue_id
from tests.trading import WALL, an_approval, execution_terms, ladders, shares

TERMS = execution_terms(merges=True, attempts=2)

SHORT = {state.value[:4]: state for state in State}
MATRIX = """
                    IDLE SIGN PLAC WAIT IN_D PART EXPO SUCC FAIL COOL
ApprovedSet         SIGN .    .    +    +    +    +    +    +    +
IntentsCommitted    =    PLAC =    =    =    =    =    =    =    =
CommitFailed        .    COOL =    .    =    =    =    .    .    .
SubmitAnswered      +    IN_D IN_D +    =    +    =    +    COOL +
CancelAnswered      =    PLAC =    =    =    =    =    =    =    =
ProbeAnswered       +    +    +    +    +    +    +    +    +    +
FillSeen            IN_D IN_D IN_D +    +    IN_D +    PART PART IN_D
OrderUpdated        WAIT WAIT WAIT =    WAIT +    +    =    =    WAIT
LaddersSeen         =    =    =    =    =    =    =    =    =    =
MergeAnswered       +    +    +    +    +    +    +    COOL +    +
StreamRestored      =    =    +    +    +    =    +    =    =    =
MarketResolved      +    +    +    +    +    COOL +    +    +    +
OrderTimedOut       .    IN_D IN_D +    +    +    +    .    .    .
InflightExpired     .    EXPO EXPO +    EXPO EXPO +    +    COOL .
ProbeDue            .    +    +    +    +    +    +    +    +    .
RetryDue            .    .    .    .    .    +    +    .    .    .
CooldownEnded       .    .    .    .    .    .    .    .    .    IDLE
"""
"""What each event of `an_event` does to a set that rests in each state of `at_rest`, written out here and not read
from the table: the state that follows, + for more known or something to do in the same state, = for nothing at all,
a dot for an illegal transition.
"""


def at_rest(state: State) -> Stage:
    """A set that has come to rest in `state`."""
    stage = Stage(TERMS)
    if state is State.IDLE:
        stage.approve()
        stage.refuse(0)
        stage.fire(TimerName.COOLDOWN)
        return stage
    if state is State.SIGNAL_DETECTED:
        stage.holds_commits = True
        stage.approve()
        return stage
    stage.approve()
    if state is State.WAITING_FILLS:
        stage.accept(0, 0, done=False)
    elif state is State.IN_DOUBT:
        stage.lose_answer(0)
    elif state is State.PARTIAL_FILL_PROTECT:
        stage.accept(0, 10)
        stage.refuse(1)
    elif state is State.EXPOSED:
        stage.lose_answer(0)
        stage.fire(TimerName.INFLIGHT)
    elif state is State.SUCCESS:
        stage.accept(0, 10)
        stage.accept(1, 10)
    elif state is State.FAILED:
        stage.accept(0, 0)
    elif state is State.COOLDOWN:
        stage.refuse(0)
    return stage


def an_event(kind: type, stage: Stage):
    """A message of that kind, about the newest order of the stage's attempt."""
    if kind in {type(due) for due in DUE.values()}:
        name = next(n for n, due in DUE.items() if type(due) is kind)
        stage.record = replace(stage.record, timers=stage.record.timers.started(TimerName(name)))
        return TimerFired("a-1", name, stage.record.timers.serial)
    intent, at = stage.order(), BootNs(stage.now)
    own, attempt_id = intent.client_order_id, intent.attempt_id
    seen = OrderSeen(
        client_order_id=own, venue_order_id=venue_id(intent), status=VenueOrderStatus.LIVE, filled=shares(0)
    )
    committed = (CommittedIntent(intent=intent, ledger_seq=1, row_hash=""),)
    return {
        ApprovedSet: an_approval(TERMS, attempt_id="a-2"),
        IntentsCommitted: IntentsCommitted(attempt_id=attempt_id, committed=committed),
        CommitFailed: CommitFailed(attempt_id=attempt_id, why="disk full"),
        SubmitAnswered: SubmitAnswered(
            attempt_id=attempt_id, answer=OutcomeUnknown(client_order_id=own, why="timeout"), sent=None, at=at
        ),
        CancelAnswered: CancelAnswered(
            attempt_id=attempt_id, answer=CancelAnswer(client_order_id=own, result=CancelResult.UNKNOWN), at=at
        ),
        ProbeAnswered: ProbeAnswered(
            attempt_id=attempt_id, answer=OrderNotFound(client_order_id=own, source="orders"), fills=(), at=at
        ),
        FillSeen: FillSeen(fill=a_fill(intent, 1, trade="late"), at=at),
        OrderUpdated: OrderUpdated(seen=seen, at=at),
        LaddersSeen: ladders("an old question"),
        MarketResolved: MarketResolved(intent.market_id, None, 500_000, at),
        MergeAnswered: MergeAnswered(attempt_id=attempt_id, cash=MicroUsd(1), why="", at=at),
        StreamRestored: StreamRestored(at),
    }[kind]


@pytest.mark.parametrize("state", State)
def test_the_stage_can_bring_a_set_into_every_state(state):
    assert at_rest(state).state is state


def matrix() -> list[tuple[State, type, str]]:
    header, *lines = MATRIX.strip("\n").splitlines()
    kinds = {kind.__name__: kind for kind in get_args(Event)}
    columns = [SHORT[name] for name in header.split()]
    split = [line.split() for line in lines]
    return [(state, kinds[n], cell) for n, *row in split for state, cell in zip(columns, row, strict=True)]


def test_the_matrix_has_every_state_and_every_event():
    cells = [(state, kind) for state, kind, _ in matrix()]

    assert len(set(cells)) == len(cells)
    assert set(cells) == {(state, kind) for state in State for kind in get_args(Event) if kind is not Proceed}


@pytest.mark.parametrize(("state", "kind", "expected"), matrix())
def test_every_state_crossed_with_every_event(state, kind, expected):
    stage = at_rest(state)
    event = an_event(kind, stage)
    before = stage.record

    if expected == ".":
        with pytest.raises(IllegalTransition, match=f"in state {state.value}"):
            step(before, event, TERMS, BootNs(stage.now), WALL)
        assert stage.record is before
        return

    after, actions = step(before, event, TERMS, BootNs(stage.now), WALL)
    check(after)
    assert after.state is SHORT.get(expected, state)
    assert (after == before and not actions) is (expected == "=")
    assert after.state is state or reachable(state, after.state)
    again, same = step(before, event, TERMS, BootNs(stage.now), WALL)
    assert (again, same) == (after, actions), "a step is a pure function"


def reachable(origin: State, target: State) -> bool:
    seen, frontier = set(), {origin}
    while frontier:
        seen |= frontier
        frontier = {t for o, t, _ in edges() if o in frontier} - seen
    return target in seen


def test_a_fill_is_legal_in_every_state():
    assert all((state, FillSeen) in TRANSITIONS for state in State)


def test_an_approval_while_an_attempt_is_under_way_is_a_lost_lock_and_raises():
    for state in (State.SIGNAL_DETECTED, State.PLACING_ORDERS):
        stage = at_rest(state)
        with pytest.raises(IllegalTransition):
            stage.tell(an_approval(TERMS, attempt_id="a-2"))


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", TimerName)
def test_an_old_timer_changes_nothing_in_any_state(state, name):
    stage = at_rest(state)

    after, actions = step(stage.record, TimerFired("a-1", name, 10_000), TERMS, BootNs(stage.now), WALL)

    assert after is stage.record
    assert actions == ()


def test_every_rule_of_the_table_says_where_it_leads():
    assert set(TRANSITIONS.values()) == set(LEADS_TO)


def test_every_state_can_be_left_and_reached():
    for state in State:
        assert reachable(State.IDLE, state)
        assert reachable(state, State.IDLE)


def test_only_the_end_of_the_cooldown_leads_to_idle_and_only_an_approval_out_of_it():
    assert {origin for origin, target, _ in edges() if target is State.IDLE} == {State.COOLDOWN}
    assert {target for origin, target, _ in edges() if origin is State.IDLE} == {
        State.SIGNAL_DETECTED,
        State.FAILED,
        State.PARTIAL_FILL_PROTECT,  # an attempt that was over and is not
        State.WAITING_FILLS,
        State.IN_DOUBT,
    }


def test_the_diagram_draws_every_edge_of_the_table_and_nothing_else():
    drawn = diagram().splitlines()

    assert drawn[0] == "stateDiagram-v2"
    assert len(drawn) == 2 + len(edges())
    assert "    COOLDOWN --> IDLE: cooldown_seconds have passed" in drawn


def test_the_readme_shows_the_diagram_that_the_table_draws():
    readme = Path(__file__).parents[2] / "README.md"
    if not readme.exists() or "stateDiagram-v2" not in readme.read_text():
        pytest.skip("the README has no diagram yet")

    assert diagram() in readme.read_text()


def test_a_record_that_breaks_an_invariant_is_not_let_out():
    stage = at_rest(State.SUCCESS)
    broken = replace(stage.record, attempt=replace(stage.attempt, orders=stage.attempt.orders[:1]))

    with pytest.raises(AssertionError, match="naked"):
        check(broken)
