"""Rows for ledger tests: one binary set `fed` and whatever hangs on it, with defaults that can be overridden."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from models.book import TopOfBook
from models.clock import MS, SECOND, BootNs, WallNs
from models.fees import FeeSchedule
from models.market import Action, BookModel, MarketId, Outcome, SetId, VenueName
from models.messages import Opportunity, OpportunityJudged, OpportunitySkipped
from models.money import MicroShares, MicroUsd, PriceMicros
from models.order_life import Phase
from models.orders import (
    AttemptId,
    Fill,
    FillState,
    OrderIntent,
    Purpose,
    TimeInForce,
    VenueOrderId,
    derive_client_order_id,
)
from models.risk import Review, RiskLimits, judge
from models.rows import (
    AttemptChanged,
    AttemptOpened,
    ConfigUsed,
    Ending,
    FillReported,
    OrderChanged,
    RunStarted,
    config_used,
)
from models.sets import SetLeg, binary_set
from models.signal import Kind, SetTerms, Surroundings, Thresholds, decide
from models.verdict import FreshnessLimits

T0 = 1_780_000_000 * SECOND
MARKET = MarketId("fed")
SET = SetId("fed")
VENUE = VenueName("simulated")
FEES = FeeSchedule(name="test", as_of="2026-01-01", rate_micros=1_000)


class HandClock:
    """A clock that only moves by hand; timers are kept and fired by `run_timers`."""

    def __init__(self) -> None:
        self.now = T0
        self.timers: list[Callable[[], None]] = []

    def wall_ns(self) -> WallNs:
        return WallNs(self.now)

    def boot_ns(self) -> BootNs:
        return BootNs(self.now - T0 + 5 * SECOND)

    def call_after(self, delay_ns: int, callback: Callable[[], None]) -> Any:
        self.timers.append(callback)

    def run_timers(self) -> None:
        due, self.timers = self.timers, []
        for callback in due:
            callback()


def a_set_terms(set_id: str = "fed", **thresholds: Any) -> SetTerms:
    numbers: dict[str, Any] = {
        "min_edge": MicroUsd(5_000),
        "cost_buffer": MicroUsd(2_000),
        "min_depth": MicroShares(10_000_000),
        "order_size": MicroShares(10_000_000),
        "max_size": MicroShares(100_000_000),
        "freshness": FreshnessLimits(10 * SECOND, 500, 2_000, False),
    }
    return SetTerms(
        complete_set=binary_set(MarketId(set_id)),
        fees=(FEES, FEES),
        book_models=(BookModel.SEPARATE, BookModel.SEPARATE),
        closes_at_ms=(None, None),
        lot=MicroShares(10_000),
        min_size=MicroShares(0),
        min_notional=MicroUsd(0),
        thresholds=Thresholds(**(numbers | thresholds)),
    )


def a_config(*terms: SetTerms, effective: str = "{}") -> ConfigUsed:
    return config_used(effective=effective, terms=terms or (a_set_terms(),), code_version="test", at=WallNs(T0))


def a_run(config: ConfigUsed, run_id: str = "run-1", mode: str = "live", at: int = T0) -> RunStarted:
    return RunStarted(
        run_id=run_id, at=WallNs(at), mode=mode, venue="simulated", account=None, config_hash=config.config_hash
    )


def a_top(yes_ask: int = 470_000, no_ask: int = 500_000, size: int = 50_000_000, **changes: Any) -> TopOfBook:
    top = TopOfBook(
        MARKET, 7, 1, 911, None, 400_000, size, yes_ask, size, 400_000, size, no_ask, size, 1_000, 1_000,
        BootNs(4 * SECOND), BootNs(4 * SECOND), 3, True, True,
    )  # fmt: skip
    return msgspec.structs.replace(top, **changes) if changes else top


def an_opportunity(
    number: int = 1, top: TopOfBook | None = None, terms: SetTerms | None = None, **surroundings: Any
) -> Opportunity:
    top = top or a_top()
    terms = terms or a_set_terms()
    around = Surroundings(now=BootNs(4 * SECOND + 12 * MS), wall_ms=T0 // MS, **surroundings)
    decision = decide(terms, (top, top), around)
    assert decision is not None
    return Opportunity(
        opportunity_id=f"o-{number:06x}",
        set_id=SetId(terms.complete_set.set_id),
        episode_id=f"e-{number // 5:06x}",
        at=WallNs(T0 + number * MS),
        frame_at=top.received_at,
        tops=(top, top),
        surroundings=around,
        decision=decision,
    )


def a_skip(number: int = 1, **changes: Any) -> OpportunitySkipped:
    """Too dear by default: the edge gate closes."""
    opportunity = an_opportunity(number, **({"top": a_top(yes_ask=498_000)} | changes))
    assert opportunity.decision.kind is Kind.SKIP
    return OpportunitySkipped(opportunity=opportunity)


def a_review(opportunity: Opportunity, **changes: Any) -> Review:
    """Everything in order, so risk says yes."""
    asks = tuple(
        PriceMicros(top.ask(o) or 0) for top, o in zip(opportunity.tops, (Outcome.YES, Outcome.NO), strict=True)
    )
    review = Review(
        limits=RiskLimits(
            max_daily_notional=MicroUsd(500_000_000),
            max_open_positions=5,
            max_orders_per_minute=60,
            max_order_size=MicroShares(100_000_000),
            price_collar=MicroUsd(20_000),
            duplicate_window_ns=2 * SECOND,
            daily_notional_halts=True,
        ),
        halted=None,
        halted_markets=(),
        reserved_markets=(),
        unresolved_markets=(),
        size=opportunity.decision.size,
        asks=asks,
        reach=opportunity.decision.reach,
        opening_limits=asks,
        notional=MicroUsd(9_710_000),
        same_prices_ago_ns=None,
        orders=2,
        orders_last_minute=0,
        positions=0,
        spent_today=MicroUsd(0),
        reserved=MicroUsd(0),
        cash=None,
    )
    return msgspec.structs.replace(review, **changes)


def a_trade(number: int = 1, attempt: str | None = "a-1", **review: Any) -> OpportunityJudged:
    """The signal said TRADE; risk agrees unless `review` gives it a reason not to."""
    opportunity = an_opportunity(number)
    assert opportunity.decision.kind is Kind.TRADE
    reviewed = a_review(opportunity, **review)
    refusal = judge(reviewed)
    assert (refusal is None) == (attempt is not None)
    return OpportunityJudged(
        opportunity=opportunity,
        attempt_id=None if attempt is None else AttemptId(attempt),
        refusal=None if refusal is None else refusal[0],
        detail="" if refusal is None else refusal[1],
        risk_inputs=msgspec.json.encode(reviewed),
    )


def an_attempt(attempt: str = "a-1", opportunity: str | None = "o-000001", mode: str = "live") -> AttemptOpened:
    return AttemptOpened(
        attempt_id=AttemptId(attempt),
        at=WallNs(T0 + 2 * MS),
        opportunity_id=opportunity,
        set_id=SET,
        mode=mode,
        legs=(SetLeg(MARKET, Outcome.YES), SetLeg(MARKET, Outcome.NO)),
        size=MicroShares(10_000_000),
        expected_payout=MicroUsd(10_000_000),
        leg_policy="thin_leg_first",
        policy_reason="YES has the least depth",
        reserved=MicroUsd(9_700_000),
    )


def a_change(attempt: str = "a-1", ending: Ending | None = Ending.SUCCESS, **changes: Any) -> AttemptChanged:
    row = AttemptChanged(
        attempt_id=AttemptId(attempt),
        at=WallNs(T0 + 40 * MS),
        state="SUCCESS" if ending is Ending.SUCCESS else "FAILED" if ending else "WAITING_FILLS",
        ending=ending,
        filled=MicroShares(10_000_000 if ending is Ending.SUCCESS else 0),
        leg_costs=(MicroUsd(4_700_000), MicroUsd(5_000_000))
        if ending is Ending.SUCCESS
        else (MicroUsd(0), MicroUsd(0)),
        fees=MicroUsd(5_000 if ending is Ending.SUCCESS else 0),
        realized_pnl=None,
        open_position=ending is Ending.SUCCESS,
        resolution="",
    )
    return replace(row, **changes)


def an_intent(attempt: str = "a-1", leg: int = 0, **changes: Any) -> OrderIntent:
    intent = OrderIntent(
        client_order_id=derive_client_order_id(AttemptId(attempt), leg, 0),
        attempt_id=AttemptId(attempt),
        set_id=SET,
        venue=VENUE,
        market_id=MARKET,
        leg=leg,
        outcome=Outcome.YES if leg == 0 else Outcome.NO,
        action=Action.BUY,
        limit_price=PriceMicros(470_000 if leg == 0 else 500_000),
        size=MicroShares(10_000_000),
        time_in_force=TimeInForce.IOC,
        purpose=Purpose.OPEN,
    )
    return replace(intent, **changes)


def an_order_change(intent: OrderIntent, filled: int = 10_000_000, **changes: Any) -> OrderChanged:
    row = OrderChanged(
        client_order_id=intent.client_order_id,
        at=WallNs(T0 + 20 * MS),
        phase=Phase.ENDED,
        venue_order_id=VenueOrderId(f"v-{intent.client_order_id[:8]}"),
        filled=MicroShares(filled),
        sent_at=WallNs(T0 + 4 * MS),
        acked_at=WallNs(T0 + 20 * MS),
        refusal=None,
    )
    return replace(row, **changes)


def a_fill(intent: OrderIntent, trade: str = "t-1", **changes: Any) -> FillReported:
    fill = Fill(
        venue_trade_id=f"{trade}-{intent.leg}",
        client_order_id=intent.client_order_id,
        venue_order_id=None,
        size=intent.size,
        price=intent.limit_price,
        fee=MicroUsd(2_500),
        state=FillState.FINAL,
        exchange_ms=T0 // MS,
    )
    return FillReported(venue=VENUE, at=WallNs(T0 + 18 * MS), fill=replace(fill, **changes))


def write_success(writer: Any, number: int = 1, attempt: str = "a-1", **change: Any) -> None:
    """A traded opportunity and its two filled legs."""
    at = WallNs(T0)
    writer.take(a_trade(number, attempt), at)
    intents = (an_intent(attempt, 0), an_intent(attempt, 1))
    writer.commit(intents, (an_attempt(attempt, f"o-{number:06x}"),), at)
    for intent in intents:
        writer.take(a_fill(intent, f"t-{attempt}"), at)
        writer.take(an_order_change(intent), at)
    writer.take(a_change(attempt, **change), at)
    writer.flush(at)


def ledger_path(directory: Path) -> Path:
    return directory / "ledger.sqlite"
