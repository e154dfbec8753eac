"""Messages -> events: what is worth a line in the ledger about books, halts and incidents, and how long things
lasted.
"""

from __future__ import annotations

from models.book import NotReady
from models.clock import WallNs
from models.events import gap_seen, incident, resynced
from models.market import MarketId
from models.messages import (
    BookNews,
    IncidentSeen,
    MarketResolved,
    SnapshotCompared,
    TradingHalted,
    TradingResumed,
)
from models.rows import Event, EventKind

Told = BookNews | SnapshotCompared | TradingHalted | TradingResumed | MarketResolved | IncidentSeen


class Diary:
    """Remembers since when and why each book is not ready. Owned by the LedgerActor."""

    def __init__(self) -> None:
        self._lost: dict[MarketId, tuple[WallNs, NotReady]] = {}
        self._ready: set[MarketId] = set()

    def event(self, message: Told, now: WallNs) -> Event | None:
        """The event that a message stands for; None where it says nothing new (an equal snapshot, a repeated
        reason).
        """
        match message:
            case BookNews():
                return self._book(message)
            case SnapshotCompared():
                return None if message.equal else _unequal(message)
            case TradingHalted():
                return _latch(message.at, EventKind.HALTED, message.reason, message.by, message.market_id)
            case TradingResumed():
                return _latch(message.at, EventKind.RESUMED, message.reason, message.by, message.market_id)
            case MarketResolved():
                return _resolved(message, now)
            case IncidentSeen():
                return incident(now, message.kind, message.detail, set_id=message.set_id)

    def _book(self, news: BookNews) -> Event | None:
        market_id = news.market_id
        if news.not_ready is None:
            lost = self._lost.pop(market_id, None)
            if lost is None:
                return Event(at=news.at, kind=EventKind.READY, text="first snapshot", market_id=market_id)
            return resynced(news.at, market_id, lost[1].value, max(0, news.at - lost[0]))
        known = self._lost.get(market_id)
        first_of_run = known is None and market_id not in self._ready and news.not_ready is NotReady.NO_SNAPSHOT
        self._ready.add(market_id)
        if first_of_run:
            return None
        self._lost.setdefault(market_id, (news.at, news.not_ready))
        if news.not_ready is NotReady.GAP:
            return gap_seen(news.at, market_id, news.seq)
        text = f"not ready: {news.not_ready.value}"
        return Event(
            at=news.at,
            kind=EventKind.NOT_READY,
            text=text,
            market_id=market_id,
            facts=(("reason", news.not_ready.value),),
        )


def _unequal(message: SnapshotCompared) -> Event:
    return Event(
        at=message.at,
        kind=EventKind.SNAPSHOT,
        text=f"the maintained book differed from a {message.source.value} snapshot",
        market_id=message.market_id,
        facts=(("source", message.source.value), ("equal", False)),
    )


def _latch(at: WallNs, kind: EventKind, reason: str, by: str, market_id: MarketId | None) -> Event:
    return Event(at=at, kind=kind, text=reason, market_id=market_id, facts=(("by", by),))


def _resolved(message: MarketResolved, now: WallNs) -> Event:
    winner = None if message.winner is None else message.winner.value
    return Event(
        at=now,
        kind=EventKind.RESOLVED,
        text=f"resolved {winner}" if winner else "resolved without a winner",
        market_id=message.market_id,
        facts=(("winner", winner), ("yes_pays", message.yes_pays)),
    )
