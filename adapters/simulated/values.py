"""Wire -> domain values of the simulated exchange: exact, strict, and never a guess. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from adapters.simulated import wire
from models.book import BookSnapshot, Levels
from models.clock import BootNs
from models.hostile import clean
from models.market import MarketId, Outcome
from models.messages import MarketResolved
from models.money import MICRO, MicroUsd, MoneyError, parse_micros, parse_price, parse_shares
from models.orders import ClientOrderId, Fill, FillState, OrderSeen, VenueOrderId, VenueOrderStatus

UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeError)
"""What msgspec raises for hostile bytes: wrong JSON or shape, nesting without end, broken UTF-8."""
IMPOSSIBLE: Final = (MoneyError, KeyError, ValueError)
"""What the functions here raise for a readable frame that cannot be true."""
CACHED_MAX: Final = 100_000
"""Texts that a cache keeps; a venue that sends more different ones is not helped by a cache."""


class PriceTexts(dict[str, int]):
    """Price text -> micro-dollars; each text is parsed once."""

    def __missing__(self, text: str) -> int:
        if len(self) >= CACHED_MAX:
            self.clear()
        price = self[text] = parse_price(text)
        return price


class SizeTexts(dict[str, int]):
    """Size text -> micro-shares."""

    def __missing__(self, text: str) -> int:
        if len(self) >= CACHED_MAX:
            self.clear()
        size = self[text] = parse_shares(text)
        return size


def book_snapshot(
    frame: wire.Snapshot, generation: int, received_at: BootNs, lag_ms: int | None = None
) -> BookSnapshot:
    """Both outcomes as of one instant. Raises `MoneyError`."""
    return BookSnapshot(
        market_id=MarketId(frame.market_id),
        generation=generation,
        yes_bids=_levels(frame.yes.bids),
        yes_asks=_levels(frame.yes.asks),
        no_bids=_levels(frame.no.bids),
        no_asks=_levels(frame.no.asks),
        seq=frame.seq,
        exchange_ms=frame.ts,
        received_at=received_at,
        lag_ms=lag_ms,
    )


def resolution(market_id: MarketId, frame: wire.Resolved, received_at: BootNs) -> MarketResolved:
    yes_pays = parse_micros(frame.yes_pays)
    winner = {MICRO: Outcome.YES, 0: Outcome.NO}.get(yes_pays)
    return MarketResolved(market_id, winner, yes_pays, received_at)


def fill_of(row: wire.FillNews) -> Fill:
    """Raises `MoneyError` or `ValueError` where the row cannot be true."""
    return Fill(
        venue_trade_id=row.trade_id,
        client_order_id=ClientOrderId(row.client_order_id),
        venue_order_id=VenueOrderId(row.order_id),
        size=parse_shares(row.size),
        price=parse_price(row.price),
        fee=_fee(row.fee),
        state=FillState(row.state),
        exchange_ms=row.ts,
    )


def _fee(text: str) -> MicroUsd:
    fee = parse_micros(text)
    if fee < 0:
        raise MoneyError(f"a negative fee: {text[:40]!r}")
    return MicroUsd(fee)


def order_seen_of(row: wire.OrderNews | wire.OrderAnswer) -> OrderSeen:
    """Raises `MoneyError` or `KeyError` where the row cannot be true."""
    return OrderSeen(
        client_order_id=ClientOrderId(row.client_order_id),
        venue_order_id=VenueOrderId(row.order_id),
        status=_STATUSES[row.status],
        filled=parse_shares(row.filled),
        reason=clean(row.reason),
    )


_STATUSES: Final = {"live": VenueOrderStatus.LIVE, "done": VenueOrderStatus.DONE}


def _levels(rows: Sequence[wire.TextLevel]) -> Levels:
    return tuple((int(parse_price(price)), int(parse_shares(size))) for price, size in rows)
