"""Resting orders in price-time priority."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from adapters.simulated.orders import VenueOrder


class Ladder:
    """One side of one book. Best price first, and within a price the oldest order first."""

    __slots__ = ("_keys", "_levels", "_sign", "totals")

    def __init__(self, *, bids: bool) -> None:
        self._sign = -1 if bids else 1
        self._keys: list[int] = []
        """Sorted; a bid's key is its negative price, so the best is always first."""
        self._levels: dict[int, dict[str, VenueOrder]] = {}
        self.totals: dict[int, int] = {}
        """Shares that rest at each price."""

    @property
    def best(self) -> int | None:
        return self._keys[0] * self._sign if self._keys else None

    def reaches(self, price: int, limit: int) -> bool:
        """Whether an order of the other side with this limit may take from `price`."""
        return (price - limit) * self._sign <= 0

    def add(self, price: int, order: VenueOrder) -> int:
        """Let the order's remaining size rest; return the level's new total."""
        level = self._levels.get(price)
        if level is None:
            level = self._levels[price] = {}
            self.totals[price] = 0
            insort(self._keys, price * self._sign)
        level[order.order_id] = order
        self.totals[price] += order.remaining
        return self.totals[price]

    def reduce(self, price: int, order: VenueOrder, size: int, *, gone: bool) -> int:
        """Take `size` of a resting order away, the order itself where it is `gone`; return the level's new total."""
        total = self.totals[price] - size
        if gone:
            del self._levels[price][order.order_id]
        if not self._levels[price]:
            assert total == 0, "an empty level holds shares"
            del self._levels[price], self.totals[price]
            del self._keys[bisect_left(self._keys, price * self._sign)]
            return 0
        self.totals[price] = total
        return total

    def orders(self) -> Iterator[tuple[int, VenueOrder]]:
        """(price, order) in priority. The ladder must not change while this is read."""
        for key in self._keys:
            price = key * self._sign
            for order in self._levels[price].values():
                yield price, order
