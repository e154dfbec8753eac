"""What the venue says about a market, as our `Market`. Pure: recorded or received JSON in, values out.

Two sources (polymarket.md 2.2 and 2.3, read 2026-11-22): Gamma has the title, the end date and the event structure, the
CLOB's compact market object has what orders are judged by: tokens, tick, least size, fees. Where they disagree on the
tokens the market is refused; where they disagree on fees the higher ones count (section 9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from adapters.catalog import CatalogError, instant_ms
from adapters.polymarket.amounts import CENT, taker_lot
from models.fees import NO_FEES, FeeSchedule, FeesUnknownError
from models.first_use import make_structs_ready
from models.hostile import clean
from models.market import BookModel, Market, MarketId, VenueName, linear_grid
from models.money import MICRO, MicroShares, MicroUsd, MoneyError, PriceMicros, micros_from_decimal, text

VENUE: Final = VenueName("polymarket")
MIN_NOTIONAL: Final = MicroUsd(1_000_000)
"""Orders that take liquidity need one dollar (2.4). The least size is for orders that rest (0.8); sets are not opened
below it all the same, as the limits of an account may rest on it.
"""
SALE_LOT: Final = MicroShares(CENT)
"""Sales are stated in shares of two decimals (2.5); only what buys has to cost whole cents."""
FEE_QUANTUM: Final = MicroUsd(10)
"""Fees have five decimals; the direction is not documented, so ours are rounded up (9)."""
KNOWN_GENERATIONS: Final = frozenset({None, "v1", "v2"})

TOKEN_DIGITS: Final = 78
"""Of the largest number of 256 bits."""


# -- the venue's objects


class ClobToken(msgspec.Struct):
    t: str
    o: str = ""


class ClobFee(msgspec.Struct):
    r: Decimal
    e: Decimal = Decimal(1)
    to: bool = True


class ClobMarket(msgspec.Struct):
    """`GET /clob-markets/{condition id}`. `fd` missing means no fee."""

    t: list[ClobToken]
    mos: Decimal
    mts: Decimal
    nr: bool = False
    fd: ClobFee | None = None


class GammaFees(msgspec.Struct):
    rate: Decimal
    exponent: Decimal = Decimal(1)


class GammaEvent(msgspec.Struct, rename="camel"):
    id: str | int | None = None
    title: str | None = None
    neg_risk_augmented: bool | None = None
    neg_risk_market_id: str | None = msgspec.field(default=None, name="negRiskMarketID")


class GammaMarket(msgspec.Struct, rename="camel"):
    """An element of `GET /markets/keyset`. Token ids and outcomes are JSON inside strings."""

    condition_id: str
    question: str = ""
    slug: str = ""
    outcomes: str = "[]"
    clob_token_ids: str | None = None
    position_ids: list[str] | None = None
    version: str | None = None
    neg_risk: bool = False
    neg_risk_market_id: str | None = msgspec.field(default=None, name="negRiskMarketID")
    order_price_min_tick_size: Decimal | None = None
    order_min_size: Decimal | None = None
    enable_order_book: bool | None = None
    accepting_orders: bool | None = None
    active: bool | None = None
    closed: bool | None = None
    archived: bool | None = None
    fees_enabled: bool | None = None
    fee_schedule: GammaFees | None = None
    end_date: str | None = None
    events: list[GammaEvent] = []


# -- the venue's objects -> Market


def market_of(gamma: GammaMarket, clob: ClobMarket | None, as_of: str) -> Market:
    """The market as both sources describe it; from Gamma alone (for `find`) where `clob` is None.

    `as_of` is the ISO date of reading, for the fee schedule. Raises `CatalogError`, or `FeesUnknownError`.
    """
    if gamma.version not in KNOWN_GENERATIONS:
        raise CatalogError(f"market generation {clean(gamma.version or '', 20)!r} is not known")
    tokens = _gamma_tokens(gamma)
    tick, min_size = gamma.order_price_min_tick_size, gamma.order_min_size
    if clob is not None:
        if tokens and tokens != [token.t for token in clob.t]:
            raise CatalogError("Gamma and the CLOB name different tokens")
        tokens = [token.t for token in clob.t]
        tick, min_size = clob.mts, clob.mos
    if len(set(tokens)) != 2 or len(tokens) != 2 or not all(map(is_token, tokens)):
        raise CatalogError("not a market of two tokens")
    if tick is None or min_size is None:
        raise CatalogError("tick or least size is missing")
    fees = fee_schedule(gamma, clob, as_of)
    return _market(
        market_id=gamma.condition_id,
        title=gamma.question,
        tokens=tokens,
        tick=tick,
        min_size=min_size,
        fees=fees,
        closes_at_ms=instant_ms(gamma.end_date) if gamma.end_date else None,
        event=_exclusive_event(gamma),
    )


def status_problem(gamma: GammaMarket) -> str | None:
    """Why the market cannot be traded now, None where it can."""
    if gamma.closed or gamma.archived:
        return "is closed"
    if gamma.enable_order_book is False:
        return "has no order book"
    if gamma.accepting_orders is False or gamma.active is False:
        return "does not accept orders now"
    return None


def fee_schedule(gamma: GammaMarket, clob: ClobMarket | None, as_of: str) -> FeeSchedule:
    """The higher of what the two sources charge; what only one of them knows counts. Raises `FeesUnknownError`."""
    found = []
    if clob is not None and clob.fd is not None:
        found.append(charged_fees(clob, as_of))
    if gamma.fees_enabled and gamma.fee_schedule is not None:
        found.append(_schedule("polymarket-gamma", as_of, gamma.fee_schedule.rate, gamma.fee_schedule.exponent))
    if gamma.fees_enabled and not found:
        raise FeesUnknownError("fees are on, but nobody says how high they are")
    return max(found, key=_peak, default=NO_FEES)


def charged_fees(clob: ClobMarket, as_of: str) -> FeeSchedule:
    """What the exchange itself charges takers in a market; no `fd` means nothing. Raises `FeesUnknownError`."""
    return NO_FEES if clob.fd is None else _schedule("polymarket-fd", as_of, clob.fd.r, clob.fd.e)


def market_from_tape(entry: Mapping[str, Any], recorded_on: str) -> Market:
    """The market that a tape's header describes. `recorded_on` is an ISO date. Raises as `market_of`."""
    try:
        tokens = [str(token) for token in entry["tokens"]]
        rate, exponent = Decimal(entry.get("fee_rate", "0")), Decimal(entry.get("fee_exponent", "1"))
        if len(set(tokens)) != 2 or len(tokens) != 2 or not all(map(is_token, tokens)):
            raise CatalogError("not a market of two tokens")
        return _market(
            market_id=str(entry["market_id"]),
            title=str(entry.get("title", "")),
            tokens=tokens,
            tick=Decimal(entry["tick"]),
            min_size=Decimal(entry["min_size"]),
            fees=_schedule("polymarket-tape", recorded_on, rate, exponent) if rate else NO_FEES,
            closes_at_ms=entry.get("closes_ms"),
            event=entry.get("event_id"),
        )
    except (KeyError, TypeError, ArithmeticError) as error:
        raise CatalogError(f"a market of the tape's header is incomplete: {clean(str(error), 60)}") from None


def market_to_tape(market: Market) -> dict[str, Any]:
    """The header entry that `market_from_tape` reads back as the same market."""
    entry: dict[str, Any] = {
        "market_id": market.market_id,
        "title": market.title,
        "tokens": [market.yes_instrument, market.no_instrument],
        "tick": text(market.price_bands[0].step, 0),
        "min_size": text(market.min_size, 0),
        "neg_risk": market.mutually_exclusive,
        "fee_rate": text(market.fees.rate_micros, 0),
        "fee_exponent": str(market.fees.exponent),
    }
    if market.closes_at_ms is not None:
        entry["closes_ms"] = market.closes_at_ms
    if market.event_id is not None:
        entry["event_id"] = market.event_id
    return entry


# -- inside


def _market(
    *,
    market_id: str,
    title: str,
    tokens: Sequence[str],
    tick: Decimal,
    min_size: Decimal,
    fees: FeeSchedule,
    closes_at_ms: int | None,
    event: str | None,
) -> Market:
    try:
        step, least = micros_from_decimal(tick), micros_from_decimal(min_size)
    except (MoneyError, ArithmeticError) as error:
        raise CatalogError(f"tick or least size: {error}") from None
    if not market_id.isascii() or clean(market_id) != market_id or not market_id:
        raise CatalogError(f"no market id: {clean(market_id, 40)!r}")
    if not 0 < step < MICRO or MICRO % step or least < 0:
        raise CatalogError(f"tick {_short(tick)} or least size {_short(min_size)} is out of range")
    return Market(
        venue=VENUE,
        market_id=MarketId(market_id),
        title=clean(title),
        yes_instrument=tokens[0],
        no_instrument=tokens[1],
        price_bands=linear_grid(PriceMicros(step)),
        lot=taker_lot(PriceMicros(step)),
        min_size=MicroShares(least),
        min_notional=MIN_NOTIONAL,
        min_take=SALE_LOT,
        sale_lot=SALE_LOT,
        fees=fees,
        book_model=BookModel.UNIFIED,
        closes_at_ms=closes_at_ms,
        event_id=event,
        mutually_exclusive=event is not None,
    )


def _schedule(name: str, as_of: str, rate: Decimal, exponent: Decimal) -> FeeSchedule:
    if not (exponent.is_finite() and exponent == exponent.to_integral_value() and 1 <= exponent <= 8):
        raise FeesUnknownError(f"fee exponent {_short(exponent)} is not a whole number from 1 to 8")
    try:
        rate_micros = micros_from_decimal(rate)
    except (MoneyError, ArithmeticError) as error:
        raise FeesUnknownError(f"fee rate: {error}") from None
    if not 0 <= rate_micros <= MICRO:
        raise FeesUnknownError(f"fee rate {_short(rate)} is out of range")
    if rate_micros == 0:
        return NO_FEES
    return FeeSchedule(name=name, as_of=as_of, rate_micros=rate_micros, exponent=int(exponent), quantum=FEE_QUANTUM)


def _peak(schedule: FeeSchedule) -> Decimal:
    """Fee of one share at 0.50, where every such curve is highest."""
    return Decimal(schedule.rate_micros) / Decimal(4**schedule.exponent)


def is_token(word: str) -> bool:
    """Whether it is a token id: a number of 256 bits at most."""
    return word.isascii() and word.isdigit() and len(word) <= TOKEN_DIGITS


def _gamma_tokens(gamma: GammaMarket) -> list[str]:
    """Token ids by the market's generation (2.1), YES first; empty where Gamma has none yet."""
    if gamma.version == "v2":
        return list(gamma.position_ids or [])
    try:
        return msgspec.json.decode(gamma.clob_token_ids or "[]", type=list[str])
    except msgspec.DecodeError:
        raise CatalogError("Gamma's token ids cannot be read") from None


def _exclusive_event(gamma: GammaMarket) -> str | None:
    """The neg-risk event whose outcomes exclude one another.

    Augmented events are left out: the meaning of their "Other" narrows while they trade (2.6). So are those of which
    nobody says whether they are augmented.
    """
    event = gamma.events[0] if gamma.events else None
    if not gamma.neg_risk or event is None or event.neg_risk_augmented is not False:
        return None
    return gamma.neg_risk_market_id or event.neg_risk_market_id


def _short(number: Decimal) -> str:
    """A venue's number in a message: it may have thousands of digits."""
    return clean(f"{number:.20g}", 40)


make_structs_ready(globals())
