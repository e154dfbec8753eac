"""The console's lists show what the ledger holds, newest first."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.ledger import listing
from adapters.ledger.connection import Ledger
from adapters.operator.face import LedgerUnreadableError
from models.clock import WallNs
from models.money import MicroShares, MicroUsd
from models.order_life import Phase
from models.rows import Ending, PaperFilled
from tests.adapters.ledger.ledger_rows import (
    T0,
    a_change,
    a_fill,
    a_skip,
    a_trade,
    an_attempt,
    an_intent,
    an_order_change,
    write_success,
)

AT = WallNs(T0)


def test_opportunities_newest_first_and_skips_alone_on_request(ledger: Ledger) -> None:
    write_success(ledger.writer)
    ledger.writer.take(a_skip(2), AT)
    ledger.writer.flush(AT)

    both = listing.opportunities(ledger.path, 10)
    skips = listing.opportunities(ledger.path, 10, skipped_only=True)

    assert [(line.opportunity_id, line.decision, line.reason) for line in both] == [
        ("o-000002", "SKIP", "edge"),
        ("o-000001", "TRADE", ""),
    ]
    assert [line.opportunity_id for line in skips] == ["o-000002"]
    assert len(listing.opportunities(ledger.path, 1)) == 1


def test_a_complete_set_shows_the_profit_that_is_locked_and_then_the_one_that_is_booked(ledger: Ledger) -> None:
    write_success(ledger.writer)
    [locked] = listing.trades(ledger.path, 5)

    merged = a_change(realized_pnl=MicroUsd(290_000), open_position=False, resolution="merge")
    ledger.writer.take(merged, AT)
    ledger.writer.flush(AT)
    [booked] = listing.trades(ledger.path, 5)

    assert (locked.cost, locked.fees, locked.pnl) == (9_700_000, 5_000, 10_000_000 - 9_705_000)
    assert booked.pnl == 290_000


def test_a_paper_trade_shows_the_pessimistic_figures(ledger: Ledger) -> None:
    ledger.writer.take(a_trade(), AT)
    ledger.writer.take(an_attempt(mode="paper"), AT)
    for model, net in (("optimistic", 290_000), ("pessimistic", -7_000)):
        filled = PaperFilled(
            attempt_id=an_attempt().attempt_id,
            at=AT,
            model=model,
            filled=MicroShares(0),
            cost=MicroUsd(1),
            fees=MicroUsd(2),
            net_pnl=MicroUsd(net),
            note="",
        )
        ledger.writer.take(filled, AT)
    ledger.writer.flush(AT)

    [line] = listing.trades(ledger.path, 5)

    assert (line.mode, line.pnl) == ("paper", -7_000)


def test_orders_that_may_still_fill_can_be_asked_for_alone(ledger: Ledger) -> None:
    write_success(ledger.writer)
    ledger.writer.take(an_attempt("a-2", None), AT)
    waiting, unknown = an_intent("a-2", 0), an_intent("a-2", 1)
    ledger.writer.commit((waiting, unknown), (), AT)
    ledger.writer.take(an_order_change(unknown, 0, phase=Phase.UNKNOWN), AT)
    ledger.writer.flush(AT)

    lines = listing.orders(ledger.path, 10)
    still_open = listing.orders(ledger.path, 10, open_only=True)

    assert len(lines) == 4
    assert {(line.client_order_id, line.status, line.open) for line in still_open} == {
        (waiting.client_order_id, "sent", True),
        (unknown.client_order_id, "unknown", True),
    }


def test_positions_are_complete_sets_and_naked_legs(ledger: Ledger) -> None:
    write_success(ledger.writer)
    ledger.writer.take(an_attempt("a-2", None), AT)
    naked = an_intent("a-2", 0, size=MicroShares(5_000_000))
    ledger.writer.commit((naked,), (), AT)
    ledger.writer.take(a_fill(naked, "t-2"), AT)
    ledger.writer.take(a_change("a-2", ending=None, state="PARTIAL_FILL_PROTECT"), AT)
    ledger.writer.flush(AT)

    [line] = listing.positions(ledger.path)

    assert (line.sets, line.pays, line.cost, line.locked) == (10_000_000, 10_000_000, 9_705_000, 295_000)
    assert line.unpaired == ("5 YES @ 0.47",)


def test_an_unwound_leg_is_no_position(ledger: Ledger) -> None:
    write_success(ledger.writer, ending=Ending.SUCCESS, open_position=False, realized_pnl=MicroUsd(1))

    assert listing.positions(ledger.path) == []


def test_a_ledger_that_cannot_be_read_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_text("no")

    with pytest.raises(LedgerUnreadableError, match="not a ledger"):
        listing.trades(tmp_path / "x.sqlite", 5)
    with pytest.raises(LedgerUnreadableError):
        listing.trades(tmp_path / "none.sqlite", 5)
