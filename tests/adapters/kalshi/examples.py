"""Markets and frames of the documented shapes for the Kalshi tests, with defaults. Nothing here was recorded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from adapters.kalshi.catalog import market_from_tape
from adapters.kalshi.session import KalshiSession
from models.clock import MS, BootNs
from models.market import Market

TICKER = "KXSIM-26DEC31-A"
OTHER = "KXSIM-26DEC31-B"
EVENT = "KXSIM-26DEC31"
CENTS = [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}]
TAPERED = [
    {"start": "0.0000", "end": "0.1000", "step": "0.0010"},
    {"start": "0.1000", "end": "0.9000", "step": "0.0100"},
    {"start": "0.9000", "end": "1.0000", "step": "0.0010"},
]
TS = 1_763_800_000_000
SID = 1
STATES_SID = 2


def tape_entry(ticker: str = TICKER, **changes: Any) -> dict[str, Any]:
    entry = {
        "market_id": ticker,
        "title": f"Will {ticker} happen?",
        "price_ranges": CENTS,
        "fee_type": "quadratic",
        "fee_multiplier": "1",
        "exchange_index": 0,
        "event_id": EVENT,
        "mutually_exclusive": True,
    }
    return entry | changes


def a_market(ticker: str = TICKER, **changes: Any) -> Market:
    return market_from_tape(tape_entry(ticker, **changes), "2026-11-22")


def subscribed(sid: int = SID, channel: str = "orderbook_delta", number: int = 1) -> dict[str, Any]:
    return {"type": "subscribed", "id": number, "msg": {"channel": channel, "sid": sid}}


def snapshot(
    seq: int,
    ticker: str = TICKER,
    yes: Sequence[tuple[str, str]] = (("0.3900", "5.00"), ("0.4000", "25.00")),
    no: Sequence[tuple[str, str]] = (("0.5800", "10.00"),),
    **more: Any,
) -> dict[str, Any]:
    """Empty sides are left out, as the venue does."""
    sides = {"yes_dollars_fp": yes, "no_dollars_fp": no}
    msg = {"market_ticker": ticker, "market_id": "5e11a000-0000-4000-8000-00000000000a"}
    msg |= {name: [list(level) for level in side] for name, side in sides.items() if side}  # type: ignore[misc]
    return {"type": "orderbook_snapshot", "sid": SID, "seq": seq, "msg": msg} | more


def delta(
    seq: int, side: str, price: str, difference: str, *, ts: int = TS, ticker: str = TICKER, sid: int = SID
) -> dict[str, Any]:
    return {
        "type": "orderbook_delta",
        "sid": sid,
        "seq": seq,
        "sending_ts_ms": ts + 2,
        "msg": {
            "market_ticker": ticker,
            "market_id": "5e11a000-0000-4000-8000-00000000000a",
            "price_dollars": price,
            "delta_fp": difference,
            "side": side,
            "ts_ms": ts,
        },
    }


def lifecycle(event_type: str, seq: int = 1, ticker: str = TICKER, **more: Any) -> dict[str, Any]:
    msg = {"event_type": event_type, "market_ticker": ticker} | more
    return {"type": "market_lifecycle_v2", "sid": STATES_SID, "seq": seq, "msg": msg}


class Connection:
    """A session with a clock in milliseconds, and everything it said."""

    def __init__(self, *markets: Market, **options: Any) -> None:
        self.session = KalshiSession(list(markets) or [a_market()], 3, **options)
        self.ms = 1_000
        self.sent_idle: list[dict[str, Any]] = []
        """What was sent while nothing came."""
        self.opening = [json.loads(command) for command in self.session.opening()]

    @property
    def now(self) -> BootNs:
        return BootNs(self.ms * MS)

    def told(self, *frames: object) -> list[Any]:
        """The events of frames that come now, one after the other."""
        events: list[Any] = []
        for frame in frames:
            raw = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
            events += self.session.on_text(raw, self.now)
        return events

    def idle(self, ms: int) -> list[Any]:
        """The events while `ms` pass without a frame, each at its own moment."""
        until = self.ms + ms
        events: list[Any] = []
        while (due := self.session.due()) is not None and due <= until * MS:
            self.ms = max(self.ms, -(-due // MS))
            events += self.session.on_idle(self.now)
            self.sent_idle += self.sent()
        self.ms = until
        return events

    def sent(self) -> list[dict[str, Any]]:
        """The commands that the session wants to send now."""
        return [json.loads(command) for command in self.session.outgoing()]


def dollars(text: str) -> int:
    """Micro-dollars, or micro-shares."""
    return int(Decimal(text) * 1_000_000)
