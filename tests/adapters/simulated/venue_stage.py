"""A small exchange on a table: one or two markets, a few accounts, orders in one line."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count

from adapters.simulated.accounts import Account
from adapters.simulated.catalog import market_list
from adapters.simulated.engine import Exchange, Rules
from adapters.simulated.orders import NORMAL, OrderRequest, RefusedOrder, Treatment, VenueOrder
from models.fees import FeeSchedule
from models.market import Action, BookModel, Market, MarketId, Outcome
from models.money import MICRO, MicroShares, PriceMicros
from models.orders import TimeInForce

YES, NO = Outcome.YES, Outcome.NO
BUY, SELL = Action.BUY, Action.SELL
IOC, FOK, GTC = TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTC

MARKET = MarketId("fed-cut-dec")
CASH = 1_000 * MICRO
FEES = FeeSchedule(name="test", as_of="2026-01-01", rate_micros=70_000)


def a_market(model: BookModel = BookModel.SEPARATE, *, fees: FeeSchedule | None = None) -> Market:
    market = market_list(1, model, 0)[0]
    return market if fees is None else replace(market, fees=fees)


def a_request(
    outcome: Outcome = YES,
    action: Action = BUY,
    cents: int = 50,
    shares: float = 10,
    tif: TimeInForce = GTC,
    *,
    client_order_id: str,
    market_id: MarketId = MARKET,
) -> OrderRequest:
    return OrderRequest(
        client_order_id=client_order_id,
        market_id=market_id,
        outcome=outcome,
        action=action,
        price=PriceMicros(cents * 10_000),
        size=MicroShares(round(shares * MICRO)),
        time_in_force=tif,
    )


@dataclass
class Stage:
    """`order` submits at the present `now` (ns) with a fresh id; `placed` insists that it was accepted."""

    exchange: Exchange
    now: int = 0
    ids: count[int] = field(default_factory=count)

    def order(
        self,
        account: str,
        outcome: Outcome,
        action: Action,
        cents: int,
        shares: float = 10,
        tif: TimeInForce = GTC,
        *,
        treatment: Treatment = NORMAL,
        client_order_id: str | None = None,
    ) -> VenueOrder | RefusedOrder:
        request = a_request(
            outcome, action, cents, shares, tif, client_order_id=client_order_id or f"o-{next(self.ids)}"
        )
        return self.exchange.submit(account, request, self.now, treatment)

    def placed(self, *args: object, **kwargs: object) -> VenueOrder:
        result = self.order(*args, **kwargs)  # type: ignore[arg-type]
        assert isinstance(result, VenueOrder), result
        return result

    def refused(self, *args: object, **kwargs: object) -> str:
        result = self.order(*args, **kwargs)  # type: ignore[arg-type]
        assert isinstance(result, RefusedOrder), result
        return result.code.value

    def shares(self, account: str, outcome: Outcome) -> float:
        return self.exchange.accounts[account].shares.get((MARKET, outcome), 0) / MICRO

    def cash(self, account: str) -> int:
        return self.exchange.accounts[account].cash


def a_stage(
    model: BookModel = BookModel.SEPARATE,
    *,
    rules: Rules | None = None,
    fees: FeeSchedule | None = None,
    accounts: tuple[str, ...] = ("ann", "bob", "cid"),
) -> Stage:
    exchange = Exchange(rules=rules or Rules())
    exchange.list_market(a_market(model, fees=fees))
    for name in accounts:
        exchange.open_account(Account(name, f"key-{name}", f"secret-{name}", house=False), CASH, 0)
    return Stage(exchange)
