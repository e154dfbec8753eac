"""Whether the proof finds bugs: `make garden`, `python -m tests.garden --help`.

Plants one bug of `tests/sim/garden.py` at a time and plays seeds until an invariant breaks, with the faults on that the
bug needs to do harm (the seed chooses what else is). A bug that no seed finds is a hole in the proof, and red. A run
that merely crashes has found nothing: that may be the planting. Nor has one that breaks without the bug as well.
"""

from __future__ import annotations

import argparse
import gc
import logging
import time
from collections import Counter
from dataclasses import dataclass

from tests.sim.garden import BUGS, Bug, planted
from tests.sim.run import run

SEEDS = 4_000
"""After so many without a finding the proof has a hole."""
COLLECT_EVERY = 20
"""Seeds between two turns of the collector, as in `tests.prove`."""


@dataclass(frozen=True, slots=True)
class Found:
    invariant: str
    text: str
    seed: int
    seeds: int
    """Played until then, this one included."""


def find(bug: Bug, seeds: int, first: int = 0) -> Found | None:
    """The first seed from `first` on at which an invariant breaks that holds without the bug; None after `seeds` of
    them.
    """
    for played, seed in enumerate(range(first, first + seeds), 1):
        with planted(bug):
            said = run(seed, also=bug.under).violation
        if said is not None and not said.startswith("crashed") and run(seed, also=bug.under).violation is None:
            invariant, _, text = said.partition(": ")
            return Found(invariant, text, seed, played)
        if played % COLLECT_EVERY == 0:
            gc.collect()
    return None


def main(argv: list[str] | None = None) -> int:
    options = _options(argv)
    logging.disable(logging.CRITICAL)
    bugs = [bug for bug in BUGS if not options.only or bug.name in options.only]
    gc.disable()
    began, missed, by_invariant, seeds = time.monotonic(), [], Counter[str](), 0
    print(f"{'bug':42} {'found by':9} {'at seed':>7} {'after':>6}  what it said")
    for bug in bugs:
        found = find(bug, options.seeds, options.seed)
        if found is None:
            missed.append(bug.name)
            seeds += options.seeds
            print(f"{bug.name:42} NOT FOUND in {options.seeds} seeds; expected {' or '.join(bug.breaks)}", flush=True)
            continue
        seeds += found.seeds
        by_invariant[found.invariant] += 1
        odd = "" if found.invariant in bug.breaks else f"  (expected {' or '.join(bug.breaks)})"
        line = f"{bug.name:42} {found.invariant:9} {found.seed:7} {found.seeds:6}  {found.text[: options.width]}{odd}"
        print(line, flush=True)
    print(f"bugs         {len(bugs)}, {len(bugs) - len(missed)} found")
    print(f"invariants   {', '.join(f'{name} {times}' for name, times in sorted(by_invariant.items(), key=_number))}")
    print(f"seeds        {seeds} in {time.monotonic() - began:.0f} s")
    return 1 if missed else 0


def _number(entry: tuple[str, int]) -> int:
    return int(entry[0][1:])


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.garden", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="most per bug")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--only", action="append", choices=[bug.name for bug in BUGS], metavar="NAME", help="this bug")
    parser.add_argument("--width", type=int, default=72, help="longest quotation of a finding")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
