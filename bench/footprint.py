"""What the whole bot takes with many markets: memory, threads, processor; on paper, on a quiet simulated exchange."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.stage import bot, exchange

SETTLE_S = 15
SAMPLE_S = 10
NEVER = "strategy: {min_edge: 0.4}\n"
"""No gap is worth that much: everything is watched and nothing is bought."""


@dataclass(frozen=True, slots=True)
class Footprint:
    rss_mb: float
    threads: int
    cpu_percent: float
    """Of one core, over `SAMPLE_S`; the venue's heartbeats and two book changes a second are in it."""


def footprint(markets: int, more: str = "") -> Footprint:
    with (
        tempfile.TemporaryDirectory(prefix="dutchbook-bench-") as directory,
        exchange("--markets", str(markets), "--rate", "2") as venue,
        bot(Path(directory), venue, more=more) as process,
    ):
        seen = psutil.Process(process.pid)
        time.sleep(SETTLE_S)
        seen.cpu_percent()
        time.sleep(SAMPLE_S)
        return Footprint(
            rss_mb=round(seen.memory_info().rss / 1e6, 1), threads=seen.num_threads(), cpu_percent=seen.cpu_percent()
        )
