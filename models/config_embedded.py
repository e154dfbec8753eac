"""The settings of a bot that was started without a file, on the embedded venue."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from models.config import Config
from models.config_machine import Reconnect, Runtime
from models.config_sets import Leg, SetEntry
from models.config_trading import Execution, KillSwitch, Risk, Strategy, Window
from models.market import Outcome
from models.sets import SetKind

CUP: Final = "cup-"
"""How the ids of markets begin that exclude one another."""


def embedded_config(market_ids: Sequence[str], *, demo: bool) -> Config:
    """Small edges, short pauses, limits that a long run does not reach.

    The demo shows a partial fill and goes on; a bot left alone halts at its first one, as the default says.
    """
    cup = [market_id for market_id in market_ids if market_id.startswith(CUP)]
    sets = [_set(market_id, SetKind.BINARY, [(market_id, o) for o in Outcome]) for market_id in market_ids]
    if len(cup) > 1:
        sets.append(_set("cup-no-basket", SetKind.NO_BASKET, [(market_id, Outcome.NO) for market_id in cup]))
    return Config(
        venue="simulated",
        markets=tuple(market_ids),
        sets=tuple(sets),
        strategy=Strategy(
            min_edge=Decimal("0.005"), cost_buffer=Decimal("0.002"), min_depth=Decimal(10), min_minutes_to_close=0
        ),
        execution=Execution(order_size=Decimal(10), cooldown_seconds=2.0),
        runtime=Runtime(
            max_lag_ms=300,
            max_leg_skew_ms=1_500,
            silent_market_seconds=10.0,
            reconnect=Reconnect(initial_backoff_seconds=0.5, max_backoff_seconds=5.0),
        ),
        risk=Risk(
            max_daily_notional=Decimal(100_000),
            max_open_positions=1_000,
            max_orders_per_minute=600,
            duplicate_window_seconds=0.0,
            halt_on_partial_fill=not demo,
            kill_switch_conditions=KillSwitch(partials=Window(count=5, minutes=10)),
        ),
    )


def _set(name: str, kind: SetKind, legs: Sequence[tuple[str, Outcome]]) -> SetEntry:
    return SetEntry(
        id=name, kind=kind, legs=tuple(Leg(market=market_id, outcome=outcome) for market_id, outcome in legs)
    )
