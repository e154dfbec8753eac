"""`report` from the outside: a file in, text, JSON, HTML or CSV out, with figures that raw rows confirm."""

from __future__ import annotations

import argparse
import csv
import html.parser
import json
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.ledger.connection import Ledger, open_ledger
from adapters.ledger.mark import mark_path
from adapters.operator.report_verb import add_arguments, run, told
from adapters.operator.tables import cells
from models.clock import MS, SECOND, WallNs
from models.events import account_opened, disconnected, gap_seen, incident, reconciled, reconnected, resynced
from models.market import MarketId
from models.messages import MinuteCounted
from models.money import MicroShares, MicroUsd
from models.orders import AttemptId
from models.rows import Ending, PaperFilled, RunStopped, Settled
from tests.adapters.ledger.ledger_rows import (
    MARKET,
    SET,
    T0,
    HandClock,
    a_change,
    a_config,
    a_fill,
    a_run,
    a_skip,
    a_trade,
    an_attempt,
    an_intent,
    an_order_change,
    ledger_path,
    write_success,
)

AT = WallNs(T0)
EFFECTIVE = json.dumps(
    {
        "strategy": {"min_edge": "0.005", "cost_buffer": "0.002"},
        "evaluation": {"min_sets": 2, "min_days": 7, "target_avg_net_pnl": "0"},
    }
)


def begun(path: Path, mode: str = "live") -> Ledger:
    ledger = open_ledger(path, HandClock())
    config = a_config(effective=EFFECTIVE)
    ledger.writer.take(config, AT)
    ledger.writer.take(a_run(config, mode=mode), AT)
    return ledger


def merged(attempt: str, cash: int = 10_000_000) -> Settled:
    return Settled(
        at=AT,
        attempt_id=AttemptId(attempt),
        set_id=SET,
        market_id=MARKET,
        kind="merge",
        yes_size=MicroShares(10_000_000),
        no_size=MicroShares(10_000_000),
        cash=MicroUsd(cash),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two merged sets, one partial unwound at a loss, twelve skips, an outage, a gap; the venue agrees."""
    path = ledger_path(tmp_path)
    ledger = begun(path)
    take = ledger.writer.take
    take(account_opened(AT, MicroUsd(100_000_000), ()), AT)
    for number, attempt in ((1, "a-1"), (2, "a-2")):
        write_success(ledger.writer, number, attempt)
        take(merged(attempt), AT)
        take(a_change(attempt, realized_pnl=MicroUsd(295_000), open_position=False, resolution="merge"), AT)
    take(a_trade(3, "a-3"), AT)
    buy = an_intent("a-3", 0)
    sell = an_intent("a-3", 0, client_order_id="sell-1", action="SELL", purpose="unwind")
    sell = an_intent("a-3", 0, client_order_id="sell-1", action=type(buy.action).SELL, limit_price=460_000)
    ledger.writer.commit((buy, sell), (an_attempt("a-3", "o-000003"),), AT)
    for intent in (buy, sell):
        take(a_fill(intent, f"t-{intent.client_order_id}"), AT)
        take(an_order_change(intent), AT)
    lost = a_change(
        "a-3",
        ending=Ending.PARTIAL,
        leg_costs=(MicroUsd(100_000), MicroUsd(0)),
        fees=MicroUsd(5_000),
        realized_pnl=MicroUsd(-105_000),
        resolution="unwound",
    )
    take(lost, AT)
    take(incident(AT, "partial", "NO was refused", set_id=SET, attempt_id=AttemptId("a-3")), AT)
    for number in range(10, 22):
        take(a_skip(number), AT)
    counted = MinuteCounted(
        set_id=SET,
        minute=T0 // SECOND // 60,
        updates=90,
        evaluations=70,
        sum_cost_counts=((97, 3), (99, 12), (103, 55)),
    )
    take(counted, AT)
    take(disconnected(AT, "simulated", "reset"), AT)
    take(reconnected(WallNs(T0 + 4 * SECOND), "simulated", 2, 2 * SECOND), AT)
    take(gap_seen(AT, MARKET, 17), AT)
    take(resynced(AT, MARKET, "gap", 5 * MS), AT)
    cash = MicroUsd(100_000_000 + 295_000 + 295_000 - 105_000)
    take(reconciled(AT, cash_ledger=cash, cash_venue=cash, positions_equal=True, findings=()), AT)
    ended = WallNs(T0 + 10 * SECOND)
    take(RunStopped(run_id="run-1", at=ended, why="asked to", left_open=0), AT)
    ledger.close()
    return path


def report(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(words))


def as_json(path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert report("--ledger", str(path), "--json", *words) == 0
    loaded: dict[str, Any] = json.loads(capsys.readouterr().out)
    return loaded


KEYS = {
    "schema_version": None,
    "mode": None,
    "venue": None,
    "period": {"from", "to", "uptime_ratio"},
    "opportunities": {"detected", "traded", "skipped", "by_reason", "by_verdict", "episodes"},
    "attempts": {"total", "success", "partial", "rejected", "in_doubt", "success_rate"},
    "sets": {"completed", "avg_edge", "avg_net_pnl", "net_pnl", "fees", "locked"},
    "paper": {"optimistic", "shifted", "pessimistic"},
    "sum_cost": {"min", "p50", "max", "histogram"},
    "feed": {"disconnects", "down_seconds", "gaps", "resyncs"},
    "incidents": None,
    "account": {"cash_ledger", "cash_venue", "positions_equal", "difference"},
    "evaluation": {"sets", "days", "avg_net_pnl", "target", "verdict", "reasons"},
}


def test_the_stable_keys_are_all_there(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(path, capsys)

    for key, inner in KEYS.items():
        assert key in found
        assert inner is None or inner <= set(found[key]), key


def test_the_figures_of_a_small_story(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(path, capsys)

    assert found["violations"] == []
    assert found["opportunities"] | {"by_verdict": {}} == {
        "detected": 15,
        "traded": 3,
        "skipped": 12,
        "by_reason": {"edge": 12},
        "by_verdict": {},
        "episodes": 4,
        "avg_edge": "0.0056",
    }
    assert found["attempts"]["success_rate"] == pytest.approx(2 / 3, abs=1e-6)
    assert (found["attempts"]["success"], found["attempts"]["partial"]) == (2, 1)
    assert found["sets"] | {} == {
        "completed": 2,
        "settled": 2,
        "avg_edge": "0.028",
        "avg_net_pnl": "0.2425",
        "net_pnl": "0.485",
        "fees": "0.015",
        "locked": "0.00",
        "locked_capital": "0.00",
    }
    feed = found["feed"]
    assert (feed["disconnects"], feed["down_seconds"], feed["gaps"], feed["resyncs"]) == (1, 2.0, 1, 1)
    assert found["sum_cost"]["histogram"][1] == {"from": "0.99", "to": "1.00", "count": 12}
    assert (found["sum_cost"]["min"], found["sum_cost"]["p50"], found["sum_cost"]["max"]) == ("0.97", "1.03", "1.04")
    assert found["period"]["uptime_ratio"] == 0.8
    assert found["account"]["difference"] == "0.00"
    assert found["evaluation"]["verdict"] == "pass"


def test_money_equals_an_independent_recomputation_from_raw_fills(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_json(path, capsys)

    connection = sqlite3.connect(path)
    cash = Decimal(0)
    fees = Decimal(0)
    for action, size, price, fee in connection.execute("SELECT action, filled_size, avg_price, fee FROM fills"):
        value = Decimal(size) * price / 10**12
        cash += -value if action == "BUY" else value
        fees += Decimal(fee) / 10**6
    for (back,) in connection.execute("SELECT cash FROM settlements"):
        cash += Decimal(back) / 10**6

    assert Decimal(found["sets"]["net_pnl"]) == cash - fees
    assert Decimal(found["sets"]["fees"]) == fees
    assert Decimal(found["account"]["cash_ledger"]) == 100 + cash - fees
    connection.close()


def test_the_text_begins_with_the_head_and_ends_with_the_verdict(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report("--ledger", str(path)) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Complete-set report · LIVE · simulated")
    assert "PoC gate: sets 2/2 ✓" in "\n".join(lines)
    assert any("← trade line 0.9930" in line for line in lines)
    assert any("why a-3" in line for line in lines)
    assert not any("\x1b" in line for line in lines)


def test_the_console_gets_the_same_report(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = told(path, None, 80)

    assert answer.exit_code == 0
    assert answer.document == as_json(path, capsys)
    assert answer.lines[0].startswith("Complete-set report")


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_line_is_wider_than_the_screen(path: Path, width: int) -> None:
    lines = told(path, None, width).lines

    assert [line for line in lines if cells(line) > width] == []
    assert any("←" in line for line in lines)


def test_the_console_hears_what_is_wrong_with_the_time_or_the_ledger(path: Path, tmp_path: Path) -> None:
    late = told(path, "yesterday", 80)
    (tmp_path / "torn.sqlite").write_bytes(b"no ledger at all")
    torn = told(tmp_path / "torn.sqlite", None, 80)

    assert (late.exit_code, torn.exit_code) == (2, 1)
    assert "'yesterday' is no time; write 7d" in late.lines[0]
    assert "is not a ledger" in torn.lines[0]
    assert late.document["error"] == late.lines[0]


# -- restrictions


def test_since_leaves_the_earlier_rows_out(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(path, capsys, "--since", "2026-05-28T20:26:40.010")

    assert found["opportunities"]["traded"] == 0
    assert found["opportunities"]["skipped"] == 12
    assert found["period"]["from"] == "2026-05-28T20:26:40.010Z"
    assert as_json(path, capsys, "--since", "2027-01-01")["opportunities"]["detected"] == 0
    assert as_json(path, capsys, "--until", "2025-01-01")["opportunities"]["detected"] == 0


def test_one_market_only(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert as_json(path, capsys, "--market", "fed")["opportunities"]["detected"] == 15
    assert report("--ledger", str(path), "--market", "\udcff") == 2
    capsys.readouterr()
    assert report("--ledger", str(path), "--market", "fedd") == 2
    assert capsys.readouterr().err == "this ledger knows no market or set called 'fedd'\n"


def test_paper_and_live_in_one_ledger_are_counted_apart(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = ("opportunities", "attempts", "feed", "sum_cost", "incidents")
    before = as_json(path, capsys)
    config = a_config(effective=EFFECTIVE)
    counted = MinuteCounted(set_id=SET, minute=T0 // SECOND // 60, updates=7, evaluations=5, sum_cost_counts=((96, 5),))
    skips = [a_skip(number) for number in range(30, 33)]
    lost = disconnected(AT, "simulated", "reset")
    for rows in (
        (config, a_run(config, "run-2", mode="paper"), *skips, counted, gap_seen(AT, MARKET, 99), lost),
        (config, a_run(config, "run-3"), a_skip(40)),
    ):
        ledger = open_ledger(path, HandClock())
        for row in rows:
            ledger.writer.take(row, AT)
        ledger.close()

    live, paper = as_json(path, capsys, "--mode", "live"), as_json(path, capsys, "--mode", "paper")

    assert live["opportunities"]["detected"] == before["opportunities"]["detected"] + 1
    assert live["opportunities"]["traded"] == live["attempts"]["total"]
    assert [live[part] for part in parts[1:]] == [before[part] for part in parts[1:]]
    assert (paper["opportunities"]["detected"], paper["attempts"]["total"]) == (3, 0)
    assert [(bar["from"], bar["count"]) for bar in paper["sum_cost"]["histogram"]] == [("0.96", 5)]
    assert (paper["feed"]["gaps"], paper["feed"]["disconnects"], paper["feed"]["updates"]) == (1, 1, 7)
    assert [incident["kind"] for incident in paper["incidents"]] == ["gap", "disconnected"]


def test_a_mode_that_never_ran_has_no_figures(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(path, capsys, "--mode", "paper")

    assert (found["opportunities"]["detected"], found["sum_cost"]["histogram"], found["incidents"]) == (0, [], [])


def test_a_time_that_is_none_is_wrong_usage(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report("--ledger", str(path), "--since", "yesterday") == 2
    assert "write 7d, 12h" in capsys.readouterr().err


# -- beginnings


def test_a_missing_ledger_is_a_message_and_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report("--ledger", str(tmp_path / "none.sqlite")) == 0
    assert "run.py demo" in capsys.readouterr().out
    assert not (tmp_path / "none.sqlite").exists()


def test_an_empty_ledger_says_how_to_get_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_ledger(ledger_path(tmp_path), HandClock()).close()

    assert report("--ledger", str(ledger_path(tmp_path))) == 0
    assert "run.py demo" in capsys.readouterr().out
    assert as_json(ledger_path(tmp_path), capsys)["sets"]["net_pnl"] is None


def test_it_reads_while_the_bot_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writing = begun(ledger_path(tmp_path))
    writing.writer.take(a_skip(4), AT)
    writing.writer.flush(AT)
    writing.sync_mark()

    first = as_json(ledger_path(tmp_path), capsys)
    writing.writer.take(a_skip(5), AT)
    writing.writer.flush(AT, sync=False)
    second = as_json(ledger_path(tmp_path), capsys)

    assert (first["opportunities"]["detected"], second["opportunities"]["detected"]) == (1, 2)
    writing.close()


def test_a_killed_run_ends_with_its_last_sign_of_life(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = begun(ledger_path(tmp_path))
    ledger.writer.take(a_skip(5_000), AT)
    ledger.close()

    assert as_json(ledger_path(tmp_path), capsys)["period"]["to"] == "2026-05-28T20:26:45.000Z"


# -- damage


def edit(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_ledger_that_does_not_prove_itself_gives_no_figures(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(path, "UPDATE fill_reports SET fee = 0 WHERE seq = (SELECT min(seq) FROM fill_reports)")

    assert report("--ledger", str(path), "--verify") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "does not fit the hash chain" in err


def test_the_chain_is_verified_from_the_last_verified_row_on(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    as_json(path, capsys)
    edit(path, "UPDATE fill_reports SET fee = 0 WHERE seq = (SELECT min(seq) FROM fill_reports)")

    assert report("--ledger", str(path), "--json") == 0
    assert report("--ledger", str(path), "--json", "--verify") == 1


def test_a_ledger_that_was_exchanged_is_not_trusted_for_an_old_verification(path: Path, tmp_path: Path) -> None:
    report("--ledger", str(path))
    other = tmp_path / "other" / "ledger.sqlite"
    ledger = begun(other)
    for number in range(200):
        ledger.writer.take(a_skip(number), AT)
    ledger.close()
    path.write_bytes(other.read_bytes())
    mark_path(path).write_bytes(mark_path(other).read_bytes())

    assert report("--ledger", str(path)) == 1


def test_a_new_mark_is_given_only_to_a_chain_that_holds(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mark_path(path).unlink()
    assert report("--ledger", str(path)) == 1

    assert report("--ledger", str(path), "--new-mark") == 0
    assert report("--ledger", str(path)) == 0

    edit(path, "UPDATE fill_reports SET fee = 0")
    assert report("--ledger", str(path), "--new-mark") == 1


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (a_change("a-1", leg_costs=(MicroUsd(1), MicroUsd(2))), "a leg's cost is not that of its executions: a-1"),
        (a_change("a-1", fees=MicroUsd(1)), "an attempt's fees are not those of its executions: a-1"),
        (a_change("a-1", realized_pnl=MicroUsd(1)), "realized profit is not what came back less what was paid: a-1"),
        (a_change("a-1", ending=Ending.MISSED), "an attempt has two endings: a-1"),
        (a_change("a-1", filled=MicroShares(10_000_001)), "more complete sets than were wanted: a-1"),
        (an_order_change(an_intent("a-1"), 10_000_001), "filled more than ordered"),
        (a_fill(an_intent("a-1"), "more"), "executions add up to more than ordered"),
        (merged("a-1", 1), "realized profit is not what came back"),
    ],
)
def test_what_does_not_add_up_is_printed_first_and_ends_the_verdict(
    path: Path, row: object, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = open_ledger(path, HandClock())
    ledger.writer.take(row, AT)
    ledger.close()

    assert report("--ledger", str(path)) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("VIOLATION")
    assert any(what in line for line in lines[:6])
    assert "REFUSED" in lines[-2] + lines[-3] + lines[-1]


def test_a_difference_with_the_venue_refuses_the_verdict(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = open_ledger(path, HandClock())
    differs = reconciled(
        AT,
        cash_ledger=MicroUsd(100_485_000),
        cash_venue=MicroUsd(100_485_001),
        positions_equal=True,
        findings=("cash",),
    )
    ledger.writer.take(differs, AT)
    ledger.close()

    found = as_json(path, capsys)

    assert found["account"]["difference"] == "-0.000001"
    assert found["evaluation"]["verdict"] == "refused"


# -- paper


def test_paper_mode_quotes_the_pessimistic_fill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = begun(ledger_path(tmp_path), mode="paper")
    ledger.writer.take(a_trade(), AT)
    ledger.writer.take(an_attempt(mode="paper"), AT)
    for model, net in (("optimistic", 290_000), ("shifted", 100_000), ("pessimistic", -7_000)):
        filled = PaperFilled(
            attempt_id=AttemptId("a-1"),
            at=AT,
            model=model,
            filled=MicroShares(10_000_000),
            cost=MicroUsd(9_700_000),
            fees=MicroUsd(5_000),
            net_pnl=MicroUsd(net),
            note="",
        )
        ledger.writer.take(filled, AT)
    ledger.close()

    found = as_json(ledger_path(tmp_path), capsys)

    assert found["mode"] == "paper"
    assert found["sets"]["net_pnl"] == found["paper"]["pessimistic"]["net_pnl"] == "-0.007"
    assert found["paper"]["optimistic"]["net_pnl"] == "0.29"
    assert found["account"]["cash_ledger"] is None


# -- HTML


class Page(html.parser.HTMLParser):
    """Tags with their attributes, and a check that they close as they open."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page_of(path: Path, tmp_path: Path) -> tuple[str, Page]:
    target = tmp_path / "report.html"
    assert report("--ledger", str(path), "--html", str(target)) == 0
    text = target.read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == []
    return text, page


def test_the_page_is_whole_and_loads_nothing(path: Path, tmp_path: Path) -> None:
    text, page = page_of(path, tmp_path)

    policies = [a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]
    assert not {"script", "link", "img", "iframe", "object", "a"} & {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") or name in ("src", "href") for _, attrs in page.tags for name in attrs)
    assert "http://" not in text
    assert "https://" not in text


def test_the_page_shows_histogram_curve_uptime_and_incidents_with_their_story(path: Path, tmp_path: Path) -> None:
    text, page = page_of(path, tmp_path)

    assert sum(tag == "svg" for tag, _ in page.tags) == 4
    assert "trade line 0.9930" in text
    assert "down: simulated: reset" in text
    assert "NO was refused" in text
    assert "SELL YES 10 @ 0.4600" in text  # from `why`, inside the incident


def test_hostile_texts_stay_texts_in_page_and_cells(tmp_path: Path) -> None:
    path = ledger_path(tmp_path)
    ledger = begun(path)
    evil = "=HYPERLINK(1)<script>alert(1)</script>"
    ledger.writer.take(a_skip(1), AT)
    ledger.writer.take(incident(AT, "reject", evil, set_id=type(SET)(evil)), AT)
    ledger.close()

    text, page = page_of(path, tmp_path)
    assert report("--ledger", str(path), "--csv", str(tmp_path / "out")) == 0

    assert "<script" not in text
    assert "script" not in {tag for tag, _ in page.tags}
    with (tmp_path / "out" / "events.csv").open(encoding="utf-8", newline="") as file:
        [row] = list(csv.DictReader(file))
    assert row["text"] == "'" + evil
    assert row["set_id"] == "'" + evil


def test_csv_holds_every_table_and_keeps_negative_numbers_numbers(path: Path, tmp_path: Path) -> None:
    assert report("--ledger", str(path), "--csv", str(tmp_path / "out")) == 0

    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert {"opportunities.csv", "orders.csv", "fills.csv", "tradesets.csv", "market_ticks.csv", "sets.csv"} <= names
    with (tmp_path / "out" / "tradesets.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["realized_pnl"] for row in rows] == ["295000", "295000", "-105000"]


# -- the door


def test_reading_needs_neither_actors_nor_network_libraries() -> None:
    code = (
        "import sys; sys.path.insert(0, '.'); import adapters.operator.report_verb; "
        "print([m for m in ('pykka', 'requests', 'pydantic', 'jinja2', 'rich', 'prompt_toolkit') if m in sys.modules])"
    )
    root = Path(__file__).parents[3]

    out = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout

    assert out.strip() == "[]"


def test_the_newest_ledger_is_meant_where_none_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert report() == 0
    nothing = capsys.readouterr().out
    (tmp_path / "data").mkdir()
    for name in ("ledger.sqlite", "ledger.sqlite.mark"):
        (tmp_path / name).rename(tmp_path / "data" / name)

    assert report() == 0

    assert "no ledger yet" in nothing
    assert "Complete-set report" in capsys.readouterr().out


def test_the_configured_ledger_comes_before_a_newer_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(f"data:\n  sqlite_path: {path}\nstrategy: [broken\n", encoding="utf-8")
    newer = tmp_path / "data" / "demo.sqlite"
    open_ledger(newer, HandClock()).close()
    (tmp_path / "config.yaml").write_text(f"data:\n  sqlite_path: {path}\n", encoding="utf-8")

    assert report() == 0

    assert f"ledger {path}" in capsys.readouterr().out
    assert MarketId("fed") == MARKET
