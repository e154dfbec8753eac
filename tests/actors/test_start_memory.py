"""Garbage collections do not stop a running bot for long."""

from __future__ import annotations

import gc

from actors.start import settle_memory


def test_what_stays_is_looked_at_by_no_later_collection() -> None:
    try:
        settle_memory()

        assert gc.get_freeze_count() > 10_000
        assert len(gc.get_objects()) < gc.get_freeze_count() // 20
    finally:
        gc.unfreeze()
