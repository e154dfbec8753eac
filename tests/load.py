"""Load: a venue in another process sends as fast as it is told, the bot watches, and an operator halts it meanwhile.

    python -m tests.load [--markets N] [--rate N] [--seconds S] [--flood-seconds S] [--trials N]

1. capacity   rising rates until frames are late, left out or books stop being ready (skipped where --rate names it)
2. steady     0.8 of it for a minute, with a thousand `halt`s and `resume`s through the control socket
3. flood      100,000 frames a second for ten seconds, with a tenth as many, and what the bot is like afterwards

Every cycle of a market's frames opens one gap for one frame (docs/simulated-exchange.md), so the sequence numbers of
the opportunities that must be in the ledger are known. One that is missing must fall into a time in which the ledger
says that the book was not ready. Prints a table; exit code 1 where a bound is not kept.
"""

from __future__ import annotations

import argparse
import bisect
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.acceptance.stage import Bot, Venue, a_bot, a_venue, configure, rows, until
from tests.load_floor import a_floor, floor_ms

CYCLE: Final = 500
SHARE: Final = 0.8
FLOOD: Final = 100_000
LATCH_MS: Final = 5.0
LATE_MS: Final = 50.0
"""p99 from frame to decision above which a rate is more than the machine can carry."""
RSS_GROWTH_MB: Final = 64
"""Most that the second half of the minute may add; the first half fills caches and rings."""
STEP_S: Final = 5.0
FOREVER: Final = 2**63 - 1
LADDER: Final = (10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 70_000, 80_000, 90_000, 100_000, 120_000, 150_000)

SETTINGS: Final = """\
strategy: {min_minutes_to_close: 0}
risk: {max_daily_notional: 10000000, max_open_positions: 10000, max_orders_per_minute: 6000,
  duplicate_window_seconds: 0, halt_on_partial_fill: false,
  kill_switch_conditions: {partials: {count: 1000000, minutes: 1}, rejects: {count: 1000000, minutes: 1},
    disconnects: {count: 1000000, minutes: 1}, daily_notional: false}}
"""


@dataclass
class Run:
    """What one rate came to."""

    rate: int
    seconds: float = 0.0
    sent: int = 0
    left_out: int = 0
    read: int = 0
    expected: int = 0
    missing: int = 0
    unexplained: list[str] = field(default_factory=list)
    lost: int = 0
    """Times that a book stopped being ready."""
    disconnects: int = 0
    rss_mb: list[float] = field(default_factory=list)
    latency: dict[str, float | None] = field(default_factory=dict)
    back_s: float | None = None
    """After the flood, until every book was ready."""
    code: int | None = None
    floor_ms: list[float] = field(default_factory=list)
    """What the same way takes into a process that does nothing else, one before each halt."""
    latch_ms: list[float] = field(default_factory=list)
    answer_ms: list[float] = field(default_factory=list)

    @property
    def kept_up(self) -> bool:
        late = self.latency.get("p99")
        lossless = self.lost == 0 and self.disconnects == 0 and self.left_out < self.sent // 100
        return self.code == 0 and lossless and late is not None and late <= LATE_MS


@contextmanager
def stage(rate: int, markets: int) -> Iterator[tuple[Venue, Bot]]:
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        with a_venue("--load", "--rate", str(rate), "--markets", str(markets), "--seed", "7") as venue:
            configure(home, venue, SETTINGS)
            with a_bot(home) as bot:
                yield venue, bot


def run(rate: int, markets: int, seconds: float, *, trials: int = 0, flood: bool = False) -> Run:
    """Send at `rate` for `seconds` from when the books are ready, then end the venue, then the bot."""
    outcome = Run(rate)
    with stage(rate, markets) as (venue, bot):
        until("the first status", lambda: bot.ask("status"), 30)
        until("the first books", lambda: flood or all(bot.ready()), 30)
        began, frames = time.monotonic(), feed(bot)["frames"]
        ends = began + seconds
        sampler = Sampler(bot.process.pid, outcome.rss_mb)
        sampler.start()
        if trials:
            with a_floor(bot.state) as floor:
                halt_and_resume(bot.state / "control.sock", floor, trials, ends, outcome)
        time.sleep(max(0.0, ends - time.monotonic()))
        outcome.seconds = time.monotonic() - began
        outcome.read = feed(bot)["frames"] - frames
        outcome.latency = bot.ask("status", timeout_s=30)["latency_ms"]
        sampler.stop()
        stopping_at = time.time_ns()
        truth, stopped_at = stopped(venue), time.time_ns()
        until("the end of the venue seen", lambda: feed(bot)["state"] == "down", 60)
        if flood:
            outcome.back_s = calm_again(venue.port, markets, bot)
        outcome.code, _ = bot.end(60)
        outcome.sent, outcome.left_out = truth["frames"], truth["left_out"]
        judge(bot.ledger, truth["gaps"], (stopping_at, stopped_at), outcome)
    return outcome


def feed(bot: Bot) -> dict[str, Any]:
    told: dict[str, Any] = bot.ask("status", timeout_s=30)["feed"]
    return told


def stopped(venue: Venue) -> dict[str, Any]:
    venue.process.send_signal(signal.SIGINT)
    out, _ = venue.process.communicate(timeout=60)
    told: dict[str, Any] = json.loads(out.splitlines()[-1])["load"]
    return told


def calm_again(port: int, markets: int, bot: Bot) -> float:
    """A quiet venue in the place of the one that flooded: how long until every book is ready, from when it listens."""
    with a_venue("--markets", str(markets), "--seed", "7", port=port) as venue:
        began = time.monotonic()
        bot.until_ready(60)
        took = time.monotonic() - began
        venue.kill()
    return took


class Sampler(threading.Thread):
    """RSS of a process once a second, in MB."""

    def __init__(self, pid: int, into: list[float]) -> None:
        super().__init__(name="sampler", daemon=True)
        self._path = Path(f"/proc/{pid}/status")
        self._into = into
        self._stop_it = threading.Event()

    def run(self) -> None:
        while not self._stop_it.wait(1.0):
            line = next(line for line in self._path.read_text().splitlines() if line.startswith("VmRSS"))
            self._into.append(int(line.split()[1]) / 1024)

    def stop(self) -> None:
        self._stop_it.set()
        self.join()


def halt_and_resume(path: Path, floor: Path, trials: int, ends: float, outcome: Run) -> None:
    """Evenly over the time that is left. A halt counts from before the connection is made until the gate's own time
    of it; the answer is what the operator waits for.
    """
    for number in range(trials):
        pause = (ends - time.monotonic()) / (trials - number)
        outcome.floor_ms.append(floor_ms(floor, b"halt -- trial"))
        began = time.time_ns()
        halted = talk(path, "halt", "--", f"trial {number}")
        outcome.answer_ms.append((time.time_ns() - began) / 1e6)
        assert halted["halted"], halted
        assert not halted["already"], halted
        assert halted["persisted"], halted
        outcome.latch_ms.append((halted["since_ns"] - began) / 1e6)
        until("the resume", lambda: talk(path, "resume", "--yes", "--", "load test").get("resumed"), 10)
        time.sleep(max(0.0, pause - (time.time_ns() - began) / 1e9))


def talk(path: Path, verb: str, *words: str) -> dict[str, Any]:
    """One request as a shell's client makes it, without that client's imports and files."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(10)
        peer.connect(str(path))
        peer.sendall(json.dumps({"verb": verb, "args": list(words), "json": True}).encode() + b"\n")
        received = b""
        while not received.endswith(b"\n"):
            part = peer.recv(1 << 16)
            assert part, "the bot hung up"
            received += part
    told: dict[str, Any] = json.loads(received)["document"]
    return told


# -- what the sent frames imply


def judge(ledger: Path, gaps: dict[str, int], end: tuple[int, int], outcome: Run) -> None:
    """Compare the gaps that were sent with the opportunities in the ledger, by the sequence number of their frames.
    `end` is when the venue was told to end, and when it had.
    """
    blind = blind_times(ledger)
    stopping_at, stopped_at = end
    outcome.lost = sum(began < stopping_at for times in blind.values() for began, _ in times)
    query = "SELECT count(*) AS n FROM events WHERE kind = 'disconnected' AND at < ?"
    [found] = rows(ledger, query, (stopping_at,))
    outcome.disconnects = found["n"]
    [ready] = rows(ledger, "SELECT min(at) AS at FROM events WHERE kind = 'ready'")
    for market, count in gaps.items():
        if count:
            seen = opportunities(ledger, market, stopped_at)
            judge_market(market, seen, count, blind[market], ready["at"] or 0, outcome)


def opportunities(ledger: Path, market: str, stopped_at: int) -> dict[int, int]:
    """When the frame of each sequence number became an opportunity."""
    query = """
        SELECT l.book_seq AS seq, min(o.at) AS at FROM opportunities o JOIN opportunity_legs l ON l.opportunity = o.seq
        WHERE o.set_id = ? AND o.at < ? GROUP BY l.book_seq ORDER BY l.book_seq"""
    return {row["seq"]: row["at"] for row in rows(ledger, query, (market, stopped_at))}


def judge_market(
    market: str, seen: dict[int, int], count: int, blind: Sequence[tuple[int, int]], ready: int, outcome: Run
) -> None:
    if not seen:
        outcome.unexplained.append(f"{market}: no opportunity at all")
        return
    first, last = min(seen), (count - 1) * CYCLE + min(seen) % CYCLE
    must = range(first, last + 1, CYCLE)
    outcome.expected += len(must)
    known = sorted(seen)
    for seq in must:
        if seq in seen:
            continue
        outcome.missing += 1
        place = bisect.bisect(known, seq)
        since = seen[known[place - 1]] if place else ready
        until_at = seen[known[place]] if place < len(known) else FOREVER
        if not any(began <= until_at and ended >= since for began, ended in blind):
            outcome.unexplained.append(f"{market}: frame {seq} between {since} and {until_at}")


def blind_times(ledger: Path) -> dict[str, list[tuple[int, int]]]:
    """When each book was not ready, as the ledger says it."""
    query = "SELECT kind, at, market_id FROM events WHERE kind IN ('not_ready', 'gap', 'resync') ORDER BY seq"
    began: dict[str, int] = {}
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in rows(ledger, query):
        market = row["market_id"]
        if row["kind"] != "resync":
            began.setdefault(market, row["at"])
        elif market in began:
            found[market].append((began.pop(market), row["at"]))
    for market, at in began.items():
        found[market].append((at, FOREVER))
    return found


# -- telling


def quantile(values: Sequence[float], share: float) -> float:
    """NaN of nothing."""
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def told(name: str, outcome: Run) -> str:
    p50, p99 = outcome.latency.get("p50"), outcome.latency.get("p99")
    rss = outcome.rss_mb or [0.0]
    return (
        f"{name:<9} {outcome.rate:>9,} {outcome.seconds:>6.1f} {outcome.read / max(outcome.seconds, 1e-9):>9,.0f} "
        f"{outcome.left_out:>9,} {outcome.lost:>6} {outcome.expected:>6} {outcome.missing:>7} "
        f"{len(outcome.unexplained):>11} {rss[0]:>6.0f} {rss[len(rss) // 2]:>6.0f} {max(rss):>6.0f} "
        f"{milliseconds(p50):>7} {milliseconds(p99):>7} {outcome.code!s:>4}"
    )


def milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


HEAD: Final = (
    f"{'phase':<9} {'frames/s':>9} {'s':>6} {'read/s':>9} {'left out':>9} {'lost':>6} {'gaps':>6} {'missing':>7} "
    f"{'unexplained':>11} {'RSS MB':>6} {'half':>6} {'most':>6} {'p50 ms':>7} {'p99 ms':>7} {'exit':>4}"
)


def capacity(markets: int) -> int:
    """The highest rate of the ladder at which every frame is sent, read and judged in time."""
    best = 0
    for rate in LADDER:
        outcome = run(rate, markets, STEP_S)
        print(told("step", outcome), flush=True)
        if not outcome.kept_up:
            break
        best = rate
    if not best:
        raise SystemExit("not even the lowest rate is kept up with")
    return best


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="the bot under load")
    parser.add_argument("--markets", type=int, default=6)
    parser.add_argument("--rate", type=int, default=None, help="the capacity, where it is known")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--flood-seconds", type=float, default=10.0)
    parser.add_argument("--trials", type=int, default=1_000)
    options = parser.parse_args(arguments)
    before = os.getloadavg()[0]
    print(HEAD)
    most = options.rate or capacity(options.markets)
    steady = run(int(most * SHARE), options.markets, options.seconds, trials=options.trials)
    print(told("steady", steady), flush=True)
    flood = run(FLOOD, options.markets, options.flood_seconds, trials=options.trials // 10, flood=True)
    print(told("flood", flood), flush=True)
    print(f"capacity {most:,} frames/s with {options.markets} markets")
    print(f"ready again {flood.back_s:.2f} s after the flood" if flood.back_s is not None else "")
    for phase, outcome in (("steady", steady), ("flood", flood)):
        for name, values in (
            ("latch", outcome.latch_ms),
            ("answer", outcome.answer_ms),
            ("a process that does nothing", outcome.floor_ms),
        ):
            print(
                f"{phase}: halt to {name}: {len(values)} trials, p50 {quantile(values, 0.5):.2f} ms, "
                f"p99 {quantile(values, 0.99):.2f} ms, most {quantile(values, 1):.2f} ms"
            )
    print(f"load of the machine (1 min) {before:.1f} before, {os.getloadavg()[0]:.1f} after, {os.cpu_count()} cores")
    problems = broken(steady, flood)
    for problem in problems:
        print(f"NOT KEPT  {problem}")
    return 1 if problems else 0


def broken(steady: Run, flood: Run) -> list[str]:
    """The bounds of the test that were not kept."""
    found = [line for outcome in (steady, flood) for line in outcome.unexplained[:5]]
    found += [f"exit code {outcome.code} at {outcome.rate}" for outcome in (steady, flood) if outcome.code != 0]
    for outcome in (steady, flood):
        half = len(outcome.rss_mb) // 2
        grown = max(outcome.rss_mb[half:]) - max(outcome.rss_mb[: half + 1])
        if grown > RSS_GROWTH_MB:
            found.append(f"{grown:.0f} MB more in the second half at {outcome.rate}")
    for outcome in (steady, flood):
        if outcome.latch_ms and quantile(outcome.latch_ms, 0.99) > LATCH_MS:
            found.append(
                f"halt to latch {quantile(outcome.latch_ms, 0.99):.2f} ms at {outcome.rate} frames/s "
                f"({quantile(outcome.floor_ms, 0.99):.2f} ms into a process that does nothing)"
            )
    return found


if __name__ == "__main__":
    sys.exit(main())
