"""polymarket.md section 14, one by one: who may trade, from where, and what stops when the answer is no.

Everything goes over HTTP against the dialect. Doctor and start with `--live` are in tests/acceptance.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors.simulation import SimClock
from adapters.polymarket.eligibility import RENEW_NS, VALID_NS, Eligibility
from adapters.polymarket.order_wire import Geoblock
from adapters.polymarket.trading import GEOBLOCK_URL, PolymarketOrders, geoblock_url
from models.config_machine import VenueOptions
from models.market import Action, MarketId, Outcome
from models.money import MICRO, MicroShares, PriceMicros
from models.orders import Accepted, ClientOrderId, OrderIntent, Purpose, Refused, SubmitAnswer
from tests.adapters.polymarket.dialect_stage import DialectStage, dialect
from tests.adapters.polymarket.private import an_intent
from tests.threads.orders_stage import gate, sealed

SLUG = "peace-talks-this-year"
MINE = "http://127.0.0.1:9/never-blocked"


@pytest.fixture
def stage() -> Iterator[DialectStage]:
    with dialect() as running:
        yield running


def an_order(stage: DialectStage, number: int = 1, **changes: object) -> OrderIntent:
    listed = stage.listed(SLUG)
    fields: dict[str, object] = {
        "client_order_id": ClientOrderId(f"c-{number}"),
        "market_id": MarketId(listed.condition_id),
        "limit_price": PriceMicros(450_000),
        "at": stage.clock.wall_ns(),
    }
    return an_intent(**(fields | changes))


def placed(orders: PolymarketOrders, intent: OrderIntent) -> SubmitAnswer:
    return orders.place_order(sealed(intent), orders.prepare(intent), gate())


def nothing_came(stage: DialectStage) -> bool:
    return "bob" not in {account for account, _ in stage.exchange.engine.orders}


def test_14_01_from_a_blocked_place_nothing_is_opened(stage: DialectStage) -> None:
    stage.quoted(SLUG)
    stage.face.blocked = "US"
    answer = placed(stage.orders(), an_order(stage))
    assert isinstance(answer, Refused)
    assert (answer.code, answer.by_venue, "US" in answer.text) == ("geoblocked", False, True)
    assert nothing_came(stage)


def test_14_02_where_the_probe_cannot_be_reached_nothing_is_opened(stage: DialectStage) -> None:
    stage.quoted(SLUG)
    answer = placed(stage.orders(eligibility_url="http://127.0.0.1:1/api/geoblock"), an_order(stage))
    assert isinstance(answer, Refused)
    assert (answer.code, answer.by_venue) == ("unknown", False)
    assert nothing_came(stage)


def test_14_03_the_place_is_asked_about_again_and_again() -> None:
    clock, blocked, asked = SimClock(), [False], []

    def geoblock() -> Geoblock:
        asked.append(clock.boot_ns())
        return Geoblock(blocked=blocked[0], country="US")

    eligibility = Eligibility(clock, geoblock, lambda: False)
    assert eligibility.problem() is None
    blocked[0] = True
    assert eligibility.problem() is None, "a yes counts for a while"
    clock.now += RENEW_NS
    eligibility.renew()
    assert len(asked) == 2
    problem = eligibility.problem()
    assert problem is not None
    assert problem.code == "geoblocked"
    assert 0 < RENEW_NS < VALID_NS <= 3_600 * 1_000_000_000


def test_14_04_an_account_in_closed_only_mode_opens_nothing_and_may_reduce(stage: DialectStage) -> None:
    stage.quoted(SLUG)
    orders = stage.orders()
    bought = placed(orders, an_order(stage))
    assert isinstance(bought, Accepted)

    stage.wallet().closed_only = True
    fresh = stage.orders()
    refused = placed(fresh, an_order(stage, 2))
    sold = placed(
        fresh,
        an_order(stage, 3, action=Action.SELL, limit_price=PriceMicros(400_000), purpose=Purpose.UNWIND),
    )

    assert isinstance(refused, Refused)
    assert (refused.code, refused.by_venue) == ("closed_only", False)
    assert isinstance(sold, Accepted)
    assert sold.filled == 10 * MICRO


@pytest.mark.parametrize(("field", "code"), [("banned", "banned"), ("closed_only", "closed_only")])
def test_14_05_an_order_error_about_the_account_is_no_ordinary_refusal(
    stage: DialectStage, field: str, code: str
) -> None:
    """It stops trading (tests/models: a venue that refuses the account itself stops trading at once)."""
    stage.quoted(SLUG)
    orders = stage.orders()
    assert orders.eligibility.problem() is None, "the yes that it had before"
    setattr(stage.wallet(), field, True)
    answer = placed(orders, an_order(stage))
    assert isinstance(answer, Refused)
    assert (answer.code, answer.by_venue, answer.barred) == (code, True, True)


def test_14_06_no_setting_lets_a_blocked_account_trade(stage: DialectStage) -> None:
    """The address of the probe can be set beside a stand-in, for tests like these; switched off it cannot be."""
    about = {name for name in VenueOptions.model_fields if any(w in name for w in ("geo", "elig", "skip", "bypass"))}
    assert about == {"eligibility_url"}
    stage.face.blocked = "US"
    answer = placed(stage.orders(), an_order(stage))
    assert isinstance(answer, Refused)


@pytest.mark.parametrize(
    ("stated", "asked"),
    [
        ({}, GEOBLOCK_URL),
        ({"eligibility_url": MINE}, GEOBLOCK_URL),
        ({"eligibility_url": MINE, "rest_url": "https://clob.polymarket.com/"}, GEOBLOCK_URL),
        ({"eligibility_url": MINE, "rest_url": "https://CLOB.polymarket.com.:443"}, GEOBLOCK_URL),
        ({"eligibility_url": MINE, "rest_url": "http://127.0.0.1:8001"}, MINE),
        ({"rest_url": "http://127.0.0.1:8001"}, "http://127.0.0.1:8001/api/geoblock"),
        ({"rest_url": "https://notpolymarket.com"}, "https://notpolymarket.com/api/geoblock"),
    ],
)
def test_a_probe_of_ones_own_counts_for_a_stand_in_only(stated: dict[str, str], asked: str) -> None:
    assert geoblock_url(VenueOptions.model_validate(stated)) == asked


def test_14_07_our_own_two_legs_never_meet_each_other(stage: DialectStage) -> None:
    """BUY YES and BUY NO in one batch, dear enough to be matched by minting: neither rests, so each meets others."""
    stage.quoted(SLUG, bid="0.40", ask="0.45")
    orders = stage.orders()
    intents = [
        an_order(stage, 1, limit_price=PriceMicros(700_000), size=MicroShares(60 * MICRO)),
        an_order(stage, 2, limit_price=PriceMicros(700_000), size=MicroShares(60 * MICRO), outcome=Outcome.NO),
    ]
    answers = orders.place_orders([sealed(i) for i in intents], [orders.prepare(i) for i in intents], gate())
    assert all(isinstance(answer, Accepted) for answer in answers)
    parties = [{party.order.account for party in trade.parties} for trade in stage.exchange.engine.trades]
    assert parties
    assert all(both == {"bob", "eve"} for both in parties)
