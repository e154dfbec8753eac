"""What the venue reports about our orders -> domain values. Pure, strict, and the same for REST and the user stream.

A trade is told from the taker's side: a resting order of ours is found in `maker_orders`, with its own token, side and
price (polymarket.md 4). MATCHED and MINED may still fail, CONFIRMED and FAILED are last words; the same trade comes
again with each status, so its executions keep their ids.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from adapters.polymarket.frames import SizeTable
from adapters.polymarket.order_wire import MakerRow, OrderRow, TradeRow
from models.fees import FeeSchedule, taker_fee
from models.hostile import clean
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros, cost_rounded_up, parse_price
from models.newest import Newest
from models.orders import ClientOrderId, Fill, FillState, OrderSeen, VenueOrderId, VenueOrderStatus

KEPT: Final = 8_192
"""Orders of ours that are still recognised by the venue's id."""

_SECONDS_BELOW: Final = 100_000_000_000
"""Times are seconds or milliseconds, by source: a number below this is seconds (until the year 5138)."""

_STATES: Final = {"CONFIRMED": FillState.FINAL, "FAILED": FillState.REVERSED}
"""Every other status (MATCHED, MINED, RETRYING, and what may be invented) is provisional: the shares count, and may
still go.
"""

_SIZES: Final = SizeTable()


class Owners:
    """Our own name of every order that we have made, by its digest. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: Newest[str, ClientOrderId] = Newest(KEPT)

    def put(self, order_id: str, client_order_id: ClientOrderId) -> None:
        with self._lock:
            self._names.put(order_id.lower(), client_order_id)

    def get(self, order_id: str) -> ClientOrderId | None:
        with self._lock:
            return self._names.get(order_id.lower())


@dataclass(frozen=True, slots=True)
class Part:
    """One order's share in a trade."""

    order_id: str
    address: str
    owner: str
    trade_id: str
    """Unique per order: a taker that met several resting orders has several."""
    size: MicroShares
    price: PriceMicros
    """In the order's own token."""
    taker: bool


def parts_of(row: TradeRow) -> Iterator[Part]:
    """Everybody's part in a trade. Raises `MoneyError` for what cannot be true."""
    met = [(maker, _price_for_taker(row, maker), _SIZES[maker.matched_amount]) for maker in row.maker_orders]
    whole = _SIZES[row.size]
    met_alone: list[tuple[str, int, int]]
    if sum(size for _, _, size in met) != whole:
        met_alone = [(row.id, parse_price(row.price), whole)]
    elif len(met) == 1:
        met_alone = [(row.id, met[0][1], whole)]
    else:
        met_alone = [(f"{row.id}/{maker.order_id[-12:]}", price, size) for maker, price, size in met]
    for trade_id, price, size in met_alone:
        yield Part(
            row.taker_order_id, row.maker_address, row.owner, trade_id, MicroShares(size), PriceMicros(price), True
        )
    for maker, _, size in met:
        own_price = parse_price(maker.price)
        yield Part(maker.order_id, maker.maker_address, maker.owner, row.id, MicroShares(size), own_price, False)


def fill_of(row: TradeRow, part: Part, own: ClientOrderId, fees: FeeSchedule | None) -> Fill:
    """Makers pay no fee. What a taker pays is not told but computed by a published rule from the market's own `fees`
    (polymarket.md 9); None where these are not known. Whether the venue rounds up as we do is not documented.
    """
    fee = MicroUsd(0) if not part.taker else None if fees is None else taker_fee(fees, part.price, part.size)
    return Fill(
        venue_trade_id=part.trade_id,
        client_order_id=own,
        venue_order_id=VenueOrderId(part.order_id),
        size=part.size,
        price=part.price,
        fee=fee,
        state=_STATES.get(row.state, FillState.PROVISIONAL),
        exchange_ms=time_ms(row.match_time or row.matchtime or row.last_update),
    )


def order_seen(row: OrderRow, own: ClientOrderId | None, *, resting: bool, cancelled: bool = False) -> OrderSeen | None:
    """The venue's word about an order; None where it cannot be read without its trades.

    What an order that takes has filled is not read from here (a BUY's sizes are dollars there), unless it is nothing.
    `cancelled`: the message itself says so, whatever its status is called (UNMATCHED after a delay).
    """
    matched = MicroShares(_SIZES[row.size_matched or "0"])
    state, ended = row.state, cancelled or row.state.startswith(("CANCELED", "INVALID"))
    if not resting and matched and (ended or state == "MATCHED"):
        return None
    done = ended or (resting and state == "MATCHED" and matched >= _SIZES[row.original_size or "0"])
    return OrderSeen(
        client_order_id=own,
        venue_order_id=VenueOrderId(row.id),
        status=VenueOrderStatus.DONE if done else _open_status(state),
        filled=matched if resting else MicroShares(0),
        reason=clean(state.replace("_", " "), 80).casefold() if done else "",
    )


def set_aside(row: OrderRow) -> MicroUsd:
    """Dollars that an open order to buy may still spend. Raises `MoneyError`."""
    if row.side != "BUY":
        return MicroUsd(0)
    left = _SIZES[row.original_size or "0"] - _SIZES[row.size_matched or "0"]
    return cost_rounded_up(parse_price(row.price), MicroShares(max(0, left)))


def time_ms(text: str) -> int | None:
    """Milliseconds of a time in seconds or in milliseconds; None where there is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        return None
    number = int(text)
    return number * 1000 if number < _SECONDS_BELOW else number


def _open_status(state: str) -> VenueOrderStatus:
    return VenueOrderStatus.PENDING if state == "DELAYED" else VenueOrderStatus.LIVE


def _price_for_taker(row: TradeRow, maker: MakerRow) -> int:
    """What the taker paid or got per share against one resting order: its price, or the rest of the dollar where the
    two traded different tokens.
    """
    price = parse_price(maker.price)
    return price if maker.asset_id in ("", row.asset_id) else MICRO - price
