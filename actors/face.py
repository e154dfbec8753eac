"""`BotFace` over a running system: what the console, the control socket and the shell's verbs may see and do."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from actors.base import Answer
from actors.system import System
from adapters.gate import ResumeRefused
from adapters.operator.face import Halted, Leaving, News, Refused, Resumed, ResumeOutlook, Told
from adapters.operator.signals import StopRequest
from adapters.permit import HaltsSeen
from models.clock import SECOND
from models.config_render import render_yaml
from models.hostile import clean
from models.listing import OpportunityLine, OrderLine, PositionLine, TradeLine
from models.market import MarketId
from models.messages import LaddersSeen, LaddersWanted
from models.status import EventKind, StatusSnapshot

logger = logging.getLogger(__name__)

RECONCILE_S: Final = 3.0
"""How long `resume` waits for a fresh comparison where the last one forbids it. A real difference takes longer than
that to be believed gone; the next try will see it.
"""


class Face:
    """Safe from any thread; see `adapters.operator.face.BotFace` for what each method promises."""

    def __init__(self, system: System, stop: StopRequest) -> None:
        self._system = system
        self._stop = stop
        self.leaving = Leaving.PROTECT
        """What `quit` asked for; signals ask for protection."""

    def snapshot(self) -> StatusSnapshot:
        return self._system.publisher.current()

    def news(self) -> News:
        return News(self._system.clock.wall_ns(), self._system.board.newest())

    def halt(self, market_id: MarketId | None, reason: str, by: str) -> Halted:
        gate = self._system.gate
        if market_id is None:
            already = gate.tripped is not None
            record = gate.trip(reason, by)
        else:
            already = market_id in gate.market_halts
            record = gate.trip_market(market_id, reason, by)
        repeated = (record.reason, record.by) == (clean(reason), by)
        if already and not repeated:  # the first reason stands; this one, which a resume has to answer too, is told
            words = f"halted again by {by}: {reason}"
            self._system.board.post(EventKind.HALT, market_id or "", words, fold=words)
            logger.warning("halted again by %s: %s", by, reason)
        persisted = gate.halt_on_disk(market_id)
        return Halted(reason=record.reason, by=record.by, at=record.at, already=already, persisted=persisted)

    def outlook(self, market_id: MarketId | None) -> ResumeOutlook:
        gate = self._system.gate
        seen = gate.halts_seen(market_id)
        record = gate.tripped if market_id is None else gate.market_halts.get(market_id)
        if record is not None and self._system.unreconciled():
            self._system.reconcile("resume", RECONCILE_S)
        tripped = () if record is None else (f"{record.reason} (by {record.by})",)
        return ResumeOutlook(halted=record is not None, tripped=tripped, refusals=self._refusals(), halts=seen)

    def resume(self, market_id: MarketId | None, reason: str, by: str, answered: HaltsSeen) -> Resumed | Refused:
        refusals = self._refusals()
        if refusals:
            return Refused(why=refusals)
        gate = self._system.gate
        try:
            if market_id is not None:
                gate.resume_market(market_id, by, reason, answered)
                self._system.market_resumed(market_id, reason, by)
                return Resumed(note=f"{market_id} may trade again")
            permit = gate.resume(by, reason, answered)
        except ResumeRefused as error:
            return Refused(why=(str(error),))
        hours = (permit.expires - permit.granted) / (3_600 * SECOND)
        return Resumed(note=f"permit for {hours:g} h")

    def _refusals(self) -> tuple[str, ...]:
        """What forbids a resume: anything unknown, mismatched or naked, a crashed part."""
        crashed = self._system.crashed
        broken = () if crashed is None else (f"{crashed} has crashed: restart the bot",)
        still_open = (f"still open: {item}" for item in self._system.worries())
        return (*broken, *still_open, *self._system.unreconciled())

    def ladders(self, market_id: MarketId, timeout_s: float) -> LaddersSeen | None:
        book = self._system.network.books.get(market_id)
        if book is None:
            return None
        answer = Answer(LaddersSeen)
        book.address.tell(LaddersWanted(market_id, "operator", answer))
        return answer.wait(timeout_s)

    def opportunities(self, limit: int, *, skipped_only: bool) -> Sequence[OpportunityLine]:
        from adapters.ledger.listing import opportunities

        return opportunities(self._system.plan.ledger, limit, skipped_only=skipped_only)

    def trades(self, limit: int) -> Sequence[TradeLine]:
        from adapters.ledger.listing import trades

        return trades(self._system.plan.ledger, limit)

    def orders(self, limit: int, *, open_only: bool) -> Sequence[OrderLine]:
        from adapters.ledger.listing import orders

        return orders(self._system.plan.ledger, limit, open_only=open_only)

    def positions(self) -> Sequence[PositionLine]:
        from adapters.ledger.listing import positions

        return positions(self._system.plan.ledger)

    def why(self, ident: str) -> Told:
        from adapters.operator.why_verb import told

        return told(self._system.plan.ledger, ident)

    def report(self, since: str | None, width: int) -> Told:
        from adapters.operator.report_verb import told

        return told(self._system.plan.ledger, since, width)

    def config_lines(self) -> Sequence[str]:
        return render_yaml(self._system.plan.config).splitlines()

    def log_lines(self, limit: int) -> Sequence[str]:
        path = self._system.plan.state / "log.jsonl"
        try:
            return path.read_text(encoding="utf-8").splitlines()[-limit:]
        except OSError as error:
            return [f"{path}: {error.strerror}"]

    def quit(self, leaving: Leaving) -> None:
        self.leaving = leaving
        self._stop.request(f"quit ({leaving.value})")
