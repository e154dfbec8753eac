"""One word about an order from the two places that know something: its own row, and its trades. Pure.

The row of a finished order may be gone, and a BUY that took liquidity states dollars in it, so what was filled is read
from the trades. These may be late: an order is only called done where no more of them can be on their way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from adapters.polymarket.adapter import CAPABILITIES
from adapters.polymarket.order_wire import OrderRow
from adapters.polymarket.reports import order_seen
from models.clock import SECOND
from models.money import MicroShares
from models.orders import OrderIntent, OrderNotFound, OrderSeen, TimeInForce, VenueOrderId, VenueOrderStatus

SETTLED_NS: Final = 5 * SECOND
"""After this the trades of an order that took and ended are all there."""
HIDDEN_NS: Final = round(CAPABILITIES.visibility_horizon_s * SECOND)
"""After this nothing of an accepted order is hidden any more."""


def joined(
    intent: OrderIntent, order_id: str, row: OrderRow | None, traded: MicroShares, age_ns: int, *, accepted: bool
) -> OrderSeen | OrderNotFound:
    """`traded` are the shares in the order's trades, reversed ones included, `age_ns` is the order's age.

    An order that the venue has `accepted` and then shows nowhere has ended: killed after a delay, or cancelled. One
    that it has not may never have come. Raises `MoneyError` for a row that cannot be true.
    """
    if row is None and traded == 0 and not (accepted and age_ns > HIDDEN_NS):
        return OrderNotFound(client_order_id=intent.client_order_id, source="orders")
    resting = intent.time_in_force is TimeInForce.GTC
    seen = None if row is None else order_seen(row, intent.client_order_id, resting=resting)
    if seen is not None and resting:
        return seen
    word = seen or OrderSeen(
        client_order_id=intent.client_order_id,
        venue_order_id=VenueOrderId(order_id),
        status=VenueOrderStatus.DONE,
        filled=MicroShares(0),
        reason="" if row is None else row.state.casefold(),
    )
    word = replace(word, filled=traded)
    return replace(word, status=_status(intent, row, seen, traded, settled=age_ns > SETTLED_NS))


def _status(
    intent: OrderIntent, row: OrderRow | None, seen: OrderSeen | None, traded: MicroShares, *, settled: bool
) -> VenueOrderStatus:
    if traded >= intent.size:
        return VenueOrderStatus.DONE
    if seen is None:  # gone, or matched as far as the row can say
        unseen_match = row is not None and traded == 0
        return VenueOrderStatus.DONE if settled and not unseen_match else VenueOrderStatus.LIVE
    if seen.status is VenueOrderStatus.DONE:
        return VenueOrderStatus.DONE if settled or traded == 0 else VenueOrderStatus.LIVE
    if seen.status is VenueOrderStatus.LIVE and traded and settled:
        return VenueOrderStatus.DONE  # a FAK that matched a part and was ended without a word
    return seen.status
