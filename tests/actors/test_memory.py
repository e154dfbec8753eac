"""Garbage collections do not stop a running bot for long, and what is dead does not stay for long."""

from __future__ import annotations

import gc
import weakref

from actors.memory import PERIOD_NS, Tidying, settle
from actors.simulation import SimClock


class Dead:
    def __init__(self) -> None:
        self.itself = self


def test_what_stays_is_looked_at_by_no_later_collection() -> None:
    try:
        settle()

        assert gc.get_freeze_count() > 10_000
        assert len(gc.get_objects()) < gc.get_freeze_count() // 20
    finally:
        gc.unfreeze()


def test_what_refers_to_itself_and_is_dead_goes_within_a_minute() -> None:
    gc.disable()  # only the call under test collects
    try:
        clock = SimClock()
        tidying = Tidying(clock)
        dead = weakref.ref(Dead())
        clock.now += PERIOD_NS - 1
        tidying()
        kept = dead()
        assert kept is not None
        del kept
        clock.now += 1
        tidying()

        assert dead() is None
    finally:
        gc.enable()
