"""Cut an attempt off at every message, read the ledger back, and let the new process finish what the old one began."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from actors.simulation import SimClock
from adapters.ledger.connection import open_ledger, open_reader
from adapters.ledger.unfinished import stored_attempts
from models import set_rows
from models.clock import SECOND, BootNs, WallNs
from models.market import Action
from models.messages import CommitIntents, ProbeAnswered, ProbeOrder, RecordRows, SubmitAnswered
from models.order_life import Phase
from models.orders import (
    Accepted,
    ClientOrderId,
    Fill,
    OrderIntent,
    OrderNotFound,
    OrderSeen,
    Refused,
    VenueOrderStatus,
)
from models.recovery import PAST_PER_SET, recover
from models.rows import AttemptChanged, AttemptOpened, Ending, FillReported, OrderChanged, Settled
from models.set_events import AskLadders
from models.set_state import Cooldown, Idle, State, TimerName
from tests.stage import Stage, a_fill, venue_id
from tests.trading import WALL, execution_terms, levels, shares

TERMS = replace(execution_terms(horizon_s=1), mode="live")
NETS = replace(TERMS, legs=tuple(replace(leg, nets=True) for leg in TERMS.legs))
SET = TERMS.complete_set.set_id

SCRIPTS: dict[str, tuple[float | None, ...]] = {
    "both filled": (10, 10),
    "thin leg missed": (0,),
    "thin leg refused": (None,),
    "second leg refused, completed": (10, None, 10),
    "second leg partial, mended in two rounds": (10, 4, 2, 4),
}
"""Shares that the n-th order fills; None is refused."""


class Venue:
    """Fills orders by its script, remembers all of it, and answers questions truthfully."""

    def __init__(self, script: tuple[float | None, ...]) -> None:
        self.script = script
        self.filled: dict[ClientOrderId, float | None] = {}
        self.held: dict[int, float] = {}

    def execute(self, intent: OrderIntent) -> float | None:
        assert intent.client_order_id not in self.filled, "one intent led to two orders"
        number = len(self.filled)
        got = self.script[number] if number < len(self.script) else intent.size / 1_000_000
        self.filled[intent.client_order_id] = got
        sign = 1 if intent.action is Action.BUY else -1
        self.held[intent.leg] = self.held.get(intent.leg, 0) + sign * (got or 0)
        return got

    def fills(self, intent: OrderIntent) -> tuple[Fill, ...]:
        got = self.filled.get(intent.client_order_id)
        return (a_fill(intent, got, trade=f"t-{intent.client_order_id}"),) if got else ()


class Process:
    """One life of the bot for one set, over a real ledger file. `cut` ends it after that many messages."""

    def __init__(self, path: Path, venue: Venue, cut: int | None = None, *, sent_before_cut: bool = True) -> None:
        self.path, self.venue, self.cut, self.sent_before_cut = path, venue, cut, sent_before_cut
        self.clock = SimClock()
        self.ledger = open_ledger(path, self.clock, durable=False)
        self.stage = Stage(TERMS)
        self.stage.holds_commits = True
        self.told = 0
        self.done = 0

    def live(self) -> bool:
        """Run to the end, or to the cut; True if it came to an end."""
        self.tell(self.stage.approve)
        while not isinstance(self.stage.record, Idle | Cooldown):
            if self.ended():
                return False
            self.answer()
        self.work()
        return True

    def ended(self) -> bool:
        return self.cut is not None and self.told >= self.cut

    def tell(self, happening) -> None:
        happening()
        self.told += 1

    def work(self) -> list[OrderIntent]:
        """Do what the machine wants from the ledger; the intents that are on disk now."""
        committed: list[OrderIntent] = []
        while self.done < len(self.stage.done):
            action = self.stage.done[self.done]
            self.done += 1
            if isinstance(action, RecordRows | CommitIntents):
                for row in action.rows:
                    row = replace(row, opportunity_id=None) if isinstance(row, AttemptOpened) else row
                    self.ledger.writer.take(row, WALL)
            if isinstance(action, CommitIntents):
                self.ledger.writer.commit(action.intents, (), WALL)
                committed += action.intents
        return committed

    def answer(self) -> None:
        """The next thing that happens to the set."""
        committed = self.work()
        if committed:
            if self.ended() and not self.sent_before_cut:
                return
            executed = [(intent, self.venue.execute(intent)) for intent in committed]
            self.tell(lambda: self.stage.commit(tuple(committed)))
            for intent, got in executed:
                if self.ended():
                    return
                self.tell(lambda i=intent, g=got: self.tell_answer(i, g))
                for fill in self.venue.fills(intent):
                    if self.ended():
                        return
                    index = self.stage.intents.index(intent)
                    self.tell(lambda n=index, f=fill: self.stage.fill(n, f.size / 1e6, trade=f.venue_trade_id))
        elif self.unanswered():
            books = {"yes_bids": levels(("0.44", 100)), "no_asks": levels(("0.55", 100))}
            self.tell(lambda: self.stage.answer_ladders(**books))
            self.asked_before = len(self.stage.all(AskLadders))
        else:
            self.probe()

    asked_before = 0

    def unanswered(self) -> bool:
        return len(self.stage.all(AskLadders)) > self.asked_before

    def tell_answer(self, intent: OrderIntent, got: float | None) -> None:
        own, at = intent.client_order_id, BootNs(self.stage.now)
        answer: Accepted | Refused
        if got is None:
            answer = Refused(client_order_id=own, code="no", text="refused")
        else:
            answer = Accepted(client_order_id=own, venue_order_id=venue_id(intent), filled=shares(got), done=True)
        self.stage.tell(SubmitAnswered(attempt_id=intent.attempt_id, answer=answer, sent=None, at=at))

    def probe(self) -> None:
        """Time passes, and the venue answers every question about what is not known."""
        self.stage.wait(5)
        asked = len(self.stage.all(ProbeOrder))
        timer = TimerName.PROBE if self.stage.record.timers.runs(TimerName.PROBE) else TimerName.RETRY
        self.tell(lambda: self.stage.fire(timer))
        for question in self.stage.all(ProbeOrder)[asked:]:
            self.tell(lambda q=question: self.show(q.intent))

    def show(self, intent: OrderIntent) -> None:
        own, at = intent.client_order_id, BootNs(self.stage.now)
        got = self.venue.filled.get(own)
        if got is None:
            for source in ("orders", "executions"):
                missing = OrderNotFound(client_order_id=own, source=source)
                self.stage.tell(ProbeAnswered(attempt_id=intent.attempt_id, answer=missing, fills=(), at=at))
            return
        seen = OrderSeen(
            client_order_id=own,
            venue_order_id=venue_id(intent),
            status=VenueOrderStatus.DONE,
            filled=shares(got),
        )
        fills = self.venue.fills(intent)
        self.stage.tell(ProbeAnswered(attempt_id=intent.attempt_id, answer=seen, fills=fills, at=at))

    def die(self) -> None:
        """Rows that were not on the disk yet are gone; what was committed is there."""
        self.ledger._connection.close()
        self.ledger._mark.close()


def restarted(path: Path, venue: Venue, now: int = 100 * SECOND) -> tuple[Process, object]:
    process = Process(path, venue)
    reader = open_reader(path)
    found = recover(stored_attempts(reader, WALL), {SET: TERMS}, BootNs(now), WALL)
    reader.close()
    process.stage.now = now
    if SET in found.executors:
        record, first = found.executors[SET]
        process.stage.record = record
        process.stage.done.extend(first)
        attempts = record.past if isinstance(record, Idle | Cooldown) else (*record.past, record.attempt)
        process.stage.intents = [life.intent for attempt in attempts for life in attempt.orders]
    return process, found


def messages_of(script: tuple[float | None, ...], tmp_path: Path) -> int:
    process = Process(tmp_path / "whole.sqlite", Venue(script))
    assert process.live()
    process.die()
    return process.told


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "not sent"])
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_an_attempt_that_was_cut_off_anywhere_is_finished_after_the_restart(script, sent, tmp_path):
    for cut in range(1, messages_of(script, tmp_path) + 1):
        path = tmp_path / f"{cut}.sqlite"
        venue = Venue(script)
        process = Process(path, venue, cut, sent_before_cut=sent)
        process.live()
        process.die()

        again, found = restarted(path, venue)
        for _ in range(60):
            if isinstance(again.stage.record, Idle | Cooldown):
                break
            again.answer()

        held = [venue.held.get(0, 0), venue.held.get(1, 0)]
        assert isinstance(again.stage.record, Idle | Cooldown), f"cut {cut}: {again.stage.state}"
        assert held[0] == held[1], f"cut {cut}: the venue holds {held}"
        for attempt in again.stage.record.past:
            assert list(attempt.holdings) == [shares(h) for h in held], f"cut {cut}"
        if found.unfinished:
            assert found.risk.reserved > 0, "what is unfinished is reserved in full"
        again.work()
        again.die()


def test_an_order_is_read_back_exactly_as_it_was_committed(tmp_path):
    """A venue may sign every field of it, the time included: after a restart the same order must come out."""
    path, venue = tmp_path / "ledger.sqlite", Venue((10, 10))
    process = Process(path, venue)
    process.live()
    process.ledger.writer.flush(WALL)
    sent = [life.intent for life in process.stage.record.past[-1].orders]
    process.die()

    reader = open_reader(path)
    (attempt,) = stored_attempts(reader, WALL)
    reader.close()

    assert [order.intent for order in attempt.orders] == sent
    assert all(intent.at == WALL for intent in sent), "stamped as they were handed to the ledger"


def test_a_second_restart_finds_nothing_left_to_do(tmp_path):
    path, venue = tmp_path / "ledger.sqlite", Venue((10, 10))
    process = Process(path, venue)
    assert process.live()
    process.ledger.writer.flush(WALL)
    process.die()

    again, found = restarted(path, venue)

    assert found.unfinished == ()
    assert again.stage.state is State.IDLE
    assert found.risk.spent_today == 4_500_000 + 5_500_000
    assert found.risk.held == {("a-1", "m1")}
    assert again.stage.all(ProbeOrder) == []
    again.die()


def test_a_late_fill_after_a_restart_still_finds_its_attempt(tmp_path):
    path, venue = tmp_path / "ledger.sqlite", Venue((0,))
    process = Process(path, venue)
    process.live()
    process.ledger.writer.flush(WALL)
    process.die()
    again, _ = restarted(path, venue)

    again.stage.fill(0, 10)

    assert again.stage.state is State.PARTIAL_FILL_PROTECT
    assert again.stage.halted
    again.die()


@pytest.mark.parametrize("booked", [0, 1])
def test_a_late_fill_written_down_just_before_a_kill_is_mended_by_the_next_process(tmp_path, booked):
    """The row of the fill is on the disk; what follows from it (the attempt is naked, not ended) may not be."""
    path, venue = tmp_path / "ledger.sqlite", Venue((0,))
    process = Process(path, venue)
    process.live()
    process.work()
    process.stage.fill(0, 10)
    late = [
        row for action in process.stage.done[process.done :] if isinstance(action, RecordRows) for row in action.rows
    ]
    cut = next(n for n, row in enumerate(late) if isinstance(row, FillReported))
    for row in late if booked else late[: cut + 1]:
        process.ledger.writer.take(row, WALL)
    process.ledger.writer.flush(WALL)
    process.die()

    again, found = restarted(path, venue)

    assert found.unfinished == ("a-1",)
    assert again.stage.state is State.PARTIAL_FILL_PROTECT
    again.die()


def test_what_was_netted_before_the_end_of_the_process_is_not_netted_again(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.adapters.ledger.test_unfinished.TERMS", NETS)
    path, venue = tmp_path / "ledger.sqlite", Venue((4, 4))
    process = Process(path, venue)
    process.live()
    process.ledger.writer.flush(WALL)
    process.die()
    again, _ = restarted(path, venue)

    again.stage.fill(0, 6)
    again.stage.answer_ladders(no_asks=levels(("0.50", 100)))
    again.stage.accept(-1, 6)

    assert [row.yes_size for row in again.stage.rows(Settled)] == [shares(6)]
    again.die()


LATER = WallNs(WALL + 30 * 24 * 3600 * SECOND)


def a_month_and_many_attempts_later(path: Path) -> list[str]:
    """The attempts that a new process reads back when the first one is old and far from the newest of its set."""
    process = Process(path, Venue(()))
    for number in range(PAST_PER_SET + 1):
        row = set_rows.opened(TERMS, an_ended_attempt(f"b-{number}"), WALL)
        process.ledger.writer.take(replace(row, opportunity_id=None), WALL)
        process.ledger.writer.take(
            set_rows.changed(TERMS, an_ended_attempt(f"b-{number}"), State.COOLDOWN, WALL, ended=True), WALL
        )
    process.ledger.writer.flush(WALL)
    process.die()
    reader = open_reader(path)
    try:
        return [one.attempt_id for one in stored_attempts(reader, LATER)]
    finally:
        reader.close()


def an_ended_attempt(attempt_id: str):
    stage = Stage(TERMS)
    stage.approve(attempt_id=attempt_id)
    stage.refuse(0)
    return stage.attempt


def test_of_the_old_ones_only_those_are_read_back_that_are_not_over(tmp_path):
    path = tmp_path / "ledger.sqlite"
    process = Process(path, Venue((0,)))
    process.live()
    process.ledger.writer.flush(WALL)
    process.die()

    assert a_month_and_many_attempts_later(path) == [f"b-{n}" for n in range(1, PAST_PER_SET + 1)]


@pytest.mark.parametrize("cut", [3, 5, 7])
def test_an_attempt_without_an_ending_is_read_back_however_old_it_is(tmp_path, cut):
    path = tmp_path / "ledger.sqlite"
    process = Process(path, Venue((10, None, 0, 0)), cut)
    process.live()
    process.work()
    process.ledger.writer.flush(WALL)
    process.die()

    assert a_month_and_many_attempts_later(path)[0] == "a-1"


@pytest.mark.parametrize("news", ["fill", "alive"])
def test_an_ended_attempt_with_later_news_is_read_back_however_old_it_is(tmp_path, news):
    """An execution, or an order that rests, of which the old process did not write down what follows."""
    path = tmp_path / "ledger.sqlite"
    process = Process(path, Venue((0,)))
    process.live()
    process.work()
    process.stage.fill(0, 10)
    late = process.stage.rows(FillReported if news == "fill" else OrderChanged)[-1]
    process.ledger.writer.take(late if news == "fill" else replace(late, phase=Phase.LIVE, filled=shares(0)), WALL)
    process.ledger.writer.flush(WALL)
    process.die()

    assert a_month_and_many_attempts_later(path)[0] == "a-1"


def test_yesterdays_money_does_not_count_today_but_its_position_does(tmp_path):
    path, venue = tmp_path / "ledger.sqlite", Venue((10, 10))
    process = Process(path, venue)
    process.live()
    process.ledger.writer.flush(WALL)
    process.die()
    reader = open_reader(path)

    tomorrow = WallNs(WALL + 24 * 3600 * SECOND)
    found = recover(stored_attempts(reader, tomorrow), {SET: TERMS}, BootNs(0), tomorrow)

    assert found.risk.spent_today == 0
    assert len(found.risk.held) == 1
    reader.close()


def test_an_unfinished_attempt_of_a_set_that_is_no_longer_configured_is_named(tmp_path):
    path, venue = tmp_path / "ledger.sqlite", Venue((10, None))
    process = Process(path, venue, 4)
    process.live()
    process.die()
    reader = open_reader(path)

    found = recover(stored_attempts(reader, WALL), {}, BootNs(0), WALL)

    assert found.orphans == ("a-1",)
    assert found.executors == {}
    reader.close()


def test_a_paper_attempt_that_was_cut_off_is_ended_and_asks_nobody(tmp_path):
    path, venue = tmp_path / "ledger.sqlite", Venue((10, None))
    process = Process(path, venue, 3)
    process.stage.terms = execution_terms()
    process.live()
    process.die()
    reader = open_reader(path)

    found = recover(stored_attempts(reader, WALL), {SET: execution_terms()}, BootNs(0), WALL)

    assert found.executors == {}
    *orders, row = found.rows
    assert [order.phase for order in orders] == [Phase.ENDED]
    assert isinstance(row, AttemptChanged)
    assert row.ending is not None
    assert row.ending in Ending
    assert found.unfinished == ()
    reader.close()
