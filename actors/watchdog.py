"""The watchdog: a thread, not an actor, because it must run when actors do not (reliability 4.2 rule 5).

Four times a second it lets the gate notice what other processes did, looks for a dispatcher or lane that makes no
progress, and renews the permit. No progress for `TRIP_NS` trips the gate; for `EXIT_NS` the process dumps its stacks
and ends with 70, so that a supervisor restarts it (halted, because the trip is persisted).
"""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.clock import SECOND, BootNs, Clock
from models.exit_codes import EXIT_HUNG
from models.status import InboxLook

logger = logging.getLogger(__name__)

PERIOD_S: Final = 0.25
TRIP_NS: Final = 2 * SECOND
EXIT_NS: Final = 10 * SECOND
AWAY_NS: Final = SECOND
"""A look that comes this late was itself kept from looking (a suspend, SIGSTOP, swap), and so was everybody else: that
time counts against nobody.
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """How to see one worker: `handled` must move while `busy` names something at work."""

    handled: Callable[[], int]
    busy: Callable[[], str | None]
    waiting: Callable[[], int] = lambda: 0
    """Messages in its inbox."""


@dataclass(slots=True)
class _Seen:
    handled: int
    since: BootNs
    mark: int
    """How many messages will have been handled once those are that waited at `marked`."""
    marked: BootNs


class Watchdog:
    """Owns the one thread that never waits for anybody else."""

    def __init__(
        self,
        clock: Clock,
        awake: Callable[[], Mapping[str, Probe]],
        *,
        trip: Callable[[str], None],
        every_turn: tuple[Callable[[], None], ...],
        stacks: Path,
    ) -> None:
        """`awake` names the workers that are worth a look now; who is idle with an empty inbox may be left out, and of
        thousands nearly all are. `every_turn` are called each period on this thread (gate refresh, the permit); one
        that raises is logged.
        """
        self._clock = clock
        self._awake = awake
        self._trip = trip
        self._every_turn = every_turn
        self._stacks = stacks
        self._seen: dict[str, _Seen] = {}
        self._looked = clock.boot_ns()
        self.inbox = InboxLook(waiting=0, age_ns=0)
        """As of the newest look; immutable, read from any thread."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        self._stop.set()
        self._thread.join(timeout_s)

    def look(self) -> BootNs | None:
        """One look at every probe; returns since when the longest stuck one has been stuck, None if all move."""
        now = self._clock.boot_ns()
        away_ns = now - self._looked - int(PERIOD_S * SECOND)
        self._looked = now
        if away_ns > AWAY_NS:
            for known in self._seen.values():
                known.since = BootNs(known.since + away_ns)
        stuck: BootNs | None = None
        waiting, oldest = 0, now
        probes = self._awake()
        for rested in self._seen.keys() - probes.keys():
            del self._seen[rested]
        for name, probe in probes.items():
            handled, busy, queued = probe.handled(), probe.busy(), probe.waiting()
            seen = self._seen.get(name)
            if seen is None:
                seen = self._seen[name] = _Seen(handled, now, handled + queued, now)
            if seen.mark <= handled:
                seen.mark, seen.marked = handled + queued, now
            waiting += queued
            oldest = min(oldest, seen.marked)
            if busy is None or seen.handled != handled:
                seen.handled, seen.since = handled, now
                continue
            if now - seen.since > TRIP_NS:
                self._trip(f"{name}: {busy} has made no progress for {(now - seen.since) / SECOND:.1f} s")
                stuck = seen.since if stuck is None else min(stuck, seen.since)
        self.inbox = InboxLook(waiting=waiting, age_ns=now - oldest)
        return stuck

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            self.turn()

    def turn(self) -> None:
        """One look, and the tasks of a period. Time spent in these is no absence: what holds them up may be the very
        disk that a worker hangs on.
        """
        try:
            stuck = self.look()
        except Exception:
            # The thread edge: a watchdog that ended here would be missed by nobody.
            logger.exception("the watchdog cannot see its workers")
            self._trip("the watchdog cannot see its workers")
            stuck = None
        if stuck is not None and self._clock.boot_ns() - stuck > EXIT_NS:
            self._end_process()
        for call in self._every_turn:
            try:
                call()
            except Exception:
                # The thread edge: one broken task must not blind the others.
                logger.exception("watchdog task failed")
        self._looked = self._clock.boot_ns()

    def _end_process(self) -> None:
        with self._stacks.open("a", encoding="utf-8") as file:
            faulthandler.dump_traceback(file)
        logger.critical("a worker hangs: stacks in %s, ending with %d", self._stacks, EXIT_HUNG)
        os._exit(EXIT_HUNG)
