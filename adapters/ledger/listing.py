"""The operator's lists, read from the ledger: newest first, over a short read-only connection each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from adapters.ledger.connection import open_reader
from adapters.ledger.errors import LedgerError
from adapters.operator.face import LedgerUnreadableError
from models.clock import WallNs
from models.listing import OpportunityLine, OrderLine, PositionLine, TradeLine
from models.money import MicroShares, MicroUsd, PriceMicros, divide_down, text
from models.order_life import Phase

_OPEN_PHASES: Final = tuple(phase.value for phase in Phase if phase is not Phase.ENDED)

_UNPAIRED: Final = """
    SELECT attempt_id, side, leg,
        sum(CASE action WHEN 'BUY' THEN filled_size ELSE -filled_size END) AS size,
        sum(CASE action WHEN 'BUY' THEN filled_size * avg_price ELSE 0 END) AS paid,
        sum(CASE action WHEN 'BUY' THEN filled_size ELSE 0 END) AS bought
    FROM fills WHERE state <> 'reversed' GROUP BY attempt_id, leg
"""


def opportunities(path: Path, limit: int, *, skipped_only: bool = False) -> Sequence[OpportunityLine]:
    query = f"""
        SELECT at, opportunity_id, set_id, sum_cost, edge, net_edge, size, decision, reason, verdict FROM opportunities
        {"WHERE decision = 'skipped'" if skipped_only else ""} ORDER BY seq DESC LIMIT ?
    """  # noqa: S608  no text of others
    with _rows(path, query, limit) as rows:
        return [
            OpportunityLine(
                at=WallNs(row["at"]),
                opportunity_id=row["opportunity_id"],
                set_id=row["set_id"],
                sum_cost=MicroUsd(row["sum_cost"]),
                edge=MicroUsd(row["edge"]),
                net_edge=MicroUsd(row["net_edge"]),
                size=MicroShares(row["size"]),
                decision="TRADE" if row["decision"] == "traded" else "SKIP",
                reason=row["reason"] or "",
                verdict=row["verdict"],
            )
            for row in rows
        ]


def trades(path: Path, limit: int) -> Sequence[TradeLine]:
    query = """
        SELECT t.opened_at, t.tradeset_id, t.set_id, t.mode, t.state, t.ending, t.size, t.filled, t.total_cost, t.fees,
            t.realized_pnl, t.expected_payout, p.cost AS paper_cost, p.fees AS paper_fees, p.net_pnl AS paper_net
        FROM tradesets t LEFT JOIN paper_fills p ON p.attempt_id = t.tradeset_id AND p.model = 'pessimistic'
        ORDER BY t.opened_at DESC LIMIT ?
    """
    with _rows(path, query, limit) as rows:
        return [_trade(row) for row in rows]


def _trade(row: sqlite3.Row) -> TradeLine:
    if row["mode"] == "paper":
        cost, fees, pnl = row["paper_cost"], row["paper_fees"], row["paper_net"]
    else:
        cost, fees, pnl = row["total_cost"], row["fees"], row["realized_pnl"]
        if pnl is None and row["ending"] == "success":
            pnl = _pays(row) - cost - fees
    return TradeLine(
        at=WallNs(row["opened_at"]),
        tradeset_id=row["tradeset_id"],
        set_id=row["set_id"],
        mode=row["mode"],
        state=row["ending"] or row["state"],
        size=MicroShares(row["size"]),
        cost=None if cost is None else MicroUsd(cost),
        fees=None if fees is None else MicroUsd(fees),
        pnl=None if pnl is None else MicroUsd(pnl),
    )


def _pays(row: sqlite3.Row) -> int:
    """Micro-dollars that the complete sets of an attempt are certain to pay."""
    return divide_down(row["expected_payout"] * row["filled"], row["size"]) if row["size"] else 0


def orders(path: Path, limit: int, *, open_only: bool = False) -> Sequence[OrderLine]:
    marks = ", ".join("?" * len(_OPEN_PHASES))
    query = f"""
        SELECT intent_at, client_order_id, attempt_id, market_id, side, action, size, price, filled, status,
            status IN ({marks}) AS open
        FROM orders {"WHERE open" if open_only else ""} ORDER BY intent_at DESC LIMIT ?
    """  # noqa: S608  no text of others
    with _rows(path, query, *_OPEN_PHASES, limit) as rows:
        return [
            OrderLine(
                at=WallNs(row["intent_at"]),
                client_order_id=row["client_order_id"],
                tradeset_id=row["attempt_id"],
                market_id=row["market_id"],
                outcome=row["side"],
                action=row["action"],
                size=MicroShares(row["size"]),
                price=PriceMicros(row["price"]),
                filled=MicroShares(row["filled"]),
                status=row["status"],
                open=bool(row["open"]),
            )
            for row in rows
        ]


def positions(path: Path) -> Sequence[PositionLine]:
    """One line per set that holds anything: complete sets not yet cash, or naked legs."""
    query = """
        SELECT tradeset_id, set_id, state, ending, filled, total_cost, fees, size, expected_payout, opened_at
        FROM tradesets WHERE mode = 'live' AND (open_position OR ending IS NULL) ORDER BY opened_at
    """
    with _connected(path) as connection:
        legs: dict[str, list[tuple[str, int, int, int]]] = {}
        for attempt_id, side, _, size, paid, bought in connection.execute(_UNPAIRED):
            legs.setdefault(attempt_id, []).append((side, size, paid, bought))
        by_set: dict[str, PositionLine] = {}
        for row in connection.execute(query):
            line = _position(legs.get(row["tradeset_id"], []), row)
            if line.sets or line.unpaired:
                known = by_set.get(line.set_id)
                by_set[line.set_id] = line if known is None else _together(known, line)
        return list(by_set.values())


def _position(legs: list[tuple[str, int, int, int]], row: sqlite3.Row) -> PositionLine:
    filled = row["filled"]
    unpaired = tuple(
        f"{text(held - filled, 0)} {side} @ {text(divide_down(paid, bought), 2)}"
        for side, held, paid, bought in legs
        if held > filled and bought
    )
    return PositionLine(
        set_id=row["set_id"],
        sets=MicroShares(filled),
        cost=MicroUsd((row["total_cost"] or 0) + (row["fees"] or 0) if filled else 0),
        pays=MicroUsd(_pays(row)),
        unpaired=unpaired,
        opened=WallNs(row["opened_at"]),
        state=row["ending"] or row["state"],
    )


def _together(one: PositionLine, other: PositionLine) -> PositionLine:
    return PositionLine(
        set_id=one.set_id,
        sets=MicroShares(one.sets + other.sets),
        cost=MicroUsd(one.cost + other.cost),
        pays=MicroUsd(one.pays + other.pays),
        unpaired=(*one.unpaired, *other.unpaired),
        opened=one.opened,
        state=other.state,
    )


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        connection = open_reader(path)
    except (LedgerError, OSError) as error:
        raise LedgerUnreadableError(str(error)) from error
    connection.row_factory = sqlite3.Row
    try:
        yield connection
    except sqlite3.Error as error:
        raise LedgerUnreadableError(f"{path}: {error}") from error
    finally:
        connection.close()


@contextmanager
def _rows(path: Path, query: str, *parameters: object) -> Iterator[Iterator[sqlite3.Row]]:
    with _connected(path) as connection:
        yield connection.execute(query, parameters)
