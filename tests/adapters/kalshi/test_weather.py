"""Whether the exchange trades: how long a yes counts, and how long a no."""

from __future__ import annotations

import pytest

from actors.simulation import SimClock
from adapters.kalshi.rest import ExchangeStatus
from adapters.kalshi.weather import NO_VALID_NS, VALID_NS, Weather
from adapters.venue import VenueReadError


class Exchange:
    """Says what a test says, and counts the questions."""

    def __init__(self) -> None:
        self.trading: bool | None = True
        self.asked = 0

    def status(self) -> ExchangeStatus:
        self.asked += 1
        if self.trading is None:
            raise VenueReadError("no answer")
        return ExchangeStatus(exchange_active=True, trading_active=self.trading)


@pytest.mark.parametrize(("trading", "valid_ns"), [(True, VALID_NS), (False, NO_VALID_NS)])
def test_the_last_word_counts_for_its_time_and_no_longer(trading: bool, valid_ns: int) -> None:
    clock, exchange = SimClock(), Exchange()
    weather = Weather(clock, exchange.status)
    exchange.trading = trading

    assert (weather.problem(0) is None) is trading
    clock.now += valid_ns - 1
    exchange.trading = not trading
    assert (weather.problem(0) is None) is trading
    assert exchange.asked == 1
    clock.now += 1
    assert (weather.problem(0) is None) is not trading
    assert exchange.asked == 2


def test_a_venue_that_cannot_be_asked_is_no_yes() -> None:
    clock, exchange = SimClock(), Exchange()
    weather = Weather(clock, exchange.status)
    exchange.trading = None

    pause = weather.problem(0)

    assert pause is not None
    assert pause.code == "unknown"
