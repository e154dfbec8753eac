"""What a shell can do without the bot: halt it through its files, and say what the files say."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from adapters.gate import halt_offline
from adapters.operator.command import (
    SEPARATOR,
    Command,
    Reply,
    wrong,
)
from adapters.operator.places import LOCK_NAME
from adapters.operator.tables import clock_date
from adapters.operator.verbs_control import DEFAULT_REASON
from adapters.permit import StateDirectory
from models.clock import Clock
from models.exit_codes import EXIT_HALTED, EXIT_OK, EXIT_UNEXPECTED, EXIT_UNREACHABLE
from models.hostile import clean
from models.status import SCHEMA_VERSION
from models.status_rows import iso

BY: Final = "operator (shell)"
START: Final = "Start one:  python3 run.py"


def reply_without_bot(
    command: Command, args: Sequence[str], missing: Exception, directory: Path, clock: Clock
) -> Reply:
    """What can be said and done without the bot; `missing` says how it failed to answer."""
    if command.name == "halt":
        return halt_in_files(args, str(missing), directory, clock)
    if command.name == "status":
        return status_of_files(missing, directory)
    holder = holder_of(directory)
    if holder is None:
        hint = START
        if command.name == "resume" and StateDirectory(directory / "permit").read_halt() is not None:
            hint = f"{START}  comes up halted; then resume."
        return wrong(f"no bot runs on {_place(directory)}. {hint}", exit_code=EXIT_UNREACHABLE)
    return wrong(f"{holder} does not answer: {missing}", exit_code=EXIT_UNREACHABLE)


def halt_in_files(words: Sequence[str], why: str, directory: Path, clock: Clock) -> Reply:
    """U02: the bot is hung, dead or not started. `words` are those after the verb."""
    args = list(words)
    reason = DEFAULT_REASON
    if SEPARATOR in args:
        at = args.index(SEPARATOR)
        reason = clean(" ".join(args[at + 1 :])) or DEFAULT_REASON
        del args[at:]
    if len(args) > 1 or any(word.startswith("--") for word in args):
        return wrong("usage: halt [M] [-- REASON]")
    market_id = args[0] if args else None
    record, stored = halt_offline(directory, reason, BY, clock, market_id)
    what = f"market {market_id}" if market_id else "all trading"
    holder = holder_of(directory)
    if holder is None:
        lines = [
            f"{what} halted through the files of {_place(directory)}, where no bot is running.",
            "A bot that is started there comes up halted. Undo: resume",
            "One that runs elsewhere is NOT halted: go to its directory, or name its --config.",
        ]
    else:
        lines = [
            f"{what} halted through the files, because {holder}: {why}.",
            "It refuses its next order; a new one starts halted. Undo: resume",
        ]
    if market_id:
        lines.append("Whether such a market is watched could not be checked.")
    if not stored:
        lines = [f"COULD NOT HALT: the files in {directory} cannot be written. Stop the bot: kill its process."]
    document = {
        "schema_version": SCHEMA_VERSION,
        "halted": stored,
        "market_id": market_id,
        "reason": record.reason,
        "by": record.by,
        "since": None if record.at is None else iso(record.at),
        "persisted": stored,
        "through": "files",
    }
    return Reply(lines=tuple(lines), document=document, exit_code=EXIT_OK if stored else EXIT_UNEXPECTED)


def status_of_files(missing: Exception, directory: Path) -> Reply:
    files = StateDirectory(directory / "permit")
    halt = files.read_halt()
    holder = holder_of(directory)
    nobody = f"no bot runs on {_place(directory)}. {START}"
    lines = [nobody if holder is None else f"{holder} does not answer: {missing}"]
    if halt is not None:
        since = f" since {clock_date(halt.at)}" if halt.at else ""
        lines.append(f"trading     HALTED{since} by {halt.by}: {halt.reason}; a new bot starts halted")
    halted = {}
    with contextlib.suppress(OSError):
        halted = dict(files.market_halts())
    lines += [f"halted      {record.market_id or key}: {record.reason}" for key, record in halted.items()]
    document = {
        "schema_version": SCHEMA_VERSION,
        "running": holder is not None,
        "answering": False,
        "trading": {
            "on": False,
            "reason": halt.reason if halt is not None else "no bot runs" if holder is None else "no answer",
            "by": halt.by if halt is not None else "",
            "since": iso(halt.at) if halt is not None and halt.at else None,
        },
        "halted_markets": [record.market_id or key for key, record in halted.items()],
    }
    return Reply(lines=tuple(lines), document=document, exit_code=EXIT_HALTED if halt is not None else EXIT_UNREACHABLE)


def _place(directory: Path) -> str:
    """In full: what is wrong with an answer about no bot is mostly the directory that it was asked in."""
    return clean(os.path.abspath(directory), 400)  # noqa: PTH100  a loop of links is no reason to fail


def holder_of(directory: Path) -> str | None:
    """Who holds the state directory, in words; None where nobody does."""
    if not instance_runs(directory):
        return None
    try:
        pid = msgspec.json.decode((directory / LOCK_NAME).read_bytes())["pid"]
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        return "the bot"
    return f"the bot (process {pid})"


def instance_runs(directory: Path) -> bool:
    """Whether some process holds the instance lock; a shared lock that is given back at once asks the kernel."""
    try:
        fd = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False
