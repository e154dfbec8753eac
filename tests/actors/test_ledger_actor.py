"""LedgerActor on the simulator's thread over a real file: write, then send; a ledger that fails halts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pykka._envelope import Envelope

from actors.inbox import LaneInbox
from actors.ledger import FLUSH_NS, LedgerActor
from actors.simulation import SimClock, SimDispatcher
from adapters.ledger.connection import Ledger, open_ledger, open_reader
from adapters.ledger.errors import LedgerError
from adapters.ledger.inserts import BATCH
from adapters.ledger.mark import mark_path, read_mark
from adapters.ledger.reserve import RESERVE_BYTES
from models.book import NotReady, Source
from models.clock import SECOND
from models.market import MarketId
from models.messages import (
    BookNews,
    CommitFailed,
    CommitIntents,
    IncidentSeen,
    IntentsCommitted,
    MarketResolved,
    Opportunity,
    RecordRows,
    SendOrders,
    SnapshotCompared,
    TradingHalted,
    TradingResumed,
)
from models.orders import AttemptId, Purpose, commit_seal
from tests.adapters.ledger.ledger_rows import (
    MARKET,
    SET,
    a_change,
    a_config,
    a_fill,
    a_run,
    a_skip,
    a_trade,
    an_attempt,
    an_intent,
    an_order_change,
    ledger_path,
)
from tests.fakes import Collector


class Gate:
    def __init__(self) -> None:
        self.trips: list[str] = []

    def trip(self, reason: str, by: str) -> None:
        self.trips.append(reason)


class Bench:
    """The actor, its file, and everybody it talks to."""

    def __init__(self, directory: Path) -> None:
        self.clock = SimClock()
        self.sim = SimDispatcher(1, self.clock)
        self.gate = Gate()
        self.order: list[str] = []
        self.lanes, self.executors = Collector(), Collector()
        self.ledger: Ledger = open_ledger(ledger_path(directory), self.clock)
        self.crashes: list[BaseException] = []
        ref = LedgerActor.start(
            self.sim,
            lambda name, error: self.crashes.append(error),
            self.ledger,
            lanes=self.lanes,
            executors=self.executors,
            gate=self.gate,
            clock=self.clock,
        )
        self.actor: Any = ref._actor_weakref()
        self.tell(RecordRows(rows=(a_config(), a_run(a_config()))))

    def tell(self, *messages: object) -> None:
        """Handle these now, without letting any time pass."""
        for message in messages:
            self.actor.address.tell(message)
        while self.sim.ready:
            self.sim.run_one()

    def wait(self, for_ns: int = 2 * FLUSH_NS) -> None:
        self.sim.run_until(self.clock.now + for_ns)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        reader = open_reader(self.ledger.path)
        try:
            return reader.execute(query).fetchall()
        finally:
            reader.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    assert made.crashes == []
    try:
        made.ledger.close()
    except LedgerError:  # some tests break it for good
        pass


def commit(*intents: Any, rows: tuple[object, ...] = ()) -> CommitIntents:
    return CommitIntents(attempt_id=AttemptId("a-1"), intents=intents, together=True, rows=rows)


def test_intents_are_on_disk_before_the_lanes_hear_of_them(bench: Bench) -> None:
    seen: list[int] = []
    path = bench.ledger.path

    class Lanes:
        def tell(self, message: SendOrders) -> None:
            seen.append(sqlite3.connect(path).execute("SELECT count(*) FROM order_intents").fetchone()[0])
            assert bench.executors.told == []

    bench.actor._lanes = Lanes()

    bench.tell(a_trade(), commit(an_intent(leg=0), an_intent(leg=1), rows=(an_attempt(),)))

    assert seen == [2]


def test_lanes_and_executor_get_the_committed_intents_with_their_seals(bench: Bench) -> None:
    bench.tell(a_trade(), commit(an_intent(leg=0), an_intent(leg=1), rows=(an_attempt(),)))

    sent = bench.lanes.last(SendOrders)
    told = bench.executors.last(IntentsCommitted)
    assert sent.committed == told.committed
    assert [c.row_hash for c in sent.committed] == [commit_seal(c.intent, c.ledger_seq) for c in sent.committed]
    assert sent.together


def test_an_intent_does_not_wait_for_the_timer_and_the_mark_follows_it(bench: Bench) -> None:
    bench.tell(a_trade(), commit(an_intent(), rows=(an_attempt(),)))

    assert bench.rows("SELECT count(*) FROM order_intents") == [(1,)]
    bench.wait()
    assert read_mark(mark_path(bench.ledger.path)) == bench.ledger.writer.head


def test_a_failed_commit_halts_and_sends_nothing(bench: Bench) -> None:
    bench.tell(a_trade(), commit(an_intent(), rows=(an_attempt(),)))
    bench.lanes.clear()

    bench.tell(commit(an_intent()))

    assert bench.lanes.told == []
    assert "refused" in bench.executors.last(CommitFailed).why
    assert bench.gate.trips
    bench.tell(commit(an_intent(leg=1)))
    assert len(bench.lanes.of(SendOrders)) == 1


def test_a_full_disk_halts_keeps_what_was_written_and_commits_nothing_more(bench: Bench) -> None:
    bench.tell(a_trade(), commit(an_intent(), rows=(an_attempt(),)))
    bench.lanes.clear()
    pages = bench.ledger._connection.execute("PRAGMA page_count").fetchone()[0]
    bench.ledger._connection.execute(f"PRAGMA max_page_count = {pages}")

    bench.tell(*(a_skip(number) for number in range(2, 2 + 8 * BATCH)))
    bench.tell(commit(an_intent(leg=1)))

    assert any("full" in reason for reason in bench.gate.trips)
    assert bench.lanes.told == []
    assert "cannot be written" in bench.executors.last(CommitFailed).why
    assert bench.actor.lost > 0
    assert bench.rows("SELECT count(*) FROM order_intents") == [(1,)]


def test_on_a_full_disk_protective_orders_are_still_committed_from_the_reserve(bench: Bench) -> None:
    bench.tell(a_trade(), commit(an_intent(), rows=(an_attempt(),)))
    bench.wait()
    bench.lanes.clear()
    connection, reserve = bench.ledger._connection, bench.ledger.path.with_name("ledger.sqlite.reserve")
    assert reserve.stat().st_size == RESERVE_BYTES
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
    give = bench.ledger.writer._give_room

    def give_room() -> bool:
        connection.execute("PRAGMA max_page_count = 100000")
        return give()

    bench.ledger.writer._give_room = give_room

    bench.tell(*(a_skip(number) for number in range(2, 2 + 8 * BATCH)))
    stored = bench.rows("SELECT count(*) FROM opportunities")
    bench.tell(commit(an_intent(leg=1, purpose=Purpose.UNWIND)))
    bench.tell(RecordRows(rows=(a_fill(an_intent(leg=1)),)))
    bench.wait()

    assert "the disk is full" in bench.gate.trips[0]
    assert len(bench.lanes.of(SendOrders)) == 1
    assert bench.rows("SELECT count(*) FROM fills") == [(1,)]
    assert stored[0][0] < 8 * BATCH
    assert bench.rows("SELECT count(*) FROM opportunities") == stored
    assert not reserve.exists()


def test_a_locked_ledger_halts_and_its_rows_wait_until_the_lock_is_gone(bench: Bench) -> None:
    bench.wait()
    bench.ledger._connection.execute("PRAGMA busy_timeout = 1")
    stranger = sqlite3.connect(bench.ledger.path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")

    bench.tell(a_trade(), commit(an_intent(), rows=(an_attempt(),)))
    refused = bench.executors.last(CommitFailed)
    stranger.execute("ROLLBACK")
    bench.wait()

    assert "locked" in refused.why
    assert bench.lanes.told == []
    assert bench.rows("SELECT count(*) FROM opportunities") == [(1,)]
    stranger.close()


def test_rows_reach_the_disk_by_number_or_by_time(bench: Bench) -> None:
    bench.wait()
    bench.tell(*(a_skip(number) for number in range(BATCH - 1)))
    before = bench.rows("SELECT count(*) FROM opportunities")

    bench.tell(a_skip(BATCH))
    by_number = bench.rows("SELECT count(*) FROM opportunities")
    bench.tell(a_skip(BATCH + 1))
    bench.wait()
    by_time = bench.rows("SELECT count(*) FROM opportunities")

    assert (before, by_number, by_time) == ([(0,)], [(BATCH,)], [(BATCH + 1,)])


def test_what_was_written_by_number_is_synchronised_and_marked_by_the_timer(bench: Bench) -> None:
    bench.wait()
    bench.tell(*(a_skip(number) for number in range(BATCH)))
    assert not bench.ledger.settled

    bench.wait()

    assert bench.ledger.settled
    assert read_mark(mark_path(bench.ledger.path)) == bench.ledger.writer.head


def test_a_refused_row_halts_trading(bench: Bench) -> None:
    bench.tell(RecordRows(rows=(a_change("nobody"),)))
    bench.wait()

    assert "FOREIGN KEY" in bench.gate.trips[0]


def test_the_rows_of_a_whole_trade_join_up(bench: Bench) -> None:
    intents = (an_intent(leg=0), an_intent(leg=1))
    bench.tell(a_trade(), commit(*intents, rows=(an_attempt(),)))
    news = [row for intent in intents for row in (a_fill(intent), an_order_change(intent))]
    bench.tell(RecordRows(rows=(*news, a_change())))
    bench.wait()

    joined = bench.rows(
        "SELECT f.fill_id, o.order_id, t.tradeset_id, p.opportunity_id, count(l.leg) FROM fills f "
        "JOIN orders o ON o.client_order_id = f.client_order_id JOIN tradesets t ON t.tradeset_id = o.attempt_id "
        "JOIN opportunities p ON p.opportunity_id = t.opportunity_id JOIN opportunity_legs l ON l.opportunity = p.seq "
        "GROUP BY f.fill_id ORDER BY f.fill_id"
    )
    assert [row[2:] for row in joined] == [("a-1", "o-000001", 2)] * 2


def test_news_of_books_halts_and_incidents_become_events_with_their_durations(bench: Bench) -> None:
    wall = bench.clock.wall_ns()
    later = type(wall)(wall + 3 * SECOND)

    def news(reason: NotReady | None, at: Any) -> BookNews:
        return BookNews(market_id=MARKET, not_ready=reason, generation=1, seq=7, at=at)

    bench.tell(
        news(NotReady.NO_SNAPSHOT, wall),
        news(None, wall),
        news(NotReady.GAP, wall),
        news(None, later),
        SnapshotCompared(market_id=MARKET, source=Source.REST, equal=True, at=wall),
        SnapshotCompared(market_id=MARKET, source=Source.REST, equal=False, at=wall),
        TradingHalted(reason="odd news", by="operator", at=wall),
        TradingResumed(reason="fine", by="operator", at=wall, market_id=MarketId("fed")),
        MarketResolved(MARKET, None, 500_000, bench.clock.boot_ns()),
        IncidentSeen(kind="reject", set_id=SET, detail="no", at=bench.clock.boot_ns()),
    )
    bench.wait()

    events = bench.rows("SELECT kind, market_id, duration_ns FROM events ORDER BY seq")
    assert events == [
        ("ready", "fed", None),
        ("gap", "fed", None),
        ("resync", "fed", 3 * SECOND),
        ("snapshot", "fed", None),
        ("halted", None, None),
        ("resumed", "fed", None),
        ("resolved", "fed", None),
        ("incident", None, None),
    ]


def test_the_last_rows_are_written_when_the_actor_stops(bench: Bench) -> None:
    bench.tell(a_skip(9))
    bench.actor.stopping()

    assert bench.rows("SELECT count(*) FROM opportunities") == [(1,)]


def test_a_message_that_is_no_row_is_a_crash_and_not_a_silence(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    bench.tell(Opportunity)

    assert len(bench.crashes) == 1
    bench.ledger.close()


def test_an_intent_overtakes_the_rows_nobody_waits_for_but_not_those_it_depends_on() -> None:
    inbox = LaneInbox(100, on_full=lambda: None)
    record = RecordRows(rows=(an_attempt(),))
    wanted = [a_trade(), record, commit(an_intent())]

    for message in (a_skip(1), a_trade(2, attempt=None, halted="x"), *wanted, a_skip(3)):
        inbox.put(Envelope(message))

    assert [inbox.get().message for _ in wanted] == wanted
    assert len(inbox) == 3
