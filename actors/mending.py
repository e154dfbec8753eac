"""What a reconcile puts right: facts that were missed, orders that should not rest, merges that nobody heard of, and
sets that are still held although their venue would take them back. Used by `actors/reconcile.py` alone, on its thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from actors.base import Address
from actors.order_routes import OrderRoutes
from models.clock import BootNs, Clock
from models.market import MarketId, Outcome, SetId
from models.messages import (
    CancelOrder,
    FillSeen,
    MarketResolved,
    MergeAnswered,
    MergeSets,
    OrderUpdated,
    RecordRows,
)
from models.money import MICRO, MicroUsd, text
from models.orders import AttemptId
from models.reconcile import Compared, Finding, FindingKind, HeldSets
from models.rows import FillReported
from models.strangers import Stranger, merged, pay_out

MERGES_MAX: Final = 4
"""After one pass: the protective lane has better things to do."""


class Mender:
    def __init__(
        self,
        *,
        mergeable: Mapping[MarketId, SetId],
        ledger: Address,
        lanes: Address,
        routes: OrderRoutes,
        executors: Sequence[Address],
        risk: Address,
        clock: Clock,
        reply_to: Address,
    ) -> None:
        """`mergeable` are the markets whose complete sets their venue turns into cash; `reply_to` hears of merges."""
        self._mergeable = mergeable
        self._ledger = ledger
        self._lanes = lanes
        self._routes = routes
        self._executors = executors
        self._risk = risk
        self._clock = clock
        self._reply_to = reply_to
        self._merging: dict[AttemptId, MarketId] = {}

    @property
    def merging(self) -> frozenset[MarketId]:
        """Markets with a merge from here that has not been answered."""
        return frozenset(self._merging.values())

    def mend(self, compared: Compared, now: BootNs) -> list[Finding]:
        """Facts that were missed go to their owners; an order of ours that rests and should not is cancelled. An
        attempt that nobody remembers is long over: its execution is booked, and what it holds then halts (`open`).
        """
        for order, fill in compared.missed:
            if self._routes.knows(fill.client_order_id):
                self._routes.tell(FillSeen(fill=fill, at=now))
            else:
                row = FillReported(venue=order.intent.venue, at=self._clock.wall_ns(), fill=fill)
                self._ledger.tell(RecordRows(rows=(row,)))
        for order, seen in compared.orphans:
            if self._routes.knows(order.intent.client_order_id):
                self._routes.tell(OrderUpdated(seen=seen, at=now))
            self._lanes.tell(CancelOrder(intent=order.intent, venue_order_id=seen.venue_order_id))
        return [f for f in compared.findings if f.kind in (FindingKind.MISSED, FindingKind.ORPHAN)]

    def tell_merged(self, lost: Sequence[HeldSets], strangers: Sequence[Stranger], now: BootNs) -> list[Finding]:
        """The answers of these merges were lost: their executors hear what the account shows, and what no executor
        owns is booked.
        """
        unowned = {one.attempt_id: one for one in strangers}
        for one in lost:
            if self._routes.knows_attempt(one.attempt_id):
                cash, why = MicroUsd(one.size), "as the account shows it"
                self._routes.tell(MergeAnswered(attempt_id=one.attempt_id, cash=cash, size=one.size, why=why, at=now))
            elif one.attempt_id in unowned:
                rows = merged(unowned[one.attempt_id], one.size, self._clock.wall_ns())
                self._ledger.tell(RecordRows(rows=rows))
        return [Finding(FindingKind.MERGED, f"the sets of attempt {one.attempt_id}") for one in lost]

    def tell_paid(self, market_id: MarketId, yes_pays: int, strangers: Sequence[Stranger], now: BootNs) -> Finding:
        """A market resolved while nobody listened: everybody hears it now, and what no executor owns is booked."""
        winner = {MICRO: Outcome.YES, 0: Outcome.NO}.get(yes_pays)
        resolved = MarketResolved(market_id, winner, yes_pays, now)
        for receiver in (*self._executors, self._risk, self._ledger):
            receiver.tell(resolved)
        rows = tuple(row for one in strangers for row in pay_out(one, resolved, self._clock.wall_ns()))
        if rows:
            self._ledger.tell(RecordRows(rows=rows))
        return Finding(FindingKind.PAID, f"{market_id} pays {text(yes_pays)} per YES")

    def merge(self, held: Sequence[HeldSets]) -> None:
        """Turn complete sets of ended attempts into cash, the oldest first. Only while ledger and venue agree: then no
        earlier merge of them can be on its way.
        """
        can = [one for one in held if one.market_id in self._mergeable and self._routes.knows_attempt(one.attempt_id)]
        for one in can[:MERGES_MAX]:
            self._merging[one.attempt_id] = one.market_id
            self._lanes.tell(
                MergeSets(
                    attempt_id=one.attempt_id,
                    set_id=self._mergeable[one.market_id],
                    market_id=one.market_id,
                    size=one.size,
                    reply_to=self._reply_to,
                )
            )

    def note(self, message: MergeAnswered) -> bool:
        """To its executor, who books it. True where that was the last one and it worked: the rest may follow."""
        self._merging.pop(message.attempt_id, None)
        self._routes.tell(message)
        return message.cash is not None and not self._merging
