"""The demo runs beside the other tests of this folder: it needs its time, and hardly any of the machine's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.stage import Bot, a_bot

DEMO_S = 48
"""Every kind of event has come by then; the reconnect is the last, at 38 s or in the next calm moment."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever reads the demo's ledger comes last, so that nobody waits for it to end."""
    items.sort(key=lambda item: "demo" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def demo_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    with a_bot(tmp_path_factory.mktemp("demo"), "--seed", "7", "--for", f"{DEMO_S}s", verb="demo") as bot:
        yield bot


@pytest.fixture(scope="session")
def demo(demo_process: Bot) -> tuple[Path, Path, int, str]:
    """Home, ledger, exit code and output of a demo that has ended."""
    code, out = demo_process.finished(DEMO_S + 40)
    return demo_process.home, demo_process.ledger, code, out
