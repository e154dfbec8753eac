"""Who owns what: cash, shares, what is reserved for resting orders, and a statement that adds up to the balances."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from models.market import Action, MarketId, Outcome

Holding = tuple[MarketId, Outcome]


class EntryKind(enum.StrEnum):
    DEPOSIT = "deposit"
    SPLIT = "split"
    TRADE = "trade"
    FEE = "fee"
    MERGE = "merge"
    PAYOUT = "payout"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """One line of an account statement. `cash` and `shares` are signed differences; lines add up to the balances."""

    at: int
    kind: EntryKind
    cash: int
    market_id: MarketId | None
    outcome: Outcome | None
    shares: int
    reference: str


@dataclass(slots=True, eq=False)
class Account:
    """One trader. `house` accounts make the market; their orders are forgotten when done, and they get no statement."""

    name: str
    api_key: str
    api_secret: str
    house: bool
    cash: int = 0
    reserved_cash: int = 0
    shares: dict[Holding, int] = field(default_factory=dict)
    reserved_shares: dict[Holding, int] = field(default_factory=dict)
    unsettled_shares: dict[Holding, int] = field(default_factory=dict)
    """Bought, and the trade not final yet."""
    statement: list[StatementEntry] = field(default_factory=list)

    @property
    def free_cash(self) -> int:
        return self.cash - self.reserved_cash

    def free_shares(self, holding: Holding, *, settled_only: bool) -> int:
        """Shares that may be sold or merged now."""
        free = self.shares.get(holding, 0) - self.reserved_shares.get(holding, 0)
        return free - self.unsettled_shares.get(holding, 0) if settled_only else free

    def post(
        self,
        at: int,
        kind: EntryKind,
        *,
        cash: int = 0,
        holding: Holding | None = None,
        shares: int = 0,
        reference: str = "",
    ) -> None:
        """Book one entry. Nothing else changes `cash` and `shares`."""
        self.cash += cash
        if holding is not None and shares:
            left = self.shares.get(holding, 0) + shares
            assert left >= 0, f"{self.name} would hold {left} of {holding}"
            _put(self.shares, holding, left)
        if not self.house:
            market_id, outcome = holding or (None, None)
            self.statement.append(StatementEntry(at, kind, cash, market_id, outcome, shares, reference))

    def reserve(self, action: Action, holding: Holding, price_times_size: int, size: int) -> None:
        """Set aside what a resting order may need; negative amounts release it again."""
        if action is Action.BUY:
            self.reserved_cash += price_times_size
            assert self.reserved_cash >= 0, "released more cash than was reserved"
        else:
            left = self.reserved_shares.get(holding, 0) + size
            assert left >= 0, "released more shares than were reserved"
            _put(self.reserved_shares, holding, left)

    def unsettle(self, holding: Holding, shares: int) -> None:
        """Count shares as bought but not settled; negative when they settle."""
        left = self.unsettled_shares.get(holding, 0) + shares
        assert left >= 0, "settled more than was bought"
        _put(self.unsettled_shares, holding, left)


def _put(amounts: dict[Holding, int], holding: Holding, amount: int) -> None:
    if amount:
        amounts[holding] = amount
    else:
        amounts.pop(holding, None)
