"""The whole bot in virtual time, in the languages of the real venues: a few seeds of what `python -m tests.prove
--dialect NAME` plays by the hundred.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from adapters.kalshi.wire import BookTexts
from adapters.polymarket import rest
from models.book import BookSnapshot
from tests.sim.run import run

SEEDS = {"polymarket": (4, 5, 7, 37, 52, 85), "kalshi": (2, 5, 6, 7, 186, 346)}
"""Ordinary ones, one on paper, and those that have found something."""


@pytest.mark.parametrize(("dialect", "seed"), [(dialect, seed) for dialect, seeds in SEEDS.items() for seed in seeds])
def test_no_invariant_breaks_in_a_venues_own_language(dialect: str, seed: int) -> None:
    outcome = run(seed, dialect=dialect)
    assert outcome.violation is None


@pytest.mark.parametrize("dialect", SEEDS)
def test_a_seed_is_one_run_in_a_venues_own_language(dialect: str) -> None:
    first, second = run(0, dialect=dialect), run(0, dialect=dialect)
    assert first.orders > 0
    assert (first.trace, first.steps, first.attempts) == (second.trace, second.steps, second.attempts)


@pytest.mark.parametrize(
    ("dialect", "seed", "target", "name"),
    [("polymarket", 0, rest, "snapshots_of_books"), ("kalshi", 8, BookTexts, "snapshot")],
)
def test_a_book_that_is_read_wrong_is_found_by_the_judge(
    monkeypatch: pytest.MonkeyPatch, dialect: str, seed: int, target: Any, name: str
) -> None:
    """One share too many for sale, on both sides of the mirror: nothing in the bot could notice."""
    right = getattr(target, name)

    def wrong(book: BookSnapshot) -> BookSnapshot:
        more = {side: tuple((p, size + 1_000_000) for p, size in getattr(book, side) or ()) for side in SIDES}
        return msgspec.structs.replace(book, **more)

    def read(*args: Any, **options: Any) -> Any:
        found = right(*args, **options)
        return [wrong(book) for book in found] if isinstance(found, list) else wrong(found)

    monkeypatch.setattr(target, name, read)
    said = run(seed, dialect=dialect).violation
    assert said is not None
    assert said.startswith("I11")


SIDES = ("yes_asks", "no_bids")
