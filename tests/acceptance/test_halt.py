"""`halt` from another shell: it holds against a kill, a restart, a hung bot and no bot at all."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

from tests.acceptance.stage import Bot, a_bot, rows, until, verb


def opportunities(bot: Bot, decision: str = "%", since: int = 0) -> int:
    query = "SELECT count(*) AS n FROM opportunities WHERE decision LIKE ? AND at > ?"
    return int(rows(bot.ledger, query, (decision, since))[0]["n"])


def test_a_halt_survives_kill_9_and_only_resume_ends_it(tmp_path: Path) -> None:
    with a_bot(tmp_path) as bot:
        bot.until_ready()
        until("a trade", lambda: opportunities(bot, "traded"), 30)
        said = verb(tmp_path, "halt", "--", "odd news")
        assert (said.returncode, said.stderr) == (0, "")
        assert "halted (by operator (shell): odd news)" in said.stdout
        assert "Survives restart" in said.stdout
        before = time.time_ns()
        assert bot.ask("status")["trading"]["on"] is False
        bot.kill()

    with a_bot(tmp_path) as bot:
        bot.until_ready()
        trading = bot.ask("status")["trading"]
        status = verb(tmp_path, "status")
        assert (trading["on"], trading["reason"]) == (False, "odd news")
        assert status.returncode == 4
        seen = opportunities(bot)
        until("opportunities recorded while halted", lambda: opportunities(bot) > seen, 30)
        assert rows(bot.ledger, "SELECT 1 FROM opportunities WHERE at > ? AND decision = 'traded'", (before,)) == []

        assert verb(tmp_path, "halt", "--", "worse news").returncode == 0
        unasked = verb(tmp_path, "resume")
        assert unasked.returncode == 2
        assert "add --yes" in unasked.stderr
        resumed = verb(tmp_path, "resume", "--yes", "--", "read the news")
        assert resumed.returncode == 0
        assert bot.ask("status")["trading"]["on"] is True
        until("a trade after the resume", lambda: opportunities(bot, "traded", before), 30)
        code, out = bot.end()

    assert code == 0
    assert "HALTED (odd news)" in out
    assert "halted again by operator (shell): worse news" in out
    assert out.endswith("stopped: no order and no unhedged leg is left\n")
    told = [row["text"] for row in rows(bot.ledger, "SELECT text FROM events ORDER BY seq")]
    assert "starts halted by operator (shell): odd news" in told
    assert "read the news" in told


def test_a_halted_market_stays_halted_over_a_restart_and_the_others_trade(tmp_path: Path) -> None:
    with a_bot(tmp_path) as bot:
        bot.until_ready()
        assert verb(tmp_path, "halt", "fed-cut-dec", "--", "odd book").returncode == 0
        bot.kill()

    with a_bot(tmp_path) as bot:
        bot.until_ready()
        status = bot.ask("status")
        halted = [market["market_id"] for market in status["markets"] if market["halted"]]
        assert (status["trading"]["on"], halted) == (True, ["fed-cut-dec"])
        assert verb(tmp_path, "resume", "fed-cut-dec", "--yes", "--", "well again").returncode == 0
        assert not any(market["halted"] for market in bot.ask("markets")["markets"])
        bot.end()

    told = rows(bot.ledger, "SELECT market_id, text FROM events WHERE kind = 'resumed'")
    assert ("fed-cut-dec", "well again") in [(row["market_id"], row["text"]) for row in told]


def test_a_bot_that_hangs_is_halted_through_its_files(tmp_path: Path) -> None:
    with a_bot(tmp_path) as bot:
        bot.until_ready()
        bot.process.send_signal(signal.SIGSTOP)
        said = verb(tmp_path, "halt", "--", "it hangs")
        bot.process.send_signal(signal.SIGCONT)

        assert said.returncode == 0
        until("the halt seen", lambda: bot.ask("status").get("trading", {}).get("on") is False)
        assert bot.ask("status")["trading"]["reason"] == "it hangs"
        code, _ = bot.end()
        assert code == 0


def test_a_bot_that_does_not_run_comes_up_halted(tmp_path: Path) -> None:
    said = verb(tmp_path, "halt", "--json", "--", "not today")

    with a_bot(tmp_path, "--exit-on-halt") as bot:
        code, out = bot.finished(30)

    assert said.returncode == 0
    assert json.loads(said.stdout)["persisted"] is True
    assert code == 4, out
    assert "HALTED (not today)" in out


def test_quit_from_another_shell_ends_it_in_order(tmp_path: Path) -> None:
    with a_bot(tmp_path) as bot:
        bot.until_ready()
        said = verb(tmp_path, "quit")
        code, _ = bot.finished(30)

    assert (said.returncode, code) == (0, 0)
    [stop] = rows(bot.ledger, "SELECT why, left_open FROM run_stops")
    assert (stop["why"], stop["left_open"]) == ("quit (protect)", 0)
