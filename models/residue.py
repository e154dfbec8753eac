"""How a residue is worked that could not be mended at once: for ever, quickly after news, rarely where nothing helps.

The books are looked at every `CADENCE_NS` (a question to our own actors, it leaves no trace). What they offer becomes a
round of orders at once, until a round has moved nothing. From then on every such round doubles the wait for the next
one, up to a quarter of an hour where the venue refuses the orders themselves, two minutes where it took them without a
fill or takes none at this hour. The wait ends early with news: a part has filled, a book offers better than anything
tried since, another way out, a user stream that is back. So a residue that is refused for ever costs a few rows an hour
(it was 240), and nobody ever gives it up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from models.clock import SECOND, BootNs
from models.money import MicroShares
from models.protection import ProtectionChoice, Remedy

CADENCE_NS: Final = 15 * SECOND
"""Between looks. Also long enough for just-bought shares to settle, without which a venue refuses to sell them."""
CLOSED_MAX_NS: Final = 120 * SECOND
REFUSED_MAX_NS: Final = 900 * SECOND
REMINDER_NS: Final = 900 * SECOND
"""Between two lines to the operator about the same residue."""
HELD_NS: Final = 60 * SECOND
"""At least so long between two rows that say why it is held, where the reason comes and goes."""

_EARLY_NS: Final = CADENCE_NS // 2
"""A look never falls exactly on the end of a wait."""

Way = tuple[Remedy, tuple[int, ...]]
"""A remedy and the legs that it trades."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowWork:
    """What has been tried on one residue."""

    surplus: MicroShares = MicroShares(0)
    """Naked when the newest round went out."""
    rounds: int = 0
    """In a row, that moved none of it, the newest included."""
    sent_at: BootNs | None = None
    """When the newest round went out; None: nothing has been tried, or there was news since."""
    best: tuple[tuple[Way, int], ...] = ()
    """Per way the best offer that these rounds have tried: proceeds of one share of each leg, negative for a cost."""
    held_at: BootNs | None = None
    """When a row last said why it is held."""
    held_why: str = ""
    told_at: BootNs | None = None
    """When the operator last heard of it."""


def due(work: SlowWork, choice: ProtectionChoice, surplus: MicroShares, now: BootNs, *, flatly: bool) -> bool:
    """Whether the orders of `choice` may go out now. `flatly`: the venue has refused the newest round's orders as such
    (`Attempt.refused_flatly`).
    """
    if work.sent_at is None or not work.rounds or surplus != work.surplus:
        return True
    way, offer = _offer(choice)
    if offer > dict(work.best).get(way, offer - 1):
        return True
    return now - work.sent_at + _EARLY_NS >= wait_ns(work, flatly=flatly)


def wait_ns(work: SlowWork, *, flatly: bool) -> int:
    """From the newest round to the next where there is no news."""
    most = REFUSED_MAX_NS if flatly else CLOSED_MAX_NS
    return int(min(CADENCE_NS << min(max(work.rounds, 1) - 1, most.bit_length()), most))


def sent(work: SlowWork, choice: ProtectionChoice, surplus: MicroShares, now: BootNs) -> SlowWork:
    """With one more round on its way."""
    moved = surplus != work.surplus
    way, offer = _offer(choice)
    best = {} if moved else dict(work.best)
    best[way] = max(offer, best.get(way, offer))
    rounds = 1 if moved else work.rounds + 1
    return replace(work, surplus=surplus, rounds=rounds, sent_at=now, best=tuple(best.items()))


def after_news(work: SlowWork) -> SlowWork:
    """The next look may send again, whatever it finds; the waits after it are as long as before."""
    return replace(work, sent_at=None)


def held(work: SlowWork, why: str, now: BootNs) -> tuple[SlowWork, bool]:
    """Nothing is allowed now; whether the ledger is to be told why (again)."""
    if work.held_at is not None:
        since = now - work.held_at
        if since < HELD_NS or (why == work.held_why and since < REMINDER_NS):
            return work, False
    return replace(work, held_at=now, held_why=why), True


def reminded(work: SlowWork, now: BootNs) -> tuple[SlowWork, bool]:
    """Whether the operator is to hear of it again. He has just heard when the work begins."""
    if work.told_at is None:
        return replace(work, told_at=now), False
    if now - work.told_at < REMINDER_NS:
        return work, False
    return replace(work, told_at=now), True


def _offer(choice: ProtectionChoice) -> tuple[Way, int]:
    sign = -1 if choice.remedy is Remedy.COMPLETE else 1
    way = (choice.remedy, tuple(order.leg for order in choice.orders))
    return way, sign * sum(order.limit for order in choice.orders)
