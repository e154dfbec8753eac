"""What may come out of a parser that was fed with anything: bounded text, whole numbers, and money that was written so.

`exact` is an oracle of its own: it reads the document with Python's parser, keys twice and all, and every price, size,
fee and amount of cash that came out must be one of the decimals in it (or what is left to a dollar), to the last digit.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from models.book import BookSnapshot, BookUpdate
from models.money import MICRO
from models.orders import Accepted, Fill, OrderSeen

TEXT_MAX: Final = 400
SECRETS: Final = ("canary-fuzz-4f1d8a", "Y2FuYXJ5LWZ1enotNGYxZDhh")
"""In every account, key file and .env of the fuzzer: plain, and as base64."""

_DECIMAL: Final = re.compile(r"-?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})\Z")
_FIELDS: Final = {Accepted: ("filled",), OrderSeen: ("filled",), Fill: ("size", "price")}


class Wrong(AssertionError):  # noqa: N818  what it is
    """Something came out that must not."""


def check(out: object, data: bytes, *, sums: bool) -> None:
    """Raise `Wrong`. `sums` where the parser may add up what it read, so that the oracle cannot find it."""
    known = None if sums else decimals(data)
    for value in _values(out, 0):
        if isinstance(value, float):
            raise Wrong(f"a float came out: {value!r}")
        if isinstance(value, str):
            _check_text(value)
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 63:
            raise Wrong(f"a number that no ledger can hold: {str(value)[:40]}")
        elif isinstance(value, BookSnapshot | BookUpdate):
            _check_book(value, known)
        elif known is not None and type(value) in _FIELDS:
            for name in _FIELDS[type(value)]:
                amount = getattr(value, name)
                if amount and amount not in known:
                    raise Wrong(f"{type(value).__name__}.{name} is {amount}, which nobody wrote")
        if isinstance(value, Fill) and not (0 < value.price < MICRO and value.size > 0):
            raise Wrong(f"an execution of {value.size} at {value.price}")
        if isinstance(value, Fill) and (value.fee or 0) < 0:
            raise Wrong(f"a fee of {value.fee}")
        if isinstance(value, Accepted | OrderSeen) and (value.filled or 0) < 0:
            raise Wrong(f"{type(value).__name__} filled {value.filled}")


def check_words(words: str) -> None:
    """An error's text: short, printable, without a secret."""
    _check_text(words)


def _check_text(text: str) -> None:
    if len(text) > TEXT_MAX:
        raise Wrong(f"a text of {len(text)} characters came through: {text[:60]!r}")
    if not text.isprintable():
        raise Wrong(f"a text that a terminal obeys came through: {text[:60]!r}")
    if any(secret in text for secret in SECRETS):
        raise Wrong("a secret came through")


def _check_book(book: BookSnapshot | BookUpdate, known: frozenset[int] | None) -> None:
    levels: list[tuple[int, int]] = []
    if isinstance(book, BookUpdate):
        levels = [(price, size) for _, price, size in book.changes]
    else:
        for side in (book.yes_bids, book.yes_asks, book.no_bids, book.no_asks):
            levels += side or ()  # the side of an outcome that the message did not speak about
    for price, size in levels:
        if type(price) is not int or type(size) is not int or not 0 <= price <= MICRO:
            raise Wrong(f"a level of {size!r} at {price!r}")
        if known is not None and not (price in known and (size in known or -size in known)):
            raise Wrong(f"a level of {size} at {price}, which nobody wrote")


def _values(out: object, depth: int) -> Iterator[object]:
    """Everything in it, values inside values included."""
    if depth > 8:
        return
    yield out
    inner: Sequence[object] = ()
    if isinstance(out, msgspec.Struct):
        inner = [getattr(out, name) for name in out.__struct_fields__]
    elif dataclasses.is_dataclass(out) and not isinstance(out, type):
        inner = [getattr(out, field.name) for field in dataclasses.fields(out)]
    elif isinstance(out, list | tuple | set | frozenset):
        inner = list(out)
    elif isinstance(out, dict):
        inner = [*out.keys(), *out.values()]
    for value in inner:
        yield from _values(value, depth + 1)


def decimals(data: bytes) -> frozenset[int] | None:
    """Every plain decimal of the document in millionths, and its rest to a dollar. None where Python cannot read it."""
    found: set[Decimal] = {Decimal(0)}
    try:
        document = json.loads(
            data, object_pairs_hook=lambda pairs: [x for pair in pairs for x in pair], parse_float=str, parse_int=str
        )
    except (ValueError, RecursionError):
        return None
    stack: list[Any] = [document]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack += node
        elif isinstance(node, str) and _DECIMAL.match(node):
            found.add(Decimal(node))
        elif isinstance(node, str) and node.startswith(("[", '"')):
            stack += re.findall(r"[0-9.]+", node)
    # A size with more than six decimals is somebody's float: rounded down it shows less than there is.
    micros = {int(value * MICRO) for value in found if abs(value) < 10**15}
    return frozenset(micros | {MICRO - value for value in micros})
