"""Geometry of the report's pictures: numbers in, rectangles and points of an SVG out. Pure; the template draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.money import text
from models.report_facts import Outage, RunSpan

WIDTH: Final = 720
HEIGHT: Final = 180
POINTS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled position on the axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Histogram:
    bars: tuple[Bar, ...]
    axis: tuple[Mark, ...]
    line: Mark | None
    """Where trading begins, if it lies within the picture."""


@dataclass(frozen=True, slots=True)
class Curve:
    points: str
    zero_y: float
    top: str
    bottom: str


def sum_cost_histogram(buckets: Sequence[tuple[int, int, int]], trade_line: int | None) -> Histogram | None:
    if not buckets:
        return None
    low, high = buckets[0][0], buckets[-1][1]
    most = max(count for _, _, count in buckets)
    scale = WIDTH / (high - low)
    bars = []
    for start, end, count in buckets:
        height = max(1.5, HEIGHT * count / most)
        title = f"{text(start)} to {text(end)}: {count}"
        bars.append(Bar(scale * (start - low), HEIGHT - height, max(1.0, scale * (end - start) - 1), height, title))
    line = None
    if trade_line is not None and low <= trade_line <= high:
        line = Mark(scale * (trade_line - low), f"trade line {text(trade_line, 4)}")
    steps = 4
    axis = tuple(Mark(WIDTH * i / steps, text(low + (high - low) * i // steps)) for i in range(steps + 1))
    return Histogram(tuple(bars), axis, line)


def latency_histogram(latencies_ms: Sequence[int]) -> Histogram | None:
    """Buckets that double in width: 0, 1, 2-3, 4-7 ... milliseconds."""
    if not latencies_ms:
        return None
    counts: dict[int, int] = {}
    for latency in latencies_ms:
        counts[latency.bit_length()] = counts.get(latency.bit_length(), 0) + 1
    last = max(counts)
    most = max(counts.values())
    width = WIDTH / (last + 1)
    bars = []
    axis = []
    for power in range(last + 1):
        low, high = (0, 0) if power == 0 else (1 << power - 1, (1 << power) - 1)
        label = f"{low}" if low == high else f"{low}–{high}"
        axis.append(Mark(width * power + width / 2, label))
        count = counts.get(power, 0)
        if count:
            height = max(1.5, HEIGHT * count / most)
            bars.append(Bar(width * power, HEIGHT - height, width - 1, height, f"{label} ms: {count}"))
    return Histogram(tuple(bars), tuple(axis), None)


def pnl_curve(points: Sequence[tuple[int, int]]) -> Curve | None:
    if len(points) < 2:
        return None
    if len(points) > POINTS_MAX:
        points = [points[i * (len(points) - 1) // (POINTS_MAX - 1)] for i in range(POINTS_MAX)]
    began, ended = points[0][0], points[-1][0]
    low, high = min(0, *(value for _, value in points)), max(0, *(value for _, value in points))
    span, height = max(1, ended - began), max(1, high - low)

    def y(value: int) -> float:
        return HEIGHT - HEIGHT * (value - low) / height

    drawn = " ".join(f"{WIDTH * (at - began) / span:.1f},{y(value):.1f}" for at, value in points)
    return Curve(drawn, round(y(0), 1), text(high), text(low))


def uptime_strip(
    runs: Sequence[RunSpan], outages: Sequence[Outage], began: int, ended: int
) -> tuple[list[Bar], list[Bar]]:
    """(runs, outages) as bars on one line; an outage is drawn at least a pixel wide."""
    span = max(1, ended - began)

    def bar(low: int, high: int, title: str) -> Bar:
        x = WIDTH * (max(low, began) - began) / span
        return Bar(round(x, 2), 0, round(max(1.0, WIDTH * (min(high, ended) - max(low, began)) / span), 2), 24, title)

    up = [bar(run.began, run.ended, f"run {run.run_id}{'' if run.in_order else ' (killed)'}") for run in runs]
    down = [bar(o.began, o.ended, f"down: {o.why}") for o in outages if o.ended > began and o.began < ended]
    return up, down
