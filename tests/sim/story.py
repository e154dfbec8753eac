"""A run told line by line, for whoever has to find out what happened: `python -m tests.prove --seed S --tell`."""

from __future__ import annotations

import sys
from typing import TextIO

from actors.simulation import Trace

DULL = frozenset({"Tick", "TopOfBook", "MarketAlive", "str", "TickSampled", "MinuteCounted"})


class Story(Trace):
    """The same hash, and every message and fact that is not dull as a line."""

    def __init__(self, out: TextIO = sys.stdout, *, longest: int = 400) -> None:
        super().__init__()
        self._out = out
        self._longest = longest
        self.now = 0

    def fact(self, text: str) -> None:
        super().fact(text)
        self._line("*", text)

    def data(self, data: bytes) -> None:
        super().data(data)
        self._line(">", repr(data))

    def message(self, now: int, actor: str, message: object) -> None:
        super().message(now, actor, message)
        self.now = now
        if type(message).__name__ not in DULL:
            self._line(actor, repr(message))

    def _line(self, who: str, text: str) -> None:
        self._out.write(f"{self.now / 1e9:10.4f} {who:18} {text[: self._longest]}\n")
