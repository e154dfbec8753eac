"""What the ledger knows of attempts that a new process must know about, however old: unfinished ones, held ones, ended
ones with later news; and those of today, and the latest ones.

Read once at start, on the main thread, before any actor runs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from models.attempt import Payout
from models.clock import DAY, BootNs, WallNs, utc_day
from models.market import Action, MarketId, Outcome, SetId, VenueName
from models.messages import MarketResolved
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros, divide_down
from models.order_life import Phase
from models.orders import (
    AttemptId,
    ClientOrderId,
    Fill,
    FillState,
    OrderIntent,
    Purpose,
    TimeInForce,
    VenueOrderId,
)
from models.recovery import PAST_PER_SET, StoredAttempt, StoredOrder
from models.rows import Ending
from models.sets import SetLeg

NEWS_AFTER_END: Final = """EXISTS (SELECT 1 FROM order_intents i
            JOIN fill_reports f ON f.client_order_id = i.client_order_id
            WHERE i.attempt_id = a.attempt_id AND f.seq > c.seq)"""
"""Of attempt `a` with its newest change `c`: an execution was written down after it."""

_ORDER_NOT_ENDED: Final = """EXISTS (SELECT 1 FROM order_intents i JOIN order_changes o
            ON o.seq = (SELECT max(seq) FROM order_changes WHERE client_order_id = i.client_order_id)
            WHERE i.attempt_id = a.attempt_id AND i.adopted = 0 AND o.phase <> 'ended')"""

_ATTEMPTS: Final = f"""
    SELECT a.seq, a.attempt_id, a.at, a.opportunity_id, a.set_id, a.mode, a.size, a.reserved, c.ending,
        coalesce(c.open_position, 0),
        EXISTS (SELECT 1 FROM attempt_changes p WHERE p.attempt_id = a.attempt_id AND p.state = 'PARTIAL_FILL_PROTECT'),
        c.ending IS NOT NULL AND {NEWS_AFTER_END}
    FROM attempts a LEFT JOIN attempt_changes c
        ON c.seq = (SELECT max(seq) FROM attempt_changes WHERE attempt_id = a.attempt_id)
    WHERE c.ending IS NULL OR c.open_position = 1 OR a.at >= ?
        OR (a.mode = 'live' AND ({NEWS_AFTER_END} OR {_ORDER_NOT_ENDED}))
        OR a.seq IN (SELECT seq FROM (
            SELECT seq, row_number() OVER (PARTITION BY set_id ORDER BY seq DESC) AS age FROM attempts) WHERE age <= ?)
    ORDER BY a.seq"""  # noqa: S608  constants of this page

_ORDER: Final = """
    SELECT i.client_order_id, i.attempt_id, i.set_id, i.venue, i.market_id, i.leg, i.outcome, i.action, i.limit_price,
        i.size, i.time_in_force, i.purpose, i.intent_at, c.phase, c.venue_order_id, coalesce(c.filled, 0), c.refusal,
        coalesce(c.by_venue, 1), c.sent_at, c.acked_at, coalesce(c.detail, '')
    FROM order_intents i LEFT JOIN order_changes c
        ON c.seq = (SELECT max(seq) FROM order_changes WHERE client_order_id = i.client_order_id)"""
_ORDERS: Final = _ORDER + " WHERE i.attempt_id = ? AND i.adopted = 0 ORDER BY i.seq"
_NAMED: Final = _ORDER + " WHERE i.client_order_id = ?"
_BY_VENUE: Final = "SELECT DISTINCT client_order_id FROM order_changes WHERE venue_order_id = ?"

_FILLS: Final = """
    SELECT venue_trade_id, client_order_id, venue_order_id, size, price, fee, state, exchange_ms
    FROM fill_reports f WHERE client_order_id = ? AND seq = (SELECT max(seq) FROM fill_reports g
        WHERE g.client_order_id = f.client_order_id AND g.venue = f.venue AND g.venue_trade_id = f.venue_trade_id)"""

_LEGS: Final = "SELECT market_id, outcome FROM attempt_legs WHERE attempt = ? ORDER BY leg"

_INCIDENTS: Final = """
    SELECT json_extract(facts, '$.incident'), at FROM events
    WHERE kind = 'incident' AND at >= ? AND json_extract(facts, '$.incident') IS NOT NULL
        AND seq > coalesce((SELECT max(seq) FROM events WHERE kind = 'resumed' AND market_id IS NULL), 0)
    ORDER BY seq"""

_SEEN_RESOLVED: Final = """
    SELECT market_id, json_extract(facts, '$.winner'), json_extract(facts, '$.yes_pays') FROM events
    WHERE kind = 'resolved' AND market_id IS NOT NULL AND json_extract(facts, '$.yes_pays') IS NOT NULL
    GROUP BY market_id ORDER BY min(seq)"""

_MERGED: Final = (
    "SELECT coalesce(sum(yes_size), 0), coalesce(sum(cash), 0) FROM settlements WHERE attempt_id = ? AND kind = 'merge'"
)
_NETTED: Final = "SELECT coalesce(sum(yes_size), 0) FROM settlements WHERE attempt_id = ? AND kind = 'netting'"
_RESOLVED: Final = (
    "SELECT market_id, yes_size, no_size, cash, winner FROM settlements "
    "WHERE attempt_id = ? AND kind = 'resolution' ORDER BY seq"
)


def stored_attempts(connection: sqlite3.Connection, wall: WallNs) -> list[StoredAttempt]:
    """Oldest first. `wall` decides what today is."""
    today = utc_day(wall) * DAY
    rows = connection.execute(_ATTEMPTS, (today, PAST_PER_SET)).fetchall()
    return [_attempt(connection, row) for row in rows]


def orders_named(
    connection: sqlite3.Connection, clients: Iterable[ClientOrderId], venues: Iterable[VenueOrderId]
) -> list[StoredOrder]:
    """Those of our orders that go by one of these ids, each once; what is not ours is left out."""
    own = set(clients)
    for venue_order_id in venues:
        own.update(client for (client,) in connection.execute(_BY_VENUE, (venue_order_id,)))
    found = (connection.execute(_NAMED, (client,)).fetchone() for client in sorted(own))
    return [_order(connection, row) for row in found if row is not None]


def recent_incidents(connection: sqlite3.Connection, since: WallNs) -> list[tuple[str, WallNs]]:
    """(kind, time) of everything that a kill condition may count, since the last resume; oldest first."""
    return [(kind, WallNs(at)) for kind, at in connection.execute(_INCIDENTS, (since,))]


def resolutions_seen(connection: sqlite3.Connection) -> list[MarketResolved]:
    """Every market that an earlier process saw resolve."""
    return [
        MarketResolved(MarketId(market_id), None if winner is None else Outcome(winner), yes_pays, BootNs(0))
        for market_id, winner, yes_pays in connection.execute(_SEEN_RESOLVED)
    ]


def _attempt(connection: sqlite3.Connection, row: tuple[Any, ...]) -> StoredAttempt:
    seq, attempt_id, at, opportunity_id, set_id, mode, size, reserved, ending, open_position, *flags = row
    was_partial, news_after_end = flags
    merged, cash = connection.execute(_MERGED, (attempt_id,)).fetchone()
    (netted,) = connection.execute(_NETTED, (attempt_id,)).fetchone()
    orders = connection.execute(_ORDERS, (attempt_id,)).fetchall()
    resolved = connection.execute(_RESOLVED, (attempt_id,)).fetchall()
    return StoredAttempt(
        attempt_id=AttemptId(attempt_id),
        at=WallNs(at),
        opportunity_id=opportunity_id or "",
        set_id=SetId(set_id),
        mode=mode,
        size=MicroShares(size),
        reserved=MicroUsd(reserved),
        ending=None if ending is None else Ending(ending),
        news_after_end=bool(news_after_end),
        open_position=bool(open_position),
        merged=MicroShares(merged),
        merged_cash=MicroUsd(cash),
        netted=MicroShares(netted),
        payouts=tuple(_payout(row) for row in resolved),
        was_partial=bool(was_partial),
        legs=tuple(SetLeg(MarketId(m), Outcome(outcome)) for m, outcome in connection.execute(_LEGS, (seq,))),
        orders=tuple(_order(connection, order) for order in orders),
    )


def _payout(row: tuple[Any, ...]) -> Payout:
    """What one YES share paid, worked back from the booked cash where no outcome won outright."""
    market_id, yes_size, no_size, cash, winner = row
    if winner is not None:
        yes_pays = MICRO if winner == Outcome.YES.value else 0
    elif yes_size > no_size:
        yes_pays = divide_down((cash - no_size) * MICRO, yes_size - no_size)
    else:
        yes_pays = divide_down((no_size - cash) * MICRO, no_size - yes_size) if no_size > yes_size else MICRO // 2
    known = None if winner is None else Outcome(winner)
    return Payout(market_id=MarketId(market_id), yes_pays=yes_pays, winner=known, booked=True)


def _order(connection: sqlite3.Connection, row: tuple[Any, ...]) -> StoredOrder:
    (own, attempt_id, set_id, venue, market_id, leg, outcome, action, limit, size, force, purpose, at, *heard) = row
    phase, venue_order_id, filled, refusal, by_venue, sent_at, acked_at, detail = heard
    intent = OrderIntent(
        client_order_id=ClientOrderId(own),
        attempt_id=AttemptId(attempt_id),
        set_id=SetId(set_id),
        venue=VenueName(venue),
        market_id=MarketId(market_id),
        leg=leg,
        outcome=Outcome(outcome),
        action=Action(action),
        limit_price=PriceMicros(limit),
        size=MicroShares(size),
        time_in_force=TimeInForce(force),
        purpose=Purpose(purpose),
        at=WallNs(at),
    )
    return StoredOrder(
        intent=intent,
        phase=None if phase is None else Phase(phase),
        venue_order_id=None if venue_order_id is None else VenueOrderId(venue_order_id),
        filled=MicroShares(filled),
        refusal=refusal,
        by_venue=bool(by_venue),
        sent_at=sent_at,
        acked_at=acked_at,
        detail=detail,
        fills=tuple(_fill(fill) for fill in connection.execute(_FILLS, (own,))),
    )


def _fill(row: tuple[Any, ...]) -> Fill:
    trade_id, own, venue_order_id, size, price, fee, state, exchange_ms = row
    return Fill(
        venue_trade_id=trade_id,
        client_order_id=ClientOrderId(own),
        venue_order_id=None if venue_order_id is None else VenueOrderId(venue_order_id),
        size=MicroShares(size),
        price=PriceMicros(price),
        fee=None if fee is None else MicroUsd(fee),
        state=FillState(state),
        exchange_ms=exchange_ms,
    )
