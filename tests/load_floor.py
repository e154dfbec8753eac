"""What this machine needs by itself for the way of a halt: a process that does nothing but take words from a socket.

A halt is measured from another process. On a machine that others use, too, most of its tail is waiting for a
processor; whatever the bot takes beyond this floor, measured at the same time in the same way, is the bot's.

    python -m tests.load_floor PATH     serves until its parent closes its standard input
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def a_floor(directory: Path) -> Iterator[Path]:
    """The socket of such a process."""
    path = directory / "floor.sock"
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.load_floor", str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline()
        yield path
    finally:
        child.kill()
        child.communicate()


def floor_ms(path: Path, words: bytes) -> float:
    """From before the connection is made until the other process has `words`."""
    began = time.time_ns()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(10)
        peer.connect(str(path))
        peer.sendall(words)
        return (int(peer.recv(100)) - began) / 1e6


def serve(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while True:
            peer, _ = listener.accept()
            with peer, contextlib.suppress(OSError):
                peer.recv(4096)
                peer.sendall(b"%d" % time.time_ns())


if __name__ == "__main__":
    threading.Thread(target=serve, args=(sys.argv[1],), daemon=True).start()
    sys.stdin.read()
    os._exit(0)
