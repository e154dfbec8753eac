"""Orders as they reach the venue: checked in the venue's words, matched by the engine, answered in its form (kalshi.md
6, read 2026-11-22).

An order buys or sells on the YES ladder. For the engine it is a sale where it only gives back what the member holds,
and a purchase of the other outcome otherwise, which is netted at once.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from adapters.kalshi.dialect.exchange import KalshiExchange
from adapters.kalshi.dialect.members import Member
from adapters.kalshi.dialect.order_checks import (
    Checked,
    CreateOrder,
    Placed,
    charge,
    checked_order,
    decoded,
    held_against,
    meets,
)
from adapters.kalshi.dialect.replies import FOK_KILLED, INVALID_PARAMETERS, OF_REFUSAL, RefusedError, bad, good
from adapters.kalshi.dialect.rows import KalshiOrder, count, dollars, order_news, own_outcome
from adapters.kalshi.order_wire import yes_leg
from adapters.simulated.desk import Manner
from adapters.simulated.orders import OrderRequest, OrderState, VenueOrder
from adapters.simulated.web import Answer
from models.clock import MS, SECOND
from models.first_use import make_structs_ready
from models.market import Action
from models.money import MICRO, MicroShares, PriceMicros, divide_down
from models.orders import TimeInForce


class CreateOrders(msgspec.Struct):
    orders: list[msgspec.Raw]


# -- create


def create(exchange: KalshiExchange, member: Member, raw: bytes, now: int) -> Answer:
    """One order. Bills the shard that it names, or every shard where it names none."""
    asked = decoded(raw, CreateOrder)
    routed = asked.exchange_index is not None and asked.exchange_index != -1
    shards = (asked.exchange_index or 0,) if routed else tuple(exchange.listings.shards)
    charge(member, shards, 10, now)
    placed = place(exchange, member, asked, now)
    if placed.problem is not None:
        return bad(placed.problem, placed.manner, placed.delay)
    return good(placed.body, HTTPStatus.CREATED, placed.manner, placed.delay)


def create_batch(exchange: KalshiExchange, member: Member, raw: bytes, now: int) -> Answer:
    """Each item succeeds or fails for itself; the whole batch has to fit into the bucket."""
    items = decoded(raw, CreateOrders).orders
    if not items:
        raise RefusedError(INVALID_PARAMETERS)
    charge(member, (0,), 10 * len(items), now)
    placed = [_item(exchange, member, item, now) for item in items]
    spoilt = next((one for one in placed if one.manner is not Manner.ANSWER), placed[0])
    delay = max(one.delay for one in placed)
    return good({"orders": [one.body for one in placed]}, HTTPStatus.CREATED, spoilt.manner, delay)


def _item(exchange: KalshiExchange, member: Member, item: msgspec.Raw, now: int) -> Placed:
    try:
        asked = msgspec.json.decode(item, type=CreateOrder)
    except msgspec.DecodeError:
        return Placed({"error": INVALID_PARAMETERS.error}, INVALID_PARAMETERS)
    placed = place(exchange, member, asked, now)
    if placed.problem is None:
        return placed
    error = placed.problem.error if not placed.problem.bare else {"code": placed.problem.bare}
    body = {"client_order_id": asked.client_order_id, "error": error}
    return Placed(body, placed.problem, placed.manner, placed.delay)


def place(exchange: KalshiExchange, member: Member, asked: CreateOrder, now: int) -> Placed:
    try:
        checked = checked_order(exchange, member, asked, now)
    except RefusedError as refused:
        return Placed({}, refused.problem)
    return _sent(exchange, member, checked, now)


def _sent(exchange: KalshiExchange, member: Member, checked: Checked, now: int) -> Placed:
    """Hand the order to the desk, in the size that reduce-only and self-trade prevention leave of it."""
    account = member.account(checked.listed.shard)
    size, crossed = _room(exchange, member, checked, now)
    reason = "SelfTradeCancel" if crossed else ""
    if checked.asked.reduce_only:
        held = held_against(exchange, member, checked)
        size, reason = MicroShares(min(size, held)), reason or ("ReduceOnlyCancel" if held < checked.size else "")
    if size == 0:
        return _stillborn(exchange, member, checked, reason, now)
    tif = TimeInForce.IOC if crossed else checked.tif
    request = _request(exchange, member, checked, size, tif)
    before = exchange.holdings(account)
    reply = exchange.desk.submit(account, request, now)
    error = reply.answer.error
    if error is not None:
        exchange.announce_all(now)
        return Placed({}, OF_REFUSAL.get(error.code, INVALID_PARAMETERS), reply.manner, reply.delay)
    venue = exchange.engine.orders[account, checked.own_id]
    if venue.visible_at > now:
        exchange.hide(account, before, venue.visible_at, now)
    order = _accepted(exchange, member, checked, venue, reason, now)
    order.hidden = tif is TimeInForce.FOK and venue.filled == 0
    exchange.announce_all(now)
    if order.hidden:
        return Placed({}, FOK_KILLED, reply.manner, reply.delay)
    return Placed(_created(order, now), None, reply.manner, reply.delay)


def _accepted(
    exchange: KalshiExchange, member: Member, checked: Checked, venue: VenueOrder, reason: str, now: int
) -> KalshiOrder:
    asked = checked.asked
    order = KalshiOrder(
        venue=venue,
        owner=member.name,
        listed=checked.listed,
        client_order_id=checked.own_id,
        initial=checked.size,
        stp=asked.self_trade_prevention_type,
        cancel_on_pause=asked.cancel_order_on_pause,
        updated=now,
        group=asked.order_group_id,
        expires=None if asked.expiration_time is None else asked.expiration_time * SECOND,
        reason=reason,
    )
    exchange.used_ids.add((member.name, checked.own_id))
    exchange.add(order)
    return order


def _stillborn(exchange: KalshiExchange, member: Member, checked: Checked, reason: str, now: int) -> Placed:
    """Accepted and ended at once: there is nothing that it may do."""
    request = _request(exchange, member, checked, checked.size, checked.tif)
    exchange.engine.orders_made += 1
    account = member.account(checked.listed.shard)
    venue = VenueOrder(f"v-{exchange.engine.orders_made:06d}", account, request, now, now, state=OrderState.DONE)
    venue.reason = "killed"
    order = _accepted(exchange, member, checked, venue, reason, now)
    exchange.kalshi.tell(member.name, "user_orders", "user_order", order_news(order), now)
    return Placed(_created(order, now))


def _request(
    exchange: KalshiExchange, member: Member, checked: Checked, size: MicroShares, tif: TimeInForce
) -> OrderRequest:
    """For the engine: a sale of what is held where that covers it, else a purchase in the side's own outcome."""
    opens = own_outcome(checked.asked.side)
    sells = size <= held_against(exchange, member, checked)
    outcome = opens.other if sells else opens
    return OrderRequest(
        client_order_id=checked.own_id,
        market_id=checked.listed.market.market_id,
        outcome=outcome,
        action=Action.SELL if sells else Action.BUY,
        price=yes_leg(outcome, checked.price),
        size=size,
        time_in_force=tif,
    )


def _room(exchange: KalshiExchange, member: Member, checked: Checked, now: int) -> tuple[MicroShares, bool]:
    """How much of the order may trade before it would meet one of the member's own, and whether it would.

    With `maker` the resting order gives way instead (6.2).
    """
    own = member.account(checked.listed.shard)
    for maker, before in meets(exchange, checked):
        if maker.account != own:
            continue
        if checked.asked.self_trade_prevention_type == "taker_at_cross":
            return MicroShares(before), True
        exchange.end(exchange.orders[maker.order_id], "SelfTradeCancel", now)
    return checked.size, False


def _created(order: KalshiOrder, now: int) -> dict[str, Any]:
    filled = order.venue.filled
    body: dict[str, Any] = {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "fill_count": count(filled),
        "remaining_count": count(order.remaining),
        "ts_ms": now // MS,
    }
    if filled:
        body["average_fill_price"] = dollars(_average_price(order))
        body["average_fee_paid"] = dollars(divide_down(sum(order.fees) * MICRO, filled), 6)
    return body


def _average_price(order: KalshiOrder) -> PriceMicros:
    """Of the YES leg."""
    paid = divide_down(sum(order.cost) * MICRO, order.venue.filled)
    return yes_leg(order.venue.request.outcome, PriceMicros(paid))


make_structs_ready(globals())
