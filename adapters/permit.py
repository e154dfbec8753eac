"""The permit and the halts as files: what a second process, a restart and a full disk have to agree on.

Trading needs a positive, fresh permission (reliability I7), so the file that matters is the one whose *absence* halts:
taking it away works on a full disk, from another shell, and with every thread of the bot hung.

    permit            the permission: its scope, since when, until when. Missing, expired, torn or foreign = halted
    halt              why (best effort: the first halt's reason, who, when). Present = halted, whatever the permit says
    halts/<key>       one file per halted market, named by a hash of its id; present = halted, also when it is empty
    *.answered        a halt's file while a resume is being given; put back where another halt came in meanwhile
    permitted-before  made before the first permit: tells a fresh directory from one whose permit was taken away

Files are 0600 in a directory of 0700. Nothing here keeps state; `adapters/gate.py` is the one user in the bot.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.clock import SECOND, WallNs
from models.hostile import clean

PERMIT_LIFE_NS: Final = 24 * 3600 * SECOND
"""A permit is an operator's attention span, not a setting."""

CLOCK_SLACK_NS: Final = 60 * SECOND
"""A permit from further in the future than this was given under another clock, and says nothing about now."""

_READ_LIMIT: Final = 64 * 1024

_ANSWERED: Final = ".answered"
_RACES: Final = 100
"""Resumes that one halt may meet; each takes the file that the halt has just found."""


@dataclass(frozen=True, slots=True)
class HaltRecord:
    """Why opening orders are refused, who decided it, and when (None where a torn file does not say)."""

    reason: str
    by: str
    at: WallNs | None
    market_id: str | None = None
    """The one market that is halted; None where the record is about all trading, or its file cannot be read."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to open positions in one scope (mode and venue), from `granted` until `expires`."""

    scope: str
    by: str
    reason: str
    granted: WallNs
    expires: WallNs


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Tells one version of a file from the next without reading it."""

    inode: int
    mtime_ns: int
    size: int


@dataclass(frozen=True, slots=True)
class HaltsSeen:
    """What had halted when a resume was asked for. It answers these; one that comes later is not cleared by it."""

    trips: int
    """Of all trading or, for a market, of any market, in this process."""
    on_disk: FileIdentity | None


class PermitProblem(Exception):  # noqa: N818  the fact that there is no valid permission; its text is the halt's reason
    """No valid permit. `expired` is True only for a permit that is in order but for its age."""

    def __init__(self, reason: str, *, expired: bool = False) -> None:
        super().__init__(reason)
        self.expired = expired


class StateDirectory:
    """The gate's files in one directory. Methods raise `OSError` unless they say otherwise."""

    def __init__(self, permit: Path) -> None:
        self.permit = permit
        self.halt = permit.with_name("halt")
        self.halts = permit.with_name("halts")
        self.before = permit.with_name("permitted-before")

    def prepare(self) -> None:
        for directory in (self.permit.parent, self.halts):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)

    def identity(self) -> FileIdentity | None:
        """The permit's identity; None where it is missing or cannot be looked at. Never raises."""
        return _identity(self.permit)

    def halt_identity(self, market_id: str | None = None) -> FileIdentity | None:
        """Which halt is on disk; a second one from another shell gives the same file another identity. Never raises."""
        return _identity(self._halt_of(market_id))

    def write_permit(self, permit: Permit) -> FileIdentity:
        """Put `permit` in place, all or nothing, and on the disk before this returns."""
        if not self.before.exists():
            _replace(self.before, {"first_wall_ns": permit.granted})
        _replace(
            self.permit,
            {
                "scope": permit.scope,
                "by": permit.by,
                "reason": permit.reason,
                "granted_wall_ns": permit.granted,
                "expires_wall_ns": permit.expires,
            },
        )
        identity = self.identity()
        if identity is None:
            raise FileNotFoundError(f"{self.permit} vanished while it was written")
        return identity

    def read_permit(self, scope: str, now: WallNs) -> Permit:
        """The permit if it holds for `scope` at `now`, else `PermitProblem`. Never raises anything else."""
        try:
            written = _read(self.permit)
            permit = Permit(
                scope=str(written["scope"]),
                by=clean(str(written["by"])),
                reason=clean(str(written["reason"])),
                granted=_wall(written["granted_wall_ns"]),
                expires=_wall(written["expires_wall_ns"]),
            )
        except FileNotFoundError:
            raise PermitProblem("no permit: `resume` gives one") from None
        except (OSError, ValueError, TypeError, KeyError):
            raise PermitProblem("the permit file cannot be read; `resume` writes a new one") from None
        if permit.scope != scope:
            raise PermitProblem(f"the permit is for {clean(permit.scope, 60)}, not for {scope}")
        if permit.granted > now + CLOCK_SLACK_NS or not 0 <= permit.expires - permit.granted <= PERMIT_LIFE_NS:
            raise PermitProblem("the permit's times make no sense with this clock")
        if now >= permit.expires:
            raise PermitProblem("the permit has expired (24 hours)", expired=True)
        return permit

    def take_permit_away(self) -> bool:
        """Make the permit worthless: remove it, or empty it where removing fails. False where neither worked.

        Neither step needs disk space. Never raises.
        """
        try:
            self.permit.unlink(missing_ok=True)
        except OSError:
            try:
                os.truncate(self.permit, 0)
            except OSError:
                return False
        return True

    def store_halt(self, record: HaltRecord) -> bool:
        """Halt on disk: take the permit away and record why, unless an earlier halt's reason stands.

        Never raises. False where a restart would not know of it: neither worked, or there is no reason file and this
        directory looks as if it never had a permit.
        """
        gone, told = self.take_permit_away(), _write_record(self.halt, record)
        if not told:  # a permit may have been given meanwhile, to which only the file would have been an answer
            gone = self.take_permit_away()
        return told or (gone and not self.never_permitted())

    def never_permitted(self) -> bool:
        """Nobody has ever been permitted anything here: the state of a fresh directory."""
        return not os.path.lexists(self.before) and not os.path.lexists(self.permit)

    def survives_restart(self) -> bool:
        """Whether a new process would find all trading halted: a halt's file, or no permit where there was one."""
        found = self.identity()
        return self.halt_present() or ((found is None or found.size == 0) and not self.never_permitted())

    def market_survives_restart(self, market_id: str) -> bool:
        return os.path.lexists(self.halts / market_key(market_id))

    def read_halt(self) -> HaltRecord | None:
        """The recorded halt. A file that cannot be read is a halt too. Never raises."""
        return _read_record(self.halt) if self.halt_present() else None

    def halt_present(self) -> bool:
        return os.path.lexists(self.halt)

    def set_aside(self, seen: FileIdentity | None, market_id: str | None = None) -> bool:
        """Move the halt that was `seen` out of the way, and no other. False where another one is there; it stays.

        A halt from another shell may land at any moment: before the move it changes the identity, after it it makes
        a file of its own. `still_answered` looks a last time.
        """
        halt = self._halt_of(market_id)
        if seen is None:
            return not os.path.lexists(halt)
        try:
            halt.rename(_aside(halt))
        except FileNotFoundError:
            return True  # somebody removed it by hand
        if self.still_answered(seen, market_id):
            return True
        self.put_back(market_id)
        return False

    def still_answered(self, seen: FileIdentity | None, market_id: str | None = None) -> bool:
        """Whether no halt has come since `seen`, which was set aside."""
        halt = self._halt_of(market_id)
        return not os.path.lexists(halt) and _identity(_aside(halt)) in (seen, None)

    def put_back(self, market_id: str | None = None) -> None:
        """Halt again by what was set aside, if anything was; a newer halt's file stands."""
        halt = self._halt_of(market_id)
        with contextlib.suppress(FileNotFoundError):
            if os.path.lexists(halt):
                _aside(halt).unlink()
            else:
                _aside(halt).rename(halt)

    def forget_answered(self, market_id: str | None = None) -> None:
        halt = self._halt_of(market_id)
        _aside(halt).unlink(missing_ok=True)
        _sync_directory(halt.parent)

    def halt_market(self, market_id: str, record: HaltRecord) -> bool:
        """Record one market's halt. The name in the directory is the halt; the text in it is a comfort.

        False where not even an empty file could be made. Never raises.
        """
        return _write_record(self._halt_of(market_id), record)

    def market_halts(self) -> Mapping[str, HaltRecord]:
        """Every halted market's record by its `market_key`. One whose resume was cut off is halted."""
        names = os.listdir(self.halts)  # noqa: PTH208  names only
        return {name.removesuffix(_ANSWERED): _read_record(self.halts / name) for name in names}

    def sync(self) -> None:
        """Make what was removed and created durable against a power cut. Best effort, never raises."""
        for directory in (self.permit.parent, self.halts):
            with contextlib.suppress(OSError):
                _sync_directory(directory)

    def _halt_of(self, market_id: str | None) -> Path:
        return self.halt if market_id is None else self.halts / market_key(market_id)


def market_key(market_id: str) -> str:
    """The file name of a market's halt. A hash, because a venue's ids are the venue's text."""
    return hashlib.sha256(market_id.encode()).hexdigest()[:32]


def _wall(value: object) -> WallNs:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("a time is a whole number of nanoseconds")
    return WallNs(value)


def _read(path: Path) -> dict[str, Any]:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        document = json.loads(os.read(fd, _READ_LIMIT))
    except RecursionError:
        raise ValueError("nested beyond reason") from None
    finally:
        os.close(fd)
    if not isinstance(document, dict):
        raise TypeError("not an object")
    return document


def _replace(path: Path, document: Mapping[str, object]) -> None:
    """tmp, fsync, rename, fsync of the directory: after a crash the old file or the new one, never a torn one."""
    scratch = path.with_name(path.name + ".new")
    scratch.unlink(missing_ok=True)
    fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _write_all(fd, document)
        os.fsync(fd)
    finally:
        os.close(fd)
    scratch.rename(path)
    _sync_directory(path.parent)


def _write_all(fd: int, document: Mapping[str, object]) -> None:
    text = json.dumps(document).encode()
    if os.write(fd, text) != len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _write_record(path: Path, record: HaltRecord) -> bool:
    """Make the file that halts; the first one's words stand, under a new identity. True where it is there then."""
    fd = _create(path)
    if fd is None:
        return os.path.lexists(path)
    try:
        _write_all(
            fd,
            {"reason": record.reason, "by": record.by, "at_wall_ns": record.at, "market_id": record.market_id},
        )
    except OSError:
        pass  # a full disk leaves an empty file, and an empty file is a halt
    finally:
        os.close(fd)
    return True


def _create(path: Path) -> int | None:
    """A descriptor of the new file; None where there is one, which then has another identity, or where none can be."""
    for _ in range(_RACES):
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            with contextlib.suppress(OSError):
                _renew_identity(path)
                return None  # else a resume has just set it aside: this halt needs a file of its own
        except OSError:
            return None
    return None


def _renew_identity(path: Path) -> None:
    """Takes no space on a full disk. A whole second, because some file systems count in seconds."""
    found = os.stat(path, follow_symlinks=False)  # noqa: PTH116  its second argument has no name in Path's
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + SECOND), follow_symlinks=False)


def _identity(path: Path) -> FileIdentity | None:
    """None where it is missing or cannot be looked at."""
    try:
        found = os.stat(path, follow_symlinks=False)  # noqa: PTH116  Path.stat costs five times as much
    except OSError:
        return None
    return FileIdentity(found.st_ino, found.st_mtime_ns, found.st_size)


def _aside(halt: Path) -> Path:
    return halt.with_name(halt.name + _ANSWERED)


def _read_record(path: Path) -> HaltRecord:
    try:
        written = _read(path)
        market_id = written.get("market_id")
        return HaltRecord(
            reason=clean(str(written["reason"])),
            by=clean(str(written["by"]), 60),
            at=_wall(written["at_wall_ns"]),
            market_id=None if market_id is None else str(market_id),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return HaltRecord("halted earlier; its reason could not be read", "unknown", None)


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
