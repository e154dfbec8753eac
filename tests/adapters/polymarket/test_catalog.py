"""The venue's market objects, by hand from the documented shapes, as our markets."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.catalog import CatalogError
from adapters.polymarket.catalog import (
    ClobMarket,
    GammaMarket,
    market_from_tape,
    market_of,
    market_to_tape,
    status_problem,
)
from models.fees import NO_FEES, FeesUnknownError, taker_fee
from models.market import Action, BookModel, Market
from models.money import MicroShares, MicroUsd, PriceMicros, parse_price

CONDITION = "0x" + "c0" * 32
TOKENS = ["71321", "52114"]

GAMMA: dict[str, Any] = {
    "conditionId": CONDITION,
    "question": "Will it rain?",
    "slug": "will-it-rain",
    "version": "v1",
    "outcomes": '["Yes","No"]',
    "clobTokenIds": json.dumps(TOKENS),
    "negRisk": False,
    "orderPriceMinTickSize": 0.01,
    "orderMinSize": 5,
    "enableOrderBook": True,
    "acceptingOrders": True,
    "active": True,
    "closed": False,
    "feesEnabled": True,
    "feeType": "politics_fees",
    "feeSchedule": {"rate": 0.04, "exponent": 1, "takerOnly": True, "rebateRate": 0.25},
    "endDate": "2026-12-31T12:00:00Z",
    "events": [{"id": "9", "title": "Weather", "negRiskAugmented": False}],
}
CLOB: dict[str, Any] = {
    "t": [{"t": TOKENS[0], "o": "Yes"}, {"t": TOKENS[1], "o": "No"}],
    "mos": 5,
    "mts": 0.001,
    "nr": False,
    "fd": {"r": 0.05, "e": 1, "to": True},
    "mbf": 1000,
    "tbf": 1000,
    "itode": True,
}


def gamma(**changes: Any) -> GammaMarket:
    return msgspec.json.decode(json.dumps(GAMMA | changes), type=GammaMarket)


def clob(**changes: Any) -> ClobMarket:
    return msgspec.json.decode(json.dumps(CLOB | changes), type=ClobMarket)


def market(gamma_market: GammaMarket | None = None, clob_market: ClobMarket | None = None) -> Market:
    return market_of(gamma_market or gamma(), clob_market or clob(), "2026-11-22")


def test_orders_are_judged_by_the_clobs_terms_and_people_read_gammas() -> None:
    found = market()

    assert found.market_id == CONDITION
    assert found.title == "Will it rain?"
    assert [found.yes_instrument, found.no_instrument] == TOKENS
    assert found.price_bands[0].step == 1_000
    assert (found.min_size, found.lot, found.min_notional) == (5_000_000, 10_000_000, 1_000_000)
    assert found.least_take == 10_000, "the least size is for orders that rest"
    assert (found.lot_of(Action.BUY), found.lot_of(Action.SELL)) == (10_000_000, 10_000), "sales have two decimals"
    assert found.book_model is BookModel.UNIFIED
    assert found.closes_at_ms == 1_798_718_400_000
    assert (found.event_id, found.mutually_exclusive) == (None, False)


def test_the_higher_of_two_fees_counts() -> None:
    assert market().fees.rate_micros == 50_000
    assert market(clob_market=clob(fd={"r": 0.01, "e": 1, "to": True})).fees.rate_micros == 40_000
    assert market(gamma(feesEnabled=False)).fees.rate_micros == 50_000


def test_without_a_word_about_fees_a_market_is_free() -> None:
    free = market(gamma(feesEnabled=False), clob(fd=None))

    assert free.fees == NO_FEES


def test_fees_that_are_on_but_not_told_are_unknown() -> None:
    with pytest.raises(FeesUnknownError):
        market(gamma(feeSchedule=None), clob(fd=None))


@pytest.mark.parametrize(
    ("shares", "price", "rate", "fee"),
    [
        ("100", "0.50", "0.07", 1_750_000),
        ("100", "0.50", "0.04", 1_000_000),
        ("100", "0.10", "0.05", 450_000),
        ("100", "0.97", "0.05", 145_500),
        ("10", "0.333", "0.04", 88_850),
        ("1", "0.01", "0.04", 400),
        ("100", "0.50", "0.05", 1_250_000),
        ("100", "0.50", "0", 0),
    ],
)
def test_the_worked_fees_come_out_rounded_up_to_five_decimals(shares: str, price: str, rate: str, fee: int) -> None:
    """polymarket.md section 9; its fifth row is rounded to nearest there, and up here."""
    schedule = market(gamma(feesEnabled=False), clob(fd={"r": float(rate), "e": 1, "to": True})).fees

    charged = taker_fee(schedule, PriceMicros(round(float(price) * 1e6)), MicroShares(int(shares) * 1_000_000))

    assert charged == MicroUsd(fee)


@pytest.mark.parametrize(
    ("payout", "asks", "fees", "net"),
    [(2, ("0.64", "0.66", "0.64"), 34_260, 25_740), (1, ("0.31", "0.33", "0.30"), 32_250, 27_750)],
    ids=["B: every NO, converted", "A: every YES, held"],
)
def test_the_worked_baskets_net_what_the_sheet_says(payout: int, asks: tuple[str, ...], fees: int, net: int) -> None:
    """polymarket.md 13.3, per set of one share each at a rate of 0.05; a hundred sets, so that nothing is rounded."""
    schedule = market(gamma(feesEnabled=False), clob(fd={"r": 0.05, "e": 1, "to": True})).fees
    prices = [PriceMicros(parse_price(ask)) for ask in asks]

    charged = sum(taker_fee(schedule, price, MicroShares(100_000_000)) for price in prices)

    assert charged == 100 * fees
    assert 100 * (payout * 1_000_000 - sum(prices)) - charged == 100 * net


@pytest.mark.parametrize("fd", [{"r": 0.07, "e": 1.5}, {"r": 2, "e": 1}, {"r": -0.1, "e": 1}, {"r": 0.07, "e": 99}])
def test_fee_terms_of_another_kind_are_refused(fd: dict[str, Any]) -> None:
    with pytest.raises(FeesUnknownError):
        market(clob_market=clob(fd=fd))


def test_outcomes_of_a_neg_risk_event_exclude_one_another() -> None:
    event = {"id": "9", "negRiskAugmented": False, "negRiskMarketID": "0xe1"}

    found = market(gamma(negRisk=True, events=[event]))

    assert (found.event_id, found.mutually_exclusive) == ("0xe1", True)


@pytest.mark.parametrize("augmented", [True, None])
def test_augmented_events_are_not_called_exclusive(augmented: bool | None) -> None:
    event = {"id": "9", "negRiskAugmented": augmented, "negRiskMarketID": "0xe1"}

    assert not market(gamma(negRisk=True, events=[event])).mutually_exclusive


def test_a_market_of_the_second_generation_has_its_own_token_ids() -> None:
    second = gamma(version="v2", positionIds=TOKENS, clobTokenIds='["1","2"]')

    assert market_of(second, None, "2026-11-22").yes_instrument == TOKENS[0]


@pytest.mark.parametrize(
    ("gamma_changes", "clob_changes", "message"),
    [
        ({"version": "v9"}, {}, "generation 'v9' is not known"),
        ({"conditionId": "0x\x1b[2J"}, {}, "no market id"),
        ({"conditionId": ""}, {}, "no market id"),
        ({"clobTokenIds": '["1","2"]'}, {}, "name different tokens"),
        ({"clobTokenIds": "[]"}, {"t": [{"t": "1"}]}, "not a market of two tokens"),
        ({"clobTokenIds": "[]"}, {"t": [{"t": "1"}, {"t": "٢"}]}, "not a market of two tokens"),
        ({"clobTokenIds": "[]"}, {"t": [{"t": "1"}, {"t": "1"}]}, "not a market of two tokens"),
        ({"clobTokenIds": "[["}, {}, "cannot be read"),
        ({}, {"mts": 0.003}, "out of range"),
        ({}, {"mts": 0}, "out of range"),
        ({}, {"mts": 1e-9}, "tick or least size"),
        ({}, {"mos": -1}, "out of range"),
        ({"endDate": "tomorrow"}, {}, "a date that is none"),
        ({"endDate": "2026-12-31"}, {}, "without a time zone"),
    ],
)
def test_what_contradicts_itself_is_refused(
    gamma_changes: dict[str, Any], clob_changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(CatalogError, match=message):
        market(gamma(**gamma_changes), clob(**clob_changes))


def test_a_title_is_made_safe_to_show() -> None:
    assert market(gamma(question="\x1b[2JWill \u202eit?")).title == "[2JWill it?"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"closed": True}, "is closed"),
        ({"archived": True}, "is closed"),
        ({"enableOrderBook": False}, "has no order book"),
        ({"acceptingOrders": False}, "does not accept orders now"),
        ({"active": False}, "does not accept orders now"),
    ],
)
def test_a_market_that_cannot_be_traded_says_why(changes: dict[str, Any], problem: str | None) -> None:
    assert status_problem(gamma(**changes)) == problem


@given(
    tick=st.sampled_from(["0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001"]),
    min_size=st.integers(0, 10**9),
    rate=st.integers(0, 1_000_000),
    exponent=st.integers(1, 4),
    closes=st.none() | st.integers(0, 10**13),
    event=st.none() | st.text("0123456789abcdefx", min_size=1),
)
def test_a_market_comes_back_from_a_tape_as_it_was_written(
    tick: str, min_size: int, rate: int, exponent: int, closes: int | None, event: str | None
) -> None:
    written = market_from_tape(
        {
            "market_id": CONDITION,
            "title": "t",
            "tokens": TOKENS,
            "tick": tick,
            "min_size": f"{min_size // 1_000_000}.{min_size % 1_000_000:06d}",
            "fee_rate": f"{rate // 1_000_000}.{rate % 1_000_000:06d}",
            "fee_exponent": str(exponent),
            "closes_ms": closes,
            "event_id": event,
        },
        "2026-11-22",
    )

    through_json = json.loads(json.dumps(market_to_tape(written)))

    assert market_from_tape(through_json, "2026-11-22") == written


@pytest.mark.parametrize("missing", ["market_id", "tokens", "tick", "min_size"])
def test_an_incomplete_entry_of_a_tape_is_refused(missing: str) -> None:
    entry = {"market_id": CONDITION, "tokens": TOKENS, "tick": "0.01", "min_size": "5"}
    del entry[missing]

    with pytest.raises(CatalogError):
        market_from_tape(entry, "2026-11-22")


words = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.lists(st.text(max_size=5))


@given(
    gamma_changes=st.dictionaries(st.sampled_from(sorted(GAMMA)), words, max_size=3),
    clob_changes=st.dictionaries(st.sampled_from(sorted(CLOB)), words, max_size=3),
)
def test_no_answer_of_the_venue_makes_anything_but_a_market_or_our_own_error(
    gamma_changes: dict[str, Any], clob_changes: dict[str, Any]
) -> None:
    try:
        found = market(gamma(**gamma_changes), clob(**clob_changes))
    except (CatalogError, FeesUnknownError, msgspec.DecodeError):
        return

    assert found.yes_instrument != found.no_instrument
    assert 0 < found.price_bands[0].step < 1_000_000
