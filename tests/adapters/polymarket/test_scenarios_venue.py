"""polymarket.md 15.1, one by one: what a venue's own client must find on the dialect, over real HTTP and WebSocket."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from adapters.polymarket.dialect.streams import PING_SILENCE_NS
from adapters.polymarket.signing import STANDARD
from adapters.simulated.streams import Close
from models.market import MarketId, Outcome
from models.money import MICRO
from models.orders import ClientOrderId
from tests.adapters.polymarket.dialect_stage import CASH, DialectStage, dialect, heard
from tests.adapters.polymarket.test_scenarios_account import an_order, placed
from tests.polling import until

FREE = "peace-talks-this-year"
CHARGED = "fed-cut-december"
HELD = "btc-above-100k"
NEG_RISK = "summit-geneva"


@pytest.fixture
def stage() -> Iterator[DialectStage]:
    with dialect() as running:
        yield running


def subscription(*tokens: str, custom: bool = True) -> dict[str, object]:
    return {"type": "market", "assets_ids": list(tokens), "custom_feature_enabled": custom}


def keys(stage: DialectStage) -> dict[str, str]:
    who = stage.wallet()
    return {"apiKey": who.api_key, "secret": who.api_secret, "passphrase": who.passphrase}


# -- 1: REST, both channels, one engine


def test_15_1_1_the_public_reads_answer_as_the_sheet_shows(stage: DialectStage) -> None:
    listed = stage.quoted(CHARGED)
    yes, no = listed.tokens
    expected: dict[str, Any] = {
        "/ok": "OK",
        "/version": {"version": 2},
        f"/tick-size?token_id={yes}": {"minimum_tick_size": 0.01},
        f"/neg-risk?token_id={yes}": {"neg_risk": False},
        f"/fee-rate?token_id={yes}": {"base_fee": 1000},
        f"/midpoint?token_id={yes}": {"mid": "0.425"},
        f"/spread?token_id={no}": {"spread": "0.05"},
        f"/last-trade-price?token_id={yes}": {"price": "0.5", "side": ""},
        f"/markets-by-token/{no}": {"condition_id": listed.condition_id},
    }
    for target, body in expected.items():
        assert requests.get(stage.url + target, timeout=2).json() == body, target
    compact = requests.get(f"{stage.url}/clob-markets/{listed.condition_id}", timeout=2).json()
    assert (compact["t"][0]["t"], compact["mos"], compact["mts"], compact["nr"]) == (yes, 5, 0.01, False)
    assert compact["fd"] == {"r": 0.04, "e": 1, "to": True}
    page = requests.get(f"{stage.url}/markets", timeout=2).json()
    assert (page["next_cursor"], page["count"]) == ("LTE=", len(stage.exchange.listed.all))
    gamma = requests.get(f"{stage.url}/markets/keyset?condition_ids={listed.condition_id}", timeout=2).json()
    assert json.loads(gamma["markets"][0]["clobTokenIds"]) == [yes, no]
    missing = requests.get(f"{stage.url}/book?token_id=1", timeout=2)
    assert (missing.status_code, missing.json()["error"]) == (404, "No orderbook exists for the requested token id")


def test_15_1_1_buying_no_is_selling_yes_in_one_book(stage: DialectStage) -> None:
    listed = stage.listed(FREE)
    stage.empty(listed)
    stage.rest_order(listed, "BUY", "0.55", "20", no=True)
    yes, no = (requests.get(f"{stage.url}/book?token_id={t}", timeout=2).json() for t in listed.tokens)
    assert yes["asks"] == [{"price": "0.45", "size": "20"}]
    assert no["bids"] == [{"price": "0.55", "size": "20"}]
    assert (yes["bids"], no["asks"]) == ([], [])

    taken = stage.place(stage.body(listed, "BUY", "0.45", "20", "FOK"))

    assert taken.json()["status"] == "matched"
    (trade,) = stage.ask("GET", "/data/trades").json()["data"]
    (maker,) = trade["maker_orders"]
    assert (trade["side"], trade["price"], trade["outcome"]) == ("BUY", "0.45", "Yes"), "minted, at the maker's price"
    assert (maker["side"], maker["price"], maker["outcome"]) == ("BUY", "0.55", "No")


# -- 2: who signs what


@pytest.mark.parametrize(
    "broken",
    [
        {"signed_body": b'{"orderID":"0xdef"}'},
        {"signed_path": "/orders"},
        {"skew_s": -120},
        {"headers": {"POLY_PASSPHRASE": "other"}},
        {"headers": {"POLY_ADDRESS": "0x" + "11" * 20}},
        {"headers": {"POLY_API_KEY": "nobody"}},
    ],
    ids=["another body", "another path", "an old time", "passphrase", "address", "key"],
)
def test_15_1_2_a_call_that_is_not_signed_for_these_very_bytes_is_refused(stage: DialectStage, broken: Any) -> None:
    body = b'{"orderID":"0xabc"}'
    assert stage.ask("DELETE", "/order", body).status_code == 200
    answer = stage.ask("DELETE", "/order", body, **broken)
    assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized/Invalid api key"})


def test_15_1_2_an_order_must_be_signed_by_its_signer_for_its_contract_and_once(stage: DialectStage) -> None:
    listed, other = stage.quoted(FREE), stage.listed(NEG_RISK)

    def refusal(body: bytes) -> str:
        answer = stage.place(body)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["error"])

    good = stage.body(listed, "BUY", "0.30", "10")
    digest = stage.place(good).json()["orderID"]
    assert digest.startswith("0x")
    assert len(digest) == 66
    assert "Duplicated" in refusal(good)
    assert refusal(stage.body(listed, "BUY", "0.30", "10", key=stage.wallet(1).private_key)).startswith(
        "Invalid order payload"
    )
    assert refusal(stage.body(other, "BUY", "0.10", "10", domain=STANDARD)) == "order_version_mismatch"
    legacy = json.loads(stage.body(listed, "BUY", "0.30", "10"))
    legacy["order"] = {**legacy["order"], "nonce": "0", "feeRateBps": "0", "taker": "0x" + "00" * 20}
    del legacy["order"]["metadata"]
    assert refusal(json.dumps(legacy).encode()) == "order_version_mismatch"
    assert "owner of the API KEY" in refusal(stage.body(listed, "BUY", "0.30", "10", more={"owner": "somebody"}))
    foreign = stage.wallet(1)
    assert "signer address" in refusal(stage.body(listed, "BUY", "0.30", "10", signer=foreign.address))


# -- 3: what is looked at first


def test_15_1_3_of_several_mistakes_the_first_by_the_venues_order_is_named(stage: DialectStage) -> None:
    """Each order has one mistake less than the one before."""
    listed = stage.quoted(FREE)
    gone = stage.quoted(CHARGED)
    stage.pull("resolve", market=gone.condition_id)
    until(lambda: stage.exchange.engine.listings[MarketId(gone.condition_id)].yes_pays is not None, "it has resolved")

    def says(body: bytes) -> str:
        return str(stage.place(body).json()["error"])

    wrong = {"signer": stage.wallet(1).address}
    assert says(stage.body(gone, "BUY", "0.305", "1.001", "FAK", more={"orderType": "IOC"}, **wrong)) == (
        "Invalid order payload"
    )
    assert "signer address" in says(stage.body(gone, "BUY", "0.305", "1.001", "FAK", **wrong))
    assert says(stage.body(gone, "BUY", "0.305", "1.001", "FAK")) == "No orderbook exists for the requested token id"
    assert "breaks minimum tick size rule" in says(stage.body(listed, "BUY", "0.305", "1", "FAK"))
    assert "breaks minimum tick size rule" in says(stage.body(listed, "BUY", "1", "1000", "FAK"))
    assert "min size: $1" in says(stage.body(listed, "BUY", "0.45", "1", "FAK"))
    assert "lower than the minimum: 5" in says(stage.body(listed, "BUY", "0.30", "4"))
    assert "at most 2 decimals" in says(stage.body(listed, "BUY", "0.45", "10000.1", "FAK"))
    assert says(stage.body(listed, "BUY", "0.45", "10000", "FAK")) == "not enough balance / allowance"
    assert says(stage.body(listed, "BUY", "0.45", "10", more={"postOnly": True})).startswith("invalid post-only order")
    assert says(stage.body(listed, "BUY", "0.45", "60", "FOK")).startswith("order couldn't be fully filled")
    assert says(stage.body(listed, "BUY", "0.44", "60", "FAK")).startswith("no orders found to match with FAK order")


# -- 4 and 5: the market channel


def test_15_1_4_books_are_worst_to_best_in_strings_with_the_venues_hash(stage: DialectStage) -> None:
    listed = stage.quoted(CHARGED)
    for at in ("0.38", "0.39"):
        stage.rest_order(listed, "BUY", at, "7.5")
    book = requests.get(f"{stage.url}/book?token_id={listed.tokens[0]}", timeout=2).json()
    assert [level["price"] for level in book["bids"]] == ["0.38", "0.39", "0.4"]
    assert len(book["timestamp"]) == 13
    ten = ("market", "asset_id", "timestamp", "hash", "bids", "asks", "min_order_size", "tick_size", "neg_risk",
           "last_trade_price")  # fmt: skip
    preimage = {name: "" if name == "hash" else book[name] for name in ten}
    assert hashlib.sha1(json.dumps(preimage, separators=(",", ":")).encode()).hexdigest() == book["hash"]
    texts = [value for level in book["bids"] + book["asks"] for value in level.values()]
    assert all(isinstance(text, str) for text in [*texts, book["tick_size"], book["min_order_size"]])


def test_15_1_5_one_dump_then_mirrored_changes_and_after_a_trade_three_kinds_of_news(stage: DialectStage) -> None:
    listed = stage.quoted(FREE)
    yes, no = listed.tokens
    with stage.socket(stage.server.ws_url, subscription(yes, no)) as socket:
        dump = json.loads(socket.recv(timeout=3))
        assert [(book["event_type"], book["asset_id"]) for book in dump] == [("book", yes), ("book", no)]

        stage.rest_order(listed, "BUY", "0.42", "11")
        change = heard(socket, lambda frame: frame["event_type"] == "price_change")
        told = [(e["asset_id"], e["side"], e["price"], e["size"], e["best_bid"], e["best_ask"])
                for e in change["price_changes"]]  # fmt: skip
        assert told == [(yes, "BUY", "0.42", "11", "0.42", "0.45"), (no, "SELL", "0.58", "11", "0.55", "0.58")]

        stage.place(stage.body(listed, "BUY", "0.45", "10", "FAK"))
        news = []
        while len(news) < 4:
            frame = heard(socket, lambda frame: frame["event_type"] in ("price_change", "last_trade_price", "book"))
            news.append((frame["event_type"], frame.get("asset_id")))
        assert sorted(news, key=str) == [("book", a) for a in sorted((yes, no))] + [
            ("last_trade_price", yes), ("price_change", None)
        ]  # fmt: skip


# -- 6: PING


def test_15_1_6_ping_is_answered_and_who_stops_pinging_is_closed(stage: DialectStage) -> None:
    listed = stage.quoted(FREE)
    with stage.socket(stage.server.ws_url, subscription(*listed.tokens)) as socket:
        socket.recv(timeout=3)
        socket.send("PING")
        assert socket.recv(timeout=3) == "PONG"

    def half_a_minute(exchange: Any, _: int) -> tuple[bool, bool, set[int]]:
        streams = exchange.channels
        silent, since = streams.open(None), streams.now
        streams.heartbeat(since + PING_SILENCE_NS)
        still_there = silent in streams.each("market")
        streams.heartbeat(since + PING_SILENCE_NS + 1)
        closed = [e.code for e in streams.take_due(since + 2 * PING_SILENCE_NS) if isinstance(e, Close)]
        return still_there, silent in streams.each("market"), set(closed)

    assert stage.server.hub.call(half_a_minute) == (True, False, {1008})


# -- 7: what becomes of a trade


def test_15_1_7_a_trade_is_matched_mined_and_confirmed_on_a_clock(stage: DialectStage) -> None:
    listed = stage.quoted(FREE)
    url = stage.server.user_ws_url
    with stage.socket(url, {"type": "user", "auth": keys(stage)}) as socket:
        until(lambda: bool(stage.exchange.streams.each("user")), "the venue knows who listens")
        answer = stage.place(stage.body(listed, "BUY", "0.45", "10", "FAK")).json()
        statuses = [heard(socket, lambda frame: frame["event_type"] == "trade") for _ in range(3)]
    assert answer["transactionsHashes"] == []
    assert [frame["status"] for frame in statuses] == ["MATCHED", "MINED", "CONFIRMED"]
    assert {frame["id"] for frame in statuses} == set(answer["tradeIDs"])
    assert [bool(frame["transaction_hash"]) for frame in statuses] == [False, True, True]
    (row,) = stage.ask("GET", f"/data/trades?id={answer['tradeIDs'][0]}").json()["data"]
    assert row["status"] == "TRADE_STATUS_CONFIRMED"


# -- 8: money, masters, batches


@pytest.mark.parametrize(
    ("slug", "fee"), [(FREE, 0), (CHARGED, 99_000)], ids=["a free market", "4 % x 10 x 0.45 x 0.55"]
)
def test_15_1_8_a_taker_pays_the_markets_fee_and_a_maker_nothing(stage: DialectStage, slug: str, fee: int) -> None:
    listed = stage.quoted(slug)
    stage.place(stage.body(listed, "BUY", "0.45", "10", "FAK"))
    bought = CASH * MICRO - stage.exchange.engine.accounts["bob"].cash
    assert bought == 4_500_000 + fee
    makers = [p.fee for trade in stage.exchange.engine.trades for p in trade.parties if p.order.account == "eve"]
    assert makers == [0]


def test_15_1_8_resting_orders_reserve_what_they_may_spend(stage: DialectStage) -> None:
    listed = stage.quoted(FREE)
    half = str(CASH)  # at 0.50 this many shares cost half of the cash
    assert stage.place(stage.body(listed, "BUY", "0.40", half)).status_code == 200
    assert stage.place(stage.body(listed, "BUY", "0.40", half)).status_code == 200
    third = stage.place(stage.body(listed, "BUY", "0.40", half))
    assert (third.status_code, third.json()["error"]) == (400, "not enough balance / allowance")
    assert stage.ask("DELETE", "/cancel-all").json()["canceled"]
    assert stage.place(stage.body(listed, "BUY", "0.40", half)).status_code == 200


def test_15_1_8_the_heartbeat_hands_out_the_next_id_and_its_end_cancels_everything(stage: DialectStage) -> None:
    listed = stage.quoted(FREE)

    def beat(given: str) -> requests.Response:
        return stage.ask("POST", "/v1/heartbeats", json.dumps({"heartbeat_id": given}).encode())

    first = beat("").json()["heartbeat_id"]
    wrong = beat("something else")
    assert (wrong.status_code, wrong.json()) == (400, {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": first})
    assert beat(first).status_code == 200
    own = stage.place(stage.body(listed, "BUY", "0.30", "10")).json()["orderID"]
    assert stage.ask("GET", f"/data/order/{own}").json()["status"] == "ORDER_STATUS_LIVE"

    def stop_beating(exchange: Any, now: int) -> None:
        beaten, at = exchange.hearts["bob"]
        exchange.hearts["bob"] = (beaten, at - 20_000_000_000)
        exchange._listen("bob", now)
        exchange._publish(now)

    stage.server.hub.call(stop_beating)
    assert stage.ask("GET", "/data/orders").json()["data"] == []


def test_15_1_8_a_batch_is_handled_item_by_item_and_answered_in_its_order(stage: DialectStage) -> None:
    listed = stage.quoted(FREE)
    items = [
        stage.body(listed, "BUY", "0.45", "10", "FAK"),
        stage.body(listed, "BUY", "0.30", "4"),
        stage.body(listed, "BUY", "0.55", "60", "FOK", no=True),
        stage.body(listed, "BUY", "0.30", "10"),
    ]
    answer = stage.ask("POST", "/orders", b"[" + b",".join(items) + b"]")
    rows = answer.json()
    assert answer.status_code == 200
    assert [(row["success"], bool(row["orderID"]), row["status"], bool(row["errorMsg"])) for row in rows] == [
        (True, True, "matched", False),
        (True, False, "", True),
        (True, False, "", True),
        (True, True, "live", False),
    ]
    many = stage.ask("POST", "/orders", b"[" + b",".join([items[0]] * 16) + b"]")
    assert (many.status_code, "Too many orders in payload" in many.json()["error"]) == (400, True)


def test_15_1_8_equal_legs_through_our_own_adapter_cost_whole_cents(stage: DialectStage) -> None:
    """What the checklist asks of amounts, end to end: the venue takes our two legs and gives exactly the shares."""
    stage.quoted(FREE)
    market = stage.market(FREE)
    orders = stage.orders()
    for number, outcome in enumerate(Outcome):
        limit = 450_000 if outcome is Outcome.YES else 600_000
        own = ClientOrderId(f"c-{number}")
        placed(orders, an_order(stage, number, client_order_id=own, outcome=outcome, limit_price=limit))
    held = {position.outcome: position.size for position in orders.positions()}
    assert held == {Outcome.YES: 10 * MICRO, Outcome.NO: 10 * MICRO}
    assert orders.balances() == CASH * MICRO - 4_500_000 - 6_000_000
    assert market.lot == MICRO
