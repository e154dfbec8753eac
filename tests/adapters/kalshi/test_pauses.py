"""The end of a pause that the stream has told to nobody."""

from __future__ import annotations

import os

from actors.simulation import EPOCH_NS, SimClock
from adapters.kalshi.dialect import make_exchange
from adapters.kalshi.dialect.face import KalshiFace
from adapters.kalshi.dialect.members import make_member
from adapters.kalshi.lifecycle import Lifecycles, Standing
from adapters.simulated.exchange import Setup
from models.market import MarketStatus
from tests.sim.dialect_kalshi import BASE, _data, _fresh_member
from tests.sim.dialect_wire import CatalogWire


def test_what_is_thought_to_be_paused_is_looked_up_with_every_book() -> None:
    members = [_fresh_member(), make_member("other", os.urandom)]
    setup = Setup(seed=1, start=EPOCH_NS, rate=0, scripted=False)
    exchange = make_exchange(setup, 3, members, 0)
    wire, clock = CatalogWire(BASE, KalshiFace(), exchange), SimClock()
    data = _data(wire, clock)
    paused, other = (one.market.market_id for one in exchange.listings.all[:2])

    def announce(status: MarketStatus) -> None:
        exchange.engine.announce(exchange.engine.listings[paused], status, "", EPOCH_NS)

    announce(MarketStatus.PAUSED)
    markets = data.markets([paused, other])
    assert [book.status for book in data.get_snapshot_rest(markets, 1, clock)] == [MarketStatus.PAUSED, None]
    announce(MarketStatus.OPEN)
    assert [book.status for book in data.get_snapshot_rest(markets, 2, clock)] == [MarketStatus.OPEN, None]


def test_what_was_known_before_a_connection_is_older_than_any_answer() -> None:
    exchange = make_exchange(Setup(seed=1, start=EPOCH_NS, rate=0, scripted=False), 2, [_fresh_member()], 0)
    markets = [one.market for one in exchange.listings.all]
    (said,) = Lifecycles(markets, 2, Standing(paused={markets[0].market_id})).paused_now()
    assert (said.market_id, said.status, said.at) == (markets[0].market_id, MarketStatus.PAUSED, 0)
