"""A tape through the venue's own session, book and decision, without a bot (`models/replay.py` is the pure part).

Pacing is the only use of the machine's clock, and it decides nothing.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from adapters.feed import TimedSession
from adapters.registry import TapeSession, VenueModule, venue_module
from adapters.tape import Tape, TapeEvent, TapeHeader
from adapters.venue import VenueReadError
from models.clock import MS, SECOND, BootNs, WallNs
from models.config import Config
from models.market import Market
from models.replay import Replay, ReplayResult
from models.terms import all_terms

Progress = Callable[[int, int], None]
"""(compressed bytes read, compressed bytes in all)."""


LAST_WORD_NS: Final = SECOND
"""Longest time after its end for which a connection may have held something back."""


class ReplayError(ValueError):
    """The tape cannot be replayed: unknown venue, a header that describes no market, a set that proves nothing."""


@dataclass(slots=True)
class _Connection:
    generation: int
    session: TapeSession
    timed: TimedSession | None
    """The session again, where it has work of its own that comes with time."""
    markets: Sequence[Market]


@dataclass(slots=True)
class _Player:
    """Hands the tape's lines to the venue's sessions and their events to the replay."""

    header: TapeHeader
    venue: VenueModule
    markets: Sequence[Market]
    replay: Replay
    now: WallNs
    frames: int = 0
    unknown: int = 0
    failed: int = 0
    generation: int = 0
    began: WallNs | None = None
    connections: dict[int, _Connection] = field(default_factory=dict)

    def play(self, event: TapeEvent) -> None:
        # Tape time never runs backwards, although a recorded wall clock may have been set.
        now = WallNs(max(self.now, event.t))
        if self.began is None:
            self.began = now
        self._let_time_pass(now)
        self.now = now
        match event.x:
            case "open":
                self._open(event)
            case "close":
                self._close(event.c)
            case "frame":
                self._frame(event)
            case "rest":
                self._rest(event)
        self.replay.settle(self.now)

    def end(self) -> None:
        for number in list(self.connections):
            self._close(number)

    def _let_time_pass(self, until: WallNs) -> None:
        """What the sessions do by themselves before the next event, each at its own moment (`TimedSession`)."""
        while (due := self._next_due()) is not None and due[0] <= until:
            self.now = WallNs(max(self.now, due[0]))
            self._by_time(due[1])

    def _next_due(self) -> tuple[int, TimedSession] | None:
        timed = [connection.timed for connection in self.connections.values() if connection.timed is not None]
        times = [(due, session) for session in timed if (due := session.due()) is not None]
        return min(times, key=lambda entry: entry[0], default=None)

    def _by_time(self, session: TimedSession) -> None:
        for decoded in session.on_idle(BootNs(self.now)):
            self.replay.event(decoded)
        self.replay.settle(self.now)

    def _last_word(self, session: TimedSession | None) -> None:
        """What a connection held back when it ended belongs to what was recorded, too."""
        due = None if session is None else session.due()
        if session is not None and due is not None and due <= self.now + LAST_WORD_NS:
            self.now = WallNs(max(self.now, due))
            self._by_time(session)

    def _open(self, event: TapeEvent) -> None:
        self._close(event.c)
        self.generation += 1
        carried = self.markets if event.m is None else [m for m in self.markets if m.market_id in set(event.m)]
        session = self.venue.tape_session(self.header, carried, self.generation)
        timed = session if isinstance(session, TimedSession) else None
        self.connections[event.c] = _Connection(self.generation, session, timed, carried)
        self.replay.opened(self.generation, [market.market_id for market in carried])

    def _close(self, number: int) -> None:
        connection = self.connections.pop(number, None)
        if connection is not None:
            self._last_word(connection.timed)
            self.unknown += connection.session.counts.unknown
            self.failed += connection.session.counts.failed
            self.replay.closed(market.market_id for market in connection.markets)

    def _frame(self, event: TapeEvent) -> None:
        self.frames += 1
        connection = self.connections.get(event.c)
        if connection is None:  # a frame outside any connection belongs to no book
            self.failed += 1
            return
        heartbeat = connection.session.heartbeat()
        data = event.d.encode("utf-8", "replace")
        if heartbeat.kind == "text" and data == heartbeat.pong_text:
            return  # the feed keeps it from the session, too
        for decoded in connection.session.on_text(data, BootNs(self.now)):
            self.replay.event(decoded)

    def _rest(self, event: TapeEvent) -> None:
        for connection in self.connections.values():
            try:
                snapshots = self.venue.tape_snapshots(
                    event.q, event.d, connection.markets, connection.generation, BootNs(self.now)
                )
            except VenueReadError:  # a bad answer changed nothing when it was recorded, either
                continue
            for snapshot in snapshots:
                self.replay.event(snapshot)


def replay(
    path: Path, speed: float | None = None, config: Config | None = None, progress: Progress | None = None
) -> ReplayResult:
    """Replay a tape. `speed` is a multiple of the recorded pace, None as fast as it goes.

    `config` gives the numbers of the decision and, as far as the tape has them, the sets; without it every market of
    the tape is watched with the shipped defaults. Raises `TapeError`, `ReplayError` or `OSError`.
    """
    with Tape(path) as tape:
        lines = tape.lines()
        first = next(lines, None)
        try:
            player = _player(tape.header, 0 if first is None else first.event.t, config)
        except ValueError as error:
            raise ReplayError(f"{path.name}: {error}") from None
        machine = player.replay
        machine.line(tape.header_raw)
        pace = _Pace(speed)
        for line in itertools.chain(() if first is None else (first,), lines):
            pace.wait_for(line.event.t)
            machine.line(line.raw)
            player.play(line.event)
            if progress is not None:
                progress(tape.read_bytes, tape.size_bytes)
        player.end()
        return ReplayResult(
            venue=tape.header.venue,
            source=tape.header.source,
            began_ms=None if player.began is None else player.began // MS,
            ended_ms=None if player.began is None else player.now // MS,
            frames=player.frames,
            frames_unknown=player.unknown,
            frames_failed=player.failed,
            snapshots_checked=machine.checked,
            snapshots_equal=machine.equal,
            snapshots_emptied=machine.emptied,
            decisions=machine.decisions,
            opportunities=machine.opportunities,
            decision_hash=machine.finish(),
            gaps=tuple(machine.gaps),
            markets=machine.market_ends(),
            cut=tape.cut,
        )


def _player(header: TapeHeader, recorded_ns: int, config: Config | None) -> _Player:
    """Markets, sets and books of a tape. Raises `ValueError`: an unknown venue, an impossible market, no proof."""
    venue = venue_module(header.venue)
    markets = {market.market_id: market for market in (venue.tape_market(e, recorded_ns) for e in header.markets)}
    if not markets:
        raise ReplayError("the header names no market")
    everything = Config(venue=header.venue, markets=tuple(markets))
    numbers = everything if config is None else config
    wanted = [s for s in numbers.complete_sets() if all(market_id in markets for market_id in s.market_ids)]
    terms = all_terms(numbers, wanted or everything.complete_sets(), markets)
    watched = list(markets.values())
    return _Player(header, venue, watched, Replay(watched, terms), WallNs(recorded_ns))


def parse_speed(words: str) -> float | None:
    """`max` is None; anything else a number above zero. Raises `ValueError`."""
    if words == "max":
        return None
    try:
        speed = float(words)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= 1_000_000:
        raise ValueError(f"{words!r} is no speed; write max or a number such as 1 or 60")
    return speed


class _Pace:
    """Waits until a tape's moment has come at the wanted speed; None never waits."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._began_s = 0.0
        self._first_ns: int | None = None
        self._nobody = threading.Event()

    def wait_for(self, tape_ns: int) -> None:
        if self._speed is None:
            return
        if self._first_ns is None:
            self._first_ns, self._began_s = tape_ns, time.monotonic()
        due_s = self._began_s + (tape_ns - self._first_ns) / SECOND / self._speed
        left_s = due_s - time.monotonic()
        if left_s > 0:
            self._nobody.wait(left_s)
