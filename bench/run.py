"""`make bench`: every row is ours, the other, and their ratio, measured interleaved (A B A B) in one run.

Figures drift by a factor of two with the machine's mood; the ratios inside one run hold. Rounds and frames may be
lowered for a quick look: `python -m bench.run --rounds 3 --frames 20000`.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.footprint import footprint

RESULTS = Path(__file__).parent / "results.json"
PACED_PER_S = 5_000


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison. `ratio` is ours over other; `good` says which way is better, `target` what performance asks
    for.
    """

    name: str
    ratio: float
    unit: str
    ours: float
    other: float
    other_name: str
    runs: int
    good: str
    target: float | None = None

    @property
    def met(self) -> str:
        if self.target is None:
            return ""
        return "yes" if (self.ratio >= self.target if self.good == "high" else self.ratio <= self.target) else "NO"


def isolated(kind: str, markets: int, frames: int, rate: int) -> dict[str, Any]:
    """One pass in a process of its own, so that no pass inherits another's heap or threads."""
    command = [sys.executable, "-m", "bench.once", kind, str(markets), str(frames), str(rate)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench pass {kind} failed:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def throughput(markets: int, frames: int, rounds: int, other: str, progress: Callable[[str], None]) -> Row:
    """Frames per second of the actor pipeline beside `other`, medians over interleaved rounds."""
    ours, others, ratios = [], [], []
    for number in range(rounds):
        progress(f"{markets} markets, actors / {other}, round {number + 1}")
        a = isolated("actors", markets, frames, 0)["frames_per_s"]
        b = isolated(other, markets, frames if other == "raw" else frames // 5, 0)["frames_per_s"]
        ours.append(a)
        others.append(b)
        ratios.append(a / b)
    target = {("raw", 50): 0.7, ("raw", 500): 0.6, ("raw", 2000): 0.5}.get((other, markets))
    if other == "threads":
        target = 5.0
    return Row(
        f"frames/s, {markets} markets",
        round(statistics.median(ratios), 3),
        "frames/s",
        round(statistics.median(ours)),
        round(statistics.median(others)),
        {"raw": "raw loop", "threads": "thread per actor"}[other],
        rounds,
        "high",
        target,
    )


def latency(markets: int, frames: int, rounds: int, progress: Callable[[str], None]) -> list[Row]:
    """Frame to decision at a paced 5,000 frames/s, p50 and p99, beside the raw loop."""
    found: dict[str, list[tuple[float, float]]] = {"p50_us": [], "p99_us": []}
    for number in range(rounds):
        progress(f"{markets} markets, latency, round {number + 1}")
        a = isolated("actors", markets, frames, PACED_PER_S)
        b = isolated("raw", markets, frames, PACED_PER_S)
        for key, pairs in found.items():
            pairs.append((a[key], b[key]))
    rows = []
    for key, pairs in found.items():
        ratio = statistics.median(x / y for x, y in pairs)
        target = 1.5 if key == "p99_us" and markets in (50, 500) else None
        rows.append(
            Row(
                f"frame to decision {key[:3]} at {PACED_PER_S}/s, {markets} markets",
                round(ratio, 3),
                "us",
                round(statistics.median(x for x, _ in pairs), 1),
                round(statistics.median(y for _, y in pairs), 1),
                "raw loop",
                rounds,
                "low",
                target,
            )
        )
    return rows


def messages(frames: int, rounds: int, progress: Callable[[str], None]) -> Row:
    """P4: bytes to edge in memory, beside a plain bot's json, floats and max/min."""
    found: dict[str, list[float]] = {"ours": [], "plain": []}
    for number in range(rounds):
        progress(f"one message in memory, round {number + 1}")
        for kind, figures in found.items():
            command = [sys.executable, "-m", "bench.messages", kind, "50", str(min(frames, 50_000))]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            figures.append(json.loads(done.stdout)["us_per_message"])
    ratio = statistics.median(b / a for a, b in zip(found["ours"], found["plain"], strict=True))
    return Row(
        "decode + book + edge per message",
        round(ratio, 3),
        "us",
        round(statistics.median(found["ours"]), 2),
        round(statistics.median(found["plain"]), 2),
        "json + float bot (their cost / ours)",
        rounds,
        "high",
        3.0,
    )


def scale(frames: int, rounds: int, progress: Callable[[str], None]) -> list[Row]:
    """P6: what two thousand markets cost beside fifty."""
    pairs = []
    for number in range(rounds):
        progress(f"2000 markets beside 50, round {number + 1}")
        many = isolated("actors", 2_000, frames, 0)
        few = isolated("actors", 50, frames, 0)
        pairs.append((1e6 / many["frames_per_s"], 1e6 / few["frames_per_s"]))
    cost = statistics.median(a / b for a, b in pairs)
    progress("the whole bot with 2000 markets")
    took = footprint(2_000)
    return [
        Row(
            "cost per frame, 2000 markets",
            round(cost, 3),
            "us",
            round(statistics.median(a for a, _ in pairs), 2),
            round(statistics.median(b for _, b in pairs), 2),
            "actors at 50 markets",
            rounds,
            "low",
            1.5,
        ),
        Row("bot's RSS, 2000 markets", round(took.rss_mb / 250, 3), "MB", took.rss_mb, 250, "limit", 1, "low", 1.0),
        Row("bot's threads, 2000 markets", round(took.threads / 20, 3), "", took.threads, 20, "limit", 1, "low", 1.0),
        Row(
            "bot's CPU, 2000 quiet markets",
            round(took.cpu_percent, 1),
            "%",
            took.cpu_percent,
            1,
            "limit",
            1,
            "low",
            1.0,
        ),
    ]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--only", choices=["throughput", "latency", "messages", "scale"], default=None)
    options = parser.parse_args(argv)

    from rich.console import Console
    from rich.status import Status

    console = Console(stderr=True)
    rows: list[Row] = []
    with Status("bench", console=console) as status:
        rows.extend(_all_rows(options, status.update))
    _write(rows)
    _print(rows)
    return 0


def _all_rows(options: argparse.Namespace, progress: Callable[[str], None]) -> list[Row]:
    only, rounds, frames = options.only, options.rounds, options.frames
    rows: list[Row] = []
    if only in (None, "throughput"):
        rows += [throughput(n, frames, rounds, "raw", progress) for n in (1, 50, 500, 2_000)]
        rows += [throughput(n, frames, max(1, rounds // 2), "threads", progress) for n in (50, 500)]
    if only in (None, "latency"):
        for markets in (1, 50, 500):
            rows += latency(markets, min(frames, 25_000), rounds, progress)
    if only in (None, "messages"):
        rows.append(messages(frames, rounds, progress))
    if only in (None, "scale"):
        rows += scale(frames, max(1, rounds // 2), progress)
    return rows


def _write(rows: Sequence[Row]) -> None:
    machine = {"python": platform.python_version(), "system": platform.platform(), "cores": _cores()}
    RESULTS.write_text(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")


def _cores() -> int | None:
    import os

    return os.cpu_count()


def _print(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("measured", "ours", "other", "unit", "beside", "ratio", "target", "met")
    for row in rows:
        sign = "" if row.target is None else f"{'>=' if row.good == 'high' else '<='} {row.target:g}"
        table.add_row(
            row.name, f"{row.ours:,g}", f"{row.other:,g}", row.unit, row.other_name, f"{row.ratio:g}", sign, row.met
        )
    Console(width=150).print(table)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
