"""An order's way to the engine: payload, owner, signature, market, tick, range, sizes, decimals, in the venue's order.

Source: polymarket.md 15.1 and 5.5 (read 2026-11-22). The signature is verified against the contract that the market
settles on; one that is right for another contract or another generation is `order_version_mismatch`. What the engine
itself checks comes after: funds net of what is reserved, then what there is to match.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import msgspec

from adapters.polymarket.amounts import CENT, PRICE_PLACES
from adapters.polymarket.dialect import replies
from adapters.polymarket.dialect.markets import LEAST_NOTIONAL, LEAST_SIZE, Listed, Listings
from adapters.polymarket.dialect.replies import Problem
from adapters.polymarket.dialect.wallets import Wallet
from adapters.polymarket.eip712 import Domain, SignatureError
from adapters.polymarket.order_wire import PostOrder, SignedOrder
from adapters.polymarket.signing import (
    BUY,
    NEG_RISK,
    PROTOCOL_2,
    SELL,
    SIGNATURE_TYPES,
    STANDARD,
    OrderStruct,
    domain_for,
    order_id,
    signer_of,
)
from models.clock import SECOND
from models.market import Action, MarketStatus, Outcome
from models.money import MICRO, MicroShares, PriceMicros, text
from models.orders import TimeInForce

FORCES: Final = {
    "FAK": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTC": TimeInForce.GTC,
    "GTD": TimeInForce.GTC,
}
GTD_LEAST_S: Final = 180
GTD_EARLY_S: Final = 60
"""A GTD order is ended this much before it says (polymarket.md 7)."""
_DOMAINS: Final = (STANDARD, NEG_RISK, PROTOCOL_2)
_OLD_FIELDS: Final = frozenset({"nonce", "feeRateBps", "taker"})


class _Loose(msgspec.Struct):
    """What is looked at in a payload that is not one of today's."""

    order: dict[str, object]


_PAYLOAD: Final = msgspec.json.Decoder(PostOrder)
_LOOSE: Final = msgspec.json.Decoder(_Loose)


@dataclass(frozen=True, slots=True)
class Checked:
    """An order that may go to the engine. `order_id` is its digest."""

    order_id: str
    listed: Listed
    outcome: Outcome
    action: Action
    price: PriceMicros
    size: MicroShares
    maker_amount: int
    order_type: str
    post_only: bool
    ends_at: int | None
    """ns, of a GTD order."""

    @property
    def force(self) -> TimeInForce:
        return FORCES[self.order_type]

    @property
    def takes(self) -> bool:
        return self.force is not TimeInForce.GTC


def check(
    raw: bytes, wallet: Wallet, listings: Listings, statuses: dict[str, MarketStatus], now: int
) -> Checked | Problem:
    """One item of a request. `statuses` by condition id; `now` in ns."""
    try:
        payload = _PAYLOAD.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return replies.VERSION if _is_old(raw) else replies.INVALID_PAYLOAD
    struct = _struct(payload.order)
    if struct is None or payload.order_type not in FORCES or payload.defer_exec:
        return replies.INVALID_PAYLOAD
    post_only = payload.post_only is True
    if post_only and FORCES[payload.order_type] is not TimeInForce.GTC:
        return replies.INVALID_PAYLOAD
    found = listings.by_token.get(str(struct.token_id))
    if found is None:
        return _identity(payload, struct, wallet) or replies.NO_BOOK
    listed, outcome = found
    problem = _identity(payload, struct, wallet) or _signature(payload.order, struct, wallet, listed)
    if problem is not None:
        return problem
    if statuses[listed.condition_id] in (MarketStatus.CLOSED, MarketStatus.RESOLVED):
        return replies.NO_BOOK
    own_id = order_id(struct.digest(domain_for(struct.token_id, neg_risk=listed.neg_risk)))
    return _terms(payload, struct, listed, outcome, own_id, post_only=post_only, now=now)


def _identity(payload: PostOrder, struct: OrderStruct, wallet: Wallet) -> Problem | None:
    if wallet.banned:
        return replies.banned(wallet.address)
    if wallet.closed_only and struct.side == BUY:
        return replies.closed_only(wallet.address)
    if payload.owner != wallet.api_key:
        return replies.WRONG_OWNER
    form = SIGNATURE_TYPES[wallet.wallet_type]
    signer = wallet.funder if form == 3 else wallet.address
    if struct.signer.lower() != signer.lower():
        return replies.WRONG_SIGNER
    if struct.signature_type != form or struct.maker.lower() != wallet.funder.lower():
        return _invalid("the maker is not a wallet of the signer")
    return None


def _signature(order: SignedOrder, struct: OrderStruct, wallet: Wallet, listed: Listed) -> Problem | None:
    try:
        signature = bytes.fromhex(order.signature.removeprefix("0x"))
    except ValueError:
        return _invalid("invalid signature")
    right = domain_for(struct.token_id, neg_risk=listed.neg_risk)
    if _signed_by(right, struct, signature, wallet):
        return None
    others = (domain for domain in _DOMAINS if domain is not right)
    if any(_signed_by(domain, struct, signature, wallet) for domain in others):
        return replies.VERSION
    return _invalid("invalid signature")


def _terms(
    payload: PostOrder,
    struct: OrderStruct,
    listed: Listed,
    outcome: Outcome,
    own_id: str,
    *,
    post_only: bool,
    now: int,
) -> Checked | Problem:
    buys = struct.side == BUY
    takes = FORCES[payload.order_type] is not TimeInForce.GTC
    dollars, shares = struct.maker_amount, struct.taker_amount
    if not buys:
        dollars, shares = shares, dollars
    tick = listed.tick
    price = _price(Fraction(dollars, shares), tick, loose=takes)
    if price is None or not tick <= price <= MICRO - tick:
        return replies.off_tick(own_id, f"{float(Fraction(dollars, shares)):.6g}", text(tick))
    if not takes and shares < LEAST_SIZE:
        return replies.too_small(own_id, text(shares, 0), text(LEAST_SIZE, 0))
    if takes and buys and dollars < LEAST_NOTIONAL:
        return replies.below_a_dollar(text(dollars))
    unit = 10 ** (4 - PRICE_PLACES[tick])
    if struct.maker_amount % CENT and (takes or not buys):
        return _invalid("the maker amount supports at most 2 decimals")
    if not takes and shares % CENT:
        return _invalid("the size supports at most 2 decimals")
    if takes and struct.taker_amount % unit:
        return _invalid("the taker amount has more decimals than the tick allows")
    ends_at = None
    if payload.order_type == "GTD":
        digits = payload.order.expiration
        seconds = int(digits) if digits.isascii() and digits.isdigit() else 0
        if seconds < now // SECOND + GTD_LEAST_S:
            return replies.EXPIRATION
        ends_at = (seconds - GTD_EARLY_S) * SECOND
    elif payload.order.expiration != "0":
        return replies.EXPIRATION
    return Checked(
        own_id,
        listed,
        outcome,
        Action.BUY if buys else Action.SELL,
        price,
        MicroShares(shares // CENT * CENT),
        struct.maker_amount,
        payload.order_type,
        post_only,
        ends_at,
    )


def _price(exact: Fraction, tick: PriceMicros, *, loose: bool) -> PriceMicros | None:
    """The grid price that an order means. The shares of a market order are rounded, so its price may be a hair off."""
    ticks = exact * MICRO / tick
    nearest = round(ticks)
    if ticks != nearest and not (loose and abs(ticks - nearest) < Fraction(1, 20)):
        return None
    return PriceMicros(nearest * tick)


def _struct(order: SignedOrder) -> OrderStruct | None:
    numbers = (order.maker_amount, order.taker_amount, order.timestamp, order.token_id)
    if not all(digits.isascii() and digits.isdigit() and len(digits) < 79 for digits in numbers):
        return None
    if order.side not in ("BUY", "SELL") or int(order.maker_amount) <= 0 or int(order.taker_amount) <= 0:
        return None
    try:
        struct = OrderStruct(
            salt=order.salt,
            maker=order.maker,
            signer=order.signer,
            token_id=int(order.token_id),
            maker_amount=int(order.maker_amount),
            taker_amount=int(order.taker_amount),
            side=BUY if order.side == "BUY" else SELL,
            signature_type=order.signature_type,
            timestamp_ms=int(order.timestamp),
            metadata=bytes.fromhex(order.metadata.removeprefix("0x")),
            builder=bytes.fromhex(order.builder.removeprefix("0x")),
        )
        struct.hash()
    except (ValueError, OverflowError):
        return None
    return struct


def _signed_by(domain: Domain, struct: OrderStruct, signature: bytes, wallet: Wallet) -> bool:
    try:
        return signer_of(domain, struct, signature) == wallet.address
    except SignatureError:
        return False


def _is_old(raw: bytes) -> bool:
    """An order of the first generation, which is no longer taken."""
    try:
        return bool(_OLD_FIELDS & set(_LOOSE.decode(raw).order))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


def _invalid(why: str) -> Problem:
    return Problem(400, f"{replies.INVALID_PAYLOAD.text}: {why}")
