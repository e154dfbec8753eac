"""Live trading on the simulated exchange while everything goes wrong, then ledger against venue to the micro-dollar.

    python -m tests.live_faults [--dialect simulated] [--minutes 5] [--seed 1] [--plan NAME] [--keep DIR]

Real processes: `run.py simulate --faults faults` and `run.py --live` with docs/config.faults.yaml; with another dialect
the exchange speaks that venue's protocol, and the bot has to pass the gate for real venues first: a minute on paper
against a calm exchange, the venue's name, and `resume`. Prints what happened beside what was wanted and ends with 0
(PASS) or 1 (FAIL).
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
from typing import Any, Final

from models.clock import SECOND
from models.live_gate import LEAST_PAPER_NS
from tests.children import BotProcess, HarnessError, VenueProcess, a_bot, a_venue, tail, wait_for
from tests.live_grounds import GROUNDS, Ground, events_of
from tests.oracle import disagreements, ledger_positions, naked, stranded, strangers

PAPER_S: Final = LEAST_PAPER_NS // SECOND + 3
"""A little more than the gate wants: the run counts from its first row to its last."""
PAYOUT_S: Final = 240
"""Longest that the end of trading and the payout may take together."""


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
        line("kinds of faults that fired", len(set(fired) - {"resolve"}), 25),
    ]


def wrongs(
    bot_exit: int,
    ledger: Path,
    report: Mapping[str, Any],
    truth: Mapping[str, Any],
    known: frozenset[str] | None = None,
) -> list[str]:
    """`known`: how a venue calls the ledger's orders that has its own names for them."""
    found = disagreements(ledger, report, truth) + strangers(ledger, truth, known)
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


def prepared(home: Path, ground: Ground, venue: VenueProcess) -> BotProcess:
    """A bot that knows this venue."""
    secrets = {f"DUTCHBOOK_{ground.name.upper()}_{name}": v for name, v in ground.secrets(venue.ready).items()}
    return a_bot(home, venue, ground.config.read_text(encoding="utf-8"), secrets)


def on_paper_first(home: Path, ground: Ground, seed: int) -> tuple[str, ...]:
    """What the gate for real venues asks of the ledger; nothing goes wrong meanwhile. Returns where the venue has to be
    found afterwards: the gate counts what was run against the same addresses.
    """
    with a_venue(*ground.simulate, "--seed", str(seed)) as calm:
        bot = prepared(home, ground, calm)
        bot.start("--for", f"{PAPER_S}s", mode="paper")
        try:
            code = bot.wait(PAPER_S + 40)
        finally:
            bot.kill()
    if code != 0:
        raise HarnessError(f"the paper run ended with {code}:\n{tail(bot.terminal)}")
    return "--port", str(calm.ready["port"])


def wait_until_trading(bot: BotProcess, ground: Ground) -> None:
    """On a real venue nothing is armed before the operator says so, and that is refused before the first reconcile."""
    if not ground.real:
        bot.wait_until_trading()
        return

    def resumed() -> bool:
        if not bot.alive:
            raise HarnessError(f"the bot ended by itself:\n{tail(bot.terminal)}")
        status = bot.status()
        if status is None:
            return False
        if not status["trading"]["on"]:
            bot.ask("resume", "--yes", "--", "checked by the harness")
        return bool(status["trading"]["on"])

    wait_for("trading after resume", resumed, 60, every_s=0.25)


def trade(bot: BotProcess, ground: Ground, venue: VenueProcess, minutes: float) -> tuple[int, list[str]]:
    """(exit code, halts that nobody asked for). Raises `HarnessError`."""
    began = time.monotonic()
    confirmed = ("--confirm-live", ground.name) if ground.real else ()
    seconds = minutes * 60 + (PAYOUT_S if ground.pays_out else 0)
    bot.start("--for", f"{seconds:.0f}s", *confirmed)
    wait_until_trading(bot, ground)
    halts = []
    ends = began + minutes * 60 + (0 if ground.pays_out else 60)
    while bot.alive and time.monotonic() < ends:
        time.sleep(0.5)
        status = bot.status()
        trading = {"on": True} if status is None else status["trading"]
        if not trading["on"] and trading.get("by") not in ("start", "stop"):
            halts.append(f"{trading['by']}: {trading['reason']}")
            break
    if ground.pays_out and not halts:
        let_it_pay(bot, venue)
        return bot.end(), halts
    return bot.end() if halts else bot.wait(60), halts


def let_it_pay(bot: BotProcess, venue: VenueProcess) -> None:
    """Halt, let what is in flight end, resolve every market, and wait until the ledger holds nothing any more."""
    bot.ask("halt", "--", "the markets are about to resolve")
    wait_for("the end of what is in flight", lambda: (bot.status() or {}).get("in_flight") == [], PAYOUT_S / 2, 0.5)
    for event in events_of(venue.ready):
        for number, market_id in enumerate(event):
            venue.pull("resolve", market=market_id, yes_pays="0.00" if number else "1.00")
    wait_for("the payout of everything", lambda: not ledger_positions(bot.ledger), PAYOUT_S / 2, 1.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dialect", choices=sorted(GROUNDS), default="simulated")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plan", default=None, help="the dialect's own fault plan, if none is named")
    parser.add_argument("--keep", type=Path, default=None, metavar="DIR", help="home of the bot, kept")
    options = parser.parse_args()
    ground = GROUNDS[options.dialect]
    home = options.keep or Path(tempfile.mkdtemp(prefix="dutchbook-faults-"))
    try:
        where = on_paper_first(home, ground, options.seed) if ground.real else ()
        plan = options.plan or ground.plan
        with a_venue(*ground.simulate, *where, "--faults", plan, "--seed", str(options.seed)) as venue:
            bot = prepared(home, ground, venue)
            try:
                code, halts = trade(bot, ground, venue, options.minutes)
            finally:
                bot.kill()
            truth = venue.truth()
            known = frozenset(ground.order_names(bot.ledger, venue))
    except HarnessError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    report = bot.report()
    (home / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    (home / "report.json").write_text(json.dumps(report), encoding="utf-8")
    told = f"live under faults on {ground.name}: {options.minutes:g} minutes, seed {options.seed}, home {home}"
    sys.stdout.write(f"{told}\n\n")
    bad = [f"halted: {why}" for why in halts] + wrongs(code, bot.ledger, report, truth, known)
    passed = verdict(ground, bot.ledger, report, truth, options.minutes, bad)
    if not passed:
        sys.stdout.write(f"\n{tail(bot.terminal)}\n")
    sys.stdout.write(f"\n{'PASS' if passed else 'FAIL'}\n")
    return 0 if passed else 1


def verdict(
    ground: Ground, ledger: Path, report: Mapping[str, Any], truth: Mapping[str, Any], minutes: float, bad: list[str]
) -> bool:
    """Print what was seen, what was wanted and what is wrong; True where that is enough and nothing."""
    account = report["account"]
    sys.stdout.write(f"{'what':<38} {'seen':>6} {'wanted':>7}\n")
    enough = True
    for line in lines_of(report, truth, minutes):
        why_not = ground.impossible.get(line.what)
        if why_not is not None:
            sys.stdout.write(f"{line.what:<38} {'-':>6} {'-':>7}   not on this venue: {why_not}\n")
            continue
        sys.stdout.write(f"{line.what:<38} {line.seen:>6} {line.wanted:>7}{'' if line.enough else '   TOO FEW'}\n")
        enough = enough and line.enough
    held = truth["accounts"][0]["positions"]
    sys.stdout.write(
        f"\nheld at the venue at the end: {len(held)} positions; locked by the ledger {report['sets']['locked']}"
    )
    sys.stdout.write(
        f"\ncash by the ledger {account['cash_ledger']}, by the venue {truth['accounts'][0]['cash']}, difference "
        f"{account['difference']}; positions equal: {account['positions_equal']}\n"
        f"attempts {report['attempts']}\norders {report['orders']}\nfaults fired {truth['faults_fired']}\n"
    )
    for attempt_id in stranded(ledger):
        sys.stdout.write(f"STRANDED  attempt {attempt_id} holds less than the venue trades, and has said so\n")
    for words in bad:
        sys.stdout.write(f"WRONG  {words}\n")
    return enough and not bad


if __name__ == "__main__":
    raise SystemExit(main())
