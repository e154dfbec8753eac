"""A venue's own published client trades on the simulated exchange that speaks the venue's protocol.

    python -m bench.published_client [polymarket|kalshi ...] [--keep DIR]

Installs the client in a scratch environment outside the project (nothing of it is imported here), starts `run.py
simulate --dialect VENUE`, and lets the client read books, place, match, cancel and list orders. Prints each step with
PASS or FAIL; exit code 1 where a step failed, 69 where a client could not be installed. Needs a package registry; not
part of the tests.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.scratch import install

HERE = Path(__file__).parent
DOOR = HERE.parent / "run.py"
STEPS_S = 120

POLYMARKET = ("py-clob-client-v2==1.2.1",)
KALSHI = ("--ignore-requires-python", "kalshi-python-sync==3.34.0")
"""The package says that it needs Python 3.13; its steps here run on 3.11 as well."""

CLIENTS = {"polymarket": POLYMARKET, "kalshi": KALSHI}
EXIT_FAILED = 1
EXIT_NOT_RUN = 69


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.published_client", description=__doc__)
    parser.add_argument("venues", nargs="*", metavar="VENUE", help=f"of {', '.join(CLIENTS)}; all by default")
    parser.add_argument("--keep", type=Path, default=None, metavar="DIR", help="keep the scratch environments there")
    options = parser.parse_args(argv)
    if unknown := set(options.venues) - set(CLIENTS):
        parser.error(f"no client is known of {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="dutchbook-client-") as directory:
        home = options.keep or Path(directory)
        codes = [trade(venue, home / venue) for venue in options.venues or CLIENTS]
    return EXIT_FAILED if EXIT_FAILED in codes else max(codes)


def trade(venue: str, directory: Path) -> int:
    requirement = CLIENTS[venue]
    print(f"{venue}: {requirement[-1]} on run.py simulate --dialect {venue}", flush=True)
    kept = directory / "bin" / "python"
    python = kept if kept.exists() else None
    if python is None:
        scratch = install(directory, *requirement)
        python = scratch.python
        if python is None:
            print(f"  not run: {scratch.why}")
            return EXIT_NOT_RUN
    command = [sys.executable, str(DOOR), "simulate", "--port", "0", "--dialect", venue, "--rate", "5", "--with-parent"]
    exchange = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert exchange.stdout is not None
        ready = exchange.stdout.readline()
        steps = [str(python), str(HERE / f"client_{venue}.py"), "trade"]
        done = subprocess.run(steps, input=ready, text=True, check=False, timeout=STEPS_S)
    finally:
        exchange.terminate()
        truth, _ = exchange.communicate()
    if done.returncode != 0:
        return EXIT_FAILED
    audit = json.loads(truth.splitlines()[-1])["audit"]
    print(f"  {'FAIL' if audit else 'PASS'}  the exchange's own books balance afterwards {audit or ''}")
    return EXIT_FAILED if audit else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
