"""What a subscription needs by time: a sign of life, its missing books, a new start, and the exchange's clock. Pure.

After two seconds without a frame one book is asked for: its snapshot has a sequence number, so silence and loss can be
told apart. A subscription that says nothing for ten seconds is dead, although its socket may live (P08).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from models.clock import MS, SECOND, BootNs
from models.market import MarketId

QUIET_NS: Final = 2 * SECOND
PATIENCE_NS: Final = 10 * SECOND
AGAIN_NS: Final = SECOND
"""Least time between two subscriptions."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be done now."""

    ask: tuple[MarketId, ...] = ()
    """Markets whose books are asked for."""
    dead: bool = False


NOTHING: Final = Look()


class Upkeep:
    """Owned by the session. `active` False: nothing is ever asked for (a recording)."""

    def __init__(self, market_ids: Iterable[MarketId], *, active: bool) -> None:
        self._all = tuple(market_ids)
        self._active = active
        self.synced: dict[MarketId, None] = {}
        """Markets whose snapshot has come, the longest unasked first."""
        self._now: BootNs | None = None
        self._heard_at = BootNs(0)
        self._quiet_at = BootNs(0)
        self._missing_at: BootNs | None = None
        """When books that have not come are asked for."""
        self._subscribed_at = BootNs(0)
        self._again_at: BootNs | None = None
        self._exchange: tuple[int, BootNs] | None = None

    # -- what happened

    def tick(self, now: BootNs) -> None:
        """Some frame came. The first tells what time it is."""
        if self._now is None:
            self._heard_at = self._subscribed_at = now
            self._quiet_at = BootNs(now + QUIET_NS)
            self._missing_at = BootNs(now + PATIENCE_NS)
        self._now = now if self._now is None else max(self._now, now)

    def heard(self, at: BootNs) -> None:
        """A book frame in sequence."""
        self._heard_at = at
        self._quiet_at = BootNs(at + QUIET_NS)

    def told_time(self, exchange_ms: int, at: BootNs) -> None:
        self._exchange = (exchange_ms, at)

    def begun(self, at: BootNs) -> None:
        """The venue has confirmed a new subscription; its snapshots are on their way."""
        self.synced.clear()
        self._again_at = None
        self._heard_at = at
        self._missing_at = BootNs(at + PATIENCE_NS)

    def synced_now(self, market_id: MarketId) -> None:
        self.synced.pop(market_id, None)
        self.synced[market_id] = None
        if len(self.synced) == len(self._all):
            self._missing_at = None

    def unsynced(self, market_id: MarketId) -> None:
        self.synced.pop(market_id, None)
        if self._now is not None:
            self._missing_at = BootNs(self._now + PATIENCE_NS)

    def lost(self, at: BootNs) -> None:
        """Every book is void, and the subscription is to be made anew."""
        self.synced.clear()
        if self._again_at is None:
            self._again_at = max(at, BootNs(self._subscribed_at + AGAIN_NS))

    # -- what is to be done

    def due(self) -> BootNs | None:
        if not self._active:
            return None
        if self._now is None:
            return BootNs(0)
        if self._again_at is not None:
            return self._again_at
        due = min(self._quiet_at, BootNs(self._heard_at + PATIENCE_NS))
        return due if self._missing_at is None else min(due, self._missing_at)

    def look(self, now: BootNs) -> Look:
        self.tick(now)
        if not self._active or self._again_at is not None:
            return NOTHING
        if now >= self._heard_at + PATIENCE_NS:
            self._heard_at = now
            return Look(dead=True)
        ask: list[MarketId] = []
        if self._missing_at is not None and now >= self._missing_at:
            self._missing_at = BootNs(now + PATIENCE_NS)
            ask = [market_id for market_id in self._all if market_id not in self.synced]
        if now >= self._quiet_at:
            self._quiet_at = BootNs(now + QUIET_NS)
            ask += list(self.synced)[:1]
        return Look(ask=tuple(ask)) if ask else NOTHING

    def subscribe_now(self) -> bool:
        """Whether the new subscription is due; True once."""
        if not self._active or self._again_at is None or self._now is None or self._now < self._again_at:
            return False
        self._again_at = None
        self._subscribed_at = self._heard_at = self._now
        self._quiet_at = BootNs(self._now + QUIET_NS)
        self._missing_at = BootNs(self._now + PATIENCE_NS)
        return True

    # -- the exchange's clock

    def exchange_ms(self, now: BootNs) -> int:
        """The exchange's time now, from the newest that it has told. Call only where `boot_at` gave a time."""
        assert self._exchange is not None, "nobody has told a time"
        told_ms, at = self._exchange
        return told_ms + max(0, now - at) // MS

    def boot_at(self, exchange_ms: int) -> BootNs | None:
        """Our time at an exchange time; None while none has been told."""
        if self._exchange is None:
            return None
        told_ms, at = self._exchange
        return BootNs(at + max(0, exchange_ms - told_ms) * MS)
