"""What one job of an order lane does: one call at the venue, and every answer that it gives told back.

Synchronous and without threads, so the simulator runs the very same code on its own scheduler. Nothing is ever sent
twice from here: an exception is an answer too.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Protocol

from adapters.venue import AccountRefusedError, GateEntry, Orders, Resolves, VenueReadError, VenueReadRefusedError
from models.clock import MS, BootNs, Clock
from models.market import MarketId
from models.messages import (
    CancelAnswered,
    CancelOrder,
    MergeAnswered,
    MergeSets,
    OrderKnown,
    ProbeAnswered,
    ProbeOrder,
    Receiver,
    StatementFailed,
    StatementSeen,
    StatementWanted,
    SubmitAnswered,
)
from models.money import MicroUsd
from models.orders import (
    Accepted,
    CancelAnswer,
    CancelResult,
    ClientOrderId,
    CommittedIntent,
    Fill,
    OrderNotFound,
    OrderSeen,
    OutcomeUnknown,
    ProbeAnswer,
    ProbeFailed,
    Purpose,
    Refused,
    Sent,
    SubmitAnswer,
    commit_seal,
)

logger = logging.getLogger(__name__)

FILLS_BACK_MS: Final = 24 * 3600 * 1000
"""How far back from the order itself a probe looks for its executions: whole days, because clocks are set back."""


class Gate(Protocol):
    """The part of `adapters.gate.Gate` that the lanes use."""

    def enter_opening(self, market_ids: Sequence[MarketId]) -> AbstractContextManager[bool]: ...

    def enter_protective(self) -> AbstractContextManager[bool]: ...

    def trip(self, reason: str, by: str) -> object: ...


class _Passage:
    """One pass through the gate that remembers whether, and when, a first byte may have left. From `until` on it is
    closed: a connection may have taken longer to come up than anybody waits for the order.
    """

    def __init__(self, entry: AbstractContextManager[bool], clock: Clock, until: BootNs | None) -> None:
        self._entry = entry
        self._clock = clock
        self._until = until
        self.granted = False
        self.late = False
        self.entered = 0
        self.at = BootNs(0)
        self.wall = clock.wall_ns()

    def open(self) -> AbstractContextManager[bool]:
        """The `GateEntry` that the adapter is given."""
        return self

    def __enter__(self) -> bool:
        self.entered += 1
        if not self._entry.__enter__():
            return False
        at = self._clock.boot_ns()
        if self._until is not None and at >= self._until:
            self.late = True
            return False
        self.granted = True
        self.at, self.wall = at, self._clock.wall_ns()
        return True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._entry.__exit__(kind, error, at)


class OrderCalls:
    """The calls of one venue. Every method runs on the lane's thread and returns when the venue has answered."""

    def __init__(self, orders: Orders, gate: Gate, clock: Clock, answers: Receiver, catalog: object = None) -> None:
        """`answers` routes by attempt (`actors.order_routes.OrderRoutes`); `catalog` is asked how markets resolved,
        if it is one of those that know (`Resolves`).
        """
        self._orders = orders
        self._gate = gate
        self._clock = clock
        self._answers = answers
        self._catalog = catalog

    @property
    def batch_max(self) -> int:
        return self._orders.capabilities.batch_max

    def submit(self, committed: Sequence[CommittedIntent], until: BootNs | None = None) -> None:
        """Send orders that are on disk, in one request where there are several, and tell every answer. No first byte
        leaves at `until` or later: from then on the executor counts how long nobody shows the order.
        """
        forged = [c for c in committed if c.row_hash != commit_seal(c.intent, c.ledger_seq)]
        if forged:
            self._gate.trip(f"order {forged[0].intent.client_order_id} is not the one that was committed", "lanes")
            self.answer(committed, [_kept(c, "seal", "not the order that was committed") for c in committed], None)
            return
        passage = _Passage(self._entry(committed), self._clock, until)
        try:
            answers = self._place(committed, passage.open)
        except Exception as error:  # the lane's edge: an exception must not lose an order that may be at the venue
            logger.exception("a submit failed")
            answers = [_without_answer(c, passage, type(error).__name__) for c in committed]
        if len(answers) != len(committed) or passage.entered > 1:
            answers = [_without_answer(c, passage, "the answer does not fit the request") for c in committed]
        if passage.late and not passage.granted:
            answers = [_kept(c, "lane_late", "its deadline passed before it could be sent") for c in committed]
        self.answer(committed, answers, passage if passage.granted else None)

    def answer(
        self, committed: Sequence[CommittedIntent], answers: Sequence[SubmitAnswer], passage: _Passage | None
    ) -> None:
        at = self._clock.boot_ns()
        for one, answer in zip(committed, answers, strict=True):
            own = one.intent.client_order_id
            sent = None if passage is None else Sent(own, passage.at, passage.wall)
            if answer.client_order_id != own:
                answer = OutcomeUnknown(client_order_id=own, why="the answer is about another order")
            if passage is None and not isinstance(answer, Refused):
                self._gate.trip(f"order {own} was sent without passing the gate", "lanes")
            self._answers.tell(SubmitAnswered(attempt_id=one.intent.attempt_id, answer=answer, sent=sent, at=at))
            if isinstance(answer, Accepted):
                self._answers.tell(OrderKnown(client_order_id=own, venue_order_id=answer.venue_order_id))

    def doubt(self, committed: Sequence[CommittedIntent], why: str) -> None:
        """The call has not come back: nobody knows. Its own answer may still follow."""
        at = self._clock.boot_ns()
        for one in committed:
            answer = OutcomeUnknown(client_order_id=one.intent.client_order_id, why=why)
            self._answers.tell(SubmitAnswered(attempt_id=one.intent.attempt_id, answer=answer, sent=None, at=at))

    def cancel(self, message: CancelOrder) -> None:
        own = message.intent.client_order_id
        try:
            answer = self._orders.cancel_order(message.intent, message.venue_order_id)
        except Exception as error:  # the lane's edge: whatever went wrong, the cancel may have been done
            logger.exception("a cancel failed")
            answer = CancelAnswer(client_order_id=own, result=CancelResult.UNKNOWN, text=type(error).__name__)
        self.cancelled(message, answer)

    def cancelled(self, message: CancelOrder, answer: CancelAnswer) -> None:
        self._answers.tell(
            CancelAnswered(attempt_id=message.intent.attempt_id, answer=answer, at=self._clock.boot_ns())
        )

    def probe(self, message: ProbeOrder) -> None:
        """Ask the venue about one order: by its id, then among the open orders, then among the executions.

        Each source that does not show the order is told as such, with the time at which it was asked.
        """
        intent, attempt_id = message.intent, message.intent.attempt_id
        own = intent.client_order_id
        asked = self._clock.boot_ns()
        fills: tuple[Fill, ...] = ()
        further: list[ProbeAnswer] = []
        try:
            answer = self._orders.get_order_status(intent, message.venue_order_id)
            made = min(intent.at or self._clock.wall_ns(), self._clock.wall_ns())
            since_ms = made // MS - FILLS_BACK_MS
            fills = tuple(f for f in self._orders.fills(intent, since_ms) if f.client_order_id == own)
            if not fills:
                further.append(OrderNotFound(client_order_id=own, source="executions"))
            if isinstance(answer, OrderNotFound):
                further.append(self._among_open(own))
        except (VenueReadError, VenueReadRefusedError) as error:
            answer = ProbeFailed(client_order_id=own, why=str(error), barred=isinstance(error, AccountRefusedError))
        except Exception as error:  # the lane's edge: a question that fails has taught nothing
            logger.exception("a probe failed")
            answer = ProbeFailed(client_order_id=own, why=type(error).__name__)
        self._answers.tell(ProbeAnswered(attempt_id=attempt_id, answer=answer, fills=fills, at=asked))
        if isinstance(answer, OrderNotFound):
            for also in further:
                self._answers.tell(ProbeAnswered(attempt_id=attempt_id, answer=also, fills=(), at=asked))

    def _among_open(self, own: ClientOrderId) -> ProbeAnswer:
        found: OrderSeen | None = next((o for o in self._orders.open_orders() if o.client_order_id == own), None)
        if found is not None:
            return found
        return OrderNotFound(client_order_id=own, source="open orders")

    def statement(self, message: StatementWanted) -> None:
        """Read everything that the venue says of the account. The parts are not of one instant; who compares asks
        again before believing a difference.
        """
        orders, serial, venue = self._orders, message.serial, message.venue
        answer: StatementSeen | StatementFailed
        try:
            answer = StatementSeen(
                serial=serial,
                venue=venue,
                open_orders=tuple(orders.open_orders()),
                fills=tuple(orders.fills(None, message.since_ms)),
                positions=tuple((p.market_id, p.outcome, p.size) for p in orders.positions()),
                cash=orders.balances(),
                resolved=self._resolved(message.markets),
            )
        except (VenueReadError, VenueReadRefusedError) as error:
            answer = StatementFailed(serial=serial, venue=venue, why=str(error))
        except Exception as error:  # the lane's edge: a question that fails has taught nothing
            logger.exception("a statement failed")
            answer = StatementFailed(serial=serial, venue=venue, why=type(error).__name__)
        message.reply_to.tell(answer)

    def _resolved(self, markets: Sequence[MarketId]) -> tuple[tuple[MarketId, int], ...]:
        if not markets or not isinstance(self._catalog, Resolves):
            return ()
        return tuple(self._catalog.resolutions(markets).items())

    def merge(self, message: MergeSets) -> None:
        cash, why = None, ""
        try:
            cash = self._orders.merge(message.market_id, message.size)
        except (VenueReadError, VenueReadRefusedError) as error:
            why = str(error)
        except Exception as error:  # the lane's edge: the merge may have been done
            logger.exception("a merge failed")
            why = type(error).__name__
        self.merged(message, cash, why)

    def merged(self, message: MergeSets, cash: MicroUsd | None, why: str) -> None:
        answer = MergeAnswered(
            attempt_id=message.attempt_id, cash=cash, size=message.size, why=why, at=self._clock.boot_ns()
        )
        (message.reply_to or self._answers).tell(answer)

    # -- inside

    def _entry(self, committed: Sequence[CommittedIntent]) -> AbstractContextManager[bool]:
        opening = [c.intent.market_id for c in committed if c.intent.purpose is Purpose.OPEN]
        return self._gate.enter_opening(opening) if opening else self._gate.enter_protective()

    def _place(self, committed: Sequence[CommittedIntent], gate: GateEntry) -> list[SubmitAnswer]:
        prepared = [self._orders.prepare(c.intent) for c in committed]
        if len(committed) == 1:
            return [self._orders.place_order(committed[0], prepared[0], gate)]
        return self._orders.place_orders(committed, prepared, gate)


def _kept(one: CommittedIntent, code: str, why: str) -> Refused:
    return Refused(client_order_id=one.intent.client_order_id, code=code, text=why, by_venue=False)


def _without_answer(one: CommittedIntent, passage: _Passage, why: str) -> SubmitAnswer:
    """In doubt if a byte may have left, else as good as refused."""
    if passage.granted:
        return OutcomeUnknown(client_order_id=one.intent.client_order_id, why=why)
    return _kept(one, "not_sent", why)
