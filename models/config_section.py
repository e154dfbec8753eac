"""What every section of the configuration shares."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, get_origin

from pydantic import BaseModel, ConfigDict, model_validator

from models.config_kinds import Bounds
from models.money import MicroShares, MicroUsd, micros_from_decimal


class Section(BaseModel):
    """A frozen part of the configuration that refuses keys it does not know. An empty section means its defaults."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, hide_input_in_errors=True, validate_default=True
    )

    @model_validator(mode="before")
    @classmethod
    def empty_means_defaults(cls, raw: Any) -> Any:
        """`sets:` with nothing after it is an empty list, `risk:` with nothing below it the default section."""
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            return raw
        empty = {name for name in cls.model_fields if raw.get(name, "") is None and _is_collection(cls, name)}
        return {key: value for key, value in raw.items() if key not in empty}


def _is_collection(section: type[Section], name: str) -> bool:
    return get_origin(section.model_fields[name].annotation) in {tuple, dict}


def usd(value: Decimal) -> MicroUsd:
    return MicroUsd(micros_from_decimal(value))


def shares(value: Decimal) -> MicroShares:
    return MicroShares(micros_from_decimal(value))


PER_SHARE: Final = "USD per set of one share each"
SIZE: Final = Bounds(above="0", at_most="1000000")
