"""One pass of one pipeline, as its own process: `python -m bench.once KIND MARKETS FRAMES RATE` prints one JSON
line.
"""

from __future__ import annotations

import json
import sys

from bench.pipelines import measure


def main(kind: str, markets: int, frames: int, rate: int) -> None:
    sys.setswitchinterval(0.0005)
    measured = measure(kind, markets, frames, rate)
    latencies = measured.latencies_ns or [0]
    last = len(latencies) - 1
    print(
        json.dumps(
            {
                "frames_per_s": measured.frames_per_s,
                "frames_per_cpu_s": measured.frames_per_cpu_s,
                "p50_us": latencies[len(latencies) // 2] / 1e3,
                "p99_us": latencies[min(last, len(latencies) * 99 // 100)] / 1e3,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], *(int(word) for word in sys.argv[2:5]))
