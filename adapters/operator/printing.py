"""Finished lines onto a standard stream: in several on a terminal that is too narrow, as they are anywhere else."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from typing import Final, TextIO

from adapters.operator.tables import folded

PIPE_WIDTH: Final = 120
"""For tables into a pipe or a file."""


def width_of(out: TextIO) -> int:
    return shutil.get_terminal_size((PIPE_WIDTH, 24)).columns if out.isatty() else PIPE_WIDTH


def print_lines(lines: Iterable[str], out: TextIO) -> None:
    """Control characters are the caller's business (`tables.safe`). Raises `OSError` where nobody reads."""
    narrow = width_of(out) if out.isatty() else None
    for line in lines:
        print("\n".join(folded(line, narrow)) if narrow else line, file=out)
