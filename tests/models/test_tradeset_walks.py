"""Long random walks through the machine, with a venue that may also contradict itself: what must hold at every step."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from models.market import Action
from models.messages import CommitIntents
from models.orders import CancelResult, FillState, OrderIntent, Purpose, VenueOrderStatus
from models.set_events import StartTimer
from models.set_state import Cooldown, Idle, State
from models.sets import LegPolicy
from tests.stage import Stage
from tests.trading import a_top, execution_terms, levels, yes_basket

BINARY = execution_terms(policy=LegPolicy.TOGETHER, merges=True, horizon_s=1, ioc=False, fok=False)
THIN = execution_terms(horizon_s=1)
BASKET = execution_terms(yes_basket("a", "b", "c"), horizon_s=1)


class Walk:
    """One set, one pair of dice, and a watch on everything that the machine asks for."""

    def __init__(self, seed: int, terms, *, honest: bool) -> None:
        self.dice = random.Random(seed)
        self.stage = Stage(terms)
        self.honest = honest
        self.attempts = 0
        self.looked = 0
        self.truth: dict[str, int] = {}
        self.ids: set[str] = set()
        self.visited: Counter = Counter()

    def go(self, steps: int) -> None:
        for _ in range(steps):
            self.dice.choice(self.possible())()
            self.look()
            self.visited[self.stage.state] += 1

    def possible(self):
        stage = self.stage
        moves = [lambda: stage.wait(self.dice.choice([0.1, 1, 5]))]
        if isinstance(stage.record, Idle | Cooldown):
            moves += [self.approve] * 3
        if stage.intents:
            moves += [self.speak] * 6
        timers = [t for t in stage.all(StartTimer)[-8:] if stage.record.timers.current(t.name, t.serial)]
        moves += [lambda t=timer: stage.fire(t.name) for timer in timers]
        if stage.state in (State.PARTIAL_FILL_PROTECT, State.EXPOSED, State.FAILED) and stage.record.ladders:
            moves += [self.ladders] * 3
        if stage.state is State.SUCCESS and stage.attempt.merge_asked and not stage.attempt.merge_answered:
            moves += [lambda: stage.answer_merge(self.dice.choice(["0.99", None]))]
        return moves

    def approve(self) -> None:
        stage = self.stage
        if isinstance(stage.record, Cooldown):
            stage.now = max(stage.now, stage.record.until)
        self.attempts += 1
        tops = [a_top(m, yes_ask="0.30", yes_bid="0.29", at=stage.now) for m in stage.terms.market_ids]
        if len(stage.terms.market_ids) == 1:
            tops = [a_top(at=stage.now)]
        stage.approve(*tops, attempt_id=f"a-{self.attempts}")

    def speak(self) -> None:
        """The venue says something about one of the latest orders."""
        stage, dice = self.stage, self.dice
        index = dice.randrange(max(0, len(stage.intents) - 4), len(stage.intents))
        intent = stage.intents[index]
        filled = self.filled_of(intent)
        whole = intent.size / 1_000_000
        trade = f"t-{intent.client_order_id}"
        said = [
            lambda: stage.accept(index, filled, fills=False),
            lambda: stage.accept(index, None, fills=False),
            lambda: stage.update(index, filled),
            lambda: stage.show(index, filled, fills=False),
            lambda: stage.lose_answer(index),
            lambda: stage.cancel_answer(index, dice.choice([CancelResult.GONE, CancelResult.UNKNOWN])),
        ]
        if filled:
            said += [lambda: stage.fill(index, filled, trade=trade, state=FillState.FINAL)] * 3
            said += [lambda: stage.fill(index, filled, trade=trade, state=FillState.PROVISIONAL)]
        if not self.honest:
            said += [
                lambda: stage.refuse(index),
                lambda: stage.fill(index, whole + 1),
                lambda: stage.fill(index, 1, trade=trade, state=FillState.REVERSED),
                lambda: stage.deny(index, dice.choice(["orders", "executions"])),
                lambda: stage.update(index, dice.randint(0, 10), status=VenueOrderStatus.LIVE),
            ]
        dice.choice(said)()

    def filled_of(self, intent: OrderIntent) -> int:
        own = intent.client_order_id
        if own not in self.truth:
            self.truth[own] = self.dice.randint(0, intent.size // 1_000_000)
        return self.truth[own]

    def ladders(self) -> None:
        def some(price: str):
            return self.dice.choice([levels((price, 100)), levels((price, 3)), ()])

        self.stage.answer_ladders(
            yes_bids=some("0.29"), yes_asks=some("0.31"), no_bids=some("0.40"), no_asks=some("0.46")
        )

    def look(self) -> None:
        """Everything that was committed since the last look, judged by what was known when it was."""
        stage = self.stage
        commits = [action for action in stage.done[self.looked :] if isinstance(action, CommitIntents)]
        self.looked = len(stage.done)
        for commit in commits:
            self.judge(commit)

    def judge(self, commit: CommitIntents) -> None:
        attempt = self.stage.attempt
        fresh = {intent.client_order_id for intent in commit.intents}
        assert not fresh & self.ids, "an id was used twice (I3)"
        self.ids |= fresh
        earlier = [o for o in attempt.orders if o.intent.client_order_id not in fresh]
        earlier = earlier[: len(attempt.orders) - len(fresh)]
        assert all(life.ended for life in earlier), "something was sent while an order was open or unknown"
        held = list(attempt.holdings)
        for intent in commit.intents:
            assert intent.size > 0
            if intent.action is Action.SELL:
                assert intent.purpose is Purpose.UNWIND
                assert intent.size <= held[intent.leg] - min(held), "more was sold than the set does not need"
            elif intent.purpose is Purpose.COMPLETE:
                assert held[intent.leg] + intent.size <= max(held), "more was completed than is missing"
            else:
                assert not any(held), "something was opened on top of something held"
                assert not attempt.expired


@pytest.mark.parametrize("terms", [BINARY, THIN, BASKET], ids=["together", "thin", "three legs"])
@pytest.mark.parametrize("honest", [True, False], ids=["honest", "contradicting"])
def test_nothing_is_sent_blindly_twice_or_beyond_what_is_held(terms, honest):
    visited: Counter = Counter()
    for seed in range(60):
        walk = Walk(seed, terms, honest=honest)
        walk.go(120)
        visited += walk.visited

    assert len(visited) >= 8, f"the walks saw only {dict(visited)}"
