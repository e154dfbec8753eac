"""What an answer proves: accepted, refused by the allow-list, or unknown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.kalshi.answers import (
    DEFINITE,
    MISSED,
    TOO_MANY,
    batch_answers,
    cancel_answer,
    error_of,
    read,
    submit_answer,
)
from adapters.kalshi.private_rest import _BALANCE
from adapters.venue import VenueReadError, VenueReadRefusedError
from models.market import Action
from models.orders import Accepted, CancelResult, ClientOrderId, OutcomeUnknown, Refused, TimeInForce
from tests.adapters.kalshi.private import ORDER, OWN, SOLD, an_answer, an_intent, created, nested
from tests.factories import shares

INTENT = an_intent()


def judged(status: int, body: object, **intent: Any) -> Accepted | Refused | OutcomeUnknown:
    return submit_answer(an_intent(**intent), an_answer(status, body))


# -- accepted


@pytest.mark.parametrize("status", [200, 201])
def test_a_created_order_says_what_it_filled_and_has_ended(status: int) -> None:
    assert judged(status, created()) == Accepted(
        client_order_id=OWN, venue_order_id=ORDER, filled=shares("4"), done=True
    )


def test_an_ioc_that_met_nobody_has_ended_with_nothing() -> None:
    answer = judged(201, created(fill_count="0.00", remaining_count="4.00"))

    assert isinstance(answer, Accepted)
    assert (answer.filled, answer.done) == (0, True)


def test_a_resting_order_goes_on_until_nothing_remains() -> None:
    resting = judged(201, created(fill_count="1.00", remaining_count="3.00"), time_in_force=TimeInForce.GTC)
    full = judged(201, created(), time_in_force=TimeInForce.GTC)

    assert isinstance(resting, Accepted)
    assert isinstance(full, Accepted)
    assert (resting.done, full.done) == (False, True)


def test_a_sale_is_answered_under_its_own_id() -> None:
    answer = judged(201, created(client_order_id=SOLD), action=Action.SELL)

    assert isinstance(answer, Accepted)
    assert answer.client_order_id == OWN


@pytest.mark.parametrize(
    "body",
    [
        created(client_order_id="somebody-else"),
        created(order_id=""),
        created(fill_count=None),
        created(remaining_count="-1.00"),
        created(fill_count="many"),
        {},
        [],
        b"<html>",
        b"",
    ],
)
def test_a_good_status_without_a_good_answer_proves_nothing(body: object) -> None:
    assert isinstance(judged(201, body), OutcomeUnknown)


# -- refused


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, nested("invalid_parameters"), "malformed"),
        (400, nested("invalid_order", "invalid order", details="INVALID_PRICE"), "invalid_order"),
        (400, nested("invalid_order", "post only cross"), "invalid_order"),
        (400, nested("invalid_order_size"), "below_min_size"),
        (400, nested("available_balance_too_low"), "insufficient_balance"),
        (400, nested("insufficient_balance"), "insufficient_balance"),
        (401, nested("authentication_error", details="INCORRECT_API_KEY_SIGNATURE"), "unauthorized"),
        (401, nested("authentication_error", details="NOT_FOUND"), "unauthorized"),
        (401, nested("header_timestamp_expired"), "stale_timestamp"),
        (401, nested("signature_is_missing_from_headers"), "unauthorized"),
        (403, {"code": "forbidden", "message": "insufficient permissions", "details": "..."}, "forbidden"),
        (404, nested("not_found"), "unknown_market"),
        (409, nested("trading_is_paused"), "market_paused"),
        (409, nested("exchange_is_paused"), "exchange_paused"),
        (409, nested("exceeded_order_group_risk_limit"), "order_group"),
        (410, nested("deprecated_v1_order_endpoint"), "malformed"),
        (429, {"error": "too many requests"}, "rate_limited"),
    ],
)
def test_a_code_of_the_list_in_its_status_is_a_refusal(status: int, body: object, code: str) -> None:
    answer = judged(status, body)

    assert isinstance(answer, Refused)
    assert (answer.code, answer.by_venue) == (code, True)
    assert answer.barred is (code in ("unauthorized", "forbidden")), "keys and place are the account's: trading stops"


@pytest.mark.parametrize("row", DEFINITE.items(), ids=lambda row: f"{row[0][0]} {row[0][1]}")
def test_every_entry_of_the_list_counts_in_its_own_status_only(row: tuple[tuple[int, str], str]) -> None:
    (status, code), word = row
    body = {"error": code} if code == TOO_MANY else nested(code)

    answer = judged(status, body)

    if word == MISSED:
        assert isinstance(answer, Accepted)
        assert (answer.filled, answer.done) == (0, True)
    else:
        assert isinstance(answer, Refused)
        assert answer.code == word
    assert isinstance(judged(500, body), OutcomeUnknown)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (409, nested("order_already_exists")),
        (400, nested("self_cross_attempt")),
        (409, nested("a_code_of_next_year")),
        (400, nested("trading_is_paused")),
        (500, nested("invalid_order")),
        (503, nested("exchange_is_paused")),
        (500, b""),
        (502, b"<html>bad gateway</html>"),
        (504, {}),
        (400, b"{"),
        (400, {"msg": "missing parameter"}),
        (429, b""),
        (408, nested("timeout")),
        (302, b""),
        (409, {"error": 7}),
    ],
)
def test_everything_else_is_unknown(status: int, body: object) -> None:
    assert isinstance(judged(status, body), OutcomeUnknown)


def test_two_conflicts_mean_opposite_things() -> None:
    killed = judged(409, nested("fill_or_kill_insufficient_resting_volume"))
    known = judged(409, nested("order_already_exists"))

    assert isinstance(killed, Accepted), "taken and over: nothing was refused, nothing was filled, nothing can be"
    assert (killed.filled, killed.done, killed.venue_order_id) == (0, True, f"killed-{OWN}")
    assert isinstance(known, OutcomeUnknown)
    assert "seen this id before" in known.why


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error":{"code":"a","message":"b"}}', "a"),
        (b'{"code":"a","message":"b","details":"c"}', "a"),
        (b'{"error":"too many requests"}', "too many requests"),
        (b'{"msg":"missing"}', "missing"),
    ],
)
def test_all_shapes_of_an_error_are_read(body: bytes, code: str) -> None:
    error = error_of(body)

    assert error is not None
    assert error.code == code


@given(st.binary(max_size=80), st.sampled_from([200, 201, 400, 401, 409, 429, 500]))
def test_no_bytes_make_a_refusal_or_an_order_out_of_nothing(body: bytes, status: int) -> None:
    assert isinstance(judged(status, body), OutcomeUnknown)


# -- batches

OTHER = ClientOrderId("a3f0c6c2-6c52-4a0e-ab1b-1d1f4a0c0002")
PAIR = [INTENT, an_intent(client_order_id=OTHER)]


def test_a_batchs_rows_are_told_apart_by_their_ids_whatever_their_order() -> None:
    rows = [
        {"client_order_id": OTHER, "error": {"code": "available_balance_too_low", "message": "", "details": ""}},
        created(),
    ]

    first, second = batch_answers(PAIR, an_answer(201, {"orders": rows}))

    assert isinstance(first, Accepted)
    assert isinstance(second, Refused)
    assert (first.client_order_id, second.client_order_id) == (OWN, OTHER)


@pytest.mark.parametrize(
    "rows",
    [
        [created()],
        [created(), created(), {"error": {"code": "invalid_order"}}],
        [created(), {"client_order_id": OTHER, "error": {"code": "order_already_exists"}}],
        [created(), {"client_order_id": OTHER, "error": {"code": "internal"}}],
        [created(), {"client_order_id": OTHER}],
    ],
)
def test_a_row_that_is_missing_doubled_or_unclear_leaves_its_order_unknown(rows: list[dict[str, Any]]) -> None:
    _, second = batch_answers(PAIR, an_answer(201, {"orders": rows}))

    assert isinstance(second, OutcomeUnknown)


def test_a_refused_batch_refuses_all_and_a_broken_one_proves_nothing() -> None:
    refused = batch_answers(PAIR, an_answer(429, {"error": "too many requests"}))
    broken = batch_answers(PAIR, an_answer(201, b"{"))
    unknown = batch_answers(PAIR, an_answer(500, b""))

    assert [type(answer) for answer in refused] == [Refused, Refused]
    assert [type(answer) for answer in (*broken, *unknown)] == [OutcomeUnknown] * 4
    assert [answer.client_order_id for answer in refused] == [OWN, OTHER]


# -- cancels and reads


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (200, {"order_id": ORDER, "client_order_id": OWN, "reduced_by": "4.00", "ts_ms": 1}, CancelResult.CANCELLED),
        (200, {"order_id": "another", "reduced_by": "4.00"}, CancelResult.UNKNOWN),
        (200, b"", CancelResult.UNKNOWN),
        (404, nested("not_found"), CancelResult.GONE),
        (409, nested("exchange_is_paused"), CancelResult.UNKNOWN),
        (500, b"", CancelResult.UNKNOWN),
    ],
)
def test_a_cancel_is_done_gone_or_unknown(status: int, body: object, result: CancelResult) -> None:
    assert cancel_answer(INTENT, ORDER, an_answer(status, body)).result is result


@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (401, nested("authentication_error", details="NOT_FOUND"), VenueReadRefusedError, "DUTCHBOOK_KALSHI_KEY_ID"),
        (
            401,
            nested("authentication_error", details="INCORRECT_API_KEY_SIGNATURE"),
            VenueReadRefusedError,
            "DUTCHBOOK_KALSHI_PRIVATE_KEY_PATH",
        ),
        (401, nested("header_timestamp_expired"), VenueReadRefusedError, "NTP"),
        (403, {"code": "forbidden", "message": "no"}, VenueReadRefusedError, "may not do this"),
        (404, nested("not_found"), VenueReadRefusedError, "not_found"),
        (429, {"error": "too many requests"}, VenueReadError, "429"),
        (503, b"", VenueReadError, "503"),
        (401, b"", VenueReadError, "401"),
        (200, b"{", VenueReadError, "could not be read"),
    ],
)
def test_a_read_that_fails_says_whether_to_ask_again_and_what_to_do(
    status: int, body: object, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        read(an_answer(status, body), _BALANCE)
