"""ReconcileActor: compares the ledger with the venue, at start, after every loss of a user stream, every so many
minutes, when the operator wants to resume, and before the end. While it compares, the gate grants nothing.

Accepts  ReconcileWanted (system, operator); StreamChanged (user feeds); Flushed (ledger); StatementSeen,
         StatementFailed (account lanes); MergeAnswered (protective lanes); LOOK (clock)
Sends    FlushWanted, RecordRows -> ledger;  StatementWanted, CancelOrder, MergeSets -> lanes;
         StreamRestored -> executors;
         FillSeen, OrderUpdated, MergeAnswered -> routes;  CashSeen -> risk;  Outcome -> whoever asked

One pass: what is in flight comes to rest -> the ledger puts its rows on the disk -> every venue is read -> the two are
compared. A difference is looked at again until it has outlived the venue's visibility horizon; only then it halts. At
start the pass also waits for everything that the last process left open, so half sets are protected before anything is
opened. What does not settle in time halts, with the list. Once the two agree, complete sets that an ended attempt still
holds (its merge was refused, or never sent) are merged.

Level-triggered: every message only notes what is now known, then the pass takes its next step. One per live bot, on a
thread of its own, because it reads the disk.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from actors.base import Address, BotActor, Crash
from actors.flight import Flight
from actors.mending import Mender
from actors.order_routes import OrderRoutes
from actors.reconcile_pass import BACKOFF_NS, FLUSH_NS, MARGIN_NS, POLL_NS, RECHECK_NS, Pass, Patience
from actors.user_streams import STREAM_GRACE_NS, UserStreams
from adapters.ledger.side import agreed_at, ledger_side
from models.clock import MS, BootNs, Clock, Timer
from models.events import account_opened
from models.market import MarketId, SetId, VenueName
from models.messages import (
    CashSeen,
    Flushed,
    FlushWanted,
    MergeAnswered,
    ReconcileWanted,
    RecordRows,
    StatementFailed,
    StatementSeen,
    StatementWanted,
    StreamChanged,
    StreamRestored,
)
from models.reconcile import (
    Compared,
    Finding,
    FindingKind,
    LedgerSide,
    Outcome,
    VenueSide,
    compare,
    opening_findings,
    together,
)

if TYPE_CHECKING:
    from actors.dispatch import Dispatcher

logger = logging.getLogger(__name__)

LOOK: Final = "look"
"""To itself, by timer."""

KEY: Final = "reconcile"
STREAM_KEY: Final = "user stream"
"""Of the gate's holds."""

ADOPTED: Final = (FindingKind.DRIFT, FindingKind.HELD, FindingKind.OUTSIDE)
"""What the operator may declare to be so. What is open is never declared away."""


class Gate(Protocol):
    def hold(self, reason: str, key: str) -> None: ...

    def release_hold(self, key: str) -> None: ...

    def trip(self, reason: str, by: str) -> object: ...


class ReconcileActor(BotActor):
    def __init__(
        self,
        dispatcher: Dispatcher,
        on_crash: Crash,
        *,
        venues: Sequence[VenueName],
        mergeable: Mapping[MarketId, SetId],
        patience: Patience,
        flight: Flight,
        streams: Sequence[str],
        ledger: Address,
        reader: Callable[[], sqlite3.Connection],
        lanes: Address,
        routes: OrderRoutes,
        risk: Address,
        gate: Gate,
        clock: Clock,
        adopt: str | None = None,
    ) -> None:
        """`streams` are the user streams, down until they say otherwise; `reader` opens the ledger for reading. With
        `adopt`, the operator's words, the first pass takes the account as it is (after a deposit, or a trade by hand).
        """
        super().__init__(dispatcher, "reconcile", on_crash)
        self._venues = tuple(venues)
        self._patience = patience
        self._flight = flight
        self._ledger = ledger
        self._reader = reader
        self._lanes = lanes
        self._mender = Mender(
            mergeable=mergeable,
            ledger=ledger,
            lanes=lanes,
            routes=routes,
            executors=[executor.address for executor in flight.executors.values()],
            risk=risk,
            clock=clock,
            reply_to=self.address,
        )
        self._risk = risk
        self._gate = gate
        self._clock = clock
        self._adopt = adopt
        self._serial = 0
        self._pass: Pass | None = None
        self._wanted: list[ReconcileWanted] = [ReconcileWanted(why="start")]
        self._answers: list[Address] = []
        self._next = BootNs(0)
        self._since: int | None = None
        """Wall ns up to which ledger and venue are known to agree."""
        self._streams = UserStreams(streams, clock.boot_ns())
        self._timer: Timer | None = None
        self._armed = False
        self.outcome: Outcome | None = None
        """Of the newest pass; immutable, read from any thread."""

    # -- for other threads

    def refusals(self) -> tuple[str, ...]:
        """What of this forbids a resume, as of the newest pass."""
        if self.outcome is None:
            return ("the ledger has not been compared with the venue yet",)
        down = tuple(f"the user stream {feed} is down" for feed in self._streams.down)
        return (*down, *(str(finding) for finding in self.outcome.findings if finding.kind.refuses))

    # -- messages

    def started(self) -> None:
        self._gate.hold("reconciling: start", KEY)
        self._go()

    def receive(self, message: Any) -> None:
        match message:
            case ReconcileWanted():
                self._wanted.append(message)
            case StreamChanged():
                self._note_stream(message)
            case Flushed():
                if self._pass is not None and message.serial == self._pass.serial:
                    self._pass.flushed = True
                    self._ask(self._pass)
            case StatementSeen():
                if self._pass is not None and message.serial == self._pass.serial:
                    self._pass.statements[message.venue] = message
            case StatementFailed():
                if self._pass is not None and message.serial == self._pass.serial:
                    self._unread(self._pass, f"{message.venue}: {message.why}")
            case MergeAnswered():
                if self._mender.note(message):
                    self._wanted.append(ReconcileWanted(why="held sets were merged"))
            case _ if message is LOOK:
                self._timer = None
            case _:
                raise TypeError(f"reconcile cannot handle {type(message).__name__}")
        self._go()

    def _go(self) -> None:
        now = self._clock.boot_ns()
        self._watch_streams(now)
        if self._pass is None and (self._wanted or now >= self._next):
            self._begin(now)
        if self._pass is None:
            self._look_in(min(self._next - now, STREAM_GRACE_NS))
        else:
            self._step(self._pass, now)

    def _look_in(self, delay_ns: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_after(max(delay_ns, MS), lambda: self.address.tell(LOOK))

    # -- user streams

    def _note_stream(self, message: StreamChanged) -> None:
        if not self._streams.note(message):
            return
        for executor in self._flight.executors.values():
            executor.address.tell(StreamRestored(message.at))
        if self._pass is None or self._pass.asked is not None:
            self._wanted.append(ReconcileWanted(why=f"{message.feed} is up"))

    def _watch_streams(self, now: BootNs) -> None:
        if self._streams.overdue(now):
            self._gate.hold(f"the user stream is down: {', '.join(self._streams.down)}", STREAM_KEY)

    # -- one pass

    def _begin(self, now: BootNs) -> None:
        why = ", ".join(dict.fromkeys(wanted.why for wanted in self._wanted)) or "regular"
        last = any(wanted.last for wanted in self._wanted)
        self._answers += [wanted.reply_to for wanted in self._wanted if wanted.reply_to is not None]
        self._wanted.clear()
        self._pass = Pass(why=why, began=now, last=last, first=not self._armed)
        self._gate.hold(f"reconciling: {why}", KEY)

    def _step(self, this: Pass, now: BootNs) -> None:
        if this.asked is None:
            if now < this.not_before:
                self._look_in(this.not_before - now)
            elif self._in_flight(this, now) and now - this.began < self._settle_ns(this):
                self._look_in(POLL_NS)
            else:
                self._flush(this, now)
        elif not this.flushed:
            if now - this.asked > FLUSH_NS:
                self._unread(this, "the ledger does not answer")
            self._look_in(FLUSH_NS)
        elif len(this.statements) == len(self._venues):
            self._judge(this, now)
        else:
            self._look_in(FLUSH_NS)

    def _settle_ns(self, this: Pass) -> int:
        """At start everything that was left open has to settle, unknown orders included."""
        patience = self._patience
        return patience.settle_ns + (patience.horizon_ns + 2 * STREAM_GRACE_NS if this.first else 0)

    def _in_flight(self, this: Pass, now: BootNs) -> bool:
        """Something moves that will come to rest by itself, or is to be taken up before anything may be opened."""
        waiting = this.first and self._streams.awaited(now)
        return waiting or bool(self._mender.merging) or self._flight.moving(at_start=this.first)

    def _flush(self, this: Pass, now: BootNs) -> None:
        self._serial += 1
        this.serial, this.asked, this.flushed = self._serial, now, False
        this.statements.clear()
        self._ledger.tell(FlushWanted(serial=this.serial, reply_to=self.address))
        self._look_in(FLUSH_NS)

    def _ask(self, this: Pass) -> None:
        since_ms = max(0, self._agreed() - MARGIN_NS - self._patience.horizon_ns) // MS
        for venue in self._venues:
            self._lanes.tell(
                StatementWanted(
                    serial=this.serial,
                    venue=venue,
                    since_ms=since_ms,
                    reply_to=self.address,
                    markets=tuple(this.asking.get(venue, ())),
                )
            )

    def _agreed(self) -> int:
        if self._since is None:
            with closing(self._reader()) as connection:
                found = agreed_at(connection)
            self._since = self._clock.wall_ns() if found is None else found
        return self._since

    def _again(self, this: Pass, delay_ns: int) -> None:
        this.asked = None
        this.not_before = self._clock.boot_ns() + delay_ns
        self._look_in(delay_ns)

    def _unread(self, this: Pass, why: str) -> None:
        """Openings wait until the venue answers; the first failure is written down."""
        finding = Finding(FindingKind.UNREAD, why)
        self.outcome = Outcome(at=self._clock.wall_ns(), why=this.why, findings=(finding,))
        if not this.failures:
            self._ledger.tell(RecordRows(rows=(self.outcome.row(None),)))
        self._gate.hold(f"reconciling: {why}", KEY)
        delay = BACKOFF_NS[min(this.failures, len(BACKOFF_NS) - 1)]
        this.failures += 1
        if this.last:
            self._end(this)
        else:
            self._again(this, delay)

    # -- the comparison

    def _judge(self, this: Pass, now: BootNs) -> None:
        venue = together(this.statements.values())
        with closing(self._reader()) as connection:
            ours = ledger_side(
                connection,
                {o.client_order_id for o in venue.open_orders if o.client_order_id is not None}
                | {fill.client_order_id for fill in venue.fills},
                {o.venue_order_id for o in venue.open_orders}
                | {fill.venue_order_id for fill in venue.fills if fill.venue_order_id is not None},
                self._flight.executors.keys(),
            )
        busy = self._flight.busy_markets() | self._mender.merging
        fresh_payouts = {market_id: pays for market_id, pays in venue.resolved.items() if market_id not in this.told}
        compared = compare(ours, replace(venue, resolved=fresh_payouts), busy)
        this.mended += self._mender.mend(compared, now)
        this.note_differing(compared, ours.venues)
        if compared.paid and not this.last:
            market_id, yes_pays = compared.paid[0]  # one at a time: each changes what the next one finds
            this.told.add(market_id)
            this.mended.append(self._mender.tell_paid(market_id, yes_pays, ours.strangers, now))
            this.suspect_since = None
            self._again(this, POLL_NS)
            return
        if not compared.equal and not this.believes(now, self._patience.horizon_ns):
            self._again(this, RECHECK_NS if this.failures or not compared.missed else POLL_NS)
            return
        fresh = [] if this.last else [one for one in compared.merged if one.attempt_id not in this.told]
        if fresh:
            this.told.update(one.attempt_id for one in fresh)
            this.mended += self._mender.tell_merged(fresh, ours.strangers, now)
            this.suspect_since = None
            self._again(this, POLL_NS)
            return
        left = self._flight.left_open(ours.strangers, ours.unsettled, at_start=this.first)
        findings = [*compared.findings, *left]
        opened = not self._flight.anything() and not busy and not this.last and self._open(this, ours, venue, findings)
        if opened:
            compared = replace(compared, cash_ledger=venue.cash, positions_equal=True)
        self._conclude(this, compared, tuple(findings), None if opened else ours.as_of)
        if not findings and not busy and not this.last:
            self._mender.merge(ours.held)

    def _open(self, this: Pass, ours: LedgerSide, venue: VenueSide, findings: list[Finding]) -> bool:
        """Write the account down as it is: at the first look of a new ledger, or where the operator adopts it (then
        what he may declare to be so is no finding any more). True where that was done.
        """
        first = ours.opened_at is None
        if first:
            findings += opening_findings(venue)
        words, self._adopt = self._adopt, None
        adopted = words is not None and bool(findings) and all(finding.kind in ADOPTED for finding in findings)
        if adopted:
            this.mended += [Finding(finding.kind, f"adopted ({words}): {finding.text}") for finding in findings]
            findings.clear()
        if first or adopted:
            self._open_account(venue)
        return first or adopted

    def _open_account(self, venue: VenueSide) -> None:
        held = [(market, outcome, size) for (market, outcome), size in sorted(venue.positions.items()) if size]
        self._ledger.tell(RecordRows(rows=(account_opened(self._clock.wall_ns(), venue.cash, held),)))

    def _conclude(self, this: Pass, compared: Compared, findings: tuple[Finding, ...], as_of: int | None) -> None:
        wall, now = self._clock.wall_ns(), self._clock.boot_ns()
        self.outcome = Outcome(
            at=wall,
            why=this.why,
            findings=findings,
            mended=tuple(finding for finding in dict.fromkeys(this.mended) if finding not in findings),
            cash_ledger=compared.cash_ledger,
            cash_venue=compared.cash_venue,
            positions_equal=compared.positions_equal,
        )
        self._ledger.tell(RecordRows(rows=(self.outcome.row(as_of),)))
        if compared.cash_venue is not None:
            self._risk.tell(CashSeen(compared.cash_venue, now))
        halting = [str(finding) for finding in findings if finding.kind.halts]
        if not halting:
            self._since = wall - (now - this.began)
        elif not this.last:
            self._gate.trip(f"reconcile ({this.why}): {'; '.join(halting)}", self.name)
        self._end(this)

    def _end(self, this: Pass) -> None:
        assert self.outcome is not None
        self._pass = None
        self._armed = True
        self._next = BootNs(self._clock.boot_ns() + self._patience.every_ns)
        for answer in self._answers:
            answer.tell(self.outcome)
        self._answers.clear()
        if this.last:
            return
        if not self._streams.down:
            self._gate.release_hold(STREAM_KEY)
        if not self._wanted:
            self._gate.release_hold(KEY)
        logger.info("reconciled (%s): %s", this.why, "; ".join(map(str, self.outcome.findings)) or "equal")
        self._look_in(MS if self._wanted else STREAM_GRACE_NS)
