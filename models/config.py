"""The whole configuration: one frozen value, valid as a whole, with a hash and a canonical text for the ledger.

`parse_config` (models/config_parse.py) makes it from config.yaml, code and tests make it directly:
`Config(venue="simulated", markets=("m1",))`. Both pass the same kinds, bounds and rules.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Final, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from models.config_kinds import Word
from models.config_machine import Data, Runtime, VenueOptions
from models.config_rules import broken_rules
from models.config_section import Section
from models.config_sets import IDENTIFIER, VENUE_NAME, SetEntry
from models.config_trading import Evaluation, Execution, Mode, Paper, Risk, Strategy
from models.market import MarketId, VenueName
from models.sets import CompleteSet, binary_set

BROKEN_RULES: Final = "broken_rules"
"""Error type of values that are fine alone and wrong together. Its context holds `breaches`."""


class Config(Section):
    mode: Annotated[Mode, Word({m.value: m for m in Mode})] = Field(
        default=Mode.PAPER,
        description="paper sends no order. live also needs --live and, on a real venue, its name typed.",
    )
    venue: Annotated[str, VENUE_NAME] = Field(description="Adapter of every market that names no other.")
    markets: tuple[Annotated[str, IDENTIFIER], ...] = Field(
        default=(), strict=False, description="Allow list. Nothing outside it is watched or traded."
    )
    sets: tuple[SetEntry, ...] = Field(
        default=(), strict=False, description="Your complete sets. Without any, every market gives its YES + NO."
    )
    strategy: Strategy = Field(default=Strategy(), description="When a gap is worth a trade.")
    execution: Execution = Field(default=Execution(), description="How a set is bought.")
    risk: Risk = Field(default=Risk(), description="What stops it.")
    data: Data = Field(default=Data(), description="What is kept, and where.")
    runtime: Runtime = Field(default=Runtime(), description="Connections, freshness and rate limits.")
    paper: Paper = Field(default=Paper(), description="How paper trades are filled.")
    evaluation: Evaluation = Field(default=Evaluation(), description="When the experiment counts as passed.")
    venues: dict[Annotated[str, VENUE_NAME], VenueOptions] = Field(
        default={}, description="Addresses and account forms per venue, where the venue's own do not fit."
    )

    @model_validator(mode="after")
    def values_fit_together(self) -> Self:
        breaches = tuple(broken_rules(self))
        if breaches:
            summary = "; ".join(f"{'.'.join(map(str, b.loc))}: {b.message}" for b in breaches)
            raise PydanticCustomError(BROKEN_RULES, "{summary}", {"summary": summary, "breaches": breaches})
        return self

    def complete_sets(self) -> tuple[CompleteSet, ...]:
        """What the bot watches: the operator's sets, or YES + NO of every market where there are none."""
        policy = self.execution.leg_policy
        if self.sets:
            return tuple(entry.complete_set(policy) for entry in self.sets)
        return tuple(binary_set(MarketId(market), policy) for market in self.markets)

    def market_venues(self) -> dict[MarketId, VenueName]:
        """The venue of every market on the allow list."""
        venues = {MarketId(market): VenueName(self.venue) for market in self.markets}
        for leg in (leg for entry in self.sets for leg in entry.legs):
            if leg.venue is not None:
                venues[MarketId(leg.market)] = VenueName(leg.venue)
        return venues

    def options(self, venue: str) -> VenueOptions:
        """What the file says about a venue; nothing set where it says nothing."""
        return self.venues.get(venue, VenueOptions())


def canonical_json(config: Config) -> str:
    """The effective configuration, defaults included, as one text: equal texts are equal configurations."""
    return json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def config_hash(config: Config) -> str:
    """SHA-256 of the canonical text, 64 hex digits. The first 12 are enough to show."""
    return hashlib.sha256(canonical_json(config).encode("ascii")).hexdigest()
