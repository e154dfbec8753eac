"""May this account trade from here? Asked of the venue, answered no wherever the answer is not a clear yes.

Two questions (polymarket.md 14, read 2026-11-22): is this place blocked (`/api/geoblock`, by the caller's address), and
is the account restricted to closing positions (`/auth/ban-status/closed-only`). There is no way around either here, and
none is wanted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapters.polymarket.order_wire import Geoblock
from adapters.venue import VenueReadError, VenueReadRefusedError
from models.clock import SECOND, BootNs, Clock
from models.hostile import clean

VALID_NS: Final = 15 * 60 * SECOND
"""How long a yes counts for opening orders."""
RENEW_NS: Final = 4 * 60 * SECOND
"""A yes older than this is asked for again by whichever read comes next."""


@dataclass(frozen=True, slots=True)
class Ineligible:
    code: str
    """`geoblocked`, `closed_only`, or `unknown` where the venue could not be asked."""
    text: str


class Eligibility:
    """The answer, kept for a while. Any thread; a question is asked by one thread at a time."""

    def __init__(self, clock: Clock, geoblock: Callable[[], Geoblock], closed_only: Callable[[], bool]) -> None:
        self._clock = clock
        self._geoblock = geoblock
        self._closed_only = closed_only
        self._asking = threading.Lock()
        self._confirmed: BootNs | None = None

    def problem(self) -> Ineligible | None:
        """Why nothing may be opened now, None where it may. Asks the venue where its last yes is too old."""
        if self._age_ns() < VALID_NS:
            return None
        return self.ask()

    def renew(self) -> None:
        """Ask again before the last yes is too old. What goes wrong shows in `problem` later."""
        if self._age_ns() >= RENEW_NS:
            self.ask()

    def ask(self) -> Ineligible | None:
        with self._asking:
            found = self._ask()
            self._confirmed = self._clock.boot_ns() if found is None else None
            return found

    def _ask(self) -> Ineligible | None:
        try:
            here = self._geoblock()
            if here.blocked:
                place = clean("-".join(part for part in (here.country, here.region) if part), 40) or "this place"
                return Ineligible("geoblocked", f"the venue does not take orders from {place}")
            if self._closed_only():
                return Ineligible("closed_only", "the account may only close positions")
        except (VenueReadError, VenueReadRefusedError) as error:
            return Ineligible("unknown", f"the venue did not say whether this account may trade from here ({error})")
        return None

    def _age_ns(self) -> int:
        return VALID_NS if self._confirmed is None else self._clock.boot_ns() - self._confirmed
