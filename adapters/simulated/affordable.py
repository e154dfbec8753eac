"""What the exchange holds against an order before it is matched: market status, self-trading, cash, shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adapters.simulated.accounts import Account
from adapters.simulated.listing import Listing
from adapters.simulated.orders import OrderRequest, Refusal, RefusedOrder, VenueOrder, notional
from models.fees import taker_fee
from models.market import Action, MarketStatus
from models.money import MICRO, MicroShares, PriceMicros
from models.orders import TimeInForce

CLOSED_BY: Final = {
    MarketStatus.PAUSED: Refusal.MARKET_PAUSED,
    MarketStatus.CLOSED: Refusal.MARKET_CLOSED,
    MarketStatus.RESOLVED: Refusal.MARKET_RESOLVED,
}


def own_price(request: OrderRequest, maker: VenueOrder) -> int:
    """What a taker pays or gets per share in its own outcome: the maker's price, or what is left of a dollar."""
    same = request.outcome is maker.request.outcome
    return maker.request.price if same else MICRO - maker.request.price


def unaffordable(
    account: Account,
    listing: Listing,
    request: OrderRequest,
    takes: Sequence[tuple[VenueOrder, int]],
    *,
    settled_only: bool,
) -> RefusedOrder | None:
    """The order's exact cost, fees and resting rest included, against what is free. `takes` is what it would match."""
    if any(maker.account == account.name for maker, _ in takes):
        return RefusedOrder(Refusal.SELF_CROSS, "the order would trade with your own resting order")
    spent = fees = taken = 0
    for maker, size in takes:
        price = own_price(request, maker)
        spent += notional(price, size)
        fees += taker_fee(listing.market.fees, PriceMicros(price), MicroShares(size))
        taken += size
    if request.action is Action.SELL:
        if request.size > account.free_shares((request.market_id, request.outcome), settled_only=settled_only):
            return RefusedOrder(Refusal.INSUFFICIENT_POSITION, "fewer shares are free than the order sells")
        need = max(0, fees - spent)
    else:
        rest = request.size - taken if request.time_in_force is TimeInForce.GTC else 0
        need = spent + fees + notional(request.price, rest)
    if need > account.free_cash:
        return RefusedOrder(Refusal.INSUFFICIENT_BALANCE, "less cash is free than the order may cost")
    return None
