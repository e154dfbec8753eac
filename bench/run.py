"""`make bench`: every row is ours, the other, and their ratio, measured interleaved (A B A B) in one run.

Figures drift by a factor of two with the machine's mood; the ratios inside one run hold. The default ends in a few
minutes; `--full` takes medians of seven rounds, and the report on a million rows. docs/bench.md reads the table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.status import Status

from bench import feed_rows, order_rows
from bench.passes import PassFailedError, Progress
from bench.rows import Row, print_rows, write_rows

RESULTS = Path(__file__).parent / "results.json"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=None, help="3, or 7 with --full")
    parser.add_argument("--frames", type=int, default=None, help="50000, or 100000 with --full")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", choices=list(PARTS), default=None)
    options = parser.parse_args(argv)
    options.rounds = options.rounds or (7 if options.full else 3)
    options.frames = options.frames or (100_000 if options.full else 50_000)
    rows: list[Row] = []
    failed: list[str] = []
    with Status("bench", console=Console(stderr=True)) as status:
        for name in [options.only] if options.only else PARTS:
            try:
                rows += PARTS[name](options, status.update)
            except PassFailedError as error:
                failed.append(f"{name}: {error}")
            write_rows(rows, RESULTS)
    print_rows(rows)
    for line in failed:
        print(f"NOT MEASURED  {line}")
    return 1 if failed else 0


def _throughput(options: argparse.Namespace, progress: Progress) -> list[Row]:
    rounds, frames = options.rounds, options.frames
    beside_raw = [feed_rows.throughput(n, frames, rounds, "raw", progress) for n in (1, 50, 500, 2_000)]
    return beside_raw + [feed_rows.throughput(n, frames, max(1, rounds // 3), "threads", progress) for n in (50, 500)]


def _latency(options: argparse.Namespace, progress: Progress) -> list[Row]:
    frames = 25_000 if options.full else 15_000
    return [row for n in (1, 50, 500) for row in feed_rows.latency(n, frames, options.rounds, progress)]


def _messages(options: argparse.Namespace, progress: Progress) -> list[Row]:
    return [feed_rows.messages(options.frames, options.rounds, progress)]


def _scale(options: argparse.Namespace, progress: Progress) -> list[Row]:
    return feed_rows.scale(options.frames, max(1, options.rounds // 2), progress)


def _orders(options: argparse.Namespace, progress: Progress) -> list[Row]:
    seconds = 20 if options.full else 8
    return order_rows.first_byte(seconds, max(2, options.rounds // 2), progress) + order_rows.signing(progress)


def _ledger(options: argparse.Namespace, progress: Progress) -> list[Row]:
    return order_rows.ledger(options.rounds, 1_000_000 if options.full else 200_000, progress)


def _control(_options: argparse.Namespace, progress: Progress) -> list[Row]:
    return order_rows.control(progress)


PARTS: dict[str, Callable[[argparse.Namespace, Progress], list[Row]]] = {
    "throughput": _throughput,
    "latency": _latency,
    "messages": _messages,
    "scale": _scale,
    "orders": _orders,
    "ledger": _ledger,
    "control": _control,
}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
