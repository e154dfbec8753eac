"""Bringing a ledger's schema up to date: numbered steps, one transaction, a copy first."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

import peewee

from adapters.ledger.tables import SCHEMA_VERSION

STEPS: Final = Path(__file__).with_name("migrations")


def migrate(path: Path, found: int) -> Path | None:
    """Apply what is missing to a ledger of schema `found` (0: a new file). Returns the copy that was made before.

    The caller holds the instance lock and has verified the chain.
    """
    # Imported only where a schema changes: it costs 70 ms.
    from playhouse.migrations import Runner  # type: ignore[import-untyped]

    if found == SCHEMA_VERSION:
        return None
    copy = _copy(path, found) if found else None
    database = peewee.SqliteDatabase(str(path))
    database.connect()
    try:
        with database.atomic("IMMEDIATE"):
            Runner(database, str(STEPS)).up()
    finally:
        database.close()
    return copy


def _copy(path: Path, found: int) -> Path:
    copy = path.with_name(f"{path.name}.schema-{found}")
    copy.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("VACUUM INTO ?", (str(copy),))
    finally:
        connection.close()
    copy.chmod(0o600)
    return copy
