"""What Tab offers: verbs, then whatever the verb's table entry says its arguments are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from adapters.operator.command import SEPARATOR, Argument, Command, Commands, Kind, Place
from models.status import StatusSnapshot

_SHOWN_CELLS: Final = 40


class CommandCompleter(Completer):
    """Reads only the table and the last snapshot, so it may run while a key is handled."""

    def __init__(self, commands: Commands, snapshot: Callable[[], StatusSnapshot]) -> None:
        self._commands = commands
        self._snapshot = snapshot

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002
        before = document.text_before_cursor.lstrip()
        words = before.split()
        typing = "" if before.endswith(" ") or not words else words.pop()
        if SEPARATOR in words:
            return
        for word, meaning in self._candidates(words, typing):
            if word.startswith(typing):
                yield Completion(word, start_position=-len(typing), display_meta=meaning[:_SHOWN_CELLS])

    def _candidates(self, words: list[str], typing: str) -> list[tuple[str, str]]:
        here = self._commands.at(Place.CONSOLE)
        if not words:
            return [(command.name, command.summary) for command in here]
        command = self._commands.find(words[0])
        if command is None:
            return []
        if typing.startswith("-"):
            return _options(command, words)
        given = [word for word in words[1:] if not word.startswith("--")]
        if len(given) >= len(command.arguments):
            return [(SEPARATOR, "your reason follows")] if command.reason else []
        return self._values(command.arguments[len(given)])

    def _values(self, argument: Argument) -> list[tuple[str, str]]:
        now = self._snapshot()
        match argument.kind:
            case Kind.MARKET | Kind.TEXT:
                return [(row.market_id, row.title) for row in now.markets]
            case Kind.IDENT:
                return _idents(now)
            case Kind.VERB:
                return [(command.name, command.summary) for command in self._commands.at(Place.CONSOLE)]
            case Kind.CHOICE:
                return [(choice, "") for choice in argument.choices]
            case Kind.COUNT:
                return []


def _options(command: Command, words: list[str]) -> list[tuple[str, str]]:
    offered = [(f"--{option.name}", option.value) for option in command.options if f"--{option.name}" not in words]
    return [*offered, (SEPARATOR, "your reason follows")] if command.reason else offered


def _idents(now: StatusSnapshot) -> list[tuple[str, str]]:
    """What `why` was most likely to be asked about: what is in flight, then the newest news and orders."""
    found = {flight.attempt_id: f"in flight, {flight.set_id}" for flight in now.in_flight}
    for line in reversed(now.events):
        if line.ident:
            found.setdefault(line.ident, f"{line.kind.value} {line.subject}")
    for order in now.orders:
        found.setdefault(order.client_order_id, f"order, {order.market_id}")
    return list(found.items())
