"""The tape that was written by hand: books cross within one exchange time, and `replay` sees no gap in it."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import pytest

from tests.adapters.kalshi.examples import dollars
from tests.children import RUN

TAPE: Final = Path(__file__).parents[2] / "tapes" / "kalshi-by-hand.tape.jsonl.gz"
EVENT: Final = tuple(f"KXSIM-26DEC31-{name}" for name in "ABC")

CONFIG: Final = f"""
venue: kalshi
markets: [{", ".join(EVENT)}]
sets:
  - {{id: event, kind: no_basket, legs: [{", ".join(f"{{market: {one}, outcome: no}}" for one in EVENT)}]}}
  - {{id: a, kind: binary, legs: [{{market: {EVENT[0]}, outcome: yes}}, {{market: {EVENT[0]}, outcome: no}}]}}
  - {{id: b, kind: binary, legs: [{{market: {EVENT[1]}, outcome: yes}}, {{market: {EVENT[1]}, outcome: no}}]}}
strategy: {{min_edge: 0.005, cost_buffer: 0, min_depth: 1, min_minutes_to_close: 0}}
execution: {{order_size: 1}}
"""


def lines() -> list[dict[str, Any]]:
    with gzip.open(TAPE, "rt") as tape:
        return [json.loads(line) for line in tape]


def replayed(home: Path, tape: Path = TAPE, *arguments: str) -> dict[str, Any]:
    """In a process of its own."""
    command = [*RUN, "replay", str(tape), "--speed", "max", "--json", *arguments]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture
def config(tmp_path: Path) -> tuple[str, str]:
    path = tmp_path / "sets.yaml"
    path.write_text(CONFIG)
    return "--config", str(path)


def test_frame_by_frame_the_tape_is_full_of_gaps() -> None:
    """Otherwise the next test would show nothing: whoever looks after every delta sees books that cross."""
    bids: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    crossed = baskets = 0
    for frame in (json.loads(line["d"]) for line in lines() if line.get("x") == "frame"):
        msg = frame["msg"]
        if frame["type"] == "orderbook_snapshot":
            for side in ("yes", "no"):
                levels = msg.get(f"{side}_dollars_fp", ())
                bids[msg["market_ticker"], side] = {dollars(p): dollars(n) for p, n in levels}
        elif frame["type"] == "orderbook_delta":
            side = bids[msg["market_ticker"], msg["side"]]
            side[dollars(msg["price_dollars"])] = side.get(dollars(msg["price_dollars"]), 0) + dollars(msg["delta_fp"])
        best = {key: max((p for p, size in side.items() if size), default=0) for key, side in bids.items()}
        crossed += any(best[one, "yes"] + best[one, "no"] >= 1_000_000 for one in EVENT if (one, "yes") in best)
        baskets += sum(best.get((one, "yes"), 0) for one in EVENT) > 1_000_000

    assert crossed >= 5
    assert baskets >= 2


def test_replay_takes_the_deltas_of_one_time_together_and_sees_no_gap(tmp_path: Path, config: tuple[str, str]) -> None:
    one, two = replayed(tmp_path, TAPE, *config), replayed(tmp_path, TAPE, *config)

    assert (one["frames"], one["frames_unknown"], one["frames_failed"]) == (26, 0, 0)
    assert (one["snapshots_checked"], one["snapshots_equal"]) == (3, 3)
    assert one["gaps"] == {"real": 0, "skew": 0, "stale": 0, "half_update": 0, "crossed": 0}
    assert one["opportunities"] == 0
    assert one["decisions"] > 30
    assert one == two, "and the same again, to the hash"


def test_with_a_time_of_their_own_the_same_deltas_are_gaps_and_none_is_real(
    tmp_path: Path, config: tuple[str, str]
) -> None:
    """The times are what makes the difference. A millisecond later each, the books do cross."""
    spread = tmp_path / "spread.tape.jsonl.gz"
    told = []
    for number, line in enumerate(lines()):
        frame = json.loads(line["d"]) if line.get("x") == "frame" else {}
        if frame.get("type") == "orderbook_delta":
            frame["msg"]["ts_ms"] += number % 5
            line["d"] = json.dumps(frame)
        told.append(json.dumps(line))
    spread.write_bytes(gzip.compress("\n".join(told).encode(), mtime=0))

    apart = replayed(tmp_path, spread, *config)

    assert apart["gaps"]["crossed"] > 0
    assert apart["gaps"]["real"] == 0
    assert apart["decision_hash"] != replayed(tmp_path, TAPE, *config)["decision_hash"]
