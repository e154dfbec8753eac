"""One connection to the exchange: its subscriptions, each with its number and its count of frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from adapters.simulated.faults import LeverName

Body = Mapping[str, Any]
ENDED: Final = ""
"""Type of a frame that never goes out: it takes its subscription away."""


@dataclass(slots=True, eq=False)
class Subscription:
    channel: str
    sid: int
    tickers: dict[str, None] = field(default_factory=dict)
    use_yes_price: bool = False
    seq: int = 0
    ending: bool = False
    """Given up; only what is on its way already still goes out."""
    held: bytes | None = None
    """A frame that is to come after its successor."""


@dataclass(slots=True, eq=False)
class Peer:
    account: str
    sids: Iterator[int] = field(default_factory=lambda: count(1))
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    frozen: bool = False
    slow_until: int = 0
    delay: int = 0
    last_due: int = 0

    @property
    def live(self) -> list[Subscription]:
        return [subscription for subscription in self.subscriptions.values() if not subscription.ending]

    def of(self, channel: str) -> Subscription | None:
        return next((s for s in self.live if s.channel == channel), None)

    @property
    def private(self) -> bool:
        """For the levers that mean one stream: this one is about the account."""
        return any(s.channel in ("fill", "user_orders") for s in self.live)


@dataclass(frozen=True, slots=True)
class Frame:
    """Something that is due on a connection. Without a subscription it is a reply."""

    connection: int
    body: Body
    sid: int | None = None
    faults: frozenset[LeverName] = frozenset()
