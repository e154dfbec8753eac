"""Which executor an answer, a fill or an order update belongs to. Not an actor: a table with one lock.

The ledger and the lanes know attempts, a user stream knows orders, and some venues' streams know only their own order
ids. News about a venue order that nobody has been told of yet (a fill before its ack) waits here for the ack.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from actors.base import Address
from models.messages import FillSeen, OrderKnown, OrderUpdated
from models.newest import Newest
from models.orders import AttemptId, ClientOrderId, OrderIntent, VenueOrderId

KEPT: Final = 1024
"""Attempts, and orders, that are still recognised. What is older is the reconcile's to find."""
WAITING: Final = 256
"""News about venue orders without an owner yet; the oldest gives way and counts as a stray."""


class OrderRoutes:
    """`tell` from any thread: passes a message on to the executor that owns its attempt or its order."""

    def __init__(self, on_stray: Callable[[object], None]) -> None:
        """`on_stray` is called, outside the lock, with news about orders that this bot did not make."""
        self._on_stray = on_stray
        self._lock = threading.Lock()
        self._attempts: Newest[AttemptId, Address] = Newest(KEPT)
        self._orders: Newest[ClientOrderId, Address] = Newest(KEPT)
        self._venue_orders: Newest[VenueOrderId, ClientOrderId] = Newest(KEPT)
        self._waiting: list[tuple[VenueOrderId, OrderUpdated]] = []

    def own(self, attempt_id: AttemptId, executor: Address) -> None:
        with self._lock:
            self._attempts.put(attempt_id, executor)

    def own_orders(self, intents: Iterable[OrderIntent], executor: Address) -> None:
        """Called before the intents are handed to the ledger, so nothing about them can come too early."""
        with self._lock:
            for intent in intents:
                self._attempts.put(intent.attempt_id, executor)
                self._orders.put(intent.client_order_id, executor)

    def knows(self, client_order_id: ClientOrderId) -> bool:
        """Whether news about this order would find an executor."""
        with self._lock:
            return self._orders.get(client_order_id) is not None

    def knows_attempt(self, attempt_id: AttemptId) -> bool:
        """Whether news about this attempt would find an executor."""
        with self._lock:
            return self._attempts.get(attempt_id) is not None

    def tell(self, message: object) -> None:
        if isinstance(message, OrderKnown):
            self._learn(message)
            return
        if isinstance(message, OrderUpdated) and message.seen.client_order_id is None:
            self._unnamed(message)
            return
        executor = self._owner(message)
        if executor is not None:
            executor.tell(message)
        else:
            self._on_stray(message)

    def _unnamed(self, message: OrderUpdated) -> None:
        """News under the venue's own id: for the order that is known by it, else kept until an ack names ours."""
        dropped = None
        with self._lock:
            named = self._venue_orders.get(message.seen.venue_order_id)
            if named is None:
                self._waiting.append((message.seen.venue_order_id, message))
                dropped = self._waiting.pop(0)[1] if len(self._waiting) > WAITING else None
        if named is not None:
            self.tell(replace(message, seen=replace(message.seen, client_order_id=named)))
        elif dropped is not None:
            self._on_stray(dropped)

    def _owner(self, message: object) -> Address | None:
        with self._lock:
            if isinstance(message, FillSeen):
                return self._orders.get(message.fill.client_order_id)
            if isinstance(message, OrderUpdated):
                named = message.seen.client_order_id
                return None if named is None else self._orders.get(named)
            attempt_id: AttemptId | None = getattr(message, "attempt_id", None)
            if attempt_id is None:
                raise TypeError(f"{type(message).__name__} belongs to no attempt")
            return self._attempts.get(attempt_id)

    def _learn(self, known: OrderKnown) -> None:
        with self._lock:
            self._venue_orders.put(known.venue_order_id, known.client_order_id)
            executor = self._orders.get(known.client_order_id)
            due = [news for venue_order_id, news in self._waiting if venue_order_id == known.venue_order_id]
            self._waiting = [entry for entry in self._waiting if entry[0] != known.venue_order_id]
        for news in due:
            if executor is not None:
                executor.tell(replace(news, seen=replace(news.seen, client_order_id=known.client_order_id)))
