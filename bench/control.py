"""P9: `halt` from the control socket to the latch, while another process sends frames as fast as it is told.

    python -m bench.control RATE SECONDS TRIALS [flood]     prints one JSON line

The stage is the one of `tests.load`, which proves the same for minutes and judges every frame; here it is short and
only timed. `flood` offers more than can be read: books are not ready then, and `halt` must come through all the same.
"""

from __future__ import annotations

import json
import sys

from tests.load import quantile, run

MARKETS = 6


def measured(rate: int, seconds: float, trials: int, *, flood: bool) -> dict[str, float | int | None]:
    """Times in milliseconds; `growth_mb` is what memory grew by between the first and the last sample."""
    outcome = run(rate, MARKETS, seconds, trials=trials, flood=flood)
    rss = outcome.rss_mb or [0.0]
    return {
        "trials": len(outcome.latch_ms),
        "latch_p50_ms": round(quantile(outcome.latch_ms, 0.5), 3),
        "latch_p99_ms": round(quantile(outcome.latch_ms, 0.99), 3),
        "read_per_s": round(outcome.read / outcome.seconds),
        "decision_p99_ms": outcome.latency.get("p99"),
        "rss_mb": round(max(rss), 1),
        "growth_mb": round(max(rss) - rss[0], 1),
        "lost": outcome.lost,
    }


if __name__ == "__main__":
    rate, seconds, trials = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(measured(rate, seconds, trials, flood="flood" in sys.argv[4:])))
