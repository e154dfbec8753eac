"""A book is right or it says that it is not ready: every way of losing and healing it, one by one."""

from __future__ import annotations

import pytest

from models.book import NO_ASK, YES_ASK, YES_BID, MarketAlive, NotReady, Source
from models.book_keeping import PENDING_MAX, Book, Effect
from models.clock import BootNs
from models.market import MarketId, Outcome
from tests.factories import (
    EXCHANGE_MS,
    a_top,
    levels,
    no_snapshot,
    price,
    shares,
    snapshot,
    update,
    yes_snapshot,
)


def a_book(*, unified: bool = False, depth: int = 0, generation: int = 1) -> Book:
    """Connected, waiting for its snapshot."""
    book = Book(MarketId("m"), unified=unified, depth=depth)
    book.begin(generation)
    return book


def a_ready_book(*, unified: bool = False, depth: int = 0, seq: int | None = None) -> Book:
    """YES 0.45 / 0.55, NO 0.44 / 0.56, a hundred shares each."""
    book = a_book(unified=unified, depth=depth)
    assert book.snapshot(snapshot(seq=seq)) is Effect.HEALED
    return book


def alive(*, generation: int = 1, seq: int | None = None, at: int = 99, lag_ms: int | None = None) -> MarketAlive:
    return MarketAlive(market_id=MarketId("m"), generation=generation, seq=seq, received_at=BootNs(at), lag_ms=lag_ms)


def asks(book: Book) -> tuple[int | None, int | None]:
    top = book.top()
    return top.yes_ask, top.no_ask


# -- becoming ready


def test_a_new_book_is_not_ready() -> None:
    assert Book(MarketId("m"), unified=False).top().not_ready is NotReady.NO_SNAPSHOT


def test_a_snapshot_of_both_outcomes_makes_it_ready() -> None:
    book = a_book()

    assert book.snapshot(snapshot()) is Effect.HEALED

    top = book.top()
    assert top.not_ready is None
    assert (top.yes_bid, top.yes_ask, top.no_bid, top.no_ask) == (
        price("0.45"),
        price("0.55"),
        price("0.44"),
        price("0.56"),
    )
    assert {top.yes_ask_size, top.no_bid_size} == {shares("100")}


def test_one_outcome_is_not_enough_and_the_second_completes_it() -> None:
    book = a_book()

    assert book.snapshot(yes_snapshot()) is Effect.NOTHING
    assert book.not_ready is NotReady.NO_SNAPSHOT

    assert book.snapshot(no_snapshot()) is Effect.HEALED
    assert book.not_ready is None


def test_an_outcome_seen_before_a_loss_does_not_count_after_it() -> None:
    book = a_book()
    book.snapshot(yes_snapshot())

    book.lose(NotReady.BAD_FRAME, 1)
    book.snapshot(no_snapshot())

    assert book.not_ready is NotReady.BAD_FRAME


def test_an_empty_side_is_none_and_never_zero() -> None:
    book = a_book()
    book.snapshot(snapshot(yes_asks=(), no_bids=(("0.44", "0"),)))

    top = book.top()
    assert (top.yes_ask, top.no_bid) == (None, None)
    assert (top.yes_ask_size, top.no_bid_size) == (0, 0)
    assert top.not_ready is None


def test_best_prices_do_not_depend_on_the_order_of_the_wire() -> None:
    book = a_book()
    book.snapshot(
        snapshot(yes_bids=(("0.30", "1"), ("0.45", "2"), ("0.40", "3")), yes_asks=(("0.60", "4"), ("0.55", "5")))
    )

    top = book.top()
    assert (top.yes_bid, top.yes_bid_size) == (price("0.45"), shares("2"))
    assert (top.yes_ask, top.yes_ask_size) == (price("0.55"), shares("5"))


# -- changes


def test_a_level_is_set_replaced_and_removed() -> None:
    book = a_ready_book()

    book.update(update(("yes_ask", "0.50", "7")))
    assert book.top().yes_ask_size == shares("7")

    book.update(update(("yes_ask", "0.50", "3")))
    assert (book.top().yes_ask, book.top().yes_ask_size) == (price("0.50"), shares("3"))

    book.update(update(("yes_ask", "0.50", "0")))
    assert (book.top().yes_ask, book.top().yes_ask_size) == (price("0.55"), shares("100"))


def test_removing_a_level_that_is_not_there_changes_nothing() -> None:
    book = a_ready_book()

    assert book.update(update(("yes_ask", "0.50", "0"), ("yes_bid", "0.10", "0"))) is Effect.CHANGED

    assert asks(book) == (price("0.55"), price("0.56"))


def test_differences_add_up_and_remove_a_level_at_zero() -> None:
    book = a_ready_book()

    book.update(update(("yes_ask", "0.55", "-40"), relative=True))
    assert book.top().yes_ask_size == shares("60")

    book.update(update(("yes_ask", "0.55", "-60"), ("yes_ask", "0.57", "5"), relative=True))
    assert (book.top().yes_ask, book.top().yes_ask_size) == (price("0.57"), shares("5"))


@pytest.mark.parametrize("relative", [True, False])
def test_a_level_below_zero_proves_the_book_wrong(relative: bool) -> None:
    book = a_ready_book()

    assert book.update(update(("yes_ask", "0.55", "-100.000001"), relative=relative)) is Effect.LOST

    assert book.not_ready is NotReady.BAD_LEVEL


def test_the_change_that_could_not_be_is_tried_again_on_the_snapshot() -> None:
    book = a_ready_book(seq=10)
    book.update(update(("yes_ask", "0.60", "-5"), relative=True, seq=11))

    book.snapshot(snapshot(yes_asks=(("0.60", "8"),), seq=10))

    assert (book.top().not_ready, book.top().yes_ask_size, book.seq) == (None, shares("3"), 11)


def test_a_ladder_is_best_first_and_travels_only_when_asked_for() -> None:
    book = a_ready_book(depth=2)
    book.update(update(("yes_ask", "0.57", "2"), ("yes_ask", "0.56", "1"), ("no_ask", "0.60", "3")))

    top = book.top()
    assert top.asks(Outcome.YES) == levels(("0.55", "100"), ("0.56", "1"))
    assert top.asks(Outcome.NO) == levels(("0.56", "100"), ("0.60", "3"))
    assert book.ladder(YES_BID) == levels(("0.45", "100"))
    assert a_ready_book().top().asks(Outcome.YES) == ()


# -- sequence numbers


def test_consecutive_numbers_are_applied() -> None:
    book = a_ready_book(seq=10)

    assert book.update(update(("yes_ask", "0.50", "1"), seq=11)) is Effect.CHANGED
    assert book.update(update(("yes_ask", "0.49", "1"), seq=12)) is Effect.CHANGED

    assert (book.seq, book.top().seq) == (12, 12)


@pytest.mark.parametrize("old", [10, 9, 1])
def test_a_repeated_or_older_number_changes_nothing(old: int) -> None:
    book = a_ready_book(seq=10)

    assert book.update(update(("yes_ask", "0.50", "1"), seq=old)) is Effect.NOTHING

    assert asks(book)[0] == price("0.55")
    assert book.counts.duplicates == 1


def test_a_missing_number_loses_the_book_until_a_snapshot() -> None:
    book = a_ready_book(seq=10)

    assert book.update(update(("yes_ask", "0.50", "1"), seq=12)) is Effect.LOST
    assert book.not_ready is NotReady.GAP
    assert book.update(update(("yes_ask", "0.49", "1"), seq=13)) is Effect.NOTHING

    assert book.snapshot(snapshot(seq=11)) is Effect.HEALED
    assert (asks(book)[0], book.seq) == (price("0.49"), 13)
    assert book.counts.gaps == 1


def test_a_snapshot_that_ends_before_the_gap_does_not_heal_it() -> None:
    book = a_ready_book(seq=10)
    book.update(update(("yes_ask", "0.50", "1"), seq=13))

    assert book.snapshot(snapshot(seq=11)) is Effect.LOST

    assert book.not_ready is NotReady.GAP
    assert book.snapshot(snapshot(seq=12)) is Effect.HEALED
    assert (asks(book)[0], book.seq) == (price("0.50"), 13)


def test_what_waits_behind_a_second_gap_is_still_there_for_the_next_snapshot() -> None:
    book = a_book()
    book.update(update(("yes_ask", "0.50", "1"), seq=5))
    book.update(update(("yes_ask", "0.49", "1"), seq=7))
    book.update(update(("yes_ask", "0.48", "1"), seq=8))

    assert book.snapshot(snapshot(seq=4)) is Effect.LOST
    assert book.snapshot(snapshot(seq=6)) is Effect.HEALED

    assert (asks(book)[0], book.seq) == (price("0.48"), 8)


def test_a_snapshot_newer_than_everything_that_waits_replaces_it() -> None:
    book = a_book()
    book.update(update(("yes_ask", "0.50", "1"), seq=5))

    assert book.snapshot(snapshot(seq=9)) is Effect.HEALED

    assert (asks(book)[0], book.seq) == (price("0.55"), 9)


def test_a_snapshot_older_than_a_ready_book_changes_nothing() -> None:
    book = a_ready_book(seq=10)
    book.update(update(("yes_ask", "0.50", "1"), seq=11))

    assert book.snapshot(snapshot(seq=10)) is Effect.NOTHING

    assert asks(book)[0] == price("0.50")
    assert book.counts.old_snapshots == 1


def test_a_snapshot_older_than_a_lost_book_is_asked_for_again() -> None:
    book = a_ready_book(seq=10)
    book.lose(NotReady.SILENT, 1)

    assert book.snapshot(snapshot(seq=9)) is Effect.LOST
    assert book.not_ready is NotReady.SILENT

    assert book.snapshot(snapshot(seq=10)) is Effect.HEALED


def test_the_stream_that_comes_behind_a_newer_rest_snapshot_is_known_already() -> None:
    book = a_ready_book(seq=10)

    assert book.snapshot(snapshot(seq=12, yes_asks=(("0.53", "1"),), source=Source.REST)) is Effect.CHANGED

    assert book.update(update(("yes_ask", "0.55", "1"), seq=11)) is Effect.NOTHING
    assert book.update(update(("yes_ask", "0.52", "1"), seq=13)) is Effect.CHANGED
    assert asks(book)[0] == price("0.52")


# -- without sequence numbers


def test_an_unnumbered_change_older_than_the_snapshot_is_not_replayed() -> None:
    book = a_book()
    book.update(update(("yes_ask", "0.50", "1"), exchange_ms=EXCHANGE_MS - 1))
    book.update(update(("yes_ask", "0.51", "1"), exchange_ms=EXCHANGE_MS))

    book.snapshot(snapshot())

    assert asks(book)[0] == price("0.51")


def test_each_outcome_is_judged_by_its_own_snapshot() -> None:
    book = a_book()
    book.snapshot(yes_snapshot(exchange_ms=EXCHANGE_MS))
    book.update(update(("yes_ask", "0.50", "1"), ("no_ask", "0.50", "1"), exchange_ms=EXCHANGE_MS + 3))

    assert book.snapshot(no_snapshot(exchange_ms=EXCHANGE_MS + 5)) is Effect.HEALED

    assert asks(book) == (price("0.50"), price("0.56"))
    assert book.top().yes_as_of_ms == EXCHANGE_MS + 3
    assert book.top().no_as_of_ms == EXCHANGE_MS + 5


@pytest.mark.parametrize("source", Source)
def test_a_late_unnumbered_snapshot_does_not_take_a_ready_book_back(source: Source) -> None:
    book = a_ready_book()
    book.update(update(("yes_ask", "0.50", "1"), exchange_ms=EXCHANGE_MS + 2))

    assert book.snapshot(snapshot(exchange_ms=EXCHANGE_MS + 1, source=source)) is Effect.NOTHING

    assert asks(book)[0] == price("0.50")


def test_a_snapshot_of_one_outcome_is_compared_with_that_outcomes_time() -> None:
    book = a_ready_book()
    book.update(update(("yes_ask", "0.50", "1"), exchange_ms=EXCHANGE_MS + 9, whole=False))

    assert book.snapshot(no_snapshot(exchange_ms=EXCHANGE_MS + 1, no_asks=(("0.58", "1"),))) is Effect.CHANGED

    assert asks(book) == (price("0.50"), price("0.58"))


def test_a_lost_book_is_not_healed_by_what_is_older_than_it_was() -> None:
    book = a_ready_book()
    book.update(update(("yes_ask", "0.50", "1"), exchange_ms=EXCHANGE_MS + 2))
    book.lose(NotReady.BAD_FRAME, 1)

    assert book.snapshot(snapshot(exchange_ms=EXCHANGE_MS + 1, source=Source.REST)) is Effect.LOST
    assert book.not_ready is NotReady.BAD_FRAME

    assert book.snapshot(snapshot(exchange_ms=EXCHANGE_MS + 2, source=Source.REST)) is Effect.HEALED


def test_an_answer_that_was_asked_for_before_the_loss_does_not_heal_it() -> None:
    book = a_ready_book()
    book.lose(NotReady.BAD_FRAME, 1, BootNs(500))

    asked_before = snapshot(source=Source.REST, asked_at=499)
    assert book.snapshot(asked_before) is Effect.LOST
    assert book.not_ready is NotReady.BAD_FRAME

    assert book.snapshot(snapshot(source=Source.REST, asked_at=500)) is Effect.HEALED
    assert book.snapshot(asked_before) is Effect.CHANGED


def test_an_undated_rest_answer_never_replaces_a_ready_book() -> None:
    book = a_ready_book()

    assert book.snapshot(snapshot(exchange_ms=None, source=Source.REST, yes_asks=())) is Effect.NOTHING

    assert asks(book)[0] == price("0.55")


def test_an_undated_snapshot_in_the_stream_contains_what_came_before_it() -> None:
    book = a_book()
    book.update(update(("yes_ask", "0.50", "1"), exchange_ms=None))

    book.snapshot(snapshot(exchange_ms=None))

    assert asks(book)[0] == price("0.55")


def test_unnumbered_differences_are_not_added_to_a_rest_answer_that_may_contain_them() -> None:
    book = a_book()
    book.update(update(("yes_ask", "0.55", "5"), relative=True, exchange_ms=EXCHANGE_MS + 2))

    assert book.snapshot(snapshot(exchange_ms=EXCHANGE_MS + 1, source=Source.REST)) is Effect.LOST
    assert book.not_ready is NotReady.GAP

    assert book.snapshot(snapshot(exchange_ms=EXCHANGE_MS + 1)) is Effect.HEALED
    assert book.top().yes_ask_size == shares("100")


# -- losing


@pytest.mark.parametrize("reason", [NotReady.GAP, NotReady.BAD_FRAME, NotReady.TICK_CHANGE, NotReady.SILENT])
def test_a_loss_says_its_reason_and_shows_at_once(reason: NotReady) -> None:
    book = a_ready_book()

    assert book.lose(reason, 1) is Effect.LOST

    assert book.top().not_ready is reason
    assert book.counts.lost == 1


def test_a_hole_in_what_is_kept_drops_it_and_wants_a_newer_snapshot() -> None:
    book = a_book()
    book.update(update(("yes_ask", "0.50", "1"), exchange_ms=EXCHANGE_MS + 5))

    assert book.lose(NotReady.BAD_FRAME, 1) is Effect.LOST
    book.update(update(("yes_ask", "0.52", "1"), exchange_ms=EXCHANGE_MS + 7))

    assert book.snapshot(snapshot(exchange_ms=EXCHANGE_MS + 4, source=Source.REST)) is Effect.LOST
    assert book.snapshot(snapshot(exchange_ms=EXCHANGE_MS + 6, source=Source.REST)) is Effect.HEALED
    assert asks(book)[0] == price("0.52")


def test_too_many_kept_changes_are_dropped_and_the_snapshot_is_asked_for_again() -> None:
    book = a_book()
    for seq in range(1, PENDING_MAX + 1):
        assert book.update(update(seq=seq)) is Effect.NOTHING

    assert book.update(update(seq=PENDING_MAX + 1)) is Effect.LOST

    assert book.not_ready is NotReady.OVERFLOW
    assert book.counts.overflows == 1
    assert book.snapshot(snapshot(seq=PENDING_MAX)) is Effect.LOST
    assert book.snapshot(snapshot(seq=PENDING_MAX + 1)) is Effect.HEALED


def test_kept_changes_stay_bounded_however_long_the_snapshot_takes() -> None:
    book = a_book()

    for seq in range(1, 5 * PENDING_MAX):
        book.update(update(("yes_ask", "0.50", "1"), seq=seq))
        assert len(book._pending) <= PENDING_MAX


# -- generations


def test_a_new_connection_voids_everything_the_old_one_told() -> None:
    book = a_ready_book(seq=10)

    book.begin(2)

    assert book.top().not_ready is NotReady.NO_SNAPSHOT
    assert book.update(update(("yes_ask", "0.50", "1"), generation=1, seq=11)) is Effect.NOTHING
    assert book.snapshot(snapshot(generation=1, seq=11)) is Effect.NOTHING
    assert book.lose(NotReady.SILENT, 1) is Effect.NOTHING
    assert book.alive(alive(generation=1)) is Effect.NOTHING
    assert book.counts.old_generation == 3
    assert book.not_ready is NotReady.NO_SNAPSHOT


def test_the_numbering_of_the_old_connection_does_not_outlive_it() -> None:
    book = a_ready_book(seq=1_000)

    book.begin(2)
    book.update(update(("yes_ask", "0.50", "1"), generation=2, seq=4))

    assert book.snapshot(snapshot(generation=2, seq=3)) is Effect.HEALED
    assert (asks(book)[0], book.seq) == (price("0.50"), 4)


def test_the_exchange_times_of_the_old_connection_do_not_outlive_it() -> None:
    book = a_ready_book()

    book.begin(2)

    assert book.snapshot(snapshot(generation=2, exchange_ms=EXCHANGE_MS - 60_000)) is Effect.HEALED


@pytest.mark.parametrize("generation", [0, 1, 2])
def test_nothing_that_is_under_way_heals_a_book_without_a_feed(generation: int) -> None:
    book = a_ready_book(seq=10)

    book.disconnect()

    assert book.top().not_ready is NotReady.FEED_DOWN
    assert book.snapshot(snapshot(generation=generation, seq=99, source=Source.REST)) is Effect.NOTHING
    assert book.update(update(generation=generation, seq=100)) is Effect.NOTHING
    assert book.alive(alive(generation=generation)) is Effect.NOTHING
    assert book.lose(NotReady.SILENT, generation) is Effect.NOTHING
    assert book.top().not_ready is NotReady.FEED_DOWN


# -- evidence


def test_a_heartbeat_with_our_number_is_evidence() -> None:
    book = a_ready_book(seq=10)

    assert book.alive(alive(seq=10, at=123)) is Effect.CHANGED

    assert book.top().evidence_at == 123
    assert book.top().received_at != 123


def test_a_heartbeat_ahead_of_us_is_a_gap() -> None:
    book = a_ready_book(seq=10)

    assert book.alive(alive(seq=12)) is Effect.LOST

    assert book.not_ready is NotReady.GAP
    assert book.snapshot(snapshot(seq=11, source=Source.REST)) is Effect.LOST
    assert book.snapshot(snapshot(seq=12, source=Source.REST)) is Effect.HEALED


def test_a_heartbeat_never_makes_a_lost_book_ready() -> None:
    book = a_ready_book(seq=10)
    book.lose(NotReady.SILENT, 1)

    assert book.alive(alive(seq=10)) is Effect.NOTHING

    assert book.not_ready is NotReady.SILENT


def test_a_heartbeat_changes_the_lag_only_if_it_measured_one() -> None:
    book = a_ready_book()
    book.update(update(lag_ms=900))

    book.alive(alive(lag_ms=None))
    assert book.top().lag_ms == 900

    book.alive(alive(lag_ms=3))
    assert book.top().lag_ms == 3


def test_each_outcome_carries_the_time_of_what_was_last_said_about_it() -> None:
    book = a_ready_book()

    book.update(update(("yes_ask", "0.50", "1"), exchange_ms=EXCHANGE_MS + 1, whole=False))
    assert (book.top().yes_as_of_ms, book.top().no_as_of_ms) == (EXCHANGE_MS + 1, EXCHANGE_MS)

    book.update(update(("yes_ask", "0.51", "1"), exchange_ms=EXCHANGE_MS + 2, whole=True))
    assert (book.top().yes_as_of_ms, book.top().no_as_of_ms) == (EXCHANGE_MS + 2, EXCHANGE_MS + 2)


# -- intact and confirmed


def test_a_unified_book_is_intact_while_its_outcomes_mirror_each_other() -> None:
    book = a_book(unified=True)
    book.snapshot(snapshot(no_bids=(("0.45", "100"),), no_asks=(("0.55", "100"),)))
    assert book.top().intact

    book.update(update(("yes_ask", "0.54", "30")))
    assert not book.top().intact

    book.update(update(("no_bid", "0.46", "30")))
    assert book.top().intact

    book.update(update(("yes_ask", "0.54", "31")))
    assert not book.top().intact


def test_an_empty_side_mirrors_an_empty_side_only() -> None:
    book = a_book(unified=True)
    book.snapshot(snapshot(yes_asks=(), no_bids=(), no_asks=(("0.55", "100"),)))
    assert book.top().intact

    book.update(update(("yes_ask", "0.60", "1")))
    assert not book.top().intact


def test_separate_books_need_no_mirror() -> None:
    book = a_ready_book()

    assert book.top().intact


def test_a_best_price_that_the_venue_disputes_makes_the_book_not_intact_until_it_agrees() -> None:
    book = a_ready_book()

    book.update(update(claimed=[("yes_ask", "0.54")]))
    assert not book.top().intact
    assert book.counts.claims_wrong == 1

    book.update(update(claimed=[("no_ask", "0.56")]))
    assert not book.top().intact

    book.update(update(("yes_ask", "0.54", "1"), claimed=[("yes_ask", "0.54")]))
    assert book.top().intact


def test_a_claimed_empty_side_agrees_with_an_empty_side() -> None:
    book = a_ready_book()

    book.update(update(("yes_ask", "0.55", "0"), claimed=[("yes_ask", "0")]))
    assert book.top().intact

    book.update(update(("yes_ask", "0.55", "1"), claimed=[("yes_ask", "0")]))
    assert not book.top().intact


def test_a_snapshot_settles_the_disputes_of_the_outcome_that_it_speaks_for() -> None:
    book = a_ready_book()
    book.update(update(claimed=[("yes_ask", "0.54"), ("no_ask", "0.57")]))

    book.snapshot(yes_snapshot())
    assert not book.top().intact

    book.snapshot(no_snapshot())
    assert book.top().intact


def test_a_top_is_confirmed_from_a_snapshot_of_both_outcomes_until_a_best_price_moves() -> None:
    book = a_ready_book()
    assert book.top().confirmed

    book.update(update(("yes_ask", "0.70", "5"), ("yes_ask", "0.55", "50")))
    assert book.top().confirmed

    book.update(update(("yes_ask", "0.54", "5")))
    assert not book.top().confirmed

    book.snapshot(snapshot(yes_asks=(("0.54", "5"),)))
    assert book.top().confirmed


def test_a_best_price_that_leaves_also_ends_the_confirmation() -> None:
    book = a_ready_book()

    book.update(update(("yes_ask", "0.55", "0")))

    assert not book.top().confirmed


def test_snapshots_of_one_outcome_each_do_not_confirm() -> None:
    book = a_book()
    book.snapshot(yes_snapshot())
    book.snapshot(no_snapshot())

    assert not book.top().confirmed


def test_a_confirmation_does_not_outlive_a_loss() -> None:
    book = a_ready_book()
    book.lose(NotReady.BAD_FRAME, 1)

    book.snapshot(yes_snapshot())
    book.snapshot(no_snapshot())

    assert book.top().not_ready is None
    assert not book.top().confirmed


def test_a_snapshot_of_one_outcome_that_moves_its_best_price_ends_the_confirmation() -> None:
    book = a_ready_book()

    book.snapshot(yes_snapshot())
    assert book.top().confirmed

    book.snapshot(yes_snapshot(yes_asks=(("0.52", "1"),)))
    assert not book.top().confirmed


def test_a_replayed_change_of_a_best_price_leaves_the_healed_book_unconfirmed() -> None:
    book = a_book()
    book.update(update(("yes_ask", "0.50", "1"), seq=2))

    book.snapshot(snapshot(seq=1))

    assert not book.top().confirmed


# -- comparing snapshots (design section 8)


def test_a_snapshot_after_changes_is_checked_against_the_maintained_book() -> None:
    book = a_ready_book()
    assert not book.check(snapshot()).checked

    book.update(update(("yes_ask", "0.54", "5")))

    right = book.check(snapshot(yes_asks=(("0.55", "100"), ("0.54", "5"), ("0.60", "0"))))
    wrong = book.check(snapshot(yes_asks=(("0.55", "100"), ("0.54", "6"))))
    assert (right.checked, right.equal) == (True, True)
    assert (wrong.checked, wrong.equal) == (True, False)


def test_an_emptied_book_is_not_a_difference() -> None:
    book = a_ready_book()
    book.update(update(("yes_ask", "0.54", "5")))

    check = book.check(snapshot(yes_bids=(), yes_asks=(), no_bids=(), no_asks=()))

    assert check.emptied
    assert not check.checked


def test_books_of_different_numbers_or_connections_are_not_compared() -> None:
    book = a_ready_book(seq=10)
    book.update(update(("yes_ask", "0.54", "5"), seq=11))

    assert not book.check(snapshot(seq=12)).checked
    assert not book.check(snapshot(seq=11, generation=2)).checked
    assert book.check(snapshot(seq=11)).checked
    book.lose(NotReady.SILENT, 1)
    assert not book.check(snapshot(seq=11)).checked


# -- tops


def test_each_top_is_a_new_version() -> None:
    book = a_ready_book()

    assert [book.top().version for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("sides", "crossed"),
    [
        ({}, False),
        ({"yes_bid": "0.47"}, True),
        ({"yes_bid": "0.48"}, True),
        ({"no_bid": "0.48"}, True),
        ({"yes_bid": None, "no_bid": None}, False),
        ({"yes_ask": None, "yes_bid": "0.99"}, False),
    ],
)
def test_a_bid_that_reaches_its_ask_is_crossed(sides: dict[str, str | None], crossed: bool) -> None:
    assert a_top(**sides).crossed is crossed  # type: ignore[arg-type]


def test_a_top_answers_by_outcome() -> None:
    top = a_top(yes_ask="0.47", no_ask="0.48", yes_size="1", no_size="2", no_as_of_ms=7)

    assert [top.ask(o) for o in Outcome] == [price("0.47"), price("0.48")]
    assert [top.ask_size(o) for o in Outcome] == [shares("1"), shares("2")]
    assert [top.bid(o) for o in Outcome] == [price("0.45"), price("0.46")]
    assert [top.bid_size(o) for o in Outcome] == [shares("100")] * 2
    assert top.as_of_ms(Outcome.NO) == 7


def test_the_sides_are_numbered_bids_even_and_yes_first() -> None:
    assert (YES_BID, YES_ASK, NO_ASK) == (0, 1, 3)
