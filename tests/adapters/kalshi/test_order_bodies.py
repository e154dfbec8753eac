"""Orders as bytes: the sheet's own example, every direction, and what cannot be said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.kalshi.order_wire import batch_body, book_side, create_body, outcome_of, own_id, wire_id
from models.market import Action, Outcome
from models.money import MicroShares, PriceMicros
from models.orders import AttemptId, ClientOrderId, Purpose, TimeInForce, derive_client_order_id
from tests.adapters.kalshi.private import OWN, SOLD, an_intent
from tests.factories import price, shares


def test_the_sheets_order_is_made_to_the_byte() -> None:
    """Ten NO at 0.35, all or nothing: an `ask` at 0.65 (kalshi.md 6.2)."""
    intent = an_intent(
        client_order_id=ClientOrderId("a3f0c6c2-6c52-4a0e-9b1b-1d1f4a0c0001"),
        outcome=Outcome.NO,
        limit_price=price("0.35"),
        size=shares("10"),
        time_in_force=TimeInForce.FOK,
    )

    assert create_body(intent, 0) == (
        b'{"ticker":"KXSIM-26DEC31-A","client_order_id":"a3f0c6c2-6c52-4a0e-9b1b-1d1f4a0c0001","side":"ask",'
        b'"count":"10.00","price":"0.6500","time_in_force":"fill_or_kill",'
        b'"self_trade_prevention_type":"taker_at_cross","cancel_order_on_pause":true,"exchange_index":0}'
    )


def body(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(create_body(an_intent(**changes), 2))
    return found


@pytest.mark.parametrize(
    ("outcome", "action", "own_price", "side", "yes_price"),
    [
        (Outcome.YES, Action.BUY, "0.43", "bid", "0.4300"),
        (Outcome.YES, Action.SELL, "0.43", "ask", "0.4300"),
        (Outcome.NO, Action.BUY, "0.35", "ask", "0.6500"),
        (Outcome.NO, Action.SELL, "0.35", "bid", "0.6500"),
        (Outcome.NO, Action.BUY, "0.0015", "ask", "0.9985"),
    ],
)
def test_every_direction_is_quoted_from_the_yes_side(
    outcome: Outcome, action: Action, own_price: str, side: str, yes_price: str
) -> None:
    made = body(outcome=outcome, action=action, limit_price=price(own_price))

    assert (made["side"], made["price"], made["count"], made["exchange_index"]) == (side, yes_price, "4.00", 2)


@pytest.mark.parametrize(
    ("time_in_force", "word"),
    [
        (TimeInForce.IOC, "immediate_or_cancel"),
        (TimeInForce.FOK, "fill_or_kill"),
        (TimeInForce.GTC, "good_till_canceled"),
    ],
)
def test_the_time_in_force_is_always_said(time_in_force: TimeInForce, word: str) -> None:
    assert body(time_in_force=time_in_force)["time_in_force"] == word


def test_an_unwind_can_only_reduce() -> None:
    unwind = body(action=Action.SELL, purpose=Purpose.UNWIND)

    assert unwind["reduce_only"] is True
    assert "reduce_only" not in body(action=Action.SELL, time_in_force=TimeInForce.GTC), "taken with IOC only"
    assert "reduce_only" not in body()


def test_only_an_opening_order_stands_in_the_order_group() -> None:
    assert json.loads(create_body(an_intent(), 0, "g-1"))["order_group_id"] == "g-1"
    for purpose in (Purpose.COMPLETE, Purpose.UNWIND):
        assert "order_group_id" not in json.loads(create_body(an_intent(purpose=purpose), 0, "g-1"))


def test_a_subaccount_is_named_where_there_is_one() -> None:
    assert json.loads(create_body(an_intent(), 0, None, 3))["subaccount"] == 3
    assert "subaccount" not in body()


def test_a_batch_is_its_orders_bytes() -> None:
    one, two = create_body(an_intent(), 0), create_body(an_intent(outcome=Outcome.NO), 0)

    assert batch_body([one, two]) == b'{"orders":[' + one + b"," + two + b"]}"


@pytest.mark.parametrize(
    "changes", [{"limit_price": PriceMicros(430_050)}, {"size": MicroShares(4_005_000)}, {"size": MicroShares(1)}]
)
def test_what_the_venue_cannot_be_told_exactly_is_not_sent(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="four decimals"):
        create_body(an_intent(**changes), 0)


# -- names


def test_a_sale_goes_out_under_an_id_that_says_so_and_comes_back_as_ours() -> None:
    assert wire_id(an_intent()) == OWN
    assert wire_id(an_intent(action=Action.SELL)) == SOLD
    assert own_id(OWN) == own_id(SOLD) == OWN


@given(st.text(min_size=1), st.integers(0, 9), st.integers(0, 99), st.sampled_from(Outcome), st.sampled_from(Action))
def test_the_id_and_the_side_tell_the_outcome_of_every_order_of_ours(
    attempt: str, leg: int, sequence: int, outcome: Outcome, action: Action
) -> None:
    own = derive_client_order_id(AttemptId(attempt), leg, sequence)
    wire = wire_id(an_intent(client_order_id=own, outcome=outcome, action=action))

    assert own_id(wire) == own
    assert outcome_of(wire, book_side(outcome, action)) is outcome


def test_an_id_that_is_not_ours_counts_as_a_purchase() -> None:
    assert outcome_of("web-order", "bid") is Outcome.YES
    assert outcome_of("", "ask") is Outcome.NO
    assert own_id("web-order") == "web-order"
