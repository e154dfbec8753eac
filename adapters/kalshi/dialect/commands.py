"""What a client may say on the stream, and the codes that answer it (kalshi.md 8.2 and 8.3, read 2026-11-22)."""

from __future__ import annotations

from typing import Final

import msgspec

CHANNELS: Final = frozenset(
    {
        "orderbook_delta",
        "ticker",
        "trade",
        "fill",
        "market_positions",
        "user_orders",
        "order_group_updates",
        "market_lifecycle_v2",
    }
)
SEQUENCED: Final = frozenset({"orderbook_delta", "trade", "market_lifecycle_v2", "order_group_updates"})
"""The others carry no `seq`."""


class CommandError(ValueError):
    """Answered with a code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Params(msgspec.Struct):
    channels: list[str] | None = None
    market_ticker: str | None = None
    market_tickers: list[str] | None = None
    sid: int | None = None
    sids: list[int] | None = None
    action: str | None = None
    use_yes_price: bool | None = None
    skip_ticker_ack: bool | None = None
    send_initial_snapshot: bool | None = None

    def tickers(self) -> list[str]:
        one = [] if self.market_ticker is None else [self.market_ticker]
        return [*one, *(self.market_tickers or ())]


class Command(msgspec.Struct):
    cmd: str
    params: Params
    id: int = 0


class _Bare(msgspec.Struct):
    """What can be told about a command whose params are missing."""

    cmd: str = ""
    id: int = 0


_COMMANDS: Final = msgspec.json.Decoder(Command)
_BARE: Final = msgspec.json.Decoder(_Bare)


def command(message: bytes | str) -> Command:
    """Raises `CommandError`."""
    try:
        return _COMMANDS.decode(message)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        pass
    try:
        bare = _BARE.decode(message)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise CommandError(1, "Unable to process message") from None
    if bare.cmd == "list_subscriptions":
        return Command("list_subscriptions", Params(), bare.id)
    raise CommandError(2, "Params required")
