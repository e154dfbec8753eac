"""Frames by the hundred thousand: a loop of changes, computed and encoded beforehand, for load tests.

Every market goes round a cycle of changes that ends where it began, so that the book is known at every frame without
the engine: sizes change, and on separate books exactly one frame of each cycle opens a gap, which the next one closes.
The truth counts the gaps that were really sent. Orders are not for load tests.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from adapters.simulated import dialect, wire
from adapters.simulated.exchange import InProcessExchange
from adapters.simulated.hub import Hub
from adapters.simulated.listing import Listing
from adapters.simulated.sockets import text_header
from models.book import NO_ASK, NO_BID, YES_ASK, YES_BID, Change
from models.clock import MS, SECOND
from models.market import MarketId
from models.money import MICRO, text

CYCLE: Final = 500
"""Frames of one market until its book is as it was."""
SLICE_S: Final = 0.005
GAP_TICKS: Final = 4
"""How far the best YES ask falls: past the spread of two ticks, a gap of two ticks is left."""
GAP_SHARES: Final = 100


@dataclass(slots=True)
class _Cycle:
    """One market's round of changes."""

    market_id: MarketId
    head: bytes
    """The frame up to its sequence number."""
    tails: list[bytes]
    """From after the time to the end, one per change."""
    changes: list[tuple[Change, ...]]
    levels: list[dict[int, int]]
    """The book at the start of a round, by side."""
    gap_at: int | None
    """Which change opens the gap."""
    seq: int = 0
    gaps: int = 0


@dataclass(slots=True)
class LoadLoop:
    """Sends `rate` frames a second, all markets in turn, to whoever is subscribed."""

    hub: Hub
    exchange: InProcessExchange
    rate: int
    cycles: list[_Cycle] = field(default_factory=list)
    sent: int = 0
    behind: int = 0
    """Frames that were due but left out, because this machine was too slow to make them."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        chance = random.Random(f"{self.exchange.setup.seed}/load")
        self.cycles = [_cycle(listing, chance) for listing in self.exchange.engine.listings.values()]
        self.exchange.streams.load = self
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2.0)

    def truth(self) -> dict[str, object]:
        return {
            "rate": self.rate,
            "frames": self.sent,
            "left_out": self.behind,
            "gaps": {cycle.market_id: cycle.gaps for cycle in self.cycles},
        }

    def snapshot(self, market_id: MarketId, now: int) -> wire.Snapshot:
        """The book after the last frame sent, by going round from the start of the cycle."""
        cycle = next(cycle for cycle in self.cycles if cycle.market_id == market_id)
        levels = [dict(side) for side in cycle.levels]
        for changes in cycle.changes[: cycle.seq % CYCLE]:
            for side, price, size in changes:
                levels[side][price] = size
        sides = [
            tuple((text(p), text(s, 0)) for p, s in sorted(side.items(), reverse=index in (YES_BID, NO_BID)) if s)
            for index, side in enumerate(levels)
        ]
        status = self.exchange.engine.listings[market_id].status.value
        yes, no = wire.Side(sides[YES_BID], sides[YES_ASK]), wire.Side(sides[NO_BID], sides[NO_ASK])
        return wire.Snapshot(market_id, cycle.seq, now // MS, status, yes, no)

    def _run(self) -> None:
        began = time.monotonic_ns()
        while not self._stop.wait(SLICE_S):
            due = (time.monotonic_ns() - began) * self.rate // SECOND
            count = due - self.sent - self.behind
            if count > 0:
                now_count = min(count, max(1, self.rate // 20))
                self.behind += count - now_count
                self.hub.call(partial(self._send, now_count))

    def _send(self, count: int, exchange: InProcessExchange, now: int) -> None:
        """Make `count` frames and queue them; called with the hub's lock held."""
        subscribers = exchange.streams.subscribers()
        ts = b',"ts":%d' % (now // MS)
        made: list[tuple[MarketId, bytes]] = []
        cycles = self.cycles
        turn = self.sent
        for number in range(turn, turn + count):
            cycle = cycles[number % len(cycles)]
            place = cycle.seq % CYCLE
            cycle.seq += 1
            frame = b"%b%d%b%b" % (cycle.head, cycle.seq, ts, cycle.tails[place])
            made.append((cycle.market_id, text_header(len(frame)) + frame))
            if place == cycle.gap_at:
                cycle.gaps += 1
        self.sent += count
        for cycle in cycles:
            exchange.streams.note_sent(cycle.market_id, cycle.seq)
        everything = b"".join([frame for _, frame in made])
        for connection, markets in subscribers:
            wanted = set(markets)
            some = len(wanted) < len(cycles)
            frames = b"".join([frame for market_id, frame in made if market_id in wanted]) if some else everything
            self.hub.send_raw(connection, frames)


def _cycle(listing: Listing, chance: random.Random) -> _Cycle:
    sides = (YES_BID, YES_ASK, NO_BID, NO_ASK)
    levels = [dict(listing.levels(side)) for side in sides]
    there, back = _sizes(listing, levels, chance)
    gap = () if listing.unified else _gap(listing, levels)
    changes = [*there, *gap, *back]
    gap_at = len(there) if gap else None
    frames = [wire.encode(dialect.delta(listing.market.market_id, 0, 0, change)) for change in changes]
    market_id = listing.market.market_id
    head = b'{"type":"delta","market_id":' + msgspec.json.encode(market_id) + b',"seq":'
    tails = [b',"changes":' + frame.partition(b',"changes":')[2] for frame in frames]
    return _Cycle(market_id, head, tails, changes, levels, gap_at)


def _sizes(
    listing: Listing, levels: Sequence[dict[int, int]], chance: random.Random
) -> tuple[list[tuple[Change, ...]], list[tuple[Change, ...]]]:
    """Changes of sizes below the best levels, and as many that undo them; with a gap's two they make a round."""
    there: list[tuple[Change, ...]] = []
    back: list[tuple[Change, ...]] = []
    sides = (YES_BID, YES_ASK) if listing.unified else (YES_BID, YES_ASK, NO_BID, NO_ASK)
    for _ in range(CYCLE // 2 - (0 if listing.unified else 1)):
        side = chance.choice(sides)
        price = chance.choice(sorted(levels[side], reverse=side in (YES_BID, NO_BID))[GAP_TICKS:])
        there.append(_mirrored(listing, side, price, chance.randrange(40, 400) * MICRO))
        back.append(_mirrored(listing, side, price, levels[side][price]))
    return there, back


def _mirrored(listing: Listing, side: int, price: int, size: int) -> tuple[Change, ...]:
    if not listing.unified:
        return ((side, price, size),)
    other = NO_ASK if side == YES_BID else NO_BID
    return ((side, price, size), (other, MICRO - price, size))


def _gap(listing: Listing, levels: Sequence[dict[int, int]]) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """Two frames: the YES bids in the way go and a low YES ask comes; then all of it is undone."""
    low = min(levels[YES_ASK]) - GAP_TICKS * listing.market.price_bands[0].step
    in_the_way = [(price, size) for price, size in levels[YES_BID].items() if price >= low]
    opens = (*((YES_BID, price, 0) for price, _ in in_the_way), (YES_ASK, low, GAP_SHARES * MICRO))
    closes = (*((YES_BID, price, size) for price, size in in_the_way), (YES_ASK, low, 0))
    return opens, closes
