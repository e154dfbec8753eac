"""The story of one id as one JSON object: money and shares are decimal strings, instants are nanoseconds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.ledger.story import Record, Story
from models.market import Outcome
from models.money import text
from models.why import Mismatch, StoredOpportunity

SCHEMA_VERSION: Final = 1


def document_of(
    story: Story, mismatches: Sequence[tuple[str, Mismatch]], broken: Sequence[tuple[str, int]]
) -> dict[str, Any]:
    """The same as one JSON object: integers of the ledger become decimal strings where they are money or shares."""
    return {
        "schema_version": SCHEMA_VERSION,
        "id": story.ident,
        "kind": story.kind,
        "opportunities": [_opportunity_json(row) for row in story.opportunities],
        "left_out": story.left_out,
        "tradeset": None if story.attempt is None else _money(story.attempt),
        "changes": [_money(row) for row in story.changes],
        "orders": [_money(row) for row in story.orders],
        "fills": [_money(row) for row in story.fills],
        "events": [_event_json(row) for row in story.events],
        "paper": [_money(row) for row in story.paper],
        "settlements": [_money(row) for row in story.settlements],
        "config": story.config,
        "recomputed": {
            "equal": not mismatches,
            "mismatches": [
                {"opportunity_id": ident, "name": m.name, "stored": m.stored, "recomputed": m.recomputed}
                for ident, m in mismatches
            ],
        },
        "chain": {
            "rows": len(story.seqs),
            "holds": not broken,
            "broken": [{"table": name, "seq": seq} for name, seq in broken],
        },
    }


# fmt: off
_MONEY: Final = frozenset((
    "price", "avg_price", "size", "filled", "filled_size", "fee", "fees", "cost", "net_pnl", "cash",
    "yes_cost", "no_cost", "total_cost", "expected_payout", "realized_pnl", "reserved", "sum_cost", "edge",
    "net_edge", "cost_buffer", "yes_ask", "no_ask", "yes_size", "no_size",
))
# fmt: on


def _money(row: Mapping[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for name, value in row.items():
        if name == "hash":
            written[name] = bytes(value).hex()
        elif name == "leg_costs" and isinstance(value, list):
            written[name] = [text(cost, 0) for cost in value]
        else:
            written[name] = text(value, 0) if name in _MONEY and value is not None else value
    return written


def _event_json(row: Record) -> dict[str, Any]:
    return {**_money({k: v for k, v in row.items() if k != "facts"}), "facts": row["facts"]}


def _opportunity_json(row: StoredOpportunity) -> dict[str, Any]:
    names = [name for name in StoredOpportunity.__slots__ if name not in ("legs", "surroundings", "risk_inputs")]
    written = _money({name: getattr(row, name) for name in names})
    written["surroundings"] = _parsed(row.surroundings)
    written["risk_inputs"] = None if row.risk_inputs is None else _parsed(row.risk_inputs)
    written["legs"] = [
        {
            "market_id": leg.market_id,
            "outcome": leg.outcome,
            "ask": None
            if leg.top.ask(Outcome(leg.outcome)) is None
            else text(leg.top.ask(Outcome(leg.outcome)) or 0, 0),
            "ask_size": text(leg.top.ask_size(Outcome(leg.outcome)), 0),
            "version": leg.top.version,
            "seq": leg.top.seq,
            "as_of_ms": leg.top.as_of_ms(Outcome(leg.outcome)),
            "lag_ms": leg.top.lag_ms,
            "intact": leg.top.intact,
            "confirmed": leg.top.confirmed,
        }
        for leg in row.legs
    ]
    return written


def _parsed(written: str) -> Any:
    try:
        return json.loads(written)
    except ValueError:
        return written
