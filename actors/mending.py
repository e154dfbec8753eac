"""What a reconcile puts right: facts that were missed, orders that should not rest, merges that nobody heard of, and
sets that are still held although their venue would take them back. Used by `actors/reconcile.py` alone, on its thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from actors.base import Address
from actors.order_routes import OrderRoutes
from models.clock import BootNs, Clock
from models.market import MarketId, SetId
from models.messages import CancelOrder, FillSeen, MergeAnswered, MergeSets, OrderUpdated, RecordRows
from models.money import MicroUsd
from models.orders import AttemptId
from models.reconcile import Compared, Finding, FindingKind, HeldSets
from models.rows import FillReported

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
        clock: Clock,
        reply_to: Address,
    ) -> None:
        """`mergeable` are the markets whose complete sets their venue turns into cash; `reply_to` hears of merges."""
        self._mergeable = mergeable
        self._ledger = ledger
        self._lanes = lanes
        self._routes = routes
        self._clock = clock
        self._reply_to = reply_to
        self._merging: dict[AttemptId, MarketId] = {}

    @property
    def merging(self) -> frozenset[MarketId]:
        """Markets with a merge from here that has not been answered."""
        return frozenset(self._merging.values())

    def mend(self, compared: Compared, now: BootNs) -> list[Finding]:
        """Facts that were missed go to their owners; an order of ours that rests and should not is cancelled. An
        attempt that nobody remembers is long over: its execution is booked, and the difference that it makes halts.
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

    def tell_merged(self, merged: Sequence[HeldSets], now: BootNs) -> list[Finding]:
        """The answers of these merges were lost: their executors hear what the account shows."""
        for one in merged:
            if self._routes.knows_attempt(one.attempt_id):
                cash, why = MicroUsd(one.size), "as the account shows it"
                self._routes.tell(MergeAnswered(attempt_id=one.attempt_id, cash=cash, size=one.size, why=why, at=now))
        return [Finding(FindingKind.MERGED, f"the sets of attempt {one.attempt_id}") for one in merged]

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
