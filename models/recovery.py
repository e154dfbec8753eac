"""After a restart: from what the ledger holds back to records, reservations and positions.

An order without a last word is doubted, whatever it looked like: the process may have died between the commit and the
answer. Nothing is concluded here about the venue; the executors ask it, by the same rules as on any other day, while
the gate is held (`actors/reconcile.py`).

    stored                            comes up as               and first
    no attempt without an ending      IDLE                      nothing
    an order without a last word      IN_DOUBT                  asks the venue (nothing is ever sent again)
    every order heard, one resting    WAITING_FILLS             cancels it
    every order ended, legs unequal   PARTIAL_FILL_PROTECT      prices complete, unwind and hold
    every order ended, legs equal     SUCCESS or FAILED         books its ending
    a set that is not configured      nothing                   is named: only the operator can decide about it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from models import set_rows
from models.attempt import Attempt, Payout, met_nobody
from models.clock import MINUTE, BootNs, WallNs, utc_day
from models.execution import ExecutionTerms
from models.kill_switch import KillSwitch
from models.market import Action, MarketId, SetId
from models.messages import MarketResolved
from models.money import MicroShares, MicroUsd, PriceMicros, cost_rounded_up
from models.order_life import OrderLife, Phase
from models.orders import AttemptId, Fill, FillState, OrderIntent, Purpose, Refused, VenueOrderId
from models.risk import REMEMBERED, Reservation, RiskState, resolved
from models.rows import AttemptChanged, Ending, OrderChanged
from models.set_events import Action as SetAction
from models.set_state import Record, State
from models.sets import LegPolicy, SetLeg
from models.tradeset import recovered, step

PAST_PER_SET: Final = 8
"""Ended attempts of a set that are read back beside those that hold something, so that late news finds its owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """An intent and the newest word about it. `phase` None: nothing was ever heard of it."""

    intent: OrderIntent
    phase: Phase | None
    venue_order_id: VenueOrderId | None
    filled: MicroShares
    refusal: str | None
    by_venue: bool
    sent_at: WallNs | None
    acked_at: WallNs | None
    detail: str
    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAttempt:
    attempt_id: AttemptId
    at: WallNs
    opportunity_id: str
    set_id: SetId
    mode: str
    size: MicroShares
    reserved: MicroUsd
    ending: Ending | None
    news_after_end: bool
    """An execution was written down after the ending, and the process died before it said what follows from it."""
    open_position: bool
    merged: MicroShares
    """Sets turned into cash by merging."""
    merged_cash: MicroUsd
    netted: MicroShares
    """Sets booked as turned into cash by a venue that nets."""
    payouts: tuple[Payout, ...]
    """Of the markets whose resolution the ledger has booked for this attempt."""
    was_partial: bool
    """It has been in protection: it is not counted as another partial fill."""
    legs: tuple[SetLeg, ...]
    """As its set had them then; orders name a leg by its place here."""
    orders: tuple[StoredOrder, ...]
    """In the order of their commits."""

    @property
    def over(self) -> bool:
        """Nothing of it is open, held or has come since its end."""
        quiet = all(order.phase is Phase.ENDED for order in self.orders)
        return self.ending is not None and quiet and not self.news_after_end and not self.open_position

    def fits(self, terms: ExecutionTerms) -> bool:
        """Whether its set still has the legs that it was made with. With others every leg of it would be taken for
        another share.
        """
        return self.legs == terms.complete_set.legs


def made_otherwise(stored: Sequence[StoredAttempt], terms: Mapping[SetId, ExecutionTerms]) -> tuple[StoredAttempt, ...]:
    """Live attempts that are not over and whose set has other legs now under the same id: nothing can be done about
    them, and nothing may be begun.
    """
    return tuple(
        one
        for one in stored
        if one.mode == "live" and not one.over and one.set_id in terms and terms[one.set_id].mode == "live"
        if not one.fits(terms[one.set_id])
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What the network starts from."""

    executors: Mapping[SetId, tuple[Record, tuple[SetAction, ...]]]
    risk: RiskState
    rows: tuple[AttemptChanged | OrderChanged, ...]
    """Endings of paper attempts, and of their orders, that the end of their process cut off."""
    unfinished: tuple[AttemptId, ...]
    """Live attempts that are worked on again; trading is re-armed only when there are none left."""
    orphans: tuple[AttemptId, ...]
    """Unfinished attempts of sets that are no longer configured: only the operator can decide about them."""


def recover(
    stored: Sequence[StoredAttempt],
    terms: Mapping[SetId, ExecutionTerms],
    now: BootNs,
    wall: WallNs,
    resolutions: Sequence[MarketResolved] = (),
) -> Recovery:
    """Everything that a new process must know of the old one. `stored` is oldest first and holds nothing that was
    `made_otherwise`; `resolutions` are the markets that the old one saw resolve: nobody may tell of them again.
    """
    executors: dict[SetId, tuple[Record, tuple[SetAction, ...]]] = {}
    unfinished: list[AttemptId] = []
    rows: list[AttemptChanged | OrderChanged] = []
    by_set: dict[SetId, list[StoredAttempt]] = {}
    for one in stored:
        by_set.setdefault(one.set_id, []).append(one)
    for set_id, all_of_it in by_set.items():
        known = terms.get(set_id)
        if known is None:
            continue
        ones = [one for one in all_of_it if one.fits(known)]
        for one in ones:
            if one.mode != "live" and one.ending is None:
                rows += _cut_off(attempt_from(one, known, now), known, wall)
        live = [one for one in ones if one.mode == "live"]
        if live and known.mode == "live":
            attempts = {one.attempt_id: attempt_from(one, known, now) for one in live}
            again = [one.attempt_id for one in live if _open(attempts[one.attempt_id], one)]
            latest = [one.attempt_id for one in live[-PAST_PER_SET:]]
            kept = {*again, *latest, *(one.attempt_id for one in live if one.open_position)}
            taken_up = [attempts[one.attempt_id] for one in live if one.attempt_id in kept]
            record, actions = recovered(taken_up, known, now, wall, frozenset(again))
            for resolution in resolutions:
                record, more = step(record, resolution, known, now, wall)
                actions = (*actions, *more)
            executors[set_id] = record, actions
            unfinished += again
    orphans = tuple(o for o in stored if o.set_id not in terms and o.ending is None and o.mode == "live")
    risk = _risk(stored, terms, now, wall, frozenset(unfinished))
    for resolution in resolutions:
        risk = resolved(risk, resolution.market_id, {set_id: known.market_ids for set_id, known in terms.items()})
    return Recovery(
        executors=executors,
        risk=replace(
            risk, unresolved=risk.unresolved.union(*({leg.market_id for leg in orphan.legs} for orphan in orphans))
        ),
        rows=tuple(rows),
        unfinished=tuple(unfinished),
        orphans=tuple(orphan.attempt_id for orphan in orphans),
    )


def _cut_off(attempt: Attempt, terms: ExecutionTerms, wall: WallNs) -> list[AttemptChanged | OrderChanged]:
    """A paper attempt has no venue that could still fill it: it ends as far as it had come."""
    why = "cut off by the end of its process"
    attempt = replace(attempt, stranded=attempt.surplus != 0)
    orders: list[AttemptChanged | OrderChanged] = [
        replace(set_rows.order_changed(life, wall), phase=Phase.ENDED, detail=why)
        for life in attempt.orders
        if not life.ended
    ]
    return [*orders, set_rows.changed(terms, attempt, State.IDLE, wall, ended=True, detail=why)]


def attempt_from(stored: StoredAttempt, terms: ExecutionTerms, now: BootNs) -> Attempt:
    """The attempt as it was, as far as the ledger knows. It will never open anything again."""
    limits = {order.intent.leg: order.intent.limit_price for order in reversed(stored.orders)}
    asks = tuple(limits.get(leg, PriceMicros(0)) for leg in range(len(terms.legs)))
    met = [o for o in stored.orders if o.refusal is None or not met_nobody(o.refusal, by_venue=o.by_venue)]
    purposes = [order.intent.purpose for order in met]
    followers = len(terms.legs) - 1 if terms.complete_set.leg_policy is LegPolicy.THIN_LEG_FIRST else 0
    remedies = purposes.count(Purpose.UNWIND) + max(0, purposes.count(Purpose.COMPLETE) - followers)
    attempt = Attempt(
        attempt_id=stored.attempt_id,
        opportunity_id=stored.opportunity_id,
        set_id=stored.set_id,
        size=stored.size,
        reserved=stored.reserved,
        asks=asks,
        reach=asks,
        depths=tuple(MicroShares(0) for _ in terms.legs),
        fees=tuple(leg.market.fees for leg in terms.legs),
        began=now,
        orders=tuple(life_from(order, terms, now) for order in stored.orders),
        followed=True,
        partial=stored.was_partial or remedies > 0 or stored.ending is Ending.PARTIAL,
        remedies=remedies,
        merged=stored.merged,
        merged_cash=stored.merged_cash,
        netted=stored.netted,
        merge_asked=True,
        merge_answered=True,
        payouts=stored.payouts,
        paid_out={p.market_id for p in stored.payouts}.issuperset(terms.market_ids),
    )
    ended_with_residue = stored.ending is not None and attempt.surplus != 0 and not stored.news_after_end
    return replace(attempt, stranded=ended_with_residue)


def life_from(stored: StoredOrder, terms: ExecutionTerms, now: BootNs) -> OrderLife:
    """One order's life. The horizon of an unknown one starts anew, at the start of this process: nobody sends for the
    old one any more, but its last byte may have left just before the end.
    """
    ended = stored.phase is Phase.ENDED
    refusal = None
    if stored.refusal is not None:
        own = stored.intent.client_order_id
        refusal = Refused(client_order_id=own, code=stored.refusal, text=stored.detail, by_venue=stored.by_venue)
    heard = stored.phase in (Phase.LIVE, Phase.CLOSING, Phase.ENDED)
    back = sum(fill.size for fill in stored.fills if fill.state is FillState.REVERSED)
    counted = MicroShares(stored.filled + back)
    return OrderLife(
        intent=stored.intent,
        patience_ns=terms.order_timeout_ns,
        horizon_ns=terms.legs[stored.intent.leg].horizon_ns,
        committed_at=BootNs(now - terms.order_timeout_ns),
        accepted=stored.venue_order_id is not None,
        venue_order_ids=frozenset() if stored.venue_order_id is None else frozenset({stored.venue_order_id}),
        refusal=refusal,
        doubted=not heard,
        counted=counted if stored.venue_order_id is not None else MicroShares(0),
        finished=ended or stored.phase is Phase.CLOSING,
        final_count=counted if ended and refusal is None else None,
        fills=tuple(sorted(stored.fills, key=lambda fill: fill.venue_trade_id)),
        sent_at=stored.sent_at,
        acked_at=stored.acked_at,
    )


def windows(switch: KillSwitch, incidents: Sequence[tuple[str, WallNs]], now: BootNs, wall: WallNs) -> KillSwitch:
    """The kill switch with what the ledger remembers since the last resume: a restart is no amnesty.

    `incidents` are (kind, wall time), oldest first. One from the future (a clock that was set back) counts as new.
    """
    for kind, at in incidents:
        switch, _ = switch.noted(kind, BootNs(now - max(0, wall - at)))
    return switch


def _open(attempt: Attempt, stored: StoredAttempt) -> bool:
    return stored.ending is None or not attempt.quiet or attempt.naked


def _risk(
    stored: Sequence[StoredAttempt],
    terms: Mapping[SetId, ExecutionTerms],
    now: BootNs,
    wall: WallNs,
    unfinished: frozenset[AttemptId],
) -> RiskState:
    """Today's money and what is held. What is unfinished stays reserved in full, on its own day, and its markets take
    no new attempt until it has ended.
    """
    day = utc_day(wall)
    spent, reservations, held, released = 0, [], set(), []
    approved: list[BootNs] = []
    blocked: set[MarketId] = set()
    modes = {known.mode for known in terms.values()}
    for one in stored:
        known = terms.get(one.set_id)
        if known is None or not one.fits(known):
            if one.mode in modes and utc_day(one.at) == day:
                spent += _spent(one)
            continue
        if one.mode != known.mode:
            continue
        notional = attempt_from(one, known, now).notional()
        age = max(0, wall - one.at)
        if age < MINUTE:
            approved += [BootNs(now - age)] * sum(order.intent.purpose is Purpose.OPEN for order in one.orders)
        if one.attempt_id in unfinished:
            reservations.append(_reservation(one, known.market_ids, MicroUsd(max(one.reserved, notional))))
            blocked.update(known.market_ids)
            continue
        if one.open_position:
            held.add((one.attempt_id, one.set_id))
        if utc_day(one.at) == day:
            spent += notional
            released.append((one.attempt_id, notional))
    return RiskState(
        day=day,
        spent_today=MicroUsd(spent),
        reservations=tuple(reservations),
        held=frozenset(held),
        unresolved=frozenset(blocked),
        approved_at=tuple(sorted(approved)),
        released=tuple(released)[-REMEMBERED:],
    )


def _spent(one: StoredAttempt) -> int:
    """What its BUYs have cost or may still come to cost, by its rows alone: its set is not what it was, or gone, and
    the day's money is spent all the same (I9). A fee that the venue has not named is not in it.
    """
    total = 0
    for order in one.orders:
        if order.intent.action is not Action.BUY:
            continue
        standing = [fill for fill in order.fills if fill.state is not FillState.REVERSED]
        total += sum(cost_rounded_up(fill.price, fill.size) + (fill.fee or 0) for fill in standing)
        limit, size = order.intent.limit_price, order.intent.size
        most = order.filled if order.phase is Phase.ENDED else size
        total += cost_rounded_up(limit, MicroShares(max(0, most - sum(fill.size for fill in standing))))
    return total


def _reservation(one: StoredAttempt, market_ids: tuple[MarketId, ...], notional: MicroUsd) -> Reservation:
    return Reservation(
        attempt_id=one.attempt_id,
        set_id=one.set_id,
        market_ids=market_ids,
        notional=notional,
        day=utc_day(one.at),
    )
