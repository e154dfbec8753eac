"""Rows about market data: frames per second, frame to decision, one message in memory, two thousand markets."""

from __future__ import annotations

from bench.footprint import NEVER, footprint
from bench.passes import Progress, alternating, isolated, middle
from bench.rows import Row

PACED_PER_S = 5_000


def throughput(markets: int, frames: int, rounds: int, other: str, progress: Progress) -> Row:
    """P1: frames per second of the actor pipeline beside `other`, medians over interleaved rounds.

    Beside the raw loop by processor time, which both use alone; a pipeline of threads also waits, so by the clock.
    """
    progress(f"{markets} markets, actors / {other}")
    short = frames if other == "raw" else frames // 5
    key, unit = ("frames_per_cpu_s", "frames/cpu s") if other == "raw" else ("frames_per_s", "frames/s")
    pairs = [
        (a[key], b[key])
        for a, b in alternating(
            rounds,
            lambda: isolated("bench.once", "actors", markets, frames, 0),
            lambda: isolated("bench.once", other, markets, short, 0),
        )
    ]
    target = {50: 0.7, 500: 0.6, 2_000: 0.5}.get(markets) if other == "raw" else 5.0
    return Row(
        f"P1 frames, {markets} markets",
        middle([a / b for a, b in pairs], 3),
        unit,
        middle([a for a, _ in pairs], 0),
        middle([b for _, b in pairs], 0),
        {"raw": "raw loop", "threads": "thread per actor"}[other],
        rounds,
        "high",
        target,
    )


def latency(markets: int, frames: int, rounds: int, progress: Progress) -> list[Row]:
    """P2: frame to decision at a paced rate, p50 and p99, beside the raw loop."""
    progress(f"{markets} markets, latency")
    found = alternating(
        rounds,
        lambda: isolated("bench.once", "actors", markets, frames, PACED_PER_S),
        lambda: isolated("bench.once", "raw", markets, frames, PACED_PER_S),
    )
    return [
        Row(
            f"P2 frame to decision {key[:3]} at {PACED_PER_S}/s, {markets} markets",
            middle([a[key] / b[key] for a, b in found], 3),
            "us",
            middle([a[key] for a, _ in found], 1),
            middle([b[key] for _, b in found], 1),
            "raw loop",
            rounds,
            "low",
            1.5 if key == "p99_us" and markets in (50, 500) else None,
        )
        for key in ("p50_us", "p99_us")
    ]


def messages(frames: int, rounds: int, progress: Progress) -> Row:
    """P4: bytes to edge in memory, beside a plain bot's json, floats and max/min."""
    progress("one message in memory")
    pairs = [
        (a["us_per_message"], b["us_per_message"])
        for a, b in alternating(
            rounds,
            lambda: isolated("bench.messages", "ours", 50, min(frames, 50_000)),
            lambda: isolated("bench.messages", "plain", 50, min(frames, 50_000)),
        )
    ]
    return Row(
        "P4 decode + book + edge per message",
        middle([b / a for a, b in pairs], 3),
        "us",
        middle([a for a, _ in pairs], 2),
        middle([b for _, b in pairs], 2),
        "json + float bot (theirs / ours)",
        rounds,
        "high",
        3.0,
    )


def scale(frames: int, rounds: int, progress: Progress) -> list[Row]:
    """P6: what two thousand markets cost beside fifty."""
    progress("2000 markets beside 50")
    pairs = [
        (1e6 / many["frames_per_cpu_s"], 1e6 / few["frames_per_cpu_s"])
        for many, few in alternating(
            rounds,
            lambda: isolated("bench.once", "actors", 2_000, frames, 0),
            lambda: isolated("bench.once", "actors", 50, frames, 0),
        )
    ]
    progress("the whole bot with 2000 markets")
    took = footprint(2_000)
    progress("the same with nothing to buy")
    idle = footprint(2_000, NEVER)
    limits = (
        ("RSS", "MB", took.rss_mb, 250),
        ("threads", "", took.threads, 20),
        ("CPU, idle: nothing is bought", "%", idle.cpu_percent, 1),
        ("CPU, quiet: a set bought on paper every 3 s", "%", took.cpu_percent, 1),
    )
    return [
        Row(
            "P6 processor time per frame, 2000 markets",
            middle([a / b for a, b in pairs], 3),
            "us",
            middle([a for a, _ in pairs], 2),
            middle([b for _, b in pairs], 2),
            "actors at 50 markets",
            rounds,
            "low",
            1.5,
        ),
        *(
            Row(f"P6 bot's {name}, 2000 markets", round(ours / limit, 2), unit, ours, limit, "limit", 1, "low", 1.0)
            for name, unit, ours, limit in limits
        ),
    ]
