"""`check` finds before the start what the start would refuse."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from adapters.operator.check_verb import add_arguments, run
from adapters.operator.render import banner
from models.status import HOLD, Trading
from tests.adapters.operator.fake_bot import a_snapshot

CONDITION = "0x" + "ab" * 32


def check(path: Path) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(["--config", str(path)]))


def test_an_id_that_no_market_of_the_venue_can_have_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"venue: polymarket\nmarkets: [fed-cut-dec, {CONDITION}]\n")

    assert check(path) == 78
    assert capsys.readouterr().err.splitlines() == [
        f"{path}: markets: 'fed-cut-dec' is no Polymarket condition id (0x and 64 hex digits)"
    ]

    path.write_text(f"venue: polymarket\nmarkets: [{CONDITION}]\n")
    assert check(path) == 0


def test_a_bot_that_compares_its_ledger_first_does_not_ask_to_be_resumed() -> None:
    waiting = Trading(on=False, reason="reconciling: start", by=HOLD, since=None)

    last = banner(a_snapshot(trading=waiting))[-1]

    assert last.endswith("Trading: not yet (reconciling: start)")
