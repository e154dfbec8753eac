"""The dialect's orders: flags, self-trade prevention, netting, fees, shards, groups, pauses, and every refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.kalshi.dialect.members import READ_ONLY, ApiKey, ed25519_key, rsa_key
from adapters.simulated.faults import parse_plan
from models.clock import SECOND
from models.money import MICRO
from tests.adapters.kalshi.counter import BASIC, BTC, CPI, FED, START, Counter, Told, Wire
from tests.adapters.kalshi.stage import entropy
from tests.factories import usd


@pytest.fixture
def counter() -> Counter:
    """FED is empty but for what a test puts there."""
    counter = Counter()
    counter.empty()
    return counter


def code(told: Told) -> tuple[int, str]:
    error = told.body.get("error", told.body)
    return told.status, error if isinstance(error, str) else error["code"]


# -- checks before the book


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"price": "0.4350"}, (400, "invalid_order")),
        ({"price": "0.43005"}, (400, "invalid_order")),
        ({"price": "1.0000"}, (400, "invalid_order")),
        ({"price": "0.0000"}, (400, "invalid_order")),
        ({"price": "43"}, (400, "invalid_order")),
        ({"count": "0.00"}, (400, "invalid_order_size")),
        ({"count": "1.005"}, (400, "invalid_parameters")),
        ({"count": "-1"}, (400, "invalid_parameters")),
        ({"side": "yes"}, (400, "invalid_parameters")),
        ({"time_in_force": "GTT"}, (400, "invalid_parameters")),
        ({"self_trade_prevention_type": "none"}, (400, "invalid_parameters")),
        ({"client_order_id": "a.b"}, (400, "invalid_parameters")),
        ({"ticker": "KXWHO-1"}, (404, "market_not_found")),
        ({"exchange_index": 2}, (404, "market_not_found")),
        ({"post_only": True}, (400, "invalid_order")),
        ({"reduce_only": True, "time_in_force": "good_till_canceled"}, (400, "invalid_order")),
        ({"expiration_time": START // SECOND + 60}, (400, "invalid_order")),
        ({"expiration_time": 5, "time_in_force": "good_till_canceled"}, (400, "invalid_order")),
        ({"order_group_id": "none"}, (404, "order_group_not_found")),
        ({"count": "1000.00"}, (400, "available_balance_too_low")),
    ],
)
def test_what_cannot_be_carried_out_is_refused_by_name(
    counter: Counter, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    counter.rest("ask", "0.4300", "2000.00", count="100.00")
    body = {
        "ticker": FED,
        "client_order_id": "c-x",
        "side": "bid",
        "count": "4.00",
        "price": "0.4300",
        "time_in_force": "immediate_or_cancel",
        "self_trade_prevention_type": "taker_at_cross",
        "exchange_index": 0,
    } | changes
    if "count" in changes and changes["count"] == "1000.00":
        body["time_in_force"] = "good_till_canceled"

    told = counter.ask("POST", "/portfolio/events/orders", body)

    assert code(told) == expected
    assert counter.cash() == "100.0000"


@pytest.mark.parametrize("missing", ["side", "count", "price", "time_in_force", "self_trade_prevention_type", "ticker"])
def test_required_fields_are_required(counter: Counter, missing: str) -> None:
    body = {
        "ticker": FED,
        "side": "bid",
        "count": "4.00",
        "price": "0.4300",
        "time_in_force": "immediate_or_cancel",
        "self_trade_prevention_type": "maker",
    }
    del body[missing]

    assert code(counter.ask("POST", "/portfolio/events/orders", body)) == (400, "invalid_parameters")


def test_the_old_order_path_is_gone(counter: Counter) -> None:
    assert code(counter.ask("POST", "/portfolio/orders", {})) == (410, "deprecated_v1_order_endpoint")


# -- matching


def test_a_trade_happens_at_the_resting_price_and_the_improvement_is_the_takers(counter: Counter) -> None:
    counter.rest("ask", "0.4100", "2.00")
    counter.rest("ask", "0.4300", "2.00")

    told = counter.order("bid", "0.4300", "3.00")

    assert (told.body["fill_count"], told.body["average_fill_price"]) == ("3.00", "0.416666")
    prices = [row["yes_price_dollars"] for row in counter.ask("GET", "/portfolio/fills").body["fills"]]
    assert sorted(prices) == ["0.4100", "0.4300"]


def test_an_ioc_takes_what_is_there_and_the_rest_is_gone(counter: Counter) -> None:
    counter.rest("ask", "0.4300", "3.00")

    told = counter.order("bid", "0.4300", "10.00")

    assert (told.body["fill_count"], told.body["remaining_count"]) == ("3.00", "0.00")
    (row,) = counter.ask("GET", "/portfolio/orders").body["orders"]
    assert (row["status"], row["initial_count_fp"], row["fill_count_fp"]) == ("canceled", "10.00", "3.00")


def test_a_resting_order_expires(counter: Counter) -> None:
    order_id = counter.rest("bid", "0.4000", "5.00", member=0, expiration_time=START // SECOND + 2)
    counter.pass_ms(1_999)
    assert counter.ask("GET", f"/portfolio/orders/{order_id}").body["order"]["status"] == "resting"

    counter.pass_ms(2)

    assert counter.ask("GET", f"/portfolio/orders/{order_id}").body["order"]["status"] == "canceled"
    assert counter.cash() == "100.0000"


def test_post_only_rests_or_is_refused(counter: Counter) -> None:
    counter.rest("ask", "0.4300", "3.00")

    crossing = counter.order("bid", "0.4300", "1.00", time_in_force="good_till_canceled", post_only=True)
    resting = counter.order("bid", "0.4200", "1.00", time_in_force="good_till_canceled", post_only=True)

    assert crossing.body["error"]["details"] == "post only cross"
    assert resting.status == 201


def test_reduce_only_is_capped_by_the_position_and_never_flips_it(counter: Counter) -> None:
    counter.rest("ask", "0.4300", "4.00")
    counter.rest("bid", "0.4000", "10.00")
    nothing = counter.order("ask", "0.4000", "4.00", reduce_only=True)
    counter.order("bid", "0.4300", "4.00")

    capped = counter.order("ask", "0.4000", "10.00", reduce_only=True)

    assert (nothing.status, nothing.body["fill_count"]) == (201, "0.00")
    assert (capped.body["fill_count"], counter.position()) == ("4.00", "0.00")
    assert counter.audit() == []


def test_a_plain_sale_beyond_the_position_opens_the_other_side(counter: Counter) -> None:
    counter.rest("ask", "0.4300", "4.00")
    counter.rest("bid", "0.4000", "10.00")
    counter.order("bid", "0.4300", "4.00")

    counter.order("ask", "0.4000", "10.00")

    assert counter.position() == "-6.00"
    assert counter.audit() == []


@pytest.mark.parametrize(
    ("stp", "filled", "own"), [("taker_at_cross", "2.00", "resting"), ("maker", "5.00", "canceled")]
)
def test_nobody_trades_with_himself(counter: Counter, stp: str, filled: str, own: str) -> None:
    counter.rest("ask", "0.4100", "2.00")
    mine = counter.rest("ask", "0.4200", "3.00", member=0)
    counter.rest("ask", "0.4300", "3.00")

    told = counter.order("bid", "0.4300", "5.00", self_trade_prevention_type=stp)

    assert told.body["fill_count"] == filled
    assert counter.ask("GET", f"/portfolio/orders/{mine}").body["order"]["status"] == own
    assert counter.audit() == []


def test_a_killed_order_that_would_cross_itself_may_fill_a_part(counter: Counter) -> None:
    """A FOK at a self-cross behaves as IOC (6.2)."""
    counter.rest("ask", "0.4100", "2.00")
    counter.rest("ask", "0.4200", "3.00", member=0)

    told = counter.order("bid", "0.4200", "5.00", time_in_force="fill_or_kill")

    assert (told.status, told.body["fill_count"]) == (201, "2.00")


def test_decreasing_keeps_the_rest_and_its_place(counter: Counter) -> None:
    order_id = counter.rest("bid", "0.4000", "5.00", member=0)

    told = counter.ask("POST", f"/portfolio/events/orders/{order_id}/decrease", {"reduce_by": "2.00"})
    to = counter.ask("POST", f"/portfolio/events/orders/{order_id}/decrease", {"reduce_to": "1.00"})
    both = counter.ask("POST", f"/portfolio/events/orders/{order_id}/decrease", {"reduce_to": "1", "reduce_by": "1"})

    assert (told.body["remaining_count"], to.body["remaining_count"]) == ("3.00", "1.00")
    assert code(both) == (400, "invalid_parameters")
    assert counter.cash() == "99.6000"
    assert counter.audit() == []


def test_cancelling_all_cancels_all_on_every_shard(counter: Counter) -> None:
    counter.rest("bid", "0.4000", "5.00", member=0)
    counter.rest("bid", "0.0100", "5.00", member=0, ticker=BTC)

    told = counter.ask("DELETE", "/portfolio/events/orders")

    assert (told.status, told.body) == (204, None)
    assert counter.ask("GET", "/portfolio/orders?status=resting").body["orders"] == []


def test_a_batch_stands_item_by_item(counter: Counter) -> None:
    counter.rest("ask", "0.4300", "3.00")
    item = {
        "ticker": FED,
        "side": "bid",
        "price": "0.4300",
        "time_in_force": "immediate_or_cancel",
        "self_trade_prevention_type": "taker_at_cross",
        "exchange_index": 0,
    }
    orders = [
        item | {"client_order_id": "one", "count": "2.00"},
        item | {"client_order_id": "two", "count": "0.00"},
        {"client_order_id": "three"},
        item | {"client_order_id": "four", "count": "2.00"},
    ]

    told = counter.ask("POST", "/portfolio/events/orders/batched", {"orders": orders})

    assert told.status == 201
    assert [row.get("fill_count") for row in told.body["orders"]] == ["2.00", None, None, "1.00"]
    assert told.body["orders"][1]["error"]["code"] == "invalid_order_size"


def test_an_order_without_an_id_is_given_one(counter: Counter) -> None:
    told = counter.order("bid", "0.0100", "1.00", client_order_id=None, time_in_force="good_till_canceled")

    assert told.status == 201
    assert told.body["client_order_id"]


# -- fees


def test_three_fills_of_one_order_share_one_accumulator(counter: Counter) -> None:
    """3 x (0.30 at 0.50) in one order: 0.0158 in fees, a rebate with the second fill (9.2)."""
    for _ in range(3):
        counter.rest("ask", "0.5000", "0.30")

    counter.order("bid", "0.5000", "0.90")

    fees = [row["fee_cost"] for row in counter.ask("GET", "/portfolio/fills").body["fills"]]
    assert sum(usd(fee) for fee in fees) == usd("0.0158")
    assert counter.cash() == "99.5342", "100 - 0.4658"


def test_makers_pay_where_the_series_says_so() -> None:
    counter = Counter()
    counter.empty(CPI)
    counter.rest("ask", "0.5000", "10.00", ticker=CPI)
    before = usd(counter.cash(1))

    counter.order("bid", "0.5000", "10.00", ticker=CPI)

    (fill,) = counter.ask("GET", "/portfolio/fills", member=1).body["fills"]
    assert (fill["is_taker"], fill["fee_cost"]) == (False, "0.021900"), "0.5 x 0.0175 x 10 x 0.25, aligned"
    assert before == usd("95")
    assert usd(counter.cash(1)) == usd("95") - usd("0.0219")
    assert counter.audit() == []


# -- shards, groups, pauses


def test_cash_of_one_shard_does_not_pay_on_another_until_it_is_moved() -> None:
    counter = Counter(funded=(0,))
    transfer = {
        "source": "event_contract",
        "destination": "event_contract",
        "source_exchange_shard": 0,
        "destination_exchange_shard": 2,
        "amount": 500_000,
        "client_transfer_id": "t-1",
    }
    order: dict[str, Any] = {"ticker": BTC, "time_in_force": "good_till_canceled"}

    poor = counter.order("bid", "0.1000", "5.00", **order)
    moved = [counter.ask("POST", "/portfolio/intra_exchange_instance_transfer", transfer) for _ in range(2)]
    rich = counter.order("bid", "0.1000", "5.00", **order)

    assert code(poor) == (400, "available_balance_too_low")
    assert moved[0].body == moved[1].body
    assert rich.status == 201
    assert (counter.cash(shard=0), counter.cash(shard=2)) == ("50.0000", "49.5000"), "moved once: 500000 is 50 dollars"
    assert counter.audit() == []


def test_an_order_group_above_its_limit_ends_its_orders_and_takes_no_more(counter: Counter) -> None:
    limit = {"contracts_limit_fp": "5.00", "exchange_index": 0}
    group = counter.ask("POST", "/portfolio/order_groups/create", limit).body["order_group_id"]
    counter.rest("ask", "0.4300", "20.00")
    mine = counter.rest("bid", "0.1000", "1.00", member=0, order_group_id=group)

    counter.order("bid", "0.4300", "5.00", order_group_id=group)
    assert counter.ask("GET", f"/portfolio/orders/{mine}").body["order"]["status"] == "resting"
    counter.order("bid", "0.4300", "1.00", order_group_id=group)
    refused = counter.order("bid", "0.4300", "1.00", order_group_id=group)
    free = counter.order("bid", "0.4300", "1.00")
    counter.ask("PUT", f"/portfolio/order_groups/{group}/reset")
    again = counter.order("bid", "0.4300", "1.00", order_group_id=group)

    assert counter.ask("GET", f"/portfolio/orders/{mine}").body["order"]["status"] == "canceled"
    assert code(refused) == (409, "exceeded_order_group_risk_limit")
    assert (free.status, again.status) == (201, 201)


def test_a_group_says_what_stands_in_it(counter: Counter) -> None:
    path = "/portfolio/order_groups"
    group = counter.ask("POST", f"{path}/create", {"contracts_limit_fp": "5.00", "exchange_index": 0}).body
    order = counter.rest("bid", "0.0100", "1.00", member=0, order_group_id=group["order_group_id"])

    facts = {"is_auto_cancel_enabled": True, "contracts_limit_fp": "5.00", "exchange_index": 0}
    told = counter.ask("GET", f"{path}/{group['order_group_id']}")
    assert (told.status, told.body) == (200, {"orders": [order], **facts})
    assert counter.ask("GET", path).body["order_groups"] == [{"id": group["order_group_id"], **facts}]
    assert counter.ask("GET", f"{path}/{group['order_group_id']}", member=1).status == 404, "it is somebody's own"


def test_a_pause_ends_what_asked_for_it_and_reopening_ends_the_rest() -> None:
    plan = parse_plan({"levers": [{"lever": "pause", "at": "1s", "for": "2s", "market": FED}]})
    counter = Counter(plan=plan)
    wire = Wire(counter)
    wire.say("subscribe", channels=["market_lifecycle_v2"])
    ends = counter.rest("bid", "0.0100", "1.00", member=0, cancel_order_on_pause=True)
    stays = counter.rest("bid", "0.0200", "1.00", member=0)

    def states() -> list[str]:
        return [counter.ask("GET", f"/portfolio/orders/{o}").body["order"]["status"] for o in (ends, stays)]

    (paused,) = wire.hear(1_100)
    assert states() == ["canceled", "resting"]
    assert code(counter.order("bid", "0.0100", "1.00")) == (409, "trading_is_paused")
    assert counter.ask("GET", f"/markets/{FED}").body["market"]["status"] == "inactive"
    (opened,) = wire.hear(2_000)

    assert states() == ["canceled", "canceled"]
    assert [f["msg"]["event_type"] for f in (paused, opened)] == ["deactivated", "activated"]
    assert counter.order("bid", "0.0100", "1.00").status == 201


def test_a_closed_market_takes_nothing_not_even_a_cancel() -> None:
    counter = Counter(plan=parse_plan({"levers": [{"lever": "close_market", "at": "1s", "market": FED}]}))
    wire = Wire(counter)
    wire.say("subscribe", channels=["market_lifecycle_v2", "user_orders"])
    order_id = counter.rest("bid", "0.0100", "1.00", member=0)
    wire.hear()

    told = wire.hear(1_100)

    assert [f["msg"].get("last_update_reason") for f in told if f["type"] == "user_order"] == ["CloseCancel"]
    closing = next(f for f in told if f["type"] == "market_lifecycle_v2")
    assert (closing["msg"]["event_type"], closing["msg"]["close_ts"]) == ("close_date_updated", START // SECOND + 1)
    assert code(counter.order("bid", "0.0100", "1.00")) == (400, "market_inactive")
    cancel = counter.ask("DELETE", f"/portfolio/events/orders/{order_id}?market_ticker={FED}")
    assert code(cancel) == (400, "market_inactive")


def test_a_settled_market_pays_its_net_position_once(counter: Counter) -> None:
    counter.rest("ask", "0.4300", "4.00")
    counter.order("bid", "0.4300", "4.00")
    wire = Wire(counter)
    wire.say("subscribe", channels=["market_lifecycle_v2"])
    counter.exchange.pull(parse_plan({"levers": [{"lever": "resolve", "market": FED}]}).levers[0], counter.now)

    told = wire.hear(10)

    assert [f["msg"]["event_type"] for f in told][-2:] == ["determined", "settled"]
    assert (told[-1]["msg"]["result"], told[-1]["msg"]["settlement_value"]) == ("yes", "1.0000")
    assert usd(counter.cash()) == usd("98.2113") + usd("4")
    (row,) = counter.ask("GET", "/portfolio/settlements").body["settlements"]
    assert (row["market_result"], row["yes_count_fp"], row["revenue"]) == ("yes", "4.00", 400)
    assert counter.audit() == []


def test_while_the_exchange_restarts_it_says_so_and_nothing_else_answers() -> None:
    counter = Counter(plan=parse_plan({"levers": [{"lever": "restart", "at": "1s", "for": "2s", "post_only": "3s"}]}))
    wire = Wire(counter)
    wire.say("subscribe", channels=["orderbook_delta"], market_tickers=[FED])
    wire.hear(1_100)

    down = counter.ask("GET", "/exchange/status")
    assert (wire.closed, down.status, down.body["exchange_active"]) == (1012, 503, False)
    assert counter.ask("GET", "/portfolio/balance").status == 503
    counter.pass_ms(2_000)
    paused = counter.ask("GET", "/exchange/status")
    assert (paused.status, paused.body["exchange_active"], paused.body["trading_active"]) == (200, True, False)
    assert code(counter.order("bid", "0.0100", "1.00")) == (409, "exchange_is_paused")
    counter.pass_ms(3_500)
    assert counter.order("bid", "0.0100", "1.00").status == 201


# -- who may call, and how often


def test_every_wrong_signature_has_its_own_answer(counter: Counter) -> None:
    path = "/portfolio/balance"
    target = "/trade-api/v2" + path
    good = counter.signed("GET", target)

    def asked(**changes: str) -> Told:
        return counter.ask("GET", path, headers={**good, **{k.replace("_", "-"): v for k, v in changes.items()}})

    missing = counter.ask("GET", path, headers={"KALSHI-ACCESS-KEY": good["KALSHI-ACCESS-KEY"]})
    nobody = asked(KALSHI_ACCESS_KEY="who")
    forged = counter.ask("GET", path, headers=counter.signed("POST", target))
    stale = [counter.ask("GET", path, skew_ms=skew).status for skew in (-60_000, -30_000, 30_000, 60_000)]
    near = [counter.ask("GET", path, skew_ms=skew).status for skew in (-10_000, 10_000)]

    assert code(missing) == (401, "signature_is_missing_from_headers")
    assert (code(nobody), nobody.body["error"]["details"]) == ((401, "authentication_error"), "NOT_FOUND")
    assert (code(forged), forged.body["error"]["details"]) == (
        (401, "authentication_error"),
        "INCORRECT_API_KEY_SIGNATURE",
    )
    assert (stale, near) == ([401] * 4, [200] * 2)
    assert counter.ask("GET", f"{path}?subaccount=0").status == 200, "the query is not signed"


def test_a_key_that_may_only_read_may_not_trade(counter: Counter) -> None:
    counter.members[0].keys.insert(0, ed25519_key(entropy(9), READ_ONLY))

    told = counter.order("bid", "0.0100", "1.00")

    assert (told.status, told.body["code"]) == (403, "forbidden"), "without the envelope"
    assert counter.ask("GET", "/portfolio/balance").status == 200


@pytest.mark.parametrize("make", [ed25519_key, rsa_key])
def test_a_member_may_have_keys_of_both_kinds_and_each_signs_for_all_calls(
    counter: Counter, make: Callable[..., ApiKey]
) -> None:
    counter.members[0].keys.insert(0, make(entropy(9)))

    assert counter.order("bid", "0.0100", "1.00").status == 201
    assert counter.cash() == "100.0000"
    listed = counter.ask("GET", "/api_keys").body["api_keys"]
    assert [(row["api_key_id"], row["scopes"]) for row in listed] == [
        (key.key_id, ["read", "write"]) for key in counter.members[0].keys
    ]


def test_where_the_attested_place_has_run_out_nothing_is_traded(counter: Counter) -> None:
    counter.members[0].region_expires_s = counter.now // SECOND

    assert counter.order("bid", "0.0100", "1.00").status == 403
    assert counter.ask("GET", "/api_keys").body["api_key_region_expiration_ts"] == counter.now // SECOND


def test_public_reads_need_no_key(counter: Counter) -> None:
    for path in ("/exchange/status", "/markets", f"/markets/{FED}", "/events", "/series", f"/markets/{FED}/orderbook"):
        assert counter.ask("GET", path, headers={}).status == 200
    assert counter.ask("GET", "/portfolio/balance", headers={}).status == 401


def test_the_lowest_tier_makes_ten_orders_a_second_and_cancels_cost_a_fifth() -> None:
    counter = Counter(tier=BASIC)
    cheap: dict[str, Any] = {"time_in_force": "good_till_canceled"}
    placed = [counter.order("bid", "0.0100", "1.00", **cheap) for _ in range(11)]
    counter.pass_ms(100)
    more = counter.order("bid", "0.0100", "1.00", **cheap)
    counter.pass_ms(100)
    ids = [told.body["order_id"] for told in placed[:6]]
    cancels = [counter.ask("DELETE", f"/portfolio/events/orders/{i}?market_ticker={FED}").status for i in ids]

    assert [told.status for told in placed] == [201] * 10 + [429]
    assert placed[-1].body == {"error": "too many requests"}
    assert more.status == 201
    assert cancels == [200] * 5 + [429]


def test_a_batch_that_does_not_fit_into_the_bucket_is_refused_whole() -> None:
    counter = Counter(tier=BASIC)
    items = [
        {
            "ticker": FED,
            "client_order_id": f"b-{number}",
            "side": "bid",
            "count": "1.00",
            "price": "0.0100",
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "maker",
        }
        for number in range(11)
    ]

    assert counter.ask("POST", "/portfolio/events/orders/batched", {"orders": items}).status == 429
    assert counter.ask("GET", "/portfolio/orders").body["orders"] == []
    assert counter.ask("POST", "/portfolio/events/orders/batched", {"orders": items[:10]}).status == 201


def test_an_order_that_names_no_shard_bills_all_of_them() -> None:
    counter = Counter(tier=BASIC)
    for _ in range(5):
        counter.order("bid", "0.0100", "1.00", exchange_index=None, time_in_force="good_till_canceled")
    on_two = [counter.order("bid", "0.0100", "1.00", ticker=BTC, time_in_force="good_till_canceled") for _ in range(6)]

    assert [told.status for told in on_two] == [201] * 5 + [429]


def test_lists_come_in_pages(counter: Counter) -> None:
    for _ in range(5):
        counter.rest("bid", "0.0100", "1.00", member=0)
    pages, cursor = [], ""
    while True:
        told = counter.ask("GET", f"/portfolio/orders?limit=2&cursor={cursor}").body
        pages.append([row["order_id"] for row in told["orders"]])
        cursor = told["cursor"]
        if not cursor:
            break

    assert [len(page) for page in pages] == [2, 2, 1]
    assert len({order_id for page in pages for order_id in page}) == 5


# -- whatever happens

ACTS = st.lists(
    st.tuples(
        st.sampled_from([0, 1]),
        st.sampled_from(["bid", "ask"]),
        st.integers(30, 60),
        st.integers(1, 900),
        st.sampled_from(["immediate_or_cancel", "fill_or_kill", "good_till_canceled"]),
        st.sampled_from(["maker", "taker_at_cross"]),
    ),
    max_size=25,
)


@given(ACTS)
@settings(max_examples=30)
def test_the_books_balance_whatever_is_ordered(acts: list[tuple[int, str, int, int, str, str]]) -> None:
    """Cash, collateral and fees add up; positions are the sum of fills; nobody holds both outcomes; no crossed book."""
    counter = Counter()
    counter.empty()
    for member, side, cents, size, tif, stp in acts:
        more = {"time_in_force": tif, "self_trade_prevention_type": stp}
        counter.order(side, f"0.{cents}00", f"{size // 100}.{size % 100:02d}", member=member, **more)

    assert counter.audit() == []
    for member in (0, 1):
        fills = counter.ask("GET", "/portfolio/fills?limit=1000", member=member).body["fills"]
        signed = sum(usd(row["count_fp"]) * (1 if row["book_side"] == "bid" else -1) for row in fills)
        assert usd(counter.position(member=member)) == signed
        assert len({(row["trade_id"], row["order_id"]) for row in fills}) == len(fills)
        account = counter.exchange.engine.accounts[counter.members[member].account(0)]
        held = {outcome for (market, outcome), shares in account.shares.items() if market == FED and shares}
        assert len(held) <= 1
        assert usd(counter.cash(member)) <= 100 * MICRO + 60 * MICRO
