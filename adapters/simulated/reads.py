"""What the venue shows to those who ask, which may be less than what is true: an order is invisible to reads until its
`visible_at`, together with everything that it has done to positions and cash.
"""

from __future__ import annotations

from collections.abc import Iterator

from adapters.simulated.engine import Exchange
from adapters.simulated.orders import FillChanged, OrderState, Party, Trade, VenueOrder, fill_changed, notional
from models.market import Action, MarketId, Outcome
from models.orders import FillState


def order_seen(exchange: Exchange, account: str, client_order_id: str, now: int) -> VenueOrder | None:
    """The order, or None where there is none or it is not visible yet."""
    order = exchange.orders.get((account, client_order_id))
    return order if order is not None and order.visible_at <= now else None


def open_orders(exchange: Exchange, account: str, now: int) -> list[VenueOrder]:
    """Visible resting orders, oldest first."""
    return [
        order
        for order in exchange.orders.values()
        if order.account == account and order.state is OrderState.LIVE and order.visible_at <= now
    ]


def fills(
    exchange: Exchange, account: str, now: int, client_order_id: str | None = None, since: int = 0
) -> list[FillChanged]:
    """Executions of the account's visible orders at or after `since` (ns), oldest first, in their present state."""
    return [
        fill_changed(trade, party)
        for trade, party in _executions(exchange, account)
        if trade.at >= since
        and party.order.visible_at <= now
        and client_order_id in (None, party.order.request.client_order_id)
    ]


def positions(exchange: Exchange, account: str, now: int) -> dict[tuple[MarketId, Outcome], int]:
    """Shares held, unsettled ones included."""
    held = dict(exchange.accounts[account].shares)
    for trade, party in _hidden(exchange, account, now):
        request = party.order.request
        holding = (request.market_id, request.outcome)
        held[holding] = held.get(holding, 0) + (-trade.size if request.action is Action.BUY else trade.size)
    return {holding: shares for holding, shares in held.items() if shares > 0}


def cash(exchange: Exchange, account: str, now: int) -> tuple[int, int]:
    """(all cash, cash that is not reserved for resting orders), micro-dollars."""
    owner = exchange.accounts[account]
    hidden = 0
    for trade, party in _hidden(exchange, account, now):
        value = notional(party.price, trade.size)
        hidden += party.fee + (value if party.order.request.action is Action.BUY else -value)
    return owner.cash + hidden, owner.free_cash + hidden


def _executions(exchange: Exchange, account: str) -> Iterator[tuple[Trade, Party]]:
    for trade in exchange.trades:
        for party in trade.parties:
            if party.order.account == account:
                yield trade, party


def _hidden(exchange: Exchange, account: str, now: int) -> Iterator[tuple[Trade, Party]]:
    for trade, party in _executions(exchange, account):
        if party.order.visible_at > now and trade.state is not FillState.REVERSED:
            yield trade, party
