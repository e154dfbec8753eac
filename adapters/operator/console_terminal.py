"""What the console needs from the terminal and the disk around its prompt: harmless keys, a private history."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory


@contextlib.contextmanager
def keys_make_no_signals() -> Iterator[None]:
    """Take Ctrl-C and Ctrl-Z their meaning of signals while the console has the terminal.

    At the prompt they are keys anyway; but while a line is printed the terminal is in its normal mode for a moment,
    and a Ctrl-C that falls into it must not stop the bot.
    """
    try:
        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)
    except (AttributeError, OSError, ValueError, termios.error):
        yield
        return
    changed = [*before[:6], list(before[6])]
    off = os.fpathconf(fd, "PC_VDISABLE")
    for key in (termios.VINTR, termios.VSUSP):
        changed[6][key] = bytes([off])
    termios.tcsetattr(fd, termios.TCSANOW, changed)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(fd, termios.TCSADRAIN, before)


class _PrivateHistory(FileHistory):
    """Lines that begin with a space are not kept."""

    def store_string(self, string: str) -> None:
        if string.strip() and not string.startswith(" "):
            super().store_string(string)


def private_history(path: Path | None) -> History:
    """On disk with mode 0600, or in memory where there is no file to be had."""
    if path is None:
        return InMemoryHistory()
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.fchmod(fd, 0o600)
        os.close(fd)
    except OSError:
        return InMemoryHistory()
    return _PrivateHistory(os.fspath(path))
