"""The schema that the migrations make is the one that models, writer and verifier believe in."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from peewee import BlobField, IntegerField

from adapters.ledger.connection import Ledger, fingerprint, open_reader
from adapters.ledger.migrate import STEPS, migrate
from adapters.ledger.tables import (
    CHAINED,
    CHILDREN,
    SCHEMA_FINGERPRINT,
    SCHEMA_VERSION,
    columns_of,
    name_of,
)
from tests.adapters.ledger.ledger_rows import write_success

ALL_TABLES = [*CHAINED, *CHILDREN.values()]


@pytest.fixture
def fresh(tmp_path: Path) -> sqlite3.Connection:
    path = tmp_path / "fresh.sqlite"
    migrate(path, 0)
    return sqlite3.connect(path)


@pytest.mark.parametrize("table", ALL_TABLES, ids=name_of)
def test_model_and_schema_have_the_same_columns(table: type, fresh: sqlite3.Connection) -> None:
    in_schema = {
        name: (kind, bool(notnull) or bool(key))
        for _, name, kind, notnull, _, key in fresh.execute(f"PRAGMA table_info({name_of(table)})")
    }

    in_model = {
        field.column_name: (
            "BLOB" if isinstance(field, BlobField) else "INTEGER" if isinstance(field, IntegerField) else "TEXT",
            not field.null,
        )
        for field in table._meta.sorted_fields
    }

    assert in_model == in_schema


def test_every_table_is_strict_and_known(fresh: sqlite3.Connection) -> None:
    strict = {row[1]: row[5] for row in fresh.execute("PRAGMA table_list") if row[2] == "table" and row[0] == "main"}
    strict = {name: flag for name, flag in strict.items() if not name.startswith("sqlite_")}

    assert strict.pop("schema_migration") == 0  # playhouse's own history
    assert set(strict) == {name_of(table) for table in ALL_TABLES}
    assert set(strict.values()) == {1}


def test_no_column_can_hold_a_float(fresh: sqlite3.Connection) -> None:
    kinds = {row[2] for table in ALL_TABLES for row in fresh.execute(f"PRAGMA table_info({name_of(table)})")}

    assert kinds == {"INTEGER", "TEXT", "BLOB"}


def test_the_fingerprint_and_the_version_are_those_of_the_newest_migration(fresh: sqlite3.Connection) -> None:
    assert fingerprint(fresh) == SCHEMA_FINGERPRINT
    assert fresh.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
    assert max(int(step.name[:4]) for step in STEPS.glob("0*.py")) == SCHEMA_VERSION


def test_the_tables_of_the_brd_have_at_least_its_columns(ledger: Ledger) -> None:
    write_success(ledger.writer)
    reader = open_reader(ledger.path)
    wanted = {
        "market_ticks": "market_id at",
        "opportunities": "market_id at yes_ask no_ask yes_size no_size sum_cost edge cost_buffer decision reason "
        "set_id episode_id net_edge fees verdict config_hash",
        "orders": "order_id market_id side action price size status client_order_id attempt_id intent_at sent_at "
        "acked_at",
        "fills": "order_id fill_id filled_size avg_price fee at",
        "tradesets": "tradeset_id market_id yes_cost no_cost total_cost fees expected_payout realized_pnl resolution "
        "legs state mode",
    }
    for name, columns in wanted.items():
        cursor = reader.execute(f"SELECT * FROM {name}")
        found = {column[0] for column in cursor.description}

        assert set(columns.split()) <= found, name
    reader.close()


def test_a_text_in_an_integer_column_is_refused_by_the_schema(fresh: sqlite3.Connection) -> None:
    columns = columns_of(CHAINED[0])
    values = [1, b"x" * 32, "hash", "not a time", "code", "{}", "{}"]

    with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT value in INTEGER column"):
        fresh.execute(f"INSERT INTO configs ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", values)
