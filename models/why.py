"""Deciding again: a stored opportunity is recomputed from its stored inputs and must come out the same, bit for bit.

Nothing but the row is used: the tops of its legs, its surroundings, the terms that the `configs` table holds under its
configuration's hash, and the risk review that it carries. So it also works after the configuration was edited, and a
stored input that was changed shows as a difference (or breaks the recomputation, which is a difference too).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from models.book import TopOfBook
from models.clock import BootNs, WallNs
from models.fees import NO_FEES
from models.market import Outcome
from models.money import MicroShares, divide_up
from models.sets import SetKind
from models.signal import Decision, SetTerms, SkipReason, Surroundings, decide
from models.sizing import walk

JudgeAgain = Callable[[bytes], tuple[SkipReason | None, str]]
"""`models.risk.judge_again`: the review's own inputs -> (refusal or None, detail)."""


@dataclass(frozen=True, slots=True)
class StoredLeg:
    market_id: str
    outcome: str
    top: TopOfBook


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOpportunity:
    """One row of `opportunities` with its legs, exactly as the ledger holds it."""

    seq: int
    opportunity_id: str
    at: WallNs
    set_id: str
    market_id: str | None
    episode_id: str
    decision: str
    reason: str | None
    verdict: str
    sum_cost: int
    edge: int
    net_edge: int
    fees: int
    size: int
    yes_ask: int | None
    no_ask: int | None
    yes_size: int | None
    no_size: int | None
    cost_buffer: int
    config_hash: str
    attempt_id: str | None
    also: str
    frame_boot_ns: int
    surroundings: str
    detail: str | None
    risk_inputs: str | None
    legs: tuple[StoredLeg, ...]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that does not come out as it was stored."""

    name: str
    stored: str
    recomputed: str

    def __str__(self) -> str:
        return f"{self.name}: stored {self.stored}, recomputed {self.recomputed}"


def surroundings_of(row: StoredOpportunity) -> Surroundings:
    """Raises `msgspec.DecodeError` where the stored text is none."""
    return msgspec.json.decode(row.surroundings, type=Surroundings)


def recheck(row: StoredOpportunity, terms: SetTerms | None, judge_again: JudgeAgain) -> tuple[Mismatch, ...]:
    """Everything about the row that its stored inputs do not explain. Empty: the same decision, bit for bit."""
    if terms is None:
        return (Mismatch("terms", f"configuration {row.config_hash}", f"holds no terms of set {row.set_id}"),)
    wanted = tuple((str(leg.market_id), leg.outcome.value) for leg in terms.complete_set.legs)
    found = tuple((leg.market_id, leg.outcome) for leg in row.legs)
    if wanted != found:
        return (Mismatch("legs", repr(found), repr(wanted)),)
    try:
        decision = decide(terms, tuple(leg.top for leg in row.legs), surroundings_of(row))
    except (ArithmeticError, ValueError, TypeError) as error:
        return (Mismatch("inputs", "unusable", str(error)),)
    if decision is None:
        return (Mismatch("decision", row.decision, "no opportunity at all"),)
    return tuple(
        Mismatch(name, str(stored), str(recomputed))
        for name, stored, recomputed in (*_figures(row, terms, decision), *_word(row, decision, judge_again))
        if stored != recomputed
    )


Compared = tuple[str, object, object]


def _figures(row: StoredOpportunity, terms: SetTerms, decision: Decision) -> Iterator[Compared]:
    yield "verdict", row.verdict, decision.verdict.value
    yield "sum_cost", row.sum_cost, decision.sum_cost
    yield "edge", row.edge, decision.edge
    yield "fees", row.fees, decision.fees
    yield "net_edge", row.net_edge, decision.net_edge
    yield "size", row.size, decision.size
    yield "also", row.also, ",".join(decision.also)
    yield "cost_buffer", row.cost_buffer, terms.thresholds.cost_buffer
    markets = terms.complete_set.market_ids
    yield "market_id", row.market_id, str(markets[0]) if len(markets) == 1 else None
    yield "frame_boot_ns", row.frame_boot_ns, max(leg.top.received_at for leg in row.legs)
    binary = terms.complete_set.kind is SetKind.BINARY
    tops = {leg.outcome: leg.top for leg in row.legs} if binary else {}
    yes, no = tops.get(Outcome.YES.value), tops.get(Outcome.NO.value)
    yield "yes_ask", row.yes_ask, None if yes is None else yes.yes_ask
    yield "no_ask", row.no_ask, None if no is None else no.no_ask
    yield "yes_size", row.yes_size, None if yes is None else yes.yes_ask_size
    yield "no_size", row.no_size, None if no is None else no.no_ask_size


def _word(row: StoredOpportunity, decision: Decision, judge_again: JudgeAgain) -> Iterator[Compared]:
    """The decision itself: the signal's where risk was not asked, else risk's over the signal's TRADE."""
    if row.risk_inputs is None:
        yield "signal", "SKIP", decision.kind.value
        yield "reason", row.reason, None if decision.reason is None else decision.reason.value
        yield "attempt_id", row.attempt_id, None
    else:
        yield "signal", "TRADE", decision.kind.value
        yield from _review(row, decision, judge_again)
    yield "decision", row.decision, "traded" if row.reason is None else "skipped"


def _review(row: StoredOpportunity, decision: Decision, judge_again: JudgeAgain) -> Iterator[Compared]:
    inputs = row.risk_inputs or ""
    try:
        refusal, detail = judge_again(inputs.encode())
        reviewed = json.loads(inputs)
    except ValueError as error:
        yield "risk review", "unreadable", str(error)
        return
    yield "reason", row.reason, None if refusal is None else refusal.value
    yield "detail", row.detail, detail
    asks = [leg.top.ask(Outcome(leg.outcome)) for leg in row.legs]
    yield "asks that risk reviewed", reviewed.get("asks", asks), asks
    yield "size that risk reviewed", reviewed.get("size", row.size), row.size
    reach = list(decision.reach)
    yield "limits that the size needs", reviewed.get("reach", reach), reach


_GATES: Final = (
    ("verdict real", {SkipReason.NOT_READY, SkipReason.CROSSED, SkipReason.HALF_UPDATE, SkipReason.STALE,
                      SkipReason.SKEW, SkipReason.UNCONFIRMED}),
    ("edge", {SkipReason.EDGE}),
    ("edge after fees", {SkipReason.FEES}),
    ("depth", {SkipReason.DEPTH}),
    ("market open", {SkipReason.MARKET_STATUS, SkipReason.CLOSING_SOON}),
    ("not in flight", {SkipReason.IN_FLIGHT}),
    ("cooldown over", {SkipReason.COOLDOWN}),
)  # fmt: skip
"""The gates of the signal as an operator names them, in the order in which they are tried."""


def gates(row: StoredOpportunity) -> list[tuple[str, bool]]:
    """(gate, open) for every gate of the signal, and `risk` last where risk was asked."""
    closed = {word for word in (row.reason, *row.also.split(",")) if word}
    shown = [(name, not any(reason.value in closed for reason in reasons)) for name, reasons in _GATES]
    if row.risk_inputs is not None:
        shown.append(("risk", row.reason is None))
    return shown


def cost_per_set(row: StoredOpportunity) -> int:
    """What one set of the row's size cost on average, rounded up: `sum_cost`, or more where depth was bought.

    Ladders are stored where they were walked only, so without them everything counts at the best ask.
    """
    ladders = [leg.top.ladder(Outcome(leg.outcome)) for leg in row.legs]
    if row.size <= 0 or not all(ladders):
        return row.sum_cost
    return divide_up(sum(walk(ladder, NO_FEES, MicroShares(row.size)).gross for ladder in ladders), row.size)


def age_ms(top: TopOfBook, now: BootNs) -> float:
    """How old the evidence of a book was when it was decided on."""
    return (now - top.evidence_at) / 1_000_000
