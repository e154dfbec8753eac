"""The commands of one connection, numbered, and those that wait to be sent (kalshi.md 8.2, read 2026-11-22). Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

BOOKS: Final = "orderbook_delta"
LIFECYCLES: Final = "market_lifecycle_v2"


class Commands:
    def __init__(self, tickers: Sequence[str], *, use_yes_price: bool) -> None:
        self._tickers = list(tickers)
        self._yes_leg = use_yes_price
        self._number = 0
        self._waiting: list[str] = []
        self._given_up: int | None = None

    def take(self) -> Sequence[str]:
        if not self._waiting:
            return ()
        waiting, self._waiting = self._waiting, []
        return waiting

    def queue(self, command: str) -> None:
        self._waiting.append(command)

    def subscribe_books(self) -> str:
        """`use_yes_price` is always said: the venue's default is going to flip (8.2)."""
        return self.made(
            "subscribe",
            {"channels": [BOOKS], "market_tickers": self._tickers, "use_yes_price": self._yes_leg},
        )

    def subscribe_states(self) -> str:
        return self.made("subscribe", {"channels": [LIFECYCLES]})

    def give_up(self, sid: int | None) -> None:
        """A subscription that `subscribe_again` has to end first: a second one would only be added to it."""
        if sid is not None:
            self._given_up = sid

    def subscribe_again(self) -> None:
        if self._given_up is not None:
            self.queue(self.made("unsubscribe", {"sids": [self._given_up]}))
            self._given_up = None
        self.queue(self.subscribe_books())

    def ask(self, sid: int | None, tickers: Sequence[str]) -> None:
        """Snapshots within the stream: they have their place in its sequence."""
        if tickers and sid is not None:
            params = {"sids": [sid], "market_tickers": [str(t) for t in tickers], "action": "get_snapshot"}
            self.queue(self.made("update_subscription", params))

    def made(self, cmd: str, params: dict[str, Any]) -> str:
        self._number += 1
        return json.dumps({"id": self._number, "cmd": cmd, "params": params}, separators=(",", ":"))
