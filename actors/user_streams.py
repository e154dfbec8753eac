"""Which user streams are up. While one is down fills are missed, so nothing may be opened for long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from models.clock import SECOND, BootNs
from models.messages import StreamChanged

STREAM_GRACE_NS: Final = 5 * SECOND
"""A user stream that is down for longer stops openings."""


class UserStreams:
    def __init__(self, names: Sequence[str], now: BootNs) -> None:
        """All of them are down until they say otherwise."""
        self._down: dict[str, BootNs] = dict.fromkeys(names, now)

    @property
    def down(self) -> tuple[str, ...]:
        return tuple(sorted(self._down))

    def note(self, message: StreamChanged) -> bool:
        """True where a stream has come up."""
        if message.up:
            self._down.pop(message.feed, None)
        else:
            self._down.setdefault(message.feed, message.at)
        return message.up

    def overdue(self, now: BootNs) -> bool:
        return any(now - since > STREAM_GRACE_NS for since in self._down.values())

    def awaited(self, now: BootNs) -> bool:
        """One is down that may come up at any moment."""
        return any(now - since <= STREAM_GRACE_NS for since in self._down.values())
