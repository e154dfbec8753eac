"""BookActor on the run queue: what it publishes and when, and that a loss is always told at once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.book import BookLost, BookSnapshot, MarketAlive, NotReady, Source, TopOfBook
from models.clock import MS, BootNs
from models.market import BookModel, MarketId, MarketStatus
from models.messages import (
    BookNews,
    GenerationBegan,
    LaddersSeen,
    LaddersWanted,
    SnapshotCompared,
    StatusChanged,
    TickChanged,
)
from models.terms import LAGGING_FACTOR
from tests.actors.hot_stage import LAGGING_MS, SILENT_NS, HotStage
from tests.factories import EXCHANGE_MS, a_market, levels, price, snapshot, update
from tests.fakes import START_BOOT, Collector

M = MarketId("m")


def status(value: MarketStatus) -> StatusChanged:
    return StatusChanged(M, value, "", START_BOOT)


def lost(reason: NotReady = NotReady.BAD_FRAME, generation: int = 1) -> BookLost:
    return BookLost(market_id=M, generation=generation, reason=reason, received_at=START_BOOT)


def alive(seq: int | None = None, generation: int = 1) -> MarketAlive:
    return MarketAlive(market_id=M, generation=generation, seq=seq, received_at=BootNs(START_BOOT + 1))


def published(stage: HotStage) -> list[NotReady | None]:
    return [top.not_ready for top in stage.tops.of(TopOfBook)]


def news(stage: HotStage) -> list[NotReady | None]:
    return [row.not_ready for row in stage.ledger.of(BookNews)]


def ladders(stage: HotStage) -> LaddersSeen:
    asker = Collector()
    stage.feed(LaddersWanted(M, "tag", asker))
    return asker.last(LaddersSeen)


def test_a_new_connection_publishes_not_ready_and_asks_for_a_snapshot() -> None:
    with HotStage() as stage:
        stage.connect(7, ready=False)

        assert published(stage) == [NotReady.NO_SNAPSHOT]
        assert stage.wanted() == [("m", 7, "connected")]


def test_the_snapshot_makes_it_ready_and_news() -> None:
    with HotStage() as stage:
        stage.connect()

        assert published(stage) == [NotReady.NO_SNAPSHOT, None]
        assert news(stage) == [None]
        assert stage.ledger.of(BookNews)[0].at == stage.clock.wall_ns()


def beats(stage: HotStage, *at_ms: int, lag_ms: int | None = None) -> list[int]:
    """Heartbeats so long after the snapshot; which of them (ms) the signal was told of."""
    stage.tops.clear()
    for ms in at_ms:
        at = BootNs(START_BOOT + ms * MS)
        stage.feed(MarketAlive(market_id=M, generation=1, received_at=at, lag_ms=lag_ms))
    return [(top.evidence_at - START_BOOT) // MS for top in stage.tops.of(TopOfBook)]


PATIENT = {"proof_ns": 2_000 * MS, "quiet_ns": 5_000 * MS}


def test_a_quiet_markets_heartbeats_are_told_as_often_as_its_proof_is_needed() -> None:
    with HotStage(**PATIENT) as stage:
        stage.connect()

        assert beats(stage, 2_000, 4_999, 5_000, 9_999, 10_000) == [5_000, 10_000]


def test_a_gaps_heartbeats_are_told_before_its_evidence_is_too_old_to_decide_by() -> None:
    with HotStage(**PATIENT) as stage:
        stage.connect()
        stage.feed(update(("yes_ask", "0.47", "5"), ("no_ask", "0.48", "6"), seq=2))

        assert beats(stage, 1_000, 2_000, 3_000, 3_999, 4_000) == [2_000, 4_000]


def test_a_heartbeat_that_is_too_late_to_decide_by_is_told_at_once_and_so_is_the_end_of_it() -> None:
    with HotStage(**PATIENT) as stage:
        stage.connect()
        late = LAGGING_MS // LAGGING_FACTOR + 1

        assert beats(stage, 100, 200, lag_ms=late) == [100]
        assert beats(stage, 300, 400, lag_ms=late - 1) == [300]


def test_who_asks_for_ladders_keeps_no_proof_from_the_signal() -> None:
    with HotStage(**PATIENT) as stage:
        stage.connect()
        told = []
        for ms in (4_000, 8_000, 12_000):
            told += beats(stage, ms)
            ladders(stage)

        assert told == [8_000]


def test_a_market_is_silent_by_the_evidence_of_its_book_not_by_what_was_told() -> None:
    with HotStage(proof_ns=2_000 * MS, quiet_ns=10 * SILENT_NS) as stage:
        stage.connect()
        assert beats(stage, 1_000, 2_000, 9_000) == []

        stage.tick(SILENT_NS + 1)
        assert (stage.top().not_ready, stage.top().evidence_at) == (None, START_BOOT + 9_000 * MS)
        stage.tick(9_000 * MS - 1)
        assert stage.top().not_ready is None
        stage.tick(1)
        assert stage.top().not_ready is NotReady.SILENT


def test_every_heartbeat_is_told_where_legs_of_several_markets_are_compared() -> None:
    with HotStage() as stage:
        stage.connect()

        assert beats(stage, 1, 2, 3) == [1, 2, 3]


def test_a_heartbeat_that_comes_too_late_is_told_at_once() -> None:
    with HotStage(**PATIENT) as stage:
        stage.connect()

        assert beats(stage, 1, lag_ms=LAGGING_MS + 1) == [1]
        assert stage.top().not_ready is NotReady.LAGGING
        assert beats(stage, 2, lag_ms=0) == [2]
        assert stage.top().not_ready is None


def test_a_heartbeat_that_is_not_told_still_proves_the_ladders() -> None:
    with HotStage(**PATIENT) as stage:
        stage.connect()

        assert beats(stage, 1_000) == []
        assert ladders(stage).top.evidence_at == START_BOOT + 1_000 * MS


def test_each_frame_publishes_one_top_with_both_outcomes() -> None:
    with HotStage() as stage:
        stage.connect()
        stage.tops.clear()

        stage.feed(update(("yes_ask", "0.47", "5"), ("no_ask", "0.48", "6"), ("yes_bid", "0.40", "1"), seq=2))

        assert len(stage.tops.told) == 1
        assert (stage.top().yes_ask, stage.top().no_ask) == (price("0.47"), price("0.48"))


def test_the_same_frame_twice_is_published_once() -> None:
    with HotStage() as stage:
        stage.connect()
        stage.tops.clear()

        stage.feed(*[update(("yes_ask", "0.47", "5"), seq=2)] * 3)

        assert len(stage.tops.told) == 1


def test_a_change_below_the_top_is_told_only_now_and_then_for_its_times() -> None:
    with HotStage() as stage:
        stage.connect()
        stage.tops.clear()
        for seq in range(2, 52):
            stage.clock.advance(2 * MS)
            stage.feed(update(("yes_ask", "0.70", str(seq)), seq=seq, received_at=stage.clock.boot_ns()))

        assert len(stage.tops.told) == 2
        assert stage.clock.boot_ns() - stage.top().evidence_at < 50 * MS


def test_a_dispute_is_told_at_once_although_no_level_changed() -> None:
    with HotStage() as stage:
        stage.connect()

        stage.feed(update(("yes_ask", "0.70", "1"), seq=2, claimed=[("yes_ask", "0.54")]))
        assert not stage.top().intact

        stage.feed(update(("yes_ask", "0.70", "2"), seq=3, claimed=[("yes_ask", "0.55")]))
        assert stage.top().intact


def test_a_frame_that_speaks_for_one_outcome_only_is_told_at_once_for_its_instant() -> None:
    with HotStage() as stage:
        stage.connect()

        stage.feed(update(("yes_ask", "0.70", "1"), seq=2, exchange_ms=EXCHANGE_MS + 1, whole=False))
        assert (stage.top().yes_as_of_ms, stage.top().no_as_of_ms) == (EXCHANGE_MS + 1, EXCHANGE_MS)

        stage.feed(update(("yes_ask", "0.70", "2"), seq=3, exchange_ms=EXCHANGE_MS + 2))
        assert (stage.top().yes_as_of_ms, stage.top().no_as_of_ms) == (EXCHANGE_MS + 2, EXCHANGE_MS + 2)


def test_below_the_top_everything_counts_where_sizing_walks_the_ladder() -> None:
    with HotStage(depth=3) as stage:
        stage.connect()
        stage.feed(update(("yes_ask", "0.70", "3"), seq=2))

        assert stage.top().yes_asks == levels(("0.55", "100"), ("0.70", "3"))


# -- loss


def test_a_lost_connection_is_told_at_once_and_nobody_is_asked_while_it_lasts() -> None:
    with HotStage() as stage:
        stage.connect(3)
        stage.snapshots.clear()

        stage.disconnect(3)

        assert stage.top().not_ready is NotReady.FEED_DOWN
        assert news(stage)[-1] is NotReady.FEED_DOWN
        assert stage.wanted() == []


@pytest.mark.parametrize("late", [snapshot(generation=3, seq=99, source=Source.REST), update(generation=3, seq=2)])
def test_what_was_under_way_when_the_connection_died_heals_nothing(late: Any) -> None:
    with HotStage() as stage:
        stage.connect(3)
        stage.disconnect(3)
        stage.tops.clear()

        stage.feed(late, lost(generation=3), alive(99, generation=3))

        assert stage.tops.told == []
        assert ladders(stage).top.not_ready is NotReady.FEED_DOWN


def test_after_a_reconnect_only_the_new_connections_snapshot_counts() -> None:
    with HotStage() as stage:
        stage.connect(3)
        stage.disconnect(3)
        stage.connect(4, ready=False)

        stage.feed(snapshot(generation=3, seq=50))
        assert stage.top().not_ready is NotReady.NO_SNAPSHOT

        stage.feed(snapshot(generation=4, seq=1))
        assert stage.top().not_ready is None
        assert news(stage) == [None, NotReady.FEED_DOWN, NotReady.NO_SNAPSHOT, None]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (update(("yes_ask", "0.47", "5"), seq=4), NotReady.GAP),
        (update(("yes_ask", "0.55", "-101"), seq=2, relative=True), NotReady.BAD_LEVEL),
        (alive(seq=9), NotReady.GAP),
        (lost(NotReady.BAD_FRAME), NotReady.BAD_FRAME),
        (lost(NotReady.SILENT), NotReady.SILENT),
        (TickChanged(M, 1, 1_000, START_BOOT), NotReady.TICK_CHANGE),
    ],
)
def test_every_loss_publishes_not_ready_tells_the_ledger_and_asks_for_a_snapshot(event: Any, reason: NotReady) -> None:
    with HotStage() as stage:
        stage.connect()
        stage.snapshots.clear()

        stage.feed(event)

        assert stage.top().not_ready is reason
        assert news(stage)[-1] is reason
        assert stage.wanted() == [("m", 1, reason.value)]


def test_a_lost_book_comes_back_with_the_snapshot_that_it_asked_for() -> None:
    with HotStage() as stage:
        stage.connect()
        stage.feed(update(("yes_ask", "0.47", "5"), seq=4))

        stage.feed(snapshot(seq=3, source=Source.REST))

        assert stage.top().not_ready is None
        assert stage.top().yes_ask == price("0.47")
        assert news(stage) == [None, NotReady.GAP, None]


def test_frames_for_a_lost_book_are_kept_quietly() -> None:
    with HotStage() as stage:
        stage.connect(ready=False)
        stage.tops.clear()
        stage.ledger.clear()

        stage.feed(*(update(("yes_ask", "0.47", "5"), seq=seq) for seq in range(2, 50)))

        assert stage.tops.told == []
        assert stage.ledger.told == []


# -- lag and weather


def test_a_frame_that_comes_too_late_makes_the_book_not_ready_until_it_has_caught_up() -> None:
    with HotStage() as stage:
        stage.connect()

        seen = []
        lags = (LAGGING_MS, LAGGING_MS + 1, LAGGING_MS, LAGGING_MS // 2 + 1, LAGGING_MS // 2, LAGGING_MS)
        for seq, lag_ms in enumerate(lags, start=2):
            stage.feed(update(seq=seq, lag_ms=lag_ms))
            seen.append(stage.top().not_ready)

        behind = NotReady.LAGGING
        assert seen == [None, behind, behind, behind, None, None]


def test_a_lag_that_wavers_around_the_limit_is_not_a_row_per_frame() -> None:
    with HotStage() as stage:
        stage.connect()
        stage.ledger.clear()

        for seq in range(2, 1_002):
            stage.feed(update(seq=seq, lag_ms=LAGGING_MS + (1 if seq % 2 else -1)))

        assert news(stage) == [NotReady.LAGGING]


def test_an_unknown_lag_is_no_lag() -> None:
    with HotStage() as stage:
        stage.connect()

        stage.feed(update(seq=2, lag_ms=None))

        assert stage.top().not_ready is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (MarketStatus.PAUSED, NotReady.PAUSED),
        (MarketStatus.POST_ONLY, NotReady.PAUSED),
        (MarketStatus.CLOSED, NotReady.PAUSED),
        (MarketStatus.RESOLVED, NotReady.RESOLVED),
    ],
)
def test_a_market_that_does_not_trade_is_not_ready_while_its_book_lives_on(
    value: MarketStatus, reason: NotReady
) -> None:
    with HotStage() as stage:
        stage.connect()

        stage.status(status(value))
        stage.feed(update(("yes_ask", "0.47", "5"), seq=2))
        assert stage.top().not_ready is reason

        stage.status(status(MarketStatus.OPEN))
        assert stage.top().not_ready is None
        assert stage.top().yes_ask == price("0.47")


def test_a_pause_does_not_hide_a_loss() -> None:
    with HotStage() as stage:
        stage.connect()
        stage.status(status(MarketStatus.PAUSED))

        stage.feed(lost())
        stage.status(status(MarketStatus.OPEN))

        assert stage.top().not_ready is NotReady.BAD_FRAME


def read_anew(value: MarketStatus, asked_at: int) -> BookSnapshot:
    said = snapshot(seq=5, source=Source.REST, asked_at=asked_at, received_at=asked_at)
    return msgspec.structs.replace(said, status=value)


@pytest.mark.parametrize("generation", [1, 2])
def test_a_reopening_that_the_stream_lost_is_seen_when_the_book_is_read_anew(generation: int) -> None:
    """Found by the simulator: a market that fell silent while it was paused stayed paused for good."""
    with HotStage() as stage:
        stage.connect()
        stage.status(status(MarketStatus.PAUSED))
        if generation == 2:
            stage.connect(2)

        stage.feed(msgspec.structs.replace(read_anew(MarketStatus.OPEN, START_BOOT + 1), generation=generation))

        assert stage.top().not_ready is None


def test_an_answer_that_was_asked_for_before_the_streams_word_does_not_undo_it() -> None:
    with HotStage() as stage:
        stage.connect()
        stage.status(status(MarketStatus.PAUSED))

        stage.feed(read_anew(MarketStatus.OPEN, START_BOOT))

        assert stage.top().not_ready is NotReady.PAUSED


def test_a_pause_that_the_stream_lost_is_seen_as_well_and_what_has_resolved_stays_so() -> None:
    with HotStage() as stage:
        stage.connect()
        stage.feed(read_anew(MarketStatus.PAUSED, START_BOOT + 1))
        assert stage.top().not_ready is NotReady.PAUSED

        stage.status(status(MarketStatus.RESOLVED))
        stage.feed(read_anew(MarketStatus.OPEN, START_BOOT + 2))

        assert stage.top().not_ready is NotReady.RESOLVED


# -- ladders on request


def test_ladders_are_answered_best_first_with_the_callers_tag() -> None:
    with HotStage() as stage:
        stage.connect()
        stage.feed(update(("yes_ask", "0.60", "7"), ("no_bid", "0.40", "8"), seq=2))

        seen = ladders(stage)

        assert seen.tag == "tag"
        assert seen.yes_asks == levels(("0.55", "100"), ("0.60", "7"))
        assert seen.no_bids == levels(("0.44", "100"), ("0.40", "8"))
        assert seen.top.not_ready is None


@pytest.mark.parametrize(
    "unusable",
    [lost(), status(MarketStatus.PAUSED), update(seq=2, lag_ms=LAGGING_MS + 1), GenerationBegan(M, 2, START_BOOT)],
)
def test_ladders_of_a_book_that_may_not_be_used_are_empty_and_say_so(unusable: Any) -> None:
    with HotStage() as stage:
        stage.connect()
        stage.feed(unusable)

        seen = ladders(stage)

        assert seen.top.not_ready is not None
        assert (seen.yes_bids, seen.yes_asks, seen.no_bids, seen.no_asks) == ((), (), (), ())


# -- comparing


def test_a_snapshot_that_follows_changes_is_compared_and_told() -> None:
    with HotStage() as stage:
        stage.connect()
        stage.feed(update(("yes_ask", "0.60", "7"), seq=2))

        right = (("0.55", "100"), ("0.60", "7"))
        stage.feed(snapshot(seq=2, yes_asks=right), snapshot(seq=2, yes_asks=(), source=Source.REST))

        rows = stage.ledger.of(SnapshotCompared)
        assert [(row.equal, row.source) for row in rows] == [(True, Source.STREAM), (False, Source.REST)]


@pytest.mark.parametrize("seq", [2, None])
def test_a_snapshot_that_comes_too_late_to_be_used_is_not_held_against_the_book(seq: int | None) -> None:
    with HotStage() as stage:
        stage.connect()
        stage.feed(update(("yes_ask", "0.60", "7"), seq=2))
        stage.feed(update(("yes_ask", "0.61", "7"), seq=3, exchange_ms=EXCHANGE_MS + 2))

        stage.feed(snapshot(seq=seq, exchange_ms=EXCHANGE_MS + 1))

        assert stage.ledger.of(SnapshotCompared) == []


def test_ladders_travel_with_the_top_where_sizing_needs_them() -> None:
    with HotStage(depth=3) as stage:
        stage.connect()

        assert stage.top().yes_asks == levels(("0.55", "100"))


def test_a_unified_market_has_a_book_with_a_mirror() -> None:
    with HotStage([a_market(book_model=BookModel.UNIFIED)]) as stage:
        stage.connect()

        assert not stage.top().intact


def test_a_message_that_is_not_for_books_crashes_the_actor() -> None:
    with HotStage() as stage:
        book = stage.books[M]
        stage._post([(book, object())])

        assert isinstance(stage.crashed.pop(), TypeError)
        assert book.actor_stopped.is_set()


# -- whatever happens


def what_it_says(top: TopOfBook) -> TopOfBook:
    """A top without what may be up to 50 ms behind: numbers and times."""
    return msgspec.structs.replace(
        top, version=0, seq=0, received_at=BootNs(0), evidence_at=BootNs(0), lag_ms=0, yes_as_of_ms=0, no_as_of_ms=0
    )


def skewed(top: TopOfBook) -> bool:
    return top.yes_as_of_ms != top.no_as_of_ms


EVENTS = st.one_of(
    st.builds(
        lambda seq, lag, generation, size, side, at, claim, whole, later: update(
            (side, at, size),
            seq=seq,
            exchange_ms=EXCHANGE_MS + later,
            lag_ms=lag,
            generation=generation,
            relative=size.startswith("-"),
            claimed=claim,
            whole=whole,
        ),
        st.sampled_from([None, None, None, None, 2, 3]),
        st.sampled_from([None, 5, 5, 5, 600, 1_500]),
        st.sampled_from([1, 2, 2, 2]),
        st.sampled_from(["5", "100", "0", "-60"]),
        st.sampled_from(["yes_bid", "yes_ask", "no_bid", "no_ask"]),
        st.sampled_from(["0.44", "0.45", "0.55", "0.56"]),
        st.sampled_from([(), (("yes_ask", "0.55"),), (("no_bid", "0.40"),)]),
        st.booleans(),
        st.integers(0, 3),
    ),
    st.builds(
        lambda seq, generation, source: snapshot(seq=seq, generation=generation, source=source),
        st.integers(1, 8),
        st.sampled_from([1, 2, 2]),
        st.sampled_from(Source),
    ),
    st.builds(alive, st.integers(1, 8), st.sampled_from([1, 2])),
    st.builds(lost, st.sampled_from([NotReady.BAD_FRAME, NotReady.SILENT]), st.sampled_from([1, 2])),
    st.builds(lambda generation, up: GenerationBegan(M, generation, START_BOOT, up), st.just(2), st.booleans()),
    st.builds(status, st.sampled_from([MarketStatus.OPEN, MarketStatus.OPEN, MarketStatus.PAUSED])),
    st.builds(lambda generation: TickChanged(M, generation, 1_000, START_BOOT), st.sampled_from([1, 2])),
)


@settings(max_examples=200)
@given(st.lists(EVENTS, max_size=25), st.sampled_from(BookModel), st.sampled_from([0, 2]))
def test_the_last_published_top_says_what_the_book_itself_says(events: list[Any], model: BookModel, depth: int) -> None:
    with HotStage([a_market(book_model=model)], depth=depth) as stage:
        stage.connect(2)
        for event in events:
            stage.feed(event)

            own = ladders(stage).top
            assert stage.top().not_ready is own.not_ready
            assert news(stage)[-1] is own.not_ready
            if own.not_ready is None:
                assert what_it_says(stage.top()) == what_it_says(own)
                assert skewed(stage.top()) == skewed(own)
        assert all(one is not other for one, other in zip(news(stage), news(stage)[1:], strict=False))
