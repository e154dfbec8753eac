"""An order that the venue's list does not show: its executions are a source of their own, which is really asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.venue import VenueReadError
from models.market import MarketId
from models.orders import Accepted, AttemptId, OrderNotFound, derive_client_order_id
from tests.adapters.kalshi.private import an_intent
from tests.adapters.kalshi.stage import kalshi_stage
from tests.adapters.kalshi.test_traces import FED, FOK, FOUR_AT_43, Trader
from tests.factories import price, shares
from tests.threads.orders_stage import gate, sealed


def hide_lists(orders: Any) -> None:
    """The venue's answers about orders come from a copy that lags behind its executions."""
    orders._rest.orders = lambda _params: iter(())


def test_executions_of_an_order_that_no_list_shows_are_found_by_its_market(tmp_path: Path) -> None:
    with kalshi_stage(tmp_path, rate=0, scripted=False, empty=FED) as stage:
        Trader(stage, 1).place(**FOUR_AT_43)
        old, new = stage.orders(), stage.orders()
        markets = stage.venue().markets([MarketId(FED)])
        own = derive_client_order_id(AttemptId("a-9"), 0, 0)
        wanted = {"market_id": MarketId(FED), "client_order_id": own, "limit_price": price("0.43")}
        intent = an_intent(**wanted, size=shares("4"), **FOK)
        for orders in (old, new):
            orders.get_ready(markets)
        assert isinstance(old.place_order(sealed(intent), old.prepare(intent), gate()), Accepted)
        hide_lists(new)

        status, fills = new.get_order_status(intent, None), new.fills(intent, 0)

        assert isinstance(status, OrderNotFound)
        assert [(fill.client_order_id, fill.size) for fill in fills] == [(own, shares("4"))]


def test_executions_of_other_orders_in_the_market_are_not_called_its_own(tmp_path: Path) -> None:
    with kalshi_stage(tmp_path, rate=0, scripted=False, empty=FED) as stage:
        Trader(stage, 1).place(**FOUR_AT_43)
        bot = Trader(stage, 0)
        bot.place(limit_price=price("0.43"), size=shares("4"), **FOK)
        new = stage.orders()
        hide_lists(new)
        never_sent = an_intent(market_id=MarketId(FED), client_order_id=derive_client_order_id(AttemptId("a-9"), 0, 1))

        assert [f for f in new.fills(never_sent, 0) if f.client_order_id == never_sent.client_order_id] == []


def test_an_execution_of_an_order_that_is_not_shown_either_is_no_proof_that_nothing_was_executed(
    tmp_path: Path,
) -> None:
    with kalshi_stage(tmp_path, rate=0, scripted=False, empty=FED) as stage:
        Trader(stage, 1).place(**FOUR_AT_43)
        old, new = stage.orders(), stage.orders()
        own = derive_client_order_id(AttemptId("a-9"), 0, 0)
        wanted = {"market_id": MarketId(FED), "client_order_id": own, "limit_price": price("0.43")}
        intent = an_intent(**wanted, size=shares("4"), **FOK)
        old.get_ready(stage.venue().markets([MarketId(FED)]))
        assert isinstance(old.place_order(sealed(intent), old.prepare(intent), gate()), Accepted)
        hide_lists(new)
        new._rest.order = lambda _order_id: None

        with pytest.raises(VenueReadError, match="may be any order's"):
            new.fills(intent, 0)
        assert [fill.size for fill in new.fills(None, 0)] == [shares("4")], "a statement tells it all the same"
