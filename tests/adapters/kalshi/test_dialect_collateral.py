"""Collateral return in the dialect: what is certain comes back at once, and is taken from the payouts (10.2)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulated.faults import parse_plan
from models.money import parse_micros
from tests.adapters.kalshi.counter import FED, Counter
from tests.factories import usd

CUP = ("KXSIMVOTE-28-RED", "KXSIMVOTE-28-GREEN", "KXSIMVOTE-28-BLUE")
"""Free of fees, on shard 2."""


def an_event(*, switched_on: bool = True) -> Counter:
    counter = Counter()
    for ticker in (*CUP, FED):
        counter.empty(ticker)
    told = counter.ask("PUT", "/portfolio/subaccounts/netting", {"subaccount_number": 0, "enabled": switched_on})
    assert told.body["netting_configs"][0]["enabled"] is switched_on
    return counter


def buy_no(counter: Counter, ticker: str, no_price: str, size: str = "1.00") -> None:
    yes = f"{1 - float(no_price):.4f}"
    counter.rest("bid", yes, size, ticker=ticker)
    told = counter.order("ask", yes, size, ticker=ticker)
    assert told.body["fill_count"] == size


def spent(counter: Counter) -> int:
    return usd("100") - usd(counter.cash(shard=2))


def resolve(counter: Counter, ticker: str, yes_pays: str) -> None:
    plan = parse_plan({"levers": [{"lever": "resolve", "market": ticker, "yes_pays": yes_pays}]})
    counter.exchange.pull(plan.levers[0], counter.now)
    counter.pass_ms(1)


def test_the_sheets_example_ties_up_thirty_cents() -> None:
    """NO at 0.60 and NO at 0.70 pay a dollar whatever happens."""
    counter = an_event()
    buy_no(counter, CUP[0], "0.60")
    assert spent(counter) == usd("0.60")
    buy_no(counter, CUP[1], "0.70")

    assert spent(counter) == usd("0.30")
    assert counter.audit() == []


def test_switched_off_everything_stays_tied_up_until_it_is_resolved() -> None:
    counter = an_event(switched_on=False)
    buy_no(counter, CUP[0], "0.60")
    buy_no(counter, CUP[1], "0.70")

    assert spent(counter) == usd("1.30")


def test_no_more_comes_back_than_was_spent() -> None:
    """Two NO for 0.95 are certain to pay a dollar: nothing is tied up, and the profit waits for the resolution."""
    counter = an_event()
    buy_no(counter, CUP[0], "0.45")
    buy_no(counter, CUP[1], "0.50")

    assert spent(counter) == 0


def test_unequal_sizes_count_by_the_worst_case() -> None:
    """Three of one and one of the other: should the first resolve YES, only the second pays."""
    counter = an_event()
    buy_no(counter, CUP[0], "0.60", "3.00")
    buy_no(counter, CUP[1], "0.70")

    assert spent(counter) == usd("2.50") - usd("1.00")


def test_a_single_market_returns_nothing() -> None:
    counter = an_event()
    counter.rest("bid", "0.4000", "1.00")
    counter.order("ask", "0.4000", "1.00")

    assert usd(counter.cash()) < usd("99.41")


@pytest.mark.parametrize("winner", [None, *CUP])
def test_in_the_end_everybody_has_what_the_positions_paid(winner: str | None) -> None:
    counter = an_event()
    for ticker, at in zip(CUP, ("0.60", "0.65", "0.70"), strict=True):
        buy_no(counter, ticker, at, "2.00")
    assert spent(counter) == 0, "1.95 a set buys two dollars at least"

    for ticker in CUP:
        resolve(counter, ticker, "1.00" if ticker == winner else "0.00")
        assert parse_micros(counter.cash(shard=2)) >= usd("100"), "nothing is taken back that was not paid out"

    paid = 2 * usd("3" if winner is None else "2")
    assert spent(counter) == 2 * usd("1.95") - paid
    assert counter.audit() == []


def test_legs_whose_cash_is_back_are_not_given_up_any_more() -> None:
    counter = an_event()
    buy_no(counter, CUP[0], "0.60")
    buy_no(counter, CUP[1], "0.70")
    counter.rest("ask", "0.4000", "1.00", ticker=CUP[0])

    told = counter.order("bid", "0.4000", "1.00", ticker=CUP[0])

    assert (told.status, told.body["error"]["details"]) == (400, "COLLATERAL_RETURNED")


BUYS = st.lists(st.tuples(st.integers(0, 2), st.integers(30, 90), st.integers(1, 5)), min_size=1, max_size=8)


@given(BUYS, st.sampled_from([None, 0, 1, 2]))
@settings(max_examples=25)
def test_whatever_is_bought_the_cash_never_runs_below_what_is_owed(
    buys: list[tuple[int, int, int]], winner: int | None
) -> None:
    counter = an_event()
    cost = held = 0
    won = [0, 0, 0]
    for leg, cents, size in buys:
        buy_no(counter, CUP[leg], f"0.{cents:02d}", f"{size}.00")
        cost += cents * size * 10_000
        won[leg] += size
        held += size
        assert 0 <= spent(counter) <= cost
    for number, ticker in enumerate(CUP):
        resolve(counter, ticker, "1.00" if number == winner else "0.00")
    paid = held - (0 if winner is None else won[winner])

    assert spent(counter) == cost - paid * 1_000_000
    assert counter.audit() == []
