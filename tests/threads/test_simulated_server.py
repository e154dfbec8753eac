"""The exchange on real sockets: the adapter against the server, signatures, slow readers, dead peers, many clients."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import websocket

from adapters.clock import SystemClock
from adapters.feed import FeedLimits, FeedState, FeedThread
from adapters.simulated import signing
from adapters.simulated.adapter import SimulatedVenue
from adapters.simulated.exchange import InProcessExchange, Setup, Trader
from adapters.simulated.faults import parse_plan
from adapters.simulated.server import SimulatedServer
from adapters.simulated.trading import SimulatedOrders
from adapters.venue import VenueReadError, VenueReadRefusedError
from models.book import BookSnapshot, BookUpdate
from models.config_machine import VenueOptions
from models.market import Action, BookModel, MarketId, Outcome, SetId, VenueName
from models.messages import FillSeen, OrderUpdated
from models.money import MICRO, MicroShares, PriceMicros
from models.orders import (
    Accepted,
    AttemptId,
    CancelResult,
    ClientOrderId,
    CommittedIntent,
    OrderIntent,
    OrderNotFound,
    OrderSeen,
    OutcomeUnknown,
    Purpose,
    Refused,
    TimeInForce,
)
from tests.canaries import ACCOUNTS

BOB = Trader(name="bob", cash=1_000 * MICRO, api_key=ACCOUNTS[1][0], api_secret=ACCOUNTS[1][1])
QUICK = FeedLimits(idle_s=0.01, backoff_initial_s=0.05, backoff_max_s=0.2)


@dataclass
class Served:
    server: SimulatedServer
    exchange: InProcessExchange
    options: VenueOptions
    clock: SystemClock

    @property
    def data(self) -> SimulatedVenue:
        return SimulatedVenue(self.options, self.clock, 100)

    def orders(self, secret: str = BOB.api_secret, total_s: float = 2.0) -> SimulatedOrders:
        return SimulatedOrders(self.options, BOB.api_key, secret, self.clock, total_s=total_s)

    def pull(self, **lever: object) -> None:
        answer = requests.post(f"{self.server.rest_url}/levers", json=lever, timeout=2)
        assert answer.status_code == 200, answer.text


@contextlib.contextmanager
def a_server(*levers: dict[str, Any], rate: int = 0, outbox_bytes: int = 1 << 23, markets: int = 6) -> Iterator[Served]:
    setup = Setup(
        seed=7,
        start=time.time_ns(),
        rate=rate,
        markets=markets,
        traders=(BOB,),
        plan=parse_plan({"levers": list(levers)}),
    )
    exchange = InProcessExchange(setup)
    server = SimulatedServer(exchange, 0, outbox_bytes)
    server.start()
    options = VenueOptions(rest_url=server.rest_url, ws_url=server.ws_url, user_ws_url=server.user_ws_url)
    try:
        yield Served(server, exchange, options, SystemClock())
    finally:
        server.stop()


def committed(
    name: str,
    cents: int = 90,
    shares: int = 5,
    tif: TimeInForce = TimeInForce.IOC,
    outcome: Outcome = Outcome.YES,
) -> CommittedIntent:
    intent = OrderIntent(
        client_order_id=ClientOrderId(name),
        attempt_id=AttemptId("attempt"),
        set_id=SetId("fed-cut-dec"),
        venue=VenueName("simulated"),
        market_id=MarketId("fed-cut-dec"),
        leg=0,
        outcome=outcome,
        action=Action.BUY,
        limit_price=PriceMicros(cents * 10_000),
        size=MicroShares(shares * MICRO),
        time_in_force=tif,
        purpose=Purpose.OPEN,
    )
    return CommittedIntent(intent=intent, ledger_seq=1, row_hash="")


def open_gate() -> contextlib.AbstractContextManager[bool]:
    return contextlib.nullcontext(enter_result=True)


def place(orders: SimulatedOrders, order: CommittedIntent) -> object:
    return orders.place_order(order, orders.prepare(order.intent), open_gate)


@dataclass
class Reader:
    """A feed thread and everything it said."""

    events: list[Any] = field(default_factory=list)
    states: list[FeedState] = field(default_factory=list)
    feed: FeedThread | None = None

    def until(self, condition: Any, limit_s: float = 10.0) -> None:
        deadline = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline, (self.states, len(self.events))
            time.sleep(0.005)

    def of(self, kind: type) -> list[Any]:
        return [event for event in list(self.events) if isinstance(event, kind)]


@contextlib.contextmanager
def reading(served: Served, *, private: bool = False) -> Iterator[Reader]:
    reader = Reader()
    data, orders = served.data, served.orders()
    markets = data.markets([market.market_id for market in served.exchange.markets])
    feed = FeedThread(
        name="reader",
        url_provider=lambda: orders.listen_fills_ws()[0].url if private else data.connect_ws().url,
        headers_provider=lambda: orders.listen_fills_ws()[0].headers if private else {},
        session_factory=lambda g: (
            orders.listen_fills_ws()[1](g) if private else data.subscribe_markets(markets, g, served.clock)
        ),
        deliver=reader.events.extend,
        on_state=reader.states.append,
        clock=served.clock,
        rng=random.Random(1),
        limits=QUICK,
    )
    reader.feed = feed
    feed.start()
    try:
        reader.until(lambda: any(state.kind == "live" for state in reader.states))
        yield reader
    finally:
        feed.stop()


# -- market data


def test_the_adapter_reads_the_catalog_and_the_books() -> None:
    with a_server() as served:
        data = served.data
        ids = [market.market_id for market in served.exchange.markets]

        assert data.markets(ids) == served.exchange.markets
        assert [market.market_id for market in data.find("BITCOIN trade")] == ["btc-100k-dec"]
        (book,) = data.get_snapshot_rest(data.markets(ids[:1]), 4, served.clock)
        listing = served.exchange.engine.listings[ids[0]]
        assert [book.yes_bids, book.yes_asks, book.no_bids, book.no_asks] == [listing.levels(s) for s in range(4)]
        assert book.generation == 4


def test_a_market_that_is_not_listed_is_refused_by_name() -> None:
    with a_server() as served, pytest.raises(VenueReadRefusedError, match="no-such-market"):
        served.data.markets([MarketId("no-such-market")])


def test_the_stream_brings_snapshots_then_updates_and_survives_a_close() -> None:
    with a_server(rate=200) as served, reading(served) as reader:
        reader.until(lambda: len(reader.of(BookSnapshot)) >= 6 and len(reader.of(BookUpdate)) > 20)
        assert {market.market_id for market in served.exchange.markets} == {
            snapshot.market_id for snapshot in reader.of(BookSnapshot)
        }

        served.pull(lever="close", code=1012)

        reader.until(lambda: [s.kind for s in reader.states].count("live") == 2)
        reader.until(lambda: any(update.generation == 2 for update in reader.of(BookUpdate)))
        assert "1012" in next(state.reason for state in reader.states if state.kind == "down")


def test_a_half_open_connection_answers_no_ping() -> None:
    with a_server(rate=100) as served:
        client = websocket.create_connection(served.server.ws_url)
        client.settimeout(0.5)
        client.ping()
        assert client.recv_frame().opcode == websocket.ABNF.OPCODE_PONG

        served.pull(lever="half_open")
        client.ping()

        with pytest.raises(websocket.WebSocketTimeoutException):
            client.recv_frame()
        client.shutdown()


def test_a_stall_stops_in_the_middle_of_a_frame() -> None:
    with a_server() as served, reading(served) as reader:
        served.pull(lever="stall")

        reader.until(lambda: any(state.kind == "down" for state in reader.states), 6)

        assert "complete" in next(state.reason for state in reader.states if state.kind == "down")


def test_a_client_that_does_not_read_is_dropped_and_nobody_else_notices() -> None:
    with a_server(rate=2_000, outbox_bytes=200_000) as served, reading(served) as reader:
        with socket.create_connection(("127.0.0.1", served.server.port)) as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            key = "dGhlIHNhbXBsZSBub25jZQ=="
            lazy.sendall(
                f"GET /ws/market HTTP/1.1\r\nHost: 127.0.0.1:{served.server.port}\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            names = [str(market.market_id) for market in served.exchange.markets]
            for _ in range(40):  # each asks for six books that it will not read
                payload = json.dumps({"op": "resubscribe", "markets": names * 4}).encode()
                lazy.sendall(b"\x81\xfe" + len(payload).to_bytes(2, "big") + b"\0\0\0\0" + payload)
            reader.until(lambda: len(served.exchange.streams.each("market")) == 1, 20)
        before = len(reader.of(BookUpdate))
        reader.until(lambda: len(reader.of(BookUpdate)) > before + 100)
        assert [state.kind for state in reader.states] == ["connecting", "live"]


def test_no_page_in_a_browser_reaches_the_exchange() -> None:
    with a_server() as served:
        url = f"{served.server.rest_url}/time"
        assert requests.get(url, timeout=2).status_code == 200
        assert requests.get(url, headers={"Origin": "http://evil.example"}, timeout=2).status_code == 403
        assert requests.get(url, headers={"Host": "evil.example"}, timeout=2).status_code == 403


def test_the_server_listens_on_loopback_only() -> None:
    with a_server() as served:
        assert served.server._http.server_address[0] == "127.0.0.1"


# -- trading


def test_an_order_goes_out_fills_and_is_seen_everywhere() -> None:
    with a_server() as served, reading(served, private=True) as reader:
        orders = served.orders()
        order = committed("first")

        answer = place(orders, order)

        assert isinstance(answer, Accepted)
        assert (answer.filled, answer.done) == (5 * MICRO, True)
        assert isinstance(orders.get_order_status(order.intent, None), OrderSeen)
        (fill,) = orders.fills(order.intent, 0)
        assert fill.size == 5 * MICRO
        (position,) = orders.positions()
        assert (position.market_id, position.outcome, position.size) == ("fed-cut-dec", Outcome.YES, 5 * MICRO)
        assert orders.balances() == served.exchange.engine.accounts["bob"].cash
        reader.until(lambda: reader.of(FillSeen) and reader.of(OrderUpdated))
        assert reader.of(FillSeen)[0].fill == fill


def test_a_batch_is_answered_order_by_order() -> None:
    with a_server() as served:
        orders = served.orders()
        batch = [
            committed("a"),
            committed("b", shares=1_000_000, tif=TimeInForce.GTC),
            committed("c", outcome=Outcome.NO),
        ]

        answers = orders.place_orders(batch, [orders.prepare(each.intent) for each in batch], open_gate)

        assert [type(answer) for answer in answers] == [Accepted, Refused, Accepted]
        assert [answer.client_order_id for answer in answers] == ["a", "b", "c"]
        assert orders.merge(MarketId("fed-cut-dec"), MicroShares(5 * MICRO)) == 5 * MICRO
        with pytest.raises(VenueReadRefusedError):
            orders.merge(MarketId("fed-cut-dec"), MicroShares(5 * MICRO))


def test_a_resting_order_is_listed_cancelled_once_and_then_gone() -> None:
    with a_server() as served:
        orders = served.orders()
        order = committed("resting", cents=5, tif=TimeInForce.GTC)
        place(orders, order)

        assert [seen.client_order_id for seen in orders.open_orders()] == ["resting"]
        assert orders.cancel_order(order.intent, None).result is CancelResult.CANCELLED
        assert orders.cancel_order(order.intent, None).result is CancelResult.GONE
        assert orders.open_orders() == []
        assert orders.cancel_order(committed("never").intent, None).result is CancelResult.GONE


def test_sending_one_id_twice_is_unknown_not_refused() -> None:
    with a_server() as served:
        orders = served.orders()
        place(orders, committed("same"))

        assert isinstance(place(orders, committed("same")), OutcomeUnknown)
        assert len(orders.fills(None, 0)) == 1


@pytest.mark.parametrize(
    ("lever", "exists"),
    [
        ("timeout_before_accept", False),
        ("timeout_after_accept", True),
        ("error_before_accept", False),
        ("error_after_accept", True),
        ("ack_lost", True),
        ("truncated_json", True),
        ("html_body", True),
    ],
)
def test_whatever_happens_to_the_answer_the_outcome_is_unknown_and_the_probe_finds_the_truth(
    lever: str, *, exists: bool
) -> None:
    with a_server({"lever": lever, "delay": "500ms"}) as served:
        orders = served.orders(total_s=0.3)
        order = committed("spoilt")

        answer = place(orders, order)

        assert isinstance(answer, OutcomeUnknown)
        probed = orders.get_order_status(order.intent, None)
        assert isinstance(probed, OrderSeen if exists else OrderNotFound)
        assert served.exchange.levers.fired == {lever: 1}


@pytest.mark.parametrize("lever", ["refuse", "rate_limited"])
def test_a_listed_code_is_a_refusal(lever: str) -> None:
    with a_server({"lever": lever}) as served:
        answer = place(served.orders(), committed("refused"))

        assert isinstance(answer, Refused)
        assert answer.by_venue


def test_fills_may_come_before_the_answer() -> None:
    with a_server({"lever": "fill_before_ack", "delay": "300ms"}) as served, reading(served, private=True) as reader:
        seen_first: list[bool] = []
        orders = served.orders()

        answer = place(orders, committed("late-ack"))
        seen_first.append(bool(reader.of(FillSeen)))

        assert isinstance(answer, Accepted)
        assert seen_first == [True]


def test_a_client_that_says_goodbye_is_answered_once_and_let_go_at_once() -> None:
    with a_server() as served:
        client = websocket.create_connection(served.server.ws_url, timeout=3)
        client.send_close(1000)
        began = time.monotonic()
        answers = [client.recv_frame()]
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            answers.append(client.recv_frame())
        client.shutdown()
    assert [(frame.opcode, frame.data) for frame in answers] == [(websocket.ABNF.OPCODE_CLOSE, b"\x03\xe8")]
    assert time.monotonic() - began < 0.9, "not the grace that is meant for clients who stay silent"


def test_a_restart_refuses_definitely_and_closes_the_streams() -> None:
    with a_server() as served, reading(served) as reader:
        served.pull(lever="restart", **{"for": "400ms", "post_only": "300ms"})
        reader.until(lambda: any(state.kind == "down" for state in reader.states))

        answer = place(served.orders(), committed("during"))

        assert isinstance(answer, Refused)
        assert answer.code == "restarting"
        with pytest.raises(VenueReadError):
            served.data.markets([MarketId("fed-cut-dec")])
        reader.until(lambda: [s.kind for s in reader.states].count("live") == 2)


# -- keys


def test_a_wrong_secret_is_refused_and_nothing_is_done() -> None:
    with a_server() as served:
        impostor = served.orders(secret="guess")

        answer = place(impostor, committed("stolen"))

        assert isinstance(answer, Refused)
        assert answer.code == "bad_signature"
        with pytest.raises(VenueReadRefusedError, match="bad_signature"):
            impostor.positions()
        assert served.exchange.engine.accounts["bob"].cash == BOB.cash


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"SIM-KEY": "nobody"}, "unknown_key"),
        ({"SIM-TIMESTAMP": ""}, "missing_timestamp"),
        ({"SIM-TIMESTAMP": "1"}, "stale_timestamp"),
        ({"SIM-SIGNATURE": "00"}, "bad_signature"),
        ({"SIM-SIGNATURE": ""}, "bad_signature"),
    ],
)
def test_every_part_of_a_signature_is_checked(change: dict[str, str], code: str) -> None:
    with a_server() as served:
        now_ms = time.time_ns() // 1_000_000
        headers = signing.signed_headers(BOB.api_key, BOB.api_secret, now_ms, "GET", "/balance")

        good = requests.get(f"{served.server.rest_url}/balance", headers=headers, timeout=2)
        bad = requests.get(f"{served.server.rest_url}/balance", headers={**headers, **change}, timeout=2)
        moved = requests.get(f"{served.server.rest_url}/positions", headers=headers, timeout=2)

        assert good.status_code == 200
        assert (bad.status_code, bad.json()["error"]["code"]) == (401, code)
        assert moved.status_code == 401, "a signature is for one path"


def test_the_private_stream_needs_a_signature() -> None:
    with a_server() as served, pytest.raises(websocket.WebSocketBadStatusException):
        websocket.create_connection(served.server.user_ws_url)


def test_a_markets_book_model_is_told_per_market() -> None:
    with a_server() as served:
        models = {
            m.market_id: m.book_model for m in served.data.markets([m.market_id for m in served.exchange.markets])
        }

        assert models[MarketId("fed-cut-dec")] is BookModel.SEPARATE
        assert models[MarketId("cup-lions")] is BookModel.UNIFIED
