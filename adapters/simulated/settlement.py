"""What happens to shares after the match: settlement, reversal, splitting and merging of sets, resolution."""

from __future__ import annotations

from adapters.simulated.accounts import EntryKind
from adapters.simulated.engine import Exchange, JournalLine
from adapters.simulated.orders import ResolutionAnnounced, Trade, notional
from models.market import Action, MarketId, MarketStatus, Outcome
from models.money import MICRO, MicroUsd, PriceMicros
from models.orders import FillState


class SettlementError(ValueError):
    """The request cannot be carried out; nothing was changed. The text is for the trader."""


def split(exchange: Exchange, account_name: str, market_id: MarketId, size: int, now: int) -> None:
    """Turn `size` dollars into as many YES and NO shares."""
    account = exchange.accounts[account_name]
    if size <= 0 or size > account.free_cash:
        raise SettlementError("not that much cash is free")
    exchange.listings[market_id].sets += size
    account.post(now, EntryKind.SPLIT, cash=-size, holding=(market_id, Outcome.YES), shares=size)
    account.post(now, EntryKind.SPLIT, holding=(market_id, Outcome.NO), shares=size)


def merge(exchange: Exchange, account_name: str, market_id: MarketId, size: int, now: int) -> MicroUsd:
    """Turn `size` YES and as many NO shares back into cash; the cash is returned."""
    account = exchange.accounts[account_name]
    listing = exchange.listings.get(market_id)
    if listing is None:
        raise SettlementError("no such market")
    settled_only = not exchange.rules.spend_unsettled
    free = min(account.free_shares((market_id, outcome), settled_only=settled_only) for outcome in Outcome)
    if size <= 0 or size > free:
        raise SettlementError("not that many complete sets are free")
    listing.sets -= size
    account.post(now, EntryKind.MERGE, cash=size, holding=(market_id, Outcome.YES), shares=-size)
    account.post(now, EntryKind.MERGE, holding=(market_id, Outcome.NO), shares=-size)
    exchange.journal.append(JournalLine(now, "merged", account_name, market_id, str(size)))
    return MicroUsd(size)


def settle_due(exchange: Exchange, now: int) -> None:
    """Make every provisional trade whose time has come final, or reverse it."""
    if not exchange.unsettled:
        return
    waiting = []
    for trade in exchange.unsettled:
        if trade.settle_at > now:
            waiting.append(trade)
        elif trade.reverse and _can_reverse(exchange, trade):
            _reverse(exchange, trade, now)
        else:
            _conclude(exchange, trade, FillState.FINAL)
    exchange.unsettled = waiting


def resolve(exchange: Exchange, market_id: MarketId, yes_pays: int, now: int) -> None:
    """End the market: YES pays `yes_pays` micro-dollars a share, NO the rest of a dollar, trades become final first."""
    listing = exchange.listings[market_id]
    if yes_pays not in (0, MICRO) and not listing.market.on_grid(PriceMicros(yes_pays)):
        raise SettlementError("a payout lies on the market's grid")
    exchange.announce(listing, MarketStatus.RESOLVED, "", now)
    for trade in exchange.unsettled:
        if trade.market_id == market_id:
            _conclude(exchange, trade, FillState.FINAL)
    exchange.unsettled = [trade for trade in exchange.unsettled if trade.market_id != market_id]
    for account in exchange.accounts.values():
        for outcome, pays in ((Outcome.YES, yes_pays), (Outcome.NO, MICRO - yes_pays)):
            shares = account.shares.get((market_id, outcome), 0)
            if shares:
                cash = notional(pays, shares)
                account.post(
                    now, EntryKind.PAYOUT, cash=cash, holding=(market_id, outcome), shares=-shares, reference=market_id
                )
    listing.sets = 0
    listing.yes_pays = yes_pays
    exchange.happenings.append(ResolutionAnnounced(market_id, yes_pays))


def _conclude(exchange: Exchange, trade: Trade, state: FillState) -> None:
    trade.state = state
    for party in trade.parties:
        request = party.order.request
        if request.action is Action.BUY:
            exchange.accounts[party.order.account].unsettle((request.market_id, request.outcome), -trade.size)
    exchange.tell_fill(trade)


def _can_reverse(exchange: Exchange, trade: Trade) -> bool:
    """Whether both parties still have what they would give back; a trade whose shares moved on stays final."""
    for party in trade.parties:
        account = exchange.accounts[party.order.account]
        request = party.order.request
        if request.action is Action.BUY:
            if account.free_shares((request.market_id, request.outcome), settled_only=False) < trade.size:
                return False
        elif account.free_cash + party.fee < notional(party.price, trade.size):
            return False
    return exchange.listings[trade.market_id].sets >= trade.sets_made


def _reverse(exchange: Exchange, trade: Trade, now: int) -> None:
    """Undo the trade to the micro-dollar, fee included. The orders stay done: what was filled is not filled again."""
    for party in trade.parties:
        account = exchange.accounts[party.order.account]
        request = party.order.request
        sign = 1 if request.action is Action.BUY else -1
        account.post(
            now,
            EntryKind.REVERSAL,
            cash=sign * notional(party.price, trade.size) + party.fee,
            holding=(request.market_id, request.outcome),
            shares=-sign * trade.size,
            reference=trade.trade_id,
        )
        exchange.fees_collected -= party.fee
    exchange.listings[trade.market_id].sets -= trade.sets_made
    exchange.journal.append(JournalLine(now, "reversed", trade.taker.order.account, trade.trade_id, str(trade.size)))
    _conclude(exchange, trade, FillState.REVERSED)
