"""Intents, accounts and answers of the private side, with defaults."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from adapters.http_calls import HttpAnswer
from adapters.polymarket.account import Account
from adapters.polymarket.answers import Submitted
from adapters.polymarket.auth import api_key
from adapters.polymarket.eip712 import SigningKey
from adapters.polymarket.terms import MarketTerms
from models.clock import MS, WallNs
from models.config_machine import WalletType
from models.market import Action, MarketId, Outcome, SetId, VenueName
from models.money import MICRO, MicroShares, PriceMicros
from models.orders import AttemptId, ClientOrderId, OrderIntent, Purpose, TimeInForce
from tests.adapters.polymarket.vectors import KEY, L2_SECRET, OWNER, TOKEN

MADE_MS = 1_795_334_400_000
OWN_ID = "0x" + "ab" * 32
OTHER_ID = "0x" + "cd" * 32
TERMS = MarketTerms(TOKEN, TOKEN + 1, neg_risk=False)
WALLET = "0x1111111111111111111111111111111111111111"


def an_intent(**changes: Any) -> OrderIntent:
    intent = OrderIntent(
        client_order_id=ClientOrderId("c-1"),
        attempt_id=AttemptId("a-1"),
        set_id=SetId("s-1"),
        venue=VenueName("polymarket"),
        market_id=MarketId("0x" + "01" * 32),
        leg=0,
        outcome=Outcome.YES,
        action=Action.BUY,
        limit_price=PriceMicros(450_000),
        size=MicroShares(10 * MICRO),
        time_in_force=TimeInForce.IOC,
        purpose=Purpose.OPEN,
        at=WallNs(MADE_MS * MS),
    )
    return replace(intent, **changes)


def an_account(wallet: WalletType = WalletType.EOA, funder: str | None = None) -> Account:
    return Account(SigningKey(KEY), wallet, funder, api_key(OWNER, L2_SECRET, "pass"))


def submitted(**changes: Any) -> Submitted:
    return Submitted(an_intent(**changes), OWN_ID)


def an_answer(status: int, body: object, **headers: str) -> HttpAnswer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def placed(**changes: Any) -> dict[str, Any]:
    return {
        "success": True,
        "errorMsg": "",
        "orderID": OWN_ID,
        "status": "matched",
        "makingAmount": "4.5",
        "takingAmount": "10",
        "transactionsHashes": [],
        "tradeIDs": ["t-1"],
    } | changes


def a_trade(**changes: Any) -> dict[str, Any]:
    """A MINT match: the taker buys YES at 0.518, the maker buys NO at 0.482."""
    return {
        "id": "trade-1",
        "market": "0x" + "01" * 32,
        "asset_id": "71",
        "outcome": "Yes",
        "side": "BUY",
        "size": "20",
        "price": "0.518",
        "status": "MATCHED",
        "trader_side": "TAKER",
        "taker_order_id": OWN_ID,
        "owner": "U1",
        "maker_address": "0xf39F",
        "fee_rate_bps": "0",
        "match_time": "1795334401",
        "last_update": "1795334401",
        "transaction_hash": "",
        "maker_orders": [a_maker()],
    } | changes


def a_maker(**changes: Any) -> dict[str, Any]:
    return {
        "order_id": OTHER_ID,
        "owner": "U2",
        "maker_address": "0xabc",
        "matched_amount": "20",
        "price": "0.482",
        "side": "BUY",
        "asset_id": "52",
        "outcome": "No",
        "fee_rate_bps": "0",
    } | changes


def an_order_row(**changes: Any) -> dict[str, Any]:
    return {
        "id": OWN_ID,
        "status": "ORDER_STATUS_LIVE",
        "owner": "U1",
        "maker_address": "0xf39F",
        "market": "0x" + "01" * 32,
        "asset_id": "71",
        "side": "BUY",
        "original_size": "20",
        "size_matched": "5",
        "price": "0.56",
        "outcome": "Yes",
        "order_type": "GTC",
        "expiration": "0",
        "associate_trades": ["trade-1"],
        "created_at": 1795334400,
    } | changes
