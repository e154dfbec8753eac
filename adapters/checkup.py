"""What the checks of all venues have in common: the names of what is looked at, and how a clock is compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from adapters.venue import VenueReadError, VenueReadRefusedError
from models.checkup import Check, fine, unreachable, wrong
from models.clock import MS, Clock
from models.money import MICRO, MicroUsd

KEYS: Final = "keys"
SIGNING: Final = "signing"
CLOCK: Final = "clock"
API_KEY: Final = "API key"
ACCOUNT: Final = "account"
FUNDS: Final = "funds"

TIME_GRAIN_MS: Final = 500
"""Venues tell whole seconds, and so does HTTP."""
LOWEST_FUNDS: Final = MicroUsd(MICRO)


def compared_clocks(clock: Clock, venue_ms: Callable[[], int], max_skew_ms: int) -> Check:
    """`venue_ms` asks the venue, and raises as every question does."""
    before = clock.wall_ns()
    told_ms = venue_ms()
    skew_ms = (before + clock.wall_ns()) // 2 // MS - told_ms
    if abs(skew_ms) > max_skew_ms + TIME_GRAIN_MS:
        direction = "ahead of" if skew_ms > 0 else "behind"
        return wrong(
            CLOCK,
            f"this machine's clock is {abs(skew_ms) / 1000:.1f} s {direction} the venue's",
            "set it by NTP (for example: timedatectl set-ntp true)",
        )
    return fine(CLOCK, f"within {max(abs(skew_ms), TIME_GRAIN_MS) / 1000:.1f} s of the venue's")


def asked(name: str, ask: Callable[[], Check], refused: Callable[[str, str], Check]) -> Check:
    """What came of a question; `refused` makes of the venue's no, by name and words, what an operator can do."""
    try:
        return ask()
    except VenueReadRefusedError as error:
        return refused(name, str(error))
    except VenueReadError as error:
        return unreachable(name, f"the venue could not be asked ({error})")
