"""How far behind the exchange we are, from its timestamps alone.

The venue's clock and ours differ by an unknown offset, so the fastest delivery seen lately stands for "not behind": lag
is what a frame took beyond that until it was handled. When it was received is known only from below (of a backlog: the
last time that nothing waited); by that instant what waited would look fast, and every frame after it slow.

A backlog (ours, the network's or the venue's) shows as a growing lag whatever the offset is; a delay that never changes
cannot be seen this way and is left to the venue's own time endpoint.
"""

from __future__ import annotations

from typing import Final

from models.clock import MS, BootNs, Clock

WINDOW_MS: Final = 10 * 60_000
"""The fastest delivery is remembered for one to two windows, so that drifting clocks do not look like a backlog."""


class LagMeter:
    """One connection's lag. Owned by the thread that reads it."""

    __slots__ = ("_clock", "_earlier", "_fastest", "_window_ends")

    def __init__(self, clock: Clock | None = None) -> None:
        """`clock` says when a frame is handled; without one, as on a tape, it is handled when it is received."""
        self._clock = clock
        self._fastest: int | None = None
        self._earlier: int | None = None
        self._window_ends = 0

    def lag_ms(self, received_at: BootNs, exchange_ms: int) -> int:
        """Milliseconds beyond the fastest recent delivery, never negative. Call once per frame, in order of receipt."""
        handled_ms = (received_at if self._clock is None else self._clock.boot_ns()) // MS
        delay = handled_ms - exchange_ms
        if handled_ms >= self._window_ends:
            self._earlier, self._fastest = self._fastest, delay
            self._window_ends = handled_ms + WINDOW_MS
        elif self._fastest is None or delay < self._fastest:
            self._fastest = delay
        fastest = self._fastest
        if self._earlier is not None and self._earlier < fastest:
            fastest = self._earlier
        return delay - fastest if delay > fastest else 0
