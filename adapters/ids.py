"""Identifiers: short enough to type, never given out twice within one ledger.

`o-k3f9x2ma-00001` is what the record is (the caller's prefix), 40 random bits drawn once per process, and a counter.
The random part keeps runs apart, also after a crash that lost the counter: with ten thousand restarts on one ledger
two of them share it with a chance below 1 in 20,000, and then the ledger's unique keys refuse the second id.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from typing import Final

DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Base 32 without i, l, o and u, which are misread; in ASCII order, so ids of one process sort as they were made."""

_RUN_BYTES: Final = 5
_RUN_DIGITS: Final = 8
_COUNTER_DIGITS: Final = 5


class SystemIds:
    """`models.clock.Ids` on this machine. Any thread may call: one `next()` of a counter is atomic."""

    def __init__(self, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._run = base32(int.from_bytes(entropy(_RUN_BYTES)), _RUN_DIGITS)
        self._counter = count(1)

    def fresh(self, prefix: str) -> str:
        """`prefix-<run>-<counter>`. The counter has five digits, more after 33 million ids."""
        return f"{prefix}-{self._run}-{base32(next(self._counter), _COUNTER_DIGITS)}"


def base32(number: int, width: int) -> str:
    """`number` in base 32, padded with zeros to `width` digits. `number` is not negative.

    >>> base32(33, 4)
    '0011'
    """
    digits = ""
    while number or len(digits) < width:
        number, digit = divmod(number, 32)
        digits = DIGITS[digit] + digits
    return digits
