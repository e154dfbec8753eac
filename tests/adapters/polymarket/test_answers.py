"""What an answer proves: refused only where a listed text says so, unknown wherever it does not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.http_calls import HttpAnswer
from adapters.polymarket.answers import DEFINITE, batch_answers, cancel_answer, submit_answer
from adapters.polymarket.private_rest import PrivateRest
from adapters.venue import GateEntry, VenueReadError, VenueReadRefusedError
from models.market import Action
from models.money import MICRO
from models.orders import Accepted, CancelResult, OutcomeUnknown, Refused, SubmitAnswer, TimeInForce
from tests.adapters.polymarket.private import OTHER_ID, OWN_ID, an_account, an_answer, placed, submitted
from tests.fakes import FakeClock


def judge(status: int, body: object, **headers: str) -> SubmitAnswer:
    return submit_answer(submitted(), an_answer(status, body, **headers))


def test_a_match_names_what_was_filled_and_that_nothing_more_can() -> None:
    answer = judge(200, placed())
    assert isinstance(answer, Accepted)
    assert (answer.venue_order_id, answer.filled, answer.done) == (OWN_ID, 10 * MICRO, True)


@pytest.mark.parametrize(
    ("taking", "filled"),
    [("10", 10), ("3.5", 3.5), ("10000000", 10), ("3500000", 3.5), ("", None), ("11", None), ("0", None), (None, None)],
)
def test_a_fill_is_read_in_shares_or_in_millionths_and_never_guessed(taking: str | None, filled: float | None) -> None:
    answer = judge(200, placed(takingAmount=taking))
    assert isinstance(answer, Accepted)
    assert answer.filled == (None if filled is None else filled * MICRO)
    assert answer.done, "a FAK that was matched is over"


def test_what_a_sale_has_filled_is_what_it_gave() -> None:
    order = submitted(action=Action.SELL)
    answer = submit_answer(order, an_answer(200, placed(makingAmount="7", takingAmount="3.15")))
    assert isinstance(answer, Accepted)
    assert answer.filled == 7 * MICRO


def test_all_or_nothing_that_matched_is_all() -> None:
    order = submitted(time_in_force=TimeInForce.FOK)
    answer = submit_answer(order, an_answer(200, placed(takingAmount="")))
    assert isinstance(answer, Accepted)
    assert (answer.filled, answer.done) == (10 * MICRO, True)


@pytest.mark.parametrize(
    ("status", "force", "filled", "done"),
    [
        ("live", TimeInForce.GTC, 0, False),
        ("delayed", TimeInForce.IOC, None, False),
        ("delayed", TimeInForce.GTC, None, False),
        ("unmatched", TimeInForce.IOC, 0, True),
        ("unmatched", TimeInForce.GTC, 0, False),
    ],
)
def test_every_status_says_what_may_still_happen(
    status: str, force: TimeInForce, filled: int | None, done: bool
) -> None:
    order = submitted(time_in_force=force)
    answer = submit_answer(order, an_answer(200, placed(status=status, takingAmount="", makingAmount="")))
    assert isinstance(answer, Accepted)
    assert (answer.filled, answer.done) == (filled, done)


@pytest.mark.parametrize(
    "body",
    [
        placed(orderID=OTHER_ID),
        placed(orderID=""),
        placed(success=False),
        placed(status="somehow"),
        placed(status=""),
        {},
        [],
        b"<html>",
        b"",
        b'{"success": true',
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_a_200_that_is_not_plainly_about_our_order_is_unknown(body: object) -> None:
    assert isinstance(judge(200, body), OutcomeUnknown)


@pytest.mark.parametrize("row", DEFINITE, ids=lambda row: f"{row[0]} {row[1][:30]}")
def test_every_listed_text_is_a_refusal_in_its_own_status_only(row: tuple[int, str, str]) -> None:
    status, words, code = row
    answer = judge(status, {"error": f"order 0x12: {words.upper()} (0.01)"})
    assert isinstance(answer, Refused)
    assert (answer.code, answer.by_venue) == (code, True)
    assert answer.barred is (code in ("unauthorized", "banned", "closed_only"))
    assert isinstance(judge(500, {"error": words}), OutcomeUnknown)


@pytest.mark.parametrize(
    ("status", "sentence", "code"),
    [
        (400, "Invalid order payload", "malformed"),
        (400, "the order owner has to be the owner of the API KEY", "unauthorized"),
        (400, "the order signer address has to be the address of the API KEY", "unauthorized"),
        (400, "'0xf39F' address banned", "banned"),
        (400, "'0xf39F' address in closed only mode", "closed_only"),
        (400, "Too many orders in payload: 16, max allowed: 15", "malformed"),
        (400, "order 0x12 is invalid. Price (0.555) breaks minimum tick size rule: 0.01", "off_tick"),
        (400, "order 0x12 is invalid. Size (4) lower than the minimum: 5", "below_min_size"),
        (400, "invalid amount for a marketable BUY order ($0.5), min size: $1", "below_min_notional"),
        (400, "not enough balance / allowance", "insufficient_balance"),
        (400, "invalid expiration", "expiration"),
        (400, "invalid post-only order: order crosses book", "post_only"),
        (400, "order canceled in the CTF exchange contract", "cancelled_on_chain"),
        (400, "the market is not yet ready to process new orders", "market_not_ready"),
        (400, "order_version_mismatch", "order_version"),
        (401, "Unauthorized/Invalid api key", "unauthorized"),
        (401, "Invalid L1 Request headers", "unauthorized"),
        (404, "No orderbook exists for the requested token id", "market_closed"),
        (404, "market not found", "market_closed"),
        (503, "Trading is currently disabled", "trading_disabled"),
        (503, "Trading is currently cancel-only", "cancel_only"),
        (503, "post-only mode: only post-only orders and cancels are allowed", "post_only"),
    ],
)
def test_the_sheets_own_sentences_are_refusals(status: int, sentence: str, code: str) -> None:
    """polymarket.md 5.5, written out once more and not taken from our list."""
    answer = judge(status, {"error": sentence})
    assert isinstance(answer, Refused)
    assert answer.code == code


def test_post_only_weather_is_known_by_its_code_too() -> None:
    body = {"error": "try later", "code": "post_only_mode", "retry_after_seconds": 90}
    answer = judge(503, body)
    assert isinstance(answer, Refused)
    assert answer.code == "post_only"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "order couldn't be fully filled. FOK orders are fully filled or killed."),
        (
            400,
            "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
        ),
        (500, "FOK orders are filled or killed"),
        (500, "there are no matching orders"),
    ],
)
def test_a_take_that_found_nothing_is_a_clean_miss_and_no_refusal(status: int, text: str) -> None:
    answer = judge(status, {"error": text})
    assert isinstance(answer, Accepted)
    assert (answer.filled, answer.done, answer.venue_order_id) == (0, True, OWN_ID)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "order 0x12 is invalid. Duplicated."}),
        (400, {"error": "order match delayed due to market conditions"}),
        (400, {"error": "something new"}),
        (401, {"error": "go away"}),
        (425, {"error": "Too Early"}),
        (425, b""),
        (429, {"error": "too many"}),
        (500, {"error": "could not insert order"}),
        (500, {"error": "order timed out"}),
        (500, {"error": "the trade contains rounding issues"}),
        (500, {"error": "price of the taker's order has a discrepancy"}),
        (502, b"<html>bad gateway</html>"),
        (503, {"error": "maintenance"}),
        (302, b""),
        (204, b""),
    ],
)
def test_what_proves_nothing_is_unknown(status: int, body: object) -> None:
    assert isinstance(judge(status, body), OutcomeUnknown)


def test_a_429_of_the_exchange_refuses_and_one_of_the_edge_proves_nothing() -> None:
    answer = judge(429, {"error": "slow down"}, Poly_RateLimit_Remaining="0")
    assert isinstance(answer, Refused)
    assert answer.code == "rate_limited"
    assert isinstance(judge(429, {"error": "slow down"}), OutcomeUnknown)


def test_a_batch_answers_each_order_for_itself() -> None:
    rows = [
        placed(),
        placed(orderID="", errorMsg="not enough balance / allowance", status=""),
        placed(orderID="", errorMsg="no orders found to match with FAK order.", status=""),
        placed(orderID="", errorMsg="surprise", status=""),
        placed(orderID=OTHER_ID),
    ]
    answers = batch_answers([submitted()] * 5, an_answer(200, rows))
    kinds = [type(answer) for answer in answers]
    assert kinds == [Accepted, Refused, Accepted, OutcomeUnknown, OutcomeUnknown]


@pytest.mark.parametrize("body", [[placed()], placed(), b"[", []])
def test_a_batch_answer_of_another_shape_leaves_every_order_unknown(body: object) -> None:
    answers = batch_answers([submitted(), submitted()], an_answer(200, body))
    assert [type(answer) for answer in answers] == [OutcomeUnknown, OutcomeUnknown]


def test_a_batch_that_was_refused_as_a_whole_refuses_every_order() -> None:
    answers = batch_answers([submitted()] * 2, an_answer(400, {"error": "Too many orders in payload: 16, max 15"}))
    assert [type(answer) for answer in answers] == [Refused, Refused]


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (200, {"canceled": [OWN_ID], "not_canceled": {}}, CancelResult.CANCELLED),
        (200, {"canceled": [OWN_ID.upper().replace("0X", "0x")]}, CancelResult.CANCELLED),
        (200, {"canceled": [], "not_canceled": {OWN_ID: "already canceled or matched"}}, CancelResult.GONE),
        (200, {"canceled": [OTHER_ID], "not_canceled": {}}, CancelResult.UNKNOWN),
        (200, {"canceled": None, "not_canceled": None}, CancelResult.UNKNOWN),
        (200, b"oops", CancelResult.UNKNOWN),
        (500, {"error": "no"}, CancelResult.UNKNOWN),
        (503, {"error": "Trading is currently disabled"}, CancelResult.UNKNOWN),
    ],
)
def test_a_cancel_is_believed_only_for_the_very_order(status: int, body: object, result: CancelResult) -> None:
    assert cancel_answer(submitted(), an_answer(status, body)).result is result


@given(st.integers(200, 599), st.binary(max_size=200))
@settings(max_examples=200)
def test_no_bytes_of_a_stranger_are_ever_an_acceptance_or_an_exception(status: int, body: bytes) -> None:
    answer = judge(status, body)
    assert isinstance(answer, OutcomeUnknown)
    assert all(isinstance(each, OutcomeUnknown) for each in batch_answers([submitted()], an_answer(status, body)))
    assert cancel_answer(submitted(), an_answer(status, body)).result is CancelResult.UNKNOWN


class Told(PrivateRest):
    """Private questions with one answer to all of them."""

    def __init__(self, answer: HttpAnswer) -> None:
        super().__init__(an_account(), "http://nobody", "http://nobody", FakeClock(), total_s=1)
        self._answer = answer

    def call(self, method: str, path: str, body: bytes = b"", gate: GateEntry | None = None) -> HttpAnswer:
        return self._answer


@pytest.mark.parametrize(("status", "body"), [(404, {"error": "not found"}), (200, b"null"), (200, b""), (200, b"{}")])
def test_an_order_is_absent_where_the_venue_says_so(status: int, body: object) -> None:
    assert Told(an_answer(status, body)).order(OWN_ID) is None


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"<html>not found</html>"), (404, b""), (404, {}), (401, {"error": "no"}), (200, b"[")]
)
def test_an_answer_of_somebody_else_does_not_make_an_order_absent(status: int, body: object) -> None:
    with pytest.raises((VenueReadError, VenueReadRefusedError)):
        Told(an_answer(status, body)).order(OWN_ID)


def test_the_venues_words_are_made_safe_to_show() -> None:
    answer = judge(400, {"error": "not enough balance / allowance\x1b[2J\u202e" + "x" * 5000})
    assert isinstance(answer, Refused)
    assert "\x1b" not in answer.text
    assert len(answer.text) <= 160
