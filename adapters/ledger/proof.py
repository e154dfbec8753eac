"""How a reader proves the ledger: everything that was not proved before, and the mark.

How far the chain has been verified is kept beside the ledger in `<ledger>.verified`, in the form of the mark. The bot
verifies everything at every start; reports go on from there, so that they stay fast on a large ledger.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from adapters.ledger.chain import GENESIS, Head
from adapters.ledger.connection import open_reader
from adapters.ledger.errors import LedgerUnreadableError
from adapters.ledger.mark import mark_path, read_mark, remember_verified, verified_path, write_new_mark
from adapters.ledger.verify import Progress, check_mark, verify_chain


def prove(path: Path, connection: sqlite3.Connection, progress: Progress | None = None, *, whole: bool = False) -> Head:
    """Begin a snapshot on `connection` and verify it: all of it, or what came after the last verification.

    Raises `LedgerError`. The mark is read before the snapshot begins, so a bot that writes meanwhile is never ahead.
    """
    mark_file = mark_path(path)
    mark = read_mark(mark_file)
    known = None if whole else read_mark(verified_path(path))
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM run_starts").fetchone()
    except sqlite3.Error as error:
        raise LedgerUnreadableError(path, str(error)) from error
    check_mark(path, connection, mark, mark_file)
    head = verify_chain(path, connection, known or GENESIS, progress)
    if known is None or head.seq > known.seq:
        remember_verified(path, head)
    return head


def new_mark(path: Path, progress: Progress | None = None) -> Head:
    """The operator's word that a ledger is complete: verify all of it and give it a mark. Raises `LedgerError`."""
    with closing(open_reader(path)) as connection:
        connection.execute("BEGIN")
        head = verify_chain(path, connection, progress=progress)
    write_new_mark(mark_path(path), head)
    remember_verified(path, head)
    return head
