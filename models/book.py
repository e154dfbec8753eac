"""What venues say about one market's order book, and the top of it that everybody else sees. All values.

`models/book_keeping.py` keeps the book itself. What travels on the hot path is a msgspec struct rather than a
dataclass: it is as frozen, and building one costs a fifth of the time. Prices and sizes are the plain integers of
`money`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

import msgspec

from models.clock import BootNs
from models.market import MarketId, MarketStatus, Outcome

YES_BID: Final = 0
YES_ASK: Final = 1
NO_BID: Final = 2
NO_ASK: Final = 3

Change = tuple[int, int, int]
"""(side, price, size): side is one of the four constants above, price in micro-dollars, size in micro-shares.

The size is the level's new total (0 removes it), or a signed difference in a relative update.
"""
Claims = tuple[int | None, int | None, int | None, int | None]
"""The venue's own best price of each side, in the order of the constants above: None for an empty side, `UNSAID` where
it says nothing of the side."""
UNSAID: Final = -1
Levels = tuple[tuple[int, int], ...]
"""(price, size) pairs of one side in any order; consumers sort or take max/min, never trust the wire's order."""


class NotReady(enum.StrEnum):
    """Why a book may not be used. One word per cause; the ledger, the console and the report use the same words."""

    NO_SNAPSHOT = "no_snapshot"
    FEED_DOWN = "feed_down"
    GAP = "gap"
    BAD_FRAME = "bad_frame"
    BAD_LEVEL = "bad_level"
    TICK_CHANGE = "tick_change"
    SILENT = "silent"
    LAGGING = "lagging"
    OVERFLOW = "overflow"
    PAUSED = "paused"
    RESOLVED = "resolved"


class Source(enum.StrEnum):
    STREAM = "stream"
    REST = "rest"


class BookSnapshot(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The whole book of one outcome (Polymarket stream) or of both (everything else). Replaces, never merges."""

    market_id: MarketId
    generation: int
    """Connection that it belongs to. REST snapshots carry the generation that was live when they were asked for."""
    yes_bids: Levels | None = None
    yes_asks: Levels | None = None
    no_bids: Levels | None = None
    no_asks: Levels | None = None
    """A pair of None means that this snapshot says nothing about the outcome; an empty tuple means an empty side."""
    seq: int | None = None
    exchange_ms: int | None = None
    received_at: BootNs
    lag_ms: int | None = None
    source: Source = Source.STREAM
    asked_at: BootNs | None = None
    """When a REST answer was asked for (the snapshot lane stamps it): one that was asked for before the book's loss may
    be from before it. None where nobody knows (a tape).
    """
    status: MarketStatus | None = None
    """What a REST answer said of the market itself: the stream's word on it may have been lost. None: nothing."""


class BookUpdate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """All changes that one frame brought for one market, applied before anything is evaluated."""

    market_id: MarketId
    generation: int
    changes: tuple[Change, ...]
    relative: bool = False
    whole: bool = True
    """The frame speaks for both outcomes (both legs are then as of `exchange_ms`); False: only for those it changes."""
    seq: int | None = None
    """Per-market sequence number, consecutive; None where the venue has none or its session has checked it already."""
    exchange_ms: int | None = None
    received_at: BootNs
    lag_ms: int | None = None
    """Receive time minus exchange time, corrected by the clock offset measured at connect. None: not measurable."""
    claimed: Claims | None = None
    """What the venue says its best prices are after these changes."""


class MarketAlive(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Evidence that nothing was missed: the venue names its current sequence number (or the stream's own is
    unbroken).
    """

    market_id: MarketId
    generation: int
    seq: int | None = None
    exchange_ms: int | None = None
    received_at: BootNs
    lag_ms: int | None = None
    """As in `BookUpdate`. None leaves the book's lag as its last frame measured it."""


class MarketsAlive(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The same of many markets at once. Which books are told of it, and when, is up to `models.proofs`."""

    generation: int
    seqs: Mapping[MarketId, int | None]
    """The current sequence number of each, as in `MarketAlive`."""
    received_at: BootNs
    lag_ms: int | None = None

    def of(self, market_id: MarketId) -> MarketAlive:
        return MarketAlive(
            market_id=market_id,
            generation=self.generation,
            seq=self.seqs[market_id],
            received_at=self.received_at,
            lag_ms=self.lag_ms,
        )


class BookLost(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Something outside the book proves it wrong: a sequence gap of its subscription, a frame that could not be read,
    silence.
    """

    market_id: MarketId
    generation: int
    reason: NotReady
    received_at: BootNs


class TopOfBook(msgspec.Struct, frozen=True, gc=False):
    """Best prices and sizes of both outcomes at one moment, with everything that decides whether they may be trusted.

    A None price is an empty side. Times: `*_as_of_ms` is the exchange's clock for that outcome, `evidence_at` is the
    last proof (frame, heartbeat or matching snapshot) that the book was still current.
    """

    market_id: MarketId
    version: int
    """Counts published tops of this book; two tops with one version are the same top."""
    generation: int
    seq: int | None
    not_ready: NotReady | None
    yes_bid: int | None
    yes_bid_size: int
    yes_ask: int | None
    yes_ask_size: int
    no_bid: int | None
    no_bid_size: int
    no_ask: int | None
    no_ask_size: int
    yes_as_of_ms: int | None
    no_as_of_ms: int | None
    received_at: BootNs
    evidence_at: BootNs
    lag_ms: int | None
    intact: bool
    """On a unified book the two outcomes mirror each other, and the venue's own best prices agree with ours."""
    confirmed: bool
    """No best price has moved since a snapshot of both outcomes."""
    yes_asks: Levels = ()
    no_asks: Levels = ()
    """Ask ladders, best first, only where depth is published (sizing by depth)."""

    def ask(self, outcome: Outcome) -> int | None:
        return self.yes_ask if outcome is Outcome.YES else self.no_ask

    def ask_size(self, outcome: Outcome) -> int:
        return self.yes_ask_size if outcome is Outcome.YES else self.no_ask_size

    def bid(self, outcome: Outcome) -> int | None:
        return self.yes_bid if outcome is Outcome.YES else self.no_bid

    def bid_size(self, outcome: Outcome) -> int:
        return self.yes_bid_size if outcome is Outcome.YES else self.no_bid_size

    def asks(self, outcome: Outcome) -> Levels:
        return self.yes_asks if outcome is Outcome.YES else self.no_asks

    def ladder(self, outcome: Outcome) -> Levels:
        """The published asks, or the best one alone where depth is not published; empty for an empty side."""
        ask = self.ask(outcome)
        return self.asks(outcome) or (() if ask is None else ((ask, self.ask_size(outcome)),))

    def as_of_ms(self, outcome: Outcome) -> int | None:
        return self.yes_as_of_ms if outcome is Outcome.YES else self.no_as_of_ms

    @property
    def crossed(self) -> bool:
        """A bid at or above the ask of the same outcome: impossible at rest, so the data is in between two states."""
        yes = self.yes_bid is not None and self.yes_ask is not None and self.yes_bid >= self.yes_ask
        return yes or (self.no_bid is not None and self.no_ask is not None and self.no_bid >= self.no_ask)
