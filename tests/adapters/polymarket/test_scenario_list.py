"""The table in docs/venues.md names tests that are there, and every scenario test stands in it."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
VENUES = TESTS.parent / "docs" / "venues.md"


def section() -> str:
    text = VENUES.read_text(encoding="utf-8")
    return text.partition("\n## Polymarket\n")[2].partition("\n## ")[0]


def test_the_table_of_scenarios_names_only_tests_that_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", section()))
    sources = [path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py")]
    there = {name for source in sources for name in re.findall(r"^def (test_\w+)\(", source, re.MULTILINE)}
    assert len(named) > 60
    assert named - there == set()


def test_every_scenario_test_stands_in_the_table() -> None:
    numbered = re.compile(r"^def (test_1[45]_\w+)\(", re.MULTILINE)
    here = Path(__file__).parent.glob("test_scenarios_*.py")
    found = {name for path in here for name in numbered.findall(path.read_text(encoding="utf-8"))}
    beyond = {"test_15_1_8_equal_legs_through_our_own_adapter_cost_whole_cents"}
    assert {name for name in found - beyond if f"`{name}`" not in section()} == set()
