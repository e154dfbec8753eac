"""`make bench-peers`: our figures beside published software, each installed in a scratch environment that is thrown
away.

Where one does not install, its row says "not run". Nothing of theirs is imported by the project or kept in it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

from bench.frames import change_texts, markets, snapshot_text

HERE = Path(__file__).parent
MARKETS = 50
FRAMES = 20_000
NAUTILUS = "nautilus_trader[polymarket]==1.221.0"
P4_TARGET = 5.0


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        _nautilus(Path(scratch), options.rounds)
    return 0


def _nautilus(scratch: Path, rounds: int) -> None:
    python = _installed(scratch / "nautilus", NAUTILUS)
    name = f"decode + book + edge per message, beside {NAUTILUS}"
    if python is None:
        print(f"{name}: not run (it does not install here)")
        return
    listed = markets(MARKETS)
    frames = scratch / "frames.txt"
    lines = [snapshot_text(m) for m in listed] + list(change_texts(listed, FRAMES, seed=7))
    frames.write_text("\n".join(lines), encoding="ascii")
    pairs = []
    for _ in range(rounds):
        ours = _us([sys.executable, "-m", "bench.messages", "ours", str(MARKETS), str(FRAMES)])
        theirs = _us([str(python), str(HERE / "peer_nautilus.py"), str(frames)])
        if ours is None or theirs is None:
            print(f"{name}: not run (it does not start here)")
            return
        pairs.append((ours, theirs))
    ratio = statistics.median(b / a for a, b in pairs)
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"{name}: ours {ours:.2f} us, theirs {theirs:.2f} us, "
        f"ratio {ratio:.2f} (target >= {P4_TARGET:g}), {rounds} rounds"
    )


def _installed(directory: Path, requirement: str) -> Path | None:
    venv.create(directory, with_pip=True)
    python = directory / "bin" / "python"
    done = subprocess.run([python, "-m", "pip", "install", "-q", requirement], capture_output=True, check=False)
    return python if done.returncode == 0 else None


def _us(command: list[str]) -> float | None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(json.loads(done.stdout)["us_per_message"]) if done.returncode == 0 else None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
