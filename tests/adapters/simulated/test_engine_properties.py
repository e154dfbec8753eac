"""Whatever anybody orders: nothing appears, nothing vanishes, nothing crosses at rest, both views of a book agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from adapters.simulated.engine import Rules
from adapters.simulated.orders import LevelsChanged, Treatment, VenueOrder
from adapters.simulated.settlement import SettlementError, merge, settle_due, split
from models.book import NO_ASK, NO_BID, YES_ASK, YES_BID, Change
from models.market import Action, BookModel, Outcome
from models.money import MICRO
from models.orders import TimeInForce
from tests.adapters.simulated.venue_stage import FEES, MARKET, Stage, a_stage

NAMES: Final = ("ann", "bob", "cid")
SIDES: Final = (YES_BID, YES_ASK, NO_BID, NO_ASK)


@dataclass(frozen=True)
class Act:
    kind: str
    account: str
    outcome: Outcome
    action: Action
    cents: int
    lots: int
    tif: TimeInForce
    reverse: bool


ACTS = st.builds(
    Act,
    kind=st.sampled_from(["order"] * 8 + ["cancel", "cancel", "split", "merge"]),
    account=st.sampled_from(NAMES),
    outcome=st.sampled_from(Outcome),
    action=st.sampled_from(Action),
    cents=st.integers(35, 65),
    lots=st.integers(1, 5_000),
    tif=st.sampled_from(TimeInForce),
    reverse=st.booleans(),
)
FLOWS = st.lists(ACTS, max_size=60)
MODELS = st.sampled_from(BookModel)


def perform(stage: Stage, act: Act) -> None:
    stage.now += 1
    exchange = stage.exchange
    shares = act.lots / 100
    treatment = Treatment(settlement_ns=3, reverse=act.reverse)
    if act.kind == "order":
        stage.order(act.account, act.outcome, act.action, act.cents, shares, act.tif, treatment=treatment)
    elif act.kind == "cancel":
        mine = [client_id for name, client_id in exchange.orders if name == act.account]
        if mine:
            exchange.cancel(act.account, mine[act.lots % len(mine)], stage.now)
    else:
        try:
            (split if act.kind == "split" else merge)(exchange, act.account, MARKET, act.lots * 10_000, stage.now)
        except SettlementError:
            pass  # not affordable: nothing changed, which the audit proves
    settle_due(exchange, stage.now)


def a_flow(model: BookModel) -> Stage:
    stage = a_stage(model, rules=Rules(settlement_ns=2), fees=FEES, accounts=NAMES)
    for name in NAMES:
        split(stage.exchange, name, MARKET, 200 * MICRO, 0)
    stage.exchange.drain()
    return stage


@given(MODELS, FLOWS)
def test_money_and_shares_are_conserved_after_every_act(model: BookModel, flow: list[Act]) -> None:
    stage = a_flow(model)

    for act in flow:
        perform(stage, act)
        assert stage.exchange.audit() == []


@given(FLOWS)
def test_both_outcomes_of_a_unified_book_mirror_each_other(flow: list[Act]) -> None:
    stage = a_flow(BookModel.UNIFIED)
    listing = stage.exchange.listings[MARKET]

    for act in flow:
        perform(stage, act)
        assert {(MICRO - p, s) for p, s in listing.levels(YES_BID)} == set(listing.levels(NO_ASK))
        assert {(MICRO - p, s) for p, s in listing.levels(YES_ASK)} == set(listing.levels(NO_BID))


@given(MODELS, FLOWS)
def test_the_changes_that_are_told_rebuild_the_book(model: BookModel, flow: list[Act]) -> None:
    stage = a_flow(model)
    told: list[dict[int, int]] = [{}, {}, {}, {}]

    for act in flow:
        perform(stage, act)
        for side, price, size in changes_of(stage):
            if size:
                told[side][price] = size
            else:
                told[side].pop(price, None)

    listing = stage.exchange.listings[MARKET]
    assert [tuple(sorted(levels.items())) for levels in told] == [tuple(sorted(listing.levels(s))) for s in SIDES]


@given(MODELS, FLOWS)
def test_no_order_fills_beyond_its_size_or_its_limit(model: BookModel, flow: list[Act]) -> None:
    stage = a_flow(model)

    for act in flow:
        perform(stage, act)

    for trade in stage.exchange.trades:
        for party in trade.parties:
            request = party.order.request
            worse = party.price > request.price if request.action is Action.BUY else party.price < request.price
            assert not worse
    for order in stage.exchange.orders.values():
        done = sum(t.size for t in stage.exchange.trades for party in t.parties if party.order is order)
        assert done == order.filled <= order.request.size


@given(MODELS, FLOWS)
def test_the_same_flow_gives_the_same_exchange(model: BookModel, flow: list[Act]) -> None:
    def outcome() -> object:
        stage = a_flow(model)
        for act in flow:
            perform(stage, act)
        exchange = stage.exchange
        return exchange.drain(), exchange.journal, [(a.cash, a.shares) for a in exchange.accounts.values()]

    assert outcome() == outcome()


@given(MODELS, FLOWS)
def test_reservations_are_exactly_what_rests(model: BookModel, flow: list[Act]) -> None:
    stage = a_flow(model)

    for act in flow:
        perform(stage, act)

    live = [o for o in stage.exchange.orders.values() if isinstance(o, VenueOrder) and o.state == "live"]
    for name, account in stage.exchange.accounts.items():
        bids = [o for o in live if o.account == name and o.request.action is Action.BUY]
        assert account.reserved_cash == sum(o.request.price * o.remaining // MICRO for o in bids)
        for outcome in Outcome:
            asks = [o for o in live if o.account == name and o.request.action is Action.SELL]
            resting = sum(o.remaining for o in asks if o.request.outcome is outcome)
            assert account.reserved_shares.get((MARKET, outcome), 0) == resting


def changes_of(stage: Stage) -> list[Change]:
    return [c for h in stage.exchange.drain() if isinstance(h, LevelsChanged) for c in h.changes]
