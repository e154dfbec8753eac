"""PaperDesk: stands where the order lanes stand, fills orders on the live books, and sends nothing to anybody.

Accepts  SendOrders (ledger); CancelOrder, ProbeOrder, MergeSets, ApprovedSet (executors); LaddersSeen (books)
Sends    SubmitAnswered, FillSeen, CancelAnswered, ProbeAnswered, MergeAnswered -> executors;  LaddersWanted -> books;
         RecordRows (the three paper fills of each attempt) -> ledger

An order is filled on the books as they are `latency` after it was handed over. Beside that, each approved attempt is
looked at over the whole latency grid and told three ways (`models/paper.py`). There is no signer, no session and no
socket in here (I19).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from actors.base import Address, BotActor, Crash
from models.clock import SECOND, Clock
from models.execution import ExecutionTerms
from models.fees import taker_fee
from models.market import Action, MarketId, SetId
from models.messages import (
    ApprovedSet,
    CancelAnswered,
    CancelOrder,
    FillSeen,
    LaddersSeen,
    LaddersWanted,
    MergeAnswered,
    MergeSets,
    ProbeAnswered,
    ProbeOrder,
    RecordRows,
    SendOrders,
    SubmitAnswered,
)
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros, divide_down
from models.orders import (
    Accepted,
    CancelAnswer,
    CancelResult,
    ClientOrderId,
    Fill,
    FillState,
    OrderIntent,
    OrderNotFound,
    OrderSeen,
    ProbeAnswer,
    TimeInForce,
    VenueOrderId,
    VenueOrderStatus,
)
from models.paper import LegBook, Moment, Taken, ioc_fills, left, remember, three_ways
from models.rows import PaperFilled

if TYPE_CHECKING:
    from actors.dispatch import Dispatcher

PATIENCE_NS: Final = 2 * SECOND
"""How long a study waits for ladders after its last look; a book that does not answer counts as not ready."""


ORDERS_KEPT: Final = 4096
"""Orders that a probe is still answered about."""


@dataclass(frozen=True, slots=True)
class _Due:
    """To itself, by timer."""

    run: Callable[[], None]


@dataclass(slots=True)
class _Look:
    """Ladders asked of several markets under one tag."""

    markets: tuple[MarketId, ...]
    then: Callable[[Mapping[MarketId, LaddersSeen]], None]
    seen: dict[MarketId, LaddersSeen] = field(default_factory=dict)


@dataclass(slots=True)
class _Study:
    """One attempt, watched over the latency grid."""

    approved: ApprovedSet
    taken: Taken
    """As it was at the decision, so that the attempt's own paper fills do not count against it."""
    moments: list[Moment] = field(default_factory=list)
    concluded: bool = False


@dataclass(slots=True)
class _PaperOrder:
    intent: OrderIntent
    filled: int = 0
    done: bool = False


class PaperDesk(BotActor):
    """One per bot in paper mode."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        on_crash: Crash,
        terms: Sequence[ExecutionTerms],
        *,
        latency_ns: int,
        grid_ns: Sequence[int],
        books: Mapping[MarketId, Address],
        executors: Address,
        ledger: Address,
        clock: Clock,
    ) -> None:
        """`grid_ns` are the latencies of the pessimistic fill. `executors` routes answers by attempt and order."""
        super().__init__(dispatcher, "paper", on_crash)
        self._terms: dict[SetId, ExecutionTerms] = {t.complete_set.set_id: t for t in terms}
        self._latency_ns = latency_ns
        self._grid_ns = tuple(sorted({*grid_ns, latency_ns}))
        self._books = books
        self._executors = executors
        self._ledger = ledger
        self._clock = clock
        self._looks: dict[str, _Look] = {}
        self._asked = 0
        self._orders: dict[ClientOrderId, _PaperOrder] = {}
        self._taken: Taken = {}

    def receive(self, message: Any) -> None:
        match message:
            case _Due():
                message.run()
            case LaddersSeen():
                self._seen(message)
            case SendOrders():
                self._accept(message)
            case ApprovedSet():
                self._study(message)
            case CancelOrder():
                self._cancel(message)
            case ProbeOrder():
                self._probe(message)
            case MergeSets():
                self._merge(message)
            case _:
                raise TypeError(f"the paper desk cannot handle {type(message).__name__}")

    # -- orders ----------------------------------------------------------------------------------------------------

    def _accept(self, message: SendOrders) -> None:
        intents = tuple(c.intent for c in message.committed)
        for intent in intents:
            self._orders[intent.client_order_id] = _PaperOrder(intent)
        while len(self._orders) > ORDERS_KEPT:
            del self._orders[next(iter(self._orders))]
        markets = tuple(dict.fromkeys(intent.market_id for intent in intents))
        self._later(self._latency_ns, lambda: self._look(markets, partial(self._fill_all, intents)))

    def _fill_all(self, intents: Sequence[OrderIntent], seen: Mapping[MarketId, LaddersSeen]) -> None:
        for intent in intents:
            self._fill(intent, seen[intent.market_id])

    def _fill(self, intent: OrderIntent, book: LaddersSeen) -> None:
        order = self._orders[intent.client_order_id]
        if order.done:  # called off on its way
            return
        buys = intent.action is Action.BUY
        displayed = book.asks(intent.outcome) if buys else book.bids(intent.outcome)
        there = left(displayed, self._taken, intent.market_id, intent.outcome, intent.action)
        fills = ioc_fills(intent, there)
        self._taken = remember(self._taken, intent, displayed, fills)
        order.filled = sum(size for _, size in fills)
        order.done = intent.time_in_force is not TimeInForce.GTC or order.filled == intent.size
        now = self._clock.boot_ns()
        answer = Accepted(
            client_order_id=intent.client_order_id,
            venue_order_id=_venue_id(intent),
            filled=MicroShares(order.filled),
            done=order.done,
        )
        self._executors.tell(SubmitAnswered(attempt_id=intent.attempt_id, answer=answer, sent=None, at=now))
        fees = self._terms[intent.set_id].legs[intent.leg].market.fees
        for number, (price, size) in enumerate(fills):
            fill = Fill(
                venue_trade_id=f"paper-{intent.client_order_id}-{number}",
                client_order_id=intent.client_order_id,
                venue_order_id=_venue_id(intent),
                size=MicroShares(size),
                price=PriceMicros(price),
                fee=taker_fee(fees, PriceMicros(price), MicroShares(size)),
                state=FillState.FINAL,
                exchange_ms=book.top.as_of_ms(intent.outcome),
            )
            self._executors.tell(FillSeen(fill=fill, at=now))

    def _cancel(self, message: CancelOrder) -> None:
        order = self._orders.get(message.intent.client_order_id)
        result = CancelResult.GONE if order is None or order.done else CancelResult.CANCELLED
        if order is not None:
            order.done = True
        answer = CancelAnswer(client_order_id=message.intent.client_order_id, result=result)
        self._executors.tell(
            CancelAnswered(attempt_id=message.intent.attempt_id, answer=answer, at=self._clock.boot_ns())
        )

    def _probe(self, message: ProbeOrder) -> None:
        own = message.intent.client_order_id
        order = self._orders.get(own)
        answer: ProbeAnswer = OrderNotFound(client_order_id=own, source="paper")
        if order is not None:
            answer = OrderSeen(
                client_order_id=own,
                venue_order_id=_venue_id(order.intent),
                status=VenueOrderStatus.DONE if order.done else VenueOrderStatus.PENDING,
                filled=MicroShares(order.filled),
            )
        self._executors.tell(
            ProbeAnswered(attempt_id=message.intent.attempt_id, answer=answer, fills=(), at=self._clock.boot_ns())
        )

    def _merge(self, message: MergeSets) -> None:
        payout = self._terms[message.set_id].complete_set.payout
        cash = MicroUsd(divide_down(payout * message.size, MICRO))
        self._executors.tell(
            MergeAnswered(
                attempt_id=message.attempt_id, cash=cash, size=message.size, why="paper", at=self._clock.boot_ns()
            )
        )

    # -- studies ---------------------------------------------------------------------------------------------------

    def _study(self, approved: ApprovedSet) -> None:
        study = _Study(approved, self._taken)
        terms = self._terms[approved.opportunity.set_id]
        for after_ns in self._grid_ns:
            note = partial(self._note, study, terms, after_ns)
            self._later(after_ns, partial(self._look, terms.market_ids, note))
        self._later(self._grid_ns[-1] + PATIENCE_NS, partial(self._conclude, study, terms))

    def _note(self, study: _Study, terms: ExecutionTerms, after_ns: int, seen: Mapping[MarketId, LaddersSeen]) -> None:
        books = []
        for leg in terms.legs:
            market_id, outcome = leg.market.market_id, leg.outcome
            book = seen[market_id]
            books.append(
                LegBook(
                    ready=book.top.not_ready is None and not book.top.crossed,
                    bids=left(book.bids(outcome), study.taken, market_id, outcome, Action.SELL),
                    asks=left(book.asks(outcome), study.taken, market_id, outcome, Action.BUY),
                )
            )
        study.moments.append(Moment(after_ns, tuple(books)))
        if len(study.moments) == len(self._grid_ns):
            self._conclude(study, terms)

    def _conclude(self, study: _Study, terms: ExecutionTerms) -> None:
        """Once per study: when the last look has been answered, or when its patience has ended."""
        if study.concluded:
            return
        study.concluded = True
        approved = study.approved
        tops = approved.opportunity.tops
        results = three_ways(
            terms,
            [top.ladder(leg.outcome) for top, leg in zip(tops, terms.legs, strict=True)],
            approved.size,
            self._latency_ns,
            study.moments,
        )
        at = self._clock.wall_ns()
        rows = tuple(
            PaperFilled(
                attempt_id=approved.attempt_id,
                at=at,
                model=result.model.value,
                filled=result.filled,
                cost=result.cost,
                fees=result.fees,
                net_pnl=result.net_pnl,
                note=result.note,
            )
            for result in results
        )
        self._ledger.tell(RecordRows(rows=rows))

    # -- ladders and timers ----------------------------------------------------------------------------------------

    def _later(self, delay_ns: int, run: Callable[[], None]) -> None:
        due = _Due(run)
        self._clock.call_after(delay_ns, lambda: self.address.tell(due))

    def _look(self, markets: tuple[MarketId, ...], then: Callable[[Mapping[MarketId, LaddersSeen]], None]) -> None:
        self._asked += 1
        tag = f"paper/{self._asked}"
        self._looks[tag] = _Look(markets, then)
        for market_id in markets:
            self._books[market_id].tell(LaddersWanted(market_id, tag, self.address))

    def _seen(self, message: LaddersSeen) -> None:
        look = self._looks.get(message.tag)
        if look is None:
            return
        look.seen[message.top.market_id] = message
        if len(look.seen) == len(look.markets):
            del self._looks[message.tag]
            look.then(look.seen)


def _venue_id(intent: OrderIntent) -> VenueOrderId:
    return VenueOrderId(f"paper-{intent.client_order_id}")
