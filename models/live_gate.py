"""May this start be live? Every condition of real trading, as one pure decision that lists all that is missing.

On a real venue it takes: `mode: live` in the file, `--live`, the venue's name typed, a venue that says it takes orders
from this account and place, and a clean paper run of the same venue, reached at the same addresses, in the ledger
(design section 10). The clean reconcile comes after the start: until it has been, and the operator has typed `resume`,
the gate grants nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from models.checkup import Check, failed
from models.clock import SECOND, WallNs
from models.market import VenueName

LEAST_PAPER_NS: Final = 60 * SECOND
"""A paper run must have lasted this long to prove that the feed was read at all; a day of it is worth more."""


Addresses = tuple[str, ...]
"""Where a venue's public side was read, in the order of `READ_AT`; empty texts are the venue's own addresses."""

READ_AT: Final = ("rest_url", "ws_url", "catalog_url")
"""The options of a venue that decide what a paper run has seen."""


def addresses(options: Mapping[str, object]) -> Addresses:
    """Of a venue's options as the configuration's JSON has them."""
    return tuple(str(options.get(name) or "").rstrip("/") for name in READ_AT)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRun:
    """One paper run as the ledger has it."""

    venues: Mapping[VenueName, Addresses]
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

    real: Mapping[VenueName, Addresses]
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
        for name in sorted(request.real.keys() - request.confirmed)
    ]
    refusals += [f"{check.name}: {check.text}. {_sentence(check.remedy)}" for check in failed(request.checks)]
    missing = (_paper_missing(request, name) for name in sorted(request.real))
    return [*refusals, *filter(None, missing)]


def _paper_missing(request: LiveRequest, name: VenueName) -> str | None:
    """A run against a local copy of the venue says nothing about the venue. None where there is a run that counts."""
    wanted = request.real[name]
    clean = [run.venues[name] for run in request.paper if name in run.venues and run.clean]
    if wanted in clean:
        return None
    others = f" (there are some of {_words(clean[-1])})" if clean else ""
    return (
        f"the ledger has no clean paper run of {name} at {_words(wanted)}{others}: run it with --paper first, a day is "
        f"a good measure (at least {LEAST_PAPER_NS // SECOND} s, ended with quit or --for)"
    )


def _words(where: Addresses) -> str:
    return ", ".join(address for address in where if address) or "its own addresses"


def _sentence(remedy: str) -> str:
    return f"{remedy[:1].upper()}{remedy[1:]}" if remedy else ""
