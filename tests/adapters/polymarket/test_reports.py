"""Orders and trades as the venue reports them: whose they are, what they mean, and that they may come again."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.polymarket.order_wire import OrderRow, TradeRow
from adapters.polymarket.probe import SETTLED_NS, Absences, ended_unseen, joined
from adapters.polymarket.reports import KEPT, Owners, fill_of, order_seen, parts_of, set_aside, time_ms
from adapters.polymarket.user_session import PolymarketUserSession
from models.clock import BootNs
from models.fees import NO_FEES, FeeSchedule
from models.messages import FillSeen, OrderUpdated
from models.money import MICRO, MicroShares, MicroUsd, MoneyError, PriceMicros
from models.order_life import OrderLife, fold
from models.orders import (
    ClientOrderId,
    FillState,
    OrderNotFound,
    OrderSeen,
    TimeInForce,
    VenueOrderId,
    VenueOrderStatus,
)
from tests.adapters.polymarket.private import OTHER_ID, OWN_ID, a_maker, a_trade, an_intent, an_order_row

OWN = ClientOrderId("c-1")
FEES = FeeSchedule(name="fd", as_of="2026-11-22", rate_micros=40_000, quantum=MicroUsd(10))
AT = BootNs(7)


def trade(**changes: Any) -> TradeRow:
    return msgspec.convert(a_trade(**changes), TradeRow)


def order(**changes: Any) -> OrderRow:
    return msgspec.convert(an_order_row(**changes), OrderRow)


def ours(row: TradeRow, order_id: str = OWN_ID) -> list[tuple[int, int, bool]]:
    return [(part.size, part.price, part.taker) for part in parts_of(row) if part.order_id == order_id]


# -- trades


def test_a_taker_that_met_the_other_token_paid_the_rest_of_the_dollar() -> None:
    assert ours(trade()) == [(20 * MICRO, 518_000, True)]


def test_a_resting_order_of_ours_has_its_own_token_side_price_and_no_fee() -> None:
    row = trade()
    (part,) = [part for part in parts_of(row) if part.order_id == OTHER_ID]
    fill = fill_of(row, part, OWN, FEES)
    assert (fill.size, fill.price, fill.fee) == (20 * MICRO, 482_000, 0)
    (taker,) = [part for part in parts_of(row) if part.order_id == OWN_ID]
    assert fill_of(row, taker, OWN, None).fee is None, "unknown terms are no fee of zero"


@pytest.mark.parametrize(
    ("shares", "price", "rate", "fee"),
    [
        ("100", "0.50", 70_000, 1_750_000),
        ("100", "0.50", 40_000, 1_000_000),
        ("100", "0.10", 50_000, 450_000),
        ("100", "0.97", 50_000, 145_500),
        ("10", "0.333", 40_000, 88_850),
        ("1", "0.01", 40_000, 400),
    ],
)
def test_a_takers_fee_follows_the_published_rule(shares: str, price: str, rate: int, fee: int) -> None:
    """The sheet's table (section 9), except that our figure is rounded up to five decimals where it is not exact."""
    schedule = replace(FEES, rate_micros=rate)
    row = trade(size=shares, maker_orders=[a_maker(asset_id="71", side="SELL", price=price, matched_amount=shares)])
    (taker,) = [part for part in parts_of(row) if part.taker]
    assert fill_of(row, taker, OWN, schedule).fee == fee


def test_a_taker_that_met_the_same_token_paid_the_resting_price() -> None:
    row = trade(maker_orders=[a_maker(asset_id="71", side="SELL", price="0.51")])
    assert ours(row) == [(20 * MICRO, 510_000, True)]


def test_a_taker_that_met_several_has_one_execution_per_price_that_add_up() -> None:
    makers = [
        a_maker(order_id="0x" + "01" * 32, asset_id="71", price="0.50", matched_amount="8"),
        a_maker(order_id="0x" + "02" * 32, asset_id="52", price="0.48", matched_amount="12"),
    ]
    row = trade(maker_orders=makers)
    assert ours(row) == [(8 * MICRO, 500_000, True), (12 * MICRO, 520_000, True)]
    ids = [part.trade_id for part in parts_of(row) if part.taker]
    assert len(set(ids)) == 2
    later = trade(maker_orders=makers, status="CONFIRMED", transaction_hash="0x12")
    assert [part.trade_id for part in parts_of(later) if part.taker] == ids, "the same trade comes again"


@pytest.mark.parametrize("makers", [[], [a_maker(matched_amount="3")]])
def test_where_the_makers_do_not_explain_the_size_the_top_level_counts(makers: list[dict[str, Any]]) -> None:
    assert ours(trade(maker_orders=makers)) == [(20 * MICRO, 518_000, True)]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("MATCHED", FillState.PROVISIONAL),
        ("TRADE_STATUS_MATCHED", FillState.PROVISIONAL),
        ("MATCHED_NOT_BROADCASTED", FillState.PROVISIONAL),
        ("MINED", FillState.PROVISIONAL),
        ("RETRYING", FillState.PROVISIONAL),
        ("INVENTED", FillState.PROVISIONAL),
        ("CONFIRMED", FillState.FINAL),
        ("TRADE_STATUS_CONFIRMED", FillState.FINAL),
        ("FAILED", FillState.REVERSED),
    ],
)
def test_only_confirmed_and_failed_are_last_words(status: str, state: FillState) -> None:
    row = trade(status=status)
    assert fill_of(row, next(parts_of(row)), OWN, FEES).state is state


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1795334401", 1_795_334_401_000),
        ("1795334401500", 1_795_334_401_500),
        ("", None),
        ("yesterday", None),
        ("-1", None),
    ],
)
def test_times_are_seconds_or_milliseconds_by_their_size(text: str, ms: int | None) -> None:
    assert time_ms(text) == ms


@pytest.mark.parametrize("changes", [{"size": "-1"}, {"price": "1.2", "maker_orders": []}, {"size": "NaN"}])
def test_a_trade_that_cannot_be_true_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(MoneyError):
        list(parts_of(trade(**changes)))


def a_life() -> OrderLife:
    intent = an_intent(size=MicroShares(20 * MICRO), limit_price=PriceMicros(550_000))
    return OrderLife(intent=intent, patience_ns=1, horizon_ns=1)


def test_every_order_and_repetition_of_a_trades_statuses_gives_the_same_life() -> None:
    rows = [trade(status=status) for status in ("MATCHED", "MINED", "RETRYING", "CONFIRMED")]
    facts = [fill_of(row, part, OWN, FEES) for row in rows for part in parts_of(row) if part.order_id == OWN_ID]
    lives = set()
    for order_of_arrival in itertools.permutations([*facts, facts[0]]):
        life = a_life()
        for fact in order_of_arrival:
            life = fold(life, fact, AT)
        lives.add((life.filled, life.provisional, life.gross(), life.fees(NO_FEES), life.alarms()))
    assert lives == {(20 * MICRO, False, 10_360_000, 199_750, frozenset())}


# -- orders


@pytest.mark.parametrize(
    ("status", "matched", "expected", "filled"),
    [
        ("LIVE", "0", VenueOrderStatus.LIVE, 0),
        ("ORDER_STATUS_LIVE", "5", VenueOrderStatus.LIVE, 5),
        ("DELAYED", "0", VenueOrderStatus.PENDING, 0),
        ("UNMATCHED", "0", VenueOrderStatus.LIVE, 0),
        ("MATCHED", "20", VenueOrderStatus.DONE, 20),
        ("MATCHED", "5", VenueOrderStatus.LIVE, 5),
        ("CANCELED", "5", VenueOrderStatus.DONE, 5),
        ("CANCELED_MARKET_RESOLVED", "5", VenueOrderStatus.DONE, 5),
        ("INVALID", "0", VenueOrderStatus.DONE, 0),
    ],
)
def test_a_resting_order_is_read_in_shares(status: str, matched: str, expected: VenueOrderStatus, filled: int) -> None:
    seen = order_seen(order(status=status, size_matched=matched), OWN, resting=True)
    assert seen is not None
    assert (seen.status, seen.filled) == (expected, filled * MICRO)


def test_what_a_taking_order_filled_is_never_read_from_its_dollars() -> None:
    assert order_seen(order(status="MATCHED", size_matched="4.5"), OWN, resting=False) is None
    assert order_seen(order(status="CANCELED", size_matched="4.5"), OWN, resting=False) is None
    killed = "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."
    seen = order_seen(order(status=killed, size_matched=""), OWN, resting=False)
    assert seen is not None
    assert (seen.status, seen.filled) == (VenueOrderStatus.DONE, 0)
    assert "fully filled" in seen.reason


def test_only_open_purchases_set_cash_aside() -> None:
    assert set_aside(order()) == 15 * 560_000
    assert set_aside(order(side="SELL")) == 0
    assert set_aside(order(size_matched="20")) == 0


# -- one word from two places


def word(row: OrderRow | None, traded: float, age_ns: int = 0, **changes: Any) -> OrderSeen | OrderNotFound:
    intent = an_intent(size=MicroShares(20 * MICRO), **changes)
    return joined(intent, OWN_ID, row, MicroShares(round(traded * MICRO)), age_ns)


OLD = SETTLED_NS + 1


@pytest.mark.parametrize(
    ("row", "traded", "age_ns", "status", "filled"),
    [
        (None, 20, 0, VenueOrderStatus.DONE, 20),
        (None, 5, 0, VenueOrderStatus.LIVE, 5),
        (None, 5, OLD, VenueOrderStatus.DONE, 5),
        (order(status="MATCHED", size_matched="9", order_type="FAK"), 0, OLD, VenueOrderStatus.LIVE, 0),
        (order(status="MATCHED", size_matched="9", order_type="FAK"), 12, 0, VenueOrderStatus.LIVE, 12),
        (order(status="MATCHED", size_matched="9", order_type="FAK"), 12, OLD, VenueOrderStatus.DONE, 12),
        (order(status="MATCHED", size_matched="9", order_type="FAK"), 20, 0, VenueOrderStatus.DONE, 20),
        (order(status="CANCELED", size_matched="", order_type="FOK"), 0, 0, VenueOrderStatus.DONE, 0),
        (order(status="CANCELED", size_matched="0", order_type="FAK"), 3, 0, VenueOrderStatus.LIVE, 3),
        (order(status="DELAYED", size_matched="0", order_type="FAK"), 0, OLD, VenueOrderStatus.PENDING, 0),
        (order(status="LIVE", size_matched="0", order_type="FAK"), 0, OLD, VenueOrderStatus.LIVE, 0),
        (order(status="LIVE", size_matched="0", order_type="FAK"), 6, OLD, VenueOrderStatus.DONE, 6),
    ],
)
def test_a_taking_order_is_done_only_where_no_trade_can_be_on_its_way(
    row: OrderRow | None, traded: float, age_ns: int, status: VenueOrderStatus, filled: float
) -> None:
    seen = word(row, traded, age_ns)
    assert isinstance(seen, OrderSeen)
    assert (seen.status, seen.filled) == (status, round(filled * MICRO))


def test_neither_row_nor_trade_is_no_proof_of_absence() -> None:
    assert isinstance(word(None, 0), OrderNotFound)
    assert isinstance(word(None, 0, 1_000 * OLD), OrderNotFound)


def test_an_order_that_was_taken_and_is_shown_by_nothing_has_ended_after_the_horizon() -> None:
    """`delayed`, then killed, and the message about it lost: the venue keeps no row of it (polymarket.md 5.3). A
    resting one may have been matched a moment ago, and its trade still be hidden: so it is not its age that counts.
    """
    absences = Absences(30)
    assert not absences.over(OWN, BootNs(100), BootNs(110)), "it may only be late to show"
    assert not absences.over(OWN, BootNs(139), BootNs(150)), "less than the horizon after the first answer"
    assert absences.over(OWN, BootNs(140), BootNs(141))
    absences.shown(OWN)
    assert not absences.over(OWN, BootNs(200), BootNs(201)), "it was seen alive in between"
    seen = ended_unseen(an_intent(), VenueOrderId(OWN_ID))
    assert (seen.status, seen.filled) == (VenueOrderStatus.DONE, 0)


def test_a_resting_order_is_believed_by_its_own_row() -> None:
    seen = word(order(), 0, time_in_force=TimeInForce.GTC)
    assert isinstance(seen, OrderSeen)
    assert (seen.status, seen.filled) == (VenueOrderStatus.LIVE, 5 * MICRO)


# -- the user stream


def a_session(*known: str) -> PolymarketUserSession:
    names = Owners()
    for order_id in known or (OWN_ID,):
        names.put(order_id, OWN)
    return PolymarketUserSession({"apiKey": "k", "secret": "s", "passphrase": "p"}, names.get, lambda _: FEES)


def said(session: PolymarketUserSession, *messages: object) -> list[FillSeen | OrderUpdated]:
    return [event for message in messages for event in session.on_text(json.dumps(message).encode(), AT)]


def test_a_cancellation_ends_an_order_whatever_its_status_is_called() -> None:
    message = an_order_row(event_type="order", type="CANCELLATION", status="UNMATCHED", order_type="FAK")
    told = said(a_session(), {**message, "size_matched": "0"}, {**message, "order_type": "GTC"})
    assert [event.seen.status for event in told if isinstance(event, OrderUpdated)] == [VenueOrderStatus.DONE] * 2
    assert [event.seen.filled for event in told if isinstance(event, OrderUpdated)] == [0, 5 * MICRO]


def test_the_first_frame_carries_the_keys_and_nothing_keeps_them() -> None:
    session = a_session()
    assert session.opening() == ('{"type":"user","auth":{"apiKey":"k","secret":"s","passphrase":"p"}}',)
    assert session._auth is None
    assert repr(session) == "PolymarketUserSession()"


def test_trades_and_orders_of_ours_come_through_and_others_are_counted() -> None:
    session = a_session()
    told = said(
        session,
        a_trade(event_type="trade", type="TRADE", timestamp="1795334401500"),
        an_order_row(event_type="order", type="UPDATE", created_at="1795334400"),
        a_trade(event_type="trade", taker_order_id=OTHER_ID),
        an_order_row(event_type="order", id=OTHER_ID),
    )
    assert [type(event) for event in told] == [FillSeen, OrderUpdated]
    assert session.counts.foreign == 2
    fill = told[0]
    assert isinstance(fill, FillSeen)
    assert (fill.fill.client_order_id, fill.fill.price, fill.at) == (OWN, 518_000, AT)


def test_both_sides_of_a_trade_may_be_ours() -> None:
    told = said(a_session(OWN_ID, OTHER_ID), a_trade(event_type="trade"))
    assert len(told) == 2


def test_arrays_texts_unknown_kinds_and_broken_frames_are_told_apart() -> None:
    session = a_session()
    assert session.on_text(b"PONG", AT) == []
    assert session.on_text(b"[]", AT) == []
    assert len(said(session, [a_trade(event_type="trade"), {"event_type": "lottery"}])) == 1
    assert said(session, {"event_type": "lottery"}) == []
    assert session.on_text(b"{broken", AT) == []
    assert said(session, a_trade(event_type="trade", size="much")) == []
    assert said(session, {"event_type": "trade", "id": 5}) == []
    counts = session.counts
    assert (counts.control, counts.unknown, counts.failed, counts.frames) == (2, 2, 3, 7)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
@settings(max_examples=200)
def test_no_bytes_make_the_stream_raise(frame: bytes) -> None:
    assert a_session().on_text(frame, AT) == []


def test_a_killed_order_is_heard_of_on_the_stream_with_its_reason() -> None:
    killed = an_order_row(
        event_type="order",
        type="CANCELLATION",
        order_type="FOK",
        size_matched="",
        status="CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed.",
    )
    (event,) = said(a_session(), killed)
    assert isinstance(event, OrderUpdated)
    assert (event.seen.status, event.seen.filled) == (VenueOrderStatus.DONE, 0)


def test_the_oldest_orders_are_forgotten_first() -> None:
    owners = Owners()
    for number in range(KEPT + 1):
        owners.put(f"0x{number:X}", ClientOrderId(str(number)))
    assert owners.get("0x0") is None
    assert owners.get("0x1") == "1"
    assert owners.get(f"0x{KEPT:x}") == str(KEPT), "whatever the case of the digits"


def test_a_sale_is_read_like_a_purchase() -> None:
    row = trade(side="SELL", maker_orders=[a_maker(asset_id="71", side="BUY", price="0.51")])
    assert ours(row) == [(20 * MICRO, 510_000, True)]
