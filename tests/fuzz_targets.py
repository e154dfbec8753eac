"""The table of parsers that the fuzzer feeds, each with honest inputs to start from."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from adapters.catalog import CatalogError
from adapters.kalshi.catalog import KalshiEvent, KalshiMarket, KalshiSeries
from adapters.kalshi.catalog import market_from_tape as kalshi_from_tape
from adapters.kalshi.catalog import market_of as kalshi_market_of
from adapters.kalshi.rest import KalshiRest
from adapters.kalshi.session import KalshiSession
from adapters.operator.control_wire import Request, WireError, decode_answer, decode_request, encode_request
from adapters.permit import PermitProblem, StateDirectory
from adapters.polymarket.catalog import ClobMarket, GammaMarket, market_of
from adapters.polymarket.catalog import market_from_tape as polymarket_from_tape
from adapters.polymarket.rest import PolymarketRest
from adapters.polymarket.session import PolymarketSession
from adapters.settings import load_config, load_secrets
from adapters.simulated.adapter import SimulatedVenue
from adapters.simulated.faults import PlanError, read_plan
from adapters.simulated.session import MarketSession, UserSession
from adapters.tape import Tape, TapeError
from models.clock import WallNs
from models.config_text import ConfigErrors
from models.fees import FeesUnknownError
from models.market import Market
from models.money import MICRO, MicroShares
from tests.adapters.kalshi import examples as kalshi
from tests.adapters.kalshi import private as kalshi_private
from tests.adapters.kalshi.test_catalog import EVENT_BODY, MARKET, SERIES
from tests.adapters.polymarket import private as poly
from tests.adapters.polymarket.test_catalog import CLOB, CONDITION, GAMMA
from tests.adapters.polymarket.test_wire import book
from tests.adapters.simulated.test_session import SNAPSHOT
from tests.fuzz_parsers import (
    AT,
    CLOCK,
    FRAMES,
    KALSHI_STREAM,
    MARKETS,
    POLYMARKET,
    POLYMARKET_STREAM,
    READS,
    ROOT,
    SIMULATED_NEWS,
    SIMULATED_STREAM,
    Parser,
    Refused,
    Transport,
    asked,
    frames,
    json_texts,
    kalshi_orders,
    kalshi_user,
    placed,
    polymarket_orders,
    polymarket_probed,
    polymarket_user,
    private_stream,
    probed,
    recorded,
    simulated_orders,
    stream,
)
from tests.fuzz_truth import SECRETS

OPEN_MARKETS = {
    "markets": [
        {
            "market_id": str(m.market_id),
            "title": m.title,
            "status": "open",
            "tick": "0.01",
            "lot": "0.01",
            "min_size": "1",
            "min_notional": "0",
            "book_model": "separate",
            "closes_at_ms": None,
            "event_id": None,
            "mutually_exclusive": False,
            "yes_pays": "1",
            "fees": {"name": "f", "as_of": "2026-01-01", "rate": "0.07", "exponent": 1, "quantum": "0.0001"},
        }
        for m in MARKETS
    ]
}
ORDER = {"client_order_id": "c-1", "order_id": "v-1", "status": "done", "filled": "7.5", "reason": ""}
NO = {"client_order_id": "c-1", "error": {"code": "insufficient_balance", "text": "no money"}}
FILL = json.loads(SIMULATED_NEWS[1])
INTENT = kalshi_private.an_intent(
    client_order_id="c-1", market_id=MARKETS[0].market_id, venue="simulated", size=MicroShares(10 * MICRO)
)
POLY_INTENT = poly.an_intent()
KALSHI_INTENT = kalshi_private.an_intent()


def table() -> tuple[Parser, ...]:
    return (*_feeds(), *_simulated(), *_polymarket(), *_kalshi(), *_local())


def _feeds() -> tuple[Parser, ...]:
    markets, recording = recorded()
    return (
        Parser("frames", FRAMES, frames),
        Parser("simulated stream", SIMULATED_STREAM, partial(stream, _simulated_session, SIMULATED_STREAM[:1])),
        Parser("simulated user stream", SIMULATED_NEWS, partial(private_stream, UserSession)),
        Parser(
            "polymarket stream",
            POLYMARKET_STREAM,
            partial(stream, lambda: PolymarketSession(POLYMARKET, 3), POLYMARKET_STREAM[:1], ours=_names(POLYMARKET)),
        ),
        Parser(
            "polymarket tape",
            recording,
            partial(stream, lambda: PolymarketSession(markets, 3), recording[:2], ours=_names(markets)),
        ),
        Parser(
            "polymarket user stream",
            json_texts(
                {**poly.a_trade(), "event_type": "trade"},
                {**poly.an_order_row(), "event_type": "order"},
                [{**poly.a_trade(), "event_type": "trade"}, {**poly.an_order_row(), "event_type": "order"}],
            ),
            partial(private_stream, polymarket_user),
        ),
        Parser(
            "kalshi stream",
            KALSHI_STREAM,
            partial(stream, _kalshi_session, json_texts(kalshi.subscribed(), kalshi.snapshot(1))),
            sums=True,
        ),
        Parser(
            "kalshi user stream",
            json_texts(kalshi_private.fill_news(), kalshi_private.order_news()),
            partial(private_stream, kalshi_user),
        ),
    )


def _names(markets: Sequence[Market]) -> list[str]:
    return [f'"{name}"' for m in markets for name in (str(m.market_id), m.yes_instrument, m.no_instrument)]


def _simulated_session() -> MarketSession:
    return MarketSession(MARKETS, 3)


def _kalshi_session() -> KalshiSession:
    session = KalshiSession([kalshi.a_market()], 3)
    session.opening()
    return session


def _simulated() -> tuple[Parser, ...]:
    orders = simulated_orders

    def get(name: str, body: object, ask: Callable[[Any], object]) -> Parser:
        return Parser(f"simulated {name}", json_texts(body), partial(asked, ask, orders), READS)

    prepared = orders(b"").prepare(INTENT)
    return (
        Parser(
            "simulated place and cancel",
            json_texts(ORDER, NO, {"error": NO["error"]}, {"results": [ORDER]}, {"results": [NO]}),
            partial(placed, orders, INTENT, prepared),
        ),
        Parser("simulated probe", json_texts(ORDER, NO), partial(probed, orders, INTENT)),
        get("orders", {"orders": [ORDER, ORDER]}, lambda o: o.open_orders()),
        get("fills", {"fills": [FILL]}, lambda o: o.fills(None, 0)),
        get("positions", {"positions": [{"market_id": "m", "outcome": "YES", "size": "3.5"}]}, lambda o: o.positions()),
        get("balance", {"cash": "10.5", "available": "9"}, lambda o: o.balances()),
        get("merge", {"cash": "9.5"}, lambda o: o.merge("m", MicroShares(MICRO))),
        Parser("simulated books", json_texts({"snapshots": [SNAPSHOT]}), _simulated_books, READS),
        Parser("simulated catalog", json_texts(OPEN_MARKETS), _simulated_catalog, READS, sums=True),
    )


def _public(body: bytes) -> SimulatedVenue:
    venue = SimulatedVenue.__new__(SimulatedVenue)
    venue._rest_url, venue._http = "", Transport(body)  # type: ignore[assignment]
    return venue


def _simulated_books(data: bytes) -> object:
    return _public(data).get_snapshot_rest(MARKETS, 1, CLOCK)


def _simulated_catalog(data: bytes) -> object:
    ids = [market.market_id for market in MARKETS]
    return [_public(data).markets(ids), _public(data).find("x"), _public(data).resolutions(ids)]


def _polymarket() -> tuple[Parser, ...]:
    orders = polymarket_orders

    def get(name: str, body: object, ask: Callable[[Any], object], *, sums: bool = False) -> Parser:
        return Parser(f"polymarket {name}", json_texts(body), partial(asked, ask, orders), READS, sums=sums)

    prepared = orders(b"").prepare(POLY_INTENT)
    own = prepared.order.order_id  # type: ignore[attr-defined]
    books = [{k: v for k, v in book(POLYMARKET[0], token).items() if k != "event_type"} for token in ("11", "12")]
    row, trade = poly.an_order_row(id=own), poly.a_trade(taker_order_id=own)
    page = {"data": [trade], "next_cursor": "LTE="}
    position = {"conditionId": CONDITION, "outcomeIndex": 0, "size": 12.5, "asset": "71", "outcome": "Yes"}
    catalog = json_texts(GAMMA, {"gamma": GAMMA, "clob": CLOB})
    return (
        Parser(
            "polymarket place and cancel",
            json_texts(
                poly.placed(orderID=own),
                [poly.placed(orderID=own)],
                {"error": "not enough balance / allowance"},
                {"canceled": [own], "not_canceled": {}},
                {"canceled": [], "not_canceled": {own: "already canceled or matched"}},
            ),
            partial(placed, orders, POLY_INTENT, prepared),
        ),
        Parser(
            "polymarket probe",
            json_texts(row, page),
            partial(polymarket_probed, POLY_INTENT, *json_texts(row, page)),
            sums=True,
        ),
        get("orders", {"data": [row], "next_cursor": "LTE="}, lambda o: o.open_orders()),
        get("trades", {"data": [trade], "next_cursor": "LTE="}, lambda o: o.fills(POLY_INTENT, 0)),
        get("positions", [position], lambda o: o.positions(), sums=True),
        get("balance", {"balance": "1000000", "data": [], "next_cursor": "LTE="}, lambda o: o.balances(), sums=True),
        Parser("polymarket books", json_texts(books), _polymarket_books, READS),
        Parser("polymarket time", (b"1795334400", b'"1795334400"'), _polymarket_time, READS, sums=True),
        Parser("polymarket catalog", catalog, _polymarket_catalog, (CatalogError, FeesUnknownError), sums=True),
    )


def _polymarket_rest(data: bytes) -> PolymarketRest:
    return PolymarketRest(Transport(data), "", "")  # type: ignore[arg-type]


def _polymarket_books(data: bytes) -> object:
    return _polymarket_rest(data).books(POLYMARKET, 1, AT)


def _polymarket_time(data: bytes) -> object:
    return _polymarket_rest(data).time_ms() < 0


def _polymarket_catalog(data: bytes) -> object:
    try:
        both = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        gamma = msgspec.json.decode(both.get("gamma", msgspec.Raw(data)), type=GammaMarket)
        clob = msgspec.json.decode(both["clob"], type=ClobMarket) if "clob" in both else None
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return Refused("DecodeError")
    return market_of(gamma, clob, "2026-11-22")


def _kalshi() -> tuple[Parser, ...]:
    orders = kalshi_orders

    def get(name: str, body: object, ask: Callable[[Any], object], *, sums: bool = False) -> Parser:
        return Parser(f"kalshi {name}", json_texts(body), partial(asked, ask, orders), READS, sums=sums)

    from adapters.kalshi.order_wire import create_body
    from adapters.kalshi.trading import Prepared

    created, row = kalshi_private.created(), kalshi_private.an_order_row()
    position = {"ticker": kalshi.TICKER, "position_fp": "-4.00", "market_exposure_dollars": "1.72"}
    balance = {"balance": 1_000, "balance_dollars": "10.0000", "updated_ts": 1, "balance_breakdown": []}
    sides = {"yes_dollars": [["0.3900", "5.00"]], "no_dollars": [["0.5800", "1.00"]]}
    level = {"ticker": kalshi.TICKER, "orderbook_fp": sides}
    return (
        Parser(
            "kalshi place and cancel",
            json_texts(
                created,
                {"orders": [{"order": created, "client_order_id": kalshi_private.OWN}]},
                {"orders": [created]},
                kalshi_private.nested("insufficient_balance", "no money"),
                {"order_id": kalshi_private.ORDER, "reduced_by": "4.00", "client_order_id": kalshi_private.OWN},
            ),
            partial(
                placed, orders, KALSHI_INTENT, Prepared(KALSHI_INTENT, 0, create_body(KALSHI_INTENT, 0, None, None))
            ),
        ),
        Parser("kalshi probe", json_texts({"order": row}, {"orders": [row]}), partial(probed, orders, KALSHI_INTENT)),
        get("orders", {"orders": [row], "cursor": ""}, lambda o: o.open_orders()),
        get("fills", {"fills": [kalshi_private.a_fill_row()], "order": row}, lambda o: o.fills(None, 0)),
        get("positions", {"market_positions": [position], "cursor": ""}, lambda o: o.positions(), sums=True),
        get("balance", balance, lambda o: o.balances(), sums=True),
        Parser("kalshi books", json_texts({"orderbooks": [level]}), _kalshi_books, READS),
        Parser("kalshi time", (b"Sun, 22 Nov 2026 20:00:00 GMT", b"{}"), _kalshi_time, READS, sums=True),
        Parser(
            "kalshi catalog",
            json_texts({"market": MARKET, "event": EVENT_BODY, "series": SERIES}),
            _kalshi_catalog,
            (CatalogError, FeesUnknownError),
            sums=True,
        ),
    )


def _kalshi_rest(data: bytes) -> KalshiRest:
    return KalshiRest(Transport(data), "", None, CLOCK)  # type: ignore[arg-type]


def _kalshi_books(data: bytes) -> object:
    return _kalshi_rest(data).books([kalshi.a_market()], 1, AT)


def _kalshi_time(data: bytes) -> object:
    honest = Transport(b'{"exchange_active": true, "trading_active": true}')
    rest = KalshiRest(honest, "", None, CLOCK)  # type: ignore[arg-type]
    honest.date = data[:60].decode("latin-1")
    return rest.time_ms() < 0


def _kalshi_catalog(data: bytes) -> object:
    try:
        parts = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        market = msgspec.json.decode(parts["market"], type=KalshiMarket)
        event = msgspec.json.decode(parts["event"], type=KalshiEvent)
        series = msgspec.json.decode(parts["series"], type=KalshiSeries)
    except (msgspec.DecodeError, RecursionError, UnicodeError, KeyError):
        return Refused("DecodeError")
    return kalshi_market_of(market, event, series, "2026-11-22")


# -- what lies on this machine

SCRATCH = TemporaryDirectory(prefix="dutchbook-fuzz-")
REQUESTS = tuple(
    encode_request(request)
    for request in (
        Request(verb="status", json=True),
        Request(verb="halt", args=["fed-cut-dec", "--", "odd news"]),
        Request(verb="report", args=["--since", "1h"], width=80),
    )
)
DOTENV = (
    f"DUTCHBOOK_POLYMARKET_PRIVATE_KEY={SECRETS[0]}\nDUTCHBOOK_POLYMARKET_API_SECRET='{SECRETS[1]}'\n".encode(),
    f'# keys\nexport DUTCHBOOK_KALSHI_KEY_ID="{SECRETS[0]}"\nOTHER=1\n'.encode(),
    f"DUTCHBOOK_KALSHI_KEY_ID {SECRETS[0]}\nDUTCHBOOK_KALSHI_KEY_ID{SECRETS[0]}\n{SECRETS[0]}\n".encode(),
)
TAPE_HEADER = {"tape": 1, "venue": "kalshi", "markets": [kalshi.tape_entry()], "note": "n"}
TAPE_LINES = (
    {"t": 1_795_334_400_000_000_000, "x": "open", "c": 1},
    {"t": 1_795_334_400_000_000_001, "x": "frame", "c": 1, "d": json.dumps(kalshi.snapshot(1))},
    {"t": 1_795_334_400_000_000_002, "x": "rest", "q": "GET /x", "d": "{}"},
)
TAPE = b"\n".join(json_texts(TAPE_HEADER, *TAPE_LINES)) + b"\n"


def _local() -> tuple[Parser, ...]:
    example = (ROOT / "config.example.yaml").read_bytes()
    plans = tuple(path.read_bytes() for path in (ROOT / "adapters" / "simulated" / "plans").glob("*.yaml"))
    permit = json_texts({"scope": "s", "by": "b", "reason": "r", "granted_wall_ns": 5, "expires_wall_ns": 9})
    return (
        Parser("control request", REQUESTS, lambda data: len(decode_request(data).args), (WireError,)),
        Parser("control answer", (b'{"lines": ["a"], "document": null, "exit": 0}',), _control_answer, (WireError,)),
        Parser("config", (example, *_small_configs()), _config),
        Parser(".env", DOTENV, _dotenv),
        Parser("tape", (TAPE, gzip.compress(TAPE, mtime=0)), _tape, (TapeError, CatalogError)),
        Parser("fault plan", plans, _plan, (PlanError,)),
        Parser("permit", permit, _permit, (PermitProblem,)),
    )


def _file(name: str, data: bytes) -> Path:
    path = Path(SCRATCH.name) / name
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def _small_configs() -> tuple[bytes, ...]:
    return (
        b"venue: simulated\nmarkets: [a, b]\nstrategy:\n  min_edge: 0.01\n",
        b"venue: simulated\nmarkets: [0x00ab, no, 0123]\nrisk: {max_daily_notional: 5, halt_scope: market}\n",
        b"mode: live\nvenue: kalshi\nmarkets: ['x']\nvenues:\n  kalshi: {rest_url: 'https://x'}\nsets: []\n",
    )


def _control_answer(data: bytes) -> object:
    return decode_answer(data).exit_code < 0


def _config(data: bytes) -> object:
    found = load_config(_file("config.yaml", data))
    if isinstance(found, ConfigErrors):
        return Refused("ConfigErrors", tuple(found.lines()))
    return found.venue


def _dotenv(data: bytes) -> object:
    found = load_secrets({}, _file(".env", data))
    if isinstance(found, ConfigErrors):
        return Refused("ConfigErrors", tuple(found.lines()))
    return repr(found)


def _tape(data: bytes) -> object:
    with Tape(_file("x.tape", data)) as tape:
        read = {"kalshi": kalshi_from_tape, "polymarket": polymarket_from_tape}.get(tape.header.venue)
        markets = [] if read is None else [read(entry, "2026-11-22") for entry in tape.header.markets[:5]]
        return markets, sum(1 for _ in tape.lines())


def _plan(data: bytes) -> object:
    return len(read_plan(str(_file("plan.yaml", data))).levers)


def _permit(data: bytes) -> object:
    return StateDirectory(_file("permit", data)).read_permit("s", WallNs(7)).by
