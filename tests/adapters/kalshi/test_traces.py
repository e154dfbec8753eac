"""The acceptance traces of kalshi.md section 13, one by one: the dialect answers them, and our own session and adapter
read them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from adapters.kalshi.trading import Prepared
from adapters.simulated.faults import parse_plan
from adapters.venue import Position
from models.book import NotReady
from models.book_keeping import Book
from models.clock import WallNs
from models.market import MarketId, Outcome
from models.orders import (
    Accepted,
    AttemptId,
    CancelResult,
    Fill,
    OutcomeUnknown,
    SubmitAnswer,
    TimeInForce,
    VenueOrderId,
    VenueOrderStatus,
    derive_client_order_id,
)
from tests.adapters.kalshi.counter import BTC, CPI, FED, Counter, Wire
from tests.adapters.kalshi.examples import TICKER, Connection, a_market, delta, snapshot, subscribed
from tests.adapters.kalshi.private import an_intent
from tests.adapters.kalshi.stage import KalshiStage, kalshi_stage
from tests.adapters.kalshi.test_session import at, best, books_after
from tests.factories import price, shares, usd
from tests.threads.orders_stage import gate, sealed

QUOTES = {"yes_dollars_fp": [["0.4000", "25.00"]], "no_dollars_fp": [["0.5800", "10.00"]]}


def a_quoted_market() -> Counter:
    """YES bid 0.40 x 25, NO bid 0.58 x 10, which is YES offered at 0.42."""
    counter = Counter()
    counter.empty()
    counter.rest("bid", "0.4000", "25.00")
    counter.offer = counter.rest("ask", "0.4200", "10.00")  # type: ignore[attr-defined]
    return counter


# -- 1: the book


@pytest.mark.parametrize(("yes_leg", "at_58", "at_57"), [(False, "0.5800", "0.5700"), (True, "0.4200", "0.4300")])
def test_trace_1_the_dialect_prices_no_as_it_was_asked_to(yes_leg: bool, at_58: str, at_57: str) -> None:
    counter = a_quoted_market()
    wire = Wire(counter)

    _, book = wire.say("subscribe", channels=["orderbook_delta"], market_tickers=[FED], use_yes_price=yes_leg)
    counter.ask("DELETE", f"/portfolio/events/orders/{counter.offer}?market_ticker={FED}", member=1)  # type: ignore[attr-defined]
    (gone,) = wire.hear()
    counter.rest("ask", "0.4300", "4.00")
    (new,) = wire.hear()

    assert book["msg"]["yes_dollars_fp"] == [["0.4000", "25.00"]]
    assert book["msg"]["no_dollars_fp"] == [[at_58, "10.00"]]
    told = [(f["msg"]["side"], f["msg"]["price_dollars"], f["msg"]["delta_fp"]) for f in (gone, new)]
    assert told == [("no", at_58, "-10.00"), ("no", at_57, "4.00")]


@pytest.mark.parametrize(("yes_leg", "at_58", "at_57"), [(False, "0.5800", "0.5700"), (True, "0.4200", "0.4300")])
def test_trace_1_the_session_sees_the_same_best_prices(yes_leg: bool, at_58: str, at_57: str) -> None:
    connection = Connection(use_yes_price=yes_leg)
    events = connection.told(subscribed(), snapshot(1, yes=[("0.4000", "25.00")], no=[(at_58, "10.00")]))
    first = best(books_after(events)[TICKER])
    events += connection.told(delta(2, "no", at_58, "-10.00")) + connection.idle(60)
    second = best(books_after(events)[TICKER])
    events += connection.told(delta(3, "no", at_57, "4.00")) + connection.idle(60)
    third = best(books_after(events)[TICKER])

    assert first == {
        "yes_bid": at("0.40", "25"),
        "yes_ask": at("0.42", "10"),
        "no_bid": at("0.58", "10"),
        "no_ask": at("0.60", "25"),
    }
    assert second["yes_ask"] is None
    assert third["yes_ask"] == at("0.43", "4")


# -- 2 to 4: orders and money


def test_trace_2_four_yes_at_43_cost_1_7887() -> None:
    counter = Counter()
    counter.empty()
    counter.rest("ask", "0.4300", "4.00")

    told = counter.order("bid", "0.4300", "4.00", time_in_force="fill_or_kill")

    assert told.status == 201
    assert (told.body["fill_count"], told.body["remaining_count"]) == ("4.00", "0.00")
    assert told.body["average_fill_price"] == "0.4300"
    assert "status" not in told.body
    (fill,) = counter.ask("GET", "/portfolio/fills").body["fills"]
    assert fill["fee_cost"] == "0.068700", "0.068628 by the curve, aligned to the balance's precision"
    assert counter.cash() == "98.2113", "100 - 1.7887"
    assert counter.position() == "4.00"
    assert counter.audit() == []


def test_trace_3_a_kill_burns_its_id() -> None:
    counter = Counter()
    counter.empty()
    counter.rest("ask", "0.4300", "4.00")
    order: dict[str, Any] = {"time_in_force": "fill_or_kill", "client_order_id": "burnt"}

    killed = counter.order("bid", "0.4300", "5.00", **order)
    again = counter.order("bid", "0.4300", "4.00", **order)

    assert (killed.status, killed.body["error"]["code"]) == (409, "fill_or_kill_insufficient_resting_volume")
    assert (again.status, again.body["error"]["code"]) == (409, "order_already_exists")
    assert (counter.cash(), counter.position()) == ("100.0000", "0.00")
    assert counter.ask("GET", "/portfolio/orders").body["orders"] == [], "no order object"


def test_trace_4_buying_no_closes_a_yes_position_and_pays_out_at_once() -> None:
    counter = Counter()
    counter.empty()
    counter.rest("ask", "0.4300", "4.00")
    counter.rest("bid", "0.4000", "4.00")
    counter.order("bid", "0.4300", "4.00")
    before = usd(counter.cash())

    told = counter.order("ask", "0.4000", "4.00")

    fill = counter.ask("GET", "/portfolio/fills").body["fills"][0]
    assert (told.body["fill_count"], counter.position()) == ("4.00", "0.00")
    assert (fill["book_side"], fill["outcome_side"]) == ("ask", "no")
    assert usd(counter.cash()) - before == usd("1.60") - usd(fill["fee_cost"])
    assert counter.audit() == []


class Trader:
    """A member with our own adapter, over sockets."""

    def __init__(self, stage: KalshiStage, number: int) -> None:
        self._orders = stage.orders(number)
        (market,) = stage.venue().markets([MarketId(FED)])
        self._orders.get_ready([market])
        self._numbers = count(1)
        self._name = f"trader-{number}"
        self.cash = self._orders.balances
        self.positions = self._orders.positions

    def place(self, **changes: Any) -> tuple[SubmitAnswer, dict[str, Any]]:
        """The answer, and the body that was sent for it."""
        own = derive_client_order_id(AttemptId(self._name), 0, next(self._numbers))
        intent = an_intent(**{"market_id": MarketId(FED), "client_order_id": own, "at": WallNs(0)} | changes)
        prepared = self._orders.prepare(intent)
        assert isinstance(prepared, Prepared)
        return self._orders.place_order(sealed(intent), prepared, gate()), json.loads(prepared.body)

    def fills(self) -> list[Fill]:
        return self._orders.fills(None, 0)


@contextmanager
def two_traders(tmp_path: Path) -> Iterator[tuple[Trader, Trader]]:
    """A bot, and somebody who quotes a market that is empty otherwise."""
    with kalshi_stage(tmp_path, rate=0, scripted=False, empty=FED) as stage:
        yield Trader(stage, 0), Trader(stage, 1)


GTC, FOK = {"time_in_force": TimeInForce.GTC}, {"time_in_force": TimeInForce.FOK}
FOUR_AT_43 = {"outcome": Outcome.NO, "limit_price": price("0.57"), "size": shares("4"), **GTC}
"""Offers four YES at 0.43."""


def test_trace_2_through_the_adapter(tmp_path: Path) -> None:
    with two_traders(tmp_path) as (bot, other):
        other.place(**FOUR_AT_43)
        before = bot.cash()

        answer, sent = bot.place(limit_price=price("0.43"), size=shares("4"), **FOK)

        assert (sent["side"], sent["price"], sent["count"], sent["time_in_force"]) == (
            "bid",
            "0.4300",
            "4.00",
            "fill_or_kill",
        )
        assert isinstance(answer, Accepted)
        assert (answer.filled, answer.done) == (shares("4"), True)
        (fill,) = bot.fills()
        assert (fill.price, fill.size, fill.fee) == (price("0.43"), shares("4"), usd("0.0687"))
        assert bot.cash() - before == -usd("1.7887")


def test_trace_3_through_the_adapter(tmp_path: Path) -> None:
    """The kill is an answer: nothing filled, over. Its id again is looked up, never sent as a new order."""
    with two_traders(tmp_path) as (bot, other):
        other.place(**FOUR_AT_43)
        before = bot.cash()
        burnt_id = derive_client_order_id(AttemptId("burnt"), 0, 0)

        killed, _ = bot.place(client_order_id=burnt_id, limit_price=price("0.43"), size=shares("5"), **FOK)
        burnt, _ = bot.place(client_order_id=burnt_id, limit_price=price("0.43"), size=shares("4"), **FOK)

        assert isinstance(killed, Accepted)
        assert (killed.filled, killed.done) == (0, True)
        assert isinstance(burnt, OutcomeUnknown)
        assert (bot.cash(), bot.positions(), bot.fills()) == (before, [], [])


def test_trace_4_through_the_adapter(tmp_path: Path) -> None:
    with two_traders(tmp_path) as (bot, other):
        other.place(**FOUR_AT_43)
        other.place(limit_price=price("0.40"), size=shares("4"), **GTC)
        bot.place(limit_price=price("0.43"), size=shares("4"), **FOK)
        assert bot.positions() == [Position(market_id=MarketId(FED), outcome=Outcome.YES, size=shares("4"))]
        before = bot.cash()

        answer, sent = bot.place(outcome=Outcome.NO, limit_price=price("0.60"), size=shares("4"))

        assert (sent["side"], sent["price"]) == ("ask", "0.4000")
        assert isinstance(answer, Accepted)
        assert answer.filled == shares("4")
        fill = bot.fills()[-1]
        assert fill.price == price("0.60"), "in the leg that was bought"
        assert bot.positions() == []
        assert bot.cash() - before == usd("1.60") - fill.fee


# -- 5: a gap


def test_trace_5_a_missing_frame_makes_both_books_stale_until_their_snapshots() -> None:
    other = "KXSIM-26DEC31-B"
    connection = Connection(a_market(TICKER), a_market(other))
    events = connection.told(subscribed(), snapshot(1, TICKER), snapshot(2, other))
    assert [b.top().not_ready for b in books_after(events, TICKER, other).values()] == [None, None]

    events += connection.told(delta(4, "yes", "0.3900", "1.00"))
    assert [b.top().not_ready for b in books_after(events, TICKER, other).values()] == [NotReady.GAP] * 2

    events += connection.told(subscribed(sid=2), {**snapshot(1, TICKER), "sid": 2}, {**snapshot(2, other), "sid": 2})
    books: list[Book] = list(books_after(events, TICKER, other).values())
    assert [book.top().not_ready for book in books] == [None, None]


def obeyed(wire: Wire, connection: Connection, command: dict[str, Any]) -> list[Any]:
    """What our session makes of the exchange's answer to a command of its own."""
    return connection.told(*wire.say(command["cmd"], command["id"], **command["params"]))


def test_trace_5_through_the_dialect() -> None:
    """The exchange loses a frame on the way; our session gives both books up and subscribes anew."""
    counter = Counter()
    for ticker in (FED, CPI):
        counter.empty(ticker)
    wire = Wire(counter)
    connection = Connection(a_market(FED), a_market(CPI))
    events = [event for command in connection.opening for event in obeyed(wire, connection, command)]
    assert [b.top().not_ready for b in books_after(events, FED, CPI).values()] == [None, None]

    counter.exchange.pull(parse_plan({"levers": [{"lever": "drop", "market": FED}]}).levers[0], counter.now)
    counter.pass_ms(1)
    counter.rest("bid", "0.4000", "1.00")
    counter.rest("bid", "0.3900", "1.00", ticker=CPI)
    (after_the_hole,) = wire.hear()
    assert after_the_hole["seq"] == 4, "1 and 2 were the snapshots, 3 is lost"
    events += connection.told(after_the_hole)
    assert [b.top().not_ready for b in books_after(events, FED, CPI).values()] == [NotReady.GAP] * 2

    events += connection.idle(1_000)
    for command in connection.sent_idle + connection.sent():
        events += obeyed(wire, connection, command)
    books = books_after(events, FED, CPI)
    assert [book.top().not_ready for book in books.values()] == [None, None]
    assert [best(book)["yes_bid"] for book in books.values()] == [at("0.40", "1"), at("0.39", "1")]


# -- 6: shards


def test_trace_6_an_order_of_another_shard_is_found_by_its_market_only() -> None:
    counter = Counter()
    order_id = counter.rest("bid", "0.0100", "5.00", member=0, ticker=BTC)

    lost = counter.ask("DELETE", f"/portfolio/events/orders/{order_id}")
    found = counter.ask("DELETE", f"/portfolio/events/orders/{order_id}?market_ticker={BTC}")

    assert lost.status == 404
    assert (found.status, found.body["reduced_by"]) == (200, "5.00")
    gone = counter.ask("DELETE", f"/portfolio/events/orders/{order_id}?market_ticker={BTC}")
    assert gone.status == 404


def test_trace_6_through_the_adapter(tmp_path: Path) -> None:
    with kalshi_stage(tmp_path, rate=0, scripted=False) as stage:
        orders, venue = stage.orders(), stage.venue()
        (market,) = venue.markets([MarketId(BTC)])
        orders.get_ready([market])
        intent = an_intent(
            market_id=MarketId(BTC), limit_price=price("0.01"), size=shares("5"), time_in_force=TimeInForce.GTC
        )
        answer = orders.place_order(sealed(intent), orders.prepare(intent), gate())
        assert isinstance(answer, Accepted)

        (seen,) = orders.open_orders()
        cancelled = orders.cancel_order(intent, VenueOrderId(answer.venue_order_id))

        assert seen.status is VenueOrderStatus.LIVE
        assert cancelled.result is CancelResult.CANCELLED
        assert orders.open_orders() == []
