"""One thing that was looked at before money is at risk: how it is, what it means, and what to do about it. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Grade(enum.StrEnum):
    """How one check went. What could not be looked at is not fine."""

    FINE = "fine"
    WRONG = "wrong"
    """The operator has to change something: a key, a setting, a clock, an approval, a place."""
    UNREACHABLE = "unreachable"
    """The venue could not be asked."""
    SKIPPED = "skipped"
    """Not asked for (`--offline`), or pointless after an earlier failure."""


@dataclass(frozen=True, slots=True)
class Check:
    """`text` is one sentence about how it is, `remedy` one about what to do. Neither ever holds a secret."""

    name: str
    grade: Grade
    text: str
    remedy: str = ""


def fine(name: str, text: str) -> Check:
    return Check(name, Grade.FINE, text)


def wrong(name: str, text: str, remedy: str) -> Check:
    return Check(name, Grade.WRONG, text, remedy)


def unreachable(name: str, text: str, remedy: str = "look at the network, then try again") -> Check:
    return Check(name, Grade.UNREACHABLE, text, remedy)


def skipped(name: str, text: str) -> Check:
    return Check(name, Grade.SKIPPED, text)


def failed(checks: Iterable[Check]) -> list[Check]:
    """What stands in the way of trading."""
    return [check for check in checks if check.grade in (Grade.WRONG, Grade.UNREACHABLE)]
