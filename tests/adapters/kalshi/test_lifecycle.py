"""Statuses, results, grids and fees of watched markets; strangers are not even read."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.kalshi.lifecycle import Standing
from models.book import BookLost, NotReady
from models.market import MarketStatus, Outcome
from models.messages import MarketResolved, StatusChanged, TickChanged
from tests.adapters.kalshi.examples import (
    EVENT,
    SID,
    STATES_SID,
    TAPERED,
    TICKER,
    TS,
    Connection,
    a_market,
    delta,
    lifecycle,
    snapshot,
    subscribed,
)


def a_watched(**changes: Any) -> Connection:
    connection = Connection(a_market(**changes))
    connection.told(subscribed(), subscribed(STATES_SID, "market_lifecycle_v2", 2), snapshot(1))
    return connection


def fee_update(**override: Any) -> dict[str, Any]:
    msg = {"event_ticker": EVENT, "fee_type_override": None, "fee_multiplier_override": None} | override
    return {"type": "event_fee_update", "sid": STATES_SID, "seq": 1, "msg": msg}


def test_a_pause_stops_the_market_and_reopening_starts_from_a_new_snapshot() -> None:
    connection = a_watched()

    (paused,) = connection.told(lifecycle("deactivated"))
    opened, lost = connection.told(lifecycle("activated", 2))

    assert (paused.status, opened.status) == (MarketStatus.PAUSED, MarketStatus.OPEN)
    assert isinstance(lost, BookLost)
    assert lost.reason is NotReady.PAUSED
    (asked,) = connection.sent()
    assert asked["params"] == {"sids": [SID], "market_tickers": [TICKER], "action": "get_snapshot"}
    assert connection.told(delta(2, "yes", "0.4100", "1.00")) == [], "changes of the old book do not count"


@pytest.mark.parametrize(
    ("message", "winner", "yes_pays"),
    [
        ({"result": "yes"}, Outcome.YES, 1_000_000),
        ({"result": "no"}, Outcome.NO, 0),
        ({"result": "scalar", "settlement_value": "0.3500"}, None, 350_000),
    ],
)
def test_a_settlement_names_what_yes_pays(message: dict[str, Any], winner: Outcome | None, yes_pays: int) -> None:
    (event,) = a_watched().told(lifecycle("settled", **message))

    assert isinstance(event, MarketResolved)
    assert (event.winner, event.yes_pays) == (winner, yes_pays)


def test_a_determination_may_still_be_disputed_so_it_only_closes() -> None:
    (event,) = a_watched().told(lifecycle("determined", result="yes"))

    assert (event.status, event.detail) == (MarketStatus.CLOSED, "determined")


def test_a_settlement_without_a_payout_only_closes() -> None:
    (event,) = a_watched().told(lifecycle("settled"))

    assert event.status is MarketStatus.CLOSED


def test_a_new_price_grid_starts_a_new_epoch_of_the_book() -> None:
    (event,) = a_watched().told(lifecycle("price_level_structure_updated", price_ranges=TAPERED))

    assert isinstance(event, TickChanged)
    assert (event.new_tick, event.generation) == (1_000, 3)


def test_closing_comes_with_the_exchanges_time_and_once() -> None:
    connection = a_watched(closes_ms=TS + 5_000)
    connection.told(delta(2, "yes", "0.4100", "1.00"))
    before = connection.idle(4_999)

    events = connection.idle(60)

    assert not [event for event in before if isinstance(event, StatusChanged)]
    assert [(event.status, event.detail) for event in events if isinstance(event, StatusChanged)] == [
        (MarketStatus.CLOSED, "close time")
    ]
    assert not [event for event in connection.idle(1_000) if isinstance(event, StatusChanged)]


def test_a_close_that_was_moved_forward_counts() -> None:
    connection = a_watched(closes_ms=TS + 3_600_000)
    connection.told(delta(2, "yes", "0.4100", "1.00"))
    connection.told(lifecycle("close_date_updated", close_ts=(TS + 1_000) // 1_000))

    events = connection.idle(1_100)

    assert MarketStatus.CLOSED in [event.status for event in events if isinstance(event, StatusChanged)]


@pytest.mark.parametrize(
    "override",
    [
        {"fee_type_override": "flat", "fee_multiplier_override": 1},
        {"fee_type_override": "quadratic", "fee_multiplier_override": 2},
        {},
    ],
)
def test_fee_terms_that_changed_pause_the_market_for_this_run(override: dict[str, Any]) -> None:
    connection = a_watched()

    (event,) = connection.told(fee_update(**override))
    (again,) = connection.told(lifecycle("activated", 2))

    assert (event.status, again.status) == (MarketStatus.PAUSED, MarketStatus.PAUSED)
    assert "fee terms changed" in event.detail


def test_fee_terms_that_changed_pause_the_market_also_over_the_next_connection() -> None:
    """Its pause and reopening are told as on any other day; the terms that decisions are made on stay the old ones."""
    standing = Standing()
    Connection(a_market(), standing=standing).told(
        subscribed(), subscribed(STATES_SID, "market_lifecycle_v2", 2), snapshot(1), fee_update()
    )
    again = Connection(a_market(), standing=standing)
    again.told(subscribed(), subscribed(STATES_SID, "market_lifecycle_v2", 2), snapshot(1))

    said = again.told(lifecycle("deactivated"), lifecycle("activated", 2))

    assert [event.status for event in said] == [MarketStatus.PAUSED, MarketStatus.PAUSED]


def test_fee_terms_that_stay_the_same_change_nothing() -> None:
    assert a_watched().told(fee_update(fee_type_override="quadratic", fee_multiplier_override=1)) == []


def test_a_state_of_a_watched_market_that_cannot_be_read_pauses_it() -> None:
    (event,) = a_watched().told(lifecycle("price_level_structure_updated", price_ranges="new"))

    assert event.status is MarketStatus.PAUSED


@pytest.mark.parametrize(
    "frame",
    [
        lifecycle("settled", ticker="KXWHO", result=3),
        lifecycle("an event of next year"),
        {"type": "market_lifecycle_v2", "sid": STATES_SID, "seq": 1, "msg": "none"},
        {"type": "event_lifecycle", "sid": STATES_SID, "seq": 1, "msg": {"event_ticker": EVENT}},
        {**fee_update(), "msg": {"event_ticker": "KXWHO-1"}},
    ],
)
def test_what_concerns_no_watched_market_changes_nothing(frame: dict[str, Any]) -> None:
    connection = a_watched()

    assert connection.told(frame) == []
    assert connection.session.counts.failed == 0


def test_a_hole_in_the_lifecycles_is_counted_and_the_news_is_still_news() -> None:
    connection = a_watched()

    (event,) = connection.told(lifecycle("created", 1, "KXWHO"), lifecycle("deactivated", 4))

    assert event.status is MarketStatus.PAUSED
    assert connection.session.counts.gaps == 1
