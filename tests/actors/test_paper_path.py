"""Frame to decision to paper fills to ledger, through the real actors on one thread."""

from __future__ import annotations

import pytest

from models.config_trading import Execution, Risk
from models.messages import IncidentSeen, OpportunityJudged
from models.rows import AttemptChanged, AttemptOpened, Ending, FillReported, OrderChanged, PaperFilled
from models.signal import SkipReason
from tests.actors.paper_bot import PaperBot
from tests.trading import execution_terms, levels, shares


def test_a_gap_becomes_a_paper_set_in_the_ledger():
    bot = PaperBot()

    bot.show(yes_asks=levels(("0.45", 50)), no_asks=levels(("0.46", 100)))
    bot.run(3)

    [judged] = bot.ledger.of(OpportunityJudged)
    [opened] = bot.ledger.of(AttemptOpened)
    last = bot.ledger.of(AttemptChanged)[-1]
    assert judged.attempt_id == opened.attempt_id == last.attempt_id
    assert last.ending is Ending.SUCCESS
    assert last.filled == shares(10)
    assert last.leg_costs == (4_500_000, 4_600_000)
    assert last.realized_pnl == 900_000
    assert [row.fill.price for row in bot.ledger.of(FillReported)] == [450_000, 460_000]
    assert [row.model for row in bot.ledger.of(PaperFilled)] == ["optimistic", "shifted", "pessimistic"]
    assert all(row.net_pnl == 900_000 for row in bot.ledger.of(PaperFilled))
    assert bot.executor.state_name == "COOLDOWN"
    assert bot.strays == []


def test_after_the_cooldown_the_set_is_idle_and_its_money_counted():
    bot = PaperBot()
    bot.show()

    bot.run(10)

    assert bot.executor.state_name == "IDLE"
    assert bot.executor.in_flight is None
    assert bot.risk.state.reservations == ()
    assert bot.risk.limits[0].used == 9_000_000
    assert bot.risk.limits[1].used == 0, "merged sets are no open positions"


def test_a_gap_that_vanishes_within_the_latency_is_a_miss_and_costs_nothing():
    bot = PaperBot()
    bot.show()
    bot.run(0.1)
    bot.show(yes_asks=levels(("0.60", 50)), no_asks=levels(("0.60", 50)))

    bot.run(3)

    last = bot.ledger.of(AttemptChanged)[-1]
    by_model = {row.model: row for row in bot.ledger.of(PaperFilled)}
    assert last.ending is Ending.MISSED
    assert last.realized_pnl == 0
    assert by_model["optimistic"].net_pnl == 1_000_000
    assert by_model["shifted"].filled == 0
    assert by_model["pessimistic"].net_pnl == 0


def test_one_leg_that_vanishes_is_protected_counted_and_halts():
    bot = PaperBot()
    bot.show(yes_asks=levels(("0.45", 20)), no_asks=levels(("0.45", 100)))
    bot.run(0.3)
    assert bot.executor.state_name == "PLACING_ORDERS", "the thin leg has filled, the other is on its way"
    bot.show(
        yes_bids=levels(("0.43", 100)),
        yes_asks=levels(("0.45", 100)),
        no_bids=levels(("0.40", 100)),
        no_asks=levels(("0.70", 100)),
    )

    bot.run(3)

    last = bot.ledger.of(AttemptChanged)[-1]
    assert last.ending is Ending.PARTIAL
    assert last.realized_pnl == -200_000, "bought at 0.45, sold back at 0.43"
    assert [i.kind for i in bot.ledger.of(IncidentSeen)] == ["partial"]
    assert "partial fill" in bot.gate.trips[0]


def test_while_halted_opportunities_are_recorded_and_refused():
    bot = PaperBot()
    bot.gate.trip("operator", "console")

    bot.show()
    bot.run(1)

    [judged] = bot.ledger.of(OpportunityJudged)
    assert judged.refusal is SkipReason.HALTED
    assert judged.attempt_id is None
    assert bot.ledger.of(AttemptOpened) == []


def test_halt_scope_market_leaves_the_others_trading():
    bot = PaperBot(risk=Risk(halt_scope="market"))
    bot.show(yes_asks=levels(("0.45", 20)))
    bot.run(0.3)
    bot.show(no_asks=levels(("0.70", 100)))

    bot.run(3)

    assert bot.gate.trips == []
    assert list(bot.gate.market_halts) == ["m1"]


def test_what_a_paper_order_took_is_not_taken_twice_while_the_level_stands():
    bot = PaperBot(terms=execution_terms(merges=True, attempts=1), risk=Risk(duplicate_window_seconds=0))
    bot.show(yes_asks=levels(("0.45", 15)), no_asks=levels(("0.45", 100)))

    bot.run(3)
    bot.tick()
    bot.run(7)
    bot.tick()
    bot.run(3)

    assert sum(row.filled for row in bot.ledger.of(AttemptChanged) if row.ending is not None) == shares(15)


def test_a_ledger_that_cannot_commit_ends_the_attempt_without_an_order():
    bot = PaperBot()
    bot.ledger.fails = True

    bot.show()
    bot.run(1)

    last = bot.ledger.of(AttemptChanged)[-1]
    assert last.ending is Ending.REJECTED
    assert bot.ledger.of(OrderChanged) == [], "an order that was never committed has no row"
    assert bot.risk.state.reservations == ()


@pytest.mark.parametrize("seed", range(20))
def test_every_schedule_of_the_actors_gives_the_same_end(seed):
    bot = PaperBot(seed=seed, execution=Execution(order_size=10))
    bot.show(yes_asks=levels(("0.45", 50)), no_asks=levels(("0.46", 100)))

    bot.run(10)

    last = bot.ledger.of(AttemptChanged)[-1]
    assert (last.ending, last.filled, last.realized_pnl) == (Ending.SUCCESS, shares(10), 900_000)


def test_an_order_that_is_called_off_before_it_has_arrived_fills_nothing():
    """A paper latency above the order timeout."""
    bot = PaperBot(latency_ms=9_000)
    bot.show()

    bot.run(30)

    assert bot.ledger.of(FillReported) == []
    assert bot.ledger.of(AttemptChanged)[-1].ending is Ending.MISSED
    assert bot.gate.trips == []
    assert bot.executor.state_name in ("COOLDOWN", "IDLE")
