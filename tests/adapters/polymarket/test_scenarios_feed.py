"""polymarket.md 15.2, the faults of the market channel, one by one, over a real socket: the lever is pulled at the
dialect, and the bot's feed with a book behind it must end up right, or say that it is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests

from models.book import BookLost, BookSnapshot, BookUpdate
from models.market import MarketId, Outcome
from models.messages import MarketResolved, TickChanged
from tests.adapters.polymarket.dialect_stage import DialectStage, Watch, dialect
from tests.polling import until

SLUG = "peace-talks-this-year"


@pytest.fixture
def stage() -> Iterator[DialectStage]:
    with dialect() as running:
        yield running


def at(price: str) -> int:
    return round(float(price) * 1_000_000)


def true_tops(stage: DialectStage, watch: Watch) -> bool:
    """Whether the maintained book says what the venue's own REST book says."""
    (book,) = stage.data().get_snapshot_rest(watch.markets, 1, stage.clock)
    top = watch.book.top()
    bids, asks = book.yes_bids or (), book.yes_asks or ()
    return (top.yes_bid, top.yes_ask) == (max(bids)[0] if bids else None, min(asks)[0] if asks else None)


def healed(stage: DialectStage, watch: Watch) -> bool:
    """What the reconcile does: the books are read over REST and put in the place of those that are in doubt."""
    for snapshot in stage.data().get_snapshot_rest(watch.markets, watch.book.generation, stage.clock):
        watch.book.snapshot(snapshot)
    return watch.book.top().intact and true_tops(stage, watch)


def test_15_2_feed_01_a_dropped_half_is_no_true_book(stage: DialectStage) -> None:
    listed = stage.quoted(SLUG)
    with stage.watch(SLUG) as watch:
        stage.pull("half")
        stage.rest_order(listed, "BUY", "0.42", "10")
        until(lambda: watch.book.top().yes_bid == at("0.42"), "the half has come")
        top = watch.book.top()
        assert not watch.of(BookUpdate)[-1].whole
        assert not top.intact, "YES bid and NO ask are no mirror: no gap of this book is real"
        assert healed(stage, watch)


def test_15_2_feed_02_a_late_half_is_no_true_book_until_it_is_there(stage: DialectStage) -> None:
    listed = stage.quoted(SLUG)
    with stage.watch(SLUG) as watch:
        stage.pull("late_half", delay="600ms")
        stage.rest_order(listed, "BUY", "0.42", "10")
        until(lambda: watch.book.top().yes_bid == at("0.42"), "the first half has come")
        assert not watch.book.top().intact
        until(lambda: watch.book.top().intact, "the second half has come")
        top = watch.book.top()
        assert (top.no_ask, top.yes_ask) == (at("0.58"), at("0.45"))


def test_15_2_feed_03_a_dropped_change_shows_in_the_next_messages_best_prices(stage: DialectStage) -> None:
    listed = stage.quoted(SLUG)
    with stage.watch(SLUG) as watch:
        stage.pull("drop")
        stage.rest_order(listed, "BUY", "0.42", "10")
        stage.rest_order(listed, "BUY", "0.30", "10")
        until(lambda: not watch.book.top().intact, "0.42 is claimed to be the best bid, and it is not in the book")
        assert healed(stage, watch)
        assert watch.book.top().yes_bid == at("0.42")


def test_15_2_feed_04_a_duplicate_changes_nothing(stage: DialectStage) -> None:
    listed = stage.quoted(SLUG)
    with stage.watch(SLUG) as watch:
        stage.pull("duplicate")
        stage.rest_order(listed, "BUY", "0.42", "10")
        until(lambda: len(watch.of(BookUpdate)) == 2, "it came twice")
        top = watch.book.top()
        assert (top.yes_bid, top.yes_bid_size, top.intact) == (at("0.42"), 10_000_000, True)


def test_15_2_feed_05_changes_out_of_order_are_seen_by_their_best_prices(stage: DialectStage) -> None:
    """Two totals of one level, the older one last: nothing but the claimed best prices can tell."""
    listed = stage.quoted(SLUG)
    with stage.watch(SLUG) as watch:
        stage.pull("reorder")
        own = stage.rest_order(listed, "BUY", "0.42", "10")
        stage.ask("DELETE", "/order", json.dumps({"orderID": own}, separators=(",", ":")).encode(), wallet=1)
        until(lambda: len(watch.of(BookUpdate)) == 2, "both have come, the later one first")
        assert watch.book.top().yes_bid == at("0.42"), "which is gone at the venue"
        stage.rest_order(listed, "BUY", "0.30", "10")
        until(lambda: not watch.book.top().intact, "the next message claims another best bid")
        assert healed(stage, watch)
        assert watch.book.top().yes_bid == at("0.40")


def test_15_2_feed_06_and_09_an_empty_array_and_no_new_assets_change_nothing(stage: DialectStage) -> None:
    """One lever sends both: `[]` and the text NO NEW ASSETS."""
    listed = stage.quoted(SLUG)
    with stage.watch(SLUG) as watch:
        stage.pull("empty")
        stage.rest_order(listed, "BUY", "0.42", "10")
        until(lambda: watch.counts.control >= 2, "both have come")
        assert (watch.counts.unknown, watch.counts.failed, watch.of(BookLost)) == (0, 0, [])
        assert true_tops(stage, watch)


def test_15_2_feed_07_a_frozen_stream_that_still_answers_pings_is_silent_and_only_that(stage: DialectStage) -> None:
    """The socket lives, so only the age of the market tells (`silent_market_seconds`, proved in
    tests/acceptance/test_outages.py); the books over REST go on.
    """
    listed = stage.quoted(SLUG)
    with stage.watch(SLUG) as watch:
        stage.pull("silent", **{"for": "20s"})
        until(lambda: bool(stage.exchange.levers.fired["silent"]), "it is silent")
        before = len(watch.events)
        stage.rest_order(listed, "BUY", "0.42", "10")
        with stage.socket(stage.server.ws_url) as socket:
            socket.send("PING")
            assert socket.recv(timeout=3) == "PONG"
        assert len(watch.events) == before
        assert "down" not in watch.states
        assert healed(stage, watch)
        assert watch.book.top().yes_bid == at("0.42")


def test_15_2_feed_08_a_socket_that_breaks_off_begins_anew_with_whole_books(stage: DialectStage) -> None:
    listed = stage.quoted(SLUG)
    with stage.watch(SLUG) as watch:
        stage.pull("close", code=1006)
        until(lambda: watch.states.count("live") == 2, "connected again")
        until(watch.ready, "its books are there")
        stage.rest_order(listed, "BUY", "0.42", "10")
        until(lambda: watch.book.top().yes_bid == at("0.42"), "and go on")
        assert watch.book.generation == 2


def test_15_2_feed_10_a_book_older_than_the_changes_does_not_bring_them_back(stage: DialectStage) -> None:
    listed = stage.quoted(SLUG)
    with stage.watch(SLUG) as watch:
        stage.place(stage.body(listed, "BUY", "0.45", "10", "FAK"))
        until(lambda: watch.book.top().yes_ask_size == 40_000_000, "a first trade, whose books will come again")
        stage.rest_order(listed, "BUY", "0.42", "10")
        stage.pull("stale_book", count=2)
        stage.place(stage.body(listed, "BUY", "0.45", "10", "FAK"))
        until(lambda: watch.book.counts.old_snapshots >= 2, "both old books have come")
        top = watch.book.top()
        assert (top.yes_bid, top.yes_ask_size, top.intact) == (at("0.42"), 30_000_000, True)
        assert true_tops(stage, watch)


def test_15_2_feed_11_a_tick_change_is_told_once_though_it_comes_for_each_token_and_again(stage: DialectStage) -> None:
    stage.quoted(SLUG)
    with stage.watch(SLUG) as watch:
        stage.pull("tick_change", market=stage.listed(SLUG).condition_id)
        until(lambda: bool(watch.of(TickChanged)), "the tick has changed")
        after = watch.events.index(watch.of(TickChanged)[0])
        until(lambda: any(isinstance(e, BookSnapshot) for e in watch.events[after:]), "a new book follows")
        assert [event.new_tick for event in watch.of(TickChanged)] == [1_000]


def test_15_2_feed_12_a_book_without_its_metadata_is_a_book(stage: DialectStage) -> None:
    listed = stage.quoted(SLUG)
    with stage.watch(SLUG) as watch:
        checked = watch.counts.hash_equal
        stage.pull("bare_book", count=2)
        stage.place(stage.body(listed, "BUY", "0.45", "10", "FAK"))
        until(lambda: watch.book.top().yes_ask_size == 40_000_000, "read")
        until(lambda: stage.exchange.levers.fired["bare_book"] == 2, "both were bare")
        assert (watch.counts.failed, watch.counts.hash_wrong, watch.counts.hash_equal) == (0, 0, checked)
        assert true_tops(stage, watch)


def test_15_2_feed_13_levels_the_other_way_round_are_the_same_book(stage: DialectStage) -> None:
    listed = stage.quoted(SLUG)
    for price in ("0.38", "0.39"):
        stage.rest_order(listed, "BUY", price, "10")
    with stage.watch(SLUG) as watch:
        stage.pull("reversed_levels", count=2)
        stage.place(stage.body(listed, "BUY", "0.45", "10", "FAK"))
        until(lambda: stage.exchange.levers.fired["reversed_levels"] == 2, "both were reversed")
        until(lambda: watch.book.top().yes_ask_size == 40_000_000, "read")
        assert (watch.book.top().yes_bid, watch.book.top().no_ask) == (at("0.40"), at("0.60"))


def test_15_2_feed_14_an_unknown_event_is_counted_and_its_neighbours_are_read(stage: DialectStage) -> None:
    listed = stage.quoted(SLUG)
    with stage.watch(SLUG) as watch:
        stage.pull("unknown_type")
        stage.rest_order(listed, "BUY", "0.42", "10")
        until(lambda: watch.book.top().yes_bid == at("0.42"), "the change behind it")
        assert (watch.counts.unknown, watch.counts.failed, watch.of(BookLost)) == (1, 0, [])


def test_15_2_feed_15_a_resolved_market_names_its_winner_and_has_no_book_any_more(stage: DialectStage) -> None:
    listed = stage.quoted(SLUG)
    with stage.watch(SLUG) as watch:
        stage.pull("resolve", market=listed.condition_id, yes_pays="1.00")
        until(lambda: bool(watch.of(MarketResolved)), "it is told")
        assert [(e.market_id, e.winner) for e in watch.of(MarketResolved)] == [
            (MarketId(listed.condition_id), Outcome.YES)
        ]
    gone = requests.get(f"{stage.url}/book?token_id={listed.tokens[0]}", timeout=2)
    assert (gone.status_code, gone.json()["error"]) == (404, "No orderbook exists for the requested token id")
