"""The halt latch, the permit and their files: what opens the gate, what closes it, what survives."""

from __future__ import annotations

import json
import os
import random
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.gate import Gate, ResumeRefused, halt_offline
from adapters.permit import FileIdentity, HaltRecord, Permit, StateDirectory
from models.clock import SECOND, BootNs, Timer, WallNs

HOUR = 3600 * SECOND


class HandClock:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000 * SECOND
        self.boot = 1_000 * SECOND

    def wall_ns(self) -> WallNs:
        return WallNs(self.wall)

    def boot_ns(self) -> BootNs:
        return BootNs(self.boot)

    def call_after(self, delay_ns: int, callback: Callable[[], None]) -> Timer:
        raise NotImplementedError("the gate sets no timers")

    def pass_ns(self, elapsed: int) -> None:
        self.wall += elapsed
        self.boot += elapsed


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def a_gate(data: Path, clock: HandClock, scope: str = "paper") -> Gate:
    return Gate(data / "permit", clock, scope=scope)


def opens(gate: Gate, *market_ids: str) -> bool:
    with gate.enter_opening(market_ids or ("m1",)) as granted:
        return granted


def why(gate: Gate) -> str | None:
    return None if gate.tripped is None else gate.tripped.reason


# -- permit ---------------------------------------------------------------------------------------------------------


def test_a_fresh_directory_is_halted_until_somebody_gives_a_permit(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)

    assert not opens(gate)
    assert why(gate) == "no permit: `resume` gives one"

    assert gate.grant_fresh("paper run")
    assert opens(gate)
    assert why(gate) is None
    assert gate.permit is not None
    assert gate.permit.by == "paper run"


def test_resume_opens_a_live_gate_and_a_restart_finds_it_open(data: Path, clock: HandClock) -> None:
    a_gate(data, clock, "live:simulated").resume("operator", "start of day")

    again = a_gate(data, clock, "live:simulated")

    assert opens(again)
    assert again.permit is not None
    assert (again.permit.by, again.permit.reason) == ("operator", "start of day")


def test_a_permit_for_paper_does_not_open_live(data: Path, clock: HandClock) -> None:
    a_gate(data, clock, "paper").grant_fresh("paper run")

    live = a_gate(data, clock, "live:kalshi")

    assert not opens(live)
    assert live.tripped is not None
    assert "for paper, not for live:kalshi" in live.tripped.reason
    assert not live.grant_fresh("careless")
    assert not opens(live)


def test_a_permit_ends_after_24_hours_and_resume_renews_it(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.resume("operator", "go")

    clock.pass_ns(24 * HOUR - 1)
    assert opens(gate)
    clock.pass_ns(1)
    assert not opens(gate)
    assert gate.tripped is not None
    assert "expired" in gate.tripped.reason

    gate.resume("operator", "again")
    assert opens(gate)


def test_setting_the_wall_clock_back_does_not_lengthen_a_permit(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.resume("operator", "go")

    clock.pass_ns(23 * HOUR)
    clock.wall -= 20 * HOUR
    assert opens(gate)
    clock.pass_ns(HOUR)
    assert not opens(gate)


def test_a_permit_from_the_future_or_longer_than_a_day_is_none(data: Path, clock: HandClock) -> None:
    a_gate(data, clock).resume("operator", "go")
    written = json.loads((data / "permit").read_text())

    clock.wall -= 2 * HOUR
    assert not opens(a_gate(data, clock))

    clock.wall += 2 * HOUR
    written["expires_wall_ns"] += 1
    (data / "permit").write_text(json.dumps(written))
    assert not opens(a_gate(data, clock))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b"\x00" * 4096,
        b'{"scope": "paper", "by": "x", "reason": "y", "granted_wall_ns": true, "expires_wall_ns": 9}',
        b'{"scope": "paper", "by": "x", "reason": "y", "granted_wall_ns": 1e30, "expires_wall_ns": 1e30}',
        b'{"scope": "paper", "by": "x", "reason": "y", "granted_wall_ns": NaN, "expires_wall_ns": NaN}',
        b"[" * 60_000,
    ],
)
def test_a_permit_that_cannot_be_read_halts_and_is_not_replaced_by_itself(
    data: Path, clock: HandClock, content: bytes
) -> None:
    a_gate(data, clock).grant_fresh("paper run")
    (data / "permit").write_bytes(content)

    gate = a_gate(data, clock)

    assert not opens(gate)
    assert gate.tripped is not None
    assert not gate.grant_fresh("paper run")
    assert not opens(gate)


def test_paper_replaces_an_expired_permit_by_itself_but_not_one_taken_away(data: Path, clock: HandClock) -> None:
    a_gate(data, clock).grant_fresh("paper run")
    clock.pass_ns(48 * HOUR)
    assert a_gate(data, clock).grant_fresh("paper run")

    (data / "permit").unlink()
    assert not a_gate(data, clock).grant_fresh("paper run")


def test_a_permit_in_force_can_be_renewed_and_a_halted_one_cannot(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.grant_fresh("paper run")
    clock.pass_ns(23 * HOUR)

    assert gate.renew("paper run")
    clock.pass_ns(23 * HOUR)
    assert opens(gate)

    gate.trip("drill", "operator")
    assert not gate.renew("paper run")
    assert not opens(gate)


# -- halt -----------------------------------------------------------------------------------------------------------


def test_a_halt_keeps_its_first_reason_and_survives_a_restart(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.grant_fresh("paper run")

    first = gate.trip("3 partial fills in 10 minutes", "risk")
    second = gate.trip("operator is nervous", "operator")

    assert first == second == gate.tripped == HaltRecord("3 partial fills in 10 minutes", "risk", clock.wall_ns())
    assert not opens(gate)
    restarted = a_gate(data, clock)
    assert restarted.tripped == first
    assert not restarted.grant_fresh("paper run")
    assert not opens(restarted)


def test_resume_clears_the_halt_for_this_process_and_the_next(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.trip("drill", "operator")

    gate.resume("operator", "drill is over")

    assert opens(gate)
    assert opens(a_gate(data, clock))


def test_protective_orders_pass_a_halted_gate_while_an_opening_one_is_being_sent(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.grant_fresh("paper run")

    with gate.enter_opening(["m1"]) as opening, gate.enter_protective() as beside:
        assert (opening, beside) == (True, True)

    gate.trip("drill", "operator")
    passed: list[bool] = []

    def unwind() -> None:
        with gate.enter_protective() as granted:
            passed.append(granted)

    with gate.enter_opening(["m1"]):
        thread = threading.Thread(target=unwind)
        thread.start()
        thread.join(5)
    assert passed == [True]


def test_a_lane_may_trip_from_inside_its_own_entry(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.grant_fresh("paper run")

    with gate.enter_opening(["m1"]) as granted:
        assert granted
        gate.trip("row hash differs", "lane")

    assert not opens(gate)


def test_the_listener_hears_halts_and_resumes_and_its_failure_is_not_the_halts(data: Path, clock: HandClock) -> None:
    heard: list[HaltRecord | None] = []

    def listen(record: HaltRecord | None) -> None:
        heard.append(record)
        raise RuntimeError("listener is broken")

    gate = Gate(data / "permit", clock, on_change=listen)
    gate.grant_fresh("paper run")
    record = gate.trip("drill", "operator")
    gate.trip("again", "operator")
    gate.resume("operator", "over")

    assert heard == [None, record, None]


def test_a_hold_refuses_openings_until_it_is_released_and_is_not_a_halt(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.grant_fresh("paper run")

    gate.hold("reconciling")
    assert not opens(gate)
    assert gate.tripped is None
    assert gate.held == "reconciling"

    gate.release_hold()
    assert opens(gate)


def test_holds_of_several_keys_add_up(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.grant_fresh("paper run")

    gate.hold("starting")
    gate.hold("reconciling", "reconcile")
    gate.release_hold()

    assert gate.held == "reconciling"
    assert not opens(gate)
    gate.release_hold("reconcile")
    assert opens(gate)


def test_a_halt_during_resume_wins(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.trip("first", "risk")

    class TripsWhileGranting(HandClock):
        """The clock is read for the second time after the permit is written: the instant for a race."""

        reads = 0

        def boot_ns(self) -> BootNs:
            self.reads += 1
            if self.reads == 1:
                other = threading.Thread(target=gate.trip, args=("second", "operator"))
                other.start()
                while gate._trips < 2:
                    other.join(0.001)
            return super().boot_ns()

    gate._clock = TripsWhileGranting()

    with pytest.raises(ResumeRefused, match="halt"):
        gate.resume("operator", "go")
    assert not opens(gate)
    assert gate.tripped is not None
    assert gate.tripped.reason == "first"
    assert not opens(a_gate(data, clock))


class HaltsMeanwhile(HandClock):
    """A clock whose `read`-th reading is the instant at which another shell halts."""

    def __init__(self, data: Path, read: int) -> None:
        super().__init__()
        self.data = data
        self.left = read

    def wall_ns(self) -> WallNs:
        self.left -= 1
        if self.left == 0:
            halt_offline(self.data, "another shell", "operator", HandClock())
        return super().wall_ns()


def test_a_halt_from_another_shell_after_the_question_is_not_answered_by_it(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.trip("first", "risk")
    seen = gate.halts_seen()
    halt_offline(data, "second", "operator", clock)

    with pytest.raises(ResumeRefused, match="another halt"):
        gate.resume("operator", "go", seen)

    for each in (gate, a_gate(data, clock)):
        assert why(each) == "first"
        assert not opens(each)
    gate.resume("operator", "now I know of both")
    assert opens(gate)
    assert opens(a_gate(data, clock))


def test_a_halt_in_this_process_after_the_question_is_not_answered_by_it(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.trip("first", "risk")
    seen = gate.halts_seen()
    gate.trip("second", "kill switch")

    with pytest.raises(ResumeRefused, match="halt"):
        gate.resume("operator", "go", seen)

    assert not opens(gate)
    assert not opens(a_gate(data, clock))


@pytest.mark.parametrize("halted_before", [True, False])
def test_a_halt_from_another_shell_while_the_permit_is_written_wins(
    data: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch, halted_before: bool
) -> None:
    gate = a_gate(data, clock)
    if halted_before:
        gate.trip("first", "risk")
    write = StateDirectory.write_permit

    def writes_and_halts(files: StateDirectory, permit: Permit) -> FileIdentity:
        identity = write(files, permit)
        halt_offline(data, "another shell", "operator", clock)
        return identity

    monkeypatch.setattr(StateDirectory, "write_permit", writes_and_halts)
    with pytest.raises(ResumeRefused, match="another halt"):
        gate.resume("operator", "go")

    monkeypatch.undo()
    assert not opens(gate)
    again = a_gate(data, clock)
    assert why(again) == "another shell"
    assert not opens(again)
    assert not list(data.glob("*.answered"))


def test_a_renewal_does_not_clear_a_halt_from_another_shell(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.grant_fresh("paper run")
    gate._clock = HaltsMeanwhile(data, read=2)  # read when the permit is judged, then for the new one's times

    assert not gate.renew("paper")

    assert not opens(gate)
    assert not opens(a_gate(data, clock))


def test_a_resume_that_was_killed_half_way_leaves_all_halted(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.trip("first", "risk")
    gate.trip_market("m1", "partial fill", "executor")
    (data / "halt").rename(data / "halt.answered")
    (market,) = (data / "halts").iterdir()
    market.rename(market.with_name(market.name + ".answered"))

    again = a_gate(data, clock)

    assert why(again) == "first"
    assert list(again.market_halts) == ["m1"]
    again.resume("operator", "go")
    assert not opens(again, "m1")
    again.resume_market("m1", "operator", "go")
    assert opens(again, "m1")
    assert opens(a_gate(data, clock), "m1")


@pytest.mark.parametrize("market_id", [None, "m1"])
def test_no_resume_ever_undoes_a_halt_that_races_it(data: Path, clock: HandClock, market_id: str | None) -> None:
    """Whatever the instant at which another shell halts, the gate is halted once both have ended."""
    gate = a_gate(data, clock)
    gate.resume("operator", "go")
    chance = random.Random(7)
    outcomes = set()
    for trial in range(150):
        if market_id is None:
            gate.trip("first", "risk")
        else:
            gate.trip_market(market_id, "first", "risk")
        seen, delay_s = gate.halts_seen(market_id), chance.uniform(0, 0.002)
        shell = threading.Timer(delay_s, halt_offline, (data, "second", "operator", clock, market_id))
        shell.start()
        if trial == 0:
            shell.join()
        try:
            if market_id is None:
                gate.resume("operator", "go", seen)
            else:
                gate.resume_market(market_id, "operator", "go", seen)
            outcomes.add("halted after it")
        except ResumeRefused:
            outcomes.add("refused")
        shell.join()

        assert gate.halt_on_disk(market_id)
        gate.refresh()
        assert not opens(gate, "m1")
        if market_id is None:
            gate.resume("operator", "go")
        else:
            gate.resume_market(market_id, "operator", "go")
        assert opens(gate, "m1")
    assert "refused" in outcomes


def test_a_second_halt_of_a_market_from_another_shell_is_not_undone_by_the_answer_to_the_first(
    data: Path, clock: HandClock
) -> None:
    gate = a_gate(data, clock)
    gate.grant_fresh("paper run")
    gate.trip_market("m1", "partial fill", "executor")
    seen = gate.halts_seen("m1")
    halt_offline(data, "news", "operator", clock, market_id="m1")

    with pytest.raises(ResumeRefused, match="new halt"):
        gate.resume_market("m1", "operator", "go", seen)

    assert not opens(gate, "m1")
    assert not opens(a_gate(data, clock), "m1")


# -- markets --------------------------------------------------------------------------------------------------------


def test_a_halted_market_refuses_its_sets_only_and_survives_a_restart(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.grant_fresh("paper run")

    record = gate.trip_market("../../etc/passwd", "partial fill", "executor")

    for each in (gate, a_gate(data, clock)):
        assert not opens(each, "m1", "../../etc/passwd")
        assert opens(each, "m1", "m2")
        assert dict(each.market_halts) == {"../../etc/passwd": record}
    assert [path.parent for path in (data / "halts").iterdir()] == [data / "halts"]

    gate.resume_market("../../etc/passwd", "operator", "looked at it")
    assert opens(gate, "../../etc/passwd")
    assert opens(a_gate(data, clock), "../../etc/passwd")


def test_an_empty_market_halt_file_still_halts_its_market(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.grant_fresh("paper run")
    gate.trip_market("m1", "partial fill", "executor")
    (file,) = (data / "halts").iterdir()
    file.write_bytes(b"")

    again = a_gate(data, clock)

    assert not opens(again, "m1")
    assert opens(again, "m2")
    assert list(again.market_halts) == [file.name]


# -- another process, another disk ----------------------------------------------------------------------------------


def test_halt_from_outside_acts_on_the_next_order_and_latches_at_the_next_refresh(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.grant_fresh("paper run")

    record, stored = halt_offline(data, "operator from another shell", "operator", clock)

    assert stored
    assert not opens(gate)
    gate.refresh()
    assert gate.tripped == record
    assert not opens(a_gate(data, clock))


def test_halting_one_market_from_outside_is_noticed_at_the_next_refresh(data: Path, clock: HandClock) -> None:
    gate = a_gate(data, clock)
    gate.grant_fresh("paper run")

    record, stored = halt_offline(data, "news", "operator", clock, market_id="m1")
    gate.refresh()

    assert stored
    assert gate.tripped is None
    assert dict(gate.market_halts) == {"m1": record}
    assert not opens(gate, "m1")
    assert opens(gate, "m2")


def test_halt_before_the_first_start_ever_holds(data: Path, clock: HandClock) -> None:
    _, stored = halt_offline(data, "not today", "operator", clock)

    gate = a_gate(data, clock)

    assert stored
    assert not gate.grant_fresh("paper run")
    assert gate.tripped is not None
    assert gate.tripped.reason == "not today"


@pytest.mark.parametrize("act", ["unlink", "truncate", "replace"])
def test_refresh_trips_when_somebody_touches_the_permit(data: Path, clock: HandClock, act: str) -> None:
    gate = a_gate(data, clock)
    gate.grant_fresh("paper run")
    permit = data / "permit"

    if act == "unlink":
        permit.unlink()
    elif act == "truncate":
        os.truncate(permit, 0)
    else:
        copy = data / "copy"
        copy.write_bytes(permit.read_bytes())
        copy.rename(permit)

    assert not opens(gate)
    gate.refresh()
    assert gate.tripped is not None
    assert "permit file" in gate.tripped.reason


def test_files_are_private(data: Path, clock: HandClock) -> None:
    old = os.umask(0)
    try:
        gate = a_gate(data, clock)
        gate.grant_fresh("paper run")
        gate.trip_market("m1", "x", "y")
    finally:
        os.umask(old)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [data, *data.rglob("*")]}

    assert {modes.pop("data"), modes.pop("halts")} == {0o700}
    assert set(modes.values()) == {0o600}
