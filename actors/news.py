"""What the operator reads as it happens: a tap on the ledger's messages, and the little it has to remember for it.

Nothing here asks an actor. Any thread tells; everything kept is bounded.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from actors.base import Address
from adapters.operator.events import EventBoard
from models import messages as m
from models.book import NotReady
from models.clock import Clock, WallNs, utc_day
from models.market import MarketId
from models.money import MicroShares, MicroUsd
from models.newest import Newest
from models.news import News, news_of
from models.order_life import Phase
from models.orders import AttemptId, ClientOrderId, OrderIntent
from models.rows import AttemptChanged, AttemptOpened, Ending, FillReported, OrderAdopted, OrderChanged, PaperFilled
from models.set_state import State
from models.status import OrderRow, PaperTotals, Today

logger = logging.getLogger(__name__)

REMEMBERED: Final = 512
"""Orders, and attempts, whose market a later line can still name."""

LISTED: Final = 20
"""Latest orders in a status snapshot."""

UNREAD: Final = 1024
"""Messages that may wait to be read. Beyond, each teller reads two: nobody looks, or nobody could keep up."""

PAPER: Final = "paper"
PESSIMISTIC: Final = "pessimistic"


@dataclass(slots=True)
class _Order:
    """What is known of one order: the row that is shown, and when it was intended."""

    row: OrderRow
    intended: WallNs


class Memory:
    """Which order belongs to which market and which attempt to which set: later messages name only the id."""

    def __init__(self) -> None:
        self._orders: Newest[ClientOrderId, _Order] = Newest(REMEMBERED)
        self._attempts: Newest[AttemptId, AttemptOpened] = Newest(REMEMBERED)
        self._counted: Newest[AttemptId, dict[str, int]] = Newest(REMEMBERED)
        """What of an attempt is in the day's counters."""

    def intended(self, intent: OrderIntent, now: WallNs) -> None:
        row = OrderRow(
            client_order_id=intent.client_order_id,
            market_id=intent.market_id,
            outcome=intent.outcome.value.upper(),
            action=intent.action.value.upper(),
            size=intent.size,
            price=intent.limit_price,
            status="SENT",
            took_ns=None,
        )
        self._orders.put(intent.client_order_id, _Order(row, intent.at or now))

    def changed(self, change: OrderChanged) -> None:
        known = self._orders.get(change.client_order_id)
        if known is not None:
            took = None if change.acked_at is None else max(0, change.acked_at - known.intended)
            known.row = replace(known.row, status=_status(change, known.row.size), took_ns=took)

    def opened(self, attempt: AttemptOpened) -> None:
        self._attempts.put(attempt.attempt_id, attempt)

    def progressed(self, row: AttemptChanged) -> tuple[dict[str, int], dict[str, int]]:
        """What the attempt was counted as so far, and what it counts as from now on."""
        before = self._counted.get(row.attempt_id) or {}
        opened = self._attempts.get(row.attempt_id)
        after = _figures(row, money=opened is None or opened.mode != PAPER)
        after["in_doubt"] = max(after["in_doubt"], before.get("in_doubt", 0))
        self._counted.put(row.attempt_id, after)
        return before, after

    def order(self, client_order_id: ClientOrderId) -> OrderRow | None:
        known = self._orders.get(client_order_id)
        return None if known is None else known.row

    def set_of(self, attempt_id: AttemptId) -> str | None:
        opened = self._attempts.get(attempt_id)
        return None if opened is None else opened.set_id

    def orders(self) -> tuple[OrderRow, ...]:
        """The latest, newest first."""
        return tuple(known.row for known in self._orders.last(LISTED))


def _status(change: OrderChanged, size: MicroShares) -> str:
    """One word, as an operator reads it."""
    if change.refusal is not None:
        return "REFUSED" if change.by_venue else "KEPT BACK"
    if change.phase is Phase.ENDED:
        return "FILLED" if change.filled >= size else "PART" if change.filled else "MISSED"
    return "SENT" if change.phase is Phase.INTENDED else change.phase.value.upper()


class NewsTap:
    """Stands before the LedgerActor: passes every message on, posts the ones worth a line, keeps today's counters.

    Any thread. A message is passed on at once and read when somebody looks: the tellers are those whom an order waits
    for, and those who look do so several times a second.
    """

    def __init__(self, clock: Clock, board: EventBoard) -> None:
        self._clock = clock
        self._board = board
        self._ledger: Address | None = None
        self._lock = threading.Lock()
        self._memory = Memory()
        self._day = utc_day(clock.wall_ns())
        self._today = Today()
        self._paper = _no_paper()
        self._ready_once: set[MarketId] = set()
        self._gaps = self._resyncs = 0
        self._snapshots_checked = self._snapshots_equal = 0
        self._unread: deque[tuple[WallNs, object]] = deque()
        """What was told, and when."""
        self._reading = threading.Lock()
        board.before_look = self.read

    def before(self, ledger: Address) -> Address:
        """Stand before `ledger` from now on."""
        self._ledger = ledger
        return self

    def tell(self, message: object) -> None:
        assert self._ledger is not None, "told before the ledger exists"
        self._ledger.tell(message)
        self._unread.append((self._clock.wall_ns(), message))
        if len(self._unread) > UNREAD and self._reading.acquire(blocking=False):
            try:
                self._read_some(2)
            finally:
                self._reading.release()

    def read(self) -> None:
        """Read everything that has been told until now."""
        with self._reading:
            self._read_some(len(self._unread))

    def counters(self) -> tuple[Today, PaperTotals]:
        """Of the present UTC day."""
        self.read()
        self._roll(self._clock.wall_ns())
        with self._lock:
            return self._today, self._paper

    def orders(self) -> tuple[OrderRow, ...]:
        """The latest orders of this run, newest first."""
        self.read()
        with self._lock:
            return self._memory.orders()

    def losses(self) -> tuple[int, int]:
        """(holes in a book's sequence, books that were made whole again) in this run."""
        self.read()
        return self._gaps, self._resyncs

    def compared(self) -> tuple[int, int]:
        """(snapshots that were compared with a book, those of them that were equal) in this run."""
        self.read()
        return self._snapshots_checked, self._snapshots_equal

    def _read_some(self, count: int) -> None:
        for _ in range(count):
            at, message = self._unread.popleft()
            try:
                self._roll(at)
                for row in _rows(message):
                    self._tell_of(row)
            except Exception:  # the edge of whoever looks: one line that cannot be made must not end the console
                logger.exception("a %s could not be told", type(message).__name__)

    def _tell_of(self, row: object) -> None:
        news = news_of(row)
        if news is not None:
            news = self._named(news, row)
            self._board.post(news.kind, news.subject, news.text, ident=news.ident, fold=news.fold)
        self._count(row)

    def _named(self, news: News, row: object) -> News:
        """The line with the market or set that its message does not name itself."""
        match row:
            case FillReported(fill=fill):
                with self._lock:
                    order = self._memory.order(fill.client_order_id)
                if order is None:
                    return news
                sides = f"{order.action.lower()} {order.outcome}"
                return news._replace(subject=order.market_id, text=f"{sides} {news.text}")
            case OrderChanged():
                with self._lock:
                    order = self._memory.order(row.client_order_id)
                return news if order is None else news._replace(subject=order.market_id)
            case AttemptChanged():
                with self._lock:
                    return news._replace(subject=self._memory.set_of(row.attempt_id) or "")
            case _:
                return news

    def _roll(self, wall: WallNs) -> None:
        """A new UTC day begins with nothing."""
        day = utc_day(wall)
        if day > self._day:
            with self._lock:
                self._day = day
                self._today = Today()
                self._paper = _no_paper()

    def _count(self, row: object) -> None:
        match row:
            case m.OpportunitySkipped() | m.OpportunityJudged():
                self._add(opportunities=1)
            case AttemptOpened():
                with self._lock:
                    self._memory.opened(row)
                self._add(attempts=1)
            case AttemptChanged():
                self._attempt(row)
            case OrderIntent():
                with self._lock:
                    self._memory.intended(row, self._clock.wall_ns())
            case OrderAdopted():
                with self._lock:
                    self._memory.intended(row.intent, row.at)
            case OrderChanged():
                with self._lock:
                    self._memory.changed(row)
                self._add(rejects=row.refusal is not None and row.by_venue)
            case PaperFilled():
                self._add_paper(row)
            case m.SnapshotCompared():
                self._snapshots_checked += 1
                self._snapshots_equal += row.equal
            case m.BookNews():
                self._book(row)
            case _:
                pass

    def _book(self, news: m.BookNews) -> None:
        """A book's first snapshot of a run is no resync."""
        if news.not_ready is NotReady.GAP:
            self._gaps += 1
        elif news.not_ready is None:
            self._resyncs += news.market_id in self._ready_once
            self._ready_once.add(news.market_id)

    def _attempt(self, row: AttemptChanged) -> None:
        """Rows tell the whole story so far, and an ended attempt may be told of again: only what is new counts."""
        with self._lock:
            before, after = self._memory.progressed(row)
        self._add(**{name: amount - before.get(name, 0) for name, amount in after.items()})

    def _add(self, **amounts: int) -> None:
        if not any(amounts.values()):
            return
        with self._lock:
            changed = {name: getattr(self._today, name) + int(amount) for name, amount in amounts.items()}
            self._today = replace(self._today, **changed)

    def _add_paper(self, row: PaperFilled) -> None:
        with self._lock:
            known = getattr(self._paper, row.model)
            pessimistic = row.model == PESSIMISTIC
            if pessimistic:
                fees, net = self._today.fees + row.fees, self._today.net_pnl + (row.net_pnl or 0)
                self._today = replace(self._today, fees=MicroUsd(fees), net_pnl=MicroUsd(net))
            changed: dict[str, int] = {row.model: known + (row.net_pnl or 0)}
            self._paper = replace(self._paper, sets=self._paper.sets + pessimistic, **changed)  # type: ignore[arg-type]


def _rows(message: object) -> Iterable[object]:
    """What a message to the ledger says, one thing at a time, in its order."""
    match message:
        case m.RecordRows():
            return message.rows
        case m.CommitIntents():
            return (*message.rows, *message.intents)
        case _:
            return (message,)


def _figures(row: AttemptChanged, *, money: bool) -> dict[str, int]:
    """What the attempt adds to the day's counters, as far as `row` tells. The money of a paper attempt is not its own
    fill's but the pessimistic one's, which has a row to itself.
    """
    ended = money and row.ending is not None
    return {
        "completed": row.ending is Ending.SUCCESS,
        "partial": row.ending is Ending.PARTIAL,
        "in_doubt": row.state == State.IN_DOUBT.value,
        "fees": row.fees if ended else 0,
        "net_pnl": (row.realized_pnl or 0) if ended else 0,
    }


def _no_paper() -> PaperTotals:
    return PaperTotals(sets=0, optimistic=MicroUsd(0), shifted=MicroUsd(0), pessimistic=MicroUsd(0))
