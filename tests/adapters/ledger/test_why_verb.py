"""`why` from the outside: a file, an id, lines, an exit code."""

from __future__ import annotations

import argparse
import json
import sqlite3
from pathlib import Path

import pytest

from adapters.ledger.connection import open_ledger
from adapters.ledger.mark import mark_path, read_mark
from adapters.operator.why_verb import add_arguments, run
from models.clock import WallNs
from models.messages import EpisodeEnded
from models.money import MicroUsd
from models.orders import AttemptId, VenueOrderId
from models.rows import Event, EventKind
from tests.adapters.ledger.ledger_rows import (
    SET,
    T0,
    HandClock,
    a_config,
    a_run,
    a_skip,
    an_intent,
    an_order_change,
    ledger_path,
    write_success,
)

AT = WallNs(T0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = ledger_path(tmp_path)
    ledger = open_ledger(path, HandClock())
    config = a_config(effective='{"strategy":{"min_edge":"0.005"},"execution":{"order_size":"10"}}')
    ledger.writer.take(config, AT)
    ledger.writer.take(a_run(config), AT)
    write_success(ledger.writer)
    chosen = Event(
        at=AT,
        kind=EventKind.PROTECTION,
        text="unwind: why not",
        set_id=SET,
        attempt_id=AttemptId("a-1"),
        facts=(("remedy", "unwind"), ("complete", None), ("unwind", -5_000), ("hold", -9)),
    )
    ledger.writer.take(chosen, AT)
    for number in range(5, 12):
        ledger.writer.take(a_skip(number), AT)
    ended = EpisodeEnded(
        episode_id="e-000001", set_id=SET, began=AT, ended=AT, best_edge=MicroUsd(0), rows=5, verdict="real"
    )
    ledger.writer.take(ended, AT)
    ledger.close()
    return path


def why(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(words))


@pytest.mark.parametrize(
    ("ident", "told"),
    [
        ("o-000001", "TRADE      a-1 size 10"),
        ("a-1", "SUCCESS    cost 9.7000 + fees 0.0050"),
        (an_intent().client_order_id, "BUY YES 10 @ 0.4700 IOC"),
        (an_intent().client_order_id[:6], "BUY YES 10 @ 0.4700 IOC"),
        (str(an_order_change(an_intent()).venue_order_id), "filled 10"),
        ("t-a-1-1", "fee 0.0025 (final, simulated:t-a-1-1)"),
        ("e-000001", "the same 5 decisions from the stored inputs, bit for bit"),
        ("o-0…006", "SKIP       edge, also fees (signal; verdict real)"),
        ("o-0...006", "SKIP       edge, also fees (signal; verdict real)"),
        ("o-000006", "SKIP       edge, also fees (signal; verdict real)"),
    ],
)
def test_any_id_tells_the_story_and_proves_it(
    path: Path, ident: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert why(ident, "--ledger", str(path)) == 0

    out = capsys.readouterr().out
    assert told in out
    assert "bit for bit" in out
    assert "fit the hash chain" in out


def test_a_protection_shows_its_three_numbers(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    why("a-1", "--ledger", str(path))

    assert "complete unavailable · unwind -0.0050 · hold -0.000009  → unwind: why not" in capsys.readouterr().out


def test_the_story_as_one_object(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert why("a-1", "--json", "--ledger", str(path)) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["recomputed"] == {"equal": True, "mismatches": []}
    assert told["chain"]["holds"] is True
    assert told["tradeset"]["total_cost"] == "9.7"
    assert told["orders"][0]["price"] == "0.47"
    assert told["opportunities"][0]["legs"][1]["ask"] == "0.5"
    assert VenueOrderId(told["orders"][0]["order_id"]).startswith("v-")


def test_all_decisions_of_a_ledger_come_out_the_same(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert why("--all", "--ledger", str(path)) == 0

    out, err = capsys.readouterr()
    assert out == "the hash chain holds\n8 decisions recomputed from their stored inputs: the same, bit for bit\n"
    assert err == ""


def edit(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


FLIP = "UPDATE opportunity_legs SET yes_ask = yes_ask + 1 WHERE opportunity = (SELECT min(seq) FROM opportunities)"


@pytest.mark.parametrize("ident", ["o-000001", "a-1", "--all"])
def test_a_flipped_input_fails_by_the_chain_and_by_the_recomputation(
    path: Path, ident: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(path, FLIP)

    assert why(ident, "--ledger", str(path)) == 1
    with_chain = capsys.readouterr().out
    assert why(ident, "--no-chain", "--ledger", str(path)) == 1
    without = capsys.readouterr().out

    assert "hash chain" in with_chain
    assert "stored 970000, recomputed 970001" in without


def test_a_flip_that_changes_no_decision_fails_by_the_chain(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(path, FLIP.replace("yes_ask = yes_ask", "version = version"))

    assert why("o-000001", "--ledger", str(path)) == 1
    assert "CHAIN      row 3 of opportunities does not fit the hash chain" in capsys.readouterr().out
    assert why("o-000001", "--no-chain", "--ledger", str(path)) == 0


def test_an_input_that_no_book_can_have_said_is_a_difference_not_a_crash(path: Path) -> None:
    edit(path, "UPDATE opportunity_legs SET not_ready = 'gone fishing' WHERE opportunity = 3")

    assert why("o-000001", "--no-chain", "--ledger", str(path)) == 1


def test_an_edited_configuration_in_the_ledger_is_found(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(path, """UPDATE configs SET terms = replace(terms, '"cost_buffer":2000', '"cost_buffer":3000')""")

    assert why("o-000001", "--ledger", str(path)) == 1
    assert "cost_buffer: stored 2000, recomputed 3000" in capsys.readouterr().out


def test_an_unknown_id_is_said(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert why("o-999999", "--ledger", str(path)) == 1
    assert capsys.readouterr().out.startswith("nothing in the ledger is called o-999999; `opps`")


def test_a_beginning_that_fits_several_ids_is_not_guessed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert why("o-0000", "--ledger", str(path)) == 1
    assert "several ids fit o-0000" in capsys.readouterr().out


@pytest.mark.parametrize("ident", ["%%%%%", "\udcff\udcfe\udcff\udcfe"])
def test_sql_wildcards_and_bytes_in_an_id_are_only_letters(path: Path, ident: str) -> None:
    assert why(ident, "--ledger", str(path)) == 1


def test_neither_id_nor_all_is_wrong_usage(path: Path) -> None:
    assert why("--ledger", str(path)) == 2
    assert why("a-1", "--all", "--ledger", str(path)) == 2


def test_a_missing_ledger_is_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert why("a-1", "--ledger", str(tmp_path / "none.sqlite")) == 0
    assert "there is no ledger" in capsys.readouterr().out


def test_reading_moves_neither_mark_nor_ledger(path: Path) -> None:
    before = path.read_bytes(), read_mark(mark_path(path))

    why("--all", "--ledger", str(path))

    assert (path.read_bytes(), read_mark(mark_path(path))) == before
