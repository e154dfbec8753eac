"""After a restart: from what the ledger holds back to records, reservations and positions.

An order without a last word is doubted, whatever it looked like: the process may have died between the commit and the
answer. Nothing is concluded here about the venue; the executors ask it, by the same rules as on any other day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from models import set_rows
from models.attempt import Attempt
from models.clock import BootNs, WallNs
from models.execution import ExecutionTerms
from models.market import MarketId, SetId
from models.money import MicroShares, MicroUsd, PriceMicros
from models.order_life import OrderLife, Phase
from models.orders import AttemptId, Fill, OrderIntent, Purpose, Refused, VenueOrderId
from models.risk import Reservation, RiskState, utc_day
from models.rows import AttemptChanged, Ending
from models.set_events import Action
from models.set_state import Record, State
from models.sets import LegPolicy
from models.tradeset import recovered

PAST_PER_SET = 8
"""Ended attempts of a set that are read back, so that a late fill still finds its owner."""


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
    open_position: bool
    merged: MicroShares
    """Sets turned into cash by a settlement row."""
    merged_cash: MicroUsd
    orders: tuple[StoredOrder, ...]
    """In the order of their commits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What the network starts from."""

    executors: Mapping[SetId, tuple[Record, tuple[Action, ...]]]
    risk: RiskState
    rows: tuple[AttemptChanged, ...]
    """Endings of paper attempts that the end of their process cut off."""
    unfinished: tuple[AttemptId, ...]
    """Live attempts that are worked on again; trading is re-armed only when there are none left."""
    orphans: tuple[AttemptId, ...]
    """Unfinished attempts of sets that are no longer configured: only the operator can decide about them."""


def recover(
    stored: Sequence[StoredAttempt], terms: Mapping[SetId, ExecutionTerms], now: BootNs, wall: WallNs
) -> Recovery:
    """Everything that a new process must know of the old one. `stored` is oldest first."""
    executors: dict[SetId, tuple[Record, tuple[Action, ...]]] = {}
    unfinished: list[AttemptId] = []
    rows: list[AttemptChanged] = []
    by_set: dict[SetId, list[StoredAttempt]] = {}
    for one in stored:
        by_set.setdefault(one.set_id, []).append(one)
    for set_id, ones in by_set.items():
        known = terms.get(set_id)
        if known is None:
            continue
        live = [one for one in ones if one.mode == "live"]
        paper = [one for one in ones if one.mode != "live" and one.ending is None]
        rows += [
            set_rows.changed(known, attempt_from(one, known, now), State.IDLE, wall, ended=True, detail="cut off")
            for one in paper
        ]
        if live and known.mode == "live":
            attempts = [attempt_from(one, known, now) for one in live]
            kept = [
                a for a, one in zip(attempts, live, strict=True) if one.ending is None or one in live[-PAST_PER_SET:]
            ]
            executors[set_id] = recovered(kept, known, now, wall)
            unfinished += [a.attempt_id for a, one in zip(attempts, live, strict=True) if _open(a, one)]
    orphans = tuple(o.attempt_id for o in stored if o.set_id not in terms and o.ending is None and o.mode == "live")
    return Recovery(
        executors=executors,
        risk=_risk(stored, terms, now, wall, frozenset(unfinished)),
        rows=tuple(rows),
        unfinished=tuple(unfinished),
        orphans=orphans,
    )


def attempt_from(stored: StoredAttempt, terms: ExecutionTerms, now: BootNs) -> Attempt:
    """The attempt as it was, as far as the ledger knows. It will never open anything again."""
    limits = {order.intent.leg: order.intent.limit_price for order in reversed(stored.orders)}
    purposes = [order.intent.purpose for order in stored.orders]
    followers = len(terms.legs) - 1 if terms.complete_set.leg_policy is LegPolicy.THIN_LEG_FIRST else 0
    remedies = purposes.count(Purpose.UNWIND) + max(0, purposes.count(Purpose.COMPLETE) - followers)
    attempt = Attempt(
        attempt_id=stored.attempt_id,
        opportunity_id=stored.opportunity_id,
        set_id=stored.set_id,
        size=stored.size,
        reserved=stored.reserved,
        asks=tuple(limits.get(leg, PriceMicros(0)) for leg in range(len(terms.legs))),
        depths=tuple(MicroShares(0) for _ in terms.legs),
        fees=tuple(leg.market.fees for leg in terms.legs),
        began=now,
        orders=tuple(life_from(order, terms, now) for order in stored.orders),
        followed=True,
        partial=remedies > 0 or stored.ending is Ending.PARTIAL,
        remedies=remedies,
        merged=stored.merged,
        merged_cash=stored.merged_cash,
        merge_asked=True,
        merge_answered=True,
    )
    ended_with_residue = stored.ending is not None and attempt.surplus != 0
    return replace(attempt, stranded=ended_with_residue)


def life_from(stored: StoredOrder, terms: ExecutionTerms, now: BootNs) -> OrderLife:
    """One order's life. The horizon of an unknown one starts anew: its last byte may have left just before the end."""
    ended = stored.phase is Phase.ENDED
    refusal = None
    if stored.refusal is not None:
        own = stored.intent.client_order_id
        refusal = Refused(client_order_id=own, code=stored.refusal, text="", by_venue=stored.by_venue)
    heard = stored.phase in (Phase.LIVE, Phase.CLOSING, Phase.ENDED)
    return OrderLife(
        intent=stored.intent,
        patience_ns=terms.order_timeout_ns,
        horizon_ns=terms.legs[stored.intent.leg].horizon_ns,
        committed_at=now,
        accepted=stored.venue_order_id is not None,
        venue_order_ids=frozenset() if stored.venue_order_id is None else frozenset({stored.venue_order_id}),
        refusal=refusal,
        doubted=not heard,
        counted=stored.filled if stored.venue_order_id is not None else MicroShares(0),
        finished=ended or stored.phase is Phase.CLOSING,
        final_count=stored.filled if ended and refusal is None else None,
        fills=tuple(sorted(stored.fills, key=lambda fill: fill.venue_trade_id)),
        sent_at=stored.sent_at,
        acked_at=stored.acked_at,
    )


def _open(attempt: Attempt, stored: StoredAttempt) -> bool:
    return not attempt.quiet or attempt.naked or (attempt.provisional and stored.ending is None)


def _risk(
    stored: Sequence[StoredAttempt],
    terms: Mapping[SetId, ExecutionTerms],
    now: BootNs,
    wall: WallNs,
    unfinished: frozenset[AttemptId],
) -> RiskState:
    """Today's money and what is held. What is unfinished stays reserved in full, on its own day."""
    day = utc_day(wall)
    spent, reservations, held, released = 0, [], set(), []
    for one in stored:
        known = terms.get(one.set_id)
        if known is None or one.mode != known.mode:
            continue
        notional = attempt_from(one, known, now).notional()
        if one.attempt_id in unfinished:
            reservations.append(_reservation(one, known.market_ids, MicroUsd(max(one.reserved, notional))))
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
        released=tuple(released),
    )


def _reservation(one: StoredAttempt, market_ids: tuple[MarketId, ...], notional: MicroUsd) -> Reservation:
    return Reservation(
        attempt_id=one.attempt_id,
        set_id=one.set_id,
        market_ids=market_ids,
        notional=notional,
        day=utc_day(one.at),
    )
