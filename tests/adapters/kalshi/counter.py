"""The dialect without a socket: signed requests at a given time, and a stream that keeps what it was sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from adapters.kalshi.dialect import make_exchange
from adapters.kalshi.dialect.exchange import KalshiExchange
from adapters.kalshi.dialect.face import BASE, KalshiFace
from adapters.kalshi.dialect.members import BASIC, Member, Tier, make_member
from adapters.kalshi.signing import RequestSigner, parse_key
from adapters.simulated.exchange import Setup
from adapters.simulated.streams import Close, Effect, Ping, Send
from adapters.simulated.web import Request
from models.clock import MS, SECOND
from models.money import MICRO
from tests.adapters.kalshi.stage import entropy, take_all_off

START = 1_795_334_400 * SECOND
FED = "KXSIMFED-26DEC31-T1"
"""A cent grid, fees at multiplier 1, shard 0."""
BTC = "KXSIMBTC-26DEC31-T1"
"""Tenths of a cent, shard 2."""
CPI = "KXSIMCPI-26DEC31-T1"
"""Makers pay, too."""


@dataclass(frozen=True)
class Told:
    status: int
    body: Any
    headers: Mapping[str, str]


class Counter:
    """Two members at one exchange whose crowd stands still. Time moves by `pass_ms` only."""

    def __init__(
        self, *, cash: int = 100, tier: Tier | None = None, funded: Sequence[int] | None = None, **setup: Any
    ) -> None:
        self.members = [make_member(f"trader-{number}", entropy(number)) for number in (1, 2)]
        for member in self.members:
            member.tier = tier or member.tier
        fields: dict[str, Any] = {"seed": 3, "start": START, "rate": 0, "scripted": False} | setup
        self.exchange: KalshiExchange = make_exchange(Setup(**fields), 9, self.members, cash * MICRO, funded)
        self.face = KalshiFace()
        self.now = START
        self.sent: dict[int, list[Effect]] = {}
        self._numbers = count(1)

    # -- time

    def pass_ms(self, ms: int) -> None:
        """Let time pass; what goes out on the streams is kept for `Wire.hear`."""
        self.now += ms * MS
        for effect in self.exchange.advance(self.now):
            self.sent.setdefault(effect.connection, []).append(effect)

    # -- REST

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        member: int = 0,
        headers: Mapping[str, str] | None = None,
        skew_ms: int = 0,
    ) -> Told:
        self.pass_ms(0)
        target = BASE + path
        signed = self.signed(method, target, member, skew_ms) if headers is None else headers
        raw = b"" if body is None else json.dumps(body).encode()
        answer = self.face.answer(self.exchange, Request(method, target, signed, raw), self.now)
        return Told(answer.status, json.loads(answer.body) if answer.body else None, answer.headers)

    def signed(self, method: str, target: str, member: int = 0, skew_ms: int = 0) -> dict[str, str]:
        key = self.members[member].key
        return RequestSigner(key.key_id, parse_key(key.private_pem)).headers(self.now // MS + skew_ms, method, target)

    def order(self, side: str, price: str, size: str, *, member: int = 0, ticker: str = FED, **more: Any) -> Told:
        shard = self.exchange.listings.by_ticker[ticker].shard
        body = {
            "ticker": ticker,
            "client_order_id": f"c-{next(self._numbers)}",
            "side": side,
            "count": size,
            "price": price,
            "time_in_force": "immediate_or_cancel",
            "self_trade_prevention_type": "taker_at_cross",
            "exchange_index": shard,
        } | more
        return self.ask("POST", "/portfolio/events/orders", body, member=member)

    def rest(self, side: str, price: str, size: str, *, member: int = 1, **more: Any) -> str:
        """A resting order of the other member; its id."""
        told = self.order(side, price, size, member=member, time_in_force="good_till_canceled", **more)
        assert told.status == 201, told
        return str(told.body["order_id"])

    def empty(self, ticker: str = FED) -> None:
        """Take everything off a market's book."""
        take_all_off(self.exchange, ticker, self.now)
        self.pass_ms(0)

    def cash(self, member: int = 0, shard: int = 0) -> str:
        told = self.ask("GET", f"/portfolio/balance?exchange_index={shard}", member=member)
        return str(told.body["balance_dollars"])

    def position(self, ticker: str = FED, member: int = 0) -> str:
        rows = self.ask("GET", f"/portfolio/positions?ticker={ticker}", member=member).body["market_positions"]
        return str(rows[0]["position_fp"]) if rows else "0.00"

    def audit(self) -> list[str]:
        return self.exchange.engine.audit()


class Wire:
    """One connection to the exchange's stream."""

    def __init__(self, counter: Counter, member: int = 0) -> None:
        self._counter = counter
        self.connection = counter.exchange.streams.open(counter.members[member].name)
        self.pings: list[bytes] = []
        self.closed: int | None = None

    def say(self, cmd: str, number: int = 1, **params: Any) -> list[dict[str, Any]]:
        """Send a command; what has come since."""
        return self.say_raw(json.dumps({"id": number, "cmd": cmd, "params": params}))

    def say_raw(self, message: str) -> list[dict[str, Any]]:
        self._counter.pass_ms(0)
        self._counter.exchange.streams.receive(self.connection, message, self._counter.now)
        return self.hear()

    def hear(self, ms: int = 0) -> list[dict[str, Any]]:
        """The frames that come within `ms`."""
        frames = []
        self._counter.pass_ms(ms)
        for effect in self._counter.sent.pop(self.connection, []):
            match effect:
                case Send(_, data):
                    frames.append(json.loads(data))
                case Ping(_, body):
                    self.pings.append(body)
                case Close(_, code):
                    self.closed = code
        return frames


__all__ = ["BASIC", "BTC", "CPI", "FED", "START", "Counter", "Member", "Told", "Wire"]
