"""The hash chain: every appended row is sealed together with everything before it.

    hash = SHA-256( previous hash + JSON [table, seq, values without seq and hash, child rows] )

The JSON is msgspec's: UTF-8, no spaces, integers, texts and null only, so the chain can be checked with ten lines of
any language. The first row's previous hash is 32 zero bytes. `seq` has no holes, so a row that was removed shows too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import msgspec

Value = int | str | None
Values = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row of a chain: how many rows there are, and the hash of the last one."""

    seq: int
    hash: bytes


GENESIS: Final = Head(0, bytes(32))

_encode: Final = msgspec.json.Encoder().encode


def link(previous: bytes, table: str, seq: int, values: Sequence[Value], children: Sequence[Values]) -> bytes:
    """The hash of one row. `values` are its columns without `seq` and `hash`, `children` its child rows by key."""
    return sha256(previous + _encode((table, seq, values, children))).digest()
