"""Rules between values that are each fine alone. Pure functions over a `Config`; each names the fields it is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from models.config_kinds import LOOPBACK
from models.config_machine import VenueOptions
from models.config_section import usd
from models.config_sets import NEEDED_ATTESTATION, SetEntry
from models.config_text import Loc
from models.config_trading import Mode
from models.money import text
from models.sets import NotCompleteError, SetKind
from models.sizing import Sizing

if TYPE_CHECKING:
    from models.config import Config


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken rule. `about` are the values that it compares: where one is wrong by itself, the rule is not said."""

    loc: Loc
    message: str
    hint: str
    about: tuple[Loc, ...] = ()


SHAPES: Final = {
    SetKind.BINARY: "yes and no of one market",
    SetKind.YES_BASKET: "yes of two or more markets",
    SetKind.NO_BASKET: "no of two or more markets",
    SetKind.CROSS_VENUE: "yes of a market here and no of the same question on another venue",
    SetKind.NESTED: "yes of the lower threshold and no of the higher one, two markets",
}

LIVE_LIMITS: Final[tuple[Loc, ...]] = (
    ("strategy", "min_edge"),
    ("strategy", "cost_buffer"),
    ("execution", "order_size"),
    ("execution", "max_unwind_loss"),
    ("risk", "max_daily_notional"),
    ("risk", "max_open_positions"),
    ("risk", "max_orders_per_minute"),
    ("risk", "price_collar"),
    ("risk", "halt_on_partial_fill"),
    ("risk", "kill_switch_conditions"),
)
"""What must stand in the file before real orders: a limit that nobody chose is no limit."""


def broken_rules(config: Config) -> Iterator[Breach]:
    """Every rule that `config` breaks, in the order of the example file."""
    yield from _limits_are_stated(config)
    yield from _markets(config)
    for index, entry in enumerate(config.sets):
        yield from _set(config, index, entry)
    yield from _times_and_sizes(config)
    for name, options in config.venues.items():
        yield from _addresses(("venues", name), options)


def _limits_are_stated(config: Config) -> Iterator[Breach]:
    if config.mode is not Mode.LIVE:
        return
    for section, name in LIVE_LIMITS:
        if str(name) not in getattr(config, str(section)).model_fields_set:
            hint = "config.example.yaml shows it; the default of paper trading does not count"
            yield Breach((section, name), "must be stated in mode: live", hint, ((section, name), ("mode",)))


def _markets(config: Config) -> Iterator[Breach]:
    about: tuple[Loc, ...] = (("markets",), ("sets",))
    if not config.markets:
        hint = "list the ids that may be watched and traded;  python3 run.py find  prints them"
        yield Breach(("markets",), "must name at least one market", hint, about)
    seen: dict[str, int] = {}
    for index, market in enumerate(config.markets):
        if seen.setdefault(market, index) != index:
            yield Breach(
                ("markets", index), f"is listed twice (first as markets.{seen[market]})", "remove one", (("markets",),)
            )
    homes: dict[str, str] = {}
    names: set[str] = set()
    for index, entry in enumerate(config.sets):
        if entry.id in names:
            yield Breach(("sets", index, "id"), "is the id of an earlier set too", "give each set its own id", about)
        names.add(entry.id)
        for number, leg in enumerate(entry.legs):
            loc: Loc = ("sets", index, "legs", number)
            if leg.market not in seen:
                yield Breach((*loc, "market"), "is not in the allow list", "add it to markets", about)
            if homes.setdefault(leg.market, leg.venue or config.venue) != (leg.venue or config.venue):
                hint = "a market's id belongs to one venue"
                yield Breach((*loc, "venue"), "differs from an earlier leg of the same market", hint, about)


def _set(config: Config, index: int, entry: SetEntry) -> Iterator[Breach]:
    loc: Loc = ("sets", index)
    about: tuple[Loc, ...] = (("sets",), ("venue",))
    try:
        proved = entry.proved_payout()
    except NotCompleteError as reason:
        yield Breach((*loc, "legs"), str(reason), f"{entry.kind.value}: {SHAPES[entry.kind]}", about)
        return
    if entry.payout is not None and usd(entry.payout) > proved:
        hint = f"{len(entry.legs)} legs of a {entry.kind.value} set are certain to pay {text(proved)}, no more"
        yield Breach((*loc, "payout"), f"must be at most {text(proved)} (was {entry.payout})", hint, about)
    venues = {leg.venue or config.venue for leg in entry.legs}
    if entry.kind is SetKind.CROSS_VENUE and len(venues) != 2:
        yield Breach((*loc, "legs"), "must lie on two venues", "give one leg its own venue", about)
    if entry.kind is not SetKind.CROSS_VENUE and len(venues) != 1:
        yield Breach((*loc, "legs"), "must lie on one venue", "kind: cross_venue is for two venues", about)
    flag = NEEDED_ATTESTATION.get(entry.kind)
    if flag is not None and not getattr(entry.attested, flag):
        hint = "no venue proves it; read the rules of every market first"
        yield Breach((*loc, "attested"), f"must say {flag}: true for a {entry.kind.value} set", hint, about)
    if entry.attested.words() and not entry.attested.statement.strip():
        hint = "say what was checked, and when; it is stored with every row"
        yield Breach((*loc, "attested"), "needs a statement", hint, about)


def _times_and_sizes(config: Config) -> Iterator[Breach]:
    execution, backoff = config.execution, config.runtime.reconnect
    timeout, inflight = execution.order_timeout_seconds, execution.max_inflight_seconds
    if timeout > inflight:
        loc: Loc = ("execution", "order_timeout_seconds")
        hint = "an attempt must outlive its first order"
        yield _at_most(loc, timeout, ("execution", "max_inflight_seconds"), inflight, hint)
    first, longest = backoff.initial_backoff_seconds, backoff.max_backoff_seconds
    if first > longest:
        loc = ("runtime", "reconnect", "initial_backoff_seconds")
        hint = "the pause grows from the first to the second"
        yield _at_most(loc, first, ("runtime", "reconnect", "max_backoff_seconds"), longest, hint)
    if execution.max_order_size is not None and execution.order_size > execution.max_order_size:
        loc = ("execution", "order_size")
        hint = "leave max_order_size empty to make them equal"
        yield _at_most(loc, execution.order_size, ("execution", "max_order_size"), execution.max_order_size, hint)
    if execution.order_size > config.risk.max_daily_notional:
        loc = ("execution", "order_size")
        hint = "a set costs about 1 USD per share, so not even one could be bought in a day"
        yield _at_most(loc, execution.order_size, ("risk", "max_daily_notional"), config.risk.max_daily_notional, hint)
    grid = config.paper.latency_grid_ms
    if not grid or any(late <= early for early, late in pairwise(grid)):
        loc = ("paper", "latency_grid_ms")
        yield Breach(loc, "must rise from number to number", "for example [50, 100, 250, 500, 1000]", (loc,))


def _at_most(loc: Loc, value: Decimal | float, other: Loc, bound: Decimal | float, hint: str) -> Breach:
    """`loc` holds `value` and must not lie above `bound`, which stands at `other`."""
    plain, limit = (f"{Decimal(str(number)).normalize():f}" for number in (value, bound))
    message = f"must be at most {'.'.join(map(str, other))}, which is {limit} (was {plain})"
    return Breach(loc, message, hint, (loc, other))


def _addresses(loc: Loc, options: VenueOptions) -> Iterator[Breach]:
    """REST and WebSocket of one venue must be of one world: production, demo, or this machine."""
    given = {"rest_url": options.rest_url, "ws_url": options.ws_url, "user_ws_url": options.user_ws_url}
    stated = {name: url for name, url in given.items() if url is not None}
    about: tuple[Loc, ...] = (loc,)
    if len({options.rest_url is None, options.ws_url is None}) == 2:
        missing = "ws_url" if options.ws_url is None else "rest_url"
        hint = "state rest_url and ws_url together, or neither: prices of one world must not meet orders of another"
        yield Breach((*loc, missing), "must be stated too", hint, about)
    worlds = {name: _world(url) for name, url in stated.items()}
    for name, world in worlds.items():
        if world != next(iter(worlds.values())):
            hint = "all addresses of a venue belong to production, to its demo, or to this machine"
            yield Breach(
                (*loc, name), f"points at {world}, {next(iter(worlds))} at {next(iter(worlds.values()))}", hint, about
            )


def _world(url: str) -> str:
    host = urlsplit(url).hostname or ""
    if host in LOOPBACK:
        return "this machine"
    return "a demo" if "demo" in host or "staging" in host else "production"


def cautions(config: Config) -> Iterator[str]:
    """What is allowed and probably not meant; `check` prints it and goes on."""
    strategy, execution, runtime = config.strategy, config.execution, config.runtime
    if strategy.min_depth < execution.order_size:
        yield "strategy.min_depth lies below execution.order_size, so order_size is the depth that counts"
    if strategy.sizing is Sizing.FIXED and execution.max_order_size is not None:
        yield "execution.max_order_size has no effect with strategy.sizing: fixed"
    if strategy.cost_buffer == 0:
        yield "strategy.cost_buffer is 0: nothing is kept back for slippage"
    if runtime.heartbeat_seconds + runtime.pong_timeout_seconds > 10:
        yield "runtime.heartbeat_seconds and pong_timeout_seconds: a dead connection is seen only after more than 10 s"
    if not execution.confirm_gap_with_snapshot:
        yield "execution.confirm_gap_with_snapshot is false: on a unified book most gaps are faults of the data"
    if not config.risk.halt_on_partial_fill:
        yield "risk.halt_on_partial_fill is false: trading goes on after a half-filled set"
    if config.venue in config.venues and config.mode is Mode.LIVE:
        yield f"venues.{config.venue} replaces the addresses of the venue that live orders go to"
