"""The whole venue in process: engine, crowd, levers, streams, order desk, driven by the time that it is told.

The server and the deterministic simulator use this class alike. It has no thread and no lock: its owner calls one
method at a time with a time (ns since 1970 UTC) that never goes back, and carries out the effects that `advance` gives.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from adapters.simulated import dialect, wire
from adapters.simulated.accounts import Account
from adapters.simulated.catalog import DEFAULT_MARKETS, events, market_list
from adapters.simulated.desk import OrderDesk, Reply
from adapters.simulated.engine import Exchange, Rules
from adapters.simulated.faults import Lever, LeverName, Levers, Plan, duration_ns
from adapters.simulated.orders import (
    FillChanged,
    LevelsChanged,
    OrderChanged,
    OrderRequest,
    ResolutionAnnounced,
    StatusAnnounced,
    TradePrinted,
    changes_by_market,
)
from adapters.simulated.settlement import merge, resolve, settle_due
from adapters.simulated.streams import Effect, Streams
from adapters.simulated.traffic import Crowd
from models.clock import MS, SECOND
from models.market import BookModel, Market, MarketId, MarketStatus
from models.money import MICRO, MicroUsd, parse_micros, text

HEARTBEAT_NS: Final = SECOND
QUICK_HEARTBEAT_NS: Final = SECOND // 4
"""Legs in different markets need proofs of life that lie close together; with few markets that costs little."""
FEW_MARKETS: Final = 50
CALM_AFTER_NS: Final = SECOND // 2
NO_PLAN: Final = Plan()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trader:
    """An account that a bot may use. `cash` in micro-dollars."""

    name: str
    cash: int
    api_key: str
    api_secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Everything that an exchange is made from. The same setup and calls give the same effects."""

    seed: int = 1
    start: int
    """ns since 1970 UTC."""
    markets: int = DEFAULT_MARKETS
    book_model: BookModel = BookModel.SEPARATE
    rate: int = 50
    """Frames of background trading per second, all markets together; 0 for none."""
    scripted: bool = True
    """Whether the crowd opens the gaps of the script."""
    listed: tuple[Market, ...] = ()
    """Markets of another venue's kind (dialects), instead of `markets` and `book_model`."""
    traders: tuple[Trader, ...] = ()
    plan: Plan = NO_PLAN


class InProcessExchange:
    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.now = setup.start
        rules = setup.plan.rules
        self.engine = Exchange(
            rules=Rules(
                settlement_ns=duration_ns(rules.settlement),
                visibility_ns=duration_ns(rules.visibility),
                spend_unsettled=rules.spend_unsettled,
            )
        )
        self.markets = list(setup.listed) or market_list(setup.markets, setup.book_model, setup.start)
        for market in self.markets:
            self.engine.list_market(market)
        for trader in setup.traders:
            account = Account(trader.name, trader.api_key, trader.api_secret, house=False)
            self.engine.open_account(account, trader.cash, setup.start)
        self.crowd = self._make_crowd()
        self.levers = Levers(random.Random(f"{setup.seed}/faults"))
        for lever in setup.plan.levers:
            self.levers.add(lever, 0)
        self.streams = self._make_streams()
        partners = {m.market_id: tuple(o.market_id for o in group) for group in events(self.markets) for m in group}
        self.desk = OrderDesk(self.engine, self.levers, partners)
        self._order = count()
        self._later: list[tuple[int, int, Callable[[int], None]]] = []
        self._next_step = setup.start if setup.rate else None
        self._steps = 0
        self._beat = QUICK_HEARTBEAT_NS if len(self.markets) <= FEW_MARKETS else HEARTBEAT_NS
        self._next_beat = setup.start + self._beat
        self.engine.drain()  # the opening books are in everybody's first snapshot

    # -- time

    def advance(self, now: int) -> list[Effect]:
        """Let everything happen that is due until `now`; what has to go out on the streams is returned, in order."""
        effects: list[Effect] = []
        while (due := self._next_inner()) <= now:
            effects += self.streams.take_due(due)
            self.now = max(self.now, due)
            self._happen(self.now)
            self._publish(self.now)
        self.now = max(self.now, now)
        return effects + self.streams.take_due(self.now)

    def next_due(self) -> int:
        """When `advance` has something to do again (ns)."""
        wire_due = self.streams.next_due()
        return self._next_inner() if wire_due is None else min(self._next_inner(), wire_due)

    # -- what traders do; each at the time of the last `advance` or later

    def submit(self, account: str, request: OrderRequest, now: int) -> Reply:
        self.now = max(self.now, now)
        reply = self.desk.submit(account, request, self.now)
        self._publish(self.now)
        return reply

    def cancel(self, account: str, client_order_id: str, now: int) -> Reply:
        self.now = max(self.now, now)
        reply = self.desk.cancel(account, client_order_id, self.now)
        self._publish(self.now)
        return reply

    def merge(self, account: str, market_id: MarketId, size: int, now: int) -> MicroUsd:
        """Raises `SettlementError` where nothing was merged."""
        self.now = max(self.now, now)
        return merge(self.engine, account, market_id, size, self.now)

    def pull(self, lever: Lever, now: int) -> None:
        """Put a lever in while the exchange runs; its times count from now."""
        self.now = max(self.now, now)
        self.levers.add(lever, self.now - self.setup.start)

    @property
    def unavailable(self) -> bool:
        """The venue is restarting: nothing but its clock and status answers."""
        return self.now < self.engine.unavailable_until

    @property
    def weather(self) -> str:
        if self.unavailable:
            return "restarting"
        return "post_only" if self.now < self.engine.post_only_until else "open"

    def snapshot(self, market_id: MarketId) -> wire.Snapshot:
        return self.streams.snapshot(market_id, self.now)

    # -- inside

    def _make_crowd(self) -> Crowd:
        """A proof has a crowd of its own."""
        setup = self.setup
        return Crowd(self.engine, self.markets, setup.seed, setup.start, scripted=setup.scripted)

    def _make_streams(self) -> Streams:
        """A dialect has its own frames."""
        return Streams(self.engine.listings, self.levers)

    def _next_inner(self) -> int:
        """When something happens next inside the venue, deliveries aside."""
        start = self.setup.start
        candidates = [self._next_beat, start + self.levers.next_due()]
        if self._next_step is not None:
            candidates.append(self._next_step)
        if self._later:
            candidates.append(self._later[0][0])
        if (scripted := self.crowd.next_event()) is not None:
            candidates.append(scripted)
        if self.engine.unsettled:
            candidates.append(min(trade.settle_at for trade in self.engine.unsettled))
        return min(candidates)

    def _happen(self, now: int) -> None:
        for lever in self.levers.due(now - self.setup.start):
            self._fire(lever, now)
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2](now)
        settle_due(self.engine, now)
        for gap in self.crowd.follow_script(now):
            if gap.lag_ms:
                for market_id in gap.markets:
                    self.streams.lag(market_id, now + gap.life_ms * MS, gap.lag_ms * MS)
        if self._next_step is not None and self._next_step <= now:
            self.crowd.step(now)
            self._steps += 1
            self._next_step = self.setup.start + self._steps * SECOND // self.setup.rate
        if self._next_beat <= now:
            self._next_beat += self._beat
            if not self.unavailable:
                self.streams.heartbeat(now)

    def _publish(self, now: int) -> None:
        """Tell the streams what the engine did: one delta per market, then the rest in order."""
        happenings = self.engine.drain()
        for market_id, changes in changes_by_market(happenings).items():
            self.streams.publish_changes(market_id, changes, now)
        for happening in happenings:
            match happening:
                case LevelsChanged():
                    pass
                case TradePrinted(market_id, outcome, price, size, _):
                    frame = wire.Print(market_id, now // MS, outcome.value, text(price), text(size, 0))
                    self.streams.publish_public(market_id, frame, now)
                case StatusAnnounced(market_id, status, detail):
                    self.streams.publish_public(market_id, wire.Status(market_id, now // MS, status.value, detail), now)
                case ResolutionAnnounced(market_id, yes_pays):
                    self.streams.publish_public(market_id, wire.Resolved(market_id, now // MS, text(yes_pays)), now)
                case OrderChanged():
                    later = self.desk.quiet_for(happening.client_order_id, now)
                    self.streams.publish_private(happening.account, dialect.order_news(happening, now), now, later)
                case FillChanged():
                    later = self.desk.quiet_for(happening.client_order_id, now)
                    self.streams.publish_private(happening.account, dialect.fill_news(happening), now, later)

    def _fire(self, lever: Lever, now: int) -> None:
        """Carry out a timed lever; one that wants a calm moment waits until no scripted gap is open."""
        if lever.calm and (busy_until := self.crowd.busy_until()) is not None:
            self._at(busy_until + CALM_AFTER_NS, lambda at: self._fire(lever, at))
            return
        lasts = duration_ns(lever.duration)
        delay = duration_ns(lever.delay)
        match lever.lever:
            case LeverName.CLOSE:
                self.streams.drop_all(lever.stream, lever.code, now)
            case LeverName.HALF_OPEN | LeverName.STALL:
                self.streams.freeze_all(lever.stream, now, part=lever.lever is LeverName.STALL)
            case LeverName.SLOW:
                self.streams.slow_all(lever.stream, now + lasts, delay)
            case LeverName.RESTART:
                self._restart(now, now + lasts, now + lasts + duration_ns(lever.post_only))
            case _:
                for market_id in self._meant(lever):
                    self._fire_at_market(lever, market_id, now, now + lasts)

    def _fire_at_market(self, lever: Lever, market_id: MarketId, now: int, until: int) -> None:
        listing = self.engine.listings[market_id]
        match lever.lever:
            case LeverName.LAG:
                self.streams.lag(market_id, until, duration_ns(lever.delay))
            case LeverName.SILENT:
                self.streams.silence(market_id, until)
            case LeverName.PAUSE if listing.status is MarketStatus.OPEN:
                self.engine.announce(listing, MarketStatus.PAUSED, "trading halt", now)
                self._at(until, lambda at: self._open_again(market_id, MarketStatus.PAUSED, at))
            case LeverName.CLOSE_MARKET if listing.status is not MarketStatus.RESOLVED:
                self.engine.announce(listing, MarketStatus.CLOSED, "", now)
            case LeverName.RESOLVE if listing.status is not MarketStatus.RESOLVED:
                resolve(self.engine, market_id, min(MICRO, parse_micros(lever.yes_pays)), now)

    def _restart(self, now: int, back: int, trading: int) -> None:
        self.engine.unavailable_until = back
        self.engine.post_only_until = trading
        for stream in ("market", "user"):
            self.streams.drop_all(stream, 1012, now)
        self._at(back, lambda at: self._announce_all(MarketStatus.OPEN, MarketStatus.POST_ONLY, at))
        self._at(trading, self._all_open_again)

    def _announce_all(self, before: MarketStatus, after: MarketStatus, now: int) -> None:
        for listing in self.engine.listings.values():
            if listing.status is before:
                self.engine.announce(listing, after, "restart", now)

    def _all_open_again(self, now: int) -> None:
        for market_id in self.engine.listings:
            self._open_again(market_id, MarketStatus.POST_ONLY, now)

    def _open_again(self, market_id: MarketId, before: MarketStatus, now: int) -> None:
        listing = self.engine.listings[market_id]
        if listing.status is before:
            self.engine.announce(listing, MarketStatus.OPEN, "", now)
            self.crowd.reopen(market_id, now)

    def _meant(self, lever: Lever) -> Sequence[MarketId]:
        """The markets of a lever; all of them where it names none."""
        return [m for m in self.engine.listings if lever.market in (None, m)]

    def _at(self, due: int, call: Callable[[int], None]) -> None:
        heapq.heappush(self._later, (due, next(self._order), call))
