"""What every attempt holds, as the venue has it: how much of it is naked, since when, and how much may be mended."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from models.book import NO_ASK, NO_BID, YES_ASK, YES_BID
from models.clock import SECOND
from models.market import Action, Outcome
from models.money import MICRO

if TYPE_CHECKING:
    from models.execution import LegTerms
    from tests.sim.invariants import Judge, Order
    from tests.sim.world import World

SLACK_NS = SECOND // 4
NEWS_NS = 20 * SECOND
"""How long news that no answer carries may be on its way: by stream, by probe, at the latest by a comparison."""


class Exposure:
    def __init__(self, judge: Judge, world: World) -> None:
        self._judge = judge
        self._world = world
        self.held: dict[str, list[int]] = {}
        """Shares per leg of every attempt."""
        self._naked_since: dict[str, int] = {}
        self._reversed_at: dict[str, int] = {}
        self._revived: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        """(when, leg, shares) of what undead orders have filled, by attempt."""

    def of(self, order: Order) -> list[int]:
        return self.held.get(order.attempt_id) or [0] * len(self._judge.terms[order.set_id].legs)

    def traded(self, order: Order, size: int) -> None:
        """`size` shares of an order have filled; a reversal is negative."""
        change = size if order.action is Action.BUY else -size
        held = self.held[order.attempt_id] = self.of(order)
        held[order.leg] += change
        if order.client_order_id in self._judge.undead:
            self._revived[order.attempt_id].append((self._world.now, order.leg, change))
        if size < 0:
            self._reversed_at[order.attempt_id] = self._world.now
        self._expose(order.attempt_id, held)

    def missing(self, order: Order) -> int | None:
        """Most that this protective order may be about; None where the bot cannot know yet what is missing."""
        now = self._world.now
        reversed_at = self._reversed_at.get(order.attempt_id)
        if reversed_at is not None and now - reversed_at < NEWS_NS:
            return None  # the news may still be on its way
        held = self.of(order)
        # The same for the fills of an order that arrives after every promise: nobody could wait for it any longer.
        unheard = list(held)
        for at, leg, size in self._revived[order.attempt_id]:
            if now - at < NEWS_NS:
                unheard[leg] -= size
        return max(_missing(order, held), _missing(order, unheard))

    def way_out(self, attempt_id: str) -> bool:
        """What is naked is enough for orders at the prices of now, all of it to buy or the most of it to sell."""
        if attempt_id not in self.held:
            return True
        held, order = self.held[attempt_id], self._judge.by_attempt[attempt_id][0]
        low, high = min(held), max(held)
        legs = self._judge.terms[order.set_id].legs
        buys = [self._taken(leg, Action.BUY, high - size) for leg, size in zip(legs, held, strict=True) if size < high]
        sells = [self._taken(leg, Action.SELL, size - low) for leg, size in zip(legs, held, strict=True) if size > low]
        return (bool(buys) and all(buys)) or (bool(sells) and all(sells))

    def _taken(self, leg: LegTerms, action: Action, size: int) -> bool:
        market, yes = leg.market, leg.outcome is Outcome.YES
        bid, ask = (YES_BID, YES_ASK) if yes else (NO_BID, NO_ASK)
        price = self._world.venue.engine.listings[market.market_id].best(ask if action is Action.BUY else bid)
        lot = market.lot_of(action)
        whole = size // lot * lot
        if price is None or (action is Action.BUY and whole != size):
            return False
        return whole >= max(lot, market.least_take) and whole * price >= market.min_notional * MICRO

    # -- I5

    def _expose(self, attempt_id: str, held: list[int]) -> None:
        if max(held) == min(held):
            self._naked_since.pop(attempt_id, None)
        elif attempt_id not in self._naked_since:
            world = self._world
            since = self._naked_since[attempt_id] = world.now
            self._ask_later(attempt_id, since, world.disturbed)

    def _ask_later(self, attempt_id: str, since: int, disturbed: int) -> None:
        world = self._world
        lost = world.disturbed - disturbed
        due = max(since, world.awake_since) + self._max_inflight_ns + SLACK_NS + lost
        world.at(max(due, world.now + SLACK_NS), lambda: self._too_long(attempt_id, since, disturbed, lost))

    def _unheard(self, attempt_id: str, since: int) -> bool:
        """It is naked because a fill was reversed, or an order came later than every promise: nobody waits for such
        news, and it may not have been heard yet. A stream that is half open is found out within ten seconds, and the
        answers to two questions may get lost meanwhile.
        """
        revived = any(at == since for at, _, _ in self._revived[attempt_id])
        return (revived or self._reversed_at.get(attempt_id) == since) and self._world.now - since < NEWS_NS

    def _too_long(self, attempt_id: str, since: int, disturbed: int, lost: int) -> None:
        """I5: by now either it is mended or trading is halted and an alarm is on record."""
        world = self._world
        if self._naked_since.get(attempt_id) != since:
            return
        late = max(since, world.awake_since) + self._max_inflight_ns > world.now
        late = late or self._unheard(attempt_id, since)
        if world.disturbed - disturbed > lost or world.frozen or world.bot.over or late:
            self._ask_later(attempt_id, since, disturbed)
            return
        bot = world.bot
        if bot.gate.tripped is None and not self._small(attempt_id) and not self._paid_out(attempt_id):
            text = f"{attempt_id} holds {self.held[attempt_id]} since {since} and nothing is halted"
            raise self._judge.found("I5", text)

    @property
    def _max_inflight_ns(self) -> int:
        return next(iter(self._judge.terms.values())).max_inflight_ns

    def _paid_out(self, attempt_id: str) -> bool:
        """What was naked has been paid for by its market."""
        held, order = self.held[attempt_id], self._judge.by_attempt[attempt_id][0]
        legs = self._judge.terms[order.set_id].complete_set.legs
        listings = self._world.venue.engine.listings
        naked = [leg.market_id for leg, size in zip(legs, held, strict=True) if size > min(held)]
        return all(listings[market_id].yes_pays is not None for market_id in naked)

    def _small(self, attempt_id: str) -> bool:
        """Less than the venue trades: stranded, reported, no longer worked."""
        held, order = self.held[attempt_id], self._judge.by_attempt[attempt_id][0]
        surplus = max(held) - min(held)
        legs = self._judge.terms[order.set_id].legs
        return all(
            surplus < max(leg.market.lot, leg.market.min_size) or surplus <= leg.market.min_notional for leg in legs
        )


def _missing(order: Order, held: list[int]) -> int:
    return max(held) - held[order.leg] if order.action is Action.BUY else held[order.leg] - min(held)
