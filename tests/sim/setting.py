"""What a run is played in: markets, sets, the operator's numbers. A small number of settings, each made once.

Proving sets and reading a configuration costs more than a tenth of a run, so seeds share settings; what is random about
a seed is everything that happens.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path

from actors.plan import Plan, make_plan
from actors.simulation import EPOCH_NS
from adapters.simulated.adapter import CAPABILITIES
from adapters.simulated.catalog import VENUE
from adapters.venue import Capabilities
from models.clock import MS, WallNs
from models.config import Config, canonical_json
from models.config_machine import Data, Reconnect, Runtime
from models.config_sets import Attested, Leg, SetEntry
from models.config_trading import Execution, HaltScope, KillSwitch, Mode, Risk, Strategy, Window
from models.fees import NO_FEES, FeeSchedule
from models.market import BookModel, Market, MarketId, Outcome, linear_grid
from models.money import MicroShares, MicroUsd, PriceMicros
from models.rows import ConfigUsed, config_used
from models.sets import LegPolicy, SetKind

SETTINGS = 48
"""Different settings; seeds take them in turn."""

DAY_MS = 24 * 3600 * 1000
LOW_FEES = FeeSchedule(name="low", as_of="2026-01-01", rate_micros=10_000)
FEES = FeeSchedule(name="coarse", as_of="2026-01-01", rate_micros=20_000, quantum=MicroUsd(100))


def a_market(name: str, *, tick: int, lot: int, fees: FeeSchedule, event: str | None = None, **more: int) -> Market:
    return Market(
        venue=VENUE,
        market_id=MarketId(name),
        title=name,
        yes_instrument=f"{name}:YES",
        no_instrument=f"{name}:NO",
        price_bands=linear_grid(PriceMicros(tick)),
        lot=MicroShares(lot),
        min_size=MicroShares(more.get("min_size", lot)),
        min_notional=MicroUsd(more.get("min_notional", 0)),
        fees=fees,
        book_model=BookModel.SEPARATE if event is None else BookModel.UNIFIED,
        closes_at_ms=EPOCH_NS // MS + 30 * DAY_MS,
        event_id=event,
        mutually_exclusive=event is not None,
    )


PLAIN = a_market("plain", tick=10_000, lot=10_000, fees=NO_FEES)
FINE = a_market("fine", tick=1_000, lot=10_000, fees=LOW_FEES)
COARSE = a_market("coarse", tick=10_000, lot=1_000_000, fees=FEES, min_size=5_000_000, min_notional=1_000_000)
CUP = tuple(a_market(f"cup-{n}", tick=10_000, lot=1_000_000, fees=LOW_FEES, event="cup") for n in (1, 2, 3))


@dataclass(frozen=True, slots=True)
class Setting:
    markets: tuple[Market, ...]
    plan: Plan
    used: ConfigUsed
    capabilities: Capabilities

    @property
    def live(self) -> bool:
        return self.plan.live

    @property
    def rests(self) -> bool:
        """No IOC: an order rests until it is cancelled."""
        return not self.capabilities.ioc

    @property
    def merges(self) -> bool:
        return self.live and self.capabilities.merge


class _Catalog:
    """The part of `MarketData` that a plan reads."""

    name = VENUE

    def __init__(self, markets: Sequence[Market], capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self._markets = {market.market_id: market for market in markets}

    def markets(self, market_ids: Sequence[MarketId]) -> list[Market]:
        return [self._markets[market_id] for market_id in market_ids]


@cache
def setting(number: int, *, live: bool, patient: bool = False) -> Setting:
    """Setting `number` of SETTINGS. `patient`: limits so wide that whatever is naked can always be mended."""
    rng = random.Random(f"setting/{number}")
    markets = rng.choice(
        [(PLAIN,), (PLAIN,), (FINE,), (COARSE,), (PLAIN, FINE), (PLAIN, COARSE), CUP if number % 8 == 7 else (PLAIN,)]
    )
    if number % 12 == 11:
        markets = CUP
    resting = rng.random() < 0.25
    capabilities = replace(
        CAPABILITIES,
        book_model=markets[0].book_model,
        ioc=not resting,
        fok=not resting,
        batch_max=rng.choice([1, 15]),
        merge=rng.random() < 0.8,
        visibility_horizon_s=10.0,
    )
    config = _config(rng, markets, live=live, patient=patient)
    catalog = _Catalog(markets, capabilities)
    plan = make_plan(
        config,
        {VENUE: catalog},  # type: ignore[dict-item]
        {VENUE: catalog} if live else {},  # type: ignore[dict-item]  only its name is used
        live=live,
        demo=False,
        state=Path("state"),
        ledger=Path("ledger.sqlite"),
    )
    used = config_used(effective=canonical_json(config), terms=plan.terms, code_version="sim", at=WallNs(EPOCH_NS))
    return Setting(markets, plan, used, capabilities)


def _config(rng: random.Random, markets: Sequence[Market], *, live: bool, patient: bool) -> Config:
    wide = patient or rng.random() < 0.6
    limit = Window(count=1000, minutes=10)
    tight = Window(count=rng.choice([1, 2, 5]), minutes=10)
    order_size = rng.choice([5, 10, 10, 20])
    return Config(
        mode=Mode.LIVE if live else Mode.PAPER,
        venue=str(VENUE),
        markets=tuple(str(market.market_id) for market in markets),
        sets=_sets(rng, markets),
        strategy=Strategy(
            min_edge=Decimal(rng.choice(["0.005", "0.01", "0.02"])),
            cost_buffer=Decimal(rng.choice(["0", "0.002"])),
            min_depth=Decimal(1),
            min_minutes_to_close=0,
        ),
        execution=Execution(
            order_size=Decimal(order_size),
            max_order_size=Decimal(order_size),
            max_attempts_per_round=rng.choice([1, 3]),
            order_timeout_seconds=rng.choice([1.0, 3.0]),
            max_inflight_seconds=rng.choice([6.0, 15.0]),
            cooldown_seconds=rng.choice([0.5, 2.0]),
            leg_policy=rng.choice([LegPolicy.THIN_LEG_FIRST, LegPolicy.TOGETHER]),
            max_unwind_loss=Decimal(1) if patient else Decimal(rng.choice(["0.02", "0.10", "1"])),
            limit_ticks_through=rng.choice([0, 0, 1]),
        ),
        risk=Risk(
            max_daily_notional=Decimal(1_000_000) if wide else Decimal(rng.choice([60, 200])),
            max_open_positions=1000 if wide else rng.choice([2, 10]),
            max_orders_per_minute=6000 if wide else rng.choice([6, 30]),
            price_collar=Decimal("0.02"),
            duplicate_window_seconds=rng.choice([0.0, 2.0]),
            halt_on_partial_fill=not wide,
            halt_scope=rng.choice([HaltScope.GLOBAL, HaltScope.MARKET]),
            kill_switch_conditions=KillSwitch(
                partials=limit if wide else tight,
                rejects=limit if wide else tight,
                disconnects=limit if wide else tight,
                daily_notional=rng.random() < 0.5,
            ),
        ),
        data=Data(tick_sample_seconds=20.0),
        runtime=Runtime(
            max_book_age_seconds=rng.choice([3.0, 10.0]),
            max_lag_ms=rng.choice([500, 2000]),
            max_leg_skew_ms=2_000,
            silent_market_seconds=8.0,
            reconnect=Reconnect(initial_backoff_seconds=0.5, max_backoff_seconds=4.0, healthy_after_seconds=10.0),
            rate_budget_per_second=100,
        ),
    )


def _sets(rng: random.Random, markets: Sequence[Market]) -> tuple[SetEntry, ...]:
    """YES + NO of every market, or a basket over an event; in some settings sets that share a market."""
    attested = Attested(exhaustive=True, exclusive=True, statement="made for the simulation")
    if markets[0].event_id is None:
        if len(markets) == 1 or rng.random() < 0.4:
            return ()
        pairs = [
            SetEntry(id=str(m.market_id), kind=SetKind.BINARY, legs=tuple(_leg(m, o) for o in Outcome)) for m in markets
        ]
        across = SetEntry(
            id="across", kind=SetKind.YES_BASKET, legs=tuple(_leg(m, Outcome.YES) for m in markets), attested=attested
        )
        return (*pairs, across)
    kind, outcome = rng.choice([(SetKind.YES_BASKET, Outcome.YES), (SetKind.NO_BASKET, Outcome.NO)])
    legs = tuple(_leg(market, outcome) for market in markets)
    baskets = [SetEntry(id="cup", kind=kind, legs=legs, attested=attested)]
    if kind is SetKind.NO_BASKET and rng.random() < 0.5:
        baskets.append(SetEntry(id="cup-two", kind=kind, legs=legs[:2], attested=attested))
    return tuple(baskets)


def _leg(market: Market, outcome: Outcome) -> Leg:
    return Leg(market=str(market.market_id), outcome=outcome)
