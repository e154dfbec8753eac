"""From the configuration to the numbers a decision uses: the only place where the two meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from models.clock import SECOND
from models.config import Config
from models.config_machine import Runtime
from models.market import Market, MarketId
from models.money import MicroUsd
from models.sets import CompleteSet, prove
from models.signal import SetTerms, Thresholds, terms_for
from models.verdict import FreshnessLimits


def thresholds_of(config: Config) -> Thresholds:
    """The operator's numbers as exact integers."""
    strategy, execution, runtime = config.strategy, config.execution, config.runtime
    return Thresholds(
        min_edge=strategy.min_edge_micros,
        cost_buffer=strategy.cost_buffer_micros,
        min_depth=strategy.min_depth_micros,
        order_size=execution.order_size_micros,
        sizing=strategy.sizing,
        max_size=execution.max_order_size_micros,
        max_walk=config.risk.price_collar_micros,
        close_margin_ms=strategy.min_minutes_to_close * 60_000,
        freshness=FreshnessLimits(
            max_age_ns=runtime.max_book_age_ns,
            max_skew_ms=runtime.max_leg_skew_ms,
            max_lag_ms=runtime.max_lag_ms,
            confirm_unified=execution.confirm_gap_with_snapshot,
        ),
    )


def all_terms(config: Config, sets: Sequence[CompleteSet], markets: Mapping[MarketId, Market]) -> list[SetTerms]:
    """Terms of every watched set, in the order of the configuration.

    Raises `NotCompleteError` for the first set whose payout is not proven: nothing unproven is ever watched.
    """
    thresholds = thresholds_of(config)
    terms = []
    for complete_set in sets:
        prove(complete_set, markets)
        legs = [markets[leg.market_id] for leg in complete_set.legs]
        # Limits lie `limit_ticks_through` above the deepest ask, and risk's collar holds for them as well.
        step = max(band.step for market in legs for band in market.price_bands)
        room = max(0, thresholds.max_walk - config.execution.limit_ticks_through * step)
        terms.append(terms_for(complete_set, legs, msgspec.structs.replace(thresholds, max_walk=MicroUsd(room))))
    return terms


LAGGING_FACTOR: Final = 4
"""A book this many times `max_lag_ms` behind calls itself not ready until it has caught up."""

TICK_NS: Final = SECOND // 4
"""Period of the signal's own wake-up: cooldowns that end, ages that grow, silence, minute counters."""

PROOFS_PER_AGE: Final = 3
"""Evidence that is decided by is told at least so often before it would be too old; else, before it would be silent."""


def proof_every_ns(runtime: Runtime) -> int:
    """For books, and of gaps."""
    return min(runtime.max_book_age_ns, runtime.silent_market_ns) // PROOFS_PER_AGE


def quiet_every_ns(runtime: Runtime) -> int:
    """For those who only have to know that a market is not silent."""
    return runtime.silent_market_ns // PROOFS_PER_AGE


def markets_alone(sets: Iterable[CompleteSet]) -> frozenset[MarketId]:
    """Markets whose evidence is compared with no other market's (`verdict`: the skew between legs)."""
    seen: set[MarketId] = set()
    shared: set[MarketId] = set()
    for complete_set in sets:
        seen.update(complete_set.market_ids)
        if len(complete_set.market_ids) > 1:
            shared.update(complete_set.market_ids)
    return frozenset(seen - shared)
