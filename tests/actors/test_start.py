"""What the start ties together before there is a system."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from actors import start
from actors.simulation import SimClock
from adapters.gate import Gate


def test_a_timer_that_fails_halts_trading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Callable[[BaseException], None]] = []

    def a_clock(on_failure: Callable[[BaseException], None]) -> None:
        told.append(on_failure)
        raise start.CannotStartError(9)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(start, "SystemClock", a_clock)
    assert start.run_bot(argparse.Namespace(config=None, live=False, paper=False)) == 9

    (on_failure,) = told
    on_failure(ZeroDivisionError())  # before there is anything to halt
    gate = Gate(tmp_path / "permit", SimClock(), scope="paper:simulated")
    on_failure.__self__.system = SimpleNamespace(gate=gate)  # type: ignore[attr-defined]
    on_failure(ZeroDivisionError())

    assert gate.tripped is not None
    assert (gate.tripped.reason, gate.tripped.by) == ("a timer failed: ZeroDivisionError", "clock")
