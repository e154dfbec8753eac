"""One pass of a benchmark as a process of its own, so that none inherits another's heap or threads."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

Progress = Callable[[str], None]


class PassFailedError(Exception):
    """A pass ended with an error; the text is the end of what it said."""


def isolated(module: str, *words: object) -> dict[str, Any]:
    """What `python -m MODULE WORDS` prints as its last line."""
    command = [sys.executable, "-m", module, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PassFailedError(f"bench pass {' '.join(command[2:])} failed:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def alternating(rounds: int, *sides: Callable[[], dict[str, Any]]) -> list[tuple[dict[str, Any], ...]]:
    """A B A B: each round runs every side once, so that a machine that slows down slows all of them."""
    return [tuple(side() for side in sides) for _ in range(rounds)]


def middle(values: Sequence[float], digits: int) -> float:
    return round(statistics.median(values), digits)
