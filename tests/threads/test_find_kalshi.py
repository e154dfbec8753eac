"""`find` as a child process on Kalshi's dialect: what it prints can be pasted, and says what one wants to know."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.kalshi import adapter
from adapters.operator import find_verb
from models.market import Market
from tests.adapters.kalshi.examples import TAPERED, a_market
from tests.adapters.kalshi.stage import KalshiStage, kalshi_stage
from tests.children import RUN

CUP = ("KXSIMCUP-27-LIONS", "KXSIMCUP-27-TIGERS", "KXSIMCUP-27-BEARS")


def verb(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("DUTCHBOOK_")}
    return subprocess.run([*RUN, *words], cwd=home, env=env, capture_output=True, text=True, timeout=60, check=False)


def configure(home: Path, stage: KalshiStage, markets: str) -> None:
    options = stage.options
    addresses = f"{{rest_url: '{options.rest_url}', ws_url: '{options.ws_url}'}}"
    (home / "config.yaml").write_text(f"venue: kalshi\nmarkets:\n{markets}\nvenues:\n  kalshi: {addresses}\n")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[KalshiStage]:
    with kalshi_stage(tmp_path, rate=0, scripted=False) as stage:
        configure(tmp_path, stage, "  - ANY")
        yield stage


def test_an_entry_says_tick_lot_fees_end_and_event_and_can_be_pasted(stage: KalshiStage, tmp_path: Path) -> None:
    found = verb(tmp_path, "find", "KXSIMCUP-27")

    assert found.returncode == 0, found.stderr
    entries = found.stdout.splitlines()
    assert len(entries) == len(CUP)
    for entry, ticker in zip(entries, CUP, strict=True):
        assert re.fullmatch(
            rf'  - "{ticker}"  # Who wins the Cup\?: \w+ \(tick 0\.01, lot 0\.01, min 0\.01, fee rate 0\.007, '
            r"ends 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ, exclusive event KXSIMCUP-27\)",
            entry,
        )
    configure(tmp_path, stage, found.stdout)
    checked = verb(tmp_path, "check")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_what_is_not_exclusive_does_not_say_so_and_a_free_market_does(stage: KalshiStage, tmp_path: Path) -> None:
    (bitcoin,) = verb(tmp_path, "find", "bitcoin").stdout.splitlines()
    free = verb(tmp_path, "find", "vote", "green").stdout

    assert "tick 0.001, lot 0.01, min 0.01, fee rate 0.07" in bitcoin
    assert ", event KXSIMBTC-26DEC31)" in bitcoin
    assert "exclusive" not in bitcoin
    assert "no fees" in free


def test_as_json_it_has_the_same_facts(stage: KalshiStage, tmp_path: Path) -> None:
    told = json.loads(verb(tmp_path, "find", "--json", CUP[0]).stdout)

    (market,) = told["markets"]
    assert (told["venue"], market["market_id"], market["event_id"]) == ("kalshi", CUP[0], "KXSIMCUP-27")
    assert (market["tick"], market["lot"], market["fee_rate"]) == ("0.01", "0.01", "0.007")
    assert market["price_bands"] == [{"from": "0.00", "to": "1.00", "tick": "0.01"}]
    assert market["mutually_exclusive"] is True
    assert market["closes_at"].endswith("Z")


class Catalog:
    """Of one market whose ticks are finer near nothing and near a dollar."""

    def find(self, _query: str) -> list[Market]:
        return [a_market(price_ranges=TAPERED)]


def test_a_tapered_grid_shows_both_its_ticks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No market of the dialect has one, so the catalog is ours."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(adapter, "make_market_data", lambda *_: Catalog())

    find_verb.run(argparse.Namespace(query=["x"], venue="kalshi", config=None, json=False))

    assert "tick 0.001 or 0.01" in capsys.readouterr().out


def test_nothing_found_is_said_and_a_venue_out_of_reach_is_its_own_exit(stage: KalshiStage, tmp_path: Path) -> None:
    nothing = verb(tmp_path, "find", "no", "such", "thing")
    stage.server.stop()
    silent = verb(tmp_path, "find", "cup")

    assert (nothing.returncode, nothing.stdout) == (0, "nothing found on kalshi\n")
    assert silent.returncode == 69
    assert "Traceback" not in silent.stderr
