"""The -wal stays small: also where every row is flushed alone, as in a bot that trades all day."""

from __future__ import annotations

import threading
from pathlib import Path

from adapters.ledger.connection import CHECKPOINT_FLUSHES, Ledger
from tests.adapters.ledger.ledger_rows import HandClock, a_skip

BLOCKS = 8


def test_rows_that_are_flushed_one_by_one_do_not_make_the_wal_grow(ledger: Ledger, clock: HandClock) -> None:
    checkpointer = ledger._checkpointer
    assert checkpointer is not None
    sizes = []
    for block in range(BLOCKS):
        for number in range(CHECKPOINT_FLUSHES):
            ledger.writer.take(a_skip(block * CHECKPOINT_FLUSHES + number), clock.wall_ns())
            ledger.writer.flush(clock.wall_ns())
            ledger.tidy()
        for _ in range(5_000):
            if checkpointer.made > block:
                break
            threading.Event().wait(0.001)
        assert checkpointer.made > block, "no checkpoint was asked for"
        sizes.append(Path(f"{ledger.path}-wal").stat().st_size)

    assert sizes[-1] < 2 * sizes[0], "what was copied back is written over"
