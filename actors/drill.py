"""`drill`: puts every kill condition of the configuration to the test, on a gate of its own in a directory of its own.

Each condition gets its incidents one by one, and openings must be let through until the last of them. Then it is looked
at whether openings are refused, protection passes, the counter shows, and a second gate on the same files (a restart)
still refuses. Touches neither the bot's state nor any venue.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from actors.risk import RiskActor
from actors.simulation import SimClock, SimDispatcher, SimIds
from adapters.gate import Gate
from adapters.ledger.places import CONFIG_DEFAULT
from adapters.operator.printing import print_lines
from adapters.registry import VENUES
from adapters.settings import load_config
from models.book import TopOfBook
from models.clock import SECOND, BootNs, utc_day
from models.config import Config
from models.config_text import ConfigErrors
from models.config_trading import Risk, Window
from models.execution import ExecutionTerms, LegTerms
from models.exit_codes import EXIT_CONFIG, EXIT_OK, EXIT_UNEXPECTED
from models.fees import NO_FEES
from models.kill_switch import KillSwitch, kill_switch
from models.market import BookModel, Market, MarketId, VenueName, linear_grid
from models.messages import IncidentSeen, Opportunity, SetProposed
from models.money import MICRO, MicroShares, MicroUsd, PriceMicros, text
from models.risk import RiskState, limits_from
from models.sets import binary_set
from models.signal import Decision, Kind, Surroundings
from models.verdict import Verdict

SCHEMA_VERSION: Final = 1
MARKET: Final = MarketId("drill")
FEW: Final = 100
"""Incidents that are drilled one by one. A window that takes more begins with all but these."""
FIRST: Final = Window(count=1, minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """What one condition did."""

    name: str
    limit: int
    """Incidents (or micro-dollars) at which it should trip."""
    due: int
    """The incident that should trip it."""
    tripped_at: int | None
    """The incident that tripped it; None: it never fired."""
    open_before: bool
    """Before the first incident an opening order would have passed, also after a restart."""
    reason: str
    openings_stopped: bool
    protection_passes: bool
    survives_restart: bool
    counter: int
    """What `status` shows afterwards."""

    @property
    def passed(self) -> bool:
        fired = self.open_before and self.tripped_at == self.due and self.counter >= 1
        return fired and self.openings_stopped and self.protection_passes and self.survives_restart


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=CONFIG_DEFAULT, metavar="F", help="default: config.yaml")
    parser.add_argument("--json", action="store_true", help="one object on stdout")


def run(options: argparse.Namespace) -> int:
    """0 every condition fired and held; 1 one did not; 78 the configuration is wrong. No file: the defaults."""
    loaded = load_config(options.config, tuple(VENUES)) if options.config.exists() else None
    if isinstance(loaded, ConfigErrors):
        sys.stderr.write("".join(f"{line}\n" for line in loaded.lines()))
        return EXIT_CONFIG
    config = loaded or Config(venue="simulated", markets=(MARKET,))
    logging.getLogger("adapters.gate").setLevel(logging.CRITICAL + 1)  # its halts are the drill's own result
    with tempfile.TemporaryDirectory(prefix="drill-") as directory:
        results = drill(config, Path(directory))
    passed = all(result.passed for result in results)
    if options.json:
        conditions = [{**asdict(result), "passed": result.passed} for result in results]
        sys.stdout.write(json.dumps({"schema_version": SCHEMA_VERSION, "ok": passed, "conditions": conditions}) + "\n")
    else:
        print_lines(map(_line, results), sys.stdout)
    return EXIT_OK if passed else EXIT_UNEXPECTED


def drill(config: Config, directory: Path) -> list[Drilled]:
    """Every condition that the configuration arms, each on a fresh gate under `directory`."""
    windows = config.risk.kill_switch_conditions
    # A first partial fill halts by itself where that is configured, so the window is drilled with that switched off.
    patient = config.risk.model_copy(update={"halt_on_partial_fill": False})
    results = [
        _drill(directory / name, name, window.count, config, patient, _incidents(kind, window))
        for name, kind, window in (
            ("partials", "partial", windows.partials),
            ("rejects", "reject", windows.rejects),
            ("disconnects", "disconnect", windows.disconnects),
        )
    ]
    if config.risk.halt_on_partial_fill:
        name = "halt_on_partial_fill"
        results.append(_drill(directory / name, name, 1, config, config.risk, _incidents("partial", FIRST)))
    if windows.daily_notional:
        name = "daily_notional"
        limit = config.risk.max_daily_notional_micros
        results.append(_drill(directory / name, name, limit, config, config.risk, _one_set_too_many))
    return results


Happenings = Callable[[RiskActor, SimClock], Iterator[None]]
"""Lets one thing after another happen to risk; after each it is looked at whether the gate has tripped."""


def _incidents(kind: str, window: Window) -> Happenings:
    """As many as trip, at most one a second, close enough to fall into one window. Of very many, the last few."""
    count = min(window.count, FEW)
    apart_ns = min(SECOND, window.window_ns // (count + 1))

    def happen(risk: RiskActor, clock: SimClock) -> Iterator[None]:
        for number in range(1, count + 1):
            clock.now += apart_ns
            set_id = binary_set(MARKET).set_id if kind == "partial" else None
            risk.receive(IncidentSeen(kind=kind, set_id=set_id, detail=f"drill {number}", at=clock.boot_ns()))
            yield

    return happen


def _one_set_too_many(risk: RiskActor, clock: SimClock) -> Iterator[None]:
    risk.receive(SetProposed(opportunity=_an_opportunity(risk, clock)))
    yield


def _drill(directory: Path, name: str, limit: int, config: Config, rules: Risk, happen: Happenings) -> Drilled:
    clock = SimClock()
    clock.now = SECOND
    gate = Gate(directory / "permit", clock, scope="drill")
    gate.grant_fresh("drill")
    gate.release_hold()
    risk = _risk(config, rules, gate, clock)
    open_before = _opens(gate) and _opens(_restarted(directory, clock))
    tripped_at, due = None, 0
    for due, _ in enumerate(happen(risk, clock), start=1):
        if tripped_at is None and not _opens(gate):
            tripped_at = due
    with gate.enter_protective() as protective:
        protection_passes = protective
    record = gate.tripped or gate.market_halts.get(MARKET)
    gauge = "partials" if name == "halt_on_partial_fill" else name
    return Drilled(
        name=name,
        limit=limit,
        due=due,
        tripped_at=tripped_at,
        open_before=open_before,
        reason="" if record is None else record.reason,
        openings_stopped=not _opens(gate),
        protection_passes=protection_passes,
        survives_restart=not _opens(_restarted(directory, clock)),
        counter=next((g.used for g in risk.kill_switch if g.name == gauge), 0),
    )


def _restarted(directory: Path, clock: SimClock) -> Gate:
    """The gate of the next process: it has been let go on after its start, and only the files hold it back."""
    gate = Gate(directory / "permit", clock, scope="drill")
    gate.release_hold()
    return gate


def _opens(gate: Gate) -> bool:
    with gate.enter_opening([MARKET]) as opening:
        return opening


def _risk(config: Config, rules: Risk, gate: Gate, clock: SimClock) -> RiskActor:
    """A RiskActor like the bot's, with the day's money spent but for less than one set."""
    terms = _terms(config)
    spent = MicroUsd(max(0, rules.max_daily_notional_micros - config.execution.order_size_micros // 2))
    return RiskActor(
        SimDispatcher(0, clock),
        _crashed,
        [terms],
        risk=rules,
        limits=limits_from(rules, config.execution),
        state=RiskState(day=utc_day(clock.wall_ns()), spent_today=spent),
        gate=gate,
        clock=clock,
        ids=SimIds(),
        executors={},
        signal=_NOBODY,
        ledger=_NOBODY,
        switch=_nearly(kill_switch(rules), clock.boot_ns()),
    )


def _nearly(switch: KillSwitch, now: BootNs) -> KillSwitch:
    """As a bot finds it that was started again in the middle of many incidents."""
    return KillSwitch(tuple(replace(c, seen=(now,) * max(0, c.limit - FEW)) for c in switch.conditions))


def _terms(config: Config) -> ExecutionTerms:
    market = Market(
        venue=VenueName("drill"),
        market_id=MARKET,
        title="drill",
        yes_instrument="yes",
        no_instrument="no",
        price_bands=linear_grid(PriceMicros(10_000)),
        lot=MicroShares(1),
        min_size=MicroShares(0),
        min_notional=MicroUsd(0),
        fees=NO_FEES,
        book_model=BookModel.SEPARATE,
        closes_at_ms=None,
    )
    complete_set = binary_set(MARKET)
    execution = config.execution
    return ExecutionTerms(
        complete_set=complete_set,
        legs=tuple(LegTerms(market=market, outcome=leg.outcome) for leg in complete_set.legs),
        lot=market.lot,
        mode="paper",
        min_edge=config.strategy.min_edge_micros,
        cost_buffer=config.strategy.cost_buffer_micros,
        limit_ticks_through=0,
        max_attempts_per_round=execution.max_attempts_per_round,
        order_timeout_ns=execution.order_timeout_ns,
        max_inflight_ns=execution.max_inflight_ns,
        cooldown_ns=execution.cooldown_ns,
        max_unwind_loss=execution.max_unwind_loss_micros,
        max_book_age_ns=config.runtime.max_book_age_ns,
    )


def _an_opportunity(risk: RiskActor, clock: SimClock) -> Opportunity:
    """A set that pays a dollar for ninety cents, in the configured size."""
    ask, size, now = 450_000, 10**12, clock.boot_ns()
    top = TopOfBook(
        MARKET, 1, 1, 1, None, 440_000, size, ask, size, 440_000, size, ask, size, 0, 0, now, now, 0, True, True
    )  # fmt: skip
    edge = MicroUsd(MICRO - 2 * ask)
    return Opportunity(
        opportunity_id="o-drill",
        set_id=binary_set(MARKET).set_id,
        episode_id="e-drill",
        at=clock.wall_ns(),
        frame_at=now,
        tops=(top, top),
        surroundings=Surroundings(now=now, wall_ms=clock.wall_ns() // 1_000_000),
        decision=Decision(
            kind=Kind.TRADE,
            reason=None,
            also=(),
            verdict=Verdict.REAL,
            sum_cost=MicroUsd(2 * ask),
            edge=edge,
            fees=MicroUsd(0),
            net_edge=edge,
            size=risk.max_order_size,
            reach=(PriceMicros(ask), PriceMicros(ask)),
        ),
    )


class _Nobody:
    def tell(self, message: object) -> None:
        """The drill's actor talks to nobody."""


_NOBODY: Final = _Nobody()


def _crashed(name: str, error: BaseException) -> None:
    raise RuntimeError(f"{name} crashed in the drill") from error


def _line(result: Drilled) -> str:
    if not result.open_before:
        return f"{result.name:<22} NOT DRILLED: openings were refused from the start"
    if result.tripped_at is None:
        return f"{result.name:<22} NEVER FIRED (limit {result.limit})"
    held: Sequence[tuple[str, bool]] = (
        ("openings stopped", result.openings_stopped),
        ("protection passes", result.protection_passes),
        ("survives a restart", result.survives_restart),
    )
    words = ", ".join(said if good else f"NOT {said}" for said, good in held)
    when = f"{result.tripped_at} of {result.due}"
    return f"{result.name:<22} tripped at incident {when}: {words}, {_counter(result)}. {result.reason}"


def _counter(result: Drilled) -> str:
    if result.name == "daily_notional":
        return f"counter {text(result.counter)} of {text(result.limit)}"
    return f"counter {result.counter} of {result.limit}"
