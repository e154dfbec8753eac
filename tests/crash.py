"""kill -9 at random instants of live trading, against a simulated exchange that survives.

    python -m tests.crash [--kills 300] [--workers 3] [--seed 1]

Each worker has an exchange and a bot of its own. A life of the bot: it starts, reconciles, re-arms by its rule, opens
at least one new set, and is killed a random while later (every fifth life dies while it still starts; in a few the
venue refuses whatever could mend a half-filled set, and they die EXPOSED). After each kill the ledger is read: what was
in which state. After each restart it is looked at whether the newest row of before is still there. At the end ledger
and venue must agree to the micro-dollar, with no order that only one of them knows.

Where a restart finds reason to halt, it has to stay halted until the operator resumes; this harness is the operator.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from models.set_steps import MAX_REMEDIES
from tests.children import BotProcess, HarnessError, VenueProcess, a_bot, a_venue, changed_config, tail
from tests.oracle import disagreements, naked, reading, strangers

ATTEMPT_STATES: Final = (
    "SIGNAL_DETECTED",
    "PLACING_ORDERS",
    "WAITING_FILLS",
    "IN_DOUBT",
    "PARTIAL_FILL_PROTECT",
    "EXPOSED",
    "SUCCESS",
)
ORDER_STATES: Final = ("intended", "sent", "live", "unknown", "ended")
"""Committed and not at the venue; at the venue and not answered; and the phases that the ledger knows."""

HANGS_ON: Final = ("attempts", "attempt_changes", "order_intents", "order_changes", "fill_reports")
"""Tables of rows that an order hangs on."""

DIE_STARTING: Final = 0.2
"""Part of the lives that end before trading is on."""
DIE_EXPOSED: Final = 0.05
"""Part of the lives in which the venue refuses whatever could mend a half-filled set."""
EXPOSED_S: Final = 60.0
"""Longest wait for that: for a set to mend, and for its rounds."""
REARM_S: Final = 180.0
"""A residue that was refused waits longer and longer between its rounds."""
LIFE_S: Final = 1.2
AT_ONCE_S: Final = 0.1
"""Longest time from the first new set of a life to its end; half of the lives have the shorter one."""


@dataclass
class Tally:
    """What all workers saw."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    kills: int = 0
    starting: int = 0
    idle: int = 0
    attempts: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    rearmed: list[float] = field(default_factory=list)
    """Seconds from start to trading."""
    traded: int = 0
    """Restarts after which a new set was opened."""
    halts: Counter[str] = field(default_factory=Counter)
    lost_rows: int = 0
    wrong: list[str] = field(default_factory=list)

    def complain(self, words: str) -> None:
        with self.lock:
            self.wrong.append(words)


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest row that a reader of the ledger could see."""

    seq: int
    row_hash: bytes

    def still_in(self, connection: sqlite3.Connection) -> bool:
        return self in rows_at(connection, self.seq)


def rows_at(connection: sqlite3.Connection, seq: int) -> list[Newest]:
    found = []
    for table in HANGS_ON:
        found += connection.execute(f"SELECT seq, hash FROM {table} WHERE seq = ?", (seq,)).fetchall()
    return [Newest(*row) for row in found]


def newest(connection: sqlite3.Connection) -> Newest | None:
    rows = []
    for table in HANGS_ON:
        rows += connection.execute(f"SELECT seq, hash FROM {table} ORDER BY seq DESC LIMIT 1").fetchall()
    return Newest(*max(rows)) if rows else None


def attempts_made(ledger: Path) -> int:
    try:
        with closing(reading(ledger)) as connection:
            return int(connection.execute("SELECT count(*) FROM attempts").fetchone()[0])
    except sqlite3.Error:
        return 0


class Worker:
    """One exchange, one home, one life after the other."""

    def __init__(self, number: int, kills: int, seed: int, home: Path, tally: Tally) -> None:
        self.kills = kills
        self.dice = random.Random(f"{seed}/{number}")
        self.seed = seed * 100 + number
        self.home = home / f"worker-{number}"
        self.tally = tally
        self.before: Newest | None = None
        self.made = 0

    def run(self) -> None:
        try:
            with a_venue("--faults", "crash", "--seed", str(self.seed), "--cash", "1000000") as venue:
                bot = a_bot(self.home, venue, crash_config())
                try:
                    for _ in range(self.kills):
                        self._life(bot, venue)
                    self._last_life(bot, venue)
                finally:
                    bot.kill()
        except (HarnessError, OSError, sqlite3.Error) as error:
            self.tally.complain(f"{self.home.name}: {type(error).__name__}: {error}")

    def _life(self, bot: BotProcess, venue: VenueProcess) -> None:
        bot.start()
        if self.made and self.dice.random() < DIE_STARTING:
            time.sleep(self.dice.random() * 1.5)
            died_starting = True
        else:
            self._until_it_trades(bot)
            if self.dice.random() < DIE_EXPOSED:
                self._until_it_is_exposed(bot, venue)
            time.sleep(self.dice.random() * self.dice.choice((AT_ONCE_S, LIFE_S)))
            died_starting = False
        if bot.ledger.exists() and self.made:
            with closing(reading(bot.ledger)) as connection:
                lost = self.before is not None and not self.before.still_in(connection)
                self.before = newest(connection)
            with self.tally.lock:
                self.tally.lost_rows += lost  # what the last life showed, and this one's start has taken away
        if not bot.alive:
            self.tally.complain(f"{self.home.name}: ended by itself\n{tail(bot.terminal)}")
        bot.kill()
        self._look(bot, venue, died_starting=died_starting)

    def _until_it_trades(self, bot: BotProcess) -> None:
        """Re-armed by its rule, and a new set opened. Halted for a reason: the operator resumes, once nothing is
        open.
        """
        began = time.monotonic()
        known = attempts_made(bot.ledger)
        on = False
        while True:
            if not bot.alive:
                raise HarnessError(f"the bot ended by itself:\n{tail(bot.terminal)}")
            if time.monotonic() - began > REARM_S:
                raise HarnessError(f"not trading after {REARM_S:g} s:\n{tail(bot.terminal)}")
            if not on:
                on = self._look_at_trading(bot, began)
            elif attempts_made(bot.ledger) > known:
                break
            time.sleep(0.02)
        with self.tally.lock:
            self.tally.traded += bool(self.made)
        self.made += 1

    def _until_it_is_exposed(self, bot: BotProcess, venue: VenueProcess) -> None:
        """Or not in time: then the life ends like any other. First the other leg and the first rounds that mend are
        refused, so that protection takes a while; as soon as it is seen, the rounds that are left are refused as well.
        """
        ends = time.monotonic() + EXPOSED_S
        venue.pull("refuse", leg="later", count=3, lapses=f"{EXPOSED_S:g}s")
        refused: set[str] = set()
        while bot.alive and time.monotonic() < ends:
            flying = (bot.status() or {"in_flight": []})["in_flight"]
            if any(one["state"] == "EXPOSED" for one in flying):
                return
            mending = next((one for one in flying if one["state"] == "PARTIAL_FILL_PROTECT"), None)
            if mending is not None and not refused:
                refused.update(mending["market_ids"])
                for market in sorted(refused):
                    venue.pull("refuse", market=market, count=MAX_REMEDIES - 1, lapses=f"{EXPOSED_S:g}s")
            time.sleep(0.05)

    def _look_at_trading(self, bot: BotProcess, began: float) -> bool:
        status = bot.status()
        if status is None:
            return False
        trading = status["trading"]
        if trading["on"]:
            with self.tally.lock:
                self.tally.rearmed.append(time.monotonic() - began)
            return True
        if trading["by"] not in ("start", "stop") and not status["in_flight"]:
            answer = bot.ask("resume", "--yes", "--", "looked at it")
            if answer is not None and answer.get("resumed"):
                with self.tally.lock:
                    self.tally.halts[trading["reason"].partition(":")[2][:60].strip() or trading["reason"][:60]] += 1
        return False

    def _look(self, bot: BotProcess, venue: VenueProcess, *, died_starting: bool) -> None:
        """What the kill left: states in the ledger, and whether an acknowledged row is gone."""
        at_venue = {order["client_order_id"] for order in venue.truth()["accounts"][0]["orders"]}
        with closing(reading(bot.ledger)) as connection:
            states = connection.execute(
                "SELECT attempt_id, state FROM attempt_now WHERE ending IS NULL AND mode = 'live'"
            ).fetchall()
            orders = [
                row
                for attempt_id, _ in states
                for row in connection.execute(
                    """SELECT i.client_order_id, (SELECT phase FROM order_changes c WHERE c.client_order_id =
                       i.client_order_id ORDER BY c.seq DESC LIMIT 1) FROM order_intents i WHERE i.attempt_id = ?""",
                    (attempt_id,),
                )
            ]
            lost = self.before is not None and not self.before.still_in(connection)
        tally = self.tally
        with tally.lock:
            tally.kills += 1
            tally.starting += died_starting
            tally.idle += not states
            tally.lost_rows += lost
            tally.attempts.update(state for _, state in states)
            tally.orders.update(phase or ("sent" if own in at_venue else "intended") for own, phase in orders)
            if tally.kills % 25 == 0:
                sys.stdout.write(f"{tally.kills} kills\n")
                sys.stdout.flush()

    def _last_life(self, bot: BotProcess, venue: VenueProcess) -> None:
        """One more start, an ordered end, and then everything has to agree."""
        bot.start()
        self._until_it_trades(bot)
        code = bot.end()
        truth, report = venue.truth(), bot.report()
        found = disagreements(bot.ledger, report, truth) + strangers(bot.ledger, truth)
        found += [f"attempt {attempt_id} ended naked" for attempt_id in naked(bot.ledger)]
        if report["attempts"]["in_flight"]:
            found.append(f"{report['attempts']['in_flight']} attempts never ended")
        if code != 0:
            found.append(f"the last life ended with {code}")
        with self.tally.lock:
            self.tally.wrong += [f"{self.home.name}: {words}" for words in found]


def crash_config() -> str:
    return changed_config(cooldown_seconds="0.1", max_open_positions="10000")


def run(kills: int, workers: int, seed: int, home: Path) -> Tally:
    """All kills, shared out among the workers."""
    tally = Tally()
    share = [kills // workers + (number < kills % workers) for number in range(workers)]
    jobs = [Worker(number, count, seed, home, tally) for number, count in enumerate(share) if count]
    threads = [threading.Thread(target=job.run, name=job.home.name) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if tally.lost_rows:
        tally.wrong.append(f"{tally.lost_rows} acknowledged rows are gone")
    return tally


def tell(tally: Tally, took_s: float) -> list[str]:
    rearmed = sorted(tally.rearmed)
    middle, last = (rearmed[len(rearmed) // 2], rearmed[-1]) if rearmed else (0.0, 0.0)
    counted: dict[str, Any] = {
        "kills": f"{tally.kills} in {took_s / 60:.1f} minutes",
        "of them": f"{tally.starting} while starting, {tally.idle} with nothing open",
        "attempts open at the kill": ", ".join(f"{state} {n}" for state, n in tally.attempts.most_common()),
        "their orders": ", ".join(f"{state} {n}" for state, n in tally.orders.most_common()),
        "restarts that opened a new set": tally.traded,
        "start to trading": f"median {middle:.2f} s, longest {last:.2f} s",
        "halted and resumed by hand": f"{tally.halts.total()} {dict(tally.halts)}",
        "acknowledged rows lost": tally.lost_rows,
        "wrong": len(tally.wrong),
    }
    return [f"{what:<32} {value}" for what, value in counted.items()]


def missing(tally: Tally) -> list[str]:
    """States in which no kill hit."""
    never = [state for state in ATTEMPT_STATES if not tally.attempts[state]]
    return never + [f"order {state}" for state in ORDER_STATES if not tally.orders[state]]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="dutchbook-crash-"))
    began = time.monotonic()
    tally = run(options.kills, options.workers, options.seed, home)
    sys.stdout.writelines(f"{line}\n" for line in tell(tally, time.monotonic() - began))
    never = missing(tally)
    sys.stdout.writelines(f"NEVER HIT {state}\n" for state in never)
    sys.stdout.writelines(f"WRONG {words}\n" for words in tally.wrong)
    failed = bool(never or tally.wrong or tally.kills < options.kills)
    sys.stdout.write(f"home {home}\n{'FAIL' if failed else 'PASS'}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
