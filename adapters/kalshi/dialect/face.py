"""The exchange's HTTP face in Kalshi's protocol: signatures, buckets, paths (kalshi.md 3 to 7, read 2026-11-22)."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from adapters.kalshi.dialect import cancels, catalog_reads, group_calls, orders, portfolio
from adapters.kalshi.dialect.exchange import KalshiExchange
from adapters.kalshi.dialect.members import NO_REGION, NO_SCOPE, ApiKey, Member
from adapters.kalshi.dialect.order_checks import decoded
from adapters.kalshi.dialect.replies import (
    INVALID_PARAMETERS,
    NO_CASH,
    NOT_FOUND,
    TOO_MANY,
    Problem,
    RefusedError,
    bad,
    dated,
    good,
)
from adapters.kalshi.dialect.rows import instant, wire_id
from adapters.kalshi.dialect.truth import member_truth
from adapters.kalshi.signing import KEY_HEADER
from adapters.simulated import web
from adapters.simulated.accounts import EntryKind
from adapters.simulated.exchange import InProcessExchange
from adapters.simulated.web import Answer, Request
from models.clock import MS
from models.first_use import make_structs_ready

BASE: Final = "/trade-api/v2"
WS_PATH: Final = "/trade-api/ws/v2"
LEVERS: Final = "/levers"
TRUTH: Final = "/truth"
"""For whoever runs the exchange, with or without the protocol's root before it; no part of the protocol."""
CENTI_CENT: Final = 100
"""Micro-dollars in the unit of transfers."""


class Transfer(msgspec.Struct):
    source_exchange_shard: int
    destination_exchange_shard: int
    amount: int
    client_transfer_id: str
    source: str = "event_contract"
    destination: str = "event_contract"


class NettingSwitch(msgspec.Struct):
    enabled: bool
    subaccount_number: int = 0


class KalshiFace:
    """`adapters.simulated.web.Face` for the venue's protocol."""

    market_path = WS_PATH
    user_path = WS_PATH

    def __init__(self) -> None:
        self.clock_ahead_s = 0
        """How far the clock of this face is ahead of the exchange's, to try what a skewed clock does."""
        self._transfers: set[str] = set()

    def answer(self, exchange: InProcessExchange, request: Request, now: int) -> Answer:
        assert isinstance(exchange, KalshiExchange)
        parts = urlsplit(request.target)
        asked = (request.method, parts.path.removeprefix(BASE))
        if asked == ("GET", TRUTH):
            return good(member_truth(exchange))
        if asked == ("POST", LEVERS):
            return web.answer(exchange, replace(request, target=LEVERS), now)
        try:
            if not parts.path.startswith(f"{BASE}/"):
                raise RefusedError(NOT_FOUND)
            path = [unquote(part) for part in parts.path.removeprefix(f"{BASE}/").strip("/").split("/")]
            answer = self._answer(exchange, request, path, parse_qs(parts.query), now)
        except RefusedError as refused:
            answer = bad(refused.problem)
        return Answer(
            answer.status,
            answer.body,
            answer.manner,
            answer.delay,
            {**dated(self._clock_ms(now) * MS), **answer.headers},
        )

    def stream_account(self, exchange: InProcessExchange, request: Request, now: int) -> str | Answer | None:
        """Every stream is somebody's, also one of public data."""
        assert isinstance(exchange, KalshiExchange)
        signed = exchange.members.signed(request.headers, "GET", request.target, self._clock_ms(now))
        return bad(signed) if isinstance(signed, Problem) else signed[0].name

    # -- inside

    def _answer(
        self, exchange: KalshiExchange, request: Request, path: list[str], query: dict[str, list[str]], now: int
    ) -> Answer:
        if exchange.unavailable:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            if path == ["exchange", "status"]:
                return good(catalog_reads.status(exchange), status)
            raise RefusedError(Problem(status, "exchange_unavailable"))
        if request.method == "GET":
            if not request.headers.get(KEY_HEADER, "") and (found := catalog_reads.public(exchange, path, query)):
                return good(found)
            member, _ = self._signed(exchange, request, now)
            if not member.may_read(now):
                raise RefusedError(TOO_MANY)
            body = catalog_reads.public(exchange, path, query) or self._read(exchange, member, path, query, now)
            return good(body)
        member, key = self._signed(exchange, request, now)
        if not key.may_trade:
            raise RefusedError(NO_SCOPE)
        if member.region_expires_s is not None and self._clock_ms(now) >= member.region_expires_s * 1_000:
            raise RefusedError(NO_REGION)
        return self._write(exchange, member, request, path, query, now)

    def _signed(self, exchange: KalshiExchange, request: Request, now: int) -> tuple[Member, ApiKey]:
        signed = exchange.members.signed(request.headers, request.method, request.target, self._clock_ms(now))
        if isinstance(signed, Problem):
            raise RefusedError(signed)
        return signed

    def _clock_ms(self, now: int) -> int:
        return now // MS + self.clock_ahead_s * 1_000

    def _read(
        self, exchange: KalshiExchange, member: Member, path: list[str], query: dict[str, list[str]], now: int
    ) -> dict[str, Any]:
        match path:
            case ["portfolio", "orders"]:
                return portfolio.orders(exchange, member, query, now)
            case ["portfolio", "orders", order_id]:
                return portfolio.order(exchange, member, order_id, now)
            case ["portfolio", "fills"]:
                return portfolio.fills(exchange, member, query, now)
            case ["portfolio", "positions"]:
                return portfolio.positions(exchange, member, query, now)
            case ["portfolio", "balance"]:
                return portfolio.balance(exchange, member, query, now)
            case ["portfolio", "settlements"]:
                return portfolio.settlements(exchange, member, query)
            case ["portfolio", "order_groups"]:
                return group_calls.listed(exchange, member)
            case ["portfolio", "order_groups", group_id]:
                return group_calls.one(exchange, member, group_id)
        return _account_read(member, path, now)

    def _write(
        self,
        exchange: KalshiExchange,
        member: Member,
        request: Request,
        path: list[str],
        query: dict[str, list[str]],
        now: int,
    ) -> Answer:
        body = request.body
        match request.method, path:
            case "POST", ["portfolio", "events", "orders"]:
                return orders.create(exchange, member, body, now)
            case "POST", ["portfolio", "events", "orders", "batched"]:
                return orders.create_batch(exchange, member, body, now)
            case "DELETE", ["portfolio", "events", "orders", "batched"]:
                return cancels.cancel_batch(exchange, member, body, now)
            case "DELETE", ["portfolio", "events", "orders"]:
                return cancels.cancel_all(exchange, member, now)
            case "DELETE", ["portfolio", "events", "orders", order_id]:
                return cancels.cancel(exchange, member, order_id, query, now)
            case "POST", ["portfolio", "events", "orders", order_id, "decrease"]:
                return cancels.decrease(exchange, member, order_id, body, now)
            case "POST" | "DELETE", ["portfolio", "orders", *_]:
                raise RefusedError(Problem(410, "deprecated_v1_order_endpoint"))
            case "PUT", ["portfolio", "subaccounts", "netting"]:
                member.collateral_return = decoded(body, NettingSwitch).enabled
                return good(_netting(member))
            case "POST", ["portfolio", "intra_exchange_instance_transfer"]:
                return self._transfer(exchange, member, decoded(body, Transfer), now)
            case _, ["portfolio", "order_groups", *rest]:
                return group_calls.change(exchange, member, request, rest, now)
        raise RefusedError(NOT_FOUND)

    def _transfer(self, exchange: KalshiExchange, member: Member, asked: Transfer, now: int) -> Answer:
        """Cash from one shard to another; the same id twice moves it once."""
        shards = (asked.source_exchange_shard, asked.destination_exchange_shard)
        if asked.amount <= 0 or not set(shards) <= set(exchange.listings.shards):
            raise RefusedError(INVALID_PARAMETERS)
        if asked.client_transfer_id not in self._transfers:
            amount = asked.amount * CENTI_CENT
            source, target = (exchange.engine.accounts[member.account(shard)] for shard in shards)
            if source.free_cash < amount:
                raise RefusedError(NO_CASH)
            self._transfers.add(asked.client_transfer_id)
            source.post(now, EntryKind.DEPOSIT, cash=-amount, reference=asked.client_transfer_id)
            target.post(now, EntryKind.DEPOSIT, cash=amount, reference=asked.client_transfer_id)
        return good({"transfer_id": wire_id(asked.client_transfer_id)})


def _netting(member: Member) -> dict[str, Any]:
    return {"netting_configs": [{"subaccount_number": 0, "enabled": member.collateral_return, "exchange_index": 0}]}


def _account_read(member: Member, path: list[str], now: int) -> dict[str, Any]:
    match path:
        case ["portfolio", "subaccounts", "netting"]:
            return _netting(member)
        case ["api_keys"]:
            return _api_keys(member)
        case ["exchange", "user_data_timestamp"]:
            return {"as_of_time": instant(now)}
        case ["account", "limits"]:
            return _limits(member)
        case ["account", "endpoint_costs"]:
            cheap = {"method": "DELETE", "path": f"{BASE}/portfolio/events/orders", "cost": 2}
            return {"default_cost": 10, "endpoint_costs": [cheap]}
    raise RefusedError(NOT_FOUND)


def _api_keys(member: Member) -> dict[str, Any]:
    keys = [
        {"api_key_id": key.key_id, "name": f"{member.name} {number}", "scopes": sorted(key.scopes)}
        for number, key in enumerate(member.keys, 1)
    ]
    return {"api_keys": keys, "api_key_region_expiration_ts": member.region_expires_s}


def _limits(member: Member) -> dict[str, Any]:
    tier = member.tier
    return {
        "usage_tier": tier.name,
        "read": {"refill_rate": tier.read, "bucket_capacity": tier.read_capacity},
        "write": {"refill_rate": tier.write, "bucket_capacity": tier.write_capacity},
        "grants": [],
    }


make_structs_ready(globals())
