"""BookActor: owns one market's book and publishes its top once per frame.

Accepts  GenerationBegan, BookUpdate, BookSnapshot, MarketAlive, BookLost, StatusChanged, TickChanged, LaddersWanted,
         FreshWanted, SilenceSuspected
Sends    TopOfBook -> SignalActor;  SnapshotWanted -> snapshot lane;  BookNews, SnapshotCompared -> LedgerActor;
         LaddersSeen -> whoever asked;  GridChanged -> SignalActor;  RecordRows -> LedgerActor
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.base import Address, BotActor, Crash
from models.book import (
    NO_ASK,
    NO_BID,
    YES_ASK,
    YES_BID,
    BookLost,
    BookSnapshot,
    BookUpdate,
    MarketAlive,
    NotReady,
    TopOfBook,
)
from models.book_keeping import NO_GENERATION, Book, Effect
from models.clock import BootNs, Clock
from models.events import grid_changed
from models.market import BookModel, Market, MarketStatus
from models.messages import (
    BookNews,
    FreshWanted,
    GenerationBegan,
    GridChanged,
    LaddersSeen,
    LaddersWanted,
    RecordRows,
    SilenceSuspected,
    SnapshotCompared,
    SnapshotWanted,
    StatusChanged,
    TickChanged,
)
from models.terms import LAGGING_FACTOR

if TYPE_CHECKING:
    from actors.dispatch import Dispatcher


CHANGED: Final = Effect.CHANGED


class BookActor(BotActor):
    """One market. Runs on the hot dispatcher of the feed that carries the market."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        on_crash: Crash,
        market: Market,
        *,
        clock: Clock,
        signal: Address,
        snapshots: Address,
        ledger: Address,
        depth: int,
        lagging_ms: int,
        proof_ns: int = 0,
        quiet_ns: int = 0,
    ) -> None:
        """`lagging_ms`: exchange-to-us lag above which the book calls itself not ready until it has caught up to half
        of that (without the gap between the two, a lag that wavers would be a ledger row per frame).

        A heartbeat without other news is told where the proof told last is older than `proof_ns` and the market itself
        is a gap, or older than `quiet_ns`. 0, where legs of several markets are compared: each one.
        """
        super().__init__(dispatcher, f"book:{market.market_id}", on_crash)
        self._market = market
        self._clock = clock
        self._signal = signal
        self._snapshots = snapshots
        self._ledger = ledger
        self._lagging_ms = lagging_ms
        self._lag_limit = lagging_ms
        self._late_ms = lagging_ms // LAGGING_FACTOR
        self._proof_ns = proof_ns
        self._quiet_ns = quiet_ns
        self._closed: NotReady | None = None
        """PAUSED or RESOLVED by the venue's own word, None while the market is open."""
        self._closed_at = BootNs(0)
        """When that word came in."""
        self._grid_known = True
        """The venue's price grid is the one of `market`."""
        self._news: NotReady | None = NotReady.NO_SNAPSHOT
        self._book = Book(market.market_id, unified=market.book_model is BookModel.UNIFIED, depth=depth)

    @property
    def evidence_at(self) -> BootNs:
        """Read by the status publisher on another thread."""
        return self._book.evidence_at

    def receive(self, message: Any) -> None:
        kind = type(message)
        if kind is BookUpdate:
            book = self._book
            effect = book.update(message)
            # The usual frame, without a call to spare: applied, and the book was and stays usable. Else the long way.
            if effect is CHANGED and self._news is None and self._closed is None:
                lag = book.lag_ms
                if lag is None or lag <= self._lag_limit:
                    if book.due(message.received_at):
                        self._signal.tell(book.top())
                    return
            self._after(effect)
        else:
            self._rarer(message, kind)

    def _rarer(self, message: Any, kind: type[Any]) -> None:
        if kind is BookSnapshot:
            self._snapshot(message)
        elif kind is MarketAlive:
            self._alive(message)
        elif kind is LaddersWanted:
            self._answer(message)
        elif kind is SilenceSuspected:
            self._answer_to_silence(message)
        elif kind is FreshWanted:
            self._read_anew()
        elif kind is BookLost:
            self._after(self._book.lose(message.reason, message.generation, message.received_at))
        elif kind is GenerationBegan:
            self._begin(message)
        elif kind is TickChanged:
            self._regrid(message)
        elif kind is StatusChanged:
            self._status(message)
        else:
            raise TypeError(f"a book cannot handle {kind.__name__}")

    def _alive(self, message: MarketAlive) -> None:
        """Thousands of quiet markets say every second that they are quiet, and nobody decides by that second. That
        their connection is too late to decide by, and is no more, is told at once.
        """
        book = self._book
        effect = book.alive(message)
        told = book.proof_due(self._proof_ns, self._quiet_ns) or book.lag_crossed(self._late_ms)
        if effect is CHANGED and self._news is None and self._closed is None and not told:
            lag = book.lag_ms
            if lag is None or lag <= self._lag_limit:
                return
        self._after(effect)

    def _after(self, effect: Effect) -> None:
        if effect is Effect.NOTHING:
            return
        if effect is Effect.LOST:
            self._want_snapshot(str(self._book.not_ready))
        self._publish()

    def _publish(self) -> None:
        top = self._top(told=True)
        if top.not_ready is not self._news:
            self._tell_news(top)
        self._signal.tell(top)

    def _top(self, *, told: bool) -> TopOfBook:
        """The book's top, not ready also where the venue does not trade or we cannot keep up."""
        top = self._book.top(told=told)
        if top.not_ready is not None:
            return top
        if self._closed is not None:
            return msgspec.structs.replace(top, not_ready=self._closed)
        lag = top.lag_ms
        if lag is not None and lag > self._lag_limit:
            self._lag_limit = self._lagging_ms // 2
            return msgspec.structs.replace(top, not_ready=NotReady.LAGGING)
        self._lag_limit = self._lagging_ms
        return top

    def _tell_news(self, top: TopOfBook) -> None:
        self._news = top.not_ready
        self._ledger.tell(
            BookNews(
                market_id=self._market.market_id,
                not_ready=top.not_ready,
                generation=top.generation,
                seq=top.seq,
                at=self._clock.wall_ns(),
            )
        )

    def _snapshot(self, message: BookSnapshot) -> None:
        check = self._book.check(message)
        effect = self._book.snapshot(message)
        if check.checked and effect is not Effect.NOTHING:
            self._ledger.tell(
                SnapshotCompared(
                    market_id=self._market.market_id, source=message.source, equal=check.equal, at=self._clock.wall_ns()
                )
            )
        if message.status is not None and message.asked_at is not None:
            self._look_at_status(message.status, message.asked_at)
        self._after(effect)

    def _look_at_status(self, status: MarketStatus, asked_at: BootNs) -> None:
        """The stream tells a change once, and that may be lost. An answer that was asked for after the stream's last
        word is newer than that word; what has resolved stays so.
        """
        newer = asked_at > self._closed_at and self._closed is not NotReady.RESOLVED
        if newer and _not_ready_for(status) is not self._closed:
            said = StatusChanged(self._market.market_id, status, "as read anew", asked_at)
            self._signal.tell(said)
            self._status(said)

    def _begin(self, message: GenerationBegan) -> None:
        """A new connection, or the loss of the old one: not ready either way, at once.

        After a loss the book belongs to no connection: a snapshot or frame of the lost one, still under way, must not
        heal a book that nobody feeds.
        """
        if not message.connected:
            self._book.disconnect()
            self._publish()
            return
        self._book.begin(message.generation)
        self._publish()
        self._want_snapshot("connected")

    def _status(self, message: StatusChanged) -> None:
        self._closed, self._closed_at = _not_ready_for(message.status), message.at
        self._publish()

    def _regrid(self, message: TickChanged) -> None:
        """The levels go in any case. Orders are made for the catalog's grid only: the signal is told before it could
        see the new book.
        """
        known = self._market.has_tick(message.new_tick)
        if known is not self._grid_known:
            self._grid_known = known
            self._signal.tell(GridChanged(self._market.market_id, known))
            event = grid_changed(self._clock.wall_ns(), self._market.market_id, message.new_tick, known=known)
            self._ledger.tell(RecordRows(rows=(event,)))
        self._after(self._book.lose(NotReady.TICK_CHANGE, message.generation, message.at))

    def _want_snapshot(self, why: str) -> None:
        self._snapshots.tell(SnapshotWanted(self._market.market_id, self._book.generation, why))

    def _read_anew(self) -> None:
        """Somebody has proof that the book is wrong. Between two connections there is nothing that could be healed."""
        if self._book.generation != NO_GENERATION:
            self._want_snapshot("an order missed what is displayed")

    def _answer_to_silence(self, message: SilenceSuspected) -> None:
        """A socket that lives is not data that flows (P08): a market without evidence is lost and asked for anew."""
        book = self._book
        if book.not_ready is None and book.evidence_at >= message.since:
            self._publish()
        else:
            self._after(book.lose(NotReady.SILENT, message.generation, message.at))

    def _answer(self, message: LaddersWanted) -> None:
        book = self._book
        top = self._top(told=False)
        ready = top.not_ready is None
        message.reply_to.tell(
            LaddersSeen(
                message.tag,
                top,
                book.ladder(YES_BID) if ready else (),
                book.ladder(YES_ASK) if ready else (),
                book.ladder(NO_BID) if ready else (),
                book.ladder(NO_ASK) if ready else (),
            )
        )


def _not_ready_for(status: MarketStatus) -> NotReady | None:
    """What keeps a book of a market in this status from being traded on."""
    if status is MarketStatus.OPEN:
        return None
    return NotReady.RESOLVED if status is MarketStatus.RESOLVED else NotReady.PAUSED
