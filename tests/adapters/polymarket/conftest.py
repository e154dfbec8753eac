"""One market and the raw recording for the Polymarket tests."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from models.market import Market
from tests.adapters.polymarket.examples import BINARY_TAPE, a_market


@pytest.fixture
def market() -> Market:
    return a_market()


@pytest.fixture
def other_market() -> Market:
    return a_market(2)


@pytest.fixture(scope="session")
def binary_tape() -> list[dict[str, Any]]:
    """Every line of the raw recording, read without the program's own reader."""
    with gzip.open(BINARY_TAPE, "rt", encoding="utf-8") as tape:
        return [json.loads(line) for line in tape]
