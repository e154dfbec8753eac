"""The simulated exchange as a child process: what `demo` and a bot without a configuration trade on.

A process of its own, so that its matching never shares our interpreter, and real sockets on loopback, so that the path
from frame to order is the one that a real venue would take. The child ends with its parent, whatever ends the parent.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

READY_S: Final = 15.0
"""How long the child may take until it says that it listens."""

_DOOR: Final = Path(__file__).resolve().parent.parent / "run.py"


class EmbeddedVenueError(Exception):
    """The child did not come up. The text says what it wrote."""


@dataclass(frozen=True, slots=True)
class ReadyLine:
    """What the child says when it listens (`simulate`, design section 8)."""

    rest_url: str
    ws_url: str
    user_ws_url: str | None
    market_ids: tuple[str, ...]
    accounts: tuple[Mapping[str, str], ...]


class EmbeddedVenue:
    """Starts the child and keeps its pipe; `truth` after `stop` is what the exchange itself says happened."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """`arguments` follow `simulate`, for example `["--seed", "7"]`."""
        self._arguments = list(arguments)
        self._process: subprocess.Popen[str] | None = None
        self._lines: list[str] = []
        self._first = threading.Event()
        self._reader: threading.Thread | None = None

    def start(self) -> ReadyLine:
        """Start the child and wait for its first line. Raises `EmbeddedVenueError`."""
        command = [sys.executable, str(_DOOR), "simulate", "--port", "0", "--with-parent", *self._arguments]
        self._process = subprocess.Popen(  # noqa: S603  our own program with our own arguments
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._reader = threading.Thread(target=self._read, name="embedded-venue", daemon=True)
        self._reader.start()
        if not self._first.wait(READY_S) or not self._lines:
            self.stop()
            raise EmbeddedVenueError("the embedded venue did not start; `python3 run.py simulate` shows why")
        return _ready(self._lines[0])

    def stop(self) -> Mapping[str, Any] | None:
        """End the child in order and return its truth, None where it did not print one."""
        process = self._process
        if process is None:
            return None
        process.terminate()
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader is not None:
            self._reader.join(2.0)
        if len(self._lines) < 2:
            return None
        truth: Mapping[str, Any] = json.loads(self._lines[-1])
        return truth

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)
            self._first.set()
        self._first.set()


def _ready(line: str) -> ReadyLine:
    try:
        said = json.loads(line)
        return ReadyLine(
            rest_url=said["rest_url"],
            ws_url=said["ws_url"],
            user_ws_url=said.get("user_ws_url"),
            market_ids=tuple(m if isinstance(m, str) else m["market_id"] for m in said["markets"]),
            accounts=tuple(said.get("accounts", ())),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise EmbeddedVenueError(f"the embedded venue said something unexpected: {line[:200]!r}") from error
