"""After the match: provisional and final, reversals, merging, resolution, and what reads may see of it."""

from __future__ import annotations

import pytest

from adapters.simulated import reads
from adapters.simulated.engine import Rules
from adapters.simulated.orders import FillChanged, Treatment
from adapters.simulated.settlement import SettlementError, merge, resolve, settle_due, split
from models.market import BookModel, MarketStatus
from models.money import MICRO
from models.orders import FillState
from tests.adapters.simulated.venue_stage import BUY, FEES, IOC, MARKET, NO, SELL, YES, Stage, a_stage


def a_stage_with_an_ask(rules: Rules | None = None, cents: int = 40, *, model: BookModel = BookModel.SEPARATE) -> Stage:
    stage = a_stage(model, rules=rules, fees=FEES)
    split(stage.exchange, "ann", MARKET, 100 * MICRO, 0)
    stage.placed("ann", YES, SELL, cents, 50)
    return stage


def states_told_to(stage: Stage, account: str) -> list[FillState]:
    return [h.state for h in stage.exchange.drain() if isinstance(h, FillChanged) and h.account == account]


def test_a_fill_is_provisional_until_its_settlement_time() -> None:
    stage = a_stage_with_an_ask(Rules(settlement_ns=100))
    stage.placed("bob", YES, BUY, 40, 10, IOC)

    settle_due(stage.exchange, 99)
    assert states_told_to(stage, "bob") == [FillState.PROVISIONAL]
    settle_due(stage.exchange, 100)
    assert states_told_to(stage, "bob") == [FillState.FINAL]
    settle_due(stage.exchange, 200)
    assert states_told_to(stage, "bob") == []


def test_without_a_delay_a_fill_is_final_at_once() -> None:
    stage = a_stage_with_an_ask()
    stage.placed("bob", YES, BUY, 40, 10, IOC)

    assert states_told_to(stage, "bob") == [FillState.FINAL]
    assert stage.exchange.unsettled == []


def test_a_reversal_gives_everything_back_to_the_micro_dollar() -> None:
    stage = a_stage_with_an_ask()
    before = {name: (account.cash, dict(account.shares)) for name, account in stage.exchange.accounts.items()}
    stage.placed("bob", YES, BUY, 40, 10, IOC, treatment=Treatment(settlement_ns=100, reverse=True))
    assert stage.cash("bob") != before["bob"][0]

    settle_due(stage.exchange, 100)

    assert {n: (a.cash, dict(a.shares)) for n, a in stage.exchange.accounts.items()} == before
    assert stage.exchange.fees_collected == 0
    assert stage.exchange.audit() == []
    assert states_told_to(stage, "bob") == [FillState.PROVISIONAL, FillState.REVERSED]


def test_the_reversal_of_a_made_set_unmakes_it() -> None:
    stage = a_stage(BookModel.UNIFIED)
    stage.placed("ann", NO, BUY, 60)
    stage.placed("bob", YES, BUY, 40, 10, IOC, treatment=Treatment(settlement_ns=1, reverse=True))

    settle_due(stage.exchange, 1)

    assert stage.exchange.listings[MARKET].sets == 0
    assert stage.exchange.audit() == []


def test_a_trade_whose_shares_have_moved_on_cannot_be_reversed() -> None:
    stage = a_stage_with_an_ask()
    stage.placed("bob", YES, BUY, 40, 10, IOC, treatment=Treatment(settlement_ns=100, reverse=True))
    stage.placed("cid", YES, BUY, 30, 10)
    stage.placed("bob", YES, SELL, 30, 10, IOC)

    settle_due(stage.exchange, 100)

    assert stage.exchange.trades[0].state is FillState.FINAL
    assert stage.exchange.audit() == []


def test_unsettled_shares_cannot_be_sold_or_merged_where_the_rules_say_so() -> None:
    stage = a_stage_with_an_ask(Rules(settlement_ns=100, spend_unsettled=False))
    split(stage.exchange, "bob", MARKET, 10 * MICRO, 0)
    stage.placed("bob", YES, BUY, 40, 10, IOC)

    assert stage.refused("bob", YES, SELL, 50, 11) == "insufficient_position"
    with pytest.raises(SettlementError):
        merge(stage.exchange, "bob", MARKET, 11 * MICRO, 0)
    settle_due(stage.exchange, 100)
    stage.placed("bob", YES, SELL, 50, 11)


def test_a_merge_turns_a_set_into_a_dollar() -> None:
    stage = a_stage()
    split(stage.exchange, "ann", MARKET, 100 * MICRO, 0)

    cash = merge(stage.exchange, "ann", MARKET, 30 * MICRO, 0)

    assert cash == 30 * MICRO
    assert (stage.cash("ann"), stage.shares("ann", YES), stage.shares("ann", NO)) == (930 * MICRO, 70, 70)
    assert stage.exchange.audit() == []


def test_shares_that_are_for_sale_cannot_be_merged() -> None:
    stage = a_stage()
    split(stage.exchange, "ann", MARKET, 100 * MICRO, 0)
    stage.placed("ann", YES, SELL, 60, 80)

    with pytest.raises(SettlementError):
        merge(stage.exchange, "ann", MARKET, 21 * MICRO, 0)
    assert merge(stage.exchange, "ann", MARKET, 20 * MICRO, 0) == 20 * MICRO


@pytest.mark.parametrize(("yes_pays", "for_yes"), [(MICRO, 40), (0, 0), (500_000, 20)])
def test_resolution_pays_every_holder_and_leaves_nothing(yes_pays: int, for_yes: int) -> None:
    stage = a_stage_with_an_ask(Rules(settlement_ns=100))
    stage.placed("bob", YES, BUY, 40, 40, IOC)
    bob_before = stage.cash("bob")

    resolve(stage.exchange, MARKET, yes_pays, 50)

    assert stage.cash("bob") - bob_before == for_yes * MICRO
    listing = stage.exchange.listings[MARKET]
    assert (listing.status, listing.sets, stage.shares("bob", YES)) == (MarketStatus.RESOLVED, 0, 0)
    assert stage.exchange.unsettled == [], "trades become final first"
    assert stage.exchange.audit() == []


def test_an_order_and_its_effects_are_invisible_until_its_time() -> None:
    stage = a_stage_with_an_ask(Rules(visibility_ns=100))
    exchange = stage.exchange
    order = stage.placed("bob", YES, BUY, 40, 10, IOC)
    client_id = order.request.client_order_id

    assert reads.order_seen(exchange, "bob", client_id, 99) is None
    assert reads.fills(exchange, "bob", 99) == []
    assert reads.positions(exchange, "bob", 99) == {}
    assert reads.cash(exchange, "bob", 99) == (1_000 * MICRO, 1_000 * MICRO)

    assert reads.order_seen(exchange, "bob", client_id, 100) is order
    assert [fill.size for fill in reads.fills(exchange, "bob", 100)] == [10 * MICRO]
    assert reads.positions(exchange, "bob", 100) == {(MARKET, YES): 10 * MICRO}
    assert reads.cash(exchange, "bob", 100)[0] == stage.cash("bob")


def test_an_account_sees_nothing_of_another() -> None:
    stage = a_stage_with_an_ask()
    order = stage.placed("bob", YES, BUY, 40, 10, IOC)

    assert reads.order_seen(stage.exchange, "cid", order.request.client_order_id, 0) is None
    assert reads.fills(stage.exchange, "cid", 0) == []
    assert [o.account for o in reads.open_orders(stage.exchange, "ann", 0)] == ["ann"]


def test_a_statement_adds_up_to_the_balances() -> None:
    stage = a_stage_with_an_ask(Rules(settlement_ns=10))
    stage.placed("bob", YES, BUY, 40, 10, IOC, treatment=Treatment(settlement_ns=5, reverse=True))
    stage.placed("bob", YES, BUY, 40, 20, IOC)
    settle_due(stage.exchange, 10)
    split(stage.exchange, "bob", MARKET, 5 * MICRO, 11)
    merge(stage.exchange, "bob", MARKET, 3 * MICRO, 12)
    resolve(stage.exchange, MARKET, MICRO, 13)

    for account in stage.exchange.accounts.values():
        assert sum(entry.cash for entry in account.statement) == account.cash
        assert sum(entry.shares for entry in account.statement) == sum(account.shares.values()) == 0
