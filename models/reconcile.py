"""The ledger's account against the venue's: what differs, what it is called, and what follows. Pure.

| finding   | what it means                                                   | what follows                           |
| --------- | --------------------------------------------------------------- | -------------------------------------- |
| `missed`  | an execution of ours that the ledger did not have               | told to its executor, looked at again  |
| `orphan`  | an order of ours that rests although the ledger ended it        | told to its executor and cancelled     |
| `outside` | an order or execution not ours (the operator's web page)        | reported, never touched; halts         |
| `drift`   | cash or a position differs, and nothing in flight explains it   | halts                                  |
| `open`    | an attempt found at start that is still unknown or naked, or    | not re-armed                           |
|           | one that came back and that nobody works on any more            |                                        |
| `held`    | the account held something at the ledger's first look           | halts once: the operator has to say so |
| `merged`  | sets came back as cash, but the merge's answer was lost         | told to its executor, which books it   |
| `paid`    | a market resolved while nobody listened                         | told to its executors, or booked       |
| `unread`  | the venue could not be asked                                    | openings wait                          |

A difference is only believed once it has outlived the time for which the venue may hide what it has done, so nothing
here halts because a read came too early. Money is micro-dollars, sizes are micro-shares.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from models.clock import MS, WallNs
from models.events import reconciled
from models.market import MarketId, VenueName
from models.market import Outcome as MarketOutcome
from models.messages import StatementSeen
from models.money import MicroShares, MicroUsd, text
from models.order_life import Phase
from models.orders import AttemptId, ClientOrderId, Fill, OrderSeen, VenueOrderId, VenueOrderStatus
from models.recovery import StoredOrder
from models.rows import Event, FillsDisagreeError, join_fills
from models.strangers import Stranger

Holding = tuple[str, str]
"""(market id, outcome)"""


class FindingKind(enum.StrEnum):
    MISSED = "missed"
    ORPHAN = "orphan"
    OUTSIDE = "outside"
    DRIFT = "drift"
    OPEN = "open"
    HELD = "held"
    MERGED = "merged"
    PAID = "paid"
    UNREAD = "unread"

    @property
    def refuses(self) -> bool:
        """Whether nothing may be resumed for as long as it is found."""
        return self not in (FindingKind.MISSED, FindingKind.HELD)

    @property
    def halts(self) -> bool:
        """Whether it stops trading if it is still found at the end of a pass. What could be mended is not."""
        return self not in (FindingKind.MISSED, FindingKind.UNREAD)


@dataclass(frozen=True, slots=True)
class Finding:
    kind: FindingKind
    text: str

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueSide:
    """What the venues say in one pass, all of them together."""

    cash: MicroUsd
    """Spendable."""
    positions: Mapping[Holding, int]
    open_orders: tuple[OrderSeen, ...]
    fills: tuple[Fill, ...]
    """Executions since the last comparison, at least."""
    resolved: Mapping[MarketId, int] = field(default_factory=dict)
    """Micro-dollars per YES share, of the markets that were asked about and have resolved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSets:
    """Complete sets of one market that an ended attempt still holds, as far as the ledger knows."""

    attempt_id: AttemptId
    market_id: MarketId
    size: MicroShares


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSide:
    """What the ledger says as of row `as_of`, every row told before the venue was asked included."""

    as_of: int
    opened_at: WallNs | None
    """When the account's opening was written down; None: there is nothing to compare with yet."""
    cash: MicroUsd | None
    positions: Mapping[Holding, int]
    orders: tuple[StoredOrder, ...]
    """Those of ours that the venue has named."""
    held: tuple[HeldSets, ...] = ()
    """What could have been merged, oldest first."""
    strangers: tuple[Stranger, ...] = ()
    """Attempts that no executor owns."""
    unsettled: tuple[Stranger, ...] = ()
    """Attempts that should be in an executor's hands."""
    venues: Mapping[MarketId, VenueName] = field(default_factory=dict)
    """Where each market with a position is traded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    cash_ledger: MicroUsd | None
    cash_venue: MicroUsd | None
    positions_equal: bool | None
    """None: something in flight, or no opening to compare with."""
    findings: tuple[Finding, ...]
    missed: tuple[tuple[StoredOrder, Fill], ...] = ()
    """To be told to the owners of their orders."""
    orphans: tuple[tuple[StoredOrder, OrderSeen], ...] = ()
    """To be told to their owners, and cancelled."""
    merged: tuple[HeldSets, ...] = ()
    """To be told to their owners, once the difference has outlived the horizon."""
    paid: tuple[tuple[MarketId, int], ...] = ()
    """Resolved markets of which the ledger still holds something, with what a YES share pays."""
    differing: tuple[MarketId, ...] = ()
    """Markets whose positions differ: how they have resolved, if they have, may explain it."""

    @property
    def equal(self) -> bool:
        return not self.findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a pass ended. None where the figure could not be had."""

    at: WallNs
    why: str
    findings: tuple[Finding, ...]
    mended: tuple[Finding, ...] = ()
    """What was found and put right in the same pass."""
    cash_ledger: MicroUsd | None = None
    cash_venue: MicroUsd | None = None
    positions_equal: bool | None = None

    @property
    def clean(self) -> bool:
        return not self.findings

    def row(self, as_of: int | None) -> Event:
        """For the ledger; `as_of` is its row up to which `cash_ledger` was computed."""
        return reconciled(
            self.at,
            cash_ledger=self.cash_ledger,
            cash_venue=self.cash_venue,
            positions_equal=self.positions_equal,
            findings=[str(finding) for finding in self.findings],
            as_of=as_of,
            mended=[str(finding) for finding in self.mended],
        )


@dataclass(slots=True)
class _Known:
    """The ledger's orders by both of their names."""

    by_client: dict[ClientOrderId, StoredOrder] = field(default_factory=dict)
    by_venue: dict[VenueOrderId, StoredOrder] = field(default_factory=dict)

    def find(self, client: ClientOrderId | None, venue: VenueOrderId | None) -> StoredOrder | None:
        if client is not None and client in self.by_client:
            return self.by_client[client]
        return None if venue is None else self.by_venue.get(venue)


def compare(ledger: LedgerSide, venue: VenueSide, busy: Collection[MarketId] = ()) -> Compared:
    """`busy` are the markets with something of ours in flight: they, and the cash, cannot be compared now."""
    known = _Known()
    for order in ledger.orders:
        known.by_client[order.intent.client_order_id] = order
        if order.venue_order_id is not None:
            known.by_venue[order.venue_order_id] = order
    missed, strangers = _fills(venue.fills, known, ledger.opened_at)
    orphans, strange_orders = _open_orders(venue.open_orders, known)
    findings = [
        *(Finding(FindingKind.MISSED, _fill_words(fill)) for _, fill in missed),
        *(
            Finding(FindingKind.ORPHAN, f"order {order.intent.client_order_id} rests at the venue")
            for order, _ in orphans
        ),
        *(Finding(FindingKind.OUTSIDE, words) for words in (*strangers, *strange_orders)),
    ]
    equal: bool | None = None
    merged: tuple[HeldSets, ...] = ()
    differing = _differing(ledger, venue, busy) if ledger.opened_at is not None else ()
    paid = tuple((market_id, venue.resolved[market_id]) for market_id in differing if market_id in venue.resolved)
    if differing and not busy and not paid:
        merged = _lost_merges(ledger, venue)
    if paid:
        findings += [Finding(FindingKind.PAID, f"{market_id} pays {text(pays)} per YES") for market_id, pays in paid]
        equal = False
    elif merged:
        findings += [Finding(FindingKind.MERGED, f"{text(m.size, 0)} sets of {m.market_id}") for m in merged]
        equal = False
    elif ledger.opened_at is not None:
        differences = _positions(ledger.positions, venue.positions, busy)
        findings += [Finding(FindingKind.DRIFT, words) for words in differences]
        equal = None if busy and not differences else not differences
        if not busy and ledger.cash is not None and ledger.cash != venue.cash:
            words = f"cash is {text(venue.cash)} at the venue and {text(ledger.cash)} in the ledger"
            findings.append(Finding(FindingKind.DRIFT, f"{words} ({text(venue.cash - ledger.cash)})"))
    return Compared(
        cash_ledger=ledger.cash,
        cash_venue=None if busy else venue.cash,
        positions_equal=equal,
        findings=tuple(findings),
        missed=missed,
        orphans=orphans,
        merged=merged,
        paid=paid,
        differing=differing,
    )


def _lost_merges(ledger: LedgerSide, venue: VenueSide) -> tuple[HeldSets, ...]:
    """The held sets that explain every difference there is, in shares of both outcomes and in cash, to the
    micro-dollar; none where they explain only a part.
    """
    if ledger.cash is None:
        return ()
    found: list[HeldSets] = []
    for market_id in dict.fromkeys(market_id for market_id, _ in (*ledger.positions, *venue.positions)):
        yes, no = (
            ledger.positions.get((market_id, outcome.value), 0) - venue.positions.get((market_id, outcome.value), 0)
            for outcome in MarketOutcome
        )
        if yes != no or yes < 0:
            return ()
        sets = _adding_up([held for held in ledger.held if held.market_id == market_id], yes)
        if sets is None:
            return ()
        found += sets
    return tuple(found) if sum(held.size for held in found) == venue.cash - ledger.cash else ()


def _adding_up(held: Sequence[HeldSets], size: int) -> list[HeldSets] | None:
    """Some of `held`, the older the likelier, that are `size` together; None where no choice is."""
    ways: dict[int, list[HeldSets]] = {0: []}
    for one in held:
        for total, chosen in list(ways.items()):
            ways.setdefault(total + one.size, [*chosen, one])
        if size in ways:
            break
    return ways.get(size)


def together(statements: Iterable[StatementSeen]) -> VenueSide:
    """All venues as one account: cash and positions add up."""
    said = tuple(statements)
    positions: Counter[Holding] = Counter()
    for statement in said:
        for market_id, outcome, size in statement.positions:
            positions[market_id, outcome.value] += size
    return VenueSide(
        cash=MicroUsd(sum(statement.cash for statement in said)),
        positions=positions,
        open_orders=tuple(order for statement in said for order in statement.open_orders),
        fills=tuple(fill for statement in said for fill in statement.fills),
        resolved={market_id: pays for statement in said for market_id, pays in statement.resolved},
    )


def opening_findings(venue: VenueSide) -> tuple[Finding, ...]:
    """What an account should not have when a new ledger begins: a lost ledger looks just like this (L11)."""
    held = [
        f"{text(size, 0)} {outcome} of {market}" for (market, outcome), size in sorted(venue.positions.items()) if size
    ]
    found = [Finding(FindingKind.HELD, f"the account holds {words}, which this ledger did not buy") for words in held]
    if venue.open_orders:
        words = f"{len(venue.open_orders)} orders rest at the venue that this ledger does not know"
        found.append(Finding(FindingKind.OUTSIDE, words))
    return tuple(found)


def _fills(
    fills: Sequence[Fill], known: _Known, opened_at: WallNs | None
) -> tuple[tuple[tuple[StoredOrder, Fill], ...], list[str]]:
    """What is news of ours, and what is not ours since the account was opened."""
    missed, strangers = [], []
    before_ms = None if opened_at is None else opened_at // MS
    for fill in fills:
        order = known.find(fill.client_order_id, fill.venue_order_id)
        if order is None:
            if before_ms is not None and (fill.exchange_ms is None or fill.exchange_ms > before_ms):
                strangers.append(f"execution {_fill_words(fill)}")
        elif _is_news(order, fill):
            missed.append((order, replace(fill, client_order_id=order.intent.client_order_id)))
    return tuple(missed), strangers


def _is_news(order: StoredOrder, fill: Fill) -> bool:
    before = next((f for f in order.fills if f.venue_trade_id == fill.venue_trade_id), None)
    if before is None:
        return True
    try:
        return join_fills(before, fill) != before
    except FillsDisagreeError:
        return True


def _open_orders(
    seen: Sequence[OrderSeen], known: _Known
) -> tuple[tuple[tuple[StoredOrder, OrderSeen], ...], list[str]]:
    orphans, strangers = [], []
    for one in seen:
        if one.status is VenueOrderStatus.DONE:
            continue
        order = known.find(one.client_order_id, one.venue_order_id)
        if order is None:
            strangers.append(f"order {one.venue_order_id}")
        elif order.phase is Phase.ENDED:
            orphans.append((order, one))
    return tuple(orphans), strangers


def _differing(ledger: LedgerSide, venue: VenueSide, busy: Collection[MarketId]) -> tuple[MarketId, ...]:
    differ = {
        holding[0]
        for holding in {*ledger.positions, *venue.positions}
        if ledger.positions.get(holding, 0) != venue.positions.get(holding, 0)
    }
    return tuple(MarketId(market_id) for market_id in sorted(differ) if market_id not in busy)


def _positions(ours: Mapping[Holding, int], theirs: Mapping[Holding, int], busy: Collection[MarketId]) -> list[str]:
    differences = []
    for holding in sorted({*ours, *theirs}):
        market, outcome = holding
        mine, venues = ours.get(holding, 0), theirs.get(holding, 0)
        if mine != venues and market not in busy:
            differences.append(
                f"{outcome} of {market} is {text(venues, 0)} at the venue and {text(mine, 0)} in the ledger"
            )
    return differences


def _fill_words(fill: Fill) -> str:
    return f"{fill.venue_trade_id}: {text(fill.size, 0)} at {text(fill.price)} ({fill.state.value})"
