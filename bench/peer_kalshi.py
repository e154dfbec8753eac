"""The venue's own published client on the dialect: books, orders that rest, match and end, and what it is told of them.

Run by `bench/clients.py` in the scratch environment that has the client; imports nothing of the project.

    python bench/peer_kalshi.py READY.json

READY.json is the line that `run.py simulate --dialect kalshi` prints. Every answer goes through the client's own
models, so a field that they miss, or do not understand, ends this with their error. Prints one line per step.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from kalshi_python_sync import Configuration, KalshiClient  # type: ignore[import-not-found]
from kalshi_python_sync.exceptions import ApiException  # type: ignore[import-not-found]

COUNT = "3.00"


def main(ready: Mapping[str, Any]) -> int:
    for key in ready["accounts"][0]["keys"]:
        if "write" in key["scopes"]:
            _tell(f"with a key of kind {key['kind']}", "")
            _trade(_client(ready, key), ready["markets"])
    _is_refused(_client(ready, ready["accounts"][0]["keys"][-1]), ready["markets"][0])
    return 0


def _client(ready: Mapping[str, Any], key: Mapping[str, Any]) -> Any:
    configuration = Configuration(host=ready["rest_url"])
    configuration.api_key_id = key["key_id"]
    configuration.private_key_pem = Path(key["private_key_path"]).read_text(encoding="ascii")
    return KalshiClient(configuration)


def _trade(client: Any, tickers: list[str]) -> None:
    status = client.get_exchange_status()
    _tell("exchange status", f"trading {status.trading_active}")
    markets = client.get_markets(tickers=",".join(tickers)).markets
    _tell("markets", f"{len(markets)}, all of them: {sorted(m.ticker for m in markets) == sorted(tickers)}")
    market = markets[0]
    event = client.get_event(market.event_ticker)
    _tell("event", f"{event.event.event_ticker}, {len(event.markets)} markets")
    series = client.get_series(event.event.series_ticker).series
    _tell("series", f"{series.ticker}: {series.fee_type} x {series.fee_multiplier}")
    book = client.get_market_orderbook(market.ticker).orderbook_fp
    best_yes, best_no = (max(Decimal(row[0]) for row in side) for side in (book.yes_dollars, book.no_dollars))
    _tell("book", f"YES bid {best_yes}, NO bid {best_no}, so YES is offered at {1 - best_no}")

    before = Decimal(client.get_balance().balance_dollars)
    held = _position(client, market.ticker)
    taken = _order(client, market, "bid", 1 - best_no, "immediate_or_cancel")
    _tell("IOC that meets the book", f"filled {taken.fill_count} at {taken.average_fill_price}")
    _expect(taken.fill_count == COUNT, "a fill of the whole order")
    _expect(_position(client, market.ticker) - held == Decimal(COUNT), "a position of that size")
    fill = client.get_fills(order_id=taken.order_id).fills[0]
    paid = before - Decimal(client.get_balance().balance_dollars)
    cost = Decimal(fill.count_fp) * Decimal(fill.yes_price_dollars) + Decimal(fill.fee_cost)
    _tell("execution", f"{fill.count_fp} at {fill.yes_price_dollars}, fee {fill.fee_cost}, balance -{paid}")
    _expect(paid == cost, "cash that went is price and fee")

    rests = _order(client, market, "bid", Decimal("0.01"), "good_till_canceled")
    resting = client.get_orders(ticker=market.ticker, status="resting").orders
    _tell("order that rests", f"{rests.order_id} of {len(resting)} resting")
    _expect([order.order_id for order in resting] == [rests.order_id], "the order in the list of those that rest")
    ended = client.cancel_order_v2(rests.order_id, market_ticker=market.ticker)
    _tell("cancel", f"reduced by {ended.reduced_by}")
    _expect(client.get_order(rests.order_id).order.status == "canceled", "a cancelled order")

    sold = _order(client, market, "ask", best_yes, "immediate_or_cancel", reduce_only=True)
    _tell("sale of the position", f"filled {sold.fill_count}")
    _expect(_position(client, market.ticker) == held, "nothing more held than before")
    try:
        _order(client, market, "bid", Decimal("0.01"), "fill_or_kill")
    except ApiException as error:
        _tell("FOK that cannot fill", f"{error.status} {json.loads(error.body)['error']['code']}")
    else:
        raise SystemExit("a FOK without a counterpart was not killed")
    batch = [_body(market, "bid", Decimal("0.01"), "good_till_canceled") for _ in range(2)]
    made = client.batch_create_orders_v2(orders=batch).orders
    ids = [{"order_id": one.order_id, "market_ticker": market.ticker} for one in made]
    cancelled = client.batch_cancel_orders_v2(orders=ids).orders
    _tell("batch of two, made and cancelled", ", ".join(one.reduced_by for one in cancelled))
    _expect(not client.get_orders(status="resting").orders, "nothing that rests")
    group = client.create_order_group(contracts_limit_fp="50.00", exchange_index=market.exchange_index).order_group_id
    grouped = _order(client, market, "bid", Decimal("0.01"), "good_till_canceled", order_group_id=group)
    _expect(client.get_order_group(group).orders == [grouped.order_id], "the order in its group")
    client.trigger_order_group(group, body={})
    _tell("order group, triggered", client.get_order(grouped.order_id).order.status)
    limits, keys = client.get_account_api_limits(), client.get_api_keys().api_keys
    _tell("account", f"tier {limits.usage_tier}, {len(keys)} keys, scopes {[len(key.scopes) for key in keys]}")
    _tell("settlements", f"{len(client.get_settlements().settlements)}")
    listed = client.get_orders(ticker=market.ticker).orders
    _tell("orders", f"{len(listed)}: {', '.join(sorted({order.status for order in listed}))}")


def _is_refused(client: Any, ticker: str) -> None:
    """A key that may only read."""
    market = client.get_markets(tickers=ticker).markets[0]
    try:
        _order(client, market, "bid", Decimal("0.01"), "good_till_canceled")
    except ApiException as error:
        _tell("order with a key that may only read", f"{error.status}")
    else:
        raise SystemExit("a key that may only read has traded")


def _order(client: Any, market: Any, side: str, price: Decimal, tif: str, **more: object) -> Any:
    return client.create_order_v2(**_body(market, side, price, tif, **more))


def _body(market: Any, side: str, price: Decimal, tif: str, **more: object) -> dict[str, object]:
    return {
        "ticker": market.ticker,
        "client_order_id": str(uuid.uuid4()),
        "side": side,
        "count": COUNT,
        "price": f"{price:.4f}",
        "time_in_force": tif,
        "self_trade_prevention_type": "taker_at_cross",
        "exchange_index": market.exchange_index,
        **more,
    }


def _position(client: Any, ticker: str) -> Decimal:
    rows = client.get_positions(ticker=ticker).market_positions
    return Decimal(rows[0].position_fp) if rows else Decimal(0)


def _expect(true: bool, what: str) -> None:
    if not true:
        raise SystemExit(f"expected {what}")


def _tell(what: str, found: str) -> None:
    sys.stdout.write(f"{what:<36} {found}\n".rstrip() + "\n")


if __name__ == "__main__":
    raise SystemExit(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
