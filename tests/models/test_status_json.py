from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.clock import MS, SECOND, BootNs, WallNs
from models.market import MarketId, SetId
from models.money import MicroShares, MicroUsd, PriceMicros
from models.status import EventKind, EventLine, FeedState, Gauge, Latency, SetRow, Trading
from models.status_json import StatusError, from_json, to_json
from models.status_rows import iso, wall
from tests.adapters.operator.fake_bot import a_market, a_snapshot

micros = st.integers(min_value=-(10**12), max_value=10**12)
maybe_price = st.none() | st.integers(min_value=1, max_value=999_999).map(PriceMicros)
instants = st.integers(min_value=0, max_value=4 * 10**12).map(lambda ms: WallNs(ms * MS))
spans = st.integers(min_value=0, max_value=10**9).map(lambda us: us * 1000)


def test_the_document_has_the_keys_of_the_design_and_money_as_decimal_strings() -> None:
    document = to_json(a_snapshot())

    assert document["schema_version"] == 1
    assert document["mode"] == "paper"
    assert set(document["trading"]) >= {"on", "reason", "since"}
    assert set(document["feed"]) >= {"state", "age_s", "reconnects"}
    first = document["markets"][0]
    assert first["market_id"] == "fed-cut-dec"
    assert {k: first[k] for k in ("ready", "yes_ask", "no_ask", "sum_cost", "edge", "state", "halted")} == {
        "ready": True,
        "yes_ask": "0.43",
        "no_ask": "0.555",
        "sum_cost": "0.985",
        "edge": "0.011",
        "state": "WAITING_FILLS",
        "halted": False,
    }
    assert document["kill_switch"]["partials"] == {"count": 0, "limit": 2, "window_s": 600.0}
    assert document["limits"]["daily_notional"] == {"used": "98.20", "limit": "500.00"}
    assert document["latency_ms"] == {"p50": 0.04, "p99": 0.21}
    assert len(document["in_flight"]) == 1


def test_what_is_not_known_is_null_and_never_a_number() -> None:
    stale = to_json(a_snapshot())["markets"][3]

    assert stale["yes_ask"] is None
    assert stale["sum_cost"] is None
    assert stale["reason"] == "silent"


@given(
    sum_cost=st.none() | micros.map(MicroUsd),
    yes_ask=maybe_price,
    size=st.integers(min_value=0, max_value=10**13).map(MicroShares),
    used=micros,
    since=st.none() | instants,
    age=st.none() | spans,
    p99=st.none() | st.integers(min_value=0, max_value=10**11),
    state=st.sampled_from(FeedState),
    text=st.text(max_size=20),
)
def test_a_snapshot_survives_the_way_through_json(
    sum_cost: MicroUsd | None,
    yes_ask: PriceMicros | None,
    size: MicroShares,
    used: int,
    since: WallNs | None,
    age: int | None,
    p99: int | None,
    state: FeedState,
    text: str,
) -> None:
    base = a_snapshot()
    event = EventLine(serial=7, at=base.at, kind=EventKind.OPP, subject="m", text=text, ident="o-1", fold="f", times=3)
    snapshot = replace(
        base,
        taken=BootNs(0),
        trading=Trading(on=since is None, reason=text, by="x", since=since),
        feed=replace(base.feed, state=state, age_ns=age),
        markets=(a_market("m", yes_ask=yes_ask, yes_size=size, sum_cost=sum_cost, age_ns=age),),
        sets=(
            SetRow(
                set_id=SetId("basket"),
                kind="no_basket",
                market_ids=(MarketId("a"), MarketId("b")),
                payout=MicroUsd(1_000_000),
                sum_cost=sum_cost,
                edge=None,
                state="IDLE",
            ),
        ),
        kill_switch=(
            Gauge(name="rejects", used=abs(used), limit=5, window_ns=600 * SECOND),
            Gauge(name="daily_notional", used=used, limit=500_000_000, money=True),
        ),
        latency=Latency(p50_ns=None, p99_ns=p99),
        events=(event,),
        open_items=("2 open orders",),
        paper=None,
    )

    document = json.loads(json.dumps(to_json(snapshot)))

    assert from_json(document) == snapshot


@given(instants)
def test_an_instant_survives_as_text(at: WallNs) -> None:
    assert wall(iso(at)) == at


@pytest.mark.parametrize("document", [{}, {"schema_version": 2}, {"schema_version": 1}, {"schema_version": 1, "at": 5}])
def test_something_else_is_refused_in_one_sentence(document: dict[str, object]) -> None:
    with pytest.raises(StatusError):
        from_json(document)
