"""What is written about attempts that no executor owns, when their markets pay."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.clock import BootNs
from models.market import MarketId, Outcome, SetId
from models.messages import MarketResolved
from models.money import MICRO, MicroUsd
from models.orders import AttemptId
from models.rows import Ending
from models.sets import SetLeg
from models.strangers import Stranger, merged, pay_out
from tests.trading import WALL, shares

PAIR = Stranger(
    attempt_id=AttemptId("a-1"),
    set_id=SetId("m1"),
    legs=(SetLeg(MarketId("m1"), Outcome.YES), SetLeg(MarketId("m1"), Outcome.NO)),
    ending=Ending.SUCCESS,
    was_partial=False,
    bought=(shares(10), shares(10)),
    gone=(shares(0), shares(0)),
    leg_costs=(MicroUsd(4_500_000), MicroUsd(5_000_000)),
    fees=MicroUsd(100_000),
    fees_known=True,
    cash_back=MicroUsd(0),
)
BASKET = replace(
    PAIR, legs=(SetLeg(MarketId("m1"), Outcome.NO), SetLeg(MarketId("m2"), Outcome.NO)), set_id=SetId("basket")
)


def resolved(market: str, yes_pays: int) -> MarketResolved:
    return MarketResolved(MarketId(market), {MICRO: Outcome.YES, 0: Outcome.NO}.get(yes_pays), yes_pays, BootNs(0))


@pytest.mark.parametrize("yes_pays", [0, 333_333, 500_000, MICRO])
def test_a_pair_pays_a_dollar_a_set_whatever_happens(yes_pays):
    settled, changed = pay_out(PAIR, resolved("m1", yes_pays), WALL)

    assert (settled.yes_size, settled.no_size, settled.cash) == (shares(10), shares(10), 10_000_000)
    assert (changed.ending, changed.realized_pnl, changed.open_position) == (Ending.SUCCESS, 400_000, False)


def test_a_basket_is_held_until_its_last_market_has_paid():
    first, open_still = pay_out(BASKET, resolved("m1", 0), WALL)
    assert (first.no_size, first.cash) == (shares(10), 10_000_000)
    assert (open_still.open_position, open_still.realized_pnl) == (True, None)

    later = replace(BASKET, gone=(shares(10), shares(0)), cash_back=first.cash)
    last, closed = pay_out(later, resolved("m2", MICRO), WALL)
    assert (last.no_size, last.cash) == (shares(10), 0)
    assert (closed.open_position, closed.realized_pnl) == (False, 400_000)
    assert pay_out(later, resolved("m1", 0), WALL) == (), "a market pays once"


def test_a_half_set_that_was_cut_off_ends_as_a_partial_with_what_it_was_worth():
    half = replace(
        PAIR,
        ending=None,
        bought=(shares(10), shares(0)),
        leg_costs=(MicroUsd(4_500_000), MicroUsd(0)),
        fees=MicroUsd(0),
    )

    lost = pay_out(half, resolved("m1", 0), WALL)[1]
    won = pay_out(half, resolved("m1", MICRO), WALL)[1]

    assert (lost.ending, lost.filled, lost.realized_pnl) == (Ending.PARTIAL, 0, -4_500_000)
    assert (won.ending, won.realized_pnl) == (Ending.PARTIAL, 5_500_000)


def test_profit_is_unknown_while_a_fee_is():
    changed = pay_out(replace(PAIR, fees_known=False), resolved("m1", MICRO), WALL)[1]

    assert changed.realized_pnl is None
    assert changed.open_position is False


def test_a_merge_of_everything_closes_it_and_one_of_a_part_does_not():
    settled, changed = merged(PAIR, shares(10), WALL)
    assert (settled.kind, settled.cash, changed.realized_pnl) == ("merge", 10_000_000, 400_000)

    part = merged(PAIR, shares(4), WALL)[1]
    assert (part.open_position, part.realized_pnl) == (True, None)


def test_another_market_concerns_nobody():
    assert pay_out(PAIR, resolved("m9", MICRO), WALL) == ()
