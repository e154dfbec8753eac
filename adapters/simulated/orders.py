"""What the simulated exchange knows about an order, an execution, and everything it tells about them."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from models.book import Change
from models.market import Action, MarketId, MarketStatus, Outcome
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros
from models.orders import FillState, TimeInForce


class Refusal(enum.StrEnum):
    """Why an order was not accepted. `DUPLICATE` says nothing about the first order of that id; all others are proof
    that nothing of this request exists.
    """

    DUPLICATE = "duplicate"
    UNKNOWN_MARKET = "unknown_market"
    MARKET_PAUSED = "market_paused"
    MARKET_CLOSED = "market_closed"
    MARKET_RESOLVED = "market_resolved"
    POST_ONLY = "post_only"
    RESTARTING = "restarting"
    PRICE_RANGE = "price_range"
    OFF_TICK = "off_tick"
    OFF_LOT = "off_lot"
    BELOW_MIN_SIZE = "below_min_size"
    BELOW_MIN_NOTIONAL = "below_min_notional"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    INSUFFICIENT_POSITION = "insufficient_position"
    SELF_CROSS = "self_cross"
    RATE_LIMITED = "rate_limited"
    RISK = "risk"
    """The venue's own risk desk said no, for no reason that the trader could have known (the `refuse` lever)."""
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """One limit order as its account asks for it. `price` is in the order's own outcome."""

    client_order_id: str
    market_id: MarketId
    outcome: Outcome
    action: Action
    price: PriceMicros
    size: MicroShares
    time_in_force: TimeInForce


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What a fault plan does to one order beyond the exchange's rules."""

    hidden_until: int = 0
    """Reads do not show the order before this time (ns)."""
    settlement_ns: int | None = None
    """Instead of the rules' own delay."""
    reverse: bool = False
    """Its executions fail to settle and are undone."""


NORMAL: Final = Treatment()


class OrderState(enum.StrEnum):
    LIVE = "live"
    DONE = "done"


@dataclass(slots=True, eq=False)
class VenueOrder:
    """An accepted order. Mutable, owned by the engine."""

    order_id: str
    account: str
    request: OrderRequest
    accepted_at: int
    visible_at: int
    """Reads do not show the order before this time (ns)."""
    filled: int = 0
    state: OrderState = OrderState.LIVE
    reason: str = ""
    """Why it is DONE: `filled`, `cancelled`, `killed` (the rest of an IOC, an unfillable FOK), or the market's end."""

    @property
    def remaining(self) -> int:
        return self.request.size - self.filled


@dataclass(slots=True, eq=False)
class Party:
    """One side of an execution."""

    order: VenueOrder
    price: int
    """Micro-dollars per share in the party's own outcome; both parties' prices add up to a dollar where sets are made
    or burnt.
    """
    fee: int


@dataclass(slots=True, eq=False)
class Trade:
    """An execution between a maker and a taker, provisional until it is settled."""

    trade_id: str
    market_id: MarketId
    size: int
    maker: Party
    taker: Party
    at: int
    settle_at: int
    state: FillState = FillState.PROVISIONAL
    reverse: bool = False
    """Settlement will fail (the `reverse_fill` lever)."""

    @property
    def parties(self) -> tuple[Party, Party]:
        return self.maker, self.taker

    @property
    def sets_made(self) -> int:
        """By how much the complete sets in existence grew (shares): two buyers make sets, two sellers burn them."""
        actions = {party.order.request.action for party in self.parties}
        if len(actions) == 2:
            return 0
        return self.size if Action.BUY in actions else -self.size


@dataclass(frozen=True, slots=True)
class RefusedOrder:
    code: Refusal
    text: str


@dataclass(frozen=True, slots=True)
class LevelsChanged:
    """Level totals of one market that one command changed, last value per level."""

    market_id: MarketId
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class TradePrinted:
    """The public's view of an execution, in the maker's outcome."""

    market_id: MarketId
    outcome: Outcome
    price: int
    size: int
    taker: OrderRequest
    """Who took, for a venue that tells it from that side."""


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """To the order's account: accepted, part filled, done. A copy of the figures at that moment."""

    account: str
    order_id: str
    client_order_id: str
    state: OrderState
    filled: int
    reason: str


@dataclass(frozen=True, slots=True)
class FillChanged:
    """To one party of a trade: executed, settled or reversed."""

    account: str
    trade_id: str
    order_id: str
    client_order_id: str
    market_id: MarketId
    outcome: Outcome
    action: Action
    price: int
    size: int
    fee: int
    state: FillState
    at: int


@dataclass(frozen=True, slots=True)
class StatusAnnounced:
    market_id: MarketId
    status: MarketStatus
    detail: str


@dataclass(frozen=True, slots=True)
class ResolutionAnnounced:
    market_id: MarketId
    yes_pays: int


Happening = LevelsChanged | TradePrinted | OrderChanged | FillChanged | StatusAnnounced | ResolutionAnnounced


def changes_by_market(happenings: Iterable[Happening]) -> dict[MarketId, list[Change]]:
    """What one command did to the books: the last total of every level that changed, for one message per market."""
    levels: dict[MarketId, dict[tuple[int, int], int]] = {}
    for happening in happenings:
        if isinstance(happening, LevelsChanged):
            changed = levels.setdefault(happening.market_id, {})
            changed.update({(side, price): total for side, price, total in happening.changes})
    return {
        market_id: [(side, price, total) for (side, price), total in changed.items()]
        for market_id, changed in levels.items()
    }


def notional(price: int, size: int) -> MicroUsd:
    """Exact price x size. On the grid of a listed market the product is a whole number of micro-dollars."""
    amount, rest = divmod(price * size, MICRO)
    assert rest == 0, "a price or a size is off the market's grid"
    return MicroUsd(amount)


def order_changed(order: VenueOrder) -> OrderChanged:
    return OrderChanged(
        order.account, order.order_id, order.request.client_order_id, order.state, order.filled, order.reason
    )


def fill_changed(trade: Trade, party: Party) -> FillChanged:
    request = party.order.request
    return FillChanged(
        party.order.account,
        trade.trade_id,
        party.order.order_id,
        request.client_order_id,
        trade.market_id,
        request.outcome,
        request.action,
        party.price,
        trade.size,
        party.fee,
        trade.state,
        trade.at,
    )
