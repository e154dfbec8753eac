"""Frames to decisions through real books and a real run queue: every gap a row, and never a trade from a lost book."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from models.book import BookLost, MarketAlive, NotReady, Source, TopOfBook
from models.clock import MS, SECOND, BootNs
from models.market import BookModel, MarketId, MarketStatus, Outcome, SetId
from models.messages import (
    EpisodeEnded,
    MarketResolved,
    MarketsReleased,
    MinuteCounted,
    Opportunity,
    RecordRows,
    SetRefused,
    StatusChanged,
    TickChanged,
    TickSampled,
)
from models.orders import AttemptId
from models.rows import EventKind
from models.sets import CompleteSet, SetKind, SetLeg
from models.signal import Kind, SkipReason
from models.verdict import Verdict
from models.watch import REFUSED_PAUSE_NS, SetWatch
from tests.actors.hot_stage import LAGGING_MS, SAMPLE_NS, SILENT_NS, HotStage
from tests.factories import EXCHANGE_MS, a_market, a_watch, shares, snapshot, terms, update, usd
from tests.fakes import START_BOOT

M = MarketId("m")
LOW, HIGH = MarketId("low"), MarketId("high")


def nested() -> CompleteSet:
    legs = (SetLeg(MarketId("low"), Outcome.YES), SetLeg(MarketId("high"), Outcome.NO))
    return CompleteSet(set_id=SetId("s"), kind=SetKind.NESTED, legs=legs, payout=usd("1"), attestation="one source")


def two_markets() -> HotStage:
    listed = [a_market("low"), a_market("high")]
    return HotStage(listed, [SetWatch(terms(nested(), listed))])


def gap(stage: HotStage, seq: int = 2, *, yes: str = "0.47", no: str = "0.48", **changes: Any) -> None:
    """Both asks in one frame, now."""
    fields = {"seq": seq, "received_at": stage.clock.boot_ns(), **changes}
    stage.feed(update(("yes_ask", yes, "100"), ("no_ask", no, "100"), **fields))


def no_gap(stage: HotStage, seq: int) -> None:
    stage.feed(update(("yes_ask", "0.47", "0"), ("no_ask", "0.48", "0"), seq=seq, received_at=stage.clock.boot_ns()))


def alive(stage: HotStage, market_id: str = "m", seq: int | None = None, generation: int = 1) -> None:
    stage.feed(
        MarketAlive(market_id=MarketId(market_id), generation=generation, seq=seq, received_at=stage.clock.boot_ns())
    )


def release(stage: HotStage, cooling_ns: int = 0, set_id: str = "m") -> None:
    stage.tell_signal(
        MarketsReleased(
            attempt_id=AttemptId("a-1"),
            set_id=SetId(set_id),
            spent=usd("0"),
            cooling_until=BootNs(stage.clock.boot + cooling_ns),
            open_position=False,
        )
    )


def refuse(stage: HotStage, reason: SkipReason = SkipReason.HALTED, set_id: str = "m") -> None:
    stage.tell_signal(SetRefused(SetId(set_id), reason))


def last_reason(stage: HotStage) -> SkipReason | None:
    return stage.skipped()[-1].decision.reason


# -- from a frame to a decision


def test_a_gap_is_proposed_with_everything_it_was_decided_from() -> None:
    with HotStage() as stage:
        stage.connect()
        stage.clock.advance(3 * MS)

        gap(stage)

        (opportunity,) = stage.proposed()
        assert opportunity.decision.kind is Kind.TRADE
        assert opportunity.decision.verdict is Verdict.REAL
        assert (opportunity.decision.sum_cost, opportunity.decision.size) == (usd("0.95"), shares("10"))
        assert opportunity.set_id == "m"
        assert opportunity.at == stage.clock.wall_ns()
        assert opportunity.frame_at == stage.clock.boot_ns()
        assert opportunity.tops == (stage.top(), stage.top())
        assert (opportunity.episode_id, opportunity.opportunity_id) == ("e-1", "o-2")
        assert stage.signal.in_flight() == ["m"]


def test_a_gap_that_may_not_be_traded_is_a_row_with_its_reason() -> None:
    with HotStage() as stage:
        stage.connect()

        gap(stage, yes="0.515")

        assert stage.proposed() == []
        (opportunity,) = stage.skipped()
        assert opportunity.decision.reason is SkipReason.EDGE


def test_no_gap_is_no_row() -> None:
    with HotStage() as stage:
        stage.connect()
        for seq in range(2, 20):
            gap(stage, seq, yes="0.55", no="0.56")

        assert stage.skipped() == []
        assert stage.proposed() == []


def test_the_rows_of_a_gap_share_its_episode_until_it_closes() -> None:
    with HotStage() as stage:
        stage.connect()
        gap(stage, 2, yes="0.515")
        stage.clock.advance(SECOND)
        gap(stage, 3, yes="0.512")
        stage.clock.advance(SECOND)
        closed_at = stage.clock.wall_ns()
        stage.feed(update(("yes_ask", "0.512", "0"), ("yes_ask", "0.515", "0"), seq=4))

        first, second = stage.skipped()
        assert first.episode_id == second.episode_id
        assert first.opportunity_id != second.opportunity_id
        (ended,) = stage.ledger.of(EpisodeEnded)
        assert ended == EpisodeEnded(
            episode_id=first.episode_id,
            set_id=SetId("m"),
            began=first.at,
            ended=closed_at,
            best_edge=usd("0.008"),
            rows=2,
            verdict="real",
        )


def test_equal_tops_are_one_row_however_often_they_come() -> None:
    with HotStage() as stage:
        stage.connect()

        for seq in range(2, 200):
            gap(stage, seq, yes="0.515")

        assert len(stage.skipped()) == 1


def test_a_market_in_two_sets_is_judged_for_both() -> None:
    listed = [a_market("low"), a_market("high")]
    watches = [SetWatch(terms(nested(), listed)), a_watch(markets=[listed[0]])]
    with HotStage(listed, watches) as stage:
        stage.connect()
        stage.feed(update(("no_ask", "0.48", "100"), market_id="high", seq=2))

        stage.feed(update(("yes_ask", "0.47", "100"), ("no_ask", "0.50", "100"), market_id="low", seq=2))

        assert {opportunity.set_id for opportunity in stage.proposed()} == {"s", "low"}


def test_nothing_is_decided_before_every_leg_has_a_book() -> None:
    with two_markets() as stage:
        stage.connect(ready=False)
        stage.feed(snapshot("low", yes_bids=(), yes_asks=(("0.10", "100"),), seq=1))

        assert stage.proposed() == []
        assert stage.signal.tops[MarketId("low")].not_ready is None

        stage.feed(snapshot("high", no_bids=(), no_asks=(("0.20", "100"),), seq=1))
        assert len(stage.proposed()) == 1


# -- lost, stale, silent, lagging


def test_a_lost_connection_ends_the_gap_and_nothing_is_decided_until_a_snapshot() -> None:
    with HotStage() as stage:
        stage.connect()
        gap(stage, yes="0.515")
        rows = len(stage.skipped())

        stage.disconnect()
        assert len(stage.ledger.of(EpisodeEnded)) == 1
        stage.tick()
        stage.connect(2, ready=False)
        gap(stage, 3, generation=2)
        gap(stage, 4, generation=1)
        stage.tick()
        assert (len(stage.skipped()), stage.proposed()) == (rows, [])

        stage.feed(snapshot(generation=2, seq=2, received_at=stage.clock.boot_ns()))
        assert len(stage.proposed()) == 1


def test_one_lost_leg_of_two_markets_is_enough_to_end_the_gap() -> None:
    with two_markets() as stage:
        stage.connect()
        stage.feed(update(("yes_ask", "0.515", "100"), market_id="low", seq=2))
        stage.feed(update(("no_ask", "0.48", "100"), market_id="high", seq=2))
        assert len(stage.skipped()) == 1

        stage.feed(update(market_id="high", seq=9))

        assert len(stage.ledger.of(EpisodeEnded)) == 1
        stage.feed(update(("yes_ask", "0.40", "100"), market_id="low", seq=3))
        assert len(stage.skipped()) == 1
        assert stage.proposed() == []


def test_a_gap_whose_evidence_ages_is_skipped_as_stale_on_the_tick() -> None:
    with HotStage() as stage:
        stage.connect()
        gap(stage, yes="0.515")

        stage.tick(5 * SECOND + 1)
        stage.tick()

        assert [o.decision.reason for o in stage.skipped()] == [SkipReason.EDGE, SkipReason.STALE]
        assert stage.skipped()[-1].decision.verdict is Verdict.STALE


def test_a_silent_market_is_lost_and_asked_for_anew() -> None:
    with HotStage() as stage:
        stage.connect()
        stage.tick(SILENT_NS)
        assert stage.top().not_ready is None
        stage.snapshots.clear()

        stage.tick(1)

        assert stage.top().not_ready is NotReady.SILENT
        assert stage.wanted() == [("m", 1, "silent")]
        stage.tick(SILENT_NS)
        assert stage.wanted() == [("m", 1, "silent")]


def test_silence_is_judged_for_each_market_to_the_tick_also_after_a_snapshot_from_a_backlog() -> None:
    with two_markets() as stage:
        stage.connect()
        began = stage.clock.boot_ns()
        stage.tick(SECOND)
        stage.feed(BookLost(market_id=HIGH, generation=1, reason=NotReady.BAD_FRAME, received_at=BootNs(began)))
        stage.tick(8 * SECOND)
        alive(stage, "low")
        stage.tick(2 * SECOND)
        stage.feed(snapshot("high", generation=1, seq=9, received_at=BootNs(began + 5 * SECOND)))

        stage.tick(4 * SECOND)
        assert [stage.signal.tops[m].not_ready for m in (LOW, HIGH)] == [None, None]
        stage.tick(1)
        assert [stage.signal.tops[m].not_ready for m in (LOW, HIGH)] == [None, NotReady.SILENT]
        stage.tick(4 * SECOND)
        assert stage.signal.tops[LOW].not_ready is NotReady.SILENT


def test_a_paused_market_is_asked_about_until_it_trades_again() -> None:
    """Found by the simulator: the word that a market had reopened was lost, and nobody asked."""
    with HotStage() as stage:
        stage.connect()
        stage.status(StatusChanged(M, MarketStatus.PAUSED, "", stage.clock.boot_ns()))
        stage.snapshots.clear()

        stage.tick(1)
        stage.tick(SILENT_NS)
        assert stage.wanted() == [("m", 1, "paused")]
        stage.tick(1)
        assert stage.wanted() == [("m", 1, "paused")] * 2

        stage.status(StatusChanged(M, MarketStatus.OPEN, "", stage.clock.boot_ns()))
        stage.snapshots.clear()
        stage.tick(SILENT_NS + 1)
        assert ("m", 1, "paused") not in stage.wanted()


def test_a_heartbeat_keeps_a_quiet_market_fresh() -> None:
    with HotStage() as stage:
        stage.connect()
        for _ in range(30):
            stage.tick(SECOND)
            alive(stage, seq=1)

        assert stage.top().not_ready is None
        gap(stage)
        assert len(stage.proposed()) == 1


def test_frames_that_lag_are_not_traded() -> None:
    with HotStage() as stage:
        stage.connect()

        gap(stage, lag_ms=LAGGING_MS + 1)

        assert stage.top().not_ready is NotReady.LAGGING
        assert stage.proposed() == []
        assert stage.skipped() == []


def test_a_frame_that_waited_too_long_in_our_own_queue_is_not_traded() -> None:
    with HotStage() as stage:
        stage.connect()

        gap(stage, received_at=stage.clock.boot_ns() - 6 * SECOND)

        assert stage.proposed() == []
        assert last_reason(stage) is SkipReason.STALE


def test_the_halves_of_a_gap_from_two_frames_are_skewed() -> None:
    with HotStage() as stage:
        stage.connect()

        stage.feed(update(("yes_ask", "0.47", "100"), seq=2, exchange_ms=EXCHANGE_MS + 1, whole=False))
        stage.feed(update(("no_ask", "0.48", "100"), seq=3, exchange_ms=EXCHANGE_MS + 2, whole=False))

        assert stage.proposed() == []
        assert last_reason(stage) is SkipReason.SKEW


# -- in flight, cooldown, refusal


def test_while_in_flight_new_tops_are_rows_but_nothing_is_proposed() -> None:
    with HotStage() as stage:
        stage.connect()
        gap(stage)
        gap(stage, 3, yes="0.46")

        assert len(stage.proposed()) == 1
        assert last_reason(stage) is SkipReason.IN_FLIGHT


def test_after_the_cooldown_the_tick_trades_a_gap_that_has_not_moved() -> None:
    with HotStage() as stage:
        stage.connect()
        gap(stage)
        release(stage, cooling_ns=SECOND)

        stage.tick(500 * MS)
        assert last_reason(stage) is SkipReason.COOLDOWN
        assert len(stage.proposed()) == 1

        stage.tick(500 * MS)
        assert len(stage.proposed()) == 2
        assert stage.signal.in_flight() == ["m"]


def test_a_cooldown_shorter_than_a_tick_does_not_strand_the_gap() -> None:
    with HotStage() as stage:
        stage.connect()
        gap(stage)
        release(stage, cooling_ns=10 * MS)

        stage.tick(250 * MS)

        assert len(stage.proposed()) == 2


def test_a_refused_set_is_not_in_flight_and_is_proposed_again_after_a_pause() -> None:
    with HotStage() as stage:
        stage.connect()
        gap(stage)
        refuse(stage)
        assert stage.signal.in_flight() == []

        stage.tick()
        alive(stage, seq=2)
        assert len(stage.proposed()) == 1

        stage.tick(REFUSED_PAUSE_NS - 250 * MS)
        assert len(stage.proposed()) == 2


def test_news_of_a_set_that_is_not_watched_is_ignored() -> None:
    with HotStage() as stage:
        release(stage, set_id="of an older configuration")
        refuse(stage, set_id="of an older configuration")

        assert stage.crashed == []


# -- confirmation and dispute


def unified() -> HotStage:
    return HotStage([a_market(book_model=BookModel.UNIFIED)])


MIRRORED: dict[str, Any] = {
    "yes_bids": (("0.45", "100"),),
    "yes_asks": (("0.55", "100"),),
    "no_bids": (("0.45", "100"),),
    "no_asks": (("0.55", "100"),),
}
"""YES bid + NO ask = YES ask + NO bid = 1."""


def test_a_gap_on_a_unified_book_asks_once_for_a_snapshot_and_stays_a_fault_without_it() -> None:
    with unified() as stage:
        stage.connect(ready=False)
        stage.feed(snapshot(**MIRRORED, seq=1))
        stage.snapshots.clear()

        gap(stage)
        gap(stage, 3, yes="0.46")

        assert stage.wanted() == [("m", 1, "confirm")]
        assert stage.proposed() == []
        assert {o.decision.reason for o in stage.skipped()} <= {SkipReason.HALF_UPDATE, SkipReason.CROSSED}
        assert all(SkipReason.UNCONFIRMED in o.decision.also for o in stage.skipped())


def test_a_book_that_is_contradicted_for_two_ticks_is_compared_anew() -> None:
    with unified() as stage:
        stage.connect(ready=False)
        stage.feed(snapshot(**MIRRORED, seq=1))
        stage.feed(update(("yes_ask", "0.54", "5"), seq=2, received_at=stage.clock.boot_ns()))
        stage.snapshots.clear()

        stage.tick()
        assert stage.wanted() == []
        stage.tick()
        assert stage.wanted() == [("m", 1, "disputed")]

        stage.feed(snapshot(**MIRRORED, seq=2, source=Source.REST, received_at=stage.clock.boot_ns()))
        stage.tick()
        assert stage.wanted() == [("m", 1, "disputed")]


# -- weather


@pytest.mark.parametrize("value", [MarketStatus.PAUSED, MarketStatus.POST_ONLY, MarketStatus.CLOSED])
def test_a_market_that_does_not_trade_is_not_traded(value: MarketStatus) -> None:
    with HotStage() as stage:
        stage.connect()
        stage.status(StatusChanged(M, value, "fee terms changed: start again", START_BOOT))

        gap(stage)
        assert stage.proposed() == []
        assert stage.signal.standing == {M: f"{value.value}: fee terms changed: start again"}

        stage.status(StatusChanged(M, MarketStatus.OPEN, "", START_BOOT))
        assert stage.signal.standing == {}
        gap(stage, 3, yes="0.46")
        assert len(stage.proposed()) == 1


def test_off_the_grid_of_the_catalog_nothing_opens_and_what_is_held_can_still_be_mended() -> None:
    """Orders are made for the tick that the catalog gave (a cent here): at a finer one they could be refused, or not
    mean the shares that were decided on.
    """
    with HotStage() as stage:
        stage.connect()
        stage.feed(TickChanged(M, 1, 1_000, START_BOOT))
        stage.status(StatusChanged(M, MarketStatus.OPEN, "", START_BOOT))

        stage.feed(snapshot(seq=2))
        gap(stage, 3)

        assert stage.proposed() == []
        assert last_reason(stage) is SkipReason.MARKET_STATUS
        assert stage.skipped()[-1].surroundings.statuses == (MarketStatus.OFF_GRID,) * 2
        assert stage.top().not_ready is None, "protection still sees the book"
        assert stage.signal.standing[M].startswith("off_grid: the price grid changed, nothing opens until")
        [told] = [row for record in stage.ledger.of(RecordRows) for row in record.rows]
        assert (told.kind, told.market_id, dict(told.facts)) == (EventKind.NOTE, M, {"new_tick": 1_000})


def test_back_on_the_grid_of_the_catalog_a_gap_is_traded_again() -> None:
    with HotStage() as stage:
        stage.connect()
        for tick in (10_000, 1_000, 1_000, 10_000):
            stage.feed(TickChanged(M, 1, tick, START_BOOT))

        stage.feed(snapshot(seq=2))
        gap(stage, 3)

        assert len(stage.proposed()) == 1
        assert len(stage.ledger.of(RecordRows)) == 2, "told once each way"


def test_the_signal_knows_the_weather_even_if_the_book_does_not() -> None:
    with HotStage() as stage:
        stage.connect()
        stage.tell_signal(MarketResolved(M, Outcome.YES, 1_000_000, START_BOOT))

        gap(stage)

        assert last_reason(stage) is SkipReason.MARKET_STATUS


# -- counts and samples


def test_a_minutes_states_are_counted_and_told_when_it_is_over() -> None:
    with HotStage() as stage:
        stage.connect()
        minute = stage.clock.wall_ns() // (60 * SECOND)
        gap(stage, 2, yes="0.55", no="0.56")
        gap(stage, 3, yes="0.515")
        stage.tick()
        assert stage.ledger.of(MinuteCounted) == []

        stage.tick(60 * SECOND)
        stage.tick(60 * SECOND)

        counted = stage.ledger.of(MinuteCounted)[0]
        assert (counted.set_id, counted.minute) == ("m", minute)
        assert counted.sum_cost_counts == ((99, 1), (111, 2))
        assert (counted.updates, counted.evaluations) == (4, 3)
        assert sum(row.updates for row in stage.ledger.of(MinuteCounted)) == len(stage.tops.told)


def test_what_is_counted_and_open_is_told_when_the_bot_stops() -> None:
    with HotStage() as stage:
        stage.connect()
        gap(stage, yes="0.515")

        stage.signal.stopping()

        assert len(stage.ledger.of(EpisodeEnded)) == 1
        assert len(stage.ledger.of(MinuteCounted)) == 1


def test_ready_tops_are_sampled_by_elapsed_time_not_by_the_wall_clock() -> None:
    with two_markets() as stage:
        stage.connect()
        stage.feed(update(market_id="high", seq=9))
        stage.tick()
        assert [row.top.market_id for row in stage.ledger.of(TickSampled)] == ["low"]

        stage.clock.wall -= 3_600 * SECOND
        stage.tick(SAMPLE_NS - SILENT_NS // 2)
        assert len(stage.ledger.of(TickSampled)) == 1


def test_a_wall_clock_set_back_does_not_end_the_sampling() -> None:
    with HotStage() as stage:
        stage.connect()
        stage.tick()
        stage.clock.wall -= 3_600 * SECOND

        stage.clock.advance(SAMPLE_NS - SECOND)
        alive(stage, seq=1)
        stage.tick(SECOND)

        assert len(stage.ledger.of(TickSampled)) == 2


def test_latency_is_measured_on_frames_and_never_on_the_news_of_a_loss() -> None:
    with HotStage() as stage:
        for generation in range(1, 40):
            stage.connect(generation, ready=False)
            stage.disconnect(generation)
        assert list(stage.signal.latency_ns) == []

        stage.connect(40)
        stage.clock.advance(SECOND)
        gap(stage, generation=40, received_at=stage.clock.boot_ns() - 7 * MS)
        assert list(stage.signal.latency_ns)[-1] == 7 * MS
        assert max(stage.signal.latency_ns) == 7 * MS


def test_the_newest_tops_are_kept_for_the_status() -> None:
    with two_markets() as stage:
        stage.connect()

        assert set(stage.signal.tops) == {"low", "high"}
        assert all(isinstance(top, TopOfBook) for top in stage.signal.tops.values())


def test_a_message_that_is_not_for_the_signal_crashes_it() -> None:
    with HotStage() as stage:
        stage.tell_signal(object())

        assert isinstance(stage.crashed.pop(), TypeError)


# -- whatever happens, never from a lost or stale book


class NeverFromALostBook(RuleBasedStateMachine):
    """Two markets on one feed. What the bot may know is modelled apart, from the events alone."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = two_markets()
        self.generation = 0
        self.seq = {"low": 0, "high": 0}
        self.has = {"low": -1, "high": -1}
        """Number up to which the bot has an unbroken story of the market; -1 without one."""
        self.evidence = {"low": 0, "high": 0}
        self.lagging = {"low": False, "high": False}
        self.open = {"low": True, "high": True}
        self.connected = False
        self.checked = 0
        self.in_flight_answer: tuple[str, int, int] | None = None
        self.connect()

    def teardown(self) -> None:
        self.stage.__exit__(None, None, None)

    def _now(self) -> BootNs:
        return self.stage.clock.boot_ns()

    @rule()
    def connect(self) -> None:
        if self.connected:
            self.disconnect()
        self.generation += 1
        self.connected = True
        self.seq = {"low": 1, "high": 1}
        self.stage.connect(self.generation, ready=False)
        for market in self.has:
            self.a_snapshot_is_taken(market)
            self.the_snapshot_arrives()

    @rule()
    def disconnect(self) -> None:
        self.connected = False
        self.has = {"low": -1, "high": -1}
        self.stage.disconnect(self.generation)

    def _healed(self, market: str, seq: int) -> None:
        self.has[market], self.evidence[market], self.lagging[market] = seq, self._now(), False

    @rule(
        market=st.sampled_from(["low", "high"]),
        ask=st.sampled_from(["0.46", "0.47", "0.55"]),
        fate=st.sampled_from(["arrives", "arrives", "arrives", "dropped", "late", "lagging"]),
    )
    def a_market_moves(self, market: str, ask: str, fate: str) -> None:
        self.seq[market] += 1
        if fate == "dropped":
            return
        seq = self.seq[market]
        received = self._now() - (6 * SECOND if fate == "late" else 0)
        side = "yes_ask" if market == "low" else "no_ask"
        # Every ask but the drawn one is removed, so that the drawn one is the best.
        others = [(side, other, "0") for other in ("0.46", "0.47", "0.55") if other != ask]
        event = update(
            *others,
            (side, ask, "100"),
            market_id=market,
            generation=self.generation,
            seq=seq,
            received_at=received,
            lag_ms=LAGGING_MS + 1 if fate == "lagging" else 1,
        )
        if self.connected and self.has[market] == seq - 1:
            self.has[market], self.evidence[market] = seq, received
            self.lagging[market] = fate == "lagging"
        elif self.connected:
            self.has[market] = -1
        self.stage.feed(event)

    @rule(market=st.sampled_from(["low", "high"]))
    def a_heartbeat_arrives(self, market: str) -> None:
        if self.has[market] == self.seq[market]:
            self.evidence[market] = self._now()
        else:
            self.has[market] = -1
        alive(self.stage, market, self.seq[market], self.generation)

    @rule(market=st.sampled_from(["low", "high"]))
    def a_snapshot_is_taken(self, market: str) -> None:
        self.in_flight_answer = (market, self.generation, self.seq[market])

    @rule()
    def the_snapshot_arrives(self) -> None:
        if self.in_flight_answer is None:
            return
        market, generation, seq = self.in_flight_answer
        self.in_flight_answer = None
        # What it may do is the book's business (test_book_machine); here it only widens what the bot may know.
        if self.connected and generation == self.generation:
            self._healed(market, max(seq, self.has[market]))
            if seq < self.seq[market] and self.has[market] < self.seq[market]:
                self.has[market] = seq
        gap_asks = (("0.47", "100"),)
        sides: dict[str, Any] = {"yes_asks": gap_asks} if market == "low" else {"no_asks": gap_asks}
        self.stage.feed(
            snapshot(
                market,
                **sides,
                generation=generation,
                seq=seq,
                source=Source.REST,
                received_at=self._now(),
                exchange_ms=EXCHANGE_MS,
            )
        )

    @rule(market=st.sampled_from(["low", "high"]), is_open=st.booleans())
    def the_weather_changes(self, market: str, is_open: bool) -> None:
        self.open[market] = is_open
        value = MarketStatus.OPEN if is_open else MarketStatus.PAUSED
        self.stage.status(StatusChanged(MarketId(market), value, "", self._now()))

    @rule(by_ms=st.sampled_from([1, 1, 250, 250, 2_000, 6_000, 11_000]))
    def time_passes(self, by_ms: int) -> None:
        self.stage.tick(by_ms * MS)

    @rule(refused=st.booleans())
    def the_attempt_ends(self, refused: bool) -> None:
        if refused:
            refuse(self.stage, set_id="s")
        else:
            release(self.stage, set_id="s")

    @invariant()
    def whatever_was_proposed_was_known_fresh_and_whole(self) -> None:
        proposals: list[Opportunity] = self.stage.proposed()
        for opportunity in proposals[self.checked :]:
            assert self.connected
            for market in ("low", "high"):
                assert self.has[market] >= 0, f"{market} was lost"
                assert self._now() - self.evidence[market] <= 5 * SECOND, f"{market} was stale"
                assert not self.lagging[market], f"{market} was behind"
                assert self.open[market], f"{market} was closed"
            assert opportunity.decision.verdict is Verdict.REAL
            assert all(top.generation == self.generation for top in opportunity.tops)
            release(self.stage, set_id="s")
        self.checked = len(proposals)


TestNeverFromALostBook = NeverFromALostBook.TestCase
TestNeverFromALostBook.settings = settings(max_examples=100, stateful_step_count=40)
