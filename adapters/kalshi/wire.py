"""Kalshi's texts <-> domain values. Pure.

A book holds bids only: a NO bid at q is a YES ask at 1 - q of the same size, and the other way round (kalshi.md 2.5 and
8.4, read 2026-11-22). So every level is written twice, and a gap inside one market is a fault of the data (11.1).
NO prices come as NO-leg by default and as YES-leg where `use_yes_price` was asked for; REST books are always NO-leg.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from adapters.kalshi.frames import BookLevels, CountTable, Delta, DifferenceTable, PriceTable, Ranges, Row
from models.book import NO_ASK, NO_BID, YES_ASK, YES_BID, BookSnapshot, Levels, Source
from models.clock import BootNs
from models.hostile import clean
from models.market import MarketId, PriceBand
from models.money import MICRO, MoneyError, PriceMicros, parse_micros

SETTLED_RESULTS: Final = {"yes": MICRO, "no": 0}
"""What a YES contract pays, by the market's result; a scalar names its value."""


class WireError(ValueError):
    """A readable message that cannot be true."""


class BookTexts:
    """Reads levels of one subscription or one kind of REST answer. Owned by one thread."""

    def __init__(self, *, use_yes_price: bool) -> None:
        self._yes_leg = use_yes_price
        self._prices = PriceTable()
        self._counts = CountTable()
        self._differences = DifferenceTable()

    def change(self, delta: Delta) -> tuple[int, int, int, int, int]:
        """(side, price, mirrored side, mirrored price, signed difference). Raises `MoneyError`."""
        price = self._prices[delta.price_dollars]
        difference = self._differences[delta.delta_fp]
        if delta.side == "yes":
            return YES_BID, price, NO_ASK, MICRO - price, difference
        if self._yes_leg:
            price = MICRO - price
        return NO_BID, price, YES_ASK, MICRO - price, difference

    def snapshot(
        self,
        book: BookLevels,
        generation: int,
        received_at: BootNs,
        *,
        seq: int | None = None,
        exchange_ms: int | None = None,
        source: Source = Source.STREAM,
    ) -> BookSnapshot:
        """Both outcomes as of one instant. Raises `MoneyError`."""
        yes_bids = self._levels(book.yes_dollars_fp or ())
        no_bids = self._levels(book.no_dollars_fp or ())
        if self._yes_leg:
            no_bids = _mirrored(no_bids)
        return BookSnapshot(
            market_id=MarketId(book.market_ticker),
            generation=generation,
            yes_bids=yes_bids,
            yes_asks=_mirrored(no_bids),
            no_bids=no_bids,
            no_asks=_mirrored(yes_bids),
            seq=seq,
            exchange_ms=exchange_ms,
            received_at=received_at,
            source=source,
        )

    def _levels(self, rows: Iterable[Row]) -> Levels:
        prices, counts = self._prices, self._counts
        return tuple([(prices[price], counts[count]) for price, count in rows])


def _mirrored(levels: Levels) -> Levels:
    return tuple([(MICRO - price, count) for price, count in levels])


def price_bands(ranges: Sequence[Ranges]) -> tuple[PriceBand, ...]:
    """The price grid, lowest band first (2.4). Raises `WireError` where it has holes or no steps."""
    try:
        bands = [
            PriceBand(
                PriceMicros(parse_micros(band.start)),
                PriceMicros(parse_micros(band.end)),
                PriceMicros(parse_micros(band.step)),
            )
            for band in ranges
        ]
    except MoneyError as error:
        raise WireError(f"price grid: {error}") from None
    bands.sort(key=lambda band: band.start)
    edges = [PriceMicros(0), *(band.end for band in bands)]
    whole = bool(bands) and edges[-1] == MICRO and [band.start for band in bands] == edges[:-1]
    if not whole or any(band.step <= 0 or (band.end - band.start) % band.step for band in bands):
        raise WireError(f"a price grid that is none: {clean(str(ranges), 120)}")
    return tuple(bands)


def settlement(result: str | None, value: str | None) -> int | None:
    """What a YES contract pays, micro-dollars; None where the venue has not said. Raises `WireError`."""
    if value is not None:
        try:
            pays = parse_micros(value)
        except MoneyError as error:
            raise WireError(f"settlement value: {error}") from None
        if not 0 <= pays <= MICRO:
            raise WireError(f"settlement value outside [0, 1]: {clean(value, 40)}")
        return pays
    return SETTLED_RESULTS.get(result or "")
