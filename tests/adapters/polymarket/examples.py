"""Markets, entries and frames for the Polymarket tests, with defaults."""

from __future__ import annotations

from pathlib import Path

from models.fees import NO_FEES
from models.market import BookModel, Market, MarketId, VenueName, linear_grid
from models.money import MicroShares, MicroUsd, PriceMicros

TAPES = Path(__file__).parents[2] / "tapes"
BINARY_TAPE = TAPES / "polymarket-binary-20260228.tape.jsonl.gz"
BTC_TAPE = TAPES / "polymarket-btc15m-20260928-a.tape.jsonl.gz"


def a_market(number: int = 1) -> Market:
    return Market(
        venue=VenueName("polymarket"),
        market_id=MarketId(f"0x{number:064x}"),
        title=f"market {number}",
        yes_instrument=f"{number}1",
        no_instrument=f"{number}2",
        price_bands=linear_grid(PriceMicros(10_000)),
        lot=MicroShares(10_000),
        min_size=MicroShares(5_000_000),
        min_notional=MicroUsd(1_000_000),
        fees=NO_FEES,
        book_model=BookModel.UNIFIED,
        closes_at_ms=None,
    )
