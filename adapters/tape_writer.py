"""Writes a tape while the feed runs: the feed's thread only puts into a bounded queue, an own thread does the file.

What if the queue fills (a slow or full disk)? A tape with a hole would be replayed as if nothing were missing, so the
connection is closed *on the tape* at that point and the rest of it is left out; the next connection is recorded again.
"""

from __future__ import annotations

import logging
import queue
import threading
import zlib
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from adapters.tape import TapeEvent, TapeHeader
from models.clock import WallNs
from models.market import Market

logger = logging.getLogger(__name__)

QUEUE_MAX: Final = 65_536
"""Frames that may wait for the disk: some seconds of a busy feed, some tens of megabytes."""
BYTES_MAX: Final = 4 * 1024**3
"""Largest file, compressed. The recording ends there; the bot goes on."""
FLUSH_S: Final = 1.0
"""Longest time that a written line stays out of the file, so that a killed recorder loses little."""

_LEVEL: Final = 6
_GZIP: Final = 31
_BATCH: Final = 1024


class TapeWriter:
    """One recording. Every method may be called from any thread and returns at once; `stop` waits for the disk."""

    def __init__(
        self, path: Path, header: TapeHeader, *, queue_max: int = QUEUE_MAX, bytes_max: int = BYTES_MAX
    ) -> None:
        """Create the file (never overwrite one: `FileExistsError`) and write the header."""
        self._file: BinaryIO = path.open("xb")
        self._gzip = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._queue: queue.Queue[TapeEvent | None] = queue.Queue()
        self._queue_max = queue_max
        self._bytes_max = bytes_max
        self._connections = count(1)
        self._closed: set[int] = set()
        self._size = 0
        self._encoder = msgspec.json.Encoder()
        self.written = 0
        """Events in the file."""
        self.dropped = 0
        """Frames that were left out because the disk could not follow."""
        self.failed: str | None = None
        """Why the recording ended early; None while it is well."""
        self._put(self._encoder.encode(header) + b"\n")
        self._thread = threading.Thread(target=self._run, name="tape", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Write what waits and close the file. False where the disk did not finish in time."""
        self._queue.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def opened(self, at: WallNs, markets: Sequence[Market] | None = None) -> int:
        """A connection is up; returns its number on the tape. `markets`: what it carries, None for all."""
        number = next(self._connections)
        ids = None if markets is None else [str(market.market_id) for market in markets]
        self._queue.put(TapeEvent(t=at, x="open", c=number, m=ids))
        return number

    def frame(self, connection: int, frame: bytes, at: WallNs) -> None:
        """A message as received. Bytes that are no UTF-8 are kept as replacement signs: they stay unreadable."""
        if connection in self._closed or self.failed is not None:
            self.dropped += 1
            return
        if self._queue.qsize() >= self._queue_max:
            self.dropped += 1
            self.closed(connection, at)
            logger.warning("the tape cannot follow; connection %d is closed on it", connection)
            return
        self._queue.put(TapeEvent(t=at, x="frame", c=connection, d=frame.decode("utf-8", "replace")))

    def closed(self, connection: int, at: WallNs) -> None:
        if connection not in self._closed:
            self._closed.add(connection)
            self._queue.put(TapeEvent(t=at, x="close", c=connection))

    def rest(self, query: str, body: bytes, at: WallNs) -> None:
        """The body of a successful REST read; `query` is its method and path."""
        self._queue.put(TapeEvent(t=at, x="rest", q=query, d=body.decode("utf-8", "replace")))

    # -- on the tape's thread

    def _run(self) -> None:
        try:
            while self._batch():
                pass
            self._file.write(self._gzip.flush())
        except OSError as error:
            self.failed = f"the tape could not be written: {error.strerror or type(error).__name__}"
            logger.error("%s", self.failed)  # noqa: TRY400  the reason says it all
        finally:
            self._file.close()

    def _batch(self) -> bool:
        """Write what has come, at least every `FLUSH_S`; False after the last event."""
        going_on = True
        lines: list[bytes] = []
        try:
            event = self._queue.get(timeout=FLUSH_S)
            while event is not None and len(lines) < _BATCH:
                lines.append(self._encoder.encode(event))
                event = self._queue.get_nowait()
            if event is None:
                going_on = False
            else:
                lines.append(self._encoder.encode(event))
        except queue.Empty:
            pass
        if lines and self.failed is None:
            self._put(b"\n".join(lines) + b"\n")
            self.written += len(lines)
            if self._size > self._bytes_max:
                self.failed = f"the tape has reached its limit of {self._bytes_max} bytes"
                logger.error("%s", self.failed)
        return going_on

    def _put(self, data: bytes) -> None:
        packed = self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        self._size += self._file.write(packed)
        self._file.flush()
