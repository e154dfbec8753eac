"""Opening a ledger: looked at read-only first, proved, upgraded where needed, and only then opened for writing."""

from __future__ import annotations

import hashlib
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from peewee import PeeweeException

from adapters.ledger.chain import GENESIS
from adapters.ledger.checkpoints import Checkpointer
from adapters.ledger.errors import (
    LedgerBrokenError,
    LedgerUnreadableError,
    NotALedgerError,
    RowsLostError,
    SchemaTooNewError,
    SchemaTooOldError,
)
from adapters.ledger.mark import Mark, mark_path, read_mark, remember_verified, write_new_mark
from adapters.ledger.migrate import migrate
from adapters.ledger.reserve import Reserve
from adapters.ledger.tables import SCHEMA_FINGERPRINT, SCHEMA_VERSION
from adapters.ledger.verify import Progress, check_indexes, check_mark, verify_chain
from adapters.ledger.writer import Writer
from models.clock import Clock

BUSY_MS: Final = 500
"""Far below an order's time-out: a reader never locks the writer out, so only a stranger's write lock can."""

CHECKPOINT_ROWS: Final = 2_000
"""A checkpoint is due after so many new rows: 2 to 4 MB of -wal, some milliseconds of work."""
CHECKPOINT_FLUSHES: Final = 100
"""And after so many flushes: a single row costs some 30 kB of -wal, whole pages of its table and of every index."""

_WRITER_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    f"PRAGMA busy_timeout = {BUSY_MS}",
    # Checkpoints are made beside the writer (`Ledger.tidy`), never inside an intent's commit.
    "PRAGMA wal_autocheckpoint = 0",
    f"PRAGMA journal_size_limit = {64 * 1024 * 1024}",
    "PRAGMA synchronous = FULL",
    "PRAGMA temp_store = MEMORY",
)


class Ledger:
    """An open ledger: verified, migrated, writable. Used by one thread at a time; `close` puts everything on the
    disk.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, writer: Writer, mark: Mark, clock: Clock, *, beside: bool
    ) -> None:
        """`beside`: checkpoints run on a thread of their own; False: on the writer's (simulations have one thread)."""
        self.path = path
        self._clock = clock
        self.writer = writer
        self._connection = connection
        self._mark = mark
        self._checkpointed = writer.head.seq
        self._flushes = 0
        self._checkpointer = Checkpointer(path) if beside else None
        self._closed = False

    @property
    def settled(self) -> bool:
        """Every row taken is on the disk for good, and the mark knows it."""
        return self.writer.settled and self._mark.head.seq == self.writer.synced.seq

    def sync_mark(self) -> None:
        """Move the high-water mark up to the newest row on the disk. Raises `LedgerBrokenError`."""
        try:
            self._mark.advance(self.writer.synced)
        except OSError as error:
            raise LedgerBrokenError(f"the high-water mark of {self.path} cannot be written: {error}") from error

    def tidy(self) -> None:
        """Have the -wal copied back into the ledger when it has grown; called after every flush. Raises
        `LedgerBrokenError`.
        """
        self._flushes += 1
        if self.writer.head.seq - self._checkpointed < CHECKPOINT_ROWS and self._flushes < CHECKPOINT_FLUSHES:
            return
        self._checkpointed, self._flushes = self.writer.head.seq, 0
        if self._checkpointer is not None and not self._checkpointer.behind:
            self._checkpointer.request()
            return
        self.writer.checkpoint()
        if self._checkpointer is not None:
            self._checkpointer.behind = False

    def close(self) -> None:
        """Flush, mark, fold the -wal back and close. Twice is once. Raises `LedgerError` where rows could not be
        kept.
        """
        if self._closed:
            return
        self._closed = True
        if self._checkpointer is not None:
            self._checkpointer.stop()
        try:
            self.writer.flush(self._clock.wall_ns())
            self.sync_mark()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise LedgerBrokenError(f"{self.path} cannot be written: {error}") from error
        finally:
            self._connection.close()
            self._mark.close()


def open_ledger(path: Path, clock: Clock, *, durable: bool = True, progress: Progress | None = None) -> Ledger:
    """Prove the ledger at `path` (or begin a new one) and open it for writing. The caller holds the instance lock.

    `durable` False leaves synchronisation out, for simulations that no power cut can hurt. Raises `LedgerError` (clear
    text, file bytes as they were).
    """
    mark_file = mark_path(path)
    mark = read_mark(mark_file)
    found = 0
    head = GENESIS
    if _anything_at(path):
        with closing(open_reader(path, upgrade=True, alone=True)) as connection:
            found = schema_of(path, connection)
            connection.execute("BEGIN")
            check_mark(path, connection, mark, mark_file)
            head = verify_chain(path, connection, progress=progress)
            check_indexes(path, connection)
    elif mark is not None and mark.seq:
        raise RowsLostError(path, 0, mark.seq)
    else:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        if mark is None:
            write_new_mark(mark_file, head)
        if found:
            migrate(path, found)
        else:
            _begin(path)
        remember_verified(path, head)
        connection = _writable(path)
        reserve = Reserve(path)
        if durable:
            reserve.fill()
        writer = Writer(path, connection, head, durable=durable, give_room=reserve.give)
        return Ledger(path, connection, writer, Mark(mark_file, mark or head), clock, beside=durable)
    except (OSError, sqlite3.Error, PeeweeException) as error:
        raise LedgerBrokenError(f"{path} cannot be opened for writing: {_first(error)}") from error


def _first(error: BaseException) -> BaseException:
    """What went wrong first: peewee fails once more when it takes back what a full disk did not take."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def _anything_at(path: Path) -> bool:
    """Whether there is a ledger, or something that is none and must not be replaced by one."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise LedgerUnreadableError(path, error.strerror or "no access") from None
    if not stat.S_ISREG(found.st_mode):
        raise NotALedgerError(f"{path} is not a ledger (not a plain file). It was left as it is.")
    return found.st_size > 0


def _begin(path: Path) -> None:
    """Put an empty ledger in place, all or nothing: a kill half-way leaves no half-made one behind."""
    fresh = path.with_name(path.name + ".new")
    for leftover in (fresh, fresh.with_name(fresh.name + "-journal")):
        leftover.unlink(missing_ok=True)
    for suffix in ("-wal", "-shm"):  # of a ledger that was taken away: SQLite would replay it onto the new one
        stray = path.with_name(path.name + suffix)
        if stray.exists():
            stray.replace(path.with_name(path.name + suffix + ".stray"))
    fresh.touch(mode=0o600)
    migrate(fresh, 0)
    fresh.replace(path)


def open_reader(path: Path, *, upgrade: bool = False, alone: bool = False) -> sqlite3.Connection:
    """A read-only connection, also while the bot writes. Raises `LedgerError`.

    `upgrade` lets an older schema through: its owner is about to migrate it. `alone`: nobody writes meanwhile, so a
    ledger that is complete without its -wal is read without making one.

    The file is never opened but by SQLite: closing any other handle on it would drop the locks that this process's own
    writer holds, and the next program to look at the ledger would then take its -wal away.
    """
    still = "&immutable=1" if alone and not _wal_bytes(path) else ""
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro{still}", uri=True, isolation_level=None, check_same_thread=False
        )
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
    except sqlite3.Error as error:
        raise LedgerUnreadableError(path, str(error)) from error
    try:
        found = schema_of(path, connection)
        if not found and not upgrade:
            raise NotALedgerError(f"{path} is not a ledger (it is empty). It was left as it is.")
        if found < SCHEMA_VERSION and not upgrade:
            raise SchemaTooOldError(path, found, SCHEMA_VERSION)
    except BaseException:
        connection.close()
        raise
    return connection


def _wal_bytes(path: Path) -> int:
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except OSError:
        return 0


def schema_of(path: Path, connection: sqlite3.Connection) -> int:
    """The schema version of a ledger, or `SchemaTooNewError`, `NotALedgerError`, `LedgerUnreadableError`."""
    try:
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise NotALedgerError(f"{path} is not a ledger (not an SQLite file). It was left as it is.") from None
        raise LedgerUnreadableError(path, str(error)) from error
    if found > SCHEMA_VERSION:
        raise SchemaTooNewError(path, found, SCHEMA_VERSION)
    if tables and (found == 0 or "opportunities" not in tables):
        raise NotALedgerError(f"{path} is an SQLite file of some other program. It was left as it is.")
    if found == SCHEMA_VERSION and fingerprint(connection) != SCHEMA_FINGERPRINT:
        raise LedgerUnreadableError(path, "its table definitions are damaged")
    return found


def fingerprint(connection: sqlite3.Connection) -> str:
    """Hash of every table, index and view definition: the chain covers rows, this covers what they mean."""
    rows = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name <> 'schema_migration' "
        "ORDER BY type, name"
    )
    return hashlib.sha256(repr(rows.fetchall()).encode()).hexdigest()[:16]


def _writable(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=128)
    for pragma in _WRITER_PRAGMAS:
        connection.execute(pragma)
    return connection
