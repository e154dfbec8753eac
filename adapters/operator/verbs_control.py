"""Commands that change something: halt, resume, set, quit.

`halt` acts first and explains afterwards. `resume` and `quit` explain first: they say what tripped, what is open, and
then wait for a typed word.
"""

from __future__ import annotations

import zlib
from typing import Final

from adapters.operator.command import (
    LEVELS,
    Argument,
    Call,
    Command,
    Commands,
    Kind,
    Option,
    Place,
    Question,
    Reply,
    UsageProblem,
    nearest,
)
from adapters.operator.events import Level
from adapters.operator.face import Halted, Leaving, Refused, Resumed
from adapters.operator.tables import clock_time, wrap
from adapters.permit import HaltsSeen
from models.exit_codes import EXIT_HALTED
from models.hostile import clean
from models.market import MarketId
from models.status import SCHEMA_VERSION, StatusSnapshot
from models.status_rows import iso

DEFAULT_REASON: Final = "no reason given"
RESUME_WORD: Final = "RESUME"


def market_named(status: StatusSnapshot, word: str) -> MarketId:
    """The watched market of exactly this id, or `UsageProblem` with the one that was probably meant."""
    row = status.market(word)
    if row is not None:
        return row.market_id
    ids = [known.market_id for known in status.markets]
    inside = [
        known.market_id for known in status.markets if word.casefold() in f"{known.market_id} {known.title}".casefold()
    ]
    near = inside[0] if len(inside) == 1 else nearest(word, ids)
    raise UsageProblem(
        f"no market {clean(word, 80)!r}." + (f" Did you mean {near}?" if near else " Try: markets"), usage=False
    )


def halt(call: Call) -> Reply:
    word = call.values.get("M")
    market_id = market_named(call.face.snapshot(), word) if word else None
    halted = call.face.halt(market_id, call.reason or DEFAULT_REASON, call.caller.by)
    return halt_reply(market_id, halted, call.face.snapshot(), call.caller.width)


def halt_reply(market_id: MarketId | None, halted: Halted, status: StatusSnapshot, width: int) -> Reply:
    what = market_id or "all trading"
    done = "was halted before" if halted.already else "halted"
    running = [f.attempt_id for f in status.in_flight if market_id is None or market_id in f.market_ids]
    parts = [f"{what} {done} (by {halted.by}: {halted.reason})."]
    if running:
        parts.append(f"In flight {', '.join(running)} finishes.")
    parts.append(
        "Survives restart." if halted.persisted else "NOT ON DISK: it holds only as long as this process lives."
    )
    parts.append(f"Undo: resume{f' {market_id}' if market_id else ''}")
    document = {
        "schema_version": SCHEMA_VERSION,
        "halted": True,
        "market_id": market_id,
        "reason": halted.reason,
        "by": halted.by,
        "since": None if halted.at is None else iso(halted.at),
        "since_ns": halted.at,
        "already": halted.already,
        "persisted": halted.persisted,
        "in_flight": running,
    }
    return Reply(lines=tuple(wrap(parts, width, "  ", " ")), document=document)


def resume(call: Call) -> Reply:
    word = call.values.get("M")
    market_id = market_named(call.face.snapshot(), word) if word else None
    what = market_id or "all trading"
    outlook = call.face.outlook(market_id)
    if not outlook.halted:
        document = {"schema_version": SCHEMA_VERSION, "resumed": False, "halted": False, "market_id": market_id}
        return Reply(lines=(f"{what} is not halted.",), document=document)
    tripped = tuple(f"tripped    {line}" for line in outlook.tripped)
    if outlook.refusals:
        return _refused(what, market_id, tripped, outlook.refusals)
    if "yes" not in call.options:
        again = ["resume", *([market_id] if market_id else []), f"--yes={_named(outlook.halts)}"]
        if call.reason:
            again += ["--", call.reason]
        return Reply(
            lines=(*tripped, "open       nothing is unknown, mismatched or unhedged"),
            document={
                "schema_version": SCHEMA_VERSION,
                "resumed": False,
                "halted": True,
                "market_id": market_id,
                "tripped": list(outlook.tripped),
                "refusals": [],
            },
            exit_code=EXIT_HALTED,
            question=Question(
                prompt=f"type {RESUME_WORD} to resume {what}: ",
                answers={RESUME_WORD: tuple(again)},
                otherwise="Not resumed.",
            ),
        )
    if call.options["yes"] not in ("", _named(outlook.halts)):
        return _refused(what, market_id, tripped, ("another halt came in while you were asked: look, resume again",))
    answer = call.face.resume(market_id, call.reason or DEFAULT_REASON, call.caller.by, outlook.halts)
    if isinstance(answer, Refused):
        return _refused(what, market_id, tripped, answer.why)
    return _resumed(what, market_id, answer)


def _named(halts: HaltsSeen) -> str:
    """The halts that an operator was shown, as one word that their answer brings back. Only told apart, never read."""
    return f"{zlib.crc32(repr(halts).encode()):08x}"


def _resumed(what: str, market_id: MarketId | None, answer: Resumed) -> Reply:
    document = {
        "schema_version": SCHEMA_VERSION,
        "resumed": True,
        "halted": False,
        "market_id": market_id,
        "note": answer.note,
    }
    return Reply(lines=(f"{what} resumed. {answer.note}".rstrip(),), document=document)


def _refused(what: str, market_id: MarketId | None, tripped: tuple[str, ...], why: tuple[str, ...]) -> Reply:
    document = {
        "schema_version": SCHEMA_VERSION,
        "resumed": False,
        "halted": True,
        "market_id": market_id,
        "refusals": list(why),
    }
    lines = (*tripped, f"{what} stays halted. First settle:", *(f"  - {clean(reason)}" for reason in why))
    return Reply(lines=lines, document=document, exit_code=EXIT_HALTED)


def set_value(call: Call) -> Reply:
    selection = call.caller.selection
    if selection is None:
        raise UsageProblem("set works at the prompt only")
    selection.level = Level(call.values["LEVEL"])
    said = {
        Level.QUIET: "only what was done or wants attention",
        Level.NORMAL: "everything, repeated skips folded",
        Level.ALL: "everything",
    }
    return Reply(lines=(f"events {selection.level.value}: {said[selection.level]}",))


def leave(call: Call) -> Reply:
    status = call.face.snapshot()
    chosen = [leaving for leaving in Leaving if leaving.value in call.options]
    if len(chosen) > 1:
        raise UsageProblem("either --wait or --protect")
    if not chosen and status.open_items:
        return Reply(
            question=Question(
                prompt=f"{', '.join(status.open_items)}. [w]ait, [c]ancel+unwind, [s]tay? ",
                answers={"w": ("quit", "--wait"), "c": ("quit", "--protect"), "s": ()},
                otherwise="Staying.",
            ),
            lines=() if call.caller.place is Place.CONSOLE else (f"open: {', '.join(status.open_items)}",),
        )
    how = chosen[0] if chosen else Leaving.PROTECT
    call.face.quit(how)
    words = "stopping when what is in flight has ended" if how is Leaving.WAIT else "stopping in order"
    document = {"schema_version": SCHEMA_VERSION, "stopping": True, "how": how.value, "at": clock_time(status.at)}
    return Reply(lines=(words,), document=document, leave=True)


def register(commands: Commands) -> None:
    market = Argument("M", Kind.MARKET, optional=True)
    everywhere = Place.CONSOLE | Place.REMOTE
    commands.add(
        Command(
            name="halt",
            summary="stop opening new sets, in all markets or one; what is open is still protected",
            run=halt,
            places=everywhere | Place.OFFLINE,
            arguments=(market,),
            reason=True,
            notes=(
                "Takes effect before it answers, survives a restart, and works when the bot hangs or is not running.",
            ),
        )
    )
    commands.add(
        Command(
            name="resume",
            summary="show what tripped and what is open, and trade again after RESUME is typed",
            run=resume,
            places=everywhere,
            arguments=(market,),
            options=(Option("yes"),),
            reason=True,
            notes=("Refused while anything is unknown, mismatched or unhedged. --yes is for scripts.",),
        )
    )
    commands.add(
        Command(
            name="set",
            summary="how much of the news is printed",
            run=set_value,
            places=Place.CONSOLE,
            arguments=(
                Argument("WHAT", Kind.CHOICE, choices=("events",)),
                Argument("LEVEL", Kind.CHOICE, choices=LEVELS),
            ),
        )
    )
    commands.add(
        Command(
            name="quit",
            summary="stop the bot in order; asks first if something is open",
            run=leave,
            places=everywhere,
            options=(Option("wait"), Option("protect")),
            aliases=("exit", "q"),
        )
    )
