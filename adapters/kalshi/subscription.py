"""One channel's subscription: its number and the sequence of its frames. Pure.

`seq` counts per subscription over all its markets and all its frames, `ok`, `unsubscribed` and `error` included
(kalshi.md 8.5, read 2026-11-22). Whether the first is 1 is not certain, so whatever comes first is the baseline.
"""

from __future__ import annotations

import enum


class Step(enum.Enum):
    NEXT = "next"
    DUPLICATE = "duplicate"
    GAP = "gap"
    """Frames are missing, or the count went back."""
    FOREIGN = "foreign"
    """Not of this subscription: an earlier one's, or one that was given up."""


class Subscription:
    __slots__ = ("_ended", "_last", "channel", "sid")

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.sid: int | None = None
        self._last: int | None = None
        self._ended = False

    @property
    def live(self) -> bool:
        """Confirmed by the venue, or carrying frames."""
        return self.sid is not None

    def begin(self, sid: int) -> None:
        self.sid = sid
        self._last = None
        self._ended = False

    def end(self) -> None:
        """Given up: nothing more counts until `begin`."""
        self.sid = None
        self._ended = True

    def follow(self, sid: int, seq: int | None) -> Step:
        """What a frame's number means. A GAP leaves the subscription where the frame is."""
        if self.sid is None and not self._ended:  # a recording may begin in the middle
            self.sid = sid
        if sid != self.sid:
            return Step.FOREIGN
        last = self._last
        if seq is None:
            return Step.NEXT
        self._last = seq
        if last is None or seq == last + 1:
            return Step.NEXT
        return Step.DUPLICATE if seq == last else Step.GAP


class SessionCounts:
    """What the frames of one connection contained. Each counts at most once in `unknown` and once in `failed`."""

    __slots__ = ("duplicates", "early", "failed", "foreign", "frames", "gaps", "refused", "subscribed", "unknown")

    def __init__(self) -> None:
        self.frames = 0
        self.unknown = 0
        self.failed = 0
        self.foreign = 0
        """Frames of other subscriptions, and of markets that nobody asked for."""
        self.duplicates = 0
        self.gaps = 0
        self.early = 0
        """Changes of a market whose snapshot has not come yet."""
        self.refused = 0
        """Error replies."""
        self.subscribed = 0
