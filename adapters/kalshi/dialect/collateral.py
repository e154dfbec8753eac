"""Collateral return: of what exclusive markets are certain to pay back, the cash comes at once (kalshi.md 10.2, read
2026-11-22).

At most one market of such an event resolves YES, so NO of k of them pays k-1 at least. Where an account has this
switched on, so much of what it has spent is handed back after every execution, and taken back from the payouts. Legs
whose cash is back are not bought back or sold any more: the venue may refuse that, and here it always does.
"""

from __future__ import annotations

from adapters.kalshi.catalog import EXCLUSIVE
from adapters.kalshi.dialect.markets import Listed, Listings
from adapters.kalshi.dialect.members import Member
from adapters.simulated.accounts import Account, EntryKind
from adapters.simulated.desk import HOUSE
from adapters.simulated.engine import Exchange
from models.market import MarketId, MarketStatus, Outcome


class CollateralReturn:
    """Amounts in micro-dollars."""

    def __init__(self, engine: Exchange, listings: Listings) -> None:
        self._engine = engine
        self._listings = listings
        self._returned: dict[tuple[str, str], int] = {}
        """By account and event."""

    def returned(self, member: Member, listed: Listed) -> int:
        return self._returned.get((member.account(listed.shard), listed.event_ticker), 0)

    def after_fill(self, member: Member, listed: Listed, now: int) -> None:
        if not member.collateral_return or listed.collateral_return != EXCLUSIVE:
            return
        account = self._engine.accounts[member.account(listed.shard)]
        certain = min(self._spent(account, listed.event_ticker), self._certain(account, listed.event_ticker))
        self._move(account, listed.event_ticker, max(0, certain - self.returned(member, listed)), now)

    def after_payout(self, member: Member, market_id: MarketId, now: int) -> None:
        listed = self._listings.by_ticker[market_id]
        owed = self.returned(member, listed)
        if owed:
            account = self._engine.accounts[member.account(listed.shard)]
            paid = sum(e.cash for e in account.statement if e.kind is EntryKind.PAYOUT and e.market_id == market_id)
            self._move(account, listed.event_ticker, -min(owed, paid), now)

    def _move(self, account: Account, event: str, amount: int, now: int) -> None:
        if amount:
            self._returned[account.name, event] = self._returned.get((account.name, event), 0) + amount
            account.post(now, EntryKind.DEPOSIT, cash=amount, reference=event)
            self._engine.accounts[HOUSE].post(now, EntryKind.DEPOSIT, cash=-amount, reference=event)

    def _spent(self, account: Account, event: str) -> int:
        members = {one.market.market_id for one in self._listings.by_event[event]}
        kinds = (EntryKind.TRADE, EntryKind.MERGE)
        return -sum(e.cash for e in account.statement if e.market_id in members and e.kind in kinds)

    def _certain(self, account: Account, event: str) -> int:
        """What the open markets of an event pay in the worst case: none resolves YES, or one of them does."""
        ids = [one.market.market_id for one in self._listings.by_event[event]]
        still = [m for m in ids if self._engine.listings[m].status is not MarketStatus.RESOLVED]
        yes = {market_id: account.shares.get((market_id, Outcome.YES), 0) for market_id in still}
        no = {market_id: account.shares.get((market_id, Outcome.NO), 0) for market_id in still}
        all_no = sum(no.values())
        return min([all_no, *(all_no - no[market_id] + yes[market_id] for market_id in still)])
