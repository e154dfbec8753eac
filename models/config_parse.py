"""The text of config.yaml -> a `Config`, or every mistake in it at once, each with its place and what to do."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args, get_origin

from pydantic import ValidationError

from models import config_kinds
from models.config import Config
from models.config_kinds import closest
from models.config_section import Section
from models.config_text import WHOLE_FILE, ConfigErrors, ConfigProblem, Loc, Reading, Tree, dotted, read_yaml

VENUES: Final = ("simulated", "polymarket", "kalshi")
"""The venues that this program ships with; the caller may know more (`adapters/registry.py`)."""

SECRET_KEY: Final = re.compile(
    r"api_?key|key_?id|secret|pass(phrase|word)|private_?key|mnemonic|seed_?phrase|token|credential", re.IGNORECASE
)

MOST_LINES: Final = 200
"""Nobody reads more; a file with more mistakes than this is another file."""

STAND_INS: Final[dict[str, Tree]] = {"venue": "simulated", "markets": ["stand-in"]}
"""Put in for required values that are wrong, so that the rules between the other values can still be checked."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake before it is given its place."""

    loc: Loc
    message: str
    hint: str
    wrong: Loc
    """The value that no rule may lean on any more."""
    about: tuple[Loc, ...] = ()
    """Of a broken rule: the values that it compares."""


def parse_config(text: str, name: str, venues: Collection[str] = VENUES) -> Config | ConfigErrors:
    """Read `text`; `name` stands before the colon of every error line. Never raises, whatever the text."""
    reading = read_yaml(text)
    if reading.broken:
        return _errors(name, reading, ())
    config, faults = _validate(reading.tree)
    own = [fault for fault in faults if not _related(fault.loc, reading.refused)]
    own += [f for f in _unknown_venues(reading.tree, venues) if not _related(f.loc, [o.loc for o in own])]
    if config is None:
        own += _rules_despite(reading.tree, own, reading.refused)
    if config is not None and not own and not reading.problems:
        return config
    return _errors(name, reading, own)


def _errors(name: str, reading: Reading, faults: Sequence[Fault]) -> ConfigErrors:
    placed = [ConfigProblem(*reading.place(f.loc), dotted(f.loc), f.message, f.hint) for f in faults]
    ordered = list(dict.fromkeys(sorted([*reading.problems, *placed], key=lambda p: (p.line, p.column))))
    if len(ordered) > MOST_LINES:
        rest = f"{len(ordered) - MOST_LINES} more mistakes follow"
        ordered[MOST_LINES:] = [ConfigProblem(*WHOLE_FILE, "", rest, "is this the right file?")]
    return ConfigErrors(name, tuple(ordered))


def _related(loc: Loc, others: Collection[Loc]) -> bool:
    """Whether `loc` is one of `others`, lies inside one or around one."""
    return any(loc[: len(other)] == other[: len(loc)] for other in others)


def _validate(tree: dict[str, Tree]) -> tuple[Config | None, list[Fault]]:
    try:
        return Config.model_validate(tree), []
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    return None, [fault for details in found for fault in _faults(dict(details))]


def _faults(details: dict[str, Any]) -> Iterator[Fault]:
    """One error of pydantic in our words."""
    loc: Loc = tuple(part for part in details["loc"] if part != "[key]")
    context = details.get("ctx", {})
    match details["type"]:
        case config_kinds.REFUSED:
            yield Fault(loc, context["message"], context["hint"], loc)
        case "broken_rules":  # config.BROKEN_RULES
            for breach in context["breaches"]:
                yield Fault(breach.loc, breach.message, breach.hint, breach.loc, breach.about)
        case "missing":
            yield Fault(loc, "is missing", _meaning(loc), loc[:-1] or loc)
        case "extra_forbidden":
            yield _unknown_key(loc)
        case "tuple_type":
            yield Fault(loc, "must be a list", "one item a line, each after a dash, or [a, b, c]", loc)
        case "model_type" | "model_attributes_type" | "dict_type" if SECRET_KEY.search(dotted(loc)):
            yield _secret(loc)
        case "model_type" | "model_attributes_type" | "dict_type":
            keys = section_at(loc)
            hint = f"its keys: {', '.join(keys.model_fields)}" if keys else "indent its keys below it"
            yield Fault(loc, "must be a section of keys and values", hint, loc)
        case _:
            yield Fault(loc, str(details["msg"]), "see config.example.yaml", loc)


def section_at(loc: Loc) -> type[Section] | None:
    """The section type that stands at `loc`, None where a value or a list stands there."""
    found: Any = Config
    for part in loc:
        if isinstance(found, type) and issubclass(found, Section) and part in found.model_fields:
            found = found.model_fields[str(part)].annotation
        elif get_origin(found) is tuple:
            found = get_args(found)[0]
        elif get_origin(found) is dict:
            found = get_args(found)[1]
        else:
            return None
    return found if isinstance(found, type) and issubclass(found, Section) else None


def _meaning(loc: Loc) -> str:
    section = section_at(loc[:-1])
    field = section.model_fields.get(str(loc[-1])) if section else None
    return (field.description if field else None) or "see config.example.yaml"


def _unknown_key(loc: Loc) -> Fault:
    name, section = str(loc[-1]), section_at(loc[:-1]) or Config
    near = closest(name, section.model_fields)
    homes = [f"{part}.{name}" for part, kind in _top_sections() if name in kind.model_fields]
    if SECRET_KEY.search(name):
        return _secret(loc)
    if near:
        hint = f"did you mean {near!r}?"
    elif homes:
        hint = f"it belongs at {homes[0]}"
    else:
        hint = f"known here: {', '.join(section.model_fields)}"
    return Fault(loc, "is not a key of the configuration", hint, loc)


def _secret(loc: Loc) -> Fault:
    return Fault(loc, "looks like a secret", "secrets belong in .env, see .env.example; remove it here", loc)


def _top_sections() -> Iterator[tuple[str, type[Section]]]:
    for name in Config.model_fields:
        section = section_at((name,))
        if section is not None:
            yield name, section


def _unknown_venues(tree: dict[str, Tree], venues: Collection[str]) -> Iterator[Fault]:
    """Venue names anywhere in the tree that this program has no adapter for."""
    named: list[tuple[Loc, object]] = [(("venue",), tree.get("venue"))]
    options, sets = tree.get("venues"), tree.get("sets")
    named += [(("venues", key), key) for key in options] if isinstance(options, dict) else []
    for index, entry in enumerate(sets if isinstance(sets, list) else ()):
        legs = entry.get("legs") if isinstance(entry, dict) else None
        for number, leg in enumerate(legs if isinstance(legs, list) else ()):
            named.append(
                (("sets", index, "legs", number, "venue"), leg.get("venue") if isinstance(leg, dict) else None)
            )
    for loc, name in named:
        if isinstance(name, str) and name not in venues:
            near = closest(name, venues)
            hint = f"did you mean {near!r}?" if near else f"known: {', '.join(venues)}"
            yield _secret(loc) if SECRET_KEY.search(name) else Fault(loc, "is not a venue of this program", hint, loc)


def _rules_despite(tree: dict[str, Tree], faults: Sequence[Fault], refused: Collection[Loc]) -> list[Fault]:
    """The broken rules that hold whatever the wrong values were meant to be: those that compare sound values only."""
    wrong = {fault.wrong for fault in faults} | set(refused)
    while True:
        wrong |= {(name,) for name in ("sets", "markets", "venue") if _related((name,), wrong)}
        sound = _without(tree, (), wrong)
        sound.update({name: value for name, value in STAND_INS.items() if (name,) in wrong})
        _, found = _validate(sound)
        rules = [fault for fault in found if fault.about]
        more = {fault.wrong for fault in found} - wrong
        if rules or not more:
            return [rule for rule in rules if not any(_related(loc, wrong) for loc in rule.about)]
        wrong |= more  # a section that lost a value it cannot do without


def _without(section: dict[str, Tree], loc: Loc, wrong: Collection[Loc]) -> dict[str, Tree]:
    """`section` without the values at `wrong`. Lists are kept or dropped whole: their positions are their names."""
    kept: dict[str, Tree] = {}
    for key, value in section.items():
        here = (*loc, key)
        if here in wrong:
            continue
        if isinstance(value, dict):
            kept[key] = _without(value, here, wrong)
        elif not (isinstance(value, list) and _related(here, wrong)):
            kept[key] = value
    return kept
