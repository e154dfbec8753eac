"""`status`: the whole bot on a dozen lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adapters.operator.command import Call, Command, Commands, Place, Reply
from adapters.operator.render import counted_since, trading_words
from adapters.operator.tables import MISSING, age, clock_time, dollars, fixed, pad, span, stopwatch, wrap
from models.clock import MS
from models.exit_codes import EXIT_HALTED, EXIT_OK
from models.status import EventKind, Gauge, InFlight, StatusSnapshot
from models.status_json import to_json

LABEL: Final = 12


def status(call: Call) -> Reply:
    now = call.face.snapshot()
    code = EXIT_OK if now.trading.on else EXIT_HALTED
    # At the prompt a halt is an answer, not a failure; a script asks through the socket.
    exit_code = EXIT_OK if call.caller.place is Place.CONSOLE else code
    return Reply(lines=tuple(status_lines(now, call.caller.width)), document=to_json(now), exit_code=exit_code)


def status_lines(now: StatusSnapshot, width: int) -> list[str]:
    feed, today = now.feed, now.today
    ws = [f"{feed.state.value.upper()}"]
    if feed.lag_ms is not None:
        ws.append(f"lag {feed.lag_ms} ms")
    ws += [f"last msg {age(feed.age_ns)} ago" if feed.age_ns is not None else "no message yet"]
    ws += [f"reconnects {feed.reconnects}" + (f" ({age(feed.down_ns)} down)" if feed.down_ns else "")]
    if feed.gaps:
        ws.append(f"gaps {feed.gaps}, resynced {feed.resyncs}")
    fresh = now.fresh_markets
    watched = [f"{len(now.markets)} watched", f"fresh {fresh}", f"stale {len(now.markets) - fresh}"]
    counts = [
        f"opportunities {today.opportunities}",
        f"attempts {today.attempts}",
        f"sets {today.completed}",
        f"partial {today.partial}",
        f"rejects {today.rejects}",
        *([f"in doubt {today.in_doubt}"] if today.in_doubt else []),
        f"fees {dollars(today.fees)}",
        f"net {dollars(today.net_pnl, sign=True)}",
    ]
    rows: list[tuple[str, Sequence[str]]] = [
        ("mode", [f"{now.badge}", f"up {stopwatch(now.uptime_ns)}"]),
        ("trading", [trading_words(now)]),
        ("venue", [now.venue]),
        ("ws", ws),
        ("markets", [*watched, f"halted {now.halted_markets}"]),
        ("in flight", [f"{len(now.in_flight)}", *(_in_flight(f) for f in now.in_flight)]),
        ("open", list(now.open_items) or ["nothing"]),
        (counted_since(now), counts),
    ]
    if now.paper is not None:
        fills = now.paper
        rows.append(
            (
                "paper",
                [
                    f"{fills.sets} sets",
                    f"optimistic {dollars(fills.optimistic, sign=True)}",
                    f"shifted {dollars(fills.shifted, sign=True)}",
                    f"pessimistic {dollars(fills.pessimistic, sign=True)} (quoted)",
                ],
            )
        )
    rows += [
        ("limits", [_limit(g) for g in now.limits] or [MISSING]),
        ("kill switch", [_condition(g) for g in now.kill_switch] or [MISSING]),
        ("latency", [f"p50 {_ms(now.latency.p50_ns)}", f"p99 {_ms(now.latency.p99_ns)} frame to decision"]),
        ("last error", [_last_error(now)]),
    ]
    return [
        pad(label if first else "", LABEL) + line
        for label, items in rows
        for first, line in _numbered(wrap(items, width - LABEL, ""))
    ]


def _numbered(lines: Sequence[str]) -> list[tuple[bool, str]]:
    return [(at == 0, line) for at, line in enumerate(lines)]


def _in_flight(row: InFlight) -> str:
    limit = f" (limit {age(row.limit_ns)})" if row.limit_ns is not None else ""
    return f"{row.set_id} {row.attempt_id} {row.state} {age(row.age_ns)}{limit}"


def _value(gauge: Gauge, amount: int) -> str:
    return fixed(amount, 2 if amount % 1_000_000 else 0) if gauge.money else str(amount)


def _limit(gauge: Gauge) -> str:
    return f"{gauge.name.replace('_', ' ')} {_value(gauge, gauge.used)} / {_value(gauge, gauge.limit)}"


def _condition(gauge: Gauge) -> str:
    window = f" in {span(gauge.window_ns)}" if gauge.window_ns is not None else " today"
    return f"{gauge.name.replace('_', ' ')} {_value(gauge, gauge.used)}/{_value(gauge, gauge.limit)}{window}"


def _ms(ns: int | None) -> str:
    return MISSING if ns is None else f"{ns / MS:.2f} ms"


def _last_error(now: StatusSnapshot) -> str:
    loud = {EventKind.ERROR, EventKind.HALT, EventKind.PARTIAL, EventKind.WARN}
    last = next((line for line in reversed(now.events) if line.kind in loud), None)
    return "none" if last is None else f"{clock_time(last.at)} {last.subject} {last.text}".replace("  ", " ")


def register(commands: Commands) -> None:
    commands.add(
        Command(
            name="status",
            summary="mode, trading, feed, what is in flight, limits and kill-switch counters",
            run=status,
            places=Place.CONSOLE | Place.REMOTE | Place.OFFLINE,
            notes=("From a shell the exit code is 4 while trading is halted, 69 where no bot answers.",),
        )
    )
