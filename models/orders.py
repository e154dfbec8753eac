"""Orders: what is intended, the three answers a venue can give, and fills.

A timeout is not a rejection. `Refused` exists only where the venue has proved that nothing was accepted (an allow-list
of codes per venue); everything else that is not `Accepted` is `OutcomeUnknown`, counts as full exposure and blocks its
market.
"""

from __future__ import annotations

import enum
import hashlib
import json
from dataclasses import dataclass
from typing import NewType

from models.clock import BootNs, WallNs
from models.market import Action, MarketId, Outcome, SetId, VenueName
from models.money import MicroShares, MicroUsd, PriceMicros

AttemptId = NewType("AttemptId", str)
ClientOrderId = NewType("ClientOrderId", str)
VenueOrderId = NewType("VenueOrderId", str)


class TimeInForce(enum.StrEnum):
    IOC = "IOC"
    FOK = "FOK"
    GTC = "GTC"


class Purpose(enum.StrEnum):
    """OPEN adds exposure and stops at a halt. COMPLETE and UNWIND reduce what is known to be naked, and pass."""

    OPEN = "open"
    COMPLETE = "complete"
    UNWIND = "unwind"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIntent:
    """One order as it will go out. Committed to the ledger before its first byte leaves (I1)."""

    client_order_id: ClientOrderId
    attempt_id: AttemptId
    set_id: SetId
    venue: VenueName
    market_id: MarketId
    leg: int
    """Index into the set's legs."""
    outcome: Outcome
    action: Action
    limit_price: PriceMicros
    size: MicroShares
    time_in_force: TimeInForce
    purpose: Purpose
    at: WallNs = WallNs(0)
    """When it was handed to the ledger. A venue that signs a time into an order signs this one, so that the order (and
    its id there) can be made again after a restart; 0 where nobody has handed it over.
    """

    def canonical(self) -> bytes:
        """The bytes that the ledger's row hash covers; a lane recomputes them before it sends."""
        fields = [getattr(self, name) for name in self.__slots__]
        return json.dumps([str(f) for f in fields], separators=(",", ":"), ensure_ascii=True).encode()


def derive_client_order_id(attempt_id: AttemptId, leg: int, sequence: int) -> ClientOrderId:
    """The id of the `sequence`-th order of a leg: derived, not drawn, so a retry or a restart can only repeat it.

    Letters, digits and dashes only (Kalshi refuses a dot in `client_order_id`, kalshi.md 4.1, 2026-11-22).
    """
    digest = hashlib.sha256(f"{attempt_id}/{leg}/{sequence}".encode()).hexdigest()
    return ClientOrderId(f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedIntent:
    """An intent that the ledger has committed with synchronous=FULL. Only the ledger makes one; only this reaches a
    lane.
    """

    intent: OrderIntent
    ledger_seq: int
    row_hash: str
    """`commit_seal(intent, ledger_seq)`; a lane recomputes it before it sends."""


def commit_seal(intent: OrderIntent, ledger_seq: int) -> str:
    """Hash that binds an intent to the ledger row that it was committed as, 64 hex digits."""
    return hashlib.sha256(b"%d|%s" % (ledger_seq, intent.canonical())).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The venue has the order. `filled` is cumulative, None where the answer does not say."""

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    filled: MicroShares | None
    done: bool
    """Nothing more can fill (IOC and FOK after their answer)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The venue has proved that it did not accept the order, or our own gate kept it from leaving."""

    client_order_id: ClientOrderId
    code: str
    text: str
    by_venue: bool = True
    """False: it never left this process (halt, expired permit, rate budget). Not counted as a venue reject."""
    barred: bool = False
    """The venue refuses the account, not the order: banned, closing only, not who it says it is. Trading stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeUnknown:
    """Neither accepted nor refused: timeout, reset, 5xx, unreadable or unexpected reply."""

    client_order_id: ClientOrderId
    why: str


SubmitAnswer = Accepted | Refused | OutcomeUnknown


class FillState(enum.StrEnum):
    """PROVISIONAL may still be reversed (Polymarket MATCHED or MINED); FINAL and REVERSED are last words."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution. Unique by (venue, venue_trade_id, client_order_id); may arrive twice, in any order, before its
    ack.
    """

    venue_trade_id: str
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId | None
    size: MicroShares
    price: PriceMicros
    fee: MicroUsd | None
    """As the venue charged it; None where the venue has not said yet (the worst case of the schedule is used until
    then).
    """
    state: FillState
    exchange_ms: int | None


class VenueOrderStatus(enum.StrEnum):
    LIVE = "live"
    PENDING = "pending"
    """Accepted but held back (Polymarket `delayed`)."""
    DONE = "done"
    """Filled, cancelled, expired or killed: nothing more can fill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSeen:
    """The venue's own word about one order (probe, open-orders list or user stream). `filled` is cumulative."""

    client_order_id: ClientOrderId | None
    venue_order_id: VenueOrderId
    status: VenueOrderStatus
    filled: MicroShares
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNotFound:
    """The venue does not show the order now. Absence is not proof until the visibility horizon has passed (V08)."""

    client_order_id: ClientOrderId
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFailed:
    """The question itself failed; nothing was learned of the order."""

    client_order_id: ClientOrderId
    why: str
    barred: bool = False
    """The venue refuses the account (401, 403). Trading stops: what is open cannot even be looked at."""


ProbeAnswer = OrderSeen | OrderNotFound | ProbeFailed


class CancelResult(enum.StrEnum):
    """CANCELLED and GONE are the venue's words; GONE ("already filled", "not found") means: ask, do not assume."""

    CANCELLED = "cancelled"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAnswer:
    client_order_id: ClientOrderId
    result: CancelResult
    text: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """When the bytes of an order left, for the ledger's `sent_at` and the latency figures."""

    client_order_id: ClientOrderId
    at: BootNs
    wall: WallNs
