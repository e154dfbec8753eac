"""The rows of `models/status_json.py`, each way, and the forms of its values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from models.clock import MS, SECOND, WallNs
from models.market import MarketId, SetId
from models.money import MicroShares, MicroUsd, PriceMicros, parse_micros, text
from models.status import EventKind, EventLine, Gauge, InFlight, MarketRow, OrderRow, PaperTotals, SetRow

Json = dict[str, Any]
T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def market_json(row: MarketRow) -> Json:
    return {
        "market_id": row.market_id,
        "title": row.title,
        "ready": row.ready,
        "reason": row.reason,
        "age_s": maybe(seconds, row.age_ns),
        "yes_ask": maybe(text, row.yes_ask),
        "yes_size": text(row.yes_size, 0),
        "no_ask": maybe(text, row.no_ask),
        "no_size": text(row.no_size, 0),
        "sum_cost": maybe(text, row.sum_cost),
        "edge": maybe(text, row.edge),
        "state": row.state,
        "halted": row.halted,
        "halt_reason": row.halt_reason,
    }


def market_row(d: Json) -> MarketRow:
    return MarketRow(
        market_id=MarketId(d["market_id"]),
        title=d["title"],
        ready=d["ready"],
        reason=d["reason"],
        age_ns=maybe(ns, d["age_s"]),
        yes_ask=maybe(price, d["yes_ask"]),
        yes_size=MicroShares(parse_micros(d["yes_size"])),
        no_ask=maybe(price, d["no_ask"]),
        no_size=MicroShares(parse_micros(d["no_size"])),
        sum_cost=maybe(usd, d["sum_cost"]),
        edge=maybe(usd, d["edge"]),
        state=d["state"],
        halted=d["halted"],
        halt_reason=d["halt_reason"],
    )


def set_json(row: SetRow) -> Json:
    return {
        "set_id": row.set_id,
        "kind": row.kind,
        "market_ids": list(row.market_ids),
        "payout": text(row.payout),
        "sum_cost": maybe(text, row.sum_cost),
        "edge": maybe(text, row.edge),
        "state": row.state,
    }


def set_row(d: Json) -> SetRow:
    return SetRow(
        set_id=SetId(d["set_id"]),
        kind=d["kind"],
        market_ids=tuple(MarketId(m) for m in d["market_ids"]),
        payout=usd(d["payout"]),
        sum_cost=maybe(usd, d["sum_cost"]),
        edge=maybe(usd, d["edge"]),
        state=d["state"],
    )


def in_flight_json(row: InFlight) -> Json:
    return {
        "attempt_id": row.attempt_id,
        "set_id": row.set_id,
        "market_ids": list(row.market_ids),
        "state": row.state,
        "age_s": seconds(row.age_ns),
        "limit_s": maybe(seconds, row.limit_ns),
    }


def in_flight_row(d: Json) -> InFlight:
    return InFlight(
        attempt_id=d["attempt_id"],
        set_id=SetId(d["set_id"]),
        market_ids=tuple(MarketId(m) for m in d["market_ids"]),
        state=d["state"],
        age_ns=ns(d["age_s"]),
        limit_ns=maybe(ns, d["limit_s"]),
    )


def order_json(row: OrderRow) -> Json:
    return {
        "client_order_id": row.client_order_id,
        "market_id": row.market_id,
        "outcome": row.outcome,
        "action": row.action,
        "size": text(row.size, 0),
        "price": text(row.price),
        "status": row.status,
        "took_ms": maybe(milliseconds, row.took_ns),
    }


def order_row(d: Json) -> OrderRow:
    return OrderRow(
        client_order_id=d["client_order_id"],
        market_id=MarketId(d["market_id"]),
        outcome=d["outcome"],
        action=d["action"],
        size=MicroShares(parse_micros(d["size"])),
        price=price(d["price"]),
        status=d["status"],
        took_ns=maybe(lambda ms: round(ms * MS), d["took_ms"]),
    )


def paper_json(paper: PaperTotals) -> Json:
    return {
        "sets": paper.sets,
        "optimistic": text(paper.optimistic),
        "shifted": text(paper.shifted),
        "pessimistic": text(paper.pessimistic),
    }


def event_json(line: EventLine) -> Json:
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


def event_line(d: Json) -> EventLine:
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


def iso(at: WallNs) -> str:
    """UTC to the millisecond: `2026-11-22T14:02:11.101Z`."""
    moment = _EPOCH + timedelta(milliseconds=at // MS)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def wall(written: str) -> WallNs:
    moment = datetime.fromisoformat(written)
    return WallNs((moment - _EPOCH) // timedelta(milliseconds=1) * MS)


def amount(gauge: Gauge, value: int) -> str | int:
    return text(value) if gauge.money else value


def gauge_row(name: str, used: str | int, limit: str | int, window_ns: int | None) -> Gauge:
    money = isinstance(limit, str)
    read: Callable[[Any], int] = parse_micros if money else int
    return Gauge(name=name, used=read(used), limit=read(limit), money=money, window_ns=window_ns)


def maybe(convert: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else convert(value)


def seconds(ns: int) -> float:
    return round(ns / SECOND, 6)


def milliseconds(ns: int) -> float:
    return round(ns / MS, 6)


def ns(seconds: float) -> int:
    return round(seconds * SECOND)


def usd(written: str) -> MicroUsd:
    return MicroUsd(parse_micros(written))


def price(written: str) -> PriceMicros:
    return PriceMicros(parse_micros(written))
