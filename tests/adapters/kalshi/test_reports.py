"""Fills, orders, positions: exact, in our own leg, and the same from REST and from the stream."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.kalshi.order_wire import FillRow, OrderRow, PositionRow
from adapters.kalshi.reports import Owner, Owners, fill_of, order_seen, owner_of, position_of
from adapters.kalshi.user_session import KalshiUserSession
from models.clock import BootNs
from models.market import MarketId, Outcome
from models.messages import FillSeen, OrderUpdated
from models.money import MoneyError
from models.orders import Fill, FillState, VenueOrderId, VenueOrderStatus
from tests.adapters.kalshi.examples import TS
from tests.adapters.kalshi.private import ORDER, OWN, SOLD, a_fill_row, an_order_row, fill_news, order_news
from tests.factories import price, shares, usd


def row(**changes: Any) -> FillRow:
    return msgspec.convert(a_fill_row(**changes), FillRow)


def a_session(*, made: bool = True) -> KalshiUserSession:
    owners = Owners()
    if made:
        owners.make(OWN)
    return KalshiUserSession(owners)


def told(session: KalshiUserSession, frame: object) -> list[Any]:
    raw = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    return list(session.on_text(raw, BootNs(7)))


# -- fills


def test_an_execution_is_final_exact_and_in_the_orders_own_leg() -> None:
    bought = fill_of(row(), Owner(OWN, Outcome.YES))
    no = fill_of(row(book_side="ask", yes_price_dollars="0.6500"), Owner(OWN, Outcome.NO))

    assert bought == Fill(
        venue_trade_id="t-1",
        client_order_id=OWN,
        venue_order_id=VenueOrderId(ORDER),
        size=shares("4"),
        price=price("0.43"),
        fee=usd("0.0687"),
        state=FillState.FINAL,
        exchange_ms=1_795_341_600_123,
    )
    assert no.price == price("0.35")


def test_selling_yes_and_buying_no_are_told_apart_by_the_orders_id() -> None:
    sold = owner_of(msgspec.convert(an_order_row(client_order_id=SOLD, book_side="ask"), OrderRow))
    bought_no = owner_of(msgspec.convert(an_order_row(book_side="ask"), OrderRow))

    assert sold == Owner(OWN, Outcome.YES)
    assert bought_no == Owner(OWN, Outcome.NO)
    assert fill_of(row(book_side="ask", yes_price_dollars="0.6500"), sold).price == price("0.65")


def test_an_execution_of_an_unknown_order_carries_the_venues_id() -> None:
    fill = fill_of(row(book_side="ask"), None)

    assert (str(fill.client_order_id), fill.venue_order_id, fill.price) == (str(ORDER), ORDER, price("0.57"))


@pytest.mark.parametrize(
    "changes",
    [
        {"count_fp": "-1.00"},
        {"yes_price_dollars": "1.0000"},
        {"fee_cost": "-0.01"},
        {"fee_cost": "x"},
        {"created_time": "noon"},
        {"created_time": "2026-11-22T10:00:00.123"},
    ],
)
def test_an_execution_that_cannot_be_is_no_execution(changes: dict[str, str]) -> None:
    with pytest.raises(MoneyError):
        fill_of(row(**changes), None)


# -- orders and positions


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("resting", VenueOrderStatus.LIVE),
        ("canceled", VenueOrderStatus.DONE),
        ("executed", VenueOrderStatus.DONE),
    ],
)
def test_an_order_rests_or_has_ended(status: str, expected: VenueOrderStatus) -> None:
    seen = order_seen(msgspec.convert(an_order_row(status=status, last_update_reason="Trade"), OrderRow))

    assert seen is not None
    assert (seen.status, seen.filled, seen.client_order_id) == (expected, shares("4"), OWN)


def test_an_unknown_status_says_nothing() -> None:
    assert order_seen(msgspec.convert(an_order_row(status="unknown"), OrderRow)) is None


@pytest.mark.parametrize(
    ("count", "outcome", "size"),
    [("10.00", Outcome.YES, "10"), ("-0.32", Outcome.NO, "0.32")],
)
def test_a_position_is_one_signed_number(count: str, outcome: Outcome, size: str) -> None:
    position = position_of(PositionRow("KX-1", count))

    assert position is not None
    assert (position.market_id, position.outcome, position.size) == (MarketId("KX-1"), outcome, shares(size))


def test_nothing_is_held_of_a_position_of_zero() -> None:
    assert position_of(PositionRow("KX-1", "0.00")) is None


# -- the stream


def test_one_subscription_opens_both_channels() -> None:
    (command,) = a_session().opening()

    assert json.loads(command) == {"id": 1, "cmd": "subscribe", "params": {"channels": ["fill", "user_orders"]}}


def test_an_execution_may_come_before_the_answer_to_its_order() -> None:
    session = a_session()

    (seen,) = told(session, fill_news())

    assert isinstance(seen, FillSeen)
    assert seen.fill == Fill(
        venue_trade_id="t-1",
        client_order_id=OWN,
        venue_order_id=VenueOrderId(ORDER),
        size=shares("10"),
        price=price("0.35"),
        fee=usd("0.15925"),
        state=FillState.FINAL,
        exchange_ms=TS + 124,
    )
    (later,) = told(session, fill_news(trade_id="t-2", client_order_id=""))
    assert later.fill.client_order_id == OWN, "known by the venue's id from now on"


def test_an_orders_state_comes_under_our_own_id() -> None:
    (seen,) = told(a_session(), order_news(status="canceled", fill_count_fp="1.00", last_update_reason="HaltCancel"))

    assert isinstance(seen, OrderUpdated)
    assert (seen.seen.client_order_id, seen.seen.filled, seen.seen.reason) == (OWN, shares("1"), "HaltCancel")


@pytest.mark.parametrize("frame", [fill_news(), order_news()])
def test_news_about_an_order_that_nobody_here_made_is_left_to_the_reconcile(frame: dict[str, Any]) -> None:
    session = a_session(made=False)

    assert told(session, frame) == []
    assert session.counts.foreign == 1


@pytest.mark.parametrize(
    ("frame", "unknown", "failed"),
    [
        ({"type": "subscribed", "id": 1, "msg": {"channel": "fill", "sid": 3}}, 1, 0),
        ({"type": "market_position", "sid": 5, "msg": {}}, 1, 0),
        ({"type": "fill", "sid": 3, "msg": {}}, 0, 1),
        (fill_news(count_fp="-1"), 0, 1),
        (b"{", 0, 1),
        (b"[]", 0, 1),
    ],
)
def test_what_is_not_ours_to_read_is_counted(frame: object, unknown: int, failed: int) -> None:
    session = a_session()

    assert told(session, frame) == []
    assert (session.counts.unknown, session.counts.failed) == (unknown, failed)


@given(st.binary(max_size=60))
def test_no_bytes_make_news(frame: bytes) -> None:
    assert told(a_session(), frame) == []
