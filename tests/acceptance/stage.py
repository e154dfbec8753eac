"""What an operator has in front of him: homes, a venue and a bot as real processes, and the files that they leave.

Nothing of the program is imported by a test of this folder but the shell's own way to ask a running bot.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from adapters.operator.client import NoBotError, ask
from adapters.operator.control_wire import Request
from tests import canaries, polling

ROOT: Final = Path(__file__).resolve().parents[2]
RUN: Final = (sys.executable, str(ROOT / "run.py"))
TAPES: Final = ROOT / "tests" / "tapes"
BINARY_TAPE: Final = TAPES / "polymarket-binary-20260228.tape.jsonl.gz"
BITCOIN_TAPE: Final = TAPES / "polymarket-btc15m-20260928-a.tape.jsonl.gz"

SECOND: Final = 1_000_000_000

T = TypeVar("T")


def until(what: str, look: Callable[[], T], timeout_s: float = 20.0) -> T:
    return polling.until(look, what, timeout_s)


def environment(home: Path) -> dict[str, str]:
    """The tests' own, but for what would belong to a real operator: his home, his secrets."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DUTCHBOOK_")}
    planted = {} if (home / ".env").exists() else canaries.in_environment()
    return {**kept, **planted, "HOME": str(home)}


def verb(home: Path, *words: str, timeout_s: float = 60.0, **more: Any) -> subprocess.CompletedProcess[str]:
    """`run.py WORDS` in `home`, to its end."""
    done = subprocess.run(
        [*RUN, *words],
        cwd=home,
        env=environment(home),
        stdin=more.pop("stdin", subprocess.DEVNULL),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        **more,
    )
    canaries.look(done.stdout + done.stderr, f"what {' '.join(words)} prints")
    return done


def document(home: Path, *words: str) -> dict[str, Any]:
    """The one JSON object of a verb that succeeds."""
    done = verb(home, *words, "--json")
    assert done.returncode == 0, (words, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    [line] = done.stdout.splitlines()
    told: dict[str, Any] = json.loads(line)
    return told


def put_away(process: subprocess.Popen[str]) -> None:
    """kill -9 where it still runs, and nothing left open. May be called again."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


@dataclass
class Venue:
    """`run.py simulate` as a child."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]

    @property
    def port(self) -> int:
        return int(self.ready["port"])

    @property
    def markets(self) -> list[str]:
        return [m if isinstance(m, str) else m["market_id"] for m in self.ready["markets"]]

    def kill(self) -> None:
        put_away(self.process)

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told

    def pull(self, lever: str, **how: object) -> int:
        """Put a lever in. The wall clock just before, in ns."""
        import requests

        before = time.time_ns()
        answer = requests.post(f"{self.ready['rest_url']}/levers", json={"lever": lever, **how}, timeout=5)
        assert answer.status_code == 200, answer.text
        return before


@contextlib.contextmanager
def a_venue(*arguments: str, port: int = 0) -> Iterator[Venue]:
    command = [*RUN, "simulate", "--port", str(port), "--with-parent", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        assert first, "the venue did not start"
        yield Venue(process, json.loads(first))
    finally:
        put_away(process)


@dataclass
class Bot:
    """`run.py run|demo` as a child in a home of its own."""

    home: Path
    process: subprocess.Popen[str]
    state: Path
    ledger: Path

    def ask(self, *words: str, timeout_s: float = 10.0) -> dict[str, Any]:
        """Through the control socket, as another shell does; {} where nobody listens."""
        try:
            reply = ask(self.state / "control.sock", Request(verb=words[0], args=list(words[1:]), json=True), timeout_s)
        except NoBotError:
            return {}
        return dict(reply.document or {})

    def ready(self) -> list[bool]:
        return [market["ready"] for market in self.ask("status").get("markets", [])]

    def until_ready(self, timeout_s: float = 60.0) -> None:
        until("every book ready", lambda: bool(self.ready()) and all(self.ready()), timeout_s)

    def end(self, timeout_s: float = 40.0) -> tuple[int, str]:
        """SIGTERM; the exit code and what it had printed."""
        self.process.terminate()
        return self.finished(timeout_s)

    def finished(self, timeout_s: float) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=timeout_s)
        canaries.look(out, "what a bot prints")
        return self.process.returncode, out

    def kill(self) -> None:
        put_away(self.process)

    def report(self) -> dict[str, Any]:
        return document(self.home, "report", "--ledger", str(self.ledger))


@contextlib.contextmanager
def a_bot(home: Path, *arguments: str, verb: str = "run") -> Iterator[Bot]:
    """Without a console. `run` takes the home's config.yaml where there is one."""
    home.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [*RUN, verb, "--no-console", *arguments],
        cwd=home,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    data = home / "data"
    demo = verb == "demo"
    state, ledger = (data / "demo", data / "demo.sqlite") if demo else (data, data / "ledger.sqlite")
    try:
        yield Bot(home, process, state, ledger)
    finally:
        put_away(process)


def configure(home: Path, venue: Venue, *more: str, markets: Sequence[str] | None = None) -> Path:
    """Write a config.yaml that watches the venue's markets on paper."""
    home.mkdir(parents=True, exist_ok=True)
    name = "polymarket" if "tape" in venue.ready else "simulated"
    addresses = {key: venue.ready[key] for key in ("rest_url", "ws_url")}
    if name == "polymarket":
        addresses["catalog_url"] = venue.ready["rest_url"]
    lines = [
        "mode: paper",
        f"venue: {name}",
        "markets:",
        *(f"  - {market}" for market in (markets or venue.markets)),
        "venues:",
        f"  {name}:",
        *(f"    {key}: {value}" for key, value in addresses.items()),
        *more,
    ]
    path = home / "config.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows(ledger: Path, query: str, values: Sequence[object] = ()) -> list[Mapping[str, Any]]:
    """Read the ledger beside its writer."""
    with contextlib.closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, values)]


def events(ledger: Path, kind: str, since: int = 0) -> list[Mapping[str, Any]]:
    return rows(ledger, "SELECT * FROM events WHERE kind = ? AND at >= ? ORDER BY seq", (kind, since))
