"""Lock-up: how long the money of a set is away, and what it earns per dollar and day while it is."""

from __future__ import annotations

from models.clock import DAY
from models.lockup import lockup
from tests.models.test_report import T0, an_attempt


def test_time_is_weighted_by_capital_and_profit_is_per_dollar_and_day():
    day = an_attempt(1, opened=T0, changed=T0 + DAY, cost=1_000_000, fees=0, realized=10_000)
    ten_days = an_attempt(2, opened=T0, changed=T0 + 10 * DAY, cost=3_000_000, fees=0, realized=30_000)

    found = lockup([day, ten_days], T0 + 99 * DAY)

    assert found.returned == 2
    assert found.returned_ns == (DAY + 30 * DAY) // 4
    assert found.per_dollar_day == 40_000 // 31
    assert (found.held, found.held_ns) == (0, None)


def test_what_is_held_has_an_age_and_no_profit_yet():
    held = an_attempt(1, opened=T0, changed=T0 + 5, realized=None)

    found = lockup([held], T0 + 3 * DAY)

    assert (found.held, found.held_ns) == (1, 3 * DAY)
    assert (found.returned, found.returned_ns, found.per_dollar_day) == (0, None, None)
    assert lockup([held], None).held == 0


def test_accidents_and_attempts_without_capital_are_no_lockup():
    missed = an_attempt(1, "missed", 0, cost=0, fees=0)
    unwound = an_attempt(2, "partial", -50_000)

    assert lockup([missed, unwound], T0).returned == 0


def test_money_that_is_back_at_once_earns_no_rate():
    at_once = an_attempt(1, opened=T0, changed=T0)

    assert lockup([at_once], T0).per_dollar_day is None
