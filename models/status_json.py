"""`StatusSnapshot` as one JSON object and back. Money and shares are decimal strings, durations are seconds, instants
are ISO 8601 in UTC; keys are those of design section 8 and are only ever added to.

Both ways round, because `watch` draws in its own process from what the socket says, with the same code as the console.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from models.clock import MS, SECOND, BootNs, WallNs
from models.market import MarketId, SetId
from models.money import MicroShares, MicroUsd, PriceMicros, parse_micros, text
from models.status import (
    SCHEMA_VERSION,
    EventKind,
    EventLine,
    FeedState,
    FeedStatus,
    Gauge,
    InFlight,
    Latency,
    MarketRow,
    OrderRow,
    PaperTotals,
    SetRow,
    StatusSnapshot,
    Today,
    Trading,
)

Json = dict[str, Any]
T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class StatusError(ValueError):
    """The document is not a status of a schema that this program knows."""


def to_json(status: StatusSnapshot) -> Json:
    """The object of `status --json`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "at": iso(status.at),
        "version": status.version,
        "mode": status.mode,
        "demo": status.demo,
        "venue": status.venue,
        "started": iso(status.started),
        "uptime_s": _seconds(status.uptime_ns),
        "trading": {
            "on": status.trading.on,
            "reason": status.trading.reason,
            "by": status.trading.by,
            "since": _maybe(iso, status.trading.since),
        },
        "feed": {
            "state": status.feed.state.value,
            "age_s": _maybe(_seconds, status.feed.age_ns),
            "lag_ms": status.feed.lag_ms,
            "reconnects": status.feed.reconnects,
            "down_s": _seconds(status.feed.down_ns),
            "gaps": status.feed.gaps,
            "resyncs": status.feed.resyncs,
        },
        "markets": [_market(row) for row in status.markets],
        "sets": [_set(row) for row in status.sets],
        "in_flight": [_in_flight(row) for row in status.in_flight],
        "orders": [_order(row) for row in status.orders],
        "open_items": list(status.open_items),
        "today": {
            "opportunities": status.today.opportunities,
            "attempts": status.today.attempts,
            "completed": status.today.completed,
            "partial": status.today.partial,
            "rejects": status.today.rejects,
            "in_doubt": status.today.in_doubt,
            "fees": text(status.today.fees),
            "net_pnl": text(status.today.net_pnl),
        },
        "limits": {g.name: {"used": _amount(g, g.used), "limit": _amount(g, g.limit)} for g in status.limits},
        "kill_switch": {
            g.name: {
                "count": _amount(g, g.used),
                "limit": _amount(g, g.limit),
                "window_s": _maybe(_seconds, g.window_ns),
            }
            for g in status.kill_switch
        },
        "latency_ms": {
            "p50": _maybe(_milliseconds, status.latency.p50_ns),
            "p99": _maybe(_milliseconds, status.latency.p99_ns),
        },
        "paper": _maybe(_paper, status.paper),
        "events": [_event(line) for line in status.events],
        "config_hash": status.config_hash,
        "ledger": status.ledger,
    }


def from_json(document: Mapping[str, Any]) -> StatusSnapshot:
    """The snapshot of a `status --json` object, or `StatusError`. Times keep their milliseconds, ages their
    microseconds; `taken` is 0, because another process's clock of ages says nothing here.
    """
    if document.get("schema_version") != SCHEMA_VERSION:
        raise StatusError(f"status of schema {document.get('schema_version')!r}, this program reads {SCHEMA_VERSION}")
    try:
        return _from_json(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StatusError(f"not a status: {type(error).__name__}: {error}") from None


def _from_json(d: Mapping[str, Any]) -> StatusSnapshot:
    feed, trading, today = d["feed"], d["trading"], d["today"]
    paper = d["paper"]
    return StatusSnapshot(
        taken=BootNs(0),
        at=wall(d["at"]),
        version=d["version"],
        mode=d["mode"],
        demo=d["demo"],
        venue=d["venue"],
        started=wall(d["started"]),
        uptime_ns=_ns(d["uptime_s"]),
        trading=Trading(
            on=trading["on"], reason=trading["reason"], by=trading["by"], since=_maybe(wall, trading["since"])
        ),
        feed=FeedStatus(
            state=FeedState(feed["state"]),
            age_ns=_maybe(_ns, feed["age_s"]),
            lag_ms=feed["lag_ms"],
            reconnects=feed["reconnects"],
            down_ns=_ns(feed["down_s"]),
            gaps=feed["gaps"],
            resyncs=feed["resyncs"],
        ),
        markets=tuple(_market_row(row) for row in d["markets"]),
        sets=tuple(_set_row(row) for row in d["sets"]),
        in_flight=tuple(_in_flight_row(row) for row in d["in_flight"]),
        orders=tuple(_order_row(row) for row in d["orders"]),
        open_items=tuple(d["open_items"]),
        today=Today(
            **{key: today[key] for key in ("opportunities", "attempts", "completed", "partial", "rejects", "in_doubt")},
            fees=_usd(today["fees"]),
            net_pnl=_usd(today["net_pnl"]),
        ),
        limits=tuple(_gauge(name, g["used"], g["limit"], None) for name, g in d["limits"].items()),
        kill_switch=tuple(
            _gauge(name, g["count"], g["limit"], _maybe(_ns, g["window_s"])) for name, g in d["kill_switch"].items()
        ),
        latency=Latency(
            p50_ns=_maybe(lambda ms: round(ms * MS), d["latency_ms"]["p50"]),
            p99_ns=_maybe(lambda ms: round(ms * MS), d["latency_ms"]["p99"]),
        ),
        paper=None
        if paper is None
        else PaperTotals(
            sets=paper["sets"],
            optimistic=_usd(paper["optimistic"]),
            shifted=_usd(paper["shifted"]),
            pessimistic=_usd(paper["pessimistic"]),
        ),
        events=tuple(_event_line(line) for line in d["events"]),
        config_hash=d["config_hash"],
        ledger=d["ledger"],
    )


# -- rows, each way
# ----------------------------------------------------------------------------------------------------------


def _market(row: MarketRow) -> Json:
    return {
        "market_id": row.market_id,
        "title": row.title,
        "ready": row.ready,
        "reason": row.reason,
        "age_s": _maybe(_seconds, row.age_ns),
        "yes_ask": _maybe(text, row.yes_ask),
        "yes_size": text(row.yes_size, 0),
        "no_ask": _maybe(text, row.no_ask),
        "no_size": text(row.no_size, 0),
        "sum_cost": _maybe(text, row.sum_cost),
        "edge": _maybe(text, row.edge),
        "state": row.state,
        "halted": row.halted,
        "halt_reason": row.halt_reason,
    }


def _market_row(d: Json) -> MarketRow:
    return MarketRow(
        market_id=MarketId(d["market_id"]),
        title=d["title"],
        ready=d["ready"],
        reason=d["reason"],
        age_ns=_maybe(_ns, d["age_s"]),
        yes_ask=_maybe(_price, d["yes_ask"]),
        yes_size=MicroShares(parse_micros(d["yes_size"])),
        no_ask=_maybe(_price, d["no_ask"]),
        no_size=MicroShares(parse_micros(d["no_size"])),
        sum_cost=_maybe(_usd, d["sum_cost"]),
        edge=_maybe(_usd, d["edge"]),
        state=d["state"],
        halted=d["halted"],
        halt_reason=d["halt_reason"],
    )


def _set(row: SetRow) -> Json:
    return {
        "set_id": row.set_id,
        "kind": row.kind,
        "market_ids": list(row.market_ids),
        "payout": text(row.payout),
        "sum_cost": _maybe(text, row.sum_cost),
        "edge": _maybe(text, row.edge),
        "state": row.state,
    }


def _set_row(d: Json) -> SetRow:
    return SetRow(
        set_id=SetId(d["set_id"]),
        kind=d["kind"],
        market_ids=tuple(MarketId(m) for m in d["market_ids"]),
        payout=_usd(d["payout"]),
        sum_cost=_maybe(_usd, d["sum_cost"]),
        edge=_maybe(_usd, d["edge"]),
        state=d["state"],
    )


def _in_flight(row: InFlight) -> Json:
    return {
        "attempt_id": row.attempt_id,
        "set_id": row.set_id,
        "market_ids": list(row.market_ids),
        "state": row.state,
        "age_s": _seconds(row.age_ns),
        "limit_s": _maybe(_seconds, row.limit_ns),
    }


def _in_flight_row(d: Json) -> InFlight:
    return InFlight(
        attempt_id=d["attempt_id"],
        set_id=SetId(d["set_id"]),
        market_ids=tuple(MarketId(m) for m in d["market_ids"]),
        state=d["state"],
        age_ns=_ns(d["age_s"]),
        limit_ns=_maybe(_ns, d["limit_s"]),
    )


def _order(row: OrderRow) -> Json:
    return {
        "client_order_id": row.client_order_id,
        "market_id": row.market_id,
        "outcome": row.outcome,
        "action": row.action,
        "size": text(row.size, 0),
        "price": text(row.price),
        "status": row.status,
        "took_ms": _maybe(_milliseconds, row.took_ns),
    }


def _order_row(d: Json) -> OrderRow:
    return OrderRow(
        client_order_id=d["client_order_id"],
        market_id=MarketId(d["market_id"]),
        outcome=d["outcome"],
        action=d["action"],
        size=MicroShares(parse_micros(d["size"])),
        price=_price(d["price"]),
        status=d["status"],
        took_ns=_maybe(lambda ms: round(ms * MS), d["took_ms"]),
    )


def _paper(paper: PaperTotals) -> Json:
    return {
        "sets": paper.sets,
        "optimistic": text(paper.optimistic),
        "shifted": text(paper.shifted),
        "pessimistic": text(paper.pessimistic),
    }


def _event(line: EventLine) -> Json:
    return {
        "serial": line.serial,
        "at": iso(line.at),
        "kind": line.kind.value,
        "subject": line.subject,
        "text": line.text,
        "id": line.ident,
        "fold": line.fold,
        "times": line.times,
    }


def _event_line(d: Json) -> EventLine:
    return EventLine(
        serial=d["serial"],
        at=wall(d["at"]),
        kind=EventKind(d["kind"]),
        subject=d["subject"],
        text=d["text"],
        ident=d["id"],
        fold=d["fold"],
        times=d["times"],
    )


# -- values
# ----------------------------------------------------------------------------------------------------------


def iso(at: WallNs) -> str:
    """UTC to the millisecond: `2026-11-22T14:02:11.101Z`."""
    moment = _EPOCH + timedelta(milliseconds=at // MS)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def wall(written: str) -> WallNs:
    moment = datetime.fromisoformat(written)
    return WallNs((moment - _EPOCH) // timedelta(milliseconds=1) * MS)


def _amount(gauge: Gauge, value: int) -> str | int:
    return text(value) if gauge.money else value


def _gauge(name: str, used: str | int, limit: str | int, window_ns: int | None) -> Gauge:
    money = isinstance(limit, str)
    read: Callable[[Any], int] = parse_micros if money else int
    return Gauge(name=name, used=read(used), limit=read(limit), money=money, window_ns=window_ns)


def _maybe(convert: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else convert(value)


def _seconds(ns: int) -> float:
    return round(ns / SECOND, 6)


def _milliseconds(ns: int) -> float:
    return round(ns / MS, 6)


def _ns(seconds: float) -> int:
    return round(seconds * SECOND)


def _usd(written: str) -> MicroUsd:
    return MicroUsd(parse_micros(written))


def _price(written: str) -> PriceMicros:
    return PriceMicros(parse_micros(written))


def markets_json(rows: Sequence[MarketRow]) -> list[Json]:
    """The `markets` part alone, for `markets --json`."""
    return [_market(row) for row in rows]
