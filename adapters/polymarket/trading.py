"""Polymarket's private side of the port: orders, probes, holdings, the private stream. Live mode only.

An order's id is the digest of what is signed, and everything in it is derived from the committed intent, so the id is
known before the first byte and again after a restart. There is no idempotency beyond that: nothing is ever sent twice,
and an answer that proves nothing is looked up by the id (polymarket.md 0.6 and 5.5, read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from adapters.catalog import iso_date
from adapters.feed import FeedSession
from adapters.http import HttpReader
from adapters.http_calls import AnswerLostError, NotSentError
from adapters.polymarket import answers
from adapters.polymarket.account import Account, make_account
from adapters.polymarket.adapter import CAPABILITIES, CLOB_URL
from adapters.polymarket.answers import Submitted
from adapters.polymarket.catalog import VENUE
from adapters.polymarket.eligibility import Eligibility
from adapters.polymarket.heart import Heartbeat
from adapters.polymarket.holdings import DATA_URL, Holdings
from adapters.polymarket.order_wire import ORDER_PATH, ORDERS_PATH, TradeRow, cancel_one, post_orders
from adapters.polymarket.private_rest import PrivateRest, pause
from adapters.polymarket.probe import Absences, ended_unseen, joined
from adapters.polymarket.reports import Owners, Part, fill_of, order_seen, parts_of, set_aside
from adapters.polymarket.rest import PolymarketRest
from adapters.polymarket.terms import TermsBook
from adapters.polymarket.user_session import PolymarketUserSession
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
from models.clock import SECOND, Clock, seconds_ns
from models.config_machine import VenueOptions
from models.market import Market, MarketId
from models.money import MicroShares, MicroUsd, MoneyError
from models.orders import (
    CancelAnswer,
    CancelResult,
    ClientOrderId,
    CommittedIntent,
    Fill,
    OrderIntent,
    OrderSeen,
    ProbeAnswer,
    ProbeFailed,
    Purpose,
    SubmitAnswer,
    TimeInForce,
    VenueOrderId,
)

USER_WS_URL: Final = "wss://ws-subscriptions-clob.polymarket.com/ws/user"
GEOBLOCK_URL: Final = "https://polymarket.com/api/geoblock"
GEOBLOCK_PATH: Final = "/api/geoblock"

TOTAL_S: Final = 5.0
SLACK_S: Final = 60
"""Questions about an order's trades reach back this much further than its own time: clocks differ."""
BALANCE_DIGITS: Final = 30
"""More are no balance."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An order, signed and serialised."""

    order: Submitted
    body: bytes


class PolymarketOrders:
    """`adapters.venue.Orders` for Polymarket. Any thread; each has its own keep-alive connection."""

    name = VENUE
    capabilities: Capabilities = CAPABILITIES

    def __init__(self, options: VenueOptions, account: Account, clock: Clock, *, total_s: float = TOTAL_S) -> None:
        """Addresses that are not stated follow a stated `rest_url`: a stand-in never meets the real venue."""
        clob = (options.rest_url or CLOB_URL).rstrip("/")
        stand_in = options.rest_url is not None
        self._account = account
        self._clock = clock
        self._user_ws_url = options.user_ws_url or USER_WS_URL
        self._budget = RateBudget(clock, CAPABILITIES.requests_per_second)
        self._public = HttpReader(RateBudget(clock, CAPABILITIES.requests_per_second), total_s=total_s)
        self._terms = TermsBook(PolymarketRest(self._public, clob, clob).clob_market, lambda: iso_date(clock.wall_ns()))
        self.rest = PrivateRest(account, clob, geoblock_url(options), clock, total_s=total_s)
        self._holdings = Holdings(self._public, options.data_url or (clob if stand_in else DATA_URL), account.funder)
        self._owners = Owners()
        self._absences = Absences(seconds_ns(CAPABILITIES.visibility_horizon_s))
        self.eligibility = Eligibility(clock, self.rest.geoblock, self.rest.closed_only)
        self.heart = Heartbeat(lambda path, body: self.rest.call("POST", path, body))

    def __repr__(self) -> str:
        return f"PolymarketOrders({self._account!r})"

    # -- orders

    def get_ready(self, markets: Sequence[Market]) -> None:
        """Read the tokens and contracts of the markets, so that no order waits for them."""
        self._terms.read_ahead([market.market_id for market in markets])

    def prepare(self, intent: OrderIntent) -> object:
        """Sign the order. Raises where it would not mean exactly what was intended, or its market cannot be read."""
        order_id, body = self._account.signed(intent, self._terms.of(intent.market_id))
        self._owners.put(order_id, intent.client_order_id)
        return Prepared(Submitted(intent, order_id), body)

    def place_order(self, committed: CommittedIntent, prepared: object, gate: GateEntry) -> SubmitAnswer:
        assert isinstance(prepared, Prepared)
        assert prepared.order.intent == committed.intent, "another order was prepared"
        kept = self._kept_back([prepared.order])
        if kept is not None:
            return kept[0]
        try:
            answer = self.rest.call("POST", ORDER_PATH, prepared.body, gate)
        except (NotSentError, AnswerLostError) as error:
            return without_answer(prepared.order.own, error)
        pause(self._budget, answer)
        return answers.submit_answer(prepared.order, answer)

    def place_orders(
        self, committed: Sequence[CommittedIntent], prepared: Sequence[object], gate: GateEntry
    ) -> list[SubmitAnswer]:
        ready = [each for each in prepared if isinstance(each, Prepared)]
        orders = [each.order for each in ready]
        assert [order.intent for order in orders] == [each.intent for each in committed], "other orders were prepared"
        assert 0 < len(orders) <= CAPABILITIES.batch_max
        kept = self._kept_back(orders)
        if kept is not None:
            return kept
        try:
            answer = self.rest.call("POST", ORDERS_PATH, post_orders([each.body for each in ready]), gate)
        except (NotSentError, AnswerLostError) as error:
            return [without_answer(order.own, error) for order in orders]
        pause(self._budget, answer)
        return answers.batch_answers(orders, answer)

    def cancel_order(self, intent: OrderIntent, venue_order_id: VenueOrderId | None) -> CancelAnswer:
        own = intent.client_order_id
        try:
            order = self._named(intent, venue_order_id)
            answer = self.rest.call("DELETE", ORDER_PATH, cancel_one(order.order_id))
        except (NotSentError, AnswerLostError, VenueReadError, VenueReadRefusedError) as error:
            return CancelAnswer(client_order_id=own, result=CancelResult.UNKNOWN, text=str(error))
        pause(self._budget, answer)
        return answers.cancel_answer(order, answer)

    # -- questions

    def get_order_status(self, intent: OrderIntent, venue_order_id: VenueOrderId | None) -> ProbeAnswer:
        """By its id; a finished order may be gone from there, so its trades are asked, too."""
        own, asked = intent.client_order_id, self._clock.boot_ns()
        try:
            order = self._named(intent, venue_order_id)
            row = self.rest.order(order.order_id)
            traded = MicroShares(sum(part.size for _, part in self._trades_of(order)))
            if row is not None or traded:
                self._absences.shown(own)
            elif venue_order_id is not None and self._absences.over(own, asked, self._clock.boot_ns()):
                return ended_unseen(intent, venue_order_id)
            return joined(intent, order.order_id, row, traded, self._clock.wall_ns() - intent.at)
        except (VenueReadError, VenueReadRefusedError) as error:
            return ProbeFailed(client_order_id=own, why=str(error), barred=isinstance(error, AccountRefusedError))
        except MoneyError:
            return ProbeFailed(client_order_id=own, why="the order's state could not be read")

    def open_orders(self) -> list[OrderSeen]:
        with readable():
            seen = [order_seen(row, self._owners.get(row.id), resting=True) for row in self.rest.open_orders()]
        return [order for order in seen if order is not None]

    def fills(self, intent: OrderIntent | None, since_ms: int) -> list[Fill]:
        """An execution of an order that this process does not know is named by the venue's id."""
        self.eligibility.renew()
        with readable():
            if intent is not None:
                trades = self._trades_of(self._named(intent, None))
            else:
                trades = [(row, part) for row in self.rest.trades(since_ms // 1000) for part in self._ours(row)]
            found = [self._fill(row, part) for row, part in trades]
        recent = [fill for fill in found if fill.exchange_ms is None or fill.exchange_ms >= since_ms // 1000 * 1000]
        return sorted(recent, key=lambda fill: fill.exchange_ms or 0)

    def positions(self) -> list[Position]:
        """Of every market that the account holds, whoever bought it."""
        return self._holdings.positions()

    def balances(self) -> MicroUsd:
        """pUSD of the wallet, less what open orders to buy have set aside."""
        balance = self.rest.balance("COLLATERAL").balance
        if not (balance.isascii() and balance.isdigit() and len(balance) <= BALANCE_DIGITS):
            raise VenueReadError("the balance could not be read")
        with readable():
            reserved = sum(set_aside(row) for row in self.rest.open_orders())
        return MicroUsd(int(balance) - reserved)

    def listen_fills_ws(self) -> tuple[Endpoint, Callable[[int], FeedSession]]:
        def session(_generation: int) -> FeedSession:
            return PolymarketUserSession(self._account.stream_auth(), self._owners.get, self._terms.fees_of)

        return Endpoint(url=self._user_ws_url, headers={}), session

    def merge(self, market_id: MarketId, size: MicroShares) -> MicroUsd:  # noqa: ARG002  the port's
        raise VenueReadRefusedError(
            "merging is a call on the chain (gas or a relayer key, and settled shares); it is off, so sets are held"
        )

    def close(self) -> None:
        """End the heartbeat and this thread's connection."""
        self.heart.stop()
        self.rest.close()
        self._public.close()

    # -- inside

    def _kept_back(self, orders: Sequence[Submitted]) -> list[SubmitAnswer] | None:
        """Our own no: not eligible, or the venue asked for a pause. None where the orders may go."""
        own = [order.own for order in orders]
        opening = any(order.intent.purpose is Purpose.OPEN for order in orders)
        if opening:
            problem = self.eligibility.problem()
            if problem is not None:
                return all_kept_back(own, problem.code, problem.text)
        if self._budget.take(protective=not opening):
            return all_kept_back(own, "rate_budget", "the venue asked for a pause, or the rate budget is used up")
        if any(order.intent.time_in_force is TimeInForce.GTC for order in orders):
            self.heart.start()
        return None

    def _named(self, intent: OrderIntent, venue_order_id: VenueOrderId | None) -> Submitted:
        """The order by the venue's id, which is learned again here after a restart."""
        order_id = venue_order_id
        if order_id is None:
            try:
                order_id = VenueOrderId(self._account.order_id(intent, self._terms.of(intent.market_id)))
            except ValueError as error:  # an order that cannot be made was never sent
                raise VenueReadRefusedError(f"the order has no id: {error}") from None
        self._owners.put(order_id, intent.client_order_id)
        return Submitted(intent, order_id)

    def _trades_of(self, order: Submitted) -> list[tuple[TradeRow, Part]]:
        """Of one order. Raises `MoneyError` for a row that cannot be true."""
        since_s = order.intent.at // SECOND - SLACK_S
        rows = self.rest.trades(since_s, order.intent.market_id)
        wanted = order.order_id.lower()
        return [(row, part) for row in rows for part in parts_of(row) if part.order_id.lower() == wanted]

    def _fill(self, row: TradeRow, part: Part) -> Fill:
        own = self._owners.get(part.order_id) or ClientOrderId(part.order_id)
        return fill_of(row, part, own, self._terms.of(MarketId(row.market)).fees)

    def _ours(self, row: TradeRow) -> list[Part]:
        """Our parts in a trade that the account was shown: orders we know, and others of this wallet."""
        wallets = {self._account.funder.lower(), self._account.address.lower()}
        return [
            part
            for part in parts_of(row)
            if self._owners.get(part.order_id) is not None
            or part.address.lower() in wallets
            or part.owner == self._account.api_key_id
        ]


def geoblock_url(options: VenueOptions) -> str:
    """Who is asked about this place. Where orders go to the venue itself, it is the venue itself: a probe of one's own
    would be a way around it (polymarket.md 14). Only a stand-in may name another.
    """
    clob = (options.rest_url or CLOB_URL).rstrip("/")
    host = (urlsplit(clob).hostname or "").rstrip(".")
    if f".{host}".endswith(".polymarket.com"):
        return GEOBLOCK_URL
    return options.eligibility_url or f"{clob}{GEOBLOCK_PATH}"


def make_orders(options: VenueOptions, secrets: Mapping[str, str], clock: Clock) -> PolymarketOrders:
    """Raises `MissingKeysError`, whose text names variables and never shows a value."""
    return PolymarketOrders(options, make_account(options, secrets), clock)
