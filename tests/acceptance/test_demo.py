"""`demo --no-console --seed 7`, then `report` and `why`: what an operator sees in his first minutes."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.stage import RUN, document, rows, verb

Demo = tuple[Path, Path, int, str]


def test_the_demo_shows_every_kind_of_event(demo: Demo) -> None:
    home, ledger, code, out = demo
    report = document(home, "report")

    assert code == 0, out[-2000:]
    opportunities = report["opportunities"]
    assert opportunities["detected"] > 0
    assert opportunities["detected"] == opportunities["traded"] + opportunities["skipped"]
    assert sum(opportunities["by_reason"].values()) == opportunities["skipped"]
    assert {"edge", "depth", "cooldown", "stale"} <= opportunities["by_reason"].keys()
    assert report["paper"]["optimistic"]["sets"] > 0
    assert report["paper"]["pessimistic"]["sets"] > 0
    assert (report["feed"]["gaps"], report["feed"]["disconnects"]) == (1, 1)
    assert report["violations"] == []
    after_gap = "SELECT * FROM events WHERE kind = 'resync' AND facts ->> 'after' = 'gap'"
    assert len(rows(ledger, after_gap)) == 1
    again = "SELECT * FROM events WHERE kind = 'reconnected' AND duration_ns > 0"
    assert len(rows(ledger, again)) == 1
    kinds = set(re.findall(r"^\d\d:\d\d:\d\d ([A-Z]+)", out, re.MULTILINE))
    assert {"OPP", "SKIP", "FILL", "DONE", "WARN", "INFO"} <= kinds


def test_every_line_about_money_names_its_market(demo: Demo) -> None:
    _, _, _, out = demo
    lines = [line for line in out.splitlines() if re.match(r"^\d\d:\d\d:\d\d (OPP|FILL|DONE|SKIP) ", line)]

    assert len(lines) > 50
    assert [line for line in lines if line[17:34].strip() == ""] == []


def test_the_report_of_the_demo_is_told_in_every_form(demo: Demo, tmp_path: Path) -> None:
    home, _, _, _ = demo

    text = verb(home, "report")
    page = verb(home, "report", "--html", str(tmp_path / "r.html"))
    tables = verb(home, "report", "--csv", str(tmp_path / "csv"))

    assert (text.returncode, page.returncode, tables.returncode) == (0, 0, 0)
    assert text.stdout.startswith("Complete-set report · PAPER · simulated")
    for word in ("opportunities", "attempts", "sets done", "avg edge", "fees", "disconnects", "sum_cost", "PoC gate"):
        assert word in text.stdout
    html = (tmp_path / "r.html").read_text()
    assert html.count("<svg") >= 2
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert {"opportunities.csv", "tradesets.csv"} <= {path.name for path in (tmp_path / "csv").iterdir()}


def scripts(seconds: float) -> list[dict[str, Any]]:
    """What two exchanges of one seed did on their own, each in a process of its own."""
    command = [*RUN, "simulate", "--port", "0", "--seed", "7", "--faults", "demo", "--for", f"{seconds}s"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    return [json.loads(process.communicate(timeout=60)[0].splitlines()[-1]) for process in both]


def test_the_venues_script_is_the_same_for_the_same_seed() -> None:
    one, two = scripts(6)

    assert one["script"] == two["script"]
    assert len(one["script"]) >= 3
    assert one["script"][0]["kind"] == "good"


def test_why_recomputes_every_decision_also_after_the_configuration_was_edited(demo: Demo, tmp_path: Path) -> None:
    home, ledger, _, _ = demo
    before = verb(home, "why", "--all")
    count = rows(ledger, "SELECT count(*) AS n FROM opportunities")[0]["n"]
    copied(ledger, tmp_path / "data" / "demo.sqlite")
    (tmp_path / "config.yaml").write_text("markets: [m]\nstrategy: {min_edge: 0.2, cost_buffer: 0.1}\n")

    after = verb(tmp_path, "why", "--all", "--ledger", "data/demo.sqlite")
    newest = rows(ledger, "SELECT opportunity_id AS i FROM opportunities ORDER BY seq DESC LIMIT 1")[0]["i"]
    one = verb(tmp_path, "why", newest, "--ledger", "data/demo.sqlite")

    assert (before.returncode, after.returncode) == (0, 0), before.stdout + after.stdout
    sentence = f"{count} decisions recomputed from their stored inputs: the same, bit for bit"
    assert (before.stdout.splitlines()[-1], after.stdout.splitlines()[-1]) == (sentence, sentence)
    assert count > 50
    assert one.returncode == 0
    assert "min_edge 0.005 cost_buffer 0.002" in one.stdout, "the settings of the row, not those of the file"


FLIPS = [
    ("opportunities", "sum_cost", "sum_cost"),
    ("opportunities", "cost_buffer", "cost_buffer"),
    ("opportunities", "yes_ask", "yes_ask"),
    ("opportunities", "net_edge", "net_edge"),
    ("opportunity_legs", "yes_ask", "sum_cost"),
    ("opportunity_legs", "received_boot_ns", "frame_boot_ns"),
]
"""(table, column, what the recomputation calls it)."""


@pytest.mark.parametrize(("table", "column", "named"), FLIPS)
def test_one_flipped_stored_input_is_found_and_named(
    demo: Demo, tmp_path: Path, table: str, column: str, named: str
) -> None:
    _, ledger, _, _ = demo
    seq = raise_by_one(copied(ledger, tmp_path / "data" / "demo.sqlite"), table, column)

    found = verb(tmp_path, "why", "--all")
    without_chain = verb(tmp_path, "why", "--all", "--no-chain")
    report = verb(tmp_path, "report", "--verify")

    for done in (found, without_chain):
        assert done.returncode == 1
        assert "\n1 of " in f"\n{done.stdout}"
        assert "decisions do not come out of their stored inputs as they were stored" in done.stdout
        assert f" {named}: stored " in done.stdout
    assert f"row {seq} does not fit the hash chain" in found.stdout
    assert report.returncode == 1
    assert f"row {seq} does not fit the hash chain" in report.stderr


def test_an_input_that_changes_no_decision_is_still_found_by_the_hash_chain(demo: Demo, tmp_path: Path) -> None:
    _, ledger, _, _ = demo
    seq = raise_by_one(copied(ledger, tmp_path / "data" / "demo.sqlite"), "opportunity_legs", "evidence_boot_ns")

    found = verb(tmp_path, "why", "--all")

    assert found.returncode == 1
    assert f"row {seq} does not fit the hash chain" in found.stdout


def raise_by_one(ledger: Path, table: str, column: str) -> int:
    """Change one stored number as a hand that knows SQL would. The row of the opportunity that it belongs to."""
    of_row = "seq = ?" if table == "opportunities" else "opportunity = ? AND leg = 0"
    with closing(sqlite3.connect(ledger)) as connection:
        query = "SELECT seq FROM opportunities WHERE yes_ask IS NOT NULL ORDER BY seq LIMIT 1 OFFSET 3"
        (seq,) = connection.execute(query).fetchone()
        done = connection.execute(f"UPDATE {table} SET {column} = {column} + 1 WHERE {of_row}", (seq,))
        connection.commit()
        assert done.rowcount == 1
        return int(seq)


def copied(ledger: Path, to: Path) -> Path:
    """The ledger with its companions, as a backup would hold them."""
    to.parent.mkdir(parents=True, exist_ok=True)
    for path in ledger.parent.glob(f"{ledger.name}*"):
        shutil.copy(path, to.parent / path.name)
    return to


def test_a_stopped_venue_prints_its_truth_and_ends_with_zero() -> None:
    command = [*RUN, "simulate", "--port", "0", "--seed", "7"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())

    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)

    assert (process.returncode, ready["ready"], json.loads(out)["audit"]) == (0, True, [])
