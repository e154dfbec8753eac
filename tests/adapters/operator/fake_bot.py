"""A bot as its operator sees it, with levers, and the snapshots that the tests draw."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from adapters.operator.events import EventBoard
from adapters.operator.face import Halted, Leaving, News, Refused, Resumed, ResumeOutlook, Told
from adapters.permit import HaltsSeen
from models.book import TopOfBook
from models.clock import MS, SECOND, BootNs, Timer, WallNs
from models.listing import OpportunityLine, OrderLine, PositionLine, TradeLine
from models.market import MarketId, SetId
from models.messages import LaddersSeen
from models.money import MicroShares, MicroUsd, PriceMicros
from models.status import (
    FeedState,
    FeedStatus,
    Gauge,
    InFlight,
    Latency,
    MarketRow,
    OrderRow,
    PaperTotals,
    StatusSnapshot,
    Today,
    Trading,
)

NOON = WallNs(1_795_348_931_000 * MS)  # 2026-11-22T12:02:11Z
BOOT = BootNs(5_000 * SECOND)


class HandClock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.wall = NOON
        self.boot = BOOT

    def wall_ns(self) -> WallNs:
        return self.wall

    def boot_ns(self) -> BootNs:
        return self.boot

    def pass_s(self, seconds: float) -> None:
        self.wall = WallNs(self.wall + round(seconds * SECOND))
        self.boot = BootNs(self.boot + round(seconds * SECOND))

    def call_after(self, delay_ns: int, callback: Callable[[], None]) -> Timer:
        raise NotImplementedError("the operator's face sets no timers")


def a_market(market_id: str, **changes: object) -> MarketRow:
    row = MarketRow(
        market_id=MarketId(market_id),
        title=market_id,
        ready=True,
        reason="",
        age_ns=200 * MS,
        yes_ask=PriceMicros(430_000),
        yes_size=MicroShares(120_000_000),
        no_ask=PriceMicros(555_000),
        no_size=MicroShares(80_000_000),
        sum_cost=MicroUsd(985_000),
        edge=MicroUsd(11_000),
        state="IDLE",
        halted=False,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


FOUR_MARKETS = (
    a_market("fed-cut-dec", title="Fed cuts in December", state="WAITING_FILLS"),
    a_market(
        "btc-100k-dec",
        title="Bitcoin above $100k on 31 December",
        yes_ask=PriceMicros(491_500),
        yes_size=MicroShares(223_000_000),
        no_ask=PriceMicros(499_900),
        no_size=MicroShares(339_500_000),
        sum_cost=MicroUsd(991_400),
        edge=MicroUsd(4_600),
        age_ns=100 * MS,
    ),
    a_market(
        "nyc-snow",
        title="Snow in New York",
        yes_ask=PriceMicros(344_900),
        yes_size=MicroShares(189_000_000),
        no_ask=PriceMicros(653_100),
        no_size=MicroShares(6_000_000),
        sum_cost=MicroUsd(998_000),
        edge=MicroUsd(-2_000),
        age_ns=1_400 * MS,
        state="COOLDOWN",
    ),
    a_market(
        "sp500-6k",
        title="S&P 500 above 6000",
        ready=False,
        reason="silent",
        yes_ask=None,
        yes_size=MicroShares(0),
        no_ask=None,
        no_size=MicroShares(0),
        sum_cost=None,
        edge=None,
        age_ns=12 * SECOND,
    ),
)


def a_snapshot(**changes: object) -> StatusSnapshot:
    snapshot = StatusSnapshot(
        taken=BOOT,
        at=NOON,
        version="0.1.0",
        mode="paper",
        demo=False,
        venue="simulated",
        started=WallNs(NOON - 1_867 * SECOND),
        uptime_ns=1_867 * SECOND,
        trading=Trading(on=True, reason="given by itself", by="start", since=WallNs(NOON - 1_860 * SECOND)),
        feed=FeedStatus(state=FeedState.LIVE, age_ns=100 * MS, lag_ms=5, reconnects=1, down_ns=11_200 * MS),
        markets=FOUR_MARKETS,
        in_flight=(
            InFlight(
                attempt_id="ts-0009",
                set_id=SetId("fed-cut-dec"),
                market_ids=(MarketId("fed-cut-dec"),),
                state="WAITING_FILLS",
                age_ns=31 * MS,
                limit_ns=3 * SECOND,
            ),
        ),
        orders=(
            OrderRow(
                client_order_id="9a1c",
                market_id=MarketId("fed-cut-dec"),
                outcome="YES",
                action="BUY",
                size=MicroShares(10_000_000),
                price=PriceMicros(430_000),
                status="FILLED",
                took_ns=18 * MS,
            ),
        ),
        today=Today(
            opportunities=212,
            attempts=10,
            completed=9,
            partial=0,
            rejects=1,
            fees=MicroUsd(310_000),
            net_pnl=MicroUsd(870_000),
        ),
        limits=(
            Gauge(name="daily_notional", used=98_200_000, limit=500_000_000, money=True),
            Gauge(name="open_positions", used=2, limit=5),
        ),
        kill_switch=(
            Gauge(name="partials", used=0, limit=2, window_ns=600 * SECOND),
            Gauge(name="rejects", used=1, limit=5, window_ns=600 * SECOND),
            Gauge(name="disconnects", used=1, limit=6, window_ns=3600 * SECOND),
        ),
        latency=Latency(p50_ns=40_000, p99_ns=210_000),
        paper=PaperTotals(
            sets=9, optimistic=MicroUsd(990_000), shifted=MicroUsd(910_000), pessimistic=MicroUsd(870_000)
        ),
        config_hash="91ab3c77",
        ledger="data/ledger.sqlite",
    )
    return replace(snapshot, **changes)  # type: ignore[arg-type]


class FakeBot:
    """Records what it is told. `halt_gate` runs first inside `halt`, where the real one trips the latch."""

    def __init__(self, clock: HandClock | None = None) -> None:
        self.clock = clock or HandClock()
        self.board = EventBoard(self.clock)
        self.now = a_snapshot()
        self.halts: list[tuple[str | None, str, str]] = []
        self.resumes: list[tuple[str | None, str, str]] = []
        self.left: list[Leaving] = []
        self.refusals: tuple[str, ...] = ()
        self.persisted = True
        self.halt_gate: Callable[[], None] = lambda: None
        self.slow_gate: Callable[[], None] = lambda: None
        self.told = Told(lines=("the whole story",), document={"schema_version": 1, "id": "x"})
        self.ladders_seen: LaddersSeen | None = a_ladder()
        self.opps: list[OpportunityLine] = []
        self.log = ["one", "two"]
        self.lock = threading.Lock()

    def snapshot(self) -> StatusSnapshot:
        return replace(self.now, events=self.board.newest())

    def news(self) -> News:
        return News(self.now.at, self.board.newest())

    def halt(self, market_id: MarketId | None, reason: str, by: str) -> Halted:
        self.halt_gate()
        with self.lock:
            already = any(known[0] == market_id for known in self.halts)
            self.halts.append((market_id, reason, by))
            if market_id is None:
                trading = Trading(on=False, reason=reason, by=by, since=self.clock.wall_ns())
                self.now = replace(self.now, trading=trading)
            else:
                rows = tuple(replace(r, halted=r.halted or r.market_id == market_id) for r in self.now.markets)
                self.now = replace(self.now, markets=rows)
        return Halted(reason=reason, by=by, at=self.clock.wall_ns(), already=already, persisted=self.persisted)

    def outlook(self, market_id: MarketId | None) -> ResumeOutlook:
        row = self.now.market(market_id) if market_id else None
        halted = row.halted if row is not None else not self.now.trading.on
        return ResumeOutlook(
            halted=halted,
            tripped=("2 partials in 10 m, by kill switch, 12:00:03",) if halted else (),
            refusals=self.refusals if halted else (),
            halts=HaltsSeen(len(self.halts), None),
        )

    def resume(self, market_id: MarketId | None, reason: str, by: str, answered: HaltsSeen) -> Resumed | Refused:
        if self.refusals:
            return Refused(why=self.refusals)
        self.resumes.append((market_id, reason, by))
        self.now = replace(self.now, trading=Trading(on=True, reason=reason, by=by, since=self.clock.wall_ns()))
        return Resumed(note="The permit ends in 24 h.")

    def ladders(self, market_id: MarketId, timeout_s: float) -> LaddersSeen | None:
        return self.ladders_seen

    def opportunities(self, limit: int, *, skipped_only: bool) -> Sequence[OpportunityLine]:
        self.slow_gate()
        return [row for row in self.opps if not skipped_only or row.decision == "SKIP"][:limit]

    def trades(self, limit: int) -> Sequence[TradeLine]:
        return []

    def orders(self, limit: int, *, open_only: bool) -> Sequence[OrderLine]:
        return []

    def positions(self) -> Sequence[PositionLine]:
        return [
            PositionLine(
                set_id="fed-cut-dec",
                sets=MicroShares(10_000_000),
                cost=MicroUsd(9_890_000),
                pays=MicroUsd(10_000_000),
                unpaired=(),
                opened=NOON,
                state="HELD",
            ),
            PositionLine(
                set_id="nyc-snow",
                sets=MicroShares(0),
                cost=MicroUsd(0),
                pays=MicroUsd(0),
                unpaired=("5 YES @ 0.345",),
                opened=NOON,
                state="UNWINDING",
            ),
        ]

    def why(self, ident: str) -> Told:
        self.slow_gate()
        return self.told

    def report(self, since: str | None, width: int) -> Told:
        self.slow_gate()
        return self.told

    def config_lines(self) -> Sequence[str]:
        return ["strategy.min_edge = 0.005   config.yaml:14"]

    def log_lines(self, limit: int) -> Sequence[str]:
        return self.log[-limit:]

    def quit(self, leaving: Leaving) -> None:
        self.left.append(leaving)


def a_ladder() -> LaddersSeen:
    top = TopOfBook(
        market_id=MarketId("fed-cut-dec"),
        version=3,
        generation=2,
        seq=911,
        not_ready=None,
        yes_bid=425_000,
        yes_bid_size=50_000_000,
        yes_ask=430_000,
        yes_ask_size=120_000_000,
        no_bid=550_000,
        no_bid_size=70_000_000,
        no_ask=555_000,
        no_ask_size=80_000_000,
        yes_as_of_ms=1,
        no_as_of_ms=1,
        received_at=BOOT,
        evidence_at=BOOT,
        lag_ms=5,
        intact=True,
        confirmed=True,
    )
    return LaddersSeen(
        tag="console",
        top=top,
        yes_bids=((425_000, 50_000_000),),
        yes_asks=((430_000, 120_000_000), (440_000, 12_500_000)),
        no_bids=((550_000, 70_000_000),),
        no_asks=((555_000, 80_000_000),),
    )


def an_opportunity(number: int, decision: str = "SKIP", reason: str = "edge") -> OpportunityLine:
    return OpportunityLine(
        at=NOON,
        opportunity_id=f"o-{number:05d}",
        set_id="nyc-snow",
        sum_cost=MicroUsd(998_000),
        edge=MicroUsd(-2_000),
        net_edge=MicroUsd(-3_100),
        size=MicroShares(10_000_000),
        decision=decision,
        reason=reason,
        verdict="real",
    )
