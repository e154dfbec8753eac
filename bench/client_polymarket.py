"""Polymarket's published client (py-clob-client-v2) at work; runs in a scratch environment, not in ours.

`trade`  reads the exchange's ready line from standard input and trades there.
`sign`   prints what signing and serialising one order costs the client, as one JSON line.
"""

import json
import logging
import statistics
import sys
import time

from client_steps import Steps
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import (
    ApiCreds,
    BookParams,
    CreateOrderOptions,
    MarketOrderArgsV2,
    OpenOrderParams,
    OrderArgsV2,
    OrderPayload,
    OrderType,
    PostOrdersV2Args,
    TradeParams,
)
from py_clob_client_v2.order_utils.model.order_data_v2 import order_to_json_v2

CHAIN_ID = 137
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
"""Published with the Hardhat tool; nobody funds it."""
TOKEN = "71321045679252212594626385532706912750332728571942532289631379312455583992563"

WRONG_SECRET = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def trade(ready):
    account, market = ready["accounts"][0], ready["markets"][0]
    yes = market["tokens"][0]
    logging.disable()  # the client logs each refusal, which is a step here
    steps = Steps()
    client = ClobClient(ready["rest_url"], CHAIN_ID, key=account["private_key"])

    def equal(found, expected):
        assert found == expected, f"{found!r} is not {expected!r}"
        return found

    def log_in():
        made = client.create_or_derive_api_key()
        equal((made.api_key, made.api_secret), (account["api_key"], account["api_secret"]))
        client.set_api_creds(made)
        return made.api_key

    steps.step("asks whether the venue is there", lambda: equal(client.get_ok(), "OK"))
    steps.step("asks the venue's time", client.get_server_time)
    steps.step("asks which order version is wanted", lambda: equal(client.get_version(), 2))
    steps.step("gets its API key by a signature of its wallet", log_in)
    read(steps, client, market, yes, equal)
    place_and_cancel(steps, client, market, yes, equal)
    match(steps, client, ready, yes, equal)
    refusals(steps, client, account, yes)
    steps.end()


def read(steps, client, market, yes, equal):
    def terms():
        found = client.get_clob_market_info(market["market_id"])
        return equal([token["t"] for token in found["t"]], market["tokens"]) and found["mts"]

    def book():
        found = client.get_order_book(yes)
        assert found["bids"], "no bids"
        assert found["asks"], "no asks"
        assert float(found["bids"][-1]["price"]) < float(found["asks"][-1]["price"]), "crossed"
        return f"best bid {found['bids'][-1]['price']}, best ask {found['asks'][-1]['price']}"

    def verified():
        found = client.get_order_book(yes)
        return equal(found["hash"], client.get_order_book_hash(found))

    def books():
        found = client.get_order_books([BookParams(token_id=token) for token in market["tokens"]])
        return equal([each["asset_id"] for each in found], market["tokens"]) and len(found)

    steps.step("reads a market by its condition id", lambda: client.get_market(market["market_id"])["question"])
    steps.step("lists markets", lambda: len(client.get_markets()["data"]))
    steps.step("reads tick, fees and tokens", terms)
    steps.step("reads a book", book)
    steps.step("agrees with the hash of a book", verified)
    steps.step("reads the books of both tokens", books)
    steps.step("reads tick size and neg-risk of a token", lambda: (client.get_tick_size(yes), client.get_neg_risk(yes)))
    steps.step("reads the midpoint", lambda: client.get_midpoint(yes)["mid"])
    steps.step("reads the spread", lambda: client.get_spread(yes)["spread"])
    steps.step("reads the price of the buying side", lambda: client.get_price(yes, "BUY")["price"])
    steps.step("reads its balance", lambda: client.get_balance_allowance(_collateral())["balance"])
    steps.step("asks whether it may only close", lambda: equal(client.get_closed_only_mode(), {"closed_only": False}))


def _collateral():
    from py_clob_client_v2.clob_types import AssetType, BalanceAllowanceParams

    return BalanceAllowanceParams(asset_type=AssetType.COLLATERAL)


def place_and_cancel(steps, client, market, yes, equal):
    def rest(price, size):
        answer = client.create_and_post_order(OrderArgsV2(token_id=yes, price=price, size=size, side="BUY"))
        assert answer["success"], answer
        equal(answer["status"], "live")
        return answer["orderID"]

    def listed(params, expected):
        return equal(sorted(order["id"] for order in client.get_open_orders(params)), sorted(expected)) and len(
            expected
        )

    first = steps.step("places an order that rests", lambda: rest(0.02, 50))
    steps.step("reads that order by its id", lambda: equal(client.get_order(first)["status"], "ORDER_STATUS_LIVE"))
    steps.step("finds it among its open orders", lambda: listed(OpenOrderParams(), [first]))
    steps.step(
        "finds it among those of the market", lambda: listed(OpenOrderParams(market=market["market_id"]), [first])
    )
    steps.step("cancels it", lambda: equal(client.cancel_order(OrderPayload(orderID=first))["canceled"], [first]))
    steps.step("has no open order left", lambda: equal(client.get_open_orders(), []) or 0)

    def batch():
        orders = [
            PostOrdersV2Args(
                order=client.create_order(OrderArgsV2(token_id=yes, price=price, size=20, side="BUY")),
                orderType=OrderType.GTC,
            )
            for price in (0.03, 0.04)
        ]
        answers = client.post_orders(orders)
        assert all(answer["success"] and answer["orderID"] for answer in answers), answers
        return [answer["orderID"] for answer in answers]

    both = steps.step("places two orders in one request", batch) or []
    steps.step("cancels both by their ids", lambda: equal(sorted(client.cancel_orders(both)["canceled"]), sorted(both)))
    steps.step("places one more", lambda: rest(0.02, 30))
    steps.step("cancels everything", lambda: len(client.cancel_all()["canceled"]))
    steps.step("has no open order left again", lambda: equal(client.get_open_orders(), []) or 0)


def match(steps, client, ready, yes, equal):
    def buy(token, *statuses):
        ask = client.get_order_book(token)["asks"][-1]
        answer = client.create_and_post_order(
            OrderArgsV2(token_id=token, price=float(ask["price"]), size=10, side="BUY"), order_type=OrderType.FAK
        )
        assert answer["success"], answer
        assert answer["status"] in (statuses or ("matched",)), answer
        return answer

    def traded():
        found = client.get_trades(TradeParams(market=ready["markets"][0]["market_id"]))
        assert any(row["taker_order_id"] == answer["orderID"] for row in found), found
        return f"{len(found)} trades, the newest {found[0]['status']}"

    def market_order():
        answer = client.create_and_post_market_order(
            MarketOrderArgsV2(token_id=yes, amount=20, side="BUY"), order_type=OrderType.FOK
        )
        return equal(answer["status"], "matched")

    def sell():
        bid = client.get_order_book(yes)["bids"][-1]
        sold = client.create_and_post_order(
            OrderArgsV2(token_id=yes, price=float(bid["price"]), size=5, side="SELL"), order_type=OrderType.FAK
        )
        return equal(sold["status"], "matched")

    answer = steps.step("buys what is offered (FAK)", lambda: buy(yes)) or {}
    steps.step("finds the trade of that order", traded)
    steps.step("buys for twenty dollars (market order, FOK)", market_order)
    time.sleep(2.5)  # shares may be sold once their trade is confirmed
    steps.step("sells some of it again", sell)
    neg_risk = next(one for one in ready["markets"] if one["neg_risk"])
    steps.step("buys in a neg-risk market, with the other contract", lambda: buy(neg_risk["tokens"][1])["status"])
    fine = next(one for one in ready["markets"] if one["tick"] == "0.001")
    delayed = "buys at a tick of a tenth of a cent, where the venue holds takers back"
    steps.step(delayed, lambda: buy(fine["tokens"][0], "delayed")["status"])
    steps.step("sends a heartbeat", lambda: client.post_heartbeat()["heartbeat_id"])


def refusals(steps, client, account, yes):
    other = ClobClient(client.host, CHAIN_ID, key=account["private_key"])
    other.set_api_creds(ApiCreds(account["api_key"], WRONG_SECRET, account["api_passphrase"]))
    order = OrderArgsV2(token_id=yes, price=0.02, size=1, side="BUY")
    steps.refused("is told that an order is too small", lambda: client.create_and_post_order(order), "minimum")
    steps.refused("is told that a signature is wrong", other.get_open_orders, "401")
    rich = OrderArgsV2(token_id=yes, price=0.5, size=10_000_000, side="BUY")
    steps.refused("is told that its balance is too small", lambda: client.create_and_post_order(rich), "balance")


def sign():
    builder = ClobClient("http://127.0.0.1:1", CHAIN_ID, key=KEY).builder
    options = CreateOrderOptions(tick_size="0.01", neg_risk=False)
    args = OrderArgsV2(token_id=TOKEN, price=0.45, size=10, side="BUY")
    took = []
    for _ in range(300):
        began = time.perf_counter()
        order = builder.build_order(args, options, version=2, fee_rate_bps=None)
        json.dumps(order_to_json_v2(order, "owner", OrderType.FAK, False, False), separators=(",", ":"))
        took.append(time.perf_counter() - began)
    print(json.dumps({"us": statistics.median(took[50:]) * 1e6}))


if __name__ == "__main__":
    sign() if sys.argv[1] == "sign" else trade(json.loads(sys.stdin.readline()))
