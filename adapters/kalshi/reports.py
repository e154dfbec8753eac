"""What the venue reports about our orders -> domain values. Pure, strict, and the same for REST and the private stream.

An execution is final here when it is told. Its price comes as the YES leg's; in which leg it is ours, the order's id
says (`order_wire.wire_id`).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from adapters.catalog import CatalogError, instant_ms
from adapters.kalshi.order_wire import FillNewsBody, FillRow, OrderRow, PositionRow, outcome_of, own_id, yes_leg
from adapters.venue import Position
from models.hostile import clean
from models.market import MarketId, Outcome
from models.money import MicroShares, MicroUsd, MoneyError, parse_micros, parse_price, parse_shares
from models.newest import Newest
from models.orders import ClientOrderId, Fill, FillState, OrderSeen, VenueOrderId, VenueOrderStatus

KEPT: Final = 8_192
"""Orders that are still recognised by the venue's id."""

STATUSES: Final = {
    "resting": VenueOrderStatus.LIVE,
    "canceled": VenueOrderStatus.DONE,
    "executed": VenueOrderStatus.DONE,
}
"""Any other word (`unknown` is one of the stream's) says nothing."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Our own name of an order, and the outcome that it trades."""

    client_order_id: ClientOrderId
    outcome: Outcome

    @classmethod
    def named(cls, wire: str, side: str) -> Owner:
        """As the venue names it, with the order's side of the book."""
        return cls(own_id(wire), outcome_of(wire, side))


class Owners:
    """Our own name of every order that this process has made or asked about, by the venue's id. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_venue: Newest[str, Owner] = Newest(KEPT)
        self._by_own: Newest[ClientOrderId, VenueOrderId] = Newest(KEPT)
        self._made: Newest[ClientOrderId, None] = Newest(KEPT)

    def make(self, own: ClientOrderId) -> None:
        """An order of this process, before the venue has named it."""
        with self._lock:
            self._made.put(own, None)

    def made(self, own: ClientOrderId) -> bool:
        with self._lock:
            return own in self._made

    def put(self, order_id: str, owner: Owner) -> None:
        with self._lock:
            self._by_venue.put(order_id, owner)
            self._by_own.put(owner.client_order_id, VenueOrderId(order_id))

    def get(self, order_id: str) -> Owner | None:
        with self._lock:
            return self._by_venue.get(order_id)

    def venue_id(self, own: ClientOrderId) -> VenueOrderId | None:
        with self._lock:
            return self._by_own.get(own)


def owner_of(row: OrderRow) -> Owner | None:
    """Whose order a row is, None for one that no program named."""
    if not row.client_order_id or row.book_side not in ("bid", "ask"):
        return None
    return Owner.named(row.client_order_id, row.book_side)


def order_seen(row: OrderRow) -> OrderSeen | None:
    """The venue's word about an order, None where it is none. Raises `MoneyError`."""
    status = STATUSES.get(row.status)
    if status is None:
        return None
    reason = row.last_update_reason or row.status
    return OrderSeen(
        client_order_id=own_id(row.client_order_id) if row.client_order_id else None,
        venue_order_id=VenueOrderId(row.order_id),
        status=status,
        filled=parse_shares(row.fill_count_fp),
        reason=clean(reason, 80) if status is VenueOrderStatus.DONE else "",
    )


def fill_of(row: FillRow | FillNewsBody, owner: Owner | None) -> Fill:
    """One execution. Of an order that nobody here knows it carries the venue's id, and its price is that of a buy.

    Raises `MoneyError`.
    """
    outcome = outcome_of("", row.book_side) if owner is None else owner.outcome
    return Fill(
        venue_trade_id=row.trade_id,
        client_order_id=ClientOrderId(row.order_id) if owner is None else owner.client_order_id,
        venue_order_id=VenueOrderId(row.order_id),
        size=parse_shares(row.count_fp),
        price=yes_leg(outcome, parse_price(row.yes_price_dollars)),
        fee=_fee(row.fee_cost),
        state=FillState.FINAL,
        exchange_ms=_time_ms(row),
    )


def position_of(row: PositionRow) -> Position | None:
    """None for a market that is not held any more. Raises `MoneyError`."""
    size = parse_micros(row.position_fp)
    if size == 0:
        return None
    outcome = Outcome.YES if size > 0 else Outcome.NO
    return Position(market_id=MarketId(row.ticker), outcome=outcome, size=MicroShares(abs(size)))


def _fee(text: str) -> MicroUsd:
    fee = parse_micros(text)
    if fee < 0:
        raise MoneyError(f"a negative fee: {text[:40]!r}")
    return MicroUsd(fee)


def _time_ms(row: FillRow | FillNewsBody) -> int | None:
    if row.ts_ms is not None:
        return row.ts_ms
    if isinstance(row, FillRow) and row.created_time is not None:
        try:
            return instant_ms(row.created_time)
        except CatalogError as error:
            raise MoneyError(str(error)) from None
    return row.ts * 1_000 if isinstance(row, FillRow) and row.ts is not None else None
