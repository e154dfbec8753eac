"""The books at rest: what the venue says happened against what the ledger says happened, to the micro-dollar."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from adapters.simulated.orders import OrderState
from models.market import Action, MarketId, Outcome
from models.money import MICRO
from models.orders import FillState
from models.tradeset import edges
from tests.sim.invariants import Violation

if TYPE_CHECKING:
    from tests.sim.world import World


def compare_books(world: World) -> None:
    """I2, I3, I8: call only at rest. On paper (I19) the venue has never heard of anything."""
    if not world.setting.live:
        if (
            world.venue.cash != world.venue.opening_cash
            or world.venue.shares
            or any(True for _ in world.venue.own_orders())
        ):
            raise Violation("I19", "a paper run has changed the account")
        return
    connection = world.disk.connection
    orders = connection.execute("SELECT client_order_id, action, market_id, outcome FROM order_intents").fetchall()
    known = {row[0]: row[1:] for row in orders}
    for own_id, order in world.venue.own_orders():
        if own_id.startswith("web-"):
            continue
        if own_id not in known:
            raise Violation("I2", f"the venue has {order.order_id}, the ledger does not")
        if order.state is OrderState.LIVE:
            raise Violation("I2", f"{order.order_id} still rests at the venue at the end")
    _compare_fills(world, known)
    if world.strangers:
        return
    cash, shares = _ledger_account(world, known)
    if world.meddled and world.bot.gate.tripped is not None:
        cash += _unseen_merges(world, shares)
    if cash != world.venue.cash - world.venue.opening_cash:
        diff = world.venue.cash - world.venue.opening_cash - cash
        raise Violation("I8", f"the venue's cash is {diff} micro-dollars more than the ledger's")
    theirs = {holding: size for holding, size in world.venue.shares.items() if size}
    if theirs != shares:
        raise Violation("I8", f"the venue holds {theirs}, the ledger {shares}")


def _unseen_merges(world: World, shares: dict[tuple[MarketId, Outcome], int]) -> int:
    """Cash of merges whose answers were lost, taken out of `shares`. They are told from what differs in the account,
    and somebody else has made a difference of his own there: then the bot can only halt.
    """
    unknown = world.disk.connection.execute(
        "SELECT 1 FROM events WHERE kind = 'incident' AND facts ->> 'incident' = 'merge_unknown'"
    )
    back = 0
    for market_id in {market_id for market_id, _ in shares} if unknown.fetchone() else ():
        less = {shares.get((market_id, o), 0) - world.venue.shares.get((market_id, o), 0) for o in Outcome}
        if len(less) == 1 and (size := less.pop()) > 0:
            back += size
            for outcome in Outcome:
                shares[market_id, outcome] -= size
    for holding in [holding for holding, size in shares.items() if not size]:
        del shares[holding]
    return back


def _newest_fills(connection: Any) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT venue_trade_id, client_order_id, size, price, fee, state, MAX(seq) FROM fill_reports "
        "GROUP BY venue, venue_trade_id, client_order_id"
    ).fetchall()


def _compare_fills(world: World, known: dict[str, Any]) -> None:
    """Each execution of the venue is in the ledger once, with its size, price, fee and last state."""
    told = {(r[0], r[1]): r[2:6] for r in _newest_fills(world.disk.connection)}
    true = {}
    for done in world.venue.executions():
        if done.own_id in known:
            trade, party = done.trade, done.party
            mirrored = known[done.own_id][2] != party.order.request.outcome
            price = MICRO - party.price if mirrored else party.price
            true[done.trade_id, done.own_id] = (trade.size, price, party.fee, trade.state.value)
    if told != true:
        only_true = {k: v for k, v in true.items() if told.get(k) != v}
        only_told = {k: v for k, v in told.items() if true.get(k) != v}
        raise Violation("I8", f"executions differ: the venue has {only_true}, the ledger {only_told}")


def _ledger_account(world: World, known: dict[str, Any]) -> tuple[int, dict[tuple[MarketId, Outcome], int]]:
    """(cash gained since the opening, shares held) from the ledger's own rows."""
    connection = world.disk.connection
    cash = 0
    shares: dict[tuple[MarketId, Outcome], int] = defaultdict(int)
    for _, client_order_id, size, price, fee, state, _ in _newest_fills(connection):
        if state == FillState.REVERSED.value:
            continue
        action, market_id, outcome = known[client_order_id]
        sign = 1 if action == Action.BUY.value else -1
        value, rest = divmod(price * size, MICRO)
        assert rest == 0
        cash -= sign * value + (fee or 0)
        shares[MarketId(market_id), Outcome(outcome)] += sign * size
    for market_id, yes_size, no_size, back in connection.execute(
        "SELECT market_id, yes_size, no_size, cash FROM settlements"
    ):
        cash += back
        shares[MarketId(market_id), Outcome.YES] -= yes_size
        shares[MarketId(market_id), Outcome.NO] -= no_size
    return cash, {holding: size for holding, size in shares.items() if size}


_EDGES = {(origin.value, target.value) for origin, target, _ in edges()}
_EDGES |= {("FAILED", "PLACING_ORDERS")}  # by way of SIGNAL_DETECTED, which is no row of its own


def check_history(world: World) -> None:
    """I13 and I16 over the whole ledger: legal transitions, fills that never fall, endings, a chain without a break."""
    connection = world.disk.connection
    before: dict[str, str] = {}
    lives = list(world.lives)
    for attempt_id, state, seq in connection.execute("SELECT attempt_id, state, seq FROM attempt_changes ORDER BY seq"):
        if lives and seq > lives[0]:
            lives.pop(0)
            before.clear()  # a new process comes up in the state that fits what is known
        last = before.get(attempt_id)
        if last is not None and last != state and (last, state) not in _EDGES:
            raise Violation("I13", f"{attempt_id} went from {last} to {state}")
        before[attempt_id] = state
    filled: dict[str, int] = {}
    reversed_orders = {
        row[0] for row in connection.execute("SELECT client_order_id FROM fill_reports WHERE state = 'reversed'")
    }
    for order, size in connection.execute("SELECT client_order_id, filled FROM order_changes ORDER BY seq"):
        if size < filled.get(order, 0) and order not in reversed_orders:
            raise Violation("I13", f"the fill of {order} fell from {filled[order]} to {size}")
        filled[order] = size
    lost = connection.execute(
        "SELECT COUNT(*) FROM order_intents i LEFT JOIN attempts a ON a.attempt_id = i.attempt_id "
        "LEFT JOIN opportunities o ON o.attempt_id = i.attempt_id WHERE a.seq IS NULL OR o.seq IS NULL"
    ).fetchone()[0]
    if lost:
        raise Violation("I16", f"{lost} orders cannot be joined with their attempt and opportunity")
    undecided = connection.execute(
        "SELECT COUNT(*) FROM opportunities WHERE decision = 'skipped' AND reason IS NULL"
    ).fetchone()[0]
    if undecided:
        raise Violation("I16", f"{undecided} skipped opportunities without a reason")
