"""Exchange -> wire: what the engine says, in the exchange's own dialect. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from adapters.simulated import wire
from adapters.simulated.listing import Listing
from adapters.simulated.orders import FillChanged, OrderChanged, OrderRequest, RefusedOrder, VenueOrder
from models.book import NO_ASK, NO_BID, YES_ASK, YES_BID, Change, Levels
from models.clock import MS
from models.market import Action, Market, MarketId, Outcome
from models.money import MoneyError, parse_price, parse_shares, text
from models.orders import TimeInForce


class MalformedError(ValueError):
    """A request that is not in the dialect. The text is for the client."""


def snapshot(listing: Listing, seq: int, now: int) -> wire.Snapshot:
    return wire.Snapshot(
        listing.market.market_id,
        seq,
        now // MS,
        listing.status.value,
        wire.Side(_levels(listing.levels(YES_BID)), _levels(listing.levels(YES_ASK))),
        wire.Side(_levels(listing.levels(NO_BID)), _levels(listing.levels(NO_ASK))),
    )


def delta(market_id: MarketId, seq: int, now: int, changes: Iterable[Change]) -> wire.Delta:
    rows = tuple((wire.SIDE_NAMES[side], text(price), text(size, 0)) for side, price, size in changes)
    return wire.Delta(market_id, seq, now // MS, rows)


def order_news(event: OrderChanged, now: int) -> wire.OrderNews:
    return wire.OrderNews(
        now // MS, event.order_id, event.client_order_id, event.state.value, text(event.filled, 0), event.reason
    )


def fill_news(event: FillChanged) -> wire.FillNews:
    return wire.FillNews(
        event.at // MS,
        event.trade_id,
        event.order_id,
        event.client_order_id,
        event.market_id,
        event.outcome.value,
        event.action.value,
        text(event.price),
        text(event.size, 0),
        text(event.fee),
        event.state.value,
    )


def order_answer(client_order_id: str, result: VenueOrder | RefusedOrder) -> wire.OrderAnswer:
    if isinstance(result, RefusedOrder):
        return wire.OrderAnswer(client_order_id, error=wire.ErrorBody(result.code.value, result.text))
    return wire.OrderAnswer(client_order_id, result.order_id, result.state.value, text(result.filled, 0), result.reason)


def order_request(body: wire.OrderBody) -> OrderRequest:
    """The order that a body asks for, or `MalformedError`. Prices outside (0, 1) are malformed too."""
    if not 0 < len(body.client_order_id) <= 64:
        raise MalformedError("client_order_id has 1 to 64 characters")
    try:
        return OrderRequest(
            client_order_id=body.client_order_id,
            market_id=MarketId(body.market_id),
            outcome=Outcome(body.outcome),
            action=Action(body.action),
            price=parse_price(body.price),
            size=parse_shares(body.size),
            time_in_force=TimeInForce(body.time_in_force),
        )
    except (MoneyError, ValueError) as error:
        raise MalformedError(str(error)) from None


def market_body(listing: Listing) -> wire.MarketBody:
    market: Market = listing.market
    return wire.MarketBody(
        market.market_id,
        market.title,
        listing.status.value,
        text(market.price_bands[0].step),
        text(market.lot),
        text(market.min_size),
        text(market.min_notional),
        wire.FeeBody(
            market.fees.name,
            market.fees.as_of,
            text(market.fees.rate_micros),
            market.fees.exponent,
            text(market.fees.quantum),
        ),
        market.book_model.value,
        market.closes_at_ms,
        market.event_id,
        market.mutually_exclusive,
        None if listing.yes_pays is None else text(listing.yes_pays),
    )


_command_decoder = msgspec.json.Decoder(wire.Command)


def command(message: bytes | str) -> wire.Command:
    """What a client sent on a stream, or `MalformedError`."""
    try:
        return _command_decoder.decode(message)
    except msgspec.DecodeError:
        raise MalformedError("not a command") from None


def _levels(levels: Levels) -> tuple[wire.TextLevel, ...]:
    return tuple((text(price), text(size, 0)) for price, size in levels)
