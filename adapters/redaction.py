"""Secrets taken out of finished text, at the sink: log file, ledger free text, report, terminal, excepthooks.

A filter on the arguments of a log call leaves the secret in tracebacks, in URLs inside exception texts and in
`repr`s, so only the text that is about to be written is looked at (reliability S01). A secret is found in any piece
of eight or more characters (I17), raw or as base64 (also inside a longer encoded text), hex, URL-encoded, JSON- or
HTML-escaped; the values of authentication headers are found by the header's name, whoever made them.
"""

from __future__ import annotations

import base64
import contextlib
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

MARK: Final = "[redacted]"

PIECE: Final = 8
"""Characters of a secret that must not be seen in a row."""

SHORTEST: Final = 4
"""A shorter secret cannot be told from ordinary text, and taking it out would tear every line."""

_DECODED_SHORTEST: Final = 16
"""Bytes that a hex or base64 secret has to stand for before those bytes count as a secret themselves."""

_PEM_FRAME: Final = re.compile(r"-----[A-Z0-9 ]+-----")

_QUOTE: Final = r"""\\{0,3}["']"""
_HEADERS: Final = (
    "authorization|proxy-authorization|x-api-key|poly[-_](?:api[-_]key|passphrase|signature)"
    "|kalshi-access-(?:key|signature)"
)
_FIELDS: Final = "api[-_]?key|api[-_]?secret|secret|passphrase|password|private[-_]?key|signature"
"""Words of ordinary speech, so a value only follows where they are a quoted key or stand before an equals sign."""

_NAMED: Final = re.compile(
    rf"""(?ix)
    (?<![\w-]) (?P<name> (?: (?:{_HEADERS}) (?:{_QUOTE})? \s* [:=] | (?:{_FIELDS}) (?: (?:{_QUOTE}) \s* : | = ) ) \s* )
    (?: b? (?P<quote> {_QUOTE} ) .*? (?P=quote)
      | (?: (?:bearer|basic|digest|token) \s+ )? [^\s"'\\,;&}}\])]+ )
    """
)
_COOKIES: Final = re.compile(
    rf"""(?ixs) (?<![\w-]) (?P<name> (?:set-)?cookie (?:{_QUOTE})? \s* : \s* (?: b? {_QUOTE} )? )
    .+? (?= \\[rn] | [\r\n"'] | $ )
    """
)
_SUSPECT: Final = re.compile("auth|key|secret|pass|sign|cookie", re.IGNORECASE)
"""Looked for first: most lines hold none of it, and the patterns above cost ten times as much."""


class Redactor:
    """Takes known secrets out of text. Immutable after construction; any thread."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._whole: tuple[str, ...] = ()
        self._pieces: frozenset[str] = frozenset()
        short: set[str] = set()
        pieces: set[str] = set()
        for secret in secrets:
            if len(secret) < SHORTEST:
                raise ValueError(f"a secret of fewer than {SHORTEST} characters cannot be kept out of text")
            for form in _forms(secret):
                if len(form) < PIECE:
                    short.add(form)
                else:
                    pieces.update(form[at : at + PIECE] for at in range(len(form) - PIECE + 1))
        self._whole = tuple(sorted(short, key=len, reverse=True))
        self._pieces = frozenset(pieces)

    def redact(self, text: str) -> str:
        """`text` with every secret, every piece of one and every authentication header's value replaced by a mark."""
        for form in self._whole:
            text = text.replace(form, MARK)
        text = self._without_pieces(text)
        if _SUSPECT.search(text) is None:
            return text
        return _COOKIES.sub(rf"\g<name>{MARK}", _NAMED.sub(_without_value, text))

    def _without_pieces(self, text: str) -> str:
        pieces = self._pieces
        if not pieces:
            return text
        kept: list[str] = []
        position = 0  # everything before it is in `kept`
        at, last = 0, len(text) - PIECE
        while at <= last:
            if text[at : at + PIECE] not in pieces:
                at += 1
                continue
            kept += (text[position:at], MARK)
            at += 1
            while at <= last and text[at : at + PIECE] in pieces:
                at += 1
            at = position = at - 1 + PIECE
        return "".join(kept) + text[position:] if kept else text


def _without_value(found: re.Match[str]) -> str:
    quote_mark = found["quote"] or ""
    return f"{found['name']}{quote_mark}{MARK}{quote_mark}"


def _forms(secret: str) -> set[str]:
    """Every text in which `secret` is to be found."""
    forms: set[str] = set()
    for part in _parts(secret):
        forms |= {part, quote(part, safe=""), quote(part), quote_plus(part), html.escape(part)}
        forms |= {json.dumps(part)[1:-1], repr(part)[1:-1], repr(part.encode())[2:-1]}
        # Some encoders also escape `-`, `_`, `.` and `~`, which need not be, and some escape everything.
        forms.add(re.sub(r"[-_.~]", lambda mark: f"%{ord(mark[0]):02X}", quote(part, safe="")))
        forms.add("".join(f"%{byte:02X}" for byte in part.encode()))
        forms.update(re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), form) for form in tuple(forms))
        forms.update(_encoded(part.encode()))
    for raw in _decoded(secret):
        forms.update(_encoded(raw))
    return {form for form in forms if len(form) >= SHORTEST}


def _parts(secret: str) -> Iterator[str]:
    """The lines of a multi-line secret (a PEM key's BEGIN and END are no secret), else the secret itself."""
    if "\n" in secret:
        yield from (line for line in map(str.strip, secret.splitlines()) if line and not _PEM_FRAME.fullmatch(line))
    else:
        yield secret


def _encoded(raw: bytes) -> Iterator[str]:
    yield raw.hex()
    yield raw.hex().upper()
    # Inside a longer text the secret starts at any of three places of a base64 group; the first characters, which
    # depend on what stands before it, and the last ones are left off.
    for before, cut in ((0, 0), (1, 2), (2, 3)):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(before) + raw).decode().rstrip("=")
            yield text[cut : len(text) - ((before + len(raw)) % 3 > 0)]


def _decoded(secret: str) -> list[bytes]:
    """The bytes that a hex or base64 secret stands for: a key may be logged in another dress than it came in."""
    text = "".join(_parts(secret)).strip()
    with_padding = text + "=" * (-len(text) % 4)
    found: list[bytes] = []
    with contextlib.suppress(ValueError):
        found.append(bytes.fromhex(text.removeprefix("0x")))
    for altchars in (None, b"-_"):
        with contextlib.suppress(ValueError):
            found.append(base64.b64decode(with_padding, altchars=altchars, validate=True))
    return [raw for raw in found if len(raw) >= _DECODED_SHORTEST]
