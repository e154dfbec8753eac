"""The other traders of a simulated run: two levels a side, a move now and then, and gaps that may be worth a set.

The exchange's own crowd quotes ten levels and opens a gap a second, which is for people to watch; four fifths of a
run's time went there. This one has its face and does what a proof needs: depth that runs out, prices that jump, bids
that vanish.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from adapters.simulated.accounts import Account
from adapters.simulated.engine import Exchange
from adapters.simulated.listing import Listing
from adapters.simulated.orders import OrderRequest, RefusedOrder
from adapters.simulated.settlement import split
from models.clock import MS, SECOND
from models.market import Action, MarketId, MarketStatus, Outcome
from models.money import MICRO, MicroShares, PriceMicros
from models.orders import TimeInForce
from models.sets import CompleteSet

CROWD = "crowd"
CASH = 1_000_000_000 * MICRO
INVENTORY = 1_000_000 * MICRO
LEVELS = 2

Key = tuple[Outcome, Action, int]
"""(outcome, action, price)"""


@dataclass(slots=True)
class _Quote:
    listing: Listing
    step: int
    ticks: int
    middle: int
    """Of YES, in ticks."""
    lowered: dict[Outcome, int] = field(default_factory=dict)
    """Ticks below the normal place while a gap is open."""
    bids: bool = True
    resting: dict[Key, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Mean times between events of all markets together, in ns."""

    size_ns: int = 2_500 * MS
    move_ns: int = 5 * SECOND
    gap_ns: int = 5 * SECOND
    jumps: float = 0.1
    """Share of moves that go far."""
    thin: float = 0.35
    """Share of levels too thin for an order."""


class SmallCrowd:
    def __init__(
        self, engine: Exchange, sets: Sequence[CompleteSet], rng: random.Random, start: int, pace: Pace
    ) -> None:
        self.opened: list[Any] = []
        self._engine = engine
        self._sets = list(sets)
        self._rng = rng
        self._pace = pace
        self._orders = count(1)
        self._order = count()
        self._due: list[tuple[int, int, Any]] = []
        self._quotes: dict[MarketId, _Quote] = {}
        self.quiet = False
        """No more gaps and jumps."""
        engine.open_account(Account(CROWD, "", "", house=True), CASH, start)
        groups: dict[str, int] = {}
        for listing in engine.listings.values():
            event = listing.market.event_id
            if event is not None:
                groups[event] = groups.get(event, 0) + 1
        first: set[str] = set()
        for market_id, listing in engine.listings.items():
            step = listing.market.price_bands[0].step
            ticks = MICRO // step
            event = listing.market.event_id
            middle = round(ticks * rng.uniform(0.3, 0.7))
            if event is not None:
                middle = ticks // groups[event] + (0 if event in first else ticks % groups[event])
                first.add(event)
            self._quotes[market_id] = _Quote(listing, step, ticks, middle)
            split(engine, CROWD, market_id, INVENTORY, start)
            self._requote(self._quotes[market_id], start)
        self._turn = list(self._quotes)
        self._in(start, pace.size_ns, self._resize)
        self._in(start, pace.move_ns, self._move)
        self._in(start, pace.gap_ns // 2, self._open_gap)

    # -- the face of adapters.simulated.traffic.Crowd

    def next_event(self) -> int | None:
        return self._due[0][0] if self._due else None

    def follow_script(self, now: int) -> list[Any]:
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2](now)
        return []

    def reopen(self, market_id: MarketId, now: int) -> None:
        self._requote(self._quotes[market_id], now)

    def calm(self, now: int) -> None:
        """Bids everywhere, and from now on nothing but small changes."""
        self.quiet = True
        for quote in self._quotes.values():
            quote.bids = True
            if self._tradable(quote, now):
                self._requote(quote, now)

    # -- events

    def _in(self, now: int, mean_ns: int, call: Any) -> None:
        heapq.heappush(self._due, (now + 1 + int(self._rng.expovariate(1.0 / mean_ns)), next(self._order), call))

    def _resize(self, now: int) -> None:
        self.resize_one(now)
        self._in(now, self._pace.size_ns, self._resize)

    def resize_one(self, now: int) -> None:
        """One level of one book gets another size: one frame."""
        quote = self._quotes[self._pick(self._turn)]
        if self._tradable(quote, now) and quote.resting:
            keys = list(quote.resting)
            self._put(quote, keys[int(self._rng.random() * len(keys))], now)

    def _move(self, now: int) -> None:
        quote = self._quotes[self._pick(self._turn)]
        if not self.quiet and self._tradable(quote, now) and quote.listing.market.event_id is None:
            far = self._rng.random() < self._pace.jumps
            by = (1 if self._rng.random() < 0.5 else -1) * (int(3 + self._rng.random() * 12) if far else 1)
            quote.middle = min(max(quote.middle + by, quote.ticks // 5), quote.ticks * 4 // 5)
            quote.bids = not far or self._rng.random() < 0.7
            self._requote(quote, now)
        self._in(now, self._pace.move_ns, self._move)

    def _open_gap(self, now: int) -> None:
        complete_set = self._sets[int(self._rng.random() * len(self._sets))]
        legs = [(self._quotes[leg.market_id], leg.outcome) for leg in complete_set.legs]
        quotes = list({id(quote): quote for quote, _ in legs}.values())
        if not self.quiet and not any(quote.lowered or not self._tradable(quote, now) for quote in quotes):
            step = legs[0][0].step
            edge = int(1 + self._rng.random() * 8) * 10_000 // step
            ticks = len(legs) + edge
            for index, (quote, outcome) in enumerate(legs):
                share = ticks // len(legs) + (index < ticks % len(legs))
                raised = quote.listing.unified and outcome is Outcome.NO
                quote.lowered[Outcome.YES if quote.listing.unified else outcome] = -share if raised else share
            for quote in quotes:
                self._requote(quote, now)
            life = int((0.2 + self._rng.random() * 4) * SECOND)
            heapq.heappush(self._due, (now + life, next(self._order), lambda at: self._close_gap(quotes, at)))
        self._in(now, self._pace.gap_ns, self._open_gap)

    def _close_gap(self, quotes: Sequence[_Quote], now: int) -> None:
        for quote in quotes:
            quote.lowered.clear()
            quote.bids = True
            if self._tradable(quote, now):
                self._requote(quote, now)

    # -- quotes

    def _pick(self, choices: list[MarketId]) -> MarketId:
        return choices[int(self._rng.random() * len(choices))]

    def _tradable(self, quote: _Quote, now: int) -> bool:
        up = now >= self._engine.unavailable_until and now >= self._engine.post_only_until
        return up and quote.listing.status is MarketStatus.OPEN

    def _wanted(self, quote: _Quote) -> list[Key]:
        keys: list[Key] = []
        for outcome in (Outcome.YES,) if quote.listing.unified else (Outcome.YES, Outcome.NO):
            middle = quote.middle if outcome is Outcome.YES else quote.ticks - quote.middle
            middle -= quote.lowered.get(outcome, 0)
            for distance in range(1, LEVELS + 1):
                if 0 < middle + distance < quote.ticks:
                    keys.append((outcome, Action.SELL, (middle + distance) * quote.step))
                if quote.bids and 0 < middle - distance < quote.ticks:
                    keys.append((outcome, Action.BUY, (middle - distance) * quote.step))
        return keys

    def _requote(self, quote: _Quote, now: int) -> None:
        wanted = dict.fromkeys(self._wanted(quote))
        for key in [key for key in quote.resting if key not in wanted]:
            self._engine.cancel(CROWD, quote.resting.pop(key), now)
        for key in wanted:
            if key not in quote.resting:
                self._place(quote, key, now)

    def _put(self, quote: _Quote, key: Key, now: int) -> None:
        self._engine.cancel(CROWD, quote.resting.pop(key), now)
        self._place(quote, key, now)

    def _place(self, quote: _Quote, key: Key, now: int) -> None:
        outcome, action, price = key
        random_ = self._rng.random()
        shares = int(1 + random_ * 40) if self._rng.random() < self._pace.thin else int(20 + random_ * 60)
        request = OrderRequest(
            client_order_id=f"c-{next(self._orders)}",
            market_id=quote.listing.market.market_id,
            outcome=outcome,
            action=action,
            price=PriceMicros(price),
            size=MicroShares(shares * MICRO),
            time_in_force=TimeInForce.GTC,
        )
        placed = self._engine.submit(CROWD, request, now)
        if not isinstance(placed, RefusedOrder) and placed.remaining:
            quote.resting[key] = request.client_order_id
