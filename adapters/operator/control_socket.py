"""The listening UNIX socket: made for its owner alone, in place of a dead bot's and never of a live one's."""

from __future__ import annotations

import os
import socket
import stat
import struct
from pathlib import Path
from typing import Final

from adapters.operator.control_wire import socket_address

BACKLOG: Final = 8
PROBE_S: Final = 0.5


class ControlSocketError(Exception):
    """The socket cannot be made. The text says why, in the operator's terms."""


def listen_on(path: Path) -> socket.socket:
    """Bind and listen with mode 0600 in a directory of 0700. Raises `OSError`, `ControlSocketError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with socket_address(path) as address:
            listener.bind(address)
        path.chmod(0o600)  # nobody can connect before listen()
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def identity(path: Path) -> tuple[int, int]:
    """Tells our socket's file from a later one of the same name. Raises `OSError`."""
    found = path.lstat()
    return found.st_dev, found.st_ino


def _remove_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ControlSocketError(f"{path} exists and is not a socket; move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        try:
            with socket_address(path) as address:
                probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except TimeoutError:
            pass
    raise ControlSocketError(f"another bot answers on {path}")


def is_ours(peer: socket.socket) -> bool:
    """The peer runs as our own user (or root), where the system can say so; the file's mode says the same."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return uid in {os.geteuid(), 0}
