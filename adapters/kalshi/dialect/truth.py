"""The exchange's own account of what happened, by member: the engine keeps the money of each shard apart, a member of
the venue has one account with one balance over all of them (kalshi.md 7 and 10.3, read 2026-11-22).
"""

from __future__ import annotations

from typing import Any, Final, cast

from adapters.kalshi.catalog import VENUE
from adapters.kalshi.dialect.exchange import KalshiExchange
from adapters.kalshi.dialect.members import owner_of
from adapters.simulated.truth import truth
from models.money import MicroUsd, parse_micros, text

LISTS: Final = ("positions", "orders", "fills", "refused", "statement")

Told = dict[str, Any]


def member_truth(exchange: KalshiExchange, horizon_ms: int | None = None) -> Told:
    """As `adapters.simulated.truth.truth`, with one account per member and its cash on each shard."""
    told = truth(exchange, horizon_ms)
    accounts: dict[str, list[Told]] = {}
    for account in cast("list[Told]", told["accounts"]):
        accounts.setdefault(owner_of(account["name"]), []).append(account)
    members = [_member(exchange, name, parts) for name, parts in accounts.items()]
    return told | {"accounts": members, "dialect": VENUE}


def _member(exchange: KalshiExchange, name: str, parts: list[Told]) -> Told:
    by_name = {part["name"]: part for part in parts}
    member = exchange.members.by_name[name]
    shards = {str(s): by_name[member.account(s)]["cash"] for s in exchange.listings.shards}
    sums = {key: text(MicroUsd(sum(parse_micros(part[key]) for part in parts))) for key in ("cash", "available")}
    lists = {key: [row for part in parts for row in part[key]] for key in LISTS}
    for key in ("orders", "fills", "refused", "statement"):
        lists[key].sort(key=lambda row: int(row["at_ms"]))
    return {"name": name, **sums, "shards": shards, **lists}
