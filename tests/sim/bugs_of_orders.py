"""Bugs in what is sent, in what is learned of it, and in how a half set is mended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from actors.executor import ExecutorActor
from actors.ledger import LedgerActor
from adapters import order_calls
from adapters.simulated import trading
from models import legs, order_life, protection, set_rules, set_steps, set_turn, tradeset
from models.attempt import Attempt
from models.messages import CancelOrder, FillSeen, IntentsCommitted, SendOrders
from models.order_life import OrderLife
from models.orders import (
    CancelResult,
    ClientOrderId,
    CommittedIntent,
    FillState,
    OrderSeen,
    OutcomeUnknown,
    Refused,
    commit_seal,
)
from models.set_events import StartTimer
from models.set_state import Idle, TimerName, Timers
from tests.sim.planting import Patch, bug, rule

# -- sending


@bug("I1", "I3")
def resends_with_a_new_id() -> list[Patch]:
    whole = order_calls.OrderCalls.answer

    def answer(self: Any, committed: Any, answers: Any, passage: Any) -> None:
        whole(self, committed, answers, passage)
        for one, said in zip(committed, answers, strict=True):
            if isinstance(said, OutcomeUnknown):
                again = replace(one.intent, client_order_id=ClientOrderId(one.intent.client_order_id[:-2] + "zz"))
                sealed = replace(one, intent=again, row_hash=commit_seal(again, one.ledger_seq))
                self._orders.place_order(sealed, self._orders.prepare(again), self._gate.enter_protective)

    return [(order_calls.OrderCalls, "answer", answer)]


@bug("I3")
def resends_with_the_same_id() -> list[Patch]:
    whole = order_calls.OrderCalls._place

    def place(self: Any, committed: Any, gate: Any) -> Any:
        answers = whole(self, committed, gate)
        if isinstance(answers[0], OutcomeUnknown):
            return whole(self, committed, self._gate.enter_protective)
        return answers

    return [(order_calls.OrderCalls, "_place", place)]


@bug("I1")
def sends_before_it_commits() -> list[Patch]:
    def commit(self: Any, message: Any) -> None:
        made = tuple(
            CommittedIntent(intent=intent, ledger_seq=1, row_hash=commit_seal(intent, 1)) for intent in message.intents
        )
        self._lanes.tell(SendOrders(attempt_id=message.attempt_id, committed=made, together=message.together))
        self._executors.tell(IntentsCommitted(attempt_id=message.attempt_id, committed=made))
        self._clock.call_after(
            20_000_000, lambda: self._writer.commit(message.intents, message.rows, self._clock.wall_ns())
        )

    return [(LedgerActor, "_commit", commit)]


@bug("I3", "I8", "I2", under=("reply_never", "reply_lost"))
def takes_a_timeout_for_a_rejection() -> list[Patch]:
    whole = order_calls.OrderCalls.answer

    def answer(self: Any, committed: Any, answers: Any, passage: Any) -> None:
        whole(
            self, committed, [_refused(said) if isinstance(said, OutcomeUnknown) else said for said in answers], passage
        )

    def _refused(said: OutcomeUnknown) -> Refused:
        return Refused(client_order_id=said.client_order_id, code="timeout", text=said.why)

    return [(order_calls.OrderCalls, "answer", answer)]


@bug("I3", "I4", "I8", under=("late_visibility", "request_late"))
def trusts_absence_at_once() -> list[Patch]:
    def denied(self: OrderLife) -> bool:
        return self.committed_at is not None and len(self.not_shown) >= 1

    return [(OrderLife, "denied", property(denied))]


@bug("I8", "I13", "I3", "I2", under=("fill_before_cancel", "cancel_timeout"))
def believes_a_cancel_that_was_gone() -> list[Patch]:
    whole = trading.SimulatedOrders.cancel_order

    def cancel(self: Any, intent: Any, venue_order_id: Any) -> Any:
        said = whole(self, intent, venue_order_id)
        return replace(said, result=CancelResult.CANCELLED) if said.result is CancelResult.GONE else said

    def ended(self: OrderLife) -> Any:
        return order_life.Phase.ENDED if self.finished else _phase(self)

    _phase = OrderLife.phase.fget  # type: ignore[attr-defined]
    return [(trading.SimulatedOrders, "cancel_order", cancel), (OrderLife, "phase", property(ended))]


# -- facts


@bug("I8", under=("request_very_late", "user_delay"))
def forgets_late_fills() -> list[Patch]:
    whole = set_rules.learn

    def learn(record: Any, event: Any, turn: Any) -> Any:
        return record if isinstance(event, FillSeen) and _over(record, event) else whole(record, event, turn)

    def _over(record: Any, event: FillSeen) -> bool:
        known = [] if isinstance(record, Idle) else [getattr(record, "attempt", None)]
        return not any(a is not None and a.knows(event.fill.client_order_id) for a in known)

    return rule(whole, learn)


@bug("I8", "I13", "I3")
def books_a_fill_twice() -> list[Patch]:
    whole = order_life._join_fill

    def join(life: OrderLife, fill: Any) -> OrderLife:
        if any(f.venue_trade_id == fill.venue_trade_id for f in life.fills):
            fill = replace(fill, venue_trade_id=f"{fill.venue_trade_id}+{len(life.fills)}")
        return whole(life, fill)

    return [(order_life, "_join_fill", join)]


@bug("I8", "I5", under=("reverse_fill",))
def ignores_reversals() -> list[Patch]:
    whole = order_life._join_fill

    def join(life: OrderLife, fill: Any) -> OrderLife:
        return whole(life, replace(fill, state=FillState.FINAL) if fill.state is FillState.REVERSED else fill)

    return [(order_life, "_join_fill", join)]


@bug("I8", "I13", "I3", "I18")
def adds_totals_as_if_they_were_parts() -> list[Patch]:
    whole = order_life._join_seen

    def join(life: OrderLife, fact: OrderSeen) -> OrderLife:
        return whole(life, replace(fact, filled=life.counted + fact.filled))

    return [(order_life, "_join_seen", join)]


@bug("I8", "I2", "I18")
def drops_order_news() -> list[Patch]:
    """No probe ever says that an order exists."""
    whole = set_turn.facts_of

    def facts(event: Any) -> Any:
        return tuple(fact for fact in whole(event) if not isinstance(fact, OrderSeen))

    return [(set_turn, "facts_of", facts), (set_rules, "facts_of", facts)]


# -- legs and protection


@bug("I12", "I3", "I10")
def sizes_legs_by_dollars() -> list[Patch]:
    whole = legs._order

    def order(terms: Any, attempt: Any, leg: int, action: Any, size: Any, limit: Any, purpose: Any) -> OrderLife:
        if leg and purpose is legs.Purpose.OPEN:
            size = size * attempt.asks[0] // attempt.asks[leg] // terms.lot * terms.lot
        return whole(terms, attempt, leg, action, size, limit, purpose)

    return [(legs, "_order", order)]


@bug("I3")
def completes_more_than_is_missing() -> list[Patch]:
    whole = protection._buys

    def buys(holdings: Any, low: Any, size: Any) -> Any:
        return tuple(replace(o, size=o.size + holdings[o.leg].market.lot) for o in whole(holdings, low, size))

    return [(protection, "_buys", buys)]


@bug("I3", "I4", "I8")
def mends_while_something_is_unknown() -> list[Patch]:
    def quiet(self: Attempt) -> bool:
        return all(life.ended or life.phase is order_life.Phase.UNKNOWN for life in self.orders)

    def in_phase(self: Attempt, *phases: Any) -> Any:
        wanted = [phase for phase in phases if phase is not order_life.Phase.UNKNOWN or len(phases) > 1]
        return tuple(life for life in self.orders if life.phase in wanted)

    return [(Attempt, "quiet", property(quiet)), (Attempt, "in_phase", in_phase)]


@bug("I5", "I8")
def never_sees_a_surplus() -> list[Patch]:
    return [(Attempt, "naked", property(lambda self: False))]


@bug("I5", "I18")
def forgets_the_inflight_timer() -> list[Patch]:
    whole = ExecutorActor._do

    def do(self: Any, action: Any) -> None:
        if not (isinstance(action, StartTimer) and action.name in (TimerName.INFLIGHT, TimerName.RETRY)):
            whole(self, action)

    return [(ExecutorActor, "_do", do)]


@bug("I18")
def asks_only_once() -> list[Patch]:
    whole = set_rules.ask_again

    def ask(record: Any, event: Any, turn: Any) -> Any:
        return whole(record, event, turn) if record.rung == 0 else replace(record, rung=record.rung + 1)

    return rule(whole, ask)


@bug("I10")
def pays_through_the_book() -> list[Patch]:
    whole = legs._ticks_above

    def above(market: Any, ask: Any, ticks: int) -> Any:
        return whole(market, ask, ticks + 3)

    return [(legs, "_ticks_above", above), (legs, "_leaves_min_edge", lambda *_: True)]


@bug("I18", under=("merge_late",))
def dies_of_a_late_merge() -> list[Patch]:
    table = {key: rule for key, rule in tradeset.TRANSITIONS.items() if key[1].__name__ != "MergeAnswered"}
    for state in (tradeset.SUCCESS, tradeset.DOUBT, tradeset.PROTECT, tradeset.EXPOSED):
        table[state, set_rules.MergeAnswered] = set_rules.note_merge
    return [(tradeset, "TRANSITIONS", table)]


@bug("I8", "I18", under=("resolve",))
def forgets_resolutions() -> list[Patch]:
    return rule(set_rules.pay_out, lambda record, event, turn: record)


@bug("I2", "I8", under=("request_very_late",))
def leaves_what_comes_alive() -> list[Patch]:
    """An attempt that is over stays over unless it is naked."""
    whole = set_steps.reopen

    def reopen(record: Any, event: Any, turn: Any) -> Any:
        return whole(record, event, turn) if any(attempt.naked for attempt in record.past) else None

    return rule(whole, reopen)


@bug("I3", under=("request_very_late",))
def believes_the_other_denials() -> list[Patch]:
    """One order turned up although nobody had shown it; its sisters are still believed gone."""
    return [(set_turn.Turn, "_mistrust", lambda self, attempt: attempt)]


@bug("I8", under=("resolve", "merge_late"))
def books_a_merge_and_a_payout() -> list[Patch]:
    whole = set_rules._merged

    def merged(attempt: Any, event: Any, turn: Any) -> Any:
        done = whole(replace(attempt, payouts=()), event, turn)
        return replace(done, payouts=attempt.payouts)

    return [(set_rules, "_merged", merged), (Attempt, "merging", property(lambda self: False))]


@bug("I2", "I18", under=("reply_late",))
def never_cancels() -> list[Patch]:
    whole = ExecutorActor._do

    def do(self: Any, action: Any) -> None:
        if not isinstance(action, CancelOrder):
            whole(self, action)

    return [(ExecutorActor, "_do", do)]


@bug("I3", under=("partial", "thief"))
def sells_the_whole_leg() -> list[Patch]:
    """An unwind of everything that the leg holds, not of what is too much."""
    whole = legs._order

    def order(terms: Any, attempt: Any, leg: int, action: Any, size: Any, limit: Any, purpose: Any) -> OrderLife:
        size = attempt.held(leg) if purpose is legs.Purpose.UNWIND else size
        return whole(terms, attempt, leg, action, size, limit, purpose)

    return [(legs, "_order", order)]


@bug("I3", under=("partial",))
def follows_with_what_was_wanted() -> list[Patch]:
    """The other legs in the size of the attempt, not in what the thin one filled."""
    whole = legs.following_orders

    def following(terms: Any, attempt: Any) -> Any:
        return tuple(replace(life, intent=replace(life.intent, size=attempt.size)) for life in whole(terms, attempt))

    return [(set_steps, "following_orders", following)]


@bug("I18", "I3", "I8", under=("stall", "slow_network"))
def obeys_old_timers() -> list[Patch]:
    return [(Timers, "current", lambda self, name, serial: True)]
