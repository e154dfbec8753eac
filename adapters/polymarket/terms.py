"""What an order in a market is made from and charged: its tokens, the contract that settles it, the taker's fee.

Read from the CLOB's compact market object and kept for the process: a change of the fee needs a restart, as it does for
the catalog that decisions are made by (polymarket.md 2.1, 2.3 and 9).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapters.polymarket.catalog import ClobMarket, charged_fees, is_token
from adapters.venue import VenueReadRefusedError
from models.fees import FeeSchedule, FeesUnknownError
from models.market import MarketId, Outcome


@dataclass(frozen=True, slots=True)
class MarketTerms:
    yes_token: int
    no_token: int
    neg_risk: bool
    fees: FeeSchedule | None = None
    """What the exchange charges; None where that could not be read."""

    def token_id(self, outcome: Outcome) -> int:
        return self.yes_token if outcome is Outcome.YES else self.no_token


def terms_of(market: ClobMarket, as_of: str) -> MarketTerms:
    """`as_of` is the ISO date of reading. Raises `VenueReadRefusedError` for a market of other than two tokens."""
    tokens = [token.t for token in market.t]
    if len(set(tokens)) != 2 or len(tokens) != 2 or not all(map(is_token, tokens)):
        raise VenueReadRefusedError("not a market of two tokens")
    try:
        fees = charged_fees(market, as_of)
    except FeesUnknownError:
        fees = None
    return MarketTerms(int(tokens[0]), int(tokens[1]), market.nr, fees)


class TermsBook:
    """The terms of the markets that are traded. Any thread; a market is read once."""

    def __init__(self, read: Callable[[str], ClobMarket], today: Callable[[], str]) -> None:
        """`read` asks the venue for one market (`PolymarketRest.clob_market`); `today` is an ISO date."""
        self._read = read
        self._today = today
        self._lock = threading.Lock()
        self._terms: dict[MarketId, MarketTerms] = {}

    def of(self, market_id: MarketId) -> MarketTerms:
        """Raises `VenueReadError` or `VenueReadRefusedError` where the market has not been read and cannot be."""
        known = self._terms.get(market_id)
        if known is None:
            known = terms_of(self._read(market_id), self._today())
            with self._lock:
                self._terms[market_id] = known
        return known

    def read_ahead(self, market_ids: Sequence[MarketId]) -> None:
        for market_id in market_ids:
            self.of(market_id)

    def fees_of(self, market_id: str) -> FeeSchedule | None:
        """Asks nobody: None where the market has not been read, or does not say."""
        known = self._terms.get(MarketId(market_id))
        return None if known is None else known.fees
