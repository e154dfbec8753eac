"""`config`, `log`, `version` and `help`: words about the bot and about this table."""

from __future__ import annotations

import textwrap
from decimal import Decimal
from typing import Final

import msgspec

from adapters.operator.command import (
    SHELL_VERBS,
    Argument,
    Call,
    Command,
    Commands,
    Kind,
    Place,
    Reply,
    UsageProblem,
)
from adapters.operator.tables import MISSING, clock_time, pad
from models.clock import SECOND, WallNs
from models.hostile import clean
from models.status import SCHEMA_VERSION

USAGE_CELLS: Final = 31
SUMMARY_CELLS: Final = 28


def config(call: Call) -> Reply:
    lines = tuple(call.face.config_lines())
    return Reply(lines=lines, document={"schema_version": SCHEMA_VERSION, "config": list(lines)})


def log(call: Call) -> Reply:
    lines = tuple(call.face.log_lines(call.count("N", 20, 1_000)))
    document = {"schema_version": SCHEMA_VERSION, "log": list(lines)}
    return Reply(lines=tuple(map(log_line, lines)) or ("the log is empty",), document=document)


def log_line(line: str) -> str:
    """A JSON line of the log as `time LEVEL logger: event key=value ...`; anything else as it is."""
    try:
        fields = msgspec.json.decode(line, type=dict[str, object])
        at = WallNs(int(Decimal(str(fields.pop("wall_s"))) * SECOND))
        head = f"{clock_time(at)} {str(fields.pop('level')).upper():<7} {fields.pop('logger')}: {fields.pop('event')}"
    except (msgspec.DecodeError, KeyError, ArithmeticError, ValueError):
        return line
    fields.pop("thread", None)
    return " ".join([head, *(f"{name}={value}" for name, value in fields.items())])


def version(call: Call) -> Reply:
    now = call.face.snapshot()
    document = {"schema_version": SCHEMA_VERSION, "version": now.version, "config_hash": now.config_hash}
    return Reply(lines=(f"dutchbook {now.version} · config {now.config_hash[:8] or MISSING}",), document=document)


def entry(command: Command, width: int) -> list[str]:
    """The command's line of the list, on as many lines as it takes."""
    if width < USAGE_CELLS + SUMMARY_CELLS:
        below = textwrap.wrap(command.summary, max(SUMMARY_CELLS, width), initial_indent="  ", subsequent_indent="  ")
        return [command.usage(), *below]
    usage = pad(command.usage(), USAGE_CELLS)
    summary = textwrap.wrap(command.summary, max(20, width - USAGE_CELLS - 1))
    return [f"{usage if at == 0 else ' ' * USAGE_CELLS} {part}" for at, part in enumerate(summary)]


def register(commands: Commands) -> None:
    everywhere = Place.CONSOLE | Place.REMOTE

    def help_text(call: Call) -> Reply:
        word = call.values.get("COMMAND")
        here = commands.at(call.caller.place)
        if word is None:
            lines = [line for command in here for line in entry(command, call.caller.width)]
            return Reply(lines=(*lines, "", *KEYS)) if call.caller.place is Place.CONSOLE else Reply(lines=tuple(lines))
        command = commands.find(word)
        if command is None:
            if word in SHELL_VERBS:
                return Reply(lines=(f"a verb of the shell:  python3 run.py {word} --help",))
            near = commands.nearest(word, call.caller.place)
            hint = f"Did you mean {near}?" if near else "Type help for the list."
            raise UsageProblem(f"no command {clean(word, 40)!r}. {hint}", usage=False)
        return Reply(lines=command.details())

    for command in (
        Command(
            name="config",
            summary="the parameters in force, in the form of config.yaml",
            run=config,
            places=everywhere,
        ),
        Command(
            name="log",
            summary="the last lines of the log",
            run=log,
            places=everywhere,
            arguments=(Argument("N", Kind.COUNT, optional=True),),
            slow=True,
        ),
        Command(name="version", summary="of program and configuration", run=version, places=everywhere),
        Command(
            name="help",
            summary="this list, or one command in detail",
            run=help_text,
            places=everywhere,
            arguments=(Argument("COMMAND", Kind.VERB, optional=True),),
            aliases=("?",),
        ),
    ):
        commands.add(command)


KEYS: Final = (
    "F1 help  F2 status  F3 markets  F4 events level  F9 HALT ALL, no question  F10 quit",
    "Full screen: `python3 run.py watch` in another terminal.",
)
