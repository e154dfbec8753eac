"""What the private sides of all venues do alike around a call: our own no, an order without an answer, a lost read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from adapters.http_calls import AnswerLostError, GateClosedError, NotSentError
from adapters.venue import VenueReadError
from models.money import MoneyError
from models.orders import ClientOrderId, OutcomeUnknown, Refused, SubmitAnswer


def without_answer(own: ClientOrderId, error: NotSentError | AnswerLostError) -> SubmitAnswer:
    """Refused by ourselves where no byte has left, else unknown."""
    if isinstance(error, AnswerLostError):
        return OutcomeUnknown(client_order_id=own, why=str(error))
    return kept_back(own, "gate_closed" if isinstance(error, GateClosedError) else "not_sent", str(error))


def kept_back(own: ClientOrderId, code: str, text: str) -> Refused:
    """Our own no to an order of which nothing was sent."""
    return Refused(client_order_id=own, code=code, text=text, by_venue=False)


def all_kept_back(own: Iterable[ClientOrderId], code: str, text: str) -> list[SubmitAnswer]:
    return [kept_back(each, code, text) for each in own]


@contextmanager
def asking(what: str) -> Iterator[None]:
    """A question that gets no answer is a read that failed, `VenueReadError`."""
    try:
        yield
    except (NotSentError, AnswerLostError) as error:
        raise VenueReadError(f"{what}: {error}") from None


@contextmanager
def readable() -> Iterator[None]:
    """An answer with a figure that cannot be is a read that failed, `VenueReadError`."""
    try:
        yield
    except MoneyError:
        raise VenueReadError("the answer holds something that cannot be") from None
