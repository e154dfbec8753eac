"""Every order and every repetition of a set's venue events gives the same end and the same ledger (I14)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from models.clock import BootNs
from models.messages import (
    FillSeen,
    IntentsCommitted,
    OrderUpdated,
    ProbeAnswered,
    SubmitAnswered,
)
from models.money import MicroShares
from models.orders import (
    Accepted,
    CommittedIntent,
    FillState,
    OrderIntent,
    OrderSeen,
    OutcomeUnknown,
    Refused,
    VenueOrderStatus,
)
from models.rows import AttemptChanged, FillReported, OrderChanged, join_fills
from models.set_events import AskLadders
from models.set_state import State
from models.sets import LegPolicy
from tests.stage import Stage, a_fill, venue_id
from tests.trading import a_top, execution_terms, levels, shares, yes_basket

SIZE = 10
THREE = yes_basket("a", "b", "c", policy=LegPolicy.TOGETHER)
TERMS = {
    2: execution_terms(policy=LegPolicy.TOGETHER, attempts=1),
    3: execution_terms(THREE, attempts=1),
}


@dataclass(frozen=True)
class Fate:
    """What truly happened to one order."""

    kind: str
    """refused, counted (ack with a count), uncounted (ack without), lost (no ack, found by a probe), grown (ack before
    the fills, then a count after each of them).
    """
    fills: tuple[tuple[int, str, str], ...]
    """(shares, cents below the limit, last state)."""


def fates():
    fill = st.tuples(
        st.integers(1, 4), st.sampled_from(["0.45", "0.44", "0.43"]), st.sampled_from(["final", "settled", "reversed"])
    )
    some = st.lists(fill, max_size=3).filter(lambda fs: sum(f[0] for f in fs) <= SIZE).map(tuple)
    return st.one_of(
        st.just(Fate("refused", ())),
        st.builds(Fate, st.sampled_from(["counted", "uncounted", "lost", "grown"]), some),
    )


def events_of(intent: OrderIntent, fate: Fate, number: int) -> list:
    """Everything that the venue says about one order, in the order in which it happened."""
    at, own, attempt_id = BootNs(0), intent.client_order_id, intent.attempt_id
    if fate.kind == "refused":
        answer = Refused(client_order_id=own, code="no", text="refused")
        return [SubmitAnswered(attempt_id=attempt_id, answer=answer, sent=None, at=at)]
    count = MicroShares(sum(shares(size) for size, _, _ in fate.fills))
    fills = []
    for index, (size, price, end) in enumerate(fate.fills):
        states = {
            "final": [FillState.FINAL],
            "settled": [FillState.PROVISIONAL, FillState.FINAL],
            "reversed": [FillState.PROVISIONAL, FillState.REVERSED],
        }[end]
        fills += [
            FillSeen(fill=a_fill(intent, size, at=price, state=state, trade=f"t-{number}-{index}"), at=at)
            for state in states
        ]
    seen = OrderSeen(client_order_id=own, venue_order_id=venue_id(intent), status=VenueOrderStatus.DONE, filled=count)
    if fate.kind == "lost":
        unknown = OutcomeUnknown(client_order_id=own, why="timeout")
        probed = ProbeAnswered(attempt_id=attempt_id, answer=seen, fills=(), at=at)
        return [SubmitAnswered(attempt_id=attempt_id, answer=unknown, sent=None, at=at), *fills, probed]
    if fate.kind == "grown":
        ack = Accepted(client_order_id=own, venue_order_id=venue_id(intent), filled=MicroShares(0), done=False)
        sums = itertools.accumulate(shares(size) for size, _, _ in fate.fills)
        counts = [replace(seen, status=VenueOrderStatus.LIVE, filled=MicroShares(sum_)) for sum_ in sums]
        answered = SubmitAnswered(attempt_id=attempt_id, answer=ack, sent=None, at=at)
        return [answered, *fills, *(OrderUpdated(seen=one, at=at) for one in (*counts, seen))]
    told = count if fate.kind == "counted" else None
    ack = Accepted(client_order_id=own, venue_order_id=venue_id(intent), filled=told, done=True)
    update = OrderUpdated(seen=seen, at=at)
    return [SubmitAnswered(attempt_id=attempt_id, answer=ack, sent=None, at=at), *fills, update]


def an_attempt(legs: int) -> Stage:
    stage = Stage(TERMS[legs])
    stage.holds_commits = True
    if legs == 2:
        stage.approve(size=SIZE)
    else:
        stage.approve(*(a_top(m, yes_ask="0.30", yes_bid="0.29") for m in ("a", "b", "c")), size=SIZE)
    return stage


def played(legs: int, happenings: list) -> tuple:
    """Tell it all, then let protection run against books that have everything, and sum the ledger up."""
    stage = an_attempt(legs)
    opening = tuple(stage.intents)
    for event in happenings:
        stage.tell(event)
    committed = tuple(CommittedIntent(intent=i, ledger_seq=n, row_hash="") for n, i in enumerate(opening))
    stage.tell(IntentsCommitted(attempt_id="a-1", committed=committed))
    stage.holds_commits = False
    answered = 0
    sent = len(opening)
    for _ in range(20):
        if stage.state is State.COOLDOWN:
            break
        questions = stage.all(AskLadders)
        if len(questions) > answered:
            answered = len(questions)
            stage.answer_ladders(yes_bids=levels(("0.40", 99)), no_bids=levels(("0.40", 99)))
        while len(stage.intents) > sent:
            stage.accept(sent, stage.intents[sent].size / 1_000_000)
            sent += 1
    assert stage.state is State.COOLDOWN, stage.state
    fills: dict = {}
    for row in stage.rows(FillReported):
        known = fills.get(row.fill.venue_trade_id)
        fills[row.fill.venue_trade_id] = row.fill if known is None else join_fills(known, row.fill)
    orders: dict = {}
    for row in stage.rows(OrderChanged):
        orders[row.client_order_id] = (row.phase, row.filled, row.refusal)
    last = stage.rows(AttemptChanged)[-1]
    return (
        (last.ending, last.filled, last.leg_costs, last.fees, last.realized_pnl, last.open_position),
        sorted(fills.items()),
        sorted(orders.items()),
        stage.attempt.holdings,
    )


@given(st.data(), st.sampled_from([2, 3]))
def test_shuffled_and_repeated_venue_events_give_the_same_ledger(data, legs):
    opening = an_attempt(legs).intents
    lots = [data.draw(fates(), label=f"order {n}") for n in range(legs)]
    straight = [event for n, fate in enumerate(lots) for event in events_of(opening[n], fate, n)]
    repeated = straight + data.draw(st.lists(st.sampled_from(straight), max_size=5), label="repeated")
    shuffled = data.draw(st.permutations(repeated), label="shuffled")

    assert played(legs, shuffled) == played(legs, straight)


def test_every_single_permutation_of_a_small_set_gives_the_same_ledger():
    opening = an_attempt(2).intents
    straight = [
        *events_of(opening[0], Fate("counted", ((6, "0.45", "final"),)), 0),
        *events_of(opening[1], Fate("lost", ((4, "0.44", "final"),)), 1),
    ]
    expected = played(2, straight)

    for order in itertools.permutations(straight):
        assert played(2, list(order)) == expected
