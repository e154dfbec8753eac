"""Clients' commands on the stream, obeyed or answered with a code (kalshi.md 8.2 and 8.3, read 2026-11-22)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from adapters.kalshi.dialect.commands import CHANNELS, Command, CommandError, Params
from adapters.kalshi.dialect.peers import ENDED, Frame, Peer, Subscription
from models.market import MarketId

SUBSCRIPTION_MAX: Final = 10_000
"""Markets of one subscription; the venue's own number is not published."""


class Sender(Protocol):
    """What the commands need from the streams."""

    def put(self, peer: Peer, frame: Frame, due: int) -> None: ...

    def due_of(self, market_id: MarketId, now: int) -> int:
        """When a frame of a market goes out."""
        ...

    def levels(self, market_id: MarketId, *, yes: bool) -> dict[str, Any]:
        """A whole book; `yes` prices NO in the YES leg."""
        ...


class Obedience:
    """Carries out commands. `tickers` are those that exist."""

    def __init__(self, sender: Sender, tickers: Mapping[str, object]) -> None:
        self._to = sender
        self._tickers = tickers

    def obey(self, connection: int, peer: Peer, asked: Command, now: int) -> None:
        match asked.cmd:
            case "subscribe":
                self._subscribe(connection, peer, asked, now)
            case "unsubscribe":
                for sid in self._sids(peer, asked.params):
                    self._to.put(peer, Frame(connection, {"type": "unsubscribed", "id": asked.id}, sid), now)
                    self.end(connection, peer, sid, now)
            case "update_subscription":
                self._update(connection, peer, asked, now)
            case "list_subscriptions":
                listed = [{"channel": s.channel, "sid": s.sid} for s in peer.live]
                self._to.put(peer, Frame(connection, {"type": "ok", "id": asked.id, "msg": listed}), now)
            case _:
                raise CommandError(5, "Unknown command")

    def _subscribe(self, connection: int, peer: Peer, asked: Command, now: int) -> None:
        params = asked.params
        if not params.channels:
            raise CommandError(3, "Channels required")
        if unknown := [channel for channel in params.channels if channel not in CHANNELS]:
            raise CommandError(8, f"Unknown channel name {unknown[0][:40]}")
        tickers = params.tickers()
        for channel in params.channels:
            if channel == "orderbook_delta" and not tickers:
                raise CommandError(14, "Market ticker required")
            self._known(tickers)
            subscription = peer.of(channel)
            if subscription is None:
                sid = next(iter(peer.sids))
                subscription = peer.subscriptions[sid] = Subscription(channel, sid)
                subscription.use_yes_price = bool(params.use_yes_price)
            self._add(subscription, tickers)
            told = {"type": "subscribed", "id": asked.id, "msg": {"channel": channel, "sid": subscription.sid}}
            self._to.put(peer, Frame(connection, told), now)
            if channel == "orderbook_delta":
                self._snapshots(connection, peer, subscription, tickers, now, 0)

    def _update(self, connection: int, peer: Peer, asked: Command, now: int) -> None:
        params = asked.params
        sids = self._sids(peer, params)
        if len(sids) != 1:
            raise CommandError(12, "Exactly one subscription id required")
        if params.action is None:
            raise CommandError(15, "Action required")
        subscription = peer.subscriptions[sids[0]]
        tickers = params.tickers()
        if not tickers:
            raise CommandError(14, "Market ticker required")
        self._known(tickers)
        if params.action == "get_snapshot" and subscription.channel == "orderbook_delta":
            self._snapshots(connection, peer, subscription, tickers, now, asked.id)
            return
        if params.action == "add_markets":
            fresh = [ticker for ticker in tickers if ticker not in subscription.tickers]
            self._add(subscription, tickers)
        elif params.action == "delete_markets":
            fresh = []
            for ticker in tickers:
                subscription.tickers.pop(ticker, None)
        else:
            raise CommandError(13, "Unsupported action")
        told = {"type": "ok", "id": asked.id, "msg": {"market_tickers": list(subscription.tickers)}}
        self._to.put(peer, Frame(connection, told, subscription.sid), now)
        if subscription.channel == "orderbook_delta":
            self._snapshots(connection, peer, subscription, fresh, now, 0)

    def _sids(self, peer: Peer, params: Params) -> list[int]:
        sids = [*(params.sids or ()), *([params.sid] if params.sid is not None else [])]
        if not sids:
            raise CommandError(4, "Subscription ids required")
        if not set(sids) <= {subscription.sid for subscription in peer.live}:
            raise CommandError(7, "Unknown subscription id")
        return sids

    def _add(self, subscription: Subscription, tickers: Iterable[str]) -> None:
        wanted = subscription.tickers | dict.fromkeys(tickers)
        if len(wanted) > SUBSCRIPTION_MAX:
            raise CommandError(26, "Subscription market limit exceeded")
        subscription.tickers = wanted

    def _known(self, tickers: Iterable[str]) -> None:
        if any(ticker not in self._tickers for ticker in tickers):
            raise CommandError(11, "Invalid parameter: market_tickers")

    def end(self, connection: int, peer: Peer, sid: int, now: int) -> None:
        """The subscription is gone when its last frame has gone out."""
        peer.subscriptions[sid].ending = True
        self._to.put(peer, Frame(connection, {"type": ENDED}, sid), now)

    def _snapshots(
        self, connection: int, peer: Peer, subscription: Subscription, tickers: Iterable[str], now: int, number: int
    ) -> None:
        for ticker in tickers:
            market_id = MarketId(ticker)
            body: dict[str, Any] = {
                "type": "orderbook_snapshot",
                "msg": self._to.levels(market_id, yes=subscription.use_yes_price),
            }
            if number:
                body["id"] = number
            self._to.put(peer, Frame(connection, body, subscription.sid), self._to.due_of(market_id, now))
