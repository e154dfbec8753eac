"""One started ledger per test: configuration and run are recorded, a clock moves by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.ledger.connection import Ledger, open_ledger
from tests.adapters.ledger.ledger_rows import HandClock, a_config, a_run, ledger_path


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: HandClock) -> Iterator[Ledger]:
    opened = open_ledger(ledger_path(tmp_path), clock)
    config = a_config()
    opened.writer.take(config, clock.wall_ns())
    opened.writer.take(a_run(config), clock.wall_ns())
    opened.writer.flush(clock.wall_ns())
    opened.sync_mark()
    yield opened
    opened.close()
