"""The dialect's stream: sids, sequences, snapshots, private channels, error codes, and what the levers do to frames."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulated.faults import parse_plan
from adapters.simulated.web import Request
from models.clock import MS
from models.market import MarketStatus
from models.messages import StatusChanged
from tests.adapters.kalshi.counter import BTC, CPI, FED, START, Counter, Wire
from tests.adapters.kalshi.examples import Connection, a_market
from tests.adapters.kalshi.test_session import books_after

BOOKS: dict[str, Any] = {"channels": ["orderbook_delta"], "market_tickers": [FED], "use_yes_price": True}


@pytest.fixture
def counter() -> Counter:
    counter = Counter()
    counter.empty()
    return counter


def seqs(frames: list[dict[str, Any]]) -> list[int | None]:
    return [frame.get("seq") for frame in frames]


# -- connections


def test_a_stream_opens_for_a_signature_only(counter: Counter) -> None:
    def opened(headers: dict[str, str]) -> Any:
        request = Request("GET", "/trade-api/ws/v2", headers, b"")
        return counter.face.stream_account(counter.exchange, request, counter.now)

    assert opened(counter.signed("GET", "/trade-api/ws/v2")) == "trader-1"
    assert opened({}).status == 401
    assert opened(counter.signed("GET", "/trade-api/v2/markets")).status == 401


def test_the_venue_pings_every_ten_seconds_and_says_heartbeat(counter: Counter) -> None:
    wire = Wire(counter)

    wire.hear(31_000)

    assert wire.pings == [b"heartbeat"] * 4


# -- subscriptions


def test_the_acknowledgement_comes_first_and_then_a_whole_book_per_market(counter: Counter) -> None:
    wire = Wire(counter)

    told, fed, btc = wire.say("subscribe", 5, channels=["orderbook_delta"], market_tickers=[FED, BTC])

    assert told == {
        "type": "subscribed",
        "id": 5,
        "msg": {"channel": "orderbook_delta", "sid": 1},
        "sending_ts_ms": START // MS,
    }
    assert seqs([fed, btc]) == [1, 2]
    assert (fed["msg"]["market_ticker"], btc["msg"]["market_ticker"]) == (FED, BTC)
    assert not {"yes_dollars_fp", "no_dollars_fp"} & fed["msg"].keys(), "an empty side is left out"
    levels = [price for price, _ in btc["msg"]["yes_dollars_fp"]]
    assert levels == sorted(levels), "ascending: the best bid is the last"


def test_one_channel_has_one_sid_and_a_second_subscribe_adds_to_it(counter: Counter) -> None:
    wire = Wire(counter)
    wire.say("subscribe", **BOOKS)

    told = wire.say("subscribe", 2, channels=["orderbook_delta"], market_tickers=[BTC])

    assert [frame["type"] for frame in told] == ["subscribed", "orderbook_snapshot"]
    assert told[0]["msg"]["sid"] == 1
    assert told[1]["seq"] == 2
    assert wire.say("list_subscriptions", 3)[0]["msg"] == [{"channel": "orderbook_delta", "sid": 1}]


def test_several_channels_are_acknowledged_one_by_one(counter: Counter) -> None:
    told = Wire(counter).say("subscribe", channels=["fill", "user_orders", "market_lifecycle_v2"])

    assert [frame["msg"]["sid"] for frame in told] == [1, 2, 3]


def test_every_frame_of_a_subscription_counts_ok_and_unsubscribed_too(counter: Counter) -> None:
    wire = Wire(counter)
    frames = wire.say("subscribe", **BOOKS)
    update = {"sids": [1], "action": "add_markets", "market_tickers": [BTC]}
    frames += wire.say("update_subscription", 2, **update)
    frames += wire.say("update_subscription", 3, **update | {"action": "get_snapshot", "market_tickers": [FED]})
    counter.rest("bid", "0.4000", "1.00")
    frames += wire.hear()
    frames += wire.say("update_subscription", 4, **update | {"action": "delete_markets"})
    frames += wire.say("unsubscribe", 5, sids=[1])

    assert [frame["type"] for frame in frames] == [
        "subscribed",
        "orderbook_snapshot",
        "ok",
        "orderbook_snapshot",
        "orderbook_snapshot",
        "orderbook_delta",
        "ok",
        "unsubscribed",
    ]
    assert seqs(frames) == [None, 1, 2, 3, 4, 5, 6, 7]
    assert (frames[2]["msg"]["market_tickers"], frames[6]["msg"]["market_tickers"]) == ([FED, BTC], [FED])
    assert frames[4]["id"] == 3, "the echo of the command that asked"


def test_after_an_unsubscribe_a_subscribe_starts_anew(counter: Counter) -> None:
    wire = Wire(counter)
    wire.say("subscribe", **BOOKS)
    unsubscribe = '{"id":2,"cmd":"unsubscribe","params":{"sids":[1]}}'
    counter.exchange.streams.receive(wire.connection, unsubscribe, counter.now)  # both before anything is answered
    counter.exchange.streams.receive(
        wire.connection, json.dumps({"id": 3, "cmd": "subscribe", "params": BOOKS}), counter.now
    )

    frames = wire.hear()
    counter.rest("bid", "0.4000", "1.00")
    frames += wire.hear()

    assert [frame["type"] for frame in frames] == [
        "unsubscribed",
        "subscribed",
        "orderbook_snapshot",
        "orderbook_delta",
    ]
    assert frames[1]["msg"]["sid"] == 2
    assert seqs(frames[2:]) == [1, 2]


@pytest.mark.parametrize(
    ("command", "params", "code"),
    [
        ("subscribe", {}, 3),
        ("subscribe", {"channels": []}, 3),
        ("subscribe", {"channels": ["lottery"]}, 8),
        ("subscribe", {"channels": ["orderbook_delta"]}, 14),
        ("subscribe", {"channels": ["orderbook_delta"], "market_tickers": ["KXWHO"]}, 11),
        ("dance", {}, 5),
        ("unsubscribe", {}, 4),
        ("unsubscribe", {"sids": [9]}, 7),
        ("update_subscription", {"sids": [1, 1]}, 12),
        ("update_subscription", {"sids": [1], "market_tickers": [FED]}, 15),
        ("update_subscription", {"sids": [1], "action": "add_markets"}, 14),
        ("update_subscription", {"sids": [1], "action": "juggle", "market_tickers": [FED]}, 13),
    ],
)
def test_a_wrong_command_is_answered_with_its_code(
    counter: Counter, command: str, params: dict[str, Any], code: int
) -> None:
    wire = Wire(counter)
    wire.say("subscribe", **BOOKS)

    (error,) = wire.say(command, 7, **params)

    assert (error["type"], error["id"], error["msg"]["code"]) == ("error", 7, code)
    assert "seq" not in error


@pytest.mark.parametrize(("message", "code"), [("{", 1), ("[]", 1), ('{"id":1,"cmd":"subscribe"}', 2)])
def test_what_is_no_command_is_answered_too(counter: Counter, message: str, code: int) -> None:
    (error,) = Wire(counter).say_raw(message)

    assert error["msg"]["code"] == code


# -- books


def test_deltas_of_one_moment_share_one_time_and_add_before_they_take(counter: Counter) -> None:
    """So the book is crossed in between, as the venue's is."""
    counter.rest("ask", "0.4200", "10.00")
    wire = Wire(counter)
    wire.say("subscribe", **BOOKS)
    counter.now += MS

    counter.order("bid", "0.4300", "15.00", time_in_force="good_till_canceled")
    frames = wire.hear()

    changes = [(f["msg"]["side"], f["msg"]["price_dollars"], f["msg"]["delta_fp"]) for f in frames]
    assert changes == [("yes", "0.4300", "5.00"), ("no", "0.4200", "-10.00")]
    assert {frame["msg"]["ts_ms"] for frame in frames} == {START // MS + 1}


def test_two_clients_have_their_own_numbers_and_their_own_prices(counter: Counter) -> None:
    one, two = Wire(counter), Wire(counter, 1)
    one.say("subscribe", **BOOKS)
    two.say("subscribe", channels=["orderbook_delta"], market_tickers=[BTC, FED, CPI])
    counter.rest("ask", "0.4200", "10.00")
    (first,), (second,) = one.hear(), two.hear()

    assert (first["seq"], first["msg"]["price_dollars"]) == (2, "0.4200")
    assert (second["seq"], second["msg"]["price_dollars"]) == (4, "0.5800")


# -- private channels


def test_executions_and_orders_come_without_numbers_to_their_owner_only(counter: Counter) -> None:
    counter.rest("ask", "0.6500", "10.00")
    channels = ["fill", "user_orders", "market_positions"]
    mine, other = Wire(counter), Wire(counter, 1)
    mine.say("subscribe", channels=channels)
    other.say("subscribe", channels=channels)

    counter.order("bid", "0.6500", "10.00", client_order_id="mine")
    fill, position, order = mine.hear()

    assert (fill["type"], position["type"], order["type"]) == ("fill", "market_position", "user_order")
    assert not any("seq" in frame for frame in (fill, position, order))
    assert fill["msg"]["client_order_id"] == "mine"
    assert (fill["msg"]["yes_price_dollars"], fill["msg"]["post_position_fp"]) == ("0.6500", "10.00")
    assert (order["msg"]["status"], order["msg"]["last_update_reason"]) == ("executed", "Trade")
    assert {frame["msg"].get("client_order_id") for frame in other.hear()} == {"c-1", None}, "its own side of the trade"


@pytest.mark.parametrize(
    ("lever", "types"),
    [("user_drop", ["user_order"]), ("user_duplicate", ["fill", "fill", "user_order"])],
)
def test_private_news_may_be_lost_or_come_twice(counter: Counter, lever: str, types: list[str]) -> None:
    counter.rest("ask", "0.6500", "10.00")
    wire = Wire(counter)
    wire.say("subscribe", channels=["fill", "user_orders"])
    counter.exchange.pull(parse_plan({"levers": [{"lever": lever, "account": "trader-1"}]}).levers[0], counter.now)
    counter.pass_ms(1)

    counter.order("bid", "0.6500", "10.00")

    assert [frame["type"] for frame in wire.hear()] == types


# -- levers


def levered(lever: str, **more: Any) -> tuple[Counter, Wire]:
    counter = Counter()
    counter.empty()
    wire = Wire(counter)
    wire.say("subscribe", **BOOKS)
    counter.exchange.pull(parse_plan({"levers": [{"lever": lever, "market": FED, **more}]}).levers[0], counter.now)
    counter.pass_ms(1)
    return counter, wire


@pytest.mark.parametrize(
    ("lever", "expected"),
    [("gap", [3, 4]), ("drop", [3]), ("duplicate", [2, 2, 3]), ("reorder", [3, 2]), ("unknown_type", [2, 3, 4])],
)
def test_levers_show_in_the_sequence(lever: str, expected: list[int]) -> None:
    counter, wire = levered(lever)

    counter.rest("bid", "0.4000", "1.00")
    counter.rest("bid", "0.4100", "1.00")

    assert seqs(wire.hear()) == expected


@pytest.mark.parametrize("lever", ["lag", "silent"])
def test_what_is_late_comes_in_order_and_a_snapshot_comes_no_sooner(lever: str) -> None:
    counter, wire = levered(lever, **{"for": "2s", "delay": "500ms"})
    counter.rest("bid", "0.4000", "1.00")
    first = wire.say("update_subscription", 9, sids=[1], action="get_snapshot", market_tickers=[FED])
    counter.rest("bid", "0.4100", "1.00")

    assert first == []
    frames = wire.hear(3_000)
    assert [frame["type"] for frame in frames] == ["orderbook_delta", "orderbook_snapshot", "orderbook_delta"]
    assert frames[1]["msg"]["yes_dollars_fp"] == [["0.4000", "1.00"]]
    assert seqs(frames) == [2, 3, 4]


@pytest.mark.parametrize("code", [10, 25])
def test_a_subscription_can_be_ended_from_the_venues_side(counter: Counter, code: int) -> None:
    wire = Wire(counter)
    wire.say("subscribe", **BOOKS)

    counter.exchange.kalshi.end_subscriptions(code, counter.now)
    (error,) = wire.hear()
    counter.rest("bid", "0.4000", "1.00")

    assert (error["sid"], error["seq"], error["msg"]["code"]) == (1, 2, code)
    assert wire.hear() == []
    assert wire.say("list_subscriptions", 4)[0]["msg"] == []


def test_the_lever_ends_subscriptions_with_both_codes_in_turn(counter: Counter) -> None:
    wire = Wire(counter)
    codes = []
    for _ in range(2):
        wire.say("subscribe", **BOOKS)
        counter.exchange.pull(parse_plan({"levers": [{"lever": "end_subscriptions"}]}).levers[0], counter.now)
        codes += [frame["msg"]["code"] for frame in wire.hear(1) if frame["type"] == "error"]

    assert codes == [25, 10]


def test_a_finer_grid_is_told_listed_and_traded_on(counter: Counter) -> None:
    wire = Wire(counter)
    wire.say("subscribe", channels=["market_lifecycle_v2"])
    assert counter.order("bid", "0.4010", "1.00", ticker=CPI).status == 400
    counter.exchange.pull(parse_plan({"levers": [{"lever": "tick_change", "market": CPI}]}).levers[0], counter.now)
    (told,) = wire.hear(1)

    ranges = [{"start": "0.0000", "end": "1.0000", "step": "0.0010"}]
    assert (told["msg"]["event_type"], told["msg"]["market_ticker"]) == ("price_level_structure_updated", CPI)
    assert (told["msg"]["price_level_structure"], told["msg"]["price_ranges"]) == ("deci_cent", ranges)
    assert counter.ask("GET", f"/markets/{CPI}").body["market"]["price_ranges"] == ranges
    assert counter.order("bid", "0.4010", "1.00", ticker=CPI).status == 201


def test_fees_that_change_are_told_listed_and_charged_and_pause_the_market_for_us(counter: Counter) -> None:
    counter.empty()
    wire = Wire(counter)
    connection = Connection(a_market(FED, event_id="KXSIMFED-26DEC31"))
    for command in connection.opening:
        connection.told(*wire.say(command["cmd"], command["id"], **command["params"]))
    counter.rest("ask", "0.5000", "2.00")
    counter.order("bid", "0.5000", "1.00")
    wire.hear()

    counter.exchange.pull(parse_plan({"levers": [{"lever": "fee_change", "market": FED}]}).levers[0], counter.now)
    (told,) = wire.hear(1)
    counter.order("bid", "0.5000", "1.00")

    terms = {"fee_type_override": "quadratic", "fee_multiplier_override": 1.1}
    assert (told["type"], told["msg"]) == ("event_fee_update", {"event_ticker": "KXSIMFED-26DEC31", **terms})
    assert counter.ask("GET", "/events/KXSIMFED-26DEC31").body["event"].items() >= terms.items()
    fees = [row["fee_cost"] for row in counter.ask("GET", "/portfolio/fills").body["fills"]]
    assert sorted(fees) == ["0.017500", "0.019300"], "0.01925, aligned to the balance"
    (event,) = connection.told(told)
    assert isinstance(event, StatusChanged)
    assert event.status is MarketStatus.PAUSED


# -- our own session on the other end

MOVES = st.lists(
    st.tuples(
        st.sampled_from(["bid", "ask"]),
        st.integers(30, 60),
        st.integers(1, 500),
        st.sampled_from(["immediate_or_cancel", "good_till_canceled"]),
        st.integers(0, 80),
    ),
    max_size=20,
)


@given(MOVES, st.booleans())
@settings(max_examples=30)
def test_our_session_ends_with_the_venues_book(moves: list[tuple[str, int, int, str, int]], yes_leg: bool) -> None:
    counter = Counter()
    counter.empty()
    wire = Wire(counter)
    connection = Connection(a_market(FED), use_yes_price=yes_leg)
    events = connection.told(*wire.say("subscribe", **BOOKS | {"use_yes_price": yes_leg}))
    for side, cents, size, tif, wait_ms in moves:
        counter.order(side, f"0.{cents}00", f"{size}.00", member=size % 2, time_in_force=tif)
        events += connection.told(*wire.hear())
        counter.pass_ms(wait_ms)
        events += connection.idle(wait_ms)
    events += connection.idle(60)

    (book,) = books_after(events, FED).values()
    listing = counter.exchange.engine.listings[FED]  # type: ignore[index]
    assert connection.session.counts.failed == connection.session.counts.unknown == 0
    assert [dict(book.ladder(side)) for side in range(4)] == [dict(listing.levels(side)) for side in range(4)]
    assert not book.top().crossed
    assert book.top().intact
