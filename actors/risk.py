"""RiskActor: says yes or no to every proposed set, reserves what it approves, and pulls the kill switch.

Accepts  SetProposed (signal); MarketsReleased, IncidentSeen (executors, feeds); MarketResolved (feed);
         TradingHalted, TradingResumed (gate, operator); CashSeen (reconciler)
Sends    ApprovedSet -> the set's executor;  SetRefused -> signal;  OpportunityJudged, IncidentSeen -> ledger

Runs on the hot dispatcher, between the signal and the executors. What it knows is a `RiskState` value; what it decides
is `models/risk.py` and `models/kill_switch.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from actors.base import Address, BotActor, Crash
from models.clock import Clock, Ids
from models.config_trading import HaltScope, Risk
from models.execution import ExecutionTerms
from models.kill_switch import KillSwitch, kill_switch
from models.market import MarketId, SetId
from models.messages import (
    CashSeen,
    IncidentSeen,
    MarketResolved,
    MarketsReleased,
    OpportunityJudged,
    SetProposed,
    SetRefused,
    TradingHalted,
    TradingResumed,
)
from models.money import MicroShares
from models.orders import AttemptId
from models.risk import RiskLimits, RiskState, Weather, cash_seen, gauges, release, resolved, review, unresolved
from models.signal import SkipReason
from models.status import Gauge

if TYPE_CHECKING:
    from actors.dispatch import Dispatcher


class HaltView(Protocol):
    @property
    def reason(self) -> str: ...


class Gate(Protocol):
    """The part of `adapters.gate.Gate` that risk uses."""

    @property
    def tripped(self) -> HaltView | None: ...

    @property
    def held(self) -> str | None: ...

    @property
    def market_halts(self) -> Mapping[str, object]: ...

    def trip(self, reason: str, by: str) -> object: ...

    def trip_market(self, market_id: str, reason: str, by: str) -> object: ...


UNRESOLVED_KINDS: Final = frozenset({"exposed", "stray", "inflight", "recovered"})
"""Incidents after which the set's markets take no new attempt until the old one is released."""


class RiskActor(BotActor):
    """One per bot."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        on_crash: Crash,
        terms: Sequence[ExecutionTerms],
        *,
        risk: Risk,
        limits: RiskLimits,
        state: RiskState,
        gate: Gate,
        clock: Clock,
        ids: Ids,
        executors: Mapping[SetId, Address],
        signal: Address,
        ledger: Address,
        switch: KillSwitch | None = None,
    ) -> None:
        """`state` is what the ledger knows of today: money spent, sets held, attempts found unfinished; `switch` what
        it knows of the kill switch's windows.
        """
        super().__init__(dispatcher, "risk", on_crash)
        self._terms = {t.complete_set.set_id: t for t in terms}
        self._markets = {set_id: t.market_ids for set_id, t in self._terms.items()}
        self._risk = risk
        self._limits = limits
        self._state = state
        self._switch: KillSwitch = kill_switch(risk) if switch is None else switch
        self._gate = gate
        self._clock = clock
        self._ids = ids
        self._executors = executors
        self._signal = signal
        self._ledger = ledger

    @property
    def state(self) -> RiskState:
        """Immutable; read by the status publisher on another thread."""
        return self._state

    @property
    def max_order_size(self) -> MicroShares:
        return self._limits.max_order_size

    @property
    def limits(self) -> tuple[Gauge, ...]:
        return gauges(self._state, self._limits, self._clock.boot_ns())

    @property
    def kill_switch(self) -> tuple[Gauge, ...]:
        """Every condition with its live counter; the day's notional is one where it halts."""
        windows = self._switch.gauges(self._clock.boot_ns())
        return (*windows, self.limits[0]) if self._limits.daily_notional_halts else windows

    def receive(self, message: Any) -> None:
        match message:
            case SetProposed():
                self._judge(message)
            case MarketsReleased():
                self._state = release(self._state, message, self._markets, self._clock.boot_ns())
            case IncidentSeen():
                self._incident(message)
            case MarketResolved():
                self._state = resolved(self._state, message.market_id, self._markets)
            case CashSeen():
                self._state = cash_seen(self._state, message.cash)
            case TradingResumed(market_id=None):
                self._switch = self._switch.cleared()
            case TradingHalted() | TradingResumed():
                pass  # the latches themselves are asked at every review
            case _:
                raise TypeError(f"risk cannot handle {type(message).__name__}")

    def _judge(self, message: SetProposed) -> None:
        opportunity = message.opportunity
        attempt_id = AttemptId(self._ids.fresh("a"))
        terms = self._terms[opportunity.set_id]
        self._state, judgement = review(self._state, opportunity, terms, self._limits, self._weather(), attempt_id)
        self._ledger.tell(
            OpportunityJudged(
                opportunity=opportunity,
                attempt_id=None if judgement.approved is None else attempt_id,
                refusal=judgement.refusal,
                detail=judgement.detail,
                risk_inputs=judgement.inputs,
            )
        )
        if judgement.approved is not None:
            self._executors[opportunity.set_id].tell(judgement.approved)
            return
        assert judgement.refusal is not None
        self._signal.tell(SetRefused(opportunity.set_id, judgement.refusal))
        if judgement.refusal is SkipReason.DAILY_NOTIONAL and self._limits.daily_notional_halts:
            self._gate.trip(f"kill switch: daily notional: {judgement.detail}", "risk")

    def _weather(self) -> Weather:
        tripped = self._gate.tripped
        held = self._gate.held
        halted = tripped.reason if tripped is not None else None if held is None else f"waiting: {held}"
        return Weather(
            now=self._clock.boot_ns(),
            wall=self._clock.wall_ns(),
            halted=halted,
            halted_markets=frozenset(MarketId(m) for m in self._gate.market_halts),
        )

    def _incident(self, message: IncidentSeen) -> None:
        self._ledger.tell(message)
        self._switch, tripped = self._switch.noted(message.kind, message.at)
        if tripped is not None:
            self._gate.trip(tripped, "risk")
        markets = () if message.set_id is None else self._markets.get(message.set_id, ())
        if message.kind in UNRESOLVED_KINDS:
            self._state = unresolved(self._state, markets)
        if message.kind == "partial" and self._risk.halt_on_partial_fill:
            self._halt_after_partial(message, markets)

    def _halt_after_partial(self, message: IncidentSeen, markets: Sequence[MarketId]) -> None:
        """BRD FR-4: halt that market or everything, by configuration. Protection goes on either way."""
        reason = f"partial fill of {message.set_id}: {message.detail}"
        if self._risk.halt_scope is HaltScope.GLOBAL or not markets:
            self._gate.trip(reason, "risk")
            return
        for market_id in markets:
            self._gate.trip_market(market_id, reason, "risk")
