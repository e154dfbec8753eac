"""kill -9 at random instants while a child writes: what it said was committed is there, and the chain holds."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.clock import SystemClock
from adapters.ledger.connection import open_ledger, open_reader
from tests.adapters.ledger.ledger_rows import ledger_path

CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from adapters.clock import SystemClock
from adapters.ledger.connection import open_ledger
from tests.adapters.ledger.ledger_rows import a_config, a_run, a_skip, an_attempt, an_intent
clock = SystemClock()
ledger = open_ledger(Path(sys.argv[1]), clock)
turn = sys.argv[2]
at = clock.wall_ns()
ledger.writer.take(a_config(), at)
ledger.writer.take(a_run(a_config(), "run-" + turn), at)
ledger.writer.take(an_attempt("a-" + turn, None), at)
for number in range(100000):
    ledger.writer.take(a_skip(number, ), at) if turn == "0" and number % 3 == 0 else None
    if number % 16 == 0:
        ledger.writer.flush(at, sync=False)
    name = "c-%s-%d" % (turn, number)
    ledger.writer.commit((an_intent("a-" + turn, 0, client_order_id=name),), (), at)
    print(name, flush=True)
    if number % 5 == 0:
        ledger.sync_mark()
    if number % 50 == 0:
        ledger.writer.checkpoint()
"""

KILLS = 5


@pytest.mark.slow
def test_no_acknowledged_intent_is_lost_by_a_kill_and_every_start_verifies(tmp_path: Path) -> None:
    path = ledger_path(tmp_path)
    root = str(Path(__file__).parents[2])
    rng = random.Random(5)
    acknowledged: set[str] = set()
    for turn in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD.format(root=root), str(path), str(turn)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        acknowledged.add(child.stdout.readline().strip())
        deadline = time.monotonic() + rng.uniform(0.0, 0.15)
        while time.monotonic() < deadline:
            acknowledged.add(child.stdout.readline().strip())
        child.send_signal(signal.SIGKILL)
        acknowledged.update(child.stdout.read().split("\n")[:-1])
        child.wait()
        child.stdout.close()

        open_ledger(path, SystemClock()).close()

    acknowledged.discard("")
    stored = {row[0] for row in open_reader(path).execute("SELECT client_order_id FROM order_intents")}
    assert len(acknowledged) > KILLS
    assert acknowledged <= stored
