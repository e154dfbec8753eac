"""Frames in, events out, commands back: sequence, matching events, loss and repair, silence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.kalshi.desk import SnapshotDesk
from models.book import NO_ASK, NO_BID, YES_ASK, YES_BID, BookLost, BookSnapshot, BookUpdate, MarketsAlive, NotReady
from models.book_keeping import Book
from models.clock import MS
from tests.adapters.kalshi.examples import (
    OTHER,
    SID,
    STATES_SID,
    TICKER,
    TS,
    Connection,
    a_market,
    delta,
    dollars,
    snapshot,
    subscribed,
)


def changes(event: BookUpdate) -> set[tuple[int, int, int]]:
    return set(event.changes)


def books_after(events: list[Any], *tickers: str) -> dict[str, Book]:
    """What books make of the events."""
    books = {ticker: Book(a_market(ticker).market_id, unified=True) for ticker in tickers or (TICKER,)}
    for book in books.values():
        book.begin(3)
    for event in events:
        if isinstance(event, MarketsAlive):
            for market_id in event.seqs:
                books[market_id].alive(event.of(market_id))
            continue
        book = books[event.market_id]
        match event:
            case BookUpdate():
                book.update(event)
            case BookSnapshot():
                book.snapshot(event)
            case BookLost():
                book.lose(event.reason, event.generation, event.received_at)
    return books


def best(book: Book) -> dict[str, tuple[int, int] | None]:
    top = book.top()
    sides = {
        "yes_bid": (top.yes_bid, top.yes_bid_size),
        "yes_ask": (top.yes_ask, top.yes_ask_size),
        "no_bid": (top.no_bid, top.no_bid_size),
        "no_ask": (top.no_ask, top.no_ask_size),
    }
    return {name: None if price is None else (price, size) for name, (price, size) in sides.items()}


def at(price: str, size: str) -> tuple[int, int]:
    return dollars(price), dollars(size)


def a_live(*tickers: str, **options: Any) -> Connection:
    """A connection whose books have all come, `seq` used up to their number."""
    names = tickers or (TICKER,)
    connection = Connection(*(a_market(name) for name in names), **options)
    connection.told(subscribed())
    for number, name in enumerate(names, 1):
        connection.told(snapshot(number, name))
    connection.sent()
    return connection


# -- what is asked for


def test_one_subscription_carries_all_markets_and_says_how_no_is_priced() -> None:
    connection = Connection(a_market(TICKER), a_market(OTHER))

    assert connection.opening == [
        {
            "id": 1,
            "cmd": "subscribe",
            "params": {
                "channels": ["orderbook_delta"],
                "market_tickers": [TICKER, OTHER],
                "use_yes_price": True,
            },
        },
        {"id": 2, "cmd": "subscribe", "params": {"channels": ["market_lifecycle_v2"]}},
    ]


def test_more_markets_than_a_subscription_should_carry_are_refused() -> None:
    with pytest.raises(ValueError, match="201 markets on one socket"):
        Connection(*(a_market(f"KX-{number}") for number in range(201)))


# -- prices (acceptance trace 1)


@pytest.mark.parametrize(("yes_leg", "no_58", "no_57"), [(False, "0.5800", "0.5700"), (True, "0.4200", "0.4300")])
def test_every_bid_is_an_ask_of_the_other_outcome_however_no_is_priced(yes_leg: bool, no_58: str, no_57: str) -> None:
    connection = Connection(use_yes_price=yes_leg)
    events = connection.told(subscribed(), snapshot(1, yes=[("0.4000", "25.00")], no=[(no_58, "10.00")]))

    assert best(books_after(events)[TICKER]) == {
        "yes_bid": at("0.40", "25"),
        "yes_ask": at("0.42", "10"),
        "no_bid": at("0.58", "10"),
        "no_ask": at("0.60", "25"),
    }

    events += connection.told(delta(2, "no", no_58, "-10.00", ts=TS)) + connection.idle(60)
    assert best(books_after(events)[TICKER])["yes_ask"] is None
    assert best(books_after(events)[TICKER])["no_bid"] is None

    events += connection.told(delta(3, "no", no_57, "4.00", ts=TS + 1)) + connection.idle(60)
    assert best(books_after(events)[TICKER])["yes_ask"] == at("0.43", "4")
    assert best(books_after(events)[TICKER])["no_bid"] == at("0.57", "4")


def test_prices_below_a_cent_and_parts_of_a_contract_are_exact() -> None:
    connection = a_live(use_yes_price=False)

    connection.told(delta(2, "no", "0.0010", "0.32"))
    (update,) = connection.idle(60)

    assert changes(update) == {(NO_BID, 1_000, 320_000), (YES_ASK, 999_000, 320_000)}


def test_an_empty_side_is_left_out_of_a_snapshot_and_empties_the_book() -> None:
    events = Connection().told(subscribed(), snapshot(1, yes=(), no=()))

    (book,) = [event for event in events if isinstance(event, BookSnapshot)]
    assert (book.yes_bids, book.yes_asks, book.no_bids, book.no_asks) == ((), (), (), ())


# -- matching events


def test_deltas_of_one_time_are_told_as_one_update_when_time_has_moved_on() -> None:
    connection = a_live()

    during = connection.told(
        delta(2, "yes", "0.4200", "10.00"),  # crosses the book that stands
        delta(3, "no", "0.4200", "-10.00"),
        delta(4, "yes", "0.4200", "-10.00"),
    )
    after = connection.told(delta(5, "yes", "0.4100", "1.00", ts=TS + 1))

    assert not [event for event in during if isinstance(event, BookUpdate)]
    (update,) = [event for event in after if isinstance(event, BookUpdate)]
    assert changes(update) == {(NO_BID, dollars("0.58"), -dollars("10")), (YES_ASK, dollars("0.42"), -dollars("10"))}
    assert (update.relative, update.whole, update.exchange_ms, update.seq) == (True, True, TS, 1)


def test_fifty_milliseconds_of_silence_end_a_matching_event() -> None:
    connection = a_live()
    connection.told(delta(2, "yes", "0.4100", "3.00"))
    connection.ms += 20
    connection.told(delta(3, "yes", "0.4100", "4.00"))
    arrived = connection.now

    assert connection.idle(49) == []
    (update,) = connection.idle(1)

    assert changes(update) == {(YES_BID, dollars("0.41"), dollars("7")), (NO_ASK, dollars("0.59"), dollars("7"))}
    assert update.received_at == arrived, "the time of its last delta, not of the decision to tell it"


def test_an_earlier_event_of_another_market_is_over_on_its_own_shard_only() -> None:
    connection = Connection(a_market(TICKER), a_market(OTHER), a_market("KXFAR", exchange_index=2))
    connection.told(subscribed(), *(snapshot(n, t) for n, t in enumerate((TICKER, OTHER, "KXFAR"), 1)))
    connection.told(delta(4, "yes", "0.4100", "1.00", ticker=TICKER))
    connection.told(delta(5, "yes", "0.4100", "1.00", ticker="KXFAR"))

    same_time = connection.told(delta(6, "yes", "0.4100", "1.00", ticker=OTHER))
    later = connection.told(delta(7, "yes", "0.4100", "1.00", ticker=OTHER, ts=TS + 1))

    assert not [event for event in same_time if isinstance(event, BookUpdate)]
    assert [event.market_id for event in later if isinstance(event, BookUpdate)] == [TICKER, OTHER]


def test_a_snapshot_comes_after_what_was_held_and_equals_the_maintained_book() -> None:
    connection = a_live()
    connection.told(delta(2, "yes", "0.4100", "7.00"))

    events = connection.told(
        snapshot(3, yes=[("0.3900", "5.00"), ("0.4000", "25.00"), ("0.4100", "7.00")], no=[("0.5800", "10.00")], id=9)
    )

    update, whole = [event for event in events if isinstance(event, BookUpdate | BookSnapshot)]
    assert isinstance(update, BookUpdate)
    assert (update.seq, whole.seq) == (1, 1)


@given(
    st.lists(
        st.tuples(st.sampled_from(["yes", "no"]), st.integers(30, 50), st.integers(1, 9), st.integers(0, 3)),
        max_size=30,
    )
)
def test_whatever_the_times_the_book_ends_as_the_sum_of_all_deltas(moves: list[tuple[str, int, int, int]]) -> None:
    connection = Connection()
    events = connection.told(subscribed(), snapshot(1, yes=(), no=()))
    truth: dict[tuple[str, int], int] = {}
    ts = TS
    for seq, (side, cents, count, later) in enumerate(moves, 2):
        ts += later
        truth[side, cents] = truth.get((side, cents), 0) + count
        events += connection.told(delta(seq, side, f"0.{cents}00", f"{count}.00", ts=ts))
    events += connection.idle(60)

    (book,) = books_after(events).values()

    def levels(side: str) -> dict[int, int]:
        return {cents * 10_000: count * 1_000_000 for (of, cents), count in truth.items() if of == side}

    assert dict(book.ladder(YES_BID)) == levels("yes")
    assert dict(book.ladder(NO_ASK)) == {1_000_000 - price: size for price, size in levels("yes").items()}
    assert dict(book.ladder(YES_ASK)) == levels("no"), "asked for with YES-leg prices"
    assert book.top().not_ready is None


# -- sequence (acceptance trace 5)


def test_a_gap_loses_every_book_of_the_subscription_and_makes_it_anew() -> None:
    connection = a_live(TICKER, OTHER)
    connection.ms += 2_000
    connection.told(delta(3, "yes", "0.4100", "1.00"))

    events = connection.told(delta(5, "yes", "0.4100", "1.00", ticker=OTHER))

    assert {(event.market_id, event.reason) for event in events} == {
        (TICKER, NotReady.GAP),
        (OTHER, NotReady.GAP),
    }
    unsubscribe, subscribe = connection.sent()
    assert (unsubscribe["cmd"], unsubscribe["params"]) == ("unsubscribe", {"sids": [SID]})
    assert subscribe["params"] == connection.opening[0]["params"]
    assert subscribe["id"] > unsubscribe["id"] > 2
    assert connection.session.counts.gaps == 1


def test_both_books_stay_stale_until_the_new_subscriptions_snapshots() -> None:
    connection = a_live(TICKER, OTHER)
    connection.ms += 2_000
    events = connection.told(subscribed(), snapshot(1, TICKER), snapshot(2, OTHER))
    events += connection.told(delta(4, "yes", "0.4100", "1.00"))
    connection.sent()

    events += connection.told(
        delta(5, "yes", "0.4000", "-25.00"), {"type": "unsubscribed", "id": 3, "sid": SID, "seq": 6}
    )
    assert {book.top().not_ready for book in books_after(events, TICKER, OTHER).values()} == {NotReady.GAP}

    events += connection.told(subscribed(sid=7, number=4), {**snapshot(1, OTHER), "sid": 7})
    assert [book.top().not_ready for book in books_after(events, TICKER, OTHER).values()] == [NotReady.GAP, None]

    events += connection.told({**snapshot(2, TICKER), "sid": 7}, delta(3, "yes", "0.4100", "1.00", sid=7))
    events += connection.idle(60)
    books = books_after(events, TICKER, OTHER)
    assert [book.top().not_ready for book in books.values()] == [None, None]
    assert best(books[TICKER])["yes_bid"] == at("0.41", "1")


def test_a_doubled_frame_is_dropped_and_changes_nothing() -> None:
    connection = a_live()
    frame = delta(2, "yes", "0.4100", "1.00")

    connection.told(frame, frame)
    (update,) = connection.idle(60)

    assert changes(update) == {(YES_BID, dollars("0.41"), dollars("1")), (NO_ASK, dollars("0.59"), dollars("1"))}
    assert connection.session.counts.duplicates == 1


def test_a_step_back_is_a_reset() -> None:
    connection = a_live()
    connection.told(delta(2, "yes", "0.4100", "1.00"), delta(3, "yes", "0.4100", "1.00"))

    events = connection.told(delta(2, "yes", "0.4100", "1.00"))

    assert [event.reason for event in events] == [NotReady.GAP]


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "ok", "id": 7, "sid": SID, "seq": 2, "msg": {"market_tickers": [TICKER]}},
        {"type": "error", "id": 7, "sid": SID, "seq": 2, "msg": {"code": 27, "msg": "too many requests"}},
        {"type": "a_type_of_next_year", "sid": SID, "seq": 2, "msg": {}},
    ],
    ids=["ok", "error", "unknown type"],
)
def test_other_frames_of_the_subscription_count_in_its_sequence(frame: dict[str, Any]) -> None:
    connection = a_live()

    connection.told(frame, delta(3, "yes", "0.4100", "1.00"))

    assert connection.session.counts.gaps == 0
    assert [type(event) for event in connection.idle(60)] == [BookUpdate]


def test_frames_without_a_subscription_of_ours_are_not_counted_against_it() -> None:
    connection = a_live()

    events = connection.told(
        {"type": "ok", "id": 6, "msg": [{"channel": "orderbook_delta", "sid": SID}]},
        {"type": "ticker", "sid": 9, "msg": {"market_ticker": TICKER}},
        delta(900, "yes", "0.4100", "1.00", sid=8),
    )

    assert events == []
    assert connection.session.counts.gaps == 0
    assert connection.session.counts.unknown == 1


@pytest.mark.parametrize("code", [10, 25])
@pytest.mark.parametrize("named", [True, False])
def test_an_error_that_ends_the_subscription_makes_it_anew(code: int, named: bool) -> None:
    connection = a_live()
    connection.ms += 2_000
    error: dict[str, Any] = {"type": "error", "msg": {"code": code, "msg": "over"}}

    events = connection.told(error | ({"sid": SID, "seq": 2} if named else {}))

    assert [event.reason for event in events] == [NotReady.GAP]
    assert [command["cmd"] for command in connection.sent()] == ["unsubscribe", "subscribe"]


def test_an_error_on_the_lifecycle_channel_leaves_the_books_alone() -> None:
    connection = a_live()
    connection.told(subscribed(STATES_SID, "market_lifecycle_v2", 2))

    events = connection.told({"type": "error", "sid": STATES_SID, "seq": 1, "msg": {"code": 25, "msg": "over"}})

    assert events == []
    assert [command["params"] for command in connection.sent()] == [{"channels": ["market_lifecycle_v2"]}]


def test_subscriptions_are_never_made_faster_than_once_a_second() -> None:
    connection = a_live()
    connection.ms += 2_000
    connection.told(delta(9, "yes", "0.4100", "1.00"))
    assert [command["cmd"] for command in connection.sent()] == ["unsubscribe", "subscribe"]
    connection.told(subscribed(sid=2), {**snapshot(1), "sid": 2})

    connection.told(delta(9, "yes", "0.4100", "1.00", sid=2))

    assert connection.sent() == []
    connection.idle(999)
    assert connection.sent_idle == []
    connection.idle(1)
    assert [command["cmd"] for command in connection.sent_idle] == ["unsubscribe", "subscribe"]


def test_a_level_below_nothing_proves_the_book_wrong() -> None:
    connection = a_live()
    events = connection.told(subscribed(), snapshot(1))
    connection.told(delta(2, "yes", "0.4000", "-26.00"))
    events += connection.idle(60)

    (book,) = books_after(events).values()

    assert book.top().not_ready is NotReady.BAD_LEVEL


# -- what cannot be read


@pytest.mark.parametrize(
    "frame",
    [
        b'{"half',
        b"{}",
        b"[]",
        delta(2, "yes", "1.0000", "1.00"),
        delta(2, "yes", "0.4100", "one"),
        delta(2, "maybe", "0.4100", "1.00"),
        {"type": "orderbook_delta", "sid": SID, "seq": 2, "msg": {"market_ticker": TICKER}},
        snapshot(2, yes=[("0.40", "-1.00")]),
        delta(2, "yes", "0.4100", "1.00", ts=10**13),
    ],
)
def test_what_may_have_been_a_change_loses_every_book(frame: Any) -> None:
    connection = a_live(TICKER, OTHER)
    frame = frame if isinstance(frame, bytes) else {**frame, "seq": 3}

    events = connection.told(frame)

    assert {(event.market_id, event.reason) for event in events} == {
        (TICKER, NotReady.BAD_FRAME),
        (OTHER, NotReady.BAD_FRAME),
    }
    assert connection.session.counts.failed == 1


def test_an_unknown_market_on_the_subscription_is_counted_only() -> None:
    connection = a_live()

    assert connection.told(delta(2, "yes", "0.4100", "1.00", ticker="KXWHO")) == []
    assert connection.session.counts.foreign == 1


# -- evidence and silence


def test_a_frame_in_sequence_is_evidence_for_its_quiet_neighbours_five_times_a_second() -> None:
    connection = a_live(TICKER, OTHER)
    connection.ms += 300
    alive = [
        event
        for number in range(20)
        for event in connection.told(delta(3 + number, "yes", "0.4100", "1.00", ts=TS + number)) + connection.idle(10)
        if isinstance(event, MarketsAlive)
    ]

    assert [(event.seqs, event.received_at // MS) for event in alive] == [({OTHER: None}, 1_300)]


def test_a_quiet_subscription_is_asked_for_one_book_in_turn() -> None:
    connection = a_live(TICKER, OTHER)

    connection.idle(2_000)
    connection.told(snapshot(3, TICKER, id=3))
    connection.idle(2_000)

    asked = [command["params"] for command in connection.sent_idle]
    assert asked == [
        {"sids": [SID], "market_tickers": [TICKER], "action": "get_snapshot"},
        {"sids": [SID], "market_tickers": [OTHER], "action": "get_snapshot"},
    ]


def test_a_subscription_that_answers_nothing_for_ten_seconds_is_dead() -> None:
    connection = a_live()

    events = connection.idle(10_000)

    assert [event.reason for event in events] == [NotReady.SILENT]
    assert [command["cmd"] for command in connection.sent_idle][-2:] == ["unsubscribe", "subscribe"]


def test_a_book_that_never_came_is_asked_for_without_losing_the_others() -> None:
    connection = Connection(a_market(TICKER), a_market(OTHER))
    connection.told(subscribed(), snapshot(1, TICKER))
    for number in range(11):
        connection.told(delta(2 + number, "yes", "0.4000", "-1.00", ts=TS + number))
        assert not [event for event in connection.idle(1_000) if isinstance(event, BookLost)]

    assert {"sids": [SID], "market_tickers": [OTHER], "action": "get_snapshot"} in [
        command["params"] for command in connection.sent_idle
    ]


def test_the_read_lane_gets_its_book_from_the_stream() -> None:
    desk = SnapshotDesk()
    connection = a_live(desk=desk)

    assert desk.ask([a_market().market_id], 0.0) == []
    desk._wanted[a_market().market_id] = None
    (asked,) = connection.sent()
    (book,) = [event for event in connection.told(snapshot(2, id=asked["id"])) if isinstance(event, BookSnapshot)]

    assert asked["params"]["action"] == "get_snapshot"
    assert desk._arrived[a_market().market_id] is book


def test_a_recorded_session_asks_for_nothing_and_waits_for_snapshots() -> None:
    connection = a_live(recorded=True)

    lost = connection.told(delta(9, "yes", "0.4100", "1.00"))
    early = connection.told(delta(10, "yes", "0.4100", "1.00"))
    healed = connection.told(snapshot(11))

    assert [event.reason for event in lost] == [NotReady.GAP]
    assert early == []
    assert isinstance(healed[0], BookSnapshot)
    connection.idle(60_000)
    assert connection.sent() == connection.sent_idle == []
