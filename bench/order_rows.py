"""Rows about orders and control: frame to first byte, signing, the ledger under load, halt to latch."""

from __future__ import annotations

from typing import Any

from bench.passes import Progress, alternating, isolated, middle
from bench.rows import Row

STEADY_PER_S = 20_000
FLOOD_PER_S = 100_000
CONTROL_S = 10
TRIALS = 200
SIGNING = (("polymarket", "Polymarket order", 200.0), ("kalshi-ed25519", "Kalshi order, Ed25519", 100.0))
RAW_AND_ALL = "raw loop + commit + call"


def first_byte(seconds: int, rounds: int, progress: Progress) -> list[Row]:
    """P3, and sign + commit + send: the whole live bot beside one loop that does the same alone."""
    progress("frame to first order byte")
    found = alternating(
        rounds,
        lambda: isolated("bench.first_byte", "bot", seconds),
        lambda: isolated("bench.first_byte", "raw", seconds),
    )

    def row(name: str, key: str, other_key: str, beside: str, target: float | None) -> Row:
        return Row(
            name,
            middle([a[key] / b[other_key] for a, b in found], 2),
            "us",
            middle([a[key] for a, _ in found], 1),
            middle([b[other_key] for _, b in found], 1),
            beside,
            rounds,
            "low",
            target,
        )

    return [
        row("P3 frame to executor p50", "executor_p50", "executor_p50", "raw loop", None),
        row("P3 frame to executor p99", "executor_p99", "executor_p99", "raw loop", 5.0),
        row("P3 frame to first order byte p50", "first_byte_p50", "first_byte_p50", RAW_AND_ALL, 1.5),
        row("P3 frame to first order byte p99", "first_byte_p99", "first_byte_p99", RAW_AND_ALL, None),
        row("P7 risk + sign + commit + send p50", "order_p50", "order_p50", "commit + call", None),
    ]


def signing(progress: Progress) -> list[Row]:
    """Absolute limits of the issue; the ratio to the published clients is in `make bench-peers` (P5)."""
    progress("signing")
    rows = []
    for kind, what, limit in SIGNING:
        ours = round(isolated("bench.signing", kind)["us"], 1)
        rows.append(
            Row(f"sign + serialise one {what} p50", round(ours / limit, 3), "us", ours, limit, "limit", 1, "low", 1.0)
        )
    rsa = round(isolated("bench.signing", "kalshi-rsa")["us"], 1)
    rows.append(Row("sign + serialise one Kalshi order, RSA p50", None, "us", rsa, None, "", 1, "low", None))
    return rows


def ledger(rounds: int, rows: int, progress: Progress) -> list[Row]:
    """P7: an intent's commit beside 20,000 decision rows a second, and the report on many rows."""
    progress("the ledger under load")
    commits = isolated("bench.ledger_load", "commits", rounds)
    progress(f"the report on {rows:,} rows")
    report = isolated("bench.ledger_load", "report", rows)
    busy, idle = commits["loaded_p99_ms"], commits["idle_p99_ms"]
    beside = f"idle; {commits['rows']:,} rows told, drained {commits['drained_after_s']:g} s later"
    took = report["report_s"]
    return [
        Row(
            "P7 intent's commit p99 at 20000 rows/s",
            round(busy / idle, 2),
            "ms",
            busy,
            idle,
            beside,
            rounds,
            "low",
            3.0,
        ),
        Row(
            f"P7 report on {rows} rows",
            round(took / 2.0, 3),
            "s",
            took,
            2.0,
            "limit for 1000000",
            1,
            "low",
            1.0 if rows >= 1_000_000 else None,
        ),
    ]


def control(progress: Progress) -> list[Row]:
    """P9: the operator's halt under load. `python -m tests.load` measures the capacity and judges every frame."""
    rows = []
    for rate, words in ((STEADY_PER_S, ()), (FLOOD_PER_S, ("flood",))):
        progress(f"halts at {rate} frames/s")
        seen: dict[str, Any] = isolated("bench.control", rate, CONTROL_S, TRIALS, *words)
        latch, grown = seen["latch_p99_ms"], seen["growth_mb"]
        rows.append(
            Row(
                f"P9 halt to latch p99 at {rate} frames/s",
                round(latch / 5.0, 2),
                "ms",
                latch,
                5.0,
                "limit",
                TRIALS,
                "low",
                1.0,
            )
        )
        rows.append(
            Row(f"P9 memory grown by at {rate} frames/s", round(grown / 64, 2), "MB", grown, 64, "limit", 1, "low", 1.0)
        )
    return rows
