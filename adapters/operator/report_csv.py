"""The report as a directory of CSV files: one per table and view of the ledger, and the figures of every set.

A cell that a spreadsheet would run as a formula is written as text: it gets a leading apostrophe. Money and sizes stay
in millionths, as integers, because a spreadsheet would round them.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from adapters.operator.report_json import document_of
from models.report_figures import Report

SOURCES: Final = (
    "runs", "configs", "opportunities", "opportunity_legs", "episodes", "set_minutes", "set_minute_costs",
    "market_ticks", "tradesets", "attempt_changes", "attempt_costs", "orders", "order_changes", "fills", "fill_reports",
    "settlements", "paper_fills", "events",
)  # fmt: skip

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_csv(report: Report, connection: sqlite3.Connection, directory: Path) -> list[Path]:
    """Write all files and return their paths. The directory is made; files of the same names are replaced."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name in SOURCES:
        cursor = connection.execute(f"SELECT * FROM {name}")  # noqa: S608  our own names
        titles = [column[0] for column in cursor.description]
        written.append(_write(directory / f"{name}.csv", titles, cursor))
    lines = document_of(report)["by_set"]
    rows = [list(line.values()) for line in lines]
    titles = list(lines[0]) if lines else ["set_id"]
    written.append(_write(directory / "sets.csv", titles, rows))
    return written


def _write(path: Path, titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(titles)
        for row in rows:
            writer.writerow([cell(value) for value in row])
    return path


def cell(value: object) -> object:
    """The value as a cell that no spreadsheet takes for a formula."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str) and value.startswith(_FORMULA) and not _plain_number(value):
        return "'" + value
    return value


def _plain_number(value: str) -> bool:
    return value[:1] == "-" and value[1:].replace(".", "", 1).isdigit()
