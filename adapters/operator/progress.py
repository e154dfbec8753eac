"""One line that shows how far a long reading of the ledger is. Only on a terminal; a pipe stays clean."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Final, Self

CELLS: Final = 30


class Bar:
    """`with Bar("hash chain") as bar: bar.show(done, total)`. The line is wiped at the end."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._shown = sys.stderr.isatty()

    def show(self, done: int, total: int) -> None:
        if self._shown and total > 0:
            full = CELLS * done // total
            sys.stderr.write(f"\r{self._title} [{'#' * full}{'.' * (CELLS - full)}] {100 * done // total} %")
            sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown:
            sys.stderr.write("\r" + " " * (len(self._title) + CELLS + 10) + "\r")
            sys.stderr.flush()
