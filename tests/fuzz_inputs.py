"""Hostile bytes from honest ones: what a broken, careless or malicious sender makes of a message."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

HOSTILE_VALUES: Final = (
    *("NaN", "Infinity", "-Infinity", "1e999", "1e-999", "-0", "-1", "1E5", "0x10", "0.1", "-0.5", "2", "1.0000001"),
    *(
        "1" * 5_000,
        "-" + "9" * 400,
        "0." + "3" * 400,
        str(2**63),
        str(2**64),
        str(2**53 + 1),
        "true",
        "null",
        "[]",
        "{}",
    ),
    *('""', '" 0.5"', '"0.5 "', '"+0.5"', '".5"', '"5."', '"0,5"', '"1_0"', '"1e5"', '"0x1p3"', '"NaN"', '"-0.45"'),
    *('"0.4500001"', '"-1"', '"1.5"', '"\\uff11.\\uff15"', '"\\u0030.45"', '"\\u0000"', '"\\u001b[2J"', '"\\u202e"'),
    *('"\\ud800"', '"=cmd()"', '"<script>"', '"' + "9" * 5_000 + '"', '"' + "x" * 100_000 + '"', "[" * 600 + "]" * 600),
)
TOKENS: Final = (
    *(
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\x1b]0;x\x07",
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b":",
        b",",
        b"\n",
    ),
    *(b"NaN", b"1e999", b"-", b"{}{}", b"<!DOCTYPE html><html><body>502</body></html>", b"\\u0000", b"9" * 400),
)
WHOLE: Final = (
    *(b"", b" ", b"null", b"NaN", b"[]", b"{}", b"0", b'"', b"\xff\xfe", b"\x00" * 100, b"<html>", b"[[", b"{}{}"),
    *(b"[" * 100_000, b'{"a":' * 50_000, b"[" * 50_000 + b"]" * 50_000, b'"' + b"x" * 200_000 + b'"', b"9" * 100_000),
)
KEYS_TWICE: Final = 0.3


class Mutator:
    """One pair of dice over one corpus."""

    def __init__(self, seed: object, corpus: Sequence[bytes]) -> None:
        self._dice = random.Random(f"fuzz/{seed}")
        self._corpus = corpus
        self._ways: tuple[Callable[[bytes], bytes], ...] = (
            *(self._value,) * 5,
            *(self._doubled_key,) * 2,
            *(self._byte, self._cut, self._token, self._splice, self._twice),
        )

    def next(self) -> bytes:
        dice = self._dice
        if dice.random() < 0.03:
            return dice.choice(WHOLE)
        data = dice.choice(self._corpus)
        for _ in range(dice.choice((0, 1, 1, 1, 1, 2, 3))):
            data = dice.choice(self._ways)(data)
        return data

    # -- text

    def _byte(self, data: bytes) -> bytes:
        if not data:
            return data
        at = self._dice.randrange(len(data))
        return data[:at] + bytes([data[at] ^ (1 << self._dice.randrange(8))]) + data[at + 1 :]

    def _cut(self, data: bytes) -> bytes:
        at = self._dice.randrange(len(data) + 1)
        return data[:at] if self._dice.random() < 0.7 else data[at:]

    def _token(self, data: bytes) -> bytes:
        at = self._dice.randrange(len(data) + 1)
        return data[:at] + self._dice.choice(TOKENS) + data[at + self._dice.choice((0, 0, 1, 5)) :]

    def _splice(self, data: bytes) -> bytes:
        other = self._dice.choice(self._corpus)
        return data[: self._dice.randrange(len(data) + 1)] + other[self._dice.randrange(len(other) + 1) :]

    def _twice(self, data: bytes) -> bytes:
        return data + self._dice.choice((b"", b"\n", b" ")) + data

    # -- structure

    def _value(self, data: bytes) -> bytes:
        """One value somewhere in the document becomes one that must not be there, is missing or is of another type."""
        found = self._spot(data)
        if found is None:
            return self._byte(data)
        document, parent, key = found
        if self._dice.random() < 0.12:
            del parent[key]
            return _text(document)
        parent[key] = "@@"
        return _text(document).replace(b'"@@"', self._dice.choice(HOSTILE_VALUES).encode(), 1)

    def _doubled_key(self, data: bytes) -> bytes:
        """A key comes twice, with two values."""
        found = self._spot(data, of=dict)
        if found is None:
            return self._token(data)
        document, parent, key = found
        value = _text(parent[key])
        other = self._dice.choice(HOSTILE_VALUES).encode() if self._dice.random() < KEYS_TWICE else _other(value)
        parent[key] = "@@"
        first, second = (value, other) if self._dice.random() < 0.5 else (other, value)
        return _text(document).replace(b'"@@"', first + b"," + json.dumps(key).encode() + b":" + second, 1)

    def _spot(self, data: bytes, of: type = object) -> tuple[Any, Any, Any] | None:
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            return None
        spots: list[tuple[Any, Any]] = []
        _walk(document, spots, 0)
        spots = [spot for spot in spots if isinstance(spot[0], of)]
        if not spots:
            return None
        parent, key = self._dice.choice(spots)
        return document, parent, key


def _walk(node: Any, spots: list[tuple[Any, Any]], depth: int) -> None:
    if depth > 40 or len(spots) > 2_000:
        return
    items: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        spots.append((node, key))
        _walk(value, spots, depth + 1)


def _other(value: bytes) -> bytes:
    """The same kind of value, and not the same."""
    text = value.decode()
    if text.startswith('"'):
        inner = text[1:-1]
        return json.dumps("0.13" if inner.replace(".", "", 1).isdigit() else inner[::-1]).encode()
    return b"7" if text.lstrip("-").isdigit() else b"null"


def _text(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
