"""Whenever the book says that it is ready, its levels are the venue's, whatever the network did to the messages.

Two venues: one that numbers its messages, where the book must equal the venue's state *at the book's own number* at
every instant; and one without numbers, where every loss is announced and the book must equal the venue's present state
as soon as nothing is under way. The model is a plain dict of Decimals.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from models.book import BookSnapshot, BookUpdate, Levels, MarketAlive, NotReady, Source
from models.book_keeping import Book, Effect
from models.clock import BootNs
from models.market import MarketId
from models.money import to_decimal

MARKET = MarketId("m")
Side = dict[Decimal, Decimal]
State = tuple[Side, Side, Side, Side]
EMPTY: State = ({}, {}, {}, {})

TICKS = st.integers(min_value=48, max_value=52).map(lambda cents: Decimal(cents) / 100)
SIZES = st.sampled_from([Decimal(0), Decimal(0), Decimal("0.5"), Decimal(7), Decimal("12.000001")])
Changes = list[tuple[int, Decimal, Decimal]]
CHANGES = st.lists(st.tuples(st.integers(0, 3), TICKS, SIZES), min_size=1, max_size=3)
FATES = st.sampled_from(["arrives", "arrives", "arrives", "dropped", "doubled", "delayed"])


def micros(value: Decimal) -> int:
    return int(value * 1_000_000)


def changed(state: State, changes: Changes) -> State:
    new = tuple(dict(side) for side in state)
    for side, price, size in changes:
        if size:
            new[side][price] = size
        else:
            new[side].pop(price, None)
    return new  # type: ignore[return-value]


def wire_levels(side: Side) -> Levels:
    return tuple((micros(price), micros(size)) for price, size in side.items())


def differences(before: State, after: State) -> tuple[tuple[int, int, int], ...]:
    rows = []
    for side in range(4):
        for price in before[side].keys() | after[side].keys():
            by = after[side].get(price, Decimal(0)) - before[side].get(price, Decimal(0))
            if by:
                rows.append((side, micros(price), micros(by)))
    return tuple(rows)


def totals(changes: Changes) -> tuple[tuple[int, int, int], ...]:
    return tuple((side, micros(price), micros(size)) for side, price, size in changes)


def held(book: Book) -> State:
    sides = ({to_decimal(price): to_decimal(size) for price, size in book.ladder(side)} for side in range(4))
    return tuple(sides)  # type: ignore[return-value]


def assert_top_is_naive_best(book: Book) -> None:
    state, top = held(book), book.top()
    for side, best, size, pick in (
        (state[0], top.yes_bid, top.yes_bid_size, max),
        (state[1], top.yes_ask, top.yes_ask_size, min),
        (state[2], top.no_bid, top.no_bid_size, max),
        (state[3], top.no_ask, top.no_ask_size, min),
    ):
        expected = pick(side) if side else None
        assert best == (None if expected is None else micros(expected))
        assert size == (0 if expected is None else micros(side[expected]))


class NumberedVenue(RuleBasedStateMachine):
    """Messages may be dropped, doubled and delayed behind others; snapshots of any past moment come at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book(MARKET, unified=False)
        self.generation = 0
        self.seq = 0
        self.connected = False
        self.history: dict[int, State] = {}
        self.delayed: list[BookUpdate] = []
        self.old: list[BookUpdate] = []
        self.now = 0
        self.ready_at: int | None = None
        self.connect(7, [(1, Decimal("0.5"), Decimal(7))])

    def _at(self) -> BootNs:
        self.now += 1
        return BootNs(self.now)

    @rule(first_seq=st.integers(0, 12), changes=CHANGES)
    def connect(self, first_seq: int, changes: Changes) -> None:
        self.old = [*self.old, *self.delayed][-5:]
        self.generation += 1
        self.seq = first_seq
        self.history = {first_seq: changed(EMPTY, changes)}
        self.delayed = []
        self.connected = True
        self.ready_at = None
        self.book.begin(self.generation)

    @precondition(lambda self: self.connected)
    @rule()
    def disconnect(self) -> None:
        self.connected = False
        self.book.disconnect()

    @rule(changes=CHANGES, relative=st.booleans(), fate=FATES)
    def the_market_moves(self, changes: Changes, relative: bool, fate: str) -> None:
        before = self.history[self.seq]
        after = changed(before, changes)
        self.seq += 1
        self.history[self.seq] = after
        message = BookUpdate(
            market_id=MARKET,
            generation=self.generation,
            changes=differences(before, after) if relative else totals(changes),
            relative=relative,
            seq=self.seq,
            exchange_ms=self.seq,
            received_at=self._at(),
        )
        if fate == "delayed":
            self.delayed.append(message)
        elif fate != "dropped":
            self.book.update(message)
        if fate == "doubled":
            assert self.book.update(message) is Effect.NOTHING or self.book.not_ready is not None

    @precondition(lambda self: self.delayed)
    @rule(data=st.data())
    def a_delayed_message_arrives(self, data: st.DataObject) -> None:
        self.book.update(data.draw(st.sampled_from(self.delayed)))

    @rule(age=st.integers(0, 4), source=st.sampled_from(Source))
    def a_snapshot_of_some_moment_arrives(self, age: int, source: Source) -> None:
        self._snapshot(max(min(self.history), self.seq - age), source)

    def _snapshot(self, seq: int, source: Source) -> Effect:
        state = self.history[seq]
        event = BookSnapshot(
            market_id=MARKET,
            generation=self.generation,
            yes_bids=wire_levels(state[0]),
            yes_asks=wire_levels(state[1]),
            no_bids=wire_levels(state[2]),
            no_asks=wire_levels(state[3]),
            seq=seq,
            exchange_ms=seq,
            received_at=self._at(),
            source=source,
        )
        check = self.book.check(event)
        assert check.equal or not check.checked, "a ready book differs from a snapshot of its own number"
        return self.book.snapshot(event)

    @rule(behind=st.integers(0, 2))
    def a_heartbeat_arrives(self, behind: int) -> None:
        seq = max(min(self.history), self.seq - behind)
        self.book.alive(MarketAlive(market_id=MARKET, generation=self.generation, seq=seq, received_at=self._at()))

    @precondition(lambda self: self.old)
    @rule(data=st.data())
    def an_echo_of_an_old_connection_arrives(self, data: st.DataObject) -> None:
        assert self.book.update(data.draw(st.sampled_from(self.old))) is Effect.NOTHING

    @rule(reason=st.sampled_from([NotReady.BAD_FRAME, NotReady.SILENT, NotReady.TICK_CHANGE]))
    def the_book_is_lost(self, reason: NotReady) -> None:
        self.book.lose(reason, self.generation, self._at())

    @precondition(lambda self: self.connected)
    @rule()
    def the_newest_snapshot_heals_whatever_happened(self) -> None:
        self._snapshot(self.seq, Source.REST)
        assert self.book.not_ready is None
        assert self.book.seq == self.seq

    @invariant()
    def a_ready_book_is_the_venues_at_its_number(self) -> None:
        if self.book.not_ready is None:
            assert self.connected
            assert self.book.seq is not None
            assert held(self.book) == self.history[self.book.seq]
            assert_top_is_naive_best(self.book)

    @invariant()
    def a_ready_book_never_goes_back_in_time(self) -> None:
        if self.book.not_ready is None:
            assert self.book.seq is not None
            assert self.ready_at is None or self.book.seq >= self.ready_at
            self.ready_at = self.book.seq


class UnnumberedVenue(RuleBasedStateMachine):
    """Polymarket's manner: totals in order, dated; a message that gets lost is announced in its place; snapshots of one
    outcome in the stream, of both by REST, asked for whenever the book wants one and taken some time after that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.book = Book(MARKET, unified=False)
        self.generation = 1
        self.book.begin(1)
        self.state: State = EMPTY
        self.times = [1, 1]
        self.ms = 1
        self.wire: list[BookUpdate | BookSnapshot | None] = []
        self.now = 1
        self.asked: list[int] = [1]
        self.answers: list[BookSnapshot] = []

    def _at(self) -> BootNs:
        self.now += 1
        return BootNs(self.now)

    def _note(self, effect: Effect) -> None:
        if effect is Effect.LOST:
            self.asked.append(self._at())

    @rule(changes=CHANGES, fate=st.sampled_from(["arrives", "arrives", "waits", "waits", "unreadable"]))
    def the_market_moves(self, changes: Changes, fate: str) -> None:
        self.ms += 1
        self.state = changed(self.state, changes)
        yes = any(side < 2 for side, _, _ in changes)
        no = any(side >= 2 for side, _, _ in changes)
        self.times = [self.ms if yes else self.times[0], self.ms if no else self.times[1]]
        message = BookUpdate(
            market_id=MARKET,
            generation=self.generation,
            changes=totals(changes),
            whole=yes and no,
            exchange_ms=self.ms,
            received_at=self._at(),
        )
        self.wire.append(None if fate == "unreadable" else message)
        if fate == "arrives":
            self._deliver_all()

    @rule(outcome=st.integers(0, 1), arrives=st.booleans())
    def the_stream_repeats_one_outcome_whole(self, outcome: int, arrives: bool) -> None:
        yes = outcome == 0
        self.wire.append(
            BookSnapshot(
                market_id=MARKET,
                generation=self.generation,
                yes_bids=wire_levels(self.state[0]) if yes else None,
                yes_asks=wire_levels(self.state[1]) if yes else None,
                no_bids=None if yes else wire_levels(self.state[2]),
                no_asks=None if yes else wire_levels(self.state[3]),
                exchange_ms=self.times[outcome],
                received_at=self._at(),
            )
        )
        if arrives:
            self._deliver_all()

    @precondition(lambda self: self.wire)
    @rule(count=st.integers(1, 3))
    def messages_arrive(self, count: int) -> None:
        for message in self.wire[:count]:
            self._deliver(message)
        del self.wire[:count]

    def _deliver_all(self) -> None:
        self.messages_arrive(len(self.wire))

    def _deliver(self, message: BookUpdate | BookSnapshot | None) -> None:
        if message is None:
            self._note(self.book.lose(NotReady.BAD_FRAME, self.generation, self._at()))
        elif isinstance(message, BookUpdate):
            self._note(self.book.update(msgspec.structs.replace(message, received_at=self._at())))
        else:
            self._note(self.book.snapshot(message))

    @precondition(lambda self: self.asked)
    @rule(arrives=st.booleans())
    def the_venue_answers_a_request(self, arrives: bool) -> None:
        self.answers.append(
            BookSnapshot(
                market_id=MARKET,
                generation=self.generation,
                yes_bids=wire_levels(self.state[0]),
                yes_asks=wire_levels(self.state[1]),
                no_bids=wire_levels(self.state[2]),
                no_asks=wire_levels(self.state[3]),
                exchange_ms=max(self.times),
                received_at=self._at(),
                source=Source.REST,
                asked_at=BootNs(self.asked.pop(0)),
            )
        )
        if arrives:
            self.an_answer_arrives()

    @precondition(lambda self: self.answers)
    @rule()
    def an_answer_arrives(self) -> None:
        self._note(self.book.snapshot(self.answers.pop(0)))

    @rule()
    def the_connection_is_replaced(self) -> None:
        self.generation += 1
        self.wire.clear()
        self.book.disconnect()
        for answer in self.answers:
            assert self.book.snapshot(answer) is Effect.NOTHING
        self.book.begin(self.generation)
        self.asked, self.answers = [self._at()], []

    @rule()
    def everything_under_way_arrives(self) -> None:
        """The books agree when nothing is under way, and are ready then."""
        self._deliver_all()
        for _ in range(60):
            if self.answers:
                self.an_answer_arrives()
            elif self.asked:
                self.the_venue_answers_a_request(arrives=True)
        assert not self.asked, "the book keeps asking"
        assert self.book.not_ready is None
        assert held(self.book) == self.state

    def teardown(self) -> None:
        self.everything_under_way_arrives()

    @invariant()
    def the_top_is_the_naive_best(self) -> None:
        assert_top_is_naive_best(self.book)


BOUNDED = settings(max_examples=150, stateful_step_count=30)
TestNumberedVenue = NumberedVenue.TestCase
TestNumberedVenue.settings = BOUNDED
TestUnnumberedVenue = UnnumberedVenue.TestCase
TestUnnumberedVenue.settings = BOUNDED
