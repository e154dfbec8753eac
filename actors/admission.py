"""The door to live trading on a real venue: gathers what `models.live_gate` judges, on the main thread, before any
actor runs. On paper and on the simulated exchange it lets everybody pass.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

from actors.plan import Plan
from adapters.ledger.paper_runs import paper_runs
from adapters.registry import account_checks
from adapters.settings import Secrets
from adapters.venue import VenueReadError, VenueReadRefusedError
from models.checkup import Check, Grade, failed
from models.clock import Clock
from models.config_trading import Mode
from models.live_gate import LiveRequest, addresses, live_refusals
from models.market import VenueName

PLAY_MONEY: Final = frozenset({VenueName("simulated")})


class NotAdmittedError(Exception):
    """Live trading may not start. One line per missing thing; `unreachable` where only a venue's silence is in the
    way.
    """

    def __init__(self, lines: list[str], *, unreachable: bool = False) -> None:
        super().__init__(lines[0] if lines else "")
        self.lines = tuple(lines)
        self.unreachable = unreachable


def admit(
    plan: Plan,
    secrets: Secrets,
    ledger: sqlite3.Connection,
    clock: Clock,
    *,
    confirmed: str | None,
    ask: Callable[[str], str] | None,
) -> None:
    """Raises `NotAdmittedError`. `confirmed` is `--confirm-live`; `ask` puts a question to the operator, None where
    there is no terminal. The question comes last, when nothing else is missing.
    """
    real = frozenset(plan.venues) - PLAY_MONEY
    if not plan.live or not real:
        return
    names = frozenset(VenueName(word) for word in (confirmed or "").replace("+", " ").replace(",", " ").split())
    checks = _checks(plan, real, secrets, clock)
    request = LiveRequest(
        real={name: addresses(plan.config.options(name).model_dump(mode="json")) for name in real},
        mode_is_live=plan.config.mode is Mode.LIVE,
        confirmed=real if ask is not None and not names else names,
        checks=checks,
        paper=paper_runs(ledger),
    )
    refusals = live_refusals(request)
    if refusals:
        bad = failed(checks)
        silent = bool(bad) and all(check.grade is Grade.UNREACHABLE for check in bad) and len(refusals) == len(bad)
        raise NotAdmittedError([f"not live: {line}" for line in refusals], unreachable=silent)
    if ask is not None and not names:
        _confirm(real, ask)


def get_ready(plan: Plan) -> None:
    """Let every venue's private side read what its orders need. Raises `NotAdmittedError`."""
    for name, orders in plan.orders.items():
        try:
            orders.get_ready([market for market in plan.markets.values() if market.venue == name])
        except VenueReadError as error:
            raise NotAdmittedError([f"{name}: {error}"], unreachable=True) from None
        except VenueReadRefusedError as error:
            raise NotAdmittedError([f"{name}: {error}"]) from None


def _checks(plan: Plan, real: frozenset[VenueName], secrets: Secrets, clock: Clock) -> list[Check]:
    config = plan.config
    return [
        check
        for name in sorted(real)
        for check in account_checks(
            name,
            config.options(name),
            secrets.of(name),
            clock,
            offline=False,
            max_skew_ms=config.runtime.max_clock_skew_ms,
        )
    ]


def _confirm(real: frozenset[VenueName], ask: Callable[[str], str]) -> None:
    for name in sorted(real):
        if ask(f"Real orders with real money on {name}. Type its name to go on: ").strip() != name:
            raise NotAdmittedError([f"not live: {name} was not confirmed"])
