"""Complete sets: N legs whose payout is certain whatever happens, and why it is.

This is the only file that may know how many legs a kind of set has. Everything else works on `CompleteSet.legs`.

| kind          | legs                                            | pays at least | needs                          |
| ------------- | ----------------------------------------------- | ------------- | ------------------------------ |
| `binary`      | YES and NO of one market                        | 1             | nothing                        |
| `yes_basket`  | YES of every market of an event                 | 1             | exhaustive (and attested)      |
| `no_basket`   | NO of k mutually exclusive markets              | k - 1         | mutually exclusive             |
| `cross_venue` | YES here, NO of the same question elsewhere     | 1             | same rules (attested)          |
| `nested`      | YES of the lower threshold, NO of the higher    | 1             | nested, same source (attested) |

An attestation is the operator's own word in the configuration, stored with every row of the ledger: no venue field
proves that an event is exhaustive or that two rule-books agree.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd

from models.market import Market, MarketId, Outcome, SetId
from models.money import MICRO, MicroShares, MicroUsd


class SetKind(enum.StrEnum):
    BINARY = "binary"
    YES_BASKET = "yes_basket"
    NO_BASKET = "no_basket"
    CROSS_VENUE = "cross_venue"
    NESTED = "nested"


class LegPolicy(enum.StrEnum):
    """How the legs of one set go out (design section 5)."""

    THIN_LEG_FIRST = "thin_leg_first"
    TOGETHER = "together"


class NotCompleteError(ValueError):
    """The legs do not prove the payout that is claimed for them."""


@dataclass(frozen=True, slots=True)
class SetLeg:
    """One contract of a set. Legs are equal in shares, never in dollars."""

    market_id: MarketId
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteSet:
    """Legs and the dollars (micro-dollars per share of each leg) that one share of each is certain to pay."""

    set_id: SetId
    kind: SetKind
    legs: tuple[SetLeg, ...]
    payout: MicroUsd
    leg_policy: LegPolicy = LegPolicy.THIN_LEG_FIRST
    attestation: str = ""
    """The operator's words for what no venue field proves; empty where the structure alone is proof."""

    @property
    def market_ids(self) -> tuple[MarketId, ...]:
        """The markets of the legs, each once, in leg order."""
        return tuple(dict.fromkeys(leg.market_id for leg in self.legs))


def binary_set(market_id: MarketId, policy: LegPolicy = LegPolicy.THIN_LEG_FIRST) -> CompleteSet:
    """YES and NO of one market; its id is the market's."""
    return CompleteSet(
        set_id=SetId(market_id),
        kind=SetKind.BINARY,
        legs=(SetLeg(market_id, Outcome.YES), SetLeg(market_id, Outcome.NO)),
        payout=MicroUsd(MICRO),
        leg_policy=policy,
    )


def certain_payout(kind: SetKind, legs: Sequence[SetLeg]) -> MicroUsd:
    """The least that one share of each leg pays, from the kind's structure alone.

    Raises `NotCompleteError` where the legs do not fit the kind.
    """
    outcomes = [leg.outcome for leg in legs]
    markets = [leg.market_id for leg in legs]
    if len(set(legs)) != len(legs):
        raise NotCompleteError("a leg is listed twice")
    apart = len(legs) >= 2 and len(set(markets)) == len(legs)
    both_outcomes = len(legs) == 2 and set(outcomes) == {Outcome.YES, Outcome.NO}
    fits = {
        SetKind.BINARY: both_outcomes and len(set(markets)) == 1,
        SetKind.YES_BASKET: apart and set(outcomes) == {Outcome.YES},
        SetKind.NO_BASKET: apart and set(outcomes) == {Outcome.NO},
        SetKind.CROSS_VENUE: apart and both_outcomes,
        SetKind.NESTED: apart and both_outcomes,
    }
    payout = len(legs) - 1 if kind is SetKind.NO_BASKET else 1
    if not fits[kind]:
        raise NotCompleteError(f"the legs do not form a {kind.value} set")
    return MicroUsd(payout * MICRO)


def prove(complete_set: CompleteSet, markets: Mapping[MarketId, Market]) -> None:
    """Check that the set's payout follows from its structure, the venues' own facts and the operator's attestation.

    Raises `NotCompleteError` with the missing proof. Called once at start; a set that does not pass is never watched.
    """
    least = certain_payout(complete_set.kind, complete_set.legs)
    if complete_set.payout > least:
        raise NotCompleteError(f"claims a payout of {complete_set.payout}, its structure proves {least} micro-dollars")
    missing = [m for m in complete_set.market_ids if m not in markets]
    if missing:
        raise NotCompleteError(f"unknown market {missing[0]}")
    described = [markets[m] for m in complete_set.market_ids]
    attested = bool(complete_set.attestation.strip())
    events = {(m.venue, m.event_id) for m in described}
    match complete_set.kind:
        case SetKind.BINARY:
            return
        case SetKind.NO_BASKET:
            one_event = len(events) == 1 and all(m.event_id is not None for m in described)
            exclusive = one_event and all(m.mutually_exclusive for m in described)
            if not exclusive and not attested:
                raise NotCompleteError(
                    "the venue does not call these markets mutually exclusive and no attestation is given"
                )
        case SetKind.YES_BASKET | SetKind.CROSS_VENUE | SetKind.NESTED:
            if not attested:
                raise NotCompleteError(f"a {complete_set.kind.value} set needs the operator's attestation")
            venues = {m.venue for m in described}
            if complete_set.kind is SetKind.CROSS_VENUE and len(venues) != 2:
                raise NotCompleteError("a cross_venue set needs two venues")


def common_lot(markets: Sequence[Market]) -> MicroShares:
    """The smallest size that is a whole number of lots in every market: all legs trade equal shares."""
    lot = 1
    for market in markets:
        lot = lot * market.lot // gcd(lot, market.lot)
    return MicroShares(lot)
