"""`StatusSnapshot` as one JSON object and back. Money and shares are decimal strings, durations are seconds, instants
are ISO 8601 in UTC; keys are those of design section 8 and are only ever added to.

Both ways round, because `watch` draws in its own process from what the socket says, with the same code as the console.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.clock import MS, BootNs
from models.money import text
from models.status import (
    SCHEMA_VERSION,
    FeedState,
    FeedStatus,
    InboxLook,
    Latency,
    MarketRow,
    PaperTotals,
    StatusSnapshot,
    Today,
    Trading,
)
from models.status_rows import (
    Json,
    amount,
    event_json,
    event_line,
    gauge_row,
    in_flight_json,
    in_flight_row,
    iso,
    market_json,
    market_row,
    maybe,
    milliseconds,
    ns,
    order_json,
    order_row,
    paper_json,
    seconds,
    set_json,
    set_row,
    usd,
    wall,
)


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
        "uptime_s": seconds(status.uptime_ns),
        "trading": {
            "on": status.trading.on,
            "reason": status.trading.reason,
            "by": status.trading.by,
            "since": maybe(iso, status.trading.since),
        },
        "feed": {
            "state": status.feed.state.value,
            "age_s": maybe(seconds, status.feed.age_ns),
            "lag_ms": status.feed.lag_ms,
            "reconnects": status.feed.reconnects,
            "down_s": seconds(status.feed.down_ns),
            "gaps": status.feed.gaps,
            "resyncs": status.feed.resyncs,
            "frames": status.feed.frames,
        },
        "markets": [market_json(row) for row in status.markets],
        "sets": [set_json(row) for row in status.sets],
        "in_flight": [in_flight_json(row) for row in status.in_flight],
        "orders": [order_json(row) for row in status.orders],
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
        "limits": {g.name: {"used": amount(g, g.used), "limit": amount(g, g.limit)} for g in status.limits},
        "kill_switch": {
            g.name: {
                "count": amount(g, g.used),
                "limit": amount(g, g.limit),
                "window_s": maybe(seconds, g.window_ns),
            }
            for g in status.kill_switch
        },
        "latency_ms": {
            "p50": maybe(milliseconds, status.latency.p50_ns),
            "p99": maybe(milliseconds, status.latency.p99_ns),
        },
        "inbox": {"waiting": status.inbox.waiting, "age_s": seconds(status.inbox.age_ns)},
        "paper": maybe(paper_json, status.paper),
        "events": [event_json(line) for line in status.events],
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
        uptime_ns=ns(d["uptime_s"]),
        trading=Trading(
            on=trading["on"], reason=trading["reason"], by=trading["by"], since=maybe(wall, trading["since"])
        ),
        feed=FeedStatus(
            state=FeedState(feed["state"]),
            age_ns=maybe(ns, feed["age_s"]),
            lag_ms=feed["lag_ms"],
            reconnects=feed["reconnects"],
            down_ns=ns(feed["down_s"]),
            gaps=feed["gaps"],
            resyncs=feed["resyncs"],
            frames=feed["frames"],
        ),
        markets=tuple(market_row(row) for row in d["markets"]),
        sets=tuple(set_row(row) for row in d["sets"]),
        in_flight=tuple(in_flight_row(row) for row in d["in_flight"]),
        orders=tuple(order_row(row) for row in d["orders"]),
        open_items=tuple(d["open_items"]),
        today=Today(
            **{key: today[key] for key in ("opportunities", "attempts", "completed", "partial", "rejects", "in_doubt")},
            fees=usd(today["fees"]),
            net_pnl=usd(today["net_pnl"]),
        ),
        limits=tuple(gauge_row(name, g["used"], g["limit"], None) for name, g in d["limits"].items()),
        kill_switch=tuple(
            gauge_row(name, g["count"], g["limit"], maybe(ns, g["window_s"])) for name, g in d["kill_switch"].items()
        ),
        latency=Latency(
            p50_ns=maybe(lambda ms: round(ms * MS), d["latency_ms"]["p50"]),
            p99_ns=maybe(lambda ms: round(ms * MS), d["latency_ms"]["p99"]),
        ),
        inbox=InboxLook(waiting=d["inbox"]["waiting"], age_ns=ns(d["inbox"]["age_s"])),
        paper=None
        if paper is None
        else PaperTotals(
            sets=paper["sets"],
            optimistic=usd(paper["optimistic"]),
            shifted=usd(paper["shifted"]),
            pessimistic=usd(paper["pessimistic"]),
        ),
        events=tuple(event_line(line) for line in d["events"]),
        config_hash=d["config_hash"],
        ledger=d["ledger"],
    )


def markets_json(rows: Sequence[MarketRow]) -> list[Json]:
    """The `markets` part alone, for `markets --json`."""
    return [market_json(row) for row in rows]
