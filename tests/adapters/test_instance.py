"""One bot per directory: two of them, and one that died."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from adapters.instance import PAUSE_S, AnotherInstance, InstanceLock
from models.clock import WallNs

HOLD = """
import sys
from pathlib import Path
from adapters.instance import InstanceLock
InstanceLock(Path(sys.argv[1]), 1234).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def another(path: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_a_second_process_is_refused_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "data" / "lock"
    with another(path) as child:
        with pytest.raises(AnotherInstance) as refused:
            InstanceLock(path, WallNs(1)).acquire()
        child.kill()

    assert (refused.value.pid, refused.value.since) == (child.pid, 1234)
    assert str(child.pid) in str(refused.value)


def test_kill_9_frees_the_lock_and_the_file_of_the_dead_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with another(path) as child:
        child.send_signal(signal.SIGKILL)

    with InstanceLock(path, WallNs(2)):
        assert b"since_wall_ns" in path.read_bytes()


def test_the_lock_is_free_after_release_and_releasing_twice_is_once(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, second = InstanceLock(path, WallNs(1), pid=7), InstanceLock(path, WallNs(2), pid=8)
    first.acquire()
    with pytest.raises(AnotherInstance, match="process 7"):
        second.acquire()

    first.release()
    first.release()
    with second, pytest.raises(AnotherInstance, match="process 8"):
        first.acquire()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff" * 2000])
def test_a_holder_that_left_no_readable_text_still_holds(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lock"
    with InstanceLock(path, WallNs(1)):
        path.write_bytes(content)
        with pytest.raises(AnotherInstance) as refused:
            InstanceLock(path, WallNs(2)).acquire()

    assert (refused.value.pid, refused.value.since) == (None, None)


def test_the_file_and_a_directory_made_for_it_are_private(tmp_path: Path) -> None:
    path = tmp_path / "data" / "lock"

    with InstanceLock(path, WallNs(1)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_command_that_looks_at_the_lock_does_not_keep_a_bot_from_starting(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    looking = os.open(path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH | fcntl.LOCK_NB)
    soon = threading.Timer(PAUSE_S, os.close, (looking,))
    soon.start()

    with InstanceLock(path, WallNs(3)):
        assert b"since_wall_ns" in path.read_bytes()
    soon.join()
