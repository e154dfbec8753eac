"""What the writer promises: one chain over all rows, intents in one transaction, fills as a fold, nothing dropped."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.ledger.connection import Ledger, open_reader
from adapters.ledger.errors import AlreadyCommittedError
from adapters.ledger.inserts import BATCH
from adapters.ledger.verify import verify_chain
from models.clock import WallNs
from models.messages import EpisodeEnded, MinuteCounted, TickSampled
from models.money import MicroUsd
from models.orders import Fill, FillState, VenueOrderId, commit_seal
from models.rows import FillsDisagreeError, OrderAdopted, join_fills
from tests.adapters.ledger.ledger_rows import (
    SET,
    T0,
    a_change,
    a_config,
    a_fill,
    a_run,
    a_set_terms,
    a_skip,
    a_top,
    a_trade,
    an_attempt,
    an_intent,
    write_success,
)

AT = WallNs(T0)


def rows_of(ledger: Ledger, query: str) -> list[tuple[object, ...]]:
    reader = open_reader(ledger.path)
    try:
        return reader.execute(query).fetchall()
    finally:
        reader.close()


def verified(ledger: Ledger) -> int:
    reader = open_reader(ledger.path)
    try:
        return verify_chain(ledger.path, reader).seq
    finally:
        reader.close()


def test_rows_of_all_tables_form_one_chain_without_holes(ledger: Ledger) -> None:
    write_success(ledger.writer)
    ledger.writer.take(a_skip(2), AT)
    ledger.writer.take(TickSampled(at=AT, top=a_top()), AT)
    counted = MinuteCounted(set_id=SET, minute=5, updates=9, evaluations=8, sum_cost_counts=((97, 3), (103, 5)))
    ledger.writer.take(counted, AT)
    ended = EpisodeEnded(
        episode_id="e-1", set_id=SET, began=AT, ended=AT, best_edge=MicroUsd(1), rows=1, verdict="real"
    )
    ledger.writer.take(ended, AT)

    ledger.writer.flush(AT)

    assert verified(ledger) == ledger.writer.head.seq == 2 + 1 + 3 + 4 + 1 + 4
    assert ledger.writer.trouble == []


def test_a_large_batch_is_written_whole_and_verifies(ledger: Ledger) -> None:
    for number in range(3 * BATCH + 5):
        ledger.writer.take(a_skip(number), AT)

    ledger.writer.flush(AT, sync=False)

    assert rows_of(ledger, "SELECT count(*) FROM opportunities") == [(3 * BATCH + 5,)]
    assert rows_of(ledger, "SELECT count(*) FROM opportunity_legs") == [(2 * (3 * BATCH + 5),)]
    assert verified(ledger) == ledger.writer.head.seq


def test_a_committed_intent_names_its_row_and_carries_its_seal(ledger: Ledger) -> None:
    intents = (an_intent(leg=0), an_intent(leg=1))
    ledger.writer.take(a_trade(), AT)

    committed = ledger.writer.commit(intents, (an_attempt(),), AT)

    stored = rows_of(ledger, "SELECT seq, client_order_id FROM order_intents ORDER BY seq")
    assert [(c.ledger_seq, c.intent.client_order_id) for c in committed] == stored
    assert [c.row_hash for c in committed] == [
        commit_seal(i, c.ledger_seq) for i, c in zip(intents, committed, strict=True)
    ]
    assert ledger.writer.synced == ledger.writer.head


def test_an_intent_takes_the_rows_that_it_depends_on_along_and_leaves_the_bulk_behind(ledger: Ledger) -> None:
    ledger.writer.take(a_skip(5), AT)
    ledger.writer.take(a_trade(1), AT)

    ledger.writer.commit((an_intent(),), (an_attempt(),), AT)

    assert rows_of(ledger, "SELECT decision FROM opportunities") == [("traded",)]
    assert ledger.writer.waiting == 1


def test_the_same_intent_is_never_committed_twice(ledger: Ledger) -> None:
    ledger.writer.take(a_trade(), AT)
    ledger.writer.commit((an_intent(),), (an_attempt(),), AT)

    with pytest.raises(AlreadyCommittedError):
        ledger.writer.commit((an_intent(),), (), AT)

    assert rows_of(ledger, "SELECT count(*) FROM order_intents") == [(1,)]
    assert verified(ledger) == ledger.writer.head.seq


def test_a_repeated_intent_does_not_take_innocent_rows_down_with_it(ledger: Ledger) -> None:
    ledger.writer.take(a_trade(), AT)
    ledger.writer.commit((an_intent(),), (an_attempt(),), AT)
    ledger.writer.take(a_fill(an_intent()), AT)

    with pytest.raises(AlreadyCommittedError):
        ledger.writer.commit((an_intent(),), (), AT)

    assert rows_of(ledger, "SELECT count(*) FROM fills") == [(1,)]


def test_a_row_that_the_schema_refuses_becomes_an_event_and_the_rest_is_kept(ledger: Ledger) -> None:
    ledger.writer.take(a_change("nobody"), AT)
    ledger.writer.take(a_skip(3), AT)

    ledger.writer.flush(AT)

    assert len(ledger.writer.trouble) == 1
    assert rows_of(ledger, "SELECT count(*) FROM opportunities") == [(1,)]
    [(text, facts)] = rows_of(ledger, "SELECT text, facts FROM events WHERE kind = 'refused_row'")
    assert "FOREIGN KEY" in str(text)
    assert "nobody" in str(facts)


def test_an_opportunity_of_a_set_without_recorded_terms_is_refused_loudly(ledger: Ledger) -> None:
    stranger = a_set_terms("elsewhere")

    ledger.writer.take(a_skip(3, terms=stranger), AT)
    ledger.writer.flush(AT)

    assert "no recorded terms" in ledger.writer.trouble[0]
    assert rows_of(ledger, "SELECT count(*) FROM events WHERE kind = 'refused_row'") == [(1,)]


def test_a_row_of_a_class_without_a_table_is_a_programming_error(ledger: Ledger) -> None:
    with pytest.raises(TypeError, match="no table for str"):
        ledger.writer.take("not a row", AT)


def test_a_refused_trade_is_a_skip_with_the_word_of_risk(ledger: Ledger) -> None:
    ledger.writer.take(a_trade(1, attempt=None, spent_today=MicroUsd(495_000_000)), AT)

    ledger.writer.flush(AT)

    [(decision, reason, attempt)] = rows_of(ledger, "SELECT decision, reason, attempt_id FROM opportunities")
    assert (decision, reason, attempt) == ("skipped", "daily_notional", None)


def test_one_configuration_is_stored_once_however_often_the_bot_starts(ledger: Ledger) -> None:
    ledger.writer.take(a_config(), AT)
    ledger.writer.take(a_config(), AT)
    ledger.writer.take(a_run(a_config(), "run-2"), AT)
    other = a_config(effective='{"a":1}')
    ledger.writer.take(other, AT)
    ledger.writer.take(a_run(other, "run-3"), AT)

    ledger.writer.flush(AT)

    assert rows_of(ledger, "SELECT count(*) FROM configs") == [(2,)]
    assert rows_of(ledger, "SELECT count(*) FROM runs") == [(3,)]


def test_an_order_found_at_the_venue_is_an_order_without_an_intent_of_ours(ledger: Ledger) -> None:
    ledger.writer.take(an_attempt(opportunity=None), AT)
    ledger.writer.take(OrderAdopted(intent=an_intent(), venue_order_id=VenueOrderId("v-9"), at=AT), AT)

    ledger.writer.flush(AT)

    assert rows_of(ledger, "SELECT order_id, adopted, status FROM orders") == [("v-9", 1, "live")]


# -- fills


REPORTS = st.lists(
    st.tuples(st.sampled_from(FillState), st.sampled_from([None, 2_500])), min_size=1, max_size=4
).flatmap(lambda reports: st.tuples(st.just(reports), st.permutations(reports)))


@given(REPORTS)
def test_joining_reports_gives_the_same_fill_in_any_order_and_any_number(
    case: tuple[list[tuple[FillState, int | None]], list[tuple[FillState, int | None]]],
) -> None:
    def joined(reports: list[tuple[FillState, int | None]]) -> Fill:
        fills = [a_fill(an_intent(), state=s, fee=None if f is None else MicroUsd(f)).fill for s, f in reports]
        known = fills[0]
        for fill in fills[1:] + fills:
            known = join_fills(known, fill)
        return known

    one, other = case
    assert joined(one) == joined(other)


def test_a_fill_told_three_times_is_one_fill_and_one_row(ledger: Ledger) -> None:
    write_success(ledger.writer)
    again = a_fill(an_intent(), "t-a-1")

    for _ in range(3):
        ledger.writer.take(again, AT)
    ledger.writer.flush(AT)

    assert rows_of(ledger, "SELECT count(*) FROM fill_reports") == [(2,)]  # one per leg


def test_a_reversal_is_a_new_row_and_the_view_shows_it(ledger: Ledger) -> None:
    write_success(ledger.writer)

    ledger.writer.take(a_fill(an_intent(), "t-a-1", state=FillState.REVERSED), AT)
    ledger.writer.take(a_fill(an_intent(), "t-a-1", state=FillState.PROVISIONAL), AT)
    ledger.writer.flush(AT)

    assert rows_of(ledger, "SELECT state FROM fills WHERE leg = 0") == [("reversed",)]
    assert rows_of(ledger, "SELECT count(*) FROM fill_reports") == [(3,)]


def test_a_late_fee_is_news_even_from_an_early_report(ledger: Ledger) -> None:
    ledger.writer.take(a_trade(), AT)
    ledger.writer.commit((an_intent(),), (an_attempt(),), AT)
    ledger.writer.take(a_fill(an_intent(), fee=None), AT)
    ledger.writer.flush(AT)

    ledger.writer.take(a_fill(an_intent(), fee=MicroUsd(9), state=FillState.PROVISIONAL), AT)
    ledger.writer.flush(AT)

    assert rows_of(ledger, "SELECT fee, state FROM fills") == [(9, "final")]


def test_fills_are_joined_with_what_an_earlier_process_stored(ledger: Ledger) -> None:
    write_success(ledger.writer)
    ledger.writer._fills._known.clear()

    ledger.writer.take(a_fill(an_intent(), "t-a-1"), AT)
    ledger.writer.flush(AT)

    assert rows_of(ledger, "SELECT count(*) FROM fill_reports") == [(2,)]


def test_two_prices_for_one_trade_are_a_loud_contradiction(ledger: Ledger) -> None:
    write_success(ledger.writer)
    told = a_fill(an_intent(), "t-a-1", size=an_intent().size - 1)

    ledger.writer.take(told, AT)
    ledger.writer.flush(AT)

    assert "t-a-1-0" in ledger.writer.trouble[0]
    assert rows_of(ledger, "SELECT filled_size FROM fills WHERE leg = 0") == [(10_000_000,)]


def test_joining_fills_refuses_different_executions() -> None:
    fill = a_fill(an_intent()).fill

    with pytest.raises(FillsDisagreeError):
        join_fills(fill, replace(fill, price=fill.price + 1))


def test_no_row_can_be_changed_or_removed_unnoticed_by_a_reader_connection(ledger: Ledger) -> None:
    reader = open_reader(ledger.path)

    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM configs")
    reader.close()
