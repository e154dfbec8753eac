"""How a bug is planted: one function or one constant of the bot is replaced for the length of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from models import set_turn, tradeset

Patch = tuple[Any, str, Any]


@dataclass(frozen=True, slots=True)
class Bug:
    name: str
    breaks: tuple[str, ...]
    plant: Callable[[], list[Patch]]
    under: frozenset[str]
    """Faults that are on in every seed: what has to go wrong for the bug to do harm."""


BUGS: list[Bug] = []


def bug(*breaks: str, under: tuple[str, ...] = ()) -> Callable[[Callable[[], list[Patch]]], Callable[[], list[Patch]]]:
    def plant(make: Callable[[], list[Patch]]) -> Callable[[], list[Patch]]:
        BUGS.append(Bug(make.__name__, breaks, make, frozenset(under)))
        return make

    return plant


@contextmanager
def planted(one: Bug) -> Iterator[None]:
    patches = one.plant()
    before = [(target, name, _get(target, name)) for target, name, _ in patches]
    try:
        for target, name, value in patches:
            _set(target, name, value)
        yield
    finally:
        for target, name, value in reversed(before):
            _set(target, name, value)


def _get(target: Any, name: str) -> Any:
    return target.get(name) if isinstance(target, dict) else vars(target)[name]


def _set(target: Any, name: str, value: Any) -> None:
    if isinstance(target, dict) and value is None:
        target.pop(name, None)
    elif isinstance(target, dict):
        target[name] = value
    else:
        setattr(target, name, value)


def rule(whole: Any, broken: Any) -> list[Patch]:
    """A rule of the state machine's table, wherever it stands."""
    table = {key: broken if rule is whole else rule for key, rule in tradeset.TRANSITIONS.items()}
    return [(tradeset, "TRANSITIONS", table), (set_turn.LEADS_TO, broken, set_turn.LEADS_TO[whole])]
