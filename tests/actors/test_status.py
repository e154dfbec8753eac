"""The status snapshot: made when somebody looks, at most four times a second, never from before a halt."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from actors.news import NewsTap
from actors.status import SHOWN_NS, ExecutorView, FeedView, Fixed, OutageView, StatusPublisher
from adapters.feed import FeedCounters
from adapters.gate import Gate
from adapters.operator.events import EventBoard
from models.clock import SECOND, BootNs
from models.market import MarketId, SetId
from models.orders import AttemptId
from models.status import InboxLook, InFlight
from tests.fakes import FakeClock
from tests.trading import a_market, a_top


@dataclass
class Desk:
    """A publisher over a bot without markets; counts how often a snapshot was made."""

    home: Path
    clock: FakeClock = field(default_factory=FakeClock)
    made: int = 0
    standing: dict[MarketId, str] = field(default_factory=dict)
    executors: dict[SetId, ExecutorView] = field(default_factory=dict)
    feeds: dict[str, tuple[FeedView, OutageView]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate = Gate(
            self.home / "permit", self.clock, scope="paper:here", on_change=lambda _record: self.publisher.outdate()
        )
        board = EventBoard(self.clock)
        self.publisher = StatusPublisher(
            Fixed(
                version="v",
                mode="paper",
                demo=False,
                venue="here",
                started_wall=self.clock.wall_ns(),
                started_boot=self.clock.boot_ns(),
                config_hash="c",
                ledger="l",
            ),
            clock=self.clock,
            gate=self.gate,
            board=board,
            tap=NewsTap(self.clock, board),
            markets=[a_market()],
            watches=[],
            books={MarketId("m1"): _Book()},
            tops={MarketId("m1"): a_top()},
            standing=self.standing,
            latency_ns=list,
            inbox=self._inbox,
            executors=self.executors,
            risk=_Calm(),
            feeds=self.feeds,
            open_items=tuple,
        )

    def _inbox(self) -> InboxLook:
        self.made += 1
        return InboxLook(waiting=0, age_ns=0)


class _Book:
    evidence_at = BootNs(0)


class _Ending:
    """An executor whose attempt ends just after it was first looked at, as another thread may do."""

    state_name = "SUCCESS"

    def __init__(self) -> None:
        self._left = [
            InFlight(
                attempt_id=AttemptId("a-1"),
                set_id=SetId("s-1"),
                market_ids=(),
                state="SUCCESS",
                age_ns=0,
                limit_ns=None,
            )
        ]

    @property
    def in_flight(self) -> InFlight | None:
        return self._left.pop() if self._left else None


class _Feed:
    counters = FeedCounters(
        frames=0, bytes=0, binary_frames=0, connects=1, reconnects=0, last_frame_at=None, rtt_ns=None
    )


class _Outage:
    """An outage that ends just after it was first looked at, as the feed's thread may do."""

    state = None
    down_ns = 5

    def __init__(self, since: BootNs) -> None:
        self._left = [since]

    @property
    def down_since(self) -> BootNs | None:
        return self._left.pop() if self._left else None


class _Calm:
    limits = ()
    kill_switch = ()


def test_nobody_makes_a_snapshot_that_nobody_looks_at(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    before = desk.made

    desk.clock.advance(60 * SECOND)

    assert desk.made == before


def test_many_who_look_at_once_share_one_snapshot(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.clock.advance(SHOWN_NS)

    first = desk.publisher.current()
    desk.clock.advance(SHOWN_NS - 1)

    assert desk.publisher.current() is first
    assert first.taken == desk.clock.boot_ns() - SHOWN_NS + 1


def test_a_snapshot_that_is_old_is_made_anew(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    first = desk.publisher.current()

    desk.clock.advance(SHOWN_NS)

    assert desk.publisher.current().taken == first.taken + SHOWN_NS


def test_who_asks_right_after_a_halt_is_told_of_the_halt(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.publisher.current()

    desk.gate.trip("the operator says so", "operator")

    assert desk.publisher.current().trading.reason == "the operator says so"


def test_a_market_with_a_good_book_is_not_ready_where_the_venue_trades_it_on_other_terms(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (before,) = desk.publisher.current().markets
    desk.standing[MarketId("m1")] = "paused: fee terms changed: start again"
    desk.clock.advance(SHOWN_NS)

    (row,) = desk.publisher.current().markets

    assert (before.ready, before.reason) == (True, "")
    assert (row.ready, row.reason) == (False, "paused: fee terms changed: start again")


def test_an_attempt_that_ends_while_it_is_looked_at_is_shown_or_not_and_nothing_else(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.executors[SetId("s-1")] = _Ending()
    desk.clock.advance(SHOWN_NS)

    assert [flight.attempt_id for flight in desk.publisher.current().in_flight] == ["a-1"]


def test_an_outage_that_ends_while_it_is_looked_at_is_counted_up_to_now(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.feeds["feed"] = (_Feed(), _Outage(desk.clock.boot_ns()))
    desk.clock.advance(SHOWN_NS)

    assert desk.publisher.current().feed.down_ns == 5 + SHOWN_NS
