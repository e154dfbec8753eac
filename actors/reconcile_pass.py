"""One comparison under way, and how long its steps may take. Plain records of `actors/reconcile.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from models.clock import MS, SECOND, BootNs
from models.market import MarketId, VenueName
from models.messages import StatementSeen
from models.reconcile import Compared, Finding

POLL_NS: Final = 50 * MS
RECHECK_NS: Final = SECOND
BACKOFF_NS: Final = (SECOND, 2 * SECOND, 5 * SECOND, 15 * SECOND, 30 * SECOND)
"""Between questions to a venue that does not answer; the last one repeats."""
FLUSH_NS: Final = 5 * SECOND
MARGIN_NS: Final = 60 * SECOND
"""Executions are read from this much before the last agreement: the venue's clock is not ours."""
LAST_NS: Final = 11 * SECOND
"""At most so long a difference is looked at before the process ends: what a venue hides from its reads for a while has
come to light by then in all but the longest horizons, and a difference that stays is the next start's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things may take, from the configuration and the venues' capabilities."""

    every_ns: int
    settle_ns: int
    """`max_inflight_seconds`: after it an attempt is over or EXPOSED."""
    horizon_ns: int
    """The longest visibility horizon of the venues."""


@dataclass(slots=True)
class Pass:
    why: str
    began: BootNs
    last: bool
    first: bool
    asked: BootNs | None = None
    """When the ledger was asked to flush; None: still waiting for what is in flight."""
    serial: int = 0
    flushed: bool = False
    statements: dict[VenueName, StatementSeen] = field(default_factory=dict)
    failures: int = 0
    suspect_since: BootNs | None = None
    """Since when the two sides have differed."""
    not_before: int = 0
    mended: list[Finding] = field(default_factory=list)
    """What was put right in this pass, for the record."""
    told: set[str] = field(default_factory=set)
    """Attempts whose lost merges, and markets whose payouts, have been told in this pass: each once."""
    asking: dict[VenueName, list[MarketId]] = field(default_factory=dict)
    """Markets whose positions differed at the last look."""

    def note_differing(self, compared: Compared, venues: Mapping[MarketId, VenueName]) -> None:
        """Whether they have resolved is asked with the next look."""
        self.asking = {}
        for market_id in compared.differing:
            if market_id in venues:
                self.asking.setdefault(venues[market_id], []).append(market_id)

    def believes(self, now: BootNs, horizon_ns: int) -> bool:
        """Whether the present difference has outlived what a venue may hide."""
        if self.suspect_since is None:
            self.suspect_since = now
        hidden_ns = horizon_ns + RECHECK_NS
        return now - self.suspect_since >= (min(LAST_NS, hidden_ns) if self.last else hidden_ns)
