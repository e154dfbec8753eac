"""NautilusTrader's own decode and book for the same messages; runs in a scratch environment, not in ours.

`python peer_nautilus.py FRAMES_FILE` (one message per line, books first) prints one JSON line. It uses that project's
public classes as its Polymarket data client does: msgspec decode, one delta per change, applied to an L2 book, best
prices read.
"""

import json
import sys
import time
from decimal import Decimal
from pathlib import Path

import msgspec
from nautilus_trader.adapters.polymarket.common.enums import PolymarketOrderSide
from nautilus_trader.adapters.polymarket.schemas.book import PolymarketBookSnapshot, PolymarketQuotes
from nautilus_trader.core.datetime import millis_to_nanos
from nautilus_trader.model.book import OrderBook
from nautilus_trader.model.currencies import USDC
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas
from nautilus_trader.model.enums import AssetClass, BookAction, BookType, OrderSide, RecordFlag
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import BinaryOption
from nautilus_trader.model.objects import Price, Quantity

MESSAGE = PolymarketBookSnapshot | PolymarketQuotes


def instrument_of(token):
    name = Symbol(token[-20:])
    return BinaryOption(
        instrument_id=InstrumentId(name, Venue("POLYMARKET")),
        raw_symbol=name,
        outcome="Yes",
        description="bench",
        asset_class=AssetClass.ALTERNATIVE,
        currency=USDC,
        price_increment=Price.from_str("0.01"),
        price_precision=2,
        size_increment=Quantity.from_str("0.000001"),
        size_precision=6,
        activation_ns=0,
        expiration_ns=0,
        max_quantity=None,
        min_quantity=Quantity.from_str("5"),
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
        ts_event=0,
        ts_init=0,
    )


def main(path):
    lines = Path(path).read_bytes().splitlines()
    decode_one = msgspec.json.Decoder(MESSAGE).decode
    decode_many = msgspec.json.Decoder(list[MESSAGE]).decode
    instruments, books = {}, {}

    def handle(line):
        for message in decode_many(line) if line[:1] == b"[" else (decode_one(line),):
            if isinstance(message, PolymarketBookSnapshot):
                instrument = instruments.setdefault(message.asset_id, instrument_of(message.asset_id))
                book = books[message.asset_id] = OrderBook(instrument.id, book_type=BookType.L2_MBP)
                book.apply_deltas(message.parse_to_snapshot(instrument, 0))
                continue
            at = millis_to_nanos(float(message.timestamp))
            for change in message.price_changes:
                instrument, book = instruments[change.asset_id], books[change.asset_id]
                order = BookOrder(
                    side=OrderSide.BUY if change.side == PolymarketOrderSide.BUY else OrderSide.SELL,
                    price=instrument.make_price(float(change.price)),
                    size=instrument.make_qty(float(change.size)),
                    order_id=0,
                )
                delta = OrderBookDelta(
                    instrument_id=instrument.id,
                    action=BookAction.UPDATE if order.size > 0 else BookAction.DELETE,
                    order=order,
                    flags=RecordFlag.F_LAST,
                    sequence=0,
                    ts_event=at,
                    ts_init=0,
                )
                book.apply_deltas(OrderBookDeltas(instrument.id, [delta]))
                book.best_ask_price()
                book.best_bid_price()

    changes = [line for line in lines if line[:1] != b"["]
    for line in lines:
        handle(line)
    began = time.process_time()
    for line in changes:
        handle(line)
    elapsed = time.process_time() - began
    print(json.dumps({"us_per_message": elapsed / len(changes) * 1e6}))


if __name__ == "__main__":
    main(sys.argv[1])
