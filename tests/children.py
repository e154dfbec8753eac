"""The two real processes of the long harnesses: a simulated exchange that survives, and a bot that trades on it.

Not a test. The exchange is asked for its own truth over HTTP at any time; the bot is started, killed, halted and
questioned as an operator would do it: through its command line, its signals and its control socket.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import requests

from adapters.operator.client import NoBotError, ask
from adapters.operator.control_wire import Request
from tests import canaries

ROOT: Final = Path(__file__).resolve().parents[1]
RUN: Final = (sys.executable, str(ROOT / "run.py"))
FAULTS_CONFIG: Final = ROOT / "docs" / "config.faults.yaml"

T = TypeVar("T")


class HarnessError(Exception):
    """A child did not do what it was told in time."""


def wait_for(what: str, look: Callable[[], T | None], timeout_s: float, every_s: float = 0.02) -> T:
    """Poll until `look` gives something true. Raises `HarnessError`."""
    ends = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > ends:
            raise HarnessError(f"{what} did not happen within {timeout_s:g} s")
        time.sleep(every_s)


@dataclass
class VenueProcess:
    """`run.py simulate` as a child. `stop` gives the truth that it prints at its end."""

    arguments: Sequence[str] = ()
    ready: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    def start(self) -> VenueProcess:
        command = [*RUN, "simulate", "--port", "0", "--with-parent", *self.arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise HarnessError("the exchange did not start")
        self.ready = json.loads(line)
        self._http = requests.Session()
        self._http.trust_env = False
        return self

    @property
    def account(self) -> dict[str, str]:
        found: dict[str, str] = self.ready["accounts"][0]
        return found

    def truth(self) -> dict[str, Any]:
        """What the exchange itself says now."""
        answer = self._http.get(f"{self.ready['rest_url']}/truth", timeout=20)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    def pull(self, lever: str, **how: object) -> None:
        """Put one lever of a fault plan in now."""
        answer = self._http.post(f"{self.ready['rest_url']}/levers", json={"lever": lever, **how}, timeout=5)
        answer.raise_for_status()

    def stop(self) -> dict[str, Any]:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=30)
        told: dict[str, Any] = json.loads(out.splitlines()[-1])
        return told

    def kill(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def a_venue(*arguments: str) -> Iterator[VenueProcess]:
    """A running exchange, gone at the end whatever happens."""
    venue = VenueProcess(arguments)
    try:
        yield venue.start()
    finally:
        venue.kill()


@dataclass
class BotProcess:
    """`run.py run` as a child in a home of its own. Restarted as often as wanted on the same ledger."""

    home: Path
    process: subprocess.Popen[str] | None = None
    starts: int = 0
    _terminal: IO[str] | None = None

    @property
    def ledger(self) -> Path:
        return self.home / "data" / "ledger.sqlite"

    @property
    def terminal(self) -> Path:
        return self.home / "terminal.txt"

    def start(self, *arguments: str, mode: str = "live", env: Mapping[str, str] | None = None) -> BotProcess:
        """`run --live --no-console --config config.yaml` and whatever else; output goes to terminal.txt."""
        self.starts += 1
        self._terminal = self.terminal.open("a", encoding="utf-8")
        command = [*RUN, "run", f"--{mode}", "--no-console", "--config", "config.yaml", *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=self._terminal,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        return self

    def wait(self, timeout_s: float) -> int:
        assert self.process is not None
        code = self.process.wait(timeout_s)
        self._close()
        return code

    def end(self, timeout_s: float = 70.0) -> int:
        """SIGTERM, then the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.wait(timeout_s)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._close()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _close(self) -> None:
        if self._terminal is not None:
            self._terminal.close()
            self._terminal = None

    # -- through the control socket

    def ask(self, verb: str, *arguments: str, timeout_s: float = 10.0) -> dict[str, Any] | None:
        """The `--json` answer of a verb; None where nobody listens (yet)."""
        request = Request(verb=verb, args=list(arguments), json=True)
        try:
            reply = ask(self.home / "data" / "control.sock", request, timeout_s)
        except NoBotError:
            return None
        return dict(reply.document or {})

    def status(self) -> dict[str, Any] | None:
        return self.ask("status")

    def wait_until_trading(self, timeout_s: float = 30.0) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            if not self.alive:
                raise HarnessError(f"the bot ended by itself:\n{tail(self.terminal)}")
            status = self.status()
            return status if status is not None and status["trading"]["on"] else None

        return wait_for("trading", look, timeout_s)

    # -- through the command line

    def verb(self, *words: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*RUN, *words], cwd=self.home, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def report(self) -> dict[str, Any]:
        answer = self.verb("report", "--json", "--ledger", str(self.ledger))
        if answer.returncode != 0:
            raise HarnessError(f"report: {answer.returncode} {answer.stderr[-2000:]}")
        told: dict[str, Any] = json.loads(answer.stdout)
        return told


def a_bot(
    home: Path, venue: VenueProcess, config: str | None = None, secrets: Mapping[str, str] | None = None
) -> BotProcess:
    """A home with config.yaml (the shipped one for faults, or `config`) that names `venue`, and its keys in .env.

    `secrets` by the whole names of their variables; without them those of the simulated exchange.
    """
    home.mkdir(parents=True, exist_ok=True)
    text = FAULTS_CONFIG.read_text(encoding="utf-8") if config is None else config
    text = text.replace("127.0.0.1:8800", f"127.0.0.1:{venue.ready['port']}")
    (home / "config.yaml").write_text(text, encoding="utf-8")
    if secrets is None:
        own = ("api_key", "api_secret")
        secrets = {f"DUTCHBOOK_SIMULATED_{name.upper()}": venue.account[name] for name in own}
    canaries.plant(home, *(value for value in secrets.values() if len(value) >= 16))
    dotenv = home / ".env"
    dotenv.touch(mode=0o600)
    dotenv.write_text("".join(f"{name}={value}\n" for name, value in secrets.items()), encoding="utf-8")
    return BotProcess(home)


def changed_config(**values: str) -> str:
    """The shipped configuration for faults with some keys replaced, each of which must be there exactly once."""
    text = FAULTS_CONFIG.read_text(encoding="utf-8")
    for key, value in values.items():
        text, count = re.subn(rf"(?m)^(\s*){key}: .*$", rf"\g<1>{key}: {value}", text)
        if count != 1:
            raise HarnessError(f"{key} stands {count} times in {FAULTS_CONFIG.name}")
    return text


def tail(path: Path, lines: int = 15) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
