"""Waiting for what nobody signals, with a deadline instead of a guess."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

LOOK_S: Final = 0.002

T = TypeVar("T")


def until(look: Callable[[], T], what: str = "it never happened", limit_s: float = 20.0) -> T:
    """The first true thing that `look` gives; fails the test where there is none in time."""
    ends, pause = time.monotonic() + limit_s, threading.Event()
    while not (found := look()):
        assert time.monotonic() < ends, f"not within {limit_s:g} s: {what}"
        pause.wait(LOOK_S)
    return found
