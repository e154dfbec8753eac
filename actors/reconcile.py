"""ReconcileActor: compares the ledger with the venue, at start, after every loss of a user stream, every so many
minutes, when the operator wants to resume, and before the end. While it compares, the gate grants nothing.

Accepts  ReconcileWanted (system, operator); StreamChanged (user feeds); Flushed (ledger); StatementSeen,
         StatementFailed (account lanes); LOOK (clock)
Sends    FlushWanted, RecordRows -> ledger;  StatementWanted, CancelOrder -> lanes;  StreamRestored -> executors;
         FillSeen, OrderUpdated, MergeAnswered -> routes;  CashSeen -> risk;  Outcome -> whoever asked

One pass: what is in flight comes to rest -> the ledger puts its rows on the disk -> every venue is read -> the two are
compared. A difference is looked at again until it has outlived the venue's visibility horizon; only then it halts. At
start the pass also waits for everything that the last process left open, so half sets are protected before anything is
opened. What does not settle in time halts, with the list. Level-triggered: every message only notes what is now known,
then the pass takes its next step. One per live bot, on a thread of its own, because it reads the disk.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from actors.base import Address, BotActor, Crash
from actors.order_routes import OrderRoutes
from adapters.ledger.side import agreed_at, ledger_side
from models.clock import MS, SECOND, BootNs, Clock, Timer
from models.events import account_opened, reconciled
from models.market import MarketId, SetId, VenueName
from models.messages import (
    CancelOrder,
    CashSeen,
    FillSeen,
    Flushed,
    FlushWanted,
    MergeAnswered,
    OrderUpdated,
    ReconcileWanted,
    RecordRows,
    StatementFailed,
    StatementSeen,
    StatementWanted,
    StreamChanged,
    StreamRestored,
)
from models.money import MicroUsd
from models.orders import AttemptId
from models.reconcile import Compared, Finding, FindingKind, HeldSets, Outcome, VenueSide, compare, opening_findings
from models.rows import FillReported
from models.set_state import Cooldown, Exposed, Idle, Record

if TYPE_CHECKING:
    from actors.dispatch import Dispatcher

logger = logging.getLogger(__name__)

LOOK: Final = "look"
"""To itself, by timer."""

KEY: Final = "reconcile"
STREAM_KEY: Final = "user stream"
"""Of the gate's holds."""

POLL_NS: Final = 50 * MS
RECHECK_NS: Final = SECOND
BACKOFF_NS: Final = (SECOND, 2 * SECOND, 5 * SECOND, 15 * SECOND, 30 * SECOND)
"""Between questions to a venue that does not answer; the last one repeats."""
FLUSH_NS: Final = 5 * SECOND
MARGIN_NS: Final = 60 * SECOND
"""Executions are read from this much before the last agreement: the venue's clock is not ours."""
STREAM_GRACE_NS: Final = 5 * SECOND
"""A user stream that is down for longer stops openings."""
LAST_NS: Final = 3 * SECOND
"""How long a difference is looked at before the process ends."""


class Gate(Protocol):
    def hold(self, reason: str, key: str) -> None: ...

    def release_hold(self, key: str) -> None: ...

    def trip(self, reason: str, by: str) -> object: ...


class Executor(Protocol):
    """What is looked at of an `ExecutorActor`."""

    @property
    def record(self) -> Record: ...

    @property
    def address(self) -> Address: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things may take, from the configuration and the venues' capabilities."""

    every_ns: int
    settle_ns: int
    """`max_inflight_seconds`: after it an attempt is over or EXPOSED."""
    horizon_ns: int
    """The longest visibility horizon of the venues."""


@dataclass(slots=True)
class _Pass:
    why: str
    began: BootNs
    last: bool
    first: bool
    asked: BootNs | None = None
    """When the ledger was asked to flush; None: still waiting for what is in flight."""
    serial: int = 0
    flushed: bool = False
    statements: dict[VenueName, StatementSeen] = field(default_factory=dict)
    failures: int = 0
    suspect_since: BootNs | None = None
    not_before: int = 0
    found: list[Finding] = field(default_factory=list)
    """Facts that were mended in this pass, for the record."""
    booked: set[AttemptId] = field(default_factory=set)
    """Attempts whose lost merges have been told in this pass."""


class ReconcileActor(BotActor):
    def __init__(
        self,
        dispatcher: Dispatcher,
        on_crash: Crash,
        *,
        venues: Sequence[VenueName],
        markets: Mapping[SetId, Sequence[MarketId]],
        patience: Patience,
        executors: Mapping[SetId, Executor],
        streams: Sequence[str],
        unfinished: Sequence[AttemptId],
        orphans: Sequence[AttemptId],
        ledger: Address,
        reader: Callable[[], sqlite3.Connection],
        lanes: Address,
        routes: OrderRoutes,
        risk: Address,
        gate: Gate,
        clock: Clock,
    ) -> None:
        """`streams` are the user streams, down until they say otherwise; `unfinished` are attempts that this process
        has taken up, `orphans` those that it could not; `reader` opens the ledger for reading.
        """
        super().__init__(dispatcher, "reconcile", on_crash)
        self._venues = tuple(venues)
        self._markets = markets
        self._patience = patience
        self._executors = executors
        self._unfinished = frozenset(unfinished)
        self._orphans = tuple(orphans)
        self._ledger = ledger
        self._reader = reader
        self._lanes = lanes
        self._routes = routes
        self._risk = risk
        self._gate = gate
        self._clock = clock
        self._serial = 0
        self._pass: _Pass | None = None
        self._wanted: list[ReconcileWanted] = [ReconcileWanted(why="start")]
        self._answers: list[Address] = []
        self._next = BootNs(0)
        self._since: int | None = None
        """Wall ns up to which ledger and venue are known to agree."""
        self._down: dict[str, BootNs] = dict.fromkeys(streams, clock.boot_ns())
        self._timer: Timer | None = None
        self._armed = False
        self.outcome: Outcome | None = None
        """Of the newest pass; immutable, read from any thread."""

    # -- for other threads

    def refusals(self) -> tuple[str, ...]:
        """What of this forbids a resume, as of the newest pass."""
        if self.outcome is None:
            return ("the ledger has not been compared with the venue yet",)
        down = tuple(f"the user stream {feed} is down" for feed in self._down)
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
        if not message.up:
            self._down.setdefault(message.feed, message.at)
            return
        self._down.pop(message.feed, None)
        for executor in self._executors.values():
            executor.address.tell(StreamRestored(message.at))
        if self._pass is None or self._pass.asked is not None:
            self._wanted.append(ReconcileWanted(why=f"{message.feed} is up"))

    def _watch_streams(self, now: BootNs) -> None:
        if any(now - since > STREAM_GRACE_NS for since in self._down.values()):
            self._gate.hold(f"the user stream is down: {', '.join(sorted(self._down))}", STREAM_KEY)

    # -- one pass

    def _begin(self, now: BootNs) -> None:
        why = ", ".join(dict.fromkeys(wanted.why for wanted in self._wanted)) or "regular"
        last = any(wanted.last for wanted in self._wanted)
        self._answers += [wanted.reply_to for wanted in self._wanted if wanted.reply_to is not None]
        self._wanted.clear()
        self._pass = _Pass(why=why, began=now, last=last, first=not self._armed)
        self._gate.hold(f"reconciling: {why}", KEY)

    def _step(self, this: _Pass, now: BootNs) -> None:
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

    def _settle_ns(self, this: _Pass) -> int:
        """At start everything that was left open has to settle, unknown orders included."""
        patience = self._patience
        return patience.settle_ns + (patience.horizon_ns + 2 * STREAM_GRACE_NS if this.first else 0)

    def _in_flight(self, this: _Pass, now: BootNs) -> bool:
        """Something moves that will come to rest by itself, or is to be taken up before anything may be opened."""
        if this.first and any(now - since <= STREAM_GRACE_NS for since in self._down.values()):
            return True
        for executor in self._executors.values():
            record = executor.record
            if isinstance(record, Idle | Cooldown):
                continue
            resting = isinstance(record, Exposed) and record.attempt.quiet
            if not resting or (this.first and record.attempt.attempt_id in self._unfinished):
                return True
        return False

    def _busy_markets(self) -> frozenset[MarketId]:
        """Markets with orders of ours that have not ended, or with a merge on its way."""
        busy: set[MarketId] = set()
        for set_id, executor in self._executors.items():
            record = executor.record
            if isinstance(record, Idle | Cooldown):
                continue
            merging = record.attempt.merge_asked and not record.attempt.merge_answered
            if merging or not record.attempt.quiet:
                busy.update(self._markets[set_id])
        return frozenset(busy)

    def _flush(self, this: _Pass, now: BootNs) -> None:
        self._serial += 1
        this.serial, this.asked, this.flushed = self._serial, now, False
        this.statements.clear()
        self._ledger.tell(FlushWanted(serial=this.serial, reply_to=self.address))
        self._look_in(FLUSH_NS)

    def _ask(self, this: _Pass) -> None:
        since_ms = max(0, self._agreed() - MARGIN_NS - self._patience.horizon_ns) // MS
        for venue in self._venues:
            wanted = StatementWanted(serial=this.serial, venue=venue, since_ms=since_ms, reply_to=self.address)
            self._lanes.tell(wanted)

    def _agreed(self) -> int:
        if self._since is None:
            with closing(self._reader()) as connection:
                found = agreed_at(connection)
            self._since = self._clock.wall_ns() if found is None else found
        return self._since

    def _again(self, this: _Pass, delay_ns: int) -> None:
        this.asked = None
        this.not_before = self._clock.boot_ns() + delay_ns
        self._look_in(delay_ns)

    def _unread(self, this: _Pass, why: str) -> None:
        """Openings wait until the venue answers; the first failure is written down."""
        finding = Finding(FindingKind.UNREAD, why)
        self.outcome = Outcome(at=self._clock.wall_ns(), why=this.why, findings=(finding,))
        if not this.failures:
            event = reconciled(
                self._clock.wall_ns(),
                cash_ledger=None,
                cash_venue=None,
                positions_equal=None,
                findings=[str(finding)],
            )
            self._ledger.tell(RecordRows(rows=(event,)))
        self._gate.hold(f"reconciling: {why}", KEY)
        delay = BACKOFF_NS[min(this.failures, len(BACKOFF_NS) - 1)]
        this.failures += 1
        if this.last:
            self._end(this)
        else:
            self._again(this, delay)

    # -- the comparison

    def _judge(self, this: _Pass, now: BootNs) -> None:
        venue = _together(this.statements.values())
        with closing(self._reader()) as connection:
            ours = ledger_side(
                connection,
                {o.client_order_id for o in venue.open_orders if o.client_order_id is not None}
                | {fill.client_order_id for fill in venue.fills},
                {o.venue_order_id for o in venue.open_orders}
                | {fill.venue_order_id for fill in venue.fills if fill.venue_order_id is not None},
            )
        busy = self._busy_markets()
        compared = compare(ours, venue, busy)
        self._mend(this, compared, now)
        if not compared.equal:
            if this.suspect_since is None:
                this.suspect_since = now
            patience = LAST_NS if this.last else self._patience.horizon_ns + RECHECK_NS
            if now - this.suspect_since < patience:
                self._again(this, RECHECK_NS if this.failures or not compared.missed else POLL_NS)
                return
        if compared.merged and not this.last and self._book_merges(this, compared.merged, now):
            this.suspect_since = None
            self._again(this, POLL_NS)
            return
        findings = [*compared.findings, *self._left_open(this)]
        if ours.opened_at is None and not self._under_way():
            findings += opening_findings(venue)
            self._open_account(venue)
            compared = replace(compared, cash_ledger=venue.cash, positions_equal=True)
        self._conclude(this, compared, tuple(findings), ours.as_of)

    def _mend(self, this: _Pass, compared: Compared, now: BootNs) -> None:
        """Facts that were missed go to their owners; an order of ours that rests and should not is cancelled. An
        attempt that nobody remembers is long over: its execution is booked, and the difference that it makes halts.
        """
        for order, fill in compared.missed:
            if self._routes.knows(fill.client_order_id):
                self._routes.tell(FillSeen(fill=fill, at=now))
            else:
                row = FillReported(venue=order.intent.venue, at=self._clock.wall_ns(), fill=fill)
                self._ledger.tell(RecordRows(rows=(row,)))
        for order, seen in compared.orphans:
            if self._routes.knows(order.intent.client_order_id):
                self._routes.tell(OrderUpdated(seen=seen, at=now))
            self._lanes.tell(CancelOrder(intent=order.intent, venue_order_id=seen.venue_order_id))
        for finding in compared.findings:
            if finding.kind in (FindingKind.MISSED, FindingKind.ORPHAN) and finding not in this.found:
                this.found.append(finding)

    def _book_merges(self, this: _Pass, merged: Sequence[HeldSets], now: BootNs) -> bool:
        """The answers of these merges were lost: tell their executors. False where all have been told before."""
        fresh = [one for one in merged if one.attempt_id not in this.booked]
        for one in fresh:
            this.booked.add(one.attempt_id)
            this.found.append(Finding(FindingKind.MERGED, f"the sets of attempt {one.attempt_id}"))
            if self._routes.knows_attempt(one.attempt_id):
                cash, why = MicroUsd(one.size), "as the account shows it"
                self._routes.tell(MergeAnswered(attempt_id=one.attempt_id, cash=cash, why=why, at=now))
        return bool(fresh)

    def _left_open(self, this: _Pass) -> list[Finding]:
        """What a first pass did not see come to rest, and what nobody can work on."""
        found = [
            Finding(FindingKind.OPEN, f"attempt {attempt_id} is unfinished and its set is not configured any more")
            for attempt_id in self._orphans
        ]
        if not this.first:
            return found
        for executor in self._executors.values():
            record = executor.record
            if not isinstance(record, Idle | Cooldown) and record.attempt.attempt_id in self._unfinished:
                words = f"attempt {record.attempt.attempt_id} of {record.attempt.set_id} is {record.state.value}"
                found.append(Finding(FindingKind.OPEN, words))
        return found

    def _under_way(self) -> bool:
        return any(not isinstance(executor.record, Idle | Cooldown) for executor in self._executors.values())

    def _open_account(self, venue: VenueSide) -> None:
        held = [(market, outcome, size) for (market, outcome), size in sorted(venue.positions.items()) if size]
        self._ledger.tell(RecordRows(rows=(account_opened(self._clock.wall_ns(), venue.cash, held),)))

    def _conclude(self, this: _Pass, compared: Compared, findings: tuple[Finding, ...], as_of: int) -> None:
        wall, now = self._clock.wall_ns(), self._clock.boot_ns()
        mended = [finding for finding in this.found if finding not in findings]
        event = reconciled(
            wall,
            cash_ledger=compared.cash_ledger,
            cash_venue=compared.cash_venue,
            positions_equal=compared.positions_equal,
            findings=[str(finding) for finding in findings],
            as_of=as_of,
            mended=[str(finding) for finding in mended],
        )
        self._ledger.tell(RecordRows(rows=(event,)))
        self.outcome = Outcome(
            at=wall,
            why=this.why,
            findings=findings,
            mended=tuple(mended),
            cash_ledger=compared.cash_ledger,
            cash_venue=compared.cash_venue,
            positions_equal=compared.positions_equal,
        )
        if compared.cash_venue is not None:
            self._risk.tell(CashSeen(compared.cash_venue, now))
        halting = [str(finding) for finding in findings if finding.kind.halts]
        if not halting:
            self._since = wall - (now - this.began)
        elif not this.last:
            self._gate.trip(f"reconcile ({this.why}): {'; '.join(halting)}", self.name)
        self._end(this)

    def _end(self, this: _Pass) -> None:
        assert self.outcome is not None
        self._pass = None
        self._armed = True
        self._next = BootNs(self._clock.boot_ns() + self._patience.every_ns)
        for answer in self._answers:
            answer.tell(self.outcome)
        self._answers.clear()
        if this.last:
            return
        if not self._down:
            self._gate.release_hold(STREAM_KEY)
        if not self._wanted:
            self._gate.release_hold(KEY)
        logger.info("reconciled (%s): %s", this.why, "; ".join(map(str, self.outcome.findings)) or "equal")
        self._look_in(MS if self._wanted else STREAM_GRACE_NS)


def _together(statements: Any) -> VenueSide:
    """All venues as one account: cash and positions add up."""
    positions: dict[tuple[str, str], int] = {}
    for statement in statements:
        for market_id, outcome, size in statement.positions:
            key = (market_id, outcome.value)
            positions[key] = positions.get(key, 0) + size
    return VenueSide(
        cash=MicroUsd(sum(statement.cash for statement in statements)),
        positions=positions,
        open_orders=tuple(order for statement in statements for order in statement.open_orders),
        fills=tuple(fill for statement in statements for fill in statement.fills),
    )
