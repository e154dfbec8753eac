"""Amounts, counts, durations and bars as people read them: for the report as text and as HTML. Pure.

Unknown is a word, never a zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from models.clock import SECOND
from models.money import text

UNKNOWN: Final = "unknown"
EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
SPARKS: Final = "▁▂▃▄▅▆▇█"


def usd(micros: int | None, places: int = 2) -> str:
    return UNKNOWN if micros is None else ("-" if micros < 0 else "") + "$" + grouped(text(abs(micros), places))


def signed(micros: int | None, places: int = 2) -> str:
    return UNKNOWN if micros is None else ("-" if micros < 0 else "+") + "$" + grouped(text(abs(micros), places))


def grouped(amount: str) -> str:
    whole, point, rest = amount.partition(".")
    return f"{int(whole):,}".replace(",", " ") + point + rest


def number(count: int) -> str:
    return f"{count:,}".replace(",", " ")


def plural(count: int, noun: str) -> str:
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def duration(span_ns: int) -> str:
    span = span_ns // SECOND
    for size, unit, smaller, small in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if span >= size:
            rest = span % size // smaller
            return f"{span // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{span} s"


def bar(count: int, most: int, cells: int) -> str:
    """A bar of eighths; what is there is never drawn as nothing."""
    eighths = max(1, count * cells * 8 // most) if count else 0
    return "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")


def spark(values: Sequence[int], cells: int) -> str:
    low, high = min(values), max(values)
    span = max(1, high - low)
    picked = [values[i * len(values) // cells] for i in range(cells)] if len(values) > cells else values
    return "".join(SPARKS[(value - low) * (len(SPARKS) - 1) // span] for value in picked)


def tick(yes: bool) -> str:
    return "✓" if yes else "✗"
