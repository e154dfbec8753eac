"""One market on the simulated exchange: its books, its rules, its complete sets in existence.

On `separate` books each outcome has its own orders. On a `unified` book every order lives in the YES book: a NO bid at
q is a YES ask at 1 - q, so buying NO from somebody who buys YES makes a new set, and two sellers burn one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from adapters.simulated.ladder import Ladder
from adapters.simulated.orders import OrderRequest, Refusal, RefusedOrder, VenueOrder
from models.book import NO_ASK, NO_BID, YES_ASK, YES_BID, Change, Levels
from models.market import Action, BookModel, Market, MarketStatus, Outcome
from models.money import MICRO

MIRROR: Final = {YES_BID: NO_ASK, YES_ASK: NO_BID}
"""Where a YES level shows on the NO side of a unified book."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an order belongs: its own side, the side it takes from, and its price in that book's outcome."""

    own: Ladder
    other: Ladder
    own_side: int
    other_side: int
    price: int


class Listing:
    """Mutable state of one market, owned by the engine."""

    def __init__(self, market: Market) -> None:
        steps = [band.step for band in market.price_bands]
        if any(step * market.lot % MICRO for step in steps):
            raise ValueError(f"{market.market_id}: tick x lot is not a whole number of micro-dollars")
        self.market = market
        self.status = MarketStatus.OPEN
        self.sets = 0
        """Complete sets in existence (micro-shares); each is backed by one dollar of collateral."""
        self.yes_pays: int | None = None
        self.unified = market.book_model is BookModel.UNIFIED
        self.ladders = [Ladder(bids=True), Ladder(bids=False), Ladder(bids=True), Ladder(bids=False)]
        """Indexed by the side constants of `models.book`; the NO ladders of a unified book stay empty."""
        self._changes: dict[tuple[int, int], int] = {}

    @property
    def collateral(self) -> int:
        """Micro-dollars that back the sets in existence; one set is worth exactly one dollar until it is paid out."""
        return self.sets

    def place(self, outcome: Outcome, action: Action, price: int) -> Place:
        bid = action is Action.BUY
        if self.unified and outcome is Outcome.NO:
            bid, price, outcome = not bid, MICRO - price, Outcome.YES
        first = YES_BID if outcome is Outcome.YES else NO_BID
        own, other = (first, first + 1) if bid else (first + 1, first)
        return Place(self.ladders[own], self.ladders[other], own, other, price)

    def rest(self, place: Place, order: VenueOrder) -> None:
        self._note(place.own_side, place.price, place.own.add(place.price, order))

    def take(self, side: int, price: int, order: VenueOrder, size: int, *, gone: bool) -> None:
        """Remove `size` of a resting order from the book, by execution or by cancel."""
        self._note(side, price, self.ladders[side].reduce(price, order, size, gone=gone))

    def withdraw(self, order: VenueOrder) -> None:
        """Remove what is left of a resting order."""
        request = order.request
        place = self.place(request.outcome, request.action, request.price)
        self.take(place.own_side, place.price, order, order.remaining, gone=True)

    def resting(self) -> Iterator[VenueOrder]:
        for ladder in self.ladders:
            for _, order in ladder.orders():
                yield order

    def levels(self, side: int) -> Levels:
        """(price, total) of one side, best first, as the public sees it."""
        if self.unified and side in (NO_BID, NO_ASK):
            mirrored = YES_ASK if side == NO_BID else YES_BID
            return tuple((MICRO - price, total) for price, total in self.levels(mirrored))
        bids = side in (YES_BID, NO_BID)
        return tuple(sorted(self.ladders[side].totals.items(), reverse=bids))

    def best(self, side: int) -> int | None:
        if self.unified and side in (NO_BID, NO_ASK):
            mirrored = self.ladders[YES_ASK if side == NO_BID else YES_BID].best
            return None if mirrored is None else MICRO - mirrored
        return self.ladders[side].best

    def drain_changes(self) -> tuple[Change, ...]:
        """Level totals that changed since the last call, as the public sees them."""
        changes, self._changes = self._changes, {}
        return tuple((side, price, total) for (side, price), total in changes.items())

    def refusal(self, request: OrderRequest) -> RefusedOrder | None:
        """What the market's own rules have against the order, weather and accounts aside."""
        market = self.market
        if not 0 < request.price < MICRO:
            return RefusedOrder(Refusal.PRICE_RANGE, "a price lies strictly between 0 and 1")
        if not market.on_grid(request.price):
            return RefusedOrder(Refusal.OFF_TICK, "the price is not on the market's tick grid")
        if request.size <= 0 or request.size % market.lot:
            return RefusedOrder(Refusal.OFF_LOT, "the size is not a positive whole number of lots")
        if request.size < market.min_size:
            return RefusedOrder(Refusal.BELOW_MIN_SIZE, "the size is below the market's minimum")
        if request.price * request.size < market.min_notional * MICRO:
            return RefusedOrder(Refusal.BELOW_MIN_NOTIONAL, "price x size is below the market's minimum")
        return None

    def _note(self, side: int, price: int, total: int) -> None:
        self._changes[side, price] = total
        if self.unified:
            self._changes[MIRROR[side], MICRO - price] = total
