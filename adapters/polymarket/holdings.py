"""What the wallet holds, by the venue's public data interface: shares per market and outcome (polymarket.md 1.1).

It follows the chain by some seconds, and it shows every position of the wallet, whoever bought it.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import Final

import msgspec

from adapters.http import HttpReader
from adapters.polymarket.wire import UNREADABLE
from adapters.venue import Position, VenueReadError
from models.hostile import VenueId
from models.market import MarketId, Outcome
from models.money import MICRO, MicroShares

DATA_URL: Final = "https://data-api.polymarket.com"
PAGE: Final = 500
PAGES_MAX: Final = 20


class PositionRow(msgspec.Struct, rename="camel"):
    condition_id: VenueId
    asset: VenueId
    size: Decimal
    outcome_index: int


_ROWS: Final = msgspec.json.Decoder(list[PositionRow])
_OUTCOMES: Final = (Outcome.YES, Outcome.NO)


class Holdings:
    """Reads of one wallet. Thread-safe as far as `HttpReader` is: calls take turns."""

    def __init__(self, http: HttpReader, data_url: str, wallet: str) -> None:
        self._http = http
        self._url = f"{data_url.rstrip('/')}/positions"
        self._wallet = wallet

    def positions(self) -> list[Position]:
        """Largest first as the venue sorts them; empty ones are left out. Raises `VenueReadError` and refusals."""
        found: list[Position] = []
        for page in range(PAGES_MAX):
            rows = self._page(page * PAGE)
            found += [_position(row) for row in rows]
            if len(rows) < PAGE:
                return [position for position in found if position.size > 0]
        raise VenueReadError(f"positions: more than {PAGE * PAGES_MAX}")

    def _page(self, offset: int) -> list[PositionRow]:
        params = [("user", self._wallet), ("sizeThreshold", "0"), ("limit", str(PAGE)), ("offset", str(offset))]
        try:
            return _ROWS.decode(self._http.get(self._url, params))
        except UNREADABLE:
            raise VenueReadError("GET /positions: the answer could not be read") from None


def _position(row: PositionRow) -> Position:
    if not (row.size.is_finite() and 0 <= row.size < 10**12 and row.outcome_index in (0, 1)):
        raise VenueReadError("GET /positions: a position that cannot be")
    shares = int((row.size * MICRO).to_integral_value(ROUND_FLOOR))
    return Position(
        market_id=MarketId(row.condition_id), outcome=_OUTCOMES[row.outcome_index], size=MicroShares(shares)
    )
