"""Event lines: collected from any thread, folded, and chosen by how much the operator wants to see.

A quiet minute has a handful of lines and a bad one a million skips, so repetition is folded twice. The board lets one
line per fold key and second into the snapshot, which bounds its size and cost; the console's `Selection` lets one per
key and minute onto the screen. Both say how many occurrences a line stands for.
"""

from __future__ import annotations

import enum
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from models.clock import SECOND, BootNs, Clock, WallNs
from models.hostile import clean
from models.status import EventKind, EventLine

KEPT: Final = 256
"""Lines in a snapshot: a minute of lively trading."""

BOARD_FOLD_NS: Final = SECOND
SCREEN_FOLD_NS: Final = 60 * SECOND

_KEYS_MAX: Final = 4096
"""Fold keys remembered; sets times reasons stay far below. More means that a key was made of something unbounded."""

Text = str | Callable[[], str]
"""A line's text, or how to make it: most skips are folded away and never need theirs."""


class Level(enum.StrEnum):
    """How much of the news is printed. QUIET: what was done or wants attention; NORMAL: folded; ALL: nothing hidden."""

    QUIET = "quiet"
    NORMAL = "normal"
    ALL = "all"

    @property
    def next(self) -> Level:
        order = list(Level)
        return order[(order.index(self) + 1) % len(order)]


_RANK: Final = {kind: rank for rank, kind in enumerate(EventKind)}


@dataclass(slots=True)
class _Repeated:
    """What was held back under one fold key since `shown`."""

    shown: BootNs
    kind: EventKind
    subject: str
    text: Text
    ident: str
    held: int = 0


class EventBoard:
    """The newest event lines of one process. Any thread posts, any thread reads."""

    def __init__(self, clock: Clock, kept: int = KEPT) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: deque[EventLine] = deque(maxlen=kept)
        self._serial = 0
        self._read: tuple[EventLine, ...] = ()
        """What `newest` gave last."""
        self._repeated: dict[str, _Repeated] = {}
        self.before_look: Callable[[], None] = _nothing
        """Posts what somebody has not had the time to post."""

    def post(self, kind: EventKind, subject: str, text: Text, *, ident: str = "", fold: str = "") -> None:
        """Add one line. Never blocks for longer than the append itself; subject and text are made safe to show."""
        now = self._clock.boot_ns()
        with self._lock:
            if not fold:
                self._append(kind, subject, text, ident, "", 1)
                return
            known = self._repeated.get(fold)
            if known is None or now - known.shown >= BOARD_FOLD_NS:
                times = 1 + (known.held if known else 0)
                if known is None and len(self._repeated) >= _KEYS_MAX:
                    self._repeated.clear()
                self._repeated[fold] = _Repeated(now, kind, subject, text, ident)
                self._append(kind, subject, text, ident, fold, times)
            else:
                known.held += 1
                known.kind, known.subject, known.text, known.ident = kind, subject, text, ident

    def newest(self) -> tuple[EventLine, ...]:
        """The kept lines, oldest first, with what was held back for longer than a second brought in."""
        self.before_look()
        now = self._clock.boot_ns()
        with self._lock:
            for fold, known in list(self._repeated.items()):
                if now - known.shown < BOARD_FOLD_NS:
                    continue
                if known.held:
                    self._append(known.kind, known.subject, known.text, known.ident, fold, known.held)
                    known.shown, known.held = now, 0
                else:
                    del self._repeated[fold]
            if self._lines and (not self._read or self._read[-1] is not self._lines[-1]):
                self._read = tuple(self._lines)
            return self._read

    def _append(self, kind: EventKind, subject: str, text: Text, ident: str, fold: str, times: int) -> None:
        self._serial += 1
        self._lines.append(
            EventLine(
                serial=self._serial,
                at=self._clock.wall_ns(),
                kind=kind,
                subject=clean(subject),
                text=clean(text if isinstance(text, str) else text()),
                ident=ident,
                fold=fold,
                times=times,
            )
        )


class Selection:
    """Which lines one screen prints, in serial order, each once. Used by one thread."""

    def __init__(self, level: Level = Level.NORMAL) -> None:
        self.level = level
        self._serial = 0
        self._since: dict[str, WallNs] = {}
        self._held: dict[str, EventLine] = {}
        self._looked = self._over_at = WallNs(0)
        """When the minutes of folded lines were last looked at, and the first of them will be over."""

    def take(self, lines: Sequence[EventLine], now: WallNs) -> list[EventLine]:
        """The lines that are due at `now`: new ones, and folded ones whose minute is over, as of `now`."""
        due: list[EventLine] = self._over(now)
        for line in self._new(lines):
            missed = line.serial - self._serial - 1
            if missed and self._serial and self.level is not Level.QUIET:
                due.append(_missed(line, missed))
            self._serial = line.serial
            due.extend(self._chosen(line))
        return due

    def _new(self, lines: Sequence[EventLine]) -> Sequence[EventLine]:
        """The lines that have not been taken yet; mostly there are none."""
        first = len(lines)
        while first and lines[first - 1].serial > self._serial:
            first -= 1
        return lines[first:]

    def skip(self, lines: Sequence[EventLine]) -> None:
        """Take the lines as seen without printing them."""
        self._serial = max([self._serial, *(line.serial for line in lines)])

    def _chosen(self, line: EventLine) -> list[EventLine]:
        if self.level is Level.ALL:
            return [replace(line, fold="")]
        if self.level is Level.QUIET and _RANK[line.kind] < _RANK[EventKind.DONE]:
            return []
        if not line.fold:
            return [line]
        if line.fold not in self._since:
            self._since[line.fold] = line.at
            self._over_at = WallNs(min(self._over_at, line.at + SCREEN_FOLD_NS))
            return [line]
        held = self._held.get(line.fold)
        self._held[line.fold] = replace(line, times=line.times + (held.times if held else 0))
        return []

    def _over(self, now: WallNs) -> list[EventLine]:
        if self._looked <= now < self._over_at:
            return []
        over = [fold for fold, since in self._since.items() if not 0 <= now - since < SCREEN_FOLD_NS]
        due = []
        for fold in over:
            held = self._held.pop(fold, None)
            if held is None:
                del self._since[fold]
                continue
            self._since[fold] = now
            if self.level is Level.NORMAL:
                due.append(held)
        self._looked = now
        self._over_at = WallNs(min(self._since.values(), default=now) + SCREEN_FOLD_NS)
        return due


def _nothing() -> None:
    """Nobody has anything left to post."""


def pane(lines: Sequence[EventLine], level: Level, count: int) -> list[EventLine]:
    """The newest `count` lines of a level, oldest first, for a screen that is drawn anew each time.

    In NORMAL and QUIET lines with one fold key stand once, where the newest of them stands, with all their occurrences.
    """
    if level is Level.ALL:
        return list(lines[-count:]) if count else []
    kept: dict[str, EventLine] = {}
    for line in lines:
        if level is Level.QUIET and _RANK[line.kind] < _RANK[EventKind.DONE]:
            continue
        key = line.fold or f"#{line.serial}"
        before = kept.pop(key, None)
        kept[key] = line if before is None else replace(line, times=line.times + before.times)
    return [replace(line, fold="") for line in list(kept.values())[-count:]] if count else []


def _missed(before: EventLine, count: int) -> EventLine:
    return EventLine(
        serial=0, at=before.at, kind=EventKind.INFO, subject="", text=f"… {count} more lines, see log", times=1
    )
