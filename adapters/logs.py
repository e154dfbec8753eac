"""The log: JSON lines in one bounded file, written by its own thread, secrets taken out of the finished line.

Modules use the standard library's `logging`; structlog renders what they say, other packages' records included. The
thread that logs only copies a record into a bounded queue (26 us of rendering and the disk are the writer's), and a
full queue drops the line and counts it: a log must never slow a trade down. Uncaught exceptions and Pykka's own
complaints end here too, and are handed on to whoever halts trading.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, MutableMapping
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import structlog

from adapters.redaction import Redactor

FILE_BYTES: Final = 10 * 1024 * 1024
FILES_KEPT: Final = 5
QUEUE_LINES: Final = 10_000
FIELD_CHARS: Final = 16 * 1024
"""A longer text in a record is cut: one line must not be able to fill the file."""

_STOP_S: Final = 2.0
_PYKKA_LOST: Final = "Exception returned from"
"""Pykka logs a failed `ask` at INFO and forgets it (reliability 4.1, experiment 6)."""

logger = logging.getLogger(__name__)


class Logs:
    """Logging for one process, between `start()` and `stop()`. `on_trouble` gets a redacted line about each uncaught
    exception and each complaint of Pykka, on the thread it happened on, before anything else is done about it.
    """

    def __init__(
        self, path: Path, redactor: Redactor, *, level: str = "INFO", on_trouble: Callable[[str], None] | None = None
    ) -> None:
        self._path = path
        self._redactor = redactor
        self._level = level
        self._on_trouble = on_trouble
        self._queue: queue.Queue[logging.LogRecord] = queue.Queue(QUEUE_LINES)
        self._inlet = _Inlet(self._queue)
        self._pykka = _PykkaWatch(self._trouble)
        self._file: _File | None = None
        self._listener: _Listener | None = None
        self._before: tuple[Any, ...] = ()

    @property
    def path(self) -> Path:
        return self._path

    @property
    def lost(self) -> int:
        """Lines that never reached the file: the queue or the disk was full."""
        return self._inlet.dropped + (self._file.failed if self._file is not None else 0)

    def start(self) -> None:
        """Take over the root logger and the exception hooks. Raises `OSError` where the file cannot be opened."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = _File(self._path)
        self._file.setFormatter(_Lines(self._redactor))
        self._listener = _Listener(self._queue, self._file)
        self._listener.start()
        root, pykka = logging.getLogger(), logging.getLogger("pykka")
        self._before = (root.level, pykka.level, sys.excepthook, threading.excepthook, sys.unraisablehook)
        root.addHandler(self._inlet)
        root.setLevel(self._level)
        pykka.addHandler(self._pykka)
        pykka.setLevel(logging.INFO)
        logging.captureWarnings(capture=True)
        sys.excepthook = self._uncaught
        threading.excepthook = self._uncaught_in_thread
        sys.unraisablehook = self._unraisable

    def stop(self) -> None:
        """Write what is queued, give the hooks back and close the file, within about two seconds."""
        if self._listener is None or self._file is None:
            return
        root, pykka = logging.getLogger(), logging.getLogger("pykka")
        level, pykka_level, sys.excepthook, threading.excepthook, sys.unraisablehook = self._before
        logging.captureWarnings(capture=False)
        root.removeHandler(self._inlet)
        root.setLevel(level)
        pykka.removeHandler(self._pykka)
        pykka.setLevel(pykka_level)
        self._listener.stop()
        self._listener = None
        self._file.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def unexpected(self, error: Exception) -> None:
        """One redacted line for the operator, the traceback for the file. For whoever catches at the main thread's edge
        before `stop` gives the hooks back.
        """
        self._uncaught(type(error), error, error.__traceback__)

    # -- hooks ----------------------------------------------------------------------------------------------------

    def _uncaught(self, kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
        """`sys.excepthook`: one line for the operator, the traceback for the file."""
        if issubclass(kind, KeyboardInterrupt):
            return
        self._trouble(f"uncaught {kind.__name__} in the main thread: {error}")
        logger.critical("uncaught exception in the main thread", exc_info=(kind, error, at))
        line = self._redactor.redact(f"unexpected {kind.__name__}: {error}")
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone; the file has it
            sys.stderr.write(f"{line[:500]}\nThe traceback is in {self._path}\n")

    def _uncaught_in_thread(self, args: threading.ExceptHookArgs) -> None:
        if issubclass(args.exc_type, SystemExit):
            return
        name = args.thread.name if args.thread is not None else "a thread"
        self._trouble(f"uncaught {args.exc_type.__name__} in {name}: {args.exc_value}")
        error = args.exc_value if args.exc_value is not None else args.exc_type()
        logger.critical("uncaught exception in %s", name, exc_info=(args.exc_type, error, args.exc_traceback))

    def _unraisable(self, args: sys.UnraisableHookArgs) -> None:
        """Errors in destructors: logged, not acted on, because nothing of ours works in one."""
        error = args.exc_value if args.exc_value is not None else args.exc_type()
        logger.error("error in a destructor", exc_info=(args.exc_type, error, args.exc_traceback))

    def _trouble(self, text: str) -> None:
        if self._on_trouble is None:
            return
        try:
            self._on_trouble(self._redactor.redact(text)[:500])
        except Exception:  # the hooks are the last place there is
            logger.exception("nobody could be told of: %s", text)


class _Inlet(QueueHandler):
    """The logging thread's half: copy the record, never wait, never raise."""

    def __init__(self, lines: queue.Queue[logging.LogRecord]) -> None:
        super().__init__(lines)
        self.dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Fix the message now, while its arguments still are what they were; render it on the writer's thread."""
        copied = copy.copy(record)
        if not isinstance(copied.msg, dict):  # structlog's own records carry their fields
            copied.msg, copied.args = record.getMessage(), None
        for rendered in ("message", "asctime"):  # left by another handler's formatter; not fields of anybody's
            copied.__dict__.pop(rendered, None)
        return copied

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        """A record whose arguments do not fit its text is a bug worth counting, not a traceback on the terminal."""
        self.dropped += 1


class _Listener(QueueListener):
    """The writer's thread. A full queue must not keep it from stopping."""

    def __init__(self, lines: queue.Queue[logging.LogRecord], file: logging.Handler) -> None:
        super().__init__(lines, file)
        self._lines = lines

    def enqueue_sentinel(self) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put(self._sentinel, timeout=_STOP_S)  # type: ignore[attr-defined]  # missing in typeshed

    def stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            self.enqueue_sentinel()
            thread.join(_STOP_S)


class _File(logging.Handler):
    """`path`, `path.1` ... with mode 0600. A disk that refuses a line is counted, and logging goes on.

    Unbuffered: what a full disk refused must neither pile up in memory nor fail once more at the close.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.failed = 0
        self._path = path
        self._fd = -1
        self._size = 0
        self._torn = False
        self._open()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode() + b"\n"
            if self._size + len(line) > FILE_BYTES:
                self._rotate()
            # After a torn line a new one starts on its own line.
            written = os.write(self._fd, b"\n" + line if self._torn else line)
            self._size += written
            self._torn = written < len(line)
            self.failed += self._torn
        except Exception:  # noqa: BLE001  thread edge: whatever one record does, the next has its chance
            self.failed += 1

    def close(self) -> None:
        super().close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(self._fd, 0o600)
        self._size = os.fstat(self._fd).st_size
        self._torn = False

    def _rotate(self) -> None:
        for number in range(FILES_KEPT - 1, -1, -1):
            older = self._path.with_name(f"{self._path.name}.{number}") if number else self._path
            if older.exists():
                older.replace(self._path.with_name(f"{self._path.name}.{number + 1}"))
        os.close(self._fd)
        self._fd = -1
        self._open()


class _PykkaWatch(logging.Handler):
    """Hears what Pykka would only whisper: an actor that died, a failed `ask`, a message nobody handled."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING or text.startswith(_PYKKA_LOST):
            error = record.exc_info[1] if record.exc_info else None
            self._tell(f"pykka: {text}" + (f" {type(error).__name__}: {error}" if error is not None else ""))


class _Lines(structlog.stdlib.ProcessorFormatter):
    """One record as one line of JSON, ASCII only (a terminal obeys nothing in it), secrets taken out of the result."""

    def __init__(self, redactor: Redactor) -> None:
        shared: list[Any] = [
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            _add_origin,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.format_exc_info,
        ]
        super().__init__(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _cut_long_texts,
                structlog.processors.JSONRenderer(ensure_ascii=True, default=repr),
            ],
            foreign_pre_chain=shared,
        )
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.redact(super().format(record))


def _add_origin(_: object, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record: logging.LogRecord = fields["_record"]
    fields["wall_s"] = f"{record.created:.6f}"
    fields["thread"] = record.threadName
    return fields


def _cut_long_texts(_: object, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in fields.items():
        if isinstance(value, str) and len(value) > FIELD_CHARS:
            fields[name] = f"{value[:FIELD_CHARS]} ... and {len(value) - FIELD_CHARS} characters more"
    return fields
