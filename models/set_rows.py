"""What a step of the state machine leaves in the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from models.attempt import Attempt, Payout
from models.clock import WallNs
from models.execution import ExecutionTerms
from models.legs import policy_reason
from models.market import Outcome, SetId
from models.money import MICRO, MicroShares, MicroUsd, divide_down
from models.order_life import Alarm, OrderLife, Phase
from models.orders import ClientOrderId
from models.protection import ProtectionChoice
from models.rows import AttemptChanged, AttemptOpened, Ending, Event, EventKind, OrderChanged, Settled
from models.set_state import State


def opened(terms: ExecutionTerms, attempt: Attempt, at: WallNs) -> AttemptOpened:
    return AttemptOpened(
        attempt_id=attempt.attempt_id,
        at=at,
        opportunity_id=attempt.opportunity_id,
        set_id=attempt.set_id,
        mode=terms.mode,
        legs=terms.complete_set.legs,
        size=attempt.size,
        expected_payout=MicroUsd(divide_down(terms.complete_set.payout * attempt.size, MICRO)),
        leg_policy=terms.complete_set.leg_policy.value,
        policy_reason=policy_reason(terms, attempt),
        reserved=attempt.reserved,
    )


def changed(
    terms: ExecutionTerms, attempt: Attempt, state: State, at: WallNs, *, ended: bool, detail: str = ""
) -> AttemptChanged:
    """The attempt's whole story so far. `ended` once nothing of it is open, unknown or naked."""
    realized, resolution = realized_pnl(terms, attempt) if ended else (None, "")
    return AttemptChanged(
        attempt_id=attempt.attempt_id,
        at=at,
        state=state.value,
        ending=ending(attempt) if ended else None,
        filled=attempt.sets,
        leg_costs=tuple(attempt.leg_cost(leg) for leg in range(len(terms.legs))),
        fees=attempt.total_fees,
        realized_pnl=realized,
        open_position=open_position(terms, attempt),
        resolution=resolution,
        detail=detail,
    )


def ending(attempt: Attempt) -> Ending:
    """Judged by what happened, not by when it became known: a reversal seen early and one seen late end alike (I14)."""
    reversed_fill = any(life.reversed_size for life in attempt.orders)
    if attempt.remedies or attempt.stranded or reversed_fill:
        return Ending.PARTIAL
    if attempt.sets > 0:
        return Ending.SUCCESS
    refused = any(life.refusal is not None for life in attempt.orders)
    return Ending.REJECTED if refused or not attempt.orders else Ending.MISSED


def open_position(terms: ExecutionTerms, attempt: Attempt) -> bool:
    """Something is held whose money has not come back yet."""
    if attempt.paid_out:
        return False
    if attempt.surplus:
        return True
    return attempt.sets > 0 and not terms.nets and attempt.merged < attempt.sets


def cash_change(terms: ExecutionTerms, attempt: Attempt) -> MicroUsd:
    """What the attempt has done to the account's cash so far: paid, received, merged, netted."""
    netted = divide_down(terms.complete_set.payout * attempt.sets, MICRO) if terms.nets and attempt.sets > 0 else 0
    paid = sum(row.cash for row in resolutions(terms, attempt, attempt.payouts, WallNs(0)))
    return MicroUsd(attempt.merged_cash + netted + paid - attempt.total_cost - attempt.total_fees)


def realized_pnl(terms: ExecutionTerms, attempt: Attempt) -> tuple[MicroUsd | None, str]:
    """Profit that is cash by now, and how it became cash; (None, "") while anything is still held."""
    if open_position(terms, attempt):
        return None, ""
    realized = cash_change(terms, attempt)
    if attempt.paid_out and any(resolutions(terms, attempt, attempt.payouts, WallNs(0))):
        return realized, "resolution"
    if attempt.sets <= 0:
        return realized, "unwound" if any(life.filled for life in attempt.orders) else ""
    return realized, "netting" if terms.nets else "merge"


def settled(
    terms: ExecutionTerms, attempt: Attempt, kind: str, size: MicroShares, cash: MicroUsd, at: WallNs
) -> Settled:
    """Complete sets of an attempt turned into cash; the ledger recomputes cash and positions from it (I8)."""
    return Settled(
        at=at,
        attempt_id=attempt.attempt_id,
        set_id=attempt.set_id,
        market_id=terms.market_ids[0],
        kind=kind,
        yes_size=size,
        no_size=size,
        cash=cash,
    )


def resolutions(terms: ExecutionTerms, attempt: Attempt, payouts: Sequence[Payout], at: WallNs) -> tuple[Settled, ...]:
    """What the attempt still held of these markets when they resolved, and what that paid."""
    gone = attempt.sets if terms.nets else attempt.merged
    rows = []
    for payout in payouts:
        sizes = {Outcome.YES: 0, Outcome.NO: 0}
        for index, leg in enumerate(terms.legs):
            if leg.market.market_id == payout.market_id:
                sizes[leg.outcome] += max(0, attempt.held(index) - gone)
        yes, no = MicroShares(sizes[Outcome.YES]), MicroShares(sizes[Outcome.NO])
        cash = divide_down(yes * payout.yes_pays, MICRO) + divide_down(no * (MICRO - payout.yes_pays), MICRO)
        if yes or no:
            rows.append(
                Settled(
                    at=at,
                    attempt_id=attempt.attempt_id,
                    set_id=attempt.set_id,
                    market_id=payout.market_id,
                    kind="resolution",
                    yes_size=yes,
                    no_size=no,
                    cash=MicroUsd(cash),
                    winner=payout.winner,
                )
            )
    return tuple(rows)


def order_changed(life: OrderLife, at: WallNs) -> OrderChanged:
    refusal = life.refusal
    return OrderChanged(
        client_order_id=life.intent.client_order_id,
        at=at,
        phase=life.phase,
        venue_order_id=life.venue_order_id,
        filled=life.filled,
        sent_at=life.sent_at,
        acked_at=life.acked_at,
        refusal=None if refusal is None else refusal.code,
        by_venue=refusal is None or refusal.by_venue,
        detail=_detail(life),
    )


def _detail(life: OrderLife) -> str:
    if life.refusal is not None:
        return life.refusal.text
    if life.phase is Phase.UNKNOWN:
        return "no readable answer; counted in full until the venue has proved what happened"
    if life.denied:
        return "not shown by " + ", ".join(source for source, _ in life.not_shown)
    return ""


def protection(attempt: Attempt, choice: ProtectionChoice, at: WallNs) -> Event:
    """The choice with its three numbers (profit in micro-dollars on `compared_size`; None: unavailable) and its
    inputs.
    """
    inputs: list[tuple[str, int | str | bool | None]] = []
    for index, leg in enumerate(choice.inputs):
        inputs += [
            (f"leg{index}_held", leg.held),
            (f"leg{index}_paid", leg.paid),
            (f"leg{index}_ready", leg.ready),
            (f"leg{index}_bid", leg.bids[0][0] if leg.bids else None),
            (f"leg{index}_bid_size", leg.bids[0][1] if leg.bids else None),
            (f"leg{index}_ask", leg.asks[0][0] if leg.asks else None),
            (f"leg{index}_ask_size", leg.asks[0][1] if leg.asks else None),
        ]
    return Event(
        at=at,
        kind=EventKind.PROTECTION,
        text=f"{choice.remedy.value}: {choice.why}",
        set_id=attempt.set_id,
        attempt_id=attempt.attempt_id,
        facts=(
            ("remedy", choice.remedy.value),
            ("missing", choice.missing),
            ("compared_size", choice.compared_size),
            ("complete", choice.complete),
            ("unwind", choice.unwind),
            ("hold", choice.hold),
            ("max_unwind_loss", choice.cap),
            ("untradable", choice.untradable),
            *inputs,
        ),
    )


def alarm(attempt: Attempt, order: ClientOrderId, what: Alarm, at: WallNs) -> Event:
    return Event(
        at=at,
        kind=EventKind.INCIDENT,
        text=f"{what.value} on order {order}",
        set_id=attempt.set_id,
        attempt_id=attempt.attempt_id,
        facts=(("alarm", what.value), ("client_order_id", order)),
    )


def note(set_id: SetId, attempt: Attempt | None, text: str, at: WallNs) -> Event:
    return Event(
        at=at,
        kind=EventKind.NOTE,
        text=text,
        set_id=set_id,
        attempt_id=None if attempt is None else attempt.attempt_id,
    )
