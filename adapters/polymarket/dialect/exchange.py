"""The simulated exchange with Polymarket's markets, channels, settlement clock, taker delay and dead-man switch.

Everything that moves money is the engine's. What is added here is how the venue tells it, and when: MATCHED, MINED,
CONFIRMED; orders held back before they may take; orders that end by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from adapters.polymarket.dialect import rows
from adapters.polymarket.dialect.books import Tape
from adapters.polymarket.dialect.markets import Listings
from adapters.polymarket.dialect.order_rules import Checked
from adapters.polymarket.dialect.streams import PolymarketStreams
from adapters.polymarket.dialect.wallets import Wallets
from adapters.simulated.engine import JournalLine
from adapters.simulated.exchange import InProcessExchange, Setup, Trader
from adapters.simulated.faults import Lever, LeverName, duration_ns
from adapters.simulated.listing import Listing
from adapters.simulated.orders import (
    FillChanged,
    OrderChanged,
    OrderRequest,
    OrderState,
    ResolutionAnnounced,
    Trade,
    TradePrinted,
    VenueOrder,
    changes_by_market,
)
from adapters.simulated.streams import Streams
from models.clock import SECOND
from models.market import Action, MarketId, MarketStatus, Outcome, linear_grid
from models.money import MICRO, PriceMicros, text
from models.orders import FillState

HEART_NS: Final = 15 * SECOND
"""Ten seconds, and five more that the venue allows itself."""
FINER: Final = {10_000: 1_000, 1_000: 100, 5_000: 2_500, 2_500: 100}
"""What a tick becomes when the price goes to an extreme (here: when the lever says so)."""


@dataclass(slots=True)
class Held:
    """An order that waits until it may take (`delayed`)."""

    account: str
    request: OrderRequest
    checked: Checked
    until: int


class PolymarketExchange(InProcessExchange):
    """Owned like its base: one caller at a time, and a time that never goes back."""

    def __init__(self, setup: Setup, listings: Listings, wallets: Wallets, cash: int) -> None:
        """`cash` in micro-dollars, of every wallet."""
        self.listed = listings
        self.wallets = wallets
        self.tapes = {MarketId(one.condition_id): Tape(one.tick, setup.start) for one in listings.all}
        self.trade_rows = rows.TradeRows(wallets)
        self.checked: dict[str, Checked] = {}
        """By digest: what was asked for, beyond what the engine keeps."""
        self.held: dict[tuple[str, str], Held] = {}
        """By (account, digest)."""
        self.hearts: dict[str, tuple[str, int]] = {}
        """By account: the id that the next beat must carry, and when the last one came."""
        self.stale_cash: dict[str, int] = {}
        """What the venue still believes an account to have, until it is asked to look at the chain again."""
        self.disabled_until = 0
        self.cancel_only_until = 0
        self._announced: set[str] = set()
        self._trades: dict[str, Trade] = {}
        self._known_trades = 0
        traders = tuple(
            Trader(name=wallet.account, cash=cash, api_key=wallet.api_key, api_secret=wallet.api_secret)
            for wallet in wallets.all
        )
        super().__init__(replace(setup, listed=tuple(one.market for one in listings.all), traders=traders))

    def _make_streams(self) -> Streams:
        self.channels = PolymarketStreams(self.engine.listings, self.levers, self.listed, self.tapes)
        self.channels.wallets = self.wallets
        self.channels.now = self.setup.start
        return self.channels

    # -- orders that wait, end by themselves, or die with their master

    def hold(self, held: Held) -> None:
        """Keep an order until it may take; then it is matched as if it came in at that moment."""
        key = (held.account, held.request.client_order_id)
        self.held[key] = held
        self.later(held.until, lambda at: self._let_go(key, at))

    def later(self, due: int, call: Callable[[int], None]) -> None:
        """Do something at a time (ns)."""
        self._at(due, call)

    def expire(self, account: str, order_id: str, now: int) -> None:
        """End a GTD order."""
        order = self.engine.orders.get((account, order_id))
        if order is not None and order.state is OrderState.LIVE:
            listing = self.engine.listings[order.request.market_id]
            self.engine.end(listing, order, "expired", now)
            self.engine.flush(listing)

    def heart_beats(self, account: str, heart_id: str, now: int) -> None:
        self.hearts[account] = (heart_id, now)
        self.later(now + HEART_NS, lambda at: self._listen(account, at))

    def cancel_all(self, account: str, now: int, wanted: Callable[[VenueOrder], bool] = lambda _: True) -> list[str]:
        """Cancel an account's resting orders; their digests are returned."""
        resting = [
            order
            for (owner, _), order in list(self.engine.orders.items())
            if owner == account and order.state is OrderState.LIVE and wanted(order)
        ]
        for order in resting:
            self.cancel(account, order.request.client_order_id, now)
        return [order.request.client_order_id for order in resting]

    def _let_go(self, key: tuple[str, str], now: int) -> None:
        held = self.held.pop(key, None)
        if held is None:
            return
        reply = self.desk.submit(held.account, held.request, now)
        if reply.answer.error is not None:  # re-validated at the end of the delay, and no longer good
            self.engine.journal.append(
                JournalLine(now, "refused", held.account, held.request.client_order_id, reply.answer.error.code)
            )
            ghost = VenueOrder("", held.account, held.request, now, now, state=OrderState.DONE, reason="cancelled")
            self._tell_order(held.account, ghost, "CANCELLATION", "UNMATCHED", now)

    def _listen(self, account: str, now: int) -> None:
        _, beaten_at = self.hearts.get(account, ("", now))
        if account in self.hearts and now - beaten_at >= HEART_NS:
            del self.hearts[account]
            self.cancel_all(account, now)

    # -- levers of this venue

    def _fire(self, lever: Lever, now: int) -> None:
        until = now + duration_ns(lever.duration)
        match lever.lever:
            case LeverName.DISABLED:
                self.disabled_until = until
            case LeverName.CANCEL_ONLY:
                self.cancel_only_until = until
            case LeverName.TICK_CHANGE:
                for market_id in self._meant(lever):
                    self._refine(self.engine.listings[market_id], now)
            case _:
                super()._fire(lever, now)

    def _refine(self, listing: Listing, now: int) -> None:
        """A finer tick, from this moment on; prices on the old grid are on the new one, too."""
        market = listing.market
        old = market.price_bands[0].step
        new = PriceMicros(FINER.get(old, old))
        if new == old:
            return
        listing.market = replace(market, price_bands=linear_grid(new))
        self.listed.change_tick(market.market_id, new)
        self.tapes[market.market_id].tick = new
        self.channels.publish_tick(market.market_id, text(old), text(new), now)

    # -- telling

    def _publish(self, now: int) -> None:
        """Tell the channels what the engine did: changes first, one message per market, then the rest in order."""
        for trade in self.engine.trades[self._known_trades :]:
            self._trades[trade.trade_id] = trade
            if self.levers.pull(LeverName.RETRY_SETTLEMENT, market=trade.market_id):
                self.trade_rows.retried.add(trade.trade_id)
        self._known_trades = len(self.engine.trades)
        happenings = self.engine.drain()
        for market_id, changes in changes_by_market(happenings).items():
            self.channels.publish_changes(market_id, changes, now)
        for happening in happenings:
            match happening:
                case TradePrinted(market_id, outcome, at, shares, taker):
                    at = at if taker.outcome is outcome else MICRO - at
                    self.channels.publish_trade(market_id, taker.outcome, at, shares, taker.action.value, now)
                case ResolutionAnnounced(market_id, yes_pays):
                    winner = Outcome.YES if yes_pays > MICRO // 2 else Outcome.NO
                    self.channels.publish_resolution(market_id, winner, now)
                case OrderChanged():
                    self._order_changed(happening, now)
                case FillChanged():
                    self._fill_changed(happening, now)
                case _:
                    pass  # the venue has no frame for it

    def _order_changed(self, event: OrderChanged, now: int) -> None:
        order = self.engine.orders[event.account, event.client_order_id]
        first = event.client_order_id not in self._announced
        self._announced.add(event.client_order_id)
        if event.state is OrderState.LIVE:
            self._tell_order(event.account, order, "PLACEMENT" if first else "UPDATE", "LIVE", now, event.filled)
        elif event.filled and event.reason in ("filled", "killed"):
            self._tell_order(event.account, order, "PLACEMENT" if first else "UPDATE", "MATCHED", now, event.filled)
        elif event.reason == "killed":
            checked = self.checked.get(event.client_order_id)
            why = rows.KILLED.get(checked.order_type if checked is not None else "", "")
            self._tell_order(event.account, order, "CANCELLATION", f"CANCELED_{why}", now, None)
        else:
            self._tell_order(event.account, order, "CANCELLATION", rows.status_of(order), now, event.filled)

    def _tell_order(
        self, account: str, order: VenueOrder, kind: str, status: str, now: int, filled: int | None = 0
    ) -> None:
        wallet = self.wallets.of_account(account)
        assert wallet is not None, "only traders hear about orders"
        own_id = order.request.client_order_id
        listed = self.listed.by_condition[order.request.market_id]
        row = rows.order_row(order, self.checked.get(own_id), listed, wallet)
        row["size_matched"] = "" if filled is None else text(filled, 0)
        event = rows.order_event(row, kind, status, now)
        self.channels.publish_news(account, listed.condition_id, event, now, self.desk.quiet_for(own_id, now))

    def _fill_changed(self, event: FillChanged, now: int) -> None:
        trade = self._trades[event.trade_id]
        later = self.desk.quiet_for(event.client_order_id, now)
        if event.state is FillState.PROVISIONAL:
            self._tell_trade(event.account, trade, "MATCHED", now, later)
            self.later(rows.mined_at(trade), lambda at: self._half_way(event.account, trade, at))
            if trade.trade_id in self.trade_rows.retried and not trade.reverse:
                self.later(rows.retried_at(trade), lambda at: self._half_way(event.account, trade, at))
            return
        if trade.settle_at <= trade.at:  # settled with the match: every status at once
            self._tell_trade(event.account, trade, "MATCHED", now, later)
            self._tell_trade(event.account, trade, "MINED", now, later)
        last = "CONFIRMED" if event.state is FillState.FINAL else "FAILED"
        self._tell_trade(event.account, trade, last, now, later)

    def _half_way(self, account: str, trade: Trade, now: int) -> None:
        if trade.state is FillState.PROVISIONAL:
            self._tell_trade(account, trade, self.trade_rows.status(trade, now), now, 0)

    def _tell_trade(self, account: str, trade: Trade, status: str, now: int, later: int) -> None:
        listed = self.listed.by_condition[trade.market_id]
        event = self.trade_rows.event(self.trade_rows.row(trade, account, listed, status), now)
        self.channels.publish_news(account, listed.condition_id, event, now, later)

    # -- what order entry asks

    def statuses(self) -> dict[str, MarketStatus]:
        return {market_id: listing.status for market_id, listing in self.engine.listings.items()}

    def crosses(self, request: OrderRequest) -> bool:
        """Whether the order would take something now."""
        return self.engine.takeable(self.engine.listings[request.market_id], request) > 0

    def affords(self, account: str, request: OrderRequest, gives: int) -> bool:
        """Whether an order's whole amount is there, net of what other orders have set aside. `gives` in millionths of
        dollars (BUY) or shares (SELL); what it then finds to match does not matter.
        """
        own = self.engine.accounts[account]
        if request.action is Action.BUY:
            return own.free_cash >= gives
        holding = (request.market_id, request.outcome)
        return own.free_shares(holding, settled_only=not self.engine.rules.spend_unsettled) >= gives

    def matched(self, account: str, order_id: str) -> tuple[int, int, list[str]]:
        """(shares, dollars, trade ids) that an order has traded; the dollars are gross of fees."""
        shares = dollars = 0
        ids = []
        for trade in self.engine.trades:
            for party in trade.parties:
                if party.order.account == account and party.order.request.client_order_id == order_id:
                    shares += trade.size
                    dollars += party.price * trade.size // MICRO
                    ids.append(rows.trade_id(trade))
        return shares, dollars, ids

    def gives(self, action: Action, shares: int, dollars: int) -> tuple[int, int]:
        """(what an order gave, what it got)."""
        return (dollars, shares) if action is Action.BUY else (shares, dollars)
