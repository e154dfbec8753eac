"""Orders and cancels as calls of the venue: what comes in is checked, matched or held, and answered in its words.

A batch is handled item by item; an item that is refused says so in a row of its own, with `success: true` and no id
(polymarket.md 5.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from adapters.polymarket.dialect import replies
from adapters.polymarket.dialect.exchange import Held, PolymarketExchange
from adapters.polymarket.dialect.order_rules import Checked, check
from adapters.polymarket.dialect.replies import Problem
from adapters.polymarket.dialect.wallets import Wallet
from adapters.polymarket.order_wire import BATCH_MAX, CancelOne
from adapters.simulated.desk import ALREADY_DONE, NEVER_ARRIVED, Manner
from adapters.simulated.faults import LeverName
from adapters.simulated.orders import OrderRequest, OrderState, VenueOrder
from adapters.simulated.web import Answer
from models.market import Action, MarketId
from models.money import MICRO, text

CANCELS_MAX: Final = 1000
ORDERS_PER_S: Final = 40
ORDERS_BURST: Final = 60

_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ONE_ID: Final = msgspec.json.Decoder(CancelOne)
_IDS: Final = msgspec.json.Decoder(list[str])


class _MarketCancel(msgspec.Struct):
    market: str = ""
    asset_id: str = ""


_MARKET: Final = msgspec.json.Decoder(_MarketCancel)


@dataclass(frozen=True, slots=True)
class Placed:
    """One order's answer, and the manner in which it leaves."""

    result: dict[str, Any] | Problem
    manner: Manner = Manner.ANSWER
    delay: int = 0


class Buckets:
    """The orders that each signer may still send now (section 10). Times in ns."""

    def __init__(self) -> None:
        self._filled: dict[str, tuple[float, int]] = {}

    def take(self, account: str, count: int, now: int) -> int | None:
        """What is left after `count` orders; None where they are too many, and then none of them counts."""
        left, at = self._filled.get(account, (float(ORDERS_BURST), now))
        left = min(float(ORDERS_BURST), left + (now - at) * ORDERS_PER_S / 1e9)
        if left < count:
            self._filled[account] = (left, now)
            return None
        self._filled[account] = (left - count, now)
        return int(left - count)


def place_one(exchange: PolymarketExchange, wallet: Wallet, body: bytes, buckets: Buckets, now: int) -> Answer:
    """`POST /order`."""
    refused = _weather(exchange, wallet, now)
    left = buckets.take(wallet.account, 1, now)
    if refused is None and left is None:
        refused = replies.TOO_MANY
    if refused is not None:
        return refused.answer()
    placed = _place(exchange, wallet, body, now)
    if isinstance(placed.result, Problem):
        answer = placed.result.answer()
        return Answer(answer.status, answer.body, placed.manner, placed.delay, answer.headers)
    headers = {"Poly-RateLimit-Remaining": str(left), "Poly-RateLimit-Tier": "standard"}
    return Answer(replies.OK, replies.encode(placed.result), placed.manner, placed.delay, headers)


def place_many(exchange: PolymarketExchange, wallet: Wallet, body: bytes, buckets: Buckets, now: int) -> Answer:
    """`POST /orders`. The first answer that a lever spoils spoils the whole response."""
    try:
        items = _ITEMS.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return replies.INVALID_PAYLOAD.answer()
    if not items:
        return replies.INVALID_PAYLOAD.answer()
    if len(items) > BATCH_MAX:
        return replies.too_many_orders(len(items), BATCH_MAX).answer()
    refused = _weather(exchange, wallet, now)
    if refused is None and buckets.take(wallet.account, len(items), now) is None:
        refused = replies.TOO_MANY
    if refused is not None:
        return refused.answer()
    placed = [_place(exchange, wallet, bytes(item), now) for item in items]
    spoilt = next((one for one in placed if one.manner is not Manner.ANSWER), None)
    rows = [_refused_row(one.result) if isinstance(one.result, Problem) else one.result for one in placed]
    manner = Manner.ANSWER if spoilt is None else spoilt.manner
    return Answer(replies.OK, replies.encode(rows), manner, max(one.delay for one in placed))


def cancel(exchange: PolymarketExchange, wallet: Wallet, path: str, body: bytes, now: int) -> Answer:
    """`DELETE /order`, `/orders`, `/cancel-all`, `/cancel-market-orders`: 200 also where nothing was cancelled."""
    if now < exchange.disabled_until:
        return replies.DISABLED.answer()
    try:
        if path == "/cancel-all":
            return replies.ok({"canceled": exchange.cancel_all(wallet.account, now), "not_canceled": {}})
        if path == "/cancel-market-orders":
            return _cancel_market(exchange, wallet, _MARKET.decode(body), now)
        ids = [_ONE_ID.decode(body).order_id] if path == "/order" else _IDS.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return replies.INVALID_PAYLOAD.answer()
    if len(ids) > CANCELS_MAX:
        return replies.INVALID_PAYLOAD.answer()
    return _cancel_ids(exchange, wallet, ids, now)


# -- inside


def _weather(exchange: PolymarketExchange, wallet: Wallet, now: int) -> Problem | None:
    if now < exchange.disabled_until:
        return replies.DISABLED
    if now < exchange.cancel_only_until:
        return replies.CANCEL_ONLY
    if exchange.levers.pull(LeverName.EDGE_LIMITED, account=wallet.account):
        return replies.EDGE_LIMIT
    if exchange.levers.pull(LeverName.TOO_EARLY, account=wallet.account):
        return replies.BARE_TOO_EARLY
    return None


def _place(exchange: PolymarketExchange, wallet: Wallet, raw: bytes, now: int) -> Placed:
    checked = check(raw, wallet, exchange.listed, exchange.statuses(), now)
    if isinstance(checked, Problem):
        return Placed(checked)
    own_id, account = checked.order_id, wallet.account
    if (account, own_id) in exchange.engine.orders or (account, own_id) in exchange.held:
        return Placed(replies.duplicated(own_id))
    approved = wallet.allowance >= checked.maker_amount if checked.action is Action.BUY else wallet.shares_approved
    if not approved:
        return Placed(replies.NO_FUNDS)
    request = OrderRequest(
        client_order_id=own_id,
        market_id=MarketId(checked.listed.condition_id),
        outcome=checked.outcome,
        action=checked.action,
        price=checked.price,
        size=checked.size,
        time_in_force=checked.force,
    )
    if not exchange.affords(account, request, checked.maker_amount):
        return Placed(replies.NO_FUNDS)
    crossing = exchange.crosses(request)
    if checked.post_only and crossing:
        return Placed(replies.CROSSES)
    if crossing and not checked.takes and checked.action is Action.BUY and checked.maker_amount < MICRO:
        return Placed(replies.below_a_dollar(text(checked.maker_amount)))
    exchange.checked[own_id] = checked
    wait = checked.listed.taker_delay_ns
    if wait and (crossing or checked.takes) and now >= exchange.engine.post_only_until:
        exchange.hold(Held(account, request, checked, now + wait))
        return Placed(_row(own_id, "delayed"))
    return _submit(exchange, wallet, checked, request, now)


def _submit(exchange: PolymarketExchange, wallet: Wallet, checked: Checked, request: OrderRequest, now: int) -> Placed:
    own_id, account = checked.order_id, wallet.account
    reply = exchange.submit(account, request, now)
    error = reply.answer.error
    if error is not None:
        if error.code == NEVER_ARRIVED:
            return Placed(replies.INVALID_PAYLOAD, reply.manner, reply.delay)  # nobody reads this answer
        tick = text(checked.listed.tick)
        problem = replies.of_refusal(error.code, own_id, text(checked.price), text(checked.size, 0), tick)
        return Placed(problem, reply.manner, reply.delay)
    order = exchange.engine.orders[account, own_id]
    if checked.ends_at is not None:
        exchange.later(checked.ends_at, lambda at: exchange.expire(account, own_id, at))
    bare = reply.answer.status == OrderState.LIVE.value and order.state is OrderState.DONE
    if bare:
        return Placed(_row(own_id, "delayed"), reply.manner, reply.delay)
    if checked.takes and not order.filled:
        killed = replies.FOK_KILLED if checked.order_type == "FOK" else replies.FAK_KILLED
        return Placed(killed, reply.manner, reply.delay)
    if order.state is OrderState.LIVE and not order.filled:
        return Placed(_row(own_id, "live"), reply.manner, reply.delay)
    shares, dollars, trades = exchange.matched(account, own_id)
    making, taking = exchange.gives(checked.action, shares, dollars)
    status = "live" if order.state is OrderState.LIVE else "matched"
    row = _row(own_id, status, text(making, 0), text(taking, 0), trades)
    return Placed(row, reply.manner, reply.delay)


def _row(own_id: str, status: str, making: str = "", taking: str = "", trades: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "success": True,
        "errorMsg": "",
        "orderID": own_id,
        "status": status,
        "makingAmount": making,
        "takingAmount": taking,
        "transactionsHashes": [],
        "tradeIDs": list(trades),
    }


def _refused_row(problem: Problem) -> dict[str, Any]:
    return {**_row("", ""), "errorMsg": problem.text}


def _cancel_ids(exchange: PolymarketExchange, wallet: Wallet, ids: Sequence[str], now: int) -> Answer:
    cancelled: list[str] = []
    kept: dict[str, str] = {}
    manner, delay = Manner.ANSWER, 0
    for given in ids:
        own_id = given.lower()
        if (wallet.account, own_id) in exchange.held:
            kept[given] = "the order is delayed and cannot be canceled"
            continue
        reply = exchange.cancel(wallet.account, own_id, now)
        error = reply.answer.error
        if error is None:
            cancelled.append(given)
        elif error.code == ALREADY_DONE:
            kept[given] = "already canceled or matched"
        else:
            kept[given] = "the order was not found"
        if reply.manner is not Manner.ANSWER:
            manner, delay = reply.manner, reply.delay
    return replies.ok({"canceled": cancelled, "not_canceled": kept}, manner, delay)


def _cancel_market(exchange: PolymarketExchange, wallet: Wallet, wanted: _MarketCancel, now: int) -> Answer:
    if not wanted.market and not wanted.asset_id:
        return replies.INVALID_PAYLOAD.answer()
    token = exchange.listed.by_token.get(wanted.asset_id)

    def meant(order: VenueOrder) -> bool:
        request = order.request
        if wanted.market and request.market_id != wanted.market:
            return False
        if not wanted.asset_id:
            return True
        return token is not None and (request.market_id, request.outcome) == (token[0].condition_id, token[1])

    return replies.ok({"canceled": exchange.cancel_all(wallet.account, now, meant), "not_canceled": {}})
