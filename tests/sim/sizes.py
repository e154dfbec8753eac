"""How much a running bot remembers: the entries of every collection that its actors and their tools hold."""

from __future__ import annotations

import enum
import sqlite3
from collections import Counter, deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from actors.base import BotActor
from actors.simulation import SimClock, SimDispatcher, Trace
from models.config import Config
from models.execution import ExecutionTerms

if TYPE_CHECKING:
    from tests.sim.bot import Bot

OURS: Final = ("models.", "actors.", "adapters.", "tests.sim.lanes", "tests.sim.feeds")
"""Modules whose objects are looked into."""
PLAIN: Final = (str, bytes, int, float, bool, type(None), enum.Enum, type)
OTHERS: Final = (BotActor, SimClock, SimDispatcher, Trace, sqlite3.Connection, ExecutionTerms, Config)
"""What belongs to somebody else, or never changes."""


def sizes(bot: Bot) -> Counter[str]:
    """Entries by `owner.attribute`. What several of them hold is counted where it is met first."""
    network = bot.network
    roots: dict[str, Any] = {actor.name: actor for actor in network.actors()}
    roots |= {
        "routes": network.routes,
        "gate": bot.gate,
        "ledger writer": bot.ledger.writer,
        "snapshot lane": bot.snapshots,
        "feeds": bot._feeds,
    }
    seen: set[int] = set()
    found: Counter[str] = Counter()
    for owner, root in roots.items():
        for name, value in _attributes(root):
            entries = _entries(value, seen)
            if entries:
                found[f"{owner}.{name.lstrip('_')}"] += entries
    found["timers"] = sum(due.callback is not None for _, _, due in bot.clock._heap)
    return found


def _entries(value: Any, seen: set[int]) -> int:
    count, waiting = 0, deque([value])
    while waiting:
        one = waiting.popleft()
        if isinstance(one, (*PLAIN, *OTHERS)) or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Mapping):
            count += len(one)
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple, set, frozenset, deque)):
            count += len(one)
            waiting.extend(one)
        elif type(one).__module__.startswith(OURS):
            waiting.extend(part for _, part in _attributes(one))
    return count


def _attributes(one: Any) -> list[tuple[str, Any]]:
    names = [name for kind in type(one).__mro__ for name in vars(kind).get("__slots__", ())]
    slots = [(name, getattr(one, name)) for name in names if name != "__weakref__" and hasattr(one, name)]
    return [*slots, *getattr(one, "__dict__", {}).items()]
