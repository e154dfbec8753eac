"""Everything that is decided before the first actor starts: which venues, markets, sets, numbers and files.

Making a plan reads the catalogs of the venues and proves every set; a plan that exists can be run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapters.venue import Capabilities, MarketData, MarketOverError, Orders, VenueReadError, VenueReadRefusedError
from models.clock import seconds_ns
from models.config import Config
from models.execution import ExecutionTerms, LegTerms
from models.market import Market, MarketId, VenueName
from models.sets import CompleteSet, NotCompleteError
from models.signal import SetTerms
from models.terms import all_terms


class VenueUnreachableError(Exception):
    """A venue's catalog could not be read at start (exit 69)."""


class PlanError(Exception):
    """The configuration names something that does not exist or proves nothing (exit 78). One line per mistake."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a `System` is built from."""

    config: Config
    live: bool
    demo: bool
    state: Path
    """Directory of permit, lock, socket and logs."""
    ledger: Path
    venues: Mapping[VenueName, MarketData]
    orders: Mapping[VenueName, Orders]
    """Empty in paper mode: no signer is even built (I19)."""
    markets: Mapping[MarketId, Market]
    terms: tuple[SetTerms, ...]
    execution: tuple[ExecutionTerms, ...]
    """Per set, in the order of `terms`."""
    over: Mapping[MarketId, str] = field(default_factory=dict)
    """Configured markets that are closed or resolved by now, with the venue's word. They and their sets are not
    watched: a bot that is started again at night must still protect what it holds elsewhere.
    """

    @property
    def mode(self) -> str:
        return "live" if self.live else "paper"

    @property
    def venue_names(self) -> str:
        return "+".join(sorted(self.venues))

    @property
    def sets(self) -> tuple[CompleteSet, ...]:
        return tuple(terms.complete_set for terms in self.terms)


def make_plan(
    config: Config,
    venues: Mapping[VenueName, MarketData],
    orders: Mapping[VenueName, Orders],
    *,
    live: bool,
    demo: bool,
    state: Path,
    ledger: Path,
) -> Plan:
    """Read the catalogs, prove the sets. Raises `VenueUnreachableError` or `PlanError`. Blocking; main thread only."""
    markets, over = _catalog(config, venues)
    sets = [one for one in config.complete_sets() if over.keys().isdisjoint(one.market_ids)]
    if not sets:
        raise PlanError([f"markets: {market_id} is {status}" for market_id, status in over.items()])
    try:
        terms = all_terms(config, sets, markets)
    except NotCompleteError as error:
        raise PlanError([f"sets: {error}"]) from None
    capabilities = {name: venue.capabilities for name, venue in venues.items()}
    return Plan(
        config=config,
        live=live,
        demo=demo,
        state=state,
        ledger=ledger,
        venues=venues,
        orders=orders,
        markets=markets,
        terms=tuple(terms),
        execution=tuple(_execution(config, t, markets, capabilities, live=live) for t in terms),
        over=over,
    )


def _catalog(
    config: Config, venues: Mapping[VenueName, MarketData]
) -> tuple[dict[MarketId, Market], dict[MarketId, str]]:
    """What the venues say of the configured markets, and which of them are over."""
    wanted = config.market_venues()
    found: dict[MarketId, Market] = {}
    over: dict[MarketId, str] = {}
    mistakes = []
    for name, venue in venues.items():
        ids = [market_id for market_id, of in wanted.items() if of == name]
        try:
            found.update((market.market_id, market) for market in _not_over(venue, ids, over))
        except VenueReadError as error:
            raise VenueUnreachableError(f"{name}: {error}") from None
        except VenueReadRefusedError as error:
            mistakes.append(f"markets: {error}")
    known = {*found, *over}
    mistakes.extend(f"markets: {m} is not known to {wanted[m]}" for m in wanted if m not in known and not mistakes)
    if mistakes:
        raise PlanError(mistakes)
    return found, over


def _not_over(venue: MarketData, ids: Sequence[MarketId], over: dict[MarketId, str]) -> list[Market]:
    """The markets that can be watched; what is over is put into `over`, one question each."""
    left = [market_id for market_id in ids if market_id not in over]
    while left:
        try:
            return venue.markets(left)
        except MarketOverError as error:
            over[error.market_id] = error.status
            left.remove(error.market_id)
    return []


def _execution(
    config: Config,
    terms: SetTerms,
    markets: Mapping[MarketId, Market],
    capabilities: Mapping[VenueName, Capabilities],
    *,
    live: bool,
) -> ExecutionTerms:
    execution = config.execution
    legs = []
    for leg in terms.complete_set.legs:
        market = markets[leg.market_id]
        has = capabilities[market.venue]
        legs.append(
            LegTerms(
                market=market,
                outcome=leg.outcome,
                ioc=has.ioc,
                fok=has.fok,
                batch_max=has.batch_max,
                horizon_ns=seconds_ns(has.visibility_horizon_s),
                merges=has.merge,
                nets=has.netting,
            )
        )
    return ExecutionTerms(
        complete_set=terms.complete_set,
        legs=tuple(legs),
        lot=terms.lot,
        mode="live" if live else "paper",
        min_edge=config.strategy.min_edge_micros,
        cost_buffer=config.strategy.cost_buffer_micros,
        limit_ticks_through=execution.limit_ticks_through,
        max_attempts_per_round=execution.max_attempts_per_round,
        order_timeout_ns=execution.order_timeout_ns,
        max_inflight_ns=execution.max_inflight_ns,
        cooldown_ns=execution.cooldown_ns,
        max_unwind_loss=execution.max_unwind_loss_micros,
        max_book_age_ns=config.runtime.max_book_age_ns,
    )
