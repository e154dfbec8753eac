"""The invariants of the bot, judged from the venue's side of the wire and from what lies on the disk, step by step.

Nothing is asked of the bot that could be asked of somebody else. `leaving` sees every request as its bytes go out;
`venue_changed` sees every trade and reversal; `tests/sim/truth.py` compares the books once everything is at rest.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapters.simulated import web, wire
from adapters.simulated.orders import OrderState
from models.book import NO_ASK, YES_ASK, BookSnapshot, BookUpdate
from models.clock import SECOND
from models.execution import ExecutionTerms
from models.fees import taker_fee
from models.market import Action, MarketId, Outcome, SetId
from models.money import MICRO, MicroShares, PriceMicros, cost_rounded_up, parse_price, parse_shares
from models.orders import Purpose
from models.set_state import Cooldown, Idle
from tests.sim.exposure import Exposure

if TYPE_CHECKING:
    from adapters.permit import HaltRecord
    from tests.sim.bot import Bot
    from tests.sim.venue import Venue
    from tests.sim.world import World

MINUTE_NS = 60 * SECOND
WIDE = 1000
"""A limit that nothing reaches."""


Asks = tuple[int | None, int, int | None, int]
"""(YES ask, size, NO ask, size)"""


class Violation(AssertionError):  # noqa: N818  the name is what it is
    """An invariant does not hold."""

    def __init__(self, invariant: str, text: str) -> None:
        super().__init__(f"{invariant}: {text}")
        self.invariant = invariant


@dataclass(slots=True)
class Order:
    """One order as it left the process."""

    client_order_id: str
    attempt_id: str
    set_id: SetId
    leg: int
    market_id: MarketId
    outcome: Outcome
    action: Action
    price: int
    size: int
    purpose: Purpose
    left_at: int
    day: int


class Judge:
    def __init__(self, world: World) -> None:
        self._world = world
        plan = world.setting.plan
        self.terms: dict[SetId, ExecutionTerms] = {t.complete_set.set_id: t for t in plan.execution}
        self.orders: dict[str, Order] = {}
        self.by_attempt: dict[str, list[Order]] = defaultdict(list)
        self.exposure = Exposure(self, world)
        self.tops: dict[MarketId, dict[int, Asks]] = {}
        """By sequence number, as the venue sent it."""
        self.undead: set[str] = set()
        """Orders that reach the venue after every promise has run out. They excuse what is done in the meantime."""
        self.shown: dict[MarketId, deque[tuple[int, int, int]]] = defaultdict(lambda: deque(maxlen=64))
        """(when, generation, number) of the newest that each market's frames brought into the process."""
        self.blind_until = 0
        """Until then an actor may not have been able to look at what had come in."""
        self.halted = False
        self.halted_markets: set[str] = set()
        self._alive: list[Order] = []
        """Orders that may have had a life left when they were last looked at; a dead one never comes back."""
        self._sent_today: dict[int, int] = defaultdict(int)
        """Micro-dollars that the BUYs of a day could cost if each filled at its limit."""
        self.opened_at: list[int] = []
        self.dead: str | None = None
        """An actor that has failed in the present process."""
        self.decisions = 0
        self._trades = 0
        self._journal = 0
        self._limits = plan.config.risk
        self._max_size = plan.config.execution.max_order_size_micros
        self._max_age_ns = plan.config.runtime.max_book_age_ns

    def watch(self, venue: Venue) -> None:
        """Remember the tops that the venue sends, by their numbers."""
        streams, listings = venue.exchange.streams, venue.engine.listings
        publish = streams.publish_changes
        for market_id, listing in listings.items():
            self.tops[market_id] = {0: _asks(listing)}

        def published(market_id: MarketId, changes: Any, now: int) -> None:
            publish(market_id, changes, now)
            self.tops[market_id][streams.seqs[market_id]] = _asks(listings[market_id])

        streams.publish_changes = published  # type: ignore[method-assign]

    def found(self, invariant: str, text: str) -> Violation:
        """A violation; it ends the run even where the code under test swallows the exception."""
        violation = Violation(invariant, text)
        if self._world.violation is None:
            self._world.violation = violation
        return violation

    # -- bytes that leave

    def leaving(self, bot: Bot, request: web.Request) -> None:
        tongue = self._world.tongue
        if tongue.reads(request):
            return
        if not self._world.setting.live:
            raise self.found("I19", f"paper mode sends {request.method} {request.target}")
        if tongue.merges(request):
            self._world.faults.merge_leaves()
        for body in tongue.bodies(request):
            self._order_leaves(bot, body)

    def _order_leaves(self, bot: Bot, body: wire.OrderBody) -> None:
        world = self._world
        order = self._committed(bot, body)
        if body.client_order_id in self.orders:
            raise self.found("I3", f"order {body.client_order_id} is sent a second time")
        self._no_twin(order)
        self._grid(order)
        self._equal_legs(order)
        if order.purpose is Purpose.OPEN:
            self._opens(bot, order)
        else:
            self._mends(order)
        if order.purpose is Purpose.OPEN:
            world.faults.order_leaves()
        self.orders[order.client_order_id] = order
        self._alive.append(order)
        self._sent_today[order.day] += self._at_limit(order)
        self.by_attempt[order.attempt_id].append(order)
        world.trace.fact(f"sent {order.client_order_id}")

    def _committed(self, bot: Bot, body: wire.OrderBody) -> Order:
        """I1: its row is on the disk, and says the same."""
        connection = self._world.disk.connection
        if connection.in_transaction:
            raise self.found("I1", f"order {body.client_order_id} leaves inside a transaction")
        row = connection.execute(_INTENT, (body.client_order_id,)).fetchone()
        if row is None:
            raise self.found("I1", f"order {body.client_order_id} leaves before its row is committed")
        attempt_id, set_id, leg, market_id, outcome, action, price, size, tif, purpose = row
        said = (body.market_id, body.outcome, body.action, parse_price(body.price), parse_shares(body.size))
        if said != (market_id, outcome, action, price, size) or tif != body.time_in_force:
            raise self.found("I1", f"order {body.client_order_id} is not the one that was committed: {body}")
        day = bot.network.risk.state.day
        return Order(
            body.client_order_id,
            attempt_id,
            SetId(set_id),
            leg,
            MarketId(market_id),
            Outcome(outcome),
            Action(action),
            price,
            size,
            Purpose(purpose),
            self._world.now,
            day,
        )

    def _no_twin(self, order: Order) -> None:
        """I3: nothing more for a leg while an earlier order of it may still be alive."""
        for earlier in self.by_attempt[order.attempt_id]:
            if earlier.leg == order.leg and self.may_fill(earlier):
                raise self.found(
                    "I3",
                    f"{order.purpose} order {order.client_order_id} while {earlier.client_order_id} may still fill",
                )

    def may_fill(self, order: Order) -> bool:
        """At the venue and alive, or still on its way there."""
        if order.client_order_id in self.undead:
            return False
        found = self._world.venue.order(order.client_order_id)
        if found is None:
            return self._world.travelling[order.client_order_id] > 0
        return found.state is OrderState.LIVE

    def _grid(self, order: Order) -> None:
        leg = self.terms[order.set_id].legs[order.leg]
        off_lot = order.size % leg.market.lot_of(order.action) or order.size <= 0
        if not leg.market.on_grid(PriceMicros(order.price)) or off_lot:
            raise self.found("I10", f"off the grid: {order}")
        if (leg.market.market_id, leg.outcome) != (order.market_id, order.outcome):
            raise self.found("I12", f"not a leg of its set: {order}")

    def _equal_legs(self, order: Order) -> None:
        if order.purpose is not Purpose.OPEN:
            return
        for other in self.by_attempt[order.attempt_id]:
            if other.purpose is Purpose.OPEN and other.size != order.size:
                raise self.found("I12", f"legs of {order.size} and {other.size} shares in {order.attempt_id}")

    # -- what opens

    def _opens(self, bot: Bot, order: Order) -> None:
        world = self._world
        reconcile = bot.network.reconcile
        if reconcile is not None and reconcile.outcome is None:
            raise self.found("I15", f"opening order {order.client_order_id} before the first reconcile")
        if self.halted:
            raise self.found("I6", f"opening order {order.client_order_id} after the halt")
        if order.market_id in self.halted_markets:
            raise self.found("I6", f"opening order {order.client_order_id} on {order.market_id}, which is halted")
        if self.dead is not None:
            raise self.found("I6", f"opening order {order.client_order_id} after {self.dead} has failed")
        self._alone(bot, order)
        self._limited(order)
        self._not_too_many(order)
        self._decided_well(order)
        self.opened_at = [at for at in self.opened_at if world.now - at < MINUTE_NS]
        self.opened_at.append(world.now)
        if len(self.opened_at) > self._limits.max_orders_per_minute:
            raise self.found("I9", f"{len(self.opened_at)} opening orders within a minute")

    def _alone(self, bot: Bot, order: Order) -> None:
        """I4: no other attempt is alive on any market of this set, by the records and by the venue."""
        mine = set(self.terms[order.set_id].market_ids)
        for set_id, executor in bot.network.executors.items():
            record = executor.record
            if isinstance(record, Idle | Cooldown) or record.attempt.attempt_id == order.attempt_id:
                continue
            if mine & set(self.terms[set_id].market_ids):
                raise self.found("I4", f"{order.attempt_id} opens while {record.attempt.attempt_id} is {record.state}")
        self._alive = [o for o in self._alive if o.left_at == self._world.now or self.may_fill(o)]
        for other in self._alive:
            if other.attempt_id != order.attempt_id and other.market_id in mine and self.may_fill(other):
                raise self.found("I4", f"{order.attempt_id} opens while {other.client_order_id} may still fill")

    def _limited(self, order: Order) -> None:
        """I9: size, and the day's money with everything open and unknown at its limit."""
        if order.size > self._max_size:
            raise self.found("I9", f"{order.size} micro-shares, allowed are {self._max_size}")
        if self._sent_today[order.day] + self._at_limit(order) <= self._limits.max_daily_notional_micros:
            return
        spent = self._worst(order) + sum(self._worst(o) for o in self.orders.values() if o.day == order.day)
        if spent > self._limits.max_daily_notional_micros:
            raise self.found("I9", f"{spent} micro-dollars today, allowed are {self._limits.max_daily_notional_micros}")

    def _not_too_many(self, order: Order) -> None:
        """I9: attempts under way and sets held, by the rows on the disk."""
        if self._limits.max_open_positions >= WIDE:
            return
        listings = self._world.venue.engine.listings
        count = 0
        for attempt_id, set_id in self._world.disk.connection.execute(_OPEN_POSITIONS).fetchall():
            paid = all(listings[m].yes_pays is not None for m in self.terms[SetId(set_id)].market_ids)
            count += attempt_id == order.attempt_id or not paid
        if count > self._limits.max_open_positions:
            raise self.found("I9", f"{count} open positions, allowed are {self._limits.max_open_positions}")

    def _at_limit(self, order: Order) -> int:
        """What a BUY can cost at most."""
        if order.action is Action.SELL:
            return 0
        fees = self.terms[order.set_id].legs[order.leg].market.fees
        price, size = PriceMicros(order.price), MicroShares(order.size)
        return cost_rounded_up(price, size) + 2 * taker_fee(fees, price, size)  # fees may drift up to the double

    def _worst(self, order: Order) -> int:
        """Most that a BUY has cost or can still cost."""
        if order.action is Action.SELL:
            return 0
        cost, filled = self._paid.get(order.client_order_id, (0, 0))
        fresh = order.client_order_id not in self.orders
        if fresh or self.may_fill(order):
            left = MicroShares(order.size - filled)
            price = PriceMicros(order.price)
            fees = self.terms[order.set_id].legs[order.leg].market.fees
            cost += cost_rounded_up(price, left) + taker_fee(fees, price, left)
        return cost

    def _decided_well(self, order: Order) -> None:
        """I10 and I11: what it was decided from is what the venue showed, fresh enough, and leaves the edge."""
        terms = self.terms[order.set_id]
        connection = self._world.disk.connection
        rows = connection.execute(_DECIDED, (order.attempt_id,)).fetchall()
        if len(rows) != len(terms.legs):
            raise self.found("I16", f"{order.attempt_id} has {len(rows)} recorded legs of a decision")
        asks = []
        for at_ns, leg, market_id, seq, generation, not_ready, evidence, yes, yes_size, no, no_size in rows:
            self._up_to_date(order, MarketId(market_id), at_ns, generation, seq, (yes, yes_size, no, no_size))
            if not_ready is not None or at_ns - evidence > self._max_age_ns:
                raise self.found("I11", f"{order.attempt_id} leg {leg}: {not_ready or 'stale'} when it was decided")
            shown = self.tops[MarketId(market_id)].get(seq)
            if shown is not None and shown != (yes, yes_size, no, no_size):
                raise self.found("I11", f"{order.attempt_id}: at {seq} the venue showed {shown}, not {(yes, no)}")
            asks.append(yes if terms.legs[leg].outcome is Outcome.YES else no)
        self.decisions += 1
        if order.price > asks[order.leg] + self._limits.price_collar_micros:
            raise self.found("I10", f"{order.client_order_id} at {order.price} for an ask of {asks[order.leg]}")
        prices = list(asks)
        for each in (*self.by_attempt[order.attempt_id], order):
            if each.purpose is Purpose.OPEN:
                prices[each.leg] = max(each.price, order.price) if each.leg == order.leg else each.price
        prices[order.leg] = order.price
        left = terms.complete_set.payout - sum(prices) - terms.cost_buffer - terms.min_edge
        size = MicroShares(order.size)
        fees = sum(taker_fee(leg.market.fees, PriceMicros(p), size) for leg, p in zip(terms.legs, prices, strict=True))
        if left * size < fees * MICRO:
            raise self.found("I10", f"{order.client_order_id}: {prices} does not leave min_edge after fees")

    def number_of(self, event: BookUpdate | BookSnapshot) -> int | None:
        """By what the frames of a market are in order."""
        return event.seq

    def delivered(self, market_id: MarketId, generation: int, seq: int | None) -> None:
        """The feed has handed a frame of this number to the book."""
        newest = self.shown[market_id]
        if seq is not None and (not newest or (generation, seq) > newest[-1][1:]):
            newest.append((self._world.now, generation, seq))

    def _up_to_date(
        self, order: Order, market_id: MarketId, at_ns: int, generation: int, seq: int | None, asks: Asks
    ) -> None:
        """I11: everything that had come in by then is in the book that was decided on."""
        known = [entry for entry in self.shown[market_id] if entry[0] < at_ns]
        if at_ns <= self.blind_until or seq is None or not known:
            return
        if known[-1][1] > generation:
            raise self.found("I11", f"{order.attempt_id}: {market_id} of connection {generation}, not {known[-1][1]}")
        newest = known[-1][2] if known[-1][1] == generation else 0
        if newest > seq and self.tops[market_id].get(newest, asks) != asks:
            raise self.found("I11", f"{order.attempt_id}: {market_id} at {seq}, {newest} had come in and is different")

    # -- what mends

    def _mends(self, order: Order) -> None:
        """A protective order is no larger than what is missing or too much, as the venue has it (design section 3)."""
        allowed = self.exposure.missing(order)
        if allowed is not None and order.size > allowed:
            held = self.exposure.of(order)
            raise self.found("I3", f"{order.purpose} of {order.size} where {held} is held: {order.client_order_id}")

    # -- what happens at the venue

    @property
    def _paid(self) -> dict[str, tuple[int, int]]:
        return self._world.paid

    def venue_changed(self) -> None:
        engine = self._world.venue.engine
        if len(engine.trades) > self._trades:
            for trade in engine.trades[self._trades :]:
                self._traded(trade, 1)
            self._trades = len(engine.trades)
        if len(engine.journal) > self._journal:
            for line in engine.journal[self._journal :]:
                if line.kind == "reversed":
                    self._traded(next(t for t in reversed(engine.trades) if t.trade_id == line.reference), -1)
            self._journal = len(engine.journal)

    def _traded(self, trade: Any, sign: int) -> None:
        for party in trade.parties:
            order = self.orders.get(self._world.venue.own_id(party.order))
            if order is None:
                continue
            value = cost_rounded_up(PriceMicros(party.price), MicroShares(trade.size)) + party.fee
            cost, filled = self._paid.get(order.client_order_id, (0, 0))
            self._paid[order.client_order_id] = (cost + sign * value, filled + (trade.size if sign > 0 else 0))
            self.exposure.traded(order, sign * trade.size)

    # -- the gate and the actors

    def gate_moved(self, bot: Bot, record: HaltRecord | None) -> None:
        if record is None:
            self.halted = False
        elif record.market_id is None:
            self.halted = True
        else:
            self.halted_markets.add(record.market_id)

    def halted_outside(self, bot: Bot) -> None:
        self.halted = True

    def restarted(self, bot: Bot) -> None:
        """I7: a halt is still a halt; what has failed is alive again."""
        self.shown.clear()
        if self.halted and bot.gate.tripped is None:
            raise self.found("I7", "the halt did not survive the restart")
        self.dead = None

    def actor_died(self, name: str, error: BaseException) -> None:
        self.dead = name
        if self._world.bot.gate.tripped is None:
            raise self.found("I6", f"{name} failed and the gate is open")
        cause: BaseException = error
        if isinstance(cause, ValueError | SystemExit | MemoryError) and cause.args[:1] in (("planted",), (3,)):
            return
        raise self.found("I18", f"{name} failed: {error!r}") from error

    def states_about(self, request: web.Request) -> list[str]:
        """The states of the sets whose orders a request is about."""
        executors = self._world.bot.network.executors
        orders = [self.orders[i] for i in self._world.tongue.about(request) if i in self.orders]
        return [executors[order.set_id].state_name for order in orders]


_INTENT = (
    "SELECT attempt_id, set_id, leg, market_id, outcome, action, limit_price, size, time_in_force, purpose "
    "FROM order_intents WHERE client_order_id = ?"
)
_OPEN_POSITIONS = (
    "SELECT a.attempt_id, a.set_id FROM attempts a LEFT JOIN attempt_changes c "
    "ON c.seq = (SELECT MAX(seq) FROM attempt_changes WHERE attempt_id = a.attempt_id) "
    "WHERE c.ending IS NULL OR c.open_position = 1"
)
_DECIDED = (
    "SELECT json_extract(o.surroundings, '$.now'), l.leg, l.market_id, l.book_seq, l.generation, l.not_ready, "
    "l.evidence_boot_ns, l.yes_ask, l.yes_ask_size, l.no_ask, l.no_ask_size "
    "FROM opportunities o JOIN opportunity_legs l ON l.opportunity = o.seq WHERE o.attempt_id = ? ORDER BY l.leg"
)


def _asks(listing: Any) -> Asks:
    yes, no = listing.best(YES_ASK), listing.best(NO_ASK)
    return yes, _size(listing, YES_ASK, yes), no, _size(listing, NO_ASK, no)


def _size(listing: Any, side: int, price: int | None) -> int:
    if price is None:
        return 0
    if listing.unified and side == NO_ASK:
        return listing.ladders[0].totals[MICRO - price]
    return listing.ladders[side].totals[price]
