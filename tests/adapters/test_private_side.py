"""What the private sides of all venues say of a call that brought no answer, or one that cannot be."""

from __future__ import annotations

import pytest

from adapters.http_calls import AnswerLostError, GateClosedError, NotSentError
from adapters.private_side import asking, readable, without_answer
from adapters.venue import VenueReadError
from models.money import parse_shares
from models.orders import ClientOrderId, OutcomeUnknown, Refused

OWN = ClientOrderId("o-1")


def test_without_an_answer_only_the_bytes_decide() -> None:
    kept = without_answer(OWN, NotSentError("no connection"))
    halted = without_answer(OWN, GateClosedError("halted"))
    lost = without_answer(OWN, AnswerLostError("no complete answer in time"))

    assert kept == Refused(client_order_id=OWN, code="not_sent", text="no connection", by_venue=False)
    assert halted == Refused(client_order_id=OWN, code="gate_closed", text="halted", by_venue=False)
    assert lost == OutcomeUnknown(client_order_id=OWN, why="no complete answer in time")


@pytest.mark.parametrize("error", [NotSentError("no connection"), AnswerLostError("gone")])
def test_a_question_without_an_answer_may_be_asked_again(error: Exception) -> None:
    with pytest.raises(VenueReadError, match=r"/orders: (no connection|gone)"), asking("/orders"):
        raise error


def test_an_answer_that_cannot_be_is_no_answer() -> None:
    with pytest.raises(VenueReadError, match="cannot be"), readable():
        parse_shares("-1")
