"""The report as one JSON object (design section 8). Keys may be added, never renamed.

Money and shares are decimal strings, instants ISO 8601 in UTC, durations seconds. null is unknown.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from models.clock import SECOND
from models.events import READ_FACTS
from models.money import text
from models.protection import Remedy
from models.report import MODELS
from models.report_figures import PaperLine, Report

SCHEMA_VERSION: Final = 1


def document_of(report: Report) -> dict[str, Any]:
    facts = report.facts
    attempts, sets, seen = report.attempts, report.sets, report.opportunities
    return {
        "schema_version": SCHEMA_VERSION,
        "ledger": facts.ledger,
        "mode": facts.mode,
        "venue": report.venue,
        "restricted_to": facts.only,
        "violations": list(report.violations),
        "period": {
            "from": iso(report.began),
            "to": iso(report.ended),
            "up_seconds": seconds(report.up_ns),
            "uptime_ratio": ratio(report.uptime_ratio),
            "runs": len(facts.runs),
        },
        "opportunities": {
            "detected": seen.detected,
            "traded": seen.traded,
            "skipped": seen.skipped,
            "by_reason": seen.by_reason,
            "by_verdict": seen.by_verdict,
            "episodes": seen.episodes,
            "avg_edge": money(seen.avg_edge),
        },
        "attempts": {
            "total": attempts.total,
            **attempts.endings,
            "in_doubt": attempts.in_doubt,
            "in_flight": attempts.in_flight,
            "success_rate": ratio(attempts.success_rate),
        },
        "sets": {
            "completed": sets.completed,
            "settled": sets.settled,
            "avg_edge": money(sets.avg_edge),
            "avg_net_pnl": money(sets.avg_net_pnl),
            "net_pnl": money(sets.net_pnl),
            "fees": money(sets.fees),
            "locked": money(sets.locked),
            "locked_capital": money(sets.locked_capital),
        },
        "lockup": {
            "returned": report.lockup.returned,
            "returned_seconds": _seconds_or_none(report.lockup.returned_ns),
            "held": report.lockup.held,
            "held_seconds": _seconds_or_none(report.lockup.held_ns),
            "profit_per_dollar_day": money(report.lockup.per_dollar_day),
        },
        "paper": {model: _paper(report.paper.get(model)) for model in MODELS},
        "sum_cost": {
            "min": money(report.sum_cost.low),
            "p50": money(report.sum_cost.median),
            "max": money(report.sum_cost.high),
            "trade_line": money(facts.trade_line),
            "histogram": [
                {"from": money(low), "to": money(high), "count": count} for low, high, count in report.sum_cost.buckets
            ],
        },
        "feed": {
            "disconnects": facts.event_counts.get("disconnected", 0),
            "down_seconds": seconds(report.down_ns),
            "gaps": facts.event_counts.get("gap", 0),
            "resyncs": facts.event_counts.get("resync", 0),
            "updates": facts.updates,
            **{name: facts.event_counts.get(name, 0) for name in READ_FACTS},
        },
        "orders": {
            "rejected": facts.order_rejects,
            "answered": len(facts.order_latencies_ms),
            "unknown": facts.orders_unknown,
            "unknown_resolved": facts.orders_resolved,
        },
        "protections": {remedy.value: facts.protections.get(remedy.value, 0) for remedy in Remedy},
        "incidents": [
            {
                "at": iso(event.at),
                "kind": event.kind,
                "text": event.text,
                "set_id": event.set_id,
                "market_id": event.market_id,
                "attempt_id": event.attempt_id,
            }
            for event in facts.incidents
        ],
        "account": _account(report),
        "by_set": [
            {
                "set_id": line.set_id,
                "opportunities": line.opportunities,
                "traded": line.traded,
                "completed": line.completed,
                "partial": line.partial,
                "fees": money(line.fees),
                "net_pnl": money(line.net_pnl),
            }
            for line in report.lines
        ],
        "evaluation": {
            "sets": report.evaluation.sets,
            "days": round(report.evaluation.days, 4),
            "avg_net_pnl": money(report.evaluation.avg_net_pnl),
            "target": money(report.evaluation.target),
            "verdict": report.evaluation.verdict,
            "reasons": list(report.evaluation.reasons),
        },
    }


def money(micros: int | None) -> str | None:
    return None if micros is None else text(micros)


def seconds(duration_ns: int) -> float:
    return round(duration_ns / SECOND, 3)


def _seconds_or_none(duration_ns: int | None) -> float | None:
    return None if duration_ns is None else seconds(duration_ns)


def ratio(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def iso(at: int | None) -> str | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at % SECOND // 1_000_000:03d}Z"


def _paper(line: PaperLine | None) -> dict[str, Any] | None:
    if line is None:
        return None
    return {
        "attempts": line.attempts,
        "sets": line.sets,
        "cost": money(line.cost),
        "fees": money(line.fees),
        "net_pnl": money(line.net_pnl),
        "unknown": line.unknown,
    }


def _account(report: Report) -> dict[str, Any]:
    account = report.facts.account
    return {
        "at": None if account is None else iso(account.at),
        "cash_ledger": None if account is None else money(account.cash_ledger),
        "cash_venue": None if account is None else money(account.cash_venue),
        "positions_equal": None if account is None else account.positions_equal,
        "difference": money(report.difference),
    }
