"""How long an end waits for what is in flight."""

from __future__ import annotations

import importlib

import pytest

from actors.system import ENDING_S, ending_ns
from adapters.registry import VENUES
from models.clock import SECOND


@pytest.mark.parametrize("name", sorted(VENUES))
def test_an_end_outlasts_an_order_in_doubt_and_the_way_out_of_what_it_left(name: str) -> None:
    """Absence is believed after the venue's horizon only; the sale or purchase that follows takes its time, too."""
    horizon_s = importlib.import_module(VENUES[name]).CAPABILITIES.visibility_horizon_s
    assert ending_ns([horizon_s]) >= (horizon_s + ENDING_S) * SECOND


def test_an_end_waits_for_the_slowest_venue_and_on_paper_for_none() -> None:
    assert ending_ns([10.0, 30.0]) == ending_ns([30.0]) > ending_ns([10.0])
    assert ending_ns([]) == ENDING_S * SECOND
