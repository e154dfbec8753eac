"""Kalshi's published client (kalshi-python-sync) at work; runs in a scratch environment, not in ours.

`trade`          reads the exchange's ready line from standard input and trades there.
`sign PEM_FILE`  prints what building, serialising and signing one order costs the client, as one JSON line.
"""

import json
import statistics
import sys
import time
import uuid
from pathlib import Path

import kalshi_python_sync as kalshi
from client_steps import Steps

ORDERS = "/portfolio/events/orders"


def client_of(ready, key):
    configuration = kalshi.Configuration(host=ready["rest_url"])
    configuration.api_key_id = key["key_id"]
    configuration.private_key_pem = Path(key["private_key_path"]).read_text()
    return kalshi.KalshiClient(configuration)


def request(ticker, side, price, count, time_in_force):
    return kalshi.CreateOrderV2Request(
        ticker=ticker,
        client_order_id=str(uuid.uuid4()),
        side=side,
        count=count,
        price=price,
        time_in_force=time_in_force,
        self_trade_prevention_type="taker_at_cross",
    )


def trade(ready):
    steps = Steps()
    keys = {(key["kind"], "write" in key["scopes"]): key for key in ready["accounts"][0]["keys"]}
    client = client_of(ready, keys["ed25519", True])
    ticker = next(name for name in ready["markets"] if "SIMFED" in name)

    def equal(found, expected):
        assert found == expected, f"{found!r} is not {expected!r}"
        return found

    read(steps, client, ready, ticker, equal)
    place_and_cancel(steps, client, ticker, equal)
    match(steps, client, ticker, equal)
    rsa = client_of(ready, keys["rsa", True])
    steps.step("reads its balance with an RSA key, too", lambda: rsa.get_balance().balance)
    reader = client_of(ready, keys["ed25519", False])
    order = request(ticker, "bid", "0.0200", "1", "good_till_canceled")
    steps.refused("is told that a key may not trade", lambda: post(reader, order), "403")
    steps.refused(
        "is told that a price is off the grid",
        lambda: post(client, request(ticker, "bid", "0.4555", "1", "good_till_canceled")),
        "invalid",
    )
    steps.refused(
        "is told that a fill-or-kill finds too little",
        lambda: post(client, request(ticker, "bid", "0.0200", "1", "fill_or_kill")),
        "fill_or_kill_insufficient_resting_volume",
    )
    steps.end()


def post(client, order):
    return client.create_order_v2(**order.to_dict())


def read(steps, client, ready, ticker, equal):
    def book():
        found = client.get_market_orderbook(ticker).orderbook_fp
        assert found.yes_dollars, "no bids for YES"
        assert found.no_dollars, "no bids for NO"
        return f"best YES bid {found.yes_dollars[-1][0]}, best NO bid {found.no_dollars[-1][0]}"

    def books():
        found = client.get_market_orderbooks(tickers=ready["markets"][:3]).orderbooks
        return equal(len(found), 3)

    steps.step("asks whether the exchange trades", lambda: client.get_exchange_status().trading_active)
    steps.step("lists markets", lambda: equal(len(client.get_markets(limit=100).markets), len(ready["markets"])))
    steps.step("reads a market", lambda: client.get_market(ticker).market.title)
    steps.step("reads a book", book)
    steps.step("reads several books in one request", books)
    steps.step("reads its balance", lambda: client.get_balance().balance)


def place_and_cancel(steps, client, ticker, equal):
    def rest():
        answer = post(client, request(ticker, "bid", "0.0200", "10.00", "good_till_canceled"))
        equal((answer.fill_count, answer.remaining_count), ("0.00", "10.00"))
        return answer.order_id

    def resting():
        return [order.order_id for order in client.get_orders(ticker=ticker, status="resting").orders]

    def batch():
        orders = [request(ticker, "bid", price, "5", "good_till_canceled") for price in ("0.0300", "0.0400")]
        answer = client.batch_create_orders_v2(orders=[order.to_dict() for order in orders])
        return [row.order_id for row in answer.orders]

    def cancel_both():
        answer = client.batch_cancel_orders_v2(orders=[{"order_id": one, "market_ticker": ticker} for one in both])
        return equal(len(answer.orders), 2)

    first = steps.step("places an order that rests", rest)
    steps.step("reads that order by its id", lambda: equal(client.get_order(first).order.status.value, "resting"))
    steps.step("finds it among its resting orders", lambda: equal(resting(), [first]))
    steps.step("cancels it", lambda: equal(client.cancel_order_v2(first, market_ticker=ticker).reduced_by, "10.00"))
    steps.step("has no resting order left", lambda: equal(resting(), []) or 0)
    both = steps.step("places two orders in one request", batch) or []
    steps.step("cancels both in one request", cancel_both)
    steps.step("has no resting order left again", lambda: equal(resting(), []) or 0)


def match(steps, client, ticker, equal):
    def best_ask():
        """A YES ask is a NO bid seen from the other side."""
        cents = client.get_market_orderbook(ticker).orderbook_fp.no_dollars[-1][0]
        return f"{1 - float(cents):.4f}"

    def buy():
        answer = post(client, request(ticker, "bid", best_ask(), "4.00", "immediate_or_cancel"))
        equal(answer.fill_count, "4.00")
        return answer.order_id

    def filled():
        found = client.get_fills(order_id=bought).fills
        assert found, "no fill"
        return f"{len(found)} fills, the first of {found[0].count_fp} at {found[0].yes_price_dollars}"

    def held():
        found = client.get_positions(ticker=ticker).market_positions
        return equal([row.position_fp for row in found], ["4.00"])[0]

    bought = steps.step("buys what is offered (immediate or cancel)", buy)
    steps.step("finds the fills of that order", filled)
    steps.step("holds the position", held)
    done = "finds the order executed"
    steps.step(done, lambda: equal(client.get_order(bought).order.status.value, "executed"))


def sign(pem_file):
    configuration = kalshi.Configuration(host="http://127.0.0.1:1/trade-api/v2")
    configuration.api_key_id = "a952bcbe-ec3b-4b5b-b8f9-11dae589608c"
    configuration.private_key_pem = Path(pem_file).read_text()
    auth = kalshi.KalshiClient(configuration).kalshi_auth
    took = []
    for _ in range(300):
        began = time.perf_counter()
        json.dumps(request("KXSIMFED-26DEC31-T1", "bid", "0.4500", "10.00", "immediate_or_cancel").to_dict())
        auth.create_auth_headers("POST", "/trade-api/v2" + ORDERS)
        took.append(time.perf_counter() - began)
    print(json.dumps({"us": statistics.median(took[50:]) * 1e6}))


if __name__ == "__main__":
    sign(sys.argv[2]) if sys.argv[1] == "sign" else trade(json.loads(sys.stdin.readline()))
