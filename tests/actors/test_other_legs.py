"""A set that was given other legs under its old id, while an attempt of it is not over: the bot does not start."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from actors.recovery import take_up
from adapters.ledger.connection import open_reader
from adapters.ledger.errors import OtherLegsError
from models.config import Config
from models.set_state import State
from tests.adapters.ledger.test_unfinished import SET, TERMS, WALL, Process, Venue

SWAPPED = replace(TERMS, complete_set=replace(TERMS.complete_set, legs=TERMS.complete_set.legs[::-1]))


def half_filled(path: Path) -> Process:
    """Ten YES are bought, the NO was refused, and the process dies."""
    process = Process(path, Venue((10, None)), 4)
    process.live()
    process.work()
    process.ledger.writer.flush(WALL)
    process.die()
    return process


def test_what_is_naked_is_not_sold_as_the_other_leg(tmp_path: Path) -> None:
    process = half_filled(tmp_path / "ledger.sqlite")

    def taken_up(terms):
        plan = SimpleNamespace(config=Config(venue="simulated", markets=("m1",)), execution=[terms])
        with closing(open_reader(tmp_path / "ledger.sqlite")) as connection:
            return take_up(plan, connection, process.clock)

    assert taken_up(TERMS).executors[SET][0].state in (State.PARTIAL_FILL_PROTECT, State.IN_DOUBT)
    with pytest.raises(OtherLegsError, match="a-1 of set m1 is not over, and was made with the legs m1 yes, m1 no"):
        taken_up(SWAPPED)
