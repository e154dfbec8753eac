"""What the bot relies on from any venue's private side. A third venue adds one stage and passes the rest unchanged.

Everything goes through the port, over real sockets, against a venue whose audit must come out even in the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from adapters.registry import ORDERS
from adapters.venue import VenueReadError, VenueReadRefusedError
from models.fees import taker_fee
from models.market import Action, Outcome
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros
from models.order_life import OrderFact, OrderLife, Phase, fold
from models.orders import (
    Accepted,
    CancelResult,
    FillState,
    OrderNotFound,
    OrderSeen,
    OutcomeUnknown,
    ProbeFailed,
    Refused,
    SubmitAnswer,
    TimeInForce,
    VenueOrderStatus,
)
from tests.polling import until
from tests.threads.orders_stage import CASH, DEAD, STAGES, OrdersStage, gate, listening, sealed, venue_id

LOW = PriceMicros(10_000)


@pytest.fixture(params=sorted(STAGES))
def stage(request: pytest.FixtureRequest) -> Iterator[OrdersStage]:
    with STAGES[request.param]() as running:
        yield running
        assert running.exchange.engine.audit() == []


def test_every_venue_that_trades_has_a_stage() -> None:
    assert set(STAGES) == set(ORDERS)


# -- what becomes of an order


def test_a_take_at_the_ask_fills_and_cash_shares_and_fees_add_up(stage: OrdersStage) -> None:
    intent = stage.intent()
    answer = stage.place(intent)
    assert isinstance(answer, Accepted)
    assert answer.done
    assert answer.filled == intent.size

    life = stage.life(intent, answer)

    assert life.phase is Phase.ENDED
    assert (life.filled, life.unpriced, life.alarms()) == (intent.size, 0, frozenset())
    assert stage.held() == intent.size
    spent = CASH * MICRO - stage.cash()
    assert spent == life.gross() + life.fees(stage.market.fees), "to the micro-dollar"
    worst = taker_fee(stage.market.fees, intent.limit_price, intent.size)
    assert 0 < life.fees(stage.market.fees) <= worst, "what was decided on is the worst case"


def test_no_is_bought_as_yes_is(stage: OrdersStage) -> None:
    intent = stage.intent(outcome=Outcome.NO)
    assert isinstance(stage.place(intent), Accepted)
    assert (stage.held(Outcome.NO), stage.held(Outcome.YES)) == (intent.size, 0)
    assert all(fill.price <= intent.limit_price for fill in stage.fills(intent))


def test_a_take_that_finds_nothing_ends_with_nothing_and_is_no_refusal(stage: OrdersStage) -> None:
    for force in (TimeInForce.IOC, TimeInForce.FOK):
        intent = stage.intent(limit_price=LOW, size=MicroShares(20 * stage.size), time_in_force=force)
        answer = stage.place(intent)
        assert isinstance(answer, Accepted), answer
        assert stage.life(intent, answer).phase is Phase.ENDED
        assert (answer.filled, answer.done) == (0, True)
    assert stage.cash() == CASH * MICRO
    assert stage.held() == 0


def test_all_or_nothing_takes_nothing_where_not_all_is_there(stage: OrdersStage) -> None:
    price, there = stage.ask()
    lots = there // stage.market.lot + 1
    intent = stage.intent(limit_price=price, size=MicroShares(lots * stage.market.lot), time_in_force=TimeInForce.FOK)
    answer = stage.place(intent)
    assert isinstance(answer, Accepted)
    assert (answer.filled, stage.held(), stage.fills(intent)) == (0, 0, [])


def test_what_takes_a_part_has_exactly_that_part(stage: OrdersStage) -> None:
    price, there = stage.ask()
    lots = there // stage.market.lot + 1
    intent = stage.intent(limit_price=price, size=MicroShares(lots * stage.market.lot))
    answer = stage.place(intent)
    life = stage.life(intent, answer)
    assert life.phase is Phase.ENDED
    assert 0 < life.filled < intent.size
    assert stage.held() == life.filled


def test_a_sale_gives_the_shares_back_for_cash(stage: OrdersStage) -> None:
    bought = stage.intent()
    first = stage.life(bought, stage.place(bought))
    sold = stage.intent(action=Action.SELL)
    second = stage.life(sold, stage.place(sold))
    assert second.filled == bought.size
    assert stage.held() == 0
    fees = stage.market.fees
    expected = CASH * MICRO - first.gross() - first.fees(fees) + second.gross() - second.fees(fees)
    assert stage.cash() == expected


def test_a_resting_order_is_seen_sets_cash_aside_and_can_be_cancelled(stage: OrdersStage) -> None:
    intent = stage.intent(limit_price=PriceMicros(stage.bid()[0] - 50_000), time_in_force=TimeInForce.GTC)
    answer = stage.place(intent)
    assert isinstance(answer, Accepted)
    assert (answer.done, answer.filled) == (False, 0)
    (seen,) = stage.orders.open_orders()
    assert (seen.client_order_id, seen.status, seen.filled) == (intent.client_order_id, VenueOrderStatus.LIVE, 0)
    assert stage.cash() == CASH * MICRO - intent.limit_price * intent.size // MICRO
    probed = stage.orders.get_order_status(intent, venue_id(answer))
    assert isinstance(probed, OrderSeen)
    assert probed.status is VenueOrderStatus.LIVE

    cancelled = stage.orders.cancel_order(intent, venue_id(answer))

    assert cancelled.result is CancelResult.CANCELLED
    assert stage.orders.open_orders() == []
    assert stage.cash() == CASH * MICRO
    assert stage.life(intent, answer, cancelled).filled == 0
    again = stage.orders.cancel_order(intent, venue_id(answer))
    assert again.result is CancelResult.GONE, "there is nothing left to cancel: ask, do not assume"


def test_a_cancel_of_what_has_filled_or_never_was_cancels_nothing(stage: OrdersStage) -> None:
    filled, never = stage.intent(), stage.intent()
    answer = stage.place(filled)
    assert stage.orders.cancel_order(filled, venue_id(answer)).result is CancelResult.GONE
    assert stage.orders.cancel_order(never, None).result is CancelResult.GONE
    assert stage.held() == filled.size


# -- what does not become an order


def test_more_than_the_account_can_pay_is_refused_by_the_venue(stage: OrdersStage) -> None:
    intent = stage.intent(size=MicroShares(stage.size * 1_000), time_in_force=TimeInForce.GTC)
    answer = stage.place(intent)
    assert isinstance(answer, Refused), answer
    assert answer.by_venue
    assert answer.code == "insufficient_balance"
    assert stage.orders.open_orders() == []
    assert stage.held() == 0


def test_shares_that_are_not_there_cannot_be_sold(stage: OrdersStage) -> None:
    """Refused, or taken as an order that may only reduce and has nothing to reduce."""
    answer = stage.place(stage.intent(action=Action.SELL))
    if isinstance(answer, Accepted):
        assert (answer.filled, answer.done) == (0, True)
    else:
        assert isinstance(answer, Refused)
        assert answer.by_venue
    assert stage.cash() == CASH * MICRO
    assert (stage.held(), stage.held(Outcome.NO)) == (0, 0)


def test_a_closed_gate_lets_nothing_out_and_is_not_the_venues_refusal(stage: OrdersStage) -> None:
    intent = stage.intent()
    answer = stage.place(intent, granted=False)
    assert isinstance(answer, Refused)
    assert not answer.by_venue
    assert stage.fills(intent) == []
    assert isinstance(stage.orders.get_order_status(intent, None), OrderNotFound)


def test_a_closed_gate_keeps_a_whole_batch(stage: OrdersStage) -> None:
    intents = [stage.intent(), stage.intent()]
    prepared = [stage.orders.prepare(intent) for intent in intents]
    answers = stage.orders.place_orders([sealed(i) for i in intents], prepared, gate(granted=False))
    assert all(isinstance(answer, Refused) and not answer.by_venue for answer in answers)
    assert stage.held() == 0


def test_a_venue_that_is_gone_was_never_sent_anything(stage: OrdersStage) -> None:
    dead = stage.again(DEAD)
    intent = stage.intent()
    with pytest.raises(VenueReadError):
        dead.open_orders()
    with pytest.raises(VenueReadError):
        dead.balances()
    with pytest.raises(VenueReadError):
        dead.positions()
    assert isinstance(dead.get_order_status(intent, None), ProbeFailed)
    assert dead.cancel_order(intent, None).result is CancelResult.UNKNOWN


def test_an_order_that_was_never_sent_is_found_nowhere(stage: OrdersStage) -> None:
    intent = stage.intent()
    found = stage.orders.get_order_status(intent, None)
    assert isinstance(found, OrderNotFound)
    assert stage.fills(intent) == []
    assert stage.orders.open_orders() == []


@pytest.mark.parametrize("lever", ["rate_limited", "refuse"])
def test_a_refusal_leaves_nothing_behind(stage: OrdersStage, lever: str) -> None:
    stage.pull(lever)
    intent = stage.intent()
    answer = stage.place(intent)
    assert isinstance(answer, Refused), answer
    assert answer.by_venue
    assert stage.held() == 0


def test_a_restarting_venue_takes_nothing_and_answers_no_question(stage: OrdersStage) -> None:
    intent = stage.intent()
    prepared = stage.orders.prepare(intent)
    warm = stage.place(stage.intent())
    assert isinstance(warm, Accepted)
    stage.pull("restart", **{"for": "2s", "post_only": "20s"})
    until(lambda: stage.exchange.unavailable, "it restarts")
    answer = stage.orders.place_order(sealed(intent), prepared, gate())
    assert not isinstance(answer, Accepted)
    with pytest.raises(VenueReadError):
        stage.orders.open_orders()
    until(lambda: not stage.exchange.unavailable, "the venue is back")
    assert stage.fills(intent) == []
    answers: list[SubmitAnswer] = []

    def refused_by_the_venue() -> bool:
        """A venue that asked for a pause is not even asked before that is over."""
        answers.append(stage.place(stage.intent(limit_price=PriceMicros(990_000))))
        return isinstance(answers[-1], Refused) and answers[-1].by_venue

    until(refused_by_the_venue, "the venue says what it thinks of a take")
    assert isinstance(answers[-1], Refused)
    assert answers[-1].code in ("post_only", "exchange_paused")


# -- what nobody knows


@pytest.mark.parametrize(
    ("lever", "more"),
    [
        ("ack_lost", {}),
        ("timeout_after_accept", {"delay": "300ms"}),
        ("error_after_accept", {}),
        ("truncated_json", {}),
        ("html_body", {}),
    ],
)
def test_a_lost_answer_is_unknown_and_the_order_is_found_by_its_own_name(
    stage: OrdersStage, lever: str, more: dict[str, str]
) -> None:
    stage.pull(lever, **more)
    intent = stage.intent()
    answer = stage.place(intent)
    assert isinstance(answer, OutcomeUnknown), answer

    found = stage.again().get_order_status(intent, None)

    assert isinstance(found, OrderSeen), "also by a process that never sent it"
    assert (found.status, found.filled) == (VenueOrderStatus.DONE, intent.size)
    assert stage.life(intent, answer, found).phase is Phase.ENDED
    assert stage.held() == intent.size


@pytest.mark.parametrize(
    ("lever", "more"), [("timeout_before_accept", {"delay": "300ms"}), ("error_before_accept", {})]
)
def test_a_lost_order_is_unknown_until_two_sources_deny_it(
    stage: OrdersStage, lever: str, more: dict[str, str]
) -> None:
    stage.pull(lever, **more)
    intent = stage.intent()
    answer = stage.place(intent)
    assert isinstance(answer, OutcomeUnknown)
    found = stage.orders.get_order_status(intent, None)
    assert isinstance(found, OrderNotFound)
    assert stage.life(intent, answer, found).phase is Phase.UNKNOWN
    elsewhere = OrderNotFound(client_order_id=intent.client_order_id, source="executions")
    assert stage.life(intent, answer, found, elsewhere).phase is Phase.ENDED


def test_an_order_that_hides_is_not_shown_and_then_is(stage: OrdersStage) -> None:
    stage.pull("late_visibility", delay="700ms")
    stage.pull("ack_lost")
    intent = stage.intent()
    assert isinstance(stage.place(intent), OutcomeUnknown)
    assert isinstance(stage.orders.get_order_status(intent, None), OrderNotFound)
    until(lambda: isinstance(stage.orders.get_order_status(intent, None), OrderSeen), "the order is visible")
    assert stage.held() == intent.size


def test_the_same_intent_sent_twice_is_one_order(stage: OrdersStage) -> None:
    intent = stage.intent()
    assert isinstance(stage.place(intent), Accepted)
    again = stage.place(intent)
    assert isinstance(again, OutcomeUnknown), "the first of that name may well be alive"
    assert stage.held() == intent.size


# -- batches


def test_a_batch_is_answered_in_its_order_and_each_order_stands_alone(stage: OrdersStage) -> None:
    intents = [
        stage.intent(),
        stage.intent(size=MicroShares(stage.size * 1_000), time_in_force=TimeInForce.GTC),
        stage.intent(limit_price=LOW, size=MicroShares(20 * stage.size)),
        stage.intent(outcome=Outcome.NO),
    ]
    assert stage.orders.capabilities.batch_max >= len(intents)
    prepared = [stage.orders.prepare(intent) for intent in intents]
    answers = stage.orders.place_orders([sealed(i) for i in intents], prepared, gate())
    assert [type(answer) for answer in answers] == [Accepted, Refused, Accepted, Accepted]
    assert [answer.client_order_id for answer in answers] == [intent.client_order_id for intent in intents]
    kept = 0 if stage.orders.capabilities.netting else stage.size
    assert (stage.held(Outcome.YES), stage.held(Outcome.NO)) == (kept, kept)


def test_a_batch_without_an_answer_leaves_every_order_unknown(stage: OrdersStage) -> None:
    stage.pull("ack_lost")
    intents = [stage.intent(), stage.intent(outcome=Outcome.NO)]
    prepared = [stage.orders.prepare(intent) for intent in intents]
    answers = stage.orders.place_orders([sealed(i) for i in intents], prepared, gate())
    assert [type(answer) for answer in answers] == [OutcomeUnknown, OutcomeUnknown]
    for intent in intents:
        found = stage.orders.get_order_status(intent, None)
        assert isinstance(found, OrderSeen)
        assert found.filled == intent.size


# -- executions, wherever they are heard of


def test_the_stream_and_the_reads_tell_the_same_whatever_comes_first(stage: OrdersStage) -> None:
    with listening(stage) as listener:
        intent = stage.intent()
        answer = stage.place(intent)
        until(lambda: bool(listener.facts(intent)), "the stream tells of the order")
        until(lambda: all(f.state is FillState.FINAL for f in stage.fills(intent)), "the trade is final")
        until(lambda: stage_final(listener.facts(intent)), "the stream says so, too")
        facts = [*listener.facts(intent), *stage.fills(intent)]
    assert isinstance(answer, Accepted)
    told = {(f.venue_trade_id, f.size, f.price) for f in facts if hasattr(f, "venue_trade_id")}
    shown = {(f.venue_trade_id, f.size, f.price) for f in stage.fills(intent)}
    assert told == shown
    lives = set()
    for order in itertools.islice(itertools.permutations(facts), 200):
        life = OrderLife(intent=intent, patience_ns=0, horizon_ns=0)
        for fact in (*order, answer, order[0]):
            life = fold(life, fact, stage.clock.boot_ns())
        lives.add((life.phase, life.filled, life.provisional, life.gross(), life.alarms()))
    spent = sum(fill.price * fill.size for fill in stage.fills(intent)) // MICRO
    assert lives == {(Phase.ENDED, intent.size, False, spent, frozenset())}


def stage_final(facts: list[OrderFact]) -> bool:
    return any(getattr(fact, "state", None) is FillState.FINAL for fact in facts)


def test_fills_are_provisional_first_and_final_after_settlement(stage: OrdersStage) -> None:
    intent = stage.intent()
    stage.place(intent)
    if not stage.settles_later:
        assert {fill.state for fill in stage.fills(intent)} == {FillState.FINAL}
        return
    assert {fill.state for fill in stage.fills(intent)} == {FillState.PROVISIONAL}
    until(lambda: {fill.state for fill in stage.fills(intent)} == {FillState.FINAL}, "settled")


def test_a_reversed_fill_says_so_and_gives_everything_back(stage: OrdersStage) -> None:
    if not stage.settles_later:
        pytest.skip("executions of this venue are final")
    stage.pull("reverse_fill", delay="400ms")
    with listening(stage) as listener:
        intent = stage.intent()
        answer = stage.place(intent)
        until(lambda: {fill.state for fill in stage.fills(intent)} == {FillState.REVERSED}, "undone")
        until(
            lambda: any(getattr(f, "state", None) is FillState.REVERSED for f in listener.facts(intent)),
            "the stream says so, too",
        )
    life = stage.life(intent, answer)
    assert life.filled == 0
    assert (stage.held(), stage.cash()) == (0, CASH * MICRO)


def test_what_the_stream_loses_the_reads_still_tell(stage: OrdersStage) -> None:
    stage.pull("user_drop", count=20)
    with listening(stage) as listener:
        intent = stage.intent()
        answer = stage.place(intent)
        until(lambda: {fill.state for fill in stage.fills(intent)} == {FillState.FINAL}, "settled")
        assert listener.facts(intent) == []
    assert stage.life(intent, answer).filled == intent.size


def test_a_stream_that_breaks_comes_back_for_the_next_order(stage: OrdersStage) -> None:
    with listening(stage) as listener:
        stage.pull("close", stream="user", code=1006)
        until(lambda: listener.states.count("live") == 2, "reconnected")
        until(stage.heard, "logged in again")
        intent = stage.intent()
        stage.place(intent)
        until(lambda: stage_final(listener.facts(intent)), "the next order is heard of")


def test_all_executions_since_a_time_are_listed_with_our_own_names(stage: OrdersStage) -> None:
    intents = [stage.intent(), stage.intent(outcome=Outcome.NO)]
    for intent in intents:
        stage.place(intent)
    listed = stage.orders.fills(None, 0)
    assert {fill.client_order_id for fill in listed} == {intent.client_order_id for intent in intents}
    assert sum(fill.size for fill in listed) == sum(intent.size for intent in intents)
    times = [fill.exchange_ms or 0 for fill in listed]
    assert times == sorted(times)
    assert stage.orders.fills(None, max(times) + 5_000) == []


def test_cash_is_spent_on_what_was_bought_and_nothing_else(stage: OrdersStage) -> None:
    lives = []
    for outcome in (Outcome.YES, Outcome.NO, Outcome.YES):
        intent = stage.intent(outcome=outcome)
        lives.append(stage.life(intent, stage.place(intent)))
    spent = sum(life.gross() + life.fees(stage.market.fees) for life in lives)
    netted = stage.size if stage.orders.capabilities.netting else 0
    assert stage.cash() == MicroUsd(CASH * MICRO - spent + netted)


def test_merging_is_done_or_refused_as_the_venue_declares(stage: OrdersStage) -> None:
    for outcome in Outcome:
        stage.place(stage.intent(outcome=outcome))
    if not stage.orders.capabilities.merge:
        with pytest.raises(VenueReadRefusedError):
            stage.orders.merge(stage.market.market_id, stage.size)
        return
    before = stage.cash()
    assert stage.orders.merge(stage.market.market_id, stage.size) == stage.size
    assert stage.cash() == before + stage.size
    assert (stage.held(), stage.held(Outcome.NO)) == (0, 0)


def test_nothing_that_is_printed_shows_a_secret(stage: OrdersStage) -> None:
    shown = f"{stage.orders!r} {stage.orders!s}"
    for name, secret in stage.secrets.items():
        assert len(secret) < 8 or secret not in shown, name
