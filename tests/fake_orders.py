"""A venue's private side with levers: what each order becomes, how long a call takes, what a question shows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from adapters.venue import Capabilities, GateEntry, Position
from models.market import BookModel, Market, MarketId, VenueName
from models.money import MicroShares, MicroUsd
from models.orders import (
    Accepted,
    CancelAnswer,
    CancelResult,
    CommittedIntent,
    Fill,
    OrderIntent,
    OrderNotFound,
    OrderSeen,
    ProbeAnswer,
    Refused,
    SubmitAnswer,
    VenueOrderId,
    commit_seal,
)

CAPABILITIES = Capabilities(
    book_model=BookModel.SEPARATE,
    ioc=True,
    fok=True,
    batch_max=15,
    sequence_numbers=True,
    idempotent_ids=False,
    user_stream=True,
    merge=True,
    netting=False,
    dead_man_switch=False,
    visibility_horizon_s=5,
    requests_per_second=100,
)


class FakeOrders:
    name = VenueName("simulated")
    capabilities = CAPABILITIES

    def __init__(self) -> None:
        self.sent: list[str] = []
        """Client ids whose first byte left, in order."""
        self.batches: list[tuple[str, ...]] = []
        self.threads: list[str] = []
        self.on_place: Callable[[CommittedIntent], SubmitAnswer] = accepted
        self.before_gate: Callable[[], None] = lambda: None
        self.after_gate: Callable[[], None] = lambda: None
        self.on_status: Callable[[OrderIntent], ProbeAnswer] = not_found
        self.on_cancel: Callable[[OrderIntent], CancelAnswer] = cancelled
        self.on_merge: Callable[[MicroShares], MicroUsd] = MicroUsd
        self.executions: list[Fill] = []
        self.fills_since: list[int] = []
        """Ms since 1970 of every look at the executions."""
        self.resting: list[OrderSeen] = []

    def get_ready(self, markets: Sequence[Market]) -> None:
        pass

    def prepare(self, intent: OrderIntent) -> object:
        return intent.client_order_id

    def place_order(self, committed: CommittedIntent, prepared: object, gate: GateEntry) -> SubmitAnswer:
        return self.place_orders([committed], [prepared], gate)[0]

    def place_orders(
        self, committed: Sequence[CommittedIntent], prepared: Sequence[object], gate: GateEntry
    ) -> list[SubmitAnswer]:
        self.threads.append(threading.current_thread().name)
        self.before_gate()
        with gate() as granted:
            if not granted:
                return [
                    Refused(client_order_id=c.intent.client_order_id, code="gate_closed", text="halted", by_venue=False)
                    for c in committed
                ]
            self.sent += [c.intent.client_order_id for c in committed]
            self.batches.append(tuple(str(p) for p in prepared))
        self.after_gate()
        return [self.on_place(c) for c in committed]

    def cancel_order(self, intent: OrderIntent, venue_order_id: VenueOrderId | None) -> CancelAnswer:
        self.threads.append(threading.current_thread().name)
        return self.on_cancel(intent)

    def get_order_status(self, intent: OrderIntent, venue_order_id: VenueOrderId | None) -> ProbeAnswer:
        return self.on_status(intent)

    def open_orders(self) -> list[OrderSeen]:
        return self.resting

    def fills(self, intent: OrderIntent | None, since_ms: int) -> list[Fill]:
        self.fills_since.append(since_ms)
        return self.executions

    def positions(self) -> list[Position]:
        return []

    def balances(self) -> MicroUsd:
        return MicroUsd(0)

    def listen_fills_ws(self) -> None:
        return None

    def merge(self, market_id: MarketId, size: MicroShares) -> MicroUsd:
        return self.on_merge(size)


def accepted(committed: CommittedIntent) -> SubmitAnswer:
    own = committed.intent.client_order_id
    return Accepted(
        client_order_id=own, venue_order_id=VenueOrderId(f"v-{own}"), filled=committed.intent.size, done=True
    )


def not_found(intent: OrderIntent) -> ProbeAnswer:
    return OrderNotFound(client_order_id=intent.client_order_id, source="orders")


def cancelled(intent: OrderIntent) -> CancelAnswer:
    return CancelAnswer(client_order_id=intent.client_order_id, result=CancelResult.CANCELLED)


def sealed(intent: OrderIntent, seq: int = 1) -> CommittedIntent:
    return CommittedIntent(intent=intent, ledger_seq=seq, row_hash=commit_seal(intent, seq))
