"""The venue goes away, half away, stops in mid-sentence, falls silent: seen in time, and never traded on."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.stage import SECOND, Bot, Venue, a_bot, a_venue, configure, events, rows, until

SILENT_S = 2
BACKOFF_MAX_S = 1.0
SETTINGS = f"""\
strategy: {{min_minutes_to_close: 0}}
execution: {{cooldown_seconds: 1}}
risk: {{max_daily_notional: 100000, max_open_positions: 1000, halt_on_partial_fill: false,
  kill_switch_conditions: {{partials: {{count: 100, minutes: 10}}, disconnects: {{count: 100, minutes: 10}}}}}}
runtime: {{silent_market_seconds: {SILENT_S}, reconnect: {{initial_backoff_seconds: 0.2,
  max_backoff_seconds: {BACKOFF_MAX_S}}}}}
"""
MARKETS = ("fed-cut-dec", "btc-100k-dec", "cpi-above-3-nov")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    return tmp_path / "home"


def lost_since(bot: Bot, since: int) -> dict[str, int]:
    """When each book stopped being ready after `since`, by market."""
    found: dict[str, int] = {}
    for event in events(bot.ledger, "not_ready", since):
        found.setdefault(event["market_id"], event["at"])
    return found


def ready_since(bot: Bot, since: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for event in events(bot.ledger, "resync", since):
        found.setdefault(event["market_id"], event["at"])
    return found


def attempts(bot: Bot) -> int:
    """How often the feed has begun to connect."""
    return (bot.state / "log.jsonl").read_text().count(": connecting, connection ")


def test_a_venue_that_dies_is_not_traded_on_and_is_found_again(home: Path) -> None:
    with a_venue("--seed", "7") as first:
        port = first.port
        configure(home, first, SETTINGS, markets=MARKETS)
        with a_bot(home) as bot:
            bot.until_ready()
            until("an opportunity", lambda: rows(bot.ledger, "SELECT 1 FROM opportunities LIMIT 1"))
            killed = time.time_ns()
            first.kill()
            until("every book lost", lambda: len(lost_since(bot, killed)) == len(MARKETS))
            tried = attempts(bot)
            until("three attempts to connect to nobody", lambda: attempts(bot) >= tried + 3)
            with a_venue("--seed", "7", port=port) as second:
                listens = time.time_ns()
                bot.until_ready()
                until(
                    "a later opportunity",
                    lambda: rows(bot.ledger, "SELECT 1 FROM opportunities WHERE at > ?", (listens,)),
                )
                code, out = bot.end()
                second.kill()
            report = bot.report()

    assert code == 0, out
    lost, ready = lost_since(bot, killed), ready_since(bot, killed)
    assert max(lost.values()) - killed < SECOND, "not ready at once"
    [connected] = events(bot.ledger, "reconnected", killed)
    assert connected["at"] - listens < (BACKOFF_MAX_S + 1) * SECOND, "back within the bound of the backoff"
    for market in MARKETS:
        query = "SELECT count(*) AS n FROM opportunities WHERE set_id = ? AND at BETWEEN ? AND ?"
        assert rows(bot.ledger, query, (market, lost[market], ready[market] - 1)) == [{"n": 0}], (
            "a signal without a book"
        )
    assert report["feed"]["disconnects"] == 1
    outage_s = (connected["at"] - lost[MARKETS[0]]) / SECOND
    assert report["feed"]["down_seconds"] == pytest.approx(outage_s, abs=0.5)
    assert [incident["kind"] for incident in report["incidents"]].count("disconnected") == 1
    assert report["period"]["uptime_ratio"] < 1


def disconnected(bot: Bot, since: int) -> int:
    return int(until("the loss seen", lambda: events(bot.ledger, "disconnected", since))[0]["at"])


@pytest.fixture
def watching(home: Path) -> Iterator[tuple[Venue, Bot]]:
    with a_venue("--seed", "7") as venue:
        configure(home, venue, SETTINGS, markets=MARKETS)
        with a_bot(home) as bot:
            bot.until_ready()
            yield venue, bot


def test_a_peer_that_is_only_half_there_is_given_up_within_ten_seconds(watching: tuple[Venue, Bot]) -> None:
    venue, bot = watching
    pulled = venue.pull("half_open")

    seen = disconnected(bot, pulled)
    bot.until_ready()

    assert seen - pulled <= 10 * SECOND
    assert set(lost_since(bot, pulled)) == set(MARKETS)


def test_a_message_that_stops_in_the_middle_is_given_up_within_five_seconds(watching: tuple[Venue, Bot]) -> None:
    venue, bot = watching
    pulled = venue.pull("stall")

    seen = disconnected(bot, pulled)
    bot.until_ready()

    assert seen - pulled <= 5 * SECOND
    assert set(lost_since(bot, pulled)) == set(MARKETS)


def test_a_market_that_falls_silent_is_not_ready_at_its_age_while_the_others_go_on(
    watching: tuple[Venue, Bot],
) -> None:
    venue, bot = watching
    pulled = venue.pull("silent", market="fed-cut-dec", **{"for": "5s"})

    lost = until("the silence seen", lambda: lost_since(bot, pulled))

    assert set(lost) == {"fed-cut-dec"}
    assert lost["fed-cut-dec"] - pulled <= (SILENT_S + 1) * SECOND
    assert events(bot.ledger, "disconnected", pulled) == []


def in_time(bot: Bot) -> bool:
    lag_ms = bot.ask("status")["feed"]["lag_ms"]
    return lag_ms is not None and lag_ms < 100


def test_a_bot_that_was_held_up_judges_nothing_by_the_frames_that_waited_and_catches_up(home: Path) -> None:
    """More than one read of the socket waits, so that when a frame came is known only from below."""
    with a_venue("--load", "--rate", "10000", "--seed", "7") as venue:
        configure(home, venue, SETTINGS.replace("runtime: {", "runtime: {max_lag_ms: 250, "))
        with a_bot(home) as bot:
            bot.until_ready()
            until("nothing late", lambda: in_time(bot))
            held_up = time.time_ns()
            bot.process.send_signal(signal.SIGSTOP)
            time.sleep(2)  # for so long it is away
            bot.process.send_signal(signal.SIGCONT)
            lagging = until("books that lag", lambda: events(bot.ledger, "not_ready", held_up))
            bot.until_ready()
            until("nothing late again", lambda: in_time(bot))
            code, out = bot.end()

    assert code == 0, out
    # Whichever looks first: the feed at its backlog, or the signal at markets of which nothing was heard for so long.
    assert {event["text"] for event in lagging} <= {"not ready: lagging", "not ready: silent"}
    query = "SELECT count(*) AS n FROM opportunities WHERE at > ? AND decision = 'traded' AND at < ?"
    caught_up = max(event["at"] for event in events(bot.ledger, "resync", held_up))
    assert rows(bot.ledger, query, (held_up, caught_up)) == [{"n": 0}]
