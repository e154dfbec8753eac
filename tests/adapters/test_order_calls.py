"""One call at the venue, and what is told about it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest

from actors.simulation import SimClock
from adapters.order_calls import OrderCalls
from adapters.venue import VenueReadError
from models.clock import MS, SECOND, BootNs
from models.messages import CancelOrder, MergeSets, OrderKnown, ProbeOrder
from models.money import MicroUsd
from models.orders import (
    Accepted,
    AttemptId,
    CancelResult,
    OrderNotFound,
    OrderSeen,
    OutcomeUnknown,
    ProbeFailed,
    Purpose,
    Refused,
    VenueOrderId,
    VenueOrderStatus,
)
from tests.fake_orders import FakeOrders, accepted, sealed
from tests.stage import Stage, a_fill
from tests.trading import shares


class Gate:
    def __init__(self) -> None:
        self.halted = False
        self.trips: list[str] = []
        self.openings: list[list[str]] = []

    @contextmanager
    def enter_opening(self, market_ids):
        self.openings.append(list(market_ids))
        yield not self.halted

    @contextmanager
    def enter_protective(self):
        yield True

    def trip(self, reason, by):
        self.trips.append(reason)
        self.halted = True


class Heard(list):
    def tell(self, message):
        self.append(message)


@pytest.fixture
def desk():
    venue, gate, heard, clock = FakeOrders(), Gate(), Heard(), SimClock()
    clock.now = 100 * SECOND
    calls = OrderCalls(venue, gate, clock, heard)
    calls.venue, calls.gate, calls.heard, calls.clock = venue, gate, heard, clock
    return calls


def an_intent(purpose: Purpose = Purpose.OPEN, leg: int = 0):
    stage = Stage()
    stage.approve()
    intent = replace(stage.intents[0], purpose=purpose, leg=leg)
    return replace(intent, client_order_id=f"{intent.client_order_id}-{leg}")


def test_an_accepted_order_is_told_with_the_moment_at_which_its_bytes_left(desk):
    intent = an_intent()

    desk.submit([sealed(intent)])

    answered, known = desk.heard
    assert isinstance(answered.answer, Accepted)
    assert answered.sent.at == 100 * SECOND
    assert answered.sent.wall == desk.clock.wall_ns()
    assert known == OrderKnown(
        client_order_id=intent.client_order_id, venue_order_id=VenueOrderId(f"v-{intent.client_order_id}")
    )
    assert desk.gate.openings == [["m1"]]


def test_an_order_that_is_not_the_committed_one_never_reaches_the_wire_and_halts(desk):
    committed = sealed(an_intent())
    changed = replace(committed, intent=replace(committed.intent, size=shares(100)))

    desk.submit([changed])

    [answered] = desk.heard
    assert (answered.answer.code, answered.answer.by_venue) == ("seal", False)
    assert desk.venue.sent == []
    assert desk.gate.trips


def test_while_halted_an_opening_order_is_kept_back_and_a_completing_one_goes(desk):
    desk.gate.halted = True

    desk.submit([sealed(an_intent())])
    desk.submit([sealed(an_intent(Purpose.COMPLETE, leg=1))])
    desk.submit([sealed(an_intent(Purpose.UNWIND, leg=2))])

    kept, *went = [m.answer for m in desk.heard if not isinstance(m, OrderKnown)]
    assert (kept.code, kept.by_venue) == ("gate_closed", False)
    assert desk.heard[0].sent is None
    assert [type(a) for a in went] == [Accepted, Accepted]
    assert len(desk.venue.sent) == 2


@pytest.mark.parametrize("purpose", [Purpose.OPEN, Purpose.UNWIND])
def test_an_order_whose_connection_comes_up_after_its_deadline_is_never_sent(desk, purpose):
    """From the deadline on the executor counts how long nobody shows it: a later byte could be believed gone."""
    late, in_time = an_intent(purpose), an_intent(purpose, leg=1)
    until = BootNs(103 * SECOND)
    desk.venue.before_gate = lambda: setattr(desk.clock, "now", 103 * SECOND)

    desk.submit([sealed(late)], until)
    desk.venue.before_gate = lambda: setattr(desk.clock, "now", 103 * SECOND - 1)
    desk.submit([sealed(in_time)], until)

    assert desk.venue.sent == [in_time.client_order_id]
    assert (desk.heard[0].answer.code, desk.heard[0].answer.by_venue) == ("lane_late", False)
    assert desk.heard[0].sent is None
    assert desk.gate.trips == []


def test_an_exception_after_the_first_byte_is_an_unknown_outcome(desk):
    desk.venue.after_gate = lambda: 1 / 0

    desk.submit([sealed(an_intent())])

    [answered] = desk.heard
    assert isinstance(answered.answer, OutcomeUnknown)
    assert answered.sent is not None


def test_an_exception_before_the_first_byte_is_a_refusal_by_ourselves(desk):
    desk.venue.before_gate = lambda: 1 / 0

    desk.submit([sealed(an_intent())])

    [answered] = desk.heard
    assert isinstance(answered.answer, Refused)
    assert not answered.answer.by_venue
    assert desk.venue.sent == []


def test_an_answer_about_another_order_is_no_answer(desk):
    desk.venue.on_place = lambda c: replace(accepted(c), client_order_id="somebody-else")

    desk.submit([sealed(an_intent())])

    assert isinstance(desk.heard[0].answer, OutcomeUnknown)


def test_an_answer_without_passing_the_gate_is_believed_and_halts(desk):
    desk._place = lambda committed, gate: [accepted(committed[0])]

    desk.submit([sealed(an_intent())])

    assert isinstance(desk.heard[0].answer, Accepted)
    assert "without passing the gate" in desk.gate.trips[0]


def test_a_batch_passes_the_gate_once_and_every_answer_stands_alone(desk):
    first, second = an_intent(leg=0), an_intent(leg=1)
    answers = {
        first.client_order_id: accepted,
        second.client_order_id: lambda c: Refused(client_order_id=c.intent.client_order_id, code="funds", text=""),
    }
    desk.venue.on_place = lambda c: answers[c.intent.client_order_id](c)

    desk.submit([sealed(first, 1), sealed(second, 2)])

    told = [m.answer for m in desk.heard if not isinstance(m, OrderKnown)]
    assert [type(a) for a in told] == [Accepted, Refused]
    assert len(desk.gate.openings) == 1
    assert desk.venue.batches == [(first.client_order_id, second.client_order_id)]


def test_a_batch_answered_in_part_is_unknown_as_a_whole(desk):
    desk._place = lambda committed, gate: (gate().__enter__(), [accepted(committed[0])])[1]

    desk.submit([sealed(an_intent(leg=0), 1), sealed(an_intent(leg=1), 2)])

    assert [type(m.answer) for m in desk.heard] == [OutcomeUnknown, OutcomeUnknown]


def test_an_order_that_nobody_shows_is_told_once_per_source(desk):
    intent = an_intent()

    desk.probe(ProbeOrder(intent=intent, venue_order_id=None))

    assert [m.answer.source for m in desk.heard] == ["orders", "executions", "open orders"]
    assert {m.at for m in desk.heard} == {100 * SECOND}, "the time at which it was asked"


def test_an_order_without_status_but_with_executions_is_not_called_absent(desk):
    intent = an_intent()
    desk.venue.executions = [a_fill(intent, 4)]

    desk.probe(ProbeOrder(intent=intent, venue_order_id=None))

    assert [f.size for f in desk.heard[0].fills] == [shares(4)]
    assert [m.answer.source for m in desk.heard] == ["orders", "open orders"]


@pytest.mark.parametrize("clock_set", ["right", "a week back"])
def test_executions_of_an_order_are_looked_for_since_the_order_however_old_it_is(desk, clock_set):
    """After a weekend with the bot down nobody else may remember what the last orders of Friday have filled."""
    friday = desk.clock.wall_ns()
    intent = replace(an_intent(), at=friday)
    desk.clock.wall_offset_ns += (3 if clock_set == "right" else -7) * 24 * 3600 * SECOND

    desk.probe(ProbeOrder(intent=intent, venue_order_id=None))

    assert desk.venue.fills_since[-1] * MS <= min(friday, desk.clock.wall_ns()) - 3600 * SECOND


def test_an_order_without_status_that_rests_is_seen_among_the_open_ones(desk):
    intent = an_intent()
    resting = OrderSeen(
        client_order_id=intent.client_order_id,
        venue_order_id=VenueOrderId("v"),
        status=VenueOrderStatus.LIVE,
        filled=shares(0),
    )
    desk.venue.resting = [resting]

    desk.probe(ProbeOrder(intent=intent, venue_order_id=None))

    assert resting in [m.answer for m in desk.heard]
    assert "open orders" not in [m.answer.source for m in desk.heard if isinstance(m.answer, OrderNotFound)]


def test_a_question_that_fails_has_taught_nothing(desk):
    def unreachable(intent):
        raise VenueReadError("connect refused")

    desk.venue.on_status = unreachable

    desk.probe(ProbeOrder(intent=an_intent(), venue_order_id=None))

    [answered] = desk.heard
    assert isinstance(answered.answer, ProbeFailed)
    assert answered.fills == ()


def test_a_cancel_that_fails_is_unknown(desk):
    desk.venue.on_cancel = lambda intent: 1 / 0

    desk.cancel(CancelOrder(intent=an_intent(), venue_order_id=None))

    assert desk.heard[0].answer.result is CancelResult.UNKNOWN


@pytest.mark.parametrize(("error", "cash"), [(None, 10_000_000), (VenueReadError("timeout"), None)])
def test_a_merge_without_a_readable_answer_gives_no_figure(desk, error, cash):
    def merge(size):
        if error is not None:
            raise error
        return MicroUsd(size)

    desk.venue.on_merge = merge

    desk.merge(MergeSets(attempt_id=AttemptId("a-1"), set_id="m1", market_id="m1", size=shares(10)))

    assert desk.heard[0].cash == cash
