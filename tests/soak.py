"""Hours of live trading on the simulated exchange under its fault plan, watched from outside.

    python -m tests.soak [--minutes 60] [--seed 1] [--out DIR]

Every ten seconds a sample of the bot's process (memory, file descriptors, threads, processor time), of its inboxes and
of its files goes to soak.csv; at the end the curves go to soak.svg and the figures to the terminal. It fails on a
crash, on anything that grows, and where ledger and venue differ by a micro-dollar. The sets that this venue can turn
into cash are traded, because what is held for good is rightly remembered for good.

A halt is the operator's business: this harness resumes, as one would, and says how often and why.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import psutil

from tests.children import FAULTS_CONFIG, BotProcess, HarnessError, VenueProcess, a_bot, a_venue, tail
from tests.curves import Curve, svg
from tests.live_faults import lines_of, wrongs

PERIOD_S: Final = 10.0
WARM_UP: Final = 0.25
"""Part of the run after which nothing may grow any more: caches, pools and the pages of the ledger have filled."""
RSS_SLOPE_MB: Final = 6.0
"""Growth of memory per hour that is still noise."""


@dataclass(frozen=True, slots=True)
class Sample:
    at_s: float
    rss_mb: float
    fds: int
    threads: int
    cpu_s: float
    inbox_age_s: float
    inbox_waiting: int
    wal_kb: float
    ledger_mb: float
    log_kb: float
    sets: int
    disconnects: int
    venue_rss_mb: float


def soak_config() -> str:
    """The shipped configuration for faults without the basket, which this venue cannot turn into cash."""
    text = FAULTS_CONFIG.read_text(encoding="utf-8")
    text, count = re.subn(r"(?m)^  - id: cup-no\n(    .*\n)+", "", text)
    if count != 1:
        raise HarnessError("the basket was not found in the configuration")
    return text


class Observer:
    """Looks at the two processes from outside."""

    def __init__(self, bot: BotProcess, venue: VenueProcess) -> None:
        assert bot.process is not None
        assert venue.process is not None
        self._bot = bot
        self._inside = psutil.Process(bot.process.pid)
        self._venue = psutil.Process(venue.process.pid)
        self.began = time.monotonic()

    def sample(self, status: dict[str, Any]) -> Sample:
        with self._inside.oneshot():
            rss, fds, threads = self._inside.memory_info().rss, self._inside.num_fds(), self._inside.num_threads()
            cpu = self._inside.cpu_times()
        data = self._bot.home / "data"
        return Sample(
            at_s=round(time.monotonic() - self.began, 1),
            rss_mb=round(rss / 1e6, 2),
            fds=fds,
            threads=threads,
            cpu_s=round(cpu.user + cpu.system, 1),
            inbox_age_s=float(status["inbox"]["age_s"]),
            inbox_waiting=int(status["inbox"]["waiting"]),
            wal_kb=round(size(data / "ledger.sqlite-wal") / 1e3, 1),
            ledger_mb=round(size(data / "ledger.sqlite") / 1e6, 2),
            log_kb=round(sum(size(path) for path in data.glob("log.jsonl*")) / 1e3, 1),
            sets=int(status["today"]["completed"]),
            disconnects=int(status["feed"]["reconnects"]),
            venue_rss_mb=round(self._venue.memory_info().rss / 1e6, 2),
        )


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def slope(samples: Sequence[Sample], name: str) -> float:
    """Least squares per hour, after the warm-up."""
    rest = after_warm_up(samples)
    return statistics.linear_regression([s.at_s / 3600 for s in rest], [float(getattr(s, name)) for s in rest]).slope


def after_warm_up(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[int(len(samples) * WARM_UP) :]


def growth(samples: Sequence[Sample]) -> list[str]:
    """What grows that must not. Descriptors and threads go up and down with the faults, so their peaks are compared."""
    rest = after_warm_up(samples)
    if len(rest) < 12:
        return []
    half = len(rest) // 2
    found = []
    if (per_hour := slope(samples, "rss_mb")) > RSS_SLOPE_MB * max(1.0, 1800 / (rest[-1].at_s - rest[0].at_s)):
        found.append(f"memory grows by {per_hour:.1f} MB per hour")
    for name, slack in (("fds", 6), ("threads", 4), ("wal_kb", 4_500), ("inbox_age_s", 1)):
        before, after = (max(getattr(s, name) for s in part) for part in (rest[:half], rest[half:]))
        if after > before + slack:
            found.append(f"{name} rose from {before} to {after}")
    if max(s.threads for s in rest) > 40:
        found.append(f"{max(s.threads for s in rest)} threads")
    return found


def curves(samples: Sequence[Sample]) -> str:
    wanted = (
        ("rss_mb", "memory of the bot, MB"),
        ("fds", "file descriptors"),
        ("threads", "threads"),
        ("inbox_age_s", "oldest waiting message, s"),
        ("wal_kb", "write-ahead log, kB"),
        ("ledger_mb", "ledger, MB"),
        ("sets", "sets completed"),
        ("disconnects", "reconnects"),
    )
    minutes = [s.at_s / 60 for s in samples]
    return svg([Curve(title, minutes, [float(getattr(s, name)) for s in samples]) for name, title in wanted], "minutes")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plan", default="faults")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="home of the bot and of the curves")
    options = parser.parse_args()
    home = options.out or Path(tempfile.mkdtemp(prefix="dutchbook-soak-"))
    home.mkdir(parents=True, exist_ok=True)
    samples: list[Sample] = []
    resumed: list[str] = []
    with a_venue("--faults", options.plan, "--seed", str(options.seed), "--cash", "1000000") as venue:
        bot = a_bot(home, venue, soak_config()).start()
        try:
            bot.wait_until_trading()
            watch(bot, venue, options.minutes, home, samples, resumed)
        except HarnessError as error:
            bot.kill()
            sys.stdout.write(f"{error}\nFAIL\n")
            return 1
        code = bot.end()
        truth = venue.truth()
    report = bot.report()
    (home / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    (home / "report.json").write_text(json.dumps(report), encoding="utf-8")
    (home / "soak.svg").write_text(curves(samples), encoding="utf-8")
    bad = wrongs(code, bot.ledger, report, truth) + growth(samples)
    if report["feed"]["disconnects"] < int(options.minutes):
        bad.append(f"only {report['feed']['disconnects']} disconnects")
    tell(options.minutes, home, samples, resumed, report, truth)
    sys.stdout.writelines(f"WRONG  {words}\n" for words in bad)
    sys.stdout.write(f"\n{'FAIL' if bad else 'PASS'}\n")
    return 1 if bad else 0


def watch(
    bot: BotProcess, venue: VenueProcess, minutes: float, home: Path, samples: list[Sample], resumed: list[str]
) -> None:
    """Sample until the time is over. Raises `HarnessError` where the bot ends by itself."""
    observer = Observer(bot, venue)
    ends = observer.began + minutes * 60
    names = [field.name for field in fields(Sample)]
    with (home / "soak.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        due = observer.began
        while time.monotonic() < ends:
            due += PERIOD_S
            time.sleep(max(0.0, due - time.monotonic()))
            if not bot.alive:
                raise HarnessError(f"the bot ended by itself:\n{tail(bot.terminal, 40)}")
            status = bot.status()
            if status is None:
                raise HarnessError("the bot does not answer")
            samples.append(observer.sample(status))
            writer.writerow(asdict(samples[-1]))
            file.flush()
            trading = status["trading"]
            if not trading["on"] and trading["by"] not in ("start", "stop"):
                answer = bot.verb("resume", "--yes", "--", "the soak goes on")
                if answer.returncode == 0:
                    resumed.append(f"{samples[-1].at_s:.0f} s: {trading['reason']}")


def tell(
    minutes: float,
    home: Path,
    samples: Sequence[Sample],
    resumed: Sequence[str],
    report: dict[str, Any],
    truth: dict[str, Any],
) -> None:
    rest = after_warm_up(samples)
    say = sys.stdout.write
    say(f"soak: {minutes:g} minutes, {len(samples)} samples, home {home}\n\n")
    say(f"{'what':<26} {'first':>10} {'warm':>10} {'last':>10} {'peak':>10} {'per hour':>10}\n")
    for name in ("rss_mb", "fds", "threads", "inbox_age_s", "inbox_waiting", "wal_kb", "ledger_mb", "log_kb", "cpu_s"):
        values = [float(getattr(s, name)) for s in samples]
        warm = float(getattr(rest[0], name))
        per_hour = slope(samples, name) if len(rest) > 2 else 0.0
        say(f"{name:<26} {values[0]:>10.2f} {warm:>10.2f} {values[-1]:>10.2f} {max(values):>10.2f} {per_hour:>10.2f}\n")
    say("\n")
    for line in lines_of(report, truth, minutes):
        say(f"{line.what:<38} {line.seen:>8}\n")
    account = report["account"]
    say(f"opportunities {report['opportunities']['detected']}, attempts {report['attempts']}\n")
    say(f"resumed by hand {len(resumed)} times\n")
    for words in resumed:
        say(f"    {words}\n")
    say(
        f"cash by the ledger {account['cash_ledger']}, by the venue {truth['accounts'][0]['cash']}, difference "
        f"{account['difference']}; positions equal: {account['positions_equal']}\n"
    )


if __name__ == "__main__":
    raise SystemExit(main())
