"""The venue in process on a virtual clock: streams, levers and order desk, through the real session and book."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.simulated import reads, wire
from adapters.simulated.desk import Manner, Reply
from adapters.simulated.exchange import InProcessExchange, Setup, Trader
from adapters.simulated.faults import DIALECT, LeverName, parse_plan
from adapters.simulated.session import MarketSession, UserSession
from adapters.simulated.streams import Close, Effect, Freeze, Send
from adapters.simulated.truth import truth
from models.book import BookLost, BookSnapshot, BookUpdate, MarketAlive, MarketsAlive, NotReady
from models.book_keeping import Book
from models.clock import MS, SECOND, BootNs
from models.market import MarketId
from models.messages import FillSeen, MarketResolved, OrderUpdated, StatusChanged
from models.money import MICRO
from models.orders import FillState
from tests.adapters.simulated.venue_stage import BUY, GTC, IOC, MARKET, NO, SELL, YES, a_request

START = 1_795_334_400 * SECOND
BOB = Trader(name="bob", cash=1_000 * MICRO, api_key="key", api_secret="secret")


def an_exchange(*levers: dict[str, Any], rate: int = 50, markets: int = 6, **rules: Any) -> InProcessExchange:
    plan = parse_plan({"rules": rules, "levers": list(levers)})
    return InProcessExchange(Setup(seed=7, start=START, rate=rate, markets=markets, traders=(BOB,), plan=plan))


@dataclass
class Watcher:
    """A client without a socket: a session and its books."""

    exchange: InProcessExchange
    connection: int = 0
    session: MarketSession = field(init=False)
    books: dict[MarketId, Book] = field(init=False)
    events: list[object] = field(default_factory=list)
    ended: Effect | None = None

    def __post_init__(self) -> None:
        markets = self.exchange.markets
        self.session = MarketSession(markets, 1)
        self.books = {m.market_id: Book(m.market_id, unified=m.book_model == "unified") for m in markets}
        for book in self.books.values():
            book.begin(1)
        self.connection = self.exchange.streams.open(None)
        self.say(self.session.opening())

    def say(self, texts: Any) -> None:
        for text in texts:
            self.exchange.streams.receive(self.connection, text, self.exchange.now)

    def run(self, seconds: float, *, check: bool = True) -> None:
        """Advance in steps of 20 ms, handle what comes, send what the session wants to say."""
        until = self.exchange.now + round(seconds * SECOND)
        while self.exchange.now < until:
            now = min(until, self.exchange.now + 20 * MS)
            for effect in self.exchange.advance(now):
                self.take(effect)
            self.say(self.session.outgoing())
            if check:
                self.compare()

    def take(self, effect: Effect) -> None:
        if effect.connection != self.connection:
            return
        if not isinstance(effect, Send):
            self.ended = effect
            return
        for event in self.session.on_text(effect.data, BootNs(self.exchange.now - START)):
            self.events.append(event)
            match event:
                case BookSnapshot():
                    self.books[event.market_id].snapshot(event)
                case BookUpdate():
                    self.books[event.market_id].update(event)
                case MarketAlive():
                    self.books[event.market_id].alive(event)
                case MarketsAlive():
                    for market_id in event.seqs:
                        self.books[market_id].alive(event.of(market_id))
                case BookLost():
                    self.books[event.market_id].lose(event.reason, event.generation)

    def compare(self) -> None:
        """A book that is ready and up to date is the venue's book."""
        for market_id, book in self.books.items():
            if book.not_ready is None and book.seq == self.exchange.streams.seqs[market_id]:
                listing = self.exchange.engine.listings[market_id]
                for side in range(4):
                    assert book.ladder(side) == listing.levels(side), (market_id, side)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def test_a_subscriber_gets_snapshots_and_then_unbroken_numbers() -> None:
    watcher = Watcher(an_exchange())

    watcher.run(10)

    assert len(watcher.of(BookSnapshot)) == 6
    assert all(book.not_ready is None and book.counts.gaps == 0 for book in watcher.books.values())
    assert 300 < len(watcher.of(BookUpdate)) < 600
    assert {top.intact for top in (book.top() for book in watcher.books.values())} == {True}


def test_the_same_setup_gives_the_same_bytes() -> None:
    def frames() -> list[bytes]:
        exchange = an_exchange({"lever": "drop", "at": "1s"}, {"lever": "thief", "chance": 0.5})
        watcher = Watcher(exchange)
        effects = [e for second in range(1, 8) for e in exchange.advance(START + second * SECOND)]
        assert watcher.connection == 1
        return [effect.data for effect in effects if isinstance(effect, Send)]

    first = frames()
    assert first == frames()
    assert len(first) > 300


def test_how_time_is_cut_into_steps_changes_nothing() -> None:
    def frames(step: int) -> list[Effect]:
        exchange = an_exchange()
        Watcher(exchange)
        return [e for at in range(0, 6 * SECOND, step) for e in exchange.advance(START + at)]

    coarse, fine = frames(SECOND // 4), frames(SECOND // 100)
    assert coarse == fine[: len(coarse)]
    assert len(coarse) > 250


@pytest.mark.parametrize("lever", ["drop", "gap", "garbage", "reorder"])
def test_a_lost_or_broken_frame_loses_the_book_and_a_snapshot_heals_it(lever: str) -> None:
    watcher = Watcher(an_exchange({"lever": lever, "at": "1s", "market": MARKET}))

    watcher.run(6)

    assert watcher.exchange.levers.fired == {lever: 1}
    assert watcher.books[MARKET].counts.lost >= 1
    assert watcher.books[MARKET].not_ready is None
    assert watcher.session.counts.resubscribed >= 1


@pytest.mark.parametrize("lever", ["duplicate", "unknown_type"])
def test_a_doubled_or_unknown_frame_changes_nothing(lever: str) -> None:
    watcher = Watcher(an_exchange({"lever": lever, "at": "1s", "market": MARKET}))

    watcher.run(4)

    assert watcher.exchange.levers.fired == {lever: 1}
    assert watcher.books[MARKET].counts.lost == 0
    assert watcher.session.counts.unknown == (lever == "unknown_type")


def test_a_dropped_last_frame_is_noticed_by_the_heartbeat() -> None:
    exchange = an_exchange({"lever": "drop", "at": "0s", "market": MARKET}, rate=0, markets=1)
    watcher = Watcher(exchange)
    watcher.run(0.1)
    exchange.submit("bob", a_request(cents=10, client_order_id="a"), exchange.now)

    watcher.run(2)

    assert watcher.books[MARKET].counts.lost == 1
    assert watcher.books[MARKET].not_ready is None


def names(event: object, market_id: MarketId) -> bool:
    return getattr(event, "market_id", "") == market_id or market_id in getattr(event, "seqs", ())


def test_a_silent_market_says_nothing_at_all_and_comes_back_with_a_gap() -> None:
    watcher = Watcher(an_exchange({"lever": "silent", "at": "2s", "for": "3s", "market": MARKET}))
    watcher.run(2.02)
    before = len([e for e in watcher.events if names(e, MARKET)])

    watcher.run(2.9)
    during = [e for e in watcher.events if names(e, MARKET)][before:]
    watcher.run(3)

    assert during == []
    assert watcher.books[MARKET].counts.gaps >= 1
    assert watcher.books[MARKET].not_ready is None


def test_a_lagging_markets_frames_come_late_in_order_and_the_heartbeat_does_not_betray_them() -> None:
    watcher = Watcher(an_exchange({"lever": "lag", "at": "1s", "for": "2s", "delay": "3s", "market": MARKET}))

    watcher.run(10)

    lags = [event.lag_ms for event in watcher.of(BookUpdate) if event.market_id == MARKET]
    assert max(lags) >= 3_000
    assert watcher.books[MARKET].counts.lost == 0
    assert lags[-1] < 100, "it catches up"


def test_a_slow_connection_gets_everything_late_and_in_order() -> None:
    watcher = Watcher(an_exchange({"lever": "slow", "at": "1s", "for": "2s", "delay": "2s"}))

    watcher.run(8)

    assert max(event.lag_ms for event in watcher.of(BookUpdate)) >= 2_000
    assert all(book.counts.lost == 0 for book in watcher.books.values())


@pytest.mark.parametrize(("lever", "kind"), [("close", Close), ("half_open", Freeze), ("stall", Freeze)])
def test_a_connection_lever_ends_what_the_connection_gets(lever: str, kind: type) -> None:
    watcher = Watcher(an_exchange({"lever": lever, "at": "1s"}))
    watcher.run(1.5)
    assert isinstance(watcher.ended, kind)
    events = len(watcher.events)

    watcher.run(2)

    assert len(watcher.events) == events
    if isinstance(watcher.ended, Freeze):
        assert bool(watcher.ended.part) == (lever == "stall")


def test_a_calm_lever_waits_until_no_gap_is_open() -> None:
    """The first gap of seed 7 opens at 2 s; the lever's time lies inside it."""
    exchange = an_exchange({"lever": "close", "at": "2100ms", "calm": True})
    watcher = Watcher(exchange)
    first = next(iter(truth(exchange)["script"]))  # type: ignore[call-overload]

    watcher.run(2.2)
    assert watcher.ended is None
    while watcher.ended is None:
        watcher.run(0.1)

    assert exchange.now >= START + (first["at_ms"] + first["life_ms"]) * MS
    assert exchange.crowd.busy_until() is None
    assert exchange.levers.fired == {"close": 1}


def test_a_pause_is_announced_refuses_orders_and_ends() -> None:
    watcher = Watcher(an_exchange({"lever": "pause", "at": "1s", "for": "2s", "market": MARKET}))
    watcher.run(1.5)

    refused = watcher.exchange.submit("bob", a_request(client_order_id="a"), watcher.exchange.now)
    watcher.run(2)

    assert refused.answer.error is not None
    assert refused.answer.error.code == "market_paused"
    assert [e.status for e in watcher.of(StatusChanged) if e.market_id == MARKET] == ["open", "paused", "open"]


def test_a_restart_drops_everybody_refuses_then_allows_resting_orders_only_then_all() -> None:
    exchange = an_exchange({"lever": "restart", "at": "1s", "for": "2s", "post_only": "2s"})
    watcher = Watcher(exchange)
    watcher.run(1.5)
    assert isinstance(watcher.ended, Close)
    assert exchange.weather == "restarting"

    def code(client_order_id: str) -> str:
        request = a_request(cents=90, tif=IOC, client_order_id=client_order_id)
        error = exchange.submit("bob", request, exchange.now).answer.error
        return "" if error is None else error.code

    assert code("a") == "restarting"
    exchange.advance(START + 3_500 * MS)
    again = Watcher(exchange)
    again.run(0.1)
    assert {e.status for e in again.of(StatusChanged)} == {"post_only"}
    assert code("b") == "post_only"
    again.run(3)
    assert code("c") == ""
    assert {e.status for e in again.of(StatusChanged)} == {"post_only", "open"}
    assert exchange.engine.audit() == []


def test_a_resolution_is_told_and_paid() -> None:
    exchange = an_exchange({"lever": "resolve", "at": "2s", "market": MARKET, "yes_pays": "0.00"})
    watcher = Watcher(exchange)
    exchange.submit("bob", a_request(NO, cents=95, tif=IOC, client_order_id="a"), exchange.now)

    watcher.run(3)

    (told,) = watcher.of(MarketResolved)
    assert (told.market_id, told.winner, told.yes_pays) == (MARKET, NO, 0)
    assert exchange.engine.accounts["bob"].shares == {}
    assert exchange.engine.accounts["bob"].cash > 1_000 * MICRO
    assert exchange.engine.audit() == []


# -- orders


def deal(exchange: InProcessExchange, client_order_id: str = "a", outcome: Any = YES, shares: float = 5) -> Reply:
    request = a_request(outcome, BUY, 90, shares, IOC, client_order_id=client_order_id)
    return exchange.submit("bob", request, exchange.now)


@pytest.mark.parametrize(
    ("lever", "manner", "exists"),
    [
        ("timeout_before_accept", Manner.HANG, False),
        ("timeout_after_accept", Manner.HANG, True),
        ("error_before_accept", Manner.ERROR, False),
        ("error_after_accept", Manner.ERROR, True),
        ("ack_lost", Manner.RESET, True),
        ("truncated_json", Manner.TRUNCATED, True),
        ("html_body", Manner.HTML, True),
        ("fill_before_ack", Manner.ANSWER, True),
        ("rate_limited", Manner.ANSWER, False),
        ("refuse", Manner.ANSWER, False),
    ],
)
def test_an_order_lever_spoils_the_answer_and_the_venue_knows_the_truth(
    lever: str, manner: Manner, *, exists: bool
) -> None:
    exchange = an_exchange({"lever": lever}, rate=0)
    exchange.advance(START)

    reply = deal(exchange)

    assert reply.manner is manner
    assert (("bob", "a") in exchange.engine.orders) == exists
    assert (exchange.engine.accounts["bob"].cash < 1_000 * MICRO) == exists
    assert exchange.levers.fired == {lever: 1}


def test_a_thief_takes_all_and_a_partial_takes_a_part_before_the_order_arrives() -> None:
    exchange = an_exchange({"lever": "thief"}, {"lever": "partial", "at": "1s", "fraction": 0.4}, rate=0)
    exchange.advance(START)

    assert deal(exchange, "a").answer.filled == "0"
    assert exchange.levers.fired == {"thief": 1}, "the partial lever is not armed yet"
    fresh = an_exchange({"lever": "partial", "fraction": 0.4}, rate=0)
    fresh.advance(START)
    assert deal(fresh, "b", shares=10).answer.filled == "6"
    assert fresh.engine.audit() == exchange.engine.audit() == []


def test_a_thief_may_take_more_than_was_in_reach_so_that_the_price_runs_away() -> None:
    exchange = an_exchange({"lever": "thief", "through": 3}, rate=0)
    exchange.advance(START)
    asks = exchange.snapshot(MARKET).yes.asks
    at_best = a_request(YES, BUY, int(asks[0][0].removeprefix("0.")), 5, IOC, client_order_id="a")

    assert exchange.submit("bob", at_best, exchange.now).answer.filled == "0"

    assert exchange.snapshot(MARKET).yes.asks[0] == asks[4], "the best level and three further ones are gone"
    assert exchange.engine.audit() == []


def test_a_bare_acknowledgement_says_nothing_of_fills_and_reads_and_streams_stay_silent_for_a_while() -> None:
    exchange = an_exchange({"lever": "bare_ack", "delay": "1s"}, rate=0)
    exchange.advance(START)
    private = exchange.streams.open("bob")

    answer = deal(exchange, "a", shares=5).answer

    assert (answer.status, answer.filled, answer.error) == ("live", "0", None)
    assert exchange.engine.orders["bob", "a"].filled == 5 * MICRO
    assert reads.order_seen(exchange.engine, "bob", "a", exchange.now) is None
    early = [e for e in exchange.advance(START + SECOND - 1) if isinstance(e, Send) and e.connection == private]
    later = [e for e in exchange.advance(START + SECOND) if isinstance(e, Send) and e.connection == private]
    assert not [e for e in early if b'"a"' in e.data]
    assert len([e for e in later if b'"a"' in e.data]) >= 2
    assert reads.order_seen(exchange.engine, "bob", "a", exchange.now) is not None


def test_a_second_leg_is_known_by_what_was_bought_just_before() -> None:
    exchange = an_exchange({"lever": "refuse", "leg": "second", "chance": 1.0}, rate=0)
    exchange.advance(START)

    assert deal(exchange, "a", YES).answer.error is None
    second = deal(exchange, "b", NO).answer.error
    exchange.advance(START + 6 * SECOND)
    later = deal(exchange, "c", NO).answer.error

    assert second is not None
    assert later is None


def test_a_cancel_may_find_the_order_just_filled() -> None:
    exchange = an_exchange({"lever": "fill_before_cancel"}, rate=0)
    exchange.advance(START)
    exchange.submit("bob", a_request(cents=10, tif=GTC, client_order_id="a"), exchange.now)

    first = exchange.cancel("bob", "a", exchange.now).answer
    unknown = exchange.cancel("bob", "nothing", exchange.now).answer

    assert first.error == wire.ErrorBody("already_done", "already filled")
    assert unknown.error is not None
    assert unknown.error.code == "unknown_order"
    assert exchange.engine.orders["bob", "a"].filled == 10 * MICRO


def test_a_late_order_is_invisible_and_a_reversed_fill_comes_back() -> None:
    exchange = an_exchange(
        {"lever": "late_visibility", "delay": "5s"}, {"lever": "reverse_fill", "delay": "2s"}, rate=0
    )
    exchange.advance(START)

    deal(exchange)

    assert exchange.engine.orders["bob", "a"].visible_at == START + 5 * SECOND
    exchange.advance(START + 3 * SECOND)
    assert exchange.engine.accounts["bob"].cash == 1_000 * MICRO
    assert exchange.engine.trades[0].state is FillState.REVERSED


# -- the private stream


def private_events(exchange: InProcessExchange, connection: int, until: int) -> Iterator[object]:
    session = UserSession()
    for effect in exchange.advance(until):
        if isinstance(effect, Send) and effect.connection == connection:
            yield from session.on_text(effect.data, BootNs(0))


@pytest.mark.parametrize(("lever", "fills"), [(None, 1), ("user_drop", 0), ("user_duplicate", 2), ("user_delay", 0)])
def test_the_private_stream_tells_an_account_its_own_news_through_its_levers(lever: str | None, fills: int) -> None:
    exchange = an_exchange(*([{"lever": lever, "delay": "2s"}] if lever else []), rate=0)
    exchange.advance(START)
    connection = exchange.streams.open("bob")
    stranger = exchange.streams.open("cid")

    deal(exchange)

    events = list(private_events(exchange, connection, START + 10 * MS))
    assert len([e for e in events if isinstance(e, FillSeen)]) == fills
    assert [e.seen.filled for e in events if isinstance(e, OrderUpdated)] == [5 * MICRO]
    assert list(private_events(exchange, stranger, START + 20 * MS)) == []


def test_a_provisional_fill_is_told_again_when_it_is_final() -> None:
    exchange = an_exchange(rate=0, settlement="2s")
    connection = exchange.streams.open("bob")
    deal(exchange)

    now = list(private_events(exchange, connection, START + SECOND))
    later = list(private_events(exchange, connection, START + 3 * SECOND))

    states = [event.fill.state for event in (*now, *later) if isinstance(event, FillSeen)]
    assert states == [FillState.PROVISIONAL, FillState.FINAL]


# -- clients that do not keep to the dialect


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("no json", "malformed"),
        ('{"op": 5}', "malformed"),
        ('{"op": "dance"}', "unknown_op"),
        ('{"op": "subscribe", "markets": ["nowhere"]}', "unknown_market"),
    ],
)
def test_a_bad_command_is_answered_and_changes_nothing(message: str, code: str) -> None:
    exchange = an_exchange(rate=0)
    connection = exchange.streams.open(None)

    exchange.streams.receive(connection, message, exchange.now)

    (sent,) = [e for e in exchange.advance(START) if isinstance(e, Send)]
    assert json.loads(sent.data)["code"] == code


def test_an_unsubscribed_market_falls_silent() -> None:
    exchange = an_exchange()
    watcher = Watcher(exchange)
    watcher.run(1)
    watcher.say(['{"op":"unsubscribe","markets":["fed-cut-dec"]}'])
    before = len([e for e in watcher.of(BookUpdate) if e.market_id == MARKET])

    watcher.run(3)

    assert len([e for e in watcher.of(BookUpdate) if e.market_id == MARKET]) == before > 0


# -- the truth


def test_the_truth_holds_what_the_accounts_did_and_adds_up() -> None:
    exchange = an_exchange({"lever": "refuse"})
    exchange.advance(START + SECOND)
    deal(exchange, "refused")
    deal(exchange, "filled")
    exchange.submit("bob", a_request(YES, SELL, 99, 2, GTC, client_order_id="resting"), exchange.now)
    exchange.advance(START + 20 * SECOND)

    told = json.loads(json.dumps(truth(exchange)))
    (bob,) = told["accounts"]

    assert told["audit"] == []
    assert told["faults_fired"] == {"refuse": 1}
    assert [order["client_order_id"] for order in bob["orders"]] == ["filled", "resting"]
    assert [(refused["client_order_id"], refused["code"]) for refused in bob["refused"]] == [("refused", "risk")]
    assert [fill["client_order_id"] for fill in bob["fills"]] == ["filled"]
    assert bob["positions"] == [{"market_id": MARKET, "outcome": "YES", "size": "5"}]
    assert len(told["gaps_opened"]) > 5
    scripted = {gap["at_ms"]: gap for gap in told["script"]}
    assert all(scripted[gap["scripted_at_ms"]]["kind"] == gap["kind"] for gap in told["gaps_opened"])


def test_the_script_in_the_truth_does_not_depend_on_what_happened() -> None:
    quiet, busy = an_exchange(rate=0), an_exchange({"lever": "restart", "at": "3s"}, rate=200)
    quiet.advance(START + SECOND)
    busy.advance(START + 8 * SECOND)
    deal(busy)

    assert truth(quiet)["script"] == truth(busy)["script"]
    assert len(truth(quiet, 90_000)["script"]) < len(truth(quiet)["script"])  # type: ignore[arg-type]


def test_a_plan_with_every_lever_reaches_every_lever() -> None:
    ends = [{"lever": name.value, "at": "60s", "market": "cup-bears"} for name in (LeverName.CLOSE_MARKET,)]
    ends.append({"lever": "resolve", "at": "61s", "market": "cup-bears"})
    own = [name for name in LeverName if name not in DIALECT]
    others = [name for name in own if name.value not in ("close_market", "resolve")]
    plan = [{"lever": name.value, "every": f"{3 + index % 5}s", "for": "1s"} for index, name in enumerate(others)]
    exchange = an_exchange(*ends, *plan)
    for step in range(700):
        now = START + step * 100 * MS
        exchange.streams.receive(exchange.streams.open(None), '{"op":"subscribe","markets":["fed-cut-dec"]}', now)
        exchange.streams.open("bob")
        exchange.advance(now)
        deal(exchange, f"take-{step}", shares=1)
        exchange.submit("bob", a_request(cents=10, shares=1, tif=GTC, client_order_id=f"rest-{step}"), exchange.now)
        exchange.cancel("bob", f"rest-{step}", exchange.now)
        assert exchange.engine.audit() == []

    assert set(exchange.levers.fired) == {name.value for name in own}


@pytest.mark.parametrize("lever", ["close_market", "cancel_timeout"])
def test_the_remaining_levers(lever: str) -> None:
    exchange = an_exchange({"lever": lever, "market": MARKET, "delay": "1s"}, rate=0)
    exchange.submit("bob", a_request(cents=10, tif=GTC, client_order_id="a"), exchange.now)
    exchange.advance(START)

    reply = exchange.cancel("bob", "a", exchange.now)

    order = exchange.engine.orders["bob", "a"]
    if lever == "close_market":
        assert (order.reason, reply.answer.error) == ("closed", wire.ErrorBody("already_done", "already closed"))
    else:
        assert (order.reason, reply.manner, reply.delay) == ("cancelled", Manner.HANG, SECOND)


def test_a_book_that_lost_a_frame_says_gap() -> None:
    watcher = Watcher(an_exchange({"lever": "drop", "at": "1s", "market": MARKET}))
    reasons = set()
    for _ in range(100):
        watcher.run(0.02)
        reasons.add(watcher.books[MARKET].not_ready)
    assert NotReady.GAP in reasons
