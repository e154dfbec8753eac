"""The ledger's side of a comparison with the venue, all of it as of one row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from adapters.ledger.account import account
from adapters.ledger.unfinished import orders_named
from adapters.ledger.verify import newest_seq
from models.clock import WallNs
from models.money import MicroUsd
from models.orders import ClientOrderId, VenueOrderId
from models.reconcile import LedgerSide

_OPENED: Final = "SELECT at FROM events WHERE kind = 'account_opened' ORDER BY seq DESC LIMIT 1"
_AGREED: Final = """
    SELECT at FROM events WHERE kind = 'reconciled' AND json_extract(facts, '$.findings') = 0
    ORDER BY seq DESC LIMIT 1"""


def ledger_side(
    connection: sqlite3.Connection, clients: Iterable[ClientOrderId], venues: Iterable[VenueOrderId]
) -> LedgerSide:
    """`clients` and `venues` are the orders that the venue has named."""
    connection.execute("BEGIN")
    try:
        as_of = newest_seq(connection)
        ours = account(connection, as_of)
        return LedgerSide(
            as_of=as_of,
            opened_at=_time(connection, _OPENED),
            cash=None if ours.cash is None else MicroUsd(ours.cash),
            positions=ours.positions,
            orders=tuple(orders_named(connection, clients, venues)),
        )
    finally:
        connection.execute("COMMIT")


def agreed_at(connection: sqlite3.Connection) -> WallNs | None:
    """When ledger and venue were last found equal, or the account was opened; None in a new ledger."""
    agreed = _time(connection, _AGREED)
    return _time(connection, _OPENED) if agreed is None else agreed


def _time(connection: sqlite3.Connection, query: str) -> WallNs | None:
    row = connection.execute(query).fetchone()
    return None if row is None else WallNs(row[0])
