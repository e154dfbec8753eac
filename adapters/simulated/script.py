"""The script of events: which gaps open, when, where, how large and for how long. A pure function of the seed.

Times are ms since the start. Sizes are shares, edges dollars per set before the operator's buffer and fees: how far the
asks of the set sum up below its payout.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.simulated.catalog import events
from models.market import BookModel, Market, MarketId, Outcome
from models.money import MICRO


class GapKind(enum.StrEnum):
    """What a gap is good for. Only GOOD and BASKET ones are worth a trade at the default thresholds."""

    GOOD = "good"
    SMALL = "small"
    """Too small for the edge."""
    THIN = "thin"
    """Too thin for the depth."""
    AGAIN = "again"
    """Reopens just after a good gap of the same market, while a bot is still cooling down."""
    LAGGING = "lagging"
    """The market's frames arrive late while it is open."""
    YES_BASKET = "yes_basket"
    NO_BASKET = "no_basket"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedGap:
    at_ms: int
    kind: GapKind
    markets: tuple[MarketId, ...]
    """One market (YES + NO), or all of an event."""
    edge: int
    """Micro-dollars per set."""
    sizes: tuple[int, ...]
    """Micro-shares at the best ask of each leg: (YES, NO) of one market, or one per market of an event."""
    life_ms: int
    lag_ms: int = 0
    """How late the market's frames are while it is open."""

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Outcome of each leg, in the order of `sizes`."""
        if self.kind is GapKind.YES_BASKET:
            return (Outcome.YES,) * len(self.markets)
        if self.kind is GapKind.NO_BASKET:
            return (Outcome.NO,) * len(self.markets)
        return (Outcome.YES, Outcome.NO)


FIRST_AT_MS: Final = 2_000
LAGS_MS: Final = (800, 3_000)
"""How late the frames of a lagging market are: a doubt for one bot, beyond use for another."""


def script(markets: Sequence[Market], seed: int) -> Iterator[ScriptedGap]:
    """Gaps without end, by time; gaps of one market never overlap."""
    chance = random.Random(f"{seed}/script")
    pools = _pools(markets)
    if not pools:
        return
    busy_until: dict[MarketId, int] = {}
    at_ms = FIRST_AT_MS
    later: list[ScriptedGap] = []
    for kind in _kinds(chance, pools):
        pool = pools[kind]
        free = [group for group in pool if _free_at(group, busy_until) <= at_ms]
        members = chance.choice(free or [min(pool, key=lambda group: _free_at(group, busy_until))])
        at_ms = max(at_ms, _free_at(members, busy_until))
        gap = _gap(kind, members, at_ms, chance)
        later.sort(key=lambda held: held.at_ms)
        while later and later[0].at_ms <= at_ms:
            yield later.pop(0)
        yield gap
        ends_ms = at_ms + gap.life_ms
        if kind is GapKind.GOOD and chance.random() < 0.3:
            again = _gap(GapKind.AGAIN, members, ends_ms + 700, chance)
            later.append(again)
            ends_ms = again.at_ms + again.life_ms
        for member in members:
            busy_until[member.market_id] = ends_ms + (gap.lag_ms + 2_000 if gap.lag_ms else 1_000)
        at_ms += chance.randrange(600, 1_800)


def _pools(markets: Sequence[Market]) -> dict[GapKind, list[tuple[Market, ...]]]:
    """Where each kind of gap may open; kinds that can open nowhere are left out."""
    singles: list[tuple[Market, ...]] = [(market,) for market in markets if market.book_model is BookModel.SEPARATE]
    groups = [group for group in events(markets) if group[0].book_model is BookModel.UNIFIED]
    fine = [group for group in singles if group[0].price_bands[0].step < MICRO // 100]
    coarse = [group for group in singles if group not in fine] or singles
    pools: dict[GapKind, list[tuple[Market, ...]]] = {
        GapKind.GOOD: singles,
        GapKind.THIN: coarse,
        GapKind.LAGGING: singles,
        GapKind.SMALL: fine,
        GapKind.NO_BASKET: groups,
        GapKind.YES_BASKET: groups,
    }
    return {kind: pool for kind, pool in pools.items() if pool}


def _free_at(group: Sequence[Market], busy_until: dict[MarketId, int]) -> int:
    return max(busy_until.get(market.market_id, 0) for market in group)


_SHARES: Final = {GapKind.GOOD: 5, GapKind.NO_BASKET: 2}
"""How often a kind comes in a round of the script; the others come once."""


def _kinds(chance: random.Random, pools: Mapping[GapKind, object]) -> Iterator[GapKind]:
    """Rounds in random order; each shows every kind, so that half a minute is enough to see them all. The first gap of
    all is one that can be traded.
    """
    one_round = [kind for kind in pools for _ in range(_SHARES.get(kind, 1))]
    yield one_round[0]
    while True:
        chance.shuffle(one_round)
        yield from one_round


def _gap(kind: GapKind, members: Sequence[Market], at_ms: int, chance: random.Random) -> ScriptedGap:
    step = members[0].price_bands[0].step
    legs = 2 if len(members) == 1 else len(members)
    edge = chance.randrange(30_000, 60_001, 10_000)
    sizes = [chance.randrange(30, 201) * MICRO for _ in range(legs)]
    life_ms = chance.randrange(1_500, 4_000, 100)
    lag_ms = 0
    if kind is GapKind.SMALL:
        edge = step * chance.randrange(1, 4)
    elif kind is GapKind.THIN:
        sizes[chance.randrange(legs)] = chance.randrange(1, 8) * MICRO
    elif kind is GapKind.LAGGING:
        life_ms = chance.randrange(2_500, 4_000, 100)
        lag_ms = chance.choice(LAGS_MS)
    return ScriptedGap(
        at_ms=at_ms,
        kind=kind,
        markets=tuple(member.market_id for member in members),
        edge=edge,
        sizes=tuple(sizes),
        life_ms=life_ms,
        lag_ms=lag_ms,
    )
