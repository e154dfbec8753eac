"""What the sheet gives to the byte or as a number, in its own order: requests as we send them, answers and frames as we
read them, signatures as the dialect judges them (kalshi.md 3 to 11, read 2026-11-22).
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest

from adapters.http_calls import HttpAnswer
from adapters.kalshi.answers import submit_answer
from adapters.kalshi.commands import Commands
from adapters.kalshi.dialect.members import BAD_SIGNATURE, ApiKey, Member, Members
from adapters.kalshi.fees import CENT, OrderFees, Precision, fee_rate, fee_schedule, maker_rate, model_fee
from adapters.kalshi.frames import FRAMES, DeltaFrame, Error, Ok, SnapshotFrame, Subscribed, Unsubscribed
from adapters.kalshi.order_wire import Balance, FillNews, PositionRow
from adapters.kalshi.private_rest import PrivateRest
from adapters.kalshi.reports import Owner, fill_of, position_of
from adapters.kalshi.signing import KEY_HEADER, SIGNATURE_HEADER, TIME_HEADER, RequestSigner, parse_key
from adapters.venue import GateEntry, Position
from models.fees import taker_fee
from models.market import MarketId, Outcome
from models.money import parse_micros
from models.orders import Accepted, ClientOrderId, VenueOrderId
from tests.adapters.kalshi.counter import Counter
from tests.adapters.kalshi.private import an_intent
from tests.adapters.kalshi.vectors import ED25519_PEM, ED25519_SIGNATURES, RSA_PEM, RSA_SIGNATURES
from tests.factories import price, shares, usd
from tests.fakes import FakeClock

A, B, C = (f"KXSIM-26DEC31-{name}" for name in "ABC")
OWN: Final = "a3f0c6c2-6c52-4a0e-9b1b-1d1f4a0c0001"
ORDER: Final = "0c7e3f0e-0001-4000-8000-000000000001"


# -- 3: every signature of the sheet, judged by the dialect


def judged(pem: bytes, at_ms: int, method: str, path: str, signature: str) -> object:
    key = ApiKey("a-key", parse_key(pem).public_key(), b"")
    headers = {KEY_HEADER: "a-key", TIME_HEADER: str(at_ms), SIGNATURE_HEADER: signature}
    return Members([Member("bob", [key])]).signed(headers, method, path, at_ms)


@pytest.mark.parametrize(("text", "signature"), ED25519_SIGNATURES)
def test_the_dialect_takes_every_ed25519_signature_of_the_sheet(text: str, signature: str) -> None:
    at_ms, method, path = int(text[:13]), text[13:].partition("/")[0], text[text.index("/") :]

    assert not isinstance(judged(ED25519_PEM, at_ms, method, path, signature), type(BAD_SIGNATURE))
    assert not isinstance(judged(ED25519_PEM, at_ms, method, f"{path}?limit=5", signature), type(BAD_SIGNATURE))
    assert judged(ED25519_PEM, at_ms + 1, method, path, signature) == BAD_SIGNATURE
    assert judged(RSA_PEM, at_ms, method, path, signature) == BAD_SIGNATURE


@pytest.mark.parametrize(("at_ms", "method", "path", "text", "signature", "good", "why"), RSA_SIGNATURES)
def test_the_dialect_tells_rsa_signatures_apart(
    at_ms: int, method: str, path: str, text: str, signature: str, good: bool, why: str
) -> None:
    assert text == f"{at_ms}{method}{path.partition('?')[0]}"
    assert (judged(RSA_PEM, at_ms, method, path, signature) != BAD_SIGNATURE) is good, why


# -- 6: requests to the byte, and the answers


class Recorder(PrivateRest):
    """Keeps what would be sent."""

    def __init__(self, answer: object, subaccount: int | None = None) -> None:
        signer = RequestSigner("id", parse_key(ED25519_PEM))
        super().__init__(signer, "https://example.com/trade-api/v2", FakeClock(), subaccount=subaccount, total_s=1)
        self._answer = answer
        self.sent: list[tuple[str, str, bytes]] = []

    def call(self, method: str, path: str, body: bytes = b"", gate: GateEntry | None = None) -> HttpAnswer:
        self.sent.append((method, path, body))
        return HttpAnswer(200, {}, json.dumps(self._answer).encode())


def test_a_cancel_names_its_market_in_the_query() -> None:
    rest, sub = Recorder({}), Recorder({}, subaccount=3)
    rest.cancel(ORDER, A)
    sub.cancel(ORDER, A)

    path = f"/portfolio/events/orders/{ORDER}?market_ticker={A}"
    assert rest.sent == [("DELETE", path, b"")]
    assert sub.sent == [("DELETE", f"{path}&subaccount=3", b"")]


def test_an_order_group_is_made_and_triggered_as_the_sheet_says() -> None:
    rest = Recorder({"order_group_id": "g-1", "subaccount": 0})
    assert rest.create_group("50.00", 0) == "g-1"
    rest.trigger_group("g-1")

    assert rest.sent == [
        ("POST", "/portfolio/order_groups/create", b'{"contracts_limit_fp":"50.00","exchange_index":0}'),
        ("PUT", "/portfolio/order_groups/g-1/trigger", b""),
    ]


def test_the_answer_to_the_sheets_order_is_read() -> None:
    answer = (
        b'{"order_id":"0c7e3f0e-0001-4000-8000-000000000001","client_order_id":"a3f0c6c2-6c52-4a0e-9b1b-1d1f4a0c0001",'
        b'"fill_count":"10.00","remaining_count":"0.00","average_fill_price":"0.6500","average_fee_paid":"0.015925",'
        b'"ts_ms":1763800000123}'
    )
    intent = an_intent(client_order_id=ClientOrderId(OWN), size=shares("10"))

    assert submit_answer(intent, HttpAnswer(201, {}, answer)) == Accepted(
        client_order_id=ClientOrderId(OWN), venue_order_id=VenueOrderId(ORDER), filled=shares("10"), done=True
    )


# -- 7: holdings


def test_the_sheets_balance_is_read_below_the_cent() -> None:
    body = (
        b'{"balance":10012,"balance_dollars":"100.1234","portfolio_value":2500,"updated_ts":1763800000,'
        b'"balance_breakdown":[{"exchange_index":0,"balance":"80.1234"},{"exchange_index":2,"balance":"20.0000"}]}'
    )
    balance = msgspec.json.decode(body, type=Balance)

    assert parse_micros(balance.balance_dollars) == 100_123_400
    assert [(row.exchange_index, parse_micros(row.balance)) for row in balance.balance_breakdown or ()] == [
        (0, 80_123_400),
        (2, 20_000_000),
    ]


def test_the_sheets_position_is_ten_no() -> None:
    body = (
        b'{"ticker":"KXSIM-26DEC31-A","exchange_index":0,"position_fp":"-10.00","market_exposure_dollars":"3.5000",'
        b'"realized_pnl_dollars":"0.0000","fees_paid_dollars":"0.1600","total_traded_dollars":"3.5000",'
        b'"last_updated_ts":"2026-11-22T00:00:00Z"}'
    )

    assert position_of(msgspec.json.decode(body, type=PositionRow)) == Position(
        market_id=MarketId(A), outcome=Outcome.NO, size=shares("10")
    )


# -- 8: the stream


def test_our_commands_are_the_sheets_to_the_byte() -> None:
    commands = Commands([A, B], use_yes_price=True)

    assert commands.subscribe_books() == (
        '{"id":1,"cmd":"subscribe","params":{"channels":["orderbook_delta"],'
        '"market_tickers":["KXSIM-26DEC31-A","KXSIM-26DEC31-B"],"use_yes_price":true}}'
    )
    commands.made("update_subscription", {"sids": [1], "market_tickers": [C], "action": "add_markets"})
    commands.made("update_subscription", {"sids": [1], "market_tickers": [B], "action": "delete_markets"})
    commands.ask(1, [A])
    commands.give_up(1)
    commands.subscribe_again()
    snapshot, unsubscribe, again = commands.take()
    assert snapshot == (
        '{"id":4,"cmd":"update_subscription","params":{"sids":[1],"market_tickers":["KXSIM-26DEC31-A"],'
        '"action":"get_snapshot"}}'
    )
    assert unsubscribe == '{"id":5,"cmd":"unsubscribe","params":{"sids":[1]}}'
    assert json.loads(again)["cmd"] == "subscribe"


FRAMES_OF_THE_SHEET: Final[list[tuple[str, type, dict[str, Any]]]] = [
    ('{"type":"subscribed","id":1,"msg":{"channel":"orderbook_delta","sid":1}}', Subscribed, {"id": 1}),
    (
        (
            '{"type":"ok","id":2,"sid":1,"seq":7,"msg":{"market_tickers":["KXSIM-26DEC31-A","KXSIM-26DEC31-B",'
            '"KXSIM-26DEC31-C"]}}'
        ),
        Ok,
        {"sid": 1, "seq": 7},
    ),
    ('{"type":"unsubscribed","id":5,"sid":1,"seq":19}', Unsubscribed, {"sid": 1, "seq": 19}),
    ('{"type":"ok","id":6,"msg":[{"channel":"orderbook_delta","sid":1}]}', Ok, {"sid": None, "seq": None}),
    ('{"type":"error","id":9,"msg":{"code":8,"msg":"Unknown channel name"}}', Error, {"sid": None}),
    (
        (
            '{"type":"orderbook_snapshot","sid":1,"seq":1,"sending_ts_ms":1763800000100,"msg":{"market_ticker":'
            '"KXSIM-26DEC31-A","market_id":"5e11a000-0000-4000-8000-00000000000a","yes_dollars_fp":[["0.3900","5.00"],'
            '["0.4000","25.00"]],"no_dollars_fp":[["0.5800","10.00"]]}}'
        ),
        SnapshotFrame,
        {"sid": 1, "seq": 1, "sending_ts_ms": 1_763_800_000_100},
    ),
    (
        (
            '{"type":"orderbook_delta","sid":1,"seq":2,"sending_ts_ms":1763800000200,"msg":{"market_ticker":'
            '"KXSIM-26DEC31-A","market_id":"5e11a000-0000-4000-8000-00000000000a","price_dollars":"0.4000",'
            '"delta_fp":"-5.00","side":"yes","ts_ms":1763800000198}}'
        ),
        DeltaFrame,
        {"sid": 1, "seq": 2},
    ),
]


@pytest.mark.parametrize(("frame", "kind", "facts"), FRAMES_OF_THE_SHEET)
def test_every_frame_of_the_sheet_is_read(frame: str, kind: type, facts: dict[str, Any]) -> None:
    read = FRAMES.decode(frame.encode())

    assert type(read) is kind
    assert {name: getattr(read, name) for name in facts} == facts


def test_the_sheets_execution_is_ten_no_at_35_cents() -> None:
    frame = (
        '{"type":"fill","sid":3,"msg":{"trade_id":"t-1","order_id":"o-1","client_order_id":"c-1",'
        '"market_ticker":"KXSIM-26DEC31-A","exchange_index":0,"is_taker":true,"outcome_side":"no","book_side":"ask",'
        '"yes_price_dollars":"0.6500","count_fp":"10.00","fee_cost":"0.159250","post_position_fp":"-10.00",'
        '"ts_ms":1763800000124}}'
    )
    row = msgspec.json.decode(frame, type=FillNews).msg

    fill = fill_of(row, Owner.named(row.client_order_id, row.book_side))

    assert (fill.size, fill.price, fill.fee) == (shares("10"), price("0.35"), usd("0.15925"))
    assert (fill.venue_trade_id, fill.venue_order_id, fill.exchange_ms) == ("t-1", "o-1", 1_763_800_000_124)


# -- 9: fees

PUBLISHED: Final = (
    ("taker", 1, {"0.05": "0.01", "0.10": "0.01", "0.25": "0.02", "0.50": "0.02", "0.75": "0.02", "0.90": "0.01"}),
    ("taker", 1, {"0.95": "0.01"}),
    ("taker", 10, {"0.50": "0.18"}),
    ("taker", 100, {"0.05": "0.34", "0.10": "0.63", "0.25": "1.32", "0.50": "1.75", "0.75": "1.32", "0.90": "0.63"}),
    ("taker", 100, {"0.95": "0.34"}),
    ("maker", 100, {"0.05": "0.09", "0.10": "0.16", "0.25": "0.33", "0.50": "0.44", "0.75": "0.33", "0.90": "0.16"}),
    ("maker", 100, {"0.95": "0.09"}),
)
"""The venue's own table, in whole cents: what the gate reckons with as the worst case."""


@pytest.mark.parametrize(
    ("role", "count", "at", "fee"), [(role, n, at, fee) for role, n, row in PUBLISHED for at, fee in row.items()]
)
def test_the_published_fee_table_is_ours_in_whole_cents(role: str, count: int, at: str, fee: str) -> None:
    kind = "quadratic_with_maker_fees"
    rate = fee_rate(kind, Decimal(1)) if role == "taker" else maker_rate(kind, Decimal(1))

    assert model_fee(rate, price(at), shares(str(count)), CENT) == usd(fee)
    if role == "taker":
        assert taker_fee(fee_schedule(kind, Decimal(1), "2026-11-22"), price(at), shares(str(count))) == usd(fee)


def test_the_documented_example_of_one_contract_at_5_5_cents_to_its_parts() -> None:
    """Trade fee 0.003639 and rounding 0.001361 make half a cent where an account is kept in cents."""
    trade_fee = model_fee(fee_rate("quadratic", Decimal(1)), price("0.055"), shares("1"))
    charge = OrderFees(Precision.CLEARED).fill(-usd("0.055"), trade_fee)

    assert (charge.trade_fee, charge.rounding_fee, charge.rebate) == (usd("0.003639"), usd("0.001361"), 0)
    assert (charge.net_fee, charge.balance_change) == (usd("0.005"), -usd("0.06"))


@pytest.mark.parametrize(
    ("count", "at", "trade_fee", "before_the_rebate"),
    [
        ("1", "0.055", "0.0085", ("0.0065", "0.0130", "0.0095")),
        ("0.30", "0.50", "0.0041", ("0.0059", "0.0118", "0.0077")),
    ],
)
def test_the_accumulator_of_the_documented_examples(
    count: str, at: str, trade_fee: str, before_the_rebate: tuple[str, ...]
) -> None:
    fees = OrderFees(Precision.CLEARED)
    cash = price(at) * shares(count) // 1_000_000

    for accumulated in before_the_rebate:
        charge = fees.fill(-cash, usd(trade_fee))
        assert fees.accumulated + charge.rebate == usd(accumulated)


def test_the_worked_basket_nets_a_quarter_dollar_of_five() -> None:
    """100 sets of NO at 0.60, 0.65 and 0.70 pay 200 and cost 195; fees leave 0.2575 (11.2)."""
    rate = fee_rate("quadratic", Decimal(1))
    asks = ("0.60", "0.65", "0.70")
    gross = usd("200") - sum(100 * price(at) for at in asks)
    fees = sum(model_fee(rate, price(at), shares("100")) for at in asks)

    assert (gross, fees, gross - fees) == (usd("5"), usd("4.7425"), usd("0.2575"))


# -- 10: positions


def test_buying_no_over_a_yes_position_pays_six_dollars_fifty_at_once() -> None:
    """Long ten YES bought at 0.60, then `ask` ten at 0.65 (10.1)."""
    counter = Counter()
    counter.empty()
    counter.rest("ask", "0.6000", "10.00")
    counter.order("bid", "0.6000", "10.00")
    counter.rest("bid", "0.6500", "10.00")
    before = usd(counter.cash())

    counter.order("ask", "0.6500", "10.00")

    fee = counter.ask("GET", "/portfolio/fills").body["fills"][0]["fee_cost"]
    assert (counter.position(), usd(counter.cash()) - before) == ("0.00", usd("6.50") - usd(fee))
    assert counter.audit() == []
