"""P3: from a frame to the executor, and to the first byte of the order that it leads to.

    python -m bench.first_byte bot|raw SECONDS     prints one JSON line, microseconds

`bot` is the whole bot, live on the simulated exchange; the times are its ledger's own. `raw` is one loop on the same
exchange with the same reader, decoder, book, watch and decision, then one committed row (WAL, synchronous=FULL) and one
`requests` call to the same server: what a bot without actors, lanes, gate and risk has to do at least.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import requests

from adapters.clock import SystemClock
from adapters.feed import FeedThread
from adapters.simulated import wire
from adapters.simulated.adapter import SimulatedVenue
from adapters.simulated.signing import signed_headers
from bench.stage import FREELY, Exchange, bot, exchange, within
from models.book import BookLost, BookSnapshot, BookUpdate, MarketAlive, MarketsAlive
from models.book_keeping import Book, Effect
from models.clock import MS, BootNs
from models.config_machine import VenueOptions
from models.market import Market, MarketId
from models.money import MicroShares, MicroUsd, text
from models.sets import binary_set
from models.signal import Kind, Thresholds, terms_for
from models.verdict import FreshnessLimits
from models.watch import Evaluated, SetWatch

VENUE = ("--load", "--markets", "1", "--rate", "2000", "--cash", "100000000")
LEGS = """
    SELECT o.frame_boot_ns AS frame, o.at AS decided, a.at AS taken, min(w.sent_at) AS sent
    FROM opportunities o JOIN attempts a ON a.opportunity_id = o.opportunity_id
        JOIN orders w ON w.attempt_id = a.attempt_id AND w.purpose = 'open'
    WHERE o.seq = (SELECT min(seq) FROM opportunities f WHERE f.episode_id = o.episode_id) AND w.sent_at IS NOT NULL
    GROUP BY a.attempt_id"""
"""Gaps that were traded when they opened; a later decision has no frame of its own."""


def bot_times(seconds: int) -> dict[str, list[float]]:
    """Microseconds from each frame on, of every gap that was traded at once."""
    offset = time.time_ns() - SystemClock().boot_ns()
    with tempfile.TemporaryDirectory(prefix="dutchbook-bench-") as directory, exchange(*VENUE) as venue:
        home = Path(directory)
        with bot(home, venue, "--live", more=FREELY):
            ledger = within(30, lambda: next(iter(home.glob("data/*.sqlite")), None), "the ledger")
            time.sleep(seconds)
        with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute(LEGS).fetchall()
    times = {
        name: [(row[column] - offset - row[0]) / 1e3 for row in found]
        for column, name in ((1, "decision"), (2, "executor"), (3, "first_byte"))
    }
    return times | {
        "order": [sent - decided for sent, decided in zip(times["first_byte"], times["decision"], strict=True)]
    }


class Raw:
    """Everything in the feed's own thread."""

    def __init__(self, venue: Exchange, directory: Path) -> None:
        ready = venue.ready
        self._rest_url = ready["rest_url"]
        self._account = ready["accounts"][0]
        self.clock = SystemClock()
        self.data = SimulatedVenue(
            VenueOptions(rest_url=ready["rest_url"], ws_url=ready["ws_url"]), self.clock, requests_per_second=1_000
        )
        self.markets = self.data.markets([MarketId(market) for market in ready["markets"]])
        self._books = {m.market_id: Book(m.market_id, unified=m.book_model.value == "unified") for m in self.markets}
        self._watches = {m.market_id: _watch(m) for m in self.markets}
        self._session = requests.Session()
        self._session.trust_env = False
        self._ledger = sqlite3.connect(directory / "raw.sqlite", check_same_thread=False, isolation_level=None)
        self._ledger.execute("PRAGMA journal_mode=WAL")
        self._ledger.execute("PRAGMA synchronous=FULL")
        self._ledger.execute("CREATE TABLE intents (id TEXT PRIMARY KEY, body TEXT NOT NULL)")
        self._number = 0
        self.times: dict[str, list[float]] = {name: [] for name in ("decision", "executor", "first_byte", "order")}

    def begin(self, generation: int) -> None:
        for book in self._books.values():
            book.begin(generation)

    def deliver(self, events: Sequence[Any]) -> None:
        for event in events:
            if type(event) is MarketsAlive:  # the one market has news enough
                continue
            book = self._books.get(event.market_id)
            kind = type(event)
            if book is None or kind not in (BookUpdate, BookSnapshot, MarketAlive, BookLost):
                continue
            if kind is BookUpdate:
                effect = book.update(event)
            elif kind is BookSnapshot:
                effect = book.snapshot(event)
            elif kind is MarketAlive:
                effect = book.alive(event)
            else:
                effect = book.lose(event.reason, event.generation, event.received_at)
            if effect is not Effect.NOTHING:
                self._judge(event.market_id, book, event.received_at)

    def _judge(self, market_id: MarketId, book: Book, received_at: BootNs) -> None:
        watch = self._watches[market_id]
        watch.put(book.top(), (0, 1))
        if not watch.gap():
            watch.end_episode()
            return
        new = watch.episode is None
        evaluated = watch.evaluate(self.clock.boot_ns(), self.clock.wall_ns(), "e")
        if evaluated is None or not evaluated.fresh or evaluated.decision.kind is not Kind.TRADE:
            return
        decided = self.clock.boot_ns()
        self._order(market_id, evaluated)
        sent = self.clock.boot_ns()
        watch.released(self.clock.boot_ns())
        if new:
            for name, at in (("decision", decided), ("executor", decided), ("first_byte", sent)):
                self.times[name].append((at - received_at) / 1e3)
            self.times["order"].append((sent - decided) / 1e3)

    def _order(self, market_id: MarketId, evaluated: Evaluated) -> None:
        self._number += 1
        own_id, size = f"raw-{self._number}", evaluated.decision.size
        ask = evaluated.tops[0].yes_ask
        assert ask is not None
        body = wire.encode(wire.OrderBody(own_id, market_id, "yes", "buy", text(ask), text(size, 0), "ioc"))
        self._ledger.execute("INSERT INTO intents VALUES (?, ?)", (own_id, body.decode()))
        now_ms = self.clock.wall_ns() // MS
        account = self._account
        headers = signed_headers(account["api_key"], account["api_secret"], now_ms, "POST", "/orders", body)
        self._session.post(f"{self._rest_url}/orders", data=body, headers=headers, timeout=5)


def _watch(market: Market) -> SetWatch:
    thresholds = Thresholds(
        min_edge=MicroUsd(5_000),
        cost_buffer=MicroUsd(2_000),
        min_depth=MicroShares(5_000_000),
        order_size=MicroShares(10_000_000),
        max_size=MicroShares(100_000_000),
        freshness=FreshnessLimits(max_age_ns=10**10, max_skew_ms=500, max_lag_ms=2_000, confirm_unified=True),
    )
    return SetWatch(terms_for(binary_set(market.market_id), [market, market], thresholds))


def raw_times(seconds: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory(prefix="dutchbook-bench-") as directory, exchange(*VENUE) as venue:
        raw = Raw(venue, Path(directory))

        def session(generation: int) -> Any:
            raw.begin(generation)
            return raw.data.subscribe_markets(raw.markets, generation, raw.clock)

        feed = FeedThread(
            name="bench-raw",
            url_provider=lambda: venue.ready["ws_url"],
            headers_provider=dict,
            session_factory=session,
            deliver=raw.deliver,
            on_state=lambda _state: None,
            clock=raw.clock,
            rng=random.Random(1),
        )
        feed.start()
        threading.Event().wait(seconds)
        feed.stop()
    return raw.times


def at(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)
    measured = {"bot": bot_times, "raw": raw_times}[sys.argv[1]](int(sys.argv[2]))
    if not measured["first_byte"]:
        raise SystemExit("no gap was traded")
    told = {f"{name}_p{p}": round(at(times, p), 1) for name, times in measured.items() for p in (50, 99)}
    print(json.dumps({"samples": len(measured["first_byte"])} | told))
