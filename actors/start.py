"""From the command line to a running bot and back to an exit code: configuration, locks, venue, system, console.

Every way in which a start can be wrong ends here, in one sentence and its own exit code, without a traceback.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from actors.admission import NotAdmittedError, admit, get_ready
from actors.face import Face
from actors.main import VERSION
from actors.memory import settle
from actors.network import StartError
from actors.plan import Plan, PlanError, VenueUnreachableError, make_plan
from actors.recovery import take_up
from actors.system import Outside, System
from actors.wanted import CannotStartError, Wanted, wanted_bot, wanted_demo
from adapters.chance import fresh_rng
from adapters.clock import SystemClock
from adapters.embedded import EmbeddedVenue, EmbeddedVenueError, ReadyLine
from adapters.gate import Gate
from adapters.ids import SystemIds
from adapters.instance import AnotherInstance, InstanceLock, ledger_lock
from adapters.ledger.connection import open_ledger, open_reader
from adapters.ledger.errors import LedgerError
from adapters.logs import Logs
from adapters.operator.commands import COMMANDS
from adapters.operator.console import Console
from adapters.operator.control import ControlServer
from adapters.operator.control_socket import ControlSocketError
from adapters.operator.places import (
    HISTORY_NAME,
    LOCK_NAME,
    SOCKET_NAME,
)
from adapters.operator.plain import PlainConsole
from adapters.operator.signals import StopRequest
from adapters.permit import HaltRecord
from adapters.redaction import Redactor
from adapters.registry import UnknownVenueError, make_market_data, make_orders
from adapters.settings import Secrets
from adapters.venue import MarketData, MissingKeysError, Orders
from models.clock import SECOND
from models.config import Config
from models.config_embedded import embedded_config
from models.config_machine import VenueOptions
from models.exit_codes import (
    EXIT_CONFIG,
    EXIT_HALTED,
    EXIT_INSTANCE,
    EXIT_LEFT_OPEN,
    EXIT_OK,
    EXIT_UNEXPECTED,
    EXIT_UNREACHABLE,
)
from models.market import VenueName


def run_bot(options: argparse.Namespace) -> int:
    """`run`: the file's venue, or the embedded one where there is no file."""
    return _guarded(lambda: _run(wanted_bot(options), options))


def run_demo(options: argparse.Namespace) -> int:
    """`demo`: embedded venue, own ledger and socket, every kind of event within ninety seconds."""
    return _guarded(lambda: _run(wanted_demo(options), options))


def _guarded(run: Callable[[], int]) -> int:
    try:
        return run()
    except CannotStartError as error:
        for line in error.lines:
            sys.stderr.write(f"{line}\n")
        return error.code


def _run(wanted: Wanted, options: argparse.Namespace) -> int:
    holder = _Holder()
    clock = SystemClock(holder.timer_failed)
    with ExitStack() as stack:
        _open_state(wanted, clock, stack)
        logs = _logs(wanted, holder.trouble)
        stack.callback(logs.stop)
        try:
            return _run_logged(wanted, options, clock, holder, stack)
        except CannotStartError:
            raise
        except Exception as error:  # noqa: BLE001  the main thread's edge, while the log and its redaction are still there
            logs.unexpected(error)
            return EXIT_UNEXPECTED


def _run_logged(
    wanted: Wanted, options: argparse.Namespace, clock: SystemClock, holder: _Holder, stack: ExitStack
) -> int:
    stop = StopRequest()
    stop.install()
    stack.callback(stop.restore)
    plan = _plan(wanted, clock, stack)
    clock.start()
    stack.callback(clock.stop)
    gate = Gate(
        wanted.state / "permit",
        clock,
        scope=f"{plan.mode}:{plan.venue_names}",
        on_change=holder.gate_changed,
    )
    # No money is at risk on paper or on the simulated exchange; anywhere else only `resume` gives the permit.
    if not plan.live or set(plan.venues) == {"simulated"}:
        gate.grant_fresh("demo" if plan.demo else plan.mode)
    try:
        ledger = open_ledger(plan.ledger, clock)
        with closing(open_reader(plan.ledger)) as connection:
            _admit(plan, wanted, options, connection, clock)
            found = take_up(plan, connection, clock)
    except LedgerError as error:
        raise CannotStartError(EXIT_CONFIG, f"ledger: {error}") from None
    system = System(
        plan,
        Outside(
            clock=clock,
            ids=SystemIds(),
            gate=gate,
            ledger=ledger,
            rng=fresh_rng(),
            code_version=VERSION,
            found=found,
            adopt=options.adopt_account,
        ),
    )
    holder.system = system
    return _operate(system, wanted, options, stop)


def _admit(
    plan: Plan, wanted: Wanted, options: argparse.Namespace, connection: sqlite3.Connection, clock: SystemClock
) -> None:
    """Live on a real venue only where nothing is missing; asks for its name where somebody can type it."""
    ask = input if sys.stdin.isatty() and sys.stdout.isatty() and not options.no_console else None
    try:
        admit(plan, wanted.secrets, connection, clock, confirmed=options.confirm_live, ask=ask)
        get_ready(plan)
    except NotAdmittedError as error:
        raise CannotStartError(EXIT_UNREACHABLE if error.unreachable else EXIT_CONFIG, *error.lines) from None


class _Holder:
    """Lets the gate, the log and the timers reach a system that is built after them."""

    def __init__(self) -> None:
        self.system: System | None = None

    def gate_changed(self, record: HaltRecord | None) -> None:
        if self.system is not None:
            self.system.gate_changed(record)

    def trouble(self, line: str) -> None:
        if self.system is not None:
            self.system.gate.trip(line, "log")

    def timer_failed(self, error: BaseException) -> None:
        """On the clock's thread. What would have followed from it, again and again perhaps, does not."""
        if self.system is not None:
            self.system.gate.trip(f"a timer failed: {type(error).__name__}", "clock")


def _open_state(wanted: Wanted, clock: SystemClock, stack: ExitStack) -> None:
    try:
        wanted.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        wanted.ledger.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        stack.enter_context(InstanceLock(wanted.state / LOCK_NAME, clock.wall_ns()))
        stack.enter_context(ledger_lock(wanted.ledger, clock.wall_ns()))
    except AnotherInstance as error:
        raise CannotStartError(EXIT_INSTANCE, str(error)) from None
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError of pathlib's
        raise CannotStartError(EXIT_CONFIG, _trouble_with(wanted.state, error)) from None


def _trouble_with(path: Path, error: Exception) -> str:
    """One line about a file that is in the way, cannot be reached or finds no room."""
    if isinstance(error, OSError):
        return f"{error.filename or path}: {error.strerror}"
    return f"{path}: {error}"


def _logs(wanted: Wanted, on_trouble: Callable[[str], None]) -> Logs:
    path = wanted.state / "log.jsonl"
    level = "info" if wanted.config is None else wanted.config.data.log_level
    logs = Logs(path, Redactor(wanted.secrets.texts()), level=level.upper(), on_trouble=on_trouble)
    try:
        logs.start()
    except OSError as error:
        raise CannotStartError(EXIT_CONFIG, _trouble_with(path, error)) from None
    return logs


def _plan(wanted: Wanted, clock: SystemClock, stack: ExitStack) -> Plan:
    config = wanted.config
    options: dict[VenueName, VenueOptions] = {}
    keys: dict[VenueName, dict[str, str]] = {}
    if wanted.embedded is not None:
        embedded = EmbeddedVenue(wanted.embedded)
        stack.callback(embedded.stop)
        try:
            ready = embedded.start()
        except EmbeddedVenueError as error:
            raise CannotStartError(EXIT_UNREACHABLE, str(error)) from None
        options[VenueName("simulated")] = VenueOptions(
            rest_url=ready.rest_url, ws_url=ready.ws_url, user_ws_url=ready.user_ws_url
        )
        keys[VenueName("simulated")] = _account_keys(ready)
        if config is None:
            config = embedded_config(ready.market_ids, demo=wanted.demo)
    assert config is not None
    try:
        return make_plan(
            config,
            _venues(config, options, wanted.secrets, clock),
            _orders(config, options, keys, wanted, clock) if wanted.live else {},
            live=wanted.live,
            demo=wanted.demo,
            state=wanted.state,
            ledger=wanted.ledger,
        )
    except VenueUnreachableError as error:
        raise CannotStartError(EXIT_UNREACHABLE, f"a venue cannot be reached: {error}") from None
    except PlanError as error:
        raise CannotStartError(EXIT_CONFIG, *error.lines) from None


def _venues(
    config: Config, given: Mapping[VenueName, VenueOptions], secrets: Secrets, clock: SystemClock
) -> dict[VenueName, MarketData]:
    """The public side of every venue. One of them wants a key even for that (`adapters.registry`)."""
    venues = {}
    budget = config.runtime.rate_budget_per_second
    for name in {VenueName(config.venue), *config.market_venues().values()}:
        options = given.get(name) or config.options(name)
        try:
            venues[name] = make_market_data(name, options, secrets.of(name), clock, budget)
        except (UnknownVenueError, MissingKeysError) as error:
            raise CannotStartError(EXIT_CONFIG, str(error)) from None
    return venues


def _account_keys(ready: ReadyLine) -> dict[str, str]:
    account = ready.accounts[0] if ready.accounts else {}
    return {"API_KEY": account.get("api_key", ""), "API_SECRET": account.get("api_secret", "")}


def _orders(
    config: Config,
    given: Mapping[VenueName, VenueOptions],
    keys: Mapping[VenueName, Mapping[str, str]],
    wanted: Wanted,
    clock: SystemClock,
) -> dict[VenueName, Orders]:
    """The private side of every venue: only built in live mode (I19)."""
    made = {}
    for name in {VenueName(config.venue), *config.market_venues().values()}:
        secrets = keys.get(name) or wanted.secrets.of(name)
        try:
            made[name] = make_orders(name, given.get(name) or config.options(name), secrets, clock)
        except (UnknownVenueError, MissingKeysError) as error:
            raise CannotStartError(EXIT_CONFIG, str(error)) from None
    return made


def _operate(system: System, wanted: Wanted, options: argparse.Namespace, stop: StopRequest) -> int:
    """Start, talk to the operator until the end, stop. The exit code tells what was left."""
    face = Face(system, stop)
    server = ControlServer(wanted.state / SOCKET_NAME, face, COMMANDS)
    settle()
    try:
        system.start()
    except StartError as error:
        system.stop("start failed", wait=False)
        raise CannotStartError(EXIT_UNEXPECTED, f"{error} (see {wanted.state / 'log.jsonl'})") from None
    try:
        server.start()
    except ControlSocketError as error:
        system.stop("no control socket", wait=False)
        raise CannotStartError(EXIT_CONFIG, str(error)) from None
    _watch_the_end(system, options, stop)
    try:
        _talk(system, face, wanted, options, stop)
    finally:
        server.stop()
        left = system.stop(stop.why or "asked to stop", leaving=face.leaving)
    if system.unwritten is not None:
        sys.stderr.write(f"ledger: {system.unwritten}\n")
    if left:
        sys.stderr.write(f"stopped with {left} left open: {', '.join(system.open_items())}\n")
        return EXIT_LEFT_OPEN
    if system.crashed is not None or system.unwritten is not None:
        return EXIT_UNEXPECTED
    with suppress(OSError):  # the terminal may be what went away
        sys.stdout.write("stopped: no order and no unhedged leg is left\n")
        sys.stdout.flush()
    return EXIT_HALTED if options.exit_on_halt and system.gate.tripped is not None else EXIT_OK


def _watch_the_end(system: System, options: argparse.Namespace, stop: StopRequest) -> None:
    """`--for` and `--exit-on-halt`, on the clock's thread."""
    if options.for_ns is not None:
        words = f"{options.for_ns / SECOND:g} s are over"
        system.clock.call_after(options.for_ns, lambda: stop.request(words))
    if options.exit_on_halt:
        _look_for_halt(system, stop)


def _look_for_halt(system: System, stop: StopRequest) -> None:
    if system.gate.tripped is not None:
        stop.request("trading is halted")
    else:
        system.clock.call_after(SECOND // 4, lambda: _look_for_halt(system, stop))


def _talk(system: System, face: Face, wanted: Wanted, options: argparse.Namespace, stop: StopRequest) -> None:
    if options.no_console:
        PlainConsole(face, stop, COMMANDS, sys.stdout, None).run()
    elif sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty():
        Console(face, system.clock, stop, COMMANDS, history=wanted.state / HISTORY_NAME).run()
    else:
        PlainConsole(face, stop, COMMANDS, sys.stdout, None if sys.stdin is None else sys.stdin.fileno()).run()
    while not stop.requested:
        stop.wait()
