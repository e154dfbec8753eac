"""Where the program keeps its files, how it stays connected, and where each venue is reached."""

from __future__ import annotations

import enum
import re
from typing import Annotated, Final

from pydantic import Field

from models.clock import seconds_ns
from models.config_kinds import Bounds, Count, Seconds, Text, Url, Word
from models.config_section import Section


class WalletType(enum.StrEnum):
    """Polymarket signature types 0 to 3 (venues/polymarket 8.2)."""

    EOA = "eoa"
    PROXY = "proxy"
    SAFE = "safe"
    DEPOSIT = "deposit"


PATH: Final = Text("a path of printable signs", re.compile(r".{1,1000}"))


class Data(Section):
    directory: Annotated[str, PATH] = Field(
        default="data", description="Socket, lock, permit, history and logs live here."
    )
    sqlite_path: Annotated[str, PATH] = Field(default="data/ledger.sqlite", description="The ledger.")
    log_level: Annotated[str, Word({level: level for level in ("debug", "info", "warning", "error")})] = Field(
        default="info", description="Least severity that is logged."
    )
    tick_sample_seconds: Annotated[float, Seconds(Bounds(at_least="0", at_most="3600"))] = Field(
        default=60.0, description="Every market's top of book is stored this often. 0 = never."
    )


class Reconnect(Section):
    initial_backoff_seconds: Annotated[float, Seconds(Bounds(at_least="0.05", at_most="60"))] = Field(
        default=0.5,
        description="Upper bound of the first pause; it doubles with every failure. Each pause is drawn at random.",
    )
    max_backoff_seconds: Annotated[float, Seconds(Bounds(at_least="0.1", at_most="600"))] = Field(
        default=30.0, description="Upper bound of every pause."
    )
    healthy_after_seconds: Annotated[float, Seconds(Bounds(at_least="0", at_most="3600"))] = Field(
        default=60.0, description="A connection that lives this long sets the pause back to its first value."
    )


class Runtime(Section):
    reconnect: Reconnect = Field(default=Reconnect(), description="How the market data connection comes back.")
    handshake_timeout_seconds: Annotated[float, Seconds(Bounds(at_least="0.1", at_most="60"))] = Field(
        default=5.0, description="Whole time to connect, TLS and WebSocket upgrade included."
    )
    message_timeout_seconds: Annotated[float, Seconds(Bounds(at_least="0.1", at_most="60"))] = Field(
        default=4.0, description="Whole time for one message, from its first byte to its last."
    )
    heartbeat_seconds: Annotated[float, Seconds(Bounds(at_least="0.1", at_most="300"))] = Field(
        default=4.0, description="A ping is sent at least this often; a venue's own rule may be stricter."
    )
    pong_timeout_seconds: Annotated[float, Seconds(Bounds(at_least="0.1", at_most="300"))] = Field(
        default=4.0,
        description="A ping that is not answered within this time, or a venue's shorter one, means a dead connection.",
    )
    max_book_age_seconds: Annotated[float, Seconds(Bounds(at_least="0.05", at_most="3600"))] = Field(
        default=10.0, description="Since the last evidence that a book is current; older books are never traded on."
    )
    max_leg_skew_ms: Annotated[int, Count("milliseconds", 0, 60_000)] = Field(
        default=500, description="Most that the legs of a set may lie apart in time."
    )
    max_lag_ms: Annotated[int, Count("milliseconds", 1, 600_000)] = Field(
        default=2_000,
        description="From the exchange's timestamp to our handling of it; a later book is never traded on, one 4 "
        "times as late not ready.",
    )
    silent_market_seconds: Annotated[float, Seconds(Bounds(at_least="0.1", at_most="86400"))] = Field(
        default=60.0, description="A subscribed market that says nothing for this long is not ready until a snapshot."
    )
    rate_budget_per_second: Annotated[int, Count("requests per second", 1, 1_000)] = Field(
        default=5, description="REST requests to one venue; a part of it is kept free for cancels and protection."
    )
    reconcile_minutes: Annotated[int, Count("minutes", 1, 1_440)] = Field(
        default=5,
        description="Orders, fills and positions are compared with the venue this often, and on every reconnect.",
    )
    max_clock_skew_ms: Annotated[int, Count("milliseconds", 1, 60_000)] = Field(
        default=1_000, description="Most that this machine's clock may differ from the venue's."
    )

    @property
    def max_book_age_ns(self) -> int:
        return seconds_ns(self.max_book_age_seconds)

    @property
    def silent_market_ns(self) -> int:
        return seconds_ns(self.silent_market_seconds)


class VenueOptions(Section):
    """Where one venue is reached. Keys and wallets are secrets and live in .env."""

    rest_url: Annotated[str | None, Url("https", "http")] = Field(default=None, description="REST interface.")
    ws_url: Annotated[str | None, Url("wss", "ws")] = Field(default=None, description="Market data WebSocket.")
    user_ws_url: Annotated[str | None, Url("wss", "ws")] = Field(
        default=None, description="Private WebSocket: orders, fills."
    )
    catalog_url: Annotated[str | None, Url("https", "http")] = Field(
        default=None, description="Market catalog (Polymarket)."
    )
    data_url: Annotated[str | None, Url("https", "http")] = Field(default=None, description="Positions (Polymarket).")
    eligibility_url: Annotated[str | None, Url("https", "http")] = Field(
        default=None,
        description="Says whether this place may trade; blocked or unreachable means no live trading. Obeyed beside a "
        "rest_url that is not the venue's own, else the venue itself is asked.",
    )
    wallet_type: Annotated[WalletType | None, Word({w.value: w for w in WalletType}, optional=True)] = Field(
        default=None, description="How the account was made (Polymarket, needed for live)."
    )
    subaccount: Annotated[int | None, Count("number", 0, 63, optional=True)] = Field(
        default=None, description="Account within the account (Kalshi). Empty = the primary one."
    )
