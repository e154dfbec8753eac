"""Room on the disk that is kept free for the worst moment.

On a full disk nothing new may be opened, but a half-filled set still has to be protected, and no order leaves without
its committed intent (I1). So a few megabytes beside the ledger are occupied from the first day, and given back to the
writer when the disk is full: enough for hundreds of protective orders.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 4 * 1024 * 1024


class Reserve:
    """The file `<ledger>.reserve`. Used by the ledger's thread alone."""

    def __init__(self, ledger: Path) -> None:
        self._path = ledger.with_name(ledger.name + ".reserve")

    def fill(self) -> None:
        """Occupy the room, if it is not occupied yet. A disk without that much room is left alone."""
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, RESERVE_BYTES)
            finally:
                os.close(fd)
        except OSError:
            self.give()

    def give(self) -> bool:
        """Give the room back; False where there was none."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
