"""A worker that hangs for good: the watchdog halts, and ends the process with 70, for a supervisor to start it anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.permit import StateDirectory
from tests.children import ROOT

HUNG_BOT = ROOT / "tests" / "threads" / "hung_bot.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("worker", "why"),
    [
        ("timer", "timers: the clock's thread has made no progress for 2."),
        ("ledger", "ledger: ledger has made no progress for 2."),
    ],
)
def test_a_bot_that_hangs_halts_and_ends_with_70(worker: str, why: str, tmp_path: Path) -> None:
    words = [sys.executable, str(HUNG_BOT), worker, "demo", "--no-console", "--for", "60s"]

    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False)

    assert done.returncode == 70, done.stdout + done.stderr
    halt = StateDirectory(tmp_path / "data" / "demo" / "permit").read_halt()
    assert halt is not None
    assert (halt.by, halt.reason[: len(why)]) == ("watchdog", why)
    assert "Current thread" in (tmp_path / "data" / "demo" / "stacks.txt").read_text()
