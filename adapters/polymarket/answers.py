"""What an answer of the venue proves about an order. Pure.

An order counts as refused only where a text on the list below says so, in a status that fits (polymarket.md 5.5, read
2026-11-22). A FAK or FOK that found nothing is no refusal but an order that ended with nothing filled. Everything else,
`Duplicated` and the bare 425, 429 and 5xx above all, is unknown: it is looked up by its digest and never sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from adapters.http_calls import HttpAnswer
from adapters.polymarket.amounts import CENT
from adapters.polymarket.frames import SizeTable
from adapters.polymarket.order_wire import Cancelled, Error, Placed
from adapters.polymarket.wire import UNREADABLE
from adapters.venue import AccountRefusedError, VenueReadError, VenueReadRefusedError
from models.hostile import clean
from models.market import Action
from models.money import MICRO, MicroShares, MoneyError
from models.orders import (
    Accepted,
    CancelAnswer,
    CancelResult,
    ClientOrderId,
    OrderIntent,
    OutcomeUnknown,
    Refused,
    SubmitAnswer,
    TimeInForce,
    VenueOrderId,
)

T = TypeVar("T")

UNAUTHORIZED: Final = "unauthorized"
BANNED: Final = "banned"
CLOSED_ONLY: Final = "closed_only"

BARRED: Final = frozenset({UNAUTHORIZED, BANNED, CLOSED_ONLY})
"""Not about the order but about the account (polymarket.md 5.5 and 14): compliance, or keys that do not fit."""

MISSED: Final = "missed"
"""Not a refusal: the order was taken, looked for a match, and ended with nothing."""

NO_FILL: Final = (
    "couldn't be fully filled",
    "no orders found to match with fak order",
    "fok orders are filled or killed",
    "there are no matching orders",
    "fok_order_not_filled_error",
)
"""Definite words for a FAK or FOK that ended with nothing, whatever the status."""

DEFINITE: Final = (
    (400, "invalid order payload", "malformed"),
    (400, "too many orders in payload", "malformed"),
    (400, "the order owner has to be the owner of the api key", UNAUTHORIZED),
    (400, "the order signer address has to be the address of the api key", UNAUTHORIZED),
    (400, "address banned", BANNED),
    (400, "in closed only mode", CLOSED_ONLY),
    (400, "breaks minimum tick size rule", "off_tick"),
    (400, "invalid_order_min_tick_size", "off_tick"),
    (400, "lower than the minimum", "below_min_size"),
    (400, "invalid_order_min_size", "below_min_size"),
    (400, "invalid amount for a marketable buy order", "below_min_notional"),
    (400, "min size: $1", "below_min_notional"),
    (400, "not enough balance", "insufficient_balance"),
    (400, "invalid_order_not_enough_balance", "insufficient_balance"),
    (400, "invalid expiration", "expiration"),
    (400, "invalid_order_expiration", "expiration"),
    (400, "invalid post-only order", "post_only"),
    (400, "invalid_post_only_order", "post_only"),
    (400, "order canceled in the ctf exchange contract", "cancelled_on_chain"),
    (400, "the market is not yet ready", "market_not_ready"),
    (400, "market_not_ready", "market_not_ready"),
    (400, "order_version_mismatch", "order_version"),
    (401, "invalid api key", UNAUTHORIZED),
    (401, "invalid l1 request headers", UNAUTHORIZED),
    (404, "no orderbook exists", "market_closed"),
    (404, "market not found", "market_closed"),
    (503, "trading is currently disabled", "trading_disabled"),
    (503, "trading is currently cancel-only", "cancel_only"),
    (503, "post-only mode", "post_only"),
    (503, "post_only_mode", "post_only"),
)
"""(status, words in the text or the code, our code). In the answer to a batch each item's text counts with any
status.
"""

RATE_HEADER: Final = "Poly-RateLimit-Remaining"
"""Tells a 429 of the exchange, which is a refusal, from one of the edge before it, which proves nothing."""

_SIZES: Final = SizeTable()
_PLACED: Final = msgspec.json.Decoder(Placed)
_PLACED_MANY: Final = msgspec.json.Decoder(list[Placed])
_ERROR: Final = msgspec.json.Decoder(Error)
_CANCELLED: Final = msgspec.json.Decoder(Cancelled)


@dataclass(frozen=True, slots=True)
class Submitted:
    """An order as it went out: our intent, and the id that the venue must answer with."""

    intent: OrderIntent
    order_id: str

    @property
    def own(self) -> ClientOrderId:
        return self.intent.client_order_id


def submit_answer(order: Submitted, answer: HttpAnswer) -> SubmitAnswer:
    """What the answer to `POST /order` proves."""
    if answer.status != 200:
        return _failed(order, answer)
    try:
        return _judged(order, _PLACED.decode(answer.body))
    except UNREADABLE:
        return OutcomeUnknown(client_order_id=order.own, why="HTTP 200, unreadable")


def batch_answers(orders: Sequence[Submitted], answer: HttpAnswer) -> list[SubmitAnswer]:
    """What the answer to `POST /orders` proves about each; its items stand in the order of the request."""
    if answer.status != 200:
        return [_failed(order, answer) for order in orders]
    try:
        rows = _PLACED_MANY.decode(answer.body)
    except UNREADABLE:
        rows = []
    if len(rows) != len(orders):
        why = "the batch's answer could not be read"
        return [OutcomeUnknown(client_order_id=order.own, why=why) for order in orders]
    return [_judged(order, row) for order, row in zip(orders, rows, strict=True)]


def cancel_answer(order: Submitted, answer: HttpAnswer) -> CancelAnswer:
    """GONE where the venue says that there is nothing to cancel: filled, cancelled before, or held back by a delay."""
    result, text = CancelResult.UNKNOWN, f"HTTP {answer.status}"
    if answer.status == 200:
        try:
            said = _CANCELLED.decode(answer.body)
        except UNREADABLE:
            return CancelAnswer(client_order_id=order.own, result=result, text="unreadable answer")
        wanted = order.order_id.lower()
        if wanted in [order_id.lower() for order_id in said.canceled or ()]:
            result, text = CancelResult.CANCELLED, ""
        for order_id, why in (said.not_canceled or {}).items():
            if order_id.lower() == wanted:
                result, text = CancelResult.GONE, clean(why, 120)
    return CancelAnswer(client_order_id=order.own, result=result, text=text)


def error_of(answer: HttpAnswer) -> str:
    """The venue's own words, safe to show; empty where there are none."""
    try:
        said = _ERROR.decode(answer.body)
    except UNREADABLE:
        return ""
    return clean(said.text or said.code, 160)


def read(answer: HttpAnswer, decoder: msgspec.json.Decoder[T]) -> T:
    """The body of a 200 answer to a question. Raises `VenueReadError` or `VenueReadRefusedError`."""
    if answer.status != 200:
        words = f"HTTP {answer.status} {error_of(answer)}".strip()
        if 400 <= answer.status < 500 and answer.status not in (408, 425, 429):
            raise (AccountRefusedError if answer.status in (401, 403) else VenueReadRefusedError)(words)
        raise VenueReadError(words)
    try:
        return decoder.decode(answer.body)
    except UNREADABLE:
        raise VenueReadError("the answer could not be read") from None


# -- inside


def _failed(order: Submitted, answer: HttpAnswer) -> SubmitAnswer:
    words = error_of(answer)
    code = _code(f"{words} {_error_code(answer)}", answer.status)
    if code is None and answer.status == 429 and RATE_HEADER in answer.headers:
        code = "rate_limited"
    return _verdict(order, code, words, f"HTTP {answer.status} {words}".strip())


def _judged(order: Submitted, row: Placed) -> SubmitAnswer:
    """One order's own row in a 200 answer. Accepted takes all four: success, no error, our id, a status we know."""
    if row.error_msg or not row.success or not row.order_id:
        words = clean(row.error_msg, 160)
        return _verdict(order, _code(row.error_msg, None), words, words or "neither accepted nor refused")
    if row.order_id.lower() != order.order_id.lower():
        return OutcomeUnknown(client_order_id=order.own, why="the answer is about another order")
    takes = order.intent.time_in_force is not TimeInForce.GTC
    filled: MicroShares | None = None
    match row.status:
        case "live":
            filled, done = MicroShares(0), False
        case "matched":
            filled = _filled(order.intent, row)
            if filled is None and order.intent.time_in_force is TimeInForce.FOK:
                filled = order.intent.size
            done = takes or filled == order.intent.size
        case "delayed":
            done = False
        case "unmatched":
            filled, done = MicroShares(0), takes
        case _:
            return OutcomeUnknown(client_order_id=order.own, why=f"status {clean(row.status, 40)!r}")
    return Accepted(client_order_id=order.own, venue_order_id=VenueOrderId(order.order_id), filled=filled, done=done)


def _filled(intent: OrderIntent, row: Placed) -> MicroShares | None:
    """Shares that a match gave or took; None where the venue's text is no possible number of them.

    The unit is not documented for certain: a plain decimal by the SDK, millionths by the documents. Only one of the two
    fits below the order's own size.
    """
    text = row.taking_amount if intent.action is Action.BUY else row.making_amount
    try:
        plain = _SIZES[text or ""]
    except MoneyError:
        return None
    if 0 < plain <= intent.size:
        return MicroShares(plain)
    millionths = plain // MICRO if "." not in (text or "") else 0
    return MicroShares(millionths) if CENT <= millionths <= intent.size else None


def _verdict(order: Submitted, code: str | None, words: str, why: str) -> SubmitAnswer:
    if code is None:
        return OutcomeUnknown(client_order_id=order.own, why=why)
    if code == MISSED:
        own_id = VenueOrderId(order.order_id)
        return Accepted(client_order_id=order.own, venue_order_id=own_id, filled=MicroShares(0), done=True)
    return Refused(client_order_id=order.own, code=code, text=words, barred=code in BARRED)


def _code(words: str, status: int | None) -> str | None:
    """Our code for a definite text; None where the text proves nothing. `status` None: any."""
    lower = words.casefold()
    if any(text in lower for text in NO_FILL):
        return MISSED
    for needed, text, code in DEFINITE:
        if text in lower and status in (None, needed):
            return code
    return None


def _error_code(answer: HttpAnswer) -> str:
    try:
        return _ERROR.decode(answer.body).code
    except UNREADABLE:
        return ""
