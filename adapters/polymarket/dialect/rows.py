"""Orders and trades of the engine as the venue's rows: for REST, and with an `event_type` for the user channel. Pure.

A trade settles on a clock: MATCHED, half-way MINED (or RETRYING, where it will fail or is to be tried twice), then
CONFIRMED or FAILED. Parties that are not traders get ids and addresses of their own making.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any, Final

from adapters.polymarket.dialect.books import price, size
from adapters.polymarket.dialect.markets import Listed
from adapters.polymarket.dialect.order_rules import Checked
from adapters.polymarket.dialect.wallets import Wallet, Wallets
from adapters.polymarket.eip712 import checksummed
from adapters.simulated.orders import OrderState, Party, Trade, VenueOrder
from models.clock import MS, SECOND
from models.market import Action, Outcome
from models.orders import FillState

KILLED: Final = {
    "FOK": "order couldn't be fully filled. FOK orders are fully filled or killed.",
    "FAK": "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
}


def order_row(order: VenueOrder, checked: Checked | None, listed: Listed, wallet: Wallet) -> dict[str, Any]:
    """`/data/order`: sizes in shares, but of an order that takes and buys the original is in dollars."""
    request = order.request
    kind = checked.order_type if checked is not None else "GTC"
    original: int = request.size
    if checked is not None and checked.takes and request.action is Action.BUY:
        original = checked.maker_amount
    return {
        "id": request.client_order_id,
        "status": f"ORDER_STATUS_{status_of(order)}",
        "owner": wallet.api_key,
        "maker_address": wallet.funder,
        "market": request.market_id,
        "asset_id": listed.token(request.outcome),
        "side": request.action.value,
        "original_size": size(original),
        "size_matched": size(order.filled),
        "price": price(request.price),
        "outcome": label(listed, request.outcome),
        "order_type": kind,
        "expiration": "0" if checked is None or checked.ends_at is None else str(checked.ends_at // SECOND),
        "associate_trades": [],
        "created_at": order.accepted_at // SECOND,
    }


def status_of(order: VenueOrder) -> str:
    if order.state is OrderState.LIVE:
        return "LIVE"
    if order.reason == "filled" or (order.reason == "killed" and order.filled):
        return "MATCHED"
    return {"resolved": "CANCELED_MARKET_RESOLVED", "expired": "CANCELED_EXPIRED_ORDER"}.get(order.reason, "CANCELED")


def order_event(row: dict[str, Any], kind: str, status: str, now: int) -> dict[str, Any]:
    """`kind` is PLACEMENT, UPDATE or CANCELLATION."""
    return {
        **row,
        "event_type": "order",
        "type": kind,
        "status": status,
        "order_owner": row["owner"],
        "associate_trades": None,
        "created_at": str(row["created_at"]),
        "timestamp": str(now // MS),
    }


class TradeRows:
    """Rows of trades, as each party is shown them."""

    def __init__(self, wallets: Wallets) -> None:
        self._wallets = wallets
        self.retried: set[str] = set()
        """Trades whose first settlement is given up and tried again."""

    def row(self, trade: Trade, account: str, listed: Listed, status: str) -> dict[str, Any]:
        taker, maker = trade.taker.order, trade.maker.order
        token = listed.token(taker.request.outcome)
        at = str(trade.at // SECOND)
        return {
            "id": trade_id(trade),
            "taker_order_id": self._order_id(taker),
            "market": trade.market_id,
            "asset_id": token,
            "side": taker.request.action.value,
            "size": size(trade.size),
            "fee_rate_bps": "0",
            "price": price(trade.taker.price),
            "status": status,
            "match_time": at,
            "last_update": at,
            "outcome": label(listed, taker.request.outcome),
            "owner": self._owner(taker),
            "maker_address": self._address(taker),
            "bucket_index": 0,
            "transaction_hash": self._transaction(trade, status),
            "trader_side": "TAKER" if taker.account == account else "MAKER",
            "maker_orders": [self._maker(trade.maker, maker, listed, trade.size)],
        }

    def event(self, row: dict[str, Any], now: int) -> dict[str, Any]:
        own = {"event_type": "trade", "type": "TRADE", "trade_owner": row["owner"], "timestamp": str(now // MS)}
        return {**row, **own, "last_update": str(now // SECOND)}

    def status(self, trade: Trade, now: int) -> str:
        """As the venue would say now."""
        if trade.state is FillState.FINAL:
            return "CONFIRMED"
        if trade.state is FillState.REVERSED:
            return "FAILED"
        if now < mined_at(trade):
            return "MATCHED"
        if trade.reverse or (trade.trade_id in self.retried and now < retried_at(trade)):
            return "RETRYING"
        return "MINED"

    def _maker(self, party: Party, order: VenueOrder, listed: Listed, shares: int) -> dict[str, Any]:
        return {
            "order_id": self._order_id(order),
            "owner": self._owner(order),
            "maker_address": self._address(order),
            "matched_amount": size(shares),
            "price": price(party.price),
            "fee_rate_bps": "0",
            "asset_id": listed.token(order.request.outcome),
            "outcome": label(listed, order.request.outcome),
            "side": order.request.action.value,
        }

    def _order_id(self, order: VenueOrder) -> str:
        if self._wallets.of_account(order.account) is not None:
            return order.request.client_order_id
        return "0x" + hashlib.sha256(f"order/{order.order_id}".encode()).hexdigest()

    def _owner(self, order: VenueOrder) -> str:
        wallet = self._wallets.of_account(order.account)
        return wallet.api_key if wallet is not None else _uuid(f"owner/{order.account}")

    def _address(self, order: VenueOrder) -> str:
        wallet = self._wallets.of_account(order.account)
        if wallet is not None:
            return wallet.funder
        return checksummed(hashlib.sha256(f"address/{order.account}".encode()).digest()[:20])

    def _transaction(self, trade: Trade, status: str) -> str:
        if status == "MATCHED":
            return ""
        attempt = "second" if trade.trade_id in self.retried and status in ("MINED", "CONFIRMED") else "first"
        return "0x" + hashlib.sha256(f"{attempt}/{trade.trade_id}".encode()).hexdigest()


def mined_at(trade: Trade) -> int:
    return trade.at + (trade.settle_at - trade.at) // 2


def retried_at(trade: Trade) -> int:
    return trade.at + (trade.settle_at - trade.at) * 3 // 4


def trade_id(trade: Trade) -> str:
    return _uuid(f"trade/{trade.trade_id}/{trade.at}")


def label(listed: Listed, outcome: Outcome) -> str:
    return listed.outcomes[0 if outcome is Outcome.YES else 1]


def _uuid(name: str) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(name.encode()).digest()[:16], version=4))
