"""The gate in front of every opening order: the halt latch, the permit, and the lock over check and first byte.

A halt is not a message (100,000 queued book updates once delayed one by 9.5 s): anyone may call `trip` from any thread,
and when it has returned no opening entry is granted any more. Only the operator's `resume` opens the gate again.

A lane does
    with gate.enter_opening(market_ids) as granted:
        if granted: sock.sendall(first bytes)     # connected before, short send time-out, nothing else under the lock
once per request. Protective orders and cancels use `enter_protective`, which a halt never stops (design section 3).

Locks, and none is ever held over another's wait: `_wire` over check + first byte; `_latching` for nanoseconds; `_files`
over the writing of files, by resumers and trippers only. The latch is set before any lock or file is touched, so a full
disk, a hung send or a slow fsync cannot keep a halt from taking effect.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final

from adapters.permit import (
    PERMIT_LIFE_NS,
    FileIdentity,
    HaltRecord,
    HaltsSeen,
    Permit,
    PermitProblem,
    StateDirectory,
    market_key,
)
from models.clock import BootNs, Clock, WallNs
from models.hostile import clean

logger = logging.getLogger(__name__)

SETTLE_S: Final = 1.0
"""How long `trip` waits for a first byte that is being sent right now. Send time-outs are shorter."""


class ResumeRefused(Exception):  # noqa: N818  an answer to the operator; its text is the answer
    """The gate stays closed: a halt came in while it was being opened, or the files could not be written."""


class Gate:
    """One per process. `scope` is mode and venue, for example `live:simulated`; a permit of another scope is none.

    A new gate reads what the last process left: a halt stays a halt, and a valid permit still permits.
    """

    def __init__(
        self,
        permit_path: Path,
        clock: Clock,
        *,
        scope: str = "paper",
        on_change: Callable[[HaltRecord | None], None] | None = None,
    ) -> None:
        self._files_at = StateDirectory(permit_path)
        self._clock = clock
        self._scope = scope
        self._on_change = on_change
        self._wire = threading.RLock()  # re-entrant: a lane that finds something wrong under it may trip
        self._latching = threading.Lock()
        self._files = threading.Lock()
        self._trips = 0
        self._market_trips = 0
        self._latch: HaltRecord | None = None
        self._holds: Mapping[str, str] = MappingProxyType({"gate": "not loaded"})
        self._permit: Permit | None = None
        self._identity: FileIdentity | None = None
        self._ends_boot = BootNs(0)
        self._problem: PermitProblem | None = None
        self._markets: Mapping[str, HaltRecord] = MappingProxyType({})
        self._load()

    # -- asking ---------------------------------------------------------------------------------------------------

    @property
    def tripped(self) -> HaltRecord | None:
        """Why opening orders are refused now, or None. A missing or expired permit is a halt like any other."""
        if self._latch is not None:
            return self._latch
        problem = self._permit_problem()
        return None if problem is None else HaltRecord(str(problem), "permit", None)

    @property
    def permit(self) -> Permit | None:
        """The permit in force, for `status`; None while the gate is halted."""
        return self._permit if self.tripped is None else None

    @property
    def held(self) -> str | None:
        """What the gate waits for before it grants anything, or None (`hold`)."""
        return "; ".join(self._holds.values()) or None

    @property
    def market_halts(self) -> Mapping[str, HaltRecord]:
        """Halted markets by id (by `market_key` where the file does not say the id). A snapshot, never changes."""
        return MappingProxyType({record.market_id or key: record for key, record in self._markets.items()})

    def halt_on_disk(self, market_id: str | None = None) -> bool:
        """Whether the halt (of one market, or of all trading) would outlive this process. Looks at the files."""
        files = self._files_at
        return files.survives_restart() if market_id is None else files.market_survives_restart(market_id)

    def enter_opening(self, market_ids: Collection[str]) -> _Entry:
        """Context for the check and the first byte of one opening request on `market_ids`; yields whether it may go.

        Any lane thread. No halt, of the gate or of one of the markets, returns while a granted entry is open.
        """
        return _Entry(self._wire, lambda: self._open_to(market_ids))

    def enter_protective(self) -> _Entry:
        """Context for a cancel, an unwind or a completing order: always granted, takes no lock, waits for nobody."""
        return _Entry(None, lambda: True)

    def halts_seen(self, market_id: str | None = None) -> HaltsSeen:
        """What has halted until now, for the resume that will answer it. Ask before anything that takes time."""
        with self._latching:
            trips = self._trips if market_id is None else self._market_trips
        return HaltsSeen(trips, self._files_at.halt_identity(market_id))

    # -- closing --------------------------------------------------------------------------------------------------

    def trip(self, reason: str, by: str) -> HaltRecord:
        """Halt all opening orders, now and after a restart. Any thread; never raises; the first record stands.

        When this returns, no entry is open and none will be granted until `resume`. (A sender stuck for more than
        `SETTLE_S` inside its entry is logged; its bytes are the last.)
        """
        fresh = HaltRecord(clean(reason), clean(by, 60), self._clock.wall_ns())
        with self._latching:
            self._trips += 1
            first = self._latch is None
            record = self._latch = self._latch or fresh
        self._settle()
        if self._files.acquire(timeout=SETTLE_S):  # else a grant hangs on the disk: it will find itself void
            try:
                stored = self._files_at.store_halt(record)
                self._files_at.sync()
            finally:
                self._files.release()
            if not stored:
                logger.critical("the halt could not be put on disk: it will not survive a restart")
        if first:
            logger.critical("halted by %s: %s", record.by, record.reason)
            self._announce(record)
        return record

    def trip_market(self, market_id: str, reason: str, by: str) -> HaltRecord:
        """Halt opening orders that touch one market, now and after a restart. As `trip` in everything else.

        Where the halt cannot be put on disk all trading is halted instead, which takes no space.
        """
        key = market_key(market_id)
        with self._latching:
            self._market_trips += 1
            known = self._markets.get(key)
            record = known or HaltRecord(clean(reason), clean(by, 60), self._clock.wall_ns(), market_id)
            self._markets = MappingProxyType({**self._markets, key: record})
        self._settle()
        stored = self._files_at.halt_market(market_id, record)
        self._files_at.sync()
        if known is None:
            logger.error("market %s halted by %s: %s", clean(market_id), record.by, record.reason)
            self._announce(record)
        if not stored:
            self.trip(f"the halt of market {market_id} could not be stored", "gate")
        return record

    def hold(self, reason: str, key: str = "start") -> None:
        """Grant nothing until `release_hold(key)`, for example for the time of a reconcile. Holds of several keys add
        up; a second one of the same key has the newest reason. Not a halt; a restart forgets it.
        """
        with self._latching:
            self._holds = MappingProxyType({**self._holds, key: clean(reason)})
        self._settle()

    def release_hold(self, key: str = "start") -> None:
        with self._latching:
            self._holds = MappingProxyType({k: reason for k, reason in self._holds.items() if k != key})

    def refresh(self) -> None:
        """Notice what other processes did to the files (`halt` from a second shell). The watchdog, 4 times a second."""
        if not self._files.acquire(blocking=False):
            return  # somebody is writing them; the watchdog never waits for a disk
        try:
            found = self._files_at.market_halts()
            with self._latching:
                self._markets = MappingProxyType({**found, **self._markets})
        except OSError:
            found = None
        finally:
            self._files.release()
        if found is None:
            self.trip("the directory of halted markets cannot be read", "gate")
        if self._latch is None and self._permit is not None and self._taken_away():
            seen = self._files_at.read_halt()
            self.trip(
                seen.reason if seen is not None else "the permit file was removed or changed by someone else",
                seen.by if seen is not None else "permit",
            )

    # -- opening --------------------------------------------------------------------------------------------------

    def resume(self, by: str, reason: str, answered: HaltsSeen | None = None) -> Permit:
        """Clear the halts `answered` (None: all until now) and write a permit for 24 hours. Only the operator's command
        calls this, after its checks.

        Raises `ResumeRefused` where another halt has come in, from any process, or the permit cannot be written; then
        it stays halted.
        """
        with self._files:
            permit = self._grant(by, reason, answered or self.halts_seen())
        self._announce(None)
        return permit

    def grant_fresh(self, by: str) -> bool:
        """Give the permit without an operator: paper and demo only. True where the gate is open afterwards.

        Only on a directory that never had a permit, or over one of this scope that ran out of its 24 hours unhalted;
        a halt, a permit that was taken away, and a permit of another scope all wait for `resume`.
        """
        with self._files:
            seen = self.halts_seen()
            problem = self._permit_problem()
            if self._latch is not None or seen.on_disk is not None or self._files_at.halt_present():
                return False
            if problem is None:
                return not self._taken_away()
            if not (problem.expired or self._files_at.never_permitted()):
                return False
            granted = self._try_grant(by, "given by itself: no money at risk", seen)
        if granted:
            self._announce(None)
        return granted

    def renew(self, by: str) -> bool:
        """Give a permit in force another 24 hours: paper and demo only, for runs of days. False where it is not."""
        with self._files:
            seen = self.halts_seen()
            if self.tripped is not None or self._taken_away():
                return False
            return self._try_grant(by, "renewed by itself: no money at risk", seen)

    def resume_market(self, market_id: str, by: str, reason: str, answered: HaltsSeen | None = None) -> None:
        """Let one market trade again; as `resume` otherwise, where any market's halt in this process counts as new."""
        key = market_key(market_id)
        with self._files:
            answered = answered or self.halts_seen(market_id)
            try:
                void = not self._files_at.set_aside(answered.on_disk, market_id)
                if not void:
                    self._files_at.forget_answered(market_id)
            except OSError as error:
                raise ResumeRefused(f"the halt's file could not be removed: {error.strerror}") from None
            with self._latching:
                void = void or self._market_trips != answered.trips
                if not void:
                    self._markets = MappingProxyType({k: record for k, record in self._markets.items() if k != key})
        if void:
            again = self._markets.get(key)
            self.trip_market(market_id, again.reason if again else "halted while being resumed", "gate")
            raise ResumeRefused("a new halt of a market came in while this one was being resumed")
        logger.warning("market %s resumed by %s: %s", clean(market_id), clean(by, 60), clean(reason))

    # -- inside ---------------------------------------------------------------------------------------------------

    def _open_to(self, market_ids: Collection[str]) -> bool:
        """Under `_wire`: nothing halts the gate or one of the markets, and the permit file is still the one we read.

        The look at the file costs two microseconds and makes `halt` from another shell act on the very next order.
        """
        if self._latch is not None or self._holds or self._permit_problem() is not None:
            return False
        if self._markets and not self._markets.keys().isdisjoint(map(market_key, market_ids)):
            return False
        return not self._taken_away()

    def _taken_away(self) -> bool:
        return self._files_at.identity() != self._identity or self._files_at.halt_present()

    def _permit_problem(self) -> PermitProblem | None:
        """Age is judged by both clocks, so that setting the wall clock back does not lengthen a permit."""
        if self._permit is None:
            return self._problem
        if self._clock.boot_ns() >= self._ends_boot or self._clock.wall_ns() >= self._permit.expires:
            return PermitProblem("the permit has expired (24 hours)", expired=True)
        return None

    def _settle(self) -> None:
        """Wait until nobody is between check and first byte."""
        if self._wire.acquire(timeout=SETTLE_S):
            self._wire.release()
        else:
            logger.critical("an opening send has hung for more than %s s under the gate's lock", SETTLE_S)

    def _try_grant(self, by: str, reason: str, seen: HaltsSeen) -> bool:
        try:
            self._grant(by, reason, seen)
        except ResumeRefused as refused:
            logger.error("no permit: %s", refused)  # noqa: TRY400  its text is the whole story
            return False
        return True

    def _grant(self, by: str, reason: str, answered: HaltsSeen) -> Permit:
        """Under `_files`. Any halt after those `answered`, in this process or on disk, voids it."""
        now = self._clock.wall_ns()
        permit = Permit(self._scope, clean(by, 60), clean(reason), now, WallNs(now + PERMIT_LIFE_NS))
        identity = self._put_permit(permit, answered.on_disk)
        ends = BootNs(self._clock.boot_ns() + PERMIT_LIFE_NS)
        with self._latching:
            later = self._latch if self._trips != answered.trips else None
            if later is None:
                self._permit, self._identity, self._ends_boot = permit, identity, ends
                self._problem, self._latch = None, None
        if later is not None:
            self._files_at.store_halt(later)
            raise ResumeRefused("another halt came in while trading was being resumed")
        logger.warning("permit for %s given by %s: %s", permit.scope, permit.by, permit.reason)
        return permit

    def _put_permit(self, permit: Permit, halt: FileIdentity | None) -> FileIdentity:
        """The permit in place of the halt on disk that it answers, and of no later one.

        Until the end the files say halted: no permit (nor the one before it) while the halt is aside.
        """
        files = self._files_at
        try:
            files.prepare()
            if halt is not None and not files.take_permit_away():
                raise ResumeRefused("the old permit could not be removed")
            if not files.set_aside(halt):
                raise ResumeRefused("another halt came in while trading was being resumed")
            identity = files.write_permit(permit)
            if not files.still_answered(halt):
                files.take_permit_away()
                files.put_back()
                raise ResumeRefused("another halt came in while trading was being resumed")
            files.forget_answered()
        except OSError as error:
            if files.identity() != self._identity:
                files.take_permit_away()
            with contextlib.suppress(OSError):
                files.put_back()
            raise ResumeRefused(f"the permit could not be written: {error.strerror}") from None
        return identity

    def _load(self) -> None:
        """What the last process left. Whatever cannot be read halts."""
        now = self._clock.wall_ns()
        try:
            self._files_at.prepare()
            self._files_at.put_back()
            self._markets = MappingProxyType(dict(self._files_at.market_halts()))
        except OSError as error:
            self._latch = HaltRecord(f"the state directory cannot be used: {error.strerror}", "gate", now)
        self._identity = self._files_at.identity()
        try:
            self._permit = self._files_at.read_permit(self._scope, now)
        except PermitProblem as problem:
            self._problem = problem
        else:
            self._ends_boot = BootNs(self._clock.boot_ns() + self._permit.expires - now)
        self._latch = self._latch or self._files_at.read_halt()
        self._holds = MappingProxyType({})

    def _announce(self, record: HaltRecord | None) -> None:
        if self._on_change is None:
            return
        try:
            self._on_change(record)
        except Exception:  # a halt must not fail because someone could not be told of it
            logger.exception("the gate's listener failed")


class _Entry:
    """One pass through the gate. The lock, where there is one, is held from the check to the end of the block."""

    __slots__ = ("_check", "_lock")

    def __init__(self, lock: threading.RLock | None, check: Callable[[], bool]) -> None:
        self._lock = lock
        self._check = check

    def __enter__(self) -> bool:
        if self._lock is None:
            return self._check()
        self._lock.acquire()
        try:
            return self._check()
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._lock is not None:
            self._lock.release()


def halt_offline(
    directory: Path, reason: str, by: str, clock: Clock, market_id: str | None = None
) -> tuple[HaltRecord, bool]:
    """Halt the bot whose state is in `directory` without its help: hung, dead or not yet started.

    The record and whether it is on disk. A running gate refuses from the next order on, and latches at its watchdog's
    next `refresh`. Never raises.
    """
    files = StateDirectory(directory / "permit")
    record = HaltRecord(clean(reason), clean(by, 60), clock.wall_ns(), market_id)
    try:
        files.prepare()
    except OSError as error:
        logger.error("%s: %s", directory, error.strerror)  # noqa: TRY400  expected on a full or read-only disk
    if market_id is not None:
        stored = files.halt_market(market_id, record)
    else:
        stored = files.store_halt(record)
    files.sync()
    return replace(files.read_halt() or record, market_id=market_id), stored
