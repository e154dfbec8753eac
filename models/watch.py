"""One watched set: counts every state, opens and closes episodes, and says which states deserve a row.

The twin of SignalActor. Feed it tops, ask it to `evaluate`, act on what it returns; it reads no clock and tells nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from models.book import TopOfBook
from models.clock import SECOND, BootNs, WallNs
from models.market import MarketId, MarketStatus, Outcome
from models.money import MicroUsd
from models.signal import Decision, Kind, SetTerms, SkipReason, Surroundings, decide

REFUSED_PAUSE_NS: Final = 5 * SECOND
"""After risk's refusal the same prices are proposed again only after this time: often enough to trade soon after a
`resume`, rarely enough that a halted hour is not a flood of rows.
"""


@dataclass(slots=True)
class Episode:
    """One uninterrupted gap."""

    episode_id: str
    began: WallNs
    best_edge: MicroUsd
    rows: int = 0
    verdict: str = ""
    confirm_asked: bool = False
    last_key: tuple[object, ...] | None = None
    proposed_key: tuple[object, ...] | None = None
    """Key of the TRADE that is in flight or was refused; None once an attempt has ended."""


class Evaluated(msgspec.Struct, frozen=True):
    """A state with `sum_cost < payout`."""

    decision: Decision
    surroundings: Surroundings
    tops: tuple[TopOfBook, ...]
    fresh: bool
    """The top or the decision differs from the episode's last row: it becomes a row, and a TRADE is proposed. What risk
    has refused becomes fresh again after a pause, or when an attempt has ended.
    """
    confirm: bool
    """A snapshot is wanted to confirm the gap; said once per episode."""


class SetWatch:
    """Mutable state of one set between frames. Owned by the SignalActor."""

    __slots__ = (
        "_asks",
        "_is_yes",
        "_payout",
        "_retry_at",
        "cooling_until",
        "counts",
        "episode",
        "in_flight",
        "missing",
        "set_id",
        "statuses",
        "terms",
        "tops",
        "updates",
    )

    def __init__(self, terms: SetTerms) -> None:
        legs = terms.complete_set.legs
        self.terms = terms
        self.set_id = terms.complete_set.set_id
        self.tops: list[TopOfBook | None] = [None] * len(legs)
        self._asks: list[int | None] = [None] * len(legs)
        """What each leg costs; None while its book is missing, not ready or has an empty ask side."""
        self.missing = len(legs)
        """Legs whose book has not published anything yet."""
        self.statuses: tuple[MarketStatus, ...] = ()
        self.in_flight = False
        self.cooling_until = BootNs(0)
        self.episode: Episode | None = None
        self.updates = 0
        self.counts: dict[int, int] = {}
        """Evaluations of this minute by `sum_cost` in whole cents per dollar of payout, floored."""
        self._is_yes = tuple(leg.outcome is Outcome.YES for leg in legs)
        self._payout = terms.complete_set.payout
        self._retry_at = BootNs(0)

    def legs_of(self, market_id: MarketId) -> tuple[int, ...]:
        """Indexes of the legs that this market carries."""
        return tuple(i for i, leg in enumerate(self.terms.complete_set.legs) if leg.market_id == market_id)

    def put(self, top: TopOfBook, legs: tuple[int, ...]) -> None:
        """Replace the tops of `legs` (from `legs_of`)."""
        tops, asks, is_yes = self.tops, self._asks, self._is_yes
        ready = top.not_ready is None
        for index in legs:
            if tops[index] is None:
                self.missing -= 1
            tops[index] = top
            asks[index] = (top.yes_ask if is_yes[index] else top.no_ask) if ready else None

    def sum_cost(self) -> int | None:
        """Micro-dollars for one share of each leg; None while a leg is missing, not ready or has an empty ask side."""
        asks = self._asks
        return None if None in asks else sum(asks)  # type: ignore[arg-type]  # no None is left in it

    def gap(self) -> bool:
        """Count the state that the latest top made; True where it is an opportunity that `evaluate` should judge."""
        self.updates += 1
        total = self.sum_cost()
        if total is None:
            return False
        bucket = total * 100 // self._payout
        counts = self.counts
        counts[bucket] = counts.get(bucket, 0) + 1
        return total < self._payout

    def evaluate(self, now: BootNs, wall: WallNs, episode_id: str) -> Evaluated | None:
        """Decide about the present gap and place it in its episode. Call only after `gap()` was True.

        `episode_id` is used if an episode begins here.
        """
        tops = tuple(top for top in self.tops if top is not None)
        surroundings = Surroundings(
            now=now,
            wall_ms=wall // 1_000_000,
            in_flight=self.in_flight,
            cooling=now < self.cooling_until,
            statuses=self.statuses,
        )
        decision = decide(self.terms, tops, surroundings)
        if decision is None:
            return None
        episode = self.episode
        if episode is None:
            episode = self.episode = Episode(episode_id, wall, decision.edge)
        episode.best_edge = max(episode.best_edge, decision.edge)
        episode.verdict = decision.verdict.value
        key = (
            decision.kind,
            decision.reason,
            decision.verdict,
            decision.size,
            decision.reach,
            *_prices(self.terms, tops),
        )
        trade = decision.kind is Kind.TRADE
        if trade and key == episode.proposed_key:
            fresh = now >= self._retry_at
        else:
            fresh = key != episode.last_key
        if fresh:
            episode.last_key = key
            episode.rows += 1
        doubted = SkipReason.UNCONFIRMED in decision.also or decision.reason is SkipReason.UNCONFIRMED
        confirm = doubted and not episode.confirm_asked
        episode.confirm_asked = episode.confirm_asked or confirm
        if trade and fresh:
            self.in_flight = True
            episode.proposed_key = key
        return Evaluated(decision=decision, surroundings=surroundings, tops=tops, fresh=fresh, confirm=confirm)

    def released(self, cooling_until: BootNs) -> None:
        """The attempt has ended: the gap, if it still stands, is a new decision after the cooldown."""
        self.in_flight = False
        self.cooling_until = cooling_until
        if self.episode is not None:
            self.episode.last_key = self.episode.proposed_key = None

    def refused(self, now: BootNs) -> None:
        """Risk has refused the proposal: nothing is in flight after all."""
        self.in_flight = False
        self._retry_at = BootNs(now + REFUSED_PAUSE_NS)

    def end_episode(self) -> Episode | None:
        """The episode that has just ended, if one was open."""
        episode, self.episode = self.episode, None
        return episode

    def take_counts(self) -> tuple[int, tuple[tuple[int, int], ...]]:
        """(updates, sum_cost counts) since the last call; resets both."""
        updates, counts = self.updates, tuple(sorted(self.counts.items()))
        self.updates, self.counts = 0, {}
        return updates, counts


def _prices(terms: SetTerms, tops: tuple[TopOfBook, ...]) -> list[tuple[int | None, int]]:
    return [
        (top.ask(leg.outcome), top.ask_size(leg.outcome))
        for leg, top in zip(terms.complete_set.legs, tops, strict=True)
    ]
