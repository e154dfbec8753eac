"""What the operator reads as it happens: one line per message worth one (`time KIND subject text ident`).

The text begins with what matters most: a narrow screen cuts its end.
"""

from __future__ import annotations

from typing import NamedTuple

from models import messages as m
from models.money import text
from models.rows import AttemptChanged, Ending, Event, Fact, FillReported, OrderChanged
from models.rows import EventKind as LedgerEvent
from models.signal import Decision
from models.status import EventKind


class News(NamedTuple):
    """An event line before it has a serial number and a time."""

    kind: EventKind
    subject: str
    text: str
    ident: str = ""
    fold: str = ""
    """Lines with one fold key are variations of one message; empty: never folded."""


def news_of(message: object) -> News | None:
    """The line for a message that the ledger or the operator is told, None where it deserves none."""
    match message:
        case m.OpportunitySkipped(opportunity=opportunity):
            return _skip(opportunity, str(opportunity.decision.reason), "")
        case m.OpportunityJudged(opportunity=opportunity, refusal=None):
            line = f"edge {_signed(opportunity.decision.edge)} {_sum(opportunity)}  → TRADE"
            return News(EventKind.OPP, opportunity.set_id, line, str(message.attempt_id))
        case m.OpportunityJudged(opportunity=opportunity, refusal=refusal):
            return _skip(opportunity, str(refusal), message.detail)
        case m.BookNews(not_ready=None):
            return News(EventKind.INFO, message.market_id, "book ready", fold=f"ready/{message.market_id}")
        case m.BookNews():
            line = f"book not ready: {str(message.not_ready).replace('_', ' ')}"
            return News(EventKind.WARN, message.market_id, line, fold=f"{message.not_ready}/{message.market_id}")
        case m.SnapshotCompared(equal=False):
            return News(EventKind.WARN, message.market_id, "snapshot differed from the book; the snapshot stands")
        case m.IncidentSeen(kind="disconnect"):
            return None  # the loss of the connection has a line of its own
        case m.IncidentSeen():
            kind = EventKind.PARTIAL if message.kind == "partial" else EventKind.WARN
            return News(kind, message.set_id or "", f"{message.kind}: {message.detail}")
        case m.TradingHalted():
            return News(EventKind.HALT, message.market_id or "", f"trading halted by {message.by}: {message.reason}")
        case m.TradingResumed():
            return News(EventKind.RESUME, message.market_id or "", f"resumed by {message.by}: {message.reason}")
        case m.MarketResolved():
            return News(EventKind.INFO, message.market_id, f"resolved: YES pays {text(message.yes_pays)}")
        case _:
            return _news_of_row(message)


def _news_of_row(row: object) -> News | None:
    match row:
        case AttemptChanged(ending=None):
            return None
        case AttemptChanged():
            return _ended(row)
        case OrderChanged(refusal=str()):
            kind = EventKind.ORDER if row.by_venue else EventKind.WARN
            return News(kind, "", f"order refused: {row.refusal} {row.detail}".rstrip(), row.client_order_id)
        case FillReported():
            fill = row.fill
            line = f"{text(fill.size, 0)} @ {text(fill.price, 4)} {fill.state.value}"
            return News(EventKind.FILL, "", line, fill.client_order_id)
        case Event(kind=LedgerEvent.NOT_READY | LedgerEvent.RESYNC | LedgerEvent.SNAPSHOT | LedgerEvent.STATE):
            return None
        case Event(kind=LedgerEvent.READ) if not (_fact(row, "frames_unknown") or _fact(row, "frames_failed")):
            return None
        case Event():
            kind = _EVENT_KINDS.get(row.kind, EventKind.INFO)
            return News(kind, row.market_id or row.set_id or "", row.text, row.attempt_id or "")
        case _:
            return None


_EVENT_KINDS = {
    LedgerEvent.DISCONNECTED: EventKind.WARN,
    LedgerEvent.GAP: EventKind.WARN,
    LedgerEvent.INCIDENT: EventKind.WARN,
    LedgerEvent.PROTECTION: EventKind.PARTIAL,
    LedgerEvent.REFUSED_ROW: EventKind.ERROR,
}


def _ended(row: AttemptChanged) -> News:
    """The last line of an attempt: what came of it, in shares and dollars."""
    kind = EventKind.PARTIAL if row.ending is Ending.PARTIAL else EventKind.DONE
    pnl = "pnl not known yet" if row.realized_pnl is None else f"pnl {_signed(row.realized_pnl)}"
    cost = text(sum(row.leg_costs), 2)
    line = f"{row.ending}: {pnl}, {text(row.filled, 0)} sets, cost {cost} + fees {text(row.fees, 2)}"
    return News(kind, "", line, row.attempt_id)


def _skip(opportunity: m.Opportunity, reason: str, detail: str) -> News:
    decision = opportunity.decision
    edges = f"edge {_signed(decision.edge)} net {_signed(decision.net_edge)}"
    line = f"{reason.replace('_', ' ')} · {edges} · {_sum(opportunity)}{' · ' + detail if detail else ''}"
    return News(
        EventKind.SKIP,
        opportunity.set_id,
        line,
        opportunity.opportunity_id,
        f"skip/{opportunity.set_id}/{reason}",
    )


def _sum(opportunity: m.Opportunity) -> str:
    """Sum of the asks and the size, for example `sum 0.9850 ×10`."""
    decision: Decision = opportunity.decision
    return f"sum {text(decision.sum_cost, 4)} ×{text(decision.size, 0)}"


def _fact(event: Event, name: str) -> Fact:
    return dict(event.facts).get(name)


def _signed(amount: int) -> str:
    return f"{'+' if amount >= 0 else ''}{text(amount, 4)}"
