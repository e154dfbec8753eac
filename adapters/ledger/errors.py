"""What can be wrong with a ledger. Each text says what was found and what to do; the file is left as it was."""

from __future__ import annotations

from pathlib import Path


class LedgerError(Exception):
    """The ledger cannot be used. The bot does not trade on a ledger that it cannot prove."""


class NotALedgerError(LedgerError):
    """The file is something else, or was cut off before it became a ledger."""


class SchemaTooNewError(LedgerError):
    """A newer Dutchbook wrote it."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            f"{path} has schema version {found}, this Dutchbook knows {known}. Use the newer Dutchbook that wrote it; "
            "the file was not touched."
        )


class SchemaTooOldError(LedgerError):
    """An older Dutchbook wrote it and nobody has upgraded it yet (readers never do)."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(f"{path} has schema version {found}, not {known}. Starting the bot upgrades it (with a copy).")


class ChainBrokenError(LedgerError):
    """A row was changed, removed or added outside the writer, or a bit of it flipped on the disk."""

    def __init__(self, path: Path, seq: int, what: str) -> None:
        super().__init__(
            f"{path}: row {seq} does not fit the hash chain ({what}). The ledger was damaged or edited after it was "
            "written. It was left as it is: keep it for study, restore a copy together with its .mark file, or move "
            "both away to begin a new one."
        )
        self.seq = seq


class RowsLostError(LedgerError):
    """The high-water mark knows more rows than the file has: a lost -wal, a partial copy, or an old backup."""

    def __init__(self, path: Path, found: int, marked: int) -> None:
        super().__init__(
            f"{path} ends at row {found}, but {marked} rows were on disk before. Its -wal file is missing or it is an "
            "incomplete copy. It was left as it is: put the complete files back, or move ledger and .mark away."
        )


class MarkMissingError(LedgerError):
    """Rows without a high-water mark: whether some are missing cannot be told."""

    def __init__(self, path: Path, mark: Path) -> None:
        super().__init__(
            f"{path} has rows but {mark.name} is missing or unreadable, so lost rows would not be noticed. Put it back "
            "or, if you know that the ledger is complete, run: python3 run.py report --ledger "
            f"{path} --new-mark"
        )


class LedgerUnreadableError(LedgerError):
    """SQLite itself refuses the file."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be read ({why}). It was left as it is.")


class OtherLegsError(LedgerError):
    """A set was given other legs while an attempt of it is not over."""

    def __init__(self, set_id: str, attempt_id: str, legs: str) -> None:
        super().__init__(
            f"attempt {attempt_id} of set {set_id} is not over, and was made with the legs {legs}, in this order. Give "
            f"the set these legs again, or give the new ones another id; then {attempt_id} can be looked at by itself."
        )


class LedgerBrokenError(LedgerError):
    """Writing failed (disk full, I/O error, read-only file system). Fatal for this process: fsync is never retried."""


class AlreadyCommittedError(LedgerError):
    """The same client order id was to be committed twice. Sending it again could make a second order (I3)."""


class LedgerBusyError(LedgerError):
    """Another process holds the write lock for longer than an order may wait. Nothing was written; rows stay queued."""
