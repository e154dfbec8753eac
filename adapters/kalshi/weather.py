"""Does the exchange trade now? Asked of the venue, answered no wherever the answer is not a clear yes.

There is a pause every Thursday morning, pauses of single shards, and unforeseen ones (kalshi.md 10.4 and 5, read
2026-11-22). A refusal says it, too; this keeps an opening order from being sent into a known pause, or by a bot that
cannot tell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapters.kalshi.rest import ExchangeStatus
from adapters.venue import VenueReadError, VenueReadRefusedError
from models.clock import SECOND, BootNs, Clock

VALID_NS: Final = 60 * SECOND
"""How long a yes counts for opening orders."""
NO_VALID_NS: Final = 5 * SECOND
"""And a no: pauses end, too."""
RENEW_NS: Final = 20 * SECOND
"""A yes older than this is asked for again by whichever read comes next."""


@dataclass(frozen=True, slots=True)
class Pause:
    code: str
    """`paused`, or `unknown` where the venue could not be asked."""
    text: str


class Weather:
    """The venue's own word, kept for a while. Any thread; the question is asked by one thread at a time."""

    def __init__(self, clock: Clock, read: Callable[[], ExchangeStatus]) -> None:
        self._clock = clock
        self._read = read
        self._asking = threading.Lock()
        self._status: ExchangeStatus | None = None
        self._asked_at: BootNs | None = None

    def problem(self, shard: int) -> Pause | None:
        """Why nothing may be opened on a shard now, None where it may. Asks where the last word is too old."""
        status = self._status
        if self._age_ns() >= (VALID_NS if status is not None and status.trades(shard) else NO_VALID_NS):
            self.ask()
        status = self._status
        if status is None:
            return Pause("unknown", "the venue does not say whether it trades")
        return None if status.trades(shard) else Pause("paused", f"the exchange does not trade on shard {shard} now")

    def renew(self) -> None:
        """Ask again before the last word is too old. What goes wrong shows in `problem` later."""
        if self._age_ns() >= RENEW_NS:
            self.ask()

    def doubt(self) -> None:
        """A refusal has said that trading is paused: the last word does not count any more."""
        self._asked_at = None

    def ask(self) -> None:
        with self._asking:
            try:
                self._status = self._read()
            except (VenueReadError, VenueReadRefusedError):
                self._status = None
            self._asked_at = None if self._status is None else self._clock.boot_ns()

    def _age_ns(self) -> int:
        return VALID_NS if self._asked_at is None else self._clock.boot_ns() - self._asked_at
