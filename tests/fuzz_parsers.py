"""Every parser that reads what somebody else wrote, as one function each: bytes in, what came out, or a typed error.

Each input meets a fresh parser that has been fed an honest message first, so that it has something to lose.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from adapters.clock import SystemClock
from adapters.http_calls import AnswerLostError, HttpAnswer
from adapters.kalshi.signing import RequestSigner, parse_key
from adapters.kalshi.trading import KalshiOrders
from adapters.polymarket.account import Account
from adapters.polymarket.auth import api_key
from adapters.polymarket.catalog import ClobMarket
from adapters.polymarket.eip712 import SigningKey
from adapters.polymarket.trading import PolymarketOrders
from adapters.simulated.catalog import market_list
from adapters.simulated.trading import SimulatedOrders
from adapters.tape import Tape
from adapters.venue import VenueReadError, VenueReadRefusedError
from models.book import BookLost
from models.clock import SECOND, BootNs
from models.config_machine import VenueOptions, WalletType
from models.hostile import says_twice
from models.market import BookModel
from models.orders import CommittedIntent, OrderIntent, commit_seal
from tests.adapters.kalshi import examples as kalshi
from tests.adapters.kalshi import private as kalshi_private
from tests.adapters.kalshi.vectors import ED25519_PEM
from tests.adapters.polymarket.examples import BINARY_TAPE
from tests.adapters.polymarket.examples import a_market as a_polymarket
from tests.adapters.polymarket.test_catalog import CLOB
from tests.adapters.polymarket.test_wire import book, entry, price_change
from tests.adapters.polymarket.vectors import KEY, OWNER
from tests.adapters.simulated.test_session import DELTA, SNAPSHOT
from tests.adapters.test_feed_frames_any_bytes import read as read_frames
from tests.fuzz_truth import SECRETS, Wrong
from tests.raw_peer import BINARY, CLOSE, CONT, PING, PONG, TEXT, frame

ROOT = Path(__file__).resolve().parents[1]
AT = BootNs(7 * SECOND)
CLOCK = SystemClock()
READS = (VenueReadError, VenueReadRefusedError)


@dataclass(frozen=True, slots=True)
class Parser:
    name: str
    corpus: tuple[bytes, ...]
    read: Callable[[bytes], object]
    """What came out; `Refused` in it counts as refused. Raises one of `typed`, or something that is a finding."""
    typed: tuple[type[Exception], ...] = ()
    sums: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The parser said no by a value."""

    how: str
    words: tuple[str, ...] = ()


# -- frames


def frames(data: bytes) -> object:
    messages, end = read_frames([data])
    if any(len(message) > 2_000 for message in messages):
        raise Wrong("a message above the limit")
    return Refused("FeedTrouble", (end,)) if end else len(messages)


FRAMES = (
    frame(TEXT, b"hello") + frame(PING, b"x") + frame(TEXT, b"a" * 130),
    frame(TEXT, b"a", fin=False) + frame(CONT, b"b", fin=False) + frame(PONG, b"") + frame(CONT, b"c"),
    frame(TEXT, b"\xc3\x28\xed\xa0\x80") + frame(BINARY, b"\x00" * 70) + frame(CLOSE, b"\x03\xe8bye"),
    frame(TEXT, b"x", masked=True) + frame(CLOSE, b"\xff"),
    b"\x81\x7f\x00\x00\x01\x00\x00\x00\x00\x00" + b"x" * 50,
    b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x89\x7e\x00\x80" + b"p" * 128,
    frame(TEXT, b"a", fin=False) * 40,
)


# -- streams


def stream(make: Callable[[], Any], honest: Sequence[bytes], data: bytes, ours: Sequence[str] = ()) -> object:
    """Market data: what cannot be read costs the book, said by an event. Where `ours` says how the watched markets are
    named, a frame that names none of them may be about somebody else's.
    """
    session = make()
    for each in honest:
        session.on_text(each, AT)
    session.outgoing()
    failed = session.counts.failed
    events = session.on_text(data, BootNs(AT + SECOND))
    asked = session.outgoing()
    if session.counts.failed > failed:
        lost = any(isinstance(event, BookLost) or type(event).__name__ == "StatusChanged" for event in events)
        if not lost and (not ours or any(name.encode() in data for name in ours)):
            raise Wrong(f"a frame failed and no book was lost: {[type(e).__name__ for e in events]}")
        return Refused("BookLost")
    return list(events), [len(text) < 100_000 for text in asked]


def private_stream(make: Callable[[], Any], data: bytes) -> object:
    session = make()
    events = list(session.on_text(data, AT))
    if events and says_twice(data):
        raise Wrong("news from a frame that says two things")
    if session.counts.failed and not events:
        return Refused("counted")
    return events


MARKETS = market_list(2, BookModel.SEPARATE, 0)
POLYMARKET = [a_polymarket(1), a_polymarket(2)]


@cache
def recorded() -> tuple[list[Any], tuple[bytes, ...]]:
    """The markets of a recorded tape, and some frames of it."""
    from adapters.polymarket.catalog import market_from_tape

    with Tape(BINARY_TAPE) as tape:
        markets = [market_from_tape(entry, "2026-02-28") for entry in tape.header.markets]
        lines = itertools.islice((line for line in tape.lines() if line.event.x == "frame"), 200)
        return markets, tuple(line.event.d.encode() for line in lines)


def json_texts(*documents: object) -> tuple[bytes, ...]:
    return tuple(document if isinstance(document, bytes) else json.dumps(document).encode() for document in documents)


SIMULATED_STREAM = json_texts(
    SNAPSHOT,
    DELTA,
    {"type": "heartbeat", "ts": 1_795_334_400_000, "seqs": {SNAPSHOT["market_id"]: 9}},
    {"type": "status", "market_id": SNAPSHOT["market_id"], "ts": 1, "status": "paused", "detail": "why"},
    {"type": "resolved", "market_id": SNAPSHOT["market_id"], "ts": 1, "yes_pays": "1.00"},
    {"type": "error", "code": "x", "text": "y"},
)
SIMULATED_NEWS = json_texts(
    {"type": "order", "ts": 1, "order_id": "v-1", "client_order_id": "c-1", "status": "done", "filled": "7.5"},
    {
        "type": "fill",
        "ts": 1,
        "trade_id": "t-1",
        "order_id": "v-1",
        "client_order_id": "c-1",
        "market_id": "m",
        "outcome": "YES",
        "action": "BUY",
        "price": "0.45",
        "size": "7.5",
        "fee": "0.001",
        "state": "final",
    },
)
POLYMARKET_STREAM = (
    *json_texts(
        [book(POLYMARKET[0], "11"), book(POLYMARKET[0], "12")],
        book(POLYMARKET[0], "11"),
        price_change(POLYMARKET[0], entry("11", "BUY", "0.46"), entry("12", "SELL", "0.54")),
        {"event_type": "tick_size_change", "market": POLYMARKET[0].market_id, "asset_id": "11"}
        | {"old_tick_size": "0.01", "new_tick_size": "0.001", "timestamp": "1795334400456"},
        {"event_type": "market_resolved", "market": POLYMARKET[0].market_id, "winning_asset_id": "11"}
        | {"winning_outcome": "Yes", "timestamp": "1795334400456", "id": "1"},
    ),
)
KALSHI_STREAM = json_texts(
    kalshi.snapshot(1),
    kalshi.delta(2, "yes", "0.4000", "-5.00"),
    kalshi.delta(2, "no", "0.5800", "3.00"),
    kalshi.lifecycle("determined", result="yes", settlement_value="1.0000"),
    kalshi.lifecycle("close_date_updated", close_ts=1_795_334_400),
    kalshi.subscribed(),
    {"type": "error", "id": 1, "msg": {"code": 6, "msg": "already"}},
)


def polymarket_user() -> Any:
    orders = polymarket_orders(b"")
    return orders.listen_fills_ws()[1](1)


def kalshi_user() -> Any:
    orders = kalshi_orders(b"")
    orders._owners.make(kalshi_private.OWN)
    return orders.listen_fills_ws()[1](1)


# -- answers


class Transport:
    """A session and a reader that always get this body; after a few calls the line is dead."""

    def __init__(self, body: bytes, status: int = 200, first: Sequence[bytes] = ()) -> None:
        self._bodies = list(first)
        self._body = body
        self._status = status
        self._left = 4
        self.date = "Sun, 22 Nov 2026 20:00:00 GMT"

    def call(self, *_: object, gate: Any = None, **__: object) -> HttpAnswer:
        self._spend(AnswerLostError("the line is dead"))
        if self._bodies:
            return HttpAnswer(200, {}, self._bodies.pop(0))
        if says_twice(self._body):
            raise AnswerLostError("as the session does")
        return HttpAnswer(self._status, {"Date": self.date}, self._body)

    def get(self, *_: object, on_header: Any = None, **__: object) -> bytes:
        self._spend(VenueReadError("the line is dead"))
        if on_header is not None:
            on_header("Date", self.date)
        return self._bodies.pop(0) if self._bodies else self._body

    post = get

    def close(self) -> None:
        pass

    def _spend(self, error: Exception) -> None:
        self._left -= 1
        if self._left < 0:
            raise error


OPTIONS = VenueOptions(rest_url="http://127.0.0.1:9", ws_url="ws://127.0.0.1:9", user_ws_url="ws://127.0.0.1:9")


def simulated_orders(body: bytes, status: int = 200) -> SimulatedOrders:
    orders = SimulatedOrders(OPTIONS, SECRETS[0], SECRETS[0], CLOCK)
    orders._sessions = Transport(body, status)  # type: ignore[assignment]
    return orders


@cache
def _account() -> Account:
    return Account(SigningKey(KEY), WalletType.EOA, None, api_key(OWNER, SECRETS[1] + "==", SECRETS[0]))


def polymarket_orders(body: bytes, status: int = 200) -> PolymarketOrders:
    orders = PolymarketOrders(OPTIONS, _account(), CLOCK)
    orders.rest._sessions = Transport(body, status)  # type: ignore[assignment]
    reader = Transport(body)
    orders.eligibility.problem = lambda: None  # type: ignore[method-assign]
    orders._terms._read = lambda _market: CLOB_MARKET  # type: ignore[attr-defined]
    orders._holdings._http = reader  # type: ignore[assignment]
    return orders


@cache
def _signer() -> RequestSigner:
    return RequestSigner(SECRETS[0], parse_key(ED25519_PEM))


def kalshi_orders(body: bytes, status: int = 200) -> KalshiOrders:
    orders = KalshiOrders(OPTIONS, _signer(), CLOCK)
    orders._rest._sessions = Transport(body, status)  # type: ignore[assignment]
    orders.weather.problem = lambda shard: None  # type: ignore[method-assign,misc]
    return orders


CLOB_MARKET = msgspec.convert(CLOB, ClobMarket)


def _committed(intent: OrderIntent) -> CommittedIntent:
    return CommittedIntent(intent=intent, ledger_seq=1, row_hash=commit_seal(intent, 1))


@contextmanager
def _open_gate() -> Iterator[bool]:
    yield True


def placed(make: Callable[..., Any], intent: OrderIntent, prepared: object, data: bytes) -> object:
    """One order under every status that a venue may answer with; a batch of it too."""
    out: list[object] = []
    for status in (200, 201, 400, 401, 404, 409, 429, 500, 503):
        orders = make(data, status)
        out.append(orders.place_order(_committed(intent), prepared, _open_gate))
        out += orders.place_orders([_committed(intent)], [prepared], _open_gate)
        out.append(orders.cancel_order(intent, "v-1"))
    return out


def probed(make: Callable[..., Any], intent: OrderIntent, data: bytes) -> object:
    return [make(data, status).get_order_status(intent, "v-1") for status in (200, 404, 500)]


def polymarket_probed(intent: OrderIntent, row: bytes, page: bytes, data: bytes) -> object:
    """The order's row and its trades are two questions: one answer is honest, the other is not."""
    out = []
    for first, then in ((data, page), (row, data)):
        orders = polymarket_orders(b"")
        orders.rest._sessions = Transport(then, first=[first])
        out.append(orders.get_order_status(intent, "v-1"))
    return out


def asked(ask: Callable[[Any], object], make: Callable[..., Any], data: bytes) -> object:
    return ask(make(data))
