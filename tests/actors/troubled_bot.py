"""One attempt of the whole bot against the simulated exchange, with the trouble that a test names.

The real actors, lanes, ledger and gate on the simulator's one thread; the real exchange with its levers on the other
side of a virtual wire. Nothing happens at the venue but what a test says: two quoted books, a gap, and a lever. What
came of it is read at the venue (`venue`, `held`) and on the disk (`numbers`, `story`), never asked of the bot; and
every step is watched by the invariants of `tests/sim/invariants.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from actors.plan import make_plan
from actors.simulation import EPOCH_NS
from adapters.simulated.adapter import CAPABILITIES
from adapters.simulated.catalog import VENUE
from adapters.simulated.engine import Rules
from adapters.simulated.orders import OrderRequest
from models.clock import MS, SECOND, WallNs
from models.config import Config, canonical_json
from models.config_machine import Runtime
from models.config_trading import Execution, KillSwitch, Mode, Risk, Strategy, Window
from models.market import Action, Outcome
from models.money import MicroShares, PriceMicros, parse_micros
from models.orders import TimeInForce
from models.rows import config_used
from models.sets import LegPolicy
from tests.sim.crowd import CROWD
from tests.sim.setting import PLAIN, Setting, _Catalog
from tests.sim.truth import check_history, compare_books
from tests.sim.venue import ACCOUNT
from tests.sim.world import World
from tests.trading import levels

MARKET = PLAIN.market_id
SHARE = 1_000_000
ORDER_SIZE = 10
WIDE = Window(count=1000, minutes=10)

YES_BIDS, YES_ASKS = levels(("0.44", 100)), levels(("0.45", 20))
NO_BIDS, NO_ASKS = levels(("0.44", 200)), levels(("0.45", 200))
"""While the gap is open. YES is thin and goes first; a set costs 0.90."""
FAR = levels(("0.60", 100))


def a_setting(*, policy: LegPolicy = LegPolicy.THIN_LEG_FIRST, resting: bool = False, **execution: Any) -> Setting:
    """One binary market without fees, ten shares an order. `resting`: a venue that knows neither IOC nor FOK."""
    capabilities = replace(CAPABILITIES, ioc=not resting, fok=not resting, merge=False, visibility_horizon_s=8.0)
    config = Config(
        mode=Mode.LIVE,
        venue=str(VENUE),
        markets=(str(MARKET),),
        strategy=Strategy(
            min_edge=Decimal("0.01"), cost_buffer=Decimal(0), min_depth=Decimal(1), min_minutes_to_close=0
        ),
        execution=Execution(
            order_size=Decimal(ORDER_SIZE),
            max_order_size=Decimal(ORDER_SIZE),
            max_attempts_per_round=1,
            order_timeout_seconds=2.0,
            cooldown_seconds=600.0,
            leg_policy=policy,
            **{"max_inflight_seconds": 15.0, "max_unwind_loss": Decimal(1), **execution},
        ),
        risk=Risk(
            max_daily_notional=Decimal(100_000),
            max_open_positions=1000,
            max_orders_per_minute=600,
            price_collar=Decimal("0.02"),
            halt_on_partial_fill=False,
            duplicate_window_seconds=0.0,
            kill_switch_conditions=KillSwitch(partials=WIDE, rejects=WIDE, disconnects=WIDE),
        ),
        runtime=Runtime(rate_budget_per_second=100),
    )
    catalog = _Catalog((PLAIN,), capabilities)
    plan = make_plan(
        config,
        {VENUE: catalog},  # type: ignore[dict-item]
        {VENUE: catalog},  # type: ignore[dict-item]  only its name is used
        live=True,
        demo=False,
        state=Path("state"),
        ledger=Path("ledger.sqlite"),
    )
    used = config_used(effective=canonical_json(config), terms=plan.terms, code_version="sim", at=WallNs(EPOCH_NS))
    return Setting((PLAIN,), plan, used, capabilities)


@dataclass(frozen=True, slots=True)
class AtVenue:
    """One order of the bot as the venue has it, in whole shares and cents."""

    outcome: Outcome
    action: Action
    limit: str
    size: float
    filled: float


@dataclass(frozen=True, slots=True)
class Numbers:
    """One protection row: profit in micro-dollars on the compared size; None is unavailable."""

    remedy: str
    complete: int | None
    unwind: int | None
    hold: int
    missing: float


class Troubled:
    def __init__(self, setting: Setting, rules: Rules) -> None:
        self.world = World(1, chosen=setting, only=frozenset())
        self.world.venue.engine.rules = rules
        self._house = 0
        self._resting: list[str] = []
        self._waiting: dict[str, Callable[[], None]] = {}
        self._be_still()
        self.world.start()
        self.world.run_for(3 * SECOND)
        assert self.world.bot.gate.tripped is None
        assert self.world.bot.network.signal.tops[MARKET].not_ready is None

    # -- the venue's side

    def show(self, *, yes_bids=YES_BIDS, yes_asks=YES_ASKS, no_bids=NO_BIDS, no_asks=NO_ASKS) -> None:
        """The house takes back what it quoted and quotes this."""
        venue, at = self.world.venue, self.world.venue.time(self.world.now)
        for own in self._resting:
            venue.engine.cancel(CROWD, own, at)
        self._resting = []
        sides = (
            (Outcome.YES, Action.BUY, yes_bids),
            (Outcome.YES, Action.SELL, yes_asks),
            (Outcome.NO, Action.BUY, no_bids),
            (Outcome.NO, Action.SELL, no_asks),
        )
        for outcome, action, ladder in sides:
            for price, size in ladder:
                self._resting.append(self._quote(outcome, action, price, size, TimeInForce.GTC))
        self._published()

    def quiet(self) -> None:
        """No gap: a set costs 1.20."""
        self.show(yes_asks=FAR, no_asks=FAR)

    def takes_from_bot(self, outcome: Outcome, price: str, size: float) -> None:
        """The house sells into what the bot has resting."""
        self._quote(outcome, Action.SELL, parse_micros(price), round(size * SHARE), TimeInForce.IOC)
        self._published()

    def lever(self, name: str, **more: Any) -> None:
        """The next occasion for it, once unless `count` says otherwise."""
        self.world.venue.pull(self.world.now, lever=name, **{"count": 1, **more})
        self.world.venue.advance(self.world.now)

    def when(self, lever: str, call: Callable[[], None]) -> None:
        """`call` a moment after that lever has fired."""
        self._waiting[lever] = call

    # -- time

    def run(self, seconds: float) -> None:
        self.world.run_for(int(seconds * SECOND))

    def until(self, what: Callable[[], bool], within_s: float = 60) -> None:
        for _ in range(round(within_s * 10)):
            if what():
                return
            self.world.run_for(100 * MS)
        raise AssertionError(f"not within {within_s} s; {self.state}: {self.story()[-3:]}")

    def ended(self) -> None:
        """Until the attempt is over; then the books of ledger and venue are one."""
        self.until(lambda: self.state == "COOLDOWN")
        self.run(1)  # the ledger writes in groups
        compare_books(self.world)
        check_history(self.world)
        self.world.bot.compare("at the end")
        reconcile = self.world.bot.network.reconcile
        assert reconcile is not None
        self.until(lambda: reconcile._pass is None and not reconcile._wanted)
        assert reconcile.outcome is not None
        assert reconcile.outcome.findings == ()

    # -- what is true

    @property
    def state(self) -> str:
        return next(iter(self.world.bot.network.executors.values())).state_name

    @property
    def halted(self) -> bool:
        return self.world.bot.gate.tripped is not None

    @property
    def venue(self) -> list[AtVenue]:
        """The bot's orders at the venue, in the order in which they came in."""
        found = [o for (account, _), o in self.world.venue.engine.orders.items() if account == ACCOUNT]
        return [
            AtVenue(
                o.request.outcome,
                o.request.action,
                f"{o.request.price / SHARE:.2f}",
                o.request.size / SHARE,
                o.filled / SHARE,
            )
            for o in found
        ]

    @property
    def held(self) -> tuple[float, float]:
        """(YES, NO) shares of the account."""
        shares = self.world.venue.shares
        return shares.get((MARKET, Outcome.YES), 0) / SHARE, shares.get((MARKET, Outcome.NO), 0) / SHARE

    @property
    def cash(self) -> int:
        """What the account has gained since the opening, in micro-dollars."""
        return self.world.venue.cash - self.world.venue.opening_cash

    def numbers(self) -> list[Numbers]:
        """Every protection row of the ledger."""
        rows = self.world.disk.connection.execute("SELECT facts FROM events WHERE kind = 'protection' ORDER BY seq")
        found = [json.loads(facts) for (facts,) in rows]
        return [
            Numbers(f["remedy"], f["complete"], f["unwind"], f["hold"], f["missing"] / SHARE)
            for f in (dict(facts) if isinstance(facts, list) else facts for facts in found)
        ]

    def story(self) -> list[str]:
        """The states of the attempt as the ledger has them, each once in a row, and how it ended."""
        rows = self.world.disk.connection.execute("SELECT state, ending FROM attempt_changes ORDER BY seq").fetchall()
        states = [state for n, (state, _) in enumerate(rows) if n == 0 or rows[n - 1][0] != state]
        return [*states, *(f"ending: {ending}" for _, ending in rows[-1:] if ending)]

    def told(self, order: int) -> list[tuple[str, float]]:
        """What the ledger said of the bot's so-many-th order, in time: phase and shares filled, each once in a row."""
        rows = self.world.disk.connection.execute(
            "SELECT phase, filled FROM order_changes WHERE client_order_id = (SELECT client_order_id FROM "
            "order_intents ORDER BY seq LIMIT 1 OFFSET ?) ORDER BY seq",
            (order,),
        ).fetchall()
        return [(phase, filled / SHARE) for n, (phase, filled) in enumerate(rows) if n == 0 or rows[n - 1] != rows[n]]

    def incidents(self) -> list[str]:
        rows = self.world.disk.connection.execute("SELECT text FROM events WHERE kind = 'incident' ORDER BY seq")
        return [text for (text,) in rows]

    def rows(self, table: str) -> int:
        """How many the ledger has on the disk."""
        return self.world.disk.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

    # -- inside

    def _be_still(self) -> None:
        """The crowd of the simulation goes home; its account is the house from now on."""
        venue = self.world.venue
        at = venue.time(self.world.now)
        crowd = venue.crowd
        crowd._due.clear()
        for quote in crowd._quotes.values():
            for own in quote.resting.values():
                venue.engine.cancel(CROWD, own, at)
            quote.resting.clear()
        fired: Any = venue.exchange.levers.fired
        tell = fired.on_fire

        def on_fire(name: str) -> None:
            tell(name)
            call = self._waiting.pop(name, None)
            if call is not None:
                self.world.after(1, call)

        fired.on_fire = on_fire
        self.quiet()

    def _quote(self, outcome: Outcome, action: Action, price: int, size: int, tif: TimeInForce) -> str:
        self._house += 1
        own = f"q-{self._house}"
        request = OrderRequest(
            client_order_id=own,
            market_id=MARKET,
            outcome=outcome,
            action=action,
            price=PriceMicros(price),
            size=MicroShares(size),
            time_in_force=tif,
        )
        self.world.venue.engine.submit(CROWD, request, self.world.venue.time(self.world.now))
        return own

    def _published(self) -> None:
        venue = self.world.venue
        venue.exchange._publish(venue.time(self.world.now))
        venue.advance(self.world.now)


@contextmanager
def troubled(
    *, policy: LegPolicy = LegPolicy.THIN_LEG_FIRST, resting: bool = False, settlement_s: int = 0, **execution: Any
) -> Iterator[Troubled]:
    rules = Rules(settlement_ns=settlement_s * SECOND, visibility_ns=0, spend_unsettled=True)
    bot = Troubled(a_setting(policy=policy, resting=resting, **execution), rules)
    try:
        yield bot
    finally:
        bot.world.close()
