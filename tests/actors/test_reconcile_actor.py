"""The reconcile on one thread in virtual time: a real ledger, a real gate, a venue that says what the test wants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from actors.flight import Flight
from actors.ledger import LedgerActor
from actors.network import _begin
from actors.order_routes import OrderRoutes
from actors.reconcile import KEY, STREAM_KEY, ReconcileActor
from actors.reconcile_pass import Patience
from actors.simulation import SimClock, SimDispatcher
from actors.user_streams import STREAM_GRACE_NS
from adapters.gate import Gate
from adapters.ledger.connection import open_ledger, open_reader
from models.clock import MS, SECOND, BootNs
from models.market import MarketId, Outcome, SetId, VenueName
from models.messages import (
    CancelOrder,
    CashSeen,
    FillSeen,
    MarketResolved,
    MergeAnswered,
    MergeSets,
    ReconcileWanted,
    RecordRows,
    StatementFailed,
    StatementSeen,
    StatementWanted,
    StreamChanged,
    StreamRestored,
)
from models.money import MicroShares, MicroUsd
from models.order_life import Phase
from models.orders import AttemptId
from models.reconcile import Outcome as ReconcileOutcome
from models.rows import AttemptChanged, AttemptOpened, Ending, FillReported, OrderAdopted, OrderChanged
from models.set_state import Exposed, Idle, InDoubt, Timers
from tests.models.test_reconcile import FILL, INTENT, resting
from tests.stage import Stage
from tests.trading import WALL, execution_terms, shares

HOUR = 3600 * SECOND
HORIZON = 2 * SECOND
VENUE = VenueName("simulated")
TERMS = replace(execution_terms(), mode="live")


class Heard:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def tell(self, message: object) -> None:
        self.heard.append(message)

    def of(self, kind: type) -> list:
        return [message for message in self.heard if isinstance(message, kind)]


class Lanes(Heard):
    """The account lane: answers every question at once, from `said`."""

    def __init__(self) -> None:
        super().__init__()
        self.cash = 100_000_000
        self.positions: tuple = ()
        self.open_orders: tuple = ()
        self.fills: tuple = ()
        self.resolved: tuple = ()
        self.down = ""

    def tell(self, message: object) -> None:
        super().tell(message)
        if not isinstance(message, StatementWanted):
            return
        if self.down:
            message.reply_to.tell(StatementFailed(serial=message.serial, venue=message.venue, why=self.down))
            return
        message.reply_to.tell(
            StatementSeen(
                serial=message.serial,
                venue=message.venue,
                cash=MicroUsd(self.cash),
                positions=self.positions,
                open_orders=self.open_orders,
                fills=self.fills,
                resolved=tuple(one for one in self.resolved if one[0] in message.markets),
            )
        )


@dataclass
class FakeExecutor:
    record: object
    address: Heard


class Bench:
    def __init__(
        self, tmp_path: Path, *, streams=(), unfinished=(), record=None, adopt=None, horizon_ns=HORIZON
    ) -> None:
        self.clock = SimClock()
        self.clock.now = HOUR
        self.sim = SimDispatcher(1, self.clock)
        self.path = tmp_path / "ledger.sqlite"
        self.ledger = open_ledger(self.path, self.clock, durable=False)
        self.gate = Gate(tmp_path / "permit", self.clock, scope="live:simulated")
        self.gate.grant_fresh("live")
        self.lanes, self.risk, self.executor, self.strays = Lanes(), Heard(), Heard(), Heard()
        self.routes = OrderRoutes(self.strays.tell)
        self.crashes: list = []
        nobody = Heard()
        self.writer = LedgerActor(
            self.sim,
            self._crash,
            self.ledger,
            lanes=nobody,
            executors=nobody,
            gate=self.gate,
            clock=self.clock,
        )
        self.fake = FakeExecutor(record or Idle(), self.executor)
        self.actor = ReconcileActor(
            self.sim,
            self._crash,
            venues=[VENUE],
            mergeable={MarketId("m1"): SetId("m1")},
            patience=Patience(every_ns=HOUR, settle_ns=15 * SECOND, horizon_ns=horizon_ns),
            flight=Flight({SetId("m1"): self.fake}, {SetId("m1"): [MarketId("m1")]}, unfinished),
            streams=streams,
            ledger=self.writer.address,
            reader=lambda: open_reader(self.path),
            lanes=self.lanes,
            routes=self.routes,
            risk=self.risk,
            gate=self.gate,
            clock=self.clock,
            adopt=adopt,
        )

    def _crash(self, name: str, error: BaseException) -> None:
        self.crashes.append((name, error))
        raise AssertionError(f"{name} crashed") from error

    def start(self) -> Bench:
        _begin(self.writer)
        _begin(self.actor)
        return self

    def run(self, seconds: float) -> None:
        self.sim.run_until(self.clock.now + round(seconds * SECOND))

    def opens(self) -> bool:
        with self.gate.enter_opening(["m1"]) as granted:
            return granted

    def write(self, *rows: object) -> None:
        self.writer.address.tell(RecordRows(rows=rows))

    def buy(self, *, known: bool = True, forgotten: bool = False) -> None:
        """An attempt of the ledger that bought ten YES for 4.50, its execution written down or not. Its executor has it
        in hand, unless it is so old that it was forgotten.
        """
        if not forgotten:
            stage = Stage(TERMS)
            stage.approve(attempt_id=INTENT.attempt_id)
            self.fake.record = Idle(past=(stage.attempt,))
        self.write(
            AttemptOpened(
                attempt_id=INTENT.attempt_id,
                at=self.clock.wall_ns(),
                opportunity_id=None,
                set_id=INTENT.set_id,
                mode="live",
                legs=TERMS.complete_set.legs,
                size=INTENT.size,
                expected_payout=MicroUsd(10_000_000),
                leg_policy="thin_leg_first",
                policy_reason="",
                reserved=MicroUsd(10_000_000),
            ),
            OrderAdopted(intent=INTENT, venue_order_id=FILL.venue_order_id, at=self.clock.wall_ns()),
            OrderChanged(
                client_order_id=INTENT.client_order_id,
                at=self.clock.wall_ns(),
                phase=Phase.ENDED,
                venue_order_id=FILL.venue_order_id,
                filled=shares(10),
                sent_at=None,
                acked_at=None,
                refusal=None,
            ),
        )
        if known:
            self.book(FILL)
        self.lanes.cash -= 4_500_000
        self.lanes.positions = ((MarketId("m1"), Outcome.YES, shares(10)),)

    def book(self, fill) -> None:
        self.write(FillReported(venue=VENUE, at=self.clock.wall_ns(), fill=fill))

    def fake_sets(self) -> None:
        """No executor owns m1 any more."""
        self.actor._flight.executors = {}

    def query(self, query: str) -> list[tuple]:
        self.run(0.2)
        reader = open_reader(self.path)
        try:
            return reader.execute(query).fetchall()
        finally:
            reader.close()

    def rows(self, kind: str) -> list[tuple]:
        return self.query(f"SELECT text, facts FROM events WHERE kind = '{kind}' ORDER BY seq")


def a_bench(tmp_path: Path, **kwargs) -> Bench:
    """Started, reconciled for the first time, trading."""
    bench = Bench(tmp_path, **kwargs).start()
    bench.run(1)
    assert bench.opens()
    return bench


def test_the_first_look_opens_the_account_and_lets_trading_begin(tmp_path):
    bench = Bench(tmp_path).start()
    assert bench.gate.held == "reconciling: start"
    assert bench.actor.refusals() == ("the ledger has not been compared with the venue yet",)

    bench.run(1)

    [(_, facts)] = bench.rows("account_opened")
    assert '"cash":100000000' in facts
    assert [text for text, _ in bench.rows("reconciled")] == ["ledger and venue agree"]
    assert bench.opens()
    assert bench.actor.refusals() == ()
    assert bench.risk.of(CashSeen)[-1].cash == 100_000_000


def test_an_account_that_already_holds_something_halts_once(tmp_path):
    bench = Bench(tmp_path)
    bench.lanes.positions = ((MarketId("m1"), Outcome.YES, shares(3)),)
    bench.start()

    bench.run(1)

    assert "3 YES of m1" in bench.gate.tripped.reason
    bench.actor.address.tell(ReconcileWanted(why="resume"))
    bench.run(1)
    assert bench.actor.refusals() == ()
    bench.gate.resume("operator", "those are mine")
    bench.run(2 * 3600)
    assert bench.opens()


def test_a_ledger_that_agrees_after_a_trade_says_so_to_the_micro_dollar(tmp_path):
    bench = a_bench(tmp_path)
    bench.buy()

    bench.run(3601)

    text, facts = bench.rows("reconciled")[-1]
    assert text == "ledger and venue agree"
    assert '"cash_ledger":95500000,"cash_venue":95500000,"positions_equal":true' in facts


def test_a_difference_is_believed_after_the_horizon_and_halts_until_it_is_gone(tmp_path):
    bench = a_bench(tmp_path)
    bench.lanes.cash -= 1

    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(HORIZON / SECOND - 0.5)
    assert bench.gate.tripped is None
    assert not bench.opens()
    bench.run(3)

    assert "cash is 99.999999 at the venue and 100.00 in the ledger (-0.000001)" in bench.gate.tripped.reason
    assert len(bench.actor.refusals()) == 1
    bench.lanes.cash += 1
    bench.actor.address.tell(ReconcileWanted(why="resume"))
    bench.run(1)
    assert bench.actor.refusals() == ()
    assert bench.gate.tripped is not None


def again(tmp_path: Path, bench: Bench, **kwargs) -> Bench:
    """Another process on the same ledger and account."""
    bench.writer.stopping()
    bench.ledger.close()
    second = Bench(tmp_path, **kwargs)
    second.lanes.cash = bench.lanes.cash
    return second.start()


def test_a_deposit_is_a_difference_until_the_operator_adopts_the_account(tmp_path):
    first = a_bench(tmp_path)
    first.lanes.cash += 50_000_000
    first.actor.address.tell(ReconcileWanted(why="test"))
    first.run(HORIZON / SECOND + 3)
    assert first.gate.tripped is not None
    first.gate.resume("operator", "a deposit")

    second = again(tmp_path, first, adopt="deposit of 50")
    second.run(HORIZON / SECOND + 3)

    assert second.opens()
    text, facts = second.rows("reconciled")[-1]
    assert "mended: drift: adopted (deposit of 50): cash is 150.00 at the venue and 100.00 in the ledger" in text
    assert '"cash_ledger":150000000,"cash_venue":150000000,"positions_equal":true,"findings":0' in facts
    assert len(second.rows("account_opened")) == 2
    second.run(3600)
    assert second.rows("reconciled")[-1][0] == "ledger and venue agree"


def test_nothing_open_is_ever_adopted(tmp_path):
    bench = Bench(tmp_path, unfinished=(AttemptId("a-1"),), record=in_doubt(Exposed, why=""), adopt="whatever").start()

    bench.run(60)

    assert "open: attempt a-1" in bench.gate.tripped.reason


def test_a_difference_that_goes_away_in_time_was_none(tmp_path):
    bench = a_bench(tmp_path)
    bench.buy()
    late, bench.lanes.positions = bench.lanes.positions, ()

    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(1)
    bench.lanes.positions = late
    bench.run(3)

    assert bench.gate.tripped is None
    assert bench.opens()


def test_a_missed_execution_is_told_to_its_executor_and_is_no_reason_to_halt(tmp_path):
    bench = a_bench(tmp_path)
    owner = Heard()
    bench.routes.own_orders([INTENT], owner)
    bench.buy(known=False)
    bench.lanes.fills = (FILL,)

    class Books(Heard):
        def tell(self, message: object) -> None:
            super().tell(message)
            bench.book(message.fill)

    booking = Books()
    bench.routes.own_orders([INTENT], booking)
    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(1)

    assert booking.of(FillSeen)[0].fill == FILL
    text, facts = bench.rows("reconciled")[-1]
    assert text.startswith("ledger and venue agree; mended: missed: t-1")
    assert '"findings":0,"mended":1' in facts
    assert bench.opens()


@pytest.mark.parametrize("ended", [True, False])
def test_an_execution_of_an_attempt_that_nobody_remembers_is_booked_and_halts_because_nobody_mends_it(tmp_path, ended):
    """Ledger and venue agree then, and ten YES are naked all the same."""
    bench = a_bench(tmp_path)
    bench.buy(known=False, forgotten=True)
    if ended:
        bench.write(ended_flat())
    bench.lanes.fills = (FILL,)

    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(1)

    assert bench.strays.heard == []
    found = "open: attempt a-1 of m1 is not over and nobody works on it: start the bot again"
    assert bench.gate.tripped is not None
    assert bench.gate.tripped.reason == f"reconcile (test): {found}"
    assert bench.actor.refusals() == (found,)
    assert "mended: missed: t-1" in bench.rows("reconciled")[-1][0]


def ended_flat() -> AttemptChanged:
    return AttemptChanged(
        attempt_id=INTENT.attempt_id,
        at=WALL,
        state="COOLDOWN",
        ending=Ending.MISSED,
        filled=shares(0),
        leg_costs=(MicroUsd(0), MicroUsd(0)),
        fees=MicroUsd(0),
        realized_pnl=MicroUsd(0),
        open_position=False,
        resolution="",
        detail="",
    )


def test_an_order_of_ours_that_rests_after_its_end_is_cancelled(tmp_path):
    bench = a_bench(tmp_path)
    bench.buy()
    bench.lanes.open_orders = (resting(),)

    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(0.5)
    [cancel] = bench.lanes.of(CancelOrder)
    bench.lanes.open_orders = ()
    bench.run(2)

    assert cancel.intent.client_order_id == INTENT.client_order_id
    assert bench.gate.tripped is None
    assert "mended: orphan" in bench.rows("reconciled")[-1][0]


def test_somebody_elses_order_halts_and_is_never_touched(tmp_path):
    bench = a_bench(tmp_path)
    bench.lanes.open_orders = (resting("not-ours", "v-77"),)

    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(5)

    assert "outside: order v-77" in bench.gate.tripped.reason
    assert bench.lanes.of(CancelOrder) == []


def test_a_venue_that_cannot_be_asked_keeps_openings_waiting_and_is_asked_again(tmp_path):
    bench = a_bench(tmp_path)
    bench.lanes.down = "HTTP 503"

    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(20)

    assert not bench.opens()
    assert bench.gate.tripped is None
    assert bench.gate.held == "reconciling: simulated: HTTP 503"
    assert bench.actor.refusals() == ("unread: simulated: HTTP 503",)
    assert len(bench.rows("reconciled")) == 2
    bench.lanes.down = ""
    bench.run(30)
    assert bench.opens()


def test_a_user_stream_that_is_down_for_long_stops_openings_until_it_is_back_and_all_is_compared(tmp_path):
    bench = a_bench(tmp_path, streams=())
    bench.actor.address.tell(StreamChanged(feed="simulated-user", up=False, at=BootNs(bench.clock.now)))

    bench.run(STREAM_GRACE_NS / SECOND - 1)
    assert bench.opens()
    bench.run(2 * STREAM_GRACE_NS / SECOND)
    assert not bench.opens()
    assert bench.gate.held == "the user stream is down: simulated-user"
    assert bench.actor.refusals() == ("the user stream simulated-user is down",)

    asked = len(bench.lanes.of(StatementWanted))
    bench.actor.address.tell(StreamChanged(feed="simulated-user", up=True, at=BootNs(bench.clock.now)))
    bench.run(1)
    assert len(bench.executor.of(StreamRestored)) == 1
    assert len(bench.lanes.of(StatementWanted)) == asked + 1
    assert bench.opens()


def test_the_first_comparison_waits_a_little_for_the_user_stream(tmp_path):
    bench = Bench(tmp_path, streams=("simulated-user",)).start()
    bench.run(1)
    assert bench.lanes.of(StatementWanted) == []

    bench.actor.address.tell(StreamChanged(feed="simulated-user", up=True, at=BootNs(bench.clock.now)))
    bench.run(1)

    assert len(bench.lanes.of(StatementWanted)) == 1
    assert bench.opens()


def in_doubt(kind=InDoubt, **fields):
    stage = Stage(TERMS)
    stage.approve()
    stage.lose_answer(0)
    attempt = stage.attempt
    return kind(attempt=attempt, past=(), timers=Timers(), **fields)


def test_nothing_is_opened_before_what_was_left_open_has_settled(tmp_path):
    bench = Bench(tmp_path, unfinished=(AttemptId("a-1"),), record=in_doubt()).start()

    bench.run(10)
    assert not bench.opens()
    assert bench.gate.tripped is None
    assert bench.lanes.of(StatementWanted) == []

    bench.fake.record = Idle()
    bench.run(1)
    assert bench.opens()


def test_what_does_not_settle_halts_with_the_list_and_is_not_rearmed(tmp_path):
    bench = Bench(tmp_path, unfinished=(AttemptId("a-1"),), record=in_doubt(Exposed, why="")).start()

    bench.run(60)

    assert bench.gate.tripped.reason == "reconcile (start): open: attempt a-1 of m1 is EXPOSED"
    assert bench.actor.refusals() == ("open: attempt a-1 of m1 is EXPOSED",)
    bench.fake.record = Idle()
    bench.actor.address.tell(ReconcileWanted(why="resume"))
    bench.run(1)
    assert bench.actor.refusals() == ()
    assert bench.gate.tripped is not None, "only the operator resumes"


def test_an_unfinished_attempt_of_a_set_that_is_gone_refuses_every_resume(tmp_path):
    bench = a_bench(tmp_path)
    bench.fake_sets()
    bench.buy()

    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(1)
    assert "attempt a-1 is unfinished and its set m1 is not configured any more" in bench.gate.tripped.reason

    bench.actor.address.tell(ReconcileWanted(why="resume"))
    bench.run(1)
    assert len(bench.actor.refusals()) == 1


def test_what_a_set_that_is_gone_still_held_is_booked_when_its_market_has_resolved(tmp_path):
    bench = a_bench(tmp_path)
    bench.fake_sets()
    hold_sets(bench)
    bench.lanes.resolved = ((MarketId("m1"), 1_000_000),)
    bench.lanes.cash += 10_000_000
    bench.lanes.positions = ()

    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(HORIZON / SECOND)

    assert bench.gate.tripped is None
    assert bench.opens()
    assert bench.rows("reconciled")[-1][0] == "ledger and venue agree; mended: paid: m1 pays 1.00 per YES"
    assert bench.rows("resolved")[-1][0] == "resolved YES"
    [(ending, realized, held)] = bench.query("SELECT ending, realized_pnl, open_position FROM tradesets")
    assert (ending, realized, held) == ("success", 1_000_000, 0)


def test_a_lost_merge_of_a_set_that_is_gone_is_booked(tmp_path):
    bench = a_bench(tmp_path)
    bench.fake_sets()
    hold_sets(bench)
    bench.lanes.cash += 10_000_000
    bench.lanes.positions = ()

    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(HORIZON / SECOND + 3)

    assert bench.opens()
    assert "mended: merged: the sets of attempt a-1" in bench.rows("reconciled")[-1][0]
    [row] = bench.query("SELECT realized_pnl, resolution FROM tradesets")
    assert row == (1_000_000, "merge")


def test_executors_and_risk_hear_of_a_market_that_resolved_while_nobody_listened(tmp_path):
    bench = a_bench(tmp_path)
    hold_sets(bench)
    bench.lanes.resolved = ((MarketId("m1"), 0),)
    bench.lanes.cash += 10_000_000
    bench.lanes.positions = ()

    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(1.5)

    [told] = bench.executor.of(MarketResolved)
    assert (told.market_id, told.winner, told.yes_pays) == ("m1", Outcome.NO, 0)
    assert len(bench.risk.of(MarketResolved)) == 1


def test_whoever_asks_is_answered(tmp_path):
    bench = a_bench(tmp_path)
    operator = Heard()

    bench.actor.address.tell(ReconcileWanted(why="resume", reply_to=operator))
    bench.run(0.5)

    [outcome] = operator.heard
    assert isinstance(outcome, ReconcileOutcome)
    assert outcome.clean
    assert outcome.why == "resume"


def test_the_last_comparison_outlives_the_horizon_is_written_down_and_leaves_the_gate_alone(tmp_path):
    bench = a_bench(tmp_path)
    bench.lanes.cash -= 5
    asker = Heard()

    bench.actor.address.tell(ReconcileWanted(why="before the end", reply_to=asker, last=True))
    bench.run(HORIZON / SECOND)
    assert asker.heard == []
    bench.run(1.5)

    assert len(asker.heard) == 1
    assert "drift: cash" in bench.rows("reconciled")[-1][0]
    assert bench.gate.tripped is None
    assert not bench.opens()


def test_what_the_venue_hides_when_the_process_ends_is_no_difference_once_it_shows(tmp_path):
    bench = a_bench(tmp_path, horizon_ns=10 * SECOND)
    hidden = bench.lanes.cash
    bench.lanes.cash -= 5
    asker = Heard()

    bench.actor.address.tell(ReconcileWanted(why="before the end", reply_to=asker, last=True))
    bench.run(5.0)
    bench.lanes.cash = hidden
    bench.run(1.5)

    (outcome,) = asker.heard
    assert outcome.clean
    assert outcome.positions_equal


def hold_sets(bench: Bench) -> None:
    """Ten YES and ten NO for nine dollars, which an ended attempt still holds."""
    bench.buy()
    no = replace(INTENT, client_order_id="c-2", outcome=Outcome.NO, leg=1)
    bench.write(OrderAdopted(intent=no, venue_order_id="v-2", at=bench.clock.wall_ns()))
    bench.book(replace(FILL, venue_trade_id="t-2", client_order_id="c-2", venue_order_id="v-2"))
    bench.write(
        AttemptChanged(
            attempt_id=INTENT.attempt_id,
            at=bench.clock.wall_ns(),
            state="COOLDOWN",
            ending=Ending.SUCCESS,
            filled=MicroShares(shares(10)),
            leg_costs=(MicroUsd(4_500_000), MicroUsd(4_500_000)),
            fees=MicroUsd(0),
            realized_pnl=None,
            open_position=True,
            resolution="",
        )
    )
    bench.lanes.cash -= 4_500_000
    bench.lanes.positions = tuple((MarketId("m1"), outcome, shares(10)) for outcome in Outcome)


def test_a_lost_merge_is_told_to_its_executor_once_it_has_outlived_the_horizon(tmp_path):
    bench = a_bench(tmp_path)
    owner = Heard()
    bench.routes.own(INTENT.attempt_id, owner)
    hold_sets(bench)
    bench.lanes.cash += 10_000_000
    bench.lanes.positions = ()

    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(HORIZON / SECOND - 0.1)
    assert owner.heard == []
    bench.run(3)

    [answer] = owner.of(MergeAnswered)
    assert (answer.attempt_id, answer.cash) == (INTENT.attempt_id, 10_000_000)


def test_sets_that_an_ended_attempt_still_holds_are_merged_once_ledger_and_venue_agree(tmp_path):
    bench = a_bench(tmp_path)
    owner = Heard()
    bench.routes.own(INTENT.attempt_id, owner)
    hold_sets(bench)

    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(1)

    [merge] = bench.lanes.of(MergeSets)
    assert (merge.attempt_id, merge.size) == (INTENT.attempt_id, shares(10))
    merge.reply_to.tell(MergeAnswered(attempt_id=merge.attempt_id, cash=None, why="not settled", at=BootNs(0)))
    bench.run(1)
    assert owner.of(MergeAnswered)[0].cash is None
    assert len(bench.lanes.of(MergeSets)) == 1, "a refused merge is tried again with the next regular comparison"
    bench.run(3600)
    assert len(bench.lanes.of(MergeSets)) == 2


def test_sets_of_a_venue_that_does_not_merge_are_held(tmp_path):
    bench = a_bench(tmp_path)
    bench.actor._mender._mergeable = {}
    bench.routes.own(INTENT.attempt_id, Heard())
    hold_sets(bench)

    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(1)

    assert bench.lanes.of(MergeSets) == []
    assert bench.rows("reconciled")[-1][0] == "ledger and venue agree"


@pytest.mark.parametrize("key", [KEY, STREAM_KEY])
def test_the_holds_have_names_of_their_own(key):
    assert key not in ("start", "stop")


def test_questions_wait_for_what_is_in_flight(tmp_path):
    bench = a_bench(tmp_path)
    bench.fake.record = in_doubt()
    asked = len(bench.lanes.of(StatementWanted))

    bench.actor.address.tell(ReconcileWanted(why="test"))
    bench.run(5)
    assert len(bench.lanes.of(StatementWanted)) == asked

    bench.run(15 + 100 * MS / SECOND)
    assert len(bench.lanes.of(StatementWanted)) == asked + 1, "it does not wait for ever"
    assert bench.opens(), "an unknown order blocks its market, not the bot"
