"""What an order in a market is made from: its tokens and whether the neg-risk contract settles it.

Read from the CLOB's compact market object and kept for the process: neither ever changes (polymarket.md 2.1, 2.3).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapters.polymarket.catalog import ClobMarket
from adapters.venue import VenueReadRefusedError
from models.market import MarketId, Outcome


@dataclass(frozen=True, slots=True)
class MarketTerms:
    yes_token: int
    no_token: int
    neg_risk: bool

    def token_id(self, outcome: Outcome) -> int:
        return self.yes_token if outcome is Outcome.YES else self.no_token


def terms_of(market: ClobMarket) -> MarketTerms:
    """Raises `VenueReadRefusedError` for a market of other than two tokens."""
    tokens = [token.t for token in market.t]
    if len(set(tokens)) != 2 or len(tokens) != 2 or not all(t.isascii() and t.isdigit() for t in tokens):
        raise VenueReadRefusedError("not a market of two tokens")
    return MarketTerms(int(tokens[0]), int(tokens[1]), market.nr)


class TermsBook:
    """The terms of the markets that are traded. Any thread; a market is read once."""

    def __init__(self, read: Callable[[str], ClobMarket]) -> None:
        """`read` asks the venue for one market (`PolymarketRest.clob_market`)."""
        self._read = read
        self._lock = threading.Lock()
        self._terms: dict[MarketId, MarketTerms] = {}
        self._tokens: dict[str, tuple[MarketId, Outcome]] = {}

    def of(self, market_id: MarketId) -> MarketTerms:
        """Raises `VenueReadError` or `VenueReadRefusedError` where the market has not been read and cannot be."""
        known = self._terms.get(market_id)
        if known is None:
            known = terms_of(self._read(market_id))
            with self._lock:
                self._terms[market_id] = known
                self._tokens[str(known.yes_token)] = (market_id, Outcome.YES)
                self._tokens[str(known.no_token)] = (market_id, Outcome.NO)
        return known

    def read_ahead(self, market_ids: Sequence[MarketId]) -> None:
        for market_id in market_ids:
            self.of(market_id)

    def holder_of(self, token: str) -> tuple[MarketId, Outcome] | None:
        """Market and outcome of a token, None where its market has not been read."""
        return self._tokens.get(token)
