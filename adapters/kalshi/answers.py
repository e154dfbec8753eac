"""What an answer of the venue proves about an order. Pure.

An order is refused only where a code of `DEFINITE` says so in a status that fits (kalshi.md 4.1, read 2026-11-22).
Codes count, not statuses: two answers of 409 mean opposite things. `order_already_exists` proves that the id was taken,
so the order was accepted earlier, or killed: it is looked up. Everything else, 5xx above all, is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from adapters.http_calls import HttpAnswer
from adapters.kalshi.frames import UNREADABLE
from adapters.kalshi.order_wire import Cancelled, Created, CreatedBatch, ErrorBody, own_id
from adapters.venue import AccountRefusedError, VenueReadError, VenueReadRefusedError
from models.hostile import clean
from models.money import MicroShares, MoneyError, parse_shares
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

MISSED: Final = "missed"
"""Not a refusal: the order was taken, looked for a match, and ended with nothing."""
UNAUTHORIZED: Final = "unauthorized"
FORBIDDEN: Final = "forbidden"

BARRED: Final = frozenset({UNAUTHORIZED, FORBIDDEN})
"""Not about the order but about the account: a key that does not fit or may not, a place to be attested anew (3)."""

DEFINITE: Final[dict[tuple[int, str], str]] = {
    (400, "invalid_parameters"): "malformed",
    (400, "invalid_order"): "invalid_order",
    (400, "invalid_price"): "off_tick",
    (400, "invalid_order_size"): "below_min_size",
    (400, "available_balance_too_low"): "insufficient_balance",
    (400, "insufficient_balance"): "insufficient_balance",
    (400, "post_only_cross"): "post_only",
    (400, "exceeded_order_group_risk_limit"): "order_group",
    (409, "exceeded_order_group_risk_limit"): "order_group",
    (400, "order_group_not_found"): "order_group",
    (404, "order_group_not_found"): "order_group",
    (400, "exceeded_per_market_risk_limit"): "risk",
    (400, "market_inactive"): "market_closed",
    (409, "market_inactive"): "market_closed",
    (400, "market_already_closed"): "market_closed",
    (409, "market_already_closed"): "market_closed",
    (401, "authentication_error"): UNAUTHORIZED,
    (401, "signature_is_missing_from_headers"): UNAUTHORIZED,
    (401, "header_timestamp_expired"): "stale_timestamp",
    (401, "unauthorized"): UNAUTHORIZED,
    (403, "forbidden"): FORBIDDEN,
    (404, "not_found"): "unknown_market",
    (404, "market_not_found"): "unknown_market",
    (409, "fill_or_kill_insufficient_resting_volume"): MISSED,
    (409, "immediate_or_cancel_insufficient_resting_volume"): MISSED,
    (409, "trading_is_paused"): "market_paused",
    (409, "exchange_is_paused"): "exchange_paused",
    (410, "deprecated_v1_order_endpoint"): "malformed",
    (429, TOO_MANY): "rate_limited",
}
"""(status, code) -> our word, for what proves that nothing was accepted, or that nothing was filled and nothing can be.
In the answer to a batch each item's code counts with any status. A self-cross is not here: what the order filled before
it stands (6.2).
"""

_CODES: Final = {code: word for (_, code), word in DEFINITE.items()}

PAUSED: Final = frozenset({"market_paused", "exchange_paused"})

TAKEN: Final = "order_already_exists"


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
        return _refused(intent, _CODES[code], row.error)
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
    if (status, code) in DEFINITE:
        return _refused(intent, DEFINITE[status, code], error)
    if code == TAKEN:
        return OutcomeUnknown(client_order_id=own, why="the venue has seen this id before")
    return OutcomeUnknown(client_order_id=own, why=f"HTTP {status} {clean(code, 60)}".strip())


def _refused(intent: OrderIntent, word: str, error: ErrorBody) -> SubmitAnswer:
    """A kill is no refusal: the order was taken and is over. The venue makes no order object for it, so the id that
    stands here for the venue's is made from ours.
    """
    own = intent.client_order_id
    if word == MISSED:
        return Accepted(
            client_order_id=own, venue_order_id=VenueOrderId(f"killed-{own}"), filled=MicroShares(0), done=True
        )
    words = " ".join(part for part in (error.code, error.message, error.details) if part)
    return Refused(client_order_id=own, code=word, text=clean(words, 120), barred=word in BARRED)


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
            raise AccountRefusedError(_remedy(error, words))
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
