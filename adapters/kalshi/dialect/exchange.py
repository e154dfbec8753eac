"""The simulated exchange with Kalshi's habits: one signed position per market, money per shard, fees to the
ten-thousandth, order groups, and orders that end when trading is paused.

The engine keeps YES and NO apart; here they are netted as soon as both are there, so nobody can ever hold a set
(kalshi.md 10.1, read 2026-11-22). A member's money of one shard is one account of the engine (10.3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Final

import msgspec

from adapters.kalshi.dialect.collateral import CollateralReturn
from adapters.kalshi.dialect.groups import Groups
from adapters.kalshi.dialect.markets import Listings
from adapters.kalshi.dialect.members import Members, owner_of
from adapters.kalshi.dialect.rows import KalshiOrder, fill_news, order_news
from adapters.kalshi.dialect.streams import KalshiStreams
from adapters.kalshi.fees import OrderFees, model_fee
from adapters.simulated.exchange import InProcessExchange, Setup, Trader
from adapters.simulated.faults import Lever, LeverName, Plan, RulesBody
from adapters.simulated.listing import Listing
from adapters.simulated.orders import (
    FillChanged,
    Happening,
    LevelsChanged,
    OrderChanged,
    OrderState,
    Party,
    ResolutionAnnounced,
    StatusAnnounced,
    Trade,
    TradePrinted,
    VenueOrder,
    changes_by_market,
    notional,
)
from adapters.simulated.settlement import merge
from models.clock import MS
from models.market import Action, MarketId, MarketStatus, Outcome
from models.money import MICRO, MicroShares, PriceMicros

FOREIGN: Final = frozenset((LeverName.REVERSE_FILL,))
"""Faults that this venue does not have: its executions are final when they are told."""

ENDINGS: Final = (25, 10)
"""Codes with which the venue ends subscriptions, in turn: a slow reader, and an error of the channel."""


def suited(plan: Plan) -> Plan:
    """A plan without what cannot happen here."""
    levers = tuple(lever for lever in plan.levers if lever.lever not in FOREIGN)
    return msgspec.structs.replace(plan, levers=levers, rules=RulesBody(visibility=plan.rules.visibility))


def setup_for(setup: Setup, listings: Listings, cash: dict[str, int]) -> Setup:
    """`setup` with these markets, and an account per shard for each member; `cash` by account, micro-dollars."""
    traders = tuple(Trader(name=name, cash=amount, api_key="", api_secret="") for name, amount in cash.items())
    listed = tuple(one.market for one in listings.all)
    return replace(setup, listed=listed, traders=traders, plan=suited(setup.plan))


@dataclass(frozen=True, slots=True)
class Holdings:
    """Of one account: spendable cash, and signed positions, in millionths."""

    cash: int
    positions: dict[MarketId, int]


class KalshiExchange(InProcessExchange):
    def __init__(self, setup: Setup, listings: Listings, members: Members) -> None:
        self.listings = listings
        self.members = members
        self.orders: dict[str, KalshiOrder] = {}
        """By the engine's id, oldest first."""
        self.by_wire_id: dict[str, KalshiOrder] = {}
        self.used_ids: set[tuple[str, str]] = set()
        """(member, client order id) of everything that was ever accepted."""
        self.closes_ms = {one.market.market_id: one.market.closes_at_ms or 0 for one in listings.all}
        self.traded: dict[MarketId, int] = {}
        self.groups = Groups()
        self._fees: dict[str, OrderFees] = {}
        self._told_fills: set[tuple[str, str]] = set()
        self._expiring: list[KalshiOrder] = []
        self._endings = cycle(ENDINGS)
        self._shown: dict[str, tuple[int, Holdings]] = {}
        """Accounts whose reads are late: until when, and what they show meanwhile."""
        super().__init__(setup)
        self.engine.charge = self._charge
        self.collateral = CollateralReturn(self.engine, listings)

    @property
    def kalshi(self) -> KalshiStreams:
        assert isinstance(self.streams, KalshiStreams)
        return self.streams

    def pull(self, lever: Lever, now: int) -> None:
        if lever.lever not in FOREIGN:
            super().pull(lever, now)

    # -- orders

    def add(self, order: KalshiOrder) -> None:
        """An order that the engine has just accepted, before anybody is told of it."""
        self.orders[order.venue.order_id] = order
        self.by_wire_id[order.order_id] = order
        if order.expires is not None:
            self._expiring.append(order)

    def announce_all(self, now: int) -> None:
        """Tell the streams what has happened since the last time."""
        self._publish(now)

    def holdings(self, account: str) -> Holdings:
        """As they are."""
        owner = self.engine.accounts[account]
        signed: dict[MarketId, int] = {}
        for (market_id, outcome), size in owner.shares.items():
            signed[market_id] = signed.get(market_id, 0) + (size if outcome is Outcome.YES else -size)
        return Holdings(owner.free_cash, {market_id: size for market_id, size in signed.items() if size})

    def holdings_shown(self, account: str, now: int) -> Holdings:
        """As reads show them, which may be from before an order that is not visible yet."""
        until, before = self._shown.get(account, (0, None))
        return before if before is not None and until > now else self.holdings(account)

    def hide(self, account: str, before: Holdings, until: int, now: int) -> None:
        """Reads of an account stay as they were `before`."""
        still, earlier = self._shown.get(account, (0, before))
        self._shown[account] = (max(until, still), earlier if still > now else before)

    def position(self, member: str, market_id: MarketId) -> int:
        """Signed, micro-shares: NO counts below zero."""
        listed = self.listings.by_ticker[market_id]
        account = self.engine.accounts[self.members.by_name[member].account(listed.shard)]
        return account.shares.get((market_id, Outcome.YES), 0) - account.shares.get((market_id, Outcome.NO), 0)

    def end(self, order: KalshiOrder, reason: str, now: int) -> None:
        """Take a resting order off the book."""
        if order.venue.state is OrderState.LIVE:
            order.reason = reason
            order.updated = now
            listing = self.engine.listings[order.listed.market.market_id]
            self.engine.end(listing, order.venue, "cancelled", now)
            self.engine.flush(listing)

    def shrink(self, order: KalshiOrder, by: int, now: int) -> None:
        """Take a part of what rests away; the rest keeps its place."""
        venue = order.venue
        request = venue.request
        listing = self.engine.listings[request.market_id]
        place = listing.place(request.outcome, request.action, request.price)
        listing.take(place.own_side, place.price, venue, by, gone=False)
        reserved = -notional(request.price, by)
        account = self.engine.accounts[venue.account]
        account.reserve(request.action, (request.market_id, request.outcome), reserved, -by)
        venue.request = replace(request, size=MicroShares(request.size - by))
        order.initial -= by
        order.reason, order.updated = "Decrease", now
        self.engine.flush(listing)
        self.kalshi.tell(order.owner, "user_orders", "user_order", order_news(order), now)

    def resting(self, member: str) -> list[KalshiOrder]:
        return [o for o in self.orders.values() if o.owner == member and o.venue.state is OrderState.LIVE]

    def executions(self, member: str) -> Iterable[tuple[Trade, Party, KalshiOrder]]:
        """Oldest first."""
        for trade in self.engine.trades:
            for party in trade.parties:
                order = self.orders.get(party.order.order_id)
                if order is not None and order.owner == member:
                    yield trade, party, order

    # -- inside

    def _make_streams(self) -> KalshiStreams:
        return KalshiStreams(self.engine.listings, self.levers, self.listings)

    def _charge(self, listing: Listing, taker: VenueOrder, maker: VenueOrder, size: int) -> tuple[int, int]:
        """Members pay by the venue's own rounding (`fees`), the house pays nothing."""
        listed = self.listings.by_ticker[listing.market.market_id]
        price = maker.request.price
        taker_rate, maker_rate = listing.market.fees.rate_micros, listed.maker_rate
        return (
            self._fee(maker, maker_rate, maker.request.price, size),
            self._fee(taker, taker_rate, _own(taker, maker, price), size),
        )

    def _fee(self, order: VenueOrder, rate: int, price: int, size: int) -> int:
        """`price` in the order's own outcome."""
        if self.engine.accounts[order.account].house:
            return 0
        member = self.members.by_name[owner_of(order.account)]
        fees = self._fees.setdefault(order.order_id, OrderFees(member.precision))
        cash = notional(price, size)
        revenue = -cash if order.request.action is Action.BUY else cash
        return fees.fill(revenue, model_fee(rate, PriceMicros(price), MicroShares(size))).net_fee

    def _fire(self, lever: Lever, now: int) -> None:
        match lever.lever:
            case LeverName.END_SUBSCRIPTIONS:
                self.kalshi.end_subscriptions(next(self._endings), now)
            case LeverName.TICK_CHANGE:
                for market_id in self._meant(lever):
                    market = self.listings.refine(market_id)
                    self.engine.listings[market_id].market = market
                    self.kalshi.tell_grid(market, now)
            case LeverName.FEE_CHANGE:
                for event in {self.listings.by_ticker[market_id].event_ticker for market_id in self._meant(lever)}:
                    self._raise_fees(event, now)
            case _:
                super()._fire(lever, now)

    def _raise_fees(self, event: str, now: int) -> None:
        changed = self.listings.raise_fees(event)
        for one in changed:
            self.engine.listings[one.market.market_id].market = one.market
        self.kalshi.tell_fees(event, changed[0].series.fee_type, float(changed[0].override or 0), now)

    def _happen(self, now: int) -> None:
        for market_id, closes_ms in self.closes_ms.items():
            listing = self.engine.listings[market_id]
            if closes_ms * MS <= now and listing.status not in (MarketStatus.CLOSED, MarketStatus.RESOLVED):
                self.engine.announce(listing, MarketStatus.CLOSED, "close time", now)
        for order in [order for order in self._expiring if order.expires is not None and order.expires <= now]:
            self._expiring.remove(order)
            self.end(order, "ExpiryCancel", now)
        super()._happen(now)

    def _next_inner(self) -> int:
        expiries = [order.expires for order in self._expiring if order.expires is not None]
        return min([super()._next_inner(), *expiries])

    def _publish(self, now: int) -> None:
        """Net what can be netted, then tell: changes of books, executions and orders, states."""
        happenings = self.engine.drain()
        for happening in happenings:
            if isinstance(happening, FillChanged):
                self._net(happening.account, happening.market_id, now)
        self.engine.drain()
        for market_id, changes in changes_by_market(happenings).items():
            self.kalshi.publish_changes(market_id, changes, now)
        for happening in happenings:
            self._tell(happening, now)

    def _tell(self, happening: Happening, now: int) -> None:
        match happening:
            case TradePrinted(market_id, outcome, price, size, _):
                self.traded[market_id] = self.traded.get(market_id, 0) + size
                self.kalshi.tell_trade(market_id, outcome, price, size, now)
            case OrderChanged(order_id=order_id):
                self._tell_order(order_id, now)
            case FillChanged(trade_id=trade_id, order_id=order_id):
                self._tell_fill(trade_id, order_id, now)
            case StatusAnnounced(market_id, status, _):
                self._tell_status(market_id, status, now)
            case ResolutionAnnounced(market_id, yes_pays):
                for member in self.members.all:
                    self.collateral.after_payout(member, market_id, now)
                self.kalshi.tell_result(market_id, yes_pays, now)
            case LevelsChanged():
                pass

    def _net(self, account: str, market_id: MarketId, now: int) -> None:
        """YES and NO of one market are one position: what is there of both is cash at once."""
        owner = self.engine.accounts[account]
        both = min(owner.free_shares((market_id, outcome), settled_only=False) for outcome in Outcome)
        if both > 0:
            merge(self.engine, account, market_id, both, now)

    def _tell_order(self, engine_id: str, now: int) -> None:
        order = self.orders.get(engine_id)
        if order is not None and not order.hidden:
            order.updated = now
            later = self.desk.quiet_for(order.client_order_id, now)
            self.kalshi.tell(order.owner, "user_orders", "user_order", order_news(order), now, later)

    def _tell_fill(self, trade_id: str, engine_id: str, now: int) -> None:
        order = self.orders.get(engine_id)
        if order is None or (trade_id, engine_id) in self._told_fills:
            return
        self._told_fills.add((trade_id, engine_id))
        trade, party = next(
            (trade, party)
            for trade in reversed(self.engine.trades)
            for party in trade.parties
            if trade.trade_id == trade_id and party.order.order_id == engine_id
        )
        role = 0 if party is trade.taker else 1
        order.fees[role] += party.fee
        order.cost[role] += notional(party.price, trade.size)
        order.updated = now
        position = self.position(order.owner, order.listed.market.market_id)
        later = self.desk.quiet_for(order.client_order_id, now)
        self.kalshi.tell(order.owner, "fill", "fill", fill_news(trade, party, order, position), now, later)
        self.kalshi.tell_position(order.owner, order.listed.ticker, position, now, later)
        self.collateral.after_fill(self.members.by_name[order.owner], order.listed, now)
        if order.group is not None and self.groups.count(order.group, trade.size, now):
            for other in [o for o in self.resting(order.owner) if o.group == order.group]:
                self.end(other, "", now)

    def _tell_status(self, market_id: MarketId, status: MarketStatus, now: int) -> None:
        if status is MarketStatus.CLOSED and self.closes_ms[market_id] * MS > now:
            self.closes_ms[market_id] = now // MS  # a close that came early is told as a new date
            self.kalshi.tell_state(market_id, now, "close_date_updated", close_ts=now // MS // 1_000)
        elif status is MarketStatus.PAUSED:
            for order in list(self.orders.values()):
                if order.cancel_on_pause and order.listed.market.market_id == market_id:
                    self.end(order, "HaltCancel", now)
            self.kalshi.tell_state(market_id, now, "deactivated", is_deactivated=True)
        elif status is MarketStatus.OPEN:
            for order in list(self.orders.values()):  # reopening ends whatever rested (2.3)
                if order.listed.market.market_id == market_id:
                    self.end(order, "HaltCancel", now)
            self.kalshi.tell_state(market_id, now, "activated", is_deactivated=False)


def _own(taker: VenueOrder, maker: VenueOrder, price: int) -> int:
    """What the taker pays per share in its own outcome."""
    return price if taker.request.outcome is maker.request.outcome else MICRO - price
