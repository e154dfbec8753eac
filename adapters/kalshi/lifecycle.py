"""What the lifecycle channel says about watched markets: pauses, closes, results, price grids, fees. Pure.

Source: kalshi.md 2.3, 8.6 and 9.1 (read 2026-11-22). Closing comes with time and without a frame, so it is reckoned
from the close time that was last named. Fee terms that are not those that the bot started with pause their markets
until the next start: a decision on old terms would be a wrong one. So does a message about a watched market that cannot
be read. What is said about other markets is not even decoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from adapters.kalshi.fees import fee_rate
from adapters.kalshi.frames import ABOUT, FEE_UPDATE, LIFECYCLE, UNREADABLE, FeeUpdate, Lifecycle
from adapters.kalshi.wire import WireError, price_bands, settlement
from models.clock import BootNs
from models.fees import FeesUnknownError
from models.market import Market, MarketId, MarketStatus, Outcome
from models.messages import MarketResolved, StatusChanged, TickChanged
from models.money import MICRO

LifecycleEvent = StatusChanged | MarketResolved | TickChanged


@dataclass(slots=True)
class Standing:
    """What is known of markets for longer than one connection, which tells of changes only."""

    paused: set[MarketId] = field(default_factory=set)
    """They do not trade now, as far as was told."""
    stopped: set[MarketId] = field(default_factory=set)
    """They are not traded any more in this run, whatever is said about them: over, or not what the catalog said at the
    start.
    """


class Lifecycles:
    """Watched markets' states on one connection. Owned by the thread that reads it."""

    def __init__(self, markets: Sequence[Market], generation: int, standing: Standing) -> None:
        """`standing` is that of the run; it is kept up to date."""
        self._paused = standing.paused
        self._stopped = standing.stopped
        self._markets = {str(market.market_id): market for market in markets}
        self._generation = generation
        self._closes_ms = {m.market_id: m.closes_at_ms for m in markets if m.closes_at_ms is not None}
        self.next_close_ms = min(self._closes_ms.values(), default=None)
        self.failed = 0

    def paused_now(self) -> Iterator[StatusChanged]:
        """What was known before this connection. It is older than any answer: the end of a pause may have been told to
        nobody, so the catalog is asked besides (`adapter`).
        """
        for market in self._markets.values():
            if market.market_id in self._paused:
                yield StatusChanged(market.market_id, MarketStatus.PAUSED, "inactive", BootNs(0))

    def told(self, raw: msgspec.Raw, at: BootNs) -> Iterator[LifecycleEvent]:
        """The events of one `market_lifecycle_v2` message."""
        market = self._about(raw)
        if market is None:
            return
        try:
            yield from self._told(market, LIFECYCLE.decode(raw), at)
        except (*UNREADABLE, WireError):
            yield self._unreadable(market, at)

    def fees_changed(self, raw: msgspec.Raw, at: BootNs) -> Iterator[StatusChanged]:
        """The events of one `event_fee_update` message."""
        try:
            event_ticker = ABOUT.decode(raw).event_ticker
        except UNREADABLE:
            self.failed += 1
            return
        for market in self._markets.values():
            if market.event_id != event_ticker:
                continue
            try:
                same = _same_terms(market, FEE_UPDATE.decode(raw))
            except UNREADABLE:
                yield self._unreadable(market, at)
                continue
            if not same:
                self._stopped.add(market.market_id)
                yield StatusChanged(market.market_id, MarketStatus.PAUSED, "fee terms changed: start again", at)

    def closed_by(self, exchange_ms: int, at: BootNs) -> Iterator[StatusChanged]:
        """The markets whose close time the exchange's clock has passed, each once."""
        for market_id, closes_ms in list(self._closes_ms.items()):
            if closes_ms <= exchange_ms:
                self._closes(market_id, None)
                if market_id not in self._stopped:
                    yield StatusChanged(market_id, MarketStatus.CLOSED, "close time", at)

    # -- inside

    def _about(self, raw: msgspec.Raw) -> Market | None:
        try:
            return self._markets.get(ABOUT.decode(raw).market_ticker)
        except UNREADABLE:
            self.failed += 1
            return None

    def _unreadable(self, market: Market, at: BootNs) -> StatusChanged:
        self.failed += 1
        self._stopped.add(market.market_id)
        return StatusChanged(market.market_id, MarketStatus.PAUSED, "a state that cannot be read: start again", at)

    def _told(self, market: Market, message: Lifecycle, at: BootNs) -> Iterator[LifecycleEvent]:
        market_id = market.market_id
        match message.event_type:
            case "deactivated":
                self._paused.add(market_id)
                yield StatusChanged(market_id, MarketStatus.PAUSED, "deactivated", at)
            case "activated":
                closed = message.is_deactivated or market_id in self._stopped
                self._paused.discard(market_id)
                yield StatusChanged(market_id, MarketStatus.PAUSED if closed else MarketStatus.OPEN, "activated", at)
            case "close_date_updated" if message.close_ts is not None:
                self._closes(market_id, message.close_ts * 1_000)
            case "determined":
                self._stopped.add(market_id)
                yield StatusChanged(market_id, MarketStatus.CLOSED, "determined", at)
            case "settled":
                self._stopped.add(market_id)
                yield _settled(market_id, message, at)
            case "price_level_structure_updated":
                tick = min(band.step for band in price_bands(message.price_ranges or ()))
                yield TickChanged(market_id, self._generation, tick, at)
            case _:
                return

    def _closes(self, market_id: MarketId, closes_ms: int | None) -> None:
        if closes_ms is None:
            self._closes_ms.pop(market_id, None)
        else:
            self._closes_ms[market_id] = closes_ms
        self.next_close_ms = min(self._closes_ms.values(), default=None)


def _settled(market_id: MarketId, message: Lifecycle, at: BootNs) -> StatusChanged | MarketResolved:
    yes_pays = settlement(message.result, message.settlement_value)
    if yes_pays is None:
        return StatusChanged(market_id, MarketStatus.CLOSED, "settled, payout not named", at)
    return MarketResolved(market_id, {MICRO: Outcome.YES, 0: Outcome.NO}.get(yes_pays), yes_pays, at)


def _same_terms(market: Market, message: FeeUpdate) -> bool:
    """Whether the update names exactly the terms that the market was started with."""
    if message.fee_type_override is None or message.fee_multiplier_override is None:
        return False
    try:
        return fee_rate(message.fee_type_override, message.fee_multiplier_override) == market.fees.rate_micros
    except FeesUnknownError:
        return False
