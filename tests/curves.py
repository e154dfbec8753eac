"""Small curves as one SVG, written by hand: no library, readable on a white and on a dark page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 420
HEIGHT: Final = 150
COLUMNS: Final = 2
LEFT: Final = 56
TOP: Final = 26
BOTTOM: Final = 22
RIGHT: Final = 12


@dataclass(frozen=True, slots=True)
class Curve:
    title: str
    x: Sequence[float]
    y: Sequence[float]


def svg(curves: Sequence[Curve], unit: str) -> str:
    """One panel per curve, two in a row. The vertical axis begins at 0, so nothing looks steeper than it is."""
    rows = -(-len(curves) // COLUMNS)
    panels = "".join(
        f'<g transform="translate({WIDTH * (n % COLUMNS)},{HEIGHT * (n // COLUMNS)})">{_panel(curve, unit)}</g>'
        for n, curve in enumerate(curves)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * COLUMNS} {HEIGHT * rows}" '
        f'font-family="sans-serif" font-size="11" fill="#777">{panels}</svg>\n'
    )


def _panel(curve: Curve, unit: str) -> str:
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    top = max(max(curve.y, default=0.0), 1e-9) * 1.1
    last = max(max(curve.x, default=0.0), 1e-9)
    points = " ".join(
        f"{LEFT + x / last * inner_width:.1f},{TOP + inner_height - y / top * inner_height:.1f}"
        for x, y in zip(curve.x, curve.y, strict=True)
    )
    base = TOP + inner_height
    return (
        f'<text x="{LEFT}" y="16" font-weight="bold">{escape(curve.title)}</text>'
        f'<path d="M{LEFT} {TOP}V{base}H{WIDTH - RIGHT}" fill="none" stroke="#999"/>'
        f'<text x="{LEFT - 6}" y="{TOP + 8}" text-anchor="end">{_short(top)}</text>'
        f'<text x="{LEFT - 6}" y="{base}" text-anchor="end">0</text>'
        f'<text x="{WIDTH - RIGHT}" y="{base + 15}" text-anchor="end">{_short(last)} {escape(unit)}</text>'
        f'<polyline points="{points}" fill="none" stroke="#2a7de1" stroke-width="1.3"/>'
    )


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
