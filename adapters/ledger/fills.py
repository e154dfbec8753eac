"""The fills that the ledger knows: each report is joined with what was said before, and only news becomes a row."""

from __future__ import annotations

import sqlite3
from typing import Final

from adapters.ledger import tables
from adapters.ledger.encode import Record
from models.market import VenueName
from models.money import MicroShares, MicroUsd, PriceMicros
from models.orders import ClientOrderId, Fill, FillState, VenueOrderId
from models.rows import FillReported, join_fills

FILL_REPORTS: Final = tables.name_of(tables.FillReportTable)

KEPT: Final = 1_000
"""Fills kept in memory; older ones are looked up again when somebody speaks of them."""

_NEWEST: Final = (
    "SELECT size, price, fee, state, venue_order_id, exchange_ms FROM fill_reports "
    "WHERE client_order_id = ? AND venue = ? AND venue_trade_id = ? ORDER BY seq DESC LIMIT 1"
)


class FillBook:
    """Newest joined fill by (venue, trade, order), over the writer's own connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str, str], Fill] = {}

    def join(self, row: FillReported) -> Record | None:
        """The row that says something new, or None for a repetition. Raises `FillsDisagreeError`."""
        told = row.fill
        key = (row.venue, told.venue_trade_id, told.client_order_id)
        known = self._known.get(key) or self._stored(row.venue, told)
        joined = told if known is None else join_fills(known, told)
        self._known[key] = joined
        return None if joined == known else _record(row.venue, row.at, joined)

    def shrink(self) -> None:
        """Forget the oldest. Call only when every row has been written."""
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]

    def _stored(self, venue: VenueName, told: Fill) -> Fill | None:
        found = self._connection.execute(_NEWEST, (told.client_order_id, venue, told.venue_trade_id)).fetchone()
        if found is None:
            return None
        size, price, fee, state, venue_order_id, exchange_ms = found
        return Fill(
            venue_trade_id=told.venue_trade_id,
            client_order_id=ClientOrderId(told.client_order_id),
            venue_order_id=None if venue_order_id is None else VenueOrderId(venue_order_id),
            size=MicroShares(size),
            price=PriceMicros(price),
            fee=None if fee is None else MicroUsd(fee),
            state=FillState(state),
            exchange_ms=exchange_ms,
        )


def _record(venue: VenueName, at: int, fill: Fill) -> Record:
    return Record(
        FILL_REPORTS,
        (
            venue,
            fill.venue_trade_id,
            fill.client_order_id,
            at,
            fill.venue_order_id,
            fill.size,
            fill.price,
            fill.fee,
            fill.state.value,
            fill.exchange_ms,
        ),
    )
