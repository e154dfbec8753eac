"""What a member may read of itself: orders, executions, positions, cash, settlements (kalshi.md 5 and 7).

Reads lag the engine where a lever says so: an order is invisible until its time, with everything that it has done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from adapters.kalshi.dialect.exchange import KalshiExchange
from adapters.kalshi.dialect.members import Member
from adapters.kalshi.dialect.replies import INVALID_PARAMETERS, NOT_FOUND, RefusedError, page
from adapters.kalshi.dialect.rows import KalshiOrder, count, dollars, fill_row, instant, order_row
from adapters.simulated.accounts import EntryKind
from models.clock import MS, SECOND
from models.market import Outcome
from models.money import MICRO

Query = Mapping[str, list[str]]

STATUSES: Final = frozenset({"resting", "canceled", "executed"})


def order(exchange: KalshiExchange, member: Member, order_id: str, now: int) -> dict[str, Any]:
    found = exchange.by_wire_id.get(order_id)
    if found is None or found.owner != member.name or not _visible(found, now):
        raise RefusedError(NOT_FOUND)
    return {"order": order_row(found)}


def orders(exchange: KalshiExchange, member: Member, query: Query, now: int) -> dict[str, Any]:
    """Newest first."""
    tickers, status = _list(query, "ticker"), _one(query, "status")
    if status is not None and status not in STATUSES:
        raise RefusedError(INVALID_PARAMETERS)
    since, until = _times(query, now)
    shard = _one(query, "exchange_index")
    rows = [
        order_row(found)
        for found in reversed(exchange.orders.values())
        if found.owner == member.name
        and _visible(found, now)
        and (not tickers or found.listed.ticker in tickers)
        and status in (None, found.status)
        and since <= found.venue.accepted_at <= until
        and shard in (None, str(found.listed.shard))
    ]
    return page(rows, "orders", query)


def fills(exchange: KalshiExchange, member: Member, query: Query, now: int) -> dict[str, Any]:
    """Newest first. No client order id: the venue took it away in March 2026."""
    tickers, order_id = _list(query, "ticker"), _one(query, "order_id")
    since, until = _times(query, now)
    rows = [
        fill_row(trade, party, found)
        for trade, party, found in exchange.executions(member.name)
        if _visible(found, now)
        and (not tickers or found.listed.ticker in tickers)
        and order_id in (None, found.order_id)
        and since <= trade.at <= until
    ]
    return page(rows[::-1], "fills", query)


def positions(exchange: KalshiExchange, member: Member, query: Query, now: int) -> dict[str, Any]:
    tickers, event = _list(query, "ticker"), _one(query, "event_ticker")
    rows = []
    for listed in exchange.listings.all:
        held = exchange.holdings_shown(member.account(listed.shard), now).positions.get(listed.market.market_id, 0)
        if held == 0 or (tickers and listed.ticker not in tickers) or event not in (None, listed.event_ticker):
            continue
        costs = [o for o in exchange.orders.values() if o.owner == member.name and o.listed is listed]
        spent = sum(sum(o.cost) for o in costs)
        rows.append(
            {
                "ticker": listed.ticker,
                "exchange_index": listed.shard,
                "position_fp": count(held),
                "market_exposure_dollars": dollars(spent),
                "realized_pnl_dollars": "0.0000",
                "fees_paid_dollars": dollars(sum(sum(o.fees) for o in costs), 6),
                "total_traded_dollars": dollars(spent),
                "last_updated_ts": instant(now),
            }
        )
    paged = page(rows, "market_positions", query)
    return paged | {"event_positions": []}


def balance(exchange: KalshiExchange, member: Member, query: Query, now: int) -> dict[str, Any]:
    wanted = _one(query, "exchange_index")
    cash = {
        shard: exchange.holdings_shown(member.account(shard), now).cash
        for shard in exchange.listings.shards
        if wanted in (None, str(shard))
    }
    total = sum(cash.values())
    return {
        "balance": total * 100 // MICRO,
        "balance_dollars": dollars(total),
        "portfolio_value": 0,
        "updated_ts": now // SECOND,
        "balance_breakdown": [
            {"exchange_index": shard, "balance": dollars(amount)} for shard, amount in sorted(cash.items())
        ],
    }


def settlements(exchange: KalshiExchange, member: Member, query: Query) -> dict[str, Any]:
    rows = []
    for listed in exchange.listings.all:
        account = exchange.engine.accounts[member.account(listed.shard)]
        pays = exchange.engine.listings[listed.market.market_id].yes_pays
        for entry in account.statement:
            if entry.kind is not EntryKind.PAYOUT or entry.market_id != listed.market.market_id or pays is None:
                continue
            yes = -entry.shares if entry.outcome is Outcome.YES else 0
            no = -entry.shares if entry.outcome is Outcome.NO else 0
            rows.append(
                {
                    "ticker": listed.ticker,
                    "event_ticker": listed.event_ticker,
                    "market_result": {MICRO: "yes", 0: "no"}.get(pays, "scalar"),
                    "yes_count_fp": count(yes),
                    "yes_total_cost_dollars": "0.0000",
                    "no_count_fp": count(no),
                    "no_total_cost_dollars": "0.0000",
                    "revenue": entry.cash * 100 // MICRO,
                    "settled_time": instant(entry.at),
                    "fee_cost": "0.0000",
                    "value": pays * 100 // MICRO,
                    "exchange_index": listed.shard,
                }
            )
    return page(rows, "settlements", query)


def _visible(order: KalshiOrder, now: int) -> bool:
    return not order.hidden and order.venue.visible_at <= now


def _one(query: Query, name: str) -> str | None:
    return query[name][0] if name in query else None


def _list(query: Query, name: str) -> list[str]:
    """A parameter with several values between commas."""
    return [part for value in query.get(name, ()) for part in value.split(",") if part]


def _times(query: Query, now: int) -> tuple[int, int]:
    """`min_ts` and `max_ts` (seconds) in ns."""
    since, until = _one(query, "min_ts") or "0", _one(query, "max_ts") or str(now // SECOND + 1)
    if not (since.isdigit() and until.isdigit()):
        raise RefusedError(INVALID_PARAMETERS)
    return int(since) * SECOND, int(until) * SECOND + 999 * MS
