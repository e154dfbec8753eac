"""Markets, events and series as `Market`: grids, fees, structure, and everything that is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from adapters.catalog import CatalogError
from adapters.kalshi.catalog import (
    KalshiEvent,
    KalshiMarket,
    KalshiSeries,
    market_from_tape,
    market_of,
    market_to_tape,
    shard_of,
    status_problem,
)
from models.fees import NO_FEES, FeesUnknownError, taker_fee
from models.market import BookModel, Market
from models.money import MICRO
from tests.adapters.kalshi.examples import CENTS, EVENT, TAPERED, TICKER, a_market, tape_entry
from tests.factories import price, shares, usd

MARKET: dict[str, Any] = {
    "ticker": TICKER,
    "event_ticker": EVENT,
    "market_type": "binary",
    "status": "active",
    "result": "",
    "yes_sub_title": "Lions",
    "close_time": "2026-12-31T22:00:00Z",
    "settlement_bounds_type": "default",
    "price_level_structure": "linear_cent",
    "price_ranges": CENTS,
    "exchange_index": 2,
}
EVENT_BODY: dict[str, Any] = {
    "event_ticker": EVENT,
    "series_ticker": "KXSIM",
    "title": "Who wins?",
    "mutually_exclusive": True,
    "collateral_return_type": "MECNET",
    "fee_type_override": None,
    "fee_multiplier_override": None,
}
SERIES: dict[str, Any] = {"ticker": "KXSIM", "title": "Cup", "fee_type": "quadratic", "fee_multiplier": 1}


def described(market: dict[str, Any] = {}, event: dict[str, Any] = {}, series: dict[str, Any] = {}) -> Market:  # noqa: B006  never changed
    return market_of(
        msgspec.json.decode(msgspec.json.encode(MARKET | market), type=KalshiMarket),
        msgspec.json.decode(msgspec.json.encode(EVENT_BODY | event), type=KalshiEvent),
        msgspec.json.decode(msgspec.json.encode(SERIES | series), type=KalshiSeries),
        "2026-11-22",
    )


def test_a_market_is_described_by_itself_its_event_and_its_series() -> None:
    market = described()

    assert market.title == "Who wins?: Lions"
    assert (market.event_id, market.mutually_exclusive, market.book_model) == (EVENT, True, BookModel.UNIFIED)
    assert (market.lot, market.min_size) == (shares("0.01"), shares("0.01"))
    assert market.closes_at_ms == 1_798_754_400_000
    assert shard_of(market) == 2
    assert market.yes_instrument != market.no_instrument
    assert (market.fees.name, market.fees.rate_micros) == ("kalshi-quadratic", 70_000)


def test_fees_are_judged_in_whole_cents() -> None:
    assert taker_fee(described().fees, price("0.50"), shares("1")) == usd("0.02")
    assert taker_fee(described().fees, price("0.45"), shares("100")) == usd("1.74")


def test_an_events_fee_terms_override_those_of_its_series() -> None:
    market = described(event={"fee_type_override": "quadratic_with_maker_fees", "fee_multiplier_override": 0.5})

    assert (market.fees.name, market.fees.rate_micros) == ("kalshi-quadratic_with_maker_fees", 35_000)


def test_a_multiplier_of_zero_is_a_free_market() -> None:
    assert described(series={"fee_multiplier": 0}).fees is NO_FEES


@pytest.mark.parametrize("fee_type", ["flat", "margin_market_maker_program_fees", "", "quadratic2"])
def test_a_fee_type_without_a_known_formula_is_refused(fee_type: str) -> None:
    with pytest.raises(FeesUnknownError):
        described(series={"fee_type": fee_type})


@pytest.mark.parametrize("multiplier", [-1, 11, 0.00001])
def test_a_multiplier_that_cannot_be_is_refused(multiplier: float) -> None:
    with pytest.raises(FeesUnknownError):
        described(series={"fee_multiplier": multiplier})


def test_markets_exclude_one_another_only_where_the_event_says_so_twice() -> None:
    assert not described(event={"collateral_return_type": "DIRECNET"}).mutually_exclusive
    assert not described(event={"mutually_exclusive": False}).mutually_exclusive


@pytest.mark.parametrize(
    ("market", "event"),
    [
        ({"market_type": "scalar"}, {}),
        ({"mve_collection_ticker": "KXMVE-1"}, {}),
        ({"settlement_bounds_type": "floor"}, {}),
        ({"price_ranges": []}, {}),
        ({"price_ranges": [{"start": "0.1", "end": "1", "step": "0.01"}]}, {}),
        ({"price_ranges": [{"start": "0", "end": "1", "step": "0"}]}, {}),
        ({"price_ranges": [{"start": "0", "end": "1", "step": "0.03"}]}, {}),
        (
            {
                "price_ranges": [
                    {"start": "0", "end": "0.5", "step": "0.01"},
                    {"start": "0.6", "end": "1", "step": "0.1"},
                ]
            },
            {},
        ),
        ({"ticker": "kx sim"}, {}),
        ({"close_time": "tomorrow"}, {}),
        ({"close_time": "2026-12-31T22:00:00"}, {}),
        ({"exchange_index": -1}, {}),
        ({}, {"event_ticker": "KXOTHER-1"}),
        ({}, {"series_ticker": "KXOTHER"}),
    ],
)
def test_what_this_program_does_not_know_is_refused(market: dict[str, Any], event: dict[str, Any]) -> None:
    with pytest.raises(CatalogError):
        described(market, event)


def test_a_tapered_grid_has_fine_ticks_at_its_ends() -> None:
    market = a_market(price_ranges=list(reversed(TAPERED)))

    assert [band.step for band in market.price_bands] == [1_000, 10_000, 1_000]
    assert market.on_grid(price("0.095"))
    assert not market.on_grid(price("0.505"))
    assert market.price_rounded_down(price("0.509")) == price("0.50")
    assert market.price_rounded_up(price("0.9005")) == price("0.901")


@pytest.mark.parametrize("status", ["inactive", "initialized", "closed", "determined", "finalized", "settled", "odd"])
def test_only_an_active_market_can_be_traded(status: str) -> None:
    body = msgspec.convert(MARKET | {"status": status}, KalshiMarket)

    assert status_problem(body) is not None
    assert status_problem(msgspec.convert(MARKET, KalshiMarket)) is None


@pytest.mark.parametrize(
    "changes", [{}, {"price_ranges": TAPERED, "closes_ms": 5}, {"fee_multiplier": "0"}, {"fee_multiplier": "0.25"}]
)
def test_a_market_comes_back_from_a_tape(changes: dict[str, Any]) -> None:
    market = a_market(**changes)

    assert market_from_tape(market_to_tape(market), "2026-11-22") == market


@pytest.mark.parametrize("missing", ["market_id", "price_ranges", "fee_type", "fee_multiplier"])
def test_an_incomplete_entry_of_a_tape_is_refused(missing: str) -> None:
    entry = tape_entry()
    del entry[missing]

    with pytest.raises(CatalogError):
        market_from_tape(entry, "2026-11-22")


def test_a_whole_dollar_is_no_price() -> None:
    assert not described().on_grid(price("0"))
    assert not described().on_grid(MICRO)  # type: ignore[arg-type]
