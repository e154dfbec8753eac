"""The operator's own complete sets: `sets` of config.yaml, and their way into `models.sets.CompleteSet`."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field

from models.config_kinds import Amount, Bounds, Flag, Text, Word
from models.config_section import Section, usd
from models.market import MarketId, Outcome, SetId
from models.money import MicroUsd
from models.sets import CompleteSet, LegPolicy, SetKind, SetLeg, certain_payout

IDENTIFIER: Final = Text("an id of 1 to 200 ASCII signs without spaces", re.compile(r"[!-~]{1,200}"))
VENUE_NAME: Final = Text("a venue's name in lower case", re.compile(r"[a-z][a-z0-9_]{0,31}"))
OTHER_VENUE: Final = replace(VENUE_NAME, optional=True)
STATEMENT: Final = Text("one line of at most 500 signs", re.compile(r".{0,500}"))

NEEDED_ATTESTATION: Final = {
    SetKind.YES_BASKET: "exhaustive",
    SetKind.CROSS_VENUE: "rules_match",
    SetKind.NESTED: "rules_match",
}
"""Kinds whose payout no venue field proves. A no_basket may be proved by the venue or by `exclusive`."""


class Leg(Section):
    market: Annotated[str, IDENTIFIER] = Field(description="Id of the market; it must be in markets too.")
    outcome: Annotated[Outcome, Word({"yes": Outcome.YES, "no": Outcome.NO})] = Field(description="What is bought.")
    venue: Annotated[str | None, OTHER_VENUE] = Field(default=None, description="Only where it is not the main venue.")


class Attested(Section):
    """What the operator vouches for, because no venue field proves it. It is stored with every row of the ledger."""

    exhaustive: Annotated[bool, Flag()] = Field(default=False, description="One of these markets must resolve YES.")
    exclusive: Annotated[bool, Flag()] = Field(default=False, description="At most one of them can resolve YES.")
    rules_match: Annotated[bool, Flag()] = Field(
        default=False,
        description="cross_venue: same question, same rules. nested: one source, YES of the lower threshold.",
    )
    statement: Annotated[str, STATEMENT] = Field(default="", description="In your words: what was checked, and when.")

    def words(self) -> str:
        """The attestation as `CompleteSet` and the ledger hold it; empty where nothing is vouched for."""
        flags = [name for name in ("exhaustive", "exclusive", "rules_match") if getattr(self, name)]
        return f"{', '.join(flags)}: {self.statement}" if flags else ""


class SetEntry(Section):
    id: Annotated[str, IDENTIFIER] = Field(description="Your name for the set.")
    kind: Annotated[SetKind, Word({k.value: k for k in SetKind})] = Field(description="Why the payout is certain.")
    legs: tuple[Leg, ...] = Field(strict=False, description="What is bought together, in equal shares.")
    payout: Annotated[
        Decimal | None, Amount("USD per share of each leg", Bounds(above="0", at_most="1000"), optional=True)
    ] = Field(default=None, description="At most what the kind proves. Empty = exactly that.")
    attested: Attested = Field(default=Attested(), description="What no venue field proves.")
    leg_policy: Annotated[LegPolicy | None, Word({p.value: p for p in LegPolicy}, optional=True)] = Field(
        default=None, description="Empty = execution.leg_policy."
    )

    def set_legs(self) -> tuple[SetLeg, ...]:
        return tuple(SetLeg(MarketId(leg.market), leg.outcome) for leg in self.legs)

    def proved_payout(self) -> MicroUsd:
        """What the kind proves, in micro-dollars per share of each leg. Raises `models.sets.NotCompleteError`."""
        return certain_payout(self.kind, self.set_legs())

    def complete_set(self, policy: LegPolicy) -> CompleteSet:
        """The set that the bot watches. `policy` is for entries that state none."""
        return CompleteSet(
            set_id=SetId(self.id),
            kind=self.kind,
            legs=self.set_legs(),
            payout=self.proved_payout() if self.payout is None else usd(self.payout),
            leg_policy=policy if self.leg_policy is None else self.leg_policy,
            attestation=self.attested.words(),
        )
