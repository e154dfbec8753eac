"""The port: what the bot needs from a venue. A third venue is one folder that fills these two protocols and one
registry line.

| method (BRD section 8)     | protocol   | blocking | called on            | network |
| -------------------------- | ---------- | -------- | -------------------- | ------- |
| `markets`, `find`          | MarketData | yes      | start-up, `find`     | REST    |
| `connect_ws`               | MarketData | no       | feed thread          | none    |
| `subscribe_markets`        | MarketData | no       | feed thread          | none    |
| `get_snapshot_rest`        | MarketData | yes      | snapshot lane        | REST    |
| `resolutions`              | Resolves   | yes      | account lane         | REST    |
| `get_ready`                | Orders     | yes      | start-up             | REST    |
| `prepare`                  | Orders     | yes      | opening, protective  | seldom  |
| `place_order(s)`           | Orders     | yes      | opening, protective  | REST    |
| `cancel_order`             | Orders     | yes      | protective lane      | REST    |
| `get_order_status`         | Orders     | yes      | read lane            | REST    |
| `open_orders`, `fills`     | Orders     | yes      | read, account lane   | REST    |
| `positions`, `balances`    | Orders     | yes      | account lane         | REST    |
| `listen_fills_ws`          | Orders     | no       | user feed thread     | none    |
| `merge`                    | Orders     | yes      | protective lane      | venue   |

Errors are three classes: a *definite refusal* is a value (`Refused`), a read that may be repeated raises
`VenueReadError`, and everything else about an order is `OutcomeUnknown`. No method retries by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from adapters.feed import FeedSession
from models.book import BookSnapshot
from models.clock import Clock
from models.market import BookModel, Market, MarketId, Outcome, VenueName
from models.money import MicroShares, MicroUsd
from models.orders import (
    CancelAnswer,
    CommittedIntent,
    Fill,
    OrderIntent,
    OrderSeen,
    ProbeAnswer,
    SubmitAnswer,
    VenueOrderId,
)


class VenueReadError(Exception):
    """A read failed (unreachable, 5xx, unreadable). It changed nothing and may be asked again later."""


class VenueReadRefusedError(Exception):
    """The venue answered a read with a definite no (401, 403, 404, blocked). Asking again changes nothing."""


class AccountRefusedError(VenueReadRefusedError):
    """401 or 403: the venue refuses the account (a key that was revoked, a clock outside its window, a blocked place),
    not the question. Trading stops.
    """


class MarketOverError(VenueReadRefusedError):
    """A market exists and is closed or resolved: right once, and not to be watched any more."""

    def __init__(self, market_id: MarketId, status: str) -> None:
        super().__init__(f"market {market_id} is {status}")
        self.market_id = market_id
        self.status = status


class MissingKeysError(ValueError):
    """A venue's private side cannot be built: the text names the variables that are not set, never their values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a venue has. The bot never guesses: what is not declared is not used."""

    book_model: BookModel
    ioc: bool
    fok: bool
    batch_max: int
    """Orders in one request; 1 means no batch. A batch is never atomic."""
    sequence_numbers: bool
    idempotent_ids: bool
    """Sending one client order id twice can never make two orders."""
    user_stream: bool
    merge: bool
    """YES + NO of one market can be turned into cash at once."""
    netting: bool
    """The venue itself nets YES against NO (a set cannot be held, cash comes back with the second fill)."""
    dead_man_switch: bool
    visibility_horizon_s: float
    """How long an accepted order may stay invisible to reads."""
    requests_per_second: int
    """Budget of one account, of which the protective lane keeps a reserve."""
    markets_per_connection: int | None = None
    """Markets that one WebSocket may carry; None: all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where and how to open a WebSocket. Headers may be signed, so each connection asks anew."""

    url: str
    headers: Mapping[str, str]


class MarketData(Protocol):
    """Public side: enough for paper mode and for replay. Builds no signer and knows no order endpoint (I19)."""

    name: VenueName
    capabilities: Capabilities

    def markets(self, market_ids: Sequence[MarketId]) -> list[Market]:
        """The catalog's word on exactly these markets, or `VenueReadRefusedError` naming what is unknown
        (`MarketOverError`: what is over).
        """
        ...

    def find(self, query: str) -> list[Market]:
        """Markets whose title matches, for `find QUERY`. At most 50."""
        ...

    def connect_ws(self) -> Endpoint: ...

    def subscribe_markets(self, markets: Sequence[Market], generation: int, clock: Clock) -> FeedSession:
        """The pure twin of one connection: what to send, and frame -> events. Made anew per connection."""
        ...

    def get_snapshot_rest(self, markets: Sequence[Market], generation: int, clock: Clock) -> list[BookSnapshot]:
        """Both outcomes of each market as of one instant where the venue can say so."""
        ...


@runtime_checkable
class Resolves(Protocol):
    """What a public side may have besides: the payout of markets that are over, for a bot that was away when they
    resolved. Without it such a payout is a difference that only the operator can explain.
    """

    def resolutions(self, market_ids: Sequence[MarketId]) -> Mapping[MarketId, int]:
        """Micro-dollars per YES share of those that have resolved; the others are left out."""
        ...


GateEntry = Callable[[], AbstractContextManager[bool]]
"""Opens the gate around the first byte of one request: yields False where the order must not leave (halted, no
permit).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    market_id: MarketId
    outcome: Outcome
    size: MicroShares


class Orders(Protocol):
    """Private side. Every method is called from a lane thread and returns within its total deadline."""

    name: VenueName
    capabilities: Capabilities

    def get_ready(self, markets: Sequence[Market]) -> None:
        """Read, once at start, what orders in these markets need, so that no order waits for it. Raises
        `VenueReadError` or `VenueReadRefusedError`.
        """
        ...

    def prepare(self, intent: OrderIntent) -> object:
        """Sign ahead of the commit where the venue signs orders; the result is handed back to `place_order`."""
        ...

    def place_order(self, committed: CommittedIntent, prepared: object, gate: GateEntry) -> SubmitAnswer: ...

    def place_orders(
        self, committed: Sequence[CommittedIntent], prepared: Sequence[object], gate: GateEntry
    ) -> list[SubmitAnswer]:
        """One request, answers in request order. Not atomic: every answer stands alone."""
        ...

    def cancel_order(self, intent: OrderIntent, venue_order_id: VenueOrderId | None) -> CancelAnswer: ...

    def get_order_status(self, intent: OrderIntent, venue_order_id: VenueOrderId | None) -> ProbeAnswer: ...

    def open_orders(self) -> list[OrderSeen]: ...

    def fills(self, intent: OrderIntent | None, since_ms: int) -> list[Fill]:
        """Executions since a venue time, oldest first. Where `intent` is given, all of that order; others may be among
        them, and each names its own.
        """
        ...

    def positions(self) -> list[Position]: ...

    def balances(self) -> MicroUsd:
        """Spendable cash, micro-dollars."""
        ...

    def listen_fills_ws(self) -> tuple[Endpoint, Callable[[int], FeedSession]] | None:
        """The user stream: where, and a session per generation. None where `capabilities.user_stream` is False."""
        ...

    def merge(self, market_id: MarketId, size: MicroShares) -> MicroUsd:
        """Turn `size` YES + NO into cash; returns the cash. Raises `VenueReadError` where the outcome is not known."""
        ...
