"""What a benchmark says: rows of ours, the other, their ratio, the target, and whether it is met."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison. `ratio` is ours over other unless `other_name` says otherwise; `good` says which way is better.

    The figures are None where it was not run, and `note` says why.
    """

    name: str
    ratio: float | None
    unit: str
    ours: float | None
    other: float | None
    other_name: str
    runs: int
    good: str
    target: float | None = None
    note: str = ""

    @property
    def met(self) -> str:
        if self.ratio is None:
            return self.note
        if self.target is None:
            return ""
        return "yes" if (self.ratio >= self.target if self.good == "high" else self.ratio <= self.target) else "NO"


def write_rows(rows: Sequence[Row], path: Path) -> None:
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


def print_rows(rows: Sequence[Row]) -> None:
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")
    table = Table("measured", "ours", "other", "unit", "beside", "ratio", "target", "met")
    for row in rows:
        sign = "" if row.target is None else f"{'>=' if row.good == 'high' else '<='} {row.target:g}"
        table.add_row(
            row.name,
            _figure(row.ours),
            _figure(row.other),
            row.unit,
            escape(row.other_name),
            _figure(row.ratio),
            sign,
            escape(row.met),
        )
    Console(width=160).print(table)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,g}"
