"""The shipped configuration and fault plan for live runs on the dialect fit the markets that it lists."""

from __future__ import annotations

from pathlib import Path

from adapters.polymarket.dialect.markets import market_list
from adapters.simulated.faults import LeverName, read_plan
from models.config import Config
from models.config_parse import parse_config

CONFIG = Path(__file__).parents[3] / "docs" / "config.faults.polymarket.yaml"
LISTED = {one.condition_id for one in market_list(18, 0).all}


def test_every_market_and_leg_of_the_shipped_configuration_is_listed_by_the_dialect() -> None:
    config = parse_config(CONFIG.read_text(encoding="utf-8"), CONFIG.name)
    assert isinstance(config, Config)
    assert set(config.market_venues()) <= LISTED
    legs = {str(leg.market_id) for entry in config.sets for leg in entry.set_legs()}
    assert legs == {str(market_id) for market_id in config.market_venues()}


def test_the_shipped_plan_names_listed_markets_and_leaves_out_what_cannot_happen() -> None:
    plan = read_plan("faults_polymarket")
    assert {lever.market for lever in plan.levers if lever.market is not None} <= LISTED
    named = {lever.lever for lever in plan.levers}
    assert LeverName.GAP not in named, "its frames are not numbered"
    own = {LeverName.HALF, LeverName.LATE_HALF, LeverName.EMPTY, LeverName.STALE_BOOK, LeverName.BARE_BOOK,
           LeverName.REVERSED_LEVELS, LeverName.TICK_CHANGE, LeverName.DISABLED, LeverName.CANCEL_ONLY,
           LeverName.TOO_EARLY, LeverName.EDGE_LIMITED, LeverName.RETRY_SETTLEMENT}  # fmt: skip
    assert own <= named, "what only this venue does to a bot that trades"
