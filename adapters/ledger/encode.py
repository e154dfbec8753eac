"""Rows and messages -> the values of one table row and its child rows, in column order without `seq` and `hash`.

The hot one is the opportunity (20,000 a second, performance.md P7): what never changes about a set is worked out once
per configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from adapters.ledger import tables
from adapters.ledger.chain import Values
from models.book import Levels, TopOfBook
from models.market import Outcome
from models.messages import EpisodeEnded, MinuteCounted, Opportunity, OpportunityJudged, OpportunitySkipped, TickSampled
from models.orders import OrderIntent
from models.rows import (
    AttemptChanged,
    AttemptOpened,
    ConfigUsed,
    Event,
    OrderChanged,
    PaperFilled,
    RunStarted,
    RunStopped,
    Settled,
    terms_from,
)
from models.sets import SetKind
from models.signal import SetTerms


class Record(NamedTuple):
    """One row, ready to be chained and bound."""

    table: str
    values: Values
    children: tuple[Values, ...] = ()
    """Child rows without the column that holds the parent's `seq`."""


class UnknownSetError(ValueError):
    """An opportunity of a set that the current configuration's terms do not hold."""


_to_json: Final = msgspec.json.Encoder().encode

CONFIGS: Final = tables.name_of(tables.ConfigTable)
RUN_STARTS: Final = tables.name_of(tables.RunStartTable)
RUN_STOPS: Final = tables.name_of(tables.RunStopTable)
OPPORTUNITIES: Final = tables.name_of(tables.OpportunityTable)
EPISODES: Final = tables.name_of(tables.EpisodeTable)
SET_MINUTES: Final = tables.name_of(tables.SetMinuteTable)
MARKET_TICKS: Final = tables.name_of(tables.MarketTickTable)
ATTEMPTS: Final = tables.name_of(tables.AttemptTable)
ATTEMPT_CHANGES: Final = tables.name_of(tables.AttemptChangeTable)
ORDER_INTENTS: Final = tables.name_of(tables.OrderIntentTable)
ORDER_CHANGES: Final = tables.name_of(tables.OrderChangeTable)
SETTLEMENTS: Final = tables.name_of(tables.SettlementTable)
PAPER_FILLS: Final = tables.name_of(tables.PaperFillTable)
EVENTS: Final = tables.name_of(tables.EventTable)


class _SetFacts(NamedTuple):
    """What an opportunity row needs to know about its set."""

    market_id: str | None
    legs: tuple[tuple[int, str, str], ...]
    yes_leg: int | None
    """Index of the YES leg of a binary set, else None; likewise `no_leg`."""
    no_leg: int | None
    cost_buffer: int


def _facts_of(terms: SetTerms) -> _SetFacts:
    complete_set = terms.complete_set
    outcomes = [leg.outcome for leg in complete_set.legs]
    binary = complete_set.kind is SetKind.BINARY
    return _SetFacts(
        market_id=str(complete_set.market_ids[0]) if len(complete_set.market_ids) == 1 else None,
        legs=tuple((i, str(leg.market_id), leg.outcome.value) for i, leg in enumerate(complete_set.legs)),
        yes_leg=outcomes.index(Outcome.YES) if binary else None,
        no_leg=outcomes.index(Outcome.NO) if binary else None,
        cost_buffer=terms.thresholds.cost_buffer,
    )


class OpportunityEncoder:
    """Encodes opportunities under the configuration that was recorded last."""

    def __init__(self) -> None:
        self._config_hash = ""
        self._sets: dict[str, _SetFacts] = {}

    def use(self, config_hash: str, terms_text: str) -> None:
        self._config_hash = config_hash
        self._sets = {set_id: _facts_of(terms) for set_id, terms in terms_from(terms_text).items()}

    def skipped(self, row: OpportunitySkipped) -> Record:
        reason = row.opportunity.decision.reason
        return self._record(row.opportunity, None if reason is None else reason.value, None, None, None)

    def judged(self, row: OpportunityJudged) -> Record:
        reason = None if row.refusal is None else row.refusal.value
        return self._record(row.opportunity, reason, row.attempt_id, row.detail, row.risk_inputs.decode())

    def _record(
        self, o: Opportunity, reason: str | None, attempt_id: str | None, detail: str | None, risk_inputs: str | None
    ) -> Record:
        facts = self._sets.get(o.set_id)
        if facts is None:
            raise UnknownSetError(f"opportunity {o.opportunity_id} of set {o.set_id}, which has no recorded terms")
        decision, tops = o.decision, o.tops
        yes = None if facts.yes_leg is None else tops[facts.yes_leg]
        no = None if facts.no_leg is None else tops[facts.no_leg]
        values = (
            o.at,
            "traded" if reason is None else "skipped",
            reason,
            decision.verdict.value,
            decision.sum_cost,
            decision.edge,
            decision.net_edge,
            decision.fees,
            decision.size,
            o.opportunity_id,
            o.set_id,
            facts.market_id,
            o.episode_id,
            None if yes is None else yes.yes_ask,
            None if no is None else no.no_ask,
            None if yes is None else yes.yes_ask_size,
            None if no is None else no.no_ask_size,
            facts.cost_buffer,
            self._config_hash,
            attempt_id,
            ",".join(decision.also),
            o.frame_at,
            _to_json(o.surroundings).decode(),
            detail,
            risk_inputs,
        )
        first = top_values(tops[0])
        children = tuple(
            (
                *(first if tops[leg] is tops[0] else top_values(tops[leg])),
                leg,
                market_id,
                outcome,
                _ladder(tops[leg].yes_asks),
                _ladder(tops[leg].no_asks),
            )
            for leg, market_id, outcome in facts.legs
        )
        return Record(OPPORTUNITIES, values, children)


def top_values(top: TopOfBook) -> Values:
    """The columns of `tables.Top`."""
    fields = msgspec.structs.astuple(top)
    not_ready = top.not_ready
    return (
        *fields[1:4],
        None if not_ready is None else not_ready.value,
        *fields[5:18],
        1 if top.intact else 0,
        1 if top.confirmed else 0,
    )


def _ladder(levels: Levels) -> str | None:
    return _to_json(levels).decode() if levels else None


def encode_episode(row: EpisodeEnded) -> Record:
    return Record(
        EPISODES, (row.episode_id, row.set_id, row.began, row.ended, row.best_edge, row.rows, str(row.verdict))
    )


def encode_minute(row: MinuteCounted) -> Record:
    return Record(SET_MINUTES, (row.set_id, row.minute, row.updates, row.evaluations), row.sum_cost_counts)


def encode_tick(row: TickSampled) -> Record:
    return Record(MARKET_TICKS, (*top_values(row.top), row.at, row.top.market_id))


def encode_config(row: ConfigUsed) -> Record:
    return Record(CONFIGS, (row.config_hash, row.at, row.code_version, row.effective, row.terms))


def encode_run_start(row: RunStarted) -> Record:
    return Record(RUN_STARTS, (row.run_id, row.at, row.mode, row.venue, row.account, row.config_hash))


def encode_run_stop(row: RunStopped) -> Record:
    return Record(RUN_STOPS, (row.run_id, row.at, row.why, row.left_open))


def encode_attempt(row: AttemptOpened) -> Record:
    markets = {leg.market_id for leg in row.legs}
    return Record(
        ATTEMPTS,
        (
            row.attempt_id,
            row.at,
            row.opportunity_id,
            row.set_id,
            next(iter(markets)) if len(markets) == 1 else None,
            row.mode,
            row.size,
            row.expected_payout,
            row.leg_policy,
            row.policy_reason,
            row.reserved,
        ),
        tuple((i, leg.market_id, leg.outcome.value) for i, leg in enumerate(row.legs)),
    )


def encode_attempt_change(row: AttemptChanged) -> Record:
    return Record(
        ATTEMPT_CHANGES,
        (
            row.attempt_id,
            row.at,
            str(row.state),
            None if row.ending is None else row.ending.value,
            row.filled,
            row.fees,
            row.realized_pnl,
            int(row.open_position),
            row.resolution,
            row.detail,
        ),
        tuple(enumerate(row.leg_costs)),
    )


def encode_intent(intent: OrderIntent, at: int, *, adopted: bool) -> Record:
    return Record(
        ORDER_INTENTS,
        (
            intent.client_order_id,
            intent.attempt_id,
            intent.at or at,
            intent.set_id,
            intent.venue,
            intent.market_id,
            intent.leg,
            intent.outcome.value,
            intent.action.value,
            intent.limit_price,
            intent.size,
            intent.time_in_force.value,
            intent.purpose.value,
            int(adopted),
        ),
    )


def encode_order_change(row: OrderChanged) -> Record:
    return Record(
        ORDER_CHANGES,
        (
            row.client_order_id,
            row.at,
            row.phase.value,
            row.venue_order_id,
            row.filled,
            row.sent_at,
            row.acked_at,
            row.refusal,
            int(row.by_venue),
            row.detail,
        ),
    )


def encode_settlement(row: Settled) -> Record:
    winner = None if row.winner is None else row.winner.value
    return Record(
        SETTLEMENTS,
        (row.at, row.attempt_id, row.set_id, row.market_id, row.kind, row.yes_size, row.no_size, row.cash, winner),
    )


def encode_paper_fill(row: PaperFilled) -> Record:
    return Record(
        PAPER_FILLS, (row.attempt_id, row.at, row.model, row.filled, row.cost, row.fees, row.net_pnl, row.note)
    )


def encode_event(row: Event) -> Record:
    facts = _to_json(dict(row.facts)).decode()
    return Record(
        EVENTS,
        (row.at, row.kind.value, row.text, row.market_id, row.set_id, row.attempt_id, row.duration_ns, facts),
    )


PLAIN: Final[dict[type, Callable[[Any], Record]]] = {
    EpisodeEnded: encode_episode,
    MinuteCounted: encode_minute,
    TickSampled: encode_tick,
    ConfigUsed: encode_config,
    RunStarted: encode_run_start,
    RunStopped: encode_run_stop,
    AttemptOpened: encode_attempt,
    AttemptChanged: encode_attempt_change,
    OrderChanged: encode_order_change,
    Settled: encode_settlement,
    PaperFilled: encode_paper_fill,
    Event: encode_event,
}
"""Rows whose values depend on nothing but themselves."""
