"""The matching engine: pure, integer, deterministic. No thread, no socket, no clock, no chance: time is passed in (ns).

Every share is one half of a complete set that is backed by one dollar, so at every instant

    deposits = sum of cash + fees collected + collateral        and per market  YES held = NO held = sets

to the micro-dollar. `Exchange.audit` says whether that holds; it is the oracle of every test above it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from adapters.simulated.accounts import Account, EntryKind
from adapters.simulated.affordable import CLOSED_BY, own_price, unaffordable
from adapters.simulated.listing import Listing, Place
from adapters.simulated.orders import (
    NORMAL,
    Happening,
    LevelsChanged,
    OrderRequest,
    OrderState,
    Party,
    Refusal,
    RefusedOrder,
    StatusAnnounced,
    Trade,
    TradePrinted,
    Treatment,
    VenueOrder,
    fill_changed,
    notional,
    order_changed,
)
from models.fees import taker_fee
from models.market import Action, Market, MarketId, MarketStatus, Outcome
from models.money import MicroShares, PriceMicros
from models.orders import FillState, TimeInForce


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the venue settles and shows things. Times in nanoseconds."""

    settlement_ns: int = 0
    """From an execution to its final (or reversed) settlement."""
    visibility_ns: int = 0
    """How long an accepted order and what it did stay invisible to reads."""
    spend_unsettled: bool = True
    """Whether shares may be sold or merged before their trade is final."""


Charge = Callable[[Listing, VenueOrder, VenueOrder, int], tuple[int, int]]
"""(listing, taker, maker, size) -> (the maker's fee, the taker's fee) of one execution, micro-dollars."""


def takers_pay(listing: Listing, taker: VenueOrder, maker: VenueOrder, size: int) -> tuple[int, int]:
    """The listing's schedule for whoever takes, nothing for whoever rests."""
    price = PriceMicros(own_price(taker.request, maker))
    return 0, taker_fee(listing.market.fees, price, MicroShares(size))


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line of the venue's own log about traders that are not the house."""

    at: int
    kind: str
    account: str
    reference: str
    detail: str


@dataclass(slots=True)
class Exchange:
    """All state of the venue. Owned by one thread at a time; every method runs to its end before the next."""

    rules: Rules = field(default_factory=Rules)
    charge: Charge = takers_pay
    """A dialect may charge as its venue does, never more than the listing's schedule says of one execution."""
    accounts: dict[str, Account] = field(default_factory=dict)
    listings: dict[MarketId, Listing] = field(default_factory=dict)
    orders: dict[tuple[str, str], VenueOrder] = field(default_factory=dict)
    """By (account, client order id). Done orders of traders stay, those of the house are forgotten."""
    trades: list[Trade] = field(default_factory=list)
    """Executions that concern a trader, oldest first."""
    unsettled: list[Trade] = field(default_factory=list)
    """Those of them that are still provisional."""
    deposits: int = 0
    fees_collected: int = 0
    unavailable_until: int = 0
    post_only_until: int = 0
    journal: list[JournalLine] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    """What happened since the last `drain`, in order."""
    orders_made: int = 0
    trades_made: int = 0

    # -- set-up

    def list_market(self, market: Market) -> Listing:
        listing = self.listings[market.market_id] = Listing(market)
        return listing

    def open_account(self, account: Account, deposit: int, now: int) -> None:
        self.accounts[account.name] = account
        self.deposits += deposit
        account.post(now, EntryKind.DEPOSIT, cash=deposit)

    # -- commands

    def submit(
        self, account_name: str, request: OrderRequest, now: int, treatment: Treatment = NORMAL
    ) -> VenueOrder | RefusedOrder:
        """Accept and match an order, or refuse it with nothing changed."""
        account = self.accounts[account_name]
        key = (account_name, request.client_order_id)
        if key in self.orders:
            return self._refuse(account, request, now, Refusal.DUPLICATE, "this client_order_id was used before")
        listing = self.listings.get(request.market_id)
        if listing is None:
            return self._refuse(account, request, now, Refusal.UNKNOWN_MARKET, "no such market")
        place = listing.place(request.outcome, request.action, request.price)
        takes = list(self._plan(place, request))
        refused = (
            self._weather(listing, request, now, takes=bool(takes))
            or listing.refusal(request)
            or unaffordable(account, listing, request, takes, settled_only=not self.rules.spend_unsettled)
        )
        if refused is not None:
            return self._refuse(account, request, now, refused.code, refused.text)
        self.orders_made += 1
        visible_at = max(now + self.rules.visibility_ns, treatment.hidden_until)
        order = VenueOrder(f"v-{self.orders_made:06d}", account_name, request, now, visible_at)
        self.orders[key] = order
        self._note(account, now, "accepted", order.order_id, request.client_order_id)
        if request.time_in_force is not TimeInForce.FOK or sum(size for _, size in takes) == request.size:
            for maker, size in takes:
                self._execute(listing, order, maker, size, now, treatment)
        if order.remaining and request.time_in_force is TimeInForce.GTC:
            listing.rest(place, order)
            self._reserve(account, order, order.remaining)
            self._tell(order)
        else:
            self._finish(order, "killed" if order.remaining else "filled", now)
        self.flush(listing)
        return order

    def cancel(self, account_name: str, client_order_id: str, now: int) -> VenueOrder | None:
        """Cancel what is left of an order; a done order is returned as it is, None where there is none of that id."""
        order = self.orders.get((account_name, client_order_id))
        if order is None or order.state is OrderState.DONE:
            return order
        listing = self.listings[order.request.market_id]
        self.end(listing, order, "cancelled", now)
        self.flush(listing)
        return order

    def end(self, listing: Listing, order: VenueOrder, reason: str, now: int) -> None:
        """Take a resting order off the book for good. The caller flushes the listing."""
        listing.withdraw(order)
        self._reserve(self.accounts[order.account], order, -order.remaining)
        self._finish(order, reason, now)

    def announce(self, listing: Listing, status: MarketStatus, detail: str, now: int) -> None:
        """Change a market's status; closing ends every resting order."""
        listing.status = status
        if status in (MarketStatus.CLOSED, MarketStatus.RESOLVED):
            for order in list(listing.resting()):
                self.end(listing, order, status.value, now)
            self.flush(listing)
        self.happenings.append(StatusAnnounced(listing.market.market_id, status, detail))
        self.journal.append(
            JournalLine(now, "status", "", listing.market.market_id, f"{status.value} {detail}".strip())
        )

    # -- what others read

    def takeable(self, listing: Listing, request: OrderRequest) -> int:
        """Shares that rest within the limit of an order, whatever its size."""
        place = listing.place(request.outcome, request.action, request.price)
        total = 0
        for price, maker in place.other.orders():
            if not place.other.reaches(price, place.price):
                break
            total += maker.remaining
        return total

    def drain(self) -> list[Happening]:
        happenings, self.happenings = self.happenings, []
        return happenings

    def flush(self, listing: Listing) -> None:
        """Turn a listing's changed levels into one happening."""
        if changes := listing.drain_changes():
            self.happenings.append(LevelsChanged(listing.market.market_id, changes))

    def tell_fill(self, trade: Trade) -> None:
        """Both parties hear about an execution, its settlement or its reversal. The house does not listen."""
        for party in trade.parties:
            if not self.accounts[party.order.account].house:
                self.happenings.append(fill_changed(trade, party))

    def audit(self) -> list[str]:
        """Everything that does not add up, empty in good health."""
        wrong = []
        cash = sum(account.cash for account in self.accounts.values())
        collateral = sum(listing.collateral for listing in self.listings.values())
        if cash + self.fees_collected + collateral != self.deposits:
            wrong.append(f"cash {cash} + fees {self.fees_collected} + collateral {collateral} != {self.deposits}")
        for market_id, listing in self.listings.items():
            for outcome in Outcome:
                held = sum(account.shares.get((market_id, outcome), 0) for account in self.accounts.values())
                if held != listing.sets:
                    wrong.append(f"{market_id}: {held} {outcome} held, {listing.sets} sets exist")
            for bids, asks in ((0, 1), (2, 3)):
                bid, ask = listing.best(bids), listing.best(asks)
                if bid is not None and ask is not None and bid >= ask:
                    wrong.append(f"{market_id}: crossed at rest, bid {bid} >= ask {ask}")
        wrong.extend(f"{a.name}: cash reserved beyond cash" for a in self.accounts.values() if a.free_cash < 0)
        return wrong

    # -- inside

    def _plan(self, place: Place, request: OrderRequest) -> list[tuple[VenueOrder, int]]:
        """(maker, size) in priority, as far as the limit and the size reach."""
        takes = []
        left: int = request.size
        for price, maker in place.other.orders():
            if left <= 0 or not place.other.reaches(price, place.price):
                break
            size = min(left, maker.remaining)
            takes.append((maker, size))
            left -= size
        return takes

    def _weather(self, listing: Listing, request: OrderRequest, now: int, *, takes: bool) -> RefusedOrder | None:
        if now < self.unavailable_until:
            return RefusedOrder(Refusal.RESTARTING, "the exchange is restarting")
        if listing.status in CLOSED_BY:
            return RefusedOrder(CLOSED_BY[listing.status], f"the market is {listing.status.value}")
        post_only = listing.status is MarketStatus.POST_ONLY or now < self.post_only_until
        if post_only and (takes or request.time_in_force is not TimeInForce.GTC):
            return RefusedOrder(Refusal.POST_ONLY, "only resting orders are accepted now")
        return None

    def _execute(
        self, listing: Listing, taker: VenueOrder, maker: VenueOrder, size: int, now: int, treatment: Treatment
    ) -> None:
        price = own_price(taker.request, maker)
        maker_fee, fee = self.charge(listing, taker, maker, size)
        delay = self.rules.settlement_ns if treatment.settlement_ns is None else treatment.settlement_ns
        concerned = not (self.accounts[taker.account].house and self.accounts[maker.account].house)
        self.trades_made += 1
        trade = Trade(
            f"t-{self.trades_made:06d}",
            listing.market.market_id,
            size,
            Party(maker, maker.request.price, maker_fee),
            Party(taker, price, fee),
            now,
            now + delay,
            FillState.PROVISIONAL if delay and concerned else FillState.FINAL,
            treatment.reverse,
        )
        place = listing.place(maker.request.outcome, maker.request.action, maker.request.price)
        listing.take(place.own_side, place.price, maker, size, gone=maker.remaining == size)
        self._reserve(self.accounts[maker.account], maker, -size)
        for party in trade.parties:
            party.order.filled += size
            assert party.order.filled <= party.order.request.size, "filled more than was ordered"
            self._move(trade, party, now)
        listing.sets += trade.sets_made
        self.fees_collected += maker_fee + fee
        if concerned:
            self.trades.append(trade)
            if trade.state is FillState.PROVISIONAL:
                self.unsettled.append(trade)
        self.happenings.append(
            TradePrinted(listing.market.market_id, maker.request.outcome, maker.request.price, size, taker.request)
        )
        self.tell_fill(trade)
        if maker.remaining == 0:
            self._finish(maker, "filled", now)
        else:
            self._tell(maker)

    def _move(self, trade: Trade, party: Party, now: int) -> None:
        request = party.order.request
        account = self.accounts[party.order.account]
        holding = (request.market_id, request.outcome)
        value = notional(party.price, trade.size)
        buys = request.action is Action.BUY
        account.post(
            now,
            EntryKind.TRADE,
            cash=-value if buys else value,
            holding=holding,
            shares=trade.size if buys else -trade.size,
            reference=trade.trade_id,
        )
        if party.fee:
            account.post(now, EntryKind.FEE, cash=-party.fee, reference=trade.trade_id)
        if buys and trade.state is FillState.PROVISIONAL:
            account.unsettle(holding, trade.size)

    def _reserve(self, account: Account, order: VenueOrder, size: int) -> None:
        request = order.request
        amount = notional(request.price, abs(size))
        account.reserve(request.action, (request.market_id, request.outcome), amount if size >= 0 else -amount, size)

    def _finish(self, order: VenueOrder, reason: str, now: int) -> None:
        order.state = OrderState.DONE
        order.reason = reason
        self._tell(order)
        account = self.accounts[order.account]
        if account.house:
            del self.orders[order.account, order.request.client_order_id]
        else:
            self._note(account, now, reason, order.order_id, str(order.filled))

    def _refuse(self, account: Account, request: OrderRequest, now: int, code: Refusal, text: str) -> RefusedOrder:
        self._note(account, now, "refused", request.client_order_id, code.value)
        return RefusedOrder(code, text)

    def _tell(self, order: VenueOrder) -> None:
        if not self.accounts[order.account].house:
            self.happenings.append(order_changed(order))

    def _note(self, account: Account, now: int, kind: str, reference: str, detail: str) -> None:
        if not account.house:
            self.journal.append(JournalLine(now, kind, account.name, reference, detail))
