"""Order groups over HTTP: made, read, limited, triggered, taken away (kalshi.md 6.6, read 2026-11-22)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from adapters.kalshi.dialect.exchange import KalshiExchange
from adapters.kalshi.dialect.groups import Group
from adapters.kalshi.dialect.members import Member
from adapters.kalshi.dialect.order_checks import charge, decoded
from adapters.kalshi.dialect.replies import INVALID_PARAMETERS, NO_GROUP, NOT_FOUND, RefusedError, good
from adapters.kalshi.dialect.rows import count
from adapters.simulated.web import Answer, Request
from models.first_use import make_structs_ready
from models.money import MICRO, MoneyError, parse_shares


class GroupLimit(msgspec.Struct):
    contracts_limit_fp: str
    exchange_index: int = 0
    subaccount: int | None = None


def change(exchange: KalshiExchange, member: Member, request: Request, path: list[str], now: int) -> Answer:
    charge(member, (0,), 10, now)
    if request.method == "POST" and path == ["create"]:
        asked = decoded(request.body, GroupLimit)
        group = exchange.groups.create(member.name, asked.exchange_index, _contracts(asked.contracts_limit_fp))
        body = {"order_group_id": group.group_id, "subaccount": 0, "exchange_index": group.shard}
        return good(body, HTTPStatus.CREATED)
    found = exchange.groups.of(member.name, path[0]) if path else None
    if found is None:
        raise RefusedError(NO_GROUP)
    match request.method, path[1:]:
        case "PUT", ["reset"]:
            found.triggered = False
            found.matched.clear()
        case "PUT", ["trigger"]:
            found.triggered = True
            _end_group(exchange, member, found.group_id, now)
        case "PUT", ["limit"]:
            found.limit = _contracts(decoded(request.body, GroupLimit).contracts_limit_fp)
        case "DELETE", []:
            _end_group(exchange, member, found.group_id, now)
            del exchange.groups.all[found.group_id]
        case _:
            raise RefusedError(NOT_FOUND)
    return good({})


def listed(exchange: KalshiExchange, member: Member) -> dict[str, Any]:
    groups = [g for g in exchange.groups.all.values() if g.owner == member.name]
    return {"order_groups": [{"id": g.group_id, **_facts(g)} for g in groups]}


def one(exchange: KalshiExchange, member: Member, group_id: str) -> dict[str, Any]:
    found = exchange.groups.of(member.name, group_id)
    if found is None:
        raise RefusedError(NO_GROUP)
    orders = [order.order_id for order in exchange.resting(member.name) if order.group == group_id]
    return {"orders": orders, **_facts(found)}


def _facts(group: Group) -> dict[str, Any]:
    return {
        "is_auto_cancel_enabled": not group.triggered,
        "contracts_limit_fp": count(group.limit),
        "exchange_index": group.shard,
    }


def _end_group(exchange: KalshiExchange, member: Member, group_id: str, now: int) -> None:
    for order in exchange.resting(member.name):
        if order.group == group_id:
            exchange.end(order, "", now)
    exchange.announce_all(now)


def _contracts(text: str) -> int:
    try:
        contracts = parse_shares(text)
    except MoneyError:
        raise RefusedError(INVALID_PARAMETERS) from None
    if not MICRO <= contracts <= 1_000_000 * MICRO:
        raise RefusedError(INVALID_PARAMETERS)
    return contracts


make_structs_ready(globals())
