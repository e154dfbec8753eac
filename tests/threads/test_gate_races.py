"""Real threads racing for the gate: after a halt has returned, nothing opens."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from adapters.clock import SystemClock
from adapters.gate import Gate

LANES = 4
HALTS = 150


def test_no_opening_entry_is_granted_or_still_open_after_trip_has_returned(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "permit", SystemClock())
    halted = threading.Event()
    stop = threading.Event()
    granted = [0] * LANES
    refused = [0] * LANES
    wrong: list[str] = []

    def lane(number: int) -> None:
        while not stop.is_set():
            with gate.enter_opening(["m1"]) as may:
                if may:
                    granted[number] += 1
                    if halted.is_set():
                        wrong.append("granted after trip returned")
                    # The first byte leaves here; give the halting thread every chance to come in between.
                    time.sleep(0)
                    if halted.is_set():
                        wrong.append("trip returned while an entry was open")
                else:
                    refused[number] += 1

    lanes = [threading.Thread(target=lane, args=(number,)) for number in range(LANES)]
    for thread in lanes:
        thread.start()
    try:
        for _ in range(HALTS):
            halted.clear()
            gate.resume("operator", "round")
            before = sum(granted)
            _until(lambda before=before: sum(granted) > before)
            gate.trip("race", "operator")
            halted.set()
            before = sum(refused)
            _until(lambda before=before: sum(refused) > before + LANES)
    finally:
        stop.set()
        for thread in lanes:
            thread.join(5)

    assert not wrong
    assert sum(granted) >= HALTS


def test_of_racing_halts_one_is_first_and_all_return_it(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "permit", SystemClock())
    gate.grant_fresh("paper")
    line = threading.Barrier(8)
    seen: list[str] = []

    def halt(number: int) -> None:
        line.wait(5)
        seen.append(gate.trip(f"reason {number}", "test").reason)

    threads = [threading.Thread(target=halt, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)

    assert len(seen) == 8
    assert len(set(seen)) == 1


def test_trip_returns_only_when_the_entry_that_was_open_has_been_left(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "permit", SystemClock())
    gate.grant_fresh("paper")
    halting = threading.Thread(target=gate.trip, args=("drill", "operator"))

    with gate.enter_opening(["m1"]) as may:
        assert may
        halting.start()
        _until(lambda: gate.tripped is not None)
        halting.join(0.1)
        returned_inside = not halting.is_alive()
    halting.join(5)

    assert not returned_inside
    assert not halting.is_alive()


def test_a_halt_takes_effect_at_once_although_a_sender_hangs_inside_its_entry(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "permit", SystemClock())
    gate.grant_fresh("paper")
    inside, leave = threading.Event(), threading.Event()

    def hung_lane() -> None:
        with gate.enter_opening(["m1"]):
            inside.set()
            leave.wait(30)

    lane = threading.Thread(target=hung_lane)
    lane.start()
    assert inside.wait(5)

    halting = threading.Thread(target=gate.trip, args=("lane hangs", "watchdog"))
    halting.start()
    _until(lambda: gate.tripped is not None)
    halting.join(5)  # gives up on the hung sender after a second and puts the halt on disk all the same

    assert not halting.is_alive()
    assert not (tmp_path / "permit").exists()
    leave.set()
    lane.join(5)
    with gate.enter_opening(["m1"]) as may:
        assert not may


def _until(condition: object, limit_s: float = 10) -> None:
    assert callable(condition)
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "condition never came true"
        time.sleep(0.0002)
