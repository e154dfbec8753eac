"""The simulated exchange's private side of the port: orders, probes, holdings, merging, and the private stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

from adapters.feed import FeedSession
from adapters.http_calls import AnswerLostError, GatedSessions, HttpAnswer, NotSentError
from adapters.private_side import asking, without_answer
from adapters.simulated import signing, wire
from adapters.simulated.adapter import CAPABILITIES, REST_URL, USER_WS_URL
from adapters.simulated.answers import GONE, error_code, judged, read, submit_answer
from adapters.simulated.catalog import VENUE
from adapters.simulated.session import UserSession
from adapters.simulated.values import UNREADABLE, fill_of, order_seen_of
from adapters.venue import (
    AccountRefusedError,
    Endpoint,
    GateEntry,
    MissingKeysError,
    Position,
    VenueReadError,
    VenueReadRefusedError,
)
from models.clock import MS, Clock
from models.config_machine import VenueOptions
from models.hostile import clean
from models.market import Market, MarketId, Outcome
from models.money import MicroShares, MicroUsd, MoneyError, parse_micros, parse_shares, text
from models.orders import (
    CancelAnswer,
    CancelResult,
    CommittedIntent,
    Fill,
    OrderIntent,
    OrderNotFound,
    OrderSeen,
    OutcomeUnknown,
    ProbeAnswer,
    ProbeFailed,
    SubmitAnswer,
    VenueOrderId,
    VenueOrderStatus,
)

Body = TypeVar("Body", bound=msgspec.Struct)
Row = TypeVar("Row")
Value = TypeVar("Value")


class SimulatedOrders:
    """`adapters.venue.Orders` for the simulated exchange. Any thread; each has its own keep-alive connection."""

    name = VENUE
    capabilities = CAPABILITIES

    def __init__(
        self, options: VenueOptions, api_key: str, api_secret: str, clock: Clock, *, total_s: float = 5.0
    ) -> None:
        self._rest_url = (options.rest_url or REST_URL).rstrip("/")
        self._user_ws_url = options.user_ws_url or USER_WS_URL
        self._api_key = api_key
        self._api_secret = api_secret
        self._clock = clock
        self._sessions = GatedSessions(total_s=total_s)

    def __repr__(self) -> str:
        return f"SimulatedOrders({self._rest_url})"

    # -- orders

    def get_ready(self, markets: Sequence[Market]) -> None:
        """An order names its market as the catalog does, so there is nothing to read."""

    def prepare(self, intent: OrderIntent) -> object:
        """The order as it will be sent. The exchange signs requests, not orders, so this costs nothing later."""
        return wire.OrderBody(
            intent.client_order_id,
            intent.market_id,
            intent.outcome.value,
            intent.action.value,
            text(intent.limit_price),
            text(intent.size, 0),
            intent.time_in_force.value,
        )

    def place_order(self, committed: CommittedIntent, prepared: object, gate: GateEntry) -> SubmitAnswer:
        client_order_id = committed.intent.client_order_id
        assert isinstance(prepared, wire.OrderBody)
        try:
            answer = self._call("POST", "/orders", wire.encode(prepared), gate)
        except (NotSentError, AnswerLostError) as error:
            return without_answer(client_order_id, error)
        return submit_answer(client_order_id, answer)

    def place_orders(
        self, committed: Sequence[CommittedIntent], prepared: Sequence[object], gate: GateEntry
    ) -> list[SubmitAnswer]:
        ids = [each.intent.client_order_id for each in committed]
        body = wire.BatchBody(tuple(order for order in prepared if isinstance(order, wire.OrderBody)))
        assert len(body.orders) == len(ids) <= CAPABILITIES.batch_max
        try:
            answer = self._call("POST", "/orders/batch", wire.encode(body), gate)
        except (NotSentError, AnswerLostError) as error:
            return [without_answer(client_order_id, error) for client_order_id in ids]
        if answer.status != 200:
            return [submit_answer(client_order_id, answer) for client_order_id in ids]
        try:
            results = msgspec.json.decode(answer.body, type=wire.BatchAnswer).results
        except UNREADABLE:
            results = ()
        if [row.client_order_id for row in results] != ids:
            return [OutcomeUnknown(client_order_id=i, why="the batch's answer could not be read") for i in ids]
        return [judged(client_order_id, row) for client_order_id, row in zip(ids, results, strict=True)]

    def cancel_order(self, intent: OrderIntent, venue_order_id: VenueOrderId | None) -> CancelAnswer:  # noqa: ARG002  the exchange knows our own id
        client_order_id = intent.client_order_id
        try:
            answer = self._call("DELETE", f"/orders/{quote(client_order_id, safe='')}")
            row = msgspec.json.decode(answer.body, type=wire.OrderAnswer)
        except (NotSentError, AnswerLostError) as error:
            return CancelAnswer(client_order_id=client_order_id, result=CancelResult.UNKNOWN, text=str(error))
        except UNREADABLE:
            return CancelAnswer(client_order_id=client_order_id, result=CancelResult.UNKNOWN, text="unreadable answer")
        if row.error is None and row.client_order_id == client_order_id and row.status == VenueOrderStatus.DONE:
            return CancelAnswer(client_order_id=client_order_id, result=CancelResult.CANCELLED)
        if row.error is not None and row.error.code in GONE:
            return CancelAnswer(client_order_id=client_order_id, result=CancelResult.GONE, text=clean(row.error.text))
        why = "unexpected answer" if row.error is None else clean(row.error.code, 40)
        return CancelAnswer(client_order_id=client_order_id, result=CancelResult.UNKNOWN, text=why)

    # -- reads

    def get_order_status(self, intent: OrderIntent, venue_order_id: VenueOrderId | None) -> ProbeAnswer:  # noqa: ARG002  the exchange knows our own id
        client_order_id = intent.client_order_id
        try:
            answer = self._call("GET", f"/orders/{quote(client_order_id, safe='')}")
            if answer.status == 404 and error_code(answer) == "unknown_order":
                return OrderNotFound(client_order_id=client_order_id, source="orders")
            seen = order_seen_of(read(answer, wire.OrderAnswer))
        except (NotSentError, AnswerLostError, VenueReadError, VenueReadRefusedError) as error:
            return ProbeFailed(
                client_order_id=client_order_id, why=str(error), barred=isinstance(error, AccountRefusedError)
            )
        except (KeyError, ValueError):
            return ProbeFailed(client_order_id=client_order_id, why="the order's state could not be read")
        if seen.client_order_id != client_order_id:
            return ProbeFailed(client_order_id=client_order_id, why="the answer is about another order")
        return seen

    def open_orders(self) -> list[OrderSeen]:
        rows = self._get("/orders", wire.OrderList).orders
        return _all(order_seen_of, rows)

    def fills(self, intent: OrderIntent | None, since_ms: int) -> list[Fill]:
        query = {"since_ms": str(since_ms)}
        if intent is not None:
            query["client_order_id"] = intent.client_order_id
        return _all(fill_of, self._get(f"/fills?{urlencode(query)}", wire.FillList).fills)

    def positions(self) -> list[Position]:
        return _all(_position, self._get("/positions", wire.PositionList).positions)

    def balances(self) -> MicroUsd:
        return _all(_available, [self._get("/balance", wire.BalanceBody)])[0]

    def merge(self, market_id: MarketId, size: MicroShares) -> MicroUsd:
        body = wire.encode(wire.MergeBody(market_id, text(size, 0)))
        try:
            answer = self._call("POST", "/merge", body)
        except NotSentError as error:
            raise VenueReadRefusedError(f"merge: {error}") from None
        except AnswerLostError as error:
            raise VenueReadError(f"merge: {error}") from None
        return _all(_cash, [read(answer, wire.MergeAnswer)])[0]

    def listen_fills_ws(self) -> tuple[Endpoint, Callable[[int], FeedSession]]:
        headers = self._signed("GET", wire.USER_PATH, b"")
        return Endpoint(url=self._user_ws_url, headers=headers), lambda _generation: UserSession()

    def close(self) -> None:
        """Close this thread's connection."""
        self._sessions.close()

    # -- inside

    def _call(self, method: str, path: str, body: bytes = b"", gate: GateEntry | None = None) -> HttpAnswer:
        headers = self._signed(method, path, body)
        return self._sessions.call(method, self._rest_url + path, headers=headers, body=body, gate=gate)

    def _get(self, path: str, kind: type[Body]) -> Body:
        with asking(path.partition("?")[0]):
            return read(self._call("GET", path), kind)

    def _signed(self, method: str, path: str, body: bytes) -> dict[str, str]:
        now_ms = self._clock.wall_ns() // MS
        return signing.signed_headers(self._api_key, self._api_secret, now_ms, method, path, body)


def make_orders(options: VenueOptions, secrets: Mapping[str, str], clock: Clock) -> SimulatedOrders:
    """Raises `MissingKeysError`. `secrets` holds API_KEY and API_SECRET."""
    if not secrets.get("API_KEY") or not secrets.get("API_SECRET"):
        raise MissingKeysError("the simulated exchange needs DUTCHBOOK_SIMULATED_API_KEY and _API_SECRET")
    return SimulatedOrders(options, secrets["API_KEY"], secrets["API_SECRET"], clock)


def _all(convert: Callable[[Row], Value], rows: Iterable[Row]) -> list[Value]:
    try:
        return [convert(row) for row in rows]
    except (KeyError, MoneyError, ValueError):
        raise VenueReadError("the answer holds something that cannot be") from None


def _position(row: wire.PositionBody) -> Position:
    return Position(market_id=MarketId(row.market_id), outcome=Outcome(row.outcome), size=parse_shares(row.size))


def _available(body: wire.BalanceBody) -> MicroUsd:
    return MicroUsd(parse_micros(body.available))


def _cash(body: wire.MergeAnswer) -> MicroUsd:
    return MicroUsd(parse_micros(body.cash))
