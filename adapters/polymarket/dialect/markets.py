"""The markets that the exchange lists when it speaks Polymarket: ids, ticks, fees and event structure as the venue has
them. The same count always gives the same list.

The engine's own rules are loose here (a hundredth of a share, no least size): the venue's rules and their wording are
checked by `order_rules` before an order reaches it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from adapters.polymarket.catalog import FEE_QUANTUM, VENUE
from models.clock import MS
from models.fees import NO_FEES, FeeSchedule
from models.market import BookModel, Market, MarketId, Outcome, linear_grid
from models.money import MicroShares, MicroUsd, PriceMicros

DEFAULT_COUNT: Final = 9
LIFETIME_MS: Final = 30 * 24 * 3_600_000
SHARE_UNIT: Final = MicroShares(10_000)
LEAST_SIZE: Final = MicroShares(5_000_000)
LEAST_NOTIONAL: Final = MicroUsd(1_000_000)

BINARIES: Final = 3
OUTCOMES: Final = 3
"""Of every event that is listed."""

_CENT: Final = PriceMicros(10_000)
_MIL: Final = PriceMicros(1_000)


@dataclass(frozen=True, slots=True)
class Listed:
    """One market with what the engine has no use for."""

    market: Market
    slug: str
    neg_risk: bool
    event_title: str
    taker_delay_ns: int = 0
    """How long an order that takes is held back (`itode`)."""
    outcomes: tuple[str, str] = ("Yes", "No")

    @property
    def condition_id(self) -> str:
        return self.market.market_id

    @property
    def tokens(self) -> tuple[str, str]:
        return self.market.yes_instrument, self.market.no_instrument

    def token(self, outcome: Outcome) -> str:
        return self.market.instrument(outcome)

    @property
    def tick(self) -> PriceMicros:
        return self.market.price_bands[0].step


class Listings:
    """All markets, by condition id and by token."""

    def __init__(self, listed: Sequence[Listed]) -> None:
        self.by_condition = {one.condition_id: one for one in listed}
        self.by_token: dict[str, tuple[Listed, Outcome]] = {}
        for one in listed:
            self._enter(one)

    @property
    def all(self) -> tuple[Listed, ...]:
        return tuple(self.by_condition.values())

    def change_tick(self, condition_id: str, tick: PriceMicros) -> None:
        one = self.by_condition[condition_id]
        self._enter(replace(one, market=replace(one.market, price_bands=linear_grid(tick))))

    def _enter(self, one: Listed) -> None:
        self.by_condition[one.condition_id] = one
        self.by_token.update({token: (one, outcome) for token, outcome in zip(one.tokens, Outcome, strict=True)})


@dataclass(frozen=True, slots=True)
class _Plan:
    slug: str
    title: str
    tick: PriceMicros
    fee_rate: int
    event: str | None = None
    taker_delay_ms: int = 0


_FIRST: Final = (
    _Plan("fed-cut-december", "Will the Fed cut rates in December?", _CENT, 40_000),
    _Plan("btc-above-100k", "Will Bitcoin be above $100,000 on 31 December?", _MIL, 70_000, taker_delay_ms=150),
    _Plan("peace-talks-this-year", "Will the peace talks begin this year?", _CENT, 0),
    _Plan("summit-geneva", "Will the summit be in Geneva?", _CENT, 0, "Where will the summit be?"),
    _Plan("summit-vienna", "Will the summit be in Vienna?", _CENT, 0, "Where will the summit be?"),
    _Plan("summit-oslo", "Will the summit be in Oslo?", _CENT, 0, "Where will the summit be?"),
    _Plan("mayor-adams", "Will Adams become mayor?", _CENT, 10_000, "Who will become mayor?"),
    _Plan("mayor-brown", "Will Brown become mayor?", _CENT, 10_000, "Who will become mayor?"),
    _Plan("mayor-clark", "Will Clark become mayor?", _CENT, 10_000, "Who will become mayor?"),
    _Plan("cup-lions", "Will the Lions win the cup?", _CENT, 0, "Who will win the cup?"),
    _Plan("cup-tigers", "Will the Tigers win the cup?", _CENT, 0, "Who will win the cup?"),
    _Plan("cup-bears", "Will the Bears win the cup?", _CENT, 0, "Who will win the cup?"),
    _Plan("film-dawn", "Will Dawn be the best film?", _CENT, 5_000, "What will be the best film?"),
    _Plan("film-dusk", "Will Dusk be the best film?", _CENT, 5_000, "What will be the best film?"),
    _Plan("film-noon", "Will Noon be the best film?", _CENT, 5_000, "What will be the best film?"),
    _Plan("host-lima", "Will Lima host the games?", _CENT, 0, "Who will host the games?"),
    _Plan("host-cairo", "Will Cairo host the games?", _CENT, 0, "Who will host the games?"),
    _Plan("host-seoul", "Will Seoul host the games?", _CENT, 0, "Who will host the games?"),
)


def market_list(count: int, start_ns: int) -> Listings:
    """`count` markets: three binaries, then five events of three outcomes that exclude one another, then more binaries.

    An event is listed whole or not at all; what it leaves over are binaries, too.
    """
    named = min(count, len(_FIRST))
    plans = list(_FIRST[: named if named <= BINARIES else named - (named - BINARIES) % OUTCOMES])
    plans += [
        _Plan(f"question-{number}", f"Will number {number} come true?", _CENT, 0) for number in range(len(plans), count)
    ]
    closes_at_ms = start_ns // MS + LIFETIME_MS
    return Listings([_listed(plan, closes_at_ms) for plan in plans])


def _listed(plan: _Plan, closes_at_ms: int) -> Listed:
    fees = NO_FEES
    if plan.fee_rate:
        fees = FeeSchedule(
            name="polymarket-dialect", as_of="2026-11-22", rate_micros=plan.fee_rate, quantum=FEE_QUANTUM
        )
    event_id = None if plan.event is None else "0x" + _hex(f"event/{plan.event}")
    market = Market(
        venue=VENUE,
        market_id=MarketId("0x" + _hex(f"condition/{plan.slug}")),
        title=plan.title,
        yes_instrument=str(int(_hex(f"token/{plan.slug}/0"), 16)),
        no_instrument=str(int(_hex(f"token/{plan.slug}/1"), 16)),
        price_bands=linear_grid(plan.tick),
        lot=SHARE_UNIT,
        min_size=SHARE_UNIT,
        min_notional=MicroUsd(0),
        fees=fees,
        book_model=BookModel.UNIFIED,
        closes_at_ms=closes_at_ms,
        event_id=event_id,
        mutually_exclusive=event_id is not None,
    )
    return Listed(
        market,
        plan.slug,
        neg_risk=event_id is not None,
        event_title=plan.event or plan.title,
        taker_delay_ns=plan.taker_delay_ms * MS,
    )


def _hex(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
