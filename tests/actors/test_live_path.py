"""Live trading through the real actors and the real lane calls, against a venue that refuses, loses answers and hides.

One thread, virtual time, a seed per run. Whatever the venue does, in the end both legs are held alike, nothing was sent
twice, and the ledger's cash is the venue's to the micro-dollar.
"""

from __future__ import annotations

import random
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from actors.simulation import SimClock
from adapters.order_calls import OrderCalls
from adapters.venue import VenueReadError
from models.clock import MS, SECOND
from models.config_trading import KillSwitch, Risk, Window
from models.market import Action
from models.messages import CancelOrder, CommitIntents, IncidentSeen, MergeSets, ProbeOrder, SendOrders
from models.money import MicroUsd, PriceMicros
from models.orders import (
    Accepted,
    CancelAnswer,
    CancelResult,
    Fill,
    FillState,
    OrderIntent,
    OrderNotFound,
    OrderSeen,
    OutcomeUnknown,
    Purpose,
    Refused,
    VenueOrderId,
    VenueOrderStatus,
    commit_seal,
)
from models.rows import AttemptChanged, Ending, FillReported
from models.sets import LegPolicy
from tests.actors.paper_bot import PaperBot
from tests.fake_orders import FakeOrders
from tests.trading import execution_terms, levels, shares

CALM = Risk(
    halt_on_partial_fill=False,
    duplicate_window_seconds=0,
    max_open_positions=1000,
    max_daily_notional="100000",
    max_orders_per_minute=6000,
    kill_switch_conditions=KillSwitch(
        partials=Window(count=10_000, minutes=1), rejects=Window(count=10_000, minutes=1)
    ),
)


@dataclass
class Kept:
    """One order as the venue knows it."""

    intent: OrderIntent
    filled: int
    visible_from: int
    fills: list[Fill] = field(default_factory=list)


class Venue(FakeOrders):
    """Executes at the displayed price, as much as its dice say, and misbehaves at the given rates."""

    def __init__(self, clock: SimClock, dice: random.Random, *, trouble: float) -> None:
        super().__init__()
        self.clock, self.dice, self.trouble = clock, dice, trouble
        self.kept: dict[str, Kept] = {}
        self.cash = 0
        self.held: Counter = Counter()
        self.happened: Counter = Counter()

    def unlucky(self, what: str) -> bool:
        hit = self.dice.random() < self.trouble
        self.happened[what] += hit
        return hit

    def place_orders(self, committed, prepared, gate):
        with gate() as granted:
            if not granted:
                return [self.refusal(c.intent, "gate_closed", by_venue=False) for c in committed]
            return [self.one(c.intent) for c in committed]

    def refusal(self, intent, code, *, by_venue=True):
        return Refused(client_order_id=intent.client_order_id, code=code, text="", by_venue=by_venue)

    def one(self, intent: OrderIntent):
        own = intent.client_order_id
        assert own not in self.kept, "one intent led to two orders (I3)"
        self.sent.append(own)
        if self.unlucky("lost before the venue"):
            return OutcomeUnknown(client_order_id=own, why="connection reset")
        if self.unlucky("refused"):
            return self.refusal(intent, "funds")
        self.execute(intent)
        if self.unlucky("answer lost"):
            return OutcomeUnknown(client_order_id=own, why="timeout")
        kept = self.kept[own]
        return Accepted(
            client_order_id=own, venue_order_id=VenueOrderId(f"v-{own}"), filled=shares(kept.filled), done=True
        )

    def execute(self, intent: OrderIntent) -> None:
        wanted = intent.size // 1_000_000
        filled = self.dice.randrange(wanted + 1) if self.unlucky("filled in part") else wanted
        hidden = 4 * SECOND if self.unlucky("invisible at first") else 0
        kept = Kept(intent, filled, self.clock.now + hidden)
        self.kept[intent.client_order_id] = kept
        sign = 1 if intent.action is Action.BUY else -1
        self.held[intent.leg] += sign * filled
        displayed = {(0, 1): 450_000, (1, 1): 460_000, (0, -1): 430_000, (1, -1): 440_000}[intent.leg, sign]
        price = min(displayed, intent.limit_price) if sign == 1 else max(displayed, intent.limit_price)
        left = filled
        while left:
            size = self.dice.randint(1, left)
            left -= size
            fee = self.dice.randrange(1000)
            self.cash -= sign * price * size + fee
            kept.fills.append(
                Fill(
                    venue_trade_id=f"t-{intent.client_order_id}-{left}",
                    client_order_id=intent.client_order_id,
                    venue_order_id=VenueOrderId(f"v-{intent.client_order_id}"),
                    size=shares(size),
                    price=PriceMicros(price),
                    fee=MicroUsd(fee),
                    state=FillState.FINAL,
                    exchange_ms=0,
                )
            )

    def seen(self, own: str) -> Kept | None:
        kept = self.kept.get(own)
        return kept if kept is not None and kept.visible_from <= self.clock.now else None

    def get_order_status(self, intent, venue_order_id):
        if self.unlucky("read failed"):
            raise VenueReadError("503")
        kept = self.seen(intent.client_order_id)
        if kept is None:
            return OrderNotFound(client_order_id=intent.client_order_id, source="orders")
        return OrderSeen(
            client_order_id=intent.client_order_id,
            venue_order_id=VenueOrderId(f"v-{intent.client_order_id}"),
            status=VenueOrderStatus.DONE,
            filled=shares(kept.filled),
        )

    def fills(self, intent, since_ms):
        kept = self.seen(intent.client_order_id)
        return list(kept.fills) if kept else []

    def cancel_order(self, intent, venue_order_id):
        return CancelAnswer(client_order_id=intent.client_order_id, result=CancelResult.GONE)

    def merge(self, market_id, size):
        pairs = size // 1_000_000
        assert min(self.held[0], self.held[1]) >= pairs
        self.held.subtract({0: pairs, 1: pairs})
        self.cash += size
        return MicroUsd(size)


class SimLanes:
    """The lanes' own calls on the simulator's clock: every answer takes its seeded time."""

    def __init__(self, clock: SimClock, dice: random.Random) -> None:
        self.clock, self.dice = clock, dice
        self.calls: OrderCalls | None = None
        self.commits: list[OrderIntent] = []

    def tell(self, message) -> None:
        assert self.calls is not None
        match message:
            case SendOrders():
                sealed = [replace(c, row_hash=commit_seal(c.intent, c.ledger_seq)) for c in message.committed]
                groups = [sealed] if message.together else [[one] for one in sealed]
                for group in groups:
                    self.later(lambda g=group: self.calls.submit(g))
            case CancelOrder():
                self.later(lambda: self.calls.cancel(message))
            case ProbeOrder():
                self.later(lambda: self.calls.probe(message))
            case MergeSets():
                self.later(lambda: self.calls.merge(message))

    def later(self, run) -> None:
        self.clock.call_after(self.dice.randrange(1, 80) * MS, run)


class OpenGate:
    def __init__(self, gate) -> None:
        self.gate = gate
        self.opened_while_halted = 0

    @contextmanager
    def enter_opening(self, market_ids):
        yield self.gate.tripped is None

    @contextmanager
    def enter_protective(self):
        yield True

    def trip(self, reason, by):
        self.gate.trip(reason, by)


def a_bot(seed: int, *, trouble: float, risk: Risk = CALM, policy=LegPolicy.THIN_LEG_FIRST):
    terms = replace(execution_terms(merges=True, policy=policy, horizon_s=5, max_unwind_loss="0.50"), mode="live")
    dice = random.Random(seed)
    lanes = SimLanes(SimClock(), dice)
    bot = PaperBot(terms, seed=seed, risk=risk, lanes=lanes)
    lanes.clock = bot.clock
    venue = Venue(bot.clock, dice, trouble=trouble)
    lanes.calls = OrderCalls(venue, OpenGate(bot.gate), bot.clock, bot.routes)
    return bot, venue, dice


def trade(bot: PaperBot, seconds: int) -> None:
    for _ in range(seconds):
        bot.show(
            yes_bids=levels(("0.43", 500)),
            yes_asks=levels(("0.45", 50)),
            no_bids=levels(("0.44", 500)),
            no_asks=levels(("0.46", 100)),
        )
        bot.tick()
        bot.run(1)


def settle(bot: PaperBot, venue: Venue) -> None:
    """No new gap and no more trouble: everything that is under way comes to its end (I18)."""
    venue.trouble = 0
    for _ in range(180):
        bot.show(
            yes_bids=levels(("0.43", 500)),
            yes_asks=levels(("0.56", 50)),
            no_bids=levels(("0.44", 500)),
            no_asks=levels(("0.56", 100)),
        )
        bot.run(1)
        if bot.executor.state_name == "IDLE":
            return
    raise AssertionError(f"still {bot.executor.state_name}")


def assert_books_balance(bot: PaperBot, venue: Venue) -> None:
    ended = [row for row in bot.ledger.of(AttemptChanged) if row.ending is not None]
    assert venue.held[0] == venue.held[1] == 0, f"naked at the venue: {venue.held}"
    assert sum(row.realized_pnl or 0 for row in ended) == venue.cash
    told = {row.fill.venue_trade_id: row.fill.size for row in bot.ledger.of(FillReported)}
    true = {fill.venue_trade_id: fill.size for kept in venue.kept.values() for fill in kept.fills}
    assert told == true
    committed = [i.client_order_id for m in bot.ledger.of(CommitIntents) for i in m.intents]
    assert len(set(venue.sent)) == len(venue.sent)
    assert set(venue.sent) <= set(committed)
    assert bot.strays == []
    assert bot.risk.state.reservations == ()


@pytest.mark.parametrize("policy", LegPolicy)
def test_without_trouble_every_set_completes(policy):
    bot, venue, _ = a_bot(1, trouble=0, policy=policy)

    trade(bot, 60)
    settle(bot, venue)

    assert_books_balance(bot, venue)
    endings = Counter(row.ending for row in bot.ledger.of(AttemptChanged) if row.ending)
    assert endings.keys() == {Ending.SUCCESS}
    assert endings[Ending.SUCCESS] >= 8
    assert venue.cash == endings[Ending.SUCCESS] * 900_000 - sum(
        fill.fee for kept in venue.kept.values() for fill in kept.fills
    )


@pytest.mark.parametrize("policy", LegPolicy)
@pytest.mark.parametrize("seed", range(25))
def test_whatever_the_venue_does_both_legs_end_alike_and_the_ledger_is_the_venue(seed, policy):
    bot, venue, _ = a_bot(seed, trouble=0.25, policy=policy)

    trade(bot, 40)
    bot.gate.resume()
    settle(bot, venue)

    assert_books_balance(bot, venue)


def test_the_runs_above_reach_every_kind_of_trouble_and_every_ending():
    happened: Counter = Counter()
    endings: Counter = Counter()
    incidents: Counter = Counter()
    for seed in range(25):
        bot, venue, _ = a_bot(seed, trouble=0.25)
        trade(bot, 40)
        bot.gate.resume()
        settle(bot, venue)
        happened += venue.happened
        endings += Counter(row.ending for row in bot.ledger.of(AttemptChanged) if row.ending)
        incidents += Counter(m.kind for m in bot.ledger.of(IncidentSeen))

    assert all(count >= 5 for count in happened.values()), happened
    assert len(happened) == 6
    assert set(endings) == set(Ending)
    assert incidents["partial"] >= 10
    assert incidents["reject"] >= 10


def test_by_default_the_first_partial_halts_is_protected_and_nothing_opens_any_more():
    for seed in range(40):
        bot, venue, _ = a_bot(seed, trouble=0.3, risk=replace_risk(halt_on_partial_fill=True))
        trade(bot, 40)
        settle(bot, venue)
        assert_books_balance(bot, venue)
        if not bot.gate.trips:
            continue
        first = next(i for i, m in enumerate(bot.ledger.heard) if isinstance(m, IncidentSeen) and m.kind == "partial")
        later = [m for m in bot.ledger.heard[first:] if isinstance(m, CommitIntents)]
        assert all(intent.purpose is not Purpose.OPEN for m in later for intent in m.intents)
        return
    raise AssertionError("no seed had a partial fill")


def replace_risk(**changes) -> Risk:
    return CALM.model_copy(update=changes)


def test_one_seed_is_one_run():
    def trace(seed: int) -> str:
        bot, _, _ = a_bot(seed, trouble=0.25)
        trade(bot, 20)
        return bot.sim.trace.digest()

    assert trace(3) == trace(3)
    assert trace(3) != trace(4)
