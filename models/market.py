"""Markets, outcomes and price grids: what a venue says about a contract before any order book exists.

The ids of all venues of one bot share one namespace (`0x...`, `KX...`, `fed-cut-dec` do not clash); the system refuses
to start where two markets claim one id, so `MarketId` alone names a market everywhere.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NewType

from models.fees import FeeSchedule
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros

VenueName = NewType("VenueName", str)
MarketId = NewType("MarketId", str)
SetId = NewType("SetId", str)


class Outcome(enum.StrEnum):
    """The two contracts of a binary market: YES pays one dollar if the event happens, NO if it does not."""

    YES = "YES"
    NO = "NO"

    @property
    def other(self) -> Outcome:
        return Outcome.NO if self is Outcome.YES else Outcome.YES


class Action(enum.StrEnum):
    """BUY opens or completes a set, SELL unwinds."""

    BUY = "BUY"
    SELL = "SELL"


class BookModel(enum.StrEnum):
    """Whether a NO bid is a YES ask.

    On a UNIFIED book (Polymarket, Kalshi) YES ask + NO ask = 1 + spread at every matched instant, so a gap inside one
    market is a data fault until a fresh snapshot says otherwise. On SEPARATE books each outcome has its own orders.
    """

    UNIFIED = "unified"
    SEPARATE = "separate"


class MarketStatus(enum.StrEnum):
    """Only OPEN may be traded; every other status is weather that the signal skips with its own reason.

    OFF_GRID is our own word: the venue has changed the price grid since its catalog was read, and with it what orders
    are judged by (prices, on Polymarket lots too). Nothing new is opened until the old grid is back or the bot starts
    again; what is half-filled is mended at the prices that the book shows.
    """

    OPEN = "open"
    PAUSED = "paused"
    POST_ONLY = "post_only"
    CLOSED = "closed"
    RESOLVED = "resolved"
    OFF_GRID = "off_grid"


@dataclass(frozen=True, slots=True)
class PriceBand:
    """Prices from `start` to `end` (both in micro-dollars, inclusive) lie on multiples of `step` above `start`."""

    start: PriceMicros
    end: PriceMicros
    step: PriceMicros


def linear_grid(tick: PriceMicros) -> tuple[PriceBand, ...]:
    """One band over the whole range, the usual case."""
    return (PriceBand(PriceMicros(0), PriceMicros(MICRO), tick),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One binary market as its venue's catalog describes it."""

    venue: VenueName
    market_id: MarketId
    title: str
    yes_instrument: str
    """The venue's own id of the YES contract (Polymarket: token id). Opaque outside the venue's adapter."""
    no_instrument: str
    price_bands: tuple[PriceBand, ...]
    lot: MicroShares
    """Sizes are whole multiples of this."""
    min_size: MicroShares
    min_notional: MicroUsd
    """Smallest price x size of an order that takes liquidity; 0 where the venue has no such rule."""
    fees: FeeSchedule
    book_model: BookModel
    closes_at_ms: int | None
    """Scheduled end of trading, ms since 1970 UTC; None where the venue does not say."""
    event_id: str | None = None
    mutually_exclusive: bool = False
    """At most one market of `event_id` resolves YES (Kalshi MECNET, Polymarket neg-risk). Not the same as
    exhaustive.
    """
    min_take: MicroShares | None = None
    """Smallest size of an order that takes, where that is less than `min_size`; what is left of a half-filled set may
    be as small. None: `min_size` counts for every order.
    """

    sale_lot: MicroShares | None = None
    """Sizes of sales are whole multiples of this, where it is finer than `lot`."""

    @property
    def least_take(self) -> MicroShares:
        return self.min_size if self.min_take is None else self.min_take

    def lot_of(self, action: Action) -> MicroShares:
        return self.sale_lot if action is Action.SELL and self.sale_lot is not None else self.lot

    def instrument(self, outcome: Outcome) -> str:
        return self.yes_instrument if outcome is Outcome.YES else self.no_instrument

    def on_grid(self, price: PriceMicros) -> bool:
        """Whether an order at `price` lies on the venue's tick grid, strictly inside (0, 1)."""
        if not 0 < price < MICRO:
            return False
        return any(b.start <= price <= b.end and (price - b.start) % b.step == 0 for b in self.price_bands)

    def has_tick(self, tick: int) -> bool:
        """Whether `tick` over the whole range is the grid that the catalog gave."""
        return self.price_bands == linear_grid(PriceMicros(tick))

    def tick_at(self, price: PriceMicros) -> PriceMicros:
        """The step of the band that holds `price`; the finest one where bands meet."""
        steps = [b.step for b in self.price_bands if b.start <= price <= b.end]
        return min(steps) if steps else min(b.step for b in self.price_bands)

    def price_rounded_down(self, price: PriceMicros) -> PriceMicros | None:
        """The highest grid price at or below `price` (a BUY limit never pays more), None where there is none."""
        price = min(price, PriceMicros(MICRO - 1))
        candidates = [
            b.start + (min(price, b.end) - b.start) // b.step * b.step for b in self.price_bands if price >= b.start
        ]
        best = max((c for c in candidates if 0 < c < MICRO), default=None)
        return None if best is None else PriceMicros(best)

    def price_rounded_up(self, price: PriceMicros) -> PriceMicros | None:
        """The lowest grid price at or above `price` (a SELL limit never takes less), None where there is none."""
        price = max(price, PriceMicros(1))
        candidates = []
        for band in self.price_bands:
            if price <= band.end:
                above = max(price, band.start) - band.start
                candidate = band.start + -(-above // band.step) * band.step
                if candidate <= band.end:
                    candidates.append(candidate)
        best = min((c for c in candidates if 0 < c < MICRO), default=None)
        return None if best is None else PriceMicros(best)
