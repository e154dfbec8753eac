"""The order desk: orders and cancels as they reach the venue, with everything that may go wrong on the way there and
back.

The engine itself stays honest. A lever either refuses before the engine sees the order, or lets the house act first (a
thief takes what the order was sent for), or spoils the answer after the fact. So the venue's truth is always what the
engine says.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from adapters.simulated import dialect, wire
from adapters.simulated.accounts import Account
from adapters.simulated.engine import Exchange, JournalLine
from adapters.simulated.faults import Lever, LeverName, Levers, duration_ns
from adapters.simulated.orders import (
    OrderRequest,
    OrderState,
    Refusal,
    RefusedOrder,
    Treatment,
    VenueOrder,
)
from adapters.simulated.settlement import split
from models.clock import SECOND
from models.market import Action, Market, MarketId, Outcome
from models.money import MICRO, MicroShares, PriceMicros
from models.orders import TimeInForce

HOUSE: Final = "house"
HOUSE_CASH: Final = 1_000_000_000 * MICRO
SECOND_LEG_WITHIN_NS: Final = 5 * SECOND


class Manner(enum.StrEnum):
    """How an answer reaches the client."""

    ANSWER = "answer"
    HANG = "hang"
    """Nothing comes; the connection is closed after `delay`."""
    RESET = "reset"
    """The connection is closed at once."""
    ERROR = "error"
    """A bare 500."""
    TRUNCATED = "truncated"
    HTML = "html"


@dataclass(frozen=True, slots=True)
class Reply:
    """The true answer and the manner in which the client gets it. `delay` in ns."""

    answer: wire.OrderAnswer
    manner: Manner = Manner.ANSWER
    delay: int = 0


class OrderDesk:
    """Owned by whoever owns the exchange."""

    def __init__(self, exchange: Exchange, levers: Levers, partners: dict[MarketId, tuple[MarketId, ...]]) -> None:
        self._exchange = exchange
        self._levers = levers
        self._partners = partners
        self._bought: dict[str, list[tuple[int, MarketId, Outcome]]] = {}
        """Recent buys of each account, to know a second leg."""
        self._house_orders = 0
        self._quiet_until: dict[str, int] = {}
        """Orders (by their own id) of which nobody is told anything before that time."""
        exchange.open_account(Account(HOUSE, "", "", house=True), HOUSE_CASH, 0)

    def submit(self, account: str, request: OrderRequest, now: int) -> Reply:
        client_id = request.client_order_id
        second, sells = self._is_second_leg(account, request, now), request.action is Action.SELL

        def pull(name: LeverName) -> Lever | None:
            return self._levers.pull(name, market=request.market_id, account=account, second_leg=second, sells=sells)

        if pull(LeverName.RATE_LIMITED):
            return self._refuse(account, client_id, now, Refusal.RATE_LIMITED, "too many requests")
        if lever := pull(LeverName.TIMEOUT_BEFORE_ACCEPT):
            return Reply(_error(client_id, NEVER_ARRIVED, ""), Manner.HANG, duration_ns(lever.delay))
        if pull(LeverName.ERROR_BEFORE_ACCEPT):
            return Reply(_error(client_id, NEVER_ARRIVED, ""), Manner.ERROR)
        if pull(LeverName.REFUSE):
            return self._refuse(account, client_id, now, Refusal.RISK, "refused by the venue's risk desk")
        self._steal(request, now, pull)
        bare = pull(LeverName.BARE_ACK)
        if bare is not None:
            self._quiet_until[client_id] = now + duration_ns(bare.delay)
        result = self._exchange.submit(account, request, now, self._treatment(client_id, now, pull))
        answer = dialect.order_answer(client_id, result)
        if isinstance(result, RefusedOrder):
            return Reply(answer)
        if request.action is Action.BUY and result.filled:
            self._bought.setdefault(account, []).append((now, request.market_id, request.outcome))
        if bare is not None:
            return Reply(wire.OrderAnswer(client_id, result.order_id, OrderState.LIVE.value, "0"))
        return self._spoilt(answer, pull)

    def cancel(self, account: str, client_order_id: str, now: int) -> Reply:
        """Cancel an order. An error `already_done` or `unknown_order` says that this cancel did nothing."""
        order = self._exchange.orders.get((account, client_order_id))
        if order is None:
            return Reply(_error(client_order_id, UNKNOWN_ORDER, "no order of this id"))
        market_id = order.request.market_id
        live = order.state is OrderState.LIVE
        if live and self._levers.pull(LeverName.FILL_BEFORE_CANCEL, market=market_id, account=account):
            self._hit(order, now)
        if order.state is OrderState.DONE:
            answer = _error(client_order_id, ALREADY_DONE, f"already {order.reason}")
        else:
            self._exchange.cancel(account, client_order_id, now)
            answer = dialect.order_answer(client_order_id, order)
        if lever := self._levers.pull(LeverName.CANCEL_TIMEOUT, market=market_id, account=account):
            return Reply(answer, Manner.HANG, duration_ns(lever.delay))
        return Reply(answer)

    def quiet_for(self, client_order_id: str, now: int) -> int:
        """How long private news about an order still has to wait (ns)."""
        return max(0, self._quiet_until.get(client_order_id, 0) - now)

    # -- inside

    def _refuse(self, account: str, client_order_id: str, now: int, code: Refusal, text: str) -> Reply:
        self._exchange.journal.append(JournalLine(now, "refused", account, client_order_id, code.value))
        return Reply(_error(client_order_id, code.value, text))

    def _steal(self, request: OrderRequest, now: int, pull: Callable[[LeverName], Lever | None]) -> None:
        """Let the house take what the order could have taken: all of it, or so much that only a part is left."""
        listing = self._exchange.listings.get(request.market_id)
        if listing is None:
            return
        there = self._exchange.takeable(listing, request)
        if there == 0:
            return
        keep = 0
        if thief := pull(LeverName.THIEF):
            request = _run_away(request, listing.market, thief.through)
            there = self._exchange.takeable(listing, request)
        else:
            lever = pull(LeverName.PARTIAL)
            if lever is None:
                return
            wanted = min(there, request.size)
            keep = int(wanted * (1 - lever.fraction)) // listing.market.lot * listing.market.lot
        if there > keep:
            self._house_order(request, request.action, there - keep, now)

    def _hit(self, order: VenueOrder, now: int) -> None:
        """Let the house trade down to a resting order, and through it."""
        opposite = Action.SELL if order.request.action is Action.BUY else Action.BUY
        listing = self._exchange.listings[order.request.market_id]
        there = self._exchange.takeable(listing, replace(order.request, action=opposite))
        self._house_order(order.request, opposite, there, now)

    def _house_order(self, like: OrderRequest, action: Action, size: int, now: int) -> None:
        self._house_orders += 1
        if action is Action.SELL:
            split(self._exchange, HOUSE, like.market_id, size, now)
        taking = replace(
            like,
            client_order_id=f"h-{self._house_orders}",
            action=action,
            size=MicroShares(size),
            time_in_force=TimeInForce.IOC,
        )
        self._exchange.submit(HOUSE, taking, now)

    def _treatment(self, client_order_id: str, now: int, pull: Callable[[LeverName], Lever | None]) -> Treatment:
        late, reverse = pull(LeverName.LATE_VISIBILITY), pull(LeverName.REVERSE_FILL)
        hidden = self._quiet_until.get(client_order_id, 0)
        return Treatment(
            hidden_until=hidden if late is None else max(hidden, now + duration_ns(late.delay)),
            settlement_ns=None if reverse is None else duration_ns(reverse.delay),
            reverse=reverse is not None,
        )

    def _spoilt(self, answer: wire.OrderAnswer, pull: Callable[[LeverName], Lever | None]) -> Reply:
        """The answer to an accepted order, and what happens to it on the way back."""
        for name, manner in _AFTER_ACCEPT.items():
            if lever := pull(name):
                waits = name in (LeverName.TIMEOUT_AFTER_ACCEPT, LeverName.FILL_BEFORE_ACK)
                return Reply(answer, manner, duration_ns(lever.delay) if waits else 0)
        return Reply(answer)

    def _is_second_leg(self, account: str, request: OrderRequest, now: int) -> bool:
        """Whether the account has just bought another leg of a set that this order may belong to."""
        if request.action is not Action.BUY:
            return False
        recent = [buy for buy in self._bought.get(account, ()) if now - buy[0] <= SECOND_LEG_WITHIN_NS]
        self._bought[account] = recent
        related = {request.market_id, *self._partners.get(request.market_id, ())}
        return any(m in related and (m, o) != (request.market_id, request.outcome) for _, m, o in recent)


ALREADY_DONE: Final = "already_done"
UNKNOWN_ORDER: Final = "unknown_order"
NEVER_ARRIVED: Final = "never_arrived"
"""The answer that nobody gets to an order that the exchange never saw."""

_AFTER_ACCEPT: Final = {
    LeverName.TIMEOUT_AFTER_ACCEPT: Manner.HANG,
    LeverName.ERROR_AFTER_ACCEPT: Manner.ERROR,
    LeverName.ACK_LOST: Manner.RESET,
    LeverName.TRUNCATED_JSON: Manner.TRUNCATED,
    LeverName.HTML_BODY: Manner.HTML,
    LeverName.FILL_BEFORE_ACK: Manner.ANSWER,
}


def _run_away(request: OrderRequest, market: Market, ticks: int) -> OrderRequest:
    """The same order with a limit that reaches some ticks further."""
    step = ticks * market.tick_at(request.price)
    if request.action is Action.BUY:
        further = market.price_rounded_down(PriceMicros(min(request.price + step, MICRO - 1)))
    else:
        further = market.price_rounded_up(PriceMicros(max(request.price - step, 1)))
    return request if further is None else replace(request, price=further)


def _error(client_order_id: str, code: str, text: str) -> wire.OrderAnswer:
    return wire.OrderAnswer(client_order_id, error=wire.ErrorBody(code, text))
