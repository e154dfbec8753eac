"""A venue's own published client against our dialect of that venue: `python -m bench.clients kalshi`.

The client is installed in a scratch environment that is thrown away, the exchange runs as a child; nothing of either
stays. Needs a package index; where the client does not install, that is said, and the exit code is 69.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
RUN: Final = HERE.parent / "run.py"
EXIT_NOT_INSTALLED: Final = 69


@dataclass(frozen=True, slots=True)
class Client:
    requirement: str
    script: str
    """In this directory; gets the path of a file with the line that the exchange prints."""


CLIENTS: Final = {"kalshi": Client("kalshi_python_sync==3.34.0", "peer_kalshi.py")}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.clients", description=__doc__)
    parser.add_argument("venue", choices=sorted(CLIENTS))
    venue = parser.parse_args(argv).venue
    client = CLIENTS[venue]
    with tempfile.TemporaryDirectory(prefix="dutchbook-client-") as scratch:
        python = _installed(Path(scratch) / "env", client.requirement)
        if python is None:
            print(f"{client.requirement}: not run (it does not install here)")
            return EXIT_NOT_INSTALLED
        print(f"{client.requirement} on the {venue} dialect", flush=True)
        return _tried(python, client, venue, Path(scratch) / "ready.json")


def _installed(directory: Path, requirement: str) -> Path | None:
    """Its declared least version of Python is not insisted on: what counts is whether it runs."""
    venv.create(directory, with_pip=True)
    python = directory / "bin" / "python"
    command = [python, "-m", "pip", "install", "-q", "--ignore-requires-python", requirement]
    done = subprocess.run(command, capture_output=True, check=False)
    return python if done.returncode == 0 else None


def _tried(python: Path, client: Client, venue: str, ready: Path) -> int:
    command = [sys.executable, str(RUN), "simulate", "--dialect", venue, "--port", "0", "--with-parent"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as exchange:
        try:
            assert exchange.stdout is not None
            ready.write_text(exchange.stdout.readline(), encoding="utf-8")
            done = subprocess.run([python, str(HERE / client.script), str(ready)], check=False)
        finally:
            exchange.terminate()
    print("PASS" if done.returncode == 0 else "FAIL")
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
