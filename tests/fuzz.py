"""Hostile bytes into every parser: nothing but typed errors leaves, in bounded time and memory, and no money that was
not written exactly.

    python -m tests.fuzz [--seconds 60] [--seed N] [--only NAME]
    python -m tests.fuzz --seed N --only NAME --input K         one input again, with its bytes

Prints a table (parser, inputs, accepted, refused by type, slowest); exits 1 on a finding with the line that replays it.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from models.orders import OutcomeUnknown, ProbeFailed
from models.orders import Refused as OrderRefused
from tests.fuzz_inputs import Mutator
from tests.fuzz_parsers import Parser, Refused
from tests.fuzz_targets import table
from tests.fuzz_truth import Wrong, check, check_words

SLOW_S: Final = 0.25
"""CPU seconds for one input of at most some 200 KB; one that takes longer is tried again before it is a finding."""
GROWTH_MB: Final = 150


@dataclass
class Tally:
    parser: Parser
    inputs: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    finding: str | None = None


def feed(parser: Parser, data: bytes, tally: Tally) -> None:
    """One input. What must not happen ends up in `tally.finding`."""
    tally.inputs += 1
    began = time.process_time()
    try:
        out = parser.read(data)
        check(out, data, sums=parser.sums)
    except parser.typed as error:
        tally.refused[type(error).__name__] += 1
        _words(tally, str(error))
    except Wrong as wrong:
        tally.finding = str(wrong)
    except Exception as error:  # noqa: BLE001  this is what is looked for
        tally.finding = f"{type(error).__name__} leaves the parser: {str(error)[:200]!r}"
    else:
        how = _refusal(out, tally)
        tally.accepted += how is None
        if how is not None:
            tally.refused[how] += 1
    tally.slowest_s = max(tally.slowest_s, _spent(parser, data, time.process_time() - began, tally))


def _spent(parser: Parser, data: bytes, spent_s: float, tally: Tally) -> float:
    if spent_s < SLOW_S or tally.finding is not None:
        return spent_s
    gc.collect()
    began = time.process_time()
    try:
        parser.read(data)
    except parser.typed:
        pass
    again_s = min(spent_s, time.process_time() - began)
    if again_s >= SLOW_S:
        tally.finding = f"one input of {len(data)} bytes takes {again_s:.2f} s"
    return again_s


def _words(tally: Tally, *words: str) -> None:
    try:
        for each in words:
            check_words(each)
    except Wrong as wrong:
        tally.finding = str(wrong)


def _refusal(out: object, tally: Tally) -> str | None:
    """How it was refused by a value; None where something was accepted."""
    if isinstance(out, Refused):
        _words(tally, *out.words)
        return out.how
    answers = out if isinstance(out, list) else [out]
    if answers and all(isinstance(answer, OutcomeUnknown | ProbeFailed | OrderRefused) for answer in answers[:1]):
        return type(answers[0]).__name__
    return None


def run(parsers: Sequence[Parser], seed: int, *, inputs: int | None = None, seconds: float = 0.0) -> list[Tally]:
    """`inputs` for each parser, or as many as fit into `seconds`. A parser with a finding is fed no further."""
    tallies = []
    for parser in parsers:
        tally, mutator = Tally(parser), Mutator(f"{seed}/{parser.name}", parser.corpus)
        ends = time.monotonic() + seconds / len(parsers)
        for data in parser.corpus:
            feed(parser, data, tally)
        if tally.finding is None and not tally.accepted:
            tally.finding = "not even the honest inputs are accepted"
        number = 0
        while tally.finding is None and (number < inputs if inputs is not None else time.monotonic() < ends):
            feed(parser, mutator.next(), tally)
            number += 1
        if tally.finding is not None:
            tally.finding += f"\n    python -m tests.fuzz --seed {seed} --only {parser.name!r} --input {number - 1}"
        tallies.append(tally)
    return tallies


def again(parser: Parser, seed: int, number: int) -> int:
    """Show one input and what comes of it. -1 and below: the honest ones."""
    mutator = Mutator(f"{seed}/{parser.name}", parser.corpus)
    for _ in range(number + 1):
        data = mutator.next()
    if number < 0:
        data = parser.corpus[0]
    sys.stdout.write(f"{len(data)} bytes: {data[:2_000]!r}\n")
    try:
        out = parser.read(data)
        sys.stdout.write(f"{out!r}\n"[:4_000])
        check(out, data, sums=parser.sums)
    except Exception:  # noqa: BLE001  it is shown
        traceback.print_exc(limit=-6, file=sys.stdout)
        return 1
    return 0


def lines(tallies: Sequence[Tally]) -> list[str]:
    told = [f"{'parser':<28}{'inputs':>9}{'accepted':>10}{'slowest':>10}  refused"]
    for tally in tallies:
        refused = ", ".join(f"{name} {count}" for name, count in tally.refused.most_common())
        told.append(
            f"{tally.parser.name:<28}{tally.inputs:>9}{tally.accepted:>10}{tally.slowest_s * 1000:>7.0f} ms  {refused}"
        )
    return told + [f"FINDING in {t.parser.name}: {t.finding}" for t in tallies if t.finding is not None]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=None, help="one parser, by name")
    parser.add_argument("--input", type=int, default=None, help="one input of that parser again")
    options = parser.parse_args()
    parsers = [p for p in table() if options.only in (None, p.name)]
    if not parsers:
        sys.stderr.write(f"no parser {options.only!r}: {', '.join(p.name for p in table())}\n")
        return 2
    if options.input is not None:
        return again(parsers[0], options.seed, options.input)
    before = _rss_mb()
    tallies = run(parsers, options.seed, seconds=options.seconds)
    grown = _rss_mb() - before
    sys.stdout.write("".join(f"{line}\n" for line in lines(tallies)))
    total, found = sum(t.inputs for t in tallies), [t for t in tallies if t.finding is not None]
    sys.stdout.write(f"{total} inputs, {len(found)} findings, peak memory grew by {grown:.0f} MB\n")
    return 1 if found or grown > GROWTH_MB else 0


def _rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    raise SystemExit(main())
