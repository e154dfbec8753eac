"""Text that other people wrote, made safe to show: market titles, venue error messages, close reasons.

A terminal obeys control bytes, a reader is fooled by reversed or invisible letters, and a report's columns are torn
by a line break. Parsers call `clean` at the boundary, so that nothing behind it has to ask where a text came from.
Markup, CSV formulas and HTML are the business of whoever writes those formats: what is hostile there is plain text
here.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Annotated, Final

import msgspec

TEXT_LIMIT: Final = 200
"""Characters that a venue's text may take in a row, a log line or a table cell."""

VenueId = Annotated[str, msgspec.Meta(max_length=128, pattern=r"\A[!-~]*\Z")]
"""An id that a venue made, in a wire struct: short and visible. It is stored, shown and compared as it is and so cannot
be cleaned; a row with another one cannot be read.
"""

WholeNumber = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
"""A time or a count in a wire struct; 40 digits in its place are a broken row, and more than a ledger can hold."""

_ELLIPSIS: Final = "…"

_DROPPED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control (C0, DEL, C1), format (BiDi controls, zero-width, tags), surrogate, private, unassigned, line separators."""

_BLANK_LETTERS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
"""Letters and marks by category that nobody can see."""

_BREAKS: Final = frozenset("\t\n\v\f\r\x85\u2028\u2029")

_MARKS_IN_A_ROW: Final = 3
"""More combining marks than any living script puts on one letter; a longer pile paints over the lines around it."""


def letters(word: str) -> str:
    """A word of the command line with `�` for bytes that are no UTF-8: only so can it be sent or looked up."""
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """`text` as one visible line of at most `limit` characters; what was cut off is marked by an ellipsis.

    Line breaks and tabs become one space, everything invisible or obeyed by a terminal goes. Idempotent. `limit` is at
    least 1.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    # An escape costs the attacker one character and us one look: bound the work before it, generously.
    kept = _visible(text[: 8 * limit])
    if len(kept) > limit or len(text) > 8 * limit:
        return kept[: limit - 1].rstrip() + _ELLIPSIS
    return kept


def says_twice(document: bytes) -> bool:
    """Whether a JSON object names a key twice: two readers would then read two things, and one of them is money.

    False for what is no JSON at all, which its decoder refuses by itself.
    """
    try:
        json.loads(document, object_pairs_hook=_once, parse_int=str, parse_float=str)
    except _Twice:
        return True
    except (ValueError, RecursionError):
        return False
    return False


class _Twice(Exception):  # noqa: N818  what it is
    pass


def _once(pairs: list[tuple[str, object]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _Twice


def _visible(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for char in text:
        if char in _BREAKS:
            kept.append(" ")
            marks = 0
            continue
        category = unicodedata.category(char)
        if category in _DROPPED or char in _BLANK_LETTERS:
            continue
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if marks <= _MARKS_IN_A_ROW:
            kept.append(char)
    return "".join(kept).strip()
