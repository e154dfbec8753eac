"""One word about an order from the two places that know something: its own row, and its trades. Pure.

The row of a finished order may be gone, and a BUY that took liquidity states dollars in it, so what was filled is read
from the trades. These may be late: an order is only called done where no more of them can be on their way.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Final

from adapters.polymarket.order_wire import OrderRow
from adapters.polymarket.reports import order_seen
from models.clock import SECOND, BootNs
from models.money import MicroShares
from models.newest import Newest
from models.orders import (
    ClientOrderId,
    OrderIntent,
    OrderNotFound,
    OrderSeen,
    TimeInForce,
    VenueOrderId,
    VenueOrderStatus,
)

SETTLED_NS: Final = 5 * SECOND
"""After this the trades of an order that took and ended are all there."""

KEPT: Final = 1024


class Absences:
    """Since when an order that the venue has taken is shown by nothing. Any thread.

    The venue's reads show active orders and trades only: an order that was taken and then ended without a trade, held
    back and killed for one, is never shown again, and the message that says so may be lost. What would still be alive,
    or had traded, shows within the horizon.
    """

    def __init__(self, horizon_ns: int) -> None:
        self._horizon_ns = horizon_ns
        self._lock = threading.Lock()
        self._since: Newest[ClientOrderId, BootNs] = Newest(KEPT)

    def over(self, own: ClientOrderId, asked: BootNs, answered: BootNs) -> bool:
        """Nothing shows it; whether that has been so for long enough to call it ended."""
        with self._lock:
            since = self._since.get(own)
            if since is None:
                self._since.put(own, answered)
            return since is not None and asked - since >= self._horizon_ns

    def shown(self, own: ClientOrderId) -> None:
        with self._lock:
            self._since.drop(own)


def ended_unseen(intent: OrderIntent, order_id: VenueOrderId) -> OrderSeen:
    """The word about an order that has ended and left no trace."""
    return OrderSeen(
        client_order_id=intent.client_order_id,
        venue_order_id=order_id,
        status=VenueOrderStatus.DONE,
        filled=MicroShares(0),
        reason="no longer shown, and no trade",
    )


def joined(
    intent: OrderIntent, order_id: str, row: OrderRow | None, traded: MicroShares, age_ns: int
) -> OrderSeen | OrderNotFound:
    """`traded` are the shares in the order's trades, reversed ones included, `age_ns` is the order's age.

    Raises `MoneyError` for a row that cannot be true.
    """
    if row is None and traded == 0:
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
