"""The paper runs of a ledger, as the live gate asks for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from adapters.ledger.connection import open_ledger, open_reader
from adapters.ledger.paper_runs import paper_runs
from models.clock import SECOND, WallNs
from models.config import Config, canonical_json
from models.config_machine import VenueOptions
from models.live_gate import addresses
from models.market import VenueName
from models.rows import RunStopped
from tests.adapters.ledger.ledger_rows import T0, HandClock, a_config, a_run, ledger_path

LOCAL = VenueOptions(rest_url="http://127.0.0.1:8800", ws_url="ws://127.0.0.1:8800/ws/market")


def test_a_paper_run_is_known_by_the_addresses_at_which_its_venues_were_read(tmp_path: Path) -> None:
    clock = HandClock()
    ledger = open_ledger(ledger_path(tmp_path), clock)
    own = Config(venue="polymarket", markets=("0xab",))
    copy = own.model_copy(update={"venues": {"polymarket": LOCAL}})
    for number, config in enumerate((own, copy)):
        used = a_config(effective=canonical_json(config))
        started = replace(a_run(used, run_id=f"run-{number}", mode="paper"), venue="kalshi+polymarket")
        stopped = RunStopped(run_id=started.run_id, at=WallNs(T0 + 90 * SECOND), why="quit", left_open=0)
        for row in (used, started, stopped):
            ledger.writer.take(row, clock.wall_ns())
    ledger.close()

    reader = open_reader(ledger_path(tmp_path))
    first, second = paper_runs(reader)
    reader.close()

    kalshi, polymarket = VenueName("kalshi"), VenueName("polymarket")
    assert first.venues == {kalshi: ("", "", ""), polymarket: ("", "", "")}
    assert second.venues == {
        kalshi: ("", "", ""),
        polymarket: ("http://127.0.0.1:8800", "ws://127.0.0.1:8800/ws/market", ""),
    }
    assert second.venues[polymarket] == addresses(copy.options("polymarket").model_dump(mode="json"))
