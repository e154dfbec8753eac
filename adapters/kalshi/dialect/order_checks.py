"""What the venue has against an order before it meets the book, in its own words (kalshi.md 6.2, read 2026-11-22)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from adapters.kalshi.dialect.exchange import KalshiExchange
from adapters.kalshi.dialect.markets import Listed
from adapters.kalshi.dialect.members import Member
from adapters.kalshi.dialect.replies import (
    ALREADY_EXISTS,
    EXCHANGE_PAUSED,
    GROUP_LIMIT,
    INVALID_PARAMETERS,
    INVALID_SIZE,
    MARKET_INACTIVE,
    MARKET_NOT_FOUND,
    NO_GROUP,
    TOO_MANY,
    TRADING_PAUSED,
    Problem,
    RefusedError,
    invalid_order,
)
from adapters.kalshi.dialect.rows import own_outcome, wire_id
from adapters.kalshi.order_wire import yes_leg
from adapters.simulated.desk import Manner
from adapters.simulated.orders import VenueOrder
from models.clock import SECOND
from models.first_use import make_structs_ready
from models.market import Action, MarketStatus
from models.money import MicroShares, MoneyError, PriceMicros, parse_price, parse_shares
from models.orders import TimeInForce

TIMES: Final = {
    "fill_or_kill": TimeInForce.FOK,
    "immediate_or_cancel": TimeInForce.IOC,
    "good_till_canceled": TimeInForce.GTC,
}
STP: Final = frozenset({"taker_at_cross", "maker"})
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_PRICE: Final = re.compile(r"[01]?\.[0-9]{2,4}\Z")
_COUNT: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,2})?\Z")


Body = TypeVar("Body", bound=msgspec.Struct)


class CreateOrder(msgspec.Struct):
    ticker: str
    side: str
    count: str
    price: str
    time_in_force: str
    self_trade_prevention_type: str
    client_order_id: str | None = None
    expiration_time: int | None = None
    post_only: bool = False
    reduce_only: bool = False
    cancel_order_on_pause: bool = False
    order_group_id: str | None = None
    subaccount: int | None = None
    exchange_index: int | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """What came of one order. `body` is an item of a batch, or the answer's body; a problem stands alone."""

    body: dict[str, Any]
    problem: Problem | None = None
    manner: Manner = Manner.ANSWER
    delay: int = 0


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that can be carried out. `price` of the YES leg, micro-dollars; `size` in micro-shares."""

    asked: CreateOrder
    listed: Listed
    own_id: str
    price: PriceMicros
    size: MicroShares
    tif: TimeInForce


def checked_order(exchange: KalshiExchange, member: Member, asked: CreateOrder, now: int) -> Checked:
    """Everything that the venue has against an order before it meets the book. Raises `RefusedError`."""
    own_id = asked.client_order_id or wire_id(f"{member.name}/{now}/{exchange.engine.orders_made}")
    if not _CLIENT_ID.match(own_id) or asked.side not in ("bid", "ask") or asked.time_in_force not in TIMES:
        raise RefusedError(INVALID_PARAMETERS)
    if asked.self_trade_prevention_type not in STP or not _COUNT.match(asked.count):
        raise RefusedError(INVALID_PARAMETERS)
    listed = exchange.listings.by_ticker.get(asked.ticker)
    if listed is None or asked.exchange_index not in (None, -1, listed.shard):
        raise RefusedError(MARKET_NOT_FOUND)
    if (member.name, own_id) in exchange.used_ids:
        raise RefusedError(ALREADY_EXISTS)
    _check_weather(exchange, listed, now)
    tif = TIMES[asked.time_in_force]
    price, size = _figures(asked, listed)
    _check_flags(asked, tif, now)
    _check_group(exchange, member, asked.order_group_id)
    checked = Checked(asked, listed, own_id, price, size, tif)
    if exchange.collateral.returned(member, listed) and held_against(exchange, member, checked):
        raise RefusedError(invalid_order("COLLATERAL_RETURNED"))
    if asked.post_only and meets(exchange, checked):
        raise RefusedError(invalid_order("post only cross"))
    return checked


def _check_weather(exchange: KalshiExchange, listed: Listed, now: int) -> None:
    if now < exchange.engine.unavailable_until or now < exchange.engine.post_only_until:
        raise RefusedError(EXCHANGE_PAUSED)
    status = exchange.engine.listings[listed.market.market_id].status
    if status is MarketStatus.PAUSED:
        raise RefusedError(TRADING_PAUSED)
    if status in (MarketStatus.CLOSED, MarketStatus.RESOLVED):
        raise RefusedError(MARKET_INACTIVE)


def _figures(asked: CreateOrder, listed: Listed) -> tuple[PriceMicros, MicroShares]:
    try:
        price, size = parse_price(asked.price), parse_shares(asked.count)
    except MoneyError:
        raise RefusedError(invalid_order("INVALID_PRICE")) from None
    if not _PRICE.match(asked.price) or not listed.market.on_grid(price):
        raise RefusedError(invalid_order("INVALID_PRICE"))
    if size <= 0:
        raise RefusedError(INVALID_SIZE)
    return price, size


def _check_flags(asked: CreateOrder, tif: TimeInForce, now: int) -> None:
    if asked.expiration_time is not None:
        if tif is not TimeInForce.GTC:
            words = f"Cannot specify both {asked.time_in_force} and expiration_ts"
            raise RefusedError(Problem(400, "invalid_order", words))
        if asked.expiration_time * SECOND <= now:
            raise RefusedError(Problem(400, "invalid_order", "Expiration timestamp must be in the future"))
    if asked.reduce_only and tif is not TimeInForce.IOC:
        raise RefusedError(invalid_order("reduce_only requires immediate_or_cancel"))
    if asked.post_only and tif is not TimeInForce.GTC:
        raise RefusedError(invalid_order("post_only requires good_till_canceled"))


def _check_group(exchange: KalshiExchange, member: Member, group_id: str | None) -> None:
    if group_id is None:
        return
    group = exchange.groups.of(member.name, group_id)
    if group is None:
        raise RefusedError(NO_GROUP)
    if group.triggered:
        raise RefusedError(GROUP_LIMIT)


def held_against(exchange: KalshiExchange, member: Member, checked: Checked) -> MicroShares:
    """Free shares of the outcome that this side of the book gives back."""
    account = exchange.engine.accounts[member.account(checked.listed.shard)]
    holding = (checked.listed.market.market_id, own_outcome(checked.asked.side).other)
    return MicroShares(account.free_shares(holding, settled_only=False))


def meets(exchange: KalshiExchange, checked: Checked) -> list[tuple[VenueOrder, int]]:
    """(resting order, size that came before it) on the other side of the book, as far as the limit reaches."""
    opens = own_outcome(checked.asked.side)
    listing = exchange.engine.listings[checked.listed.market.market_id]
    place_ = listing.place(opens, Action.BUY, yes_leg(opens, checked.price))
    found, before = [], 0
    for price, maker in place_.other.orders():
        if not place_.other.reaches(price, place_.price) or before >= checked.size:
            break
        found.append((maker, before))
        before += maker.remaining
    return found


def charge(member: Member, shards: tuple[int, ...], cost: int, now: int) -> None:
    """Raises `RefusedError` where a bucket is empty."""
    if not member.may_write(shards, cost, now):
        raise RefusedError(TOO_MANY)


def decoded(raw: bytes, kind: type[Body]) -> Body:
    """Raises `RefusedError`."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError:
        raise RefusedError(INVALID_PARAMETERS) from None


make_structs_ready(globals())
