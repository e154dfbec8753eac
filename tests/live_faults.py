"""Live trading on the simulated exchange while everything goes wrong, then ledger against venue to the micro-dollar.

    python -m tests.live_faults [--minutes 5] [--seed 1] [--plan faults] [--keep DIR]

Real processes: `run.py simulate --faults faults` and `run.py --live` with docs/config.faults.yaml. Prints what happened
beside what was wanted and ends with 0 (PASS) or 1 (FAIL).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.children import HarnessError, a_bot, a_venue, tail
from tests.oracle import disagreements, naked, strangers


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that had to happen: how often it did, and at least how often it had to in five minutes."""

    what: str
    seen: int
    wanted: int

    @property
    def enough(self) -> bool:
        return self.seen >= self.wanted


def lines_of(report: Mapping[str, Any], truth: Mapping[str, Any], minutes: float) -> list[Line]:
    """Counted in the report, but for what only the venue can know. Shorter runs are asked for proportionally less."""
    fired = truth["faults_fired"]
    protected = report["protections"]
    share = min(1.0, minutes / 5)

    def line(what: str, seen: int, wanted: int) -> Line:
        return Line(what, seen, int(wanted * share))

    return [
        line("sets completed", report["sets"]["completed"], 50),
        line("half-filled sets protected", report["attempts"]["partial"], 5),
        line("  of them by completing", protected["complete"], 1),
        line("  of them by selling back", protected["unwind"], 1),
        line("orders rejected by the venue", report["orders"]["rejected"], 5),
        line("orders in doubt that were resolved", report["orders"]["unknown_resolved"], 5),
        line("venue restarts", fired.get("restart", 0), 1),
        line("disconnects", report["feed"]["disconnects"], 5),
        line("sequence gaps healed", report["feed"]["gaps"], 1),
        line("fills reversed by the venue", fired.get("reverse_fill", 0), 1),
        line("kinds of faults that fired", len(fired), 25),
    ]


def wrongs(bot_exit: int, ledger: Path, report: Mapping[str, Any], truth: Mapping[str, Any]) -> list[str]:
    found = disagreements(ledger, report, truth) + strangers(ledger, truth)
    found += [f"attempt {attempt_id} ended naked" for attempt_id in naked(ledger)]
    open_now = report["attempts"]["in_flight"]
    if open_now:
        found.append(f"{open_now} attempts are still in flight")
    unresolved = report["orders"]["unknown"] - report["orders"]["unknown_resolved"]
    if unresolved:
        found.append(f"{unresolved} orders are still in doubt")
    if bot_exit != 0:
        found.append(f"the bot ended with {bot_exit}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plan", default="faults")
    parser.add_argument("--keep", type=Path, default=None, metavar="DIR", help="home of the bot, kept")
    options = parser.parse_args()
    home = options.keep or Path(tempfile.mkdtemp(prefix="dutchbook-faults-"))
    with a_venue("--faults", options.plan, "--seed", str(options.seed)) as venue:
        bot = a_bot(home, venue)
        began = time.monotonic()
        bot.start("--for", f"{options.minutes * 60:.0f}s")
        try:
            bot.wait_until_trading()
            halts = []
            ends = began + options.minutes * 60 + 60
            while bot.alive and time.monotonic() < ends:
                time.sleep(0.5)
                status = bot.status()
                trading = {"on": True} if status is None else status["trading"]
                if not trading["on"] and trading.get("by") not in ("start", "stop"):
                    halts.append(f"{trading['by']}: {trading['reason']}")
                    break
            code = bot.end() if halts else bot.wait(60)
        except HarnessError as error:
            bot.kill()
            sys.stdout.write(f"{error}\n")
            return 1
        truth = venue.truth()
    report = bot.report()
    (home / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    (home / "report.json").write_text(json.dumps(report), encoding="utf-8")

    account = report["account"]
    sys.stdout.write(f"live under faults: {options.minutes:g} minutes, seed {options.seed}, home {home}\n\n")
    sys.stdout.write(f"{'what':<38} {'seen':>6} {'wanted':>7}\n")
    lines = lines_of(report, truth, options.minutes)
    for line in lines:
        sys.stdout.write(f"{line.what:<38} {line.seen:>6} {line.wanted:>7}{'' if line.enough else '   TOO FEW'}\n")
    sys.stdout.write(
        f"\ncash by the ledger {account['cash_ledger']}, by the venue {truth['accounts'][0]['cash']}, difference "
        f"{account['difference']}; positions equal: {account['positions_equal']}\n"
        f"attempts {report['attempts']}\nfaults fired {truth['faults_fired']}\n"
    )
    bad = [f"halted: {why}" for why in halts] + wrongs(code, bot.ledger, report, truth)
    for words in bad:
        sys.stdout.write(f"WRONG  {words}\n")
    passed = not bad and all(line.enough for line in lines)
    if not passed:
        sys.stdout.write(f"\n{tail(bot.terminal)}\n")
    sys.stdout.write(f"\n{'PASS' if passed else 'FAIL'}\n")
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
