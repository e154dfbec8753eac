"""What the exchange says at the end: a member is one account, whatever shards its money lies on."""

from __future__ import annotations

import json

from adapters.simulated.web import Request
from models.money import parse_micros
from tests.adapters.kalshi.counter import BTC, FED, Counter


def asked(counter: Counter, method: str, target: str, body: bytes = b"") -> tuple[int, dict]:  # type: ignore[type-arg]
    counter.pass_ms(0)
    answer = counter.face.answer(counter.exchange, Request(method, target, {}, body), counter.now)
    return answer.status, json.loads(answer.body)


def test_the_truth_adds_up_what_a_member_has_on_every_shard() -> None:
    counter = Counter()
    counter.empty()
    counter.empty(BTC)
    counter.rest("ask", "0.4300", "4.00")
    counter.rest("bid", "0.4000", "6.00", ticker=BTC)
    counter.order("bid", "0.4300", "4.00")
    counter.order("ask", "0.4000", "6.00", ticker=BTC)

    _, truth = asked(counter, "GET", "/truth")

    first, second = truth["accounts"]
    assert (first["name"], second["name"]) == ("trader-1", "trader-2")
    assert first["shards"] == {"0": "98.2113", "2": "96.2992"}
    assert parse_micros(first["cash"]) == sum(parse_micros(cash) for cash in first["shards"].values())
    assert {(row["market_id"], row["outcome"], row["size"]) for row in first["positions"]} == {
        (FED, "YES", "4"),
        (BTC, "NO", "6"),
    }
    assert [len(first[name]) for name in ("orders", "fills")] == [2, 2]
    assert truth["audit"] == []


def test_who_runs_the_exchange_reaches_it_with_and_without_the_protocols_root() -> None:
    counter = Counter()
    lever = json.dumps({"lever": "rate_limited"}).encode()

    assert asked(counter, "GET", "/trade-api/v2/truth") == asked(counter, "GET", "/truth")
    for target in ("/levers", "/trade-api/v2/levers"):
        assert asked(counter, "POST", target, lever)[0] == 200
        assert counter.order("bid", "0.0100", "1.00").status == 429
    assert asked(counter, "POST", "/truth")[0] != 200
