"""Order lanes on real threads: what waits for whom, what happens when a worker hangs, and what a full lane answers."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from adapters.clock import SystemClock
from adapters.order_lanes import OPENING_BOUND, PROTECTIVE_ALARM, OrderLanes
from adapters.rate import RateBudget
from models.clock import SECOND
from models.market import VenueName
from models.messages import (
    CancelAnswered,
    CancelOrder,
    MergeAnswered,
    MergeSets,
    OrderKnown,
    ProbeAnswered,
    ProbeOrder,
    SendOrders,
    SubmitAnswered,
)
from models.orders import Accepted, AttemptId, CancelResult, OutcomeUnknown, ProbeFailed, Purpose, Refused
from tests.adapters.test_order_calls import Gate, an_intent
from tests.fake_orders import FakeOrders, cancelled, sealed
from tests.polling import until
from tests.trading import shares

SIMULATED = VenueName("simulated")
PATIENCE_S = 5.0


class Answers:
    """Everything told back, and a way to wait for it."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self._changed = threading.Condition()

    def tell(self, message: object) -> None:
        with self._changed:
            self.heard.append(message)
            self._changed.notify_all()

    def of(self, kind):
        return [m for m in self.heard if isinstance(m, kind)]

    def wait_for(self, kind, count=1):
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.of(kind)) >= count, PATIENCE_S)
        assert enough, f"only {self.heard}"
        return self.of(kind)


class Set:
    """Lanes, their venue and everything around them."""

    def __init__(self, deadline_s: float = 2.0, budget: RateBudget | None = None) -> None:
        self.venue, self.gate, self.answers = FakeOrders(), Gate(), Answers()
        self.clock = SystemClock()
        self.clock.start()
        self.lanes = OrderLanes(
            {SIMULATED: self.venue},
            gate=self.gate,
            clock=self.clock,
            answers=self.answers,
            markets={"m1": SIMULATED},
            deadline_ns=round(deadline_s * SECOND),
            budgets={} if budget is None else {SIMULATED: budget},
        )
        self.lanes.start()
        self.release = threading.Event()

    def hang(self) -> None:
        self.release.wait(PATIENCE_S)

    def send(self, *intents, together=False) -> None:
        committed = tuple(sealed(intent, n + 1) for n, intent in enumerate(intents))
        self.lanes.tell(SendOrders(attempt_id=AttemptId("a-1"), committed=committed, together=together))

    def stop(self) -> None:
        self.release.set()
        self.lanes.stop(2.0)
        self.clock.stop()


@pytest.fixture
def bot():
    made = Set()
    yield made
    made.stop()


@pytest.fixture
def hasty():
    made = Set(deadline_s=0.2)
    yield made
    made.stop()


def test_both_legs_go_out_at_the_same_time_on_two_threads(bot):
    both_inside = threading.Barrier(2, timeout=PATIENCE_S)
    bot.venue.after_gate = both_inside.wait

    bot.send(an_intent(leg=0), an_intent(leg=1))

    answers = bot.answers.wait_for(SubmitAnswered, 2)
    assert all(isinstance(a.answer, Accepted) for a in answers)
    assert len(set(bot.venue.threads)) == 2
    assert len(bot.answers.wait_for(OrderKnown, 2)) == 2


def test_a_batch_is_one_request(bot):
    bot.send(an_intent(leg=0), an_intent(leg=1), together=True)

    bot.answers.wait_for(SubmitAnswered, 2)
    assert [len(batch) for batch in bot.venue.batches] == [2]


def test_a_cancel_and_an_unwind_do_not_wait_behind_hung_submits(bot):
    bot.venue.after_gate = bot.hang
    for leg in range(4):
        bot.send(an_intent(leg=leg))
    until(lambda: len(bot.venue.sent) == 2)
    bot.venue.after_gate = lambda: None

    bot.lanes.tell(CancelOrder(intent=an_intent(), venue_order_id=None))
    bot.send(an_intent(Purpose.UNWIND, leg=9))

    [cancel] = bot.answers.wait_for(CancelAnswered)
    [unwound] = bot.answers.wait_for(SubmitAnswered)
    assert cancel.answer.result is CancelResult.CANCELLED
    assert isinstance(unwound.answer, Accepted)


def test_a_full_opening_lane_refuses_by_itself_and_sends_nothing(bot):
    bot.venue.before_gate = bot.hang
    for leg in range(2):
        bot.send(an_intent(leg=leg))
    until(lambda: len(bot.venue.threads) == 2)
    for leg in range(OPENING_BOUND + 3):
        bot.send(an_intent(leg=2 + leg))

    refused = bot.answers.wait_for(SubmitAnswered, 3)

    assert [(a.answer.code, a.answer.by_venue) for a in refused] == [("lane_full", False)] * 3
    assert bot.venue.sent == []


def test_a_worker_that_hangs_is_answered_unknown_and_replaced(hasty):
    hasty.venue.after_gate = hasty.hang
    hasty.send(an_intent(leg=0))
    [unknown] = hasty.answers.wait_for(SubmitAnswered)
    assert isinstance(unknown.answer, OutcomeUnknown)

    hasty.venue.after_gate = lambda: None
    hasty.send(an_intent(leg=1))
    hasty.send(an_intent(leg=2))

    answers = hasty.answers.wait_for(SubmitAnswered, 3)
    assert [type(a.answer) for a in answers[1:]] == [Accepted, Accepted]
    assert sum(lane.replaced for lane in hasty.lanes.lanes) == 1


def test_what_a_lost_worker_learns_later_is_told_all_the_same(hasty):
    hasty.venue.after_gate = hasty.hang
    hasty.send(an_intent())
    hasty.answers.wait_for(SubmitAnswered)

    hasty.release.set()

    first, late = hasty.answers.wait_for(SubmitAnswered, 2)
    assert isinstance(first.answer, OutcomeUnknown)
    assert isinstance(late.answer, Accepted)


def test_a_worker_that_hangs_before_the_first_byte_sends_nothing_once_its_order_is_in_doubt(hasty):
    hasty.venue.before_gate = hasty.hang
    hasty.send(an_intent())
    [unknown] = hasty.answers.wait_for(SubmitAnswered)

    hasty.release.set()

    _, late = hasty.answers.wait_for(SubmitAnswered, 2)
    assert isinstance(unknown.answer, OutcomeUnknown)
    assert (late.answer.code, late.answer.by_venue) == ("lane_late", False)
    assert hasty.venue.sent == []


def test_an_order_whose_deadline_passed_in_the_queue_is_never_sent(hasty):
    hasty.venue.after_gate = hasty.hang
    for leg in range(3):
        hasty.send(an_intent(leg=leg))

    answers = hasty.answers.wait_for(SubmitAnswered, 3)

    kinds = Counter(type(a.answer) for a in answers)
    assert kinds == {OutcomeUnknown: 2, Refused: 1}
    assert len(hasty.venue.sent) == 2
    [late] = [a.answer for a in answers if isinstance(a.answer, Refused)]
    assert (late.code, late.by_venue) == ("lane_late", False)


def test_a_halt_that_returns_lets_no_opening_byte_out_any_more(bot):
    bot.gate.trip("operator", "console")

    bot.send(an_intent(leg=0))
    bot.send(an_intent(Purpose.COMPLETE, leg=1))

    answers = {a.answer.client_order_id: a.answer for a in bot.answers.wait_for(SubmitAnswered, 2)}
    assert isinstance(answers[an_intent(leg=0).client_order_id], Refused)
    assert isinstance(answers[an_intent(leg=1).client_order_id], Accepted)


def test_a_long_protective_queue_halts_openings_and_is_worked_off(bot):
    bot.venue.on_cancel = lambda intent: (bot.hang(), cancelled(intent))[1]
    for leg in range(PROTECTIVE_ALARM + 4):
        bot.lanes.tell(CancelOrder(intent=an_intent(leg=leg), venue_order_id=None))
    assert bot.gate.trips
    bot.release.set()

    assert len(bot.answers.wait_for(CancelAnswered, PROTECTIVE_ALARM + 4)) == PROTECTIVE_ALARM + 4


def test_the_rate_budget_keeps_its_reserve_for_protection():
    clock = SystemClock()
    bot = Set(deadline_s=0.3, budget=RateBudget(clock, 1, burst=3))
    try:
        for leg in range(4):
            bot.send(an_intent(leg=leg))
        opened = bot.answers.wait_for(SubmitAnswered, 4)
        bot.lanes.tell(CancelOrder(intent=an_intent(), venue_order_id=None))
        bot.answers.wait_for(CancelAnswered)
    finally:
        bot.stop()

    assert Counter(type(a.answer) for a in opened) == {Accepted: 2, Refused: 2}


def test_probes_and_merges_are_answered_and_fail_as_unknown(hasty):
    hasty.lanes.tell(ProbeOrder(intent=an_intent(), venue_order_id=None))
    hasty.lanes.tell(MergeSets(attempt_id=AttemptId("a-1"), set_id="m1", market_id="m1", size=shares(10)))
    assert len(hasty.answers.wait_for(ProbeAnswered, 3)) == 3
    assert hasty.answers.wait_for(MergeAnswered)[0].cash == shares(10)

    hasty.venue.on_status = lambda intent: hasty.hang()
    hasty.venue.on_merge = lambda size: hasty.hang()
    hasty.lanes.tell(ProbeOrder(intent=an_intent(), venue_order_id=None))
    hasty.lanes.tell(MergeSets(attempt_id=AttemptId("a-1"), set_id="m1", market_id="m1", size=shares(10)))

    assert isinstance(hasty.answers.wait_for(ProbeAnswered, 4)[3].answer, ProbeFailed)
    assert hasty.answers.wait_for(MergeAnswered, 2)[1].cash is None


def test_stopping_finishes_what_waits_and_takes_nothing_more(bot):
    bot.send(*(an_intent(leg=leg) for leg in range(6)))

    assert bot.lanes.stop(PATIENCE_S)

    assert len(bot.answers.of(SubmitAnswered)) == 6
    bot.send(an_intent(leg=7))
    assert bot.answers.wait_for(SubmitAnswered, 7)[6].answer.code == "lane_full"


def test_every_order_of_a_burst_is_answered_once(bot):
    total = 300
    for leg in range(total):
        bot.send(an_intent(Purpose.COMPLETE, leg=leg))

    bot.answers.wait_for(SubmitAnswered, total)

    told = Counter(a.answer.client_order_id for a in bot.answers.of(SubmitAnswered))
    assert set(told.values()) == {1}
    assert len(told) == total == len(set(bot.venue.sent))
