"""Halts on a broken disk.

Root passes file modes, and a limit on file size would hurt the test run too, so the broken disk is made in a child: it
halts there and ends by kill -9, and the parent looks at what a restart finds.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from adapters.clock import SystemClock
from adapters.gate import Gate


@pytest.fixture
def data() -> Iterator[Path]:
    """Outside pytest's own 0700 directories: the child may have to give up being root."""
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "data"


SET_UP = """
import os, resource, signal, sys
from pathlib import Path
from adapters.clock import SystemClock
from adapters.gate import Gate
data = Path(sys.argv[1])
gate = Gate(data / "permit", SystemClock())
assert gate.grant_fresh("paper run")
"""
NO_SPACE = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
"""
UNWRITABLE = """
os.chmod(data, 0o555)
if os.geteuid() == 0:
    os.chown(data / "permit", 65534, 65534)
    os.seteuid(65534)
"""
LOOK_AND_DIE = """
with gate.enter_opening(["m1"]) as granted:
    print("granted" if granted else "refused", "halted" if gate.tripped else "open", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def in_a_child(data: Path, break_disk: str, halt: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SET_UP + break_disk + halt + LOOK_AND_DIE, str(data)],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.strip()


def after_restart(data: Path) -> Gate:
    return Gate(data / "permit", SystemClock())


def opens(gate: Gate) -> bool:
    with gate.enter_opening(["m1"]) as granted:
        return granted


def test_a_halt_on_a_full_disk_holds_and_survives_kill_9(data: Path) -> None:
    said = in_a_child(data, NO_SPACE, 'gate.trip("disk is full", "ledger")')

    gate = after_restart(data)

    assert said == "refused halted"
    assert not (data / "permit").exists()
    assert not gate.grant_fresh("paper run")
    assert not opens(gate)


def test_halting_a_market_on_a_full_disk_holds_and_survives_kill_9(data: Path) -> None:
    said = in_a_child(data, NO_SPACE, 'gate.trip_market("m1", "partial fill", "executor")')

    gate = after_restart(data)

    assert said == "refused open"
    assert gate.tripped is None
    assert not opens(gate)


def test_a_halt_where_the_directory_cannot_be_written_empties_the_permit(data: Path) -> None:
    said = in_a_child(data, UNWRITABLE, 'gate.trip("cannot write", "ledger")')

    assert said == "refused halted"
    assert (data / "permit").read_bytes() == b""
    assert not (data / "halt").exists()
    assert not opens(after_restart(data))


def test_a_renewal_that_finds_no_space_leaves_the_permit_in_force_as_it_was(data: Path) -> None:
    said = in_a_child(data, NO_SPACE, 'assert not gate.renew("paper run")')

    assert said == "granted open"
    assert opens(after_restart(data))
