"""P7: the ledger under 20,000 decision rows a second, and the report on a million of them.

    python -m bench.ledger_load commits [ROUNDS]     intents idle and under load, interleaved in one process
    python -m bench.ledger_load report [ROWS]        seconds of `report` from the last verified row on

Each prints one JSON line. The loads are real rows through the real actor on its own thread; an intent's delay runs from
the executor's `tell` to the lanes being told.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from actors.dispatch import OwnDispatcher
from actors.ledger import LedgerActor
from adapters.clock import SystemClock
from adapters.ledger.connection import Ledger, open_ledger
from models.book import TopOfBook
from models.clock import SECOND, BootNs, WallNs
from models.fees import FeeSchedule
from models.market import Action, BookModel, MarketId, Outcome, SetId, VenueName
from models.messages import CommitIntents, MinuteCounted, Opportunity, OpportunitySkipped, SendOrders
from models.money import MicroShares, MicroUsd, PriceMicros
from models.orders import AttemptId, ClientOrderId, OrderIntent, Purpose, TimeInForce
from models.rows import AttemptOpened, RunStarted, config_used
from models.sets import SetLeg, binary_set
from models.signal import SetTerms, Surroundings, Thresholds, decide
from models.verdict import FreshnessLimits

RATE = 20_000
PHASE_S = 1.5
INTENT_EVERY_S = 0.008


def main(words: list[str]) -> None:
    sys.setswitchinterval(0.0005)
    what, number = words[0], int(words[1]) if len(words) > 1 else 0
    with tempfile.TemporaryDirectory(prefix="dutchbook-bench-") as directory:
        path = Path(directory) / "ledger.sqlite"
        print(
            json.dumps(commits(path, number or 7) if what == "commits" else report_seconds(path, number or 1_000_000))
        )


# -- intents beside decision rows


def commits(path: Path, rounds: int) -> dict[str, Any]:
    """Delays of intents in alternating phases without and with load."""
    clock = SystemClock()
    clock.start()
    ledger = _begun(path, clock, 1)
    lanes = _Lanes()
    actor = LedgerActor.start(
        OwnDispatcher(lambda name: print(f"the inbox of {name} is full", file=sys.stderr)),
        lambda name, error: print(f"{name}: {error!r}", file=sys.stderr),
        ledger,
        lanes=lanes,
        executors=_Nobody(),
        gate=_Nobody(),
        clock=clock,
    )
    row = _skip("m0")
    gc.collect()
    gc.freeze()
    delays: dict[bool, list[float]] = {False: [], True: []}
    told = 0
    for phase in range(2 * rounds):
        loaded = bool(phase % 2)
        told += _phase(actor, lanes, row, told, loaded=loaded, into=delays[loaded])
    began = time.perf_counter()
    while ledger.writer.waiting:
        time.sleep(0.001)
    drained = time.perf_counter() - began
    actor.stop()
    ledger.close()
    clock.stop()
    idle, busy = sorted(delays[False]), sorted(delays[True])
    return {
        "rate": RATE,
        "rows": told,
        "intents": len(idle) + len(busy),
        "idle_p50_ms": _at(idle, 50),
        "idle_p99_ms": _at(idle, 99),
        "loaded_p50_ms": _at(busy, 50),
        "loaded_p99_ms": _at(busy, 99),
        "drained_after_s": round(drained, 3),
    }


def _phase(actor: Any, lanes: _Lanes, row: Opportunity, first: int, *, loaded: bool, into: list[float]) -> int:
    """One phase; returns how many rows were told."""
    ends = time.perf_counter() + PHASE_S
    sent = _Load(actor, row, first, ends) if loaded else None
    number = 0
    while time.perf_counter() < ends:
        number += 1
        attempt = AttemptId(f"a-{first}-{loaded}-{number}-{ends}")
        began = time.perf_counter()
        actor.tell(CommitIntents(attempt_id=attempt, intents=_intents(attempt), together=True))
        if lanes.heard.wait(30.0):
            into.append(lanes.at - began)
            lanes.heard.clear()
        time.sleep(INTENT_EVERY_S)
    return 0 if sent is None else sent.finish()


class _Load:
    """A thread that tells `RATE` rows a second until the phase ends."""

    def __init__(self, actor: Any, row: Opportunity, first: int, ends: float) -> None:
        self._count = 0
        self._thread = threading.Thread(target=self._run, args=(actor, row, first, ends), daemon=True)
        self._thread.start()

    def finish(self) -> int:
        self._thread.join()
        return self._count

    def _run(self, actor: Any, row: Opportunity, first: int, ends: float) -> None:
        began = time.perf_counter()
        while (now := time.perf_counter()) < ends:
            due = int((now - began) * RATE)
            while self._count < due:
                name = f"o-{first + self._count:08x}"
                actor.tell(OpportunitySkipped(opportunity=replace(row, opportunity_id=name)))
                self._count += 1
            time.sleep(0.0005)


class _Lanes:
    def __init__(self) -> None:
        self.heard = threading.Event()
        self.at = 0.0

    def tell(self, _message: SendOrders) -> None:
        self.at = time.perf_counter()
        self.heard.set()


class _Nobody:
    def tell(self, _message: object) -> None:
        """Not measured here."""

    def trip(self, reason: str, by: str) -> None:
        print(f"tripped by {by}: {reason}", file=sys.stderr)


def _at(delays: list[float], percent: int) -> float:
    return round(1e3 * delays[min(len(delays) - 1, len(delays) * percent // 100)], 3) if delays else 0.0


# -- the report


def report_seconds(path: Path, rows: int) -> dict[str, Any]:
    """Wall time of the whole verb in a process of its own, once everything has been verified before."""
    clock = SystemClock()
    ledger = _begun(path, clock, 50)
    base = [_skip(f"m{i}") for i in range(50)]
    now = clock.wall_ns()
    began = time.perf_counter()
    for number in range(rows):
        row = replace(
            base[number % 50],
            opportunity_id=f"o-{number:08x}",
            episode_id=f"e-{number // 6:08x}",
            at=WallNs(now + number * 600_000),
        )
        ledger.writer.take(OpportunitySkipped(opportunity=row), now)
        if number % 50 == 0:
            counted = MinuteCounted(
                set_id=SetId("m0"),
                minute=now // SECOND // 60 + number // 1000,
                updates=100,
                evaluations=90,
                sum_cost_counts=((97, 2), (99, 20), (103, 68)),
            )
            ledger.writer.take(counted, now)
        if ledger.writer.waiting >= 64:
            ledger.writer.flush(now, sync=False)
            ledger.tidy()
    ledger.close()
    written = time.perf_counter() - began
    seconds = [_report(path) for _ in range(4)]
    return {
        "rows": rows,
        "megabytes": round(path.stat().st_size / 1e6),
        "written_rows_per_s": round(rows / written),
        "first_report_s": round(seconds[0], 2),
        "report_s": round(min(seconds[1:]), 2),
    }


def _report(path: Path) -> float:
    root = Path(__file__).parents[1]
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, str(root / "run.py"), "report", "--ledger", str(path)], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - began


# -- rows


def _begun(path: Path, clock: SystemClock, sets: int) -> Ledger:
    ledger = open_ledger(path, clock)
    now = clock.wall_ns()
    config = config_used(effective="{}", terms=[_terms(f"m{i}") for i in range(sets)], code_version="bench", at=now)
    run = RunStarted(run_id="bench", at=now, mode="live", venue="bench", account=None, config_hash=config.config_hash)
    attempt = AttemptOpened(
        attempt_id=AttemptId("a"),
        at=now,
        opportunity_id=None,
        set_id=SetId("m0"),
        mode="live",
        legs=tuple(SetLeg(MarketId("m0"), outcome) for outcome in Outcome),
        size=MicroShares(1_000_000),
        expected_payout=MicroUsd(1_000_000),
        leg_policy="together",
        policy_reason="bench",
        reserved=MicroUsd(0),
    )
    for row in (config, run, attempt):
        ledger.writer.take(row, now)
    ledger.writer.flush(now)
    return ledger


def _terms(market: str) -> SetTerms:
    fees = FeeSchedule(name="bench", as_of="2026-01-01", rate_micros=1_000)
    return SetTerms(
        complete_set=binary_set(MarketId(market)),
        fees=(fees, fees),
        book_models=(BookModel.SEPARATE, BookModel.SEPARATE),
        closes_at_ms=(None, None),
        lot=MicroShares(10_000),
        min_size=MicroShares(0),
        min_notional=MicroUsd(0),
        thresholds=Thresholds(
            min_edge=MicroUsd(5_000),
            cost_buffer=MicroUsd(2_000),
            min_depth=MicroShares(10_000_000),
            order_size=MicroShares(10_000_000),
            max_size=MicroShares(10_000_000),
            freshness=FreshnessLimits(10 * SECOND, 500, 2_000, False),
        ),
    )


def _skip(market: str) -> Opportunity:
    size = 50_000_000
    top = TopOfBook(
        MarketId(market), 7, 1, 911, None, 400_000, size, 498_000, size, 400_000, size, 500_000, size, 1_000, 1_000,
        BootNs(SECOND), BootNs(SECOND), 3, True, True,
    )  # fmt: skip
    around = Surroundings(now=BootNs(SECOND + 1), wall_ms=1)
    decision = decide(_terms(market), (top, top), around)
    assert decision is not None
    return Opportunity(
        opportunity_id="",
        set_id=SetId(market),
        episode_id="e-1",
        at=WallNs(1),
        frame_at=BootNs(SECOND),
        tops=(top, top),
        surroundings=around,
        decision=decision,
    )


def _intents(attempt: str) -> tuple[OrderIntent, ...]:
    return tuple(
        OrderIntent(
            client_order_id=ClientOrderId(f"{attempt}/{leg}"),
            attempt_id=AttemptId("a"),
            set_id=SetId("m0"),
            venue=VenueName("bench"),
            market_id=MarketId("m0"),
            leg=leg,
            outcome=outcome,
            action=Action.BUY,
            limit_price=PriceMicros(470_000),
            size=MicroShares(1_000_000),
            time_in_force=TimeInForce.IOC,
            purpose=Purpose.OPEN,
        )
        for leg, outcome in enumerate(Outcome)
    )


if __name__ == "__main__":
    main(sys.argv[1:])
