"""What an answer of the venue proves about an order. Pure.

An order is refused only where a code of `DEFINITE` says so in a status that fits (kalshi.md 4.1, read 2026-11-22).
Codes count, not statuses: two answers of 409 mean opposite things. `order_already_exists` proves that the id was taken,
so the order was accepted earlier, or killed: it is looked up. Everything else, 5xx above all, is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from adapters.http_calls import AnswerLostError, GateClosedError, HttpAnswer, NotSentError
from adapters.kalshi.frames import UNREADABLE
from adapters.kalshi.order_wire import Cancelled, Created, CreatedBatch, ErrorBody, own_id
from adapters.venue import VenueReadError, VenueReadRefusedError
from models.hostile import clean
from models.money import MoneyError, parse_shares
from models.orders import (
    Accepted,
    CancelAnswer,
    CancelResult,
    OrderIntent,
    OutcomeUnknown,
    Refused,
    SubmitAnswer,
    TimeInForce,
    VenueOrderId,
)

T = TypeVar("T")

TOO_MANY: Final = "too many requests"
"""The whole body of a 429; it has no code."""

DEFINITE: Final[dict[int, frozenset[str]]] = {
    400: frozenset(
        {
            "invalid_parameters",
            "invalid_order",
            "invalid_order_size",
            "invalid_price",
            "available_balance_too_low",
            "insufficient_balance",
            "post_only_cross",
            "self_cross_attempt",
            "exceeded_order_group_risk_limit",
            "exceeded_per_market_risk_limit",
            "order_group_not_found",
            "market_inactive",
            "market_already_closed",
        }
    ),
    401: frozenset(
        {
            "authentication_error",
            "signature_is_missing_from_headers",
            "header_timestamp_expired",
            "unauthorized",
        }
    ),
    403: frozenset({"forbidden"}),
    404: frozenset({"not_found", "market_not_found", "order_group_not_found"}),
    409: frozenset(
        {
            "fill_or_kill_insufficient_resting_volume",
            "immediate_or_cancel_insufficient_resting_volume",
            "trading_is_paused",
            "exchange_is_paused",
            "market_inactive",
            "market_already_closed",
            "exceeded_order_group_risk_limit",
        }
    ),
    410: frozenset({"deprecated_v1_order_endpoint"}),
    429: frozenset({TOO_MANY}),
}
"""Status -> codes that prove that nothing was accepted and nothing filled."""

_CODES: Final = frozenset().union(*DEFINITE.values())

TAKEN: Final = "order_already_exists"
UNAUTHORIZED: Final = DEFINITE[401]


class _Nested(msgspec.Struct, frozen=True):
    error: ErrorBody | str


class _Message(msgspec.Struct, frozen=True):
    msg: str


_CREATED: Final = msgspec.json.Decoder(Created)
_BATCH: Final = msgspec.json.Decoder(CreatedBatch)
_CANCELLED: Final = msgspec.json.Decoder(Cancelled)
_SHAPES: Final = (msgspec.json.Decoder(_Nested), msgspec.json.Decoder(_Message), msgspec.json.Decoder(ErrorBody))


def error_of(body: bytes) -> ErrorBody | None:
    """The error in any of the shapes that were seen: nested, a bare text, flat, or `msg`. None where there is none."""
    for shape in _SHAPES:
        try:
            found = shape.decode(body)
        except UNREADABLE:
            continue
        if isinstance(found, _Message):
            return ErrorBody(code=found.msg)
        if isinstance(found, _Nested):
            return ErrorBody(code=found.error) if isinstance(found.error, str) else found.error
        if found.code:
            return found
    return None


def without_answer(intent: OrderIntent, error: NotSentError | AnswerLostError) -> SubmitAnswer:
    own = intent.client_order_id
    if isinstance(error, AnswerLostError):
        return OutcomeUnknown(client_order_id=own, why=str(error))
    code = "gate_closed" if isinstance(error, GateClosedError) else "not_sent"
    return Refused(client_order_id=own, code=code, text=str(error), by_venue=False)


def submit_answer(intent: OrderIntent, answer: HttpAnswer) -> SubmitAnswer:
    """What the answer to one order proves."""
    if answer.status not in (200, 201):
        return _judged_error(intent, answer.status, error_of(answer.body))
    try:
        return _judged(intent, _CREATED.decode(answer.body))
    except UNREADABLE:
        return OutcomeUnknown(client_order_id=intent.client_order_id, why=f"HTTP {answer.status}, unreadable")


def batch_answers(intents: Sequence[OrderIntent], answer: HttpAnswer) -> list[SubmitAnswer]:
    """Answers in the order of `intents`. Rows are told apart by their ids, because their order is not documented."""
    if answer.status not in (200, 201):
        error = error_of(answer.body)
        return [_judged_error(intent, answer.status, error) for intent in intents]
    try:
        rows = _BATCH.decode(answer.body).orders
    except UNREADABLE:
        rows = []
    named: dict[str, list[Created]] = {}
    for row in rows:
        named.setdefault(own_id(row.client_order_id), []).append(row)
    return [_of_batch(intent, named.get(intent.client_order_id, [])) for intent in intents]


def _of_batch(intent: OrderIntent, rows: Sequence[Created]) -> SubmitAnswer:
    if len(rows) != 1:
        why = "the batch's answer does not name it" if not rows else "the batch's answer names it twice"
        return OutcomeUnknown(client_order_id=intent.client_order_id, why=why)
    (row,) = rows
    if row.error is None:
        return _judged(intent, row)
    code = row.error.code or row.error.message
    if code in _CODES:
        return _refused(intent, code, row.error)
    return OutcomeUnknown(client_order_id=intent.client_order_id, why=clean(code, 60))


def _judged(intent: OrderIntent, row: Created) -> SubmitAnswer:
    own = intent.client_order_id
    try:
        filled = parse_shares(row.fill_count or "")
        remaining = parse_shares(row.remaining_count or "")
    except MoneyError:
        return OutcomeUnknown(client_order_id=own, why="the order's figures could not be read")
    if own_id(row.client_order_id) != own or not row.order_id:
        return OutcomeUnknown(client_order_id=own, why="the answer is about another order")
    return Accepted(
        client_order_id=own,
        venue_order_id=VenueOrderId(row.order_id),
        filled=filled,
        done=intent.time_in_force is not TimeInForce.GTC or remaining == 0,
    )


def _judged_error(intent: OrderIntent, status: int, error: ErrorBody | None) -> SubmitAnswer:
    own = intent.client_order_id
    if error is None:
        return OutcomeUnknown(client_order_id=own, why=f"HTTP {status}")
    code = (error.code or error.message).casefold()
    if code in DEFINITE.get(status, ()):
        return _refused(intent, code, error)
    if code == TAKEN:
        return OutcomeUnknown(client_order_id=own, why="the venue has seen this id before")
    return OutcomeUnknown(client_order_id=own, why=f"HTTP {status} {clean(code, 60)}".strip())


def _refused(intent: OrderIntent, code: str, error: ErrorBody) -> Refused:
    words = " ".join(part for part in (error.message, error.details) if part)
    return Refused(client_order_id=intent.client_order_id, code=code.replace(" ", "_"), text=clean(words, 120))


def cancel_answer(intent: OrderIntent, order_id: str, answer: HttpAnswer) -> CancelAnswer:
    """A 404 may also be the wrong shard, or an order that has ended: ask, do not assume."""
    own = intent.client_order_id
    if answer.status == 200:
        try:
            row = _CANCELLED.decode(answer.body)
        except UNREADABLE:
            row = None
        if row is not None and row.order_id == order_id:
            return CancelAnswer(client_order_id=own, result=CancelResult.CANCELLED)
    if answer.status == 404:
        return CancelAnswer(client_order_id=own, result=CancelResult.GONE, text="the venue does not find it")
    error = error_of(answer.body)
    why = clean(f"HTTP {answer.status} {'' if error is None else error.code}".strip(), 80)
    return CancelAnswer(client_order_id=own, result=CancelResult.UNKNOWN, text=why)


def read(answer: HttpAnswer, decoder: msgspec.json.Decoder[T]) -> T:
    """The body of a good answer. Raises `VenueReadError`, or `VenueReadRefusedError` for a definite no."""
    if not 200 <= answer.status < 300:
        error = error_of(answer.body)
        words = f"HTTP {answer.status} {'' if error is None else clean(f'{error.code} {error.details}', 80)}".strip()
        if answer.status in (401, 403) and error is not None:
            raise VenueReadRefusedError(_remedy(error, words))
        if 400 <= answer.status < 500 and answer.status not in (408, 409, 425, 429) and error is not None:
            raise VenueReadRefusedError(words)
        raise VenueReadError(words)
    try:
        return decoder.decode(answer.body)
    except UNREADABLE:
        raise VenueReadError("the answer could not be read") from None


def _remedy(error: ErrorBody, words: str) -> str:
    """The venue's no to a key, with what an operator can do about it (3)."""
    code, details = error.code, error.details
    if code == "header_timestamp_expired":
        return "the venue says that our time is wrong: set this machine's clock by NTP"
    if code == "authentication_error" and details == "NOT_FOUND":
        return "the venue does not know the key id: check DUTCHBOOK_KALSHI_KEY_ID, and demo against production"
    if code == "authentication_error":
        return "the key's file does not belong to the key id: check DUTCHBOOK_KALSHI_PRIVATE_KEY_PATH"
    if code == "forbidden":
        return f"the key may not do this (scope, subaccount, or the place has to be attested anew): {words}"
    return words
