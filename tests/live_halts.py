"""What stops a live bot, shown with real processes: the default configuration and each kill condition.

    python -m tests.live_halts [--only partial|rejects|disconnects|notional]

Each case starts an exchange and a bot, lets the condition come true, and looks: halted for the right reason, the
counter in `status`, protection done, opportunities still recorded but not traded, halted after a restart, and on again
only after `resume`. Ledger and venue agree at the end of each.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.children import ROOT, BotProcess, HarnessError, VenueProcess, a_bot, a_venue, changed_config, wait_for
from tests.oracle import disagreements, naked, reading, strangers

PATIENCE_S: Final = 90.0
"""Until a condition has come true: the first partial fill of a seed may take its time."""


@dataclass
class Case:
    """One condition. `wrong` collects what was not as it should be."""

    name: str
    config: str
    venue: tuple[str, ...]
    because: str
    """What the halt's reason must begin with."""
    counter: str | None
    """Key of the kill switch in `status` that must have reached its limit."""
    provoke: Callable[[VenueProcess], None] = lambda venue: None
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def check(self, what: str, good: object) -> None:
        if not good:
            self.wrong.append(what)


def default_config() -> str:
    """config.example.yaml as it ships, live, with the exchange's address."""
    text = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
    text, live = re.subn(r"(?m)^mode: paper$", "mode: live", text)
    address = (
        "venues:\n  simulated:\n    rest_url: http://127.0.0.1:8800\n    ws_url: ws://127.0.0.1:8800/ws/market\n"
        "    user_ws_url: ws://127.0.0.1:8800/ws/user\n"
    )
    text, venues = re.subn(r"(?m)^venues:$", address.rstrip("\n"), text)
    if (live, venues) != (1, 1):
        raise HarnessError("config.example.yaml has another form")
    return text


def cases() -> list[Case]:
    def often(lever: str, **how: object) -> Callable[[VenueProcess], None]:
        return lambda venue: venue.pull(lever, **how)

    return [
        Case(
            name="partial",
            config=default_config(),
            venue=("--faults", "faults", "--seed", "3"),
            because="partial fill of",
            counter=None,
        ),
        Case(
            name="rejects",
            config=changed_config(rejects="{count: 3, minutes: 10}"),
            venue=("--seed", "3"),
            because="kill switch: 3 rejects",
            counter="rejects",
            provoke=often("refuse", leg="first", count=6),
        ),
        Case(
            name="disconnects",
            config=changed_config(disconnects="{count: 3, minutes: 10}"),
            venue=("--seed", "3"),
            because="kill switch: 3 disconnects",
            counter="disconnects",
            provoke=often("close", every="3s"),
        ),
        Case(
            name="notional",
            config=changed_config(max_daily_notional="45"),
            venue=("--seed", "3"),
            because="kill switch: daily notional",
            counter="daily_notional",
        ),
    ]


def show(case: Case, home: Path) -> Case:
    """Run one case. Raises `HarnessError` where a step does not come at all."""
    with a_venue(*case.venue) as venue:
        bot = a_bot(home, venue, case.config)
        bot.start()
        try:
            _follow(case, bot, venue)
        finally:
            bot.kill()
    return case


def _follow(case: Case, bot: BotProcess, venue: VenueProcess) -> None:
    bot.wait_until_trading()
    case.provoke(venue)
    status = wait_for("the halt", lambda: _halted(bot), PATIENCE_S, 0.1)
    reason = status["trading"]["reason"]
    case.notes.append(f"halted: {reason}")
    case.check(f"the reason is {reason!r}", reason.startswith(case.because))
    if case.counter is not None:
        gauge = status["kill_switch"].get(case.counter, {})
        case.check(
            f"status shows {gauge} for {case.counter}",
            gauge and _number(gauge["count"]) >= 0.8 * _number(gauge["limit"]),
        )
        case.notes.append(f"status: {case.counter} {gauge.get('count')} of {gauge.get('limit')}")
    wait_for("the end of what is in flight", lambda: not (bot.status() or {"in_flight": [1]})["in_flight"], 60.0, 0.1)

    before = _counts(bot)
    wait_for("an opportunity that is recorded while halted", lambda: _counts(bot)[0] > before[0] + 2, 30.0, 0.2)
    bot.end()
    bot.start()
    wait_for("the bot to answer after a restart", bot.status, 20.0)
    wait_for("the comparison after the restart", lambda: _compared(bot), 30.0, 0.1)
    case.check("it is not halted after a restart", _halted(bot))
    recorded, opened = (now - then for now, then in zip(_counts(bot), before, strict=True))
    case.check(f"{opened} sets were opened while halted", opened == 0)
    case.notes.append(f"while halted, over a restart: {recorded} opportunities recorded, {opened} sets opened")
    refused = bot.verb("resume", "--yes", "--", "looked into it")
    case.check(f"resume said {refused.stdout}{refused.stderr}", refused.returncode == 0)
    if case.name != "notional":
        bot.wait_until_trading()
    case.check(f"the bot ended with {(code := bot.end())}", code == 0)

    truth, report = venue.truth(), bot.report()
    case.wrong += disagreements(bot.ledger, report, truth) + strangers(bot.ledger, truth)
    case.wrong += [f"attempt {attempt_id} ended naked" for attempt_id in naked(bot.ledger)]
    case.notes.append(
        f"sets {report['sets']['completed']}, half-filled {report['attempts']['partial']}, "
        f"mended {report['protections']}, "
        f"rejected {report['orders']['rejected']}, disconnects {report['feed']['disconnects']}; "
        f"cash {report['account']['cash_ledger']} = {truth['accounts'][0]['cash']}"
    )
    if case.name == "partial":
        case.check("nothing was protected", report["attempts"]["partial"] >= 1 and sum(report["protections"].values()))


def _halted(bot: BotProcess) -> dict[str, Any] | None:
    """The status of a bot that is halted, not one that only waits for a comparison or has no permit yet."""
    status = bot.status()
    if status is None or status["trading"]["on"] or status["trading"].get("by") in ("start", "stop"):
        return None
    return status


def _compared(bot: BotProcess) -> bool:
    """The start's comparison with the venue is over, so that resume may be asked for."""
    with closing(reading(bot.ledger)) as connection:
        query = "SELECT count(*) FROM events WHERE kind = 'reconciled' AND seq > (SELECT max(seq) FROM run_starts)"
        return bool(connection.execute(query).fetchone()[0])


def _counts(bot: BotProcess) -> tuple[int, int]:
    """Opportunities and attempts in the ledger."""
    with closing(reading(bot.ledger)) as connection:
        count = "SELECT (SELECT count(*) FROM opportunities), (SELECT count(*) FROM attempts)"
        found: tuple[int, int] = connection.execute(count).fetchone()
        return found


def _number(value: object) -> float:
    return float(str(value))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default=None)
    options = parser.parse_args()
    failed = 0
    for case in cases():
        if options.only not in (None, case.name):
            continue
        began = time.monotonic()
        home = Path(tempfile.mkdtemp(prefix=f"dutchbook-halt-{case.name}-"))
        try:
            show(case, home)
        except HarnessError as error:
            case.wrong.append(str(error))
        failed += bool(case.wrong)
        sys.stdout.write(
            f"{case.name:<12} {'FAIL' if case.wrong else 'PASS'}  {time.monotonic() - began:.0f} s  {home}\n"
        )
        sys.stdout.writelines(f"    {note}\n" for note in case.notes)
        sys.stdout.writelines(f"    WRONG {words}\n" for words in case.wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
