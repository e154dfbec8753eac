"""The matching engine: priority, the two book models, time in force, refusals, reservations, fees."""

from __future__ import annotations

import pytest

from adapters.simulated.orders import LevelsChanged, OrderState, VenueOrder
from adapters.simulated.settlement import split
from models.book import NO_BID, YES_ASK, YES_BID
from models.fees import taker_fee
from models.market import BookModel, MarketStatus
from models.money import MICRO, MicroShares, PriceMicros
from tests.adapters.simulated.venue_stage import (
    BUY,
    FEES,
    FOK,
    GTC,
    IOC,
    MARKET,
    NO,
    SELL,
    YES,
    Stage,
    a_request,
    a_stage,
)


def with_sets(stage: Stage, account: str = "ann", shares: int = 100) -> Stage:
    split(stage.exchange, account, MARKET, shares * MICRO, 0)
    return stage


def test_the_better_price_trades_first_and_the_older_order_within_a_price() -> None:
    stage = with_sets(with_sets(a_stage()), "bob")
    dear = stage.placed("ann", YES, SELL, 52)
    old = stage.placed("ann", YES, SELL, 51)
    young = stage.placed("bob", YES, SELL, 51)

    stage.placed("cid", YES, BUY, 52, 15, IOC)

    assert (old.filled, young.filled, dear.filled) == (10 * MICRO, 5 * MICRO, 0)


def test_a_taker_pays_the_makers_price_not_its_own_limit() -> None:
    stage = with_sets(a_stage())
    stage.placed("ann", YES, SELL, 40)
    before = stage.cash("cid")

    stage.placed("cid", YES, BUY, 60, 10, IOC)

    assert before - stage.cash("cid") == 4 * MICRO
    assert stage.shares("cid", YES) == 10


def test_ioc_keeps_what_filled_and_kills_the_rest() -> None:
    stage = with_sets(a_stage())
    stage.placed("ann", YES, SELL, 40, 4)

    order = stage.placed("cid", YES, BUY, 40, 10, IOC)

    assert (order.filled, order.state, order.reason) == (4 * MICRO, OrderState.DONE, "killed")
    assert stage.exchange.listings[MARKET].levels(YES_BID) == ()


def test_fok_fills_whole_or_not_at_all() -> None:
    stage = with_sets(a_stage())
    stage.placed("ann", YES, SELL, 40, 4)

    missed = stage.placed("cid", YES, BUY, 40, 10, FOK)
    filled = stage.placed("cid", YES, BUY, 40, 4, FOK)

    assert (missed.filled, missed.reason) == (0, "killed")
    assert (filled.filled, filled.reason) == (4 * MICRO, "filled")


def test_the_rest_of_a_gtc_order_rests() -> None:
    stage = with_sets(a_stage())
    stage.placed("ann", YES, SELL, 40, 4)

    order = stage.placed("cid", YES, BUY, 40, 10, GTC)

    assert (order.filled, order.state) == (4 * MICRO, OrderState.LIVE)
    assert stage.exchange.listings[MARKET].levels(YES_BID) == ((400_000, 6 * MICRO),)


def test_on_separate_books_a_no_bid_is_no_yes_ask() -> None:
    stage = a_stage(BookModel.SEPARATE)
    stage.placed("ann", NO, BUY, 60)

    order = stage.placed("bob", YES, BUY, 50, 10, IOC)

    assert order.filled == 0
    assert stage.exchange.listings[MARKET].best(YES_ASK) is None


def test_on_a_unified_book_two_buyers_make_a_set() -> None:
    stage = a_stage(BookModel.UNIFIED)
    stage.placed("ann", NO, BUY, 60)

    order = stage.placed("bob", YES, BUY, 45, 10, IOC)

    assert order.filled == 10 * MICRO
    assert (stage.shares("bob", YES), stage.shares("ann", NO)) == (10, 10)
    assert stage.cash("bob") == 1_000 * MICRO - 4 * MICRO, "YES costs what the NO buyer leaves of a dollar"
    assert stage.exchange.listings[MARKET].sets == 10 * MICRO
    assert stage.exchange.audit() == []


def test_on_a_unified_book_two_sellers_burn_a_set() -> None:
    stage = a_stage(BookModel.UNIFIED)
    stage.placed("ann", NO, BUY, 60)
    stage.placed("bob", YES, BUY, 40, 10, IOC)
    stage.placed("ann", NO, SELL, 70)

    order = stage.placed("bob", YES, SELL, 30, 10, IOC)

    assert order.filled == 10 * MICRO
    assert stage.exchange.listings[MARKET].sets == 0
    assert (stage.cash("ann"), stage.cash("bob")) == (1_001 * MICRO, 999 * MICRO)
    assert stage.exchange.audit() == []


def test_a_unified_book_shows_every_order_on_both_outcomes() -> None:
    stage = a_stage(BookModel.UNIFIED)
    stage.exchange.drain()

    stage.placed("ann", NO, BUY, 60)

    listing = stage.exchange.listings[MARKET]
    assert listing.levels(NO_BID) == ((600_000, 10 * MICRO),)
    assert listing.levels(YES_ASK) == ((400_000, 10 * MICRO),)
    told = [h for h in stage.exchange.drain() if isinstance(h, LevelsChanged)]
    assert set(told[0].changes) == {(YES_ASK, 400_000, 10 * MICRO), (NO_BID, 600_000, 10 * MICRO)}


def test_one_client_id_never_makes_two_orders() -> None:
    stage = a_stage()
    first = stage.placed("ann", YES, BUY, 40, client_order_id="same")

    assert stage.refused("ann", YES, BUY, 40, client_order_id="same") == "duplicate"
    stage.exchange.cancel("ann", "same", 0)
    assert stage.refused("ann", YES, BUY, 40, client_order_id="same") == "duplicate", "not even after its end"
    assert stage.exchange.orders["ann", "same"] is first
    assert isinstance(stage.order("bob", YES, BUY, 40, client_order_id="same"), VenueOrder), "ids are per account"


@pytest.mark.parametrize(
    ("cents", "shares", "code"),
    [(0, 10, "price_range"), (100, 10, "price_range"), (50, 10.001, "off_lot"), (50, 0, "off_lot")],
)
def test_an_order_off_the_markets_rules_is_refused_with_its_code(cents: int, shares: float, code: str) -> None:
    stage = a_stage()

    assert stage.refused("ann", YES, BUY, cents, shares) == code
    assert stage.exchange.drain() == []


def test_a_price_between_two_ticks_is_refused() -> None:
    stage = a_stage()
    request = a_request(client_order_id="x")
    request = type(request)(**{**{n: getattr(request, n) for n in request.__slots__}, "price": PriceMicros(505_000)})

    result = stage.exchange.submit("ann", request, 0)

    assert getattr(result, "code", None) == "off_tick"


def test_an_unknown_market_is_refused() -> None:
    stage = a_stage()
    request = a_request(client_order_id="x", market_id="nowhere")  # type: ignore[arg-type]

    assert getattr(stage.exchange.submit("ann", request, 0), "code", None) == "unknown_market"


def test_resting_orders_reserve_cash_and_shares() -> None:
    stage = with_sets(a_stage(), shares=100)  # ann: 900 dollars, 100 sets
    stage.placed("ann", YES, BUY, 50, 1_700)
    stage.placed("ann", NO, SELL, 60, 80)

    assert stage.refused("ann", YES, BUY, 50, 101) == "insufficient_balance"
    assert stage.refused("ann", NO, SELL, 60, 21) == "insufficient_position"
    stage.placed("ann", YES, BUY, 50, 100)
    stage.placed("ann", NO, SELL, 60, 20)


def test_a_cancel_gives_the_reservation_back() -> None:
    stage = a_stage()
    order = stage.placed("ann", YES, BUY, 50, 2_000)

    stage.exchange.cancel("ann", order.request.client_order_id, 0)

    assert stage.exchange.accounts["ann"].free_cash == 1_000 * MICRO
    assert (order.state, order.reason) == (OrderState.DONE, "cancelled")


def test_the_worst_case_of_an_order_counts_its_fees() -> None:
    stage = with_sets(a_stage(fees=FEES), shares=500)
    stage.placed("ann", YES, SELL, 50, 500)
    fee = taker_fee(FEES, PriceMicros(500_000), MicroShares(500 * MICRO))
    bob = stage.exchange.accounts["bob"]
    bob.cash = 250 * MICRO + fee - 1

    assert stage.refused("bob", YES, BUY, 50, 500, IOC) == "insufficient_balance"
    bob.cash += 1
    stage.placed("bob", YES, BUY, 50, 500, IOC)
    assert bob.cash == 0


def test_only_the_taker_pays_a_fee() -> None:
    stage = with_sets(a_stage(fees=FEES), shares=100)
    stage.placed("ann", YES, SELL, 50, 10)

    stage.placed("bob", YES, BUY, 50, 10, IOC)

    fee = taker_fee(FEES, PriceMicros(500_000), MicroShares(10 * MICRO))
    assert stage.cash("bob") == 1_000 * MICRO - 5 * MICRO - fee
    assert stage.cash("ann") == 900 * MICRO + 5 * MICRO
    assert stage.exchange.fees_collected == fee > 0


def test_nobody_trades_with_himself() -> None:
    stage = with_sets(a_stage())
    stage.placed("ann", YES, SELL, 50)

    assert stage.refused("ann", YES, BUY, 50, 1, IOC) == "self_cross"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (MarketStatus.PAUSED, "market_paused"),
        (MarketStatus.CLOSED, "market_closed"),
        (MarketStatus.RESOLVED, "market_resolved"),
    ],
)
def test_a_market_that_is_not_open_refuses(status: MarketStatus, code: str) -> None:
    stage = a_stage()
    stage.exchange.announce(stage.exchange.listings[MARKET], status, "", 0)

    assert stage.refused("ann", YES, BUY, 50) == code


def test_in_a_post_only_window_only_resting_orders_are_accepted() -> None:
    stage = with_sets(a_stage())
    stage.placed("ann", YES, SELL, 50)
    stage.exchange.announce(stage.exchange.listings[MARKET], MarketStatus.POST_ONLY, "", 0)

    assert stage.refused("bob", YES, BUY, 50, 1, GTC) == "post_only", "it would take"
    assert stage.refused("bob", YES, BUY, 40, 1, IOC) == "post_only"
    stage.placed("bob", YES, BUY, 40, 1, GTC)


def test_a_restarting_exchange_refuses_and_then_only_rests() -> None:
    stage = with_sets(a_stage())
    stage.exchange.unavailable_until, stage.exchange.post_only_until = 100, 200

    assert stage.refused("ann", YES, BUY, 50) == "restarting"
    stage.now = 100
    assert stage.refused("ann", YES, BUY, 50, 1, IOC) == "post_only"
    stage.now = 200
    stage.placed("ann", YES, BUY, 50, 1, IOC)


def test_closing_a_market_ends_its_orders_and_frees_what_they_reserved() -> None:
    stage = with_sets(a_stage())
    bid = stage.placed("ann", YES, BUY, 40)
    ask = stage.placed("ann", NO, SELL, 70)

    stage.exchange.announce(stage.exchange.listings[MARKET], MarketStatus.CLOSED, "", 0)

    assert (bid.reason, ask.reason) == ("closed", "closed")
    account = stage.exchange.accounts["ann"]
    assert (account.reserved_cash, account.reserved_shares) == (0, {})
    assert stage.exchange.listings[MARKET].levels(YES_BID) == ()
