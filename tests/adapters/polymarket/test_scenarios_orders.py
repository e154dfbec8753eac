"""polymarket.md 15.2, the faults of orders, one by one, over HTTP and the user channel: what our own adapter makes of
each, and that the venue's truth is found again by the order's id.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from models.market import Action, MarketId, Outcome
from models.money import MICRO, MicroShares, PriceMicros
from models.orders import (
    Accepted,
    CancelResult,
    FillState,
    OrderIntent,
    OrderNotFound,
    OrderSeen,
    OutcomeUnknown,
    Refused,
    SubmitAnswer,
    TimeInForce,
    VenueOrderStatus,
)
from tests.adapters.polymarket.dialect_stage import CASH, DialectStage, dialect, heard
from tests.adapters.polymarket.test_scenarios_account import an_order, placed
from tests.adapters.polymarket.test_scenarios_venue import FREE, HELD, keys
from tests.polling import until
from tests.threads.orders_stage import gate, sealed

LOW = PriceMicros(300_000)


@pytest.fixture
def stage() -> Iterator[DialectStage]:
    with dialect() as running:
        running.quoted(FREE)
        yield running


def found(stage: DialectStage, intent: OrderIntent) -> OrderSeen | None:
    """What a process that never sent the order learns of it."""
    seen = stage.orders().get_order_status(intent, None)
    return seen if isinstance(seen, OrderSeen) else None


def known_by_its_digest(stage: DialectStage, intent: OrderIntent, answer: SubmitAnswer) -> bool:
    assert isinstance(answer, OutcomeUnknown), answer
    seen = found(stage, intent)
    return seen is not None and (seen.status, seen.filled) == (VenueOrderStatus.DONE, intent.size)


@contextmanager
def listening(stage: DialectStage) -> Iterator[Any]:
    with stage.socket(stage.server.user_ws_url, {"type": "user", "auth": keys(stage)}) as socket:
        streams = stage.exchange.streams
        until(lambda: any(streams._connections[c].account for c in streams.each("user")), "it has logged in")
        yield socket


def news(kind: str, **wanted: object) -> Any:
    return lambda frame: frame["event_type"] == kind and all(frame[name] == value for name, value in wanted.items())


# -- nobody knows


def test_15_2_orders_01_no_answer_to_an_order_that_was_taken(stage: DialectStage) -> None:
    stage.pull("timeout_after_accept", delay="300ms")
    intent = an_order(stage)
    assert known_by_its_digest(stage, intent, placed(stage.orders(), intent))


def test_15_2_orders_02_no_answer_to_an_order_that_never_came(stage: DialectStage) -> None:
    stage.pull("timeout_before_accept", delay="300ms")
    intent = an_order(stage)
    assert isinstance(placed(stage.orders(), intent), OutcomeUnknown)
    assert isinstance(stage.orders().get_order_status(intent, None), OrderNotFound)
    assert stage.orders().balances() == CASH * MICRO


def test_15_2_orders_03_425_with_retry_after_pauses_and_proves_nothing(stage: DialectStage) -> None:
    orders, intent = stage.orders(), an_order(stage)
    prepared = orders.prepare(intent)
    assert orders.eligibility.problem() is None
    stage.pull("restart", **{"for": "500ms", "post_only": "1ms"})
    until(lambda: stage.exchange.unavailable, "it restarts")
    raw = stage.place(stage.body(stage.listed(FREE), "BUY", "0.45", "10", "FAK"))
    assert (raw.status_code, raw.headers["Retry-After"]) == (425, "1")
    assert isinstance(orders.place_order(sealed(intent), prepared, gate()), OutcomeUnknown)
    until(lambda: not stage.exchange.unavailable, "it is back")
    kept = placed(orders, an_order(stage, 2))
    assert isinstance(kept, Refused)
    assert (kept.code, kept.by_venue) == ("rate_budget", False), "the venue asked for a second's pause"
    assert isinstance(stage.orders().get_order_status(intent, None), OrderNotFound)


def test_a_cancel_that_is_told_to_wait_pauses_openings_too(stage: DialectStage) -> None:
    orders, intent = stage.orders(), an_order(stage)
    assert orders.eligibility.problem() is None
    orders.prepare(intent)
    stage.pull("restart", **{"for": "500ms", "post_only": "1ms"})
    until(lambda: stage.exchange.unavailable, "it restarts")
    assert orders.cancel_order(intent, None).result is CancelResult.UNKNOWN
    until(lambda: not stage.exchange.unavailable, "it is back")
    kept = placed(orders, intent)
    assert isinstance(kept, Refused)
    assert (kept.code, kept.by_venue) == ("rate_budget", False), "the venue asked for a second's pause"


def test_15_2_orders_04_425_without_retry_after_proves_as_little(stage: DialectStage) -> None:
    stage.pull("too_early")
    intent = an_order(stage)
    assert isinstance(placed(stage.orders(), intent), OutcomeUnknown)
    assert isinstance(stage.orders().get_order_status(intent, None), OrderNotFound)


def test_15_2_orders_05_429_of_the_exchange_is_a_refusal(stage: DialectStage) -> None:
    stage.pull("rate_limited")
    answer = placed(stage.orders(), an_order(stage))
    assert isinstance(answer, Refused)
    assert (answer.code, answer.by_venue) == ("rate_limited", True)


def test_15_2_orders_06_429_of_the_edge_proves_nothing(stage: DialectStage) -> None:
    stage.pull("edge_limited")
    assert isinstance(placed(stage.orders(), an_order(stage)), OutcomeUnknown)


# -- weather


@pytest.mark.parametrize(
    ("number", "lever", "more", "code"),
    [
        ("07", "disabled", {"for": "20s"}, "trading_disabled"),
        ("08", "cancel_only", {"for": "20s"}, "cancel_only"),
        ("09", "restart", {"for": "1ms", "post_only": "20s"}, "post_only"),
    ],
)
def test_15_2_orders_07_to_09_three_kinds_of_503_are_refusals(
    stage: DialectStage, number: str, lever: str, more: dict[str, str], code: str
) -> None:
    orders = stage.orders()
    resting = an_order(stage, 1, limit_price=LOW, time_in_force=TimeInForce.GTC)
    first = placed(orders, resting)
    assert isinstance(first, Accepted)
    stage.pull(lever, **more)
    until(lambda: bool(stage.exchange.levers.fired[lever]) and not stage.exchange.unavailable, "it has begun")
    answer = placed(orders, an_order(stage, 2))
    assert isinstance(answer, Refused), number
    assert (answer.code, answer.by_venue) == (code, True)
    cancelled = orders.cancel_order(resting, first.venue_order_id)
    expected = CancelResult.UNKNOWN if lever == "disabled" else CancelResult.CANCELLED
    assert cancelled.result is expected, "cancels work unless everything is disabled"
    orders.close()


# -- delayed


def a_held_order(stage: DialectStage, **changes: object) -> OrderIntent:
    """In a market whose takers are held back for 150 ms; ten shares are its lot."""
    listed = stage.quoted(HELD)
    return an_order(stage, market_id=MarketId(listed.condition_id), **changes)


def test_15_2_orders_10_delayed_then_matched(stage: DialectStage) -> None:
    orders, intent = stage.orders(), a_held_order(stage)
    with listening(stage) as socket:
        answer = placed(orders, intent)
        assert isinstance(answer, Accepted)
        assert (answer.done, answer.filled) in ((False, None), (False, 0))
        waiting = orders.get_order_status(intent, answer.venue_order_id)
        assert isinstance(waiting, OrderSeen)
        assert waiting.status is VenueOrderStatus.PENDING
        cancelled = orders.cancel_order(intent, answer.venue_order_id)
        assert cancelled.result is CancelResult.GONE, "what is held back cannot be cancelled"
        assert heard(socket, news("trade"))["taker_order_id"] == answer.venue_order_id
    assert sum(fill.size for fill in orders.fills(intent, 0)) == intent.size


def test_15_2_orders_11_delayed_then_unmatched(stage: DialectStage) -> None:
    """Somebody takes the ask while it waits."""
    orders, intent = stage.orders(), a_held_order(stage)
    with listening(stage) as socket:
        answer = placed(orders, intent)
        assert isinstance(answer, Accepted)
        stage.empty(stage.listed(HELD))
        said = heard(socket, news("order", type="CANCELLATION"))
    assert said["id"] == answer.venue_order_id
    assert "no orders found to match" in said["status"]
    assert orders.fills(intent, 0) == []
    assert orders.balances() == CASH * MICRO
    assert isinstance(orders.get_order_status(intent, answer.venue_order_id), OrderNotFound), "it is gone from there"


# -- kills and parts


def test_15_2_orders_12_a_fok_is_killed_by_a_400(stage: DialectStage) -> None:
    answer = placed(stage.orders(), an_order(stage, size=MicroShares(60 * MICRO), time_in_force=TimeInForce.FOK))
    assert isinstance(answer, Accepted), "it looked for a match and ended: a clean miss, no refusal"
    assert (answer.filled, answer.done) == (0, True)


def test_15_2_orders_13_a_fok_is_killed_by_a_message_with_the_sentence_in_its_status(stage: DialectStage) -> None:
    stage.pull("bare_ack", delay="100ms")
    intent = an_order(stage, size=MicroShares(60 * MICRO), time_in_force=TimeInForce.FOK)
    with listening(stage) as socket:
        answer = placed(stage.orders(), intent)
        assert isinstance(answer, Accepted)
        assert not answer.done
        said = heard(socket, news("order", type="CANCELLATION"))
    assert said["status"] == "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."
    assert said["size_matched"] == ""


def test_15_2_orders_14_a_fak_takes_a_part_and_ends(stage: DialectStage) -> None:
    intent = an_order(stage, size=MicroShares(60 * MICRO))
    answer = placed(stage.orders(), intent)
    assert isinstance(answer, Accepted)
    assert (answer.filled, answer.done) == (50 * MICRO, True)
    assert stage.orders().open_orders() == []


def test_15_2_orders_15_a_batch_with_mixed_results_is_read_item_by_item(stage: DialectStage) -> None:
    """A refused item says `success: true` with an empty id."""
    orders = stage.orders()
    intents = [
        an_order(stage, 1),
        an_order(stage, 2, size=MicroShares(4_000 * MICRO)),
        an_order(stage, 3, limit_price=LOW, size=MicroShares(10 * MICRO)),
    ]
    answers = orders.place_orders([sealed(i) for i in intents], [orders.prepare(i) for i in intents], gate())
    assert [type(answer) for answer in answers] == [Accepted, Refused, Accepted]
    assert isinstance(answers[1], Refused)
    assert answers[1].code == "insufficient_balance"
    assert isinstance(answers[2], Accepted)
    assert (answers[2].filled, answers[2].done) == (0, True)


def test_15_2_orders_16_the_second_leg_finds_no_money_left(stage: DialectStage) -> None:
    orders = stage.orders()
    first = placed(orders, an_order(stage, 1))
    stage.wallet().allowance = 0
    second = placed(orders, an_order(stage, 2, outcome=Outcome.NO, limit_price=PriceMicros(600_000)))
    assert isinstance(first, Accepted)
    assert isinstance(second, Refused)
    assert (second.code, second.by_venue) == ("insufficient_balance", True)
    assert [(p.outcome, p.size) for p in orders.positions()] == [(Outcome.YES, 10 * MICRO)]


def test_15_2_orders_16_shares_that_are_not_approved_cannot_be_sold_back(stage: DialectStage) -> None:
    orders = stage.orders()
    assert isinstance(placed(orders, an_order(stage, 1)), Accepted)
    stage.wallet().shares_approved = False
    sold = placed(orders, an_order(stage, 2, action=Action.SELL, limit_price=LOW))
    assert isinstance(sold, Refused)
    assert (sold.code, sold.by_venue) == ("insufficient_balance", True)
    assert [(p.outcome, p.size) for p in orders.positions()] == [(Outcome.YES, 10 * MICRO)]


# -- settlement


def test_15_2_orders_17_a_trade_that_fails_after_it_matched_is_reversed(stage: DialectStage) -> None:
    stage.pull("reverse_fill", delay="400ms")
    orders, intent = stage.orders(), an_order(stage)
    with listening(stage) as socket:
        assert isinstance(placed(orders, intent), Accepted)
        said = [heard(socket, news("trade"))["status"] for _ in range(3)]
    assert said == ["MATCHED", "RETRYING", "FAILED"]
    assert {fill.state for fill in orders.fills(intent, 0)} == {FillState.REVERSED}
    assert orders.balances() == CASH * MICRO
    assert orders.positions() == []


def test_15_2_orders_18_a_settlement_that_is_tried_again_has_another_transaction(stage: DialectStage) -> None:
    stage.pull("retry_settlement")
    orders, intent = stage.orders(), an_order(stage)
    with listening(stage) as socket:
        placed(orders, intent)
        said = [heard(socket, news("trade")) for _ in range(4)]
    assert [frame["status"] for frame in said] == ["MATCHED", "RETRYING", "MINED", "CONFIRMED"]
    hashes = [frame["transaction_hash"] for frame in said]
    assert hashes[1] != hashes[2] == hashes[3]
    assert len({frame["id"] for frame in said}) == 1, "one trade: the fills are folded by its id"
    (fill,) = orders.fills(intent, 0)
    assert (fill.size, fill.state) == (intent.size, FillState.FINAL)


# -- the user channel


def test_15_2_orders_19_the_message_comes_before_the_answer(stage: DialectStage) -> None:
    stage.pull("fill_before_ack", delay="700ms")
    orders, intent = stage.orders(), an_order(stage)
    answers: list[tuple[float, SubmitAnswer]] = []
    with listening(stage) as socket:
        sender = threading.Thread(target=lambda: answers.append((placed(orders, intent), time.monotonic())[::-1]))
        sender.start()
        said = heard(socket, news("trade"))
        told_at = time.monotonic()
        sender.join(5)
    ((answered_at, answer),) = answers
    assert isinstance(answer, Accepted)
    assert (said["taker_order_id"], answer.filled) == (answer.venue_order_id, intent.size)
    assert told_at < answered_at


def test_15_2_orders_20_the_message_never_comes(stage: DialectStage) -> None:
    stage.pull("user_drop", count=20)
    orders, intent = stage.orders(), an_order(stage)
    with listening(stage) as socket:
        assert isinstance(placed(orders, intent), Accepted)
        until(lambda: {f.state for f in orders.fills(intent, 0)} == {FillState.FINAL}, "the reads tell all of it")
        with pytest.raises(TimeoutError):
            heard(socket, lambda _: True, limit_s=0.2)


def test_15_2_orders_21_a_cancel_of_what_has_matched_is_listed_as_not_cancelled(stage: DialectStage) -> None:
    orders, intent = stage.orders(), an_order(stage)
    answer = placed(orders, intent)
    assert isinstance(answer, Accepted)
    raw = stage.ask("DELETE", "/order", json.dumps({"orderID": answer.venue_order_id}, separators=(",", ":")).encode())
    assert raw.status_code == 200
    assert raw.json() == {"canceled": [], "not_canceled": {answer.venue_order_id: "already canceled or matched"}}
    assert orders.cancel_order(intent, answer.venue_order_id).result is CancelResult.GONE
    assert sum(fill.size for fill in orders.fills(intent, 0)) == intent.size


def test_15_2_orders_22_a_residue_below_five_shares_is_sold_at_a_dollar(stage: DialectStage) -> None:
    """The least size is for orders that rest (0.8); found by the live run."""
    orders = stage.orders()
    placed(orders, an_order(stage, 1))
    sold = placed(
        orders, an_order(stage, 2, action=Action.SELL, limit_price=PriceMicros(400_000), size=MicroShares(4 * MICRO))
    )
    assert isinstance(sold, Accepted)
    assert sold.filled == 4 * MICRO
