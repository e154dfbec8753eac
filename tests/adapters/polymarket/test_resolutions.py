"""What a market paid, for a bot that was away when the stream said it."""

from __future__ import annotations

from adapters.polymarket.adapter import PolymarketVenue
from adapters.polymarket.dialect import make_exchange
from adapters.polymarket.dialect.face import PolymarketFace
from adapters.polymarket.dialect.wallets import Wallets
from adapters.simulated.settlement import resolve
from adapters.venue import Resolves
from models.market import MarketStatus
from models.money import MICRO
from tests.sim.dialect_polymarket import BASE, _data
from tests.sim.dialect_wire import CatalogWire

START = 1_795_334_400_000_000_000


def test_the_catalog_tells_the_payout_of_closed_markets_with_a_winner_and_of_no_others() -> None:
    exchange = make_exchange(Wallets([]), start=START, markets=6, rate=0, scripted=False)
    data: PolymarketVenue = _data(CatalogWire(BASE, PolymarketFace(), exchange), None)
    assert isinstance(data, Resolves)
    won, lost, closed, still_open, *_ = [one.market.market_id for one in exchange.listed.all]
    resolve(exchange.engine, won, MICRO, START)
    resolve(exchange.engine, lost, 0, START)
    exchange.engine.announce(exchange.engine.listings[closed], MarketStatus.CLOSED, "", START)
    assert data.resolutions([won, lost, closed, still_open]) == {won: MICRO, lost: 0}
