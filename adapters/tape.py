"""Tapes: the raw frames of a feed with their receive times, in one file that `replay` and `simulate --tape` read.

gzip, one JSON object per line. First the header (`{"tape":1,"venue":..,"markets":[..]}`, a market being what the
venue's catalog said), then events in order of receipt:

    {"t": receive time, ns since 1970 UTC, "x": "open" | "frame" | "close" | "rest", "c": connection number,
     "d": frame or body as received, "q": method and path of a `rest`, "m": markets of an `open`, where not all}

Unknown fields are ignored, so a tape may say more. A tape whose end is missing (a recorder that was killed) is read as
far as it goes, and `Tape.cut` says so; damage anywhere else raises `TapeError`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, Self

import msgspec

from models.hostile import clean

VERSION: Final = 1
LINE_MAX: Final = 8 * 1024 * 1024
"""Longest line, decompressed. A frame has at most 1 MiB and doubles at worst when it is written as a JSON string."""

_READ: Final = 64 * 1024
_INFLATE: Final = 1024 * 1024
"""Most bytes that one step of decompression may produce, so that a small file cannot fill the memory."""
_GZIP: Final = 31
"""zlib's `wbits` for gzip framing."""


class TapeError(Exception):
    """The file is no tape, or is damaged. The text names the file's line and is ours."""


class TapeHeader(msgspec.Struct, kw_only=True, omit_defaults=True):
    tape: int
    venue: str
    markets: list[dict[str, Any]]
    """As the venue's `market_from_tape` reads them."""
    source: str = ""
    licence: str = ""
    note: str = ""
    use_yes_price: bool | None = None
    """Kalshi: whether NO levels are priced as YES."""


class TapeEvent(msgspec.Struct, kw_only=True, omit_defaults=True):
    t: int
    x: Literal["open", "frame", "close", "rest"]
    c: int = 0
    d: str = ""
    q: str = ""
    m: list[str] | None = None


@dataclass(frozen=True, slots=True)
class TapeLine:
    """One event and the bytes of its line, which a replay's hash covers."""

    raw: bytes
    event: TapeEvent


_HEADER: Final = msgspec.json.Decoder(TapeHeader)
_EVENT: Final = msgspec.json.Decoder(TapeEvent)


class Tape:
    """An open tape. Iterate once over `lines()`; use as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open and read the header. Raises `TapeError`; `OSError` where the file cannot be opened."""
        self.path = path
        self.cut = False
        """The file ends in the middle; known after the last line."""
        self.read_bytes = 0
        """Compressed bytes read so far, for a progress bar."""
        self._number = 0
        self._file = path.open("rb")
        try:
            self.size_bytes = path.stat().st_size
            self._lines = self._decompressed(self._file)
            self.header_raw = next(self._lines, b"")
            self.header = self._read_header(self.header_raw)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def lines(self) -> Iterator[TapeLine]:
        """The events in order. Raises `TapeError` at the first line that is none."""
        for raw in self._lines:
            try:
                event = _EVENT.decode(raw)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise self._damage(f"is not an event: {clean(str(error), 120)}") from None
            yield TapeLine(raw, event)

    # -- inside

    def _read_header(self, raw: bytes) -> TapeHeader:
        try:
            header = _HEADER.decode(raw)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise self._damage(f"is not a tape's header: {clean(str(error), 120)}") from None
        if header.tape != VERSION:
            raise self._damage(f"says tape version {header.tape}; this program reads version {VERSION}")
        return header

    def _damage(self, what: str) -> TapeError:
        return TapeError(f"{self.path.name}: line {self._number} {what}")

    def _decompressed(self, file: BinaryIO) -> Iterator[bytes]:
        """Whole lines without their line ends. A last line that the file cuts off is dropped."""
        pieces: list[bytes] = []
        pending = 0
        for chunk in self._inflated(file):
            first, *rest = chunk.split(b"\n")
            pieces.append(first)
            pending += len(first)
            for piece in rest:
                self._number += 1
                if line := b"".join(pieces):
                    yield line
                pieces, pending = [piece], len(piece)
            if pending > LINE_MAX:
                self._number += 1
                raise self._damage(f"is longer than {LINE_MAX} bytes")
        if not self.cut and (line := b"".join(pieces)):
            self._number += 1
            yield line

    def _inflated(self, file: BinaryIO) -> Iterator[bytes]:
        """The file's content in bounded pieces; several gzip members in a row are one content."""
        member = zlib.decompressobj(_GZIP)
        begun = False
        while data := file.read(_READ):
            self.read_bytes += len(data)
            while data:
                if member.eof:
                    member = zlib.decompressobj(_GZIP)
                begun = True
                try:
                    yield member.decompress(data, _INFLATE)
                except zlib.error:
                    self._number += 1
                    raise self._damage("cannot be decompressed: the file is damaged, or no gzip file") from None
                data = member.unconsumed_tail or member.unused_data
        self.cut = begun and not member.eof
