"""The deterministic simulator over many seeds: `make prove SEEDS=N`, `python -m tests.prove --help`.

One seed is one run of the whole bot in virtual time: what it trades, what goes wrong, who runs when. Every run is
judged step by step and at its end; a violation prints the one command that plays it again. A fault that no seed has
reached is a hole in the proof, and red. With `--hours 6` one world lives for hours instead of a minute.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from tests.sim.faults import REACHABLE
from tests.sim.hours import HOUR_NS, Long, growth, run_hours
from tests.sim.run import Outcome, mode_of, run
from tests.sim.story import Story
from tests.sim.tongue import TONGUES, tongue

CHUNK = 20
"""Seeds that a worker does between two reports."""
SEEDS_FOR_ALL = 1_000
"""From this many seeds on every fault has to have been reached."""
DEFAULT_SEEDS = 200
SHOWN = 20
"""Violations that are printed one by one."""
LARGEST = 10
"""Collections of a long run that are printed one by one."""


@dataclass(slots=True)
class Total:
    seeds: int = 0
    cpu_s: float = 0.0
    virtual_ns: int = 0
    steps: int = 0
    orders: int = 0
    decisions: int = 0
    restarts: int = 0
    modes: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    reached: Counter[tuple[str, str]] = field(default_factory=Counter)
    violations: list[tuple[int, str]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.virtual_ns += outcome.virtual_ns
        self.steps += outcome.steps
        self.orders += outcome.orders
        self.decisions += outcome.decisions
        self.restarts += outcome.restarts
        self.modes[mode_of(outcome.seed)] += 1
        self.endings.update(outcome.attempts)
        self.reached.update(outcome.reached)
        if outcome.violation is not None:
            self.violations.append((outcome.seed, outcome.violation))


def main(argv: list[str] | None = None) -> int:
    options = _options(argv)
    logging.disable(logging.CRITICAL)
    if options.tell:
        outcome = run(options.seed, dialect=options.dialect, trace=Story(longest=options.longest))
        print(outcome.violation or f"no violation; trace {outcome.trace}")
        return 0 if outcome.violation is None else 1
    if options.hours is not None:
        return _live_long(options)
    total, began = Total(), time.monotonic()
    until = None if options.minutes is None else began + 60 * options.minutes
    for outcomes, cpu_s in _runs(options.seed, options.seeds, options.jobs, until, options.dialect):
        total.cpu_s += cpu_s
        for outcome in outcomes:
            total.add(outcome)
            if options.hashes:
                print(outcome.seed, outcome.trace, flush=True)
            if outcome.violation is not None and len(total.violations) <= SHOWN:
                _accuse(outcome, options.dialect)
    if options.hashes:
        return 1 if total.violations else 0
    spoken = tongue(options.dialect)
    reachable = [*(name for name in REACHABLE if name not in spoken.missing), *spoken.levers]
    missed = _report(total, time.monotonic() - began, options.jobs, reachable)
    if options.json is not None:
        options.json.write_text(json.dumps(_figures(total, missed), indent=1), encoding="utf-8")
    return 1 if total.violations or (missed and total.seeds >= SEEDS_FOR_ALL) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description=__doc__)
    parser.add_argument("--seeds", type=int, default=None, help="how many (default: 200, or 1 where a seed is named)")
    parser.add_argument("--seed", type=int, default=None, help="the first one")
    parser.add_argument("--minutes", type=float, default=None, help="go on until so much time has passed")
    parser.add_argument("--hours", type=float, default=None, help="one run (or --seeds) of so many virtual hours")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--dialect", choices=sorted(TONGUES), default="simulated", help="whose language is spoken")
    parser.add_argument("--tell", action="store_true", help="tell the run of one seed line by line")
    parser.add_argument("--longest", type=int, default=400, help="longest line of a told run")
    parser.add_argument("--hashes", action="store_true", help="print the trace hash of every seed and nothing else")
    parser.add_argument("--json", type=Path, default=None, help="write the figures to a file")
    return parser


def _options(argv: list[str] | None) -> argparse.Namespace:
    """`--seed 7` alone is one run; `--minutes` alone has no end in seeds."""
    options = _parser().parse_args(argv)
    if options.seeds is None:
        options.seeds = 10**9 if options.minutes is not None else 1 if options.seed is not None else DEFAULT_SEEDS
    if options.hours is not None:
        options.seeds = 1 if options.seeds == DEFAULT_SEEDS else options.seeds
    options.seed = options.seed or 0
    options.jobs = max(1, min(options.jobs, -(-options.seeds // CHUNK)))
    return options


def _runs(
    first: int, count: int, jobs: int, until: float | None, dialect: str
) -> Iterator[tuple[list[Outcome], float]]:
    """Outcomes in order of their seeds."""
    chunks = (range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK))
    if jobs == 1:
        for chunk in chunks:
            yield run_chunk(chunk, dialect)
            if until is not None and time.monotonic() >= until:
                return
        return
    with ProcessPoolExecutor(jobs) as pool:
        pending: dict[Future[tuple[list[Outcome], float]], int] = {}
        ready: dict[int, tuple[list[Outcome], float]] = {}
        told = first
        for chunk in chunks:
            pending[pool.submit(run_chunk, chunk, dialect)] = chunk.start
            while len(pending) > 2 * jobs:
                done, _ = wait(pending, return_when=FIRST_COMPLETED)
                ready.update((pending.pop(future), future.result()) for future in done)
            while told in ready:
                yield ready.pop(told)
                told += CHUNK
            if until is not None and time.monotonic() >= until:
                break
        for future, start in pending.items():
            ready[start] = future.result()
        for start in sorted(ready):
            yield ready[start]


def run_chunk(seeds: range, dialect: str = "simulated") -> tuple[list[Outcome], float]:
    """In a worker. The collector runs between chunks only: a run makes cycles, and few of them."""
    logging.disable(logging.CRITICAL)
    gc.disable()
    began = time.process_time()
    outcomes = [run(seed, dialect=dialect) for seed in seeds]
    gc.collect()
    return outcomes, time.process_time() - began


def _live_long(options: argparse.Namespace) -> int:
    """Hours instead of a minute, one seed after the other."""
    violations = 0
    for seed in range(options.seed, options.seed + options.seeds):
        began = time.process_time()
        long = run_hours(seed, options.hours)
        gc.collect()
        violations += long.violation is not None
        _report_long(long, options.hours, time.process_time() - began)
    return 1 if violations else 0


def _report_long(long: Long, hours: float, cpu_s: float) -> None:
    endings = ", ".join(f"{n} {ending}" for ending, n in sorted(long.attempts.items(), key=lambda e: -e[1]))
    faults = long.reached.faults()
    print(f"seed         {long.seed}, {long.virtual_ns / HOUR_NS:.2f} virtual hours in {cpu_s:.0f} s of CPU time")
    print(f"steps        {long.steps}, {long.decisions} opening orders judged, {long.orders} orders sent")
    print(f"attempts     {endings or 'none'}")
    print(f"ledger       {long.rows} rows, its chain verified by every new process")
    lived = f"the last one lived {long.last_life_ns / HOUR_NS:.2f} hours"
    print(f"processes    {long.restarts} ended and started again; {lived}")
    print(f"faults       {len(faults)} kinds, {sum(faults.values())} times")
    print("memory       entries of the last process's collections, most in the first | second half of its life:")
    rows = growth(long)
    for name, early, late in rows[:LARGEST]:
        print(f"    {name:28} {early:6} {late:6}")
    total = sum(row[1] for row in rows), sum(row[2] for row in rows)
    print(f"    {f'all {len(rows)}':28} {total[0]:6} {total[1]:6}")
    print(f"trace        {long.trace}")
    if long.violation is not None:
        print(f"VIOLATION seed {long.seed}: {long.violation}")
        print(f"    replay: {sys.executable} -m tests.prove --hours {hours:g} --seed {long.seed}")
    print(f"violations   {int(long.violation is not None)}", flush=True)


def _accuse(outcome: Outcome, dialect: str) -> None:
    print(f"VIOLATION seed {outcome.seed} ({mode_of(outcome.seed)}): {outcome.violation}")
    spoken = "" if dialect == "simulated" else f" --dialect {dialect}"
    print(f"    replay: {sys.executable} -m tests.prove --seed {outcome.seed}{spoken} --tell", flush=True)


def _report(total: Total, seconds: float, jobs: int, reachable: list[str]) -> list[str]:
    """Print the figures; returns the faults that nothing reached."""
    rate = 60 * total.seeds / max(total.cpu_s, 1e-9)
    virtual = total.virtual_ns / 1e9 / max(1, total.seeds)
    print(f"seeds        {total.seeds} ({', '.join(f'{n} {mode}' for mode, n in total.modes.most_common())})")
    print(f"time         {seconds:.1f} s with {jobs} processes; {virtual:.1f} virtual seconds a seed")
    print(
        f"rate         {rate:.0f} seeds a minute and core (CPU time), {60 * total.seeds / seconds:.0f} a minute in all"
    )
    print(f"steps        {total.steps}, {total.decisions} opening orders judged, {total.orders} orders sent")
    print(f"attempts     {', '.join(f'{n} {ending}' for ending, n in total.endings.most_common()) or 'none'}")
    print(f"processes    {total.restarts} ended and started again")
    by_fault: dict[str, Counter[str]] = {}
    for (fault, state), times in total.reached.items():
        by_fault.setdefault(fault, Counter())[state] += times
    missed = sorted(set(reachable) - set(by_fault))
    print(f"faults       {len(set(reachable) & set(by_fault))} of {len(reachable)} reached,")
    print(f"             {len(total.reached)} pairs of a fault and a state of a set:")
    for fault in sorted(by_fault):
        states = by_fault[fault]
        seen = " ".join(f"{_short(state)}:{n}" for state, n in sorted(states.items()))
        print(f"    {fault:22} {sum(states.values()):8}  {seen}")
    if missed:
        print(f"NOT REACHED  {', '.join(missed)}")
    print(f"violations   {len(total.violations)}")
    return missed


_SHORT = {
    "SIGNAL_DETECTED": "signal",
    "PLACING_ORDERS": "placing",
    "WAITING_FILLS": "waiting",
    "PARTIAL_FILL_PROTECT": "protect",
}


def _short(state: str) -> str:
    return _SHORT.get(state, state.lower())


def _figures(total: Total, missed: list[str]) -> dict[str, object]:
    return {
        "seeds": total.seeds,
        "violations": [{"seed": seed, "text": text} for seed, text in total.violations],
        "seeds_per_minute_and_core": round(60 * total.seeds / max(total.cpu_s, 1e-9)),
        "virtual_seconds_per_seed": round(total.virtual_ns / 1e9 / max(1, total.seeds), 1),
        "steps": total.steps,
        "orders": total.orders,
        "attempts": dict(total.endings),
        "restarts": total.restarts,
        "not_reached": missed,
        "reached": {f"{fault}/{state}": n for (fault, state), n in sorted(total.reached.items())},
    }


if __name__ == "__main__":
    raise SystemExit(main())
