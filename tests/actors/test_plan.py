"""A plan: what the catalogs and the configuration together allow to be watched."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.plan import PlanError, VenueUnreachableError, make_plan
from adapters.venue import MarketOverError, VenueReadError, VenueReadRefusedError
from models.config import Config
from models.config_sets import Attested, Leg, SetEntry
from models.market import MarketId, Outcome, VenueName
from models.sets import SetKind
from tests.fake_orders import CAPABILITIES
from tests.trading import a_market

SIMULATED = VenueName("simulated")


class Catalog:
    name = SIMULATED
    capabilities = CAPABILITIES

    def __init__(self, *known: str, over: dict[str, str] | None = None, error: Exception | None = None) -> None:
        self.known = known
        self.over = over or {}
        self.error = error
        self.asked: list[list[str]] = []

    def markets(self, market_ids):
        self.asked.append(list(market_ids))
        if self.error is not None:
            raise self.error
        for market_id in market_ids:
            if market_id in self.over:
                raise MarketOverError(market_id, self.over[market_id])
            if market_id not in self.known:
                raise VenueReadRefusedError(f"market {market_id} is not listed")
        return [a_market(market_id) for market_id in market_ids]


def plan_of(catalog: Catalog, *markets: str, sets: tuple = ()):
    config = Config(venue="simulated", markets=tuple(MarketId(m) for m in markets), sets=sets)
    return make_plan(
        config, {SIMULATED: catalog}, {}, live=False, demo=False, state=Path("data"), ledger=Path("data/ledger.sqlite")
    )


def test_every_market_makes_a_set_of_its_own():
    plan = plan_of(Catalog("m1", "m2"), "m1", "m2")

    assert [one.set_id for one in plan.sets] == ["m1", "m2"]
    assert plan.over == {}


def test_a_market_that_is_over_is_left_out_with_its_sets_and_the_rest_goes_on():
    catalog = Catalog("m1", "m4", over={"m2": "resolved", "m3": "closed"})

    plan = plan_of(catalog, "m1", "m2", "m3", "m4")

    assert [one.set_id for one in plan.sets] == ["m1", "m4"]
    assert set(plan.markets) == {"m1", "m4"}
    assert plan.over == {"m2": "resolved", "m3": "closed"}
    assert catalog.asked[-1] == ["m1", "m4"]


def test_a_plan_of_nothing_but_markets_that_are_over_is_refused():
    with pytest.raises(PlanError) as caught:
        plan_of(Catalog(over={"m1": "resolved"}), "m1")

    assert caught.value.lines == ("markets: m1 is resolved",)


def test_an_unknown_market_is_a_mistake_of_the_configuration():
    with pytest.raises(PlanError) as caught:
        plan_of(Catalog("m1", over={"m2": "closed"}), "m1", "m2", "m9")

    assert caught.value.lines == ("markets: market m9 is not listed",)


def test_a_venue_that_does_not_answer_is_no_mistake_of_the_configuration():
    with pytest.raises(VenueUnreachableError):
        plan_of(Catalog(error=VenueReadError("timeout")), "m1")


def test_a_basket_with_one_leg_over_is_left_out_as_a_whole():
    legs = tuple(Leg(market=market, outcome=Outcome.NO) for market in ("m1", "m2", "m3"))
    attested = Attested(exclusive=True, statement="a test says so")
    baskets = (
        SetEntry(id="one-over", kind=SetKind.NO_BASKET, legs=legs, attested=attested),
        SetEntry(id="none-over", kind=SetKind.NO_BASKET, legs=(legs[0], legs[2]), attested=attested),
    )

    plan = plan_of(Catalog("m1", "m3", over={"m2": "resolved"}), "m1", "m2", "m3", sets=baskets)

    assert [one.set_id for one in plan.sets] == ["none-over"]
