"""The venues by name. A third venue is one folder and one line here.

The folder's `adapter` module fills `VenueModule`; beside it may lie `trading` (`OrdersModule`) and `checks`
(`ChecksModule`). They are imported when they are asked for, so that a bot on one venue loads nothing of the others.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, cast

from adapters.feed import FeedSession
from adapters.tape import TapeHeader
from adapters.venue import MarketData, Orders
from models.book import BookSnapshot
from models.checkup import Check, wrong
from models.clock import BootNs, Clock
from models.config_machine import VenueOptions
from models.market import Market, MarketId

VENUES: Final[Mapping[str, str]] = {
    "simulated": "adapters.simulated.adapter",
    "polymarket": "adapters.polymarket.adapter",
    "kalshi": "adapters.kalshi.adapter",
}


def _beside_adapters(module: str) -> dict[str, str]:
    """The module of that name in each venue's folder that has one."""
    paths = {name: f"{adapter.rpartition('.')[0]}.{module}" for name, adapter in VENUES.items()}
    return {name: path for name, path in paths.items() if importlib.util.find_spec(path) is not None}


ORDERS: Final[Mapping[str, str]] = _beside_adapters("trading")
"""Where a venue's private side is made: a module with `make_orders(options, secrets, clock)`. Paper mode never asks."""


CHECKS: Final[Mapping[str, str]] = _beside_adapters("checks")
"""Where a venue's account is looked at without trading: a module with `checks`. The simulated exchange needs none; a
real venue without one cannot go live.
"""


class UnknownVenueError(ValueError):
    """No venue of this program has that name."""


class FrameCounts(Protocol):
    """How much of what a session was given it could read. A frame counts at most once in each."""

    unknown: int
    """Frames with a kind of event that the session does not know."""
    failed: int
    """Frames that should have been readable and were not."""


class TapeSession(FeedSession, Protocol):
    """A feed session that says how its frames went."""

    @property
    def counts(self) -> FrameCounts: ...


class OrdersModule(Protocol):
    """What a venue's trading module offers."""

    def make_orders(self, options: VenueOptions, secrets: Mapping[str, str], clock: Clock) -> Orders: ...


class ChecksModule(Protocol):
    """What a venue's checks module offers."""

    def checks(
        self, options: VenueOptions, secrets: Mapping[str, str], clock: Clock, *, offline: bool, max_skew_ms: int
    ) -> Iterator[Check]:
        """Keys, signing, clock, place, account, funds, approvals; never raises, never sends an order."""
        ...


class VenueModule(Protocol):
    """What a venue's `adapter` module offers besides its classes."""

    def make_market_data(self, options: VenueOptions, clock: Clock, requests_per_second: int) -> MarketData:
        """The public side. Opens nothing before its first read."""
        ...

    def tape_market(self, entry: Mapping[str, Any], recorded_ns: int) -> Market:
        """The market in a tape's header. `recorded_ns`: wall time of the first event. Raises `ValueError`."""
        ...

    def tape_entry(self, market: Market) -> dict[str, Any]:
        """The header's entry that `tape_market` reads back as the same market."""
        ...

    def tape_session(self, header: TapeHeader, markets: Sequence[Market], generation: int) -> TapeSession:
        """The session that read one connection of the tape."""
        ...

    def tape_snapshots(
        self, query: str, body: str, markets: Sequence[Market], generation: int, received_at: BootNs
    ) -> list[BookSnapshot]:
        """The books in a recorded REST answer, none where it holds none. Raises `VenueReadError`."""
        ...


def make_market_data(
    name: str, options: VenueOptions, secrets: Mapping[str, str], clock: Clock, requests_per_second: int
) -> MarketData:
    """The public side of a venue. `secrets` reach only a venue that wants a key for public data.

    Raises `UnknownVenueError`, and `MissingKeysError` where such a venue's key is not there.
    """
    module = venue_module(name)
    keyed = getattr(module, "make_keyed_market_data", None)
    if keyed is None:
        return module.make_market_data(options, clock, requests_per_second)
    return cast("MarketData", keyed(options, secrets, clock, requests_per_second))


def wants_key(name: str) -> bool:
    """Whether a venue lets nobody without a key read even its public data. Raises `UnknownVenueError`."""
    return hasattr(venue_module(name), "make_keyed_market_data")


def wrong_id(name: str, market_id: MarketId) -> str | None:
    """Why no market of the venue can have this id, as far as its form tells. Raises `UnknownVenueError`."""
    look = getattr(venue_module(name), "wrong_id", None)
    return None if look is None else cast("str | None", look(market_id))


def make_orders(name: str, options: VenueOptions, secrets: Mapping[str, str], clock: Clock) -> Orders:
    """The private side of a venue. Raises `UnknownVenueError`, and what the venue's module raises for missing keys."""
    if name not in ORDERS:
        raise UnknownVenueError(f"{name[:40]!r} cannot trade; venues that can: {', '.join(ORDERS)}")
    module = cast("OrdersModule", importlib.import_module(ORDERS[name]))
    return module.make_orders(options, secrets, clock)


def account_checks(
    name: str, options: VenueOptions, secrets: Mapping[str, str], clock: Clock, *, offline: bool, max_skew_ms: int
) -> list[Check]:
    """What a venue says about the account before money is at risk. A real venue that has no checks is not fine."""
    if name not in CHECKS:
        return [wrong("account", f"this program cannot check an account of {name[:40]!r}", "trade it on paper only")]
    module = cast("ChecksModule", importlib.import_module(CHECKS[name]))
    return list(module.checks(options, secrets, clock, offline=offline, max_skew_ms=max_skew_ms))


def venue_module(name: str) -> VenueModule:
    """Raises `UnknownVenueError`, which names those that exist."""
    if name not in VENUES:
        raise UnknownVenueError(f"no venue is called {name[:40]!r}; known: {', '.join(VENUES)}")
    return cast("VenueModule", importlib.import_module(VENUES[name]))
