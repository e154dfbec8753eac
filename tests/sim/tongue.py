"""What a run has to know of the language that bot and venue speak: how the adapter is built over the virtual wire, and
what a request means to whoever judges it.

`Native` is the exchange's own. A real venue's stands in a file of its own (`dialect_*`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from adapters.simulated import web, wire
from adapters.simulated.adapter import REST_URL, SimulatedVenue
from adapters.simulated.catalog import VENUE
from adapters.simulated.engine import Rules
from adapters.simulated.trading import SimulatedOrders
from adapters.venue import MarketData, Orders
from models.clock import MS, SECOND
from models.config_machine import VenueOptions
from models.market import VenueName
from tests.sim.invariants import Judge
from tests.sim.rerun import Stage, StageClock
from tests.sim.setting import Setting, setting
from tests.sim.venue import KEY, SECRET, Venue
from tests.sim.wire import Reader, Session

if TYPE_CHECKING:
    from tests.sim.bot import Bot
    from tests.sim.world import World

_ORDER = msgspec.json.Decoder(wire.OrderBody)
_BATCH = msgspec.json.Decoder(wire.BatchBody)


class Native:
    """The exchange's own dialect."""

    venue: VenueName = VENUE
    base = REST_URL
    """Where the venue's REST interface is, for both sides of the adapter."""
    missing: frozenset[str] = frozenset()
    """Faults that cannot happen here."""
    levers: ClassVar[dict[str, tuple[float, float, dict[str, Any]]]] = {}
    """Faults of this venue only, as `tests.sim.faults.LEVERS` has them: smallest and largest chance, and details."""
    skews = (0, 0, -400 * MS, 250 * MS, 5 * SECOND)
    """Nanoseconds by which the venue's clock may be ahead of ours."""
    settlements = (0, 0, 0, SECOND, 3 * SECOND)
    """Nanoseconds from a match until it is final."""
    judge: type[Judge] = Judge
    place: type[Venue] = Venue
    stage: type[Stage] = Stage

    def __init__(self, world: World) -> None:
        self.world = world

    @staticmethod
    def setting(number: int, *, live: bool, patient: bool) -> Setting:
        return setting(number, live=live, patient=patient)

    def rules(self) -> Rules:
        rng = self.world.rng
        return Rules(
            settlement_ns=rng.choice(self.settlements),
            visibility_ns=rng.choice([0, 0, 0, 300 * MS, 4 * SECOND]),
            spend_unsettled=rng.random() < 0.7,
        )

    # -- the bot's side

    def market_data(self, bot: Bot) -> MarketData:
        data = SimulatedVenue.__new__(SimulatedVenue)  # its own reader makes a session: a millisecond
        data._rest_url, data._ws_url = self.base, ""
        data._http = Reader(bot.http)  # type: ignore[assignment]
        data.capabilities = self.world.setting.capabilities  # type: ignore[misc]
        return data

    def orders(self, bot: Bot) -> Orders:
        orders = SimulatedOrders(VenueOptions(), KEY, SECRET, StageClock(bot.stage))
        orders.capabilities = self.world.setting.capabilities  # type: ignore[misc]
        orders._sessions = Session(bot.http)  # type: ignore[assignment]
        return orders

    # -- what a request says

    def reads(self, request: web.Request) -> bool:
        """It can change nothing."""
        return request.method == "GET"

    def merges(self, request: web.Request) -> bool:
        return request.target == "/merge"

    def bodies(self, request: web.Request) -> tuple[wire.OrderBody, ...]:
        """The orders in a request, as the exchange's own dialect would say them, under the bot's own ids."""
        if request.method != "POST":
            return ()
        if request.target == "/orders":
            return (_ORDER.decode(request.body),)
        return _BATCH.decode(request.body).orders if request.target == "/orders/batch" else ()

    def orders_in(self, request: web.Request) -> list[str]:
        return [body.client_order_id for body in self.bodies(request)]

    def about(self, request: web.Request) -> list[str]:
        """The orders that a request sends, asks about or cancels, as far as it names them."""
        if request.target.startswith("/orders/") and request.method != "POST":
            return [request.target.removeprefix("/orders/")]
        return self.orders_in(request)


TONGUES = {
    "simulated": "tests.sim.tongue:Native",
    "polymarket": "tests.sim.dialect_polymarket:Polymarket",
    "kalshi": "tests.sim.dialect_kalshi:Kalshi",
}


def tongue(name: str) -> Any:
    """The class of that name; a venue's own is loaded when it is asked for."""
    module, _, kind = TONGUES[name].partition(":")
    return getattr(importlib.import_module(module), kind)
