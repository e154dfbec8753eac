"""Styled lines of a full screen: cut, padded and framed to an exact number of cells. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adapters.operator.render import Fragments
from adapters.operator.tables import cells as cells_of
from adapters.operator.tables import fit

FRAME: Final = "class:dim"


def cells(fragments: Fragments) -> int:
    return sum(cells_of(text) for _, text in fragments)


def fitted(fragments: Fragments, width: int) -> Fragments:
    """The fragments in exactly `width` cells: cut with an ellipsis, or filled up with blanks."""
    line: Fragments = []
    used = 0
    for style, text in fragments:
        size = cells_of(text)
        if used + size > width:
            line.append((style, fit(text, width - used)))
            used += cells_of(line[-1][1])
            break
        line.append((style, text))
        used += size
    return [*line, ("", " " * (width - used))]


def restyled(fragments: Fragments, style: str) -> Fragments:
    """All of it in one style, over what the parts had."""
    return [(style, text) for _, text in fragments]


def side(fragments: Fragments, width: int) -> Fragments:
    """`│ ... │`."""
    return [(FRAME, "│ "), *fitted(fragments, width - 4), (FRAME, " │")]


def rule(left: Fragments, right: Fragments, width: int, ends: str = "├┤", cross: int | None = None) -> Fragments:
    """`├ left ──────── right ┤`; `cross` is the cell at which a vertical line meets it from below."""
    inner = width - 2
    right = fitted_or_less([(FRAME, " "), *right, (FRAME, " ")] if right else [], inner)
    left = fitted_or_less([(FRAME, " "), *left, (FRAME, " ")] if left else [], inner - cells(right))
    dashes = "─" * (inner - cells(left) - cells(right))
    at = None if cross is None else cross - 1 - cells(left)
    if at is not None and 0 <= at < len(dashes):
        dashes = dashes[:at] + ("┬" if ends == "├┤" else "┴") + dashes[at + 1 :]
    return [(FRAME, ends[0]), *left, (FRAME, dashes), *right, (FRAME, ends[1])]


def fitted_or_less(fragments: Fragments, width: int) -> Fragments:
    """Cut to `width` where it is longer, as it is where it is not."""
    return fragments if cells(fragments) <= width else fitted(fragments, max(0, width))


def pair(left: Fragments, right: Fragments, at: int, width: int) -> Fragments:
    """`│ left │ right │` with the middle line in cell `at`."""
    return [
        (FRAME, "│ "),
        *fitted(left, at - 3),
        (FRAME, " │ "),
        *fitted(right, width - at - 4),
        (FRAME, " │"),
    ]


def joined(parts: Sequence[Fragments], joint: str = "   ") -> Fragments:
    line: Fragments = []
    for part in parts:
        line += [*([("", joint)] if line else []), *part]
    return line


def packed(parts: Sequence[Fragments], width: int, joint: str = "   ") -> list[Fragments]:
    """The parts on as few lines as they need, never broken inside."""
    lines: list[list[Fragments]] = [[]]
    for part in parts:
        if lines[-1] and cells(joined([*lines[-1], part], joint)) > width:
            lines.append([])
        lines[-1].append(part)
    return [joined(line, joint) for line in lines]
