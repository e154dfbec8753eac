"""Background trading: a crowd that quotes every market as a random walk, and opens the gaps of the script.

The crowd trades through the engine like anybody else, so its quotes are real orders that can be taken. One step makes
one frame: a level of one book changes its size, or the middle moves by a tick. Quotes of a market never make a gap by
themselves: at rest the asks of every set sum to its payout plus the spreads.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.simulated.accounts import Account
from adapters.simulated.catalog import events
from adapters.simulated.engine import Exchange
from adapters.simulated.listing import Listing
from adapters.simulated.orders import OrderRequest, RefusedOrder
from adapters.simulated.script import ScriptedGap, script
from adapters.simulated.settlement import split
from models.clock import MS
from models.market import Action, BookModel, Market, MarketId, MarketStatus, Outcome
from models.money import MICRO, MicroShares, PriceMicros
from models.orders import TimeInForce

CROWD: Final = "crowd"
CROWD_CASH: Final = 1_000_000_000 * MICRO
INVENTORY: Final = 100_000 * MICRO
"""Sets per market that the crowd starts with, and buys again when they run out."""
DEPTH: Final = 10
"""Levels per side."""
HALF_SPREAD: Final = 1
"""Ticks between the middle and the best price."""
WALK: Final = (0.2, 0.8)
"""Range of a middle, as parts of a dollar."""

LevelKey = tuple[Outcome, Action, int]
"""(outcome, BUY for bids and SELL for asks, price in micro-dollars)"""


@dataclass(slots=True)
class _Quote:
    """The crowd's view of one market. Ticks are multiples of the market's step."""

    listing: Listing
    step: int
    ticks: int
    """Ticks in a dollar."""
    middle: int
    """Of YES, in ticks."""
    lowered: dict[Outcome, int] = field(default_factory=dict)
    """How many ticks below its normal place the quotes of an outcome are, while a gap is open."""
    pinned: dict[LevelKey, int] = field(default_factory=dict)
    """Sizes that the script prescribes while a gap is open."""
    resting: dict[LevelKey, tuple[str, int]] = field(default_factory=dict)
    """(client order id, size) of the crowd's order at each level."""
    levels: list[LevelKey] = field(default_factory=list)
    """What `wanted` said when the market was last requoted."""

    @property
    def busy(self) -> bool:
        return bool(self.lowered)

    def wanted(self) -> list[LevelKey]:
        """The levels that should hold an order now, best first per side."""
        keys: list[LevelKey] = []
        outcomes = (Outcome.YES,) if self.listing.unified else (Outcome.YES, Outcome.NO)
        for outcome in outcomes:
            middle = self.middle if outcome is Outcome.YES else self.ticks - self.middle
            middle -= self.lowered.get(outcome, 0)
            for distance in range(HALF_SPREAD, HALF_SPREAD + DEPTH):
                if middle + distance < self.ticks:
                    keys.append((outcome, Action.SELL, (middle + distance) * self.step))
                if middle - distance > 0:
                    keys.append((outcome, Action.BUY, (middle - distance) * self.step))
        return keys

    def best_ask(self, outcome: Outcome) -> LevelKey:
        """The level that a buyer of `outcome` takes from first (on a unified book a NO buyer takes YES bids)."""
        middle = self.middle - self.lowered.get(Outcome.YES, 0)
        if outcome is Outcome.NO and self.listing.unified:
            return (Outcome.YES, Action.BUY, (middle - HALF_SPREAD) * self.step)
        if outcome is Outcome.NO:
            middle = self.ticks - self.middle - self.lowered.get(Outcome.NO, 0)
        return (outcome, Action.SELL, (middle + HALF_SPREAD) * self.step)


@dataclass(frozen=True, slots=True)
class OpenedGap:
    """One gap as it was really opened, for the truth."""

    gap: ScriptedGap
    opened_at: int
    sum_of_asks: int
    """Micro-dollars, as the books showed it just after."""


class Crowd:
    """Quotes and gaps. `step` and `follow_script` change the engine; whoever calls them publishes what happened."""

    def __init__(
        self, exchange: Exchange, markets: Sequence[Market], seed: int, start: int, *, scripted: bool = True
    ) -> None:
        self._exchange = exchange
        self._start = start
        self._chance = random.Random(f"{seed}/traffic")
        self._orders = 0
        self._script: Iterator[ScriptedGap] = script(markets, seed) if scripted else iter(())
        self._next: ScriptedGap | None = next(self._script, None)
        self._open: list[tuple[int, ScriptedGap]] = []
        self.opened: list[OpenedGap] = []
        self._quotes: dict[MarketId, _Quote] = {}
        self._turn: list[MarketId] = [market.market_id for market in markets]
        self._partners = {m.market_id: tuple(o.market_id for o in group) for group in events(markets) for m in group}
        exchange.open_account(Account(CROWD, "", "", house=True), CROWD_CASH, start)
        middles = self._first_middles(markets)
        for market in markets:
            listing = exchange.listings[market.market_id]
            step = market.price_bands[0].step
            quote = _Quote(listing, step, MICRO // step, middles[market.market_id])
            self._quotes[market.market_id] = quote
            split(exchange, CROWD, market.market_id, INVENTORY, start)
            self._requote(quote, start)

    # -- the walk

    def step(self, now: int) -> None:
        """Change one market a little: one frame."""
        chance = self._chance
        market_id = chance.choice(self._turn)
        quote = self._quotes[market_id]
        moves = chance.random() < 0.15
        key = chance.choice(quote.levels)
        size = self._size(quote)
        if not self._tradable(quote, now):
            return
        if moves and not quote.busy:
            self._move_middle(market_id, quote, now)
        elif key not in quote.pinned:
            self._put(quote, key, size, now)

    def _move_middle(self, market_id: MarketId, quote: _Quote, now: int) -> None:
        by = self._chance.choice((-1, 1))
        partners = [self._quotes[other] for other in self._partners.get(market_id, ()) if other != market_id]
        if partners:
            other = self._chance.choice(partners)
            if other.busy or not self._may_move(quote, by) or not self._may_move(other, -by):
                return
            other.middle -= by
            self._requote(other, now)
        elif not self._may_move(quote, by):
            return
        quote.middle += by
        self._requote(quote, now)

    def _may_move(self, quote: _Quote, by: int) -> bool:
        low, high = (round(part * quote.ticks) for part in WALK)
        return low <= quote.middle + by <= high

    # -- the script

    def next_event(self) -> int | None:
        """When the script has something to do next (ns)."""
        times = [closes for closes, _ in self._open]
        if self._next is not None:
            times.append(self._start + self._next.at_ms * MS)
        return min(times, default=None)

    def busy_until(self) -> int | None:
        """When the last of the gaps that are open now closes, None where none is open (ns)."""
        return max((closes for closes, _ in self._open), default=None)

    def follow_script(self, now: int) -> list[ScriptedGap]:
        """Open and close the gaps whose time has come; the opened ones are returned."""
        for closes, gap in [entry for entry in self._open if entry[0] <= now]:
            self._open.remove((closes, gap))
            self._close_gap(gap, now)
        opened = []
        while self._next is not None and self._start + self._next.at_ms * MS <= now:
            gap, self._next = self._next, next(self._script, None)
            if self._open_gap(gap, now):
                self._open.append((now + gap.life_ms * MS, gap))
                opened.append(gap)
        return opened

    def _open_gap(self, gap: ScriptedGap, now: int) -> bool:
        quotes = [self._quotes[market_id] for market_id in gap.markets]
        if any(quote.busy or not self._tradable(quote, now) for quote in quotes):
            return False
        legs = list(zip(quotes * 2 if len(quotes) == 1 else quotes, gap.outcomes, gap.sizes, strict=True))
        step = quotes[0].step
        ticks = len(legs) * HALF_SPREAD + gap.edge // step
        for index, (quote, outcome, _) in enumerate(legs):
            share = ticks // len(legs) + (index < ticks % len(legs))
            raised = quote.listing.unified and outcome is Outcome.NO
            quote.lowered[Outcome.YES if quote.listing.unified else outcome] = -share if raised else share
        for quote, outcome, size in legs:
            quote.pinned[quote.best_ask(outcome)] = size
        for quote in quotes:
            self._requote(quote, now)
        asks = sum(quote.best_ask(outcome)[2] for quote, outcome, _ in legs if not _raised(quote, outcome))
        asks += sum(MICRO - quote.best_ask(outcome)[2] for quote, outcome, _ in legs if _raised(quote, outcome))
        self.opened.append(OpenedGap(gap, now, asks))
        return True

    def _close_gap(self, gap: ScriptedGap, now: int) -> None:
        for market_id in gap.markets:
            quote = self._quotes[market_id]
            quote.lowered.clear()
            quote.pinned.clear()
            if self._tradable(quote, now):
                self._requote(quote, now)

    # -- orders

    def reopen(self, market_id: MarketId, now: int) -> None:
        """Quote a market anew after a pause or a restart."""
        self._requote(self._quotes[market_id], now)

    def _tradable(self, quote: _Quote, now: int) -> bool:
        venue_open = now >= self._exchange.unavailable_until and now >= self._exchange.post_only_until
        return venue_open and quote.listing.status is MarketStatus.OPEN

    def _requote(self, quote: _Quote, now: int) -> None:
        """Bring the crowd's orders to where they are wanted: first all cancels, so that it never meets itself."""
        quote.levels = quote.wanted()
        wanted = dict.fromkeys(quote.levels)
        for key in [
            key for key in quote.resting if key not in wanted or quote.resting[key][1] != self._pin(quote, key)
        ]:
            self._exchange.cancel(CROWD, quote.resting.pop(key)[0], now)
        for key in wanted:
            if key not in quote.resting:
                self._place(quote, key, quote.pinned.get(key) or self._size(quote), now)

    def _put(self, quote: _Quote, key: LevelKey, size: int, now: int) -> None:
        resting = quote.resting.pop(key, None)
        if resting is not None:
            self._exchange.cancel(CROWD, resting[0], now)
        self._place(quote, key, size, now)

    def _place(self, quote: _Quote, key: LevelKey, size: int, now: int) -> None:
        outcome, action, price = key
        self._orders += 1
        request = OrderRequest(
            client_order_id=f"c-{self._orders}",
            market_id=quote.listing.market.market_id,
            outcome=outcome,
            action=action,
            price=PriceMicros(price),
            size=MicroShares(size),
            time_in_force=TimeInForce.GTC,
        )
        self._stock(request, now)
        if not isinstance(self._exchange.submit(CROWD, request, now), RefusedOrder):
            quote.resting[key] = (request.client_order_id, size)

    def _stock(self, request: OrderRequest, now: int) -> None:
        if request.action is Action.SELL:
            holding = (request.market_id, request.outcome)
            free = self._exchange.accounts[CROWD].free_shares(holding, settled_only=False)
            if free < request.size:
                split(self._exchange, CROWD, request.market_id, INVENTORY, now)

    def _pin(self, quote: _Quote, key: LevelKey) -> int:
        """The size that the level should have: the script's, else whatever it has."""
        return quote.pinned.get(key, quote.resting[key][1])

    def _size(self, quote: _Quote) -> int:
        lot = quote.listing.market.lot
        shares = self._chance.randrange(40, 400)
        return shares * MICRO // lot * lot

    def _first_middles(self, markets: Sequence[Market]) -> dict[MarketId, int]:
        """In ticks. The middles of a mutually exclusive event add up to a dollar."""
        middles = {}
        for market in markets:
            ticks = MICRO // market.price_bands[0].step
            middles[market.market_id] = round(ticks * self._chance.uniform(0.35, 0.65))
        for group in events(markets):
            ticks = MICRO // group[0].price_bands[0].step
            for market in group:
                middles[market.market_id] = ticks // len(group)
            middles[group[0].market_id] += ticks % len(group)
        return middles


def _raised(quote: _Quote, outcome: Outcome) -> bool:
    return quote.listing.market.book_model is BookModel.UNIFIED and outcome is Outcome.NO
