"""What the whole bot takes with many markets: memory, threads, processor; on paper, on a quiet simulated exchange."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

DOOR = Path(__file__).resolve().parent.parent / "run.py"
SETTLE_S = 20
SAMPLE_S = 10


@dataclass(frozen=True, slots=True)
class Footprint:
    rss_mb: float
    threads: int
    cpu_percent: float
    """Of one core, over `SAMPLE_S`; the venue's heartbeats and two book changes a second are in it."""


def footprint(markets: int) -> Footprint:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        command = [sys.executable, str(DOOR), "simulate", "--port", "0", "--markets", str(markets), "--rate", "2"]
        venue = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert venue.stdout is not None
            ready = json.loads(venue.stdout.readline())
            _write_config(place / "config.yaml", ready)
            run = [sys.executable, str(DOOR), "run", "--no-console", "--for", f"{SETTLE_S + SAMPLE_S + 5}s"]
            bot = subprocess.Popen(run, cwd=place, stdout=subprocess.DEVNULL)
            try:
                return _sample(psutil.Process(bot.pid))
            finally:
                bot.terminate()
                bot.wait()
        finally:
            venue.terminate()
            venue.communicate()  # what it says at the end is longer than a pipe holds


def _write_config(path: Path, ready: dict[str, object]) -> None:
    markets = ready["markets"]
    assert isinstance(markets, list)
    lines = ["mode: paper", "venue: simulated", "markets:", *(f"  - {market}" for market in markets)]
    lines += ["venues:", "  simulated:", f"    rest_url: {ready['rest_url']}", f"    ws_url: {ready['ws_url']}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _sample(process: psutil.Process) -> Footprint:
    time.sleep(SETTLE_S)
    process.cpu_percent()
    time.sleep(SAMPLE_S)
    return Footprint(
        rss_mb=round(process.memory_info().rss / 1e6, 1),
        threads=process.num_threads(),
        cpu_percent=process.cpu_percent(),
    )
