"""Order groups: contracts matched in any fifteen seconds are counted; above the limit a group lets nothing more in
(kalshi.md 6.6, read 2026-11-22).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from adapters.kalshi.dialect.rows import wire_id
from models.clock import SECOND

WINDOW_NS: Final = 15 * SECOND


@dataclass(slots=True)
class Group:
    """`limit` in micro-shares."""

    group_id: str
    owner: str
    shard: int
    limit: int
    triggered: bool = False
    matched: deque[tuple[int, int]] = field(default_factory=deque)
    """(time, size)"""


class Groups:
    def __init__(self) -> None:
        self._numbers = count(1)
        self.all: dict[str, Group] = {}

    def create(self, owner: str, shard: int, limit: int) -> Group:
        group = Group(wire_id(f"group-{next(self._numbers)}"), owner, shard, limit)
        self.all[group.group_id] = group
        return group

    def of(self, owner: str, group_id: str) -> Group | None:
        group = self.all.get(group_id)
        return group if group is not None and group.owner == owner else None

    def count(self, group_id: str, size: int, now: int) -> bool:
        """Note an execution; True where the group has just been triggered by it."""
        group = self.all.get(group_id)
        if group is None or group.triggered:
            return False
        group.matched.append((now, size))
        while group.matched and group.matched[0][0] <= now - WINDOW_NS:
            group.matched.popleft()
        group.triggered = sum(matched for _, matched in group.matched) > group.limit
        return group.triggered
