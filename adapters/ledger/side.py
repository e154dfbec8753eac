"""The ledger's side of a comparison with the venue, all of it as of one row."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from typing import Final

from adapters.ledger.account import account
from adapters.ledger.strangers import strangers, unsettled
from adapters.ledger.unfinished import orders_named
from adapters.ledger.verify import newest_seq
from models.clock import WallNs
from models.market import MarketId, SetId, VenueName
from models.money import MicroShares, MicroUsd
from models.orders import AttemptId, ClientOrderId, VenueOrderId
from models.reconcile import HeldSets, LedgerSide

_OPENED: Final = "SELECT at FROM events WHERE kind = 'account_opened' ORDER BY seq DESC LIMIT 1"
_HELD: Final = """
    SELECT a.attempt_id, a.market_id, c.filled - (
        SELECT coalesce(sum(s.yes_size), 0) FROM settlements s WHERE s.attempt_id = a.attempt_id AND s.kind = 'merge')
    FROM attempts a JOIN attempt_changes c
        ON c.seq = (SELECT max(seq) FROM attempt_changes WHERE attempt_id = a.attempt_id)
    WHERE a.mode = 'live' AND a.market_id IS NOT NULL AND c.open_position = 1 AND c.ending IS NOT NULL
    ORDER BY a.seq"""
_VENUE: Final = "SELECT venue FROM order_intents WHERE market_id = ? LIMIT 1"
_AGREED: Final = """
    SELECT at FROM events WHERE kind = 'reconciled' AND json_extract(facts, '$.findings') = 0
    ORDER BY seq DESC LIMIT 1"""


def ledger_side(
    connection: sqlite3.Connection,
    clients: Iterable[ClientOrderId],
    venues: Iterable[VenueOrderId],
    configured: Collection[SetId] = (),
) -> LedgerSide:
    """`clients` and `venues` are the orders that the venue has named; `configured` the sets that executors own."""
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
            held=tuple(
                HeldSets(attempt_id=AttemptId(attempt_id), market_id=MarketId(market_id), size=MicroShares(size))
                for attempt_id, market_id, size in connection.execute(_HELD)
                if size > 0
            ),
            strangers=strangers(connection, configured),
            unsettled=unsettled(connection),
            venues={
                MarketId(market_id): VenueName(venue)
                for market_id in sorted({market_id for market_id, _ in ours.positions})
                for (venue,) in connection.execute(_VENUE, (market_id,))
            },
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
