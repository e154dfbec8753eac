"""May this start be live? Every condition of real trading, as one pure decision that lists all that is missing.

On a real venue it takes: `mode: live` in the file, `--live`, the venue's name typed, a venue that says it takes orders
from this account and place, and a clean paper run of the same venue in the ledger (design section 10). The clean
reconcile comes after the start: until it has been, and the operator has typed `resume`, the gate grants nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.checkup import Check, failed
from models.clock import SECOND, WallNs
from models.market import VenueName

LEAST_PAPER_NS: Final = 60 * SECOND
"""A paper run must have lasted this long to prove that the feed was read at all; a day of it is worth more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRun:
    """One paper run as the ledger has it."""

    venues: frozenset[VenueName]
    began: WallNs
    ended: WallNs
    in_order: bool
    """It was stopped and said so; a killed or crashed one is not."""
    left_open: int
    updates: int
    """Evaluations that it made."""

    @property
    def clean(self) -> bool:
        return self.in_order and self.left_open == 0 and self.updates > 0 and self.ended - self.began >= LEAST_PAPER_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRequest:
    """What a start with `--live` brings along. `real` are its venues where money is real."""

    real: frozenset[VenueName]
    mode_is_live: bool
    """The file says `mode: live`."""
    confirmed: frozenset[VenueName]
    """The venues whose names the operator has typed."""
    checks: Sequence[Check]
    """What the venues' own checks said, eligibility among them."""
    paper: Sequence[PaperRun]


def live_refusals(request: LiveRequest) -> list[str]:
    """Everything that is missing, one sentence with its remedy each; empty where live trading may start."""
    if not request.real:
        return []
    names = ", ".join(sorted(request.real))
    refusals = []
    if not request.mode_is_live:
        refusals.append(f"the file says mode: paper; live trading on {names} needs mode: live in it")
    refusals += [
        f"{name} has not been confirmed: type its name when asked, or give --confirm-live {name}"
        for name in sorted(request.real - request.confirmed)
    ]
    refusals += [f"{check.name}: {check.text}. {_sentence(check.remedy)}" for check in failed(request.checks)]
    for name in sorted(request.real):
        if not any(name in run.venues and run.clean for run in request.paper):
            refusals.append(
                f"the ledger has no clean paper run of {name}: run it with --paper first, a day is a good measure "
                f"(at least {LEAST_PAPER_NS // SECOND} s, ended with quit or --for)"
            )
    return refusals


def _sentence(remedy: str) -> str:
    return f"{remedy[:1].upper()}{remedy[1:]}" if remedy else ""
