"""polymarket.md 15.3: the two golden properties that are no vectors. The vectors are in test_book_hash, test_amounts,
test_signing, test_order_bodies and test_catalog beside this file.
"""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.polymarket.dialect import books, make_exchange
from adapters.polymarket.dialect.exchange import PolymarketExchange
from adapters.polymarket.dialect.wallets import Wallets, make_wallet
from adapters.simulated.orders import OrderRequest
from models.clock import SECOND
from models.config_machine import WalletType
from models.market import Action, MarketId, Outcome
from models.money import MICRO, MicroShares, PriceMicros
from models.orders import TimeInForce

START = 1_795_334_400 * SECOND
EVENT = ("summit-geneva", "summit-vienna", "summit-oslo")

moves = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(Outcome),
        st.sampled_from(Action),
        st.integers(1, 99),
        st.integers(1, 60),
        st.sampled_from(TimeInForce),
    ),
    min_size=1,
    max_size=25,
)


def an_exchange() -> PolymarketExchange:
    entropy = random.Random(1).randbytes
    wallets = Wallets([make_wallet(name, WalletType.EOA, entropy) for name in ("bob", "eve")])
    return make_exchange(wallets, start=START, rate=0, scripted=False)


def after(flow: list[tuple[int, Outcome, Action, int, int, TimeInForce]]) -> PolymarketExchange:
    """An event's markets after a flow of orders, on books that were empty but for the crowd's quotes."""
    exchange = an_exchange()
    ids = [one.condition_id for one in exchange.listed.all if one.slug in EVENT]
    for number, (leg, outcome, action, cents, shares, force) in enumerate(flow):
        request = OrderRequest(
            client_order_id=f"0x{number:064x}",
            market_id=MarketId(ids[leg]),
            outcome=outcome,
            action=action,
            price=PriceMicros(cents * 10_000),
            size=MicroShares(shares * MICRO),
            time_in_force=force,
        )
        exchange.submit(("bob", "eve")[number % 2], request, START + number)
    return exchange


@given(moves)
@settings(max_examples=40, deadline=None)
def test_15_3_1_no_is_the_mirror_of_yes_after_any_order_flow(flow) -> None:
    exchange = after(flow)
    for one in exchange.listed.all:
        market_id = MarketId(one.condition_id)
        listing, tape = exchange.engine.listings[market_id], exchange.tapes[market_id]
        yes, no = (books.book(one, listing, tape, outcome) for outcome in Outcome)

        def mirrored(levels) -> list[tuple[int, str]]:
            return [(MICRO - round(float(level.price) * MICRO), level.size) for level in levels]

        def plain(levels) -> list[tuple[int, str]]:
            return [(round(float(level.price) * MICRO), level.size) for level in levels]

        assert plain(no.asks) == mirrored(yes.bids)
        assert plain(no.bids) == mirrored(yes.asks)
        if yes.bids and yes.asks:
            assert float(yes.bids[-1].price) < float(yes.asks[-1].price), "never crossed"
    assert exchange.engine.audit() == []


@given(moves)
@settings(max_examples=40, deadline=None)
def test_15_3_2_a_basket_of_no_is_cheap_exactly_where_the_yes_bids_sum_above_a_dollar(flow) -> None:
    exchange = after(flow)
    listings = [exchange.engine.listings[MarketId(o.condition_id)] for o in exchange.listed.all if o.slug in EVENT]
    no_asks = [listing.best(books.SIDES[Outcome.NO][1]) for listing in listings]
    yes_bids = [listing.best(books.SIDES[Outcome.YES][0]) for listing in listings]
    if None in no_asks:
        assert None in yes_bids
        return
    assert (sum(a or 0 for a in no_asks) < (len(listings) - 1) * MICRO) == (sum(b or 0 for b in yes_bids) > MICRO)
