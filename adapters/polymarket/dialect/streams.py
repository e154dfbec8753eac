"""The market and the user channel as pure logic, on top of the exchange's own connections, levers and delays.

Source: polymarket.md 3, 4 and 15 (read 2026-11-22). A market is subscribed to by tokens; a change of one token shows on
the other, so both travel in one message, also to a client that asked for one of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import msgspec

from adapters.polymarket.dialect import books
from adapters.polymarket.dialect.books import EntryBody, PriceChangeBody, Tape
from adapters.polymarket.dialect.markets import Listed, Listings
from adapters.polymarket.dialect.wallets import Wallets
from adapters.polymarket.frames import BookFields
from adapters.simulated.faults import LeverName, Levers, duration_ns
from adapters.simulated.listing import Listing
from adapters.simulated.streams import Close, Send, Streams
from models.book import Change
from models.clock import MS, SECOND
from models.market import MarketId, Outcome

ASSETS_MAX: Final = 500
PING_SILENCE_NS: Final = 30 * SECOND
"""A socket that sends no PING for this long is closed (15.1; the venue's own limit is not published)."""
NO_PING: Final = 1008
NOT_ALLOWED: Final = 1008
UNSIGNED: Final = ""
"""Account of a user connection that has not said who it is. No account has this name."""
PONG: Final = b"PONG"
NO_NEW_ASSETS: Final = b"NO NEW ASSETS"


class _Auth(msgspec.Struct):
    api_key: str = msgspec.field(default="", name="apiKey")
    secret: str = ""
    passphrase: str = ""


class _Message(msgspec.Struct):
    """Whatever a client may say on either channel."""

    type: str = ""
    operation: str = ""
    assets_ids: list[str] = []
    markets: list[str] = []
    initial_dump: bool = True
    custom_feature_enabled: bool | None = None
    auth: _Auth | None = None


_MESSAGE: Final = msgspec.json.Decoder(_Message)


@dataclass(slots=True)
class _Client:
    pinged_at: int
    assets: set[str] = field(default_factory=set)
    custom: bool = False
    conditions: set[str] = field(default_factory=set)
    """Markets of a user connection; empty means all of them."""


class PolymarketStreams(Streams):
    """Owned by whoever owns the exchange. Times in ns."""

    def __init__(
        self, listings: dict[MarketId, Listing], levers: Levers, listed: Listings, tapes: dict[MarketId, Tape]
    ) -> None:
        super().__init__(listings, levers)
        self._listed = listed
        self._tapes = tapes
        self._clients: dict[int, _Client] = {}
        self._shuffle = random.Random("frames after a trade")
        self.wallets = Wallets([])
        self.now = 0

    # -- clients

    def open(self, account: str | None) -> int:
        connection = super().open(account)
        self._clients[connection] = _Client(self.now)
        return connection

    def forget(self, connection: int) -> None:
        super().forget(connection)
        self._clients.pop(connection, None)

    def receive(self, connection: int, message: bytes | str, now: int) -> None:
        """PING, a subscription, a log-in. What cannot be read is ignored, as the venue does."""
        self.now = now
        peer, client = self._connections.get(connection), self._clients.get(connection)
        if peer is None or client is None or peer.frozen:
            return
        if message in (b"PING", "PING"):
            client.pinged_at = now
            self._queue(peer, Send(connection, PONG), now)
            return
        try:
            said = _MESSAGE.decode(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return
        if peer.account is None:
            self._subscribe(connection, client, said, now)
        elif peer.account == UNSIGNED:
            self._log_in(connection, client, said, now)
        elif said.operation == "unsubscribe":
            client.conditions -= set(said.markets)
        else:
            client.conditions |= set(said.markets)

    def heartbeat(self, now: int) -> None:
        """The venue has no heartbeat of its own; it only notices who has stopped to ping."""
        self.now = now
        for connection, client in list(self._clients.items()):
            peer = self._connections.get(connection)
            if peer is None:
                del self._clients[connection]
            elif now - client.pinged_at > PING_SILENCE_NS and not peer.frozen:
                self._queue(peer, Close(connection, NO_PING), now)
                self.forget(connection)

    # -- what is told

    def publish_changes(self, market_id: MarketId, changes: Iterable[Change], now: int) -> None:
        self._tapes[market_id].changed_at = now
        super().publish_changes(market_id, changes, now)
        if self._levers.pull(LeverName.EMPTY, market=market_id):
            self._to_subscribers(market_id, b"[]", now, None)
            self._to_subscribers(market_id, NO_NEW_ASSETS, now, None)
        self._publish_best(market_id, now)

    def publish_trade(self, market_id: MarketId, outcome: Outcome, at: int, shares: int, side: str, now: int) -> None:
        """The last price and both books, in an order that nobody has promised."""
        listed, tape = self._listed.by_condition[market_id], self._tapes[market_id]
        tape.last_trade[outcome] = books.price(at)
        tape.last_trade[outcome.other] = books.price(1_000_000 - at)
        last = {
            "event_type": "last_trade_price",
            "market": market_id,
            "asset_id": listed.token(outcome),
            "price": books.price(at),
            "size": books.size(shares),
            "side": side,
            "fee_rate_bps": "0",
            "timestamp": str(now // MS),
            "transaction_hash": "",
        }
        frames = [books.encode(last), *(self._book(market_id, outcome) for outcome in Outcome)]
        self._shuffle.shuffle(frames)
        for frame in frames:
            self._to_subscribers(market_id, frame, now, None)

    def publish_tick(self, market_id: MarketId, old: str, new: str, now: int) -> None:
        """Once per token, and once more: duplicates occur."""
        listed = self._listed.by_condition[market_id]
        for token in (*listed.tokens, listed.tokens[0]):
            change = {
                "event_type": "tick_size_change",
                "market": market_id,
                "asset_id": token,
                "old_tick_size": old,
                "new_tick_size": new,
                "timestamp": str(now // MS),
            }
            self._to_subscribers(market_id, books.encode(change), now, None)
        for outcome in Outcome:
            self._to_subscribers(market_id, self._book(market_id, outcome), now, None)

    def publish_resolution(self, market_id: MarketId, winner: Outcome, now: int) -> None:
        """To everybody with the extra events, whatever they have subscribed to."""
        listed = self._listed.by_condition[market_id]
        event = {
            "event_type": "market_resolved",
            "id": "1",
            "market": market_id,
            "assets_ids": list(listed.tokens),
            "winning_asset_id": listed.token(winner),
            "winning_outcome": listed.outcomes[0 if winner is Outcome.YES else 1],
            "timestamp": str(now // MS),
            "tags": [],
        }
        self._to_custom(lambda _: True, books.encode(event), now)

    def publish_news(self, account: str, condition_id: str, document: dict[str, Any], now: int, later: int) -> None:
        """One message to the user connections of an account that follow the market, `later` ns from now."""
        pull = self._levers.pull
        if pull(LeverName.USER_DROP, account=account):
            return
        copies = 2 if pull(LeverName.USER_DUPLICATE, account=account) else 1
        late = pull(LeverName.USER_DELAY, account=account)
        due = now + later + (duration_ns(late.delay) if late is not None else 0)
        data = books.encode(document)
        for connection, peer in self._connections.items():
            client = self._clients[connection]
            wanted = not client.conditions or condition_id in client.conditions
            if peer.account == account and wanted and not peer.frozen:
                for _ in range(copies):
                    self._queue(peer, Send(connection, data), due)

    # -- inside

    def _subscribe(self, connection: int, client: _Client, said: _Message, now: int) -> None:
        peer = self._connections[connection]
        if said.custom_feature_enabled is not None:
            client.custom = said.custom_feature_enabled
        if said.operation == "unsubscribe":
            client.assets -= set(said.assets_ids)
            for market_id in list(peer.markets):
                if not client.assets & set(self._listed.by_condition[market_id].tokens):
                    del peer.markets[market_id]
            return
        fresh = [t for t in dict.fromkeys(said.assets_ids) if t in self._listed.by_token and t not in client.assets]
        fresh = fresh[: max(0, ASSETS_MAX - len(client.assets))]
        client.assets |= set(fresh)
        shown = [self._listed.by_token[token] for token in fresh]
        peer.markets.update({one.market.market_id: None for one, _ in shown})
        if shown and said.initial_dump:
            dump = [
                books.book_frame(self._fields(one, outcome))
                for one, outcome in shown
                if self._silent.get(one.market.market_id, 0) <= now
            ]
            self._queue(peer, Send(connection, books.encode(dump)), now)

    def _log_in(self, connection: int, client: _Client, said: _Message, now: int) -> None:
        peer, auth = self._connections[connection], said.auth or _Auth()
        wallet = self.wallets.stream(auth.api_key, auth.secret, auth.passphrase)
        if wallet is None:
            self._queue(peer, Close(connection, NOT_ALLOWED), now)
            self.forget(connection)
            return
        peer.account = wallet.account
        client.conditions = set(said.markets)

    def _delta(self, market_id: MarketId, seq: int, now: int, changes: Iterable[Change]) -> bytes:  # noqa: ARG002  this venue has no sequence numbers
        body = books.price_change(
            self._listed.by_condition[market_id], self._listings[market_id], self._tapes[market_id], changes
        )
        if self._levers.pull(LeverName.HALF, market=market_id):
            first = body.price_changes[0].asset_id
            half = [entry for entry in body.price_changes if entry.asset_id == first]
            body = msgspec.structs.replace(body, price_changes=half)
        elif late := self._levers.pull(LeverName.LATE_HALF, market=market_id):
            body, other = _parted(body)
            self._to_subscribers(market_id, books.encode(other), now + duration_ns(late.delay), None)
        return books.encode(body)

    def _lottery(self, market_id: MarketId) -> bytes:
        return books.encode({"event_type": "lottery", "market": market_id})

    def _fields(self, listed: Listed, outcome: Outcome) -> BookFields:
        market_id = listed.market.market_id
        return books.book(listed, self._listings[market_id], self._tapes[market_id], outcome)

    def _book(self, market_id: MarketId, outcome: Outcome) -> bytes:
        """A `book` event after a trade, through the levers that concern it."""
        fields = self._fields(self._listed.by_condition[market_id], outcome)
        pull = self._levers.pull
        shown = self._tapes[market_id].shown
        earlier, shown[outcome] = shown.get(outcome), fields
        if earlier is not None and pull(LeverName.STALE_BOOK, market=market_id):
            fields = earlier
        if pull(LeverName.REVERSED_LEVELS, market=market_id):
            fields = msgspec.structs.replace(fields, bids=fields.bids[::-1], asks=fields.asks[::-1])
        document = msgspec.to_builtins(books.book_frame(fields))
        if pull(LeverName.BARE_BOOK, market=market_id):
            for name in ("tick_size", "min_order_size", "neg_risk", "last_trade_price"):
                del document[name]
        return books.encode(document)

    def _publish_best(self, market_id: MarketId, now: int) -> None:
        """`best_bid_ask` for the tokens whose best prices have moved."""
        listed, listing, tape = (
            self._listed.by_condition[market_id],
            self._listings[market_id],
            self._tapes[market_id],
        )
        if self._silent.get(market_id, 0) > now:
            return
        for outcome, token in zip(Outcome, listed.tokens, strict=True):
            best = books.tops(listing, outcome)
            if tape.tops.get(outcome) != best:
                tape.tops[outcome] = best
                event = {
                    "event_type": "best_bid_ask",
                    "market": market_id,
                    "asset_id": token,
                    "best_bid": best[0],
                    "best_ask": best[1],
                    "spread": books.spread(listing, outcome),
                    "timestamp": str(now // MS),
                }
                self._to_custom(partial(_follows, token), books.encode(event), now)

    def _to_custom(self, wanted: Callable[[_Client], bool], data: bytes, now: int) -> None:
        for connection, peer in self._connections.items():
            client = self._clients[connection]
            if peer.account is None and client.custom and not peer.frozen and wanted(client):
                self._queue(peer, Send(connection, data), now)


def _parted(body: PriceChangeBody) -> tuple[PriceChangeBody, PriceChangeBody]:
    """One change as two messages, a token each."""
    first = body.price_changes[0].asset_id
    halves: tuple[list[EntryBody], list[EntryBody]] = ([], [])
    for entry in body.price_changes:
        halves[entry.asset_id != first].append(entry)
    one, other = (msgspec.structs.replace(body, price_changes=half) for half in halves)
    return one, other


def _follows(token: str, client: _Client) -> bool:
    return token in client.assets
