"""The exchange's own account of what happened: the oracle that a bot's ledger is compared with."""

from __future__ import annotations

from itertools import takewhile
from typing import Final

from adapters.simulated.accounts import Account
from adapters.simulated.exchange import InProcessExchange
from adapters.simulated.orders import Trade
from adapters.simulated.script import ScriptedGap, script
from models.clock import MS
from models.money import text

SCHEMA_VERSION: Final = 1
CHAPTER_MS: Final = 600_000
"""The script is printed in whole chapters, so that two runs of one seed print the same."""


def truth(exchange: InProcessExchange, horizon_ms: int | None = None) -> dict[str, object]:
    """Everything as plain JSON values: money and shares as decimal text, times in ms since the start.

    The script reaches to `horizon_ms`, else to the end of the present ten minutes; it depends on seed and markets only.
    """
    elapsed_ms = (exchange.now - exchange.setup.start) // MS
    until_ms = -(-max(elapsed_ms, 1) // CHAPTER_MS) * CHAPTER_MS if horizon_ms is None else horizon_ms
    engine = exchange.engine
    scripted = script(exchange.markets, exchange.setup.seed) if exchange.setup.scripted else iter(())
    gaps = takewhile(lambda gap: gap.at_ms < until_ms, scripted)
    return {
        "schema_version": SCHEMA_VERSION,
        "seed": exchange.setup.seed,
        "plan": exchange.setup.plan.name,
        "elapsed_ms": elapsed_ms,
        "script": [_gap(gap) for gap in gaps],
        "gaps_opened": [
            {
                "at_ms": (opened.opened_at - exchange.setup.start) // MS,
                "scripted_at_ms": opened.gap.at_ms,
                "kind": opened.gap.kind.value,
                "markets": list(opened.gap.markets),
                "sum_of_asks": text(opened.sum_of_asks),
            }
            for opened in exchange.crowd.opened
        ],
        "faults_fired": dict(sorted(exchange.levers.fired.items())),
        "frames": exchange.streams.frames,
        "audit": engine.audit(),
        "fees_collected": text(engine.fees_collected),
        "markets": [
            {
                "market_id": market_id,
                "status": listing.status.value,
                "seq": exchange.streams.seqs[market_id],
                "yes_pays": None if listing.yes_pays is None else text(listing.yes_pays),
            }
            for market_id, listing in engine.listings.items()
        ],
        "accounts": [_account(exchange, account) for account in engine.accounts.values() if not account.house],
    }


def _gap(gap: ScriptedGap) -> dict[str, object]:
    return {
        "at_ms": gap.at_ms,
        "kind": gap.kind.value,
        "markets": list(gap.markets),
        "edge": text(gap.edge),
        "sizes": [text(size, 0) for size in gap.sizes],
        "life_ms": gap.life_ms,
        "lag_ms": gap.lag_ms,
    }


def _account(exchange: InProcessExchange, account: Account) -> dict[str, object]:
    engine = exchange.engine
    since = exchange.setup.start
    orders = [order for (name, _), order in engine.orders.items() if name == account.name]
    return {
        "name": account.name,
        "cash": text(account.cash),
        "available": text(account.free_cash),
        "positions": [
            {"market_id": market_id, "outcome": outcome.value, "size": text(size, 0)}
            for (market_id, outcome), size in sorted(account.shares.items())
        ],
        "orders": [
            {
                "client_order_id": order.request.client_order_id,
                "order_id": order.order_id,
                "market_id": order.request.market_id,
                "outcome": order.request.outcome.value,
                "action": order.request.action.value,
                "price": text(order.request.price),
                "size": text(order.request.size, 0),
                "time_in_force": order.request.time_in_force.value,
                "filled": text(order.filled, 0),
                "status": order.state.value,
                "reason": order.reason,
                "at_ms": (order.accepted_at - since) // MS,
            }
            for order in orders
        ],
        "fills": [row for trade in engine.trades for row in _fills(trade, account.name, since)],
        "refused": [
            {"client_order_id": line.reference, "code": line.detail, "at_ms": (line.at - since) // MS}
            for line in engine.journal
            if line.account == account.name and line.kind == "refused"
        ],
        "statement": [
            {
                "at_ms": (entry.at - since) // MS,
                "kind": entry.kind.value,
                "cash": text(entry.cash),
                "market_id": entry.market_id,
                "outcome": None if entry.outcome is None else entry.outcome.value,
                "shares": text(entry.shares, 0),
                "reference": entry.reference,
            }
            for entry in account.statement
        ],
    }


def _fills(trade: Trade, account: str, since: int) -> list[dict[str, object]]:
    return [
        {
            "trade_id": trade.trade_id,
            "client_order_id": party.order.request.client_order_id,
            "market_id": trade.market_id,
            "outcome": party.order.request.outcome.value,
            "action": party.order.request.action.value,
            "price": text(party.price),
            "size": text(trade.size, 0),
            "fee": text(party.fee),
            "state": trade.state.value,
            "at_ms": (trade.at - since) // MS,
        }
        for party in trade.parties
        if party.order.account == account
    ]
