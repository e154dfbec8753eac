"""`make bench-peers`: our figures beside published software, each installed in a scratch environment that is thrown
away.

Where one does not install, its row says "not run" and why. Nothing of theirs is imported by the project or kept in it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.frames import change_texts, markets, snapshot_text
from bench.published_client import KALSHI, POLYMARKET
from bench.rows import Row, print_rows, write_rows
from bench.scratch import install

HERE = Path(__file__).parent
RESULTS = HERE / "results-peers.json"
MARKETS = 50
FRAMES = 20_000
NAUTILUS = "nautilus_trader[polymarket]==1.221.0"
COINCURVE = "coincurve"
"""The published Polymarket client signs ten times faster with it, so it is given it."""

Sides = Callable[[], tuple[float | None, float | None]]
"""(ours, theirs) in microseconds, measured one right after the other; None: it did not run."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args(argv).rounds
    with tempfile.TemporaryDirectory(prefix="dutchbook-peers-") as directory:
        scratch = Path(directory)
        rows = [
            _nautilus(scratch / "nautilus", rounds),
            _polymarket(scratch / "polymarket", rounds),
            _kalshi(scratch / "kalshi", rounds),
        ]
    write_rows(rows, RESULTS)
    print_rows(rows)
    return 0


def _nautilus(directory: Path, rounds: int) -> Row:
    name = "decode + book + edge per message"
    scratch = install(directory, NAUTILUS)
    if scratch.python is None:
        return _not_run(name, NAUTILUS, scratch.why)
    listed = markets(MARKETS)
    frames = directory / "frames.txt"
    lines = [snapshot_text(m) for m in listed] + list(change_texts(listed, FRAMES, seed=7))
    frames.write_text("\n".join(lines), encoding="ascii")
    ours = [sys.executable, "-m", "bench.messages", "ours", str(MARKETS), str(FRAMES)]
    theirs = [str(scratch.python), str(HERE / "peer_nautilus.py"), str(frames)]
    return _compared(name, NAUTILUS, ours, theirs, rounds, 5.0)


def _polymarket(directory: Path, rounds: int) -> Row:
    name = "build, sign and serialise one Polymarket order"
    scratch = install(directory, *POLYMARKET, COINCURVE)
    if scratch.python is None:
        return _not_run(name, POLYMARKET[-1], scratch.why)
    theirs = [str(scratch.python), str(HERE / "client_polymarket.py"), "sign"]
    return _compared(name, f"{POLYMARKET[-1]} with {COINCURVE}", _signing("polymarket"), theirs, rounds, 8.0)


def _kalshi(directory: Path, rounds: int) -> Row:
    name = "build, sign (Ed25519) and serialise one Kalshi order"
    scratch = install(directory, *KALSHI)
    if scratch.python is None:
        return _not_run(name, KALSHI[-1], scratch.why)
    pem = directory / "key.pem"
    pem.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    theirs = [str(scratch.python), str(HERE / "client_kalshi.py"), "sign", str(pem)]
    return _compared(name, KALSHI[-1], _signing("kalshi-ed25519"), theirs, rounds, None)


def _signing(kind: str) -> list[str]:
    return [sys.executable, "-m", "bench.signing", kind]


def _compared(name: str, peer: str, ours: list[str], theirs: list[str], rounds: int, target: float | None) -> Row:
    """Interleaved rounds; the ratio is their cost over ours."""
    pairs = []
    for _ in range(rounds):
        a, (b, why) = _us(ours)[0], _us(theirs)
        if a is None or b is None:
            return _not_run(name, peer, f"it does not start here: {why}")
        pairs.append((a, b))
    return Row(
        name,
        round(statistics.median(b / a for a, b in pairs), 2),
        "us",
        round(statistics.median(a for a, _ in pairs), 2),
        round(statistics.median(b for _, b in pairs), 2),
        f"{peer} (theirs / ours)",
        rounds,
        "high",
        target,
    )


def _us(command: list[str]) -> tuple[float | None, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or ["no word"])[-1][:120]
    told = json.loads(done.stdout)
    return float(told.get("us", told.get("us_per_message"))), ""


def _not_run(name: str, peer: str, why: str) -> Row:
    return Row(name, None, "us", None, None, peer, 0, "high", None, f"not run: {why}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
