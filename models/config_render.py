"""A `Config` as commented YAML that reads back to the same `Config`: the example file, `init`, the effective config."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, get_args

from pydantic.fields import FieldInfo

from models.config import Config
from models.config_kinds import ValueKind
from models.config_machine import VenueOptions
from models.config_section import Section
from models.config_sets import Attested, Leg, SetEntry
from models.config_trading import Window
from models.market import Outcome
from models.sets import SetKind

WIDTH: Final = 110

HEADER: Final = (
    "# Dutchbook: parameters only. Secrets belong in .env (see .env.example), never in this file.",
    "# Every value is read as the text that stands here: ids such as 0x00ab, no, 0123 or 12:30 need no quotes.",
    "# A key that is left out takes the value shown in config.example.yaml; in mode: live the limits must be stated.",
    "# After an edit:  python3 run.py check",
)

SET_EXAMPLE: Final = SetEntry(
    id="cup-no",
    kind=SetKind.NO_BASKET,
    legs=tuple(Leg(market=market, outcome=Outcome.NO) for market in ("cup-lions", "cup-tigers", "cup-bears")),
    payout=Decimal(2),
    attested=Attested(exclusive=True, statement="one team wins the Cup; rules read on 2026-11-22"),
)
"""Shown, commented out, where a file lists no set of its own."""


def render_yaml(config: Config) -> str:
    """Every field with its meaning, unit, bounds and value."""
    lines: list[str] = [*HEADER]
    for name, field in Config.model_fields.items():
        value = getattr(config, name)
        lines += ["", *_comment(_about(field), "")]
        if isinstance(value, Section):
            lines += [f"{name}:", *_section(value, "  ")]
        elif name == "markets":
            lines += [f"{name}:", *(f"  - {_quoted(market)}" for market in value)]
        elif name == "sets":
            lines += [f"{name}:", *_sets(config.sets)]
        elif name == "venues":
            lines += [f"{name}:", *_venues(config.venues)]
        else:
            lines.append(f"{name}: {_scalar(field, value)}")
    return "\n".join(lines) + "\n"


def _sets(entries: tuple[SetEntry, ...]) -> Iterator[str]:
    if not entries:
        yield from (f"  # {line}" for line in _item(_section(SET_EXAMPLE, "")))
    for entry in entries:
        yield from (f"  {line}" for line in _item(_section(entry, "", comments=False)))


def _venues(venues: dict[str, VenueOptions]) -> Iterator[str]:
    if not venues:
        yield from ("  # polymarket:", *(f"  # {line}" for line in _section(VenueOptions(), "  ")))
    for name, options in venues.items():
        yield from (f"  {name}:", *_section(options, "    ", comments=False))


def _section(section: Section, indent: str, *, comments: bool = True) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if comments:
            yield from _comment(_about(field), indent)
        if isinstance(value, Window):
            yield f"{indent}{name}: {{count: {value.count}, minutes: {value.minutes}}}"
        elif isinstance(value, Section):
            yield from (f"{indent}{name}:", *_section(value, indent + "  ", comments=comments))
        elif isinstance(value, tuple) and value and isinstance(value[0], Section):
            yield f"{indent}{name}:"
            for number, item in enumerate(value):
                lines = _item(_section(item, "", comments=comments and number == 0))
                yield from (f"{indent}  {line}" for line in lines)
        else:
            yield f"{indent}{name}: {_scalar(field, value)}".rstrip()


def _item(lines: Iterator[str]) -> Iterator[str]:
    """The lines of a section as one item of a list: a dash before its first key, comments above the dash."""
    dashed = False
    for line in lines:
        starts = not dashed and not line.startswith("#")
        yield f"{'- ' if starts else '  '}{line}"
        dashed = dashed or starts


def _about(field: FieldInfo) -> str:
    kind = kind_of(field)
    if field.annotation is Window:
        parts = ((name, kind_of(part)) for name, part in Window.model_fields.items())
        inner = ", ".join(f"{name}: {part.describe()}" for name, part in parts if part)
        return f"{field.description} [{inner}]"
    return f"{field.description} [{kind.describe()}]" if kind else str(field.description)


def kind_of(field: FieldInfo) -> ValueKind | None:
    """The kind of a field's value, or of its items where it is a list of values; None for sections."""
    inner = [meta for part in get_args(field.annotation) for meta in getattr(part, "__metadata__", ())]
    return next((meta for meta in (*field.metadata, *inner) if isinstance(meta, ValueKind)), None)


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def _scalar(field: FieldInfo, value: Any) -> str:
    kind = kind_of(field)
    assert kind is not None, "every value that is no section has a kind"
    if value is None:
        return ""
    if isinstance(value, tuple):
        return f"[{', '.join(str(kind.write(item)) for item in value)}]"
    written = kind.write(value)
    if isinstance(written, bool):
        return "true" if written else "false"
    return _quoted(written) if kind.quoted and isinstance(written, str) else str(written)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
