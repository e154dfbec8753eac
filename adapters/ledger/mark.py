"""The high-water mark: how many rows were on disk, kept outside the ledger.

SQLite reads a database whose -wal file is gone as a clean, shorter one (reliability L06). The mark notices: it holds
the newest row that was synced, in a file of two slots that are written in turn, so a torn write leaves the other slot.
It is written after a commit and off the send path; a mark that lags behind is harmless, one that is ahead means loss.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Final

from adapters.ledger.chain import GENESIS, Head

SLOT_BYTES: Final = 128


def mark_path(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + ".mark")


def verified_path(ledger: Path) -> Path:
    """Beside the ledger: up to which row the chain has been verified by reading. Same form as the mark."""
    return ledger.with_name(ledger.name + ".verified")


def remember_verified(ledger: Path, head: Head) -> None:
    """Note that the chain holds up to `head`. Where that cannot be written, the next reader only takes longer."""
    try:
        write_new_mark(verified_path(ledger), head)
    except OSError:
        pass


def read_mark(path: Path) -> Head | None:
    """The newest head that was marked; None where the file is missing or neither slot can be read."""
    try:
        content = path.read_bytes()[: 2 * SLOT_BYTES]
    except OSError:
        return None
    heads = [head for at in (0, SLOT_BYTES) if (head := _parse(content[at : at + SLOT_BYTES])) is not None]
    return max(heads, key=lambda head: head.seq, default=None)


def write_new_mark(path: Path, head: Head) -> None:
    """Put a fresh mark in place, all or nothing, on the disk before this returns."""
    temporary = path.with_name(path.name + ".new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, _slot(GENESIS) + _slot(head))
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class Mark:
    """The mark of one open ledger. Used by the ledger's thread alone."""

    def __init__(self, path: Path, head: Head) -> None:
        """`path` exists and says `head`."""
        self._fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        self._slot = 0
        self.head = head

    def advance(self, head: Head) -> None:
        """Record that every row up to `head` is on the disk. Raises `OSError`; the other slot stands then."""
        if head.seq <= self.head.seq:
            return
        os.pwrite(self._fd, _slot(head), self._slot * SLOT_BYTES)
        os.fdatasync(self._fd)
        self._slot = 1 - self._slot
        self.head = head

    def close(self) -> None:
        os.close(self._fd)


def _slot(head: Head) -> bytes:
    content = json.dumps({"seq": head.seq, "hash": head.hash.hex()}, separators=(",", ":")).encode()
    return (b"%s %08x" % (content, zlib.crc32(content))).ljust(SLOT_BYTES - 1) + b"\n"


def _parse(slot: bytes) -> Head | None:
    content, _, checksum = slot.strip().rpartition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(content):
            return None
        written = json.loads(content)
        return Head(int(written["seq"]), bytes.fromhex(written["hash"]))
    except (ValueError, KeyError, TypeError):
        return None
