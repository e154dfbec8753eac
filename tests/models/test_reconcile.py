"""The comparison of ledger and venue: one table of what may differ, what it is called, and what it leads to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.clock import WallNs
from models.market import Action, MarketId, Outcome, SetId, VenueName
from models.money import MicroShares, MicroUsd
from models.order_life import Phase
from models.orders import (
    AttemptId,
    ClientOrderId,
    Fill,
    FillState,
    OrderIntent,
    OrderSeen,
    Purpose,
    TimeInForce,
    VenueOrderId,
    VenueOrderStatus,
)
from models.reconcile import Compared, FindingKind, HeldSets, LedgerSide, VenueSide, compare, opening_findings
from models.recovery import StoredOrder
from tests.trading import SHARE, price, shares

OPENED = WallNs(1_000_000_000_000_000_000)
AFTER_MS = 1_000_000_000_500
BEFORE_MS = 999_999_999_000

INTENT = OrderIntent(
    client_order_id=ClientOrderId("c-1"),
    attempt_id=AttemptId("a-1"),
    set_id=SetId("m1"),
    venue=VenueName("simulated"),
    market_id=MarketId("m1"),
    leg=0,
    outcome=Outcome.YES,
    action=Action.BUY,
    limit_price=price("0.45"),
    size=shares(10),
    time_in_force=TimeInForce.IOC,
    purpose=Purpose.OPEN,
)
FILL = Fill(
    venue_trade_id="t-1",
    client_order_id=INTENT.client_order_id,
    venue_order_id=VenueOrderId("v-1"),
    size=shares(10),
    price=price("0.45"),
    fee=MicroUsd(0),
    state=FillState.FINAL,
    exchange_ms=AFTER_MS,
)
ORDER = StoredOrder(
    intent=INTENT,
    phase=Phase.ENDED,
    venue_order_id=VenueOrderId("v-1"),
    filled=shares(10),
    refusal=None,
    by_venue=True,
    sent_at=None,
    acked_at=None,
    detail="",
    fills=(FILL,),
)
YES, NO = ("m1", "YES"), ("m1", "NO")


def resting(
    client: str | None = "c-1", venue: str = "v-1", status: VenueOrderStatus = VenueOrderStatus.LIVE
) -> OrderSeen:
    named = None if client is None else ClientOrderId(client)
    return OrderSeen(client_order_id=named, venue_order_id=VenueOrderId(venue), status=status, filled=MicroShares(0))


def ledger(**changes) -> LedgerSide:
    side = LedgerSide(
        as_of=9, opened_at=OPENED, cash=MicroUsd(95_500_000), positions={YES: 10 * SHARE}, orders=(ORDER,)
    )
    return replace(side, **changes)


def venue(**changes) -> VenueSide:
    side = VenueSide(cash=MicroUsd(95_500_000), positions={YES: 10 * SHARE}, open_orders=(), fills=(FILL,))
    return replace(side, **changes)


def kinds(compared: Compared) -> list[str]:
    return [finding.kind.value for finding in compared.findings]


def test_two_sides_that_agree_leave_nothing_to_say():
    compared = compare(ledger(), venue())

    assert compared.equal
    assert compared.positions_equal is True
    assert (compared.cash_ledger, compared.cash_venue) == (95_500_000, 95_500_000)


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ({}, {"cash": MicroUsd(95_500_001)}, ["drift"]),
        ({}, {"positions": {YES: 10 * SHARE, NO: 1}}, ["drift"]),
        ({}, {"positions": {}}, ["drift"]),
        ({"positions": {}}, {"positions": {YES: 0}}, []),
        ({"orders": (replace(ORDER, fills=()),)}, {}, ["missed"]),
        ({"orders": ()}, {}, ["outside"]),
        ({}, {"fills": (replace(FILL, state=FillState.REVERSED),)}, ["missed"]),
        ({}, {"fills": (replace(FILL, fee=MicroUsd(5)),)}, ["missed"]),
        ({}, {"fills": (replace(FILL, size=shares(9)),)}, ["missed"]),
        ({}, {"fills": (replace(FILL, state=FillState.PROVISIONAL),)}, []),
        ({}, {"open_orders": (resting(),)}, ["orphan"]),
        ({}, {"open_orders": (resting(None),)}, ["orphan"]),
        ({}, {"open_orders": (resting(status=VenueOrderStatus.DONE),)}, []),
        ({"orders": (replace(ORDER, phase=Phase.LIVE),)}, {"open_orders": (resting(),)}, []),
        ({}, {"open_orders": (resting("c-9", "v-9"),)}, ["outside"]),
        ({}, {"open_orders": (resting(None, "v-9"),)}, ["outside"]),
    ],
)  # fmt: skip
def test_what_differs_is_called_by_its_name(ours, theirs, found):
    assert kinds(compare(ledger(**ours), venue(**theirs))) == found


def test_an_execution_from_before_the_account_was_opened_is_nobodys_business():
    old = replace(FILL, client_order_id=ClientOrderId("by hand"), venue_order_id=None, exchange_ms=BEFORE_MS)

    assert compare(ledger(), venue(fills=(FILL, old))).equal
    assert kinds(compare(ledger(), venue(fills=(replace(old, exchange_ms=None),)))) == ["outside"]


def test_an_execution_that_only_names_the_venues_order_is_told_under_our_own_name():
    nameless = replace(FILL, client_order_id=ClientOrderId("?"))

    compared = compare(ledger(orders=(replace(ORDER, fills=()),)), venue(fills=(nameless,)))

    assert [(order, fill.client_order_id) for order, fill in compared.missed] == [
        (replace(ORDER, fills=()), INTENT.client_order_id)
    ]


def test_markets_in_flight_and_the_cash_are_left_out():
    theirs = venue(cash=MicroUsd(1), positions={YES: 0, ("m2", "YES"): 5})

    compared = compare(ledger(), theirs, {MarketId("m1")})

    assert kinds(compared) == ["drift"]
    assert "m2" in compared.findings[0].text
    assert compared.cash_venue is None
    assert compare(ledger(), venue(cash=MicroUsd(1), positions={}), {MarketId("m1")}).positions_equal is None


def test_nothing_is_compared_before_the_account_has_been_opened():
    compared = compare(ledger(opened_at=None, cash=None, positions={}, orders=()), venue())

    assert compared.equal
    assert compared.positions_equal is None


@pytest.mark.parametrize(
    ("held", "gone", "back", "merged"),
    [
        ((10,), (10, 10), 10, ["a-0"]),
        ((10, 10), (10, 10), 10, ["a-0"]),
        ((7, 3, 10), (13, 13), 13, ["a-1", "a-2"]),
        ((7, 4), (10, 10), 10, None),  # no choice of attempts adds up
        ((10,), (10, 9), 10, None),  # a merge takes both outcomes alike
        ((10,), (10, 10), 9.5, None),  # sold, not merged
        ((), (10, 10), 10, None),
    ],
)
def test_a_merge_whose_answer_was_lost_explains_shares_and_cash_to_the_micro_dollar(held, gone, back, merged):
    all_held = tuple(
        HeldSets(attempt_id=AttemptId(f"a-{i}"), market_id=MarketId("m1"), size=shares(size))
        for i, size in enumerate(held)
    )
    ours = ledger(positions={YES: shares(30), NO: shares(30)}, held=all_held)
    theirs = venue(
        positions={YES: shares(30 - gone[0]), NO: shares(30 - gone[1])}, cash=MicroUsd(95_500_000 + shares(back))
    )

    compared = compare(ours, theirs)

    if merged is None:
        assert set(kinds(compared)) == {"drift"}
    else:
        assert [one.attempt_id for one in compared.merged] == merged
        assert set(kinds(compared)) == {"merged"}


def test_an_account_that_holds_something_when_a_ledger_begins_looks_like_a_lost_ledger():
    assert opening_findings(venue(positions={}, open_orders=())) == ()
    found = opening_findings(venue(open_orders=(resting(),)))
    assert [finding.kind for finding in found] == [FindingKind.HELD, FindingKind.OUTSIDE]


def test_each_kind_of_finding_halts_or_refuses_as_its_table_says():
    assert {kind for kind in FindingKind if not kind.halts} == {FindingKind.MISSED, FindingKind.UNREAD}
    assert {kind for kind in FindingKind if not kind.refuses} == {FindingKind.MISSED, FindingKind.HELD}


def test_a_market_that_resolved_while_nobody_listened_explains_its_positions():
    theirs = venue(positions={}, cash=MicroUsd(105_500_000), resolved={MarketId("m1"): 1_000_000})

    compared = compare(ledger(), theirs)

    assert kinds(compared) == ["paid"]
    assert compared.paid == (("m1", 1_000_000),)
    assert compared.differing == ("m1",)
    assert kinds(compare(ledger(), replace(theirs, positions={YES: 10 * SHARE}))) == ["drift"], "only a difference asks"
