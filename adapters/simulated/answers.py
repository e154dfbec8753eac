"""What an answer of the simulated exchange proves about an order. Pure.

An order is refused only where the exchange has proved that it does not exist: a code of `DEFINITE` in a readable body.
`duplicate` is not one of them (the first order of that id may well be alive), and neither is anything that is not JSON.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from adapters.http_calls import HttpAnswer
from adapters.simulated import wire
from adapters.simulated.values import UNREADABLE, order_seen_of
from adapters.venue import AccountRefusedError, VenueReadError, VenueReadRefusedError
from models.first_use import make_structs_ready
from models.hostile import clean
from models.orders import Accepted, ClientOrderId, OutcomeUnknown, Refused, SubmitAnswer, VenueOrderStatus

DEFINITE: Final = frozenset(
    {
        "unknown_market",
        "market_paused",
        "market_closed",
        "market_resolved",
        "post_only",
        "restarting",
        "price_range",
        "off_tick",
        "off_lot",
        "below_min_size",
        "below_min_notional",
        "insufficient_balance",
        "insufficient_position",
        "self_cross",
        "rate_limited",
        "risk",
        "malformed",
        "unknown_key",
        "missing_timestamp",
        "stale_timestamp",
        "bad_signature",
    }
)
"""Error codes that prove that nothing was accepted."""

GONE: Final = frozenset({"already_done", "unknown_order"})

Body = TypeVar("Body", bound=msgspec.Struct)


class _ErrorAnswer(msgspec.Struct, frozen=True):
    error: wire.ErrorBody
    client_order_id: str | None = None


def submit_answer(client_order_id: ClientOrderId, answer: HttpAnswer) -> SubmitAnswer:
    """What the answer to one order proves. An error must be readable JSON in a 4xx or 503 to be a refusal."""
    try:
        if answer.status == 200:
            return judged(client_order_id, msgspec.json.decode(answer.body, type=wire.OrderAnswer))
        said = msgspec.json.decode(answer.body, type=_ErrorAnswer)
    except UNREADABLE:
        return OutcomeUnknown(client_order_id=client_order_id, why=f"HTTP {answer.status}, unreadable")
    definite = 400 <= answer.status < 500 or answer.status == 503
    if definite and said.error.code in DEFINITE and said.client_order_id in (None, client_order_id):
        return Refused(client_order_id=client_order_id, code=said.error.code, text=clean(said.error.text))
    return OutcomeUnknown(client_order_id=client_order_id, why=f"HTTP {answer.status} {clean(said.error.code, 40)}")


def judged(client_order_id: ClientOrderId, row: wire.OrderAnswer) -> SubmitAnswer:
    """One order's own row in a 200 answer."""
    if row.error is not None:
        if row.error.code in DEFINITE and row.client_order_id == client_order_id:
            return Refused(client_order_id=client_order_id, code=row.error.code, text=clean(row.error.text))
        return OutcomeUnknown(client_order_id=client_order_id, why=clean(row.error.code, 40))
    try:
        seen = order_seen_of(row)
    except (KeyError, ValueError):
        return OutcomeUnknown(client_order_id=client_order_id, why="the order's state could not be read")
    if seen.client_order_id != client_order_id or not seen.venue_order_id:
        return OutcomeUnknown(client_order_id=client_order_id, why="the answer is about another order")
    return Accepted(
        client_order_id=client_order_id,
        venue_order_id=seen.venue_order_id,
        filled=seen.filled,
        done=seen.status is VenueOrderStatus.DONE,
    )


def error_code(answer: HttpAnswer) -> str:
    try:
        return msgspec.json.decode(answer.body, type=_ErrorAnswer).error.code
    except UNREADABLE:
        return ""


def read(answer: HttpAnswer, kind: type[Body]) -> Body:
    """The body of a 200 answer. Raises `VenueReadError` or `VenueReadRefusedError`."""
    if answer.status != 200:
        code = error_code(answer)
        if 400 <= answer.status < 500 and answer.status != 429 and code:
            kind_of = AccountRefusedError if answer.status in (401, 403) else VenueReadRefusedError
            raise kind_of(f"HTTP {answer.status} {clean(code, 40)}")
        raise VenueReadError(f"HTTP {answer.status} {clean(code, 40)}".strip())
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except UNREADABLE:
        raise VenueReadError("the answer could not be read") from None


make_structs_ready(globals())
