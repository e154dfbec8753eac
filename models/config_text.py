"""config.yaml as text -> a tree of plain text with the place of every key, and everything wrong with its form.

YAML's own guesses are switched off: a scalar stays the text that stands in the file, so ids such as `0x00ab`, `no`,
`0123` or `12:30` survive and no float ever exists on the way to a `Decimal`. Anchors, aliases, tags, double keys and
second documents are refused. The events of PyYAML's parser are folded here without recursion, so depth and size are
bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import yaml

from models.hostile import clean

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 8
WHOLE_FILE: Final = (0, 0)
"""The place of what is wrong with no line in particular."""

Loc = tuple[str | int, ...]
"""Where a value stands: keys and list positions from the top, such as `("sets", 0, "legs", 1, "market")`."""

Tree = dict[str, "Tree"] | list["Tree"] | str | None
"""None is an empty value (`sets:` with nothing after it), which is not the text `null`."""

PATH_LIMIT: Final = 100
"""Characters of a key's path that are shown: a misspelt key may be as long as its author likes."""


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One mistake of the operator: where, what, and what to do. Line and column count from 1; 0 = the whole file."""

    line: int
    column: int
    path: str
    message: str
    hint: str

    def text(self, name: str) -> str:
        """`config.yaml:14:3: strategy.min_edge: must be greater than 0 (was -0.01); hint: ...`"""
        place = f"{name}:{self.line}:{self.column}" if self.line else name
        path, message = clean(self.path, PATH_LIMIT), clean(self.message, 2 * PATH_LIMIT)
        return ": ".join(part for part in (place, path, f"{message}; hint: {self.hint}") if part)


@dataclass(frozen=True, slots=True)
class ConfigErrors:
    """Every mistake that was found, in the order of the file. The caller prints `lines()` and exits with 78."""

    name: str
    problems: tuple[ConfigProblem, ...]

    def lines(self) -> tuple[str, ...]:
        return tuple(problem.text(self.name) for problem in self.problems)

    def __str__(self) -> str:
        return "\n".join(self.lines())


@dataclass(slots=True)
class Reading:
    """What the text holds. `tree` is {} where the form is too broken to go on, and then `problems` is not empty."""

    tree: dict[str, Tree] = field(default_factory=dict)
    places: dict[Loc, tuple[int, int]] = field(default_factory=dict)
    problems: list[ConfigProblem] = field(default_factory=list)
    refused: set[Loc] = field(default_factory=set)
    """Values that were reported here and must not be reported again for what they are not."""
    broken: bool = False

    def place(self, loc: Loc) -> tuple[int, int]:
        """Line and column of the key at `loc`, or of the nearest section around it that is in the file."""
        while loc and loc not in self.places:
            loc = loc[:-1]
        return self.places.get(loc, (1, 1))

    def report(self, loc: Loc, message: str, hint: str, place: tuple[int, int] | None = None) -> None:
        line, column = place or self.place(loc)
        self.problems.append(ConfigProblem(line, column, dotted(loc), message, hint))


class FormError(Exception):
    """The text cannot be read on from here; it has been reported."""


def dotted(loc: Loc) -> str:
    return ".".join(str(part) for part in loc)


def read_yaml(text: str) -> Reading:
    """The tree of `text` and all mistakes of form. Never raises on any text."""
    reading = Reading()
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        reading.report((), "is larger than 1 MiB", "a configuration is a few hundred lines", WHOLE_FILE)
        reading.broken = True
        return reading
    try:
        _Fold(reading).run(yaml.parse(text, Loader=yaml.BaseLoader))
    except FormError:
        reading.broken = True
    except yaml.reader.ReaderError as error:
        reading.report(
            (), "holds a sign that is not allowed in a text file", "save it as UTF-8 text", _spot(text, error)
        )
        reading.broken = True
    except yaml.YAMLError as error:
        reading.report((), f"is not valid YAML: {_complaint(error)}", _remedy(error), _mark(error))
        reading.broken = True
    return reading


def _spot(text: str, error: yaml.reader.ReaderError) -> tuple[int, int]:
    before = text[: error.position]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _mark(error: yaml.YAMLError) -> tuple[int, int] | None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return (mark.line + 1, mark.column + 1) if mark else None


def _complaint(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or getattr(error, "context", None) or "cannot be read")


def _remedy(error: yaml.YAMLError) -> str:
    if "\\t" in _complaint(error):
        return "indent with spaces, not with tabs"
    return "check indentation, quotes and the colon of this line and the one before"


@dataclass(slots=True)
class _Open:
    """A section or list that has begun and not ended."""

    loc: Loc
    node: dict[str, Tree] | list[Tree]
    key: str | None = None
    """The key whose value comes next; None where a key comes next (sections only)."""
    drop_next: bool = False
    """The key is a double: its value is read for its form and then dropped."""
    kept: bool = True
    """False inside such a value."""


class _Fold:
    """Folds parser events into `Reading.tree`. One instance per text."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.open: list[_Open] = []
        self.documents = 0

    def run(self, events: Iterator[yaml.Event]) -> None:
        for event in events:
            mark = event.start_mark
            place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            match event:
                case yaml.DocumentStartEvent():
                    self._count_document(place)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self.open.pop()
                case yaml.ScalarEvent() | yaml.AliasEvent() | yaml.CollectionStartEvent():
                    self._node(event, place)
                case _:
                    pass  # stream and document ends carry nothing

    def _count_document(self, place: tuple[int, int]) -> None:
        self.documents += 1
        if self.documents > 1:
            self._stop("holds more than one document", "keep one, remove the line ---", place)

    def _stop(self, message: str, hint: str, place: tuple[int, int]) -> None:
        self.reading.report((), message, hint, place)
        raise FormError

    def _node(self, event: yaml.NodeEvent, place: tuple[int, int]) -> None:
        parent = self.open[-1] if self.open else None
        if parent is not None and isinstance(parent.node, dict) and parent.key is None:
            self._key(parent, event, place)
            return
        if parent is None:
            loc: Loc = ()
        else:
            loc = (*parent.loc, parent.key if parent.key is not None else len(parent.node))
            self.reading.places.setdefault(loc, place)
        value = self._value(event, loc, place)
        if parent is None:
            if not isinstance(value, dict):
                self._stop("must be a section of keys and values", "begin with  venue: simulated", place)
            return
        if isinstance(parent.node, list):
            parent.node.append(value)
        elif parent.key is not None:
            if not parent.drop_next:
                parent.node[parent.key] = value
            parent.key = None

    def _key(self, parent: _Open, event: yaml.NodeEvent, place: tuple[int, int]) -> None:
        """Note the key of the value that comes next. A double key keeps its first value."""
        assert isinstance(parent.node, dict)
        if not isinstance(event, yaml.ScalarEvent):
            self._stop("has a key that is not plain text", "write  name: value", place)
            return
        loc = (*parent.loc, event.value)
        self._refuse_extras(event, loc, place)
        parent.key = event.value
        parent.drop_next = event.value in parent.node
        if parent.drop_next:
            first = self.reading.place(loc)[0]
            self.reading.report(loc, f"is given twice (first on line {first})", "keep one of the two", place)
        elif parent.kept:
            self.reading.places[loc] = place

    def _value(self, event: yaml.NodeEvent, loc: Loc, place: tuple[int, int]) -> Tree:
        self._refuse_extras(event, loc, place)
        if isinstance(event, yaml.AliasEvent):
            return None
        if isinstance(event, yaml.ScalarEvent):
            return None if event.style is None and event.value == "" else event.value
        if len(self.open) >= MAX_DEPTH:
            self._stop(f"is nested deeper than {MAX_DEPTH} levels", "see config.example.yaml for the layout", place)
        node: dict[str, Tree] | list[Tree] = {} if isinstance(event, yaml.MappingStartEvent) else []
        if not self.open and isinstance(node, dict):
            self.reading.tree = node
        parent = self.open[-1] if self.open else None
        kept = parent is None or (parent.kept and not parent.drop_next)
        self.open.append(_Open(loc, node, kept=kept))
        return node

    def _refuse_extras(self, event: yaml.NodeEvent, loc: Loc, place: tuple[int, int]) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._refuse(loc, "uses an alias (*)", "write the value out", place)
        elif event.anchor is not None:
            self._refuse(loc, "has an anchor (&)", "remove it and write values out", place)
        elif getattr(event, "tag", None) is not None:
            self._refuse(loc, "has a tag (!)", "remove it; every value is read as text", place)

    def _refuse(self, loc: Loc, message: str, hint: str, place: tuple[int, int]) -> None:
        self.reading.report(loc, message, hint, place)
        self.reading.refused.add(loc)
