"""Kinds of configuration values: one strict reading of the operator's text each, with its unit and bounds.

Every scalar of the YAML file arrives here as the text that stands in the file, so `1e5`, `.nan`, `yes` or digits of
another script are refused instead of guessed at. Values of the right Python type pass through the same bounds; that is
how code, tests and the ledger's stored configurations build a `Config`.
"""

from __future__ import annotations

import difflib
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from models.money import MoneyError, micros_from_decimal, parse_micros, text, to_decimal

REFUSED: Final = "refused_value"
"""Error type of every refusal below. Its context holds `hint`."""

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

_DECIMAL_TEXT: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,11})?(?:\.[0-9]{1,6})?\Z", re.ASCII)
_WHOLE_TEXT: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,11})\Z", re.ASCII)
_SHOWN: Final = 24
"""Longer values are not repeated in messages: a key pasted into the wrong place must not reach a log."""


def refusal(message: str, hint: str) -> PydanticCustomError:
    """The error that a kind raises. `message` goes on after the field's name: `must be greater than 0 (was -0.01)`."""
    return PydanticCustomError(REFUSED, "{message}", {"message": message, "hint": hint})


def shown(raw: object) -> str:
    """A refused value as it may be repeated to the operator."""
    if isinstance(raw, dict | list | tuple):
        return "was a list" if not isinstance(raw, dict) else "was a section"
    words = ascii(raw) if isinstance(raw, str) else str(raw)
    return f"was {words}" if len(words) <= _SHOWN + 2 else f"was {len(str(raw))} characters long"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a misspelt one was probably meant to be."""
    names = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), names, n=1, cutoff=0.6)
    return names[found[0]] if found else None


class ValueKind(ABC):
    """How one field's text is read. Instances stand in `Annotated[...]` and are pure."""

    optional: bool = False
    """Whether an empty value (or none) is allowed and means "not set"."""
    quoted: ClassVar[bool] = False
    """Whether the value is put in quotes where this program writes a file."""

    @abstractmethod
    def read(self, raw: object) -> object:
        """The value, or `PydanticCustomError` of type `REFUSED`. Never sees None where `optional` is set."""

    @abstractmethod
    def describe(self) -> str:
        """Unit and bounds, for the example file and for hints."""

    def write(self, value: Any) -> object:
        """The value as canonical JSON holds it; `read` gives the same value back."""
        return value

    def check(self, raw: object) -> object:
        if raw is None:
            if self.optional:
                return None
            raise refusal("has no value", self.describe())
        return self.read(raw)

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.check,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: None if value is None else self.write(value)
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Limits in the field's own unit. `above` excludes its value, the other two include theirs."""

    above: str | None = None
    at_least: str | None = None
    at_most: str

    def refuse_outside(self, value: Decimal, raw: object, hint: str) -> None:
        if self.above is not None and not value > Decimal(self.above):
            raise refusal(f"must be greater than {self.above} ({shown_number(raw)})", hint)
        if self.at_least is not None and not value >= Decimal(self.at_least):
            raise refusal(f"must be at least {self.at_least} ({shown_number(raw)})", hint)
        if not value <= Decimal(self.at_most):
            raise refusal(f"must be at most {self.at_most} ({shown_number(raw)})", hint)

    def describe(self) -> str:
        low = f"above {self.above}, at most" if self.above is not None else f"{self.at_least} to"
        return f"{low} {self.at_most}"


def shown_number(raw: object) -> str:
    return f"was {raw}"[: _SHOWN + 8]


@dataclass(frozen=True)
class Amount(ValueKind):
    """An exact decimal to a millionth, in the unit that is named. Python type: Decimal."""

    unit: str
    bounds: Bounds
    optional: bool = False

    def describe(self) -> str:
        return f"{self.unit}, {self.bounds.describe()}"

    def read(self, raw: object) -> Decimal:
        value = exact_decimal(raw, self.describe())
        self.bounds.refuse_outside(value, raw, self.describe())
        return value

    def write(self, value: Decimal) -> str:
        return text(micros_from_decimal(value))


@dataclass(frozen=True)
class Seconds(ValueKind):
    """A duration, exact to a microsecond in the file. Python type: float, for sockets and timers."""

    bounds: Bounds

    def describe(self) -> str:
        return f"seconds, {self.bounds.describe()}"

    def read(self, raw: object) -> float:
        if isinstance(raw, float):
            if not math.isfinite(raw):
                raise refusal("must be a finite number", self.describe())
            raw = Decimal(repr(raw))
        value = exact_decimal(raw, self.describe())
        self.bounds.refuse_outside(value, raw, self.describe())
        return float(value)

    def write(self, value: float) -> str:
        return text(micros_from_decimal(Decimal(repr(value))), places=0)


def exact_decimal(raw: object, hint: str) -> Decimal:
    """A Decimal without rounding: from plain ASCII text, int or Decimal. A binary float is refused."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return Decimal(raw)
    try:
        if isinstance(raw, Decimal):
            return to_decimal(micros_from_decimal(raw))
        if isinstance(raw, str) and _DECIMAL_TEXT.match(raw) and raw.strip("-."):
            return to_decimal(parse_micros(raw))
    except MoneyError:
        pass  # finer than a millionth: said below
    raise refusal(f"must be a plain decimal number ({shown(raw)})", f"{hint}; digits and a point, such as 0.005")


@dataclass(frozen=True)
class Count(ValueKind):
    """A whole number. Python type: int."""

    unit: str
    low: int
    high: int
    optional: bool = False

    def describe(self) -> str:
        return f"{self.unit}, whole, {self.low} to {self.high}"

    def read(self, raw: object) -> int:
        if isinstance(raw, str) and _WHOLE_TEXT.match(raw):
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool):
            raise refusal(f"must be a whole number ({shown(raw)})", self.describe())
        if raw < self.low:
            raise refusal(f"must be at least {self.low} ({shown_number(raw)})", self.describe())
        if raw > self.high:
            raise refusal(f"must be at most {self.high} ({shown_number(raw)})", self.describe())
        return raw


@dataclass(frozen=True)
class Flag(ValueKind):
    """`true` or `false`, nothing else. Python type: bool."""

    def describe(self) -> str:
        return "true or false"

    def read(self, raw: object) -> bool:
        if isinstance(raw, bool):
            return raw
        if raw == "true":
            return True
        if raw == "false":
            return False
        raise refusal(f"must be true or false ({shown(raw)})", "write true or false, in lower case")


class Word(ValueKind):
    """One of a few named choices; each word in the file stands for one Python value."""

    def __init__(self, words: Mapping[str, object], *, optional: bool = False) -> None:
        self.words = dict(words)
        self.optional = optional

    def describe(self) -> str:
        return " | ".join(self.words)

    def read(self, raw: object) -> object:
        if isinstance(raw, str) and raw in self.words:
            return self.words[raw]
        if any(raw is value for value in self.words.values()):
            return raw
        near = closest(raw, self.words) if isinstance(raw, str) else None
        hint = f"did you mean {near!r}?" if near else self.describe()
        raise refusal(f"must be one of {', '.join(self.words)} ({shown(raw)})", hint)

    def write(self, value: object) -> str:
        return next(word for word, meant in self.words.items() if meant == value)


@dataclass(frozen=True)
class Text(ValueKind):
    """Printable text with a shape. Python type: str, as it stands in the file."""

    what: str
    shape: re.Pattern[str]
    optional: bool = False
    quoted: ClassVar[bool] = True

    def describe(self) -> str:
        return self.what

    def read(self, raw: object) -> str:
        if isinstance(raw, str) and raw.isprintable() and self.shape.fullmatch(raw):
            return raw
        raise refusal(f"must be {self.what} ({shown(raw)})", "put it in quotes if it holds signs that YAML uses")


@dataclass(frozen=True)
class Url(ValueKind):
    """Address of a venue's endpoint: encrypted, or plain on this machine only. Python type: str or None."""

    secure: str
    plain: str
    optional: bool = True
    quoted: ClassVar[bool] = True

    def describe(self) -> str:
        return f"{self.secure}:// address ({self.plain}:// on 127.0.0.1 only); empty = the venue's own"

    def read(self, raw: object) -> str:
        if not isinstance(raw, str) or len(raw) > 300 or not re.fullmatch(r"[!-~]+", raw):
            raise refusal("must be an address without spaces", self.describe())
        try:
            parts = urlsplit(raw)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise refusal("is not a well-formed address", self.describe()) from None
        if parts.username is not None or parts.query or parts.fragment:
            raise refusal("must not carry a user, a password, a query or a fragment", "secrets belong in .env")
        if not host or parts.scheme not in {self.secure, self.plain}:
            raise refusal(f"must begin with {self.secure}:// and name a host", self.describe())
        if parts.scheme == self.plain and host not in LOOPBACK:
            raise refusal(f"must begin with {self.secure}:// unless the host is this machine", self.describe())
        return raw
