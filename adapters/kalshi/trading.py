"""Kalshi's private side of the port: orders, probes, holdings, the private stream. Live mode only.

The client order id is the venue's key to an order for ever: sending one twice can not make two orders, and an answer
that proves nothing is looked up in the list of orders by it (kalshi.md 6.3, read 2026-11-22). One market's YES and NO
are one signed position: buying the other outcome closes, and the cash is back at once, so a set is never held (10.1).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from adapters.feed import FeedSession
from adapters.http_calls import AnswerLostError, HttpAnswer, NotSentError
from adapters.kalshi import answers
from adapters.kalshi.adapter import CAPABILITIES, REST_URL, WS_URL, make_signer
from adapters.kalshi.catalog import VENUE, shard_of
from adapters.kalshi.groups import OrderGroups
from adapters.kalshi.order_wire import BATCH_PATH, ORDERS_PATH, OrderRow, batch_body, create_body
from adapters.kalshi.private_rest import PrivateRest
from adapters.kalshi.reports import Owner, Owners, fill_of, order_seen, owner_of, position_of
from adapters.kalshi.signing import RequestSigner
from adapters.kalshi.user_session import KalshiUserSession
from adapters.kalshi.weather import Weather
from adapters.private_side import all_kept_back, readable, without_answer
from adapters.rate import RateBudget
from adapters.venue import (
    AccountRefusedError,
    Capabilities,
    Endpoint,
    GateEntry,
    Position,
    VenueReadError,
    VenueReadRefusedError,
)
from models.clock import MS, SECOND, Clock
from models.config_machine import VenueOptions
from models.market import Market, MarketId
from models.money import MicroShares, MicroUsd, MoneyError, parse_micros
from models.orders import (
    CancelAnswer,
    CancelResult,
    CommittedIntent,
    Fill,
    OrderIntent,
    OrderNotFound,
    OrderSeen,
    ProbeAnswer,
    ProbeFailed,
    Purpose,
    Refused,
    SubmitAnswer,
    VenueOrderId,
)

TOTAL_S: Final = 5.0
SLACK_S: Final = 120
"""Questions about an order reach back this much further than its own time: clocks differ."""
ALL_S: Final = 24 * 3_600
"""How far back an order without a time of its own is looked for."""
SKEW_MAX_S: Final = 5.0
"""The venue refuses signatures whose time is off by more than about ten seconds (3)."""
PAUSE_NS: Final = SECOND
"""A 429 names no time (4.1)."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An order as it will be sent."""

    intent: OrderIntent
    shard: int
    body: bytes


class KalshiOrders:
    """`adapters.venue.Orders` for Kalshi. Any thread; each has its own keep-alive connection."""

    name = VENUE
    capabilities: Capabilities = CAPABILITIES

    def __init__(self, options: VenueOptions, signer: RequestSigner, clock: Clock, *, total_s: float = TOTAL_S) -> None:
        self._clock = clock
        self._signer = signer
        self._ws_url = options.user_ws_url or options.ws_url or WS_URL
        self._subaccount = options.subaccount
        base = options.rest_url or REST_URL
        self._rest = PrivateRest(signer, base, clock, subaccount=options.subaccount, total_s=total_s)
        self._budget = RateBudget(clock, CAPABILITIES.requests_per_second)
        self._shards: dict[MarketId, int] = {}
        self._owners = Owners()
        self._groups = OrderGroups(self._rest)
        self.weather = Weather(clock, self._rest.status)

    def __repr__(self) -> str:
        return f"KalshiOrders({self._rest!r})"

    # -- orders

    def get_ready(self, markets: Sequence[Market]) -> None:
        """Compare clocks, see that the account is set up as the ledger expects, make the order groups."""
        self._check_clock()
        self._check_netting()
        self._shards.update((market.market_id, shard_of(market)) for market in markets)
        for shard in sorted(set(self._shards.values())):
            self._groups.of(shard)
        self.weather.ask()

    def prepare(self, intent: OrderIntent) -> object:
        """Raises where the order cannot be said exactly, or its market or group cannot be had."""
        shard = self._shard(intent.market_id)
        group = self._groups.of(shard) if intent.purpose is Purpose.OPEN else None
        body = create_body(intent, shard, group, self._subaccount)
        self._owners.make(intent.client_order_id)
        return Prepared(intent, shard, body)

    def place_order(self, committed: CommittedIntent, prepared: object, gate: GateEntry) -> SubmitAnswer:
        assert isinstance(prepared, Prepared)
        assert prepared.intent == committed.intent, "another order was prepared"
        return self._place([prepared], ORDERS_PATH, prepared.body, gate)[0]

    def place_orders(
        self, committed: Sequence[CommittedIntent], prepared: Sequence[object], gate: GateEntry
    ) -> list[SubmitAnswer]:
        ready = [each for each in prepared if isinstance(each, Prepared)]
        assert [each.intent for each in ready] == [each.intent for each in committed], "other orders were prepared"
        assert 0 < len(ready) <= CAPABILITIES.batch_max
        return self._place(ready, BATCH_PATH, batch_body([each.body for each in ready]), gate)

    def cancel_order(self, intent: OrderIntent, venue_order_id: VenueOrderId | None) -> CancelAnswer:
        own = intent.client_order_id
        try:
            order_id = venue_order_id or self._order_id(intent)
            if order_id is None:
                return CancelAnswer(client_order_id=own, result=CancelResult.GONE, text="the venue does not show it")
            answer = self._rest.cancel(order_id, intent.market_id)
        except (NotSentError, AnswerLostError, VenueReadError, VenueReadRefusedError) as error:
            return CancelAnswer(client_order_id=own, result=CancelResult.UNKNOWN, text=str(error))
        self._heed(answer)
        return answers.cancel_answer(intent, order_id, answer)

    # -- questions

    def get_order_status(self, intent: OrderIntent, venue_order_id: VenueOrderId | None) -> ProbeAnswer:
        """By the venue's id where one is known, else by ours in the list of the market's orders."""
        own = intent.client_order_id
        try:
            row = self._find(intent, venue_order_id)
            if row is None:
                return OrderNotFound(client_order_id=own, source="orders")
            seen = order_seen(row)
        except (VenueReadError, VenueReadRefusedError) as error:
            return ProbeFailed(client_order_id=own, why=str(error), barred=isinstance(error, AccountRefusedError))
        except MoneyError:
            seen = None
        if seen is None or seen.client_order_id != own:
            return ProbeFailed(client_order_id=own, why="the order's state could not be read")
        return seen

    def open_orders(self) -> list[OrderSeen]:
        with readable():
            seen = [order_seen(self._learn(row)) for row in self._rest.orders((("status", "resting"),))]
        return [order for order in seen if order is not None]

    def fills(self, intent: OrderIntent | None, since_ms: int) -> list[Fill]:
        """Of one order where `intent` is given, and of others in its market where no list shows that order: that
        nothing was executed is then asked of the executions, not inferred from the lists. Where one of them is of an
        order that is not shown either (orders leave sooner than executions, kalshi.md 4.3), nobody knows whose it is.
        """
        self.weather.renew()
        since = [("min_ts", str(max(0, since_ms // 1_000)))]
        if intent is not None:
            since.append(("ticker", str(intent.market_id)))
            order_id = self._order_id(intent)
            if order_id is not None:
                since.append(("order_id", str(order_id)))
        with readable():
            rows = list(self._rest.fills(since))
            found = [fill_of(row, self._owner(row.order_id, known=intent is not None)) for row in rows]
        return sorted(found, key=lambda fill: fill.exchange_ms or 0)

    def positions(self) -> list[Position]:
        with readable():
            found = [position_of(row) for row in self._rest.positions()]
        return [position for position in found if position is not None]

    def balances(self) -> MicroUsd:
        """Cash of all shards together. An order is paid from its own shard's: too little there is a refusal."""
        with readable():
            return MicroUsd(parse_micros(self._rest.balance().balance_dollars))

    def listen_fills_ws(self) -> tuple[Endpoint, Callable[[int], FeedSession]]:
        headers = self._signer.headers_for(self._clock.wall_ns() // MS, "GET", self._ws_url)
        return Endpoint(url=self._ws_url, headers=headers), lambda _generation: KalshiUserSession(self._owners)

    def merge(self, market_id: MarketId, size: MicroShares) -> MicroUsd:  # noqa: ARG002  the port's
        raise VenueReadRefusedError("YES and NO of one market are one position here: there is nothing to merge")

    def close(self) -> None:
        """Let the venue keep out what is still under way, and close this thread's connection."""
        self._groups.trigger()
        self._rest.close()

    # -- inside

    def _place(self, orders: Sequence[Prepared], path: str, body: bytes, gate: GateEntry) -> list[SubmitAnswer]:
        kept = self._kept_back(orders)
        if kept is not None:
            return kept
        intents = [order.intent for order in orders]
        try:
            answer = self._rest.call("POST", path, body, gate)
        except (NotSentError, AnswerLostError) as error:
            return [without_answer(intent.client_order_id, error) for intent in intents]
        self._heed(answer)
        if path == BATCH_PATH:
            told = answers.batch_answers(intents, answer)
        else:
            told = [answers.submit_answer(intents[0], answer)]
        if any(isinstance(each, Refused) and each.code in answers.PAUSED for each in told):
            self.weather.doubt()
        return told

    def _kept_back(self, orders: Sequence[Prepared]) -> list[SubmitAnswer] | None:
        """Our own no: the exchange does not trade, or the rate budget is used up. None where the orders may go."""
        own = [order.intent.client_order_id for order in orders]
        opening = [order for order in orders if order.intent.purpose is Purpose.OPEN]
        for order in opening:
            pause = self.weather.problem(order.shard)
            if pause is not None:
                return all_kept_back(own, pause.code, pause.text)
        if self._budget.take(protective=not opening):
            return all_kept_back(own, "rate_budget", "the venue asked for a pause, or the rate budget is used up")
        return None

    def _heed(self, answer: HttpAnswer) -> None:
        if answer.status == 429:
            self._budget.pause(PAUSE_NS)

    def _shard(self, market_id: MarketId) -> int:
        shard = self._shards.get(market_id)
        if shard is None:
            shard = self._shards[market_id] = self._rest.shard_of(market_id)
        return shard

    def _find(self, intent: OrderIntent, venue_order_id: VenueOrderId | None) -> OrderRow | None:
        """The order's row, None where the venue does not show it. Its owner is known from here on."""
        self._owners.make(intent.client_order_id)
        known = venue_order_id or self._owners.venue_id(intent.client_order_id)
        if known is not None:
            row = self._rest.order(known)
            if row is not None:
                return self._learn(row)
        since_s = intent.at // SECOND - SLACK_S if intent.at else self._clock.wall_ns() // SECOND - ALL_S
        for row in self._rest.orders((("ticker", str(intent.market_id)), ("min_ts", str(since_s)))):
            owner = owner_of(row)
            if owner is not None and owner.client_order_id == intent.client_order_id:
                return self._learn(row)
        return None

    def _order_id(self, intent: OrderIntent) -> VenueOrderId | None:
        known = self._owners.venue_id(intent.client_order_id)
        if known is not None:
            return known
        row = self._find(intent, None)
        return None if row is None else VenueOrderId(row.order_id)

    def _owner(self, order_id: str, *, known: bool) -> Owner | None:
        """Whose an execution is: fills name the venue's id only, the order itself names ours. None for nobody's here
        or, where it need not be `known`, for that of an order that the venue does not show. Raises `VenueReadError`.
        """
        owner = self._owners.get(order_id)
        if owner is None:
            row = self._rest.order(order_id)
            if row is None and known:
                raise VenueReadError("the order of an execution in this market is not shown: it may be any order's")
            owner = None if row is None else owner_of(self._learn(row))
        return owner

    def _learn(self, row: OrderRow) -> OrderRow:
        owner = owner_of(row)
        if owner is not None:
            self._owners.put(row.order_id, owner)
        return row

    def _check_clock(self) -> None:
        said = self._rest.status_date()
        try:
            venue_s = parsedate_to_datetime(said).timestamp() + 0.5
        except (ValueError, OverflowError):
            raise VenueReadError("the venue's answer has no Date to compare clocks with") from None
        skew_s = self._clock.wall_ns() / SECOND - venue_s
        if abs(skew_s) > SKEW_MAX_S:
            at = dt.datetime.fromtimestamp(venue_s, dt.UTC)
            raise VenueReadRefusedError(
                f"this machine's clock is {skew_s:+.0f} s off the venue's ({at:%H:%M:%S} UTC): set it by NTP, "
                "signatures of another time are refused"
            )

    def _check_netting(self) -> None:
        """With collateral return on, cash of NO baskets comes back before they are resolved, and legs may not be sold
        (10.2): neither is what the ledger and the protection reckon with.
        """
        own = self._subaccount or 0
        configs = self._rest.netting().netting_configs or ()
        if any(config.enabled and config.subaccount_number == own for config in configs):
            raise VenueReadRefusedError(
                "collateral return (netting across an event's markets) is on for this account: switch it off"
            )


def make_orders(options: VenueOptions, secrets: Mapping[str, str], clock: Clock) -> KalshiOrders:
    """Raises `MissingKeysError`, whose text names variables and never shows a value."""
    return KalshiOrders(options, make_signer(secrets), clock)
