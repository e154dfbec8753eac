"""One market-channel connection: what to send, and frames in, events out. Pure; the feed owns the socket.

Source: polymarket.md 3.1 to 3.3 (read 2026-11-22).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from adapters.feed import HeartbeatPolicy
from adapters.polymarket.wire import FeedEvent, FrameDecoder, WireCounts
from models.clock import BootNs, Clock
from models.market import Market

ASSETS_PER_SOCKET: Final = 200
"""No limit is published; above 500 the initial books once stopped coming, and a mature adapter stays at 200 (3.3)."""

HEARTBEAT: Final = HeartbeatPolicy(kind="text", period_s=4.0, pong_timeout_s=4.0)
"""The venue asks for a text PING at least every 10 s (3.2); ours come sooner, so that a dead link is seen in 8 s."""


class PolymarketSession:
    """`adapters.feed.FeedSession` for both tokens of every market, on one socket, so mirrored changes stay together."""

    def __init__(self, markets: Sequence[Market], generation: int, clock: Clock | None = None) -> None:
        self._assets = [token for market in markets for token in (market.yes_instrument, market.no_instrument)]
        if len(self._assets) > ASSETS_PER_SOCKET:
            raise ValueError(f"{len(markets)} markets on one socket; at most {ASSETS_PER_SOCKET // 2} fit")
        self._decoder = FrameDecoder(markets, generation, clock)

    @property
    def counts(self) -> WireCounts:
        return self._decoder.counts

    def opening(self) -> Sequence[str]:
        subscription = {"type": "market", "assets_ids": self._assets, "custom_feature_enabled": True}
        return (json.dumps(subscription, separators=(",", ":")),)

    def on_text(self, frame: bytes, received_at: BootNs) -> Sequence[FeedEvent]:
        return self._decoder.decode(frame, received_at)

    def heartbeat(self) -> HeartbeatPolicy:
        return HEARTBEAT

    def outgoing(self) -> Sequence[str]:
        return ()
