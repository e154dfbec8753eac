"""The execution of one complete set: the state machine, as prose and as one table.

What it is for. A set pays whatever happens only if every leg is held in equal shares. Orders on two books are never
atomic, so between the first fill and the last there is a moment in which one leg is naked. Everything here exists to
make that moment short, to bound what it can cost, and to leave it neither forgotten nor worked on twice.

Rule 1: the record is the lock. A set is under way exactly while its record is neither IDLE nor COOLDOWN. No second flag
exists, and no timer frees it: only the settled fact that nothing of the attempt is open, unknown or naked.

Rule 2: facts are learned, then judged. An order fact (an answer, a fill, a status, a probe, a cancel) is folded into
the order it is about, in any order and any number of times, in every state, because money that arrived is never an
error (`models/order_life.py`). Afterwards the machine asks its own table what follows (`Proceed`): it looks at what is
now true and takes the one next step. So the same facts lead to the same end however they were shuffled.

Rule 3: unknown is not failed. An order without a readable answer puts the set IN_DOUBT: it counts in full, nothing else
is sent for the set, the venue is asked again and again, and absence is believed only from two sources after the
visibility horizon. Nothing is ever sent a second time.

Rule 4: protection by cost. Unequal legs go to PARTIAL_FILL_PROTECT, and while any order is unknown nothing is unwound.
Complete, unwind and hold are priced on fresh ladders, the cheapest allowed is taken, and the three numbers are a ledger
row. What cannot be mended at once is EXPOSED: trading halts, and the residue is worked on a slow cadence until it is
gone.

Rule 5: what does not fit raises. An event without a row in the table is a bug of ours (or a lost lock):
`IllegalTransition`, and nothing has changed. Late, doubled and reordered facts are not bugs; they are rows.

Theory of operation. `step(record, event, terms, now, wall)` finds the rule of (state, event), applies it, applies
`Proceed` rules until none has anything left to do, starts a probe timer if something is not known, checks the
invariants, and returns the next record with the actions in the order in which they must be done. It reads no clock,
tells nobody and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from models import set_rules, set_steps
from models.attempt import Attempt
from models.clock import BootNs, WallNs
from models.execution import ExecutionTerms
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
from models.order_life import Alarm
from models.orders import AttemptId
from models.set_events import (
    DUE,
    Action,
    Arrival,
    CooldownEnded,
    Event,
    InflightExpired,
    OrderTimedOut,
    ProbeDue,
    Proceed,
    RetryDue,
)
from models.set_state import Cooldown, Idle, Record, State, attempts_of
from models.set_turn import LEADS_TO, Rule, Turn

IDLE, SIGNAL, PLACING, WAITING = State.IDLE, State.SIGNAL_DETECTED, State.PLACING_ORDERS, State.WAITING_FILLS
DOUBT, PROTECT, EXPOSED = State.IN_DOUBT, State.PARTIAL_FILL_PROTECT, State.EXPOSED
SUCCESS, FAILED, COOLDOWN = State.SUCCESS, State.FAILED, State.COOLDOWN

RUNNING: Final = (SIGNAL, PLACING, WAITING, DOUBT, PROTECT, EXPOSED, SUCCESS, FAILED)
FACTS: Final = (SubmitAnswered, CancelAnswered, ProbeAnswered, FillSeen, OrderUpdated)

TRANSITIONS: Final[dict[tuple[State, type[Event]], Rule]] = {
    # (state now, event):          rule: what it means for the money
    # -- the beginning and the end
    (IDLE, ApprovedSet): set_rules.begin,
    (COOLDOWN, ApprovedSet): set_rules.begin_if_cooled,
    # Late news may have brought an ended attempt back after its markets were released.
    **{(state, ApprovedSet): set_rules.turn_away for state in (WAITING, DOUBT, PROTECT, EXPOSED, SUCCESS, FAILED)},
    (COOLDOWN, CooldownEnded): set_rules.go_idle,
    # -- facts: a fill is legal in every state
    **{(state, fact): set_rules.learn for state in State for fact in FACTS},
    **{(state, IntentsCommitted): set_rules.note_commit for state in State},
    **{(state, CommitFailed): set_rules.note_commit_failed for state in (SIGNAL, PLACING, DOUBT, PROTECT, EXPOSED)},
    **{(state, LaddersSeen): set_rules.look for state in (PROTECT, EXPOSED, FAILED)},
    **{(state, LaddersSeen): set_rules.ignore for state in (IDLE, SIGNAL, PLACING, WAITING, DOUBT, SUCCESS, COOLDOWN)},
    **{(state, MergeAnswered): set_rules.note_merge for state in State},
    **{(state, StreamRestored): set_rules.ask_all for state in RUNNING},
    **{(state, StreamRestored): set_rules.ignore for state in (IDLE, COOLDOWN)},
    **{(state, MarketResolved): set_rules.pay_out for state in State},
    # -- timers: an old one never gets here
    **{
        (state, OrderTimedOut): set_rules.doubt_or_cancel
        for state in (SIGNAL, PLACING, WAITING, DOUBT, PROTECT, EXPOSED)
    },
    **{(state, InflightExpired): set_rules.expire for state in RUNNING if state is not PROTECT},
    (PROTECT, InflightExpired): set_rules.give_up_speed,
    **{(state, ProbeDue): set_rules.ask_again for state in RUNNING},
    (PROTECT, RetryDue): set_rules.pause_over,
    (EXPOSED, RetryDue): set_rules.look_again,
    # -- what follows, asked after every event
    (IDLE, Proceed): set_steps.reopen,
    (SIGNAL, Proceed): set_steps.placed,
    (PLACING, Proceed): set_steps.judge,
    (WAITING, Proceed): set_steps.judge,
    (DOUBT, Proceed): set_steps.judge,
    (PROTECT, Proceed): set_steps.mend,
    (EXPOSED, Proceed): set_steps.mend_slowly,
    (SUCCESS, Proceed): set_steps.close_success,
    (FAILED, Proceed): set_steps.close_failed,
    (COOLDOWN, Proceed): set_steps.reopen,
}

STEPS_MAX: Final = 12
"""More `Proceed` steps than there are states cannot be progress."""


class IllegalTransition(Exception):  # noqa: N818  the name is the sentence: this transition is illegal
    """The event has no row for this state. The record has not changed and nothing is to be done."""

    def __init__(self, state: State, event: object) -> None:
        super().__init__(f"cannot handle {type(event).__name__} in state {state.value}")
        self.state = state
        self.event = event


def step(
    record: Record, event: Arrival, terms: ExecutionTerms, now: BootNs, wall: WallNs
) -> tuple[Record, tuple[Action, ...]]:
    """The next record, and what is to be done, in order. Raises `IllegalTransition`; an old timer changes nothing."""
    happened: Event
    if isinstance(event, TimerFired):
        if not record.timers.current(event.name, event.serial):
            return record, ()
        happened = DUE[event.name]
    else:
        happened = event
    turn = Turn(terms, now, wall)
    moved = _apply(record, happened, turn)
    assert moved is not None
    return _proceed(moved, turn, attempts_of(record))


def recovered(
    attempts: Iterable[Attempt],
    terms: ExecutionTerms,
    now: BootNs,
    wall: WallNs,
    unfinished: Collection[AttemptId] = frozenset(),
) -> tuple[Record, tuple[Action, ...]]:
    """The record of a set whose attempts were rebuilt from the ledger after a restart, and what is to be done first.

    Attempts, oldest first, have what the ledger knows folded into their orders; whatever has no ending is doubted here.
    `unfinished` are those that the ledger has no ending for, however even they look. The newest open one is taken up in
    the state that fits what is known of it; it protects, and never opens anything.
    """
    turn = Turn(terms, now, wall)
    return _proceed(set_steps.recover(tuple(attempts), unfinished, turn), turn)


def _proceed(record: Record, turn: Turn, checked: tuple[Attempt, ...] = ()) -> tuple[Record, tuple[Action, ...]]:
    for _ in range(STEPS_MAX):
        following = _apply(record, Proceed(), turn)
        if following is None:
            break
        record = following
    else:
        raise AssertionError(f"the machine does not come to rest in {record.state.value}")
    record = turn.tend(record)
    check(record, checked)
    return record, tuple(turn.actions)


def _apply(record: Record, event: Event, turn: Turn) -> Record | None:
    rule = TRANSITIONS.get((record.state, type(event)))
    if rule is None:
        raise IllegalTransition(record.state, event)
    moved = rule(record, event, turn)
    if moved is not None and moved.state is not record.state:
        assert moved.state in LEADS_TO[rule], f"{rule} may not lead to {moved.state.value}"
    return moved


def check(record: Record, checked: tuple[Attempt, ...] = ()) -> None:
    """Invariants of every record, asserted before anything is written or sent.

    An attempt that is one of `checked` has not changed since it was looked at: it is not looked at again.
    """
    if not isinstance(record, Idle | Cooldown):
        if record.state in (SUCCESS, FAILED):
            assert not record.attempt.naked, "an attempt ended while a leg is naked"
        if record.state is SUCCESS:
            assert record.attempt.sets > 0, "success without a set"
    for attempt in attempts_of(record):
        if any(attempt is known for known in checked):
            continue
        for life in attempt.orders:
            overfilled = Alarm.OVERFILL in life.alarms()
            assert life.filled <= life.intent.size or overfilled, "more filled than ordered, and no alarm"
            assert life.intent.attempt_id == attempt.attempt_id, "an order of another attempt"
        ids = [life.intent.client_order_id for life in attempt.orders]
        assert len(set(ids)) == len(ids), "two orders with one id"
        legs = range(len(attempt.asks))
        spent = sum(attempt.bought(leg) - attempt.sold(leg) for leg in legs)
        assert spent == attempt.total_cost + attempt.total_fees, "the cost of a set is not the sum of its legs and fees"


def edges() -> list[tuple[State, State, str]]:
    """Every change of state that the table allows, with its reason: for the diagram, and for the test that compares."""
    found: dict[tuple[State, State, str], None] = {}
    for (state, _), rule in TRANSITIONS.items():
        for target, why in LEADS_TO[rule].items():
            if target is not state:
                found[state, target, why] = None
    return list(found)


def diagram() -> str:
    """The state diagram in Mermaid, drawn from the table so that it cannot lie."""
    lines = ["stateDiagram-v2", "    [*] --> IDLE"]
    lines += [f"    {origin.value} --> {target.value}: {why}" for origin, target, why in edges()]
    return "\n".join(lines)
