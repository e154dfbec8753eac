"""The form of a command: one registration feeds help, completion, parsing and dispatch, at the prompt and remotely.

A command is a function from a parsed `Call` to a `Reply` of finished text lines and, for `--json`, one object. It never
prints and never asks: where a word has to be typed first, the reply carries the `Question`, and whoever talks to the
operator puts it.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from adapters.operator.events import Level, Selection
from adapters.operator.face import BotFace, LedgerUnreadableError
from models.exit_codes import EXIT_OK, EXIT_UNEXPECTED, EXIT_USAGE
from models.hostile import clean
from models.status import SCHEMA_VERSION

SEPARATOR: Final = "--"
"""What follows is the operator's reason, in free words."""


HELP_OPTIONS: Final = frozenset({"--help", "-h"})

SHELL_VERBS: Final = (
    "run",
    "demo",
    "watch",
    "check",
    "doctor",
    "find",
    "init",
    "record",
    "replay",
    "drill",
    "simulate",
    "setup",
    "test",
)
"""Verbs of the command line that no running bot answers."""


class Place(enum.Flag):
    """Where a command may be given."""

    CONSOLE = enum.auto()
    REMOTE = enum.auto()
    """From another shell, through the control socket."""
    OFFLINE = enum.auto()
    """From another shell, also where no bot runs or none answers."""


class Kind(enum.Enum):
    """What an argument names; decides its completion."""

    MARKET = enum.auto()
    IDENT = enum.auto()
    VERB = enum.auto()
    COUNT = enum.auto()
    CHOICE = enum.auto()
    TEXT = enum.auto()


@dataclass(frozen=True, slots=True)
class Argument:
    name: str
    kind: Kind
    optional: bool = False
    choices: tuple[str, ...] = ()

    def shown(self) -> str:
        name = "|".join(self.choices) if self.choices else self.name
        return f"[{name}]" if self.optional else name


@dataclass(frozen=True, slots=True)
class Option:
    """`--name`, or `--name VALUE` where `value` is the placeholder."""

    name: str
    value: str = ""

    def shown(self) -> str:
        return f"[--{self.name} {self.value}]" if self.value else f"[--{self.name}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the operator must type before something happens. Any other text means no."""

    prompt: str
    answers: Mapping[str, tuple[str, ...]]
    """Typed text -> the command words to carry out then (empty: nothing)."""
    otherwise: str
    """Said when the text is none of the answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    lines: tuple[str, ...] = ()
    document: Mapping[str, object] | None = None
    """What `--json` prints instead of the lines; None where the command has no such form."""
    exit_code: int = EXIT_OK
    question: Question | None = None
    leave: bool = False
    """The operator has decided to end the bot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who gives the command, and where its answer is read."""

    face: BotFace
    place: Place
    by: str
    """For the records: `operator (console)`, `operator (shell)`."""
    width: int = 100
    json: bool = False
    selection: Selection | None = None
    """Of the console's event lines; None elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One command with its words taken apart."""

    caller: Caller
    values: Mapping[str, str]
    options: Mapping[str, str]
    reason: str

    @property
    def face(self) -> BotFace:
        return self.caller.face

    def count(self, name: str, default: int, most: int) -> int:
        """A whole number from 1 to `most`, or `UsageProblem`."""
        written = self.values.get(name)
        if written is None:
            return default
        if not (written.isascii() and written.isdigit() and 1 <= int(written[:9]) <= most):
            raise UsageProblem(f"{name} must be a whole number from 1 to {most}")
        return int(written)


class UsageProblem(Exception):  # noqa: N818  an answer to the operator, not a fault
    """The words do not fit. The text says what was wrong, in the operator's terms; exit code 2."""

    def __init__(self, text: str, *, usage: bool = True) -> None:
        super().__init__(text)
        self.usage = usage
        """Whether the command's usage helps; it does not where only a name is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    name: str
    summary: str
    run: Callable[[Call], Reply]
    places: Place
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    aliases: tuple[str, ...] = ()
    reason: bool = False
    slow: bool = False
    """Reads the ledger or waits for an actor: the console runs it beside the prompt."""
    notes: tuple[str, ...] = ()
    parameters: Mapping[str, Argument] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", MappingProxyType({a.name: a for a in self.arguments}))

    def usage(self, *more: str) -> str:
        """`more`: what the shell takes too. All of it stands before the reason, which is the rest of the line."""
        reason = ["[-- REASON]"] if self.reason else []
        known = (*(a.shown() for a in self.arguments), *(o.shown() for o in self.options))
        return " ".join([self.name, *known, *more, *reason])

    def details(self) -> tuple[str, ...]:
        """What `help NAME` and `NAME --help` say."""
        also = (f"  also: {', '.join(self.aliases)}",) if self.aliases else ()
        return (self.usage(), f"  {self.summary}", *(f"  {note}" for note in self.notes), *also)


class Commands:
    """The table. `verbs_*.py` fill one instance; nothing else adds to it."""

    def __init__(self) -> None:
        self._by_name: dict[str, Command] = {}
        self._by_word: dict[str, Command] = {}

    def add(self, command: Command) -> None:
        for word in (command.name, *command.aliases):
            if word in self._by_word:
                raise ValueError(f"two commands are called {word!r}")
            self._by_word[word] = command
        self._by_name[command.name] = command

    def all(self) -> tuple[Command, ...]:
        """In the order of registration, which is the order of `help`."""
        return tuple(self._by_name.values())

    def at(self, place: Place) -> tuple[Command, ...]:
        return tuple(command for command in self._by_name.values() if place in command.places)

    def find(self, word: str) -> Command | None:
        return self._by_word.get(word)

    def nearest(self, word: str, place: Place) -> str | None:
        return nearest(word, [w for w, command in self._by_word.items() if place in command.places])


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    found = difflib.get_close_matches(word.casefold(), list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def words_of(line: str) -> list[str]:
    """A typed line as words; everything after ` -- ` is one word, the reason, with its own spaces and quotes."""
    head, separator, reason = f" {line.strip()} ".partition(f" {SEPARATOR} ")
    return [*head.split(), SEPARATOR, reason.strip()] if separator else head.split()


def without_reason(words: Sequence[str]) -> Sequence[str]:
    """What stands before the separator; what follows it is the operator's own text, whatever it looks like."""
    return words[: list(words).index(SEPARATOR)] if SEPARATOR in words else words


def dispatch(commands: Commands, words: Sequence[str], caller: Caller) -> Reply:
    """Carry out one command. Wrong words give a reply with exit code 2; faults of ours are raised."""
    if not words:
        return Reply()
    verb = words[0]
    command = commands.find(verb)
    if command is None:
        if verb in SHELL_VERBS and caller.place is Place.CONSOLE:
            return wrong(f"{verb} is typed in another shell:  python3 run.py {verb}")
        near = commands.nearest(verb, caller.place)
        hint = f"Did you mean {near}?" if near else "Type help for the list."
        return wrong(f"unknown command {clean(verb, 40)!r}. {hint}")
    if caller.place not in command.places:
        where = "at the prompt of the bot's own console" if Place.CONSOLE in command.places else "from a shell"
        return wrong(f"{command.name} works {where} only")
    if not HELP_OPTIONS.isdisjoint(without_reason(words)):
        return Reply(lines=command.details())
    try:
        return command.run(parse(command, words[1:], caller))
    except UsageProblem as problem:
        return wrong(str(problem), *([f"usage: {command.usage()}"] if problem.usage else []))
    except LedgerUnreadableError as problem:
        return wrong(f"the ledger could not be read: {problem}", exit_code=EXIT_UNEXPECTED)


def parse(command: Command, words: Sequence[str], caller: Caller) -> Call:
    """Take the words after the verb apart, or raise `UsageProblem`."""
    given = list(words)
    reason = ""
    if SEPARATOR in given:
        at = given.index(SEPARATOR)
        reason = clean(" ".join(given[at + 1 :]))
        del given[at:]
        if not command.reason:
            raise UsageProblem(f"{command.name} takes no reason")
    known = {option.name: option for option in command.options}
    positional: list[str] = []
    options: dict[str, str] = {}
    while given:
        word = given.pop(0)
        if not word.startswith("--"):
            positional.append(word)
            continue
        name, _, value = word[2:].partition("=")
        option = known.get(name)
        if option is None:
            near = nearest(name, known)
            raise UsageProblem(f"unknown option {clean(word, 40)}" + (f", did you mean --{near}?" if near else ""))
        if option.value and not value:
            if not given:
                raise UsageProblem(f"--{name} needs {option.value}")
            value = given.pop(0)
        options[name] = value
    return Call(caller=caller, values=_bound(command, positional), options=options, reason=reason)


def _bound(command: Command, words: Sequence[str]) -> Mapping[str, str]:
    if len(words) > len(command.arguments):
        extra = clean(words[len(command.arguments)], 40)
        hint = "; a reason stands after --" if command.reason else ""
        raise UsageProblem(f"{command.name}: {extra!r} is one word too many{hint}")
    missing = [a.name for a in command.arguments[len(words) :] if not a.optional]
    if missing:
        raise UsageProblem(f"{command.name} needs {missing[0]}")
    for argument, word in zip(command.arguments, words, strict=False):
        if argument.choices and word not in argument.choices:
            raise UsageProblem(f"{argument.name} must be one of {', '.join(argument.choices)}")
    return {argument.name: word for argument, word in zip(command.arguments, words, strict=False)}


def wrong(*lines: str, exit_code: int = EXIT_USAGE) -> Reply:
    document = {"schema_version": SCHEMA_VERSION, "error": lines[0]}
    return Reply(lines=lines, document=document, exit_code=exit_code)


LEVELS: Final = tuple(level.value for level in Level)
