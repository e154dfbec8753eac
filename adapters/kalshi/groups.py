"""Order groups: the venue's own brake on what this process opens.

Contracts that a group's orders match in any fifteen seconds are counted by the venue; above the limit it cancels all of
them and takes no more (kalshi.md 6.6, read 2026-11-22). Every opening order stands in the group of its shard; the limit
is far above what a bot of this kind trades, so that only one that has gone wrong meets it. `trigger` is its kill
switch.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from adapters.kalshi.private_rest import PrivateRest
from adapters.venue import VenueReadError, VenueReadRefusedError

logger = logging.getLogger(__name__)

CONTRACTS: Final = "10000.00"
"""In fifteen seconds."""


class OrderGroups:
    """One group per shard, made when it is first needed. Any thread."""

    def __init__(self, rest: PrivateRest) -> None:
        self._rest = rest
        self._lock = threading.Lock()
        self._groups: dict[int, str] = {}

    def of(self, shard: int) -> str:
        """Raises `VenueReadError` or `VenueReadRefusedError` where the group is not there and cannot be made."""
        with self._lock:
            if shard not in self._groups:
                self._groups[shard] = self._rest.create_group(CONTRACTS, shard)
            return self._groups[shard]

    def trigger(self) -> None:
        """Let the venue end and keep out whatever is in the groups. What cannot be reached is logged."""
        with self._lock:
            groups, self._groups = self._groups, {}
        for shard, group in groups.items():
            try:
                self._rest.trigger_group(group)
            except (VenueReadError, VenueReadRefusedError) as error:
                logger.warning("the order group of shard %d was not triggered: %s", shard, error)
