"""The kill switch: so many incidents of a kind within so many minutes stop trading until the operator resumes.

Windows are values fed with time, so they can be tested and drilled without waiting. They only count and say when they
trip; the RiskActor closes the gate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from models.clock import SECOND, BootNs
from models.config_trading import Risk
from models.status import Gauge


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`limit` incidents of `kind` within `window_ns` trip. `seen` are the times inside the window, oldest first."""

    name: str
    kind: str
    limit: int
    window_ns: int
    seen: tuple[BootNs, ...] = ()

    def at(self, now: BootNs) -> Condition:
        """The condition with what has left the window dropped."""
        kept = tuple(at for at in self.seen if now - at < self.window_ns)
        return self if len(kept) == len(self.seen) else replace(self, seen=kept)

    def noted(self, at: BootNs) -> Condition:
        """With one more incident. At most `limit` times are kept: more would not change the answer."""
        fresh = self.at(at)
        return replace(fresh, seen=(*fresh.seen, at)[-self.limit :])

    @property
    def tripped(self) -> bool:
        return len(self.seen) >= self.limit

    def sentence(self) -> str:
        minutes = self.window_ns // (60 * SECOND)
        return f"kill switch: {self.limit} {self.name} within {minutes} min"


@dataclass(frozen=True, slots=True)
class KillSwitch:
    conditions: tuple[Condition, ...]

    def noted(self, kind: str, at: BootNs) -> tuple[KillSwitch, str | None]:
        """Count one incident. The sentence says why trading stops, None where it goes on.

        A condition that has tripped goes on tripping while its window is full, so a halt that was lost comes again.
        """
        conditions = tuple(c.noted(at) if c.kind == kind else c.at(at) for c in self.conditions)
        tripped = next((c.sentence() for c in conditions if c.kind == kind and c.tripped), None)
        return KillSwitch(conditions), tripped

    def cleared(self) -> KillSwitch:
        """After a manual resume every window starts empty."""
        return KillSwitch(tuple(replace(c, seen=()) for c in self.conditions))

    def gauges(self, now: BootNs) -> tuple[Gauge, ...]:
        return tuple(
            Gauge(name=c.name, used=len(c.at(now).seen), limit=c.limit, window_ns=c.window_ns) for c in self.conditions
        )


def kill_switch(risk: Risk) -> KillSwitch:
    """The configured conditions. `daily_notional` is judged by `models/risk.py`, where the day's money is."""
    windows = risk.kill_switch_conditions
    return KillSwitch(
        (
            Condition(
                name="partials", kind="partial", limit=windows.partials.count, window_ns=windows.partials.window_ns
            ),
            Condition(name="rejects", kind="reject", limit=windows.rejects.count, window_ns=windows.rejects.window_ns),
            Condition(
                name="disconnects",
                kind="disconnect",
                limit=windows.disconnects.count,
                window_ns=windows.disconnects.window_ns,
            ),
        )
    )
