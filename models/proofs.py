"""Which books are told of a heartbeat that names them all.

A heartbeat in sequence changes nothing but how old a book's evidence is, and nobody decides by the second: each of
thousands of quiet markets would be told what it knows. A hole in the sequence is not decided here, it is an event of
its own (`MarketAlive`, `BookLost`) and goes to its book at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from models.book import MarketAlive, MarketsAlive
from models.market import MarketId

TURNS: Final = 16


class Proofs:
    """Of one connection. Owned by the thread that reads it."""

    __slots__ = ("_behind", "_due_at", "_every_ns", "_max_lag_ms", "_turns")

    def __init__(self, every_ns: int, always: Iterable[MarketId], others: Sequence[MarketId], max_lag_ms: int) -> None:
        """`always` are told of each heartbeat, `others` once in `every_ns`, in turns, so that no heartbeat is a burst.
        Beyond `max_lag_ms` nothing may be decided: that, and its end, is told to all at once.
        """
        self._turns = [tuple(always), *(tuple(others[turn::TURNS]) for turn in range(TURNS))]
        self._every_ns = [0, *[every_ns] * TURNS]
        self._due_at: list[int] = []
        self._max_lag_ms = max_lag_ms
        self._behind = False

    def told_by(self, alive: MarketsAlive) -> list[MarketAlive]:
        """What `alive` says to the books whose turn it is."""
        now, seqs = alive.received_at, alive.seqs
        if not self._due_at:
            self._due_at = [now + every_ns * turn // TURNS for turn, every_ns in enumerate(self._every_ns)]
        behind = alive.lag_ms is not None and alive.lag_ms > self._max_lag_ms
        everybody = behind or self._behind
        self._behind = behind
        told: list[MarketAlive] = []
        for turn, markets in enumerate(self._turns):
            if everybody or self._due_at[turn] <= now:
                self._due_at[turn] = now + self._every_ns[turn]
                told += [alive.of(market_id) for market_id in markets if market_id in seqs]
        return told
