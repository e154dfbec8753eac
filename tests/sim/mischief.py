"""The faults that strike at a time of their own: one method each, True where it struck."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Any

from adapters.gate import halt_offline
from adapters.simulated.orders import OrderRequest
from models.clock import MS, SECOND
from models.market import Action, MarketId, Outcome
from models.money import MicroShares, PriceMicros
from models.orders import TimeInForce

if TYPE_CHECKING:
    from tests.sim.feeds import Feed
    from tests.sim.world import World

HOUR_NS = 3600 * SECOND


class Mischief:
    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.rng

    # -- connections

    def link_drop(self) -> bool:
        return self._cut(self._feed(private=False), "closed: 1006")

    def user_link_drop(self) -> bool:
        return self._cut(self._feed(private=True), "closed: 1001")

    def half_open(self) -> bool:
        return self._mute(self._feed(private=False), mid_frame=False)

    def frame_stall(self) -> bool:
        return self._mute(self._feed(private=False), mid_frame=True)

    def user_half_open(self) -> bool:
        return self._mute(self._feed(private=True), mid_frame=False)

    def slow_network(self) -> bool:
        self._world.slow(self._rng.choice([5, 20, 60]), self._span(0.5, 5))
        return True

    # -- the venue

    def silent(self) -> bool:
        return self._lever(lever="silent", market=self._market(), duration="12s")

    def lag(self) -> bool:
        return self._lever(lever="lag", market=self._market(), duration="3s", delay="2500ms")

    def pause(self) -> bool:
        return self._lever(lever="pause", market=self._market(), duration="3s")

    def close_market(self) -> bool:
        return self._lever(lever="close_market", market=self._market())

    def resolve(self) -> bool:
        pays = self._rng.choice(self._world.venue.pays)
        return self._lever(lever="resolve", market=self._market(), yes_pays=pays)

    def restart(self) -> bool:
        return self._lever(lever="restart", duration="3s", post_only="2s")

    def burst(self) -> bool:
        venue, now = self._world.venue, self._world.now
        for _ in range(20):
            venue.crowd.resize_one(venue.time(now))
            venue.exchange._publish(venue.time(now))
        venue.advance(now)
        return True

    def bids_gone(self) -> bool:
        for quote in self._world.venue.crowd._quotes.values():
            quote.bids = False
        return True

    def short_cash(self) -> bool:
        """The operator takes money out; it comes back later."""
        world = self._world
        give_back = world.venue.take_cash(int(self._rng.random() * 8_000_000))
        if give_back is None:
            return False
        world.meddled = True
        world.after(self._span(2, 10), give_back)
        return True

    def fee_drift(self) -> bool:
        self._world.venue.drift_fees(MarketId(self._market()), self._rng.choice([0.5, 1.5, 2.0]))
        return True

    def key_revoked(self) -> bool:
        world = self._world
        world.venue.revoke_key()
        world.after(self._span(1, 6), self.make_good)
        return True

    def stranger(self) -> bool:
        """The operator buys something on the web page."""
        world = self._world
        market_id = MarketId(self._market())
        listing = world.venue.engine.listings[market_id]
        world.strangers += 1
        request = OrderRequest(
            client_order_id=f"web-{world.strangers}",
            market_id=market_id,
            outcome=Outcome.YES,
            action=Action.BUY,
            price=PriceMicros(listing.market.price_bands[0].step * 2),
            size=MicroShares(max(listing.market.lot, listing.market.min_size) * 100),
            time_in_force=TimeInForce.IOC,
        )
        world.meddled = True
        world.venue.buys_by_hand(request, world.now)
        return True

    # -- time

    def wall_step(self) -> bool:
        self._world.clock.wall_offset_ns += self._rng.choice([-HOUR_NS, -20 * SECOND, -SECOND, 17 * MS, 25 * SECOND])
        return True

    def suspend(self) -> bool:
        for feed in self._world.bot.feeds:
            self._mute(feed, mid_frame=False)
        return self._world.freeze(self._span(20, 40))

    def freeze(self) -> bool:
        return self._world.freeze(self._span(0.2, 12))

    # -- the process

    def kill(self) -> bool:
        self._world.faults.note("kill")
        self._world.kill()
        return False

    def kill_in_step(self) -> bool:
        """The process ends inside one of the next steps that the outside could see."""
        world = self._world
        writer: Any = world.bot.ledger.writer
        writer._connection = _CountedConnection(writer._connection, world)
        world.bomb = int(1 + self._rng.random() * 40)
        return False

    def stall(self) -> bool:
        bot = self._world.bot
        actor = self._rng.choice(bot.network.actors())
        span = self._span(0.01, 2.5)
        self._world.disturbed += span
        self._world.judge.blind_until = max(self._world.judge.blind_until, self._world.now + span + SECOND)
        bot.dispatcher.stall(actor, span)
        return True

    def actor_raises(self) -> bool:
        """The next message of one actor finds a bug."""
        actor: Any = self._rng.choice(self._world.bot.network.actors())
        error = self._rng.choice([ValueError("planted"), SystemExit(3), MemoryError("planted")])

        def receive(_message: object) -> None:
            raise error

        actor.receive = receive
        return True

    def ledger_fails(self) -> bool:
        return self._break_ledger(sqlite3.OperationalError("disk I/O error"), for_ever=True)

    def ledger_busy(self) -> bool:
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        return self._break_ledger(error, for_ever=False)

    # -- the operator

    def halt(self) -> bool:
        self._world.bot.gate.trip("the operator says so", "operator")
        return True

    def halt_from_shell(self) -> bool:
        world = self._world
        halt_offline(world.disk.directory, "from another shell", "operator", world.clock)
        world.judge.halted_outside(world.bot)
        return True

    def halt_market(self) -> bool:
        world = self._world
        market = self._market()
        world.bot.gate.trip_market(market, "not this one", "operator")
        world.after(self._span(1, 8), lambda: world.resume_market(market))
        return True

    def resume(self) -> bool:
        bot = self._world.bot
        return bot.gate.tripped is not None and bot.resume()

    def make_good(self) -> None:
        """Clock, key and ledger work again; what has happened has happened."""
        world = self._world
        world.clock.wall_offset_ns = world.shift_ns
        world.venue.restore_key()
        for actor in world.bot.network.actors():
            vars(actor).pop("receive", None)  # a planted bug that has not been met yet

    # -- inside

    def _feed(self, *, private: bool) -> Feed | None:
        return next((f for f in self._world.bot.feeds if f.private is private and f.live), None)

    def _cut(self, feed: Feed | None, reason: str) -> bool:
        if feed is None:
            return False
        feed.cut(reason)
        return True

    def _mute(self, feed: Feed | None, *, mid_frame: bool) -> bool:
        if feed is None or not feed.live:
            return False
        feed.go_silent(mid_frame=mid_frame)
        return True

    def _lever(self, **lever: Any) -> bool:
        """A lever that the exchange carries out by itself, and counts through its own hook."""
        world = self._world
        world.venue.pull(world.now, **lever)
        world.venue.advance(world.now)
        return False

    def _market(self) -> str:
        return str(self._rng.choice(self._world.setting.markets).market_id)

    def _span(self, low_s: float, high_s: float) -> int:
        return int(self._rng.uniform(low_s, high_s) * SECOND)

    def _break_ledger(self, error: Exception, *, for_ever: bool) -> bool:
        writer: Any = self._world.bot.ledger.writer
        if "_connection" in vars(writer) and isinstance(writer._connection, _BrokenConnection):
            return False
        whole = writer._connection
        writer._connection = _BrokenConnection(whole, error)
        if not for_ever:
            self._world.after(self._span(0.05, 1.5), lambda: setattr(writer, "_connection", whole))
        return True


class _CountedConnection:
    """Tells the world before and after every write."""

    def __init__(self, whole: Any, world: World) -> None:
        self._whole = whole
        self._world = world

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        if sql != "COMMIT":
            return self._whole.execute(sql, parameters)
        self._world.port("commit")
        done = self._whole.execute(sql, parameters)
        self._world.port("committed")
        return done

    @property
    def in_transaction(self) -> bool:
        return self._whole.in_transaction


class _BrokenConnection:
    """Writes nothing any more."""

    def __init__(self, whole: sqlite3.Connection, error: Exception) -> None:
        self._whole = whole
        self._error = error

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        if sql.startswith(("BEGIN", "INSERT", "COMMIT")):
            raise self._error
        return self._whole.execute(sql, parameters)

    @property
    def in_transaction(self) -> bool:
        return self._whole.in_transaction


ODD = (b"NaN", b"1e400", b"0x10", b'"1_0"', b"Infinity", b"null", b'"\xef\xbc\x91"', b"[" * 3000, b"9" * 40)
"""None of them is a number that a message may hold. A wrong number in a right place is nothing that a wire does."""


def broken(data: bytes, choice: float, place: float) -> bytes:
    """What arrives instead of `data`: never something that could be mistaken for another true message."""
    if choice < 0.2:
        return data[: int(len(data) * place)]
    if choice < 0.3:
        return b"<html>502</html>"
    if choice < 0.4:
        return b""
    if choice < 0.5:
        return data + data
    if choice < 0.6:
        return b"\xef\xbb\xbf" + data
    if choice < 0.7:
        return b'{"type":"lottery","market_id":"x"}'
    odd = ODD[int(place * len(ODD))]
    start = data.rfind(b":", 0, max(2, int(len(data) * choice)))
    end = min((e for e in (data.find(b",", start + 1), data.find(b"}", start + 1)) if e > 0), default=len(data))
    if not _NUMBER.fullmatch(data[start + 1 : end]):
        return data[:start]
    return data[: start + 1] + odd + data[end:]


_NUMBER = re.compile(rb'"?[0-9.]+"?')
