"""What the tongues of real venues share: a catalog without a network, the exchange without its crowd, a judge for books
that are known by what they show.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapters.http_calls import HttpAnswer
from adapters.simulated import web
from adapters.simulated.exchange import InProcessExchange
from models.book import BookSnapshot, BookUpdate
from models.clock import MS
from models.config import Config
from models.market import Market, MarketId
from tests.sim.invariants import Asks, Judge, Order, _asks
from tests.sim.setting import _config

if TYPE_CHECKING:
    from tests.sim.venue import Venue
    from tests.sim.world import World

HOLES = frozenset({"drop", "silent", "half"})
"""Levers that let frames vanish: a book without numbers may then show what the venue never showed, and nobody can know
until the next whole book comes.
"""


class CatalogWire:
    """`tests.sim.wire.Http` for whoever only reads a catalog: nothing is in the way, no time passes."""

    def __init__(self, base: str, face: web.Face, exchange: InProcessExchange) -> None:
        self.base = base
        self._face = face
        self._exchange = exchange

    def call(self, method: str, target: str, headers: Mapping[str, str], body: bytes, _gate: Any) -> HttpAnswer:
        request = web.Request(method, target, headers, body)
        answer = self._face.answer(self._exchange, request, self._exchange.now)
        return HttpAnswer(answer.status, answer.headers, answer.body)


def config_for(
    rng: random.Random, venue: str, markets: Sequence[Market], *, least_size: int, live: bool, patient: bool
) -> Config:
    """The operator's numbers as the native settings draw them, in whole lots of these markets."""
    drawn = _config(rng, markets, live=live, patient=patient)
    size = max(drawn.execution.order_size, drawn.execution.order_size.__class__(least_size))
    execution = drawn.execution.model_copy(update={"order_size": size, "max_order_size": size})
    return drawn.model_copy(update={"venue": venue, "execution": execution})


class ContentJudge(Judge):
    """Frames of a real venue carry no number per market, so a book is judged by what it says: it has to be one that the
    venue has had, and no older than the newest that had come in (I11).
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._history: dict[MarketId, list[tuple[int, Asks]]] = defaultdict(list)
        """(exchange time in ms, what the venue's book said from then on)"""

    def watch(self, venue: Venue) -> None:
        streams, listings = venue.exchange.streams, venue.engine.listings
        publish = streams.publish_changes

        def note(market_id: MarketId, now: int) -> None:
            self._history[market_id].append((now // MS, _asks(listings[market_id])))

        for market_id in listings:
            self.tops[market_id] = {}
            note(market_id, venue.exchange.now)

        def published(market_id: MarketId, changes: Any, now: int) -> None:
            publish(market_id, changes, now)
            note(market_id, now)

        streams.publish_changes = published  # type: ignore[method-assign]

    def number_of(self, event: BookUpdate | BookSnapshot) -> int | None:
        return event.exchange_ms

    def _up_to_date(
        self, order: Order, market_id: MarketId, at_ns: int, generation: int, seq: int | None, asks: Asks
    ) -> None:
        known = [entry for entry in self.shown[market_id] if entry[0] < at_ns]
        if at_ns <= self.blind_until or not known or self._holey():
            return
        if known[-1][1] > generation:
            raise self.found("I11", f"{order.attempt_id}: {market_id} of connection {generation}, not {known[-1][1]}")
        newest = known[-1][2] if known[-1][1] == generation else 0
        history = self._history[market_id]
        first = max((n for n, (at_ms, _) in enumerate(history) if at_ms < newest), default=0)
        if first + 1 < len(history) and history[first + 1][0] == newest:
            first += 1  # at the moment of the newest there may have been several
        allowed = [said for _, said in history[first:]]
        if asks not in allowed:
            text = f"{order.attempt_id}: {market_id} was {asks}; since {newest} the venue showed {allowed[:6]}"
            raise self.found("I11", text)

    def _holey(self) -> bool:
        """A frame has been lost without a trace in this run."""
        return any(fault in HOLES for fault, _ in self._world.faults.reached)


class Lazy(dict[Any, Any]):
    """A memory of a few answers."""

    def __init__(self, make: Callable[[Any], Any], most: int = 256) -> None:
        super().__init__()
        self._make, self._most = make, most

    def __missing__(self, key: Any) -> Any:
        if len(self) >= self._most:
            self.clear()
        made = self[key] = self._make(key)
        return made
