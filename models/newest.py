"""A mapping of the newest so many entries, for whoever has to remember without growing."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Newest(Generic[Key, Value]):
    """The oldest entry gives way; what is put again is new again. One thread at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def put(self, key: Key, value: Value) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def get(self, key: Key) -> Value | None:
        return self._entries.get(key)

    def drop(self, key: Key) -> None:
        self._entries.pop(key, None)

    def __contains__(self, key: Key) -> bool:
        return key in self._entries

    def last(self, count: int) -> list[Value]:
        """Newest first."""
        return [value for _, value in zip(range(count), reversed(self._entries.values()), strict=False)]
